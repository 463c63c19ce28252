package checks

import (
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// system changes who the guest says it is.
func system(id, version, pretty string) func(*facts.Facts) {
	return func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.System, func(s *facts.System) { s.ID, s.VersionID, s.Pretty = id, version, pretty })
	}
}

func repos(list ...facts.Repo) func(*facts.Facts) {
	return func(f *facts.Facts) {
		f.Guest.Repos = facts.Known(facts.Repos{List: list, Hosts: map[string]string{}})
	}
}

func hosts(states map[string]string) func(*facts.Facts) {
	return func(f *facts.Facts) { assesstest.Edit(&f.Guest.Repos, func(r *facts.Repos) { r.Hosts = states }) }
}

func candidate(state, text string) func(*facts.Facts) {
	return func(f *facts.Facts) {
		assesstest.Offer(f, nil, nil, facts.Candidate{Name: "x", State: state, Text: text})
	}
}

func offers(kernels ...string) func(*facts.Facts) {
	return func(f *facts.Facts) { assesstest.Offer(f, kernels, kernels) }
}

func noRepos(f *facts.Facts) { assesstest.Forget(&f.Guest.Repos) }

var oldBase = facts.Repo{ID: "base", Enabled: true, MirrorList: "http://mirrorlist.centos.org/?release=$releasever&arch=$basearch&repo=os"}

var _ = rows("repositories.end_of_life",
	pass("alive", assesstest.Rocky9, as),
	pass("ended, at the archive already", assesstest.CentOS7, as),
	pass("ended, the old ones are off", assesstest.CentOS7, repos(facts.Repo{ID: "base", MirrorList: oldBase.MirrorList})),
	fail("CentOS 7 (L9)", "2024-06-30", assesstest.CentOS7, repos(oldBase)),
	fail("CentOS 8 (L10)", "http://vault.centos.org/8.5.2111", assesstest.CentOS7, both(system("centos", "8", "CentOS Linux 8"), repos(oldBase))),
	fail("Stream 8 (L11)", "http://vault.centos.org/8-stream", assesstest.CentOS7, both(system("centos", "8", "CentOS Stream 8"), repos(oldBase))),
	pass("Stream 9 lives", assesstest.CentOS7, both(system("centos", "9", "CentOS Stream 9"), repos(facts.Repo{ID: "baseos", Enabled: true, MirrorList: "https://mirrors.centos.org/metalink"}))),
	fail("CentOS 6 (L12)", "http://vault.centos.org/6.10", assesstest.Founding, repos(oldBase)),
	fail("Debian 10 (L18)", "http://archive.debian.org/debian", assesstest.Debian12,
		both(system("debian", "10", "Debian GNU/Linux 10 (buster)"), repos(facts.Repo{ID: "buster", Enabled: true, BaseURL: "http://http.debian.org/debian"}))),
	fail("a national mirror of Debian", "buster", assesstest.Debian12, both(system("debian", "10", "buster"), repos(facts.Repo{ID: "buster", Enabled: true, BaseURL: "http://ftp.de.debian.org/debian"}))),
	pass("Debian 10 at its archive", assesstest.Debian12, both(system("debian", "10", "buster"), repos(facts.Repo{ID: "buster", Enabled: true, BaseURL: "http://archive.debian.org/debian"}))),
	fail("Ubuntu 23.10", "old-releases.ubuntu.com", assesstest.Ubuntu2204, system("ubuntu", "23.10", "Ubuntu 23.10")),
	pass("an old LTS stays where it is", assesstest.Ubuntu2204, system("ubuntu", "18.04", "Ubuntu 18.04 LTS")),
	fail("CentOS 5 (L12)", "http://vault.centos.org/5.11", assesstest.CentOS7, both(system("centos", "5.11", "CentOS release 5.11 (Final)"), repos(oldBase))),
	fail("Debian 7", "http://archive.debian.org/debian", assesstest.Debian12,
		both(system("debian", "7", "Debian GNU/Linux 7 (wheezy)"), repos(facts.Repo{ID: "wheezy", Enabled: true, BaseURL: "http://http.us.debian.org/debian"}))),
	fail("Ubuntu 12.04", "2017-04-28", assesstest.Ubuntu2204, system("ubuntu", "12.04", "Ubuntu 12.04.5 LTS")),
	pass("Fedora's metalink finds the archive", assesstest.Fedora43, both(system("fedora", "38", "Fedora Linux 38"), repos(facts.Repo{ID: "fedora", Enabled: true, MirrorList: "https://mirrors.fedoraproject.org/metalink?repo=fedora-38&arch=x86_64"}))),
	fail("Fedora by a base URL", "https://archives.fedoraproject.org/pub/archive/fedora/linux", assesstest.Fedora43,
		both(system("fedora", "38", "Fedora Linux 38"), repos(facts.Repo{ID: "fedora", Enabled: true, BaseURL: "https://dl.fedoraproject.org/pub/fedora/linux/releases/38/Everything/x86_64/os/"}))),
	pass("Fedora at its archive", assesstest.Fedora43,
		both(system("fedora", "38", "Fedora Linux 38"), repos(facts.Repo{ID: "fedora", Enabled: true, BaseURL: "https://archives.fedoraproject.org/pub/archive/fedora/linux/releases/38/Everything/x86_64/os/"}))),
	pass("openSUSE's host keeps what has ended", assesstest.OpenSUSE156,
		both(system("opensuse", "42.3", "openSUSE Leap 42.3"), repos(facts.Repo{ID: "oss", Enabled: true, BaseURL: "http://download.opensuse.org/distribution/leap/42.3/repo/oss/"}))),
	unknown("not read", assesstest.CentOS7, noRepos),
	unknown("who is it", assesstest.CentOS7, func(f *facts.Facts) { assesstest.Forget(&f.Guest.System) }),
)

var _ = rows("repositories.answer",
	pass("nothing is needed", assesstest.CentOS7, hosts(map[string]string{"vault.centos.org": "no"})),
	pass("all resolve", assesstest.CentOS7, both(assesstest.NoHeaders, hosts(map[string]string{"vault.centos.org": "yes"}))),
	pass("a dead host that no enabled repository uses", assesstest.CentOS7, both(assesstest.NoHeaders, hosts(map[string]string{"example.org": "no"}))),
	pass("not asked in time", assesstest.CentOS7, both(assesstest.NoHeaders, hosts(map[string]string{"vault.centos.org": ""}))),
	fail("dead host (L9)", "getent hosts vault.centos.org", assesstest.CentOS7, both(assesstest.NoHeaders, hosts(map[string]string{"vault.centos.org": "no"}))),
	warn("dead host, the manager goes on", "works without them", assesstest.CentOS7, both(assesstest.NoHeaders, hosts(map[string]string{"vault.centos.org": "no"}), candidate(facts.CandAvailable, ""))),
	fail("the manager says so (L13)", "sudo yum makecache", assesstest.CentOS7, both(assesstest.NoHeaders, candidate(facts.CandError, "http://vault.centos.org/7.6.1810/os/x86_64/repodata/repomd.xml: [Errno 14] HTTP Error 404 - Not Found"))),
	fail("apt without lists", "sudo apt-get update", assesstest.Debian12, both(assesstest.NoHeaders, candidate(facts.CandError, "apt has no package lists (apt-get update has not run)"))),
	fail("zypper", "sudo zypper refresh", assesstest.OpenSUSE156, both(assesstest.NoHeaders, candidate(facts.CandError, "x"))),
	fail("pacman", "sudo pacman -Syy", assesstest.Arch, both(none, candidate(facts.CandError, "x"))),
	fail("names of CentOS 7 (L14)", "leave --enablerepo out", assesstest.Rocky9, both(assesstest.NoHeaders, candidate(facts.CandError, "Error: Unknown repo: 'C*-base'"))),
	fail("its Python is broken (T8)", "ls -l /usr/bin/python*", assesstest.CentOS7, both(assesstest.NoHeaders, candidate(facts.CandError, "    except KeyboardInterrupt, e:\nSyntaxError: invalid syntax"))),
	fail("a lock that a crash has left", "sudo rm /var/lib/pacman/db.lck", assesstest.Arch, both(none, candidate(facts.CandError, "error: failed to init transaction (unable to lock database)"))),
	unknown("another one works", assesstest.Debian12, both(both(assesstest.NoHeaders, working("apt-get 12")), candidate(facts.CandError, "E: Could not get lock /var/lib/dpkg/lock-frontend"))),
	unknown("kernel not seen", assesstest.CentOS7, noKernel),
	unknown("not read", assesstest.CentOS7, both(assesstest.NoHeaders, noRepos)),
	unknown("not asked", assesstest.CentOS7, both(assesstest.NoHeaders, func(f *facts.Facts) { assesstest.Forget(&f.Guest.Resolve) })),
)

func working(manager string) func(*facts.Facts) {
	return func(f *facts.Facts) {
		f.Guest.Activity = facts.Known(facts.Activity{PackageManagers: []string{manager}})
	}
}

// network changes what the guest has of a network, and what this host can resolve.
func network(change func(*facts.Repos), here ...string) func(*facts.Facts) {
	return both(assesstest.NoHeaders, func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Repos, func(r *facts.Repos) {
			r.Hosts, r.Route, r.Nameservers = map[string]string{"vault.centos.org": "no", "mirror.example.org": "no"}, "yes", []string{"10.0.2.3"}
			change(r)
		})
		f.Host.Resolves = map[string]bool{}
		for _, name := range here {
			f.Host.Resolves[name] = true
		}
	})
}

var _ = rows("repositories.way_out",
	pass("nothing is needed", assesstest.CentOS7, as),
	pass("all is in the guest", assesstest.CentOS7, network(func(r *facts.Repos) { r.Hosts = nil })),
	pass("one name resolves", assesstest.CentOS7, network(func(r *facts.Repos) { r.Hosts["vault.centos.org"] = "yes" })),
	pass("by a proxy, which knows the names", assesstest.CentOS7, network(func(r *facts.Repos) { r.Proxy, r.ProxyFrom, r.Route = "http://proxy:3128", "/etc/yum.conf", "no" })),
	fail("no route", "boxdoctor fix --packages DIR", assesstest.CentOS7, network(func(r *facts.Repos) { r.Route = "no" })),
	fail("the name service is dead, and this host's works", "VBoxManage modifyvm project_default --natdnshostresolver1 on", assesstest.CentOS7, network(func(*facts.Repos) {}, "vault.centos.org")),
	fail("it says which servers", "name servers: 10.0.2.3", assesstest.CentOS7, network(func(*facts.Repos) {}, "vault.centos.org")),
	fail("it says which files", "kernel-devel-3.10.0-1160.119.1.el7.x86_64", assesstest.CentOS7, network(func(*facts.Repos) {}, "vault.centos.org")),
	unknown("nobody resolves it", assesstest.CentOS7, network(func(*facts.Repos) {})),
	unknown("not read", assesstest.CentOS7, both(assesstest.NoHeaders, noRepos)),
	unknown("kernel not seen", assesstest.CentOS7, noKernel),
)

var _ = rows("repositories.old_minor",
	pass("nothing is needed", assesstest.Rocky9, offers(rockyNext)),
	pass("the running kernel's devel is offered", assesstest.Rocky9, both(assesstest.NoHeaders, offers("5.14.0-427.13.1.el9_4.x86_64", rockyNext))),
	pass("the same minor, another build", assesstest.Rocky9, both(assesstest.NoHeaders, offers("5.14.0-427.42.1.el9_4.x86_64"))),
	pass("nothing is offered at all", assesstest.Rocky9, both(assesstest.NoHeaders, offers())),
	pass("CentOS has no such minors", assesstest.CentOS7, both(assesstest.NoHeaders, offers("3.10.0-1160.el7.x86_64"))),
	fail("Rocky 9.4 of repositories with 9.5 (L15)", "--repofrompath=vault,https://dl.rockylinux.org/vault/rocky/9.4/AppStream/x86_64/os/ --setopt=vault.gpgcheck=1 install kernel-devel-5.14.0-427.13.1.el9_4.x86_64",
		assesstest.Rocky9, both(assesstest.NoHeaders, offers(rockyNext))),
	fail("the vault does not answer", "did not answer", assesstest.Rocky9, both(both(assesstest.NoHeaders, offers(rockyNext)), func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Resolve, func(r *facts.Resolve) { r.Vault = facts.Vault{URL: "https://x/", Text: "Curl error (7)"} })
	})),
	fail("a minor with two digits", "hold only 9.10", assesstest.Rocky9, both(assesstest.NoHeaders, offers("5.14.0-700.1.1.el9_10.x86_64"))),
	fail("AlmaLinux", "https://repo.almalinux.org/vault/9.4/", assesstest.Rocky9, both(assesstest.NoHeaders, system("almalinux", "9.4", "AlmaLinux 9.4"), offers(rockyNext))),
	unknown("kernel not seen", assesstest.Rocky9, noKernel),
	unknown("not asked", assesstest.Rocky9, both(assesstest.NoHeaders, func(f *facts.Facts) { assesstest.Forget(&f.Guest.Resolve) })),
)

func TestOneLine(t *testing.T) {
	if got := oneLine(" a\n\tb  c "); got != "a b c" {
		t.Errorf("%q", got)
	}
	long := make([]byte, 1000)
	for i := range long {
		long[i] = 'x'
	}
	if got := oneLine(string(long)); len(got) > 310 {
		t.Errorf("%d bytes", len(got))
	}
}
