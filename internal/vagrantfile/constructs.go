package vagrantfile

import "fmt"

// construct reads what begins with a keyword.
func (p *parser) construct(t token) expr {
	switch t.s {
	case "nil":
		return lit{t.at, nil}
	case "true", "false":
		return lit{t.at, t.s == "true"}
	case "self", "__method__":
		return opaque{t.at, t.s}
	case "__FILE__", "__LINE__":
		return variable{t.at, t.s}
	case "if", "unless":
		return p.ifElse(t)
	case "while", "until":
		return p.while(t)
	case "for":
		return p.forIn(t)
	case "case":
		return p.caseWhen(t)
	case "begin":
		body := p.bodyUntilEnd(t)
		return group{span{t.at.start, p.end()}, body}
	case "def":
		return p.definition(t)
	case "class", "module":
		return p.class(t)
	case "return", "next", "break", "redo", "retry", "yield", "super":
		return p.jump(t)
	case "alias", "undef":
		for n := p.peek(); n.kind != tokNewline && n.kind != tokEOF; n = p.peek() {
			p.next()
		}
		return opaque{t.at, t.s}
	case "BEGIN", "END":
		b := p.block()
		return opaque{span{t.at.start, b.end}, t.s}
	}
	p.pos--
	p.fail(t.at, fmt.Sprintf("%s is not understood here", t.show()))
	return nil
}

// condition reads up to then or the end of the line; a do ends it, too.
func (p *parser) condition() expr {
	p.noDo++
	defer func() { p.noDo-- }()
	return p.expressionStatement()
}

func (p *parser) ifElse(t token) expr {
	defer p.deeper()()
	cond := p.condition()
	p.newlines()
	p.accept("then")
	body := p.inner()
	var els []expr
	n := p.peek()
	switch {
	case p.accept("elsif"):
		els = []expr{p.ifElse(n)} // reads the end, too
		return conditional(t.s, cond, body, els, span{t.at.start, p.end()})
	case p.accept("else"):
		els = p.inner()
	}
	p.closeWith("end", t)
	return conditional(t.s, cond, body, els, span{t.at.start, p.end()})
}

// inner reads statements of a body that a keyword ends, in which do is free again. A bracket that closes nothing is a
// problem of its line, not of the body.
func (p *parser) inner() []expr {
	noDo := p.noDo
	p.noDo = 0
	defer func() { p.noDo = noDo }()
	body := p.statements()
	for t := p.peek(); t.kind == tokOp; t = p.peek() { // statements ends before an operator only when it closes
		p.problems.syntax(t.at, fmt.Sprintf("%s closes nothing", t.show()))
		p.pos++
		body = append(body, p.statements()...)
	}
	return body
}

func (p *parser) while(t token) expr {
	defer p.deeper()()
	cond := p.condition()
	p.accept("do")
	body := p.inner()
	p.closeWith("end", t)
	return loop{span: span{t.at.start, p.end()}, keyword: t.s, of: cond, body: body}
}

func (p *parser) forIn(t token) expr {
	defer p.deeper()()
	l := loop{span: t.at, keyword: "for"}
	for {
		v := p.next()
		if v.kind != tokIdent && v.kind != tokVar {
			p.fail(v.at, fmt.Sprintf("%s stands where the variable of for is expected", v.show()))
		}
		if v.kind == tokIdent {
			p.locals[v.s] = true
			l.vars = append(l.vars, name{v.at, v.s})
		} else {
			l.vars = append(l.vars, variable{v.at, v.s})
		}
		if !p.accept(",") {
			break
		}
	}
	p.expect("in", " after the variable of for")
	l.of = p.condition()
	p.accept("do")
	l.body = p.inner()
	p.closeWith("end", t)
	l.end = p.end()
	return l
}

func (p *parser) caseWhen(t token) expr {
	defer p.deeper()()
	c := choice{span: t.at}
	if p.peek().kind != tokNewline {
		c.subject = p.condition()
	}
	p.newlines()
	for {
		switch {
		case p.accept("when"):
			c.whens = append(c.whens, p.when())
			continue
		case p.accept("in"):
			c.whens = append(c.whens, p.pattern())
			continue
		case p.accept("else"):
			c.els = p.inner()
		}
		p.closeWith("end", t)
		c.end = p.end()
		return c
	}
}

func (p *parser) when() when {
	var w when
	for {
		p.newlines()
		w.conds = append(w.conds, p.element())
		if !p.accept(",") {
			break
		}
	}
	p.newlines()
	p.accept("then")
	w.body = p.inner()
	return w
}

// pattern skips the pattern of case/in.
func (p *parser) pattern() when {
	for t := p.peek(); t.kind != tokNewline && t.kind != tokEOF && !t.is(tokKeyword, "then"); t = p.peek() {
		p.next()
	}
	p.accept("then")
	return when{pattern: true, body: p.inner()}
}

func (p *parser) definition(t token) expr {
	defer p.deeper()()
	d := def{span: t.at}
	id := p.next()
	if p.accept(".") { // def self.x
		id = p.next()
	}
	d.id = id.s
	if p.op("=") && !p.peek().space { // def x=(v)
		p.next()
		d.id += "="
	}
	if p.op("(") {
		p.next()
		d.params = p.params(")")
	} else {
		d.params = p.params("")
	}
	if p.accept("=") { // def x = value
		p.newlines()
		d.body = []expr{p.expressionStatement()}
	} else {
		noDo := p.noDo
		p.noDo = 0
		d.body = p.bodyUntilEnd(t)
		p.noDo = noDo
	}
	d.end = p.end()
	return d
}

// class reads a class or module and keeps nothing of it.
func (p *parser) class(t token) expr {
	defer p.deeper()()
	if p.accept("<<") {
		p.expression()
	} else {
		p.postfix(p.primary())
		if p.accept("<") {
			p.expression()
		}
	}
	p.bodyUntilEnd(t)
	return opaque{span{t.at.start, p.end()}, t.s}
}

// jump reads return, next, break, yield and their value.
func (p *parser) jump(t token) expr {
	j := jump{span: t.at, keyword: t.s}
	n := p.peek()
	switch {
	case n.is(tokOp, "(") && !n.space && (t.s == "yield" || t.s == "super"):
		p.next()
		args := p.arguments(")")
		j.value = arrayLit{span{n.at.start, p.end()}, args}
	case p.startsArgument(n) || n.is(tokOp, "{"):
		args := p.commandArguments()
		j.value = args[0]
		if len(args) > 1 {
			j.value = arrayLit{span{args[0].where().start, p.end()}, args}
		}
	}
	j.end = p.end()
	return j
}
