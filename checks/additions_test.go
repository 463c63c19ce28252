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
