package assess

import (
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/packages"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

// PluginOn tells whether the program that reads a kind of lock is there and honours it. A list whose plugin
// is off or not installed locks nothing; dnf reads only its own list, even when yum is a link to it.
func PluginOn(l facts.Locks, manager, kind string) bool {
	switch kind {
	case facts.LockYum:
		return l.YumPluginEnabled && manager == "yum"
	case facts.LockDNF:
		return l.DNFPluginEnabled && manager == "dnf"
	case facts.LockDNF5:
		return manager == "dnf5"
	}
	return true
}

// Blocking returns the lock entries that keep a package from being installed in the given version (pkg is
// NAME-VERSION-RELEASE.ARCH for rpm, the package's name elsewhere). Entries about other packages, and
// entries that allow this very version, are not among them.
func Blocking(f *facts.Facts, pkg string) []facts.Lock {
	locks, err := f.Guest.Locks.Get()
	if err != nil {
		return nil
	}
	manager := f.Guest.System.Or(facts.System{}).Manager
	var out []facts.Lock
	lists := map[string][]facts.Lock{}
	for _, e := range locks.Entries {
		switch {
		case !PluginOn(locks, manager, e.Kind):
		case e.Kind == facts.LockYum || e.Kind == facts.LockDNF || e.Kind == facts.LockDNF5:
			lists[e.Kind] = append(lists[e.Kind], e)
		case single(e, pkg), e.Kind == facts.LockApt && namedByApt(f, e, pkg):
			out = append(out, e)
		}
	}
	for kind, entries := range lists {
		out = append(out, listBlocks(locks, kind, entries, pkg)...)
	}
	return out
}

// listBlocks judges a whole list of rpm packages.
func listBlocks(l facts.Locks, kind string, entries []facts.Lock, pkg string) []facts.Lock {
	p, err := version.ParseNEVRA(pkg)
	if err != nil {
		return nil
	}
	if d, ok := packages.Dialect(kind); ok {
		return packages.ListBlocks(entries, d, p)
	}
	for _, f := range l.Files {
		if f.Path == entries[0].File {
			return packages.TOMLBlocks(f.Content, entries, p)
		}
	}
	// the file itself was not kept: the entries' names must do
	return slices.DeleteFunc(entries, func(e facts.Lock) bool { return !version.Glob(e.Entry, p.Name) })
}

// single judges kinds in which every entry stands for itself.
func single(e facts.Lock, pkg string) bool {
	switch e.Kind {
	case facts.LockExcl:
		n, err := version.ParseNEVRA(pkg)
		return err == nil && n.MatchesSpec(e.Entry) || version.Glob(e.Entry, PackageName(pkg))
	case facts.LockZypper, facts.LockPacman:
		return version.Glob(e.Entry, PackageName(pkg)) || version.Glob(e.Entry, pkg)
	case facts.LockApt:
		return held(e.Entry) == pkg
	}
	return false
}

// namedByApt tells whether apt itself said that installing the package would change this held one.
func namedByApt(f *facts.Facts, e facts.Lock, pkg string) bool {
	for _, c := range f.Guest.Resolve.Or(facts.Resolve{}).Candidates {
		if c.Name != pkg || c.State != facts.CandFiltered {
			continue
		}
		if _, list, ok := strings.Cut(c.Text, "The following held packages will be changed:"); ok {
			return slices.Contains(strings.Fields(list), held(e.Entry))
		}
	}
	return false
}

// held is the package that an apt hold names: packages that exist for several architectures carry one.
func held(entry string) string {
	name, _, _ := strings.Cut(entry, ":")
	return name
}

// PackageName is the name in NAME-VERSION-RELEASE.ARCH and in zypper's NAME=VERSION, or the text itself: in
// linux-headers-6.8.0-31-generic nothing is a version.
func PackageName(pkg string) string {
	if name, _, found := strings.Cut(pkg, "="); found {
		return name
	}
	if n, err := version.ParseNEVRA(pkg); err == nil && n.Arch != "" {
		return n.Name
	}
	return pkg
}

// LockText is how a person recognises an entry: its text and its place.
func LockText(l facts.Lock) string {
	if l.File == "" {
		return l.Entry
	}
	return l.Entry + " (" + l.File + ")"
}

// Concerns tells whether an entry is about packages of a name, whatever version it allows.
func Concerns(f *facts.Facts, e facts.Lock, name string) bool {
	locks := f.Guest.Locks.Or(facts.Locks{})
	manager := f.Guest.System.Or(facts.System{}).Manager
	if !PluginOn(locks, manager, e.Kind) {
		return false
	}
	if d, list := packages.Dialect(e.Kind); list {
		l, err := version.ParseLock(e.Entry, d)
		return err == nil && l.Concerns(name)
	}
	return version.Glob(held(e.Entry), name)
}
