package shell

import (
	"fmt"
	"sort"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/demo/kernel"
	"github.com/boxdoctor/boxdoctor/internal/demo/memfs"
)

// builtin runs a builtin command; args[0] is its name.
type builtin func(s *Shell, args []string) int

var builtins map[string]builtin

func init() {
	builtins = map[string]builtin{
		":": biTrue, "true": biTrue, "false": func(*Shell, []string) int { return 1 },
		".": biSource, "break": biLoop, "continue": biLoop, "eval": biEval, "exec": nil, "exit": biExit,
		"export": biExport, "readonly": biExport, "return": biReturn, "set": biSet, "shift": biShift,
		"times": biTimes, "trap": biTrap, "unset": biUnset,
		"cd": biCd, "pwd": biPwd, "command": biCommand, "type": biType, "hash": biTrue, "local": biLocal,
		"umask": biUmask, "ulimit": biUlimit, "wait": biWait, "kill": biKill, "jobs": biTrue, "getopts": biGetopts,
		"echo": biEcho, "printf": biPrintf, "read": biRead, "test": biTest, "[": biTest,
	}
}

// isSpecial tells POSIX' special builtins.
func isSpecial(name string) bool {
	switch name {
	case ":", ".", "break", "continue", "eval", "exec", "exit", "export", "readonly", "return", "set", "shift", "times", "trap", "unset":
		return true
	}
	return false
}

func (s *Shell) complain(name, format string, a ...any) {
	s.p.Errorf("%s: %s: %s\n", s.arg0, name, fmt.Sprintf(format, a...))
}

func biTrue(*Shell, []string) int { return 0 }

func biEval(s *Shell, args []string) int {
	s.eval(strings.Join(args[1:], " "))
	return s.status
}

func biExit(s *Shell, args []string) int {
	st := s.status
	if len(args) > 1 {
		n, ok := atoi(args[1])
		if !ok {
			s.complain("exit", "%s: numeric argument required", args[1])
			n = 2
		}
		st = n
	}
	s.exit(st)
	return s.status
}

func biReturn(s *Shell, args []string) int {
	if s.calls == 0 {
		s.complain("return", "can only `return' from a function or sourced script")
		return 1
	}
	st := s.status
	if len(args) > 1 {
		st, _ = atoi(args[1])
	}
	s.jump = jumpReturn
	return st & 0xff
}

func biLoop(s *Shell, args []string) int {
	n := 1
	if len(args) > 1 {
		n, _ = atoi(args[1])
	}
	if s.loops == 0 || n < 1 {
		return 0
	}
	s.levels = min(n, s.loops)
	s.jump = jumpBreak
	if args[0] == "continue" {
		s.jump = jumpContinue
	}
	return 0
}

func biSource(s *Shell, args []string) int {
	if len(args) < 2 {
		s.complain(".", "filename argument required")
		s.exit(2)
		return 2
	}
	name := args[1]
	if !strings.Contains(name, "/") {
		if full := s.p.LookPath(name); full != "" {
			name = full
		}
	}
	data, err := s.p.K.FS.ReadFile(s.p.Cred, s.p.Abs(name))
	if err != nil {
		s.p.Errorf("%s: %s: %s\n", s.arg0, args[1], memfs.Text(err))
		s.exit(1)
		return 1
	}
	s.calls++
	s.eval(string(data))
	s.calls--
	if s.jump == jumpReturn {
		s.jump = noJump
	}
	return s.status
}

func biExport(s *Shell, args []string) int {
	for _, a := range args[1:] {
		if a == "-p" {
			s.printExported()
			continue
		}
		name, val, has := strings.Cut(a, "=")
		if has && !s.assign(name, val) {
			return 1
		}
		if s.vars[name] == nil {
			s.vars[name] = &variable{}
		}
		if args[0] == "export" {
			s.vars[name].exported = true
		} else {
			s.vars[name].readonly = true
		}
	}
	return 0
}

func (s *Shell) printExported() {
	var names []string
	for n, v := range s.vars {
		if v.exported && v.set {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	for _, n := range names {
		s.p.Printf("export %s='%s'\n", n, strings.ReplaceAll(s.vars[n].val, "'", `'\''`))
	}
}

func biLocal(s *Shell, args []string) int {
	if len(s.locals) == 0 {
		s.complain("local", "can only be used in a function")
		return 1
	}
	hidden := s.locals[len(s.locals)-1]
	for _, a := range args[1:] {
		name, val, has := strings.Cut(a, "=")
		if _, known := hidden[name]; !known {
			hidden[name] = s.vars[name]
			s.vars[name] = &variable{}
		}
		if has {
			s.assign(name, val)
		}
	}
	return 0
}

func biUnset(s *Shell, args []string) int {
	funcs := false
	for _, a := range args[1:] {
		switch {
		case a == "-f":
			funcs = true
		case a == "-v":
		case funcs:
			delete(s.funcs, a)
		case s.vars[a] != nil && s.vars[a].readonly:
			s.complain("unset", "%s: cannot unset: readonly variable", a)
			return 1
		default:
			delete(s.vars, a)
		}
	}
	return 0
}

func biShift(s *Shell, args []string) int {
	n := 1
	if len(args) > 1 {
		n, _ = atoi(args[1])
	}
	if n > len(s.params) {
		s.complain("shift", "can't shift that many")
		return 1
	}
	s.params = s.params[n:]
	return 0
}

func biTimes(s *Shell, _ []string) int {
	s.p.Printf("0m0.000s 0m0.000s\n0m0.000s 0m0.000s\n")
	return 0
}

func biCd(s *Shell, args []string) int {
	args = dropFlags(args, "-L", "-P", "--")
	dir := s.get("HOME")
	if len(args) > 1 {
		dir = args[1]
	}
	if dir == "-" {
		dir = s.get("OLDPWD")
		s.p.Printf("%s\n", dir)
	}
	full, err := s.p.K.FS.Realpath(s.p.Cred, s.p.Abs(dir), false)
	if err == nil {
		in, _ := s.p.K.FS.Stat(s.p.Cred, full)
		if !in.IsDir() {
			err = memfs.ENOTDIR
		} else {
			err = s.p.K.FS.Access(s.p.Cred, full, memfs.Exec)
		}
	}
	if err != nil {
		s.complain("cd", "%s: %s", dir, memfs.Text(err))
		return 1
	}
	s.chdir(full)
	return 0
}

func dropFlags(args []string, flags ...string) []string {
	out := args[:1]
	for i, a := range args[1:] {
		known := false
		for _, f := range flags {
			known = known || a == f
		}
		if !known {
			return append(append([]string{}, out...), args[1+i:]...)
		}
	}
	return out
}

func biPwd(s *Shell, _ []string) int {
	s.p.Printf("%s\n", s.p.Cwd)
	return 0
}

func biCommand(s *Shell, args []string) int {
	args = dropFlags(args, "-p", "--")
	if len(args) == 1 {
		return 0
	}
	if args[1] == "-v" || args[1] == "-V" {
		return s.which(dropFlags(args[1:], "--")[1:], args[1] == "-V")
	}
	argv := args[1:]
	if b := builtins[argv[0]]; b != nil {
		return b(s, argv)
	}
	if argv[0] == "exec" {
		s.exec(argv[1:])
		return s.status
	}
	child := s.p.Fork()
	return child.Do(func() int { return s.execIn(child, argv, s.environ(), nil) })
}

func (s *Shell) which(names []string, long bool) int {
	st := 0
	for _, n := range names {
		_, isBuiltin := builtins[n]
		full := s.p.LookPath(n)
		switch {
		case s.funcs[n] != nil:
			s.say(n, "a function", n, long)
		case isBuiltin:
			s.say(n, "a shell builtin", n, long)
		case full != "" && s.p.K.FS.Access(s.p.Cred, s.p.Abs(full), memfs.Exec) == nil:
			s.say(n, full, full, long)
		default:
			if long {
				s.complain("type", "%s: not found", n)
			}
			st = 1
		}
	}
	return st
}

func (s *Shell) say(name, what, short string, long bool) {
	if long {
		s.p.Printf("%s is %s\n", name, what)
		return
	}
	s.p.Printf("%s\n", short)
}

func biType(s *Shell, args []string) int { return s.which(args[1:], true) }

func biUmask(s *Shell, args []string) int {
	if len(args) == 1 {
		s.p.Printf("%04o\n", uint32(s.p.Umask))
		return 0
	}
	var m uint32
	if _, err := fmt.Sscanf(args[1], "%o", &m); err != nil {
		s.complain("umask", "%s: invalid mode", args[1])
		return 1
	}
	s.p.Umask = fsMode(m & 0o777)
	return 0
}

// biUlimit accepts limits and enforces none.
func biUlimit(s *Shell, args []string) int {
	if len(args) == 1 || len(args) == 2 && strings.HasPrefix(args[1], "-") {
		s.p.Printf("unlimited\n")
	}
	return 0
}

func biWait(s *Shell, args []string) int {
	if len(args) == 1 {
		for pid, c := range s.jobs {
			if st, woken := s.waitFor(c); woken {
				return st
			}
			delete(s.jobs, pid)
		}
		return 0
	}
	st := 0
	for _, a := range args[1:] {
		pid, _ := atoi(a)
		c := s.jobs[pid]
		if c == nil {
			s.complain("wait", "pid %s is not a child of this shell", a)
			st = 127
			continue
		}
		var woken bool
		if st, woken = s.waitFor(c); woken {
			return st
		}
	}
	return st
}

// waitFor waits for a background child; woken says that a trapped signal came first.
func (s *Shell) waitFor(c *kernel.Proc) (status int, woken bool) {
	select {
	case <-c.Done():
		return c.Status(), false
	default:
	}
	select {
	case <-c.Done():
		return c.Status(), false
	case <-s.p.Context().Done():
		return s.p.DeadStatus(), true
	case <-s.p.Wake():
		st := 129
		if sigs := s.p.Pending(); len(sigs) > 0 {
			st = 128 + kernel.Signals[sigs[0]]
			s.runActions(sigs)
		}
		return st, true
	}
}

func biKill(s *Shell, args []string) int {
	sig, pids := "TERM", args[1:]
	for len(pids) > 0 && strings.HasPrefix(pids[0], "-") {
		a := pids[0]
		if a == "--" {
			pids = pids[1:]
			break
		}
		if a == "-s" && len(pids) > 1 {
			sig, pids = pids[1], pids[2:]
			continue
		}
		if sig == "TERM" && a != "-TERM" && len(pids) == 1 && isNumber(a[1:]) && kernelSignal(a[1:]) == "" {
			break
		}
		sig, pids = a[1:], pids[1:]
		break
	}
	return s.sendAll(sig, pids)
}

func isNumber(t string) bool { _, ok := atoi(t); return ok }

func (s *Shell) sendAll(sig string, pids []string) int {
	if len(pids) > 0 && pids[0] == "--" {
		pids = pids[1:]
	}
	name := kernelSignal(sig)
	if name == "" || len(pids) == 0 {
		s.complain("kill", "%s: invalid signal specification or no process", sig)
		return 2
	}
	st := 0
	for _, a := range pids {
		if pid, ok := atoi(a); !ok || !Send(s.p, pid, name) {
			s.complain("kill", "(%s) - No such process", a)
			st = 1
		}
	}
	return st
}

// kernelSignal is the name of a signal given by name or number; "0" asks only for existence; empty: unknown.
func kernelSignal(t string) string {
	t = strings.TrimPrefix(strings.ToUpper(t), "SIG")
	if t == "0" || t == "EXIT" {
		return "0"
	}
	if _, ok := kernel.Signals[t]; ok {
		return t
	}
	if n, ok := atoi(t); ok {
		for name, num := range kernel.Signals {
			if num == n {
				return name
			}
		}
	}
	return ""
}

// Send delivers a signal ("0": nothing) to a process, or to a group when pid is negative; false: there is none,
// or the sender may not.
func Send(from *kernel.Proc, pid int, sig string) bool {
	if pid < 0 {
		found := false
		for _, p := range from.K.Procs() {
			if p.Group() == -pid {
				found = true
				deliver(p, sig)
			}
		}
		return found
	}
	p := from.K.Proc(pid)
	if p == nil || from.Cred.UID != 0 && p.User().UID != from.Cred.UID {
		return false
	}
	deliver(p, sig)
	return true
}

func deliver(p *kernel.Proc, sig string) {
	if sig != "0" {
		p.Signal(sig)
	}
}

func biGetopts(s *Shell, args []string) int {
	if len(args) < 3 {
		s.complain("getopts", "usage: getopts optstring name [arg]")
		return 2
	}
	list := s.params
	if len(args) > 3 {
		list = args[3:]
	}
	return s.getopts(args[1], args[2], list)
}

func biTrap(s *Shell, args []string) int {
	args = dropFlags(args, "--")
	if len(args) == 1 {
		for sig, action := range s.traps {
			s.p.Printf("trap -- '%s' %s\n", strings.ReplaceAll(action, "'", `'\''`), sig)
		}
		return 0
	}
	action, sigs := args[1], args[2:]
	if len(sigs) == 0 || isNumber(action) {
		action, sigs = "-", args[1:]
	}
	st := 0
	for _, a := range sigs {
		if !s.setTrap(a, action) {
			s.complain("trap", "%s: invalid signal specification", a)
			st = 1
		}
	}
	return st
}

func (s *Shell) setTrap(sig, action string) bool {
	name := kernelSignal(sig)
	if name == "0" {
		name = "EXIT"
	}
	switch {
	case name == "":
		return false
	case action == "-":
		delete(s.traps, name)
		s.p.Default(name)
	case action == "":
		s.traps[name] = ""
		s.p.Ignore(name)
	default:
		s.traps[name] = action
		if name != "EXIT" {
			s.p.Catch(name)
		}
	}
	return true
}

// runTraps runs the actions of the signals that arrived.
func (s *Shell) runTraps() {
	if sigs := s.p.Pending(); len(sigs) > 0 {
		s.runActions(sigs)
	}
}

func (s *Shell) runActions(sigs []string) {
	for _, sig := range sigs {
		if action := s.traps[sig]; action != "" && s.depth < maxDepth {
			st := s.status
			s.depth++
			s.eval(action)
			s.depth--
			if s.jump == noJump {
				s.status = st
			}
		}
	}
}

// Builtin runs echo, printf, test, [ or kill as a program of its own.
func Builtin(p *kernel.Proc) int {
	name := p.Args[0]
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		name = name[i+1:]
	}
	s := newShell(p)
	return builtins[name](s, append([]string{name}, p.Args[1:]...))
}
