package guesttest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// recorder is a test that notes its failures instead of failing.
type recorder struct {
	testing.TB
	failures []string
	cleanups []func()
}

func (r *recorder) Helper()                  {}
func (r *recorder) Cleanup(f func())         { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Context() context.Context { return r.TB.Context() }
func (r *recorder) Errorf(format string, a ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, a...))
}

// play runs a script against a use of it and returns what the test would have complained of.
func play(t *testing.T, steps []Step, use func(g *Guest)) string {
	t.Helper()
	r := &recorder{TB: t}
	use(New(r, steps...))
	for _, f := range r.cleanups {
		f()
	}
	return strings.Join(r.failures, "\n")
}

func TestAFittingScriptIsQuiet(t *testing.T) {
	lost := errors.New("lost")
	var order []string
	complaint := play(t, []Step{
		{Name: "a", Sudo: true, Args: []string{"x"}, Has: []string{"echo"}, Out: "hello\n"},
		{Name: Put, Args: []string{"/tmp/f"}, Has: []string{"content"}, Progress: []int64{3, 7}},
		{Name: "b", Stdin: "in", Err: lost, Do: func(context.Context) { order = append(order, "b") }},
		{Name: Reconnect},
		{Name: Close},
	}, func(g *Guest) {
		var tee strings.Builder
		res, err := g.Run(t.Context(), guest.Cmd{Name: "a", Sudo: true, Script: "echo $1", Args: []string{"x"}, Stdout: &tee})
		if err != nil || string(res.Stdout) != "hello\n" || tee.String() != "hello\n" {
			t.Errorf("%q %q %v", res.Stdout, tee.String(), err)
		}
		progress := func(n int64) { order = append(order, fmt.Sprint(n)) }
		if err := g.Put(t.Context(), "/tmp/f", 0o600, strings.NewReader("the content"), 11, progress); err != nil {
			t.Error(err)
		}
		if res, err := g.Run(t.Context(), guest.Cmd{Name: "b", Argv: []string{"cat"}, Stdin: strings.NewReader("in")}); err != lost || res.Code != -1 {
			t.Errorf("%+v %v", res, err)
		}
		if err := errors.Join(g.Reconnect(t.Context()), g.Close()); err != nil {
			t.Error(err)
		}
	})
	if complaint != "" || strings.Join(order, " ") != "3 7 b" {
		t.Errorf("%s; order %v", complaint, order)
	}
}

// TestItComplains: each deviation fails the test that uses the guest.
func TestItComplains(t *testing.T) {
	run := func(c guest.Cmd) func(*Guest) {
		return func(g *Guest) { _, _ = g.Run(t.Context(), c) }
	}
	for _, c := range []struct {
		name  string
		steps []Step
		use   func(*Guest)
		want  string
	}{
		{"unused", []Step{{Name: "a"}}, func(*Guest) {}, `the step "a" was expected and never came`},
		{"unexpected", nil, run(guest.Cmd{Name: "a", Script: "x"}), `unexpected step "a" after the last one`},
		{"another", []Step{{Name: "a"}}, run(guest.Cmd{Name: "b", Script: "x"}), `step 1 is "b", expected "a"`},
		{"sudo", []Step{{Name: "a"}}, run(guest.Cmd{Name: "a", Script: "x", Sudo: true}), `sudo is true, expected false`},
		{"args", []Step{{Name: "a", Args: []string{"1"}}}, run(guest.Cmd{Name: "a", Script: "x", Args: []string{"2"}}), `arguments ["2"], expected ["1"]`},
		{"argv", []Step{{Name: "a", Args: []string{"id"}}}, run(guest.Cmd{Name: "a", Argv: []string{"ls"}}), `arguments ["ls"], expected ["id"]`},
		{"script", []Step{{Name: "a", Has: []string{"reboot"}}}, run(guest.Cmd{Name: "a", Script: "halt"}), `no "reboot" in "halt"`},
		{"stdin", []Step{{Name: "a", Stdin: "x"}}, run(guest.Cmd{Name: "a", Argv: []string{"cat"}}), `standard input "", expected "x"`},
		{"path", []Step{{Name: Put, Args: []string{"/a"}}},
			func(g *Guest) { _ = g.Put(t.Context(), "/b", 0, strings.NewReader(""), 0, nil) }, `put to "/b", expected ["/a"]`},
		{"put", nil, func(g *Guest) { _ = g.Put(t.Context(), "/b", 0, strings.NewReader(""), 0, nil) }, `unexpected step "(put)"`},
		{"close", []Step{{Name: Reconnect}}, func(g *Guest) { _ = g.Close() }, `step 1 is "(close)", expected "(reconnect)"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := play(t, c.steps, c.use); !strings.Contains(got, c.want) {
				t.Errorf("complained of %q, want %q", got, c.want)
			}
		})
	}
}
