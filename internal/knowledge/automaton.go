package knowledge

import "slices"

// automaton finds many texts in one look at each byte, across the pieces that it is fed with (Aho and Corasick). Letter case
// of ASCII and white space do not count, so that a text is found wherever its lines were broken.
type automaton struct {
	// class makes few of the 256 bytes; 0 are those that no text has.
	class   [256]uint8
	classes uint32
	// next is the state after a state (times classes) and a class; with hitBit when a text ends there.
	next []uint32
	// found are the numbers of the texts that end in a state.
	found map[uint32][]int32
}

const (
	skipped = 255     // class of white space
	hitBit  = 1 << 31 // in next
)

func newAutomaton(texts []string) *automaton {
	a := &automaton{classes: 1, found: map[uint32][]int32{}}
	a.classify(texts)
	ends := a.trie(texts)
	a.link(ends)
	return a
}

// classify numbers the bytes that occur.
func (a *automaton) classify(texts []string) {
	for _, t := range texts {
		for i := range len(t) {
			if c := t[i]; a.class[c] == 0 {
				a.class[c] = uint8(a.classes)
				a.classes++
			}
		}
	}
	for c := byte('A'); c <= 'Z'; c++ {
		a.class[c] = a.class[c-'A'+'a']
	}
	for _, c := range []byte(" \t\n\r\v\f") {
		a.class[c] = skipped
	}
}

// trie enters the texts; ends are the texts by the state in which they end. State 0 is the root and, here, no successor.
func (a *automaton) trie(texts []string) (ends [][]int32) {
	a.next = make([]uint32, a.classes)
	ends = [][]int32{nil}
	for n, t := range texts {
		state := uint32(0)
		for i := range len(t) {
			at := state*a.classes + uint32(a.class[t[i]])
			if a.next[at] == 0 {
				a.next[at] = uint32(len(ends))
				a.next = append(a.next, make([]uint32, a.classes)...)
				ends = append(ends, nil)
			}
			state = a.next[at]
		}
		ends[state] = append(ends[state], int32(n))
	}
	return ends
}

// link makes a complete table of the trie: where a text breaks off, the longest beginning of another one goes on.
func (a *automaton) link(ends [][]int32) {
	fail := make([]uint32, len(ends))
	queue := []uint32{}
	for _, s := range a.next[:a.classes] {
		if s != 0 {
			queue = append(queue, s)
		}
	}
	for len(queue) > 0 {
		state := queue[0]
		queue = queue[1:]
		ends[state] = append(ends[state], ends[fail[state]]...)
		for c := range a.classes {
			at, other := state*a.classes+c, a.next[fail[state]*a.classes+c]
			if child := a.next[at]; child != 0 {
				fail[child] = other
				queue = append(queue, child)
			} else {
				a.next[at] = other
			}
		}
	}
	a.scale(ends)
}

// scale multiplies the states by the number of classes, so that a step is one addition, and marks those with a text.
func (a *automaton) scale(ends [][]int32) {
	for i, s := range a.next {
		a.next[i] = s * a.classes
		if len(ends[s]) > 0 {
			a.next[i] |= hitBit
		}
	}
	for s, list := range ends {
		if len(list) > 0 {
			slices.Sort(list)
			a.found[uint32(s)*a.classes] = slices.Compact(list)
		}
	}
}

// hit is a text and where it ends.
type hit struct{ text, end int }

// feed goes on from state over a line. hits are appended: the texts that end in it.
func (a *automaton) feed(state uint32, line []byte, hits []hit) (uint32, []hit) {
	for i, b := range line {
		c := a.class[b]
		if c == skipped {
			continue
		}
		state = a.next[state+uint32(c)]
		if state&hitBit != 0 {
			state &^= hitBit
			for _, t := range a.found[state] {
				hits = append(hits, hit{int(t), i + 1})
			}
		}
	}
	return state, hits
}
