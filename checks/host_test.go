package checks

import (
	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

func manages(change func(*facts.VBoxManage)) func(*facts.Facts) {
	return func(f *facts.Facts) { assesstest.Edit(&f.Host.VBoxManage, change) }
}

func noManage(f *facts.Facts) { assesstest.Forget(&f.Host.VBoxManage) }

var _ = rows("vbox.missing",
	pass("found", assesstest.CentOS7, as),
	fail("nowhere", "not in PATH, /usr/bin", assesstest.CentOS7, func(f *facts.Facts) {
		f.Host.VBoxManage = facts.Known(facts.VBoxManage{Searched: []string{"PATH", "/usr/bin"}})
	}),
	fail("nowhere on Windows", "log out and in", assesstest.CentOS7, func(f *facts.Facts) { f.Host.OS, f.Host.VBoxManage = "windows", facts.Known(facts.VBoxManage{}) }),
	fail("nowhere on macOS", "Privacy & Security", assesstest.CentOS7, func(f *facts.Facts) { f.Host.OS, f.Host.VBoxManage = "darwin", facts.Known(facts.VBoxManage{}) }),
	skip("guests given by address need none", "by its address", assesstest.CentOS7, func(f *facts.Facts) {
		f.Host.Explicit, f.Host.VBoxManage = true, facts.Known(facts.VBoxManage{})
	}),
	unknown("not looked for", assesstest.CentOS7, noManage),
)

var _ = rows("vbox.broken_install",
	pass("runs", assesstest.CentOS7, as),
	fail("126", "libQt", assesstest.CentOS7, manages(func(m *facts.VBoxManage) { m.ExitCode, m.Warning = 126, "libQt5 missing" })),
	unknown("not looked for", assesstest.CentOS7, noManage),
)

var _ = rows("vbox.hung",
	pass("answers", assesstest.CentOS7, as),
	fail("timeout", "within the limit", assesstest.CentOS7, manages(func(m *facts.VBoxManage) { m.TimedOut = true })),
	unknown("not looked for", assesstest.CentOS7, noManage),
)

var _ = rows("vbox.version_empty",
	pass("told", assesstest.CentOS7, as),
	fail("nothing", "--version", assesstest.CentOS7, manages(func(m *facts.VBoxManage) { m.Version = "" })),
	unknown("not looked for", assesstest.CentOS7, noManage),
)

var _ = rows("vbox.version_masked",
	pass("nothing before it", assesstest.CentOS7, as),
	warn("a warning", "vboxdrv kernel module is not loaded", assesstest.CentOS7, manages(func(m *facts.VBoxManage) {
		m.Warning = "WARNING: The vboxdrv kernel module is not loaded.\n  Either there is no module"
	})),
	unknown("not looked for", assesstest.CentOS7, noManage),
)

// absentDriver: no /dev/vboxdrv; the state of this VM and how many run on the host.
func absentDriver(state string, running int) func(*facts.Facts) {
	return func(f *facts.Facts) {
		f.Host.DevVBoxDrv = facts.Known(false)
		f.Host.RunningVMs = facts.Known(running)
		assesstest.Edit(&f.Host.VM, func(vm *facts.VM) { vm.State = state })
	}
}

var _ = rows("linux.vboxdrv_absent",
	pass("there", assesstest.CentOS7, as),
	fail("absent", "vboxconfig", assesstest.CentOS7, absentDriver("poweroff", 0)),
	// Defect 18: critical is wrong where VBoxManage says that a VM runs.
	warn("absent, and this VM runs", "says that a VM runs", assesstest.CentOS7, absentDriver("running", 0)),
	warn("absent, and VMs run on the host", "VMs that run: 2", assesstest.CentOS7, absentDriver("", 2)),
	skip("macOS has none", "only on Linux", assesstest.CentOS7, func(f *facts.Facts) { f.Host.OS, f.Host.DevVBoxDrv = "darwin", facts.Known(false) }),
	unknown("not looked at", assesstest.CentOS7, func(f *facts.Facts) { assesstest.Forget(&f.Host.DevVBoxDrv) }),
)

var _ = rows("vbox.ga_iso_missing",
	pass("there", assesstest.CentOS7, as),
	warn("none", "virtualbox-guest-additions-iso", assesstest.CentOS7, func(f *facts.Facts) { f.Host.AdditionsISO = facts.Known(facts.ISO{}) }),
	unknown("not looked for", assesstest.CentOS7, func(f *facts.Facts) { assesstest.Forget(&f.Host.AdditionsISO) }),
	warn("an unfinished download (H5)", "sha256sum /home/me/.VirtualBox/VBoxGuestAdditions_7.1.14.iso.tmp", assesstest.CentOS7, func(f *facts.Facts) {
		f.Host.AdditionsISO, f.Host.UnfinishedISO = facts.Known(facts.ISO{}), "/home/me/.VirtualBox/VBoxGuestAdditions_7.1.14.iso.tmp"
	}),
)
