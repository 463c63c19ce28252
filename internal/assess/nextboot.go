package assess

import (
	"slices"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// NextState says whether shares will work when an installed kernel is booted.
type NextState int

// The states of a kernel that is not booted yet, the graver ones later.
const (
	NextReady     NextState = iota // modules of the installed Guest Additions are there
	NextBuildNow                   // not there, and can be built now
	NextNoHeaders                  // not there; its headers can be had
	NextShadowed                   // only the kernel's own modules are there (row S15 at the next boot)
	NextBreaks                     // the Guest Additions are known not to build for it
	NextHopeless                   // not there, and its headers cannot be had
)

// NextBoot is what awaits the guest in one of its installed kernels.
type NextBoot struct {
	State NextState
	// Devel is the package whose lack keeps the modules from being built.
	Devel string
	Build Build
}

// String is the state in words.
func (n NextBoot) String() string {
	switch n.State {
	case NextReady:
		return "modules are there"
	case NextBuildNow:
		return "modules can be built"
	case NextNoHeaders:
		return "modules can be built once " + n.Devel + " is installed"
	case NextShadowed:
		return "only the kernel's own modules are there"
	case NextBreaks:
		return "these Guest Additions do not build for it (" + n.Build.Module + ": " + n.Build.Says + ")"
	}
	return "modules cannot be built: " + n.Devel + " is not installed, and no repository was seen to offer it"
}

// NextBootOf judges one installed kernel: what is there, else what can be built, else what is missing for that.
func NextBootOf(f *facts.Facts, release string) NextBoot {
	tree := Tree(f.Guest.Kernel.Or(facts.Kernel{}), release)
	if OracleModules(tree) {
		return NextBoot{State: NextReady}
	}
	n := NextBoot{State: NextHopeless}
	if names, err := NamesFor(f, release); err == nil {
		n.Devel = names.Devel
	}
	if v, err := InstalledVersion(f); err == nil {
		n.Build = BuildOf(f, v, release)
	}
	res := f.Guest.Resolve.Or(facts.Resolve{})
	state := candidate(res, f, release)
	switch {
	case n.Build.State == Breaks:
		n.State = NextBreaks
	case HasHeaders(tree) && slices.Contains(tree.InTree, "vboxguest"):
		n.State = NextShadowed
	case HasHeaders(tree):
		n.State = NextBuildNow
	case slices.Contains(res.DevelFor, release), state == facts.CandAvailable, state == facts.CandFiltered:
		n.State = NextNoHeaders
	}
	return n
}
