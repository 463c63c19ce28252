package report

import (
	"fmt"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// finding writes one finding with everything that belongs to it.
func (p *page) finding(at place, m finding.Machine, idWidth int) {
	f := p.fold.at(at)
	p.firstLine(f, idWidth)
	if shown(f.Status) {
		p.wantGot(f)
		p.labelled(detailIndent, "why", f.Why)
	}
	if p.o.Verbose {
		p.lookedHow(at, f)
	}
	if shown(f.Status) {
		p.advice(f, m)
	}
	p.symptoms(at)
}

// firstLine is "FAIL  id  major: message" when that fits, else the message follows on lines of its own.
func (p *page) firstLine(f finding.Finding, idWidth int) {
	message := f.Message
	if message == "" {
		message = f.Title
	}
	message = p.text(message)
	if problem(f.Status) && f.Severity != "" {
		message = string(f.Severity) + ": " + message
	}
	if p.o.Verbose {
		message += fmt.Sprintf(" (%s)", millis(f.DurationMS))
	}
	id := pad(f.ID, idWidth)
	if room := p.o.Width - 2 - wordWidth - columns(id) - 2; columns(message) <= room && !strings.Contains(message, "\n") {
		p.line(2, p.word(f.Status)+id+"  "+message)
		return
	}
	p.line(2, p.word(f.Status)+f.ID)
	for _, l := range Wrap(message, p.o.Width-detailIndent) {
		p.line(detailIndent, l)
	}
}

// wantGot puts both on one line when they fit.
func (p *page) wantGot(f finding.Finding) {
	const gap = 3
	short := detailIndent + 2*labelWidth + gap + columns(f.Want) + columns(f.Got)
	if f.Want == "" || f.Got == "" || short > p.o.Width || strings.Contains(f.Want+f.Got, "\n") {
		p.labelled(detailIndent, "want", f.Want)
		p.labelled(detailIndent, "got", f.Got)
		return
	}
	dim := p.o.Paint.Dim
	p.line(detailIndent, dim(pad("want", labelWidth))+p.text(f.Want)+strings.Repeat(" ", gap)+dim("got")+"  "+p.text(f.Got))
}

// lookedHow is what -v adds: how it was looked, the catalogue rows, a page to read on, and the cause of a symptom.
func (p *page) lookedHow(at place, f finding.Finding) {
	if p.o.Looks != nil {
		p.labelled(detailIndent, "how", Clean(p.o.Looks(f.ID)))
	}
	if shown(f.Status) {
		p.labelled(detailIndent, "rows", strings.Join(f.Rows, " "))
		p.labelled(detailIndent, "link", f.Link)
	}
	if p.fold.isSymptom[at] {
		p.labelled(detailIndent, "cause", f.CausedBy)
	}
}

// advice writes what to do; every command stands on a line of its own and is never broken.
func (p *page) advice(f finding.Finding, m finding.Machine) {
	hasFix := false
	for _, a := range f.Advice {
		p.labelled(detailIndent, "do", a.Text)
		p.run(a.Command, "")
		hasFix = hasFix || strings.HasPrefix(a.Command, "boxdoctor fix")
	}
	if f.Fix != "" && problem(f.Status) && !hasFix && !p.o.Fix {
		p.run(p.command("fix", []string{m.Name}, "--only", f.ID), p.impact(f.Fix))
	}
}

// impact is what a fix does to the guest, as a shell comment that may be pasted along.
func (p *page) impact(fix string) string {
	if p.o.Impact == nil {
		return ""
	}
	if s := p.o.Impact(fix); s != "" {
		return "   " + p.o.Paint.Dim("# "+s)
	}
	return ""
}

func (p *page) run(command, comment string) {
	if command == "" {
		return
	}
	label := p.o.Paint.Dim(pad("run", labelWidth))
	for l := range strings.SplitSeq(strings.TrimRight(command, "\n"), "\n") {
		p.line(detailIndent, label+p.o.Paint.Command(l)+comment)
		label, comment = strings.Repeat(" ", labelWidth), ""
	}
}

// symptoms lists what a root cause explains, one short entry each.
func (p *page) symptoms(at place) {
	const label = "explains: "
	lead := label
	for _, s := range p.fold.under[at] {
		f := p.fold.at(s)
		id := f.ID
		if s.machine != at.machine {
			id = p.fold.ms[s.machine].Name + ": " + id
		}
		lines := Wrap(p.text(id+" — "+oneLine(f.Message)), p.o.Width-detailIndent-len(label)-2)
		for i, l := range lines {
			if i > 0 {
				l = "  " + l
			}
			p.line(detailIndent, p.o.Paint.Dim(lead)+l)
			lead = strings.Repeat(" ", len(label))
		}
	}
}

// millis is a duration for people.
func millis(ms int64) string {
	if ms < 1000 {
		return fmt.Sprintf("%dms", ms)
	}
	return fmt.Sprintf("%.1fs", float64(ms)/1000)
}
