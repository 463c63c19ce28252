package sshguest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// The real sudo needs an account and a sudoers file, so this test is for throw-away machines: it runs as root
// with BOXDOCTOR_TEST_ACCOUNTS=1 and takes away what it made.
func TestRealSudo(t *testing.T) {
	if os.Getenv("BOXDOCTOR_TEST_ACCOUNTS") == "" {
		t.Skip("makes an account on this machine: set BOXDOCTOR_TEST_ACCOUNTS=1")
	}
	for _, tool := range []string{"sudo", "useradd", "userdel", "chpasswd"} {
		mustLook(t, tool)
	}
	const name = "bdtest"
	run(t, "", "useradd", "-m", "-s", "/bin/bash", name)
	rules := "/etc/sudoers.d/" + name
	t.Cleanup(func() {
		_ = os.Remove(rules)
		_ = exec.Command("userdel", "-r", name).Run()
	})
	run(t, name+":se cret$\n", "chpasswd")
	s := startSSHD(t)
	open := func(p string, mode os.FileMode) {
		if err := os.Chmod(p, mode); err != nil {
			t.Fatal(err)
		}
	}
	open(s.dir, 0o755)
	open(filepath.Dir(s.dir), 0o755)
	open(filepath.Join(s.dir, "authorized_keys"), 0o644)
	s.cfg.User = name

	for _, c := range []struct {
		name, rule, password string
		state                string
		wrong                bool
	}{
		{name: "NOPASSWD", rule: name + " ALL=(ALL) NOPASSWD: ALL"},
		{name: "NOPASSWD with use_pty", rule: "Defaults:" + name + " use_pty\n" + name + " ALL=(ALL) NOPASSWD: ALL"},
		{name: "password", rule: name + " ALL=(ALL) ALL", password: "se cret$"},
		{name: "password not needed", rule: name + " ALL=(ALL) NOPASSWD: ALL", password: "se cret$"},
		{name: "requiretty", rule: "Defaults:" + name + " requiretty\n" + name + " ALL=(ALL) NOPASSWD: ALL"},
		{name: "requiretty and use_pty", rule: "Defaults:" + name + " requiretty,use_pty\n" + name + " ALL=(ALL) NOPASSWD: ALL"},
		{name: "requiretty and password", rule: "Defaults:" + name + " requiretty\n" + name + " ALL=(ALL) ALL", password: "se cret$"},
		{name: "no password given", rule: name + " ALL=(ALL) ALL", state: facts.SudoPassword},
		{name: "wrong password", rule: name + " ALL=(ALL) ALL", password: "nope", state: facts.SudoPassword, wrong: true},
		{name: "not in sudoers", rule: "# nobody", password: "se cret$", state: facts.SudoDenied},
		{name: "not in sudoers, no password", rule: "# nobody", state: facts.SudoPassword},
		{name: "another command only", rule: name + " ALL=(ALL) NOPASSWD: /bin/true", state: facts.SudoPassword},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(rules, []byte("Defaults:"+name+" timestamp_timeout=0\n"+c.rule+"\n"), 0o440); err != nil {
				t.Fatal(err)
			}
			s.cfg.Getenv = env("BOXDOCTOR_SUDO_PASSWORD_REAL=" + c.password)
			g := s.dial(t)
			root := script("root", "id -u; printf '%s\\n' \"$1\"; cat", "a'b\nc")
			root.Sudo = true
			res, err := g.Run(t.Context(), root)
			if c.state != "" {
				var e *SudoError
				if !errors.As(err, &e) || e.State != c.state || e.Wrong != c.wrong {
					t.Fatalf("got %v (%+v)", err, e)
				}
				t.Log(err)
				return
			}
			if err != nil || string(res.Stdout) != "0\na'b\nc\n" {
				t.Errorf("%v %q %q", err, res.Stdout, res.Stderr)
			}
			data := string(noise(200_000))
			res, err = g.Run(t.Context(), guest.Cmd{Name: "stdin", Argv: []string{"sh", "-c", "id -u; wc -c"}, Stdin: strings.NewReader(data), Sudo: true})
			if err != nil || strings.Join(strings.Fields(string(res.Stdout)), " ") != "0 200000" {
				t.Errorf("%v %q %q", err, res.Stdout, res.Stderr)
			}
			slow := script("slow", "echo $$ >\"$1\"; sleep 60", filepath.Join(s.dir, "pid"))
			slow.Sudo, slow.Timeout = true, 3_000_000_000
			if _, err = g.Run(t.Context(), slow); !errors.Is(err, guest.ErrUnknownOutcome) {
				t.Errorf("got %v", err)
			}
			gone(t, filepath.Join(s.dir, "pid"))
		})
	}
}

func run(t *testing.T, stdin, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", program, err, out)
	}
}
