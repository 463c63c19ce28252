package demo

import (
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/pkg/sftp"

	"github.com/boxdoctor/boxdoctor/internal/demo/coreutils"
	"github.com/boxdoctor/boxdoctor/internal/demo/memfs"
)

// tree serves a memfs to SFTP with one user's permissions.
type tree struct {
	fs   *memfs.FS
	cred memfs.Cred
}

var (
	_ sftp.FileReader           = tree{}
	_ sftp.FileWriter           = tree{}
	_ sftp.FileCmder            = tree{}
	_ sftp.PosixRenameFileCmder = tree{}
	_ sftp.FileLister           = tree{}
	_ sftp.LstatFileLister      = tree{}
	_ sftp.ReadlinkFileLister   = tree{}
)

func treeHandlers(t *memfs.FS, user string) *sftp.Handlers {
	c, ok := coreutils.CredOf(t, user)
	if !ok {
		return nil
	}
	h := tree{t, c}
	return &sftp.Handlers{FileGet: h, FilePut: h, FileCmd: h, FileList: h}
}

// Fileread opens a file for reading.
func (t tree) Fileread(r *sftp.Request) (io.ReaderAt, error) {
	return t.fs.Open(t.cred, path.Clean(r.Filepath), memfs.ORead, 0)
}

// Filewrite opens a file for writing as the flags say.
func (t tree) Filewrite(r *sftp.Request) (io.WriterAt, error) {
	f, flag := r.Pflags(), memfs.OWrite
	for bit, on := range map[int]bool{memfs.OCreate: f.Creat, memfs.OExcl: f.Excl, memfs.OTrunc: f.Trunc} {
		if on {
			flag |= bit
		}
	}
	mode := fs.FileMode(0o644)
	if r.AttrFlags().Permissions {
		mode = r.Attributes().FileMode().Perm() &^ 0o022
	}
	return t.fs.Open(t.cred, path.Clean(r.Filepath), flag, mode)
}

// Filecmd changes the tree.
func (t tree) Filecmd(r *sftp.Request) error {
	p := path.Clean(r.Filepath)
	switch r.Method {
	case "Setstat":
		return t.setstat(p, r)
	case "Rename":
		if _, err := t.fs.Lstat(t.cred, r.Target); err == nil {
			return os.ErrExist // the plain SFTP rename replaces nothing
		}
		return t.fs.Rename(t.cred, p, r.Target)
	case "Rmdir", "Remove":
		return t.fs.Remove(t.cred, p)
	case "Mkdir":
		return t.fs.Mkdir(t.cred, p, 0o755)
	case "Symlink":
		return t.fs.Symlink(t.cred, r.Filepath, r.Target)
	}
	return sftp.ErrSSHFxOpUnsupported
}

// PosixRename replaces the target.
func (t tree) PosixRename(r *sftp.Request) error {
	return t.fs.Rename(t.cred, path.Clean(r.Filepath), r.Target)
}

func (t tree) setstat(p string, r *sftp.Request) error {
	fl, at := r.AttrFlags(), r.Attributes()
	if fl.Permissions {
		if err := t.fs.Chmod(t.cred, p, at.FileMode()); err != nil {
			return err
		}
	}
	if fl.Acmodtime {
		if err := t.fs.Chtimes(t.cred, p, time.Unix(int64(at.Mtime), 0)); err != nil {
			return err
		}
	}
	if fl.UidGid {
		if err := t.fs.Chown(t.cred, p, int(at.UID), int(at.GID), true); err != nil {
			return err
		}
	}
	if fl.Size {
		h, err := t.fs.Open(t.cred, p, memfs.OWrite, 0)
		if err != nil {
			return err
		}
		return h.Truncate(int64(at.Size))
	}
	return nil
}

// Filelist lists, or describes what a link leads to.
func (t tree) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	p := path.Clean(r.Filepath)
	if r.Method == "Stat" {
		in, err := t.fs.Stat(t.cred, p)
		return one(in, err)
	}
	list, err := t.fs.ReadDir(t.cred, p)
	if err != nil {
		return nil, err
	}
	out := make(listing, len(list))
	for i, in := range list {
		out[i] = in
	}
	return out, nil
}

// Lstat describes a link itself.
func (t tree) Lstat(r *sftp.Request) (sftp.ListerAt, error) {
	in, err := t.fs.Lstat(t.cred, path.Clean(r.Filepath))
	return one(in, err)
}

// Readlink is the text of a link.
func (t tree) Readlink(p string) (string, error) { return t.fs.Readlink(t.cred, path.Clean(p)) }

func one(in *memfs.Info, err error) (sftp.ListerAt, error) {
	if err != nil {
		return nil, err
	}
	return listing{in}, nil
}

type listing []os.FileInfo

// ListAt copies a window of the list.
func (l listing) ListAt(out []os.FileInfo, off int64) (int, error) {
	if off >= int64(len(l)) {
		return 0, io.EOF
	}
	n := copy(out, l[off:])
	if n < len(out) {
		return n, io.EOF
	}
	return n, nil
}
