package packages

import (
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// zypper: openSUSE and SLES.
var _ = register(Manager{
	Name:    "zypper",
	install: func(Install) []string { return []string{"zypper", "--non-interactive", "install", "--oldpackage"} },
	files:   []string{"zypper", "--non-interactive", "install", "--oldpackage", "--allow-unsigned-rpm"}, offline: []string{"--no-refresh", "--disable-repositories"},
	Remove: []string{"zypper", "--non-interactive", "remove"},
	Cache:  "/var/cache/zypp/packages", Clean: []string{"zypper", "--non-interactive", "clean"},
	Undo:    "see /var/log/zypp/history, then sudo zypper remove what it installed",
	Refresh: "sudo zypper refresh",
	List: func(pkg string) string {
		name, _, _ := strings.Cut(pkg, "=")
		return "zypper search -s --match-exact " + name
	},
	ExtraKernels: "sudo zypper purge-kernels   # keeps what multiversion.kernels of /etc/zypp/zypp.conf names, and the running kernel",
	unlock:       func(_ facts.Lock, name, _ string) string { return "sudo zypper removelock " + name },
	locks:        zypperLocks,
	phrases: []phrase{
		{"System management is locked", facts.CandError},
		{"Could not resolve host", facts.CandError},
		{"Couldn't resolve host", facts.CandError},
		{"Curl error", facts.CandError},
		{"Download (curl) error", facts.CandError},
		{"Repository * is invalid", facts.CandError},
		{"No repositories defined", facts.CandError},
		{"remove lock to allow installation of", facts.CandFiltered}, // a solution of zypper 1.14
		{"The following packages are locked", facts.CandFiltered},
		{"The following package is locked", facts.CandFiltered},
		{"will not be installed due to a lock", facts.CandFiltered},
		{"but it is locked", facts.CandFiltered},
		{"is locked by the user", facts.CandFiltered},
		{"No provider of", facts.CandMissing},
		{"not found in package names", facts.CandMissing},
		{"is already installed", facts.CandInstalled},
	},
	offers: zypperSearch,
})

// zypperLocks reads the blocks of /etc/zypp/locks, which are separated by empty lines. Locks of patterns and
// products are not of interest.
func zypperLocks(file, text string) []facts.Lock {
	out := []facts.Lock{}
	kind, name, at := "", "", 0
	flush := func() {
		if name != "" && (kind == "" || kind == "package") {
			out = append(out, facts.Lock{Kind: facts.LockZypper, File: file, Line: at, Entry: name})
		}
		kind, name = "", ""
	}
	for i, line := range strings.Split(text, "\n") {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "":
			flush()
		case "type":
			kind = strings.TrimSpace(value)
		case "solvable_name":
			name, at = strings.TrimSpace(value), i+1
		}
	}
	flush()
	return out
}

// zypperSearch reads the table of `zypper search -s`: status | name | type | version | arch | repository. The
// package's version has one more number than uname -r, which ends in the flavour instead of the arch.
func zypperSearch(_ string, lines []string) []Offer {
	var out []Offer
	for _, line := range lines {
		w := strings.Split(line, "|")
		if len(w) != 6 || strings.TrimSpace(w[2]) != "package" || strings.Contains(w[5], "(System Packages)") {
			continue
		}
		name, release := strings.TrimSpace(w[1]), strings.TrimSpace(w[3])
		if before, _, ok := cutLast(release, "."); ok {
			release = before
		}
		flavour, devel := strings.CutSuffix(strings.TrimPrefix(name, "kernel-"), "-devel")
		out = append(out, Offer{release + "-" + flavour, devel})
	}
	return out
}
