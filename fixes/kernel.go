package fixes

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/packages"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

var _ = register(Fix{
	ID: "kernel.devel", Title: "Install kernel-devel that fits the kernel", Impact: Reboots,
	Clears: []string{"kernel.devel_missing", "locks.versionlock", "locks.exclude", "locks.hold", "repositories.old_minor"},
	After:  []string{"clock.set", "space.package_cache", "locks.restore", "repositories.archive", "repositories.refresh"},
	Rows:   []string{"K1", "K2", "K5", "K6", "K7", "K8", "K9", "K11", "K12", "L15", "L1", "L2", "L3", "L5", "L6", "L7", "L8"},
	Why: "First choice: the kernel-devel of the running kernel. When no repository has it: that of a kernel that is installed already, and a " +
		"reboot into it. Else: the newest kernel and kernel-devel of one version, and a reboot into it. Locks that block exactly these packages " +
		"are taken off for this one transaction and put back before any reboot, at the new version where the kernel changed.",
	Plan: planDevel,
})

func planDevel(in Input) ([]action.Action, error) {
	missing, err := assess.DevelMissing(in.Facts)
	if err != nil || !missing {
		return nil, err
	}
	k, err := in.Facts.Guest.Kernel.Get()
	if err != nil {
		return nil, err
	}
	if in.Facts.Guest.System.Or(facts.System{}).Manager == "pacman" {
		return planArch(in, k)
	}
	res, err := in.Facts.Guest.Resolve.Get()
	if err != nil {
		return nil, err
	}
	t, ok := assess.ChooseTarget(in.Facts, k, res, offlineReleases(in))
	if !ok {
		return nil, noTarget(in, k, res)
	}
	return planTarget(in, k, t)
}

func noTarget(in Input, k facts.Kernel, res facts.Resolve) error {
	names, err := assess.NamesFor(in.Facts, k.Running)
	if err != nil {
		return err
	}
	if v, err := assess.PlannedVersion(in.Facts); err == nil && assess.BreaksOn(in.Facts, k.Running) {
		return fmt.Errorf("the Guest Additions %s are known not to build on the running kernel %s, and no other kernel that could build them can be had with its headers; additions.kernel names the ways out",
			v.Number, k.Running)
	}
	said := res.Text
	for _, c := range res.Candidates {
		if said == "" {
			said = c.Text
		}
	}
	return fmt.Errorf("no repository of the guest offers %s, nor a kernel together with its %s (the package manager said: %q). "+
		"Give boxdoctor the package files: put %s, and what it depends on, into a folder and name it with --packages DIR",
		names.Devel, strings.TrimSuffix(names.Kernel.Devel, "-"), oneLine(said), packageManager(in).File(names.Devel))
}

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return s
}

// planTarget installs what is missing for the target, in one transaction, and reboots when it does not run.
func planTarget(in Input, k facts.Kernel, t assess.Target) ([]action.Action, error) {
	names, err := assess.NamesFor(in.Facts, t.Release)
	if err != nil {
		return nil, err
	}
	tr := transaction{in: in, name: "install " + names.Devel}
	want := t.Packages(k, names)
	if files := offlineFor(in, t.Release); len(files) > 0 {
		tr.uploads = files
		tr.files = packageManager(in).InstallFiles(remotes(tr, files), offline(in))
	} else if len(want) > 0 {
		tr.refresh = true
		tr.commands = append(tr.commands, packageManager(in).Install(packages.Install{Names: want, LiftExcludes: hasExclude(assess.BlockingAny(in.Facts, want)),
			Repository: vaultFor(in, t)}))
	}
	tr.blocks = withKernelLocks(in, t, names, assess.BlockingAny(in.Facts, want))
	if t.Release != k.Running {
		tr.relock = relockTo(names, t)
		tr.commands = append(tr.commands, bootCommands(k, t)...)
	}
	var out []action.Action
	if len(tr.commands)+len(tr.files) > 0 {
		out = tr.actions()
	}
	if t.Release != k.Running && !in.NoReboot {
		out = append(out, action.Reboot{WantKernel: t.Release, Timeout: 15 * time.Minute})
	}
	return out, nil
}

// vaultFor is the archive of the running kernel's minor release, when only that still has its headers (row L15): used for
// this one transaction, its packages checked by the keys that the guest trusts already.
func vaultFor(in Input, t assess.Target) packages.Repository {
	res := in.Facts.Guest.Resolve.Or(facts.Resolve{})
	key := assess.VaultKey(in.Facts)
	if slices.Contains(res.DevelFor, t.Release) || !slices.Contains(res.Vault.DevelFor, t.Release) || key == "" {
		return packages.Repository{}
	}
	return packages.Repository{ID: "boxdoctor-vault", URL: res.Vault.URL, Key: key}
}

func manager(in Input) string { return in.Facts.Guest.System.Or(facts.System{}).Manager }

// withKernelLocks adds, when the kernel changes, the locks on the rest of its family: kernel-headers of
// another version would otherwise hold back what depends on it.
func withKernelLocks(in Input, t assess.Target, n assess.Names, blocks []facts.Lock) []facts.Lock {
	if !t.WithKernel {
		return blocks
	}
	suffix := strings.TrimPrefix(n.Devel, n.Kernel.Devel)
	for _, name := range []string{n.Kernel.Headers, n.Kernel.Kernel + "-core", n.Kernel.Kernel + "-modules", n.Kernel.Kernel + "-modules-core"} {
		for _, l := range assess.Blocking(in.Facts, name+suffix) {
			if !slices.Contains(blocks, l) {
				blocks = append(blocks, l)
			}
		}
	}
	return blocks
}

// relockTo gives every package of the kernel's family the target's release, without the architecture.
func relockTo(n assess.Names, t assess.Target) map[string]string {
	k, err := version.ParseKernel(t.Release)
	if err != nil || !t.WithKernel {
		return nil
	}
	release := k.Version + "-" + k.Release
	out := map[string]string{}
	for _, name := range []string{n.Kernel.Kernel, n.Kernel.Devel, n.Kernel.Headers, n.Kernel.Kernel + "-core",
		n.Kernel.Kernel + "-modules", n.Kernel.Kernel + "-modules-core"} {
		out[name] = release
	}
	return out
}

// bootCommands make the target the default boot entry where grubby is; elsewhere the package's own script has
// done it, and the next observation tells.
func bootCommands(k facts.Kernel, t assess.Target) [][]string {
	if k.Default == t.Release {
		return nil
	}
	script := `if command -v grubby >/dev/null 2>&1; then grubby --set-default "/boot/vmlinuz-$1"; fi`
	return [][]string{{"sh", "-c", script, "sh", t.Release}}
}

// planArch: Arch has one kernel of a kind and its headers follow it. Headers of the running kernel are installed as
// they are; else the whole guest is upgraded, the only way that Arch supports, and must restart: until then no
// module of the running kernel is left on the disk.
func planArch(in Input, k facts.Kernel) ([]action.Action, error) {
	names, err := assess.NamesFor(in.Facts, k.Running)
	if err != nil {
		return nil, err
	}
	tr := transaction{in: in, name: "install " + names.Devel}
	if slices.Contains(in.Facts.Guest.Resolve.Or(facts.Resolve{}).DevelFor, k.Running) {
		tr.commands = [][]string{packageManager(in).Install(packages.Install{Names: []string{names.Devel}})}
		return tr.actions(), nil
	}
	if in.NoReboot {
		return nil, fmt.Errorf("the headers of the running kernel %s are not in the repositories any more; an upgrade would take its modules off the disk "+
			"and needs a restart: run boxdoctor fix without --no-reboot", k.Running)
	}
	tr.commands = [][]string{{"pacman", "-Syu", "--noconfirm", "--needed", names.Kernel.Kernel, names.Kernel.Devel}}
	return append(tr.actions(), action.Reboot{Timeout: 15 * time.Minute}), nil
}

// offlineReleases are the kernels for which --packages holds a devel package.
func offlineReleases(in Input) []string {
	var out []string
	for _, p := range in.Packages {
		name := strings.TrimSuffix(fileName(p.Path), ".rpm")
		n, err := version.ParseNEVRA(name)
		if err == nil && strings.HasSuffix(n.Name, "-devel") && strings.HasPrefix(n.Name, "kernel") {
			out = append(out, n.Version+"-"+n.Release+"."+n.Arch)
		}
		if rest, ok := strings.CutPrefix(name, "linux-headers-"); ok && strings.HasSuffix(name, ".deb") {
			release, _, _ := strings.Cut(rest, "_")
			out = append(out, release)
		}
	}
	return out
}

// offlineFor are the package files to install for a kernel: all of the folder, when its devel package is among them.
func offlineFor(in Input, release string) []PackageFile {
	if slices.Contains(offlineReleases(in), release) {
		return in.Packages
	}
	return nil
}

func remotes(t transaction, files []PackageFile) []string {
	var out []string
	for _, p := range files {
		out = append(out, t.remote(p))
	}
	return out
}

var _ = register(Fix{
	ID: "kernel.reboot", Title: "Restart into the kernel that boots next", Impact: Reboots,
	Clears: []string{"kernel.reboot_pending", "kernel.tree_missing"},
	After:  []string{"kernel.devel", "locks.restore"},
	Rows:   []string{"K2", "K4", "K11"},
	Why: "A restart is planned only when it helps now: the headers are there only for the kernel that boots next, or the running kernel's modules " +
		"are gone from the disk. A kernel that merely waits for a restart is left to you.",
	Plan: planReboot,
})

func planReboot(in Input) ([]action.Action, error) {
	k, err := in.Facts.Guest.Kernel.Get()
	if err != nil || in.NoReboot {
		return nil, err
	}
	needed, err := assess.BuildNeeded(in.Facts)
	if err != nil {
		return nil, err
	}
	here := assess.Tree(k, k.Running)
	next := assess.Tree(k, k.Default)
	gone := !here.HasModules && next.HasModules && k.Default != k.Running
	helps := needed && !assess.HasHeaders(here) && assess.HasHeaders(next) && k.Default != ""
	if !gone && !helps {
		return nil, nil
	}
	return []action.Action{action.Reboot{WantKernel: k.Default, Timeout: 15 * time.Minute}}, nil
}
