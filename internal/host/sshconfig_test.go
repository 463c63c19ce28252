package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// vagrantConfig is synthetic, in the shape of Vagrant 2.4's `vagrant ssh-config`.
const vagrantConfig = `Host default
  HostName 127.0.0.1
  User vagrant
  Port 2222
  UserKnownHostsFile /dev/null
  StrictHostKeyChecking no
  PasswordAuthentication no
  IdentityFile "/home/dev/my project/.vagrant/machines/default/virtualbox/private_key"
  IdentityFile /home/dev/.vagrant.d/insecure_private_key
  IdentitiesOnly yes
  LogLevel FATAL
  PubkeyAcceptedKeyTypes +ssh-rsa
  HostKeyAlgorithms +ssh-rsa
`

// configured runs Observe with an --ssh-config; VirtualBox is not there.
func configured(t *testing.T, w *world, text string, names ...string) (Inventory, error) {
	t.Helper()
	w.env["PATH"] = ""
	path := filepath.Join(w.root, "ssh.cfg")
	writeFile(t, path, text)
	o := w.options(newReplay(t, nil))
	o.SSHConfig, o.Names = path, names
	return observe(t, o)
}

func TestSSHConfigOfVagrant(t *testing.T) {
	w := newWorld(t)
	inv, err := configured(t, w, "\xef\xbb\xbf"+strings.ReplaceAll(vagrantConfig, "\n", "\r\n"))
	if err != nil || len(inv.Machines) != 1 {
		t.Fatalf("%+v, %v", inv, err)
	}
	m := inv.Machines[0]
	c := m.SSH
	if m.Problem != nil || m.Facts.Name != "default" || c.Host != "127.0.0.1" || c.Port != 2222 || c.User != "vagrant" || !c.NoHostKeyFile || c.HostKeyID != "" || c.UseAgent || c.TrustFirstUse {
		t.Errorf("%+v", m)
	}
	want := []string{"/home/dev/my project/.vagrant/machines/default/virtualbox/private_key", "/home/dev/.vagrant.d/insecure_private_key"}
	if d := cmp.Diff(want, c.KeyFiles); d != "" {
		t.Error(d)
	}
	if m.Host.VM.IsKnown() || m.Host.Folders.IsKnown() {
		t.Error("nothing is known of a VM")
	}
}

// TestSSHConfigWithProject: a machine of the same name lends its VM and its host key record.
func TestSSHConfigWithProject(t *testing.T) {
	w := newWorld(t)
	w.machine("default", "virtualbox", "id", runningID)
	w.settings(section(t, ".vbox"))
	inv, err := configured(t, w, vagrantConfig)
	if err != nil || len(inv.Machines) != 1 {
		t.Fatalf("%+v, %v", inv, err)
	}
	m := inv.Machines[0]
	if vm, err := m.Host.VM.Get(); err != nil || len(vm.Shares) != 1 || m.Facts.UUID != runningID {
		t.Errorf("%+v, %v", vm, err)
	}
	if m.SSH.HostKeyID != runningID || !m.SSH.TrustFirstUse || m.SSH.NoHostKeyFile || m.Problem != nil {
		t.Errorf("%+v", m.SSH)
	}
}

func TestSSHConfigFeatures(t *testing.T) {
	w := newWorld(t)
	writeFile(t, filepath.Join(w.home, ".ssh", "extra"), "Host inc\n  HostName inc.example\n")
	writeFile(t, filepath.Join(w.root, "with space", "more.cfg"), "User fromfile\n")
	inv, err := configured(t, w, strings.Join([]string{
		"Include extra nonexistent*",
		"User=global # a comment",
		"Host a\tb *.wild !c",
		"  Hostname = %h.example.com",
		"  IdentityFile ~/keys/%h#1",
		"  IdentityFile \"%d/my keys/x\"",
		"  Include \"" + filepath.Join(w.root, "with space", "more.cfg") + "\"",
		"  Port 2200",
		"  ConnectTimeout 7",
		"  ServerAliveInterval 30",
		"  ServerAliveCountMax 9",
		"Match user root exec \"rm -rf /\"",
		"  Port 1",
		"Match host a,z",
		"  StrictHostKeyChecking no",
		"  UserKnownHostsFile /dev/null",
		"Host jump",
		"  ProxyJump bastion",
		"Host cmd",
		"  ProxyCommand \"nc %h %p\"",
		"Host direct",
		"  ProxyJump none",
		"Host badport",
		"  Port ssh",
		"Host six",
		"  HostName ::1",
		"  ConnectTimeout 99999",
		"  ServerAliveInterval soon",
		"  ServerAliveCountMax -1",
		"Host lastline", "  UserKnownHostsFile ~/kh1 ~/kh2",
	}, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	by := map[string]Machine{}
	for _, m := range inv.Machines {
		names = append(names, m.Facts.Name)
		by[m.Facts.Name] = m
	}
	if d := cmp.Diff([]string{"inc", "a", "b", "jump", "cmd", "direct", "badport", "six", "lastline"}, names); d != "" {
		t.Fatal(d)
	}
	a := by["a"].SSH
	if a.Host != "a.example.com" || a.Port != 2200 || a.User != "global" || a.Timeout != 7*time.Second || !a.UseAgent {
		t.Errorf("a = %+v", a)
	}
	if a.AliveInterval != 30*time.Second || a.AliveMissed != 9 {
		t.Errorf("a is asked every %s, %d times", a.AliveInterval, a.AliveMissed)
	}
	if b := by["six"].SSH; b.Timeout != 0 || b.AliveInterval != 0 || b.AliveMissed != 0 {
		t.Errorf("six = %+v, want the defaults", b)
	}
	if d := cmp.Diff([]string{filepath.Join(w.home, "keys", "a.example.com#1"), w.home + "/my keys/x"}, a.KeyFiles); d != "" {
		t.Error(d)
	}
	if a.NoHostKeyFile {
		t.Error("no host key check only on loopback")
	}
	if inc := by["inc"].SSH; inc.Host != "inc.example" || inc.User != "global" || inc.Port != 22 || len(inc.KeyFiles) != 3 {
		t.Errorf("inc = %+v", inc)
	}
	for _, name := range []string{"jump", "cmd", "badport"} {
		if m := by[name]; m.Class != ClassConfig || m.Problem == nil || !strings.Contains(m.Problem.Error(), "machine "+name) {
			t.Errorf("%s: %q %v", name, m.Class, m.Problem)
		}
	}
	if p := by["cmd"].Problem.Error(); !strings.Contains(p, "ProxyCommand nc %h %p") {
		t.Error(p)
	}
	if by["direct"].Problem != nil || by["six"].SSH.Host != "::1" {
		t.Errorf("%+v %+v", by["direct"], by["six"])
	}
	if d := cmp.Diff([]string{filepath.Join(w.home, "kh1"), filepath.Join(w.home, "kh2")}, by["lastline"].SSH.KnownHosts); d != "" {
		t.Error(d)
	}
	if notes := strings.Join(inv.Notes, "\n"); !strings.Contains(notes, "line 12: the block `Match user root exec") {
		t.Error(notes)
	}
}

func TestSSHConfigNames(t *testing.T) {
	w := newWorld(t)
	inv, err := configured(t, w, "Host web db\n", "db", "wbe")
	if err != nil || len(inv.Machines) != 2 {
		t.Fatalf("%+v, %v", inv, err)
	}
	if m := inv.Machines[0]; m.Facts.Name != "db" || m.Problem != nil || m.SSH.User != "vagrant" {
		t.Errorf("%+v", m)
	}
	if m := inv.Machines[1]; m.Class != ClassUnknownName || !strings.Contains(m.Problem.Error(), `"web"`) || m.Command != "boxdoctor check --ssh-config "+filepath.Join(w.root, "ssh.cfg")+" web" {
		t.Errorf("%+v", m)
	}
}

func TestSSHConfigErrors(t *testing.T) {
	for text, says := range map[string]string{
		"":                                "names no host",
		"Host *\n User x\n":               "names no host",
		"Host a\n IdentityFile \"x\n":     "line 2: a double quote is not closed",
		"Include ssh.cfg\nHost a\n":       "a file that includes itself",
		strings.Repeat("#", maxConfig+10): "larger than",
	} {
		w := newWorld(t)
		if _, err := configured(t, w, text); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "--ssh-config") {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

func TestUserFlagWins(t *testing.T) {
	w := newWorld(t)
	w.env["PATH"] = ""
	path := filepath.Join(w.root, "ssh.cfg")
	writeFile(t, path, vagrantConfig)
	o := w.options(newReplay(t, nil))
	o.SSHConfig, o.User, o.Key = path, "root", "~/k"
	inv, err := observe(t, o)
	if err != nil || inv.Machines[0].SSH.User != "root" || inv.Machines[0].Facts.User != "root" || inv.Machines[0].SSH.KeyFiles[0] != filepath.Join(w.home, "k") {
		t.Errorf("%+v, %v", inv.Machines, err)
	}
}

func TestParseTarget(t *testing.T) {
	for in, want := range map[string][3]string{
		"host":                    {"", "host", "22"},
		"vagrant@host":            {"vagrant", "host", "22"},
		"vagrant@host:2222":       {"vagrant", "host", "2222"},
		"[::1]:22":                {"", "::1", "22"},
		"me@[fe80::1%eth0]:2200":  {"me", "fe80::1%eth0", "2200"},
		"::1":                     {"", "::1", "22"},
		"[2001:db8::1]":           {"", "2001:db8::1", "22"},
		"user@corp@host.example:": {"", "", "error"},
		"user@corp@host.example":  {"user@corp", "host.example", "22"},
		"192.168.56.10:1":         {"", "192.168.56.10", "1"},
	} {
		user, host, p, err := parseTarget(in)
		if want[2] == "error" {
			if err == nil {
				t.Errorf("%q must not parse", in)
			}
			continue
		}
		if n, _ := port(want[2]); err != nil || user != want[0] || host != want[1] || p != n {
			t.Errorf("%q: %q %q %d %v", in, user, host, p, err)
		}
	}
	for _, in := range []string{"", "@", "user@", ":22", "host:0", "host:65536", "host:x", "[::1", "[host]:22", "[::1]22", "-oProxyCommand=x", "-u@h", "a b", "h;rm", "h\x1b[0m", "1:2:3"} {
		if _, _, _, err := parseTarget(in); err == nil || !strings.Contains(err.Error(), "--ssh") {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestTarget(t *testing.T) {
	w := newWorld(t)
	w.env["PATH"] = ""
	o := w.options(newReplay(t, nil))
	o.SSH, o.VBoxVersion = "me@[::1]:2222", "7.0.20"
	inv, err := observe(t, o)
	if err != nil || len(inv.Machines) != 1 {
		t.Fatalf("%+v, %v", inv, err)
	}
	m := inv.Machines[0]
	if m.Facts.Name != "[::1]:2222" || m.Facts.User != "me" || !m.Facts.ForceVirtualBox || !m.Host.Explicit || m.Host.GivenVersion != "7.0.20" {
		t.Errorf("%+v", m.Facts)
	}
	if c := m.SSH; c.Host != "::1" || c.Port != 2222 || c.User != "me" || c.TrustFirstUse || c.HostKeyID != "" || len(c.KeyFiles) != 3 || len(c.KnownHosts) != 1 {
		t.Errorf("%+v", c)
	}
}
