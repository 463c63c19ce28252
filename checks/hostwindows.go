package checks

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
)

var _ = register(Check{
	ID: "win.hyperv_old", Title: "Windows' hypervisor leaves room for this VirtualBox", Target: OnHost, Severity: finding.Critical, Rows: []string{"win.hyperv_old"},
	After: []string{"vbox.version_empty"}, Level: LevelSudo, Link: vagrantIssues + "11325",
	Why: "With Hyper-V, WSL2, Device Guard or memory integrity on, VirtualBox before 7 cannot start VMs: VERR_SUPDRV_NO_RAW_MODE_HYPER_V_ROOT, VERR_NEM_NOT_AVAILABLE. " +
		"`VBoxManage list hostinfo` is no help: it says that virtualization is there.",
	Looks: "services of Hyper-V and the registry's DeviceGuard keys", Source: "host-catalogue 1.4",
	Eval: onOS("windows", ruled("win.hyperv_old", onWindows(func(f *facts.Facts, w facts.Windows) finding.Verdict {
		if !w.Hypervisor {
			return finding.Passf("no sign of Windows' hypervisor")
		}
		return finding.Failf("Windows' hypervisor runs (%s), on which VirtualBox %s cannot start a VM", w.Evidence, versions(f).VirtualBox).Diff("VirtualBox 7, or no hypervisor", w.Evidence).
			Advise("upgrade VirtualBox to 7 or later", "").
			Advise("or switch the hypervisor off, as administrator, and restart: WSL2, Docker Desktop and Credential Guard then no longer work, and BitLocker must be suspended first", "bcdedit /set hypervisorlaunchtype off")
	}))),
})

var _ = register(Check{
	ID: "win.green_turtle", Title: "VMs run on the processor, not on top of Hyper-V", Target: OnHost, Severity: finding.Minor, Rows: []string{"win.green_turtle"}, Level: LevelManual,
	Link:  "https://www.virtualbox.org/manual/topics/technical-background.html",
	Why:   "On top of Hyper-V a VM is many times slower (the green turtle in its status bar). It works; it is only slow, and boot timeouts follow.",
	Looks: "the last VBox.log of the project's VMs", Source: "host-catalogue 1.4",
	Eval: onOS("windows", settings("no log says so", func(_ *facts.Facts, r facts.Record, s facts.VMSettings) string {
		if s.Slow == "" {
			return ""
		}
		return "machine " + r.Name + " last ran on top of Hyper-V: " + s.Slow
	}, finding.Warnf, func(v finding.Verdict) finding.Verdict {
		return v.Advise("raise config.vm.boot_timeout, or read what switching the hypervisor off breaks", "boxdoctor explain win.hyperv_old")
	})),
})

var _ = register(Check{
	ID: "win.vagrant_refuses_hyperv", Title: "This Vagrant works beside Hyper-V", Target: OnHost, Severity: finding.Critical, Rows: []string{"win.vagrant_refuses_hyperv"}, Level: LevelManual,
	Link:  "https://github.com/hashicorp/vagrant/pull/13090",
	Why:   "Vagrant 2.0.3 to 2.3.4 refuses: `Hyper-V and VirtualBox cannot be used together and will result in a system crash. Vagrant will now exit.`",
	Looks: "Vagrant's version; signs of Windows' hypervisor", Source: "host-catalogue 1.4",
	Eval: onOS("windows", ruled("win.vagrant_refuses_hyperv", onWindows(func(f *facts.Facts, w facts.Windows) finding.Verdict {
		if !w.Hypervisor {
			return finding.Passf("no sign of Windows' hypervisor")
		}
		v := versions(f).Vagrant
		return finding.Failf("Vagrant %s refuses to run beside Windows' hypervisor (%s)", v, w.Evidence).Diff("Vagrant 2.3.5 or later", v).
			Advise("upgrade Vagrant", "winget upgrade Hashicorp.Vagrant")
	}))),
})

// major is the number before the first dot; 0 when there is none.
func major(v string) int {
	first, _, _ := strings.Cut(v, ".")
	n, err := strconv.Atoi(first)
	if err != nil {
		return 0
	}
	return n
}

const windowsManagementFramework = "https://www.microsoft.com/download/details.aspx?id=54616"

var _ = register(Check{
	ID: "win.powershell_hang", Title: "PowerShell returns to Vagrant", Target: OnHost, Severity: finding.Critical, Rows: []string{"win.powershell_hang"}, Level: LevelManual,
	Link:  vagrantIssues + "8777",
	Why:   "On Windows 7 with PowerShell 2, Vagrant 1.9.7 to 2.0.2 starts PowerShell and waits for ever: `vagrant up` prints nothing at all.",
	Looks: "the registry's PowerShellEngine; only an old PowerShell is started, with a limit", Source: "host-catalogue 1.6",
	Eval: onWindows(func(f *facts.Facts, w facts.Windows) finding.Verdict {
		if w.PowerShellHung {
			return finding.Failf("%s did not return within its limit, so every Vagrant command hangs", w.PowerShellPath).Diff("an answer", "none").
				Advise("install Windows Management Framework 5.1 ("+windowsManagementFramework+"), which brings PowerShell 5.1", "").Advise("or upgrade Vagrant to 2.0.3 or later", "")
		}
		if w.PowerShell == "" || major(w.PowerShell) >= 3 {
			return finding.Passf("PowerShell %s", orNone(w.PowerShell))
		}
		return ruled("win.powershell_hang", func(f *facts.Facts) finding.Verdict {
			return finding.Failf("PowerShell %s does not return to Vagrant %s: `vagrant up` will hang without a word", w.PowerShell, versions(f).Vagrant).Diff("PowerShell 3 or later", w.PowerShell).
				Advise("install Windows Management Framework 5.1 ("+windowsManagementFramework+")", "").Advise("or upgrade Vagrant to 2.0.3 or later", "")
		})(f)
	}),
})

var _ = register(Check{
	ID: "win.powershell_old", Title: "PowerShell is new enough for Vagrant", Target: OnHost, Severity: finding.Critical, Rows: []string{"win.powershell_old"}, Level: LevelManual,
	CausedBy: []string{"win.powershell_hang"}, Link: "https://github.com/hashicorp/vagrant/pull/8839",
	Why:   "`The version of powershell currently installed on this host is less than the required minimum version.` Vagrant needs 3; `N/A` in that message means that its own probe timed out after 30 s.",
	Looks: "the registry's PowerShellEngine", Source: "host-catalogue 1.6",
	Eval: onOS("windows", ruled("win.powershell_old", onWindows(func(_ *facts.Facts, w facts.Windows) finding.Verdict {
		switch {
		case w.PowerShell == "":
			return finding.Cannot(fmt.Errorf("%w: the registry names no PowerShell", facts.ErrNotCollected))
		case major(w.PowerShell) < 3:
			return finding.Failf("PowerShell %s is installed, Vagrant needs 3 or later", w.PowerShell).Diff("3 or later", w.PowerShell).
				Advise("install Windows Management Framework 5.1 ("+windowsManagementFramework+")", "").
				Advise("where the version is right and only the answer is slow, raise the limit", "setx VAGRANT_POWERSHELL_VERSION_DETECTION_TIMEOUT 120")
		}
		return finding.Passf("PowerShell %s", w.PowerShell)
	}))),
})

var _ = register(Check{
	ID: "win.powershell_missing", Title: "PowerShell can be found", Target: OnHost, Severity: finding.Critical, Rows: []string{"win.powershell_missing"}, Level: LevelManual,
	Link:  "https://github.com/hashicorp/vagrant/pull/13648",
	Why:   "`Failed to locate the powershell executable on the available PATH.`",
	Looks: "PATH, then System32\\WindowsPowerShell\\v1.0 and PowerShell 7's folder", Source: "host-catalogue 1.6",
	Eval: onWindows(func(_ *facts.Facts, w facts.Windows) finding.Verdict {
		if w.PowerShellPath == "" {
			return finding.Failf("neither powershell.exe nor pwsh.exe was found").Diff("powershell.exe", "nothing").
				Advise("put its folder back into PATH and open a new window", `setx PATH "%PATH%;C:\Windows\System32\WindowsPowerShell\v1.0"`)
		}
		return finding.Passf("%s", w.PowerShellPath)
	}),
})

// envLimit is where Windows' block of environment variables ends.
const envLimit = 32767

var _ = register(Check{
	ID: "win.env_too_big", Title: "The environment is small enough", Target: OnHost, Severity: finding.Major, Rows: []string{"win.env_too_big"}, Level: LevelManual,
	Link:  "https://learn.microsoft.com/windows/win32/procthread/environment-variables",
	Why:   "`Vagrant received an \"EINVAL\" error while attempting to set some environment variables.`",
	Looks: "the length of all environment variables together", Source: "host-catalogue 1.6",
	Eval: onWindows(func(_ *facts.Facts, w facts.Windows) finding.Verdict {
		if w.EnvSize > envLimit*9/10 {
			return finding.Warnf("the environment has %d characters, Windows allows %d", w.EnvSize, envLimit).Diff(fmt.Sprintf("well below %d", envLimit), fmt.Sprint(w.EnvSize)).
				Advise("take old entries out of PATH", "")
		}
		return finding.Passf("%d characters", w.EnvSize)
	}),
})

func beyondASCII(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

var _ = register(Check{
	ID: "win.home_non_ascii", Title: "Paths hold only plain letters", Target: OnHost, Severity: finding.Critical, Rows: []string{"win.home_non_ascii"}, Level: LevelConfirm,
	Link:  vagrantIssues + "11431",
	Why:   "An accent in the user's folder ends Vagrant with `incompatible character encodings` or `UndefinedConversionError`; this is not repaired in any release.",
	Looks: "USERPROFILE, the Vagrant home, the project's path, VirtualBox's machine folder", Source: "host-catalogue 1.6",
	Eval: onOS("windows", onEnv(func(f *facts.Facts, e facts.Env) finding.Verdict {
		p := f.Host.Preflight
		for what, path := range map[string]string{"the Vagrant home": p.Home.Or(facts.VagrantHome{}).Path, "the project": p.Project.Or(facts.Project{}).Root,
			"VirtualBox's machine folder": p.Lists.Properties.Or(facts.SystemProperties{}).MachineFolder} {
			if beyondASCII(path) {
				return finding.Failf("%s has letters beyond ASCII in its path: %s", what, path).Diff("only ASCII letters", path).
					Advise("give Vagrant a home of its own", `setx VAGRANT_HOME C:\vagrant.d`).
					Advise("and move VirtualBox's machines", `VBoxManage setproperty machinefolder C:\VMs`)
			}
		}
		return finding.Passf("%s", orNone(e.UserProfile))
	})),
})

var _ = register(Check{
	ID: "win.home_space", Title: "The Vagrant home has no space in its path", Target: OnHost, Severity: finding.Minor, Rows: []string{"win.home_space"}, Level: LevelConfirm,
	Link:  "https://developer.hashicorp.com/vagrant/docs/other/environmental-variables",
	Why:   "`The directory where plugins are installed (the Vagrant home directory) has a space in it.` Plugins with native parts cannot be built there.",
	Looks: "VAGRANT_HOME or USERPROFILE", Source: "host-catalogue 1.6",
	Eval: onOS("windows", preflight(func(p *facts.Preflight) facts.Value[facts.VagrantHome] { return p.Home }, func(_ *facts.Facts, h facts.VagrantHome) finding.Verdict {
		if strings.Contains(h.Path, " ") {
			return finding.Warnf("the Vagrant home has a space in its path: %s", h.Path).Diff("no space", h.Path).
				Advise("give Vagrant a home of its own; boxes and plugins are then installed anew", `setx VAGRANT_HOME C:\vagrant.d`)
		}
		return finding.Passf("%s", h.Path)
	})),
})

var _ = register(Check{
	ID: "mac.kext", Title: "macOS has let VirtualBox's driver in", Target: OnHost, Severity: finding.Critical, Rows: []string{"mac.kext"}, Level: LevelManual,
	Link:  "https://www.virtualbox.org/manual/topics/installation.html",
	Why:   "`Kernel driver not installed (rc=-1908)`: macOS waits for a person to allow the extension, for about half an hour after it was asked for.",
	Looks: "/dev/vboxdrv and /dev/vboxnetctl, on Intel Macs", Source: "host-catalogue 1.4",
	Eval: onDarwin(func(f *facts.Facts, d facts.Darwin) finding.Verdict {
		if f.Host.Preflight.System.Or(facts.HostSystem{}).Arch == "arm64" {
			return finding.Skipf("VirtualBox on Apple Silicon has no kernel extension")
		}
		if d.Driver {
			return finding.Passf("/dev/vboxdrv")
		}
		return finding.Failf("/dev/vboxdrv does not exist: macOS has not loaded VirtualBox's extension").Diff("/dev/vboxdrv", "nothing").
			Advise("open System Settings, Privacy & Security, and allow Oracle's software; ask for it again when nothing is offered, then restart",
				`sudo "/Library/Application Support/VirtualBox/LaunchDaemons/VirtualBoxStartup.sh" restart`)
	}),
})

var _ = register(Check{
	ID: "mac.arm_too_old", Title: "VirtualBox is made for Apple Silicon", Target: OnHost, Severity: finding.Critical, Rows: []string{"mac.arm_too_old"}, After: []string{"vbox.version_empty"}, Level: LevelManual,
	Link:  "https://www.virtualbox.org/wiki/Downloads",
	Why:   "Before 7.1 VirtualBox cannot start anything on Apple Silicon; 7.2 is recommended.",
	Looks: "the real processor (sysctl hw.optional.arm64) and VirtualBox's version", Source: "host-catalogue 1.4",
	Eval: onDarwin(func(f *facts.Facts, _ facts.Darwin) finding.Verdict {
		s, err := f.Host.Preflight.System.Get()
		if err != nil {
			return finding.Cannot(err)
		}
		if s.Arch != "arm64" {
			return finding.Skipf("this Mac has an Intel processor")
		}
		return ruled("mac.arm_too_old", func(f *facts.Facts) finding.Verdict {
			v := versions(f).VirtualBox
			return finding.Failf("VirtualBox %s does not run on Apple Silicon", v).Diff("7.1 or later", v).Advise("install the release for macOS / Arm64", "brew install --cask virtualbox")
		})(f)
	}),
})
