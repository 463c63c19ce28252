package knowledge

import (
	"fmt"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/version"
)

func TestPairOf(t *testing.T) {
	for _, c := range []struct{ additions, kernel, row, module string }{
		{"7.2.8r173730", "5.14.0-687.10.1.el9_8.x86_64", "1.7.8", ModuleGuest},
		{"7.2.8", "5.14.0-570.12.1.el9_6.x86_64", "", ""},
		{"7.0.20", "5.14.0-687.5.1.el9_8.x86_64", "1.7.8", ModuleGuest},
		{"7.2.9", "5.14.0-687.15.1.el9_8.x86_64", "1.7.9", ""}, // builds
		{"7.2.10", "5.14.0-687.15.1.el9_8.x86_64", "", ""},
		{"7.2.10", "5.14.0-687.19.1.el9_8.x86_64", "1.7.9", ModuleGuest},
		{"7.2.12", "5.14.0-687.24.1.el9_8.x86_64", "1.7.9", ModuleGuest},
		{"7.2.14", "5.14.0-687.24.1.el9_8.x86_64", "", ""},
		{"7.2.16", "5.14.0-741.el9.x86_64", "1.7.12", ModuleVideo},
		{"7.0.2", "5.14.0-191.el9.x86_64", "1.7.4", ModuleSF},
		{"7.0.20", "6.5.0-14-generic", "", ""},
		{"7.0.10", "6.5.0-14-generic", "1.7.5", ModuleVideo},
		{"7.2.16", "6.12.107+deb13-amd64", "1.7.11", ModuleVideo},
		{"7.2.14", "6.18.44-1-longterm", "1.7.10", ModuleVideo},
		{"7.2.4", "6.12.0-124.8.1.el10_1.x86_64", "1.7.7", ModuleVideo},
		{"7.2.4", "6.12.0-55.9.1.el10_0.x86_64", "", ""},
		{"4.2.10", "2.6.32-358.el6.x86_64", "1.7.1", ModuleVideo},
		{"5.1.26", "2.6.32-754.35.1.el6.x86_64", "", ""}, // the founding case builds
		{"7.0.20", "2.6.32-754.35.1.el6.x86_64", "1.7.14", ModuleGuest},
		{"6.1.6", "5.7.17", "1.7.3", ModuleVideo},
		{"7.2.16", "6.12.0-250.el10.x86_64", "1.7", ModuleSF},
		{"7.2.16", "6.12.0-233.el10.x86_64", "", ""},
		{"7.2.2", "6.18.16-200.fc43.x86_64", "1.7", ModuleVideo},
		{"7.2.4", "6.18.16-200.fc43.x86_64", "", ""},
		{"7.0.18", "7.0.0-30-generic", "1.7", ModuleGuest},
		{"7.2.8", "7.0.0-62.fc45.aarch64", "1.7", ""}, // builds
		{"7.2.12", "7.1.2-amd64", "1.7", ModuleVideo},
		{"7.2.14", "7.1.2-amd64", "", ""},
	} {
		v, err := version.ParseVBox(c.additions)
		if err != nil {
			t.Fatal(err)
		}
		p, ok := PairOf(v, c.kernel)
		if p.Row != c.row || p.Module != c.module || ok != (c.row != "") {
			t.Errorf("%s on %s: row %q module %q; want %q %q", c.additions, c.kernel, p.Row, p.Module, c.row, c.module)
		}
	}
}

// Every row of section 1.7 is in the matrix.
func TestEveryBreakOfTheCatalogueIsAPair(t *testing.T) {
	have := map[string]bool{}
	for _, p := range Pairs() {
		have[p.Row] = true
	}
	for i := 1; i <= 14; i++ {
		if row := fmt.Sprintf("1.7.%d", i); !have[row] {
			t.Errorf("no pair of row %s", row)
		}
	}
}

func TestMalformedPairsAreRefused(t *testing.T) {
	good := Pair{Row: "1.7.1", Additions: "= 7.0.2", Kernels: []string{"5.*"}, Module: ModuleSF, Says: "x", Date: "2026-08-30", Source: "x", Confidence: Seen}
	if _, err := (pairFile{Breaks: []Pair{good}}).pairs(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Pair){
		"no row": func(p *Pair) { p.Row = "" }, "no range": func(p *Pair) { p.Additions = "" }, "no kernel": func(p *Pair) { p.Kernels = nil },
		"another module": func(p *Pair) { p.Module = "vboxdrv" }, "says nothing": func(p *Pair) { p.Says = "" }, "no day": func(p *Pair) { p.Date = "2026" },
		"no source": func(p *Pair) { p.Source = "" }, "another confidence": func(p *Pair) { p.Confidence = "sure" }, "fixed in nothing": func(p *Pair) { p.Fixed = "soon" },
	} {
		bad := good
		change(&bad)
		if _, err := (pairFile{Breaks: []Pair{bad}}).pairs(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := (pairFile{Builds: []Pair{good}}).pairs(); err == nil {
		t.Error("a pair that builds and breaks is accepted")
	}
}
