package checks

import (
	"fmt"
	"slices"
	"strings"

	goversion "github.com/hashicorp/go-version"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
)

const vagrantEnvironment = "https://developer.hashicorp.com/vagrant/docs/other/environmental-variables"

var _ = register(Check{
	ID: "vbox.unsupported", Title: "This Vagrant supports this VirtualBox", Target: OnHost, Severity: finding.Critical, Rows: []string{"vbox.unsupported", "H2"},
	After: []string{"vbox.version_empty"}, Level: LevelManual, Link: vagrantIssues + "13501",
	Why:   "`Vagrant has detected that you have a version of VirtualBox installed that is not supported by this version of Vagrant.` Vagrant accepts only the series that it has a driver for.",
	Looks: "VBoxManage --version, the name of Vagrant's own folder, and the dated table of drivers", Source: "host-catalogue 1.1",
	Eval: onVagrant(evalSupported),
})

func evalSupported(f *facts.Facts, v facts.Vagrant) finding.Verdict {
	box, err := vbox(f)
	if err != nil {
		return finding.Cannot(err)
	}
	if v.Version == "" {
		return finding.Cannot(fmt.Errorf("%w: nothing beside %s tells Vagrant's version", facts.ErrNotCollected, v.Path))
	}
	driver, known := knowledge.DriverFor(box.Series())
	all := knowledge.Drivers()
	switch {
	case !known:
		newest := all[len(all)-1]
		return finding.Failf("no Vagrant known to boxdoctor (table of %s) supports VirtualBox %s", newest.Date, box.Number).Diff("VirtualBox "+newest.VirtualBox+" or older", box.Number).
			Advise("look for a newer Vagrant, else install VirtualBox "+newest.VirtualBox, "")
	case older(v.Version, driver.Vagrant):
		return finding.Failf("Vagrant %s does not support VirtualBox %s: Vagrant %s was the first to", v.Version, box.Series(), driver.Vagrant).
			Diff("Vagrant "+driver.Vagrant+" or later", v.Version).
			Advise("upgrade Vagrant; distributions are often behind, HashiCorp's own package is not: https://developer.hashicorp.com/vagrant/install", "").
			Advise("or install VirtualBox "+newestFor(v.Version), "")
	case box.Test():
		return finding.Warnf("VirtualBox %s is a test build, which Vagrant does not support", box.Raw).Advise("install a release", "")
	case box.Number == "4.2.14":
		return finding.Failf("Vagrant refuses VirtualBox 4.2.14").Advise("upgrade VirtualBox", "")
	}
	return finding.Passf("Vagrant %s, VirtualBox %s", v.Version, box.Number)
}

// older compares versions of programs; what cannot be compared is not older.
func older(v, than string) bool {
	a, errA := goversion.NewVersion(v)
	b, errB := goversion.NewVersion(than)
	return errA == nil && errB == nil && a.Core().LessThan(b)
}

// newestFor is the newest series that this Vagrant supports.
func newestFor(vagrant string) string {
	best := "of a series that it supports"
	for _, d := range knowledge.Drivers() {
		if !older(vagrant, d.Vagrant) {
			best = d.VirtualBox
		}
	}
	return best
}

var _ = register(Check{
	ID: "vagrant.too_old_for_project", Title: "This Vagrant is what the Vagrantfile requires", Target: OnHost, Severity: finding.Critical, Rows: []string{"vagrant.too_old_for_project"}, Level: LevelManual,
	Link:  "https://developer.hashicorp.com/vagrant/docs/vagrantfile/vagrant_version",
	Why:   "`This Vagrant environment has specified that it requires the Vagrant version to satisfy the following version requirements:`",
	Looks: "Vagrant.require_version of the Vagrantfile", Source: "host-catalogue 1.6",
	Eval: onWanted(func(f *facts.Facts, w facts.Wanted) finding.Verdict {
		if len(w.Require) == 0 {
			return finding.Passf("the Vagrantfile requires no version")
		}
		return onVagrant(func(_ *facts.Facts, v facts.Vagrant) finding.Verdict { return evalRequire(v, w.Require) })(f)
	}),
})

func evalRequire(v facts.Vagrant, require []string) finding.Verdict {
	have, err := goversion.NewVersion(v.Version)
	if err != nil {
		return finding.Cannot(fmt.Errorf("%w: Vagrant's version could not be told from its files", facts.ErrNotCollected))
	}
	for _, r := range require {
		c, err := goversion.NewConstraint(r)
		if err != nil {
			return finding.Cannot(fmt.Errorf("%w: require_version %q is no constraint that can be read", facts.ErrNotCollected, r))
		}
		if !c.Check(have.Core()) {
			return finding.Failf("the Vagrantfile requires Vagrant %s, %s is installed", r, v.Version).Diff(r, v.Version).Advise("install a Vagrant that fits: https://developer.hashicorp.com/vagrant/install", "")
		}
	}
	return finding.Passf("Vagrant %s", v.Version)
}

var _ = register(Check{
	ID: "vagrant.home_newer", Title: "The Vagrant home is of a form that this Vagrant reads", Target: OnHost, Severity: finding.Critical, Rows: []string{"vagrant.home_newer"}, Level: LevelManual,
	Link:  vagrantEnvironment,
	Why:   "`It appears that a newer version of Vagrant was run on this machine at some point.`",
	Looks: "setup_version of the Vagrant home", Source: "host-catalogue 1.6",
	Eval: onHome(func(_ *facts.Facts, h facts.VagrantHome) finding.Verdict {
		if slices.Contains([]string{"", "1.1", "1.5"}, h.SetupVersion) {
			return finding.Passf("%s", orNone(h.SetupVersion))
		}
		return finding.Failf("%s has the form %s, which a newer Vagrant wrote", h.Path, h.SetupVersion).Diff("1.5", h.SetupVersion).Advise("upgrade Vagrant", "")
	}),
})

var _ = register(Check{
	ID: "vagrant.home_access", Title: "The Vagrant home can be read and written", Target: OnHost, Severity: finding.Critical, Rows: []string{"vagrant.home_access"}, Level: LevelSudo,
	Link:  vagrantIssues + "2465",
	Why:   "`The home directory you specified is not accessible.` Often it belongs to root since a `sudo vagrant`.",
	Looks: "access(2) on ~/.vagrant.d or VAGRANT_HOME", Source: "host-catalogue 1.6",
	Eval: onHome(func(_ *facts.Facts, h facts.VagrantHome) finding.Verdict {
		if h.Denied == "" {
			return finding.Passf("%s", h.Path)
		}
		return finding.Failf("%s: %s", h.Path, h.Denied).Diff("a folder that can be read and written", h.Denied).Advise("make it yours again", "sudo chown -R \"$(id -un)\" "+quoted(h.Path))
	}),
})

var _ = register(Check{
	ID: "vagrant.index_corrupt", Title: "The index of all machines can be read", Target: OnHost, Severity: finding.Critical, Rows: []string{"vagrant.index_corrupt"}, Level: LevelConfirm,
	Link:  vagrantEnvironment,
	Why:   "`The machine index which stores all required information about running Vagrant environments has become corrupt.` An empty file raises nothing: every machine silently vanishes from global-status.",
	Looks: "data/machine-index/index of the Vagrant home", Source: "host-catalogue 1.6",
	Eval: onHome(func(_ *facts.Facts, h facts.VagrantHome) finding.Verdict {
		switch {
		case h.Index == "":
			return finding.Passf("it can")
		case h.IndexEmpty:
			return finding.Warnf("%s is empty: Vagrant has forgotten every machine in `vagrant global-status`", h.IndexPath).Diff("JSON of version 1", "0 bytes").
				Advise("move it aside; `vagrant up` in each project enters its machines again", "mv "+quoted(h.IndexPath)+" "+quoted(h.IndexPath+".broken"))
		}
		return finding.Failf("%s cannot be read: %s", h.IndexPath, h.Index).Diff("JSON of version 1", h.Index).
			Advise("move it aside; `vagrant up` in each project enters its machines again", "mv "+quoted(h.IndexPath)+" "+quoted(h.IndexPath+".broken"))
	}),
})

var _ = register(Check{
	ID: "vagrant.tools_missing", Title: "The programs that Vagrant calls are there", Target: OnHost, Severity: finding.Critical, Rows: []string{"vagrant.tools_missing"}, Level: LevelSudo,
	Link:  "https://developer.hashicorp.com/vagrant/install",
	Why:   "A Vagrant outside of HashiCorp's package brings no bsdtar, curl and ssh: `executables are currently unavailable`.",
	Looks: "bsdtar, curl and ssh in PATH, for a Vagrant that is not HashiCorp's package", Source: "host-catalogue 1.6",
	Eval: onVagrant(func(f *facts.Facts, v facts.Vagrant) finding.Verdict {
		if v.Installer || len(v.Missing) == 0 {
			return finding.Passf("HashiCorp's package: %t", v.Installer)
		}
		return finding.Failf("not in PATH: %s", strings.Join(v.Missing, ", ")).Diff("bsdtar, curl, ssh", "no "+strings.Join(v.Missing, ", ")).
			Advise("install them", byDistro(f, "sudo apt-get install libarchive-tools curl openssh-client", "sudo dnf install bsdtar curl openssh-clients", "sudo pacman -S libarchive curl openssh", ""))
	}),
})

var _ = register(Check{
	ID: "ssh.client", Title: "An OpenSSH client is found first", Target: OnHost, Severity: finding.Major, Rows: []string{"ssh.client"}, Level: LevelManual,
	Link:  "https://developer.hashicorp.com/vagrant/docs/cli/ssh",
	Why:   "`vagrant ssh` needs OpenSSH: `ssh executable not found`, or `The ssh executable found in the PATH is a PuTTY Link SSH client.`",
	Looks: "ssh in PATH; on Windows what it says of itself", Source: "host-catalogue 1.6",
	Eval: onVagrant(func(f *facts.Facts, v facts.Vagrant) finding.Verdict {
		switch {
		case v.Plink:
			return finding.Failf("%s is PuTTY's client", v.SSH).Diff("OpenSSH first in PATH", v.SSH).Advise("put OpenSSH before it in PATH", `where ssh`)
		case v.SSH == "" && !v.Installer:
			return finding.Failf("there is no ssh in PATH").Diff("ssh", "nothing").
				Advise("install OpenSSH's client", byDistro(f, "sudo apt-get install openssh-client", "sudo dnf install openssh-clients", "sudo pacman -S openssh", "winget install Microsoft.OpenSSH.Beta"))
		}
		return finding.Passf("%s", orNone(v.SSH))
	}),
})

var _ = register(Check{
	ID: "vagrantfile.broken", Title: "The Vagrantfile is Ruby", Target: OnHost, Severity: finding.Critical, Rows: []string{"vagrantfile.broken"}, Level: LevelManual,
	Link:  "https://developer.hashicorp.com/vagrant/docs/vagrantfile",
	Why:   "`There is a syntax error in the following Vagrantfile.` Every Vagrant command fails then.",
	Looks: "the Vagrantfile is read without running it: only an error that is certain is one", Source: "host-catalogue 1.6",
	Eval: onWanted(func(_ *facts.Facts, w facts.Wanted) finding.Verdict {
		if w.Broken == "" {
			return finding.Passf("no error was seen")
		}
		return finding.Failf("the Vagrantfile cannot be Ruby: %s", w.Broken).Diff("a file that Ruby can read", w.Broken).Advise("what Vagrant itself says", "vagrant validate")
	}),
})

var _ = register(Check{
	ID: "vagrant.locked", Title: "No vagrant command works on the machines now", Target: OnHost, Severity: finding.Major, Rows: []string{"vagrant.locked"}, Level: LevelConfirm,
	Link:  "https://developer.hashicorp.com/vagrant/docs/cli",
	Why:   "`An action 'up' was attempted on the machine, but another process is already executing an action on the machine.`",
	Looks: "whether Vagrant's lock file of each machine is held (a shared lock is tried for a moment)", Source: "host-catalogue 1.6",
	Eval: onProject(func(_ *facts.Facts, p facts.Project) finding.Verdict {
		for _, r := range p.Records {
			if r.Held {
				return finding.Warnf("a vagrant process works on machine %s right now", r.Name).Diff("no lock on "+r.Lock, "held").
					Advise("wait for it; which process that is", "fuser -v "+quoted(r.Lock))
			}
		}
		return finding.Passf("none")
	}),
})

var _ = register(Check{
	ID: "provider.other_active", Title: "The machines belong to VirtualBox", Target: OnHost, Severity: finding.Major, Rows: []string{"provider.other_active"}, Level: LevelConfirm,
	Link:  "https://developer.hashicorp.com/vagrant/docs/providers/basic_usage",
	Why:   "`An active machine was found with a different provider.` Vagrant works on a machine with one provider at a time, and boxdoctor examines only VirtualBox.",
	Looks: ".vagrant/machines/NAME/PROVIDER/id and VAGRANT_DEFAULT_PROVIDER", Source: "host-catalogue 1.6",
	Eval: onProject(func(f *facts.Facts, p facts.Project) finding.Verdict {
		for _, r := range p.Records {
			if len(r.Others) > 0 {
				return finding.Warnf("machine %s is run by %s", r.Name, strings.Join(r.Others, ", ")).Diff("virtualbox", strings.Join(r.Others, ", ")).
					Advise("go on with that provider, or destroy that machine before you bring it up with VirtualBox", "vagrant destroy "+quoted(r.Name))
			}
		}
		if e := f.Host.Preflight.Env.Or(facts.Env{}); e.Provider != "" && e.Provider != "virtualbox" {
			return finding.Warnf("VAGRANT_DEFAULT_PROVIDER is %s", e.Provider).Diff("virtualbox", e.Provider).Advise("unset it, or name the provider", "vagrant up --provider virtualbox")
		}
		return finding.Passf("virtualbox")
	}),
})
