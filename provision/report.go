package provision

import (
	"time"

	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// Result is how a step ended.
type Result string

// Results of steps, in the words that people know.
const (
	OK          Result = "ok"
	Changed     Result = "changed"
	WouldChange Result = "would change"
	// MayChange: it waits for something that an earlier step would bring.
	MayChange Result = "may change"
	Failed    Result = "failed"
	Skipped   Result = "skipped"
)

// Step is one resource of one machine, or a notified service.
type Step struct {
	Resource   string   `json:"resource"`
	Result     Result   `json:"result"`
	Changes    []Record `json:"changes"`
	Message    string   `json:"message"`
	DurationMS int64    `json:"duration_ms"`
	// Warnings do not change the result: the step is as declared, and people should know of them all the same.
	Warnings []Warning `json:"warnings,omitempty"`
}

// Warning is something that is not well and that the run neither makes nor is failed by.
type Warning struct {
	// About is what it is about ("kafka kafka1:9092"), Status one word for what is the matter.
	About   string `json:"about"`
	Status  string `json:"status"`
	Message string `json:"message"`
	// Fix is what helps, and the next command.
	Fix string `json:"fix"`
}

// Record is one change as it is shown.
type Record struct {
	What string `json:"what"`
	From string `json:"from"`
	To   string `json:"to"`
	Diff string `json:"diff"`
}

// Totals count the steps of a machine by result.
type Totals struct {
	OK          int `json:"ok"`
	Changed     int `json:"changed"`
	WouldChange int `json:"would_change"`
	MayChange   int `json:"may_change"`
	Failed      int `json:"failed"`
	Skipped     int `json:"skipped"`
	Warnings    int `json:"warnings,omitempty"`
}

// MachineReport is what happened on one machine.
type MachineReport struct {
	Name      string `json:"name"`
	Reachable bool   `json:"reachable"`
	System    string `json:"system"`
	Steps     []Step `json:"steps"`
	Totals    Totals `json:"totals"`
	// Message says why there are no steps, or what went wrong beside them.
	Message string `json:"message"`
	// Unverified: something was changed and the guest is not as declared, or could not be observed again.
	Unverified  bool `json:"unverified"`
	Interrupted bool `json:"interrupted"`
}

// Report is a whole run (docs/schema/provision.json).
type Report struct {
	SchemaVersion int             `json:"schema_version"`
	Boxdoctor     string          `json:"boxdoctor"`
	StartedAt     time.Time       `json:"started_at"`
	DurationMS    int64           `json:"duration_ms"`
	Check         bool            `json:"check"`
	ExitCode      int             `json:"exit_code"`
	Machines      []MachineReport `json:"machines"`
}

// finish counts and computes the exit code: 130, 4, 1, 3, 0 in this order.
func (r *Report) finish() {
	r.SchemaVersion = 1
	var interrupted, unverified, failed, unreachable bool
	for i := range r.Machines {
		m := &r.Machines[i]
		m.count()
		interrupted = interrupted || m.Interrupted
		unverified = unverified || m.Unverified
		unreachable = unreachable || !m.Reachable
		failed = failed || m.Totals.Failed > 0 || r.Check && m.Totals.WouldChange+m.Totals.MayChange > 0
	}
	switch {
	case interrupted:
		r.ExitCode = finding.ExitInterrupted
	case unverified:
		r.ExitCode = finding.ExitUnverified
	case failed:
		r.ExitCode = finding.ExitFailed
	case unreachable:
		r.ExitCode = finding.ExitUnexamined
	}
}

func (m *MachineReport) count() {
	if m.Steps == nil {
		m.Steps = []Step{}
	}
	for i, s := range m.Steps {
		if s.Changes == nil {
			m.Steps[i].Changes = []Record{}
		}
		m.Totals.Warnings += len(s.Warnings)
		switch s.Result {
		case OK:
			m.Totals.OK++
		case Changed:
			m.Totals.Changed++
		case WouldChange:
			m.Totals.WouldChange++
		case MayChange:
			m.Totals.MayChange++
		case Failed:
			m.Totals.Failed++
		case Skipped:
			m.Totals.Skipped++
		}
	}
}

// Clean applies f to every text that came from outside.
func (m *MachineReport) Clean(f func(string) string) {
	m.System, m.Message = f(m.System), f(m.Message)
	for i := range m.Steps {
		s := &m.Steps[i]
		s.Message = f(s.Message)
		for j := range s.Changes {
			c := &s.Changes[j]
			c.What, c.From, c.To, c.Diff = f(c.What), f(c.From), f(c.To), f(c.Diff)
		}
		for j := range s.Warnings {
			w := &s.Warnings[j]
			w.About, w.Message, w.Fix = f(w.About), f(w.Message), f(w.Fix)
		}
	}
}
