package vagrantfile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Kinds of Problem.
const (
	// Syntax: no Ruby reads this.
	Syntax = "syntax"
	// Unread: this reader does not understand it; Ruby may.
	Unread = "unread"
	// Unfollowed: understood, but what it does to the configuration is not followed (another file is loaded).
	Unfollowed = "unfollowed"
	// Limit: the file is larger, deeper or longer-running than this reader goes.
	Limit = "limit"
)

// Problem is a place in the Vagrantfile because of which it is not known in full.
type Problem struct {
	Kind   string `json:"kind"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Text   string `json:"text"`
}

// String is the problem with its place.
func (p Problem) String() string {
	return fmt.Sprintf("line %d, column %d: %s", p.Line, p.Column, p.Text)
}

// maxProblems bounds the list: a binary file would have thousands.
const maxProblems = 20

// problems collects what could not be read.
type problems struct {
	lines lines
	list  []Problem
}

func (ps *problems) add(kind string, at span, text string) {
	line, column := ps.lines.at(at.start)
	p := Problem{kind, line, column, text}
	if len(ps.list) < maxProblems && !slices.Contains(ps.list, p) {
		ps.list = append(ps.list, p)
	}
}

func (ps *problems) syntax(at span, text string)     { ps.add(Syntax, at, text) }
func (ps *problems) unread(at span, text string)     { ps.add(Unread, at, text) }
func (ps *problems) unfollowed(at span, text string) { ps.add(Unfollowed, at, text) }
func (ps *problems) limit(at span, text string)      { ps.add(Limit, at, text) }

// sorted are the problems in the order of the file.
func (ps *problems) sorted() []Problem {
	slices.SortStableFunc(ps.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return ps.list
}

// lines holds where each line begins.
type lines []int

func newLines(src string) lines {
	all := lines{0}
	for i := 0; i < len(src); i++ {
		if src[i] == '\n' {
			all = append(all, i+1)
		}
	}
	return all
}

// at tells line and column, both from 1; a column counts bytes.
func (l lines) at(offset int) (line, column int) {
	i, exact := slices.BinarySearch(l, offset)
	if !exact {
		i--
	}
	return i + 1, offset - l[i] + 1
}

// sourceText is the source of an expression in one line, cut to what fits into a message.
func sourceText(src string, at span) string {
	const most = 120
	text := strings.Join(strings.Fields(src[at.start:min(at.end, at.start+4*most, len(src))]), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + " …"
	}
	return strings.ToValidUTF8(text, "?")
}
