// Package finding holds what boxdoctor says about machines: statuses, verdicts, findings and the report
// with its totals and exit code. It decides nothing about machines and prints nothing.
package finding

import (
	"fmt"
	"slices"
	"sort"
	"time"
)

// Status is the outcome of one check. The zero value is Unknown: "could not tell" is never "ok".
type Status string

// The five statuses of the JSON contract (issue 1).
const (
	Unknown Status = "unknown"
	Pass    Status = "pass"
	Warn    Status = "warn"
	Fail    Status = "fail"
	Skip    Status = "skip"
)

// Severity says how much a failing check hurts the user's goal, "will `vagrant up` work".
type Severity string

// The three severities of the JSON contract.
const (
	Critical Severity = "critical"
	Major    Severity = "major"
	Minor    Severity = "minor"
)

// Advice is one thing to do: a sentence, and the exact command where there is one.
type Advice struct {
	Text    string `json:"text"`
	Command string `json:"command"`
}

// Verdict is what a check's Eval answers. The zero value is Unknown.
type Verdict struct {
	Status  Status
	Message string
	Want    string
	Got     string
	Advice  []Advice
	// NoFix says that the check's fix does not apply to this verdict.
	NoFix bool
}

// Passf is a healthy verdict.
func Passf(format string, a ...any) Verdict { return verdict(Pass, format, a) }

// Warnf is a verdict for what could be better or will break later.
func Warnf(format string, a ...any) Verdict { return verdict(Warn, format, a) }

// Failf is a verdict for what is broken now.
func Failf(format string, a ...any) Verdict { return verdict(Fail, format, a) }

// Skipf is a verdict for a check that does not apply to this machine, with the reason.
func Skipf(format string, a ...any) Verdict { return verdict(Skip, format, a) }

// Cannot is the verdict when a fact is missing; err says why.
func Cannot(err error) Verdict { return Verdict{Status: Unknown, Message: err.Error()} }

// Diff adds what was expected and what was seen.
func (v Verdict) Diff(want, got string) Verdict { v.Want, v.Got = want, got; return v }

// Advise adds a thing to do; command may be empty.
func (v Verdict) Advise(text, command string) Verdict {
	v.Advice = append(v.Advice, Advice{Text: text, Command: command})
	return v
}

// ByHand says that the check's fix does not apply: only a person decides.
func (v Verdict) ByHand() Verdict { v.NoFix = true; return v }

// Likely says why the verdict is not certain: it rests on general knowledge, or follows from other reports.
func (v Verdict) Likely(why string) Verdict {
	v.Message += " (likely, not certain: " + why + ")"
	return v
}

func verdict(s Status, format string, a []any) Verdict {
	return Verdict{Status: s, Message: fmt.Sprintf(format, a...)}
}

// Finding is a verdict with the identity of the check that gave it. Its JSON form is a contract (issue 1).
type Finding struct {
	ID       string   `json:"id"`
	Rows     []string `json:"rows"`
	Status   Status   `json:"status"`
	Severity Severity `json:"severity"`
	Title    string   `json:"title"`
	Message  string   `json:"message"`
	Want     string   `json:"want"`
	Got      string   `json:"got"`
	Why      string   `json:"why"`
	Advice   []Advice `json:"advice"`
	// Link is a page to read on; empty where there is none.
	Link string `json:"link"`
	// Fix is the id of the fix that clears it, or empty.
	Fix string `json:"fix"`
	// CausedBy is the id of the finding that explains this one, or empty: this one is then a symptom.
	CausedBy   string `json:"caused_by"`
	DurationMS int64  `json:"duration_ms"`
}

// Kind of a machine in a report.
const (
	KindHost  = "host"
	KindGuest = "guest"
)

// Machine is one examined machine.
type Machine struct {
	Name      string    `json:"name"`
	Kind      string    `json:"kind"`
	Reachable bool      `json:"reachable"`
	Findings  []Finding `json:"findings"`
	// Note is a sentence for people about the machine ("ubuntu 22.04, kernel …"); empty in most tests.
	Note string `json:"note,omitempty"`
}

// ActionRecord is one thing that `fix` did or, in a dry run, would do.
type ActionRecord struct {
	Machine string `json:"machine"`
	Fix     string `json:"fix"`
	// Stage counts from 1; a dry run's later stages may change after the earlier ones.
	Stage int `json:"stage"`
	// Title is the action's short name ("write /etc/yum.conf").
	Title string `json:"title"`
	// Text is what the interpreter runs, redacted; the same text that a dry run prints.
	Text string `json:"text"`
	// Outcome is "planned", "done", "failed" or "unknown".
	Outcome string `json:"outcome"`
	// Message explains a failed or unknown outcome.
	Message    string `json:"message"`
	DurationMS int64  `json:"duration_ms"`
	// Lib is the library of shell functions that Text uses and does not repeat; only in a dry run.
	Lib string `json:"-"`
}

// Outcomes of an ActionRecord.
const (
	Planned    = "planned"
	Done       = "done"
	Failed     = "failed"
	OutcomeCut = "unknown"
)

// Summary counts findings by status.
type Summary struct {
	Pass    int `json:"pass"`
	Warn    int `json:"warn"`
	Fail    int `json:"fail"`
	Unknown int `json:"unknown"`
	Skip    int `json:"skip"`
}

// Report is a finished run: sorted, totalled, with its exit code, ready for any renderer.
type Report struct {
	SchemaVersion int       `json:"schema_version"`
	Boxdoctor     string    `json:"boxdoctor"`
	StartedAt     time.Time `json:"started_at"`
	DurationMS    int64     `json:"duration_ms"`
	ExitCode      int       `json:"exit_code"`
	Summary       Summary   `json:"summary"`
	// Notes are sentences about the run as a whole ("no Vagrant project found …").
	Notes    []string  `json:"notes"`
	Machines []Machine `json:"machines"`
	// Before, After and Actions are set by `fix` only.
	Before  []Machine      `json:"before,omitempty"`
	After   []Machine      `json:"after,omitempty"`
	Actions []ActionRecord `json:"actions,omitempty"`
	// DryRun says that Actions were planned and not executed.
	DryRun bool `json:"dry_run,omitempty"`

	// TimedOut names the machines whose examination was cut off by its time limit.
	TimedOut []string `json:"-"`
	// Unreachable is set when a machine that the user named could not be examined (exit 3).
	Unreachable bool `json:"-"`
	// Unverified is set when something was changed and a targeted check does not pass (exit 4).
	Unverified bool `json:"-"`
}

// The exit codes, a contract (README, issue 1).
const (
	ExitOK          = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitUnexamined  = 3
	ExitUnverified  = 4
	ExitInternal    = 70
	ExitInterrupted = 130
)

// Finish sorts findings, makes lists non-nil, counts and computes the exit code. strict makes a warning count as a failure.
func (r *Report) Finish(strict bool) {
	r.SchemaVersion = 1
	r.Summary = Summary{}
	r.Notes, r.Machines = filled(r.Notes), filled(r.Machines)
	for _, list := range [][]Machine{r.Machines, r.Before, r.After} {
		for i := range list {
			list[i].fill()
		}
	}
	for _, m := range r.Machines {
		SortFindings(m.Findings)
		for _, f := range m.Findings {
			r.Summary.add(f.Status)
		}
	}
	r.ExitCode = r.exitCode(strict)
}

func (m *Machine) fill() {
	m.Findings = filled(m.Findings)
	for i := range m.Findings {
		m.Findings[i].Rows, m.Findings[i].Advice = filled(m.Findings[i].Rows), filled(m.Findings[i].Advice)
	}
}

// filled is the list, or an empty one: JSON readers are never given null for a list.
func filled[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (s *Summary) add(st Status) {
	switch st {
	case Pass:
		s.Pass++
	case Warn:
		s.Warn++
	case Fail:
		s.Fail++
	case Skip:
		s.Skip++
	default:
		s.Unknown++
	}
}

// exitCode follows the precedence 4, 1, 3, 0; usage, internal and interrupted ends never reach a report.
func (r *Report) exitCode(strict bool) int {
	switch {
	case r.Unverified:
		return ExitUnverified
	case r.Summary.Fail > 0, strict && r.Summary.Warn > 0, r.wouldChange():
		return ExitFailed
	case r.Unreachable, r.Summary.Unknown > 0, r.anyUnreachable():
		return ExitUnexamined
	}
	return ExitOK
}

// wouldChange tells whether a dry run planned anything; a fix that cannot be planned changes nothing.
func (r *Report) wouldChange() bool {
	return r.DryRun && slices.ContainsFunc(r.Actions, func(a ActionRecord) bool { return a.Outcome == Planned })
}

func (r *Report) anyUnreachable() bool {
	for _, m := range r.Machines {
		if !m.Reachable {
			return true
		}
	}
	return false
}

// SortFindings orders by id, so that every run of every renderer shows the same order.
func SortFindings(fs []Finding) {
	sort.Slice(fs, func(i, j int) bool { return fs[i].ID < fs[j].ID })
}
