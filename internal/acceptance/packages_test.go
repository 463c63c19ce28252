//go:build acceptance

package acceptance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// repairsHeaders lets boxdoctor install the headers of the running kernel, and wants these checks to pass afterwards.
func (g *guest) repairsHeaders(checks ...string) {
	g.t.Helper()
	r, _ := g.doctor("fix", "--yes", "--no-reboot", "--only", "kernel.devel")
	g.allDone(r)
	g.want(r, finding.Pass, append(checks, "kernel.devel_missing")...)
}

// says checks what a command in the guest prints.
func (g *guest) says(script, want string) {
	g.t.Helper()
	if got := strings.TrimSpace(g.sh(script)); got != want {
		g.t.Errorf("%s\n got %q\nwant %q", script, got, want)
	}
}

// TestAptHold is row L6 with the real apt: exactly the hold that blocks comes off, and both are there again afterwards.
func TestAptHold(t *testing.T) {
	g := startGuest(t, "hold", "deb", "hold")
	r, _ := g.doctor("check", "--only", "locks,kernel")
	g.want(r, finding.Fail, "locks.hold")
	g.repairsHeaders("locks.hold")
	g.says("apt-mark showhold | sort | tr '\\n' ' '", "lab-slow linux-headers-6.1.0-99-amd64")
	g.says("dpkg-query -W -f '${Version}' linux-headers-6.1.0-99-amd64", "6.1.99-1")
	r, _ = g.doctor("fix", "--yes", "--no-reboot", "--only", "tools.install")
	g.allDone(r)
	g.want(r, finding.Pass, "tools.compiler", "tools.archive")
}

// TestZypperLock is row L7 with the real zypper.
func TestZypperLock(t *testing.T) {
	g := startGuest(t, "zypp", "suse", "zypper-lock")
	before := g.sh("sha256sum /etc/zypp/locks; stat -c '%a %U' /etc/zypp/locks")
	r, _ := g.doctor("check", "--only", "locks,kernel")
	g.want(r, finding.Fail, "locks.hold")
	g.repairsHeaders("locks.hold")
	if after := g.sh("sha256sum /etc/zypp/locks; stat -c '%a %U' /etc/zypp/locks"); after != before {
		t.Errorf("the locks changed: %s -> %s", before, after)
	}
	g.says("rpm -q kernel-default-devel", "kernel-default-devel-6.4.0-150600.23.7.3.x86_64")
}

// TestPacmanIgnorePkg is row L8 with the real pacman: what upgrades leave out can be installed by name.
func TestPacmanIgnorePkg(t *testing.T) {
	g := startGuest(t, "pac", "arch", "ignorepkg")
	r, _ := g.doctor("check", "--only", "locks,kernel")
	g.want(r, finding.Warn, "locks.hold")
	g.repairsHeaders()
	g.says("pacman -Q linux-headers; grep IgnorePkg /etc/pacman.conf", "linux-headers 6.9.1.arch1-1\nIgnorePkg = linux-headers")
}

// TestExclude is row L5: the exclude is lifted for one command and stays in the file.
func TestExclude(t *testing.T) {
	g := startGuest(t, "excl", "el", "repo-both", "exclude", "uname")
	r, _ := g.doctor("check", "--only", "locks,kernel")
	g.want(r, finding.Fail, "locks.exclude")
	g.repairsHeaders("locks.exclude")
	g.says("grep ^exclude /etc/dnf/dnf.conf", "exclude=kernel*")
}

// folder links files of the lab into a folder of this test: --packages.
func folder(t *testing.T, from string, patterns ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, p := range patterns {
		files, err := filepath.Glob(filepath.Join(from, p))
		if err != nil || len(files) != 1 {
			t.Fatalf("%s in %s: %v %v", p, from, files, err)
		}
		if err := os.Symlink(files[0], filepath.Join(dir, filepath.Base(files[0]))); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// labDir is where the lab keeps what it has built.
func labDir() string {
	if dir := os.Getenv("BOXDOCTOR_LAB"); dir != "" {
		return dir
	}
	return "/var/cache/boxdoctor-lab"
}

// TestOfflineGuest: nothing can be reached. The finding says so, what is missing in a folder of packages is named file
// by file, and the whole folder repairs the guest.
func TestOfflineGuest(t *testing.T) {
	g := startGuest(t, "off", "el", "offline", "uname", "tools")
	r, _ := g.doctor("check", "--only", "repositories,kernel,tools")
	g.want(r, finding.Fail, "repositories.way_out", "kernel.devel_missing", "tools.compiler")
	rpms := filepath.Join(labDir(), "rpms")
	r, _ = g.doctor("fix", "--yes", "--no-reboot", "--only", "tools.install", "--packages", folder(t, rpms, "gcc-[0-9]*", "make-[0-9]*"))
	said := ""
	for _, a := range r.Actions {
		said += a.Message
	}
	for _, want := range []string{"still missing in the folder of --packages", "binutils", "cpp = ", "glibc-devel"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not said: %s", want, said)
		}
	}
	all := folder(t, rpms, "gcc-[0-9]*", "make-[0-9]*", "cpp-[0-9]*", "binutils-[0-9]*", "glibc-devel-[0-9]*", "libmpc-[0-9]*", "perl-interpreter-[0-9]*", "bzip2-[0-9]*", "tar-[0-9]*",
		"kernel-headers-6.1.0-358*", "kernel-devel-6.1.0-358*", "elfutils-libelf-devel-[0-9]*", "zlib-devel-[0-9]*")
	r, _ = g.doctor("fix", "--yes", "--no-reboot", "--only", "kernel.devel,tools.install", "--packages", all)
	g.allDone(r)
	g.want(r, finding.Pass, "kernel.devel_missing", "tools.compiler", "tools.archive")
	g.says("ls /var/lib/boxdoctor/run 2>/dev/null", "")
}

// TestOfflineDebian: the same with apt.
func TestOfflineDebian(t *testing.T) {
	g := startGuest(t, "offdeb", "deb", "offline")
	debs := filepath.Join(labDir(), "deb/srv/debs")
	r, _ := g.doctor("fix", "--yes", "--no-reboot", "--only", "tools.install", "--packages", folder(t, debs, "gcc_*", "make_*", "bzip2_*"))
	said := ""
	for _, a := range r.Actions {
		said += a.Message
	}
	if !strings.Contains(said, "still missing") || !strings.Contains(said, "lab-libc-dev") {
		t.Errorf("the missing package is not named: %s", said)
	}
	r, _ = g.doctor("fix", "--yes", "--no-reboot", "--only", "kernel.devel,tools.install", "--packages",
		folder(t, debs, "gcc_*", "make_*", "bzip2_*", "lab-libc-dev_*", "linux-headers-6.1.0-99-amd64_*"))
	g.allDone(r)
	g.want(r, finding.Pass, "kernel.devel_missing", "tools.compiler", "tools.archive")
}

// TestProxyOnlyGuests: no name resolves, and a proxy with a login knows the way. The login stays out of reports.
func TestProxyOnlyGuests(t *testing.T) {
	for root, cases := range map[string][]string{"el": {"repo-both", "uname", "proxy"}, "deb": {"proxy"}} {
		g := startGuest(t, "proxy"+root, root, cases...)
		r, _ := g.doctor("check", "--only", "repositories,kernel")
		g.want(r, finding.Pass, "repositories.way_out")
		if f := g.at(r, "repositories.way_out"); !strings.Contains(f.Message, "http://127.0.0.1:3128") || strings.Contains(f.Message, "geheim") {
			t.Errorf("%s: %s", root, f.Message)
		}
		r, _ = g.doctor("fix", "--yes", "--no-reboot", "--only", "repositories.refresh,kernel.devel")
		g.allDone(r)
		g.want(r, finding.Pass, "kernel.devel_missing")
	}
}

// TestBusyAptIsWaitedFor: another apt holds dpkg's lock for some 20 s; who does is said.
func TestBusyAptIsWaitedFor(t *testing.T) {
	g := startGuest(t, "busyapt", "deb", "busy-apt")
	r, _ := g.doctor("fix", "--yes", "--no-reboot", "--only", "kernel.devel")
	g.allDone(r)
	g.want(r, finding.Pass, "kernel.devel_missing")
	g.says("cat /var/lib/boxdoctor/jobs/*/log | grep -c 'waiting for .*(process [0-9]*'", "1")
}

// TestEndOfLifeDebian is row L18: sources of the archive, whose lists are past their date, and an update that answers.
func TestEndOfLifeDebian(t *testing.T) {
	g := startGuest(t, "eoldeb", "deb", "eol-debian")
	r, _ := g.doctor("check", "--only", "repositories,kernel")
	g.want(r, finding.Fail, "repositories.end_of_life")
	r, _ = g.doctor("fix", "--yes", "--no-reboot", "--only", "repositories.archive,kernel.devel")
	g.allDone(r)
	g.want(r, finding.Pass, "repositories.end_of_life", "kernel.devel_missing")
	g.says("grep -c archive.debian.org /etc/apt/sources.list; find /var/lib/boxdoctor/backup -name sources.list | wc -l", "3\n1")
}

// TestHardenedGuest: /tmp forbids programs (S10), the ISO cannot be mounted (S9), sudo wants a terminal and a password
// (S11), there is no SFTP (S12). The real installer builds all the same.
func TestHardenedGuest(t *testing.T) {
	g := startGuest(t, "harden", "el-tools", "noexec", "no-loop", "sudo-password", "sudo-tty", "no-sftp")
	g.env = []string{"BOXDOCTOR_SUDO_PASSWORD_HARDEN=vagrant"}
	r, _ := g.doctor("check", "--only", "sudo.usable,space")
	g.want(r, finding.Warn, "space.noexec")
	r, _ = g.doctor("fix", "--yes", "--no-reboot", "--only", "additions.install")
	g.allDone(r)
	g.want(r, finding.Pass, "additions.installed", "additions.version")
	g.says("grep -c 'cut out of it' /var/lib/boxdoctor/jobs/*/log", "1")
}
