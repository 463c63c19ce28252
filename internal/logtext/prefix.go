package logtext

import "bytes"

// labels are the names of machines that Vagrant put in front of lines.
type labels struct {
	known map[string]bool
	// seen is the word in front of the line before that would be a label if this line had it too.
	seen string
}

const (
	maxLabels   = 64 // names remembered: a text may not fill the memory
	maxLabel    = 64 // letters of a name
	maxPrefixes = 8  // prefixes of one line
)

// cut takes labels, time stamps and quotation marks off the front of a line.
func (b *labels) cut(text []byte, l *Line) []byte {
	before := b.seen
	b.seen = ""
	for range maxPrefixes {
		rest := b.cutOne(text, l, before)
		if len(rest) == len(text) {
			break
		}
		text = rest
	}
	return text
}

func (b *labels) cutOne(text []byte, l *Line, before string) []byte {
	if len(text) == 0 {
		return text
	}
	switch c := text[0]; {
	case c == '>':
		return bytes.TrimPrefix(text[1:], []byte(" "))
	case c == '=' && bytes.HasPrefix(text, []byte("==> ")):
		return b.arrow(text, l)
	case c == ' ' || c == '[':
		if rest := b.indented(text, l, before); len(rest) < len(text) {
			return rest
		}
	}
	return stamp(text, l)
}

// arrow is ==> NAME: text.
func (b *labels) arrow(text []byte, l *Line) []byte {
	name, rest, ok := label(text[4:])
	if !ok {
		return text[4:]
	}
	if len(b.known) < maxLabels {
		b.known[name] = true
	}
	l.Label, l.Prefixed = name, true
	return rest
}

// indented is four blanks and NAME: text, and [NAME] text of old Vagrants.
func (b *labels) indented(text []byte, l *Line, before string) []byte {
	if text[0] == '[' {
		end := bytes.IndexByte(text, ']')
		if end < 0 || end > maxLabel || !b.known[string(text[1:end])] {
			return text
		}
		l.Label, l.Prefixed = string(text[1:end]), true
		return bytes.TrimPrefix(text[end+1:], []byte(" "))
	}
	if !bytes.HasPrefix(text, []byte("    ")) {
		return text
	}
	name, rest, ok := label(bytes.TrimLeft(text, " "))
	if !ok {
		return text
	}
	if b.seen = name; !b.known[name] && name != before {
		return text
	}
	l.Label, l.Prefixed = name, true
	return rest
}

// label reads NAME: or NAME: text.
func label(text []byte) (name string, rest []byte, ok bool) {
	end := bytes.IndexByte(text, ':')
	if end <= 0 || end > maxLabel || bytes.IndexAny(text[:end], " \\/'\"") >= 0 || end+1 < len(text) && text[end+1] != ' ' {
		return "", text, false
	}
	return string(text[:end]), bytes.TrimPrefix(text[end+1:], []byte(" ")), true
}
