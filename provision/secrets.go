package provision

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// ErrConsent means that a project wants to read something of the user's that the user has not allowed.
var ErrConsent = errors.New("not allowed yet")

// Secrets resolves ${env:NAME} and ${file:PATH}. What a project may read is the user's decision, kept outside of the
// project: a guest can write into it.
type Secrets struct {
	Getenv func(string) string
	// Dir is the project's folder; relative paths start there.
	Dir string
	// Allowed are references that the user consented to, "env:NAME" or "file:PATH".
	Allowed []string

	mu sync.Mutex
	// values are all secrets that were read, for masking. Plans of several machines are made at once.
	values []string
}

// Hide adds a value to what is masked.
func (s *Secrets) Hide(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.values, value) {
		s.values = append(s.values, value)
	}
}

var reference = regexp.MustCompile(`\$\{(env|file):([^}\n]+)\}`)

// References are what a text asks for, "env:NAME", each once, in its order.
func References(text string) []string {
	var out []string
	for _, m := range reference.FindAllStringSubmatch(text, -1) {
		out = append(out, m[1]+":"+m[2])
	}
	return uniq(out)
}

// expand replaces the references of a text; secret tells whether there were any.
func (s *Secrets) expand(text string) (out string, secret bool, err error) {
	out = reference.ReplaceAllStringFunc(text, func(ref string) string {
		v, e := s.resolve(strings.TrimSuffix(strings.TrimPrefix(ref, "${"), "}"))
		secret, err = true, errors.Join(err, e)
		return v
	})
	return out, secret, err
}

func (s *Secrets) resolve(ref string) (string, error) {
	if !slices.Contains(s.Allowed, ref) {
		return "", fmt.Errorf("${%s}: %w", ref, ErrConsent)
	}
	kind, name, _ := strings.Cut(ref, ":")
	value := s.Getenv(name)
	if kind == "file" {
		b, err := os.ReadFile(s.path(name))
		if err != nil {
			return "", fmt.Errorf("${%s}: %w", ref, err)
		}
		value = strings.TrimRight(string(b), "\r\n")
	}
	if value == "" {
		return "", fmt.Errorf("${%s} is empty: nothing would be protected by it", ref)
	}
	s.Hide(value)
	return value, nil
}

func (s *Secrets) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.Dir, filepath.FromSlash(name))
}

// local reads a file of the project. It must lie in the project: whoever can write the configuration must not get
// hold of other files of the user's through it.
func (s *Secrets) local(dir, name string) (string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	b, err := root.ReadFile(filepath.FromSlash(name))
	if err != nil {
		return "", fmt.Errorf("source %s: %w (it must lie in the folder of the configuration)", name, err)
	}
	return string(b), nil
}

// shortLine is the length from which a single line of a secret is hidden by itself: shorter ones ("}", "-----") stand
// in many texts.
const shortLine = 8

// Mask hides every secret that was read: as it is, as a word of a shell, and line by line, as a diff shows it.
func (s *Secrets) Mask(text string) string {
	s.mu.Lock()
	values := slices.Clone(s.values)
	s.mu.Unlock()
	for _, v := range slices.Clone(values) {
		values = append(values, strings.ReplaceAll(v, "'", `'\''`))
		if strings.Contains(v, "\n") {
			values = append(values, slices.DeleteFunc(strings.Split(v, "\n"), func(line string) bool { return len(line) < shortLine })...)
		}
	}
	slices.SortStableFunc(values, func(a, b string) int { return len(b) - len(a) })
	for _, v := range values {
		text = strings.ReplaceAll(text, v, "********")
	}
	return text
}
