// Package guesttest is a guest for tests that follows a script. It is strict both ways: a step that was not
// expected next fails the test, and so does an expectation that was never used.
package guesttest

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// Names of the steps that are no Run.
const (
	Reconnect = "(reconnect)"
	Put       = "(put)"
	Close     = "(close)"
)

// Step is one expectation with its answer.
type Step struct {
	// Name is Cmd.Name, or Reconnect, Put or Close.
	Name string
	// Sudo is Cmd.Sudo; it must be equal.
	Sudo bool
	// Args must be equal to Cmd.Args or Argv, where not nil; for Put it is the path.
	Args []string
	// Has are texts that must occur in the script; for Argv in the joined arguments, for Put in the content.
	Has []string
	// Stdin must be what Cmd.Stdin holds, where not empty.
	Stdin string
	// Out is the standard output, Err the error to return.
	Out string
	Err error
	// Do is called when the step comes, before its answer; nil: nothing happens.
	Do func(ctx context.Context)
	// Progress are the numbers that a Put reports.
	Progress []int64
}

// Guest plays steps in order. It is safe for concurrent use, as the contract demands.
type Guest struct {
	tb    testing.TB
	mu    sync.Mutex
	steps []Step
	next  int
}

var _ guest.Guest = (*Guest)(nil)

// New returns a guest that expects exactly these steps, and checks at the end of the test that all were used.
func New(tb testing.TB, steps ...Step) *Guest {
	tb.Helper()
	g := &Guest{tb: tb, steps: steps}
	tb.Cleanup(g.verify)
	return g
}

func (g *Guest) verify() {
	g.tb.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.steps[g.next:] {
		g.tb.Errorf("the step %q was expected and never came", s.Name)
	}
}

// take gives the next expectation, or fails the test.
func (g *Guest) take(name string) (Step, error) {
	g.tb.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.next == len(g.steps) {
		g.tb.Errorf("unexpected step %q after the last one", name)
		return Step{}, fmt.Errorf("unexpected step %q", name)
	}
	s := g.steps[g.next]
	if s.Name != name {
		g.tb.Errorf("step %d is %q, expected %q", g.next+1, name, s.Name)
		return Step{}, fmt.Errorf("unexpected step %q", name)
	}
	g.next++
	return s, nil
}

// Run answers one expected step.
func (g *Guest) Run(ctx context.Context, c guest.Cmd) (guest.Result, error) {
	g.tb.Helper()
	s, err := g.take(c.Name)
	if err != nil {
		return guest.Result{Code: -1}, err
	}
	g.compare(s, c)
	if s.Do != nil {
		s.Do(ctx)
	}
	if c.Stdout != nil {
		_, _ = io.WriteString(c.Stdout, s.Out)
	}
	res := guest.Result{Stdout: []byte(s.Out)}
	if s.Err != nil {
		res.Code = -1
	}
	return res, s.Err
}

func (g *Guest) compare(s Step, c guest.Cmd) {
	g.tb.Helper()
	args, text := c.Args, c.Script
	if c.Script == "" {
		args, text = c.Argv, strings.Join(c.Argv, " ")
	}
	if c.Sudo != s.Sudo {
		g.tb.Errorf("step %q: sudo is %t, expected %t", c.Name, c.Sudo, s.Sudo)
	}
	if s.Args != nil && !slices.Equal(args, s.Args) {
		g.tb.Errorf("step %q: arguments %q, expected %q", c.Name, args, s.Args)
	}
	g.contains(c.Name, text, s.Has)
	if s.Stdin != "" {
		g.stdin(c, s.Stdin)
	}
}

func (g *Guest) stdin(c guest.Cmd, want string) {
	g.tb.Helper()
	var got []byte
	if c.Stdin != nil {
		got, _ = io.ReadAll(c.Stdin)
	}
	if string(got) != want {
		g.tb.Errorf("step %q: standard input %q, expected %q", c.Name, got, want)
	}
}

func (g *Guest) contains(name, text string, parts []string) {
	g.tb.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			g.tb.Errorf("step %q: no %q in %q", name, p, text)
		}
	}
}

// Put reads the content and answers one expected Put.
func (g *Guest) Put(ctx context.Context, path string, _ os.FileMode, r io.Reader, _ int64, progress func(int64)) error {
	g.tb.Helper()
	s, err := g.take(Put)
	if err != nil {
		return err
	}
	if s.Args != nil && !slices.Equal([]string{path}, s.Args) {
		g.tb.Errorf("put to %q, expected %q", path, s.Args)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	g.contains(Put, string(content), s.Has)
	if s.Do != nil {
		s.Do(ctx)
	}
	for _, n := range s.Progress {
		if progress != nil {
			progress(n)
		}
	}
	return s.Err
}

// Reconnect answers one expected reconnection.
func (g *Guest) Reconnect(ctx context.Context) error { return g.bare(ctx, Reconnect) }

// Close answers one expected end.
func (g *Guest) Close() error { return g.bare(g.tb.Context(), Close) }

func (g *Guest) bare(ctx context.Context, name string) error {
	g.tb.Helper()
	s, err := g.take(name)
	if err != nil {
		return err
	}
	if s.Do != nil {
		s.Do(ctx)
	}
	return s.Err
}
