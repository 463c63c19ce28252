package checks

import (
	"fmt"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
	"github.com/boxdoctor/boxdoctor/internal/shell"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

const (
	vagrantIssues = "https://github.com/hashicorp/vagrant/issues/"
	vboxIssues    = "https://github.com/VirtualBox/virtualbox/issues/"
)

// eval is the function of a check.
type eval = func(*facts.Facts) finding.Verdict

// preflight hands one fact of the pre-flight to a judge. Guests that were given by their address need no host that could
// start them.
func preflight[T any](get func(*facts.Preflight) facts.Value[T], judge func(*facts.Facts, T) finding.Verdict) eval {
	return func(f *facts.Facts) finding.Verdict {
		if why := f.Host.Preflight.Skipped; why != "" {
			return finding.Skipf("%s", why)
		}
		v, err := get(&f.Host.Preflight).Get()
		if err != nil {
			return finding.Cannot(err)
		}
		return judge(f, v)
	}
}

// onOS runs a check on one operating system.
func onOS(goos string, next eval) eval {
	names := map[string]string{"linux": "Linux", "windows": "Windows", "darwin": "macOS"}
	return func(f *facts.Facts) finding.Verdict {
		if f.Host.OS != goos {
			return finding.Skipf("only on %s hosts", names[goos])
		}
		return next(f)
	}
}

func onLinux(judge func(*facts.Facts, facts.Linux) finding.Verdict) eval {
	return onOS("linux", preflight(func(p *facts.Preflight) facts.Value[facts.Linux] { return p.Linux }, judge))
}

func onWindows(judge func(*facts.Facts, facts.Windows) finding.Verdict) eval {
	return onOS("windows", preflight(func(p *facts.Preflight) facts.Value[facts.Windows] { return p.Windows }, judge))
}

func onDarwin(judge func(*facts.Facts, facts.Darwin) finding.Verdict) eval {
	return onOS("darwin", preflight(func(p *facts.Preflight) facts.Value[facts.Darwin] { return p.Darwin }, judge))
}

func onProject(judge func(*facts.Facts, facts.Project) finding.Verdict) eval {
	return preflight(func(p *facts.Preflight) facts.Value[facts.Project] { return p.Project },
		func(f *facts.Facts, p facts.Project) finding.Verdict {
			if p.Root == "" {
				return finding.Skipf("there is no Vagrant project here")
			}
			return judge(f, p)
		})
}

func onWanted(judge func(*facts.Facts, facts.Wanted) finding.Verdict) eval {
	return onProject(func(f *facts.Facts, _ facts.Project) finding.Verdict {
		w, err := f.Host.Preflight.Wanted.Get()
		if err != nil {
			return finding.Cannot(err)
		}
		return judge(f, w)
	})
}

func onHome(judge func(*facts.Facts, facts.VagrantHome) finding.Verdict) eval {
	return preflight(func(p *facts.Preflight) facts.Value[facts.VagrantHome] { return p.Home },
		func(f *facts.Facts, h facts.VagrantHome) finding.Verdict {
			if !h.Exists {
				return finding.Skipf("%s does not exist yet: Vagrant makes it", h.Path)
			}
			return judge(f, h)
		})
}

func onVagrant(judge func(*facts.Facts, facts.Vagrant) finding.Verdict) eval {
	return preflight(func(p *facts.Preflight) facts.Value[facts.Vagrant] { return p.Vagrant },
		func(f *facts.Facts, v facts.Vagrant) finding.Verdict {
			if v.Path == "" {
				return finding.Skipf("Vagrant was not found on this host")
			}
			return judge(f, v)
		})
}

func onEnv(judge func(*facts.Facts, facts.Env) finding.Verdict) eval {
	return preflight(func(p *facts.Preflight) facts.Value[facts.Env] { return p.Env }, judge)
}

// records judges every machine of the project that has a VM; bad says what is wrong with one, or nothing.
func records(judge func(*facts.Facts, []facts.Record) finding.Verdict) eval {
	return onProject(func(f *facts.Facts, p facts.Project) finding.Verdict {
		var made []facts.Record
		for _, r := range p.Records {
			if r.ID != "" {
				made = append(made, r)
			}
		}
		if len(made) == 0 {
			return finding.Skipf("no machine of the project has a VM yet")
		}
		return judge(f, made)
	})
}

// settings hands the settings of every VM that does not run to bad, which says what is wrong, or nothing.
func settings(ok string, bad func(*facts.Facts, facts.Record, facts.VMSettings) string, word func(string, ...any) finding.Verdict, more func(finding.Verdict) finding.Verdict) eval {
	return records(func(f *facts.Facts, rs []facts.Record) finding.Verdict {
		var found []string
		var lacking error
		for _, r := range rs {
			s, err := r.Settings.Get()
			if err != nil {
				lacking = err
				continue
			}
			if text := bad(f, r, s); text != "" {
				found = append(found, text)
			}
		}
		switch {
		case len(found) > 0:
			return more(word("%s", strings.Join(found, "; ")))
		case lacking != nil:
			return finding.Cannot(lacking)
		}
		return finding.Passf("%s", ok)
	})
}

// versions are what the rules of the host look at.
func versions(f *facts.Facts) knowledge.HostVersions {
	p := f.Host.Preflight
	v := knowledge.HostVersions{OS: f.Host.OS, Kernel: p.System.Or(facts.HostSystem{}).Kernel, Vagrant: p.Vagrant.Or(facts.Vagrant{}).Version}
	if b, err := vbox(f); err == nil {
		v.VirtualBox = b.Number
	}
	if h, err := p.Home.Get(); err == nil && len(h.Rubies) > 0 {
		v.Ruby = h.Rubies[len(h.Rubies)-1]
	}
	return v
}

// vbox is the version of VirtualBox that VBoxManage told.
func vbox(f *facts.Facts) (version.VBox, error) {
	m, err := f.Host.VBoxManage.Get()
	if err != nil {
		return version.VBox{}, err
	}
	return version.ParseVBox(m.Version)
}

// ruled runs a check only where the dated rules of its row say that the failure can happen. A version that nothing tells
// is unknown, unless the program is not there at all.
func ruled(row string, next eval) eval {
	return func(f *facts.Facts) finding.Verdict {
		if why := f.Host.Preflight.Skipped; why != "" {
			return finding.Skipf("%s", why)
		}
		v := versions(f)
		applies, missing := knowledge.HostRow(row, v)
		switch {
		case missing == "vagrant" && f.Host.Preflight.Vagrant.IsKnown() && f.Host.Preflight.Vagrant.Or(facts.Vagrant{}).Path == "":
			return finding.Skipf("Vagrant was not found on this host")
		case missing == "virtualbox" && f.Host.VBoxManage.IsKnown() && f.Host.VBoxManage.Or(facts.VBoxManage{}).Path == "":
			return finding.Skipf("VirtualBox was not found on this host")
		case missing == "ruby" && f.Host.Preflight.Home.IsKnown():
			return finding.Skipf("no plugin is installed")
		case missing != "":
			return finding.Cannot(fmt.Errorf("%w: whether this matters depends on the version of %s, which could not be told", facts.ErrNotCollected, missing))
		case !applies:
			return finding.Passf("does not happen with %s", describe(v))
		}
		return next(f)
	}
}

func describe(v knowledge.HostVersions) string {
	var out []string
	for _, p := range []struct{ name, v string }{{"VirtualBox", v.VirtualBox}, {"Vagrant", v.Vagrant}, {"kernel", v.Kernel}, {"on", v.OS}} {
		if p.v != "" {
			out = append(out, p.name+" "+p.v)
		}
	}
	return strings.Join(out, ", ")
}

// debianLike and rpmLike choose the exact command for this host's distribution.
func debianLike(f *facts.Facts) bool { return likes(f, "debian", "ubuntu") }

func likes(f *facts.Facts, names ...string) bool {
	for _, word := range strings.Fields(f.Host.Preflight.System.Or(facts.HostSystem{}).Distro) {
		for _, n := range names {
			if word == n {
				return true
			}
		}
	}
	return false
}

// byDistro is the command that fits this host's distribution.
func byDistro(f *facts.Facts, debian, rpm, arch, other string) string {
	switch {
	case debianLike(f):
		return debian
	case likes(f, "fedora", "rhel", "centos", "suse", "opensuse"):
		return rpm
	case likes(f, "arch"):
		return arch
	}
	return other
}

// cut keeps a list in a message short.
func cut(list []string, n int) string {
	if len(list) <= n {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:n], ", "), len(list)-n)
}

// quoted is a word for the shell of this host.
func quoted(s string) string { return shell.Quote(s) }
