package checks

import (
	"fmt"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
)

var _ = register(Check{
	ID: "cpu.virt_disabled", Title: "The processor's virtualization is switched on", Target: OnHost, Severity: finding.Critical, Rows: []string{"cpu.virt_disabled"},
	Level: LevelManual, Link: vagrantIssues + "11325", CausedBy: []string{"cpu.virt_absent"},
	Why:   "`VT-x is disabled in the BIOS for all CPU modes (VERR_VMX_MSR_ALL_VMX_DISABLED)`: no 64-bit VM starts.",
	Looks: "the flags vmx and svm of /proc/cpuinfo on Linux; `VBoxManage list hostinfo` elsewhere", Source: "host-catalogue 1.4",
	Eval: preflight(func(p *facts.Preflight) facts.Value[facts.HostSystem] { return p.System }, evalVirt),
})

func evalVirt(f *facts.Facts, s facts.HostSystem) finding.Verdict {
	if s.Arch == "arm64" {
		return finding.Skipf("ARM processors have no such switch")
	}
	if f.Host.OS == "linux" {
		l, err := f.Host.Preflight.Linux.Get()
		switch {
		case err != nil:
			return finding.Cannot(err)
		case l.CPUVirt != "":
			return finding.Passf("%s", l.CPUVirt)
		case l.InVM:
			return finding.Skipf("this host is itself a virtual machine: cpu.virt_absent judges it")
		}
		return virtOff("no vmx or svm in /proc/cpuinfo")
	}
	info, err := f.Host.Preflight.Lists.HostInfo.Get()
	switch {
	case err != nil:
		return finding.Cannot(err)
	case info.Cores == 0 || info.HWVirt == "":
		return finding.Cannot(fmt.Errorf("%w: VBoxManage list hostinfo tells nothing of the processor here", facts.ErrNotCollected))
	case info.HWVirt == "yes":
		return finding.Passf("VBoxManage says that the processor supports it")
	}
	return virtOff("VBoxManage list hostinfo: Processor supports HW virtualization: no")
}

func virtOff(seen string) finding.Verdict {
	return finding.Failf("the processor shows no hardware virtualization: it is switched off in the firmware, or another hypervisor holds it").
		Diff("VT-x or AMD-V", seen).Advise("switch on VT-x (Intel) or SVM (AMD) in the firmware's setup, then switch the computer off and on", "")
}

var _ = register(Check{
	ID: "cpu.virt_absent", Title: "A host that is a VM itself has nested virtualization", Target: OnHost, Severity: finding.Critical, Rows: []string{"cpu.virt_absent"},
	Level: LevelManual, Link: vagrantIssues + "10056",
	Why:   "`VT-x is not available (VERR_VMX_NO_VMX)`: inside a VM (a CI runner, a cloud server) VirtualBox needs nested virtualization.",
	Looks: "the flags hypervisor, vmx and svm of /proc/cpuinfo", Source: "host-catalogue 1.4",
	Eval: onLinux(func(_ *facts.Facts, l facts.Linux) finding.Verdict {
		if l.InVM && l.CPUVirt == "" && !l.ARM {
			return finding.Failf("this host is a virtual machine without nested virtualization: VirtualBox cannot start a VM here").
				Diff("vmx or svm in /proc/cpuinfo", "hypervisor, and neither of them").
				Advise("switch on nested virtualization for this VM where it runs, or use another provider", "")
		}
		return finding.Passf("%s", orNone(l.CPUVirt))
	}),
})

var _ = register(Check{
	ID: "cpu.nested_guest", Title: "VMs can be given nested virtualization", Target: OnHost, Severity: finding.Minor, Rows: []string{"cpu.nested_guest"}, Level: LevelManual,
	Link:  "https://www.virtualbox.org/manual/",
	Why:   "A box that runs VMs itself needs nested virtualization, which is gone while Windows' hypervisor holds the processor.",
	Looks: "`VBoxManage list hostinfo`: Processor supports nested HW virtualization", Source: "host-catalogue 1.4",
	Eval: onOS("windows", preflight(func(p *facts.Preflight) facts.Value[facts.HostInfo] { return p.Lists.HostInfo }, func(_ *facts.Facts, info facts.HostInfo) finding.Verdict {
		switch {
		case info.NestedHWVirt == "":
			return finding.Cannot(fmt.Errorf("%w: VBoxManage list hostinfo does not tell it", facts.ErrNotCollected))
		case info.NestedHWVirt == "no":
			return finding.Warnf("VirtualBox cannot pass virtualization on to a VM").Diff("yes", "no").
				Advise("only boxes that run VMs themselves need it; switch off Windows' hypervisor for them, see win.hyperv_old", "boxdoctor explain win.hyperv_old")
		}
		return finding.Passf("yes")
	})),
})

var _ = register(Check{
	ID: "arch.mismatch", Title: "The boxes are made for this processor", Target: OnHost, Severity: finding.Critical, Rows: []string{"arch.mismatch"}, Level: LevelManual,
	Link:  vboxIssues + "442",
	Why:   "VirtualBox does not emulate another processor: `its platform architecture x86 is not supported on ARM`, or only `The VM session was aborted`.",
	Looks: "the architecture folder of installed boxes against this host's", Source: "host-catalogue 1.4",
	Eval: preflight(func(p *facts.Preflight) facts.Value[facts.HostSystem] { return p.System }, evalArch),
})

func evalArch(f *facts.Facts, s facts.HostSystem) finding.Verdict {
	h, err := f.Host.Preflight.Home.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	used := usedBoxes(f, h)
	if len(used) == 0 {
		return finding.Skipf("no box that this project names is installed")
	}
	for _, b := range used {
		if b.Arch != "" && b.Arch != "unknown" && b.Arch != s.Arch {
			return finding.Failf("the box %s is made for %s, this host is %s", b.Name, b.Arch, s.Arch).Diff(s.Arch, b.Arch).
				Advise("choose a box for "+s.Arch+", or another provider", "vagrant box add "+b.Name+" --architecture "+s.Arch)
		}
	}
	return finding.Passf("%s", s.Arch)
}

// usedBoxes are the installed VirtualBox boxes that the Vagrantfile names.
func usedBoxes(f *facts.Facts, h facts.VagrantHome) []facts.Box {
	var out []facts.Box
	for _, m := range f.Host.Preflight.Wanted.Or(facts.Wanted{}).Machines {
		for _, b := range h.Boxes {
			version := m.BoxVersion.Or("")
			if b.Provider == "virtualbox" && b.Name == m.Box.Or("") && (version == "" || version == b.Version) {
				out = append(out, b)
			}
		}
	}
	return out
}

// askedFor adds up what the machines of the Vagrantfile want; err: a value that cannot be read.
func askedFor(w facts.Wanted, get func(facts.WantedMachine) facts.Value[int]) (largest, sum int, err error) {
	for _, m := range w.Machines {
		n, e := get(m).Get()
		if e != nil {
			err = e
			continue
		}
		largest, sum = max(largest, n), sum+n
	}
	return largest, sum, err
}

var _ = register(Check{
	ID: "res.memory", Title: "The host has the memory that the Vagrantfile asks for", Target: OnHost, Severity: finding.Critical, Rows: []string{"res.memory"}, Level: LevelConfirm,
	Link:  vagrantIssues + "11166",
	Why:   "VirtualBox refuses more than it can give (`Invalid RAM size`), and a VM that gets what the host needs itself dies.",
	Looks: "memory of the Vagrantfile against `VBoxManage list hostinfo` and list systemproperties", Source: "host-catalogue 1.4",
	Eval: onWanted(evalMemory),
})

func evalMemory(f *facts.Facts, w facts.Wanted) finding.Verdict {
	largest, sum, err := askedFor(w, func(m facts.WantedMachine) facts.Value[int] { return m.MemoryMB })
	info, infoErr := f.Host.Preflight.Lists.HostInfo.Get()
	if infoErr != nil {
		return finding.Cannot(infoErr)
	}
	limit := f.Host.Preflight.Lists.Properties.Or(facts.SystemProperties{}).MaxRAMMB
	switch {
	case limit > 0 && largest > limit:
		return finding.Failf("a machine asks for %d MB, VirtualBox gives at most %d MB", largest, limit).Diff(fmt.Sprintf("at most %d MB", limit), fmt.Sprintf("%d MB", largest)).
			Advise("lower vb.memory in the Vagrantfile", "")
	case info.MemoryMB > 0 && largest >= info.MemoryMB:
		return finding.Failf("a machine asks for %d MB, the host has %d MB in all", largest, info.MemoryMB).Diff(fmt.Sprintf("less than %d MB", info.MemoryMB), fmt.Sprintf("%d MB", largest)).
			Advise("lower vb.memory in the Vagrantfile", "")
	case info.AvailableMB > 0 && sum > info.AvailableMB && f.Host.RunningVMs.Or(0) == 0:
		return finding.Warnf("the machines ask for %d MB together, %d MB are free now", sum, info.AvailableMB).Diff(fmt.Sprintf("%d MB free", sum), fmt.Sprintf("%d MB", info.AvailableMB)).
			Advise("close programs, start fewer machines, or lower vb.memory in the Vagrantfile", "")
	case err != nil:
		return finding.Cannot(err)
	}
	return finding.Passf("%d MB asked, %d MB free", sum, info.AvailableMB)
}

var _ = register(Check{
	ID: "res.cpu", Title: "No machine asks for more processors than there are", Target: OnHost, Severity: finding.Minor, Rows: []string{"res.cpu"}, Level: LevelConfirm,
	Link:  "https://developer.hashicorp.com/vagrant/docs/providers/virtualbox/configuration",
	Why:   "VirtualBox pretends to have more; the VM is then slower than with fewer.",
	Looks: "cpus of the Vagrantfile against `VBoxManage list hostinfo`", Source: "host-catalogue 1.4",
	Eval: onWanted(func(f *facts.Facts, w facts.Wanted) finding.Verdict {
		largest, _, err := askedFor(w, func(m facts.WantedMachine) facts.Value[int] { return m.CPUs })
		info, infoErr := f.Host.Preflight.Lists.HostInfo.Get()
		switch {
		case infoErr != nil:
			return finding.Cannot(infoErr)
		case info.Cores > 0 && largest > info.Cores:
			return finding.Warnf("a machine asks for %d processors, the host has %d cores", largest, info.Cores).Diff(fmt.Sprintf("at most %d", info.Cores), fmt.Sprint(largest)).
				Advise("lower vb.cpus in the Vagrantfile", "")
		case err != nil:
			return finding.Cannot(err)
		case info.Cores == 0 && largest > 0:
			return finding.Cannot(fmt.Errorf("%w: VBoxManage list hostinfo tells no cores", facts.ErrNotCollected))
		}
		return finding.Passf("%d of %d", largest, info.Cores)
	}),
})
