//go:build unix

package host

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestVagrantWorksWhileItsLockIsHeld(t *testing.T) {
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	m := Machine{ActionLock: actionLockPath(home, "/home/dev/web", "", "/home/dev/web/.vagrant", "default")}
	// md5 of /home/dev/web + /home/dev/web/.vagrant + default
	if want := filepath.Join(home, "data", "lock.machine-action-8a5205deb8a49906a25c32e53af3627b.lock"); m.ActionLock != want {
		t.Errorf("lock %s, want %s", m.ActionLock, want)
	}
	if m.VagrantWorks() {
		t.Error("works without a lock file")
	}
	f, err := os.Create(m.ActionLock)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if m.VagrantWorks() {
		t.Error("works though nobody holds the lock")
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if !m.VagrantWorks() {
		t.Error("a held lock was not seen")
	}
}
