package sshserver

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// Options are what a server offers. Handler is required; the rest has working zero values.
type Options struct {
	Handler Handler
	// Addr is where to listen; empty: 127.0.0.1:0. Anything but loopback is refused.
	Addr string
	// HostKeys are the server's identities, as many types as wanted. Empty: one new ed25519 key.
	HostKeys []ssh.Signer
	// User is the only login name accepted; empty: any.
	User string
	// Keys are the accepted user keys, Password the accepted password. With neither, anyone may come in.
	Keys     []ssh.PublicKey
	Password string
	// Interactive takes the password by keyboard-interactive only, as PAM set-ups do.
	Interactive bool
	// Banner is sent before authentication.
	Banner string
	// RekeyBytes is after how many bytes the session keys are changed; zero: the library's default.
	RekeyBytes uint64
	// Forward lets clients open TCP connections to loopback (direct-tcpip); without it they are told that it is prohibited.
	Forward bool
	// Algorithms restricts what is negotiated; nil: the library's defaults. See Legacy.
	Algorithms *Algorithms
}

// Algorithms restricts a server to the named algorithms. Empty lists mean the library's defaults.
type Algorithms struct {
	KeyExchanges, Ciphers, MACs []string
	// HostKeySignatures restricts how the host key signs (for an RSA key: ssh-rsa only).
	HostKeySignatures []string
	// UserSignatures are the accepted user key signatures.
	UserSignatures []string
}

// Legacy is the set of an sshd of the CentOS 6 days. Use it with an RSA host key (NewRSAKey).
func Legacy() *Algorithms {
	return &Algorithms{
		KeyExchanges:      []string{ssh.InsecureKeyExchangeDH14SHA1},
		Ciphers:           []string{ssh.InsecureCipherAES128CBC, ssh.CipherAES128CTR},
		MACs:              []string{ssh.HMACSHA1},
		HostKeySignatures: []string{ssh.KeyAlgoRSA},
		UserSignatures:    []string{ssh.KeyAlgoRSA},
	}
}

// NewKey makes an ed25519 key.
func NewKey() (ssh.Signer, error) {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate an ed25519 key: %w", err)
	}
	return ssh.NewSignerFromSigner(k)
}

// NewRSAKey makes an RSA key of 2048 bits.
func NewRSAKey() (ssh.Signer, error) {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("generate an RSA key: %w", err)
	}
	return ssh.NewSignerFromSigner(k)
}

var errDenied = errors.New("permission denied")

// config builds a fresh configuration for one connection, so that a changed host key counts for the next.
func (s *Server) config() (*ssh.ServerConfig, error) {
	s.mu.Lock()
	keys, refuse := s.hostKeys, s.faults.RefuseAuth
	s.mu.Unlock()
	c := &ssh.ServerConfig{ServerVersion: "SSH-2.0-boxdoctor_test"}
	c.RekeyThreshold = s.opt.RekeyBytes
	s.allow(c, refuse)
	if s.opt.Banner != "" {
		c.BannerCallback = func(ssh.ConnMetadata) string { return s.opt.Banner }
	}
	var sigs []string
	if a := s.opt.Algorithms; a != nil {
		c.KeyExchanges, c.Ciphers, c.MACs = a.KeyExchanges, a.Ciphers, a.MACs
		c.PublicKeyAuthAlgorithms, sigs = a.UserSignatures, a.HostKeySignatures
	}
	for _, k := range keys {
		restricted, err := restrict(k, sigs)
		if err != nil {
			return nil, err
		}
		c.AddHostKey(restricted)
	}
	return c, nil
}

func restrict(k ssh.Signer, sigs []string) (ssh.Signer, error) {
	as, ok := k.(ssh.AlgorithmSigner)
	if !ok || len(sigs) == 0 {
		return k, nil
	}
	r, err := ssh.NewSignerWithAlgorithms(as, sigs)
	if err != nil {
		return nil, fmt.Errorf("host key %s with signatures %v: %w", k.PublicKey().Type(), sigs, err)
	}
	return r, nil
}

func (s *Server) allow(c *ssh.ServerConfig, refuse bool) {
	if len(s.opt.Keys) == 0 && s.opt.Password == "" && !refuse {
		c.NoClientAuth = true
		c.NoClientAuthCallback = func(m ssh.ConnMetadata) (*ssh.Permissions, error) { return s.permit(m, true) }
		return
	}
	if len(s.opt.Keys) > 0 || refuse {
		c.PublicKeyCallback = func(m ssh.ConnMetadata, k ssh.PublicKey) (*ssh.Permissions, error) {
			return s.permit(m, !refuse && s.knows(k))
		}
	}
	if s.opt.Password != "" && s.opt.Interactive {
		c.KeyboardInteractiveCallback = func(m ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			a, err := ask("", "", []string{"Password: "}, []bool{false})
			return s.permit(m, err == nil && !refuse && len(a) == 1 && a[0] == s.opt.Password)
		}
		return
	}
	if s.opt.Password != "" {
		c.PasswordCallback = func(m ssh.ConnMetadata, p []byte) (*ssh.Permissions, error) {
			return s.permit(m, !refuse && string(p) == s.opt.Password)
		}
	}
}

func (s *Server) permit(m ssh.ConnMetadata, ok bool) (*ssh.Permissions, error) {
	if !ok || (s.opt.User != "" && m.User() != s.opt.User) {
		return nil, errDenied
	}
	return &ssh.Permissions{}, nil
}

func (s *Server) knows(k ssh.PublicKey) bool {
	for _, known := range s.opt.Keys {
		if bytes.Equal(known.Marshal(), k.Marshal()) {
			return true
		}
	}
	return false
}
