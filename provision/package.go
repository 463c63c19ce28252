package provision

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

// PackageResource declares a package of the distribution's package manager.
type PackageResource struct {
	Name string
	// Version is what must be installed, a glob such as "1.24.*" included; empty: any.
	Version string
	// Hold keeps the package manager from changing it later.
	Hold bool
	// State is Present or Absent.
	State string
}

// ID is "package/" and the name.
func (p PackageResource) ID() string { return "package/" + p.Name }

// Needs are the package and, for a hold, the locks.
func (p PackageResource) Needs() Needs { return Needs{Packages: []string{p.Name}, Holds: p.Hold} }

// Diff compares what is installed, its version and its hold.
func (p PackageResource) Diff(s *State) ([]Change, error) {
	have, err := s.packages.get(p.Name)
	if err != nil {
		return nil, err
	}
	m, ok := managers[s.System.Manager]
	switch {
	case !ok:
		return nil, fmt.Errorf("packages of %s are not known to boxdoctor: it has no apt, yum, dnf, zypper or pacman", s.System.Pretty)
	case p.State == Absent && !have.Installed:
		return nil, nil
	case p.State == Absent:
		job := short("remove "+p.Name, shell.Join(append(slices.Clone(m.remove), p.Name)))
		job.Undo = "sudo " + shell.Join(append(slices.Clone(m.install), p.Name))
		return []Change{{What: "package", From: have.Version, To: Absent, Do: []action.Action{job}}}, nil
	}
	var out []Change
	if !have.Installed || !p.versionFits(have.Version) {
		if p.Version != "" && m.pin == "" {
			return nil, fmt.Errorf("%s cannot install a chosen version of %s", s.System.Manager, p.Name)
		}
		out = append(out, p.install(m, have))
	}
	hold, err := p.hold(s, m)
	return append(out, hold...), err
}

func (p PackageResource) install(m manager, have Package) Change {
	c := Change{What: "package", From: Absent, To: "installed", Install: []string{p.Name}}
	if have.Installed {
		c.From = have.Version
	}
	if p.Version != "" {
		c.To, c.Install = p.Version, []string{p.Name + m.pin + p.Version}
	}
	return c
}

// versionFits: a glob, the whole version, or the version without its release, as people write it.
func (p PackageResource) versionFits(have string) bool {
	upstream := have
	if _, rest, ok := strings.Cut(upstream, ":"); ok {
		upstream = rest
	}
	short, _, _ := strings.Cut(upstream, "-")
	for _, v := range []string{have, upstream, short} {
		if ok, err := path.Match(p.Version, v); p.Version == "" || err == nil && ok {
			return true
		}
	}
	return false
}

func (p PackageResource) hold(s *State, m manager) ([]Change, error) {
	if !p.Hold {
		return nil, nil
	}
	locks, err := s.Guest.Locks.Get()
	if err != nil {
		return nil, fmt.Errorf("whether %s is held: %w", p.Name, err)
	}
	if slices.ContainsFunc(locks.Entries, func(l facts.Lock) bool {
		return l.Kind != facts.LockExcl && assess.Concerns(&facts.Facts{Guest: s.Guest}, l, p.Name)
	}) {
		return nil, nil
	}
	if len(m.hold) == 0 {
		return nil, fmt.Errorf("%s has no lock for a single package", s.System.Manager)
	}
	job := short("hold "+p.Name, shell.Join(append(slices.Clone(m.hold), p.Name)))
	job.Undo = "sudo " + shell.Join(append(slices.Clone(m.unhold), p.Name))
	return []Change{{What: "hold", From: "not held", To: "held", Do: []action.Action{job}}}, nil
}

// manager is how a package manager is told things.
type manager struct {
	install, remove, hold, unhold []string
	// refresh fetches package lists, where install does not do so itself.
	refresh []string
	// pin stands between a name and its version; empty: it cannot install a chosen version.
	pin string
}

func dnfLike(name string) manager {
	lock := []string{name, "-q", "versionlock"}
	return manager{install: []string{name, "-y", "install"}, remove: []string{name, "-y", "remove"}, pin: "-",
		hold: append(slices.Clone(lock), "add"), unhold: append(slices.Clone(lock), "delete")}
}

// managers are the package managers that boxdoctor knows, by facts.System.Manager.
var managers = map[string]manager{
	"yum": dnfLike("yum"), "dnf": dnfLike("dnf"), "dnf5": dnfLike("dnf5"),
	"apt": {install: []string{"apt-get", "-y", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Options::=--force-confold", "install"},
		remove: []string{"apt-get", "-y", "-o", "DPkg::Lock::Timeout=300", "remove"},
		hold:   []string{"apt-mark", "hold"}, unhold: []string{"apt-mark", "unhold"}, refresh: []string{"apt-get", "-q", "update"}, pin: "="},
	"zypper": {install: []string{"zypper", "--non-interactive", "install", "--oldpackage"}, remove: []string{"zypper", "--non-interactive", "remove"},
		hold: []string{"zypper", "addlock"}, unhold: []string{"zypper", "removelock"}, pin: "="},
	"pacman": {install: []string{"pacman", "-S", "--noconfirm", "--needed"}, remove: []string{"pacman", "-R", "--noconfirm"}},
}

// transaction installs packages in one go: wanted as the package manager takes them, with versions, and their plain names.
func transaction(manager string, wanted, names []string, lib string) action.Job {
	m := managers[manager]
	script := "wait_idle\n"
	if len(m.refresh) > 0 {
		script += "run " + shell.Join(m.refresh) + "\n"
	}
	script += "run " + shell.Join(append(slices.Clone(m.install), wanted...)) + "\n"
	return action.Job{Name: "install " + strings.Join(wanted, " "), Lib: lib, Script: script, Timeout: 40 * time.Minute,
		Undo: "sudo " + shell.Join(append(slices.Clone(m.remove), names...)), Changed: action.Packages(names...)}
}
