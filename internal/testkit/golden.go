// Package testkit holds what tests of several packages share: golden files with one -update flag, certificates, old Pythons.
package testkit

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files with what the code says now; read the diff")

// Update reports whether the test run was asked to rewrite its expectations (go test … -update).
func Update() bool { return *update }

// Golden fails the test when got differs from the file at path. With -update it writes the file instead.
// Line endings are compared as they are: what a golden pins is bytes.
func Golden(tb testing.TB, path string, got []byte) {
	tb.Helper()
	if Update() {
		write(tb, path, got)
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		tb.Fatalf("golden file: %v; create it with: go test -run '%s' -update", err, tb.Name())
	}
	if !bytes.Equal(want, got) {
		tb.Errorf("%s differs from what the code says now (-want +got); to accept: go test -run '%s' -update\n%s",
			path, tb.Name(), cmp.Diff(string(want), string(got)))
	}
}

func write(tb testing.TB, path string, got []byte) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, got, 0o644); err != nil {
		tb.Fatal(err)
	}
}
