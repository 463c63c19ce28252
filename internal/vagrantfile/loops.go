package vagrantfile

import "fmt"

// each lists what a loop over a value goes through.
func (e *evaluator) each(v value, at span) ([]value, *unknown) {
	if u, ok := doubtful(v); ok {
		return nil, &u
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case *array:
		return v.items, nil
	case *hash:
		var pairs []value
		for i, k := range v.keys {
			pairs = append(pairs, e.newArray([]value{k, v.values[i]}))
		}
		return pairs, nil
	case interval:
		return e.through(v, at)
	}
	u := e.unknownf(at, "%s is not a list that can be followed", sourceText(e.src, at))
	return nil, &u
}

// through lists a range of numbers or of single letters.
func (e *evaluator) through(r interval, at span) ([]value, *unknown) {
	lo, okLo := r.lo.(int64)
	hi, okHi := r.hi.(int64)
	a, isLetter := r.lo.(string)
	b, isLetter2 := r.hi.(string)
	letters := isLetter && isLetter2 && len(a) == 1 && len(b) == 1
	if letters {
		lo, hi, okLo, okHi = int64(a[0]), int64(b[0]), true, true
	}
	if !okLo || !okHi {
		u := e.unknownf(at, "the range %s is not followed", sourceText(e.src, at))
		return nil, &u
	}
	if r.exclusive {
		hi--
	}
	if hi-lo >= maxRounds || hi-lo < -1<<40 && hi > 0 {
		e.stop(at, fmt.Sprintf("the range %s has more than %d elements", sourceText(e.src, at), maxRounds))
		return nil, &unknown{"too long", at.start}
	}
	var all []value
	for i := lo; i <= hi; i++ {
		if letters {
			all = append(all, string(rune(i)))
		} else {
			all = append(all, i)
		}
	}
	e.grow(at, 16*len(all))
	return all, nil
}

// round counts one round of a loop.
func (e *evaluator) round(at span) bool {
	e.rounds++
	if e.rounds > maxRounds {
		e.stop(at, fmt.Sprintf("the loops of the file go round more than %d times", maxRounds))
	}
	return !e.stopped
}

func (e *evaluator) loop(x loop) value {
	if x.keyword == "for" {
		return e.forIn(x)
	}
	for e.round(x.span) {
		cond := e.eval(x.of)
		is, ok := truth(cond)
		if !ok {
			return e.either(e.because(cond, x.of.where()), x.body)
		}
		if is != (x.keyword == "while") {
			return nil
		}
		if _, doubt := e.bounded(func() value { return e.run(x.body) }); doubt != nil {
			return e.either(*doubt, x.body)
		}
		if e.leaves() {
			return nil
		}
	}
	return nil
}

// forIn follows for: its variable belongs to the scope around, so that blocks which run later see its last value.
func (e *evaluator) forIn(x loop) value {
	list := e.eval(x.of)
	items, u := e.each(list, x.of.where())
	if u != nil {
		why := e.repeated(*u, x.of.where())
		for _, v := range x.vars {
			e.store(v, why, x.span)
		}
		return e.either(why, x.body)
	}
	for _, it := range items {
		if !e.round(x.span) {
			return nil
		}
		e.forVars(x, it)
		if _, doubt := e.bounded(func() value { return e.run(x.body) }); doubt != nil {
			e.doubts = append(e.doubts, *doubt)
		}
		if e.leaves() {
			return nil
		}
	}
	return list
}

func (e *evaluator) forVars(x loop, it value) {
	if len(x.vars) == 1 {
		e.store(x.vars[0], it, x.span)
		return
	}
	parts, _ := e.each(it, x.span)
	for i, v := range x.vars {
		if i < len(parts) {
			e.store(v, parts[i], x.span)
		}
	}
}

// leaves tells whether a loop ends before its end, and takes next and break.
func (e *evaluator) leaves() bool {
	if e.stopped {
		return true
	}
	if e.jumping == nil {
		return false
	}
	switch e.jumping.keyword {
	case "next":
		e.jumping = nil
		return false
	case "break":
		e.jumping = nil
	}
	return true
}

// repeated is the doubt about the body of a loop over something that is not known.
func (e *evaluator) repeated(u unknown, at span) unknown {
	line, _ := e.ps.lines.at(u.at)
	if here, _ := e.ps.lines.at(at.start); line != here {
		u.why += fmt.Sprintf(" (line %d)", line)
	}
	return unknown{fmt.Sprintf("it is repeated for each of %s: %s", sourceText(e.src, at), u.why), at.start}
}

// iterate calls a block once per item and gives the results to got, until that returns false.
func (e *evaluator) iterate(items []value, cl *closure, at span, got func(item, result value) bool) {
	for _, it := range items {
		if !e.round(at) {
			return
		}
		result := e.callClosure(cl, []value{it}, at)
		if e.jumping != nil && e.jumping.keyword == "break" {
			e.jumping = nil
			return
		}
		if e.jumping != nil || e.stopped || !got(it, result) {
			return
		}
	}
}

// once follows a block that runs an unknown number of times, with parameters that are not known.
func (e *evaluator) once(cl *closure, u unknown, at span) value {
	if cl == nil || cl.block == nil {
		return u
	}
	saved := e.scope
	e.scope = &scope{map[string]value{}, cl.scope}
	e.bindUnknown(cl.block.params, u)
	e.either(u, cl.block.body)
	if len(e.doubts) > 0 && e.doubts[len(e.doubts)-1] == u {
		e.doubts = e.doubts[:len(e.doubts)-1] // a next in the block ends with the block
	}
	e.scope = saved
	return u
}

func (e *evaluator) bindUnknown(params []param, u unknown) {
	for _, p := range params {
		if p.id != "" {
			e.scope.vars[p.id] = u
		}
		e.bindUnknown(p.sub, u)
	}
}

// callClosure calls a block, a lambda or a method named by a symbol.
func (e *evaluator) callClosure(cl *closure, args []value, at span) value {
	if cl.method != "" {
		if len(args) == 0 {
			return nil
		}
		return e.method(args[0], call{span: at, id: cl.method}, args[1:], nil)
	}
	if e.calls++; e.calls > maxCalls {
		e.calls--
		return e.stop(at, fmt.Sprintf("blocks and methods call one another more than %d deep", maxCalls))
	}
	saved := e.scope
	e.scope = &scope{map[string]value{}, cl.scope}
	defer func() { e.scope = saved; e.calls-- }()
	e.bind(cl.block.params, args, !cl.lambda)
	v, doubt := e.bounded(func() value { return e.run(cl.block.body) })
	if doubt != nil {
		return *doubt
	}
	if e.jumping != nil && (e.jumping.keyword == "next" || cl.lambda && e.jumping.keyword == "return") {
		v, e.jumping = e.jumping.value, nil
	}
	return v
}

// bind gives arguments to parameters. A block that gets one array and has several parameters takes it apart.
func (e *evaluator) bind(params []param, args []value, spread bool) {
	if len(params) == 0 && len(args) > 0 {
		e.scope.vars["it"], e.scope.vars["_1"] = args[0], args[0]
		if len(args) > 1 {
			e.scope.vars["_2"] = args[1]
		}
		return
	}
	if a, ok := value0(args).(*array); ok && spread && len(args) == 1 && len(params) > 1 && a.taint == nil {
		args = a.items
	} else if u, ok := value0(args).(unknown); ok && len(args) == 1 && len(params) > 1 {
		e.bindUnknown(params, u)
		return
	}
	var options *hash
	if h, ok := last(args).(*hash); ok && hasKeys(params) {
		options, args = h, args[:len(args)-1]
	}
	for i, p := range params {
		args = e.bindOne(p, args, options, len(params)-i-1)
	}
}

func last(args []value) value {
	if len(args) == 0 {
		return nil
	}
	return args[len(args)-1]
}

func hasKeys(params []param) bool {
	for _, p := range params {
		if p.kind == "key" || p.kind == "**" {
			return true
		}
	}
	return false
}

// bindOne gives one parameter its value and returns the arguments that are left; after is how many parameters follow.
func (e *evaluator) bindOne(p param, args []value, options *hash, after int) []value {
	switch p.kind {
	case "*":
		n := max(0, len(args)-after)
		e.define(p.id, e.newArray(cloneArray(args[:n])))
		return args[n:]
	case "&":
		e.define(p.id, unknown{"blocks that are handed on are not followed", 0})
		return args
	case "**":
		e.define(p.id, unknown{"options that are handed on are not followed", 0})
		return args
	case "key":
		e.define(p.id, e.keyArgument(p, options))
		return args
	case "(":
		if len(args) > 0 {
			e.bind(p.sub, args[:1], true)
			return args[1:]
		}
		return args
	}
	if len(args) > 0 {
		e.define(p.id, args[0])
		return args[1:]
	}
	var v value
	if p.def != nil {
		v = e.eval(p.def)
	}
	e.define(p.id, v)
	return nil
}

func (e *evaluator) keyArgument(p param, options *hash) value {
	if options != nil {
		if options.taint != nil {
			return *options.taint
		}
		if v, ok := options.get(symbol(p.id)); ok {
			return v
		}
	}
	if p.def != nil {
		return e.eval(p.def)
	}
	return unknown{"it is an argument that is not given here", 0}
}

func (e *evaluator) define(id string, v value) {
	if id != "" {
		e.scope.vars[id] = v
	}
}
