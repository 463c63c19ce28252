package checks

import (
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
)

var _ = register(Check{
	ID: "mount.fstab", Title: "Vagrant's lines in /etc/fstab do no harm", Target: OnGuest, Severity: finding.Major,
	Rows: []string{"V22", "V23"}, Needs: []facts.Key{facts.KeyMounts, facts.KeyModules, facts.KeyAdditions}, After: []string{reachable}, VirtualBoxOnly: true, Fix: "mount.fstab",
	Why: "Vagrant since 2.2.10 writes the shares into /etc/fstab, between #VAGRANT-BEGIN and #VAGRANT-END. When vboxsf does not work, or a line names a share that is gone, " +
		"the boot waits for it or ends in emergency mode. Without its end the block swallows the rest of the file when Vagrant renews it. On an immutable system Vagrant " +
		"fails instead: `/etc/fstab: Read-only file system`.",
	Looks:  "/etc/fstab: the block, its vboxsf lines against the VM's shares and the state of vboxsf; whether /etc can be written",
	Source: "guest-catalogue V22 (Vagrant #12171), V23 (Vagrant #13688)",
	Eval:   evalFSTab,
})

// noFSTab is what keeps Vagrant out of fstab.
const noFSTab = "keep Vagrant out of /etc/fstab, in the Vagrantfile: config.vm.allow_fstab_modification = false"

func evalFSTab(f *facts.Facts) finding.Verdict {
	m, err := f.Guest.Mounts.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	block := assess.FSTabBlock(m.FSTabFile.Content)
	gone := assess.GoneLines(f, m)
	switch {
	case block.Open:
		return finding.Failf("the block of Vagrant in /etc/fstab has no end: when Vagrant renews it, every line after #VAGRANT-BEGIN is deleted").
			Diff("#VAGRANT-BEGIN … #VAGRANT-END", "#VAGRANT-BEGIN without an end").Advise(noFSTab, "")
	case len(gone) > 0:
		return finding.Failf("/etc/fstab names shares that the VM does not define any more: %s", strings.Join(gone, ", ")).
			Diff("lines of defined shares", strings.Join(gone, ", ")).Advise(noFSTab, "")
	case m.EtcReadOnly && len(assess.WantedMounts(f, m)) > 0 && len(m.FSTab) == 0:
		return finding.Warnf("/etc/fstab cannot be written here, and Vagrant wants to: `/etc/fstab: Read-only file system` ends vagrant up").ByHand().Advise(noFSTab, "")
	case len(m.FSTab) == 0:
		return finding.Passf("no vboxsf line in /etc/fstab")
	}
	return waits(f, m)
}

// waits: a line that must be mounted stops the boot as long as vboxsf does not work.
func waits(f *facts.Facts, m facts.Mounts) finding.Verdict {
	mods, err := f.Guest.Modules.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	works := mods.SF.Loaded || mods.FSRegistered || len(m.VBoxSF) > 0
	for _, l := range m.FSTab {
		if works || slices.ContainsFunc(l.Options, func(o string) bool { return o == "noauto" || o == "nofail" || o == "_netdev" }) {
			continue
		}
		return finding.Warnf("vboxsf does not work, and /etc/fstab mounts %s at boot: the boot waits for it or ends in emergency mode", l.Target).ByHand().
			Diff("_netdev or noauto", strings.Join(l.Options, ",")).Advise("repair vboxsf first (boxdoctor fix), or take the line out", "sudo sed -n '/vboxsf/p' /etc/fstab").Advise(noFSTab, "")
	}
	return finding.Passf("%d lines", len(m.FSTab))
}
