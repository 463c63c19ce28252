package sshserver

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/pkg/sftp"
)

// DirTree serves a folder of this machine by SFTP, as the root of the tree. Nothing outside it can be
// reached, not even by symbolic links. Close the returned closer when the server is closed.
func DirTree(dir string) (*sftp.Handlers, io.Closer, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("serve a folder by SFTP: %w", err)
	}
	t := &tree{root}
	return &sftp.Handlers{FileGet: t, FilePut: t, FileCmd: t, FileList: t}, root, nil
}

type tree struct{ root *os.Root }

// local turns an SFTP path into one below the root.
func local(p string) string {
	if p = strings.TrimPrefix(path.Clean("/"+p), "/"); p == "" {
		return "."
	}
	return p
}

// Fileread opens a file for reading.
func (t *tree) Fileread(r *sftp.Request) (io.ReaderAt, error) {
	return t.root.Open(local(r.Filepath))
}

// Filewrite opens a file for writing with the flags that the client asked for.
func (t *tree) Filewrite(r *sftp.Request) (io.WriterAt, error) {
	want, flags := r.Pflags(), os.O_WRONLY
	if want.Creat {
		flags |= os.O_CREATE
	}
	if want.Trunc {
		flags |= os.O_TRUNC
	}
	if want.Excl {
		flags |= os.O_EXCL
	}
	return t.root.OpenFile(local(r.Filepath), flags, 0o644)
}

// Filecmd changes the tree. Rename refuses to replace a file, as the SFTP protocol (version 3) wants it.
func (t *tree) Filecmd(r *sftp.Request) error {
	p := local(r.Filepath)
	switch r.Method {
	case "Setstat":
		return t.setstat(p, r)
	case "Rename":
		if _, err := t.root.Lstat(local(r.Target)); err == nil {
			return fs.ErrExist
		}
		return t.root.Rename(p, local(r.Target))
	case "Remove", "Rmdir":
		return t.root.Remove(p)
	case "Mkdir":
		return t.root.Mkdir(p, 0o755)
	}
	return sftp.ErrSSHFxOpUnsupported
}

// PosixRename renames and replaces.
func (t *tree) PosixRename(r *sftp.Request) error {
	return t.root.Rename(local(r.Filepath), local(r.Target))
}

func (t *tree) setstat(p string, r *sftp.Request) error {
	if r.AttrFlags().Permissions {
		if err := t.root.Chmod(p, r.Attributes().FileMode().Perm()); err != nil {
			return err
		}
	}
	if r.AttrFlags().Size {
		f, err := t.root.OpenFile(p, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(f.Truncate(int64(r.Attributes().Size)), f.Close())
	}
	return nil
}

// Filelist lists a folder or describes one file.
func (t *tree) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	p := local(r.Filepath)
	if r.Method == "List" {
		return t.list(p)
	}
	fi, err := t.root.Stat(p)
	if err != nil {
		return nil, err
	}
	return listing{fi}, nil
}

func (t *tree) list(p string) (sftp.ListerAt, error) {
	entries, err := fs.ReadDir(t.root.FS(), p)
	if err != nil {
		return nil, err
	}
	var all listing
	for _, e := range entries {
		if fi, err := e.Info(); err == nil {
			all = append(all, fi)
		}
	}
	return all, nil
}

type listing []os.FileInfo

// ListAt copies what fits, from an offset on.
func (l listing) ListAt(to []os.FileInfo, offset int64) (int, error) {
	if offset >= int64(len(l)) {
		return 0, io.EOF
	}
	n := copy(to, l[offset:])
	if n < len(to) {
		return n, io.EOF
	}
	return n, nil
}
