package coreutils

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/demo/kernel"
	"github.com/boxdoctor/boxdoctor/internal/demo/memfs"
)

func ls(p *kernel.Proc) int {
	o := getopt(p, "ldaA1nitrLZhFpSR", map[string]byte{"directory": 'd'})
	if o == nil || o.has('R') || o.has('Z') {
		return 2
	}
	args := o.args
	if len(args) == 0 {
		args = []string{"."}
	}
	st := 0
	var files []string
	var dirs []string
	for _, a := range args {
		in, err := p.K.FS.Lstat(p.Cred, p.Abs(a))
		if err == nil && (o.has('L') || !o.has('l') && !o.has('d')) {
			if target, e := p.K.FS.Stat(p.Cred, p.Abs(a)); e == nil {
				in = target
			}
		}
		switch {
		case err != nil:
			p.Errorf("ls: cannot access %s: %s\n", a, memfs.Text(err))
			st = 2
		case in.IsDir() && !o.has('d'):
			dirs = append(dirs, a)
		default:
			files = append(files, a)
		}
	}
	l := &lister{p: p, o: o}
	l.show("", files)
	for i, d := range dirs {
		if len(args) > 1 {
			if i > 0 || len(files) > 0 {
				p.Printf("\n")
			}
			p.Printf("%s:\n", d)
		}
		if err := l.dir(d); err != nil {
			p.Errorf("ls: cannot open directory %s: %s\n", d, memfs.Text(err))
			st = 2
		}
	}
	return st
}

type lister struct {
	p *kernel.Proc
	o *opts
}

func (l *lister) dir(d string) error {
	list, err := l.p.K.FS.ReadDir(l.p.Cred, l.p.Abs(d))
	if err != nil {
		return err
	}
	var names []string
	if l.o.has('a') {
		names = append(names, ".", "..")
	}
	for _, in := range list {
		if !strings.HasPrefix(in.Name(), ".") || l.o.has('a') || l.o.has('A') {
			names = append(names, in.Name())
		}
	}
	if l.o.has('l') {
		l.p.Printf("total %d\n", 4*len(list))
	}
	l.show(d, names)
	return nil
}

func (l *lister) show(dir string, names []string) {
	if l.o.has('t') {
		l.byTime(dir, names)
	}
	if l.o.has('r') {
		for i, j := 0, len(names)-1; i < j; i, j = i+1, j-1 {
			names[i], names[j] = names[j], names[i]
		}
	}
	for _, n := range names {
		full := l.p.Abs(n)
		if dir != "" {
			full = l.p.Abs(dir) + "/" + n
		}
		if in, err := l.p.K.FS.Lstat(l.p.Cred, full); err == nil {
			l.entry(n, full, in)
		}
	}
}

func (l *lister) byTime(dir string, names []string) {
	at := func(n string) time.Time {
		full := l.p.Abs(n)
		if dir != "" {
			full = l.p.Abs(dir) + "/" + n
		}
		in, err := l.p.K.FS.Lstat(l.p.Cred, full)
		if err != nil {
			return time.Time{}
		}
		return in.ModTime()
	}
	for i := 1; i < len(names); i++ {
		for j := i; j > 0 && at(names[j]).After(at(names[j-1])); j-- {
			names[j], names[j-1] = names[j-1], names[j]
		}
	}
}

func (l *lister) entry(name, full string, in *memfs.Info) {
	if l.o.has('L') {
		if target, err := l.p.K.FS.Stat(l.p.Cred, full); err == nil {
			in = target
		}
	}
	if l.o.has('i') {
		l.p.Printf("%d ", in.Ino)
	}
	if !l.o.has('l') && !l.o.has('n') {
		l.p.Printf("%s\n", name)
		return
	}
	user, group := nameOf(l.p, "/etc/passwd", in.UID), nameOf(l.p, "/etc/group", in.GID)
	if l.o.has('n') {
		user, group = strconv.Itoa(in.UID), strconv.Itoa(in.GID)
	}
	if in.Mode()&fs.ModeSymlink != 0 {
		target, _ := l.p.K.FS.Readlink(l.p.Cred, full)
		name += " -> " + target
	}
	l.p.Printf("%s %d %s %s %d %s %s\n", modeString(in.Mode()), in.Nlink, user, group, in.Size(), in.ModTime().Format("Jan _2 15:04"), name)
}

func stat(p *kernel.Proc) int {
	o := getopt(p, "c:L", map[string]byte{"format": 'c', "printf": 'c', "dereference": 'L'})
	if o == nil || !o.has('c') {
		p.Failf("only -c FORMAT is supported by the embedded guest")
		return 2
	}
	st := 0
	for _, a := range o.args {
		get := p.K.FS.Lstat
		if o.has('L') {
			get = p.K.FS.Stat
		}
		in, err := get(p.Cred, p.Abs(a))
		if err != nil {
			st = p.Failf("cannot stat `%s': %s", a, memfs.Text(err))
			continue
		}
		p.Printf("%s\n", statFormat(p, o.val['c'], a, in))
	}
	return st
}

func statFormat(p *kernel.Proc, format, name string, in *memfs.Info) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		b.WriteString(statField(p, format[i], name, in))
	}
	return b.String()
}

func statField(p *kernel.Proc, c byte, name string, in *memfs.Info) string {
	switch c {
	case 'a':
		return octal(in.Mode())
	case 'A':
		return modeString(in.Mode())
	case 'u':
		return strconv.Itoa(in.UID)
	case 'g':
		return strconv.Itoa(in.GID)
	case 'U':
		return nameOf(p, "/etc/passwd", in.UID)
	case 'G':
		return nameOf(p, "/etc/group", in.GID)
	case 's':
		return strconv.FormatInt(in.Size(), 10)
	case 'Y', 'X', 'Z':
		return strconv.FormatInt(in.ModTime().Unix(), 10)
	case 'y':
		return in.ModTime().Format("2006-01-02 15:04:05.000000000 -0700")
	case 'n':
		return name
	case 'h':
		return strconv.Itoa(in.Nlink)
	case 'i':
		return strconv.Itoa(in.Ino)
	case 'd':
		return "64768"
	case 'm':
		return p.K.FS.MountAt(p.Cred, p.Abs(name)).Target
	case 'F':
		return typeName(in)
	}
	return "%" + string(c)
}

func typeName(in *memfs.Info) string {
	switch m := in.Mode(); {
	case m.IsDir():
		return "directory"
	case m&fs.ModeSymlink != 0:
		return "symbolic link"
	case m&fs.ModeCharDevice != 0:
		return "character special file"
	case in.Size() == 0:
		return "regular empty file"
	}
	return "regular file"
}

func readlink(p *kernel.Proc) int {
	o := getopt(p, "efmnqsv", map[string]byte{"canonicalize": 'f', "canonicalize-existing": 'e'})
	if o == nil || o.has('m') {
		return 2
	}
	st := 0
	for _, a := range o.args {
		var t string
		var err error
		if o.has('e') || o.has('f') {
			t, err = p.K.FS.Realpath(p.Cred, p.Abs(a), o.has('f') && !o.has('e'))
		} else {
			t, err = p.K.FS.Readlink(p.Cred, p.Abs(a))
		}
		if err != nil {
			st = 1
			continue
		}
		p.Printf("%s", t)
		if !o.has('n') {
			p.Printf("\n")
		}
	}
	return st
}

func basename(p *kernel.Proc) int {
	o := getopt(p, "+", nil)
	if o == nil || len(o.args) == 0 {
		return 2
	}
	b := path.Base(o.args[0])
	if len(o.args) > 1 && b != o.args[1] {
		b = strings.TrimSuffix(b, o.args[1])
	}
	p.Printf("%s\n", b)
	return 0
}

func dirname(p *kernel.Proc) int {
	o := getopt(p, "+", nil)
	if o == nil || len(o.args) == 0 {
		return 2
	}
	for _, a := range o.args {
		p.Printf("%s\n", path.Dir(strings.TrimRight(a, "/")+strings.Repeat("/", b2i(strings.Trim(a, "/") == "" && a != ""))))
	}
	return 0
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func pwd(p *kernel.Proc) int {
	p.Printf("%s\n", p.Cwd)
	return 0
}

// parseMode reads an octal or symbolic mode, relative to old.
func parseMode(t string, old fs.FileMode) (fs.FileMode, bool) {
	if n, err := strconv.ParseUint(t, 8, 16); err == nil {
		m := fs.FileMode(n & 0o777)
		for bit, flag := range map[uint64]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
			if n&bit != 0 {
				m |= flag
			}
		}
		return m, true
	}
	m := old
	for _, part := range strings.Split(t, ",") {
		i := strings.IndexAny(part, "+-=")
		if i < 0 {
			return 0, false
		}
		who := part[:i]
		if who == "" || who == "a" {
			who = "ugo"
		}
		var ok bool
		if m, ok = symbolic(m, who, part[i], part[i+1:]); !ok {
			return 0, false
		}
	}
	return m, true
}

func symbolic(m fs.FileMode, who string, op byte, perms string) (fs.FileMode, bool) {
	var bits fs.FileMode
	var area fs.FileMode
	for _, w := range who {
		shift := map[rune]uint{'u': 6, 'g': 3, 'o': 0}
		s, ok := shift[w]
		if !ok {
			return 0, false
		}
		area |= 7 << s
		for _, c := range perms {
			switch c {
			case 'r':
				bits |= 4 << s
			case 'w':
				bits |= 2 << s
			case 'x':
				bits |= 1 << s
			case 'X':
				if m.IsDir() || m&0o111 != 0 {
					bits |= 1 << s
				}
			case 's':
				bits |= map[rune]fs.FileMode{'u': fs.ModeSetuid, 'g': fs.ModeSetgid}[w]
			case 't':
				bits |= fs.ModeSticky
			default:
				return 0, false
			}
		}
	}
	switch op {
	case '+':
		return m | bits, true
	case '-':
		return m &^ bits, true
	}
	return m&^area | bits, true
}

// walk calls f for name and, with deep, everything below it; links are not followed.
func walk(p *kernel.Proc, name string, deep bool, f func(name string, in *memfs.Info) error) error {
	in, err := p.K.FS.Lstat(p.Cred, p.Abs(name))
	if err != nil {
		return err
	}
	if err := f(name, in); err != nil || !deep || !in.IsDir() {
		return err
	}
	list, err := p.K.FS.ReadDir(p.Cred, p.Abs(name))
	if err != nil {
		return err
	}
	for _, k := range list {
		if err := walk(p, strings.TrimSuffix(name, "/")+"/"+k.Name(), true, f); err != nil {
			return err
		}
	}
	return nil
}

func chmod(p *kernel.Proc) int {
	o := getopt(p, "+Rfv", nil)
	if o == nil || len(o.args) < 2 {
		return 2
	}
	st := 0
	for _, a := range o.args[1:] {
		err := walk(p, a, o.has('R'), func(name string, in *memfs.Info) error {
			if in.Mode()&fs.ModeSymlink != 0 && o.has('R') {
				return nil
			}
			if target, err := p.K.FS.Stat(p.Cred, p.Abs(name)); err == nil {
				in = target
			}
			m, ok := parseMode(o.args[0], in.Mode())
			if !ok {
				return fmt.Errorf("invalid mode: `%s'", o.args[0])
			}
			return p.K.FS.Chmod(p.Cred, p.Abs(name), m)
		})
		if err != nil {
			st = p.Failf("%s: %s", a, memfs.Text(err))
		}
	}
	return st
}

func chown(p *kernel.Proc) int {
	o := getopt(p, "+Rhfv", map[string]byte{"no-dereference": 'h'})
	if o == nil || len(o.args) < 2 {
		return 2
	}
	owner, group, hasGroup := strings.Cut(o.args[0], ":")
	if strings.HasSuffix(p.Args[0], "chgrp") {
		owner, group, hasGroup = "", o.args[0], true
	}
	uid, gid, ok := -1, -1, true
	if owner != "" {
		if uid, ok = idOf(p, "/etc/passwd", owner); !ok {
			return p.Failf("invalid user: `%s'", o.args[0])
		}
	}
	if hasGroup && group != "" {
		if gid, ok = idOf(p, "/etc/group", group); !ok {
			return p.Failf("invalid group: `%s'", o.args[0])
		}
	}
	st := 0
	for _, a := range o.args[1:] {
		err := walk(p, a, o.has('R'), func(name string, _ *memfs.Info) error {
			return p.K.FS.Chown(p.Cred, p.Abs(name), uid, gid, !o.has('h'))
		})
		if err != nil {
			st = p.Failf("changing ownership of `%s': %s", a, memfs.Text(err))
		}
	}
	return st
}

func mkdir(p *kernel.Proc) int {
	o := getopt(p, "pm:v", map[string]byte{"parents": 'p', "mode": 'm'})
	if o == nil || len(o.args) == 0 {
		return 2
	}
	st := 0
	for _, a := range o.args {
		if err := makeDir(p, o, a); err != nil {
			st = p.Failf("cannot create directory `%s': %s", a, memfs.Text(err))
		}
	}
	return st
}

func makeDir(p *kernel.Proc, o *opts, name string) error {
	full := path.Clean(p.Abs(name))
	perm := 0o777 &^ p.Umask
	if in, err := p.K.FS.Stat(p.Cred, full); err == nil && o.has('p') {
		if !in.IsDir() {
			return memfs.EEXIST
		}
		return nil
	}
	if o.has('p') {
		if err := p.K.FS.MkdirAll(p.Cred, path.Dir(full), perm); err != nil {
			return err
		}
	}
	mode := fs.FileMode(perm)
	if o.has('m') {
		m, ok := parseMode(o.val['m'], fs.ModeDir|0o777)
		if !ok {
			return fmt.Errorf("invalid mode `%s'", o.val['m'])
		}
		mode = m
	}
	if err := p.K.FS.Mkdir(p.Cred, full, mode.Perm()); err != nil {
		return err
	}
	return p.K.FS.Chmod(p.Cred, full, mode)
}

func rmdir(p *kernel.Proc) int {
	o := getopt(p, "", map[string]byte{})
	if o == nil {
		return 2
	}
	st := 0
	for _, a := range o.args {
		in, err := p.K.FS.Lstat(p.Cred, p.Abs(a))
		if err == nil && !in.IsDir() {
			err = memfs.ENOTDIR
		}
		if err == nil {
			err = p.K.FS.Remove(p.Cred, p.Abs(a))
		}
		if err != nil {
			st = p.Failf("failed to remove `%s': %s", a, memfs.Text(err))
		}
	}
	return st
}

func rm(p *kernel.Proc) int {
	o := getopt(p, "frRdiv", map[string]byte{"force": 'f', "recursive": 'r', "one-file-system": 'd'})
	if o == nil {
		return 2
	}
	deep := o.has('r') || o.has('R')
	st := 0
	for _, a := range o.args {
		in, err := p.K.FS.Lstat(p.Cred, p.Abs(a))
		switch {
		case err != nil && errors.Is(err, fs.ErrNotExist) && o.has('f'):
			continue
		case err != nil:
		case in.IsDir() && !deep:
			err = memfs.EISDIR
		case strings.Trim(a, "/.") == "":
			err = errors.New("refusing to remove `.', `..' or `/'")
		case deep:
			err = p.K.FS.RemoveAll(p.Cred, p.Abs(a))
		default:
			err = p.K.FS.Remove(p.Cred, p.Abs(a))
		}
		if err != nil {
			st = p.Failf("cannot remove `%s': %s", a, memfs.Text(err))
		}
	}
	return st
}

// into is where a copy or move of src to dst ends up: below dst when that is a folder.
func into(p *kernel.Proc, src, dst string, intoDir bool) string {
	if in, err := p.K.FS.Stat(p.Cred, p.Abs(dst)); intoDir && err == nil && in.IsDir() {
		return strings.TrimSuffix(p.Abs(dst), "/") + "/" + path.Base(src)
	}
	return p.Abs(dst)
}

func operands(p *kernel.Proc, o *opts) (srcs []string, dst string, ok bool) {
	if o.has('t') {
		return o.args, o.val['t'], len(o.args) > 0
	}
	if len(o.args) < 2 {
		p.Failf("missing file operand")
		return nil, "", false
	}
	return o.args[:len(o.args)-1], o.args[len(o.args)-1], true
}

func cp(p *kernel.Proc) int {
	o := getopt(p, "parRfnLPdTvt:", map[string]byte{"preserve": 'p', "archive": 'a', "no-clobber": 'n', "recursive": 'r', "no-target-directory": 'T'})
	if o == nil {
		return 2
	}
	srcs, dst, ok := operands(p, o)
	if !ok {
		return 1
	}
	st := 0
	for _, s := range srcs {
		if err := copyTree(p, o, s, into(p, s, dst, !o.has('T'))); err != nil {
			st = p.Failf("cannot copy `%s': %s", s, memfs.Text(err))
		}
	}
	return st
}

func copyTree(p *kernel.Proc, o *opts, src, dst string) error {
	deep := o.has('r') || o.has('R') || o.has('a')
	get := p.K.FS.Stat
	if o.has('a') || o.has('d') || o.has('P') || deep && !o.has('L') {
		get = p.K.FS.Lstat
	}
	in, err := get(p.Cred, p.Abs(src))
	if err != nil {
		return err
	}
	switch {
	case in.Mode()&fs.ModeSymlink != 0:
		t, _ := p.K.FS.Readlink(p.Cred, p.Abs(src))
		_ = p.K.FS.Remove(p.Cred, dst)
		return p.K.FS.Symlink(p.Cred, t, dst)
	case in.IsDir() && !deep:
		return errors.New("omitting directory")
	case in.IsDir():
		return copyDir(p, o, src, dst, in)
	}
	if _, err := p.K.FS.Stat(p.Cred, dst); err == nil && o.has('n') {
		return nil
	}
	return copyFile(p, o, src, dst, in)
}

func copyDir(p *kernel.Proc, o *opts, src, dst string, in *memfs.Info) error {
	if err := p.K.FS.Mkdir(p.Cred, dst, in.Mode().Perm()); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	list, err := p.K.FS.ReadDir(p.Cred, p.Abs(src))
	if err != nil {
		return err
	}
	for _, k := range list {
		if err := copyTree(p, o, src+"/"+k.Name(), dst+"/"+k.Name()); err != nil {
			return err
		}
	}
	return keep(p, o, dst, in)
}

func copyFile(p *kernel.Proc, o *opts, src, dst string, in *memfs.Info) error {
	data, err := p.K.FS.ReadFile(p.Cred, p.Abs(src))
	if err != nil {
		return err
	}
	if err := p.K.FS.WriteFile(p.Cred, dst, data, in.Mode().Perm()&^p.Umask); err != nil {
		return err
	}
	return keep(p, o, dst, in)
}

// keep gives a copy the owner, mode and time of the original, as far as the user may.
func keep(p *kernel.Proc, o *opts, dst string, in *memfs.Info) error {
	if !o.has('p') && !o.has('a') {
		return nil
	}
	_ = p.K.FS.Chown(p.Cred, dst, in.UID, in.GID, true)
	if err := p.K.FS.Chmod(p.Cred, dst, in.Mode()); err != nil {
		return err
	}
	return p.K.FS.Chtimes(p.Cred, dst, in.ModTime())
}

func mv(p *kernel.Proc) int {
	o := getopt(p, "fnTvt:", map[string]byte{"force": 'f', "no-clobber": 'n', "no-target-directory": 'T'})
	if o == nil {
		return 2
	}
	srcs, dst, ok := operands(p, o)
	if !ok {
		return 1
	}
	st := 0
	for _, s := range srcs {
		to := into(p, s, dst, !o.has('T'))
		if _, err := p.K.FS.Lstat(p.Cred, to); err == nil && o.has('n') {
			continue
		}
		if err := move(p, p.Abs(s), to); err != nil {
			st = p.Failf("cannot move `%s' to `%s': %s", s, to, memfs.Text(err))
		}
	}
	return st
}

func move(p *kernel.Proc, from, to string) error {
	err := p.K.FS.Rename(p.Cred, from, to)
	var pe *fs.PathError
	if errors.As(err, &pe) && pe.Err == error(memfs.EXDEV) {
		all := &opts{flag: map[byte]int{'a': 1}}
		if err := copyTree(p, all, from, to); err != nil {
			return err
		}
		return p.K.FS.RemoveAll(p.Cred, from)
	}
	return err
}

func ln(p *kernel.Proc) int {
	o := getopt(p, "sfnTvt:", map[string]byte{"symbolic": 's', "force": 'f', "no-dereference": 'n'})
	if o == nil {
		return 2
	}
	if !o.has('s') {
		p.Failf("hard links are not supported by the embedded guest")
		return 2
	}
	if len(o.args) == 1 {
		o.args = append(o.args, ".")
	}
	srcs, dst, ok := operands(p, o)
	if !ok {
		return 1
	}
	for _, s := range srcs {
		to := p.Abs(dst)
		in, err := p.K.FS.Lstat(p.Cred, to)
		if err != nil || !(o.has('n') || o.has('T')) || in.Mode()&fs.ModeSymlink == 0 {
			to = into(p, s, dst, !o.has('T'))
		}
		if o.has('f') {
			_ = p.K.FS.Remove(p.Cred, to)
		}
		if err := p.K.FS.Symlink(p.Cred, s, to); err != nil {
			return p.Failf("creating symbolic link `%s': %s", to, memfs.Text(err))
		}
	}
	return 0
}

func touch(p *kernel.Proc) int {
	o := getopt(p, "camr:d:t:", map[string]byte{"reference": 'r', "date": 'd', "no-create": 'c'})
	if o == nil || o.has('t') {
		return 2
	}
	when := p.Now()
	if o.has('r') {
		in, err := p.K.FS.Stat(p.Cred, p.Abs(o.val['r']))
		if err != nil {
			return fail(p, o.val['r'], err)
		}
		when = in.ModTime()
	}
	if o.has('d') {
		t, ok := parseDate(o.val['d'], p.Now())
		if !ok {
			return p.Failf("invalid date format `%s'", o.val['d'])
		}
		when = t
	}
	st := 0
	for _, a := range o.args {
		_, err := p.K.FS.Stat(p.Cred, p.Abs(a))
		if err != nil && !o.has('c') {
			err = p.K.FS.WriteFile(p.Cred, p.Abs(a), nil, 0o666&^p.Umask)
		}
		if err == nil {
			err = p.K.FS.Chtimes(p.Cred, p.Abs(a), when)
		}
		if err != nil && !o.has('c') {
			st = p.Failf("cannot touch `%s': %s", a, memfs.Text(err))
		}
	}
	return st
}

func mktemp(p *kernel.Proc) int {
	o := getopt(p, "dup:tq", map[string]byte{"directory": 'd', "tmpdir": 'p'})
	if o == nil || len(o.args) > 1 {
		return 2
	}
	tmpl := "tmp.XXXXXXXXXX"
	dir := p.Env["TMPDIR"]
	if dir == "" {
		dir = "/tmp"
	}
	if o.val['p'] != "" {
		dir = o.val['p']
	}
	if len(o.args) == 1 {
		tmpl = o.args[0]
		if !o.has('p') && !o.has('t') {
			dir = p.Cwd
		}
	}
	stem := strings.TrimRight(tmpl, "X")
	if len(tmpl)-len(stem) < 3 {
		return p.Failf("too few X's in template `%s'", tmpl)
	}
	name := stem + randomName(len(tmpl)-len(stem))
	if !strings.HasPrefix(name, "/") {
		name = strings.TrimSuffix(dir, "/") + "/" + name
	}
	var err error
	if o.has('d') {
		err = p.K.FS.Mkdir(p.Cred, p.Abs(name), 0o700)
	} else {
		err = p.K.FS.WriteFile(p.Cred, p.Abs(name), nil, 0o600)
	}
	if err != nil {
		return p.Failf("failed to create via template `%s': %s", tmpl, memfs.Text(err))
	}
	p.Printf("%s\n", name)
	return 0
}

func randomName(n int) string {
	const set = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	b := make([]byte, n)
	_, _ = rand.Read(b)
	for i := range b {
		b[i] = set[int(b[i])%len(set)]
	}
	return string(b)
}

func install(p *kernel.Proc) int {
	o := getopt(p, "dm:o:g:pDT", map[string]byte{"mode": 'm', "owner": 'o', "group": 'g', "directory": 'd'})
	if o == nil || o.has('D') {
		return 2
	}
	mode := fs.FileMode(0o755)
	if o.has('m') {
		m, ok := parseMode(o.val['m'], 0)
		if !ok {
			return p.Failf("invalid mode `%s'", o.val['m'])
		}
		mode = m
	}
	uid, gid := -1, -1
	if o.has('o') {
		uid, _ = idOf(p, "/etc/passwd", o.val['o'])
	}
	if o.has('g') {
		gid, _ = idOf(p, "/etc/group", o.val['g'])
	}
	targets := o.args
	if !o.has('d') {
		srcs, dst, ok := operands(p, o)
		if !ok {
			return 1
		}
		targets = nil
		for _, s := range srcs {
			to := into(p, s, dst, !o.has('T'))
			_ = p.K.FS.Remove(p.Cred, to)
			if err := copyTree(p, &opts{}, s, to); err != nil {
				return p.Failf("cannot install `%s': %s", s, memfs.Text(err))
			}
			targets = append(targets, to)
		}
	}
	for _, t := range targets {
		if err := installed(p, o.has('d'), t, mode, uid, gid); err != nil {
			return p.Failf("cannot create `%s': %s", t, memfs.Text(err))
		}
	}
	return 0
}

func installed(p *kernel.Proc, dir bool, name string, mode fs.FileMode, uid, gid int) error {
	if dir {
		if err := p.K.FS.MkdirAll(p.Cred, path.Clean(p.Abs(name)), 0o755); err != nil {
			return err
		}
	}
	if uid >= 0 || gid >= 0 {
		if err := p.K.FS.Chown(p.Cred, p.Abs(name), uid, gid, true); err != nil {
			return err
		}
	}
	return p.K.FS.Chmod(p.Cred, p.Abs(name), mode)
}

func truncate(p *kernel.Proc) int {
	o := getopt(p, "s:c", map[string]byte{"size": 's'})
	if o == nil || !o.has('s') {
		return 2
	}
	n, ok := size(o.val['s'])
	if !ok {
		return p.Failf("invalid number `%s'", o.val['s'])
	}
	for _, a := range o.args {
		h, err := p.K.FS.Open(p.Cred, p.Abs(a), memfs.OWrite|memfs.OCreate, 0o666&^p.Umask)
		if err == nil {
			err = h.Truncate(n)
		}
		if err != nil {
			return fail(p, a, err)
		}
	}
	return 0
}
