// Package assess derives from facts what both checks and fixes need to know: which version of VirtualBox
// counts, whether modules have to be built, which package is missing and what blocks it. It is pure.
package assess

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

// HostVersion is the version of VirtualBox that the guest's additions must match, and where it was learnt.
// For a machine of a Vagrant project: VBoxManage, else --vbox-version, else what the guest is told. A guest
// given by --ssh may run on another host, so there this host's VBoxManage comes last.
func HostVersion(f *facts.Facts) (version.VBox, string, error) {
	manage := source{f.Host.VBoxManage.Or(facts.VBoxManage{}).Version, "VBoxManage"}
	given := source{f.Host.GivenVersion, "--vbox-version"}
	inside := source{f.Guest.Additions.Or(facts.Additions{}).HostVersion, "VBoxControl in the guest"}
	order := []source{manage, given, inside}
	if f.Host.Explicit {
		order = []source{given, inside, manage}
	}
	for _, s := range order {
		if s.text == "" {
			continue
		}
		v, err := version.ParseVBox(s.text)
		return v, s.from, err
	}
	return version.VBox{}, "", fmt.Errorf("%w: the version of VirtualBox is not known: VBoxManage was not found or did not answer; "+
		"tell it with --vbox-version 7.0.20", facts.ErrNotCollected)
}

type source struct{ text, from string }

// ErrNoAdditions means that no Guest Additions are installed at all.
var ErrNoAdditions = errors.New("no Guest Additions are installed")

// InstalledVersion is the version of the Guest Additions' files in the guest (not of what runs).
func InstalledVersion(f *facts.Facts) (version.VBox, error) {
	ga, err := f.Guest.Additions.Get()
	if err != nil {
		return version.VBox{}, err
	}
	var bad error
	for _, text := range []string{ga.ConfigVersion, ga.Control, ga.Service} {
		if text == "" {
			continue
		}
		v, err := version.ParseVBox(text) // a program that is broken prints an error instead: ask the next one
		if err == nil {
			return v, nil
		}
		bad = errors.Join(bad, err)
	}
	if bad != nil {
		return version.VBox{}, bad
	}
	return version.VBox{}, ErrNoAdditions
}

// DistroPackages are the distribution's own packages of the Guest Additions (row S1).
func DistroPackages(f *facts.Facts) []facts.Package {
	var out []facts.Package
	for _, p := range f.Guest.Packages.Or(facts.Packages{}).Installed {
		if strings.HasPrefix(p.Name, "virtualbox-guest") {
			out = append(out, p)
		}
	}
	return out
}

// Oracle tells whether the installed additions came from Oracle's installer rather than from a package.
func Oracle(ga facts.Additions) bool { return ga.HasConfig || len(ga.OptDirs) > 0 }

// RunningTree is the module tree of the running kernel.
func RunningTree(f *facts.Facts) (facts.KernelTree, error) {
	k, err := f.Guest.Kernel.Get()
	if err != nil {
		return facts.KernelTree{}, err
	}
	return Tree(k, k.Running), nil
}

// Tree finds one kernel's tree; the zero tree with the release when there is none.
func Tree(k facts.Kernel, release string) facts.KernelTree {
	for _, t := range k.Trees {
		if t.Release == release {
			return t
		}
	}
	return facts.KernelTree{Release: release}
}

// HasHeaders tells whether modules can be built for the tree's kernel.
func HasHeaders(t facts.KernelTree) bool { return t.BuildOK && t.Headers }

// HasModule tells whether the tree holds a vbox module, in Oracle's place or anywhere.
func HasModule(t facts.KernelTree, name string) (oracle, any bool) {
	oracle = slices.Contains(t.Misc, name)
	return oracle, oracle || slices.Contains(t.InTree, name)
}

// BuildNeeded tells whether Guest Additions modules have to be built before shares can work: nothing that
// only a build needs is called missing in a guest whose additions work.
func BuildNeeded(f *facts.Facts) (bool, error) {
	tree, err := RunningTree(f)
	if err != nil {
		return false, err
	}
	_, guest := HasModule(tree, "vboxguest")
	_, sf := HasModule(tree, "vboxsf")
	if !guest || !sf {
		return !loaded(f), nil
	}
	installed, err := InstalledVersion(f)
	if errors.Is(err, ErrNoAdditions) {
		// Modules of the kernel itself, no additions of anybody: loaded, they mount shares without a helper.
		return !loaded(f), nil
	}
	if err != nil {
		return false, err
	}
	if len(Shadowing(f)) > 0 {
		return true, nil
	}
	host, _, err := HostVersion(f)
	if err != nil {
		return false, nil //nolint:nilerr // an unknown host version cannot make a build necessary
	}
	return !installed.SameSeries(host) && installed.Compare(host) < 0, nil
}

// Shadowing are the module files that the running kernel would load in place of those of Oracle's installed
// additions (row S15). Oracle's lie below misc/; old versions that DKMS built lie elsewhere and carry the
// additions' version, which a kernel's own module does not.
func Shadowing(f *facts.Facts) []string {
	ga, err := f.Guest.Additions.Get()
	if err != nil || !Oracle(ga) {
		return nil
	}
	installed, err := InstalledVersion(f)
	m := f.Guest.Modules.Or(facts.Modules{})
	var out []string
	for _, mod := range []facts.Module{m.Guest, m.SF} {
		if mod.File == "" || strings.Contains(mod.File, "/misc/") {
			continue
		}
		if v, verr := version.ParseVBox(mod.Version); err == nil && verr == nil && v.Compare(installed) == 0 {
			continue
		}
		out = append(out, mod.File)
	}
	return out
}

// loaded: both modules are in memory though no file was seen (built in, or the file is elsewhere).
func loaded(f *facts.Facts) bool {
	m := f.Guest.Modules.Or(facts.Modules{})
	return m.Guest.Loaded && (m.SF.Loaded || m.FSRegistered)
}

// DevelMissing tells whether the running kernel lacks what a module build needs.
func DevelMissing(f *facts.Facts) (bool, error) {
	tree, err := RunningTree(f)
	return !HasHeaders(tree), err
}

// Names are the packages that matter for one kernel of this guest.
type Names struct {
	Family knowledge.Family
	Kernel knowledge.KernelPackages
	// Devel is the exact name to ask the package manager for, such as kernel-devel-5.14.0-362.8.1.el9_3.x86_64.
	Devel string
}

// NamesFor gives the package names for a kernel release.
func NamesFor(f *facts.Facts, release string) (Names, error) {
	sys, err := f.Guest.System.Get()
	if err != nil {
		return Names{}, err
	}
	fam, ok := knowledge.FamilyOf(sys.Manager)
	if !ok {
		return Names{}, fmt.Errorf("%w: no package manager that boxdoctor knows was found (dnf, yum, apt, zypper, pacman)", facts.ErrNotCollected)
	}
	k, err := version.ParseKernel(release)
	if err != nil {
		return Names{}, err
	}
	n := Names{Family: fam, Kernel: kernelPackages(f, fam, sys.Manager, k)}
	n.Devel = exact(f, n.Kernel, sys.Manager, k)
	return n, nil
}

// kernelPackages names the packages of one kind of kernel. ELRepo's two kinds say the same in uname -r, so the
// installed packages tell them apart; SUSE puts the kind into every name.
func kernelPackages(f *facts.Facts, fam knowledge.Family, manager string, k version.Kernel) knowledge.KernelPackages {
	flavour := k.Flavour
	switch {
	case flavour == "elrepo" && longTerm(f, k):
		flavour = "elrepo-lt"
	case flavour == "pve" && version.RPMVerCmp(k.Version, "6.5") >= 0: // Proxmox VE 8 renamed them with this kernel
		return knowledge.KernelPackages{Flavour: flavour, Kernel: "proxmox-kernel-", Devel: "proxmox-headers-", Headers: "proxmox-headers-", Row: "K12", ByRelease: true}
	case manager == "zypper" && flavour != "":
		kernel := "kernel-" + flavour
		return knowledge.KernelPackages{Flavour: flavour, Kernel: kernel, Devel: kernel + "-devel", Headers: kernel + "-devel", Row: "K1"}
	}
	return fam.KernelOf(flavour)
}

// longTerm tells whether an ELRepo kernel is kernel-lt: the package of exactly this release decides, else the
// only kind that is installed. kernel-ml is meant when nothing is known (row K7 names it first).
func longTerm(f *facts.Facts, k version.Kernel) bool {
	lt, ml := 0, 0
	for _, p := range f.Guest.Packages.Or(facts.Packages{}).Installed {
		kind, _, _ := strings.Cut(strings.TrimPrefix(p.Name, "kernel-"), "-")
		score := 1
		if p.Version == k.Version+"-"+k.Release {
			score = 1000
		}
		switch kind {
		case "lt":
			lt += score
		case "ml":
			ml += score
		}
	}
	return lt > ml
}

// exact is how a package manager is asked for the devel package of one kernel.
func exact(f *facts.Facts, p knowledge.KernelPackages, manager string, k version.Kernel) string {
	switch {
	case p.ByRelease:
		return p.Devel + k.Raw
	case manager == "pacman":
		return p.Devel
	case manager == "zypper":
		return p.Devel + "=" + suseVersion(f, p, k)
	case k.Arch != "": // without +debug, +rt, .debug: the package's name says it
		return p.Devel + "-" + k.Version + "-" + k.Release + "." + k.Arch
	}
	return p.Devel + "-" + k.Raw
}

// suseVersion is the package's version: one number (the rebuild) longer than what uname -r says. Where the
// kernel is not installed the short form is asked for, which SUSE's kernel packages provide.
func suseVersion(f *facts.Facts, p knowledge.KernelPackages, k version.Kernel) string {
	short := strings.TrimSuffix(k.Raw, "-"+k.Flavour)
	for _, i := range f.Guest.Packages.Or(facts.Packages{}).Installed {
		if i.Name == p.Kernel && (i.Version == short || strings.HasPrefix(i.Version, short+".")) {
			return i.Version
		}
	}
	return short
}
