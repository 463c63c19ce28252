//go:build acceptance

package acceptance

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// next is the kernel that the lab's repository offers together with its kernel-devel.
const next = "6.1.0-696.10.2.el9.x86_64"

// everything lists what a check or a dry run must not change: every file outside the places that a running
// system writes by itself (and the memory that readers of the rpm database share), and every package.
const everything = `find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /var/log -o -path /var/cache -o -path /var/lib/systemd -o -path /var/lib/dnf -o -name rpmdb.sqlite-shm \) -prune -o -type f -printf '%p %s %T@ %m %U\n' | sort; rpm -qa | sort`

// changed are the lines that differ between two lists.
func changed(before, after string) []string {
	old := strings.Split(before, "\n")
	var out []string
	for _, line := range strings.Split(after, "\n") {
		if !slices.Contains(old, line) {
			out = append(out, line)
		}
	}
	if len(out) == 0 && before != after {
		out = append(out, "something is gone")
	}
	return out
}

// TestFoundingCaseInContainer is the package side of the founding case on real parts: kernel-devel locked to
// a version that no repository holds, build tools missing, no room in /tmp. A container has its host's kernel,
// so the modules are built for the kernel that would boot next, by the real installer, and cannot be loaded.
func TestFoundingCaseInContainer(t *testing.T) {
	g := startGuest(t, "founding", "el", "lock", "tools", "tmp")
	before := g.sh(everything)

	r, code := g.doctor("check")
	if code != finding.ExitFailed {
		t.Errorf("check: exit %d", code)
	}
	g.want(r, finding.Fail, "locks.versionlock", "kernel.devel_missing", "tools.compiler", "tools.archive", "space.free", "additions.installed")
	if f := g.at(r, "kernel.devel_missing"); f.CausedBy != "locks.versionlock" {
		t.Errorf("kernel.devel_missing is caused by %q, want locks.versionlock", f.CausedBy)
	}
	if f := g.at(r, "additions.installed"); f.CausedBy != "kernel.devel_missing" {
		t.Errorf("additions.installed is caused by %q, want kernel.devel_missing", f.CausedBy)
	}

	r, code = g.doctor("fix", "--dry-run", "--no-reboot")
	if code != finding.ExitFailed || len(r.Actions) == 0 {
		t.Errorf("dry run: exit %d with %d actions", code, len(r.Actions))
	}
	if diff := changed(before, g.sh(everything)); len(diff) > 0 {
		t.Errorf("check or dry run changed the guest:\n%s", strings.Join(diff, "\n"))
	}

	r, code = g.doctor("fix", "--yes", "--no-reboot")
	if code != finding.ExitUnverified {
		t.Errorf("fix: exit %d, want 4: the running kernel is not the guest's", code)
	}
	g.allDone(r)
	g.want(r, finding.Pass, "locks.versionlock", "tools.compiler", "tools.archive", "additions.installed", "additions.version", "mount.helper", "kernel.next_boot")
	provedInGuest(g)

	r, _ = g.doctor("fix", "--yes", "--no-reboot")
	if len(r.Actions) > 0 {
		t.Errorf("the second run planned %d actions, want none: %v", len(r.Actions), r.Actions)
	}
}

// provedInGuest looks at the guest without boxdoctor.
func provedInGuest(g *guest) {
	g.t.Helper()
	if got := g.sh("modinfo -F version /lib/modules/" + next + "/misc/vboxguest.ko; modinfo -F vermagic /lib/modules/" + next + "/misc/vboxsf.ko"); !strings.HasPrefix(got, "7.0.20 r163906\n"+next+" ") {
		g.t.Errorf("modules: %q", got)
	}
	locks := g.sh("cat /etc/dnf/plugins/versionlock.list")
	for _, want := range []string{"kernel-devel-0:6.1.0-696.10.2.el9.*", "kernel-headers-0:6.1.0-696.10.2.el9.*"} {
		if !strings.Contains(locks, want) {
			g.t.Errorf("locks are not back at the new version: %q", locks)
		}
	}
	if left := strings.TrimSpace(g.sh("ls /var/lib/boxdoctor/pending /var/lib/boxdoctor/run; ls -d /var/tmp/boxdoctor.* 2>/dev/null; mount | grep /var/lib/boxdoctor; true")); left != "/var/lib/boxdoctor/pending:\n\n/var/lib/boxdoctor/run:" {
		g.t.Errorf("left behind: %q", left)
	}
}

// TestEndOfLifeRepositories: the mirror list's host is gone, the archive answers (a server inside the guest).
func TestEndOfLifeRepositories(t *testing.T) {
	g := startGuest(t, "eol", "el", "eol", "tools")
	r, _ := g.doctor("check")
	g.want(r, finding.Fail, "repositories.end_of_life", "repositories.answer")
	if f := g.at(r, "repositories.answer"); f.CausedBy != "repositories.end_of_life" {
		t.Errorf("repositories.answer is caused by %q", f.CausedBy)
	}
	r, _ = g.doctor("fix", "--yes", "--no-reboot", "--only", "repositories.archive")
	g.allDone(r)
	g.want(r, finding.Pass, "repositories.end_of_life", "repositories.answer")
	if got := g.sh("grep -h -e ^gpgcheck -e ^baseurl -e ^#mirrorlist /etc/yum.repos.d/*.repo | sort -u"); !strings.Contains(got, "gpgcheck=1") ||
		!strings.Contains(got, "baseurl=http://vault.centos.org/8.5.2111/") || !strings.Contains(got, "#mirrorlist=") {
		t.Errorf("repository files: %s", got)
	}
	if got := g.sh("find /var/lib/boxdoctor/backup -name '*.repo' | wc -l"); strings.TrimSpace(got) == "0" {
		t.Error("no backup of the repository files")
	}
}

// TestLockOfTheRunningKernelIsRestoredByteForByte: kernel-devel of the (stand-in) running kernel can be had, so
// the kernel does not change and the lock goes back as it was.
func TestLockOfTheRunningKernelIsRestoredByteForByte(t *testing.T) {
	g := startGuest(t, "bytes", "el", "repo-both", "lock", "uname")
	before := g.sh("sha256sum /etc/dnf/plugins/versionlock.list; stat -c '%a %U %G' /etc/dnf/plugins/versionlock.list")
	r, _ := g.doctor("fix", "--yes", "--only", "kernel.devel")
	g.allDone(r)
	g.want(r, finding.Pass, "kernel.devel_missing", "locks.versionlock")
	if after := g.sh("sha256sum /etc/dnf/plugins/versionlock.list; stat -c '%a %U %G' /etc/dnf/plugins/versionlock.list"); after != before {
		t.Errorf("the lock list changed: %s -> %s", before, after)
	}
}

// TestDNF5Lock: dnf5's TOML list; entries of other packages stay.
func TestDNF5Lock(t *testing.T) {
	g := startGuest(t, "five", "dnf5", "lock")
	r, _ := g.doctor("check")
	g.want(r, finding.Fail, "locks.versionlock")
	r, _ = g.doctor("fix", "--yes", "--no-reboot", "--only", "kernel.devel")
	g.allDone(r)
	g.want(r, finding.Pass, "locks.versionlock")
	toml := g.sh("cat /etc/dnf/versionlock.toml; dnf5 versionlock list; rpm -q kernel-devel")
	if !strings.Contains(toml, `value = "6.1.0-696.10.2.el9"`) || !strings.Contains(toml, "kernel-devel-6.1.0-696.10.2.el9") {
		t.Errorf("dnf5: %s", toml)
	}
}

// TestHardToReachGuest: a login shell that talks, no sftp subsystem, sudo with a password from the environment.
func TestHardToReachGuest(t *testing.T) {
	g := startGuest(t, "hard", "el-tools", "noise", "no-sftp", "sudo-password")
	r, _ := g.doctor("check", "--only", "sudo.usable")
	g.want(r, finding.Fail, "sudo.usable")
	g.env = []string{"BOXDOCTOR_SUDO_PASSWORD_HARD=vagrant"}
	r, _ = g.doctor("check", "--only", "sudo.usable,additions")
	g.want(r, finding.Pass, "sudo.usable")
	r, _ = g.doctor("fix", "--yes", "--no-reboot", "--only", "additions.install")
	g.allDone(r)
	g.want(r, finding.Pass, "additions.installed", "additions.version")
	secretStaysSecret(g)
}

// secretStaysSecret: the sudo password is the user's name here, so the log is searched for the variable's use.
func secretStaysSecret(g *guest) {
	g.t.Helper()
	err := filepath.WalkDir(g.state, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if info, err := d.Info(); err == nil && info.Mode().Perm()&0o077 != 0 {
			g.t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		text, err := os.ReadFile(path)
		if slices.Contains(strings.Fields(string(text)), "BOXDOCTOR_SUDO_PASSWORD_HARD=vagrant") {
			g.t.Errorf("%s holds the password", path)
		}
		return err
	})
	if err != nil {
		g.t.Error(err)
	}
}

// TestSudoTroublesAreToldApart is row S11. Without a password sudo says the same to a user who is not in sudoers;
// with one the two are told apart.
func TestSudoTroublesAreToldApart(t *testing.T) {
	for _, c := range []struct{ sick, env, state string }{
		{"sudo-password", "", "password"},
		{"sudo-password", "wrong", "refused"},
		{"sudo-none", "", "password"},
		{"sudo-none", "vagrant", "denied"},
	} {
		g := startGuest(t, "s11", "el", c.sick)
		if c.env != "" {
			g.env = []string{"BOXDOCTOR_SUDO_PASSWORD_S11=" + c.env}
		}
		r, _ := g.doctor("check", "--only", "sudo.usable")
		if f := g.at(r, "sudo.usable"); f.Status != finding.Fail || f.Got != c.state {
			t.Errorf("%s with password %q: %s, got %q, want %q", c.sick, c.env, f.Status, f.Got, c.state)
		}
		_ = exec.Command("./lab/lab.sh", "stop", "s11").Run()
	}
}

// TestRequireTTY: a guest whose sudoers asks for a terminal is examined and repaired all the same.
func TestRequireTTY(t *testing.T) {
	g := startGuest(t, "tty", "el", "sudo-tty", "tools")
	r, _ := g.doctor("check", "--only", "sudo.usable,tools")
	g.want(r, finding.Warn, "sudo.usable")
	g.want(r, finding.Fail, "tools.compiler")
	r, _ = g.doctor("fix", "--yes", "--no-reboot", "--only", "tools.install")
	g.allDone(r)
	g.want(r, finding.Pass, "tools.compiler")
}

// TestBusyPackageManagerIsWaitedFor: another dnf holds its lock for some 20 s.
func TestBusyPackageManagerIsWaitedFor(t *testing.T) {
	g := startGuest(t, "busy", "el", "busy", "lock")
	r, _ := g.doctor("fix", "--yes", "--no-reboot", "--only", "kernel.devel")
	g.allDone(r)
	g.want(r, finding.Pass, "locks.versionlock")
}

// TestSeveralMachinesAtOnce: fixed order, one unreachable machine does not disturb the others.
func TestSeveralMachinesAtOnce(t *testing.T) {
	a := startGuest(t, "alpha", "el")
	b := startGuest(t, "beta", "el", "tools")
	var both strings.Builder
	for _, g := range []*guest{b, a} {
		text, err := os.ReadFile(g.sshConfig)
		if err != nil {
			t.Fatal(err)
		}
		both.Write(text)
	}
	both.WriteString("\nHost zeta\n  HostName 127.0.0.1\n  Port 1\n  User vagrant\n")
	a.flags[1] = filepath.Join(t.TempDir(), "ssh_config")
	if err := os.WriteFile(a.flags[1], []byte(both.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	r, code := a.doctor("check", "beta", "alpha", "zeta", "--only", "guest,tools")
	var names []string
	for _, m := range r.Machines {
		names = append(names, m.Name)
	}
	if got := strings.Join(names, " "); got != "host beta alpha zeta" && got != "host alpha beta zeta" {
		t.Errorf("order: %s", got)
	}
	if r.Machines[3].Reachable || !r.Machines[1].Reachable || code != finding.ExitFailed {
		t.Errorf("reachability or exit code %d is wrong", code)
	}
	r, code = a.doctor("check", "alpha", "zeta", "--only", "guest.reachable")
	if code != finding.ExitUnexamined {
		t.Errorf("an unreachable machine that was named: exit %d, want 3 (%v)", code, r.Summary)
	}
}
