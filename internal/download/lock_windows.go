package download

import (
	"os"

	"golang.org/x/sys/windows"
)

// lock keeps another run from writing the same part. It ends with the process, whatever ends that.
func lock(path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	if err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{}); err != nil {
		_ = f.Close()
		return nil, errHeld
	}
	return func() {
		_ = f.Close()
		_ = os.Remove(path)
	}, nil
}
