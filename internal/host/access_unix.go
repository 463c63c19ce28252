//go:build unix

package host

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// denied says what the user may not do in a folder; empty when nothing.
func denied(dir string) string {
	switch {
	case unix.Access(dir, unix.R_OK|unix.X_OK) != nil:
		return "it cannot be read"
	case unix.Access(dir, unix.W_OK) != nil:
		return "it cannot be written"
	}
	return ""
}

// deniedFile says what the user may not do with a file.
func deniedFile(path string) string {
	switch {
	case unix.Access(path, unix.R_OK) != nil:
		return "it cannot be read"
	case unix.Access(path, unix.W_OK) != nil:
		return "it cannot be written"
	}
	return ""
}

// freeMB is the space that the user may still use on the file system of a folder.
func freeMB(dir string) (int, bool) {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return 0, false
	}
	return int(uint64(st.Bavail) * uint64(st.Bsize) >> 20), true //nolint:unconvert // the types differ between systems
}

// ownerOf is the user id of a file.
func ownerOf(info fs.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}
