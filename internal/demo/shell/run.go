package shell

import (
	"errors"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/pattern"
	"mvdan.cc/sh/v3/syntax"

	"github.com/boxdoctor/boxdoctor/internal/demo/kernel"
)

// maxDepth bounds nested functions, subshells and traps.
const maxDepth = 200

func (s *Shell) stopped() bool { return s.jump != noJump || s.p.Dead() }

func (s *Shell) stmts(list []*syntax.Stmt) {
	for _, st := range list {
		s.stmt(st)
		if s.stopped() {
			return
		}
	}
}

func (s *Shell) stmt(st *syntax.Stmt) {
	s.runTraps()
	if s.stopped() || s.opt.noexec {
		return
	}
	if st.Background {
		s.background(st)
		return
	}
	if st.Negated {
		s.guard++
	}
	s.redirected(st)
	if st.Negated {
		s.guard--
		if s.jump == noJump {
			s.status = b2i(s.status == 0)
		}
		return
	}
	if s.status != 0 && s.opt.errexit && s.guard == 0 && s.jump == noJump && errexitCounts(st.Cmd) {
		s.exit(s.status)
	}
}

// errexitCounts tells the commands whose own failure ends a shell with `set -e`: not lists and compound
// commands, whose parts were looked at already.
func errexitCounts(c syntax.Command) bool {
	switch c := c.(type) {
	case nil, *syntax.CallExpr, *syntax.Subshell:
		return true
	case *syntax.BinaryCmd:
		return c.Op == syntax.Pipe
	}
	return false
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// redirected runs a statement's command with its redirections. A simple command handles its own.
func (s *Shell) redirected(st *syntax.Stmt) {
	if c, ok := st.Cmd.(*syntax.CallExpr); ok {
		s.simple(c, st.Redirs)
		return
	}
	old, err := s.redirect(s.p, st.Redirs)
	defer old.undo()
	if err != nil {
		s.redirFailed(err)
		return
	}
	if st.Cmd == nil {
		s.status = 0
		return
	}
	s.command(st.Cmd)
}

func (s *Shell) redirFailed(err error) {
	s.p.Errorf("%s: %v\n", s.arg0, err)
	s.status = 1
}

func (s *Shell) command(cm syntax.Command) {
	if s.depth > maxDepth {
		s.p.Errorf("%s: maximum nesting level exceeded\n", s.arg0)
		s.exit(2)
		return
	}
	switch c := cm.(type) {
	case *syntax.Block:
		s.stmts(c.Stmts)
	case *syntax.Subshell:
		sub := s.fork()
		s.status = sub.p.Do(func() int { sub.stmts(c.Stmts); return sub.subEnd() })
	case *syntax.BinaryCmd:
		s.binary(c)
	case *syntax.IfClause:
		s.ifClause(c)
	case *syntax.WhileClause:
		s.while(c)
	case *syntax.ForClause:
		s.forClause(c)
	case *syntax.CaseClause:
		s.caseClause(c)
	case *syntax.FuncDecl:
		if c.Name == nil || c.Body == nil {
			s.syntaxError(errNoName)
			return
		}
		s.funcs[c.Name.Value] = c.Body
		s.status = 0
	default:
		s.p.Errorf("%s: %T is not POSIX shell\n", s.arg0, cm)
		s.exit(2)
	}
}

// errNoName is for what the parser hands out of a malformed function.
var errNoName = errors.New("a function without a name")

// subEnd ends a subshell: break, continue and return do not leave it.
func (s *Shell) subEnd() int { return s.end() }

func (s *Shell) binary(c *syntax.BinaryCmd) {
	switch c.Op {
	case syntax.AndStmt, syntax.OrStmt:
		s.guard++
		s.stmt(c.X)
		s.guard--
		if !s.stopped() && (s.status == 0) == (c.Op == syntax.AndStmt) {
			s.stmt(c.Y)
		}
	case syntax.Pipe:
		s.pipeline(stages(c))
	default:
		s.p.Errorf("%s: operator %s is not POSIX shell\n", s.arg0, c.Op)
		s.exit(2)
	}
}

func stages(c *syntax.BinaryCmd) []*syntax.Stmt {
	if x, ok := c.X.Cmd.(*syntax.BinaryCmd); ok && x.Op == syntax.Pipe && len(c.X.Redirs) == 0 && !c.X.Negated {
		return append(stages(x), c.Y)
	}
	return []*syntax.Stmt{c.X, c.Y}
}

func (s *Shell) pipeline(list []*syntax.Stmt) {
	var running []*kernel.Proc
	var in *kernel.Desc
	for i, st := range list {
		sub := s.fork()
		if in != nil {
			sub.p.SetFD(0, in)
		}
		if i == len(list)-1 {
			s.status = sub.p.Do(func() int { return sub.one(st) })
			break
		}
		r, w := kernel.Pipe()
		sub.p.SetFD(1, kernel.NewDesc(w))
		in = kernel.NewDesc(r)
		running = append(running, sub.p)
		sub.p.Go(func() int { return sub.one(st) })
	}
	for _, p := range running {
		s.await(p)
	}
}

// await waits for a child, or until this shell is killed.
func (s *Shell) await(c *kernel.Proc) {
	select {
	case <-c.Done():
	case <-s.p.Context().Done():
	}
}

// one runs a single statement as the whole program of a forked shell.
func (s *Shell) one(st *syntax.Stmt) int {
	_, call := st.Cmd.(*syntax.CallExpr)
	s.inPlace = call && !st.Negated
	s.stmt(st)
	return s.subEnd()
}

func (s *Shell) background(st *syntax.Stmt) {
	sub := s.fork()
	sub.p.SetFD(0, kernel.NewDesc(kernel.Null{}))
	sub.p.Ignore("INT")
	sub.p.Ignore("QUIT")
	fg := *st
	fg.Background = false
	s.bgPID = sub.p.PID
	s.jobs[s.bgPID] = sub.p
	sub.p.Go(func() int { return sub.one(&fg) })
	s.status = 0
}

func (s *Shell) ifClause(c *syntax.IfClause) {
	for ; c != nil; c = c.Else {
		if len(c.Cond) == 0 { // else
			s.stmts(c.Then)
			return
		}
		s.guard++
		s.stmts(c.Cond)
		s.guard--
		if s.stopped() {
			return
		}
		if s.status == 0 {
			s.stmts(c.Then)
			return
		}
	}
	s.status = 0
}

func (s *Shell) while(c *syntax.WhileClause) {
	last := 0
	s.loops++
	defer func() { s.loops-- }()
	for {
		s.guard++
		s.stmts(c.Cond)
		s.guard--
		if s.leaveLoop() {
			return
		}
		if (s.status == 0) == c.Until {
			break
		}
		s.stmts(c.Do)
		last = s.status
		if s.leaveLoop() {
			return
		}
	}
	s.status = last
}

// leaveLoop handles a pending jump at the end of a turn; true says that the loop is over.
func (s *Shell) leaveLoop() bool {
	if s.p.Dead() {
		return true
	}
	switch s.jump {
	case noJump:
		return false
	case jumpBreak, jumpContinue:
		if s.levels--; s.levels > 0 {
			return true
		}
		over := s.jump == jumpBreak
		s.jump = noJump
		return over
	}
	return true
}

func (s *Shell) forClause(c *syntax.ForClause) {
	it, ok := c.Loop.(*syntax.WordIter)
	if !ok || c.Select {
		s.p.Errorf("%s: this loop is not POSIX shell\n", s.arg0)
		s.exit(2)
		return
	}
	items := s.params
	if it.InPos.IsValid() {
		if items, ok = s.fields(it.Items); !ok {
			return
		}
	}
	s.status = 0
	s.loops++
	defer func() { s.loops-- }()
	for _, item := range items {
		if !s.assign(it.Name.Value, item) {
			s.exit(2)
			return
		}
		if s.stmts(c.Do); s.leaveLoop() {
			return
		}
	}
}

func (s *Shell) caseClause(c *syntax.CaseClause) {
	word, ok := s.literal(c.Word)
	if !ok {
		return
	}
	s.status = 0
	for _, item := range c.Items {
		for _, pat := range item.Patterns {
			if s.matches(pat, word) {
				s.stmts(item.Stmts)
				return
			}
		}
	}
}

func (s *Shell) matches(w *syntax.Word, text string) bool {
	pat, err := expand.Pattern(s.cfg, w)
	if err != nil {
		s.expandFailed(err)
		return false
	}
	return match(pat, text)
}

func match(pat, text string) bool {
	if !pattern.HasMeta(pat, 0) && !strings.Contains(pat, `\`) {
		return pat == text
	}
	re := compile(pat)
	return re != nil && re.MatchString(text)
}
