package finding

import (
	"slices"
	"time"
)

// Outcomes of an UndoItem beside Planned, Failed and OutcomeCut.
const (
	Undone  = "undone"  // it was put back and is as it was
	Already = "already" // it is as it was, nothing had to be done
	Skipped = "skipped" // it is left alone
	Stays   = "stays"   // boxdoctor cannot take it back
)

// UndoItem is what becomes of one change of a run. Its JSON form is a contract (docs/schema/undo.json).
type UndoItem struct {
	Fix   string `json:"fix"`
	Title string `json:"title"`
	// Kind is that of action.Change (file, name, mount, mode, service, …), vm, or empty for what stays.
	Kind    string `json:"kind"`
	Path    string `json:"path"`
	Outcome string `json:"outcome"`
	// Message says why it is left alone, what it goes back to, or how a person takes it back.
	Message string `json:"message"`
}

// UndoMachine is one machine of a run that is taken back.
type UndoMachine struct {
	Name      string `json:"name"`
	Reachable bool   `json:"reachable"`
	// RunID is the run's id in the guest, where copies lie below /var/lib/boxdoctor/backup.
	RunID string `json:"run_id"`
	// Problem is why nothing could be looked at or put back; Command is what helps.
	Problem string `json:"problem"`
	Command string `json:"command"`
	// Snapshot is the VirtualBox snapshot that the run took first.
	Snapshot string     `json:"snapshot"`
	Items    []UndoItem `json:"items"`
}

// UndoReport is a finished undo, ready for any renderer.
type UndoReport struct {
	SchemaVersion int           `json:"schema_version"`
	Boxdoctor     string        `json:"boxdoctor"`
	StartedAt     time.Time     `json:"started_at"`
	DurationMS    int64         `json:"duration_ms"`
	ExitCode      int           `json:"exit_code"`
	Run           string        `json:"run"`
	DryRun        bool          `json:"dry_run"`
	Notes         []string      `json:"notes"`
	Machines      []UndoMachine `json:"machines"`
}

// Finish makes lists non-nil and computes the exit code: 4 something was put back and is not as it was, 1 something was
// left alone (or, in a dry run, would be put back), 3 a machine could not be looked at, 0 all that can go back is back.
func (r *UndoReport) Finish() {
	r.SchemaVersion = 1
	r.Notes, r.Machines = filled(r.Notes), filled(r.Machines)
	for i := range r.Machines {
		r.Machines[i].Items = filled(r.Machines[i].Items)
	}
	switch {
	case r.any(Failed, OutcomeCut):
		r.ExitCode = ExitUnverified
	case r.any(Skipped), r.any(Planned):
		r.ExitCode = ExitFailed
	case slices.ContainsFunc(r.Machines, func(m UndoMachine) bool { return m.Problem != "" }):
		r.ExitCode = ExitUnexamined
	default:
		r.ExitCode = ExitOK
	}
}

func (r *UndoReport) any(outcomes ...string) bool {
	return slices.ContainsFunc(r.Machines, func(m UndoMachine) bool {
		return slices.ContainsFunc(m.Items, func(i UndoItem) bool { return slices.Contains(outcomes, i.Outcome) })
	})
}
