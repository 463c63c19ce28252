package cmd

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/engine"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/host"
	"github.com/boxdoctor/boxdoctor/internal/passthru"
)

// launch is a trial of `boxdoctor up`: what the looks before and after find, and what vagrant says and ends with, by run.
type launch struct {
	*trial
	before, after []finding.Finding
	runs          []passthru.Result
	args          [][]string
	fixed         int
}

func newLaunch(t *testing.T) *launch {
	l := &launch{trial: newTrial(t)}
	preflight := facts.Preflight{Vagrant: facts.Known(facts.Vagrant{Path: "/usr/bin/vagrant"}), Project: facts.Known(facts.Project{Root: "/p"})}
	l.observe = func(context.Context, host.Options) (host.Inventory, error) {
		return host.Inventory{Host: facts.Host{OS: "linux", Preflight: preflight}}, nil
	}
	l.check = func(_ context.Context, _ []engine.Machine, _ []string, o engine.Options) finding.Report {
		found := l.before
		if len(l.args) > 0 {
			found = l.after
		}
		r := finding.Report{Machines: []finding.Machine{{Name: engine.HostName, Kind: finding.KindHost, Reachable: true, Findings: found}}}
		r.Finish(o.Strict)
		return r
	}
	l.fix = func(context.Context, []engine.Machine, []string, engine.FixOptions) finding.Report {
		l.fixed++
		return finding.Report{}
	}
	l.vagrantUp = func(_ context.Context, p passthru.Program) (passthru.Result, error) {
		if len(l.args) == len(l.runs) {
			t.Fatalf("vagrant was run once more: %q", p.Args)
		}
		r := l.runs[len(l.args)]
		l.args = append(l.args, p.Args)
		return r, nil
	}
	t.Cleanup(func() {
		if len(l.args) != len(l.runs) {
			t.Errorf("vagrant ran %d times, want %d", len(l.args), len(l.runs))
		}
	})
	return l
}

var blocker = []finding.Finding{{ID: "vbox.unsupported", Status: finding.Fail, Severity: finding.Critical, Message: "too new", Advice: []finding.Advice{{Text: "upgrade", Command: "upgrade it"}}}}

const noHeaders = "==> web: unable to find the sources of your current Linux kernel. Specify KERN_DIR=<directory> and run Make again.\r\n"

func TestUp(t *testing.T) {
	failed := passthru.Result{Code: 1, Said: "\x1b[31m" + noHeaders + "\x1b[0m", Heard: true}
	for name, c := range map[string]struct {
		args          []string
		before, after []finding.Finding
		runs          []passthru.Result
		code, fixed   int
		says          string
	}{
		"healthy":                  {[]string{"up"}, nil, nil, []passthru.Result{{}}, 0, 0, "checks passed"},
		"it would fail":            {[]string{"up"}, blocker, nil, nil, finding.ExitFailed, 0, "so it was not run"},
		"it would fail: why":       {[]string{"up"}, blocker, nil, nil, finding.ExitFailed, 0, "upgrade it"},
		"anyway":                   {[]string{"up", "--anyway"}, blocker, nil, []passthru.Result{{Code: 255}}, 255, 0, "ended with status 255"},
		"its status is passed on":  {[]string{"up"}, nil, nil, []passthru.Result{failed}, 1, 0, "root cause: "},
		"repaired, then it works":  {[]string{"up", "--fix", "--yes"}, nil, nil, []passthru.Result{failed, {}}, 0, 1, "vagrant up once more"},
		"repaired in vain":         {[]string{"up", "--fix", "--yes"}, nil, nil, []passthru.Result{failed, failed}, 1, 1, "root cause: "},
		"it works, a guest is ill": {[]string{"up"}, nil, blocker, []passthru.Result{{}}, finding.ExitFailed, 0, "vbox.unsupported"},
		"nobody can be asked":      {[]string{"up", "--fix"}, nil, nil, []passthru.Result{failed}, 1, 1, "this is a dry run"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLaunch(t)
			l.before, l.after, l.runs = c.before, c.after, c.runs
			l.run(t, c.code, c.args...)
			l.wantErr(t, c.says)
			if l.fixed != c.fixed || l.out.Len() > 0 {
				t.Errorf("repaired %d times, want %d; on stdout, which is vagrant's: %q", l.fixed, c.fixed, l.out)
			}
		})
	}
}

// What --fix can put right on this host is put right before vagrant runs; what it cannot stands in the way all the same.
func TestUpRepairsTheHostFirst(t *testing.T) {
	repairable := []finding.Finding{{ID: "port.collision", Status: finding.Fail, Severity: finding.Critical, Message: "taken", Fix: "host.ports"}}
	for name, c := range map[string]struct {
		args  []string
		works bool
		runs  []passthru.Result
		code  int
		fixed int
	}{
		"it helps":          {[]string{"up", "--fix", "--yes"}, true, []passthru.Result{{}}, 0, 1},
		"it does not help":  {[]string{"up", "--fix", "--yes"}, false, nil, finding.ExitFailed, 1},
		"it was not wanted": {[]string{"up"}, true, nil, finding.ExitFailed, 0},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLaunch(t)
			l.before, l.runs = repairable, c.runs
			look := l.observe
			l.observe = func(ctx context.Context, o host.Options) (host.Inventory, error) {
				inv, err := look(ctx, o)
				for _, n := range o.Names {
					inv.Machines = append(inv.Machines, host.Machine{Facts: facts.Machine{Name: n}, Class: host.ClassUnknownName})
				}
				return inv, err
			}
			l.fix = func(_ context.Context, ms []engine.Machine, _ []string, _ engine.FixOptions) finding.Report {
				if len(ms) != 1 || ms[0].Look == nil {
					t.Errorf("repaired: %+v", ms)
				}
				if l.fixed++; c.works {
					l.before = nil
				}
				return finding.Report{}
			}
			l.run(t, c.code, c.args...)
			if l.fixed != c.fixed {
				t.Errorf("repaired %d times, want %d", l.fixed, c.fixed)
			}
		})
	}
}

func TestUpHandsWordsOn(t *testing.T) {
	l := newLaunch(t)
	l.runs = []passthru.Result{{}}
	l.run(t, 0, "up", "web", "--provision", "--yes", "--", "--fix", "--color")
	if want := []string{"up", "web", "--provision", "--fix", "--color"}; !slices.Equal(l.args[0], want) {
		t.Errorf("vagrant got %q, want %q", l.args[0], want)
	}
	l = newLaunch(t)
	l.run(t, 0, "up", "--help")
	if !strings.Contains(l.out.String(), "--anyway") {
		t.Error(l.out)
	}
}

func TestUpWithoutVagrant(t *testing.T) {
	l := newLaunch(t)
	l.observe = func(context.Context, host.Options) (host.Inventory, error) {
		return host.Inventory{Host: facts.Host{Preflight: facts.Preflight{Vagrant: facts.Known(facts.Vagrant{})}}}, nil
	}
	l.run(t, finding.ExitUnexamined, "up")
	l.wantErr(t, "vagrant was not found in PATH")
}

// `boxdoctor check` where no machine runs says whether `vagrant up` will fail here, why, and the next command.
func TestCheckSaysWhetherUpWillFail(t *testing.T) {
	l := newLaunch(t)
	l.before = blocker
	l.run(t, finding.ExitFailed, "check")
	if want := "`vagrant up` will fail here: vbox.unsupported: too new. Next: upgrade it"; !strings.Contains(strings.Join(strings.Fields(l.out.String()), " "), want) {
		t.Errorf("not said: %s", l.out)
	}
	l = newLaunch(t)
	l.run(t, 0, "check")
	if !strings.Contains(l.out.String(), "nothing was found that would make `vagrant up` fail here") {
		t.Error(l.out)
	}
}
