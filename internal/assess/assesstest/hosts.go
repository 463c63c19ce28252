package assesstest

import "github.com/boxdoctor/boxdoctor/internal/facts"

// VMID is the VM of the project of the healthy hosts.
const VMID = "4c5a4184-9815-4bf6-80d1-646d7f510be0"

// LinuxHost is a healthy Linux host with a project whose one VM is off.
func LinuxHost() *facts.Facts { return &facts.Facts{Host: offline(host())} }

// offline is a host whose VM does not run.
func offline(h facts.Host) facts.Host {
	h.VM, h.RunningVMs = facts.Unknownf[facts.VM]("this is the host, not a machine"), facts.Known(0)
	return h
}

// WindowsHost is a healthy Windows host.
func WindowsHost() *facts.Facts {
	h := offline(host())
	h.OS, h.DevVBoxDrv = "windows", facts.Unknownf[bool]("only Linux has a device file for VirtualBox's driver")
	h.VBoxManage = facts.Known(facts.VBoxManage{Path: `C:\Program Files\Oracle\VirtualBox\VBoxManage.exe`, Version: "7.0.20r163906"})
	p := &h.Preflight
	p.System = facts.Known(facts.HostSystem{Arch: "amd64", UID: -1, Home: `C:\Users\me`})
	p.Linux = facts.Unknownf[facts.Linux]("this host runs windows")
	p.Windows = facts.Known(facts.Windows{
		Services: []facts.WindowsService{{Name: "VBoxSup", Running: true, Start: 1}}, InstallDir: `C:\Program Files\Oracle\VirtualBox\`,
		PowerShell: "5.1.19041.4648", PowerShellPath: `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`, EnvSize: 4000,
	})
	return &facts.Facts{Host: h}
}

// MacHost is a healthy Intel Mac.
func MacHost() *facts.Facts {
	h := offline(host())
	h.OS, h.DevVBoxDrv = "darwin", facts.Unknownf[bool]("only Linux has a device file for VirtualBox's driver")
	h.Preflight.System = facts.Known(facts.HostSystem{Arch: "amd64", Kernel: "23.6.0", UID: 501, Home: "/Users/me"})
	h.Preflight.Linux = facts.Unknownf[facts.Linux]("this host runs darwin")
	h.Preflight.Darwin = facts.Known(facts.Darwin{Version: "14.6", Driver: true, NetCtl: true})
	Edit(&h.Preflight.Project, func(p *facts.Project) { p.Records[0].CreatorUID, p.Records[0].KeyUID = "501", 501 })
	return &facts.Facts{Host: h}
}

// AppleSilicon is a Mac with an ARM processor and a VirtualBox that is made for it.
func AppleSilicon() *facts.Facts {
	f := MacHost()
	Edit(&f.Host.Preflight.System, func(s *facts.HostSystem) { s.Arch = "arm64" })
	Edit(&f.Host.VBoxManage, func(m *facts.VBoxManage) { m.Version = "7.2.4r170995" })
	f.Host.Preflight.Lists.ExtPacks = facts.Known([]facts.ExtPack{})
	Edit(&f.Host.Preflight.Home, func(h *facts.VagrantHome) { h.Boxes[0].Arch = "arm64" })
	return f
}

// WSLHost is a Linux inside Windows that is set up for Vagrant.
func WSLHost() *facts.Facts {
	f := LinuxHost()
	Edit(&f.Host.Preflight.System, func(s *facts.HostSystem) { s.WSL = 2 })
	Edit(&f.Host.Preflight.Env, func(e *facts.Env) { e.WSLAccess = "1" })
	Edit(&f.Host.Preflight.Project, func(p *facts.Project) { p.Root = "/mnt/c/Users/me/project"; p.Records[0].CWD = p.Root })
	Edit(&f.Host.Preflight.Home, func(h *facts.VagrantHome) {
		h.Plugins = append(h.Plugins, facts.Plugin{Name: "virtualbox_WSL2", Version: "0.1.3", Folder: true})
	})
	return f
}

func linuxPreflight() facts.Preflight {
	return facts.Preflight{
		System: facts.Known(facts.HostSystem{Arch: "amd64", Kernel: "6.8.0-40-generic", Distro: "ubuntu debian", UID: 1000, Home: "/home/me"}),
		Linux: facts.Known(facts.Linux{Loaded: []string{"vboxdrv", "vboxnetflt", "vboxnetadp", "kvm", "kvm_intel"}, Driver: "7.0.20 r163906 (0x00330004)",
			NetCtl: true, Headers: true, CPUVirt: "vmx", Resolvers: []string{"192.0.2.53"}}),
		Windows:    facts.Unknownf[facts.Windows]("this host runs linux"),
		Darwin:     facts.Unknownf[facts.Darwin]("this host runs linux"),
		Interfaces: facts.Known([]facts.Interface{{Name: "lo", Addrs: []string{"127.0.0.1/8"}, Up: true}, {Name: "eth0", Addrs: []string{"192.0.2.10/24"}, Up: true}}),
		Lists:      healthyLists(),
		Settings:   facts.Known(facts.SettingsFile{Path: "/home/me/.config/VirtualBox/VirtualBox.xml"}),
		Vagrant:    facts.Known(facts.Vagrant{Path: "/usr/bin/vagrant", Version: "2.4.9", Installer: true, SSH: "/usr/bin/ssh"}),
		Home: facts.Known(facts.VagrantHome{Path: "/home/me/.vagrant.d", Exists: true, SetupVersion: "1.5", IndexPath: "/home/me/.vagrant.d/data/machine-index/index",
			Rubies: []string{"3.3.8"}, Plugins: []facts.Plugin{{Name: "vagrant-disksize", Version: "0.1.3", Ruby: "3.3.8", Folder: true}},
			Boxes: []facts.Box{{Name: "bento/centos-7", Version: "202401.31.0", Provider: "virtualbox", Arch: "amd64", Path: "/home/me/.vagrant.d/boxes/b", SizeMB: 600}}}),
		Project: facts.Known(facts.Project{Root: "/home/me/project", Vagrantfile: "/home/me/project/Vagrantfile", Records: []facts.Record{healthyRecord()}}),
		Wanted:  facts.Known(facts.Wanted{Machines: []facts.WantedMachine{healthyWanted()}}),
		Ports: facts.Known([]facts.Port{{Machine: "default", Line: 4, HostIP: "127.0.0.1", Port: 8080, Guest: 80, State: facts.PortFree},
			{Machine: "default", ID: "ssh", HostIP: "127.0.0.1", Port: 2222, Guest: 22, AutoCorrect: true, State: facts.PortFree}}),
		Env:  facts.Known(facts.Env{}),
		Disk: facts.Known(facts.Disk{VagrantHome: facts.FolderSpace{Path: "/home/me/.vagrant.d", FreeMB: 50000}, Machines: facts.FolderSpace{Path: "/home/me/VirtualBox VMs", FreeMB: 50000}}),
	}
}

func healthyLists() facts.Lists {
	return facts.Lists{
		VMs:        facts.Known([]facts.ListedVM{{Name: "project_default", UUID: VMID, Folder: "/home/me/VirtualBox VMs/project_default"}}),
		HostInfo:   facts.Known(facts.HostInfo{HWVirt: "yes", NestedHWVirt: "yes", Cores: 4, MemoryMB: 16000, AvailableMB: 9000}),
		Properties: facts.Known(facts.SystemProperties{MachineFolder: "/home/me/VirtualBox VMs", MaxRAMMB: 2097152}),
		HostOnly:   facts.Known([]facts.HostOnly{{Name: "vboxnet0", IP: "192.168.56.1", Mask: "255.255.255.0", Status: "Up", Network: "HostInterfaceNetworking-vboxnet0"}}),
		DHCP: facts.Known([]facts.DHCPServer{{Network: "HostInterfaceNetworking-vboxnet0", IP: "192.168.56.100", Mask: "255.255.255.0",
			Lower: "192.168.56.101", Upper: "192.168.56.254", Enabled: true}}),
		ExtPacks: facts.Known([]facts.ExtPack{{Name: "VNC", Version: "7.0.20", Usable: true}}),
		Bridged:  facts.Known([]facts.Bridged{{Name: "eth0", Status: "Up"}, {Name: "ifb0", Status: "Down"}}),
		Media:    facts.Known([]facts.Medium{{UUID: "af6320be-d379-4966-a8f0-992907132aa7", Location: "/home/me/VirtualBox VMs/d.vdi"}}), NetworksConf: facts.Known(facts.NetworksConf{}),
	}
}

func healthyRecord() facts.Record {
	return facts.Record{
		Name: "default", Dir: "/home/me/project/.vagrant/machines/default/virtualbox", ID: VMID, CreatorUID: "1000", HasUID: true, CWD: "/home/me/project",
		Provision: "1.5:" + VMID, HasProv: true, HasKey: true, KeyMode: 0o600, KeyUID: 1000,
		VM: facts.Known(facts.VM{Name: "project_default", UUID: VMID, State: "poweroff"}), Registered: facts.Known(true),
		Settings: facts.Known(facts.VMSettings{CfgFile: "/home/me/VirtualBox VMs/project_default/project_default.vbox", MemoryMB: 1024, CPUs: 1, NICs: 2, NATDNSResolver: true}),
	}
}

func healthyWanted() facts.WantedMachine {
	return facts.WantedMachine{
		Name: "default", Box: facts.Known("bento/centos-7"), BoxVersion: facts.Known(""), VMName: facts.Known("project"),
		MemoryMB: facts.Known(1024), CPUs: facts.Known(1), InsertKey: facts.Known(true),
		Networks: []facts.WantedNetwork{{Line: 5, IP: facts.Known("192.168.56.10"), Bridge: facts.Known("")}},
		Forwards: []facts.WantedForward{{Line: 4, Proto: "tcp", Host: facts.Known(8080), Guest: facts.Known(80), HostIP: facts.Known("127.0.0.1")}},
		Folders:  []facts.WantedFolder{{Line: 6, Host: facts.Known("/home/me/project"), Guest: facts.Known("/vagrant"), Exists: true}},
	}
}
