// Package shell is the embedded guest's POSIX shell: the parser and the expansions of mvdan.cc/sh/v3 with an
// interpreter of its own over the processes of package kernel. It reads and runs nothing of the real machine.
package shell

import (
	"errors"
	"io"
	"path"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/boxdoctor/boxdoctor/internal/demo/kernel"
)

type variable struct {
	val                     string
	set, exported, readonly bool
}

type jump int

const (
	noJump jump = iota
	jumpBreak
	jumpContinue
	jumpReturn
	jumpExit
)

// options are those of `set`.
type options struct {
	errexit, nounset, noglob, xtrace, noexec, noclobber, allexport bool
}

// Shell is one shell process: the program sh, or a subshell of it.
type Shell struct {
	p      *kernel.Proc
	arg0   string
	pid    int // $$: of the first shell, also in subshells
	params []string
	vars   map[string]*variable
	funcs  map[string]*syntax.Stmt
	locals []map[string]*variable // what local variables hide, one map per running function
	opt    options
	traps  map[string]string
	jobs   map[int]*kernel.Proc
	bgPID  int
	status int
	cfg    *expand.Config

	jump    jump
	levels  int // how many loops a break or continue still leaves
	loops   int
	calls   int // running functions and sourced files
	guard   int // above zero, errexit is not looked at
	depth   int
	inTrap  bool
	noTrap  bool // exec replaced the shell: its EXIT trap does not run
	inPlace bool // the next simple command may replace this process
	subst   bool // a command substitution gave the status of an assignment
}

// Main is the program sh: `sh [-eufxnsC] [-c TEXT [NAME]] [FILE] [ARG…]`.
func Main(p *kernel.Proc) int {
	s := newShell(p)
	text, file, fromStdin, err := s.parseArgs(p.Args)
	if err != nil {
		p.Errorf("%s: %v\n", path.Base(p.Args[0]), err)
		return 2
	}
	switch {
	case file != "":
		r, err := p.OpenRead(file)
		if err != nil {
			p.Errorf("%s: %s: No such file or directory\n", path.Base(p.Args[0]), file)
			return 127
		}
		defer r.Close()
		s.feed(&lineReader{r: r})
	case fromStdin:
		s.feed(&lineReader{r: p.Stdin()})
	default:
		s.feed(strings.NewReader(text + "\n"))
	}
	return s.end()
}

func newShell(p *kernel.Proc) *Shell {
	s := &Shell{p: p, pid: p.PID, arg0: path.Base(p.Args[0]), vars: map[string]*variable{}, funcs: map[string]*syntax.Stmt{},
		traps: map[string]string{}, jobs: map[int]*kernel.Proc{}}
	for k, v := range p.Env {
		s.vars[k] = &variable{val: v, set: true, exported: true}
	}
	s.assign("IFS", " \t\n")
	s.assign("OPTIND", "1")
	s.assign("PWD", p.Cwd)
	s.setupExpand()
	return s
}

// parseArgs reads the command line of sh.
func (s *Shell) parseArgs(argv []string) (text, file string, fromStdin bool, err error) {
	args := argv[1:]
	command := false
	for len(args) > 0 && len(args[0]) > 1 && (args[0][0] == '-' || args[0][0] == '+') {
		a := args[0]
		args = args[1:]
		if a == "--" {
			break
		}
		if a == "-o" && len(args) > 0 {
			err, args = s.setLong(args[0], true), args[1:]
		} else {
			for _, c := range a[1:] {
				switch {
				case c == 'c':
					command = true
				case c == 's':
					fromStdin = true
				case !s.setShort(c, a[0] == '-') && c != 'l':
					return "", "", false, errors.New(a + ": invalid option")
				}
			}
		}
	}
	return s.operands(args, command, fromStdin, err)
}

func (s *Shell) operands(args []string, command, fromStdin bool, err error) (string, string, bool, error) {
	switch {
	case err != nil:
		return "", "", false, err
	case command:
		if len(args) == 0 {
			return "", "", false, errors.New("-c: option requires an argument")
		}
		if len(args) > 1 {
			s.arg0, s.params = args[1], args[2:]
		}
		return args[0], "", false, nil
	case fromStdin || len(args) == 0:
		s.params = args
		return "", "", true, nil
	}
	s.arg0, s.params = args[0], args[1:]
	return "", args[0], false, nil
}

// lineReader gives one line per Read and never reads beyond it, so that the commands of a script that comes
// from standard input can read the rest.
type lineReader struct {
	r    io.Reader
	rest []byte
}

func (l *lineReader) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		line, err := readLine(l.r)
		if len(line) == 0 {
			return 0, err
		}
		if line[len(line)-1] != '\n' {
			line = append(line, '\n') // the parser hands a statement out at the end of its line
		}
		l.rest = line
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// readLine reads one byte at a time up to and with a newline.
func readLine(r io.Reader) ([]byte, error) {
	var line []byte
	var b [1]byte
	for {
		n, err := r.Read(b[:])
		if n > 0 {
			line = append(line, b[0])
			if b[0] == '\n' {
				return line, nil
			}
		}
		if err != nil {
			return line, err
		}
	}
}

func parser() *syntax.Parser { return syntax.NewParser(syntax.Variant(syntax.LangPOSIX)) }

// feed parses and runs statements one line after the other. The loop is never left by break: the parser's
// iterator would go on and panic. Once the shell is to end, its input is at its end and the rest is ignored.
func (s *Shell) feed(r io.Reader) {
	src := &closable{r: r}
	p := parser()
	for stmts, err := range p.InteractiveSeq(src) {
		switch {
		case src.closed:
		case err != nil:
			s.syntaxError(err)
			src.closed = true
		case !p.Incomplete():
			s.stmts(stmts)
			src.closed = s.stopped()
		}
	}
}

// closable is a reader that can be told to be at its end.
type closable struct {
	r      io.Reader
	closed bool
}

func (c *closable) Read(p []byte) (int, error) {
	if c.closed {
		return 0, io.EOF
	}
	return c.r.Read(p)
}

func (s *Shell) syntaxError(err error) {
	var pe syntax.ParseError
	if errors.As(err, &pe) {
		s.p.Errorf("%s: line %d: syntax error: %s\n", s.arg0, pe.Pos.Line(), pe.Text)
	} else {
		s.p.Errorf("%s: syntax error: %v\n", s.arg0, err)
	}
	s.exit(2)
}

func (s *Shell) exit(status int) { s.status, s.jump = status&0xff, jumpExit }

// end runs the EXIT trap and returns the exit status.
func (s *Shell) end() int {
	if s.p.Dead() {
		return s.p.DeadStatus()
	}
	s.runTraps()
	action := s.traps["EXIT"]
	if action == "" || s.noTrap {
		return s.status
	}
	delete(s.traps, "EXIT")
	st := s.status
	s.jump, s.guard, s.inTrap = noJump, 0, true
	s.eval(action)
	if s.jump != jumpExit {
		s.status = st
	}
	return s.status
}

// fork makes a subshell.
func (s *Shell) fork() *Shell {
	c := &Shell{p: s.p.Fork(), arg0: s.arg0, pid: s.pid, params: s.params, opt: s.opt, status: s.status, bgPID: s.bgPID,
		guard: s.guard, loops: s.loops, calls: s.calls, depth: s.depth + 1,
		vars: make(map[string]*variable, len(s.vars)), funcs: make(map[string]*syntax.Stmt, len(s.funcs)),
		traps: map[string]string{}, jobs: map[int]*kernel.Proc{}}
	for k, v := range s.vars {
		d := *v
		c.vars[k] = &d
	}
	for k, v := range s.funcs {
		c.funcs[k] = v
	}
	for sig, action := range s.traps {
		if action == "" {
			c.traps[sig] = ""
		}
	}
	c.setupExpand()
	return c
}

// eval parses and runs text in this shell.
func (s *Shell) eval(text string) {
	f, err := parser().Parse(strings.NewReader(text), "")
	if err != nil {
		s.syntaxError(err)
		return
	}
	if len(f.Stmts) == 0 {
		s.status = 0
	}
	s.stmts(f.Stmts)
}

func (s *Shell) assign(name, val string) bool {
	v := s.vars[name]
	if v == nil {
		v = &variable{}
		s.vars[name] = v
	}
	if v.readonly {
		s.p.Errorf("%s: %s: readonly variable\n", s.arg0, name)
		return false
	}
	v.val, v.set = val, true
	v.exported = v.exported || s.opt.allexport
	return true
}

func (s *Shell) get(name string) string {
	if v := s.vars[name]; v != nil {
		return v.val
	}
	return ""
}

// environ is the environment of a program that this shell starts.
func (s *Shell) environ() map[string]string {
	env := map[string]string{}
	for name, v := range s.vars {
		if v.exported && v.set {
			env[name] = v.val
		}
	}
	return env
}

// chdir changes the working directory.
func (s *Shell) chdir(dir string) {
	s.assign("OLDPWD", s.p.Cwd)
	s.p.Cwd = dir
	s.assign("PWD", dir)
}

func atoi(t string) (int, bool) {
	n, err := strconv.Atoi(strings.TrimSpace(t))
	return n, err == nil
}
