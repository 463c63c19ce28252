package checks

import (
	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

func onMounts(change func(*facts.Mounts)) func(*facts.Facts) {
	return func(f *facts.Facts) { assesstest.Edit(&f.Guest.Mounts, change) }
}

func noMounts(f *facts.Facts) { assesstest.Forget(&f.Guest.Mounts) }

func noRecord(f *facts.Facts) { assesstest.Forget(&f.Host.Folders) }

func onFolder(change func(*facts.SyncedFolder)) func(*facts.Facts) {
	return func(f *facts.Facts) {
		assesstest.Edit(&f.Host.Folders, func(fs *[]facts.SyncedFolder) { change(&(*fs)[0]) })
	}
}

func offered(names ...string) func(*facts.Facts) {
	return func(f *facts.Facts) {
		assesstest.Edit(&f.Host.VM, func(v *facts.VM) {
			v.Shares = nil
			for _, n := range names {
				v.Shares = append(v.Shares, facts.Share{Name: n})
			}
		})
	}
}

func helper(h facts.Helper) func(*facts.Facts) {
	return onAdditions(func(a *facts.Additions) { a.Helper = h })
}

var _ = rows("mount.helper",
	pass("leads to a program", assesstest.CentOS7, as),
	pass("the kernel's own vboxsf needs none", assesstest.Fedora43, assesstest.InKernel),
	pass("only 4.3.10 needs the library link", assesstest.CentOS7, onAdditions(func(a *facts.Additions) { a.LibLink = false })),
	fail("missing (V3)", "/sbin/mount.vboxsf is missing", assesstest.CentOS7, helper(facts.Helper{})),
	fail("dangling (V4)", "/opt/VBoxGuestAdditions-5.1.20/other/mount.vboxsf", assesstest.CentOS7, helper(facts.Helper{Exists: true, Link: "/opt/VBoxGuestAdditions-5.1.20/other/mount.vboxsf"})),
	fail("not executable", "not executable", assesstest.CentOS7, helper(facts.Helper{Exists: true, Resolved: "/opt/x"})),
	fail("4.3.10 (V5)", "/usr/lib/VBoxGuestAdditions is missing", assesstest.CentOS7, onAdditions(func(a *facts.Additions) { a.ConfigVersion, a.LibLink = "4.3.10", false })),
	fail("nothing at all (V1)", "missing", assesstest.CentOS7, none),
	unknown("not seen", assesstest.CentOS7, noAdditions),
)

var _ = rows("mount.defined",
	pass("offered", assesstest.CentOS7, as),
	pass("told from inside", assesstest.CentOS7, func(f *facts.Facts) { assesstest.Forget(&f.Host.VM) }),
	fail("not offered (V6)", `wants the share "vagrant", which the VM does not define`, assesstest.CentOS7, offered("other")),
	fail("another case (V7)", "only the case differs", assesstest.CentOS7, offered("Vagrant")),
	skip("no record", "no record", assesstest.CentOS7, noRecord),
	unknown("nobody lists them", assesstest.CentOS7, func(f *facts.Facts) {
		assesstest.Forget(&f.Host.VM)
		assesstest.Edit(&f.Guest.Additions, func(a *facts.Additions) { a.ShareNames = nil })
	}),
	unknown("nothing seen", assesstest.CentOS7, both(noAdditions, func(f *facts.Facts) { assesstest.Forget(&f.Host.VM) })),
)

var _ = rows("mount.shares",
	pass("mounted", assesstest.CentOS7, as),
	pass("a slash at the end is no difference", assesstest.CentOS7, onFolder(func(s *facts.SyncedFolder) { s.GuestPath = "/vagrant/" })),
	pass("no record, fstab says, mounted", assesstest.CentOS7, both(noRecord, onMounts(func(m *facts.Mounts) {
		m.FSTab = []facts.Mount{{Source: "vagrant", Target: "/vagrant", FS: "vboxsf"}}
	}))),
	pass("no record, every offered share is mounted", assesstest.CentOS7, noRecord),
	fail("founding", "home_rc_ on /home/rc", assesstest.Founding, as),
	fail("another share lies there", "not mounted: vagrant on /vagrant", assesstest.CentOS7, onMounts(func(m *facts.Mounts) { m.VBoxSF[0].Source = "other" })),
	fail("no record, fstab says, not mounted (V22)", "not mounted: data on /data", assesstest.CentOS7, both(noRecord, onMounts(func(m *facts.Mounts) {
		m.FSTab = []facts.Mount{{Source: "data", Target: "/data", FS: "vboxsf"}}
	}))),
	warn("no record, an offered share is not mounted", "sudo mount -t vboxsf", assesstest.CentOS7, both(noRecord, onMounts(func(m *facts.Mounts) { m.VBoxSF = nil }))),
	skip("nothing is wanted", "no synced folder", assesstest.CentOS7, both(offered(), func(f *facts.Facts) { f.Host.Folders = facts.Known([]facts.SyncedFolder{}) })),
	unknown("not seen", assesstest.CentOS7, noMounts),
)

var _ = rows("mount.owner",
	pass("owned", assesstest.CentOS7, as),
	fail("no such user (V16)", "sudo useradd www", assesstest.CentOS7, both(onFolder(func(s *facts.SyncedFolder) { s.Owner = "www" }), onMounts(func(m *facts.Mounts) { m.Wanted[0].WantUID = -1 }))),
	fail("no such group (V16)", "sudo groupadd www", assesstest.CentOS7, both(onFolder(func(s *facts.SyncedFolder) { s.Group = "www" }), onMounts(func(m *facts.Mounts) { m.Wanted[0].WantGID = -1 }))),
	warn("another owner", "uid 0, wanted 1000", assesstest.CentOS7, onMounts(func(m *facts.Mounts) { m.Wanted[0].UID = 0 })),
	pass("another owner below an unmounted share says nothing", assesstest.CentOS7, onMounts(func(m *facts.Mounts) { m.VBoxSF, m.Wanted[0].UID = nil, 0 })),
	skip("no folder", "no synced folder", assesstest.CentOS7, noRecord),
	skip("owners were not recorded", "no owners", assesstest.CentOS7, both(noRecord, onMounts(func(m *facts.Mounts) {
		m.FSTab, m.Wanted = []facts.Mount{{Source: "vagrant", Target: "/vagrant", FS: "vboxsf"}}, nil
	}))),
	unknown("not seen", assesstest.CentOS7, noMounts),
)

var _ = rows("mount.writable",
	pass("written", assesstest.CentOS7, as),
	pass("read-only as wanted", assesstest.CentOS7, both(onFolder(func(s *facts.SyncedFolder) { s.Options = []string{"ro"} }), onMounts(func(m *facts.Mounts) { m.Wanted[0].Writable = false }))),
	fail("read-only (V21)", "ls -ld /home/me/project", assesstest.CentOS7, onMounts(func(m *facts.Mounts) { m.Wanted[0].Writable = false })),
	fail("the VM's share is read-only (V21)", "the VM defines the share vagrant as read-only", assesstest.CentOS7, both(onMounts(func(m *facts.Mounts) { m.Wanted[0].Writable = false }), func(f *facts.Facts) {
		assesstest.Edit(&f.Host.VM, func(v *facts.VM) { v.Shares[0].ReadOnly = true })
	})),
	fail("mounted read-only (V21)", "is mounted read-only", assesstest.CentOS7, onMounts(func(m *facts.Mounts) { m.Wanted[0].Writable, m.VBoxSF[0].Options = false, []string{"ro", "nodev"} })),
	skip("nothing is mounted", "no synced folder is mounted", assesstest.CentOS7, onMounts(func(m *facts.Mounts) { m.VBoxSF = nil })),
	unknown("not seen", assesstest.CentOS7, noMounts),
)
