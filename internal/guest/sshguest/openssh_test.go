package sshguest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/guest"
	"golang.org/x/crypto/ssh"
)

// sshd is the real OpenSSH server on a loopback port with a configuration of its own. It logs in the user
// that runs the tests, by a key that only these tests have.
type sshd struct {
	cfg Config
	dir string
	pid int
}

// startSSHD starts sshd with additional lines of configuration; env are variables of its sessions.
func startSSHD(t *testing.T, lines ...string) *sshd {
	t.Helper()
	program, err := exec.LookPath("/usr/sbin/sshd")
	if err != nil {
		t.Skip("missing on this machine: /usr/sbin/sshd")
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	s := &sshd{dir: t.TempDir()}
	key, pub := keyFile(t, edKey(t), "")
	port := freePort(t)
	s.write(t, "authorized_keys", string(ssh.MarshalAuthorizedKey(pub)))
	lines = append(lines,
		fmt.Sprintf("Port %d", port), "ListenAddress 127.0.0.1", "PidFile none", "StrictModes no", "UsePAM no",
		"PasswordAuthentication no", "PermitRootLogin yes", "AuthorizedKeysFile "+filepath.Join(s.dir, "authorized_keys"))
	if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "Subsystem") }) {
		lines = append(lines, "Subsystem sftp internal-sftp")
	}
	var host any = edKey(t)
	if slices.Contains(lines, "HostKeyAlgorithms ssh-rsa") {
		host = rsaKey(t)
	}
	lines = append(lines, "HostKey "+s.secret(t, host))
	s.write(t, "config", strings.Join(lines, "\n")+"\n")
	s.start(t, program, port)
	s.cfg = Config{Name: "real", User: me.Username, Host: "127.0.0.1", Port: port, KeyFiles: []string{key}, HostKeyID: "real-sshd",
		TrustFirstUse: true, KeyStore: filepath.Join(s.dir, "keys")}
	return s
}

func (s *sshd) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// killSessions ends the processes that sshd has started for its connections.
func (s *sshd) killSessions() {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(b), ") ")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(s.pid) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			if p, err := os.FindProcess(pid); err == nil {
				_ = p.Kill()
			}
		}
	}
}

// secret writes a private key that only its owner can read, as sshd wants it.
func (s *sshd) secret(t *testing.T, key any) string {
	t.Helper()
	file, _ := keyFile(t, key, "")
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func edKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (s *sshd) start(t *testing.T, program string, port int) {
	t.Helper()
	if os.Getuid() == 0 {
		_ = os.MkdirAll("/run/sshd", 0o755) // sshd's own privilege separation folder
	}
	var log bytes.Buffer
	cmd := exec.Command(program, "-D", "-e", "-f", filepath.Join(s.dir, "config"))
	cmd.Stderr, cmd.WaitDelay = &log, 100*time.Millisecond
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.pid = cmd.Process.Pid
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("sshd said:\n%s", log.String())
		}
	})
	for range 100 {
		if c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second); err == nil {
			c.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	t.Fatalf("sshd does not listen: %s", log.String())
}

func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

func (s *sshd) dial(t *testing.T) *Guest {
	t.Helper()
	g, reach, err := Dial(t.Context(), s.cfg)
	if err != nil {
		t.Fatalf("%v %+v", err, reach)
	}
	if len(reach.Legacy) > 0 {
		t.Errorf("legacy algorithms with a modern sshd: %v", reach.Legacy)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

func TestRealSSHD(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	g := s.dial(t)
	trial(t, g)

	t.Run("daemon holds stdout", func(t *testing.T) {
		start := time.Now()
		res, err := g.Run(t.Context(), script("daemon", "sleep 8 & echo $!"))
		if d := time.Since(start); err != nil || len(res.Stdout) == 0 || d > 5*time.Second {
			t.Errorf("after %s: %v %q", d, err, res.Stdout)
		}
	})
	t.Run("cancel kills", func(t *testing.T) {
		pid := filepath.Join(s.dir, "pid")
		ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
		defer cancel()
		_, err := g.Run(ctx, script("slow", `echo $$ >"$1"; sleep 60`, pid))
		if !errors.Is(err, guest.ErrUnknownOutcome) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		gone(t, pid)
	})
	t.Run("killed by a signal", func(t *testing.T) {
		_, err := g.Run(t.Context(), script("suicide", "kill -KILL $$"))
		var exit *guest.ExitError
		if !errors.As(err, &exit) || exit.Signal != "KILL" && exit.Code != 137 {
			t.Errorf("got %v", err)
		}
	})
	t.Run("sshd's process for the connection dies", func(t *testing.T) {
		c := script("cut", "echo begun; sleep 30")
		c.Stdout = writerFunc(func(p []byte) (int, error) { go s.killSessions(); return len(p), nil })
		_, err := g.Run(t.Context(), c)
		if !errors.Is(err, guest.ErrUnknownOutcome) || !errors.Is(err, guest.ErrLinkLost) {
			t.Errorf("got %v", err)
		}
		if _, err := g.Run(t.Context(), script("again", "true")); err != nil {
			t.Errorf("after the cut: %v", err)
		}
	})
	t.Run("terminal", func(t *testing.T) {
		st, err := newStep(script("tty", "[ -t 0 ] && [ -t 1 ]; echo end=$?; printf 'a\\r\\nb\\n'"), &sudoPlan{pty: true})
		if err != nil {
			t.Fatal(err)
		}
		// The login user's own receiver on a terminal, without sudo.
		st.sudo = nil
		st.streams()
		st.ready = make(chan struct{})
		c, err := g.live(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		st.conn = c
		if st.sess, err = c.open(ctx, true); err != nil {
			t.Fatal(err)
		}
		res, err := st.result(st.run(ctx), time.Now())
		// A script's stdin is empty, also on a terminal; the lines end as they were written.
		if err != nil || string(res.Stdout) != "end=1\na\r\nb\n" {
			t.Errorf("%v %q", err, res.Stdout)
		}
	})
}

func TestRealSSHDUpload(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"internal-sftp": "Subsystem sftp internal-sftp", "none": "Subsystem other internal-sftp", "missing program": "Subsystem sftp /nonexistent/sftp-server",
	} {
		t.Run(name, func(t *testing.T) {
			s := startSSHD(t, line)
			g := s.dial(t)
			content := noise(4 << 20)
			path := filepath.Join(s.dir, "upload")
			for range 2 {
				start := time.Now()
				if err := g.Put(t.Context(), path, 0o640, bytes.NewReader(content), int64(len(content)), nil); err != nil {
					t.Fatal(err)
				}
				t.Logf("4 MiB in %s", time.Since(start).Round(time.Millisecond))
			}
			got, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if fi, _ := os.Stat(path); fi.Mode().Perm() != 0o640 {
				t.Errorf("mode %v", fi.Mode())
			}
			if l := leftovers(t, s.dir); len(l) > 0 {
				t.Errorf("left behind %v", l)
			}
		})
	}
}

// ForceCommand stands in for a login shell: sshd gives it the exec string, and it hands it to the shell in
// the same way as sshd would (SHELL -c STRING). The user's real login shell cannot be changed by a test.
func TestRealSSHDLoginShells(t *testing.T) {
	t.Parallel()
	for _, name := range shells {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := findShell(t, name)
			wrapper := filepath.Join(t.TempDir(), "login")
			text := "#!/bin/sh\necho 'Welcome to the machine'\nexec " + path + " -c \"$SSH_ORIGINAL_COMMAND\"\n"
			if err := os.WriteFile(wrapper, []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
			trial(t, startSSHD(t, "ForceCommand "+wrapper, "Banner "+wrapper).dial(t))
		})
	}
}

func TestRealSSHDWithOldAlgorithms(t *testing.T) {
	t.Parallel()
	s := startSSHD(t, "KexAlgorithms diffie-hellman-group14-sha1", "Ciphers aes128-cbc", "MACs hmac-sha1",
		"HostKeyAlgorithms ssh-rsa")
	g, reach, err := Dial(t.Context(), s.cfg)
	if err != nil {
		t.Fatalf("%v (%+v)", err, reach)
	}
	defer g.Close()
	if want := []string{"aes128-cbc", "diffie-hellman-group14-sha1", "hmac-sha1", "ssh-rsa"}; !slices.Equal(reach.Legacy, want) {
		t.Errorf("legacy %v, want %v", reach.Legacy, want)
	}
	trial(t, g)
}
