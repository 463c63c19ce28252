package knowledge

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	goversion "github.com/hashicorp/go-version"

	"github.com/boxdoctor/boxdoctor/internal/version"
)

// constraint is a set of versions: alternatives, each of terms that must all hold.
type constraint struct{ alternatives [][]term }

// term is one comparison, or a glob when there is no operator.
type term struct{ op, value string }

var termForm = regexp.MustCompile(`^(>=|<=|!=|>|<|=)?\s*(\S+)$`)

// parseConstraint reads `>= 7.0, < 7.2.4 || 7.3.*`. Every value but a glob must be a version of its kind.
func parseConstraint(kind, text string) (constraint, error) {
	var c constraint
	for alternative := range strings.SplitSeq(text, "||") {
		var terms []term
		for t := range strings.SplitSeq(alternative, ",") {
			m := termForm.FindStringSubmatch(strings.TrimSpace(t))
			if m == nil || m[1] != "" && !comparable(kind, m[2]) {
				return c, fmt.Errorf("versions: %s %q: terms such as >= 7.2.8 or 5.14.0-687.* are expected", kind, text)
			}
			terms = append(terms, term{m[1], m[2]})
		}
		c.alternatives = append(c.alternatives, terms)
	}
	return c, nil
}

// comparable tells whether a text is a version of a kind: of a kernel as rpm orders them, or a plain one.
func comparable(kind, text string) bool {
	if kind == "kernel" {
		_, err := version.ParseKernel(text)
		return err == nil
	}
	_, err := goversion.NewVersion(text)
	return err == nil
}

// has tells whether a captured version is in the set.
func (c constraint) has(kind, value string) bool {
	return slices.ContainsFunc(c.alternatives, func(terms []term) bool {
		return !slices.ContainsFunc(terms, func(t term) bool { return !t.holds(kind, value) })
	})
}

func (t term) holds(kind, value string) bool {
	if t.op == "" {
		return version.Glob(t.value, value)
	}
	if !comparable(kind, value) {
		return false
	}
	order := compareVersions(kind, value, t.value)
	switch t.op {
	case ">=":
		return order >= 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case "<":
		return order < 0
	case "!=":
		return order != 0
	}
	return order == 0
}

func compareVersions(kind, a, b string) int {
	if kind == "kernel" {
		return version.CompareKernels(a, b)
	}
	return goversion.Must(goversion.NewVersion(a)).Compare(goversion.Must(goversion.NewVersion(b)))
}

// compileVersions reads the constraints of a signature.
func (s *Signature) compileVersions() *fieldError {
	s.versions = map[string]constraint{}
	for _, name := range slices.Sorted(maps.Keys(s.Versions)) {
		if !slices.Contains(captures, name) {
			return fieldf("versions", "signature %s: versions: unknown capture %q (known: %s)", s.ID, name, captureNames())
		}
		c, err := parseConstraint(name, s.Versions[name])
		if err != nil {
			return fieldf("versions", "signature %s: %v", s.ID, err)
		}
		s.versions[name] = c
	}
	return nil
}

// fits tells whether what was captured meets every constraint. What the text does not say meets none.
func (s *Signature) fits(captured map[string]string) bool {
	for name, c := range s.versions {
		if value, ok := captured[name]; !ok || !c.has(name, value) {
			return false
		}
	}
	return true
}
