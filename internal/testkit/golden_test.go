package testkit

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// recorder stands in for a test that is expected to fail.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Helper()      {}
func (r *recorder) Name() string { return "TestOther" }
func (r *recorder) Errorf(format string, a ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, a...))
}
func (r *recorder) Fatalf(format string, a ...any) { r.Errorf(format, a...); panic(r) }

func TestGolden(t *testing.T) {
	if Update() {
		t.Skip("-update rewrites instead of comparing")
	}
	path := filepath.Join(t.TempDir(), "a.golden")
	if err := os.WriteFile(path, []byte("same\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path, got string
		failures        int
	}{
		{"equal", path, "same\n", 0},
		{"different", path, "other\n", 1},
		{"only the line ending differs", path, "same\r\n", 1},
		{"no file", path + ".missing", "same\n", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &recorder{TB: t}
			func() {
				defer func() {
					if p := recover(); p != nil && p != any(r) {
						panic(p)
					}
				}()
				Golden(r, c.path, []byte(c.got))
			}()
			if len(r.errors) != c.failures {
				t.Errorf("%d failures, want %d: %q", len(r.errors), c.failures, r.errors)
			}
		})
	}
}
