// Package kernel runs the embedded guest's processes: a process table with signals, file descriptors, pipes
// and programs that are Go functions. Nothing in it can start a real process or open a real file.
package kernel

import (
	"context"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/demo/memfs"
)

// Program is what an executable file of the tree does. It returns the exit status, 0 to 255.
type Program func(p *Proc) int

// Marker is in the content of every executable file that stands for a Program; the program's name follows,
// up to the end of the line. Copies and links of the file run the same program.
const Marker = "boxdoctor-stand-in:"

// Image is the content of an executable file for a program.
func Image(name string) []byte { return []byte("\x7fELF\x02\x01\x01 " + Marker + name + "\n") }

// Kernel is the running guest: a tree, programs and processes.
type Kernel struct {
	FS *memfs.FS
	// Speed is how many seconds of `sleep` pass in one real second.
	Speed float64
	// Offset is the guest's clock minus the host's.
	Offset time.Duration

	programs map[string]Program
	mu       sync.Mutex
	procs    map[int]*Proc
	lastPID  int
	ctx      context.Context
	cancel   context.CancelCauseFunc
	wg       sync.WaitGroup
	stopped  bool
	boot     time.Time
}

// New returns a kernel over fs. ctx ends every process.
func New(ctx context.Context, fs *memfs.FS, programs map[string]Program) *Kernel {
	k := &Kernel{FS: fs, Speed: 100, programs: programs, procs: map[int]*Proc{}, lastPID: 1000, boot: time.Now()}
	k.ctx, k.cancel = context.WithCancelCause(ctx)
	return k
}

// Boot is when this kernel started.
func (k *Kernel) Boot() time.Time { return k.boot }

// Stop kills every process and waits until all of them are gone.
func (k *Kernel) Stop() {
	k.Kill()
	k.wg.Wait()
}

// enter counts a goroutine that runs a process; false when the kernel is going down.
func (k *Kernel) enter() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stopped {
		return false
	}
	k.wg.Add(1)
	return true
}

// Kill kills every process without waiting: a process may order it (reboot).
func (k *Kernel) Kill() {
	k.mu.Lock()
	k.stopped = true
	k.mu.Unlock()
	k.cancel(Signalled("KILL"))
	for _, p := range k.Procs() {
		p.Signal("KILL")
	}
}

// Alive tells whether the kernel still runs processes.
func (k *Kernel) Alive() bool { return k.ctx.Err() == nil }

// Procs are the running processes, by process id.
func (k *Kernel) Procs() []*Proc {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make([]*Proc, 0, len(k.procs))
	for _, p := range k.procs {
		out = append(out, p)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].PID < out[j].PID })
	return out
}

// Proc finds a process by its id, nil when there is none.
func (k *Kernel) Proc(pid int) *Proc {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.procs[pid]
}

// SignalGroup sends a signal to every process of a process group; false when there is none.
func (k *Kernel) SignalGroup(pgid int, sig string) bool {
	found := false
	for _, p := range k.Procs() {
		if p.group() == pgid {
			found = true
			p.Signal(sig)
		}
	}
	return found
}

// HangUp sends HUP to every process of a session, as a vanished terminal does.
func (k *Kernel) HangUp(sid int) {
	for _, p := range k.Procs() {
		if p.session() == sid {
			p.Signal("HUP")
		}
	}
}

// Login starts a session for a user: a process without parent, in a session of its own. argv is what process
// listings show of it.
func (k *Kernel) Login(c memfs.Cred, argv []string, env map[string]string, cwd string, in, out, errw Stream) *Proc {
	return k.newProc(0, func(p *Proc) {
		p.Cred, p.Args, p.Cwd, p.Umask, p.Env = c, argv, cwd, 0o022, env
		p.sid, p.pgid = p.PID, p.PID
		p.clock = &Clock{}
		p.fds = map[int]*Desc{0: NewDesc(in), 1: NewDesc(out), 2: NewDesc(errw)}
	})
}

// newProc makes a process. It is in the table, where others see it, only after init.
func (k *Kernel) newProc(ppid int, init func(*Proc)) *Proc {
	k.mu.Lock()
	k.lastPID++
	p := &Proc{K: k, PID: k.lastPID, PPID: ppid, Start: time.Now(), done: make(chan struct{}), wake: make(chan struct{}, 1)}
	k.mu.Unlock()
	p.ctx, p.cancel = context.WithCancelCause(k.ctx)
	init(p)
	k.mu.Lock()
	k.procs[p.PID] = p
	k.mu.Unlock()
	return p
}

// Variant is the text after the @ in the mark of the executable that the process runs, such as a version.
func (p *Proc) Variant() string { return p.variant }

// programOf returns the program that an executable's content stands for, or an interpreter line.
func programOf(data []byte) (name string, interp []string) {
	s := string(data)
	if rest, ok := strings.CutPrefix(s, "#!"); ok {
		line, _, _ := strings.Cut(rest, "\n")
		interp = strings.SplitN(strings.TrimSpace(line), " ", 2)
	}
	if len(s) > 512 {
		s = s[:512]
	}
	if _, rest, ok := strings.Cut(s, Marker); ok {
		name, _, _ = strings.Cut(rest, "\n")
	}
	return name, interp
}
