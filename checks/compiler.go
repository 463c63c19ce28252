package checks

import (
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

var _ = register(Check{
	ID: "tools.kernel_compiler", Title: "The compiler fits the one that built the kernel", Target: OnGuest, Severity: finding.Major,
	Rows: []string{"T5", "K6"}, Needs: toolNeeds, After: []string{reachable}, VirtualBoxOnly: true, Fix: "tools.kernel_compiler",
	CausedBy: []string{"tools.compiler"},
	Why: "Oracle's UEK and Ubuntu's HWE kernels are built with a newer gcc than the release's own: their makefiles pass options that an older gcc does not " +
		"know (`unrecognized command-line option`). A kernel built by clang needs clang and its linker. The Guest Additions use the compiler that stands first in PATH.",
	Looks:  "CONFIG_CC_VERSION_TEXT of the running kernel against gcc --version; /usr/bin/gcc-N, /opt/rh/gcc-toolset-N, clang, ld.lld",
	Source: "guest-catalogue T5, K6 (UEK7 on OL8: gcc-toolset-11, UEK8 on OL9: gcc-toolset-14)",
	Eval:   evalKernelCompiler,
})

func evalKernelCompiler(f *facts.Facts) finding.Verdict {
	c, err := assess.CompilerOf(f)
	if err != nil {
		return finding.Cannot(err)
	}
	switch {
	case c.Kernel == "":
		return finding.Passf("this kernel's configuration does not say what built it")
	case c.Use == "":
		return finding.Passf("%s", c.Kernel)
	case c.There:
		return finding.Passf("%s is installed and will be used", c.Use)
	}
	if needed, err := assess.BuildNeeded(f); err != nil || !needed {
		return notNeeded(err, c.Use)
	}
	v := finding.Failf("the kernel was built with %q, and the guest has an older compiler only", c.Kernel).
		Diff(c.Use, f.Guest.Tools.Or(facts.Tools{}).GCCVersion).Likely("not every kernel uses what an older compiler lacks")
	if len(c.Packages) == 0 {
		return v.ByHand().Advise("no package with this compiler is known for this distribution: bring its gcc up to date", "")
	}
	return v.Advise("by hand in the guest", installCommand(f, strings.Join(c.Packages, " ")))
}

var _ = register(Check{
	ID: "tools.plugins", Title: "The headers of gcc's plugins are installed where the kernel needs them", Target: OnGuest, Severity: finding.Minor,
	Rows: []string{"T6"}, Needs: with(facts.KeyTools, facts.KeyGALog), After: []string{reachable}, VirtualBoxOnly: true, Fix: "tools.kernel_compiler",
	CausedBy: []string{"tools.compiler"},
	Why:      "Hardened kernels compile plugins into gcc before anything else: `fatal error: bversion.h: No such file or directory` without the headers for them.",
	Looks:    "CONFIG_GCC_PLUGIN_* in the running kernel's configuration, gcc-plugin.h of the guest's gcc, and the last build's log",
	Source:   "guest-catalogue T6",
	Eval:     evalPlugins,
})

func evalPlugins(f *facts.Facts) finding.Verdict {
	t, err := f.Guest.Tools.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	needed, err := assess.BuildNeeded(f)
	if err != nil {
		return finding.Cannot(err)
	}
	log := f.Guest.GALog.Or(facts.GALog{}).Text
	asked := strings.Contains(log, "bversion.h") || strings.Contains(log, "gcc-plugin.h")
	switch {
	case t.PluginHeaders || (!t.NeedsPlugins && !asked):
		return finding.Passf("installed, or not needed by this kernel")
	case !needed:
		return notNeeded(nil, "headers of gcc's plugins")
	}
	v := finding.Warnf("this kernel was built with gcc plugins, and their headers are missing").Likely("a build may do without them")
	if asked {
		v = finding.Failf("the last build stopped for want of the headers of gcc's plugins").Diff("gcc-plugin.h", "nothing")
	}
	if p := assess.PluginPackage(f); p != "" {
		return v.Advise("by hand in the guest", installCommand(f, p))
	}
	return v.ByHand()
}

// The version of VirtualBox whose virtual CPU lost what EL10 is compiled for.
const withoutV3 = "7.2.8"

var _ = register(Check{
	ID: "guest.cpu_level", Title: "VirtualBox gives the guest a CPU that its programs can run on", Target: OnGuest, Severity: finding.Critical,
	Rows: []string{"M11"}, Needs: []facts.Key{facts.KeySystem},
	Why: "VirtualBox 7.2.8 hides x86-64-v3 from its guests. EL10 and its kin are compiled for it: they stop at boot with `Fatal glibc error: CPU does not " +
		"support x86-64-v3`, and SSH never answers.",
	Looks:  "the version of VirtualBox, and whether the guest answers",
	Source: "guest-catalogue M11 (VB #642)",
	Eval:   evalCPULevel,
})

func evalCPULevel(f *facts.Facts) finding.Verdict {
	r, err := f.Guest.Reach.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	host, err := version.ParseVBox(f.Host.VBoxManage.Or(facts.VBoxManage{}).Version)
	switch {
	case r.OK:
		return finding.Passf("the guest runs")
	case err != nil:
		return finding.Skipf("the guest does not answer, and the version of VirtualBox is not known here")
	case host.Number != withoutV3:
		return finding.Skipf("the guest does not answer; VirtualBox %s is not known to withhold a CPU feature", host.Number)
	case f.Host.VM.Or(facts.VM{}).State != "running":
		return finding.Skipf("the VM does not run")
	}
	return finding.Warnf("the VM runs on VirtualBox %s and does not answer", withoutV3).
		Likely("only EL10-class guests, which are compiled for x86-64-v3, stop for this reason").
		Advise("look at the VM's screen for `CPU does not support x86-64-v3`", "VBoxManage controlvm VM screenshotpng screen.png").
		Advise("if it is there: upgrade VirtualBox to 7.2.10 or later, or go back to 7.2.6", "")
}
