package host

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// outputLimit bounds each stream of a host program.
const outputLimit = 8 << 20

// runProgram is the Executor of real runs: no terminal, no input, English output in UTF-8, bounded.
func runProgram(ctx context.Context, path string, args ...string) (Output, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL="+locale(), "LANG="+locale(), "LANGUAGE=C")
	// VBoxManage starts VBoxSVC, which may keep the pipes open: do not wait for it.
	cmd.WaitDelay = time.Second
	stdout, stderr := &bounded{limit: outputLimit}, &bounded{limit: outputLimit}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	err := cmd.Run()
	out := Output{Stdout: stdout.String(), Stderr: stderr.String()}
	if cmd.ProcessState != nil {
		out.Code = cmd.ProcessState.ExitCode()
	}
	var exited *exec.ExitError
	if ctx.Err() != nil {
		return out, ctx.Err()
	}
	if errors.As(err, &exited) || errors.Is(err, exec.ErrWaitDelay) {
		return out, nil
	}
	return out, err
}

// locale is English in UTF-8. Under plain C, VBoxManage 7.2.22 stops printing at the first letter beyond
// ASCII in a VM's name: the rest of the list is lost with it.
func locale() string {
	if runtime.GOOS == "darwin" {
		return "en_US.UTF-8" // macOS has had no C.UTF-8 for long
	}
	return "C.UTF-8"
}

// bounded keeps the first bytes and drops the rest, so that a talking program can neither block nor fill the memory.
type bounded struct {
	bytes.Buffer
	limit int
}

// Write takes everything and keeps what fits.
func (b *bounded) Write(p []byte) (int, error) {
	if room := b.limit - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
