package engine

import (
	"maps"
	"slices"

	"github.com/boxdoctor/boxdoctor/checks"
	"github.com/boxdoctor/boxdoctor/fixes"
	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// unverified tells whether something was changed and a targeted check does not pass now: one that a begun fix
// promised to clear and that did not pass before, or one that a fix still has something to do for.
func (d *repair) unverified() bool {
	if len(d.begun) == 0 {
		return false
	}
	if len(plan(d.seen, d.o, nil)) > 0 {
		return true
	}
	before, after := statuses(d.before.Findings), statuses(d.seen.findings)
	for id := range d.begun {
		f, ok := fixes.ByID(id)
		if !ok {
			continue
		}
		for _, c := range f.Clears {
			if needed(before[c]) && !cleared(c, after) {
				return true
			}
		}
	}
	return !d.seen.reached
}

// cleared tells whether a check passes or does not apply any more. One that was skipped because another check
// fails proves nothing.
func cleared(id string, now map[string]finding.Status) bool {
	switch now[id] {
	case finding.Pass:
		return true
	case finding.Skip:
		c, _ := checks.ByID(id)
		return !slices.ContainsFunc(c.After, func(a string) bool {
			st, seen := now[a]
			return seen && st != finding.Pass && st != finding.Warn
		})
	}
	return false
}

func needed(s finding.Status) bool { return s == finding.Fail || s == finding.Warn }

// regressions names checks that passed before and do not any more, unless another finding explains them.
func (d *repair) regressions() {
	before := statuses(d.before.Findings)
	for _, f := range d.seen.findings {
		if before[f.ID] == finding.Pass && needed(f.Status) && f.CausedBy == "" {
			d.note("%s passed before and is now %s", f.ID, f.Status)
		}
	}
}

// untried names the fixes that are still wanted and were kept back by a failed one.
func (d *repair) untried() {
	all := byID(wanted(d.seen.findings, d.o.OnlyFixes))
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if _, was := d.tried[id]; was {
			continue
		}
		if b := blocker(all[id], all, d.tried, 0); b != "" {
			d.note("%s was not tried, because %s, which comes before it, did not succeed", id, b)
		}
	}
}

func statuses(fs []finding.Finding) map[string]finding.Status {
	m := make(map[string]finding.Status, len(fs))
	for _, f := range fs {
		m[f.ID] = f.Status
	}
	return m
}
