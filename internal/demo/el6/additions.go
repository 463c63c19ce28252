package el6

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/demo/kernel"
	"github.com/boxdoctor/boxdoctor/internal/demo/memfs"
)

// revisions are the builds of the Guest Additions that the scenes use.
var revisions = map[string]string{"4.3.6": "91406", "5.1.20": "114629", "5.1.26": "117224", "6.1.50": "161033", "7.0.20": "163906"}

func revision(v string) string {
	if r := revisions[v]; r != "" {
		return r
	}
	return "100000"
}

const gaConfig = "/var/lib/VBoxGuestAdditions/config"

// installedGA is INSTALL_VER of the config; empty without Guest Additions.
func (m *Machine) installedGA() string {
	data, _ := m.FS.ReadFile(memfs.Root, gaConfig)
	for _, l := range strings.Split(string(data), "\n") {
		if v, ok := strings.CutPrefix(l, "INSTALL_VER="); ok {
			return strings.Trim(v, "'\"")
		}
	}
	return ""
}

// place writes the user-land files of a version of the Guest Additions, as its installer does.
func (m *Machine) place(b *builder, v string) {
	dir := "/opt/VBoxGuestAdditions-" + v
	helper := dir + "/lib/VBoxGuestAdditions/mount.vboxsf"
	for p, prog := range map[string]string{
		dir + "/bin/VBoxControl": "VBoxControl@" + v, dir + "/sbin/VBoxService": "VBoxService@" + v, dir + "/init/vboxadd": "vboxadd@" + v,
		dir + "/init/vboxadd-service": "vboxadd-service@" + v, helper: "mount.vboxsf@" + v, dir + "/uninstall.sh": "vbox-uninstall@" + v,
	} {
		b.program(p, prog)
	}
	b.file(0o644, dir+"/src/vboxguest-"+v+"/vboxguest/Makefile", "# stand-in\n")
	b.file(0o644, dir+"/LICENSE", "stand-in\n")
	links := map[string]string{
		"/usr/bin/VBoxControl": dir + "/bin/VBoxControl", "/usr/sbin/VBoxService": dir + "/sbin/VBoxService", "/sbin/mount.vboxsf": helper,
		"/usr/lib/VBoxGuestAdditions": dir + "/lib/VBoxGuestAdditions", "/usr/sbin/vbox-uninstall-guest-additions": dir + "/uninstall.sh",
		"/etc/init.d/vboxadd": dir + "/init/vboxadd", "/etc/init.d/vboxadd-service": dir + "/init/vboxadd-service",
	}
	if major(v) >= 5 {
		links["/sbin/rcvboxadd"], links["/sbin/rcvboxadd-service"] = dir+"/init/vboxadd", dir+"/init/vboxadd-service"
	}
	list := []string{}
	for p, t := range links {
		b.link(t, p)
		list = append(list, p)
	}
	b.file(0o644, gaConfig, "# VBoxGuestAdditions installation record.\n# Package installation directory\nINSTALL_DIR='"+dir+"'\n# Package uninstaller.\nUNINSTALLER='uninstall.sh'\n# Package version\nINSTALL_VER='"+v+"'\n")
	b.file(0o644, "/var/lib/VBoxGuestAdditions/filelist", strings.Join(append(list, dir), "\n")+"\n")
}

// takeAway removes what place wrote.
func (m *Machine) takeAway(v string) {
	data, _ := m.FS.ReadFile(memfs.Root, "/var/lib/VBoxGuestAdditions/filelist")
	for _, l := range strings.Fields(string(data)) {
		_ = m.FS.RemoveAll(memfs.Root, l)
	}
	for _, p := range []string{"/opt/VBoxGuestAdditions-" + v, "/sbin/rcvboxadd", "/sbin/rcvboxadd-service", gaConfig, "/var/lib/VBoxGuestAdditions/filelist"} {
		_ = m.FS.RemoveAll(memfs.Root, p)
	}
	list, _ := m.FS.ReadDir(memfs.Root, "/lib/modules")
	for _, k := range list {
		for _, n := range []string{"vboxguest", "vboxsf", "vboxvideo"} {
			_ = m.FS.RemoveAll(memfs.Root, "/lib/modules/"+k.Name()+"/misc/"+n+".ko")
		}
	}
}

func (m *Machine) writeModules(k, v string) {
	b := &builder{fs: m.FS}
	for _, n := range []string{"vboxguest", "vboxsf"} {
		b.file(0o644, "/lib/modules/"+k+"/misc/"+n+".ko", fmt.Sprintf("boxdoctor stand-in module\nversion=%s r%s\nvermagic=%s\n", v, revision(v), k))
	}
}

// noSources is what the module Makefile of 4.x to 5.1 says; the literal of the first report.
const noSources = "*** Error: unable to find the sources of your current Linux kernel. Specify KERN_DIR=<directory> and run Make again.  Stop."

// tools are the programs that a build needs; the first missing one and what the installer says about it.
func (m *Machine) missingTool(p *kernel.Proc) string {
	for _, t := range []string{"gcc", "make", "perl"} {
		if p.LookPath(t) == "" {
			return t
		}
	}
	return ""
}

// buildModules builds for a kernel when its sources and the tools are there. It writes the build log and
// returns whether it worked.
func (m *Machine) buildModules(p *kernel.Proc, k, v string) (log string, ok bool) {
	p.Sleep(3 * time.Second)
	log = "Building the main Guest Additions module.\n"
	// The build needs room in /tmp, whatever TMPDIR says.
	work := "/tmp/vbox.0"
	defer func() { _ = m.FS.RemoveAll(memfs.Root, work) }()
	err := m.FS.MkdirAll(memfs.Root, work, 0o700)
	if err == nil {
		err = m.FS.WriteFile(memfs.Root, work+"/vboxguest.o", make([]byte, 512<<10), 0o600)
	}
	if err != nil {
		return log + "cp: writing `" + work + "/vboxguest.o': " + memfs.Text(err) + "\n", false
	}
	if t := m.missingTool(p); t != "" {
		return log + "Please install the gcc make perl packages from your distribution.\n", false
	}
	build, err := m.FS.Realpath(memfs.Root, "/lib/modules/"+k+"/build", false)
	if err == nil {
		_, err = m.FS.Stat(memfs.Root, build+"/include")
	}
	if err != nil {
		return log + "/tmp/vbox.0/Makefile.include.header:97: " + noSources + "\n", false
	}
	if p.Dead() {
		return log, false
	}
	m.writeModules(k, v)
	return log + "Building the shared folder support module.\nBuilding the graphics driver module.\n", true
}

// installer is VBoxLinuxAdditions.run of the stand-in ISO. Its words are those of 5.1 as users reported them.
func (m *Machine) installer(p *kernel.Proc) int {
	v := p.Variant()
	if len(p.Args) > 1 && p.Args[1] == "--info" {
		p.Printf("Identification: VirtualBox %s Guest Additions for Linux\nTarget directory: install\n", v)
		return 0
	}
	p.Printf("Verifying archive integrity... All good.\nUncompressing VirtualBox %s Guest Additions for Linux...........\n", v)
	if p.Cred.UID != 0 {
		p.Printf("This program must be run with administrator privileges.  Aborting\n")
		return 1
	}
	p.Printf("VirtualBox Guest Additions installer\n")
	for _, t := range []string{"bzip2", "tar"} {
		if p.LookPath(t) == "" {
			m.halfInstall(p, v, t)
			return 1
		}
	}
	if old := m.installedGA(); old != "" {
		p.Printf("Removing installed version %s of VirtualBox Guest Additions...\n", old)
		m.takeAway(old)
	}
	p.Printf("Copying additional installer modules ...\nInstalling additional modules ...\n")
	b := &builder{fs: m.FS}
	m.place(b, v)
	if b.err != nil {
		p.Printf("tar: %s\n", memfs.Text(b.err))
		return 1
	}
	m.setup(p, v, m.Running())
	// 5.1 and older end with 0 whatever became of the modules.
	return 0
}

// halfInstall is what a missing bzip2 or tar leaves behind.
func (m *Machine) halfInstall(p *kernel.Proc, v, tool string) {
	p.Printf("Please install the %s utility.\n./install.sh: line 344: %s: command not found\ntar: This does not look like a tar archive\n", tool, tool)
	b := &builder{fs: m.FS}
	b.file(0o755, "/opt/VBoxGuestAdditions-"+v+"/routines.sh", "# half an installation\n")
}

// setup builds for the kernel, writes the logs and loads the modules.
func (m *Machine) setup(p *kernel.Proc, v, k string) bool {
	p.Printf("vboxadd.sh: Building Guest Additions kernel modules.\n")
	log, ok := m.buildModules(p, k, v)
	b := &builder{fs: m.FS}
	if !ok {
		p.Printf("Failed to set up service vboxadd, please check the log file\n/var/log/VBoxGuestAdditions.log for details.\n")
		log += "Creating user for the Guest Additions.\nCreating udev rule for the Guest Additions kernel module.\nvboxadd.sh: failed: modprobe vboxguest failed.\n"
	}
	b.file(0o600, "/var/log/VBoxGuestAdditions.log", log)
	b.file(0o600, "/var/log/vboxadd-install.log", "\nUninstalling modules from DKMS\nAttempting to install using DKMS\n"+log)
	if ok && k == m.Running() && !m.staleLoaded(v) {
		_ = m.insmod("vboxguest")
		_ = m.insmod("vboxsf")
		m.startService()
	}
	return ok
}

// staleLoaded tells that modules of another version are in memory.
func (m *Machine) staleLoaded(v string) bool {
	return m.isLoaded("vboxguest") && !strings.HasPrefix(m.loadedVersion("vboxguest"), v+" ")
}

// vboxadd is the init script: start, stop, restart, status, setup, quicksetup.
func (m *Machine) vboxadd(p *kernel.Proc) int {
	v, action := p.Variant(), ""
	if len(p.Args) > 1 {
		action = p.Args[1]
	}
	if p.Cred.UID != 0 && action != "status" {
		p.Printf("root privileges are required\n")
		return 1
	}
	switch action {
	case "setup":
		if m.setup(p, v, m.Running()) {
			return 0
		}
		return 1
	case "quicksetup":
		if major(v) < 6 || len(p.Args) < 3 {
			break
		}
		p.Printf("VirtualBox Guest Additions: Building the modules for kernel %s.\n", p.Args[2])
		_, ok := m.buildModules(p, p.Args[2], v)
		return b2i(!ok)
	case "start", "restart", "reload":
		p.Printf("Starting the VirtualBox Guest Additions ")
		if m.insmod("vboxguest") != nil {
			p.Printf("[FAILED]\n(modprobe vboxguest failed)\n")
			return 1
		}
		_ = m.insmod("vboxsf")
		p.Printf("[  OK  ]\n")
		return 0
	case "stop":
		return 0
	case "status", "status-kernel":
		if m.isLoaded("vboxguest") {
			p.Printf("The VirtualBox Additions are currently running.\n")
			return 0
		}
		p.Printf("The VirtualBox Additions are not currently running.\n")
		return 0
	}
	p.Printf("Usage: %s {start|stop|restart|status}\n", p.Args[0])
	return 1
}

func (m *Machine) vboxaddService(p *kernel.Proc) int {
	action := ""
	if len(p.Args) > 1 {
		action = p.Args[1]
	}
	switch action {
	case "start", "restart":
		p.Printf("Starting VirtualBox Guest Addition service ")
		if !m.isLoaded("vboxguest") {
			p.Printf("[FAILED]\n(VirtualBox Additions module not loaded!)\n")
			return 1
		}
		m.startService()
		p.Printf("[  OK  ]\n")
		return 0
	case "stop":
		m.stopService()
		return 0
	case "status":
		p.Printf("Checking for VBoxService")
		if len(m.service()) > 0 {
			p.Printf(" ...running\n")
			return 0
		}
		p.Printf(" ...not running\n")
		return 0
	}
	p.Printf("Usage: %s {start|stop|restart|status}\n", p.Args[0])
	return 1
}

// startService starts the daemon unless it runs.
func (m *Machine) startService() {
	if len(m.service()) > 0 {
		return
	}
	k := m.Kernel()
	p := k.Login(memfs.Root, []string{"/usr/sbin/VBoxService"}, map[string]string{"PATH": "/sbin:/bin:/usr/sbin:/usr/bin"}, "/",
		kernel.Null{}, kernel.Null{}, kernel.Null{})
	p.Go(func() int {
		<-p.Context().Done()
		return 0
	})
}

func (m *Machine) service() []*kernel.Proc {
	var out []*kernel.Proc
	for _, p := range m.Kernel().Procs() {
		if a := p.Argv(); len(a) > 0 && path.Base(a[0]) == "VBoxService" && p.PPID == 0 {
			out = append(out, p)
		}
	}
	return out
}

func (m *Machine) stopService() {
	for _, p := range m.service() {
		p.Signal("TERM")
	}
}

func (m *Machine) vboxService(p *kernel.Proc) int {
	if len(p.Args) > 1 && (p.Args[1] == "--version" || p.Args[1] == "-V") {
		p.Printf("%sr%s\n", p.Variant(), revision(p.Variant()))
		return 0
	}
	if !m.isLoaded("vboxguest") {
		p.Errorf("VBoxService: error: VbglR3Init failed with rc=VERR_FILE_NOT_FOUND\n")
		return 1
	}
	m.startService()
	return 0
}

func (m *Machine) vboxControl(p *kernel.Proc) int {
	v := p.Variant()
	args := p.Args[1:]
	if len(args) > 0 && args[0] == "--nologo" {
		args = args[1:]
	} else if len(args) > 0 && args[0] != "--version" && args[0] != "-v" {
		p.Printf("Oracle VM VirtualBox Guest Additions Command Line Management Interface Version %s\n(C) 2008-2017 Oracle Corporation\nAll rights reserved.\n\n", v)
	}
	switch cmd := strings.Join(args, " "); {
	case cmd == "--version" || cmd == "-v":
		p.Printf("%sr%s\n", v, revision(v))
		return 0
	case !m.isLoaded("vboxguest"):
		p.Errorf("VBoxControl: error: Could not contact the host system.  Make sure that you are running this\napplication inside a VirtualBox guest system, and that you have sufficient\nuser permissions.\n")
		return 1
	case strings.HasPrefix(cmd, "guestproperty get /VirtualBox/HostInfo/VBoxVer"):
		p.Printf("Value: %s\n", m.cfg.Host)
		return 0
	case strings.HasPrefix(cmd, "guestproperty get "):
		p.Printf("No value set!\n")
		return 0
	case cmd == "sharedfolder list":
		p.Printf("Shared Folder mappings (%d):\n\n", len(m.cfg.Shares))
		for i, s := range m.cfg.Shares {
			p.Printf("%02d - %s\n", i+1, s.Name)
		}
		return 0
	}
	p.Errorf("VBoxControl: error: unknown or unsupported command\n")
	return 2
}

func (m *Machine) uninstall(p *kernel.Proc) int {
	m.stopService()
	m.takeAway(p.Variant())
	return 0
}
