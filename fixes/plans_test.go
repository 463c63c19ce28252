package fixes

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/testkit"
)

const runForTests = "0123456789abcdef0123456789abcdef"

// input is what a plan sees of a machine: the host's ISO is at hand.
func input(f *facts.Facts) Input {
	return Input{Facts: f, RunID: runForTests, ISO: f.Host.AdditionsISO.Or(facts.ISO{})}
}

func on(changes ...func(*facts.Facts)) func(*facts.Facts) {
	return func(f *facts.Facts) {
		for _, c := range changes {
			c(f)
		}
	}
}

func as(*facts.Facts) {}

func same(*Input) {}

func hopeful(in *Input) { in.Hopeful = true }

// folder is --packages with these files.
func folder(names ...string) func(*Input) {
	return func(in *Input) {
		for _, n := range names {
			in.Packages = append(in.Packages, PackageFile{Path: "files/" + n, Size: 10, SHA256: strings.Repeat("c", 64)})
		}
	}
}

func offers(kernels, devel []string, asked ...facts.Candidate) func(*facts.Facts) {
	return func(f *facts.Facts) { assesstest.Offer(f, kernels, devel, asked...) }
}

func listed(kind, file, content string) func(*facts.Facts) {
	return func(f *facts.Facts) {
		assesstest.Locked(f, file, content, assesstest.LockLines(kind, file, content)...)
	}
}

func entry(l facts.Lock) func(*facts.Facts) {
	return func(f *facts.Facts) { assesstest.Locked(f, l.File, "", l) }
}

func release(id, version, pretty string) func(*facts.Facts) {
	return func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.System, func(s *facts.System) { s.ID, s.VersionID, s.Pretty = id, version, pretty })
	}
}

// repoFile is one repository file with enabled repositories that name the old host.
func repoFile(path, content, host string) func(*facts.Facts) {
	return func(f *facts.Facts) {
		f.Guest.Repos = facts.Known(facts.Repos{List: []facts.Repo{{ID: "x", File: path, Enabled: true, BaseURL: "http://" + host + "/"}},
			Files: []facts.ConfigFile{{Path: path, Mode: "644", Content: content}}})
	}
}

// oldMinor is a Rocky Linux 9.4 whose repositories have gone on to 9.5; the vault has its kernel-devel.
func oldMinor(key string) func(*facts.Facts) {
	return func(f *facts.Facts) {
		assesstest.Offer(f, []string{rockyNext}, []string{rockyNext})
		assesstest.Edit(&f.Guest.Resolve, func(r *facts.Resolve) {
			r.Vault = facts.Vault{URL: "https://dl.rockylinux.org/vault/rocky/9.4/AppStream/x86_64/os/", DevelFor: []string{rockyRun}}
		})
		assesstest.Edit(&f.Guest.Repos, func(r *facts.Repos) { r.List[0].GPGKey = key })
	}
}

// full has a file system on which only so much is free, and so much of downloaded packages.
func full(path string, free, cache int64) func(*facts.Facts) {
	return func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Space, func(list *[]facts.Space) {
			for i := range *list {
				if (*list)[i].Path == path {
					(*list)[i].Mount, (*list)[i].FreeKB = path, free
				}
			}
		})
		assesstest.Edit(&f.Guest.Packages, func(p *facts.Packages) { p.CacheKB = cache })
	}
}

func additions(change func(*facts.Additions)) func(*facts.Facts) {
	return func(f *facts.Facts) { assesstest.Edit(&f.Guest.Additions, change) }
}

// fstab is /etc/fstab as the probe reads it.
func fstab(text string) func(*facts.Facts) {
	return func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Mounts, func(m *facts.Mounts) { m.FSTabFile = facts.ConfigFile{Path: "/etc/fstab", Mode: "644", Content: text} })
	}
}

const (
	rockyRun  = "5.14.0-427.13.1.el9_4.x86_64"
	rockyNext = "5.14.0-503.11.1.el9_5.x86_64"
	fedoraRun = "6.17.1-300.fc43.x86_64"
	dnfList   = "/etc/dnf/plugins/versionlock.list"
	dnf5Toml  = "/etc/dnf/versionlock.toml"
)

const tomlBefore = `version = "1.0"

[[packages]]
name = "kernel-devel"
[[packages.conditions]]
key = "evr"
comparator = "="
value = "6.16.0-1.fc43"

[[packages]]
name = "htop"
[[packages.conditions]]
key = "evr"
comparator = "="
value = "3.4.1-1.fc43"
`

const centos6Repo = `[base]
name=CentOS-$releasever - Base
mirrorlist=http://mirrorlist.centos.org/?release=$releasever&arch=$basearch&repo=os
#baseurl=http://mirror.centos.org/centos/$releasever/os/$basearch/
gpgcheck=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-CentOS-6

# a section that names nothing but a mirror list
[updates]
name=CentOS-$releasever - Updates
mirrorlist=http://mirrorlist.centos.org/?release=$releasever&arch=$basearch&repo=updates
gpgcheck=1

[mine]
name=not CentOS at all
baseurl=http://repo.example.org/el6/
gpgcheck=0
`

const vaultRepo = `[base]
name=CentOS-$releasever - Base
baseurl=http://vault.centos.org/7.6.1810/os/$basearch/
gpgcheck=1

[mine]
name=not CentOS at all
baseurl=http://repo.example.org/el7/
gpgcheck=0
`

const fedoraRepo = `[fedora]
name=Fedora $releasever - $basearch
#baseurl=http://download.example/pub/fedora/linux/releases/$releasever/Everything/$basearch/os/
metalink=https://mirrors.fedoraproject.org/metalink?repo=fedora-$releasever&arch=$basearch
enabled=1
gpgcheck=1

[updates]
baseurl=https://dl.fedoraproject.org/pub/fedora/linux/updates/$releasever/Everything/$basearch/
gpgcheck=1

[odd]
metalink=https://mirrors.fedoraproject.org/metalink?repo=odd
`

const debian7List = `deb http://http.us.debian.org/debian wheezy main
deb http://sec.debian.org/ wheezy/updates main
deb http://http.us.debian.org/debian wheezy-updates main
`

const centos8Repo = `[appstream]
name=CentOS Linux $releasever - AppStream
mirrorlist=http://mirrorlist.centos.org/?release=$releasever&arch=$basearch&repo=AppStream&infra=$infra
#baseurl=http://mirror.centos.org/$contentdir/$releasever/AppStream/$basearch/os/
gpgcheck=1
enabled=1

[extras]
name=CentOS Linux $releasever - Extras
mirrorlist=http://mirrorlist.centos.org/?release=$releasever&arch=$basearch&repo=extras&infra=$infra
gpgcheck=1
enabled=1
`

const stream8Repo = `[baseos]
name=CentOS Stream $releasever - BaseOS
mirrorlist=http://mirrorlist.centos.org/?release=$stream&arch=$basearch&repo=BaseOS&infra=$infra
#baseurl=http://mirror.centos.org/$contentdir/$stream/BaseOS/$basearch/os/
gpgcheck=1
`

const debian10List = `# See sources.list(5)
deb http://http.debian.org/debian buster main contrib
deb-src http://http.debian.org/debian buster main
deb http://sec.debian.org/debian-security buster/updates main
deb http://sec.debian.org/ buster/updates main
deb http://http.debian.org/debian buster-updates main
deb http://ftp.de.debian.org/debian buster-backports main
deb [trusted=yes] http://repo.example.org/debian buster main
`

const debian10Sources = `Types: deb
URIs: http://http.debian.org/debian
Suites: buster buster-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://http.debian.org/debian
Suites: buster-updates
Components: contrib

Types: deb
URIs: http://sec.debian.org/debian-security/
Suites: buster/updates
Components: main
`

const ubuntuList = `deb http://archive.ubuntu.com/ubuntu mantic main restricted
deb http://de.archive.ubuntu.com/ubuntu mantic-updates main
deb http://security.ubuntu.com/ubuntu mantic-security main
`

// situation is a machine, what is given on the command line, and the fixes whose plans are pinned.
type situation struct {
	name   string
	box    assesstest.Box
	change func(*facts.Facts)
	in     func(*Input)
	fixes  string
}

var situations = []situation{
	{"founding", assesstest.Founding, as, same, "locks.restore repositories.archive kernel.devel kernel.reboot tools.install"},
	{"founding-later-stages", assesstest.Founding, as, hopeful, "additions.install additions.rebuild modules.load additions.services mount.helper mount.shares"},
	{"founding-keep-unlocked", assesstest.Founding, as, func(in *Input) { in.KeepUnlocked = true }, "kernel.devel"},
	{"founding-no-reboot", assesstest.Founding, as, func(in *Input) { in.NoReboot = true }, "kernel.devel kernel.reboot"},
	{"founding-devel-of-the-running-kernel-offered", assesstest.Founding, offers(nil, []string{assesstest.FoundingRunning}), same, "kernel.devel"},
	{"founding-devel-of-the-installed-kernel-offered", assesstest.Founding, offers(nil, []string{assesstest.FoundingInstalled}), same, "kernel.devel"},
	{"founding-nothing-offered", assesstest.Founding, offers(nil, nil, facts.Candidate{Name: "kernel-devel-" + assesstest.FoundingRunning, State: facts.CandMissing,
		Text: "No package kernel-devel-" + assesstest.FoundingRunning + " available.\nError: Nothing to do"}), same, "kernel.devel"},
	{"headers-only-for-the-next-kernel", assesstest.Rocky9, on(assesstest.NoHeaders, func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Kernel, func(k *facts.Kernel) {
			k.Default, k.BootImages = rockyNext, append(k.BootImages, rockyNext)
			k.Trees = append(k.Trees, assesstest.Tree(rockyNext, true))
		})
		assesstest.Offer(f, nil, nil)
	}), same, "kernel.devel kernel.reboot additions.next_kernel"},
	{"dnf-lock", assesstest.Rocky9, on(assesstest.NoHeaders, offers([]string{rockyNext}, []string{rockyNext}),
		listed(facts.LockDNF, dnfList, "# locks\nkernel-0:5.14.0-427.13.1.el9_4.*\nkernel-core-0:5.14.0-427.13.1.el9_4.*\nkernel-devel-0:5.14.0-362.8.1.el9_3.*\nhtop-0:3.3.0-1.el9.*\n!kernel-devel-0:5.14.0-503.11.1.el9_5.*\n")), same, "kernel.devel"},
	{"dnf-lock-glob", assesstest.Rocky9, on(assesstest.NoHeaders, offers([]string{rockyNext}, []string{rockyNext}), listed(facts.LockDNF, dnfList, "kernel*-0:5.14.0-427.13.1.el9_4.*\nkernel-headers-0:5.14.0-427.13.1.el9_4.*")), same, "kernel.devel"},
	{"dnf5-lock", assesstest.Fedora43, on(assesstest.NoHeaders, offers(nil, []string{fedoraRun}), func(f *facts.Facts) {
		assesstest.Locked(f, dnf5Toml, tomlBefore, facts.Lock{Kind: facts.LockDNF5, File: dnf5Toml, Line: 4, Entry: "kernel-devel"}, facts.Lock{Kind: facts.LockDNF5, File: dnf5Toml, Line: 11, Entry: "htop"})
	}), same, "kernel.devel"},
	{"dnf5-lock-and-new-kernel", assesstest.Fedora43, on(assesstest.NoHeaders, offers([]string{"6.17.8-300.fc43.x86_64"}, []string{"6.17.8-300.fc43.x86_64"}), func(f *facts.Facts) {
		assesstest.Locked(f, dnf5Toml, tomlBefore, facts.Lock{Kind: facts.LockDNF5, File: dnf5Toml, Line: 4, Entry: "kernel-devel"})
	}), same, "kernel.devel"},
	{"exclude-yum", assesstest.CentOS7, on(assesstest.NoHeaders, offers(nil, []string{"3.10.0-1160.119.1.el7.x86_64"}), entry(facts.Lock{Kind: facts.LockExcl, File: "/etc/yum.conf", Entry: "kernel*", Section: "main"})), same, "kernel.devel"},
	{"exclude-dnf5", assesstest.Fedora43, on(assesstest.NoHeaders, offers(nil, []string{fedoraRun}), entry(facts.Lock{Kind: facts.LockExcl, File: "/etc/dnf/dnf.conf", Entry: "kernel*"})), same, "kernel.devel"},
	{"apt-hold", assesstest.Debian12, on(assesstest.NoHeaders, offers(nil, []string{"6.1.0-21-amd64"}), entry(facts.Lock{Kind: facts.LockApt, Entry: "linux-headers-6.1.0-21-amd64"})), same, "kernel.devel"},
	{"apt-new-kernel", assesstest.Debian12, on(assesstest.NoHeaders, offers([]string{"6.1.0-28-amd64"}, []string{"6.1.0-28-amd64"})), same, "kernel.devel"},
	{"apt-no-lists", assesstest.Ubuntu2204, on(assesstest.NoHeaders, offers(nil, nil, facts.Candidate{Name: "linux-headers-5.15.0-107-generic", State: facts.CandError,
		Text: "apt has no package lists (apt-get update has not run): E: Unable to locate package"})), same, "repositories.refresh kernel.devel"},
	{"zypper-lock", assesstest.OpenSUSE156, on(assesstest.NoHeaders, offers(nil, []string{"6.4.0-150600.23.7-default"}), entry(facts.Lock{Kind: facts.LockZypper, File: "/etc/zypp/locks", Line: 3, Entry: "kernel-default-devel"})), same, "kernel.devel"},
	{"arch-upgraded", assesstest.Arch, on(assesstest.NoHeaders, offers([]string{"6.9.3-arch1-1"}, []string{"6.9.3-arch1-1"})), same, "kernel.devel"},
	{"arch-upgraded-no-reboot", assesstest.Arch, on(assesstest.NoHeaders, offers(nil, []string{"6.9.3-arch1-1"})), func(in *Input) { in.NoReboot = true }, "kernel.devel"},
	{"arch-headers-of-the-running-kernel", assesstest.Arch, on(assesstest.NoHeaders, offers(nil, []string{"6.9.1-arch1-1"})), same, "kernel.devel"},
	{"offline-rpms", assesstest.Rocky9, on(assesstest.NoHeaders, offers(nil, nil)), func(in *Input) {
		in.Packages = []PackageFile{{Path: `C:\rpms\kernel-devel-` + rockyRun + `.rpm`, Size: 10, SHA256: strings.Repeat("c", 64)}, {Path: "rpms/bison-3.7.4-5.el9.x86_64.rpm", Size: 11, SHA256: strings.Repeat("d", 64)}}
	}, "kernel.devel"},
	{"offline-debs", assesstest.Debian12, on(assesstest.NoHeaders, offers(nil, nil)), func(in *Input) {
		in.Packages = []PackageFile{{Path: "debs/linux-headers-6.1.0-21-amd64_6.1.90-1_amd64.deb", Size: 10, SHA256: strings.Repeat("c", 64)}}
	}, "kernel.devel"},
	// Defect 7: only tools are missing, and the folder holds some of them.
	{"offline-tools", assesstest.CentOS7, func(f *facts.Facts) {
		f.Guest.Tools = facts.Known(facts.Tools{Path: map[string]string{"tar": "/bin/tar", "perl": "/bin/perl", "bzip2": "/bin/bzip2"}})
	}, folder("gcc-4.8.5-44.el7.x86_64.rpm", "cpp-4.8.5-44.el7.x86_64.rpm", "make-3.82-24.el7.x86_64.rpm", "kernel-headers-3.10.0-1160.119.1.el7.x86_64.rpm",
		"kernel-devel-3.10.0-1.el7.x86_64.rpm"), "tools.install kernel.devel"},
	{"offline-tools-in-part", assesstest.Debian12, func(f *facts.Facts) {
		f.Guest.Tools = facts.Known(facts.Tools{Path: map[string]string{"tar": "/bin/tar", "perl": "/bin/perl", "bzip2": "/bin/bzip2"}})
	}, folder("make_4.3-4.1_amd64.deb"), "tools.install"},
	{"offline-files-that-fit-nothing", assesstest.Rocky9, on(assesstest.NoHeaders, offers([]string{rockyRun}, []string{rockyRun}), func(f *facts.Facts) {
		f.Guest.Tools = facts.Known(facts.Tools{Path: map[string]string{"tar": "/bin/tar"}})
	}), folder("it's odd.rpm", "bison-3.7.4-5.el9.x86_64.rpm"), "kernel.devel tools.install"},
	// Defect 14: without an ISO nothing is hoped for, so that it is told before anything is changed.
	{"iso-missing-even-in-hope", assesstest.CentOS7, on(assesstest.NoHeaders, func(f *facts.Facts) {
		assesstest.OldHost(f, "7.1.4")
		f.Host.AdditionsISO = facts.Known(facts.ISO{})
	}), hopeful, "additions.install"},
	// Defect 16: no mount is tried while the module is not in memory.
	{"mounts-not-yet", assesstest.CentOS7, assesstest.NoHeaders, same, "mount.shares"},
	{"mounts-in-hope", assesstest.CentOS7, assesstest.NoHeaders, hopeful, "mount.shares"},
	{"tools", assesstest.CentOS7, on(assesstest.NoHeaders, func(f *facts.Facts) {
		f.Guest.Tools = facts.Known(facts.Tools{Path: map[string]string{"tar": "/bin/tar"}, NeedsLibELF: true})
		list := "0:kernel-headers-3.10.0-957.el7.*\n0:htop-2.2.0-3.el7.*\n"
		assesstest.Locked(f, assesstest.FoundingList, list, assesstest.LockLines(facts.LockYum, assesstest.FoundingList, list)...)
	}), same, "tools.install"},
	{"tools-debian", assesstest.Debian12, func(f *facts.Facts) {
		f.Guest.Tools = facts.Known(facts.Tools{Path: map[string]string{}, NeedsLibELF: true})
	}, same, "tools.install"},
	{"eol-centos-6", assesstest.Founding, repoFile("/etc/yum.repos.d/CentOS-Base.repo", centos6Repo, "mirrorlist.centos.org"), same, "repositories.archive"},
	{"eol-centos-7", assesstest.CentOS7, repoFile("/etc/yum.repos.d/CentOS-Base.repo", centos6Repo, "mirrorlist.centos.org"), same, "repositories.archive"},
	{"eol-centos-8", assesstest.Rocky9, on(release("centos", "8", "CentOS Linux 8"), repoFile("/etc/yum.repos.d/CentOS-Linux-AppStream.repo", centos8Repo, "mirrorlist.centos.org")), same, "repositories.archive"},
	{"eol-stream-8", assesstest.Rocky9, on(release("centos", "8", "CentOS Stream 8"), repoFile("/etc/yum.repos.d/CentOS-Stream-BaseOS.repo", stream8Repo, "mirrorlist.centos.org")), same, "repositories.archive"},
	{"eol-debian-10", assesstest.Debian12, on(release("debian", "10", "Debian GNU/Linux 10 (buster)"), repoFile("/etc/apt/sources.list", debian10List, "http.debian.org")), same, "repositories.archive"},
	{"eol-debian-10-deb822", assesstest.Debian12, on(release("debian", "10", "buster"), repoFile("/etc/apt/sources.list.d/debian.sources", debian10Sources, "http.debian.org")), same, "repositories.archive"},
	{"eol-ubuntu", assesstest.Ubuntu2204, on(release("ubuntu", "23.10", "Ubuntu 23.10"), repoFile("/etc/apt/sources.list", ubuntuList, "archive.ubuntu.com")), same, "repositories.archive"},
	{"eol-centos-7-i386", assesstest.CentOS7, on(func(f *facts.Facts) { assesstest.Edit(&f.Guest.System, func(s *facts.System) { s.Arch = "i686" }) },
		repoFile("/etc/yum.repos.d/CentOS-Base.repo", centos8Repo, "mirrorlist.centos.org")), same, "repositories.archive"},
	// Row L13: another minor release of the archive, which says 404; as long as it answers, it is the owner's wish.
	{"eol-centos-7-wrong-minor", assesstest.CentOS7, on(repoFile("/etc/yum.repos.d/CentOS-Base.repo", vaultRepo, "vault.centos.org/7.6.1810/os/x86_64"),
		offers(nil, nil, facts.Candidate{Name: "x", State: facts.CandError, Text: "http://vault.centos.org/7.6.1810/os/x86_64/repodata/repomd.xml: [Errno 14] HTTP Error 404 - Not Found"})), same, "repositories.archive"},
	{"eol-centos-7-minor-that-answers", assesstest.CentOS7, repoFile("/etc/yum.repos.d/CentOS-Base.repo", vaultRepo, "vault.centos.org/7.6.1810/os/x86_64"), same, "repositories.archive"},
	{"eol-fedora", assesstest.Fedora43, on(release("fedora", "38", "Fedora Linux 38"), repoFile("/etc/yum.repos.d/fedora.repo", fedoraRepo, "dl.fedoraproject.org/pub/fedora/linux")), same, "repositories.archive"},
	{"eol-fedora-silent-metalink", assesstest.Fedora43, on(release("fedora", "38", "Fedora Linux 38"), func(f *facts.Facts) {
		f.Guest.Repos = facts.Known(facts.Repos{List: []facts.Repo{{ID: "fedora", File: "/etc/yum.repos.d/fedora.repo", Enabled: true, MirrorList: "https://mirrors.fedoraproject.org/metalink?repo=fedora-38"}},
			Files: []facts.ConfigFile{{Path: "/etc/yum.repos.d/fedora.repo", Mode: "644", Content: fedoraRepo}}})
	}, offers(nil, nil, facts.Candidate{Name: "x", State: facts.CandError, Text: "Failed to download metadata"})), same, "repositories.archive"},
	{"eol-opensuse", assesstest.OpenSUSE156, on(release("opensuse", "42.3", "openSUSE Leap 42.3"), repoFile("/etc/zypp/repos.d/repo-update.repo",
		"[repo-update]\nname=Update\nenabled=1\nbaseurl=http://download.opensuse.org/update/leap/42.3/oss/\ntype=rpm-md\n", "download.opensuse.org"),
		offers(nil, nil, facts.Candidate{Name: "x", State: facts.CandError, Text: "Repository 'Update' is invalid."})), same, "repositories.archive"},
	{"eol-debian-7", assesstest.Debian12, on(release("debian", "7", "Debian GNU/Linux 7 (wheezy)"), repoFile("/etc/apt/sources.list", debian7List, "http.us.debian.org")), same, "repositories.archive"},
	{"vault-of-an-old-minor", assesstest.Rocky9, on(assesstest.NoHeaders, oldMinor("file:///etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-9")), same, "kernel.devel"},
	{"vault-without-a-key", assesstest.Rocky9, on(assesstest.NoHeaders, oldMinor("")), same, "kernel.devel"},
	{"names-do-not-resolve-yet", assesstest.Rocky9, on(assesstest.NoHeaders, offers(nil, []string{rockyRun}), func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Repos, func(r *facts.Repos) { r.Hosts = map[string]string{"b.example.org": "no", "a.example.org": ""} })
	}), same, "kernel.devel"},
	{"names-are-the-proxys-business", assesstest.Rocky9, on(assesstest.NoHeaders, offers(nil, []string{rockyRun}), func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Repos, func(r *facts.Repos) { r.Hosts, r.Proxy = map[string]string{"b.example.org": "no"}, "http://proxy:3128" })
	}), same, "kernel.devel"},
	{"package-cache", assesstest.Rocky9, full("/", 1<<10, 300<<10), same, "space.package_cache"},
	{"package-cache-is-not-enough", assesstest.Debian12, full("/", 10, 1<<10), same, "space.package_cache"},
	{"package-cache-of-arch-is-kept", assesstest.Arch, full("/", 10, 300<<10), same, "space.package_cache"},
	{"package-cache-elsewhere", assesstest.Rocky9, full("/tmp", 0, 300<<10), same, "space.package_cache"},
	{"alive", assesstest.Rocky9, repoFile("/etc/yum.repos.d/rocky.repo", "[baseos]\n", "mirrors.rockylinux.org"), same, "repositories.archive repositories.refresh locks.restore kernel.reboot"},
	{"locks-left-open", assesstest.CentOS7, func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Locks, func(l *facts.Locks) { l.Pending = "/var/lib/boxdoctor/pending/abc" })
	}, same, "locks.restore"},
	{"install-newer", assesstest.CentOS7, func(f *facts.Facts) { assesstest.OldHost(f, "7.1.4") }, same, "additions.install additions.rebuild"},
	{"share-in-use", assesstest.CentOS7, func(f *facts.Facts) {
		assesstest.OldHost(f, "7.1.4")
		m := f.Guest.Mounts.Or(facts.Mounts{})
		m.Holders = []facts.Holder{{PID: "812", Name: "bash", Target: "/vagrant"}, {PID: "900", Name: "node", Target: "/vagrant"}}
		f.Guest.Mounts = facts.Known(m)
	}, same, "additions.install"},
	{"iso-missing", assesstest.CentOS7, func(f *facts.Facts) { assesstest.OldHost(f, "7.1.4"); f.Host.AdditionsISO = facts.Known(facts.ISO{}) }, same, "additions.install"},
	{"iso-of-another-version", assesstest.CentOS7, func(f *facts.Facts) {
		assesstest.OldHost(f, "7.1.4")
		assesstest.Edit(&f.Host.AdditionsISO, func(i *facts.ISO) { i.Version = "7.0.20" })
	}, same, "additions.install"},
	{"newer-guest-is-left-alone", assesstest.CentOS7, func(f *facts.Facts) { assesstest.OldHost(f, "6.1.50") }, same, "additions.install"},
	{"newer-guest-downgraded-when-told", assesstest.CentOS7, func(f *facts.Facts) { assesstest.OldHost(f, "6.1.50") }, func(in *Input) { in.Downgrade = true }, "additions.install"},
	{"no-headers-no-install", assesstest.CentOS7, on(assesstest.NoHeaders, func(f *facts.Facts) { assesstest.OldHost(f, "7.1.4") }), same, "additions.install additions.rebuild"},
	{"no-room", assesstest.CentOS7, func(f *facts.Facts) {
		assesstest.OldHost(f, "7.1.4")
		assesstest.Edit(&f.Guest.Space, func(s *[]facts.Space) { (*s)[5].FreeKB = 10 << 10 })
	}, same, "additions.install"},
	{"tmpfs-too-small", assesstest.CentOS7, func(f *facts.Facts) {
		assesstest.OldHost(f, "7.1.4")
		assesstest.Edit(&f.Guest.Space, func(s *[]facts.Space) {
			(*s)[2] = facts.Space{Path: "/tmp", Mount: "/tmp", FS: "tmpfs", FreeKB: 0, TotalKB: 1024}
		})
	}, same, "additions.install"},
	{"distro-packages", assesstest.Ubuntu2204, func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Packages, func(p *facts.Packages) {
			p.Installed = append(p.Installed, facts.Package{Name: "virtualbox-guest-utils", Version: "7.0.16"}, facts.Package{Name: "virtualbox-guest-x11", Version: "7.0.16"})
		})
	}, same, "additions.remove_packages"},
	{"distro-packages-that-cannot-be-replaced", assesstest.Ubuntu2204, on(assesstest.NoHeaders, func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Packages, func(p *facts.Packages) {
			p.Installed = append(p.Installed, facts.Package{Name: "virtualbox-guest-utils", Version: "7.0.16"})
		})
	}), same, "additions.remove_packages"},
	{"distro-packages-of-arch", assesstest.Arch, func(f *facts.Facts) { assesstest.OldHost(f, "7.2.0") }, hopeful, "additions.remove_packages"},
	{"leftovers", assesstest.CentOS7, additions(func(a *facts.Additions) {
		a.OptDirs = append(a.OptDirs, "/opt/VBoxGuestAdditions-6.1.22", "/opt/VBoxGuestAdditions-it's")
	}), same, "additions.leftovers"},
	{"leftovers-no-filelist", assesstest.CentOS7, additions(func(a *facts.Additions) { a.HasFilelist = false }), same, "additions.leftovers"},
	{"leftovers-no-filelist-no-iso", assesstest.CentOS7, on(additions(func(a *facts.Additions) { a.HasFilelist = false }), func(f *facts.Facts) { f.Host.AdditionsISO = facts.Known(facts.ISO{}) }), same, "additions.leftovers"},
	{"rebuild", assesstest.CentOS7, on(assesstest.Unloaded, func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Kernel, func(k *facts.Kernel) { k.Trees[0].Misc = nil })
	}), same, "additions.rebuild modules.load"},
	{"load-without-device", assesstest.CentOS7, on(assesstest.Unloaded, func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.System, func(s *facts.System) { s.PCIDevice, s.Product = false, "KVM" })
	}), same, "modules.load"},
	{"rebuild-without-rcvboxadd", assesstest.Arch, func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Kernel, func(k *facts.Kernel) { k.Trees[0].InTree = nil })
	}, same, "additions.rebuild"},
	{"reload", assesstest.CentOS7, func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Modules, func(m *facts.Modules) { m.Guest.Running = "7.0.14 r161095" })
	}, same, "modules.reload modules.load"},
	{"reload-held-by-graphics", assesstest.CentOS7, func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Modules, func(m *facts.Modules) { m.Video = facts.Module{Loaded: true, RefCnt: 1} })
	}, same, "modules.reload"},
	{"reload-old-additions", assesstest.CentOS7, additions(func(a *facts.Additions) { a.ConfigVersion = "6.1.50" }), same, "modules.reload"},
	{"reload-old-additions-no-reboot", assesstest.CentOS7, additions(func(a *facts.Additions) { a.ConfigVersion = "6.1.50" }), func(in *Input) { in.NoReboot = true }, "modules.reload"},
	{"services", assesstest.CentOS7, func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Services, func(s *facts.Services) { s.VBoxServiceRuns = false })
	}, same, "additions.services"},
	{"helper-5.1.20", assesstest.CentOS7, additions(func(a *facts.Additions) {
		a.ConfigVersion, a.InstallDir, a.LibLink = "5.1.20", "/opt/VBoxGuestAdditions-5.1.20", false
		a.Helper = facts.Helper{Exists: true, Link: "/opt/VBoxGuestAdditions-5.1.20/other/mount.vboxsf",
			Candidates: []string{"/opt/VBoxGuestAdditions-4.3.6/lib/VBoxGuestAdditions/mount.vboxsf", "/opt/VBoxGuestAdditions-5.1.20/lib/VBoxGuestAdditions/mount.vboxsf"}}
	}), same, "mount.helper"},
	{"mounts", assesstest.CentOS7, func(f *facts.Facts) {
		f.Host.Folders = facts.Known([]facts.SyncedFolder{
			{Name: "vagrant_data", GuestPath: "/vagrant/data", Owner: "www-data", Group: "www-data", Options: []string{"dmode=775", "fmode=664"}},
			{Name: "it's odd", GuestPath: "/srv/it's odd", Options: []string{"ro"}},
			{Name: "vagrant", GuestPath: "/vagrant"}, {Name: "mine", GuestPath: "/mine", Owner: "501", Group: "20"}})
		f.Guest.Mounts = facts.Known(facts.Mounts{})
	}, same, "mount.shares"},
	{"mounts-by-fstab", assesstest.CentOS7, func(f *facts.Facts) {
		assesstest.Forget(&f.Host.Folders)
		f.Guest.Mounts = facts.Known(facts.Mounts{FSTab: []facts.Mount{{Source: "data", Target: "/data", FS: "vboxsf", Options: []string{"uid=1000", "gid=1000", "_netdev", "nofail", "defaults", "rw", "dmode=755"}}}})
	}, same, "mount.shares"},
	{"mounts-mainline", assesstest.CentOS7, func(f *facts.Facts) {
		assesstest.InKernel(f)
		f.Host.Folders = facts.Known([]facts.SyncedFolder{{Name: "vagrant", GuestPath: "/vagrant", Options: []string{"umask=022", "iocharset=utf8", "cache=none", "dmode=775"}}})
		f.Guest.Mounts = facts.Known(facts.Mounts{Wanted: []facts.WantedMount{{GuestPath: "/vagrant", Stale: "it is a link that leads nowhere (/data)"}}})
	}, same, "mount.shares"},
	{"mount-group", assesstest.CentOS7, func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Mounts, func(m *facts.Mounts) { m.Groups, m.ShareGroup = []string{"vagrant", "wheel"}, true })
	}, same, "mount.group"},
	{"fstab-without-end", assesstest.CentOS7, fstab("/dev/sda1 / xfs defaults 0 0\n#VAGRANT-BEGIN\n# The contents below are automatically generated by Vagrant. Do not modify.\nvagrant /vagrant vboxsf uid=1000,gid=1000,_netdev 0 0\n/dev/sdb1 /srv ext4 defaults 0 0\n"), same, "mount.fstab"},
	{"fstab-with-a-share-that-is-gone", assesstest.CentOS7, fstab("#VAGRANT-BEGIN\nold\\040data /data vboxsf _netdev 0 0\nvagrant /vagrant vboxsf _netdev 0 0\n#VAGRANT-END\nold\\040data /mine vboxsf noauto 0 0\n"), same, "mount.fstab"},
	{"fstab-read-only", assesstest.CentOS7, on(fstab("#VAGRANT-BEGIN\ngone /data vboxsf _netdev 0 0"), func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Mounts, func(m *facts.Mounts) { m.EtcReadOnly = true })
	}), same, "mount.fstab"},
	{"healthy", assesstest.CentOS7, as, same, "additions.install kernel.devel kernel.reboot tools.install mount.shares additions.services additions.remove_packages additions.leftovers locks.restore repositories.archive repositories.refresh additions.next_kernel"},
}

// TestPlans pins what a dry run shows, and so what runs, in the main situations. Read the diff of an update.
func TestPlans(t *testing.T) {
	for _, s := range slices.Concat(situations, kernelSituations, securitySituations, hostSituations) {
		t.Run(s.name, func(t *testing.T) {
			f := s.box()
			s.change(f)
			in := input(f)
			s.in(&in)
			var b strings.Builder
			for _, id := range strings.Fields(s.fixes) {
				b.WriteString(planned(t, id, in))
			}
			testkit.Golden(t, filepath.Join("testdata", "plans", s.name+".txt"), []byte(b.String()))
		})
	}
}

func planned(t *testing.T, id string, in Input) string {
	t.Helper()
	fix, ok := ByID(id)
	if !ok {
		t.Fatalf("no fix %s", id)
	}
	actions, err := fix.Plan(in)
	out := "== " + id + "\n"
	switch {
	case err != nil:
		return out + "cannot be repaired from here: " + err.Error() + "\n\n"
	case len(actions) == 0:
		return out + "nothing to do\n\n"
	}
	for _, a := range actions {
		out += fmt.Sprintf("-- %s (undo: %s)\n%s\n", a.Title(), wayBack(t, a), plain(a))
	}
	return out + "\n"
}

// wayBack is what `boxdoctor undo` puts back of an action and what stays. Every action says at least one of them.
func wayBack(t *testing.T, a action.Action) string {
	t.Helper()
	var out []string
	for _, c := range a.Changes() {
		out = append(out, c.Kind+" "+c.Path)
	}
	if a.Lasting() != "" {
		out = append(out, "stays: "+a.Lasting())
	}
	if len(out) == 0 {
		t.Errorf("%s says neither what boxdoctor undo puts back nor what stays", a.Title())
	}
	return strings.Join(out, ", ")
}

// plain is the action's text; the long scripts that are files of their own are named instead of shown.
func plain(a action.Action) string {
	text := a.String()
	for name, script := range map[string]string{"additions_install.sh": additionsInstall, "mount_share.sh": mountShare, "boot_default.sh": bootDefault,
		"sign_modules.sh": signModules, "set_clock.sh": setClock, "remove_dkms.sh": removeDKMS} {
		text = strings.Replace(text, strings.TrimRight(script, "\n"), "# fixes/scripts/"+name, 1)
	}
	return text
}

// Defect 7: what a package file holds is read from its name, in the form of every family.
func TestFilePackage(t *testing.T) {
	for name, want := range map[string]string{
		`C:\p\gcc-c++-4.8.5-44.el7.x86_64.rpm`: "gcc-c++", "libc6-dev_2.36-9+deb12u7_amd64.deb": "libc6-dev",
		"linux-headers-6.9.1.arch1-1-x86_64.pkg.tar.zst": "linux-headers", "a.pkg.tar.zst": "", "notes.txt": "",
	} {
		if got := filePackage(PackageFile{Path: name}); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
