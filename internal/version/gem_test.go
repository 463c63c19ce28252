package version

import (
	"strings"
	"testing"
)

// The rows were checked with Gem::Version and Gem::Requirement of Ruby 3.1.
func TestGemOrder(t *testing.T) {
	for _, row := range []string{"1.0 = 1", "1 = 1.0.0", "1.0.0 < 1.0.1", "1.9 < 1.10", "202309.08.0 > 202309.7.9", "20240720.0.1 > 20240720.0.0",
		"2.4.0.rc1 < 2.4.0", "2.4.0.rc1 < 2.4.0.rc2", "2.4.0.rc9 < 2.4.0.rc10", "2.4.0-1 < 2.4.0", "1.0.a < 1.0.1", "1.0.a < 1.0.b", "1.a1 < 1.0", "0 < 0.0.1"} {
		f := strings.Fields(row)
		a, err := ParseGem(f[0])
		b, err2 := ParseGem(f[2])
		if err != nil || err2 != nil {
			t.Fatal(row, err, err2)
		}
		want := map[string]int{"<": -1, "=": 0, ">": 1}[f[1]]
		if got := a.Compare(b); got != want || b.Compare(a) != -want {
			t.Errorf("%s: %d", row, got)
		}
	}
	for _, bad := range []string{"", "v1.0", "1..2", "a.1", "1.0 beta", "latest", ">= 1", "1." + strings.Repeat("0", 200)} {
		if g, err := ParseGem(bad); err == nil {
			t.Errorf("%q is read as %v", bad, g)
		}
	}
}

func TestGemRequirement(t *testing.T) {
	for _, c := range []struct{ require, yes, no string }{
		{"", "1 0.1 9.9.rc1", ""},
		{">= 0", "1 0 0.1.rc1", ""},
		{"1.2.3", "1.2.3 1.2.3.0", "1.2.4 1.2.3.rc1"},
		{"= 1.2", "1.2.0", "1.2.1"},
		{"!= 1.2", "1.3", "1.2.0"},
		{">= 1, < 3", "1 2.9 3.0.rc1", "0.9 3 3.1"},
		{"~> 2.3", "2.3 2.9.9 2.99", "2.2.9 3 3.0.1 3.0.rc1"},
		{"~> 2.3.1", "2.3.1 2.3.9", "2.4 2.3.0 2.3.1.rc1"},
		{"~> 2", "2 2.9", "3 1.9"},
		{"> 1.0 , <= 2", "1.0.1 2", "1 2.0.1"},
	} {
		r, err := ParseGemRequirement(c.require)
		if err != nil {
			t.Fatal(err)
		}
		for want, list := range map[bool]string{true: c.yes, false: c.no} {
			for _, s := range strings.Fields(list) {
				v, err := ParseGem(s)
				if err != nil {
					t.Fatal(err)
				}
				if r.Allows(v) != want {
					t.Errorf("%q and %s: %v", c.require, s, !want)
				}
			}
		}
	}
	for _, bad := range []string{"latest", ">=", "~> x", "1,,2", "=> 1"} {
		if _, err := ParseGemRequirement(bad); err == nil || !strings.Contains(err.Error(), "no condition") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
