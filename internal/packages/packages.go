// Package packages is what differs between the package managers of guests. One file for each family has its commands,
// the format of its locks, and how it answers a question for a package; the rest of the program names none of them.
// It is pure.
package packages

import (
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// Manager is one family's package manager.
type Manager struct {
	// Name is as in facts.System.Manager.
	Name string
	// install begins the command that installs by name; the options of an Install have been taken into account.
	install func(Install) []string
	// files begins the command that installs package files. offline are the options that keep it from asking a
	// repository for what they depend on: a guest that reaches none shall say what is missing instead of waiting.
	files, offline []string
	// Remove begins the command that removes packages.
	Remove []string
	// Cache is the folder of downloaded packages, Clean the command that empties it. pacman has no Clean: its cache
	// is its users' only way back to an older package.
	Cache string
	Clean []string
	// Undo is how a person takes a transaction back.
	Undo string
	// Refresh fetches the lists of the repositories, as a person types it.
	Refresh string
	// List shows what versions the repositories hold, as a person types it.
	List func(pkg string) string
	// ExtraKernels removes kernels that are not needed any more, as a person types it.
	ExtraKernels string
	// unlock is what a person types to take off one lock of this manager's own. name is the package's.
	unlock func(l facts.Lock, name, pkg string) string
	// locks reads a file of locks, or what a program printed about them.
	locks func(file, text string) []facts.Lock
	// phrases are the words of its answers, in the order in which they are looked for: a repository that does not
	// answer makes everything else worthless, and a package that a lock hides is also said to be not found.
	phrases []phrase
	// offers reads what repositories hold: one list by the name that the probe gives it.
	offers func(list string, lines []string) []Offer
}

var managers = map[string]Manager{}

func register(m Manager) Manager {
	managers[m.Name] = m
	return m
}

// Of finds a package manager by its name; the zero Manager knows no command and answers nothing.
func Of(name string) (Manager, bool) {
	m, ok := managers[name]
	return m, ok
}

// Install is a wish to install packages by name.
type Install struct {
	Names []string
	// LiftExcludes: an exclude hides one of them, and is lifted for this one command (row L5).
	LiftExcludes bool
	// Lenient: a name that nobody offers does not keep the others from being installed (row L16: dnf installs
	// nothing then). Only for packages whose effect is looked at afterwards.
	Lenient bool
	// Repository is a further one for this command alone (row L15).
	Repository Repository
}

// Repository is one that is used by a single command and is written to no file.
type Repository struct {
	ID, URL string
	// Key is a file of the guest with the key that signs its packages.
	Key string
}

// Install is the command that installs packages by name.
func (m Manager) Install(i Install) []string {
	if m.install == nil {
		return nil
	}
	return append(m.install(i), i.Names...)
}

// InstallFiles is the command that installs package files that lie in the guest. offline: without any repository.
func (m Manager) InstallFiles(files []string, offline bool) []string {
	if len(m.files) == 0 {
		return nil
	}
	cmd := m.files[:1:1]
	if offline {
		cmd = append(cmd, m.offline...)
	}
	return append(append(cmd, m.files[1:]...), files...)
}

// File is how the file of a package is called, with a star for what cannot be known.
func (m Manager) File(pkg string) string {
	switch m.Name {
	case "apt":
		return pkg + "_*.deb"
	case "pacman":
		return pkg + "-*.pkg.tar.zst"
	case "zypper":
		return strings.Replace(pkg, "=", "-", 1) + ".*.rpm"
	}
	return pkg + ".rpm"
}

// Locks reads a file of locks, or for apt the lines of dpkg's selections. Never nil.
func (m Manager) Locks(file, text string) []facts.Lock {
	if m.locks == nil {
		return []facts.Lock{}
	}
	return m.locks(file, text)
}

// Offers reads what repositories hold.
func (m Manager) Offers(list string, lines []string) []Offer {
	if m.offers == nil {
		return nil
	}
	return m.offers(list, lines)
}

// Unlock is what a person types to have the package in spite of a lock. name is the package without a version.
func (m Manager) Unlock(l facts.Lock, name, pkg string) string {
	if m.unlock == nil {
		return ""
	}
	return m.unlock(l, name, pkg)
}

// InstallByHand is what a person types.
func (m Manager) InstallByHand(pkg string) string {
	switch m.Name {
	case "":
		return ""
	case "apt":
		return "sudo apt-get install " + pkg
	case "pacman":
		return "sudo pacman -S " + pkg
	}
	return "sudo " + m.Name + " install " + pkg
}

// Offer is one package of a repository: the kernel release that it is for, and whether it is the devel package.
type Offer struct {
	Release string
	Devel   bool
}

type phrase struct{ has, state string }

// Answer reads what the resolver said to `install`, and its exit status: --assumeno ends with 1 in every case.
func (m Manager) Answer(text, code string) string {
	if willInstall(text) { // whatever else it said, of a repository it went on without
		return facts.CandAvailable
	}
	for _, p := range m.phrases {
		if matches(text, p.has) {
			return p.state
		}
	}
	if code == "0" {
		return facts.CandAvailable
	}
	return facts.CandError
}

// matches looks for a phrase; in "No package * available" the star stands for anything on the same line.
func matches(text, has string) bool {
	before, after, star := strings.Cut(has, "*")
	for line := range strings.Lines(text) {
		_, rest, found := strings.Cut(line, before)
		if found && (!star || strings.Contains(rest, after)) {
			return true
		}
	}
	return false
}

// willInstall recognises a transaction that was offered and refused.
func willInstall(text string) bool {
	for _, s := range []string{"Operation aborted", "Exiting on user command", "Exiting on user Command", "Transaction Summary"} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}
