package action

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/guest/guesttest"
)

// closed is a channel that is closed.
func closed() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func every() []Action {
	return []Action{
		Job{Name: "job", Script: "true"},
		PutFile{Path: "/etc/x", Content: "x", Mode: 0o644},
		Upload{Local: "/nowhere", Remote: "/r", Size: 1},
		Reboot{},
	}
}

func TestAfterAStopNothingBegins(t *testing.T) {
	for _, a := range every() {
		b := newBench(guesttest.New(t))
		b.Stop = closed()
		err := Do(t.Context(), b.Target, "fix", a)
		is(t, err, ErrStopped)
		if len(b.journal.entries) > 0 || len(b.said) > 0 {
			t.Errorf("%s: journal %v, progress %v", a.Title(), b.journal.entries, b.said)
		}
	}
}

// TestAfterAnAbortNothingBegins: actions that were never begun were recorded as failed changes.
func TestAfterAnAbortNothingBegins(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, a := range every() {
		b := newBench(guesttest.New(t))
		is(t, Do(ctx, b.Target, "fix", a), ErrStopped, context.Canceled)
		if len(b.journal.entries) > 0 {
			t.Errorf("%s: journal %v", a.Title(), b.journal.entries)
		}
	}
}

func TestAJournalThatRefusesPreventsTheChange(t *testing.T) {
	full := errors.New("no space left on device")
	for _, a := range every() {
		b := newBench(guesttest.New(t))
		b.journal.refuse = func(Entry) error { return full }
		err := Do(t.Context(), b.Target, "fix", a)
		is(t, err, ErrNotRecorded, full)
		has(t, err, a.Title(), "not done, because the journal could not be written")
	}
	b := newBench(guesttest.New(t))
	b.Journal = nil
	is(t, Do(t.Context(), b.Target, "fix", Reboot{}), ErrNotRecorded)
}

// TestTheEndThatCannotBeRecorded is an error, but not one that says nothing was done.
func TestTheEndThatCannotBeRecorded(t *testing.T) {
	b := newBench(guesttest.New(t, guesttest.Step{Name: "write /etc/x", Sudo: true}))
	b.journal.refuse = func(e Entry) error {
		if e.State != "begin" {
			return errors.New("no space left on device")
		}
		return nil
	}
	err := Do(t.Context(), b.Target, "fix", PutFile{Path: "/etc/x", Content: "x"})
	has(t, err, "write /etc/x: it ended, but how could not be written to the journal: no space left on device")
	if errors.Is(err, ErrNotRecorded) || b.journal.states() != "begin" {
		t.Errorf("%v, journal %s", err, b.journal.states())
	}
}

// TestTheJournalComesFirst: when the change is made, its entry with the way back is there.
func TestTheJournalComesFirst(t *testing.T) {
	var b *bench
	put := PutFile{Path: "/etc/yum.conf", Content: "new\n", Mode: 0o644, WasSHA256: sum("old"), Backup: BackupRoot + "/0123/etc/yum.conf"}
	b = newBench(guesttest.New(t, guesttest.Step{Name: "write /etc/yum.conf", Sudo: true, Stdin: "new\n", Do: func(context.Context) {
		if b.journal.states() != "begin" {
			t.Errorf("at the time of the change the journal holds %q", b.journal.states())
		}
	}}))
	must(t, Do(t.Context(), b.Target, "repositories.archive", put))
	if b.journal.states() != "begin done" {
		t.Fatal(b.journal.states())
	}
	first, last := b.journal.entries[0], b.journal.entries[1]
	if first.Text != put.String() || first.Undo != put.Inverse() || first.Run != "0123" || first.Machine != "web" || first.Fix != "repositories.archive" ||
		first.Title != put.Title() || first.Error != "" || !first.Time.Equal(b.now) {
		t.Errorf("%+v", first)
	}
	if last.Text != "" || last.Undo != "" || last.Error != "" || last.Fix != first.Fix || last.Title != first.Title {
		t.Errorf("%+v", last)
	}
}

func TestTheJournalTellsHowItEnded(t *testing.T) {
	put := PutFile{Path: "/etc/x", Content: "x"}
	for want, err := range map[string]error{
		"begin done": nil, "begin failed": errors.New("exit status 9"), "begin unknown": cut("write /etc/x"),
	} {
		b := newBench(guesttest.New(t, guesttest.Step{Name: "write /etc/x", Sudo: true, Err: err}))
		if got := Do(t.Context(), b.Target, "fix", put); got != err {
			t.Errorf("%v, want %v", got, err)
		}
		if b.journal.states() != want {
			t.Errorf("%s, want %s", b.journal.states(), want)
		}
		if last := b.journal.entries[1]; (err == nil) != (last.Error == "") {
			t.Errorf("%+v", last)
		}
	}
}

func TestFileJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "journal", "run.jsonl")
	j, err := NewFileJournal(path)
	must(t, err)
	if _, err := os.Stat(path); err == nil || j.Path() != path {
		t.Errorf("the file is there before the first entry, or at %s", j.Path())
	}
	var writers sync.WaitGroup
	for i := range 20 {
		writers.Go(func() {
			e := Entry{Time: time.Now(), Title: fmt.Sprint(i), Text: "line\nline\x1b[2J", State: "begin"}
			if err := j.Record(e); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	data, err := os.ReadFile(path)
	must(t, err)
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	seen := map[string]bool{}
	for _, line := range lines {
		var e Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Text != "line\nline\x1b[2J" {
			t.Errorf("%v in %q", err, line)
		}
		seen[e.Title] = true
	}
	if len(lines) != 20 || len(seen) != 20 || strings.ContainsRune(string(data), 0x1b) {
		t.Errorf("%d lines, %d entries", len(lines), len(seen))
	}
	for p, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(p); err != nil || (os.PathSeparator == '/' && info.Mode().Perm() != want) {
			t.Errorf("%s: %v %v", p, info, err)
		}
	}
}

func TestFileJournalThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	_, err := NewFileJournal(filepath.Join(file, "below", "run.jsonl"))
	has(t, err, "nothing may be changed")
	j, err := NewFileJournal(filepath.Join(t.TempDir(), "x"))
	must(t, err)
	must(t, os.Mkdir(j.Path(), 0o700)) // a folder where the file should be
	if err := j.Record(Entry{}); err == nil {
		t.Error("recorded in a folder")
	}
}

// TestWhatIsShownIsWhatRuns: quoting survives hostile names, and every action says how to take it back.
func TestWhatIsShownIsWhatRuns(t *testing.T) {
	job := Job{Name: "x", Script: "echo \"$1\"\n", Args: []string{"a b", "it's"}, Lib: "secret library", Undo: "undo it"}
	for _, c := range []struct {
		a           Action
		has, hasNot []string
		undo        string
	}{
		{job, []string{"sudo sh -s -- 'a b' ", "<<'SCRIPT'\n" + LibNote + "\necho \"$1\"\nSCRIPT"}, []string{"secret library"}, "undo it"},
		{Job{Script: "true"}, []string{"sudo sh -s <<'SCRIPT'\ntrue\nSCRIPT"}, []string{"lib.sh", "--"}, ""},
		{PutFile{Path: "/etc/a b", Content: "x\n", Mode: 0o640, WasSHA256: sum("o"), Backup: "/b/a b"},
			[]string{"sudo cp -p '/etc/a b' '/b/a b'\nsudo tee '/etc/a b' <<'FILE'   # mode 0640\nx\nFILE"}, nil, "sudo cp -p '/b/a b' '/etc/a b'"},
		{PutFile{Path: "/etc/new", Content: "x", Mode: 0o600}, []string{"sudo tee /etc/new"}, []string{"cp -p"}, "sudo rm /etc/new"},
		{Upload{Local: "my iso", Remote: "/r/x.iso", SHA256: "ab", Size: 7}, []string{"sftp put 'my iso' /r/x.iso", "7 bytes, sha256 ab"}, nil, "sudo rm -f /r/x.iso"},
		{Reboot{WantKernel: "2.6"}, []string{"reboot", "boot id", "uname -r = 2.6"}, nil, ""},
		{Reboot{}, []string{"reboot"}, []string{"uname"}, ""},
	} {
		text := c.a.String()
		for _, p := range c.has {
			if !strings.Contains(text, p) {
				t.Errorf("no %q in %s", p, text)
			}
		}
		for _, p := range c.hasNot {
			if strings.Contains(text, p) {
				t.Errorf("%q in %s", p, text)
			}
		}
		if c.a.Inverse() != c.undo {
			t.Errorf("%s: undo %q, want %q", c.a.Title(), c.a.Inverse(), c.undo)
		}
	}
}

// TestDefect10Effects: the question hid that locks come off and that a new kernel becomes the default.
func TestDefect10Effects(t *testing.T) {
	script := "wait_idle\nopen_locks /p\nunlock /etc/v.list '0:kernel-devel-1.*'\nlock_again <<'LOCKS_0'\n# comment\n\n0:kernel-devel-2.*\nLOCKS_0\n" +
		"unhold linux-headers\nkeep_unlocked\nrun yum -y install kernel-2\nrun sh -c 'grubby --set-default \"/boot/vmlinuz-$1\"' sh 2\nfor f in x; do\n\trun rm \"$f\"\ndone\n"
	want := `takes locks off in /etc/v.list until it has ended: '0:kernel-devel-1.*'
and writes this list of locks afterwards:
  0:kernel-devel-2.*
takes holds off until it has ended: linux-headers
leaves these locks off afterwards (--keep-unlocked)
runs yum -y install kernel-2
makes the new kernel the default`
	if got := strings.Join(Job{Script: script}.Effects(), "\n"); got != want {
		t.Errorf("%s", got)
	}
	if got := (Job{Script: "helper=$1\nrun ln -s \"$helper\" /sbin/x\n"}).Effects(); len(got) != 0 {
		t.Error(got)
	}
}
