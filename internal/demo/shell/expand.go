package shell

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/pattern"
	"mvdan.cc/sh/v3/syntax"

	"github.com/boxdoctor/boxdoctor/internal/demo/kernel"
	"github.com/boxdoctor/boxdoctor/internal/demo/memfs"
)

func (s *Shell) setupExpand() {
	s.cfg = &expand.Config{Env: environ{s}, CmdSubst: s.commandSubst}
	s.expandOptions()
}

func (s *Shell) expandOptions() {
	s.cfg.NoUnset = s.opt.nounset
	s.cfg.ReadDir2 = s.readDir
	if s.opt.noglob || slashGlob {
		s.cfg.ReadDir2 = nil
	}
}

var errNotDir = errors.New("not a directory")

// readDir lists a directory for a glob; what cannot be listed matches nothing.
func (s *Shell) readDir(dir string) ([]fs.DirEntry, error) {
	list, err := s.p.K.FS.ReadDir(s.p.Cred, s.p.Abs(strings.ReplaceAll(dir, `\`, "/")))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, err
	case errors.Is(err, fs.ErrPermission):
		return nil, nil
	case err != nil:
		return nil, errNotDir
	}
	out := make([]fs.DirEntry, len(list))
	for i, in := range list {
		out[i] = fs.FileInfoToDirEntry(in)
	}
	return out, nil
}

// fields expands words into arguments; false when that failed and the status is set.
func (s *Shell) fields(words []*syntax.Word) ([]string, bool) {
	expandAll := func(words []*syntax.Word) ([]string, error) { return expand.Fields(s.cfg, words...) }
	if slashGlob {
		expandAll = s.globFields
	}
	out, err := expandAll(words)
	return out, s.expandFailed(err)
}

func (s *Shell) literal(w *syntax.Word) (string, bool) {
	out, err := expand.Literal(s.cfg, w)
	return out, s.expandFailed(err)
}

// expandFailed reports a failed expansion, which ends a shell that is not interactive. True: there was none.
func (s *Shell) expandFailed(err error) bool {
	if err == nil {
		return true
	}
	var unset expand.UnsetParameterError
	s.p.Errorf("%s: %v\n", s.arg0, err)
	st := 2
	if errors.As(err, &unset) {
		st = 1
	}
	s.exit(st)
	return false
}

// commandSubst runs $(…) and writes its output, without NUL bytes, to w.
func (s *Shell) commandSubst(w io.Writer, cs *syntax.CmdSubst) error {
	sub := s.fork()
	r, pw := kernel.Pipe()
	sub.p.SetFD(1, kernel.NewDesc(pw))
	sub.p.Go(func() int {
		if len(cs.Stmts) == 1 {
			return sub.one(cs.Stmts[0])
		}
		sub.stmts(cs.Stmts)
		return sub.subEnd()
	})
	out, _ := io.ReadAll(ctxReader{s.p.Context(), r})
	r.Close()
	s.await(sub.p)
	s.status, s.subst = sub.p.Status(), true
	_, err := io.WriteString(w, strings.ReplaceAll(string(out), "\x00", ""))
	return err
}

type ctxReader struct {
	ctx context.Context
	s   kernel.Stream
}

func (c ctxReader) Read(p []byte) (int, error) { return c.s.Read(c.ctx, p) }

// environ shows the shell's variables to the expansions.
type environ struct{ s *Shell }

var _ expand.WriteEnviron = environ{}

// Get answers variables and special parameters.
func (e environ) Get(name string) expand.Variable {
	if v, ok := e.s.specialParam(name); ok {
		return v
	}
	v := e.s.vars[name]
	if v == nil {
		return expand.Variable{}
	}
	return expand.Variable{Set: v.set, Exported: v.exported, ReadOnly: v.readonly, Kind: expand.String, Str: v.val}
}

func str(v string) (expand.Variable, bool) {
	return expand.Variable{Set: true, Kind: expand.String, Str: v}, true
}

func (s *Shell) specialParam(name string) (expand.Variable, bool) {
	switch name {
	case "#":
		return str(strconv.Itoa(len(s.params)))
	case "@", "*":
		return expand.Variable{Set: true, Kind: expand.Indexed, List: append([]string{}, s.params...)}, true
	case "?":
		return str(strconv.Itoa(s.status))
	case "$":
		return str(strconv.Itoa(s.pid))
	case "!":
		if s.bgPID == 0 {
			return expand.Variable{}, true
		}
		return str(strconv.Itoa(s.bgPID))
	case "-":
		return str(s.opt.flags())
	case "PPID":
		return str(strconv.Itoa(s.p.PPID))
	case "0":
		return str(s.arg0)
	}
	if user, ok := strings.CutPrefix(name, "HOME "); ok {
		return str(s.homeOf(user))
	}
	if n, err := strconv.Atoi(name); err == nil {
		if n < 1 || n > len(s.params) {
			return expand.Variable{}, true
		}
		return str(s.params[n-1])
	}
	return expand.Variable{}, false
}

// homeOf reads the tree's /etc/passwd, so that ~user never asks the real machine.
func (s *Shell) homeOf(user string) string {
	data, _ := s.p.K.FS.ReadFile(memfs.Root, "/etc/passwd")
	for _, line := range strings.Split(string(data), "\n") {
		if f := strings.Split(line, ":"); len(f) > 5 && f[0] == user {
			return f[5]
		}
	}
	return "~" + user
}

// Each lists the variables that are set.
func (e environ) Each(fn func(string, expand.Variable) bool) {
	for name := range e.s.vars {
		if !fn(name, e.Get(name)) {
			return
		}
	}
}

// Set is for ${x:=y} and assignments in arithmetic.
func (e environ) Set(name string, v expand.Variable) error {
	if !e.s.assign(name, v.String()) {
		return errors.New(name + ": readonly variable")
	}
	return nil
}

var patterns sync.Map // pattern text to *regexp.Regexp

// compile translates a shell pattern, nil when it is malformed.
func compile(pat string) *regexp.Regexp {
	if re, ok := patterns.Load(pat); ok {
		return re.(*regexp.Regexp)
	}
	expr, err := pattern.Regexp(pat, pattern.EntireString)
	if err != nil {
		return nil
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil
	}
	patterns.Store(pat, re)
	return re
}
