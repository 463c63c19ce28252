package shell

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// biEcho is bash's echo: -n, -e, -E; backslashes stay unless -e.
func biEcho(s *Shell, args []string) int {
	args = args[1:]
	newline, esc := true, false
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && strings.Trim(args[0][1:], "neE") == "" {
		newline = newline && !strings.Contains(args[0], "n")
		esc = strings.Contains(args[0], "e")
		args = args[1:]
	}
	text := strings.Join(args, " ")
	if esc {
		var stop bool
		text, stop = unescape(text, true)
		newline = newline && !stop
	}
	if newline {
		text += "\n"
	}
	return s.write(text)
}

func (s *Shell) write(text string) int {
	if _, err := io.WriteString(s.p.Stdout(), text); err != nil {
		if !s.p.Dead() {
			s.complain("write error", "%v", err)
		}
		return 1
	}
	return 0
}

var simpleEscapes = map[byte]byte{'a': 7, 'b': 8, 'f': 12, 'n': 10, 'r': 13, 't': 9, 'v': 11, '\\': '\\', '"': '"'}

// unescape resolves backslash sequences. zero says that octal numbers start with 0 (as for %b and echo).
// stop reports \c.
func unescape(t string, zero bool) (out string, stop bool) {
	var b strings.Builder
	for i := 0; i < len(t); i++ {
		if t[i] != '\\' || i+1 == len(t) {
			b.WriteByte(t[i])
			continue
		}
		i++
		c := t[i]
		switch e, ok := simpleEscapes[c]; {
		case ok:
			b.WriteByte(e)
		case c == 'c':
			return b.String(), true
		case c == 'x' && i+1 < len(t) && isHex(t[i+1]):
			n := digits(t[i+1:], 16, 2)
			v, _ := strconv.ParseUint(t[i+1:i+1+n], 16, 8)
			b.WriteByte(byte(v))
			i += n
		case c >= '0' && c <= '7':
			limit := 3
			if zero && c == '0' {
				limit = 4
			}
			n := digits(t[i:], 8, limit)
			v, _ := strconv.ParseUint(t[i:i+n], 8, 16)
			b.WriteByte(byte(v))
			i += n - 1
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String(), false
}

func isHex(c byte) bool { return digits(string(c), 16, 1) == 1 }

func digits(t string, base, limit int) int {
	n := 0
	for n < len(t) && n < limit {
		if _, err := strconv.ParseUint(t[n:n+1], base, 8); err != nil {
			break
		}
		n++
	}
	return n
}

func biPrintf(s *Shell, args []string) int {
	if len(args) > 1 && args[1] == "--" {
		args = append(args[:1:1], args[2:]...)
	}
	if len(args) < 2 {
		s.complain("printf", "usage: printf format [arguments]")
		return 2
	}
	f := &formatter{s: s, args: args[2:]}
	for {
		before := len(f.args)
		f.run(args[1])
		if f.stop || len(f.args) == 0 || len(f.args) == before {
			break
		}
	}
	if st := s.write(f.out.String()); st != 0 {
		return st
	}
	return f.status
}

// formatter is one run of printf.
type formatter struct {
	s      *Shell
	args   []string
	out    strings.Builder
	status int
	stop   bool
}

func (f *formatter) next() string {
	if len(f.args) == 0 {
		return ""
	}
	a := f.args[0]
	f.args = f.args[1:]
	return a
}

func (f *formatter) run(format string) {
	for format != "" && !f.stop {
		i := strings.IndexByte(format, '%')
		if i < 0 {
			i = len(format)
		}
		text, stop := unescape(format[:i], false)
		f.out.WriteString(text)
		f.stop = stop
		if format = format[i:]; format != "" && !stop {
			format = f.verb(format[1:])
		}
	}
}

// verb prints one conversion and returns the rest of the format.
func (f *formatter) verb(t string) string {
	if strings.HasPrefix(t, "%") {
		f.out.WriteByte('%')
		return t[1:]
	}
	spec := "%"
	for t != "" && strings.IndexByte("-+ #0123456789.*", t[0]) >= 0 {
		if t[0] == '*' {
			n, _ := atoi(f.next())
			spec += strconv.Itoa(n)
		} else {
			spec += t[:1]
		}
		t = t[1:]
	}
	if t == "" {
		f.fail("missing format character")
		return ""
	}
	f.convert(spec, t[0])
	return t[1:]
}

func (f *formatter) fail(what string) {
	f.s.complain("printf", "%s", what)
	f.status = 1
}

func (f *formatter) convert(spec string, c byte) {
	switch c {
	case 's':
		fmt.Fprintf(&f.out, spec+"s", f.next())
	case 'b':
		text, stop := unescape(f.next(), true)
		fmt.Fprintf(&f.out, spec+"s", text)
		f.stop = stop
	case 'c':
		if a := f.next(); a != "" {
			f.out.WriteByte(a[0])
		}
	case 'd', 'i':
		fmt.Fprintf(&f.out, spec+"d", f.number())
	case 'u':
		fmt.Fprintf(&f.out, spec+"d", uint64(f.number()))
	case 'o', 'x', 'X':
		fmt.Fprintf(&f.out, spec+string(c), uint64(f.number()))
	default:
		f.fail("`" + string(c) + "': invalid format character")
		f.stop = true
	}
}

func (f *formatter) number() int64 {
	a := strings.TrimSpace(f.next())
	if a == "" {
		return 0
	}
	if a[0] == '\'' || a[0] == '"' {
		if len(a) > 1 {
			return int64(a[1])
		}
		return 0
	}
	n, err := strconv.ParseInt(a, 0, 64)
	if err != nil {
		f.fail(a + ": invalid number")
	}
	return n
}

// biRead reads one line, byte by byte, and splits it by IFS.
func biRead(s *Shell, args []string) int {
	raw := false
	args = args[1:]
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "-r":
			raw = true
		case "--":
		default:
			s.complain("read", "%s: invalid option", args[0])
			return 2
		}
		args = args[1:]
	}
	if len(args) == 0 {
		args = []string{"REPLY"}
	}
	text, quoted, eof := s.readLogical(raw)
	for i, f := range splitFields(text, quoted, s.ifs(), len(args)) {
		if !s.assign(args[i], f) {
			return 2
		}
	}
	return b2i(eof)
}

func (s *Shell) ifs() string {
	if v := s.vars["IFS"]; v != nil && v.set {
		return v.val
	}
	return " \t\n"
}

// readLogical reads a line; without raw, backslashes quote and continue lines. quoted marks quoted bytes.
func (s *Shell) readLogical(raw bool) (text []byte, quoted []bool, eof bool) {
	for {
		line, err := readLine(s.p.Stdin())
		ended := len(line) > 0 && line[len(line)-1] == '\n'
		if ended {
			line = line[:len(line)-1]
		}
		cont := false
		for i := 0; i < len(line); i++ {
			q := false
			if line[i] == '\\' && !raw {
				if i+1 == len(line) {
					cont = ended
					break
				}
				i++
				q = true
			}
			if line[i] != 0 {
				text, quoted = append(text, line[i]), append(quoted, q)
			}
		}
		if !cont {
			return text, quoted, err != nil && !ended
		}
	}
}

// splitFields splits as `read` does: n fields, the last one takes the rest.
func splitFields(text []byte, quoted []bool, ifs string, n int) []string {
	out := make([]string, n)
	white := func(i int) bool {
		return !quoted[i] && strings.IndexByte(ifs, text[i]) >= 0 && strings.IndexByte(" \t\n", text[i]) >= 0
	}
	sep := func(i int) bool { return !quoted[i] && strings.IndexByte(ifs, text[i]) >= 0 }
	i := 0
	skip := func() {
		for i < len(text) && white(i) {
			i++
		}
	}
	skip()
	for k := 0; k < n-1 && i < len(text); k++ {
		start := i
		for i < len(text) && !sep(i) {
			i++
		}
		out[k] = string(text[start:i])
		skip()
		if i < len(text) && sep(i) && !white(i) && i > start {
			i++
			skip()
		}
	}
	end := len(text)
	for end > i && white(end-1) {
		end--
	}
	out[n-1] = lastField(text[i:end], quoted[i:end], ifs)
	return out
}

// lastField drops one trailing separator when nothing else separates, as POSIX wants of `IFS=: read x` with "a:".
func lastField(text []byte, quoted []bool, ifs string) string {
	if k := len(text); k > 0 && !quoted[k-1] && strings.IndexByte(ifs, text[k-1]) >= 0 &&
		!strings.ContainsAny(string(text[:k-1]), ifs) {
		text = text[:k-1]
	}
	return string(text)
}
