package vagrantfile

import "fmt"

// primary reads a value, a call without a receiver, or a construct with end.
func (p *parser) primary() expr {
	t := p.next()
	switch t.kind {
	case tokNumber:
		return lit{t.at, t.num}
	case tokText:
		return p.adjacent(t)
	case tokWords:
		return p.words(t)
	case tokVar:
		return variable{t.at, t.s}
	case tokConst:
		return p.constant(t)
	case tokIdent:
		return p.ident(t)
	case tokKeyword:
		return p.construct(t)
	case tokOp:
		return p.bracket(t)
	case tokLabel: // x ?y:z and the like
		p.fail(t.at, fmt.Sprintf("%q with a colon is not understood here", t.s))
	}
	p.pos--
	p.fail(t.at, fmt.Sprintf("%s stands where a value is expected", t.show()))
	return nil
}

// adjacent joins literals that stand side by side.
func (p *parser) adjacent(t token) expr {
	e := p.text(t)
	for n := 0; p.peek().kind == tokText && p.peek().text == textString && t.text == textString; n++ {
		p.chain(n)
		right := p.text(p.next())
		e = call{span: span{e.where().start, right.where().end}, recv: e, id: "+", args: []expr{right}}
	}
	return e
}

// text builds a literal from its parts.
func (p *parser) text(t token) expr {
	if len(t.parts) == 1 && t.parts[0].code == nil && t.text != textCommand && t.text != textRegexp {
		if t.text == textSymbol {
			return lit{t.at, symbol(t.parts[0].text)}
		}
		return lit{t.at, t.parts[0].text}
	}
	e := text{span: t.at, kind: t.text}
	for _, raw := range t.parts {
		pt := part{text: raw.text}
		if raw.code != nil {
			pt.code = p.nested(raw.code)
		}
		e.parts = append(e.parts, pt)
	}
	return e
}

// nested parses the tokens of an interpolation.
func (p *parser) nested(code []token) []expr {
	defer p.deeper()()
	inner := &parser{toks: code, src: p.src, depth: p.depth, locals: p.locals, problems: p.problems}
	body := inner.statements()
	if t := inner.peek(); t.kind != tokEOF {
		p.fail(t.at, fmt.Sprintf("%s is not understood in #{…}", t.show()))
	}
	if body == nil {
		body = []expr{lit{code[len(code)-1].at, nil}}
	}
	return body
}

func (p *parser) words(t token) expr {
	if t.num != nil {
		return lit{t.at, t.num}
	}
	a := arrayLit{span: t.at}
	for _, w := range t.parts {
		if t.text == textSymbol {
			a.elems = append(a.elems, lit{t.at, symbol(w.text)})
		} else {
			a.elems = append(a.elems, lit{t.at, w.text})
		}
	}
	return a
}

// constant reads a constant, or a call such as Integer("1").
func (p *parser) constant(t token) expr {
	n := p.peek()
	if n.is(tokOp, "(") && !n.space || n.kind == tokText && n.space && n.text == textString {
		c := call{span: t.at, id: t.s}
		p.callArguments(&c)
		return c
	}
	return variable{t.at, t.s}
}

// ident reads a local variable or a call without a receiver.
func (p *parser) ident(t token) expr {
	n := p.peek()
	if n.is(tokOp, "(") && !n.space {
		c := call{span: t.at, id: t.s}
		p.callArguments(&c)
		return c
	}
	if p.locals[t.s] || !p.startsArgument(n) {
		return name{t.at, t.s}
	}
	c := call{span: t.at, id: t.s}
	p.callArguments(&c)
	return c
}

// bracket reads what begins with a sign.
func (p *parser) bracket(t token) expr {
	switch t.s {
	case "[":
		elems := p.arguments("]")
		return arrayLit{span{t.at.start, p.end()}, elems}
	case "{":
		return p.hash(t)
	case "(":
		return p.grouped(t)
	case "->":
		return p.lambda(t)
	case "::":
		c := p.next()
		return scoped{span{t.at.start, c.at.end}, nil, c.s}
	}
	p.pos--
	p.fail(t.at, fmt.Sprintf("%s stands where a value is expected", t.show()))
	return nil
}

func (p *parser) hash(t token) expr {
	args := p.arguments("}")
	h := hashLit{span: span{t.at.start, p.end()}}
	for _, a := range args {
		in, ok := a.(hashLit)
		if !ok || !in.bare() {
			p.fail(a.where(), "a hash needs pairs of key and value")
		}
		h.pairs = append(h.pairs, in.pairs...)
	}
	return h
}

func (p *parser) grouped(t token) expr {
	defer p.deeper()()
	noDo := p.noDo
	p.noDo = 0
	defer func() { p.noDo = noDo }()
	body := p.statements()
	p.expect(")", fmt.Sprintf(" to close the ( of line %d", p.line(t.at)))
	return group{span{t.at.start, p.end()}, body}
}

// lambda reads ->(x) { … }.
func (p *parser) lambda(t token) expr {
	noDo := p.noDo
	p.noDo = 0
	defer func() { p.noDo = noDo }()
	var params []param
	if p.accept("(") {
		params = p.params(")")
	} else if !p.op("{") && !p.keyword("do") {
		params = p.params("")
	}
	b := p.block()
	b.params = params
	return call{span: span{t.at.start, p.end()}, id: "lambda", block: b}
}

// block reads { |x| … } or do |x| … end.
func (p *parser) block() *block {
	defer p.deeper()()
	noDo := p.noDo
	p.noDo = 0
	defer func() { p.noDo = noDo }()
	open := p.next()
	b := &block{span: open.at}
	p.newlines()
	if p.accept("|") {
		b.params = p.params("|")
	}
	if open.s == "do" {
		b.body = p.bodyUntilEnd(open)
	} else {
		b.body = p.statements()
		p.closeWith("}", open)
	}
	b.end = p.end()
	return b
}

// closeWith takes the closing sign. At the end of the file it is missing, which is told with where it was opened.
func (p *parser) closeWith(end string, open token) {
	if p.accept(end) {
		return
	}
	t := p.peek()
	if t.kind == tokEOF {
		p.problems.syntax(open.at, fmt.Sprintf("%q has no %q: the file ends before", open.s, end))
		return
	}
	p.fail(t.at, fmt.Sprintf("%s stands where %q of line %d is expected", t.show(), end, p.line(open.at)))
}

// bodyUntilEnd reads statements up to end; rescue, else and ensure may stand between.
func (p *parser) bodyUntilEnd(open token) []expr {
	body := p.inner()
	g := guarded{span: open.at, body: body}
	for {
		switch {
		case p.accept("rescue"):
			g.rescued = true
			for t := p.peek(); t.kind != tokNewline && t.kind != tokEOF && !t.is(tokKeyword, "then"); t = p.peek() {
				p.noteRescued()
			}
			p.accept("then")
			g.rescue = append(g.rescue, p.inner()...)
		case g.rescued && p.accept("else"):
			g.body = append(g.body, p.inner()...)
		case p.accept("ensure"):
			g.ensure = p.inner()
		default:
			p.closeWith("end", open)
			g.end = p.end()
			if g.rescued || g.ensure != nil {
				return []expr{g}
			}
			return body
		}
	}
}

// noteRescued skips one token of a rescue clause; the variable of => e becomes local.
func (p *parser) noteRescued() {
	if p.accept("=>") && p.peek().kind == tokIdent {
		p.locals[p.peek().s] = true
	}
	if t := p.peek(); t.kind != tokNewline && t.kind != tokEOF {
		p.next()
	}
}

// params reads parameters up to end; "" ends them at the end of the line or at a block.
func (p *parser) params(end string) []param {
	var all []param
	for {
		p.newlinesIn(end)
		t := p.peek()
		if end != "" && p.accept(end) {
			return all
		}
		if t.kind == tokEOF || end == "" && (t.kind == tokNewline || t.is(tokOp, "{") || t.is(tokKeyword, "do") || t.is(tokOp, "=")) {
			return all
		}
		if p.accept(",") {
			continue
		}
		if t.kind == tokNewline && t.s == ";" { // |a; local|
			p.next()
			continue
		}
		all = append(all, p.param(end))
	}
}

func (p *parser) newlinesIn(end string) {
	for end != "" && p.peek().kind == tokNewline {
		p.pos++
	}
}

func (p *parser) param(end string) param {
	defer p.deeper()()
	pm := param{}
	t := p.next()
	switch {
	case t.is(tokOp, "("):
		return param{kind: "(", sub: p.params(")")}
	case t.is(tokOp, "*") || t.is(tokOp, "**") || t.is(tokOp, "&"):
		pm.kind = t.s
		if p.peek().kind != tokIdent {
			return pm
		}
		t = p.next()
	case t.kind == tokLabel:
		pm.kind = "key"
	case t.kind != tokIdent:
		p.fail(t.at, fmt.Sprintf("%s stands where a parameter is expected", t.show()))
	}
	pm.id = t.s
	p.locals[t.s] = true
	n := p.peek()
	if pm.kind == "" && p.accept("=") || pm.kind == "key" && n.kind != tokNewline && !n.is(tokOp, ",") && !n.is(tokOp, end) {
		pm.def = p.defaultValue(end)
	}
	return pm
}

// defaultValue reads the default of a parameter; between bars, | is not an operator.
func (p *parser) defaultValue(end string) expr {
	if end == "|" {
		return p.binary(6)
	}
	return p.ternary()
}
