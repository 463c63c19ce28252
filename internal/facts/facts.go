// Package facts is plain data about one machine and its host. It reads nothing and judges nothing: the
// probe fills it, the checks read it. Every value knows whether it is known.
package facts

import "time"

// Key names one section of the probe. A check lists the keys it needs; the probe runs their union.
type Key string

// The sections of the guest probe. One key fills one field of Guest.
const (
	KeySystem    Key = "system"    // Guest.System
	KeySudo      Key = "sudo"      // Guest.Sudo
	KeyKernel    Key = "kernel"    // Guest.Kernel
	KeyPackages  Key = "packages"  // Guest.Packages
	KeyLocks     Key = "locks"     // Guest.Locks
	KeyRepos     Key = "repos"     // Guest.Repos
	KeyResolve   Key = "resolve"   // Guest.Resolve; talks to the repositories, bounded
	KeyTools     Key = "tools"     // Guest.Tools
	KeySpace     Key = "space"     // Guest.Space
	KeyAdditions Key = "additions" // Guest.Additions
	KeyModules   Key = "modules"   // Guest.Modules
	KeyServices  Key = "services"  // Guest.Services
	KeyMounts    Key = "mounts"    // Guest.Mounts
	KeySecurity  Key = "security"  // Guest.Security
	KeyClock     Key = "clock"     // Guest.Clock
	KeyGALog     Key = "galog"     // Guest.GALog
	KeyActivity  Key = "activity"  // Guest.Activity
	KeyMongo     Key = "mongo"     // Guest.Mongo; only when checks of this area are asked for
)

// Facts is everything observed about one machine.
type Facts struct {
	Machine Machine `json:"machine"`
	Host    Host    `json:"host"`
	Guest   Guest   `json:"guest"`
}

// Machine identifies what was examined.
type Machine struct {
	Name string `json:"name"`
	// User is the login user in the guest.
	User string `json:"user"`
	// UUID is the VirtualBox id; empty for a guest that was given by --ssh or --ssh-config.
	UUID string `json:"uuid"`
	// ForceVirtualBox is set by --vbox-version: judge Guest Additions even where DMI says another hypervisor.
	ForceVirtualBox bool `json:"force_virtualbox"`
}

// Host is what is known of the machine boxdoctor runs on, as far as this guest is concerned.
type Host struct {
	OS string `json:"os"` // runtime.GOOS
	// Explicit says that the guests were given by --ssh or --ssh-config: VirtualBox on this host is then not needed.
	Explicit bool `json:"explicit"`
	// ProjectRoot is the folder of the Vagrantfile.
	ProjectRoot Value[string] `json:"project_root"`
	// VBoxManage is the outcome of finding VBoxManage and asking for its version.
	VBoxManage Value[VBoxManage] `json:"vboxmanage"`
	// GivenVersion is --vbox-version, empty without.
	GivenVersion string `json:"given_version"`
	// VM is this machine's entry in VirtualBox.
	VM Value[VM] `json:"vm"`
	// Folders are the synced folders of type virtualbox that Vagrant recorded for this machine.
	Folders Value[[]SyncedFolder] `json:"folders"`
	// AdditionsISO is the Guest Additions ISO found on the host; empty path when VirtualBox has none.
	AdditionsISO Value[ISO] `json:"additions_iso"`
	// UnfinishedISO is a download of the image that VirtualBox left under another name (.iso.tmp); empty when there is none.
	UnfinishedISO string `json:"unfinished_iso"`
	// DevVBoxDrv tells whether /dev/vboxdrv exists (Linux hosts only; never opened).
	DevVBoxDrv Value[bool] `json:"dev_vboxdrv"`
	// ShareTools are the programs of the other ways to share a folder (rsync, nfsd, smb, sftp-server): name to path, "" when
	// missing.
	ShareTools Value[map[string]string] `json:"share_tools"`
	// Resolves tells, for names that the guest cannot resolve, whether this host can. It is asked only then.
	Resolves map[string]bool `json:"resolves,omitempty"`
	// RunningVMs is how many VMs run on this host, by VBoxManage list runningvms.
	RunningVMs Value[int] `json:"running_vms"`
	// Preflight is what decides before any machine runs whether `vagrant up` will work.
	Preflight Preflight `json:"preflight"`
}

// VBoxManage is what the program said of itself.
type VBoxManage struct {
	Path string `json:"path"` // empty: not found
	// Searched lists the places that were tried, in Vagrant's order.
	Searched []string `json:"searched"`
	// Version is the raw last line, such as 7.2.22_Debianr175245.
	Version string `json:"version"`
	// Warning is what was printed before the version.
	Warning  string `json:"warning"`
	ExitCode int    `json:"exit_code"`
	TimedOut bool   `json:"timed_out"`
}

// VM is a virtual machine as VirtualBox defines it.
type VM struct {
	Name  string `json:"name"`
	UUID  string `json:"uuid"`
	State string `json:"state"` // VMState of showvminfo: running, poweroff, saved, paused, aborted, …
	// Shares are the shared folders that VirtualBox offers to the guest (machine and transient mappings).
	Shares []Share `json:"shares"`
	// Symlinks is, by the name of a share, whether the guest may make symbolic links in it (SharedFoldersEnableSymlinksCreate);
	// nil when the VM's settings file was not read.
	Symlinks map[string]bool `json:"symlinks"`
	// AdditionsVersion is what the guest last reported, such as "7.0.20 r163906"; empty when it did not.
	AdditionsVersion string `json:"additions_version"`
}

// Share is a shared folder of a VM.
type Share struct {
	Name     string `json:"name"`
	HostPath string `json:"host_path"`
	ReadOnly bool   `json:"read_only"`
}

// SyncedFolder is a folder that Vagrant wants mounted in the guest.
type SyncedFolder struct {
	Name      string   `json:"name"` // share name as VirtualBox knows it
	HostPath  string   `json:"host_path"`
	GuestPath string   `json:"guest_path"`
	Owner     string   `json:"owner"` // empty: the login user
	Group     string   `json:"group"`
	Options   []string `json:"options"` // mount_options
}

// ISO is a Guest Additions image on the host.
type ISO struct {
	Path string `json:"path"`
	// Version is read from the image itself, such as 7.0.20; empty when it could not be read.
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
	Size    int64  `json:"size"`
	// InstallerAt and InstallerSize are where VBoxLinuxAdditions.run lies in the image, in bytes: a guest that cannot
	// mount it reads that part (row S9). Zero: not known.
	InstallerAt   int64 `json:"installer_at"`
	InstallerSize int64 `json:"installer_size"`
	// Known says that the hash is in boxdoctor's table of images that were hashed from a package.
	Known bool `json:"known"`
	// Source says where it was found (systemproperties, --iso, a known path).
	Source string `json:"source"`
}

// Guest is what the probe saw. Reach is always known after a dial was tried.
type Guest struct {
	Reach     Value[Reach]     `json:"reach"`
	System    Value[System]    `json:"system"`
	Sudo      Value[Sudo]      `json:"sudo"`
	Kernel    Value[Kernel]    `json:"kernel"`
	Packages  Value[Packages]  `json:"packages"`
	Locks     Value[Locks]     `json:"locks"`
	Repos     Value[Repos]     `json:"repos"`
	Resolve   Value[Resolve]   `json:"resolve"`
	Tools     Value[Tools]     `json:"tools"`
	Space     Value[[]Space]   `json:"space"`
	Additions Value[Additions] `json:"additions"`
	Modules   Value[Modules]   `json:"modules"`
	Services  Value[Services]  `json:"services"`
	Mounts    Value[Mounts]    `json:"mounts"`
	Security  Value[Security]  `json:"security"`
	Clock     Value[Clock]     `json:"clock"`
	GALog     Value[GALog]     `json:"ga_log"`
	Activity  Value[Activity]  `json:"activity"`
	Mongo     Value[Mongo]     `json:"mongo"`
}

// Reach is the outcome of dialling.
type Reach struct {
	OK      bool   `json:"ok"`
	Address string `json:"address"`
	User    string `json:"user"`
	// Class of the failure: refused, timeout, reset, auth, hostkey_changed, hostkey_unknown, handshake, proxy, config, other.
	Class string `json:"class"`
	Error string `json:"error"`
	// Command is the exact next command for this failure, such as the one that accepts a changed host key.
	Command string `json:"command"`
	// Legacy lists the old algorithms that were needed (ssh-rsa, diffie-hellman-group14-sha1, …).
	Legacy  []string      `json:"legacy"`
	Elapsed time.Duration `json:"elapsed"`
}

// System is the identity of the guest.
type System struct {
	KernelRelease string   `json:"kernel_release"` // uname -r
	Arch          string   `json:"arch"`           // uname -m
	Hostname      string   `json:"hostname"`
	ID            string   `json:"id"`      // os-release ID; "centos" from /etc/centos-release on EL6
	IDLike        []string `json:"id_like"` // os-release ID_LIKE
	VersionID     string   `json:"version_id"`
	Pretty        string   `json:"pretty"`
	Codename      string   `json:"codename"` // VERSION_CODENAME
	// Manager is the package manager that installs: dnf5, dnf, yum, apt, zypper, pacman, or empty.
	Manager string `json:"manager"`
	// Product is the DMI product name; "VirtualBox" in a VirtualBox VM.
	Product string `json:"product"`
	// PCIDevice tells whether the VirtualBox device 80ee:cafe is on the PCI bus.
	PCIDevice bool `json:"pci_device"`
	// Container is what systemd-detect-virt --container says, "none" or empty on a machine.
	Container string `json:"container"`
	Init      string `json:"init"` // systemd, upstart, sysv, other
	BootID    string `json:"boot_id"`
	UserName  string `json:"user_name"`
	UID       int    `json:"uid"`
	GID       int    `json:"gid"`
}

// Sudo states.
const (
	SudoRoot     = "root"     // the login user is root
	SudoOK       = "ok"       // sudo -n works
	SudoPassword = "password" // a password is needed and none worked
	SudoTTY      = "tty"      // requiretty
	SudoDenied   = "denied"   // not in sudoers
	SudoMissing  = "missing"  // no sudo program
	SudoBroken   = "broken"   // anything else, see Text
)

// SudoByPTY is the Text of a sudo that works because boxdoctor gives it the terminal that sudoers asks for.
const SudoByPTY = "over a pseudo-terminal, because sudoers says requiretty"

// Sudo is whether root can be had.
type Sudo struct {
	State string `json:"state"`
	Text  string `json:"text"` // what sudo said
}

// Kernel is which kernels there are and what they can build.
type Kernel struct {
	Running string `json:"running"` // uname -r
	// Default is the kernel of the default boot entry; empty when no way told it.
	Default string `json:"default"`
	// DefaultFrom says how Default was found: grubby, grubenv, grub.conf, newest.
	DefaultFrom string `json:"default_from"`
	// Trees are the folders of /lib/modules, sorted.
	Trees []KernelTree `json:"trees"`
	// BootImages are the releases of /boot/vmlinuz-*, without rescue images.
	BootImages []string `json:"boot_images"`
	// RebootRequired is Debian's marker file.
	RebootRequired bool `json:"reboot_required"`
	// CmdlineLockdown and compiler facts for T5.
	Compiler string `json:"compiler"` // CONFIG_CC_VERSION_TEXT
}

// KernelTree is one folder of /lib/modules.
type KernelTree struct {
	Release string `json:"release"`
	// HasModules: the folder holds modules or modules.dep of a kernel, not only leftovers.
	HasModules bool `json:"has_modules"`
	// Build is the target of the build link, empty when there is none; BuildOK when it resolves.
	Build   string `json:"build"`
	BuildOK bool   `json:"build_ok"`
	// Headers: build/include exists and is not empty; BuildMakefile: build/Makefile exists.
	Headers bool `json:"headers"`
	// Misc lists vbox modules under misc/ (vboxguest, vboxsf, vboxvideo): Oracle's place.
	Misc []string `json:"misc"`
	// InTree lists vbox modules anywhere else below the folder: the distribution's or the kernel's own.
	InTree []string `json:"in_tree"`
}

// Package is one installed package.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"` // rpm: epoch:version-release without a zero epoch; dpkg: version
	Arch    string `json:"arch"`
}

// Packages are the installed packages that matter (kernel*, linux-*, virtualbox-guest*, dkms, lock plugins).
type Packages struct {
	Installed []Package `json:"installed"`
	DKMS      []string  `json:"dkms"` // lines of dkms status and names below /var/lib/dkms that mention vbox
	// CacheKB is the room that downloaded packages take, which can be had back without a loss; -1: not known.
	CacheKB int64 `json:"cache_kb"`
}

// Lock is one entry that keeps a package from being installed or changed.
type Lock struct {
	// Kind: yum-versionlock, dnf-versionlock, dnf5-versionlock, exclude, apt-hold, zypper-lock, pacman-ignore.
	Kind string `json:"kind"`
	File string `json:"file"` // empty for apt holds
	Line int    `json:"line"` // 1-based, 0 when not from a line
	// Entry is the raw text: the line, the pattern of an exclude, the held package, the dnf5 package name.
	Entry string `json:"entry"`
	// Section of an exclude (main or the repository id).
	Section string `json:"section"`
}

// Lock kinds.
const (
	LockYum    = "yum-versionlock"
	LockDNF    = "dnf-versionlock"
	LockDNF5   = "dnf5-versionlock"
	LockExcl   = "exclude"
	LockApt    = "apt-hold"
	LockZypper = "zypper-lock"
	LockPacman = "pacman-ignore"
)

// ConfigFile is a text file of the guest, kept whole so that a plan can compute its successor.
type ConfigFile struct {
	Path    string `json:"path"`
	Mode    string `json:"mode"` // octal, such as 644
	Content string `json:"content"`
}

// Locks are all locks and excludes, and the files that hold them.
type Locks struct {
	Entries []Lock `json:"entries"`
	// YumPluginEnabled, DNFPluginEnabled: the versionlock plugin is installed and its conf says enabled.
	YumPluginEnabled bool `json:"yum_plugin_enabled"`
	DNFPluginEnabled bool `json:"dnf_plugin_enabled"`
	// Files are the lock files and package-manager configurations that were read.
	Files []ConfigFile `json:"files"`
	// Pending is the folder of a package transaction that never restored its locks (an earlier run was cut by
	// a power failure); empty when there is none.
	Pending string `json:"pending"`
}

// Repo is one repository entry.
type Repo struct {
	ID         string `json:"id"` // rpm: section name; deb: suite
	Name       string `json:"name"`
	File       string `json:"file"`
	Enabled    bool   `json:"enabled"`
	BaseURL    string `json:"base_url"` // first base URL or deb URI
	MirrorList string `json:"mirror_list"`
	GPGCheck   string `json:"gpg_check"` // as written
	GPGKey     string `json:"gpg_key"`   // the first key, as written
}

// Repos are the configured repositories.
type Repos struct {
	List  []Repo       `json:"list"`
	Files []ConfigFile `json:"files"`
	// Hosts tells for each host name of an enabled repository whether it resolves: yes, no, or empty when not tried.
	Hosts map[string]string `json:"hosts"`
	// Proxy is the proxy that the package manager uses, without a login, and ProxyFrom the file that says so.
	Proxy     string `json:"proxy"`
	ProxyFrom string `json:"proxy_from"`
	// Route: there is a default route (yes, no, or empty when it is not known).
	Route       string   `json:"route"`
	Nameservers []string `json:"nameservers"` // of /etc/resolv.conf
}

// Candidate is the outcome of asking the package manager, without changing anything, to install a package.
type Candidate struct {
	Name string `json:"name"` // as asked, such as kernel-devel-5.14.0-362.8.1.el9_3.x86_64
	// State: installed, available, filtered (a lock or exclude hides it), missing, error (repositories did not answer).
	State string `json:"state"`
	Text  string `json:"text"` // the manager's own words, bounded
}

// Candidate states.
const (
	CandInstalled = "installed"
	CandAvailable = "available"
	CandFiltered  = "filtered"
	CandMissing   = "missing"
	CandError     = "error"
)

// Resolve is what the package manager could install now. Only --assumeno style questions are asked (row L4).
type Resolve struct {
	Candidates []Candidate `json:"candidates"`
	// Kernels are the versions of the kernel package that the repositories offer, newest last, as uname -r would
	// say them; DevelFor is the same for the devel/headers package. Locks are not applied to these lists (row L4).
	Kernels  []string `json:"kernels"`
	DevelFor []string `json:"devel_for"`
	// Text is the last words of a manager that did not answer.
	Text string `json:"text"`
	// Vault is the archive of the running kernel's minor release, where the guest's own repositories have gone on to
	// a later one (row L15).
	Vault Vault `json:"vault"`
}

// Vault is what the archive of a minor release was asked for.
type Vault struct {
	URL string `json:"url"` // empty: it was not asked
	// DevelFor are the releases whose devel package it holds.
	DevelFor []string `json:"devel_for"`
	Text     string   `json:"text"` // what was said when it did not answer
}

// Tools tells which programs the module build needs and has: name to path, "" when missing.
type Tools struct {
	Path map[string]string `json:"path"` // gcc make perl bzip2 tar
	// LibELF: headers of libelf are installed (gelf.h).
	LibELF bool `json:"libelf"`
	// NeedsLibELF: the running kernel's configuration asks for ORC metadata or objtool.
	NeedsLibELF bool   `json:"needs_libelf"`
	GCCVersion  string `json:"gcc_version"`
	// Compilers are further gcc and their major versions: gcc-12, gcc-toolset-14.
	Compilers []string `json:"compilers"`
	// PluginHeaders: gcc-plugin.h of the guest's gcc is installed. NeedsPlugins: the running kernel was built with gcc plugins.
	PluginHeaders bool `json:"plugin_headers"`
	NeedsPlugins  bool `json:"needs_plugins"`
	// Python is the interpreter of yum or dnf, which are programs in Python.
	Python Python `json:"python"`
}

// Python is the interpreter that a package manager asks for in its first line.
type Python struct {
	Program     string `json:"program"`     // such as /usr/bin/yum; empty: the manager is no script
	Interpreter string `json:"interpreter"` // as the first line says
	Resolved    string `json:"resolved"`    // its final path, empty when there is none
	Version     string `json:"version"`     // what --version said
}

// Space is one mounted path's room.
type Space struct {
	Path       string `json:"path"`
	Mount      string `json:"mount"`
	FS         string `json:"fs"`
	FreeKB     int64  `json:"free_kb"`
	TotalKB    int64  `json:"total_kb"`
	FreeInodes int64  `json:"free_inodes"` // -1: the file system has none
	NoExec     bool   `json:"no_exec"`
	ReadOnly   bool   `json:"read_only"`
}

// Additions is the state of the installed Guest Additions.
type Additions struct {
	// ConfigVersion is INSTALL_VER of /var/lib/VBoxGuestAdditions/config, InstallDir its INSTALL_DIR.
	ConfigVersion string `json:"config_version"`
	InstallDir    string `json:"install_dir"`
	HasConfig     bool   `json:"has_config"`
	HasFilelist   bool   `json:"has_filelist"`
	// OptDirs are the folders /opt/VBoxGuestAdditions-*.
	OptDirs []string `json:"opt_dirs"`
	// Control and Service are the raw outputs of VBoxControl --version and VBoxService --version.
	Control string `json:"control"`
	Service string `json:"service"`
	// HostVersion is VBoxControl guestproperty /VirtualBox/HostInfo/VBoxVer: the host's version from inside.
	HostVersion string `json:"host_version"`
	// Setup is the path of rcvboxadd or init.d/vboxadd, empty when absent.
	Setup  string `json:"setup"`
	Helper Helper `json:"helper"`
	// LibLink: /usr/lib/VBoxGuestAdditions or /usr/lib64/VBoxGuestAdditions resolves (row V5).
	LibLink bool `json:"lib_link"`
	// ShareNames are the shares that VBoxControl lists; nil when it could not list.
	ShareNames []string `json:"share_names"`
	// TempISO lists leftovers of earlier repairs (/tmp/VBoxGuestAdditions.iso and our own upload folders).
	TempISO []string `json:"temp_iso"`
}

// Helper is /sbin/mount.vboxsf.
type Helper struct {
	Exists   bool   `json:"exists"`   // the name exists, as file or link
	Link     string `json:"link"`     // target when it is a link
	Resolved string `json:"resolved"` // final path, empty when dangling
	Exec     bool   `json:"exec"`     // the final file is executable
	// Candidates are helpers found below /opt/VBoxGuestAdditions-*.
	Candidates []string `json:"candidates"`
}

// Module is one kernel module.
type Module struct {
	// File is modinfo -n for the running kernel; empty when modinfo knows none.
	File    string `json:"file"`
	Version string `json:"version"` // modinfo -F version
	Loaded  bool   `json:"loaded"`
	// Running is /sys/module/NAME/version: the version in memory; empty for in-kernel modules.
	Running string   `json:"running"`
	RefCnt  int      `json:"ref_cnt"`
	Holders []string `json:"holders"`
	// Signer is modinfo -F signer of the file; empty for an unsigned module.
	Signer string `json:"signer"`
}

// ModuleUser is a process that keeps a module in memory: it has a file of a share, or the device, open.
type ModuleUser struct {
	PID  int    `json:"pid"`
	Name string `json:"name"`
	Path string `json:"path"`
}

// Modules are the two modules that shares need, and one that they do not.
type Modules struct {
	Guest Module `json:"vboxguest"`
	SF    Module `json:"vboxsf"`
	Video Module `json:"vboxvideo"`
	// Users are processes that have something of a share or the VirtualBox device open, without VBoxService; at most 20.
	Users []ModuleUser `json:"users"`
	// BuiltinSF: the running kernel has vboxsf among its registered file systems (/proc/filesystems).
	FSRegistered bool `json:"fs_registered"`
}

// Service is one unit or init script.
type Service struct {
	Name   string `json:"name"`
	State  string `json:"state"` // active, inactive, failed, activating, or what the init script said
	Exists bool   `json:"exists"`
}

// Services are the services of the Guest Additions.
type Services struct {
	Units []Service `json:"units"`
	// VBoxServiceRuns: a VBoxService process is alive.
	VBoxServiceRuns bool `json:"vboxservice_runs"`
}

// Mount is one line of /proc/mounts.
type Mount struct {
	Source  string   `json:"source"`
	Target  string   `json:"target"`
	FS      string   `json:"fs"`
	Options []string `json:"options"`
}

// WantedMount is what the probe saw at a guest path that Vagrant wants mounted.
type WantedMount struct {
	GuestPath string `json:"guest_path"`
	Exists    bool   `json:"exists"`
	// Writable is `test -w` as the login user; nothing is written.
	Writable bool `json:"writable"`
	UID      int  `json:"uid"` // owner of the folder, -1 unknown
	GID      int  `json:"gid"`
	// WantUID and WantGID are the ids of the wanted owner and group in this guest, -1 when they do not exist.
	WantUID int `json:"want_uid"`
	WantGID int `json:"want_gid"`
	// Stale says why nothing can be mounted on the path although it exists: a folder that cannot be read, a link that leads
	// nowhere, no folder at all; empty when it is fine.
	Stale string `json:"stale"`
}

// Holder is a process that keeps a mount busy.
type Holder struct {
	PID    string `json:"pid"`
	Name   string `json:"name"`
	Target string `json:"target"` // of the mount
}

// Mounts is the mount layer.
type Mounts struct {
	VBoxSF []Mount `json:"vboxsf"` // mounted vboxsf file systems
	// Others are non-vboxsf mounts at wanted paths (an nfs or rsync folder).
	Others []Mount       `json:"others"`
	Wanted []WantedMount `json:"wanted"`
	// FSTab are the vboxsf lines of /etc/fstab, FSTabFile is the whole file.
	FSTab     []Mount    `json:"fstab"`
	FSTabFile ConfigFile `json:"fstab_file"`
	// EtcReadOnly: /etc lies on a file system that cannot be written.
	EtcReadOnly bool `json:"etc_read_only"`
	// Groups are those of the login user, by the group database; ShareGroup: the group vboxsf exists.
	Groups     []string `json:"groups"`
	ShareGroup bool     `json:"share_group"`
	// Holders are processes that use the mounted shares, at most 20; only root sees those of others.
	Holders []Holder `json:"holders"`
	// Tools are the guest's programs for other ways to share a folder (rsync, mount.nfs, mount.cifs, sshfs): name to path.
	Tools map[string]string `json:"tools"`
	// WebServers are those that are installed (nginx, httpd, apache2), Sendfile the configuration files that switch sendfile on.
	WebServers []string `json:"web_servers"`
	Sendfile   []string `json:"sendfile"`
	// MntBusy: something is mounted on /mnt.
	MntBusy bool `json:"mnt_busy"`
}

// Security is Secure Boot and lockdown.
type Security struct {
	// SecureBoot: enabled, disabled, or empty when the guest has no EFI or no way to tell.
	SecureBoot string `json:"secure_boot"`
	Lockdown   string `json:"lockdown"` // none, integrity, confidentiality, or empty
	// UnsupportedBlocked: SUSE's allow_unsupported_modules is 0 (row M3).
	UnsupportedBlocked bool   `json:"unsupported_blocked"`
	SELinux            string `json:"selinux"` // enforcing, permissive, disabled, or empty
	// UnsupportedFiles are the files of /etc/modprobe.d that name allow_unsupported_modules.
	UnsupportedFiles []ConfigFile `json:"unsupported_files"`
	// HelperType is the SELinux type of the mount helper's file; empty where SELinux is not on.
	HelperType string `json:"helper_type"`
	MOK        MOK    `json:"mok"`
}

// MOK is what the guest has to sign modules with under Secure Boot.
type MOK struct {
	// Key: both halves of the machine owner's key are in /var/lib/shim-signed/mok.
	Key bool `json:"key"`
	// Enrolled: enrolled, pending (asked for, to be confirmed at the console), missing, or empty when mokutil did not tell.
	Enrolled string `json:"enrolled"`
	// SignTool is sign-file of the running kernel's build folder, or kmodsign; empty when there is neither.
	SignTool string `json:"sign_tool"`
	// Policy: Ubuntu's update-secureboot-policy, which can make a key; Debian's program of this name cannot (row M2).
	Policy bool `json:"policy"`
}

// States of a machine owner's key.
const (
	MOKEnrolled = "enrolled"
	MOKPending  = "pending"
	MOKMissing  = "missing"
)

// Clock compares the two clocks.
type Clock struct {
	Guest time.Time `json:"guest"`
	// Skew is guest minus host, with half the round trip taken off; positive: the guest is ahead.
	Skew time.Duration `json:"skew"`
	// Slack is the measurement's own uncertainty.
	Slack time.Duration `json:"slack"`
}

// GALog is the newest Guest Additions log.
type GALog struct {
	Path string    `json:"path"` // empty: there is none
	Time time.Time `json:"time"`
	// Text is the last block, at most 64 KiB, cleaned of escapes; folded lines are still folded.
	Text string `json:"text"`
	// DMesg are the kernel's lines that name vbox, at most 100.
	DMesg string `json:"dmesg"`
}

// Activity is who else is working on the guest right now.
type Activity struct {
	// PackageManagers are running package managers, "name pid".
	PackageManagers []string `json:"package_managers"`
	CloudInit       string   `json:"cloud_init"` // running, done, disabled, or empty
	// Job is the id of a boxdoctor job that still runs in the guest.
	Job string `json:"job"`
}
