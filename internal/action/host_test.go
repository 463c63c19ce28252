package action

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// home is a host in a folder: a project, the user's state folder, and a journal in memory.
type home struct {
	t              *testing.T
	project, state string
	entries        []Entry
	ofUndo         []Entry // the entries of the last undo
	undone         int
	managed        []string
	target         *Target
}

func newHome(t *testing.T) *home {
	h := &home{t: t, project: t.TempDir(), state: t.TempDir()}
	h.target = &Target{Host: true, Machine: "host", RunID: "r", Journal: h, Manage: func(_ context.Context, args ...string) error {
		h.managed = append(h.managed, strings.Join(args, " "))
		return nil
	}}
	return h
}

// Record keeps what undo reads.
func (h *home) Record(e Entry) error {
	if e.State == "begin" {
		h.entries = append(h.entries, e)
	}
	return nil
}

func (h *home) write(name, text string, mode os.FileMode) {
	h.t.Helper()
	path := filepath.Join(h.project, name)
	must(h.t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(h.t, os.WriteFile(path, []byte(text), mode))
	must(h.t, os.Chmod(path, mode))
}

func (h *home) read(name string) string {
	h.t.Helper()
	data, err := os.ReadFile(filepath.Join(h.project, name))
	if errors.Is(err, os.ErrNotExist) {
		return "(none)"
	}
	must(h.t, err)
	return string(data)
}

func (h *home) do(a Action) error { return Do(h.t.Context(), h.target, "host.test", a) }

// undo takes back all that was done so far and returns the outcomes of the plan.
func (h *home) undo(here facts.Host) string {
	h.t.Helper()
	entries := h.entries
	h.entries, h.undone = nil, h.undone+1
	steps := PlanUndo(entries, StandHost(here, entries))
	for _, j := range HostUndo(steps, filepath.Join(h.state, fmt.Sprint("undo", h.undone))) {
		must(h.t, h.do(j.Action))
	}
	h.ofUndo, h.entries = h.entries, entries
	var out []string
	for _, s := range steps {
		out = append(out, s.Outcome)
	}
	return strings.Join(out, " ")
}

func (h *home) edit(was, now string) HostFile {
	return HostFile{Folder: h.project, Name: "Vagrantfile", Was: was, Content: now, Mode: 0o644, Backup: filepath.Join(h.state, "r", "Vagrantfile")}
}

func TestHostFileChangesAndGoesBack(t *testing.T) {
	h := newHome(t)
	h.write("Vagrantfile", "a\nb\n", 0o640)
	must(t, h.do(h.edit("a\nb\n", "a\nc\n")))
	if got := h.read("Vagrantfile"); got != "a\nc\n" {
		t.Errorf("it holds %q", got)
	}
	info, err := os.Stat(filepath.Join(h.project, "Vagrantfile"))
	must(t, err)
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Errorf("the mode became %v", info.Mode())
	}
	if left, _ := os.ReadDir(h.project); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	if got := h.undo(facts.Host{}); got != finding.Planned || h.read("Vagrantfile") != "a\nb\n" {
		t.Errorf("undo: %s, it holds %q", got, h.read("Vagrantfile"))
	}
	h.entries = h.ofUndo
	if got := h.undo(facts.Host{}); got != finding.Planned || h.read("Vagrantfile") != "a\nc\n" {
		t.Errorf("undo of undo: %s, it holds %q", got, h.read("Vagrantfile"))
	}
}

func TestHostFileNewAndRemoved(t *testing.T) {
	h := newHome(t)
	h.write("state/action_provision", "1450000000", 0o644)
	must(t, h.do(HostFile{Folder: h.project, Name: "state/action_provision", Was: "1450000000", Remove: true, Backup: filepath.Join(h.state, "r", "x")}))
	must(t, h.do(HostFile{Folder: h.project, Name: "deep/new", New: true, Content: "new", Mode: 0o600}))
	if h.read("state/action_provision") != "(none)" || h.read("deep/new") != "new" {
		t.Error("not done")
	}
	if got := h.undo(facts.Host{}); got != "planned planned" || h.read("state/action_provision") != "1450000000" || h.read("deep/new") != "(none)" {
		t.Errorf("undo: %s", got)
	}
}

// What was changed since it was looked at is left alone, by a change as well as by undo.
func TestHostFileLeavesOthersChangesAlone(t *testing.T) {
	h := newHome(t)
	h.write("Vagrantfile", "mine\n", 0o644)
	if err := h.do(h.edit("theirs\n", "new\n")); !errors.Is(err, errHostChanged) || h.read("Vagrantfile") != "mine\n" {
		t.Errorf("%v; it holds %q", err, h.read("Vagrantfile"))
	}
	if err := h.do(HostFile{Folder: h.project, Name: "Vagrantfile", New: true, Content: "x"}); !errors.Is(err, errHostChanged) {
		t.Errorf("a new file over an old one: %v", err)
	}
	h.entries = nil
	must(t, h.do(h.edit("mine\n", "new\n")))
	h.write("Vagrantfile", "changed by hand\n", 0o644)
	if got := h.undo(facts.Host{}); got != finding.Skipped || h.read("Vagrantfile") != "changed by hand\n" {
		t.Errorf("undo: %s", got)
	}
}

// A guest that may write to the project cannot lead a change out of it.
func TestHostActionsFollowNoLinkOfAGuest(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need rights on Windows")
	}
	h := newHome(t)
	outside := filepath.Join(t.TempDir(), "authorized_keys")
	must(t, os.WriteFile(outside, []byte("1001"), 0o644))
	must(t, os.Chmod(outside, 0o644))
	must(t, os.Mkdir(filepath.Join(h.project, ".vagrant"), 0o755))
	must(t, os.Symlink(outside, filepath.Join(h.project, ".vagrant", "creator_uid")))
	must(t, os.Symlink(filepath.Dir(outside), filepath.Join(h.project, ".vagrant", "machines")))
	for _, a := range []Action{
		HostFile{Folder: h.project, Name: ".vagrant/creator_uid", Was: "1001", Content: "0", Backup: filepath.Join(h.state, "a")},
		HostFile{Folder: h.project, Name: ".vagrant/machines/authorized_keys", Was: "1001", Content: "0", Backup: filepath.Join(h.state, "b")},
		HostFile{Folder: h.project, Name: ".vagrant/machines/new", New: true, Content: "0"},
		HostFile{Folder: h.project, Name: "../" + filepath.Base(filepath.Dir(outside)) + "/authorized_keys", Was: "1001", Remove: true, Backup: filepath.Join(h.state, "c")},
		HostMode{Folder: h.project, Name: ".vagrant/creator_uid", Was: 0o644, Mode: 0o600},
		HostMode{Folder: h.project, Name: ".vagrant/machines/authorized_keys", Was: 0o644, Mode: 0o600},
		HostMove{Folder: h.project, From: ".vagrant/machines/authorized_keys", To: "stolen"},
	} {
		if err := h.do(a); err == nil {
			t.Errorf("done: %s", a)
		}
	}
	data, err := os.ReadFile(outside)
	must(t, err)
	info, err := os.Stat(outside)
	must(t, err)
	if left, _ := os.ReadDir(filepath.Dir(outside)); string(data) != "1001" || info.Mode().Perm() != 0o644 || len(left) != 1 {
		t.Errorf("outside: %q, mode %v, %v", data, info.Mode(), left)
	}
}

func TestHostModeAndMove(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows keeps no such permissions")
	}
	h := newHome(t)
	h.write("private_key", "k", 0o644)
	h.write("old/disk.vdi", "d", 0o644)
	mode := HostMode{Folder: h.project, Name: "private_key", Was: 0o644, Mode: 0o600}
	must(t, h.do(mode))
	must(t, h.do(HostMove{Folder: h.project, From: "old", To: "old.aside"}))
	if err := h.do(mode); !errors.Is(err, errHostChanged) {
		t.Errorf("twice: %v", err)
	}
	h.entries = h.entries[:2]
	h.write("other/x", "x", 0o644)
	if err := h.do(HostMove{Folder: h.project, From: "other", To: "old.aside"}); err == nil {
		t.Error("what was there was overwritten")
	}
	h.entries = h.entries[:2]
	info, err := os.Stat(filepath.Join(h.project, "private_key"))
	must(t, err)
	if info.Mode().Perm() != 0o600 || h.read("old.aside/disk.vdi") != "d" {
		t.Error("not done")
	}
	if got := h.undo(facts.Host{}); got != "planned planned" || h.read("old/disk.vdi") != "d" {
		t.Errorf("undo: %s", got)
	}
	back := h.ofUndo
	if got := h.undo(facts.Host{}); got != "already already" {
		t.Errorf("undo again: %s", got)
	}
	if info, err = os.Stat(filepath.Join(h.project, "private_key")); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	h.entries = back
	if got := h.undo(facts.Host{}); got != "planned planned" || h.read("old.aside/disk.vdi") != "d" {
		t.Errorf("undo of undo: %s", got)
	}
}

// A folder that came to the old place since is not overwritten by undo.
func TestUndoMovesNothingOntoWhatIsThere(t *testing.T) {
	h := newHome(t)
	h.write("vm/old", "o", 0o644)
	must(t, h.do(HostMove{Folder: h.project, From: "vm", To: "vm.aside"}))
	h.write("vm/new", "n", 0o644)
	if got := h.undo(facts.Host{}); got != finding.Skipped || h.read("vm/new") != "n" {
		t.Errorf("undo: %s", got)
	}
}

func TestManageAndItsWayBack(t *testing.T) {
	h := newHome(t)
	d := facts.DHCPServer{Network: "HostInterfaceNetworking-vboxnet0", IP: "10.0.0.2", Mask: "255.255.255.0", Lower: "10.0.0.3", Upper: "10.0.0.254", Enabled: true}
	must(t, h.do(Manage{Name: "remove it", Args: []string{"dhcpserver", "remove", "--netname", d.Network}, Back: AddDHCP(d.Network, DHCPState(d)),
		Change: Change{Kind: KindDHCP, Path: d.Network, Was: DHCPState(d), Left: StateAbsent}}))
	must(t, h.do(Manage{Name: "plug in", Args: CableArgs("u 1", "on"), Back: CableArgs("u 1", "off"), Change: Change{Kind: KindCable, Path: "u 1", Was: "off", Left: "on"}}))
	now := facts.Host{}
	now.Preflight.Lists.DHCP = facts.Known([]facts.DHCPServer{})
	now.Preflight.Project = facts.Known(facts.Project{Records: []facts.Record{{ID: "u", Settings: facts.Known(facts.VMSettings{})}}})
	if got := h.undo(now); got != "planned planned" {
		t.Errorf("undo: %s", got)
	}
	want := []string{"dhcpserver remove --netname HostInterfaceNetworking-vboxnet0", "modifyvm u --cableconnected1 on", "modifyvm u --cableconnected1 off",
		"dhcpserver add --netname HostInterfaceNetworking-vboxnet0 --ip 10.0.0.2 --netmask 255.255.255.0 --lowerip 10.0.0.3 --upperip 10.0.0.254 --enable"}
	if !slices.Equal(h.managed, want) {
		t.Errorf("VBoxManage got\n%s", strings.Join(h.managed, "\n"))
	}
	h.entries = h.entries[:2]
	if got := h.undo(facts.Host{}); got != "skipped skipped" {
		t.Errorf("undo over a VirtualBox that says nothing: %s", got)
	}
	h.target.Manage = nil
	if err := h.do(Manage{Name: "x"}); err == nil {
		t.Error("done without VBoxManage")
	}
}

// A dry run prints what runs: the difference, the command, the call.
func TestHostActionsSayWhatTheyDo(t *testing.T) {
	edit := HostFile{Folder: "/p", Name: "Vagrantfile", Was: "one\ntwo\nthree\n", Content: "one\n2\nthree\n", Backup: "/s/r/V"}
	for _, c := range []struct {
		action Action
		want   []string
	}{
		{edit, []string{"cp -p /p/Vagrantfile /s/r/V", "patch /p/Vagrantfile <<'DIFF'\n@@ -2,1 +2,1 @@\n-two\n+2\nDIFF"}},
		{HostFile{Folder: "/p", Name: "n", New: true, Content: "x\n"}, []string{"patch /p/n <<'DIFF'\n@@ -0,0 +1,1 @@\n+x\nDIFF"}},
		{HostFile{Folder: "/p", Name: "a b", Was: "x", Remove: true, Backup: "/s/x"}, []string{"mv '/p/a b' /s/x"}},
		{HostFile{Folder: "/p", Name: "n", New: true, Content: "long", From: "/p/n-prev"}, []string{"cp /p/n-prev /p/n"}},
		{HostMode{Folder: "/p", Name: "k", Was: 0o644, Mode: 0o600}, []string{"chmod 0600 /p/k"}},
		{HostMove{Folder: "/p", From: "vm", To: "vm.aside"}, []string{"mv /p/vm /p/vm.aside"}},
		{Manage{Args: []string{"modifyvm", "a b"}}, []string{"VBoxManage modifyvm 'a b'"}},
	} {
		for _, want := range c.want {
			if got := c.action.String(); !strings.Contains(got, want) {
				t.Errorf("%q lacks %q", got, want)
			}
		}
		if c.action.Inverse() == "" || c.action.Title() == "" && c.want[0] != "VBoxManage modifyvm 'a b'" {
			t.Errorf("%T: title %q, inverse %q", c.action, c.action.Title(), c.action.Inverse())
		}
	}
	if got := edit.Effects(); !slices.Equal(got, []string{"-two", "+2"}) {
		t.Errorf("effects %q", got)
	}
}
