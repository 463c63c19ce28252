package demo

import (
	"github.com/boxdoctor/boxdoctor/internal/demo/el6"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// The kernels and packages of the first report, and what the archive of CentOS 6 still offers.
const (
	RunningKernel   = "2.6.32-358.10.2.el6.x86_64"
	InstalledKernel = "2.6.32-358.23.2.el6.x86_64"
	ArchiveKernel   = "2.6.32-754.35.1.el6.x86_64"
)

// deadRepos is the repository file of a CentOS 6 that was never touched after its end of life.
const deadRepos = `# CentOS-Base.repo
#
# The mirror system uses the connecting IP address of the client and the
# update status of each mirror to pick mirrors that are updated to and
# geographically close to the client.
#

[base]
name=CentOS-$releasever - Base
mirrorlist=http://mirrorlist.centos.org/?release=$releasever&arch=$basearch&repo=os
#baseurl=http://mirror.centos.org/centos/$releasever/os/$basearch/
gpgcheck=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-CentOS-6

#released updates 
[updates]
name=CentOS-$releasever - Updates
mirrorlist=http://mirrorlist.centos.org/?release=$releasever&arch=$basearch&repo=updates
#baseurl=http://mirror.centos.org/centos/$releasever/updates/$basearch/
gpgcheck=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-CentOS-6

#additional packages that may be useful
[extras]
name=CentOS-$releasever - Extras
mirrorlist=http://mirrorlist.centos.org/?release=$releasever&arch=$basearch&repo=extras
#baseurl=http://mirror.centos.org/centos/$releasever/extras/$basearch/
gpgcheck=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-CentOS-6

#additional packages that extend functionality of existing packages
[centosplus]
name=CentOS-$releasever - Plus
mirrorlist=http://mirrorlist.centos.org/?release=$releasever&arch=$basearch&repo=centosplus
#baseurl=http://mirror.centos.org/centos/$releasever/centosplus/$basearch/
gpgcheck=1
enabled=0
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-CentOS-6
`

// archiveRepos names the archive.
const archiveRepos = `# CentOS-Base.repo
[base]
name=CentOS-$releasever - Base
baseurl=http://vault.centos.org/6.10/os/$basearch/
gpgcheck=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-CentOS-6

[updates]
name=CentOS-$releasever - Updates
baseurl=http://vault.centos.org/6.10/updates/$basearch/
gpgcheck=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-CentOS-6

[extras]
name=CentOS-$releasever - Extras
baseurl=http://vault.centos.org/6.10/extras/$basearch/
gpgcheck=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-CentOS-6
`

// archive is what vault.centos.org holds of CentOS 6.10, as far as the scene needs it. It has no kernel-devel
// of the 358 kernels.
func archive() map[string][]string {
	return map[string][]string{
		"http://vault.centos.org/6.10/os/x86_64/": {
			"kernel-2.6.32-754.el6.x86_64", "kernel-devel-2.6.32-754.el6.x86_64", "kernel-headers-2.6.32-754.el6.x86_64", "kernel-firmware-2.6.32-754.el6.noarch",
			"gcc-4.4.7-23.el6.x86_64", "cpp-4.4.7-23.el6.x86_64", "make-3.81-23.el6.x86_64", "perl-5.10.1-144.el6.x86_64", "bzip2-1.0.5-7.el6_0.x86_64",
			"tar-1.23-15.el6_8.x86_64", "glibc-devel-2.12-1.212.el6.x86_64", "glibc-headers-2.12-1.212.el6.x86_64", "binutils-2.20.51.0.2-5.48.el6.x86_64",
		},
		"http://vault.centos.org/6.10/updates/x86_64/": {
			"kernel-2.6.32-754.35.1.el6.x86_64", "kernel-devel-2.6.32-754.35.1.el6.x86_64", "kernel-headers-2.6.32-754.35.1.el6.x86_64",
			"kernel-firmware-2.6.32-754.35.1.el6.noarch",
		},
		"http://vault.centos.org/6.10/extras/x86_64/": {},
	}
}

// basePackages are those that every scene has.
func basePackages() []string {
	return []string{
		"centos-release-6-4.el6.centos.10.x86_64", "glibc-2.12-1.107.el6.x86_64", "bash-4.1.2-14.el6.x86_64", "coreutils-8.4-19.el6_4.2.x86_64",
		"rpm-4.8.0-32.el6.x86_64", "yum-3.2.29-40.el6.centos.noarch", "yum-plugin-fastestmirror-1.1.30-14.el6.noarch",
		"yum-plugin-versionlock-1.1.30-14.el6.noarch", "sudo-1.8.6p3-7.el6.x86_64", "openssh-server-5.3p1-84.1.el6.x86_64", "tar-1.23-11.el6.x86_64",
		"gzip-1.3.12-18.el6.x86_64", "grubby-7.0.15-3.el6.x86_64", "module-init-tools-3.9-21.el6.x86_64",
	}
}

func tools() []string {
	return []string{
		"gcc-4.4.7-3.el6.x86_64", "cpp-4.4.7-3.el6.x86_64", "make-3.81-20.el6.x86_64", "perl-5.10.1-131.el6_4.x86_64", "bzip2-1.0.5-7.el6_0.x86_64",
		"glibc-devel-2.12-1.107.el6.x86_64", "glibc-headers-2.12-1.107.el6.x86_64", "binutils-2.20.51.0.2-5.36.el6.x86_64",
	}
}

// Founding is the guest of the first report: VirtualBox was upgraded to 5.1.26, the Guest Additions are 4.3.6
// and have no modules for the running kernel 2.6.32-358.10.2; 358.23.2 is installed and boots next;
// kernel-devel and kernel-headers are 696.10.2; versionlock pins all of them; the mirror list of CentOS 6 is
// gone, and its archive has only the 754 kernels. The share home_rc_ is not mounted on /home/rc.
func Founding() Scene {
	return Scene{
		Name: "centos64php56", User: "vagrant", HostVersion: "5.1.26", Reported: "4.3.6 r91406", Project: "/home/dev/centos64php56",
		Folders: []facts.SyncedFolder{{Name: "home_rc_", HostPath: "/home/dev/rc", GuestPath: "/home/rc"}},
		System: el6.Config{
			Hostname: "centos64php56",
			Users:    []el6.User{{Name: "vagrant", UID: 500, GID: 500}, {Name: "rc", UID: 501, GID: 501}},
			Running:  RunningKernel, Default: InstalledKernel,
			Packages: append(append(basePackages(), tools()...),
				"kernel-firmware-2.6.32-358.23.2.el6.noarch", "kernel-2.6.32-358.10.2.el6.x86_64", "kernel-2.6.32-358.23.2.el6.x86_64",
				"kernel-devel-2.6.32-696.10.2.el6.x86_64", "kernel-headers-2.6.32-696.10.2.el6.x86_64"),
			LockPlugin: true,
			VersionLock: []string{"0:kernel-2.6.32-358.10.2.el6.*", "0:kernel-2.6.32-358.23.2.el6.*",
				"0:kernel-devel-2.6.32-696.10.2.el6.*", "0:kernel-headers-2.6.32-696.10.2.el6.*"},
			RepoFile: deadRepos, Web: archive(),
			Additions: "4.3.6", Host: "5.1.26",
			Shares: []el6.Share{{Name: "home_rc_", Files: map[string]string{"/README": "the developer's files\n", "/app/index.php": "<?php phpinfo();\n"}}},
		},
		Prepare: []string{"printf '%s\\n' 'Building the main Guest Additions module.' '" + sourcesError + "' 'modprobe vboxguest failed' >/var/log/vboxadd-install.log"},
	}
}

// sourcesError is the literal of the first report.
const sourcesError = "*** Error: unable to find the sources of your current Linux kernel. Specify KERN_DIR=<directory> and run Make again.  Stop."

// Healthy is the same guest after a good repair: nothing to find, nothing to do.
func Healthy() Scene {
	s := Founding()
	s.Reported = "5.1.26 r117224"
	s.System.Running, s.System.Default = ArchiveKernel, ArchiveKernel
	s.System.Packages = append(append(basePackages(), tools()...), "kernel-firmware-2.6.32-754.35.1.el6.noarch", "kernel-2.6.32-358.23.2.el6.x86_64",
		"kernel-2.6.32-754.35.1.el6.x86_64", "kernel-devel-2.6.32-754.35.1.el6.x86_64", "kernel-headers-2.6.32-754.35.1.el6.x86_64")
	s.System.VersionLock = nil
	s.System.RepoFile = archiveRepos
	s.System.Additions, s.System.AdditionsBuilt = "5.1.26", []string{ArchiveKernel}
	s.Prepare = []string{"mount -t vboxsf -o uid=500,gid=500 home_rc_ /home/rc"}
	return s
}

// Tangled is a guest whose Guest Additions are right and whose surroundings are not: the mirror list of CentOS 6 is gone,
// the mount helper's link leads nowhere (GA 5.1.20 left it so), and the share is not mounted. A repair changes only what
// `boxdoctor undo` can take back to the last byte.
func Tangled() Scene {
	s := Healthy()
	s.System.RepoFile = deadRepos
	s.Prepare = []string{"ln -sfn /opt/VBoxGuestAdditions-5.1.26/elsewhere/mount.vboxsf /sbin/mount.vboxsf", "rmdir /home/rc 2>/dev/null || true"}
	return s
}
