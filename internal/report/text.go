package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

// Columns of the text form.
const (
	// detailIndent is where the lines below a finding's first line begin.
	detailIndent = 8
	// wordWidth is that of the longest status word and its gap; labelWidth that of "after" and its gap.
	wordWidth    = 6
	labelWidth   = 6
	defaultWidth = 80
)

// Text renders for people: a word before every colour, details only for what is not healthy, symptoms folded
// under their cause, and the next command last.
type Text struct{ o Options }

var _ Reporter = Text{}

// NewText returns the text renderer.
func NewText(o Options) Text { return Text{o} }

// Report writes the whole text at once.
func (t Text) Report(w io.Writer, r finding.Report) error {
	r = cleaned(r)
	p := newPage(t.o, r.Machines)
	switch {
	case t.o.Quiet:
		p.quiet(r)
	default:
		p.full(r)
	}
	_, err := w.Write(p.buf.Bytes())
	return err
}

// page is one text being laid out.
type page struct {
	o    Options
	buf  bytes.Buffer
	fold folded
}

func newPage(o Options, ms []finding.Machine) *page {
	if o.Width <= 0 {
		o.Width = defaultWidth
	}
	if o.Paint == nil {
		o.Paint = noPaint{}
	}
	return &page{o: o, fold: fold(ms)}
}

func (p *page) full(r finding.Report) {
	for _, n := range r.Notes {
		p.labelled(0, "note", n)
	}
	if len(r.Notes) > 0 {
		p.line(0, "")
	}
	switch {
	case p.o.Fix && r.DryRun:
		p.planned(r)
	case p.o.Fix:
		p.repaired(r)
	default:
		p.machines(r, func(int) bool { return true })
	}
	p.line(0, cmp.Or(p.totals(r.Summary), "nothing was examined"))
	p.next(r)
}

func (p *page) machines(r finding.Report, show func(int) bool) {
	for i, m := range r.Machines {
		if show(i) {
			p.machine(i, m)
		}
	}
}

// quiet writes one line per finding that decides the exit code, roots only.
func (p *page) quiet(r finding.Report) {
	for mi, m := range r.Machines {
		for fi, f := range m.Findings {
			at := place{mi, fi}
			if p.fold.isSymptom[at] || !p.decides(f.Status) {
				continue
			}
			more := ""
			if n := len(p.fold.under[at]); n > 0 {
				more = fmt.Sprintf(" (explains %d more)", n)
			}
			p.line(0, fmt.Sprintf("%s  %s  %s: %s%s", m.Name, p.bare(f.Status), f.ID, p.text(oneLine(f.Message)), more))
		}
	}
}

// decides tells which statuses can make the exit code other than 0.
func (p *page) decides(s finding.Status) bool {
	return s == finding.Fail || s == finding.Unknown || (p.o.Strict && s == finding.Warn)
}

func (p *page) machine(i int, m finding.Machine) {
	defer p.group(m.Name)()
	head := p.o.Paint.Strong(m.Name)
	note := m.Note
	if !m.Reachable {
		note = strings.TrimPrefix(note+", not examined", ", ")
	}
	if note != "" {
		head += "   " + p.text(note)
	}
	p.line(0, head)
	width := p.idWidth(i)
	var quiet finding.Summary
	for _, at := range p.reading(i) {
		f := p.fold.at(at)
		switch {
		case p.o.Verbose, shown(f.Status) && !p.fold.isSymptom[at]:
			p.finding(at, m, width)
		case !shown(f.Status):
			count(&quiet, f.Status)
		}
	}
	if s := p.totals(quiet); s != "" {
		p.line(2, p.o.Paint.Dim(s))
	}
	p.line(0, "")
}

// group opens a group of the CI system's log; what it returns closes it.
func (p *page) group(name string) (end func()) {
	if p.o.Group == nil {
		return func() {}
	}
	opening, closing := p.o.Group(name)
	p.buf.WriteString(opening + "\n")
	return func() { p.buf.WriteString(closing + "\n") }
}

// reading is the order in which a person wants to read: what is broken, by how much it explains, what could not
// be told, warnings. With -v everything stands in the report's own order.
func (p *page) reading(i int) []place {
	var out []place
	for fi := range p.fold.ms[i].Findings {
		out = append(out, place{i, fi})
	}
	if p.o.Verbose {
		return out
	}
	rank := map[finding.Status]int{finding.Fail: 0, finding.Unknown: 1, finding.Warn: 2}
	slices.SortStableFunc(out, func(a, b place) int {
		return cmp.Or(cmp.Compare(rank[p.fold.at(a).Status], rank[p.fold.at(b).Status]), cmp.Compare(len(p.fold.under[b]), len(p.fold.under[a])))
	})
	return out
}

func (p *page) hasOpen(i int) bool {
	return p.o.Verbose || slices.ContainsFunc(p.fold.ms[i].Findings, func(f finding.Finding) bool { return shown(f.Status) })
}

// idWidth is the width of the id column of a machine.
func (p *page) idWidth(i int) int {
	w := 0
	for fi, f := range p.fold.ms[i].Findings {
		if p.o.Verbose || shown(f.Status) && !p.fold.isSymptom[place{i, fi}] {
			w = max(w, columns(f.ID))
		}
	}
	return min(w, 28)
}

func count(s *finding.Summary, st finding.Status) {
	if st == finding.Pass {
		s.Pass++
	} else {
		s.Skip++
	}
}

// totals is "1 failed, 2 warnings, 9 passed": what is zero is left out.
func (p *page) totals(s finding.Summary) string {
	var parts []string
	for _, c := range []struct {
		n         int
		one, many string
	}{
		{s.Fail, "failed", "failed"}, {s.Warn, "warning", "warnings"}, {s.Unknown, "unknown", "unknown"},
		{s.Skip, "skipped", "skipped"}, {s.Pass, "passed", "passed"},
	} {
		if c.n == 1 {
			parts = append(parts, "1 "+c.one)
		} else if c.n > 1 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.many))
		}
	}
	return strings.Join(parts, ", ")
}

// next is the last line: what to do now. Nothing is said when nothing is to be done.
func (p *page) next(r finding.Report) {
	if cmd := p.nextCommand(r); cmd != "" && !p.o.NoNext {
		p.line(0, "next: "+p.o.Paint.Command(cmd))
	}
}

func (p *page) nextCommand(r finding.Report) string {
	open := append(p.hostIf(r.Machines, worthFixing), p.machinesWith(r.Machines, worthFixing)...)
	switch {
	case r.ExitCode == finding.ExitUnverified:
		return p.command("check", p.machinesWith(r.Machines, func(f finding.Finding) bool { return shown(f.Status) }), "-v")
	case len(r.TimedOut) > 0 && p.o.Timeout > 0:
		return p.command(p.verb(), r.TimedOut, "--timeout", max(2*p.o.Timeout, leastTimeout).String())
	case p.o.Fix && slices.ContainsFunc(r.Actions, cutOff):
		return p.command("check", machinesOf(r.Actions))
	case p.o.Fix && len(r.Actions) > 0 && (r.DryRun || r.ExitCode == finding.ExitInterrupted):
		return p.command("fix", machinesOf(r.Actions))
	case len(open) > 0 && !p.o.Fix:
		return p.command("fix", open)
	}
	return p.firstAdvice(r.Machines)
}

// leastTimeout is what any machine answers in.
const leastTimeout = 10 * time.Second

func (p *page) verb() string {
	if p.o.Fix {
		return "fix"
	}
	return "check"
}

// worthFixing tells whether `fix` would repair a finding without being told to by name.
func worthFixing(f finding.Finding) bool {
	return f.Fix != "" && (f.Status == finding.Fail || f.Status == finding.Warn && f.Severity != finding.Minor)
}

// cutOff tells whether it is not known how an action ended.
func cutOff(a finding.ActionRecord) bool { return a.Outcome == finding.OutcomeCut }

// firstAdvice is the first command that a finding advises, in the order of reading, or the explanation of the first
// finding.
func (p *page) firstAdvice(ms []finding.Machine) string {
	explain := ""
	for mi := range ms {
		for _, at := range p.reading(mi) {
			f := p.fold.at(at)
			if !shown(f.Status) || p.fold.isSymptom[at] {
				continue
			}
			if f.Fix != "" && problem(f.Status) && !p.o.Fix {
				return p.command("fix", []string{ms[mi].Name}, "--only", f.ID)
			}
			for _, a := range f.Advice {
				if a.Command != "" && !strings.Contains(a.Command, "\n") {
					return a.Command
				}
			}
			if explain == "" {
				explain = "boxdoctor explain " + f.ID
			}
		}
	}
	return explain
}

func problem(s finding.Status) bool { return s == finding.Fail || s == finding.Warn }

func (p *page) machinesWith(ms []finding.Machine, has func(finding.Finding) bool) []string {
	var names []string
	for _, m := range ms {
		if m.Kind == finding.KindGuest && slices.ContainsFunc(m.Findings, has) {
			names = append(names, m.Name)
		}
	}
	return names
}

func machinesOf(as []finding.ActionRecord) []string {
	var names []string
	for _, a := range as {
		if !slices.Contains(names, a.Machine) {
			names = append(names, a.Machine)
		}
	}
	return names
}

// hostIf is the host's name where it has such a finding.
func (p *page) hostIf(ms []finding.Machine, has func(finding.Finding) bool) []string {
	for _, m := range ms {
		if m.Kind == finding.KindHost && slices.ContainsFunc(m.Findings, has) {
			return []string{m.Name}
		}
	}
	return nil
}

// command is a command line of ours for these machines, ready to be pasted.
func (p *page) command(verb string, machines []string, more ...string) string {
	cmd := "boxdoctor " + verb
	if len(machines) > 0 && !p.o.NoNames {
		cmd += " " + shell.Join(machines)
	}
	if p.o.Flags != "" {
		cmd += " " + p.o.Flags
	}
	return strings.Join(append([]string{cmd}, more...), " ")
}

// text prepares words of ours or of a guest; commands are never changed.
func (p *page) text(s string) string {
	if p.o.ASCII {
		return ascii(s)
	}
	return s
}

func (p *page) line(indent int, s string) {
	if p.o.Plain != nil {
		s = p.o.Plain(s)
	}
	if s != "" {
		p.buf.WriteString(strings.Repeat(" ", indent) + s)
	}
	p.buf.WriteByte('\n')
}

// labelled writes "label text", wrapped with the text under itself.
func (p *page) labelled(indent int, label, text string) {
	if strings.TrimSpace(text) == "" {
		return
	}
	lead := pad(label, labelWidth)
	for _, l := range Wrap(p.text(text), p.o.Width-indent-columns(lead)) {
		if l == "" {
			p.line(0, "")
			continue
		}
		p.line(indent, p.o.Paint.Dim(lead)+l)
		lead = strings.Repeat(" ", columns(lead))
	}
}

// words are the statuses as people read them.
var words = map[finding.Status]string{finding.Pass: "ok", finding.Fail: "FAIL", finding.Warn: "warn", finding.Skip: "-"}

// word is the status word, coloured and padded to its column.
func (p *page) word(s finding.Status) string {
	return p.bare(s) + strings.Repeat(" ", wordWidth-columns(statusWord(s)))
}

// bare is the status word, coloured.
func (p *page) bare(s finding.Status) string {
	paint := p.o.Paint.Warn
	switch s {
	case finding.Pass:
		paint = p.o.Paint.Good
	case finding.Fail:
		paint = p.o.Paint.Bad
	case finding.Skip:
		paint = p.o.Paint.Dim
	}
	return paint(statusWord(s))
}

func statusWord(s finding.Status) string { return cmp.Or(words[s], "?") }

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// noPaint leaves words as they are.
type noPaint struct{}

func (noPaint) Good(s string) string    { return s }
func (noPaint) Bad(s string) string     { return s }
func (noPaint) Warn(s string) string    { return s }
func (noPaint) Dim(s string) string     { return s }
func (noPaint) Strong(s string) string  { return s }
func (noPaint) Command(s string) string { return s }
