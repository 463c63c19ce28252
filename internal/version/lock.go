package version

import (
	"strconv"
	"strings"
)

// Dialect is which program reads a versionlock list: the same line means different things to them.
type Dialect int

const (
	// Yum is yum 3 (EL5 to EL7): the epoch stands first, globs are not honoured in name, version or release
	// (whatever follows the last dot is taken for the architecture and ignored), a missing epoch means 0.
	Yum Dialect = iota
	// DNF is dnf 4 (EL8 to EL10): the epoch stands before the version, every part may be a glob, a missing
	// part means any.
	DNF
)

// Lock is one line of versionlock.list.
type Lock struct {
	Raw     string
	Dialect Dialect
	// Exclude is a line that starts with `!`: it hides the very version it names, instead of all others.
	Exclude bool
	// The parts as written. For DNF each may be a glob, and an empty one means any.
	Name, Epoch, Version, Release, Arch string
}

// ParseLock reads one entry of a versionlock list; comments and empty lines are the caller's to skip. An
// error (*MalformedError) means that the package manager cannot make use of the line either.
func ParseLock(s string, d Dialect) (Lock, error) {
	text := strings.TrimSpace(s)
	body, not := strings.CutPrefix(text, "!")
	if !plainText(body) || body[0] == '#' || strings.ContainsAny(body, "/=<>") {
		return Lock{}, malformed("lock entry", text, wantLock(d))
	}
	l := Lock{Raw: text, Dialect: d, Exclude: not}
	ok := false
	if d == Yum {
		ok = l.splitYum(body)
	} else {
		ok = l.splitDNF(body)
	}
	if !ok {
		return Lock{}, malformed("lock entry", text, wantLock(d))
	}
	return l, nil
}

func wantLock(d Dialect) string {
	if d == Yum {
		return "epoch:name-version-release.arch, such as 0:kernel-devel-3.10.0-1127.el7.*"
	}
	return "name-epoch:version-release.arch, such as kernel-devel-0:5.14.0-362.8.1.el9_3.*"
}

// splitYum cuts as yum 3 does: the last dot ends the release, the last two dashes end version and name, the
// first colon ends the epoch.
func (l *Lock) splitYum(s string) bool {
	epoch, rest, found := strings.Cut(s, ":")
	if !found {
		epoch, rest = "0", s
	}
	dot := strings.LastIndexByte(rest, '.')
	if dot <= 0 || strings.ContainsRune(rest, ':') || !allDigits(epoch) {
		return false
	}
	name, vr, ok := cutName(rest[:dot])
	if !ok {
		return false
	}
	l.Name, l.Epoch, l.Arch = name, epoch, rest[dot+1:]
	l.Version, l.Release, _ = strings.Cut(vr, "-")
	return l.Version != "" && l.Release != ""
}

// splitDNF reads name-[epoch:]version-release[.arch] and, when a version does not follow, a bare name.
func (l *Lock) splitDNF(s string) bool {
	if lead, _ := cutLeadingEpoch(s); lead != "" {
		return false // dnf says "could not parse pattern" and goes on without the entry
	}
	body, arch := cutLockArch(s)
	name, evr, ok := cutName(body)
	if !ok || !versionLike(evr) {
		return l.splitShort(s)
	}
	l.Name, l.Arch = name, arch
	vr := evr
	if e, after, found := strings.Cut(evr, ":"); found {
		l.Epoch, vr = e, after
	}
	l.Version, l.Release, _ = strings.Cut(vr, "-")
	return l.Version != "" && l.Release != ""
}

// splitShort reads name-[epoch:]version, name.arch and name.
func (l *Lock) splitShort(s string) bool {
	if i := strings.LastIndexByte(s, '-'); i > 0 && versionLike(s[i+1:]) {
		l.Name, l.Version = s[:i], s[i+1:]
		if e, after, found := strings.Cut(l.Version, ":"); found {
			l.Epoch, l.Version = e, after
		}
		return !strings.ContainsRune(l.Name, ':')
	}
	l.Name, l.Arch = cutArch(s)
	return l.Name != "" && !strings.ContainsRune(s, ':')
}

// cutLockArch takes an architecture, or a glob in its place, off the end.
func cutLockArch(s string) (body, arch string) {
	i := strings.LastIndexByte(s, '.')
	if i <= 0 {
		return s, ""
	}
	tail := s[i+1:]
	for arch := range archs {
		if Glob(tail, arch) {
			return s[:i], tail
		}
	}
	return s, ""
}

// versionLike reports whether the text starts like an epoch, a version or a glob of one.
func versionLike(s string) bool {
	return s != "" && (isDigit(s[0]) || strings.IndexByte("*?[", s[0]) >= 0)
}

// Concerns reports whether the entry is about packages of this name.
func (l Lock) Concerns(name string) bool {
	if l.Dialect == Yum {
		return strings.EqualFold(l.Name, name)
	}
	return Glob(l.Name, name)
}

// Matches reports whether the entry names this very package, as the package manager that reads it would.
func (l Lock) Matches(p NEVRA) bool {
	if !l.Concerns(p.Name) {
		return false
	}
	epoch := strconv.Itoa(p.Epoch)
	if l.Dialect == Yum {
		return l.Epoch == epoch && strings.EqualFold(l.Version, p.Version) && strings.EqualFold(l.Release, p.Release)
	}
	if !anyOr(l.Epoch, epoch) || !anyOr(l.Version, p.Version) {
		return false
	}
	if anyOr(l.Release, p.Release) && (p.Arch == "" || anyOr(l.Arch, p.Arch)) {
		return true
	}
	// dnf tries every way to cut the text: in 5.14.0-362.* the star may be the rest of the release.
	return l.Release != "" && l.Arch != "" && Glob(l.Release+"."+l.Arch, p.Release)
}

func anyOr(pattern, s string) bool { return pattern == "" || Glob(pattern, s) }

// Blocked reports whether a versionlock list keeps this package from being installed: an exclude names it,
// or locks are about its name and none of them names it. by holds the entries that do so.
func Blocked(locks []Lock, p NEVRA) (by []Lock) {
	var excludes, others []Lock
	allowed := false
	for _, l := range locks {
		switch {
		case l.Exclude && l.Matches(p):
			excludes = append(excludes, l)
		case l.Exclude:
		case l.Matches(p):
			allowed = true
		case l.Concerns(p.Name):
			others = append(others, l)
		}
	}
	if allowed {
		return excludes
	}
	return append(excludes, others...)
}
