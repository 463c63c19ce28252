package vagrantfile

import (
	"slices"
	"strings"
)

// arrayMethod are the methods of arrays.
func (e *evaluator) arrayMethod(a *array, x call, args []value, cl *closure) (value, bool) {
	if cl != nil {
		if v, ok := e.arrayLoop(a, x, args, cl); ok {
			return v, true
		}
	}
	if v, ok := e.arrayChange(a, x, args); ok {
		return v, true
	}
	switch x.id {
	case "[]", "at", "dig", "slice", "fetch":
		return e.element(a, x, args)
	case "first", "last":
		return ends(a, x.id, args)
	case "length", "size", "count":
		return int64(len(a.items)), len(args) == 0 && cl == nil
	case "empty?":
		return len(a.items) == 0, true
	case "any?":
		return len(a.items) > 0, cl == nil
	case "include?", "member?":
		return e.includes(a.items, value0(args), x), true
	case "join":
		return e.join(a, args, x)
	case "to_a", "to_ary", "entries", "compact", "reverse", "uniq", "flatten", "sort":
		return e.rearranged(a, x)
	case "+", "|":
		if b, ok := value0(args).(*array); ok && b.taint == nil && e.grow(x.span, 16*(len(a.items)+len(b.items))) {
			return e.newArray(slices.Concat(a.items, b.items)), x.id == "+"
		}
	case "each_index", "index", "find_index":
		for i, it := range a.items {
			if same, ok := equal(it, value0(args)); ok && same && len(args) == 1 {
				return int64(i), true
			}
		}
	case "each_with_index", "each", "map", "each_slice", "zip":
		return e.pairs(a, x)
	case "to_h":
		return e.toHash(a)
	}
	return nil, false
}

// pairs is each_with_index without a block: pairs of element and index.
func (e *evaluator) pairs(a *array, x call) (value, bool) {
	if x.id == "each" || x.id == "map" {
		return a, true // for .with_index, which is not followed further
	}
	if x.id != "each_with_index" || !e.grow(x.span, 64*len(a.items)) {
		return nil, false
	}
	out := e.newArray(nil)
	for i, it := range a.items {
		out.items = append(out.items, e.newArray([]value{it, int64(i)}))
	}
	return out, true
}

func (e *evaluator) toHash(a *array) (value, bool) {
	h := e.newHash()
	for _, it := range a.items {
		p, ok := it.(*array)
		if !ok || len(p.items) != 2 {
			return nil, false
		}
		h.set(p.items[0], p.items[1])
	}
	return h, true
}

// arrayLoop are the methods that go round with a block.
func (e *evaluator) arrayLoop(a *array, x call, args []value, cl *closure) (value, bool) {
	out := e.newArray([]value{})
	items := a.items
	switch x.id {
	case "each", "each_entry":
		e.iterate(items, cl, x.span, func(_, _ value) bool { return true })
		return a, true
	case "reverse_each":
		items = slices.Clone(items)
		slices.Reverse(items)
		e.iterate(items, cl, x.span, func(_, _ value) bool { return true })
		return a, true
	case "each_with_index", "each_with_object", "with_index", "inject", "reduce":
		return e.indexed(a, x, args, cl)
	case "each_index":
		for i := range items {
			items = append(slices.Clone(items[:i]), append([]value{int64(i)}, items[i+1:]...)...)
		}
		e.iterate(items, cl, x.span, func(_, _ value) bool { return true })
		return a, true
	case "map", "collect", "flat_map", "map!":
		e.iterate(items, cl, x.span, func(_, r value) bool {
			if in, ok := r.(*array); ok && x.id == "flat_map" {
				out.items = append(out.items, in.items...)
			} else {
				out.items = append(out.items, r)
			}
			return e.grow(x.span, 16)
		})
		return out, x.id != "map!"
	case "select", "filter", "reject", "find", "detect", "any?", "all?", "none?", "count", "partition":
		return e.chosen(items, x, cl)
	}
	return nil, false
}

// indexed are loops that hand a second value to the block.
func (e *evaluator) indexed(a *array, x call, args []value, cl *closure) (value, bool) {
	if x.id == "inject" || x.id == "reduce" {
		return nil, false
	}
	first := int64(0)
	if n, ok := value0(args).(int64); ok && x.id == "with_index" {
		first = n
	}
	for i, it := range a.items {
		second := value(first + int64(i))
		if x.id == "each_with_object" {
			second = value0(args)
		}
		if !e.round(x.span) {
			break
		}
		e.callClosure(cl, []value{it, second}, x.span)
		if e.leaves() {
			break
		}
	}
	if x.id == "each_with_object" {
		return value0(args), true
	}
	return a, true
}

// chosen are the methods whose block answers true or false.
func (e *evaluator) chosen(items []value, x call, cl *closure) (value, bool) {
	var yes, no []value
	var doubt *unknown
	e.iterate(items, cl, x.span, func(it, r value) bool {
		is, ok := truth(r)
		switch {
		case !ok:
			u := r.(unknown)
			doubt = &u
		case is:
			yes = append(yes, it)
		default:
			no = append(no, it)
		}
		return doubt == nil
	})
	if doubt != nil {
		return *doubt, true
	}
	switch x.id {
	case "select", "filter":
		return e.newArray(yes), true
	case "reject":
		return e.newArray(no), true
	case "find", "detect":
		return value0(yes), true
	case "any?":
		return len(yes) > 0, true
	case "all?":
		return len(no) == 0, true
	case "none?":
		return len(yes) == 0, true
	case "count":
		return int64(len(yes)), true
	}
	return nil, false
}

// arrayChange are the methods that change an array.
func (e *evaluator) arrayChange(a *array, x call, args []value) (value, bool) {
	switch x.id {
	case "<<", "push", "append":
		e.touch(&a.container)
		a.items = append(a.items, args...)
		return a, e.grow(x.span, 16*len(args))
	case "unshift", "prepend":
		e.touch(&a.container)
		a.items = append(slices.Clone(args), a.items...)
		return a, e.grow(x.span, 16*len(a.items))
	case "concat":
		b, ok := value0(args).(*array)
		if !ok || b.taint != nil || len(args) != 1 {
			e.taint(&a.container, e.unknownf(x.span, "what is added here is not followed"))
			return a, true
		}
		e.touch(&a.container)
		a.items = append(a.items, b.items...)
		return a, e.grow(x.span, 16*len(b.items))
	case "pop", "shift", "delete", "delete_at", "clear", "insert", "delete_if", "keep_if", "fill", "map!", "sort!", "reverse!", "uniq!", "compact!", "reject!", "select!":
		e.taint(&a.container, e.unknownf(x.span, "the method %s is not followed", x.id))
		return *a.taint, true
	}
	return nil, false
}

func (e *evaluator) element(a *array, x call, args []value) (value, bool) {
	if len(args) == 2 && x.id == "dig" {
		v, ok := e.element(a, x, args[:1])
		if !ok {
			return nil, false
		}
		return e.method(v, x, args[1:], nil), true
	}
	i, ok := value0(args).(int64)
	if r, isRange := value0(args).(interval); isRange && len(args) == 1 {
		return e.slice(a, r)
	}
	if !ok || len(args) != 1 {
		return nil, false
	}
	if i < 0 {
		i += int64(len(a.items))
	}
	if i < 0 || i >= int64(len(a.items)) {
		return nil, x.id != "fetch"
	}
	return a.items[i], true
}

func (e *evaluator) slice(a *array, r interval) (value, bool) {
	lo, ok := r.lo.(int64)
	hi := int64(len(a.items)) - 1
	if r.hi != nil {
		n, isInt := r.hi.(int64)
		ok = ok && isInt
		if n < 0 {
			n += int64(len(a.items))
		}
		if r.exclusive {
			n--
		}
		hi = min(hi, n)
	}
	if !ok || lo < 0 || lo > int64(len(a.items)) {
		return nil, false
	}
	return e.newArray(cloneArray(a.items[lo:max(lo, hi+1)])), true
}

func ends(a *array, id string, args []value) (value, bool) {
	if len(args) > 0 {
		return nil, false
	}
	switch {
	case len(a.items) == 0:
		return nil, true
	case id == "first":
		return a.items[0], true
	}
	return a.items[len(a.items)-1], true
}

func (e *evaluator) includes(items []value, v value, x call) value {
	var doubt value
	for _, it := range items {
		same, ok := equal(it, v)
		if same && ok {
			return true
		}
		if !ok {
			doubt = e.unknownf(x.span, "this comparison is not followed")
			if u, isUnknown := doubtful(it); isUnknown {
				doubt = u
			}
		}
	}
	if doubt != nil {
		return doubt
	}
	return false
}

func (e *evaluator) join(a *array, args []value, x call) (value, bool) {
	sep, ok := value0(args).(string)
	var words []string
	for _, it := range a.items {
		s, u := plain(it)
		if u != nil {
			return *u, true
		}
		if _, nested := it.(*array); nested || !e.grow(x.span, len(s)+len(sep)) {
			return nil, false
		}
		words = append(words, s)
	}
	return strings.Join(words, sep), ok || len(args) == 0
}

func (e *evaluator) rearranged(a *array, x call) (value, bool) {
	items := slices.Clone(a.items)
	switch x.id {
	case "compact":
		items = slices.DeleteFunc(items, func(v value) bool { return v == nil })
	case "reverse":
		slices.Reverse(items)
	case "uniq":
		var out []value
		for _, it := range items {
			if is, ok := e.includes(out, it, x).(bool); !ok {
				return nil, false
			} else if !is {
				out = append(out, it)
			}
		}
		items = out
	case "flatten":
		var ok bool
		if items, ok = e.flat(items, 0); !ok {
			return nil, false
		}
	case "sort":
		if slices.ContainsFunc(items, func(v value) bool { _, ok := v.(string); return !ok }) {
			return nil, false
		}
		slices.SortFunc(items, func(a, b value) int { return strings.Compare(a.(string), b.(string)) })
	}
	return e.newArray(items), e.grow(x.span, 16*len(items))
}

// flat takes nested lists apart; a list that holds itself has no end.
func (e *evaluator) flat(items []value, depth int) ([]value, bool) {
	if depth > maxCalls {
		return nil, false
	}
	var out []value
	for _, it := range items {
		if e.steps++; e.steps > maxSteps {
			return nil, false
		}
		in, ok := it.(*array)
		if !ok {
			out = append(out, it)
			continue
		}
		more, ok := e.flat(in.items, depth+1)
		if !ok || in.taint != nil || !e.grow(span{}, 16*len(more)) {
			return nil, false
		}
		out = append(out, more...)
	}
	return out, true
}

// hashMethod are the methods of hashes.
func (e *evaluator) hashMethod(h *hash, x call, args []value, cl *closure) (value, bool) {
	if cl != nil {
		if v, ok := e.hashLoop(h, x, args, cl); ok {
			return v, true
		}
	}
	switch x.id {
	case "[]", "dig":
		v, _ := h.get(value0(args))
		if len(args) > 1 {
			return e.method(v, x, args[1:], nil), true
		}
		return v, true
	case "fetch":
		return e.fetch(h, x, args, cl)
	case "key?", "has_key?", "include?", "member?":
		_, ok := h.get(value0(args))
		return ok, true
	case "keys":
		return e.newArray(slices.Clone(h.keys)), e.grow(x.span, 16*len(h.keys))
	case "values":
		return e.newArray(slices.Clone(h.values)), e.grow(x.span, 16*len(h.keys))
	case "length", "size", "count":
		return int64(len(h.keys)), len(args) == 0 && cl == nil
	case "empty?":
		return len(h.keys) == 0, true
	case "any?":
		return len(h.keys) > 0, cl == nil
	case "merge", "merge!", "update", "reverse_merge":
		return e.merge(h, x, args)
	case "store":
		e.touch(&h.container)
		h.set(value0(args), last(args))
		return h, len(args) == 2
	case "delete", "clear", "delete_if", "reject!", "select!", "shift", "transform_values!", "default=":
		e.taint(&h.container, e.unknownf(x.span, "the method %s is not followed", x.id))
		return *h.taint, true
	case "to_a", "each", "each_pair", "map", "each_with_index", "first", "sort":
		items, u := e.each(h, x.span)
		if u != nil {
			return *u, true
		}
		return e.arrayMethod(e.newArray(items), x, args, cl)
	case "to_h":
		return h, cl == nil
	}
	return nil, false
}

func (e *evaluator) fetch(h *hash, x call, args []value, cl *closure) (value, bool) {
	if v, ok := h.get(value0(args)); ok {
		return v, true
	}
	switch {
	case len(args) > 1:
		return args[1], true
	case cl != nil:
		return e.callClosure(cl, args, x.span), true
	}
	return nil, false
}

func (e *evaluator) merge(h *hash, x call, args []value) (value, bool) {
	more, ok := value0(args).(*hash)
	if !ok || more.taint != nil || len(args) != 1 {
		u := e.unknownf(x.span, "what is merged here is not followed")
		if x.id != "merge" {
			e.taint(&h.container, u)
		}
		return u, true
	}
	out := h
	if x.id == "merge" || x.id == "reverse_merge" {
		out = e.newHash()
		out.keys, out.values = slices.Clone(h.keys), slices.Clone(h.values)
	}
	e.touch(&out.container)
	for i, k := range more.keys {
		if _, has := out.get(k); has && x.id == "reverse_merge" {
			continue
		}
		out.set(k, more.values[i])
	}
	return out, e.grow(x.span, 32*len(out.keys))
}

// hashLoop are the methods of hashes that go round with a block.
func (e *evaluator) hashLoop(h *hash, x call, args []value, cl *closure) (value, bool) {
	one := func(items []value) (value, bool) {
		e.iterate(slices.Clone(items), cl, x.span, func(_, _ value) bool { return true })
		return h, true
	}
	switch x.id {
	case "each_key":
		return one(h.keys)
	case "each_value":
		return one(h.values)
	case "fetch":
		return nil, false
	}
	pairs, u := e.each(h, x.span)
	if u != nil {
		return e.once(cl, *u, x.span), true
	}
	switch x.id {
	case "each", "each_pair":
		return one(pairs)
	case "select", "filter", "reject":
		v, ok := e.chosen(pairs, x, cl)
		if a, isArray := v.(*array); ok && isArray {
			return e.toHash(a)
		}
		return v, ok
	}
	return e.arrayLoop(e.newArray(pairs), x, args, cl)
}
