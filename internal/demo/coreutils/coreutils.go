// Package coreutils holds the embedded guest's everyday programs (cat, ls, grep, sed, …) as Go functions over
// the tree of its processes. An option that a program here does not know ends in exit status 2 and a message,
// so that a script's unsupported use is noticed and never silently misread.
package coreutils

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"sort"
	"strconv"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/demo/kernel"
	"github.com/boxdoctor/boxdoctor/internal/demo/memfs"
)

// Programs maps program names to what they do.
func Programs() map[string]kernel.Program {
	return map[string]kernel.Program{
		"cat": cat, "head": head, "tail": tail, "wc": wc, "tee": tee, "tac": tac, "cut": cut, "tr": tr, "sort": sortProg,
		"uniq": uniq, "grep": grep, "egrep": grep, "fgrep": grep, "sed": sed, "seq": seq, "yes": yes, "cmp": cmp, "diff": diff,
		"paste": paste, "fold": fold, "nl": nl,
		"ls": ls, "stat": stat, "readlink": readlink, "find": find, "du": du, "df": df, "basename": basename, "dirname": dirname,
		"pwd": pwd, "cp": cp, "mv": mv, "rm": rm, "mkdir": mkdir, "rmdir": rmdir, "ln": ln, "touch": touch, "chmod": chmod,
		"chown": chown, "chgrp": chown, "mktemp": mktemp, "install": install, "truncate": truncate, "test": test, "[": test,
		"sha256sum": sum, "sha1sum": sum, "md5sum": sum, "cksum": sum, "od": od, "dd": dd, "base64": b64,
		"true": func(*kernel.Proc) int { return 0 }, "false": func(*kernel.Proc) int { return 1 }, "sync": func(*kernel.Proc) int { return 0 },
		"echo": echo, "printf": printf, "sleep": sleep, "timeout": timeout, "env": env, "printenv": printenv, "nohup": nohup,
		"setsid": setsid, "nice": nice, "ionice": nice, "xargs": xargs, "date": date, "tty": tty, "which": which, "expr": expr,
		"ps": ps, "pgrep": pgrep, "pkill": pgrep, "pidof": pidof, "kill": kill, "id": id, "whoami": whoami, "logname": whoami,
		"groups": groups, "logger": logger,
	}
}

// Dir is where a program's file lies in an EL6 tree.
func Dir(name string) string {
	switch name {
	case "cat", "ls", "cp", "mv", "rm", "mkdir", "rmdir", "ln", "touch", "chmod", "chown", "chgrp", "mktemp", "grep", "egrep", "fgrep",
		"sed", "sort", "cut", "df", "date", "dd", "echo", "true", "false", "sync", "sleep", "env", "kill", "ps", "pwd", "readlink",
		"basename", "mount", "umount", "hostname", "uname", "rpm", "sh", "bash", "dmesg", "findmnt", "mountpoint":
		return "/bin"
	}
	return "/usr/bin"
}

// opts is a parsed command line.
type opts struct {
	flag map[byte]int
	val  map[byte]string
	all  map[byte][]string
	args []string
}

func (o *opts) has(c byte) bool { return o.flag[c] > 0 }

// getopt parses like getopt_long. spec lists letters, a colon after one that takes a value; a leading plus
// stops at the first operand. long maps names to a letter of spec. Nil: an unknown option was reported.
func getopt(p *kernel.Proc, spec string, long map[string]byte) *opts {
	o := &opts{flag: map[byte]int{}, val: map[byte]string{}, all: map[byte][]string{}}
	stop := strings.HasPrefix(spec, "+")
	args := p.Args[1:]
	for len(args) > 0 {
		a := args[0]
		args = args[1:]
		switch {
		case a == "--":
			o.args = append(o.args, args...)
			return o
		case strings.HasPrefix(a, "--"):
			if args = o.long(p, spec, long, a[2:], args); args == nil {
				return nil
			}
		case len(a) > 1 && a[0] == '-':
			if args = o.short(p, spec, a[1:], args); args == nil {
				return nil
			}
		case stop:
			o.args = append(append(o.args, a), args...)
			return o
		default:
			o.args = append(o.args, a)
		}
	}
	return o
}

func takesValue(spec string, c byte) (known, val bool) {
	i := strings.IndexByte(spec, c)
	if i < 0 || c == ':' || c == '+' {
		return false, false
	}
	return true, i+1 < len(spec) && spec[i+1] == ':'
}

func (o *opts) set(c byte, v string) {
	o.flag[c]++
	o.val[c] = v
	o.all[c] = append(o.all[c], v)
}

// short parses a bundle of letters; nil reports a mistake.
func (o *opts) short(p *kernel.Proc, spec, bundle string, args []string) []string {
	if args == nil {
		args = []string{}
	}
	for i := 0; i < len(bundle); i++ {
		known, val := takesValue(spec, bundle[i])
		switch {
		case !known:
			p.Failf("invalid option -- '%c' (not supported by the embedded guest)", bundle[i])
			return nil
		case val && i+1 < len(bundle):
			o.set(bundle[i], bundle[i+1:])
			return args
		case val && len(args) == 0:
			p.Failf("option requires an argument -- '%c'", bundle[i])
			return nil
		case val:
			o.set(bundle[i], args[0])
			return args[1:]
		}
		o.set(bundle[i], "")
	}
	return args
}

func (o *opts) long(p *kernel.Proc, spec string, long map[string]byte, a string, args []string) []string {
	name, v, has := strings.Cut(a, "=")
	c, ok := long[name]
	if !ok {
		p.Failf("unrecognized option '--%s' (not supported by the embedded guest)", a)
		return nil
	}
	if args == nil {
		args = []string{}
	}
	if _, val := takesValue(spec, c); val && !has {
		if len(args) == 0 {
			p.Failf("option '--%s' requires an argument", name)
			return nil
		}
		v, args = args[0], args[1:]
	}
	o.set(c, v)
	return args
}

func fail(p *kernel.Proc, what string, err error) int {
	return p.Failf("%s: %s", what, memfs.Text(err))
}

// each opens every named file, or standard input when there is none, and runs f on it.
func each(p *kernel.Proc, names []string, f func(name string, r io.Reader)) int {
	if len(names) == 0 {
		names = []string{"-"}
	}
	st := 0
	for _, name := range names {
		r, err := p.OpenRead(name)
		if err != nil {
			st = fail(p, name, err)
			continue
		}
		if in, err := p.K.FS.Stat(p.Cred, p.Abs(name)); name != "-" && err == nil && in.IsDir() {
			st = p.Failf("%s: Is a directory", name)
		} else {
			f(name, r)
		}
		r.Close()
	}
	return st
}

// lines calls f with every line, without its newline; last says that it had none.
func lines(r io.Reader, f func(line string, last bool) bool) {
	br := bufio.NewReaderSize(r, 32<<10)
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			if line != "" {
				f(line, true)
			}
			return
		}
		if !f(line[:len(line)-1], false) {
			return
		}
	}
}

func allLines(r io.Reader) []string {
	var out []string
	lines(r, func(l string, _ bool) bool { out = append(out, l); return true })
	return out
}

// out is buffered standard output.
func out(p *kernel.Proc) *bufio.Writer { return bufio.NewWriterSize(p.Stdout(), 32<<10) }

func cat(p *kernel.Proc) int {
	o := getopt(p, "nuAev", nil)
	if o == nil {
		return 2
	}
	n := 0
	return each(p, o.args, func(_ string, r io.Reader) {
		if !o.has('n') {
			io.Copy(p.Stdout(), r)
			return
		}
		w := out(p)
		defer w.Flush()
		lines(r, func(l string, _ bool) bool { n++; fmt.Fprintf(w, "%6d\t%s\n", n, l); return true })
	})
}

func tac(p *kernel.Proc) int {
	return each(p, p.Args[1:], func(_ string, r io.Reader) {
		w := out(p)
		defer w.Flush()
		all := allLines(r)
		for i := len(all) - 1; i >= 0; i-- {
			fmt.Fprintln(w, all[i])
		}
	})
}

// oldCount turns `head -5` into `head -n 5`.
func oldCount(p *kernel.Proc) {
	for i, a := range p.Args {
		if i > 0 && len(a) > 1 && a[0] == '-' && isDigits(a[1:]) {
			p.SetArgs(append(append(append([]string{}, p.Args[:i]...), "-n", a[1:]), p.Args[i+1:]...))
			return
		}
	}
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// size reads a count such as 10, 4k or 2M.
func size(t string) (int64, bool) {
	unit := int64(1)
	for suffix, u := range map[string]int64{"k": 1 << 10, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "c": 1} {
		if rest, ok := strings.CutSuffix(t, suffix); ok {
			t, unit = rest, u
		}
	}
	n, err := strconv.ParseInt(t, 10, 64)
	return n * unit, err == nil
}

func head(p *kernel.Proc) int {
	oldCount(p)
	o := getopt(p, "n:c:q", map[string]byte{"lines": 'n', "bytes": 'c'})
	if o == nil {
		return 2
	}
	n, ok := int64(10), true
	if o.has('n') {
		n, ok = size(o.val['n'])
	}
	if o.has('c') {
		n, ok = size(o.val['c'])
	}
	if !ok {
		return p.Failf("invalid number of lines or bytes: '%s%s'", o.val['n'], o.val['c'])
	}
	return each(p, o.args, func(_ string, r io.Reader) {
		if o.has('c') {
			io.CopyN(p.Stdout(), r, n)
			return
		}
		headLines(p, r, n)
	})
}

func headLines(p *kernel.Proc, r io.Reader, n int64) {
	w := out(p)
	defer w.Flush()
	if n < 0 {
		all := allLines(r)
		for _, l := range all[:max(0, len(all)+int(n))] {
			fmt.Fprintln(w, l)
		}
		return
	}
	if n == 0 {
		return
	}
	lines(r, func(l string, last bool) bool {
		w.WriteString(l)
		if !last {
			w.WriteByte('\n')
		}
		n--
		return n > 0
	})
}

func tail(p *kernel.Proc) int {
	oldCount(p)
	o := getopt(p, "n:c:qf", map[string]byte{"lines": 'n', "bytes": 'c'})
	if o == nil || o.has('f') {
		return 2
	}
	spec, bytesMode := "10", o.has('c')
	if o.has('n') {
		spec = o.val['n']
	}
	if bytesMode {
		spec = o.val['c']
	}
	from := strings.HasPrefix(spec, "+")
	n, ok := size(strings.TrimLeft(spec, "+-"))
	if !ok {
		return p.Failf("invalid number: '%s'", spec)
	}
	return each(p, o.args, func(_ string, r io.Reader) {
		data, _ := io.ReadAll(r)
		if bytesMode {
			p.Stdout().Write(tailBytes(data, from, n))
			return
		}
		p.Stdout().Write(tailLines(data, from, n))
	})
}

func tailBytes(data []byte, from bool, n int64) []byte {
	if from {
		return data[min(int64(len(data)), max(0, n-1)):]
	}
	return data[max(0, int64(len(data))-n):]
}

func tailLines(data []byte, from bool, n int64) []byte {
	all := bytes.SplitAfter(data, []byte("\n"))
	if len(all[len(all)-1]) == 0 {
		all = all[:len(all)-1]
	}
	start := max(0, int64(len(all))-n)
	if from {
		start = min(int64(len(all)), max(0, n-1))
	}
	return bytes.Join(all[start:], nil)
}

func wc(p *kernel.Proc) int {
	o := getopt(p, "lwcm", nil)
	if o == nil {
		return 2
	}
	return each(p, o.args, func(name string, r io.Reader) {
		data, _ := io.ReadAll(r)
		var cols []string
		add := func(c byte, n int) {
			if o.has(c) || len(o.flag) == 0 {
				cols = append(cols, strconv.Itoa(n))
			}
		}
		add('l', bytes.Count(data, []byte("\n")))
		add('w', len(bytes.Fields(data)))
		add('c', len(data))
		if name != "-" {
			cols = append(cols, name)
		}
		p.Printf("%s\n", strings.Join(cols, " "))
	})
}

func tee(p *kernel.Proc) int {
	o := getopt(p, "ai", nil)
	if o == nil {
		return 2
	}
	mode := memfs.OTrunc
	if o.has('a') {
		mode = memfs.OAppend
	}
	ws := []io.Writer{p.Stdout()}
	st := 0
	for _, name := range o.args {
		w, err := p.OpenWrite(name, mode, 0o666)
		if err != nil {
			st = fail(p, name, err)
			continue
		}
		defer w.Close()
		ws = append(ws, w)
	}
	if _, err := io.Copy(io.MultiWriter(ws...), p.Stdin()); err != nil && !p.Dead() {
		st = fail(p, "write error", err)
	}
	return st
}

func uniq(p *kernel.Proc) int {
	o := getopt(p, "cdu", nil)
	if o == nil {
		return 2
	}
	return each(p, o.args, func(_ string, r io.Reader) {
		w := out(p)
		defer w.Flush()
		all := allLines(r)
		for i := 0; i < len(all); {
			j := i
			for j < len(all) && all[j] == all[i] {
				j++
			}
			switch {
			case o.has('d') && j-i < 2, o.has('u') && j-i > 1:
			case o.has('c'):
				fmt.Fprintf(w, "%7d %s\n", j-i, all[i])
			default:
				fmt.Fprintln(w, all[i])
			}
			i = j
		}
	})
}

func sortProg(p *kernel.Proc) int {
	o := getopt(p, "nruVt:k:bsfo:", nil)
	if o == nil {
		return 2
	}
	var all []string
	st := each(p, o.args, func(_ string, r io.Reader) { all = append(all, allLines(r)...) })
	less := lessBy(o)
	sort.SliceStable(all, func(i, j int) bool {
		if o.has('r') {
			return less(all[j], all[i])
		}
		return less(all[i], all[j])
	})
	w := out(p)
	defer w.Flush()
	for i, l := range all {
		if o.has('u') && i > 0 && !less(all[i-1], l) && !less(l, all[i-1]) {
			continue
		}
		fmt.Fprintln(w, l)
	}
	return st
}

func lessBy(o *opts) func(a, b string) bool {
	key := func(l string) string { return l }
	mode := o.val['k']
	if o.has('k') {
		field := sortKey(mode)
		key = func(l string) string {
			var f []string
			if o.has('t') {
				f = strings.Split(l, o.val['t'])
			} else {
				f = strings.Fields(l)
			}
			if field > len(f) {
				return ""
			}
			return strings.Join(f[field-1:], " ")
		}
	}
	switch {
	case o.has('n') || strings.Contains(mode, "n"):
		return func(a, b string) bool { return leadingNumber(key(a)) < leadingNumber(key(b)) }
	case o.has('V') || strings.Contains(mode, "V"):
		return func(a, b string) bool { return VersionLess(key(a), key(b)) }
	}
	return func(a, b string) bool { return key(a) < key(b) }
}

func sortKey(spec string) int {
	n := 0
	for _, c := range spec {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + int(c-'0')
	}
	return max(1, n)
}

func leadingNumber(t string) float64 {
	t = strings.TrimSpace(t)
	end := 0
	for end < len(t) && (t[end] >= '0' && t[end] <= '9' || t[end] == '.' || end == 0 && t[end] == '-') {
		end++
	}
	f, _ := strconv.ParseFloat(t[:end], 64)
	return f
}

// VersionLess compares as `sort -V`: numbers by value, the rest by bytes.
func VersionLess(a, b string) bool {
	for a != "" && b != "" {
		na, nb := digitsOf(a), digitsOf(b)
		if na > 0 && nb > 0 {
			x, y := strings.TrimLeft(a[:na], "0"), strings.TrimLeft(b[:nb], "0")
			if x != y {
				return len(x) < len(y) || len(x) == len(y) && x < y
			}
			a, b = a[na:], b[nb:]
			continue
		}
		if a[0] != b[0] {
			return a[0] < b[0]
		}
		a, b = a[1:], b[1:]
	}
	return a == "" && b != ""
}

func digitsOf(t string) int { return len(t) - len(strings.TrimLeft(t, "0123456789")) }

func modeString(m fs.FileMode) string {
	b := []byte("----------")
	switch {
	case m.IsDir():
		b[0] = 'd'
	case m&fs.ModeSymlink != 0:
		b[0] = 'l'
	case m&fs.ModeCharDevice != 0:
		b[0] = 'c'
	}
	for i := range 9 {
		if m&(1<<uint(8-i)) != 0 {
			b[i+1] = "rwx"[i%3]
		}
	}
	special := func(bit fs.FileMode, at int, set, unset byte) {
		if m&bit == 0 {
			return
		}
		if b[at] == 'x' {
			b[at] = set
		} else {
			b[at] = unset
		}
	}
	special(fs.ModeSetuid, 3, 's', 'S')
	special(fs.ModeSetgid, 6, 's', 'S')
	special(fs.ModeSticky, 9, 't', 'T')
	return string(b)
}

// octal is the mode as `stat -c %a` prints it.
func octal(m fs.FileMode) string {
	n := uint32(m.Perm())
	if m&fs.ModeSetuid != 0 {
		n |= 0o4000
	}
	if m&fs.ModeSetgid != 0 {
		n |= 0o2000
	}
	if m&fs.ModeSticky != 0 {
		n |= 0o1000
	}
	return strconv.FormatUint(uint64(n), 8)
}

// names reads a name database of the tree (passwd or group): fields of each line.
func names(p *kernel.Proc, file string) [][]string {
	data, _ := p.K.FS.ReadFile(memfs.Root, file)
	var out [][]string
	for _, l := range strings.Split(string(data), "\n") {
		if f := strings.Split(l, ":"); len(f) > 2 {
			out = append(out, f)
		}
	}
	return out
}

func nameOf(p *kernel.Proc, file string, id int) string {
	for _, f := range names(p, file) {
		if f[2] == strconv.Itoa(id) {
			return f[0]
		}
	}
	return strconv.Itoa(id)
}

func idOf(p *kernel.Proc, file, name string) (int, bool) {
	for _, f := range names(p, file) {
		if f[0] == name {
			n, err := strconv.Atoi(f[2])
			return n, err == nil
		}
	}
	n, err := strconv.Atoi(name)
	return n, err == nil
}
