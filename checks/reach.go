package checks

import (
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// reachable is the id that every other guest check stands on.
const reachable = "guest.reachable"

var _ = register(Check{
	ID: reachable, Title: "The guest answers over SSH", Target: OnGuest, Severity: finding.Critical,
	Why:    "Nothing in the guest can be examined or repaired without a session. Where no machine listens, `vagrant ssh` fails too.",
	Looks:  "dials the NAT forward that VirtualBox has for the guest's port 22, with the machine's own private key",
	Source: "host-catalogue section 1.9; issue 1 (host keys per VM)",
	Eval:   evalReachable,
})

func evalReachable(f *facts.Facts) finding.Verdict {
	r, err := f.Guest.Reach.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	if !r.OK {
		v := finding.Verdict{Status: finding.Unknown, Message: r.Error}
		if r.Command != "" {
			v = v.Advise("do this, then run boxdoctor again", r.Command)
		}
		if r.Address == "" {
			return v.Diff("a running machine", strings.ReplaceAll(r.Class, "_", " "))
		}
		return v.Diff("a session on "+r.Address, r.Class)
	}
	return finding.Passf("connected as %s", r.User)
}

var _ = register(Check{
	ID: "guest.legacy_ssh", Title: "The guest's SSH server knows today's algorithms", Target: OnGuest, Severity: finding.Minor,
	Why:    "Old guests (CentOS 5 and 6) offer only algorithms that are no longer considered safe. boxdoctor allows a named set of them for such a guest; your own ssh may refuse.",
	Looks:  "the algorithms that the connection ended up with",
	Source: "issue 1 (legacy set)", After: []string{reachable},
	Eval: evalLegacySSH,
})

func evalLegacySSH(f *facts.Facts) finding.Verdict {
	r, err := f.Guest.Reach.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	if len(r.Legacy) > 0 {
		return finding.Warnf("connected with boxdoctor's legacy set: %s", strings.Join(r.Legacy, ", ")).
			Advise("your own ssh may need the same", ownSSH(r, "-o HostKeyAlgorithms=+ssh-rsa -o PubkeyAcceptedAlgorithms=+ssh-rsa"))
	}
	return finding.Passf("no legacy algorithm was needed")
}

// sudoUsable is the id of the check that root-only sections stand on.
const sudoUsable = "sudo.usable"

var _ = register(Check{
	ID: sudoUsable, Title: "The login user can become root", Target: OnGuest, Severity: finding.Critical,
	Rows: []string{"S11"}, Needs: []facts.Key{facts.KeySudo}, After: []string{reachable},
	Why:   "Vagrant mounts shares, and boxdoctor repairs, by sudo. A password, requiretty or a missing sudoers entry stops both.",
	Looks: "sudo -n true", Source: "guest-catalogue S11",
	Eval: evalSudo,
})

func evalSudo(f *facts.Facts) finding.Verdict {
	s, err := f.Guest.Sudo.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	user := f.Machine.User
	rule := "visudo -f /etc/sudoers.d/" + user + "   # " + user + " ALL=(ALL) NOPASSWD: ALL"
	if !plainName(user) {
		rule = "visudo"
	}
	v := finding.Failf("sudo does not work: %s", s.Text).Diff("sudo without questions", s.State)
	switch {
	case s.State == facts.SudoOK && s.Text == facts.SudoByPTY:
		return finding.Warnf("sudo works %s; Vagrant's own steps fail without config.ssh.pty", s.Text).
			Advise("take it off in the guest", "sudo visudo   # Defaults:"+user+" !requiretty")
	case s.State == facts.SudoOK && s.Text != "":
		return finding.Passf("sudo works %s", s.Text)
	}
	switch s.State {
	case facts.SudoRoot:
		return finding.Passf("logged in as root")
	case facts.SudoOK:
		return finding.Passf("sudo works")
	case facts.SudoPassword:
		return sudoPassword(f, s).Advise("or let the user run sudo without one, as root in the guest", rule)
	case facts.SudoTTY:
		return v.Advise("sudoers asks for a terminal (requiretty); take it off in the guest", "sudo visudo   # Defaults:"+user+" !requiretty")
	case facts.SudoDenied:
		return v.Advise("the user is not in sudoers; as root in the guest", rule)
	case facts.SudoMissing:
		return v.Advise("install sudo as root in the guest, or log in as root", "boxdoctor check --user root")
	}
	return v
}

// sudoPassword tells a wrong password from none: the first is not tried again, so that the account is not locked. The
// variable is read, never typed as part of a command: that would keep the password in the shell's history.
func sudoPassword(f *facts.Facts, s facts.Sudo) finding.Verdict {
	name := facts.SudoVariable(f.Machine.Name)
	give := "read -rs " + name + "; export " + name
	if f.Host.OS == "windows" {
		give = "$env:" + name + " = Read-Host"
	}
	if strings.Contains(s.Text, "refused the password") {
		return finding.Failf("sudo refused the password that boxdoctor was given").Diff("a password that sudo accepts", "refused").
			Advise("give boxdoctor the right one in a variable", give)
	}
	return finding.Failf("sudo asks for a password (it says the same to a user who is not in sudoers)").Diff("sudo without questions", s.State).
		Advise("give boxdoctor the password in a variable", give)
}

func plainName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}
