package probe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/google/go-cmp/cmp"
)

const recorded = "../../testdata/probe/recorded/"

// replay fills facts from a recorded stream.
func replay(t *testing.T, file string) facts.Guest {
	t.Helper()
	text, err := os.ReadFile(recorded + file)
	must(t, err)
	if !bytes.HasPrefix(text, []byte("# recorded")) {
		t.Errorf("%s does not say where it comes from", file)
	}
	frames, err := Split("RECORDED", bytes.NewReader(text))
	must(t, err)
	g := unasked()
	for _, s := range sections() {
		for _, f := range frames {
			if f.Name == string(s.key) {
				s.fill(&g, s, outcome{frames: frames})
			}
		}
	}
	return g
}

// TestRecordedResolve: what real package managers say, and what is read from it.
func TestRecordedResolve(t *testing.T) {
	const gone, held = "kernel-devel-6.1.0-358.10.2.el9.x86_64", "kernel-devel-6.1.0-696.10.2.el9.x86_64"
	offered := []string{"6.1.0-696.10.2.el9.x86_64"}
	for file, want := range map[string]struct {
		gone, held string
		offers     []string
	}{
		"dnf4-available.txt": {facts.CandMissing, facts.CandAvailable, offered},
		"dnf4-lock.txt":      {facts.CandMissing, facts.CandFiltered, offered},
		"dnf4-exclude.txt":   {facts.CandMissing, facts.CandFiltered, offered},
		"dnf4-dead.txt":      {facts.CandError, facts.CandError, []string{}},
		"dnf4-norepos.txt":   {facts.CandError, facts.CandError, []string{}},
		"dnf5-available.txt": {facts.CandMissing, facts.CandAvailable, offered},
		"dnf5-lock.txt":      {facts.CandMissing, facts.CandFiltered, offered},
		"dnf5-exclude.txt":   {facts.CandMissing, facts.CandFiltered, offered},
		"dnf5-dead.txt":      {facts.CandError, facts.CandError, []string{}},
		// a repository that did not answer could hold the missing one
		"dnf5-onedead.txt": {facts.CandError, facts.CandAvailable, offered},
	} {
		t.Run(file, func(t *testing.T) {
			r, err := replay(t, file).Resolve.Get()
			must(t, err)
			states := map[string]string{}
			for _, c := range r.Candidates {
				states[c.Name] = c.State
				if c.Text == "" || len(c.Text) > textLimit {
					t.Errorf("%s: %d bytes of text", c.Name, len(c.Text))
				}
			}
			if d := cmp.Diff(map[string]string{gone: want.gone, held: want.held}, states); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff([][]string{want.offers, want.offers}, [][]string{r.Kernels, r.DevelFor}); d != "" {
				t.Error(d)
			}
		})
	}
	if r, _ := replay(t, "dnf4-dead.txt").Resolve.Get(); !strings.Contains(r.Text, "Failed to download metadata for repo 'baseos'") {
		t.Errorf("the last words of a manager that did not answer: %q", r.Text)
	}
	if r, _ := replay(t, "dnf5-dead.txt").Resolve.Get(); strings.Count(r.Candidates[0].Text, "Curl error (6)") != 2 {
		t.Errorf("repeated lines are kept once: %q", r.Candidates[0].Text)
	}
}

func TestRecordedLocks(t *testing.T) {
	g := replay(t, "dnf4-lock.txt")
	l, err := g.Locks.Get()
	must(t, err)
	list := "/etc/dnf/plugins/versionlock.list"
	want := []facts.Lock{
		{Kind: facts.LockDNF, File: list, Line: 3, Entry: "kernel-devel-0:6.1.0-400.1.1.el9.*"},
		{Kind: facts.LockDNF, File: list, Line: 6, Entry: "kernel-headers-0:6.1.0-400.1.1.el9.*"},
	}
	if d := cmp.Diff(want, l.Entries); d != "" || !l.DNFPluginEnabled || l.YumPluginEnabled {
		t.Errorf("%s plugin %v", d, l.DNFPluginEnabled)
	}
	for _, f := range l.Files {
		if f.Path == list && (len(f.Content) != 156 || f.Content[0] != '\n') {
			t.Errorf("the list has 156 bytes in the guest, got %d: %q", len(f.Content), f.Content)
		}
	}
	k, err := g.Kernel.Get()
	must(t, err)
	if k.Default != "6.1.0-358.10.2.el9.x86_64" || k.DefaultFrom != "grubenv" || len(k.Trees) != 1 || k.Trees[0].BuildOK {
		t.Errorf("%+v", k)
	}
	p, err := g.Packages.Get()
	must(t, err)
	if len(p.Installed) != 4 || p.Installed[0] != (facts.Package{Name: "kernel", Version: "6.1.0-358.10.2.el9", Arch: "x86_64"}) {
		t.Errorf("%+v", p.Installed)
	}
	g = replay(t, "dnf5-lock.txt")
	l, err = g.Locks.Get()
	must(t, err)
	if d := cmp.Diff([]facts.Lock{{Kind: facts.LockDNF5, File: "/etc/dnf/versionlock.toml", Line: 4, Entry: "kernel-devel"}}, l.Entries); d != "" {
		t.Error(d)
	}
	if s, err := g.System.Get(); err != nil || s.Manager != "dnf5" {
		t.Errorf("%+v %v", s, err)
	}
}

// prefixed makes a block of a section out of a file of recordings, from the line after `$ COMMAND` on.
func prefixed(t *testing.T, file, command string) string {
	t.Helper()
	text, err := os.ReadFile(recorded + file)
	must(t, err)
	_, rest, ok := strings.Cut(string(text), "\n")
	if command != "" {
		_, rest, ok = strings.Cut(rest, "$ "+command+"\n")
		rest, _, _ = strings.Cut(rest, "\n$ ")
	}
	if !ok {
		t.Fatalf("%s has no %q", file, command)
	}
	return "| " + strings.ReplaceAll(strings.TrimSuffix(rest, "\n"), "\n", "\n| ") + "\n"
}

func TestRecordedAdditions(t *testing.T) {
	const file = "guest-ga-7.0.20-on-virtualbox-7.2.22.txt"
	a, err := parseAdditions(parseBody([]byte("=hostversion 0\n" + prefixed(t, file, "sudo VBoxControl guestproperty get /VirtualBox/HostInfo/VBoxVer") +
		"=sharesrc 0\n=shares 0\n" + prefixed(t, file, "sudo VBoxControl sharedfolder list"))))
	if err != nil || a.HostVersion != "7.2.22" || !reflect.DeepEqual(a.ShareNames, []string{"home_rc_"}) {
		t.Errorf("%+v %v", a, err)
	}
	m, err := parseMounts(parseBody([]byte("=mounts 0\n" + prefixed(t, file, "cat /proc/mounts | grep vboxsf"))))
	want := []facts.Mount{{Source: "home_rc_", Target: "/home/rc", FS: "vboxsf", Options: []string{"rw", "nodev", "relatime", "iocharset=utf8", "uid=1000", "gid=1000"}}}
	if d := cmp.Diff(want, m.VBoxSF); err != nil || d != "" {
		t.Error(err, d)
	}
}

func TestRecordedLogs(t *testing.T) {
	install, setup := prefixed(t, "ga-7.0.20-vboxadd-install.log", ""), prefixed(t, "ga-7.0.20-vboxadd-setup.log", "")
	log := func(name string, at int, text string) string {
		return fmt.Sprintf("=log 644 1 %d /var/log/%s\n%s", at, name, text)
	}
	for _, c := range []struct {
		name, in, path string
		has, hasNot    string
	}{
		{"one run: both, the newest last", log("vboxadd-setup.log", 1000, setup) + log("vboxadd-install.log", 1030, install), "/var/log/vboxadd-install.log",
			"Building the shared folder support module.", ""},
		{"two runs: only the newest", log("vboxadd-setup.log", 5000, setup) + log("vboxadd-install.log", 1030, install), "/var/log/vboxadd-setup.log",
			"Building the graphics driver module.", "Kernel headers not found"},
		{"folded lines stay folded", log("vboxadd-install.log", 1030, install), "/var/log/vboxadd-install.log", "target kernel \n6.1.0-56-amd64. Please", ""},
		{"none", "=dmesg 0\n| [ 1.0] vboxguest: x\n", "", "", "x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, err := parseGALog(parseBody([]byte(c.in)))
			must(t, err)
			if g.Path != c.path || !strings.Contains(g.Text, c.has) || c.hasNot != "" && strings.Contains(g.Text, c.hasNot) {
				t.Errorf("%+v", g)
			}
			if c.path == "" && g.DMesg != "[ 1.0] vboxguest: x" {
				t.Errorf("%+v", g)
			}
		})
	}
	if _, err := parseGALog(parseBody([]byte("=unreadable /var/log/vboxadd-setup.log\n"))); err == nil || !strings.Contains(err.Error(), "/var/log/vboxadd-setup.log") {
		t.Errorf("an unreadable log is not the absence of one: %v", err)
	}
	big := "=log 644 1 5 /var/log/vboxadd-setup.log\n" + strings.Repeat("| é line\n", 20000)
	if g, err := parseGALog(parseBody([]byte(big))); err != nil || len(g.Text) > logLimit || !strings.HasPrefix(g.Text, "é line\n") {
		t.Errorf("%d bytes, %v", len(g.Text), err)
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext\n":                       "plain\ttext\n",
		"\x1b[31mred\x1b[0m":                  "red",
		"\x1b]0;title\x07after":               "after",
		"\x1b]8;;http://x\x1b\\link":          "link",
		"\x1bPq#0\x1b\\sixel":                 "sixel",
		"\x1b(Bx\x1b=y\x1b":                   "xy",
		"a\rb\bc\x00d\x7f":                    "abcd",
		"CR\r\nLF":                            "CR\nLF",
		"\xff\xfebad":                         "\uFFFDbad",
		"c1 \u009b31m \u0085x":                "c1 31m x",
		"bidi \u202e\u2066x\u200f":            "bidi x",
		"\x1b]unterminated\nnext line stays ": "\nnext line stays ",
		"é ü 漢 \uFFFD":                        "é ü 漢 \uFFFD",
		"\x1b\x1b[31m[31mx":                   "[31mx",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b[31m\x1b]0;\x07\u202e\xff\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		out := Clean(in)
		if !utf8.ValidString(out) || strings.ContainsAny(out, "\x1b\r\x00\x07\u202e") {
			t.Errorf("Clean(%q) = %q", in, out)
		}
		if again := Clean(out); again != out {
			t.Errorf("Clean is not stable: %q then %q", out, again)
		}
	})
}

func TestDumpedContentIsExact(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"=file 644 4 0 /f\n| abc\n\n", "abc\n"},
		{"=file 644 3 0 /f\n| abc\n", "abc"},
		{"=file 644 5 0 /f\n| abc\n| \n\n", "abc\n\n"},
		{"=file 644 1 0 /f\n| \n\n", "\n"},
		{"=file 644 0 0 /f\n\n", ""},
		{"=file 644 5 0 /f\n| abc\r\n\n", "abc\r\n"},
		{"=file 600 6 0 /f with space\n| =x y\n\n", "=x y\n"},
	} {
		b := parseBody([]byte(c.in))
		got := b.configs()
		if len(got) != 1 || got[0].Content != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
	// what could harm a terminal is cleaned, and so no longer has the guest's hash
	b := parseBody([]byte("=file 644 9 0 /f\n| a\x1b[31mb\n"))
	if got := b.configs()[0].Content; got != "ab\n" {
		t.Errorf("got %q", got)
	}
	if got := (fact{name: "file", value: "644 0 0 relative"}); true {
		if _, ok := got.dumped(); ok {
			t.Error("a path that is not absolute")
		}
	}
}

func TestSudoState(t *testing.T) {
	for text, want := range map[string]string{
		"sudo: a password is required":                                                             facts.SudoPassword,
		"sudo: sorry, a password is required to run sudo":                                          facts.SudoPassword,
		"sudo: unable to resolve host c7\nsudo: no tty present and no askpass program specified":   facts.SudoPassword,
		"sudo: interactive authentication is required":                                             facts.SudoPassword,
		"sudo: sorry, you must have a tty to run sudo":                                             facts.SudoTTY,
		"Sorry, user vagrant is not allowed to execute '/bin/true' as root on box.":                facts.SudoDenied,
		"vagrant is not in the sudoers file.  This incident will be reported.":                     facts.SudoDenied,
		"Sorry, user vagrant may not run sudo on box.":                                             facts.SudoDenied,
		"I'm sorry vagrant. I'm afraid I can't do that":                                            facts.SudoDenied,
		"sudo: /etc/sudo.conf is owned by uid 1000, should be 0":                                   facts.SudoBroken,
		"sudo: effective uid is not 0, is /usr/bin/sudo on a file system with the 'nosuid' option": facts.SudoBroken,
		"": facts.SudoBroken,
	} {
		in := "=uid 1000\n=user vagrant\n=sudo /usr/bin/sudo\n=answer 1\n| " + strings.ReplaceAll(text, "\n", "\n| ") + "\n"
		if got, err := parseSudo(parseBody([]byte(in))); err != nil || got.State != want || got.Text != text {
			t.Errorf("%q: %+v %v, want %s", text, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"=uid 0\n=user root\n=sudo \n=answer \n":                                               facts.SudoRoot,
		"=uid 0\n=user vagrant\n=sudo /usr/bin/sudo\n=answer \n":                               facts.SudoOK,
		"=uid 1000\n=user v\n=sudo \n=answer \n":                                               facts.SudoMissing,
		"=uid 1000\n=user v\n=sudo /bin/sudo\n=answer 0\n| sudo: unable to resolve host box\n": facts.SudoOK,
	} {
		if got, err := parseSudo(parseBody([]byte(in))); err != nil || got.State != want {
			t.Errorf("%q: %+v %v, want %s", in, got, err, want)
		}
	}
}

func TestDefaultKernel(t *testing.T) {
	for _, c := range []struct{ name, in, want, from string }{
		{"grubby", "=grubby 5.14.0-1.el9.x86_64\n=image 6.0.0-1.el9.x86_64\n", "5.14.0-1.el9.x86_64", "grubby"},
		{"EL6 grub.conf", "=grubconf 0\n| default=1\n| timeout=5\n| title CentOS (a)\n| \troot (hd0,0)\n| \tkernel /vmlinuz-2.6.32-358.23.2.el6.x86_64 ro\n| title CentOS (b)\n| \tkernel /vmlinuz-2.6.32-358.10.2.el6.x86_64 ro\n",
			"2.6.32-358.10.2.el6.x86_64", "grub.conf"},
		{"grub.conf without that entry", "=grubconf 0\n| default=7\n| title a\n| kernel /vmlinuz-1\n", "", "grub.conf"},
		{"EL7 title", "=grubenv 0\n| saved_entry=CentOS Linux (3.10.0-1127.el7.x86_64) 7 (Core)\n", "3.10.0-1127.el7.x86_64", "grubenv"},
		{"BLS id", "=grubenv 0\n| saved_entry=abc-5.14.0-2.el9.x86_64\n=bls 0\n| /boot/loader/entries/abc-5.14.0-3.el9.x86_64.conf:version 5.14.0-3.el9.x86_64\n| /boot/loader/entries/abc-5.14.0-2.el9.x86_64.conf:version 5.14.0-2.el9.x86_64\n",
			"5.14.0-2.el9.x86_64", "grubenv"},
		{"BLS number counts from the newest", "=grubenv 0\n| saved_entry=1\n=bls 0\n| /e/a-5.14.0-2.el9.x86_64.conf:version 5.14.0-2.el9.x86_64\n| /e/a-0-rescue.conf:version 0-rescue\n| /e/a-5.14.0-10.el9.x86_64.conf:linux /vmlinuz-5.14.0-10.el9.x86_64\n",
			"5.14.0-2.el9.x86_64", "grubenv"},
		{"BLS without saved entry", "=bls 0\n| /e/a-5.14.0-2.el9.x86_64.conf:version 5.14.0-2.el9.x86_64\n| /e/a-5.14.0-10.el9.x86_64.conf:version 5.14.0-10.el9.x86_64\n", "5.14.0-10.el9.x86_64", "grubenv"},
		{"Debian first entry", "=grubdefault 0\n=grubcfg \tlinux\t/boot/vmlinuz-6.1.0-56-amd64 root=x\n=image 6.1.0-57-amd64\n", "6.1.0-56-amd64", "grub.cfg"},
		{"Debian, chosen by its id (boxdoctor's drop-in)", "=grubdefault \"gnulinux-advanced-0a1b>gnulinux-6.1.0-21-amd64-advanced-0a1b\"\n=grubcfg linux /boot/vmlinuz-6.1.0-56-amd64\n=image 6.1.0-57-amd64\n", "6.1.0-21-amd64", "GRUB_DEFAULT"},
		{"SUSE, saved by its id", "=grubenv 0\n| saved_entry=gnulinux-advanced-0a1b>gnulinux-6.4.0-150600.23.7-default-advanced-0a1b\n=image 6.4.0-150600.23.14-default\n", "6.4.0-150600.23.7-default", "grubenv"},
		{"Debian chosen entry", "=grubdefault \"1>2\"\n=grubcfg linux /boot/vmlinuz-6.1.0-56-amd64\n=image 6.1.0-57-amd64\n", "", ""},
		{"newest image", "=image 6.1.0-9-amd64\n=image 6.1.0-10-amd64\n", "6.1.0-10-amd64", "newest"},
		{"nothing", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, err := parseKernel(parseBody([]byte("=running x\n" + c.in)))
			if err != nil || k.Default != c.want || k.DefaultFrom != c.from {
				t.Errorf("got %q from %q, %v; want %q from %q", k.Default, k.DefaultFrom, err, c.want, c.from)
			}
		})
	}
}

// TestCandidates: the managers' exact words.
func TestCandidates(t *testing.T) {
	for _, c := range []struct{ manager, rc, text, want string }{
		{"yum", "1", "No package kernel-devel-2.6.32-358.23.2.el6.x86_64 available.\nError: Nothing to do", facts.CandMissing},
		{"yum", "0", "Warning: No matches found for: kernel-devel\nNo Matches found", facts.CandMissing},
		{"yum", "1", "Excluding 3 updates due to versionlock (use \"yum versionlock status\" to show them)\nNo package x available.", facts.CandMissing},
		{"yum", "1", "Transaction Summary\n====\nInstall       1 Package(s)\n\nTotal download size: 8.1 M\nExiting on user Command", facts.CandAvailable},
		{"yum", "1", "http://x/repodata/repomd.xml: [Errno 14] PYCURL ERROR 6 - \"Couldn't resolve host 'x'\"\nError: Cannot retrieve repository metadata (repomd.xml) for repository: base.", facts.CandError},
		{"yum", "1", "YumRepo Error: All mirror URLs are not using ftp, http[s] or file.", facts.CandError},
		{"yum", "1", "Cannot find a valid baseurl for repo: base/7/x86_64", facts.CandError},
		{"yum", "1", "Existing lock /var/run/yum.pid: another copy is running as pid 900.", facts.CandError},
		{"yum", "1", "Command line error: no such option: --assumeno", facts.CandError},
		{"yum", "0", "Package kernel-devel-2.6.32-358.el6.x86_64 already installed and latest version\nNothing to do", facts.CandInstalled},
		{"dnf", "1", "Error: Failed to download metadata for repo 'appstream': Cannot prepare internal mirrorlist: No URLs in mirrorlist", facts.CandError},
		{"dnf", "1", "Ignoring repositories: epel\nDependencies resolved.\nTransaction Summary\nOperation aborted.", facts.CandAvailable},
		{"dnf", "0", "Package kernel-devel-5.14.0-1.el9.x86_64 is already installed.\nDependencies resolved.\nNothing to do.\nComplete!", facts.CandInstalled},
		{"dnf", "1", "something new", facts.CandError},
		{"apt", "100", "E: Package 'linux-headers-x' has no installation candidate", facts.CandMissing},
		{"apt", "0", "Inst linux-headers-6.1.0-56-amd64 (6.1.187-1 Debian:12/stable [amd64])", facts.CandAvailable},
		{"apt", "0", "linux-headers-6.1.0-56-amd64 is already the newest version (6.1.187-1).", facts.CandInstalled},
		{"apt", "100", "E: Could not get lock /var/lib/dpkg/lock-frontend", facts.CandError},
		{"apt", "100", "E: Held packages were changed and -y was used without --allow-change-held-packages.", facts.CandFiltered},
		{"zypper", "7", "System management is locked by the application with pid 70 (zypper).", facts.CandError},
		{"zypper", "104", "No provider of 'x' found.", facts.CandMissing},
		{"pacman", "1", "error: target not found: linux-headers", facts.CandMissing},
		{"dnf", "124", "", facts.CandError},
		{"dnf", "installed", "", facts.CandInstalled},
		{"dnf", "late", "", facts.CandError},
		{"dnf", "127", "sh: dnf: not found", facts.CandError},
	} {
		in := "=manager " + c.manager + "\n=aptlists yes\n=candidate x\n=answer " + c.rc + "\n| " + strings.ReplaceAll(c.text, "\n", "\n| ") + "\n"
		r, err := parseResolve(parseBody([]byte(in)))
		if err != nil || len(r.Candidates) != 1 || r.Candidates[0].State != c.want || r.Candidates[0].Name != "x" {
			t.Errorf("%s %q: %+v %v, want %s", c.manager, c.text, r.Candidates, err, c.want)
		}
	}
	r, _ := parseResolve(parseBody([]byte("=manager apt\n=candidate x\n=answer 100\n| E: Unable to locate package x\n")))
	if r.Candidates[0].State != facts.CandError || !strings.Contains(r.Candidates[0].Text, "no package lists") {
		t.Errorf("apt without lists knows nothing: %+v", r.Candidates)
	}
}

func TestReposOf(t *testing.T) {
	got := append(reposOf("/etc/yum.repos.d/x.repo", "[a]\nname = A b\nBASEURL=https://u:p@h/x,http://i/y\nenabled=False\ngpgcheck=0\n; c\n[b]\nmetalink=https://m/\n[main]\nx=y\n"),
		reposOf("/etc/apt/sources.list", "deb\thttp://h/ubuntu  xenial main\ndeb [ arch=amd64 trusted=yes ] file:/srv ./\n deb http://i x\n# deb http://j x y\ndeb-src\nrpm http://x y z\n")...)
	want := []facts.Repo{
		{ID: "a", Name: "A b", File: "/etc/yum.repos.d/x.repo", BaseURL: "https://h/x", GPGCheck: "0"},
		{ID: "b", File: "/etc/yum.repos.d/x.repo", Enabled: true, MirrorList: "https://m/"},
		{ID: "xenial", Name: "deb main", File: "/etc/apt/sources.list", Enabled: true, BaseURL: "http://h/ubuntu"},
		{ID: "./", Name: "deb", File: "/etc/apt/sources.list", Enabled: true, BaseURL: "file:/srv", GPGCheck: "trusted=yes"},
		{ID: "x", Name: "deb", File: "/etc/apt/sources.list", Enabled: true, BaseURL: "http://i"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestOctalAndFields(t *testing.T) {
	got := mountLines([]string{`my\040share /home/a\011b\134c vboxsf rw 0 0`, `# x y z u`, "", "a b c", `\999 /x ext4 ro`})
	want := []facts.Mount{{Source: "my share", Target: "/home/a\tb\\c", FS: "vboxsf", Options: []string{"rw"}}, {Source: `\999`, Target: "/x", FS: "ext4", Options: []string{"ro"}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// FuzzSections: no section's parser panics or lets a control character through, whatever the guest prints.
func FuzzSections(f *testing.F) {
	names := []string{}
	for i, s := range sections() {
		names = append(names, string(s.key))
		f.Add(i, []byte("=x 1\n| y\n"))
	}
	list, _ := filepath.Glob(recorded + "dnf*.txt")
	for _, file := range list {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		frames, _ := Split("RECORDED", bytes.NewReader(text))
		for _, fr := range frames {
			for i, n := range names {
				if n == fr.Name {
					f.Add(i, fr.Body)
				}
			}
		}
	}
	f.Add(3, []byte("=running x\n=tree \x1b[31m\n=vbox 0\n| /lib/modules/a/misc/vboxsf.ko\n=grubconf 0\n| default=-1\n| title\n| kernel\n=grubenv 0\n| saved_entry=99999999999\n"))
	f.Add(7, []byte("=path /\n=blocks 0\n| x 1 1 1 1% /\n=inodes 0\n| x - - - - /\n=mounts 0\n| a / c d\n"))
	f.Add(14, []byte("=mounts 0\n| \\033 / vboxsf x\n=wanted \n=owner 1\n=wantgroup ::\n"))
	f.Fuzz(func(t *testing.T, which int, in []byte) {
		all := sections()
		s := all[(which%len(all)+len(all))%len(all)]
		g := unasked()
		s.fill(&g, s, outcome{frames: []Frame{{Name: string(s.key), Body: in, Done: true}}, start: time.Unix(0, 0), arrived: time.Unix(1, 0)})
		g.Repos, g.Locks = withoutFiles(g) // file contents are exact bytes when harmless: CR LF is kept
		out, err := json.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		must(t, json.Unmarshal(out, &v))
		eachString(v, func(text string) {
			if strings.ContainsAny(text, "\x1b\r\x00\x7f\u202e\u009b") {
				t.Errorf("%q in %s", text, out)
			}
		})
	})
}

func withoutFiles(g facts.Guest) (facts.Value[facts.Repos], facts.Value[facts.Locks]) {
	if r, err := g.Repos.Get(); err == nil {
		r.Files = nil
		g.Repos = facts.Known(r)
	}
	if l, err := g.Locks.Get(); err == nil {
		l.Files = nil
		g.Locks = facts.Known(l)
	}
	return g.Repos, g.Locks
}

func eachString(v any, do func(string)) {
	switch v := v.(type) {
	case string:
		do(v)
	case []any:
		for _, x := range v {
			eachString(x, do)
		}
	case map[string]any:
		for k, x := range v {
			do(k)
			eachString(x, do)
		}
	}
}

// What a guest says of its mounts beyond the mounts: who uses them, what is stale, what fstab holds.
func TestMountFacts(t *testing.T) {
	m, err := parseMounts(parseBody([]byte(`=mounts 0
| /dev/sda1 / xfs rw,relatime 0 0
| vagrant /srv/my\040project vboxsf rw,uid=1000 0 0
| overlay /etc overlay ro 0 0
=file 644 45 1700000000 /etc/fstab
| #VAGRANT-BEGIN
| vagrant /vagrant vboxsf uid=1000 0
=groups vagrant adm vboxsf
=sharegroup vboxsf:x:999:vagrant
=tool rsync /usr/bin/rsync
=tool sshfs 
=web nginx
=sendfile /etc/nginx/nginx.conf
=holders /srv/my\040project 0
| 812 bash
| 900 web server
| evil
=wanted /vagrant
=stale it is no folder
`)))
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Holders) != 2 || m.Holders[1] != (facts.Holder{PID: "900", Name: "web server", Target: "/srv/my project"}) {
		t.Errorf("holders %+v", m.Holders)
	}
	if !m.EtcReadOnly || !m.ShareGroup || len(m.Groups) != 3 || m.Tools["rsync"] == "" || m.Tools["sshfs"] != "" || m.Wanted[0].Stale != "it is no folder" {
		t.Errorf("%+v", m)
	}
	if m.FSTabFile.Path != "/etc/fstab" || !strings.HasPrefix(m.FSTabFile.Content, "#VAGRANT-BEGIN\nvagrant") || len(m.WebServers) != 1 || len(m.Sendfile) != 1 {
		t.Errorf("%+v", m.FSTabFile)
	}
}
