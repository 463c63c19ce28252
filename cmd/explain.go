package cmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/boxdoctor/boxdoctor/checks"
	"github.com/boxdoctor/boxdoctor/fixes"
	"github.com/boxdoctor/boxdoctor/internal/report"
)

// explanation is the JSON form of docs/schema/explain.json: everything that an id names.
type explanation struct {
	SchemaVersion int              `json:"schema_version"`
	ID            string           `json:"id"`
	Checks        []explainedCheck `json:"checks"`
	Fixes         []explainedFix   `json:"fixes"`
}

type explainedCheck struct {
	listedCheck
	Why      string   `json:"why"`
	Looks    string   `json:"looks"`
	Source   string   `json:"source"`
	Needs    []string `json:"needs"`
	After    []string `json:"after"`
	CausedBy []string `json:"caused_by"`
}

type explainedFix struct {
	listedFix
	Why string `json:"why"`
}

func newExplainCmd(a *app) *cobra.Command {
	var format string
	c := &cobra.Command{
		Use: "explain ID", Short: "Explain a check, a fix or a row of the catalogue of faults",
		Long: `Explains what a check looks at and why that matters, or what a fix does. ID is a check ("boxdoctor list checks"), a
fix ("boxdoctor list fixes") or a row of the catalogue of faults such as K1, which names the checks that find it.`,
		Example: "  boxdoctor explain mount.shares\n  boxdoctor explain K1",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("explain needs one ID").withHint("All of them: boxdoctor list checks, boxdoctor list fixes")
			}
			if err := validFormat(format); err != nil {
				return err
			}
			return runExplain(a, args[0], format)
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return append(checkIDs(), fixIDs()...), cobra.ShellCompDirectiveNoFileComp
		},
	}
	addFormat(c, &format)
	return c
}

func runExplain(a *app, id, format string) error {
	e := explain(id)
	if len(e.Checks)+len(e.Fixes) == 0 {
		known := slices.Concat(checkIDs(), fixIDs(), rows())
		return allKnown("explain", "id", []string{id}, known, "boxdoctor list checks, boxdoctor list fixes")
	}
	if format == report.FormatJSON {
		return report.WriteJSON(a.streams.Out, e)
	}
	return a.print(e.text(a.streams.Width))
}

// explain collects what an id names: a check, a fix, or whatever carries a catalogue row.
func explain(id string) explanation {
	e := explanation{SchemaVersion: 1, ID: id, Checks: []explainedCheck{}, Fixes: []explainedFix{}}
	for _, c := range checks.All() {
		if c.ID == id || slices.Contains(c.Rows, id) {
			e.Checks = append(e.Checks, newExplainedCheck(c))
		}
	}
	for _, f := range fixes.All() {
		if f.ID == id || slices.Contains(f.Rows, id) {
			e.Fixes = append(e.Fixes, explainedFix{newListedFix(f), f.Why})
		}
	}
	return e
}

func newExplainedCheck(c checks.Check) explainedCheck {
	needs := []string{}
	for _, k := range c.Needs {
		needs = append(needs, string(k))
	}
	return explainedCheck{newListedCheck(c), c.Why, c.Looks, c.Source, needs, list(c.After), list(c.CausedBy)}
}

// rows are the catalogue rows that any check or fix carries.
func rows() []string {
	var out []string
	for _, c := range checks.All() {
		out = append(out, c.Rows...)
	}
	for _, f := range fixes.All() {
		out = append(out, f.Rows...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (e explanation) text(width int) string {
	var b strings.Builder
	for _, c := range e.Checks {
		fmt.Fprintf(&b, "%s   %s\n", c.ID, c.Title)
		paragraph(&b, width, "why", c.Why)
		paragraph(&b, width, "looks", c.Looks)
		paragraph(&b, width, "where", fmt.Sprintf("%s, severity %s", c.Target, c.Severity))
		paragraph(&b, width, "fix", fixLine(c.Fix))
		paragraph(&b, width, "needs", strings.Join(c.After, ", "))
		paragraph(&b, width, "causes", strings.Join(c.CausedBy, ", "))
		paragraph(&b, width, "rows", strings.Join(c.Rows, " "))
		paragraph(&b, width, "source", c.Source)
		b.WriteByte('\n')
	}
	for _, f := range e.Fixes {
		fmt.Fprintf(&b, "%s   %s\n", f.ID, f.Title)
		paragraph(&b, width, "why", f.Why)
		paragraph(&b, width, "impact", f.Impact)
		paragraph(&b, width, "clears", strings.Join(f.Clears, ", "))
		paragraph(&b, width, "after", strings.Join(f.After, ", "))
		paragraph(&b, width, "rows", strings.Join(f.Rows, " "))
		paragraph(&b, width, "try", "boxdoctor fix --dry-run --only "+f.ID)
		b.WriteByte('\n')
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func fixLine(id string) string {
	if id == "" {
		return "none: boxdoctor cannot repair this"
	}
	return fmt.Sprintf("%s (boxdoctor explain %s)", id, id)
}

func paragraph(b *strings.Builder, width int, label, text string) {
	if text == "" {
		return
	}
	const indent = 10
	for i, l := range report.Wrap(text, width-indent) {
		if i > 0 {
			label = ""
		}
		fmt.Fprintf(b, "  %-7s %s\n", label, l)
	}
}
