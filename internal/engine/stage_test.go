package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/fixes"
	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/guest/guesttest"
)

const (
	bootA = "5b0cd0c7-aaaa-4000-8000-626f78646f63"
	bootB = "5b0cd0c7-bbbb-4000-8000-626f78646f63"
)

type noJournal struct{ err error }

func (j noJournal) Record(action.Entry) error { return j.err }

// bench is a repair in front of a scripted guest.
func bench(t *testing.T, steps ...guesttest.Step) *repair {
	t.Helper()
	d := &repair{tried: map[string]bool{}, begun: map[string]bool{}}
	d.seen.machine.Facts.Name = "web"
	d.target = &action.Target{Guest: guesttest.New(t, steps...), Machine: "web", RunID: "0", Journal: noJournal{}}
	return d
}

// put is a fix of one or more files.
func put(id string, files ...string) PlannedFix {
	p := PlannedFix{Fix: fixes.Fix{ID: id}}
	for _, f := range files {
		p.Actions = append(p.Actions, action.PutFile{Path: f, Content: "x", Mode: 0o644})
	}
	return p
}

func wrote(file string, err error) guesttest.Step {
	return guesttest.Step{Name: "write " + file, Sudo: true, Err: err}
}

func then(p PlannedFix, a ...action.Action) PlannedFix {
	p.Actions = append(p.Actions, a...)
	return p
}

// rebooted are the steps of a reboot from one boot to another.
func rebooted(kernel string) []guesttest.Step {
	return []guesttest.Step{
		{Name: "read the boot id", Out: bootA + "\n2.6\nrunning\n"}, {Name: "ask for the reboot", Sudo: true},
		{Name: guesttest.Reconnect}, {Name: "read the boot id", Out: bootB + "\n" + kernel + "\nrunning\n"},
	}
}

func outcomes(d *repair) string {
	var out []string
	for _, a := range d.actions {
		out = append(out, a.Fix+" "+a.Outcome)
	}
	return strings.Join(out, ", ")
}

func TestAFixThatFailsEndsOnlyItself(t *testing.T) {
	no := &guest.ExitError{Name: "write b", Code: 9}
	d := bench(t, wrote("a", no), wrote("c", nil), wrote("d", nil))
	if !d.act(t.Context(), []PlannedFix{put("one", "a", "b"), put("two", "c", "d")}, 3) {
		t.Error("the run ended")
	}
	if outcomes(d) != "one failed, two done, two done" || d.tried["one"] || !d.tried["two"] || !d.begun["one"] {
		t.Errorf("%s, tried %v", outcomes(d), d.tried)
	}
	if a := d.actions[0]; a.Stage != 3 || a.Title != "write a" || a.Machine != "web" || !strings.Contains(a.Message, "exit status 9") || a.Text == "" {
		t.Errorf("%+v", a)
	}
}

// TestAnUnknownOutcomeEndsTheStage: the next fix of the stage used to run although it was not known whether a change
// was still under way.
func TestAnUnknownOutcomeEndsTheStage(t *testing.T) {
	for name, err := range map[string]error{
		finding.OutcomeCut: &guest.OutcomeError{Name: "write a", Cause: guest.ErrLinkLost},
		finding.Failed:     fmt.Errorf("x: %w", action.ErrJobGone),
	} {
		d := bench(t, wrote("z", nil), wrote("a", err))
		stage := []PlannedFix{then(put("zero", "z"), action.Reboot{}), put("one", "a"), put("two", "b")}
		if !d.act(t.Context(), stage, 1) {
			t.Errorf("%s: the run ended, and nobody looks", name)
		}
		_, tried := d.tried["two"]
		if outcomes(d) != "zero done, one "+name || d.tried["one"] || d.tried["zero"] || tried || !d.stale {
			t.Errorf("%s, tried %v", outcomes(d), d.tried)
		}
	}
}

func TestWhatEndsTheRun(t *testing.T) {
	for _, err := range []error{fmt.Errorf("x: %w", action.ErrStillRunning), context.Canceled} {
		d := bench(t, wrote("a", err))
		if d.act(t.Context(), []PlannedFix{put("one", "a"), put("two", "b")}, 1) || len(d.actions) != 1 {
			t.Errorf("after %v: %s", err, outcomes(d))
		}
	}
	// An aborted run does not begin the rest of its stage.
	ctx, cancel := context.WithCancel(t.Context())
	step := wrote("a", errors.New("session torn down"))
	step.Do = func(context.Context) { cancel() }
	d := bench(t, step)
	if d.act(ctx, []PlannedFix{put("one", "a"), put("two", "b")}, 1) || outcomes(d) != "one failed" {
		t.Error(outcomes(d))
	}
}

// TestWhatWasNotBegunIsNoChange: a stop, or a journal that could not be written, used to count as a change that did
// not help (exit 4).
func TestWhatWasNotBegunIsNoChange(t *testing.T) {
	d := bench(t)
	stop := make(chan struct{})
	close(stop)
	d.target.Stop = stop
	if d.act(t.Context(), []PlannedFix{put("one", "a")}, 1) || len(d.actions) != 0 || len(d.begun) != 0 || d.stale {
		t.Errorf("stopped: %s, begun %v", outcomes(d), d.begun)
	}
	d = bench(t)
	d.target.Journal = noJournal{errors.New("disk full")}
	if d.act(t.Context(), []PlannedFix{put("one", "a"), put("two", "b")}, 1) || outcomes(d) != "one failed" || len(d.begun) != 0 || d.stale {
		t.Errorf("no journal: %s, begun %v", outcomes(d), d.begun)
	}
	if d.unverified() {
		t.Error("nothing was changed and it is called unverified")
	}
}

func TestOneRebootForAStage(t *testing.T) {
	steps := append([]guesttest.Step{wrote("a", nil), wrote("b", nil)}, rebooted("2.6.32-754")...)
	d := bench(t, steps...)
	stage := []PlannedFix{then(put("one", "a"), action.Reboot{WantKernel: "2.6.32-754"}), then(put("two", "b"), action.Reboot{})}
	if !d.act(t.Context(), stage, 1) || outcomes(d) != "one done, two done, one done" || !d.tried["one"] || !d.tried["two"] {
		t.Errorf("%s, tried %v", outcomes(d), d.tried)
	}
}

func TestNoRebootIntoAHalfMadeState(t *testing.T) {
	d := bench(t, wrote("a", errors.New("no")))
	if !d.act(t.Context(), []PlannedFix{then(put("one", "a"), action.Reboot{})}, 1) || outcomes(d) != "one failed" {
		t.Error(outcomes(d))
	}
	// Another fix's reboot is not lost with it.
	d = bench(t, append([]guesttest.Step{wrote("a", nil), wrote("b", errors.New("no"))}, rebooted("2.6")...)...)
	stage := []PlannedFix{then(put("one", "a"), action.Reboot{}), then(put("two", "b"), action.Reboot{})}
	if !d.act(t.Context(), stage, 1) || outcomes(d) != "one done, two failed, one done" {
		t.Error(outcomes(d))
	}
}

// TestAFailedRebootFailsItsFixes: a guest that came back with another kernel was taken for a success, and what
// builds on the kernel was tried.
func TestAFailedRebootFailsItsFixes(t *testing.T) {
	d := bench(t, append([]guesttest.Step{wrote("a", nil)}, rebooted("2.6.32-358")...)...)
	stage := []PlannedFix{then(put("one", "a"), action.Reboot{WantKernel: "2.6.32-754"}), then(put("two"), action.Reboot{})}
	if !d.act(t.Context(), stage, 1) || d.tried["one"] || d.tried["two"] || outcomes(d) != "one done, one failed" {
		t.Errorf("%s, tried %v", outcomes(d), d.tried)
	}
}

func TestRefusals(t *testing.T) {
	d := bench(t)
	later := PlannedFix{Fix: fixes.Fix{ID: "later"}, Err: errors.New("not yet"), Later: []string{"no"}}
	no := PlannedFix{Fix: fixes.Fix{ID: "no"}, Err: errors.New("cannot: do this by hand")}
	if !d.refuse([]PlannedFix{no, later, put("yes", "a")}, 2) || d.refuse([]PlannedFix{later}, 2) {
		t.Error("wrong count")
	}
	if outcomes(d) != "no failed" || d.actions[0].Message != "cannot: do this by hand" || len(d.tried) != 1 {
		t.Errorf("%+v %v", d.actions, d.tried)
	}
}

func TestConfirm(t *testing.T) {
	for _, c := range []struct {
		yes   bool
		err   error
		want  bool
		notes int
	}{{true, nil, true, 0}, {false, nil, false, 0}, {true, errors.New("terminal gone"), false, 1}} {
		d := bench(t)
		d.o.Confirm = func(_ context.Context, machine string, stage []PlannedFix) (bool, error) {
			if machine != "web" || len(stage) != 1 {
				t.Errorf("%s %v", machine, stage)
			}
			return c.yes, c.err
		}
		if got := d.confirmed(t.Context(), []PlannedFix{put("one", "a")}); got != c.want || len(d.notes) != c.notes {
			t.Errorf("%+v: %t, notes %q", c, got, d.notes)
		}
	}
}

func TestRootlessGuests(t *testing.T) {
	for st, want := range map[string]bool{facts.SudoOK: false, facts.SudoRoot: false, facts.SudoDenied: true, facts.SudoPassword: true, facts.SudoMissing: true, "": false} {
		d := bench(t)
		if st != "" {
			d.seen.facts.Guest.Sudo = facts.Known(facts.Sudo{State: st})
		}
		if got := d.rootless(); got != want || (len(d.notes) == 1) != want {
			t.Errorf("%q: %t, notes %q", st, got, d.notes)
		}
	}
}

func TestContainersAreNotRestarted(t *testing.T) {
	for name, want := range map[string]bool{"": false, "none": false, "systemd-nspawn": true} {
		d := bench(t)
		d.seen.facts.Guest.System = facts.Known(facts.System{Container: name})
		d.noRebootInContainer()
		if d.o.Plan.NoReboot != want || (len(d.notes) == 1) != want {
			t.Errorf("%q: no reboot %t, notes %q", name, d.o.Plan.NoReboot, d.notes)
		}
	}
}

func TestUnverified(t *testing.T) {
	list := func(m map[string]finding.Status) (out []finding.Finding) {
		for id, st := range m {
			out = append(out, finding.Finding{ID: id, Status: st})
		}
		return out
	}
	const check = "kernel.devel_missing" // kernel.devel clears it
	for name, c := range map[string]struct {
		begun         bool
		before, after finding.Status
		reachable     finding.Status
		reached       bool
		want          bool
	}{
		"proven":                      {true, finding.Fail, finding.Pass, finding.Pass, true, false},
		"not proven":                  {true, finding.Fail, finding.Fail, finding.Pass, true, true},
		"better is not well":          {true, finding.Fail, finding.Warn, finding.Pass, true, true},
		"not known":                   {true, finding.Fail, finding.Unknown, finding.Pass, true, true},
		"does not apply any more":     {true, finding.Warn, finding.Skip, finding.Pass, true, false},
		"skipped, as another fails":   {true, finding.Fail, finding.Skip, finding.Unknown, true, true},
		"was well":                    {true, finding.Pass, finding.Fail, finding.Pass, true, false},
		"never begun":                 {false, finding.Fail, finding.Fail, finding.Pass, true, false},
		"guest is gone":               {true, finding.Pass, finding.Pass, finding.Pass, false, true},
		"guest gone, nothing changed": {false, finding.Fail, finding.Fail, finding.Pass, false, false},
	} {
		d := bench(t)
		d.seen.reached = c.reached
		if c.begun {
			d.begun["kernel.devel"] = true
		}
		d.before.Findings = list(map[string]finding.Status{check: c.before, "guest.reachable": finding.Pass})
		d.seen.findings = list(map[string]finding.Status{check: c.after, "guest.reachable": c.reachable})
		if got := d.unverified(); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}

func TestRegressionsAndWhatWasNotTried(t *testing.T) {
	d := bench(t)
	d.before.Findings = []finding.Finding{{ID: "a.a", Status: finding.Pass}, {ID: "b.b", Status: finding.Pass}, {ID: "c.c", Status: finding.Fail}}
	d.seen.findings = []finding.Finding{{ID: "a.a", Status: finding.Warn}, {ID: "b.b", Status: finding.Fail, CausedBy: "a.a"}, {ID: "c.c", Status: finding.Fail},
		{ID: "modules.built", Status: finding.Fail, Fix: "additions.rebuild"}}
	d.tried["kernel.devel"] = false
	d.untried()
	d.regressions()
	want := []string{"web: additions.rebuild was not tried, because kernel.devel, which comes before it, did not succeed", "web: a.a passed before and is now warn"}
	if strings.Join(d.notes, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q", d.notes)
	}
}

// TestDefect8NothingIsExaminedAfterTheSecondCtrlC: 29 findings "context canceled" and 18 "got worse" buried what had been
// done.
func TestDefect8NothingIsExaminedAfterTheSecondCtrlC(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := bench(t)
	d.seen.machine.Dial = func(context.Context) (guest.Guest, facts.Reach, error) {
		t.Error("dialled")
		return nil, facts.Reach{}, nil
	}
	d.seen.reached, d.stale = true, true
	d.seen.findings = []finding.Finding{{ID: "a.b", Status: finding.Pass}}
	d.before = d.seen.report()
	d.look(ctx)
	d.regressions()
	if m := d.seen.report(); len(m.Findings) != 0 || m.Note != "not examined: interrupted" || len(d.notes) != 0 || len(d.seen.remarks()) != 0 {
		t.Errorf("%+v %q", m, d.notes)
	}
}

// TestDefect9WhatAJobSaysIsProgress: a job's "boxdoctor: waiting for dnf" never appeared.
func TestDefect9WhatAJobSaysIsProgress(t *testing.T) {
	d, said := bench(t), []string{}
	d.o.Progress = func(machine, what string) { said = append(said, machine+": "+what) }
	target := d.newTarget()
	for _, part := range []string{"+ yum\nboxdoc", "tor: waiting for ", "dnf\nnot boxdoctor: x\n", strings.Repeat("x", 2*longestLine), "\nboxdoctor: done\nboxdoctor: half"} {
		target.Output(part)
	}
	if got := strings.Join(said, "|"); got != "web: waiting for dnf|web: done" {
		t.Error(got)
	}
}

// TestDefect14ObstaclesAreToldFirst: that there is no ISO was told only after kernel, locks and tools were changed, and the
// command lacked the machine and the flags.
func TestDefect14ObstaclesAreToldFirst(t *testing.T) {
	d, told := bench(t), []string{}
	d.o.Tell = func(m finding.Machine, obstacles []string) { told = append(told, append(obstacles, m.Name)...) }
	d.o.Command = func(machine string) string { return "boxdoctor fix --ssh " + machine }
	d.seen.facts.Host.GivenVersion = "7.0.20"
	needs := fixes.Fix{ID: "additions.install", Plan: func(in fixes.Input) ([]action.Action, error) {
		if in.ISO.Version != "7.0.20" {
			return nil, errors.New("no ISO: let boxdoctor download it with --download")
		}
		return nil, nil
	}}
	notYet := fixes.Fix{ID: "additions.next_kernel", Plan: func(fixes.Input) ([]action.Action, error) { return nil, errors.New("not yet") }}
	planned := []PlannedFix{put("kernel.devel", "a"), {Fix: notYet, Later: []string{"kernel.devel"}}, {Fix: needs, Later: []string{"kernel.devel"}}}
	for i := range planned[1:] {
		_, planned[i+1].Err = planOne(planned[i+1].Fix, d.o.Plan)
	}
	d.tell(planned)
	d.tell(planned)
	want := "additions.install cannot be done as things stand: no ISO: let boxdoctor download it with --download: boxdoctor fix --ssh web --download"
	if strings.Join(told, "|") != want+"|web" || strings.Join(d.notes, "|") != "web: "+want {
		t.Errorf("told %q, notes %q", told, d.notes)
	}
}

// TestDefect10OnlyARestartThatIsPlannedIsTold: "(reboots the guest)" was said of plans without a restart.
func TestDefect10OnlyARestartThatIsPlannedIsTold(t *testing.T) {
	p := put("kernel.devel", "a")
	p.Fix.Impact = fixes.Reboots
	if got := p.Impact(); got != fixes.ChangesPackages {
		t.Error(got)
	}
	if got := then(p, action.Reboot{}).Impact(); got != fixes.Reboots {
		t.Error(got)
	}
	p.Fix.Impact = fixes.Harmless
	if got := p.Impact(); got != fixes.Harmless {
		t.Error(got)
	}
}

// TestDefect3OpenLocksOfALiveJobAreWaitedFor although the look at jobs said nothing.
func TestDefect3OpenLocksOfALiveJobAreWaitedFor(t *testing.T) {
	ask := guesttest.Step{Name: "look for jobs of an earlier run", Sudo: true, Args: []string{action.JobRoot + "/ab-*"}, Out: "ab-2\n"}
	d := bench(t, ask)
	d.seen.facts.Guest.Locks = facts.Known(facts.Locks{Pending: "/var/lib/boxdoctor/pending/ab"})
	if got := d.pendingJob(t.Context()); got != "ab-2" {
		t.Errorf("%q", got)
	}
	ask.Out = ""
	d.target.Guest = guesttest.New(t, ask)
	if !d.idle(t.Context()) || len(d.notes) != 0 { // a dead one: locks.interrupted finds it
		t.Errorf("%q", d.notes)
	}
}

// TestDefect15AdditionsThatWereNotLookedAt: 29 checks were skipped in silence.
func TestDefect15AdditionsThatWereNotLookedAt(t *testing.T) {
	look := func(vm string) observation {
		s := observation{reached: true, machine: Machine{Facts: facts.Machine{Name: "web"}, Dial: func(context.Context) (guest.Guest, facts.Reach, error) { return nil, facts.Reach{}, nil }}}
		s.facts.Guest.System = facts.Known(facts.System{Product: "KVM"})
		s.reach.Address = "127.0.0.1:2222"
		if vm != "" {
			s.machine.Host.VM = facts.Known(facts.VM{State: vm})
		}
		s.findings = []finding.Finding{{Status: finding.Skip, Message: notVirtualBox(&s.facts)}, {Status: finding.Skip, Message: "another"}}
		return s
	}
	for vm, want := range map[string]string{
		"":         "web: 1 checks of Guest Additions were skipped: this guest is not a VirtualBox VM (DMI says KVM",
		"poweroff": "web: 1 checks of Guest Additions were skipped",
		"running":  "web: WARNING: VirtualBox says that this machine runs, but what answers at 127.0.0.1:2222 is no VirtualBox VM (1 checks",
	} {
		s := look(vm)
		if got := s.remarks(); len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("%q: %q", vm, got)
		}
	}
	well := look("running")
	well.facts.Guest.System = facts.Known(facts.System{Product: "VirtualBox"})
	if got := well.remarks(); len(got) != 0 {
		t.Error(got)
	}
}
