package knowledge

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

//go:embed data
var files embed.FS

// FileError is a knowledge file that cannot be used, and where in it.
type FileError struct {
	Path         string
	Line, Column int // 0: the file as a whole
	Text         string
}

// Error is path:line:column: text, which editors can jump to.
func (e *FileError) Error() string {
	if e.Line == 0 {
		return e.Path + ": " + e.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.Path, e.Line, e.Column, e.Text)
}

// fieldError is what is wrong with a field; where it stands in the file is found afterwards.
type fieldError struct{ field, text string }

func fieldf(field, format string, args ...any) *fieldError {
	return &fieldError{field, fmt.Sprintf(format, args...)}
}

// signatureFile is one file of signatures.
type signatureFile struct {
	Rank       int         `yaml:"rank"`
	Signatures []Signature `yaml:"signatures"`
	Harmless   []Line      `yaml:"harmless"`
	Healthy    []Line      `yaml:"healthy"`
	Trouble    Trouble     `yaml:"trouble"`
	Context    []Line      `yaml:"context"`
	Runs       []Line      `yaml:"runs"`
}

// Base is what is known of texts: the signatures in the order of causes, and the lines that are no faults.
type Base struct {
	signatures                       []Signature
	harmless, healthy, context, runs []Line
	trouble                          Trouble

	once sync.Once
	made *index
}

// Embedded is what boxdoctor brings along. It is read on first use, so that starting boxdoctor costs nothing. A malformed
// file is a programming error that the package's test catches.
var Embedded = sync.OnceValue(func() *Base {
	b := &Base{}
	if err := b.readAll(files, "data/signatures", complete); err != nil {
		panic(err)
	}
	return b
})

// readAll adds the files of a folder, in order of their names.
func (b *Base) readAll(fsys fs.FS, dir string, extra limits) error {
	names, err := fs.Glob(fsys, path.Join(dir, "*.yaml"))
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		text, err := fs.ReadFile(fsys, name)
		if err == nil {
			err = b.add(name, text, extra)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// add takes a whole file, or nothing of it.
func (b *Base) add(name string, text []byte, extra limits) error {
	var f signatureFile
	if err := decode(name, text, &f); err != nil {
		return err
	}
	if where, err := f.compile(b, extra); err != nil {
		return located(name, text, where, err)
	}
	b.signatures = append(b.signatures, f.Signatures...)
	slices.SortStableFunc(b.signatures, inCausalOrder)
	b.harmless, b.healthy = append(b.harmless, f.Harmless...), append(b.healthy, f.Healthy...)
	b.context, b.runs = append(b.context, f.Context...), append(b.runs, f.Runs...)
	b.trouble.Words, b.trouble.not = append(b.trouble.Words, f.Trouble.Words...), append(b.trouble.not, f.Trouble.not...)
	return nil
}

// inCausalOrder puts causes before symptoms, and earlier causes before later ones.
func inCausalOrder(x, y Signature) int {
	return cmp.Or(strings.Compare(string(x.Role), string(y.Role)), cmp.Compare(x.Rank, y.Rank))
}

// compile checks every entry; where is the path of the bad one in the file.
func (f *signatureFile) compile(b *Base, extra limits) (where string, bad *fieldError) {
	seen := map[string]bool{}
	for _, s := range b.signatures {
		seen[s.ID] = true
	}
	for i := range f.Signatures {
		s := &f.Signatures[i]
		if bad = s.compile(f.Rank); bad != nil {
			return entry("signatures", i), bad
		}
		if seen[s.ID] {
			return entry("signatures", i), fieldf("id", "signature %s is there already", s.ID)
		}
		seen[s.ID] = true
	}
	for name, lines := range map[string][]Line{"harmless": f.Harmless, "healthy": f.Healthy, "context": f.Context, "runs": f.Runs} {
		for i := range lines {
			if bad = lines[i].compile(); bad != nil {
				return entry(name, i), bad
			}
		}
	}
	if bad = f.Trouble.compile(); bad != nil {
		return "$.trouble", bad
	}
	return extra(f)
}

// decode reads YAML strictly: unknown and double keys are errors, with their place.
func decode(name string, text []byte, into any) error {
	err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(into)
	var at yaml.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &at) && at.GetToken() != nil:
		p := at.GetToken().Position
		return &FileError{name, p.Line, p.Column, at.GetMessage()}
	}
	return &FileError{Path: name, Text: strings.TrimSpace(err.Error())}
}

// located finds the place of a field in the text of a file; the entry's own place when the field is left out.
func located(name string, text []byte, entry string, bad *fieldError) error {
	e := &FileError{Path: name, Text: bad.text}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return e
	}
	for _, p := range []string{entry + "." + bad.field, entry} {
		where, err := yaml.PathString(p)
		if err != nil {
			continue
		}
		if node, err := where.FilterFile(file); err == nil && node != nil {
			at := start(node)
			e.Line, e.Column = at.Line, at.Column
			break
		}
	}
	return e
}

// start is where a node begins; a mapping's own token is its first colon.
func start(n ast.Node) *token.Position {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
		n = m.Values[0].Key
	}
	return n.GetToken().Position
}

// current is what checks judge texts with; nil: what is embedded.
var current atomic.Pointer[Base]

// Current is the base that checks judge texts with.
func Current() *Base {
	if b := current.Load(); b != nil {
		return b
	}
	return Embedded()
}

// Use makes b the base of everything that is asked afterwards; nil is what is embedded. The command line calls it once, before anything is judged.
func Use(b *Base) { current.Store(b) }
