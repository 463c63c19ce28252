package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/fixes"
	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// here is a host in a folder whose one machine was made by another user, and whose cable is unplugged. Looking reads the
// file; VBoxManage changes the cable.
type here struct {
	t       *testing.T
	root    string
	plugged bool
	refuse  error
	entries []action.Entry
}

func newHere(t *testing.T) *here {
	h := &here{t: t, root: t.TempDir()}
	if err := os.WriteFile(h.uid(), []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *here) uid() string { return filepath.Join(h.root, "creator_uid") }

func (h *here) read() string {
	h.t.Helper()
	data, err := os.ReadFile(h.uid())
	if err != nil {
		h.t.Fatal(err)
	}
	return string(data)
}

func (h *here) look(context.Context) (facts.Host, error) {
	f := assesstest.LinuxHost()
	assesstest.Edit(&f.Host.Preflight.Project, func(p *facts.Project) {
		r := &p.Records[0]
		p.Root, r.Dir, r.CWD, r.CreatorUID = h.root, h.root, h.root, h.read()
		r.Files = map[string]facts.TextFile{"creator_uid": {Path: h.uid(), Content: r.CreatorUID}}
		if !h.plugged {
			assesstest.Edit(&r.Settings, func(s *facts.VMSettings) { s.CableOff = []int{1} })
		}
	})
	return f.Host, nil
}

func (h *here) manage(_ context.Context, args ...string) error {
	if h.refuse != nil {
		return h.refuse
	}
	h.plugged = args[len(args)-1] == "on"
	return nil
}

func (h *here) machine() Machine {
	now, _ := h.look(context.Background()) //nolint:errcheck // it has none
	return Machine{Facts: facts.Machine{Name: HostName}, Host: now, Look: h.look, Manage: h.manage}
}

// Record makes the host its own journal.
func (h *here) Record(e action.Entry) error {
	if e.State == "begin" {
		h.entries = append(h.entries, e)
	}
	return nil
}

func (h *here) options() FixOptions {
	return FixOptions{Journal: h, Plan: fixes.Input{Backups: filepath.Join(h.t.TempDir(), "backup")}, Options: Options{Version: "test", Timeout: time.Minute}}
}

func (h *here) fix(o FixOptions) finding.Report {
	return Fix(h.t.Context(), []Machine{h.machine()}, nil, o)
}

func TestFixRepairsTheHost(t *testing.T) {
	h := newHere(t)
	r := h.fix(h.options())
	if r.ExitCode != 0 || did(r) != "host.creator_uid done, host.cable done" || h.read() != "1000" || !h.plugged {
		t.Fatalf("exit %d, %s\n%s\n%q", r.ExitCode, did(r), bad(r), r.Notes)
	}
	if r = h.fix(h.options()); len(r.Actions) > 0 || r.ExitCode != 0 {
		t.Errorf("the next run did something: %s", did(r))
	}
}

func TestUndoTakesTheHostBack(t *testing.T) {
	h := newHere(t)
	h.fix(h.options())
	run := action.Recorded{ID: "r", Machines: []action.RecordedMachine{{Name: HostName, Host: true, Run: "1", Entries: h.entries}}}
	o := UndoOptions{Run: run, Journal: h, Backups: t.TempDir(), Options: Options{Timeout: time.Minute}}
	o.DryRun = true
	if r := Undo(t.Context(), []Machine{h.machine()}, nil, o); len(r.Machines[0].Items) != 2 || h.read() != "1000" {
		t.Errorf("dry run: %+v", r.Machines[0])
	}
	o.DryRun = false
	r := Undo(t.Context(), []Machine{h.machine()}, nil, o)
	for _, i := range r.Machines[0].Items {
		if i.Outcome != finding.Undone {
			t.Errorf("%s: %s (%s)", i.Path, i.Outcome, i.Message)
		}
	}
	if r.ExitCode != 0 || h.read() != "0" || h.plugged {
		t.Errorf("exit %d, uid %q, plugged %v, problem %q", r.ExitCode, h.read(), h.plugged, r.Machines[0].Problem)
	}
}

func TestTheHostIsLeftAsItIs(t *testing.T) {
	no := func(context.Context, string, []PlannedFix) (bool, error) { return false, nil }
	stopped := make(chan struct{})
	close(stopped)
	for name, change := range map[string]func(*FixOptions, *Machine){
		"dry run":       func(o *FixOptions, _ *Machine) { o.DryRun = true },
		"declined":      func(o *FixOptions, _ *Machine) { o.Confirm = no },
		"stopped":       func(o *FixOptions, _ *Machine) { o.Stop = stopped },
		"not asked for": func(_ *FixOptions, m *Machine) { m.Look = nil },
		"no journal":    func(o *FixOptions, _ *Machine) { o.Journal = nil },
	} {
		h := newHere(t)
		o, m := h.options(), h.machine()
		change(&o, &m)
		r := Fix(t.Context(), []Machine{m}, nil, o)
		if r.ExitCode != finding.ExitFailed || h.read() != "0" || h.plugged || len(h.entries) > 0 {
			t.Errorf("%s: exit %d, uid %q, plugged %v, %s", name, r.ExitCode, h.read(), h.plugged, did(r))
		}
		if name == "dry run" && did(r) != "host.creator_uid planned, host.cable planned" {
			t.Errorf("planned: %s", did(r))
		}
	}
}

func TestAHostRepairThatFailsEndsOnlyItself(t *testing.T) {
	h := newHere(t)
	h.refuse = errors.New("VBOX_E_INVALID_OBJECT_STATE")
	r := h.fix(h.options())
	if did(r) != "host.creator_uid done, host.cable failed" || h.read() != "1000" || r.ExitCode != finding.ExitUnverified {
		t.Errorf("exit %d, %s", r.ExitCode, did(r))
	}
	if got := r.Actions[1].Message; !strings.Contains(got, "VBOX_E_INVALID_OBJECT_STATE") {
		t.Errorf("message %q", got)
	}
}

// A snapshot is of a guest: that of the host is not asked for.
func TestTheHostHasNoSnapshot(t *testing.T) {
	h := newHere(t)
	o := h.options()
	o.Snapshot = &Snapshot{Name: "s", Command: func(Machine) string { return "" }, Take: func(context.Context, Machine) error { return errors.New("taken") }}
	if r := h.fix(o); r.ExitCode != 0 || h.read() != "1000" {
		t.Errorf("exit %d, %s, %q", r.ExitCode, did(r), r.Notes)
	}
}
