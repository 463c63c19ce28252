package report

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// escape matches terminal control sequences as a whole, so that stripping does not leave their tails behind:
// CSI, the string sequences (OSC, DCS, SOS, PM, APC) with their terminator, and two- and three-byte escapes.
// An unterminated string sequence is cut at the end of its line, not at the end of the text.
var escape = regexp.MustCompile("(?:\x1b\\[|\u009b)[0-?]*[ -/]*[@-~]?" +
	"|(?:\x1b[\\]PX^_]|[\u009d\u0090\u0098\u009e\u009f])[^\x07\x1b\u009c\n]*(?:\x07|\x1b\\\\|\u009c)?" +
	"|\x1b[ -/]*[0-~]?")

// Clean takes everything out of a text that could steer a terminal or disguise what is read: escape
// sequences, control characters but newline and tab, and bidirectional overrides; invalid UTF-8 becomes U+FFFD.
// Guest output is cleaned where it is read; this is the second fence, before the screen.
func Clean(s string) string {
	if plain(s) {
		return s
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(keep, escape.ReplaceAllString(s, ""))
}

// cleanLine is Clean for what must stay on one line: names, ids, titles.
func cleanLine(s string) string { return strings.ReplaceAll(Clean(s), "\n", " ") }

// plain is the common case: printable ASCII only.
func plain(s string) bool {
	for i := range len(s) {
		if (s[i] < ' ' && s[i] != '\n') || s[i] > '~' {
			return false
		}
	}
	return true
}

func keep(r rune) rune {
	switch {
	case r == '\n', r == '\t':
		return r
	case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029', r == '\uFEFF':
		return -1
	}
	return r
}

// cleaned is a deep copy of the report with every text cleaned.
func cleaned(r finding.Report) finding.Report {
	r.Boxdoctor, r.Notes = Clean(r.Boxdoctor), each(r.Notes, Clean)
	r.Machines = each(r.Machines, cleanMachine)
	r.Before, r.After = each(r.Before, cleanMachine), each(r.After, cleanMachine)
	r.Actions = each(r.Actions, cleanAction)
	return r
}

func cleanMachine(m finding.Machine) finding.Machine {
	m.Name, m.Note = cleanLine(m.Name), cleanLine(m.Note)
	m.Findings = each(m.Findings, cleanFinding)
	return m
}

func cleanFinding(f finding.Finding) finding.Finding {
	f.ID, f.Title, f.Fix, f.CausedBy = cleanLine(f.ID), cleanLine(f.Title), cleanLine(f.Fix), cleanLine(f.CausedBy)
	for _, s := range []*string{&f.Message, &f.Want, &f.Got, &f.Why} {
		*s = Clean(*s)
	}
	f.Rows = each(f.Rows, Clean)
	f.Advice = each(f.Advice, func(a finding.Advice) finding.Advice {
		return finding.Advice{Text: Clean(a.Text), Command: Clean(a.Command)}
	})
	return f
}

func cleanAction(a finding.ActionRecord) finding.ActionRecord {
	a.Machine, a.Fix, a.Title, a.Outcome = cleanLine(a.Machine), cleanLine(a.Fix), cleanLine(a.Title), cleanLine(a.Outcome)
	a.Text, a.Message = Clean(a.Text), Clean(a.Message)
	return a
}

// each maps a list; the result is never nil.
func each[T any](in []T, f func(T) T) []T {
	out := make([]T, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}
