package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/demo"
	"github.com/boxdoctor/boxdoctor/internal/engine"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/host"
)

// realTrial is the whole program over the embedded guest: real SSH, probe, checks, plans and changes. Only
// the host's side is the guest's own.
func realTrial(t *testing.T, g *demo.Guest) *trial {
	tr := newTrial(t)
	tr.check, tr.fix, tr.dial, tr.now = engine.Check, engine.Fix, dialGuest, time.Now
	tr.observe = func(context.Context, host.Options) (host.Inventory, error) {
		m := host.Machine{Facts: g.Machine(), Host: g.Host(), SSH: g.SSH()}
		return host.Inventory{Host: g.Host(), Machines: []host.Machine{m}}, nil
	}
	return tr
}

// reportOf runs a command with --format json, checks the document against its schema and decodes it.
func (tr *trial) reportOf(t *testing.T, want int, args ...string) finding.Report {
	t.Helper()
	tr.out.Reset()
	tr.run(t, want, append(args, "--format", "json")...)
	s, err := jsonschema.NewCompiler().Compile("../docs/schema/" + args[0] + ".json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(tr.out.Bytes()))
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, tr.out)
	}
	if err := s.Validate(doc); err != nil {
		t.Errorf("%v: %v", args, err)
	}
	var r finding.Report
	if err := json.Unmarshal(tr.out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if r.ExitCode != want {
		t.Errorf("%v: exit_code %d, want %d", args, r.ExitCode, want)
	}
	return r
}

func statusesOf(r finding.Report) string {
	var b strings.Builder
	for _, m := range r.Machines {
		for _, f := range m.Findings {
			b.WriteString(m.Name + " " + f.ID + " " + string(f.Status) + "\n")
		}
	}
	return b.String()
}

// The founding case through the command line: examined, planned without a change, repaired, proved, and
// then there is nothing left to do.
func TestFoundingCase(t *testing.T) {
	g, err := demo.Start(t.Context(), demo.Founding())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	tr := realTrial(t, g)

	sick := tr.reportOf(t, finding.ExitFailed, "check")
	plan := tr.reportOf(t, finding.ExitFailed, "fix", "--dry-run")
	if !plan.DryRun || len(plan.Actions) == 0 {
		t.Errorf("dry run %v with %d actions", plan.DryRun, len(plan.Actions))
	}
	if again := tr.reportOf(t, finding.ExitFailed, "check"); statusesOf(again) != statusesOf(sick) {
		t.Errorf("the dry run changed something:\n%s\nbefore:\n%s", statusesOf(again), statusesOf(sick))
	}

	fixed := tr.reportOf(t, finding.ExitOK, "fix", "--yes")
	if fixed.Summary.Fail != 0 || len(fixed.Before) == 0 || len(fixed.After) == 0 {
		t.Errorf("after the repair: %+v", fixed.Summary)
	}
	checkJournal(t, tr.env[stateEnv], fixed)

	if idle := tr.reportOf(t, finding.ExitOK, "fix", "--dry-run"); len(idle.Actions) != 0 {
		t.Errorf("the second run plans %d actions", len(idle.Actions))
	}
	tr.reportOf(t, finding.ExitOK, "check", "--strict")
}

// checkJournal: every action that was done has a begin with its text and an end, in a file for its owner only.
func checkJournal(t *testing.T, state string, r finding.Report) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(state, "journal", "*.jsonl"))
	if len(files) != 1 || !strings.Contains(strings.Join(r.Notes, "\n"), files[0]) {
		t.Fatalf("journals %v, notes %v", files, r.Notes)
	}
	if info, err := os.Stat(files[0]); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("journal %v, %v", info.Mode(), err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]int{}
	for line := range strings.Lines(string(b)) {
		var e action.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if states[e.State]++; e.State == "begin" && e.Text == "" {
			t.Errorf("%s is begun without its text", e.Title)
		}
	}
	if states["begin"] != len(r.Actions) || states["done"] != len(r.Actions) {
		t.Errorf("%v in the journal for %d actions", states, len(r.Actions))
	}
}

// A machine that is gone is a report, and exit 3.
func TestUnreachableMachine(t *testing.T) {
	g, err := demo.Start(t.Context(), demo.Founding())
	if err != nil {
		t.Fatal(err)
	}
	tr := realTrial(t, g)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	r := tr.reportOf(t, finding.ExitUnexamined, "check", g.Machine().Name)
	if m := r.Machines[len(r.Machines)-1]; m.Reachable {
		t.Errorf("%s counts as reached", m.Name)
	}
}
