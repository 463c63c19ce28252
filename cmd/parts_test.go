package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.uber.org/goleak"

	"github.com/boxdoctor/boxdoctor/internal/term"
)

// withInput gives streams another input, for answers.
func withInput(s *term.Streams, in string) *term.Streams {
	fresh, _, _ := term.Test(in)
	fresh.Out, fresh.Err, fresh.InTTY, fresh.ErrTTY = s.Out, s.Err, s.InTTY, s.ErrTTY
	return fresh
}

// Soft and Hard end in this order, each once told, and nothing is left running.
func TestInterrupts(t *testing.T) {
	defer goleak.VerifyNone(t)
	signals, told := make(chan os.Signal), ""
	i := watch(context.Background(), signals, func() { told += "1" }, func() { told += "2" })
	if i.Interrupted() {
		t.Error("interrupted before any signal")
	}
	signals <- os.Interrupt
	<-i.Soft.Done()
	if i.Hard.Err() != nil || !i.Interrupted() {
		t.Errorf("after the first: hard %v, interrupted %v", i.Hard.Err(), i.Interrupted())
	}
	signals <- os.Interrupt
	<-i.Hard.Done()
	if told != "12" {
		t.Errorf("told %q", told)
	}
	i.Stop()
	i.Stop()
}

func TestInterruptsStop(t *testing.T) {
	defer goleak.VerifyNone(t)
	i := watch(context.Background(), nil, nil, nil)
	i.Stop()
	if i.Soft.Err() == nil || i.Hard.Err() == nil {
		t.Error("Stop leaves a context open")
	}
}

func TestWriteAtomic(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "report.json")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	err := writeAtomic(path, func(w io.Writer) error { _, _ = io.WriteString(w, "half"); return boom })
	if b, _ := os.ReadFile(path); !errors.Is(err, boom) || string(b) != "old" {
		t.Errorf("after a failed write: %q, %v", b, err)
	}
	if err := writeAtomic(path, func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err }); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(path); string(b) != "new" {
		t.Errorf("after a write: %q", b)
	}
	if info, _ := os.Stat(path); runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the permissions became %v", info.Mode())
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

// A link to a report is followed, not replaced.
func TestOutputFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skip(err)
	}
	tr := newTrial(t)
	tr.run(t, 0, "check", "--output", "json="+link)
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v", err)
	}
	if b, _ := os.ReadFile(target); !bytes.HasPrefix(b, []byte("{\n")) {
		t.Errorf("target %q", b)
	}
}

func TestLogsArePruned(t *testing.T) {
	state := t.TempDir()
	getenv := func(string) string { return state }
	for i := range keptLogs + 5 {
		l, err := openLog(getenv, "check", time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		l.write("web", "text")
		l.close()
		l.write("web", "after the end")
	}
	logs, _ := filepath.Glob(filepath.Join(state, "logs", "*"))
	if len(logs) != keptLogs || !strings.Contains(logs[0], "20260101T000005") {
		t.Errorf("%d logs, the oldest %s", len(logs), logs[0])
	}
	for _, path := range append(logs, filepath.Dir(logs[0])) {
		if info, _ := os.Stat(path); runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is open to others: %v", path, info.Mode())
		}
	}
	if b, _ := os.ReadFile(logs[0]); !strings.HasSuffix(string(b), " web: text\n") || strings.Count(string(b), "\n") != 1 {
		t.Errorf("log %q", b)
	}
}

func TestLogIsBounded(t *testing.T) {
	state := t.TempDir()
	l, err := openLog(func(string) string { return state }, "check", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	l.size = logLimit - 1
	l.write("web", "the last")
	l.write("web", "too much")
	l.close()
	b, _ := os.ReadFile(l.path)
	if s := string(b); !strings.Contains(s, "the last\n") || !strings.Contains(s, "the log is full") || strings.Contains(s, "too much") {
		t.Errorf("log %q", s)
	}
	(*runLog)(nil).write("web", "a missing log swallows everything")
	(*runLog)(nil).close()
}

func TestVersionOf(t *testing.T) {
	full := &debug.BuildInfo{Main: debug.Module{Version: "v0.1.0"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "true"}, {Key: "vcs.time", Value: "2026-03-01T00:00:00Z"}}}
	for _, c := range []struct {
		info *debug.BuildInfo
		want string
	}{
		{full, "boxdoctor v0.1.0 (commit 0123456789ab, modified, 2026-03-01T00:00:00Z), go"},
		{&debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, "boxdoctor devel, go"},
		{&debug.BuildInfo{}, "boxdoctor devel, go"},
	} {
		if got := versionOf(c.info).String(); !strings.HasPrefix(got, c.want) || !strings.HasSuffix(got, runtime.GOOS+"/"+runtime.GOARCH) {
			t.Errorf("version %q, want %q…", got, c.want)
		}
	}
}

// list and explain keep their schemas.
func TestListsAreValid(t *testing.T) {
	for args, schema := range map[string]string{
		"list checks": "list", "list fixes": "list", "explain mount.shares": "explain", "explain K1": "explain", "explain kernel.devel": "explain",
		"knowledge list": "knowledge", "knowledge show K1": "knowledge",
	} {
		tr := newTrial(t)
		tr.run(t, 0, append(strings.Fields(args), "--format", "json")...)
		doc, err := jsonschema.UnmarshalJSON(tr.out)
		if err != nil {
			t.Fatal(err)
		}
		s, err := jsonschema.NewCompiler().Compile("../docs/schema/" + schema + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(doc); err != nil {
			t.Errorf("%s: %v", args, err)
		}
	}
}

// Every id that list prints can be explained, and the explanation says why and how.
func TestEverythingIsExplained(t *testing.T) {
	for _, id := range append(checkIDs(), rows()...) {
		e := explain(id)
		if len(e.Checks)+len(e.Fixes)+len(e.Signatures) == 0 {
			t.Errorf("%s is not explained", id)
		}
		for _, c := range e.Checks {
			if c.Why == "" || c.Looks == "" || c.Source == "" {
				t.Errorf("%s: why %q, looks %q, source %q", c.ID, c.Why, c.Looks, c.Source)
			}
		}
	}
	for _, id := range fixIDs() {
		if e := explain(id); len(e.Fixes) != 1 || e.Fixes[0].Why == "" || len(e.Fixes[0].Clears) == 0 {
			t.Errorf("fix %s: %+v", id, e.Fixes)
		}
	}
}

// The exit codes stand in one table: every constant is in it, and the README repeats it word by word.
func TestExitCodeTable(t *testing.T) {
	inTable := map[int]bool{}
	for _, e := range exitCodes {
		inTable[e.code] = true
	}
	constants := exitConstants(t)
	if len(constants) != len(exitCodes) {
		t.Errorf("%d constants, %d rows", len(constants), len(exitCodes))
	}
	for name, code := range constants {
		if !inTable[code] {
			t.Errorf("finding.%s = %d is not in the table", name, code)
		}
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range exitCodes {
		if row := fmt.Sprintf("| %d | %s |", e.code, e.meaning); !bytes.Contains(readme, []byte(row+"\n")) {
			t.Errorf("the README lacks the row %q", row)
		}
	}
}

// exitConstants reads the Exit… constants from the source of finding.
func exitConstants(t *testing.T) map[string]int {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../internal/finding/finding.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "Exit") {
			code, err := strconv.Atoi(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			out[v.Names[0].Name] = code
		}
		return true
	})
	return out
}

// Ctrl-C as the system sends it.
func TestRealSignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no SIGINT for another process")
	}
	started := filepath.Join(t.TempDir(), "started")
	c := exec.Command("boxdoctor-waiting", "check")
	c.Env = append(os.Environ(), "STARTED="+started, stateEnv+"="+t.TempDir(), "VAGRANT_CWD="+t.TempDir())
	var errs bytes.Buffer
	c.Stderr = &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		if _, err := os.Stat(started); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	if got := c.ProcessState.ExitCode(); got != 130 || !strings.Contains(errs.String(), "Ctrl-C: ending the examination") {
		t.Errorf("exit %d, stderr %s", got, errs.String())
	}
}

// startLimit is how long `boxdoctor version` may take; the best of several runs, because other work on the
// machine only ever adds.
const startLimit = 50 * time.Millisecond

func TestStartsFast(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector slows the start")
	}
	best := time.Hour
	for range 10 {
		start := time.Now()
		if err := exec.Command("boxdoctor", "version").Run(); err != nil {
			t.Fatal(err)
		}
		best = min(best, time.Since(start))
	}
	t.Logf("boxdoctor version takes %v", best)
	if best > startLimit {
		t.Errorf("boxdoctor version takes %v, want at most %v", best, startLimit)
	}
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		if err := exec.Command("boxdoctor", "version").Run(); err != nil {
			b.Fatal(err)
		}
	}
}
