package sshguest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/boxdoctor/boxdoctor/internal/shell"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// keyChecker decides about the host key of one dial. Nothing is written before authentication has succeeded:
// a stale port forward may lead to another machine, whose key must not be kept under this one's name.
type keyChecker struct {
	g     *Guest
	limit *limit
	// known are the keys on record for this machine.
	known []ssh.PublicKey
	// lookup is the user's known_hosts; nil when the key is kept per machine.
	lookup ssh.HostKeyCallback
	// certs: a known_hosts file names a certificate authority, so certificates are worth asking for.
	certs bool
	// pinned: an earlier connection of this run has shown known[0].
	pinned bool
	// mu guards what the handshake's goroutine shares with accept.
	mu    sync.Mutex
	shown ssh.PublicKey
	// fresh is set when shown is to be recorded, settled once the decision is made.
	fresh, settled bool
}

func (g *Guest) keyChecker(l *limit) (*keyChecker, error) {
	k := &keyChecker{g: g, limit: l}
	if key := g.firstKey(); key != nil {
		k.known, k.pinned = []ssh.PublicKey{key}, true
		return k, nil
	}
	if k.careless() {
		return k, nil
	}
	if g.cfg.HostKeyID != "" {
		var err error
		k.known, err = readKeys(k.file())
		return k, err
	}
	return k, k.readKnownHosts()
}

func (g *Guest) firstKey() ssh.PublicKey {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.hostKey
}

// careless is the user's own StrictHostKeyChecking no with /dev/null, which counts on loopback only.
func (k *keyChecker) careless() bool {
	c := k.g.cfg
	return c.HostKeyID == "" && c.NoHostKeyFile && c.loopback()
}

func (k *keyChecker) file() string { return filepath.Join(k.g.cfg.KeyStore, k.g.cfg.HostKeyID) }

// prefer puts the algorithms of the keys on record first. Without that, a guest with several keys would show
// one of another type than the one on record, and look like a changed machine.
func (k *keyChecker) prefer(algorithms []string) []string {
	var first, rest []string
	for _, a := range algorithms {
		switch {
		case strings.Contains(a, "-cert-"):
			if k.certs {
				rest = append(rest, a)
			}
		case slices.ContainsFunc(k.known, func(key ssh.PublicKey) bool { return keyFormat(a) == key.Type() }):
			first = append(first, a)
		default:
			rest = append(rest, a)
		}
	}
	if k.certs {
		return append(rest, first...)
	}
	return append(first, rest...)
}

// keyFormat is the type of the keys that sign with an algorithm.
func keyFormat(algorithm string) string {
	if algorithm == ssh.KeyAlgoRSASHA256 || algorithm == ssh.KeyAlgoRSASHA512 {
		return ssh.KeyAlgoRSA
	}
	return algorithm
}

// check is called by the SSH library during the handshake, and again whenever the connection changes its
// session keys: then nobody is asked, and only the same host key will do.
func (k *keyChecker) check(host string, remote net.Addr, key ssh.PublicKey) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.settled {
		if sameKey(k.shown, key) {
			return nil
		}
		return k.changed(key)
	}
	k.shown = key
	return k.decide(host, remote, key)
}

func (k *keyChecker) decide(host string, remote net.Addr, key ssh.PublicKey) error {
	switch {
	case k.pinned || k.lookup == nil && len(k.known) > 0:
		if slices.ContainsFunc(k.known, func(have ssh.PublicKey) bool { return sameKey(have, key) }) {
			return nil
		}
		return k.changed(key)
	case k.careless():
		return nil
	case k.lookup != nil:
		return k.checkKnownHosts(host, remote, key)
	}
	return k.unknown(key)
}

func sameKey(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }

// unknown decides about a key of which there is no record.
func (k *keyChecker) unknown(key ssh.PublicKey) error {
	c := k.g.cfg
	if c.HostKeyID != "" && c.TrustFirstUse && c.loopback() {
		k.fresh = true
		return nil
	}
	yes := false
	if c.Ask != nil {
		err := k.limit.ask(func(ctx context.Context) (err error) {
			yes, err = c.Ask.Confirm(ctx, fmt.Sprintf("The host key of %s (%s) is not known: %s %s. Is it the right one?",
				c.Name, c.addr(), key.Type(), ssh.FingerprintSHA256(key)))
			return err
		})
		if err != nil {
			return k.refuseUnknown(key, err)
		}
	}
	if !yes {
		return k.refuseUnknown(key, nil)
	}
	k.fresh = true
	return nil
}

func (k *keyChecker) refuseUnknown(key ssh.PublicKey, cause error) error {
	c := k.g.cfg
	e := &DialError{Class: "hostkey_unknown", Cause: cause, Command: c.login(),
		Text: fmt.Sprintf("the host key of %s is not known (%s %s), so nothing says that this is the right machine; "+
			"compare the fingerprint with the machine's own (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub there) before accepting it",
			c.addr(), key.Type(), ssh.FingerprintSHA256(key))}
	if c.HostKeyID != "" {
		e.Command = fmt.Sprintf("mkdir -p %s && ssh-keyscan -p %d %s | cut -d' ' -f2- > %s",
			shell.Quote(c.KeyStore), c.Port, shell.Quote(c.Host), shell.Quote(k.file()))
	}
	return e
}

// changed refuses a key that differs from the one on record, and says how to accept it.
func (k *keyChecker) changed(key ssh.PublicKey) error {
	c := k.g.cfg
	e := &DialError{Class: "hostkey_changed"}
	shown := fmt.Sprintf("%s now shows the host key %s %s, but %s is on record", c.addr(), key.Type(), ssh.FingerprintSHA256(key), fingerprints(k.known))
	switch {
	case k.pinned:
		e.Text = shown + " from earlier in this run: another machine answers at this address"
		e.Command = c.login()
	case c.HostKeyID != "":
		e.Text = shown + fmt.Sprintf(" for the virtual machine %s. A machine that was destroyed and created again has another id, so this is the same one "+
			"with new keys, or another machine answers at this port", c.HostKeyID)
		e.Command = "rm " + shell.Quote(k.file())
	default:
		e.Text = shown + " in known_hosts: the machine was installed anew, or another one answers at its address"
		e.Command = k.forget()
	}
	return e
}

// forget is the command that removes the host from the known_hosts file that holds it.
func (k *keyChecker) forget() string {
	cmd := "ssh-keygen -R " + shell.Quote(knownhosts.Normalize(k.g.cfg.addr()))
	for _, file := range k.g.cfg.KnownHosts {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if lookup, err := lenientKnownHosts(text); err == nil && len(k.g.cfg.onRecord(lookup)) > 0 {
			return cmd + " -f " + shell.Quote(file)
		}
	}
	return cmd
}

func fingerprints(keys []ssh.PublicKey) string {
	var all []string
	for _, key := range keys {
		all = append(all, key.Type()+" "+ssh.FingerprintSHA256(key))
	}
	return strings.Join(all, " and ")
}

// accept records the key after a successful authentication and pins it for the rest of the run.
func (k *keyChecker) accept() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.settled = true
	if k.fresh {
		if err := k.record(); err != nil {
			return err
		}
	}
	k.g.mu.Lock()
	defer k.g.mu.Unlock()
	k.g.hostKey = k.shown
	return nil
}

func (k *keyChecker) record() error {
	c := k.g.cfg
	if c.HostKeyID != "" {
		return writeKey(k.file(), k.shown)
	}
	if len(c.KnownHosts) == 0 {
		return nil
	}
	return appendKnownHost(c.KnownHosts[0], c.addr(), k.shown)
}

// revoked is for a key that known_hosts marks as one that nobody may trust any more.
func (k *keyChecker) revoked(e *knownhosts.RevokedError) error {
	return &DialError{Class: "hostkey_changed", Cause: e, Command: "ssh-keygen -F " + shell.Quote(knownhosts.Normalize(k.g.cfg.addr())),
		Text: fmt.Sprintf("the host key of %s is marked as revoked in known_hosts, so whoever shows it may be an impostor", k.g.cfg.addr())}
}

func (k *keyChecker) checkKnownHosts(host string, remote net.Addr, key ssh.PublicKey) error {
	err := k.lookup(host, remote, key)
	var differs *knownhosts.KeyError
	var revoked *knownhosts.RevokedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &revoked):
		return k.revoked(revoked)
	case errors.As(err, &differs) && len(differs.Want) > 0:
		return k.changed(key)
	}
	return k.unknown(key)
}

// readKnownHosts reads the user's files. Missing files and lines that cannot be read are passed over, as ssh does.
func (k *keyChecker) readKnownHosts() error {
	var text []byte
	for _, name := range k.g.cfg.KnownHosts {
		b, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return configError("known hosts cannot be read: %v", err)
		}
		text = append(append(text, b...), '\n')
	}
	k.certs = bytes.Contains(text, []byte("@cert-authority"))
	lookup, err := lenientKnownHosts(text)
	if err != nil {
		return configError("known hosts cannot be read: %v", err)
	}
	k.lookup = lookup
	k.known = k.g.cfg.onRecord(lookup)
	return nil
}

// onRecord asks known_hosts which keys it holds for this host, by showing it a key that it cannot hold.
func (c Config) onRecord(lookup ssh.HostKeyCallback) []ssh.PublicKey {
	var differs *knownhosts.KeyError
	if !errors.As(lookup(c.addr(), c.netAddr(), noKey{}), &differs) {
		return nil
	}
	var keys []ssh.PublicKey
	for _, w := range differs.Want {
		keys = append(keys, w.Key)
	}
	return keys
}

func (c Config) netAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(c.Host), Port: c.Port} }

// noKey is a public key that no file can hold.
type noKey struct{}

// Type is not a real type.
func (noKey) Type() string { return "none" }

// Marshal is not a real key.
func (noKey) Marshal() []byte { return nil }

// Verify always fails.
func (noKey) Verify([]byte, *ssh.Signature) error { return errors.New("not a key") }
