package el6

import (
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/demo/coreutils"
	"github.com/boxdoctor/boxdoctor/internal/demo/kernel"
	"github.com/boxdoctor/boxdoctor/internal/demo/memfs"
)

// builder writes the first files and keeps the first error.
type builder struct {
	fs  *memfs.FS
	err error
}

func (b *builder) dir(mode fs.FileMode, paths ...string) {
	for _, p := range paths {
		b.keep(b.fs.MkdirAll(memfs.Root, p, 0o755))
		b.keep(b.fs.Chmod(memfs.Root, p, mode))
	}
}

func (b *builder) file(mode fs.FileMode, p, content string) {
	b.keep(b.fs.MkdirAll(memfs.Root, path.Dir(p), 0o755))
	b.keep(b.fs.WriteFile(memfs.Root, p, []byte(content), mode))
	b.keep(b.fs.Chmod(memfs.Root, p, mode))
}

func (b *builder) link(target, p string) {
	b.keep(b.fs.MkdirAll(memfs.Root, path.Dir(p), 0o755))
	_ = b.fs.Remove(memfs.Root, p)
	b.keep(b.fs.Symlink(memfs.Root, target, p))
}

func (b *builder) program(p, name string) { b.file(0o755, p, string(kernel.Image(name))) }

func (b *builder) gen(p string, f func() string) {
	b.keep(b.fs.MkdirAll(memfs.Root, path.Dir(p), 0o755))
	b.keep(b.fs.Generate(p, 0o444, func() []byte { return []byte(f()) }, nil))
}

func (b *builder) keep(err error) {
	if b.err == nil {
		b.err = err
	}
}

// places of the programs that are not where coreutils.Dir says.
var places = map[string]string{
	"grubby": "/sbin", "modinfo": "/sbin", "modprobe": "/sbin", "lsmod": "/sbin", "rmmod": "/sbin", "depmod": "/sbin", "service": "/sbin",
	"chkconfig": "/sbin", "shutdown": "/sbin", "reboot": "/sbin", "restorecon": "/sbin", "ldconfig": "/sbin", "initctl": "/sbin",
	"pidof": "/sbin", "runlevel": "/sbin", "udevadm": "/sbin", "losetup": "/sbin", "su": "/bin", "getenforce": "/usr/sbin",
}

// build makes the disk of the first boot.
func (m *Machine) build() error {
	b := &builder{fs: m.FS}
	m.skeleton(b)
	m.etc(b)
	m.generated(b)
	for name := range m.programs() {
		if strings.HasPrefix(name, "VBox") || strings.HasPrefix(name, "vbox") || name == "mount.vboxsf" || name == "tool" {
			continue
		}
		dir := coreutils.Dir(name)
		if d := places[name]; d != "" {
			dir = d
		}
		b.program(dir+"/"+name, name)
	}
	b.program("/bin/bash", "sh")
	if b.err != nil {
		return b.err
	}
	for _, p := range m.cfg.Packages {
		pk, err := find(p)
		if err != nil {
			return err
		}
		m.unpack(pk)
		m.db = append(m.db, pk)
	}
	m.setDefault(m.cfg.Default)
	if m.cfg.Additions != "" {
		m.place(b, m.cfg.Additions)
		for _, k := range m.cfg.AdditionsBuilt {
			m.writeModules(k, m.cfg.Additions)
		}
	}
	return b.err
}

func (m *Machine) skeleton(b *builder) {
	b.dir(0o755, "/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/lib", "/usr/lib64", "/usr/include", "/usr/src/kernels", "/lib/modules",
		"/lib64", "/etc/init.d", "/etc/rc.d", "/etc/yum.repos.d", "/etc/yum/pluginconf.d", "/etc/sysconfig", "/var/log", "/var/lib", "/var/run", "/var/cache/yum",
		"/home", "/opt", "/mnt", "/media", "/srv", "/dev", "/boot/grub", "/lost+found")
	b.link("../init.d", "/etc/rc.d/init.d")
	b.dir(0o550, "/root")
	b.dir(0o1777|fs.ModeSticky, "/tmp", "/var/tmp")
	if m.cfg.TmpSize > 0 {
		b.keep(m.FS.Mount(&memfs.Volume{Source: "tmpfs", FSType: "tmpfs", Size: m.cfg.TmpSize, Inodes: 100000}, "tmpfs", "/tmp", []string{"rw", "relatime"}))
		b.keep(m.FS.Chmod(memfs.Root, "/tmp", 0o777|fs.ModeSticky))
	}
	b.keep(m.FS.Mount(&memfs.Volume{Source: "/dev/sda1", FSType: "ext4", Size: 500 << 20, Inodes: 128016}, "/dev/sda1", "/boot", []string{"rw", "relatime"}))
	b.dir(0o755, "/boot/grub")
	for _, u := range m.cfg.Users {
		if u.Name == "root" {
			continue
		}
		b.dir(0o700, "/home/"+u.Name)
		b.keep(m.FS.Chown(memfs.Root, "/home/"+u.Name, u.UID, u.GID, true))
	}
	b.keep(m.FS.Mknod("/dev/null", 0o666, memfs.NullDevice{}))
	b.keep(m.FS.Mknod("/dev/zero", 0o666, memfs.FuncDevice(func(p []byte) (int, error) { clear(p); return len(p), nil })))
	b.keep(m.FS.Mknod("/dev/urandom", 0o666, memfs.FuncDevice(randomBytes)))
}

func (m *Machine) etc(b *builder) {
	passwd, group := "root:x:0:0:root:/root:/bin/bash\nbin:x:1:1:bin:/bin:/sbin/nologin\nnobody:x:99:99:Nobody:/:/sbin/nologin\n",
		"root:x:0:\nbin:x:1:bin,daemon\nwheel:x:10:\nnobody:x:99:\n"
	for _, u := range m.cfg.Users {
		passwd += fmt.Sprintf("%s:x:%d:%d::/home/%s:/bin/bash\n", u.Name, u.UID, u.GID, u.Name)
		group += fmt.Sprintf("%s:x:%d:\n", u.Name, u.GID)
	}
	b.file(0o644, "/etc/passwd", passwd)
	b.file(0o644, "/etc/group", group)
	b.file(0o440, "/etc/sudoers", "Defaults env_reset\nroot ALL=(ALL) ALL\n")
	b.file(0o644, "/etc/sysconfig/network", "NETWORKING=yes\nHOSTNAME="+m.cfg.Hostname+"\n")
	b.file(0o644, "/etc/hosts", "127.0.0.1   localhost localhost.localdomain "+m.cfg.Hostname+"\n::1         localhost localhost.localdomain\n")
	b.file(0o644, "/etc/resolv.conf", "nameserver 10.0.2.3\n")
	for _, f := range []string{"/etc/centos-release", "/etc/redhat-release", "/etc/system-release"} {
		b.file(0o644, f, "CentOS release 6.4 (Final)\n")
	}
	b.file(0o644, "/etc/inittab", "id:3:initdefault:\n")
	b.file(0o644, "/etc/fstab", "/dev/mapper/VolGroup-lv_root /                       ext4    defaults        1 1\n/dev/sda1 /boot                   ext4    defaults        1 2\n")
	b.file(0o644, "/etc/selinux/config", "SELINUX=disabled\nSELINUXTYPE=targeted\n")
	b.file(0o644, "/etc/sysconfig/kernel", "UPDATEDEFAULT=yes\nDEFAULTKERNEL=kernel\n")
	m.yumFiles(b)
	b.file(0o600, "/boot/grub/grub.conf", "# grub.conf generated by anaconda\ndefault=0\ntimeout=5\nhiddenmenu\n")
	b.link("../boot/grub/grub.conf", "/etc/grub.conf")
}

func (m *Machine) yumFiles(b *builder) {
	conf := "[main]\ncachedir=/var/cache/yum/$basearch/$releasever\nkeepcache=0\ndebuglevel=2\nlogfile=/var/log/yum.log\nexactarch=1\nobsoletes=1\n" +
		"gpgcheck=1\nplugins=1\ninstallonly_limit=5\ndistroverpkg=centos-release\n"
	if m.cfg.YumExclude != "" {
		conf += "exclude=" + m.cfg.YumExclude + "\n"
	}
	b.file(0o644, "/etc/yum.conf", conf)
	b.file(0o644, "/etc/yum/pluginconf.d/fastestmirror.conf", "[main]\nenabled=1\nverbose=0\n")
	if m.has("yum-plugin-versionlock") {
		b.file(0o644, "/usr/lib/yum-plugins/versionlock.py", "# boxdoctor: the plugin itself is scripted\n")
		on := "0"
		if m.cfg.LockPlugin {
			on = "1"
		}
		b.file(0o644, "/etc/yum/pluginconf.d/versionlock.conf", "[main]\nenabled = "+on+"\nlocklist = /etc/yum/pluginconf.d/versionlock.list\n#  Uncomment this to lock out \"upgrade via. obsoletes\" etc. (slower)\n# follow_obsoletes = 1\n")
		list := ""
		if len(m.cfg.VersionLock) > 0 {
			list = strings.Join(m.cfg.VersionLock, "\n") + "\n"
		}
		b.file(0o644, "/etc/yum/pluginconf.d/versionlock.list", list)
	}
	b.file(0o644, "/etc/yum.repos.d/CentOS-Base.repo", m.cfg.RepoFile)
}

func (m *Machine) has(name string) bool {
	for _, p := range m.cfg.Packages {
		if strings.HasPrefix(p, name+"-") {
			return true
		}
	}
	return false
}

// generated are the files of /proc and /sys.
func (m *Machine) generated(b *builder) {
	b.dir(0o555, "/proc", "/sys")
	b.keep(m.FS.Mount(&memfs.Volume{Source: "proc", FSType: "proc"}, "proc", "/proc", []string{"rw", "relatime"}))
	b.keep(m.FS.Mount(&memfs.Volume{Source: "sysfs", FSType: "sysfs"}, "sysfs", "/sys", []string{"rw", "relatime"}))
	b.gen("/proc/mounts", m.procMounts)
	b.gen("/proc/self/mounts", m.procMounts)
	b.gen("/proc/modules", m.procModules)
	b.gen("/proc/filesystems", m.procFilesystems)
	b.gen("/proc/sys/kernel/random/boot_id", func() string { return m.BootID() + "\n" })
	b.gen("/proc/sys/kernel/osrelease", func() string { return m.Running() + "\n" })
	b.gen("/proc/version", func() string { return "Linux version " + m.Running() + "\n" })
	b.gen("/proc/uptime", func() string { return fmt.Sprintf("%.2f 0.00\n", m.now().Sub(m.booted).Seconds()) })
	b.gen("/proc/cmdline", func() string { return "ro root=/dev/mapper/VolGroup-lv_root rhgb quiet\n" })
	b.gen("/proc/locks", func() string { return "" })
	b.keep(m.FS.Dynamic("/proc", m.procPID))
	b.dir(0o755, "/sys/module", "/sys/firmware", "/sys/kernel")
	b.gen("/sys/class/dmi/id/product_name", func() string { return "VirtualBox\n" })
	b.gen("/sys/class/dmi/id/sys_vendor", func() string { return "innotek GmbH\n" })
	for dev, ids := range map[string][2]string{"0000:00:03.0": {"0x8086", "0x100e"}, "0000:00:04.0": {"0x80ee", "0xcafe"}} {
		b.gen("/sys/bus/pci/devices/"+dev+"/vendor", func() string { return ids[0] + "\n" })
		b.gen("/sys/bus/pci/devices/"+dev+"/device", func() string { return ids[1] + "\n" })
	}
}

func (m *Machine) procPID(name string) map[string]func() []byte {
	pid, err := strconv.Atoi(name)
	if err != nil {
		return nil
	}
	p := m.Kernel().Proc(pid)
	if p == nil {
		return nil
	}
	argv := p.Argv()
	comm := "init"
	if len(argv) > 0 {
		comm = path.Base(argv[0])
	}
	uid := p.User().UID
	text := func(s string) func() []byte { return func() []byte { return []byte(s) } }
	return map[string]func() []byte{
		"cmdline": text(strings.Join(argv, "\x00") + "\x00"),
		"comm":    text(comm + "\n"),
		"stat":    text(fmt.Sprintf("%d (%s) S %d %d %d 0\n", pid, comm, p.PPID, p.Group(), p.Session())),
		"status":  text(fmt.Sprintf("Name:\t%s\nPid:\t%d\nPPid:\t%d\nUid:\t%d\t%d\t%d\t%d\n", comm, pid, p.PPID, uid, uid, uid, uid)),
	}
}

func (m *Machine) procMounts() string {
	var b strings.Builder
	for _, mt := range m.FS.Mounts() {
		opts := mt.Options
		if len(opts) == 0 {
			opts = []string{"rw", "relatime"}
		}
		fmt.Fprintf(&b, "%s %s %s %s 0 0\n", mt.Source, strings.ReplaceAll(mt.Target, " ", `\040`), mt.Vol.FSType, strings.Join(opts, ","))
	}
	return b.String()
}
