package checks

import (
	"fmt"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/packages"
)

var lockNeeds = with(facts.KeyLocks, facts.KeyResolve, facts.KeyPackages)

var _ = register(Check{
	ID: "locks.versionlock", Title: "No version lock blocks what is needed", Target: OnGuest, Severity: finding.Critical,
	Rows: []string{"L1", "L2", "L3", "L4"}, Needs: lockNeeds, After: []string{reachable}, VirtualBoxOnly: true, Fix: "kernel.devel",
	CausedBy: []string{"locks.interrupted"},
	Why: "A versionlock entry hides every other version of a package: the install says that nothing matches although `info` and " +
		"`list` show the package, because locks are not applied to those. It is the hidden root of many failed Guest Additions builds.",
	Looks:  "/etc/yum/pluginconf.d/versionlock.{conf,list}, /etc/dnf/plugins/versionlock.{conf,list}, /etc/dnf/versionlock.toml",
	Source: "guest-catalogue L1-L4",
	Eval:   lockEval(facts.LockYum, facts.LockDNF, facts.LockDNF5),
})

var _ = register(Check{
	ID: "locks.exclude", Title: "No exclude hides what is needed", Target: OnGuest, Severity: finding.Critical,
	Rows: []string{"L5"}, Needs: lockNeeds, After: []string{reachable}, VirtualBoxOnly: true, Fix: "kernel.devel",
	Why:    "exclude=kernel* in yum.conf, dnf.conf or a .repo file hides the packages that a module build needs.",
	Looks:  "exclude and excludepkgs lines of /etc/yum.conf, /etc/dnf/dnf.conf and /etc/yum.repos.d/*.repo",
	Source: "guest-catalogue L5",
	Eval:   lockEval(facts.LockExcl),
})

var _ = register(Check{
	ID: "locks.hold", Title: "No hold blocks what is needed", Target: OnGuest, Severity: finding.Critical,
	Rows: []string{"L6", "L7", "L8"}, Needs: lockNeeds, After: []string{reachable}, VirtualBoxOnly: true, Fix: "kernel.devel",
	Why:    "A held (apt), locked (zypper) or ignored (pacman) package keeps the headers of the running kernel from being installed.",
	Looks:  "apt-mark showhold, /etc/zypp/locks, IgnorePkg in /etc/pacman.conf",
	Source: "guest-catalogue L6-L8",
	Eval:   lockEval(facts.LockApt, facts.LockZypper, facts.LockPacman),
})

// lockEval judges locks of some kinds: they fail only when they block a package that is needed now.
func lockEval(kinds ...string) func(*facts.Facts) finding.Verdict {
	return func(f *facts.Facts) finding.Verdict {
		locks, err := f.Guest.Locks.Get()
		if err != nil {
			return finding.Cannot(err)
		}
		entries := ofKinds(locks.Entries, kinds)
		if len(entries) == 0 {
			return finding.Passf("none")
		}
		needed, err := assess.NeededPackages(f)
		if err != nil {
			return finding.Cannot(err)
		}
		for _, p := range needed {
			if blocking := ofKinds(assess.Blocking(f, p), kinds); len(blocking) > 0 {
				return lockVerdict(f, p, blocking)
			}
		}
		if !assess.TargetKnown(f) {
			return unsureLocks(f, kinds, len(entries))
		}
		return finding.Passf("%d entries, none of them blocks anything that is needed now", len(entries))
	}
}

// unsureLocks: what could be installed is not known, so a lock on the kernel's packages may be the very cause.
func unsureLocks(f *facts.Facts, kinds []string, entries int) finding.Verdict {
	family, devel := assess.KernelLocks(f)
	if devel = ofKinds(devel, kinds); len(devel) > 0 {
		return lockVerdict(f, runningDevel(f), devel)
	}
	if family = ofKinds(family, kinds); len(family) == 0 {
		return finding.Passf("%d entries, none of them about the kernel", entries)
	}
	return finding.Cannot(fmt.Errorf("%w: %d entries about the kernel's packages are there, and what the repositories offer is not known%s, so it is not known "+
		"whether they block what is needed", facts.ErrNotCollected, len(family), whyNotResolved(f))).
		Diff("no lock on the kernel's packages", lockTexts(family))
}

func runningDevel(f *facts.Facts) string {
	n, err := assess.NamesFor(f, f.Guest.Kernel.Or(facts.Kernel{}).Running)
	if err != nil {
		return "kernel-devel"
	}
	return n.Devel
}

func whyNotResolved(f *facts.Facts) string {
	res, err := f.Guest.Resolve.Get()
	switch {
	case err != nil:
		return " (" + strings.TrimPrefix(err.Error(), facts.ErrNotCollected.Error()+": ") + ")"
	case res.Text != "":
		return " (" + oneLine(res.Text) + ")"
	}
	return ""
}

func lockTexts(ls []facts.Lock) string {
	var texts []string
	for _, l := range ls {
		texts = append(texts, assess.LockText(l))
	}
	return strings.Join(texts, "; ")
}

func ofKinds(in []facts.Lock, kinds []string) []facts.Lock {
	var out []facts.Lock
	for _, l := range in {
		for _, k := range kinds {
			if l.Kind == k {
				out = append(out, l)
			}
		}
	}
	return out
}

func lockVerdict(f *facts.Facts, pkg string, blocking []facts.Lock) finding.Verdict {
	if blocking[0].Kind == facts.LockPacman {
		// pacman leaves it out of upgrades only: named on the command line it is asked about, and --noconfirm says yes
		v := finding.Warnf("upgrades leave %s out (IgnorePkg); named, it can be installed", pkg).Diff("no IgnorePkg for "+pkg, lockTexts(blocking))
		return adviseUnlock(v, f, pkg, blocking[0])
	}
	v := finding.Failf("%s cannot be installed: %s", pkg, lockWords(blocking[0].Kind, len(blocking))).
		Diff("no lock on "+assess.PackageName(pkg), lockTexts(blocking))
	return adviseUnlock(v, f, pkg, blocking[0])
}

// adviseUnlock says both steps: the lock comes off, and what is then installed. Two kinds do both in one.
func adviseUnlock(v finding.Verdict, f *facts.Facts, pkg string, l facts.Lock) finding.Verdict {
	v = v.Advise("by hand in the guest", unlockCommand(f.Guest.System.Or(facts.System{}).Manager, l, pkg))
	if l.Kind == facts.LockExcl || l.Kind == facts.LockPacman {
		return v
	}
	targets := assess.TargetPackages(f)
	if len(targets) == 0 && !assess.TargetKnown(f) {
		return v.Advise("then see what the repositories offer and install it, and lock again", listCommand(f, pkg))
	}
	if len(targets) == 0 {
		targets = []string{pkg}
	}
	return v.Advise("then install, and lock again", installCommand(f, strings.Join(targets, " ")))
}

func lockWords(kind string, n int) string {
	what := map[string]string{
		facts.LockYum: "yum's versionlock pins another version", facts.LockDNF: "dnf's versionlock pins another version",
		facts.LockDNF5: "dnf5's versionlock pins another version", facts.LockExcl: "an exclude hides it",
		facts.LockApt: "it is on hold", facts.LockZypper: "zypper has it locked",
	}[kind]
	if n > 1 {
		what += fmt.Sprintf(" (%d entries)", n)
	}
	return what
}

// unlockCommand is what a person types.
func unlockCommand(manager string, l facts.Lock, pkg string) string {
	m, _ := packages.Of(manager)
	return m.Unlock(l, assess.PackageName(pkg), pkg)
}

var _ = register(Check{
	ID: "locks.interrupted", Title: "No earlier repair left locks open", Target: OnGuest, Severity: finding.Major,
	Needs: []facts.Key{facts.KeyLocks}, After: []string{reachable}, Fix: "locks.restore",
	Why:    "boxdoctor takes locks off for one package transaction and restores them on every way out. After a power cut in the middle the originals are still in the guest; they must go back first.",
	Looks:  "/var/lib/boxdoctor/pending",
	Source: "issue 1 (locks restored on every exit path)",
	Eval:   evalInterrupted,
})

func evalInterrupted(f *facts.Facts) finding.Verdict {
	l, err := f.Guest.Locks.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	if l.Pending == "" {
		return finding.Passf("none")
	}
	return finding.Failf("an earlier package transaction was cut off before it restored the locks").
		Diff("no folder in /var/lib/boxdoctor/pending", l.Pending)
}
