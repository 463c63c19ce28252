package probe

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// localRunner runs a script by a real shell of this machine, the way the transport does: `sh -s -- ARGS` with
// the script on standard input. The name sh is the tested shell inside of the script too.
type localRunner struct {
	t     *testing.T
	shell []string // program and first arguments
	path  string   // PATH; empty: the machine's own with the tested shell as sh in front
	calls int
}

// newShell finds a shell or skips the test, naming what is missing.
func newShell(t *testing.T, name string, extra ...string) *localRunner {
	t.Helper()
	prog, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	dir := t.TempDir()
	if len(extra) == 0 {
		if err := os.Symlink(prog, filepath.Join(dir, "sh")); err != nil {
			t.Fatal(err)
		}
	} else {
		wrapper := "#!" + prog + " " + extra[0] + "\nexec " + prog + " " + extra[0] + " \"$@\"\n"
		if err := os.WriteFile(filepath.Join(dir, "sh"), []byte(wrapper), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return &localRunner{t: t, shell: append([]string{prog}, extra...), path: dir + ":" + os.Getenv("PATH")}
}

func (r *localRunner) Run(ctx context.Context, c guest.Cmd) (guest.Result, error) {
	r.calls++
	if c.Name != "probe" || c.Script == "" || len(c.Argv) > 0 || c.Stdin != nil || r.calls > 1 {
		r.t.Errorf("the probe is one script in one session, got call %d: %q argv %q", r.calls, c.Name, c.Argv)
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	argv := append(append([]string{}, r.shell[1:]...), append([]string{"-s", "--"}, c.Args...)...)
	cmd := exec.CommandContext(ctx, r.shell[0], argv...)
	cmd.WaitDelay = 5 * time.Second // the watchdog of mksh holds on to the output for its last second
	cmd.Env = []string{"PATH=" + r.path, "HOME=/", "LANG=de_DE.UTF-8"}
	cmd.Stdin = bytes.NewReader([]byte(c.Script))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if c.Stdout != nil {
		cmd.Stdout = io.MultiWriter(&out, c.Stdout)
	}
	start := time.Now()
	err := cmd.Run()
	res := guest.Result{Stdout: out.Bytes(), Stderr: errs.Bytes(), Code: cmd.ProcessState.ExitCode(), Duration: time.Since(start)}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return res, &guest.OutcomeError{Name: c.Name, After: res.Duration, Cause: ctx.Err()}
	case errors.As(err, &exit):
		return res, &guest.ExitError{Name: c.Name, Code: res.Code, Stderr: errs.String()}
	}
	return res, err
}
