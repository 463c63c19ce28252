package packages

import (
	"regexp"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// waitForLock lets apt itself wait for dpkg's lock (apt 1.9.11 and later; older ones do not know the option and
// ignore it).
var waitForLock = []string{"-o", "DPkg::Lock::Timeout=300"}

// aptOffline makes apt give up soon: with --no-download it does not install the files either.
var aptOffline = []string{"-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=10", "-o", "Acquire::https::Timeout=10"}

// apt: Debian, Ubuntu and their kin.
var _ = register(Manager{
	Name:    "apt",
	install: aptInstall,
	files:   []string{"apt-get", "-y", "-o", "DPkg::Lock::Timeout=300", "install", "--no-install-recommends"}, offline: aptOffline,
	Remove: []string{"apt-get", "-y", "-o", "DPkg::Lock::Timeout=300", "remove"},
	Cache:  "/var/cache/apt/archives", Clean: []string{"apt-get", "clean"},
	Undo:         "see /var/log/apt/history.log, then sudo apt-get remove what it installed",
	Refresh:      "sudo apt-get update",
	List:         func(pkg string) string { return "apt-cache policy " + pkg },
	ExtraKernels: "sudo apt-get autoremove --purge   # shows what it removes first; keeps the running kernel",
	unlock:       func(l facts.Lock, _, _ string) string { return "sudo apt-mark unhold " + l.Entry },
	locks:        aptHolds,
	phrases: []phrase{
		{"Could not get lock", facts.CandError},
		{"The package lists or status file could not be parsed", facts.CandError},
		{"Held packages were changed", facts.CandFiltered},
		{"The following held packages will be changed", facts.CandFiltered},
		{"caused by held packages", facts.CandFiltered},
		{"Unable to locate package", facts.CandMissing},
		{"has no installation candidate", facts.CandMissing},
		{"Couldn't find any package", facts.CandMissing},
		{"is already the newest version", facts.CandInstalled},
	},
	offers: madison,
})

func aptInstall(Install) []string {
	cmd := append([]string{"apt-get", "-y"}, waitForLock...)
	return append(cmd, "-o", "Dpkg::Options::=--force-confold", "install", "--no-install-recommends")
}

// aptHolds reads the lines of `dpkg --get-selections` that end in hold; apt holds are dpkg's.
func aptHolds(_, text string) []facts.Lock {
	out := []facts.Lock{}
	for line := range strings.Lines(text) {
		if w := strings.Fields(line); len(w) == 2 && w[1] == "hold" {
			out = append(out, facts.Lock{Kind: facts.LockApt, Entry: w[0]})
		}
	}
	return out
}

var debKernel = regexp.MustCompile(`^linux-(image|headers)-(?:unsigned-)?(\d\S*)$`)

// madison reads "NAME | VERSION | SOURCE"; a line whose source is no binary index is not an offer.
func madison(_ string, lines []string) []Offer {
	var out []Offer
	for _, line := range lines {
		w := strings.Split(line, "|")
		if len(w) != 3 || !strings.Contains(w[2], "Packages") {
			continue
		}
		if m := debKernel.FindStringSubmatch(strings.TrimSpace(w[0])); m != nil {
			out = append(out, Offer{m[2], m[1] == "headers"})
		}
	}
	return out
}
