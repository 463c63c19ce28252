package checks

import (
	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

var hypervisor = inWindows(func(w *facts.Windows) { w.Hypervisor, w.Evidence = true, "the service HvHost runs" })

var _ = hostRows("win.hyperv_old", windowsHost,
	fail("VirtualBox 6 on Hyper-V", "bcdedit", windowsHost, allOf(hypervisor, versionsOf("6.1.50r161033", ""))),
	pass("VirtualBox 7 runs on top of it", windowsHost, hypervisor),
	pass("no hypervisor", windowsHost, versionsOf("6.1.50r161033", "")),
	skip("other systems", "only on Windows", linuxHost, as),
)

var _ = hostRows("win.green_turtle", windowsHost, warn("the log says so", "Snail", windowsHost, inSettings(func(s *facts.VMSettings) { s.Slow = "HM: Snail execution mode is active!" })))

var _ = hostRows("win.vagrant_refuses_hyperv", windowsHost,
	fail("2.3.4 refuses", "Vagrant 2.3.4 refuses", windowsHost, allOf(hypervisor, versionsOf("7.0.20r163906", "2.3.4"))),
	pass("2.3.5 does not", windowsHost, allOf(hypervisor, versionsOf("7.0.20r163906", "2.3.5"))),
	unknown("Vagrant's version is not told", windowsHost, allOf(hypervisor, inVagrant(func(v *facts.Vagrant) { v.Version = "" }))),
)

func powershell(v string) func(*facts.Facts) {
	return inWindows(func(w *facts.Windows) { w.PowerShell = v })
}

// Founding row: `vagrant up` prints nothing for ever.
var _ = hostRows("win.powershell_hang", windowsHost,
	fail("PowerShell 2 and Vagrant 1.9.8", "Windows Management Framework 5.1", windowsHost, allOf(powershell("2.0"), versionsOf("5.1.26r117224", "1.9.8"))),
	fail("it was started and did not return", "did not return", windowsHost, inWindows(func(w *facts.Windows) { w.PowerShellHung = true })),
	pass("a newer Vagrant asks another way", windowsHost, allOf(powershell("2.0"), versionsOf("5.2.8r121009", "2.0.3"))),
)

var _ = hostRows("win.powershell_old", windowsHost,
	fail("2", "Vagrant needs 3 or later", windowsHost, powershell("2.0")),
	pass("Vagrant 1.9.7 does not ask", windowsHost, allOf(powershell("2.0"), versionsOf("5.1.26r117224", "1.9.7"))),
	unknown("none is recorded", windowsHost, powershell("")),
)

var _ = hostRows("win.powershell_missing", windowsHost, fail("nowhere", "setx PATH", windowsHost, inWindows(func(w *facts.Windows) { w.PowerShellPath = "" })))

var _ = hostRows("win.env_too_big", windowsHost, warn("nearly full", "32767", windowsHost, inWindows(func(w *facts.Windows) { w.EnvSize = 32000 })))

var _ = hostRows("win.home_non_ascii", windowsHost,
	fail("an accent in the profile", "setx VAGRANT_HOME", windowsHost, inHome(func(h *facts.VagrantHome) { h.Path = `C:\Users\Stéphane\.vagrant.d` })))

var _ = hostRows("win.home_space", windowsHost, warn("a space", "has a space", windowsHost, inHome(func(h *facts.VagrantHome) { h.Path = `C:\Users\Jo Doe\.vagrant.d` })))

var _ = hostRows("mac.kext", macHost,
	fail("not allowed yet", "Privacy & Security", macHost, inDarwin(func(d *facts.Darwin) { d.Driver = false })),
	skip("Apple Silicon needs none", "no kernel extension", appleSilicon, as),
)

var _ = hostRows("mac.arm_too_old", appleSilicon,
	fail("7.0", "does not run on Apple Silicon", appleSilicon, versionsOf("7.0.8r156879", "")),
	skip("Intel", "Intel processor", macHost, as),
)

var _ = hostRows("vbox.hardening", windowsHost,
	fail("the service is stopped", "sc start VBoxSup", windowsHost, inWindows(func(w *facts.Windows) { w.Services[0].Running = false })),
	fail("no service at all", "driver service is not", windowsHost, inWindows(func(w *facts.Windows) { w.Services = nil })),
	fail("the last start was stopped", "antivirus", windowsHost, inSettings(func(s *facts.VMSettings) { s.Hardening = "Error (rc=-5640):" })),
)

var _ = hostRows("vbox.registry_corrupt", linuxHost,
	fail("cut off", "VirtualBox.xml-prev", linuxHost, edit(func(p *facts.Preflight) *facts.Value[facts.SettingsFile] { return &p.Settings }, func(s *facts.SettingsFile) {
		s.Damage, s.Previous = "XML syntax error on line 8: unexpected EOF", s.Path+"-prev"
	})),
	fail("without a copy", "registervm", linuxHost, edit(func(p *facts.Preflight) *facts.Value[facts.SettingsFile] { return &p.Settings }, func(s *facts.SettingsFile) { s.Damage = "EOF" })),
)

var _ = hostRows("vbox.world_writable", macHost, fail("open to all", "chmod o-w /Applications", macHost, inSystem(func(s *facts.HostSystem) { s.OpenFolders = []string{"/Applications"} })))

var _ = hostRows("vbox.extpack", linuxHost,
	fail("left behind by an upgrade", "extpack uninstall", linuxHost, inList(func(l *facts.Lists) *facts.Value[[]facts.ExtPack] { return &l.ExtPacks }, func(all *[]facts.ExtPack) {
		*all = []facts.ExtPack{{Name: "Oracle VirtualBox Extension Pack", Version: "6.1.50", Why: "VERR_VERSION_MISMATCH"}}
	})),
	fail("USB 3 without the pack before 7.0", "--usbxhci off", linuxHost, allOf(versionsOf("6.1.50r161033", ""), func(f *facts.Facts) { f.Host.Preflight.Lists.ExtPacks = facts.Known([]facts.ExtPack{}) },
		inSettings(func(s *facts.VMSettings) { s.USB = "xhci" }))),
	pass("7.0 has USB 3 itself", linuxHost, inSettings(func(s *facts.VMSettings) { s.USB = "xhci" })),
)

var _ = hostRows("vbox.unsupported", linuxHost,
	fail("VirtualBox 7.2 and Vagrant 2.3.4", "Vagrant 2.4.9 was the first", linuxHost, versionsOf("7.2.22_Debianr175245", "2.3.4")),
	fail("what the old Vagrant can do", "install VirtualBox 7.0", linuxHost, versionsOf("7.2.22_Debianr175245", "2.3.4")),
	fail("newer than every Vagrant", "no Vagrant known", linuxHost, versionsOf("8.0.2r200000", "")),
	fail("refused by name", "4.2.14", linuxHost, versionsOf("4.2.14r86644", "")),
	warn("a test build", "test build", linuxHost, versionsOf("7.0.0_BETA1r152893", "")),
	skip("no Vagrant", "Vagrant was not found", linuxHost, inVagrant(func(v *facts.Vagrant) { v.Path = "" })),
	unknown("Vagrant tells no version", linuxHost, inVagrant(func(v *facts.Vagrant) { v.Version = "" })),
	unknown("VirtualBox tells none", linuxHost, func(f *facts.Facts) { assesstest.Forget(&f.Host.VBoxManage) }),
)
