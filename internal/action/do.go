package action

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// Target is one guest, or the host, and what accompanies its changes.
type Target struct {
	Guest   guest.Guest
	Machine string
	// Host says that it is the host; Manage runs its VBoxManage.
	Host   bool
	Manage func(ctx context.Context, args ...string) error
	// RunID names this run's private folders in the guest.
	RunID   string
	Journal Journal
	// Project, UUID and Undoes go into the journal (Entry).
	Project, UUID, Undoes string
	// Progress is told what happens now; Output gets what jobs print, as it comes. Both may be nil.
	Progress func(what string)
	Output   func(text string)
	// Running is told how to look at the job that runs now, and an empty text when it is waited for no more; nil:
	// nobody is told.
	Running func(look string)
	// Stop is closed when the person asked once to stop: no new change begins, a running job is waited for.
	Stop <-chan struct{}
	// Sleep waits between two looks; nil: a real timer. Tests of waiting use it.
	Sleep func(ctx context.Context, d time.Duration) error
	// Now is the clock; nil: time.Now.
	Now func() time.Time

	// seq numbers the actions of this run; it names the folders of jobs.
	seq int
}

// ErrStopped means that the person asked to stop and this action was not begun.
var ErrStopped = errors.New("stopped before this step began; nothing of it was changed")

// ErrStillRunning means that the wait was given up while the job goes on in the guest. The text says how to look.
var ErrStillRunning = errors.New("still running in the guest")

// ErrNotRecorded means that the journal could not be written and this action was therefore not begun.
var ErrNotRecorded = errors.New("not done, because the journal could not be written")

// Do executes one action on behalf of a fix: records it with its inverse, makes it, records how it ended.
// Errors: ErrStopped and ErrNotRecorded (not begun), errors that wrap guest.ErrUnknownOutcome, ErrStillRunning or
// ErrJobGone (observe before anything else), others (it failed; the text says at which step).
func Do(ctx context.Context, t *Target, fix string, a Action) error {
	if err := t.mayBegin(ctx); err != nil {
		return err
	}
	e, err := t.begin(fix, a)
	if err != nil {
		return err
	}
	t.say(a.Title())
	err = a.apply(ctx, t)
	if jerr := t.ended(e, err); jerr != nil {
		err = errors.Join(err, jerr)
	}
	return err
}

// mayBegin refuses once the person asked to stop.
func (t *Target) mayBegin(ctx context.Context) error {
	if t.stopped() {
		return ErrStopped
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w (%w)", ErrStopped, err)
	}
	return nil
}

// begin gives an action its number and records it with its inverse.
func (t *Target) begin(fix string, a Action) (Entry, error) {
	t.seq++
	e := Entry{Time: t.now(), Run: t.RunID, Machine: t.Machine, Fix: fix, Title: a.Title(),
		Text: a.String(), Undo: a.Inverse(), State: "begin", Seq: t.seq, Changes: a.Changes(), Stays: a.Lasting(),
		Project: t.Project, UUID: t.UUID, Undoes: t.Undoes, Host: t.Host}
	if j, ok := a.(Job); ok && len(j.Changed) > 0 {
		e.Notes = t.notesOf(t.seq)
	}
	if err := t.record(e); err != nil {
		return e, fmt.Errorf("%s: %w: %w", a.Title(), ErrNotRecorded, err)
	}
	return e, nil
}

// ended records how a begun action ended. Its error is that of the journal.
func (t *Target) ended(e Entry, err error) error {
	e = Entry{Time: t.now(), Run: e.Run, Machine: e.Machine, Fix: e.Fix, Title: e.Title, Seq: e.Seq, State: "done"}
	if err != nil {
		e.State, e.Error = endState(err), err.Error()
	}
	if jerr := t.record(e); jerr != nil {
		return fmt.Errorf("%s: it ended, but how could not be written to the journal: %w", e.Title, jerr)
	}
	return nil
}

func (t *Target) record(e Entry) error {
	if t.Journal == nil {
		return errors.New("there is none")
	}
	return t.Journal.Record(e)
}

func endState(err error) string {
	if errors.Is(err, errNotBegun) {
		return stateNotBegun
	}
	if errors.Is(err, guest.ErrUnknownOutcome) || errors.Is(err, ErrStillRunning) {
		return "unknown"
	}
	return stateFailed
}

func (t *Target) stopped() bool {
	select {
	case <-t.Stop:
		return true
	default:
		return false
	}
}

func (t *Target) say(what string) {
	if t.Progress != nil {
		t.Progress(what)
	}
}

func (t *Target) running(look string) {
	if t.Running != nil {
		t.Running(look)
	}
}

func (t *Target) print(text string) {
	if t.Output != nil && text != "" {
		t.Output(text)
	}
}

func (t *Target) now() time.Time {
	if t.Now != nil {
		return t.Now()
	}
	return time.Now()
}

func (t *Target) sleep(ctx context.Context, d time.Duration) error {
	if t.Sleep != nil {
		return t.Sleep(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
