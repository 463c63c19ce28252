package sshguest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/sshserver"
)

func TestRunGivesWhatTheStepPrinted(t *testing.T) {
	g := newBed(t, nil).dial(t)
	for _, c := range []struct {
		name        string
		cmd         guest.Cmd
		out, errOut string
		code        int
	}{
		{name: "script with arguments", out: "hello wor ld\nsecond 'line' $x `y` \\ * ~\n0\n", errOut: "oops\n",
			cmd: guest.Cmd{Script: "echo \"hello $1\"; echo oops >&2; wc -c", Args: []string{"wor ld\nsecond 'line' $x `y` \\ * ~"}}},
		{name: "script without arguments", out: "0\n", cmd: guest.Cmd{Script: "echo $#"}},
		{name: "arguments like options and empty ones", out: "[-x][][--]", cmd: guest.Cmd{Script: `printf '[%s]' "$@"`, Args: []string{"-x", "", "--"}}},
		{name: "a script cannot eat itself", out: "x=\nend\n", cmd: guest.Cmd{Script: "read x\necho x=$x\ncat\necho end\n"}},
		{name: "exit in a script", code: 7, out: "a\n", cmd: guest.Cmd{Script: "echo a\nexit 7\necho b"}},
		{name: "status of the last command", code: 1, cmd: guest.Cmd{Script: "true\nfalse"}},
		{name: "here-documents, loops and backslashes", out: "1 \\n\n2 \\n\n  two\tb\n",
			cmd: guest.Cmd{Script: "for i in 1 2 3; do [ $i = 3 ] && break; printf '%s\\n' \"$i \\n\"; done\ncat <<'E'\n  two\tb\nE\n"}},
		{name: "no newline at the end", out: "abc", cmd: guest.Cmd{Argv: []string{"printf", "%s", "abc"}}},
		{name: "argv with strange words", out: "a b|c\nd|'|$HOME|\n|", cmd: guest.Cmd{Argv: []string{"printf", "%s|", "a b", "c\nd", "'", "$HOME", "\n"}}},
		{name: "argv without stdin sees the end of file", out: "", cmd: guest.Cmd{Argv: []string{"cat"}}},
		{name: "argv with stdin", out: "x\x00y\r\nno newline", cmd: guest.Cmd{Argv: []string{"cat"}, Stdin: strings.NewReader("x\x00y\r\nno newline")}},
		{name: "environment", out: "C C dumb sbin\n", cmd: guest.Cmd{Script: `case ":$PATH:" in *:/usr/sbin:*) s=sbin;; esac; echo $LC_ALL $LANGUAGE $TERM $s`}},
		{name: "no terminal", out: "no\n", cmd: guest.Cmd{Script: "[ -t 0 ] || [ -t 1 ] || [ -t 2 ] || echo no"}},
		{name: "CRLF from the guest is kept", out: "a\r\nb\r\n", cmd: guest.Cmd{Script: `printf 'a\r\nb\r\n'`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cmd.Name = c.name
			res, err := g.Run(t.Context(), c.cmd)
			var exit *guest.ExitError
			if c.code == 0 && err != nil || c.code != 0 && (!errors.As(err, &exit) || exit.Code != c.code || exit.Name != c.name) {
				t.Fatalf("error %v, want exit status %d", err, c.code)
			}
			if got := string(res.Stdout); got != c.out {
				t.Errorf("stdout %q, want %q", got, c.out)
			}
			if got := string(res.Stderr); got != c.errOut {
				t.Errorf("stderr %q, want %q", got, c.errOut)
			}
			if res.Code != c.code || res.Truncated || res.Duration <= 0 {
				t.Errorf("result %+v", res)
			}
		})
	}
}

func TestRunRefusesBadSteps(t *testing.T) {
	b := newBed(t, nil)
	g := b.dial(t)
	for want, c := range map[string]guest.Cmd{
		"needs a name":         {Script: "true"},
		"exactly one":          {Name: "x"},
		"exactly one of":       {Name: "x", Script: "true", Argv: []string{"true"}},
		"Stdin is for Argv":    {Name: "x", Script: "true", Stdin: strings.NewReader("")},
		"NUL byte":             {Name: "x", Script: "echo \x00"},
		"NUL byte cannot be":   {Name: "x", Argv: []string{"echo", "\x00"}},
		"NUL byte cannot be p": {Name: "x", Script: "true", Args: []string{"\x00"}},
	} {
		res, err := g.Run(t.Context(), c)
		if err == nil || !strings.Contains(err.Error(), want) || res.Code != -1 {
			t.Errorf("%+v: %v (%+v), want %q", c, err, res, want)
		}
	}
	if _, execs := b.Counts(); execs != 0 {
		t.Errorf("%d exec requests for steps that cannot be sent", execs)
	}
}

func TestExitErrorHoldsTheCleanedStderr(t *testing.T) {
	g := newBed(t, nil).dial(t)
	res, err := g.Run(t.Context(), script("fail", `printf 'one\n\033[31mred\033[0m \033]0;title\007\200end\n' >&2; exit 3`))
	var exit *guest.ExitError
	if !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if want := "one\nred \uFFFDend\n"; exit.Stderr != want {
		t.Errorf("stderr in the error %q, want %q", exit.Stderr, want)
	}
	if !bytes.Contains(res.Stderr, []byte("\x1b[31m")) {
		t.Error("the result itself must hold the bytes as they came")
	}
	mustContain(t, err.Error(), `"fail"`, "exit status 3", "red")
}

func TestOutputIsBoundedAndStreamed(t *testing.T) {
	g := newBed(t, nil).dial(t)
	var tee bytes.Buffer
	c := script("flood", "dd if=/dev/zero bs=1024 count=1024 2>/dev/null; echo done >&2")
	c.Limit, c.Stdout = 1000, &tee
	res, err := g.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Stdout) != 1000 || !res.Truncated || tee.Len() != 1<<20 || string(res.Stderr) != "done\n" {
		t.Errorf("kept %d, truncated %v, streamed %d, stderr %q", len(res.Stdout), res.Truncated, tee.Len(), res.Stderr)
	}
}

func TestOutputArrivesWhileTheStepRuns(t *testing.T) {
	g := newBed(t, nil).dial(t)
	r, w := io.Pipe()
	defer r.Close()
	c := guest.Cmd{Name: "talk", Argv: []string{"cat"}, Stdin: r, Timeout: 10 * time.Second}
	got := make(chan string, 1)
	c.Stdout = writerFunc(func(p []byte) (int, error) { got <- string(p); return len(p), nil })
	done := make(chan error, 1)
	go func() { _, err := g.Run(t.Context(), c); done <- err }()
	for _, line := range []string{"first\n", "second\n"} {
		if _, err := io.WriteString(w, line); err != nil {
			t.Fatal(err)
		}
		select {
		case s := <-got:
			if s != line {
				t.Errorf("got %q, want %q", s, line)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("nothing arrived while the step was running")
		}
	}
	w.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestInputThatFailsEndsTheStep(t *testing.T) {
	g := newBed(t, nil).dial(t)
	boom := errors.New("boom")
	c := guest.Cmd{Name: "read", Argv: []string{"cat"}, Stdin: io.MultiReader(strings.NewReader("abc"), errReader{boom}), Timeout: 10 * time.Second}
	start := time.Now()
	_, err := g.Run(t.Context(), c)
	if !errors.Is(err, guest.ErrUnknownOutcome) || !errors.Is(err, boom) || time.Since(start) > 5*time.Second {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

func TestNoiseBeforeTheStepIsDropped(t *testing.T) {
	b := newBed(t, nil)
	g := b.dial(t)
	for _, noise := range []string{"Welcome!\n", "no newline", strings.Repeat("long banner ", 20000), "\xff\x00\x1b[2J", "bd-", "\n\n"} {
		b.Order(sshserver.Faults{Noise: noise, NoiseStderr: "bash: warning: setlocale: LC_ALL\n" + noise})
		res, err := g.Run(t.Context(), script("quiet", "echo out; echo err >&2"))
		if err != nil || string(res.Stdout) != "out\n" || string(res.Stderr) != "err\n" {
			t.Errorf("noise %.20q: %v, stdout %.40q, stderr %.40q", noise, err, res.Stdout, res.Stderr)
		}
	}
}

func TestLoginShellThatRunsNothing(t *testing.T) {
	dir := t.TempDir()
	nologin := filepath.Join(dir, "nologin")
	if err := os.WriteFile(nologin, []byte("#!/bin/sh\necho 'This account is currently not available.'\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	b := newBed(t, func(o *sshserver.Options) { shellOf(o).Shell = nologin })
	_, err := b.dial(t).Run(t.Context(), script("probe", "echo hi"))
	var exit *guest.ExitError
	if err == nil || errors.As(err, &exit) || errors.Is(err, guest.ErrUnknownOutcome) {
		t.Fatalf("want a plain error (did not run), got %v", err)
	}
	mustContain(t, err.Error(), `"probe"`, "did not run", "exit status 1", "currently not available")
}

func TestDeadlineNamesTheStepAndKillsIt(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	g := b.dial(t)
	c := script("slow step", "echo started; echo $$ >pid; sleep 60; echo never")
	c.Timeout = 500 * time.Millisecond
	start := time.Now()
	res, err := g.Run(t.Context(), c)
	var out *guest.OutcomeError
	if !errors.As(err, &out) || !errors.Is(err, guest.ErrUnknownOutcome) || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, guest.ErrLinkLost) {
		t.Fatalf("got %v", err)
	}
	mustContain(t, err.Error(), `"slow step"`, "after 500ms", "its time was up")
	if string(res.Stdout) != "started\n" || res.Code != -1 {
		t.Errorf("result %+v %q", res, res.Stdout)
	}
	if time.Since(start) > 5*time.Second {
		t.Errorf("took %s", time.Since(start))
	}
	gone(t, filepath.Join(b.dir, "pid"))
	if _, err := g.Run(t.Context(), script("next", "true")); err != nil {
		t.Errorf("the connection did not survive: %v", err)
	}
}

// gone waits until the process named in a file is no more (or a zombie that nobody has collected yet).
func gone(t *testing.T, file string) {
	t.Helper()
	pid, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("process %s still runs", pid)
}

// deaf hides signal requests from the handler, as sshd before 7.9 does: the context does not end.
type deaf struct{ *sshserver.ShellHandler }

func (d deaf) Exec(ctx context.Context, s sshserver.Session) int {
	return d.ShellHandler.Exec(context.WithoutCancel(ctx), s)
}

func TestCancelKillsEvenWhereSshdIgnoresSignals(t *testing.T) {
	t.Parallel()
	b := newBed(t, func(o *sshserver.Options) { o.Handler = deaf{shellOf(o)} })
	g := b.dial(t)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(500*time.Millisecond, cancel)
	_, err := g.Run(ctx, script("stubborn", "trap '' TERM; echo $$ >pid; sleep 60; sleep 60"))
	if !errors.Is(err, guest.ErrUnknownOutcome) || !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	gone(t, filepath.Join(b.dir, "pid"))
}

func TestCancelBeforeTheStepMeansItDidNotRun(t *testing.T) {
	g := newBed(t, nil).dial(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := g.Run(ctx, script("late", "true"))
	if !errors.Is(err, context.Canceled) || errors.Is(err, guest.ErrUnknownOutcome) {
		t.Errorf("got %v", err)
	}
}

// A guest under emulation answered nothing for half a minute and was no less there: ssh_config may say so.
func TestHowLongALinkMayBeSilent(t *testing.T) {
	for _, row := range []struct {
		cfg  Config
		want pulse
	}{
		{Config{}, pulse{5 * time.Second, 3}},
		{Config{AliveInterval: 30 * time.Second}, pulse{30 * time.Second, 3}},
		{Config{AliveInterval: time.Minute, AliveMissed: 5}, pulse{time.Minute, 5}},
	} {
		if got := row.cfg.pulse(); got != row.want {
			t.Errorf("%+v: %+v, want %+v", row.cfg, got, row.want)
		}
	}
}

func TestLinkLossIsAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	quick := pulse{interval: 50 * time.Millisecond, missed: 3}
	for name, f := range map[string]sshserver.Faults{
		"cut while running":     {DropAfter: 300 * time.Millisecond},
		"cut after some output": {DropAfterOutput: 150},
		"frozen":                {FreezeAfter: 300 * time.Millisecond},
		"no exit status":        {NoExitStatus: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, nil)
			g := b.dial(t, quick)
			b.Order(f)
			text := "echo begun; i=0; while [ $i -lt 40 ]; do echo 'a line of output'; i=$((i+1)); sleep 0.1; done"
			if f.NoExitStatus {
				text = "echo begun"
			}
			res, err := g.Run(t.Context(), script("work", text))
			var out *guest.OutcomeError
			if !errors.As(err, &out) || out.Name != "work" || !errors.Is(err, guest.ErrLinkLost) || !errors.Is(err, guest.ErrUnknownOutcome) {
				t.Fatalf("got %v", err)
			}
			if !strings.HasPrefix(string(res.Stdout), "begun\n") || res.Code != -1 {
				t.Errorf("result %+v, stdout %q", res, res.Stdout)
			}
			b.Order(sshserver.Faults{})
			res, err = g.Run(t.Context(), script("again", "echo back"))
			if err != nil || string(res.Stdout) != "back\n" {
				t.Errorf("after the loss: %v %q", err, res.Stdout)
			}
		})
	}
}

func TestStepThatCannotHaveRunIsTriedOnANewConnection(t *testing.T) {
	b := newBed(t, nil)
	g := b.dial(t)
	b.Order(sshserver.Faults{DropOnExec: 1})
	res, err := g.Run(t.Context(), script("once", "echo once >>count; echo ran"))
	if err != nil || string(res.Stdout) != "ran\n" {
		t.Fatalf("%v %q", err, res.Stdout)
	}
	count, _ := os.ReadFile(filepath.Join(b.dir, "count"))
	if conns, execs := b.Counts(); conns != 2 || execs != 2 || string(count) != "once\n" {
		t.Errorf("connections %d, execs %d, ran %q", conns, execs, count)
	}
}

func TestLostLinkAndNoWayBack(t *testing.T) {
	b := newBed(t, nil)
	g := b.dial(t)
	b.Order(sshserver.Faults{ResetAccepts: 5})
	b.DropAll()
	_, err := g.Run(t.Context(), script("nowhere", "true"))
	var d *DialError
	if !errors.As(err, &d) || d.Class != "reset" || errors.Is(err, guest.ErrUnknownOutcome) {
		t.Fatalf("got %v", err)
	}
	if conns, _ := b.Counts(); conns != 2 {
		t.Errorf("%d connections, want 2: one try to dial again", conns)
	}
	mustContain(t, err.Error(), "did not run", "ssh -v")
}

func TestHeldStdoutDoesNotHang(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	g := b.dial(t)
	b.Order(sshserver.Faults{HoldOutput: time.Minute})
	start := time.Now()
	res, err := g.Run(t.Context(), script("daemon", "echo started"))
	if d := time.Since(start); err != nil || string(res.Stdout) != "started\n" || d < drainTime || d > drainTime+2*time.Second {
		t.Errorf("after %s: %v %q", d, err, res.Stdout)
	}
}

func TestOutputAfterExitStatusIsStillRead(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	g := b.dial(t)
	b.Order(sshserver.Faults{WriteDelay: 100 * time.Millisecond})
	res, err := g.Run(t.Context(), script("slow printer", "echo one; sleep 0.1; echo two"))
	if err != nil || string(res.Stdout) != "one\ntwo\n" {
		t.Errorf("%v %q", err, res.Stdout)
	}
}

func TestConcurrentSteps(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	g := b.dial(t)
	var wg sync.WaitGroup
	for i := range 20 { // more than sshd's MaxSessions
		wg.Go(func() {
			res, err := g.Run(t.Context(), script("n", "echo $1; sleep 0.2; echo $1", fmt.Sprint(i)))
			if want := fmt.Sprintf("%d\n%d\n", i, i); err != nil || string(res.Stdout) != want {
				t.Errorf("%v %q, want %q", err, res.Stdout, want)
			}
		})
	}
	wg.Wait()
	if conns, _ := b.Counts(); conns != 1 {
		t.Errorf("%d connections, want one per machine", conns)
	}
}

func TestConcurrentStepsAfterALossShareOneNewConnection(t *testing.T) {
	b := newBed(t, nil)
	g := b.dial(t)
	b.DropAll()
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if _, err := g.Run(t.Context(), script("n", "true")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if conns, _ := b.Counts(); conns != 2 {
		t.Errorf("%d connections, want 2", conns)
	}
}

func TestReconnect(t *testing.T) {
	b := newBed(t, nil)
	g := b.dial(t)
	if err := g.Reconnect(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Order(sshserver.Faults{ResetAccepts: 1})
	var d *DialError
	if err := g.Reconnect(t.Context()); !errors.As(err, &d) || d.Class != "reset" {
		t.Errorf("got %v", err)
	}
	if err := g.Reconnect(t.Context()); err != nil {
		t.Errorf("a failed attempt must not be final: %v", err)
	}
	if conns, _ := b.Counts(); conns != 4 {
		t.Errorf("%d connections, want 4: one attempt each", conns)
	}
	g.Close()
	if err := g.Reconnect(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := g.Run(t.Context(), script("x", "true")); !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestCloseEndsARunningStep(t *testing.T) {
	g := newBed(t, nil).dial(t)
	time.AfterFunc(300*time.Millisecond, func() { g.Close() })
	_, err := g.Run(t.Context(), script("long", "sleep 60"))
	if !errors.Is(err, guest.ErrUnknownOutcome) || !errors.Is(err, guest.ErrLinkLost) {
		t.Errorf("got %v", err)
	}
}

func TestExecLineIsConstant(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]bool{}
	b := newBed(t, func(o *sshserver.Options) {
		o.Handler = spy{shellOf(o), func(c string) { mu.Lock(); defer mu.Unlock(); seen[c] = true }}
	})
	g := b.dial(t)
	for _, c := range []guest.Cmd{script("a", "true", "x"), {Name: "b", Argv: []string{"true"}}} {
		if _, err := g.Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 1 || !seen[`sh -c 'IFS= read -r boxdoctor && eval "$boxdoctor"'`] {
		t.Errorf("exec requests: %v", seen)
	}
}

type spy struct {
	*sshserver.ShellHandler
	see func(string)
}

func (s spy) Exec(ctx context.Context, ss sshserver.Session) int {
	s.see(ss.Command)
	return s.ShellHandler.Exec(ctx, ss)
}

// A link may be cut anywhere while a program is sent. No prefix of it may run.
func TestAProgramThatIsCutDoesNotRun(t *testing.T) {
	t.Parallel()
	m, err := newMarks()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	body, end := m.wrap(program(script("s", "echo ran >proof\necho ran2 >proof2\n")))
	whole := m.opening() + body + end
	for cut := len(m.opening()); cut <= len(whole); cut += 3 {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", `IFS= read -r boxdoctor && eval "$boxdoctor"`)
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(whole[:cut])
		out, err := cmd.CombinedOutput()
		_, missing := os.Stat(filepath.Join(dir, "proof"))
		complete := cut >= len(whole)-1 // only the last newline may be missing
		if complete != (missing == nil) || complete != (err == nil) {
			t.Fatalf("cut at %d of %d: error %v, proof %v, %s", cut, len(whole), err, missing, out)
		}
	}
}

func TestLogHasOneLinePerStepAndNoOutput(t *testing.T) {
	b := newBed(t, nil)
	g := b.dial(t)
	_, _ = g.Run(t.Context(), script("good", "echo private-output"))
	_, _ = g.Run(t.Context(), script("bad", "exit 4"))
	lines := strings.Split(strings.TrimSpace(b.log.String()), "\n")
	if len(lines) != 3 || strings.Contains(b.log.String(), "private-output") {
		t.Errorf("log %q", lines)
	}
	mustContain(t, b.log.String(), `step "good"`, `step "bad"`, "exit status 4", "connected in")
}
