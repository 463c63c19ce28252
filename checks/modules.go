package checks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

var _ = register(Check{
	ID: "modules.built", Title: "vboxguest and vboxsf are built for the running kernel", Target: OnGuest, Severity: finding.Critical,
	Rows: []string{"K3", "K10", "V2", "M6"}, Needs: buildNeeds, After: []string{reachable, "additions.installed"}, VirtualBoxOnly: true,
	CausedBy: append([]string{"kernel.reboot_pending"}, blockers...), Fix: "additions.rebuild",
	Why:    "`/sbin/mount.vboxsf: mounting failed with the error: No such device` means: the helper is there, the module is not.",
	Looks:  "vboxguest.ko and vboxsf.ko (also .gz, .xz, .zst) below /lib/modules/$(uname -r)",
	Source: "guest-catalogue V2, K3",
	Eval:   evalBuilt,
})

func evalBuilt(f *facts.Facts) finding.Verdict {
	tree, err := assess.RunningTree(f)
	if err != nil {
		return finding.Cannot(err)
	}
	_, guest := assess.HasModule(tree, "vboxguest")
	_, sf := assess.HasModule(tree, "vboxsf")
	if guest && sf {
		return finding.Passf("built for %s", tree.Release)
	}
	if needed, err := assess.BuildNeeded(f); err == nil && !needed {
		return finding.Passf("loaded from elsewhere")
	}
	missing := "vboxguest and vboxsf are"
	if guest {
		missing = "vboxsf is"
	}
	return finding.Failf("%s not built for the running kernel %s", missing, tree.Release).
		Diff("/lib/modules/"+tree.Release+"/misc/vboxguest.ko and vboxsf.ko", found(tree))
}

func found(t facts.KernelTree) string {
	if all := append(slices.Clone(t.Misc), t.InTree...); len(all) > 0 {
		return strings.Join(all, ", ")
	}
	return "neither"
}

var _ = register(Check{
	ID: "modules.origin", Title: "The modules that load are those of the installed Guest Additions", Target: OnGuest, Severity: finding.Major,
	Rows: []string{"S15", "V10", "V15"}, Needs: with(), After: []string{reachable, "additions.installed"}, VirtualBoxOnly: true,
	CausedBy: append([]string{"modules.built"}, blockers...), Fix: "additions.rebuild",
	Why:    "The kernel's own vboxguest satisfies the installer's test, so it exits 0 although nothing of Oracle's was built; mount helper and module then do not fit together.",
	Looks:  "modinfo -n vboxguest and vboxsf: Oracle's lie below misc/, any other folder is the kernel's or the distribution's",
	Source: "guest-catalogue S15, 2.2, 2.4",
	Eval:   evalOrigin,
})

func evalOrigin(f *facts.Facts) finding.Verdict {
	ga, err := f.Guest.Additions.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	if !assess.Oracle(ga) {
		return finding.Passf("no Guest Additions of Oracle; the kernel's own modules are meant")
	}
	m, err := f.Guest.Modules.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	foreign := assess.Shadowing(f)
	switch {
	case m.Guest.File == "" && m.SF.File == "":
		return finding.Skipf("modinfo finds no module at all; modules.built judges that")
	case len(foreign) == 0:
		return finding.Passf("Oracle's modules would load")
	}
	return finding.Failf("Oracle's Guest Additions are installed, but the kernel's own modules would load").
		Diff("files below misc/", strings.Join(foreign, ", "))
}

var _ = register(Check{
	ID: "modules.loaded", Title: "vboxguest and vboxsf are loaded", Target: OnGuest, Severity: finding.Critical,
	Rows: []string{"M7", "M8", "V2"}, Needs: with(), After: []string{reachable, "additions.installed"}, VirtualBoxOnly: true,
	CausedBy: append([]string{"modules.device", "modules.built", "secureboot.modules", "secureboot.unsupported_modules", "additions.installed", "kernel.reboot_pending"}, blockers...),
	Fix:      "modules.load",
	Why:      "Only a loaded vboxsf can mount a share: `mount: unknown filesystem type 'vboxsf'` or `No such device` otherwise.",
	Looks:    "/sys/module/vboxguest, /sys/module/vboxsf and /proc/filesystems",
	Source:   "guest-catalogue M7, M8",
	Eval:     evalLoaded,
})

func evalLoaded(f *facts.Facts) finding.Verdict {
	m, err := f.Guest.Modules.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	if m.Guest.Loaded && (m.SF.Loaded || m.FSRegistered) {
		return finding.Passf("loaded")
	}
	missing := "vboxguest and vboxsf are"
	switch {
	case m.Guest.Loaded:
		missing = "vboxsf is"
	case m.SF.Loaded:
		missing = "vboxguest is"
	}
	return finding.Failf("%s not loaded", missing).Diff("both in /sys/module", fmt.Sprintf("vboxguest %s, vboxsf %s", inMemory(m.Guest), inMemory(m.SF))).
		Advise("load them in the guest", "sudo modprobe vboxguest && sudo modprobe vboxsf")
}

func inMemory(m facts.Module) string {
	if m.Loaded {
		return "loaded"
	}
	return "not loaded"
}

var _ = register(Check{
	ID: "modules.version", Title: "The running modules are those of the installed Guest Additions", Target: OnGuest, Severity: finding.Major,
	Rows: []string{"M4", "M5", "S14"}, Needs: with(), After: []string{reachable, "additions.installed"}, VirtualBoxOnly: true,
	CausedBy: append([]string{"modules.built", "modules.loaded"}, blockers...), Fix: "modules.reload",
	Why:    "After an update the old modules stay in memory until a reload or a reboot; user-land of one version on a module of another misbehaves.",
	Looks:  "/sys/module/vboxguest/version and vboxsf/version against VBoxControl --version: version and revision",
	Source: "guest-catalogue M4, M5, S14; Oracle's own rule in 2.5",
	Eval:   evalRunning,
})

func evalRunning(f *facts.Facts) finding.Verdict {
	m, err := f.Guest.Modules.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	ga, err := f.Guest.Additions.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	if m.Guest.Running == "" || ga.Control == "" {
		return finding.Skipf("no version to compare (the module in memory has none, or VBoxControl does not answer)")
	}
	userland, err := version.ParseVBox(ga.Control)
	if err != nil {
		return finding.Cannot(err)
	}
	for _, loaded := range [][2]string{{"vboxguest", m.Guest.Running}, {"vboxsf", m.SF.Running}} {
		name, text := loaded[0], loaded[1]
		if text == "" {
			continue
		}
		running, err := version.ParseVBox(text)
		if err != nil {
			return finding.Cannot(err)
		}
		if same, known := running.SameBuild(userland); known && !same {
			return finding.Failf("%s in memory is %s, the installed Guest Additions are %s%s", name, text, ga.Control, heldBy(m)).Diff(ga.Control, text).
				Advise("reload the modules in the guest", "sudo /sbin/rcvboxadd reload   # or restart it: "+restart(f))
		}
	}
	return finding.Passf("%s", m.Guest.Running)
}

// heldBy names what keeps old modules in memory (row M4): a reload fails as long as it does.
func heldBy(m facts.Modules) string {
	holders := assess.Holders(m)
	if len(holders) == 0 {
		return ""
	}
	return ". They stay as long as they are in use: " + strings.Join(holders, ", ")
}

var _ = register(Check{
	ID: "modules.device", Title: "The VirtualBox device is there", Target: OnGuest, Severity: finding.Critical,
	Rows: []string{"2.7"}, Needs: []facts.Key{facts.KeySystem}, After: []string{reachable}, VirtualBoxOnly: true,
	Why:    "vboxguest binds to a PCI device that VirtualBox gives to its VMs. Without it (another hypervisor, a container) no share can ever be mounted.",
	Looks:  "/sys/bus/pci/devices: vendor 80ee, device cafe",
	Source: "guest-catalogue 2.7 (`Cannot locate the VirtualBox device`)",
	Eval:   evalDevice,
})

func evalDevice(f *facts.Facts) finding.Verdict {
	sys, err := f.Guest.System.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	if sys.PCIDevice {
		return finding.Passf("80ee:cafe")
	}
	got := "none; DMI names no product"
	if sys.Product != "" {
		got = "none; DMI says " + sys.Product
	}
	return finding.Failf("this machine has no VirtualBox device, so vboxguest cannot bind and nothing can be mounted").
		Diff("PCI device 80ee:cafe", got).Advise("run the guest in VirtualBox", "")
}
