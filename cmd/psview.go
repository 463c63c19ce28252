package cmd

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/boxdoctor/boxdoctor/internal/report"
	"github.com/boxdoctor/boxdoctor/internal/supervisor"
	"github.com/boxdoctor/boxdoctor/internal/term"
)

// clearScreen goes to the upper left corner and clears what is below.
const clearScreen = "\x1b[H\x1b[2J"

// showPs writes the report. On a terminal --watch draws over the last one, and a row is as wide as the screen; what is
// piped is whole.
func (a *app) showPs(r psReport, o *psOptions) error {
	if o.Format == report.FormatJSON {
		return report.WriteJSON(a.streams.Out, r)
	}
	width, head := 0, ""
	if a.streams.OutTTY {
		width = a.streams.Width
	}
	if o.Watch {
		head = r.StartedAt.Format(time.TimeOnly) + "   every " + o.Interval.String() + ", Ctrl-C ends\n\n"
		if a.streams.OutTTY {
			head = clearScreen + head
		}
	}
	return a.print(head + psText(r, width, a.streams.OutPalette, o.Reach))
}

// psText is one table for all machines, and below it what else is to be said of them. Width 0: as wide as it is.
func psText(r psReport, width int, paint term.Palette, reach reachFlags) string {
	rows := [][]string{{"MACHINE", "NAME", "GROUP", "STATE", "PID", "UPTIME", "EXIT", "LAST ERROR"}}
	var notes []string
	programs := 0
	for _, m := range r.Machines {
		for _, i := range m.Supervisors {
			for _, p := range i.Programs {
				rows = append(rows, psRow(m.Name, p))
			}
			programs += len(i.Programs)
		}
		notes = append(notes, m.notes(reach)...)
	}
	var b strings.Builder
	if programs > 0 {
		writeColumns(&b, rows, width, paint)
	}
	if programs > 0 && len(notes) > 0 {
		b.WriteByte('\n')
	}
	for _, n := range notes {
		b.WriteString(n + "\n")
	}
	return b.String()
}

func psRow(machine string, p supervisor.Program) []string {
	pid, up, exit := "-", "-", "-"
	if p.PID > 0 {
		pid = strconv.Itoa(p.PID)
	}
	if p.State == "RUNNING" {
		up = uptime(time.Duration(p.UptimeSeconds) * time.Second)
	}
	if p.Exit != nil {
		exit = strconv.Itoa(*p.Exit)
	}
	return []string{machine, p.Name, p.Group, p.State, pid, up, exit, p.LastError}
}

// uptime is short: 42s, 7m, 3h12m, 5d4h.
func uptime(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < day:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
}

// notes are what no row of the table says: a machine that is not known, without a Supervisor, or with one that is down.
func (m *psMachine) notes(reach reachFlags) []string {
	switch {
	case !m.Reachable:
		return []string{m.Name + ": not reached: " + m.Error}
	case m.Error != "":
		return []string{m.Name + ": its supervisord could not be asked: " + m.Error}
	case len(m.Supervisors) == 0:
		return []string{m.Name + ": no Supervisor is here"}
	}
	var out []string
	for _, i := range m.Supervisors {
		switch {
		case i.Down:
			out = append(out, fmt.Sprintf("%s: supervisord of %s does not run: nothing listens at %s (%s)\n  To look, in %s: systemctl status 'supervisor*'; tail /var/log/supervisor/supervisord.log",
				m.Name, i.Config, i.Socket, i.Error, m.Name))
		case i.Error != "":
			out = append(out, fmt.Sprintf("%s: supervisord of %s: %s", m.Name, i.Config, i.Error))
		case i.State != "RUNNING":
			out = append(out, fmt.Sprintf("%s: supervisord of %s is %s", m.Name, i.Config, i.State))
		case len(i.Programs) == 0:
			out = append(out, fmt.Sprintf("%s: supervisord of %s has no programs", m.Name, i.Config))
		}
	}
	return out
}

const (
	stateColumn = 3
	// leastError is how much of the last error is shown however narrow the screen is.
	leastError = 12
)

// writeColumns writes rows with two blanks between columns. The last column is cut so that a row fits into width.
func writeColumns(b *strings.Builder, rows [][]string, width int, paint term.Palette) {
	wide := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			wide[i] = max(wide[i], utf8.RuneCountInString(cell))
		}
	}
	last, before := len(wide)-1, 0
	for _, w := range wide[:last] {
		before += w + 2
	}
	for n, row := range rows {
		line := ""
		for i, cell := range row[:last] {
			padded := cell + strings.Repeat(" ", wide[i]-utf8.RuneCountInString(cell)+2)
			if i == stateColumn && n > 0 {
				padded = psPaint(paint, cell)(padded)
			}
			line += padded
		}
		tail := row[last]
		if room := max(width-before, leastError); width > 0 && utf8.RuneCountInString(tail) > room {
			tail = string([]rune(tail)[:room-3]) + "..."
		}
		b.WriteString(strings.TrimRight(line+tail, " ") + "\n")
	}
}

func psPaint(p term.Palette, state string) func(string) string {
	switch {
	case state == "RUNNING":
		return p.Good
	case (supervisor.Program{State: state}).Failed():
		return p.Bad
	case state == "EXITED" || state == "STOPPED":
		return p.Dim
	}
	return p.Warn
}

// cleanCell is report.Clean for what must stay in its cell.
func cleanCell(s string) string {
	return strings.NewReplacer("\n", " ", "\t", " ").Replace(report.Clean(s))
}
