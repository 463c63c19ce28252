//go:build linux

package provision

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/engine"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// recorded is a journal as `boxdoctor undo` reads it.
func (j *entries) recorded(t *testing.T) action.Recorded {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, action.JournalName(time.Now())))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range j.all {
		if err := json.NewEncoder(f).Encode(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	runs, err := action.ReadRuns(dir)
	if err != nil || len(runs) != 1 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	return runs[0]
}

// undo takes a run back and returns its outcomes by path or title.
func (g *rooted) undo(t *testing.T, run action.Recorded, packages bool) (finding.UndoReport, map[string]string) {
	t.Helper()
	m := engine.Machine{Facts: facts.Machine{Name: "web"}, Dial: g.machine("web").Dial}
	r := engine.Undo(t.Context(), []engine.Machine{m}, nil, engine.UndoOptions{Options: engine.Options{Version: "test", Parallel: 1, Now: time.Now}, Run: run, Journal: &entries{}, Packages: packages})
	out := map[string]string{}
	for _, i := range r.Machines[0].Items {
		out[strings.TrimSpace(i.Kind+" "+i.Path+map[bool]string{true: i.Title}[i.Kind == ""])] = i.Outcome
	}
	return r, out
}

// guestState is what undo has to bring back, and nothing of boxdoctor's own.
func guestState(g *rooted) string {
	var b strings.Builder
	for _, p := range []string{"/etc/b", "/etc/gone", "/srv/data/a", "/units/web", "/packages/nonesuch", "/sysctls/vm.swappiness"} {
		mode := "-"
		if info, err := os.Stat(g.root + p); err == nil {
			mode = info.Mode().String()
		}
		b.WriteString(p + " " + mode + " " + g.read(p) + "\n")
	}
	info, err := os.Stat(g.root + "/srv/kept")
	if err != nil {
		return err.Error()
	}
	_, gone := os.Stat(g.root + "/srv/data")
	b.WriteString(info.Mode().String() + " " + map[bool]string{true: "data gone"}[os.IsNotExist(gone)])
	return b.String()
}

// TestUndoTakesAProvisioningRunBack: files byte for byte, modes, folders, services and parameters of the kernel; packages
// only when they are asked for; users stay and are said; a second undo has nothing to do.
func TestUndoTakesAProvisioningRunBack(t *testing.T) {
	g := newRooted(t)
	g.write("/etc/b", "old\nno newline at the end")
	g.write("/etc/gone", "was here\n")
	g.write("/units/web", unit)
	g.write("/sysctls/vm.swappiness", "60\n")
	g.write("/etc/sysctl.d/README", "")
	g.write("/srv/kept/x", "")
	if err := os.Chmod(g.root+"/etc/b", 0o600); err != nil {
		t.Fatal(err)
	}
	before := guestState(g)
	rs := append(site(), FileResource{Path: "/etc/gone", State: Absent}, DirectoryResource{Path: "/srv/kept", Mode: 0o700}, SysctlResource{"vm.swappiness", "10"})
	o, j := options()
	if r := perform(t, []Machine{g.machine("web", rs...)}, o); r.ExitCode != finding.ExitOK {
		t.Fatalf("exit %d, %s, %s", r.ExitCode, results(r.Machines[0]), said(r.Machines[0]))
	}
	run := j.recorded(t)
	r, out := g.undo(t, run, false)
	if r.ExitCode != finding.ExitOK || r.Machines[0].Problem != "" {
		t.Errorf("exit %d, %+v", r.ExitCode, r.Machines[0])
	}
	for what, want := range map[string]string{
		"file /etc/b": finding.Undone, "file /etc/gone": finding.Undone, "file /srv/data/a": finding.Undone, "name /srv/data": finding.Undone,
		"mode /srv/kept": finding.Undone, "service web": finding.Undone, "sysctl vm.swappiness": finding.Undone,
		"install nonesuch": finding.Stays, "make the user bob": finding.Stays, "run seed": finding.Stays,
	} {
		if out[what] != want {
			t.Errorf("%s: %q, want %s", what, out[what], want)
		}
	}
	if got := strings.Replace(guestState(g), "/packages/nonesuch -rw-r--r-- 1.0-1\n", "/packages/nonesuch - (none)", 1); got != before {
		t.Errorf("after undo:\n%s\nbefore the run:\n%s", got, before)
	}
	if r, out = g.undo(t, run, true); r.ExitCode != finding.ExitOK || out["package nonesuch"] != finding.Undone || out["file /etc/b"] != finding.Already || g.read("/packages/nonesuch") != "(none)" {
		t.Errorf("with packages: exit %d, %v", r.ExitCode, out)
	}
	if r, _ = g.undo(t, run, true); r.ExitCode != finding.ExitOK || guestState(g) != before {
		t.Errorf("the second undo: exit %d\n%s", r.ExitCode, guestState(g))
	}
}

// TestUndoLeavesWhatOthersChangedOrNeed: a file that somebody edited since and a package that another one needs stay as
// they are, and the rest goes back all the same.
func TestUndoLeavesWhatOthersChangedOrNeed(t *testing.T) {
	g := newRooted(t)
	g.write("/etc/a", "old a\n")
	g.write("/etc/b", "old b\n")
	o, j := options()
	perform(t, []Machine{g.machine("web", PackageResource{Name: "nonesuch", State: Present}, file("/etc/a", "new a\n"), file("/etc/b", "new b\n"))}, o)
	g.write("/etc/b", "mine\n")
	g.write("/packages/nonesuch.needed", "")
	r, out := g.undo(t, j.recorded(t), true)
	if out["file /etc/b"] != finding.Skipped || out["file /etc/a"] != finding.Undone || out["package nonesuch"] != finding.Failed || r.ExitCode != finding.ExitUnverified {
		t.Errorf("exit %d, %v", r.ExitCode, out)
	}
	if g.read("/etc/a")+g.read("/etc/b") != "old a\nmine\n" || g.read("/packages/nonesuch") == "(none)" {
		t.Error("not as it should be")
	}
	for _, i := range r.Machines[0].Items {
		if i.Kind == action.KindPackage && !strings.Contains(i.Message, "dependency problems prevent removal of nonesuch") {
			t.Errorf("the reason is missing: %s", i.Message)
		}
	}
}
