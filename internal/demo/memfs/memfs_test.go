package memfs_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/demo/memfs"
)

var user = memfs.Cred{UID: 500, GID: 500, Groups: []int{10}}

func tree(t *testing.T) *memfs.FS {
	t.Helper()
	f := memfs.New(&memfs.Volume{Source: "/dev/sda1", FSType: "ext4", Size: 1 << 20, Inodes: 1000}, time.Now)
	must(t, f.MkdirAll(memfs.Root, "/home/u/sub", 0o755))
	must(t, f.Chown(memfs.Root, "/home/u", 500, 500, true))
	must(t, f.Mkdir(memfs.Root, "/secret", 0o700))
	must(t, f.WriteFile(memfs.Root, "/secret/key", []byte("k"), 0o644))
	must(t, f.Mkdir(memfs.Root, "/tmp", 0o777))
	must(t, f.Chmod(memfs.Root, "/tmp", 0o777|fs.ModeSticky))
	must(t, f.WriteFile(memfs.Root, "/etc-file", []byte("text\n"), 0o644))
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestPermissionsBindTheUserAndNotRoot: each operation as the user fails with the errno that Linux gives.
func TestPermissionsBindTheUserAndNotRoot(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(f *memfs.FS, c memfs.Cred) error
		want error
		root error // what root gets
	}{
		"look into 0700":   {func(f *memfs.FS, c memfs.Cred) error { _, err := f.Stat(c, "/secret/key"); return err }, memfs.EACCES, nil},
		"list 0700":        {func(f *memfs.FS, c memfs.Cred) error { _, err := f.ReadDir(c, "/secret"); return err }, memfs.EACCES, nil},
		"read below 0700":  {func(f *memfs.FS, c memfs.Cred) error { _, err := f.ReadFile(c, "/secret/key"); return err }, memfs.EACCES, nil},
		"write a 0644":     {func(f *memfs.FS, c memfs.Cred) error { return f.WriteFile(c, "/etc-file", nil, 0) }, memfs.EACCES, nil},
		"create in /":      {func(f *memfs.FS, c memfs.Cred) error { return f.Mkdir(c, "/new", 0o755) }, memfs.EACCES, nil},
		"remove from /":    {func(f *memfs.FS, c memfs.Cred) error { return f.Remove(c, "/etc-file") }, memfs.EACCES, nil},
		"chmod a stranger": {func(f *memfs.FS, c memfs.Cred) error { return f.Chmod(c, "/etc-file", 0o777) }, memfs.EPERM, nil},
		"give away":        {func(f *memfs.FS, c memfs.Cred) error { return f.Chown(c, "/home/u", 0, -1, true) }, memfs.EPERM, nil},
		"own folder":       {func(f *memfs.FS, c memfs.Cred) error { return f.WriteFile(c, "/home/u/x", []byte("1"), 0o600) }, nil, nil},
		"own group":        {func(f *memfs.FS, c memfs.Cred) error { return f.Chown(c, "/home/u", -1, 10, true) }, nil, nil},
		"a missing folder": {func(f *memfs.FS, c memfs.Cred) error { return f.WriteFile(c, "/none/x", nil, 0o600) }, memfs.ENOENT, memfs.ENOENT},
		"a file as folder": {func(f *memfs.FS, c memfs.Cred) error { _, err := f.Stat(c, "/etc-file/x"); return err }, memfs.ENOTDIR, memfs.ENOTDIR},
		"a folder as file": {func(f *memfs.FS, c memfs.Cred) error { return f.WriteFile(c, "/tmp", nil, 0) }, memfs.EISDIR, memfs.EISDIR},
		"a full folder":    {func(f *memfs.FS, c memfs.Cred) error { return f.Remove(memfs.Root, "/home/u") }, memfs.ENOTEMPTY, memfs.ENOTEMPTY},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.do(tree(t), user); !errors.Is(err, c.want) {
				t.Errorf("as the user: %v, want %v", err, c.want)
			}
			if err := c.do(tree(t), memfs.Root); !errors.Is(err, c.root) {
				t.Errorf("as root: %v, want %v", err, c.root)
			}
		})
	}
}

func TestStickyFolder(t *testing.T) {
	f := tree(t)
	must(t, f.WriteFile(memfs.Root, "/tmp/root", nil, 0o666))
	must(t, f.WriteFile(user, "/tmp/mine", nil, 0o600))
	if err := f.Remove(user, "/tmp/root"); !errors.Is(err, memfs.EPERM) {
		t.Errorf("a user removed root's file from a sticky folder: %v", err)
	}
	if err := f.Rename(user, "/tmp/root", "/tmp/other"); !errors.Is(err, memfs.EPERM) {
		t.Errorf("a user renamed root's file in a sticky folder: %v", err)
	}
	must(t, f.Remove(user, "/tmp/mine"))
}

func TestLinks(t *testing.T) {
	f := tree(t)
	must(t, f.Symlink(memfs.Root, "u/sub", "/home/link"))
	must(t, f.Symlink(memfs.Root, "nowhere", "/dangling"))
	must(t, f.Symlink(memfs.Root, "loop", "/loop"))
	must(t, f.Symlink(memfs.Root, "etc-file", "/f"))
	for path, want := range map[string]string{"/home/link/../x": "/home/u/x", "/home/link": "/home/u/sub", "/home/./u//sub/": "/home/u/sub", "/dangling": "/nowhere", "/../f": "/etc-file"} {
		if got, err := f.Realpath(memfs.Root, path, true); err != nil || got != want {
			t.Errorf("Realpath(%s) = %q, %v; want %q", path, got, err, want)
		}
	}
	if _, err := f.Realpath(memfs.Root, "/dangling", false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a dangling link resolves: %v", err)
	}
	if _, err := f.Stat(memfs.Root, "/loop"); !errors.Is(err, memfs.ELOOP) {
		t.Errorf("loop: %v", err)
	}
	if _, err := f.Stat(memfs.Root, "/f/x"); !errors.Is(err, memfs.ENOTDIR) {
		t.Errorf("a link to a file as folder: %v", err)
	}
	must(t, f.WriteFile(memfs.Root, "/dangling", []byte("made"), 0o600))
	if b, err := f.ReadFile(memfs.Root, "/nowhere"); err != nil || string(b) != "made" {
		t.Errorf("writing through a dangling link: %q, %v", b, err)
	}
	must(t, f.Remove(memfs.Root, "/home/link"))
	if _, err := f.Stat(memfs.Root, "/home/u/sub"); err != nil {
		t.Errorf("removing a link removed its target: %v", err)
	}
}

// TestRoomIsCounted: a volume takes what it holds, writes what still fits, and gets the room back.
func TestRoomIsCounted(t *testing.T) {
	f := tree(t)
	vol := &memfs.Volume{Source: "tmpfs", FSType: "tmpfs", Size: 1000, Inodes: 3}
	must(t, f.Mount(vol, "tmpfs", "/tmp", nil))
	h, err := f.Open(memfs.Root, "/tmp/a", memfs.OWrite|memfs.OCreate, 0o600)
	must(t, err)
	if n, err := h.Write(make([]byte, 1500)); n != 1000 || !errors.Is(err, memfs.ENOSPC) {
		t.Errorf("wrote %d, %v; want 1000 and no space", n, err)
	}
	if u := f.Usage(vol); u.Free != 0 || u.Used != 1000 {
		t.Errorf("usage %+v", u)
	}
	must(t, f.Remove(memfs.Root, "/tmp/a"))
	must(t, f.WriteFile(memfs.Root, "/tmp/b", make([]byte, 900), 0o600))
	for i := range 3 {
		err = f.WriteFile(memfs.Root, fmt.Sprintf("/tmp/n%d", i), nil, 0o600)
	}
	if !errors.Is(err, memfs.ENOSPC) {
		t.Errorf("more files than inodes: %v", err)
	}
}

func TestMounts(t *testing.T) {
	f := tree(t)
	ro := &memfs.Volume{Source: "/dev/loop0", FSType: "iso9660"}
	must(t, f.Populate(ro, map[string]string{"/dir/file": "iso"}))
	ro.ReadOnly = true
	must(t, f.Mount(ro, "/dev/loop0", "/home", nil))
	if b, err := f.ReadFile(user, "/home/dir/file"); err != nil || string(b) != "iso" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := f.Stat(user, "/home/u"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("what lies below a mount shows")
	}
	if err := f.WriteFile(memfs.Root, "/home/x", nil, 0o600); !errors.Is(err, memfs.EROFS) {
		t.Errorf("writing to an ISO: %v", err)
	}
	if m := f.MountAt(user, "/home/dir/file"); m.Target != "/home" {
		t.Errorf("MountAt %+v", m)
	}
	if err := f.Rename(memfs.Root, "/etc-file", "/home/etc-file"); !errors.Is(err, memfs.EROFS) {
		t.Errorf("rename onto an ISO: %v", err)
	}
	must(t, f.Bind("/home/dir", "/tmp"))
	if _, err := f.Stat(user, "/tmp/file"); err != nil {
		t.Error(err)
	}
	must(t, f.Unmount("/tmp"))
	must(t, f.Unmount("/home"))
	if err := f.Unmount("/home"); !errors.Is(err, memfs.EINVAL) {
		t.Errorf("unmounting twice: %v", err)
	}
	if _, err := f.Stat(user, "/home/u"); err != nil {
		t.Error(err)
	}
	shared := &memfs.Volume{Source: "home_rc_", FSType: "vboxsf", ForceOwner: true, UID: 500, GID: 500}
	must(t, f.Mount(shared, "home_rc_", "/home/u/sub", nil))
	must(t, f.WriteFile(memfs.Root, "/home/u/sub/made-by-root", nil, 0o644))
	if in, err := f.Stat(user, "/home/u/sub/made-by-root"); err != nil || in.UID != 500 {
		t.Errorf("owner on a share: %+v, %v", in, err)
	}
}

func TestRename(t *testing.T) {
	f := tree(t)
	must(t, f.WriteFile(user, "/home/u/a", []byte("new"), 0o600))
	must(t, f.WriteFile(user, "/home/u/b", []byte("old"), 0o600))
	old, err := f.Open(user, "/home/u/b", memfs.ORead, 0)
	must(t, err)
	must(t, f.Rename(user, "/home/u/a", "/home/u/b"))
	if b, _ := f.ReadFile(user, "/home/u/b"); string(b) != "new" {
		t.Errorf("%q", b)
	}
	if b, _ := io.ReadAll(old); string(b) != "old" {
		t.Errorf("an open file changed under its reader: %q", b)
	}
	if err := f.Rename(memfs.Root, "/home", "/home/u/home"); !errors.Is(err, memfs.EINVAL) {
		t.Errorf("a folder into itself: %v", err)
	}
	if err := f.Rename(memfs.Root, "/etc-file", "/home"); !errors.Is(err, memfs.EISDIR) {
		t.Errorf("a file over a folder: %v", err)
	}
}

func TestConcurrentUse(t *testing.T) {
	f := tree(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			dir := fmt.Sprintf("/tmp/d%d", i)
			for range 50 {
				_ = f.Mkdir(user, dir, 0o755)
				_ = f.WriteFile(user, dir+"/f", []byte("x"), 0o644)
				_, _ = f.ReadDir(user, "/tmp")
				_ = f.Rename(user, dir+"/f", "/tmp/shared")
				_ = f.RemoveAll(user, dir)
			}
		})
	}
	wg.Wait()
}
