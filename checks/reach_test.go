package checks

import (
	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

func sudo(state, text string) func(*facts.Facts) {
	return func(f *facts.Facts) { f.Guest.Sudo = facts.Known(facts.Sudo{State: state, Text: text}) }
}

func reach(r facts.Reach) func(*facts.Facts) {
	return func(f *facts.Facts) { f.Guest.Reach = facts.Known(r) }
}

var _ = rows("guest.reachable",
	pass("connected", assesstest.CentOS7, as),
	unknown("refused", assesstest.CentOS7, reach(facts.Reach{Address: "127.0.0.1:2222", Class: "refused", Error: "connection refused"})),
	unknown("not dialled", assesstest.CentOS7, func(f *facts.Facts) { assesstest.Forget(&f.Guest.Reach) }),
	row{"changed host key says the command", "unknown", "boxdoctor trust default", assesstest.CentOS7,
		reach(facts.Reach{Address: "127.0.0.1:2222", Class: "hostkey_changed", Error: "changed", Command: "boxdoctor trust default"})},
)

var _ = rows("guest.legacy_ssh",
	pass("new algorithms", assesstest.Rocky9, as),
	// Defect 28: the command has its host.
	warn("old algorithms, by a forward", "-o PubkeyAcceptedAlgorithms=+ssh-rsa -p 2222 vagrant@127.0.0.1", assesstest.Founding,
		reach(facts.Reach{OK: true, User: "vagrant", Address: "127.0.0.1:2222", Legacy: []string{"ssh-rsa"}})),
	warn("old algorithms, IPv6", "=+ssh-rsa vagrant@::1", assesstest.Founding, reach(facts.Reach{OK: true, User: "vagrant", Address: "[::1]:22", Legacy: []string{"ssh-rsa"}})),
	warn("old algorithms", "ssh-rsa, diffie-hellman-group14-sha1", assesstest.Founding,
		reach(facts.Reach{OK: true, User: "vagrant", Legacy: []string{"ssh-rsa", "diffie-hellman-group14-sha1"}})),
	unknown("not dialled", assesstest.CentOS7, func(f *facts.Facts) { assesstest.Forget(&f.Guest.Reach) }),
)

var _ = rows("sudo.usable",
	pass("sudo works", assesstest.CentOS7, as),
	pass("root", assesstest.CentOS7, sudo(facts.SudoRoot, "")),
	fail("password", "BOXDOCTOR_SUDO_PASSWORD_DEFAULT", assesstest.CentOS7, sudo(facts.SudoPassword, "sudo: a password is required")),
	fail("requiretty", "!requiretty", assesstest.Founding, sudo(facts.SudoTTY, "sudo: sorry, you must have a tty to run sudo")),
	// Defect 12: a wrong password is not a missing one, and none goes into the shell's history.
	fail("a wrong password", "sudo refused the password that boxdoctor was given", assesstest.CentOS7,
		sudo(facts.SudoPassword, `step "x" did not run: sudo refused the password that was given (by BOXDOCTOR_SUDO_PASSWORD_<NAME> or at the prompt)`)),
	fail("the variable is read", "read -rs BOXDOCTOR_SUDO_PASSWORD_DEFAULT; export BOXDOCTOR_SUDO_PASSWORD_DEFAULT", assesstest.CentOS7,
		sudo(facts.SudoPassword, "sudo: a password is required")),
	fail("no sudo to repair sudo", "as root in the guest\nvisudo -f /etc/sudoers.d/vagrant", assesstest.CentOS7, sudo(facts.SudoPassword, "sudo: a password is required")),
	fail("not in sudoers", "visudo -f /etc/sudoers.d/vagrant", assesstest.CentOS7, sudo(facts.SudoDenied, "vagrant is not in the sudoers file.")),
	fail("no sudo", "--user root", assesstest.Debian12, sudo(facts.SudoMissing, "sudo: command not found")),
	fail("anything else", "unable to open", assesstest.Debian12, sudo(facts.SudoBroken, "sudo: unable to open /etc/sudoers")),
	fail("a user name that is no plain word is not put into a command", "visudo", assesstest.CentOS7, func(f *facts.Facts) {
		f.Machine.User = "a b; rm"
		sudo(facts.SudoPassword, "password")(f)
	}),
	unknown("not asked", assesstest.CentOS7, func(f *facts.Facts) { assesstest.Forget(&f.Guest.Sudo) }),
)
