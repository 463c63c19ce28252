package sshguest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/sshserver"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// failsWith dials and expects a failure of the given class.
func (b *bed) failsWith(t *testing.T, class string) (*DialError, facts.Reach) {
	t.Helper()
	g, reach, err := Dial(t.Context(), b.cfg)
	if err == nil {
		g.Close()
		t.Fatalf("dial succeeded, want class %s", class)
	}
	var e *DialError
	if !errors.As(err, &e) || e.Class != class {
		t.Fatalf("error %v (%+v), want class %s", err, e, class)
	}
	if reach.OK || reach.Class != class || reach.Error != e.Text || reach.Error == "" || reach.Command != e.Command ||
		reach.Address != b.cfg.addr() || reach.User != b.cfg.User || reach.Elapsed <= 0 || reach.Legacy == nil {
		t.Errorf("reach is not filled: %+v", reach)
	}
	return e, reach
}

func TestDialFillsReach(t *testing.T) {
	b := newBed(t, nil)
	g, reach, err := Dial(t.Context(), b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if !reach.OK || reach.Address != b.cfg.addr() || reach.User != "vagrant" || len(reach.Legacy) != 0 || reach.Legacy == nil || reach.Elapsed <= 0 || reach.Class != "" {
		t.Errorf("reach %+v", reach)
	}
}

func TestNetworkFailuresAreToldApart(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	b.Order(sshserver.Faults{ResetAccepts: 1})
	e, _ := b.failsWith(t, "reset")
	mustContain(t, e.Error(), "closes them at once", "ssh -v -p")

	b.Order(sshserver.Faults{StallHandshake: true})
	b.cfg.Timeout = 300 * time.Millisecond
	start := time.Now()
	e, _ = b.failsWith(t, "timeout")
	mustContain(t, e.Error(), "within 300ms")
	if time.Since(start) > 3*time.Second {
		t.Errorf("took %s", time.Since(start))
	}

	b.Close()
	e, _ = b.failsWith(t, "refused")
	mustContain(t, e.Error(), "nothing listens on", "VBoxManage showvminfo "+b.cfg.HostKeyID)
	b.cfg.HostKeyID = ""
	e, _ = b.failsWith(t, "refused")
	mustContain(t, e.Command, "ssh -v")
}

// A peer that is no SSH server at all.
func TestSomethingElseAnswers(t *testing.T) {
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, strings.Repeat("HTTP/1.1 400 Bad Request\x1b[31m", 50))
			_, _ = io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	b := &bed{cfg: Config{Name: "x", User: "u", Host: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port, NoHostKeyFile: true, Timeout: 2 * time.Second}}
	e, _ := b.failsWith(t, "handshake")
	if strings.Contains(e.Error(), "\x1b") {
		t.Errorf("escapes in %q", e.Error())
	}
}

func TestConfigErrors(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"host name":   func(c *Config) { c.Host = "" },
		"user name":   func(c *Config) { c.User = "" },
		"port from 1": func(c *Config) { c.Port = 70000 },
		"host key id": func(c *Config) { c.HostKeyID = "../x" },
	} {
		cfg := Config{Name: "x", Host: "127.0.0.1", Port: 22, User: "u"}
		change(&cfg)
		_, reach, err := Dial(t.Context(), cfg)
		if err == nil || reach.Class != "config" || !strings.Contains(reach.Error, want) {
			t.Errorf("%v %+v, want %q", err, reach, want)
		}
	}
}

func TestDialIsInterrupted(t *testing.T) {
	b := newBed(t, nil)
	b.Order(sshserver.Faults{StallHandshake: true})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	_, reach, err := Dial(ctx, b.cfg)
	if !errors.Is(err, context.Canceled) || reach.Class != "other" {
		t.Errorf("%v %+v", err, reach)
	}
}

// keyFile writes a new private key in OpenSSH's format and returns its file and public half.
func keyFile(t *testing.T, key any, passphrase string) (string, ssh.PublicKey) {
	t.Helper()
	var block *pem.Block
	var err error
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(key, "test")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "test", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "private_key")
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o644); err != nil { // lax, as Vagrant's may be
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return file, s.PublicKey()
}

func rsaKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeyFilesAreTriedInOrder(t *testing.T) {
	wrong, _ := keyFile(t, edKey(t), "")
	right, pub := keyFile(t, edKey(t), "")
	b := newBed(t, func(o *sshserver.Options) { o.Keys, o.User = []ssh.PublicKey{pub}, "vagrant" })
	b.cfg.KeyFiles = []string{"/nonexistent/key", wrong, right}
	b.dial(t)

	b.cfg.KeyFiles = []string{"/nonexistent/key", wrong}
	e, _ := b.failsWith(t, "auth")
	mustContain(t, e.Text, wrong, "SHA256:", "/nonexistent/key: no such file", "the guest takes: publickey")
	mustContain(t, e.Command, "vagrant ssh web-1")
	if strings.Contains(e.Text, right) {
		t.Errorf("names a key that was not given: %s", e.Text)
	}
	b.cfg.KeyFiles = []string{right}
	b.cfg.User = "nobody"
	e, _ = b.failsWith(t, "auth")
	mustContain(t, e.Text, "the login of nobody")
}

func TestAKeyFileThatIsTheOnlyWayInIsNamed(t *testing.T) {
	_, pub := keyFile(t, edKey(t), "")
	junk := filepath.Join(t.TempDir(), "putty.ppk")
	if err := os.WriteFile(junk, []byte("PuTTY-User-Key-File-3: ssh-ed25519\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := newBed(t, func(o *sshserver.Options) { o.Keys = []ssh.PublicKey{pub} })
	b.cfg.KeyFiles = []string{"/nonexistent/key", junk}
	e, _ := b.failsWith(t, "config")
	mustContain(t, e.Text, "offered: nothing", "/nonexistent/key: no such file", junk+": not a private key")
}

func TestRefusedKey(t *testing.T) {
	file, pub := keyFile(t, edKey(t), "")
	b := newBed(t, func(o *sshserver.Options) { o.Keys = []ssh.PublicKey{pub} })
	b.Order(sshserver.Faults{RefuseAuth: true})
	b.cfg.KeyFiles = []string{file}
	e, _ := b.failsWith(t, "auth")
	mustContain(t, e.Text, file)
	if _, err := os.Stat(filepath.Join(b.cfg.KeyStore, b.cfg.HostKeyID)); err == nil {
		t.Error("the host key was kept although nobody was let in: it may be another machine's")
	}
}

func TestEncryptedKeys(t *testing.T) {
	t.Parallel()
	file, pub := keyFile(t, edKey(t), "open sesame")
	b := newBed(t, func(o *sshserver.Options) { o.Keys = []ssh.PublicKey{pub} })
	b.cfg.KeyFiles = []string{file}

	e, _ := b.failsWith(t, "config")
	mustContain(t, e.Text, file, "encrypted", "no terminal", "ssh-add")

	ask := &asker{t: t, secrets: []string{"open sesame"}}
	b.cfg.Ask = ask
	g := b.dial(t)
	if err := g.Reconnect(t.Context()); err != nil { // must not ask again
		t.Error(err)
	}
	ask.done()
	mustContain(t, ask.prompts[0], "passphrase of "+file)

	b.cfg.Ask = &asker{t: t, secrets: []string{"wrong"}}
	e, _ = b.failsWith(t, "auth")
	mustContain(t, e.Text, "the passphrase does not open the key")
	if strings.Contains(e.Text+b.log.String(), "open sesame") {
		t.Error("a passphrase in a message")
	}
}

// The old PEM format does not hold the public half, so the passphrase is asked for only after all else.
func TestEncryptedPEMKey(t *testing.T) {
	key := rsaKey(t)
	file, pub := keyFile(t, key, "")
	block, err := encryptPEM(key, "old")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	b := newBed(t, func(o *sshserver.Options) { o.Keys = []ssh.PublicKey{pub} })
	ask := &asker{t: t, secrets: []string{"old"}}
	b.cfg.KeyFiles, b.cfg.Ask = []string{file}, ask
	b.dial(t)
	ask.done()
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	for _, interactive := range []bool{false, true} {
		b := newBed(t, func(o *sshserver.Options) { o.Password, o.Interactive = "hunter2", interactive })
		e, _ := b.failsWith(t, "auth")
		mustContain(t, e.Text, "BOXDOCTOR_SSH_PASSWORD_WEB_1")

		b.cfg.Getenv = env("BOXDOCTOR_SSH_PASSWORD_WEB_1=hunter2")
		b.dial(t)
		b.cfg.Getenv = env("BOXDOCTOR_SSH_PASSWORD_WEB_1=other-word")
		e, _ = b.failsWith(t, "auth")
		mustContain(t, e.Text, "offered: a password")
		if strings.Contains(e.Error()+b.log.String(), "other-word") {
			t.Error("a password in a message")
		}
		b.cfg.Getenv = nil
		ask := &asker{t: t, secrets: []string{"hunter2"}}
		b.cfg.Ask = ask
		g := b.dial(t)
		if err := g.Reconnect(t.Context()); err != nil { // must not ask again
			t.Errorf("interactive %v: %v", interactive, err)
		}
		ask.done()
	}
}

func TestATypoInThePasswordMayBeMended(t *testing.T) {
	t.Parallel()
	b := newBed(t, func(o *sshserver.Options) { o.Password = "hunter2" })
	ask := &asker{t: t, secrets: []string{"typo", "hunter2"}}
	b.cfg.Ask = ask
	b.dial(t)
	ask.done()
	ask = &asker{t: t, secrets: []string{"1", "2", "3"}}
	b.cfg.Ask = ask
	b.failsWith(t, "auth")
	ask.done()
}

// slowAsker takes longer than the dial may.
type slowAsker struct{ asker }

func (a *slowAsker) Secret(ctx context.Context, p string) (string, error) {
	time.Sleep(700 * time.Millisecond)
	return a.asker.Secret(ctx, p)
}

func TestTheDeadlineStandsStillWhileAPersonIsAsked(t *testing.T) {
	t.Parallel()
	b := newBed(t, func(o *sshserver.Options) { o.Password = "hunter2" })
	b.cfg.Timeout = 500 * time.Millisecond
	b.cfg.Ask = &slowAsker{asker{t: t, secrets: []string{"hunter2"}}}
	b.dial(t)
}

func TestAgent(t *testing.T) {
	t.Parallel()
	key := edKey(t)
	_, pub := keyFile(t, key, "")
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: &key}); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "agent")
	ln, err := new(net.ListenConfig).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(ring, c); c.Close() }()
		}
	}()
	b := newBed(t, func(o *sshserver.Options) { o.Keys = []ssh.PublicKey{pub} })
	b.cfg.Getenv = env("SSH_AUTH_SOCK=" + socket)
	b.failsWith(t, "auth")
	b.cfg.UseAgent = true
	b.dial(t)
	// An encrypted file whose key the agent holds needs no passphrase.
	file, _ := keyFile(t, key, "secret")
	b.cfg.KeyFiles = []string{file}
	b.dial(t)
	b.cfg.KeyFiles, b.cfg.Getenv = nil, env("SSH_AUTH_SOCK=/nonexistent/agent")
	e, _ := b.failsWith(t, "config")
	mustContain(t, e.Text, "ssh-agent: ")
}

func TestOldGuests(t *testing.T) {
	t.Parallel()
	host, err := sshserver.NewRSAKey()
	if err != nil {
		t.Fatal(err)
	}
	file, pub := keyFile(t, rsaKey(t), "")
	for name, c := range map[string]struct {
		algorithms *sshserver.Algorithms
		legacy     []string
	}{
		"CentOS 6":   {sshserver.Legacy(), []string{"diffie-hellman-group14-sha1", "hmac-sha1", "ssh-rsa"}},
		"CBC only":   {&sshserver.Algorithms{Ciphers: []string{"aes128-cbc"}, MACs: []string{"hmac-sha1"}}, []string{"aes128-cbc", "hmac-sha1"}},
		"SHA-1 user": {&sshserver.Algorithms{UserSignatures: []string{"ssh-rsa"}}, []string{"ssh-rsa"}},
		"modern":     {nil, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, func(o *sshserver.Options) {
				o.HostKeys, o.Keys, o.Algorithms = []ssh.Signer{host}, []ssh.PublicKey{pub}, c.algorithms
			})
			b.cfg.KeyFiles = []string{file}
			g, reach, err := Dial(t.Context(), b.cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close()
			if !slices.Equal(reach.Legacy, c.legacy) {
				t.Errorf("legacy %v, want %v", reach.Legacy, c.legacy)
			}
			wantConns := 2
			if len(c.legacy) == 0 {
				wantConns = 1
			}
			if conns, _ := b.Counts(); conns != wantConns {
				t.Errorf("%d connections, want %d: the legacy set only when it is needed", conns, wantConns)
			}
			if _, err := g.Run(t.Context(), script("x", "true")); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTooOldGuest(t *testing.T) {
	b := newBed(t, func(o *sshserver.Options) {
		o.Algorithms = &sshserver.Algorithms{KeyExchanges: []string{ssh.InsecureKeyExchangeDH1SHA1}}
	})
	e, _ := b.failsWith(t, "handshake")
	mustContain(t, e.Text, "key exchange", "diffie-hellman-group1-sha1")
	mustContain(t, e.Command, "-o", "KexAlgorithms=+diffie-hellman-group1-sha1")
	if conns, _ := b.Counts(); conns != 2 {
		t.Errorf("%d connections, want 2", conns)
	}
}

// TestDefect17TheLimitThatEndedTheDialIsNamed: with --timeout 1ms the text said "within 15s".
func TestDefect17TheLimitThatEndedTheDialIsNamed(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // accepts and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	for name, c := range map[string]struct {
		dial, whole time.Duration
		want        string
	}{
		"its own":   {20 * time.Millisecond, time.Minute, "did not let boxdoctor in within 20ms:"},
		"the whole": {time.Minute, 20 * time.Millisecond, "before the time for the whole examination was over (--timeout):"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), c.whole)
			defer cancel()
			_, reach, err := Dial(ctx, Config{Name: "web", Host: "127.0.0.1", Port: port, User: "vagrant", Timeout: c.dial})
			if err == nil || reach.Class != "timeout" || !strings.Contains(reach.Error, c.want) {
				t.Errorf("%+v", reach)
			}
		})
	}
}
