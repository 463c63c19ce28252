package finding

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

func one(st Status) []Machine {
	return []Machine{{Name: "web", Reachable: true, Findings: []Finding{{ID: "a.b", Status: st}}}}
}

func TestExitCode(t *testing.T) {
	plan := []ActionRecord{{Outcome: Planned}}
	refused := []ActionRecord{{Outcome: Failed}}
	for _, c := range []struct {
		name   string
		r      Report
		strict bool
		want   int
	}{
		{"nothing", Report{}, false, ExitOK},
		{"pass", Report{Machines: one(Pass)}, true, ExitOK},
		{"skip", Report{Machines: one(Skip)}, true, ExitOK},
		{"warn", Report{Machines: one(Warn)}, false, ExitOK},
		{"warn, strict", Report{Machines: one(Warn)}, true, ExitFailed},
		{"fail", Report{Machines: one(Fail)}, false, ExitFailed},
		{"unknown", Report{Machines: one(Unknown)}, false, ExitUnexamined},
		{"no status at all", Report{Machines: one("")}, false, ExitUnexamined},
		{"a status nobody knows", Report{Machines: one("fine")}, false, ExitUnexamined},
		{"a machine not reached", Report{Machines: []Machine{{Name: "web"}}}, false, ExitUnexamined},
		{"a named machine not there", Report{Unreachable: true}, false, ExitUnexamined},
		{"fail before unreachable", Report{Machines: append(one(Fail), Machine{Name: "db"}), Unreachable: true}, false, ExitFailed},
		{"fail before unknown", Report{Machines: append(one(Unknown), one(Fail)...)}, false, ExitFailed},
		{"strict warn before unknown", Report{Machines: append(one(Unknown), one(Warn)...)}, true, ExitFailed},
		{"warn after unknown", Report{Machines: append(one(Unknown), one(Warn)...)}, false, ExitUnexamined},
		{"unverified first", Report{Machines: one(Fail), Unverified: true, Unreachable: true}, true, ExitUnverified},
		{"unverified with all well", Report{Machines: one(Pass), Unverified: true}, false, ExitUnverified},
		{"dry run with a plan", Report{Machines: one(Warn), DryRun: true, Actions: plan}, false, ExitFailed},
		{"dry run without", Report{Machines: one(Pass), DryRun: true}, false, ExitOK},
		{"dry run that can plan nothing", Report{Machines: one(Warn), DryRun: true, Actions: refused}, false, ExitOK},
		{"a real run is judged by findings", Report{Machines: one(Pass), Actions: []ActionRecord{{Outcome: Done}}}, false, ExitOK},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.r.Finish(c.strict)
			if c.r.ExitCode != c.want {
				t.Errorf("exit code %d, want %d", c.r.ExitCode, c.want)
			}
		})
	}
}

func TestFinishSortsAndCounts(t *testing.T) {
	r := Report{Summary: Summary{Pass: 40}, Machines: []Machine{
		{Name: "z", Reachable: true, Findings: []Finding{{ID: "c", Status: Pass}, {ID: "a", Status: Fail}, {ID: "b", Status: Skip}}},
		{Name: "a", Reachable: true, Findings: []Finding{{ID: "d", Status: Warn}, {ID: "b"}}},
	}}
	r.Finish(false)
	r.Finish(false) // counting again does not count twice
	if want := (Summary{Pass: 1, Warn: 1, Fail: 1, Unknown: 1, Skip: 1}); r.Summary != want {
		t.Errorf("%+v, want %+v", r.Summary, want)
	}
	var order []string
	for _, m := range r.Machines {
		order = append(order, m.Name)
		for _, f := range m.Findings {
			order = append(order, f.ID)
		}
	}
	if got := strings.Join(order, " "); got != "z a b c a b d" {
		t.Errorf("machines keep their order, findings are sorted: %s", got)
	}
	if r.SchemaVersion != 1 {
		t.Error(r.SchemaVersion)
	}
}

// TestListsAreNeverNull: jq's .machines[].findings[] must not meet null.
func TestListsAreNeverNull(t *testing.T) {
	bare := []Machine{{Name: "web", Findings: []Finding{{ID: "a.b"}}}, {Name: "db"}}
	for name, r := range map[string]Report{
		"empty": {}, "bare": {Machines: bare, Before: slices.Clone(bare), After: slices.Clone(bare), Actions: []ActionRecord{{}}},
	} {
		r.Finish(false)
		b, err := json.Marshal(r)
		if err != nil || strings.Contains(string(b), "null") {
			t.Errorf("%s: %v %s", name, err, b)
		}
	}
}

func TestVerdicts(t *testing.T) {
	v := Failf("no %s", "headers").Diff("a", "b").Advise("do", "it").Advise("or", "")
	if v.Status != Fail || v.Message != "no headers" || v.Want != "a" || v.Got != "b" || len(v.Advice) != 2 || v.Advice[1] != (Advice{Text: "or"}) {
		t.Errorf("%+v", v)
	}
	for want, got := range map[Status]Verdict{Pass: Passf("x"), Warn: Warnf("x"), Skip: Skipf("x"), Unknown: Cannot(errors.New("x"))} {
		if got.Status != want || got.Message != "x" {
			t.Errorf("%+v, want %s", got, want)
		}
	}
	if !Failf("x").ByHand().NoFix || Failf("x").NoFix {
		t.Error("ByHand")
	}
}
