package checks

import (
	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

func vms(l *facts.Lists) *facts.Value[[]facts.ListedVM] { return &l.VMs }

var lost = inRecord(func(r *facts.Record) { r.Registered = facts.Known(false) })

var _ = hostRows("vm.stale_id", linuxHost,
	fail("VirtualBox has no such VM", "cp -a", linuxHost, lost),
	unknown("no list", linuxHost, inRecord(func(r *facts.Record) { assesstest.Forget(&r.Registered) })),
	skip("nothing was made yet", "has a VM yet", linuxHost, inProject(func(p *facts.Project) { p.Records = nil })),
)

var _ = hostRows("vm.uid_mismatch", linuxHost,
	fail("made by root", "made by the user with id 0", linuxHost, inRecord(func(r *facts.Record) { r.CreatorUID = "0" })),
	fail("an empty file", "id none", linuxHost, inRecord(func(r *facts.Record) { r.CreatorUID = "" })),
	fail("of another list", "as that user", linuxHost, allOf(lost, inRecord(func(r *facts.Record) { r.CreatorUID = "0" }))),
	pass("an old Vagrant wrote none", linuxHost, inRecord(func(r *facts.Record) { r.CreatorUID, r.HasUID = "", false })),
	skip("Windows", "no user ids", windowsHost, as),
)

var _ = hostRows("vm.moved", linuxHost, warn("copied or moved", "/old/place", linuxHost, inRecord(func(r *facts.Record) { r.CWD = "/old/place" })))

var _ = hostRows("vm.not_provisioned_again", linuxHost, warn("the old form", "old form", linuxHost, inRecord(func(r *facts.Record) { r.Provision = "1458910687" })))

var _ = hostRows("vm.never_provisioned", linuxHost,
	warn("a first up that failed", "vagrant provision default", linuxHost, inRecord(func(r *facts.Record) { r.HasProv = false })),
	unknown("no list", linuxHost, inRecord(func(r *facts.Record) { assesstest.Forget(&r.Registered) })),
)

var own = inList(vms, func(all *[]facts.ListedVM) { (*all)[0].Name = facts.Inaccessible })

var _ = hostRows("vm.inaccessible_own", linuxHost,
	fail("VirtualBox's copy is there", ".vbox-prev", linuxHost, allOf(own, inSettings(func(s *facts.VMSettings) { s.Leftover = s.CfgFile + "-prev" }))),
	fail("its files are gone", "unregistervm", linuxHost, own),
	unknown("no list", linuxHost, func(f *facts.Facts) { assesstest.Forget(&f.Host.Preflight.Lists.VMs) }),
)

var foreign = inList(vms, func(all *[]facts.ListedVM) {
	*all = append(*all, facts.ListedVM{Name: facts.Inaccessible, UUID: "44e5f7df-0000-0000-0000-000000000000"})
})

var _ = hostRows("vm.inaccessible_foreign", linuxHost,
	fail("7.2 stumbles over it", "VBoxManage unregistervm 44e5f7df", linuxHost, allOf(foreign, versionsOf("7.2.4r170995", ""))),
	warn("7.0 does not", "44e5f7df", linuxHost, foreign),
	pass("the project's own is another row", linuxHost, own),
)

var _ = hostRows("vm.leftover_folder", linuxHost,
	fail("of a destroyed VM", "mv '/home/me/VirtualBox VMs/project'", linuxHost, inProject(func(p *facts.Project) { p.Leftovers = []string{"/home/me/VirtualBox VMs/project"} })),
	unknown("a computed name", linuxHost, allOf(inProject(func(p *facts.Project) { p.Records = nil }), inWish(func(m *facts.WantedMachine) { m.VMName = unread[string]() }))),
)

var _ = hostRows("vm.name_taken", linuxHost,
	fail("by another project", "choose another vb.name", linuxHost, allOf(inProject(func(p *facts.Project) { p.Records = nil }), inList(vms, func(all *[]facts.ListedVM) { (*all)[0].Name = "project" }))),
	pass("by this very machine", linuxHost, inList(vms, func(all *[]facts.ListedVM) { (*all)[0].Name = "project" })),
	unknown("a computed name", linuxHost, allOf(inProject(func(p *facts.Project) { p.Records = nil }), inWish(func(m *facts.WantedMachine) { m.VMName = unread[string]() }))),
)

var _ = hostRows("vm.disk_uuid", linuxHost, warn("its file is gone", "closemedium disk", linuxHost,
	inList(func(l *facts.Lists) *facts.Value[[]facts.Medium] { return &l.Media }, func(all *[]facts.Medium) { (*all)[0].Missing = true })))

var _ = hostRows("vm.session_locked", linuxHost,
	fail("stopping", "held by the session", linuxHost, inState("stopping")),
	fail("a window of settings", "GUI/Qt", linuxHost, inSettings(func(s *facts.VMSettings) { s.Session = "GUI/Qt" })),
	unknown("VirtualBox does not tell", linuxHost, inRecord(func(r *facts.Record) { assesstest.Forget(&r.VM) })),
	pass("another row says that it is lost", linuxHost, allOf(lost, inRecord(func(r *facts.Record) { assesstest.Forget(&r.VM) }))),
)

var _ = hostRows("vm.bad_state", linuxHost,
	fail("crashed", "vagrant halt --force default", linuxHost, inState("gurumeditation")),
	warn("saved", "discardstate", linuxHost, inState("saved")),
	warn("paused", "vagrant resume default", linuxHost, inState("paused")),
	warn("aborted", "cut off", linuxHost, inState("aborted")),
	pass("running", linuxHost, inState("running")),
)

var _ = hostRows("vm.folder_denied", linuxHost,
	fail("of another user", "machinefolder", linuxHost, inDisk(func(d *facts.Disk) { d.Machines.Denied = "it cannot be written" })),
	unknown("VirtualBox did not tell it", linuxHost, inDisk(func(d *facts.Disk) { d.Machines.Path = "" })),
)

var _ = hostRows("vm.meta_denied", linuxHost, fail("root's", "box_meta", linuxHost, inProject(func(p *facts.Project) { p.Denied = []string{p.Records[0].Dir + "/box_meta"} })))

var _ = hostRows("folder.missing", linuxHost,
	fail("not there", "(line 6)", linuxHost, inWish(func(m *facts.WantedMachine) { m.Folders[0].Exists = false })),
	pass("Vagrant makes it", linuxHost, inWish(func(m *facts.WantedMachine) { m.Folders[0].Exists, m.Folders[0].Create = false, true })),
	fail("by Vagrant's own record", "/data", linuxHost, allOf(func(f *facts.Facts) { assesstest.Forget(&f.Host.Preflight.Wanted) }, inRecord(func(r *facts.Record) { r.MissingFolders = []string{"/data"} }))),
	unknown("a computed path", linuxHost, inWish(func(m *facts.WantedMachine) { m.Folders[0].Host = unread[string]() })),
)

var _ = hostRows("boot.cable", linuxHost,
	fail("unplugged", "--cable-connected1 on", linuxHost, inSettings(func(s *facts.VMSettings) { s.CableOff = []int{1} })),
	unknown("VirtualBox does not tell", linuxHost, inRecord(func(r *facts.Record) { assesstest.Forget(&r.Settings) })),
)

var _ = hostRows("boot.uart", linuxHost, warn("disconnected", "uartmode1", linuxHost, inSettings(func(s *facts.VMSettings) { s.UARTOff = true })))

var _ = hostRows("boot.key", linuxHost,
	warn("gone", "private_key is gone", linuxHost, inRecord(func(r *facts.Record) { r.HasKey = false })),
	pass("the Vagrantfile wants none", linuxHost, allOf(inRecord(func(r *facts.Record) { r.HasKey = false }), inWish(func(m *facts.WantedMachine) { m.InsertKey = facts.Known(false) }))),
	unknown("the Vagrantfile was not read", linuxHost, allOf(inRecord(func(r *facts.Record) { r.HasKey = false }), func(f *facts.Facts) { assesstest.Forget(&f.Host.Preflight.Wanted) })),
)

var _ = hostRows("boot.virt", linuxHost, warn("emulated", "boot_timeout", linuxHost, inSettings(func(s *facts.VMSettings) { s.Slow = "Attempting fall back to NEM" })))

var _ = hostRows("ssh.key_owner", linuxHost,
	fail("made with sudo", "belongs to the user with id 0", linuxHost, inRecord(func(r *facts.Record) { r.KeyUID = 0 })),
	pass("root may use any", linuxHost, allOf(inSystem(func(s *facts.HostSystem) { s.UID = 0 }), inRecord(func(r *facts.Record) { r.KeyUID = 7 }))),
	skip("Windows", "does not look", windowsHost, as),
)

var _ = hostRows("ssh.key_mode", linuxHost, fail("too open", "chmod 600", linuxHost, inRecord(func(r *facts.Record) { r.KeyMode = 0o644 })), skip("WSL", "does not look", wslHost, as))

var _ = hostRows("ssh.insecure_key_left", linuxHost,
	warn("insert_key = false", "well-known key", linuxHost, inWish(func(m *facts.WantedMachine) { m.InsertKey = facts.Known(false) })),
	unknown("computed", linuxHost, inWish(func(m *facts.WantedMachine) { m.InsertKey = unread[bool]() })),
)

var _ = hostRows("ssh.insecure_key_copy", linuxHost, fail("root's", "sudo chown", linuxHost, inDisk(func(d *facts.Disk) { d.VagrantHome.Denied = "it cannot be written" })))

var centos6 = inWish(func(m *facts.WantedMachine) { m.Box = facts.Known("bento/centos-6.10") })

var _ = hostRows("ssh.old_algorithms", linuxHost,
	warn("CentOS 6 and an older Vagrant", "HostKeyAlgorithms=+ssh-rsa", linuxHost, allOf(centos6, versionsOf("7.0.20r163906", "2.3.6"))),
	pass("a newer one asks for it", linuxHost, centos6),
	unknown("a computed box", linuxHost, inWish(func(m *facts.WantedMachine) { m.Box = unread[string]() })),
)
