// Package checks holds what boxdoctor knows how to judge: one file per area, each a list of small checks.
// A check is one value: metadata and one pure function from facts to a verdict. Nothing here can reach a
// machine, a network or a clock; a test over the import graph keeps it so.
package checks

import (
	"fmt"
	"regexp"
	"sort"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// Targets of a check.
const (
	OnHost  = "host"
	OnGuest = "guest"
)

// Levels of a repair on the host, as the host catalogue gives them. Nothing is ever elevated.
const (
	LevelAuto    = "auto"    // user-level and reversible
	LevelConfirm = "confirm" // changes the project or a VM, or takes something away: asked first
	LevelSudo    = "sudo"    // needs administrator rights: the command is printed
	LevelManual  = "manual"  // only a person can do it
)

// Check is one question about a machine and how to answer it.
type Check struct {
	// ID is lower-case dotted area.name and never changes. A host check carries the host catalogue's id.
	ID    string
	Title string
	// Why is the paragraph for `boxdoctor explain`: what breaks for the user when this check fails.
	Why string
	// Looks says how the facts are observed, for `explain` and -v.
	Looks string
	// Source is where the rule comes from (catalogue rows, issues of other projects).
	Source string
	Target string
	// Rows are the catalogue rows that this check recognises.
	Rows     []string
	Severity finding.Severity
	// Needs are the probe sections whose facts Eval reads; the probe runs the union over all selected checks.
	Needs []facts.Key
	// After: if one of these did not pass or warn, this check is skipped with that reason.
	After []string
	// CausedBy lists the checks that explain a failure of this one, nearest cause first. The finding is then a
	// symptom and is folded under its cause.
	CausedBy []string
	// Level says how far a repair of a host check may go: LevelAuto … LevelManual. Empty for checks of guests.
	Level string
	// Link is the page to read on; empty when there is none better than Source.
	Link string
	// Fix is the id of the fix that clears it, or empty.
	Fix string
	// OnDemand checks are made only when --only names them or their area: they are about software that most guests shall
	// not have.
	OnDemand bool
	// VirtualBoxOnly checks are skipped in a guest that is not a VirtualBox VM.
	VirtualBoxOnly bool
	// Eval is pure and total.
	Eval func(*facts.Facts) finding.Verdict
}

var (
	registry = map[string]Check{}
	idForm   = regexp.MustCompile(`^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$`)
)

// register adds a check at start-up. A duplicate or malformed id is a programming error and panics.
func register(c Check) Check {
	if !idForm.MatchString(c.ID) {
		panic(fmt.Sprintf("check id %q is not lower-case dotted area.name", c.ID))
	}
	if _, dup := registry[c.ID]; dup {
		panic(fmt.Sprintf("check id %q registered twice", c.ID))
	}
	registry[c.ID] = c
	return c
}

// All returns every check, sorted by id.
func All() []Check {
	out := make([]Check, 0, len(registry))
	for _, c := range registry {
		out = append(out, c)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}

// ByID finds one check.
func ByID(id string) (Check, bool) {
	c, ok := registry[id]
	return c, ok
}

// Area is the part of an id before the dot.
func (c Check) Area() string { return area(c.ID) }

func area(id string) string {
	for i := range id {
		if id[i] == '.' {
			return id[:i]
		}
	}
	return id
}
