package cmd

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/engine"
	"github.com/boxdoctor/boxdoctor/internal/finding"
)

func inFolder(t *testing.T, name, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestReadWaivers(t *testing.T) {
	dir := inFolder(t, configFile, "# synthetic\nresources: []\nwaivers:\n  - {id: vbox.extpack, reason: not used here, expires: 2026-12-31}\n")
	below := filepath.Join(dir, "a", "b")
	if err := os.MkdirAll(below, 0o700); err != nil {
		t.Fatal(err)
	}
	ws, err := readWaivers(below)
	if err != nil || len(ws) != 1 || ws[0].ID != "vbox.extpack" {
		t.Errorf("%+v, %v", ws, err)
	}
	for name, c := range map[string]struct{ text, says string }{
		"no reason":     {"waivers: [{id: vbox.extpack, expires: 2026-12-31}]", "are all required"},
		"no such check": {"waivers: [{id: vbox.extpak, reason: x, expires: 2026-12-31}]", "vbox.extpack"},
		"no date":       {"waivers: [{id: vbox.extpack, reason: x, expires: soon}]", "2026-12-31 is expected"},
		"no YAML":       {"waivers: [", configFile},
	} {
		if _, err := readWaivers(inFolder(t, configFile, c.text)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWaive(t *testing.T) {
	ws := []waiver{{ID: "a.b", Reason: "known", Expires: "2026-03-01", until: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}}
	report := func() finding.Report {
		r := finding.Report{Machines: []finding.Machine{{Name: "web", Reachable: true, Findings: []finding.Finding{
			{ID: "a.b", Status: finding.Fail, Message: "broken"}, {ID: "c.d", Status: finding.Warn, CausedBy: "a.b"}, {ID: "e.f", Status: finding.Pass}}}}}
		r.Finish(false)
		return r
	}
	r := report()
	waive(&r, ws, time.Date(2026, 3, 1, 23, 0, 0, 0, time.UTC), false)
	fs := r.Machines[0].Findings
	if r.ExitCode != finding.ExitOK || fs[0].Status != finding.Skip || !strings.Contains(fs[0].Message, "known") || fs[1].CausedBy != "" {
		t.Errorf("on its last day: %d, %+v", r.ExitCode, fs)
	}
	r = report()
	r.Machines[0].Findings[0].Status = finding.Warn
	waive(&r, ws, time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC), false)
	if fs = r.Machines[0].Findings; r.ExitCode != finding.ExitFailed || !strings.Contains(fs[0].Message, "expired on 2026-03-01") {
		t.Errorf("after it: %d, %+v", r.ExitCode, fs)
	}
}

func TestCheckWaives(t *testing.T) {
	t.Chdir(inFolder(t, configFile, "waivers: [{id: vbox.extpack, reason: not used, expires: 2026-12-31}]"))
	tr := newTrial(t)
	tr.report.Machines[0].Findings = []finding.Finding{{ID: "vbox.extpack", Status: finding.Fail, Message: "old"}}
	tr.report.ExitCode = finding.ExitFailed
	tr.run(t, finding.ExitOK, "check")
}

// --retry-timeout: the wait ends as soon as everything is healthy.
func TestRetryUntilHealthy(t *testing.T) {
	tr := newTrial(t)
	looks := 0
	check := tr.check
	tr.check = func(ctx context.Context, ms []engine.Machine, notes []string, o engine.Options) finding.Report {
		r := check(ctx, ms, notes, o)
		if looks++; looks < 3 {
			r.ExitCode = finding.ExitFailed
		}
		return r
	}
	tr.run(t, finding.ExitOK, "check", "--retry-timeout", "10s", "--retry-sleep", "1ms")
	if looks != 3 {
		t.Errorf("%d looks", looks)
	}
	looks = -1000
	tr.run(t, finding.ExitFailed, "check", "--retry-timeout", "20ms", "--retry-sleep", "1ms")
	tr.run(t, finding.ExitUsage, "check", "--retry-timeout", "-1s")
}
