//go:build acceptance || acceptance_vm

package acceptance

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

	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// binary is the boxdoctor under test, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "boxdoctor-acceptance")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "boxdoctor")
	if out, err := exec.Command("go", "build", "-o", binary, "../..").CombinedOutput(); err != nil {
		panic(string(out))
	}
	// Guests of this run have a folder of their own: an aborted or parallel run is not disturbed.
	if err := os.Setenv("BOXDOCTOR_LAB_RUN", filepath.Join(dir, "guests")); err != nil {
		panic(err)
	}
	defer func() {
		_ = exec.Command("./lab/lab.sh", "stop-all").Run()
		_ = exec.Command("./vm/vm.sh", "stop-all").Run()
	}()
	return m.Run()
}

// lab runs lab.sh and returns its standard output.
func lab(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	return command(t, exec.CommandContext(ctx, "./lab/lab.sh", args...))
}

func command(t *testing.T, c *exec.Cmd) string {
	t.Helper()
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(c.Args, " "), err, tail(out.String()), tail(errs.String()))
	}
	return out.String()
}

func tail(s string) string {
	if len(s) > 3000 {
		s = "…" + s[len(s)-3000:]
	}
	return s
}

// guest is a running guest and the state folder of the boxdoctor that works on it.
type guest struct {
	t         *testing.T
	name      string
	sshConfig string
	state     string
	env       []string
	flags     []string
	// file is the .boxdoctor.yaml of tests that provision.
	file string
	// run runs a script in the guest as root; nil: by the container lab.
	run func(script string) string
}

// startGuest boots a fresh container guest and ends it with the test.
func startGuest(t *testing.T, name, root string, cases ...string) *guest {
	t.Helper()
	begin := time.Now()
	_ = exec.Command("./lab/lab.sh", "stop", name).Run() // of an earlier, aborted run
	config := strings.TrimSpace(lab(t, append([]string{"start", name, root}, cases...)...))
	t.Cleanup(func() { _ = exec.Command("./lab/lab.sh", "stop", name).Run() })
	step(t, begin, "guest %s boots and is made sick: %s", root, strings.Join(cases, " "))
	iso := strings.TrimSpace(lab(t, "iso", "7.0.20"))
	return &guest{t: t, name: name, sshConfig: config, state: t.TempDir(),
		flags: []string{"--ssh-config", config, "--vbox-version", "7.0.20", "--iso", iso}}
}

// step logs how long something took; these lines are the acceptance log.
func step(t *testing.T, begin time.Time, format string, a ...any) {
	t.Helper()
	t.Logf("%6.1fs  "+format, append([]any{time.Since(begin).Seconds()}, a...)...)
}

// doctor runs boxdoctor and returns its JSON report and exit code.
func (g *guest) doctor(args ...string) (finding.Report, int) {
	g.t.Helper()
	begin := time.Now()
	out, code := g.text(append(args, "--format", "json")...)
	var r finding.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		g.t.Fatalf("boxdoctor %s: exit %d, no JSON on standard output: %v\n%s", strings.Join(args, " "), code, err, tail(out))
	}
	step(g.t, begin, "boxdoctor %s: exit %d, %d failed, %d passed, %d actions", strings.Join(args, " "), code, r.Summary.Fail, r.Summary.Pass, len(r.Actions))
	if r.ExitCode != code {
		g.t.Errorf("the report says exit %d, the process ended with %d", r.ExitCode, code)
	}
	return r, code
}

func (g *guest) text(args ...string) (string, int) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), 45*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, binary, append(args, g.flags...)...)
	c.Env = append(append(os.Environ(), "BOXDOCTOR_STATE_HOME="+g.state), g.env...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		g.t.Fatalf("boxdoctor %v: %v", args, err)
	}
	if errs.Len() > 0 {
		g.t.Logf("        stderr: %s", tail(errs.String()))
	}
	return out.String(), c.ProcessState.ExitCode()
}

// sh runs a command in the guest as root, without boxdoctor.
func (g *guest) sh(script string) string {
	g.t.Helper()
	if g.run != nil {
		return g.run(script)
	}
	return lab(g.t, "exec", g.name, "sh", "-c", script)
}

// at finds one finding of the guest.
func (g *guest) at(r finding.Report, id string) finding.Finding {
	g.t.Helper()
	for _, m := range r.Machines {
		for _, f := range m.Findings {
			if m.Kind == finding.KindGuest && f.ID == id {
				return f
			}
		}
	}
	g.t.Fatalf("no finding %s", id)
	return finding.Finding{}
}

// want checks the status of several findings.
func (g *guest) want(r finding.Report, status finding.Status, ids ...string) {
	g.t.Helper()
	for _, id := range ids {
		if f := g.at(r, id); f.Status != status {
			g.t.Errorf("%s is %s, want %s: %s (want %q, got %q)", id, f.Status, status, f.Message, f.Want, f.Got)
		}
	}
}

// allDone checks that every action succeeded.
func (g *guest) allDone(r finding.Report) {
	g.t.Helper()
	for _, a := range r.Actions {
		step(g.t, time.Now().Add(-time.Duration(a.DurationMS)*time.Millisecond), "    stage %d %s: %s: %s %s", a.Stage, a.Fix, a.Title, a.Outcome, a.Message)
		if a.Outcome != finding.Done {
			g.t.Errorf("%s of %s: %s: %s", a.Title, a.Fix, a.Outcome, a.Message)
		}
	}
}
