package cmd

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/engine"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/host"
)

// What a run of fix changed on this host is listed and put back like that of a guest, and its kinds were missing from the
// schema of `undo --format json`.
func TestUndoOfTheHost(t *testing.T) {
	tr := newTrial(t)
	tr.undo = engine.Undo
	project := t.TempDir()
	tr.env["VAGRANT_CWD"] = project
	tr.observe = func(context.Context, host.Options) (host.Inventory, error) {
		return host.Inventory{Host: facts.Host{OS: "linux", ProjectRoot: facts.Known(project)}}, nil
	}
	old, aside := filepath.Join(project, "vm"), filepath.Join(project, "vm.aside")
	if err := os.WriteFile(aside, []byte("disk"), 0o600); err != nil {
		t.Fatal(err)
	}
	j, err := action.NewFileJournal(filepath.Join(tr.journalDir(), action.JournalName(tr.now())))
	if err != nil {
		t.Fatal(err)
	}
	e := action.Entry{Time: time.Unix(1, 0), Run: "r", Machine: engine.HostName, Host: true, Project: project, Fix: "host.leftovers", State: "begin"}
	for i, c := range []action.Change{
		{Kind: action.KindMoved, Folder: project, Path: old, Copy: aside, Was: "here", Left: "aside"},
		{Kind: action.KindDHCP, Path: "HostInterfaceNetworking-vboxnet0", Was: "dhcp 10.0.0.2 255.255.255.0 10.0.0.3 10.0.0.254", Left: "absent"},
		{Kind: action.KindCable, Path: "u 1", Was: "off", Left: "on"},
		{Kind: action.KindMode, Folder: project, Path: filepath.Join(project, "key"), Was: "mode 0644", Left: "mode 0600"},
	} {
		e.Seq, e.Changes = i+1, []action.Change{c}
		if err := j.Record(e); err != nil {
			t.Fatal(err)
		}
	}
	if r := tr.undoOf(t, finding.ExitFailed, "--dry-run"); outcomes(r)[finding.Planned] != 1 || outcomes(r)[finding.Skipped] != 3 {
		t.Errorf("dry run: %v", outcomes(r))
	}
	r := tr.undoOf(t, finding.ExitFailed, "--yes")
	if _, err := os.Stat(old); err != nil || outcomes(r)[finding.Undone] != 1 {
		t.Errorf("%v, %v", err, outcomes(r))
	}
	tr.out.Reset()
	tr.run(t, 0, "undo", "--list")
	if !strings.Contains(tr.out.String(), " host ") {
		t.Error(tr.out)
	}
	tr.run(t, finding.ExitUsage, "undo", "--snapshot", "--dry-run")
}
