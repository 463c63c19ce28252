package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// tree lays out a file system of its own, below which /proc, /sys and /etc are read.
func tree(t *testing.T, files map[string]string) *observer {
	t.Helper()
	root := t.TempDir()
	w := &world{t: t}
	for path, text := range files {
		w.write(filepath.Join(root, path), text)
	}
	ob := newObserver(Options{HomeDir: filepath.Join(root, "home"), Getenv: func(string) string { return "" }})
	ob.goos, ob.fsroot = "linux", root
	return ob
}

func TestLinux(t *testing.T) {
	ob := tree(t, map[string]string{
		"/proc/modules":               "vboxdrv 100 2 vboxnetflt, Live 0x0\nkvm_amd 1 0 - Live\nsnd 1 0\n",
		"/proc/cpuinfo":               "processor\t: 0\nflags\t\t: fpu svm hypervisor\n",
		"/proc/sys/kernel/osrelease":  "6.12.5-amd64\n",
		"/proc/cmdline":               "root=/dev/sda1 kvm.enable_virt_at_load=0",
		"/proc/12/comm":               "qemu-system-x86\n",
		"/sys/module/vboxdrv/version": "7.0.20 r163906 (0x00330004)\n",
		"/sys/module/kvm/parameters/enable_virt_at_load": "N\n",
		"/sys/kernel/security/lockdown":                  "none [integrity] confidentiality\n",
		"/lib/modules/6.12.5-amd64/build/Makefile":       "",
		"/etc/modprobe.d/virtualbox.conf":                "options kvm enable_virt_at_load=0\n",
		"/etc/modprobe.d/comment.conf":                   "# options kvm enable_virt_at_load=0\n",
		"/etc/resolv.conf":                               "search x\nnameserver 127.0.0.53\n",
		"/dev/vboxnetctl":                                "",
		secureBootVar:                                    "\x06\x00\x00\x00\x01",
	})
	l, err := ob.linux().Get()
	if err != nil {
		t.Fatal(err)
	}
	want := facts.Linux{Loaded: []string{"vboxdrv", "kvm_amd"}, Driver: "7.0.20 r163906 (0x00330004)", NetCtl: true, Headers: true, VirtAtLoad: "N",
		Overrides: []string{"/etc/modprobe.d/virtualbox.conf", "/proc/cmdline"}, CPUVirt: "svm", InVM: true, Lockdown: "integrity", SecureBoot: true,
		Resolvers: []string{"127.0.0.53"}, KVMGuests: 1}
	if fmt.Sprintf("%+v", l) != fmt.Sprintf("%+v", want) {
		t.Errorf("got  %+v\nwant %+v", l, want)
	}
	if _, err := tree(t, nil).linux().Get(); err == nil {
		t.Error("without /proc nothing is known")
	}
}

// "SecureBoot enabled (disabled in shim)" counts as off.
func TestSecureBootSwitchedOffInTheShim(t *testing.T) {
	ob := tree(t, map[string]string{secureBootVar: "\x06\x00\x00\x00\x01", mokStateVar: "\x06\x00\x00\x00\x01"})
	if ob.secureBoot() {
		t.Error("the shim switched it off")
	}
}

func TestNetworksConf(t *testing.T) {
	for text, want := range map[string]string{
		"* 10.0.0.0/8 192.168.0.0/16\n* 2001::/64\n": "[10.0.0.0/8 192.168.0.0/16 2001::/64]",
		"10.0.0.0/8\n# * 1.0.0.0/8\n":                "[]",
	} {
		c, err := tree(t, map[string]string{"/etc/vbox/networks.conf": text}).networksConf().Get()
		if err != nil || !c.Exists || fmt.Sprint(c.Ranges) != want {
			t.Errorf("%q: %+v, %v", text, c, err)
		}
	}
	if c, err := tree(t, nil).networksConf().Get(); err != nil || c.Exists {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestWSL(t *testing.T) {
	for text, want := range map[string]int{
		"Linux version 6.8.0-40-generic (buildd@lcy02)":                  0,
		"Linux version 4.4.0-19041-Microsoft (Microsoft@Microsoft.com)":  1,
		"Linux version 5.15.153.1-microsoft-standard-WSL2 (root@941d70)": 2,
	} {
		if got := wsl(text); got != want {
			t.Errorf("%q: WSL %d, want %d", text, got, want)
		}
	}
}

// fakeWindows answers from tables, as winAPI of a real Windows would.
func fakeWindows(texts map[string]string, numbers map[string]uint64, services map[string]bool) winAPI {
	return winAPI{
		text:    func(key, name string) (string, bool) { v, ok := texts[key+`\`+name]; return v, ok },
		number:  func(key, name string) (uint64, bool) { v, ok := numbers[key+`\`+name]; return v, ok },
		service: func(name string) (bool, int, bool) { running, ok := services[name]; return running, 3, ok },
		environ: func() []string { return []string{"A=1", "PATH=x"} },
	}
}

func TestWindows(t *testing.T) {
	const shell = `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`
	ob := tree(t, nil)
	ob.goos, ob.isProgram = "windows", func(p string) bool { return p == shell }
	ob.win = fakeWindows(map[string]string{`SOFTWARE\Oracle\VirtualBox\InstallDir`: `C:\VBox\`, `SOFTWARE\Microsoft\PowerShell\1\PowerShellEngine\PowerShellVersion`: "2.0"},
		map[string]uint64{`SYSTEM\CurrentControlSet\Control\DeviceGuard\Scenarios\HypervisorEnforcedCodeIntegrity\Enabled`: 1}, map[string]bool{"VBoxSup": true, "HvHost": false})
	hung := func(ctx context.Context, path string, _ ...string) (Output, error) {
		if path != shell {
			t.Errorf("started %s", path)
		}
		<-ctx.Done()
		return Output{}, ctx.Err()
	}
	ob.Exec, ob.powerShellLimit = hung, 10*time.Millisecond
	w, err := ob.windows(t.Context()).Get()
	if err != nil || !w.Hypervisor || !strings.Contains(w.Evidence, "memory integrity") || w.PowerShell != "2.0" || !w.PowerShellHung || w.PowerShellPath != shell || w.EnvSize != 11 {
		t.Errorf("%+v, %v", w, err)
	}
	ob.win = fakeWindows(map[string]string{`SOFTWARE\Microsoft\PowerShell\3\PowerShellEngine\PowerShellVersion`: "5.1.1"}, nil, map[string]bool{"HvHost": true})
	ob.Exec = func(context.Context, string, ...string) (Output, error) {
		t.Error("a new PowerShell is not started")
		return Output{}, nil
	}
	if w := ob.windows(t.Context()).Or(facts.Windows{}); !w.Hypervisor || !strings.Contains(w.Evidence, "HvHost") || w.PowerShellHung {
		t.Errorf("%+v", w)
	}
}

func TestMac(t *testing.T) {
	ob := tree(t, map[string]string{"/dev/vboxdrv": ""})
	ob.goos, ob.sysctl = "darwin", func(name string) string {
		return map[string]string{"hw.optional.arm64": "1", "kern.osproductversion": "14.6"}[name]
	}
	if d := ob.darwin().Or(facts.Darwin{}); d.Version != "14.6" || !d.Driver || d.NetCtl {
		t.Errorf("%+v", d)
	}
	if s := ob.hostSystem().Or(facts.HostSystem{}); s.Arch != "arm64" {
		t.Errorf("a translated boxdoctor must see the real processor: %+v", s)
	}
}

func TestLists(t *testing.T) {
	info, err := parseHostInfo(recorded(t, "vboxmanage-7.2.22-list-hostinfo.txt").Stdout)
	if err != nil || info.MemoryMB != 24105 || info.HWVirt != "no" || info.Cores != 0 {
		t.Errorf("%+v, %v", info, err)
	}
	p, err := parseProperties(recorded(t, "vboxmanage-7.2.22-list-systemproperties.txt").Stdout)
	if err != nil || p.MachineFolder != "/root/VirtualBox VMs" || p.MaxRAMMB != 2097152 {
		t.Errorf("%+v, %v", p, err)
	}
	dhcp, _ := parseDHCP(recorded(t, "vboxmanage-7.2.22-list-dhcpservers.txt").Stdout)
	if want := (facts.DHCPServer{Network: "HostInterfaceNetworking-vboxnet0", IP: "192.168.56.100", Mask: "255.255.255.0", Lower: "192.168.56.101", Upper: "192.168.56.254", Enabled: true}); len(dhcp) != 1 || dhcp[0] != want {
		t.Errorf("%+v", dhcp)
	}
	packs, _ := parseExtPacks(recorded(t, "vboxmanage-7.2.22-list-extpacks.txt").Stdout)
	if len(packs) != 1 || packs[0] != (facts.ExtPack{Name: "VNC", Version: "7.2.22", Usable: true}) {
		t.Errorf("%+v", packs)
	}
	bridged, _ := parseBridged(recorded(t, "vboxmanage-7.2.22-list-bridgedifs.txt").Stdout)
	if len(bridged) < 2 || bridged[0].Name != "eth0" || bridged[0].Status != "Up" || bridged[1].Status != "Down" {
		t.Errorf("%+v", bridged)
	}
	media, _ := parseMedia(recorded(t, "vboxmanage-7.2.22-list-hdds.txt").Stdout)
	if len(media) != 1 || media[0].UUID != "af6320be-d379-4966-a8f0-992907132aa7" || !media[0].Missing {
		t.Errorf("%+v", media)
	}
	only, _ := parseHostOnly(recorded(t, "vboxmanage-7.2.22-list-hostonlyifs.txt").Stdout)
	if len(only) != 0 {
		t.Errorf("only warnings, no interface: %+v", only)
	}
	for _, garbage := range []string{"", "VBoxManage: error: x", "Memory size:"} {
		if _, err := parseHostInfo(garbage); err == nil {
			t.Errorf("%q is no host info", garbage)
		}
	}
}

func TestSettingsOfVM(t *testing.T) {
	s := settingsOfVM(recorded(t, "vboxmanage-7.2.22-showvminfo-poweroff.txt").Stdout)
	if s.MemoryMB != 1024 || s.CPUs != 1 || !s.UARTOff || s.USB != "ehci" || s.NICs != 1 || !slices.Equal(s.CableOff, []int{1}) || s.Session != "" {
		t.Errorf("%+v", s)
	}
	s = settingsOfVM(section(t, infoTitle))
	if s.UARTOff || s.USB != "" || len(s.CableOff) > 0 || s.Session != "headless" {
		t.Errorf("%+v", s)
	}
}

func TestLogsAndLeftovers(t *testing.T) {
	dir := t.TempDir()
	w := &world{t: t}
	file := filepath.Join(dir, "vm", "vm.vbox")
	w.write(file+"-prev", "<VirtualBox/>")
	w.write(filepath.Join(dir, "vm", "Logs", "VBox.log"), "00:01 x\n00:02 HM: HMR3Init: Attempting fall back to NEM: VT-x is not available\n")
	s := vmSettings{facts.VMSettings{CfgFile: file}}
	s.fromFiles()
	if s.Leftover != file+"-prev" || !strings.Contains(s.Slow, "fall back to NEM") || s.Hardening != "" {
		t.Errorf("%+v", s)
	}
}

func TestVagrantVersion(t *testing.T) {
	for name, c := range map[string]struct {
		files     map[string]string
		version   string
		installer bool
	}{
		"HashiCorp's package":    {map[string]string{"/opt/vagrant/bin/vagrant": "", "/opt/vagrant/embedded/gems/gems/vagrant-2.4.9/x": ""}, "2.4.9", true},
		"an older one of theirs": {map[string]string{"/opt/vagrant/bin/vagrant": "", "/opt/vagrant/embedded/gems/2.2.10/gems/vagrant-2.2.10/x": "", "/opt/vagrant/embedded/gems/2.2.10/gems/vagrant-spec-9.0/x": ""}, "2.2.10", true},
		"Debian's":               {map[string]string{"/opt/vagrant/bin/vagrant": "", "/usr/share/rubygems-integration/all/specifications/vagrant-2.3.4.gemspec": ""}, "2.3.4", false},
		"nothing tells it":       {map[string]string{"/opt/vagrant/bin/vagrant": ""}, "", false},
	} {
		ob := tree(t, c.files)
		if v, installer := ob.vagrantVersion(ob.at("/opt/vagrant/bin/vagrant")); v != c.version || installer != c.installer {
			t.Errorf("%s: %q, %v", name, v, installer)
		}
	}
}

func TestHome(t *testing.T) {
	w := newWorld(t)
	home := filepath.Join(w.home, ".vagrant.d")
	w.write(filepath.Join(home, "setup_version"), "1.5")
	w.write(filepath.Join(home, "data", "machine-index", "index"), "")
	w.write(filepath.Join(home, "plugins.json"), `{"version":"1","installed":{"vagrant-vbguest":{"ruby_version":"3.3.6","installed_gem_version":"0.32.0"},"gone":{"gem_version":"1.0"},"../evil":{}}}`)
	w.write(filepath.Join(home, "gems", "2.7.6", "x"), "")
	w.write(filepath.Join(home, "gems", "3.3.6", "gems", "vagrant-vbguest-0.32.0", "lib", "a.rb"), "# File.exists? in a comment\nx = 1\nif File.exists?(path)\nend\n")
	box := filepath.Join(home, "boxes", "bento-VAGRANTSLASH-centos-7", "1.0", "amd64", "virtualbox")
	w.write(filepath.Join(box, "x.vmdk"), "")
	w.write(filepath.Join(box, "metadata.json"), `{"provider":"virtualbox"}`)
	w.write(filepath.Join(box, "box.ovf"), `<References><File ovf:href="x.vmdk"/><ovf:File ovf:id="f" href="box-disk001.vmdk"/></References>`)
	w.write(filepath.Join(home, "boxes", "old", "0", "virtualbox", "x"), "")
	w.write(filepath.Join(home, "tmp", "box"+strings.Repeat("a1", 20)), " <!DOCTYPE html><p>log in")
	ob := newObserver(w.options(nil))
	ob.project = project{}
	h, err := ob.home().Get()
	if err != nil || h.SetupVersion != "1.5" || !h.IndexEmpty || !slices.Equal(h.Rubies, []string{"2.7.6", "3.3.6"}) {
		t.Fatalf("%+v, %v", h, err)
	}
	if len(h.Plugins) != 2 || h.Plugins[0].Folder || !h.Plugins[1].Folder || !strings.HasSuffix(h.Plugins[1].Removed, "a.rb:3") {
		t.Errorf("plugins %+v", h.Plugins)
	}
	if len(h.Boxes) != 2 || h.Boxes[0].Name != "bento/centos-7" || h.Boxes[0].Arch != "amd64" || !strings.Contains(h.Boxes[0].Damage, "box-disk001.vmdk") || h.Boxes[1].Damage != "metadata.json is missing" {
		t.Errorf("boxes %+v", h.Boxes)
	}
	if len(h.Partial) != 1 || !h.Partial[0].HTML || h.Partial[0].Held {
		t.Errorf("downloads %+v", h.Partial)
	}
}

func TestIndexState(t *testing.T) {
	for text, want := range map[string]string{`{"version":1,"machines":{}}`: "", "{": "it is not JSON", `{"version":2}`: "its version is 2", " \n": "it is empty"} {
		path := filepath.Join(t.TempDir(), "index")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, _ := indexState(path); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// A port that somebody listens on is taken, by this very process, and another one is offered.
func TestBindTrial(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	ob := newObserver(Options{})
	p := ob.trial(t.Context(), facts.Port{Port: port}, nil)
	if p.State != facts.PortTaken || p.Free == 0 || p.Free == port {
		t.Errorf("%+v", p)
	}
	if ob.goos == "linux" && !strings.Contains(p.Owner, fmt.Sprintf("process %d ", os.Getpid())) {
		t.Errorf("owner %q", p.Owner)
	}
	_ = l.Close()
	if p := ob.trial(t.Context(), facts.Port{Port: port}, nil); p.State != facts.PortFree {
		t.Errorf("%+v", p)
	}
	if p := ob.trial(t.Context(), facts.Port{Port: port, HostIP: "192.0.2.99"}, nil); p.State != facts.PortNoAddress {
		t.Errorf("%+v", p)
	}
}

// Two forwards whose ports are taken were both offered the same free one.
func TestOfferedPortsDiffer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	forward := facts.WantedForward{Line: 1, Host: facts.Known(l.Addr().(*net.TCPAddr).Port), Guest: facts.Known(80), HostIP: facts.Known("")}
	wanted := facts.WantedMachine{NoSSHForward: true, Forwards: []facts.WantedForward{forward, forward}}
	all, err := newObserver(Options{}).ports(t.Context(), facts.Known(facts.Wanted{Machines: []facts.WantedMachine{wanted}}), nil).Get()
	if err != nil || len(all) != 2 || all[0].Free == 0 || all[0].Free == all[1].Free {
		t.Errorf("%+v, %v", all, err)
	}
}

// The whole pre-flight of a project whose VM is off: records, wishes, trials; and in no way is vagrant run.
func TestPreflight(t *testing.T) {
	w := newWorld(t)
	w.write(filepath.Join(w.root, "Vagrantfile"), "# synthetic\nVagrant.configure(\"2\") do |config|\n  config.vm.box = \"bento/centos-7\"\n"+
		"  config.vm.network \"private_network\", ip: \"10.0.0.5\"\n  config.vm.network \"forwarded_port\", guest: 80, host: port_of_mine\n"+
		"  config.vm.synced_folder \"./gone\", \"/data\"\n  config.vm.provider(\"virtualbox\") { |vb| vb.memory = 2048 }\nend\n")
	w.machine("default", "virtualbox", "id", runningID)
	w.machine("default", "virtualbox", "creator_uid", "")
	w.machine("default", "virtualbox", "action_provision", "1458910687")
	calls := withVM(t, strings.Replace(section(t, infoTitle), `VMState="running"`, `VMState="poweroff"`, 1))
	calls["list runningvms"] = Output{}
	inv, err := observe(t, w.options(newReplay(t, calls)))
	if err != nil {
		t.Fatal(err)
	}
	pre := inv.Host.Preflight
	r := pre.Project.Or(facts.Project{}).Records[0]
	if r.ID != runningID || !r.HasUID || r.CreatorUID != "" || r.Provision != "1458910687" || !r.Registered.Or(false) || r.VM.Or(facts.VM{}).State != "poweroff" {
		t.Errorf("%+v", r)
	}
	m := pre.Wanted.Or(facts.Wanted{}).Machines[0]
	if m.Box.Or("") != "bento/centos-7" || m.MemoryMB.Or(0) != 2048 || m.Networks[0].IP.Or("") != "10.0.0.5" || m.Folders[0].Exists || !m.InsertKey.Or(false) {
		t.Errorf("%+v", m)
	}
	if _, err := m.Forwards[0].Host.Get(); !errors.Is(err, facts.ErrNotCollected) {
		t.Errorf("a computed port is not known: %v", err)
	}
	ports := pre.Ports.Or(nil)
	if len(ports) != 1 || ports[0].ID != "ssh" || ports[0].Port != 2222 {
		t.Errorf("%+v", ports)
	}
}

// Guests that are given by their address need no host that could start them: VirtualBox is asked little.
func TestNoPreflightForAddresses(t *testing.T) {
	w := newWorld(t)
	calls := virtualBox(t)
	for call := range calls {
		if !slices.Contains([]string{"--version", "list vms", "list runningvms", "list systemproperties"}, call) {
			delete(calls, call)
		}
	}
	o := w.options(newReplay(t, calls))
	o.SSH = "vagrant@127.0.0.1:2222"
	inv, err := observe(t, o)
	if err != nil || inv.Host.Preflight.Skipped == "" {
		t.Errorf("%+v, %v", inv.Host.Preflight, err)
	}
}
