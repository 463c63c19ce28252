package logread

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/logline"
)

// day is when the synthetic logs of these tests were written.
var day = time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)

// record is one line of the log format.
func record(at time.Time, request, typ string, level logline.Severity, message string) string {
	r := logline.Record{Time: at, PID: 7, RequestID: request, Type: typ, Level: level, Message: message}
	b, err := r.Append(nil)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// sample is a log with everything that filters can tell apart.
func sample() string {
	return "a line before the first record\n" +
		record(day, "r1", "HTTP", 2, "begins") +
		record(day.Add(time.Second), "r2", "SQL", 1, "x | y") +
		record(day.Add(2*time.Second), "r1", "RUNTIME", 4, "broken $(reboot) 'q'") + "\tat one\n\tat two\n" +
		strings.Replace(record(day.Add(3*time.Second), "r11", "REST", 3, "slow"), "09:30:03.000Z", "11:30:03.000+02:00", 1) +
		record(day.Add(4*time.Second), "r1", "SQL", 2, "done")
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// texts reads sources and gives "MACHINE TEXT" of each line, the message of records only.
func texts(t *testing.T, sources []Source, o Options) []string {
	t.Helper()
	o.Timeout = time.Minute
	var out []string
	problems, err := Read(t.Context(), sources, o, func(e Entry) error {
		out = append(out, short(e))
		return nil
	})
	if err != nil || len(problems) > 0 {
		t.Errorf("problems %v, error %v", problems, err)
	}
	return out
}

func short(e Entry) string {
	var l logline.Line
	if e.Continues || l.Parse(e.Text) != nil {
		return e.Machine + " ~ " + string(e.Text)
	}
	return e.Machine + " " + string(l.Get(logline.Message))
}

func TestFilters(t *testing.T) {
	defer goleak.VerifyNone(t)
	trace := []string{"web broken $(reboot) 'q'", "web ~ \tat one", "web ~ \tat two"}
	all := slices.Concat([]string{"web ~ a line before the first record", "web begins", "web x | y"}, trace, []string{"web slow", "web done"})
	tests := []struct {
		name   string
		filter Filter
		want   []string
	}{
		{"nothing asked", Filter{}, all},
		{"level", Filter{Level: 3}, slices.Concat(trace, []string{"web slow"})},
		{"type", Filter{Type: "SQL"}, []string{"web x | y", "web done"}},
		{"request, and not the one that begins like it", Filter{RequestID: "r1"}, slices.Concat([]string{"web begins"}, trace, []string{"web done"})},
		{"since, with a zone", Filter{Since: day.Add(3 * time.Second)}, []string{"web slow", "web done"}},
		{"expression in a later line brings the record", Filter{Grep: "at tw[o]$"}, trace},
		{"expression as old awks do not know it", Filter{Grep: "x{1}( [|]) y"}, []string{"web x | y"}},
		{"expression before the first record", Filter{Grep: "^a line"}, all[:1]},
		{"expression and request", Filter{Grep: "two|begins|slow", RequestID: "r1"}, slices.Concat([]string{"web begins"}, trace)},
		{"expression that a shell would run", Filter{Grep: `\$\(reboot\) 'q`}, trace},
		{"none", Filter{RequestID: "r9"}, nil},
	}
	shells(t, func(t *testing.T, g *local) {
		name := write(t, filepath.Join(t.TempDir(), "app's $(log).log"), sample())
		for _, tt := range tests {
			got := texts(t, []Source{{Machine: "web", Guest: g, Files: []string{name}}}, Options{Filter: tt.filter})
			if !slices.Equal(got, tt.want) {
				t.Errorf("%s:\ngot  %q\nwant %q", tt.name, got, tt.want)
			}
		}
	})
}

// TestSinceSeeks: of a long log only the end is looked at, and no record is lost at the place where that begins.
func TestSinceSeeks(t *testing.T) {
	shells(t, func(t *testing.T, g *local) {
		var b strings.Builder
		const n = 20000
		for i := range n {
			b.WriteString(record(day.Add(time.Duration(i)*time.Second), "r", "SQL", 2, fmt.Sprint(i)))
		}
		name := write(t, filepath.Join(t.TempDir(), "app.log"), b.String())
		for _, from := range []int{0, 1, n / 3, n - 1} {
			got := texts(t, []Source{{Machine: "web", Guest: g, Files: []string{name}}}, Options{Filter: Filter{Since: day.Add(time.Duration(from) * time.Second)}})
			if len(got) != n-from || got[0] != fmt.Sprintf("web %d", from) {
				t.Errorf("from %d: %d records, expected %d", from, len(got), n-from)
			}
		}
	})
}

// TestRotatedFiles: with --since the rotated files are read as far back as that reaches, the compressed ones too.
func TestRotatedFiles(t *testing.T) {
	shells(t, func(t *testing.T, g *local) {
		dir := t.TempDir()
		age := func(name string, at time.Time) {
			if err := os.Chtimes(name, at, at); err != nil {
				t.Fatal(err)
			}
		}
		base := filepath.Join(dir, "app.log")
		age(write(t, base, record(day.Add(3*time.Hour), "r", "SQL", 2, "now")), day.Add(3*time.Hour))
		age(write(t, base+".1", strings.TrimSuffix(record(day.Add(2*time.Hour), "r", "SQL", 2, "one"), "\n")), day.Add(2*time.Hour))
		age(zipped(t, base+".2.gz", record(day.Add(time.Hour), "r", "SQL", 2, "two")), day.Add(time.Hour))
		age(write(t, base+".3.xz", "no text"), day.Add(time.Hour))
		age(write(t, base+".4", record(day, "r", "SQL", 2, "too old")), day)
		o := Options{Filter: Filter{Since: day.Add(30 * time.Minute)}, Timeout: time.Minute}
		found, err := Find(t.Context(), g, []string{filepath.Join(dir, "app.log*")}, o, time.Now)
		if err != nil || len(found.Logs) != 1 || found.Clock.Known() {
			t.Fatalf("%+v, %v", found, err)
		}
		found.Clock = Clock{} // the same machine's
		sources, skipped := found.Sources("web", g, o.Filter)
		if len(skipped) != 1 || !strings.HasSuffix(skipped[0], ".xz") || len(sources) != 1 || sources[0].session == nil {
			t.Errorf("skipped %v, sources %v", skipped, sources)
		}
		got := texts(t, sources, o)
		if want := []string{"web two", "web one", "web now"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if files, _ := found.Logs[0].Paths(time.Time{}); !slices.Equal(files, []string{base}) {
			t.Errorf("without --since: %v", files)
		}
	})
}

func zipped(t *testing.T, name, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return write(t, name, b.String())
}

// TestMerge: the lines of all machines stand in the order of time, a wrong clock is set right, and the lines of a stack trace stay
// with their record.
func TestMerge(t *testing.T) {
	defer goleak.VerifyNone(t)
	g := &local{shell: "/bin/sh", path: os.Getenv("PATH")}
	dir := t.TempDir()
	at := func(s int) time.Time { return day.Add(time.Duration(s) * time.Second) }
	web := write(t, filepath.Join(dir, "web"), record(at(1), "r", "SQL", 2, "1")+record(at(4), "r", "SQL", 4, "4")+"\ttrace\n"+record(at(3), "r", "SQL", 2, "late")+record(at(6), "r", "SQL", 2, "6"))
	db := write(t, filepath.Join(dir, "db"), record(at(2), "r", "SQL", 2, "2")+record(at(4), "r", "SQL", 2, "4"))
	ahead := write(t, filepath.Join(dir, "ahead"), record(at(105), "r", "SQL", 2, "5"))
	got := texts(t, []Source{
		{Machine: "web", Guest: g, Files: []string{web}}, {Machine: "db", Guest: g, Files: []string{db}},
		{Machine: "ahead", Guest: g, Files: []string{ahead}, Clock: Clock{Skew: 100 * time.Second, Slack: time.Second}},
	}, Options{})
	want := []string{"web 1", "db 2", "web 4", "web ~ \ttrace", "web late", "db 4", "ahead 5", "web 6"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestManyMatchesAreNotLost: the lines of a log whose reading has ended in the guest wait there until they are taken, for longer than
// a transport waits for output after the end.
func TestManyMatchesAreNotLost(t *testing.T) {
	g := &local{shell: "/bin/sh", path: os.Getenv("PATH")}
	var b strings.Builder
	const n = 30000
	for i := range n {
		b.WriteString(record(day.Add(time.Duration(i)*time.Millisecond), "r", "SQL", 2, "m"))
	}
	name := write(t, filepath.Join(t.TempDir(), "app.log"), b.String())
	count := 0
	problems, err := Read(t.Context(), []Source{{Machine: "web", Guest: g, Files: []string{name}}}, Options{Timeout: time.Minute}, func(Entry) error {
		if count++; count == 10 {
			<-time.After(3 * time.Second)
		}
		return nil
	})
	if err != nil || len(problems) > 0 || count != n {
		t.Errorf("%d of %d lines, %v, %v", count, n, problems, err)
	}
}

func TestProblems(t *testing.T) {
	defer goleak.VerifyNone(t)
	g := &local{shell: "/bin/sh", path: os.Getenv("PATH")}
	name := write(t, filepath.Join(t.TempDir(), "app.log"), sample())
	read := func(s Source, f Filter) string {
		problems, err := Read(t.Context(), []Source{s}, Options{Filter: f, Timeout: time.Minute}, func(Entry) error { return nil })
		return fmt.Sprint(problems, err)
	}
	if got := read(Source{Machine: "web", Guest: g, Files: []string{name + ".none"}}, Filter{}); !strings.Contains(got, "app.log.none cannot be read") {
		t.Error(got)
	}
	if got := read(Source{Machine: "web", Guest: g, Files: []string{name}}, Filter{Grep: "("}); !strings.Contains(got, "does not take this expression: grep: ") {
		t.Error(got)
	}
	cut := runner(func(_ context.Context, c guest.Cmd) (guest.Result, error) {
		_, _ = io.WriteString(c.Stdout, "R"+record(day, "r", "SQL", 2, "m"))
		return guest.Result{}, nil
	})
	if got := read(Source{Machine: "web", Guest: cut, Files: []string{name}}, Filter{}); !strings.Contains(got, "stopped before the end") {
		t.Error(got)
	}
	for follow, want := range map[bool]string{false: "1ns were not enough; --timeout gives it more", true: "[] <nil>"} {
		problems, err := Read(t.Context(), []Source{{Machine: "web", Guest: g, Files: []string{name}}}, Options{Follow: follow, Timeout: 1}, func(Entry) error { return nil })
		if got := fmt.Sprint(problems, err); !strings.Contains(got, want) {
			t.Errorf("follow %v: %s", follow, got)
		}
	}
	boom := errors.New("disk full")
	if _, err := Read(t.Context(), []Source{{Machine: "web", Guest: g, Files: []string{name}}}, Options{Timeout: time.Minute}, func(Entry) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("an error of emit became %v", err)
	}
}

type runner func(context.Context, guest.Cmd) (guest.Result, error)

// Run is the function.
func (r runner) Run(ctx context.Context, c guest.Cmd) (guest.Result, error) { return r(ctx, c) }

// TestAHostileGuest writes what the protocol has not, goes on after the end, and claims what is no record to be one.
func TestAHostileGuest(t *testing.T) {
	defer goleak.VerifyNone(t)
	evil := runner(func(ctx context.Context, c guest.Cmd) (guest.Result, error) {
		for _, s := range []string{"\n", "Rno record\n", "?" + record(day, "r", "SQL", 2, "m"), "C" + strings.Repeat("x", 2*logline.MaxLine) + "\n", "E\n", "Rafter the end\n"} {
			if _, err := io.WriteString(c.Stdout, s); err != nil {
				break
			}
		}
		for range 1000 {
			if _, err := io.WriteString(c.Stdout, strings.Repeat("more", 1000)); err != nil {
				break
			}
		}
		return guest.Result{}, nil
	})
	var got []Entry
	_, err := Read(t.Context(), []Source{{Machine: "web", Guest: evil, Files: []string{"/x"}}}, Options{Timeout: time.Minute}, func(e Entry) error { got = append(got, e); return nil })
	if err != nil || len(got) != 3 {
		t.Fatalf("%d entries, %v", len(got), err)
	}
	for _, e := range got {
		if !e.Continues || len(e.Text) > logline.MaxLine+3 {
			t.Errorf("%d bytes, a record: %v", len(e.Text), !e.Continues)
		}
	}
	if !got[2].Cut {
		t.Error("the long line is not said to be cut")
	}
}

// following reads in follow mode until stop; lines gives what has come.
func following(t *testing.T, sources []Source, f Filter) (lines func() []string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var got []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		o := Options{Filter: f, Follow: true, Timeout: time.Minute, holdBack: 200 * time.Millisecond}
		add := func(text string) { mu.Lock(); defer mu.Unlock(); got = append(got, text) }
		o.Tell = func(p Problem) { add(fmt.Sprintf("%s: %s: %v", p.Machine, p.What, p.Err)) }
		_, _ = Read(ctx, sources, o, func(e Entry) error { add(short(e)); return nil })
	}()
	return func() []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(got) }, func() { cancel(); <-done }
}

func waitFor(t *testing.T, lines func() []string, want ...string) {
	t.Helper()
	end := time.Now().Add(20 * time.Second)
	for !slices.Equal(lines(), want) && time.Now().Before(end) {
		<-time.After(50 * time.Millisecond)
	}
	if got := lines(); !slices.Equal(got, want) {
		t.Fatalf("got  %q\nwant %q", got, want)
	}
}

// TestFollow: what is written is shown, through rotation by renaming and by copying and truncating, nothing twice.
func TestFollow(t *testing.T) {
	shells(t, func(t *testing.T, g *local) {
		t.Parallel()
		name := write(t, filepath.Join(t.TempDir(), "app.log"), record(day, "r", "SQL", 2, "before"))
		n := 0
		add := func(name, message string) string {
			n++
			f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
			if err == nil {
				_, err = f.WriteString(record(day.Add(time.Duration(n)*time.Second), "r", "SQL", 4, message))
				err = errors.Join(err, f.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
			return "web " + message
		}
		lines, stop := following(t, []Source{{Machine: "web", Guest: g, Files: []string{name}}}, Filter{})
		defer stop()
		want := []string{"web before"}
		waitFor(t, lines, want...)
		want = append(want, add(name, "one"))
		waitFor(t, lines, want...)
		if err := os.Rename(name, name+".1"); err != nil {
			t.Fatal(err)
		}
		want = append(want, add(name+".1", "by who has the old one open"), add(name, "two"))
		waitFor(t, lines, want...)
		want = append(want, add(name, "just before it is copied"))
		text, _ := os.ReadFile(name)
		write(t, name+".2", string(text))
		write(t, name, "")
		want = append(want, add(name, "three"))
		waitFor(t, lines, want...)
	})
}

// TestFollowFilters: with a filter every line still comes at once.
func TestFollowFilters(t *testing.T) {
	shells(t, func(t *testing.T, g *local) {
		t.Parallel()
		before := record(day.Add(-time.Hour), "r0", "SQL", 2, "before")
		name := write(t, filepath.Join(t.TempDir(), "app.log"), before)
		var all []func() []string
		for _, f := range []Filter{{Grep: "on[e]{1}"}, {RequestID: "r"}, {Level: 3}, {Since: day}} {
			lines, stop := following(t, []Source{{Machine: "web", Guest: g, Files: []string{name}}}, f)
			defer stop()
			all = append(all, lines)
		}
		<-time.After(time.Second) // so that it comes after the following has begun
		write(t, name, before+record(day, "r", "SQL", 4, "one"))
		for _, lines := range all {
			waitFor(t, lines, "web one")
		}
	})
}

// TestNothingStaysBehind: when the reader goes away, so do the processes in the guest.
func TestNothingStaysBehind(t *testing.T) {
	shells(t, func(t *testing.T, g *local) {
		name := write(t, filepath.Join(t.TempDir(), "a-name-of-its-own.log"), "")
		lines, stop := following(t, []Source{{Machine: "web", Guest: g, Files: []string{name}}}, Filter{Grep: "never"})
		for range 100 {
			if running(name) > 0 {
				break
			}
			<-time.After(20 * time.Millisecond)
		}
		if running(name) == 0 {
			t.Fatal("nothing ran")
		}
		stop()
		for range 100 {
			if running(name) == 0 {
				break
			}
			<-time.After(50 * time.Millisecond)
		}
		if n := running(name); n > 0 || len(lines()) > 0 {
			t.Errorf("%d processes still know of the file", n)
		}
	})
}

// running counts the processes with a word in their arguments.
func running(word string) int {
	n := 0
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && bytes.Contains(b, []byte(word)) {
			n++
		}
	}
	return n
}

func TestParseFound(t *testing.T) {
	start := time.Unix(1000, 0)
	f := parseFound("now 1100 500000000\nfile r 5 6 1:1 /a b\npart - 4 3 1:2 /a b.1\nfile r 1 1 1:3 relative\nfile r  /gone meanwhile\nnone /x*\njunk\n", start, start.Add(2*time.Second))
	if f.Clock != (Clock{99500 * time.Millisecond, time.Second}) || !f.Clock.Known() || len(f.Logs) != 1 || f.Logs[0].Path != "/a b" || len(f.Missing) != 1 {
		t.Errorf("%+v", f)
	}
	if c := parseClock("1001 N", start, start.Add(2*time.Second)); c.Known() || c.Slack != 1500*time.Millisecond {
		t.Errorf("without nanoseconds: %+v", c)
	}
	if c := parseClock("?", start, start); c.Known() {
		t.Errorf("no clock: %+v", c)
	}
}

func TestTooManyLogs(t *testing.T) {
	defer goleak.VerifyNone(t)
	g := &local{shell: "/bin/sh", path: os.Getenv("PATH")}
	dir := t.TempDir()
	for i := range maxFiles + 1 {
		write(t, filepath.Join(dir, fmt.Sprint(i)), "")
	}
	f, err := Find(t.Context(), g, []string{dir + "/*"}, Options{Timeout: time.Minute}, time.Now)
	if !errors.Is(err, ErrTooMany) {
		t.Errorf("%d files: %v", maxFiles+1, err)
	}
	f.Close()
}

func FuzzParseFound(f *testing.F) {
	f.Add("now 1100 500000000\nfile r 5 6 1:1 /a b\npart - 4 3 1:2 /a b.1\nnone /x*\n")
	f.Add("part r 1 1 1:1 /x\nfile r 99999999999999999999 1 1:2 /a\nnow x y\n")
	f.Fuzz(func(t *testing.T, out string) {
		found := parseFound(out, day, day)
		for _, l := range found.Logs {
			if files, _ := l.Paths(day); !strings.HasPrefix(l.Path, "/") || files[len(files)-1] != l.Path {
				t.Errorf("%+v", l)
			}
		}
		w := &watch{followed: map[string]context.CancelFunc{"/a": func() {}}}
		for _, l := range append(w.fresh(found), w.fresh(found)...) {
			if l.Path == "/a" || w.followed[l.Path] != nil {
				t.Errorf("new: %+v", l)
			}
			w.followed[l.Path] = func() {}
		}
	})
}

// TestFindAsRoot: what the login user cannot read is looked for as root, and without root what there is stays. No step stays open.
func TestFindAsRoot(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, root := range []error{nil, errors.New("no sudo")} {
		g := runner(func(_ context.Context, c guest.Cmd) (guest.Result, error) {
			switch {
			case c.Sudo && root != nil:
				return guest.Result{}, root
			case c.Sudo:
				_, _ = io.WriteString(c.Stdout, "now 1 1\nfile r 1 1 1:1 /var/log/a\n.\n")
			default:
				_, _ = io.WriteString(c.Stdout, "now 1 1\nnone /var/log/*\n.\n")
			}
			_, err := io.Copy(io.Discard, c.Stdin) // until nobody tells any more
			return guest.Result{}, err
		})
		f, err := Find(t.Context(), g, []string{"/var/log/*"}, Options{}, time.Now)
		if err != nil || f.Sudo != (root == nil) || len(f.Logs) == 1 != (root == nil) {
			t.Errorf("root %v: %+v, %v", root, f, err)
		}
		f.Close()
	}
}

// TestFindFails: a guest that breaks off, and one that lists for ever.
func TestFindFails(t *testing.T) {
	defer goleak.VerifyNone(t)
	cut := runner(func(_ context.Context, c guest.Cmd) (guest.Result, error) {
		_, _ = io.WriteString(c.Stdout, "now 1 1\n")
		return guest.Result{}, nil
	})
	if _, err := Find(t.Context(), cut, nil, Options{}, time.Now); err == nil || !strings.Contains(err.Error(), "before the end of its list") {
		t.Error(err)
	}
	lost := runner(func(context.Context, guest.Cmd) (guest.Result, error) { return guest.Result{}, guest.ErrLinkLost })
	if _, err := Find(t.Context(), lost, nil, Options{}, time.Now); !errors.Is(err, guest.ErrLinkLost) {
		t.Error(err)
	}
	endless := runner(func(_ context.Context, c guest.Cmd) (guest.Result, error) {
		for {
			if _, err := io.WriteString(c.Stdout, strings.Repeat("x", 1000)+"\n"); err != nil {
				return guest.Result{}, nil
			}
		}
	})
	if _, err := Find(t.Context(), endless, nil, Options{}, time.Now); err == nil || !strings.Contains(err.Error(), "name fewer") {
		t.Error(err)
	}
}

func TestTimeline(t *testing.T) {
	entry := func(machine string, ms int, typ, message string) Entry {
		at := day.Add(time.Duration(ms) * time.Millisecond)
		return Entry{Machine: machine, At: at, Text: []byte(strings.Replace(record(at, "r", "SQL", 2, message), "SQL", typ, 1))}
	}
	var tl Timeline
	for _, x := range []struct {
		e    Entry
		want string
	}{
		{entry("web", 0, "HTTP[Method=GET Url=/orders]", "begins"), "0s GET /orders   begins -1ns"},
		{entry("db", 6, "SQL", `{"Sql":"select 1","RunTime":3.25}`), "6ms select 1 3.25ms"},
		{entry("web", 120, "REST[Type=POST Url=http://x RunTime=41]", ""), "120ms POST http://x 41ms"},
		{entry("web", 130, "RUNTIME", "done"), "130ms done -1ns"},
	} {
		after := tl.Add(x.e)
		s, _ := x.e.Step()
		if got := fmt.Sprintf("%v %s %v", after, s.What, s.Took); got != x.want {
			t.Errorf("got %s, want %s", got, x.want)
		}
	}
	tl.Add(Entry{Machine: "web", At: day.Add(130 * time.Millisecond), Text: []byte("\ttrace"), Continues: true})
	if got, want := tl.Summary(), "4 records, 2 machines, 130 ms from first to last, REST 1 call 41 ms, SQL 1 call 3.2 ms"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if (&Timeline{}).Summary() != "" {
		t.Error("nothing has a summary")
	}
}

func TestRecord(t *testing.T) {
	upper := strings.ToUpper
	e := Entry{Machine: "web", File: "/a", At: day, Text: []byte(`2026-11-24T09:30:00Z | 10.0.2.15 | - | 7 | r | SQL[a=1] | INFO | {"q":"x | y"} | `)}
	b, err := json.Marshal(e.Record(func(s string) string { return s }))
	want := `{"schema_version":1,"machine":"web","file":"/a","at":"2026-11-24T09:30:00Z","continues":false,"time":"2026-11-24T09:30:00Z","server_ip":"10.0.2.15","client_ip":"-","pid":7,"request_id":"r","type":"SQL","props":"a=1","level":"INFO","message":{"q":"x | y"}}`
	if err != nil || string(b) != want {
		t.Errorf("%v\ngot  %s\nwant %s", err, b, want)
	}
	e.Continues = true
	if b, _ := json.Marshal(e.Record(upper)); !strings.Contains(string(b), `"continues":true,"text":"2026-11-24T09:30:00Z | 10.0.2.15 | - | 7 | R | SQL[A=1]`) || strings.Contains(string(b), "pid") {
		t.Errorf("%s", b)
	}
}
