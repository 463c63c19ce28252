package report

import (
	"strings"
	"unicode/utf8"
)

// Wrap breaks a text into lines of at most width columns, at spaces only: a word that is longer stands on a
// line of its own. Line breaks of the text are kept, runs of spaces are not.
func Wrap(text string, width int) []string {
	var out []string
	for par := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		out = append(out, wrapParagraph(par, width)...)
	}
	return out
}

func wrapParagraph(par string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(par) {
		switch {
		case line == "":
			line = word
		case columns(line)+1+columns(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// cut shortens s to width columns.
func cut(s string, width int) string {
	r := []rune(s)
	if len(r) <= width {
		return s
	}
	return string(r[:max(width-3, 0)]) + "..."
}

// columns counts one per rune; exact enough for wrapping.
func columns(s string) int { return utf8.RuneCountInString(s) }

// pad fills s with spaces up to width columns.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(width-columns(s), 0))
}

// asciiForms are the characters of our own texts that have a plain form.
var asciiForms = strings.NewReplacer("—", "-", "–", "-", "…", "...", "→", "->", "“", `"`, "”", `"`, "‘", "'", "’", "'",
	"≥", ">=", "≤", "<=", "×", "x", "·", "-", "\u00a0", " ")

// ascii replaces what is not ASCII.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r > '~' {
			return '?'
		}
		return r
	}, asciiForms.Replace(s))
}
