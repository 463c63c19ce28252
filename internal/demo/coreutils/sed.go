package coreutils

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/demo/kernel"
	"github.com/boxdoctor/boxdoctor/internal/demo/memfs"
)

// sedAddr is a line number, the last line ($), or an expression.
type sedAddr struct {
	line int
	last bool
	re   *regexp.Regexp
}

// sedCmd is one command with its addresses.
type sedCmd struct {
	from, to *sedAddr
	not      bool
	active   bool // inside the range
	name     byte
	text     string // a, i, c, labels
	block    []*sedCmd
	re       *regexp.Regexp
	repl     []string // pieces; a piece of one byte 0 to 9 after a NUL is a group
	global   bool
	print    bool
	nth      int
	from2    string // y
	to2      string
}

func sed(p *kernel.Proc) int {
	fixInPlace(p)
	o := getopt(p, "nEre:i:f:s", map[string]byte{"quiet": 'n', "silent": 'n', "regexp-extended": 'E', "expression": 'e', "in-place": 'i'})
	if o == nil || o.has('f') {
		return 2
	}
	scripts, files := o.all['e'], o.args
	if len(scripts) == 0 {
		if len(files) == 0 {
			p.Failf("no script given")
			return 2
		}
		scripts, files = files[:1], files[1:]
	}
	ps := &sedParser{src: strings.Join(scripts, "\n"), ext: o.has('E') || o.has('r')}
	prog := ps.block(false)
	if ps.err != nil {
		p.Failf("-e expression #1: %v", ps.err)
		return 2
	}
	if o.has('i') {
		return sedInPlace(p, o, prog, files)
	}
	var all []string
	noEOL := false
	st := each(p, files, func(_ string, r io.Reader) {
		lines(r, func(l string, last bool) bool { all, noEOL = append(all, l), last; return true })
	})
	if st != 0 {
		st = 2
	}
	w := out(p)
	defer w.Flush()
	run := &sedRun{w: w, quiet: o.has('n'), lines: all, noEOL: noEOL}
	if code := run.all(prog); code != 0 {
		return code
	}
	return st
}

// fixInPlace makes the optional value of -i explicit: "-i" alone means no backup.
func fixInPlace(p *kernel.Proc) {
	argv := append([]string{}, p.Args...)
	for i, a := range argv {
		if a == "--" {
			break
		}
		if i > 0 && (a == "-i" || a == "--in-place") {
			argv[i] = "-i\x00"
		}
	}
	p.SetArgs(argv)
}

func sedInPlace(p *kernel.Proc, o *opts, prog []*sedCmd, files []string) int {
	suffix := strings.Trim(o.val['i'], "\x00")
	for _, name := range files {
		data, err := readAll(p, name)
		if err != nil {
			fail(p, "can't read "+name, err)
			return 2
		}
		in, _ := p.K.FS.Stat(p.Cred, p.Abs(name))
		var b strings.Builder
		w := bufio.NewWriter(&b)
		run := &sedRun{w: w, quiet: o.has('n'), noEOL: len(data) > 0 && data[len(data)-1] != '\n'}
		run.lines = strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
		if len(data) == 0 {
			run.lines = nil
		}
		run.all(prog)
		w.Flush()
		if suffix != "" {
			if err := p.K.FS.WriteFile(p.Cred, p.Abs(name)+suffix, data, in.Mode().Perm()); err != nil {
				return fail(p, name, err)
			}
		}
		// GNU sed writes a new file and renames it: the folder must be writable, the file need not be.
		tmp := p.Abs(name) + ".sed"
		if err := p.K.FS.WriteFile(p.Cred, tmp, []byte(b.String()), in.Mode().Perm()); err != nil {
			p.Failf("couldn't open temporary file %s: %s", tmp, memfs.Text(err))
			return 4
		}
		if err := p.K.FS.Rename(p.Cred, tmp, p.Abs(name)); err != nil {
			return fail(p, name, err)
		}
	}
	return 0
}

type sedParser struct {
	src string
	pos int
	ext bool
	err error
}

func (s *sedParser) fail(format string, a ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("char %d: %s", s.pos, fmt.Sprintf(format, a...))
	}
}

func (s *sedParser) skip(set string) {
	for s.pos < len(s.src) && strings.IndexByte(set, s.src[s.pos]) >= 0 {
		s.pos++
	}
}

func (s *sedParser) peek() byte {
	if s.pos < len(s.src) {
		return s.src[s.pos]
	}
	return 0
}

// block parses commands up to the end, or up to a closing brace.
func (s *sedParser) block(nested bool) []*sedCmd {
	var out []*sedCmd
	for s.err == nil {
		s.skip(" \t\n;")
		switch s.peek() {
		case 0:
			if nested {
				s.fail("unmatched `{'")
			}
			return out
		case '}':
			if !nested {
				s.fail("unexpected `}'")
			}
			s.pos++
			return out
		case '#':
			s.line()
			continue
		}
		out = append(out, s.command())
	}
	return out
}

func (s *sedParser) line() string {
	rest := s.src[s.pos:]
	l, _, _ := strings.Cut(rest, "\n")
	s.pos += len(l)
	return l
}

func (s *sedParser) command() *sedCmd {
	c := &sedCmd{}
	if c.from = s.addr(); c.from != nil {
		s.skip(" \t")
		if s.peek() == ',' {
			s.pos++
			s.skip(" \t")
			if c.to = s.addr(); c.to == nil {
				s.fail("unexpected `,'")
			}
		}
	}
	s.skip(" \t")
	for s.peek() == '!' {
		c.not = true
		s.pos++
		s.skip(" \t")
	}
	c.name = s.peek()
	s.pos++
	switch c.name {
	case '{':
		c.block = s.block(true)
	case 's':
		s.subst(c)
	case 'y':
		s.transliterate(c)
	case 'a', 'i', 'c':
		c.text = s.text()
	case 'b', 't', ':':
		s.skip(" \t")
		start := s.pos
		for s.pos < len(s.src) && strings.IndexByte("; \n}", s.src[s.pos]) < 0 {
			s.pos++
		}
		c.text = s.src[start:s.pos]
	case 'd', 'p', 'q', '=', 'n', 'N', 'h', 'H', 'g', 'G', 'x', 'D', 'P':
	default:
		s.fail("unknown or unsupported command: `%c'", c.name)
	}
	return c
}

// text reads what follows a, i or c: the rest of the line, with GNU's one-line form and backslash-newline.
func (s *sedParser) text() string {
	s.skip(" \t")
	if s.peek() == '\\' {
		s.pos++
		s.skip(" \t")
		if s.peek() == '\n' {
			s.pos++
		}
	}
	var b strings.Builder
	for s.pos < len(s.src) && s.src[s.pos] != '\n' {
		if s.src[s.pos] == '\\' && s.pos+1 < len(s.src) {
			s.pos++
		}
		b.WriteByte(s.src[s.pos])
		s.pos++
	}
	return b.String()
}

func (s *sedParser) addr() *sedAddr {
	switch c := s.peek(); {
	case c >= '0' && c <= '9':
		start := s.pos
		s.skip("0123456789")
		n, _ := strconv.Atoi(s.src[start:s.pos])
		return &sedAddr{line: n}
	case c == '$':
		s.pos++
		return &sedAddr{last: true}
	case c == '/' || c == '\\':
		if c == '\\' {
			s.pos++
		}
		d := s.peek()
		s.pos++
		pat := s.delimited(d, true)
		fold := s.peek() == 'I'
		if fold {
			s.pos++
		}
		return &sedAddr{re: s.compile(pat, fold)}
	}
	return nil
}

func (s *sedParser) compile(pat string, fold bool) *regexp.Regexp {
	re, err := compile(pat, s.ext, fold)
	if err != nil {
		s.fail("%v", err)
	}
	return re
}

// delimited reads up to an unescaped delimiter; an escaped delimiter loses its backslash.
func (s *sedParser) delimited(d byte, regex bool) string {
	var b strings.Builder
	inSet := false
	for s.pos < len(s.src) {
		c := s.src[s.pos]
		switch {
		case c == '\\' && s.pos+1 < len(s.src):
			s.pos++
			if s.src[s.pos] != d {
				b.WriteByte('\\')
			}
			c = s.src[s.pos]
		case c == '[' && regex:
			inSet = true
		case c == ']':
			inSet = false
		case c == d && !inSet:
			s.pos++
			return b.String()
		}
		b.WriteByte(c)
		s.pos++
	}
	s.fail("unterminated `%c'", d)
	return ""
}

func (s *sedParser) subst(c *sedCmd) {
	d := s.peek()
	s.pos++
	pat := s.delimited(d, true)
	repl := s.delimited(d, false)
	fold := false
	c.nth = 1
	for ; s.err == nil; s.pos++ {
		switch f := s.peek(); {
		case f == 'g':
			c.global = true
		case f == 'p':
			c.print = true
		case f == 'i' || f == 'I':
			fold = true
		case f >= '1' && f <= '9':
			c.nth = int(f - '0')
		default:
			if f != 0 && strings.IndexByte("; \t\n}", f) < 0 {
				s.fail("unknown option to `s'")
			}
			c.re, c.repl = s.compile(pat, fold), replacement(repl)
			return
		}
	}
}

// replacement splits into literal pieces and groups, which are written as a NUL and a digit.
func replacement(t string) []string {
	var out []string
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			out = append(out, b.String())
			b.Reset()
		}
	}
	for i := 0; i < len(t); i++ {
		switch {
		case t[i] == '&':
			flush()
			out = append(out, "\x000")
		case t[i] == '\\' && i+1 < len(t):
			i++
			switch {
			case t[i] >= '0' && t[i] <= '9':
				flush()
				out = append(out, "\x00"+t[i:i+1])
			case t[i] == 'n':
				b.WriteByte('\n')
			case t[i] == 't':
				b.WriteByte('\t')
			default:
				b.WriteByte(t[i])
			}
		default:
			b.WriteByte(t[i])
		}
	}
	flush()
	return out
}

func (s *sedParser) transliterate(c *sedCmd) {
	d := s.peek()
	s.pos++
	c.from2, c.to2 = s.delimited(d, false), s.delimited(d, false)
	if len(c.from2) != len(c.to2) {
		s.fail("strings for `y' command are different lengths")
	}
}

// sedRun is the state of one pass over the input.
type sedRun struct {
	w     *bufio.Writer
	quiet bool
	noEOL bool
	lines []string
	n     int // number of the current line, from 1
	space string
	hold  string
	after []string
	quit  bool
	del   bool
	subst bool
	steps int
}

// maxSteps bounds loops by b and t.
const maxSteps = 10_000_000

func (r *sedRun) all(prog []*sedCmd) int {
	for r.n < len(r.lines) && !r.quit {
		r.space, r.del = r.lines[r.n], false
		r.n++
		r.exec(prog)
		r.finishLine()
		if r.steps > maxSteps {
			return 1
		}
	}
	return 0
}

func (r *sedRun) finishLine() {
	if !r.del && !r.quiet {
		r.emit(r.space)
	}
	for _, t := range r.after {
		fmt.Fprintln(r.w, t)
	}
	r.after = nil
}

// emit prints a line; the last line of an input without a final newline gets none.
func (r *sedRun) emit(l string) {
	r.w.WriteString(l)
	if !(r.noEOL && r.n == len(r.lines)) {
		r.w.WriteByte('\n')
	}
}

// exec runs commands; the label a branch jumps to is returned, "" goes to the end of the script.
func (r *sedRun) exec(prog []*sedCmd) {
	for i := 0; i < len(prog) && !r.del && !r.quit; i++ {
		r.steps++
		c := prog[i]
		if r.steps > maxSteps || r.selected(c) == c.not {
			continue
		}
		if c.name == 'b' || c.name == 't' && r.subst {
			r.subst = false
			if i = labelAt(prog, c.text); i < 0 {
				return
			}
			continue
		}
		if c.name == '{' {
			r.exec(c.block)
			continue
		}
		r.one(c)
	}
}

func labelAt(prog []*sedCmd, label string) int {
	for i, c := range prog {
		if label != "" && c.name == ':' && c.text == label {
			return i
		}
	}
	return -1
}

func (a *sedAddr) at(r *sedRun) bool {
	switch {
	case a.re != nil:
		return a.re.MatchString(r.space)
	case a.last:
		return r.n == len(r.lines)
	}
	return a.line == r.n
}

func (r *sedRun) selected(c *sedCmd) bool {
	switch {
	case c.from == nil:
		return true
	case c.to == nil:
		return c.from.at(r)
	case !c.active:
		if !c.from.at(r) {
			return false
		}
		c.active = !(c.to.re == nil && !c.to.last && c.to.line <= r.n)
		return true
	}
	if c.to.at(r) || c.to.re == nil && !c.to.last && c.to.line <= r.n {
		c.active = false
	}
	return true
}

func (r *sedRun) one(c *sedCmd) {
	switch c.name {
	case 's':
		if t, ok := substitute(c, r.space); ok {
			r.space, r.subst = t, true
			if c.print {
				r.emit(t)
			}
		}
	case 'y':
		r.space = strings.Map(func(ch rune) rune {
			if i := strings.IndexRune(c.from2, ch); i >= 0 {
				return rune(c.to2[i])
			}
			return ch
		}, r.space)
	case 'd':
		r.del = true
	case 'p':
		r.emit(r.space)
	case 'P':
		l, _, _ := strings.Cut(r.space, "\n")
		fmt.Fprintln(r.w, l)
	case 'q':
		r.quit = true
	case '=':
		fmt.Fprintln(r.w, r.n)
	case 'a':
		r.after = append(r.after, c.text)
	case 'i':
		fmt.Fprintln(r.w, c.text)
	case 'c':
		r.del = true
		if c.to == nil || !c.active {
			fmt.Fprintln(r.w, c.text)
		}
	default:
		r.spaces(c.name)
	}
}

// spaces are the commands that move lines between input, pattern space and hold space.
func (r *sedRun) spaces(name byte) {
	switch name {
	case 'h':
		r.hold = r.space
	case 'H':
		r.hold += "\n" + r.space
	case 'g':
		r.space = r.hold
	case 'G':
		r.space += "\n" + r.hold
	case 'x':
		r.space, r.hold = r.hold, r.space
	case 'D':
		_, rest, more := strings.Cut(r.space, "\n")
		r.del = true
		if more {
			r.n--
			r.lines[r.n] = rest
		}
	case 'n', 'N':
		if r.n == len(r.lines) {
			r.quit = true
			return
		}
		if name == 'n' {
			r.finishLine()
			r.space = r.lines[r.n]
		} else {
			r.space += "\n" + r.lines[r.n]
		}
		r.n++
	}
}

func substitute(c *sedCmd, t string) (string, bool) {
	if c.re == nil {
		return t, false
	}
	all := c.re.FindAllStringSubmatchIndex(t, -1)
	if len(all) < c.nth {
		return t, false
	}
	last := c.nth
	if c.global {
		last = len(all)
	}
	var b strings.Builder
	end := 0
	for _, m := range all[c.nth-1 : last] {
		b.WriteString(t[end:m[0]])
		for _, piece := range c.repl {
			if piece[0] != 0 {
				b.WriteString(piece)
				continue
			}
			if g := int(piece[1] - '0'); 2*g+1 < len(m) && m[2*g] >= 0 {
				b.WriteString(t[m[2*g]:m[2*g+1]])
			}
		}
		end = m[1]
	}
	return b.String() + t[end:], true
}
