package assess_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

func as(*facts.Facts) {}

func on(changes ...func(*facts.Facts)) func(*facts.Facts) {
	return func(f *facts.Facts) {
		for _, c := range changes {
			c(f)
		}
	}
}

func TestHostVersion(t *testing.T) {
	versions := func(manage, given, inside string, explicit bool) *facts.Facts {
		f := assesstest.CentOS7()
		f.Host.VBoxManage = facts.Known(facts.VBoxManage{Version: manage})
		f.Host.GivenVersion, f.Host.Explicit = given, explicit
		assesstest.Edit(&f.Guest.Additions, func(a *facts.Additions) { a.HostVersion = inside })
		return f
	}
	for _, c := range []struct {
		name, manage, given, inside string
		explicit                    bool
		want, from                  string
	}{
		{"a project: VBoxManage first", "7.0.20r1", "7.1.0", "7.2.0", false, "7.0.20", "VBoxManage"},
		{"then what was given", "", "7.1.0", "7.2.0", false, "7.1.0", "--vbox-version"},
		{"then from inside", "", "", "7.2.0", false, "7.2.0", "VBoxControl in the guest"},
		{"an address: what was given first", "7.0.20r1", "7.1.0", "7.2.0", true, "7.1.0", "--vbox-version"},
		{"an address: then from inside", "7.0.20r1", "", "7.2.0", true, "7.2.0", "VBoxControl in the guest"},
		{"an address: this host last", "7.0.20_Debianr1", "", "", true, "7.0.20", "VBoxManage"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, from, err := assess.HostVersion(versions(c.manage, c.given, c.inside, c.explicit))
			if err != nil || v.Number != c.want || from != c.from {
				t.Errorf("%s from %q, %v; want %s from %q", v.Number, from, err, c.want, c.from)
			}
		})
	}
	if _, _, err := assess.HostVersion(versions("", "", "", false)); !errors.Is(err, facts.ErrNotCollected) || !strings.Contains(err.Error(), "--vbox-version") {
		t.Errorf("nothing known: %v", err)
	}
	if _, _, err := assess.HostVersion(versions("nonsense", "", "", false)); err == nil {
		t.Error("nonsense is taken for a version")
	}
}

func TestBuildNeeded(t *testing.T) {
	for _, c := range []struct {
		name   string
		box    assesstest.Box
		change func(*facts.Facts)
		want   bool
	}{
		{"working additions", assesstest.CentOS7, as, false},
		{"another patch of the same series", assesstest.CentOS7, func(f *facts.Facts) { assesstest.OldHost(f, "7.0.26") }, false},
		{"an older series", assesstest.CentOS7, func(f *facts.Facts) { assesstest.OldHost(f, "7.1.4") }, true},
		{"a newer guest", assesstest.CentOS7, func(f *facts.Facts) { assesstest.OldHost(f, "6.1.50") }, false},
		{"host unknown", assesstest.CentOS7, func(f *facts.Facts) {
			f.Host.VBoxManage = facts.Known(facts.VBoxManage{})
			assesstest.Edit(&f.Guest.Additions, func(a *facts.Additions) { a.HostVersion = "" })
		}, false},
		{"nothing built", assesstest.CentOS7, assesstest.NoHeaders, true},
		{"built, not loaded", assesstest.CentOS7, assesstest.Unloaded, false},
		{"the kernel's own, loaded, nothing else", assesstest.Fedora43, assesstest.InKernel, false},
		{"the kernel's own, on disk only", assesstest.Fedora43, on(assesstest.InKernel, assesstest.Unloaded), true},
		{"the distribution's packages", assesstest.Arch, as, false},
		{"the distribution's packages, old host series", assesstest.Arch, func(f *facts.Facts) { assesstest.OldHost(f, "7.2.0") }, true},
		{"the kernel's own in place of Oracle's", assesstest.Debian12, func(f *facts.Facts) {
			ga := f.Guest.Additions
			assesstest.InKernel(f)
			f.Guest.Additions = ga
		}, true},
		{"no file seen, both in memory", assesstest.CentOS7, func(f *facts.Facts) {
			assesstest.Edit(&f.Guest.Kernel, func(k *facts.Kernel) { k.Trees[0].Misc = nil })
		}, false},
		{"founding", assesstest.Founding, as, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := c.box()
			c.change(f)
			if got, err := assess.BuildNeeded(f); err != nil || got != c.want {
				t.Errorf("%v, %v; want %v", got, err, c.want)
			}
		})
	}
	f := assesstest.CentOS7()
	assesstest.Forget(&f.Guest.Kernel)
	if _, err := assess.BuildNeeded(f); !errors.Is(err, facts.ErrNotCollected) {
		t.Errorf("kernel not seen: %v", err)
	}
}

func withPackages(pk ...facts.Package) func(*facts.Facts) {
	return func(f *facts.Facts) { f.Guest.Packages = facts.Known(facts.Packages{Installed: pk}) }
}

func TestNamesFor(t *testing.T) {
	elrepo := "6.1.90-1.el9.elrepo.x86_64"
	for _, c := range []struct {
		name    string
		box     assesstest.Box
		change  func(*facts.Facts)
		release string
		kernel  string // the package that an install of the kernel itself names
		devel   string
	}{
		{"EL7", assesstest.CentOS7, as, "3.10.0-1127.el7.x86_64", "kernel-3.10.0-1127.el7.x86_64", "kernel-devel-3.10.0-1127.el7.x86_64"},
		{"EL6 founding", assesstest.Founding, as, assesstest.FoundingRunning, "kernel-2.6.32-358.10.2.el6.x86_64", "kernel-devel-2.6.32-358.10.2.el6.x86_64"},
		{"EL9", assesstest.Rocky9, as, "5.14.0-362.8.1.el9_3.x86_64", "kernel-5.14.0-362.8.1.el9_3.x86_64", "kernel-devel-5.14.0-362.8.1.el9_3.x86_64"},
		{"Fedora", assesstest.Fedora43, as, "6.17.1-300.fc43.x86_64", "kernel-6.17.1-300.fc43.x86_64", "kernel-devel-6.17.1-300.fc43.x86_64"},
		{"UEK", assesstest.Rocky9, as, "5.15.0-100.96.32.el9uek.x86_64", "kernel-uek-5.15.0-100.96.32.el9uek.x86_64", "kernel-uek-devel-5.15.0-100.96.32.el9uek.x86_64"},
		{"UEK 7", assesstest.CentOS7, as, "3.8.13-55.1.8.el7uek.x86_64", "kernel-uek-3.8.13-55.1.8.el7uek.x86_64", "kernel-uek-devel-3.8.13-55.1.8.el7uek.x86_64"},
		{"ELRepo, nothing known", assesstest.Rocky9, withPackages(), elrepo, "kernel-ml-" + elrepo, "kernel-ml-devel-" + elrepo},
		{"ELRepo lt", assesstest.Rocky9, withPackages(facts.Package{Name: "kernel-lt", Version: "6.1.90-1.el9.elrepo"}), elrepo, "kernel-lt-" + elrepo, "kernel-lt-devel-" + elrepo},
		{"ELRepo lt by its core", assesstest.Rocky9, withPackages(facts.Package{Name: "kernel-lt-core", Version: "6.1.80-1.el9.elrepo"}), elrepo, "kernel-lt-" + elrepo, "kernel-lt-devel-" + elrepo},
		{"ELRepo both, the running one is lt", assesstest.Rocky9, withPackages(facts.Package{Name: "kernel-ml", Version: "6.9.1-1.el9.elrepo"}, facts.Package{Name: "kernel-ml-core", Version: "6.9.1-1.el9.elrepo"},
			facts.Package{Name: "kernel-lt", Version: "6.1.90-1.el9.elrepo"}), elrepo, "kernel-lt-" + elrepo, "kernel-lt-devel-" + elrepo},
		{"ELRepo both, the running one is ml", assesstest.Rocky9, withPackages(facts.Package{Name: "kernel-ml", Version: "6.1.90-1.el9.elrepo"},
			facts.Package{Name: "kernel-lt", Version: "5.4.1-1.el9.elrepo"}, facts.Package{Name: "kernel-lt-devel", Version: "5.4.1-1.el9.elrepo"}), elrepo, "kernel-ml-" + elrepo, "kernel-ml-devel-" + elrepo},
		{"debug", assesstest.Rocky9, as, "5.14.0-362.8.1.el9_3.x86_64+debug", "kernel-debug-5.14.0-362.8.1.el9_3.x86_64", "kernel-debug-devel-5.14.0-362.8.1.el9_3.x86_64"},
		{"EL6 debug", assesstest.Founding, as, "2.6.32-358.el6.x86_64.debug", "kernel-debug-2.6.32-358.el6.x86_64", "kernel-debug-devel-2.6.32-358.el6.x86_64"},
		{"Debian", assesstest.Debian12, as, "6.1.0-21-amd64", "linux-image-6.1.0-21-amd64", "linux-headers-6.1.0-21-amd64"},
		{"Debian cloud", assesstest.Debian12, as, "6.1.0-21-cloud-amd64", "linux-image-6.1.0-21-cloud-amd64", "linux-headers-6.1.0-21-cloud-amd64"},
		{"Ubuntu", assesstest.Ubuntu2204, as, "5.15.0-107-lowlatency", "linux-image-5.15.0-107-lowlatency", "linux-headers-5.15.0-107-lowlatency"},
		{"Proxmox", assesstest.Debian12, as, "6.2.16-3-pve", "pve-kernel-6.2.16-3-pve", "pve-headers-6.2.16-3-pve"},
		{"openSUSE, installed", assesstest.OpenSUSE156, as, "6.4.0-150600.23.7-default", "kernel-default=6.4.0-150600.23.7.3", "kernel-default-devel=6.4.0-150600.23.7.3"},
		{"openSUSE, not installed", assesstest.OpenSUSE156, as, "6.4.0-150600.23.50-default", "kernel-default=6.4.0-150600.23.50", "kernel-default-devel=6.4.0-150600.23.50"},
		{"openSUSE, not the one whose name goes on", assesstest.OpenSUSE156, as, "6.4.0-150600.23-default", "kernel-default=6.4.0-150600.23.7.3", "kernel-default-devel=6.4.0-150600.23.7.3"},
		{"openSUSE azure", assesstest.OpenSUSE156, as, "6.4.0-150600.8.5-azure", "kernel-azure=6.4.0-150600.8.5", "kernel-azure-devel=6.4.0-150600.8.5"},
		{"Arch", assesstest.Arch, as, "6.9.1-arch1-1", "linux", "linux-headers"},
		{"Arch lts", assesstest.Arch, as, "6.6.30-1-lts", "linux-lts", "linux-lts-headers"},
		{"Arch zen", assesstest.Arch, as, "6.9.1-zen1-1-zen", "linux-zen", "linux-zen-headers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := c.box()
			c.change(f)
			n, err := assess.NamesFor(f, c.release)
			if err != nil || n.Devel != c.devel {
				t.Fatalf("%q, %v; want %q", n.Devel, err, c.devel)
			}
			got := assess.Target{Release: c.release, WithKernel: true}.Packages(facts.Kernel{}, n)
			if !slices.Equal(got, []string{c.kernel, c.devel}) {
				t.Errorf("packages %v, want %s and %s", got, c.kernel, c.devel)
			}
		})
	}
	f := assesstest.CentOS7()
	if _, err := assess.NamesFor(f, "no kernel"); err == nil {
		t.Error("a malformed release has names")
	}
	assesstest.Edit(&f.Guest.System, func(s *facts.System) { s.Manager = "apk" })
	if _, err := assess.NamesFor(f, "6.1.0-1"); !errors.Is(err, facts.ErrNotCollected) {
		t.Errorf("apk: %v", err)
	}
}

const (
	run  = "5.14.0-427.13.1.el9_4.x86_64"
	mid  = "5.14.0-427.42.1.el9_4.x86_64"
	next = "5.14.0-503.11.1.el9_5.x86_64"
)

func installedToo(release string, headers bool) func(*facts.Facts) {
	return func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Kernel, func(k *facts.Kernel) {
			k.BootImages = append(k.BootImages, release)
			k.Trees = append(k.Trees, assesstest.Tree(release, headers))
		})
	}
}

func TestChooseTarget(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*facts.Facts)
		offline []string
		want    assess.Target
		ok      bool
	}{
		{"the running kernel's devel is offered", func(f *facts.Facts) { assesstest.Offer(f, []string{next}, []string{run, next}) }, nil, assess.Target{Release: run}, true},
		{"the manager would install it", func(f *facts.Facts) {
			assesstest.Offer(f, nil, nil, facts.Candidate{Name: "kernel-devel-" + run, State: facts.CandAvailable})
		}, nil, assess.Target{Release: run}, true},
		{"only a lock hides it", func(f *facts.Facts) {
			assesstest.Offer(f, []string{next}, []string{next}, facts.Candidate{Name: "kernel-devel-" + run, State: facts.CandFiltered})
		}, nil, assess.Target{Release: run}, true},
		{"an installed newer kernel has headers", on(installedToo(mid, true), func(f *facts.Facts) { assesstest.Offer(f, []string{next}, []string{next}) }), nil, assess.Target{Release: mid}, true},
		{"an installed newer kernel's devel is offered", on(installedToo(mid, false), func(f *facts.Facts) { assesstest.Offer(f, []string{next}, []string{mid, next}) }), nil, assess.Target{Release: mid}, true},
		{"the newest installed is taken", on(installedToo(mid, true), installedToo(next, true), func(f *facts.Facts) { assesstest.Offer(f, nil, nil) }), nil, assess.Target{Release: next}, true},
		{"an installed older kernel is not", on(installedToo("5.14.0-70.el9.x86_64", true), func(f *facts.Facts) { assesstest.Offer(f, []string{next}, []string{next}) }), nil, assess.Target{Release: next, WithKernel: true}, true},
		{"kernel and devel of one version", func(f *facts.Facts) { assesstest.Offer(f, []string{mid, next}, []string{mid}) }, nil, assess.Target{Release: mid, WithKernel: true}, true},
		{"the newest of them", func(f *facts.Facts) { assesstest.Offer(f, []string{mid, next}, []string{next, mid}) }, nil, assess.Target{Release: next, WithKernel: true}, true},
		{"never another kind", func(f *facts.Facts) {
			uek := "5.15.0-100.96.32.el9uek.x86_64"
			assesstest.Offer(f, []string{uek}, []string{uek})
		}, nil, assess.Target{}, false},
		{"devel alone is no target", func(f *facts.Facts) { assesstest.Offer(f, nil, []string{next}) }, nil, assess.Target{}, false},
		{"offline devel of the running kernel", func(f *facts.Facts) { assesstest.Offer(f, nil, nil) }, []string{run}, assess.Target{Release: run}, true},
		{"offline kernel and devel", func(f *facts.Facts) { assesstest.Offer(f, nil, nil) }, []string{next}, assess.Target{Release: next, WithKernel: true}, true},
		{"nothing", func(f *facts.Facts) { assesstest.Offer(f, nil, nil) }, nil, assess.Target{}, false},
		{"a kernel from outside takes an installed one, even an older", on(func(f *facts.Facts) {
			assesstest.Edit(&f.Guest.Kernel, func(k *facts.Kernel) { k.Running = "6.18.44-outer" })
			assesstest.Offer(f, nil, []string{run})
		}), nil, assess.Target{Release: run}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := assesstest.Rocky9()
			assesstest.NoHeaders(f)
			c.change(f)
			got, ok := assess.ChooseTarget(f, f.Guest.Kernel.Or(facts.Kernel{}), f.Guest.Resolve.Or(facts.Resolve{}), c.offline)
			if got != c.want || ok != c.ok {
				t.Errorf("%+v %v, want %+v %v", got, ok, c.want, c.ok)
			}
		})
	}
}

func TestForeign(t *testing.T) {
	k := facts.Kernel{Running: run, BootImages: []string{run}, Trees: []facts.KernelTree{assesstest.Tree(run, false)}}
	if assess.Foreign(k) {
		t.Error("an installed kernel is foreign")
	}
	k.Running = "6.18.44-outer"
	if !assess.Foreign(k) {
		t.Error("a kernel of which nothing is there is not foreign")
	}
	k.Trees = append(k.Trees, facts.KernelTree{Release: "6.18.44-outer"})
	if !assess.Foreign(k) {
		t.Error("leftovers of a build make a kernel the guest's own")
	}
}

func TestNextBuildable(t *testing.T) {
	tree := assesstest.Tree
	for _, c := range []struct {
		name string
		k    facts.Kernel
		want string
	}{
		{"the same", facts.Kernel{Running: run, Default: run, BootImages: []string{run}, Trees: []facts.KernelTree{tree(run, true)}}, ""},
		{"the default, with headers", facts.Kernel{Running: run, Default: next, BootImages: []string{run, next}, Trees: []facts.KernelTree{tree(run, true), tree(next, true)}}, next},
		{"the default has none", facts.Kernel{Running: run, Default: next, BootImages: []string{run, next}, Trees: []facts.KernelTree{tree(run, true), tree(next, false)}}, ""},
		{"no default known, a newer one", facts.Kernel{Running: run, BootImages: []string{run, next}, Trees: []facts.KernelTree{tree(next, true)}}, next},
		{"a newer one than the default", facts.Kernel{Running: run, Default: run, BootImages: []string{run, mid, next}, Trees: []facts.KernelTree{tree(mid, true), tree(next, true)}}, next},
		{"an older one", facts.Kernel{Running: next, Default: next, BootImages: []string{run, next}, Trees: []facts.KernelTree{tree(run, true)}}, ""},
		{"nothing", facts.Kernel{}, ""},
	} {
		if got := assess.NextBuildable(c.k); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestNeededPackages(t *testing.T) {
	for _, c := range []struct {
		name   string
		box    assesstest.Box
		change func(*facts.Facts)
		want   []string
	}{
		{"nothing", assesstest.Rocky9, as, nil},
		{"headers are there", assesstest.Rocky9, func(f *facts.Facts) { assesstest.OldHost(f, "7.2.0") }, nil},
		{"the running kernel's", assesstest.Rocky9, on(assesstest.NoHeaders, func(f *facts.Facts) { assesstest.Offer(f, nil, []string{run}) }), []string{"kernel-devel-" + run}},
		{"and what is installed instead", assesstest.Rocky9, on(assesstest.NoHeaders, func(f *facts.Facts) { assesstest.Offer(f, []string{next}, []string{next}) }),
			[]string{"kernel-devel-" + run, "kernel-" + next, "kernel-devel-" + next}},
		{"repositories not asked", assesstest.Rocky9, on(assesstest.NoHeaders, func(f *facts.Facts) { assesstest.Forget(&f.Guest.Resolve) }), []string{"kernel-devel-" + run}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := c.box()
			c.change(f)
			if got, err := assess.NeededPackages(f); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%v, %v; want %v", got, err, c.want)
			}
		})
	}
}

func TestShadowing(t *testing.T) {
	f := assesstest.Debian12()
	if got := assess.Shadowing(f); len(got) != 0 {
		t.Errorf("Oracle's own: %v", got)
	}
	assesstest.Edit(&f.Guest.Modules, func(m *facts.Modules) { m.SF.File, m.SF.Version = "(builtin)", "" })
	if got := assess.Shadowing(f); !slices.Equal(got, []string{"(builtin)"}) {
		t.Errorf("built in: %v", got)
	}
	if got := assess.Shadowing(assesstest.Arch()); len(got) != 0 {
		t.Errorf("no Oracle additions: %v", got)
	}
}

func TestMovedRepos(t *testing.T) {
	repo := func(url string) facts.Repo { return facts.Repo{ID: "x", Enabled: true, BaseURL: url} }
	for _, c := range []struct {
		id, version, url string
		moved            bool
	}{
		{"centos", "7", "http://mirror.centos.org/centos/7/os/x86_64/", true},
		{"centos", "7", "http://vault.centos.org/7.9.2009/os/x86_64/", false},
		{"centos", "7", "http://mirror.example.org/centos/7/", false},
		{"centos", "9", "http://mirror.centos.org/", false},
		{"debian", "10", "http://sec.debian.org/debian-security", true},
		{"debian", "10", "http://ftp.fr.debian.org/debian", true},
		{"debian", "10", "http://archive.debian.org/debian", false},
		{"debian", "12", "http://http.debian.org/debian", false},
		{"ubuntu", "23.10", "http://de.archive.ubuntu.com/ubuntu", true},
		{"ubuntu", "23.10", "http://old-releases.ubuntu.com/ubuntu", false},
		{"ubuntu", "18.04", "http://archive.ubuntu.com/ubuntu", false},
		{"rocky", "8.5", "http://mirror.centos.org/", false},
	} {
		got := assess.MovedRepos(facts.System{ID: c.id, VersionID: c.version}, facts.Repos{List: []facts.Repo{repo(c.url)}})
		if (len(got) > 0) != c.moved {
			t.Errorf("%s %s %s: %v", c.id, c.version, c.url, got)
		}
	}
	off := facts.Repo{ID: "x", BaseURL: "http://mirror.centos.org/"}
	if got := assess.MovedRepos(facts.System{ID: "centos", VersionID: "7"}, facts.Repos{List: []facts.Repo{off}}); len(got) != 0 {
		t.Errorf("a repository that is off counts: %v", got)
	}
}

func TestSmallHelpers(t *testing.T) {
	if got := assess.MissingTools(facts.Tools{Path: map[string]string{"gcc": "/usr/bin/gcc", "make": ""}}, []string{"gcc", "make", "perl"}); !slices.Equal(got, []string{"make", "perl"}) {
		t.Errorf("missing tools %v", got)
	}
	ga := facts.Additions{InstallDir: "/opt/a", OptDirs: []string{"/opt/a", "/opt/b"}}
	if got := assess.StrayDirs(ga); !slices.Equal(got, []string{"/opt/b"}) || len(ga.OptDirs) != 2 {
		t.Errorf("stray %v of %v", got, ga.OptDirs)
	}
	if assess.RoomNeeded("/tmp/") == 0 || assess.RoomNeeded("/home") != 0 {
		t.Error("room")
	}
	for pkg, want := range map[string]string{
		"kernel-devel-2.6.32-358.23.2.el6.x86_64": "kernel-devel", "kernel-default-devel=6.4.0-150600.23.7.3": "kernel-default-devel",
		"linux-headers-6.8.0-31-generic": "linux-headers-6.8.0-31-generic", "linux-lts-headers": "linux-lts-headers", "gcc": "gcc",
	} {
		if got := assess.PackageName(pkg); got != want {
			t.Errorf("%s: %q, want %q", pkg, got, want)
		}
	}
}
