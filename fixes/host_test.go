package fixes

import (
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

func backups(in *Input) { in.Backups = "/home/me/.local/state/boxdoctor/backup" }

// inProject changes the project and its one machine, whose small files hold what the record says.
func inProject(change func(*facts.Project, *facts.Record)) func(*facts.Facts) {
	return func(f *facts.Facts) {
		assesstest.Edit(&f.Host.Preflight.Project, func(p *facts.Project) {
			r := &p.Records[0]
			change(p, r)
			r.Files = map[string]facts.TextFile{}
			for name, text := range map[string]string{"creator_uid": r.CreatorUID, "vagrant_cwd": r.CWD, "action_provision": r.Provision} {
				r.Files[name] = facts.TextFile{Path: r.Dir + "/" + name, Content: text}
			}
			p.File = facts.TextFile{Path: p.Vagrantfile, Content: vagrantfile}
		})
	}
}

const vagrantfile = `Vagrant.configure("2") do |config|
  config.vm.box = "bento/centos-7"
  # guest 80 was on host: 8080 for years
  config.vm.network "forwarded_port", guest: 80, host: 8080 # see the wiki: host: 8080
  config.vm.network :forwarded_port,
    :guest => 443, :host => 8443
  config.vm.network "forwarded_port", guest: 9000, host: base + 1
end
`

func inPorts(ports ...facts.Port) func(*facts.Facts) {
	return on(inProject(func(*facts.Project, *facts.Record) {}), func(f *facts.Facts) { f.Host.Preflight.Ports = facts.Known(ports) })
}

func taken(line, port, free int) facts.Port {
	return facts.Port{Machine: "default", Line: line, Port: port, Free: free, State: facts.PortTaken}
}

func conf(text string, ranges ...string) func(*facts.Facts) {
	return func(f *facts.Facts) {
		f.Host.Preflight.Lists.NetworksConf = facts.Known(facts.NetworksConf{Exists: text != "", Ranges: ranges, File: facts.TextFile{Path: "/etc/vbox/networks.conf", Content: text}})
	}
}

func private(ip string) func(*facts.Facts) {
	return func(f *facts.Facts) {
		assesstest.Edit(&f.Host.Preflight.Wanted, func(w *facts.Wanted) { w.Machines[0].Networks[0].IP = facts.Known(ip) })
	}
}

func asRoot(f *facts.Facts) {
	assesstest.Edit(&f.Host.Preflight.System, func(s *facts.HostSystem) { s.UID = 0 })
}

func wantsDHCP(f *facts.Facts) {
	assesstest.Edit(&f.Host.Preflight.Wanted, func(w *facts.Wanted) { w.Machines[0].Networks[0].DHCP = true })
	f.Host.Preflight.Lists.DHCP = facts.Known([]facts.DHCPServer{
		{Network: "HostInterfaceNetworking-vboxnet0", IP: "192.168.56.100", Mask: "255.255.255.0", Lower: "192.168.56.101", Upper: "192.168.56.254", Enabled: true},
		{Network: "HostInterfaceNetworking-vboxnet1", IP: "10.9.0.2", Mask: "255.255.255.0", Lower: "10.9.0.3", Upper: "10.9.0.254", Enabled: true},
		{Network: "NatNetwork", IP: "10.0.2.3", Mask: "255.255.255.0", Lower: "10.0.2.4", Upper: "10.0.2.254", Enabled: true}})
}

const savedVBox = "<?xml version=\"1.0\"?>\n<VirtualBox>\n</VirtualBox>\n"

var hostSituations = []situation{
	{"host-uid", assesstest.LinuxHost, inProject(func(_ *facts.Project, r *facts.Record) { r.CreatorUID = "0" }), backups, "host.creator_uid"},
	{"host-uid-of-another", assesstest.LinuxHost, inProject(func(_ *facts.Project, r *facts.Record) { r.CreatorUID, r.Registered = "0", facts.Known(false) }), backups, "host.creator_uid"},
	{"host-uid-link", assesstest.LinuxHost, on(inProject(func(_ *facts.Project, r *facts.Record) { r.CreatorUID = "0" }), func(f *facts.Facts) {
		assesstest.Edit(&f.Host.Preflight.Project, func(p *facts.Project) { p.Records[0].Files = nil })
	}), backups, "host.creator_uid"},
	{"host-vagrant-works", assesstest.LinuxHost, inProject(func(_ *facts.Project, r *facts.Record) { r.CreatorUID, r.Held = "0", true }), backups, "host.creator_uid"},
	{"host-sentinel", assesstest.LinuxHost, inProject(func(_ *facts.Project, r *facts.Record) { r.Provision = "1450000000" }), backups, "host.sentinel"},
	{"host-moved", assesstest.LinuxHost, inProject(func(_ *facts.Project, r *facts.Record) { r.CWD = "/home/me/old" }), backups, "host.vagrant_cwd"},
	{"host-key-mode", assesstest.LinuxHost, inProject(func(_ *facts.Project, r *facts.Record) { r.KeyMode = 0o644 }), backups, "host.key_mode"},
	{"host-cable", assesstest.LinuxHost, inProject(func(_ *facts.Project, r *facts.Record) {
		assesstest.Edit(&r.Settings, func(s *facts.VMSettings) { s.CableOff = []int{1, 2} })
	}), backups, "host.cable"},
	{"host-cable-running", assesstest.LinuxHost, inProject(func(_ *facts.Project, r *facts.Record) {
		assesstest.Edit(&r.Settings, func(s *facts.VMSettings) { s.CableOff = []int{1} })
		assesstest.Edit(&r.VM, func(vm *facts.VM) { vm.State = "running" })
	}), backups, "host.cable"},
	{"host-vm-settings", assesstest.LinuxHost, inProject(func(_ *facts.Project, r *facts.Record) {
		assesstest.Edit(&r.Settings, func(s *facts.VMSettings) {
			s.Leftover, s.Saved = s.CfgFile+"-prev", facts.TextFile{Path: s.CfgFile + "-prev", Content: savedVBox}
		})
	}), backups, "host.vm_settings"},
	{"host-vm-settings-cut", assesstest.LinuxHost, inProject(func(_ *facts.Project, r *facts.Record) {
		assesstest.Edit(&r.Settings, func(s *facts.VMSettings) {
			s.Leftover, s.Saved = s.CfgFile+"-tmp", facts.TextFile{Path: s.CfgFile + "-tmp", Content: savedVBox[:30]}
		})
	}), backups, "host.vm_settings"},
	{"host-ports", assesstest.LinuxHost, inPorts(taken(4, 8080, 8081), taken(5, 8443, 8444)), backups, "host.ports"},
	{"host-ports-computed", assesstest.LinuxHost, inPorts(taken(7, 9000, 9001)), backups, "host.ports"},
	{"host-ports-none-free", assesstest.LinuxHost, inPorts(taken(4, 8080, 0)), backups, "host.ports"},
	{"host-ports-reserved", assesstest.WindowsHost, inPorts(facts.Port{ID: "ssh", Port: 2222, Guest: 22, Free: 2200, State: facts.PortDenied}), backups, "host.ports"},
	{"host-ports-corrected", assesstest.LinuxHost, inPorts(facts.Port{Line: 4, Port: 8080, Free: 8081, AutoCorrect: true, State: facts.PortTaken}), backups, "host.ports"},
	{"host-leftovers", assesstest.LinuxHost, inProject(func(p *facts.Project, _ *facts.Record) { p.Leftovers = []string{"/home/me/VirtualBox VMs/project"} }), backups, "host.leftovers"},
	{"host-downloads", assesstest.LinuxHost, func(f *facts.Facts) {
		assesstest.Edit(&f.Host.Preflight.Home, func(h *facts.VagrantHome) {
			h.Partial = []facts.Download{{Path: h.Path + "/tmp/box1", HTML: true}, {Path: h.Path + "/tmp/box2", HTML: true, Held: true}, {Path: h.Path + "/tmp/box3"}}
		})
	}, backups, "host.downloads"},
	{"host-metadata", assesstest.LinuxHost, func(f *facts.Facts) {
		assesstest.Edit(&f.Host.Preflight.Home, func(h *facts.VagrantHome) {
			h.Boxes[0].Metadata = facts.TextFile{Path: h.Path + "/boxes/b/metadata_url", Content: "https://atlas.hashicorp.com/bento/centos-7"}
			h.Boxes = append(h.Boxes, h.Boxes[0])
		})
	}, backups, "host.metadata_url"},
	{"host-dhcp", assesstest.LinuxHost, wantsDHCP, backups, "host.dhcp"},
	{"host-networks-conf", assesstest.LinuxHost, on(private("10.1.2.3"), conf(""), asRoot), backups, "host.networks_conf"},
	{"host-networks-conf-stars", assesstest.LinuxHost, on(conf("# mine\n192.168.56.0/21\n  10.0.0.0/8 fe80::/10\n"), asRoot), backups, "host.networks_conf"},
	{"host-networks-conf-user", assesstest.LinuxHost, on(private("10.1.2.3"), conf("* 192.168.56.0/21\n", "192.168.56.0/21")), backups, "host.networks_conf"},
	{"host-healthy", assesstest.LinuxHost, inProject(func(*facts.Project, *facts.Record) {}), backups,
		"host.creator_uid host.sentinel host.vagrant_cwd host.key_mode host.cable host.vm_settings host.ports host.leftovers host.downloads host.metadata_url host.dhcp host.networks_conf"},
}

// The files that a guest may write are looked for below the project, never by their full path.
func TestWithin(t *testing.T) {
	for _, c := range [][4]string{
		{"/p", "/p/.vagrant/id", "/p", ".vagrant/id"},
		{"/p", "/elsewhere/machines/id", "/elsewhere/machines", "id"},
		{"/p", "/pother/id", "/pother", "id"},
		{"", "/a/b", "/a", "b"},
	} {
		if folder, name := within(c[0], c[1]); folder != c[2] || name != c[3] {
			t.Errorf("%s in %s: %s and %s", c[1], c[0], folder, name)
		}
	}
}
