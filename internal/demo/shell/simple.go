package shell

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/boxdoctor/boxdoctor/internal/demo/kernel"
)

// simple runs a simple command: assignments, redirections, then a function, a builtin or a program.
func (s *Shell) simple(c *syntax.CallExpr, redirs []*syntax.Redirect) {
	inPlace := s.inPlace
	s.inPlace, s.subst = false, false
	args, ok := s.args(c.Args)
	if !ok {
		return
	}
	if len(args) == 0 {
		s.bare(c, redirs)
		return
	}
	s.trace(args)
	if isSpecial(args[0]) {
		s.special(c, args, redirs)
		return
	}
	if body := s.funcs[args[0]]; body != nil {
		s.scoped(c, redirs, func() { s.call(body, args[1:]) })
		return
	}
	if b := builtins[args[0]]; b != nil {
		s.scoped(c, redirs, func() { s.status = b(s, args) })
		return
	}
	s.program(c, args, redirs, inPlace)
}

// args expands the words. After local, export and readonly, words that look like assignments are not split.
func (s *Shell) args(words []*syntax.Word) ([]string, bool) {
	if len(words) == 0 {
		return nil, true
	}
	switch words[0].Lit() {
	case "local", "export", "readonly":
	default:
		return s.fields(words)
	}
	out := []string{words[0].Lit()}
	for _, w := range words[1:] {
		if lit, ok := w.Parts[0].(*syntax.Lit); ok && strings.Contains(lit.Value, "=") {
			v, ok := s.literal(w)
			if !ok {
				return nil, false
			}
			out = append(out, v)
			continue
		}
		fs, ok := s.fields([]*syntax.Word{w})
		if !ok {
			return nil, false
		}
		out = append(out, fs...)
	}
	return out, true
}

func (s *Shell) trace(args []string) {
	if s.opt.xtrace {
		s.p.Errorf("+ %s\n", strings.Join(args, " "))
	}
}

// bare is a command of assignments and redirections only: they stay.
func (s *Shell) bare(c *syntax.CallExpr, redirs []*syntax.Redirect) {
	old, err := s.redirect(s.p, redirs)
	defer old.undo()
	if err != nil {
		s.redirFailed(err)
		return
	}
	if s.assigns(c.Assigns) && !s.subst {
		s.status = 0
	}
}

// assigns makes assignments; false when one failed, which ends a shell that is not interactive.
func (s *Shell) assigns(list []*syntax.Assign) bool {
	for _, as := range list {
		val := ""
		if as.Value != nil {
			v, ok := s.literal(as.Value)
			if !ok {
				return false
			}
			val = v
		}
		if as.Append {
			val = s.get(as.Name.Value) + val
		}
		if !s.assign(as.Name.Value, val) {
			s.exit(2)
			return false
		}
	}
	return true
}

// special runs a special builtin: its assignments stay, a failed redirection ends the shell, exec keeps them.
func (s *Shell) special(c *syntax.CallExpr, args []string, redirs []*syntax.Redirect) {
	if !s.assigns(c.Assigns) {
		return
	}
	old, err := s.redirect(s.p, redirs)
	if err != nil {
		old.undo()
		s.redirFailed(err)
		s.exit(1)
		return
	}
	if args[0] == "exec" {
		old.keep()
		s.exec(args[1:])
		return
	}
	defer old.undo()
	s.status = builtins[args[0]](s, args)
}

func (s *Shell) exec(args []string) {
	s.status = 0
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return
	}
	s.p.Env = s.environ()
	st := s.p.Exec(args)
	s.noTrap = true
	s.exit(st)
}

// scoped runs f with redirections and with assignments that are taken back afterwards.
func (s *Shell) scoped(c *syntax.CallExpr, redirs []*syntax.Redirect, f func()) {
	saved := map[string]*variable{}
	for _, as := range c.Assigns {
		if v := s.vars[as.Name.Value]; v != nil {
			d := *v
			saved[as.Name.Value] = &d
		} else {
			saved[as.Name.Value] = nil
		}
	}
	defer func() {
		for name, v := range saved {
			s.restore(name, v)
		}
	}()
	if !s.assigns(c.Assigns) {
		return
	}
	for _, as := range c.Assigns {
		s.vars[as.Name.Value].exported = true
	}
	old, err := s.redirect(s.p, redirs)
	defer old.undo()
	if err != nil {
		s.redirFailed(err)
		return
	}
	f()
}

func (s *Shell) restore(name string, v *variable) {
	if v == nil {
		delete(s.vars, name)
		return
	}
	s.vars[name] = v
}

// call runs a function.
func (s *Shell) call(body *syntax.Stmt, params []string) {
	if s.depth++; s.depth > maxDepth {
		s.p.Errorf("%s: maximum function nesting level exceeded\n", s.arg0)
		s.exit(2)
		return
	}
	old, loops := s.params, s.loops
	s.params, s.loops = params, 0
	s.locals = append(s.locals, map[string]*variable{})
	s.calls++
	s.stmt(body)
	s.calls--
	for name, v := range s.locals[len(s.locals)-1] {
		s.restore(name, v)
	}
	s.locals = s.locals[:len(s.locals)-1]
	s.params, s.loops = old, loops
	s.depth--
	if s.jump == jumpReturn {
		s.jump = noJump
	}
}

// program starts an executable of the tree and waits for it.
func (s *Shell) program(c *syntax.CallExpr, args []string, redirs []*syntax.Redirect, inPlace bool) {
	env := s.environ()
	for _, as := range c.Assigns {
		val := ""
		if as.Value != nil {
			v, ok := s.literal(as.Value)
			if !ok {
				return
			}
			val = v
		}
		env[as.Name.Value] = val
	}
	if inPlace {
		s.status = s.execIn(s.p, args, env, redirs)
		return
	}
	child := s.p.Fork()
	s.status = child.Do(func() int { return s.execIn(child, args, env, redirs) })
}

// execIn turns p into the program args.
func (s *Shell) execIn(p *kernel.Proc, args []string, env map[string]string, redirs []*syntax.Redirect) int {
	old, err := s.redirect(p, redirs)
	old.keep()
	if err != nil {
		s.p.Errorf("%s: %v\n", s.arg0, err)
		return 1
	}
	p.Env = env
	p.SetArgs([]string{s.arg0})
	return p.Exec(args)
}
