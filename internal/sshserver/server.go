// Package sshserver is an SSH and SFTP server inside the process, on loopback. The demo guest runs behind
// it, and the transport's tests order faults from it. It is never reachable from outside the machine.
package sshserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// Session is one exec request of a client.
type Session struct {
	// Command is the string of the exec request, unparsed.
	Command string
	User    string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	// PTY is set when the client asked for a terminal. A handler that has none to give answers as it can.
	PTY bool
}

// Handler answers exec requests and offers a file tree to SFTP.
type Handler interface {
	// Exec runs a command and returns its exit status. ctx ends when the client goes away or sends a signal.
	Exec(ctx context.Context, s Session) int
	// SFTP is the tree that the SFTP subsystem serves; nil refuses the subsystem.
	SFTP() *sftp.Handlers
}

// Server is a running server. Close it.
type Server struct {
	opt    Options
	ln     net.Listener
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	links    map[*link]bool
	hostKeys []ssh.Signer
	faults   Faults
	conns    int
	execs    int
}

// Start listens on loopback and serves until Close or the end of ctx.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Handler == nil {
		return nil, errors.New("an SSH server needs a Handler")
	}
	keys, err := hostKeys(o.HostKeys)
	if err != nil {
		return nil, err
	}
	ln, err := listen(ctx, o.Addr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &Server{opt: o, ln: ln, ctx: ctx, cancel: cancel, links: map[*link]bool{}, hostKeys: keys}
	context.AfterFunc(ctx, s.shut)
	s.wg.Add(1)
	go s.accept()
	return s, nil
}

func hostKeys(given []ssh.Signer) ([]ssh.Signer, error) {
	if len(given) > 0 {
		return given, nil
	}
	k, err := NewKey()
	return []ssh.Signer{k}, err
}

func listen(ctx context.Context, addr string) (net.Listener, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("address of the SSH server: %w", err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("the SSH server listens on loopback only, not on %q", host)
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("start the SSH server: %w", err)
	}
	return ln, nil
}

// Addr is where the server listens, such as 127.0.0.1:40021.
func (s *Server) Addr() string { return s.ln.Addr().String() }

// Host is the address the server listens on, such as 127.0.0.1.
func (s *Server) Host() string { return s.tcp().IP.String() }

// Port is the port the server listens on.
func (s *Server) Port() int { return s.tcp().Port }

func (s *Server) tcp() *net.TCPAddr {
	if a, ok := s.ln.Addr().(*net.TCPAddr); ok {
		return a
	}
	return &net.TCPAddr{}
}

// HostKeys are the public halves of the keys that new connections are shown.
func (s *Server) HostKeys() []ssh.PublicKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []ssh.PublicKey
	for _, k := range s.hostKeys {
		keys = append(keys, k.PublicKey())
	}
	return keys
}

// SetHostKeys gives the server another identity for connections from now on.
func (s *Server) SetHostKeys(keys ...ssh.Signer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hostKeys = keys
}

// Counts are how many connections and exec requests have arrived so far.
func (s *Server) Counts() (conns, execs int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns, s.execs
}

// DropAll cuts every connection; the server goes on listening.
func (s *Server) DropAll() {
	for _, l := range s.all() {
		l.reset()
	}
}

// Close cuts every connection, stops listening and waits for all of the server's goroutines. Handlers see
// the end of their context.
func (s *Server) Close() error {
	s.cancel()
	s.shut()
	s.wg.Wait()
	return nil
}

func (s *Server) shut() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	_ = s.ln.Close()
	for _, l := range s.all() {
		_ = l.Close()
	}
}

func (s *Server) all() []*link {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*link
	for l := range s.links {
		all = append(all, l)
	}
	return all
}

func (s *Server) accept() {
	defer s.wg.Done()
	for {
		c, err := s.ln.Accept()
		if err != nil {
			return
		}
		l := newLink(c)
		if !s.add(l) {
			_ = l.Close()
			return
		}
		go func() {
			defer s.wg.Done()
			defer s.remove(l)
			s.serve(l)
		}()
	}
}

// add registers a connection and its goroutine, unless the server is closing.
func (s *Server) add(l *link) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.conns++
	s.links[l] = true
	s.wg.Add(1)
	return true
}

func (s *Server) remove(l *link) {
	_ = l.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.links, l)
}

// serve answers one connection until it ends.
func (s *Server) serve(l *link) {
	if s.takeReset() {
		l.reset()
		return
	}
	if s.currentFaults().StallHandshake {
		<-l.gone
		return
	}
	config, err := s.config()
	if err != nil {
		return
	}
	conn, chans, reqs, err := ssh.NewServerConn(l, config)
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	var wg sync.WaitGroup
	wg.Go(func() { answerKeepalives(reqs) })
	for nc := range chans {
		if nc.ChannelType() == "direct-tcpip" {
			wg.Go(func() { s.forward(ctx, nc) })
			continue
		}
		if nc.ChannelType() != "session" {
			_ = nc.Reject(ssh.UnknownChannelType, "only sessions are served")
			continue
		}
		wg.Go(func() { s.session(ctx, l, conn.User(), nc) })
	}
	cancel()
	wg.Wait()
}

// answerKeepalives says no to every global request, which is the answer that a keepalive waits for.
func answerKeepalives(reqs <-chan *ssh.Request) {
	for r := range reqs {
		if r.WantReply {
			_ = r.Reply(false, nil)
		}
	}
}
