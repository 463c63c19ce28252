package checks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
)

var _ = register(Check{
	ID: "plugin.exists_removed", Title: "No plugin calls what Ruby has removed", Target: OnHost, Severity: finding.Critical, Rows: []string{"plugin.exists_removed", "H1"}, Level: LevelConfirm,
	Link:  vagrantIssues + "13404",
	Why:   "Ruby 3.2 removed File.exists? and Dir.exists?. Vagrant 2.4.2 and later bring such a Ruby, and plugins such as vagrant-vbguest 0.32.0 end every command with `undefined method 'exists?' for class File`.",
	Looks: "the .rb files of installed plugins and the Vagrantfile, where the newest Ruby of the Vagrant home is 3.2 or later", Source: "host-catalogue 1.6, finding 7",
	Eval: ruled("plugin.exists_removed", onHome(evalRemoved)),
})

func evalRemoved(f *facts.Facts, h facts.VagrantHome) finding.Verdict {
	for _, p := range h.Plugins {
		if p.Removed == "" {
			continue
		}
		v := finding.Failf("the plugin %s %s calls File.exists? or Dir.exists?, which Ruby %s no longer has (%s)", p.Name, p.Version, h.Rubies[len(h.Rubies)-1], p.Removed).
			Diff("File.exist?", p.Removed)
		if p.Name == "vagrant-vbguest" {
			return v.Advise("boxdoctor does what this plugin did: take it off", "vagrant plugin uninstall vagrant-vbguest"+local(p))
		}
		return v.Advise("look for a newer release of it", "vagrant plugin update "+p.Name+local(p)).Advise("or take it off", "vagrant plugin uninstall "+p.Name+local(p))
	}
	if at := f.Host.Preflight.Project.Or(facts.Project{}).Removed; at != "" {
		return finding.Failf("the Vagrantfile calls File.exists? or Dir.exists?, which Ruby %s no longer has (%s)", h.Rubies[len(h.Rubies)-1], at).Diff("File.exist?", at).
			Advise("write File.exist? and Dir.exist? there", "")
	}
	return finding.Passf("%d plugins", len(h.Plugins))
}

// local is the option for plugins of a project.
func local(p facts.Plugin) string {
	if p.Local {
		return " --local"
	}
	return ""
}

var _ = register(Check{
	ID: "plugin.init", Title: "Every plugin is installed for this Ruby", Target: OnHost, Severity: finding.Critical, Rows: []string{"plugin.init"}, Level: LevelConfirm,
	CausedBy: []string{"plugin.exists_removed"}, Link: vagrantIssues + "13180",
	Why:   "After an upgrade of Vagrant the plugins of the old Ruby are gone: `Vagrant failed to initialize at a very early stage: The plugins failed to initialize correctly.` The commands that it prints leave a project's own plugins alone.",
	Looks: "plugins.json against the folders of gems, in the Vagrant home and in the project", Source: "host-catalogue 1.6",
	Eval: onHome(func(_ *facts.Facts, h facts.VagrantHome) finding.Verdict {
		for _, p := range h.Plugins {
			if !p.Folder {
				return finding.Failf("the plugin %s %s is listed, but its code is not there for the newest Ruby", p.Name, p.Version).
					Diff("a folder "+p.Name+"-"+p.Version, "none; installed with Ruby "+orNone(p.Ruby)).
					Advise("repair it", "vagrant plugin repair"+local(p)).Advise("if that fails, install all of them again", "vagrant plugin expunge --reinstall"+local(p))
			}
		}
		return finding.Passf("%d plugins", len(h.Plugins))
	}),
})

var _ = register(Check{
	ID: "plugin.conflict", Title: "No distribution's Vagrant mixes with installed plugins", Target: OnHost, Severity: finding.Minor, Rows: []string{"plugin.conflict"}, Level: LevelConfirm,
	Link:  vagrantIssues + "10826",
	Why:   "A distribution's Vagrant brings plugins of its own with strict versions; another plugin then cannot be installed: `The plugin(s) can't be installed due to the version conflicts below.`",
	Looks: "whether Vagrant is HashiCorp's package, and plugins.json", Source: "host-catalogue 1.6",
	Eval: onVagrant(func(f *facts.Facts, v facts.Vagrant) finding.Verdict {
		h, err := f.Host.Preflight.Home.Get()
		switch {
		case err != nil:
			return finding.Cannot(err)
		case v.Installer || len(h.Plugins) == 0:
			return finding.Passf("HashiCorp's package: %t, plugins: %d", v.Installer, len(h.Plugins))
		}
		return finding.Warnf("Vagrant is a distribution's, and %d plugins are installed beside its own", len(h.Plugins)).Diff("HashiCorp's package, or no further plugins", h.Plugins[0].Name).
			Advise("if a plugin cannot be installed or loaded, use HashiCorp's package: https://developer.hashicorp.com/vagrant/install", "")
	}),
})

var _ = register(Check{
	ID: "plugin.local_missing", Title: "The plugins that the Vagrantfile asks for are installed", Target: OnHost, Severity: finding.Critical, Rows: []string{"plugin.local_missing"}, Level: LevelAuto,
	Link:  vagrantEnvironment,
	Why:   "`Vagrant is missing plugins required by the currently loaded Vagrantfile.` It asks, and where nobody can answer it fails.",
	Looks: "config.vagrant.plugins against plugins.json", Source: "host-catalogue 1.6",
	Eval: onWanted(func(f *facts.Facts, w facts.Wanted) finding.Verdict {
		h := f.Host.Preflight.Home.Or(facts.VagrantHome{})
		for _, name := range w.Plugins {
			if !slices.ContainsFunc(h.Plugins, func(p facts.Plugin) bool { return p.Name == name }) {
				return finding.Failf("the Vagrantfile asks for the plugin %s, which is not installed", name).Diff(name, "not in plugins.json").
					Advise("install it for this project", "vagrant plugin install --local").Advise("or let Vagrant do it without asking, then run vagrant again", "VAGRANT_INSTALL_LOCAL_PLUGINS=1 vagrant up")
			}
		}
		return finding.Passf("%d asked for", len(w.Plugins))
	}),
})

// onWSL runs a check inside the Windows Subsystem for Linux.
func onWSL(judge func(*facts.Facts, facts.HostSystem, facts.Env) finding.Verdict) eval {
	return preflight(func(p *facts.Preflight) facts.Value[facts.HostSystem] { return p.System }, func(f *facts.Facts, s facts.HostSystem) finding.Verdict {
		if s.WSL == 0 {
			return finding.Skipf("not inside the Windows Subsystem for Linux")
		}
		e, err := f.Host.Preflight.Env.Get()
		if err != nil {
			return finding.Cannot(err)
		}
		return judge(f, s, e)
	})
}

var _ = register(Check{
	ID: "wsl.no_access", Title: "Vagrant may use Windows from inside WSL", Target: OnHost, Severity: finding.Critical, Rows: []string{"wsl.no_access"}, Level: LevelAuto,
	Link:  "https://developer.hashicorp.com/vagrant/docs/other/wsl",
	Why:   "`Vagrant is unable to use the VirtualBox provider from the Windows Subsystem for Linux without access to the Windows environment.`",
	Looks: "/proc/version and VAGRANT_WSL_ENABLE_WINDOWS_ACCESS", Source: "host-catalogue 1.6",
	Eval: onWSL(func(_ *facts.Facts, _ facts.HostSystem, e facts.Env) finding.Verdict {
		if e.WSLAccess != "" {
			return finding.Passf("%s", e.WSLAccess)
		}
		return finding.Failf("VAGRANT_WSL_ENABLE_WINDOWS_ACCESS is not set").Diff("1", "nothing").
			Advise("set it, and put VirtualBox's folder into PATH", `export VAGRANT_WSL_ENABLE_WINDOWS_ACCESS=1 PATH="$PATH:/mnt/c/Program Files/Oracle/VirtualBox"`)
	}),
})

var _ = register(Check{
	ID: "wsl.project_on_volfs", Title: "The project lies on a Windows drive", Target: OnHost, Severity: finding.Major, Rows: []string{"wsl.project_on_volfs"}, Level: LevelConfirm,
	Link:  "https://developer.hashicorp.com/vagrant/docs/other/wsl",
	Why:   "VirtualBox runs on Windows and can only share folders of a Windows drive; permissions cannot be kept elsewhere.",
	Looks: "whether the project's path begins with /mnt/", Source: "host-catalogue 1.6",
	Eval: onWSL(func(f *facts.Facts, _ facts.HostSystem, _ facts.Env) finding.Verdict {
		root := f.Host.Preflight.Project.Or(facts.Project{}).Root
		if root == "" || strings.HasPrefix(root, "/mnt/") {
			return finding.Passf("%s", orNone(root))
		}
		return finding.Warnf("the project %s lies inside Linux, where VirtualBox on Windows cannot share it", root).Diff("/mnt/c/…", root).
			Advise("move the project to a Windows drive", "mv "+quoted(root)+" /mnt/c/Users/")
	}),
})

var _ = register(Check{
	ID: "wsl2.loopback", Title: "WSL reaches the ports that VirtualBox forwards", Target: OnHost, Severity: finding.Major, Rows: []string{"wsl2.loopback"}, Level: LevelConfirm,
	Link:  vagrantIssues + "12081",
	Why:   "In WSL2 127.0.0.1 is not Windows' loopback: `Warning: Connection refused. Retrying...` for ever.",
	Looks: "/proc/version and installed plugins", Source: "host-catalogue 1.6",
	Eval: onWSL(func(f *facts.Facts, s facts.HostSystem, _ facts.Env) finding.Verdict {
		h := f.Host.Preflight.Home.Or(facts.VagrantHome{})
		if s.WSL != 2 || slices.ContainsFunc(h.Plugins, func(p facts.Plugin) bool { return strings.EqualFold(p.Name, "virtualbox_WSL2") }) {
			return finding.Passf("WSL %d", s.WSL)
		}
		return finding.Warnf("in WSL2 Vagrant cannot reach 127.0.0.1 of Windows, where VirtualBox forwards ports").Diff("the plugin virtualbox_WSL2, or WSL 1", fmt.Sprintf("WSL %d", s.WSL)).
			Advise("install the plugin, and allow the ports in Windows' firewall", "vagrant plugin install virtualbox_WSL2")
	}),
})
