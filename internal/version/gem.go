package version

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Gem is a version as Ruby's Gem::Version has it, which Vagrant uses for boxes and for itself: numbers and words, where a
// word makes a pre-release, which comes before the version without it.
type Gem struct {
	text  string
	parts []gemPart
}

// gemPart is a number, or a word when text is not empty.
type gemPart struct {
	number int64
	text   string
}

var (
	gemVersion = regexp.MustCompile(`^\s*[0-9]+(\.[0-9a-zA-Z]+)*(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?\s*$`)
	gemParts   = regexp.MustCompile(`[0-9]+|[a-zA-Z]+`)
)

// ParseGem reads a version such as 202309.08.0, 1.0.282 or 2.4.0.rc1.
func ParseGem(s string) (Gem, error) {
	if !gemVersion.MatchString(s) || len(s) > 100 {
		return Gem{}, fmt.Errorf("%q is no version of numbers and dots", s)
	}
	g := Gem{text: strings.TrimSpace(s)}
	for _, p := range gemParts.FindAllString(strings.ReplaceAll(g.text, "-", ".pre."), -1) {
		part := gemPart{text: p}
		if n, err := strconv.ParseInt(p, 10, 64); err == nil {
			part = gemPart{number: n}
		}
		g.parts = append(g.parts, part)
	}
	return g, nil
}

// String is the version as it was written.
func (g Gem) String() string { return g.text }

// Compare orders versions: negative when g comes before o. Missing numbers count as 0.
func (g Gem) Compare(o Gem) int {
	for i := range max(len(g.parts), len(o.parts)) {
		if c := comparePart(g.part(i), o.part(i)); c != 0 {
			return c
		}
	}
	return 0
}

func (g Gem) part(i int) gemPart {
	if i < len(g.parts) {
		return g.parts[i]
	}
	return gemPart{}
}

// comparePart orders a word before every number.
func comparePart(a, b gemPart) int {
	if (a.text == "") != (b.text == "") {
		if a.text != "" {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.number, b.number), strings.Compare(a.text, b.text))
}

// bump is the first version that ~> no longer allows: 1.2.3 gives 1.3.
func (g Gem) bump() Gem {
	i := slices.IndexFunc(g.parts, func(p gemPart) bool { return p.text != "" })
	parts := g.parts
	if i >= 0 {
		parts = parts[:i]
	}
	if len(parts) > 1 {
		parts = parts[:len(parts)-1]
	}
	parts = slices.Clone(parts)
	parts[len(parts)-1].number++
	return Gem{parts: parts}
}

// GemRequirement is what Gem::Requirement is: conditions that must all hold.
type GemRequirement struct {
	text  string
	conds []gemCondition
}

type gemCondition struct {
	op string
	v  Gem
}

var gemOperator = regexp.MustCompile(`^\s*(=|!=|>=|<=|~>|>|<)?\s*(.*)$`)

// ParseGemRequirement reads conditions such as "~> 2.3", ">= 1, < 3" and "1.0.0", which is the same as "= 1.0.0". An empty text
// allows every version.
func ParseGemRequirement(s string) (GemRequirement, error) {
	r := GemRequirement{text: strings.TrimSpace(s)}
	if r.text == "" {
		return r, nil
	}
	for _, one := range strings.Split(s, ",") {
		m := gemOperator.FindStringSubmatch(one)
		v, err := ParseGem(m[2])
		if err != nil {
			return GemRequirement{}, errors.New(strconv.Quote(s) + ` is no condition on versions, such as 1.2.3, ">= 1, < 3" or "~> 2.4"`)
		}
		r.conds = append(r.conds, gemCondition{cmp.Or(m[1], "="), v})
	}
	return r, nil
}

// String is the requirement as it was written.
func (r GemRequirement) String() string { return r.text }

// Allows tells whether a version meets every condition.
func (r GemRequirement) Allows(v Gem) bool {
	return !slices.ContainsFunc(r.conds, func(c gemCondition) bool { return !c.allows(v) })
}

func (c gemCondition) allows(v Gem) bool {
	d := v.Compare(c.v)
	switch c.op {
	case "=":
		return d == 0
	case "!=":
		return d != 0
	case ">":
		return d > 0
	case ">=":
		return d >= 0
	case "<":
		return d < 0
	case "<=":
		return d <= 0
	}
	// ~>: Ruby leaves the words of a pre-release out of the upper end
	return d >= 0 && v.release().Compare(c.v.bump()) < 0
}

// release is the version without the words of a pre-release.
func (g Gem) release() Gem {
	if i := slices.IndexFunc(g.parts, func(p gemPart) bool { return p.text != "" }); i >= 0 {
		return Gem{parts: g.parts[:i]}
	}
	return g
}
