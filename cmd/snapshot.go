package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/engine"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/host"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

// snapshots are those of one machine.
func (a *app) snapshots(m engine.Machine) host.Snapshots {
	return host.Snapshots{Manage: manageOf(m), VM: m.Facts.UUID, Exec: a.vboxmanage}
}

// snapshotFor is what `fix --snapshot` takes of each machine before its first change, named after the run.
func (a *app) snapshotFor(run string) *engine.Snapshot {
	name := "boxdoctor-" + run
	return &engine.Snapshot{Name: name,
		Command: func(m engine.Machine) string {
			return "VBoxManage " + shell.Join(a.snapshots(m).TakeArgs(name))
		},
		Take: func(ctx context.Context, m engine.Machine) error { return a.snapshots(m).Take(ctx, name) },
	}
}

// restoreSnapshots puts VMs back to the snapshots that the run took, one after the other, because each is asked for.
func (s *session) restoreSnapshots(o *undoOptions, r action.Recorded, ms []engine.Machine) error {
	rep := finding.UndoReport{Boxdoctor: s.a.version.Version, StartedAt: s.a.now(), Run: r.ID, DryRun: o.DryRun}
	for _, m := range ms {
		rep.Machines = append(rep.Machines, s.restoreSnapshot(o, m, r.Machine(m.Facts.Name)))
	}
	rep.DurationMS = s.a.now().Sub(rep.StartedAt).Milliseconds()
	rep.Finish()
	if s.end() {
		rep.ExitCode = finding.ExitInterrupted
	}
	if err := s.a.deliverUndo(rep, o.Format); err != nil {
		return err
	}
	return withCode(rep.ExitCode)
}

func (s *session) restoreSnapshot(o *undoOptions, m engine.Machine, run action.RecordedMachine) finding.UndoMachine {
	out := finding.UndoMachine{Name: m.Facts.Name, RunID: run.Run, Snapshot: run.Snapshot, Reachable: true}
	problem := func(err error) finding.UndoMachine { out.Problem = err.Error(); return out }
	if run.Snapshot == "" {
		return problem(errors.New("the run took no snapshot of this machine: it was not given --snapshot"))
	}
	vm := m.Host.VM.Or(facts.VM{}).Name
	if vm == "" {
		return problem(host.ErrNoManage)
	}
	if run.UUID != m.Facts.UUID {
		return problem(fmt.Errorf("the snapshot is of the VM %s, and %s is now the VM %s", run.UUID, m.Facts.Name, m.Facts.UUID))
	}
	sn := s.a.snapshots(m)
	later, err := sn.After(s.Soft, run.Snapshot)
	if err != nil {
		return problem(err)
	}
	item := finding.UndoItem{Fix: engine.FixSnapshot, Title: "put the VM " + vm + " back to the snapshot " + run.Snapshot, Kind: "vm", Path: vm,
		Outcome: finding.Planned, Message: discards(vm, later)}
	if !o.DryRun {
		s.a.say("\n" + m.Facts.Name + ": " + item.Message)
		typed, err := s.a.streams.Ask(s.Soft, "To discard that, type the VM's name ("+vm+"): ")
		if err != nil {
			return problem(err)
		}
		if typed != vm {
			return problem(fmt.Errorf("%q is not the VM's name: nothing was changed", typed))
		}
		item.Outcome = finding.Undone
		if err := sn.Restore(s.Hard, run.Snapshot); err != nil {
			item.Outcome, item.Message = finding.Failed, err.Error()
		} else {
			item.Message = "start it again: vagrant up " + shell.Quote(m.Facts.Name)
		}
	}
	out.Items = append(out.Items, item)
	return out
}

// discards says what is lost.
func discards(vm string, later []string) string {
	text := "everything that was written inside the VM " + vm + " since the snapshot is discarded (files, databases, packages, logs); synced folders are the host's and stay. A VM that runs is switched off"
	if len(later) > 0 {
		text += ". Later snapshots are kept, but the VM leaves them: " + strings.Join(later, ", ")
	}
	return text
}
