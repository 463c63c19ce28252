package cmd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/boxdoctor/boxdoctor/internal/demo"
	"github.com/boxdoctor/boxdoctor/internal/demo/memfs"
	"github.com/boxdoctor/boxdoctor/internal/engine"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/host"
)

// treeOf is every file of a guest: type, mode, owner, time of change and content. What runs (/proc, /sys, /dev) and what is
// mounted from the host are no files of the guest.
func treeOf(t *testing.T, g *demo.Guest) map[string]string {
	t.Helper()
	files, out := g.System().FS, map[string]string{}
	mounted := map[string]bool{}
	for _, m := range files.Mounts() {
		mounted[m.Target] = m.Target != "/"
	}
	var walk func(dir string)
	walk = func(dir string) {
		list, err := files.ReadDir(memfs.Root, dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			p := path.Join(dir, e.Name())
			if mounted[p] || slices.Contains([]string{"/proc", "/sys", "/dev"}, p) {
				continue
			}
			what := fmt.Sprintf("%s %d:%d", e.Mode(), e.UID, e.GID)
			switch {
			case e.IsDir():
				walk(p)
			case e.Mode()&fs.ModeSymlink != 0:
				to, _ := files.Readlink(memfs.Root, p)
				what = "link to " + to // nobody sets the time of a link
			default:
				b, _ := files.ReadFile(memfs.Root, p)
				what += fmt.Sprintf(" %s %x", e.ModTime(), sha256.Sum256(b))
			}
			out[p] = what
		}
	}
	walk("/")
	return out
}

// different are the files that are not the same in two trees.
func different(a, b map[string]string) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	var out []string
	for _, p := range slices.Sorted(maps.Keys(all)) {
		if a[p] != b[p] {
			out = append(out, p)
		}
	}
	return out
}

// beyond leaves out what lies below one of the places.
func beyond(paths []string, places ...string) []string {
	return slices.DeleteFunc(paths, func(p string) bool {
		return slices.ContainsFunc(places, func(place string) bool { return p == place || strings.HasPrefix(p, place+"/") })
	})
}

// ourRecords are boxdoctor's own: copies, notes and logs of jobs, by which undo can be undone.
const ourRecords = "/var/lib/boxdoctor"

func bedside(t *testing.T, scene demo.Scene) (*demo.Guest, *trial) {
	t.Helper()
	g, err := demo.Start(t.Context(), scene)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	tr := realTrial(t, g)
	tr.undo = engine.Undo
	tr.env["VAGRANT_CWD"] = scene.Project
	return g, tr
}

// undoOf runs undo with --format json, checks the document against its schema and decodes it.
func (tr *trial) undoOf(t *testing.T, want int, args ...string) finding.UndoReport {
	t.Helper()
	tr.out.Reset()
	tr.run(t, want, append(append([]string{"undo"}, args...), "--format", "json")...)
	var r finding.UndoReport
	if err := json.Unmarshal(tr.undoDocument(t), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func (tr *trial) undoDocument(t *testing.T) []byte {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile("../docs/schema/undo.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(tr.out.Bytes()))
	if err != nil {
		t.Fatalf("%v\n%s", err, tr.out)
	}
	if err := s.Validate(doc); err != nil {
		t.Errorf("%v\n%s", err, tr.out)
	}
	return tr.out.Bytes()
}

func outcomes(r finding.UndoReport) map[string]int {
	out := map[string]int{}
	for _, m := range r.Machines {
		for _, i := range m.Items {
			out[i.Outcome]++
		}
	}
	return out
}

// A repair of which everything can be taken back: afterwards the guest is as it was, to the last byte.
func TestUndoLeavesTheGuestAsItWas(t *testing.T) {
	g, tr := bedside(t, demo.Tangled())
	before := treeOf(t, g)
	tr.reportOf(t, finding.ExitOK, "fix", "--yes")
	changed := beyond(different(before, treeOf(t, g)), ourRecords)
	if !slices.Contains(changed, "/etc/yum.repos.d/CentOS-Base.repo") || !slices.Contains(changed, "/sbin/mount.vboxsf") {
		t.Fatalf("the repair changed only %v", changed)
	}

	repaired := treeOf(t, g)
	plan := tr.undoOf(t, finding.ExitFailed, "--dry-run")
	if n := outcomes(plan); n[finding.Planned] == 0 || n[finding.Skipped] > 0 || !plan.DryRun {
		t.Errorf("the plan has %v", n)
	}
	if d := different(repaired, treeOf(t, g)); len(d) > 0 {
		t.Errorf("the dry run changed %v", d)
	}

	done := tr.undoOf(t, finding.ExitOK, "--yes")
	if n := outcomes(done); n[finding.Undone] != outcomes(plan)[finding.Planned] || n[finding.Skipped]+n[finding.Stays]+n[finding.Failed] > 0 {
		t.Errorf("undo: %v of %v: %s", n, outcomes(plan), tr.out)
	}
	if d := beyond(different(before, treeOf(t, g)), ourRecords); len(d) > 0 {
		t.Errorf("these are not as they were: %v", d)
	}

	again := tr.undoOf(t, finding.ExitOK, "--yes")
	if n := outcomes(again); n[finding.Already] != outcomes(done)[finding.Undone]+outcomes(done)[finding.Already] || len(n) != 1 {
		t.Errorf("the second undo: %v", n)
	}
	tr.reportOf(t, finding.ExitFailed, "check") // it is as sick as before
	tr.reportOf(t, finding.ExitOK, "fix", "--yes")
}

// The founding case: what undo says that it cannot take back is all that is different.
func TestUndoOfTheFoundingCase(t *testing.T) {
	g, tr := bedside(t, demo.Founding())
	before := treeOf(t, g)
	tr.reportOf(t, finding.ExitOK, "fix", "--yes")
	r := tr.undoOf(t, finding.ExitOK, "--yes")
	n := outcomes(r)
	if n[finding.Undone] == 0 || n[finding.Stays] == 0 || n[finding.Skipped]+n[finding.Failed]+n[finding.Planned] > 0 {
		t.Errorf("%v: %s", n, tr.out)
	}
	said := tr.out.String()
	for _, words := range []string{"the packages stay", "Guest Additions 4.3.6 again", "the guest was restarted"} {
		if !strings.Contains(said, words) {
			t.Errorf("undo does not say %q: %s", words, said)
		}
	}
	// The kernel packages, the Guest Additions and their modules, and the logs of all that.
	stays := []string{ourRecords, "/boot", "/lib/modules", "/lib/firmware", "/usr/src", "/var/lib/rpm", "/var/lib/yum", "/var/cache/yum", "/var/log", "/var/run", "/etc/mtab",
		"/opt", "/var/lib/VBoxGuestAdditions", "/usr/bin", "/usr/sbin", "/sbin", "/etc/init.d", "/etc/rc.d", "/usr/lib", "/tmp"}
	if d := beyond(different(before, treeOf(t, g)), stays...); len(d) > 0 {
		t.Errorf("these are not as they were, and nothing says so: %v", d)
	}
	for _, p := range []string{"/etc/yum/pluginconf.d/versionlock.list", "/etc/yum.repos.d/CentOS-Base.repo"} {
		if after := treeOf(t, g)[p]; after != before[p] {
			t.Errorf("%s: %s, was %s", p, after, before[p])
		}
	}
}

// What somebody changed since is left alone and said; the rest goes back.
func TestUndoLeavesAloneWhatWasChangedSince(t *testing.T) {
	g, tr := bedside(t, demo.Tangled())
	tr.reportOf(t, finding.ExitOK, "fix", "--yes")
	mine := "echo '# mine' >>/etc/yum.repos.d/CentOS-Base.repo"
	if out, code := g.Run(t.Context(), mine); code != 0 {
		t.Fatal(out)
	}
	edited := treeOf(t, g)["/etc/yum.repos.d/CentOS-Base.repo"]
	r := tr.undoOf(t, finding.ExitFailed, "--yes")
	if n := outcomes(r); n[finding.Skipped] != 1 || n[finding.Undone] == 0 {
		t.Errorf("%v: %s", n, tr.out)
	}
	if !strings.Contains(tr.out.String(), "it was changed since: boxdoctor left a file with sha256") {
		t.Errorf("it is not said: %s", tr.out)
	}
	if after := treeOf(t, g)["/etc/yum.repos.d/CentOS-Base.repo"]; after != edited {
		t.Errorf("the edited file is %s, was %s", after, edited)
	}
}

// A share that is in use cannot be unmounted: that is said, the folder below it stays, and the rest goes back.
func TestUndoOfABusyMount(t *testing.T) {
	g, tr := bedside(t, demo.Tangled())
	tr.reportOf(t, finding.ExitOK, "fix", "--yes")
	if out, code := g.Run(t.Context(), "mkdir /home/rc/inner && mount -t tmpfs none /home/rc/inner"); code != 0 {
		t.Fatal(out)
	}
	r := tr.undoOf(t, finding.ExitUnverified, "--yes")
	if n := outcomes(r); n[finding.Failed] == 0 || n[finding.Undone] != 2 {
		t.Errorf("%v: %s", n, tr.out)
	}
	if !strings.Contains(tr.out.String(), "device is busy") {
		t.Errorf("it is not said why: %s", tr.out)
	}
	if out, code := g.Run(t.Context(), "umount /home/rc/inner && rmdir /home/rc/inner"); code != 0 {
		t.Fatal(out)
	}
	tr.undoOf(t, finding.ExitOK, "--yes") // once it is free
}

// Another guest of the same name has no trace of the run: nothing is changed there.
func TestUndoInAnotherGuest(t *testing.T) {
	_, tr := bedside(t, demo.Tangled())
	tr.reportOf(t, finding.ExitOK, "fix", "--yes")
	other, err := demo.Start(t.Context(), demo.Tangled())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	tr.observe = func(context.Context, host.Options) (host.Inventory, error) {
		return host.Inventory{Host: other.Host(), Machines: []host.Machine{{Facts: other.Machine(), Host: other.Host(), SSH: other.SSH()}}}, nil
	}
	before := treeOf(t, other)
	r := tr.undoOf(t, finding.ExitUnexamined, "--yes")
	if !strings.Contains(r.Machines[0].Problem, "no trace of that run") {
		t.Errorf("%+v", r.Machines[0])
	}
	if d := different(before, treeOf(t, other)); len(d) > 0 {
		t.Errorf("the other guest was changed: %v", d)
	}
}

func TestUndoOfAnUnreachableMachine(t *testing.T) {
	g, tr := bedside(t, demo.Tangled())
	tr.reportOf(t, finding.ExitOK, "fix", "--yes")
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	r := tr.undoOf(t, finding.ExitUnexamined, "--yes")
	if m := r.Machines[0]; m.Reachable || m.Problem == "" {
		t.Errorf("%+v", m)
	}
}

func TestUndoList(t *testing.T) {
	_, tr := bedside(t, demo.Tangled())
	tr.out.Reset()
	tr.run(t, finding.ExitOK, "undo", "--list", "--format", "json")
	tr.undoDocument(t)
	tr.run(t, finding.ExitUsage, "undo", "--yes")
	tr.wantErr(t, "there is nothing to take back")
	tr.reportOf(t, finding.ExitOK, "fix", "--yes")
	tr.undoOf(t, finding.ExitOK, "--yes")
	tr.out.Reset()
	tr.run(t, finding.ExitOK, "undo", "--list", "--format", "json")
	var list struct {
		Runs []listedRun `json:"runs"`
	}
	if err := json.Unmarshal(tr.undoDocument(t), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Runs) != 2 || list.Runs[0].Undoes != list.Runs[1].Run || list.Runs[1].UndoneBy != list.Runs[0].Run || list.Runs[1].Changes != 3 {
		t.Errorf("%+v", list.Runs)
	}
	tr.run(t, finding.ExitUsage, "undo", "1999")
	tr.wantErr(t, `no journal of a run begins with "1999"`)
	tr.run(t, finding.ExitUsage, "undo", "20")
	tr.wantErr(t, `2 runs begin with "20"`)
	// The run that took the other one back can be taken back itself.
	redo := tr.undoOf(t, finding.ExitFailed, list.Runs[0].Run, "--yes")
	if n := outcomes(redo); n[finding.Undone] != 3 || n[finding.Skipped] != 1 { // the mount is for fix to make
		t.Errorf("%v: %s", n, tr.out)
	}
}

// TestAnInterruptedUndo: after Ctrl-C nothing new is begun, what is left is said, and the same command goes on.
func TestAnInterruptedUndo(t *testing.T) {
	g, tr := bedside(t, demo.Tangled())
	before := treeOf(t, g)
	tr.reportOf(t, finding.ExitOK, "fix", "--yes")
	repaired := treeOf(t, g)
	undo := tr.undo
	tr.undo = func(ctx context.Context, ms []engine.Machine, notes []string, o engine.UndoOptions) finding.UndoReport {
		tr.signals <- os.Interrupt
		<-o.Stop
		return undo(ctx, ms, notes, o)
	}
	r := tr.undoOf(t, finding.ExitInterrupted, "--yes")
	if n := outcomes(r); n[finding.Planned] == 0 || n[finding.Undone]+n[finding.Failed] > 0 || !strings.Contains(r.Machines[0].Problem, "nothing of it was changed") {
		t.Errorf("%v: %s", n, tr.out)
	}
	if d := beyond(different(repaired, treeOf(t, g)), ourRecords); len(d) > 0 {
		t.Errorf("the interrupted undo changed %v", d)
	}
	tr.undo = undo
	tr.undoOf(t, finding.ExitOK, "--yes")
	if d := beyond(different(before, treeOf(t, g)), ourRecords); len(d) > 0 {
		t.Errorf("these are not as they were: %v", d)
	}
}

// TestUndoAfterAPowerCut: a guest that was switched off since still has copies and notes, and its share is not mounted.
func TestUndoAfterAPowerCut(t *testing.T) {
	g, tr := bedside(t, demo.Tangled())
	before := treeOf(t, g)
	tr.reportOf(t, finding.ExitOK, "fix", "--yes")
	g.PowerCut()
	tr.undoOf(t, finding.ExitOK, "--yes")
	if d := beyond(different(before, treeOf(t, g)), ourRecords, "/var/log", "/var/run", "/etc/mtab"); len(d) > 0 {
		t.Errorf("these are not as they were: %v", d)
	}
}
