package packages

import (
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// yum 3: CentOS and its kin 5 to 7.
var _ = register(Manager{
	Name:    "yum",
	install: yumInstall,
	files:   []string{"yum", "-y", "localinstall"}, offline: []string{"--disablerepo=*"},
	Remove: []string{"yum", "-y", "remove"},
	Cache:  "/var/cache/yum", Clean: []string{"yum", "clean", "packages"},
	Undo:         "sudo yum history undo last",
	Refresh:      "sudo yum makecache",
	List:         func(string) string { return "sudo yum --showduplicates list kernel-devel" },
	ExtraKernels: "sudo package-cleanup --oldkernels --count=2   # of the package yum-utils; keeps the running kernel",
	unlock: func(l facts.Lock, name, pkg string) string {
		if l.Kind == facts.LockExcl {
			return "sudo yum --disableexcludes=all install " + pkg
		}
		// entries start with the epoch, so a pattern is needed
		return "sudo yum versionlock delete '*:" + lockedName(l, name, pkg) + "-*'"
	},
	locks:   func(file, text string) []facts.Lock { return listLocks(facts.LockYum, file, text) },
	phrases: rpmPhrases,
	offers:  yumList,
})

func yumInstall(i Install) []string {
	cmd := []string{"yum", "-y"}
	if i.LiftExcludes {
		cmd = append(cmd, "--disableexcludes=all")
	}
	return append(cmd, "install") // yum goes on without a name that nobody offers
}

// yumList reads the columns of `yum list`: name.arch, version-release, repository. A long line is broken
// between columns. Only what follows "Available Packages" is offered.
func yumList(_ string, lines []string) []Offer {
	var out []Offer
	available := false
	var cols []string
	for _, line := range lines {
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
			out = append(out, Offer{epoch.ReplaceAllString(cols[1], "") + "." + arch, strings.HasSuffix(name, "-devel")})
		}
		cols = nil
	}
	return out
}
