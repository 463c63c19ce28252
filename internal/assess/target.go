package assess

import (
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

// Target is the kernel for which a repair installs the headers.
type Target struct {
	Release string
	// WithKernel: the kernel itself must be installed too.
	WithKernel bool
}

// ChooseTarget picks, in this order: the running kernel when its headers can be had; a newer kernel that is
// installed already and whose headers are there or can be had; the newest kernel that can be had together
// with its headers. offline are releases whose headers are at hand as files. A kernel that
// the Guest Additions are known not to build for is never chosen. ok is false when there is none.
func ChooseTarget(f *facts.Facts, k facts.Kernel, res facts.Resolve, offline []string) (t Target, ok bool) {
	have := append(append(slices.Clone(res.DevelFor), vaultReleases(f, res)...), offline...)
	broken := BreaksOn(f, k.Running)
	if state := candidate(res, f, k.Running); !broken && (slices.Contains(have, k.Running) || state == facts.CandAvailable || state == facts.CandFiltered) {
		return Target{Release: k.Running}, true
	}
	for _, release := range newestFirst(k.BootImages) {
		if (version.CompareKernels(release, k.Running) > 0 || (broken && release != k.Running) || Foreign(k)) && sameKind(release, k.Running) &&
			(HasHeaders(Tree(k, release)) || slices.Contains(have, release)) && !BreaksOn(f, release) {
			return Target{Release: release}, true
		}
	}
	for _, release := range newestFirst(have) {
		if sameKind(release, k.Running) && (slices.Contains(res.Kernels, release) || slices.Contains(offline, release)) && !BreaksOn(f, release) {
			return Target{Release: release, WithKernel: true}, true
		}
	}
	return Target{}, false
}

// Foreign tells whether the running kernel comes from outside the guest's disk (a container, a kernel given by
// the hypervisor): no package of the guest can ever match it.
func Foreign(k facts.Kernel) bool {
	return !slices.Contains(k.BootImages, k.Running) && !Tree(k, k.Running).HasModules
}

// NextBuildable is a kernel other than the running one that is installed, has its headers, and will boot next
// (or would, if it were chosen); empty when there is none.
func NextBuildable(k facts.Kernel) string {
	if k.Default != k.Running && HasHeaders(Tree(k, k.Default)) {
		return k.Default
	}
	for _, release := range newestFirst(k.BootImages) {
		if release != k.Running && version.CompareKernels(release, k.Default) > 0 && HasHeaders(Tree(k, release)) {
			return release
		}
	}
	return ""
}

func candidate(res facts.Resolve, f *facts.Facts, release string) string {
	names, err := NamesFor(f, release)
	if err != nil {
		return ""
	}
	for _, c := range res.Candidates {
		if c.Name == names.Devel {
			return c.State
		}
	}
	return ""
}

func newestFirst(releases []string) []string {
	out := slices.Clone(releases)
	slices.SortFunc(out, func(a, b string) int { return version.CompareKernels(b, a) })
	return slices.Compact(out)
}

// sameKind keeps a stock kernel from being replaced by a debug, UEK or cloud one. A running kernel that no
// package of this distribution ever was (a container's, a hand-made one) may be replaced by any stock kernel.
func sameKind(release, running string) bool {
	x, errX := version.ParseKernel(release)
	y, errY := version.ParseKernel(running)
	if errX != nil || errY != nil {
		return false
	}
	return x.Flavour == y.Flavour || (x.Flavour == "" && x.Arch != "" && y.Arch == "")
}

// Packages are the exact packages that the target still lacks.
func (t Target) Packages(k facts.Kernel, n Names) []string {
	var out []string
	if t.WithKernel {
		out = append(out, n.kernel(t.Release))
	}
	if !HasHeaders(Tree(k, t.Release)) {
		out = append(out, n.Devel)
	}
	return out
}

// kernel is the exact name of the kernel package beside the devel package.
func (n Names) kernel(release string) string {
	if n.Kernel.ByRelease {
		return n.Kernel.Kernel + release
	}
	return strings.Replace(n.Devel, n.Kernel.Devel, n.Kernel.Kernel, 1)
}

// NeededPackages are what a module build needs and lacks: the headers of the running kernel, and what the
// repair would install instead when those cannot be had. Empty when nothing has to be built.
func NeededPackages(f *facts.Facts) ([]string, error) {
	needed, err := BuildNeeded(f)
	if err != nil || !needed {
		return nil, err
	}
	missing, err := DevelMissing(f)
	if err != nil || !missing {
		return nil, err
	}
	k := f.Guest.Kernel.Or(facts.Kernel{})
	names, err := NamesFor(f, k.Running)
	if err != nil {
		return nil, err
	}
	out := []string{names.Devel}
	res, err := f.Guest.Resolve.Get()
	if err != nil {
		return out, nil //nolint:nilerr // without an answer of the repositories only the running kernel counts
	}
	if t, ok := ChooseTarget(f, k, res, nil); ok {
		if names, err = NamesFor(f, t.Release); err == nil {
			out = append(out, t.Packages(k, names)...)
		}
	}
	return slices.Compact(out), nil
}

// TargetPackages are the packages that a repair would install for the kernel; nil when no target is known.
func TargetPackages(f *facts.Facts) []string {
	k := f.Guest.Kernel.Or(facts.Kernel{})
	t, ok := ChooseTarget(f, k, f.Guest.Resolve.Or(facts.Resolve{}), nil)
	names, err := NamesFor(f, t.Release)
	if !ok || err != nil {
		return nil
	}
	return t.Packages(k, names)
}

// TargetKnown tells whether NeededPackages is the whole answer: false when modules must be built, the running
// kernel's headers are missing, and the package manager did not name anything that could be installed (it was not
// asked, it did not answer, or its repositories are gone). Which locks are in the way is then not known either.
func TargetKnown(f *facts.Facts) bool {
	needed, err := NeededPackages(f)
	if err != nil || len(needed) == 0 {
		return true
	}
	res, err := f.Guest.Resolve.Get()
	if err != nil {
		return false
	}
	_, ok := ChooseTarget(f, f.Guest.Kernel.Or(facts.Kernel{}), res, nil)
	return ok
}

// KernelLocks are the entries about packages of the running kernel's family. Of these, devel are those that keep the
// running kernel's own devel package from being installed.
func KernelLocks(f *facts.Facts) (family, devel []facts.Lock) {
	k := f.Guest.Kernel.Or(facts.Kernel{})
	n, err := NamesFor(f, k.Running)
	if err != nil {
		return nil, nil
	}
	names := []string{n.Kernel.Kernel, n.Kernel.Devel, n.Kernel.Headers, n.Kernel.Kernel + "-core", n.Kernel.Kernel + "-modules"}
	devel = Blocking(f, n.Devel)
	for _, e := range f.Guest.Locks.Or(facts.Locks{}).Entries {
		if strings.HasPrefix(e.Entry, "!") || !slices.ContainsFunc(names, func(name string) bool { return Concerns(f, e, name) }) {
			continue
		}
		family = append(family, e)
		if pinsUnnamed(f, e, n) && !slices.Contains(devel, e) {
			devel = append(devel, e)
		}
	}
	return family, devel
}

// pinsUnnamed: the running kernel is none of the distribution's (a container's, a hand-made one), so its devel package
// has no architecture in its name and the entry's version cannot be the right one.
func pinsUnnamed(f *facts.Facts, e facts.Lock, n Names) bool {
	parsed, err := version.ParseNEVRA(n.Devel)
	return n.Kernel.Devel != n.Devel && !n.Kernel.ByRelease && (err != nil || parsed.Arch == "") && Concerns(f, e, n.Kernel.Devel)
}

// BlockingAny are all locks that keep any of the packages from being installed, each once.
func BlockingAny(f *facts.Facts, packages []string) []facts.Lock {
	var out []facts.Lock
	for _, p := range packages {
		for _, l := range Blocking(f, p) {
			if !slices.Contains(out, l) {
				out = append(out, l)
			}
		}
	}
	return out
}
