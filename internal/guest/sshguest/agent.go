package sshguest

import (
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// agentSigners are the keys of the running ssh-agent; none when there is no agent or it is not to be used.
// The connection to it stays open until the authenticator is closed.
func (a *authenticator) agentSigners() []ssh.Signer {
	if !a.g.cfg.UseAgent {
		return nil
	}
	c, err := dialAgent(a.limit.ctx, a.g.cfg.env("SSH_AUTH_SOCK"))
	if err != nil {
		a.skip("ssh-agent", clean(err.Error()))
		return nil
	}
	if c == nil {
		return nil
	}
	a.agent = c
	signers, err := agent.NewClient(c).Signers()
	if err != nil {
		a.skip("ssh-agent", clean(err.Error()))
		return nil
	}
	return signers
}
