package cmd

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/engine"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/guest/sshguest"
)

type fakeDemo struct {
	closed *int
	err    error
}

func (f fakeDemo) Machine() facts.Machine { return facts.Machine{Name: "demo"} }
func (f fakeDemo) Host() facts.Host {
	return facts.Host{AdditionsISO: facts.Known(facts.ISO{Path: "/x.iso"})}
}
func (f fakeDemo) SSH() sshguest.Config { return sshguest.Config{Name: "demo"} }
func (f fakeDemo) Close() error         { *f.closed++; return f.err }

// demoTrial is a demo whose three reports have these exit codes.
func demoTrial(t *testing.T, first, repair, last int) (*trial, *int) {
	tr, closed := newTrial(t), new(int)
	tr.startDemo = func(context.Context) (demoGuest, error) { return fakeDemo{closed: closed}, nil }
	codes := []int{first, last}
	tr.check = func(_ context.Context, ms []engine.Machine, notes []string, _ engine.Options) finding.Report {
		code := codes[0]
		codes = codes[1:]
		return finding.Report{ExitCode: code, Notes: notes, Machines: []finding.Machine{{Name: ms[0].Facts.Name, Kind: finding.KindGuest, Reachable: true,
			Findings: []finding.Finding{{ID: "a.b", Status: finding.Pass}}}}}
	}
	tr.fix = func(_ context.Context, _ []engine.Machine, _ []string, o engine.FixOptions) finding.Report {
		tr.fixOptions = o
		return finding.Report{ExitCode: repair}
	}
	return tr, closed
}

func TestDemo(t *testing.T) {
	for _, c := range []struct{ first, repair, last, want int }{
		{1, 0, 0, 0}, {1, 0, 1, 1}, {1, 4, 0, 4}, {1, 4, 1, 4}, {1, 1, 0, 0},
	} {
		tr, closed := demoTrial(t, c.first, c.repair, c.last)
		tr.run(t, c.want, "demo")
		out := tr.out.String()
		at := []int{strings.Index(out, "1. boxdoctor check\n"), strings.Index(out, "2. boxdoctor fix --yes\n"), strings.Index(out, "3. boxdoctor check\n")}
		if at[0] != 0 || at[1] < at[0] || at[2] < at[1] || !strings.Contains(out, "stand-in") {
			t.Errorf("the three acts are at %v:\n%s", at, out)
		}
		if *closed != 1 {
			t.Errorf("closed %d times", *closed)
		}
		if o := tr.fixOptions; o.DryRun || o.Confirm != nil || o.Journal == nil || o.Plan.ISO.Path != "/x.iso" {
			t.Errorf("fix options %+v", o)
		}
	}
}

func TestDemoFails(t *testing.T) {
	tr, _ := demoTrial(t, 1, 0, 0)
	tr.startDemo = func(context.Context) (demoGuest, error) { return nil, errors.New("no port") }
	tr.run(t, finding.ExitInternal, "demo")
	tr.wantErr(t, "the built-in machine did not start: no port")

	tr, closed := demoTrial(t, 1, 0, 0)
	tr.check = func(ctx context.Context, _ []engine.Machine, _ []string, _ engine.Options) finding.Report {
		tr.signals <- os.Interrupt
		<-ctx.Done()
		return finding.Report{}
	}
	tr.run(t, finding.ExitInterrupted, "demo")
	if *closed != 1 || strings.Contains(tr.out.String(), "2. ") {
		t.Errorf("closed %d times, output:\n%s", *closed, tr.out)
	}
}
