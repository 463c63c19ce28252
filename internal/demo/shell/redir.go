package shell

import (
	"fmt"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/boxdoctor/boxdoctor/internal/demo/kernel"
	"github.com/boxdoctor/boxdoctor/internal/demo/memfs"
)

// saved are the descriptors that redirections put aside.
type saved struct {
	p    *kernel.Proc
	list []savedFD
}

type savedFD struct {
	n int
	d *kernel.Desc
}

// undo takes the redirections back.
func (v *saved) undo() {
	for i := len(v.list) - 1; i >= 0; i-- {
		s := v.list[i]
		v.p.CloseFD(s.n)
		if s.d != nil {
			v.p.SetFD(s.n, s.d)
		}
	}
	v.list = nil
}

// keep makes the redirections stay: what was put aside is closed.
func (v *saved) keep() {
	for _, s := range v.list {
		if s.d != nil {
			s.d.Close()
		}
	}
	v.list = nil
}

// redirect applies redirections to p. One of undo and keep must follow, also after an error.
func (s *Shell) redirect(p *kernel.Proc, list []*syntax.Redirect) (*saved, error) {
	v := &saved{p: p}
	for _, rd := range list {
		n, d, err := s.target(p, rd)
		if err != nil {
			return v, err
		}
		v.list = append(v.list, savedFD{n, p.TakeFD(n)})
		if d != nil {
			p.SetFD(n, d)
		}
	}
	return v, nil
}

// target evaluates one redirection: which descriptor becomes what; nil closes it.
func (s *Shell) target(p *kernel.Proc, rd *syntax.Redirect) (int, *kernel.Desc, error) {
	n := 1
	switch rd.Op {
	case syntax.RdrIn, syntax.DplIn, syntax.Hdoc, syntax.DashHdoc, syntax.RdrInOut:
		n = 0
	}
	if rd.N != nil {
		v, err := strconv.Atoi(rd.N.Value)
		if err != nil || v > 9 {
			return 0, nil, fmt.Errorf("%s: bad file descriptor", rd.N.Value)
		}
		n = v
	}
	if rd.Op == syntax.Hdoc || rd.Op == syntax.DashHdoc {
		d, err := s.hereDoc(rd)
		return n, d, err
	}
	word, err := expand.Literal(s.cfg, rd.Word)
	if err != nil {
		return 0, nil, err
	}
	d, err := s.openRedir(p, rd.Op, word)
	return n, d, err
}

func (s *Shell) openRedir(p *kernel.Proc, op syntax.RedirOperator, word string) (*kernel.Desc, error) {
	var flag int
	switch op {
	case syntax.DplIn, syntax.DplOut:
		return dup(p, word)
	case syntax.RdrIn:
		flag = memfs.ORead
	case syntax.RdrInOut:
		flag = memfs.ORead | memfs.OWrite | memfs.OCreate
	case syntax.AppOut:
		flag = memfs.OWrite | memfs.OCreate | memfs.OAppend
	case syntax.RdrOut, syntax.RdrClob:
		flag = memfs.OWrite | memfs.OCreate | memfs.OTrunc
		if s.opt.noclobber && op == syntax.RdrOut && s.isRegular(p, word) {
			return nil, fmt.Errorf("%s: cannot overwrite existing file", word)
		}
		if s.opt.noclobber && op == syntax.RdrOut && !s.exists(p, word) {
			flag |= memfs.OExcl
		}
	default:
		return nil, fmt.Errorf("redirection %s is not POSIX shell", op)
	}
	d, err := p.Open(word, flag, 0o666)
	if err != nil {
		return nil, fmt.Errorf("%s: %s", word, memfs.Text(err))
	}
	return d, nil
}

func (s *Shell) isRegular(p *kernel.Proc, name string) bool {
	in, err := p.K.FS.Stat(p.Cred, p.Abs(name))
	return err == nil && in.Mode().IsRegular()
}

func (s *Shell) exists(p *kernel.Proc, name string) bool {
	_, err := p.K.FS.Stat(p.Cred, p.Abs(name))
	return err == nil
}

func dup(p *kernel.Proc, word string) (*kernel.Desc, error) {
	if word == "-" {
		return nil, nil
	}
	n, err := strconv.Atoi(word)
	if err != nil {
		return nil, fmt.Errorf("%s: ambiguous redirect", word)
	}
	d := p.FD(n)
	if d == nil {
		return nil, fmt.Errorf("%d: %s", n, memfs.EBADF)
	}
	return d.Ref(), nil
}

// hereDoc opens the body of a here-document for reading.
func (s *Shell) hereDoc(rd *syntax.Redirect) (*kernel.Desc, error) {
	text := ""
	if rd.Hdoc != nil {
		body := rd.Hdoc
		if rd.Op == syntax.DashHdoc {
			body = stripTabs(body)
		}
		var err error
		if text, err = s.hereText(rd, body); err != nil {
			return nil, err
		}
	}
	return kernel.NewDesc(kernel.Text(text)), nil
}

func (s *Shell) hereText(rd *syntax.Redirect, body *syntax.Word) (string, error) {
	if quotedDelim(rd.Word) {
		var b strings.Builder
		for _, part := range body.Parts {
			if lit, ok := part.(*syntax.Lit); ok {
				b.WriteString(lit.Value)
			}
		}
		return b.String(), nil
	}
	return expand.Document(s.cfg, body)
}

func quotedDelim(w *syntax.Word) bool {
	for _, part := range w.Parts {
		lit, ok := part.(*syntax.Lit)
		if !ok || strings.Contains(lit.Value, `\`) {
			return true
		}
	}
	return false
}

// stripTabs removes the tabs at the starts of lines, as <<- does.
func stripTabs(w *syntax.Word) *syntax.Word {
	out := &syntax.Word{}
	lineStart := true
	for _, part := range w.Parts {
		lit, ok := part.(*syntax.Lit)
		if !ok {
			out.Parts = append(out.Parts, part)
			lineStart = false
			continue
		}
		lines := strings.SplitAfter(lit.Value, "\n")
		for i, l := range lines {
			if lineStart || i > 0 {
				lines[i] = strings.TrimLeft(l, "\t")
			}
		}
		lineStart = strings.HasSuffix(lit.Value, "\n")
		out.Parts = append(out.Parts, &syntax.Lit{Value: strings.Join(lines, "")})
	}
	return out
}
