package shell

import (
	"fmt"
	"io/fs"

	"github.com/boxdoctor/boxdoctor/internal/demo/kernel"
	"github.com/boxdoctor/boxdoctor/internal/demo/memfs"
)

func biTest(s *Shell, args []string) int {
	if args[0] == "[" {
		if args[len(args)-1] != "]" {
			s.complain("[", "missing `]'")
			return 2
		}
		args = args[:len(args)-1]
	}
	st, err := Test(s.p, args[1:])
	if err != nil {
		s.complain(args[0], "%v", err)
	}
	return st
}

// Test evaluates the arguments of test(1): status 0, 1, or 2 with an error.
func Test(p *kernel.Proc, args []string) (int, error) {
	t := &tester{p: p, args: args}
	ok := t.all()
	if t.err == nil && len(t.args) > 0 {
		t.err = fmt.Errorf("%s: unexpected operator", t.args[0])
	}
	if t.err != nil {
		return 2, t.err
	}
	return b2i(!ok), nil
}

type tester struct {
	p    *kernel.Proc
	args []string
	err  error
}

// all decides by the number of arguments, as POSIX does for up to four, then by precedence.
func (t *tester) all() bool {
	switch n := len(t.args); {
	case n == 0:
		return false
	case n == 1:
		a := t.args[0]
		t.args = nil
		return a != ""
	case n == 3 && binaryOps[t.args[1]] != nil:
		return t.binary()
	case n > 1 && t.args[0] == "!" && n <= 4:
		t.args = t.args[1:]
		return !t.all()
	}
	return t.or()
}

func (t *tester) or() bool {
	v := t.and()
	for len(t.args) > 0 && t.args[0] == "-o" {
		t.args = t.args[1:]
		w := t.and()
		v = v || w
	}
	return v
}

func (t *tester) and() bool {
	v := t.primary()
	for len(t.args) > 0 && t.args[0] == "-a" {
		t.args = t.args[1:]
		w := t.primary()
		v = v && w
	}
	return v
}

func (t *tester) primary() bool {
	switch {
	case len(t.args) == 0:
		t.err = fmt.Errorf("argument expected")
		return false
	case t.args[0] == "!":
		t.args = t.args[1:]
		return !t.primary()
	case len(t.args) >= 3 && binaryOps[t.args[1]] != nil:
		return t.binary()
	case t.args[0] == "(":
		t.args = t.args[1:]
		v := t.or()
		if len(t.args) == 0 || t.args[0] != ")" {
			t.err = fmt.Errorf("closing paren expected")
			return false
		}
		t.args = t.args[1:]
		return v
	case len(t.args) >= 2 && len(t.args[0]) == 2 && t.args[0][0] == '-':
		op, a := t.args[0], t.args[1]
		t.args = t.args[2:]
		return t.unary(op, a)
	}
	a := t.args[0]
	t.args = t.args[1:]
	return a != ""
}

var binaryOps = map[string]func(t *tester, a, b string) bool{
	"=":   func(_ *tester, a, b string) bool { return a == b },
	"==":  func(_ *tester, a, b string) bool { return a == b },
	"!=":  func(_ *tester, a, b string) bool { return a != b },
	"<":   func(_ *tester, a, b string) bool { return a < b },
	">":   func(_ *tester, a, b string) bool { return a > b },
	"-eq": numeric(func(a, b int) bool { return a == b }),
	"-ne": numeric(func(a, b int) bool { return a != b }),
	"-lt": numeric(func(a, b int) bool { return a < b }),
	"-le": numeric(func(a, b int) bool { return a <= b }),
	"-gt": numeric(func(a, b int) bool { return a > b }),
	"-ge": numeric(func(a, b int) bool { return a >= b }),
	"-nt": func(t *tester, a, b string) bool { return t.newer(a, b) },
	"-ot": func(t *tester, a, b string) bool { return t.newer(b, a) },
	"-ef": func(t *tester, a, b string) bool {
		x, y := t.stat(a), t.stat(b)
		return x != nil && y != nil && x.Ino == y.Ino
	},
}

func numeric(f func(a, b int) bool) func(*tester, string, string) bool {
	return func(t *tester, a, b string) bool {
		x, ok1 := atoi(a)
		y, ok2 := atoi(b)
		if !ok1 || !ok2 {
			bad := a
			if ok1 {
				bad = b
			}
			t.err = fmt.Errorf("%s: integer expression expected", bad)
			return false
		}
		return f(x, y)
	}
}

func (t *tester) binary() bool {
	a, op, b := t.args[0], t.args[1], t.args[2]
	t.args = t.args[3:]
	return binaryOps[op](t, a, b)
}

func (t *tester) stat(name string) *memfs.Info {
	in, err := t.p.K.FS.Stat(t.p.Cred, t.p.Abs(name))
	if err != nil {
		return nil
	}
	return in
}

func (t *tester) newer(a, b string) bool {
	x, y := t.stat(a), t.stat(b)
	return x != nil && (y == nil || x.ModTime().After(y.ModTime()))
}

func (t *tester) unary(op, a string) bool {
	switch op {
	case "-n":
		return a != ""
	case "-z":
		return a == ""
	case "-t":
		return false
	case "-h", "-L":
		in, err := t.p.K.FS.Lstat(t.p.Cred, t.p.Abs(a))
		return err == nil && in.Mode()&fs.ModeSymlink != 0
	case "-r", "-w", "-x":
		want := map[string]int{"-r": memfs.Read, "-w": memfs.Write, "-x": memfs.Exec}[op]
		return t.p.K.FS.Access(t.p.Cred, t.p.Abs(a), want) == nil
	}
	f := typeTests[op]
	if f == nil {
		t.err = fmt.Errorf("%s: unary operator expected", op)
		return false
	}
	in := t.stat(a)
	return in != nil && f(t, in)
}

var typeTests = map[string]func(*tester, *memfs.Info) bool{
	"-e": func(*tester, *memfs.Info) bool { return true },
	"-f": func(_ *tester, in *memfs.Info) bool { return in.Mode().IsRegular() },
	"-d": func(_ *tester, in *memfs.Info) bool { return in.IsDir() },
	"-s": func(_ *tester, in *memfs.Info) bool { return in.Size() > 0 },
	"-c": func(_ *tester, in *memfs.Info) bool { return in.Mode()&fs.ModeCharDevice != 0 },
	"-b": func(_ *tester, in *memfs.Info) bool {
		return in.Mode()&fs.ModeDevice != 0 && in.Mode()&fs.ModeCharDevice == 0
	},
	"-p": func(_ *tester, in *memfs.Info) bool { return in.Mode()&fs.ModeNamedPipe != 0 },
	"-S": func(_ *tester, in *memfs.Info) bool { return in.Mode()&fs.ModeSocket != 0 },
	"-u": func(_ *tester, in *memfs.Info) bool { return in.Mode()&fs.ModeSetuid != 0 },
	"-g": func(_ *tester, in *memfs.Info) bool { return in.Mode()&fs.ModeSetgid != 0 },
	"-k": func(_ *tester, in *memfs.Info) bool { return in.Mode()&fs.ModeSticky != 0 },
	"-O": func(t *tester, in *memfs.Info) bool { return in.UID == t.p.Cred.UID },
	"-G": func(t *tester, in *memfs.Info) bool { return in.GID == t.p.Cred.GID },
}
