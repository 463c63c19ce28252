// Package assesstest builds the facts of whole machines for tests: healthy ones of every family, and the founding
// case. A test takes one and changes what its row is about. Every call returns facts of its own.
package assesstest

import (
	"fmt"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// Box makes the facts of one machine.
type Box func() *facts.Facts

// Healthy are machines on which no check may fail or warn, by name.
var Healthy = map[string]Box{
	"centos-7": CentOS7, "rocky-9": Rocky9, "fedora-43": Fedora43, "debian-12": Debian12,
	"ubuntu-22.04": Ubuntu2204, "opensuse-15.6": OpenSUSE156, "arch": Arch,
}

// Edit changes a known fact in place; an unknown one becomes known.
func Edit[T any](v *facts.Value[T], change func(*T)) {
	var zero T
	t := v.Or(zero)
	change(&t)
	*v = facts.Known(t)
}

// Forget makes a fact unknown.
func Forget[T any](v *facts.Value[T]) { *v = facts.Unknownf[T]("the test took it away") }

// distro is what differs between the healthy machines.
type distro struct {
	id, version, pretty, manager, release, arch string
	packages                                    []facts.Package
	repo                                        facts.Repo
}

// CentOS7 is a healthy CentOS 7 whose repositories point at the vault already.
func CentOS7() *facts.Facts {
	return healthy(distro{id: "centos", version: "7", pretty: "CentOS Linux 7 (Core)", manager: "yum",
		release: "3.10.0-1160.119.1.el7.x86_64", packages: rpms("3.10.0-1160.119.1.el7", "kernel", "kernel-devel", "kernel-headers"),
		repo: facts.Repo{ID: "base", File: "/etc/yum.repos.d/CentOS-Base.repo", BaseURL: "http://vault.centos.org/7.9.2009/os/$basearch/"}})
}

// Rocky9 is a healthy Rocky Linux 9.4.
func Rocky9() *facts.Facts {
	return healthy(distro{id: "rocky", version: "9.4", pretty: "Rocky Linux 9.4 (Blue Onyx)", manager: "dnf",
		release: "5.14.0-427.13.1.el9_4.x86_64", packages: rpms("5.14.0-427.13.1.el9_4", "kernel", "kernel-core", "kernel-devel", "kernel-headers"),
		repo: facts.Repo{ID: "baseos", File: "/etc/yum.repos.d/rocky.repo", MirrorList: "https://mirrors.rockylinux.org/mirrorlist?arch=$basearch&repo=BaseOS-9"}})
}

// Fedora43 is a healthy Fedora with dnf5.
func Fedora43() *facts.Facts {
	return healthy(distro{id: "fedora", version: "43", pretty: "Fedora Linux 43 (Cloud Edition)", manager: "dnf5",
		release: "6.17.1-300.fc43.x86_64", packages: rpms("6.17.1-300.fc43", "kernel", "kernel-core", "kernel-devel", "kernel-headers"),
		repo: facts.Repo{ID: "fedora", File: "/etc/yum.repos.d/fedora.repo", MirrorList: "https://mirrors.fedoraproject.org/metalink?repo=fedora-43"}})
}

// Debian12 is a healthy Debian with Oracle's Guest Additions.
func Debian12() *facts.Facts {
	return healthy(distro{id: "debian", version: "12", pretty: "Debian GNU/Linux 12 (bookworm)", manager: "apt", release: "6.1.0-21-amd64",
		packages: []facts.Package{{Name: "linux-image-6.1.0-21-amd64", Version: "6.1.90-1", Arch: "amd64"}, {Name: "linux-headers-6.1.0-21-amd64", Version: "6.1.90-1", Arch: "amd64"}},
		repo:     facts.Repo{ID: "bookworm", File: "/etc/apt/sources.list", BaseURL: "https://http.debian.org/debian"}})
}

// Ubuntu2204 is a healthy Ubuntu with Oracle's Guest Additions.
func Ubuntu2204() *facts.Facts {
	return healthy(distro{id: "ubuntu", version: "22.04", pretty: "Ubuntu 22.04.4 LTS", manager: "apt", release: "5.15.0-107-generic",
		packages: []facts.Package{{Name: "linux-image-5.15.0-107-generic", Version: "5.15.0-107.117", Arch: "amd64"}, {Name: "linux-headers-5.15.0-107-generic", Version: "5.15.0-107.117", Arch: "amd64"}},
		repo:     facts.Repo{ID: "jammy", File: "/etc/apt/sources.list", BaseURL: "http://archive.ubuntu.com/ubuntu"}})
}

// OpenSUSE156 is a healthy openSUSE Leap with Oracle's Guest Additions.
func OpenSUSE156() *facts.Facts {
	return healthy(distro{id: "opensuse-leap", version: "15.6", pretty: "openSUSE Leap 15.6", manager: "zypper", release: "6.4.0-150600.23.7-default",
		packages: rpms("6.4.0-150600.23.7.3", "kernel-default", "kernel-default-devel"),
		repo:     facts.Repo{ID: "repo-oss", File: "/etc/zypp/repos.d/repo-oss.repo", BaseURL: "http://download.opensuse.org/distribution/leap/15.6/repo/oss"}})
}

// Arch is a healthy Arch Linux with the distribution's package and the kernel's own modules, as its boxes are.
func Arch() *facts.Facts {
	f := healthy(distro{id: "arch", pretty: "Arch Linux", manager: "pacman", release: "6.9.1-arch1-1",
		packages: []facts.Package{{Name: "linux", Version: "6.9.1.arch1-1"}, {Name: "virtualbox-guest-utils-nox", Version: "7.0.20-1"}},
		repo:     facts.Repo{ID: "core", File: "/etc/pacman.conf", MirrorList: "/etc/pacman.d/mirrorlist"}})
	InKernel(f)
	Edit(&f.Guest.Additions, func(a *facts.Additions) {
		a.Control, a.Service = "7.0.20r163906", "7.0.20r163906"
		a.Helper = facts.Helper{Exists: true, Resolved: "/usr/bin/mount.vboxsf", Exec: true}
	})
	Edit(&f.Guest.Services, func(s *facts.Services) {
		s.Units = []facts.Service{{Name: "vboxservice", State: "active", Exists: true}}
	})
	return f
}

// InKernel replaces Oracle's Guest Additions by the kernel's own modules, loaded, and nothing else.
func InKernel(f *facts.Facts) {
	f.Guest.Additions = facts.Known(facts.Additions{})
	Edit(&f.Guest.Kernel, func(k *facts.Kernel) {
		k.Trees[0].Misc, k.Trees[0].InTree = nil, []string{"vboxguest", "vboxsf"}
	})
	dir := "/lib/modules/" + f.Guest.System.Or(facts.System{}).KernelRelease + "/kernel/"
	f.Guest.Modules = facts.Known(facts.Modules{FSRegistered: true,
		Guest: facts.Module{File: dir + "drivers/virt/vboxguest/vboxguest.ko.zst", Loaded: true},
		SF:    facts.Module{File: dir + "fs/vboxsf/vboxsf.ko.zst", Loaded: true}})
}

// NoHeaders takes the headers of the running kernel and the modules built with them away.
func NoHeaders(f *facts.Facts) {
	Edit(&f.Guest.Kernel, func(k *facts.Kernel) {
		k.Trees[0].Misc, k.Trees[0].InTree, k.Trees[0].BuildOK, k.Trees[0].Headers = nil, nil, false, false
	})
	Unloaded(f)
	Edit(&f.Guest.Packages, func(p *facts.Packages) {
		var out []facts.Package
		for _, i := range p.Installed {
			if !strings.Contains(i.Name, "-devel") && !strings.Contains(i.Name, "linux-headers") {
				out = append(out, i)
			}
		}
		p.Installed = out
	})
	f.Guest.Mounts = facts.Known(facts.Mounts{Wanted: []facts.WantedMount{{GuestPath: "/vagrant", Exists: true, UID: 0, GID: 0, WantUID: 1000, WantGID: 1000}}})
	f.Guest.Services = facts.Known(facts.Services{Units: []facts.Service{{Name: "vboxadd-service", State: "failed", Exists: true}}})
}

// Unloaded takes both modules out of memory and, because nothing is built, out of modinfo.
func Unloaded(f *facts.Facts) { f.Guest.Modules = facts.Known(facts.Modules{}) }

// OldHost makes the host's VirtualBox, its ISO included, of this version.
func OldHost(f *facts.Facts, v string) {
	Edit(&f.Host.VBoxManage, func(m *facts.VBoxManage) { m.Version = v + "r1" })
	Edit(&f.Host.AdditionsISO, func(i *facts.ISO) { i.Version = v })
}

// Offer says what the repositories hold, besides the outcome for the one package that was asked for.
func Offer(f *facts.Facts, kernels, devel []string, asked ...facts.Candidate) {
	f.Guest.Resolve = facts.Known(facts.Resolve{Candidates: asked, Kernels: kernels, DevelFor: devel})
}

// Locked sets the locks, with the text of the file that holds them, and switches the plugins on.
func Locked(f *facts.Facts, file, content string, entries ...facts.Lock) {
	l := facts.Locks{Entries: entries, YumPluginEnabled: true, DNFPluginEnabled: true}
	if file != "" {
		l.Files = []facts.ConfigFile{{Path: file, Mode: "644", Content: content}}
	}
	f.Guest.Locks = facts.Known(l)
}

// LockLines are the entries of a list of yum or dnf, one for each line of content that is not empty or a comment.
func LockLines(kind, file, content string) []facts.Lock {
	var out []facts.Lock
	for i, line := range strings.Split(content, "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, facts.Lock{Kind: kind, File: file, Line: i + 1, Entry: line})
		}
	}
	return out
}

func rpms(version string, names ...string) []facts.Package {
	var out []facts.Package
	for _, n := range names {
		out = append(out, facts.Package{Name: n, Version: version, Arch: "x86_64"})
	}
	return out
}

func healthy(d distro) *facts.Facts {
	d.repo.Enabled, d.repo.GPGCheck = true, "1"
	f := &facts.Facts{Machine: facts.Machine{Name: "default", User: "vagrant", UUID: "0b7c9d5e-0000-4000-8000-000000000001"}}
	f.Host = host()
	g := &f.Guest
	g.Reach = facts.Known(facts.Reach{OK: true, Address: "127.0.0.1:2222", User: "vagrant"})
	g.System = facts.Known(facts.System{KernelRelease: d.release, Arch: "x86_64", Hostname: "box", ID: d.id, VersionID: d.version, Pretty: d.pretty,
		Manager: d.manager, Product: "VirtualBox", PCIDevice: true, Init: "systemd", UserName: "vagrant", UID: 1000, GID: 1000})
	g.Sudo = facts.Known(facts.Sudo{State: facts.SudoOK})
	g.Kernel = facts.Known(kernel(d.release))
	g.Packages = facts.Known(facts.Packages{Installed: d.packages})
	g.Locks = facts.Known(facts.Locks{})
	g.Repos = facts.Known(facts.Repos{List: []facts.Repo{d.repo}, Hosts: map[string]string{}})
	g.Resolve = facts.Known(facts.Resolve{})
	g.Tools = facts.Known(facts.Tools{Path: tools(), LibELF: true, NeedsLibELF: true, GCCVersion: "gcc 12", Python: python(d.manager)})
	g.Space = facts.Known(space())
	g.Clock = facts.Known(facts.Clock{Guest: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), Slack: time.Second})
	g.Security = facts.Known(facts.Security{SecureBoot: "disabled", Lockdown: "none"})
	g.GALog = facts.Known(facts.GALog{})
	g.Activity = facts.Known(facts.Activity{})
	additions(f, d.release, "7.0.20", "r163906")
	return f
}

// python is the interpreter of the package managers that are programs in Python.
func python(manager string) facts.Python {
	switch manager {
	case "yum":
		return facts.Python{Program: "/usr/bin/yum", Interpreter: "/usr/bin/python", Resolved: "/usr/bin/python2.7", Version: "Python 2.7.5"}
	case "dnf":
		return facts.Python{Program: "/usr/bin/dnf-3", Interpreter: "/usr/libexec/platform-python", Resolved: "/usr/bin/python3.9", Version: "Python 3.9.18"}
	}
	return facts.Python{}
}

func host() facts.Host {
	return facts.Host{OS: "linux", ProjectRoot: facts.Known("/home/me/project"),
		VBoxManage:   facts.Known(facts.VBoxManage{Path: "/usr/bin/VBoxManage", Version: "7.0.20r163906"}),
		VM:           facts.Known(facts.VM{Name: "project_default", State: "running", Shares: []facts.Share{{Name: "vagrant", HostPath: "/home/me/project"}}, AdditionsVersion: "7.0.20 r163906"}),
		Folders:      facts.Known([]facts.SyncedFolder{{Name: "vagrant", HostPath: "/home/me/project", GuestPath: "/vagrant"}}),
		AdditionsISO: facts.Known(facts.ISO{Path: "/usr/share/virtualbox/VBoxGuestAdditions.iso", Version: "7.0.20", SHA256: strings.Repeat("ab", 32), Size: 53796864, Source: "systemproperties"}),
		DevVBoxDrv:   facts.Known(true),
		Preflight:    linuxPreflight()}
}

func kernel(release string) facts.Kernel {
	return facts.Kernel{Running: release, Default: release, DefaultFrom: "grubby", BootImages: []string{release},
		Trees: []facts.KernelTree{Tree(release, true, "vboxguest", "vboxsf", "vboxvideo")}}
}

// Tree is a folder of /lib/modules with modules, headers or none, and the vbox modules of Oracle that are named.
func Tree(release string, headers bool, misc ...string) facts.KernelTree {
	return facts.KernelTree{Release: release, HasModules: true, Build: "/usr/src/kernels/" + release, BuildOK: headers, Headers: headers, Misc: misc}
}

// additions puts Oracle's Guest Additions into the guest: built, loaded, running, mounted.
func additions(f *facts.Facts, release, v, revision string) {
	dir := "/opt/VBoxGuestAdditions-" + v
	f.Guest.Additions = facts.Known(facts.Additions{ConfigVersion: v, InstallDir: dir, HasConfig: true, HasFilelist: true, OptDirs: []string{dir},
		Control: v + revision, Service: v + revision, HostVersion: v, Setup: "/sbin/rcvboxadd", LibLink: true, ShareNames: []string{"vagrant"},
		Helper: facts.Helper{Exists: true, Link: dir + "/other/mount.vboxsf", Resolved: dir + "/other/mount.vboxsf", Exec: true, Candidates: []string{dir + "/other/mount.vboxsf"}}})
	module := func(name string) facts.Module {
		return facts.Module{File: fmt.Sprintf("/lib/modules/%s/misc/%s.ko", release, name), Version: v + " " + revision, Loaded: true, Running: v + " " + revision}
	}
	f.Guest.Modules = facts.Known(facts.Modules{Guest: module("vboxguest"), SF: module("vboxsf"), FSRegistered: true})
	f.Guest.Services = facts.Known(facts.Services{VBoxServiceRuns: true, Units: []facts.Service{
		{Name: "vboxadd", State: "active", Exists: true}, {Name: "vboxadd-service", State: "active", Exists: true}}})
	f.Guest.Mounts = facts.Known(facts.Mounts{
		VBoxSF: []facts.Mount{{Source: "vagrant", Target: "/vagrant", FS: "vboxsf", Options: []string{"rw", "nodev", "relatime", "uid=1000", "gid=1000"}}},
		Wanted: []facts.WantedMount{{GuestPath: "/vagrant", Exists: true, Writable: true, UID: 1000, GID: 1000, WantUID: 1000, WantGID: 1000}}})
}

func tools() map[string]string {
	out := map[string]string{}
	for _, t := range []string{"gcc", "make", "perl", "bzip2", "tar"} {
		out[t] = "/usr/bin/" + t
	}
	return out
}

func space() []facts.Space {
	var out []facts.Space
	for _, p := range []string{"/", "/boot", "/tmp", "/opt", "/usr", "/var", "/home"} {
		out = append(out, facts.Space{Path: p, Mount: "/", FS: "xfs", FreeKB: 20 << 20, TotalKB: 40 << 20, FreeInodes: 2_000_000})
	}
	return out
}
