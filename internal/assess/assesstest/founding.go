package assesstest

import "github.com/boxdoctor/boxdoctor/internal/facts"

// The numbers of the first report (issue 1).
const (
	FoundingHost      = "5.1.26"
	FoundingAdditions = "4.3.6"
	FoundingRunning   = "2.6.32-358.10.2.el6.x86_64"
	FoundingInstalled = "2.6.32-358.23.2.el6.x86_64"
	FoundingDevel     = "2.6.32-696.10.2.el6"
	// FoundingOffered is what the repositories hold once they point at the archive.
	FoundingOffered = "2.6.32-754.35.1.el6.x86_64"
	FoundingList    = "/etc/yum/pluginconf.d/versionlock.list"
)

// FoundingLocks is versionlock.list of the first report; its last line has no newline.
const FoundingLocks = "\n# Added locks on Mon Oct  7 10:11:12 2013\n0:kernel-devel-2.6.32-696.10.2.el6.*\n0:kernel-headers-2.6.32-696.10.2.el6.*"

// Founding is the first report: VirtualBox 5.1.26 on the host, Guest Additions 4.3.6 in CentOS 6.4, kernel-devel and
// kernel-headers locked to a version that fits no installed kernel, a newer kernel installed and not booted, and
// a share that does not mount. Its repositories are reachable.
func Founding() *facts.Facts {
	f := healthy(distro{id: "centos", version: "6.4", pretty: "CentOS release 6.4 (Final)", manager: "yum", release: FoundingRunning,
		packages: append(rpms("2.6.32-358.23.2.el6", "kernel"), rpms(FoundingDevel, "kernel-devel", "kernel-headers")...),
		repo:     facts.Repo{ID: "base", File: "/etc/yum.repos.d/CentOS-Base.repo", BaseURL: "http://vault.centos.org/6.10/os/$basearch/"}})
	additions(f, FoundingRunning, FoundingAdditions, "r91406")
	OldHost(f, FoundingHost)
	Edit(&f.Guest.System, func(s *facts.System) { s.Init = "upstart" })
	foundingFolder(f)
	f.Guest.Kernel = facts.Known(facts.Kernel{Running: FoundingRunning, Default: FoundingInstalled, DefaultFrom: "grubby",
		BootImages: []string{FoundingRunning, FoundingInstalled}, Trees: []facts.KernelTree{dangling(FoundingRunning), dangling(FoundingInstalled)}})
	Unloaded(f)
	f.Guest.Services = facts.Known(facts.Services{Units: []facts.Service{{Name: "vboxadd-service", State: "Checking for VBoxService ...not running", Exists: true}}})
	Locked(f, FoundingList, FoundingLocks, LockLines(facts.LockYum, FoundingList, FoundingLocks)...)
	Edit(&f.Guest.Locks, func(l *facts.Locks) {
		l.Files = append(l.Files, facts.ConfigFile{Path: "/etc/yum/pluginconf.d/versionlock.conf", Mode: "644", Content: "[main]\nenabled = 1\nlocklist = " + FoundingList + "\n"})
	})
	Offer(f, []string{FoundingOffered}, []string{FoundingOffered},
		facts.Candidate{Name: "kernel-devel-" + FoundingRunning, State: facts.CandMissing, Text: "No package kernel-devel-" + FoundingRunning + " available."},
		facts.Candidate{Name: "kernel-devel-" + FoundingInstalled, State: facts.CandMissing, Text: "No package kernel-devel-" + FoundingInstalled + " available."})
	f.Guest.GALog = facts.Known(facts.GALog{Path: "/var/log/vboxadd-install.log", Text: foundingLog})
	return f
}

const foundingLog = "Building the main Guest Additions module                   [FAILED]\n" +
	"*** Error: unable to find the sources of your current Linux kernel. Specify KERN_DIR=<directory> and run Make again.  Stop.\n" +
	"Starting the VirtualBox Guest Additions                    [FAILED]\n(modprobe vboxguest failed)\n"

func dangling(release string) facts.KernelTree {
	return facts.KernelTree{Release: release, HasModules: true, Build: "../../../usr/src/kernels/" + release}
}

// foundingFolder is the synced folder of the report: mount -t vboxsf -o uid=500,gid=500 home_rc_ /home/rc.
func foundingFolder(f *facts.Facts) {
	f.Host.Folders = facts.Known([]facts.SyncedFolder{{Name: "home_rc_", HostPath: "/home/me/rc", GuestPath: "/home/rc"}})
	Edit(&f.Host.VM, func(v *facts.VM) { v.Shares = []facts.Share{{Name: "home_rc_", HostPath: "/home/me/rc"}} })
	Edit(&f.Guest.System, func(s *facts.System) { s.UID, s.GID = 500, 500 })
	f.Guest.Mounts = facts.Known(facts.Mounts{Wanted: []facts.WantedMount{{GuestPath: "/home/rc", Exists: true, UID: 0, GID: 0, WantUID: 500, WantGID: 500}}})
}
