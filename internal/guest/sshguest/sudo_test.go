package sshguest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/sshserver"
)

// fakeSudo plays sudo. It is strict: an option it does not know is written to the file "strict" and fails the
// test. Its texts are those of sudo 1.8 and 1.9 in the C locale (synthetic, from sudo's own sources of words
// as users report them). $SUDO_MODE chooses the play; every password that it reads is counted in "asked".
const fakeSudo = `#!/bin/sh
n= s= p='[sudo] password for vagrant: '
while :; do
	case $1 in
	-n) n=1 ;;
	-S) s=1 ;;
	-p) p=$2; shift ;;
	-*) echo "unknown option $1" >>"$SUDO_DIR/strict"; exit 99 ;;
	*) break ;;
	esac
	shift
done
[ "$LC_ALL" = C ] || echo "LC_ALL is '$LC_ALL'" >>"$SUDO_DIR/strict"
[ "$1" = sh ] || echo "unexpected command $1" >>"$SUDO_DIR/strict"
ask() {
	if [ -n "$n" ]; then echo 'sudo: a password is required' >&2; exit 1; fi
	if [ -z "$s" ]; then echo 'sudo: a terminal is required to read the password; either use the -S option to read from standard input or configure an askpass helper' >&2; exit 1; fi
	i=0
	while [ $i -lt 3 ]; do
		printf '%s' "$p" >&2
		if ! IFS= read -r line; then echo >&2; echo 'sudo: no password was provided' >&2; exit 1; fi
		echo asked >>"$SUDO_DIR/asked"
		if [ "$line" = 'se cret$' ]; then return; fi
		echo 'Sorry, try again.' >&2
		i=$((i+1))
	done
	echo 'sudo: 3 incorrect password attempts' >&2; exit 1
}
lecture() { echo 'We trust you have received the usual lecture from the local System Administrator.' >&2; }
case $SUDO_MODE in
nopasswd) ;;
resolve) echo 'sudo: unable to resolve host web-1: Name or service not known' >&2 ;;
password) ask ;;
lecture) [ -n "$n" ] || lecture; ask ;;
ownprompt) if [ -z "$n" ]; then p='Password for vagrant@REALM: '; fi; ask ;;
denied) echo 'vagrant is not in the sudoers file.  This incident will be reported.' >&2; exit 1 ;;
notallowed) echo "Sorry, user vagrant is not allowed to execute '/bin/sh' as root on web-1." >&2; exit 1 ;;
requiretty) if ! [ -t 0 ]; then echo 'sudo: sorry, you must have a tty to run sudo' >&2; exit 1; fi ;;
ttypassword) if ! [ -t 0 ]; then echo 'sudo: sorry, you must have a tty to run sudo' >&2; exit 1; fi; ask ;;
missing) echo 'sh: 1: exec: sudo: not found' >&2; exit 127 ;; # what dash says; the receiver adds the system's PATH
broken) echo 'sudo: /etc/sudo.conf is world writable' >&2; exit 1 ;;
esac
SUDO_UID=1000 AS_ROOT=yes; export SUDO_UID AS_ROOT
exec "$@"
`

// sudoBed is a bed whose PATH begins with a sudo that plays the given mode.
func sudoBed(t *testing.T, mode string) *bed {
	t.Helper()
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "sudo"), []byte(fakeSudo), 0o755); err != nil {
		t.Fatal(err)
	}
	path := bin + ":" + os.Getenv("PATH")
	b := newBed(t, func(o *sshserver.Options) {
		shellOf(o).Env = []string{"PATH=" + path, "SUDO_MODE=" + mode, "SUDO_DIR=" + bin}
	})
	t.Cleanup(func() {
		if words, err := os.ReadFile(filepath.Join(bin, "strict")); err == nil {
			t.Errorf("sudo was called in an unexpected way: %s", words)
		}
	})
	b.dir = bin
	return b
}

func (b *bed) asked(t *testing.T) int {
	t.Helper()
	text, _ := os.ReadFile(filepath.Join(b.dir, "asked"))
	return strings.Count(string(text), "asked")
}

func rootScript() guest.Cmd {
	c := script("as root", "echo \"root=$AS_ROOT $1\"; echo warn >&2; cat", "a'b\nc")
	c.Sudo = true
	return c
}

const rootOutput = "root=yes a'b\nc\n"

func TestSudoThatWorks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode, password string
		asked          int
	}{
		{mode: "nopasswd"},
		{mode: "nopasswd", password: "not needed"},
		{mode: "resolve"},
		{mode: "password", password: "se cret$", asked: 1},
		{mode: "lecture", password: "se cret$", asked: 1},
		{mode: "ownprompt", password: "se cret$", asked: 1},
	} {
		t.Run(c.mode+" "+c.password, func(t *testing.T) {
			t.Parallel()
			b := sudoBed(t, c.mode)
			b.cfg.Getenv = env("BOXDOCTOR_SUDO_PASSWORD_WEB_1=" + c.password)
			g := b.dial(t)
			res, err := g.Run(t.Context(), rootScript())
			if err != nil || string(res.Stdout) != rootOutput || string(res.Stderr) != "warn\n" {
				t.Errorf("%v: stdout %q stderr %q", err, res.Stdout, res.Stderr)
			}
			res, err = g.Run(t.Context(), guest.Cmd{Name: "stdin", Argv: []string{"cat"}, Stdin: strings.NewReader("in\x00put"), Sudo: true})
			if err != nil || string(res.Stdout) != "in\x00put" {
				t.Errorf("%v: stdout %q", err, res.Stdout)
			}
			if got := b.asked(t); got != 2*c.asked {
				t.Errorf("sudo read %d passwords, want %d", got, 2*c.asked)
			}
			if c.password != "" && strings.Contains(b.log.String(), c.password) {
				t.Errorf("the log holds the password: %s", b.log)
			}
		})
	}
}

func TestRootNeedsNoSudo(t *testing.T) {
	b := sudoBed(t, "denied")
	b.cfg.User = "root"
	res, err := b.dial(t).Run(t.Context(), rootScript())
	if err != nil || string(res.Stdout) != "root= a'b\nc\n" {
		t.Errorf("%v %q", err, res.Stdout)
	}
}

func TestSudoErrorsAreToldApart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode, state, says, command string
	}{
		{"password", facts.SudoPassword, "a password is required", "BOXDOCTOR_SUDO_PASSWORD_WEB_1"},
		{"denied", facts.SudoDenied, "not in the sudoers file", "id"},
		{"notallowed", facts.SudoDenied, "is not allowed to execute", "id"},
		{"missing", facts.SudoMissing, "not found", "--user root"},
		{"broken", facts.SudoBroken, "world writable", "sudo -v"},
	} {
		t.Run(c.mode, func(t *testing.T) {
			b := sudoBed(t, c.mode)
			res, err := b.dial(t).Run(t.Context(), rootScript())
			var e *SudoError
			if !errors.As(err, &e) || e.State != c.state || e.Wrong || errors.Is(err, guest.ErrUnknownOutcome) {
				t.Fatalf("got %v (%+v)", err, e)
			}
			mustContain(t, e.Text, c.says)
			mustContain(t, e.Command, c.command)
			mustContain(t, err.Error(), `"as root" did not run`, c.says)
			if res.Code == 0 || len(res.Stdout) > 0 {
				t.Errorf("result %+v", res)
			}
			if b.asked(t) != 0 {
				t.Error("a password was sent though there is none")
			}
		})
	}
}

func TestSudoPasswordIsAskedForOncePerMachine(t *testing.T) {
	t.Parallel()
	b := sudoBed(t, "password")
	ask := &asker{t: t, secrets: []string{"se cret$"}}
	b.cfg.Ask = ask
	g := b.dial(t)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if res, err := g.Run(t.Context(), rootScript()); err != nil || string(res.Stdout) != rootOutput {
				t.Errorf("%v %q", err, res.Stdout)
			}
		})
	}
	wg.Wait()
	ask.done()
	mustContain(t, ask.prompts[0], "sudo password", "vagrant", "web-1")
	if strings.Contains(b.log.String(), "se cret$") {
		t.Errorf("the log holds the password: %s", b.log)
	}
}

func TestWrongSudoPasswordIsSentOnce(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"password", "ttypassword"} {
		t.Run(mode, func(t *testing.T) {
			b := sudoBed(t, mode)
			if mode == "ttypassword" {
				needTerminals(t)
			}
			b.cfg.Getenv = env("BOXDOCTOR_SUDO_PASSWORD_WEB_1=wr0ng")
			g := b.dial(t)
			for range 3 {
				_, err := g.Run(t.Context(), rootScript())
				var e *SudoError
				if !errors.As(err, &e) || e.State != facts.SudoPassword || !e.Wrong || strings.Contains(err.Error(), "wr0ng") {
					t.Fatalf("got %v", err)
				}
				mustContain(t, err.Error(), "refused the password", "BOXDOCTOR_SUDO_PASSWORD_", "next: ssh -t -p", "sudo -v")
			}
			if n := b.asked(t); n != 1 {
				t.Errorf("sudo read %d lines as passwords, want 1", n)
			}
		})
	}
}

func needTerminals(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/dev/ptmx"); err != nil {
		t.Skip("missing on this machine: /dev/ptmx")
	}
}

func TestRequireTTY(t *testing.T) {
	t.Parallel()
	needTerminals(t)
	for _, mode := range []string{"requiretty", "ttypassword"} {
		t.Run(mode, func(t *testing.T) {
			b := sudoBed(t, mode)
			b.cfg.Getenv = env("BOXDOCTOR_SUDO_PASSWORD_WEB_1=se cret$")
			g := b.dial(t)
			res, err := g.Run(t.Context(), rootScript())
			// A terminal has one stream: standard error comes with standard output.
			if want := strings.Replace(rootOutput, "c\n", "c\nwarn\n", 1); err != nil || string(res.Stdout) != want {
				t.Errorf("%v: stdout %q, want %q", err, res.Stdout, want)
			}
			data := strings.Repeat("\x00\x03\x04\x11\x13\r\n\x1a\xff", 30000)
			res, err = g.Run(t.Context(), guest.Cmd{Name: "stdin", Argv: []string{"cksum"}, Stdin: strings.NewReader(data), Sudo: true})
			var c cksum
			c.add([]byte(data))
			if want := fmt.Sprintf("%d %d\n", c.sum(), len(data)); err != nil || string(res.Stdout) != want {
				t.Errorf("%v: stdout %q, want %q", err, res.Stdout, want)
			}
			fail := script("fails", "echo why >&2; exit 5")
			fail.Sudo = true
			_, err = g.Run(t.Context(), fail)
			var exit *guest.ExitError
			if !errors.As(err, &exit) || exit.Code != 5 || exit.Stderr != "why\n" {
				t.Errorf("got %v", err)
			}
		})
	}
}
