package packages

import (
	"regexp"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

// What yum, dnf and dnf5 have in common.

// rpmPhrases are their words, of every version: a guest's yum may be a link to either dnf.
var rpmPhrases = []phrase{
	// repositories (rows L9 to L15)
	{"Failed to download metadata", facts.CandError},
	{"Failed to synchronize cache", facts.CandError},
	{"Cannot prepare internal mirrorlist", facts.CandError},
	{"Could not resolve host", facts.CandError},
	{"Couldn't resolve host", facts.CandError},
	{"Curl error (", facts.CandError},
	{"Usable URL not found", facts.CandError},
	{"Cannot find a valid baseurl", facts.CandError},
	{"Cannot retrieve repository metadata", facts.CandError},
	{"Cannot retrieve metalink", facts.CandError},
	{"All mirror URLs are not using", facts.CandError},
	{"Status code: 404", facts.CandError},
	{"HTTP Error 404", facts.CandError},
	{"There are no enabled repositories", facts.CandError},
	{"There are no enabled repos", facts.CandError},
	{"Unknown repo:", facts.CandError},
	{"Failed to obtain lock", facts.CandError},
	{"Failed to obtain the transaction lock", facts.CandError},
	{"Existing lock /var/run/yum.pid", facts.CandError},
	{"no such option", facts.CandError},
	{"SyntaxError: ", facts.CandError},
	{"ModuleNotFoundError: ", facts.CandError},
	{"ImportError: ", facts.CandError},
	{"No module named", facts.CandError},
	// locks and excludes (rows L1 to L5)
	{"All matches were filtered out by exclude filtering", facts.CandFiltered},
	{"All matches were filtered out by modular filtering", facts.CandFiltered},
	{"matches only excluded packages", facts.CandFiltered},
	{"matches only packages excluded by", facts.CandFiltered},
	{"filtered out by exclude filtering", facts.CandFiltered},
	// not offered
	{"Unable to find a match", facts.CandMissing},
	{"No match for argument", facts.CandMissing},
	{"No matches found for", facts.CandMissing},
	{"No package * available", facts.CandMissing},
	// there already
	{"already installed and latest version", facts.CandInstalled},
	{"is already installed", facts.CandInstalled},
}

// Excludes reads the exclude= and excludepkgs= lines of a configuration or a repository file.
func Excludes(file, text string) []facts.Lock {
	var out []facts.Lock
	for _, e := range ParseINI(text) {
		if k := strings.ToLower(e.Key); k != "exclude" && k != "excludepkgs" {
			continue
		}
		for _, w := range e.Words {
			out = append(out, facts.Lock{Kind: facts.LockExcl, File: file, Line: w.Line, Entry: w.Text, Section: e.Section})
		}
	}
	return out
}

// listLocks reads versionlock.list: one entry a line; a line that starts with ! excludes.
func listLocks(kind, file, text string) []facts.Lock {
	out := []facts.Lock{}
	for i, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, facts.Lock{Kind: kind, File: file, Line: i + 1, Entry: line})
		}
	}
	return out
}

// ListBlocks are the entries of a whole list that keep a package out: one that names this version allows it,
// whatever the others say.
func ListBlocks(entries []facts.Lock, d version.Dialect, p version.NEVRA) []facts.Lock {
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
	for _, l := range version.Blocked(parsed, p) {
		out = append(out, from[l.Raw])
	}
	return out
}

// Dialect is how a kind of lock list is read; ok is false for kinds that are no such list.
func Dialect(kind string) (d version.Dialect, ok bool) {
	switch kind {
	case facts.LockYum:
		return version.Yum, true
	case facts.LockDNF:
		return version.DNF, true
	}
	return 0, false
}

// Relock is the content of a lock file in which the entries pin their packages to other releases (as uname -r says
// them, without the architecture), in the form that each entry had. What is not about those packages stays.
func Relock(content string, entries []facts.Lock, to map[string]string) string {
	if len(entries) > 0 && entries[0].Kind == facts.LockDNF5 {
		return relockTOML(content, to)
	}
	lines := strings.Split(content, "\n")
	for _, e := range entries {
		d, _ := Dialect(e.Kind)
		lock, err := version.ParseLock(e.Entry, d)
		release := releaseOf(lock.Name, to)
		// a line that excludes a version (!) stays as it is
		if err != nil || lock.Exclude || release == "" || e.Line < 1 || e.Line > len(lines) {
			continue
		}
		lines[e.Line-1] = newEntry(lock, d, release)
	}
	return strings.Join(withoutTwins(lines, to), "\n")
}

// releaseOf is the release that a lock's package gets: the name in a list of dnf or dnf5 may be a glob.
func releaseOf(name string, to map[string]string) string {
	if to[name] != "" {
		return to[name]
	}
	for n, release := range to { // all of them get the same release
		if version.Glob(name, n) {
			return release
		}
	}
	return ""
}

// withoutTwins: two locked kernels become one and the same line, which is needed only once.
func withoutTwins(lines []string, to map[string]string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(lines, func(line string) bool {
		twin := seen[line]
		seen[line] = true
		if !twin {
			return false
		}
		for _, release := range to {
			if strings.Contains(line, release) {
				return true
			}
		}
		return false
	})
}

func newEntry(l version.Lock, d version.Dialect, release string) string {
	if d == version.Yum {
		return "0:" + l.Name + "-" + release + ".*"
	}
	return l.Name + "-0:" + release + ".*"
}

// lockedName is the package by which an entry of a list is deleted: where no package is named (a kernel that no
// package is for), the one that stands in the entry.
func lockedName(l facts.Lock, name, pkg string) string {
	d, _ := Dialect(l.Kind)
	if lock, err := version.ParseLock(l.Entry, d); err == nil && name == pkg {
		return lock.Name
	}
	return name
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

var epoch = regexp.MustCompile(`^\d+:`)

// repoQuery reads "NAME VERSION-RELEASE ARCH".
func repoQuery(_ string, lines []string) []Offer {
	var out []Offer
	for _, line := range lines {
		if w := strings.Fields(line); len(w) == 3 && strings.HasPrefix(w[0], "kernel") && strings.Contains(w[1], "-") {
			out = append(out, Offer{w[1] + "." + w[2], strings.HasSuffix(w[0], "-devel")})
		}
	}
	return out
}
