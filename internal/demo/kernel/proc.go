package kernel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/demo/memfs"
)

// Signalled is why a process ended: the name of a signal without SIG.
type Signalled string

// Error names the signal.
func (s Signalled) Error() string { return "killed by SIG" + string(s) }

// Signals are the numbers of the signals that exist here.
var Signals = map[string]int{"HUP": 1, "INT": 2, "QUIT": 3, "KILL": 9, "USR1": 10, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15}

// Proc is one process. Its exported fields belong to the process' own goroutine: others read the command line
// and the user by Argv and User, and only SetArgs and SetCred change these two.
type Proc struct {
	K         *Kernel
	PID, PPID int
	Args      []string
	Env       map[string]string
	Cwd       string
	Umask     fs.FileMode
	Cred      memfs.Cred
	Start     time.Time

	variant string
	fds     map[int]*Desc
	ctx     context.Context
	cancel  context.CancelCauseFunc
	clock   *Clock
	scope   *Scope

	mu        sync.Mutex
	sid, pgid int
	ignored   map[string]bool
	caught    map[string]bool
	pending   []string
	wake      chan struct{}
	done      chan struct{}
	status    int
	finished  bool
}

func (p *Proc) group() int   { p.mu.Lock(); defer p.mu.Unlock(); return p.pgid }
func (p *Proc) session() int { p.mu.Lock(); defer p.mu.Unlock(); return p.sid }

// Session and Group are the ids of the session and the process group.
func (p *Proc) Session() int { return p.session() }

// Group is the process group's id.
func (p *Proc) Group() int { return p.group() }

// NewSession makes the process the leader of a new session (setsid).
func (p *Proc) NewSession() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sid, p.pgid = p.PID, p.PID
	p.clock = &Clock{}
}

// NewGroup makes the process the leader of a new process group.
func (p *Proc) NewGroup() { p.mu.Lock(); defer p.mu.Unlock(); p.pgid = p.PID }

// Context ends when the process is killed.
func (p *Proc) Context() context.Context { return p.ctx }

// Dead reports that a signal ended the process, or the machine went down.
func (p *Proc) Dead() bool { return p.ctx.Err() != nil }

// DeadStatus is the exit status of a process that a signal ended: 128 and the signal's number.
func (p *Proc) DeadStatus() int {
	var s Signalled
	if errors.As(context.Cause(p.ctx), &s) {
		return 128 + Signals[string(s)]
	}
	return 137
}

// Fork makes a child that shares the open files and has copies of everything else.
func (p *Proc) Fork() *Proc {
	c := p.K.newProc(p.PID, p.copyTo)
	if p.scope != nil {
		p.scope.add(c)
	}
	return c
}

func (p *Proc) copyTo(c *Proc) {
	c.Cred, c.Cwd, c.Umask, c.Args = p.Cred, p.Cwd, p.Umask, p.Args
	c.Env = make(map[string]string, len(p.Env))
	for k, v := range p.Env {
		c.Env[k] = v
	}
	c.fds = map[int]*Desc{}
	for n, d := range p.fds {
		c.fds[n] = d.Ref()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c.sid, c.pgid, c.clock, c.scope = p.sid, p.pgid, p.clock, p.scope
	c.ignored = map[string]bool{}
	for s := range p.ignored {
		c.ignored[s] = true
	}
}

// Finish ends the process with a status, closes its files and wakes who waits for it.
func (p *Proc) Finish(status int) {
	if p.Dead() {
		status = p.DeadStatus()
	}
	for n := range p.fds {
		p.CloseFD(n)
	}
	p.die(status)
	p.cancel(io.EOF)
}

// die takes the process out of the table. A killed process is dead at once, whatever its goroutine still does.
func (p *Proc) die(status int) {
	p.mu.Lock()
	first := !p.finished
	if first {
		p.finished, p.status = true, status
		close(p.done)
	}
	p.mu.Unlock()
	p.K.mu.Lock()
	delete(p.K.procs, p.PID)
	p.K.mu.Unlock()
}

// Go runs f as the process' program in the background.
func (p *Proc) Go(f func() int) {
	if !p.K.enter() {
		p.Finish(137)
		return
	}
	go func() {
		defer p.K.wg.Done()
		p.Finish(p.safely(f))
	}()
}

// Do runs f as the process' program in this goroutine and returns the status.
func (p *Proc) Do(f func() int) int {
	if !p.K.enter() {
		p.Finish(137)
		return 137
	}
	defer p.K.wg.Done()
	p.Finish(p.safely(f))
	return p.Status()
}

func (p *Proc) safely(f func() int) (status int) {
	defer p.mishap(&status)
	return f()
}

// Done is closed when the process has ended.
func (p *Proc) Done() <-chan struct{} { return p.done }

// Status is the exit status; meaningful after Done.
func (p *Proc) Status() int { p.mu.Lock(); defer p.mu.Unlock(); return p.status }

// Ignore, Catch and Default set what a signal does: nothing, wait in Pending, or end the process.
func (p *Proc) Ignore(sig string) { p.disposition(sig, true, false) }

// Catch makes a signal wait in Pending.
func (p *Proc) Catch(sig string) { p.disposition(sig, false, true) }

// Default makes a signal end the process.
func (p *Proc) Default(sig string) { p.disposition(sig, false, false) }

func (p *Proc) disposition(sig string, ign, catch bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ignored == nil {
		p.ignored = map[string]bool{}
	}
	if p.caught == nil {
		p.caught = map[string]bool{}
	}
	delete(p.ignored, sig)
	delete(p.caught, sig)
	if ign {
		p.ignored[sig] = true
	}
	if catch {
		p.caught[sig] = true
	}
}

// Ignores tells whether a signal is ignored.
func (p *Proc) Ignores(sig string) bool { p.mu.Lock(); defer p.mu.Unlock(); return p.ignored[sig] }

// Signal delivers a signal by name without SIG.
func (p *Proc) Signal(sig string) {
	p.mu.Lock()
	switch {
	case sig == "KILL":
	case p.ignored[sig]:
		p.mu.Unlock()
		return
	case p.caught[sig]:
		p.pending = append(p.pending, sig)
		select {
		case p.wake <- struct{}{}:
		default:
		}
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	p.cancel(Signalled(sig))
	p.die(128 + Signals[sig])
}

// Pending takes the signals that arrived for a trap.
func (p *Proc) Pending() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.pending
	p.pending = nil
	return out
}

// Wake gets a value when a caught signal arrives.
func (p *Proc) Wake() <-chan struct{} { return p.wake }

// Abs makes a path absolute by the working directory, without cleaning it.
func (p *Proc) Abs(name string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	if name == "" {
		return ""
	}
	return strings.TrimSuffix(p.Cwd, "/") + "/" + name
}

// LookPath finds an executable by PATH, as the shell does; empty when there is none.
func (p *Proc) LookPath(name string) string {
	if strings.Contains(name, "/") {
		return name
	}
	for _, dir := range strings.Split(p.Env["PATH"], ":") {
		full := path.Join(p.Abs(dir), name)
		if p.executable(full) {
			return full
		}
	}
	return ""
}

func (p *Proc) executable(full string) bool {
	in, err := p.K.FS.Stat(p.Cred, full)
	return err == nil && !in.IsDir() && p.K.FS.Access(p.Cred, full, memfs.Exec) == nil
}

// Run forks, executes argv in the child and returns its status. prepare may change the child first.
func (p *Proc) Run(argv []string, prepare func(*Proc)) int {
	c := p.Fork()
	if prepare != nil {
		prepare(c)
	}
	st := c.Exec(argv)
	c.Finish(st)
	return c.Status()
}

// Exec makes the process run argv and returns the exit status: 127 when it does not exist, 126 when it
// cannot be run. The process goes on to exist; Finish ends it.
func (p *Proc) Exec(argv []string) int {
	full := p.LookPath(argv[0])
	if full == "" {
		p.Errorf("%s: command not found\n", p.prefix(argv[0]))
		return 127
	}
	return p.execFile(p.Abs(full), argv, 0)
}

func (p *Proc) prefix(name string) string {
	if len(p.Args) > 0 && path.Base(p.Args[0]) != name {
		return path.Base(p.Args[0]) + ": " + name
	}
	return name
}

func (p *Proc) execFile(full string, argv []string, depth int) int {
	in, err := p.K.FS.Stat(p.Cred, full)
	switch {
	case err != nil:
		p.Errorf("%s: %s\n", p.prefix(argv[0]), memfs.Text(err))
		if errors.Is(err, fs.ErrNotExist) {
			return 127
		}
		return 126
	case in.IsDir():
		p.Errorf("%s: is a directory\n", p.prefix(argv[0]))
		return 126
	case !p.executable(full) || in.Vol.NoExec || depth > 4:
		p.Errorf("%s: Permission denied\n", p.prefix(argv[0]))
		return 126
	}
	data, err := p.K.FS.ReadFile(memfs.Root, full)
	if err != nil {
		p.Errorf("%s: %s\n", p.prefix(argv[0]), memfs.Text(err))
		return 126
	}
	return p.execData(full, argv, data, depth)
}

func (p *Proc) execData(full string, argv []string, data []byte, depth int) int {
	name, interp := programOf(data)
	name, variant, _ := strings.Cut(name, "@")
	if prog := p.K.programs[name]; prog != nil {
		p.variant = variant
		return p.call(prog, argv)
	}
	if interp == nil && len(data) > 4 && string(data[:4]) == "\x7fELF" {
		p.Errorf("%s: cannot execute binary file\n", p.prefix(argv[0]))
		return 126
	}
	if interp == nil {
		interp = []string{"/bin/sh"}
	}
	return p.execFile(interp[0], append(append(interp, full), argv[1:]...), depth+1)
}

func (p *Proc) call(prog Program, argv []string) (status int) {
	p.mu.Lock()
	p.Args = argv
	p.caught = nil
	p.mu.Unlock()
	defer p.mishap(&status)
	return prog(p)
}

// mishap turns a panic of a scripted program into a message and status 70: a guest's crash must not be
// boxdoctor's.
func (p *Proc) mishap(status *int) {
	if r := recover(); r != nil {
		p.Errorf("%s: internal fault of the embedded guest: %v\n", path.Base(p.Args[0]), r)
		*status = 70
	}
}

// Argv is the command line, for process listings.
func (p *Proc) Argv() []string { p.mu.Lock(); defer p.mu.Unlock(); return p.Args }

// SetArgs changes what listings show of the process.
func (p *Proc) SetArgs(argv []string) { p.mu.Lock(); defer p.mu.Unlock(); p.Args = argv }

// User is who the process runs as, for other processes.
func (p *Proc) User() memfs.Cred { p.mu.Lock(); defer p.mu.Unlock(); return p.Cred }

// SetCred makes the process run as another user (sudo).
func (p *Proc) SetCred(c memfs.Cred) { p.mu.Lock(); defer p.mu.Unlock(); p.Cred = c }

// Errorf prints to standard error.
func (p *Proc) Errorf(format string, a ...any) { fmt.Fprintf(p.Stderr(), format, a...) }

// Printf prints to standard output.
func (p *Proc) Printf(format string, a ...any) { fmt.Fprintf(p.Stdout(), format, a...) }

// Failf prints "NAME: message" to standard error and returns status 1.
func (p *Proc) Failf(format string, a ...any) int {
	p.Errorf("%s: %s\n", path.Base(p.Args[0]), fmt.Sprintf(format, a...))
	return 1
}
