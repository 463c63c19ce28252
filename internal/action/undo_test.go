package action

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/guest/guesttest"
)

var (
	shaOld, shaNew = sum("old"), sum("new")
	onDisk         = func(sha string) string { return "file " + sha + " 644 0:0" }
)

func entry(seq int, title string, changes ...Change) Entry {
	return Entry{Seq: seq, Title: title, State: "begin", Changes: changes}
}

func yumConf() Change {
	return Change{Kind: KindFile, Path: "/etc/yum.conf", Was: "file " + shaOld, Left: "file " + shaNew, Copy: "/b"}
}

// words are the outcomes of a plan with their paths.
func words(steps []UndoStep) string {
	var out []string
	for _, s := range steps {
		out = append(out, strings.TrimSpace(s.Outcome+" "+s.Change.Path))
	}
	return strings.Join(out, "; ")
}

func TestPlanUndo(t *testing.T) {
	put := entry(1, "write /etc/yum.conf", yumConf())
	job := Entry{Seq: 2, Title: "mount", Notes: "/n/2", Changes: append(Names("/data"), Change{Kind: KindMount, Path: "/data"})}
	reboot := Entry{Seq: 3, Title: "reboot", Stays: "the guest was restarted"}
	mounted := []standing{{"mounted data", StateAbsent, "mounted data"}, {"dir", StateAbsent, "dir"}}
	for name, c := range map[string]struct {
		entries []Entry
		states  []standing
		want    string
	}{
		"as boxdoctor left it":                  {[]Entry{put}, []standing{{onDisk(shaNew), "file " + shaOld, "file " + shaNew}}, "planned /etc/yum.conf"},
		"as it was":                             {[]Entry{put}, []standing{{onDisk(shaOld), "file " + shaOld, "file " + shaNew}}, "already /etc/yum.conf"},
		"changed since":                         {[]Entry{put}, []standing{{onDisk(sum("mine")), "file " + shaOld, "file " + shaNew}}, "skipped /etc/yum.conf"},
		"deleted since":                         {[]Entry{put}, []standing{{StateAbsent, "file " + shaOld, "file " + shaNew}}, "skipped /etc/yum.conf"},
		"the mode was changed since":            {[]Entry{put}, []standing{{"file " + shaNew + " 600 0:0", onDisk(shaOld), onDisk(shaNew)}}, "skipped /etc/yum.conf"},
		"the last change first":                 {[]Entry{put, job, reboot}, append(slices.Clone(mounted), standing{onDisk(shaNew), "file " + shaOld, "file " + shaNew}), "stays; planned /data; planned /data; planned /etc/yum.conf"},
		"a mount that went with a restart":      {[]Entry{job}, []standing{{StateAbsent, StateAbsent, "mounted data"}, mounted[1]}, "already /data; planned /data"},
		"another mount: the folder below stays": {[]Entry{job}, []standing{{"mounted other", StateAbsent, "mounted data"}, mounted[1]}, "skipped /data; skipped /data"},
		"a job that did not get so far":         {[]Entry{job}, []standing{{StateAbsent, "", ""}, {StateAbsent, "", ""}}, "skipped /data; skipped /data"},
		"a power cut in the middle":             {[]Entry{job}, []standing{{"mounted data", StateAbsent, ""}, {"dir", StateAbsent, ""}}, "skipped /data; skipped /data"},
		"what cannot be made again":             {[]Entry{put}, []standing{{"link /x", "other", "link /x"}}, "skipped /etc/yum.conf"},
		"one file changed twice": {[]Entry{put, entry(2, "again", Change{Kind: KindFile, Path: "/etc/yum.conf", Was: "file " + shaNew, Left: "file " + sum("newer")})},
			[]standing{{onDisk(sum("newer")), "file " + shaNew, "file " + sum("newer")}, {onDisk(sum("newer")), "file " + shaOld, "file " + shaNew}}, "planned /etc/yum.conf; planned /etc/yum.conf"},
		"one file changed twice, as it was at first": {[]Entry{put, entry(2, "again", Change{Kind: KindFile, Path: "/etc/yum.conf", Was: "file " + shaNew, Left: "file " + sum("newer")})},
			[]standing{{onDisk(shaOld), "file " + shaNew, "file " + sum("newer")}, {onDisk(shaOld), "file " + shaOld, "file " + shaNew}}, "already /etc/yum.conf; already /etc/yum.conf"},
		"a package that was newer":   {[]Entry{entry(1, "install", Packages("x")...)}, []standing{{"package 2", "package 1", "package 2"}}, "stays"},
		"a package that is new":      {[]Entry{entry(1, "install", Packages("x")...)}, []standing{{"package 2", StateAbsent, "package 2"}}, "planned x"},
		"a service somebody stopped": {[]Entry{entry(1, "enable", Service("x")...)}, []standing{{"service on stopped", "service off running", "service on running"}}, "skipped x"},
	} {
		if got := words(PlanUndo(c.entries, Standing{states: c.states})); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestUndoJobs(t *testing.T) {
	steps := []UndoStep{
		{Entry: entry(3, "reboot"), Outcome: finding.Stays},
		{Entry: entry(2, "b"), Change: Change{Kind: KindMount, Path: "/d", Was: StateAbsent, Left: "mounted d"}, Outcome: finding.Planned},
		{Entry: entry(2, "b"), Change: Change{Kind: KindName, Path: "/d", Was: StateAbsent, Left: "dir"}, Outcome: finding.Planned},
		{Entry: entry(1, "a"), Change: yumConf(), Outcome: finding.Planned},
		{Entry: entry(1, "a"), Change: Change{Kind: KindFile, Path: "/x"}, Outcome: finding.Skipped},
	}
	jobs := UndoJobs(steps)
	if len(jobs) != 2 || jobs[0].Seq != 2 || jobs[1].Action.Title() != "undo: a" || len(jobs[0].Action.(Job).Args) != 10 || len(jobs[1].Action.Changes()) != 1 {
		t.Errorf("%+v", jobs)
	}
}

// What a guest answers is only believed where it has the form of an answer.
func TestStand(t *testing.T) {
	e := Entry{Seq: 1, Notes: BackupRoot + "/r/1", Changes: Names("/sbin/mount.vboxsf")}
	look := func(out string) (Standing, error) {
		return Stand(t.Context(), guesttest.New(t, guesttest.Step{Name: "look at what was changed", Sudo: true, Out: out,
			Args: []string{"r", BackupRoot, JobRoot, PendingRoot, KindName, "/sbin/mount.vboxsf", BackupRoot + "/r/1", "1"}}), "r", []Entry{e})
	}
	s, err := look("known r\nnoise\n0 now link /opt/x\n0 was absent\n0 left link /opt/x\n7 now absent\n0 now forged\n")
	must(t, err)
	if !s.Known || s.Pending != "" || s.states[0] != (standing{"link /opt/x", "absent", "link /opt/x"}) {
		t.Errorf("%+v", s)
	}
	if s, err = look("pending /var/lib/boxdoctor/pending/../../x\n0 now absent\n"); err != nil || s.Known || s.Pending != PendingRoot+"/x" {
		t.Errorf("%+v %v", s, err)
	}
	_, err = look("known r\n")
	has(t, err, "the guest said nothing of /sbin/mount.vboxsf")
}

func TestReadRuns(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	at := time.Date(2026, 11, 23, 22, 0, 0, 0, time.UTC)
	j, err := NewFileJournal(filepath.Join(dir, JournalName(at)))
	must(t, err)
	for _, e := range []Entry{
		{Time: at, Run: "r1", Machine: "web", Fix: "snapshot", Snapshot: "s", State: "begin", Project: "/p", UUID: "u"},
		{Time: at, Run: "r1", Machine: "web", Seq: 1, Title: "a", State: "begin", Changes: Files("/x"), Stays: "y"},
		{Time: at, Run: "r1", Machine: "web", Seq: 1, Title: "a", State: "done"},
		{Time: at, Run: "r2", Machine: "db", Seq: 1, Title: "b", State: "begin"},
	} {
		must(t, j.Record(e))
	}
	// Of boxdoctor before undo: no numbers, and only words. The last line is what a power cut left of it.
	write("20250101T000000.000Z.jsonl", `{"run":"r0","machine":"web","title":"a","undo":"sudo x","state":"begin"}`+"\n"+`{"run":"r0","machi`)
	write("20250102T000000.000Z.jsonl", "no journal\n")
	write("20250103T000000.000Z.jsonl", "")
	runs, err := ReadRuns(dir)
	has(t, err, "20250102T000000.000Z.jsonl cannot be read")
	if len(runs) != 2 {
		t.Fatalf("%+v", runs)
	}
	if m := runs[0].Machine("web"); m.Run != "r0" || m.Entries[0].Stays != "sudo x" || m.Entries[0].Seq != 1 {
		t.Errorf("%+v", m)
	}
	r := runs[1]
	if r.ID != "20261123T220000.000Z" || r.Project != "/p" || fmt.Sprint(r.Names()) != "[web db]" || !r.Started.Equal(at) {
		t.Errorf("%+v", r)
	}
	if m := r.Machine("web"); m.Snapshot != "s" || m.UUID != "u" || len(m.Entries) != 1 || len(m.Entries[0].Changes) != 1 {
		t.Errorf("%+v", m)
	}
	if m := r.Machine("other"); len(m.Entries) != 0 {
		t.Errorf("%+v", m)
	}
}
