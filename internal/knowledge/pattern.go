package knowledge

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// pattern is an expression with the texts of which one must occur where it matches: looking for them first makes
// a text without any hit a hundred times cheaper, and most texts are without most hits.
type pattern struct {
	re    *regexp.Regexp
	needs []string // lower case; empty: always try
}

// flags of every expression: letter case does not matter, ^ and $ are ends of lines, a dot is not a new line.
const flags = "(?im)"

func compile(expr string) (pattern, error) {
	re, err := regexp.Compile(flags + expr)
	if err != nil {
		return pattern{}, err
	}
	if name := badCapture(re); name != "" {
		return pattern{}, fmt.Errorf("unknown capture %q (known: %s)", name, captureNames())
	}
	tree, err := syntax.Parse(flags+expr, syntax.Perl)
	if err != nil {
		return pattern{}, err
	}
	return pattern{re: re, needs: required(tree)}, nil
}

// find is the place of the first match, or nil. lower is the text in lower case.
func (p pattern) find(text, lower string) []int {
	possible := len(p.needs) == 0 || slices.ContainsFunc(p.needs, func(n string) bool { return strings.Contains(lower, n) })
	if !possible {
		return nil
	}
	return p.re.FindStringIndex(text)
}

// leastLiteral is the shortest text that is worth looking for.
const leastLiteral = 3

// required are texts of which every match holds at least one; nil when there is no such set.
func required(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		if s := strings.ToLower(string(re.Rune)); len(s) >= leastLiteral {
			return []string{s}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return required(re.Sub[0])
	case syntax.OpConcat:
		return best(re.Sub)
	case syntax.OpAlternate:
		return union(re.Sub)
	}
	return nil
}

// best is the set of the part whose shortest text is the longest: it occurs least often by chance.
func best(parts []*syntax.Regexp) []string {
	var out []string
	for _, p := range parts {
		if set := required(p); shortest(set) > shortest(out) {
			out = set
		}
	}
	return out
}

func union(parts []*syntax.Regexp) []string {
	var out []string
	for _, p := range parts {
		set := required(p)
		if set == nil {
			return nil
		}
		out = append(out, set...)
	}
	return out
}

func shortest(set []string) int {
	if len(set) == 0 {
		return 0
	}
	return len(slices.MinFunc(set, func(a, b string) int { return len(a) - len(b) }))
}
