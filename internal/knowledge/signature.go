package knowledge

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// Role says how a match stands to the other ones.
type Role string

// A cause explains what else is found; a symptom is explained by it.
const (
	Cause   Role = "cause"
	Symptom Role = "symptom"
)

// Signature is a text that names a fault.
type Signature struct {
	ID string `yaml:"id"`
	// Rows are rows of the catalogues: K1 of the guest's, net.hostonly_range of the host's.
	Rows []string `yaml:"rows"`
	// Check is the check whose finding this is, the id that users see. For a row of the host catalogue it is the row's id.
	Check string `yaml:"check"`
	Role  Role   `yaml:"role"`
	// Match: one of the expressions must be found. All: each of these, too, within Within lines of it. Not: none of
	// these within the same lines.
	Match  []string `yaml:"match"`
	All    []string `yaml:"all"`
	Not    []string `yaml:"not"`
	Within int      `yaml:"within"`
	// Versions are constraints by the name of a capture. One over something that the text does not say is not met.
	Versions map[string]string `yaml:"versions"`
	// CausedBy are checks that make this match a symptom when one of them matched, too.
	CausedBy []string `yaml:"caused_by"`
	// Rank is the place in the order of causes, lower is earlier; 0: the file's.
	Rank       int     `yaml:"rank"`
	Confidence float64 `yaml:"confidence"`
	Says       string  `yaml:"says"`
	// Advice are sentences or commands; {name} is a capture.
	Advice []string `yaml:"advice"`
	// Fix is the fix that repairs it; empty: the check's.
	Fix string `yaml:"fix"`
	// Graphics: only the graphics driver is concerned, shared folders work without it.
	Graphics bool `yaml:"graphics"`
	// Run: a run of the Guest Additions' installer or of rcvboxadd says it, so only the last run counts.
	Run     bool     `yaml:"run"`
	Date    string   `yaml:"date"`
	Source  string   `yaml:"source"`
	Samples []string `yaml:"samples"`

	match, all, not []pattern
	versions        map[string]constraint
	// nearby: not counts within Within lines and not only in the matched ones.
	nearby bool
}

// Line is an expression for single lines of text that are not faults.
type Line struct {
	Match string   `yaml:"match"`
	Line  string   `yaml:"line"` // an example that Match must find
	Why   string   `yaml:"why"`
	Rows  []string `yaml:"rows"`

	match pattern
}

// Trouble are words and phrases that make a line look like trouble, unless it also has one of Not.
type Trouble struct {
	Words []string `yaml:"words"`
	Not   []string `yaml:"not"`

	not []pattern
}

func (t *Trouble) compile() *fieldError {
	for i, w := range t.Words {
		if len(squeeze(w)) < leastLiteral {
			return fieldf(fmt.Sprintf("words[%d]", i), "trouble %q: %v", w, errNoText)
		}
	}
	for i, n := range t.Not {
		p, err := compile(n)
		if err != nil {
			return fieldf(fmt.Sprintf("not[%d]", i), "%v", err)
		}
		t.not = append(t.not, p)
	}
	return nil
}

// What a signature may leave out.
const (
	defaultRank       = 500
	defaultConfidence = 0.8
	defaultWithin     = 10
	maxWithin         = 40
)

// captures are the names that a group of an expression may have.
var captures = []string{"ga", "kernel", "vbox", "vagrant", "module", "package", "share", "host", "port", "path"}

var signatureID = regexp.MustCompile(`^[a-z][a-z0-9_]*\.[a-z0-9][a-z0-9_]*$`)

// compile fills in what was left out and compiles the expressions. The error names the field, for its place in the file.
func (s *Signature) compile(rank int) *fieldError {
	switch {
	case !signatureID.MatchString(s.ID):
		return fieldf("id", "id %q: lower-case area.name is expected", s.ID)
	case len(s.Match) == 0:
		return fieldf("id", "signature %s: match is missing", s.ID)
	case s.Says == "":
		return fieldf("id", "signature %s: says is missing", s.ID)
	case s.Role != "" && s.Role != Cause && s.Role != Symptom:
		return fieldf("role", "role %q: cause or symptom", s.Role)
	case s.Confidence < 0 || s.Confidence > 1:
		return fieldf("confidence", "confidence %v: between 0 and 1", s.Confidence)
	case s.Within < 0 || s.Within > maxWithin:
		return fieldf("within", "within %d: at most %d lines", s.Within, maxWithin)
	}
	s.fill(rank)
	return s.compileAll()
}

func (s *Signature) fill(rank int) {
	if s.Rank == 0 {
		s.Rank = rank
	}
	if s.Rank == 0 {
		s.Rank = defaultRank
	}
	if s.Confidence == 0 {
		s.Confidence = defaultConfidence
	}
	if s.nearby = s.Within > 0; !s.nearby {
		s.Within = defaultWithin
	}
	if s.Role == "" {
		s.Role = Cause
	}
	if s.Check == "" {
		s.Check = s.ID
	}
}

func (s *Signature) compileAll() *fieldError {
	for _, list := range []struct {
		field   string
		exprs   []string
		into    *[]pattern
		compile func(string) (pattern, error)
	}{{"match", s.Match, &s.match, compileNeedy}, {"all", s.All, &s.all, compileNeedy}, {"not", s.Not, &s.not, compile}} {
		for i, expr := range list.exprs {
			p, err := list.compile(expr)
			if err != nil {
				return fieldf(fmt.Sprintf("%s[%d]", list.field, i), "signature %s: %v", s.ID, err)
			}
			*list.into = append(*list.into, p)
		}
	}
	return s.compileVersions()
}

func (l *Line) compile() *fieldError {
	p, err := compileNeedy(l.Match)
	if err != nil {
		return fieldf("match", "%v", err)
	}
	l.match = p
	return nil
}

// complete says what an embedded signature lacks; users may leave these out.
func (s *Signature) complete() error {
	switch {
	case len(s.Rows) == 0, s.Source == "", s.Date == "", len(s.Samples) == 0:
		return fmt.Errorf("signature %s: rows, source, date and samples are all required", s.ID)
	case slices.Contains(s.Samples, ""):
		return fmt.Errorf("signature %s: a sample without a name", s.ID)
	}
	return nil
}

// badCapture is the first named group that nothing knows.
func badCapture(re *syntax.Regexp) string {
	for _, name := range re.CapNames() {
		if name != "" && !slices.Contains(captures, name) {
			return name
		}
	}
	return ""
}

func captureNames() string { return strings.Join(captures, ", ") }
