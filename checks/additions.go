package checks

import (
	"errors"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
)

// blockers are what keeps an installation of Guest Additions from working, nearest first.
var blockers = []string{"kernel.tree_missing", develMissing, kernelPair, "tools.compiler", "tools.kernel_compiler", "tools.archive", "tools.libelf", "space.free", "space.inodes", "clock.skew"}

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
	return shipsNone(f, finding.Failf("no Guest Additions are installed").Diff(hostText(f), "none"))
}

// shipsNone tells a box that never had Guest Additions (row V25) from a guest that lost them: those leave a folder, a
// log or a package behind.
func shipsNone(f *facts.Facts, v finding.Verdict) finding.Verdict {
	ga, err := f.Guest.Additions.Get()
	if err != nil || assess.Oracle(ga) || ga.Setup != "" || f.Guest.GALog.Or(facts.GALog{}).Path != "" || len(assess.DistroPackages(f)) > 0 {
		return v
	}
	v.Message += ", and nothing says that they ever were: the box ships without them by design, as the official CentOS boxes do"
	return v.Advise("or share the folder without them, as such boxes do: type: \"rsync\" in the Vagrantfile (the guest's changes do not come back)", "")
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
		return finding.Warnf("Guest Additions %s are newer than VirtualBox %s (%s)", ga.Number, host.Number, from).Diff(host.Number, ga.Number).
			Advise("newer ones are usually harmless and are left alone; boxdoctor fix goes down to the host's version only with the flag --allow-downgrade", "")
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
	CausedBy: []string{kernelPair, "kernel.tree_missing", develMissing, "tools.archive", "tools.compiler", "tools.libelf", "space.free", "clock.skew",
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
