package kernel

import (
	"sync"
	"time"
)

// Clock is the time of one session. `sleep` takes a fraction of a second here, but the session's own clock
// goes forward by what was asked, so that loops with a limit end when they should.
type Clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *Clock) add(d time.Duration) { c.mu.Lock(); c.ahead += d; c.mu.Unlock() }

func (c *Clock) get() time.Duration { c.mu.Lock(); defer c.mu.Unlock(); return c.ahead }

// Now is the time as the process sees it.
func (p *Proc) Now() time.Time { return time.Now().Add(p.K.Offset + p.clock.get()) }

// Scope is a limit of time over a group of processes, made by `timeout`.
type Scope struct {
	mu     sync.Mutex
	left   time.Duration
	procs  map[*Proc]bool
	signal string
	fired  bool
	timer  *time.Timer
	parent *Scope
}

// Limit puts the process and all that it forks under a limit; stop ends it and tells whether it had fired.
func (p *Proc) Limit(d time.Duration, signal string) (stop func() bool) {
	s := &Scope{left: d, procs: map[*Proc]bool{p: true}, signal: signal, parent: p.scope}
	s.timer = time.AfterFunc(d, s.fire)
	p.scope = s
	return func() bool {
		s.timer.Stop()
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.fired
	}
}

func (s *Scope) add(p *Proc) {
	for ; s != nil; s = s.parent {
		s.mu.Lock()
		s.procs[p] = true
		s.mu.Unlock()
	}
}

func (s *Scope) fire() {
	s.mu.Lock()
	s.fired = true
	var all []*Proc
	for p := range s.procs {
		all = append(all, p)
	}
	s.mu.Unlock()
	for _, p := range all {
		p.Signal(s.signal)
	}
}

// pass takes slept time off the limits and returns how much of d fits into them.
func (s *Scope) pass(d time.Duration) time.Duration {
	for sc := s; sc != nil; sc = sc.parent {
		sc.mu.Lock()
		d = min(d, sc.left)
		sc.mu.Unlock()
	}
	for sc := s; sc != nil; sc = sc.parent {
		sc.mu.Lock()
		sc.left -= d
		out := sc.left <= 0
		sc.mu.Unlock()
		if out {
			sc.fire()
		}
	}
	return d
}

// shortest is the least real time that a sleep takes: loops that wait for another process a number of times
// (fifty sleeps of a tenth of a second) must give it a real chance on a busy machine.
const shortest = 10 * time.Millisecond

// Sleep passes d of the session's time, in a fraction of the real time. It ends early when the process is
// killed or a caught signal arrives.
func (p *Proc) Sleep(d time.Duration) {
	t := time.NewTimer(max(shortest, time.Duration(float64(d)/p.K.Speed)))
	defer t.Stop()
	select {
	case <-t.C:
		p.clock.add(p.scope.pass(d))
	case <-p.ctx.Done():
	case <-p.wake:
	}
}
