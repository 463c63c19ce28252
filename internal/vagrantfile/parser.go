package vagrantfile

import (
	"fmt"
	"slices"
)

const (
	// maxDepth bounds nesting: blocks, brackets, calls on calls.
	maxDepth = 200
	// maxChain bounds what can follow one another without nesting, such as a + b + c.
	maxChain = 500
)

// parser turns tokens into statements, by recursive descent with the precedence of Ruby's operators.
type parser struct {
	toks []token
	pos  int
	src  string
	// noDo: a do here belongs to the call, or the loop, further out.
	noDo  int
	depth int
	// locals are names that were assigned or are parameters: they are never calls.
	locals   map[string]bool
	problems *problems
}

// failure ends the parsing of one statement.
type failure struct {
	at   span
	text string
	// limit: nothing after it is read.
	limit bool
}

func parse(src string, ps *problems) []expr {
	p := &parser{toks: lex(src, ps), src: src, locals: map[string]bool{}, problems: ps}
	var body []expr
	for {
		body = append(body, p.statements()...)
		t := p.peek()
		if t.kind == tokEOF {
			return body
		}
		p.problems.syntax(t.at, fmt.Sprintf("%s closes nothing", t.show()))
		p.pos++
	}
}

func (t token) show() string {
	switch t.kind {
	case tokEOF:
		return "the end of the file"
	case tokNewline:
		return "the end of the line"
	case tokText:
		return "a literal"
	case tokWords:
		return "a list of words"
	}
	return fmt.Sprintf("%q", t.s)
}

func (p *parser) peek() token { return p.toks[min(p.pos, len(p.toks)-1)] }

func (p *parser) peekAt(n int) token { return p.toks[min(p.pos+n, len(p.toks)-1)] }

func (p *parser) next() token {
	t := p.peek()
	p.pos++
	return t
}

func (p *parser) op(s string) bool      { return p.peek().is(tokOp, s) }
func (p *parser) keyword(s string) bool { return p.peek().is(tokKeyword, s) }

// accept takes the next token when it is this operator or keyword.
func (p *parser) accept(s string) bool {
	if p.op(s) || p.keyword(s) {
		p.pos++
		return true
	}
	return false
}

func (p *parser) expect(s, after string) token {
	t := p.peek()
	if !p.accept(s) {
		p.fail(t.at, fmt.Sprintf("%s stands where %q is expected%s", t.show(), s, after))
	}
	return t
}

func (p *parser) fail(at span, text string) { panic(failure{at: at, text: text}) }

// deeper guards the recursion.
func (p *parser) deeper() func() {
	p.depth++
	if p.depth > maxDepth {
		panic(failure{at: p.peek().at, text: fmt.Sprintf("nested more than %d levels deep", maxDepth), limit: true})
	}
	return func() { p.depth-- }
}

func (p *parser) newlines() {
	for p.peek().kind == tokNewline {
		p.pos++
	}
}

// line is for messages: the line of a token.
func (p *parser) line(at span) int {
	line, _ := p.problems.lines.at(at.start)
	return line
}

// statements reads up to something that closes: end, else, ), }, the end of the file.
func (p *parser) statements() []expr {
	var body []expr
	for {
		p.newlines()
		t := p.peek()
		if t.kind == tokEOF || closes(t) {
			return body
		}
		if e := p.statement(); e != nil {
			body = append(body, e)
		}
	}
}

func closes(t token) bool {
	switch t.kind {
	case tokKeyword:
		return slices.Contains([]string{"end", "else", "elsif", "when", "in", "rescue", "ensure", "then"}, t.s)
	case tokOp:
		return t.s == ")" || t.s == "}" || t.s == "]"
	}
	return false
}

// statement reads one statement. What cannot be read is a problem, and the rest of its line is left out.
func (p *parser) statement() (e expr) {
	start, depth, noDo := p.pos, p.depth, p.noDo
	defer func() {
		switch f := recover().(type) {
		case nil:
		case failure:
			p.depth, p.noDo = depth, noDo
			p.recoverFrom(f, start)
			e = opaque{span: f.at, what: "a statement that cannot be read"}
		default:
			panic(f)
		}
	}()
	e = p.modifiers(p.expressionStatement())
	if t := p.peek(); t.kind != tokNewline && t.kind != tokEOF && !closes(t) {
		p.fail(t.at, fmt.Sprintf("%s is not understood here", t.show()))
	}
	return e
}

func (p *parser) recoverFrom(f failure, start int) {
	if f.limit {
		p.problems.limit(f.at, f.text)
		p.pos = len(p.toks) - 1
		return
	}
	p.problems.unread(f.at, f.text)
	p.pos = max(p.pos, start)
	if p.pos == start && p.peek().kind != tokEOF {
		p.pos++
	}
	for t := p.peek(); t.kind != tokNewline && t.kind != tokEOF && !t.is(tokKeyword, "end"); t = p.peek() {
		p.pos++
	}
}

// modifiers reads the if, unless, while, until and rescue that may follow a statement.
func (p *parser) modifiers(e expr) expr {
	for {
		t := p.peek()
		if t.kind != tokKeyword {
			return e
		}
		switch t.s {
		case "if", "unless":
			p.next()
			e = conditional(t.s, p.expressionStatement(), []expr{e}, nil, span{e.where().start, p.end()})
		case "while", "until":
			p.next()
			e = loop{span: span{e.where().start, p.end()}, keyword: t.s, of: p.expressionStatement(), body: []expr{e}}
		case "rescue":
			p.next()
			e = guarded{span: span{e.where().start, p.end()}, body: []expr{e}, rescue: []expr{p.expressionStatement()}, rescued: true}
		default:
			return e
		}
	}
}

func conditional(keyword string, cond expr, then, els []expr, at span) expr {
	if keyword == "unless" {
		then, els = els, then
	}
	return branch{span: at, cond: cond, then: then, els: els}
}

// end is where the last token that was taken ends.
func (p *parser) end() int {
	if p.pos == 0 {
		return 0
	}
	return p.toks[min(p.pos, len(p.toks))-1].at.end
}

// expressionStatement reads an expression with and, or, not, and lists on either side of =.
func (p *parser) expressionStatement() expr {
	defer p.deeper()()
	left := p.notExpression()
	for n := 0; p.keyword("and") || p.keyword("or"); n++ {
		p.chain(n)
		op := map[string]string{"and": "&&", "or": "||"}[p.next().s]
		p.newlines()
		right := p.notExpression()
		left = logic{span{left.where().start, right.where().end}, op, left, right}
	}
	return left
}

func (p *parser) chain(n int) {
	if n > maxChain {
		panic(failure{at: p.peek().at, text: fmt.Sprintf("more than %d operators or calls in a row", maxChain), limit: true})
	}
}

func (p *parser) notExpression() expr {
	if t := p.peek(); t.is(tokKeyword, "not") {
		p.next()
		of := p.notExpression()
		return negation{span{t.at.start, of.where().end}, of}
	}
	if p.op("*") {
		return p.multiple(nil)
	}
	e := p.expression()
	if !p.op(",") {
		return e
	}
	if a, ok := e.(assign); ok && len(a.targets) == 1 { // a = 1, 2
		a.value = p.list(a.value)
		a.end = p.end()
		return a
	}
	if assignable(e) {
		return p.multiple(e)
	}
	return e
}

// assignable tells whether something can be assigned to an expression.
func assignable(e expr) bool {
	switch e := e.(type) {
	case name, variable, splat:
		return true
	case scoped:
		return isConst(e.id)
	case call:
		return e.block == nil && (e.id == "[]" || e.recv != nil && len(e.args) == 0)
	case group:
		return len(e.body) == 1 && assignable(e.body[0])
	}
	return false
}

// list reads what follows first, separated by commas, as an array.
func (p *parser) list(first expr) expr {
	elems := []expr{first}
	for p.accept(",") {
		p.newlines()
		elems = append(elems, p.element())
	}
	return arrayLit{span{first.where().start, p.end()}, elems}
}

// element is an expression that may be spread.
func (p *parser) element() expr {
	if t := p.peek(); t.is(tokOp, "*") {
		p.next()
		of := p.expression()
		return splat{span{t.at.start, of.where().end}, "*", of}
	}
	return p.expression()
}

// multiple reads a, b = values.
func (p *parser) multiple(first expr) expr {
	start := p.peek().at.start
	var targets []expr
	if first != nil {
		start = first.where().start
		targets = append(targets, first)
	} else {
		targets = append(targets, p.splatTarget())
	}
	for p.accept(",") {
		if p.op("=") || p.op("|") {
			break
		}
		targets = append(targets, p.splatTarget())
	}
	p.expect("=", " after a list of variables")
	p.newlines()
	for _, t := range targets {
		p.declare(t)
	}
	value := p.element()
	if p.op(",") {
		value = p.list(value)
	}
	return assign{span{start, p.end()}, "", targets, value}
}

func (p *parser) splatTarget() expr {
	if t := p.peek(); t.is(tokOp, "*") {
		p.next()
		if p.op(",") || p.op("=") {
			return splat{t.at, "*", name{t.at, "_"}}
		}
		return splat{t.at, "*", p.postfix(p.primary())}
	}
	return p.postfix(p.primary())
}

// declare makes names of targets local variables.
func (p *parser) declare(e expr) {
	switch e := e.(type) {
	case name:
		p.locals[e.id] = true
	case splat:
		p.declare(e.of)
	}
}
