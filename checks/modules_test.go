package checks

import (
	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

var _ = rows("modules.built",
	pass("there", assesstest.CentOS7, as),
	pass("the kernel's own", assesstest.Arch, as),
	pass("loaded from elsewhere", assesstest.CentOS7, onKernel(func(k *facts.Kernel) { k.Trees[0].Misc = nil })),
	fail("none", "vboxguest and vboxsf are", assesstest.CentOS7, assesstest.NoHeaders),
	fail("vboxsf did not compile", "vboxsf is", assesstest.CentOS7, both(assesstest.NoHeaders, onKernel(func(k *facts.Kernel) { k.Trees[0].Misc = []string{"vboxguest"} }))),
	fail("founding", "2.6.32-358.10.2.el6.x86_64", assesstest.Founding, as),
	unknown("not seen", assesstest.CentOS7, noKernel),
)

var _ = rows("modules.origin",
	pass("misc/", assesstest.CentOS7, as),
	pass("no Oracle additions, the kernel's own", assesstest.Fedora43, assesstest.InKernel),
	pass("old additions that DKMS built", assesstest.CentOS7, onModules(func(m *facts.Modules) {
		m.Guest.File, m.SF.File = "/lib/modules/x/extra/vboxguest.ko", "/lib/modules/x/extra/vboxsf.ko"
	})),
	fail("the kernel's own before Oracle's (S15)", "kernel/drivers/virt/vboxguest", assesstest.Debian12, shadowed),
	fail("the distribution's of another version (V15)", "virtualbox-guest", assesstest.Ubuntu2204, onModules(func(m *facts.Modules) {
		m.Guest.File, m.Guest.Version = "/lib/modules/x/kernel/virtualbox-guest/vboxguest.ko", "6.1.16_Ubuntu r140961"
	})),
	skip("modinfo finds none", "modules.built", assesstest.CentOS7, assesstest.NoHeaders),
	unknown("additions not seen", assesstest.CentOS7, noAdditions),
	unknown("modules not seen", assesstest.CentOS7, noModules),
)

var _ = rows("modules.loaded",
	pass("both", assesstest.CentOS7, as),
	pass("vboxsf is built in", assesstest.Arch, onModules(func(m *facts.Modules) { m.SF.Loaded, m.FSRegistered = false, true })),
	fail("none (M8)", "vboxguest and vboxsf are not loaded", assesstest.CentOS7, assesstest.Unloaded),
	fail("only vboxguest (M7)", "vboxsf is not loaded", assesstest.Ubuntu2204, onModules(func(m *facts.Modules) { m.SF.Loaded, m.FSRegistered = false, false })),
	fail("only vboxsf", "vboxguest is not loaded", assesstest.Ubuntu2204, onModules(func(m *facts.Modules) { m.Guest.Loaded = false })),
	unknown("not seen", assesstest.CentOS7, noModules),
)

var _ = rows("modules.version",
	pass("same build", assesstest.CentOS7, as),
	pass("same number, a revision is missing", assesstest.CentOS7, onAdditions(func(a *facts.Additions) { a.Control = "7.0.20" })),
	fail("old module in memory (M5)", "vboxguest in memory is 7.0.14 r161095", assesstest.CentOS7, onModules(func(m *facts.Modules) { m.Guest.Running = "7.0.14 r161095" })),
	fail("another revision (S14)", "7.0.20r163906", assesstest.CentOS7, onModules(func(m *facts.Modules) { m.SF.Running = "7.0.20 r163900" })),
	skip("the kernel's own has no version", "no version to compare", assesstest.Arch, as),
	unknown("modules not seen", assesstest.CentOS7, noModules),
	unknown("additions not seen", assesstest.CentOS7, noAdditions),
	unknown("nonsense from VBoxControl", assesstest.CentOS7, onAdditions(func(a *facts.Additions) { a.Control = "error" })),
	unknown("nonsense in sysfs", assesstest.CentOS7, onModules(func(m *facts.Modules) { m.Guest.Running = "?" })),
)

var _ = rows("modules.device",
	pass("there", assesstest.CentOS7, as),
	fail("another hypervisor", "DMI says KVM", assesstest.CentOS7, func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.System, func(s *facts.System) { s.PCIDevice, s.Product = false, "KVM" })
	}),
	unknown("not seen", assesstest.CentOS7, func(f *facts.Facts) { assesstest.Forget(&f.Guest.System) }),
)
