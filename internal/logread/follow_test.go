package logread

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// followed finds what patterns name on web and follows it.
func followed(t *testing.T, g guest.Runner, f Filter, patterns ...string) (lines func() []string, stop func()) {
	t.Helper()
	found, err := Find(t.Context(), g, patterns, Options{Filter: f, Follow: true, Timeout: time.Minute}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	found.Clock = Clock{} // the same machine's
	sources, _ := found.Sources("web", g, f)
	return following(t, sources, f)
}

// logs are written by an application: each line is a second later than the one before it.
type logs struct {
	t   *testing.T
	dir string
	n   int
}

// add appends a record to a file, and says how it is shown.
func (l *logs) add(name, message string) string {
	l.t.Helper()
	l.n++
	f, err := os.OpenFile(filepath.Join(l.dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(record(day.Add(time.Duration(l.n)*time.Second), "r", "SQL", 4, message))
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return "web " + message
}

func (l *logs) rename(from, to string) {
	l.t.Helper()
	if err := os.Rename(filepath.Join(l.dir, from), filepath.Join(l.dir, to)); err != nil {
		l.t.Fatal(err)
	}
}

// rounds is longer than the guest takes to look for new files a few times.
const rounds = 1500 * time.Millisecond

// TestFollowOfFilesThatComeIntoBeing: the folder is not there at the beginning, files come one after the other and are shown from their
// first byte; files that are renamed or linked, and those that take their names, are shown once.
func TestFollowOfFilesThatComeIntoBeing(t *testing.T) {
	shells(t, func(t *testing.T, g *local) {
		t.Parallel()
		l := &logs{t: t, dir: filepath.Join(t.TempDir(), "app's $(reboot) logs")}
		lines, stop := followed(t, g, Filter{}, l.dir+"/app*")
		defer stop()
		if err := os.Mkdir(l.dir, 0o700); err != nil {
			t.Fatal(err)
		}
		var want []string
		for i := range 12 { // more than the last ten
			want = append(want, l.add("app.log", fmt.Sprint(i)))
		}
		waitFor(t, lines, want...)
		want = append(want, l.add("app-2026-12-01.log", "at midnight"))
		waitFor(t, lines, want...)
		want = append(want, l.add("app.log", "before the rename"))
		l.rename("app.log", "app-old.log")
		want = append(want, l.add("app.log", "after it"))
		waitFor(t, lines, want...)
		l.rename("app-old.log", "app-older.log")
		l.rename("app.log", "app-old.log") // and for a while there is none
		<-time.After(rounds)
		want = append(want, l.add("app.log", "after the second"))
		waitFor(t, lines, want...)
		l.rename("app.log", "app.log.1")
		write(t, filepath.Join(l.dir, "app.log.2"), "a rotated file in the pause of a rotation\n")
		write(t, filepath.Join(l.dir, "app-2026-11-01.log.gz"), "no text\n")
		if err := os.Symlink("app-2026-12-01.log", filepath.Join(l.dir, "app-current.log")); err != nil {
			t.Fatal(err)
		}
		<-time.After(rounds)
		want = append(want, l.add("app.log", "after the third"))
		waitFor(t, lines, want...)
		want = append(want, l.add("app-2026-12-01.log", "by one of two names"))
		waitFor(t, lines, want...)
		<-time.After(rounds)
		waitFor(t, lines, want...)
	})
}

// TestFollowOfNewFilesFilters: the filter counts for new files too.
func TestFollowOfNewFilesFilters(t *testing.T) {
	shells(t, func(t *testing.T, g *local) {
		t.Parallel()
		for _, f := range []Filter{{Grep: "on[e]{1}"}, {Since: day.Add(2 * time.Second)}} {
			l := &logs{t: t, dir: t.TempDir()}
			lines, stop := followed(t, g, f, l.dir+"/*.log")
			defer stop()
			l.add("new.log", "other")
			waitFor(t, lines, append([]string(nil), l.add("new.log", "one"))...)
		}
	})
}

// TestFollowSaysOnceThatThereAreTooMany, and a name that no file has any more makes room for another.
func TestFollowSaysOnceThatThereAreTooMany(t *testing.T) {
	defer goleak.VerifyNone(t)
	g := &local{shell: "/bin/sh", path: os.Getenv("PATH")}
	l := &logs{t: t, dir: t.TempDir()}
	for i := range maxFiles {
		write(t, filepath.Join(l.dir, fmt.Sprint(i)), "")
	}
	lines, stop := followed(t, g, Filter{}, l.dir+"/*")
	defer stop()
	l.add("x", "not followed")
	want := []string{"web: " + l.dir + "/x is not followed: too many log files: at most 7 of one machine are followed at a time"}
	waitFor(t, lines, want...)
	l.add("y", "not followed")
	<-time.After(rounds)
	want = append(want, l.add("0", "one of the seven"))
	waitFor(t, lines, want...)
	if err := os.Remove(filepath.Join(l.dir, "1")); err != nil {
		t.Fatal(err)
	}
	want = append(want, l.add("z", "in its place"))
	waitFor(t, lines, want...)
	l.add("q", "not followed: there was one place")
	<-time.After(rounds)
	waitFor(t, lines, append(want, l.add("z", "goes on"))...)
}

// TestNothingStaysBehindOfAWatch: who waits for files ends with the reader.
func TestNothingStaysBehindOfAWatch(t *testing.T) {
	shells(t, func(t *testing.T, g *local) {
		name := filepath.Join(t.TempDir(), "a-name-that-comes-later.log")
		_, stop := followed(t, g, Filter{}, name)
		if running(name) == 0 {
			t.Error("nothing ran")
		}
		stop()
		for range 100 {
			if running(name) == 0 {
				return
			}
			<-time.After(50 * time.Millisecond)
		}
		t.Errorf("%d processes still wait for the file", running(name))
	})
}

// TestAWatchOfRoot: what only root can read is looked for and read as root; a new file that the login user cannot read is, too.
func TestAWatchOfRoot(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, missing := range []bool{true, false} {
		readAsRoot := make(chan bool, 1)
		g := runner(func(ctx context.Context, c guest.Cmd) (guest.Result, error) {
			switch {
			case !strings.HasPrefix(c.Name, "find"):
				readAsRoot <- c.Sudo && slices.Contains(c.Argv, "begin")
			case c.Sudo && !missing:
				return guest.Result{}, errors.New("no sudo just now")
			case c.Sudo == missing: // the step that goes on
				_, _ = io.WriteString(c.Stdout, "now 1 1\nnone /a\n.\nnow 1 1\nfile - 1 1 1:1 /a\n.\n")
			default:
				_, _ = io.WriteString(c.Stdout, "now 1 1\nnone /a\n.\n")
			}
			_, err := io.Copy(io.Discard, c.Stdin)
			return guest.Result{}, err
		})
		_, stop := followed(t, g, Filter{}, "/a")
		select {
		case yes := <-readAsRoot:
			if !yes {
				t.Errorf("missing %v: the new file was not read as root from its beginning", missing)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("missing %v: the new file was not read", missing)
		}
		stop()
	}
}

// TestAWatchThatEnds: a link that is lost is told at once, while the other machines are followed on; time that is over is no problem.
func TestAWatchThatEnds(t *testing.T) {
	defer goleak.VerifyNone(t)
	for cause, want := range map[error][]string{
		guest.ErrLinkLost: {"web: files that come into being are not seen any more: the connection to the guest was lost"},
		&guest.OutcomeError{Name: "x", Cause: context.DeadlineExceeded}: nil,
	} {
		lost := make(chan struct{})
		g := runner(func(ctx context.Context, c guest.Cmd) (guest.Result, error) {
			if c.Sudo {
				return guest.Result{}, errors.New("no sudo")
			}
			_, _ = io.WriteString(c.Stdout, "now 1 1\nnone /a\n.\n")
			<-lost
			return guest.Result{}, cause
		})
		found, err := Find(t.Context(), g, []string{"/a"}, Options{Follow: true}, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		sources, _ := found.Sources("web", g, Filter{})
		other := write(t, filepath.Join(t.TempDir(), "db.log"), record(day, "r", "SQL", 2, "goes on"))
		lines, stop := following(t, append(sources, Source{Machine: "db", Guest: &local{shell: "/bin/sh", path: os.Getenv("PATH")}, Files: []string{other}}), Filter{})
		waitFor(t, lines, "db goes on")
		close(lost)
		waitFor(t, lines, append([]string{"db goes on"}, want...)...)
		stop()
	}
}

// TestFollowWithAWrongExpression was silent for ever: grep had ended, and nobody looked.
func TestFollowWithAWrongExpression(t *testing.T) {
	shells(t, func(t *testing.T, g *local) {
		o := Options{Filter: Filter{Grep: "("}, Follow: true, Timeout: 10 * time.Second}
		if _, err := Find(t.Context(), g, []string{"/none"}, o, time.Now); !errors.Is(err, ErrExpression) {
			t.Error(err)
		}
	})
}

// TestALostLinkIsSaidPlainly: it said "it is not known whether the step ran", which matters to who changes something only.
func TestALostLinkIsSaidPlainly(t *testing.T) {
	err := explain(&guest.OutcomeError{Name: "read /a", Cause: fmt.Errorf("%w: the guest closed it", guest.ErrLinkLost)}, guest.Result{})
	if err.Error() != guest.ErrLinkLost.Error() {
		t.Error(err)
	}
}

// TestRotatedFilesOfTwoPatternsAreReadOnce: the list has them once for each pattern that matches their log; the second time they were given
// to another log. A link to a log is that log.
func TestRotatedFilesOfTwoPatternsAreReadOnce(t *testing.T) {
	f := parseFound("file r 5 6 1:1 /a\npart r 4 3 1:2 /a.1\nfile r 1 1 1:3 /b\nfile r 5 6 1:1 /a\npart r 4 3 1:2 /a.1\nfile r 5 6 1:1 /link\n", day, day)
	if len(f.Logs) != 2 || len(f.Logs[0].parts) != 1 || len(f.Logs[1].parts) != 0 {
		t.Errorf("%+v", f.Logs)
	}
}

// TestCompressedFilesAreNotFollowed: their bytes are no lines, and nobody writes to them.
func TestCompressedFilesAreNotFollowed(t *testing.T) {
	g := &local{shell: "/bin/sh", path: os.Getenv("PATH")}
	l := &logs{t: t, dir: t.TempDir()}
	zipped(t, filepath.Join(l.dir, "app-2026-11-01.log.gz"), "text\n")
	lines, stop := followed(t, g, Filter{}, l.dir+"/*")
	defer stop()
	waitFor(t, lines, l.add("app.log", "the only line"))
	<-time.After(rounds)
	waitFor(t, lines, "web the only line")
}
