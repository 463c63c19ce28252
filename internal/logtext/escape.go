package logtext

import (
	"bytes"
	"slices"
)

// introducers are how escape characters are written where they were made visible: by less, by a shell, by JSON, by a
// system log. The bracket that follows is not among them.
var introducers = [][]byte{[]byte("^["), []byte(`\e`), []byte(`\033`), []byte(`\x1b`), []byte(`\x1B`), []byte(`\u001b`), []byte(`\u001B`), []byte("#033"), []byte("\u241b")}

// dropEscapes leaves out terminal sequences, real and visible ones, and the colours that lost their escape character.
func dropEscapes(dst, src []byte) []byte {
	for len(src) > 0 {
		i := bytes.IndexAny(src, "\x1b[")
		if i < 0 {
			break
		}
		dst, src = append(dst, src[:i]...), src[i:]
		if src[0] == 0x1b {
			src = src[sequence(src):]
			continue
		}
		n, lost := colour(src)
		intro := introducer(dst)
		if n == 0 || !lost && intro == 0 {
			n, intro = 1, 0
			dst = append(dst, '[')
		}
		dst, src = dst[:len(dst)-intro], src[n:]
	}
	return append(dst, src...)
}

// sequence is the length of the escape sequence at the start of text. A string sequence without an end counts only its
// introducer, so that it hides nothing.
func sequence(text []byte) int {
	if len(text) < 2 {
		return len(text)
	}
	switch c := text[1]; {
	case c == '[':
		return 2 + parameters(text[2:])
	case bytes.IndexByte([]byte("]PX^_"), c) >= 0:
		end := bytes.IndexAny(text[2:], "\x07\x1b")
		switch {
		case end < 0:
			return 2
		case text[2+end] == 7:
			return 3 + end
		}
		return min(4+end, len(text)) // ESC \
	case c >= ' ' && c <= '/':
		return min(3, len(text))
	}
	return 2
}

// parameters is the length of what follows ESC [ up to its final letter.
func parameters(text []byte) int {
	for i, c := range text {
		if c < ' ' || c > '?' {
			if c >= '@' && c <= '~' {
				i++
			}
			return i
		}
	}
	return len(text)
}

// colour is the length of [31;1m and the like; lost tells that it can only be a colour whose escape character is gone.
func colour(text []byte) (n int, lost bool) {
	digits := 1
	for digits < len(text) && digits < 12 && (text[digits] >= '0' && text[digits] <= '9' || text[digits] == ';') {
		digits++
	}
	if digits == len(text) || bytes.IndexByte([]byte("mKJAGH"), text[digits]) < 0 {
		return 0, false
	}
	return digits + 1, text[digits] == 'm' && digits > 1 || string(text[1:digits+1]) == "0K"
}

// introducer is the length of the visible escape character at the end of text.
func introducer(text []byte) int {
	i := slices.IndexFunc(introducers, func(in []byte) bool { return bytes.HasSuffix(text, in) })
	if i < 0 {
		return 0
	}
	return len(introducers[i])
}
