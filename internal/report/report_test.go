package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/report"
	"github.com/boxdoctor/boxdoctor/internal/testkit"
)

const casesDir = "../../testdata/report"

// loadCase reads one report, sorts and counts it as the engine does, and keeps the exit code of the file.
func loadCase(tb testing.TB, path string) (r finding.Report, fix bool) {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		tb.Fatalf("%s: %v", path, err)
	}
	exit := r.ExitCode
	r.Finish(false)
	r.ExitCode = exit
	return r, strings.HasPrefix(filepath.Base(path), "fix_")
}

// cases lists the inputs: <case>.json, whose name has no second dot.
func cases(tb testing.TB) []string {
	tb.Helper()
	all, err := filepath.Glob(filepath.Join(casesDir, "*.json"))
	if err != nil {
		tb.Fatal(err)
	}
	var in []string
	for _, p := range all {
		if strings.Count(filepath.Base(p), ".") == 1 {
			in = append(in, p)
		}
	}
	if len(in) < 10 {
		tb.Fatalf("only %d cases in %s", len(in), casesDir)
	}
	return in
}

func looks(id string) string { return "reads the facts of " + id }
func impact(fix string) string {
	return map[string]string{"additions.install": "reboots the guest"}[fix]
}
func options(o report.Options) report.Options { o.Looks, o.Impact = looks, impact; return o }

var variants = map[string]struct {
	format string
	o      report.Options
}{
	"json":    {report.FormatJSON, report.Options{}},
	"text":    {report.FormatText, report.Options{Width: 80}},
	"text120": {report.FormatText, report.Options{Width: 120}},
	"textv":   {report.FormatText, report.Options{Width: 100, Verbose: true}},
	"textq":   {report.FormatText, report.Options{Quiet: true}},
	"xml":     {report.FormatJUnit, report.Options{}},
	"github":  {report.FormatGitHub, report.Options{}},
	"ascii":   {report.FormatText, report.Options{Width: 80, ASCII: true}},
}

func render(tb testing.TB, format string, o report.Options, r finding.Report) []byte {
	tb.Helper()
	rep, err := report.New(format, o)
	if err != nil {
		tb.Fatal(err)
	}
	var buf bytes.Buffer
	if err := rep.Report(&buf, r); err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

func TestGolden(t *testing.T) {
	for _, path := range cases(t) {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		r, fix := loadCase(t, path)
		for variant, v := range variants {
			t.Run(name+"/"+variant, func(t *testing.T) {
				o := options(v.o)
				o.Fix = fix
				got := render(t, v.format, o, r)
				testkit.Golden(t, filepath.Join(casesDir, fmt.Sprintf("%s.%d.%s", name, r.ExitCode, variant)), got)
				assertHarmless(t, got)
			})
		}
	}
}

// assertHarmless: nothing but text and newlines reaches the screen, whatever a guest said.
func assertHarmless(tb testing.TB, b []byte) {
	tb.Helper()
	for i, r := range string(b) {
		bad := r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
		if bad {
			tb.Errorf("character %U at byte %d of the output", r, i)
		}
	}
}

// No line of text is longer than the width, but for those that must not be broken: commands, actions, words.
func TestWidth(t *testing.T) {
	for _, path := range cases(t) {
		r, fix := loadCase(t, path)
		for _, width := range []int{80, 120} {
			got := render(t, report.FormatText, report.Options{Width: width, Fix: fix}, r)
			for line := range strings.SplitSeq(string(got), "\n") {
				if len([]rune(line)) > width && !unbreakable(line, r) {
					t.Errorf("%s at %d columns: %d columns in %q", filepath.Base(path), width, len([]rune(line)), line)
				}
			}
		}
	}
}

func unbreakable(line string, r finding.Report) bool {
	words := strings.Fields(line)
	if len(words) <= 2 || words[0] == "run" || words[0] == "next:" {
		return true
	}
	for _, a := range r.Actions {
		if strings.Contains(a.Text, line) || strings.Contains(line, a.Title) {
			return true
		}
	}
	for _, m := range r.Machines {
		if strings.HasPrefix(line, m.Name+"   ") {
			return true
		}
	}
	return false
}

// Commands are printed exactly, on one line, at every width: they are there to be pasted.
func TestCommandsAreNeverBroken(t *testing.T) {
	long := "sudo yum --setopt=obsoletes=0 install kernel-devel-2.6.32-358.10.2.el6.x86_64 kernel-headers-2.6.32-358.10.2.el6.x86_64 # — …"
	r := finding.Report{Machines: []finding.Machine{{Name: "web", Kind: finding.KindGuest, Reachable: true, Findings: []finding.Finding{
		{ID: "a.b", Status: finding.Fail, Advice: []finding.Advice{{Text: "do", Command: long}}}}}}}
	for _, width := range []int{40, 80, 120} {
		got := string(render(t, report.FormatText, report.Options{Width: width, ASCII: true}, r))
		if !strings.Contains(got, "run   "+long+"\n") {
			t.Errorf("width %d: the command is not on one line:\n%s", width, got)
		}
	}
}

func TestUnknownFormat(t *testing.T) {
	_, err := report.New("xml", report.Options{})
	var unknown *report.UnknownFormatError
	if !errors.As(err, &unknown) || unknown.Format != "xml" {
		t.Fatalf("New(xml) = %v", err)
	}
	for _, f := range report.Formats() {
		if !strings.Contains(err.Error(), f) {
			t.Errorf("%q does not list the known format %q", err, f)
		}
	}
}

// The suggested commands reach the same machines: with the flags, quoted, and without names where the flags
// already name the machine.
func TestSuggestedCommands(t *testing.T) {
	r := finding.Report{ExitCode: 1, Machines: []finding.Machine{{Name: "my box", Kind: finding.KindGuest, Reachable: true,
		Findings: []finding.Finding{{ID: "a.b", Status: finding.Fail, Fix: "x.y"}}}}}
	for _, c := range []struct {
		name string
		o    report.Options
		want []string
	}{
		{"project", report.Options{}, []string{"run   boxdoctor fix 'my box' --only a.b\n", "next: boxdoctor fix 'my box'\n"}},
		{"ssh config", report.Options{Flags: "--ssh-config cfg"}, []string{"next: boxdoctor fix 'my box' --ssh-config cfg\n"}},
		{"ssh", report.Options{Flags: "--ssh me@h", NoNames: true}, []string{"next: boxdoctor fix --ssh me@h\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := string(render(t, report.FormatText, c.o, r))
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is missing in:\n%s", want, got)
				}
			}
		})
	}
}

// With --strict, warnings decide the exit code, so -q must show them.
func TestQuietShowsWhatDecides(t *testing.T) {
	r, _ := loadCase(t, filepath.Join(casesDir, "warnings.json"))
	if got := render(t, report.FormatText, report.Options{Quiet: true}, r); len(got) != 0 {
		t.Errorf("-q printed %q for a warning", got)
	}
	got := string(render(t, report.FormatText, report.Options{Quiet: true, Strict: true}, r))
	if want := "web  warn  additions.version: Guest Additions 7.0.6 are older than VirtualBox 7.0.20\n"; got != want {
		t.Errorf("-q --strict = %q, want %q", got, want)
	}
}

// marker paints with visible words, to see what is coloured.
type marker struct{}

func (marker) Good(s string) string    { return "<good>" + s + "</>" }
func (marker) Bad(s string) string     { return "<bad>" + s + "</>" }
func (marker) Warn(s string) string    { return "<warn>" + s + "</>" }
func (marker) Dim(s string) string     { return s }
func (marker) Strong(s string) string  { return s }
func (marker) Command(s string) string { return "<cmd>" + s + "</>" }

// Colour only decorates words that are there anyway: taking it away gives the plain text.
func TestColourOnlyDecorates(t *testing.T) {
	strip := strings.NewReplacer("<good>", "", "<bad>", "", "<warn>", "", "<cmd>", "", "</>", "")
	for _, path := range cases(t) {
		r, fix := loadCase(t, path)
		o := options(report.Options{Fix: fix, Width: 80, Verbose: true})
		plain := string(render(t, report.FormatText, o, r))
		o.Paint = marker{}
		painted := string(render(t, report.FormatText, o, r))
		if strip.Replace(painted) != plain {
			t.Errorf("%s: colour changes the text", filepath.Base(path))
		}
		if strings.Contains(plain, "FAIL") && !strings.Contains(painted, "<bad>FAIL</>") {
			t.Errorf("%s: failures are not coloured", filepath.Base(path))
		}
	}
}

type brokenWriter struct{ err error }

func (b brokenWriter) Write([]byte) (int, error) { return 0, b.err }

func TestWriterErrorsComeBack(t *testing.T) {
	want := errors.New("disk full")
	for _, f := range report.Formats() {
		rep, err := report.New(f, report.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := rep.Report(brokenWriter{want}, finding.Report{}); !errors.Is(err, want) {
			t.Errorf("%s: error %v, want %v", f, err, want)
		}
	}
}

// Rendering must not change the report: several renderers get the same one.
func TestReportIsNotChanged(t *testing.T) {
	r, _ := loadCase(t, filepath.Join(casesDir, "hostile.json"))
	before, _ := json.Marshal(r)
	for _, f := range report.Formats() {
		render(t, f, report.Options{Fix: true, Verbose: true}, r)
	}
	if after, _ := json.Marshal(r); !bytes.Equal(before, after) {
		t.Error("a renderer changed its input")
	}
}

func asText(t *testing.T, o report.Options, r finding.Report) string {
	t.Helper()
	return string(render(t, report.FormatText, o, r))
}

func guestOf(fs ...finding.Finding) []finding.Machine {
	return []finding.Machine{{Name: "web", Kind: finding.KindGuest, Reachable: true, Findings: fs}}
}

// TestDefect8UnknownIsNotWorse, and a machine that nobody looked at again has no table.
func TestDefect8UnknownIsNotWorse(t *testing.T) {
	well, sick := finding.Finding{ID: "a.b", Status: finding.Pass}, finding.Finding{ID: "c.d", Status: finding.Fail}
	gone := finding.Finding{ID: "a.b", Status: finding.Unknown}
	if got := asText(t, report.Options{Fix: true}, finding.Report{Before: guestOf(well), After: guestOf(gone)}); strings.Contains(got, "worse") || !strings.Contains(got, "a.b    ok      ?") {
		t.Errorf("%s", got)
	}
	cut := []finding.ActionRecord{{Machine: "web", Fix: "x.y", Title: "install", Text: "x", Outcome: finding.OutcomeCut}}
	r := finding.Report{Before: guestOf(well, sick), After: guestOf(), Machines: guestOf(), Actions: cut, ExitCode: finding.ExitInterrupted}
	if got := asText(t, report.Options{Fix: true}, r); strings.Contains(got, "before") || !strings.HasSuffix(got, "next: boxdoctor check web\n") || strings.Count(got, "\n") > 8 {
		t.Errorf("%s", got)
	}
}

// TestDefect23TheLibraryIsShownOnce, with -v only.
func TestDefect23TheLibraryIsShownOnce(t *testing.T) {
	job := finding.ActionRecord{Machine: "web", Fix: "x.y", Stage: 1, Title: "a", Text: "sudo sh", Outcome: finding.Planned, Lib: "busy() { :; }\n"}
	r := finding.Report{DryRun: true, Actions: []finding.ActionRecord{job, job}}
	for verbose, want := range map[bool]int{false: 0, true: 1} {
		if got := asText(t, report.Options{Fix: true, Verbose: verbose}, r); strings.Count(got, "busy() { :; }") != want {
			t.Errorf("-v %t: %s", verbose, got)
		}
	}
}

// TestDefect24Next: the last line after a time-out asks for more time, and what is only a minor warning is not "fix".
func TestDefect24Next(t *testing.T) {
	unknown := finding.Finding{ID: "a.b", Status: finding.Unknown}
	minor := finding.Finding{ID: "a.b", Status: finding.Warn, Severity: finding.Minor, Fix: "x.y"}
	for want, r := range map[string]finding.Report{
		"boxdoctor check web --ssh h --timeout 40s": {Machines: guestOf(unknown), TimedOut: []string{"web"}},
		"boxdoctor fix web --ssh h --only a.b":      {Machines: guestOf(minor)},
	} {
		if got := asText(t, report.Options{Flags: "--ssh h", Timeout: 20 * time.Second}, r); !strings.HasSuffix(got, "\nnext: "+want+"\n") {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}

// TestDefect25WhatAnEarlierRunDid is not "nothing was changed".
func TestDefect25WhatAnEarlierRunDid(t *testing.T) {
	r := finding.Report{Before: guestOf(finding.Finding{ID: "a.b", Status: finding.Fail}), After: guestOf(finding.Finding{ID: "a.b", Status: finding.Pass})}
	if got := asText(t, report.Options{Fix: true}, r); !strings.Contains(got, "this run changed nothing itself\n") || strings.Contains(got, "nothing was changed") {
		t.Errorf("%s", got)
	}
}

// TestDefect28ChangesAreWrapped: rows of changes ran over the edge.
func TestDefect28ChangesAreWrapped(t *testing.T) {
	a := finding.ActionRecord{Machine: "web", Fix: strings.Repeat("x", 30), Title: strings.Repeat("word ", 30), Outcome: finding.Done}
	for _, width := range []int{40, 80} {
		for line := range strings.Lines(asText(t, report.Options{Fix: true, Width: width}, finding.Report{Actions: []finding.ActionRecord{a}})) {
			if len(line) > width+1 && !strings.Contains(line, a.Fix) {
				t.Errorf("%d columns: %q", width, line)
			}
		}
	}
}

// A finding has five parts: what was seen and expected, why, what to do, and with -v a page to read on.
func TestFindingsNameAPage(t *testing.T) {
	r := finding.Report{Machines: []finding.Machine{{Name: "host", Kind: finding.KindHost, Reachable: true, Findings: []finding.Finding{
		{ID: "vbox.hung", Status: finding.Fail, Message: "it hangs", Link: "https://example.org/page"}}}}}
	for _, verbose := range []bool{true, false} {
		var b strings.Builder
		if err := report.NewText(report.Options{Verbose: verbose}).Report(&b, r); err != nil || strings.Contains(b.String(), "link  https://example.org/page\n") != verbose {
			t.Errorf("verbose %v: %v\n%s", verbose, err, b.String())
		}
	}
}
