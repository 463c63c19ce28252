package sshserver

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/pkg/sftp"
)

// ShellHandler runs exec requests by a real shell of this machine, as sshd does: SHELL -c COMMAND. It is for
// tests of the transport; it gives a client everything that this process may do.
type ShellHandler struct {
	// Shell is the login shell; empty: /bin/sh.
	Shell string
	// Dir is the working folder of commands and of SFTP paths that are relative.
	Dir string
	// Env is the whole environment of commands; nil: a PATH and nothing else.
	Env []string
	// Tree is served by SFTP; nil refuses the subsystem. DirTree makes one.
	Tree *sftp.Handlers
}

// SFTP is the tree given to the handler.
func (h *ShellHandler) SFTP() *sftp.Handlers { return h.Tree }

// Exec runs the command and returns its exit status: 127 when the shell could not be started, 255 when it was
// killed.
func (h *ShellHandler) Exec(ctx context.Context, s Session) int {
	cmd := h.command(ctx, s.Command)
	if s.PTY {
		return runOnPTY(ctx, cmd, s)
	}
	cmd.Stdout, cmd.Stderr = s.Stdout, s.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return 127
	}
	if err := cmd.Start(); err != nil {
		_, _ = io.WriteString(s.Stderr, err.Error()+"\n")
		return 127
	}
	// Not cmd.Stdin: Wait would then wait for a client that keeps its side open.
	go func() {
		_, _ = io.Copy(in, s.Stdin)
		_ = in.Close()
	}()
	return exitCode(cmd.Wait())
}

func (h *ShellHandler) command(ctx context.Context, command string) *exec.Cmd {
	shell, env := h.Shell, h.Env
	if shell == "" {
		shell = "/bin/sh"
	}
	if env == nil {
		env = []string{"PATH=" + os.Getenv("PATH")}
	}
	cmd := exec.CommandContext(ctx, shell, "-c", command)
	cmd.Dir, cmd.Env = h.Dir, env
	cmd.WaitDelay = time.Second
	ownGroup(cmd)
	return cmd
}

func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		return 0
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return exit.ExitCode()
	default:
		return 255
	}
}
