package report_test

import (
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/boxdoctor/boxdoctor/internal/report"
)

func readFile(tb testing.TB, path string) []byte {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestClean(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "kernel-devel-2.6.32", "kernel-devel-2.6.32"},
		{"newline and tab stay", "a\n\tb", "a\n\tb"},
		{"letters of any language stay", "größe 温度 — …", "größe 温度 — …"},
		{"colour", "\x1b[1;31mred\x1b[0m", "red"},
		{"clear screen and home", "a\x1b[2J\x1b[Hb", "ab"},
		{"window title", "a\x1b]0;owned\x07b", "ab"},
		{"window title with ST", "a\x1b]0;owned\x1b\\b", "ab"},
		{"hyperlink", "\x1b]8;;http://evil/\x1b\\text\x1b]8;;\x1b\\", "text"},
		{"device control string", "a\x1bP1$r0m\x1b\\b", "ab"},
		{"an unterminated title ends with its line", "a\x1b]0;owned\nb", "a\nb"},
		{"an unterminated CSI", "a\x1b[12", "a"},
		{"charset and reset", "a\x1b(0b\x1bcd", "abd"},
		{"a lone escape", "a\x1b", "a"},
		{"eight-bit CSI", "a\u009b31mb", "ab"},
		{"eight-bit OSC", "a\u009d0;x\u009cb", "ab"},
		{"C0, C1 and delete", "a\x00\x07\x08\x7f\u0085b", "ab"},
		{"carriage return overwrites nothing", "safe\revil", "safeevil"},
		{"CRLF is a newline", "a\r\nb", "a\nb"},
		{"bidirectional override", "a\u202egnp.exe\u202c", "agnp.exe"},
		{"bidirectional isolates", "\u2066a\u2069", "a"},
		{"line separators", "a\u2028b\u2029c", "abc"},
		{"invalid UTF-8 is replaced", "a\xff\xfeb", "a\uFFFDb"},
		{"an escape put together by stripping", "\x1b\x1b[31m[31mx", "[31mx"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := report.Clean(c.in); got != c.want {
				t.Errorf("Clean(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", "a", "\x1b[31mx", "\x1b]0;t\x07", "\x1b", "\xff", "\u009b", "\x1b\x1b[[31m31m", "a\r\nb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := report.Clean(s)
		assertHarmless(t, []byte(got))
		if !utf8.ValidString(got) {
			t.Errorf("Clean(%q) = %q is not valid UTF-8", s, got)
		}
		if strings.ContainsAny(got, "\r\x1b") {
			t.Errorf("Clean(%q) = %q", s, got)
		}
		if again := report.Clean(got); again != got {
			t.Errorf("Clean is not stable: %q then %q", got, again)
		}
	})
}
