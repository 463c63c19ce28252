package checks

import (
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

var _ = register(Check{
	ID: "vbox.registry_corrupt", Title: "VirtualBox's list of machines can be read", Target: OnHost, Severity: finding.Critical, Rows: []string{"vbox.registry_corrupt"},
	Level: LevelConfirm, Link: vagrantIssues + "4886",
	Why:   "`Failed to create the VirtualBox object!` `Premature end of data in tag VirtualBox`: a truncated VirtualBox.xml stops VirtualBox and with it every vagrant command.",
	Looks: "VirtualBox.xml, and VirtualBox.xml-prev beside it", Source: "host-catalogue 1.3",
	Eval: preflight(func(p *facts.Preflight) facts.Value[facts.SettingsFile] { return p.Settings }, func(_ *facts.Facts, s facts.SettingsFile) finding.Verdict {
		if s.Damage == "" {
			return finding.Passf("%s", orNone(s.Path))
		}
		v := finding.Failf("%s cannot be read: %s", s.Path, s.Damage).Diff("well-formed XML", s.Damage)
		if s.Previous == "" {
			return v.Advise("close VirtualBox, move the file aside, and register your machines again with VBoxManage registervm", "mv "+quoted(s.Path)+" "+quoted(s.Path+".broken")).ByHand()
		}
		return v.Advise("close every VirtualBox program, keep the broken file, and put VirtualBox's own copy in its place",
			"cp -p "+quoted(s.Path)+" "+quoted(s.Path+".broken")+" && cp -p "+quoted(s.Previous)+" "+quoted(s.Path))
	}),
})

var _ = register(Check{
	ID: "vbox.world_writable", Title: "Nobody else can write to VirtualBox's folders", Target: OnHost, Severity: finding.Critical, Rows: []string{"vbox.world_writable"}, Level: LevelSudo,
	After: []string{"vbox.missing"}, Link: vagrantIssues + "1823",
	Why:   "`Failed to load VMMR0.r0 (VERR_SUPLIB_WORLD_WRITABLE)`: VirtualBox starts no VM from folders that everybody may write to.",
	Looks: "the modes of all folders above VBoxManage", Source: "host-catalogue 1.3",
	Eval: preflight(func(p *facts.Preflight) facts.Value[facts.HostSystem] { return p.System }, func(f *facts.Facts, s facts.HostSystem) finding.Verdict {
		if f.Host.OS == "windows" {
			return finding.Skipf("Windows keeps rights another way")
		}
		if len(s.OpenFolders) == 0 {
			return finding.Passf("none")
		}
		return finding.Failf("everybody may write to %s, in which VirtualBox lies", cut(s.OpenFolders, 3)).Diff("not writable by others", "o+w").
			Advise("take that right away", "sudo chmod o-w "+quoted(s.OpenFolders[0]))
	}),
})

var _ = register(Check{
	ID: "vbox.hardening", Title: "No other program gets in the way of VirtualBox's start", Target: OnHost, Severity: finding.Critical, Rows: []string{"vbox.hardening"}, Level: LevelManual,
	Link:  vagrantIssues + "10922",
	Why:   "`The virtual machine has terminated unexpectedly during startup with exit code 1 (0x1)`: an antivirus puts its own code into the VM's process, or the service VBoxSup does not run.",
	Looks: "the services VBoxSup and VBoxDrv, and the last VBoxHardening.log of the project's VMs", Source: "host-catalogue 1.3",
	Eval: onWindows(evalHardening),
})

func evalHardening(f *facts.Facts, w facts.Windows) finding.Verdict {
	for _, r := range f.Host.Preflight.Project.Or(facts.Project{}).Records {
		if line := r.Settings.Or(facts.VMSettings{}).Hardening; line != "" {
			return finding.Failf("the last start of machine %s was stopped from outside: %s", r.Name, line).Diff("no error in VBoxHardening.log", line).
				Advise("make an exception for VirtualBox in the antivirus, or install VirtualBox again", "")
		}
	}
	for _, s := range w.Services {
		if !s.Running {
			return finding.Failf("VirtualBox's driver service %s does not run", s.Name).Diff("running", "stopped").
				Advise("start it, as administrator", "sc start "+s.Name).Advise("and let it start with Windows", "sc config "+s.Name+" start= system")
		}
	}
	if len(w.Services) == 0 && w.InstallDir != "" {
		return finding.Failf("VirtualBox is installed in %s, but its driver service is not", w.InstallDir).Diff("the service VBoxSup", "none").Advise("install VirtualBox again", "")
	}
	return finding.Passf("%d services run", len(w.Services))
}

func extPacks(p *facts.Preflight) facts.Value[[]facts.ExtPack] { return p.Lists.ExtPacks }

var _ = register(Check{
	ID: "vbox.extpack", Title: "The extension packs fit this VirtualBox", Target: OnHost, Severity: finding.Major, Rows: []string{"vbox.extpack"}, Level: LevelConfirm,
	After: []string{"vbox.version_empty"}, Link: vboxIssues + "154",
	Why:   "A pack that an upgrade left behind does not load (`VERR_VERSION_MISMATCH … expected 7.2 got 7.1`), and before VirtualBox 7.0 a box with USB 2 or 3 does not start without one.",
	Looks: "`VBoxManage list extpacks`; the USB controllers of the project's VMs", Source: "host-catalogue 1.3",
	Eval: preflight(extPacks, evalExtPacks),
})

func evalExtPacks(f *facts.Facts, packs []facts.ExtPack) finding.Verdict {
	box, err := vbox(f)
	if err != nil {
		return finding.Cannot(err)
	}
	oracle := false
	for _, p := range packs {
		v, err := version.ParseVBox(p.Version)
		bad := !p.Usable || err == nil && !v.SameSeries(box)
		if bad {
			return finding.Failf("the extension pack %q %s does not fit VirtualBox %s (%s)", p.Name, p.Version, box.Number, orNone(p.Why)).Diff(box.Series(), p.Version).
				Advise("install the pack of this VirtualBox, or take the old one off (as administrator)", `VBoxManage extpack uninstall "`+p.Name+`"`)
		}
		oracle = oracle || strings.Contains(p.Name, "Extension Pack")
	}
	for _, r := range f.Host.Preflight.Project.Or(facts.Project{}).Records {
		if s := r.Settings.Or(facts.VMSettings{}); s.USB != "" && !oracle {
			return ruled("vbox.extpack", func(*facts.Facts) finding.Verdict {
				return finding.Failf("machine %s has a %s controller, which needs the extension pack with VirtualBox %s", r.Name, s.USB, box.Number).Diff("the extension pack", "none").
					Advise("switch the controller off", "VBoxManage modifyvm "+quoted(r.ID)+" --usb"+s.USB+" off")
			})(f)
		}
	}
	return finding.Passf("%d packs", len(packs))
}
