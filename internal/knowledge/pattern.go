package knowledge

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// pattern is an expression with the texts that must occur where it matches: looking for them first makes a text without any
// hit a hundred times cheaper, and most texts are without most hits. They are in lower case and without white space.
type pattern struct {
	// re is made when it is first tried: most never are, and making all of them takes longer than reading most texts.
	re func() *regexp.Regexp
	// needs are texts of which one is in every match: what the whole text is searched for.
	needs []string
	// sets are what is looked for before the expression is tried; alternatives are, for each alternative of the expression, which
	// of them have a member in every match.
	sets         [][]string
	alternatives [][]int
}

// flags of every expression: letter case does not matter, ^ and $ are ends of lines, a dot is not a new line.
const flags = "(?im)"

// leastLiteral is the shortest text that is worth looking for.
const leastLiteral = 4

var errNoText = errors.New("no fixed text of at least four characters is in every match, so it would be tried on everything")

// compile makes a pattern. Its expression is for texts in lower case, see lowered: that is several times faster than an expression
// that tries both cases.
func compile(expr string) (pattern, error) {
	tree, err := syntax.Parse(flags+expr, syntax.Perl)
	if err != nil {
		return pattern{}, err
	}
	if name := badCapture(tree); name != "" {
		return pattern{}, fmt.Errorf("unknown capture %q (known: %s)", name, captureNames())
	}
	lowerCase(tree)
	p := pattern{re: sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(tree.String()) })}
	complete := true
	for _, parts := range split(tree) {
		sets := candidates(parts)
		need := best(sets)
		p.needs, complete = append(p.needs, need...), complete && need != nil
		p.alternatives = append(p.alternatives, p.demand(sets))
	}
	if !complete {
		p.needs = nil
	}
	return p, nil
}

// compileNeedy is compile for an expression that must have a text to look for.
func compileNeedy(expr string) (pattern, error) {
	p, err := compile(expr)
	if err == nil && len(p.needs) == 0 {
		err = errNoText
	}
	return p, err
}

// captured are the named groups of a match that is not empty.
func (p pattern) captured(text []byte, loc []int) map[string]string {
	var out map[string]string
	for i, name := range p.re().SubexpNames() {
		if name != "" && loc[2*i] >= 0 {
			if out == nil {
				out = map[string]string{}
			}
			out[name] = string(text[loc[2*i]:loc[2*i+1]])
		}
	}
	return out
}

// lowerCase makes an expression that ignores case one for texts in lower case. Letters beyond ASCII keep both cases.
func lowerCase(re *syntax.Regexp) {
	if re.Op == syntax.OpLiteral && !slices.ContainsFunc(re.Rune, func(r rune) bool { return r >= utf8.RuneSelf }) {
		re.Flags &^= syntax.FoldCase
		for i, r := range re.Rune {
			re.Rune[i] = unicode.ToLower(r)
		}
	}
	for _, sub := range re.Sub {
		lowerCase(sub)
	}
}

// lowered appends a text with its ASCII letters in lower case, which patterns are made for. Places stay the same.
func lowered(dst, text []byte) []byte {
	for _, c := range text {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// in tells whether an expression matches anywhere in a text of any case.
func (p pattern) in(text []byte) bool { return p.re().Match(lowered(nil, text)) }

// mostSets bounds the sets that are looked for; those beyond are taken for found.
const mostSets = 64

// possible tells whether an expression can match in a text, which is given in lower case and without white space.
func (p pattern) possible(squeezed []byte) bool {
	var known, there [mostSets]bool
	has := func(i int) bool {
		if !known[i] {
			known[i] = true
			there[i] = slices.ContainsFunc(p.sets[i], func(text string) bool { return bytes.Contains(squeezed, []byte(text)) })
		}
		return there[i]
	}
	return slices.ContainsFunc(p.alternatives, func(sets []int) bool {
		return !slices.ContainsFunc(sets, func(i int) bool { return !has(i) })
	})
}

// split are the alternatives of an expression, each as a sequence of parts. What the parser put before a bracket because
// alternatives begin alike is given back to each.
func split(re *syntax.Regexp) [][]*syntax.Regexp {
	switch re.Op {
	case syntax.OpCapture:
		return split(re.Sub[0])
	case syntax.OpAlternate:
		var out [][]*syntax.Regexp
		for _, sub := range re.Sub {
			out = append(out, split(sub)...)
		}
		return out
	case syntax.OpConcat:
		out := [][]*syntax.Regexp{nil}
		for _, part := range re.Sub {
			out = distribute(out, part)
		}
		return out
	}
	return [][]*syntax.Regexp{{re}}
}

// distribute appends a part to sequences, or each of its alternatives to each of them.
func distribute(sequences [][]*syntax.Regexp, part *syntax.Regexp) [][]*syntax.Regexp {
	forms := [][]*syntax.Regexp{{part}}
	if _, few := exact(part); !few && (part.Op == syntax.OpAlternate || part.Op == syntax.OpCapture) {
		if all := split(part); len(all)*len(sequences) <= mostTexts {
			forms = all
		}
	}
	var out [][]*syntax.Regexp
	for _, s := range sequences {
		for _, f := range forms {
			out = append(out, append(slices.Clip(s), f...))
		}
	}
	return out
}

// demand enters the sets of an alternative that have at least two letters, those first that are looked for quickly.
func (p *pattern) demand(all [][]string) (numbers []int) {
	all = slices.DeleteFunc(all, func(set []string) bool { return shortest(set) < 2 })
	slices.SortStableFunc(all, func(a, b []string) int { return cmp.Or(len(a)-len(b), shortest(b)-shortest(a)) })
	for _, set := range all {
		n := slices.IndexFunc(p.sets, func(have []string) bool { return slices.Equal(have, set) })
		if n < 0 && len(p.sets) < mostSets {
			n = len(p.sets)
			p.sets = append(p.sets, set)
		}
		if n >= 0 {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// mostTexts bounds the texts of one expression.
const mostTexts = 32

// required are texts of which every match of a part holds at least one; nil when there is no such set.
func required(re *syntax.Regexp) []string {
	var out []string
	for _, parts := range split(re) {
		if len(parts) == 1 && parts[0] == re {
			return inside(re)
		}
		set := best(candidates(parts))
		if set == nil {
			return nil
		}
		out = append(out, set...)
	}
	return out
}

// inside is required for a part that is no sequence and no choice.
func inside(re *syntax.Regexp) []string {
	switch {
	case re.Op == syntax.OpPlus, re.Op == syntax.OpRepeat && re.Min > 0:
		return required(re.Sub[0])
	case re.Op == syntax.OpLiteral: // with letters whose case is more than ASCII's
		longest := ""
		for _, part := range strings.FieldsFunc(string(re.Rune), cased) {
			if part = squeeze(part); len(part) > len(longest) {
				longest = part
			}
		}
		return []string{longest}
	}
	return nil
}

// best is the set whose shortest text is the longest: it occurs least often by chance.
func best(sets [][]string) []string {
	var out []string
	for _, set := range sets {
		if set = useful(set); shortest(set) > shortest(out) {
			out = set
		}
	}
	return out
}

// candidates are sets of texts of which each has a member in every match of a sequence. Neighbours that have only a few forms
// count as one part.
func candidates(parts []*syntax.Regexp) [][]string {
	var out [][]string
	run := []string{""}
	for _, p := range parts {
		set, ok := exact(p)
		repeated := !ok && (p.Op == syntax.OpPlus || p.Op == syntax.OpRepeat && p.Min > 0)
		if repeated { // what it begins with follows what is before, what it ends with is followed by what is behind
			set, ok = exact(p.Sub[0])
		}
		joined := cross(run, set)
		switch {
		case !ok:
			out, run = append(out, run, required(p)), []string{""}
		case len(joined) > mostTexts:
			out, run = append(out, run), set
		case repeated:
			out, run = append(out, joined), set
		default:
			run = joined
		}
	}
	return append(out, run)
}

// exact are all the texts that an expression matches, in lower case and without white space, when they are few.
func exact(re *syntax.Regexp) ([]string, bool) {
	switch re.Op {
	case syntax.OpLiteral:
		return []string{squeeze(string(re.Rune))}, !slices.ContainsFunc(re.Rune, cased)
	case syntax.OpCapture:
		return exact(re.Sub[0])
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return []string{""}, true
	case syntax.OpStar, syntax.OpPlus, syntax.OpRepeat:
		return []string{""}, blank(re.Sub[0])
	case syntax.OpQuest:
		set, ok := exact(re.Sub[0])
		return append([]string{""}, set...), ok
	case syntax.OpCharClass:
		return letters(re)
	case syntax.OpConcat:
		return sequence(re.Sub)
	case syntax.OpAlternate:
		return alternatives(re.Sub)
	}
	return nil, false
}

func sequence(parts []*syntax.Regexp) ([]string, bool) {
	out := []string{""}
	for _, p := range parts {
		set, ok := exact(p)
		if out = cross(out, set); !ok || len(out) > mostTexts {
			return nil, false
		}
	}
	return out, true
}

func alternatives(parts []*syntax.Regexp) ([]string, bool) {
	var out []string
	for _, p := range parts {
		set, ok := exact(p)
		if out = append(out, set...); !ok || len(out) > mostTexts {
			return nil, false
		}
	}
	return out, true
}

// letters are the members of a small class of characters.
func letters(re *syntax.Regexp) ([]string, bool) {
	if blank(re) {
		return []string{""}, true
	}
	var out []string
	for i := 0; i < len(re.Rune); i += 2 {
		for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
			if out = append(out, squeeze(string(r))); len(out) > 10 || cased(r) && r != 'ſ' && r != '\u212a' {
				return nil, false
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), true
}

// blank tells the classes of white space.
func blank(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpCharClass:
		for i := 0; i < len(re.Rune); i += 2 {
			if !unicode.IsSpace(re.Rune[i]) || !unicode.IsSpace(re.Rune[i+1]) || re.Rune[i+1]-re.Rune[i] > 4 {
				return false
			}
		}
		return true
	case syntax.OpLiteral:
		return strings.TrimSpace(string(re.Rune)) == ""
	}
	return false
}

func cross(a, b []string) []string {
	var out []string
	for _, x := range a {
		for _, y := range b {
			out = append(out, x+y)
		}
	}
	return out
}

// cased tells letters beyond ASCII that have another case: the first look does not know which.
func cased(r rune) bool { return r >= utf8.RuneSelf && unicode.SimpleFold(r) != r }

// squeeze is a text as it is looked for: in lower case and without white space, so that it does not matter where a line was
// broken.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return -1
		case r == 'ſ':
			return 's'
		case r == '\u212a':
			return 'k'
		}
		return unicode.ToLower(r)
	}, s)
}

// useful is a set whose texts are all long enough; else nil.
func useful(set []string) []string {
	if len(set) == 0 || shortest(set) < leastLiteral {
		return nil
	}
	return set
}

func shortest(set []string) int {
	if len(set) == 0 {
		return 0
	}
	return len(slices.MinFunc(set, func(a, b string) int { return len(a) - len(b) }))
}
