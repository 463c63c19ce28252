package vagrantfile

import (
	"fmt"
	"strings"
)

// assignments are the operators that assign.
var assignments = map[string]bool{"=": true, "||=": true, "&&=": true, "+=": true, "-=": true, "*=": true, "/=": true, "%=": true, "**=": true,
	"<<=": true, ">>=": true, "|=": true, "&=": true, "^=": true}

// expression reads an expression with assignments and ternaries, but without commas and modifiers.
func (p *parser) expression() expr {
	defer p.deeper()()
	return p.assigned(p.ternary())
}

// assigned reads the = and the value that may follow something that can be assigned to.
func (p *parser) assigned(left expr) expr {
	t := p.peek()
	if t.kind != tokOp || !assignments[t.s] || !assignable(left) {
		return left
	}
	p.next()
	p.newlines()
	p.declare(left)
	value := p.element()
	if p.keyword("rescue") { // x = a rescue b assigns either
		p.next()
		value = guarded{span: span{value.where().start, p.end()}, body: []expr{value}, rescue: []expr{p.expression()}, rescued: true}
	}
	return assign{span{left.where().start, value.where().end}, strings.TrimSuffix(t.s, "="), []expr{left}, value}
}

func (p *parser) ternary() expr {
	cond := p.binary(0)
	if !p.op("?") {
		return cond
	}
	p.next()
	p.newlines()
	then := p.expression()
	p.newlines()
	p.expect(":", " in a ? b : c")
	p.newlines()
	els := p.expression()
	return branch{span{cond.where().start, els.where().end}, cond, []expr{then}, []expr{els}}
}

// levels are the binary operators, weakest first.
var levels = [][]string{
	{"..", "..."},
	{"||"},
	{"&&"},
	{"<=>", "==", "===", "!=", "=~", "!~"},
	{"<", "<=", ">", ">="},
	{"|", "^"},
	{"&"},
	{"<<", ">>"},
	{"+", "-"},
	{"*", "/", "%"},
}

func (p *parser) binaryAt(level int) (token, bool) {
	t := p.peek()
	if t.kind != tokOp {
		return t, false
	}
	for _, op := range levels[level] {
		if t.s == op {
			return t, true
		}
	}
	return t, false
}

func (p *parser) binary(level int) expr {
	if level == len(levels) {
		return p.unary()
	}
	left := p.binary(level + 1)
	for n := 0; ; n++ {
		p.chain(n)
		t, ok := p.binaryAt(level)
		if !ok {
			return left
		}
		p.next()
		left = p.operation(left, t, level)
	}
}

func (p *parser) operation(left expr, t token, level int) expr {
	if level == 0 && p.rangeEnds() {
		return rangeLit{span{left.where().start, t.at.end}, left, nil, t.s == "..."}
	}
	p.newlines()
	right := p.binary(level + 1)
	at := span{left.where().start, right.where().end}
	switch t.s {
	case "..", "...":
		return rangeLit{at, left, right, t.s == "..."}
	case "&&", "||": // a && b = c
		right = p.assigned(right)
		at.end = right.where().end
		return logic{at, t.s, left, right}
	case "!=":
		return negation{at, call{span: at, recv: left, id: "==", args: []expr{right}}}
	case "!~":
		return negation{at, call{span: at, recv: left, id: "=~", args: []expr{right}}}
	}
	return call{span: at, recv: left, id: t.s, args: []expr{right}}
}

// rangeEnds: nothing follows the dots of an open range.
func (p *parser) rangeEnds() bool {
	t := p.peek()
	return t.kind == tokNewline || t.kind == tokEOF || closes(t) || t.is(tokOp, ",")
}

func (p *parser) unary() expr {
	defer p.deeper()()
	t := p.peek()
	if t.kind == tokKeyword && t.s == "defined?" {
		p.next()
		of := p.unary()
		return opaque{span{t.at.start, of.where().end}, "defined?"}
	}
	if t.kind != tokOp {
		return p.power()
	}
	switch t.s {
	case "!":
		p.next()
		of := p.unary()
		return negation{span{t.at.start, of.where().end}, of}
	case "-", "+", "~":
		p.next()
		of := p.unary()
		at := span{t.at.start, of.where().end}
		if l, ok := of.(lit); ok && t.s == "-" {
			if n, ok := l.v.(int64); ok {
				return lit{at, -n}
			}
		}
		return call{span: at, recv: of, id: t.s + "@"}
	case "..", "...":
		p.next()
		hi := p.binary(1)
		return rangeLit{span{t.at.start, hi.where().end}, nil, hi, t.s == "..."}
	}
	return p.power()
}

func (p *parser) power() expr {
	left := p.postfix(p.primary())
	if !p.op("**") {
		return left
	}
	p.next()
	p.newlines()
	right := p.unary()
	return call{span: span{left.where().start, right.where().end}, recv: left, id: "**", args: []expr{right}}
}

// postfix reads the calls, indexes and blocks that follow a value.
func (p *parser) postfix(e expr) expr {
	for n := 0; ; n++ {
		p.chain(n)
		t := p.peek()
		switch {
		case t.is(tokOp, ".") || t.is(tokOp, "&."):
			p.next()
			e = p.method(e, t.s == "&.")
		case t.is(tokOp, "::"):
			p.next()
			e = p.scope(e)
		case t.is(tokOp, "[") && !t.space:
			p.next()
			args := p.arguments("]")
			e = call{span: span{e.where().start, p.end()}, recv: e, id: "[]", args: args}
		case t.is(tokOp, "[") && !p.callable(e):
			p.next()
			args := p.arguments("]")
			e = call{span: span{e.where().start, p.end()}, recv: e, id: "[]", args: args}
		case t.is(tokOp, "{") && p.callable(e):
			e = p.withBlock(e)
		case t.is(tokKeyword, "do") && p.noDo == 0 && p.callable(e):
			e = p.withBlock(e)
		default:
			return e
		}
	}
}

// callable tells whether a block may follow.
func (p *parser) callable(e expr) bool {
	switch e := e.(type) {
	case name:
		return !p.locals[e.id]
	case call:
		return e.block == nil && e.id != "[]" && (e.recv == nil || !isOperator(e.id))
	case jump:
		return e.keyword == "super"
	}
	return false
}

func isOperator(id string) bool { return id != "" && !wordByte(id[0]) }

// withBlock reads the block of a call.
func (p *parser) withBlock(e expr) expr {
	b := p.block()
	switch e := e.(type) {
	case name:
		return call{span: span{e.start, p.end()}, id: e.id, block: b}
	case call:
		e.block = b
		e.end = p.end()
		return e
	}
	return e
}

// scope reads what follows ::.
func (p *parser) scope(of expr) expr {
	t := p.peek()
	if t.kind == tokConst && !(p.peekAt(1).is(tokOp, "(") && !p.peekAt(1).space) {
		p.next()
		return scoped{span{of.where().start, t.at.end}, of, t.s}
	}
	return p.method(of, false)
}

// method reads the name and the arguments of a call on a value.
func (p *parser) method(recv expr, safe bool) expr {
	p.newlines()
	t := p.next()
	c := call{span: span{recv.where().start, t.at.end}, recv: recv, safe: safe, id: t.s}
	switch {
	case t.is(tokOp, "("): // x.(…)
		c.id = "call"
		p.pos--
	case t.kind == tokLabel: // a ? b.c : d, without blanks
		p.pos--
		p.toks[p.pos] = token{kind: tokOp, s: ":", at: span{t.at.end, t.at.end + 1}}
		return c
	case t.kind != tokIdent && t.kind != tokConst && t.kind != tokKeyword && !(t.kind == tokOp && isOperator(t.s)):
		p.fail(t.at, fmt.Sprintf("%s stands where the name of a method is expected", t.show()))
	}
	p.callArguments(&c)
	return c
}

// callArguments reads arguments in parentheses or without.
func (p *parser) callArguments(c *call) {
	t := p.peek()
	switch {
	case t.is(tokOp, "(") && !t.space:
		p.next()
		c.args = p.arguments(")")
	case p.startsArgument(t):
		c.args = p.commandArguments()
	default:
		return
	}
	c.end = p.end()
}

// startsArgument tells whether a token can begin the first argument of a call without parentheses.
func (p *parser) startsArgument(t token) bool {
	if !t.space {
		return t.kind == tokText && p.toks[max(p.pos-1, 0)].kind == tokIdent && t.text == textString
	}
	tight := !p.peekAt(1).space && p.peekAt(1).kind != tokNewline
	switch t.kind {
	case tokNumber, tokText, tokWords, tokIdent, tokConst, tokVar, tokLabel:
		return true
	case tokKeyword:
		switch t.s {
		case "nil", "true", "false", "not", "self", "defined?", "__FILE__", "__LINE__", "__method__", "case", "yield", "super", "def":
			return true
		}
	case tokOp:
		switch t.s {
		case "(", "->", "!", "~":
			return true
		case "[", "-", "*", "**", "&", "::", ":":
			return tight || t.s == "["
		}
	}
	return false
}

// commandArguments reads arguments up to the end of the statement; a do after them belongs to the call.
func (p *parser) commandArguments() []expr {
	p.noDo++
	defer func() { p.noDo-- }()
	var args []expr
	for {
		args = p.argument(args)
		if !p.accept(",") {
			return args
		}
		p.newlines()
	}
}

// arguments reads arguments up to a closing sign.
func (p *parser) arguments(end string) []expr {
	defer p.deeper()()
	noDo := p.noDo
	p.noDo = 0
	defer func() { p.noDo = noDo }()
	open := p.toks[p.pos-1]
	var args []expr
	for {
		p.newlines()
		if p.accept(end) {
			return args
		}
		args = p.argument(args)
		p.newlines()
		if !p.accept(",") {
			p.expect(end, fmt.Sprintf(" to close what line %d opens", p.line(open.at)))
			return args
		}
	}
}

// argument reads one argument; pairs are gathered in a hash at the end.
func (p *parser) argument(args []expr) []expr {
	t := p.peek()
	switch {
	case t.kind == tokLabel:
		return addPair(args, p.labelled())
	case t.is(tokOp, "**"):
		p.next()
		return addPair(args, pair{nil, p.expression()})
	case t.is(tokOp, "*") || t.is(tokOp, "&"):
		p.next()
		if p.op(",") || p.op(")") {
			return append(args, splat{t.at, t.s, lit{t.at, nil}})
		}
		of := p.expression()
		return append(args, splat{span{t.at.start, of.where().end}, t.s, of})
	}
	e := p.notArgument()
	if !p.accept("=>") {
		return append(args, e)
	}
	p.newlines()
	return addPair(args, pair{e, p.notArgument()})
}

func (p *parser) notArgument() expr {
	if t := p.peek(); t.is(tokKeyword, "not") {
		p.next()
		of := p.expression()
		return negation{span{t.at.start, of.where().end}, of}
	}
	return p.expression()
}

// labelled reads key: value; a key alone stands for the variable of its name.
func (p *parser) labelled() pair {
	t := p.next()
	key := labelKey(p, t)
	p.newlines()
	if n := p.peek(); n.kind == tokEOF || closes(n) || n.is(tokOp, ",") {
		return pair{key, name{t.at, t.s}}
	}
	return pair{key, p.notArgument()}
}

func labelKey(p *parser, t token) expr {
	if t.parts != nil {
		return p.text(token{kind: tokText, text: textSymbol, parts: t.parts, at: t.at})
	}
	return lit{t.at, symbol(t.s)}
}

// addPair puts a pair into the hash at the end of the arguments, which it may begin.
func addPair(args []expr, pr pair) []expr {
	at := pr.value.where()
	if pr.key != nil {
		at.start = pr.key.where().start
	}
	if n := len(args); n > 0 {
		if h, ok := args[n-1].(hashLit); ok && h.bare() {
			h.pairs = append(h.pairs, pr)
			h.end = at.end
			args[n-1] = h
			return args
		}
	}
	return append(args, hashLit{at, []pair{pr}})
}

// bare: a hash of arguments begins with its first key, one in braces before it.
func (h hashLit) bare() bool {
	if len(h.pairs) == 0 {
		return false
	}
	first := h.pairs[0].value.where().start
	if h.pairs[0].key != nil {
		first = h.pairs[0].key.where().start
	}
	return h.start == first
}
