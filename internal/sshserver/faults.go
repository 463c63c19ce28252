package sshserver

import (
	"io"
	"net"
	"sync"
	"time"
)

// Faults are the misfortunes that a server plays on order. The zero value is a healthy server.
type Faults struct {
	// StallHandshake accepts a connection and never says a word.
	StallHandshake bool
	// ResetAccepts accepts the next N connections and resets them at once, as VirtualBox's NAT does for a
	// forward whose guest has no sshd yet.
	ResetAccepts int
	// RefuseAuth refuses every key and password.
	RefuseAuth bool
	// DropAfterOutput cuts the TCP connection once a session has written that many bytes of stdout.
	DropAfterOutput int
	// DropOnExec cuts the TCP connection when the Nth exec request since the order arrives (1: the next).
	DropOnExec int
	// DropAfter cuts the TCP connection that long after an exec request was accepted.
	DropAfter time.Duration
	// FreezeAfter stops reading from the connection that long after an exec request: a link that is dead
	// without a word, as after a host's sleep.
	FreezeAfter time.Duration
	// Noise and NoiseStderr are printed before a command's own output (a chatty .bashrc).
	Noise, NoiseStderr string
	// NoSFTP refuses the sftp subsystem; NoSFTPServer accepts it and ends at once, as an sshd whose
	// sftp-server program is missing does.
	NoSFTP, NoSFTPServer bool
	// HoldOutput keeps the session open that long after the exit status was sent: a daemon that was started
	// by the command holds its stdout.
	HoldOutput time.Duration
	// NoExitStatus closes the session without telling how the command ended.
	NoExitStatus bool
	// WriteDelay slows every write of a command's stdout.
	WriteDelay time.Duration
}

// Order replaces the faults. Counters (ResetAccepts, DropOnExec) start anew.
func (s *Server) Order(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

// takeReset says whether this connection is one of those to reset.
func (s *Server) takeReset() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.ResetAccepts <= 0 {
		return false
	}
	s.faults.ResetAccepts--
	return true
}

// takeExec counts an exec request and returns the faults for it, and whether the link is to be cut now.
func (s *Server) takeExec() (Faults, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.execs++
	f := s.faults
	if s.faults.DropOnExec > 0 {
		s.faults.DropOnExec--
		return f, s.faults.DropOnExec == 0
	}
	return f, false
}

func (s *Server) currentFaults() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults
}

// link is a TCP connection that can be cut or frozen.
type link struct {
	net.Conn
	once   sync.Once
	gone   chan struct{}
	mu     sync.Mutex
	frozen bool
}

func newLink(c net.Conn) *link { return &link{Conn: c, gone: make(chan struct{})} }

// Read blocks for ever on a frozen link, until it is closed.
func (l *link) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	l.mu.Lock()
	frozen := l.frozen
	l.mu.Unlock()
	if frozen {
		<-l.gone
		return 0, net.ErrClosed
	}
	return n, err
}

func (l *link) freeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frozen = true
}

// Close closes the connection once and wakes a frozen reader.
func (l *link) Close() error {
	l.once.Do(func() { close(l.gone) })
	return l.Conn.Close()
}

// reset ends the connection with a RST, as a peer without a listener does.
func (l *link) reset() {
	if tcp, ok := l.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = l.Close()
}

// faultyWriter plays the faults that concern a command's stdout.
type faultyWriter struct {
	w     io.Writer
	delay time.Duration
	limit int
	cut   func()
	gone  <-chan struct{}
	mu    sync.Mutex
}

// Write delays, counts and cuts as ordered.
func (f *faultyWriter) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.delay > 0 {
		select {
		case <-time.After(f.delay):
		case <-f.gone:
			return 0, io.ErrClosedPipe
		}
	}
	if f.limit == 0 {
		return f.w.Write(p)
	}
	n, err := f.w.Write(p[:min(len(p), f.limit)])
	if f.limit -= n; f.limit == 0 {
		f.cut()
		return n, io.ErrClosedPipe
	}
	return n, err
}
