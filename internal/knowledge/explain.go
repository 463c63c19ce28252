package knowledge

import (
	"cmp"
	"context"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Verdict is what is said of a text as a whole.
type Verdict string

// A text is known when a signature matches; harmless when it shows that all went well, or only what is never a fault, and no
// line looks like trouble; else unknown.
const (
	Known    Verdict = "known"
	Harmless Verdict = "harmless"
	Unknown  Verdict = "unknown"
)

// decisive is the least confidence with which a match makes a text known. Lesser ones are only shown beside such a match.
const decisive = 0.5

// Explanation is what is known of a text.
type Explanation struct {
	Verdict Verdict
	// Matches begin with the root cause: causes before symptoms, in the order of causes.
	Matches []Match
	// Lines is how many lines the text had.
	Lines int
}

// Match is a signature that was found.
type Match struct {
	Signature Signature
	Rows      []string
	Role      Role
	// File is the name of the text, Line the line in it where the evidence begins.
	File     string
	Line     int
	Evidence string
	// Says and Advice have what was captured in them.
	Says   string
	Advice []string
	// Captured are versions and names that the text says, by capture.
	Captured map[string]string
}

// Text is one text to explain.
type Text struct {
	Name string
	io.Reader
}

// Explain reads texts to their end and says what is known of them as a whole. It needs little memory however long they are.
// The error is of reading, or the context's.
func (b *Base) Explain(ctx context.Context, texts ...Text) (Explanation, error) {
	return b.explain(ctx.Err, texts)
}

// explain reads until stop has an error.
func (b *Base) explain(stop func() error, texts []Text) (Explanation, error) {
	s := newSession(b)
	for _, t := range texts {
		if err := s.read(stop, t); err != nil {
			return Explanation{}, err
		}
	}
	return s.explanation(), nil
}

// Classify finds the first signature, in order of causes, in a text that is at hand. ok is false when none matches: unknown, never
// a guess.
func Classify(text string) (s Signature, evidence string, ok bool) {
	never := func() error { return nil } // it is short
	e, err := Current().explain(never, []Text{{Reader: strings.NewReader(text)}})
	if err != nil || len(e.Matches) == 0 {
		return Signature{}, "", false
	}
	return e.Matches[0].Signature, e.Matches[0].Evidence, true
}

// explanation judges what the session found.
func (s *session) explanation() Explanation {
	e := Explanation{Verdict: Unknown, Lines: s.lines}
	found := s.standing()
	demote(found)
	slices.SortStableFunc(found, func(a, b Match) int {
		return cmp.Or(strings.Compare(string(a.Role), string(b.Role)), cmp.Compare(a.Signature.Rank, b.Signature.Rank))
	})
	for i := range found {
		e.Matches = merge(e.Matches, found[i])
	}
	switch {
	case slices.ContainsFunc(e.Matches, func(m Match) bool { return m.Signature.Confidence >= decisive }):
		e.Verdict = Known
	case (s.healthy || s.harmless) && !s.trouble && len(e.Matches) == 0:
		e.Verdict = Harmless
	}
	if e.Verdict != Known {
		e.Matches = nil
	}
	return e
}

// standing are the matches that count: versions fit, and what a run of the installer said belongs to the last one.
func (s *session) standing() []Match {
	var out, history []Match
	for i := range s.base.signatures {
		for _, o := range s.found[i] {
			m, fits := s.match(&s.base.signatures[i], o)
			switch {
			case !fits:
			case o.past:
				history = append(history, m)
			default:
				out = append(out, m)
			}
		}
	}
	if len(out) == 0 && !s.healthyRun {
		return history // the last run was cut off before it said anything
	}
	return out
}

// match makes a match of an occurrence.
func (s *session) match(sig *Signature, o occurrence) (Match, bool) {
	captured := maps.Clone(s.context)
	maps.Copy(captured, o.captured)
	m := Match{Signature: *sig, Rows: sig.Rows, Role: sig.Role, File: o.file, Line: o.line, Evidence: o.evidence, Captured: captured}
	m.Says = fill(sig.Says, captured)
	for _, a := range sig.Advice {
		m.Advice = append(m.Advice, fill(a, captured))
	}
	return m, sig.fits(captured)
}

// demote makes symptoms of the matches that another one explains.
func demote(found []Match) {
	there := map[string]bool{}
	for _, m := range found {
		there[m.Signature.Check] = there[m.Signature.Check] || m.Signature.Confidence >= decisive
	}
	for i := range found {
		if slices.ContainsFunc(found[i].Signature.CausedBy, func(id string) bool { return there[id] && id != found[i].Signature.Check }) {
			found[i].Role = Symptom
		}
	}
}

// merge adds a match, or its rows to the match that says the same.
func merge(list []Match, m Match) []Match {
	i := slices.IndexFunc(list, func(o Match) bool { return o.Signature.Check == m.Signature.Check })
	if i < 0 {
		return append(list, m)
	}
	if list[i].Role == m.Role {
		for _, r := range m.Rows {
			if !slices.Contains(list[i].Rows, r) {
				list[i].Rows = append(slices.Clip(list[i].Rows), r)
			}
		}
	}
	return list
}

// harmlessInShell are captures that may stand in a command.
var harmlessInShell = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._+~:/-]{0,127}$`)

var placeholder = regexp.MustCompile(`\{([a-z]+)\}`)

// fill puts captures into a text for {name}. What was not captured, or could do something in a shell, is written as NAME.
func fill(text string, captured map[string]string) string {
	return placeholder.ReplaceAllStringFunc(text, func(p string) string {
		name := p[1 : len(p)-1]
		switch value := captured[name]; {
		case harmlessInShell.MatchString(value):
			return value
		case slices.Contains(captures, name):
			return strings.ToUpper(name)
		}
		return p
	})
}
