//go:build !windows

package sshserver

import (
	"os/exec"
	"syscall"
)

// ownGroup puts the command in a session of its own, as sshd does, and makes the end of its context kill all of it.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
