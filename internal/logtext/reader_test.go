package logtext

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
	"unicode/utf8"
)

// read returns the cleaned lines as NUMBER:TEXT.
func read(t testing.TB, in io.Reader) []string {
	t.Helper()
	var out []string
	var l Line
	r := NewReader(in)
	for r.Next(&l) {
		out = append(out, fmt.Sprintf("%d:%s", l.Number, l.Text))
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// one is the single line that a text is read as.
func one(t testing.TB, in string) string {
	t.Helper()
	got := read(t, strings.NewReader(in))
	if len(got) != 1 {
		t.Fatalf("%q is read as %q", in, got)
	}
	_, text, _ := strings.Cut(got[0], ":")
	return text
}

func TestOneLine(t *testing.T) {
	const plain = "modprobe vboxsf failed"
	for name, in := range map[string]string{
		"as it is": plain, "new line": plain + "\n", "Windows": plain + "\r\n", "Windows twice": plain + "\r\r\n",
		"byte order mark": "\xef\xbb\xbf" + plain,
		"colour":          "\x1b[31;1mmodprobe \x1b[0mvboxsf failed\x1b[K", "title": "\x1b]0;vagrant up\x07" + plain, "title, ST": "\x1b]0;x\x1b\\" + plain,
		"title without an end": "\x1b]" + plain, "two letters": "\x1b(B\x1b=" + plain, "colour without ESC": "[31mmodprobe[0m vboxsf failed[0m",
		"visible escape": "^[[31mmodprobe^[[m vboxsf failed", "JSON escape": `\u001b[31mmodprobe\u001b[0m vboxsf failed`,
		"syslog escape": "#033[31mmodprobe#033[0m vboxsf failed", "progress": "10%\r50%\rmodprobe vboxsf failed\r", "progress, blank": "x\r" + plain + "\r   \r\n",
		"backspaces": "-\b\\\b|\bmodprobe vboxsf failed", "bell": plain + "\a", "tab": "modprobe\tvboxsf failed", "blanks": "   modprobe  vboxsf   failed  ",
		"quoted": "> > " + plain, "quoted, no blank": ">" + plain, "entities": "modprobe&nbsp;vboxsf&#32;failed", "tags": "<pre><span class=\"x\">modprobe</span> vboxsf failed<br>",
		"no-break": "modprobe\u00a0vboxsf\u2009failed", "zero width": "mod\u200bprobe vboxsf failed\ufeff", "bidi": "\u202emodprobe vboxsf failed",
		"frame": "│ modprobe vboxsf failed │", "full width": "ｍｏｄｐｒｏｂｅ vboxsf failed",
		"vagrant": "==> default: " + plain, "vagrant, detail": "    default: " + plain, "vagrant 1.2": "[default] " + plain, "two labels": "==> web: default: " + plain,
		"kernel": "[   12.345678] " + plain, "kernel, processor": "[   12.345678] [T123] " + plain, "kernel, priority": "<4>[12.345] " + plain,
		"syslog": "Nov 22 10:00:00 box vboxadd[812]: " + plain, "syslog, one digit": "Nov  2 10:00:00 box kernel: " + plain,
		"journal": "2026-11-22T10:00:00+0100 box vboxadd[812]: " + plain, "ISO": "2026-11-22T10:00:00.123Z " + plain, "date": "2026-11-22 10:00:00,123 " + plain,
		"date in brackets": "[2026-11-22 10:00:00] " + plain, "VBox.log": "00:00:03.254381 " + plain, "clock": "[10:00:00] " + plain,
		"klog": "E1122 10:00:00.000000   12345 start.go:174] " + plain, "vagrant's log": "DEBUG ssh: stderr: " + plain, "vagrant's log, flush": " INFO interface: info: ==> default: " + plain,
		"actions": "2026-11-22T10:00:00.0000000Z ##[error]" + plain, "machine-readable": "1391354677,default,ui,error," + plain,
		"all of it": "> 2026-11-22T10:00:00Z \x1b[1m==> web: \x1b[0mNov 22 10:00:00 box kernel: [   12.345678] " + plain + "\r\n",
	} {
		got := one(t, in)
		if name == "two labels" {
			got = strings.TrimPrefix(got, "default: ")
		}
		if got != plain {
			t.Errorf("%s: %q is read as %q", name, in, got)
		}
	}
}

func TestTextThatStays(t *testing.T) {
	for in, want := range map[string]string{
		"make[1]: *** [/tmp/x.o] Error 1": "make[1]: *** [/tmp/x.o] Error 1",
		"[ERROR] x":                       "[ERROR] x",
		"a[1] b[12K":                      "a[1] b[12K",
		"error: ‘from_timer’ and “x” and `y'":                `error: 'from_timer' and "x" and 'y'`,
		"错误：隐式声明函数 x":                                        "错误:隐式声明函数 x",
		"R&D &lt;&amp;&gt; &#39;x&#39; &quot;y&quot; &bogus": `R&D <&> 'x' "y" &bogus`,
		"#include <drm/drm_aperture.h>":                      "#include <drm/drm_aperture.h>",
		"    Address: 192.168.33.10":                         "Address: 192.168.33.10",
		"Error: x":                                           "Error: x",
		"can\x92t find \x93x\x94":                            `can't find "x"`,
		"caf\xe9":                                            "café",
		`C:\new\test is "missing" or "gone"`:                 `C:\new\test is "missing" or "gone"`,
		"wait… it – works":                                   "wait... it - works",
		"12:30 is a time":                                    "12:30 is a time",
	} {
		if got := one(t, in); got != want {
			t.Errorf("%q is read as %q, want %q", in, got, want)
		}
	}
}

func TestLines(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"empty lines count", "a\n\n\nb", "1:a|2:|3:|4:b"},
		{"JSON", `{"stderr": "one\ntwo\t\"x\"", "path": "C:\\new"}`, `1:{"stderr": "one|1:two "x"", "path": "C:\new"}`},
		{"Ruby", `@stderr="VBoxManage: error: x\nVBoxManage: error: y"`, `1:@stderr="VBoxManage: error: x|1:VBoxManage: error: y"`},
		{"machine-readable", "1391354677,,error-exit,Vagrant::Errors::X,one%!(VAGRANT_COMMA) two\\nthree", "1:one, two|1:three"},
		{"no break", `echo a\nb`, `1:echo a\nb`},
		{"label by repetition", "    web: one\n    web: two\n    other: three\n", "1:web: one|2:two|3:other: three"},
		{"label known", "==> web: zero\n    web: one\n", "1:zero|2:one"},
		{"fence", "```text\nx\n```\n", "1:'''text|2:x|3:'''"},
	} {
		if got := strings.Join(read(t, strings.NewReader(c.in)), "|"); got != c.want {
			t.Errorf("%s: %q\nwant %q", c.name, got, c.want)
		}
	}
}

func TestWhatALineTellsOfItself(t *testing.T) {
	var l Line
	r := NewReader(strings.NewReader("==> web:   Kernel headers \n错误 x\nplain"))
	for _, want := range []Line{
		{Number: 1, Label: "web", Prefixed: true, Width: 26, Indent: 2, Spaced: true},
		{Number: 2, Width: 6},
		{Number: 3, Width: 5},
	} {
		if !r.Next(&l) {
			t.Fatal("no line")
		}
		l.Text = nil
		if fmt.Sprint(l) != fmt.Sprint(want) {
			t.Errorf("got  %+v\nwant %+v", l, want)
		}
	}
}

func TestUTF16(t *testing.T) {
	for _, c := range []struct {
		name string
		mark bool
		swap int
	}{{"little", true, 0}, {"big", true, 1}, {"little, no mark", false, 0}, {"big, no mark", false, 1}} {
		units := utf16.Encode([]rune("modprobe ‘x’\r\nfailed ü\r\n"))
		if c.mark {
			units = append([]uint16{0xfeff}, units...)
		}
		var b []byte
		for _, u := range units {
			pair := [2]byte{byte(u), byte(u >> 8)}
			b = append(b, pair[c.swap], pair[1-c.swap])
		}
		if got := strings.Join(read(t, strings.NewReader(string(b))), "|"); got != "1:modprobe 'x'|2:failed ü" {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

// A line without an end takes no more memory than others.
func TestVeryLongLine(t *testing.T) {
	var l Line
	r := NewReader(io.MultiReader(strings.NewReader(strings.Repeat("x", 10*MaxLine+5)+"\nnext"), strings.NewReader("")))
	size, pieces := 0, 0
	for r.Next(&l) && l.Number == 1 {
		size, pieces = size+len(l.Text), pieces+1
		if len(l.Text) > MaxLine || l.Cut != (size < 10*MaxLine+5) {
			t.Fatalf("piece of %d letters, cut %v after %d", len(l.Text), l.Cut, size)
		}
	}
	if size != 10*MaxLine+5 || string(l.Text) != "next" || l.Number != 2 {
		t.Errorf("%d letters, then %d:%s", size, l.Number, l.Text)
	}
}

func TestAnErrorIsNotTheEnd(t *testing.T) {
	broken := errors.New("broken")
	r := NewReader(io.MultiReader(strings.NewReader("one\ntwo"), iotest.ErrReader(broken)))
	var l Line
	n := 0
	for r.Next(&l) {
		n++
	}
	if n != 2 || !errors.Is(r.Err(), broken) {
		t.Errorf("%d lines, %v", n, r.Err())
	}
}

func TestMask(t *testing.T) {
	for in, want := range map[string]string{
		"https://user:secret@host/x":                         "https://***@host/x",
		"https://token@host/x":                               "https://***@host/x",
		"Authorization: Bearer abc.def":                      "Authorization: Bearer ***",
		"mount -o username=u,password=p4ss,uid=1":            "mount -o username=u,password=***,uid=1",
		`"api_key": "0123"`:                                  `"api_key": "***"`,
		"VAGRANT_CLOUD_TOKEN=abc123":                         "VAGRANT_CLOUD_TOKEN=***",
		"smb --password hunter2 x":                           "smb --password *** x",
		"ghp_0123456789abcdefABCDEF":                         "***",
		"AKIAIOSFODNN7EXAMPLE":                               "***",
		"x -----BEGIN RSA PRIVATE KEY----- MIIE":             "x -----BEGIN RSA PRIVATE KEY-----***",
		"the password is secret":                             "the password is ***",
		"no secret here":                                     "no secret here",
		"Could not resolve host: mirrorlist.centos.org":      "Could not resolve host: mirrorlist.centos.org",
		"http://vault.centos.org/7.6.1810/os/x86_64 [Errno]": "http://vault.centos.org/7.6.1810/os/x86_64 [Errno]",
	} {
		if got := Mask(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}

func FuzzReader(f *testing.F) {
	for _, seed := range []string{"a\r\nb", "\x1b[31mx", "==> web: x\n    web: y", `{"a":"b\nc\u0041"}`, "\xff\xfea\x00", "\x91x", "&lt;x&gt;<br>", "[1m[", "^[[", "a\bb", "> > x"} {
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, text []byte, chunk int) {
		whole := read(t, strings.NewReader(string(text)))
		pieces := read(t, &chunked{text: text, size: max(chunk, 1)})
		if strings.Join(whole, "\n") != strings.Join(pieces, "\n") {
			t.Errorf("in pieces of %d: %q\nas a whole: %q", chunk, pieces, whole)
		}
		for _, l := range whole {
			if strings.ContainsAny(l, "\x1b\n\r\x00\x9b") && utf8.ValidString(l) {
				t.Errorf("%q is read as %q", text, l)
			}
		}
		if string(text) != "" && len(strings.Join(whole, "")) > 8*len(text)+8*len(whole)+16 {
			t.Errorf("%d bytes became %d", len(text), len(strings.Join(whole, "")))
		}
	})
}

// chunked gives a text in pieces of one size.
type chunked struct {
	text []byte
	size int
}

func (c *chunked) Read(b []byte) (int, error) {
	if len(c.text) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), c.size)], c.text)
	c.text = c.text[n:]
	return n, nil
}
