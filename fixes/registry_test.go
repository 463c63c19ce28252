package fixes

import (
	"slices"
	"testing"

	"github.com/boxdoctor/boxdoctor/checks"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

func TestEveryFixIsComplete(t *testing.T) {
	for _, f := range All() {
		if f.Title == "" || f.Why == "" || f.Plan == nil || len(f.Clears) == 0 {
			t.Errorf("%s: title, why, clears and plan are all required", f.ID)
		}
		for _, id := range f.Clears {
			if _, ok := checks.ByID(id); !ok {
				t.Errorf("%s clears %s, which does not exist", f.ID, id)
			}
		}
		for _, id := range f.After {
			if _, ok := ByID(id); !ok {
				t.Errorf("%s comes after %s, which does not exist", f.ID, id)
			}
		}
	}
}

func TestEveryFixOfACheckExistsAndClearsIt(t *testing.T) {
	for _, c := range checks.All() {
		if c.Fix == "" {
			continue
		}
		f, ok := ByID(c.Fix)
		if !ok {
			t.Errorf("check %s names fix %s, which does not exist", c.ID, c.Fix)
			continue
		}
		if !slices.Contains(f.Clears, c.ID) {
			t.Errorf("check %s names fix %s, which does not promise to clear it", c.ID, c.Fix)
		}
	}
}

func TestAfterHasNoCycle(t *testing.T) {
	var visit func(id string, path []string)
	visit = func(id string, path []string) {
		if slices.Contains(path, id) {
			t.Fatalf("cycle: %v -> %s", path, id)
		}
		f, _ := ByID(id)
		for _, n := range f.After {
			visit(n, append(slices.Clone(path), id))
		}
	}
	for _, f := range All() {
		visit(f.ID, nil)
	}
}

// A plan over nothing observed must not act.
func TestNothingObservedIsNeverActedOn(t *testing.T) {
	for _, f := range All() {
		actions, _ := f.Plan(Input{Facts: &facts.Facts{}, RunID: "0"})
		if len(actions) > 0 {
			t.Errorf("%s plans %v over no facts", f.ID, actions)
		}
	}
}
