package el6

import (
	"errors"
	"fmt"
	"path"
	"sort"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/demo/kernel"
	"github.com/boxdoctor/boxdoctor/internal/demo/memfs"
)

const grubConf = "/boot/grub/grub.conf"

func (m *Machine) grubText() []string {
	data, _ := m.FS.ReadFile(memfs.Root, grubConf)
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

func (m *Machine) writeGrub(lines []string) {
	_ = m.FS.WriteFile(memfs.Root, grubConf, []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}

// entries are the kernels of grub.conf in order.
func entries(lines []string) []string {
	var out []string
	for _, l := range lines {
		if f := strings.Fields(l); len(f) > 1 && f[0] == "kernel" {
			out = append(out, strings.TrimPrefix(f[1], "/vmlinuz-"))
		}
	}
	return out
}

// addGrubEntry puts a new kernel first and makes it the default, as UPDATEDEFAULT=yes does.
func (m *Machine) addGrubEntry(k string) {
	lines := m.grubText()
	head, rest := lines, []string(nil)
	for i, l := range lines {
		if strings.HasPrefix(l, "title ") {
			head, rest = lines[:i], lines[i:]
			break
		}
	}
	entry := []string{"title CentOS (" + k + ")", "\troot (hd0,0)", "\tkernel /vmlinuz-" + k + " ro root=/dev/mapper/VolGroup-lv_root rhgb quiet", "\tinitrd /initramfs-" + k + ".img"}
	m.writeGrub(append(append(append([]string{}, head...), entry...), rest...))
	m.setDefault(k)
}

func (m *Machine) dropGrubEntry(k string) {
	def := m.defaultKernel()
	var out []string
	skip := false
	for _, l := range m.grubText() {
		if strings.HasPrefix(l, "title ") {
			skip = strings.Contains(l, "("+k+")")
		}
		if !skip {
			out = append(out, l)
		}
	}
	m.writeGrub(out)
	m.setDefault(def)
}

// setDefault changes the default= line; false when there is no such entry.
func (m *Machine) setDefault(k string) bool {
	lines := m.grubText()
	for i, e := range entries(lines) {
		if e != k {
			continue
		}
		for j, l := range lines {
			if strings.HasPrefix(l, "default=") {
				lines[j] = fmt.Sprintf("default=%d", i)
			}
		}
		m.writeGrub(lines)
		return true
	}
	return false
}

// defaultKernel is the release that boots next; empty when grub.conf names none that exists.
func (m *Machine) defaultKernel() string {
	lines := m.grubText()
	at := 0
	for _, l := range lines {
		_, _ = fmt.Sscanf(l, "default=%d", &at)
	}
	if e := entries(lines); at < len(e) {
		if _, err := m.FS.Stat(memfs.Root, "/boot/vmlinuz-"+e[at]); err == nil {
			return e[at]
		}
	}
	return ""
}

func (m *Machine) grubby(p *kernel.Proc) int {
	arg := ""
	if len(p.Args) > 1 {
		arg = p.Args[1]
	}
	if p.Cred.UID != 0 {
		p.Errorf("error opening %s for read: Permission denied\n", "/etc/grub.conf")
		return 1
	}
	name, val, has := strings.Cut(arg, "=")
	if !has && len(p.Args) > 2 {
		val = p.Args[2]
	}
	switch name {
	case "--default-kernel":
		if k := m.defaultKernel(); k != "" {
			p.Printf("/boot/vmlinuz-%s\n", k)
			return 0
		}
		return 1
	case "--set-default":
		if !m.setDefault(strings.TrimPrefix(val, "/boot/vmlinuz-")) {
			p.Errorf("grubby fatal error: unable to find a suitable template\n")
			return 1
		}
		return 0
	}
	p.Errorf("grubby: bad argument %s: unknown option (not supported by the embedded guest)\n", arg)
	return 1
}

func (m *Machine) uname(p *kernel.Proc) int {
	words := map[byte]string{'s': "Linux", 'n': m.cfg.Hostname, 'r': m.Running(), 'v': "#1 SMP Wed May 1 16:42:44 UTC 2013", 'm': "x86_64", 'p': "x86_64", 'i': "x86_64", 'o': "GNU/Linux"}
	want := "s"
	if len(p.Args) > 1 {
		want = ""
		for _, a := range p.Args[1:] {
			if len(a) < 2 || a[0] != '-' || strings.Trim(a[1:], "asnrvmpio") != "" {
				p.Errorf("uname: extra operand `%s'\n", a)
				return 1
			}
			want += a[1:]
		}
	}
	if strings.Contains(want, "a") {
		want = "snrvmpio"
	}
	var out []string
	for _, c := range []byte("snrvmpio") {
		if strings.IndexByte(want, c) >= 0 {
			out = append(out, words[c])
		}
	}
	p.Printf("%s\n", strings.Join(out, " "))
	return 0
}

// moduleFile is where a module of a kernel lies; empty when there is none.
func (m *Machine) moduleFile(k, name string) string {
	for _, dir := range []string{"/misc", "/extra", "/kernel/fs/ext4", "/kernel/drivers/block"} {
		f := "/lib/modules/" + k + dir + "/" + name + ".ko"
		if _, err := m.FS.Stat(memfs.Root, f); err == nil {
			return f
		}
	}
	return ""
}

// moduleVersion reads the version that the scripted build wrote into a module file.
func (m *Machine) moduleVersion(file string) string {
	data, _ := m.FS.ReadFile(memfs.Root, file)
	for _, l := range strings.Split(string(data), "\n") {
		if v, ok := strings.CutPrefix(l, "version="); ok {
			return v
		}
	}
	return ""
}

func (m *Machine) modinfo(p *kernel.Proc) int {
	field, k := "", m.Running()
	var names []string
	for i := 1; i < len(p.Args); i++ {
		switch a := p.Args[i]; {
		case a == "-n" || a == "--filename":
			field = "filename"
		case (a == "-F" || a == "-k") && i+1 < len(p.Args):
			i++
			if a == "-F" {
				field = p.Args[i]
			} else {
				k = p.Args[i]
			}
		case strings.HasPrefix(a, "-"):
			p.Errorf("modinfo: invalid option -- '%s'\n", a)
			return 1
		default:
			names = append(names, a)
		}
	}
	st := 0
	for _, n := range names {
		f := m.moduleFile(k, n)
		if f == "" {
			p.Errorf("ERROR: modinfo: could not find module %s\n", n)
			st = 1
			continue
		}
		info := map[string]string{"filename": f, "version": m.moduleVersion(f), "license": "GPL", "vermagic": k + " SMP mod_unload modversions"}
		if field != "" {
			p.Printf("%s\n", info[field])
			continue
		}
		for _, key := range []string{"filename", "version", "license", "vermagic"} {
			p.Printf("%-16s%s\n", key+":", info[key])
		}
	}
	return st
}

var errNoModule = errors.New("module not found")

// insmod loads a module of the running kernel with what it needs.
func (m *Machine) insmod(name string) error {
	if m.isLoaded(name) {
		return nil
	}
	f := m.moduleFile(m.Running(), name)
	if f == "" {
		return errNoModule
	}
	if name == "vboxsf" || name == "vboxvideo" {
		if err := m.insmod("vboxguest"); err != nil {
			return err
		}
	}
	m.insert(name, m.moduleVersion(f))
	return nil
}

func (m *Machine) isLoaded(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.loaded[name]
	return ok
}

func (m *Machine) loadedVersion(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.loaded[name]
}

// insert puts a module into memory and shows it in /sys/module.
func (m *Machine) insert(name, ver string) {
	m.mu.Lock()
	m.loaded[name] = ver
	m.mu.Unlock()
	b := &builder{fs: m.FS}
	dir := "/sys/module/" + name
	b.dir(0o755, dir, dir+"/holders")
	b.file(0o444, dir+"/refcnt", "0\n")
	if ver != "" {
		b.file(0o444, dir+"/version", ver+"\n")
	}
	switch name {
	case "vboxguest":
		m.logKernel("vboxguest: major 0, IRQ 20, I/O port d020, MMIO at 00000000f0400000 (size 0x400000)")
		b.keep(m.FS.Mknod("/dev/vboxguest", 0o600, memfs.NullDevice{}))
		b.keep(m.FS.Mknod("/dev/vboxuser", 0o666, memfs.NullDevice{}))
	case "vboxsf":
		b.file(0o444, "/sys/module/vboxguest/refcnt", "2\n")
		b.dir(0o755, "/sys/module/vboxguest/holders/vboxsf")
		m.logKernel("VBoxSF: Loaded, version %s", ver)
	}
}

func (m *Machine) removeModule(name string) {
	m.mu.Lock()
	delete(m.loaded, name)
	m.mu.Unlock()
	_ = m.FS.RemoveAll(memfs.Root, "/sys/module/"+name)
	_ = m.FS.RemoveAll(memfs.Root, "/sys/module/vboxguest/holders/"+name)
	if name == "vboxguest" {
		_ = m.FS.RemoveAll(memfs.Root, "/dev/vboxguest")
		_ = m.FS.RemoveAll(memfs.Root, "/dev/vboxuser")
	}
}

// clearSys forgets the modules of the last boot.
func (m *Machine) clearSys() {
	list, _ := m.FS.ReadDir(memfs.Root, "/sys/module")
	for _, in := range list {
		_ = m.FS.RemoveAll(memfs.Root, "/sys/module/"+in.Name())
	}
	_ = m.FS.RemoveAll(memfs.Root, "/dev/vboxguest")
	_ = m.FS.RemoveAll(memfs.Root, "/dev/vboxuser")
}

func (m *Machine) modprobe(p *kernel.Proc) int {
	remove, dry, silent := false, false, false
	var names []string
	for _, a := range p.Args[1:] {
		switch a {
		case "-r":
			remove = true
		case "-n", "--dry-run":
			dry = true
		case "-q", "-s", "-v", "-b", "--quiet":
			silent = silent || a == "-q" || a == "--quiet"
		case "-c":
			return 0
		default:
			if strings.HasPrefix(a, "-") {
				p.Errorf("modprobe: invalid option -- '%s'\n", a)
				return 1
			}
			names = append(names, a)
		}
	}
	for _, n := range names {
		if p.Cred.UID != 0 && !dry {
			p.Errorf("FATAL: Error inserting %s: Operation not permitted\n", n)
			return 1
		}
		if remove {
			m.removeModule(n)
			continue
		}
		if n == "loop" || n == "iso9660" {
			continue
		}
		if m.moduleFile(m.Running(), n) == "" && !m.isLoaded(n) {
			if !silent {
				p.Errorf("FATAL: Module %s not found.\n", n)
			}
			return 1
		}
		if !dry {
			_ = m.insmod(n)
		}
	}
	return 0
}

func (m *Machine) rmmod(p *kernel.Proc) int {
	for _, n := range p.Args[1:] {
		if !m.isLoaded(n) {
			p.Errorf("ERROR: Module %s does not exist in /proc/modules\n", n)
			return 1
		}
		if n == "vboxguest" && m.isLoaded("vboxsf") || n == "vboxsf" && m.sharesMounted() {
			p.Errorf("ERROR: Module %s is in use\n", n)
			return 1
		}
		m.removeModule(n)
	}
	return 0
}

func (m *Machine) sharesMounted() bool {
	for _, mt := range m.FS.Mounts() {
		if mt.Vol.FSType == "vboxsf" {
			return true
		}
	}
	return false
}

func (m *Machine) names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for n := range m.loaded {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

func (m *Machine) procModules() string {
	var b strings.Builder
	for _, n := range m.names() {
		fmt.Fprintf(&b, "%s 16384 0 - Live 0x0000000000000000\n", n)
	}
	return b.String()
}

func (m *Machine) procFilesystems() string {
	t := "nodev\tsysfs\nnodev\trootfs\nnodev\tproc\nnodev\ttmpfs\n\text4\n\tiso9660\n"
	if m.isLoaded("vboxsf") {
		t += "nodev\tvboxsf\n"
	}
	return t
}

func (m *Machine) lsmod(p *kernel.Proc) int {
	p.Printf("Module                  Size  Used by\n")
	for _, n := range m.names() {
		used := "0 "
		if n == "vboxguest" && m.isLoaded("vboxsf") {
			used = "2 vboxsf"
		}
		p.Printf("%-20s %8d  %s\n", n, 16384, used)
	}
	return 0
}

func (m *Machine) depmod(p *kernel.Proc) int {
	k := m.Running()
	for _, a := range p.Args[1:] {
		if !strings.HasPrefix(a, "-") {
			k = a
		}
	}
	if _, err := m.FS.Stat(memfs.Root, "/lib/modules/"+k); err != nil {
		p.Errorf("FATAL: Could not open %s/modules.dep.temp for writing: No such file or directory\n", path.Join("/lib/modules", k))
		return 1
	}
	return 0
}

func (m *Machine) dmesgProg(p *kernel.Proc) int {
	m.mu.Lock()
	lines := append([]string{}, m.dmesg...)
	m.mu.Unlock()
	for i, l := range lines {
		p.Printf("[%5d.%06d] %s\n", i/4, i*1000, l)
	}
	return 0
}
