package el6

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/diskfs/go-diskfs/backend"
	"github.com/diskfs/go-diskfs/filesystem/iso9660"

	"github.com/boxdoctor/boxdoctor/internal/demo/kernel"
	"github.com/boxdoctor/boxdoctor/internal/demo/memfs"
)

// mountArgs is a parsed command line of mount.
type mountArgs struct {
	fstype       string
	opts         []string
	noHelper     bool
	all          bool
	bind         bool
	private      bool
	source, dest string
}

func parseMount(p *kernel.Proc) (a mountArgs, ok bool) {
	var rest []string
	list := p.Args[1:]
	for len(list) > 0 {
		w := list[0]
		list = list[1:]
		switch {
		case w == "--bind":
			a.bind = true
			continue
		case w == "--make-private" || w == "--make-rprivate":
			a.private = true
			continue
		case len(w) < 2 || w[0] != '-':
			rest = append(rest, w)
			continue
		}
		for i, c := range w[1:] {
			switch c {
			case 'c', 'n', 'v':
			case 'i':
				a.noHelper = true
			case 'r':
				a.opts = append(a.opts, "ro")
			case 'a':
				a.all = true
			case 't', 'o':
				val := w[1+i+1:]
				if val == "" && len(list) > 0 {
					val, list = list[0], list[1:]
				}
				if c == 't' {
					a.fstype = val
				} else {
					a.opts = append(a.opts, strings.Split(val, ",")...)
				}
			default:
				p.Errorf("mount: invalid option -- '%c' (not supported by the embedded guest)\n", c)
				return a, false
			}
			if c == 't' || c == 'o' {
				break
			}
		}
	}
	if len(rest) == 2 {
		a.source, a.dest = rest[0], rest[1]
	}
	return a, len(rest) == 2 || len(rest) == 0 || len(rest) == 1 && a.private
}

func (m *Machine) mount(p *kernel.Proc) int {
	a, ok := parseMount(p)
	switch {
	case !ok:
		return 1
	case a.all || a.private:
		return 0
	case a.source == "":
		for _, mt := range m.FS.Mounts() {
			p.Printf("%s on %s type %s (%s)\n", mt.Source, mt.Target, mt.Vol.FSType, strings.Join(mt.Options, ","))
		}
		return 0
	case p.Cred.UID != 0:
		p.Errorf("mount: only root can do that\n")
		return 1
	}
	in, err := m.FS.Stat(p.Cred, p.Abs(a.dest))
	if err != nil || !in.IsDir() {
		p.Errorf("mount: mount point %s does not exist\n", a.dest)
		return 32
	}
	if a.bind {
		if err := m.FS.Bind(p.Abs(a.source), p.Abs(a.dest)); err != nil {
			p.Errorf("mount: %s: %s\n", a.source, memfs.Text(err))
			return 32
		}
		return 0
	}
	switch a.fstype {
	case "vboxsf":
		return m.mountShare(p, a)
	case "", "iso9660", "auto":
		return m.mountISO(p, a)
	case "tmpfs":
		vol := &memfs.Volume{Source: a.source, FSType: "tmpfs", Size: 256 << 20}
		return m.mounted(p, vol, a.source, a.dest, []string{"rw", "relatime"})
	}
	p.Errorf("mount: unknown filesystem type '%s'\n", a.fstype)
	return 32
}

func (m *Machine) mounted(p *kernel.Proc, vol *memfs.Volume, source, dest string, opts []string) int {
	if err := m.FS.Mount(vol, source, p.Abs(dest), opts); err != nil {
		p.Errorf("mount: %s: %s\n", dest, memfs.Text(err))
		return 32
	}
	return 0
}

// mountShare runs the mount helper, as mount(8) does where there is one.
func (m *Machine) mountShare(p *kernel.Proc, a mountArgs) int {
	if _, err := m.FS.Stat(memfs.Root, "/sbin/mount.vboxsf"); err == nil && !a.noHelper {
		argv := []string{"/sbin/mount.vboxsf", a.source, a.dest, "-o", strings.Join(append([]string{"rw"}, a.opts...), ",")}
		return p.Run(argv, nil)
	}
	if !m.isLoaded("vboxsf") {
		p.Errorf("mount: unknown filesystem type 'vboxsf'\n")
		return 32
	}
	m.logKernel("vboxsf: Invalid info signature: 0x75 0x69 0x64 0x3d!")
	p.Errorf("mount: wrong fs type, bad option, bad superblock on %s,\n       missing codepage or helper program, or other error\n", a.source)
	return 32
}

// helperOptions are those that mount.vboxsf knows; _netdev since 6.0.
const helperOptions = " rw ro uid gid ttl iocharset nls convertcp dmode fmode umask dmask fmask noauto exec noexec dev nodev suid nosuid remount relatime "

func (m *Machine) mountVboxsf(p *kernel.Proc) int {
	ver := p.Variant()
	opts := map[string]string{}
	var rest []string
	for i := 1; i < len(p.Args); i++ {
		if p.Args[i] == "-o" && i+1 < len(p.Args) {
			i++
			for _, o := range strings.Split(p.Args[i], ",") {
				k, v, _ := strings.Cut(o, "=")
				opts[k] = v
			}
			continue
		}
		rest = append(rest, p.Args[i])
	}
	if len(rest) != 2 {
		p.Errorf("Usage: mount.vboxsf [OPTIONS] NAME MOUNTPOINT\n")
		return 1
	}
	for k := range opts {
		known := strings.Contains(helperOptions, " "+k+" ") || k == "_netdev" && major(ver) >= 6
		if !known && k != "" {
			p.Errorf("unknown mount option `%s'\nvalid options:\n  rw         mount read write (default)\n  ro         mount read only\n  uid       =<arg> default file owner user id\n  gid       =<arg> default file owner group id\n", k)
			return 1
		}
	}
	return m.attach(p, rest[0], rest[1], opts)
}

func major(v string) int {
	s, _, _ := strings.Cut(v, ".")
	n, _ := strconv.Atoi(s)
	return n
}

func (m *Machine) attach(p *kernel.Proc, name, dest string, opts map[string]string) int {
	vol := m.shareVolume(name)
	why := ""
	switch {
	case !m.isLoaded("vboxsf"):
		why = "No such device"
	case vol == nil:
		m.logKernel("sf_read_super_aux err=-71")
		why = "Protocol error"
	}
	if why != "" {
		p.Errorf("/sbin/mount.vboxsf: mounting failed with the error: %s\n", why)
		return 1
	}
	vol.ForceOwner = true
	vol.UID, _ = strconv.Atoi(opts["uid"])
	vol.GID, _ = strconv.Atoi(opts["gid"])
	_, vol.ReadOnly = opts["ro"]
	mode := "rw"
	if vol.ReadOnly {
		mode = "ro"
	}
	line := []string{mode, "nodev", "relatime"}
	if v := m.loadedVersion("vboxsf"); major(v) >= 6 {
		line = append(line, "iocharset=utf8", "uid="+opts["uid"], "gid="+opts["gid"])
	}
	m.FS.Adopt(vol)
	return m.mounted(p, vol, name, dest, line)
}

// shareVolume is the host's folder behind a share; it lives as long as the machine.
func (m *Machine) shareVolume(name string) *memfs.Volume {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.shares[name]
}

// prepareShares makes the host's folders.
func (m *Machine) prepareShares() error {
	for _, s := range m.cfg.Shares {
		vol := &memfs.Volume{Source: s.Name, FSType: "vboxsf", Size: 200 << 30}
		if err := m.FS.Populate(vol, s.Files); err != nil {
			return err
		}
		m.shares[s.Name] = vol
	}
	return nil
}

func (m *Machine) mountISO(p *kernel.Proc, a mountArgs) int {
	data, err := m.FS.ReadFile(p.Cred, p.Abs(a.source))
	if err != nil {
		p.Errorf("mount: special device %s does not exist\n", a.source)
		return 32
	}
	files, err := readISO(data)
	if err != nil {
		p.Errorf("mount: you must specify the filesystem type\n")
		return 32
	}
	vol := &memfs.Volume{Source: "/dev/loop0", FSType: "iso9660"}
	if err := m.FS.Populate(vol, files); err != nil {
		p.Errorf("mount: %s\n", memfs.Text(err))
		return 32
	}
	vol.ReadOnly = true
	return m.mounted(p, vol, "/dev/loop0", a.dest, []string{"ro", "relatime"})
}

// storage lets go-diskfs read an image from memory.
type storage struct{ *bytes.Reader }

// Stat is not needed to read an image.
func (storage) Stat() (fs.FileInfo, error) { return nil, errors.New("an image in memory has no file") }

// Close does nothing.
func (storage) Close() error { return nil }

// Sys has no file either.
func (storage) Sys() (*os.File, error) { return nil, backend.ErrNotSuitable }

// Writable refuses: images are read only.
func (storage) Writable() (backend.WritableFile, error) { return nil, backend.ErrIncorrectOpenMode }

// Path is empty.
func (storage) Path() string { return "" }

// readISO returns the files of an ISO 9660 image: path to content.
func readISO(data []byte) (map[string]string, error) {
	iso, err := iso9660.Read(storage{bytes.NewReader(data)}, int64(len(data)), 0, 2048)
	if err != nil {
		return nil, fmt.Errorf("not an ISO 9660 image: %w", err)
	}
	out := map[string]string{}
	return out, isoDir(iso, ".", "/", out)
}

func isoDir(iso *iso9660.FileSystem, dir, to string, out map[string]string) error {
	list, err := iso.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		full, dst := path.Join(dir, e.Name()), path.Join(to, e.Name())
		if e.IsDir() {
			if err := isoDir(iso, full, dst, out); err != nil {
				return err
			}
			continue
		}
		f, err := iso.Open(full)
		if err != nil {
			return err
		}
		b, err := io.ReadAll(f)
		if err != nil {
			return err
		}
		out[dst] = string(b)
	}
	return nil
}

var _ backend.Storage = storage{}

func (m *Machine) umount(p *kernel.Proc) int {
	st := 0
	for _, a := range p.Args[1:] {
		switch a {
		case "-l", "-f", "-n", "-d", "-v":
			continue
		}
		target := a
		for _, mt := range m.FS.Mounts() {
			if mt.Source == a {
				target = mt.Target
			}
		}
		if p.Cred.UID != 0 {
			p.Errorf("umount: only root can do that\n")
			return 1
		}
		if err := m.FS.Unmount(p.Abs(target)); err != nil {
			why := "not mounted"
			if errors.Is(err, memfs.EBUSY) {
				why = "device is busy."
			} else if errors.Is(err, fs.ErrNotExist) {
				why = "not found"
			}
			p.Errorf("umount: %s: %s\n", a, why)
			st = 1
		}
	}
	return st
}

func (m *Machine) mountpoint(p *kernel.Proc) int {
	args := p.Args[1:]
	silent := len(args) > 0 && args[0] == "-q"
	if silent {
		args = args[1:]
	}
	if len(args) != 1 {
		p.Errorf("Usage: mountpoint [-q] [-d] [-x] path\n")
		return 1
	}
	full, err := m.FS.Realpath(p.Cred, p.Abs(args[0]), false)
	if err != nil {
		if !silent {
			p.Errorf("mountpoint: %s: %s\n", args[0], memfs.Text(err))
		}
		return 1
	}
	for _, mt := range m.FS.Mounts() {
		if mt.Target == full {
			if !silent {
				p.Printf("%s is a mountpoint\n", args[0])
			}
			return 0
		}
	}
	if !silent {
		p.Printf("%s is not a mountpoint\n", args[0])
	}
	return 1
}

// findmnt knows `findmnt -n -o COLS TARGET` and `-t TYPE`.
func (m *Machine) findmnt(p *kernel.Proc) int {
	cols, fstype, target := "TARGET,SOURCE,FSTYPE,OPTIONS", "", ""
	for i := 1; i < len(p.Args); i++ {
		switch a := p.Args[i]; {
		case a == "-n" || a == "-r" || a == "--noheadings":
		case (a == "-o" || a == "-no" || a == "-t" || a == "-T") && i+1 < len(p.Args):
			i++
			switch a {
			case "-t":
				fstype = p.Args[i]
			case "-T":
				target = m.FS.MountAt(p.Cred, p.Abs(p.Args[i])).Target
			default:
				cols = p.Args[i]
			}
		case strings.HasPrefix(a, "-"):
			p.Errorf("findmnt: invalid option %s (not supported by the embedded guest)\n", a)
			return 1
		default:
			target = path.Clean(p.Abs(a))
		}
	}
	st := 1
	for _, mt := range m.FS.Mounts() {
		if target != "" && mt.Target != target || fstype != "" && mt.Vol.FSType != fstype {
			continue
		}
		st = 0
		var row []string
		for _, c := range strings.Split(cols, ",") {
			row = append(row, map[string]string{"TARGET": mt.Target, "SOURCE": mt.Source, "FSTYPE": mt.Vol.FSType, "OPTIONS": strings.Join(mt.Options, ",")}[strings.ToUpper(c)])
		}
		p.Printf("%s\n", strings.Join(row, " "))
	}
	return st
}

// unshare knows -m: the mounts that the command makes are gone when it ends. Processes beside it see them
// meanwhile, which a real mount namespace would hide.
func (m *Machine) unshare(p *kernel.Proc) int {
	if len(p.Args) < 3 || p.Args[1] != "-m" || strings.HasPrefix(p.Args[2], "-") {
		p.Errorf("unshare: unrecognized option (not supported by the embedded guest)\n")
		return 1
	}
	if p.Cred.UID != 0 {
		p.Errorf("unshare: unshare failed: Operation not permitted\n")
		return 1
	}
	before := len(m.FS.Mounts())
	st := p.Run(p.Args[2:], nil)
	for all := m.FS.Mounts(); len(all) > before; all = m.FS.Mounts() {
		if m.FS.Unmount(all[len(all)-1].Target) != nil {
			break
		}
	}
	return st
}
