package sshguest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// sudoPlan is how one attempt asks sudo.
type sudoPlan struct {
	// prompt is what sudo shall print when it wants the password; empty: sudo -n.
	prompt   string
	password string
	pty      bool
	// cfg is for messages.
	cfg Config
}

// sudoer remembers, per machine, what sudo turned out to want.
type sudoer struct {
	mu       sync.Mutex
	password string
	known    bool
	asked    bool
	pty      bool
	// refused is the error of a wrong password. It is not tried again, by no step.
	refused *SudoError
}

// plan is how to ask sudo next, or the error that settles it.
func (g *Guest) sudoPlan() (*sudoPlan, error) {
	g.sudo.mu.Lock()
	defer g.sudo.mu.Unlock()
	if g.sudo.refused != nil {
		return nil, g.sudo.refused
	}
	p := &sudoPlan{pty: g.sudo.pty, cfg: g.cfg}
	if !g.sudo.known {
		g.sudo.password = g.cfg.env(facts.SudoVariable(g.cfg.Name))
		g.sudo.known = g.sudo.password != ""
	}
	if g.sudo.known {
		b := make([]byte, 8)
		if _, err := rand.Read(b); err != nil {
			return nil, fmt.Errorf("no random numbers: %w", err)
		}
		p.prompt, p.password = "bd-"+hex.EncodeToString(b)+":", g.sudo.password
	}
	return p, nil
}

// runSudo runs a step as root. It tries again only after an attempt that certainly did not run and that
// taught something new: a password is wanted, or a terminal.
func (g *Guest) runSudo(ctx context.Context, c guest.Cmd) (guest.Result, error) {
	for {
		plan, err := g.sudoPlan()
		if err != nil {
			return guest.Result{Code: -1}, err
		}
		res, err := g.attempt(ctx, c, plan)
		refusal, ok := err.(*SudoError)
		if !ok || !g.learn(ctx, plan, refusal) {
			return res, err
		}
	}
}

// learn reports whether another attempt would be a different one.
func (g *Guest) learn(ctx context.Context, plan *sudoPlan, e *SudoError) bool {
	g.sudo.mu.Lock()
	defer g.sudo.mu.Unlock()
	switch {
	case e.Wrong:
		g.sudo.refused = e
		return false
	case e.State == facts.SudoTTY && !plan.pty:
		g.sudo.pty = true
		return true
	case e.State == facts.SudoPassword && plan.prompt == "":
		return g.sudo.known || g.askSudo(ctx)
	}
	return false
}

// askSudo asks the person for the sudo password, once per machine. sudo.mu is held, so that steps that run
// at the same time wait for one question.
func (g *Guest) askSudo(ctx context.Context) bool {
	if g.sudo.asked || g.cfg.Ask == nil {
		return false
	}
	g.sudo.asked = true
	p, err := g.cfg.Ask.Secret(ctx, fmt.Sprintf("sudo password of %s in %s: ", g.cfg.User, g.cfg.Name))
	if err != nil || p == "" || strings.ContainsAny(p, "\n\x00") {
		return false
	}
	g.sudo.password, g.sudo.known = p, true
	return true
}

// classify turns the words of a sudo that did not start the step into the error for them. The words are
// those of sudo 1.8, 1.9 and sudo-rs in the C locale.
func (p *sudoPlan) classify(step, said string) *SudoError {
	e := &SudoError{Name: step, Text: clean(p.withoutNoise(said)), State: facts.SudoBroken, Command: p.cfg.login("-t") + " sudo -v"}
	low := strings.ToLower(said)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(low, w) })
	}
	switch {
	case has("must have a tty"):
		e.State = facts.SudoTTY
	case has("not in the sudoers", "may not run sudo", "is not allowed to", "i'm sorry", "not allowed to execute"):
		e.State = facts.SudoDenied
		e.Command = p.cfg.login() + " id    # the user must be in a group that sudoers allows"
	case p.prompt != "" && has("try again", "incorrect password", "authentication failed", "no password was provided", p.prompt):
		e.State, e.Wrong = facts.SudoPassword, true
	case has("password is required", "no tty present", "a terminal is required", "interactive authentication is required"):
		e.State = facts.SudoPassword
		name := facts.SudoVariable(p.cfg.Name)
		e.Command = fmt.Sprintf("read -rs %s && export %s    # then run boxdoctor again, or run it on a terminal", name, name)
	case has("sudo: not found", "sudo: command not found", "sudo: inaccessible"):
		e.State = facts.SudoMissing
		root := p.cfg
		root.User = "root"
		e.Command = root.login() + "    # if root may log in, use --user root"
	}
	return e
}

// withoutNoise drops the prompt that boxdoctor set, and what sudo says of its own host name.
func (p *sudoPlan) withoutNoise(said string) string {
	if p.prompt != "" {
		said = strings.ReplaceAll(said, p.prompt, "")
	}
	var keep []string
	for line := range strings.Lines(said) {
		if !strings.HasPrefix(line, resolveNoise) {
			keep = append(keep, line)
		}
	}
	return strings.Join(keep, "")
}
