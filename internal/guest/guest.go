// Package guest is the contract for a machine that boxdoctor can command: run a step, move a file, and
// tell exactly how a step ended. Implementations live in sub-packages (sshguest); nothing here dials.
package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// OutputLimit is how many bytes of one stream a Result keeps when Cmd.Limit is zero (8 MiB, issue 1).
// What comes after is read and dropped, so that a chatty guest can neither fill memory nor block.
const OutputLimit = 8 << 20

// DefaultTimeout bounds a step that does not say how long it may take.
const DefaultTimeout = 60 * time.Second

// Cmd is one step in a guest. Exactly one of Argv and Script is set. Nothing of it is ever joined into a
// command line that the user's login shell parses: the login shell may be csh or fish.
type Cmd struct {
	// Name is what the step is called in errors, progress and logs ("probe", "upload check"). Required.
	Name string
	// Argv is a program and its arguments.
	Argv []string
	// Script is POSIX sh text, run by `sh -s` with Args as its positional parameters.
	Script string
	Args   []string
	// Stdin feeds Argv; a Script gets an empty standard input.
	Stdin io.Reader
	// Sudo runs the step as root: directly when the user is root, else by sudo.
	Sudo bool
	// Timeout is the deadline of the whole step; zero means DefaultTimeout.
	Timeout time.Duration
	// Stdout and Stderr get output as it arrives, in addition to what Result keeps.
	Stdout, Stderr io.Writer
	// Limit is how many bytes of each stream Result keeps; zero means OutputLimit.
	Limit int
}

// Result is filled whatever the error: what was printed before a failure is the evidence.
type Result struct {
	Stdout, Stderr []byte
	// Truncated says that at least one stream was longer than the limit.
	Truncated bool
	// Code is the exit status; -1 when there is none (signal, lost link, deadline).
	Code     int
	Duration time.Duration
}

// ExitError means: the step ran to its end and said no.
type ExitError struct {
	Name   string
	Code   int
	Signal string
	// Stderr is the full captured standard error; Error shows only its last lines.
	Stderr string
}

// Error names the step, how it ended and the end of what it printed.
func (e *ExitError) Error() string {
	how := fmt.Sprintf("exit status %d", e.Code)
	if e.Signal != "" {
		how = "killed by signal " + e.Signal
	}
	if tail := lastLines(e.Stderr, 3); tail != "" {
		return fmt.Sprintf("step %q: %s: %s", e.Name, how, tail)
	}
	return fmt.Sprintf("step %q: %s, with nothing on standard error", e.Name, how)
}

// ErrUnknownOutcome means: the link or the deadline cut the step, it may have run. Whoever sees it must
// observe again before acting again.
var ErrUnknownOutcome = errors.New("it is not known whether the step ran")

// ErrLinkLost is the cause inside an ErrUnknownOutcome when the connection ended, as opposed to a deadline.
var ErrLinkLost = errors.New("the connection to the guest was lost")

// OutcomeError wraps ErrUnknownOutcome with the step's name and the cause.
type OutcomeError struct {
	Name  string
	After time.Duration
	Cause error
}

// Error names the step, the time spent and the cause.
func (e *OutcomeError) Error() string {
	return fmt.Sprintf("step %q: cut off after %s (%v): %v", e.Name, e.After.Round(100*time.Millisecond), e.Cause, ErrUnknownOutcome)
}

// Unwrap lets errors.Is find both ErrUnknownOutcome and the cause (context.DeadlineExceeded, ErrLinkLost, …).
func (e *OutcomeError) Unwrap() []error { return []error{ErrUnknownOutcome, e.Cause} }

// Runner runs steps. Run is safe for concurrent use; each call is a session of its own on one connection.
// Errors: *ExitError (ran and said no), *OutcomeError (may have run), anything else (certainly did not run).
type Runner interface {
	Run(ctx context.Context, c Cmd) (Result, error)
}

// Files moves files as the login user. Put writes to a temporary name beside path and renames, so a cut
// transfer never leaves half a file under the final name. progress may be nil; it gets bytes written so far.
type Files interface {
	Put(ctx context.Context, path string, mode os.FileMode, r io.Reader, size int64, progress func(int64)) error
}

// Dialer opens TCP connections from inside a machine, over the connection that is there. Not every machine has one.
type Dialer interface {
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
}

// Guest is a connected machine. After a lost link the next Run or Put dials again, once, within its deadline.
type Guest interface {
	Runner
	Files
	io.Closer
	// Reconnect drops the connection and dials a new one (after a reboot). One attempt, bounded by ctx.
	Reconnect(ctx context.Context) error
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.TrimSpace(strings.Join(lines, " / "))
}
