package memfs

import (
	"io/fs"
)

// Errno is an error of the tree with Linux' wording, whatever system boxdoctor itself runs on.
type Errno string

// The errors that the tree and the scripted system calls return.
const (
	EPERM     Errno = "Operation not permitted"
	ENOENT    Errno = "No such file or directory"
	EACCES    Errno = "Permission denied"
	EEXIST    Errno = "File exists"
	ENOTDIR   Errno = "Not a directory"
	EISDIR    Errno = "Is a directory"
	EINVAL    Errno = "Invalid argument"
	ENOSPC    Errno = "No space left on device"
	EROFS     Errno = "Read-only file system"
	EBUSY     Errno = "Device or resource busy"
	EXDEV     Errno = "Invalid cross-device link"
	ENOTEMPTY Errno = "Directory not empty"
	ELOOP     Errno = "Too many levels of symbolic links"
	ENODEV    Errno = "No such device"
	ENXIO     Errno = "No such device or address"
	EPROTO    Errno = "Protocol error"
	EBADF     Errno = "Bad file descriptor"
	EPIPE     Errno = "Broken pipe"
)

// Error is the text that strerror gives.
func (e Errno) Error() string { return string(e) }

// Is maps to the errors of io/fs, which pkg/sftp understands.
func (e Errno) Is(target error) bool {
	switch target {
	case fs.ErrNotExist:
		return e == ENOENT
	case fs.ErrExist:
		return e == EEXIST || e == ENOTEMPTY
	case fs.ErrPermission:
		return e == EACCES || e == EPERM || e == EROFS
	}
	return false
}

// Text is the bare reason of an error of the tree, without the operation and path that a PathError adds.
func Text(err error) string {
	if pe, ok := err.(*fs.PathError); ok {
		return Text(pe.Err)
	}
	return err.Error()
}
