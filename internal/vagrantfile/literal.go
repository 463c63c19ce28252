package vagrantfile

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// number reads an integer or a float.
func (l *lexer) number() {
	rest := l.src[l.pos:]
	n := 0
	for n < len(rest) && (wordByte(rest[n]) && rest[n] < utf8.RuneSelf || rest[n] == '.' && l.fraction(rest, n) || (rest[n] == '-' || rest[n] == '+') && exponent(rest, n)) {
		n++
	}
	clean := strings.ReplaceAll(rest[:n], "_", "")
	var v value = unknown{why: "the number " + rest[:n] + " is not understood", at: l.pos}
	if i, err := strconv.ParseInt(clean, 0, 64); err == nil {
		v = i
	} else if f, err := strconv.ParseFloat(clean, 64); err == nil && !strings.HasPrefix(clean, "0x") {
		v = f
	}
	l.out = append(l.out, token{kind: tokNumber, s: rest[:n], at: span{l.pos, l.pos + n}, space: l.space, num: v})
	l.pos += n
}

// fraction: a dot that is followed by a digit, and is the first one.
func (l *lexer) fraction(s string, i int) bool {
	return i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9' && !strings.Contains(s[:i], ".")
}

func exponent(s string, i int) bool {
	return i > 0 && (s[i-1] == 'e' || s[i-1] == 'E') && !strings.HasPrefix(s, "0x") && i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9'
}

// quoted reads "…", '…' or `…`; "…": is a label.
func (l *lexer) quoted(quote byte) {
	kind := textString
	if quote == '`' {
		kind = textCommand
	}
	l.literal(1, quote, kind, quote != '\'')
	rest := l.src[l.pos:]
	if kind == textString && strings.HasPrefix(rest, ":") && !strings.HasPrefix(rest, "::") && (l.ternaries == 0 || l.labelBefore()) {
		t := &l.out[len(l.out)-1]
		t.kind = tokLabel
		l.pos++
	}
}

// labelBefore is labelPlace for a literal that was already emitted.
func (l *lexer) labelBefore() bool {
	if len(l.out) < 2 {
		return false
	}
	t := l.out[len(l.out)-2]
	return t.kind == tokOp && (t.s == "(" || t.s == "," || t.s == "{")
}

// literal reads a literal whose opening has skip bytes, up to its closing sign.
func (l *lexer) literal(skip int, open byte, kind textKind, interpolate bool) {
	start, space := l.pos, l.space
	l.pos += skip
	parts, ok := l.body(open, closing(open), interpolate)
	if !ok {
		l.problems.syntax(span{start, start + skip}, fmt.Sprintf("the literal that begins here with %s has no end", l.src[start:start+skip]))
	}
	if kind == textRegexp {
		for l.pos < len(l.src) && strings.IndexByte("imxounse", l.src[l.pos]) >= 0 {
			l.pos++
		}
	}
	l.out = append(l.out, token{kind: tokText, text: kind, parts: parts, at: span{start, l.pos}, space: space})
}

func closing(open byte) byte {
	if i := strings.IndexByte("([{<", open); i >= 0 {
		return ")]}>"[i]
	}
	return open
}

// body reads up to the closing sign, which it skips. Signs that can nest are counted.
func (l *lexer) body(open, end byte, interpolate bool) (parts []rawPart, closed bool) {
	var b strings.Builder
	nested := 0
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		switch {
		case c == '\\' && l.pos+1 < len(l.src):
			b.WriteString(l.escape(interpolate, open, end))
			continue
		case interpolate && strings.HasPrefix(l.src[l.pos:], "#{"):
			parts = append(parts, rawPart{text: b.String()}, l.interpolation())
			b.Reset()
			continue
		case c == end && nested == 0:
			l.pos++
			return append(parts, rawPart{text: b.String()}), true
		case c == end:
			nested--
		case c == open:
			nested++
		case c == '\n' && l.resume > 0:
			l.pos, l.resume = l.resume-1, 0
		}
		b.WriteByte(l.src[l.pos])
		l.pos++
	}
	return append(parts, rawPart{text: b.String()}), false
}

// interpolation reads the tokens of #{…}.
func (l *lexer) interpolation() rawPart {
	start := l.pos
	l.depth++
	defer func() { l.depth-- }()
	if l.depth > maxDepth/4 {
		l.problems.limit(span{start, start + 2}, "interpolations are nested too deeply")
		l.pos = len(l.src)
		return rawPart{code: []token{{kind: tokEOF}}}
	}
	inner := &lexer{src: l.src, pos: l.pos + 2, locals: l.locals, depth: l.depth, problems: l.problems}
	inner.run(true)
	l.pos = inner.pos
	if l.pos < len(l.src) {
		l.pos++
	} else {
		l.problems.syntax(span{start, start + 2}, "#{ without }")
	}
	return rawPart{code: append(inner.out, token{kind: tokEOF, at: span{l.pos, l.pos}})}
}

var escapes = map[byte]string{'n': "\n", 't': "\t", 'r': "\r", 's': " ", '0': "\x00", 'e': "\x1b", 'a': "\a", 'b': "\b", 'f': "\f", 'v': "\v", '\n': ""}

// escape reads a backslash and what it escapes.
func (l *lexer) escape(interpolate bool, open, end byte) string {
	c := l.src[l.pos+1]
	l.pos += 2
	if !interpolate {
		if c == '\\' || c == open || c == end {
			return string(c)
		}
		return "\\" + string(c)
	}
	if c == 'u' || c == 'x' {
		return l.codePoint(c)
	}
	if s, ok := escapes[c]; ok {
		return s
	}
	return string(c)
}

// codePoint reads \xHH, \uHHHH and \u{H…}.
func (l *lexer) codePoint(c byte) string {
	rest := l.src[l.pos:]
	if strings.HasPrefix(rest, "{") {
		if hex, _, ok := strings.Cut(rest[1:], "}"); ok && len(hex) <= 8 {
			l.pos += len(hex) + 2
			return runeOf(hex)
		}
	}
	n := 0
	for limit := map[byte]int{'x': 2, 'u': 4}[c]; n < limit && n < len(rest) && strings.IndexByte("0123456789abcdefABCDEF", rest[n]) >= 0; {
		n++
	}
	l.pos += n
	return runeOf(rest[:n])
}

func runeOf(hex string) string {
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil || n > utf8.MaxRune {
		return string(utf8.RuneError)
	}
	return string(rune(n))
}

// percent reads %w[…], %i(…), %q{…}, %(…) and the like; false: it is the operator.
func (l *lexer) percent(rest string) bool {
	if !l.argument(1) || len(rest) < 3 {
		return false
	}
	letter, skip := byte('Q'), 2
	if strings.IndexByte("wWiIqQrsx", rest[1]) >= 0 {
		letter, skip = rest[1], 3
	}
	open := rest[skip-1]
	if wordByte(open) || strings.IndexByte(" \t\r\n", open) >= 0 || open == '=' && !l.begins() {
		return false
	}
	switch letter {
	case 'w', 'W', 'i', 'I':
		l.words(skip, open, letter)
	case 'q', 's':
		l.literal(skip, open, map[byte]textKind{'q': textString, 's': textSymbol}[letter], false)
	default:
		l.literal(skip, open, map[byte]textKind{'r': textRegexp, 'x': textCommand}[letter], true)
	}
	return true
}

// words reads %w[a b]: each word is a part.
func (l *lexer) words(skip int, open, letter byte) {
	start, space := l.pos, l.space
	l.pos += skip
	begin := l.pos
	parts, ok := l.body(open, closing(open), letter == 'W' || letter == 'I')
	if !ok {
		l.problems.syntax(span{start, start + skip}, fmt.Sprintf("the literal that begins here with %s has no end", l.src[start:start+skip]))
	}
	t := token{kind: tokWords, at: span{start, l.pos}, space: space}
	if letter == 'i' || letter == 'I' {
		t.text = textSymbol
	}
	for _, p := range parts {
		if p.code != nil { // rare; the whole literal is then not known
			t.parts, t.num = nil, unknown{why: "words with interpolation are not followed", at: begin}
			break
		}
		for _, w := range strings.Fields(p.text) {
			t.parts = append(t.parts, rawPart{text: w})
		}
	}
	l.out = append(l.out, t)
}

// character reads ?x; false: the ? is that of a ternary.
func (l *lexer) character(rest string) bool {
	_, size := utf8.DecodeRuneInString(rest[1:])
	if !l.begins() || len(rest) < 2 || strings.IndexByte(" \t\r\n", rest[1]) >= 0 || len(rest) > 1+size && wordByte(rest[1+size]) {
		return false
	}
	l.out = append(l.out, token{kind: tokText, parts: []rawPart{{text: rest[1 : 1+size]}}, at: span{l.pos, l.pos + 1 + size}, space: l.space})
	l.pos += 1 + size
	return true
}

// heredoc reads <<ID, <<-ID and <<~ID with their bodies; false: it is the operator.
func (l *lexer) heredoc() bool {
	h, n, ok := l.opening()
	if !ok {
		return false
	}
	start := l.pos
	from := l.resume
	if from == 0 {
		from = l.pos + n + lineEnd(l.src[l.pos+n:]) + 1
	}
	if from > len(l.src) {
		from = len(l.src)
	}
	end, next, found := h.find(l.src, from)
	if !found {
		l.problems.syntax(span{start, start + n}, fmt.Sprintf("the heredoc that begins here has no line with %s", h.id))
	}
	t := token{kind: tokText, at: span{start, start + n}, space: l.space, parts: l.heredocParts(h, from, end)}
	if h.quote == '`' {
		t.text = textCommand
	}
	l.out = append(l.out, t)
	l.pos, l.resume = start+n, next
	return true
}

type heredoc struct {
	id       string
	quote    byte
	indented bool // the terminator may be indented
	squiggly bool // the body's own indentation goes
}

// opening reads <<~"ID" and tells its length.
func (l *lexer) opening() (h heredoc, n int, ok bool) {
	rest := l.src[l.pos:]
	n = 2
	if n < len(rest) && (rest[n] == '-' || rest[n] == '~') {
		h.indented, h.squiggly = true, rest[n] == '~'
		n++
	}
	if n >= len(rest) {
		return h, 0, false
	}
	if strings.IndexByte("\"'`", rest[n]) >= 0 {
		h.quote = rest[n]
		id, _, closed := strings.Cut(rest[n+1:], string(h.quote))
		h.id, n = id, n+len(id)+2
		ok = closed && id != "" && !strings.Contains(id, "\n")
	} else {
		h.id = rest[n : n+wordLen(rest[n:])]
		n += len(h.id)
		ok = h.id != "" && wordStart(h.id) && (h.indented || isConst(h.id) || h.id[0] == '_')
	}
	return h, n, ok && (l.begins() || l.last().kind == tokIdent && l.space && !l.locals[l.last().s])
}

// find returns where the body that begins at from ends, and where the line after the terminator begins.
func (h heredoc) find(src string, from int) (end, next int, found bool) {
	for i := from; i < len(src); {
		n := lineEnd(src[i:])
		line := strings.TrimSuffix(src[i:i+n], "\r")
		if h.indented {
			line = strings.TrimLeft(line, " \t")
		}
		if line == h.id {
			return i, min(i+n+1, len(src)), true
		}
		i += n + 1
	}
	return len(src), len(src), false
}

// heredocParts are the parts of the body src[from:end].
func (l *lexer) heredocParts(h heredoc, from, end int) []rawPart {
	if h.quote == '\'' {
		return []rawPart{{text: dedent(h, l.src[from:end])}}
	}
	inner := &lexer{src: l.src[:end], pos: from, locals: l.locals, depth: l.depth, problems: l.problems}
	parts, _ := inner.body(0, 0, true)
	if h.squiggly && len(parts) == 1 {
		parts[0].text = dedent(h, parts[0].text)
	}
	return parts
}

// dedent takes the smallest indentation of a squiggly heredoc off its lines.
func dedent(h heredoc, body string) string {
	if !h.squiggly {
		return body
	}
	lines := strings.SplitAfter(body, "\n")
	least := -1
	for _, line := range lines {
		if indent := len(line) - len(strings.TrimLeft(line, " \t")); strings.TrimSpace(line) != "" && (least < 0 || indent < least) {
			least = indent
		}
	}
	for i, line := range lines {
		lines[i] = line[min(max(least, 0), len(line)-len(strings.TrimLeft(line, " \t"))):]
	}
	return strings.Join(lines, "")
}
