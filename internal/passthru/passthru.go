// Package passthru runs a program as if it had been started by hand: what it prints reaches the screen untouched, with
// its colours and questions, Ctrl-C and signals reach it, and its exit status comes back. The end of what it said is kept.
package passthru

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
)

// keep is how much of the end of the output is kept.
const keep = 1 << 20

// Program is what to run and where its streams lead.
type Program struct {
	Path string
	Args []string
	Dir  string
	Env  []string
	// In, Out and Err are the streams. Terminal says that In and Out are the person's terminal.
	In       io.Reader
	Out, Err io.Writer
	Terminal bool
}

// Result is how it ended.
type Result struct {
	// Code is its exit status, 128 + N after signal N, as a shell tells it.
	Code int
	// Said is the end of what it printed; Heard is false where a terminal had to be handed over whole, so that nothing
	// could be kept.
	Said  string
	Heard bool
}

// Run starts the program and waits for it. The error is for a program that could not be started.
func Run(ctx context.Context, p Program) (Result, error) {
	cmd := exec.CommandContext(ctx, p.Path, p.Args...)
	cmd.Dir, cmd.Env = p.Dir, p.Env
	if p.Terminal {
		return onTerminal(cmd, p)
	}
	said := &tail{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.In, io.MultiWriter(p.Out, said), io.MultiWriter(p.Err, said)
	stop := forward(cmd)
	defer stop()
	err := cmd.Run()
	return result(cmd, err, said)
}

// result turns an end into a status; err stays only when nothing ran.
func result(cmd *exec.Cmd, err error, said *tail) (Result, error) {
	r := Result{}
	if said != nil {
		r.Said, r.Heard = said.String(), true
	}
	if cmd.ProcessState == nil {
		return r, err
	}
	r.Code = cmd.ProcessState.ExitCode()
	if st, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && st.Signaled() {
		r.Code = 128 + int(st.Signal())
	}
	var exited *exec.ExitError
	if errors.As(err, &exited) {
		err = nil
	}
	return r, err
}

// forward hands signals on to the program. Ctrl-C at a terminal reaches it without that, so boxdoctor only must not die
// of it first.
func forward(cmd *exec.Cmd) (stop func()) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case s := <-signals:
				if cmd.Process != nil && s != os.Interrupt {
					_ = cmd.Process.Signal(s) // it may have ended just now
				}
			case <-done:
				return
			}
		}
	})
	return func() {
		signal.Stop(signals)
		close(done)
		wg.Wait()
	}
}

// tail keeps the end of what is written. Two streams write to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

// Write never fails and never blocks.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - keep; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

// String is what was kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}
