package checks

import (
	"fmt"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/packages"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

// develMissing is the id of the check in the middle of the founding case.
const develMissing = "kernel.devel_missing"

// buildNeeds are the sections that assess.BuildNeeded reads.
var buildNeeds = []facts.Key{facts.KeySystem, facts.KeyKernel, facts.KeyModules, facts.KeyAdditions}

var _ = register(Check{
	ID: develMissing, Title: "The running kernel can build modules", Target: OnGuest, Severity: finding.Critical,
	Rows:  []string{"K1", "K2", "K5", "K6", "K7", "K8", "K9", "K12"},
	Needs: with(facts.KeyPackages, facts.KeyResolve, facts.KeyLocks, facts.KeyGALog), After: []string{reachable}, VirtualBoxOnly: true,
	CausedBy: []string{"locks.versionlock", "locks.exclude", "locks.hold", "repositories.end_of_life", "repositories.answer", "repositories.old_minor", "kernel.reboot_pending"},
	Fix:      "kernel.devel",
	Why: "The Guest Additions compile their modules in the guest, against the headers of the kernel that runs. Without the " +
		"kernel-devel (linux-headers) package of exactly that kernel nothing is built, and no share can be mounted. " +
		"kernel-headers is not enough: it holds the headers of the C library, not those of the kernel.",
	Looks:  "/lib/modules/$(uname -r)/build and the include folder behind it; rpm -qa or dpkg -l",
	Source: "guest-catalogue K1, K2, K5-K9, K12",
	Eval:   evalDevelMissing,
})

func evalDevelMissing(f *facts.Facts) finding.Verdict {
	tree, err := assess.RunningTree(f)
	if err != nil {
		return finding.Cannot(err)
	}
	if assess.HasHeaders(tree) {
		return finding.Passf("headers of %s are installed", tree.Release)
	}
	needed, err := assess.BuildNeeded(f)
	if err != nil {
		return finding.Cannot(err)
	}
	if !needed {
		return finding.Passf("not installed for %s, and not needed now: the modules are built", tree.Release)
	}
	names, err := assess.NamesFor(f, tree.Release)
	if err != nil {
		return finding.Cannot(err)
	}
	v := finding.Failf("%s is not installed, so no module can be built for the running kernel%s", names.Devel, otherDevel(f, names, tree))
	return adviseDevel(v.Diff(names.Devel, develGot(f, names)), f, names.Devel)
}

// adviseDevel never says a bare install while a lock may forbid it.
func adviseDevel(v finding.Verdict, f *facts.Facts, devel string) finding.Verdict {
	family, blocking := assess.KernelLocks(f)
	switch {
	case len(blocking) > 0:
		return adviseUnlock(v, f, devel, blocking[0])
	case len(family) > 0 && !assess.TargetKnown(f):
		return v.Advise("locks on the kernel's packages are there ("+lockTexts(family)+") and the repositories did not say what they offer; look first, in the guest",
			listCommand(f, devel))
	}
	return v.Advise("by hand in the guest", installCommand(f, devel))
}

// listCommand shows what the repositories offer beside a package that cannot be had.
func listCommand(f *facts.Facts, pkg string) string {
	m, _ := packages.Of(f.Guest.System.Or(facts.System{}).Manager)
	if m.List == nil {
		return ""
	}
	return m.List(pkg)
}

// otherDevel says what is there instead, which is what confuses people (rows K2, K5, K8).
func otherDevel(f *facts.Facts, n assess.Names, t facts.KernelTree) string {
	switch others := installedVersions(f, n.Kernel.Devel); {
	case t.Build != "" && !t.BuildOK && len(others) == 0:
		return fmt.Sprintf(" (the link to %s is dangling)", t.Build)
	case len(others) > 0:
		return fmt.Sprintf(" (%s is installed for %s, but %s runs)", n.Kernel.Devel, strings.Join(others, ", "), t.Release)
	case n.Kernel.Headers != n.Kernel.Devel && len(installedVersions(f, n.Kernel.Headers)) > 0:
		return fmt.Sprintf(" (%s alone is not enough)", n.Kernel.Headers)
	}
	return ""
}

func develGot(f *facts.Facts, n assess.Names) string {
	if vs := installedVersions(f, n.Kernel.Devel); len(vs) > 0 {
		return n.Kernel.Devel + " " + strings.Join(vs, ", ")
	}
	return "no " + strings.TrimSuffix(n.Kernel.Devel, "-")
}

func installedVersions(f *facts.Facts, name string) []string {
	var out []string
	for _, p := range f.Guest.Packages.Or(facts.Packages{}).Installed {
		if p.Name == name {
			out = append(out, p.Version)
		}
	}
	return out
}

// installCommand is how a person installs a package in this guest.
func installCommand(f *facts.Facts, pkg string) string {
	m, _ := packages.Of(f.Guest.System.Or(facts.System{}).Manager)
	return m.InstallByHand(pkg)
}

var _ = register(Check{
	ID: "kernel.tree_missing", Title: "The running kernel's modules are on disk", Target: OnGuest, Severity: finding.Critical,
	Rows: []string{"K11"}, Needs: []facts.Key{facts.KeyKernel}, After: []string{reachable}, Fix: "kernel.reboot",
	Why:    "When an update replaced the kernel package, /lib/modules has no folder for the kernel that still runs: no module at all can be loaded until a reboot.",
	Looks:  "/lib/modules/$(uname -r)",
	Source: "guest-catalogue K11",
	Eval:   evalTreeMissing,
})

func evalTreeMissing(f *facts.Facts) finding.Verdict {
	k, err := f.Guest.Kernel.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	tree := assess.Tree(k, k.Running)
	if tree.HasModules || !anyTree(k) {
		return finding.Passf("kernel %s", k.Running)
	}
	if assess.Foreign(k) && !updatedAway(k) {
		return finding.Passf("kernel %s runs from outside this file system", k.Running)
	}
	return adviseRestart(finding.Failf("/lib/modules/%s is gone: another kernel was installed over the one that runs", k.Running).Likely("this is how Arch updates; not seen on a real guest yet").
		Diff("/lib/modules/"+k.Running, strings.Join(releases(k), ", ")), f, "restart into the installed kernel")
}

func anyTree(k facts.Kernel) bool {
	for _, t := range k.Trees {
		if t.HasModules {
			return true
		}
	}
	return false
}

// updatedAway: pacman and the like replace the kernel on disk while the old one runs; the image that is there
// is then of the same kind.
func updatedAway(k facts.Kernel) bool {
	running, err := version.ParseKernel(k.Running)
	if err != nil {
		return false
	}
	for _, image := range releases(k) {
		if other, err := version.ParseKernel(image); err == nil && other.SameFlavour(running) && other.Compare(running) > 0 {
			return true
		}
	}
	return false
}

func releases(k facts.Kernel) []string {
	var out []string
	for _, t := range k.Trees {
		if t.HasModules {
			out = append(out, t.Release)
		}
	}
	return out
}

var _ = register(Check{
	ID: "kernel.reboot_pending", Title: "The kernel that boots next is the one that runs", Target: OnGuest, Severity: finding.Major,
	Rows: []string{"K2", "K4"}, Needs: buildNeeds, After: []string{reachable}, Fix: "kernel.reboot",
	Why:    "A newer kernel is installed but not booted. What is diagnosed now may be different after the next boot; headers are often there only for the newer kernel.",
	Looks:  "grubby --default-kernel, else the boot loader's default entry, else the newest /boot/vmlinuz; /run/reboot-required",
	Source: "guest-catalogue K2, K4",
	Eval:   evalRebootPending,
})

func evalRebootPending(f *facts.Facts) finding.Verdict {
	k, err := f.Guest.Kernel.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	if (k.Default == "" || k.Default == k.Running) && !k.RebootRequired {
		return finding.Passf("kernel %s runs and boots next", k.Running)
	}
	if k.Default == "" || k.Default == k.Running {
		return adviseRestart(finding.Warnf("the guest asks for a reboot after an update").ByHand(), f, "restart it")
	}
	v := finding.Warnf("kernel %s runs, %s boots next (%s)", k.Running, k.Default, k.DefaultFrom).ByHand()
	if helps, err := rebootHelps(f, k); err == nil && helps {
		v = finding.Failf("kernel %s runs, but the headers are there only for %s, which boots next", k.Running, k.Default)
	}
	return adviseRestart(v.Diff(k.Default, k.Running), f, "restart it")
}

// rebootHelps: modules must be built, and only the next kernel can build them.
func rebootHelps(f *facts.Facts, k facts.Kernel) (bool, error) {
	needed, err := assess.BuildNeeded(f)
	return needed && !assess.HasHeaders(assess.Tree(k, k.Running)) && assess.HasHeaders(assess.Tree(k, k.Default)), err
}

var _ = register(Check{
	ID: "kernel.next_boot", Title: "Modules are built for the kernel that boots next", Target: OnGuest, Severity: finding.Major,
	Rows: []string{"K3"}, Needs: with(facts.KeyPackages, facts.KeyResolve, facts.KeyGALog), After: []string{reachable}, VirtualBoxOnly: true, Fix: "additions.next_kernel",
	CausedBy: []string{develMissing, kernelPair, "additions.installed", "additions.version"},
	Why: "Shares work now and fail after the next `vagrant reload`: the modules are built for the running kernel but not for the one that boots next. " +
		"Oracle's own rebuild hook works only on Debian derivatives: elsewhere it runs before the headers are installed.",
	Looks: "misc/vboxguest.ko and misc/vboxsf.ko below /lib/modules/KERNEL of every installed kernel, its build link, what the repositories offer, " +
		"and the matrix of Guest Additions and kernels",
	Source: "guest-catalogue K3 (VAG #7937)",
	Eval:   evalNextBoot,
})

func evalNextBoot(f *facts.Facts) finding.Verdict {
	k, err := f.Guest.Kernel.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	ga, err := f.Guest.Additions.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	if !assess.Oracle(ga) {
		return finding.Skipf("no Guest Additions of Oracle are installed")
	}
	others := otherKernels(f, k)
	if k.Default == "" || k.Default == k.Running {
		return finding.Passf("the running kernel boots next%s", others)
	}
	if assess.OracleModules(assess.Tree(k, k.Default)) {
		return finding.Passf("modules are there for %s%s", k.Default, others)
	}
	return unbuilt(f, k, assess.NextBootOf(f, k.Default), others)
}

// otherKernels says for each further installed kernel whether shares would work when it is chosen at boot.
func otherKernels(f *facts.Facts, k facts.Kernel) string {
	out := ""
	for _, release := range k.BootImages {
		if release != k.Running && release != k.Default {
			out += "; " + release + ": " + assess.NextBootOf(f, release).String()
		}
	}
	return out
}

// unbuilt: what the next boot lacks decides what to do before it.
func unbuilt(f *facts.Facts, k facts.Kernel, next assess.NextBoot, others string) finding.Verdict {
	v := finding.Warnf("no Guest Additions modules for %s, which boots next: shares will fail after a reboot. Its state: %s%s", k.Default, next, others)
	if next.State == assess.NextShadowed {
		v = finding.Warnf("for %s, which boots next, there are only the kernel's own modules and not those of the installed Guest Additions%s", k.Default, others)
	}
	v = v.Diff("/lib/modules/"+k.Default+"/misc/vboxguest.ko", "nothing")
	switch next.State {
	case assess.NextBreaks:
		return v.Advise("stay with the kernel that runs until Guest Additions know the new one", bootInto(k.Running))
	case assess.NextNoHeaders:
		return v.Advise("install its headers first", installCommand(f, next.Devel)).
			Advise("then build the modules, without a reboot", "sudo /sbin/rcvboxadd quicksetup "+k.Default)
	}
	return v.Advise("build them now, without a reboot", "sudo /sbin/rcvboxadd quicksetup "+k.Default)
}

// bootInto makes a kernel the default boot entry by hand, where grubby is.
func bootInto(release string) string { return "sudo grubby --set-default /boot/vmlinuz-" + release }

func with(more ...facts.Key) []facts.Key {
	return append(append([]facts.Key{}, buildNeeds...), more...)
}
