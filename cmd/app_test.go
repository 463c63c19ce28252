package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/engine"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/guest/sshguest"
	"github.com/boxdoctor/boxdoctor/internal/host"
	"github.com/boxdoctor/boxdoctor/internal/term"
)

// trial is an app over buffers, with a host of one machine and an engine that answers what the test wants.
type trial struct {
	*app
	out, err *bytes.Buffer
	env      map[string]string
	// hostOptions, machines, options are what the fakes were called with.
	hostOptions host.Options
	machines    []engine.Machine
	options     engine.Options
	fixOptions  engine.FixOptions
	report      finding.Report
}

func newTrial(t *testing.T) *trial {
	t.Helper()
	tr := &trial{env: map[string]string{stateEnv: t.TempDir(), configEnv: t.TempDir()}}
	s, out, errs := term.Test("")
	tr.out, tr.err = out, errs
	tr.app = newApp(s, func(k string) string { return tr.env[k] })
	tr.version = buildVersion{Version: "1.2.3"}
	tr.now = func() time.Time { return time.Date(2026, 3, 1, 9, 20, 30, 0, time.UTC) }
	tr.signals = make(chan os.Signal, 2)
	tr.report = finding.Report{SchemaVersion: 1, Machines: []finding.Machine{{Name: "web", Kind: finding.KindGuest, Reachable: true}}}
	tr.observe = func(_ context.Context, o host.Options) (host.Inventory, error) {
		tr.hostOptions = o
		return host.Inventory{Machines: []host.Machine{{Facts: facts.Machine{Name: "web"}, SSH: sshguest.Config{Name: "web"}}}, Notes: []string{"a note"}}, nil
	}
	tr.check = func(_ context.Context, ms []engine.Machine, notes []string, o engine.Options) finding.Report {
		tr.machines, tr.options, tr.report.Notes = ms, o, notes
		return tr.report
	}
	tr.fix = func(_ context.Context, ms []engine.Machine, notes []string, o engine.FixOptions) finding.Report {
		tr.machines, tr.fixOptions, tr.report.Notes = ms, o, notes
		return tr.report
	}
	tr.dial = func(context.Context, sshguest.Config) (guest.Guest, facts.Reach, error) {
		t.Error("dialled")
		return nil, facts.Reach{}, errors.New("no")
	}
	return tr
}

// run runs a command line and wants an exit code.
func (tr *trial) run(t *testing.T, want int, args ...string) {
	t.Helper()
	if got := tr.main(args); got != want {
		t.Errorf("boxdoctor %s exits %d, want %d\nstdout: %s\nstderr: %s", strings.Join(args, " "), got, want, tr.out, tr.err)
	}
}

func (tr *trial) wantErr(t *testing.T, text string) {
	t.Helper()
	if !strings.Contains(tr.err.String(), text) {
		t.Errorf("stderr lacks %q:\n%s", text, tr.err)
	}
}

func TestExitCodeIsTheReports(t *testing.T) {
	for _, code := range []int{0, 1, 3} {
		tr := newTrial(t)
		tr.report.ExitCode = code
		tr.run(t, code, "check")
		tr = newTrial(t)
		tr.report.ExitCode = code
		tr.run(t, code)
	}
	tr := newTrial(t)
	tr.report.ExitCode = finding.ExitUnverified
	tr.run(t, finding.ExitUnverified, "fix", "--yes")
}

func TestErrorIsInternal(t *testing.T) {
	tr := newTrial(t)
	tr.streams.Out = failingWriter{}
	tr.run(t, finding.ExitInternal, "check")
	tr.wantErr(t, "boxdoctor: disk full")
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

// A crash says one sentence on the screen; the stack is in the log of the run.
func TestCrash(t *testing.T) {
	for _, command := range []string{"check", "version"} {
		tr := newTrial(t)
		boom := func() { panic("boom") }
		tr.check = func(context.Context, []engine.Machine, []string, engine.Options) finding.Report {
			boom()
			return finding.Report{}
		}
		if command == "version" {
			tr.streams.Out = panickingWriter{}
		}
		tr.run(t, finding.ExitInternal, command)
		tr.wantErr(t, "internal error, please report it: boom; the details are in ")
		if strings.Contains(tr.err.String(), "goroutine") {
			t.Errorf("the stack is on the screen:\n%s", tr.err)
		}
		logs, _ := filepath.Glob(filepath.Join(tr.env[stateEnv], "logs", "*.log"))
		if len(logs) != 1 {
			t.Fatalf("logs: %v", logs)
		}
		if b, _ := os.ReadFile(logs[0]); !bytes.Contains(b, []byte("panic: boom")) || !bytes.Contains(b, []byte("cmd.TestCrash")) {
			t.Errorf("the log does not hold the stack:\n%s", b)
		}
	}
}

type panickingWriter struct{}

func (panickingWriter) Write([]byte) (int, error) { panic("boom") }

func TestCheckTellsTheEngine(t *testing.T) {
	tr := newTrial(t)
	tr.env["VAGRANT_CWD"] = "/somewhere"
	tr.run(t, 0, "check", "web", "db", "--only", "mount,kernel", "--only", "clock.skew", "--skip", "locks", "--strict",
		"--timeout", "7s", "-j", "3", "--user", "jo", "--vbox-version", "7.0.20")
	h, o := tr.hostOptions, tr.options
	if h.Dir != "/somewhere" || h.User != "jo" || h.VBoxVersion != "7.0.20" || strings.Join(h.Names, " ") != "web db" || h.StateDir != tr.env[stateEnv] {
		t.Errorf("host options %+v", h)
	}
	if strings.Join(o.Only, " ") != "mount kernel clock.skew" || strings.Join(o.Skip, " ") != "locks" || !o.Strict || o.Timeout != 7*time.Second || o.Parallel != 3 || o.Version != "1.2.3" {
		t.Errorf("engine options %+v", o)
	}
	if len(tr.machines) != 2 || tr.machines[0].Dial != nil || tr.machines[1].Dial == nil || !tr.machines[1].Named {
		t.Errorf("machines %+v", tr.machines)
	}
}

// Only machines that the user asked for count as unreachable.
func TestNamed(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want bool
	}{{[]string{"check"}, false}, {[]string{"check", "web"}, true}, {[]string{"check", "--ssh", "h", "-i", key}, true}, {[]string{}, false}} {
		tr := newTrial(t)
		tr.run(t, 0, c.args...)
		if got := tr.machines[1].Named; got != c.want {
			t.Errorf("%v: Named = %v", c.args, got)
		}
	}
}

// What cannot be reached answers with its problem instead of being dialled.
func TestProblemIsNotDialled(t *testing.T) {
	tr := newTrial(t)
	problem := errors.New("web is not running")
	tr.observe = func(context.Context, host.Options) (host.Inventory, error) {
		return host.Inventory{Machines: []host.Machine{{Facts: facts.Machine{Name: "web"}, Problem: problem, Class: "not_running", Command: "vagrant up web"}}}, nil
	}
	tr.run(t, 0, "check", "web")
	g, reach, err := tr.machines[1].Dial(t.Context())
	if g != nil || !errors.Is(err, problem) || reach.OK || reach.Class != "not_running" || reach.Command != "vagrant up web" || reach.Error != problem.Error() {
		t.Errorf("Dial = %v, %+v, %v", g, reach, err)
	}
}

// The transport's panic is one machine's error.
func TestDialPanics(t *testing.T) {
	tr := newTrial(t)
	tr.dial = func(context.Context, sshguest.Config) (guest.Guest, facts.Reach, error) { panic("broken") }
	tr.run(t, 0, "check", "web")
	g, reach, err := tr.machines[1].Dial(t.Context())
	if g != nil || err == nil || reach.OK || !strings.Contains(reach.Error, "broken") {
		t.Errorf("Dial = %v, %+v, %v", g, reach, err)
	}
}

func TestDialGetsThePersonAndTheEnvironment(t *testing.T) {
	tr := newTrial(t)
	tr.env["BOXDOCTOR_SSH_PASSWORD_WEB"] = "x"
	var got sshguest.Config
	tr.dial = func(_ context.Context, c sshguest.Config) (guest.Guest, facts.Reach, error) {
		got = c
		return nil, facts.Reach{OK: true}, nil
	}
	tr.run(t, 0, "check", "web")
	if _, _, err := tr.machines[1].Dial(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got.Ask != nil {
		t.Error("there is nobody to ask, but Ask is set")
	}
	if got.Getenv("BOXDOCTOR_SSH_PASSWORD_WEB") != "x" || got.Log == nil || !strings.HasPrefix(got.KeyStore, tr.env[stateEnv]) {
		t.Errorf("configuration %+v", got)
	}
	tr.streams.InTTY, tr.streams.ErrTTY = true, true
	if _, _, err := tr.machines[1].Dial(t.Context()); err != nil || got.Ask == nil {
		t.Errorf("with a terminal Ask is %v, error %v", got.Ask, err)
	}
}

func TestWhatTheUserGaveIsAUsageError(t *testing.T) {
	tr := newTrial(t)
	tr.observe = func(context.Context, host.Options) (host.Inventory, error) {
		return host.Inventory{}, errors.New("--ssh: no port")
	}
	tr.run(t, finding.ExitUsage, "check")
	tr.wantErr(t, "boxdoctor: --ssh: no port\n")
}

func TestUsageErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		want string
	}{
		{"chekc", "Did you mean check?"},
		{"web", "boxdoctor check web"},
		{"list", "checks or fixes"},
		{"list nothing", `unknown list "nothing"`},
		{"list checks --format xml", "known formats are text, json"},
		{"explain K1 K2", "one ID at a time"},
		{"explain - -", "- is named twice"},
		{"explain .", "is a folder"},
		{"explain nosuchfile.log", "unknown id or file"},
		{"fix --knowledge nosuchfolder", "--knowledge nosuchfolder: this is no folder"},
		{"explain K1 --knowledge nosuchfolder", "--knowledge nosuchfolder: this is no folder"},
		{"knowledge", "knowledge needs list, or show and a ROW"},
		{"knowledge show K99", "unknown row"},
		{"explain mount.share", "Did you mean mount.shares?"},
		{"version extra", "takes no words"},
		{"completion", "bash, zsh, fish, powershell"},
		{"completion tcsh", `unknown shell "tcsh"`},
		{"help chekc", "Did you mean check?"},
		{"check --formt json", "Did you mean --format?"},
		{"check --format jsn", "Did you mean json?"},
		{"check --only mont", "Did you mean mount?"},
		{"check --skip mount.share", "Did you mean mount.shares?"},
		{"check --only mount,nosuchthing", `unknown check or area "nosuchthing"`},
		{"check -j 0", "between 1 and 64"},
		{"check -j 65", "between 1 and 64"},
		{"check -j many", "invalid argument"},
		{"check --timeout 0s", "--timeout 0s"},
		{"check --timeout -1s", "--timeout -1s"},
		{"check -q -v", "-q and -v exclude each other"},
		{"check --ssh h --ssh-config " + file, "exclude each other"},
		{"check --ssh h web", "leave out web"},
		{"check -i " + file, "-i goes with --ssh"},
		{"check --ssh h -i " + file + ".none", "no such file"},
		{"check --ssh-config " + dir, "is a folder"},
		{"check --iso " + file + ".none", "--iso: "},
		{"check --vbox-version seven", "--vbox-version: "},
		{"check --output json", "FORMAT=FILE is expected"},
		{"check --output json=", "FORMAT=FILE is expected"},
		{"check --output xml=" + file, "unknown format"},
		{"check --output json=" + dir, "is a folder"},
		{"check --output json=" + dir + "/no/such", "does not exist"},
		{"check --output json=" + file + " --output text=" + file, "named twice"},
		{"check --output json=/dev/null", "not a regular file"},
		{"fix --only nosuch.fix", `unknown fix or check "nosuch.fix"`},
		{"fix --only kernel.devl", "Did you mean kernel.devel?"},
		{"fix --dry-run --yes", "exclude each other"},
		{"fix --packages " + dir, "no package file"},
		{"fix --packages " + dir + "/none", "--packages: "},
		{"fix --skip mount", "unknown flag: --skip"},
		{"logs --level WARNING", "Did you mean WARN?"},
		{"logs --type HTPT", "Did you mean HTTP?"},
		{"logs --since yesterday", "neither a duration"},
		{"logs --request-id a|b", "letters, digits"},
		{"logs --file app.log", "begins with /"},
		{"logs -j 0", "between 1 and 64"},
		{"logs lint", "needs a FILE"},
		{"net --port 0", "from 1 to 65535"},
		{"net -j 65", "between 1 and 64"},
		{"--color rainbow", "auto, always, never"},
	} {
		t.Run(c.args, func(t *testing.T) {
			tr := newTrial(t)
			tr.run(t, finding.ExitUsage, strings.Fields(c.args)...)
			tr.wantErr(t, c.want)
			if tr.machines != nil {
				t.Error("something was examined")
			}
			if tr.out.Len() != 0 {
				t.Errorf("standard output: %s", tr.out)
			}
		})
	}
	tr := newTrial(t)
	tr.run(t, finding.ExitUsage, "check", "")
	tr.wantErr(t, "name is empty")
}

// Standard output holds the JSON and nothing else, whatever else is said.
func TestJSONAlone(t *testing.T) {
	for _, args := range [][]string{{"check", "--format", "json", "-vv"}, {"fix", "--format", "json"}} {
		tr := newTrial(t)
		tr.run(t, 0, args...)
		var doc map[string]any
		if err := json.Unmarshal(tr.out.Bytes(), &doc); err != nil {
			t.Errorf("%v: %v\n%s", args, err, tr.out)
		}
		if _, has := doc["actions"]; has != (args[0] == "fix") {
			t.Errorf("%v: actions: %v", args, has)
		}
	}
}

func TestStepsOnlyWithTwoV(t *testing.T) {
	for flag, want := range map[string]bool{"-v": false, "-vv": true} {
		tr := newTrial(t)
		tr.check = func(_ context.Context, _ []engine.Machine, _ []string, o engine.Options) finding.Report {
			o.Log("web", "step \x1b[2Jone")
			return tr.report
		}
		tr.run(t, 0, "check", flag)
		if got := strings.Contains(tr.err.String(), "web: step one\n"); got != want {
			t.Errorf("%s: steps on stderr: %v\n%s", flag, got, tr.err)
		}
		logs, _ := filepath.Glob(filepath.Join(tr.env[stateEnv], "logs", "*.log"))
		if b, _ := os.ReadFile(logs[0]); !bytes.Contains(b, []byte("web: step one\n")) {
			t.Errorf("%s: the log lacks the step:\n%s", flag, b)
		}
	}
}

// TestDefect26UsageErrors: these examined nothing, or something else, and exited 0.
func TestDefect26UsageErrors(t *testing.T) {
	for _, args := range [][]string{
		{"check", "--only", "kernel", "--skip", "kernel"}, {"check", "--ssh", ""}, {"check", "--only", ""}, {"--skip", ""},
		{"check", "--only", ","}, {"--ssh", ""}, {"fix", "--only", ""}, {"fix", "--packages", ""}, {"check", "--user", ""},
	} {
		tr := newTrial(t)
		tr.run(t, finding.ExitUsage, args...)
		if tr.machines != nil {
			t.Errorf("%q: something was examined", args)
		}
	}
	newTrial(t).run(t, 0, "check", "--only", "kernel", "--skip", "locks")
}

// TestDefect27AnImmutableOutput is refused before any work is done; a file that only lacks the permission is replaced.
func TestDefect27AnImmutableOutput(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.json")
	if err := os.WriteFile(path, nil, 0o400); err != nil {
		t.Fatal(err)
	}
	newTrial(t).run(t, 0, "check", "--output", "json="+path)
	if err := exec.CommandContext(t.Context(), "chattr", "+i", path).Run(); err != nil {
		t.Skipf("files cannot be made immutable here: %v", err)
	}
	defer func() { _ = exec.Command("chattr", "-i", path).Run() }()
	tr := newTrial(t)
	tr.run(t, finding.ExitUsage, "check", "--output", "json="+path)
	tr.wantErr(t, "this file cannot be replaced, it is immutable")
}

// TestDefect22HelpTellsWhatIsWritten: "nothing is written" was not true.
func TestDefect22HelpTellsWhatIsWritten(t *testing.T) {
	tr := newTrial(t)
	tr.run(t, 0, "check", "--help")
	text := strings.Join(strings.Fields(tr.out.String()), " ")
	if strings.Contains(text, "nothing is written") || !strings.Contains(text, "writes the log of the run and, for machines of a project, the guest's SSH host key") {
		t.Error(text)
	}
}
