package coreutils

import (
	"bytes"
	"crypto/md5"  //nolint:gosec // md5sum prints MD5
	"crypto/sha1" //nolint:gosec // sha1sum prints SHA-1
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"path"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/demo/kernel"
	"github.com/boxdoctor/boxdoctor/internal/demo/memfs"
	"github.com/boxdoctor/boxdoctor/internal/demo/shell"
)

func echo(p *kernel.Proc) int   { return shell.Builtin(p) }
func printf(p *kernel.Proc) int { return shell.Builtin(p) }
func kill(p *kernel.Proc) int   { return shell.Builtin(p) }
func test(p *kernel.Proc) int   { return shell.Builtin(p) }

// seconds reads a duration such as 5, 0.5, 2m.
func seconds(t string) (time.Duration, bool) {
	unit := time.Second
	for suffix, u := range map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour} {
		if rest, ok := strings.CutSuffix(t, suffix); ok {
			t, unit = rest, u
		}
	}
	f, err := strconv.ParseFloat(t, 64)
	return time.Duration(f * float64(unit)), err == nil && f >= 0
}

func sleep(p *kernel.Proc) int {
	total := time.Duration(0)
	for _, a := range p.Args[1:] {
		d, ok := seconds(a)
		if !ok {
			return p.Failf("invalid time interval `%s'", a)
		}
		total += d
	}
	p.Sleep(total)
	return 0
}

func timeout(p *kernel.Proc) int {
	o := getopt(p, "+k:s:", map[string]byte{"kill-after": 'k', "signal": 's'})
	if o == nil || len(o.args) < 2 {
		return 125
	}
	d, ok := seconds(o.args[0])
	if !ok {
		p.Failf("invalid time interval `%s'", o.args[0])
		return 125
	}
	sig := "TERM"
	if o.has('s') {
		sig = strings.TrimPrefix(strings.ToUpper(o.val['s']), "SIG")
	}
	c := p.Fork()
	c.NewGroup()
	if d == 0 {
		d = 1000 * time.Hour
	}
	stop := c.Limit(d, sig)
	if o.has('k') {
		grace, _ := seconds(o.val['k'])
		stopKill := c.Limit(d+grace, "KILL")
		defer stopKill()
	}
	st := c.Do(func() int { return c.Exec(o.args[1:]) })
	if stop() {
		if st == 137 {
			return 137
		}
		return 124
	}
	return st
}

func env(p *kernel.Proc) int {
	o := getopt(p, "+iu:", map[string]byte{"ignore-environment": 'i', "unset": 'u'})
	if o == nil {
		return 125
	}
	if o.has('i') {
		p.Env = map[string]string{}
	}
	for _, u := range o.all['u'] {
		delete(p.Env, u)
	}
	args := o.args
	for len(args) > 0 {
		k, v, ok := strings.Cut(args[0], "=")
		if !ok {
			break
		}
		p.Env[k] = v
		args = args[1:]
	}
	if len(args) > 0 {
		return p.Exec(args)
	}
	for _, k := range sortedKeys(p.Env) {
		p.Printf("%s=%s\n", k, p.Env[k])
	}
	return 0
}

func printenv(p *kernel.Proc) int {
	st := 0
	for _, a := range p.Args[1:] {
		v, ok := p.Env[a]
		if !ok {
			st = 1
			continue
		}
		p.Printf("%s\n", v)
	}
	return st
}

func nohup(p *kernel.Proc) int {
	if len(p.Args) < 2 {
		return 125
	}
	p.Ignore("HUP")
	return p.Exec(p.Args[1:])
}

func setsid(p *kernel.Proc) int {
	o := getopt(p, "+wc", map[string]byte{"wait": 'w'})
	if o == nil || len(o.args) == 0 {
		return 1
	}
	// util-linux forks when it leads a process group; in the background it does not, and keeps its process id.
	p.NewSession()
	return p.Exec(o.args)
}

func nice(p *kernel.Proc) int {
	o := getopt(p, "+n:c:", nil)
	if o == nil || len(o.args) == 0 {
		return 125
	}
	return p.Exec(o.args)
}

func xargs(p *kernel.Proc) int {
	o := getopt(p, "+0n:rI:", map[string]byte{"null": '0', "no-run-if-empty": 'r', "max-args": 'n'})
	if o == nil {
		return 2
	}
	cmd := o.args
	if len(cmd) == 0 {
		cmd = []string{"echo"}
	}
	data, _ := io.ReadAll(p.Stdin())
	var items []string
	switch {
	case o.has('0'):
		items = strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00")
		if len(data) == 0 {
			items = nil
		}
	case o.has('I'):
		items = allLines(bytes.NewReader(data))
	default:
		items = strings.Fields(string(data))
	}
	per := max(1, len(items))
	if o.has('n') {
		per, _ = strconv.Atoi(o.val['n'])
	}
	if o.has('I') {
		per = 1
	}
	if len(items) == 0 && (o.has('r') || o.has('I')) {
		return 0
	}
	st := 0
	for i := 0; i == 0 || i < len(items); i += max(1, per) {
		if code := p.Run(xargsCmd(o, cmd, items[i:min(len(items), i+per)]), nil); code != 0 {
			st = 123
		}
	}
	return st
}

func xargsCmd(o *opts, cmd, items []string) []string {
	argv := append([]string{}, cmd...)
	if !o.has('I') {
		return append(argv, items...)
	}
	for i := range argv {
		argv[i] = strings.ReplaceAll(argv[i], o.val['I'], items[0])
	}
	return argv
}

func tty(p *kernel.Proc) int {
	p.Printf("not a tty\n")
	return 1
}

func which(p *kernel.Proc) int {
	st := 0
	for _, a := range p.Args[1:] {
		full := p.LookPath(a)
		if full == "" {
			st = 1
			p.Errorf("/usr/bin/which: no %s in (%s)\n", a, p.Env["PATH"])
			continue
		}
		p.Printf("%s\n", full)
	}
	return st
}

// expr knows two numbers and one operator, and string comparison.
func expr(p *kernel.Proc) int {
	a := p.Args[1:]
	if len(a) != 3 {
		p.Failf("only A OP B is supported by the embedded guest")
		return 2
	}
	x, err1 := strconv.Atoi(a[0])
	y, err2 := strconv.Atoi(a[2])
	if a[1] == "=" || a[1] == "!=" {
		r := b2i((a[0] == a[2]) == (a[1] == "="))
		p.Printf("%d\n", r)
		return 1 - r
	}
	if err1 != nil || err2 != nil {
		p.Failf("non-numeric argument")
		return 2
	}
	ops := map[string]func() int{
		"+": func() int { return x + y }, "-": func() int { return x - y }, "*": func() int { return x * y },
		"<": func() int { return b2i(x < y) }, ">": func() int { return b2i(x > y) },
		"<=": func() int { return b2i(x <= y) }, ">=": func() int { return b2i(x >= y) },
	}
	if y != 0 {
		ops["/"], ops["%"] = func() int { return x / y }, func() int { return x % y }
	}
	f := ops[a[1]]
	if f == nil {
		p.Failf("syntax error")
		return 2
	}
	r := f()
	p.Printf("%d\n", r)
	return b2i(r == 0)
}

// parseDate reads @SECONDS, RFC 3339 and a few plain forms.
func parseDate(t string, now time.Time) (time.Time, bool) {
	if s, ok := strings.CutPrefix(t, "@"); ok {
		n, err := strconv.ParseInt(s, 10, 64)
		return time.Unix(n, 0), err == nil
	}
	if t == "now" {
		return now, true
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02"} {
		if v, err := time.Parse(layout, t); err == nil {
			return v, true
		}
	}
	return now, false
}

func date(p *kernel.Proc) int {
	o := getopt(p, "ud:r:R", map[string]byte{"utc": 'u', "date": 'd', "reference": 'r'})
	if o == nil {
		return 2
	}
	now := p.Now().UTC()
	if o.has('d') {
		t, ok := parseDate(o.val['d'], now)
		if !ok {
			return p.Failf("invalid date `%s'", o.val['d'])
		}
		now = t.UTC()
	}
	if o.has('r') {
		in, err := p.K.FS.Stat(p.Cred, p.Abs(o.val['r']))
		if err != nil {
			return fail(p, o.val['r'], err)
		}
		now = in.ModTime().UTC()
	}
	format := "+%a %b %e %H:%M:%S UTC %Y"
	if o.has('R') {
		format = "+%a, %d %b %Y %H:%M:%S +0000"
	}
	if len(o.args) > 0 {
		format = o.args[0]
	}
	if !strings.HasPrefix(format, "+") {
		return p.Failf("cannot set date: Operation not permitted")
	}
	p.Printf("%s\n", strftime(format[1:], now))
	return 0
}

var dateLayouts = map[byte]string{
	'Y': "2006", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05", 'y': "06", 'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January",
	'e': "_2", 'F': "2006-01-02", 'T': "15:04:05", 'z': "-0700", 'Z': "UTC", 'j': "002", 'R': "15:04", 'p': "PM", 'I': "03",
}

func strftime(f string, t time.Time) string {
	var b strings.Builder
	for i := 0; i < len(f); i++ {
		if f[i] != '%' || i+1 == len(f) {
			b.WriteByte(f[i])
			continue
		}
		i++
		switch l, ok := dateLayouts[f[i]]; {
		case ok:
			b.WriteString(t.Format(l))
		case f[i] == 's':
			b.WriteString(strconv.FormatInt(t.Unix(), 10))
		case f[i] == 'N':
			fmt.Fprintf(&b, "%09d", t.Nanosecond())
		case f[i] == '%':
			b.WriteByte('%')
		case f[i] == 'n':
			b.WriteByte('\n')
		default:
			b.WriteString(f[i-1 : i+1])
		}
	}
	return b.String()
}

// command is how a process shows in listings.
func command(q *kernel.Proc) string {
	if a := q.Argv(); len(a) > 0 {
		return strings.Join(a, " ")
	}
	return "[kthread]"
}

func comm(q *kernel.Proc) string {
	a := q.Argv()
	if len(a) == 0 {
		return "kthread"
	}
	c := path.Base(a[0])
	return c[:min(15, len(c))]
}

func ps(p *kernel.Proc) int {
	args := p.Args
	if len(args) > 1 && !strings.HasPrefix(args[1], "-") && strings.Trim(args[1], "auxwef") == "" {
		p.SetArgs(append([]string{"ps", "-" + strings.ReplaceAll(args[1], "x", "e")}, args[2:]...))
	}
	o := getopt(p, "Aefauxwo:p:C:", nil)
	if o == nil {
		return 2
	}
	cols := []string{"pid", "args"}
	if o.has('o') {
		cols = strings.Split(strings.Join(o.all['o'], ","), ",")
	}
	var head []string
	quiet := true
	for i, c := range cols {
		name, title, given := strings.Cut(c, "=")
		cols[i] = name
		if !given {
			title = map[string]string{"args": "COMMAND", "cmd": "CMD", "comm": "COMMAND"}[name]
			if title == "" {
				title = strings.ToUpper(name)
			}
		}
		quiet = quiet && title == ""
		head = append(head, title)
	}
	if !quiet {
		p.Printf("%s\n", strings.Join(head, " "))
	}
	return psRows(p, o, cols)
}

func psRows(p *kernel.Proc, o *opts, cols []string) int {
	found := 1
	for _, q := range p.K.Procs() {
		if o.has('p') && !strings.Contains(","+o.val['p']+",", ","+strconv.Itoa(q.PID)+",") || o.has('C') && comm(q) != o.val['C'] {
			continue
		}
		found = 0
		row := make([]string, len(cols))
		for i, c := range cols {
			row[i] = psCell(p, q, c)
		}
		p.Printf("%s\n", strings.Join(row, " "))
	}
	return found
}

func psCell(p *kernel.Proc, q *kernel.Proc, col string) string {
	switch col {
	case "pid":
		return strconv.Itoa(q.PID)
	case "ppid":
		return strconv.Itoa(q.PPID)
	case "pgid":
		return strconv.Itoa(q.Group())
	case "sid", "sess":
		return strconv.Itoa(q.Session())
	case "user":
		return nameOf(p, "/etc/passwd", q.User().UID)
	case "uid":
		return strconv.Itoa(q.User().UID)
	case "comm", "ucmd":
		return comm(q)
	case "args", "cmd", "command":
		return command(q)
	case "etimes":
		return strconv.Itoa(int(time.Since(q.Start).Seconds()))
	case "stat", "s":
		return "S"
	}
	return "-"
}

func pgrep(p *kernel.Proc) int {
	kills := strings.HasSuffix(p.Args[0], "pkill")
	o := getopt(p, "xflaonu:P:", nil)
	if o == nil || len(o.args) != 1 {
		return 2
	}
	re, err := regexp.Compile(o.args[0])
	if err != nil {
		return 2
	}
	st := 1
	for _, q := range p.K.Procs() {
		text := comm(q)
		if o.has('f') {
			text = command(q)
		}
		hit := re.MatchString(text)
		if o.has('x') {
			m := re.FindString(text)
			hit = m == text && m != ""
		}
		if !hit || q == p {
			continue
		}
		st = 0
		switch {
		case kills:
			shell.Send(p, q.PID, "TERM")
		case o.has('l'):
			p.Printf("%d %s\n", q.PID, text)
		case o.has('a'):
			p.Printf("%d %s\n", q.PID, command(q))
		default:
			p.Printf("%d\n", q.PID)
		}
	}
	return st
}

func pidof(p *kernel.Proc) int {
	o := getopt(p, "sxo:", nil)
	if o == nil {
		return 2
	}
	var found []string
	for _, q := range p.K.Procs() {
		for _, a := range o.args {
			if comm(q) == path.Base(a) {
				found = append([]string{strconv.Itoa(q.PID)}, found...)
			}
		}
	}
	if len(found) == 0 {
		return 1
	}
	p.Printf("%s\n", strings.Join(found, " "))
	return 0
}

// id prints what it is asked of the caller or of a named user.
func id(p *kernel.Proc) int {
	o := getopt(p, "ugnGr", map[string]byte{"user": 'u', "group": 'g', "name": 'n', "groups": 'G'})
	if o == nil || len(o.args) > 1 {
		return 2
	}
	c := p.Cred
	if len(o.args) == 1 {
		var ok bool
		if c, ok = CredOf(p.K.FS, o.args[0]); !ok {
			return p.Failf("%s: No such user", o.args[0])
		}
	}
	text := func(file string, n int) string {
		if o.has('n') {
			return nameOf(p, file, n)
		}
		return strconv.Itoa(n)
	}
	gids := append([]int{c.GID}, c.Groups...)
	switch {
	case o.has('u'):
		p.Printf("%s\n", text("/etc/passwd", c.UID))
	case o.has('g'):
		p.Printf("%s\n", text("/etc/group", c.GID))
	case o.has('G'):
		var all []string
		for _, g := range gids {
			all = append(all, text("/etc/group", g))
		}
		p.Printf("%s\n", strings.Join(all, " "))
	default:
		var all []string
		for _, g := range gids {
			all = append(all, fmt.Sprintf("%d(%s)", g, nameOf(p, "/etc/group", g)))
		}
		p.Printf("uid=%d(%s) gid=%d(%s) groups=%s\n", c.UID, nameOf(p, "/etc/passwd", c.UID), c.GID, nameOf(p, "/etc/group", c.GID), strings.Join(all, ","))
	}
	return 0
}

// CredOf reads a user's ids from the tree's /etc/passwd and /etc/group.
func CredOf(t *memfs.FS, user string) (memfs.Cred, bool) {
	pw, _ := t.ReadFile(memfs.Root, "/etc/passwd")
	for _, l := range strings.Split(string(pw), "\n") {
		f := strings.Split(l, ":")
		if len(f) < 4 || f[0] != user {
			continue
		}
		uid, _ := strconv.Atoi(f[2])
		gid, _ := strconv.Atoi(f[3])
		return memfs.Cred{UID: uid, GID: gid, Groups: groupsOf(t, user, gid)}, true
	}
	return memfs.Cred{}, false
}

func groupsOf(t *memfs.FS, user string, gid int) []int {
	var out []int
	gr, _ := t.ReadFile(memfs.Root, "/etc/group")
	for _, l := range strings.Split(string(gr), "\n") {
		f := strings.Split(l, ":")
		if len(f) < 4 || !strings.Contains(","+f[3]+",", ","+user+",") {
			continue
		}
		if n, _ := strconv.Atoi(f[2]); n != gid {
			out = append(out, n)
		}
	}
	sort.Ints(out)
	return out
}

func whoami(p *kernel.Proc) int {
	p.Printf("%s\n", nameOf(p, "/etc/passwd", p.Cred.UID))
	return 0
}

func groups(p *kernel.Proc) int {
	p.SetArgs([]string{"id", "-Gn"})
	return id(p)
}

func logger(p *kernel.Proc) int { return 0 }

func sum(p *kernel.Proc) int {
	o := getopt(p, "bct", map[string]byte{"check": 'c', "status": 's'})
	if o == nil || o.has('c') {
		return 2
	}
	name := path.Base(p.Args[0])
	return each(p, o.args, func(file string, r io.Reader) {
		if name == "cksum" {
			data, _ := io.ReadAll(r)
			if file == "-" {
				p.Printf("%d %d\n", posixCRC(data), len(data))
				return
			}
			p.Printf("%d %d %s\n", posixCRC(data), len(data), file)
			return
		}
		h := map[string]func() hash.Hash{"sha256sum": sha256.New, "sha1sum": sha1.New, "md5sum": md5.New}[name]()
		io.Copy(h, r)
		p.Printf("%s  %s\n", hex.EncodeToString(h.Sum(nil)), file)
	})
}

// posixCRC is the checksum of cksum.
func posixCRC(data []byte) uint32 {
	crc := uint32(0)
	step := func(b byte) {
		crc ^= uint32(b) << 24
		for range 8 {
			if crc&0x80000000 != 0 {
				crc = crc<<1 ^ 0x04c11db7
			} else {
				crc <<= 1
			}
		}
	}
	for _, b := range data {
		step(b)
	}
	for n := len(data); n > 0; n >>= 8 {
		step(byte(n))
	}
	return ^crc
}

// od prints bytes in hexadecimal or octal, without addresses when asked.
func od(p *kernel.Proc) int {
	o := getopt(p, "A:t:N:j:v", nil)
	if o == nil {
		return 2
	}
	format := map[string]string{"x1": " %02x", "o1": " %03o", "u1": " %3d", "x": " %02x"}[o.val['t']]
	if format == "" || o.val['A'] != "n" {
		p.Failf("only -A n with -t x1, o1 or u1 is supported by the embedded guest")
		return 2
	}
	limit := int64(1 << 40)
	if o.has('N') {
		limit, _ = size(o.val['N'])
	}
	return each(p, o.args, func(_ string, r io.Reader) {
		skip, _ := size(o.val['j'])
		io.CopyN(io.Discard, r, skip)
		data, _ := io.ReadAll(io.LimitReader(r, limit))
		for i, b := range data {
			p.Printf(format, b)
			if i%16 == 15 || i == len(data)-1 {
				p.Printf("\n")
			}
		}
	})
}

func b64(p *kernel.Proc) int {
	o := getopt(p, "dw:", map[string]byte{"decode": 'd', "wrap": 'w'})
	if o == nil {
		return 2
	}
	st := 0
	code := each(p, o.args, func(_ string, r io.Reader) {
		data, _ := io.ReadAll(r)
		if o.has('d') {
			raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(data)), ""))
			if err != nil {
				st = p.Failf("invalid input")
			}
			p.Stdout().Write(raw)
			return
		}
		width := 76
		if o.has('w') {
			width, _ = strconv.Atoi(o.val['w'])
		}
		text := base64.StdEncoding.EncodeToString(data)
		for width > 0 && len(text) > width {
			p.Printf("%s\n", text[:width])
			text = text[width:]
		}
		p.Printf("%s", text)
		if width > 0 {
			p.Printf("\n")
		}
	})
	return max(st, code)
}
