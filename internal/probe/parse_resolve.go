package probe

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/packages"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

// textLimit is how much of a package manager's words is kept.
const textLimit = 4 << 10

func parseResolve(b body) (facts.Resolve, error) {
	r := facts.Resolve{Candidates: []facts.Candidate{}, Kernels: []string{}, DevelFor: []string{}}
	m, ok := packages.Of(b.text("manager"))
	if !ok {
		return r, errors.New("it printed nothing: " + b.said())
	}
	offers(&r, b, m)
	r.Vault = vault(b, m)
	name := ""
	for _, f := range b.facts {
		switch f.name {
		case "candidate":
			name = f.text()
		case "answer":
			r.Candidates = append(r.Candidates, candidate(name, f, m, b.yes("aptlists"), r.DevelFor))
		}
	}
	return r, nil
}

// candidate reads one answer. devel are the releases that repositories hold with locks off.
func candidate(name string, f fact, m packages.Manager, aptLists bool, devel []string) facts.Candidate {
	c := facts.Candidate{Name: name, Text: tail(strings.TrimSpace(once(f.cleaned())), textLimit)}
	switch f.text() {
	case "installed":
		c.State = facts.CandInstalled
		return c
	case "late":
		c.State, c.Text = facts.CandError, "not asked: the earlier questions took the time of this section"
		return c
	case "124", "137":
		c.State, c.Text = facts.CandError, strings.TrimSpace("no answer within 25 s "+c.Text)
		return c
	}
	c.State = m.Answer(c.Text, f.text())
	switch {
	case m.Name == "apt" && !aptLists && c.State == facts.CandMissing:
		c.State, c.Text = facts.CandError, "apt has no package lists (apt-get update has not run): "+c.Text
	case c.State == facts.CandMissing && m.Name == "yum" && slices.Contains(devel, releaseIn(name)):
		// yum 3 has the same words for a locked package and for one that nobody offers
		c.State = facts.CandFiltered
	}
	return c
}

// once joins lines and leaves out those that repeat the one before: a dead mirror is tried again and again.
func once(lines []string) string { return strings.Join(slices.Compact(lines), "\n") }

var develName = regexp.MustCompile(`-(?:devel|headers)[-=](\d.*)$`)

// releaseIn is the kernel release in the name of a devel or headers package.
func releaseIn(name string) string {
	if m := develName.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	return ""
}

// offers fills what the repositories hold.
func offers(r *facts.Resolve, b body, m packages.Manager) {
	if b.text("late") != "" {
		r.Text = "the lists were not asked for: the earlier questions took the time of this section"
		return
	}
	for _, name := range []string{"list", "query", "madison", "search", "print"} {
		f, ok := b.first(name)
		if !ok {
			continue
		}
		got := m.Offers(name, f.cleaned())
		if err := f.failed(m.Name); err != nil && len(got) == 0 {
			r.Text = err.Error()
		}
		for _, o := range got {
			if o.Devel {
				r.DevelFor = append(r.DevelFor, o.Release)
			} else {
				r.Kernels = append(r.Kernels, o.Release)
			}
		}
	}
	r.Kernels, r.DevelFor = newestLast(r.Kernels), newestLast(r.DevelFor)
}

// vault reads what the archive of the running kernel's minor release holds.
func vault(b body, m packages.Manager) facts.Vault {
	v := facts.Vault{URL: b.text("vault"), DevelFor: []string{}}
	f, ok := b.first("vaultquery")
	if !ok {
		return facts.Vault{DevelFor: []string{}}
	}
	for _, o := range m.Offers("query", f.cleaned()) {
		v.DevelFor = append(v.DevelFor, o.Release)
	}
	if err := f.failed(m.Name); err != nil && len(v.DevelFor) == 0 {
		v.Text = err.Error()
	}
	v.DevelFor = newestLast(v.DevelFor)
	return v
}

func newestLast(list []string) []string {
	slices.SortFunc(list, func(a, b string) int {
		if c := version.CompareKernels(a, b); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(list)
}
