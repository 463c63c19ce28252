package checks

import (
	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

func hostIs(v string) func(*facts.Facts) {
	return func(f *facts.Facts) { assesstest.OldHost(f, v) }
}

func noHost(f *facts.Facts) {
	f.Host.VBoxManage = facts.Known(facts.VBoxManage{})
	assesstest.Edit(&f.Guest.Additions, func(a *facts.Additions) { a.HostVersion = "" })
}

func onAdditions(change func(*facts.Additions)) func(*facts.Facts) {
	return func(f *facts.Facts) { assesstest.Edit(&f.Guest.Additions, change) }
}

func onModules(change func(*facts.Modules)) func(*facts.Facts) {
	return func(f *facts.Facts) { assesstest.Edit(&f.Guest.Modules, change) }
}

func noModules(f *facts.Facts) { assesstest.Forget(&f.Guest.Modules) }

// none takes Guest Additions, modules and mounts away.
func none(f *facts.Facts) {
	assesstest.NoHeaders(f)
	f.Guest.Additions = facts.Known(facts.Additions{})
	f.Guest.Services = facts.Known(facts.Services{})
}

func installed(names ...string) func(*facts.Facts) {
	return func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Packages, func(p *facts.Packages) {
			for _, n := range names {
				p.Installed = append(p.Installed, facts.Package{Name: n, Version: "7.0.16"})
			}
		})
	}
}

var _ = rows("additions.installed",
	pass("Oracle's", assesstest.CentOS7, as),
	pass("the distribution's", assesstest.Arch, as),
	pass("the kernel's own, loaded", assesstest.Fedora43, assesstest.InKernel),
	pass("VBoxControl is broken, the record tells", assesstest.CentOS7, onAdditions(func(a *facts.Additions) { a.Control = "VBoxControl: error: failed" })),
	pass("no record, VBoxControl is broken, VBoxService tells", assesstest.CentOS7, onAdditions(func(a *facts.Additions) {
		a.HasConfig, a.ConfigVersion, a.Control = false, "", "Segmentation fault"
	})),
	fail("none (V1, V25)", "Guest Additions 7.0.20", assesstest.CentOS7, none),
	fail("none and the host unknown", "Guest Additions of the host's VirtualBox", assesstest.CentOS7, both(none, noHost)),
	fail("the kernel has vboxguest only", "no Guest Additions are installed", assesstest.Ubuntu2204, both(none, onKernel(func(k *facts.Kernel) { k.Trees[0].InTree = []string{"vboxguest"} }))),
	unknown("not seen", assesstest.CentOS7, noAdditions),
	unknown("unreadable version", assesstest.CentOS7, onAdditions(func(a *facts.Additions) { a.ConfigVersion, a.Control, a.Service = "?", "", "" })),
	unknown("none, and the kernel not seen", assesstest.CentOS7, both(none, noKernel)),
)

var _ = rows("additions.version",
	pass("same", assesstest.CentOS7, as),
	pass("a revision of the host is no difference", assesstest.CentOS7, func(f *facts.Facts) {
		assesstest.Edit(&f.Host.VBoxManage, func(m *facts.VBoxManage) { m.Version = "7.0.20_Debianr999999" })
	}),
	fail("founding", "Guest Additions 4.3.6 differ from VirtualBox 5.1.26 (VBoxManage)", assesstest.Founding, as),
	fail("minor differs", "differ from VirtualBox 7.1.4", assesstest.CentOS7, hostIs("7.1.4")),
	warn("patch differs", "of the same series", assesstest.CentOS7, hostIs("7.0.26")),
	warn("newer guest, same series", "--allow-downgrade", assesstest.CentOS7, hostIs("7.0.14")),
	warn("newer guest, another series", "newer than VirtualBox 6.1.50", assesstest.CentOS7, hostIs("6.1.50")),
	fail("told by --vbox-version to a guest given by address", "--vbox-version", assesstest.CentOS7, func(f *facts.Facts) {
		f.Host.Explicit, f.Host.GivenVersion = true, "7.2.22"
	}),
	fail("told from inside", "VBoxControl in the guest", assesstest.CentOS7, func(f *facts.Facts) {
		f.Host.VBoxManage = facts.Known(facts.VBoxManage{})
		assesstest.Edit(&f.Guest.Additions, func(a *facts.Additions) { a.HostVersion = "7.2.22" })
	}),
	skip("the kernel's own have no version", "no version to compare", assesstest.Fedora43, assesstest.InKernel),
	unknown("host unknown", assesstest.CentOS7, noHost),
	unknown("not seen", assesstest.CentOS7, noAdditions),
	unknown("nonsense from VBoxManage", assesstest.CentOS7, func(f *facts.Facts) {
		assesstest.Edit(&f.Host.VBoxManage, func(m *facts.VBoxManage) { m.Version = "WARNING" })
	}),
)

var _ = rows("additions.distro_packages",
	pass("none", assesstest.Debian12, as),
	pass("they alone, good enough", assesstest.Arch, as),
	fail("both (S1)", "virtualbox-guest-utils 7.0.16 and /opt/VBoxGuestAdditions-7.0.20", assesstest.Ubuntu2204, installed("virtualbox-guest-utils")),
	fail("they alone, too old for the host", "in the way", assesstest.Arch, hostIs("7.2.0")),
	warn("DKMS beside Oracle's (S4)", "vboxguest/7.0.16", assesstest.Debian12, func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Packages, func(p *facts.Packages) { p.DKMS = []string{"vboxguest/7.0.16"} })
	}),
	unknown("packages not seen", assesstest.Debian12, func(f *facts.Facts) { assesstest.Forget(&f.Guest.Packages) }),
	unknown("additions not seen", assesstest.Debian12, noAdditions),
	unknown("kernel not seen", assesstest.Arch, noKernel),
)

var _ = rows("additions.leftovers",
	pass("none", assesstest.CentOS7, as),
	fail("half an installation (S2)", "/opt/VBoxGuestAdditions-7.0.20", assesstest.CentOS7, onAdditions(func(a *facts.Additions) { a.HasConfig = false; a.InstallDir = "" })),
	fail("no filelist, and an installation is due (S3)", "filelist", assesstest.CentOS7, both(hostIs("7.1.0"), onAdditions(func(a *facts.Additions) { a.HasFilelist = false }))),
	warn("no filelist, and all is well", "it works", assesstest.CentOS7, onAdditions(func(a *facts.Additions) { a.HasFilelist = false })),
	warn("another version's folder", "VBoxGuestAdditions-6.1.22", assesstest.CentOS7, onAdditions(func(a *facts.Additions) {
		a.OptDirs = append(a.OptDirs, "/opt/VBoxGuestAdditions-6.1.22")
	})),
	unknown("not seen", assesstest.CentOS7, noAdditions),
)

var _ = rows("additions.services",
	pass("runs", assesstest.CentOS7, as),
	warn("failed (M6)", "vboxadd-service: failed", assesstest.CentOS7, assesstest.NoHeaders),
	warn("EL6 (M10)", "not running", assesstest.Founding, as),
	warn("no unit", "no service", assesstest.CentOS7, func(f *facts.Facts) { f.Guest.Services = facts.Known(facts.Services{}) }),
	skip("the kernel's own modules have none", "no service", assesstest.Fedora43, both(assesstest.InKernel, func(f *facts.Facts) { f.Guest.Services = facts.Known(facts.Services{}) })),
	unknown("not seen", assesstest.CentOS7, func(f *facts.Facts) { assesstest.Forget(&f.Guest.Services) }),
)

func logSays(text string) func(*facts.Facts) {
	return func(f *facts.Facts) {
		f.Guest.GALog = facts.Known(facts.GALog{Path: "/var/log/vboxadd-setup.log", Text: text})
	}
}

var _ = rows("additions.log",
	pass("none yet", assesstest.CentOS7, as),
	pass("the modules are there", assesstest.CentOS7, logSays("Kernel headers not found for target kernel x.")),
	fail("founding", "unable to find the sources of your current Linux kernel", assesstest.Founding, as),
	fail("names the check that judges the cause", "tools.compiler", assesstest.CentOS7, both(assesstest.NoHeaders, logSays("Please install the gcc make perl packages from your distribution.\n"))),
	fail("the kernel's messages count too", "no VirtualBox device", assesstest.CentOS7, both(assesstest.NoHeaders, func(f *facts.Facts) {
		f.Guest.GALog = facts.Known(facts.GALog{Path: "/var/log/vboxadd-setup.log", DMesg: "vboxguest: PCI device not found, probably running on physical hardware."})
	})),
	warn("only the graphics driver", "only the graphics driver", assesstest.CentOS7, both(assesstest.NoHeaders, logSays("/tmp/vbox.0/vbox_fb.c:128:22: error: 'x' undeclared\n"))),
	warn("nothing that is known", "sudo tail", assesstest.CentOS7, both(assesstest.NoHeaders, logSays("words\n"))),
	unknown("not read", assesstest.CentOS7, func(f *facts.Facts) { assesstest.Forget(&f.Guest.GALog) }),
	unknown("kernel not seen", assesstest.CentOS7, both(logSays("x"), noKernel)),
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
