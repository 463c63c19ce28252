package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/passthru"
	"github.com/boxdoctor/boxdoctor/internal/term"
)

// inCI puts a trial into a CI system that gives its jobs a terminal.
func (tr *trial) inCI(pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		tr.env[pairs[i]] = pairs[i+1]
	}
	s := tr.streams
	s.CI, s.InTTY, s.OutTTY, s.ErrTTY = term.DetectCI(tr.getenv), true, true, true
}

// The report of a job of GitHub Actions has a group for each machine, and no words of a guest command the job.
func TestReportsInGitHubActions(t *testing.T) {
	tr := newTrial(t)
	tr.inCI("GITHUB_ACTIONS", "true")
	tr.report.Machines[0].Findings = []finding.Finding{{ID: "mount.shares", Status: finding.Fail, Severity: finding.Critical,
		Message: "::set-env name=PATH::/evil", Got: "##[add-mask]x"}}
	file := filepath.Join(t.TempDir(), "report.txt")
	tr.run(t, 0, "check", "--output", "text="+file)
	out := tr.out.String()
	if !strings.Contains(out, "::group::web\nweb\n") || !strings.Contains(out, "::endgroup::\n") {
		t.Errorf("no group: %s", out)
	}
	for line := range strings.Lines(out) {
		if l := strings.TrimSpace(line); strings.Contains(l, "##[") || strings.HasPrefix(l, "::") && l != "::group::web" && l != "::endgroup::" {
			t.Errorf("the guest commands: %s", line)
		}
	}
	if kept, err := os.ReadFile(file); err != nil || strings.Contains(string(kept), "::group::") {
		t.Errorf("a file has no groups: %s, %v", kept, err)
	}
}

// A job is never asked, whatever terminal it has: without --yes a fix is a dry run.
func TestNobodyIsAskedInCI(t *testing.T) {
	for _, ci := range [][]string{{"CI", "true"}, {"GITLAB_CI", "true"}, {"GITHUB_ACTIONS", "true"}} {
		tr := newTrial(t)
		tr.inCI(ci...)
		tr.run(t, 0, "fix")
		tr.wantErr(t, "this is a dry run")
		if !tr.fixOptions.DryRun {
			t.Errorf("%v: it would have asked", ci)
		}
	}
}

// What vagrant prints stands in a group of its own and is not touched.
func TestUpInCI(t *testing.T) {
	l := newLaunch(t)
	l.inCI("GITLAB_CI", "true")
	l.runs = []passthru.Result{{}}
	l.run(t, 0, "up")
	l.wantErr(t, ":boxdoctor_vagrant_up\r\x1b[0Kvagrant up\n")
	l.wantErr(t, "section_end:")
	if l.out.Len() > 0 {
		t.Errorf("on stdout, which is vagrant's: %q", l.out)
	}
}
