//go:build !linux

package passthru

import "os/exec"

// onTerminal: terminals in between are only made on Linux.
func onTerminal(cmd *exec.Cmd, p Program) (Result, error) { return handOver(cmd, p) }
