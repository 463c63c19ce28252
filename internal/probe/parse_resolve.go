package probe

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

// textLimit is how much of a package manager's words is kept.
const textLimit = 4 << 10

func parseResolve(b body) (facts.Resolve, error) {
	r := facts.Resolve{Candidates: []facts.Candidate{}, Kernels: []string{}, DevelFor: []string{}}
	m := b.text("manager")
	if m == "" {
		return r, errors.New("it printed nothing: " + b.said())
	}
	offers(&r, b, m)
	name := ""
	for _, f := range b.facts {
		switch f.name {
		case "candidate":
			name = f.text()
		case "answer":
			r.Candidates = append(r.Candidates, candidate(name, f, m, b.yes("aptlists"), r.DevelFor))
		}
	}
	return r, nil
}

// phrases are the exact words of package managers, in the order in which they are looked for: a repository
// that does not answer makes everything else it says worthless, and a package that a lock hides is also said
// to be not found.
var phrases = []struct{ has, state string }{
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
	{"Failed to obtain lock", facts.CandError},
	{"Existing lock /var/run/yum.pid", facts.CandError},
	{"Could not get lock", facts.CandError},
	{"System management is locked", facts.CandError},
	{"no such option", facts.CandError},
	// locks and excludes (rows L1 to L8)
	{"All matches were filtered out by exclude filtering", facts.CandFiltered},
	{"All matches were filtered out by modular filtering", facts.CandFiltered},
	{"matches only excluded packages", facts.CandFiltered},
	{"matches only packages excluded by", facts.CandFiltered},
	{"filtered out by exclude filtering", facts.CandFiltered},
	{"Held packages were changed", facts.CandFiltered},
	{"The following held packages will be changed", facts.CandFiltered},
	{"The following packages are locked", facts.CandFiltered},
	{"will not be installed due to a lock", facts.CandFiltered},
	{"but it is locked", facts.CandFiltered},
	// not offered
	{"Unable to find a match", facts.CandMissing},
	{"No match for argument", facts.CandMissing},
	{"No matches found for", facts.CandMissing},
	{"Unable to locate package", facts.CandMissing},
	{"has no installation candidate", facts.CandMissing},
	{"Couldn't find any package", facts.CandMissing},
	{"No provider of", facts.CandMissing},
	{"not found in package names", facts.CandMissing},
	{"target not found", facts.CandMissing},
	{"database not found", facts.CandError},
	{"database file for", facts.CandError},
	// there already
	{"already installed and latest version", facts.CandInstalled},
	{"is already installed", facts.CandInstalled},
	{"is already the newest version", facts.CandInstalled},
}

var noPackage = regexp.MustCompile(`No package .* available`)

// candidate reads one answer. devel are the releases that repositories hold with locks off.
func candidate(name string, f fact, manager string, aptLists bool, devel []string) facts.Candidate {
	c := facts.Candidate{Name: name, Text: tail(strings.TrimSpace(once(f.cleaned())), textLimit)}
	switch f.text() {
	case "installed":
		c.State = facts.CandInstalled
		return c
	case "late":
		c.State, c.Text = facts.CandError, "not asked: the earlier questions took the time of this section"
		return c
	case "124", "137":
		c.State, c.Text = facts.CandError, strings.TrimSpace("no answer within 25 s "+c.Text)
		return c
	}
	c.State = answerState(c.Text, f.text())
	switch {
	case manager == "apt" && !aptLists && c.State == facts.CandMissing:
		c.State, c.Text = facts.CandError, "apt has no package lists (apt-get update has not run): "+c.Text
	case c.State == facts.CandMissing && manager == "yum" && slices.Contains(devel, releaseIn(name)):
		// yum 3 has the same words for a locked package and for one that nobody offers
		c.State = facts.CandFiltered
	}
	return c
}

// once joins lines and leaves out those that repeat the one before: a dead mirror is tried again and again.
func once(lines []string) string { return strings.Join(slices.Compact(lines), "\n") }

func answerState(text, code string) string {
	if willInstall(text) { // whatever else it said, of a repository it went on without
		return facts.CandAvailable
	}
	for _, p := range phrases {
		if strings.Contains(text, p.has) {
			return p.state
		}
	}
	if noPackage.MatchString(text) {
		return facts.CandMissing
	}
	if code == "0" {
		return facts.CandAvailable
	}
	return facts.CandError
}

// willInstall recognises a transaction that was offered and refused: --assumeno ends with 1 then.
func willInstall(text string) bool {
	for _, s := range []string{"Operation aborted", "Exiting on user command", "Exiting on user Command", "Transaction Summary", "Operation aborted by the user"} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}

var develName = regexp.MustCompile(`-(?:devel|headers)[-=](\d.*)$`)

// releaseIn is the kernel release in the name of a devel or headers package.
func releaseIn(name string) string {
	if m := develName.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	return ""
}

// offers fills what the repositories hold.
func offers(r *facts.Resolve, b body, manager string) {
	if b.text("late") != "" {
		r.Text = "the lists were not asked for: the earlier questions took the time of this section"
		return
	}
	for _, list := range []struct {
		name string
		read func(fact) []offer
	}{{"list", yumList}, {"query", repoQuery}, {"madison", madison}, {"search", zypperSearch}, {"print", pacmanPrint}} {
		f, ok := b.first(list.name)
		if !ok {
			continue
		}
		got := list.read(f)
		if err := f.failed(manager); err != nil && len(got) == 0 {
			r.Text = err.Error()
		}
		for _, o := range got {
			if o.devel {
				r.DevelFor = append(r.DevelFor, o.release)
			} else {
				r.Kernels = append(r.Kernels, o.release)
			}
		}
	}
	r.Kernels, r.DevelFor = newestLast(r.Kernels), newestLast(r.DevelFor)
}

func newestLast(list []string) []string {
	slices.SortFunc(list, func(a, b string) int {
		if c := version.CompareKernels(a, b); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(list)
}

// offer is one package of a repository: the kernel release it is for, and whether it is the devel package.
type offer struct {
	release string
	devel   bool
}

var epoch = regexp.MustCompile(`^\d+:`)

// yumList reads the columns of `yum list`: name.arch, version-release, repository. A long line is broken
// between columns. Only what follows "Available Packages" is offered.
func yumList(f fact) []offer {
	var out []offer
	available := false
	var cols []string
	for _, line := range f.cleaned() {
		switch strings.TrimSpace(line) {
		case "Available Packages":
			available, cols = true, nil
			continue
		case "Installed Packages":
			available = false
		}
		if !available {
			continue
		}
		if cols = append(cols, strings.Fields(line)...); len(cols) < 3 {
			continue
		}
		name, arch, ok := cutLast(cols[0], ".")
		if ok && len(cols) == 3 {
			out = append(out, offer{epoch.ReplaceAllString(cols[1], "") + "." + arch, strings.HasSuffix(name, "-devel")})
		}
		cols = nil
	}
	return out
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// repoQuery reads "NAME VERSION-RELEASE ARCH".
func repoQuery(f fact) []offer {
	var out []offer
	for _, line := range f.cleaned() {
		if w := strings.Fields(line); len(w) == 3 && strings.HasPrefix(w[0], "kernel") && strings.Contains(w[1], "-") {
			out = append(out, offer{w[1] + "." + w[2], strings.HasSuffix(w[0], "-devel")})
		}
	}
	return out
}

var debKernel = regexp.MustCompile(`^linux-(image|headers)-(?:unsigned-)?(\d\S*)$`)

// madison reads "NAME | VERSION | SOURCE"; a line whose source is no binary index is not an offer.
func madison(f fact) []offer {
	var out []offer
	for _, line := range f.cleaned() {
		w := strings.Split(line, "|")
		if len(w) != 3 || !strings.Contains(w[2], "Packages") {
			continue
		}
		if m := debKernel.FindStringSubmatch(strings.TrimSpace(w[0])); m != nil {
			out = append(out, offer{m[2], m[1] == "headers"})
		}
	}
	return out
}

// zypperSearch reads the table of `zypper search -s`: status | name | type | version | arch | repository. The
// package's version has one more number than uname -r, which ends in the flavour instead of the arch.
func zypperSearch(f fact) []offer {
	var out []offer
	for _, line := range f.cleaned() {
		w := strings.Split(line, "|")
		if len(w) != 6 || strings.TrimSpace(w[2]) != "package" || strings.Contains(w[5], "(System Packages)") {
			continue
		}
		name, release := strings.TrimSpace(w[1]), strings.TrimSpace(w[3])
		if before, _, ok := cutLast(release, "."); ok {
			release = before
		}
		flavour, devel := strings.CutSuffix(strings.TrimPrefix(name, "kernel-"), "-devel")
		out = append(out, offer{release + "-" + flavour, devel})
	}
	return out
}

var archVersion = regexp.MustCompile(`^(\d+(?:\.\d+)*)\.((?:arch|zen|hardened)\d+-\d+)$`)

// pacmanPrint reads "NAME VERSION". 6.9.1.arch1-1 is 6.9.1-arch1-1 to uname.
func pacmanPrint(f fact) []offer {
	var out []offer
	for _, line := range f.cleaned() {
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
		out = append(out, offer{release, devel})
	}
	return out
}
