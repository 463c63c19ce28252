package checks

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

// blockers are what keeps an installation of Guest Additions from working, nearest first.
var blockers = []string{"kernel.tree_missing", develMissing, "tools.compiler", "tools.archive", "tools.libelf", "space.free", "space.inodes", "clock.skew"}

var _ = register(Check{
	ID: "additions.installed", Title: "Guest Additions are installed", Target: OnGuest, Severity: finding.Critical,
	Rows: []string{"V1", "V25", "S13"}, Needs: with(facts.KeyPackages), After: []string{reachable}, VirtualBoxOnly: true,
	CausedBy: blockers, Fix: "additions.install",
	Why:    "Without Guest Additions the guest does not know the file system vboxsf: `mount: unknown filesystem type 'vboxsf'`. Some official boxes ship without them.",
	Looks:  "/var/lib/VBoxGuestAdditions/config, /opt/VBoxGuestAdditions-*, VBoxControl and VBoxService, packages virtualbox-guest*",
	Source: "guest-catalogue V1, V25, S13",
	Eval:   evalInstalled,
})

func evalInstalled(f *facts.Facts) finding.Verdict {
	v, err := assess.InstalledVersion(f)
	switch {
	case err == nil:
		return finding.Passf("Guest Additions %s", v.Number)
	case !errors.Is(err, assess.ErrNoAdditions):
		return finding.Cannot(err)
	}
	needed, err := assess.BuildNeeded(f)
	if err != nil {
		return finding.Cannot(err)
	}
	if !needed {
		return finding.Passf("the kernel's own modules are loaded; no Guest Additions of Oracle")
	}
	return finding.Failf("no Guest Additions are installed").Diff(hostText(f), "none")
}

func hostText(f *facts.Facts) string {
	host, _, err := assess.HostVersion(f)
	if err != nil {
		return "Guest Additions of the host's VirtualBox"
	}
	return "Guest Additions " + host.Number
}

var _ = register(Check{
	ID: "additions.version", Title: "Guest Additions match the host's VirtualBox", Target: OnGuest, Severity: finding.Major,
	Rows: []string{"H3", "S5"}, Needs: buildNeeds, After: []string{reachable, "additions.installed"}, VirtualBoxOnly: true,
	CausedBy: blockers, Fix: "additions.install",
	Why: "After an upgrade of VirtualBox on the host, older Guest Additions often fail to mount shares. Vagrant compares major.minor only " +
		"and prints a note; the patch level is compared here too, as a warning.",
	Looks:  "VBoxManage --version (else --vbox-version, else VBoxControl in the guest) against INSTALL_VER, VBoxControl and VBoxService",
	Source: "guest-catalogue 2.5, 3.1, H3",
	Eval:   evalVersion,
})

func evalVersion(f *facts.Facts) finding.Verdict {
	ga, err := assess.InstalledVersion(f)
	if errors.Is(err, assess.ErrNoAdditions) {
		return finding.Skipf("the modules are the kernel's own; they have no version to compare")
	}
	if err != nil {
		return finding.Cannot(err)
	}
	host, from, err := assess.HostVersion(f)
	if err != nil {
		return finding.Cannot(err)
	}
	order := ga.Compare(host)
	switch {
	case order == 0:
		return finding.Passf("Guest Additions %s on VirtualBox %s", ga.Number, host.Number)
	case order > 0:
		return finding.Warnf("Guest Additions %s are newer than VirtualBox %s (%s)", ga.Number, host.Number, from).ByHand().Diff(host.Number, ga.Number).
			Advise("usually harmless; to go down to the host's version all the same", "boxdoctor fix --only additions.install --allow-downgrade")
	case ga.SameSeries(host):
		return finding.Warnf("Guest Additions %s are older than VirtualBox %s (%s), of the same series", ga.Number, host.Number, from).Diff(host.Number, ga.Number)
	}
	return finding.Failf("Guest Additions %s differ from VirtualBox %s (%s)", ga.Number, host.Number, from).Diff(host.Number, ga.Number)
}

var _ = register(Check{
	ID: "additions.distro_packages", Title: "Guest Additions come from one source", Target: OnGuest, Severity: finding.Major,
	Rows: []string{"S1", "S4", "V15"}, Needs: with(facts.KeyPackages), After: []string{reachable}, VirtualBoxOnly: true, Fix: "additions.remove_packages",
	Why:    "The distribution's virtualbox-guest packages and Oracle's installer overwrite each other's files. The installer asks `Do you wish to continue? [yes or no]` and, with nobody to answer, cancels with exit status 1.",
	Looks:  "installed packages virtualbox-guest*, dkms status, /opt/VBoxGuestAdditions-*",
	Source: "guest-catalogue S1, S4, V15",
	Eval:   evalDistroPackages,
})

func evalDistroPackages(f *facts.Facts) finding.Verdict {
	p, err := f.Guest.Packages.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	ga, err := f.Guest.Additions.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	pk := assess.DistroPackages(f)
	switch {
	case len(pk) == 0 && len(p.DKMS) > 0 && assess.Oracle(ga):
		return finding.Warnf("DKMS builds vbox modules beside Oracle's: %s", strings.Join(p.DKMS, "; "))
	case len(pk) == 0:
		return finding.Passf("no distribution packages")
	case assess.Oracle(ga):
		return finding.Failf("both Oracle's Guest Additions and distribution packages are installed").
			Diff("one source", names(pk)+" and "+strings.Join(ga.OptDirs, " "))
	}
	return olderPackages(f, pk)
}

// olderPackages: packages alone are fine while they are good enough for the host.
func olderPackages(f *facts.Facts, pk []facts.Package) finding.Verdict {
	needed, err := assess.BuildNeeded(f)
	if err != nil {
		return finding.Cannot(err)
	}
	if !needed {
		return finding.Passf("the distribution's packages provide the Guest Additions: %s", names(pk))
	}
	return finding.Failf("the distribution's packages are in the way of the host's Guest Additions").
		Diff(hostText(f), names(pk))
}

func names(ps []facts.Package) string {
	var out []string
	for _, p := range ps {
		out = append(out, p.Name+" "+p.Version)
	}
	return strings.Join(out, ", ")
}

var _ = register(Check{
	ID: "additions.leftovers", Title: "No leftovers of earlier installations", Target: OnGuest, Severity: finding.Minor,
	Rows: []string{"S2", "S3", "T2"}, Needs: with(), After: []string{reachable}, VirtualBoxOnly: true, Fix: "additions.leftovers",
	Why:    "A half installation (no config, or no filelist) makes the next installer ask a question or abort with `Failed to remove existing installation.  Aborting...`.",
	Looks:  "/opt/VBoxGuestAdditions-* against INSTALL_DIR and filelist below /var/lib/VBoxGuestAdditions",
	Source: "guest-catalogue S2, S3",
	Eval:   evalLeftovers,
})

func evalLeftovers(f *facts.Facts) finding.Verdict {
	ga, err := f.Guest.Additions.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	stray := assess.StrayDirs(ga)
	switch {
	case len(stray) > 0 && !ga.HasConfig:
		return finding.Failf("half an installation without a record: %s", strings.Join(stray, ", "))
	case ga.HasConfig && !ga.HasFilelist && !installDue(f):
		return finding.Warnf("the installation's list of files is missing; it works, but the next installer will not be able to remove it").
			Diff("/var/lib/VBoxGuestAdditions/filelist", "nothing")
	case ga.HasConfig && !ga.HasFilelist:
		return finding.Failf("the installation's list of files is missing, so the installer cannot remove it").
			Diff("/var/lib/VBoxGuestAdditions/filelist", "nothing")
	case len(stray) > 0:
		return finding.Warnf("leftovers of other versions: %s", strings.Join(stray, ", "))
	}
	return finding.Passf("none")
}

// installDue tells whether Guest Additions have to be installed over those that are there. Not known counts as
// due: what is said then is the graver of two.
func installDue(f *facts.Facts) bool {
	needed, err := assess.BuildNeeded(f)
	return err != nil || needed
}

var _ = register(Check{
	ID: "additions.services", Title: "The Guest Additions' services run", Target: OnGuest, Severity: finding.Major,
	Rows: []string{"M6", "M10", "H6"}, Needs: []facts.Key{facts.KeyServices, facts.KeyAdditions, facts.KeySystem}, After: []string{reachable, "additions.installed"}, VirtualBoxOnly: true,
	CausedBy: []string{"modules.loaded", "modules.version", "modules.built", "additions.installed"}, Fix: "additions.services",
	Why:    "VBoxService tells the host which Guest Additions run and keeps the clock in step. While it is down, Vagrant and VirtualBox see none.",
	Looks:  "systemctl is-active vboxadd vboxadd-service (or the init scripts), the process VBoxService",
	Source: "guest-catalogue M6, M10",
	Eval:   evalServices,
})

func evalServices(f *facts.Facts) finding.Verdict {
	s, err := f.Guest.Services.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	if s.VBoxServiceRuns {
		return finding.Passf("VBoxService runs")
	}
	var states []string
	for _, u := range s.Units {
		if u.Exists {
			states = append(states, u.Name+": "+u.State)
		}
	}
	if _, err := assess.InstalledVersion(f); len(states) == 0 && errors.Is(err, assess.ErrNoAdditions) {
		return finding.Skipf("no Guest Additions are installed; the kernel's own modules have no service")
	}
	if len(states) == 0 {
		return finding.Warnf("no service of the Guest Additions is installed").Diff("vboxadd-service", "none")
	}
	return finding.Warnf("VBoxService does not run").Diff("active", strings.Join(states, ", "))
}

var _ = register(Check{
	ID: "additions.log", Title: "The last Guest Additions build went well", Target: OnGuest, Severity: finding.Major,
	Rows: []string{"2.7", "T6"}, Needs: with(facts.KeyGALog), After: []string{reachable}, VirtualBoxOnly: true,
	CausedBy: []string{"kernel.tree_missing", develMissing, "tools.archive", "tools.compiler", "tools.libelf", "space.free", "clock.skew",
		"additions.distro_packages", "additions.leftovers", "secureboot.modules", "modules.built", "modules.version", "modules.loaded"},
	Why: "The installer's exit status proves nothing: it is 0 with nothing built and 2 with everything built. Its log says what happened.",
	Looks: "the last block of the newest of /var/log/vboxadd-setup.log, vboxadd-install.log and VBoxGuestAdditions.log, folded lines joined, " +
		"harmless lines left out, and the kernel's messages about vbox",
	Source: "guest-catalogue 2.2, 2.3, 2.7, 2.8",
	Eval:   evalGALog,
})

func evalGALog(f *facts.Facts) finding.Verdict {
	log, err := f.Guest.GALog.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	if log.Path == "" {
		return finding.Passf("no Guest Additions log yet")
	}
	needed, err := assess.BuildNeeded(f)
	if err != nil {
		return finding.Cannot(err)
	}
	if !needed {
		return finding.Passf("the modules are there; %s is history", log.Path)
	}
	sig, evidence, ok := knowledge.Classify(log.Text + "\n" + log.DMesg)
	if !ok {
		return finding.Warnf("%s does not say anything that boxdoctor knows", log.Path).Advise("read its end in the guest", "sudo tail -n 40 "+log.Path)
	}
	if sig.Graphics {
		return finding.Warnf("%s: %s", log.Path, sig.Says).Diff("a build without errors", evidence)
	}
	return finding.Failf("%s: %s", log.Path, sig.Says).Diff("a build without errors", evidence).
		Advise("the cause is judged by "+sig.Check, "boxdoctor explain "+sig.Check)
}

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
			return finding.Failf("%s in memory is %s, the installed Guest Additions are %s", name, text, ga.Control).Diff(ga.Control, text).
				Advise("reload the modules in the guest", "sudo /sbin/rcvboxadd reload   # or restart it: vagrant reload")
		}
	}
	return finding.Passf("%s", m.Guest.Running)
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
	return finding.Failf("this machine has no VirtualBox device, so vboxguest cannot bind and nothing can be mounted").
		Diff("PCI device 80ee:cafe", "none; DMI says "+sys.Product).Advise("run the guest in VirtualBox", "")
}
