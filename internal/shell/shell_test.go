package shell

import (
	"os/exec"
	"testing"
)

func TestQuoteGoldens(t *testing.T) {
	for in, want := range map[string]string{
		"":            "''",
		"plain":       "plain",
		"a b":         "'a b'",
		"it's":        `'it'\''s'`,
		"$(reboot)":   "'$(reboot)'",
		"a\nb":        "'a\nb'",
		"-o":          "-o",
		"k=v,w:/x@1%": "k=v,w:/x@1%",
		"~root":       "'~root'",
		"ünïcode":     "'ünïcode'",
	} {
		if got := Quote(in); got != want {
			t.Errorf("Quote(%q) = %s, want %s", in, got, want)
		}
	}
}

func FuzzJoinSurvivesARealShell(f *testing.F) {
	f.Add("a b", "c'd")
	f.Add("$(x)", "`y`\n\\")
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, s := range []string{a, b} {
			for i := range s {
				if s[i] == 0 {
					t.Skip("no program argument can hold a NUL byte")
				}
			}
		}
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf '%s\\0' "+Join([]string{a, b})).Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := string(out); got != a+"\x00"+b+"\x00" {
			t.Errorf("shell read %q", got)
		}
	})
}
