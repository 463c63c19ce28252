package provision

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// unreachable is a machine that nobody answers at.
func unreachable(name string) Machine {
	return Machine{Name: name, Dial: func(context.Context) (guest.Guest, facts.Reach, error) {
		return nil, facts.Reach{}, errors.New("off")
	}}
}

// A stage across machines does not begin while one of them is not as declared, and says which.
func TestStageWaitsForEveryMachine(t *testing.T) {
	began := false
	s := Stage{Name: "mongo", On: []string{"a", "b"}, Run: func(context.Context, *Crew) []StageStep {
		began = true
		return []StageStep{{Machine: "a", Step: Step{Resource: "mongo/x", Result: Changed}, Unverified: true}, {Machine: "nobody"}}
	}}
	a := &run{m: Machine{Name: "a"}, guest: nopGuest{}, steps: []Step{{Resource: "package/x", Result: OK}}}
	b := &run{m: Machine{Name: "b"}, guest: nopGuest{}, steps: []Step{{Resource: "package/x", Result: Failed}}}
	s.run(t.Context(), []*run{a, b}, false)
	last := a.steps[len(a.steps)-1]
	if began || last.Result != Skipped || !strings.Contains(last.Message, "b is not as declared") {
		t.Errorf("began %v, %+v", began, last)
	}
	s.run(t.Context(), []*run{a}, false)
	if last = a.steps[len(a.steps)-1]; began || !strings.Contains(last.Message, "b is not among the machines") {
		t.Errorf("began %v, %+v", began, last)
	}
	a.steps, b.steps = a.steps[:1], []Step{{Resource: "package/x", Result: Changed}}
	s.run(t.Context(), []*run{a, b}, false)
	if last = a.steps[len(a.steps)-1]; !began || last.Result != Changed || !a.out.Unverified || len(b.steps) != 1 {
		t.Errorf("began %v, %+v %+v", began, a, b)
	}
}

func TestStageOfUnreachableMachinesIsSkipped(t *testing.T) {
	rep := Run(t.Context(), []Machine{unreachable("a")}, Options{RunID: func() string { return "r" },
		Stages: []Stage{{Name: "mongo", On: []string{"a"}, Run: func(context.Context, *Crew) []StageStep { t.Error("it ran"); return nil }}}})
	if rep.ExitCode != 3 || rep.Machines[0].Reachable {
		t.Errorf("%+v", rep)
	}
}

// Calls go through the interpreter: recorded before and after, not begun after Ctrl-C.
func TestCrewDo(t *testing.T) {
	j := &memoryJournal{}
	stop := make(chan struct{})
	r := &run{m: Machine{Name: "a"}, target: &action.Target{Machine: "a", Journal: j, Stop: stop}}
	c := &Crew{runs: map[string]*run{"a": r}}
	made := 0
	call := action.Call{Name: "initiate", Text: "replSetInitiate", Undo: "by hand", Make: func(context.Context) error { made++; return errors.New("no") }}
	if err := c.Do(t.Context(), "a", "mongo/rs0", call); err == nil || made != 1 || len(j.entries) != 2 || j.entries[0].Undo != "by hand" || j.entries[1].State != "failed" {
		t.Errorf("%v %+v", err, j.entries)
	}
	close(stop)
	if err := c.Do(t.Context(), "a", "mongo/rs0", call); !errors.Is(err, action.ErrStopped) || made != 1 {
		t.Errorf("%v, made %d", err, made)
	}
	if err := c.Do(t.Context(), "b", "mongo/rs0", call); err == nil {
		t.Error("a machine that is not there was worked on")
	}
}

type memoryJournal struct{ entries []action.Entry }

func (m *memoryJournal) Record(e action.Entry) error { m.entries = append(m.entries, e); return nil }

// nopGuest is a connection that is never used.
type nopGuest struct{ guest.Guest }
