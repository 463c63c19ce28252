package sshguest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/sshserver"
)

// ways are the two ways of an upload.
var ways = map[string]sshserver.Faults{"sftp": {}, "cat": {NoSFTP: true}, "cat, sftp-server missing": {NoSFTPServer: true}}

// noise is n bytes that are the same in every run.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.New(rand.NewSource(1)).Read(b)
	return b
}

// leftovers are the temporary files in a folder.
func leftovers(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, ".boxdoctor-*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestPut(t *testing.T) {
	t.Parallel()
	for name, f := range ways {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, nil)
			b.Order(f)
			g := b.dial(t)
			for _, size := range []int{0, 1, 100_000, 3_000_001} {
				content := noise(size)
				for _, mode := range []os.FileMode{0o600, 0o755} { // the second one replaces
					var last int64
					progress := func(n int64) {
						if n < last {
							t.Errorf("progress went back from %d to %d", last, n)
						}
						last = n
					}
					err := g.Put(t.Context(), "file with 'quotes' and spaces", mode, bytes.NewReader(content), int64(size), progress)
					if err != nil {
						t.Fatal(err)
					}
					file := filepath.Join(b.dir, "file with 'quotes' and spaces")
					got, err := os.ReadFile(file)
					if err != nil || !bytes.Equal(got, content) {
						t.Fatalf("size %d: %d bytes arrived, %v", size, len(got), err)
					}
					if fi, _ := os.Stat(file); fi.Mode().Perm() != mode {
						t.Errorf("mode %v, want %v", fi.Mode().Perm(), mode)
					}
					if last != int64(size) {
						t.Errorf("progress ended at %d of %d", last, size)
					}
				}
			}
			if l := leftovers(t, b.dir); len(l) > 0 {
				t.Errorf("left behind: %v", l)
			}
		})
	}
}

func TestPutThatFailsLeavesTheOldFile(t *testing.T) {
	t.Parallel()
	for name, f := range ways {
		for _, c := range []struct {
			name, path, says string
			src              io.Reader
			size             int64
		}{
			{"too short", "old", "gave 3 bytes, expected 5", strings.NewReader("abc"), 5},
			{"too long", "old", "gave 7 bytes, expected 5", strings.NewReader("abcdefg"), 5},
			{"source fails", "old", "boom", io.MultiReader(strings.NewReader("ab"), errReader{errors.New("boom")}), 5},
			{"no such folder", "nowhere/old", "nowhere", strings.NewReader("abc"), 3},
			{"a folder has the name", "folder", "", strings.NewReader("abc"), 3},
		} {
			t.Run(name+", "+c.name, func(t *testing.T) {
				b := newBed(t, nil)
				b.Order(f)
				if err := os.WriteFile(filepath.Join(b.dir, "old"), []byte("old"), 0o644); err != nil {
					t.Fatal(err)
				}
				if err := os.Mkdir(filepath.Join(b.dir, "folder"), 0o755); err != nil {
					t.Fatal(err)
				}
				err := b.dial(t).Put(t.Context(), c.path, 0o644, c.src, c.size, nil)
				if err == nil {
					t.Fatal("no error")
				}
				mustContain(t, err.Error(), "upload to "+c.path, c.says)
				if got := read(t, filepath.Join(b.dir, "old")); got != "old" {
					t.Errorf("the old file now holds %q", got)
				}
				inFolder, _ := os.ReadDir(filepath.Join(b.dir, "folder"))
				if l := leftovers(t, b.dir); len(l)+len(inFolder) > 0 {
					t.Errorf("left behind: %v %v", l, inFolder)
				}
			})
		}
	}
}

// trickle gives a little at a time and can be told to do something in the middle.
type trickle struct {
	n, at int
	do    func()
}

func (s *trickle) Read(p []byte) (int, error) {
	if s.n <= 0 {
		return 0, io.EOF
	}
	if s.n == s.at && s.do != nil {
		s.do()
	}
	s.n--
	time.Sleep(time.Millisecond)
	return copy(p, make([]byte, 1024)), nil
}

func TestPutIsCutOff(t *testing.T) {
	t.Parallel()
	for name, f := range ways {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, nil)
			b.Order(f)
			g := b.dial(t)
			err := g.Put(t.Context(), "x", 0o644, &trickle{n: 500, at: 250, do: b.DropAll}, 500*1024, nil)
			if !errors.Is(err, guest.ErrLinkLost) {
				t.Errorf("got %v", err)
			}
			if _, err := os.Stat(filepath.Join(b.dir, "x")); err == nil {
				t.Error("half a file under the final name")
			}
			// The next one dials again.
			if err := g.Put(t.Context(), "x", 0o644, strings.NewReader("whole"), 5, nil); err != nil {
				t.Fatal(err)
			}
			if got := read(t, filepath.Join(b.dir, "x")); got != "whole" {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestPutIsCancelled(t *testing.T) {
	t.Parallel()
	for name, f := range ways {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, nil)
			b.Order(f)
			g := b.dial(t)
			ctx, cancel := context.WithCancel(t.Context())
			start := time.Now()
			err := g.Put(ctx, "x", 0o644, &trickle{n: 100000, at: 99900, do: cancel}, 100000*1024, nil)
			if !errors.Is(err, context.Canceled) || time.Since(start) > 10*time.Second {
				t.Errorf("after %s: %v", time.Since(start), err)
			}
			if _, err := os.Stat(filepath.Join(b.dir, "x")); err == nil {
				t.Error("half a file under the final name")
			}
			if _, err := g.Run(t.Context(), script("next", "true")); err != nil {
				t.Error(err)
			}
			if conns, _ := b.Counts(); conns != 1 {
				t.Errorf("%d connections: a cancelled upload must not cost the link", conns)
			}
		})
	}
}

func TestSFTPIsAskedForOnce(t *testing.T) {
	b := newBed(t, nil)
	b.Order(sshserver.Faults{NoSFTP: true})
	g := b.dial(t)
	if err := g.Put(t.Context(), "a", 0o644, strings.NewReader("1"), 1, nil); err != nil {
		t.Fatal(err)
	}
	b.Order(sshserver.Faults{})
	_, before := b.Counts()
	if err := g.Put(t.Context(), "b", 0o644, strings.NewReader("2"), -1, nil); err != nil {
		t.Fatal(err)
	}
	if _, after := b.Counts(); after-before != 2 {
		t.Errorf("%d exec requests, want 2 (cat, rename)", after-before)
	}
}

func TestCksumIsPOSIX(t *testing.T) {
	tool, err := exec.LookPath("cksum")
	if err != nil {
		t.Skip("missing on this machine: cksum")
	}
	for _, n := range []int{0, 1, 255, 256, 70000} {
		var c cksum
		c.add(noise(n))
		cmd := exec.CommandContext(t.Context(), tool)
		cmd.Stdin = bytes.NewReader(noise(n))
		out, err := cmd.Output()
		if want := fmt.Sprintf("%d %d\n", c.sum(), n); err != nil || string(out) != want {
			t.Errorf("cksum says %q, we say %q (%v)", out, want, err)
		}
	}
}

func TestSumsNoticeDamage(t *testing.T) {
	s := newSums()
	_, _ = s.Write([]byte("hello\n"))
	for answer, want := range map[string]string{
		"6 sha256 5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03": "",
		"6 cksum 3015617425": "",
		"6 cksum 3015617426": "damaged",
		"6 sha256 00":        "damaged",
		"5 cksum 3015617425": "disk may be full",
		"":                   "did not say",
		"\x1b[31mx":          "did not say",
	} {
		err := s.verify(answer, 6)
		if (want == "") != (err == nil) || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\x1b")) {
			t.Errorf("%q: %v, want %q", answer, err, want)
		}
	}
}
