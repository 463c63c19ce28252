package checks

import (
	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

var _ = hostRows("linux.vboxdrv_unloaded", linuxHost,
	fail("not loaded", "dpkg-reconfigure virtualbox-dkms", linuxHost, inLinux(func(l *facts.Linux) { l.Loaded = []string{"kvm"} })),
	fail("of the version before the upgrade", "7.0.18", linuxHost, inLinux(func(l *facts.Linux) { l.Driver = "7.0.18 r162988 (0x00330004)" })),
	unknown("VirtualBox tells no version", linuxHost, func(f *facts.Facts) { assesstest.Forget(&f.Host.VBoxManage) }),
	skip("other systems", "only on Linux", macHost, as),
)

var _ = hostRows("linux.headers", linuxHost,
	fail("missing while the driver is", "linux-headers-$(uname -r)", linuxHost, inLinux(func(l *facts.Linux) { l.Headers, l.Loaded = false, nil })),
	pass("missing, but the driver is loaded", linuxHost, inLinux(func(l *facts.Linux) { l.Headers = false })),
	fail("on Fedora", "dnf install kernel-devel", linuxHost, allOf(inLinux(func(l *facts.Linux) { l.Headers, l.Loaded = false, nil }), inSystem(func(s *facts.HostSystem) { s.Distro = "fedora" }))),
)

var _ = hostRows("linux.secure_boot", linuxHost,
	fail("Secure Boot", "mokutil --import", linuxHost, inLinux(func(l *facts.Linux) { l.SecureBoot, l.Loaded = true, nil })),
	fail("lockdown alone", "lockdown integrity", linuxHost, inLinux(func(l *facts.Linux) { l.Lockdown, l.Loaded = "integrity", nil })),
	pass("a signed driver is loaded", linuxHost, inLinux(func(l *facts.Linux) { l.SecureBoot = true })),
)

var _ = hostRows("linux.vboxnetctl", linuxHost, fail("absent", "modprobe vboxnetadp", linuxHost, inLinux(func(l *facts.Linux) { l.NetCtl = false })))

var _ = hostRows("linux.xen", linuxHost, fail("dom0", "does not run under Xen", linuxHost, inLinux(func(l *facts.Linux) { l.Xen = true })))

// new12 is a kernel that takes the processor as soon as KVM is loaded.
var new12 = allOf(inSystem(func(s *facts.HostSystem) { s.Kernel = "6.12.5-amd64" }), inLinux(func(l *facts.Linux) { l.VirtAtLoad = "Y" }))

// builtIn is such a kernel with KVM in it, beside a VirtualBox that cannot stand that; onCommandLine one with the setting that
// a newer VirtualBox cannot stand.
var (
	builtIn       = allOf(new12, versionsOf("7.2.8r173730", ""), inLinux(func(l *facts.Linux) { l.BuiltInKVM, l.Loaded = true, []string{"vboxdrv"} }))
	onCommandLine = allOf(versionsOf("7.2.10r174000", ""), inLinux(func(l *facts.Linux) { l.VirtAtLoad, l.Overrides = "N", []string{"/proc/cmdline"} }))
)

func distro(names string) func(*facts.Facts) {
	return inSystem(func(s *facts.HostSystem) { s.Distro = names })
}

var _ = hostRows("linux.kvm_conflict", linuxHost,
	fail("before 7.2.10 on Linux 6.12", "sudo modprobe -r kvm_intel", linuxHost, allOf(new12, versionsOf("7.2.8r173730", ""))),
	// Debian was told to use grubby, which it has not.
	fail("built in: modprobe.d cannot reach it", "/etc/default/grub.d/virtualbox-kvm.cfg && sudo update-grub", linuxHost, builtIn),
	fail("built in, Fedora", "grubby --update-kernel=ALL --args=kvm.enable_virt_at_load=0", linuxHost, allOf(builtIn, distro("fedora"))),
	fail("built in, openSUSE", "/etc/default/grub && sudo grub2-mkconfig -o /boot/grub2/grub.cfg", linuxHost, allOf(builtIn, distro("opensuse-tumbleweed opensuse suse"))),
	fail("built in, Arch", "/etc/default/grub && sudo grub-mkconfig -o /boot/grub/grub.cfg", linuxHost, allOf(builtIn, distro("arch"))),
	pass("the override is set", linuxHost, allOf(new12, versionsOf("7.2.8r173730", ""), inLinux(func(l *facts.Linux) { l.VirtAtLoad = "N" }))),
	pass("an older kernel", linuxHost, versionsOf("7.2.8r173730", "")),
	pass("7.2.10 needs nothing", linuxHost, allOf(new12, versionsOf("7.2.10r174000", ""))),
	warn("a KVM machine runs", "pgrep -a qemu", linuxHost, allOf(versionsOf("7.2.10r174000", ""), inLinux(func(l *facts.Linux) { l.KVMGuests = 2 }))),
)

var _ = hostRows("linux.kvm_override_stale", linuxHost,
	fail("left over on 7.2.10", "sudo sed -i '/enable_virt_at_load/d' /etc/modprobe.d/virtualbox.conf", linuxHost, allOf(versionsOf("7.2.10r174000", ""), inLinux(func(l *facts.Linux) {
		l.VirtAtLoad, l.Overrides = "N", []string{"/etc/modprobe.d/virtualbox.conf"}
	}))),
	fail("on the command line", "-exec sed -i 's/ *kvm\\.enable_virt_at_load=[0-9A-Za-z]*//g' {} + && sudo update-grub", linuxHost, onCommandLine),
	fail("on the command line of Fedora", "--remove-args=kvm.enable_virt_at_load", linuxHost, allOf(onCommandLine, distro("fedora"))),
	warn("KVM is not loaded now", "take the setting out", linuxHost, allOf(versionsOf("7.2.10r174000", ""), inLinux(func(l *facts.Linux) {
		l.Loaded, l.Overrides = []string{"vboxdrv"}, []string{"/etc/modprobe.d/virtualbox.conf"}
	}))),
	pass("it is the right advice before 7.2.10", linuxHost, inLinux(func(l *facts.Linux) { l.VirtAtLoad, l.Overrides = "N", []string{"/etc/modprobe.d/virtualbox.conf"} })),
)

var _ = hostRows("cpu.virt_disabled", linuxHost,
	fail("switched off", "firmware", linuxHost, inLinux(func(l *facts.Linux) { l.CPUVirt = "" })),
	skip("a VM is another row", "cpu.virt_absent", linuxHost, inLinux(func(l *facts.Linux) { l.CPUVirt, l.InVM = "", true })),
	fail("Windows", "supports HW virtualization: no", windowsHost, inList(hostInfo, func(i *facts.HostInfo) { i.HWVirt = "no" })),
	// Without its driver, VBoxManage 7.2.22 says 0 cores and no virtualization of every host.
	unknown("VBoxManage knows no processor", windowsHost, inList(hostInfo, func(i *facts.HostInfo) { i.HWVirt, i.Cores = "no", 0 })),
	skip("ARM", "no such switch", appleSilicon, as),
)

func hostInfo(l *facts.Lists) *facts.Value[facts.HostInfo] { return &l.HostInfo }

var _ = hostRows("cpu.virt_absent", linuxHost,
	fail("a VM without nesting", "without nested virtualization", linuxHost, inLinux(func(l *facts.Linux) { l.CPUVirt, l.InVM = "", true })),
	pass("a VM with nesting", linuxHost, inLinux(func(l *facts.Linux) { l.InVM = true })),
)

var _ = hostRows("cpu.nested_guest", windowsHost,
	warn("taken by Windows", "win.hyperv_old", windowsHost, inList(hostInfo, func(i *facts.HostInfo) { i.NestedHWVirt = "no" })),
	unknown("not told", windowsHost, inList(hostInfo, func(i *facts.HostInfo) { i.NestedHWVirt = "" })),
	skip("elsewhere it does not matter", "only on Windows", linuxHost, as),
)

var _ = hostRows("arch.mismatch", linuxHost,
	fail("an Intel box on ARM", "made for amd64, this host is arm64", linuxHost, inSystem(func(s *facts.HostSystem) { s.Arch = "arm64" })),
	pass("a box that does not say", linuxHost, inHome(func(h *facts.VagrantHome) { h.Boxes[0].Arch = "unknown" })),
	skip("the box is not installed", "installed", linuxHost, inHome(func(h *facts.VagrantHome) { h.Boxes = nil })),
)

var _ = hostRows("res.memory", linuxHost,
	fail("more than the host has", "the host has 16000 MB", linuxHost, inWish(func(m *facts.WantedMachine) { m.MemoryMB = facts.Known(20000) })),
	fail("more than VirtualBox gives", "at most 3584 MB", linuxHost, allOf(inWish(func(m *facts.WantedMachine) { m.MemoryMB = facts.Known(6041) }),
		inList(func(l *facts.Lists) *facts.Value[facts.SystemProperties] { return &l.Properties }, func(p *facts.SystemProperties) { p.MaxRAMMB = 3584 }))),
	warn("more than is free", "9000 MB are free", linuxHost, inWish(func(m *facts.WantedMachine) { m.MemoryMB = facts.Known(12000) })),
	unknown("computed", linuxHost, inWish(func(m *facts.WantedMachine) { m.MemoryMB = unread[int]() })),
)

var _ = hostRows("res.cpu", linuxHost,
	warn("more than there are", "the host has 4 cores", linuxHost, inWish(func(m *facts.WantedMachine) { m.CPUs = facts.Known(8) })),
	unknown("computed", linuxHost, inWish(func(m *facts.WantedMachine) { m.CPUs = unread[int]() })),
)
