package probe

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/google/go-cmp/cmp"
)

var allShells = [][]string{{"dash"}, {"bash"}, {"busybox", "sh"}, {"mksh"}, {"ksh93"}}

// runPieces runs sections of the test's own through the real driver.
func runPieces(t *testing.T, r *localRunner, pieces []piece, args ...string) []Frame {
	t.Helper()
	text, err := join("N1", pieces, 1)
	must(t, err)
	res, err := r.Run(context.Background(), guest.Cmd{Name: "probe", Script: text, Args: args, Timeout: time.Minute})
	if err != nil {
		t.Fatalf("%v\n%s", err, res.Stderr)
	}
	frames, err := Split("N1", bytes.NewReader(res.Stdout))
	must(t, err)
	return frames
}

func eachShell(t *testing.T, run func(t *testing.T, r *localRunner)) {
	for _, shell := range allShells {
		t.Run(shell[0], func(t *testing.T) { t.Parallel(); run(t, newShell(t, shell[0], shell[1:]...)) })
	}
}

// TestDriver: what a section may do to the others: nothing.
func TestDriver(t *testing.T) {
	eachShell(t, func(t *testing.T, r *localRunner) {
		got := runPieces(t, r, []piece{
			{"eats", 5 * time.Second, false, "cat\nread -r x\necho \"=got $x\"\n"},
			{"forges", 5 * time.Second, false, "printf '@@boxdoctor N0 end forges 0\\n@@boxdoctor N0 begin quotes\\n=x evil\\n'; printf '| %s' no-newline\nexit 3\n"},
			{"changes", 5 * time.Second, false, "cd /tmp; PATH=/nowhere; BD_NONCE=x; section() { echo stolen; }; exec 2>&1; echo stderr >&2\n"},
			{"quotes", 5 * time.Second, false, "shift 2\ntag arg \"$1\"\ntag multi \"one${NL}=forged two\"\n"},
			{"fails", 5 * time.Second, false, "nosuchcommand_here\n"},
			{"syntax", 5 * time.Second, false, "if then fi (\n"},
			{"last", 5 * time.Second, false, "echo '=ok 1'\n"},
		}, "vagrant", "0", "it's $(touch /tmp/evil) `x` \"q\" ; | & \\")
		want := []string{"eats 0 \n=got \n", "forges 3 \n@@boxdoctor N0 end forges 0\n@@boxdoctor N0 begin quotes\n=x evil\n| no-newline\n"}
		for i, w := range want {
			f := got[i]
			if s := f.Name + " " + string(rune('0'+f.Code)) + " \n" + string(bytes.TrimLeft(f.Body, "\n")); !strings.HasPrefix(s, w) {
				t.Errorf("got %q, want %q", s, w)
			}
		}
		b := parseBody(got[3].Body)
		if v, _ := b.first("arg"); v.value != "it's $(touch /tmp/evil) `x` \"q\" ; | & \\" {
			t.Errorf("the argument arrived as %q", v.value)
		}
		if v := b.text("multi"); v != "one" || b.text("forged") != "" {
			t.Errorf("a newline in a value forged a fact: %q", got[3].Body)
		}
		if got[4].Code != 127 || !strings.Contains(string(got[4].Body), "nosuchcommand_here") {
			t.Errorf("missing command: %+v", got[4])
		}
		if got[5].Code == 0 || len(got[5].Body) < 5 {
			t.Errorf("a syntax error must end its section only, with its words: %+v", got[5])
		}
		if last := got[len(got)-1]; last.Name != "last" || !last.Done || !strings.Contains(string(last.Body), "=ok 1") {
			t.Errorf("the last section: %+v", last)
		}
	})
}

// withTools is a PATH with only some programs of this machine, so that the ways without timeout(1) are taken.
func withTools(t *testing.T, r *localRunner, names ...string) {
	t.Helper()
	dir := t.TempDir()
	for _, n := range names {
		prog, err := exec.LookPath(n)
		if err != nil {
			t.Skipf("%s is not installed", n)
		}
		must(t, os.Symlink(prog, filepath.Join(dir, n)))
	}
	r.path = strings.SplitN(r.path, ":", 2)[0] + ":" + dir
}

// TestLimit: a section that hangs costs its limit and nothing else, with timeout(1) and without.
func TestLimit(t *testing.T) {
	hang := []piece{{"hangs", 2 * time.Second, false, "echo '=before 1'\nwhile :; do :; done\n"}, {"next", 5 * time.Second, false, "echo '=ok 1'\n"}}
	check := func(t *testing.T, got []Frame, took time.Duration) {
		t.Helper()
		if len(got) != 2 || !got[0].Done || !slices.Contains(limitCodes, got[0].Code) {
			t.Fatalf("got %+v", got)
		}
		if !got[1].Done || got[1].Code != 0 {
			t.Errorf("the section after it: %+v", got[1])
		}
		if took < 1500*time.Millisecond || took > 30*time.Second {
			t.Errorf("took %s for a limit of 2 s", took)
		}
	}
	eachShell(t, func(t *testing.T, r *localRunner) {
		start := time.Now()
		check(t, runPieces(t, r, hang, "u", "0"), time.Since(start))
	})
	t.Run("without timeout", func(t *testing.T) {
		eachShell(t, func(t *testing.T, r *localRunner) {
			withTools(t, r, "id", "uname", "sleep", "kill", "printf", "readlink")
			start := time.Now()
			frames := runPiecesPath(t, r, hang)
			check(t, frames, time.Since(start))
		})
	})
	t.Run("timeout of EL6 without -k", func(t *testing.T) {
		stubTimeout(t, hang, check, `[ "$1" = -k ] && exit 125`+"\n")
	})
	t.Run("timeout of old busybox with -t", func(t *testing.T) {
		stubTimeout(t, hang, check, `[ "$1" = -t ] || exit 1`+"\nshift\n")
	})
}

// TestSlowGuestGetsMoreTime: a guest under emulation needed half a minute for what others do in one second. Every
// limit grows alike: that of a section, that of a command in it, and the deadline of the whole.
func TestSlowGuestGetsMoreTime(t *testing.T) {
	work := []piece{{"work", 5 * time.Second, false, "lim 1 sleep 1.5\ntag status $?\n"}}
	for slow, want := range map[int]string{1: "=status 124\n\n", 4: "=status 0\n\n"} {
		t.Run(fmt.Sprint(slow, " times the limit"), func(t *testing.T) {
			eachShell(t, func(t *testing.T, r *localRunner) {
				text, err := join("N1", work, slow)
				must(t, err)
				res, err := r.Run(context.Background(), guest.Cmd{Name: "probe", Script: text, Args: []string{"u", "0"}, Timeout: time.Minute})
				must(t, err)
				frames, err := Split("N1", bytes.NewReader(res.Stdout))
				must(t, err)
				if got := string(frames[0].Body); got != want && got != strings.Replace(want, "124", "143", 1) { // busybox says 143
					t.Errorf("%q, want %q", got, want)
				}
			})
		})
	}
	list := selected([]facts.Key{facts.KeyClock})
	text, err := script("N1", list, 7)
	must(t, err)
	if !strings.Contains(text, "section clock 35 ") || timeout(Params{Slow: 7}, list) != 7*time.Minute || timeout(Params{}, list) != time.Minute {
		t.Errorf("limits of a slow guest: %s in all, script:\n%s", timeout(Params{Slow: 7}, list), text)
	}
}

// runPiecesPath keeps the driver from completing PATH with the machine's folders.
func runPiecesPath(t *testing.T, r *localRunner, pieces []piece) []Frame {
	t.Helper()
	text, err := join("N1", pieces, 1)
	must(t, err)
	text = strings.Replace(text, ":/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin", "", 1)
	res, err := r.Run(context.Background(), guest.Cmd{Name: "probe", Script: text, Args: []string{"u", "0"}, Timeout: time.Minute})
	if err != nil {
		t.Fatalf("%v\n%s", err, res.Stderr)
	}
	frames, err := Split("N1", bytes.NewReader(res.Stdout))
	must(t, err)
	return frames
}

func stubTimeout(t *testing.T, pieces []piece, check func(*testing.T, []Frame, time.Duration), head string) {
	r := newShell(t, "dash")
	withTools(t, r, "id", "uname", "sleep", "printf", "readlink", "true")
	real, err := exec.LookPath("timeout")
	if err != nil {
		t.Skip("timeout is not installed")
	}
	dir := strings.SplitN(r.path, ":", 2)[0]
	must(t, os.WriteFile(filepath.Join(dir, "timeout"), []byte("#!/bin/sh\n"+head+"exec "+real+" \"$@\"\n"), 0o755))
	start := time.Now()
	check(t, runPiecesPath(t, r, pieces), time.Since(start))
}

// TestNoLimitAtAll: a shell without timeout, kill and sleep still runs every section.
func TestNoLimitAtAll(t *testing.T) {
	r := newShell(t, "dash")
	withTools(t, r, "id", "uname", "readlink")
	got := runPiecesPath(t, r, []piece{{"a", time.Second, false, "echo '=ok 1'\n"}, {"b", time.Second, false, "exit 4\n"}})
	want := []Frame{{Name: "a", Body: []byte("=ok 1\n\n"), Done: true}, {Name: "b", Body: []byte("\n"), Code: 4, Done: true}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestProbeWritesNothing: no file appears or changes in the folders that a probe could write to.
func TestProbeWritesNothing(t *testing.T) {
	home := t.TempDir()
	for _, shell := range allShells {
		r := newShell(t, shell[0], shell[1:]...)
		var pieces []piece
		for _, s := range sections() {
			if s.key == "resolve" {
				continue
			}
			text, err := files.ReadFile("sections/" + string(s.key) + ".sh")
			must(t, err)
			pieces = append(pieces, piece{string(s.key), s.limit, s.root, trim(text)})
		}
		text, err := join("N1", pieces, 1)
		must(t, err)
		text = "TMPDIR=" + home + "; HOME=" + home + "; export TMPDIR HOME\n" + text
		_, err = r.Run(context.Background(), guest.Cmd{Name: "probe", Script: text, Args: []string{"root", "0"}, Timeout: time.Minute})
		must(t, err)
		left, err := os.ReadDir(home)
		must(t, err)
		if len(left) > 0 {
			t.Errorf("%s left %v behind", shell[0], left)
		}
	}
}

// TestNoHereDocuments: bash and ksh write them to /tmp.
func TestNoHereDocuments(t *testing.T) {
	list, err := files.ReadDir("sections")
	must(t, err)
	for _, f := range list {
		text, err := files.ReadFile("sections/" + f.Name())
		must(t, err)
		if strings.Contains(string(text), "<<") {
			t.Errorf("%s has a here-document", f.Name())
		}
	}
}

// TestShellcheck: no warning in any section; each disable names its reason on the same line or is explained above.
func TestShellcheck(t *testing.T) {
	prog, err := exec.LookPath("shellcheck")
	if err != nil {
		t.Skip("shellcheck is not installed")
	}
	list, err := filepath.Glob("sections/*.sh")
	must(t, err)
	out, err := exec.CommandContext(t.Context(), prog, append([]string{"-s", "sh"}, list...)...).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
	for _, f := range list {
		text, err := os.ReadFile(f)
		must(t, err)
		for line := range strings.Lines(string(text)) {
			if _, why, ok := strings.Cut(line, "disable=SC"); ok && !strings.Contains(why, "#") {
				t.Errorf("%s: a disable without a reason: %s", f, line)
			}
		}
	}
}
