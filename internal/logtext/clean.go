package logtext

import (
	"bytes"
	"html"
	"regexp"
	"unicode"
	"unicode/utf8"
)

// What a line may hold that needs work; most hold nothing of it, so one look decides.
const (
	hasEscape = 1 << iota
	hasControl
	hasReturn
	hasHigh
	hasAmp
	hasTag
	hasTick
	hasBracket
)

// kinds says of each byte what its presence means.
var kinds = func() (k [256]uint8) {
	for c := range 256 {
		switch {
		case c >= 0x80:
			k[c] = hasHigh
		case c < ' ' || c == 0x7f:
			k[c] = hasControl
		}
	}
	k[0x1b], k['\r'], k['&'], k['<'], k['`'], k['['] = hasEscape, hasReturn, hasAmp, hasTag, hasTick, hasBracket
	return k
}()

// scratch are the buffers of the steps, kept from line to line.
type scratch struct {
	a, b     []byte
	text     []byte // what unescape wrote
	segments [][]byte
}

// clean fills a line from its raw text.
func (r *Reader) clean(raw []byte, l *Line) {
	var have uint8
	for _, c := range raw {
		have |= kinds[c]
	}
	text := raw
	if have != 0 {
		text = r.scratch.plain(raw, have)
	}
	l.Width = len(text)
	if have&hasHigh != 0 {
		l.Width = columns(text)
	}
	short := bytes.TrimRight(text, " ")
	l.Spaced = len(short) < len(text)
	text = r.labels.cut(short, l)
	for l.Indent < len(text) && text[l.Indent] == ' ' {
		l.Indent++
	}
	l.Text = r.scratch.single(text[l.Indent:])
}

// plain takes out what steers a terminal and makes one form of every kind of quote, dash and blank.
func (s *scratch) plain(text []byte, have uint8) []byte {
	if have&hasHigh != 0 && !utf8.Valid(text) {
		text = s.step(text, fromWindows)
		have |= hasHigh
	}
	if have&(hasEscape|hasBracket) != 0 {
		text = s.step(text, dropEscapes)
	}
	if have&hasReturn != 0 {
		text = lastState(text)
	}
	if have&hasControl != 0 {
		text = s.step(text, dropControls)
	}
	if have&hasTag != 0 && bytes.Contains(text, []byte(">")) {
		text = tags.ReplaceAll(text, []byte(" "))
	}
	if have&hasAmp != 0 && bytes.IndexByte(text, ';') >= 0 {
		text = []byte(html.UnescapeString(string(text)))
		have |= hasHigh | hasTick // whatever an entity may stand for
	}
	if have&(hasHigh|hasTick) != 0 {
		text = s.step(text, normalize)
	}
	return text
}

// step runs one rewriting step into the buffer that its input is not in.
func (s *scratch) step(text []byte, rewrite func(dst, src []byte) []byte) []byte {
	s.a, s.b = s.b, s.a
	s.a = rewrite(s.a[:0], text)
	return s.a
}

// single makes one blank of several.
func (s *scratch) single(text []byte) []byte {
	if !bytes.Contains(text, []byte("  ")) {
		return text
	}
	return s.step(text, func(dst, src []byte) []byte {
		for i, c := range src {
			if c != ' ' || i == 0 || src[i-1] != ' ' {
				dst = append(dst, c)
			}
		}
		return dst
	})
}

// fromWindows reads the code page that Windows programs write where UTF-8 is expected.
func fromWindows(dst, src []byte) []byte {
	for _, c := range src {
		switch {
		case c < 0x80:
			dst = append(dst, c)
		case c == 0x91 || c == 0x92:
			dst = append(dst, '\'')
		case c == 0x93 || c == 0x94:
			dst = append(dst, '"')
		default:
			dst = utf8.AppendRune(dst, rune(c))
		}
	}
	return dst
}

// lastState is what a screen shows of a line that was overwritten with carriage returns.
func lastState(text []byte) []byte {
	for {
		text = bytes.TrimRight(text, "\r ")
		i := bytes.LastIndexByte(text, '\r')
		if i < 0 {
			return text
		}
		if last := text[i+1:]; len(bytes.TrimSpace(last)) > 0 {
			return last
		}
		text = text[:i]
	}
}

// dropControls makes blanks of tabs, applies backspaces and leaves out the other control characters.
func dropControls(dst, src []byte) []byte {
	for _, c := range src {
		switch {
		case c == '\t':
			dst = append(dst, ' ')
		case c == '\b' && len(dst) > 0:
			_, size := utf8.DecodeLastRune(dst)
			dst = dst[:len(dst)-size]
		case c >= ' ' && c != 0x7f, c == '\r':
			dst = append(dst, c)
		}
	}
	return dst
}

// tags are those of HTML in which logs are shown.
var tags = regexp.MustCompile(`(?i)</?(?:span|pre|code|br|p|div|b|i|em|strong|font|a|td|tr|li|ul|tt|samp|kbd|blockquote)(?: [^<>]*)?/?>`)

// normalize makes ASCII of what is meant by typographic quotes, dashes, blanks and full-width forms.
func normalize(dst, src []byte) []byte {
	for len(src) > 0 {
		r, size := utf8.DecodeRune(src)
		switch same := alike(r); {
		case r < utf8.RuneSelf && r != '`':
			dst = append(dst, src[0])
		case same == drop:
		case same == '…':
			dst = append(dst, "..."...)
		default:
			dst = utf8.AppendRune(dst, same)
		}
		src = src[size:]
	}
	return dst
}

// drop stands for no character at all.
const drop rune = -1

// alike is the plain character that means the same.
func alike(r rune) rune {
	switch r {
	case '`', '´', '‘', '’', '‚', '‛', '′', '‹', '›':
		return '\''
	case '“', '”', '„', '‟', '″', '«', '»':
		return '"'
	case '‐', '‑', '‒', '–', '—', '−':
		return '-'
	case '\u200b', '\u200c', '\u200d', '\u2060', '\ufeff', '\u00ad', '\ufffd':
		return drop
	}
	switch {
	case unicode.Is(unicode.Bidi_Control, r), r >= 0x80 && r < 0xa0:
		return drop
	case unicode.IsSpace(r), r >= 0x2500 && r <= 0x257f: // frames around messages
		return ' '
	case r >= 0xff01 && r <= 0xff5e:
		return r - 0xff01 + '!'
	}
	return r
}
