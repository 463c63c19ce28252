//go:build unix

package download

import (
	"os"

	"golang.org/x/sys/unix"
)

// lock keeps another run from writing the same part. It ends with the process, whatever ends that.
func lock(path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, errHeld
	}
	return func() {
		_ = os.Remove(path) // while it is held: who opens it afterwards makes a new one
		_ = f.Close()
	}, nil
}
