package sshguest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/guest"
	"golang.org/x/crypto/ssh"
)

// Guest is one machine over one SSH connection. Its methods are safe for concurrent use.
type Guest struct {
	cfg   Config
	pulse pulse
	sudo  sudoer
	vault vault

	// slots bounds the sessions at a time.
	slots chan struct{}

	// dialling holds one token: whoever has it may replace conn.
	dialling chan struct{}

	mu     sync.Mutex
	conn   *conn
	closed bool
	// hostKey is what the first connection showed; every later one must show the same.
	hostKey ssh.PublicKey
}

var _ guest.Guest = (*Guest)(nil)

// maxSessions is below the ten that OpenSSH allows on one connection (MaxSessions), so that one is left to end a
// cancelled step. More steps wait for their turn.
const maxSessions = 8

var errClosed = errors.New("the connection was closed by boxdoctor")

// Dial connects to one machine and authenticates, within Config.Timeout and ctx; the time that a person
// takes to answer a question does not count. Reach is filled whatever the error, which is a *DialError.
func Dial(ctx context.Context, cfg Config) (*Guest, facts.Reach, error) {
	return dial(ctx, cfg, cfg.pulse())
}

func dial(ctx context.Context, cfg Config, p pulse) (*Guest, facts.Reach, error) {
	g := &Guest{cfg: cfg.complete(), pulse: p, slots: make(chan struct{}, maxSessions), dialling: make(chan struct{}, 1)}
	start := time.Now()
	reach := facts.Reach{Address: g.cfg.addr(), User: g.cfg.User, Legacy: []string{}}
	c, legacy, err := g.connect(ctx)
	reach.Elapsed = time.Since(start)
	if err != nil {
		e := g.cfg.explain(err)
		reach.Class, reach.Error, reach.Command = e.Class, e.Text, e.Command
		g.logf("dial %s as %s: %s after %s: %s", reach.Address, reach.User, e.Class, reach.Elapsed.Round(time.Millisecond), e.Text)
		return nil, reach, e
	}
	g.conn = c
	reach.OK, reach.Legacy = true, legacy
	g.logf("dial %s as %s: connected in %s, legacy algorithms %v", reach.Address, reach.User, reach.Elapsed.Round(time.Millisecond), legacy)
	return g, reach, nil
}

// Run runs one step in a session of its own; see guest.Runner for the errors. A step that needs root and
// could not have it fails with *SudoError, which means that it certainly did not run.
func (g *Guest) Run(ctx context.Context, c guest.Cmd) (guest.Result, error) {
	if err := check(c); err != nil {
		return guest.Result{Code: -1}, err
	}
	start := time.Now()
	var res guest.Result
	var err error
	if c.Sudo && g.cfg.User != "root" {
		res, err = g.runSudo(ctx, c)
	} else {
		res, err = g.attempt(ctx, c, nil)
	}
	res.Duration = time.Since(start)
	g.logStep(c, res, err)
	return res, err
}

// attempt plays the step once in one session.
func (g *Guest) attempt(ctx context.Context, c guest.Cmd, plan *sudoPlan) (guest.Result, error) {
	limit := c.Timeout
	if limit <= 0 {
		limit = guest.DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	start := time.Now()
	s, err := newStep(c, plan)
	if err == nil {
		err = g.enter(ctx)
	}
	if err == nil {
		defer g.leave()
		s.conn, s.sess, err = g.session(ctx, s.pty)
	}
	if err != nil {
		return guest.Result{Code: -1, Duration: time.Since(start)}, fmt.Errorf("step %q did not run: %w", c.Name, err)
	}
	return s.result(s.run(ctx), start)
}

// enter waits for a free session.
func (g *Guest) enter(ctx context.Context) error {
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *Guest) leave() { <-g.slots }

// session opens a session, on a new connection when the old one is lost. Nothing has run when that is
// noticed, so trying once more is safe.
func (g *Guest) session(ctx context.Context, pty bool) (*conn, *session, error) {
	for again := false; ; again = true {
		c, err := g.live(ctx)
		if err != nil {
			return nil, nil, err
		}
		s, err := c.open(ctx, pty)
		if err == nil || again || c.lost() == nil || ctx.Err() != nil {
			return c, s, err
		}
	}
}

// live is the connection, dialled again when it was lost.
func (g *Guest) live(ctx context.Context) (*conn, error) {
	return g.replace(ctx, func(c *conn) bool { return c == nil || c.lost() != nil })
}

// Reconnect drops the connection and dials a new one, once, within ctx. Steps that are still running end with
// guest.ErrUnknownOutcome.
func (g *Guest) Reconnect(ctx context.Context) error {
	old, _ := g.current()
	_, err := g.replace(ctx, func(c *conn) bool { return c == nil || c == old || c.lost() != nil })
	return err
}

// replace dials a new connection when the present one is stale. Only one caller dials at a time; the others
// wait for its outcome.
func (g *Guest) replace(ctx context.Context, stale func(*conn) bool) (*conn, error) {
	select {
	case g.dialling <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-g.dialling }()
	c, closed := g.current()
	if closed {
		return nil, errClosed
	}
	if !stale(c) {
		return c, nil
	}
	if c != nil {
		c.close()
	}
	fresh, _, err := g.connect(ctx)
	if err != nil {
		return nil, g.cfg.explain(err)
	}
	if !g.install(fresh) {
		fresh.close()
		return nil, errClosed
	}
	g.logf("dial %s as %s: connected again", g.cfg.addr(), g.cfg.User)
	return fresh, nil
}

func (g *Guest) install(c *conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.conn = c
	}
	return !g.closed
}

func (g *Guest) current() (c *conn, closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.conn, g.closed
}

// Close ends the connection. Steps that are still running end with guest.ErrUnknownOutcome.
func (g *Guest) Close() error {
	g.mu.Lock()
	c := g.conn
	g.closed = true
	g.mu.Unlock()
	if c != nil {
		c.close()
	}
	return nil
}

func (g *Guest) logStep(c guest.Cmd, res guest.Result, err error) {
	how := "ok"
	var exit *guest.ExitError
	switch {
	case errors.As(err, &exit):
		how = fmt.Sprintf("exit status %d", exit.Code)
		if exit.Signal != "" {
			how = "signal " + exit.Signal
		}
	case err != nil:
		how = clean(err.Error())
	}
	g.logf("step %q sudo=%t: %s, %d+%d bytes in %s", c.Name, c.Sudo, how, len(res.Stdout), len(res.Stderr), res.Duration.Round(time.Millisecond))
}

var logMu sync.Mutex

// logf writes one line. Machines may share one log, hence the common lock.
func (g *Guest) logf(format string, a ...any) {
	if g.cfg.Log == nil {
		return
	}
	logMu.Lock()
	defer logMu.Unlock()
	fmt.Fprintf(g.cfg.Log, "%s: %s\n", g.cfg.Name, fmt.Sprintf(format, a...))
}
