package vagrantfile

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

type kind int

const (
	tokEOF kind = iota
	tokNewline
	tokNumber
	tokText
	tokWords
	tokIdent
	tokConst
	tokVar // $x @x @@x
	tokLabel
	tokKeyword
	tokOp
)

// token is one word of the source. space tells whether blanks stand before it.
type token struct {
	kind  kind
	s     string
	at    span
	space bool
	// num is the value of a number, text the parts of a tokText (tokLabel, when the label was quoted) or the words of tokWords.
	num   value
	text  textKind
	parts []rawPart
}

// rawPart is text, or the tokens of an interpolation.
type rawPart struct {
	text string
	code []token
}

var keywords = map[string]bool{}

func init() {
	for _, k := range strings.Fields(`alias and begin break case class def defined? do else elsif end ensure false for if in module next nil not or
		redo rescue retry return self super then true undef unless until when while yield __FILE__ __LINE__ __method__ BEGIN END`) {
		keywords[k] = true
	}
}

// lexer turns source into tokens. What a character means depends in Ruby on what stands before it, so it remembers the
// last token and which names were assigned.
type lexer struct {
	src   string
	pos   int
	out   []token
	space bool
	// resume is where the line after the current one begins, behind the bodies of its heredocs; 0: no heredoc.
	resume int
	// locals are names that were assigned or are parameters.
	locals map[string]bool
	// params: between the bars of a block's parameters.
	params bool
	// ternaries are open ? without their :.
	ternaries int
	depth     int
	problems  *problems
}

// lex returns the tokens of the source; what cannot be a token is a problem.
func lex(src string, ps *problems) []token {
	l := &lexer{src: src, locals: map[string]bool{}, problems: ps}
	l.run(false)
	return append(l.out, token{kind: tokEOF, at: span{len(src), len(src)}})
}

// run reads tokens up to the end, or up to the unmatched } of an interpolation.
func (l *lexer) run(interpolation bool) {
	braces := 0
	for l.pos < len(l.src) {
		l.blanks()
		if l.pos >= len(l.src) {
			return
		}
		switch c := l.src[l.pos]; {
		case interpolation && c == '}' && braces == 0:
			return
		case c == '{':
			braces++
		case c == '}':
			braces--
		}
		if !l.next() {
			return
		}
	}
}

// blanks skips blanks, comments, joined lines and =begin … =end.
func (l *lexer) blanks() {
	l.space = false
	for l.pos < len(l.src) {
		rest := l.src[l.pos:]
		switch c := rest[0]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v':
			l.pos++
		case strings.HasPrefix(rest, "\\\n"):
			l.pos += 2
		case strings.HasPrefix(rest, "\\\r\n"):
			l.pos += 3
		case c == '#':
			l.pos += lineEnd(rest)
		case c == '=' && l.lineStart() && isWord(rest, "=begin"):
			l.comment(rest)
		default:
			return
		}
		l.space = true
	}
}

func (l *lexer) comment(rest string) {
	end := strings.Index(rest, "\n=end")
	if end < 0 {
		l.problems.syntax(span{l.pos, l.pos + 6}, "=begin without =end")
		l.pos = len(l.src)
		return
	}
	l.pos += end + 1
	l.pos += lineEnd(l.src[l.pos:])
}

func isWord(s, word string) bool {
	return strings.HasPrefix(s, word) && (len(s) == len(word) || !wordByte(s[len(word)]))
}

func lineEnd(s string) int {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return i
	}
	return len(s)
}

func (l *lexer) lineStart() bool { return l.pos == 0 || l.src[l.pos-1] == '\n' }

// next reads one token; false ends the source.
func (l *lexer) next() bool {
	rest := l.src[l.pos:]
	c := rest[0]
	switch {
	case c == '\n':
		l.newline()
	case l.lineStart() && mergeMark(rest):
		l.problems.syntax(span{l.pos, l.pos + 7}, "this is the mark of a merge conflict that is not resolved")
		l.pos += lineEnd(rest)
	case l.lineStart() && isWord(rest, "__END__"):
		l.pos = len(l.src)
		return false
	case c >= '0' && c <= '9':
		l.number()
	case wordStart(rest):
		l.word()
	case c == '$' || c == '@':
		l.sigil()
	case c == '"', c == '\'', c == '`':
		if c == '`' && l.last().is(tokOp, ".") {
			l.emit(tokIdent, 1)
			return true
		}
		l.quoted(c)
	case c == ':':
		l.colon(rest)
	case c == '%' && l.percent(rest):
	case c == '/' && l.argument(1):
		l.literal(1, '/', textRegexp, true)
	case c == '?' && l.character(rest):
	case strings.HasPrefix(rest, "<<") && l.heredoc():
	default:
		l.operator(rest)
	}
	return true
}

// mergeMark: git leaves lines with seven of these signs where two versions differ.
func mergeMark(rest string) bool {
	line := rest[:lineEnd(rest)]
	return strings.HasPrefix(line, "<<<<<<< ") || strings.TrimRight(line, "\r") == "=======" || strings.HasPrefix(line, ">>>>>>> ")
}

func (l *lexer) last() token {
	if len(l.out) == 0 {
		return token{kind: tokNewline}
	}
	return l.out[len(l.out)-1]
}

func (t token) is(k kind, s string) bool { return t.kind == k && t.s == s }

// emit adds the next n bytes as a token.
func (l *lexer) emit(k kind, n int) {
	l.out = append(l.out, token{kind: k, s: l.src[l.pos : l.pos+n], at: span{l.pos, l.pos + n}, space: l.space})
	l.pos += n
}

// newline ends a line; a next line that begins with .method goes on with this one.
func (l *lexer) newline() {
	at := l.pos
	l.pos++
	if l.resume > 0 {
		l.pos, l.resume = l.resume, 0
	}
	if l.continued() {
		return
	}
	l.ternaries = 0
	l.out = append(l.out, token{kind: tokNewline, s: "\n", at: span{at, at + 1}})
}

// continued tells whether the next line that is not empty or a comment begins with a call on what stands before.
func (l *lexer) continued() bool {
	for i := l.pos; i < len(l.src); {
		rest := strings.TrimLeft(l.src[i:], " \t\r\n")
		if !strings.HasPrefix(rest, "#") {
			return strings.HasPrefix(rest, "&.") || strings.HasPrefix(rest, ".") && !strings.HasPrefix(rest, "..")
		}
		i = len(l.src) - len(rest) + lineEnd(rest)
	}
	return false
}

// begins tells whether a value, rather than an operator, is expected after the last token.
func (l *lexer) begins() bool {
	switch t := l.last(); t.kind {
	case tokNewline, tokLabel:
		return true
	case tokKeyword:
		return t.s != "end" && t.s != "self" && t.s != "nil" && t.s != "true" && t.s != "false" && !strings.HasPrefix(t.s, "__")
	case tokOp:
		return t.s != ")" && t.s != "]" && t.s != "}"
	}
	return false
}

// argument tells whether a sign of n bytes begins a value: one is expected, or a call without parentheses is likely,
// because a blank stands before the sign and none after it.
func (l *lexer) argument(n int) bool {
	if l.begins() {
		return true
	}
	t := l.last()
	after := l.pos + n
	return t.kind == tokIdent && l.space && !l.locals[t.s] && after < len(l.src) && !strings.ContainsRune(" \t\r\n=", rune(l.src[after]))
}

func wordByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= utf8.RuneSelf
}

func wordStart(s string) bool { return wordByte(s[0]) && (s[0] < '0' || s[0] > '9') }

func wordLen(s string) int {
	n := 0
	for n < len(s) && wordByte(s[n]) {
		n++
	}
	return n
}

// word reads a name, constant, keyword or label.
func (l *lexer) word() {
	rest := l.src[l.pos:]
	n := wordLen(rest)
	if n < len(rest) && (rest[n] == '?' || rest[n] == '!') && !strings.HasPrefix(rest[n+1:], "=") {
		if !(rest[n] == '?' && strings.HasPrefix(rest[n+1:], ":") && !strings.HasPrefix(rest[n+1:], "::")) || l.ternaries == 0 {
			n++
		}
	}
	after := rest[n:]
	method := l.last().is(tokOp, ".") || l.last().is(tokOp, "&.")
	if strings.HasPrefix(after, ":") && !strings.HasPrefix(after, "::") && !method && (l.ternaries == 0 || l.labelPlace()) {
		l.emit(tokLabel, n)
		l.pos++
		return
	}
	w := rest[:n]
	switch {
	case !method && keywords[w] && !l.last().is(tokKeyword, "def"):
		l.emit(tokKeyword, n)
	case isConst(w):
		l.emit(tokConst, n)
	default:
		l.emit(tokIdent, n)
		l.noteLocal(w, after)
	}
}

// labelPlace: after ( , { | a name with a colon is a label even inside a ternary.
func (l *lexer) labelPlace() bool {
	t := l.last()
	return t.kind == tokOp && (t.s == "(" || t.s == "," || t.s == "{" || t.s == "|")
}

func isConst(w string) bool {
	r, _ := utf8.DecodeRuneInString(w)
	return unicode.IsUpper(r)
}

// noteLocal remembers a name that is assigned or is a parameter.
func (l *lexer) noteLocal(w, after string) {
	after = strings.TrimLeft(after, " \t")
	assigned := strings.HasPrefix(after, "=") && !strings.HasPrefix(after, "==") && !strings.HasPrefix(after, "=~") && !strings.HasPrefix(after, "=>")
	if l.params || assigned || strings.HasPrefix(after, "||=") {
		l.locals[w] = true
	}
}

func (l *lexer) sigil() {
	rest := l.src[l.pos:]
	n := 1
	if strings.HasPrefix(rest, "@@") {
		n = 2
	}
	w := wordLen(rest[n:])
	if w == 0 && rest[0] == '$' && len(rest) > 1 && strings.IndexByte("!@&~`'+/\\,;.<>_*$?:\"", rest[1]) >= 0 {
		w = 1
	}
	if w == 0 {
		l.problems.unread(span{l.pos, l.pos + 1}, fmt.Sprintf("%q is not understood here", rest[0]))
		l.pos++
		return
	}
	l.emit(tokVar, n+w)
}

// colon reads :symbol, :"symbol", :: or the : of a ternary.
func (l *lexer) colon(rest string) {
	switch {
	case strings.HasPrefix(rest, "::"):
		l.emit(tokOp, 2)
	case len(rest) > 1 && (rest[1] == '"' || rest[1] == '\'') && (l.ternaries == 0 || l.space):
		l.literal(2, rest[1], textSymbol, rest[1] == '"')
	case len(rest) > 1 && (wordStart(rest[1:]) || rest[1] == '@' || rest[1] == '$') && !l.ternaryColon():
		l.symbol(rest)
	case len(rest) > 1 && l.begins() && operatorLen(rest[1:]) > 0 && l.ternaries == 0:
		l.simpleSymbol(1 + operatorLen(rest[1:]))
	default:
		l.ternaries = max(0, l.ternaries-1)
		l.emit(tokOp, 1)
	}
}

// ternaryColon: the : of a ? b :c without a blank after it, which follows a value.
func (l *lexer) ternaryColon() bool { return l.ternaries > 0 && !l.begins() }

func (l *lexer) symbol(rest string) {
	n := 1
	for n < len(rest) && (rest[n] == '@' || rest[n] == '$') {
		n++
	}
	n += wordLen(rest[n:])
	if n < len(rest) && strings.IndexByte("?!=", rest[n]) >= 0 && !strings.HasPrefix(rest[n+1:], ">") && !strings.HasPrefix(rest[n+1:], "=") && !strings.HasPrefix(rest[n+1:], "~") {
		n++
	}
	l.simpleSymbol(n)
}

func (l *lexer) simpleSymbol(n int) {
	l.out = append(l.out, token{kind: tokText, text: textSymbol, parts: []rawPart{{text: l.src[l.pos+1 : l.pos+n]}}, at: span{l.pos, l.pos + n}, space: l.space})
	l.pos += n
}

// operators, longest first.
var operators = []string{"**=", "<=>", "===", "...", "<<=", ">>=", "&&=", "||=", "&.", "**", "==", "!=", ">=", "<=", "&&", "||", "=~", "!~", "..", "::",
	"+=", "-=", "*=", "/=", "%=", "|=", "&=", "^=", "<<", ">>", "->", "=>", "+", "-", "*", "/", "%", "=", "<", ">", "!", "&", "|", "^", "~", "?", ":", ",", ".",
	"(", ")", "[", "]", "{", "}", ";"}

func operatorLen(s string) int {
	for _, op := range operators {
		if strings.HasPrefix(s, op) {
			return len(op)
		}
	}
	return 0
}

func (l *lexer) operator(rest string) {
	n := operatorLen(rest)
	if n == 0 {
		r, size := utf8.DecodeRuneInString(rest)
		l.problems.unread(span{l.pos, l.pos + size}, fmt.Sprintf("the character %q is not understood here", r))
		l.pos += size
		return
	}
	op := rest[:n]
	switch op {
	case ";":
		l.out = append(l.out, token{kind: tokNewline, s: ";", at: span{l.pos, l.pos + 1}})
		l.pos++
		return
	case "||", "|":
		if l.bars(op) {
			return
		}
	case "?":
		l.ternaries++
	}
	l.emit(tokOp, n)
}

// bars follows the parameters of a block, between { or do and the second |. An empty list may be written ||.
func (l *lexer) bars(op string) bool {
	t := l.last()
	opening := t.is(tokOp, "{") || t.is(tokKeyword, "do")
	switch {
	case opening && op == "||":
		l.emit(tokOp, 1)
		l.emit(tokOp, 1)
		return true
	case opening:
		l.params = true
	case op == "|":
		l.params = false
	}
	return false
}
