package checks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

const driverAbsent = "linux.vboxdrv_absent"

var _ = register(Check{
	ID: "linux.vboxdrv_unloaded", Title: "The loaded driver is the one of this VirtualBox", Target: OnHost, Severity: finding.Critical,
	Rows: []string{"linux.vboxdrv_unloaded"}, After: []string{driverAbsent}, Level: LevelSudo, Link: "https://github.com/kubernetes/minikube/issues/2522",
	Why:   "After an upgrade of VirtualBox or of the kernel the old module stays loaded, or none is: `VirtualBox is complaining that the kernel module is not loaded.`",
	Looks: "/proc/modules and /sys/module/vboxdrv/version against VBoxManage --version", Source: "host-catalogue 1.4",
	Eval: onLinux(evalDriverLoaded),
})

func evalDriverLoaded(f *facts.Facts, l facts.Linux) finding.Verdict {
	const setup = "sudo /sbin/vboxconfig"
	if !slices.Contains(l.Loaded, "vboxdrv") {
		return finding.Failf("the kernel module vboxdrv is not loaded").Diff("vboxdrv in /proc/modules", cut(l.Loaded, 6)).
			Advise("build and load it; what goes wrong stands in /var/log/vbox-setup.log", byDistro(f, "sudo modprobe vboxdrv || sudo dpkg-reconfigure virtualbox-dkms", setup, "sudo modprobe vboxdrv", setup))
	}
	program, err := vbox(f)
	if err != nil {
		return finding.Cannot(err)
	}
	first, _, _ := strings.Cut(l.Driver, " (")
	driver, err := version.ParseVBox(first)
	if err != nil {
		return finding.Passf("vboxdrv is loaded and tells no version")
	}
	if program.Compare(driver) != 0 {
		return finding.Failf("the loaded driver is of VirtualBox %s, the programs are of %s", driver.Number, program.Number).Diff(program.Number, driver.Number).
			Advise("end every VM, then load the new driver", setup)
	}
	return finding.Passf("vboxdrv %s", driver.Number)
}

var _ = register(Check{
	ID: "linux.headers", Title: "Kernel modules can be built on this host", Target: OnHost, Severity: finding.Major, Rows: []string{"linux.headers"},
	After: []string{"vbox.missing"}, Level: LevelSudo, Link: "https://github.com/kubernetes/minikube/issues/3974",
	Why:   "Without the headers of the running kernel the driver cannot be built: `Please install the Linux kernel \"header\" files matching the current kernel`. It matters only while the driver is missing.",
	Looks: "/lib/modules/RELEASE/build/Makefile", Source: "host-catalogue 1.4",
	Eval: onLinux(func(f *facts.Facts, l facts.Linux) finding.Verdict {
		if l.Headers || slices.Contains(l.Loaded, "vboxdrv") {
			return finding.Passf("the driver is loaded or can be built")
		}
		kernel := f.Host.Preflight.System.Or(facts.HostSystem{}).Kernel
		return finding.Failf("the headers of the running kernel %s are not installed, so VirtualBox's driver cannot be built", kernel).
			Diff("/lib/modules/"+kernel+"/build", "nothing").
			Advise("install them, then build the driver", byDistro(f, "sudo apt-get install linux-headers-$(uname -r)", "sudo dnf install kernel-devel-$(uname -r)", "sudo pacman -S linux-headers", "sudo /sbin/vboxconfig"))
	}),
})

var _ = register(Check{
	ID: "linux.secure_boot", Title: "Secure Boot lets VirtualBox's driver load", Target: OnHost, Severity: finding.Critical, Rows: []string{"linux.secure_boot"},
	Level: LevelSudo, Link: "https://www.virtualbox.org/manual/topics/installation.html",
	Why:   "With Secure Boot or kernel lockdown only signed modules load: `You must sign these kernel modules before using VirtualBox`. Secure Boot is not switched off for this; the module gets a key of your own.",
	Looks: "the EFI variables SecureBoot and MokSBStateRT, /sys/kernel/security/lockdown, /proc/modules", Source: "host-catalogue 1.4",
	Eval: onLinux(func(f *facts.Facts, l facts.Linux) finding.Verdict {
		locked := l.SecureBoot || l.Lockdown == "integrity" || l.Lockdown == "confidentiality"
		if !locked || slices.Contains(l.Loaded, "vboxdrv") {
			return finding.Passf("Secure Boot: %t, lockdown: %s", l.SecureBoot, orNone(l.Lockdown))
		}
		return finding.Failf("Secure Boot or kernel lockdown is on and vboxdrv is not loaded: an unsigned module is refused").
			Diff("vboxdrv signed with a key that the firmware knows", fmt.Sprintf("not loaded; Secure Boot %t, lockdown %s", l.SecureBoot, orNone(l.Lockdown))).
			Advise("enrol the key that signs the module; the firmware asks for its password at the next start", "sudo mokutil --import /var/lib/shim-signed/mok/MOK.der").
			Advise("after the restart build and load the driver", "sudo /sbin/vboxconfig")
	}),
})

var _ = register(Check{
	ID: "linux.vboxnetctl", Title: "Host-only networks can be made", Target: OnHost, Severity: finding.Major, Rows: []string{"linux.vboxnetctl"},
	After: []string{driverAbsent}, CausedBy: []string{"linux.vboxdrv_unloaded"}, Level: LevelSudo, Link: vagrantIssues + "2418",
	Why:   "private_network needs /dev/vboxnetctl: `failed to open /dev/vboxnetctl: No such file or directory`.",
	Looks: "/dev/vboxnetctl, which is not opened", Source: "host-catalogue 1.4",
	Eval: onLinux(func(f *facts.Facts, l facts.Linux) finding.Verdict {
		if l.NetCtl {
			return finding.Passf("/dev/vboxnetctl")
		}
		return finding.Failf("/dev/vboxnetctl does not exist: the module vboxnetadp is not loaded, and a private_network cannot be made").
			Diff("/dev/vboxnetctl", "nothing").Advise("load it", "sudo modprobe vboxnetadp")
	}),
})

var _ = register(Check{
	ID: "linux.xen", Title: "This host is no Xen domain", Target: OnHost, Severity: finding.Critical, Rows: []string{"linux.xen"}, Level: LevelManual,
	Link:  "https://www.virtualbox.org/manual/",
	Why:   "VirtualBox's driver refuses: `Running VirtualBox in a Xen environment is not supported`.",
	Looks: "/proc/xen", Source: "host-catalogue 1.4",
	Eval: onLinux(func(_ *facts.Facts, l facts.Linux) finding.Verdict {
		if l.Xen {
			return finding.Failf("/proc/xen exists: VirtualBox does not run under Xen").Diff("no /proc/xen", "/proc/xen").
				Advise("use another provider here, or boot without Xen", "")
		}
		return finding.Passf("no /proc/xen")
	}),
})

// kvmModule is the KVM module that is loaded for this processor.
func kvmModule(l facts.Linux) string {
	for _, m := range []string{"kvm_intel", "kvm_amd"} {
		if slices.Contains(l.Loaded, m) {
			return m
		}
	}
	return ""
}

var _ = register(Check{
	ID: "linux.kvm_conflict", Title: "KVM leaves the processor to VirtualBox", Target: OnHost, Severity: finding.Critical, Rows: []string{"linux.kvm_conflict"},
	After: []string{"vbox.version_empty"}, Level: LevelSudo, Link: vboxIssues + "141",
	Why: "From Linux 6.12 KVM takes hardware virtualization when it is loaded, and VirtualBox before 7.2.10 then fails with VERR_VMX_IN_VMX_ROOT_MODE or VERR_SVM_IN_USE. " +
		"From 7.2.10 on the opposite holds: the setting that helped before makes VMs fail.",
	Looks: "VirtualBox's version, uname -r, /proc/modules, /sys/module/kvm/parameters/enable_virt_at_load, names of running processes", Source: "host-catalogue 1.2",
	Eval: onOS("linux", evalKVMInUse),
})

// evalKVMInUse: a KVM machine that runs holds the processor with every version; the setting only matters with some.
func evalKVMInUse(f *facts.Facts) finding.Verdict {
	return onLinux(func(f *facts.Facts, l facts.Linux) finding.Verdict {
		if l.KVMGuests > 0 && kvmModule(l) != "" {
			return finding.Warnf("KVM machines run on this host (%d): VirtualBox can only use the processor's virtualization when they have ended", l.KVMGuests).
				Diff("no running KVM machine", fmt.Sprintf("%d qemu processes", l.KVMGuests)).Advise("end them first; which they are", "pgrep -a qemu")
		}
		return ruled("linux.kvm_conflict", onLinux(evalKVM))(f)
	})(f)
}

func evalKVM(f *facts.Facts, l facts.Linux) finding.Verdict {
	module := kvmModule(l)
	switch {
	case l.BuiltInKVM && l.VirtAtLoad == "Y":
		return finding.Failf("KVM is built into this kernel and holds the processor's virtualization").Diff("kvm.enable_virt_at_load=0", "Y").
			Advise("add it to the kernel's command line, because no file of modprobe.d can reach a built-in KVM, then restart", "sudo grubby --update-kernel=ALL --args=kvm.enable_virt_at_load=0").
			Advise("or upgrade VirtualBox to 7.2.10 or later, which needs no such setting", "")
	case module == "" || l.VirtAtLoad == "N":
		return finding.Passf("KVM does not hold the processor")
	}
	return finding.Failf("%s holds the processor's virtualization: VirtualBox before 7.2.10 cannot start a VM on Linux 6.12 and later", module).
		Diff("no "+module+", or enable_virt_at_load=N", module+" with enable_virt_at_load="+orNone(l.VirtAtLoad)).
		Advise("now, until the next start", "sudo modprobe -r "+module).
		Advise("lasting; take it away again with VirtualBox 7.2.10", "echo 'options kvm enable_virt_at_load=0' | sudo tee /etc/modprobe.d/virtualbox-kvm.conf").
		Advise("or upgrade VirtualBox to 7.2.10 or later", "")
}

var _ = register(Check{
	ID: "linux.kvm_override_stale", Title: "No old KVM setting stands against this VirtualBox", Target: OnHost, Severity: finding.Critical, Rows: []string{"linux.kvm_override_stale"},
	After: []string{"vbox.version_empty"}, Level: LevelSudo, Link: vboxIssues + "711",
	Why:   "kvm.enable_virt_at_load=0 helped up to VirtualBox 7.2.8. With 7.2.10 and later it gives VERR_SVM_HOST_SVME_NOT_ENABLED or freezes the host.",
	Looks: "files of modprobe.d, /proc/cmdline, /sys/module/kvm/parameters/enable_virt_at_load", Source: "host-catalogue 1.2",
	Eval: onOS("linux", ruled("linux.kvm_override_stale", onLinux(evalKVMOverride))),
})

func evalKVMOverride(_ *facts.Facts, l facts.Linux) finding.Verdict {
	if l.VirtAtLoad != "N" && len(l.Overrides) == 0 {
		return finding.Passf("enable_virt_at_load is not switched off")
	}
	if kvmModule(l) == "" && !l.BuiltInKVM {
		return finding.Warnf("%s switches enable_virt_at_load off: as soon as KVM is loaded, VMs fail or the host freezes", cut(l.Overrides, 3)).
			Advise("take the setting out", removeOverride(l.Overrides))
	}
	v := finding.Failf("enable_virt_at_load is off, which makes VirtualBox 7.2.10 and later fail or freeze the host").
		Diff("no such setting", "enable_virt_at_load="+orNone(l.VirtAtLoad)+"; "+cut(l.Overrides, 3))
	if len(l.Overrides) > 0 {
		v = v.Advise("take the setting out", removeOverride(l.Overrides))
	}
	return v.Advise("then load KVM anew with its default, or restart", "sudo modprobe -r kvm_intel kvm_amd kvm; sudo modprobe kvm")
}

func removeOverride(where []string) string {
	for _, w := range where {
		if w != "/proc/cmdline" {
			return "sudo sed -i '/enable_virt_at_load/d' " + w
		}
	}
	return "sudo grubby --update-kernel=ALL --remove-args=kvm.enable_virt_at_load"
}
