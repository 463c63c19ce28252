package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const fixtures = "../../testdata/host"

// fixture reads a recorded file without its provenance header.
func fixture(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fixtures, name))
	if err != nil {
		t.Fatal(err)
	}
	rest := string(data)
	for strings.HasPrefix(rest, "# ") {
		_, rest, _ = strings.Cut(rest, "\n")
	}
	return rest
}

// recorded turns a transcript (stdout, `--- stderr`, `exit status N`) into an Output.
func recorded(t testing.TB, name string) Output {
	t.Helper()
	stdout, rest, _ := strings.Cut(fixture(t, name), "--- stderr\n")
	stderr, code, found := strings.Cut(rest, "exit status ")
	out := Output{Stdout: stdout, Stderr: stderr}
	if found {
		if _, err := fmt.Sscan(code, &out.Code); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// section takes one part of the transcript of a running VM.
func section(t testing.TB, title string) string {
	t.Helper()
	for _, part := range strings.Split("\n"+fixture(t, "vboxmanage-7.2.22-running-vm.txt"), "\n#### ") {
		if head, body, _ := strings.Cut(part, "\n"); head == title {
			return body + "\n"
		}
	}
	t.Fatalf("the transcript has no part %q", title)
	return ""
}

// replay is an Executor that knows exactly the calls it was given: an unknown call and a call that never
// came both fail the test.
type replay struct {
	t     testing.TB
	mu    sync.Mutex
	calls map[string]Output
	used  map[string]bool
	// hang holds calls that never answer; the context must end them.
	hang map[string]bool
}

func newReplay(t testing.TB, calls map[string]Output) *replay {
	r := &replay{t: t, calls: calls, used: map[string]bool{}, hang: map[string]bool{}}
	t.Cleanup(func() {
		for call := range calls {
			if !r.used[call] {
				t.Errorf("expected call was not made: VBoxManage %s", call)
			}
		}
	})
	return r
}

func (r *replay) run(ctx context.Context, path string, args ...string) (Output, error) {
	call := strings.Join(args, " ")
	r.mu.Lock()
	out, ok := r.calls[call]
	hang := r.hang[call]
	r.used[call] = true
	r.mu.Unlock()
	if hang {
		<-ctx.Done()
		return Output{}, ctx.Err()
	}
	if !ok || !strings.HasSuffix(path, "VBoxManage") {
		r.t.Errorf("unexpected call: %s %s", path, call)
		return Output{Code: 1, Stderr: "unexpected call"}, nil
	}
	return out, nil
}

const runningID = "4c5a4184-9815-4bf6-80d1-646d7f510be0"

// world is a folder that holds a home, a project and a PATH with a VBoxManage in it.
type world struct {
	t                testing.TB
	home, root, path string
	env              map[string]string
}

func newWorld(t testing.TB) *world {
	dir := t.TempDir()
	w := &world{t: t, home: filepath.Join(dir, "home"), root: filepath.Join(dir, "project"), path: filepath.Join(dir, "bin")}
	w.env = map[string]string{"PATH": w.path}
	w.write(filepath.Join(w.root, "Vagrantfile"), "# synthetic\n")
	w.write(filepath.Join(w.home, ".vagrant.d", "insecure_private_key"), "synthetic")
	w.write(filepath.Join(w.path, "VBoxManage"), "#!/bin/false\n")
	if err := os.Chmod(filepath.Join(w.path, "VBoxManage"), 0o755); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) write(path, text string) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// machine writes .vagrant/machines/NAME/PROVIDER/FILE.
func (w *world) machine(name, provider, file, text string) {
	w.write(filepath.Join(w.root, ".vagrant", "machines", name, provider, file), text)
}

func (w *world) options(r *replay) Options {
	o := Options{
		Dir: w.root, HomeDir: w.home, StateDir: filepath.Join(w.home, "state"), Limit: 2 * time.Second,
		Getenv: func(k string) string { return w.env[k] },
	}
	if r != nil {
		o.Exec = r.run
	}
	return o
}

// observe runs as on Linux, whatever the test runs on.
func observe(t testing.TB, o Options) (Inventory, error) {
	ob := newObserver(o)
	ob.goos = "linux"
	ob.uid = 1000
	ob.dev = filepath.Join(o.HomeDir, "no-vboxdrv")
	return ob.observe(t.Context())
}

// virtualBox are the answers of a healthy VirtualBox, all recorded.
func virtualBox(t testing.TB) map[string]Output {
	return map[string]Output{
		"--version":             {Stdout: section(t, "VBoxManage --version")},
		"list vms":              {Stdout: section(t, "VBoxManage list vms")},
		"list runningvms":       {Stdout: section(t, "VBoxManage list runningvms")},
		"list systemproperties": recorded(t, "vboxmanage-7.2.22-list-systemproperties.txt"),
		"list hostinfo":         recorded(t, "vboxmanage-7.2.22-list-hostinfo.txt"),
		"list hostonlyifs":      recorded(t, "vboxmanage-7.2.22-list-hostonlyifs.txt"),
		"list dhcpservers":      recorded(t, "vboxmanage-7.2.22-list-dhcpservers.txt"),
		"list extpacks":         recorded(t, "vboxmanage-7.2.22-list-extpacks.txt"),
		"list hdds":             recorded(t, "vboxmanage-7.2.22-list-hdds.txt"),
	}
}

func withVM(t testing.TB, info string) map[string]Output {
	calls := virtualBox(t)
	calls["showvminfo "+runningID+" --machinereadable"] = Output{Stdout: info}
	return calls
}

const infoTitle = "VBoxManage showvminfo UUID --machinereadable"

func TestObserveRunningMachine(t *testing.T) {
	w := newWorld(t)
	w.machine("default", "virtualbox", "id", runningID)
	w.machine("default", "virtualbox", "private_key", "synthetic")
	w.machine("default", "virtualbox", "synced_folders", `{"virtualbox":{"/home/rc/":{"guestpath":"/home/rc","hostpath":"/home/dev/centos64php56","disabled":false,"__vagrantfile":true}}}`)
	inv, err := observe(t, w.options(newReplay(t, withVM(t, section(t, infoTitle)))))
	if err != nil {
		t.Fatal(err)
	}
	if len(inv.Machines) != 1 {
		t.Fatalf("%d machines, notes %q", len(inv.Machines), inv.Notes)
	}
	m := inv.Machines[0]
	if m.Problem != nil || m.Facts.Name != "default" || m.Facts.User != "vagrant" || m.Facts.UUID != runningID {
		t.Errorf("machine = %+v", m)
	}
	c := m.SSH
	if c.Host != "127.0.0.1" || c.Port != 2222 || c.HostKeyID != runningID || !c.TrustFirstUse || c.NoHostKeyFile {
		t.Errorf("SSH = %+v", c)
	}
	if want := filepath.Join(w.root, ".vagrant/machines/default/virtualbox/private_key"); len(c.KeyFiles) != 1 || c.KeyFiles[0] != want {
		t.Errorf("keys = %q, want %q", c.KeyFiles, want)
	}
	if c.KeyStore != filepath.Join(w.home, "state", "hostkeys") {
		t.Errorf("key store = %q", c.KeyStore)
	}
	vm, err := m.Host.VM.Get()
	if err != nil || vm.State != "running" || len(vm.Shares) != 1 || vm.Shares[0] != (facts.Share{Name: "home_rc_", HostPath: "/home/dev/centos64php56"}) {
		t.Errorf("VM = %+v, %v", vm, err)
	}
	folders, err := m.Host.Folders.Get()
	if err != nil || len(folders) != 1 || folders[0].Name != "home_rc_" || folders[0].GuestPath != "/home/rc" {
		t.Errorf("folders = %+v, %v", folders, err)
	}
	manage, err := inv.Host.VBoxManage.Get()
	if err != nil || manage.Version != "7.2.22_Debianr175245" || manage.Warning != "" {
		t.Errorf("VBoxManage = %+v, %v", manage, err)
	}
	if n, err := inv.Host.RunningVMs.Get(); err != nil || n < 1 { // defect 18
		t.Errorf("running VMs: %d, %v", n, err)
	}
	if drv, err := inv.Host.DevVBoxDrv.Get(); err != nil || drv {
		t.Errorf("vboxdrv = %v, %v", drv, err)
	}
	if root, err := m.Host.ProjectRoot.Get(); err != nil || root != w.root {
		t.Errorf("root = %q, %v", root, err)
	}
}

func TestObserveNoProject(t *testing.T) {
	w := newWorld(t)
	o := w.options(newReplay(t, virtualBox(t)))
	o.Dir = w.home
	inv, err := observe(t, o)
	if err != nil || len(inv.Machines) != 0 || len(inv.Notes) == 0 || !strings.Contains(inv.Notes[0], "no Vagrantfile") {
		t.Errorf("%+v, %v", inv, err)
	}
	if root, err := inv.Host.ProjectRoot.Get(); err != nil || root != "" {
		t.Errorf("ProjectRoot must be known and empty: %q, %v", root, err)
	}
	o.Exec = newReplay(t, virtualBox(t)).run
	o.Names = []string{"web"}
	inv, err = observe(t, o)
	if err != nil || len(inv.Machines) != 1 || inv.Machines[0].Class != ClassUnknownName {
		t.Errorf("a named machine without a project: %+v, %v", inv, err)
	}
}

func TestObserveNothingRuns(t *testing.T) {
	w := newWorld(t)
	w.machine("web", "virtualbox", "id", "6183cbfd-cd41-4a50-aac7-b83c6f9fb060") // known to VirtualBox, not running
	w.machine("db", "virtualbox", "action_set_name", "1795334400")
	calls := virtualBox(t)
	calls["showvminfo 6183cbfd-cd41-4a50-aac7-b83c6f9fb060 --machinereadable"] = Output{Stdout: "name=\"t1\"\nVMState=\"poweroff\"\n"}
	inv, err := observe(t, w.options(newReplay(t, calls)))
	if err != nil || len(inv.Machines) != 0 || !strings.Contains(strings.Join(inv.Notes, "\n"), "no running machine of the project") {
		t.Errorf("%+v, %v", inv, err)
	}
}

// TestNamed covers every reason for which a named machine cannot be examined.
func TestNamed(t *testing.T) {
	const stopped = "6183cbfd-cd41-4a50-aac7-b83c6f9fb060"
	off := `name="t1"` + "\n" + `UUID="` + stopped + `"` + "\n" + `VMState="%s"` + "\n"
	for name, c := range map[string]struct {
		id, info        string
		names           []string
		class, says, do string
	}{
		"off":          {stopped, fmt.Sprintf(off, "poweroff"), []string{"web"}, ClassNotRunning, `"poweroff"`, "vagrant up web"},
		"saved":        {stopped, fmt.Sprintf(off, "saved"), []string{"web"}, ClassNotRunning, "saved", "vagrant resume web"},
		"paused":       {stopped, fmt.Sprintf(off, "paused"), []string{"web"}, ClassNotRunning, "paused", "vagrant resume web"},
		"crashed":      {stopped, fmt.Sprintf(off, "gurumeditation"), []string{"web"}, ClassNotRunning, "crashed", "vagrant halt --force web && vagrant up web"},
		"inaccessible": {stopped, "name=\"<inaccessible>\"\nUUID=\"" + stopped + "\"\n", []string{"web"}, ClassNotRunning, "inaccessible", "VBoxManage showvminfo " + stopped},
		"no forward":   {stopped, fmt.Sprintf(off, "running") + "nic1=\"bridged\"\nForwarding(0)=\"ssh,tcp,,2222,,22\"\n", []string{"web"}, ClassConfig, "no NAT forward", "boxdoctor check --ssh vagrant@ADDRESS:PORT -i KEY"},
		"no id":        {"", "", []string{"web"}, ClassNotCreated, "has not been created", "vagrant up web"},
		"bad id":       {"--help", "", []string{"web"}, ClassConfig, "not the id of a VirtualBox VM", ""},
		"typo":         {stopped, "", []string{"wbe"}, ClassUnknownName, `nearest name is "web"`, "boxdoctor check web"},
		"far":          {stopped, "", []string{"somethingelse"}, ClassUnknownName, "it has: web", "boxdoctor check web"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.machine("web", "virtualbox", "id", c.id)
			calls := virtualBox(t)
			if c.id == stopped {
				calls["showvminfo "+c.id+" --machinereadable"] = Output{Stdout: c.info}
			}
			o := w.options(newReplay(t, calls))
			o.Names = c.names
			inv, err := observe(t, o)
			if err != nil || len(inv.Machines) != 1 {
				t.Fatalf("%+v, %v", inv, err)
			}
			m := inv.Machines[0]
			if m.Problem == nil || m.Class != c.class || !strings.Contains(m.Problem.Error(), c.says) || m.Command != c.do {
				t.Errorf("class %q, problem %v, command %q", m.Class, m.Problem, m.Command)
			}
			if m.Facts.Name != c.names[0] {
				t.Errorf("name = %q", m.Facts.Name)
			}
		})
	}
}

func TestNamedLostVM(t *testing.T) {
	w := newWorld(t)
	const id = "11111111-2222-3333-4444-555555555555"
	w.machine("web", "virtualbox", "id", id)
	calls := virtualBox(t)
	calls["showvminfo "+id+" --machinereadable"] = recorded(t, "vboxmanage-7.2.22-showvminfo-nosuch-machinereadable.txt")
	o := w.options(newReplay(t, calls))
	o.Names = []string{"web", "web"}
	inv, _ := observe(t, o)
	if len(inv.Machines) != 1 {
		t.Fatal("a name given twice is one machine")
	}
	m := inv.Machines[0]
	if m.Class != ClassNotCreated || !strings.Contains(m.Problem.Error(), "`vagrant status` would delete") || strings.Contains(m.Command, "vagrant ") {
		t.Errorf("%q %v %q", m.Class, m.Problem, m.Command)
	}
}

func TestNamedKeepsOrder(t *testing.T) {
	w := newWorld(t)
	w.machine("a", "virtualbox", "id", "")
	w.machine("b", "libvirt", "id", "whatever")
	w.machine("c", "virtualbox", "id", runningID)
	o := w.options(newReplay(t, withVM(t, section(t, infoTitle))))
	o.Names = []string{"c", "b", "a"}
	inv, err := observe(t, o)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range inv.Machines {
		got = append(got, m.Facts.Name+":"+m.Class)
	}
	if strings.Join(got, " ") != "c: b:config a:not_created" {
		t.Errorf("%v", got)
	}
	if p := inv.Machines[1].Problem.Error(); !strings.Contains(p, "run by libvirt") {
		t.Error(p)
	}
}

func TestNotes(t *testing.T) {
	w := newWorld(t)
	w.machine("web", "virtualbox", "id", runningID)
	w.machine("web", "virtualbox", "creator_uid", "0")
	w.machine("web", "virtualbox", "vagrant_cwd", "/elsewhere")
	w.machine("web", "libvirt", "id", "x")
	w.machine("db", "docker", "id", "x")
	w.machine("gone", "virtualbox", "id", "11111111-2222-3333-4444-555555555555")
	calls := withVM(t, section(t, infoTitle))
	calls["list vms"] = Output{Stdout: `"<inaccessible>" {44e5f7df-0000-0000-0000-000000000000}` + "\n\"web\" {" + runningID + "}\n"}
	calls["showvminfo 11111111-2222-3333-4444-555555555555 --machinereadable"] = recorded(t, "vboxmanage-7.2.22-showvminfo-nosuch-machinereadable.txt")
	inv, err := observe(t, w.options(newReplay(t, calls)))
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(inv.Notes, "\n")
	for _, want := range []string{"machine web is also known to the provider libvirt", "machine db is also known to the provider docker"} {
		if !strings.Contains(all, want) {
			t.Errorf("no note says %q:\n%s", want, all)
		}
	}
}

// TestHungVirtualBox: nothing answers; one limit is spent in all and the settings file tells the way in.
func TestHungVirtualBox(t *testing.T) {
	w := newWorld(t)
	w.machine("default", "virtualbox", "id", runningID)
	w.settings(section(t, ".vbox"))
	r := newReplay(t, nil)
	for _, call := range []string{"--version", "list vms", "list runningvms", "list systemproperties", "list hostinfo", "list hostonlyifs",
		"list dhcpservers", "list extpacks", "list hdds", "showvminfo " + runningID + " --machinereadable"} {
		r.hang[call] = true
	}
	o := w.options(r)
	o.Limit = 100 * time.Millisecond
	start := time.Now()
	inv, err := observe(t, o)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
	manage, _ := inv.Host.VBoxManage.Get()
	if err != nil || !manage.TimedOut || manage.Version != "" {
		t.Errorf("%+v, %v", manage, err)
	}
	if len(inv.Machines) != 1 || inv.Machines[0].Problem != nil || inv.Machines[0].SSH.Port != 2222 {
		t.Errorf("%+v", inv.Machines)
	}
	if vm, err := inv.Machines[0].Host.VM.Get(); err != nil || vm.State != "" {
		t.Errorf("the state is not known without VBoxManage: %+v, %v", vm, err)
	}
}

// settings registers one VM in VirtualBox.xml of the home.
func (w *world) settings(vbox string) string {
	file := filepath.Join(w.home, "VirtualBox VMs", "vm é", "vm.vbox")
	w.write(file, vbox)
	w.write(filepath.Join(w.home, ".config", "VirtualBox", "VirtualBox.xml"), `<?xml version="1.0"?>
<!-- synthetic, after the layout of VirtualBox 7.2 -->
<VirtualBox xmlns="http://www.virtualbox.org/" version="1.12-linux"><Global><MachineRegistry>
<MachineEntry uuid="{`+strings.ToUpper(runningID)+`}" src="`+file+`"/></MachineRegistry></Global></VirtualBox>`)
	return file
}

func TestWithoutVBoxManage(t *testing.T) {
	w := newWorld(t)
	w.env["PATH"] = "/nonexistent:relative:."
	w.machine("default", "virtualbox", "id", runningID)
	w.settings(section(t, ".vbox"))
	inv, err := observe(t, w.options(newReplay(t, nil)))
	manage, _ := inv.Host.VBoxManage.Get()
	if err != nil || manage.Path != "" || len(manage.Searched) != 1 || manage.Searched[0] != "/nonexistent/VBoxManage" {
		t.Errorf("%+v, %v", manage, err)
	}
	if len(inv.Machines) != 1 || inv.Machines[0].SSH.Port != 2222 || !inv.Machines[0].SSH.TrustFirstUse {
		t.Errorf("%+v", inv.Machines)
	}
	w.write(filepath.Join(w.home, ".config", "VirtualBox", "VirtualBox.xml"), "<VirtualBox><Glo")
	inv, _ = observe(t, w.options(newReplay(t, nil)))
	if len(inv.Machines) != 0 || !strings.Contains(strings.Join(inv.Notes, "\n"), "VirtualBox.xml-prev") {
		t.Errorf("%+v", inv)
	}
	o := w.options(newReplay(t, nil))
	o.Names = []string{"default"}
	inv, _ = observe(t, o)
	if len(inv.Machines) != 1 || inv.Machines[0].Class != ClassConfig || !strings.Contains(inv.Machines[0].Problem.Error(), "VirtualBox.xml-prev") {
		t.Errorf("%+v", inv.Machines)
	}
}

// TestForwardsOf700: VirtualBox 7.0.0 drops forwards from showvminfo; the settings file has them.
func TestForwardsOf700(t *testing.T) {
	w := newWorld(t)
	w.machine("default", "virtualbox", "id", runningID)
	file := w.settings(strings.ReplaceAll(section(t, ".vbox"), `writable="true"`, `writable="false"`))
	info := "name=\"x\"\nUUID=\"" + runningID + "\"\nCfgFile=\"" + file + "\"\nVMState=\"running\"\nnic1=\"nat\"\n" +
		"Forwarding(0)=\"ssh,tcp,127.0.0.1,9999,,22\"\nSharedFolderNameMachineMapping1=\"home_rc_\"\nSharedFolderPathMachineMapping1=\"/home/dev/centos64php56\"\n"
	calls := withVM(t, info)
	calls["--version"] = Output{Stdout: "7.0.0r153978\n"}
	inv, err := observe(t, w.options(newReplay(t, calls)))
	if err != nil || len(inv.Machines) != 1 || inv.Machines[0].SSH.Port != 2222 {
		t.Fatalf("%+v, %v", inv, err)
	}
	if vm, _ := inv.Machines[0].Host.VM.Get(); len(vm.Shares) != 1 || !vm.Shares[0].ReadOnly {
		t.Errorf("read-only is told by the settings file: %+v", vm)
	}
}

func TestVBoxManageFact(t *testing.T) {
	noDriver := recorded(t, "vboxmanage-7.2.22-version-no-driver.txt")
	for name, c := range map[string]struct {
		out  Output
		want facts.VBoxManage
	}{
		"warning":  {noDriver, facts.VBoxManage{Version: "7.2.22_Debianr175245", Warning: "WARNING: The character device /dev/vboxdrv does not exist.\nPlease install the virtualbox-dkms package and the appropriate\nheaders, most likely linux-headers-amd64.\nYou will not be able to start VMs until this problem is fixed."}},
		"crlf":     {Output{Stdout: "7.0.20r163906\r\n"}, facts.VBoxManage{Version: "7.0.20r163906"}},
		"broken":   {Output{Code: 126, Stderr: "error while loading shared libraries"}, facts.VBoxManage{ExitCode: 126, Warning: "error while loading shared libraries"}},
		"empty":    {Output{}, facts.VBoxManage{}},
		"no words": {Output{Stdout: "WARNING: nothing works\n"}, facts.VBoxManage{Warning: "WARNING: nothing works"}},
		"bom":      {Output{Stdout: "\xef\xbb\xbf7.0.20r163906\n"}, facts.VBoxManage{Version: "7.0.20r163906"}},
		"escapes":  {Output{Stdout: "\x1b[31mWARNING\x1b[0m \xff\n7.0.20r163906\n"}, facts.VBoxManage{Version: "7.0.20r163906", Warning: "[31mWARNING[0m \uFFFD"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ob := newObserver(w.options(newReplay(t, map[string]Output{"--version": c.out})))
			ob.goos = "linux"
			_, v := ob.observeManage(t.Context())
			got, err := v.Get()
			if err != nil || got.Version != c.want.Version || got.Warning != c.want.Warning || got.ExitCode != c.want.ExitCode || got.Path != filepath.Join(w.path, "VBoxManage") {
				t.Errorf("%+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

func TestObserveUsageErrors(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		change func(*Options)
		says   string
	}{
		"both":       {func(o *Options) { o.SSH, o.SSHConfig = "x", "y" }, "exclude each other"},
		"version":    {func(o *Options) { o.VBoxVersion = "seven" }, "--vbox-version"},
		"ssh":        {func(o *Options) { o.SSH = "a:b:c" }, "[user@]host[:port]"},
		"ssh name":   {func(o *Options) { o.SSH, o.Names = "h", []string{"web"} }, "leave out"},
		"ssh config": {func(o *Options) { o.SSHConfig = "/nonexistent/ssh.cfg" }, "vagrant ssh-config >"},
		"iso":        {func(o *Options) { o.ISO = "/nonexistent.iso" }, "--iso"},
	} {
		t.Run(name, func(t *testing.T) {
			o := w.options(nil)
			o.Exec = func(context.Context, string, ...string) (Output, error) { return Output{Stdout: "7.0.20r1\n"}, nil }
			c.change(&o)
			if _, err := observe(t, o); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error = %v", err)
			}
		})
	}
	w.env["VAGRANT_CWD"] = "/nonexistent"
	o := w.options(nil)
	if _, err := observe(t, o); err == nil || !strings.Contains(err.Error(), "VAGRANT_CWD") {
		t.Errorf("error = %v", err)
	}
}

func TestObserveCancelled(t *testing.T) {
	w := newWorld(t)
	w.machine("default", "virtualbox", "id", runningID)
	ctx, cancel := context.WithCancel(t.Context())
	o := w.options(nil)
	o.Exec = func(ctx context.Context, _ string, _ ...string) (Output, error) {
		cancel()
		<-ctx.Done()
		return Output{}, ctx.Err()
	}
	if _, err := newObserver(o).observe(ctx); err == nil {
		t.Error("a cancelled run must say so")
	}
}

// TestRealExecutor runs real programs: output, status, a missing program, and a deadline that holds although
// a child keeps the pipe open.
func TestRealExecutor(t *testing.T) {
	sh := "/bin/sh"
	if _, err := os.Stat(sh); err != nil {
		t.Skip("no /bin/sh")
	}
	out, err := runProgram(t.Context(), sh, "-c", `echo "$LC_ALL"; echo no >&2; exit 3`)
	if err != nil || out.Stdout != locale()+"\n" || out.Stderr != "no\n" || out.Code != 3 {
		t.Errorf("%+v, %v", out, err)
	}
	if _, err := runProgram(t.Context(), "/nonexistent"); err == nil {
		t.Error("a missing program is an error")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err = runProgram(ctx, sh, "-c", "sleep 4 & sleep 4")
	if err == nil || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(start))
	}
	out, err = runProgram(t.Context(), sh, "-c", "sleep 3 & echo done")
	if err != nil || out.Stdout != "done\n" || out.Code != 0 {
		t.Errorf("a child that holds the pipe: %+v, %v", out, err)
	}
}
