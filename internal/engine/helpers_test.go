package engine

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/boxdoctor/boxdoctor/fixes"
	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/demo"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/guest/sshguest"
)

// TestMain lets more tests wait at once than there are processors: most of their time is spent in polls.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// patient is an embedded guest behind a real SSH server, with a hand on every step that boxdoctor takes in it.
type patient struct {
	*demo.Guest
	t *testing.T
	// meddle sees a step before it runs and may change it or answer in its place.
	meddle func(ctx context.Context, c *guest.Cmd) (answered bool, err error)
	// after sees a step that has run.
	after func(c guest.Cmd)
	// refuse makes dialling fail.
	refuse atomic.Bool
	open   atomic.Int32

	mu       sync.Mutex
	steps    []string
	said     []string
	journal  []action.Entry
	recorded func(action.Entry)
}

func admit(t *testing.T, scene demo.Scene) *patient {
	t.Helper()
	g, err := demo.Start(t.Context(), scene)
	if err != nil {
		t.Fatal(err)
	}
	p := &patient{Guest: g, t: t}
	t.Cleanup(func() {
		if n := p.open.Load(); n != 0 {
			t.Errorf("%d connections were not closed", n)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *patient) machine() Machine {
	return Machine{Facts: p.Machine(), Host: p.Host(), Named: true, Dial: func(ctx context.Context) (guest.Guest, facts.Reach, error) {
		if p.refuse.Load() {
			return nil, facts.Reach{Class: "refused", Address: "127.0.0.1:2222", Error: "nothing listens"}, errors.New("nothing listens")
		}
		c, reach, err := sshguest.Dial(ctx, p.SSH())
		if err != nil {
			return nil, reach, err
		}
		p.open.Add(1)
		return &hand{Guest: c, p: p}, reach, nil
	}}
}

// hand is the connection with the patient's hand on it.
type hand struct {
	guest.Guest
	p *patient
}

func (h *hand) Run(ctx context.Context, c guest.Cmd) (guest.Result, error) {
	h.p.mu.Lock()
	h.p.steps = append(h.p.steps, c.Name)
	h.p.mu.Unlock()
	if h.p.meddle != nil {
		if answered, err := h.p.meddle(ctx, &c); answered {
			return guest.Result{Code: -1}, err
		}
	}
	res, err := h.Guest.Run(ctx, c)
	if h.p.after != nil {
		h.p.after(c)
	}
	return res, err
}

func (h *hand) Close() error {
	h.p.open.Add(-1)
	return h.Guest.Close()
}

// Record makes the patient its own journal.
func (p *patient) Record(e action.Entry) error {
	p.mu.Lock()
	p.journal = append(p.journal, e)
	p.mu.Unlock()
	if p.recorded != nil {
		p.recorded(e)
	}
	return nil
}

func (p *patient) options() FixOptions {
	return FixOptions{Journal: p, Plan: fixes.Input{ISO: p.ISO()}, Options: Options{Version: "test", Timeout: time.Minute,
		Progress: func(_, what string) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.said = append(p.said, what)
		}}}
}

func (p *patient) fix(ctx context.Context, o FixOptions) finding.Report {
	return Fix(ctx, []Machine{p.machine()}, nil, o)
}

func (p *patient) progress() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.said, "\n")
}

// in runs a command as root in the guest.
func (p *patient) in(command string) string {
	p.t.Helper()
	out, code := p.Run(p.t.Context(), command)
	if code != 0 {
		p.t.Fatalf("%s: exit status %d: %s", command, code, out)
	}
	return out
}

// disk is all that a change would show in.
func (p *patient) disk() string {
	return p.System().Snapshot("/etc", "/var/lib", "/var/log", "/var/tmp", "/tmp", "/root", "/home", "/boot", "/lib", "/usr", "/opt", "/sbin")
}

// bad lists what is not well.
func bad(r finding.Report) string {
	var out []string
	for _, m := range r.Machines {
		for _, f := range m.Findings {
			if f.Status != finding.Pass && f.Status != finding.Skip {
				out = append(out, fmt.Sprintf("%s %s %s", m.Name, f.Status, f.ID))
			}
		}
	}
	return strings.Join(out, "\n")
}

// did lists "fix outcome" once for each run of equal ones.
func did(r finding.Report) string {
	var out []string
	for _, a := range r.Actions {
		if s := a.Fix + " " + a.Outcome; len(out) == 0 || out[len(out)-1] != s {
			out = append(out, s)
		}
	}
	return strings.Join(out, ", ")
}

// wellAgain fails the test unless the guest is repaired and its locks are whole.
func (p *patient) wellAgain(r finding.Report) {
	p.t.Helper()
	if b := bad(r); b != "" || r.ExitCode != finding.ExitOK {
		p.t.Fatalf("exit code %d\n%s\nactions: %s\nnotes: %q", r.ExitCode, b, did(r), r.Notes)
	}
	names := map[string]bool{}
	for _, line := range strings.Split(p.locks(), "\n") {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "0:"), "-2.6.32-")
		names[name] = true
	}
	if len(names) != 3 || !names["kernel"] || !names["kernel-devel"] || !names["kernel-headers"] {
		p.t.Errorf("locks: %s", p.locks())
	}
}

// nothingLeft fails the test unless another run has nothing to do.
func (p *patient) nothingLeft() {
	p.t.Helper()
	r := p.fix(within(p.t, time.Minute), p.options())
	if len(r.Actions) > 0 || r.ExitCode != finding.ExitOK {
		p.t.Errorf("the next run did something: %s (exit code %d)", did(r), r.ExitCode)
	}
}

// locks are the lines of the lock list, and what still waits to be put back.
func (p *patient) locks() string {
	p.t.Helper()
	return strings.TrimSpace(p.in("cat /etc/yum/pluginconf.d/versionlock.list; ls -d /var/lib/boxdoctor/pending/* 2>/dev/null; true"))
}

// locksAsBefore: the list is the scene's, byte for byte.
func (p *patient) locksAsBefore() {
	p.t.Helper()
	if got, want := p.locks(), strings.Join(demo.Founding().System.VersionLock, "\n"); got != want {
		p.t.Errorf("locks:\n%s\nwant:\n%s", got, want)
	}
}

// starts tells whether a step starts a job whose name holds the text.
func starts(c *guest.Cmd, job string) bool {
	return strings.HasPrefix(c.Name, "start ") && strings.Contains(c.Name, job)
}

// within runs the parts of a test that must not hang.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
