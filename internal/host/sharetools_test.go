package host

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

func TestShareTools(t *testing.T) {
	there := map[string]bool{"/opt/bin/rsync": true, "/usr/sbin/exportfs": true, `C:\bin\rsync.exe`: true, `C:\Windows\System32\OpenSSH\sftp-server.exe`: true}
	for goos, want := range map[string]map[string]string{
		"linux":   {"rsync": "/opt/bin/rsync", "nfsd": "/usr/sbin/exportfs", "smb": "", "sftp-server": ""},
		"windows": {"rsync": `C:\bin\rsync.exe`, "nfsd": "", "smb": "", "sftp-server": `C:\Windows\System32\OpenSSH\sftp-server.exe`},
	} {
		path := map[string]string{"linux": "relative:/bin:/opt/bin", "windows": `C:\bin`}[goos]
		ob := newObserver(Options{Getenv: func(string) string { return path }})
		ob.goos, ob.isProgram = goos, func(p string) bool { return there[p] }
		got := ob.shareTools()
		for name, p := range want {
			if got[name] != p {
				t.Errorf("%s: %s is %q, want %q", goos, name, got[name], p)
			}
		}
	}
}

// VirtualBox 7.1.14 leaves its download under a name that nobody looks for (row H5).
func TestUnfinishedISO(t *testing.T) {
	home := t.TempDir()
	ob := newObserver(Options{HomeDir: home})
	ob.goos = "linux"
	ob.facts.VBoxManage = facts.Known(facts.VBoxManage{Version: "7.1.14r1"})
	if got := ob.unfinishedISO(); got != "" {
		t.Errorf("found %s", got)
	}
	left := filepath.Join(home, ".VirtualBox", "VBoxGuestAdditions_7.1.14.iso.tmp")
	if err := os.MkdirAll(filepath.Dir(left), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := ob.unfinishedISO(); got != left {
		t.Errorf("found %q, want %q", got, left)
	}
}
