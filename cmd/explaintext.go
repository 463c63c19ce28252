package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/boxdoctor/boxdoctor/checks"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
	"github.com/boxdoctor/boxdoctor/internal/report"
)

// explainedText is the JSON form of docs/schema/explain.json for a text.
type explainedText struct {
	SchemaVersion int              `json:"schema_version"`
	Verdict       string           `json:"verdict"`
	Matches       []explainedMatch `json:"matches"`
}

type explainedMatch struct {
	ID         string   `json:"id"`
	Rows       []string `json:"rows"`
	Role       string   `json:"role"`
	Confidence float64  `json:"confidence"`
	// File is only there when several texts were given.
	File     string   `json:"file,omitempty"`
	Line     int      `json:"line"`
	Evidence string   `json:"evidence"`
	Advice   []string `json:"advice"`
	Fix      string   `json:"fix"`
}

const stdin = "-"

// runExplainTexts explains what files, or standard input, hold together.
func runExplainTexts(ctx context.Context, a *app, names []string, format string) error {
	texts, done, err := a.openTexts(ctx, names)
	if err != nil {
		return err
	}
	defer done()
	stop := watch(ctx, a.signals, nil)
	defer stop.Stop()
	for i := range texts {
		texts[i].Reader = readAhead(stop.Soft, texts[i].Reader)
	}
	e, err := knowledge.Current().Explain(stop.Soft, texts...)
	switch {
	case stop.Interrupted():
		return errInterrupted
	case err != nil:
		a.say("boxdoctor: the text could not be read to its end: " + report.Clean(err.Error()))
		return codeError(finding.ExitUnexamined)
	}
	if err := a.deliverExplanation(e, format, len(names) > 1); err != nil {
		return err
	}
	if e.Verdict == knowledge.Unknown {
		return codeError(finding.ExitUnexamined)
	}
	return nil
}

// openTexts opens every file before any is read, so that a wrong name costs nothing.
func (a *app) openTexts(ctx context.Context, names []string) (texts []knowledge.Text, done func(), err error) {
	var files []*os.File
	done = func() {
		for _, f := range files {
			_ = f.Close()
		}
	}
	for _, name := range names {
		if name == stdin {
			if a.streams.InTTY {
				a.say("Paste the text, then press Ctrl-D on a line of its own (Windows: Ctrl-Z and Enter).")
			}
			texts = append(texts, knowledge.Text{Name: "standard input", Reader: a.streams.In})
			continue
		}
		f, err := openText(name)
		if err != nil {
			done()
			return nil, nil, err
		}
		files = append(files, f)
		texts = append(texts, knowledge.Text{Name: name, Reader: f})
	}
	return texts, done, ctx.Err()
}

func openText(name string) (*os.File, error) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e := unknown("id or file", name, knownIDs())
		e.text = "explain: " + e.text
		return nil, e.withHint("%s", strings.TrimSpace(e.hint+"\nIds: boxdoctor list checks, boxdoctor list fixes, boxdoctor knowledge list. A text: boxdoctor explain FILE, or boxdoctor explain - for standard input"))
	case err != nil:
		return nil, usagef("explain: %v", err)
	case info.IsDir():
		return nil, usagef("explain: %s is a folder, a file is needed", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, usagef("explain: %v", err)
	}
	return f, nil
}

// readAhead reads r in a goroutine of its own: a read that waits for somebody to type must not keep Ctrl-C from working.
// After an interruption that goroutine waits on until its read ends, which the end of the process does for it.
func readAhead(ctx context.Context, r io.Reader) io.Reader {
	pieces := make(chan piece, 4)
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := r.Read(buf)
			select {
			case pieces <- piece{append([]byte(nil), buf[:n]...), err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return &ahead{ctx: ctx, pieces: pieces}
}

// piece is what one read gave.
type piece struct {
	text []byte
	err  error
}

// ahead is the reading end of readAhead.
type ahead struct {
	ctx    context.Context //nolint:containedctx // io.Reader has no place for it
	pieces <-chan piece
	now    piece
}

// Read gives the next bytes, or the context's error.
func (a *ahead) Read(b []byte) (int, error) {
	for len(a.now.text) == 0 {
		if a.now.err != nil {
			return 0, a.now.err
		}
		select {
		case a.now = <-a.pieces:
		case <-a.ctx.Done():
			return 0, a.ctx.Err()
		}
	}
	n := copy(b, a.now.text)
	a.now.text = a.now.text[n:]
	return n, nil
}

func (a *app) deliverExplanation(e knowledge.Explanation, format string, several bool) error {
	if format != report.FormatJSON {
		return a.print(explanationText(e, a.streams.Width, several))
	}
	out := explainedText{SchemaVersion: 1, Verdict: string(e.Verdict), Matches: []explainedMatch{}}
	for _, m := range e.Matches {
		x := explainedMatch{ID: m.Signature.Check, Rows: list(m.Rows), Role: string(m.Role), Confidence: m.Signature.Confidence,
			Line: m.Line, Evidence: report.Clean(m.Evidence), Advice: list(m.Advice), Fix: fixOf(m)}
		if command := nextCommand(m); command != "" {
			x.Advice = append(x.Advice, command)
		}
		if several {
			x.File = m.File
		}
		out.Matches = append(out.Matches, x)
	}
	return report.WriteJSON(a.streams.Out, out)
}

// fixOf is the fix that repairs what a match says: its own, or its check's.
func fixOf(m knowledge.Match) string {
	if m.Signature.Fix != "" {
		return m.Signature.Fix
	}
	c, _ := checks.ByID(m.Signature.Check)
	return c.Fix
}

// nextCommand is how boxdoctor goes on from a match; empty when nothing of it does.
func nextCommand(m knowledge.Match) string {
	c, known := checks.ByID(m.Signature.Check)
	switch {
	case known && c.Fix != "":
		return "boxdoctor fix --only " + c.ID
	case known:
		return "boxdoctor check --only " + c.ID
	}
	return ""
}

// explanationText is the explanation for people: the root cause first, symptoms folded.
func explanationText(e knowledge.Explanation, width int, several bool) string {
	var b strings.Builder
	switch e.Verdict {
	case knowledge.Harmless:
		fmt.Fprintf(&b, "harmless: nothing in %s is a fault\n", lineCount(e.Lines))
	case knowledge.Unknown:
		fmt.Fprintf(&b, "unknown: nothing in %s is known to boxdoctor\n", lineCount(e.Lines))
		paragraph(&b, width, "next", "boxdoctor check   (examines this computer and the machines themselves)")
	}
	heading := map[bool]string{true: "root cause", false: "also"}
	symptoms := false
	for i, m := range e.Matches {
		switch {
		case m.Role == knowledge.Cause:
			writeMatch(&b, width, heading[i == 0], m, several)
		case i == 0:
			writeMatch(&b, width, "symptom", m, several)
			paragraph(&b, width, "note", "its cause is not in this text")
		default:
			if !symptoms {
				b.WriteString("symptoms\n")
				symptoms = true
			}
			paragraph(&b, width, "", fmt.Sprintf("%s, %s: %s", m.Signature.Check, place(m, several), m.Says))
		}
	}
	return report.Clean(b.String())
}

func lineCount(n int) string {
	if n == 1 {
		return "this line"
	}
	return fmt.Sprintf("these %d lines", n)
}

func place(m knowledge.Match, several bool) string {
	if several {
		return fmt.Sprintf("%s line %d", m.File, m.Line)
	}
	return fmt.Sprintf("line %d", m.Line)
}

func writeMatch(b *strings.Builder, width int, heading string, m knowledge.Match, several bool) {
	fmt.Fprintf(b, "%s: %s   %s\n", heading, m.Signature.Check, m.Says)
	c, _ := checks.ByID(m.Signature.Check)
	paragraph(b, width, "seen", place(m, several)+": "+m.Evidence)
	paragraph(b, width, "why", c.Why)
	for _, a := range m.Advice {
		paragraph(b, width, "do", a)
	}
	paragraph(b, width, "run", nextCommand(m))
	paragraph(b, width, "sure", strings.TrimSpace(fmt.Sprintf("%.0f%%   %s", 100*m.Signature.Confidence, strings.Join(m.Rows, " "))))
	b.WriteByte('\n')
}
