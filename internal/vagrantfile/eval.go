package vagrantfile

import (
	"fmt"
	"slices"
	"strings"
)

const (
	// maxSteps bounds how many expressions are evaluated, maxRounds how often loops go round in all, maxBytes what is built
	// of texts and lists, maxCalls how deep methods of the file call one another.
	maxSteps  = 500_000
	maxRounds = 10_000
	maxBytes  = 32 << 20
	maxCalls  = 50
)

// evaluator follows the statements of a Vagrantfile as far as they are made of literals. Nothing is run: no file is read, no
// command started, no method called that is not written out in calls.go and methods.go.
type evaluator struct {
	src     string
	options Options
	ps      *problems
	scope   *scope
	globals map[string]value
	defs    map[string]def
	// doubts are the conditions that are not known and under which the current statement stands.
	doubts []unknown
	log    []change
	// jumping is the return, next or break that is on its way out.
	jumping *jumped

	steps, rounds, bytes, calls int
	stopped                     bool

	building
}

// change is an assignment under doubt, with what was there before.
type change struct {
	vars map[string]value
	id   string
	old  value
	had  bool
}

type jumped struct {
	keyword string
	value   value
}

// unknownf is a value that is not known, with the reason.
func (e *evaluator) unknownf(at span, format string, a ...any) unknown {
	return unknown{fmt.Sprintf(format, a...), at.start}
}

// stop ends everything: a limit is reached.
func (e *evaluator) stop(at span, text string) value {
	if !e.stopped {
		e.stopped = true
		e.ps.limit(at, text)
	}
	return unknown{text, at.start}
}

// run evaluates statements and returns the value of the last one.
func (e *evaluator) run(body []expr) (v value) {
	for _, x := range body {
		v = e.eval(x)
		if e.jumping != nil || e.stopped {
			return v
		}
	}
	return v
}

// grow counts what is built.
func (e *evaluator) grow(at span, n int) bool {
	e.bytes += n
	if e.bytes > maxBytes || n < 0 {
		e.stop(at, "the texts and lists that the file builds are too large")
		return false
	}
	return true
}

// eval is the value of an expression.
func (e *evaluator) eval(x expr) value {
	e.steps++
	if e.steps > maxSteps {
		return e.stop(x.where(), fmt.Sprintf("more than %d steps are needed to follow the file", maxSteps))
	}
	if e.stopped {
		return unknown{"the file is too large to be followed", x.where().start}
	}
	switch x := x.(type) {
	case lit:
		return x.v
	case text:
		return e.text(x)
	case arrayLit:
		return e.array(x)
	case hashLit:
		return e.hash(x)
	case rangeLit:
		return e.interval(x)
	case name:
		return e.name(x)
	case variable:
		return e.variable(x)
	case scoped:
		return e.scoped(x)
	case call:
		return e.call(x)
	case assign:
		return e.assign(x)
	case logic:
		return e.logic(x)
	case negation:
		return e.negation(x)
	case branch:
		return e.branch(x)
	case choice:
		return e.choice(x)
	case loop:
		return e.loop(x)
	case def:
		e.defs[x.id] = x
		return symbol(x.id)
	case guarded:
		return e.guarded(x)
	case group:
		return e.run(x.body)
	case jump:
		return e.jump(x)
	case splat:
		return e.eval(x.of)
	case opaque:
		return e.unknownf(x.span, "%s is not followed", x.what)
	}
	return e.unknownf(x.where(), "this is not followed")
}

func (e *evaluator) text(x text) value {
	switch x.kind {
	case textCommand:
		return e.unknownf(x.span, "it is what a command prints")
	case textRegexp:
		return e.unknownf(x.span, "regular expressions are not followed")
	}
	var b strings.Builder
	for _, p := range x.parts {
		b.WriteString(p.text)
		if p.code == nil {
			continue
		}
		s, u := plain(e.run(p.code))
		if u != nil {
			return *u
		}
		b.WriteString(s)
		if !e.grow(x.span, len(s)+len(p.text)) {
			return unknown{"too large", x.start}
		}
	}
	if x.kind == textSymbol {
		return symbol(b.String())
	}
	return b.String()
}

func (e *evaluator) newArray(items []value) *array {
	return &array{container{depth: len(e.doubts)}, items}
}

func (e *evaluator) newHash() *hash { return &hash{container: container{depth: len(e.doubts)}} }

func (e *evaluator) array(x arrayLit) value {
	items, u := e.items(x.elems)
	if u != nil {
		return *u
	}
	if !e.grow(x.span, 16*len(items)) {
		return unknown{"too large", x.start}
	}
	return e.newArray(items)
}

// items evaluates a list in which *x spreads an array. The unknown tells that its length is not known.
func (e *evaluator) items(xs []expr) ([]value, *unknown) {
	items := []value{}
	for _, x := range xs {
		s, ok := x.(splat)
		v := e.eval(x)
		if !ok || s.op != "*" {
			items = append(items, v)
			continue
		}
		list, u := e.each(v, x.where())
		if u != nil {
			return nil, u
		}
		items = append(items, list...)
	}
	return items, nil
}

func (e *evaluator) hash(x hashLit) value {
	h := e.newHash()
	for _, p := range x.pairs {
		v := e.eval(p.value)
		if p.key != nil {
			h.set(e.eval(p.key), v)
			continue
		}
		more, ok := v.(*hash)
		if !ok || more.taint != nil {
			u := e.unknownf(p.value.where(), "the options of %s are not known", sourceText(e.src, p.value.where()))
			h.taint = &u
			continue
		}
		for i, k := range more.keys {
			h.set(k, more.values[i])
		}
	}
	e.grow(x.span, 32*len(h.keys))
	return h
}

func (e *evaluator) interval(x rangeLit) value {
	r := interval{exclusive: x.exclusive}
	if x.lo != nil {
		r.lo = e.eval(x.lo)
	}
	if x.hi != nil {
		r.hi = e.eval(x.hi)
	}
	for _, end := range []value{r.lo, r.hi} {
		if u, ok := end.(unknown); ok {
			return u
		}
	}
	return r
}

func (e *evaluator) name(x name) value {
	if vars, ok := e.scope.find(x.id); ok {
		return vars[x.id]
	}
	return e.function(call{span: x.span, id: x.id})
}

func (e *evaluator) variable(x variable) value {
	switch x.id {
	case "__FILE__":
		if e.options.Path == "" {
			return e.unknownf(x.span, "the path of the file is not known")
		}
		return e.options.Path
	case "__LINE__":
		line, _ := e.ps.lines.at(x.start)
		return int64(line)
	}
	if v, ok := e.globals[x.id]; ok {
		return v
	}
	if x.id[0] == '$' || x.id[0] == '@' {
		return e.unset(x)
	}
	return constant(x.id)
}

// unset is the value of a global or instance variable that nothing assigns: nil, unless it is one of Ruby's own, or a file
// that was loaded could have assigned it.
func (e *evaluator) unset(x variable) value {
	if len(x.id) < 3 || strings.HasPrefix(x.id, "$std") || x.id == "$PROGRAM_NAME" || e.loads {
		return e.unknownf(x.span, "%s is not assigned in this file", x.id)
	}
	return nil
}

func (e *evaluator) scoped(x scoped) value {
	if x.of == nil {
		return e.variable(variable{x.span, x.id})
	}
	of, ok := e.eval(x.of).(constant)
	if !ok {
		return e.unknownf(x.span, "%s is not followed", sourceText(e.src, x.span))
	}
	full := string(of) + "::" + x.id
	if full == "Vagrant::VERSION" {
		return e.unknownf(x.span, "it depends on the version of Vagrant")
	}
	return constant(full)
}

// set assigns a variable and notes the change when the statement is under doubt.
func (e *evaluator) set(vars map[string]value, id string, v value) {
	if len(e.doubts) > 0 {
		old, had := vars[id]
		e.log = append(e.log, change{vars, id, old, had})
	}
	vars[id] = v
}

func (e *evaluator) assign(x assign) value {
	if len(x.targets) == 1 {
		return e.assignOne(x)
	}
	v := e.eval(x.value)
	items, u := e.each(v, x.span)
	if _, isArray := v.(*array); !isArray && u == nil {
		items = []value{v}
	}
	for i, t := range x.targets {
		switch s, spread := t.(splat); {
		case u != nil:
			e.store(strip(t), *u, x.value.where())
		case spread:
			rest := max(i, len(items)-(len(x.targets)-i-1))
			e.store(s.of, e.newArray(cloneArray(items[min(i, len(items)):min(rest, len(items))])), x.value.where())
			items = append(make([]value, i+1), items[min(rest, len(items)):]...)
		case i < len(items):
			e.store(t, items[i], x.value.where())
		default:
			e.store(t, nil, x.value.where())
		}
	}
	return v
}

func strip(t expr) expr {
	if s, ok := t.(splat); ok {
		return s.of
	}
	return t
}

func (e *evaluator) assignOne(x assign) value {
	t := x.targets[0]
	from := x.value.where()
	if a, ok := x.value.(assign); ok { // a = b = 1: the source is 1
		from = a.value.where()
	}
	if x.op == "" {
		v := e.eval(x.value)
		e.store(t, v, from)
		return v
	}
	old := e.valueOf(t)
	var v value
	switch x.op {
	case "||", "&&":
		v = e.logicOf(x.op, old, x.value, x.span)
	default:
		v = e.method(old, call{span: x.span, recv: t, id: x.op}, []value{e.eval(x.value)}, nil)
	}
	e.store(t, v, x.span)
	return v
}

// valueOf is the value of a target before x ||= y; a variable that does not exist is nil.
func (e *evaluator) valueOf(t expr) value {
	switch t := t.(type) {
	case name:
		if vars, ok := e.scope.find(t.id); ok {
			return vars[t.id]
		}
		return nil
	case variable:
		if _, ok := e.globals[t.id]; !ok && t.id[0] != '$' && t.id[0] != '@' {
			return nil
		}
	}
	return e.eval(t)
}

// store assigns to a target. from is where the value stands in the source.
func (e *evaluator) store(t expr, v value, from span) {
	switch t := t.(type) {
	case name:
		vars, ok := e.scope.find(t.id)
		if !ok {
			vars = e.scope.vars
		}
		e.set(vars, t.id, v)
	case variable:
		e.set(e.globals, t.id, v)
	case group:
		if len(t.body) == 1 {
			e.store(t.body[0], v, from)
		}
	case call:
		e.storeInto(t, v, from)
	}
}

// storeInto assigns to x[key] or to an attribute.
func (e *evaluator) storeInto(t call, v value, from span) {
	recv := e.eval(t.recv)
	if t.id != "[]" {
		if o, ok := recv.(object); ok {
			e.attribute(o, t.id, v, from)
		}
		return
	}
	args, _ := e.items(t.args)
	switch r := recv.(type) {
	case *hash:
		e.touch(&r.container)
		if len(args) == 1 {
			r.set(args[0], v)
		}
	case *array:
		e.touch(&r.container)
		if i, ok := number(value0(args)); ok && i >= 0 && i < len(r.items) {
			r.items[i] = v
			return
		}
		e.taint(&r.container, e.unknownf(t.span, "which element is assigned here is not followed"))
	case constant:
		if r == "ENV" {
			e.setEnv(value0(args), v)
		}
	}
}

func value0(args []value) value {
	if len(args) == 0 {
		return nil
	}
	return args[0]
}

// touch marks a container that is changed under a condition that did not hold when it was made.
func (e *evaluator) touch(c *container) {
	if len(e.doubts) > c.depth {
		e.taint(c, e.doubts[c.depth])
	}
}

func (e *evaluator) taint(c *container, u unknown) {
	if c.taint == nil {
		c.taint = &u
	}
}

func (e *evaluator) logic(x logic) value { return e.logicOf(x.op, e.eval(x.left), x.right, x.span) }

// logicOf evaluates the right side only where Ruby would, or under doubt when that is not known.
func (e *evaluator) logicOf(op string, left value, right expr, at span) value {
	is, ok := truth(left)
	switch {
	case ok && is == (op == "||"):
		return left
	case ok:
		return e.eval(right)
	}
	u := left.(unknown)
	v := e.either(u, []expr{right})
	if s, w := inspect(v); w == nil && op == "||" {
		u.why += fmt.Sprintf("; else it is %s", s)
	}
	return u
}

func (e *evaluator) negation(x negation) value {
	v := e.eval(x.of)
	is, ok := truth(v)
	if !ok {
		return v
	}
	return !is
}

func (e *evaluator) branch(x branch) value {
	cond := e.eval(x.cond)
	is, ok := truth(cond)
	switch {
	case !ok:
		return e.either(e.because(cond, x.cond.where()), x.then, x.els)
	case is:
		return e.run(x.then)
	}
	return e.run(x.els)
}

// because is the reason why a condition is not known, told where the condition stands.
func (e *evaluator) because(cond value, at span) unknown {
	u := cond.(unknown)
	line, _ := e.ps.lines.at(u.at)
	if here, _ := e.ps.lines.at(at.start); line != here {
		u.why += fmt.Sprintf(" (line %d)", line)
	}
	return unknown{fmt.Sprintf("it depends on whether %s: %s", sourceText(e.src, at), u.why), at.start}
}

// either follows bodies of which at most one runs. What they assign is not known afterwards, and what they say about the
// configuration is noted as doubtful.
func (e *evaluator) either(u unknown, bodies ...[]expr) value {
	saved := len(e.doubts)
	var changed []change
	var results []value
	left := false
	for _, body := range bodies {
		mark := len(e.log)
		e.doubts = append(e.doubts, u)
		results = append(results, e.run(body))
		left = left || e.jumping != nil
		e.jumping = nil
		e.doubts = e.doubts[:saved]
		changed = append(changed, e.rollBack(mark)...)
	}
	for _, c := range changed {
		e.set(c.vars, c.id, u)
	}
	if left { // one of them leaves the block: whether the rest of it runs is as doubtful
		e.doubts = append(e.doubts, u)
	}
	return agreed(results, u)
}

// agreed is the value that all bodies have, or the doubt.
func agreed(results []value, u unknown) value {
	for _, r := range results[1:] {
		if same, ok := equal(results[0], r); !same || !ok {
			return u
		}
	}
	if len(results) < 2 {
		if _, ok := results[0].(unknown); ok {
			return u
		}
	}
	return results[0]
}

// rollBack undoes the assignments since mark and returns them.
func (e *evaluator) rollBack(mark int) []change {
	changes := slices.Clone(e.log[mark:])
	for _, c := range slices.Backward(changes) {
		if c.had {
			c.vars[c.id] = c.old
		} else {
			delete(c.vars, c.id)
		}
	}
	e.log = e.log[:mark]
	return changes
}

// bounded runs what next, break or return cannot reach beyond. When one of them is doubtful, so is what came after it.
func (e *evaluator) bounded(f func() value) (v value, doubt *unknown) {
	saved, mark := len(e.doubts), len(e.log)
	v = f()
	if len(e.doubts) <= saved {
		return v, nil
	}
	u := e.doubts[saved]
	e.doubts = e.doubts[:saved]
	for _, c := range slices.Clone(e.log[min(mark, len(e.log)):]) {
		c.vars[c.id] = u
	}
	return v, &u
}

func (e *evaluator) choice(x choice) value {
	var subject value = true
	if x.subject != nil {
		subject = e.eval(x.subject)
	}
	for _, w := range x.whens {
		is, why := e.matches(w, subject, x.subject != nil)
		switch {
		case why != nil:
			return e.either(e.because(*why, x.span), e.bodies(x)...)
		case is:
			return e.run(w.body)
		}
	}
	return e.run(x.els)
}

func (e *evaluator) bodies(x choice) [][]expr {
	var all [][]expr
	for _, w := range x.whens {
		all = append(all, w.body)
	}
	return append(all, x.els)
}

// matches tells whether a when applies, or why that is not known.
func (e *evaluator) matches(w when, subject value, compare bool) (bool, *unknown) {
	if w.pattern {
		return false, &unknown{"patterns are not followed", 0}
	}
	for _, c := range w.conds {
		v := e.eval(c)
		is, ok := truth(v)
		if compare {
			is, ok = equal(subject, v)
		}
		if !ok {
			u, isUnknown := subject.(unknown)
			if !isUnknown {
				u, isUnknown = v.(unknown)
			}
			if !isUnknown {
				u = e.unknownf(c.where(), "%s is not followed", sourceText(e.src, c.where()))
			}
			return false, &u
		}
		if is {
			return true, nil
		}
	}
	return false, nil
}

// guarded follows the body; a rescue is something that may have happened.
func (e *evaluator) guarded(x guarded) value {
	v := e.run(x.body)
	if x.rescued && e.jumping == nil {
		u, isUnknown := v.(unknown)
		if !isUnknown {
			u = e.unknownf(x.span, "it depends on whether an error was rescued")
		}
		if isUnknown || e.risky(x.body) {
			v = e.either(u, []expr{opaque{x.span, "begin"}}, x.rescue)
		}
	}
	e.run(x.ensure)
	return v
}

// risky tells whether a body holds anything but assignments of literals, so that it could raise.
func (e *evaluator) risky(body []expr) bool {
	for _, x := range body {
		a, ok := x.(assign)
		if ok {
			_, ok = a.value.(lit)
		}
		if !ok {
			return true
		}
	}
	return false
}

func (e *evaluator) jump(x jump) value {
	var v value
	if x.value != nil {
		v = e.eval(x.value)
	}
	switch x.keyword {
	case "return", "next", "break":
		e.jumping = &jumped{x.keyword, v}
		return v
	}
	return e.unknownf(x.span, "%s is not followed", x.keyword)
}
