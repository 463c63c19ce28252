package vagrantfile

import (
	"slices"
	"strconv"
	"strings"
)

// method calls a method of a value, as far as those are written out here.
func (e *evaluator) method(recv value, x call, args []value, cl *closure) value {
	if u, ok := doubtful(recv); ok {
		return e.once(cl, u, x.span)
	}
	if v, ok := e.common(recv, x, args, cl); ok {
		return v
	}
	for _, a := range args {
		if u, ok := a.(unknown); ok && x.id != "<<" && x.id != "push" {
			return e.once(cl, u, x.span)
		}
	}
	var v value
	ok := false
	switch r := recv.(type) {
	case string:
		v, ok = e.stringMethod(r, x, args)
	case symbol:
		v, ok = e.stringMethod(string(r), x, args)
	case int64:
		v, ok = e.intMethod(r, x, args, cl)
	case float64:
		v, ok = floatMethod(r, x.id, args)
	case *array:
		v, ok = e.arrayMethod(r, x, args, cl)
	case *hash:
		v, ok = e.hashMethod(r, x, args, cl)
	case interval:
		v, ok = e.intervalMethod(r, x, args, cl)
	case *closure:
		if x.id == "call" || x.id == "[]" || x.id == "()" || x.id == "yield" {
			return e.callClosure(r, args, x.span)
		}
	case nil:
		v, ok = nilMethod(x.id)
	}
	if !ok {
		return e.once(cl, e.unknownf(x.span, "the method %s is not followed", x.id), x.span)
	}
	return v
}

func nilMethod(id string) (value, bool) {
	switch id {
	case "to_s":
		return "", true
	case "to_i":
		return int64(0), true
	case "to_a":
		return &array{}, true
	case "empty?", "any?":
		return false, true
	}
	return nil, false
}

// common are methods that any value has.
func (e *evaluator) common(recv value, x call, args []value, cl *closure) (value, bool) {
	switch x.id {
	case "nil?":
		return recv == nil, true
	case "freeze", "itself", "dup", "clone", "tap", "deep_dup":
		if cl == nil {
			return recv, true
		}
	case "to_s", "inspect":
		if s, u := map[string]func(value) (string, *unknown){"to_s": plain, "inspect": inspect}[x.id](recv); u == nil && len(args) == 0 {
			return s, true
		}
	case "==", "eql?", "equal?", "===":
		if len(args) == 1 {
			return e.equality(recv, args[0], x), true
		}
	case "is_a?", "kind_of?", "instance_of?":
		return isA(recv, value0(args))
	}
	return nil, false
}

func (e *evaluator) equality(a, b value, x call) value {
	if u, ok := doubtful(b); ok {
		return u
	}
	same, ok := equal(a, b)
	if !ok {
		return e.unknownf(x.span, "this comparison is not followed")
	}
	return same
}

func isA(v value, class value) (value, bool) {
	names := map[bool][]string{}
	switch v.(type) {
	case string:
		names[true] = []string{"String"}
	case int64:
		names[true] = []string{"Integer", "Fixnum", "Numeric"}
	case *array:
		names[true] = []string{"Array"}
	case *hash:
		names[true] = []string{"Hash"}
	case symbol:
		names[true] = []string{"Symbol"}
	case nil:
		names[true] = []string{"NilClass"}
	}
	c, ok := class.(constant)
	return slices.Contains(names[true], string(c)), ok && len(names[true]) > 0
}

// stringMethod are the methods of strings, and of symbols as far as they are alike.
func (e *evaluator) stringMethod(s string, x call, args []value) (value, bool) {
	if v, ok := e.stringOperator(s, x, args); ok {
		return v, true
	}
	a, isText := value0(args).(string)
	switch x.id {
	case "to_sym", "intern":
		return symbol(s), true
	case "to_i":
		return leadingInt(s), true
	case "to_f":
		f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		return f, err == nil
	case "upcase":
		return strings.ToUpper(s), true
	case "downcase":
		return strings.ToLower(s), true
	case "capitalize":
		return strings.ToUpper(s[:min(1, len(s))]) + strings.ToLower(s[min(1, len(s)):]), true
	case "strip", "chomp", "chop", "lstrip", "rstrip":
		return strip1(x.id, s), len(args) == 0 && x.id != "chop"
	case "length", "size":
		return int64(len([]rune(s))), true
	case "empty?":
		return s == "", true
	case "include?":
		return strings.Contains(s, a), isText
	case "start_with?":
		return strings.HasPrefix(s, a), isText && len(args) == 1
	case "end_with?":
		return strings.HasSuffix(s, a), isText && len(args) == 1
	case "split":
		return e.split(s, args)
	case "lines":
		return e.texts(strings.SplitAfter(strings.TrimSuffix(s, "\n"), "\n")), true
	case "sub", "gsub", "tr", "delete", "rjust", "ljust", "center":
		return e.replaced(s, x, args)
	case "hex":
		n, err := strconv.ParseInt(strings.TrimPrefix(s, "0x"), 16, 64)
		return n, err == nil
	}
	return nil, false
}

func strip1(id, s string) string {
	const blanks = " \t\r\n\f\v\x00"
	switch id {
	case "lstrip":
		return strings.TrimLeft(s, blanks)
	case "rstrip":
		return strings.TrimRight(s, blanks)
	case "chomp":
		return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
	}
	return strings.Trim(s, blanks)
}

// leadingInt is to_i: the digits at the start, else 0.
func leadingInt(s string) int64 {
	s = strings.TrimSpace(strings.ReplaceAll(s, "_", ""))
	n := 0
	for n < len(s) && (s[n] >= '0' && s[n] <= '9' || n == 0 && (s[n] == '-' || s[n] == '+')) {
		n++
	}
	i, _ := strconv.ParseInt(s[:n], 10, 64) // no digits: 0
	return i
}

func (e *evaluator) stringOperator(s string, x call, args []value) (value, bool) {
	switch x.id {
	case "+", "<<", "concat":
		return e.concat(s, x, args)
	case "*":
		n, ok := number(value0(args))
		if !ok || n < 0 || n > maxBytes || !e.grow(x.span, n*len(s)) {
			return nil, false
		}
		return strings.Repeat(s, n), true
	case "%":
		if a, ok := value0(args).(*array); ok {
			return e.format(x.span, append([]value{s}, a.items...)), true
		}
		return e.format(x.span, append([]value{s}, args...)), true
	case "[]", "slice":
		return index(s, args)
	case "<", ">", "<=", ">=":
		if b, ok := value0(args).(string); ok {
			return ordered(x.id, strings.Compare(s, b)), true
		}
	}
	return nil, false
}

// concat is + and <<; the second changes the variable that it is called on.
func (e *evaluator) concat(s string, x call, args []value) (value, bool) {
	b, ok := value0(args).(string)
	if u, isUnknown := value0(args).(unknown); isUnknown {
		if x.id != "+" {
			e.store(x.recv, u, x.span)
		}
		return u, true
	}
	if !ok || !e.grow(x.span, len(s)+len(b)) {
		return nil, false
	}
	if x.id != "+" {
		e.store(x.recv, s+b, x.span)
	}
	return s + b, true
}

func index(s string, args []value) (value, bool) {
	i, ok := number(value0(args))
	if !ok || len(args) != 1 {
		return nil, false
	}
	r := []rune(s)
	if i < 0 {
		i += len(r)
	}
	if i < 0 || i >= len(r) {
		return nil, true
	}
	return string(r[i]), true
}

func ordered(op string, c int) bool {
	return map[string]bool{"<": c < 0, ">": c > 0, "<=": c <= 0, ">=": c >= 0}[op]
}

func (e *evaluator) texts(words []string) *array {
	a := e.newArray(nil)
	for _, w := range words {
		a.items = append(a.items, w)
	}
	return a
}

func (e *evaluator) split(s string, args []value) (value, bool) {
	if len(args) == 0 {
		return e.texts(strings.Fields(s)), true
	}
	sep, ok := args[0].(string)
	if !ok || len(args) > 1 || sep == "" {
		return nil, false
	}
	if sep == " " {
		return e.texts(strings.Fields(s)), true
	}
	words := strings.Split(s, sep)
	for len(words) > 0 && words[len(words)-1] == "" {
		words = words[:len(words)-1]
	}
	return e.texts(words), true
}

// replaced are sub, gsub and the like with texts; with regular expressions they are not followed.
func (e *evaluator) replaced(s string, x call, args []value) (value, bool) {
	if n, ok := number(value0(args)); ok && strings.HasSuffix(x.id, "just") {
		pad, isText := " ", true
		if len(args) > 1 {
			pad, isText = args[1].(string)
		}
		if fill := strings.Repeat(pad, max(0, min(n, 1000)-len(s))); isText && len(pad) == 1 && n <= 1000 {
			return map[string]string{"rjust": fill + s, "ljust": s + fill}[x.id], true
		}
	}
	if len(args) != 2 {
		return nil, false
	}
	from, ok := args[0].(string)
	to, ok2 := args[1].(string)
	if !ok || !ok2 || !e.grow(x.span, len(s)*(1+len(to))) {
		return nil, false
	}
	switch x.id {
	case "sub":
		return strings.Replace(s, from, to, 1), true
	case "gsub":
		return strings.ReplaceAll(s, from, to), true
	case "tr":
		if len(from) == 1 && len(to) == 1 {
			return strings.ReplaceAll(s, from, to), true
		}
	}
	return nil, false
}

func (e *evaluator) intMethod(n int64, x call, args []value, cl *closure) (value, bool) {
	switch x.id {
	case "times", "upto", "downto", "step":
		if cl != nil {
			return e.count(n, x, args, cl)
		}
	case "to_i", "to_int", "ord", "+@":
		return n, true
	case "to_f":
		return float64(n), true
	case "chr":
		return string(rune(n)), n >= 0 && n < 128
	case "succ", "next":
		return n + 1, true
	case "pred":
		return n - 1, true
	case "-@":
		return -n, true
	case "even?":
		return n%2 == 0, true
	case "odd?":
		return n%2 != 0, true
	case "zero?":
		return n == 0, true
	case "abs":
		return max(n, -n), true
	}
	switch b := value0(args).(type) {
	case int64:
		return arithmetic(x.id, n, b)
	case float64:
		return floatMethod(float64(n), x.id, args)
	}
	return nil, false
}

// arithmetic is integer arithmetic as Ruby has it: division rounds down. What would overflow is not followed.
func arithmetic(op string, a, b int64) (value, bool) {
	const most = 1 << 31
	if max(a, -a) > most || max(b, -b) > most {
		return nil, false
	}
	switch op {
	case "+":
		return a + b, true
	case "-":
		return a - b, true
	case "*":
		return a * b, true
	case "/", "div", "%", "modulo":
		if b == 0 {
			return nil, false
		}
		q, r := a/b, a%b
		if r != 0 && (r < 0) != (b < 0) {
			q, r = q-1, r+b
		}
		if op == "/" || op == "div" {
			return q, true
		}
		return r, true
	case "**":
		return power(a, b)
	case "<<":
		return a << min(uint64(b), 31), b >= 0 && b < 31
	case "<=>":
		return int64(sign(a - b)), true
	case "<", ">", "<=", ">=":
		return ordered(op, sign(a-b)), true
	case "&":
		return a & b, true
	case "|":
		return a | b, true
	}
	return nil, false
}

func sign(n int64) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

func power(a, b int64) (value, bool) {
	out := int64(1)
	for ; b > 0 && out < 1<<31 && out > -1<<31; b-- {
		out *= a
	}
	return out, b == 0
}

func floatMethod(f float64, id string, args []value) (value, bool) {
	b, ok := value0(args).(float64)
	if n, isInt := value0(args).(int64); isInt {
		b, ok = float64(n), true
	}
	switch id {
	case "to_i", "floor", "truncate":
		return int64(f), f >= 0 && f < 1<<53
	case "ceil", "round":
		n := int64(f)
		if up := f - float64(n); id == "ceil" && up > 0 || id == "round" && up >= 0.5 {
			n++
		}
		return n, f >= 0 && f < 1<<53 && len(args) == 0
	}
	if !ok {
		return nil, false
	}
	switch id {
	case "+":
		return f + b, true
	case "-":
		return f - b, true
	case "*":
		return f * b, true
	case "/":
		return f / b, b != 0
	case "<", ">", "<=", ">=":
		return ordered(id, map[bool]int{true: -1}[f < b]+map[bool]int{true: 1}[f > b]), true
	}
	return nil, false
}

// count is times, upto, downto and step.
func (e *evaluator) count(n int64, x call, args []value, cl *closure) (value, bool) {
	from, to, by := n, int64(0), int64(1)
	bound, ok := value0(args).(int64)
	switch x.id {
	case "times":
		from, to, ok = 0, n-1, true
	case "downto":
		to, by = bound, -1
	default:
		to = bound
	}
	if len(args) > 1 && x.id == "step" {
		by, ok = args[1].(int64)
	}
	if !ok || by == 0 {
		return nil, false
	}
	if (to-from)/by >= maxRounds {
		return e.stop(x.span, "a loop of the file goes round too often"), true
	}
	var items []value
	for i := from; by > 0 && i <= to || by < 0 && i >= to; i += by {
		items = append(items, i)
	}
	e.iterate(items, cl, x.span, func(_, _ value) bool { return true })
	return n, true
}

func (e *evaluator) intervalMethod(r interval, x call, args []value, cl *closure) (value, bool) {
	switch x.id {
	case "first", "min", "begin":
		if len(args) == 0 {
			return r.lo, true
		}
	case "last", "max", "end":
		if len(args) == 0 && !r.exclusive {
			return r.hi, true
		}
	case "step":
		lo, ok := r.lo.(int64)
		hi, ok2 := r.hi.(int64)
		if ok && ok2 && cl != nil && len(args) == 1 {
			return e.count(lo, x, []value{hi, args[0]}, cl)
		}
	}
	items, u := e.through(r, x.span)
	if u != nil {
		return e.once(cl, *u, x.span), true
	}
	return e.arrayMethod(e.newArray(items), x, args, cl)
}
