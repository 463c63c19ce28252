package checks

import (
	"fmt"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

var _ = register(Check{
	ID: "vbox.missing", Title: "VirtualBox is installed", Target: OnHost, Severity: finding.Critical, Rows: []string{"vbox.missing"}, Level: LevelManual, Link: "https://www.virtualbox.org/wiki/Downloads",
	Why:    "Vagrant says `Vagrant could not detect VirtualBox!` or `No usable default provider could be found for your system.`",
	Looks:  "VBoxManage in Vagrant's own order: PATH, VBOX_INSTALL_PATH or VBOX_MSI_INSTALL_PATH, the usual folders",
	Source: "host-catalogue 1.3", Eval: evalVBoxMissing,
})

// manage hands the VBoxManage facts to a check that needs VBoxManage to be there.
func manage(judge func(facts.VBoxManage) finding.Verdict) func(*facts.Facts) finding.Verdict {
	return func(f *facts.Facts) finding.Verdict {
		m, err := f.Host.VBoxManage.Get()
		if err != nil {
			return finding.Cannot(err)
		}
		return judge(m)
	}
}

func evalVBoxMissing(f *facts.Facts) finding.Verdict {
	m, err := f.Host.VBoxManage.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	switch {
	case m.Path != "":
		return finding.Passf("%s", m.Path)
	case f.Host.Explicit:
		return finding.Skipf("VBoxManage was not found on this host; the guest was given by its address")
	}
	return finding.Failf("VBoxManage was not found").Diff("VBoxManage", "not in "+strings.Join(m.Searched, ", ")).
		Advise(installVBox(f.Host.OS), "")
}

func installVBox(goos string) string {
	switch goos {
	case "windows":
		return "install VirtualBox from https://www.virtualbox.org/wiki/Downloads, then log out and in, so that the variables are seen"
	case "darwin":
		return "install VirtualBox from https://www.virtualbox.org/wiki/Downloads and allow its kernel extension in Privacy & Security"
	}
	return "install VirtualBox from your distribution or https://www.virtualbox.org/wiki/Linux_Downloads"
}

var _ = register(Check{
	ID: "vbox.broken_install", Title: "VBoxManage can run", Target: OnHost, Severity: finding.Critical, Rows: []string{"vbox.broken_install"}, Level: LevelManual, Link: "https://www.virtualbox.org/wiki/Downloads",
	After: []string{"vbox.missing"},
	Why:   "VBoxManage exits 126 when one of its libraries is missing; Vagrant says `The \"VBoxManage\" command or one of its dependencies could not be found.`",
	Looks: "the exit status of VBoxManage --version", Source: "host-catalogue 1.3",
	Eval: manage(func(m facts.VBoxManage) finding.Verdict {
		if m.ExitCode == 126 {
			return finding.Failf("%s cannot run (exit status 126)", m.Path).Diff("a version", m.Warning).Advise("reinstall VirtualBox", "")
		}
		return finding.Passf("it runs")
	}),
})

var _ = register(Check{
	ID: "vbox.hung", Title: "VBoxManage answers", Target: OnHost, Severity: finding.Critical, Rows: []string{"vbox.hung"}, Level: LevelConfirm, Link: "https://developer.hashicorp.com/vagrant/docs/providers/virtualbox/common-issues", After: []string{"vbox.missing"},
	Why:   "When VBoxSVC was started with other privileges than VBoxManage (elevated on Windows), every call hangs, and so does every Vagrant command.",
	Looks: "VBoxManage --version within a limit", Source: "host-catalogue 1.3",
	Eval: manage(func(m facts.VBoxManage) finding.Verdict {
		if m.TimedOut {
			return finding.Failf("%s did not answer within the limit", m.Path).
				Advise("close all VirtualBox windows and processes, then start with one privilege level", "")
		}
		return finding.Passf("it answers")
	}),
})

var _ = register(Check{
	ID: "vbox.version_empty", Title: "VBoxManage tells its version", Target: OnHost, Severity: finding.Critical, Rows: []string{"vbox.version_empty"}, Level: LevelManual, Link: "https://www.virtualbox.org/wiki/Downloads",
	After: []string{"vbox.missing", "vbox.hung", "vbox.broken_install"},
	Why:   "With an empty version Vagrant gives up after three tries.",
	Looks: "the last line of VBoxManage --version", Source: "host-catalogue 1.3",
	Eval: manage(func(m facts.VBoxManage) finding.Verdict {
		if m.Version == "" {
			return finding.Failf("%s --version printed no version (exit status %d)", m.Path, m.ExitCode).
				Diff("a line such as 7.0.20r163906", oneLine(m.Warning)).Advise("try it by hand", m.Path+" --version")
		}
		return finding.Passf("%s", m.Version)
	}),
})

var _ = register(Check{
	ID: "vbox.version_masked", Title: "VBoxManage prints nothing before its version", Target: OnHost, Severity: finding.Minor, Rows: []string{"vbox.version_masked"}, Level: LevelManual, Link: vagrantIssues + "846",
	After: []string{"vbox.version_empty"}, CausedBy: []string{"linux.vboxdrv_absent"},
	Why:   "Vagrant before 2.4.2 takes an unknown warning for the version and says that VirtualBox is not supported. The warning itself is the diagnosis.",
	Looks: "the lines before the version", Source: "host-catalogue 1.3, finding 4",
	Eval: manage(func(m facts.VBoxManage) finding.Verdict {
		if m.Warning != "" {
			return finding.Warnf("VBoxManage warns: %s", oneLine(m.Warning))
		}
		return finding.Passf("nothing")
	}),
})

var _ = register(Check{
	ID: "linux.vboxdrv_absent", Title: "VirtualBox's kernel driver is loaded on this host", Target: OnHost, Severity: finding.Critical, Rows: []string{"linux.vboxdrv_absent"}, Level: LevelSudo, Link: vagrantIssues + "5408",
	After: []string{"vbox.missing"},
	Why:   "Without /dev/vboxdrv no VM starts: `VirtualBox is complaining that the installation is incomplete.`",
	Looks: "/dev/vboxdrv, which is never opened", Source: "host-catalogue 1.4",
	Eval: evalVBoxDrv,
})

func evalVBoxDrv(f *facts.Facts) finding.Verdict {
	if f.Host.OS != "linux" {
		return finding.Skipf("only on Linux hosts")
	}
	there, err := f.Host.DevVBoxDrv.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	if there {
		return finding.Passf("/dev/vboxdrv")
	}
	if running := runningVMs(f); running > 0 {
		return finding.Warnf("/dev/vboxdrv does not exist, although VBoxManage says that a VM runs: VirtualBox works here without it, or this is not the host of the VM").
			Diff("/dev/vboxdrv", fmt.Sprintf("nothing; VMs that run: %d", running)).ByHand()
	}
	return finding.Failf("/dev/vboxdrv does not exist: the driver is not built or not loaded for this kernel, and no VM can start").
		Diff("/dev/vboxdrv", "nothing").
		Advise("Oracle's package: build it (as root)", "sudo /sbin/vboxconfig").
		Advise("Debian and Ubuntu packages", "sudo apt-get install virtualbox-dkms linux-headers-$(uname -r)")
}

// runningVMs is how many VMs VBoxManage says are running, as far as it is known.
func runningVMs(f *facts.Facts) int {
	n := f.Host.RunningVMs.Or(0)
	if n == 0 && f.Host.VM.Or(facts.VM{}).State == "running" {
		return 1
	}
	return n
}

var _ = register(Check{
	ID: "vbox.ga_iso_missing", Title: "The Guest Additions ISO is on this host", Target: OnHost, Severity: finding.Minor, Rows: []string{"vbox.ga_iso_missing", "H5"}, Level: LevelAuto, Link: "https://www.virtualbox.org/wiki/Downloads",
	After: []string{"vbox.missing"},
	Why:   "A repair installs the Guest Additions from the ISO of the host's VirtualBox. Without it they must be downloaded.",
	Looks: "VBoxManage list systemproperties, then the usual places", Source: "host-catalogue 1.3",
	Eval: evalISO,
})

func evalISO(f *facts.Facts) finding.Verdict {
	iso, err := f.Host.AdditionsISO.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	if iso.Path != "" {
		return finding.Passf("%s (%s, %s)", iso.Path, iso.Version, tableWords(iso))
	}
	if f.Host.UnfinishedISO != "" {
		return finding.Warnf("the download of the Guest Additions ISO was left as %s, where nothing looks for it (VirtualBox 7.1.14 does so)", f.Host.UnfinishedISO).
			Diff("a name that ends in .iso", f.Host.UnfinishedISO).
			Advise("compare it with the checksum of that version from https://download.virtualbox.org/virtualbox/ (SHA256SUMS), then take .tmp off its name", "sha256sum "+shell.Quote(f.Host.UnfinishedISO)).
			Advise("or let boxdoctor download it, checked against its checksum: give --download to boxdoctor fix", "")
	}
	return finding.Warnf("no Guest Additions ISO was found on this host").
		Advise("Debian and Ubuntu", "sudo apt-get install virtualbox-guest-additions-iso").
		Advise("or let boxdoctor download it, checked against its checksum: give --download to boxdoctor fix", "")
}

// tableWords: an image that is not in the table is not suspicious for that, but a person may want to know.
func tableWords(iso facts.ISO) string {
	if iso.Known {
		return "a known image"
	}
	return "not in the table of known images"
}
