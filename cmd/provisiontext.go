package cmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/report"
	"github.com/boxdoctor/boxdoctor/internal/term"
	"github.com/boxdoctor/boxdoctor/provision"
)

// Columns of the text report: where the names of resources and their changes begin, and what is said of them.
const (
	resourceColumn = 15
	messageColumn  = 4
)

// warned is what stands where the result would, of a step that is as declared and has something to warn of.
const warned provision.Result = "warning"

// provisionText writes the report for people.
type provisionText struct {
	strings.Builder
	paint term.Palette
	width int
	ascii bool
	// all: also what is as declared and what was not reached.
	all bool
	// again is the command that goes on with a machine.
	again func(machine string) string
}

func (t *provisionText) machine(m provision.MachineReport) {
	t.WriteString(t.paint.Strong(m.Name))
	if m.System != "" {
		t.WriteString("   " + m.System)
	}
	t.WriteByte('\n')
	t.said(m.Message)
	unreached := 0
	for _, s := range m.Steps {
		switch {
		case s.Result == provision.OK && len(s.Warnings) == 0 && !t.all:
		case s.Result == provision.Skipped && !t.all:
			unreached++
		default:
			t.step(s)
		}
	}
	if unreached > 0 {
		t.row(provision.Skipped, fmt.Sprintf("%s not reached (-v names them)", plural(unreached, "further step was", "further steps were")))
	}
	if m.Interrupted || slices.ContainsFunc(m.Steps, func(s provision.Step) bool { return s.Result == provision.Failed }) {
		t.said("What is done stays done. To go on:")
		fmt.Fprintf(t, "%*s%s\n", messageColumn, "", t.paint.Command(t.again(m.Name)))
	}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func (t *provisionText) step(s provision.Step) {
	if s.Result == provision.OK && len(s.Warnings) > 0 {
		t.row(warned, s.Resource)
	} else {
		t.row(s.Result, s.Resource)
	}
	for _, c := range s.Changes {
		for _, line := range report.Wrap(c.What+": "+t.fromTo(c), t.width-resourceColumn) {
			fmt.Fprintf(t, "%*s%s\n", resourceColumn, "", line)
		}
		for line := range strings.Lines(c.Diff) {
			fmt.Fprintf(t, "%*s%s\n", messageColumn, "", t.diffLine(strings.TrimRight(line, "\n")))
		}
	}
	for _, w := range s.Warnings {
		t.warning(w)
	}
	t.said(s.Message)
}

// warning is what is the matter and what helps.
func (t *provisionText) warning(w provision.Warning) {
	fmt.Fprintf(t, "%*s%s: %s\n", messageColumn, "", w.About, t.paint.Warn(strings.ReplaceAll(w.Status, "_", " ")))
	for _, p := range [][2]string{{"seen", w.Message}, {"do", w.Fix}} {
		label := p[0]
		for _, line := range report.Wrap(p[1], t.width-messageColumn-7) {
			fmt.Fprintf(t, "%*s%-4s %s\n", messageColumn+2, "", label, line)
			label = ""
		}
	}
}

func (t *provisionText) row(r provision.Result, what string) {
	word := fmt.Sprintf("%-12s", r)
	switch r {
	case provision.Failed:
		word = t.paint.Bad(word)
	case provision.Changed, provision.WouldChange, provision.MayChange, warned:
		word = t.paint.Warn(word)
	case provision.OK:
		word = t.paint.Good(word)
	case provision.Skipped:
		word = t.paint.Dim(word)
	}
	fmt.Fprintf(t, "  %s %s\n", word, what)
}

func (t *provisionText) diffLine(line string) string {
	switch {
	case strings.HasPrefix(line, "+"):
		return t.paint.Good(line)
	case strings.HasPrefix(line, "-"):
		return t.paint.Bad(line)
	}
	return line
}

// said is what went wrong: our own sentences and the end of what a program printed. Lines that fit stay as they are,
// because programs align them.
func (t *provisionText) said(message string) {
	for line := range strings.Lines(message) {
		line = strings.TrimRight(line, " \n")
		if line == "" {
			continue
		}
		parts := []string{line}
		if len([]rune(line)) > t.width-messageColumn {
			parts = report.Wrap(line, t.width-messageColumn)
		}
		for _, p := range parts {
			fmt.Fprintf(t, "%*s%s\n", messageColumn, "", p)
		}
	}
}

func (t *provisionText) fromTo(c provision.Record) string {
	switch {
	case c.From == "":
		return c.To
	case t.ascii:
		return c.From + " -> " + c.To
	}
	return c.From + " → " + c.To
}

// recap is the table that people look at first.
func (t *provisionText) recap(r provision.Report) {
	t.WriteByte('\n')
	for _, m := range r.Machines {
		n := m.Totals
		line := fmt.Sprintf("%-20s ok=%d ", m.Name, n.OK)
		if r.Check {
			line += fmt.Sprintf("would change=%d may change=%d ", n.WouldChange, n.MayChange)
		} else {
			line += fmt.Sprintf("changed=%d ", n.Changed)
		}
		line += fmt.Sprintf("failed=%d skipped=%d", n.Failed, n.Skipped)
		if n.Warnings > 0 {
			line += " " + t.paint.Warn(fmt.Sprintf("warnings=%d", n.Warnings))
		}
		if !m.Reachable {
			line += " not reached"
		}
		t.WriteString(line + "\n")
	}
}
