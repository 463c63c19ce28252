package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/boxdoctor/boxdoctor"

// layers says, for each package, what it must not reach even indirectly, and why.
var layers = []struct {
	pkg    string
	forbid []string
	why    string
}{
	{"checks", []string{"net", "os/exec", "golang.org/x/crypto/ssh", module + "/internal/guest", module + "/internal/host", module + "/internal/probe", module + "/internal/action"},
		"checks are pure functions over facts: they must judge a saved machine as well as a live one"},
	{"internal/assess", []string{"net", "os/exec", module + "/internal/guest"}, "what checks and fixes derive from facts is pure"},
	{"internal/facts", []string{"net", "os/exec", module + "/internal/guest", module + "/checks"}, "facts are plain data"},
	{"internal/finding", []string{"net", "os/exec", module + "/internal/facts"}, "findings are plain data"},
	{"internal/vagrantfile", []string{"net", "os/exec", module + "/internal/host"}, "a Vagrantfile is read from bytes, never run; what is known of the host comes in its options"},
	{"internal/report", []string{"net", "os/exec", "golang.org/x/crypto/ssh", module + "/internal/guest", module + "/internal/engine", "github.com/fatih/color"},
		"renderers decide nothing and reach nothing"},
	{"fixes", []string{module + "/internal/host", module + "/internal/guest/sshguest", module + "/internal/engine", module + "/checks"},
		"fixes plan over facts; only the interpreter acts"},
	{"provision", []string{module + "/internal/host", module + "/internal/guest/sshguest", module + "/internal/engine", module + "/checks", module + "/cmd"},
		"resources are declared and compared; only the interpreter acts"},
	{"internal/supervisor", []string{module + "/internal/host", module + "/internal/guest/sshguest", module + "/provision"},
		"supervisords are asked through a guest's contract, whoever installed them"},
	{"internal/guest/sshguest", []string{module + "/internal/facts/probe", module + "/checks", module + "/internal/engine"}, "the transport knows nothing of checks"},
	{"internal/engine", []string{module + "/cmd", module + "/internal/report", module + "/internal/term", "github.com/spf13/cobra"},
		"the engine prints nothing and reads no flags"},
}

func TestLayers(t *testing.T) {
	for _, l := range layers {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", module+"/"+l.pkg).Output()
		if err != nil {
			t.Fatalf("go list -deps %s: %v", l.pkg, err)
		}
		deps := strings.Fields(string(out))
		for _, f := range l.forbid {
			if slices.Contains(deps, f) {
				t.Errorf("%s reaches %s: %s", l.pkg, f, l.why)
			}
		}
	}
}

// onlyIn says where alone a package may be imported.
var onlyIn = map[string]string{
	"github.com/fatih/color":                         "internal/term",
	"github.com/spf13/cobra":                         "cmd",
	"github.com/pkg/sftp":                            "internal/",
	"github.com/diskfs/go-diskfs/filesystem/iso9660": "internal/",
}

func TestImportsStayWhereTheyBelong(t *testing.T) {
	eachFile(t, func(path string, f *ast.File) {
		for _, imp := range f.Imports {
			name := strings.Trim(imp.Path.Value, `"`)
			if where, ok := onlyIn[name]; ok && !strings.HasPrefix(path, where) {
				t.Errorf("%s imports %s, which belongs in %s", path, name, where)
			}
		}
	})
}

// longest is the house limit; shorter is not the aim, one thought per function is.
const longest = 60

func TestFunctionLengthAndComments(t *testing.T) {
	var lengths []int
	eachFile(t, func(path string, f *ast.File) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			n := fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line + 1
			lengths = append(lengths, n)
			if n > longest {
				t.Errorf("%s: %s has %d lines, at most %d", path, fn.Name.Name, n, longest)
			}
			if fn.Name.IsExported() && exportedReceiver(fn) && fn.Doc == nil {
				t.Errorf("%s: exported %s has no comment", path, fn.Name.Name)
			}
		}
	})
	slices.Sort(lengths)
	if median := lengths[len(lengths)/2]; median > 10 {
		t.Errorf("median function has %d lines, at most 10", median)
	}
}

func exportedReceiver(fn *ast.FuncDecl) bool {
	if fn.Recv == nil {
		return true
	}
	typ := fn.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

// nowhere are calls that belong to one place only, by selector.
var nowhere = map[string]string{
	"fmt.Println": "", "fmt.Print": "", "fmt.Printf": "", "os.Exit": "main.go",
	"context.Background": "cmd/", "context.TODO": "", "time.Sleep": "",
}

func TestForbiddenCalls(t *testing.T) {
	eachFile(t, func(path string, f *ast.File) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := sel.X.(*ast.Ident)
			if !ok {
				return true
			}
			where, bad := nowhere[pkg.Name+"."+sel.Sel.Name]
			if bad && (where == "" || !strings.HasPrefix(path, where)) {
				t.Errorf("%s: %s.%s is not used here (streams are passed, waits take a context)", fset.Position(sel.Pos()), pkg.Name, sel.Sel.Name)
			}
			return true
		})
	})
}

func TestEveryPackageHasAComment(t *testing.T) {
	documented, packages := map[string]bool{}, map[string]bool{}
	eachFile(t, func(path string, f *ast.File) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		dir := filepath.Dir(path)
		packages[dir] = true
		documented[dir] = documented[dir] || f.Doc != nil
	})
	for dir := range packages {
		if !documented[dir] {
			t.Errorf("package %s has no comment", dir)
		}
	}
}

var fset = token.NewFileSet()

func eachFile(t *testing.T, visit func(path string, f *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err == nil {
			visit(filepath.ToSlash(path), f)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
