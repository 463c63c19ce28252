package sshguest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/shell"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// plainID reports whether a host key id can be a file's name as it is.
func plainID(id string) bool {
	return strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == "" && id[0] != '.'
}

// readKeys reads the host keys on record for one machine; none when the file does not exist.
func readKeys(file string) ([]ssh.PublicKey, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, configError("the host keys on record cannot be read: %v", err)
	}
	keys, err := parseKeys(b)
	if err != nil {
		e := configError("the host keys on record in %s are damaged (%v), so nothing says that this is the right machine", file, err)
		e.Command = "rm " + shell.Quote(file)
		return nil, e
	}
	return keys, nil
}

// parseKeys reads lines such as "ssh-ed25519 AAAA…". Blank lines and those that begin with # are passed over;
// anything else that is not a key is an error, and so is a file without a key.
func parseKeys(b []byte) ([]ssh.PublicKey, error) {
	var keys []ssh.PublicKey
	for n, line := range bytes.Split(b, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		key, _, options, _, err := ssh.ParseAuthorizedKey(line)
		if err != nil || len(options) > 0 || !bytes.HasPrefix(line, []byte(key.Type()+" ")) {
			return nil, fmt.Errorf("line %d is not a public key", n+1)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("no key in it")
	}
	return keys, nil
}

// writeKey records a key: a new file beside the name, then a rename, so that no reader sees half a file.
func writeKey(file string, key ssh.PublicKey) error {
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return configError("the host key cannot be kept: %v", err)
	}
	f, err := os.CreateTemp(dir, ".new-*") // created with mode 0600
	if err != nil {
		return configError("the host key cannot be kept: %v", err)
	}
	_, err = f.Write(ssh.MarshalAuthorizedKey(key))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return configError("the host key cannot be kept: %v", err)
	}
	return nil
}

// appendKnownHost adds a line to the user's known_hosts, on a line of its own.
func appendKnownHost(file, addr string, key ssh.PublicKey) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return configError("the host key cannot be kept: %v", err)
	}
	line := knownhosts.Line([]string{addr}, key) + "\n"
	if old, err := os.ReadFile(file); err == nil && len(old) > 0 && old[len(old)-1] != '\n' {
		line = "\n" + line
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return configError("the host key cannot be kept: %v", err)
	}
	_, err = f.WriteString(line)
	if err = errors.Join(err, f.Close()); err != nil {
		return configError("the host key cannot be kept: %v", err)
	}
	return nil
}

// lenientKnownHosts reads known_hosts as ssh does: lines that cannot be read are passed over. The library's
// parser loses the whole file over one of them (a key type of a newer OpenSSH, a damaged line).
func lenientKnownHosts(text []byte) (ssh.HostKeyCallback, error) {
	if lookup, err := parseKnownHosts(text); err == nil {
		return lookup, nil
	}
	var good [][]byte
	for _, line := range bytes.Split(text, []byte("\n")) {
		if _, err := parseKnownHosts(line); err == nil {
			good = append(good, line)
		}
	}
	return parseKnownHosts(bytes.Join(good, []byte("\n")))
}

// parseKnownHosts gives text to the library, which reads files only.
func parseKnownHosts(text []byte) (ssh.HostKeyCallback, error) {
	f, err := os.CreateTemp("", "boxdoctor-known-hosts-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return knownhosts.New(f.Name())
}
