package demo_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/demo"
	"github.com/boxdoctor/boxdoctor/internal/demo/el6"
	"github.com/boxdoctor/boxdoctor/internal/demo/kernel"
	"github.com/boxdoctor/boxdoctor/internal/guest"
)

const archive754 = "kernel-devel-2.6.32-754.35.1.el6.x86_64"

// TestYumLocks: what hides a package, and what opens it for one command.
func TestYumLocks(t *testing.T) {
	ask := "yum --assumeno install " + archive754
	offered, hidden := []string{"Exiting on user Command"}, []string{"No package " + archive754 + " available.", "Nothing to do"}
	for name, c := range map[string]struct {
		scene demo.Scene
		steps []step
	}{
		"locked": {demo.Founding(), []step{
			{ask, 1, hidden}, {"yum --disableplugin=versionlock --assumeno install " + archive754, 1, offered},
			{"yum list available kernel-devel", 1, []string{"Error: No matching Packages to list"}},
			{"sed -i 's/^enabled = 1/enabled = 0/' /etc/yum/pluginconf.d/versionlock.conf; " + ask, 1, offered},
			{"yum versionlock list", 1, []string{"No such command: versionlock"}}}},
		"locked to what is offered": {with(demo.Founding(), func(s *demo.Scene) { s.System.VersionLock = []string{"0:kernel-devel-2.6.32-754.35.1.el6.*"} }),
			[]step{{ask, 1, offered}}},
		"excluded version": {with(demo.Founding(), func(s *demo.Scene) { s.System.VersionLock = []string{"!0:kernel-devel-2.6.32-754.35.1.el6.*"} }),
			[]step{{ask, 1, hidden}, {"yum --assumeno install kernel-devel-2.6.32-754.el6", 1, offered}}},
		"exclude line": {demo.Founding().With(demo.Excluded), []step{{ask, 1, hidden}, {"yum --disableexcludes=all --assumeno install " + archive754, 1, offered}}},
		"no plugin":    {with(demo.Founding(), func(s *demo.Scene) { s.System.LockPlugin = false }), []step{{ask, 1, offered}}},
		"archive without that release": {with(demo.Founding(), func(s *demo.Scene) {
			s.System.RepoFile = strings.ReplaceAll(s.System.RepoFile, "/6.10/", "/6.4/")
		}), []step{{ask, 1, []string{"404 Not Found", "Cannot retrieve repository metadata (repomd.xml) for repository: base"}}}},
		"not root":          {demo.Founding(), []step{{"sudo -n -u vagrant yum -y install bzip2", 1, []string{"You need to be root"}}}},
		"installed already": {demo.Founding(), []step{{"yum -y install bzip2", 0, []string{"already installed and latest version", "Nothing to do"}}}},
		"dependencies": {demo.Founding().With(demo.ToolsMissing), []step{
			// gcc needs glibc-headers, which needs the installed kernel-headers: its lock does no harm.
			{"yum -y install gcc make perl bzip2", 0, []string{"Installing for dependencies:", "cpp", "glibc-headers", "Complete!"}},
			{"rpm -q cpp glibc-devel && gcc --version", 0, []string{"gcc (GCC)"}}}},
		"a dependency that a lock hides": {with(demo.Founding().With(demo.ToolsMissing), dropHeaders), []step{
			{"yum -y install gcc", 1, []string{"Requires: kernel-headers"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			steps(t, start(t, c.scene.With(demo.ReposWork, keepRepos(c.scene))), c.steps)
		})
	}
}

func with(s demo.Scene, v demo.Variant) demo.Scene { return s.With(demo.ReposWork, v) }

// keepRepos undoes ReposWork for a scene that has repositories of its own.
func keepRepos(s demo.Scene) demo.Variant {
	return func(n *demo.Scene) {
		if !strings.Contains(s.System.RepoFile, "mirrorlist=") {
			n.System.RepoFile = s.System.RepoFile
		}
	}
}

func dropHeaders(s *demo.Scene) {
	var keep []string
	for _, p := range s.System.Packages {
		if !strings.HasPrefix(p, "kernel-headers-") {
			keep = append(keep, p)
		}
	}
	s.System.Packages = keep
}

// TestInstallerByTools: which tool is missing decides what the installer does.
func TestInstallerByTools(t *testing.T) {
	for name, c := range map[string]struct {
		remove string
		code   int
		says   string
		after  []step
	}{
		"no bzip2": {"bzip2", 1, "bzip2: command not found", []step{{"ls /opt", 0, []string{"VBoxGuestAdditions-4.3.6", "VBoxGuestAdditions-5.1.26"}}, {"VBoxControl --version", 0, []string{"4.3.6"}}}},
		"no gcc":   {"gcc", 0, "Failed to set up service vboxadd", []step{{"cat /var/log/VBoxGuestAdditions.log", 0, []string{"Please install the gcc make perl packages"}}, {"modinfo vboxguest", 1, nil}}},
	} {
		t.Run(name, func(t *testing.T) {
			g := start(t, demo.Founding())
			steps(t, g, []step{{"yum -y remove " + c.remove, 0, nil}, {"mkdir /root/mnt", 0, nil}})
			if err := g.CopyISO("/root/ga.iso"); err != nil {
				t.Fatal(err)
			}
			steps(t, g, append([]step{{"mount -o loop,ro /root/ga.iso /root/mnt", 0, nil}, {"sh /root/mnt/VBoxLinuxAdditions.run --nox11", c.code, []string{c.says}}}, c.after...))
		})
	}
}

func TestSudoPolicies(t *testing.T) {
	for name, c := range map[string]struct {
		policy, cmd, stdin string
		code               int
		want               string
	}{
		"free":                 {el6.SudoFree, "sudo -n id -u", "", 0, "0\n"},
		"as another":           {el6.SudoFree, "sudo -n -u '#501' id -un", "", 0, "rc\n"},
		"no such user":         {el6.SudoFree, "sudo -n -u nobody2 id", "", 1, "unknown user"},
		"password, not asked":  {el6.SudoPassword, "sudo -n id", "", 1, "sudo: a password is required\n"},
		"password, right":      {el6.SudoPassword, "sudo -S -p '' sh -c 'id -u; cat'", "pw\nrest", 0, "0\nrest"},
		"password, wrong":      {el6.SudoPassword, "sudo -S -p '' id", "a\nb\nc\n", 1, "3 incorrect password attempts"},
		"password, none given": {el6.SudoPassword, "sudo -S -p '' id", "", 1, "incorrect password attempts"},
		"tty":                  {el6.SudoTTY, "sudo -n id", "", 1, "sudo: sorry, you must have a tty to run sudo\n"},
		"denied":               {el6.SudoDenied, "sudo -S -p '' id", "pw\n", 1, "vagrant is not in the sudoers file."},
		"variables":            {el6.SudoFree, "A=1 sudo -n B=2 sh -c 'echo ${A-no}$B$HOME$SUDO_USER'", "", 0, "no2/rootvagrant\n"},
		"private folder":       {el6.SudoFree, "sudo -n sh -c 'umask 077; mkdir /srv/p; echo s >/srv/p/f'; cat /srv/p/f; ls /srv/p", "", 2, "Permission denied"},
	} {
		t.Run(name, func(t *testing.T) {
			g := start(t, demo.Founding().With(demo.Sudo(c.policy, "pw")))
			var out kernel.Buffer
			w := streamWriter{&out}
			code := g.System().Exec(t.Context(), "vagrant", c.cmd, strings.NewReader(c.stdin), w, w)
			if code != c.code || !strings.Contains(string(out.Bytes()), c.want) {
				t.Errorf("status %d, %q; want %d, %q", code, out.Bytes(), c.code, c.want)
			}
		})
	}
}

// TestOverSSH: the transport's upload, its limits of permission, a reboot that cuts the link, and the guest
// that comes back with another boot id.
func TestOverSSH(t *testing.T) {
	g := start(t, demo.Founding())
	c := dial(t, g)
	content := strings.Repeat("0123456789abcdef", 1<<14)
	if err := c.Put(t.Context(), "/home/vagrant/up", 0o640, strings.NewReader(content), int64(len(content)), nil); err != nil {
		t.Fatal(err)
	}
	res, err := c.Run(t.Context(), guest.Cmd{Name: "look", Argv: []string{"sh", "-c", "stat -c '%a %U %s' up; sha256sum <up"}})
	if err != nil || !strings.HasPrefix(string(res.Stdout), "640 vagrant 262144\n") {
		t.Errorf("%q, %v", res.Stdout, err)
	}
	if err := c.Put(t.Context(), "/root/up", 0o600, strings.NewReader("x"), 1, nil); err == nil {
		t.Error("the login user wrote into /root")
	}
	old := g.System().BootID()
	_, err = c.Run(t.Context(), guest.Cmd{Name: "reboot", Sudo: true, Script: "( sleep 1; shutdown -r now ) >/dev/null 2>&1 </dev/null &\nsleep 30\n"})
	if !errors.Is(err, guest.ErrUnknownOutcome) {
		t.Errorf("the step that was cut by the reboot: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for err = c.Reconnect(ctx); err != nil && ctx.Err() == nil; err = c.Reconnect(ctx) {
	}
	res, err = c.Run(ctx, guest.Cmd{Name: "who", Script: "cat /proc/sys/kernel/random/boot_id; uname -r; cat up | wc -c"})
	if err != nil || string(res.Stdout) != g.System().BootID()+"\n"+demo.InstalledKernel+"\n262144\n" || g.System().BootID() == old {
		t.Errorf("%q, %v", res.Stdout, err)
	}
}

func TestISOIsHonest(t *testing.T) {
	g := start(t, demo.Founding())
	data, err := os.ReadFile(g.ISO().Path)
	if err != nil || int64(len(data)) != g.ISO().Size {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte("this is a stand-in for the demo")) || !strings.Contains(demo.Notice, "stand-in") {
		t.Error("the stand-in does not say that it is one")
	}
	dir := g.ISO().Path
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Close left %s", dir)
	}
}

type streamWriter struct{ s kernel.Stream }

func (w streamWriter) Write(p []byte) (int, error) { return w.s.Write(context.Background(), p) }
