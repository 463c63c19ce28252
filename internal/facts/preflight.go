package facts

// Preflight is what decides, before any machine runs, whether `vagrant up` will work on this host: read from files, from
// the operating system and from a few VBoxManage calls. Vagrant itself is never run.
type Preflight struct {
	// Skipped says why none of it was looked at (the guests were given by their address); empty: it was.
	Skipped    string             `json:"skipped"`
	System     Value[HostSystem]  `json:"system"`
	Linux      Value[Linux]       `json:"linux"`
	Windows    Value[Windows]     `json:"windows"`
	Darwin     Value[Darwin]      `json:"darwin"`
	Interfaces Value[[]Interface] `json:"interfaces"`
	Lists      Lists              `json:"lists"`
	// Settings is the state of VirtualBox.xml, VirtualBox's list of machines and media.
	Settings Value[SettingsFile] `json:"settings"`
	Vagrant  Value[Vagrant]      `json:"vagrant"`
	Home     Value[VagrantHome]  `json:"home"`
	Project  Value[Project]      `json:"project"`
	Wanted   Value[Wanted]       `json:"wanted"`
	Ports    Value[[]Port]       `json:"ports"`
	Env      Value[Env]          `json:"env"`
	Disk     Value[Disk]         `json:"disk"`
}

// HostSystem is the host's operating system.
type HostSystem struct {
	// Arch is that of the machine, not of boxdoctor, which may run translated: amd64, arm64.
	Arch   string `json:"arch"`
	Kernel string `json:"kernel"`
	// Distro is ID of os-release with ID_LIKE after it ("ubuntu debian"); empty elsewhere.
	Distro string `json:"distro"`
	// WSL is 1 or 2 inside the Windows Subsystem for Linux.
	WSL int `json:"wsl"`
	UID int `json:"uid"` // -1 on Windows
	// Home is the user's home folder, InstallDir that of VBoxManage.
	Home string `json:"home"`
	// OpenFolders are the folders on the way to VBoxManage that everybody may write to; VirtualBox refuses to start there.
	OpenFolders []string `json:"open_folders"`
}

// Linux is what /proc, /sys and the names in /dev say. No device is opened.
type Linux struct {
	// Loaded are the kernel modules that matter here: vboxdrv, vboxnetflt, vboxnetadp, kvm, kvm_intel, kvm_amd.
	Loaded []string `json:"loaded"`
	// Driver is the version that the loaded vboxdrv tells ("7.0.20 r163906"); empty when it tells none.
	Driver string `json:"driver"`
	// NetCtl: /dev/vboxnetctl exists.
	NetCtl bool `json:"netctl"`
	// Headers: what a module build for the running kernel needs is there (/lib/modules/RELEASE/build).
	Headers bool `json:"headers"`
	// BuiltInKVM: KVM is part of the kernel, not a module.
	BuiltInKVM bool `json:"built_in_kvm"`
	// VirtAtLoad is /sys/module/kvm/parameters/enable_virt_at_load: Y, N, or empty when there is none.
	VirtAtLoad string `json:"virt_at_load"`
	// Overrides are where enable_virt_at_load=0 is set: files of modprobe.d, or /proc/cmdline.
	Overrides []string `json:"overrides"`
	// CPUVirt is vmx, svm or empty; InVM is the hypervisor flag of the processor.
	CPUVirt string `json:"cpu_virt"`
	InVM    bool   `json:"in_vm"`
	ARM     bool   `json:"arm"`
	// Lockdown is the mode in force (none, integrity, confidentiality); empty when the kernel has none.
	Lockdown string `json:"lockdown"`
	// SecureBoot is the firmware's setting, as far as the shim does not switch it off.
	SecureBoot bool     `json:"secure_boot"`
	Xen        bool     `json:"xen"`
	Resolvers  []string `json:"resolvers"` // name servers of /etc/resolv.conf
	// KVMGuests counts processes that look like running KVM machines (qemu).
	KVMGuests int `json:"kvm_guests"`
}

// NetworksConf is /etc/vbox/networks.conf, by Vagrant's own reading.
type NetworksConf struct {
	Exists bool     `json:"exists"`
	Ranges []string `json:"ranges"`
	File   TextFile `json:"-"`
}

// TextFile is a small file of the host word for word: a repair changes it only while it is still so.
type TextFile struct {
	Path    string
	Content string
}

// WindowsService is a Windows service.
type WindowsService struct {
	Name    string `json:"name"`
	Running bool   `json:"running"`
	// Start is 0 boot, 1 system, 2 automatic, 3 on demand, 4 disabled.
	Start int `json:"start"`
}

// Windows is what the registry, the services and the environment say.
type Windows struct {
	// Hypervisor: Windows' own hypervisor runs (Hyper-V, WSL2, memory integrity …); Evidence says by what it was seen.
	Hypervisor bool   `json:"hypervisor"`
	Evidence   string `json:"evidence"`
	// Services are those of VirtualBox's driver.
	Services []WindowsService `json:"services"`
	// InstallDir is what VirtualBox' installer recorded.
	InstallDir string `json:"install_dir"`
	// PowerShell is the version that the registry tells ("5.1.19041.1", "2.0"); empty: none is recorded.
	PowerShell string `json:"powershell"`
	// PowerShellPath is the one that Vagrant would start; empty: none was found.
	PowerShellPath string `json:"powershell_path"`
	// PowerShellHung: an old PowerShell was started and did not return within its limit.
	PowerShellHung bool `json:"powershell_hung"`
	// EnvSize is the length of the whole environment in characters.
	EnvSize int `json:"env_size"`
}

// Darwin is what macOS says.
type Darwin struct {
	Version string `json:"version"`
	// Driver and NetCtl: /dev/vboxdrv and /dev/vboxnetctl exist.
	Driver bool `json:"driver"`
	NetCtl bool `json:"netctl"`
}

// Interface is a network interface of the host.
type Interface struct {
	Name  string   `json:"name"`
	Addrs []string `json:"addrs"` // CIDR
	Up    bool     `json:"up"`
}

// Lists are VBoxManage's lists.
type Lists struct {
	VMs        Value[[]ListedVM]       `json:"vms"`
	HostInfo   Value[HostInfo]         `json:"host_info"`
	Properties Value[SystemProperties] `json:"properties"`
	HostOnly   Value[[]HostOnly]       `json:"host_only"`
	DHCP       Value[[]DHCPServer]     `json:"dhcp"`
	ExtPacks   Value[[]ExtPack]        `json:"ext_packs"`
	Bridged    Value[[]Bridged]        `json:"bridged"`
	Media      Value[[]Medium]         `json:"media"`
	// NetworksConf is not VBoxManage's, but belongs to its host-only networks.
	NetworksConf Value[NetworksConf] `json:"networks_conf"`
}

// Inaccessible is the name that VirtualBox shows for a VM whose settings it cannot read.
const Inaccessible = "<inaccessible>"

// ListedVM is one line of `VBoxManage list vms`.
type ListedVM struct {
	Name    string `json:"name"`
	UUID    string `json:"uuid"`
	Running bool   `json:"running"`
	// Folder is where its settings lie, by VirtualBox.xml; empty when that is not known.
	Folder string `json:"folder"`
}

// HostInfo is `VBoxManage list hostinfo`.
type HostInfo struct {
	HWVirt, NestedHWVirt string // yes, no, or empty when not told
	Cores                int    `json:"cores"`
	MemoryMB             int    `json:"memory_mb"`
	AvailableMB          int    `json:"available_mb"`
}

// SystemProperties is `VBoxManage list systemproperties`.
type SystemProperties struct {
	MachineFolder string `json:"machine_folder"`
	MaxRAMMB      int    `json:"max_ram_mb"`
}

// HostOnly is a host-only interface, or on macOS a host-only network.
type HostOnly struct {
	Name    string `json:"name"`
	IP      string `json:"ip"`
	Mask    string `json:"mask"`
	Status  string `json:"status"`
	Network string `json:"network"` // VBoxNetworkName
}

// DHCPServer is a DHCP server of VirtualBox.
type DHCPServer struct {
	Network string `json:"network"`
	IP      string `json:"ip"`
	Mask    string `json:"mask"`
	Lower   string `json:"lower"`
	Upper   string `json:"upper"`
	Enabled bool   `json:"enabled"`
}

// ExtPack is an extension pack.
type ExtPack struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Usable  bool   `json:"usable"`
	Why     string `json:"why"`
}

// Bridged is a host interface that VirtualBox can bridge to.
type Bridged struct {
	Name   string `json:"name"`
	Status string `json:"status"`
}

// Medium is a hard disk that VirtualBox has registered.
type Medium struct {
	UUID     string `json:"uuid"`
	Location string `json:"location"`
	// Missing: no file lies there.
	Missing bool `json:"missing"`
}

// SettingsFile is VirtualBox.xml.
type SettingsFile struct {
	Path   string `json:"path"` // empty: none was found
	Damage string `json:"damage"`
	// Previous is the copy that VirtualBox keeps beside it, when that one can be read.
	Previous string `json:"previous"`
}

// Vagrant is the installed Vagrant, told from its files.
type Vagrant struct {
	// Path is the program; empty: none was found. Searched lists the places.
	Path     string   `json:"path"`
	Searched []string `json:"searched"`
	// Version is told by the folder that its code lies in; empty when there is none to tell it.
	Version string `json:"version"`
	// Installer: it is HashiCorp's package with a Ruby of its own, not a distribution's.
	Installer bool `json:"installer"`
	// Missing are the programs that a Vagrant outside the installer needs and that are not there: bsdtar, curl, ssh.
	Missing []string `json:"missing"`
	// SSH is the ssh client found first in PATH; Plink: it is PuTTY's.
	SSH   string `json:"ssh"`
	Plink bool   `json:"plink"`
}

// VagrantHome is ~/.vagrant.d.
type VagrantHome struct {
	Path   string `json:"path"`
	Exists bool   `json:"exists"`
	// Denied says what the user may not do there; empty: nothing.
	Denied       string `json:"denied"`
	SetupVersion string `json:"setup_version"`
	// Index is the state of the machine index: empty when fine or absent, else what is wrong with it.
	Index string `json:"index"`
	// IndexEmpty: the file has no content, and Vagrant then forgets every machine without a word.
	IndexEmpty bool   `json:"index_empty"`
	IndexPath  string `json:"index_path"`
	// Rubies are the folders of gems, oldest first ("3.3.8").
	Rubies  []string   `json:"rubies"`
	Plugins []Plugin   `json:"plugins"`
	Boxes   []Box      `json:"boxes"`
	Partial []Download `json:"partial"`
	// OldTemp are folders of unpacked boxes that were left behind, with their size.
	OldTemp   []string `json:"old_temp"`
	OldTempMB int      `json:"old_temp_mb"`
}

// Plugin is an installed plugin of Vagrant.
type Plugin struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Ruby is what it was installed for; Local: for this project only.
	Ruby  string `json:"ruby"`
	Local bool   `json:"local"`
	// Folder: its code is there for the newest Ruby.
	Folder bool `json:"folder"`
	// Removed is the first place (file:line) that calls File.exists? or Dir.exists?, which Ruby 3.2 removed.
	Removed string `json:"removed"`
}

// Box is an installed box.
type Box struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Provider string `json:"provider"`
	// Arch is the folder below the version (Vagrant 2.4.0 and later), or what metadata.json says; empty: not told.
	Arch string `json:"arch"`
	Path string `json:"path"`
	// Damage says what of it is missing or unreadable; empty: nothing.
	Damage string `json:"damage"`
	// MetadataURL is where updates are looked for.
	MetadataURL string `json:"metadata_url"`
	SizeMB      int    `json:"size_mb"`
	// Metadata is the file that MetadataURL is from.
	Metadata TextFile `json:"-"`
}

// Download is a box download that is under way or was cut off.
type Download struct {
	Path string `json:"path"`
	Size int64  `json:"size"`
	// Held: a process holds its lock now. AgeMinutes is since the last byte.
	Held       bool `json:"held"`
	AgeMinutes int  `json:"age_minutes"`
	// HTML: what was downloaded is a web page.
	HTML bool `json:"html"`
}

// Project is the folder of the Vagrantfile and Vagrant's records of it.
type Project struct {
	Root        string   `json:"root"` // empty: there is none
	Vagrantfile string   `json:"vagrantfile"`
	Records     []Record `json:"records"`
	// File is the Vagrantfile; its path is empty when the file could not be read or is no plain one.
	File TextFile `json:"-"`
	// Removed is the line of the Vagrantfile that calls File.exists? or Dir.exists?.
	Removed string `json:"removed"`
	// Leftovers are folders of VirtualBox's machine folder that no VM uses and that a VM of the Vagrantfile will need.
	Leftovers []string `json:"leftovers"`
	// Denied are files of .vagrant that the user may not read or write.
	Denied []string `json:"denied"`
}

// Record is what Vagrant keeps about one machine, with the VM that belongs to it.
type Record struct {
	Name string `json:"name"`
	Dir  string `json:"dir"`
	ID   string `json:"id"`
	// Others are the other providers that hold an id.
	Others []string `json:"others"`
	// CreatorUID is the content of creator_uid; HasUID tells an empty file from none.
	CreatorUID string `json:"creator_uid"`
	HasUID     bool   `json:"has_uid"`
	CWD        string `json:"cwd"`
	Provision  string `json:"provision"` // content of action_provision
	HasProv    bool   `json:"has_provision"`
	// Files are creator_uid, vagrant_cwd and action_provision, by name, as far as they are plain files.
	Files map[string]TextFile `json:"-"`
	// KeyMode and KeyUID are those of private_key, when HasKey.
	HasKey  bool `json:"has_key"`
	KeyMode int  `json:"key_mode"`
	KeyUID  int  `json:"key_uid"`
	// Held: a vagrant process works on the machine now. Lock is the file by which that is told.
	Held bool   `json:"held"`
	Lock string `json:"lock"`
	// MissingFolders are host paths of recorded synced folders that do not exist.
	MissingFolders []string  `json:"missing_folders"`
	VM             Value[VM] `json:"vm"`
	// Registered: VirtualBox lists the VM. Settings is the VM beyond what VM holds.
	Registered Value[bool]       `json:"registered"`
	Settings   Value[VMSettings] `json:"settings"`
}

// VMSettings is what of a VM matters before it is started.
type VMSettings struct {
	CfgFile  string `json:"cfg_file"`
	MemoryMB int    `json:"memory_mb"`
	CPUs     int    `json:"cpus"`
	// CableOff are the numbers of adapters whose virtual cable is unplugged.
	CableOff []int `json:"cable_off"`
	// UARTOff: the serial port exists and leads nowhere.
	UARTOff bool `json:"uart_off"`
	// USB is ehci or xhci when the VM has such a controller, which needed the extension pack before 7.0.
	USB     string `json:"usb"`
	NICs    int    `json:"nics"`
	Session string `json:"session"`
	// NATDNSResolver: the host resolver option is on.
	NATDNSResolver bool `json:"nat_dns_resolver"`
	// Leftover is the .vbox-prev or .vbox-tmp beside a settings file that is missing.
	Leftover string   `json:"leftover"`
	Saved    TextFile `json:"-"` // Leftover with what it holds
	// Slow is the line of the last log that says that the VM ran on top of Hyper-V; Hardening that of VBoxHardening.log.
	Slow      string `json:"slow"`
	Hardening string `json:"hardening"`
}

// Wanted is what the Vagrantfile asks for, as far as it can be read without running it. A value that cannot be read says
// why, with the line; one that is not set is known and empty.
type Wanted struct {
	Machines []WantedMachine `json:"machines"`
	// Require holds the conditions of Vagrant.require_version; Plugins those of config.vagrant.plugins.
	Require []string `json:"require"`
	Plugins []string `json:"plugins"`
	// Unread says what of the file could not be read at all, with the line.
	Unread []string `json:"unread"`
	// Broken is why the file cannot be Ruby; empty: no such reason was seen.
	Broken string `json:"broken"`
}

// WantedMachine is one machine of a Vagrantfile.
type WantedMachine struct {
	Name       string          `json:"name"`
	Box        Value[string]   `json:"box"`
	BoxVersion Value[string]   `json:"box_version"`
	VMName     Value[string]   `json:"vm_name"`
	MemoryMB   Value[int]      `json:"memory_mb"`
	CPUs       Value[int]      `json:"cpus"`
	InsertKey  Value[bool]     `json:"insert_key"`
	Networks   []WantedNetwork `json:"networks"`
	Forwards   []WantedForward `json:"forwards"`
	Folders    []WantedFolder  `json:"folders"`
	// NoSSHForward: Vagrant's own forward to port 22 is switched off.
	NoSSHForward bool `json:"no_ssh_forward"`
}

// WantedNetwork is a private_network or public_network.
type WantedNetwork struct {
	Line   int           `json:"line"`
	Public bool          `json:"public"`
	IP     Value[string] `json:"ip"`
	DHCP   bool          `json:"dhcp"`
	Bridge Value[string] `json:"bridge"`
	// Internal: virtualbox__intnet, which no host interface belongs to.
	Internal bool `json:"internal"`
}

// WantedForward is a forwarded_port.
type WantedForward struct {
	Line        int           `json:"line"`
	ID          string        `json:"id"`
	Proto       string        `json:"proto"`
	Host        Value[int]    `json:"host"`
	Guest       Value[int]    `json:"guest"`
	HostIP      Value[string] `json:"host_ip"`
	AutoCorrect bool          `json:"auto_correct"`
}

// WantedFolder is a synced_folder.
type WantedFolder struct {
	Line   int           `json:"line"`
	Host   Value[string] `json:"host"`
	Guest  Value[string] `json:"guest"`
	Create bool          `json:"create"`
	// Exists: the host folder is there.
	Exists bool `json:"exists"`
}

// States of a Port.
const (
	PortFree      = "free"
	PortTaken     = "taken"
	PortDenied    = "denied"     // the system forbids it: privileged, or reserved by Windows
	PortNoAddress = "no_address" // host_ip is no address of this host
)

// Port is a bind trial for a forward that `vagrant up` will need.
type Port struct {
	Machine     string `json:"machine"`
	Line        int    `json:"line"`
	ID          string `json:"id"`
	HostIP      string `json:"host_ip"`
	Port        int    `json:"port"`
	Guest       int    `json:"guest"`
	AutoCorrect bool   `json:"auto_correct"`
	State       string `json:"state"`
	// Owner is who holds it, as far as that can be told without privileges.
	Owner string `json:"owner"`
	// Free is a port nearby that is free.
	Free  int    `json:"free"`
	Error string `json:"error"`
}

// Env is what the environment says, without secrets.
type Env struct {
	Provider  string   `json:"provider"` // VAGRANT_DEFAULT_PROVIDER
	ServerURL string   `json:"server_url"`
	CABundle  []CAFile `json:"ca_bundle"`
	// Proxies are the proxies on this host's loopback, by variable.
	Proxies []Proxy `json:"proxies"`
	// NoProxy is NO_PROXY or no_proxy.
	NoProxy string `json:"no_proxy"`
	// WSLAccess is VAGRANT_WSL_ENABLE_WINDOWS_ACCESS, WSLUserHome VAGRANT_WSL_WINDOWS_ACCESS_USER_HOME_PATH.
	WSLAccess   string `json:"wsl_access"`
	WSLUserHome string `json:"wsl_user_home"`
	// UserProfile is USERPROFILE on Windows.
	UserProfile string `json:"user_profile"`
	CI          bool   `json:"ci"`
}

// CAFile is a certificate bundle that a variable names.
type CAFile struct {
	Variable string `json:"variable"`
	Path     string `json:"path"`
	Problem  string `json:"problem"`
}

// Proxy is a proxy on this host.
type Proxy struct {
	Variable string `json:"variable"`
	Address  string `json:"address"`
	// Answers: something accepts connections there.
	Answers bool `json:"answers"`
}

// Disk is the free space where boxes are unpacked and where VMs are made.
type Disk struct {
	VagrantHome FolderSpace `json:"vagrant_home"`
	Machines    FolderSpace `json:"machines"`
}

// FolderSpace is one folder's free space.
type FolderSpace struct {
	Path   string `json:"path"`
	FreeMB int    `json:"free_mb"`
	// Denied: the user may not write there.
	Denied string `json:"denied"`
}
