// Package memfs is a file tree in memory that behaves as Linux does: owners and permission bits, symbolic
// links, mounted volumes with a size limit, generated files as in /proc. It never touches the real machine.
// Paths are absolute and use slashes; every operation names the user who makes it. Safe for concurrent use.
package memfs

import (
	"io"
	"io/fs"
	"path"
	"sort"
	"strings"
	"sync"
	"time"
)

// maxLinks bounds how many symbolic links one path may pass through, as Linux does.
const maxLinks = 40

// Cred is who makes an operation.
type Cred struct {
	UID, GID int
	// Groups are the supplementary groups.
	Groups []int
}

// Root is the super-user: permission bits do not bind it.
var Root = Cred{}

func (c Cred) inGroup(gid int) bool {
	if c.GID == gid {
		return true
	}
	for _, g := range c.Groups {
		if g == gid {
			return true
		}
	}
	return false
}

// Access bits of FS.Access.
const (
	Exec  = 1
	Write = 2
	Read  = 4
)

type node struct {
	name     string
	mode     fs.FileMode // type bits and permissions
	uid, gid int
	mtime    time.Time
	ino      int
	data     []byte
	target   string           // symbolic link
	kids     map[string]*node // directory
	vol      *Volume
	gen      func() []byte                   // generated content
	put      func(c Cred, data []byte) error // what a write to a generated file does; nil refuses it
	dev      Device
	lookup   func(name string) map[string]func() []byte
	mounted  []*node // roots mounted over this directory, the last one is seen
}

// Device is the behaviour of a device file.
type Device interface {
	Read(p []byte) (int, error)
	Write(p []byte) (int, error)
}

// FS is one tree. The zero value is not usable; see New.
type FS struct {
	mu     sync.Mutex
	root   *node
	now    func() time.Time
	ino    int
	mounts []*Mount
}

// New returns a tree with an empty root directory on vol. now gives modification times.
func New(vol *Volume, now func() time.Time) *FS {
	f := &FS{now: now}
	f.root = f.newNode("/", fs.ModeDir|0o755, Root, vol)
	vol.root = f.root
	f.mounts = []*Mount{{Source: vol.Source, Target: "/", Vol: vol, dir: nil}}
	return f
}

func (f *FS) newNode(name string, mode fs.FileMode, c Cred, vol *Volume) *node {
	f.ino++
	n := &node{name: name, mode: mode, uid: c.UID, gid: c.GID, mtime: f.now(), ino: f.ino, vol: vol}
	if mode.IsDir() {
		n.kids = map[string]*node{}
	}
	if vol.ForceOwner {
		n.uid, n.gid = vol.UID, vol.GID
	}
	return n
}

// place is where a path leads: the directory, the last name, and the node there or nil.
type place struct {
	dir  *node
	name string
	n    *node
	path string
}

func pathErr(op, p string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: p, Err: err}
}

func (n *node) top() *node {
	if k := len(n.mounted); k > 0 {
		return n.mounted[k-1]
	}
	return n
}

// may reports whether c has the access bits want on n.
func (n *node) may(c Cred, want int) bool {
	perm := int(n.mode.Perm())
	if c.UID == 0 {
		return want&Exec == 0 || n.mode.IsDir() || perm&0o111 != 0
	}
	switch {
	case c.UID == n.uid:
		perm >>= 6
	case c.inGroup(n.gid):
		perm >>= 3
	}
	return perm&want == want
}

// walker resolves one path. stack holds the directories from the root, names their names.
type walker struct {
	c     Cred
	stack []*node
	names []string
	left  int
}

// walk resolves p. The last component may be missing: then place.n is nil and place.dir is its directory.
func (f *FS) walk(c Cred, p string, follow bool) (place, error) {
	if !strings.HasPrefix(p, "/") {
		return place{}, ENOENT
	}
	w := &walker{c: c, stack: []*node{f.root.top()}, left: maxLinks}
	follow = follow || strings.HasSuffix(p, "/")
	pl, err := w.follow(p, follow)
	if err == nil && pl.n != nil && strings.HasSuffix(p, "/") && !pl.n.mode.IsDir() {
		return pl, ENOTDIR
	}
	return pl, err
}

func split(p string) []string {
	var out []string
	for _, s := range strings.Split(p, "/") {
		if s != "" && s != "." {
			out = append(out, s)
		}
	}
	return out
}

func (w *walker) cur() *node { return w.stack[len(w.stack)-1] }

func (w *walker) here() place {
	n := w.cur()
	pl := place{dir: n, name: ".", n: n, path: "/" + strings.Join(w.names, "/")}
	if k := len(w.stack); k > 1 {
		pl.dir, pl.name = w.stack[k-2], w.names[k-2]
	}
	return pl
}

func (w *walker) follow(p string, followLast bool) (place, error) {
	if strings.HasPrefix(p, "/") {
		w.stack, w.names = w.stack[:1], nil
	}
	parts := split(p)
	for i, part := range parts {
		last := i == len(parts)-1
		dir := w.cur()
		if !dir.mode.IsDir() {
			return place{}, ENOTDIR
		}
		if !dir.may(w.c, Exec) {
			return place{}, EACCES
		}
		if part == ".." {
			w.up()
			continue
		}
		pl, done, err := w.step(dir, part, last, followLast)
		if err != nil || done {
			return pl, err
		}
	}
	return w.here(), nil
}

func (w *walker) up() {
	if k := len(w.stack); k > 1 {
		w.stack, w.names = w.stack[:k-1], w.names[:k-2]
	}
}

// step enters one component; done says that pl is the final answer.
func (w *walker) step(dir *node, part string, last, followLast bool) (pl place, done bool, err error) {
	n := dir.kids[part]
	if n == nil && dir.lookup != nil {
		n = dir.dynamic(part)
	}
	full := path.Join("/", strings.Join(w.names, "/"), part)
	if n == nil {
		if last {
			return place{dir: dir, name: part, path: full}, true, nil
		}
		return place{}, true, ENOENT
	}
	if n.mode&fs.ModeSymlink != 0 && (!last || followLast) {
		if w.left--; w.left < 0 {
			return place{}, true, ELOOP
		}
		pl, err := w.follow(n.target, true)
		if err != nil || pl.n == nil {
			if err == nil && !last {
				err = ENOENT
			}
			return pl, true, err
		}
		if !last && !pl.n.mode.IsDir() {
			return pl, true, ENOTDIR
		}
		return pl, last, nil
	}
	if last && !n.mode.IsDir() {
		return place{dir: dir, name: part, n: n, path: full}, true, nil
	}
	w.stack, w.names = append(w.stack, n.top()), append(w.names, part)
	return place{}, false, nil
}

// find is walk for a path that must exist.
func (f *FS) find(c Cred, op, p string, follow bool) (place, error) {
	pl, err := f.walk(c, p, follow)
	if err == nil && pl.n == nil {
		err = ENOENT
	}
	return pl, pathErr(op, p, err)
}

// Stat describes what p leads to; Lstat does not follow a link in the last place.
func (f *FS) Stat(c Cred, p string) (*Info, error) { return f.stat(c, "stat", p, true) }

// Lstat describes p itself.
func (f *FS) Lstat(c Cred, p string) (*Info, error) { return f.stat(c, "lstat", p, false) }

func (f *FS) stat(c Cred, op, p string, follow bool) (*Info, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	pl, err := f.find(c, op, p, follow)
	if err != nil {
		return nil, err
	}
	return pl.n.info(path.Base(pl.path)), nil
}

// ReadDir lists a directory, sorted by name.
func (f *FS) ReadDir(c Cred, p string) ([]*Info, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	pl, err := f.find(c, "open", p, true)
	if err != nil {
		return nil, err
	}
	if !pl.n.mode.IsDir() {
		return nil, pathErr("readdir", p, ENOTDIR)
	}
	if !pl.n.may(c, Read) {
		return nil, pathErr("open", p, EACCES)
	}
	out := make([]*Info, 0, len(pl.n.kids))
	for name, k := range pl.n.kids {
		out = append(out, k.top().info(name))
	}
	sort.Slice(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out, nil
}

// Readlink is the text of a symbolic link.
func (f *FS) Readlink(c Cred, p string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	pl, err := f.find(c, "readlink", p, false)
	if err != nil {
		return "", err
	}
	if pl.n.mode&fs.ModeSymlink == 0 {
		return "", pathErr("readlink", p, EINVAL)
	}
	return pl.n.target, nil
}

// Realpath is the path without links. With missingOK the last component need not exist.
func (f *FS) Realpath(c Cred, p string, missingOK bool) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	pl, err := f.walk(c, p, true)
	if err == nil && pl.n == nil && !missingOK {
		err = ENOENT
	}
	return pl.path, pathErr("realpath", p, err)
}

// Access tells whether c has the access bits want on what p leads to.
func (f *FS) Access(c Cred, p string, want int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	pl, err := f.find(c, "access", p, true)
	if err != nil {
		return err
	}
	if want&Write != 0 && pl.n.vol.ReadOnly && pl.n.dev == nil {
		return pathErr("access", p, EROFS)
	}
	if !pl.n.may(c, want) {
		return pathErr("access", p, EACCES)
	}
	return nil
}

// ReadFile returns the whole content of a file.
func (f *FS) ReadFile(c Cred, p string) ([]byte, error) {
	h, err := f.Open(c, p, ORead, 0)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(h)
}

// Dynamic gives a directory entries that are not stored: lookup returns the generated files of the folder with
// that name, or nil when there is none (/proc/PID). They are found by name and not listed.
func (f *FS) Dynamic(dir string, lookup func(name string) map[string]func() []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	pl, err := f.find(Root, "open", dir, true)
	if err == nil {
		pl.n.lookup = lookup
	}
	return err
}

func (n *node) dynamic(name string) *node {
	files := n.lookup(name)
	if files == nil {
		return nil
	}
	d := &node{name: name, mode: fs.ModeDir | 0o555, vol: n.vol, kids: map[string]*node{}}
	for k, gen := range files {
		d.kids[k] = &node{name: k, mode: 0o444, vol: n.vol, gen: gen}
	}
	return d
}
