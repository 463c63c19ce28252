package report

import (
	"encoding/json"
	"io"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// JSON renders the versioned contract of docs/schema/check.json and, with Fix, docs/schema/fix.json: two
// spaces of indentation, a newline at the end, every array present and none null.
type JSON struct{ Fix bool }

var _ Reporter = JSON{}

// wireReport is the JSON form of a report. Fields that only `fix` has are pointers, so that an empty list is
// written there and nothing at all for `check`.
type wireReport struct {
	SchemaVersion int                     `json:"schema_version"`
	Boxdoctor     string                  `json:"boxdoctor"`
	StartedAt     string                  `json:"started_at"`
	DurationMS    int64                   `json:"duration_ms"`
	ExitCode      int                     `json:"exit_code"`
	Summary       finding.Summary         `json:"summary"`
	Notes         []string                `json:"notes"`
	Machines      []wireMachine           `json:"machines"`
	DryRun        *bool                   `json:"dry_run,omitempty"`
	Before        *[]wireMachine          `json:"before,omitempty"`
	After         *[]wireMachine          `json:"after,omitempty"`
	Actions       *[]finding.ActionRecord `json:"actions,omitempty"`
}

// wireMachine is a machine whose note is always there.
type wireMachine struct {
	Name      string            `json:"name"`
	Kind      string            `json:"kind"`
	Note      string            `json:"note"`
	Reachable bool              `json:"reachable"`
	Findings  []finding.Finding `json:"findings"`
}

// Report writes the report as one JSON document.
func (j JSON) Report(w io.Writer, r finding.Report) error {
	r = cleaned(r) // also makes every list non-nil
	out := wireReport{
		SchemaVersion: r.SchemaVersion, Boxdoctor: r.Boxdoctor, StartedAt: r.StartedAt.UTC().Format(time.RFC3339),
		DurationMS: r.DurationMS, ExitCode: r.ExitCode, Summary: r.Summary, Notes: r.Notes, Machines: wire(r.Machines),
	}
	if j.Fix {
		before, after := wire(r.Before), wire(r.After)
		out.DryRun, out.Before, out.After, out.Actions = &r.DryRun, &before, &after, &r.Actions
	}
	return WriteJSON(w, out)
}

func wire(ms []finding.Machine) []wireMachine {
	out := make([]wireMachine, len(ms))
	for i, m := range ms {
		out[i] = wireMachine{Name: m.Name, Kind: m.Kind, Note: m.Note, Reachable: m.Reachable, Findings: m.Findings}
	}
	return out
}

// WriteJSON writes any document in the form of all our JSON: two spaces, a newline at the end, and <, > and &
// as they are, because commands are full of them.
func WriteJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
