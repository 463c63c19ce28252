package provision

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Vault keeps what boxdoctor generates for one project: passwords and keys, each in a file of its own (0600) in the
// user's state folder, never in the project, where a guest can write.
type Vault struct {
	Dir string
	// Check generates in memory only: a dry run leaves nothing behind.
	Check bool
	// Known gets every value, for masking.
	Known func(string)

	mu    sync.Mutex
	fresh map[string]string
}

// Path is where a secret lies.
func (v *Vault) Path(name string) string { return filepath.Join(v.Dir, name) }

// Secret is the value of a name, made once.
func (v *Vault) Secret(name string, generate func() string) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	value, ok := v.fresh[name]
	if !ok {
		var err error
		if value, err = v.load(name, generate); err != nil {
			return "", fmt.Errorf("the secret %s cannot be kept: %w", v.Path(name), err)
		}
		if v.fresh == nil {
			v.fresh = map[string]string{}
		}
		v.fresh[name] = value
	}
	if v.Known != nil {
		v.Known(value)
	}
	return value, nil
}

func (v *Vault) load(name string, generate func() string) (string, error) {
	b, err := os.ReadFile(v.Path(name))
	if err == nil {
		if text := strings.TrimSpace(string(b)); text != "" {
			return text, nil
		}
		return "", errors.New("it is empty; remove it, or put the right one there")
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	value := generate()
	if v.Check {
		return value, nil
	}
	return value, v.save(name, value)
}

// save makes the file only if there is none: of two runs at once one keeps its value, the other stops.
func (v *Vault) save(name, value string) error {
	if err := os.MkdirAll(filepath.Dir(v.Path(name)), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(v.Path(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value + "\n")
	return errors.Join(err, f.Sync(), f.Close())
}

// Public is a text that is no secret, such as a repository's key, fetched once and kept beside the secrets.
func (v *Vault) Public(name string, get func() (string, error)) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if b, err := os.ReadFile(v.Path(name)); err == nil && len(b) > 0 {
		return string(b), nil
	}
	value, err := get()
	if err == nil && !v.Check {
		_ = v.save(name, strings.TrimRight(value, "\n")) // without it, it is fetched again next time
	}
	return value, err
}

// random is n bytes from the system's generator in base64.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return base64.StdEncoding.EncodeToString(b)
}

// newPassword has 192 bits, and no character that means anything in a URI.
func newPassword() string {
	b := make([]byte, 24)
	_, _ = rand.Read(b) // as above
	return base64.RawURLEncoding.EncodeToString(b)
}
