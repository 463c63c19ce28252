package report

import (
	"cmp"
	"slices"

	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// place is a finding's position in a report.
type place struct{ machine, finding int }

// folded tells which findings are shown below another one, their root cause.
type folded struct {
	ms []finding.Machine
	// under lists the symptoms of a root cause, the nearest to it first; isSymptom is the reverse.
	under     map[place][]place
	isSymptom map[place]bool
}

// fold walks every shown finding's chain of causes up to its root. A cause is looked for on the same machine
// and then on the host. A chain that ends in something that is not shown, or that turns in a circle, ends one
// step before: nothing is ever hidden below something that is not printed.
func fold(ms []finding.Machine) folded {
	f := folded{ms: ms, under: map[place][]place{}, isSymptom: map[place]bool{}}
	far := map[place]int{}
	for mi, m := range ms {
		for fi := range m.Findings {
			p := place{mi, fi}
			if root, steps := f.root(p); shown(f.at(p).Status) && root != p {
				f.under[root] = append(f.under[root], p)
				f.isSymptom[p], far[p] = true, steps
			}
		}
	}
	for _, symptoms := range f.under {
		slices.SortStableFunc(symptoms, func(a, b place) int { return cmp.Compare(far[a], far[b]) })
	}
	return f
}

func (f folded) at(p place) finding.Finding { return f.ms[p.machine].Findings[p.finding] }

// root follows CausedBy and counts the steps; a circle has no root and leaves the finding where it is.
func (f folded) root(start place) (root place, steps int) {
	seen := map[place]bool{start: true}
	for p := start; ; {
		next, ok := f.cause(p)
		if !ok {
			return p, len(seen) - 1
		}
		if seen[next] {
			return start, 0
		}
		seen[next] = true
		p = next
	}
}

func (f folded) cause(p place) (place, bool) {
	id := f.at(p).CausedBy
	if id == "" {
		return place{}, false
	}
	if c, ok := f.find(p.machine, id); ok {
		return c, true
	}
	for mi, m := range f.ms {
		if c, ok := f.find(mi, id); ok && m.Kind == finding.KindHost {
			return c, true
		}
	}
	return place{}, false
}

func (f folded) find(machine int, id string) (place, bool) {
	for i, x := range f.ms[machine].Findings {
		if x.ID == id && shown(x.Status) {
			return place{machine, i}, true
		}
	}
	return place{}, false
}

// shown tells which findings are printed in full without -v.
func shown(s finding.Status) bool {
	return s != finding.Pass && s != finding.Skip
}
