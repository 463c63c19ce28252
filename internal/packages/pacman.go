package packages

import (
	"regexp"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// pacman: Arch and its kin. IgnorePkg keeps a package out of upgrades; named on the command line it is asked for, and
// --noconfirm says yes: an override for that one command (row L8).
var _ = register(Manager{
	Name:    "pacman",
	install: func(Install) []string { return []string{"pacman", "-S", "--noconfirm", "--needed"} },
	files:   []string{"pacman", "-U", "--noconfirm"}, // never fetches
	Remove:  []string{"pacman", "-R", "--noconfirm"},
	Cache:   "/var/cache/pacman/pkg",
	Undo:    "see /var/log/pacman.log, then remove what it installed",
	Refresh: "sudo pacman -Syy", List: func(pkg string) string { return "pacman -Si " + pkg },
	ExtraKernels: "ls -lh /boot   # Arch keeps one kernel of a kind; pacman -R the kinds that you do not use",
	unlock: func(_ facts.Lock, name, _ string) string {
		return "sudo pacman -S " + name + "   # answer yes to the question about IgnorePkg"
	},
	locks: pacmanIgnored,
	phrases: []phrase{
		{"unable to lock database", facts.CandError},
		{"could not lock database", facts.CandError},
		{"target not found", facts.CandMissing},
		{"database not found", facts.CandError},
		{"database file for", facts.CandError},
	},
	offers: pacmanPrint,
})

func pacmanIgnored(file, text string) []facts.Lock {
	out := []facts.Lock{}
	for _, e := range ParseINI(text) {
		if e.Section != "options" || e.Key != "IgnorePkg" && e.Key != "IgnoreGroup" {
			continue
		}
		for _, w := range e.Words {
			out = append(out, facts.Lock{Kind: facts.LockPacman, File: file, Line: w.Line, Entry: w.Text, Section: e.Section})
		}
	}
	return out
}

var archVersion = regexp.MustCompile(`^(\d+(?:\.\d+)*)\.((?:arch|zen|hardened)\d+-\d+)$`)

// pacmanPrint reads "NAME VERSION". 6.9.1.arch1-1 is 6.9.1-arch1-1 to uname.
func pacmanPrint(_ string, lines []string) []Offer {
	var out []Offer
	for _, line := range lines {
		w := strings.Fields(line)
		if len(w) != 2 || !strings.HasPrefix(w[0], "linux") {
			continue
		}
		base, devel := strings.CutSuffix(w[0], "-headers")
		release := archVersion.ReplaceAllString(w[1], "$1-$2")
		if flavour := strings.TrimPrefix(base, "linux-"); flavour == "lts" || flavour == "zen" || flavour == "hardened" {
			if !strings.Contains(release, flavour) {
				release += "-" + flavour
			}
		}
		out = append(out, Offer{release, devel})
	}
	return out
}
