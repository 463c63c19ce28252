package sshguest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/sshserver"
)

// shells are the login shells that guests have; those that this machine lacks are skipped by name.
var shells = []string{"sh", "bash", "dash", "ash", "ksh", "zsh", "csh", "tcsh", "fish"}

// findShell returns a shell's path. ash is played by busybox under that name.
func findShell(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	if name == "ash" {
		if busybox, err := exec.LookPath("busybox"); err == nil {
			return link(t, busybox, "ash")
		}
	}
	t.Skip("missing on this machine: " + name)
	return ""
}

func link(t *testing.T, to, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(to, path); err != nil {
		t.Skip(err)
	}
	return path
}

// trials are steps that every guest must run the same way. trial fails the test when one does not.
func trial(t *testing.T, g *Guest) {
	t.Helper()
	nasty := "a'b\"c $HOME `id` \\n !! * ? {x,y} ~ # ; & | \n  tab\there\r\n ü"
	for _, c := range []struct {
		cmd guest.Cmd
		out string
	}{
		{script("script", "IFS= read -r x; printf '%s|%s|%s' \"$#\" \"$1\" \"$x\"; cat", nasty, "2"), "2|" + nasty + "|"},
		{guest.Cmd{Name: "argv", Argv: []string{"printf", "%s|", nasty, ""}}, nasty + "||"},
		{guest.Cmd{Name: "stdin", Argv: []string{"cat"}, Stdin: strings.NewReader("\x00\x01\xff" + nasty)}, "\x00\x01\xff" + nasty},
		{script("long", strings.Repeat("# a comment that makes the script longer than any pipe's buffer\n", 2000)+"echo end\n"), "end\n"},
	} {
		res, err := g.Run(t.Context(), c.cmd)
		if err != nil || string(res.Stdout) != c.out || len(res.Stderr) > 0 {
			t.Errorf("%s: %v: stdout %.200q stderr %.200q, want %.200q", c.cmd.Name, err, res.Stdout, res.Stderr, c.out)
		}
	}
	if _, err := g.Run(t.Context(), script("status", "exit 42")); err == nil || !strings.Contains(err.Error(), "exit status 42") {
		t.Errorf("status: %v", err)
	}
}

// The login shell parses the one constant line; the shell called sh does the rest.
func TestLoginShells(t *testing.T) {
	t.Parallel()
	for _, name := range shells {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := findShell(t, name)
			trial(t, newBed(t, func(o *sshserver.Options) { shellOf(o).Shell = path }).dial(t))
		})
	}
}

func TestShellsCalledSh(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"bash", "dash", "ash", "ksh", "zsh"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sh := link(t, findShell(t, name), "sh")
			if name == "ash" {
				sh = link(t, mustLook(t, "busybox"), "sh")
			}
			trial(t, newBed(t, func(o *sshserver.Options) {
				shellOf(o).Env = []string{"PATH=" + filepath.Dir(sh) + ":" + os.Getenv("PATH")}
			}).dial(t))
		})
	}
}

func mustLook(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip("missing on this machine: " + name)
	}
	return path
}

// One session for N questions against a session for each. Run with -bench Sessions.
func BenchmarkSessions(b *testing.B) {
	for _, n := range []int{1, 17} {
		one := script("one session", strings.Repeat("( uname -r ) </dev/null\n", n))
		each := script("a session each", "( uname -r ) </dev/null\n")
		for name, steps := range map[string][]guest.Cmd{"one": {one}, "each": repeat(each, n)} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) { runAll(b, steps) })
		}
	}
}

func repeat(c guest.Cmd, n int) (all []guest.Cmd) {
	for range n {
		all = append(all, c)
	}
	return all
}

func runAll(b *testing.B, steps []guest.Cmd) {
	s, err := sshserver.Start(b.Context(), sshserver.Options{Handler: &sshserver.ShellHandler{}})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	g, _, err := Dial(b.Context(), Config{Name: "b", User: "u", Host: s.Host(), Port: s.Port(), NoHostKeyFile: true})
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	for b.Loop() {
		for _, c := range steps {
			if _, err := g.Run(b.Context(), c); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkDialAndStep is a dial, one step and the close.
func BenchmarkDialAndStep(b *testing.B) {
	s, err := sshserver.Start(b.Context(), sshserver.Options{Handler: &sshserver.ShellHandler{}})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for b.Loop() {
		g, _, err := Dial(b.Context(), Config{Name: "b", User: "u", Host: s.Host(), Port: s.Port(), NoHostKeyFile: true})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := g.Run(b.Context(), script("x", "true")); err != nil {
			b.Fatal(err)
		}
		g.Close()
	}
}
