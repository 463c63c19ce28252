package checks

import (
	"fmt"

	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

// kernelPair is the id of the check that knows which Guest Additions do not build on which kernel.
const kernelPair = "additions.kernel"

var _ = register(Check{
	ID: kernelPair, Title: "These Guest Additions build on this kernel", Target: OnGuest, Severity: finding.Critical,
	Rows:  []string{"1.7.1", "1.7.2", "1.7.3", "1.7.4", "1.7.5", "1.7.6", "1.7.7", "1.7.8", "1.7.9", "1.7.10", "1.7.11", "1.7.12", "1.7.13", "1.7.14"},
	Needs: with(facts.KeyGALog, facts.KeyResolve), After: []string{reachable}, VirtualBoxOnly: true, Fix: "kernel.fitting",
	Why: "A kernel can be too new for Guest Additions, and RHEL breaks them by backports inside one kernel version. When vboxguest does not " +
		"compile nothing works, without vboxsf no share can be mounted; vboxvideo alone costs only the graphics.",
	Looks: "modules on the disk, then the matrix of known pairs (boxdoctor's ga_kernel.yaml, by uname -r), then the compiler's words in the log of the last attempt " +
		"(in this order, before any build)",
	Source: "guest-catalogue 1.7",
	Eval:   evalKernelPair,
})

func evalKernelPair(f *facts.Facts) finding.Verdict {
	k, err := f.Guest.Kernel.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	if _, err := f.Guest.Modules.Get(); err != nil {
		return finding.Cannot(err)
	}
	v, err := assess.WantedVersion(f)
	if err != nil {
		return finding.Cannot(err)
	}
	switch b := assess.BuildOf(f, v, k.Running); b.State {
	case assess.Builds:
		return finding.Passf("Guest Additions %s build on %s: %s", v.Number, k.Running, b.From)
	case assess.NoGraphics:
		return finding.Warnf("the graphics module vboxvideo of Guest Additions %s does not compile on %s: %s (%s). Shared folders do not need it",
			v.Number, k.Running, b.Says, b.From).ByHand()
	case assess.Breaks:
		return pairBreaks(f, v, k.Running, b)
	}
	return finding.Passf("nothing is known against Guest Additions %s on %s", v.Number, k.Running)
}

// pairBreaks: the guest's own older additions may work all the same; then this is a reason to leave them.
func pairBreaks(f *facts.Facts, v version.VBox, kernel string, b assess.Build) finding.Verdict {
	needed, err := assess.BuildNeeded(f)
	if err != nil {
		return finding.Cannot(err)
	}
	if !needed {
		return finding.Warnf("Guest Additions %s would not build on %s: %s of %s (%s). Those that are installed work: leave them", v.Number, kernel, b.Module, b.Says, b.From).ByHand()
	}
	out := finding.Failf("Guest Additions %s do not build on kernel %s: %s: %s (%s)", v.Number, kernel, b.Module, b.Says, b.From).
		Diff("a pair of Guest Additions and kernel that builds", v.Number+" on "+kernel)
	if b.Likely {
		out = out.Likely("it follows from reports about other versions")
	}
	return adviseWays(out, f, v, kernel, b)
}

// adviseWays names every way out with its price, the one that changes least first.
func adviseWays(out finding.Verdict, f *facts.Facts, v version.VBox, kernel string, b assess.Build) finding.Verdict {
	other, newer := assess.OtherVersion(f, b, kernel)
	if newer {
		out = out.Advise(fmt.Sprintf("Guest Additions %s are said to build on this kernel; price: they are newer than VirtualBox %s, which Vagrant notes and which is usually harmless. "+
			"Get the image https://download.virtualbox.org/virtualbox/%s/VBoxGuestAdditions_%s.iso and give it to boxdoctor fix with --iso", other.Number, v.Number, other.Number, other.Number), "")
	}
	old, ob, older := assess.OtherKernel(f, v)
	if older {
		known := "nothing is known against it"
		if ob.State == assess.Builds {
			known = "it is known to build"
		}
		out = out.Advise(fmt.Sprintf("or boot the installed kernel %s (%s); price: a restart, and the fixes of %s are not in use until Guest Additions know it", old, known, kernel), "")
	}
	if !newer && !older {
		out = out.ByHand().Advise("no way is known to boxdoctor: install an older kernel with its kernel-devel, wait for newer Guest Additions, or use a synced folder of type rsync, nfs or smb", "")
	}
	return out
}
