package coreutils

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/demo/kernel"
	"github.com/boxdoctor/boxdoctor/internal/demo/memfs"
)

// finder is one run of find: an expression of tests joined by -a, -o, ! and parentheses.
type finder struct {
	p        *kernel.Proc
	args     []string
	min, max int
	acts     bool
	prune    bool
	depth    bool
	bad      string
	batch    map[string][]string // -exec … + : command text to found names
	batchCmd map[string][]string
	st       int
}

type findExpr func(name string, in *memfs.Info) bool

func find(p *kernel.Proc) int {
	f := &finder{p: p, max: 1 << 30, batch: map[string][]string{}, batchCmd: map[string][]string{}}
	args := p.Args[1:]
	for len(args) > 0 && (args[0] == "-H" || args[0] == "-P") {
		args = args[1:]
	}
	var roots []string
	for len(args) > 0 && !strings.HasPrefix(args[0], "-") && args[0] != "!" && args[0] != "(" {
		roots, args = append(roots, args[0]), args[1:]
	}
	if len(roots) == 0 {
		roots = []string{"."}
	}
	f.args = args
	e := f.or()
	if f.bad == "" && len(f.args) > 0 {
		f.bad = f.args[0]
	}
	if f.bad != "" {
		p.Failf("unknown or unsupported predicate `%s'", f.bad)
		return 2
	}
	for _, r := range roots {
		f.visit(e, r, 0)
	}
	for key, names := range f.batch {
		if st := p.Run(append(append([]string{}, f.batchCmd[key]...), names...), nil); st != 0 {
			f.st = 1
		}
	}
	return f.st
}

func (f *finder) visit(e findExpr, name string, level int) {
	in, err := f.p.K.FS.Lstat(f.p.Cred, f.p.Abs(name))
	if err != nil {
		f.st = f.p.Failf("`%s': %s", name, memfs.Text(err))
		return
	}
	f.prune = false
	if !f.depth {
		f.match(e, name, in, level)
	}
	if in.IsDir() && level < f.max && !f.prune {
		list, err := f.p.K.FS.ReadDir(f.p.Cred, f.p.Abs(name))
		if err != nil {
			f.st = f.p.Failf("`%s': %s", name, memfs.Text(err))
		}
		for _, k := range list {
			f.visit(e, strings.TrimSuffix(name, "/")+"/"+k.Name(), level+1)
		}
	}
	if f.depth {
		f.match(e, name, in, level)
	}
}

func (f *finder) match(e findExpr, name string, in *memfs.Info, level int) {
	if level >= f.min && e(name, in) && !f.acts {
		f.p.Printf("%s\n", name)
	}
}

func (f *finder) next() string {
	if len(f.args) == 0 {
		return ""
	}
	a := f.args[0]
	f.args = f.args[1:]
	return a
}

func (f *finder) or() findExpr {
	e := f.and()
	for len(f.args) > 0 && (f.args[0] == "-o" || f.args[0] == "-or") {
		f.args = f.args[1:]
		a, b := e, f.and()
		e = func(n string, in *memfs.Info) bool { return a(n, in) || b(n, in) }
	}
	return e
}

func (f *finder) and() findExpr {
	e := findExpr(func(string, *memfs.Info) bool { return true })
	for len(f.args) > 0 && f.args[0] != "-o" && f.args[0] != "-or" && f.args[0] != ")" && f.bad == "" {
		if f.args[0] == "-a" || f.args[0] == "-and" {
			f.args = f.args[1:]
		}
		a, b := e, f.primary()
		e = func(n string, in *memfs.Info) bool { return a(n, in) && b(n, in) }
	}
	return e
}

func yesExpr(string, *memfs.Info) bool { return true }

func (f *finder) primary() findExpr {
	switch a := f.next(); a {
	case "!", "-not":
		e := f.primary()
		return func(n string, in *memfs.Info) bool { return !e(n, in) }
	case "(":
		e := f.or()
		if f.next() != ")" {
			f.bad = "("
		}
		return e
	case "-maxdepth":
		f.max, _ = strconv.Atoi(f.next())
	case "-mindepth":
		f.min, _ = strconv.Atoi(f.next())
	case "-depth":
		f.depth = true
	case "-xdev", "-mount":
		return yesExpr
	case "-prune":
		return func(string, *memfs.Info) bool { f.prune = true; return true }
	case "-name", "-iname", "-path", "-type", "-newer", "-mtime", "-mmin", "-empty", "-user", "-perm", "-size":
		return f.test(a)
	case "-print", "-print0", "-delete", "-exec", "-quit":
		f.acts = true
		return f.action(a)
	default:
		f.bad = a
	}
	return yesExpr
}

func (f *finder) test(a string) findExpr {
	if a == "-empty" {
		return func(n string, in *memfs.Info) bool {
			list, _ := f.p.K.FS.ReadDir(f.p.Cred, f.p.Abs(n))
			return in.IsDir() && len(list) == 0 || in.Mode().IsRegular() && in.Size() == 0
		}
	}
	v := f.next()
	switch a {
	case "-name", "-iname":
		return func(n string, _ *memfs.Info) bool { return globMatch(v, path.Base(n), a == "-iname") }
	case "-path":
		return func(n string, _ *memfs.Info) bool { return globMatch(strings.ReplaceAll(v, "*", "**"), n, false) }
	case "-type":
		return func(_ string, in *memfs.Info) bool { return strings.Contains(v, typeLetter(in.Mode())) }
	case "-newer":
		ref, err := f.p.K.FS.Stat(f.p.Cred, f.p.Abs(v))
		if err != nil {
			f.bad = "-newer " + v
			return yesExpr
		}
		return func(_ string, in *memfs.Info) bool { return in.ModTime().After(ref.ModTime()) }
	case "-mtime", "-mmin":
		unit := 24 * time.Hour
		if a == "-mmin" {
			unit = time.Minute
		}
		return func(_ string, in *memfs.Info) bool { return compare(v, int(f.p.Now().Sub(in.ModTime())/unit)) }
	case "-user":
		uid, _ := idOf(f.p, "/etc/passwd", v)
		return func(_ string, in *memfs.Info) bool { return in.UID == uid }
	}
	f.bad = a
	return yesExpr
}

func compare(spec string, n int) bool {
	v, _ := strconv.Atoi(strings.TrimLeft(spec, "+-"))
	switch {
	case strings.HasPrefix(spec, "+"):
		return n > v
	case strings.HasPrefix(spec, "-"):
		return n < v
	}
	return n == v
}

func typeLetter(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "d"
	case m&fs.ModeSymlink != 0:
		return "l"
	case m&fs.ModeCharDevice != 0:
		return "c"
	}
	return "f"
}

// globMatch matches a pattern of find; "**" also crosses slashes.
func globMatch(pat, name string, fold bool) bool {
	if fold {
		pat, name = strings.ToLower(pat), strings.ToLower(name)
	}
	if strings.Contains(pat, "**") {
		head, rest, _ := strings.Cut(pat, "**")
		if len(head) > len(name) {
			return false
		}
		for i := 0; i <= len(name); i++ {
			if ok, _ := path.Match(head, name[:i]); ok {
				for j := i; j <= len(name); j++ {
					if globMatch(rest, name[j:], false) {
						return true
					}
				}
			}
		}
		return false
	}
	ok, err := path.Match(strings.ReplaceAll(pat, "[!", "[^"), name)
	return ok && !errors.Is(err, path.ErrBadPattern)
}

func (f *finder) action(a string) findExpr {
	switch a {
	case "-print":
		return func(n string, _ *memfs.Info) bool { f.p.Printf("%s\n", n); return true }
	case "-print0":
		return func(n string, _ *memfs.Info) bool { f.p.Printf("%s\x00", n); return true }
	case "-quit":
		return func(string, *memfs.Info) bool { f.max = -1; return true }
	case "-delete":
		f.depth = true
		return func(n string, _ *memfs.Info) bool {
			if err := f.p.K.FS.Remove(f.p.Cred, f.p.Abs(n)); err != nil {
				f.st = f.p.Failf("cannot delete `%s': %s", n, memfs.Text(err))
				return false
			}
			return true
		}
	}
	return f.exec()
}

func (f *finder) exec() findExpr {
	var cmd []string
	for {
		a := f.next()
		if a == ";" || a == "+" && len(cmd) > 0 && cmd[len(cmd)-1] == "{}" || a == "" {
			if a == "+" {
				return f.collect(cmd[:len(cmd)-1])
			}
			break
		}
		cmd = append(cmd, a)
	}
	return func(n string, _ *memfs.Info) bool {
		argv := make([]string, len(cmd))
		for i, c := range cmd {
			argv[i] = strings.ReplaceAll(c, "{}", n)
		}
		return f.p.Run(argv, nil) == 0
	}
}

func (f *finder) collect(cmd []string) findExpr {
	key := strings.Join(cmd, "\x00")
	f.batchCmd[key] = cmd
	return func(n string, _ *memfs.Info) bool { f.batch[key] = append(f.batch[key], n); return true }
}

func df(p *kernel.Proc) int {
	o := getopt(p, "PkimTha", map[string]byte{"portability": 'P', "inodes": 'i'})
	if o == nil || o.has('h') {
		return 2
	}
	args := o.args
	if len(args) == 0 {
		for _, m := range p.K.FS.Mounts() {
			if m.Vol.Size > 0 || m.Target == "/" {
				args = append(args, m.Target)
			}
		}
	}
	dfHeader(p, o)
	st := 0
	for _, a := range args {
		if _, err := p.K.FS.Stat(p.Cred, p.Abs(a)); err != nil {
			st = p.Failf("`%s': %s", a, memfs.Text(err))
			continue
		}
		dfLine(p, o, p.K.FS.MountAt(p.Cred, p.Abs(a)))
	}
	return st
}

func dfHeader(p *kernel.Proc, o *opts) {
	t := ""
	if o.has('T') {
		t = " Type"
	}
	if o.has('i') {
		p.Printf("Filesystem%s Inodes IUsed IFree IUse%% Mounted on\n", t)
		return
	}
	unit := "1024-blocks"
	if o.has('m') {
		unit = "1048576-blocks"
	}
	p.Printf("Filesystem%s %s Used Available Capacity Mounted on\n", t, unit)
}

func dfLine(p *kernel.Proc, o *opts, m memfs.Mount) {
	u := p.K.FS.Usage(m.Vol)
	t := ""
	if o.has('T') {
		t = " " + m.Vol.FSType
	}
	if o.has('i') {
		if u.Inodes == 0 {
			p.Printf("%s%s 0 0 0 - %s\n", m.Source, t, m.Target)
			return
		}
		p.Printf("%s%s %d %d %d %d%% %s\n", m.Source, t, u.Inodes, u.InodesUsed, u.InodesFree, percent(u.InodesUsed, u.Inodes), m.Target)
		return
	}
	div := int64(1024)
	if o.has('m') {
		div = 1 << 20
	}
	p.Printf("%s%s %d %d %d %d%% %s\n", m.Source, t, u.Size/div, u.Used/div, u.Free/div, percent(u.Used, u.Size), m.Target)
}

func percent(a, b int64) int64 {
	if b == 0 {
		return 0
	}
	return min(100, (a*100+b-1)/b)
}

func du(p *kernel.Proc) int {
	o := getopt(p, "skmbx", map[string]byte{"summarize": 's', "bytes": 'b'})
	if o == nil {
		return 2
	}
	for _, a := range o.args {
		total := int64(0)
		err := walk(p, a, true, func(_ string, in *memfs.Info) error {
			n := in.Size()
			if !o.has('b') {
				n = (n + 4095) / 4096 * 4096
			}
			total += n
			return nil
		})
		if err != nil {
			return p.Failf("cannot access `%s': %s", a, memfs.Text(err))
		}
		switch {
		case o.has('b'):
		case o.has('m'):
			total = (total + 1<<20 - 1) >> 20
		default:
			total /= 1024
		}
		p.Printf("%d\t%s\n", total, a)
	}
	return 0
}

func dd(p *kernel.Proc) int {
	val := map[string]string{}
	for _, a := range p.Args[1:] {
		k, v, ok := strings.Cut(a, "=")
		if !ok || !strings.Contains(" if of bs count skip conv status ", " "+k+" ") {
			p.Failf("unrecognized operand `%s'", a)
			return 2
		}
		val[k] = v
	}
	bs, count, skip := int64(512), int64(-1), int64(0)
	for k, n := range map[string]*int64{"bs": &bs, "count": &count, "skip": &skip} {
		if val[k] != "" {
			v, ok := size(val[k])
			if !ok {
				return p.Failf("invalid number `%s'", val[k])
			}
			*n = v
		}
	}
	return ddCopy(p, val, bs, count, skip)
}

func ddCopy(p *kernel.Proc, val map[string]string, bs, count, skip int64) int {
	var r io.Reader = p.Stdin()
	if val["if"] != "" {
		f, err := p.OpenRead(val["if"])
		if err != nil {
			return p.Failf("opening `%s': %s", val["if"], memfs.Text(err))
		}
		defer f.Close()
		r = f
	}
	w := p.Stdout()
	if val["of"] != "" {
		mode := memfs.OTrunc
		if strings.Contains(val["conv"], "notrunc") {
			mode = 0
		}
		f, err := p.OpenWrite(val["of"], mode, 0o666)
		if err != nil {
			return p.Failf("opening `%s': %s", val["of"], memfs.Text(err))
		}
		defer f.Close()
		w = f
	}
	if _, err := io.CopyN(io.Discard, r, skip*bs); err != nil && err != io.EOF {
		return fail(p, "reading", err)
	}
	limit := int64(1 << 40)
	if count >= 0 {
		limit = count * bs
	}
	n, err := io.CopyN(w, r, limit)
	if err != nil && err != io.EOF {
		return fail(p, "writing `"+val["of"]+"'", err)
	}
	if val["status"] != "none" {
		p.Errorf("%d+0 records in\n%d+0 records out\n%d bytes copied\n", (n+bs-1)/bs, (n+bs-1)/bs, n)
	}
	return 0
}
