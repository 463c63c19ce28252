// Package sshguest is the guest contract over x/crypto/ssh and pkg/sftp: one connection per machine, a
// session per step, keepalive, deadlines with names, host keys kept per virtual machine.
package sshguest

import (
	"context"
	"io"
	"time"
)

// Config is how to reach one machine. Nothing in it is a secret but what Secrets returns when asked.
type Config struct {
	// Name is the machine's name in messages and in the names of password variables.
	Name string
	User string
	// Host and Port are where to dial; ProxyJump and ProxyCommand of ssh_config are refused with a clear error.
	Host string
	Port int
	// KeyFiles are tried in order; a missing file is skipped unless it is the only way in, then it is named.
	KeyFiles []string
	// UseAgent asks the agent of SSH_AUTH_SOCK too (unless ssh_config says IdentitiesOnly yes).
	UseAgent bool
	// HostKeyID is the name under which the host key is kept: the VM UUID of a Vagrant machine ("a destroyed and
	// recreated VM is a new machine"). Empty: the user's known_hosts decides, by Host and Port.
	HostKeyID string
	// TrustFirstUse accepts an unknown key without asking. Set only for loopback forwards of Vagrant machines.
	TrustFirstUse bool
	// NoHostKeyFile is set when ssh_config says StrictHostKeyChecking no with UserKnownHostsFile /dev/null, as
	// `vagrant ssh-config` prints; honoured on loopback only.
	NoHostKeyFile bool
	// KnownHosts are the known_hosts files to read when HostKeyID is empty.
	KnownHosts []string
	// KeyStore is the folder that holds one file per HostKeyID (0600).
	KeyStore string
	// Timeout bounds dial, handshake and authentication together. Zero: 15 s.
	Timeout time.Duration
	// AliveInterval and AliveMissed are ServerAliveInterval and ServerAliveCountMax: how often the guest is asked
	// whether it is there, and after how many of these without an answer the link is lost. Zero: 5 s and 3.
	AliveInterval time.Duration
	AliveMissed   int
	// Ask asks the person; nil when there is no terminal.
	Ask Asker
	// Getenv reads BOXDOCTOR_SSH_PASSWORD_<NAME> and BOXDOCTOR_SUDO_PASSWORD_<NAME>.
	Getenv func(string) string
	// Log gets one line per step (-v and the run's log file); nil: nothing.
	Log io.Writer
}

// Asker asks a person without echo (Secret) or for yes or no (Confirm). Implemented by internal/term.
type Asker interface {
	Secret(ctx context.Context, prompt string) (string, error)
	Confirm(ctx context.Context, question string) (bool, error)
}
