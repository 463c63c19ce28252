package checks

import (
	"slices"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
)

func TestEveryCheckIsComplete(t *testing.T) {
	for _, c := range All() {
		if c.Title == "" || c.Why == "" || c.Looks == "" || c.Source == "" || c.Eval == nil || c.Severity == "" {
			t.Errorf("%s: title, why, looks, source, severity and eval are all required", c.ID)
		}
		if c.Target != OnHost && c.Target != OnGuest {
			t.Errorf("%s: target %q", c.ID, c.Target)
		}
		for _, id := range append(slices.Clone(c.After), c.CausedBy...) {
			other, ok := ByID(id)
			if !ok {
				t.Errorf("%s names %s, which does not exist", c.ID, id)
			} else if other.Target != c.Target {
				t.Errorf("%s names %s of the other target", c.ID, id)
			}
			if id == c.ID {
				t.Errorf("%s names itself", c.ID)
			}
		}
	}
}

func TestAfterHasNoCycle(t *testing.T) { noCycle(t, func(c Check) []string { return c.After }) }

// A finding could otherwise be its own cause, and the fold of symptoms under causes would never end.
func TestCausedByHasNoCycle(t *testing.T) { noCycle(t, func(c Check) []string { return c.CausedBy }) }

func noCycle(t *testing.T, next func(Check) []string) {
	t.Helper()
	var visit func(id string, path []string)
	visit = func(id string, path []string) {
		if slices.Contains(path, id) {
			t.Fatalf("cycle: %v -> %s", path, id)
		}
		c, _ := ByID(id)
		for _, n := range next(c) {
			visit(n, append(slices.Clone(path), id))
		}
	}
	for _, c := range All() {
		visit(c.ID, nil)
	}
}

// Over no facts at all every check must say that it cannot tell: "could not tell" is never "ok".
func TestNothingObservedIsNeverPass(t *testing.T) {
	for _, c := range All() {
		v := c.Eval(&facts.Facts{})
		if v.Status != finding.Unknown && v.Status != finding.Skip {
			t.Errorf("%s says %s over no facts: %s", c.ID, v.Status, v.Message)
		}
		if v.Message == "" {
			t.Errorf("%s gives no reason", c.ID)
		}
	}
}

func TestRegisterRefusesDuplicatesAndMalformedIDs(t *testing.T) {
	for _, id := range []string{reachable, "NoDots", "upper.Case", "three.part.id", ""} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("register(%q) did not panic", id)
				}
			}()
			register(Check{ID: id})
		}()
	}
}
