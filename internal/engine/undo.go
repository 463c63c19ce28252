package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// FixUndo stands in the journal where a fix would, and marks the runs that take others back.
const FixUndo = "undo"

// UndoOptions are those of `boxdoctor undo`.
type UndoOptions struct {
	Options
	// Run is what is taken back.
	Run action.Recorded
	// DryRun looks and changes nothing.
	DryRun bool
	// Packages that the run installed are removed, where nothing needs them.
	Packages bool
	// Confirm is asked once per machine; nil: yes.
	Confirm func(ctx context.Context, machine string, steps []action.UndoStep) (bool, error)
	// Backups is the user's own folder for files of the host that are replaced.
	Backups string
	// Running, Journal and Stop are as for Fix.
	Running func(machine, look string)
	Journal action.Journal
	Stop    <-chan struct{}
}

// Undo takes back, on all machines at once, what a run changed: the last change first, each only where the guest still
// holds what boxdoctor left, and looks afterwards whether it is so.
func Undo(ctx context.Context, ms []Machine, notes []string, o UndoOptions) finding.UndoReport {
	start := o.now()
	r := finding.UndoReport{Boxdoctor: o.Version, StartedAt: start, Run: o.Run.ID, DryRun: o.DryRun, Notes: notes,
		Machines: make([]finding.UndoMachine, len(ms))}
	each(len(ms), o.Parallel, func(i int) {
		u := &undo{o: o, machine: ms[i], run: recordedOf(o.Run, ms[i]), id: runID()}
		r.Machines[i] = u.do(ctx)
	})
	r.DurationMS = o.now().Sub(start).Milliseconds()
	r.Finish()
	return r
}

func recordedOf(r action.Recorded, m Machine) action.RecordedMachine {
	if m.Dial == nil {
		return r.OnHost(m.Facts.Name)
	}
	return r.Machine(m.Facts.Name)
}

// undo is the state of `undo` on one machine.
type undo struct {
	o       UndoOptions
	machine Machine
	run     action.RecordedMachine
	guest   guest.Guest
	steps   []action.UndoStep
	out     finding.UndoMachine
	// id is that of this run on the machine.
	id string
}

func (u *undo) do(ctx context.Context) finding.UndoMachine {
	u.out = finding.UndoMachine{Name: u.machine.Facts.Name, RunID: u.run.Run, Snapshot: u.run.Snapshot}
	if err := u.look(ctx); err != nil {
		u.out.Problem = err.Error()
		return u.out
	}
	jobs := action.HostUndo(u.steps, filepath.Join(u.o.Backups, u.id))
	if u.guest != nil {
		defer u.guest.Close() //nolint:errcheck // the work is over
		jobs = action.UndoJobs(u.steps)
	}
	if !u.o.DryRun && len(jobs) > 0 {
		u.act(ctx, jobs)
	}
	u.items()
	return u.out
}

// errOtherGuest: what answers has never seen the run.
var errOtherGuest = errors.New("this guest has no trace of that run: it is another machine of the same name, or it was made anew since; nothing was changed")

// look connects, and plans over how things stand.
func (u *undo) look(ctx context.Context) error {
	name := u.machine.Facts.Name
	if u.run.UUID != "" && u.machine.Facts.UUID != "" && u.run.UUID != u.machine.Facts.UUID {
		return fmt.Errorf("the run changed the VM %s, and %s is now the VM %s: nothing was changed", u.run.UUID, name, u.machine.Facts.UUID)
	}
	limit := u.o.Timeout
	if limit <= 0 {
		limit = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if u.machine.Dial == nil {
		u.out.Reachable = true
		return u.planHost(ctx)
	}
	u.o.progress(name, "connecting")
	g, reach, err := u.machine.Dial(ctx)
	if err != nil {
		u.out.Command = reach.Command
		return err
	}
	u.guest, u.out.Reachable = g, true
	u.o.progress(name, "looking at what was changed")
	if err := u.plan(ctx); err != nil {
		_ = g.Close()
		return err
	}
	return nil
}

// planHost plans over the host as it is now.
func (u *undo) planHost(ctx context.Context) error {
	s, err := u.stand(ctx)
	u.steps = action.PlanUndo(u.run.Entries, s)
	return err
}

// stand looks how the changes of the run stand.
func (u *undo) stand(ctx context.Context) (action.Standing, error) {
	if u.machine.Dial != nil {
		return action.Stand(ctx, u.guest, u.run.Run, u.run.Entries)
	}
	u.o.progress(u.machine.Facts.Name, "looking at what was changed")
	h, err := u.machine.Look(ctx)
	return action.StandHost(h, u.run.Entries), err
}

// plan refuses where something else works in the guest: it would change what is put back.
func (u *undo) plan(ctx context.Context) error {
	if job, err := action.LiveJob(ctx, u.target(), "*"); err != nil || job != "" {
		if err == nil {
			err = fmt.Errorf("a boxdoctor job works in the guest right now: nothing was changed; %s", lookAt(job))
		}
		return err
	}
	s, err := u.stand(ctx)
	switch {
	case err != nil:
		return err
	case !s.Known:
		return errOtherGuest
	case s.Pending != "":
		u.out.Command = "boxdoctor fix --only locks.interrupted"
		return fmt.Errorf("an interrupted package transaction has its locks off in the guest (%s); they go back first: nothing was changed", s.Pending)
	}
	u.steps = action.PlanUndo(u.run.Entries, s)
	if !u.o.Packages {
		keepPackages(u.steps)
	}
	return nil
}

// keepPackages leaves what was installed where it is: other things may have come to need it.
func keepPackages(steps []action.UndoStep) {
	for i, s := range steps {
		if s.Outcome == finding.Planned && s.Change.Kind == action.KindPackage {
			steps[i].Outcome, steps[i].Change = finding.Stays, action.Change{}
			steps[i].Message = "the package " + s.Change.Path + " stays installed; to remove it, too: boxdoctor undo --packages"
		}
	}
}

func (u *undo) target() *action.Target {
	name := u.machine.Facts.Name
	return &action.Target{Guest: u.guest, Host: u.machine.Dial == nil, Manage: u.machine.Manage, Machine: name, RunID: u.id, Journal: u.o.Journal, Stop: u.o.Stop,
		Project: u.machine.Host.ProjectRoot.Or(""), UUID: u.machine.Facts.UUID, Undoes: u.o.Run.ID,
		Progress: func(what string) { u.o.progress(name, what) },
		Output:   func(text string) { u.o.log(name, text) },
		Running: func(look string) {
			if u.o.Running != nil {
				u.o.Running(name, look)
			}
		}}
}

// act asks, puts back, and looks again. What was not begun stays planned.
func (u *undo) act(ctx context.Context, jobs []action.UndoJob) {
	if u.o.Confirm != nil {
		if yes, err := u.o.Confirm(ctx, u.out.Name, u.steps); err != nil || !yes {
			return
		}
	}
	ended := u.putBack(ctx, jobs)
	if len(ended) > 0 {
		u.verify(ctx, ended)
	}
}

// putBack makes the jobs, and tells how those that were begun ended. One that does not succeed does not stop the others.
func (u *undo) putBack(ctx context.Context, jobs []action.UndoJob) map[int]error {
	t := u.target()
	ended := map[int]error{}
	for left := jobs; len(left) > 0; {
		steps := make([]action.Step, len(left))
		for i, j := range left {
			steps[i] = action.Step{Fix: FixUndo, Action: j.Action}
		}
		n, err := action.DoAll(ctx, t, steps)
		for _, j := range left[:n] {
			ended[j.Seq] = nil
		}
		if left = left[n:]; err == nil {
			break
		}
		if errors.Is(err, action.ErrStopped) || errors.Is(err, action.ErrNotRecorded) {
			u.out.Problem = err.Error()
			break
		}
		ended[left[0].Seq] = err
		if unsure(err) {
			for _, j := range left[1:] { // those of the same job may have been begun
				ended[j.Seq] = err
			}
		}
		if unsure(err) || stops(ctx, err) {
			break
		}
		left = left[1:]
	}
	return ended
}

// verify looks again: only what is seen counts.
func (u *undo) verify(ctx context.Context, ended map[int]error) {
	s, err := u.stand(ctx)
	for i := range u.steps {
		step := &u.steps[i]
		failed, begun := ended[step.Entry.Seq]
		if step.Outcome != finding.Planned || !begun {
			continue
		}
		switch {
		case err != nil:
			step.Outcome, step.Message = finding.OutcomeCut, "it could not be looked at afterwards: "+err.Error()
		case s.Undone(u.run.Entries, *step):
			step.Outcome = finding.Undone
		case failed != nil:
			step.Outcome, step.Message = finding.Failed, failed.Error()
		default:
			step.Outcome, step.Message = finding.Failed, "it was put back, but it is not as it was"
		}
	}
}

func (u *undo) items() {
	for _, s := range u.steps {
		u.out.Items = append(u.out.Items, finding.UndoItem{Fix: s.Entry.Fix, Title: s.Entry.Title, Kind: s.Change.Kind, Path: s.Change.Path,
			Outcome: s.Outcome, Message: s.Message})
	}
	if u.o.DryRun || u.out.Problem != "" {
		return
	}
	left := func(i finding.UndoItem) bool { return i.Outcome == finding.Planned }
	if slices.ContainsFunc(u.out.Items, left) {
		u.out.Problem = "not everything was put back: what is listed as planned was not begun"
	}
}
