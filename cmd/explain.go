package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/boxdoctor/boxdoctor/checks"
	"github.com/boxdoctor/boxdoctor/fixes"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
	"github.com/boxdoctor/boxdoctor/internal/report"
)

// explanation is the JSON form of docs/schema/explain.json: everything that an id names.
type explanation struct {
	SchemaVersion int              `json:"schema_version"`
	ID            string           `json:"id"`
	Checks        []explainedCheck `json:"checks"`
	Fixes         []explainedFix   `json:"fixes"`
	// Signatures are the texts by which the row or check is recognised.
	Signatures []explainedSignature `json:"signatures"`
}

type explainedSignature struct {
	ID         string   `json:"id"`
	Rows       []string `json:"rows"`
	Check      string   `json:"check"`
	Says       string   `json:"says"`
	Confidence float64  `json:"confidence"`
	Source     string   `json:"source"`
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
	var folders knowledgeFlags
	c := &cobra.Command{
		Use: "explain ID|FILE…|-", Short: "Explain an error or a log, a check, a fix or a row of the catalogue of faults",
		Long: explainLong, Example: explainExample,
		RunE: func(c *cobra.Command, args []string) error {
			if err := errors.Join(emptyFlag(c), validFormat(format)); err != nil {
				return err
			}
			if err := folders.use(a); err != nil {
				return err
			}
			return runExplain(c.Context(), a, args, format)
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return append(checkIDs(), fixIDs()...), cobra.ShellCompDirectiveDefault
		},
	}
	addFormat(c, &format)
	folders.add(c.Flags())
	return c
}

const explainLong = `Finds the root cause in any text: what Vagrant printed, a log of the Guest Additions, of a package manager, of VirtualBox, a
mail. FILE is a text; - is standard input; several texts are explained together. Nothing is sent anywhere.
With an ID it explains what a check looks at and why that matters, or what a fix does: ID is a check ("boxdoctor list checks"),
a fix ("boxdoctor list fixes") or a row of the catalogue of faults such as K1. A file of that name is ./ID.
Exit codes: 0 the text is known or harmless, 2 usage error, 3 the text is unknown or could not be read, 130 interrupted.`

const explainExample = `  vagrant up 2>&1 | tee up.log | boxdoctor explain -
  boxdoctor explain /var/log/vboxadd-setup.log
  boxdoctor explain up.log --format json | jq -r '.matches[0].id'
  boxdoctor explain mount.shares
  boxdoctor explain K1`

// runExplain takes one id, or texts. An id keeps its meaning even when a file has its name.
func runExplain(ctx context.Context, a *app, args []string, format string) error {
	if len(args) == 0 {
		if a.streams.InTTY {
			return usagef("explain needs an ID, a FILE, or - for a text that is pasted or piped").
				withHint("vagrant up 2>&1 | boxdoctor explain -\nIds: boxdoctor list checks, boxdoctor list fixes, boxdoctor knowledge list")
		}
		args = []string{stdin}
	}
	if len(args) == 1 && slices.Contains(knownIDs(), args[0]) {
		return runExplainID(a, args[0], format)
	}
	for i, name := range args {
		if slices.Contains(args[:i], name) {
			return usagef("explain: %s is named twice", name)
		}
		if _, err := os.Stat(name); err != nil && slices.Contains(knownIDs(), name) {
			return usagef("explain: one ID at a time, or texts; %s is an ID", name)
		}
	}
	return runExplainTexts(ctx, a, args, format)
}

// knownIDs are everything that explain knows by name.
func knownIDs() []string { return slices.Concat(checkIDs(), fixIDs(), rows()) }

func runExplainID(a *app, id, format string) error {
	e := explain(id)
	if format == report.FormatJSON {
		return report.WriteJSON(a.streams.Out, e)
	}
	return a.print(e.text(a.streams.Width))
}

// explain collects what an id names: a check, a fix, or whatever carries a catalogue row.
func explain(id string) explanation {
	e := explanation{SchemaVersion: 1, ID: id, Checks: []explainedCheck{}, Fixes: []explainedFix{}, Signatures: []explainedSignature{}}
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
	for _, s := range knowledge.Signatures() {
		if s.Check == id || slices.Contains(s.Rows, id) {
			e.Signatures = append(e.Signatures, explainedSignature{s.ID, list(s.Rows), s.Check, s.Says, s.Confidence, s.Source})
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

// rows are the catalogue rows that any check, fix or signature carries, and the ids of the host catalogue.
func rows() []string {
	var out []string
	for _, c := range checks.All() {
		out = append(out, c.Rows...)
	}
	for _, f := range fixes.All() {
		out = append(out, f.Rows...)
	}
	for _, s := range knowledge.Signatures() {
		out = append(append(out, s.Rows...), s.Check)
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
	if len(e.Signatures) > 0 {
		fmt.Fprintf(&b, "texts   by which it is recognised (boxdoctor knowledge show %s)\n", e.ID)
	}
	for _, s := range e.Signatures {
		paragraph(&b, width, "says", s.Says)
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
