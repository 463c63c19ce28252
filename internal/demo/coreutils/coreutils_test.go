package coreutils

import (
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/demo/kernel"
	"github.com/boxdoctor/boxdoctor/internal/demo/memfs"
)

func runProgram(t *testing.T, stdin string, argv ...string) (out, errText string, code int) {
	t.Helper()
	tree := memfs.New(&memfs.Volume{Source: "disk", FSType: "ext4"}, time.Now)
	k := kernel.New(t.Context(), tree, Programs())
	t.Cleanup(k.Stop)
	for name := range Programs() {
		if err := tree.MkdirAll(memfs.Root, Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := tree.WriteFile(memfs.Root, Dir(name)+"/"+name, kernel.Image(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := tree.Mkdir(memfs.Root, "/tmp", 0o777); err != nil {
		t.Fatal(err)
	}
	var o, e kernel.Buffer
	p := k.Login(memfs.Root, []string{"test"}, map[string]string{"PATH": "/bin:/usr/bin"}, "/tmp", kernel.Text(stdin), &o, &e)
	st := p.Do(func() int { return p.Exec(argv) })
	return string(o.Bytes()), string(e.Bytes()), st
}

// TestUnknownOptionsAreRefused: silence would make a script believe what never happened.
func TestUnknownOptionsAreRefused(t *testing.T) {
	lenient := map[string]bool{"true": true, "false": true, "sync": true, "echo": true, "printf": true, "test": true, "[": true, "tty": true, "pwd": true,
		"yes": true, "which": true, "whoami": true, "logname": true, "logger": true, "groups": true, "seq": true, "expr": true, "kill": true,
		"tac": true, "nl": true, "printenv": true, "nohup": true, "sleep": true, "dd": true, "find": true}
	for name := range Programs() {
		if lenient[name] {
			continue
		}
		_, errText, code := runProgram(t, "", name, "--no-such-option", "x", "y")
		if code == 0 || !strings.Contains(errText, "not supported by the embedded guest") {
			t.Errorf("%s --no-such-option: status %d, %q", name, code, errText)
		}
	}
}

// regexes are POSIX expressions (extended when true), tried against the machine's own grep.
var regexes = map[string]bool{
	`^a`: false, `a$`: false, `a*b`: false, `*a`: false, `\(ab\)*c`: false, `a\{2,3\}`: false, `a+`: false, `a\+`: false, `[[:space:]]x`: false,
	`[]x]`: false, `[^]x]`: false, `[a\]`: false, `a\.b`: false, `a.b`: false, `^*a`: false, `a\|b`: false, `x^y`: false, `$x`: false, `a|b`: true,
	`(ab)+`: true, `a{2}`: true, `[.]`: true, `a\+b`: true, `^(a|b)$`: true, `(^| )x`: true, `a?b`: true, `\<ab\>`: false, `[a-c-]`: false, `(){}`: false,
}

const corpus = "a\nab\naab\naaab\nabc\nababc\n x\nx y\n]\n\\\na.b\naxb\n*a\na+\na+b\na|b\nx^y\n$x\nb\n(){}\nab cd\n-\nx\n"

func TestExpressionsMeanWhatGrepSays(t *testing.T) {
	grepPath, err := exec.LookPath("grep")
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("no GNU grep to compare with")
	}
	for pat, ext := range regexes {
		mode := "-G"
		if ext {
			mode = "-E"
		}
		cmd := exec.CommandContext(t.Context(), grepPath, mode, "--", pat)
		cmd.Env = []string{"LC_ALL=C"}
		cmd.Stdin = strings.NewReader(corpus)
		want, _ := cmd.Output()
		got, errText, _ := runProgram(t, corpus, "grep", mode, "--", pat)
		if got != string(want) {
			t.Errorf("grep %s %q: %q, GNU grep prints %q (%s)", mode, pat, got, want, errText)
		}
	}
}

func FuzzTranslate(f *testing.F) {
	for pat, ext := range regexes {
		f.Add(pat, ext)
	}
	f.Fuzz(func(t *testing.T, pat string, ext bool) {
		if out, err := translate(pat, ext); err == nil {
			_, _ = regexp.Compile(out) // a refusal is fine, a panic is not
		}
	})
}

func FuzzSed(f *testing.F) {
	for _, s := range []string{`s/a/b/g`, `/x/,$d`, `1!G;h;$!d`, `:a;N;$!ba;s/\n/,/g`, `y/ab/ba/`, `{p;d}`, `2q`, `s,/,\&,2p`, `$a\`, `/a/{s//b/}`} {
		f.Add(s, "a\nb\n")
	}
	f.Fuzz(func(t *testing.T, script, in string) {
		ps := &sedParser{src: script}
		ps.block(false)
		if ps.err == nil && len(script) < 40 && len(in) < 200 {
			_, _, _ = runProgram(t, in, "sed", script)
		}
	})
}

func TestVersionLess(t *testing.T) {
	list := []string{"1.9", "1.10", "2.6.32-358.10.2.el6", "2.6.32-358.23.2.el6", "2.6.32-754.el6", "3"}
	for i := range list {
		for j := range list {
			if got := VersionLess(list[i], list[j]); got != (i < j) {
				t.Errorf("%s < %s: %v", list[i], list[j], got)
			}
		}
	}
}
