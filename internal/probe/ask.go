package probe

import (
	"context"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// Question is a section of the caller's own, asked in the same round trip as the facts.
type Question struct {
	// Name is unique in one round trip; letters, digits, dots and dashes.
	Name string
	// Limit is how long it may take in the guest.
	Limit time.Duration
	// Text is POSIX sh that may use sections/lib.sh; values stand in it only as words quoted by internal/shell.
	Text string
}

// Fact is one "=NAME VALUE" line of an answer with the "| TEXT" lines below it, cleaned.
type Fact struct {
	Name, Value string
	Lines       []string
}

// Answer is what one question brought.
type Answer struct {
	Facts []Fact
	// Said is what programs printed besides: evidence, never a fact.
	Said []string
	// Err is why there is no answer or not all of it; Facts is then empty.
	Err error
}

// Ask is Collect with further questions: one script, one session. Every question has an answer, if only an Err.
func Ask(ctx context.Context, g guest.Runner, keys []facts.Key, qs []Question, p Params, now func() time.Time) (facts.Guest, map[string]Answer, error) {
	answers := map[string]Answer{}
	list := selected(keys)
	for _, q := range qs {
		list = append(list, q.section(answers))
	}
	out, err := collect(ctx, g, list, p, now)
	return out, answers, err
}

// section is the question as a part of the script; its filler puts the answer into answers.
func (q Question) section(answers map[string]Answer) section {
	return section{key: facts.Key(q.Name), limit: q.Limit, text: q.Text, fill: func(_ *facts.Guest, s section, o outcome) {
		b, err := finished(s, o)
		answers[q.Name] = b.answer(err)
	}}
}

func (b body) answer(err error) Answer {
	a := Answer{Err: err}
	for _, f := range b.facts {
		a.Facts = append(a.Facts, Fact{Name: Clean(f.name), Value: f.text(), Lines: f.cleaned()})
	}
	for _, n := range b.noise {
		a.Said = append(a.Said, Clean(n))
	}
	return a
}
