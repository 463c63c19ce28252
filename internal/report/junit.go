package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// JUnit renders for CI systems: a test suite is a machine, a test case is a check. What could not be told is an error, so
// that it never counts as passed.
type JUnit struct{ o Options }

var _ Reporter = JUnit{}

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name      string      `xml:"name,attr"`
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Errors    int         `xml:"errors,attr"`
	Skipped   int         `xml:"skipped,attr"`
	Timestamp string      `xml:"timestamp,attr"`
	Cases     []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitProblem `xml:"failure"`
	Error   *junitProblem `xml:"error"`
	Skipped *junitProblem `xml:"skipped"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// Report writes one XML document.
func (j JUnit) Report(w io.Writer, r finding.Report) error {
	r = cleaned(r)
	all := junitSuites{Name: "boxdoctor", Time: seconds(r.DurationMS)}
	for _, m := range r.Machines {
		s := junitSuite{Name: m.Name, Timestamp: r.StartedAt.UTC().Format(time.RFC3339)}
		for _, f := range m.Findings {
			s.add(m, f, j.o.Strict)
		}
		all.Tests, all.Failures, all.Errors, all.Skipped = all.Tests+s.Tests, all.Failures+s.Failures, all.Errors+s.Errors, all.Skipped+s.Skipped
		all.Suites = append(all.Suites, s)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (s *junitSuite) add(m finding.Machine, f finding.Finding, strict bool) {
	c := junitCase{Class: m.Name, Name: f.ID, Time: seconds(f.DurationMS)}
	problem := &junitProblem{Message: f.Message, Type: string(f.Severity), Text: details(f)}
	switch {
	case f.Status == finding.Fail, f.Status == finding.Warn && strict:
		c.Failure = problem
		s.Failures++
	case f.Status == finding.Unknown:
		c.Error = problem
		s.Errors++
	case f.Status == finding.Skip:
		c.Skipped = &junitProblem{Message: f.Message}
		s.Skipped++
	case f.Status == finding.Warn:
		c.Out = "warning: " + f.Message + "\n" + details(f)
	}
	s.Tests++
	s.Cases = append(s.Cases, c)
}

// details are the parts of a finding below its message.
func details(f finding.Finding) string {
	var b strings.Builder
	if f.Want != "" || f.Got != "" {
		fmt.Fprintf(&b, "want: %s\ngot: %s\n", f.Want, f.Got)
	}
	fmt.Fprintf(&b, "why: %s\n", f.Why)
	if f.CausedBy != "" {
		fmt.Fprintf(&b, "caused by: %s\n", f.CausedBy)
	}
	for _, a := range f.Advice {
		fmt.Fprintf(&b, "do: %s\n", a.Text)
		if a.Command != "" {
			fmt.Fprintf(&b, "run: %s\n", a.Command)
		}
	}
	if f.Link != "" {
		fmt.Fprintf(&b, "link: %s\n", f.Link)
	}
	return b.String()
}

func seconds(ms int64) string { return fmt.Sprintf("%.3f", float64(ms)/1000) }
