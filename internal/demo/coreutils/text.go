package coreutils

import (
	"fmt"
	"io"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/demo/kernel"
)

// grepJob is one run of grep.
type grepJob struct {
	p       *kernel.Proc
	o       *opts
	res     []*regexp.Regexp
	many    bool
	matched bool
}

func grep(p *kernel.Proc) int {
	o := getopt(p, "EFGqisnvcolLwxhHae:m:f:rR", map[string]byte{"quiet": 'q', "ignore-case": 'i', "extended-regexp": 'E', "fixed-strings": 'F',
		"max-count": 'm', "only-matching": 'o', "invert-match": 'v', "count": 'c', "no-messages": 's', "text": 'a'})
	if o == nil || o.has('r') || o.has('R') {
		return 2
	}
	g := &grepJob{p: p, o: o}
	pats, files := o.all['e'], o.args
	for _, name := range o.all['f'] {
		data, err := readAll(p, name)
		if err != nil {
			fail(p, name, err)
			return 2
		}
		if len(data) > 0 {
			pats = append(pats, strings.TrimSuffix(string(data), "\n"))
		}
	}
	if len(pats) == 0 && !o.has('f') {
		if len(files) == 0 {
			p.Failf("usage: grep [OPTION]... PATTERN [FILE]...")
			return 2
		}
		pats, files = files[:1], files[1:]
	}
	if err := g.compile(pats); err != nil {
		p.Failf("%v", err)
		return 2
	}
	return g.run(files)
}

func (g *grepJob) compile(pats []string) error {
	if len(pats) == 0 {
		return nil // an empty file of patterns matches nothing
	}
	extended := g.o.has('E') || strings.HasSuffix(g.p.Args[0], "egrep")
	for _, pat := range strings.Split(strings.Join(pats, "\n"), "\n") {
		if g.o.has('F') || strings.HasSuffix(g.p.Args[0], "fgrep") {
			pat, extended = regexp.QuoteMeta(pat), true
		}
		t, err := translate(pat, extended)
		if err != nil {
			return err
		}
		if g.o.has('w') {
			t = `\b(?:` + t + `)\b`
		}
		if g.o.has('x') {
			t = `^(?:` + t + `)$`
		}
		if g.o.has('i') {
			t = "(?i)" + t
		}
		re, err := regexp.Compile(t)
		if err != nil {
			return fmt.Errorf("invalid regular expression %q", pat)
		}
		re.Longest()
		g.res = append(g.res, re)
	}
	return nil
}

func (g *grepJob) run(files []string) int {
	g.many = len(files) > 1 && !g.o.has('h') || g.o.has('H')
	bad := 0
	if len(files) == 0 {
		files = []string{"-"}
	}
	for _, name := range files {
		r, err := g.p.OpenRead(name)
		if err == nil {
			err = g.file(name, r)
			r.Close()
		}
		if err != nil {
			bad = 2
			if !g.o.has('s') {
				fail(g.p, name, err)
			}
		}
		if g.matched && g.o.has('q') {
			return 0
		}
	}
	if bad != 0 {
		return bad
	}
	if g.matched {
		return 0
	}
	return 1
}

func (g *grepJob) hit(line string) bool {
	for _, re := range g.res {
		if re.MatchString(line) {
			return true
		}
	}
	return false
}

func (g *grepJob) file(name string, r io.Reader) error {
	limit := -1
	if g.o.has('m') {
		limit, _ = strconv.Atoi(g.o.val['m'])
	}
	w := out(g.p)
	defer w.Flush()
	n, count := 0, 0
	prefix := func(n int) string {
		t := ""
		if g.many {
			t = name + ":"
		}
		if g.o.has('n') {
			t += strconv.Itoa(n) + ":"
		}
		return t
	}
	lines(r, func(l string, _ bool) bool {
		n++
		if g.hit(l) == g.o.has('v') {
			return true
		}
		g.matched = true
		count++
		switch {
		case g.o.has('q') || g.o.has('l') || g.o.has('L'):
			return false
		case g.o.has('c'):
		case g.o.has('o'):
			for _, m := range g.parts(l) {
				fmt.Fprintf(w, "%s%s\n", prefix(n), m)
			}
		default:
			fmt.Fprintf(w, "%s%s\n", prefix(n), l)
		}
		return count != limit
	})
	g.summary(w, name, count)
	return nil
}

func (g *grepJob) summary(w io.Writer, name string, count int) {
	switch {
	case g.o.has('q'):
	case g.o.has('c') && g.many:
		fmt.Fprintf(w, "%s:%d\n", name, count)
	case g.o.has('c'):
		fmt.Fprintf(w, "%d\n", count)
	case g.o.has('l') && count > 0, g.o.has('L') && count == 0:
		fmt.Fprintln(w, name)
	}
}

func (g *grepJob) parts(l string) []string {
	var out []string
	for _, re := range g.res {
		for _, m := range re.FindAllString(l, -1) {
			if m != "" {
				out = append(out, m)
			}
		}
	}
	return out
}

// ranges reads a list such as 1,3-5,7- of cut.
func ranges(spec string) (func(int) bool, bool) {
	type span struct{ lo, hi int }
	var all []span
	for _, part := range strings.Split(spec, ",") {
		lo, hi, dash := strings.Cut(part, "-")
		s := span{1, 1 << 30}
		var err1, err2 error
		if lo != "" {
			s.lo, err1 = strconv.Atoi(lo)
		}
		if !dash {
			s.hi = s.lo
		} else if hi != "" {
			s.hi, err2 = strconv.Atoi(hi)
		}
		if err1 != nil || err2 != nil || part == "" || part == "-" {
			return nil, false
		}
		all = append(all, s)
	}
	return func(n int) bool {
		for _, s := range all {
			if n >= s.lo && n <= s.hi {
				return true
			}
		}
		return false
	}, true
}

func cut(p *kernel.Proc) int {
	o := getopt(p, "d:f:c:b:s", map[string]byte{"delimiter": 'd', "fields": 'f', "characters": 'c', "bytes": 'b'})
	if o == nil {
		return 2
	}
	spec := o.val['f'] + o.val['c'] + o.val['b']
	want, ok := ranges(spec)
	if !ok {
		return p.Failf("invalid list %q", spec)
	}
	d := "\t"
	if o.has('d') {
		d = o.val['d']
	}
	return each(p, o.args, func(_ string, r io.Reader) {
		w := out(p)
		defer w.Flush()
		lines(r, func(l string, _ bool) bool {
			if !o.has('f') {
				fmt.Fprintln(w, pick(strings.Split(l, ""), want, ""))
			} else if strings.Contains(l, d) {
				fmt.Fprintln(w, pick(strings.Split(l, d), want, d))
			} else if !o.has('s') {
				fmt.Fprintln(w, l)
			}
			return true
		})
	})
}

func pick(parts []string, want func(int) bool, d string) string {
	var out []string
	for i, t := range parts {
		if want(i + 1) {
			out = append(out, t)
		}
	}
	return strings.Join(out, d)
}

var trClasses = map[string]func(b byte) bool{
	"[:space:]": func(b byte) bool { return strings.IndexByte(" \t\n\v\f\r", b) >= 0 },
	"[:blank:]": func(b byte) bool { return b == ' ' || b == '\t' },
	"[:digit:]": func(b byte) bool { return b >= '0' && b <= '9' },
	"[:lower:]": func(b byte) bool { return b >= 'a' && b <= 'z' },
	"[:upper:]": func(b byte) bool { return b >= 'A' && b <= 'Z' },
	"[:alpha:]": func(b byte) bool { return b|32 >= 'a' && b|32 <= 'z' },
	"[:alnum:]": func(b byte) bool { return b|32 >= 'a' && b|32 <= 'z' || b >= '0' && b <= '9' },
	"[:cntrl:]": func(b byte) bool { return b < 32 || b == 127 },
	"[:print:]": func(b byte) bool { return b >= 32 && b < 127 },
	"[:punct:]": func(b byte) bool { return strings.IndexByte("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", b) >= 0 },
}

// trSet expands a set of tr into its bytes, in order.
func trSet(t string) []byte {
	var out []byte
	for i := 0; i < len(t); {
		if class, n := trClass(t[i:]); n > 0 {
			out = append(out, class...)
			i += n
			continue
		}
		c, n := trChar(t[i:])
		i += n
		if i+1 < len(t) && t[i] == '-' {
			hi, n := trChar(t[i+1:])
			i += 1 + n
			for b := int(c); b <= int(hi); b++ {
				out = append(out, byte(b))
			}
			continue
		}
		out = append(out, c)
	}
	return out
}

func trClass(t string) ([]byte, int) {
	for name, in := range trClasses {
		if strings.HasPrefix(t, name) {
			var out []byte
			for b := range 256 {
				if in(byte(b)) {
					out = append(out, byte(b))
				}
			}
			return out, len(name)
		}
	}
	return nil, 0
}

func trChar(t string) (byte, int) {
	if t[0] != '\\' || len(t) == 1 {
		return t[0], 1
	}
	n := 1
	for n < len(t) && n < 4 && t[n] >= '0' && t[n] <= '7' {
		n++
	}
	if n > 1 {
		v, _ := strconv.ParseUint(t[1:n], 8, 16)
		return byte(v), n
	}
	if i := strings.IndexByte("abfnrtv", t[1]); i >= 0 {
		return "\a\b\f\n\r\t\v"[i], 2
	}
	return t[1], 2
}

func tr(p *kernel.Proc) int {
	o := getopt(p, "+dscC", nil)
	if o == nil || len(o.args) == 0 {
		return 2
	}
	from := trSet(o.args[0])
	if o.has('c') || o.has('C') {
		from = complement(from)
	}
	var to []byte
	if len(o.args) > 1 {
		to = trSet(o.args[1])
	}
	data, _ := io.ReadAll(p.Stdin())
	p.Stdout().Write(trApply(data, from, to, o.has('d'), o.has('s')))
	return 0
}

func complement(set []byte) []byte {
	in := [256]bool{}
	for _, b := range set {
		in[b] = true
	}
	var out []byte
	for b := range 256 {
		if !in[b] {
			out = append(out, byte(b))
		}
	}
	return out
}

func trApply(data, from, to []byte, del, squeeze bool) []byte {
	var table [256]int
	for i := range table {
		table[i] = i
	}
	squeezeSet := from
	if !del && len(to) > 0 {
		for i, b := range from {
			table[b] = int(to[min(i, len(to)-1)])
		}
		squeezeSet = to
	}
	if del {
		for _, b := range from {
			table[b] = -1
		}
		squeezeSet = to
	}
	sq := [256]bool{}
	for _, b := range squeezeSet {
		sq[b] = squeeze
	}
	out := make([]byte, 0, len(data))
	for _, b := range data {
		v := table[b]
		if v < 0 || sq[v] && len(out) > 0 && out[len(out)-1] == byte(v) {
			continue
		}
		out = append(out, byte(v))
	}
	return out
}

func seq(p *kernel.Proc) int {
	nums := []int{1, 1, 1}
	a := p.Args[1:]
	var err error
	set := func(i int, t string) {
		if n, e := strconv.Atoi(t); e == nil {
			nums[i] = n
		} else {
			err = e
		}
	}
	switch len(a) {
	case 1:
		set(2, a[0])
	case 2:
		set(0, a[0])
		set(2, a[1])
	case 3:
		set(0, a[0])
		set(1, a[1])
		set(2, a[2])
	}
	if err != nil || len(a) == 0 || len(a) > 3 || nums[1] == 0 {
		return p.Failf("invalid arguments")
	}
	w := out(p)
	defer w.Flush()
	for i := nums[0]; nums[1] > 0 && i <= nums[2] || nums[1] < 0 && i >= nums[2]; i += nums[1] {
		fmt.Fprintln(w, i)
	}
	return 0
}

func yes(p *kernel.Proc) int {
	word := "y"
	if len(p.Args) > 1 {
		word = strings.Join(p.Args[1:], " ")
	}
	for !p.Dead() {
		if _, err := io.WriteString(p.Stdout(), word+"\n"); err != nil {
			return 1
		}
	}
	return 0
}

func readAll(p *kernel.Proc, name string) ([]byte, error) {
	r, err := p.OpenRead(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func cmp(p *kernel.Proc) int {
	o := getopt(p, "s", map[string]byte{"silent": 's', "quiet": 's'})
	if o == nil || len(o.args) != 2 {
		return 2
	}
	a, err1 := readAll(p, o.args[0])
	b, err2 := readAll(p, o.args[1])
	for i, err := range []error{err1, err2} {
		if err != nil {
			if !o.has('s') {
				fail(p, o.args[i], err)
			}
			return 2
		}
	}
	if string(a) == string(b) {
		return 0
	}
	if !o.has('s') {
		p.Printf("%s %s differ\n", o.args[0], o.args[1])
	}
	return 1
}

// diff knows only whether two files differ (-q, and plain use inside a condition).
func diff(p *kernel.Proc) int {
	o := getopt(p, "q", map[string]byte{"brief": 'q'})
	if o == nil || len(o.args) != 2 {
		return 2
	}
	a, err1 := readAll(p, o.args[0])
	b, err2 := readAll(p, o.args[1])
	if err1 != nil || err2 != nil {
		p.Failf("cannot read %s or %s", o.args[0], o.args[1])
		return 2
	}
	if string(a) == string(b) {
		return 0
	}
	p.Printf("Files %s and %s differ\n", o.args[0], o.args[1])
	return 1
}

func paste(p *kernel.Proc) int {
	o := getopt(p, "sd:", nil)
	if o == nil || !o.has('s') {
		return 2
	}
	d := "\t"
	if o.has('d') {
		d = o.val['d']
	}
	return each(p, o.args, func(_ string, r io.Reader) { p.Printf("%s\n", strings.Join(allLines(r), d)) })
}

func fold(p *kernel.Proc) int {
	o := getopt(p, "sw:", nil)
	if o == nil {
		return 2
	}
	width := 80
	if o.has('w') {
		width, _ = strconv.Atoi(o.val['w'])
	}
	return each(p, o.args, func(_ string, r io.Reader) {
		lines(r, func(l string, _ bool) bool { p.Printf("%s\n", strings.Join(Fold(l, width), "\n")); return true })
	})
}

// Fold breaks a line after blanks so that no part is longer than width (fold -s).
func Fold(l string, width int) []string {
	var out []string
	for len(l) > width {
		at := strings.LastIndexByte(l[:width], ' ') + 1
		if at <= 0 {
			at = width
		}
		out = append(out, l[:at])
		l = l[at:]
	}
	return append(out, l)
}

func nl(p *kernel.Proc) int {
	n := 0
	return each(p, p.Args[1:], func(_ string, r io.Reader) {
		lines(r, func(l string, _ bool) bool { n++; p.Printf("%6d\t%s\n", n, l); return true })
	})
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
