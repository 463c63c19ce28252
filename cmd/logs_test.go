package cmd

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/guest/sshguest"
	"github.com/boxdoctor/boxdoctor/internal/host"
	"github.com/boxdoctor/boxdoctor/internal/sshserver"
)

// fleet is a trial with machines of these names, each a real SSH server in front of this machine's own shell, and one that is off.
func fleet(t *testing.T, names ...string) *trial {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("this machine's own shell stands for a Linux guest")
	}
	tr := newTrial(t)
	tr.dial = dialGuest
	tr.now = time.Now
	tr.env["GUESTS"] = t.TempDir() // the folder in which each has one, where its commands run
	var ms []host.Machine
	for _, name := range names {
		dir := filepath.Join(tr.env["GUESTS"], name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		s, err := sshserver.Start(t.Context(), sshserver.Options{Handler: &sshserver.ShellHandler{Dir: dir}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		ms = append(ms, host.Machine{Facts: facts.Machine{Name: name}, SSH: sshguest.Config{Name: name, User: "root", Host: s.Host(), Port: s.Port(),
			HostKeyID: name, TrustFirstUse: true, KeyStore: t.TempDir()}})
	}
	ms = append(ms, host.Machine{Facts: facts.Machine{Name: "off"}, Class: host.ClassNotRunning, Problem: fmt.Errorf("machine off is powered off")})
	tr.observe = func(_ context.Context, o host.Options) (host.Inventory, error) {
		return host.Inventory{Machines: ms}, nil
	}
	return tr
}

const twoMachines = `2026-11-24T09:30:00.000Z | 10.0.2.15 | - | 7 | r1 | HTTP[Method=GET Url=/orders] | INFO | begins | 
2026-11-24T09:30:00.100Z | 10.0.2.15 | - | 7 | r2 | RUNTIME | WARN | other | 
2026-11-24T09:30:00.120Z | 10.0.2.15 | - | 7 | r1 | SQL | DEBUG | {"Sql":"select 'a' || b","RunTime":3.2} | 0
`

// TestLogs is the whole way: configuration, real SSH, the guest's own filter, the order of time, every format.
func TestLogs(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "app.log")
	for name, text := range map[string]string{log: twoMachines, filepath.Join(dir, configFile): "logs:\n  files:\n    - path: " + dir + "/*.log\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(code int, args ...string) (string, string) {
		tr := fleet(t, "web", "db")
		tr.env["VAGRANT_CWD"] = dir
		tr.run(t, code, append([]string{"logs"}, args...)...)
		return tr.out.String(), tr.err.String()
	}
	out, errs := run(0, "--level", "warn")
	if want := "web  " + strings.Split(twoMachines, "\n")[1] + "\ndb   " + strings.Split(twoMachines, "\n")[1] + "\n"; out != want || errs != "off: not running, left out\n" {
		t.Errorf("got\n%s\nwant\n%s\nsaid %s", out, want, errs)
	}
	out, _ = run(0, "--request-id", "r1")
	want := "  +0.000s  web  HTTP    INFO             GET /orders   begins\n" +
		"  +0.000s  db   HTTP    INFO             GET /orders   begins\n" +
		"  +0.120s  web  SQL     DEBUG    3.2 ms  select 'a' || b   0\n" +
		"  +0.120s  db   SQL     DEBUG    3.2 ms  select 'a' || b   0\n" +
		"4 records, 2 machines, 120 ms from first to last, SQL 2 calls 6.4 ms\n"
	if out != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
	if out, errs = run(0, "--grep", "nothing has this", "--file", log); out != "" || !strings.Contains(errs, "no line matches") {
		t.Errorf("%s%s", out, errs)
	}
	for _, follow := range []string{"--follow=false", "--follow"} {
		if _, errs = run(finding.ExitUsage, follow, "--grep", "("); !strings.Contains(errs, `--grep "(": web: the guest's grep does not take this expression: grep: `) {
			t.Errorf("a wrong expression: %s", errs)
		}
	}
	if _, errs = run(0, "--file", dir+"/none*"); !strings.Contains(errs, "web: no file is named "+dir+"/none*") {
		t.Errorf("no file: %s", errs)
	}
	out, _ = run(0, "--type", "sql", "--format", "json")
	validLines(t, out, "logs", 2)
	config := "machines: {db: {groups: [app]}}\nlogs:\n  on: [app]\n  level: INFO\n  files:\n    - path: " + dir + "/*.log\n"
	if err := os.WriteFile(filepath.Join(dir, configFile), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, _ = run(0, "--level", "warn"); !strings.HasPrefix(out, "db  2026") || strings.Count(out, "\n") != 1 {
		t.Errorf("logs on a group only: %s", out)
	}
}

// TestAWrongLevelNamesThoseThatThereAre: "unknown level" alone sent people to the manual.
func TestAWrongLevelNamesThoseThatThereAre(t *testing.T) {
	for flag, want := range map[string]string{"--level=foo": `unknown level "FOO"; known are TRACE, DEBUG, INFO, WARN, ERROR, FATAL`, "--type=x": `unknown type "X"; known are RUNTIME, HTTP, `} {
		tr := newTrial(t)
		tr.run(t, finding.ExitUsage, "logs", "--file", "/a", flag)
		tr.wantErr(t, want)
	}
}

// TestLogsFollowOfNewFiles: without a file it says once that it waits, and shows the file that comes.
func TestLogsFollowOfNewFiles(t *testing.T) {
	log := filepath.Join(t.TempDir(), "app.log")
	tr := fleet(t, "web")
	tr.streams.Out = &interrupting{tr: tr}
	go func() {
		<-time.After(2 * time.Second)
		if err := os.WriteFile(log, []byte(twoMachines), 0o600); err != nil {
			t.Error(err)
		}
	}()
	tr.run(t, finding.ExitInterrupted, "logs", "-f", "--file", log, "--timeout", "30s")
	if want := "web: no file is named " + log + " yet; waiting for one\n"; strings.Count(tr.err.String(), want) != 1 || !strings.Contains(tr.out.String(), "begins") {
		t.Errorf("said %q, showed %q", tr.err, tr.out)
	}
}

// TestREADMEShowsTheRealTimeline: each machine has a log of its own.
func TestREADMEShowsTheRealTimeline(t *testing.T) {
	tr := fleet(t, "web", "db")
	for name, lines := range map[string][]string{
		"web": {"2026-11-24T09:30:00.125Z | 10.0.2.15 | 192.168.56.1 | 4711 | 7f3a-01 | HTTP[Method=GET Url=/orders/17] | INFO | request begins | ",
			"2026-11-24T09:30:00.204Z | 10.0.2.15 | 192.168.56.1 | 4711 | 7f3a-01 | RUNTIME[module=cart] | ERROR | left | right | E1042"},
		"db": {`2026-11-24T09:30:00.131Z | 10.0.2.16 | - | 815 | 7f3a-01 | SQL | DEBUG | {"Sql":"select 'a' || name from orders where id = ?","RunTime":3.2} | 0`},
	} {
		if err := os.WriteFile(filepath.Join(tr.env["GUESTS"], name, "app.log"), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tr.run(t, 0, "logs", "--request-id", "7f3a-01", "--file", "/proc/self/cwd/*.log")
	for _, page := range []string{"../README.md", "../docs/logs.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "```\n"+tr.out.String()+"```\n") {
			t.Errorf("%s does not show what is printed:\n%s", page, tr.out)
		}
	}
}

// validLines checks documents, one a line, against a schema.
func validLines(t *testing.T, text, schema string, want int) {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile("../docs/schema/" + schema + ".json")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(text) {
		n++
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		if err == nil {
			err = s.Validate(doc)
		}
		if err != nil {
			t.Errorf("%v\n%s", err, line)
		}
	}
	if n != want {
		t.Errorf("%d documents, expected %d", n, want)
	}
}

// TestLogsOfAMachineThatCannotBeReached are missing, which is said and makes exit 3; those of the others are shown.
func TestLogsOfAMachineThatCannotBeReached(t *testing.T) {
	log := filepath.Join(t.TempDir(), "app.log")
	if err := os.WriteFile(log, []byte(twoMachines), 0o600); err != nil {
		t.Fatal(err)
	}
	tr := fleet(t, "web")
	tr.run(t, finding.ExitUnexamined, "logs", "off", "web", "--file", log)
	tr.wantErr(t, "off: its logs are missing here: machine off is powered off")
	if n := strings.Count(tr.out.String(), "\n"); n != 3 {
		t.Errorf("%d lines of web", n)
	}
}

// TestLogsOfAWrongClock are put where they belong, and that is said; the lines stay as they are.
func TestLogsOfAWrongClock(t *testing.T) {
	log := filepath.Join(t.TempDir(), "app.log")
	if err := os.WriteFile(log, []byte(twoMachines), 0o600); err != nil {
		t.Fatal(err)
	}
	tr := fleet(t, "web")
	tr.now = func() time.Time { return time.Now().Add(-time.Hour) }
	tr.run(t, 0, "logs", "--file", log, "--level", "warn", "--format", "json")
	if !regexp.MustCompile(`web: its clock is 3(599|600)\.\d s ahead \(give or take `).MatchString(tr.err.String()) {
		t.Error(tr.err)
	}
	if out := tr.out.String(); !regexp.MustCompile(`"at":"2026-11-24T08:(30:00|29:59)`).MatchString(out) || !strings.Contains(out, `"time":"2026-11-24T09:30:00.100Z"`) {
		t.Error(out)
	}
}

// TestLogsFollowEndsByCtrlC, says nothing of it, and leaves nothing running.
func TestLogsFollowEndsByCtrlC(t *testing.T) {
	log := filepath.Join(t.TempDir(), "app.log")
	if err := os.WriteFile(log, []byte(twoMachines), 0o600); err != nil {
		t.Fatal(err)
	}
	tr := fleet(t, "web")
	tr.streams.Out = &interrupting{tr: tr}
	tr.run(t, finding.ExitInterrupted, "logs", "-f", "--file", log)
	if !strings.Contains(tr.out.String(), "begins") {
		t.Errorf("output %q", tr.out)
	}
}

// interrupting presses Ctrl-C at the first line of output.
type interrupting struct {
	tr   *trial
	done bool
}

// Write keeps what was written.
func (i *interrupting) Write(b []byte) (int, error) {
	if !i.done {
		i.done = true
		i.tr.signals <- os.Interrupt
	}
	return i.tr.out.Write(b)
}

func TestLogsLintJSON(t *testing.T) {
	log := filepath.Join(t.TempDir(), "app.log")
	if err := os.WriteFile(log, []byte(twoMachines+"\tat x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tr := newTrial(t)
	tr.run(t, finding.ExitFailed, "logs", "lint", log, "--format", "json")
	validLines(t, string(bytes.ReplaceAll(tr.out.Bytes(), []byte("\n"), nil)), "logs-lint", 1)
}
