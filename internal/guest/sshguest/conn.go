package sshguest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/guest"
	"golang.org/x/crypto/ssh"
)

// pulse is how a dead link is noticed: a question every interval, and the link is lost when missed
// questions in a row stay without an answer.
type pulse struct {
	interval time.Duration
	missed   int
}

var defaultPulse = pulse{interval: 5 * time.Second, missed: 3}

func (c Config) pulse() pulse {
	p := defaultPulse
	if c.AliveInterval > 0 {
		p.interval = c.AliveInterval
	}
	if c.AliveMissed > 0 {
		p.missed = c.AliveMissed
	}
	return p
}

// conn is one authenticated connection. It ends once and stays ended.
type conn struct {
	client *ssh.Client
	// dead is closed when the connection has ended; cause is set before.
	dead chan struct{}

	mu    sync.Mutex
	cause error

	// noSFTP remembers that this guest has no SFTP, so that it is asked once.
	noSFTP atomic.Bool
}

func newConn(client *ssh.Client, p pulse) *conn {
	c := &conn{client: client, dead: make(chan struct{})}
	go func() {
		err := client.Wait()
		c.blame(fmt.Errorf("%w: %s", guest.ErrLinkLost, linkEnd(err)))
		close(c.dead)
	}()
	go c.keepalive(p)
	return c
}

func linkEnd(err error) string {
	if err == nil || errors.Is(err, io.EOF) {
		return "the guest closed it"
	}
	return clean(err.Error())
}

// blame records why the connection ended; the first reason stays.
func (c *conn) blame(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause == nil {
		c.cause = err
	}
}

// lost is the reason when the connection has ended, else nil.
func (c *conn) lost() error {
	select {
	case <-c.dead:
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.cause
	default:
		return nil
	}
}

// close ends the connection and waits until it is dead.
func (c *conn) close() {
	_ = c.client.Close()
	<-c.dead
}

func (c *conn) keepalive(p pulse) {
	tick := time.NewTicker(p.interval)
	defer tick.Stop()
	answered := make(chan struct{}, 1)
	pending, missed := false, 0
	for {
		select {
		case <-c.dead:
			return
		case <-answered:
			pending, missed = false, 0
			continue
		case <-tick.C:
		}
		if pending {
			if missed++; missed >= p.missed {
				c.blame(fmt.Errorf("%w: no answer for %s", guest.ErrLinkLost, p.interval*time.Duration(p.missed)))
				_ = c.client.Close()
				return
			}
			continue
		}
		pending = true
		go func() {
			if _, _, err := c.client.SendRequest("keepalive@openssh.com", true, nil); err == nil {
				answered <- struct{}{}
			}
		}()
	}
}

// ending is how a session's program ended.
type ending struct {
	code   int // -1 without an exit status
	signal string
}

// session is one channel with a running program.
type session struct {
	ch ssh.Channel
	// told gets the ending when the guest tells it; gone is closed when the channel is closed.
	told chan ending
	gone chan struct{}
}

// open starts a session that runs execLine. An error means that nothing has run. When ctx ends first, what
// was begun is closed as soon as the guest answers.
func (c *conn) open(ctx context.Context, pty bool) (*session, error) {
	type result struct {
		s   *session
		err error
	}
	done := make(chan result, 1)
	go func() {
		s, err := c.start(ctx, pty)
		done <- result{s, err}
	}()
	select {
	case r := <-done:
		return r.s, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.s != nil {
				_ = r.s.ch.Close()
			}
		}()
		return nil, ctx.Err()
	case <-c.dead:
		return nil, c.lost()
	}
}

func (c *conn) start(ctx context.Context, pty bool) (*session, error) {
	ch, reqs, err := c.client.OpenChannel("session", nil)
	if err != nil {
		return nil, c.explain(fmt.Errorf("open a session: %w", err))
	}
	s := &session{ch: ch, told: make(chan ending, 1), gone: make(chan struct{})}
	go s.listen(reqs)
	if err := c.request(ctx, ch, pty); err != nil {
		_ = ch.Close()
		return nil, c.explain(err)
	}
	return s, nil
}

func (c *conn) request(ctx context.Context, ch ssh.Channel, pty bool) error {
	if pty {
		if ok, err := ch.SendRequest("pty-req", true, rawTerminal()); err != nil || !ok {
			return refusal(err, "the guest gives no terminal")
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	ok, err := ch.SendRequest("exec", true, ssh.Marshal(struct{ Command string }{execLine}))
	if err != nil || !ok {
		return refusal(err, "the guest runs no commands over SSH (exec request refused)")
	}
	return nil
}

// refusal is the guest's no to a request, unless the request itself failed.
func refusal(err error, text string) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: %s", errNo, text)
}

// explain says "link lost" instead of a bare EOF when that is what happened. The library may report the end
// to a caller a moment before it reports it to Wait.
func (c *conn) explain(err error) error {
	var no *ssh.OpenChannelError
	if !errors.As(err, &no) && !errors.Is(err, errNo) {
		waitFor(c.dead, 500*time.Millisecond)
	}
	if lost := c.lost(); lost != nil {
		return lost
	}
	return err
}

// errNo is an answer of the guest, as opposed to a failure of the link.
var errNo = errors.New("the guest says no")

// listen serves the guest's requests on the channel until it is closed.
func (s *session) listen(reqs <-chan *ssh.Request) {
	defer close(s.gone)
	tell := func(e ending) {
		select {
		case s.told <- e:
		default: // only the first ending counts
		}
	}
	for r := range reqs {
		switch r.Type {
		case "exit-status":
			var m struct{ Status uint32 }
			if ssh.Unmarshal(r.Payload, &m) == nil {
				tell(ending{code: int(m.Status)})
			}
		case "exit-signal":
			var m struct {
				Signal     string
				CoreDumped bool
				Error      string
				Lang       string
			}
			if ssh.Unmarshal(r.Payload, &m) == nil {
				tell(ending{code: -1, signal: clean(m.Signal)})
			}
		}
		if r.WantReply {
			_ = r.Reply(false, nil)
		}
	}
}

// signal asks the guest to signal the program. OpenSSH does so since 7.9; older ones say nothing.
func (s *session) signal(name string) {
	_, _ = s.ch.SendRequest("signal", false, ssh.Marshal(struct{ Signal string }{name}))
}

// rawTerminal asks for a terminal that passes bytes as they are: no echo, no line editing, no CRLF.
func rawTerminal() []byte {
	// Numbers of RFC 4254 section 8: ICRNL, IXON, ISIG, ICANON, ECHO, ECHOE, ECHOK, ECHONL, OPOST, ONLCR.
	var modes []byte
	for _, m := range []byte{36, 38, 50, 51, 53, 54, 55, 56, 70, 72} {
		modes = append(modes, m, 0, 0, 0, 0)
	}
	return ssh.Marshal(struct {
		Term                         string
		Columns, Rows, Width, Height uint32
		Modes                        string
	}{"dumb", 200, 50, 0, 0, string(append(modes, 0))})
}
