package packages_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/packages"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

var all = []string{"yum", "dnf", "dnf5", "apt", "zypper", "pacman"}

func of(t *testing.T, name string) packages.Manager {
	t.Helper()
	m, ok := packages.Of(name)
	if !ok {
		t.Fatalf("no manager %q", name)
	}
	return m
}

// Every family can do all that the rest of the program asks for.
func TestEveryFamilyIsWhole(t *testing.T) {
	for _, name := range all {
		m := of(t, name)
		if len(m.Install(packages.Install{Names: []string{"gcc"}})) < 3 || len(m.InstallFiles([]string{"/x"}, true)) < 3 || len(m.Remove) < 2 {
			t.Errorf("%s lacks a command", name)
		}
		if m.Undo == "" || m.Refresh == "" || m.List("x") == "" || m.ExtraKernels == "" || m.InstallByHand("x") == "" || m.Cache == "" {
			t.Errorf("%s lacks words", name)
		}
		if (m.Clean == nil) != (name == "pacman") {
			t.Errorf("%s: clean %v", name, m.Clean)
		}
	}
	if m, ok := packages.Of("emerge"); ok || m.Install(packages.Install{Names: []string{"x"}}) != nil || len(m.Locks("", "x")) != 0 ||
		m.Offers("list", nil) != nil || m.InstallByHand("x") != "" || m.Unlock(facts.Lock{}, "x", "x") != "" {
		t.Error("an unknown manager knows something")
	}
}

func TestInstallCommands(t *testing.T) {
	vault := packages.Repository{ID: "old", URL: "https://example.org/os/", Key: "/etc/key"}
	for _, c := range []struct {
		manager string
		install packages.Install
		want    string
	}{
		{"yum", packages.Install{LiftExcludes: true}, "yum -y --disableexcludes=all install k"},
		{"yum", packages.Install{Lenient: true}, "yum -y install k"},
		{"dnf", packages.Install{LiftExcludes: true}, "dnf -y --disableexcludes=all install k"},
		{"dnf", packages.Install{Lenient: true}, "dnf -y --setopt=strict=0 install k"},
		{"dnf", packages.Install{Repository: vault}, "dnf -y --repofrompath=old,https://example.org/os/ --setopt=old.gpgcheck=1 --setopt=old.gpgkey=file:///etc/key install k"},
		{"dnf5", packages.Install{LiftExcludes: true, Lenient: true}, "dnf5 -y --setopt=disable_excludes=* install --skip-unavailable k"},
		{"apt", packages.Install{}, "apt-get -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold install --no-install-recommends k"},
		{"zypper", packages.Install{}, "zypper --non-interactive install --oldpackage k"},
		{"pacman", packages.Install{}, "pacman -S --noconfirm --needed k"},
	} {
		c.install.Names = []string{"k"}
		if got := strings.Join(of(t, c.manager).Install(c.install), " "); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.manager, got, c.want)
		}
	}
}

// A command that was made may be added to without changing the next one.
func TestCommandsAreCopies(t *testing.T) {
	for _, name := range all {
		m := of(t, name)
		first := append(m.InstallFiles([]string{"/a"}, false), "tail")
		if second := m.InstallFiles([]string{"/b"}, true); slices.Contains(second, "/a") || slices.Contains(second, "tail") || !slices.Contains(first, "/a") {
			t.Errorf("%s: %v and %v share memory", name, first, second)
		}
	}
}

// The words of the managers as they are known, EL5 to Fedora, and what they mean. synthetic, but for dnf, dnf5, apt,
// zypper and pacman, whose texts were seen in the container lab.
func TestAnswers(t *testing.T) {
	for _, c := range []struct{ manager, text, code, want string }{
		{"yum", "Resolving Dependencies\nTransaction Summary\nInstall  1 Package\nExiting on user Command", "1", facts.CandAvailable},
		{"yum", "Exiting on user command", "1", facts.CandAvailable},
		{"yum", "No package kernel-devel-2.6.18-398.el5 available.\nNothing to do", "0", facts.CandMissing}, // EL5
		{"yum", "No package kernel-devel-3.10.0-1127.el7.x86_64 available.\nError: Nothing to do", "1", facts.CandMissing},
		{"yum", "Package kernel-devel-2.6.32-1.el6.x86_64 already installed and latest version\nNothing to do", "0", facts.CandInstalled},
		{"yum", "Error: Cannot find a valid baseurl for repo: base", "1", facts.CandError},                                        // EL6, EL7
		{"yum", "YumRepo Error: All mirror URLs are not using ftp, http[s] or file.\nEg. Invalid release/", "1", facts.CandError}, // EL5, EL6
		{"yum", "Error: Cannot retrieve repository metadata (repomd.xml) for repository: base.", "1", facts.CandError},            // EL5, EL6
		{"yum", "14: curl#6 - \"Could not resolve host: mirrorlist.centos.org; Unknown error\"", "1", facts.CandError},
		{"yum", "http://vault.centos.org/7.6.1810/os/x86_64/repodata/repomd.xml: [Errno 14] HTTP Error 404 - Not Found", "1", facts.CandError},
		{"yum", "  File \"/usr/bin/yum\", line 30\n    except KeyboardInterrupt, e:\nSyntaxError: invalid syntax", "1", facts.CandError},
		{"yum", "There was a problem importing one of the Python modules required to run yum.\n   No module named yum", "1", facts.CandError},
		{"dnf", "All matches were filtered out by exclude filtering for argument: kernel-devel\nError: Unable to find a match: kernel-devel", "1", facts.CandFiltered},
		{"dnf", "Error: Unable to find a match: kernel-devel-5.14.0-162.6.1.el9_1.x86_64", "1", facts.CandMissing},
		{"dnf", "Error: Unknown repo: 'C*-base'", "1", facts.CandError},
		{"dnf", "Error: Failed to download metadata for repo 'appstream': Cannot prepare internal mirrorlist: No URLs in mirrorlist", "1", facts.CandError},
		{"dnf", "Transaction Summary\nOperation aborted.", "1", facts.CandAvailable},
		{"dnf5", "Failed to resolve the transaction:\nArgument 'kernel-devel' matches only packages excluded by versionlock.", "1", facts.CandFiltered},
		{"dnf5", "No match for argument: kernel-devel-1-1", "1", facts.CandMissing},
		{"apt", "E: Held packages were changed and -y was used without --allow-change-held-packages.", "100", facts.CandFiltered},
		{"apt", "E: Error, pkgProblemResolver::Resolve generated breaks, this may be caused by held packages.", "100", facts.CandFiltered},
		{"apt", "E: Unable to locate package linux-headers-6.1.0-9-amd64", "100", facts.CandMissing},
		{"apt", "E: Package 'linux-headers-1' has no installation candidate", "100", facts.CandMissing},
		{"apt", "Inst linux-headers-6.1.0-9-amd64 (6.1.27-1 Debian:12 [amd64])", "0", facts.CandAvailable},
		{"apt", "E: Could not get lock /var/lib/dpkg/lock-frontend", "100", facts.CandError},
		{"zypper", "System management is locked by the application with pid 12 (zypper).", "7", facts.CandError},
		{"zypper", "'kernel-default-devel = 6.4' not found in package names. Trying capabilities.\nNo provider of 'kernel-default-devel = 6.4' found.", "104", facts.CandMissing},
		{"zypper", "Problem: conflicting requests\n Solution 1: remove lock to allow installation of kernel-default-devel-6.4.0-150600.23.7.3.x86_64[lab]", "4", facts.CandFiltered},
		{"pacman", "error: target not found: linux-headers", "1", facts.CandMissing},
		{"pacman", "error: failed to synchronize all databases (unable to lock database)", "1", facts.CandError},
		{"pacman", "linux-headers 6.9.1.arch1-1", "0", facts.CandAvailable},
		{"dnf", "something nobody has seen", "1", facts.CandError},
	} {
		if got := of(t, c.manager).Answer(c.text, c.code); got != c.want {
			t.Errorf("%s %q: %s, want %s", c.manager, c.text, got, c.want)
		}
	}
}

func toml(entries ...string) string { return "version = \"1.0\"\n\n" + strings.Join(entries, "\n") }

func tomlPackage(name string, conditions ...string) string {
	out := "[[packages]]\nname = \"" + name + "\" # why\ncomment = \"value = 1\"\n"
	for _, c := range conditions {
		w := strings.Fields(c)
		out += "[[packages.conditions]]\nkey = \"" + w[0] + "\"\ncomparator = \"" + w[1] + "\"\nvalue = \"" + w[2] + "\"\n"
	}
	return out
}

// dnf5's comparators are not all "=": ranges and excluded versions are entries, too.
func TestTOMLConditions(t *testing.T) {
	for _, c := range []struct {
		name, content, pkg string
		blocked            bool
	}{
		{"the version", toml(tomlPackage("kernel-devel", "evr = 6.1.0-1.fc43")), "kernel-devel-6.1.0-1.fc43.x86_64", false},
		{"with its epoch", toml(tomlPackage("kernel-devel", "evr == 0:6.1.0-1.fc43")), "kernel-devel-6.1.0-1.fc43.x86_64", false},
		{"inline tables", toml("[[packages]]\nname = 'kernel-devel'\nconditions = [\n { key = \"evr\", comparator = \">=\", value = \"6.1\" }, # from\n { key=\"evr\", comparator=\"<\", value='6.2' } ]\n"), "kernel-devel-6.2.0-1.fc43.x86_64", true},
		{"another version", toml(tomlPackage("kernel-devel", "evr = 6.1.0-2.fc43")), "kernel-devel-6.1.0-1.fc43.x86_64", true},
		{"another package", toml(tomlPackage("kernel", "evr = 6.1.0-2.fc43")), "kernel-devel-6.1.0-1.fc43.x86_64", false},
		{"a range that holds it", toml(tomlPackage("kernel*", "evr >= 6.1", "evr < 6.2")), "kernel-devel-6.1.0-1.fc43.x86_64", false},
		{"a range that it is above", toml(tomlPackage("kernel*", "evr >= 6.1", "evr < 6.2")), "kernel-devel-6.2.0-1.fc43.x86_64", true},
		{"a range that it is below", toml(tomlPackage("kernel*", "evr > 6.1.0-1.fc43")), "kernel-devel-6.1.0-1.fc43.x86_64", true},
		{"an excluded version", toml(tomlPackage("kernel-devel", "evr != 6.1.0-1.fc43")), "kernel-devel-6.1.0-1.fc43.x86_64", true},
		{"another excluded version", toml(tomlPackage("kernel-devel", "evr <> 6.0.0-1.fc43")), "kernel-devel-6.1.0-1.fc43.x86_64", false},
		{"at most", toml(tomlPackage("kernel-devel", "evr <= 6.1.0-1.fc43")), "kernel-devel-6.1.0-1.fc43.x86_64", false},
		{"one of two entries allows it", toml(tomlPackage("kernel-devel", "evr = 5.1.0-1.fc43"), tomlPackage("kernel-devel", "evr = 6.1.0-1.fc43")), "kernel-devel-6.1.0-1.fc43.x86_64", false},
		{"its arch", toml(tomlPackage("kernel-devel", "arch = x86_64")), "kernel-devel-6.1.0-1.fc43.x86_64", false},
		{"another arch", toml(tomlPackage("kernel-devel", "arch = aarch64")), "kernel-devel-6.1.0-1.fc43.x86_64", true},
		{"an epoch", toml(tomlPackage("kernel-devel", "epoch = 1")), "kernel-devel-6.1.0-1.fc43.x86_64", true},
		{"no epoch", toml(tomlPackage("kernel-devel", "epoch < 1")), "kernel-devel-6.1.0-1.fc43.x86_64", false},
		{"what dnf5 does not understand is left out", toml(tomlPackage("kernel-devel", "evr ~ 5", "colour = red", "epoch = x", "arch < x86_64")), "kernel-devel-6.1.0-1.fc43.x86_64", false},
		{"an entry without conditions locks nothing", toml(tomlPackage("kernel-devel")), "kernel-devel-6.1.0-1.fc43.x86_64", false},
		{"other comparators beside the version", toml(tomlPackage("kernel-devel", "evr = 5.1.0-1.fc43", "arch = x86_64")), "kernel-devel-6.1.0-1.fc43.x86_64", true},
	} {
		p, err := version.ParseNEVRA(c.pkg)
		if err != nil {
			t.Fatal(err)
		}
		entries := of(t, "dnf5").Locks("/etc/dnf/versionlock.toml", c.content)
		if got := packages.TOMLBlocks(c.content, entries, p); (len(got) > 0) != c.blocked {
			t.Errorf("%s: %v, want blocked %v", c.name, got, c.blocked)
		}
	}
}

func TestRelock(t *testing.T) {
	to := map[string]string{"kernel": "6.2.0-1.fc43", "kernel-devel": "6.2.0-1.fc43"}
	for _, c := range []struct{ name, manager, before, after string }{
		{"yum", "yum", "# x\n0:kernel-2.6-1.*\n0:gcc-4-1.*\n!0:kernel-2.5-1.*\n", "# x\n0:kernel-6.2.0-1.fc43.*\n0:gcc-4-1.*\n!0:kernel-2.5-1.*\n"},
		{"dnf", "dnf", "kernel*-0:5.14-1.*\nhtop-0:3-1.*\n", "kernel*-0:6.2.0-1.fc43.*\nhtop-0:3-1.*\n"},
		{"dnf: a line that excludes stays", "dnf", "!kernel-0:1-1.*\n", "!kernel-0:1-1.*\n"},
		{"two kernels become one line", "dnf", "kernel-0:5-1.*\nkernel-0:6-1.*\n", "kernel-0:6.2.0-1.fc43.*\n"},
		{"dnf5", "dnf5", toml(tomlPackage("kernel-devel", "evr = 6.1.0-1.fc43"), tomlPackage("htop", "evr = 3-1")),
			toml(tomlPackage("kernel-devel", "evr = 6.2.0-1.fc43"), tomlPackage("htop", "evr = 3-1"))},
		{"dnf5: inline", "dnf5", "[[packages]]\nname='kernel'\nconditions = [ { key = \"evr\", value = '5-1', comparator = \"=\" } ]\n",
			"[[packages]]\nname='kernel'\nconditions = [ { key = \"evr\", value = \"6.2.0-1.fc43\", comparator = \"=\" } ]\n"},
		{"dnf5: a range and an excluded version stay", "dnf5", toml(tomlPackage("kernel*", "evr >= 6.1", "evr < 6.2"), tomlPackage("kernel", "evr != 6.1.5-1")),
			toml(tomlPackage("kernel*", "evr >= 6.1", "evr < 6.2"), tomlPackage("kernel", "evr != 6.1.5-1"))},
	} {
		if got := packages.Relock(c.before, of(t, c.manager).Locks("/list", c.before), to); got != c.after {
			t.Errorf("%s: %s", c.name, cmp.Diff(c.after, got))
		}
	}
}

// A line that is not there any more changes nothing.
func TestRelockOfAListThatShrank(t *testing.T) {
	gone := []facts.Lock{{Kind: facts.LockDNF, Line: 7, Entry: "kernel-0:1-1.*"}}
	if got := packages.Relock("kernel-0:1-1.*", gone, map[string]string{"kernel": "9-9"}); got != "kernel-0:1-1.*" {
		t.Errorf("%q", got)
	}
}

func TestLocksOfTheOthers(t *testing.T) {
	names := func(ls []facts.Lock) string {
		var out []string
		for _, l := range ls {
			out = append(out, l.Entry)
		}
		return strings.Join(out, " ")
	}
	for _, c := range []struct{ manager, text, want string }{
		{"apt", "gcc\tinstall\nlinux-headers-amd64\thold\nlibc6:amd64\thold\n", "linux-headers-amd64 libc6:amd64"},
		{"zypper", "\ntype: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: kernel-default*\n\ntype: pattern\nsolvable_name: devel\n\nsolvable_name: gcc\n", "kernel-default* gcc"},
		{"pacman", "[options]\nIgnorePkg = linux linux-headers\n#IgnorePkg = gcc\nIgnoreGroup=base\n[core]\nIgnorePkg = make\n", "linux linux-headers base"},
	} {
		if got := names(of(t, c.manager).Locks("/f", c.text)); got != c.want {
			t.Errorf("%s: %q, want %q", c.manager, got, c.want)
		}
	}
	if got := names(packages.Excludes("/etc/yum.conf", "[main]\nexclude=kernel* centos-release,\n  redhat-release\nexcludepkgs = gcc\n# exclude=x\n")); got != "kernel* centos-release redhat-release gcc" {
		t.Errorf("excludes: %q", got)
	}
}

func TestOffers(t *testing.T) {
	for _, c := range []struct {
		manager string
		lines   string
		want    []packages.Offer
	}{
		{"zypper", "   | kernel-default-devel | package | 5.14.21-150500.55.39.1 | x86_64 | Update\n i | kernel-default | package | 5.14.21-150500.53.2 | x86_64 | (System Packages)",
			[]packages.Offer{{Release: "5.14.21-150500.55.39-default", Devel: true}}},
		{"pacman", "linux-lts 6.6.30-1\nlinux-lts-headers 6.6.30-1\nlinux-zen 6.9.1.zen1-1\nlinux 6.9.arch1-1\nzlib 1",
			[]packages.Offer{{Release: "6.6.30-1-lts"}, {Release: "6.6.30-1-lts", Devel: true}, {Release: "6.9.1-zen1-1"}, {Release: "6.9-arch1-1"}}},
		{"yum", "Installed Packages\nkernel.x86_64 1-1 @base\nAvailable Packages\nkernel-devel.x86_64\n          0:2.6.32-754.el6 base", []packages.Offer{{Release: "2.6.32-754.el6.x86_64", Devel: true}}},
		{"dnf", "kernel 6.1.0-1 x86_64\nkernel-devel 6.1.0-1 x86_64\nLast metadata expiration check", []packages.Offer{{Release: "6.1.0-1.x86_64"}, {Release: "6.1.0-1.x86_64", Devel: true}}},
		{"apt", " linux-headers-6.1.0-9-amd64 | 6.1.27-1 | http://d main/amd64 Packages\nlinux-image-6.1.0-9-amd64 | 1 | http://d Sources", []packages.Offer{{Release: "6.1.0-9-amd64", Devel: true}}},
	} {
		if d := cmp.Diff(c.want, of(t, c.manager).Offers("", strings.Split(c.lines, "\n"))); d != "" {
			t.Errorf("%s: %s", c.manager, d)
		}
	}
}

// FuzzTOML: whatever stands in the file, reading it ends, and pinning again changes nothing that it is not about.
func FuzzTOML(f *testing.F) {
	f.Add(toml(tomlPackage("kernel-devel", "evr = 6.1.0-1.fc43")))
	f.Add("[[packages]]\n[[packages.conditions]]\nvalue = \"")
	f.Fuzz(func(t *testing.T, text string) {
		m, _ := packages.Of("dnf5")
		locks := m.Locks("/f", text)
		packages.TOMLBlocks(text, locks, version.NEVRA{Name: "kernel", EVR: version.EVR{Version: "1", Release: "1"}})
		if got := packages.Relock(text, locks, map[string]string{}); got != text {
			t.Errorf("%q became %q", text, got)
		}
	})
}
