package fixes

import (
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
	"github.com/boxdoctor/boxdoctor/internal/packages"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

var _ = register(Fix{
	ID: "tools.install", Title: "Install the build tools", Impact: ChangesPackages,
	Clears: []string{"tools.compiler", "tools.archive", "tools.libelf"},
	After:  []string{"space.package_cache", "locks.restore", "repositories.archive", "repositories.refresh", "kernel.devel"},
	Rows:   []string{"T1", "T2", "T3", "T4"},
	Why:    "gcc, make, perl, bzip2 and tar (and libelf's headers where the kernel wants them) from the guest's own repositories.",
	Plan:   planTools,
})

func planTools(in Input) ([]action.Action, error) {
	t, err := in.Facts.Guest.Tools.Get()
	if err != nil {
		return nil, err
	}
	fam, ok := knowledge.FamilyOf(manager(in))
	names, advised := missingTools(t, fam)
	if len(names)+len(advised) == 0 || !ok {
		return nil, nil
	}
	all := slices.Concat(names, advised)
	tr := transaction{in: in, name: "install the build tools", blocks: toolLocks(in, all)}
	tr.uploads = toolFiles(in, all)
	uploaded := func(name string) bool { return hasFile(tr.uploads, name) }
	rest, extra := slices.DeleteFunc(names, uploaded), slices.DeleteFunc(advised, uploaded)
	if len(tr.uploads) > 0 {
		tr.files = packageManager(in).InstallFiles(remotes(tr, tr.uploads), offline(in))
	}
	tr.refresh = len(rest)+len(extra) > 0
	if len(rest) > 0 {
		tr.commands = append(tr.commands, packageManager(in).Install(packages.Install{Names: rest, LiftExcludes: hasExclude(tr.blocks), Lenient: true}))
	}
	if len(extra) > 0 {
		tr.tries = append(tr.tries, packageManager(in).Install(packages.Install{Names: extra, LiftExcludes: hasExclude(tr.blocks), Lenient: true}))
	}
	return tr.actions(), nil
}

// missingTools are the packages of what every build needs, and of what only some kernels ask for: many build without
// libelf's headers although their configuration names ORC, and a guest whose repository lacks them must not fail for it.
func missingTools(t facts.Tools, fam knowledge.Family) (needed, advised []string) {
	for _, tool := range assess.MissingTools(t, []string{"gcc", "make", "perl", "bzip2", "tar"}) {
		needed = append(needed, fam.Tools[tool])
	}
	if t.NeedsLibELF && !t.LibELF {
		advised = append(advised, fam.Tools["libelf"])
	}
	return needed, advised
}

// offline tells that no repository answers, as far as the guest was asked: package files must then bring all that
// they depend on.
func offline(in Input) bool {
	res := in.Facts.Guest.Resolve.Or(facts.Resolve{})
	return len(res.DevelFor)+len(res.Kernels) == 0 &&
		!slices.ContainsFunc(res.Candidates, func(c facts.Candidate) bool { return c.State == facts.CandAvailable || c.State == facts.CandFiltered })
}

// toolFiles are the files of --packages to install for the tools, when one of the tools is among them: with it come
// all that it may depend on, but no other kernel.
func toolFiles(in Input, tools []string) []PackageFile {
	if !slices.ContainsFunc(tools, func(name string) bool { return hasFile(in.Packages, name) }) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(in.Packages), func(p PackageFile) bool {
		name := filePackage(p)
		kernel := strings.HasPrefix(name, "kernel") && !strings.HasSuffix(name, "-headers")
		return kernel || strings.HasPrefix(name, "linux-image") || strings.HasPrefix(name, "linux-headers") || strings.HasPrefix(name, "linux-modules")
	})
}

func hasFile(files []PackageFile, name string) bool {
	return slices.ContainsFunc(files, func(p PackageFile) bool { return filePackage(p) == name })
}

// filePackage is the package that a file holds, by its name: NAME-VERSION-RELEASE.ARCH.rpm, NAME_VERSION_ARCH.deb or
// NAME-VERSION-RELEASE-ARCH.pkg.tar.zst.
func filePackage(p PackageFile) string {
	name := fileName(p.Path)
	if rest, ok := strings.CutSuffix(name, ".deb"); ok {
		rest, _, _ = strings.Cut(rest, "_")
		return rest
	}
	if rest, _, ok := strings.Cut(name, ".pkg.tar"); ok {
		parts := strings.Split(rest, "-")
		return strings.Join(parts[:max(len(parts)-3, 0)], "-")
	}
	n, err := version.ParseNEVRA(name)
	if err != nil {
		return ""
	}
	return n.Name
}

// toolLocks are locks on the tools themselves, and on kernel-headers, which gcc's C library headers depend
// on: a lock on a version that no repository holds makes gcc itself uninstallable.
func toolLocks(in Input, tools []string) []facts.Lock {
	locks := in.Facts.Guest.Locks.Or(facts.Locks{})
	names := append(slices.Clone(tools), "glibc-devel", "glibc-headers", "cpp")
	running := in.Facts.Guest.Kernel.Or(facts.Kernel{}).Running
	if n, err := assess.NamesFor(in.Facts, running); err == nil && headersMissing(in, n) {
		names = append(names, n.Kernel.Headers)
	}
	var out []facts.Lock
	for _, e := range locks.Entries {
		if slices.ContainsFunc(names, func(name string) bool { return assess.Concerns(in.Facts, e, name) }) {
			out = append(out, e)
		}
	}
	return out
}

func headersMissing(in Input, n assess.Names) bool {
	return !slices.ContainsFunc(in.Facts.Guest.Packages.Or(facts.Packages{}).Installed,
		func(p facts.Package) bool { return p.Name == n.Kernel.Headers })
}
