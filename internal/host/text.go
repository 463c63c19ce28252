package host

import (
	"bytes"
	"strings"
	"unicode"
)

// bom opens files that some Windows editors wrote.
var bom = []byte("\xef\xbb\xbf")

// plain makes text of another program safe to keep: no byte order mark, no CR, no invalid UTF-8.
func plain(s string) string {
	s = strings.TrimPrefix(s, string(bom))
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\r", ""), "\uFFFD")
}

// clean removes control characters and escapes from one value (a VM name, a path) before it reaches a person.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, plain(s))
}

// lines splits cleaned text; the result has no line ends.
func lines(s string) []string { return strings.Split(plain(s), "\n") }

func trimBOM(b []byte) []byte { return bytes.TrimPrefix(b, bom) }

// nearest returns the candidate with the smallest edit distance to name, or "" when none is close.
func nearest(name string, candidates []string) string {
	best, limit := "", max(2, len(name)/3)+1
	for _, c := range candidates {
		if d := distance(strings.ToLower(name), strings.ToLower(c)); d < limit {
			best, limit = c, d
		}
	}
	return best
}

// distance is how many slips lie between two short texts, by bytes: a letter too many, missing, wrong, or two neighbours
// that changed places (Levenshtein's distance with transpositions). Long texts count as far apart.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 1000
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range len(b) {
			slip := 0
			if a[i] != b[j] {
				slip = 1
			}
			row[j+1] = min(last[j]+slip, row[j]+1, last[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
