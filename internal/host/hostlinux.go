package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// hostModules are the modules that decide whether a VM can start.
var hostModules = []string{"vboxdrv", "vboxnetflt", "vboxnetadp", "kvm", "kvm_intel", "kvm_amd"}

// linux reads what the kernel says of itself. No device is opened: looking at names changes nothing.
func (ob *observer) linux() facts.Value[facts.Linux] {
	if ob.goos != "linux" {
		return facts.Unknownf[facts.Linux]("this host runs %s", ob.goos)
	}
	modules := ob.text("/proc/modules")
	cpu := ob.text("/proc/cpuinfo")
	if cpu == "" {
		return facts.Unknownf[facts.Linux]("/proc cannot be read")
	}
	release := ob.text("/proc/sys/kernel/osrelease")
	l := facts.Linux{
		Driver: ob.text("/sys/module/vboxdrv/version"), NetCtl: ob.exists("/dev/vboxnetctl"), Xen: ob.exists("/proc/xen"),
		Headers:    ob.buildTree(release),
		VirtAtLoad: ob.text("/sys/module/kvm/parameters/enable_virt_at_load"),
		BuiltInKVM: strings.Contains(ob.text("/lib/modules/"+release+"/modules.builtin"), "/kvm/kvm"),
		Overrides:  ob.kvmOverrides(), Lockdown: chosen(ob.text("/sys/kernel/security/lockdown")),
		SecureBoot: ob.secureBoot(), Resolvers: ob.resolvers(), KVMGuests: ob.kvmGuests(),
	}
	for _, line := range strings.Split(modules, "\n") {
		if name, _, _ := strings.Cut(line, " "); slices.Contains(hostModules, name) {
			l.Loaded = append(l.Loaded, name)
		}
	}
	l.CPUVirt, l.InVM, l.ARM = cpuFlags(cpu)
	return facts.Known(l)
}

// buildTree tells whether modules can be built for the running kernel.
func (ob *observer) buildTree(release string) bool {
	_, err := os.Stat(ob.at("/lib/modules/" + release + "/build/Makefile"))
	return release != "" && err == nil
}

// cpuFlags reads the flags of the first processor. ARM processors have "Features" and none of these flags.
func cpuFlags(cpuinfo string) (virt string, inVM, arm bool) {
	for _, line := range strings.Split(cpuinfo, "\n") {
		key, value, _ := strings.Cut(line, ":")
		flags := strings.Fields(value)
		switch strings.TrimSpace(key) {
		case "flags":
			for _, f := range []string{"vmx", "svm"} {
				if slices.Contains(flags, f) {
					virt = f
				}
			}
			return virt, slices.Contains(flags, "hypervisor"), false
		case "Features":
			return "", false, true
		}
	}
	return "", false, false
}

// chosen is the word in brackets of "none [integrity] confidentiality".
func chosen(s string) string {
	_, rest, _ := strings.Cut(s, "[")
	word, _, _ := strings.Cut(rest, "]")
	return word
}

// efiVars are the two variables that decide: the firmware's setting, and the shim's, which can switch its part off.
const (
	secureBootVar = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
	mokStateVar   = "/sys/firmware/efi/efivars/MokSBStateRT-605dab50-e046-4300-abb6-3dd810dd8b23"
)

// secureBoot reads the EFI variables: four bytes of attributes, then the value.
func (ob *observer) secureBoot() bool {
	on := func(path string) bool {
		data, err := readBounded(ob.at(path), 64)
		return err == nil && len(data) == 5 && data[4] == 1
	}
	return on(secureBootVar) && !on(mokStateVar)
}

func (ob *observer) resolvers() []string {
	var all []string
	for _, line := range strings.Split(ob.text("/etc/resolv.conf"), "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "nameserver" {
			all = append(all, clean(f[1]))
		}
	}
	return all
}

// kvmOverride is the setting whose right value flipped with VirtualBox 7.2.10.
const kvmOverride = "enable_virt_at_load="

// kvmOverrides are the places that switch enable_virt_at_load off.
func (ob *observer) kvmOverrides() []string {
	var where []string
	off := func(text string) bool {
		for _, line := range strings.Split(text, "\n") {
			line, _, _ = strings.Cut(line, "#")
			_, value, found := strings.Cut(line, kvmOverride)
			if found && (strings.HasPrefix(value, "0") || strings.HasPrefix(strings.ToUpper(value), "N")) {
				return true
			}
		}
		return false
	}
	for _, dir := range []string{"/etc/modprobe.d", "/usr/lib/modprobe.d", "/run/modprobe.d"} {
		files, _ := filepath.Glob(filepath.Join(ob.at(dir), "*.conf")) // the pattern is well formed
		for _, f := range files {
			if name := filepath.Join(dir, filepath.Base(f)); off(ob.text(name)) {
				where = append(where, name)
			}
		}
	}
	if off(ob.text("/proc/cmdline")) {
		where = append(where, "/proc/cmdline")
	}
	return where
}

// kvmGuests counts the processes of running KVM machines.
func (ob *observer) kvmGuests() int {
	n := 0
	ob.eachProcess(func(_ int, name string) {
		if strings.HasPrefix(name, "qemu-system") || name == "qemu-kvm" || name == "kvm" {
			n++
		}
	})
	return n
}

// maxProcesses bounds every walk over /proc.
const maxProcesses = 20000

func (ob *observer) eachProcess(visit func(pid int, name string)) {
	dir, err := os.Open(ob.at("/proc"))
	if err != nil {
		return
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(maxProcesses) // what was read counts
	for _, n := range names {
		if pid, err := strconv.Atoi(n); err == nil {
			if comm := ob.text("/proc/" + n + "/comm"); comm != "" {
				visit(pid, clean(comm))
			}
		}
	}
}

// networksConf reads the file by Vagrant's own rule: only lines that begin with a star count, and several ranges may
// stand in one.
func (ob *observer) networksConf() facts.Value[facts.NetworksConf] {
	path := ob.at("/etc/vbox/networks.conf")
	data, err := readBounded(path, 1<<20)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return facts.Known(facts.NetworksConf{File: facts.TextFile{Path: path}})
	case err != nil:
		return facts.Unknownf[facts.NetworksConf]("/etc/vbox/networks.conf cannot be read: %v", err)
	}
	c := facts.NetworksConf{Exists: true, Ranges: []string{}, File: facts.TextFile{Path: path, Content: string(data)}}
	for _, line := range lines(string(data)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "*"); ok {
			c.Ranges = append(c.Ranges, strings.Fields(rest)...)
		}
	}
	return facts.Known(c)
}
