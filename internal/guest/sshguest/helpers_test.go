package sshguest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/sshserver"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bed is a server with a real shell behind it, and the configuration that reaches it.
type bed struct {
	*sshserver.Server
	cfg Config
	dir string // root of the SFTP tree and working folder of commands
	log *bytes.Buffer
}

// newBed starts a server. prepare may change its options.
func newBed(t *testing.T, prepare func(*sshserver.Options)) *bed {
	t.Helper()
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("missing on this machine: /bin/sh")
	}
	dir := t.TempDir()
	tree, closer, err := sshserver.DirTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	opt := sshserver.Options{Handler: &sshserver.ShellHandler{Dir: dir, Tree: tree}}
	if prepare != nil {
		prepare(&opt)
	}
	s, err := sshserver.Start(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); closer.Close() })
	b := &bed{Server: s, dir: dir, log: &bytes.Buffer{}}
	b.cfg = Config{
		Name: "web-1", User: "vagrant", Host: s.Host(), Port: s.Port(), Log: b.log,
		HostKeyID: "3f1d0f7c-0000-4000-8000-000000000001", TrustFirstUse: true, KeyStore: filepath.Join(t.TempDir(), "hostkeys"),
	}
	return b
}

// dial connects, with a quick pulse where the test wants one.
func (b *bed) dial(t *testing.T, p ...pulse) *Guest {
	t.Helper()
	p = append(p, defaultPulse)
	g, reach, err := dial(t.Context(), b.cfg, p[0])
	if err != nil {
		t.Fatalf("dial: %v (%+v)", err, reach)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

// shell returns the options' handler for changes.
func shellOf(o *sshserver.Options) *sshserver.ShellHandler {
	return o.Handler.(*sshserver.ShellHandler)
}

func script(name, text string, args ...string) guest.Cmd {
	return guest.Cmd{Name: name, Script: text, Args: args, Timeout: 20 * time.Second}
}

// asker answers from lists and fails the test when asked more than expected.
type asker struct {
	t       *testing.T
	mu      sync.Mutex
	secrets []string
	yes     []bool
	prompts []string
}

func (a *asker) Secret(_ context.Context, prompt string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.prompts = append(a.prompts, prompt)
	if len(a.secrets) == 0 {
		a.t.Errorf("unexpected question: %s", prompt)
		return "", errors.New("unexpected question")
	}
	s := a.secrets[0]
	a.secrets = a.secrets[1:]
	return s, nil
}

func (a *asker) Confirm(_ context.Context, q string) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.prompts = append(a.prompts, q)
	if len(a.yes) == 0 {
		a.t.Errorf("unexpected question: %s", q)
		return false, errors.New("unexpected question")
	}
	y := a.yes[0]
	a.yes = a.yes[1:]
	return y, nil
}

// done fails the test when an expected question was not asked.
func (a *asker) done() {
	a.t.Helper()
	if len(a.secrets)+len(a.yes) > 0 {
		a.t.Errorf("%d expected questions were not asked; asked: %q", len(a.secrets)+len(a.yes), a.prompts)
	}
}

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for _, p := range pairs {
			if k, v, _ := strings.Cut(p, "="); k == name {
				return v
			}
		}
		return ""
	}
}

func mustContain(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q lacks %q", text, p)
		}
	}
}
