package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// GitHub renders workflow commands of GitHub Actions: a group of lines for each machine, and an annotation for what is not
// healthy. Causes are annotated, symptoms stand in the group.
type GitHub struct{ o Options }

var _ Reporter = GitHub{}

// Report writes the whole text at once.
func (g GitHub) Report(w io.Writer, r finding.Report) error {
	r = cleaned(r)
	var b bytes.Buffer
	for _, m := range r.Machines {
		fmt.Fprintf(&b, "::group::%s\n", escapeData(m.Name))
		for _, f := range m.Findings {
			fmt.Fprintf(&b, "%-7s %s  %s\n", f.Status, f.ID, harmless(f.Message))
		}
		b.WriteString("::endgroup::\n")
		for _, f := range m.Findings {
			if level := g.level(f); level != "" {
				fmt.Fprintf(&b, "::%s title=%s::%s\n", level, escapeProperty(m.Name+" "+f.ID), escapeData(f.Message+"\n"+details(f)))
			}
		}
	}
	s := r.Summary
	fmt.Fprintf(&b, "%d failed, %d warnings, %d unknown, %d skipped, %d passed\n", s.Fail, s.Warn, s.Unknown, s.Skip, s.Pass)
	_, err := w.Write(b.Bytes())
	return err
}

func (g GitHub) level(f finding.Finding) string {
	switch {
	case f.CausedBy != "":
		return ""
	case f.Status == finding.Fail, f.Status == finding.Warn && g.o.Strict:
		return "error"
	case f.Status == finding.Warn, f.Status == finding.Unknown:
		return "warning"
	}
	return ""
}

var (
	dataEscapes     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	propertyEscapes = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func escapeData(s string) string     { return dataEscapes.Replace(s) }
func escapeProperty(s string) string { return propertyEscapes.Replace(s) }

// harmless is a text in one line that cannot be taken for a workflow command.
func harmless(s string) string {
	return strings.NewReplacer("::", ": :", "##[", "## [").Replace(strings.Join(strings.Fields(s), " "))
}
