package el6

import (
	"fmt"
	"path"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/demo/kernel"
	"github.com/boxdoctor/boxdoctor/internal/demo/memfs"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

// Package is one rpm, installed or in a repository.
type Package struct {
	Name, Epoch, Version, Release, Arch string
	// Repo is where it came from or lies.
	Repo string
	// Files are the paths it owns, once unpacked.
	Files []string
}

// NEVRA is name-version-release.arch.
func (p *Package) NEVRA() string { return p.Name + "-" + p.VR() + "." + p.Arch }

// VR is version-release.
func (p *Package) VR() string { return p.Version + "-" + p.Release }

func (p *Package) epoch() string {
	if p.Epoch == "" {
		return "0"
	}
	return p.Epoch
}

// kernelRelease is what uname -r says of a kernel package of this version.
func (p *Package) kernelRelease() string { return p.VR() + "." + p.Arch }

func (p *Package) newer(o *Package) bool {
	if c := version.RPMVerCmp(p.Version, o.Version); c != 0 {
		return c > 0
	}
	return version.RPMVerCmp(p.Release, o.Release) > 0
}

// find parses name-version-release.arch, with an epoch as in rpm -qa where it matters (perl is 4:).
func find(nevra string) (*Package, error) {
	rest, arch, ok1 := cutLast(nevra, ".")
	rest, rel, ok2 := cutLast(rest, "-")
	name, ver, ok3 := cutLast(rest, "-")
	if !ok1 || !ok2 || !ok3 {
		return nil, fmt.Errorf("package %q is not name-version-release.arch", nevra)
	}
	p := &Package{Name: name, Version: ver, Release: rel, Arch: arch, Repo: "installed"}
	if name == "perl" {
		p.Epoch = "4"
	}
	return p, nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// requires are the packages that one needs: a plain name, or a name with "=" for the same version.
var requires = map[string][]string{
	"kernel":        {"kernel-firmware="},
	"gcc":           {"cpp=", "glibc-devel", "binutils"},
	"glibc-devel":   {"glibc-headers"},
	"glibc-headers": {"kernel-headers"},
}

// toolFiles are the programs that packages bring.
var toolFiles = map[string][]string{
	"gcc": {"/usr/bin/gcc", "/usr/bin/cc"}, "make": {"/usr/bin/make"}, "perl": {"/usr/bin/perl"}, "bzip2": {"/usr/bin/bzip2", "/usr/bin/bunzip2"},
	"tar": {"/bin/tar"}, "gzip": {"/bin/gzip"}, "cpp": {"/usr/bin/cpp"}, "binutils": {"/usr/bin/ld", "/usr/bin/as"},
}

// unpack writes a package's files; the grub entry of a kernel comes with them, as new-kernel-pkg does it.
func (m *Machine) unpack(p *Package) {
	b := &builder{fs: m.FS}
	k := p.kernelRelease()
	switch p.Name {
	case "kernel":
		m.unpackKernel(b, k)
		p.Files = []string{"/boot/vmlinuz-" + k, "/boot/config-" + k, "/boot/System.map-" + k, "/lib/modules/" + k + "/kernel", "/lib/modules/" + k + "/build"}
	case "kernel-devel":
		src := "/usr/src/kernels/" + k
		b.file(0o644, src+"/Makefile", "VERSION = 2\nPATCHLEVEL = 6\nSUBLEVEL = 32\nEXTRAVERSION = -"+p.Release+"."+p.Arch+"\n")
		b.file(0o644, src+"/include/linux/autoconf.h", "#define AUTOCONF_INCLUDED\n")
		b.file(0o644, src+"/.config", "CONFIG_X86_64=y\n")
		p.Files = []string{src}
	case "kernel-headers":
		b.file(0o644, "/usr/include/linux/version.h", "#define LINUX_VERSION_CODE 132640\n")
		p.Files = []string{"/usr/include/linux"}
	case "kernel-firmware":
		b.file(0o644, "/lib/firmware/README", "firmware\n")
		p.Files = []string{"/lib/firmware/README"}
	}
	for _, f := range toolFiles[p.Name] {
		b.program(f, "tool@"+path.Base(f))
		p.Files = append(p.Files, f)
	}
}

func (m *Machine) unpackKernel(b *builder, k string) {
	b.file(0o755, "/boot/vmlinuz-"+k, "vmlinuz "+k+"\n")
	b.file(0o600, "/boot/initramfs-"+k+".img", "initramfs "+k+"\n")
	b.file(0o644, "/boot/System.map-"+k, "")
	b.file(0o644, "/boot/config-"+k, "CONFIG_X86_64=y\nCONFIG_MODULES=y\n")
	dir := "/lib/modules/" + k
	b.file(0o644, dir+"/kernel/fs/ext4/ext4.ko", "")
	b.file(0o644, dir+"/kernel/drivers/block/loop.ko", "")
	b.file(0o644, dir+"/modules.order", "kernel/fs/ext4/ext4.ko\n")
	b.file(0o644, dir+"/modules.dep", "kernel/fs/ext4/ext4.ko:\n")
	b.link("/usr/src/kernels/"+k, dir+"/build")
	b.link("build", dir+"/source")
	m.addGrubEntry(k)
}

// erase removes a package's files. Modules that the Guest Additions built stay, as rpm leaves them.
func (m *Machine) erase(p *Package) {
	for _, f := range p.Files {
		_ = m.FS.RemoveAll(memfs.Root, f)
	}
	if p.Name == "kernel" {
		k := p.kernelRelease()
		for _, f := range []string{"/boot/initramfs-" + k + ".img", "/lib/modules/" + k + "/modules.order", "/lib/modules/" + k + "/modules.dep", "/lib/modules/" + k + "/source"} {
			_ = m.FS.RemoveAll(memfs.Root, f)
		}
		_ = m.FS.Remove(memfs.Root, "/lib/modules/"+k)
		m.dropGrubEntry(k)
	}
}

// tool is a compiler or archiver that only says what it is.
func tool(p *kernel.Proc) int {
	name := p.Variant()
	text := map[string]string{
		"gcc":   "gcc (GCC) 4.4.7 20120313 (Red Hat 4.4.7-23)\nCopyright (C) 2010 Free Software Foundation, Inc.\n",
		"make":  "GNU Make 3.81\n",
		"perl":  "\nThis is perl, v5.10.1 (*) built for x86_64-linux-thread-multi\n",
		"bzip2": "bzip2, a block-sorting file compressor.  Version 1.0.5, 10-Dec-2007.\n",
		"tar":   "tar (GNU tar) 1.23\n",
	}[name]
	if len(p.Args) == 2 && (p.Args[1] == "--version" || p.Args[1] == "-v") && text != "" {
		p.Printf("%s", text)
		return 0
	}
	p.Errorf("%s: the embedded guest has this program only as a name\n", name)
	return 2
}

// installed are the installed packages with a name, oldest first.
func (m *Machine) installed(name string) []*Package {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*Package
	for _, p := range m.db {
		if p.Name == name {
			out = append(out, p)
		}
	}
	return out
}

func (m *Machine) all() []*Package {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]*Package{}, m.db...)
}

func (m *Machine) addPackage(p *Package) {
	m.unpack(p)
	m.mu.Lock()
	m.db = append(m.db, p)
	m.mu.Unlock()
}

func (m *Machine) removePackage(p *Package) {
	m.erase(p)
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, q := range m.db {
		if q == p {
			m.db = append(m.db[:i:i], m.db[i+1:]...)
			return
		}
	}
}

// matchSpec tells whether a package is meant by what a user wrote: name, name.arch, name-version,
// name-version-release, with or without architecture and epoch, or a glob of these.
func matchSpec(p *Package, spec string) bool {
	for _, form := range []string{p.Name, p.Name + "." + p.Arch, p.Name + "-" + p.Version, p.Name + "-" + p.VR(), p.NEVRA(),
		p.epoch() + ":" + p.NEVRA(), p.Name + "-" + p.epoch() + ":" + p.VR() + "." + p.Arch} {
		if form == spec {
			return true
		}
		if strings.ContainsAny(spec, "*?[") {
			if ok, _ := path.Match(spec, form); ok {
				return true
			}
		}
	}
	return false
}

// rpm answers queries: -q, -qa, -qf with --qf, and --version. Anything else is refused loudly.
func (m *Machine) rpm(p *kernel.Proc) int {
	var format string
	query, all, byFile, last := false, false, false, false
	var args []string
	list := p.Args[1:]
	for i := 0; i < len(list); i++ {
		a := list[i]
		switch {
		case a == "--qf" || a == "--queryformat":
			if i++; i < len(list) {
				format = list[i]
			}
		case strings.HasPrefix(a, "--qf=") || strings.HasPrefix(a, "--queryformat="):
			_, format, _ = strings.Cut(a, "=")
		case a == "--version":
			p.Printf("RPM version 4.8.0\n")
			return 0
		case a == "--last":
			last = true
		case a == "--quiet":
			format = "%{nothing}"
		case strings.HasPrefix(a, "-q") && strings.Trim(a[2:], "af") == "":
			query = true
			all, byFile = all || strings.Contains(a, "a"), byFile || strings.Contains(a, "f")
		case a == "-a" || a == "--all":
			all = true
		case strings.HasPrefix(a, "-"):
			p.Errorf("rpm: %s: unknown option (not supported by the embedded guest)\n", a)
			return 1
		default:
			args = append(args, a)
		}
	}
	if !query || last && !all {
		p.Errorf("rpm: only queries are supported by the embedded guest\n")
		return 1
	}
	switch {
	case all:
		return m.rpmAll(p, format, args)
	case byFile:
		return m.rpmFile(p, format, args)
	}
	return m.rpmQuery(p, format, args)
}

func (m *Machine) rpmAll(p *kernel.Proc, format string, globs []string) int {
	for _, pk := range m.all() {
		hit := len(globs) == 0
		for _, g := range globs {
			hit = hit || matchSpec(pk, g)
		}
		if hit {
			p.Printf("%s", rpmFormat(pk, format))
		}
	}
	return 0
}

func (m *Machine) rpmQuery(p *kernel.Proc, format string, names []string) int {
	st := 0
	for _, n := range names {
		found := false
		for _, pk := range m.all() {
			if matchSpec(pk, n) {
				found = true
				p.Printf("%s", rpmFormat(pk, format))
			}
		}
		if !found {
			st = min(st+1, 255)
			p.Printf("package %s is not installed\n", n)
		}
	}
	return st
}

func (m *Machine) rpmFile(p *kernel.Proc, format string, files []string) int {
	st := 0
	for _, f := range files {
		if _, err := m.FS.Lstat(p.Cred, p.Abs(f)); err != nil {
			p.Errorf("error: file %s: %s\n", f, memfs.Text(err))
			st = 1
			continue
		}
		if owner := m.ownerOf(path.Clean(p.Abs(f))); owner != nil {
			p.Printf("%s", rpmFormat(owner, format))
			continue
		}
		p.Printf("file %s is not owned by any package\n", f)
		st = 1
	}
	return st
}

func (m *Machine) ownerOf(file string) *Package {
	for _, pk := range m.all() {
		for _, f := range pk.Files {
			if f == file || strings.HasPrefix(file, f+"/") {
				return pk
			}
		}
	}
	return nil
}

// rpmFormat fills a query format; without one it prints the NEVRA and a newline.
func rpmFormat(p *Package, format string) string {
	if format == "" {
		return p.NEVRA() + "\n"
	}
	epoch := p.Epoch
	if epoch == "" {
		epoch = "(none)"
	}
	r := strings.NewReplacer("%{nothing}", "", "%{NAME}", p.Name, "%{name}", p.Name, "%{EPOCH}", epoch, "%{epoch}", epoch, "%{VERSION}", p.Version,
		"%{version}", p.Version, "%{RELEASE}", p.Release, "%{release}", p.Release, "%{ARCH}", p.Arch, "%{arch}", p.Arch,
		"%{INSTALLTIME}", "1378000000", `\n`, "\n", `\t`, "\t", "%%", "%")
	return r.Replace(format)
}

func sortedByVersion(list []*Package) {
	for i := 1; i < len(list); i++ {
		for j := i; j > 0 && (list[j].Name < list[j-1].Name || list[j].Name == list[j-1].Name && list[j-1].newer(list[j])); j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
}
