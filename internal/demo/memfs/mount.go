package memfs

import (
	"io/fs"
	"path"
	"strings"
)

// Volume is a file system that can be mounted: a disk, a tmpfs, an ISO image, a shared folder.
type Volume struct {
	// Source is the device or share name, FSType what /proc/mounts calls it.
	Source, FSType string
	// Size is the capacity in bytes and Inodes the number of files; zero is unlimited.
	Size, Inodes int64
	ReadOnly     bool
	NoExec       bool
	// ForceOwner gives every file UID and GID, as vboxsf does.
	ForceOwner bool
	UID, GID   int

	root   *node
	used   int64
	inodes int64
}

func (v *Volume) free() int64 {
	if v.Size == 0 {
		return 1 << 40
	}
	return max(0, v.Size-v.used)
}

func (v *Volume) room(bytes, inodes int64) bool {
	return v.free() >= bytes && (bytes == 0 || v.free() > 0) && (v.Inodes == 0 || v.inodes+inodes <= v.Inodes)
}

// Mount is one line of /proc/mounts.
type Mount struct {
	Source, Target string
	Options        []string
	Vol            *Volume
	dir            *node
}

// Usage is what df shows of a volume, in bytes and inodes.
type Usage struct {
	Size, Used, Free               int64
	Inodes, InodesUsed, InodesFree int64
}

// Mount puts vol over the directory target. Who may mount is for the caller to decide.
func (f *FS) Mount(vol *Volume, source, target string, opts []string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	pl, err := f.find(Root, "mount", target, true)
	if err != nil {
		return err
	}
	if !pl.n.mode.IsDir() {
		return pathErr("mount", target, ENOTDIR)
	}
	if vol.root == nil {
		vol.root = f.newNode("/", fs.ModeDir|0o755, Root, vol)
	}
	dir := f.covered(pl)
	dir.mounted = append(dir.mounted, vol.root)
	f.mounts = append(f.mounts, &Mount{Source: source, Target: pl.path, Options: opts, Vol: vol, dir: dir})
	return nil
}

// Bind shows the directory src also at target.
func (f *FS) Bind(src, target string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	from, err := f.find(Root, "mount", src, true)
	if err != nil {
		return err
	}
	to, err := f.find(Root, "mount", target, true)
	if err != nil {
		return err
	}
	if !from.n.mode.IsDir() || !to.n.mode.IsDir() {
		return pathErr("mount", target, ENOTDIR)
	}
	dir := f.covered(to)
	dir.mounted = append(dir.mounted, from.n)
	f.mounts = append(f.mounts, &Mount{Source: from.n.vol.Source, Target: to.path, Options: []string{"rw", "relatime"}, Vol: from.n.vol, dir: dir})
	return nil
}

// covered is the directory that lies below the mounts at pl.
func (f *FS) covered(pl place) *node {
	if pl.name == "." {
		return f.root
	}
	return pl.dir.kids[pl.name]
}

// Unmount takes the newest mount at target off.
func (f *FS) Unmount(target string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	pl, err := f.find(Root, "umount", target, true)
	if err != nil {
		return err
	}
	for i := len(f.mounts) - 1; i > 0; i-- {
		if m := f.mounts[i]; m.Target == pl.path {
			if f.busyBelow(m) {
				return pathErr("umount", target, EBUSY)
			}
			m.dir.mounted = m.dir.mounted[:len(m.dir.mounted)-1]
			f.mounts = append(f.mounts[:i:i], f.mounts[i+1:]...)
			return nil
		}
	}
	return pathErr("umount", target, EINVAL)
}

func (f *FS) busyBelow(m *Mount) bool {
	for _, o := range f.mounts {
		if o != m && strings.HasPrefix(o.Target, m.Target+"/") {
			return true
		}
	}
	return false
}

// Mounts is the mount table in order of mounting.
func (f *FS) Mounts() []Mount {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]Mount, len(f.mounts))
	for i, m := range f.mounts {
		out[i] = *m
	}
	return out
}

// MountAt is the mount that holds what p leads to, or the nearest existing directory above it.
func (f *FS) MountAt(c Cred, p string) Mount {
	f.mu.Lock()
	defer f.mu.Unlock()
	for pl, err := f.walk(c, p, true); ; pl, err = f.walk(c, p, true) {
		if err == nil && pl.n != nil {
			return f.holding(pl.n.vol, pl.path)
		}
		if p = path.Dir(p); p == "/" || p == "." {
			return *f.mounts[0]
		}
	}
}

func (f *FS) holding(vol *Volume, p string) Mount {
	best := f.mounts[0]
	for _, m := range f.mounts {
		under := m.Target == p || m.Target == "/" || strings.HasPrefix(p, m.Target+"/")
		if m.Vol == vol && under {
			best = m
		}
	}
	return *best
}

// Usage measures a volume. An unlimited volume is shown as 40 GiB.
func (f *FS) Usage(v *Volume) Usage {
	f.mu.Lock()
	defer f.mu.Unlock()
	size := v.Size
	if size == 0 {
		size = 40 << 30
	}
	u := Usage{Size: size, Used: v.used, Free: max(0, size-v.used), Inodes: v.Inodes, InodesUsed: v.inodes}
	u.InodesFree = max(0, v.Inodes-v.inodes)
	return u
}

// Fill counts bytes as used without storing them: a disk that is full of something else.
func (f *FS) Fill(v *Volume, bytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v.used += bytes
}

// Populate fills a volume that is not mounted with files: absolute path inside of it to content.
func (f *FS) Populate(vol *Volume, files map[string]string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if vol.root == nil {
		vol.root = f.newNode("/", fs.ModeDir|0o755, Root, vol)
	}
	for name, content := range files {
		dir := vol.root
		parts := split(name)
		for _, part := range parts[:len(parts)-1] {
			if dir.kids[part] == nil {
				dir.kids[part] = f.newNode(part, fs.ModeDir|0o755, Root, vol)
			}
			dir = dir.kids[part]
		}
		base := parts[len(parts)-1]
		n := f.newNode(base, 0o755, Root, vol)
		n.data = []byte(content)
		vol.used += int64(len(content))
		dir.kids[base] = n
	}
	return nil
}

// Adopt gives every file of a volume with ForceOwner its owner.
func (f *FS) Adopt(vol *Volume) {
	f.mu.Lock()
	defer f.mu.Unlock()
	vol.root.adopt()
}

func (n *node) adopt() {
	n.uid, n.gid = n.vol.UID, n.vol.GID
	for _, k := range n.kids {
		k.adopt()
	}
}
