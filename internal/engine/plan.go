package engine

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/fixes"
	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// plan turns findings into the fixes that clear them, in the order in which they would run. A fix that has
// been tried in this run is not planned again, and neither is one that waits, directly or not, for a fix that
// failed.
func plan(s observation, o FixOptions, tried map[string]bool) []PlannedFix {
	in := o.Plan
	f := s.facts
	in.Facts = &f
	chosen := map[string]fixes.Fix{}
	all := byID(wanted(s.findings, o.OnlyFixes))
	for id, fix := range all {
		if _, again := tried[id]; !again && blocker(fix, all, tried, 0) == "" {
			chosen[id] = fix
		}
	}
	return settle(chosen, in)
}

func byID(list []fixes.Fix) map[string]fixes.Fix {
	m := map[string]fixes.Fix{}
	for _, f := range list {
		m[f.ID] = f
	}
	return m
}

// settle plans every chosen fix in the hope that those before it succeed, drops the ones with nothing to do, and
// plans again, without hope, what then waits for nothing: only such a plan is ever executed.
func settle(chosen map[string]fixes.Fix, in fixes.Input) []PlannedFix {
	for {
		ps := ordered(planAll(chosen, in))
		left := map[string]fixes.Fix{}
		for _, p := range ps {
			left[p.Fix.ID] = p.Fix
		}
		if len(left) == len(chosen) {
			return ps
		}
		chosen = left
	}
}

func planAll(chosen map[string]fixes.Fix, in fixes.Input) []PlannedFix {
	var out []PlannedFix
	for _, fix := range chosen {
		p := PlannedFix{Fix: fix}
		in.Hopeful = len(before(fix, chosen, map[string]bool{})) > 0
		p.Actions, p.Err = planOne(fix, in)
		if p.Err != nil || len(p.Actions) > 0 {
			out = append(out, p)
		}
	}
	return out
}

// planOne makes a panic in a plan that fix's own failure; the others go on.
func planOne(fix fixes.Fix, in fixes.Input) (actions []action.Action, err error) {
	defer func() {
		if p := recover(); p != nil {
			actions, err = nil, fmt.Errorf("the plan itself failed (%v); please report this: %.400s", p, debug.Stack())
		}
	}()
	return fix.Plan(in)
}

// wanted are the fixes of failing findings, and of warnings that are more than minor. With --only a warning
// of any severity is repaired: the user named it.
func wanted(fs []finding.Finding, only []string) []fixes.Fix {
	seen := map[string]bool{}
	var out []fixes.Fix
	for _, f := range fs {
		fix, ok := fixes.ByID(f.Fix)
		if !ok || seen[fix.ID] || !worth(f, fix, only) {
			continue
		}
		seen[fix.ID] = true
		out = append(out, fix)
	}
	return out
}

func worth(f finding.Finding, fix fixes.Fix, only []string) bool {
	if len(only) > 0 {
		return slices.Contains(only, fix.ID) || slices.Contains(only, f.ID)
	}
	return f.Status == finding.Fail || (f.Status == finding.Warn && f.Severity != finding.Minor)
}

// blocker is the failed fix that keeps this one from being tried, or nothing: one that it comes after, or one that
// a wanted fix before it comes after. level bounds a cycle, which a test of the registry forbids.
func blocker(fix fixes.Fix, wanted map[string]fixes.Fix, tried map[string]bool, level int) string {
	for _, id := range fix.After {
		ok, was := tried[id]
		if was && !ok {
			return id
		}
		if earlier, is := wanted[id]; is && !was && level < len(wanted) {
			if b := blocker(earlier, wanted, tried, level+1); b != "" {
				return b
			}
		}
	}
	return ""
}

// ordered sorts by stage, then impact, then id.
func ordered(ps []PlannedFix) []PlannedFix {
	planned := map[string]fixes.Fix{}
	for _, p := range ps {
		planned[p.Fix.ID] = p.Fix
	}
	for i := range ps {
		ps[i].Later = before(ps[i].Fix, planned, map[string]bool{})
		ps[i].Depth = depth(ps[i].Fix, planned, 0)
	}
	slices.SortFunc(ps, func(a, b PlannedFix) int {
		return cmp.Or(cmp.Compare(a.Depth, b.Depth), cmp.Compare(a.Fix.Impact, b.Fix.Impact), strings.Compare(a.Fix.ID, b.Fix.ID))
	})
	return ps
}

// before lists the planned fixes that fix waits for, nearest first.
func before(fix fixes.Fix, planned map[string]fixes.Fix, seen map[string]bool) []string {
	var out []string
	for _, id := range fix.After {
		if p, ok := planned[id]; ok && !seen[id] {
			seen[id] = true
			out = append(out, id)
			out = append(out, before(p, planned, seen)...)
		}
	}
	return out
}

// depth is the length of the longest chain of planned fixes before this one. level bounds a cycle, which a
// test of the registry forbids.
func depth(fix fixes.Fix, planned map[string]fixes.Fix, level int) int {
	deepest := 0
	for _, id := range fix.After {
		if p, ok := planned[id]; ok && level < len(planned) {
			deepest = max(deepest, 1+depth(p, planned, level+1))
		}
	}
	return deepest
}

// ready are the fixes that wait for nothing and can be planned.
func ready(ps []PlannedFix) []PlannedFix {
	var out []PlannedFix
	for _, p := range ps {
		if len(p.Later) == 0 && p.Err == nil {
			out = append(out, p)
		}
	}
	return out
}

func (p PlannedFix) stage() int { return p.Depth + 1 }

func join(ids []string) string { return strings.Join(ids, ", ") }
