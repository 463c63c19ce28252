package cmd

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/fixes"
	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/engine"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/host"
)

func TestFixTellsTheEngine(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.rpm", "a.rpm", "c.deb", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tr := newTrial(t)
	tr.run(t, 0, "fix", "web", "--yes", "--only", "kernel.devel,mount.shares", "--no-reboot", "--keep-unlocked",
		"--allow-downgrade", "--packages", dir)
	o := tr.fixOptions
	if o.DryRun || o.Confirm != nil || o.Journal == nil || o.Stop == nil {
		t.Errorf("--yes: %+v", o)
	}
	if strings.Join(o.OnlyFixes, " ") != "kernel.devel mount.shares" || !o.Plan.NoReboot || !o.Plan.KeepUnlocked || !o.Plan.Downgrade {
		t.Errorf("fix options %+v", o)
	}
	var names []string
	for _, p := range o.Plan.Packages {
		names = append(names, filepath.Base(p.Path))
		if p.Size != 5 || len(p.SHA256) != 64 {
			t.Errorf("package %+v", p)
		}
	}
	if strings.Join(names, " ") != "a.rpm b.rpm c.deb" {
		t.Errorf("packages %v", names)
	}
}

// Nobody there to ask and no --yes: a dry run, which is said on stderr.
func TestFixWithoutTerminal(t *testing.T) {
	tr := newTrial(t)
	tr.run(t, 0, "fix")
	tr.wantErr(t, "this is a dry run, nothing will be changed")
	if !tr.fixOptions.DryRun || tr.fixOptions.Journal != nil {
		t.Errorf("fix options %+v", tr.fixOptions)
	}
	tr = newTrial(t)
	tr.run(t, 0, "fix", "--dry-run")
	if tr.err.Len() != 0 || !tr.fixOptions.DryRun {
		t.Errorf("--dry-run: %+v, stderr %s", tr.fixOptions, tr.err)
	}
}

// On a terminal every stage is shown and asked for, once.
func TestFixAsks(t *testing.T) {
	for in, want := range map[string]bool{"yes\n": true, "\n": false} {
		tr := newTrial(t)
		tr.streams.InTTY, tr.streams.ErrTTY = true, true
		tr.streams = withInput(tr.streams, in)
		stage := []engine.PlannedFix{{Fix: fixes.Fix{ID: "kernel.devel", Title: "Install kernel-devel", Impact: fixes.ChangesPackages},
			Actions: []action.Action{action.Job{Name: "install kernel-devel", Script: "yum install"}}}}
		var got bool
		tr.fix = func(ctx context.Context, _ []engine.Machine, _ []string, o engine.FixOptions) finding.Report {
			var err error
			if got, err = o.Confirm(ctx, "web", stage); err != nil {
				t.Error(err)
			}
			return tr.report
		}
		tr.run(t, 0, "fix")
		if got != want {
			t.Errorf("answer %q = %v", in, got)
		}
		for _, text := range []string{"kernel.devel: Install kernel-devel (changes packages)\n    - install kernel-devel\n", "Change this on web? [y/N] "} {
			tr.wantErr(t, text)
		}
		if strings.Contains(tr.err.String(), "yum install") {
			t.Errorf("the script is shown without -v:\n%s", tr.err)
		}
	}
}

func TestStageTextInFull(t *testing.T) {
	job := action.Job{Name: "install", Script: "yum install"}
	tr := newTrial(t)
	s := &session{a: tr.app}
	got := s.stageText("web", []engine.PlannedFix{{Fix: fixes.Fix{ID: "a.b"}, Actions: []action.Action{job}}}, true)
	if !strings.Contains(got, job.String()) {
		t.Errorf("-v does not show the whole action:\n%s", got)
	}
}

// The journal is told exactly when something was begun.
func TestJournalIsTold(t *testing.T) {
	for outcome, want := range map[string]bool{finding.Done: true, finding.OutcomeCut: true, finding.Failed: true, "": false} {
		tr := newTrial(t)
		if outcome != "" {
			tr.report.Actions = []finding.ActionRecord{{Machine: "web", Fix: "a.b", Text: "x", Outcome: outcome}}
		}
		tr.run(t, 0, "fix", "--yes")
		path := filepath.Join(tr.env[stateEnv], "journal", "20260301T092030.000Z.jsonl")
		if got := strings.Contains(strings.Join(strings.Fields(tr.out.String()), ""), path); got != want {
			t.Errorf("outcome %q: the journal is told: %v\n%s", outcome, got, tr.out)
		}
	}
}

// A state folder that cannot be written stops a repair, and not an examination.
func TestNoStateFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tr := newTrial(t)
	tr.env[stateEnv] = filepath.Join(file, "state")
	tr.run(t, 0, "check", "-v")
	tr.wantErr(t, "no log is kept of this run")
	tr.run(t, finding.ExitInternal, "fix", "--yes")
	tr.wantErr(t, "nothing may be changed")
}

// The first Ctrl-C lets the engine finish what runs; the second one ends the wait.
func TestFixInterrupted(t *testing.T) {
	tr := newTrial(t)
	tr.fix = func(ctx context.Context, _ []engine.Machine, _ []string, o engine.FixOptions) finding.Report {
		o.Progress("web", "installing kernel-devel")
		tr.signals <- os.Interrupt
		<-o.Stop
		if ctx.Err() != nil {
			t.Error("the first Ctrl-C ended the wait")
		}
		tr.signals <- os.Interrupt
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Second):
			t.Error("the second Ctrl-C did not end the wait")
		}
		tr.report.Actions = []finding.ActionRecord{{Machine: "web", Fix: "kernel.devel", Text: "x", Outcome: finding.OutcomeCut, Message: "still running"}}
		return tr.report
	}
	tr.run(t, finding.ExitInterrupted, "fix", "--yes")
	tr.wantErr(t, "waiting for: web: installing kernel-devel")
	tr.wantErr(t, "In the guest this may go on: web: installing kernel-devel")
	if out := tr.out.String(); !strings.Contains(out, "unknown  kernel.devel") || !strings.Contains(out, "Interrupted") {
		t.Errorf("what was done is not reported:\n%s", out)
	}
}

func TestCheckInterrupted(t *testing.T) {
	tr := newTrial(t)
	tr.check = func(ctx context.Context, _ []engine.Machine, _ []string, o engine.Options) finding.Report {
		o.Progress("web", "examining")
		tr.signals <- os.Interrupt
		<-ctx.Done()
		return tr.report
	}
	tr.run(t, finding.ExitInterrupted, "check", "--format", "json")
	tr.wantErr(t, "ending the examination (web: examining)")
	tr.wantErr(t, "interrupted; nothing was changed")
	if tr.out.Len() != 0 {
		t.Errorf("standard output: %s", tr.out)
	}
}

// An interruption while the host is looked at is an interruption, not an error of the user.
func TestInterruptedEarly(t *testing.T) {
	for _, command := range []string{"check", "fix"} {
		tr := newTrial(t)
		tr.observe = func(ctx context.Context, _ host.Options) (host.Inventory, error) {
			tr.signals <- os.Interrupt
			<-ctx.Done()
			return host.Inventory{}, ctx.Err()
		}
		tr.run(t, finding.ExitInterrupted, command)
	}
}

func TestDownload(t *testing.T) {
	iso := facts.ISO{Path: "/state/iso/x.iso", Version: "7.0.20"}
	for _, c := range []struct {
		name    string
		host    facts.Host
		args    []string
		fetched string
		exit    int
	}{
		{"missing", facts.Host{GivenVersion: "7.0.20"}, []string{"--download"}, "7.0.20", 0},
		{"version of VBoxManage", facts.Host{VBoxManage: facts.Known(facts.VBoxManage{Version: "7.0.20_Debianr163906"})}, []string{"--download"}, "7.0.20", 0},
		{"another version is there", facts.Host{GivenVersion: "7.0.20", AdditionsISO: facts.Known(facts.ISO{Path: "/a", Version: "7.0.6"})}, []string{"--download"}, "7.0.20", 0},
		{"the right one is there", facts.Host{GivenVersion: "7.0.20", AdditionsISO: facts.Known(facts.ISO{Path: "/a", Version: "7.0.20"})}, []string{"--download"}, "", 0},
		{"not allowed", facts.Host{GivenVersion: "7.0.20"}, nil, "", 0},
		{"which version", facts.Host{}, []string{"--download"}, "", finding.ExitUsage},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := newTrial(t)
			tr.observe = func(context.Context, host.Options) (host.Inventory, error) { return host.Inventory{Host: c.host}, nil }
			fetched := ""
			tr.download = func(_ context.Context, v, dir string, d host.Download) (facts.ISO, error) {
				fetched = v
				d.Progress(1, -1)
				if dir != filepath.Join(tr.env[stateEnv], "iso") {
					t.Errorf("into %s", dir)
				}
				return iso, nil
			}
			tr.run(t, c.exit, append([]string{"fix", "--yes"}, c.args...)...)
			if fetched != c.fetched {
				t.Errorf("fetched %q, want %q", fetched, c.fetched)
			}
			if c.fetched != "" && (tr.fixOptions.Plan.ISO != iso || tr.machines[0].Host.AdditionsISO.Or(facts.ISO{}) != iso) {
				t.Errorf("the plan got %+v", tr.fixOptions.Plan.ISO)
			}
		})
	}
	tr := newTrial(t)
	tr.observe = func(context.Context, host.Options) (host.Inventory, error) {
		return host.Inventory{Host: facts.Host{GivenVersion: "7.0.20"}}, nil
	}
	tr.download = func(context.Context, string, string, host.Download) (facts.ISO, error) {
		return facts.ISO{}, errors.New("checksum differs")
	}
	tr.run(t, finding.ExitInternal, "fix", "--yes", "--download")
	tr.wantErr(t, "not downloaded: checksum differs")
}

// TestDefect8SecondCtrlC: it names the job's own log, and an interrupted run that began nothing is no report.
func TestDefect8SecondCtrlC(t *testing.T) {
	for _, begun := range []bool{true, false} {
		tr := newTrial(t)
		tr.fix = func(ctx context.Context, _ []engine.Machine, _ []string, o engine.FixOptions) finding.Report {
			o.Progress("web", "install")
			o.Running("web", "sudo tail -f /jobs/1/log")
			tr.signals <- os.Interrupt
			<-o.Stop
			tr.signals <- os.Interrupt
			<-ctx.Done()
			if begun {
				tr.report.Actions = []finding.ActionRecord{{Machine: "web", Fix: "a.b", Text: "x", Outcome: finding.OutcomeCut}}
			}
			return tr.report
		}
		tr.run(t, finding.ExitInterrupted, "fix", "--yes")
		tr.wantErr(t, "go on: web: install\nTo look, in web: sudo tail -f /jobs/1/log\n")
		out := strings.Join(strings.Fields(tr.out.String()), " ")
		if begun != strings.Contains(out, "what is listed as unknown may go on in the guest") || !begun && out != "" {
			t.Errorf("begun %t: %s", begun, out)
		}
	}
}

// TestDefect9WithoutATerminalEveryChangeIsALine, and nothing is said twice, of a percentage, or with -q.
func TestDefect9WithoutATerminalEveryChangeIsALine(t *testing.T) {
	for args, want := range map[string]string{
		"fix --yes": "web: connecting\nweb: install kernel-devel\nweb: waiting for dnf\n", "fix --yes -q": "", "fix --dry-run": "",
	} {
		tr := newTrial(t)
		tr.fix = func(_ context.Context, _ []engine.Machine, _ []string, o engine.FixOptions) finding.Report {
			for _, what := range []string{"connecting", "install kernel-devel", "install kernel-devel", "upload 5% of 50 MiB", "", "waiting for dnf"} {
				o.Progress("web", what)
			}
			return tr.report
		}
		tr.run(t, 0, strings.Fields(args)...)
		if got := tr.err.String(); got != want {
			t.Errorf("%s: %q", args, got)
		}
	}
}

// TestDefect10And14And28TheQuestion: what was found, what comes off and what stands in the way stand before it, wrapped,
// and a Ctrl-C there waits for nothing.
func TestDefect10And14And28TheQuestion(t *testing.T) {
	tr := newTrial(t)
	tr.streams.InTTY, tr.streams.ErrTTY = true, true
	tr.streams = withInput(tr.streams, "n\nn\n")
	job := action.Job{Name: "install kernel-devel", Script: "unlock /etc/v.list '0:kernel-devel-1.*'\nrun yum -y install " + strings.Repeat("kernel-devel ", 12) + "\n"}
	stage := []engine.PlannedFix{{Fix: fixes.Fix{ID: "kernel.devel", Title: "Install kernel-devel", Impact: fixes.Reboots}, Actions: []action.Action{job}}}
	found := finding.Machine{Name: "web", Kind: finding.KindGuest, Findings: []finding.Finding{
		{ID: "locks.versionlock", Status: finding.Fail, Message: "locked"},
		{ID: "mount.shares", Status: finding.Fail, Message: "not mounted", CausedBy: "locks.versionlock"}}}
	tr.fix = func(ctx context.Context, _ []engine.Machine, _ []string, o engine.FixOptions) finding.Report {
		o.Progress("web", "examining")
		o.Tell(found, []string{"additions.install cannot be done: no ISO"})
		for range 2 {
			if _, err := o.Confirm(ctx, "web", stage); err != nil {
				t.Error(err)
			}
		}
		if now := tr.session.progress.Current(); now != "" {
			t.Errorf("Ctrl-C at the question would wait for %q", now)
		}
		return tr.report
	}
	tr.run(t, 0, "fix")
	for _, text := range []string{"web: additions.install cannot be done: no ISO\n", "web: found\n  FAIL locks.versionlock: locked (explains 1 more)\n",
		"Install kernel-devel (changes packages)\n", "takes locks off in /etc/v.list until it has ended:\n          '0:kernel-devel-1.*'\n"} {
		tr.wantErr(t, text)
	}
	if n := strings.Count(tr.err.String(), "web: found"); n != 1 {
		t.Errorf("what was found stands there %d times", n)
	}
	for line := range strings.Lines(tr.err.String()) {
		if len(strings.TrimRight(line, "\n")) > 80 && !strings.Contains(line, "\x1b") {
			t.Errorf("not wrapped: %q", line)
		}
	}
	if got := firstStop("", ""); got != "Ctrl-C: no new change is begun." {
		t.Error(got)
	}
}

// "host" is this host itself: it alone is repaired, and it is no guest. Where guests are named the host is only examined.
func TestFixOfTheHost(t *testing.T) {
	for _, c := range []struct {
		names    []string
		class    string
		machines string
		repairs  bool
	}{
		{nil, "", "host web", true}, {[]string{"host"}, host.ClassUnknownName, "host", true}, {[]string{"web"}, "", "host web", false},
		{[]string{"host", "web"}, host.ClassUnknownName, "host web", true},
		// A project without any machine has none of that name either: the host was not repaired there.
		{[]string{"host"}, host.ClassNotCreated, "host", true},
		{[]string{"host"}, "", "host host", false},
	} {
		tr := newTrial(t)
		tr.observe = func(_ context.Context, o host.Options) (host.Inventory, error) {
			var inv host.Inventory
			for _, n := range append(o.Names, map[bool][]string{true: {"web"}}[len(o.Names) == 0]...) {
				inv.Machines = append(inv.Machines, host.Machine{Facts: facts.Machine{Name: n}, Class: map[string]string{"host": c.class}[n]})
			}
			return inv, nil
		}
		tr.run(t, 0, append([]string{"fix", "--yes"}, c.names...)...)
		var got []string
		for _, m := range tr.machines {
			got = append(got, m.Facts.Name)
		}
		if strings.Join(got, " ") != c.machines || (tr.machines[0].Look != nil) != c.repairs {
			t.Errorf("%v: %v, repaired %v", c.names, got, tr.machines[0].Look != nil)
		}
		if want := filepath.Join(tr.env[stateEnv], "backup"); tr.fixOptions.Plan.Backups != want {
			t.Errorf("backups go to %q, want %q", tr.fixOptions.Plan.Backups, want)
		}
	}
}

// VBoxManage is run for a repair of the host by the path that was found.
func TestTheHostsVBoxManage(t *testing.T) {
	tr := newTrial(t)
	tr.observe = func(context.Context, host.Options) (host.Inventory, error) {
		return host.Inventory{Host: facts.Host{VBoxManage: facts.Known(facts.VBoxManage{Path: "/opt/VBoxManage"})}}, nil
	}
	var ran []string
	tr.vboxmanage = func(_ context.Context, path string, args ...string) (host.Output, error) {
		ran = append(ran, path+" "+strings.Join(args, " "))
		return host.Output{Stderr: "VBoxManage: error: it is locked"}, nil
	}
	tr.run(t, 0, "fix", "--yes")
	err := tr.machines[0].Manage(t.Context(), "modifyvm", "u")
	if err == nil || !strings.Contains(err.Error(), "it is locked") || !slices.Equal(ran, []string{"/opt/VBoxManage modifyvm u"}) {
		t.Errorf("%v, %q", err, ran)
	}
}
