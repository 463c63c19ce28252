package host

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

func TestParseVMInfoRecorded(t *testing.T) {
	got := parseVMInfo(section(t, infoTitle))
	want := vmInfo{
		VM: facts.VM{
			Name: "centos64php56_default_1795334400000_12345", UUID: runningID, State: "running",
			Shares: []facts.Share{{Name: "home_rc_", HostPath: "/home/dev/centos64php56"}},
		},
		CfgFile: "/home/dev/VirtualBox VMs/centos64php56_default_1795334400000_12345/centos64php56_default_1795334400000_12345.vbox",
		Forwards: []forward{
			{Name: "ssh", Proto: "tcp", HostIP: "127.0.0.1", HostPort: 2222, GuestPort: 22, adapter: 1},
			{Name: "tcp8080", Proto: "tcp", HostPort: 8080, GuestPort: 80, adapter: 1},
		},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(forward{}, vmInfo{})); d != "" {
		t.Error(d)
	}
	running := parseVMInfo(section(t, "VBoxManage showvminfo UUID --machinereadable | grep Guest (additions running)"))
	if running.AdditionsVersion != "7.0.20 r163906" {
		t.Errorf("additions = %q", running.AdditionsVersion)
	}
}

// TestVBoxFileAgreesWithVMInfo: both records of one VM give the same forwards and shares.
func TestVBoxFileAgreesWithVMInfo(t *testing.T) {
	info := parseVMInfo(section(t, infoTitle))
	file, err := parseVBox([]byte(section(t, ".vbox")))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(info.Forwards, file.Forwards, cmp.AllowUnexported(forward{})); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(info.Shares, file.Shares); d != "" {
		t.Error(d)
	}
	if file.UUID != info.UUID || file.Name != info.Name {
		t.Errorf("%+v", file)
	}
}

// TestParseVMInfoTraps is synthetic: the traps of host-catalogue 2.4, one line each.
func TestParseVMInfoTraps(t *testing.T) {
	got := parseVMInfo(strings.Join([]string{
		"\xef\xbb\xbfname=\"we\"b \x1b[31m,\xff\"",
		`UUID="295E77C3-0000-0000-0000-000000000001"`,
		`Encryption:     disabled`,
		`"SATAController-0-0"="/Users/x/box-disk1.vmdk"`,
		`CfgFile="C:\\Users\\dev\\VirtualBox VMs\\web\\web.vbox"`,
		`VideoMode="720,400,0"@0,0 1`,
		`GuestAdditionsFacility_VirtualBox Base Driver=50,1795338274663`,
		`VRDEClients==0`,
		`=`,
		`"`,
		` rec_screen0`,
		`nic1="hostonlynetwork"`,
		`hostonly-network1="x"`,
		`Forwarding(0)="ssh,tcp,127.0.0.1,1111,,22"`,
		`nic2="nat"`,
		`Forwarding(1)="a,b,udp,,5000,,5000"`,
		`Forwarding(2)="web, two,tcp,0.0.0.0,2200,10.0.2.15,22"`,
		`Forwarding(3)="bad,tcp,,99999,,22"`,
		`Forwarding(4)="short,tcp"`,
		`nic3="none"`,
		`Forwarding(5)="late,tcp,,3333,,22"`,
		`SharedFolderPathTransientMapping2="\\\\server\\share"`,
		`SharedFolderNameTransientMapping2="srv"`,
		`SharedFolderNameMachineMapping1="vagrant"`,
		`SharedFolderPathMachineMapping1="C:\Users\dev\project"`,
		`SharedFolderPathGlobalMapping1="/no/name"`,
		`GuestAdditionsVersion="4.3.36_Ubuntu r105129"`,
		`VMState="running"`, "",
	}, "\r\n"))
	want := vmInfo{
		VM: facts.VM{
			Name: "we\"b [31m,\uFFFD", UUID: "295e77c3-0000-0000-0000-000000000001", State: "running", AdditionsVersion: "4.3.36_Ubuntu r105129",
			Shares: []facts.Share{{Name: "srv", HostPath: `\\server\share`}, {Name: "vagrant", HostPath: `C:\Users\dev\project`}},
		},
		CfgFile: `C:\Users\dev\VirtualBox VMs\web\web.vbox`,
		Forwards: []forward{
			{Name: "a,b", Proto: "udp", HostPort: 5000, GuestPort: 5000, adapter: 2},
			{Name: "web, two", Proto: "tcp", HostIP: "0.0.0.0", HostPort: 2200, GuestIP: "10.0.2.15", GuestPort: 22, adapter: 2},
		},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(forward{}, vmInfo{})); d != "" {
		t.Error(d)
	}
}

func TestSSHForward(t *testing.T) {
	for name, c := range map[string]struct {
		all  []forward
		port int
	}{
		"named wins":     {[]forward{{Name: "x", Proto: "tcp", HostPort: 1, GuestPort: 22}, {Name: "ssh", Proto: "tcp", HostPort: 2, GuestPort: 2022}}, 2},
		"guest port":     {[]forward{{Name: "web", Proto: "tcp", HostPort: 1, GuestPort: 80}, {Name: "x", Proto: "TCP", HostPort: 3, GuestPort: 22}}, 3},
		"udp is not ssh": {[]forward{{Name: "ssh", Proto: "udp", HostPort: 1, GuestPort: 22}}, 0},
		"none":           {nil, 0},
		"first of two":   {[]forward{{Proto: "tcp", HostPort: 4, GuestPort: 22}, {Proto: "tcp", HostPort: 5, GuestPort: 22}}, 4},
	} {
		if f, ok := sshForward(c.all); ok != (c.port != 0) || f.HostPort != c.port {
			t.Errorf("%s: %+v %v", name, f, ok)
		}
	}
	for ip, want := range map[string]string{"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1", "192.168.1.5": "192.168.1.5"} {
		if got := (forward{HostIP: ip}).dialIP(); got != want {
			t.Errorf("dialIP(%q) = %q", ip, got)
		}
	}
}

func TestParseList(t *testing.T) {
	got := parseList(recorded(t, "vboxmanage-7.2.22-list-vms.txt").Stdout)
	if d := cmp.Diff([]listed{{Name: "t1", UUID: "4525dcf2-e609-41af-9946-3bcd4ae1942e"}}, got); d != "" {
		t.Error(d)
	}
	got = parseList("\"a \"b\" {x} é\" {54017B76-d33c-4206-98f6-9325cde08e48}\r\n\"<inaccessible>\" {44e5f7df-d33c-4206-98f6-9325cde08e48}\nnoise\n")
	if len(got) != 2 || got[0].Name != `a "b" {x} é` || got[0].UUID != "54017b76-d33c-4206-98f6-9325cde08e48" || got[1].Name != inaccessible {
		t.Errorf("%+v", got)
	}
}

func TestAdditionsISOLine(t *testing.T) {
	if got := additionsISO(recorded(t, "vboxmanage-7.2.22-list-systemproperties.txt").Stdout); got != "/usr/share/virtualbox/VBoxGuestAdditions.iso" {
		t.Errorf("%q", got)
	}
	if additionsISO("Default Guest Additions ISO:    \r\n") != "" || additionsISO("") != "" {
		t.Error("empty means none")
	}
}

func TestManageErrors(t *testing.T) {
	nosuch := recorded(t, "vboxmanage-7.2.22-showvminfo-nosuch-machinereadable.txt")
	for name, c := range map[string]struct {
		out      Output
		notFound bool
		says     string
	}{
		"no such vm":      {nosuch, true, "Could not find a registered machine named 'nosuch'"},
		"error, exit 0":   {Output{Stderr: "VBoxManage.exe: error: Failed to create the VirtualBox object!\n"}, false, "Failed to create the VirtualBox object!"},
		"broken":          {Output{Code: 126}, false, "install VirtualBox again"},
		"silent":          {Output{Code: 1}, false, "it said nothing"},
		"warning is fine": {Output{Stderr: "WARNING: x"}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := manager{path: "/x/VBoxManage", limit: defaultLimit, run: newReplay(t, map[string]Output{"list vms": c.out}).run}
			_, err := m.call(t.Context(), "list", "vms")
			if c.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "VBoxManage list vms") || notFound(err) != c.notFound {
				t.Errorf("%v, not found %v", err, notFound(err))
			}
		})
	}
}

func TestParseVBoxSnapshotsAndAdapters(t *testing.T) {
	const file = `<?xml version="1.0" encoding="UTF-8"?><!-- synthetic -->
<VirtualBox xmlns="http://www.virtualbox.org/" version="1.16-windows"><Machine uuid="{4C5A4184-9815-4bf6-80d1-646d7f510be0}" name="a&amp;b">
<Snapshot uuid="{x}" name="old"><Hardware><Network><Adapter slot="0" enabled="true"><NAT><Forwarding name="ssh" proto="1" hostport="1" guestport="22"/></NAT></Adapter></Network></Hardware></Snapshot>
<Hardware><Network>
<Adapter slot="0" enabled="false"><NAT><Forwarding name="ssh" proto="1" hostport="2" guestport="22"/></NAT></Adapter>
<Adapter slot="1" enabled="true"><DisabledModes><NAT><Forwarding name="ssh" proto="1" hostport="3" guestport="22"/></NAT></DisabledModes></Adapter>
<Adapter slot="2" enabled="true"><NAT><Forwarding name="dns" proto="0" hostport="53" guestport="53"/><Forwarding name="ssh" proto="1" hostip="127.0.0.1" hostport="2222" guestport="22"/><Forwarding name="bad" proto="1" hostport="x" guestport="22"/></NAT></Adapter>
</Network><SharedFolders><SharedFolder name="v" hostPath="C:\p" writable="false" autoMount="false"/></SharedFolders></Hardware>
<ExtraData><ExtraDataItem name="GUI/LastCloseAction" value="x"/><ExtraDataItem name="VBoxInternal2/SharedFoldersEnableSymlinksCreate/v" value="1"/>
<ExtraDataItem name="VBoxInternal2/SharedFoldersEnableSymlinksCreate/off" value="0"/></ExtraData></Machine></VirtualBox>`
	vm, err := parseVBox([]byte("\xef\xbb\xbf" + file))
	if err != nil {
		t.Fatal(err)
	}
	want := []forward{
		{Name: "dns", Proto: "udp", HostPort: 53, GuestPort: 53, adapter: 3},
		{Name: "ssh", Proto: "tcp", HostIP: "127.0.0.1", HostPort: 2222, GuestPort: 22, adapter: 3},
	}
	if d := cmp.Diff(want, vm.Forwards, cmp.AllowUnexported(forward{})); d != "" {
		t.Error(d)
	}
	if !vm.Symlinks["v"] || vm.Symlinks["off"] || len(vm.Symlinks) != 2 {
		t.Errorf("symbolic links: %v", vm.Symlinks)
	}
	if vm.Name != "a&b" || vm.UUID != runningID || len(vm.Shares) != 1 || !vm.Shares[0].ReadOnly {
		t.Errorf("%+v", vm)
	}
	for _, bad := range []string{"", "<VirtualBox>", "<VirtualBox></VirtualBox>", "no xml", "<a></b>"} {
		if _, err := parseVBox([]byte(bad)); err == nil {
			t.Errorf("%q must not parse", bad)
		}
	}
}

func TestParseFolders(t *testing.T) {
	got, err := parseFolders([]byte(`{"virtualbox":{
"/vagrant":{"guestpath":"/vagrant","hostpath":"/p","disabled":true},
"/home/rc/":{"guestpath":"/home/rc","hostpath":"/p","owner":"apache","group":48,"mount_options":["dmode=775","fmode=664"]},
"my share\\x":{"guestpath":"/x","hostpath":"C:\\p","mount_options":"ro","disabled":false},
"unmounted":{"hostpath":"/p"},
"__double":{"guestpath":"/dd\u001b[0m","hostpath":null}},
"rsync":{"/r":{"guestpath":"/r","hostpath":"/p"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []facts.SyncedFolder{
		{Name: "my_share_x", HostPath: `C:\p`, GuestPath: "/x", Options: []string{"ro"}},
		{Name: "_double", GuestPath: "/dd[0m"},
		{Name: "home_rc_", HostPath: "/p", GuestPath: "/home/rc", Owner: "apache", Group: "48", Options: []string{"dmode=775", "fmode=664"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got, err := parseFolders([]byte(`{"rsync":{}}`)); err != nil || len(got) != 0 || got == nil {
		t.Errorf("no virtualbox folders is a known, empty list: %v %v", got, err)
	}
	for _, bad := range []string{"", "[]", `{"virtualbox":[]}`, "{"} {
		if _, err := parseFolders([]byte(bad)); err == nil {
			t.Errorf("%q must not parse", bad)
		}
	}
	if v := readFolders(filepath.Join(t.TempDir(), "none")); v.IsKnown() {
		t.Error("a missing file is unknown")
	}
}

func TestFindProject(t *testing.T) {
	w := newWorld(t)
	deep := filepath.Join(w.root, "a", "b")
	w.write(filepath.Join(deep, "x"), "")
	w.write(filepath.Join(w.home, "other", "MyFile"), "")
	elsewhere := filepath.Join(w.home, "elsewhere")
	for name, c := range map[string]struct {
		dir        string
		env        map[string]string
		root, data string
	}{
		"upwards":       {deep, nil, w.root, filepath.Join(w.root, ".vagrant")},
		"cwd absolute":  {w.home, map[string]string{"VAGRANT_CWD": deep}, w.root, filepath.Join(w.root, ".vagrant")},
		"cwd relative":  {w.root, map[string]string{"VAGRANT_CWD": "a"}, w.root, filepath.Join(w.root, ".vagrant")},
		"cwd twice":     {deep, map[string]string{"VAGRANT_CWD": deep}, w.root, filepath.Join(w.root, ".vagrant")},
		"other name":    {filepath.Join(w.home, "other"), map[string]string{"VAGRANT_VAGRANTFILE": "MyFile"}, filepath.Join(w.home, "other"), filepath.Join(w.home, "other", ".vagrant")},
		"only that":     {w.root, map[string]string{"VAGRANT_VAGRANTFILE": "MyFile"}, "", ""},
		"dotfile":       {deep, map[string]string{"VAGRANT_DOTFILE_PATH": ".vg"}, w.root, filepath.Join(w.root, ".vg")},
		"dotfile abs":   {deep, map[string]string{"VAGRANT_DOTFILE_PATH": elsewhere}, w.root, elsewhere},
		"dotfile home":  {deep, map[string]string{"VAGRANT_DOTFILE_PATH": "~/elsewhere"}, w.root, elsewhere},
		"dotfile empty": {deep, map[string]string{"VAGRANT_DOTFILE_PATH": ""}, w.root, filepath.Join(w.root, ".vagrant")},
		"none":          {w.home, nil, "", ""},
	} {
		w.env = c.env
		o := w.options(nil)
		o.Dir = c.dir
		p, err := newObserver(o).findProject()
		if err != nil || p.Root != c.root || p.Data != c.data {
			t.Errorf("%s: %+v, %v; want %s, %s", name, p, err, c.root, c.data)
		}
	}
}

func TestMachineKeys(t *testing.T) {
	w := newWorld(t)
	ob := newObserver(w.options(nil))
	m := machineDir{Name: "x", Dir: filepath.Join(w.root, "m")}
	base := filepath.Join(w.home, ".vagrant.d")
	want := []string{filepath.Join(base, "insecure_private_keys", "vagrant.key.ed25519"), filepath.Join(base, "insecure_private_keys", "vagrant.key.rsa"), filepath.Join(base, "insecure_private_key")}
	if d := cmp.Diff(want, ob.machineKeys(m)); d != "" {
		t.Error(d)
	}
	w.env["VAGRANT_HOME"] = "/opt/vh"
	if got := ob.machineKeys(m)[2]; got != filepath.Join("/opt/vh", "insecure_private_key") {
		t.Error(got)
	}
	w.write(filepath.Join(m.Dir, "private_key"), "k")
	if got := ob.machineKeys(m); len(got) != 1 {
		t.Errorf("the machine's own key is the only one: %q", got)
	}
}

// TestFindManage pins Vagrant's order on the three systems; programs are only pretended.
func TestFindManage(t *testing.T) {
	const pf = `C:\Program Files\Oracle\VirtualBox\VBoxManage.exe`
	for name, c := range map[string]struct {
		goos string
		env  map[string]string
		have []string
		want string
	}{
		"linux path":          {"linux", map[string]string{"PATH": "/a:/usr/bin::."}, []string{"/usr/bin/VBoxManage"}, "/usr/bin/VBoxManage"},
		"linux none":          {"linux", map[string]string{"PATH": "/a"}, []string{"/usr/bin/VBoxManage"}, ""},
		"mac path":            {"darwin", map[string]string{"PATH": "/usr/local/bin"}, []string{"/usr/local/bin/VBoxManage"}, "/usr/local/bin/VBoxManage"},
		"win path":            {"windows", map[string]string{"PATH": `D:\v;\\srv\x`}, []string{`D:\v\VBoxManage.exe`}, `D:\v\VBoxManage.exe`},
		"win program files":   {"windows", map[string]string{"PATH": `D:\v`}, []string{`D:\v\VBoxManage.exe`, pf}, pf},
		"win install path":    {"windows", map[string]string{"PATH": "", "VBOX_INSTALL_PATH": `E:\x;E:\vb\`}, []string{`E:\vb\VBoxManage.exe`}, `E:\vb\VBoxManage.exe`},
		"win else msi":        {"windows", map[string]string{"VBOX_MSI_INSTALL_PATH": `E:\vb`}, []string{`E:\vb\VBoxManage.exe`}, `E:\vb\VBoxManage.exe`},
		"win not both":        {"windows", map[string]string{"VBOX_INSTALL_PATH": `F:\x`, "VBOX_MSI_INSTALL_PATH": `E:\vb`}, []string{`E:\vb\VBoxManage.exe`}, ""},
		"win other drive":     {"windows", map[string]string{"SYSTEMDRIVE": "D:"}, []string{`D:\Program Files (x86)\Oracle\VirtualBox\VBoxManage.exe`}, `D:\Program Files (x86)\Oracle\VirtualBox\VBoxManage.exe`},
		"win programfiles":    {"windows", map[string]string{"PROGRAMFILES": `G:\PF`}, []string{`G:\PF\Oracle\VirtualBox\VBoxManage.exe`}, `G:\PF\Oracle\VirtualBox\VBoxManage.exe`},
		"win relative ignore": {"windows", map[string]string{"PATH": `v;.`}, []string{`v\VBoxManage.exe`}, ""},
	} {
		ob := newObserver(Options{Getenv: func(k string) string { return c.env[k] }})
		ob.goos = c.goos
		ob.isProgram = func(p string) bool {
			for _, h := range c.have {
				if h == p {
					return true
				}
			}
			return false
		}
		got, searched := ob.findManage()
		if got != c.want || len(searched) == 0 {
			t.Errorf("%s: %q, searched %q", name, got, searched)
		}
	}
}

func TestPlacesPerSystem(t *testing.T) {
	for goos, want := range map[string]string{
		"linux":   "/usr/share/virtualbox/VBoxGuestAdditions.iso",
		"darwin":  "/Applications/VirtualBox.app/Contents/MacOS/VBoxGuestAdditions.iso",
		"windows": `C:\Program Files\Oracle\VirtualBox\VBoxGuestAdditions.iso`,
	} {
		ob := newObserver(Options{HomeDir: "/h"})
		ob.goos, ob.settled = goos, "/x.iso"
		ob.facts.VBoxManage = facts.Known(facts.VBoxManage{Version: "7.0.20_Debianr163906"})
		places := fmt.Sprint(ob.isoPlaces())
		if ob.isoPlaces()[0] != (isoPlace{"/x.iso", "systemproperties"}) || !strings.Contains(places, want) || !strings.Contains(places, "VBoxGuestAdditions_7.0.20.iso") {
			t.Errorf("%s: %s", goos, places)
		}
	}
	for goos, want := range map[string]string{"linux": "/h/.config/VirtualBox", "darwin": "/h/Library/VirtualBox", "windows": "/h/.VirtualBox"} {
		ob := newObserver(Options{HomeDir: "/h"})
		ob.goos = goos
		if got := filepath.ToSlash(ob.vboxHome()); got != want {
			t.Errorf("%s: %q", goos, got)
		}
	}
}

func TestNearest(t *testing.T) {
	// Defect 28: two letters that changed places are one slip, so web is nearer than db.
	if got := nearest("wbe", []string{"db", "web"}); got != "web" {
		t.Errorf("nearest(wbe) = %q", got)
	}
	for in, want := range map[string]string{"wbe": "web", "WEB": "web", "databse": "database", "zzz": "", "": "db", strings.Repeat("x", 100): ""} {
		if got := nearest(in, []string{"web", "database", "db"}); got != want {
			t.Errorf("nearest(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestStateFilesFromTheGuest: the project folder is often shared with the guest, which may put anything there.
func TestStateFilesFromTheGuest(t *testing.T) {
	w := newWorld(t)
	w.machine("web", "virtualbox", "id", strings.Repeat("x", maxStateFile+1))
	w.machine("dir", "virtualbox", "id/x", "")
	w.machine("up\x1b[31m", "virtualbox", "id", runningID)
	p, err := newObserver(w.options(nil)).findProject()
	if err != nil || len(p.Machines) != 2 {
		t.Fatalf("%+v, %v", p, err)
	}
	for _, m := range p.Machines {
		if m.ID != "" || m.IDProblem == nil {
			t.Errorf("%+v", m)
		}
	}
}

// A call that came while VirtualBox's service ended failed, and everything that it would have told was unknown.
func TestCallWhileTheServiceEnds(t *testing.T) {
	ending := Output{Code: 1, Stderr: "VBoxManage: error: Failed to create the VirtualBox object!\nVBoxManage: error: Code NS_ERROR_FAILURE (0x80004005) - Operation failed (extended info not available)\nVBoxManage: error: Most likely, the VirtualBox COM server is not running or failed to start.\n"}
	for _, c := range []struct{ failures, runs int }{{0, 1}, {1, 2}, {3, 4}, {9, serviceTries}} {
		runs := 0
		m := manager{path: "/x/VBoxManage", limit: defaultLimit, run: func(context.Context, string, ...string) (Output, error) {
			if runs++; runs <= c.failures {
				return ending, nil
			}
			return Output{Stdout: "7.2.22r173190\n"}, nil
		}}
		out, err := m.call(t.Context(), "--version")
		if runs != c.runs || (err == nil) != (c.failures < serviceTries) || err == nil && out.Stdout == "" {
			t.Errorf("%d failures: %d runs, %q, %v", c.failures, runs, out.Stdout, err)
		}
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	never := func(context.Context, string, ...string) (Output, error) { t.Error("run"); return Output{}, nil }
	if _, err := (manager{path: "/x", limit: defaultLimit, run: never}).call(done, "list", "vms"); err == nil {
		t.Error("a call that was not made has an answer")
	}
}

// TestHedgedQuestion: a client that came while VirtualBox's service ended waited ten seconds, and everything it would have told
// was unknown after the limit of five. A question is asked again beside it; what changes something never is.
func TestHedgedQuestion(t *testing.T) {
	t.Parallel()
	hangsFirst := func(runs *atomic.Int32, hang int32) manager {
		return manager{path: "/x/VBoxManage", limit: defaultLimit, run: func(ctx context.Context, _ string, _ ...string) (Output, error) {
			if runs.Add(1) <= hang {
				<-ctx.Done()
				return Output{}, ctx.Err()
			}
			return Output{Stdout: "7.2.22r173190\n"}, nil
		}}
	}
	for hang, answered := range map[int32]bool{0: true, 1: true, 2: true, 3: false} {
		t.Run(strconv.Itoa(int(hang)), func(t *testing.T) {
			t.Parallel()
			var runs atomic.Int32
			out, err := hangsFirst(&runs, hang).ask(t.Context(), "list", "vms")
			if (err == nil) != answered || answered && out.Stdout == "" || runs.Load() != min(hang, hedges)+1 {
				t.Errorf("%q, %v, %d runs", out.Stdout, err, runs.Load())
			}
		})
	}
	var runs atomic.Int32
	m := hangsFirst(&runs, 1)
	m.limit = hedgeAfter + 200*time.Millisecond
	if _, err := m.call(t.Context(), "modifyvm", "web"); err == nil || runs.Load() != 1 {
		t.Errorf("%v, %d runs", err, runs.Load())
	}
}
