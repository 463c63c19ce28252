package engine

import (
	"context"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// FixSnapshot stands in reports and in the journal where a fix would.
const FixSnapshot = "snapshot"

// Snapshot is the way back for what `boxdoctor undo` cannot take back: a snapshot of the whole VM.
type Snapshot struct {
	Name string
	// Command is what takes it, for people; Take runs it.
	Command func(Machine) string
	Take    func(context.Context, Machine) error
}

func (s *Snapshot) title() string { return "take the VirtualBox snapshot " + s.Name }

func (s *Snapshot) record(m Machine, outcome string) finding.ActionRecord {
	return finding.ActionRecord{Machine: m.Facts.Name, Fix: FixSnapshot, Stage: 1, Title: s.title(), Text: s.Command(m), Outcome: outcome}
}

// snapshot takes the snapshot that was asked for, once and before the first change. Without it nothing is changed.
func (d *repair) snapshot(ctx context.Context) bool {
	if d.o.Snapshot == nil || d.safe || d.target.Host {
		return true
	}
	m, start := d.seen.machine, d.o.now()
	e := action.Entry{Time: start, Run: d.o.Plan.RunID, Machine: m.Facts.Name, Fix: FixSnapshot, Title: d.o.Snapshot.title(), Text: d.o.Snapshot.Command(m),
		State: "begin", Snapshot: d.o.Snapshot.Name, Project: d.target.Project, UUID: m.Facts.UUID}
	err := d.record(e)
	if err == nil {
		d.o.progress(m.Facts.Name, d.o.Snapshot.title())
		err = d.o.Snapshot.Take(ctx, m)
		e.Time, e.Text, e.State = d.o.now(), "", "done"
		if err != nil {
			e.State, e.Error = "failed", err.Error()
		}
		_ = d.record(e) // the begin is there, which is what undo reads
	}
	rec := d.o.Snapshot.record(m, finding.Done)
	rec.DurationMS = d.o.now().Sub(start).Milliseconds()
	if err != nil {
		rec.Outcome, rec.Message = finding.Failed, err.Error()
		d.note("nothing was changed, because the snapshot that was asked for could not be taken: %v", err)
	}
	d.actions = append(d.actions, rec)
	d.safe = err == nil
	return d.safe
}

func (d *repair) record(e action.Entry) error {
	if d.o.Journal == nil {
		return action.ErrNotRecorded
	}
	return d.o.Journal.Record(e)
}
