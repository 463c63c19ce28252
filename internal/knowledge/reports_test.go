package knowledge

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// report is a text as a user would paste it, and what has to be found in it.
type report struct {
	name string
	want []string // rows of which the first match must have one, or a verdict
	text string
}

func readReports(t testing.TB) []report {
	t.Helper()
	var out []report
	for _, path := range textFiles(t, "reports") {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		head, _, _ := strings.Cut(string(b), "\n")
		want, ok := strings.CutPrefix(head, "# root: ")
		if !ok {
			t.Fatalf("%s: the first line must be # root: and rows or a verdict", path)
		}
		out = append(out, report{filepath.Base(path), strings.Fields(want), sample(t, path)})
	}
	return out
}

// Of every whole report the root cause stands first; what is none of ours stays unknown; noise is harmless.
func TestReports(t *testing.T) {
	kinds := map[string]int{}
	for _, r := range readReports(t) {
		e, err := Embedded().Explain(t.Context(), Text{Reader: strings.NewReader(r.text)})
		if err != nil {
			t.Fatal(err)
		}
		kind := r.want[0]
		if kind != string(Unknown) && kind != string(Harmless) {
			kind = string(Known)
		}
		kinds[kind]++
		if string(e.Verdict) != kind {
			t.Errorf("%s: verdict %s %v, want %s", r.name, e.Verdict, matchIDs(e.Matches), kind)
			continue
		}
		if kind == string(Known) && !slices.ContainsFunc(r.want, func(row string) bool { return slices.Contains(e.Matches[0].Rows, row) }) {
			t.Errorf("%s: the first match is %v with rows %v, want a row of %v", r.name, matchIDs(e.Matches), e.Matches[0].Rows, r.want)
		}
	}
	if kinds["known"] < 80 || kinds["unknown"] < 25 || kinds["harmless"] < 10 {
		t.Errorf("too few reports: %v", kinds)
	}
}

func matchIDs(list []Match) []string {
	var out []string
	for _, m := range list {
		out = append(out, m.Signature.ID)
	}
	return out
}

// Every literal text of the catalogues that names one row alone is found, and names that row.
func TestTextsOfTheCatalogues(t *testing.T) {
	b, err := os.ReadFile("testdata/catalogue.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		row, text, ok := strings.Cut(strings.TrimRight(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") {
			continue
		}
		e, err := Embedded().Explain(t.Context(), Text{Reader: strings.NewReader(text)})
		if n++; !ok || err != nil || e.Verdict != Known || !slices.Contains(e.Matches[0].Rows, row) {
			t.Errorf("row %s: %q is %s %v", row, text, e.Verdict, matchIDs(e.Matches))
		}
	}
	if n < 150 {
		t.Errorf("only %d texts", n)
	}
}

// silent are rows of the host that no text can show: nothing is printed.
var silent = []string{"vm.stale_id", "vm.never_provisioned"}

// hostRows are the rows of the host catalogue.
func hostRows(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile("../../testdata/rows/host.txt")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(b[bytes.IndexByte(b, '\n'):]))
}

func TestEveryRowOfTheHostHasASignature(t *testing.T) {
	known := map[string]bool{}
	for _, s := range Embedded().signatures {
		for _, r := range s.Rows {
			known[r] = true
		}
	}
	rows := hostRows(t)
	for _, id := range rows {
		if known[id] == slices.Contains(silent, id) {
			t.Errorf("%s: a signature %v, silent %v", id, known[id], !known[id])
		}
	}
	if len(rows) != 112 {
		t.Errorf("%d rows, the catalogue has 112", len(rows))
	}
}
