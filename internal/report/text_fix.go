package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// planned writes a dry run: what is wrong, then what would be done about it.
func (p *page) planned(r finding.Report) {
	p.machines(r, p.hasOpen)
	for _, m := range machinesOf(r.Actions) {
		p.plan(m, of(r.Actions, m))
	}
	p.nothing(r)
}

// repaired writes what `fix` did, the table of before and after, and what is still open.
func (p *page) repaired(r finding.Report) {
	for _, m := range machinesOf(r.Actions) {
		p.done(m, of(r.Actions, m))
	}
	p.nothing(r)
	p.tables(r)
	p.machines(r, p.hasOpen)
}

func (p *page) nothing(r finding.Report) {
	switch {
	case len(r.Actions) > 0:
		return
	case r.DryRun:
		p.line(0, "dry run: there is nothing to change")
	case r.ExitCode != finding.ExitInterrupted && changedMeanwhile(r):
		p.line(0, "this run changed nothing itself")
	default:
		p.line(0, "nothing was changed")
	}
	p.line(0, "")
}

// changedMeanwhile tells whether a check got well although this run began nothing: a job of an earlier run did it.
func changedMeanwhile(r finding.Report) bool {
	for _, m := range r.Before {
		for _, f := range m.Findings {
			for _, now := range findings(r.After, m.Name) {
				if now.ID == f.ID && shown(f.Status) && !shown(now.Status) {
					return true
				}
			}
		}
	}
	return false
}

func of(as []finding.ActionRecord, machine string) []finding.ActionRecord {
	var out []finding.ActionRecord
	for _, a := range as {
		if a.Machine == machine {
			out = append(out, a)
		}
	}
	return out
}

// plan writes the full text of every action, unindented, so that it can be read and pasted as it runs.
func (p *page) plan(machine string, as []finding.ActionRecord) {
	p.line(0, p.o.Paint.Strong(machine)+"   dry run: nothing was changed; this is what would run")
	p.line(0, "")
	p.library(as)
	var last finding.ActionRecord
	for i, a := range as {
		if i == 0 || a.Stage != last.Stage {
			p.line(0, p.o.Paint.Strong(fmt.Sprintf("stage %d", a.Stage)))
		}
		if i == 0 || a.Stage != last.Stage || a.Fix != last.Fix {
			p.plannedFix(a, as)
		}
		if a.Text != "" {
			p.line(0, p.o.Paint.Command(strings.TrimRight(a.Text, "\n")))
			p.line(0, "")
		}
		last = a
	}
}

// plannedFix heads the actions of one fix: what it does to the guest, and what was said of the plan ("may
// change after …", or why it cannot be repaired from here).
func (p *page) plannedFix(a finding.ActionRecord, all []finding.ActionRecord) {
	head := p.text(a.Fix)
	if a.Outcome == finding.Failed {
		head = p.o.Paint.Bad("FAIL") + "  " + head
	}
	if a.Text != "" {
		head += p.plannedImpact(a.Fix, all)
	}
	p.line(2, head)
	for _, l := range Wrap(p.text(a.Message), p.o.Width-4) {
		if l != "" {
			p.line(4, l)
		}
	}
	p.line(0, "")
}

// plannedImpact is the impact of a fix; one that may restart a guest says so only when it does.
func (p *page) plannedImpact(fix string, all []finding.ActionRecord) string {
	restarts := slices.ContainsFunc(all, func(a finding.ActionRecord) bool { return a.Fix == fix && a.Title == "reboot" })
	if s := p.impact(fix); restarts || !strings.Contains(s, "reboots") {
		return s
	}
	return "   " + p.o.Paint.Dim("# changes packages")
}

// library writes, with -v and once, the shell functions that the jobs use.
func (p *page) library(as []finding.ActionRecord) {
	i := slices.IndexFunc(as, func(a finding.ActionRecord) bool { return a.Lib != "" })
	if i < 0 || !p.o.Verbose {
		return
	}
	p.line(0, p.o.Paint.Strong("shell functions that jobs below use"))
	p.line(0, "")
	p.line(0, p.o.Paint.Command(strings.TrimRight(as[i].Lib, "\n")))
	p.line(0, "")
}

// done writes one line per action that was tried.
func (p *page) done(machine string, as []finding.ActionRecord) {
	p.line(0, p.o.Paint.Strong(machine)+"   changes")
	width := 0
	for _, a := range as {
		width = max(width, columns(a.Fix))
	}
	for _, a := range as {
		title := a.Title
		if title == "" {
			title, _, _ = strings.Cut(a.Text, "\n")
			title = cut(title, p.o.Width-width-24)
		}
		if title != "" {
			title = p.text(title) + " (" + millis(a.DurationMS) + ")"
		}
		p.row(2, p.outcome(a.Outcome)+pad(a.Fix, width)+"  ", 2+9+width+2, title)
		for _, l := range Wrap(p.text(a.Message), p.o.Width-11) {
			if l != "" {
				p.line(11, l)
			}
		}
	}
	p.line(0, "")
}

func (p *page) outcome(o string) string {
	const width = 9
	word := pad(o, width)
	switch o {
	case finding.Done:
		return p.o.Paint.Good(word)
	case finding.Failed:
		return p.o.Paint.Bad(word)
	case finding.Planned:
		return p.o.Paint.Dim(word)
	}
	return p.o.Paint.Warn(word)
}

// row writes a head of some columns and a text beside it, wrapped under itself; where too little room is left for
// that, below it.
func (p *page) row(indent int, head string, columnsOfHead int, text string) {
	const least, below = 24, 11
	room := p.o.Width - columnsOfHead
	if room < least && columns(text) > room {
		p.line(indent, strings.TrimRight(head, " "))
		for _, l := range Wrap(text, p.o.Width-below) {
			p.line(below, l)
		}
		return
	}
	for i, l := range Wrap(text, room) {
		if i == 0 {
			p.line(indent, strings.TrimRight(head+l, " "))
			continue
		}
		p.line(columnsOfHead, l)
	}
}

// tables writes check, before, after for each machine.
func (p *page) tables(r finding.Report) {
	for _, m := range tableMachines(r) {
		before, after := findings(r.Before, m), findings(r.After, m)
		if len(before) > 0 && len(after) == 0 {
			continue // nobody looked again: there is nothing to compare
		}
		rows := p.tableRows(before, after)
		if len(rows) == 0 {
			continue
		}
		p.line(0, p.o.Paint.Strong(m))
		width := len("check")
		for _, row := range rows {
			width = max(width, columns(row.id))
		}
		p.line(2, p.o.Paint.Dim(pad("check", width)+"  before  after"))
		for _, row := range rows {
			line := pad(row.id, width) + "  " + p.cell(row.before) + "  " + p.cell(row.after) + row.remark()
			p.line(2, strings.TrimRight(line, " "))
		}
		p.line(0, "")
	}
}

// tableRow is one check before and after; a status is empty where the check was not asked.
type tableRow struct {
	id            string
	before, after finding.Status
}

// remark names a regression: a check that passed and no longer does.
func (t tableRow) remark() string {
	if t.before == finding.Pass && problem(t.after) {
		return "got worse"
	}
	return ""
}

// tableRows keeps the order of before, then what only after has. Without -v, checks that were and are
// healthy are left out.
func (p *page) tableRows(before, after []finding.Finding) []tableRow {
	var rows []tableRow
	index := map[string]int{}
	for _, f := range before {
		index[f.ID] = len(rows)
		rows = append(rows, tableRow{id: f.ID, before: f.Status})
	}
	for _, f := range after {
		if i, ok := index[f.ID]; ok {
			rows[i].after = f.Status
		} else {
			rows = append(rows, tableRow{id: f.ID, after: f.Status})
		}
	}
	return slices.DeleteFunc(rows, func(t tableRow) bool { return !p.o.Verbose && healthy(t.before) && healthy(t.after) })
}

func healthy(s finding.Status) bool { return s == "" || !shown(s) }

// cell is a status word, or nothing, padded to the width of the column.
func (p *page) cell(s finding.Status) string {
	if s == "" {
		return strings.Repeat(" ", wordWidth)
	}
	return p.word(s)
}

func tableMachines(r finding.Report) []string {
	var names []string
	for _, ms := range [][]finding.Machine{r.Before, r.After} {
		for _, m := range ms {
			if !slices.Contains(names, m.Name) {
				names = append(names, m.Name)
			}
		}
	}
	return names
}

func findings(ms []finding.Machine, name string) []finding.Finding {
	for _, m := range ms {
		if m.Name == name {
			return m.Findings
		}
	}
	return nil
}
