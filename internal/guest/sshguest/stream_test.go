package sshguest

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func newGate(mark, watch string) (g *gate, out *bytes.Buffer, rest *string, seen *int) {
	out, rest, seen = &bytes.Buffer{}, new(string), new(int)
	g = &gate{next: out, mark: []byte(mark), opened: func(r string) { *rest = "<" + r + ">" }}
	if watch != "" {
		g.watch, g.seen = []byte(watch), func() { *seen++ }
	}
	return g, out, rest, seen
}

func TestGate(t *testing.T) {
	for _, c := range []struct{ name, in, out, rest, before string }{
		{"nothing before", "MARK 12\nout", "out", "<12>", ""},
		{"banner", "hello\nMARK 12\nout\n", "out\n", "<12>", "hello\n"},
		{"banner without newline", "helloMARK 12\r\nout\n", "out\n", "<12>", "hello"},
		{"mark again later", "MARK 1\nMARK 2\nx", "MARK 2\nx", "<1>", ""},
		{"no mark", "MAR", "", "", "MAR"},
		{"mark without its end", "MARK 12", "", "", "MARK 12"},
		{"binary", "\x00\xff\nMARK 3\n\x00\xff", "\x00\xff", "<3>", "\x00\xff\n"},
	} {
		for chunk := 1; chunk <= len(c.in); chunk++ {
			g, out, rest, _ := newGate("MARK", "")
			for in := []byte(c.in); len(in) > 0; in = in[min(chunk, len(in)):] {
				if _, err := g.Write(in[:min(chunk, len(in))]); err != nil {
					t.Fatal(err)
				}
			}
			if out.String() != c.out || *rest != c.rest || g.before() != c.before || g.isOpen() != (c.rest != "") {
				t.Errorf("%s in chunks of %d: out %q rest %q before %q", c.name, chunk, out, *rest, g.before())
			}
		}
	}
}

func TestGateCountsPromptsOnlyWhileShut(t *testing.T) {
	text := "lecture\nPROMPT:\nagain PROMPT:MARK 1\nPROMPT: is text now\n"
	for chunk := 1; chunk <= len(text); chunk++ {
		g, _, _, seen := newGate("MARK", "PROMPT:")
		for in := []byte(text); len(in) > 0; in = in[min(chunk, len(in)):] {
			_, _ = g.Write(in[:min(chunk, len(in))])
		}
		// A prompt that comes in one piece with the mark no longer matters.
		if *seen > 2 || chunk < 5 && *seen != 2 {
			t.Errorf("chunks of %d: %d prompts", chunk, *seen)
		}
	}
}

func TestGateIsBounded(t *testing.T) {
	g, out, rest, seen := newGate("MARK", "PROMPT:")
	flood := bytes.Repeat([]byte("x"), 1000)
	for range 1000 {
		_, _ = g.Write(flood)
	}
	_, _ = g.Write([]byte("PROMPT:"))
	if len(g.before()) > 2*noiseLimit || *seen != 1 {
		t.Errorf("%d bytes kept, %d prompts", len(g.before()), *seen)
	}
	_, _ = g.Write([]byte("MARK")) // the end of its line comes later
	_, _ = g.Write([]byte(" 7\nout"))
	if out.String() != "out" || *rest != "<7>" {
		t.Errorf("out %q rest %q", out, *rest)
	}
	// A mark whose line never ends is not ours and does not grow without bound.
	g, _, _, _ = newGate("MARK", "")
	_, _ = g.Write([]byte("MARK"))
	for range 1000 {
		_, _ = g.Write(flood)
	}
	if len(g.before()) > 2*noiseLimit {
		t.Errorf("%d bytes kept", len(g.before()))
	}
}

func FuzzGate(f *testing.F) {
	f.Add([]byte("banner\nMARK"), []byte("payload"), uint8(3))
	f.Add([]byte("MAMARK"), []byte("MARK 1\n"), uint8(1))
	f.Fuzz(func(t *testing.T, before, payload []byte, chunk uint8) {
		const mark = "bd-0123456789abcdef"
		if bytes.Contains(before, []byte(mark)) {
			t.Skip("nobody can guess the mark")
		}
		g, out, rest, _ := newGate(mark, "bd-prompt")
		all := append(append(bytes.Clone(before), mark+" 42\n"...), payload...)
		for step := int(chunk) + 1; len(all) > 0; all = all[min(step, len(all)):] {
			_, _ = g.Write(all[:min(step, len(all))])
		}
		if !bytes.Equal(out.Bytes(), payload) || *rest != "<42>" {
			t.Errorf("payload %q came out as %q (%q)", payload, out, *rest)
		}
	})
}

func FuzzLineFilter(f *testing.F) {
	f.Add("a\nsudo: unable to resolve host x\nb\n", uint8(2))
	f.Add("sudo: unable", uint8(1))
	f.Add("xsudo: unable to resolve host x\n\nsudo: unable to resolve host", uint8(5))
	f.Fuzz(func(t *testing.T, text string, chunk uint8) {
		const prefix = "sudo: unable to resolve host "
		var want strings.Builder
		for _, l := range strings.SplitAfter(text, "\n") {
			if !strings.HasPrefix(l, prefix) {
				want.WriteString(l)
			}
		}
		var out bytes.Buffer
		filter := &lineFilter{next: &out, prefix: []byte(prefix)}
		for step := int(chunk) + 1; len(text) > 0; text = text[min(step, len(text)):] {
			if _, err := filter.Write([]byte(text[:min(step, len(text))])); err != nil {
				t.Fatal(err)
			}
		}
		filter.flush()
		if out.String() != want.String() {
			t.Errorf("got %q, want %q", out.String(), want.String())
		}
	})
}

func TestSink(t *testing.T) {
	var tee bytes.Buffer
	s := &sink{limit: 5, tee: &tee}
	for _, p := range []string{"abc", "def", "ghi"} {
		if n, err := s.Write([]byte(p)); n != 3 || err != nil {
			t.Fatal(n, err)
		}
	}
	got, truncated := s.seal()
	_, _ = s.Write([]byte("late"))
	if string(got) != "abcde" || !truncated || tee.String() != "abcdefghi" {
		t.Errorf("%q %v %q", got, truncated, tee.String())
	}
	s = &sink{limit: 5, tee: writerFunc(func([]byte) (int, error) { return 0, errors.New("disk full") })}
	if _, err := s.Write([]byte("abcde")); err != nil {
		t.Errorf("a full disk on the host must not stop the guest: %v", err)
	}
	if got, truncated := s.seal(); string(got) != "abcde" || truncated {
		t.Errorf("%q %v", got, truncated)
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"a\nb\n\n c\t d":                "a / b / c d",
		"\x1b[1;31mred\x1b[0m":          "red",
		"\x1b]0;title\x07x":             "x",
		"\x1b]0;title\x1b\\x":           "x",
		"\x1b]0;never closed\nnext":     "next",
		"\x1bP1$q\x1b\\y\x1bc":          "y",
		"bell\x07 nul\x00 \xc2\x9b31m":  "bell nul 31m",
		"bad \xff utf":                  "bad \uFFFD utf",
		"\x1b":                          "",
		"\x1b[":                         "",
		"end\x1b[31":                    "end",
		strings.Repeat("x", 2000) + "ü": "… " + strings.Repeat("x", 598) + "ü",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b[31mx\x1b]0;t\x07")
	f.Fuzz(func(t *testing.T, s string) {
		got := clean(s)
		if len(got) > textLimit+4 || strings.ContainsAny(got, "\x1b\x07\n\r\x00") || strings.ToValidUTF8(got, "") != got {
			t.Errorf("clean(%q) = %q", s, got)
		}
	})
}
