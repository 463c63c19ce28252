package main

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/checks"
	"github.com/boxdoctor/boxdoctor/fixes"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
	"github.com/boxdoctor/boxdoctor/internal/testkit"
)

// catalogueRow is one failure of the catalogue and all that this repository says about it.
type catalogueRow struct {
	id, title string
	// general: known from general knowledge only, to be confirmed on a real guest.
	general                   bool
	checks, fixes, signatures []string
	// reason says why something is left out; kind what: see reasonKinds.
	kind, reason string
	proofs       []string
}

// reasonKinds are what a line of reasons.txt may say.
var reasonKinds = map[string]string{
	"open":  "nothing recognises it yet, or its repair is still to be written",
	"none":  "nothing can recognise it from here",
	"words": "recognised; its finding gives words and commands, and no fix repairs it",
	"tool":  "recognised or avoided by how boxdoctor itself works; no finding is needed",
}

// environments in which a row can have been proven besides the unit tests.
var environments = []string{"demo", "container", "vm", "recording"}

const rowFolder = "testdata/rows/"

// lines are the lines of a list that are neither empty nor a comment.
func lines(t *testing.T, name string) []string {
	t.Helper()
	file, err := os.Open(rowFolder + name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var out []string
	for s := bufio.NewScanner(file); s.Scan(); {
		if line := strings.TrimSpace(s.Text()); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
}

// catalogue reads the list and gathers from the registries who knows each row.
func catalogue(t *testing.T) []*catalogueRow {
	t.Helper()
	var rows []*catalogueRow
	byID := map[string]*catalogueRow{}
	for _, line := range lines(t, "catalogue.txt") {
		id, title, _ := strings.Cut(line, " ")
		id, general := strings.CutSuffix(id, "*")
		if byID[id] != nil {
			t.Errorf("catalogue.txt has row %s twice", id)
		}
		byID[id] = &catalogueRow{id: id, title: title, general: general}
		rows = append(rows, byID[id])
	}
	gather(t, byID)
	for _, line := range lines(t, "reasons.txt") {
		id, rest, _ := strings.Cut(line, " ")
		kind, reason, _ := strings.Cut(rest, " ")
		if r := byID[id]; r == nil || reasonKinds[kind] == "" || reason == "" || r.kind != "" {
			t.Errorf("reasons.txt: %q: want ROW KIND REASON, one line a row, KIND one of %v", line, slices.Sorted(maps.Keys(reasonKinds)))
		} else {
			r.kind, r.reason = kind, reason
		}
	}
	proofs(t, byID)
	return rows
}

// rowForm is the id of a row of the guest catalogue; other ids (sections, the host's failures) are not in the list.
var rowForm = regexp.MustCompile(`^([KLTSMVH]\d+|1\.7\.\d+)$`)

func gather(t *testing.T, byID map[string]*catalogueRow) {
	t.Helper()
	add := func(who string, rows []string, list func(*catalogueRow) *[]string) {
		for _, id := range rows {
			if r := byID[id]; r != nil {
				if at := list(r); !slices.Contains(*at, who) {
					*at = append(*at, who)
				}
			} else if rowForm.MatchString(id) {
				t.Errorf("%s names row %s, which is not in the catalogue", who, id)
			}
		}
	}
	for _, c := range checks.All() {
		add(c.ID, c.Rows, func(r *catalogueRow) *[]string { return &r.checks })
	}
	for _, f := range fixes.All() {
		add(f.ID, f.Rows, func(r *catalogueRow) *[]string { return &r.fixes })
	}
	for _, s := range knowledge.Signatures() {
		add(s.ID, s.Rows, func(r *catalogueRow) *[]string { return &r.signatures })
	}
}

// proofs reads who proved a row where: ROW ENVIRONMENT TEST. The test must exist, so that a proof cannot outlive it.
func proofs(t *testing.T, byID map[string]*catalogueRow) {
	t.Helper()
	tests := testNames(t)
	for _, line := range lines(t, "proofs.txt") {
		w := strings.Fields(line)
		switch {
		case len(w) != 3 || byID[w[0]] == nil || !slices.Contains(environments, w[1]):
			t.Errorf("proofs.txt: %q: want ROW ENVIRONMENT TEST, ENVIRONMENT one of %v", line, environments)
		case !tests[w[2]]:
			t.Errorf("proofs.txt: %q: there is no test %s", line, w[2])
		case !slices.Contains(byID[w[0]].proofs, w[1]):
			byID[w[0]].proofs = append(byID[w[0]].proofs, w[1])
		}
	}
}

var testName = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

// testNames are the test functions of the whole repository, those behind build tags too.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, pattern := range []string{"*_test.go", "*/*_test.go", "*/*/*_test.go", "*/*/*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			for _, m := range testName.FindAllStringSubmatch(read(t, f), -1) {
				out[m[1]] = true
			}
		}
	}
	return out
}

// Every row of the catalogue is recognised by a check or a signature, and repaired by a fix, or it is written down why
// not. What is written down and not true any more fails too.
func TestEveryRowOfTheCatalogueIsKnown(t *testing.T) {
	for _, r := range catalogue(t) {
		known := r.known()
		switch {
		case !known && r.kind == "":
			t.Errorf("%s (%s) has neither a check nor a signature: write one, or the reason into %sreasons.txt", r.id, r.title, rowFolder)
		case !known && r.kind == "words":
			t.Errorf("%s (%s) is said to have words, but no check or signature says them", r.id, r.title)
		case known && len(r.fixes) == 0 && r.kind == "":
			t.Errorf("%s (%s) is recognised (%s) and no fix repairs it: write one, or say in %sreasons.txt why there are words only",
				r.id, r.title, strings.Join(append(r.checks, r.signatures...), ", "), rowFolder)
		case known && r.kind == "none":
			t.Errorf("%s (%s) is recognised by %s: take its \"none\" off %sreasons.txt", r.id, r.title, strings.Join(append(r.checks, r.signatures...), ", "), rowFolder)
		case known && len(r.fixes) > 0 && r.kind != "":
			t.Errorf("%s (%s) is repaired by %s: take its %q off %sreasons.txt", r.id, r.title, strings.Join(r.fixes, ", "), r.kind, rowFolder)
		}
	}
}

// docs/coverage.md is the same knowledge for people; -update writes it anew.
func TestCoverageTableIsCurrent(t *testing.T) {
	testkit.Golden(t, "docs/coverage.md", []byte(coverage(catalogue(t))))
}

func coverage(rows []*catalogueRow) string {
	count := map[string]int{}
	var table strings.Builder
	for _, r := range rows {
		count[r.state()]++
		fmt.Fprintf(&table, "| %s | %s | %s | %s | %s | %s |\n", r.name(), r.title, code(r.checks), r.repair(), code(r.signatures), r.proven())
	}
	var out strings.Builder
	fmt.Fprintf(&out, coverageHead, len(rows), count["repaired"], count["words"], count["tool"], count["none"], count["open"])
	out.WriteString(table.String())
	return out.String()
}

const coverageHead = `# What boxdoctor knows of the failure catalogue

Written by ` + "`make update`" + ` from the checks, fixes and signatures and from testdata/rows; a test compares it.

%d rows: %d with a repair, %d with words and commands only, %d that boxdoctor avoids by how it works, %d that cannot be recognised from here,
%d open.

Proven: unit means tables over made facts (pass, fail and unknown of every check, golden plans of every fix, a sample of every signature);
demo the embedded guest; container and vm a real guest ([testing](testing.md)); recording the words of a real machine. A star: the row is
general knowledge and not confirmed on a real guest; the finding says so.

| row | failure | checks | repair | signatures | proven |
|---|---|---|---|---|---|
`

// known tells whether a check or a signature recognises the row.
func (r *catalogueRow) known() bool { return len(r.checks)+len(r.signatures) > 0 }

func (r *catalogueRow) state() string {
	if r.known() && len(r.fixes) > 0 {
		return "repaired"
	}
	return r.kind
}

// name has the star only as long as nothing real confirmed the row.
func (r *catalogueRow) name() string {
	if r.general && !slices.ContainsFunc(r.proofs, func(p string) bool { return p != "demo" }) {
		return r.id + "\\*"
	}
	return r.id
}

func (r *catalogueRow) repair() string {
	switch {
	case r.kind == "":
		return code(r.fixes)
	case r.kind == "words":
		return "words only: " + r.reason
	}
	return r.kind + ": " + r.reason
}

func (r *catalogueRow) proven() string {
	if len(r.checks)+len(r.fixes)+len(r.signatures) == 0 {
		return ""
	}
	return strings.Join(append([]string{"unit"}, r.proofs...), ", ")
}

func code(ids []string) string {
	var out []string
	for _, id := range ids {
		out = append(out, "`"+id+"`")
	}
	return strings.Join(out, ", ")
}
