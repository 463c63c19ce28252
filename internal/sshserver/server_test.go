package sshserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// handler answers from a function and serves a tree.
type handler struct {
	exec func(ctx context.Context, s Session) int
	tree *sftp.Handlers
}

func (h handler) Exec(ctx context.Context, s Session) int { return h.exec(ctx, s) }
func (h handler) SFTP() *sftp.Handlers                    { return h.tree }

// echo prints the command and copies its input.
func echo(_ context.Context, s Session) int {
	fmt.Fprintf(s.Stdout, "%s as %s, terminal %v\n", s.Command, s.User, s.PTY)
	_, _ = io.Copy(s.Stdout, s.Stdin)
	fmt.Fprint(s.Stderr, "err")
	return 3
}

func start(t *testing.T, o Options) *Server {
	t.Helper()
	if o.Handler == nil {
		o.Handler = handler{exec: echo}
	}
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func dial(t *testing.T, s *Server, change func(*ssh.ClientConfig)) (*ssh.Client, error) {
	t.Helper()
	config := &ssh.ClientConfig{User: "u", HostKeyCallback: ssh.FixedHostKey(s.HostKeys()[0]), Timeout: 5 * time.Second}
	if change != nil {
		change(config)
	}
	c, err := ssh.Dial("tcp", s.Addr(), config)
	if err == nil {
		t.Cleanup(func() { c.Close() })
	}
	return c, err
}

func open(t *testing.T, c *ssh.Client) *ssh.Session {
	t.Helper()
	ss, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	return ss
}

func TestExec(t *testing.T) {
	c, err := dial(t, start(t, Options{}), nil)
	if err != nil {
		t.Fatal(err)
	}
	ss := open(t, c)
	var out, errs bytes.Buffer
	ss.Stdin, ss.Stdout, ss.Stderr = strings.NewReader("input"), &out, &errs
	var exit *ssh.ExitError
	if err := ss.Run("do it"); !errors.As(err, &exit) || exit.ExitStatus() != 3 {
		t.Errorf("got %v", err)
	}
	if out.String() != "do it as u, terminal false\ninput" || errs.String() != "err" {
		t.Errorf("stdout %q stderr %q", out.String(), errs.String())
	}
}

func TestRefusals(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "192.0.2.1:0", "example.org:22", "nonsense", ":0"} {
		if s, err := Start(t.Context(), Options{Handler: handler{exec: echo}, Addr: addr}); err == nil {
			s.Close()
			t.Errorf("listens on %s", addr)
		}
	}
	if _, err := Start(t.Context(), Options{}); err == nil {
		t.Error("started without a handler")
	}
	c, err := dial(t, start(t, Options{}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Dial("tcp", "127.0.0.1:1"); err == nil {
		t.Error("forwards ports")
	}
	if err := open(t, c).Shell(); err == nil {
		t.Error("gives a shell")
	}
	if err := open(t, c).RequestSubsystem("sftp"); err == nil {
		t.Error("serves SFTP without a tree")
	}
}

func TestLogins(t *testing.T) {
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewRSAKey()
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, Options{User: "u", Keys: []ssh.PublicKey{key.PublicKey()}, Password: "pw"})
	for _, c := range []struct {
		user string
		auth ssh.AuthMethod
		ok   bool
	}{
		{"u", ssh.PublicKeys(key), true}, {"u", ssh.PublicKeys(other), false}, {"v", ssh.PublicKeys(key), false},
		{"u", ssh.Password("pw"), true}, {"u", ssh.Password("no"), false}, {"v", ssh.Password("pw"), false},
	} {
		_, err := dial(t, s, func(cc *ssh.ClientConfig) { cc.User, cc.Auth = c.user, []ssh.AuthMethod{c.auth} })
		if (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
	s.Order(Faults{RefuseAuth: true})
	if _, err := dial(t, s, func(cc *ssh.ClientConfig) { cc.Auth = []ssh.AuthMethod{ssh.PublicKeys(key)} }); err == nil {
		t.Error("RefuseAuth let a key in")
	}
}

func TestBannerAndHostKeyChange(t *testing.T) {
	s := start(t, Options{Banner: "hello"})
	banner := ""
	if _, err := dial(t, s, func(c *ssh.ClientConfig) { c.BannerCallback = func(m string) error { banner = m; return nil } }); err != nil || banner != "hello" {
		t.Errorf("%v %q", err, banner)
	}
	old := s.HostKeys()[0]
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	s.SetHostKeys(key)
	if _, err := dial(t, s, func(c *ssh.ClientConfig) { c.HostKeyCallback = ssh.FixedHostKey(old) }); err == nil {
		t.Error("the old key is still shown")
	}
}

func TestLegacyServerTakesNothingModern(t *testing.T) {
	key, err := NewRSAKey()
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, Options{Algorithms: Legacy(), HostKeys: []ssh.Signer{key}})
	modern := ssh.SupportedAlgorithms()
	_, err = dial(t, s, func(c *ssh.ClientConfig) {
		c.KeyExchanges, c.Ciphers, c.MACs, c.HostKeyAlgorithms = modern.KeyExchanges, modern.Ciphers, modern.MACs, modern.HostKeys
	})
	var none *ssh.AlgorithmNegotiationError
	if !errors.As(err, &none) {
		t.Errorf("got %v", err)
	}
	if _, err := dial(t, s, nil); err != nil {
		t.Errorf("a lenient client: %v", err)
	}
}

func TestCloseEndsRunningCommands(t *testing.T) {
	ended := make(chan struct{})
	started := make(chan struct{})
	s := start(t, Options{Handler: handler{exec: func(ctx context.Context, _ Session) int {
		close(started)
		<-ctx.Done()
		close(ended)
		return 0
	}}})
	c, err := dial(t, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := open(t, c).Start("wait"); err != nil {
		t.Fatal(err)
	}
	<-started
	s.Close()
	select {
	case <-ended:
	default:
		t.Error("Close returned while a command was running")
	}
	s.Close() // twice is fine
	if _, err := dial(t, s, nil); err == nil {
		t.Error("still listens")
	}
}

func TestTheEndOfTheContextCloses(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, err := Start(ctx, Options{Handler: handler{exec: echo}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := dial(t, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := c.Wait(); err == nil {
		t.Error("the connection survived")
	}
	s.Close()
}

func TestSignalAndDisconnectEndACommand(t *testing.T) {
	for name, end := range map[string]func(*ssh.Client, *ssh.Session){
		"signal":     func(_ *ssh.Client, s *ssh.Session) { _ = s.Signal(ssh.SIGTERM) },
		"session":    func(_ *ssh.Client, s *ssh.Session) { _ = s.Close() },
		"connection": func(c *ssh.Client, _ *ssh.Session) { _ = c.Close() },
	} {
		ended := make(chan struct{})
		s := start(t, Options{Handler: handler{exec: func(ctx context.Context, _ Session) int {
			<-ctx.Done()
			close(ended)
			return 0
		}}})
		c, err := dial(t, s, nil)
		if err != nil {
			t.Fatal(err)
		}
		ss := open(t, c)
		if err := ss.Start("wait"); err != nil {
			t.Fatal(err)
		}
		end(c, ss)
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			t.Errorf("%s did not end the command", name)
		}
	}
}

func TestFaults(t *testing.T) {
	output := func(s *Server, stdin string) (string, error) {
		c, err := dial(t, s, nil)
		if err != nil {
			return "", err
		}
		ss := open(t, c)
		ss.Stdin = strings.NewReader(stdin)
		out, err := ss.Output("x")
		return string(out), err
	}
	var exit *ssh.ExitError
	var missing *ssh.ExitMissingError
	s := start(t, Options{})
	cut := func(err error) bool { return err != nil && !errors.As(err, &exit) }

	s.Order(Faults{ResetAccepts: 1})
	if _, err := output(s, ""); err == nil {
		t.Error("ResetAccepts: connected")
	}
	if _, err := output(s, ""); !errors.As(err, &exit) {
		t.Errorf("ResetAccepts: the second connection: %v", err)
	}
	s.Order(Faults{DropOnExec: 2})
	if _, err := output(s, ""); !errors.As(err, &exit) {
		t.Errorf("DropOnExec 2, first: %v", err)
	}
	if _, err := output(s, ""); !cut(err) {
		t.Errorf("DropOnExec 2, second: %v", err)
	}
	if _, err := output(s, ""); !errors.As(err, &exit) {
		t.Errorf("DropOnExec 2, third: %v", err)
	}
	s.Order(Faults{DropAfterOutput: 40})
	if out, err := output(s, strings.Repeat("y", 1000)); !cut(err) || len(out) > 40 {
		t.Errorf("DropAfterOutput: %v %q", err, out)
	}
	s.Order(Faults{NoExitStatus: true})
	if _, err := output(s, ""); !errors.As(err, &missing) {
		t.Errorf("NoExitStatus: %v", err)
	}
	s.Order(Faults{Noise: "noise "})
	if out, err := output(s, ""); !errors.As(err, &exit) || !strings.HasPrefix(out, "noise x as u") {
		t.Errorf("Noise: %v %q", err, out)
	}
	s.Order(Faults{WriteDelay: 100 * time.Millisecond, HoldOutput: 200 * time.Millisecond})
	begin := time.Now()
	if _, err := output(s, "in"); !errors.As(err, &exit) || time.Since(begin) < 400*time.Millisecond {
		t.Errorf("WriteDelay, HoldOutput: %v after %s", err, time.Since(begin))
	}
}

func TestStalledAndFrozenLinksAreSilent(t *testing.T) {
	s := start(t, Options{Handler: handler{exec: func(ctx context.Context, _ Session) int { <-ctx.Done(); return 0 }}})
	s.Order(Faults{StallHandshake: true})
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	if n, err := c.Read(make([]byte, 1)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d, %v", n, err)
	}
	s.Order(Faults{FreezeAfter: time.Millisecond})
	client, err := dial(t, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := open(t, client).Start("x"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	answered := make(chan struct{})
	go func() { _, _, _ = client.SendRequest("keepalive", true, nil); close(answered) }()
	select {
	case <-answered:
		t.Error("a frozen link answers")
	case <-time.After(200 * time.Millisecond):
	}
	client.Close()
	<-answered
}

func TestShellHandler(t *testing.T) {
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("missing on this machine: /bin/sh")
	}
	dir := t.TempDir()
	s := start(t, Options{Handler: &ShellHandler{Dir: dir, Env: []string{"A=b", "PATH=" + os.Getenv("PATH")}}})
	c, err := dial(t, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	ss := open(t, c)
	ss.Stdin = strings.NewReader("in")
	out, err := ss.CombinedOutput("pwd; echo $A; cat; exit 4")
	var exit *ssh.ExitError
	if want := dir + "\nb\nin"; !errors.As(err, &exit) || exit.ExitStatus() != 4 || string(out) != want {
		t.Errorf("%v %q, want %q", err, out, want)
	}
	bad := start(t, Options{Handler: &ShellHandler{Shell: "/nonexistent"}})
	if c, err = dial(t, bad, nil); err != nil {
		t.Fatal(err)
	}
	if err := open(t, c).Run("x"); !errors.As(err, &exit) || exit.ExitStatus() != 127 {
		t.Errorf("no shell: %v", err)
	}
}

func TestDirTree(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Skip(err)
	}
	tree, closer, err := DirTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	c, err := dial(t, start(t, Options{Handler: handler{tree: tree}}), nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := sftp.NewClient(c)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range []string{"/link", "/../../etc/passwd", "../" + filepath.Base(filepath.Dir(outside)) + "/secret"} {
		if file, err := f.Open(p); err == nil {
			b, _ := io.ReadAll(file)
			t.Errorf("%s leads outside: %.20q", p, b)
		}
	}
	write := func(name, text string) {
		w, err := f.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		w.Close()
	}
	write("a", "12345")
	write("b", "old")
	if err := f.Rename("a", "b"); err == nil {
		t.Error("a plain rename replaced a file")
	}
	if err := errors.Join(f.PosixRename("a", "b"), f.Chmod("b", 0o640), f.Truncate("b", 3), f.Mkdir("d")); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "b")); string(b) != "123" {
		t.Errorf("%v %q", err, b)
	}
	if fi, err := f.Stat("b"); err != nil || fi.Mode().Perm() != 0o640 {
		t.Errorf("%v %v", fi, err)
	}
	if all, err := f.ReadDir("/"); err != nil || len(all) != 3 {
		t.Errorf("%v %v", all, err)
	}
	if err := errors.Join(f.Remove("b"), f.RemoveDirectory("d")); err != nil {
		t.Error(err)
	}
	if err := f.Symlink("/etc/passwd", "s"); err == nil {
		t.Error("makes links")
	}
}
