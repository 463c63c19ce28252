package report

import (
	"io"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// Undo writes what `boxdoctor undo` did, for people. Errors are those of the writer.
func Undo(w io.Writer, r finding.UndoReport, o Options) error {
	r = cleanedUndo(r)
	p := newPage(o, nil)
	for _, m := range r.Machines {
		p.undone(m, r.DryRun)
	}
	for _, n := range r.Notes {
		p.labelled(0, "note", n)
	}
	p.line(0, undoSummary(r))
	_, err := w.Write(p.buf.Bytes())
	return err
}

// UndoJSON writes the contract of docs/schema/undo.json.
func UndoJSON(w io.Writer, r finding.UndoReport) error {
	r = cleanedUndo(r)
	r.StartedAt = r.StartedAt.UTC().Truncate(time.Second)
	return WriteJSON(w, r)
}

// cleanedUndo: what guests and programs said must not reach a terminal as it is.
func cleanedUndo(r finding.UndoReport) finding.UndoReport {
	r.Notes = each(r.Notes, Clean)
	r.Machines = each(r.Machines, func(m finding.UndoMachine) finding.UndoMachine {
		m.Name, m.Problem, m.Command = cleanLine(m.Name), Clean(m.Problem), Clean(m.Command)
		m.Items = each(m.Items, func(i finding.UndoItem) finding.UndoItem {
			i.Title, i.Path, i.Message = cleanLine(i.Title), cleanLine(i.Path), Clean(i.Message)
			return i
		})
		return m
	})
	return r
}

// undoKinds stand before the path of a change that is not the thing itself.
var undoKinds = map[string]string{"mount": "the mount on", "mode": "the mode of", "service": "the service", "sysctl": "the parameter", "package": "the package"}

func (p *page) undone(m finding.UndoMachine, dry bool) {
	head := "   run " + m.RunID
	if dry {
		head += ", dry run: nothing was changed"
	}
	p.line(0, p.o.Paint.Strong(p.text(m.Name))+head)
	for _, i := range m.Items {
		what := i.Path
		if i.Kind == "" {
			what = i.Title
		}
		if before := undoKinds[i.Kind]; before != "" {
			what = before + " " + what
		}
		p.row(2, p.undoOutcome(i.Outcome), 11, p.text(what))
		for _, l := range Wrap(p.text(i.Message), p.o.Width-11) {
			if l != "" && i.Outcome != finding.Already {
				p.line(11, l)
			}
		}
	}
	if m.Problem != "" {
		p.row(2, p.o.Paint.Bad(pad("problem", 9)), 11, p.text(m.Problem))
	}
	if m.Command != "" {
		p.row(2, pad("run", 9), 11, p.o.Paint.Command(m.Command))
	}
	if len(m.Items) == 0 && m.Problem == "" {
		p.line(2, "nothing of that run is left to take back")
	}
	p.line(0, "")
}

func (p *page) undoOutcome(o string) string {
	word := pad(o, 9)
	switch o {
	case finding.Undone, finding.Already:
		return p.o.Paint.Good(word)
	case finding.Failed, finding.OutcomeCut:
		return p.o.Paint.Bad(word)
	case finding.Planned:
		return p.o.Paint.Dim(word)
	}
	return p.o.Paint.Warn(word)
}

// undoSummary is the last line.
func undoSummary(r finding.UndoReport) string {
	switch r.ExitCode {
	case finding.ExitOK:
		return "all that boxdoctor can take back is as it was before the run"
	case finding.ExitUnverified:
		return "something was not put back: see above"
	case finding.ExitUnexamined:
		return "a machine could not be looked at: see above"
	case finding.ExitInterrupted:
		return "interrupted"
	}
	if r.DryRun {
		return "dry run: this would be taken back with --yes, or when you are asked"
	}
	return "not everything was taken back: see above"
}
