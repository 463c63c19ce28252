package probe

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

func parsePackages(b body) (facts.Packages, error) {
	p := facts.Packages{Installed: []facts.Package{}, DKMS: b.texts("dkmsdir"), CacheKB: int64(number(b.text("cache"), -1))}
	var err error
	if f, ok := b.first("rpm"); ok {
		p.Installed, err = rpmPackages(f)
	} else if f, ok := b.first("dpkg"); ok {
		p.Installed, err = dpkgPackages(f)
	} else if f, ok := b.first("pacman"); ok {
		p.Installed, err = pacmanPackages(f)
	} else {
		err = errors.New("no known package manager in the guest " + b.said())
	}
	if f, ok := b.first("dkms"); ok {
		for _, line := range f.cleaned() {
			if strings.Contains(line, "vbox") || strings.Contains(line, "virtualbox") {
				p.DKMS = append(p.DKMS, strings.TrimSpace(line))
			}
		}
	}
	slices.SortFunc(p.Installed, comparePackages)
	return p, err
}

func comparePackages(a, b facts.Package) int {
	if c := strings.Compare(a.Name, b.Name); c != 0 {
		return c
	}
	if c := strings.Compare(a.Version, b.Version); c != 0 {
		return c
	}
	return strings.Compare(a.Arch, b.Arch)
}

// rpmPackages reads "NAME EPOCH VERSION-RELEASE ARCH". rpm writes warnings to the same stream.
func rpmPackages(f fact) ([]facts.Package, error) {
	out := []facts.Package{}
	for _, line := range f.cleaned() {
		w := strings.Fields(line)
		if len(w) != 4 || !strings.Contains(w[2], "-") {
			continue
		}
		if w[1] != "(none)" && w[1] != "0" {
			w[2] = w[1] + ":" + w[2]
		}
		out = append(out, facts.Package{Name: w[0], Version: w[2], Arch: w[3]})
	}
	return out, f.failed("rpm -qa")
}

// dpkgPackages reads "NAME VERSION ARCH want flag status"; a package that was removed but not purged is not
// installed. dpkg-query ends with 1 when one of the patterns matches nothing, which is no error here.
func dpkgPackages(f fact) ([]facts.Package, error) {
	out := []facts.Package{}
	for _, line := range f.cleaned() {
		w := strings.Fields(line)
		if len(w) == 6 && w[5] == "installed" {
			out = append(out, facts.Package{Name: w[0], Version: w[1], Arch: w[2]})
		}
	}
	if f.value == "1" && (len(out) > 0 || strings.Contains(f.block(), "no packages found matching")) {
		return out, nil
	}
	return out, f.failed("dpkg-query -W")
}

var pacmanNames = regexp.MustCompile(`^(linux.*|virtualbox.*|dkms|gcc|make|perl|bzip2|tar|libelf)$`)

// pacmanPackages keeps the packages that matter of the whole list.
func pacmanPackages(f fact) ([]facts.Package, error) {
	out := []facts.Package{}
	for _, line := range f.cleaned() {
		if w := strings.Fields(line); len(w) == 2 && pacmanNames.MatchString(w[0]) {
			out = append(out, facts.Package{Name: w[0], Version: w[1]})
		}
	}
	return out, f.failed("pacman -Q")
}
