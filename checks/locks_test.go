package checks

import (
	"slices"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

func noLocks(f *facts.Facts) { assesstest.Forget(&f.Guest.Locks) }

// locked: headers are missing, and these entries of a list are there.
func locked(kind, file, content string) func(*facts.Facts) {
	return both(assesstest.NoHeaders, func(f *facts.Facts) {
		assesstest.Locked(f, file, content, assesstest.LockLines(kind, file, content)...)
	})
}

// locks: headers are missing, and these single entries are there.
func locks(entries ...facts.Lock) func(*facts.Facts) {
	return both(assesstest.NoHeaders, func(f *facts.Facts) { assesstest.Locked(f, "", "", entries...) })
}

// asked: the package manager was asked for one package and said only this.
func asked(name, state string) func(*facts.Facts) {
	return func(f *facts.Facts) { assesstest.Offer(f, nil, nil, facts.Candidate{Name: name, State: state}) }
}

// unasked: the package manager was not asked, or its answer took too long.
func unasked(f *facts.Facts) { assesstest.Forget(&f.Guest.Resolve) }

// handmade: the kernel that runs is none of the distribution's.
func handmade(f *facts.Facts) {
	const release = "6.18.44-fc-v669"
	assesstest.Edit(&f.Guest.System, func(s *facts.System) { s.KernelRelease = release })
	assesstest.Edit(&f.Guest.Kernel, func(k *facts.Kernel) {
		k.Running, k.Default, k.BootImages, k.Trees = release, release, nil, []facts.KernelTree{{Release: release}}
	})
}

const (
	dnfList  = "/etc/dnf/plugins/versionlock.list"
	dnf5File = "/etc/dnf/versionlock.toml"
)

func toml(name, comparator, evr string) func(*facts.Facts) {
	content := "version = \"1.0\"\n\n[[packages]]\nname = \"" + name + "\"\n[[packages.conditions]]\nkey = \"evr\"\ncomparator = \"" + comparator + "\"\nvalue = \"" + evr + "\"\n"
	return both(assesstest.NoHeaders, func(f *facts.Facts) {
		assesstest.Locked(f, dnf5File, content, facts.Lock{Kind: facts.LockDNF5, File: dnf5File, Line: 4, Entry: name})
	})
}

var _ = rows("locks.versionlock",
	pass("none", assesstest.CentOS7, as),
	pass("locks, and nothing is needed", assesstest.CentOS7, func(f *facts.Facts) {
		assesstest.Locked(f, "", "", facts.Lock{Kind: facts.LockYum, Entry: "0:kernel-devel-1-1.*"})
	}),
	pass("the lock allows what is needed", assesstest.CentOS7, both(locked(facts.LockYum, assesstest.FoundingList, "0:kernel-devel-3.10.0-1160.119.1.el7.*\n"),
		asked("kernel-devel-3.10.0-1160.119.1.el7.x86_64", facts.CandAvailable))),
	pass("a lock on something else", assesstest.CentOS7, locked(facts.LockYum, assesstest.FoundingList, "0:php-5.4.16-48.el7.*\n")),
	pass("dnf's list is nothing to yum", assesstest.CentOS7, locked(facts.LockDNF, dnfList, "kernel-devel-0:1-1.*\n")),
	pass("the plugin is off", assesstest.CentOS7, both(locked(facts.LockYum, assesstest.FoundingList, "0:kernel-devel-1-1.*\n"), func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Locks, func(l *facts.Locks) { l.YumPluginEnabled = false })
	})),
	fail("founding (L1)", "sudo yum versionlock delete '*:kernel-devel-*'", assesstest.Founding, as),
	fail("founding says the entry and its place", "0:kernel-devel-2.6.32-696.10.2.el6.* (/etc/yum/pluginconf.d/versionlock.list)", assesstest.Founding, as),
	fail("dnf (L2)", "sudo dnf versionlock delete kernel-devel", assesstest.Rocky9, locked(facts.LockDNF, dnfList, "kernel-devel-0:5.14.0-362.8.1.el9_3.*\n")),
	fail("dnf, a glob", "kernel*-0:5.14.0-362.8.1.el9_3.*", assesstest.Rocky9, locked(facts.LockDNF, dnfList, "kernel*-0:5.14.0-362.8.1.el9_3.*\n")),
	fail("dnf, an exclude entry names it", "!kernel-devel-0:5.14.0-427.13.1.el9_4.*", assesstest.Rocky9, locked(facts.LockDNF, dnfList, "!kernel-devel-0:5.14.0-427.13.1.el9_4.*\n")),
	fail("dnf5 (L3)", "sudo dnf5 versionlock delete kernel-devel", assesstest.Fedora43, toml("kernel-devel", "=", "6.16.0-1.fc43")),
	pass("dnf5 allows what is needed", assesstest.Fedora43, both(toml("kernel-devel", "=", "0:6.17.1-300.fc43"), asked("kernel-devel-6.17.1-300.fc43.x86_64", facts.CandAvailable))),
	// Defect 2: the repositories said nothing, and locks on the kernel were called harmless.
	unknown("repositories not asked, a lock on the kernel", assesstest.CentOS7, both(locked(facts.LockYum, assesstest.FoundingList, "0:kernel-1-1.*\n"), unasked)),
	unknown("repositories did not answer, the lock allows the running kernel's", assesstest.CentOS7,
		both(locked(facts.LockYum, assesstest.FoundingList, "0:kernel-devel-3.10.0-1160.119.1.el7.*\n"), asked("kernel-devel-3.10.0-1160.119.1.el7.x86_64", facts.CandError))),
	fail("repositories not asked, the lock covers the running kernel's devel package", "kernel-devel-3.10.0-1160.119.1.el7.x86_64 cannot be installed", assesstest.CentOS7,
		both(locked(facts.LockYum, assesstest.FoundingList, "0:kernel-devel-1-1.*\n"), unasked)),
	fail("a kernel that no package is for", "sudo dnf versionlock delete kernel-devel", assesstest.Rocky9,
		both(locked(facts.LockDNF, dnfList, "kernel-0:5.14.0-362.8.1.el9_3.*\nkernel-devel-0:5.14.0-362.8.1.el9_3.*\n"), both(handmade, unasked))),
	pass("repositories not asked, a lock on something else", assesstest.CentOS7, both(locked(facts.LockYum, assesstest.FoundingList, "0:php-5.4.16-48.el7.*\n"), unasked)),
	unknown("not seen", assesstest.CentOS7, noLocks),
	unknown("kernel not seen, locks there", assesstest.Founding, noKernel),
)

var _ = rows("locks.exclude",
	pass("none", assesstest.Rocky9, as),
	pass("of something else", assesstest.Rocky9, locks(facts.Lock{Kind: facts.LockExcl, File: "/etc/dnf/dnf.conf", Entry: "php*", Section: "main"})),
	pass("kernel alone does not hide kernel-devel", assesstest.Rocky9, both(locks(facts.Lock{Kind: facts.LockExcl, Entry: "kernel"}),
		asked("kernel-devel-5.14.0-427.13.1.el9_4.x86_64", facts.CandAvailable))),
	fail("kernel* (L5)", "sudo dnf --disableexcludes=all install kernel-devel-5.14.0-427.13.1.el9_4.x86_64", assesstest.Rocky9,
		locks(facts.Lock{Kind: facts.LockExcl, File: "/etc/dnf/dnf.conf", Entry: "kernel*", Section: "main"})),
	fail("with an architecture", "an exclude hides it", assesstest.CentOS7, locks(facts.Lock{Kind: facts.LockExcl, File: "/etc/yum.conf", Entry: "kernel-devel.x86_64"})),
	fail("dnf5", "sudo dnf5 '--setopt=disable_excludes=*' install", assesstest.Fedora43, locks(facts.Lock{Kind: facts.LockExcl, Entry: "kernel-*"})),
	fail("two entries", "(2 entries)", assesstest.Rocky9, locks(facts.Lock{Kind: facts.LockExcl, Entry: "kernel*"}, facts.Lock{Kind: facts.LockExcl, Entry: "*-devel"})),
	unknown("not seen", assesstest.Rocky9, noLocks),
)

var _ = rows("locks.hold",
	pass("none", assesstest.Debian12, as),
	pass("the image's meta package is held, the headers are not", assesstest.Debian12, locks(facts.Lock{Kind: facts.LockApt, Entry: "linux-image-amd64"})),
	pass("openSUSE: a lock on the kernel does not lock its devel package", assesstest.OpenSUSE156, both(locks(facts.Lock{Kind: facts.LockZypper, Entry: "kernel-default"}),
		asked("kernel-default-devel=6.4.0-150600.23.7.3", facts.CandAvailable))),
	fail("apt (L6)", "sudo apt-mark unhold linux-headers-6.1.0-21-amd64", assesstest.Debian12, locks(facts.Lock{Kind: facts.LockApt, Entry: "linux-headers-6.1.0-21-amd64"})),
	fail("apt says the whole name", "no lock on linux-headers-5.15.0-107-generic", assesstest.Ubuntu2204, locks(facts.Lock{Kind: facts.LockApt, Entry: "linux-headers-5.15.0-107-generic"})),
	fail("apt itself names another held package", "sudo apt-mark unhold linux-headers-generic", assesstest.Ubuntu2204,
		both(locks(facts.Lock{Kind: facts.LockApt, Entry: "linux-headers-generic"}), func(f *facts.Facts) {
			assesstest.Offer(f, nil, nil, facts.Candidate{Name: "linux-headers-5.15.0-107-generic", State: facts.CandFiltered,
				Text: "The following held packages will be changed:\n  linux-headers-generic\nE: Held packages were changed and -y was used"})
		})),
	fail("zypper (L7)", "sudo zypper removelock kernel-default-devel", assesstest.OpenSUSE156, locks(facts.Lock{Kind: facts.LockZypper, File: "/etc/zypp/locks", Entry: "kernel-default-devel"})),
	warn("pacman leaves it out of upgrades only (L8)", "sudo pacman -S linux-headers", assesstest.Arch, both(none, func(f *facts.Facts) {
		assesstest.Locked(f, "", "", facts.Lock{Kind: facts.LockPacman, File: "/etc/pacman.conf", Entry: "linux-headers"})
	})),
	unknown("not seen", assesstest.Debian12, noLocks),
)

var _ = rows("locks.interrupted",
	pass("none", assesstest.CentOS7, as),
	fail("a folder is left", "/var/lib/boxdoctor/pending/abc", assesstest.CentOS7, func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Locks, func(l *facts.Locks) { l.Pending = "/var/lib/boxdoctor/pending/abc" })
	}),
	unknown("not seen", assesstest.CentOS7, noLocks),
)

func TestUnlockCommands(t *testing.T) {
	for _, c := range []struct {
		manager string
		lock    facts.Lock
		pkg     string
		want    string
	}{
		{"yum", facts.Lock{Kind: facts.LockYum}, "kernel-devel-1-1.x86_64", "sudo yum versionlock delete '*:kernel-devel-*'"},
		{"pacman", facts.Lock{Kind: facts.LockPacman}, "linux-lts-headers", "sudo pacman -S linux-lts-headers   # answer yes to the question about IgnorePkg"},
		{"yum", facts.Lock{Kind: facts.LockExcl}, "kernel-devel-1-1.x86_64", "sudo yum --disableexcludes=all install kernel-devel-1-1.x86_64"},
	} {
		if got := unlockCommand(c.manager, c.lock, c.pkg); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// Defect 2: while a lock may forbid it, no bare install is advised.
func TestNoBareInstallBesideALock(t *testing.T) {
	for name, c := range map[string]struct {
		box    assesstest.Box
		change func(*facts.Facts)
		want   []string
	}{
		"covered": {assesstest.Rocky9, both(locked(facts.LockDNF, dnfList, "kernel-devel-0:5.14.0-362.8.1.el9_3.*\n"), both(handmade, unasked)),
			[]string{"sudo dnf versionlock delete kernel-devel", "sudo dnf --showduplicates list kernel-devel"}},
		"not known": {assesstest.CentOS7, both(locked(facts.LockYum, assesstest.FoundingList, "0:kernel-1-1.*\n"), unasked),
			[]string{"sudo yum --showduplicates list kernel-devel"}},
		"no lock": {assesstest.CentOS7, both(assesstest.NoHeaders, unasked), []string{"sudo yum install kernel-devel-3.10.0-1160.119.1.el7.x86_64"}},
		"what can be had is installed (28)": {assesstest.Founding, as, []string{"sudo yum versionlock delete '*:kernel-devel-*'",
			"sudo yum install kernel-2.6.32-754.35.1.el6.x86_64 kernel-devel-2.6.32-754.35.1.el6.x86_64"}},
	} {
		f := c.box()
		c.change(f)
		var got []string
		for _, a := range evalDevelMissing(f).Advice {
			got = append(got, a.Command)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
