package cmd

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/boxdoctor/boxdoctor/checks"
	"github.com/boxdoctor/boxdoctor/fixes"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/report"
)

// listedCheck and listedFix are the JSON forms of docs/schema/list.json.
type listedCheck struct {
	ID       string           `json:"id"`
	Title    string           `json:"title"`
	Area     string           `json:"area"`
	Target   string           `json:"target"`
	Rows     []string         `json:"rows"`
	Severity finding.Severity `json:"severity"`
	Fix      string           `json:"fix"`
}

type listedFix struct {
	ID     string   `json:"id"`
	Title  string   `json:"title"`
	Impact string   `json:"impact"`
	Clears []string `json:"clears"`
	After  []string `json:"after"`
	Rows   []string `json:"rows"`
}

func newListedCheck(c checks.Check) listedCheck {
	return listedCheck{ID: c.ID, Title: c.Title, Area: c.Area(), Target: c.Target, Rows: list(c.Rows), Severity: c.Severity, Fix: c.Fix}
}

func newListedFix(f fixes.Fix) listedFix {
	return listedFix{ID: f.ID, Title: f.Title, Impact: f.Impact.String(), Clears: list(f.Clears), After: list(f.After), Rows: list(f.Rows)}
}

// list makes a list that JSON does not write as null.
func list(s []string) []string { return append([]string{}, s...) }

func listKinds() []string { return []string{"checks", "fixes"} }

func newListCmd(a *app) *cobra.Command {
	var format string
	c := &cobra.Command{
		Use: "list checks|fixes", Short: "List what boxdoctor can examine or repair", ValidArgs: listKinds(),
		Long: "Lists every check, or every fix, with its id. Nothing is examined.",
		Example: "  boxdoctor list checks\n" +
			"  boxdoctor list fixes --format json | jq -r '.fixes[].id'",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("list needs one word: %s", strings.Join(listKinds(), " or "))
			}
			if err := validFormat(format); err != nil {
				return err
			}
			return runList(a, args[0], format)
		},
	}
	addFormat(c, &format)
	return c
}

func addFormat(c *cobra.Command, format *string) {
	c.Flags().StringVar(format, "format", report.FormatText, "`FORMAT` is text or json")
	completeIDs(c)
}

func validFormat(format string) error {
	if format == report.FormatText || format == report.FormatJSON {
		return nil
	}
	return unknownFormat("--format", format)
}

func runList(a *app, kind, format string) error {
	switch kind {
	case "checks":
		cs := []listedCheck{}
		for _, c := range checks.All() {
			cs = append(cs, newListedCheck(c))
		}
		if format == report.FormatJSON {
			return report.WriteJSON(a.streams.Out, map[string]any{"schema_version": 1, "checks": cs})
		}
		return a.print(checkTable(cs))
	case "fixes":
		fs := []listedFix{}
		for _, f := range fixes.All() {
			fs = append(fs, newListedFix(f))
		}
		if format == report.FormatJSON {
			return report.WriteJSON(a.streams.Out, map[string]any{"schema_version": 1, "fixes": fs})
		}
		return a.print(fixTable(fs))
	}
	return unknown("list", kind, listKinds())
}

func checkTable(cs []listedCheck) string {
	return table("ID\tWHERE\tSEVERITY\tTITLE", len(cs), func(i int) string {
		return fmt.Sprintf("%s\t%s\t%s\t%s", cs[i].ID, cs[i].Target, cs[i].Severity, cs[i].Title)
	})
}

func fixTable(fs []listedFix) string {
	return table("ID\tIMPACT\tTITLE", len(fs), func(i int) string {
		return fmt.Sprintf("%s\t%s\t%s", fs[i].ID, fs[i].Impact, fs[i].Title)
	})
}

func table(head string, n int, row func(i int) string) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, head) //nolint:errcheck // a strings.Builder cannot fail
	for i := range n {
		fmt.Fprintln(w, row(i)) //nolint:errcheck // a strings.Builder cannot fail
	}
	_ = w.Flush()
	return b.String()
}
