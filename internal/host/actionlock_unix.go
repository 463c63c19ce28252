//go:build unix

package host

import (
	"os"

	"golang.org/x/sys/unix"
)

// held tells whether another process holds an exclusive flock on the file. A shared lock is tried for a moment
// and let go at once; a file that is not there is held by nobody.
func held(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if err == nil {
		_ = unix.Flock(int(f.Fd()), unix.LOCK_UN) // closing lets it go as well
	}
	return err == unix.EWOULDBLOCK
}
