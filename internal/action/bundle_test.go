//go:build unix

package action

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/guest/guesttest"
)

// bundle runs steps as one job of run 0123 and returns how it ended and its log.
func (b box) bundle(t *testing.T, id string, steps ...Step) (head, log string) {
	t.Helper()
	j := (&Target{RunID: "0123"}).bundleJob(steps, 1)
	j.Script = strings.ReplaceAll(j.Script, BackupRoot, filepath.Join(b.dir, "backup"))
	text := strings.ReplaceAll(jobScript(j, "0123", ""), dropRoot, b.dir)
	if out, code := b.sh(t, "", text, b.jobDir(id)); code != 0 || out != "" {
		t.Fatalf("start: exit status %d: %s", code, out)
	}
	return b.finish(t, id)
}

func brief(name, script string, args ...string) Step {
	return Step{"x", Job{Name: name, Script: "set -eu\n" + script + "\n", Args: args, Brief: true}}
}

// TestBundledStepsAreAsAlone: contents and arguments arrive byte for byte, a step sees neither the options nor the input
// of its neighbours, copies are made before the change, and the first failure ends the job and is named.
func TestBundledStepsAreAsAlone(t *testing.T) {
	shells(t, func(t *testing.T, b box) {
		odd := "it's $HOME `id`\n\\n\ttab %s\n\nno last newline"
		old, fresh := b.write(t, "old", "was\n", 0o640), filepath.Join(b.dir, "fresh")
		chmod := brief("set mode", `chmod "$2" "$1"`, old, "0600")
		j := chmod.Action.(Job)
		j.Changed = Files(old)
		chmod.Action = j
		head, log := b.bundle(t, "0123-4",
			Step{"x", PutFile{Path: fresh, Mode: 0o644, Content: odd}},
			Step{"x", PutFile{Path: old, Mode: 0o640, Content: "is\n", WasSHA256: sum("was\n"), Backup: filepath.Join(b.dir, "copy")}},
			brief("loose", `cd /; set +e; false; umask 077; cat; printf '<%s>' "$@"`, "a b", "$(touch evil)", ""),
			chmod,
			brief("umask", `umask; echo last words >&2; exit 7`),
			brief("never", `touch "$1"`, filepath.Join(b.dir, "never")))
		if head != "done 7" || b.read(t, "fresh") != odd || b.read(t, "old") != "is\n" || b.read(t, "copy") != "was\n" || b.read(t, "evil")+b.read(t, "never") != "" {
			t.Errorf("%q %q %q", head, log, b.read(t, "fresh"))
		}
		if !strings.Contains(log, "+ loose\n<a b><$(touch evil)><>+ set mode\n") || !strings.HasSuffix(log, "22\nlast words\nboxdoctor: step 5 ended with status 7\n") {
			t.Error(log)
		}
		if was, left := b.read(t, "backup/0123/4/was"), b.read(t, "backup/0123/4/left"); !strings.Contains(was, " 640 ") || !strings.Contains(left, " 600 ") {
			t.Errorf("notes: %q, %q", was, left)
		}
	})
}

// TestEveryChangeOfABundleIsInTheJournalFirst: all are recorded before the job starts; how each ended stands there, too.
func TestEveryChangeOfABundleIsInTheJournalFirst(t *testing.T) {
	steps := []Step{brief("one", "true"), brief("two", "false"), brief("three", "true")}
	for _, c := range []struct {
		log, states string
		made        int
		unknown     bool
	}{
		{"done 0\n+ one\n+ two\n+ three\n", "begin begin begin done done done", 3, false},
		{"done 1\n+ one\n+ two\nno\nboxdoctor: step 2 ended with status 1\n", "begin begin begin done failed not begun", 1, false},
		{"done 137\n+ one\n+ tw", "begin begin begin unknown unknown unknown", 0, true},
		{"gone\n+ one\n", "begin begin begin unknown unknown unknown", 0, true},
	} {
		var b *bench
		start := guesttest.Step{Name: "start make 3 changes", Sudo: true, Has: []string{"prepare 1 ", "step 3 three"}}
		b = newBench(guesttest.New(t, start, guesttest.Step{Name: "look at make 3 changes", Sudo: true, Out: c.log}))
		made, err := DoAll(t.Context(), b.Target, steps)
		if made != c.made || errors.Is(err, guest.ErrUnknownOutcome) != c.unknown || b.journal.states() != c.states {
			t.Errorf("%q: %d made, %v, %s", c.log, made, err, b.journal.states())
		}
		var job *JobError
		if c.made == 1 && (!errors.As(err, &job) || job.Name != "two" || job.Tail != "no") {
			t.Errorf("%v", err)
		}
	}
}

// TestWhatABundleLeavesOut: long jobs, secrets and texts that no shell can hold go alone; a stop begins nothing.
func TestWhatABundleLeavesOut(t *testing.T) {
	long, secret := Step{"x", Job{Name: "long", Script: "x"}}, Step{"x", PutFile{Path: "/s", Secret: true}}
	small := brief("small", "true")
	for want, steps := range map[int][]Step{
		0: {long, small}, 1: {small, secret}, 2: {small, small, {"x", PutFile{Path: "/n", Content: "\x00"}}},
		3: {small, small, {"x", PutFile{Path: "/f", Content: "x"}}, {"x", PutFile{Path: "/b", Content: strings.Repeat("x", bundledFile+1)}}},
	} {
		if got := bundled(steps); got != want {
			t.Errorf("%d of %d steps go together, want %d", got, len(steps), want)
		}
	}
	many := make([]Step, 3*bundleSteps)
	for i := range many {
		many[i] = small
	}
	if got := bundled(many); got != bundleSteps {
		t.Errorf("%d steps in one job", got)
	}
	b := newBench(guesttest.New(t))
	stop := make(chan struct{})
	close(stop)
	b.Stop = stop
	if n, err := DoAll(t.Context(), b.Target, many); n != 0 || !errors.Is(err, ErrStopped) || b.journal.states() != "" {
		t.Errorf("%d, %v, %s", n, err, b.journal.states())
	}
}

// TestAJournalThatRefusesStopsTheWholeBundle: nothing of it is made when not all of it is recorded.
func TestAJournalThatRefusesStopsTheWholeBundle(t *testing.T) {
	b := newBench(guesttest.New(t))
	b.journal.refuse = func(e Entry) error {
		if e.Title == "two" {
			return errors.New("disk full")
		}
		return nil
	}
	n, err := DoAll(t.Context(), b.Target, []Step{brief("one", "true"), brief("two", "true")})
	is(t, err, ErrNotRecorded)
	if n != 0 || b.journal.states() != "begin not begun" {
		t.Errorf("%d, %s", n, b.journal.states())
	}
	r := Recorded{}
	for _, e := range b.journal.entries {
		r.add(e)
	}
	if len(r.Machines) != 1 || len(r.Machines[0].Entries) != 0 {
		t.Errorf("undo would take back what was never begun: %+v", r)
	}
}
