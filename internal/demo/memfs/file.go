package memfs

import (
	"io"
	"io/fs"
	"path"
	"time"
)

// Flags of Open; they are bits of our own, so that no system's numbers get in.
const (
	ORead = 1 << iota
	OWrite
	OAppend
	OCreate
	OExcl
	OTrunc
)

// Info describes one file; it is an fs.FileInfo.
type Info struct {
	name     string
	size     int64
	mode     fs.FileMode
	mtime    time.Time
	UID, GID int
	Ino      int
	Nlink    int
	// Vol is the volume that holds the file.
	Vol *Volume
}

// Name is the base name.
func (i *Info) Name() string { return i.name }

// Size is the length in bytes.
func (i *Info) Size() int64 { return i.size }

// Mode is type and permissions.
func (i *Info) Mode() fs.FileMode { return i.mode }

// ModTime is the modification time.
func (i *Info) ModTime() time.Time { return i.mtime }

// IsDir tells a directory.
func (i *Info) IsDir() bool { return i.mode.IsDir() }

// Sys is the Info itself.
func (i *Info) Sys() any { return i }

// Uid and Gid let pkg/sftp's listings show the owner (its FileInfoUidGid interface).
func (i *Info) Uid() uint32 { return uint32(i.UID) } //nolint:revive // the name is pkg/sftp's

// Gid is the group.
func (i *Info) Gid() uint32 { return uint32(i.GID) } //nolint:revive // the name is pkg/sftp's

func (n *node) info(name string) *Info {
	in := &Info{name: name, mode: n.mode, mtime: n.mtime, UID: n.uid, GID: n.gid, Ino: n.ino, Nlink: 1, Vol: n.vol}
	switch {
	case n.mode.IsDir():
		in.size, in.Nlink = 4096, 2
		for _, k := range n.kids {
			if k.mode.IsDir() {
				in.Nlink++
			}
		}
	case n.mode&fs.ModeSymlink != 0:
		in.size = int64(len(n.target))
	case n.gen == nil:
		in.size = int64(len(n.data))
	}
	return in
}

var _ fs.FileInfo = (*Info)(nil)

// File is an open file with a position. Not safe for concurrent use of one File; several Files are.
type File struct {
	fs     *FS
	n      *node
	path   string
	cred   Cred
	flag   int
	off    int64
	static []byte // content of a generated file, taken at opening
}

// Open opens what p leads to. perm is used when OCreate makes it.
func (f *FS) Open(c Cred, p string, flag int, perm fs.FileMode) (*File, error) {
	f.mu.Lock()
	n, full, err := f.openNode(c, p, flag, perm)
	f.mu.Unlock()
	if err != nil {
		return nil, pathErr("open", p, unwrap(err))
	}
	h := &File{fs: f, n: n, path: full, cred: c, flag: flag}
	if n.gen != nil && flag&ORead != 0 {
		h.static = n.gen()
	}
	return h, nil
}

func unwrap(err error) error {
	if pe, ok := err.(*fs.PathError); ok {
		return pe.Err
	}
	return err
}

func (f *FS) openNode(c Cred, p string, flag int, perm fs.FileMode) (*node, string, error) {
	pl, err := f.walk(c, p, true)
	if err != nil {
		return nil, "", err
	}
	if pl.n == nil {
		if flag&OCreate == 0 {
			return nil, "", ENOENT
		}
		n, err := f.create(c, "open", pl.path, perm.Perm(), false)
		return n, pl.path, err
	}
	if flag&OCreate != 0 && flag&OExcl != 0 {
		return nil, "", EEXIST
	}
	if err := openOK(c, pl.n, flag); err != nil {
		return nil, "", err
	}
	if flag&OTrunc != 0 && flag&OWrite != 0 && pl.n.gen == nil && pl.n.dev == nil {
		f.resize(pl.n, 0)
	}
	return pl.n, pl.path, nil
}

func openOK(c Cred, n *node, flag int) error {
	want := 0
	if flag&ORead != 0 {
		want |= Read
	}
	if flag&OWrite != 0 {
		want |= Write
	}
	switch {
	case flag&OWrite != 0 && n.mode.IsDir():
		return EISDIR
	case !n.may(c, want):
		return EACCES
	case flag&OWrite != 0 && n.vol.ReadOnly && n.dev == nil:
		return EROFS
	case flag&OWrite != 0 && n.gen != nil && n.put == nil:
		return EACCES
	}
	return nil
}

func (f *FS) resize(n *node, size int) bool {
	grow := int64(size - len(n.data))
	if grow > 0 && !n.vol.room(grow, 0) {
		return false
	}
	n.vol.used += grow
	if grow > 0 {
		n.data = append(n.data, make([]byte, grow)...)
	} else {
		n.data = n.data[:size]
	}
	n.mtime = f.now()
	return true
}

// Info describes the open file.
func (h *File) Info() *Info {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	return h.n.info(path.Base(h.path))
}

// Path is where the file was when it was opened, without links.
func (h *File) Path() string { return h.path }

// Dup opens the same file again from the start (what /dev/fd does).
func (h *File) Dup() *File { d := *h; return &d }

// Read reads from the position.
func (h *File) Read(p []byte) (int, error) {
	n, err := h.ReadAt(p, h.off)
	h.off += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

// ReadAt reads from an offset.
func (h *File) ReadAt(p []byte, off int64) (int, error) {
	if h.flag&ORead == 0 {
		return 0, EBADF
	}
	if h.n.dev != nil {
		return h.n.dev.Read(p)
	}
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if h.n.mode.IsDir() {
		return 0, EISDIR
	}
	src := h.n.data
	if h.n.gen != nil {
		src = h.static
	}
	if off >= int64(len(src)) {
		return 0, io.EOF
	}
	n := copy(p, src[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Write writes at the position, or at the end with OAppend.
func (h *File) Write(p []byte) (int, error) {
	if h.flag&OAppend != 0 && h.n.dev == nil {
		h.fs.mu.Lock()
		h.off = int64(len(h.n.data))
		h.fs.mu.Unlock()
	}
	n, err := h.WriteAt(p, h.off)
	h.off += int64(n)
	return n, err
}

// WriteAt writes at an offset; a gap before it is filled with zeros.
func (h *File) WriteAt(p []byte, off int64) (int, error) {
	switch {
	case h.flag&OWrite == 0:
		return 0, EBADF
	case h.n.dev != nil:
		return h.n.dev.Write(p)
	case h.n.gen != nil:
		return len(p), h.n.put(h.cred, p)
	}
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if end := int(off) + len(p); end > len(h.n.data) {
		if !h.fs.resize(h.n, end) {
			return h.partly(p, off), ENOSPC
		}
	}
	h.n.mtime = h.fs.now()
	return copy(h.n.data[off:], p), nil
}

// partly writes what still fits on a full volume, as a real disk does.
func (h *File) partly(p []byte, off int64) int {
	fit := h.n.vol.free()
	if end := min(int64(len(h.n.data))+fit, off+int64(len(p))); end > off {
		h.fs.resize(h.n, int(end))
		return copy(h.n.data[off:], p)
	}
	return 0
}

// Truncate sets the length.
func (h *File) Truncate(size int64) error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if !h.fs.resize(h.n, int(size)) {
		return ENOSPC
	}
	return nil
}

// Close does nothing: a file of the tree holds no resource.
func (h *File) Close() error { return nil }

// NullDevice is /dev/null.
type NullDevice struct{}

// Read is at the end at once.
func (NullDevice) Read([]byte) (int, error) { return 0, io.EOF }

// Write swallows.
func (NullDevice) Write(p []byte) (int, error) { return len(p), nil }

// FuncDevice reads by a function and swallows writes (/dev/zero, /dev/urandom).
type FuncDevice func(p []byte) (int, error)

// Read fills p.
func (f FuncDevice) Read(p []byte) (int, error) { return f(p) }

// Write swallows.
func (f FuncDevice) Write(p []byte) (int, error) { return len(p), nil }
