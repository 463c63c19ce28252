package sshguest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// promptTries is how often a person may type the SSH password of one dial.
const promptTries = 3

var errRefused = errors.New("the guest refused every way in")

// vault keeps, in memory and for one machine, what a person typed, so that a new dial does not ask again.
type vault struct {
	mu       sync.Mutex
	password string
	keys     map[string]ssh.Signer // by file, decrypted
}

func (v *vault) key(file string) ssh.Signer {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.keys[file]
}

func (v *vault) keepKey(file string, s ssh.Signer) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.keys == nil {
		v.keys = map[string]ssh.Signer{}
	}
	v.keys[file] = s
}

// keep remembers the password that opened the door.
func (a *authenticator) keep() {
	a.g.vault.mu.Lock()
	defer a.g.vault.mu.Unlock()
	if a.typed != "" {
		a.g.vault.password = a.typed
	}
}

func (v *vault) knownPassword() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.password
}

// authenticator chooses the next way in: keys, then encrypted keys, then the password.
type authenticator struct {
	g      *Guest
	limit  *limit
	legacy bool
	agent  io.Closer

	didKeys, didLocked bool
	locked             []string // encrypted files whose public half is not known
	passwords          int      // how many times a password was sent
	typed              string   // the last password, kept in the vault when it opened the door

	// usedSHA1 is set when a key signed with SHA-1; wantsSHA1 when it would have, had it been allowed.
	usedSHA1, wantsSHA1 bool
	// tried and skipped say in words what was offered and what could not be.
	tried, skipped []string
	methods        []string
}

func newAuthenticator(g *Guest, l *limit, legacy bool) *authenticator {
	return &authenticator{g: g, limit: l, legacy: legacy}
}

func (a *authenticator) close() {
	if a.agent != nil {
		_ = a.agent.Close()
	}
}

// next is called by the SSH library before each attempt.
func (a *authenticator) next(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	a.methods = c.AllowedMethods
	allowed := func(m string) bool { return slices.Contains(c.AllowedMethods, m) }
	if allowed("publickey") && !a.didKeys {
		a.didKeys = true
		if signers := a.signers(); len(signers) > 0 {
			return ssh.PublicKeys(signers...), nil
		}
	}
	if a.wantsSHA1 {
		return nil, errNeedsLegacy
	}
	if allowed("publickey") && !a.didLocked && len(a.locked) > 0 {
		a.didLocked = true
		if signers := a.unlockAll(); len(signers) > 0 {
			return ssh.PublicKeys(signers...), nil
		}
	}
	if m, err := a.passwordMethod(allowed); m != nil || err != nil {
		return m, err
	}
	return nil, errRefused
}

func (a *authenticator) passwordMethod(allowed func(string) bool) (ssh.AuthMethod, error) {
	if !allowed("password") && !allowed("keyboard-interactive") {
		return nil, nil
	}
	p, err := a.password()
	if err != nil || p == "" {
		return nil, err
	}
	a.passwords++
	a.typed = p
	a.tried = append(a.tried, "a password")
	if allowed("password") {
		return ssh.Password(p), nil
	}
	return ssh.KeyboardInteractive(func(_, _ string, questions []string, echo []bool) ([]string, error) {
		return answers(p, questions, echo)
	}), nil
}

// answers gives the password to the one hidden question there may be. Anything else is not a password prompt.
func answers(password string, questions []string, echo []bool) ([]string, error) {
	switch {
	case len(questions) == 0:
		return []string{}, nil
	case len(questions) == 1 && !echo[0]:
		return []string{password}, nil
	}
	return nil, fmt.Errorf("the guest asks something else than a password: %s", clean(strings.Join(questions, " ")))
}

// password is the one of the variable or the vault, sent once, else what a person types.
func (a *authenticator) password() (string, error) {
	given := a.g.vault.knownPassword()
	if given == "" {
		given = a.g.cfg.env(facts.SSHVariable(a.g.cfg.Name))
	}
	if given != "" && a.passwords == 0 {
		return given, nil
	}
	if given != "" || a.g.cfg.Ask == nil || a.passwords >= promptTries {
		return "", nil
	}
	return a.ask(fmt.Sprintf("SSH password of %s in %s: ", a.g.cfg.User, a.g.cfg.Name))
}

func (a *authenticator) ask(prompt string) (answer string, err error) {
	err = a.limit.ask(func(ctx context.Context) error {
		answer, err = a.g.cfg.Ask.Secret(ctx, prompt)
		return err
	})
	return answer, err
}

// signers are the keys to offer: the files first, in order, then the agent's that are not among them.
func (a *authenticator) signers() []ssh.Signer {
	held := a.agentSigners()
	var all []ssh.Signer
	seen := map[string]bool{}
	add := func(name string, s ssh.Signer) {
		if id := string(s.PublicKey().Marshal()); !seen[id] {
			seen[id] = true
			a.tried = append(a.tried, fmt.Sprintf("%s (%s)", name, ssh.FingerprintSHA256(s.PublicKey())))
			all = append(all, a.watch(s))
		}
	}
	for _, file := range a.g.cfg.KeyFiles {
		if s := a.fromFile(file, held); s != nil {
			add(file, s)
		}
	}
	for _, s := range held {
		add("a key of the ssh-agent", s)
	}
	return all
}

// fromFile loads one key file. Lax permissions are no obstacle: Vagrant's insecure key has them on shared
// folders and on Windows. nil: skipped or locked, and noted.
func (a *authenticator) fromFile(file string, held []ssh.Signer) ssh.Signer {
	if s := a.g.vault.key(file); s != nil {
		return s
	}
	b, err := os.ReadFile(file)
	if err != nil {
		a.skip(file, readFailure(err))
		return nil
	}
	s, err := ssh.ParsePrivateKey(b)
	var locked *ssh.PassphraseMissingError
	switch {
	case err == nil:
		return s
	case errors.As(err, &locked):
		return a.fromLocked(file, publicHalf(file, locked), held)
	}
	a.skip(file, "not a private key that SSH reads: "+clean(err.Error()))
	return nil
}

func readFailure(err error) string {
	if errors.Is(err, os.ErrNotExist) {
		return "no such file"
	}
	return clean(err.Error())
}

// fromLocked is for encrypted keys: the agent's copy when it has one, else a signer that asks for the
// passphrase only once the guest has said that it knows the key.
func (a *authenticator) fromLocked(file string, pub ssh.PublicKey, held []ssh.Signer) ssh.Signer {
	for _, s := range held {
		if pub != nil && string(s.PublicKey().Marshal()) == string(pub.Marshal()) {
			return s
		}
	}
	switch {
	case a.g.cfg.Ask == nil:
		a.skip(file, "encrypted, and there is no terminal to ask for its passphrase (ssh-add it)")
	case pub == nil:
		a.locked = append(a.locked, file)
	default:
		return &lazySigner{a: a, file: file, pub: pub}
	}
	return nil
}

// publicHalf is the public key of an encrypted file: OpenSSH's format holds it, else FILE.pub may.
func publicHalf(file string, e *ssh.PassphraseMissingError) ssh.PublicKey {
	if e.PublicKey != nil {
		return e.PublicKey
	}
	b, err := os.ReadFile(file + ".pub")
	if err != nil {
		return nil
	}
	pub, _, _, _, err := ssh.ParseAuthorizedKey(b)
	if err != nil {
		return nil
	}
	return pub
}

func (a *authenticator) unlockAll() []ssh.Signer {
	var all []ssh.Signer
	for _, file := range a.locked {
		s, err := a.unlock(file)
		if err != nil {
			a.skip(file, clean(err.Error()))
			continue
		}
		a.tried = append(a.tried, fmt.Sprintf("%s (%s)", file, ssh.FingerprintSHA256(s.PublicKey())))
		all = append(all, a.watch(s))
	}
	return all
}

// unlock asks for the passphrase of a file and decrypts it.
func (a *authenticator) unlock(file string) (ssh.Signer, error) {
	p, err := a.ask(fmt.Sprintf("passphrase of %s: ", file))
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s, err := ssh.ParsePrivateKeyWithPassphrase(b, []byte(p))
	if err != nil {
		return nil, errors.New("the passphrase does not open the key")
	}
	a.g.vault.keepKey(file, s)
	return s, nil
}

func (a *authenticator) skip(file, why string) {
	a.skipped = append(a.skipped, fmt.Sprintf("%s: %s", file, why))
}

// watch restricts how an RSA key signs; other keys are passed as they are.
func (a *authenticator) watch(s ssh.Signer) ssh.Signer {
	as, ok := s.(ssh.AlgorithmSigner)
	if !ok || s.PublicKey().Type() != ssh.KeyAlgoRSA {
		return s
	}
	return &rsaSigner{AlgorithmSigner: as, a: a}
}

// describe turns the library's error after a failed authentication into ours.
func (a *authenticator) describe(err error) error {
	var known *DialError
	if errors.As(err, &known) || needsLegacy(err) || a.limit.err() != nil {
		return err
	}
	if len(a.methods) == 0 {
		return err // authentication was never reached
	}
	return a.refusal(err)
}

func (a *authenticator) refusal(err error) error {
	cfg := a.g.cfg
	e := &DialError{Class: "auth", Cause: err, Command: cfg.login("-v")}
	if cfg.HostKeyID != "" && cfg.loopback() {
		e.Command = "vagrant ssh " + cfg.Name
	}
	what := "nothing"
	if len(a.tried) > 0 {
		what = strings.Join(a.tried, ", ")
	} else if len(a.skipped) > 0 {
		e.Class = "config"
	}
	e.Text = fmt.Sprintf("%s refused the login of %s; offered: %s; the guest takes: %s", cfg.addr(), cfg.User, what, strings.Join(a.methods, ", "))
	if len(a.skipped) > 0 {
		e.Text += "; not usable: " + strings.Join(a.skipped, ", ")
	}
	if !errors.Is(err, errRefused) {
		e.Text += " (" + clean(err.Error()) + ")"
	}
	if a.passwords == 0 && a.g.cfg.Ask == nil && (slices.Contains(a.methods, "password") || slices.Contains(a.methods, "keyboard-interactive")) {
		e.Text += "; a password can be given in " + facts.SSHVariable(cfg.Name)
	}
	return e
}

// rsaSigner signs with SHA-2, and with SHA-1 only in a legacy dial. It notes what the guest wanted.
type rsaSigner struct {
	ssh.AlgorithmSigner
	a *authenticator
}

// Algorithms lists the signatures in order of preference. ssh-rsa is always listed, so that a guest which
// knows nothing else asks for it and is recognised.
func (s *rsaSigner) Algorithms() []string {
	return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA}
}

// SignWithAlgorithm refuses SHA-1 unless the dial is a legacy one.
func (s *rsaSigner) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	if algorithm == ssh.KeyAlgoRSA || algorithm == "" {
		if !s.a.legacy {
			s.a.wantsSHA1 = true
			return nil, errNeedsLegacy
		}
		s.a.usedSHA1 = true
	}
	return s.AlgorithmSigner.SignWithAlgorithm(rand, data, algorithm)
}

// lazySigner is an encrypted key whose passphrase is asked for when the guest wants a signature.
type lazySigner struct {
	a    *authenticator
	file string
	pub  ssh.PublicKey
}

// PublicKey is known without the passphrase.
func (s *lazySigner) PublicKey() ssh.PublicKey { return s.pub }

// Sign asks for the passphrase.
func (s *lazySigner) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return s.SignWithAlgorithm(rand, data, "")
}

// SignWithAlgorithm asks for the passphrase.
func (s *lazySigner) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	key := s.a.g.vault.key(s.file)
	if key == nil {
		var err error
		if key, err = s.a.unlock(s.file); err != nil {
			s.a.skip(filepath.Base(s.file), clean(err.Error()))
			return nil, err
		}
	}
	as, ok := key.(ssh.AlgorithmSigner)
	if !ok || algorithm == "" {
		return key.Sign(rand, data)
	}
	return as.SignWithAlgorithm(rand, data, algorithm)
}
