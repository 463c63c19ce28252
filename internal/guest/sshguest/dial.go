package sshguest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/shell"
	"golang.org/x/crypto/ssh"
)

// defaultDialTimeout bounds TCP, handshake and authentication together.
const defaultDialTimeout = 15 * time.Second

// errNeedsLegacy means that an RSA key would do if it may sign with SHA-1 (OpenSSH before 7.2).
var errNeedsLegacy = errors.New("the guest takes RSA keys with SHA-1 signatures only")

// modern is what is offered first: what x/crypto calls supported, without HMAC-SHA1.
func modern() ssh.Algorithms {
	a := ssh.SupportedAlgorithms()
	a.MACs = slices.DeleteFunc(a.MACs, func(m string) bool { return m == ssh.HMACSHA1 })
	return a
}

// legacy is the named set for old guests (CentOS 6, Debian 7, early CentOS 7): modern first, then the least
// that those need. diffie-hellman-group1-sha1, 3des-cbc, arcfour and DSA keys are left out: every sshd since
// OpenSSH 4 has something better.
func legacy() ssh.Algorithms {
	a := modern()
	a.KeyExchanges = append(a.KeyExchanges, ssh.InsecureKeyExchangeDH14SHA1)
	a.Ciphers = append(a.Ciphers, ssh.InsecureCipherAES128CBC)
	a.MACs = append(a.MACs, ssh.HMACSHA1)
	a.HostKeys = append(a.HostKeys, ssh.KeyAlgoRSA)
	return a
}

// connect dials, first with modern algorithms, and only when those have nothing in common with the guest's,
// with the legacy set. It returns the legacy algorithms that were needed.
func (g *Guest) connect(ctx context.Context) (*conn, []string, error) {
	if err := g.cfg.validate(); err != nil {
		return nil, nil, err
	}
	limit := newLimit(ctx, g.cfg.Timeout)
	defer limit.stop()
	t := &try{g: g, limit: limit, algorithms: modern()}
	client, err := t.dial()
	if needsLegacy(err) {
		t = &try{g: g, limit: limit, algorithms: legacy(), legacy: true}
		client, err = t.dial()
	}
	if err != nil {
		return nil, nil, limit.explain(err)
	}
	return newConn(client, g.pulse), t.needed(client), nil
}

func needsLegacy(err error) bool {
	var none *ssh.AlgorithmNegotiationError
	return errors.As(err, &none) || errors.Is(err, errNeedsLegacy)
}

// try is one attempt to connect.
type try struct {
	g          *Guest
	limit      *limit
	algorithms ssh.Algorithms
	legacy     bool
	auth       *authenticator
}

func (t *try) dial() (*ssh.Client, error) {
	keys, err := t.g.keyChecker(t.limit)
	if err != nil {
		return nil, err
	}
	addr := t.g.cfg.addr()
	tcp, err := new(net.Dialer).DialContext(t.limit.ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	release := t.limit.guard(tcp)
	defer release()
	t.auth = newAuthenticator(t.g, t.limit, t.legacy)
	defer t.auth.close()
	c, chans, reqs, err := ssh.NewClientConn(tcp, addr, t.config(keys))
	if err == nil {
		err = t.limit.err()
	}
	if err == nil {
		err = keys.accept()
	}
	if err != nil {
		_ = tcp.Close()
		return nil, t.auth.describe(err)
	}
	t.auth.keep()
	return ssh.NewClient(c, chans, reqs), nil
}

func (t *try) config(keys *keyChecker) *ssh.ClientConfig {
	return &ssh.ClientConfig{
		Config: ssh.Config{
			KeyExchanges: t.algorithms.KeyExchanges, Ciphers: t.algorithms.Ciphers, MACs: t.algorithms.MACs,
		},
		User:              t.g.cfg.User,
		AuthCallback:      t.auth.next,
		HostKeyCallback:   keys.check,
		HostKeyAlgorithms: keys.prefer(t.algorithms.HostKeys),
		BannerCallback:    func(string) error { return nil },
		ClientVersion:     "SSH-2.0-boxdoctor",
	}
}

// needed lists the algorithms in use that the modern set does not hold, sorted.
func (t *try) needed(client *ssh.Client) []string {
	old := map[string]bool{}
	if meta, ok := client.Conn.(ssh.AlgorithmsConnMetadata); ok {
		in, m := meta.Algorithms(), modern()
		for _, pair := range []struct {
			name string
			set  []string
		}{
			{in.KeyExchange, m.KeyExchanges}, {in.HostKey, m.HostKeys},
			{in.Read.Cipher, m.Ciphers}, {in.Write.Cipher, m.Ciphers}, {in.Read.MAC, m.MACs}, {in.Write.MAC, m.MACs},
		} {
			if pair.name != "" && !slices.Contains(pair.set, pair.name) {
				old[pair.name] = true
			}
		}
	}
	if t.auth.usedSHA1 {
		old[ssh.KeyAlgoRSA] = true
	}
	names := []string{}
	for name := range old {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// limit is the deadline of a dial. It stands still while a person is asked.
type limit struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	length time.Duration

	mu    sync.Mutex
	timer *time.Timer
	left  time.Duration
	since time.Time
}

var errDialDeadline = fmt.Errorf("no connection within the time allowed: %w", context.DeadlineExceeded)

func newLimit(ctx context.Context, d time.Duration) *limit {
	ctx, cancel := context.WithCancelCause(ctx)
	l := &limit{ctx: ctx, cancel: cancel, length: d, left: d}
	l.resume()
	return l
}

func (l *limit) resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since = time.Now()
	l.timer = time.AfterFunc(l.left, func() { l.cancel(errDialDeadline) })
}

func (l *limit) pause() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer.Stop()
	l.left = max(l.left-time.Since(l.since), time.Second)
}

// ask runs a question to a person with the clock stopped.
func (l *limit) ask(question func(context.Context) error) error {
	l.pause()
	defer l.resume()
	return question(l.ctx)
}

// guard closes c when the time is up or the context ends, until release is called.
func (l *limit) guard(c net.Conn) (release func()) {
	stop := context.AfterFunc(l.ctx, func() { _ = c.Close() })
	return func() { stop() }
}

func (l *limit) err() error {
	if l.ctx.Err() == nil {
		return nil
	}
	return context.Cause(l.ctx)
}

// explain prefers the end of the time or of the context over what the closed connection said.
func (l *limit) explain(err error) error {
	if cause := l.err(); cause != nil {
		return fmt.Errorf("%w (%w)", cause, err)
	}
	return err
}

func (l *limit) stop() {
	l.mu.Lock()
	l.timer.Stop()
	l.mu.Unlock()
	l.cancel(nil)
}

// complete fills the defaults.
func (c Config) complete() Config {
	if c.Timeout <= 0 {
		c.Timeout = defaultDialTimeout
	}
	if c.Port == 0 {
		c.Port = 22
	}
	if c.Name == "" {
		c.Name = c.Host
	}
	return c
}

func (c Config) validate() error {
	var missing []string
	if c.Host == "" {
		missing = append(missing, "a host name")
	}
	if c.User == "" {
		missing = append(missing, "a user name")
	}
	if c.Port < 1 || c.Port > 65535 {
		missing = append(missing, fmt.Sprintf("a port from 1 to 65535 (it is %d)", c.Port))
	}
	if len(missing) > 0 {
		return configError("the way to %s lacks %s", c.Name, strings.Join(missing, " and "))
	}
	if c.HostKeyID != "" && !plainID(c.HostKeyID) {
		return configError("the host key id %q is not a plain name", c.HostKeyID)
	}
	return nil
}

func (c Config) addr() string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }

func (c Config) env(name string) string {
	if c.Getenv == nil {
		return ""
	}
	return c.Getenv(name)
}

// login is the ssh command line that reaches the machine by hand.
func (c Config) login(options ...string) string {
	argv := append([]string{"ssh"}, options...)
	if c.Port != 22 {
		argv = append(argv, "-p", strconv.Itoa(c.Port))
	}
	for _, k := range c.KeyFiles {
		argv = append(argv, "-i", k)
	}
	return shell.Join(append(argv, c.User+"@"+c.Host))
}

// loopback reports whether the machine is reached by an address of this host only.
func (c Config) loopback() bool {
	if strings.EqualFold(c.Host, "localhost") {
		return true
	}
	ip := net.ParseIP(c.Host)
	return ip != nil && ip.IsLoopback()
}

func configError(format string, a ...any) *DialError {
	return &DialError{Class: "config", Text: fmt.Sprintf(format, a...)}
}

// explain classifies why a dial failed, in one place.
func (c Config) explain(err error) *DialError {
	var known *DialError
	var none *ssh.AlgorithmNegotiationError
	var dns *net.DNSError
	at := c.addr()
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, context.Canceled):
		return &DialError{Class: "other", Text: "connecting to " + at + " was interrupted", Cause: err}
	case errors.As(err, &none):
		return c.noCommonAlgorithm(none)
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, wsaRefused):
		return &DialError{Class: "refused", Cause: err, Command: c.look(),
			Text: fmt.Sprintf("nothing listens on %s (connection refused): the machine is off, its sshd is down, or its SSH port is forwarded elsewhere", at)}
	case errors.As(err, &dns):
		return &DialError{Class: "other", Cause: err, Command: "ping " + shell.Quote(c.Host),
			Text: fmt.Sprintf("the name %s cannot be resolved: %v", c.Host, dns.Err)}
	case isTimeout(err):
		return &DialError{Class: "timeout", Cause: err, Command: c.login("-v"),
			Text: fmt.Sprintf("%s did not let boxdoctor in %s: the guest is still booting, hangs, or a firewall drops the packets", at, c.waited(err))}
	case isReset(err):
		return &DialError{Class: "reset", Cause: err, Command: c.login("-v"),
			Text: fmt.Sprintf("%s accepts connections and closes them at once: the port is forwarded, but no sshd answers in the guest (still booting, or sshd is down)", at)}
	}
	return &DialError{Class: classOther(err), Cause: err, Command: c.login("-v"), Text: fmt.Sprintf("no SSH connection to %s: %s", at, clean(err.Error()))}
}

// waited says which time was over: the dial's own, or that of the whole examination, which may be shorter.
func (c Config) waited(err error) string {
	switch {
	case errors.Is(err, errDialDeadline):
		return "within " + c.Timeout.String()
	case errors.Is(err, context.DeadlineExceeded):
		return "before the time for the whole examination was over (--timeout)"
	}
	return "in time"
}

func classOther(err error) string {
	if strings.Contains(err.Error(), "ssh: ") {
		return "handshake"
	}
	return "other"
}

// look is the command that shows where the machine really is.
func (c Config) look() string {
	if c.HostKeyID != "" && c.loopback() {
		return "VBoxManage showvminfo " + shell.Quote(c.HostKeyID) + " --machinereadable    # VMState and Forwarding(…)"
	}
	return c.login("-v")
}

func (c Config) noCommonAlgorithm(e *ssh.AlgorithmNegotiationError) *DialError {
	option := "KexAlgorithms"
	switch {
	case strings.Contains(e.What, "host key"):
		option = "HostKeyAlgorithms"
	case strings.Contains(e.What, "cipher"):
		option = "Ciphers"
	case strings.Contains(e.What, "MAC"):
		option = "MACs"
	}
	offers := clean(strings.Join(e.RequestedAlgorithms, ","))
	return &DialError{Class: "handshake", Cause: e, Command: c.login("-o", option+"=+"+offers),
		Text: fmt.Sprintf("the guest and boxdoctor have no %s algorithm in common, not even with boxdoctor's set for old guests: the guest offers %s",
			e.What, offers)}
}
