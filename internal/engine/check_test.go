package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/checks"
	"github.com/boxdoctor/boxdoctor/internal/demo"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/guest"
)

func ids(cs []checks.Check) string {
	var out []string
	for _, c := range cs {
		out = append(out, c.ID)
	}
	return strings.Join(out, " ")
}

func TestSelection(t *testing.T) {
	all := choose(checks.OnGuest, Options{})
	if len(all) < 10 || !slices.IsSortedFunc(all, func(a, b checks.Check) int { return strings.Compare(a.ID, b.ID) }) {
		t.Errorf("%s", ids(all))
	}
	for _, c := range choose(checks.OnHost, Options{}) {
		if c.Target != checks.OnHost {
			t.Errorf("%s is not of the host", c.ID)
		}
	}
	for _, c := range []struct {
		only, skip []string
		want       string
	}{
		{[]string{"mount.shares"}, nil, "mount.shares"},
		{[]string{"mount"}, nil, ids(slices.DeleteFunc(slices.Clone(all), func(c checks.Check) bool { return c.Area() != "mount" }))},
		{[]string{"mount.helper", "mount.shares", "mount.writable"}, []string{"mount.shares", "mount.leftovers"}, "mount.helper mount.writable"},
		{[]string{"mount.shares"}, []string{"mount"}, ""},
		{[]string{"clock", "sudo.usable"}, nil, "clock.skew sudo.usable"},
		{nil, slices.Collect(areas(all)), ""},
		{[]string{"no.such"}, nil, ""},
	} {
		got := choose(checks.OnGuest, Options{Only: c.only, Skip: c.skip})
		if g := ids(got); g != c.want {
			t.Errorf("only %q, skip %q: %s, want %s", c.only, c.skip, g, c.want)
		}
	}
}

func areas(cs []checks.Check) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, c := range cs {
			if !yield(c.Area()) {
				return
			}
		}
	}
}

func TestWhatAChosenCheckStandsOnIsJudgedToo(t *testing.T) {
	chosen := choose(checks.OnGuest, Options{Only: []string{"additions.version"}})
	if got := strings.Fields(ids(closure(chosen))); !slices.Contains(got, "guest.reachable") || !slices.Contains(got, "additions.installed") {
		t.Errorf("%q", got)
	}
	keys := needs(chosen)
	c, _ := checks.ByID("additions.installed")
	for _, k := range append(slices.Clone(c.Needs), facts.KeySystem, facts.KeySudo) {
		if !slices.Contains(keys, k) {
			t.Errorf("%s is not asked for: %v", k, keys)
		}
	}
	if seen := slices.Clone(keys); len(slices.Compact(slices.Sorted(slices.Values(seen)))) != len(keys) {
		t.Errorf("asked twice: %v", keys)
	}
	// Only the chosen one is reported.
	if fs := judge(&facts.Facts{}, chosen, time.Now); len(fs) != 1 || fs[0].ID != "additions.version" {
		t.Errorf("%+v", fs)
	}
}

// TestSudoIsAlwaysLookedAt: without it `check --only locks` in a guest whose sudo wants a password was never
// probed as root, although the password was at hand.
func TestSudoIsAlwaysLookedAt(t *testing.T) {
	for _, c := range checks.All() {
		if c.Target != checks.OnGuest || c.ID == "guest.reachable" || c.ID == "guest.legacy_ssh" {
			continue
		}
		if keys := needs([]checks.Check{c}); len(c.Needs) > 0 && !slices.Contains(keys, facts.KeySudo) {
			t.Errorf("%s: %v", c.ID, keys)
		}
	}
	if keys := needs(choose(checks.OnGuest, Options{Only: []string{"guest.reachable"}})); len(keys) != 0 {
		t.Errorf("reachability needs no probe: %v", keys)
	}
}

func TestOrder(t *testing.T) {
	check := func(id string, after ...string) checks.Check { return checks.Check{ID: id, After: after} }
	for _, c := range []struct {
		in   []checks.Check
		want string
	}{
		{[]checks.Check{check("a", "b"), check("b", "c"), check("c")}, "c b a"},
		{[]checks.Check{check("a"), check("b"), check("c", "a")}, "a b c"},
		{[]checks.Check{check("a", "absent")}, "a"},
		// A cycle loses nobody: a check without a verdict would be a finding without a name.
		{[]checks.Check{check("a", "b"), check("b", "a"), check("c")}, "c a b"},
	} {
		if got := ids(inOrder(c.in)); got != c.want {
			t.Errorf("%s: got %s, want %s", ids(c.in), got, c.want)
		}
	}
}

// eval is a check with a fixed answer.
func eval(id string, v finding.Verdict, after ...string) checks.Check {
	return checks.Check{ID: id, After: after, Eval: func(*facts.Facts) finding.Verdict { return v }}
}

func byName(fs []finding.Finding) map[string]finding.Finding {
	m := map[string]finding.Finding{}
	for _, f := range fs {
		m[f.ID] = f
	}
	return m
}

func TestPrerequisites(t *testing.T) {
	for st, want := range map[finding.Status]finding.Status{
		finding.Pass: finding.Pass, finding.Warn: finding.Pass,
		finding.Fail: finding.Skip, finding.Unknown: finding.Skip, finding.Skip: finding.Skip,
	} {
		got := byName(judge(&facts.Facts{}, []checks.Check{eval("a.a", finding.Passf("well"), "b.b"), eval("b.b", finding.Verdict{Status: st}, "c.c"),
			eval("c.c", finding.Passf("well"))}, time.Now))
		if got["a.a"].Status != want {
			t.Errorf("after %s: %s", st, got["a.a"].Status)
		}
		if why := "needs b.b, which is " + string(st); want == finding.Skip && got["a.a"].Message != why {
			t.Errorf("%q, want %q", got["a.a"].Message, why)
		}
	}
}

// TestACheckThatPanics is unknown, what stands on it is skipped, and the others go on.
func TestACheckThatPanics(t *testing.T) {
	boom := checks.Check{ID: "b.boom", Fix: "kernel.devel", Eval: func(*facts.Facts) finding.Verdict { panic("nil map") }}
	none := checks.Check{ID: "c.none"} // no Eval at all
	got := byName(judge(&facts.Facts{}, []checks.Check{eval("a.a", finding.Passf("well"), "b.boom"), boom, none, eval("d.d", finding.Passf("well"))}, time.Now))
	for id, want := range map[string]finding.Status{"a.a": finding.Skip, "b.boom": finding.Unknown, "c.none": finding.Unknown, "d.d": finding.Pass} {
		if got[id].Status != want {
			t.Errorf("%s is %s, want %s", id, got[id].Status, want)
		}
	}
	if f := got["b.boom"]; !strings.Contains(f.Message, "nil map") || !strings.Contains(f.Message, "please report") || f.Fix != "" || len(f.Message) > 700 {
		t.Errorf("%+v", f)
	}
}

func TestAVerdictWithoutAStatusIsUnknown(t *testing.T) {
	got := judge(&facts.Facts{}, []checks.Check{eval("a.a", finding.Verdict{Message: "hm"})}, time.Now)
	if got[0].Status != finding.Unknown || got[0].Rows == nil || got[0].Advice == nil {
		t.Errorf("%+v", got[0])
	}
}

func TestGuestsThatAreNoVirtualBoxMachines(t *testing.T) {
	c := eval("a.a", finding.Failf("bad"))
	c.VirtualBoxOnly = true
	for name, x := range map[string]struct {
		f    facts.Facts
		want finding.Status
		why  string
	}{
		"unknown hardware": {system(facts.System{}), finding.Skip, "unknown hardware"},
		"kvm":              {system(facts.System{Product: "KVM"}), finding.Skip, "DMI says KVM"},
		"dmi":              {system(facts.System{Product: "VirtualBox"}), finding.Fail, ""},
		"device":           {system(facts.System{Product: "Odd", PCIDevice: true}), finding.Fail, ""},
		"not known":        {facts.Facts{}, finding.Fail, ""},
		"forced": {func() facts.Facts {
			f := system(facts.System{Product: "KVM"})
			f.Machine.ForceVirtualBox = true
			return f
		}(), finding.Fail, ""},
	} {
		got := judge(&x.f, []checks.Check{c}, time.Now)[0]
		if got.Status != x.want || !strings.Contains(got.Message, x.why) {
			t.Errorf("%s: %s %q", name, got.Status, got.Message)
		}
		if x.want == finding.Skip && !strings.Contains(got.Message, "--vbox-version") {
			t.Errorf("%s: %q does not say how to examine it all the same", name, got.Message)
		}
	}
}

func system(s facts.System) facts.Facts {
	return facts.Facts{Guest: facts.Guest{System: facts.Known(s)}}
}

func TestCauses(t *testing.T) {
	with := func(c checks.Check, causes ...string) checks.Check { c.CausedBy = causes; return c }
	bad, warn, well := finding.Failf("x"), finding.Warnf("x"), finding.Passf("x")
	for _, c := range []struct {
		name string
		in   []checks.Check
		want string
	}{
		{"nearest first", []checks.Check{with(eval("a.a", bad), "b.b", "c.c"), eval("b.b", bad), eval("c.c", bad)}, "b.b"},
		{"the nearest is well", []checks.Check{with(eval("a.a", bad), "b.b", "c.c"), eval("b.b", well), eval("c.c", bad)}, "c.c"},
		{"a warning explains nothing", []checks.Check{with(eval("a.a", bad), "b.b"), eval("b.b", warn)}, ""},
		{"a warning is explained", []checks.Check{with(eval("a.a", warn), "b.b"), eval("b.b", bad)}, "b.b"},
		{"what is well has no cause", []checks.Check{with(eval("a.a", well), "b.b"), eval("b.b", bad)}, ""},
		{"what is not known has none", []checks.Check{with(eval("a.a", finding.Verdict{}), "b.b"), eval("b.b", bad)}, ""},
		{"not chosen, not named", []checks.Check{with(eval("a.a", bad), "additions.installed")}, ""},
	} {
		if got := judge(&facts.Facts{}, c.in, time.Now)[0].CausedBy; got != c.want {
			t.Errorf("%s: caused by %q, want %q", c.name, got, c.want)
		}
	}
}

// TestTheFoundingCaseHasOneRoot: the lock explains everything from kernel-devel to the share. An ended release is a
// trouble of its own, with its own symptom.
func TestTheFoundingCaseHasOneRoot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		scene demo.Scene
		roots []string
	}{
		"as reported":   {demo.Founding(), []string{"locks.versionlock", "repositories.end_of_life"}},
		"working repos": {demo.Founding().With(demo.ReposWork), []string{"locks.versionlock"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := admit(t, c.scene)
			r := Check(within(t, time.Minute), []Machine{p.machine()}, nil, Options{})
			all := byName(r.Machines[0].Findings)
			var roots, symptoms []string
			for _, f := range r.Machines[0].Findings {
				switch {
				case f.Status != finding.Fail:
				case f.CausedBy == "":
					roots = append(roots, f.ID)
				default:
					symptoms = append(symptoms, f.ID+" < "+f.CausedBy)
					if root := rootOf(t, all, f); root != "locks.versionlock" && f.ID != "repositories.answer" {
						t.Errorf("%s is led back to %s", f.ID, root)
					}
				}
			}
			if !slices.Equal(roots, c.roots) || len(symptoms) < 5 || r.ExitCode != finding.ExitFailed {
				t.Errorf("roots %q, %d symptoms, exit code %d", roots, len(symptoms), r.ExitCode)
			}
			for _, id := range []string{"kernel.devel_missing", "modules.built", "modules.loaded", "mount.shares"} {
				if all[id].Status != finding.Fail {
					t.Errorf("%s is %s: %s", id, all[id].Status, all[id].Message)
				}
			}
		})
	}
}

// rootOf follows the causes to their end.
func rootOf(t *testing.T, all map[string]finding.Finding, f finding.Finding) string {
	t.Helper()
	from := f.ID
	for range len(all) {
		if f.CausedBy == "" {
			return f.ID
		}
		f = all[f.CausedBy]
		if f.Status != finding.Fail {
			t.Errorf("%s leads to %s, which is %s", from, f.ID, f.Status)
		}
	}
	t.Errorf("the causes of %s have no end", from)
	return ""
}

// TestSavedFactsGiveTheSameFindings: what was observed can be judged again later, from a file.
func TestSavedFactsGiveTheSameFindings(t *testing.T) {
	t.Parallel()
	p := admit(t, demo.Founding())
	s := observe(within(t, time.Minute), p.machine(), Options{}, nil)
	s.close()
	saved, err := json.Marshal(s.facts)
	if err != nil {
		t.Fatal(err)
	}
	var loaded facts.Facts
	if err := json.Unmarshal(saved, &loaded); err != nil {
		t.Fatal(err)
	}
	frozen := func() time.Time { return time.Time{} }
	want, _ := json.MarshalIndent(judge(&s.facts, choose(checks.OnGuest, Options{}), frozen), "", " ")
	got, _ := json.MarshalIndent(judge(&loaded, choose(checks.OnGuest, Options{}), frozen), "", " ")
	if string(got) != string(want) {
		t.Errorf("live  %s\nsaved %s", want, got)
	}
}

func lost(name string, named bool) Machine {
	return Machine{Facts: facts.Machine{Name: name}, Named: named, Dial: func(context.Context) (guest.Guest, facts.Reach, error) {
		return nil, facts.Reach{Class: "refused", Address: "127.0.0.1:1", Error: "nothing listens", Command: "vagrant up " + name}, errors.New("refused")
	}}
}

// TestManyMachines: one that does not answer disturbs neither the order nor the others.
func TestManyMachines(t *testing.T) {
	t.Parallel()
	sick, well := admit(t, demo.Founding()), admit(t, demo.Healthy())
	ms := []Machine{{Facts: facts.Machine{Name: HostName}, Host: well.Host()}, lost("gone", true), well.machine(), lost("away", false), sick.machine()}
	ms[2].Facts.Name, ms[4].Facts.Name = "well", "sick"
	r := Check(within(t, time.Minute), ms, []string{"a note"}, Options{Version: "1.2"})
	var got []string
	for _, m := range r.Machines {
		got = append(got, fmt.Sprintf("%s %s %t", m.Name, m.Kind, m.Reachable))
	}
	if s := strings.Join(got, ", "); s != "host host true, gone guest false, well guest true, away guest false, sick guest true" {
		t.Error(s)
	}
	if !r.Unreachable || r.ExitCode != finding.ExitFailed || r.Boxdoctor != "1.2" || !slices.Equal(r.Notes, []string{"a note"}) {
		t.Errorf("%+v", r)
	}
	gone := byName(r.Machines[1].Findings)
	if f := gone["guest.reachable"]; f.Status != finding.Unknown || f.Message != "nothing listens" || len(f.Advice) != 1 || f.Advice[0].Command != "vagrant up gone" {
		t.Errorf("%+v", f)
	}
	for id, f := range gone {
		if id != "guest.reachable" && f.Status != finding.Skip {
			t.Errorf("%s of a machine that was not reached is %s: %s", id, f.Status, f.Message)
		}
	}
	if b := bad(finding.Report{Machines: r.Machines[2:3]}); b != "" {
		t.Error(b)
	}
}

func TestExitCodesOfUnreachableMachines(t *testing.T) {
	host := Machine{Facts: facts.Machine{Name: HostName}, Host: facts.Host{Explicit: true, OS: "linux"}}
	for name, c := range map[string]struct {
		ms   []Machine
		want int
	}{
		"named":     {[]Machine{host, lost("a", true)}, finding.ExitUnexamined},
		"not named": {[]Machine{host, lost("a", false)}, finding.ExitUnexamined},
	} {
		if r := Check(t.Context(), c.ms, nil, Options{Skip: areasOf(checks.OnHost)}); r.ExitCode != c.want || r.Unreachable != c.ms[1].Named {
			t.Errorf("%s: exit code %d, unreachable %t", name, r.ExitCode, r.Unreachable)
		}
	}
	// Nothing chosen is no excuse for a named machine that is not there.
	if r := Check(t.Context(), []Machine{lost("a", true)}, nil, Options{Only: []string{"no.such"}}); r.ExitCode != finding.ExitUnexamined {
		t.Errorf("exit code %d", r.ExitCode)
	}
}

func areasOf(target string) []string {
	var out []string
	for _, c := range checks.All() {
		if c.Target == target {
			out = append(out, c.ID)
		}
	}
	return out
}

// TestAMachineThatHangs is given up after its own time; the others are not.
func TestAMachineThatHangs(t *testing.T) {
	hang := Machine{Facts: facts.Machine{Name: "hang"}, Dial: func(ctx context.Context) (guest.Guest, facts.Reach, error) {
		<-ctx.Done()
		return nil, facts.Reach{Class: "timeout", Error: "no answer"}, ctx.Err()
	}}
	start := time.Now()
	r := Check(t.Context(), []Machine{hang, lost("b", false), hang}, nil, Options{Timeout: 50 * time.Millisecond})
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
	for i, want := range []string{"no answer", "nothing listens", "no answer"} {
		if f := byName(r.Machines[i].Findings)["guest.reachable"]; f.Message != want {
			t.Errorf("%d: %q", i, f.Message)
		}
	}
}

// TestAProbeThatHangs: the machine answered and then did not; the connection is closed all the same.
func TestAProbeThatHangs(t *testing.T) {
	t.Parallel()
	p := admit(t, demo.Healthy())
	p.meddle = func(ctx context.Context, c *guest.Cmd) (bool, error) {
		<-ctx.Done()
		return true, &guest.OutcomeError{Name: c.Name, Cause: ctx.Err()}
	}
	r := Check(within(t, time.Minute), []Machine{p.machine()}, nil, Options{Timeout: 5 * time.Second}) // a busy machine needs a while to dial
	all := byName(r.Machines[0].Findings)
	if f := all["kernel.devel_missing"]; f.Status != finding.Unknown || !strings.Contains(f.Message, "not collected") || r.ExitCode != finding.ExitUnexamined {
		t.Errorf("%+v, exit code %d", f, r.ExitCode)
	}
}

func TestWidth(t *testing.T) {
	for _, c := range []struct{ n, width, want int }{{20, 3, 3}, {20, 0, 8}, {2, 8, 2}, {0, 8, 0}} {
		var now, most atomic.Int32
		done := make([]bool, c.n)
		each(c.n, c.width, func(i int) {
			for n := now.Add(1); ; {
				if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
					break
				}
			}
			time.Sleep(5 * time.Millisecond)
			done[i] = true
			now.Add(-1)
		})
		if int(most.Load()) > c.want || slices.Contains(done, false) {
			t.Errorf("%+v: %d at once", c, most.Load())
		}
	}
}

// TestAPanicInOneMachine is raised in the caller, after the others have ended.
func TestAPanicInOneMachine(t *testing.T) {
	var done atomic.Int32
	defer func() {
		if p := recover(); p == nil || !strings.Contains(fmt.Sprint(p), "boom") || done.Load() != 3 {
			t.Errorf("%v after %d", p, done.Load())
		}
	}()
	each(4, 2, func(i int) {
		if i == 1 {
			panic("boom")
		}
		done.Add(1)
	})
}
