package engine

import (
	"slices"

	"github.com/boxdoctor/boxdoctor/checks"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// choose returns the checks of one target that --only and --skip leave, sorted by id; those on demand only when they are named.
func choose(target string, o Options) []checks.Check {
	var out []checks.Check
	for _, c := range checks.All() {
		if c.Target != target || named(o.Skip, c) {
			continue
		}
		if len(o.Only) == 0 && !c.OnDemand || named(o.Only, c) {
			out = append(out, c)
		}
	}
	return out
}

// Selects tells whether --only and --skip leave any check.
func Selects(only, skip []string) bool {
	o := Options{Only: only, Skip: skip}
	return len(choose(checks.OnHost, o))+len(choose(checks.OnGuest, o)) > 0
}

func named(list []string, c checks.Check) bool {
	return slices.Contains(list, c.ID) || slices.Contains(list, c.Area())
}

// closure adds what the chosen checks stand on, so that "skipped: needs X" is decided by X and not by --only.
func closure(selected []checks.Check) []checks.Check {
	seen := map[string]bool{}
	var out []checks.Check
	var add func(c checks.Check)
	add = func(c checks.Check) {
		if seen[c.ID] {
			return
		}
		seen[c.ID] = true
		out = append(out, c)
		for _, id := range c.After {
			if dep, ok := checks.ByID(id); ok {
				add(dep)
			}
		}
	}
	for _, c := range selected {
		add(c)
	}
	return out
}

// inOrder sorts so that every check comes after those it names in After. A cycle is a programming error that
// a test of the registry catches; here its members simply come last.
func inOrder(cs []checks.Check) []checks.Check {
	done := map[string]bool{}
	present := map[string]bool{}
	for _, c := range cs {
		present[c.ID] = true
	}
	var out []checks.Check
	for range cs {
		for _, c := range cs {
			if done[c.ID] || slices.ContainsFunc(c.After, func(id string) bool { return present[id] && !done[id] }) {
				continue
			}
			done[c.ID] = true
			out = append(out, c)
		}
	}
	for _, c := range cs {
		if !done[c.ID] {
			out = append(out, c)
		}
	}
	return out
}

// needs is the union of the sections that the checks read. Whether sudo works is always among them: it decides
// who probes.
func needs(selected []checks.Check) []facts.Key {
	var out []facts.Key
	for _, c := range closure(selected) {
		for _, k := range c.Needs {
			if !slices.Contains(out, k) {
				out = append(out, k)
			}
		}
		if c.VirtualBoxOnly && !slices.Contains(out, facts.KeySystem) {
			out = append(out, facts.KeySystem)
		}
	}
	if len(out) > 0 && !slices.Contains(out, facts.KeySudo) {
		out = append(out, facts.KeySudo)
	}
	return out
}
