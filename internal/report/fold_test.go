package report

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/finding"
)

func machine(kind string, links ...string) finding.Machine {
	m := finding.Machine{Name: kind, Kind: kind}
	for i := 0; i < len(links); i += 2 {
		m.Findings = append(m.Findings, finding.Finding{ID: links[i], Status: finding.Fail, CausedBy: links[i+1]})
	}
	return m
}

// under names, for every root, what is folded below it.
func under(f folded) map[string][]string {
	out := map[string][]string{}
	for root, symptoms := range f.under {
		for _, s := range symptoms {
			out[f.at(root).ID] = append(out[f.at(root).ID], f.at(s).ID)
		}
	}
	return out
}

func TestFold(t *testing.T) {
	healthyCause := machine(finding.KindGuest, "a", "", "b", "a")
	healthyCause.Findings[0].Status = finding.Pass
	for _, c := range []struct {
		name string
		ms   []finding.Machine
		want string
	}{
		{"nothing to fold", []finding.Machine{machine(finding.KindGuest, "a", "", "b", "")}, "map[]"},
		{"the whole chain below its root, the nearest first", []finding.Machine{machine(finding.KindGuest, "a", "c", "b", "a", "c", "d", "d", "")}, "map[d:[c a b]]"},
		{"a cause on the host", []finding.Machine{machine(finding.KindHost, "h", ""), machine(finding.KindGuest, "a", "h")}, "map[h:[a]]"},
		{"a cause on another guest is none", []finding.Machine{machine(finding.KindGuest, "x", ""), machine(finding.KindGuest, "a", "x")}, "map[]"},
		{"the nearer cause wins", []finding.Machine{machine(finding.KindHost, "h", ""), machine(finding.KindGuest, "a", "h", "h", "")}, "map[h:[a]]"},
		{"a cause that is not printed", []finding.Machine{healthyCause}, "map[]"},
		{"a cause that does not exist", []finding.Machine{machine(finding.KindGuest, "a", "gone")}, "map[]"},
		{"a circle", []finding.Machine{machine(finding.KindGuest, "a", "b", "b", "a")}, "map[]"},
		{"a way into a circle", []finding.Machine{machine(finding.KindGuest, "a", "b", "b", "c", "c", "b")}, "map[]"},
		{"its own cause", []finding.Machine{machine(finding.KindGuest, "a", "a")}, "map[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := fmt.Sprint(under(fold(c.ms))); got != c.want {
				t.Errorf("folded %s, want %s", got, c.want)
			}
		})
	}
}

// Whatever the links: every finding is printed exactly once, as a root or below one that is itself a root.
func TestFoldHidesNothing(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var links []string
		n := 1 + rnd.IntN(8)
		for i := range n {
			links = append(links, fmt.Sprint(i), fmt.Sprint(rnd.IntN(n+2)))
		}
		f := fold([]finding.Machine{machine(finding.KindGuest, links...)})
		printed := map[place]int{}
		for i := range n {
			if p := (place{0, i}); !f.isSymptom[p] {
				printed[p]++
				for _, s := range f.under[p] {
					printed[s]++
				}
			}
		}
		for i := range n {
			if printed[place{0, i}] != 1 {
				t.Fatalf("links %v: finding %d is printed %d times", links, i, printed[place{0, i}])
			}
		}
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"one two three", 7, `["one two" "three"]`},
		{"one two three", 6, `["one" "two" "three"]`},
		{"größe größe", 5, `["größe" "größe"]`},
		{"an-unbreakable-word x", 5, `["an-unbreakable-word" "x"]`},
		{"  spaces   between ", 80, `["spaces between"]`},
		{"", 80, `[""]`},
	} {
		if got := fmt.Sprintf("%q", Wrap(c.text, c.width)); got != c.want {
			t.Errorf("Wrap(%q, %d) = %s, want %s", c.text, c.width, got, c.want)
		}
	}
	for width, want := range map[int]int{5: 3, 7: 2, 13: 1} {
		if got := Wrap("one two three", width); len(got) != want {
			t.Errorf("Wrap at %d gives %q, want %d lines", width, got, want)
		}
	}
	if got := Wrap("a\n\nb", 80); len(got) != 3 || got[1] != "" {
		t.Errorf("line breaks are not kept: %q", got)
	}
}

func TestASCII(t *testing.T) {
	if got, want := ascii("a — b … “c” ≥ ü"), `a - b ... "c" >= ?`; got != want {
		t.Errorf("ascii = %q, want %q", got, want)
	}
}
