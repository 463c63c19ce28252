package assess

import (
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

// Whose vboxsf mounts shares in a guest.
const (
	OracleSF   = "oracle"   // of Oracle's Guest Additions, below misc/
	DistroSF   = "distro"   // built by the distribution from Oracle's sources (virtualbox-guest, DKMS)
	MainlineSF = "mainline" // the kernel's own, 5.6 and later
)

// WhoseSF tells whose module would mount a share; empty when there is none. The kernel's own has neither a version of
// its own nor a place outside fs/.
func WhoseSF(m facts.Modules) string {
	f := m.SF.File
	switch {
	case strings.Contains(f, "/misc/"):
		return OracleSF
	case strings.Contains(f, "/kernel/fs/vboxsf/"), (f == "" || f == "(builtin)") && m.FSRegistered && m.SF.Running == "":
		return MainlineSF
	case f != "":
		return DistroSF
	}
	return ""
}

// Options that the two ways to mount know (rows V12 to V14). helperOptions are those of Oracle's mount.vboxsf since 6.0,
// newOptions those of them that older ones do not have.
var (
	mainlineOptions = strings.Fields("nls uid gid ttl dmode fmode dmask fmask")
	helperOptions   = strings.Fields("rw ro uid gid ttl dcachettl inodettl maxiopages dirbuf cache iocharset nls convertcp dmode fmode umask dmask fmask tag " +
		"exec noexec dev nodev suid nosuid remount noauto _netdev relatime")
	newOptions = strings.Fields("_netdev relatime nls cache dirbuf dcachettl inodettl maxiopages")
	// mountOptions never reach the file system: mount(8) and the kernel's own layer take them.
	mountOptions = strings.Fields("rw ro defaults auto noauto user nouser users exec noexec dev nodev suid nosuid remount relatime noatime _netdev nofail sync async")
)

// StrangeOptions are those that this guest's vboxsf does not know, of a folder's or an fstab line's.
func StrangeOptions(f *facts.Facts, options []string) []string {
	known := append(slices.Clone(helperOptions), "defaults", "auto", "user", "users", "nouser")
	ga, err := InstalledVersion(f)
	if WhoseSF(f.Guest.Modules.Or(facts.Modules{})) == MainlineSF {
		known = append(slices.Clone(mainlineOptions), mountOptions...)
	} else if err == nil && older(ga, 6) {
		known = slices.DeleteFunc(known, func(o string) bool { return slices.Contains(newOptions, o) })
	}
	var out []string
	for _, o := range options {
		key, _, _ := strings.Cut(o, "=")
		if key != "" && !slices.Contains(known, key) && !strings.HasPrefix(key, "x-") && key != "comment" {
			out = append(out, o)
		}
	}
	return out
}

// older tells whether a version is of an earlier series than major.
func older(v version.VBox, major int) bool {
	first, _, _ := strings.Cut(v.Number, ".")
	return len(first) == 1 && int(first[0]-'0') < major
}

// ForMainline are options that mean the same to the kernel's own vboxsf: umask becomes dmask and fmask, iocharset nls;
// what tunes Oracle's caches and buffers has nothing to stand for and is left out.
func ForMainline(options []string) []string {
	out := []string{}
	for _, o := range options {
		key, value, _ := strings.Cut(o, "=")
		switch {
		case key == "umask":
			out = append(out, "dmask="+value, "fmask="+value)
		case key == "iocharset":
			out = append(out, "nls="+value)
		case slices.Contains([]string{"_netdev", "nofail", "noauto", "auto", "defaults"}, key):
		case slices.Contains(mainlineOptions, key), slices.Contains(mountOptions, key):
			out = append(out, o)
		}
	}
	return out
}

// systemFolders hide a part of the system when a share lies on them (row V24): nothing works afterwards. homes hide
// what others keep there, such as the key that Vagrant logs in with.
var (
	systemFolders = strings.Fields("/ /bin /boot /dev /etc /lib /lib32 /lib64 /proc /run /sbin /sys /usr /usr/bin /usr/lib /usr/lib64 /usr/sbin /var /var/lib /var/run")
	homes         = strings.Fields("/home /opt /root /srv /tmp /usr/local /var/log /var/tmp")
)

// HidesSystem and HidesHomes judge a guest path. user is who logs in.
func HidesSystem(guestPath string) bool {
	p := path.Clean(guestPath)
	return slices.Contains(systemFolders, p) || strings.HasPrefix(p, "/dev/") || strings.HasPrefix(p, "/proc/") || strings.HasPrefix(p, "/sys/")
}

// HidesHomes tells whether a share on this path hides what others keep there.
func HidesHomes(guestPath, user string) bool {
	p := path.Clean(guestPath)
	return slices.Contains(homes, p) || p == "/home/"+user
}

// NoWay says why nothing can make vboxsf work in this guest with this VirtualBox, or nothing when something may.
func NoWay(f *facts.Facts) string {
	sys, err := f.Guest.System.Get()
	if err != nil {
		return ""
	}
	switch {
	case sys.Container != "" && sys.Container != "none":
		return "the guest is a container (" + sys.Container + "), which cannot load a module of its own"
	case !sys.PCIDevice && sys.Product != "VirtualBox" && !f.Machine.ForceVirtualBox:
		return "the guest is not run by VirtualBox, so there is no shared folder to mount"
	case strings.HasPrefix(sys.Arch, "arm") || sys.Arch == "riscv64" || sys.Arch == "ppc64le" || sys.Arch == "s390x":
		return "there are no Guest Additions for " + sys.Arch
	}
	if needed, err := BuildNeeded(f); err != nil || !needed {
		return ""
	}
	if why := breaks(f); why != "" {
		return why
	}
	return cannotBuild(f)
}

// breaks: these Guest Additions do not build for this kernel, and neither another version nor another installed kernel
// is known that goes together.
func breaks(f *facts.Facts) string {
	running := f.Guest.Kernel.Or(facts.Kernel{}).Running
	v, err := PlannedVersion(f)
	if err != nil || BuildOf(f, v, running).State != Breaks {
		return ""
	}
	if _, ok := OtherVersion(f, BuildOf(f, v, running), running); ok {
		return ""
	}
	if _, _, ok := OtherKernel(f, v); ok {
		return ""
	}
	return "Guest Additions " + v.Number + " do not build for " + running + ", and no other version of them and no other installed kernel is known that does"
}

// cannotBuild: modules have to be built, and their kernel's headers can neither be had nor replaced by another kernel.
func cannotBuild(f *facts.Facts) string {
	k, kerr := f.Guest.Kernel.Get()
	res, rerr := f.Guest.Resolve.Get()
	if errors.Join(kerr, rerr) != nil || HasHeaders(Tree(k, k.Running)) || NextBuildable(k) != "" || len(res.Candidates) == 0 {
		return ""
	}
	for _, c := range res.Candidates {
		if c.State == facts.CandError { // repositories that do not answer may be mended
			return ""
		}
	}
	if _, ok := ChooseTarget(f, k, res, nil); ok || len(res.Kernels) > 0 {
		return ""
	}
	return "no module can be built for " + k.Running + ": no repository of the guest has its headers, nor another kernel with headers"
}
