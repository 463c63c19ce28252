package knowledge

import (
	"bytes"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/logtext"
)

const (
	// ringSize is how many lines are kept: what a signature may look at, before and behind.
	ringSize = 128
	// near is how many lines a folded message may have before and behind the one in which its text was found.
	near = 4
	// settle is how many lines later the harmless lines among them are known.
	settle = near + 2
	// mostOccurrences are kept of a signature: one for each machine that a text speaks of.
	mostOccurrences = 8
)

// kept is a line in the ring.
type kept struct {
	logtext.Line
	harmless bool
	run      int
}

// occurrence is where a signature was found first, in one run of one machine.
type occurrence struct {
	file, label, evidence string
	line, run             int
	captured              map[string]string
	// past: a later run of the installer followed.
	past bool
}

// session goes through texts line by line. A line that holds a text which some rule needs makes that rule due a few lines later,
// when it is known what follows.
type session struct {
	base  *Base
	index *index
	file  string
	lines int

	ring  [ringSize]kept
	n     int // lines of this text so far
	state uint32
	hits  []hit
	due   [ringSize][]candidate
	view  view

	tried           [3][]byte // of search: the texts by joining
	lower, squeezed []byte

	last    []candidate    // by rule: what was made due last
	found   [][]occurrence // by signature
	context map[string]string

	runs, level                map[string]int // by label
	healthy, harmless, trouble bool
	healthyRun                 bool // since the last run began
}

// candidate is a rule that is to be tried around a line, because a text that it needs ends at a place in it.
type candidate struct{ rule, line, at int }

const (
	// reach is how far from such a place an expression looks, in bytes, so that very long lines cost no more than others.
	reach = 768
	// step is how far apart in a line two places of one rule must be.
	step = 256
)

func newSession(b *Base) *session {
	ix := b.index()
	s := &session{base: b, index: ix, found: make([][]occurrence, len(b.signatures)), context: map[string]string{},
		last: make([]candidate, len(ix.rules))}
	return s
}

// read goes through one text. Each begins anew: no message goes on in another file.
func (s *session) read(stop func() error, t Text) error {
	s.file, s.n, s.state = t.Name, 0, 0
	s.runs, s.level = map[string]int{}, map[string]int{}
	for i := range s.last {
		s.last[i] = candidate{line: -1}
	}
	var l logtext.Line
	r := logtext.NewReader(t.Reader)
	for r.Next(&l) {
		s.line(&l)
		if s.n%1024 == 0 {
			if err := stop(); err != nil {
				return err
			}
		}
	}
	for i := range ringSize {
		s.settleLine(s.n + i)
	}
	s.lines += l.Number
	s.pass()
	return r.Err()
}

// pass marks, at the end of a text, what belongs to an earlier run than the last one.
func (s *session) pass() {
	for i := range s.found {
		for j := range s.found[i] {
			o := &s.found[i][j]
			o.past = o.past || s.base.signatures[i].Run && o.file == s.file && o.run < s.runs[o.label]
		}
	}
}

// line takes the next line.
func (s *session) line(l *logtext.Line) {
	k := &s.ring[s.n%ringSize]
	text := append(k.Text[:0], l.Text...)
	*k = kept{Line: *l, run: s.runs[l.Label]}
	k.Text = text
	s.state, s.hits = s.index.automaton.feed(s.state, text, s.hits[:0])
	for _, h := range s.hits {
		for _, r := range s.index.users[h.text] {
			s.want(candidate{int(r), s.n, h.end})
		}
	}
	s.n++
	s.settleLine(s.n - 1)
}

// want makes a rule due for the line that is read now, unless it can find nothing new there.
func (s *session) want(c candidate) {
	r, last := &s.index.rules[c.rule], s.last[c.rule]
	if last.line == c.line && c.at < last.at+step && r.kind != kindTrouble {
		return
	}
	k := &s.ring[s.n%ringSize]
	switch r.kind {
	case kindRun:
		s.startRun(r)
		return
	case kindHealthy:
		if s.healthyRun {
			return
		}
	case kindTrouble:
		if s.trouble || !wholeWord(k.Text, c.at, r.length) {
			return
		}
	case kindSignature:
		if s.seen(r.signature, k.Label, k.run) {
			return
		}
	}
	s.last[c.rule] = c
	due := (s.n + r.delay) % ringSize
	s.due[due] = append(s.due[due], c)
}

// wholeWord tells whether the word or phrase that ends at a place, with so many letters, stands for itself and is no part of an
// option, a name or a path.
func wholeWord(text []byte, end, length int) bool {
	start := end
	for length > 0 && start > 0 {
		if start--; text[start] != ' ' {
			length--
		}
	}
	return length == 0 && (start == 0 || !partOfWord(text[start-1], "-/.=")) && (end == len(text) || !partOfWord(text[end], "-/="))
}

func partOfWord(c byte, more string) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte(more, c) >= 0
}

// seen tells whether another occurrence would say nothing new.
func (s *session) seen(sig int, label string, run int) bool {
	if len(s.found[sig]) >= mostOccurrences {
		return true
	}
	return slices.ContainsFunc(s.found[sig], func(o occurrence) bool {
		return !s.base.signatures[sig].Run || o.file == s.file && o.label == label && o.run >= run
	})
}

// startRun begins a new run of the installer when this line shows one. The messages that a run begins with have an order, so
// the second of them does not begin another run.
func (s *session) startRun(r *rule) {
	k := &s.ring[s.n%ringSize]
	if !r.patterns[0].in(k.Text) {
		return
	}
	if r.level <= s.level[k.Label] || s.runs[k.Label] == 0 {
		s.runs[k.Label]++
		s.healthyRun = false
	}
	s.level[k.Label], k.run = r.level, s.runs[k.Label]
}

// settleLine tries what is due at a line.
func (s *session) settleLine(line int) {
	at := line % ringSize
	for _, c := range s.due[at] {
		s.try(&s.index.rules[c.rule], c)
	}
	s.due[at] = s.due[at][:0]
}

// try looks for a rule around the place of a candidate.
func (s *session) try(r *rule, c candidate) {
	k := &s.ring[c.line%ringSize]
	if k.harmless || r.kind == kindSignature && s.seen(r.signature, k.Label, k.run) {
		return
	}
	if r.kind == kindTrouble {
		s.trouble = s.trouble || !slices.ContainsFunc(s.base.trouble.not, func(p pattern) bool { return p.in(k.Text) })
		return
	}
	loc, p := s.search(r.patterns, c)
	if loc == nil {
		return
	}
	switch r.kind {
	case kindHarmless:
		s.harmless = true
		from, to := s.view.lines(loc)
		for i := from; i <= to; i++ {
			s.ring[i%ringSize].harmless = true
		}
	case kindHealthy:
		s.healthy = true
		s.healthyRun = s.healthyRun || k.run == s.runs[k.Label]
	case kindContext:
		for name, value := range p.captured(s.view.text, loc) {
			s.context[name] = value
		}
	case kindSignature:
		s.signature(r, c.line, loc, p)
	}
}

// signature keeps an occurrence when the rest of the signature agrees.
func (s *session) signature(r *rule, line int, loc []int, p pattern) {
	sig := &s.base.signatures[r.signature]
	first, _ := s.view.lines(loc)
	k := &s.ring[first%ringSize]
	o := occurrence{file: s.file, label: k.Label, line: k.Number, run: k.run, evidence: s.evidence(loc), captured: p.captured(s.view.text, loc)}
	if s.vetoed(sig, line, loc) || !s.whole(sig, line) {
		return
	}
	s.found[r.signature] = slices.DeleteFunc(s.found[r.signature], func(old occurrence) bool { return old.file == o.file && old.label == o.label })
	s.found[r.signature] = append(s.found[r.signature], o)
}

// whole tells whether everything else that a signature needs stands near a line. It is looked for only now: what is needed
// besides is often a word that half of all lines hold.
func (s *session) whole(sig *Signature, line int) bool {
	for i := range sig.all {
		found := false
		for at := s.oldest(line - sig.Within); at <= s.newest(line+sig.Within) && !found; at++ {
			found = s.holds(sig.all[i:i+1], at)
		}
		if !found {
			return false
		}
	}
	return true
}

// holds tells whether an expression matches around a line.
func (s *session) holds(p []pattern, line int) bool {
	k := &s.ring[line%ringSize]
	for at := 0; !k.harmless && at <= len(k.Text); at += reach {
		if loc, _ := s.search(p, candidate{line: line, at: at}); loc != nil {
			return true
		}
	}
	return false
}

// vetoed tells whether one of a signature's exclusions is in the matched lines, or nearby if it says so.
func (s *session) vetoed(sig *Signature, line int, loc []int) bool {
	if len(sig.not) == 0 {
		return false
	}
	text := s.view.around(loc)
	if !sig.nearby {
		return slices.ContainsFunc(sig.not, func(p pattern) bool { return p.in(text) })
	}
	for _, how := range joinings {
		s.build(s.oldest(line-sig.Within), s.newest(line+sig.Within), how)
		if slices.ContainsFunc(sig.not, func(p pattern) bool { return p.in(s.view.text) }) {
			return true
		}
	}
	return false
}

// oldest and newest keep a line number among the lines that are kept.
func (s *session) oldest(line int) int { return max(line, s.n-ringSize+1, 0) }
func (s *session) newest(line int) int { return min(line, s.n-1) }

// search looks for the first of some patterns around a place: in the message as it was before it was folded, then in the line as
// it is, then in lines that a terminal broke in the middle of words.
func (s *session) search(patterns []pattern, c candidate) (loc []int, p pattern) {
	single := false
	for i, how := range joinings {
		from, to := s.group(c.line, how)
		if from == to && single {
			continue // nothing new
		}
		single = single || from == to
		s.build(from, to, how)
		if i > 0 && bytes.Equal(s.tried[0], s.view.text) || i > 1 && bytes.Equal(s.tried[1], s.view.text) {
			continue
		}
		s.tried[i] = append(s.tried[i][:0], s.view.text...)
		if loc, p := s.searchView(patterns, c); loc != nil {
			return loc, p
		}
	}
	return nil, p
}

// searchView looks for the first of some patterns in the text that was built.
func (s *session) searchView(patterns []pattern, c candidate) (loc []int, p pattern) {
	text, start := s.view.reach(c)
	s.lower = lowered(s.lower[:0], text)
	s.squeezed = appendSqueezed(s.squeezed[:0], s.lower)
	for _, p := range patterns {
		if !p.possible(s.squeezed) || !p.re().Match(s.lower) {
			continue
		}
		loc := p.re().FindSubmatchIndex(s.lower)
		for i := range loc {
			if loc[i] >= 0 {
				loc[i] += start
			}
		}
		return loc, p
	}
	return nil, p
}

// appendSqueezed is squeeze for bytes in lower case.
func appendSqueezed(dst, text []byte) []byte {
	for _, c := range text {
		if c != ' ' && (c < '\t' || c > '\r') {
			dst = append(dst, c)
		}
	}
	return dst
}

// view is some lines as one text.
type view struct {
	text   []byte
	starts []int // where each line begins in text
	number []int // which line of the ring it is
}

// build makes the text of some lines. Harmless ones are left out.
func (s *session) build(from, to int, how joining) {
	v := &s.view
	v.text, v.starts, v.number = v.text[:0], v.starts[:0], v.number[:0]
	before := -1
	for i := from; i <= to; i++ {
		k := &s.ring[i%ringSize]
		if k.harmless {
			continue
		}
		if before >= 0 {
			v.text = append(v.text, s.between(before, i, how)...)
		}
		v.starts, v.number = append(v.starts, len(v.text)), append(v.number, i)
		v.text = append(v.text, k.Text...)
		before = i
	}
}

// reach is the text around the place of a candidate, and where in the view it starts.
func (v *view) reach(c candidate) (text []byte, start int) {
	at := c.at
	if i := slices.Index(v.number, c.line); i >= 0 {
		at += v.starts[i]
	}
	start = max(0, at-reach)
	return v.text[start:min(len(v.text), at+reach)], start
}

// lines are the first and last line that a match touches.
func (v *view) lines(loc []int) (from, to int) {
	for i, start := range v.starts {
		if start <= loc[0] {
			from = v.number[i]
		}
		if start < max(loc[1], loc[0]+1) {
			to = v.number[i]
		}
	}
	return from, to
}

// around is the whole of the joined lines that a match touches.
func (v *view) around(loc []int) []byte {
	start := bytes.LastIndexByte(v.text[:loc[0]], '\n') + 1
	end := bytes.IndexByte(v.text[loc[1]:], '\n')
	if end < 0 {
		end = len(v.text) - loc[1]
	}
	return v.text[start : loc[1]+end]
}

// mostEvidence bounds what is shown of a line, in bytes.
const mostEvidence = 400

// evidence are the lines of a match, joined, with what was folded off their end, made safe to show.
func (s *session) evidence(loc []int) string {
	v := &s.view
	from, to := v.lines(loc)
	first, last := slices.Index(v.number, from), slices.Index(v.number, to)
	for last+1 < len(v.number) && s.ring[v.number[last]%ringSize].Spaced {
		last++
	}
	start, end := v.starts[first], len(v.text)
	if last+1 < len(v.starts) {
		end = v.starts[last+1]
	}
	if end-start > mostEvidence {
		start = max(start, loc[0]-mostEvidence/4)
		end = min(end, start+mostEvidence)
	}
	clean := bytes.ToValidUTF8(bytes.ReplaceAll(v.text[start:end], newLine, blank1), nil)
	return logtext.Mask(string(bytes.TrimSpace(clean)))
}
