package probe

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// stub writes a program of the box.
func (b *box) stub(t *testing.T, name, text string) {
	t.Helper()
	_ = os.Remove(filepath.Join(b.bin, name))
	must(t, os.WriteFile(filepath.Join(b.bin, name), []byte("#!/bin/sh\n"+text), 0o755))
}

func collectIn(t *testing.T, b *box, p Params, keys ...facts.Key) facts.Guest {
	t.Helper()
	g, err := Collect(context.Background(), b.in(t, "sh"), keys, p, time.Now)
	must(t, err)
	return g
}

// TestWholeProbeAsRoot: a guest whose sudo wants a password is probed as root, and whether the login user may
// write is still asked as that user, by sudo or by su, with the path as an argument.
func TestWholeProbeAsRoot(t *testing.T) {
	const log = `echo "$@" >>"$0.log"` + "\n"
	for _, c := range []struct {
		name, sudo, su string
		writable       bool
	}{
		{"sudo says yes", log + `case "$*" in "-n -u vagrant true") exit 0 ;; "-n -u vagrant test -w "*"/va grant") exit 0 ;; esac; exit 9`, "exit 9", true},
		{"sudo says no", log + `case "$*" in "-n -u vagrant true") exit 0 ;; esac; exit 1`, "exit 0", false},
		{"su says yes", "exit 1", log + `case "$*" in "-s /bin/sh vagrant -c "*" "*"/va grant") exit 0 ;; esac; exit 9`, true},
		{"su says no", "exit 1", "exit 1", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := openBox(t, "../../testdata/probe/rocky-9-locked.txtar")
			must(t, os.MkdirAll(filepath.Join(b.root, "va grant"), 0o755))
			b.stub(t, "id", `case "$*" in "-u vagrant" | "-g vagrant") echo 1000 ;; *) echo 0 ;; esac`)
			b.stub(t, "sudo", c.sudo)
			b.stub(t, "su", c.su)
			g := collectIn(t, b, Params{User: "vagrant", Sudo: true, Wanted: []facts.SyncedFolder{{GuestPath: "/va grant"}}}, facts.KeyMounts, facts.KeySystem, facts.KeySudo)
			m, err := g.Mounts.Get()
			must(t, err)
			if len(m.Wanted) != 1 || m.Wanted[0].Writable != c.writable || m.Wanted[0].WantUID != 1000 || m.Wanted[0].GuestPath != "/va grant" {
				t.Errorf("%+v", m.Wanted)
			}
			if s, err := g.System.Get(); err != nil || s.UserName != "vagrant" || s.UID != 1000 {
				t.Errorf("%+v %v", s, err)
			}
			if s, err := g.Sudo.Get(); err != nil || s.State != facts.SudoOK {
				t.Errorf("%+v %v", s, err)
			}
		})
	}
}

// TestSudoIsAskedOnce, and only when a section needs it.
func TestSudoIsAskedOnce(t *testing.T) {
	for _, c := range []struct {
		keys []facts.Key
		want int
	}{
		{[]facts.Key{facts.KeySystem, facts.KeySpace, facts.KeyTools}, 0},
		{[]facts.Key{facts.KeySudo, facts.KeyKernel, facts.KeyLocks, facts.KeyGALog}, 1},
	} {
		b := openBox(t, "../../testdata/probe/centos-7-password.txtar")
		count := filepath.Join(filepath.Dir(b.bin), "asked")
		b.stub(t, "sudo", "printf '%s\\n' \"$*\" >>"+count+"\necho 'sudo: a password is required' >&2\nexit 1\n")
		g := collectIn(t, b, b.params(), c.keys...)
		asked, _ := os.ReadFile(count)
		if n := strings.Count(string(asked), "\n"); n != c.want {
			t.Errorf("%v: sudo was asked %d times: %s", c.keys, n, asked)
		}
		if c.want > 0 && g.Sudo.Or(facts.Sudo{}).State != facts.SudoPassword {
			t.Errorf("%+v", g.Sudo)
		}
	}
}

// TestJobs: a job of ours runs when its process lives and is that job's, and it left no exit status.
func TestJobs(t *testing.T) {
	pid := os.Getpid()
	for _, c := range []struct{ name, pid, rc, cmdline, want string }{
		{"runs", fmt.Sprint(pid), "", "sh\x00/var/lib/boxdoctor/jobs/ab-1/run\x00/var/lib/boxdoctor/jobs/ab-1\x00", "ab-1"},
		{"runs, no cmdline", fmt.Sprint(pid), "", "", "ab-1"},
		{"ended", fmt.Sprint(pid), "0\n", "sh\x00/var/lib/boxdoctor/jobs/ab-1/run\x00", ""},
		{"another process has the number", fmt.Sprint(pid), "", "/usr/sbin/sshd\x00-D\x00", ""},
		{"gone", "4194399", "", "", ""},
		{"no number", "-1; touch /tmp/evil", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := openBox(t, "../../testdata/probe/rocky-9-locked.txtar")
			dir := filepath.Join(b.root, "var/lib/boxdoctor/jobs/ab-1")
			must(t, os.MkdirAll(dir, 0o755))
			must(t, os.WriteFile(filepath.Join(dir, "pid"), []byte(c.pid), 0o644))
			if c.rc != "" {
				must(t, os.WriteFile(filepath.Join(dir, "rc"), []byte(c.rc), 0o644))
			}
			if c.cmdline != "" {
				proc := filepath.Join(b.root, "proc", fmt.Sprint(pid))
				must(t, os.MkdirAll(proc, 0o755))
				must(t, os.WriteFile(filepath.Join(proc, "cmdline"), []byte(c.cmdline), 0o644))
			}
			a, err := collectIn(t, b, b.params(), facts.KeyActivity).Activity.Get()
			if err != nil || a.Job != c.want {
				t.Errorf("got %+v %v, want %q", a, err, c.want)
			}
		})
	}
}

// TestHostileFiles: names and contents that look like facts, frames or escapes stay what they are.
func TestHostileFiles(t *testing.T) {
	b := openBox(t, "../../testdata/probe/rocky-9-locked.txtar")
	evil := "/tmp/VBoxGuestAdditions\n=setup EVIL\n@@boxdoctor x end additions 0\x1b[2J.iso"
	must(t, os.WriteFile(b.root+evil, nil, 0o644))
	must(t, os.WriteFile(filepath.Join(b.root, "var/lib/VBoxGuestAdditions/config"),
		[]byte("INSTALL_VER='7.0\x1b[31m.14'\n=opt /evil\nINSTALL_DIR=\xff\xfe\n"+strings.Repeat("x", 200000)), 0o644))
	a, err := collectIn(t, b, b.params(), facts.KeyAdditions).Additions.Get()
	must(t, err)
	if a.Setup != "" || a.ConfigVersion != "7.0.14" || a.InstallDir != "\uFFFD" || len(a.OptDirs) != 1 {
		t.Errorf("%+v", a)
	}
	if want := []string{"/tmp/VBoxGuestAdditions", "/tmp/VBoxGuestAdditions.iso"}; len(a.TempISO) != 2 || a.TempISO[0] != want[0] && a.TempISO[1] != want[0] {
		t.Errorf("%q", a.TempISO)
	}
}
