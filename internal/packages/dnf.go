package packages

import "github.com/boxdoctor/boxdoctor/internal/facts"

// dnf 4: EL 8 to 10 and Fedora up to 40.
var _ = register(Manager{
	Name:    "dnf",
	install: dnfInstall,
	files:   []string{"dnf", "-y", "install"}, offline: []string{"--disablerepo=*"},
	Remove: []string{"dnf", "-y", "remove"},
	Cache:  "/var/cache/dnf", Clean: []string{"dnf", "clean", "packages"},
	Undo:         "sudo dnf history undo last",
	Refresh:      "sudo dnf makecache",
	List:         func(string) string { return "sudo dnf --showduplicates list kernel-devel" },
	ExtraKernels: "sudo dnf remove --oldinstallonly   # keeps the running kernel and the newest ones (installonly_limit)",
	unlock: func(l facts.Lock, name, pkg string) string {
		if l.Kind == facts.LockExcl {
			return "sudo dnf --disableexcludes=all install " + pkg
		}
		return "sudo dnf versionlock delete " + lockedName(l, name, pkg)
	},
	locks:   func(file, text string) []facts.Lock { return listLocks(facts.LockDNF, file, text) },
	phrases: rpmPhrases,
	offers:  repoQuery,
})

func dnfInstall(i Install) []string {
	cmd := []string{"dnf", "-y"}
	if i.LiftExcludes {
		cmd = append(cmd, "--disableexcludes=all")
	}
	if i.Lenient {
		cmd = append(cmd, "--setopt=strict=0")
	}
	return append(append(cmd, fromRepository(i.Repository)...), "install")
}

// fromRepository makes dnf and dnf5 use one more repository, whose packages must be signed by its key.
func fromRepository(r Repository) []string {
	if r.URL == "" {
		return nil
	}
	return []string{"--repofrompath=" + r.ID + "," + r.URL, "--setopt=" + r.ID + ".gpgcheck=1", "--setopt=" + r.ID + ".gpgkey=file://" + r.Key}
}
