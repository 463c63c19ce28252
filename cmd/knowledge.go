package cmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/boxdoctor/boxdoctor/internal/knowledge"
	"github.com/boxdoctor/boxdoctor/internal/report"
)

// knownEntry is the JSON form of docs/schema/knowledge.json: one thing that boxdoctor knows as data.
type knownEntry struct {
	Kind       string   `json:"kind"`
	ID         string   `json:"id"`
	Rows       []string `json:"rows"`
	Check      string   `json:"check"`
	Role       string   `json:"role"`
	Says       string   `json:"says"`
	Confidence string   `json:"confidence"`
	Match      []string `json:"match"`
	Versions   []string `json:"versions"`
	Advice     []string `json:"advice"`
	Source     string   `json:"source"`
	Date       string   `json:"date"`
}

func newKnowledgeCmd(a *app) *cobra.Command {
	var format string
	var folders knowledgeFlags
	c := &cobra.Command{
		Use: "knowledge list|show ROW", Short: "List what boxdoctor knows as data: signatures, versions, ends of life",
		Long: `Lists the signatures of faults, the pairs of Guest Additions and kernels that do not build, and the releases past their end of
life, or shows those of one ROW of the catalogue (K1, 1.7.8, net.hostonly_range), check or signature with source and date.
Your own signatures are read from *.yaml in --knowledge DIR and in the folder "knowledge" of the configuration folder
(BOXDOCTOR_CONFIG_HOME, else the user's); from .boxdoctor/knowledge of a project only what texts mean, never a command.`,
		Example: "  boxdoctor knowledge list\n  boxdoctor knowledge show K1\n  boxdoctor knowledge list --knowledge ./my-signatures --format json",
		RunE: func(c *cobra.Command, args []string) error {
			if err := validFormat(format); err != nil {
				return err
			}
			if err := folders.use(a); err != nil {
				return err
			}
			return runKnowledge(a, args, format)
		},
		ValidArgs: []string{"list", "show"},
	}
	addFormat(c, &format)
	folders.add(c.Flags())
	return c
}

func runKnowledge(a *app, args []string, format string) error {
	all := knownEntries()
	switch {
	case len(args) == 1 && args[0] == "list":
		return deliverKnowledge(a, all, format, false)
	case len(args) == 2 && args[0] == "show":
		if err := allKnown("knowledge show", "row", args[1:], entryNames(all), "boxdoctor knowledge list"); err != nil {
			return err
		}
		of := slices.DeleteFunc(all, func(e knownEntry) bool { return !slices.Contains(e.names(), args[1]) })
		return deliverKnowledge(a, of, format, true)
	}
	return usagef("knowledge needs list, or show and a ROW").withHint("boxdoctor knowledge list, boxdoctor knowledge show K1")
}

// names are the words by which show finds an entry.
func (e knownEntry) names() []string { return append([]string{e.ID, e.Check}, e.Rows...) }

func entryNames(all []knownEntry) (names []string) {
	for _, e := range all {
		names = append(names, e.names()...)
	}
	return slices.DeleteFunc(names, func(n string) bool { return n == "" })
}

// knownEntries is everything that is known as data, signatures in the order of causes.
func knownEntries() []knownEntry {
	var out []knownEntry
	for _, s := range knowledge.Signatures() {
		e := knownEntry{Kind: "signature", ID: s.ID, Rows: list(s.Rows), Check: s.Check, Role: string(s.Role), Says: s.Says,
			Confidence: fmt.Sprintf("%.2f", s.Confidence), Match: list(s.Match), Versions: []string{}, Advice: list(s.Advice), Source: s.Source, Date: s.Date}
		for name, c := range s.Versions {
			e.Versions = append(e.Versions, name+" "+c)
		}
		slices.Sort(e.Versions)
		out = append(out, e)
	}
	for _, p := range knowledge.Pairs() {
		says := "Guest Additions " + p.Additions + " build"
		if !p.Builds() {
			says = fmt.Sprintf("%s does not compile: %s", p.Module, p.Says)
		}
		out = append(out, knownEntry{Kind: "pair", ID: p.Module, Rows: []string{p.Row}, Says: says, Confidence: p.Confidence, Match: []string{},
			Versions: []string{"ga " + p.Additions, "kernel " + strings.Join(p.Kernels, " || ")}, Advice: []string{}, Source: p.Source, Date: p.Date})
	}
	for _, r := range knowledge.Releases() {
		out = append(out, knownEntry{Kind: "release", ID: r.ID + " " + r.Version, Rows: []string{r.Row}, Match: []string{}, Versions: []string{}, Advice: []string{},
			Says: fmt.Sprintf("past its end of life since %s; packages are at %s", r.EOL, r.Archive), Date: r.EOL})
	}
	return out
}

func deliverKnowledge(a *app, entries []knownEntry, format string, whole bool) error {
	if format == report.FormatJSON {
		return report.WriteJSON(a.streams.Out, map[string]any{"schema_version": 1, "entries": entries})
	}
	if !whole {
		return a.print(report.Clean(table("ROWS\tKIND\tNAME\tCHECK\tSAYS", len(entries), func(i int) string {
			e := entries[i]
			return strings.Join([]string{strings.Join(e.Rows, " "), e.Kind, e.ID, e.Check, e.Says}, "\t")
		})))
	}
	var b strings.Builder
	for _, e := range entries {
		e.write(&b, a.streams.Width)
	}
	return a.print(report.Clean(b.String()))
}

func (e knownEntry) write(b *strings.Builder, width int) {
	fmt.Fprintf(b, "%s %s   %s\n", e.Kind, e.ID, e.Says)
	paragraph(b, width, "rows", strings.Join(e.Rows, " "))
	if e.Check != "" {
		paragraph(b, width, "check", fmt.Sprintf("%s (%s)", e.Check, e.Role))
	}
	for _, m := range e.Match {
		paragraph(b, width, "match", m)
	}
	paragraph(b, width, "only", strings.Join(e.Versions, "; "))
	for _, x := range e.Advice {
		paragraph(b, width, "advice", x)
	}
	paragraph(b, width, "sure", e.Confidence)
	paragraph(b, width, "source", strings.TrimSpace(e.Source+" "+e.Date))
	b.WriteByte('\n')
}
