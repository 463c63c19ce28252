package assess

import (
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

// dialects of the lock lists that are lines of text.
var dialects = map[string]version.Dialect{facts.LockYum: version.Yum, facts.LockDNF: version.DNF}

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
		case e.Kind == facts.LockYum || e.Kind == facts.LockDNF:
			lists[e.Kind] = append(lists[e.Kind], e)
		case e.Kind == facts.LockDNF5:
			if tomlBlocks(locks, e, pkg) {
				out = append(out, e)
			}
		case single(e, pkg), e.Kind == facts.LockApt && namedByApt(f, e, pkg):
			out = append(out, e)
		}
	}
	for kind, entries := range lists {
		out = append(out, listBlocks(entries, dialects[kind], pkg)...)
	}
	return out
}

// listBlocks judges a whole list: an entry that names this version allows it, whatever the others say.
func listBlocks(entries []facts.Lock, d version.Dialect, pkg string) []facts.Lock {
	nevra, err := version.ParseNEVRA(pkg)
	if err != nil {
		return nil
	}
	var parsed []version.Lock
	from := map[string]facts.Lock{}
	for _, e := range entries {
		l, err := version.ParseLock(e.Entry, d)
		if err != nil {
			continue // the package manager cannot make use of the line either
		}
		parsed = append(parsed, l)
		from[l.Raw] = e
	}
	var out []facts.Lock
	for _, l := range version.Blocked(parsed, nevra) {
		out = append(out, from[l.Raw])
	}
	return out
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

// tomlBlocks judges one entry of dnf5's versionlock.toml: it blocks every version but the one that its
// conditions on evr name. Names may be globs.
func tomlBlocks(l facts.Locks, e facts.Lock, pkg string) bool {
	n, err := version.ParseNEVRA(pkg)
	if err != nil || !version.Glob(e.Entry, n.Name) {
		return false
	}
	for _, f := range l.Files {
		if f.Path == e.File {
			return !slices.ContainsFunc(conditions(f.Content, e.Line), func(evr string) bool { return sameEVR(evr, n) })
		}
	}
	return true
}

// conditions are the evr values after a line, up to the next package.
func conditions(content string, line int) []string {
	lines := strings.Split(content, "\n")
	var out []string
	key := ""
	for _, l := range lines[min(line, len(lines)):] {
		k, v, _ := strings.Cut(l, "=")
		v = strings.Trim(strings.TrimSpace(v), `"'`)
		switch strings.TrimSpace(k) {
		case "[[packages]]":
			return out
		case "key":
			key = v
		case "value":
			if key == "evr" {
				out = append(out, v)
			}
		}
	}
	return out
}

func sameEVR(text string, n version.NEVRA) bool {
	_, vr, found := strings.Cut(text, ":")
	if !found {
		vr = text
	}
	return version.Glob(vr, n.Version+"-"+n.Release) || version.Glob(vr, n.Version)
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
	if d, list := dialects[e.Kind]; list {
		l, err := version.ParseLock(e.Entry, d)
		return err == nil && l.Concerns(name)
	}
	return version.Glob(held(e.Entry), name)
}
