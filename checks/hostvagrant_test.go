package checks

import (
	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

var _ = hostRows("vagrant.too_old_for_project", linuxHost,
	fail("requires a newer one", "requires Vagrant >= 2.4.10", linuxHost, inWanted(func(w *facts.Wanted) { w.Require = []string{">= 2.4.10"} })),
	pass("fits", linuxHost, inWanted(func(w *facts.Wanted) { w.Require = []string{">= 2.2"} })),
	unknown("no constraint", linuxHost, inWanted(func(w *facts.Wanted) { w.Require = []string{"a newer one"} })),
	unknown("no version is told", linuxHost, allOf(inVagrant(func(v *facts.Vagrant) { v.Version = "" }), inWanted(func(w *facts.Wanted) { w.Require = []string{">= 2.2"} }))),
)

var _ = hostRows("vagrant.home_newer", linuxHost, fail("3.0", "newer Vagrant wrote", linuxHost, inHome(func(h *facts.VagrantHome) { h.SetupVersion = "3.0" })),
	skip("no home yet", "does not exist yet", linuxHost, inHome(func(h *facts.VagrantHome) { h.Exists = false })))

var _ = hostRows("vagrant.home_access", linuxHost, fail("root's", "sudo chown", linuxHost, inHome(func(h *facts.VagrantHome) { h.Denied = "it cannot be written" })))

var _ = hostRows("vagrant.index_corrupt", linuxHost,
	fail("no JSON", "it is not JSON", linuxHost, inHome(func(h *facts.VagrantHome) { h.Index = "it is not JSON" })),
	warn("empty", "forgotten every machine", linuxHost, inHome(func(h *facts.VagrantHome) { h.Index, h.IndexEmpty = "it is empty", true })),
)

var _ = hostRows("vagrant.tools_missing", linuxHost,
	fail("a distribution's Vagrant", "libarchive-tools", linuxHost, inVagrant(func(v *facts.Vagrant) { v.Installer, v.Missing = false, []string{"bsdtar"} })),
	pass("HashiCorp's brings them", linuxHost, inVagrant(func(v *facts.Vagrant) { v.Missing = []string{"bsdtar"} })),
)

var _ = hostRows("ssh.client", linuxHost,
	fail("none", "openssh-client", linuxHost, inVagrant(func(v *facts.Vagrant) { v.Installer, v.SSH = false, "" })),
	fail("PuTTY's", "PuTTY", windowsHost, inVagrant(func(v *facts.Vagrant) { v.Plink, v.SSH = true, `C:\PuTTY\ssh.exe` })),
)

var _ = hostRows("vagrantfile.broken", linuxHost, fail("an end too few", "line 9", linuxHost, inWanted(func(w *facts.Wanted) { w.Broken = "line 9, column 1: an end is missing" })))

var _ = hostRows("vagrant.locked", linuxHost, warn("vagrant works", "fuser -v", linuxHost, inRecord(func(r *facts.Record) { r.Held = true })))

var _ = hostRows("provider.other_active", linuxHost,
	warn("libvirt", "run by libvirt", linuxHost, inRecord(func(r *facts.Record) { r.Others = []string{"libvirt"} })),
	warn("by the environment", "VAGRANT_DEFAULT_PROVIDER is docker", linuxHost, inEnv(func(e *facts.Env) { e.Provider = "docker" })),
)

func inPlugin(change func(*facts.Plugin)) func(*facts.Facts) {
	return inHome(func(h *facts.VagrantHome) { change(&h.Plugins[0]) })
}

var removed = inPlugin(func(p *facts.Plugin) { p.Name, p.Removed = "vagrant-vbguest", "hosts/virtualbox.rb:84" })

var _ = hostRows("plugin.exists_removed", linuxHost,
	fail("vbguest", "vagrant plugin uninstall vagrant-vbguest", linuxHost, removed),
	fail("of the project", "vagrant plugin update nugrant --local", linuxHost, inPlugin(func(p *facts.Plugin) { p.Name, p.Local, p.Removed = "nugrant", true, "x.rb:1" })),
	fail("the Vagrantfile itself", "Vagrantfile:3", linuxHost, inProject(func(p *facts.Project) { p.Removed = "/home/me/project/Vagrantfile:3" })),
	pass("an older Ruby still has it", linuxHost, allOf(removed, inHome(func(h *facts.VagrantHome) { h.Rubies = []string{"2.7.6"} }))),
	skip("no plugins", "no plugin", linuxHost, inHome(func(h *facts.VagrantHome) { h.Rubies = nil })),
)

var _ = hostRows("plugin.init", linuxHost, fail("lost by an upgrade", "vagrant plugin repair", linuxHost, inPlugin(func(p *facts.Plugin) { p.Folder = false })))

var _ = hostRows("plugin.conflict", linuxHost, warn("a distribution's Vagrant", "a distribution's", linuxHost, inVagrant(func(v *facts.Vagrant) { v.Installer = false })))

var _ = hostRows("plugin.local_missing", linuxHost,
	fail("not installed", "vagrant plugin install --local", linuxHost, inWanted(func(w *facts.Wanted) { w.Plugins = []string{"vagrant-hostmanager"} })),
	pass("installed", linuxHost, inWanted(func(w *facts.Wanted) { w.Plugins = []string{"vagrant-disksize"} })),
)

var _ = hostRows("wsl.no_access", wslHost,
	fail("not set", "export VAGRANT_WSL_ENABLE_WINDOWS_ACCESS=1", wslHost, inEnv(func(e *facts.Env) { e.WSLAccess = "" })),
	skip("plain Linux", "not inside", linuxHost, as),
	unknown("no environment", wslHost, func(f *facts.Facts) { assesstest.Forget(&f.Host.Preflight.Env) }),
)

var _ = hostRows("wsl.project_on_volfs", wslHost, warn("inside Linux", "/home/me/project", wslHost, inProject(func(p *facts.Project) { p.Root = "/home/me/project" })))

var _ = hostRows("wsl2.loopback", wslHost,
	warn("without the plugin", "virtualbox_WSL2", wslHost, inHome(func(h *facts.VagrantHome) { h.Plugins = nil })),
	pass("WSL 1 shares it", wslHost, allOf(inHome(func(h *facts.VagrantHome) { h.Plugins = nil }), inSystem(func(s *facts.HostSystem) { s.WSL = 1 }))),
)
