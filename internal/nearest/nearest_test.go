package nearest

import (
	"math"
	"strings"
	"testing"
)

func TestOf(t *testing.T) {
	words := []string{"check", "fix", "demo", "list", "explain", "version", "completion", "net"}
	for in, want := range map[string]string{
		"chekc": "check", "chek": "check", "fxi": "fix", "verison": "version", "lsit": "list", "explian": "explain",
		"complete": "completion", "web": "", "nte": "net", "kubernetes": "", strings.Repeat("x", 500): "",
	} {
		if got := Of(in, words); got != want {
			t.Errorf("nearest(%.20q) = %q, want %q", in, got, want)
		}
	}
	if got := Of("a", nil); got != "" {
		t.Errorf("nearest of nothing = %q", got)
	}
}

func FuzzSlips(f *testing.F) {
	f.Add("check", "chekc")
	f.Add("", "é")
	f.Fuzz(func(t *testing.T, a, b string) {
		d, back := slips([]rune(a), []rune(b)), slips([]rune(b), []rune(a))
		if d != back || d < 0 || (d == 0) != (string([]rune(a)) == string([]rune(b))) && d != math.MaxInt {
			t.Errorf("slips(%q, %q) = %d and %d", a, b, d, back)
		}
	})
}
