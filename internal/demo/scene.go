package demo

import (
	"time"

	"github.com/boxdoctor/boxdoctor/internal/demo/el6"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// Scene is a guest before its examination, and the host's side of it.
type Scene struct {
	// Name is the machine's name, User the login user.
	Name, User string
	// HostVersion is VirtualBox' version on the host, and of the ISO that it holds.
	HostVersion string
	// Reported is what the guest last told the host of its Guest Additions.
	Reported string
	// Project is the folder of the Vagrantfile.
	Project string
	// Folders are the synced folders that Vagrant wants.
	Folders []facts.SyncedFolder
	// System is the guest itself.
	System el6.Config
	// Prepare are commands that root runs after the first boot.
	Prepare []string
}

// Variant changes a scene.
type Variant func(*Scene)

// With applies variants to a copy of the scene.
func (s Scene) With(vs ...Variant) Scene {
	s.System.Packages = append([]string{}, s.System.Packages...)
	s.System.VersionLock = append([]string{}, s.System.VersionLock...)
	s.Prepare = append([]string{}, s.Prepare...)
	for _, v := range vs {
		v(&s)
	}
	return s
}

// ToolsMissing takes gcc, make, perl and bzip2 away.
func ToolsMissing(s *Scene) {
	drop(s, "gcc", "cpp", "make", "perl", "bzip2", "glibc-devel", "glibc-headers", "binutils")
}

// ReposWork gives the guest working repositories: its files name the archive already.
func ReposWork(s *Scene) { s.System.RepoFile = archiveRepos }

// NoLocks leaves the versionlock list empty.
func NoLocks(s *Scene) { s.System.VersionLock = nil }

// Excluded replaces the lock list by an exclude line in yum.conf.
func Excluded(s *Scene) { s.System.VersionLock, s.System.YumExclude = nil, "kernel*" }

// TmpFull gives /tmp a small file system of its own with no room left.
func TmpFull(s *Scene) {
	s.System.TmpSize = 1 << 20
	s.Prepare = append(s.Prepare, "dd if=/dev/zero of=/tmp/full bs=1k count=1023 2>/dev/null || true")
}

// ClockAhead sets the guest's clock off.
func ClockAhead(d time.Duration) Variant { return func(s *Scene) { s.System.ClockOffset = d } }

// Sudo sets the policy of sudo (el6.SudoPassword, …) and the login user's password.
func Sudo(policy, password string) Variant {
	return func(s *Scene) { s.System.Sudo, s.System.Password = policy, password }
}

// Interrupted is what a power cut in the middle of a package transaction leaves: locks taken off, their
// originals in a pending folder.
func Interrupted(s *Scene) {
	const dir = "/var/lib/boxdoctor/pending/interrupted"
	s.Prepare = append(s.Prepare, "mkdir -p "+dir+" && chmod 700 /var/lib/boxdoctor "+dir,
		"cp -p /etc/yum/pluginconf.d/versionlock.list "+dir+"/1.orig && echo /etc/yum/pluginconf.d/versionlock.list >"+dir+"/1.path",
		": >/etc/yum/pluginconf.d/versionlock.list")
}

func drop(s *Scene, names ...string) {
	gone := map[string]bool{}
	for _, n := range names {
		gone[n] = true
	}
	var keep []string
	for _, p := range s.System.Packages {
		if !gone[packageName(p)] {
			keep = append(keep, p)
		}
	}
	s.System.Packages = keep
}

// packageName cuts version, release and architecture off.
func packageName(nevra string) string {
	dashes := 0
	for i := len(nevra) - 1; i >= 0; i-- {
		if nevra[i] == '-' {
			if dashes++; dashes == 2 {
				return nevra[:i]
			}
		}
	}
	return nevra
}
