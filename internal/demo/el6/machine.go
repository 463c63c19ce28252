// Package el6 scripts a CentOS 6 guest of VirtualBox on top of packages memfs, kernel and shell: the boot, rpm
// and yum with their locks and repositories, kernels and modules, mounts, sudo, the Guest Additions and their
// installer. Texts follow recorded or reported outputs of the real programs; state lives in the tree and in
// Machine, and survives reboots and power cuts as a disk does.
package el6

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/demo/coreutils"
	"github.com/boxdoctor/boxdoctor/internal/demo/kernel"
	"github.com/boxdoctor/boxdoctor/internal/demo/memfs"
	"github.com/boxdoctor/boxdoctor/internal/demo/shell"
)

// Sudo policies of the login user.
const (
	SudoFree     = ""         // NOPASSWD
	SudoPassword = "password" // asks; -n is refused
	SudoTTY      = "tty"      // requiretty
	SudoDenied   = "denied"   // not in sudoers
)

// User is an account of the guest.
type User struct {
	Name     string
	UID, GID int
}

// Share is a shared folder that the host offers.
type Share struct {
	Name string
	// Files are the names and contents that lie in it on the host.
	Files map[string]string
}

// Config is the guest as it is before its first boot.
type Config struct {
	Hostname string
	Users    []User
	// Sudo is the policy for login users, Password their password.
	Sudo, Password string
	// Running is the kernel that runs first; Default the one of the default boot entry.
	Running, Default string
	// Packages are installed, as name-version-release.arch of the catalogue (Catalogue).
	Packages []string
	// VersionLock are the lines of versionlock.list; LockPlugin says `enabled = 1`.
	VersionLock []string
	LockPlugin  bool
	// YumExclude is the exclude line of yum.conf.
	YumExclude string
	// RepoFile is the content of /etc/yum.repos.d/CentOS-Base.repo.
	RepoFile string
	// Web maps base URLs, with a final slash, to the packages that lie there. A host without any URL does not
	// resolve.
	Web map[string][]string
	// Additions is the version of the installed Guest Additions; empty: none. AdditionsBuilt lists kernels for
	// which its modules were built.
	Additions      string
	AdditionsBuilt []string
	// Host is VirtualBox' version on the host.
	Host   string
	Shares []Share
	// TmpSize limits a /tmp of its own, in bytes; zero: /tmp lies on the root disk.
	TmpSize int64
	// ClockOffset is guest minus host.
	ClockOffset time.Duration
}

// Machine is a guest: its disk, and the system that runs from it.
type Machine struct {
	FS  *memfs.FS
	cfg Config
	ctx context.Context

	mu      sync.Mutex
	k       *kernel.Kernel
	db      []*Package
	running string
	bootID  string
	loaded  map[string]string // modules in memory and their versions
	dmesg   []string
	booted  time.Time
	shares  map[string]*memfs.Volume
	closed  bool
	wg      sync.WaitGroup
	// OnReboot is called when the guest goes down (up false) and when it is up again.
	OnReboot func(up bool)
}

// New builds the disk and boots it. Close it.
func New(ctx context.Context, cfg Config) (*Machine, error) {
	m := &Machine{cfg: cfg, ctx: ctx, loaded: map[string]string{}, shares: map[string]*memfs.Volume{}}
	m.FS = memfs.New(&memfs.Volume{Source: "/dev/mapper/VolGroup-lv_root", FSType: "ext4", Size: 40 << 30, Inodes: 2621440}, m.now)
	if err := errors.Join(m.prepareShares(), m.build()); err != nil {
		return nil, fmt.Errorf("build the embedded guest: %w", err)
	}
	m.boot(cfg.Running)
	return m, nil
}

func (m *Machine) now() time.Time { return time.Now().Add(m.cfg.ClockOffset) }

// Close kills every process and waits for them.
func (m *Machine) Close() {
	m.mu.Lock()
	m.closed = true
	k := m.k
	m.mu.Unlock()
	k.Stop()
	m.wg.Wait()
}

// Kernel is the running system; it changes with every boot.
func (m *Machine) Kernel() *kernel.Kernel {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.k
}

// Running is uname -r.
func (m *Machine) Running() string { m.mu.Lock(); defer m.mu.Unlock(); return m.running }

// BootID changes with every boot.
func (m *Machine) BootID() string { m.mu.Lock(); defer m.mu.Unlock(); return m.bootID }

func newBootID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// boot starts a kernel over the disk and runs the init scripts.
func (m *Machine) boot(release string) {
	k := kernel.New(m.ctx, m.FS, m.programs())
	k.Offset = m.cfg.ClockOffset
	m.mu.Lock()
	m.k, m.running, m.bootID, m.booted = k, release, newBootID(), m.now()
	m.loaded = map[string]string{}
	m.dmesg = []string{"Linux version " + release + " (mockbuild@c6b9.bsys.dev.centos.org)",
		"DMI: innotek GmbH VirtualBox/VirtualBox, BIOS VirtualBox 12/01/2006"}
	m.mu.Unlock()
	if m.closing() {
		k.Kill()
		return
	}
	m.startup()
}

func (m *Machine) closing() bool { m.mu.Lock(); defer m.mu.Unlock(); return m.closed }

// startup is what init does: the shared modules of udev and the scripts of the Guest Additions.
func (m *Machine) startup() {
	m.clearSys()
	for _, name := range []string{"ata_piix", "e1000", "ext4"} {
		m.insert(name, "")
	}
	if m.insmod("vboxguest") == nil {
		m.insmod("vboxsf")
		m.startService()
	}
}

// Reboot takes the system down and boots the default entry. It returns at once; OnReboot tells when it is up.
func (m *Machine) Reboot() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	m.wg.Add(1)
	go func() {
		defer m.wg.Done()
		m.cycle()
	}()
}

// PowerCut ends everything at once, as a pulled plug does: the disk stays, and the guest boots again.
func (m *Machine) PowerCut() {
	if !m.closing() {
		m.cycle()
	}
}

func (m *Machine) cycle() {
	if m.OnReboot != nil {
		m.OnReboot(false)
	}
	m.Kernel().Stop()
	for _, mt := range m.FS.Mounts() {
		if mt.Target != "/" && mt.Vol.FSType != "proc" && mt.Vol.FSType != "sysfs" && mt.Source != "/dev/sda1" && mt.Target != "/tmp" {
			_ = m.FS.Unmount(mt.Target)
		}
	}
	_ = m.FS.RemoveAll(memfs.Root, "/var/run/yum.pid")
	release := m.defaultKernel()
	if release == "" {
		release = m.Running()
	}
	m.boot(release)
	if m.OnReboot != nil {
		m.OnReboot(true)
	}
}

// Exec runs one command line as a user's login shell would get it, with these streams.
func (m *Machine) Exec(ctx context.Context, user, command string, in io.Reader, out, errw io.Writer) int {
	k := m.Kernel()
	c, ok := coreutils.CredOf(m.FS, user)
	if !ok || !k.Alive() {
		return 255
	}
	stdin, feeder := kernel.Feed(ctx, in)
	defer feeder()
	o, cutOut := kernel.Output(out)
	e, cutErr := kernel.Output(errw)
	p := k.Login(c, []string{"sshd: " + user + "@notty"}, loginEnv(user, home(user)), home(user), stdin, o, e)
	defer cutOut()
	defer cutErr()
	p.Go(func() int { return p.Exec([]string{"/bin/bash", "-c", command}) })
	select {
	case <-p.Done():
		return p.Status()
	case <-ctx.Done():
		// Like sshd without a terminal it cuts the streams; what ignores the hang-up or left the session goes on.
		k.HangUp(p.Session())
		return 129
	}
}

func home(user string) string {
	if user == "root" {
		return "/root"
	}
	return "/home/" + user
}

func loginEnv(user, home string) map[string]string {
	path := "/usr/local/bin:/bin:/usr/bin"
	if user == "root" {
		path = "/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin"
	}
	return map[string]string{"PATH": path, "HOME": home, "USER": user, "LOGNAME": user, "SHELL": "/bin/bash",
		"LANG": "en_US.UTF-8", "SSH_CONNECTION": "10.0.2.2 50000 10.0.2.15 22"}
}

// programs are all programs of the guest.
func (m *Machine) programs() map[string]kernel.Program {
	all := coreutils.Programs()
	for name, prog := range map[string]kernel.Program{
		"sh": shell.Main, "rpm": m.rpm, "yum": m.yum, "uname": m.uname, "grubby": m.grubby, "modinfo": m.modinfo, "modprobe": m.modprobe,
		"lsmod": m.lsmod, "rmmod": m.rmmod, "depmod": m.depmod, "mount": m.mount, "umount": m.umount, "mountpoint": m.mountpoint,
		"findmnt": m.findmnt, "unshare": m.unshare, "mount.vboxsf": m.mountVboxsf, "VBoxControl": m.vboxControl, "VBoxService": m.vboxService, "vboxadd": m.vboxadd,
		"vboxadd-service": m.vboxaddService, "VBoxLinuxAdditions": m.installer, "vbox-uninstall": m.uninstall,
		"sudo": m.sudo, "su": m.su, "getent": m.getent,
		"hostname": m.hostname, "service": service, "chkconfig": chkconfig, "shutdown": m.shutdown, "reboot": m.shutdown, "dmesg": m.dmesgProg,
		"restorecon": quiet, "ldconfig": quiet, "initctl": initctl, "tool": tool, "getenforce": m.getenforce, "udevadm": quiet, "losetup": quiet,
		"runlevel": func(p *kernel.Proc) int { p.Printf("N 3\n"); return 0 },
	} {
		all[name] = prog
	}
	return all
}

func quiet(*kernel.Proc) int { return 0 }

func (m *Machine) logKernel(format string, a ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dmesg = append(m.dmesg, fmt.Sprintf(format, a...))
}
