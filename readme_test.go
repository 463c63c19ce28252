package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/testkit"
)

const (
	demoBegin = "<!-- demo begin -->\n"
	demoEnd   = "<!-- demo end -->\n"
)

// passing is what differs from run to run: durations and the folder of the demo's ISO.
var passing = regexp.MustCompile(`\(\d+(\.\d+)?m?s\)|boxdoctor-demo-\d+`)

// The README shows what the demo really prints; -update pastes it anew.
func TestREADMEShowsTheRealDemo(t *testing.T) {
	readme := read(t, "README.md")
	before, rest, ok := strings.Cut(readme, demoBegin)
	shown, after, ok2 := strings.Cut(rest, demoEnd)
	if !ok || !ok2 {
		t.Fatal("README.md has no place for the demo's output")
	}
	real := "```\n" + demo(t) + "```\n"
	if testkit.Update() {
		if err := os.WriteFile("README.md", []byte(before+demoBegin+real+demoEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if passing.ReplaceAllString(shown, "") != passing.ReplaceAllString(real, "") {
		t.Errorf("the README's demo is not what the demo prints; go test . -update, and read the difference\n%s", real)
	}
}

func demo(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "boxdoctor")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c := exec.CommandContext(t.Context(), binary, "demo")
	c.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "COLUMNS=100", "TMPDIR=/tmp", "BOXDOCTOR_STATE_HOME="+t.TempDir(), "GITHUB_ACTIONS=", "GITLAB_CI=")
	out, err := c.Output()
	if err != nil {
		t.Fatalf("the demo ends with %v\n%s", err, out)
	}
	return string(out)
}

// The README's test command is what CI runs, to the letter.
func TestCIRunsTheREADMEsTestCommand(t *testing.T) {
	const command = "go test ./..."
	if !strings.Contains(read(t, "README.md"), "```sh\n"+command+"\n```") {
		t.Errorf("README.md does not give the test command %q", command)
	}
	if !strings.Contains(read(t, ".ci/run"), "\nstep "+command+"\n") {
		t.Errorf(".ci/run does not run %q", command)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
