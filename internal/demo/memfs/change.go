package memfs

import (
	"io/fs"
	"path"
	"time"
)

// parentFor resolves the directory in which p is to be made, removed or renamed, and checks that c may.
func (f *FS) parentFor(c Cred, op, p string, follow bool) (place, error) {
	pl, err := f.walk(c, p, follow)
	switch {
	case err != nil:
	case pl.dir == nil || pl.name == ".":
		err = EBUSY
	case !pl.dir.mode.IsDir():
		err = ENOTDIR
	case !pl.dir.may(c, Write|Exec):
		err = EACCES
	case pl.dir.vol.ReadOnly:
		err = EROFS
	case pl.n != nil && !stickyOK(c, pl):
		err = EPERM
	}
	return pl, pathErr(op, p, err)
}

func stickyOK(c Cred, pl place) bool {
	return pl.dir.mode&fs.ModeSticky == 0 || c.UID == 0 || c.UID == pl.n.uid || c.UID == pl.dir.uid
}

func (f *FS) attach(pl place, n *node) {
	n.name = pl.name
	pl.dir.kids[pl.name] = n
	pl.dir.mtime = f.now()
}

func (f *FS) create(c Cred, op, p string, mode fs.FileMode, follow bool) (*node, error) {
	pl, err := f.walk(c, p, follow)
	if err == nil && pl.n != nil {
		return nil, pathErr(op, p, EEXIST)
	}
	pl, err = f.parentFor(c, op, p, follow)
	if err != nil {
		return nil, err
	}
	if !pl.dir.vol.room(0, 1) {
		return nil, pathErr(op, p, ENOSPC)
	}
	n := f.newNode(pl.name, mode, c, pl.dir.vol)
	if pl.dir.mode&fs.ModeSetgid != 0 {
		n.gid = pl.dir.gid
	}
	n.vol.inodes++
	f.attach(pl, n)
	return n, nil
}

// Mkdir makes one directory.
func (f *FS) Mkdir(c Cred, p string, perm fs.FileMode) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err := f.create(c, "mkdir", p, fs.ModeDir|perm, false)
	return err
}

// MkdirAll makes a directory and its parents with perm.
func (f *FS) MkdirAll(c Cred, p string, perm fs.FileMode) error {
	if in, err := f.Stat(c, p); err == nil {
		if !in.IsDir() {
			return pathErr("mkdir", p, ENOTDIR)
		}
		return nil
	}
	if up := path.Dir(path.Clean(p)); up != p && up != "/" {
		if err := f.MkdirAll(c, up, perm); err != nil {
			return err
		}
	}
	return f.Mkdir(c, p, perm)
}

// Symlink makes a symbolic link at p.
func (f *FS) Symlink(c Cred, target, p string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.create(c, "symlink", p, fs.ModeSymlink|0o777, false)
	if err == nil {
		n.target = target
	}
	return err
}

// Remove unlinks a file or removes an empty directory.
func (f *FS) Remove(c Cred, p string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if pl, err := f.walk(c, p, false); err == nil && pl.n == nil {
		return pathErr("remove", p, ENOENT)
	}
	pl, err := f.parentFor(c, "remove", p, false)
	if err != nil {
		return err
	}
	if kid := pl.dir.kids[pl.name]; kid != nil && len(kid.mounted) > 0 {
		return pathErr("remove", p, EBUSY)
	}
	if len(pl.n.kids) > 0 {
		return pathErr("remove", p, ENOTEMPTY)
	}
	f.drop(pl)
	return nil
}

func (f *FS) drop(pl place) {
	delete(pl.dir.kids, pl.name)
	pl.dir.mtime = f.now()
	pl.n.vol.used -= int64(len(pl.n.data))
	pl.n.vol.inodes--
}

// RemoveAll removes p and everything below it; a missing p is no error.
func (f *FS) RemoveAll(c Cred, p string) error {
	in, err := f.Lstat(c, p)
	if err != nil {
		return nil
	}
	if in.IsDir() {
		kids, err := f.ReadDir(c, p)
		if err != nil {
			return err
		}
		for _, k := range kids {
			if err := f.RemoveAll(c, path.Join(p, k.Name())); err != nil {
				return err
			}
		}
	}
	return f.Remove(c, p)
}

// Rename moves from to to, replacing a file or an empty directory there.
func (f *FS) Rename(c Cred, from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	src, err := f.parentFor(c, "rename", from, false)
	if err == nil && src.n == nil {
		err = pathErr("rename", from, ENOENT)
	}
	if err != nil {
		return err
	}
	dst, err := f.parentFor(c, "rename", to, false)
	if err != nil {
		return err
	}
	if err := renameOK(src, dst); err != nil {
		return pathErr("rename", to, err)
	}
	if dst.n == src.n {
		return nil
	}
	if dst.n != nil {
		f.drop(dst)
	}
	delete(src.dir.kids, src.name)
	src.dir.mtime = f.now()
	f.attach(dst, src.n)
	return nil
}

func renameOK(src, dst place) error {
	switch {
	case src.dir.vol != dst.dir.vol || len(src.dir.kids[src.name].mounted) > 0:
		return EXDEV
	case dst.n == nil:
	case dst.n.mode.IsDir() && !src.n.mode.IsDir():
		return EISDIR
	case !dst.n.mode.IsDir() && src.n.mode.IsDir():
		return ENOTDIR
	case dst.n != src.n && len(dst.n.kids) > 0:
		return ENOTEMPTY
	}
	for d := dst.path; d != "/"; d = path.Dir(d) {
		if d == src.path && dst.path != src.path {
			return EINVAL // a directory into itself
		}
	}
	return nil
}

// change runs do on what p leads to when c owns it or is root.
func (f *FS) change(c Cred, op, p string, follow bool, do func(*node) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	pl, err := f.find(c, op, p, follow)
	if err != nil {
		return err
	}
	if pl.n.vol.ReadOnly {
		return pathErr(op, p, EROFS)
	}
	if c.UID != 0 && c.UID != pl.n.uid {
		return pathErr(op, p, EPERM)
	}
	return pathErr(op, p, do(pl.n))
}

const permBits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// Chmod sets the permission bits, including set-uid, set-gid and sticky.
func (f *FS) Chmod(c Cred, p string, mode fs.FileMode) error {
	return f.change(c, "chmod", p, true, func(n *node) error {
		n.mode = n.mode&^permBits | mode&permBits
		return nil
	})
}

// Chown sets the owner and group; -1 keeps one. Only root may change the owner.
func (f *FS) Chown(c Cred, p string, uid, gid int, follow bool) error {
	return f.change(c, "chown", p, follow, func(n *node) error {
		if c.UID != 0 && (uid >= 0 && uid != n.uid || gid >= 0 && !c.inGroup(gid)) {
			return EPERM
		}
		if n.vol.ForceOwner {
			return nil
		}
		if uid >= 0 {
			n.uid = uid
		}
		if gid >= 0 {
			n.gid = gid
		}
		return nil
	})
}

// Chtimes sets the modification time.
func (f *FS) Chtimes(c Cred, p string, t time.Time) error {
	return f.change(c, "utimes", p, true, func(n *node) error { n.mtime = t; return nil })
}

// WriteFile replaces the content of p, making it with perm where it is missing.
func (f *FS) WriteFile(c Cred, p string, data []byte, perm fs.FileMode) error {
	h, err := f.Open(c, p, OWrite|OCreate|OTrunc, perm)
	if err != nil {
		return err
	}
	_, err = h.Write(data)
	return err
}

// Generate makes a file whose content gen gives at every opening. put, when not nil, gets what is written.
func (f *FS) Generate(p string, perm fs.FileMode, gen func() []byte, put func(c Cred, data []byte) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.create(Root, "mknod", p, perm, false)
	if err == nil {
		n.gen, n.put = gen, put
	}
	return err
}

// Mknod makes a character device.
func (f *FS) Mknod(p string, perm fs.FileMode, dev Device) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.create(Root, "mknod", p, fs.ModeDevice|fs.ModeCharDevice|perm, false)
	if err == nil {
		n.dev = dev
	}
	return err
}
