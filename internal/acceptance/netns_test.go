//go:build acceptance

package acceptance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// netlab is a network of its own: a namespace that stands for the developer's computer, with a bridge, and guests that are a namespace
// with a real sshd each. Nothing of it is reachable from outside, and all of it goes away with the test.
type netlab struct {
	t     *testing.T
	tag   string
	dir   string
	hosts []string
}

const hostNS = "host"

// newNetlab makes the namespace of the developer's computer, whose address in the bridge is 10.78.1.1.
func newNetlab(t *testing.T) *netlab {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("namespaces need root")
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		t.Fatal(err)
	}
	l := &netlab{t: t, tag: fmt.Sprintf("bdn%d", os.Getpid()), dir: t.TempDir()}
	command(t, exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(l.dir, "key")))
	l.namespace(hostNS)
	l.in(hostNS, "ip link add br0 type bridge && ip addr add 10.78.1.1/24 dev br0 && ip link set br0 up")
	return l
}

// ns is the name of a namespace on this machine.
func (l *netlab) ns(name string) string { return l.tag + name }

func (l *netlab) namespace(name string) {
	l.t.Helper()
	command(l.t, exec.Command("ip", "netns", "add", l.ns(name)))
	l.t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", l.ns(name)).Run() })
	l.in(name, "ip link set lo up")
}

// in runs a script in a namespace.
func (l *netlab) in(name, script string) string {
	l.t.Helper()
	return command(l.t, exec.Command("ip", "netns", "exec", l.ns(name), "sh", "-ec", script))
}

// start runs a program in a namespace until the test ends.
func (l *netlab) start(name, script string) {
	l.t.Helper()
	c := exec.Command("ip", "netns", "exec", l.ns(name), "sh", "-ec", script)
	if err := c.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
}

// guest adds a guest with an address in the bridge. A script may prepare its part of the file tree first.
func (l *netlab) guest(name, addr, prepare string) {
	l.t.Helper()
	l.namespace(name)
	link := "v" + name
	command(l.t, exec.Command("ip", "link", "add", link, "netns", l.ns(hostNS), "type", "veth", "peer", "name", "eth0", "netns", l.ns(name)))
	l.in(hostNS, fmt.Sprintf("ip link set %s master br0 up", link))
	l.in(name, fmt.Sprintf("ip addr add %s/24 dev eth0 && ip link set eth0 up", addr))
	l.sshd(name, addr, prepare)
}

// sshd starts a real one and adds it to the ssh_config.
func (l *netlab) sshd(name, addr, prepare string) {
	l.t.Helper()
	conf := filepath.Join(l.dir, name+".conf")
	text := fmt.Sprintf("Port 22\nListenAddress 0.0.0.0\nHostKey %s/key\nAuthorizedKeysFile %s/key.pub\nPermitRootLogin yes\nStrictModes no\nUsePAM no\nPidFile none\nMaxStartups 100\n", l.dir, l.dir)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	l.start(name, prepare+"\nexec /usr/sbin/sshd -D -f "+conf)
	l.hosts = append(l.hosts, fmt.Sprintf("Host %s\n  HostName %s\n  User root\n  IdentityFile %s/key\n  StrictHostKeyChecking no\n  UserKnownHostsFile %s/known\n", name, addr, l.dir, l.dir))
	key, err := os.ReadFile(filepath.Join(l.dir, "key.pub"))
	if err != nil {
		l.t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(l.dir, "known"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = fmt.Fprintf(f, "%s %s", addr, key)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(l.config(), []byte(strings.Join(l.hosts, "")), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

func (l *netlab) config() string { return filepath.Join(l.dir, "ssh_config") }

// doctor runs boxdoctor as the developer would on the computer of this network.
func (l *netlab) doctor(args ...string) (string, int) {
	l.t.Helper()
	out, code, _ := l.run(append([]string{binary}, append(args, "--ssh-config", l.config())...)...)
	return out, code
}

// run runs a program on the computer of this network and says how long it took.
func (l *netlab) run(argv ...string) (out string, code int, took time.Duration) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 10*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", l.ns(hostNS)}, argv...)...)
	c.Env = append(os.Environ(), "BOXDOCTOR_STATE_HOME="+filepath.Join(l.dir, "state"), "HOME="+l.dir)
	var errs strings.Builder
	c.Stderr = &errs
	begin := time.Now()
	b, err := c.Output()
	took = time.Since(begin)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		l.t.Fatal(err)
	}
	if errs.Len() > 0 {
		l.t.Logf("        stderr: %s", tail(errs.String()))
	}
	return string(b), c.ProcessState.ExitCode(), took
}
