package cmd

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/boxdoctor/boxdoctor/internal/engine"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/term"
	"github.com/boxdoctor/boxdoctor/internal/testkit"
)

// The test program is also the programs that the scripts run: boxdoctor itself, one that crashes while it
// examines, and one that examines until it is interrupted.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"boxdoctor": func() { os.Exit(Main()) },
		"boxdoctor-crashing": func() {
			a := newApp(term.System(os.Getenv), os.Getenv)
			a.check = func(context.Context, []engine.Machine, []string, engine.Options) finding.Report {
				panic("provoked by a test")
			}
			os.Exit(a.main(os.Args[1:]))
		},
		"boxdoctor-waiting": func() {
			a := newApp(term.System(os.Getenv), os.Getenv)
			a.check = func(ctx context.Context, _ []engine.Machine, _ []string, _ engine.Options) finding.Report {
				_ = os.WriteFile(os.Getenv("STARTED"), nil, 0o600)
				<-ctx.Done()
				return finding.Report{}
			}
			os.Exit(a.main(os.Args[1:]))
		},
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "../testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       testkit.Update(),
		Setup: func(env *testscript.Env) error {
			env.Setenv("BOXDOCTOR_STATE_HOME", env.WorkDir+"/state")
			env.Setenv("BOXDOCTOR_CONFIG_HOME", env.WorkDir+"/config")
			for _, name := range []string{"NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "LANG", "LC_ALL", "COLUMNS", "VAGRANT_CWD", "VBOX_INSTALL_PATH", "SSH_AUTH_SOCK"} {
				env.Setenv(name, "")
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "waitfor": waitFor},
	})
}

// exits runs a program and wants exactly this exit code: exits CODE PROGRAM ARGS…
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s exits %d, want %d\nstdout: %s\nstderr: %s", strings.Join(args[1:], " "), got, want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// waitFor waits until a file exists, for at most ten seconds: waitfor FILE
func waitFor(ts *testscript.TestScript, _ bool, args []string) {
	for range 200 {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("%s does not appear", args[0])
}
