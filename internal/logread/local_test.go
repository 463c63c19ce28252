package logread

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// local runs steps on this machine as the transport would in a guest, with a PATH of its own.
type local struct {
	shell string
	path  string
	sudo  bool
}

// shells are the guests that the scripts are tried in: a shell each, and one with nothing but busybox.
func shells(t *testing.T, try func(t *testing.T, g *local)) {
	for _, name := range []string{"dash", "bash", "mksh", "ksh"} {
		t.Run(name, func(t *testing.T) {
			prog, err := exec.LookPath(name)
			if err != nil {
				t.Skipf("%s is not installed", name)
			}
			try(t, &local{shell: prog, path: os.Getenv("PATH")})
		})
	}
	t.Run("busybox", func(t *testing.T) { try(t, busybox(t)) })
}

// busybox is a guest that has no other programs.
func busybox(t *testing.T) *local {
	t.Helper()
	prog, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("busybox is not installed")
	}
	dir := t.TempDir()
	for _, applet := range strings.Fields("sh awk grep dd cat tail head stat date gzip sleep sed echo") {
		if err := os.Symlink(prog, filepath.Join(dir, applet)); err != nil {
			t.Fatal(err)
		}
	}
	return &local{shell: filepath.Join(dir, "sh"), path: dir}
}

// Run runs a script or a command.
func (l *local) Run(ctx context.Context, c guest.Cmd) (guest.Result, error) {
	if c.Sudo && !l.sudo {
		return guest.Result{Code: -1}, errors.New("no sudo here")
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	argv := append([]string{"-s", "--"}, c.Args...)
	stdin := io.Reader(strings.NewReader(c.Script))
	if c.Script == "" {
		argv, stdin = c.Argv[1:], c.Stdin
	}
	cmd := exec.CommandContext(ctx, l.shell, argv...)
	cmd.WaitDelay = time.Second
	cmd.Env = []string{"PATH=" + l.path, "LC_ALL=C"}
	in, err := cmd.StdinPipe()
	if err != nil {
		return guest.Result{Code: -1}, err
	}
	var out, errs bytes.Buffer
	cmd.Stderr, cmd.Stdout = &errs, &out
	if c.Stdout != nil {
		cmd.Stdout = c.Stdout
	}
	if err := cmd.Start(); err != nil {
		return guest.Result{Code: -1}, err
	}
	go func() {
		_, _ = io.Copy(in, stdin)
		_ = in.Close()
	}()
	err = cmd.Wait()
	res := guest.Result{Stdout: out.Bytes(), Stderr: errs.Bytes(), Code: cmd.ProcessState.ExitCode()}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return res, &guest.OutcomeError{Name: c.Name, Cause: ctx.Err()}
	case errors.As(err, &exit):
		return res, &guest.ExitError{Name: c.Name, Code: res.Code, Stderr: errs.String()}
	}
	return res, err
}
