package knowledge

// kind says what a rule is for.
type kind uint8

const (
	kindSignature kind = iota
	kindHarmless
	kindHealthy
	kindTrouble
	kindContext
	kindRun
)

// rule is what is tried where one of its texts occurs.
type rule struct {
	kind     kind
	patterns []pattern
	// delay is how many lines later it is tried.
	delay int
	// signature is its number.
	signature int
	// level is the place of a message among those with which a run of the installer begins.
	level int
	// length is that of a word of trouble, without white space.
	length int
}

// index is what is made of a base once: its rules, and what finds their texts.
type index struct {
	rules     []rule
	automaton *automaton
	texts     []string
	users     [][]int32 // by text: the rules that need it
}

// newIndex makes the rules of a base.
func newIndex(b *Base) *index {
	ix := &index{}
	for i := range b.signatures {
		ix.addSignature(i, &b.signatures[i])
	}
	for _, l := range b.harmless {
		ix.add(rule{kind: kindHarmless, patterns: []pattern{l.match}, delay: near})
	}
	for _, l := range b.healthy {
		ix.add(rule{kind: kindHealthy, patterns: []pattern{l.match}, delay: near + settle})
	}
	for _, w := range b.trouble.Words {
		ix.add(rule{kind: kindTrouble, patterns: []pattern{{needs: []string{squeeze(w)}}}, delay: near + settle, length: len(squeeze(w))})
	}
	for _, l := range b.context {
		ix.add(rule{kind: kindContext, patterns: []pattern{l.match}, delay: near})
	}
	for i, l := range b.runs {
		ix.add(rule{kind: kindRun, patterns: []pattern{l.match}, level: i + 1})
	}
	ix.link()
	return ix
}

func (ix *index) add(r rule) int {
	ix.rules = append(ix.rules, r)
	return len(ix.rules) - 1
}

func (ix *index) addSignature(i int, s *Signature) {
	r := rule{kind: kindSignature, signature: i, patterns: s.match, delay: near + settle}
	if len(s.all) > 0 || s.nearby {
		r.delay = s.Within + near + settle + 1
	}
	ix.add(r)
}

// link makes the automaton of all texts.
func (ix *index) link() {
	numbers := map[string]int{}
	for r := range ix.rules {
		for _, p := range ix.rules[r].patterns {
			for _, t := range p.needs {
				n, ok := numbers[t]
				if !ok {
					n = len(ix.texts)
					numbers[t] = n
					ix.texts, ix.users = append(ix.texts, t), append(ix.users, nil)
				}
				ix.users[n] = append(ix.users[n], int32(r))
			}
		}
	}
	ix.automaton = newAutomaton(ix.texts)
}

// index is made on first use.
func (b *Base) index() *index {
	b.once.Do(func() { b.made = newIndex(b) })
	return b.made
}
