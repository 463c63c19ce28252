package vagrantfile

import (
	"slices"
	"strconv"
	"strings"
)

// value is what an expression stands for: nil, bool, int64, float64, string, symbol, *array, *hash, interval, *closure,
// constant, object, or unknown.
type value any

type symbol string

// unknown is a value that cannot be told without running the file. at is where the first cause stands.
type unknown struct {
	why string
	at  int
}

// container is what arrays and hashes share: they can be changed under a condition that is not known.
type container struct {
	// depth is how many unknown conditions held when it was made; taint is the first one under which it was changed.
	depth int
	taint *unknown
}

type array struct {
	container
	items []value
}

type hash struct {
	container
	keys, values []value
}

// interval is a..b.
type interval struct {
	lo, hi    value
	exclusive bool
}

// closure is a block with the variables around it, or the method that a symbol names.
type closure struct {
	block  *block
	scope  *scope
	method string
	lambda bool
}

// constant is a constant that the file does not define, such as Vagrant::Util.
type constant string

// scope holds local variables. A block sees those around it, a method does not.
type scope struct {
	vars   map[string]value
	parent *scope
}

func (s *scope) find(id string) (map[string]value, bool) {
	for ; s != nil; s = s.parent {
		if _, ok := s.vars[id]; ok {
			return s.vars, true
		}
	}
	return nil, false
}

// truth tells whether Ruby takes a value for true; ok is false when it is not known.
func truth(v value) (is, ok bool) {
	switch v := v.(type) {
	case nil:
		return false, true
	case bool:
		return v, true
	case unknown:
		return false, false
	}
	return true, true
}

// maxNodes bounds how much of a nested value is looked at: a list can hold itself, or another one twice, and that one too.
const maxNodes = 10_000

// equal compares as == does; ok is false when that cannot be told.
func equal(a, b value) (same, ok bool) {
	budget := maxNodes
	return equalWithin(a, b, &budget)
}

func equalWithin(a, b value, budget *int) (same, ok bool) {
	if *budget--; *budget < 0 {
		return false, false
	}
	switch a := a.(type) {
	case nil, bool, string, symbol, int64, constant:
		if f, isFloat := b.(float64); isFloat {
			n, isInt := a.(int64)
			return isInt && float64(n) == f, true
		}
		switch b.(type) {
		case nil, bool, string, symbol, int64, constant, *array, *hash, interval:
			return scalar(a) && scalar(b) && a == b, true
		}
	case float64:
		switch b := b.(type) {
		case float64:
			return a == b, true
		case int64:
			return a == float64(b), true
		}
	case *array:
		if b, isArray := b.(*array); isArray && a.taint == nil && b.taint == nil {
			return equalItems(a.items, b.items, budget)
		}
	case *hash:
		if b, isHash := b.(*hash); isHash && a == b && a.taint == nil {
			return true, true
		}
	}
	return false, false
}

func scalar(v value) bool {
	switch v.(type) {
	case *array, *hash, interval:
		return false
	}
	return true
}

func equalItems(a, b []value, budget *int) (same, ok bool) {
	if len(a) != len(b) {
		return false, true
	}
	for i := range a {
		if same, ok := equalWithin(a[i], b[i], budget); !same || !ok {
			return same, ok
		}
	}
	return true, true
}

func (h *hash) get(key value) (value, bool) {
	for i, k := range h.keys {
		if same, ok := equal(k, key); same && ok {
			return h.values[i], true
		}
	}
	return nil, false
}

func (h *hash) set(key, v value) {
	for i, k := range h.keys {
		if same, ok := equal(k, key); same && ok {
			h.values[i] = v
			return
		}
	}
	h.keys, h.values = append(h.keys, key), append(h.values, v)
}

// doubtful returns why the content of an array or hash is not known.
func doubtful(v value) (unknown, bool) {
	switch v := v.(type) {
	case unknown:
		return v, true
	case *array:
		if v.taint != nil {
			return *v.taint, true
		}
	case *hash:
		if v.taint != nil {
			return *v.taint, true
		}
		for _, k := range v.keys {
			if u, ok := k.(unknown); ok {
				return u, true
			}
		}
	}
	return unknown{}, false
}

// plain is to_s of a value. The unknown is the reason why there is none.
func plain(v value) (string, *unknown) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case symbol:
		return string(v), nil
	case bool:
		return strconv.FormatBool(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		return floatText(v), nil
	case unknown:
		return "", &v
	}
	return inspect(v)
}

func floatText(f float64) string {
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// inspect is a value as Ruby shows it, for options that nobody looks into.
func inspect(v value) (string, *unknown) {
	budget := maxNodes
	return inspectWithin(v, &budget)
}

func inspectWithin(v value, budget *int) (string, *unknown) {
	if u, ok := doubtful(v); ok {
		return "", &u
	}
	if *budget--; *budget < 0 {
		return "", &unknown{why: "it holds too much"}
	}
	switch v := v.(type) {
	case nil:
		return "nil", nil
	case string:
		return strconv.Quote(v), nil
	case symbol:
		return ":" + string(v), nil
	case constant:
		return string(v), nil
	case *array:
		return inspectAll("[", v.items, "]", budget)
	case *hash:
		return inspectHash(v, budget)
	case interval:
		return inspectInterval(v, budget)
	case bool, int64, float64:
		return plain(v)
	}
	return "", &unknown{why: "it is no literal"}
}

func inspectAll(open string, items []value, end string, budget *int) (string, *unknown) {
	var out []string
	for _, it := range items {
		s, u := inspectWithin(it, budget)
		if u != nil {
			return "", u
		}
		out = append(out, s)
	}
	return open + strings.Join(out, ", ") + end, nil
}

func inspectInterval(r interval, budget *int) (string, *unknown) {
	lo, u := inspectWithin(r.lo, budget)
	if u != nil {
		return "", u
	}
	hi, u := inspectWithin(r.hi, budget)
	if r.exclusive {
		return lo + "..." + hi, u
	}
	return lo + ".." + hi, u
}

func inspectHash(h *hash, budget *int) (string, *unknown) {
	var out []string
	for i, k := range h.keys {
		s, u := inspectWithin(h.values[i], budget)
		if u != nil {
			return "", u
		}
		key, u := inspectWithin(k, budget)
		if u != nil {
			return "", u
		}
		out = append(out, key+" => "+s)
	}
	return "{" + strings.Join(out, ", ") + "}", nil
}

// number is a value as an integer: VBoxManage takes 1024 and "1024" alike.
func number(v value) (int, bool) {
	switch v := v.(type) {
	case int64:
		return int(v), true
	case float64:
		return int(v), v == float64(int(v))
	case string:
		n, err := strconv.Atoi(strings.TrimSpace(v))
		return n, err == nil
	}
	return 0, false
}

// cloneArray is a new array that shares no list.
func cloneArray(items []value) []value { return slices.Clone(items) }
