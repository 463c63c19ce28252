package vagrantfile

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// call evaluates a call: of the configuration, of a constant such as ENV, of a function, or of a method of a known value.
func (e *evaluator) call(x call) value {
	if x.recv == nil {
		return e.function(x)
	}
	recv := e.eval(x.recv)
	if x.safe && recv == nil {
		return nil
	}
	if o, ok := recv.(object); ok {
		return e.configure(o, x)
	}
	if c, ok := recv.(constant); ok && e.isVagrant(c, x) {
		return e.vagrant(string(c)+"."+x.id, x)
	}
	args, cl, u := e.arguments(x)
	if u != nil {
		return e.once(cl, *u, x.span)
	}
	if c, ok := recv.(constant); ok {
		return e.constantCall(string(c), x, args, cl)
	}
	return e.method(recv, x, args, cl)
}

// arguments evaluates the arguments of a call and its block.
func (e *evaluator) arguments(x call) ([]value, *closure, *unknown) {
	var cl *closure
	if x.block != nil {
		cl = &closure{block: x.block, scope: e.scope}
	}
	xs := x.args
	if n := len(xs); n > 0 {
		if s, ok := xs[n-1].(splat); ok && s.op == "&" {
			xs = xs[:n-1]
			switch v := e.eval(s.of).(type) {
			case symbol:
				cl = &closure{method: string(v)}
			case *closure:
				cl = v
			case unknown:
				return nil, nil, &v
			}
		}
	}
	args, u := e.items(xs)
	return args, cl, u
}

// function evaluates a call without a receiver.
func (e *evaluator) function(x call) value {
	args, cl, u := e.arguments(x)
	if u != nil {
		return e.once(cl, *u, x.span)
	}
	if d, ok := e.defs[x.id]; ok {
		return e.own(d, args, x)
	}
	switch x.id {
	case "__dir__":
		if e.options.Path != "" {
			return path.Dir(e.options.Path)
		}
		return e.unknownf(x.span, "the folder of the file is not known")
	case "lambda", "proc":
		if cl != nil {
			cl.lambda = x.id == "lambda"
			return cl
		}
	case "puts", "print", "p", "pp", "warn", "sleep", "srand", "trap", "at_exit", "private":
		return nil
	case "require":
		if library, ok := value0(args).(string); ok && !strings.Contains(library, "/") && !strings.HasSuffix(library, ".rb") {
			return true
		}
		return e.loaded(x, args)
	case "require_relative", "load", "eval", "instance_eval":
		return e.loaded(x, args)
	case "raise", "abort", "exit", "exit!", "exec", "fail":
		return e.ends(x)
	case "format", "sprintf":
		return e.format(x.span, args)
	case "Integer", "Float", "String", "Array":
		return e.convert(x, args)
	case "loop":
		return e.once(cl, e.unknownf(x.span, "how often loop goes round is not followed"), x.span)
	case "binding", "system", "gets", "rand", "caller", "block_given?", "catch", "throw":
	default:
		return e.once(cl, e.unknownf(x.span, "%s is not defined in this file", x.id), x.span)
	}
	return e.once(cl, e.unknownf(x.span, "what %s answers is only known when it runs", x.id), x.span)
}

// own calls a method that the file defines.
func (e *evaluator) own(d def, args []value, x call) value {
	cl := &closure{block: &block{d.span, d.params, d.body}, lambda: true}
	if x.block != nil {
		e.once(&closure{block: x.block, scope: e.scope}, e.unknownf(x.span, "blocks that are handed to methods are not followed"), x.span)
	}
	return e.callClosure(cl, args, x.span)
}

// loaded notes that another file may say more, and may have changed every global variable.
func (e *evaluator) loaded(x call, args []value) value {
	e.loads = true
	what := "another file"
	if s, ok := value0(args).(string); ok {
		what = s
	}
	for id := range e.globals {
		if id[0] == '$' || id[0] == '@' {
			e.globals[id] = e.unknownf(x.span, "%s may have changed it, which is not read", what)
		}
	}
	e.ps.unfollowed(x.span, fmt.Sprintf("%s loads %s, which is not read: it may change the configuration", x.id, what))
	return e.unknownf(x.span, "%s is not read", what)
}

// ends is raise, abort and the like. Under a condition that is not known, what follows is right if Vagrant gets there.
func (e *evaluator) ends(x call) value {
	if len(e.doubts) == 0 {
		e.ps.unfollowed(x.span, fmt.Sprintf("%s ends the run here", x.id))
		e.jumping = &jumped{"return", nil}
	}
	return nil
}

func (e *evaluator) convert(x call, args []value) value {
	v := value0(args)
	if u, ok := doubtful(v); ok {
		return u
	}
	switch x.id {
	case "Integer":
		if n, ok := number(v); ok {
			return int64(n)
		}
	case "Float":
		if s, u := plain(v); u == nil {
			if f, err := strconv.ParseFloat(s, 64); err == nil {
				return f
			}
		}
	case "String":
		if s, u := plain(v); u == nil {
			return s
		}
	case "Array":
		if a, ok := v.(*array); ok {
			return a
		}
		if items, u := e.each(v, x.span); u == nil {
			return e.newArray(items)
		}
		return e.newArray([]value{v})
	}
	return e.unknownf(x.span, "%s is not followed", sourceText(e.src, x.span))
}

// constantCall is a call on a constant that the file does not define.
func (e *evaluator) constantCall(c string, x call, args []value, cl *closure) value {
	switch c {
	case "ENV":
		return e.env(x, args, cl)
	case "File", "Dir":
		if x.id == "pwd" || x.id == "getwd" {
			return e.unknownf(x.span, "it is the folder in which vagrant is run")
		}
		if v, ok := e.exists(x.id, args); ok {
			return v
		}
		if v, ok := e.file(x.id, args); ok {
			return v
		}
	case "Hash", "Array", "String":
		if x.id == "new" && len(args) == 0 && cl == nil {
			return map[string]value{"Hash": e.newHash(), "Array": e.newArray(nil), "String": ""}[c]
		}
	}
	u := e.unknownf(x.span, "what %s.%s answers is only known when it runs", c, x.id)
	return e.once(cl, u, x.span)
}

// env is ENV["X"], ENV.fetch("X", default) and the like.
func (e *evaluator) env(x call, args []value, cl *closure) value {
	id, ok := value0(args).(string)
	if !ok {
		return e.once(cl, e.unknownf(x.span, "the environment as a whole is not followed"), x.span)
	}
	v, set := e.envs[id]
	if !set {
		if e.options.LookupEnv == nil {
			return e.unknownf(x.span, "it depends on the environment variable %s%s", id, e.envDefault(x, args, cl))
		}
		if s, found := e.options.LookupEnv(id); found {
			v = s
		}
	}
	switch x.id {
	case "[]":
		return v
	case "key?", "has_key?", "include?", "member?":
		return v != nil
	case "fetch":
		switch {
		case v != nil:
			return v
		case cl != nil:
			return e.callClosure(cl, args[:1], x.span)
		case len(args) > 1:
			return args[1]
		}
	}
	return e.unknownf(x.span, "ENV.%s is not followed", x.id)
}

// envDefault tells what ENV.fetch falls back to.
func (e *evaluator) envDefault(x call, args []value, cl *closure) string {
	if x.id != "fetch" {
		return ""
	}
	var v value
	switch {
	case len(args) > 1:
		v = args[1]
	case cl != nil:
		v = e.callClosure(cl, args[:1], x.span)
	default:
		return ""
	}
	if s, u := inspect(v); u == nil {
		return "; else it is " + s
	}
	return ""
}

// setEnv is ENV["X"] = v, which later reads see.
func (e *evaluator) setEnv(key, v value) {
	id, ok := key.(string)
	if !ok {
		return
	}
	if len(e.doubts) > 0 {
		v = e.doubts[0]
	}
	e.envs[id] = v
}

// exists is File.exist? and the like for absolute paths, when the caller looks.
func (e *evaluator) exists(id string, args []value) (value, bool) {
	name, ok := value0(args).(string)
	if !ok || e.options.Exists == nil || !path.IsAbs(name) {
		return nil, false
	}
	switch id {
	case "exist?", "exists?", "file?", "directory?":
		return e.options.Exists(path.Clean(name)), true
	}
	return nil, false
}

// file is the part of File that only handles names.
func (e *evaluator) file(id string, args []value) (value, bool) {
	var words []string
	for _, a := range args {
		s, ok := a.(string)
		if !ok {
			return nil, false
		}
		words = append(words, s)
	}
	switch {
	case id == "join" && len(words) > 0:
		return joinPath(words), true
	case id == "dirname" && len(words) == 1:
		return path.Dir(words[0]), true
	case id == "basename" && len(words) == 1:
		return path.Base(words[0]), true
	case (id == "expand_path" || id == "absolute_path") && len(words) == 2 && !strings.HasPrefix(words[0], "~"):
		if path.IsAbs(words[0]) {
			return path.Clean(words[0]), true
		}
		return path.Join(words[1], words[0]), true
	case (id == "expand_path" || id == "absolute_path" || id == "realpath") && len(words) == 1 && path.IsAbs(words[0]):
		return path.Clean(words[0]), true
	}
	return nil, false
}

// joinPath joins with single slashes, as File.join does: .. stays.
func joinPath(words []string) string {
	out := words[0]
	for _, w := range words[1:] {
		out = strings.TrimRight(out, "/") + "/" + strings.TrimLeft(w, "/")
	}
	return out
}

// format is the part of sprintf that Vagrantfiles use: %s, %d, %x, %%, with flags and width.
func (e *evaluator) format(at span, args []value) value {
	pattern, ok := value0(args).(string)
	if !ok {
		if u, ok := doubtful(value0(args)); ok {
			return u
		}
		return e.unknownf(at, "this format is not followed")
	}
	rest := args[1:]
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '%' {
			b.WriteByte(pattern[i])
			continue
		}
		n := strings.IndexFunc(pattern[i+1:], func(r rune) bool { return !strings.ContainsRune("-+ 0123456789.", r) })
		if n < 0 || n > 4 {
			return e.unknownf(at, "the format %q is not followed", pattern)
		}
		verb := pattern[i+1+n]
		i += n + 1
		if verb == '%' {
			b.WriteByte('%')
			continue
		}
		s, u := e.verb(pattern[i-n-1:i], verb, value0(rest), at)
		if u != nil || len(rest) == 0 {
			return e.formatDoubt(u, at)
		}
		b.WriteString(s)
		rest = rest[1:]
	}
	return b.String()
}

func (e *evaluator) formatDoubt(u *unknown, at span) value {
	if u != nil {
		return *u
	}
	return e.unknownf(at, "the format has more places than values")
}

// verb formats one value; spec is % with flags and width.
func (e *evaluator) verb(spec string, verb byte, v value, at span) (string, *unknown) {
	if u, ok := doubtful(v); ok {
		return "", &u
	}
	switch verb {
	case 's':
		s, u := plain(v)
		return fmt.Sprintf(spec+"s", s), u
	case 'd', 'i', 'u', 'x', 'X', 'o', 'b':
		if n, ok := number(v); ok {
			return fmt.Sprintf(spec+strings.NewReplacer("i", "d", "u", "d").Replace(string(verb)), n), nil
		}
	case 'f':
		if n, ok := v.(float64); ok {
			return fmt.Sprintf(spec+"f", n), nil
		}
		if n, ok := number(v); ok {
			return fmt.Sprintf(spec+"f", float64(n)), nil
		}
	}
	u := e.unknownf(at, "the format %q is not followed", spec+string(verb))
	return "", &u
}

// isVagrant tells whether a call is one of Vagrant's own.
func (e *evaluator) isVagrant(c constant, x call) bool {
	return slices.Contains([]string{"Vagrant.configure", "Vagrant.require_version", "Vagrant.has_plugin?", "Vagrant.plugin", "Vagrant::Config.run"}, string(c)+"."+x.id)
}

// vagrant is Vagrant.configure, Vagrant.require_version and Vagrant.has_plugin?.
func (e *evaluator) vagrant(id string, x call) value {
	args, _ := e.items(x.args)
	switch id {
	case "Vagrant.configure", "Vagrant::Config.run":
		if x.block != nil {
			e.configs = append(e.configs, deferred{&closure{block: x.block, scope: e.scope}, slices.Clone(e.doubts), x.span})
		}
		return nil
	case "Vagrant.require_version":
		for i, a := range args {
			e.project.RequireVersion = append(e.project.RequireVersion, e.text1(a, x.args[min(i, len(x.args)-1)].where()))
		}
		return nil
	case "Vagrant.has_plugin?":
		return e.hasPlugin(value0(args), x)
	}
	return e.unknownf(x.span, "%s is not followed", sourceText(e.src, x.span))
}

func (e *evaluator) hasPlugin(v value, x call) value {
	id, u := plain(v)
	if u != nil {
		return *u
	}
	if e.options.HasPlugin != nil {
		return e.options.HasPlugin(id)
	}
	return e.unknownf(x.span, "it depends on whether the plugin %s is installed", id)
}
