package knowledge

import (
	"bytes"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/logtext"
)

// joining is a way to make one message of several lines.
type joining int

const (
	asFolded  joining = iota // at blanks, as fold -s and mail programs break lines
	asTheyAre                // not at all
	asWrapped                // at a column, as terminals do
)

var joinings = []joining{asFolded, asTheyAre, asWrapped}

const (
	// narrowest is the narrowest screen whose wrapping is undone.
	narrowest = 40
	// foldedFrom is how long a line must be to have been folded in front of a small letter, leastFolded in front of a word that
	// would not have fitted into it.
	foldedFrom  = 50
	leastFolded = 24
	// usual is the width at which most programs break lines.
	usual = 80
)

// group is the message, as joined in a way, that a line belongs to.
func (s *session) group(line int, how joining) (from, to int) {
	from, to = line, line
	for from > s.oldest(line-near) && !bytes.Equal(s.between(from-1, from, how), newLine) {
		from--
	}
	for to < s.newest(line+near) && !bytes.Equal(s.between(to, to+1, how), newLine) {
		to++
	}
	return from, to
}

var newLine, blank1, nothing = []byte("\n"), []byte(" "), []byte("")

// between is what stands between two lines in a text that is joined in a way.
func (s *session) between(i, j int, how joining) []byte {
	a, b := &s.ring[i%ringSize], &s.ring[j%ringSize]
	switch {
	case a.Cut:
		return nothing
	case how == asTheyAre, j != i+1, a.harmless, b.harmless, len(a.Text) == 0, len(b.Text) == 0, b.Prefixed && !a.Prefixed:
		return newLine
	case how == asWrapped && !b.Prefixed && s.full(i):
		if a.Spaced || b.Indent > 0 || a.Width == s.width(i)-1 {
			return blank1
		}
		return nothing
	case folded(a, b):
		return blank1
	}
	return newLine
}

// folded tells whether the second line looks like the rest of the first, broken at a blank.
func folded(a, b *kept) bool {
	if len(a.Text) == 0 || len(b.Text) == 0 || b.Indent > 2 {
		return false
	}
	word := bytes.IndexByte(b.Text, ' ')
	if word < 0 {
		word = len(b.Text)
	}
	return !begins(b.Text, word) && (a.Spaced || goesOn(a, b, word))
}

// Join cleans a text, undoes the folding of messages and leaves out harmless lines.
func Join(text string) string {
	var out []byte
	var l logtext.Line
	var last kept
	for r := logtext.NewReader(strings.NewReader(text)); r.Next(&l); {
		if isHarmless(l.Text) {
			continue
		}
		k := kept{Line: l}
		if last.Number > 0 {
			out = append(out, '\n')
			if folded(&last, &k) {
				out[len(out)-1] = ' '
			}
		}
		out = append(out, l.Text...)
		last = kept{Line: l}
		last.Text = bytes.Clone(l.Text)
	}
	return string(out)
}

// isHarmless tells of one line by itself whether it is one that never is the fault.
func isHarmless(line []byte) bool {
	lower := lowered(nil, line)
	squeezed := appendSqueezed(nil, lower)
	return slices.ContainsFunc(Current().harmless, func(h Line) bool { return h.match.possible(squeezed) && h.match.re().Match(lower) })
}

// goesOn tells whether the second line, whose first word has so many letters, reads like the middle of a sentence that would not
// have fitted into the first.
func goesOn(a, b *kept, word int) bool {
	last, first := a.Text[len(a.Text)-1], b.Text[0]
	switch {
	case first >= 'a' && first <= 'z' && a.Width >= foldedFrom:
		return true
	case a.Width < leastFolded, last == '.', last == '!', last == ':' && first >= 'A' && first <= 'Z':
		return false
	}
	return a.Width+1+word > usual-8
}

// begins tells whether a line begins a message of its own: VirtualBox Guest Additions:, Error:, make[1]: and the like.
func begins(text []byte, word int) bool {
	first := text[:word]
	return bytes.HasPrefix(text, []byte("VirtualBox Guest Additions:")) ||
		word > 1 && first[word-1] == ':' && (first[0] >= 'A' && first[0] <= 'Z' || bytes.IndexByte(first, '[') >= 0)
}

// full tells whether a line reaches the edge of the screen, or is one blank short of it.
func (s *session) full(i int) bool {
	w := s.ring[i%ringSize].Width
	return w >= narrowest && (w >= s.width(i)-1 || w == usual || w == usual-1)
}

// width is the width of the screen that the lines around one suggest.
func (s *session) width(i int) int {
	w := 0
	for j := s.oldest(i - 2*near); j <= s.newest(i+2*near); j++ {
		w = max(w, s.ring[j%ringSize].Width)
	}
	return w
}
