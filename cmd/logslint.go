package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/logline"
	"github.com/boxdoctor/boxdoctor/internal/report"
)

// lintLimit is how many problems of one file are shown; the others are counted.
const lintLimit = 1000

// lintReport is the JSON form of docs/schema/logs-lint.json.
type lintReport struct {
	SchemaVersion int        `json:"schema_version"`
	Files         []lintFile `json:"files"`
	Wrong         int        `json:"wrong"`
	Warned        int        `json:"warned"`
}

// lintFile is what one file has against the specification; Wrong and Warned count lines.
type lintFile struct {
	File     string        `json:"file"`
	Lines    int           `json:"lines"`
	Wrong    int           `json:"wrong"`
	Warned   int           `json:"warned"`
	Problems []lintProblem `json:"problems"`
	// Unshown is how many problems there are beyond the listed ones.
	Unshown int `json:"unshown"`
}

type lintProblem struct {
	Line int `json:"line"`
	// Lines is how many lines in a row have the same: those of a stack trace are one problem.
	Lines    int    `json:"lines"`
	Field    string `json:"field"`
	Severity string `json:"severity"`
	Message  string `json:"message"`
}

const lintLong = `Checks lines against the log format of docs/logformat.md: DateTime | ServerIP | ClientIP | PID | RequestID | Type | Level |
Message | Code, where only Message may hold pipes. For every problem it says file, line and field.
FILE is a log; - is standard input. Nothing is sent anywhere and nothing is changed.
Exit codes: 0 every line is right (there may be warnings), 1 at least one is wrong (with --strict: or warned), 2 usage error,
3 a file could not be read to its end, 130 interrupted.`

const lintExample = `  boxdoctor logs lint /var/log/app/app.log
  ssh web cat /var/log/app/app.log | boxdoctor logs lint -
  boxdoctor logs lint app.log --format json | jq '.files[].problems[] | select(.field == "Code")'`

func newLogsLintCmd(a *app) *cobra.Command {
	var format string
	var strict bool
	c := &cobra.Command{
		Use: "lint FILE…|-", Short: "Say what is wrong in which line and field of a log", Long: lintLong, Example: lintExample,
		RunE: func(c *cobra.Command, args []string) error {
			if err := errors.Join(emptyFlag(c), validFormat(format)); err != nil {
				return err
			}
			if len(args) == 0 {
				return usagef("logs lint needs a FILE, or - for standard input")
			}
			return a.runLint(c.Context(), args, format, strict)
		},
	}
	addFormat(c, &format)
	c.Flags().BoolVar(&strict, "strict", false, "a warning counts as wrong")
	return c
}

// runLint checks every file; one that cannot be read to its end does not keep the others from it.
func (a *app) runLint(ctx context.Context, names []string, format string, strict bool) error {
	files, done, err := a.openLogs(names)
	if err != nil {
		return err
	}
	defer done()
	stop := watch(ctx, a.signals, nil)
	defer stop.Stop()
	out := lintReport{SchemaVersion: 1, Files: []lintFile{}}
	var unread error
	for i, f := range files {
		one, err := lint(names[i], readAhead(stop.Soft, f))
		if stop.Interrupted() {
			return errInterrupted
		}
		if err != nil {
			unread = errors.Join(unread, fmt.Errorf("%s could not be read to its end: %w", names[i], err))
		}
		out.Files = append(out.Files, one)
		out.Wrong, out.Warned = out.Wrong+one.Wrong, out.Warned+one.Warned
	}
	if err := a.deliverLint(out, format); err != nil {
		return err
	}
	switch {
	case out.Wrong > 0 || strict && out.Warned > 0:
		return codeError(finding.ExitFailed)
	case unread != nil:
		return &failure{finding.ExitUnexamined, unread}
	}
	return nil
}

// openLogs opens every file before any is read, so that a wrong name costs nothing.
func (a *app) openLogs(names []string) (files []io.Reader, done func(), err error) {
	var open []*os.File
	done = func() {
		for _, f := range open {
			_ = f.Close()
		}
	}
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			done()
			return nil, nil, usagef("logs lint: %s is named twice", name)
		}
		if name == stdin {
			files = append(files, a.streams.In)
			continue
		}
		if err := mustBeFile("logs lint", name); err != nil {
			done()
			return nil, nil, err
		}
		f, err := os.Open(name)
		if err != nil {
			done()
			return nil, nil, usagef("logs lint: %v", err)
		}
		open, files = append(open, f), append(files, f)
	}
	return files, done, nil
}

// lint reads one log to its end.
func lint(name string, r io.Reader) (lintFile, error) {
	f := lintFile{File: name, Problems: []lintProblem{}}
	lines := logline.NewReader(r, logline.MaxLine+2)
	for {
		line, long, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		if err != nil {
			return f, err
		}
		f.Lines++
		ps := logline.Check(line)
		if long {
			ps = []logline.Problem{{Field: logline.Message, What: fmt.Sprintf("the line is longer than %d bytes; shorten the message", logline.MaxLine), Wrong: true}}
		}
		f.add(ps)
	}
}

// add counts the line that was read last and keeps what is wrong with it.
func (f *lintFile) add(ps []logline.Problem) {
	wrong := slices.ContainsFunc(ps, func(p logline.Problem) bool { return p.Wrong })
	switch {
	case wrong:
		f.Wrong++
	case len(ps) > 0:
		f.Warned++
	}
	for _, p := range ps {
		severity := "warning"
		if p.Wrong {
			severity = "error"
		}
		f.keep(lintProblem{f.Lines, 1, p.Field.String(), severity, p.What}, len(ps) == 1)
	}
}

// keep adds a problem, or makes the last one longer: lines in a row that all have the same one and nothing else.
func (f *lintFile) keep(p lintProblem, alone bool) {
	if n := len(f.Problems); alone && n > 0 {
		last := &f.Problems[n-1]
		if last.Line+last.Lines == p.Line && last.Field == p.Field && last.Message == p.Message {
			last.Lines++
			return
		}
	}
	if len(f.Problems) == lintLimit {
		f.Unshown++
		return
	}
	f.Problems = append(f.Problems, p)
}

func (a *app) deliverLint(r lintReport, format string) error {
	if format == report.FormatJSON {
		return report.WriteJSON(a.streams.Out, r)
	}
	var b strings.Builder
	lines := 0
	for _, f := range r.Files {
		lines += f.Lines
		f.text(&b)
	}
	fmt.Fprintf(&b, "%d of %d lines wrong, %d with warnings\n", r.Wrong, lines, r.Warned)
	return a.print(report.Clean(b.String()))
}

// text writes the problems as compilers do, FILE:LINE: first, so that editors find the place.
func (f *lintFile) text(b *strings.Builder) {
	for _, p := range f.Problems {
		fmt.Fprintf(b, "%s:%d: %s: %s: %s", f.File, p.Line, p.Severity, p.Field, p.Message)
		if p.Lines > 1 {
			fmt.Fprintf(b, " (to line %d)", p.Line+p.Lines-1)
		}
		b.WriteByte('\n')
	}
	if f.Unshown > 0 {
		fmt.Fprintf(b, "%s: %d more problems are not shown\n", f.File, f.Unshown)
	}
}
