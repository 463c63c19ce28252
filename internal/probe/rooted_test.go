package probe

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// A box of testdata/probe is a txtar archive: its comment says what it is and where its texts come from; files
// below bin/ are the guest's programs (stubs), "links" holds "name -> target" lines, "want.json" the facts,
// "run" the parameters of the probe, and everything else the guest's files.
type box struct {
	name, root, bin string
	comment         string
	run             map[string]string
	want            []byte
}

// basics are the programs of this machine that a box may use; the rest it must bring itself.
var basics = []string{"stat", "head", "tail", "sed", "grep", "sort", "find", "readlink", "cat", "tr", "od", "env", "timeout", "sleep", "date", "true", "printf"}

func openBox(t *testing.T, file string) *box {
	t.Helper()
	a := readArchive(t, file)
	// a neutral name: the probe looks for "dnf" in the paths of programs
	dir, err := os.MkdirTemp("", "probe")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	dir, err = filepath.EvalSymlinks(dir)
	must(t, err)
	b := &box{name: strings.TrimSuffix(filepath.Base(file), ".txtar"), root: filepath.Join(dir, "root"), bin: filepath.Join(dir, "bin"),
		comment: a.comment, run: map[string]string{}}
	b.link(t)
	for _, f := range a.files {
		switch {
		case f.name == "want.json":
			b.want = f.data
		case f.name == "run":
			for line := range strings.Lines(string(f.data)) {
				k, v, _ := strings.Cut(strings.TrimSpace(line), " ")
				b.run[k] = v
			}
		case f.name == "links":
			for line := range strings.Lines(string(f.data)) {
				name, target, _ := strings.Cut(strings.TrimSpace(line), " -> ")
				if filepath.IsAbs(target) {
					target = b.root + target
				}
				must(t, os.MkdirAll(filepath.Dir(filepath.Join(b.root, name)), 0o755))
				must(t, os.Symlink(target, filepath.Join(b.root, name)))
			}
		case strings.HasPrefix(f.name, "bin/"):
			must(t, os.WriteFile(filepath.Join(b.bin, f.name[4:]), append([]byte("#!/bin/sh\n"), b.place(f.data)...), 0o755))
		default:
			path := filepath.Join(b.root, f.name)
			must(t, os.MkdirAll(filepath.Dir(path), 0o755))
			mode := os.FileMode(0o644)
			if strings.Contains(f.name, "/init.d/") || strings.Contains(f.name, "sbin/") || strings.HasSuffix(f.name, "mount.vboxsf") {
				mode = 0o755
			}
			if strings.HasSuffix(f.name, "/versionlock.conf") { // its locklist is a path of the guest
				f.data = b.place(f.data)
			}
			must(t, os.WriteFile(path, f.data, mode))
			must(t, os.Chmod(path, mode))
			must(t, os.Chtimes(path, boxTime, boxTime))
		}
	}
	return b
}

// boxTime is when every file of a box was changed.
var boxTime = time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)

type archive struct {
	comment string
	files   []archived
}

type archived struct {
	name string
	data []byte
}

// readArchive reads the txtar format: a comment, then files after lines "-- NAME --".
func readArchive(t *testing.T, path string) archive {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	var a archive
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(line, " --\n") {
			a.files = append(a.files, archived{name: strings.TrimSuffix(name, " --\n")})
		} else if n := len(a.files); n > 0 {
			a.files[n-1].data = append(a.files[n-1].data, line...)
		} else {
			a.comment += line
		}
	}
	return a
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// link puts the basics into the box's bin folder.
func (b *box) link(t *testing.T) {
	must(t, os.MkdirAll(b.bin, 0o755))
	must(t, os.MkdirAll(b.root, 0o755))
	for _, name := range basics {
		prog, err := exec.LookPath(name)
		if err != nil {
			t.Skipf("%s is not installed", name)
		}
		must(t, os.Symlink(prog, filepath.Join(b.bin, name)))
	}
}

// absolute paths of the guest, as they stand in sections and stubs
var guestPath = regexp.MustCompile(`(^|[\s"'=(<:|#])/(etc|var|boot|lib|sys|proc|opt|sbin|usr|run|tmp|home|root|selinux|mnt)\b`)

// place moves absolute paths below the box's root.
func (b *box) place(text []byte) []byte {
	return guestPath.ReplaceAll(text, []byte("${1}"+b.root+"/${2}"))
}

// unplace takes the root off again.
func (b *box) unplace(out []byte) []byte {
	return []byte(strings.NewReplacer(b.root+"/", "/", b.bin+"/", "/usr/bin/").Replace(string(out)))
}

// boxRunner runs the probe's script in a box by a real shell.
type boxRunner struct {
	*localRunner
	box *box
}

func (r boxRunner) Run(ctx context.Context, c guest.Cmd) (guest.Result, error) {
	c.Script = string(r.prepare(&c))
	res, err := r.localRunner.Run(ctx, c)
	res.Stdout = r.box.unplace(res.Stdout)
	return res, err
}

// prepare returns the script as it runs in the box, and moves the paths among the arguments there.
func (r boxRunner) prepare(c *guest.Cmd) []byte {
	const grow = "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin\n"
	if strings.Count(c.Script, grow) != 1 {
		r.t.Fatal("the line that completes PATH has changed: this test would see the machine's own programs")
	}
	for i, a := range c.Args {
		if strings.HasPrefix(a, "/") {
			c.Args[i] = r.box.root + a
		}
	}
	return r.box.place([]byte(strings.Replace(c.Script, grow, "", 1)))
}

// drop takes programs away from the box.
func (b *box) drop(t *testing.T, names ...string) {
	for _, n := range names {
		must(t, os.Remove(filepath.Join(b.bin, n)))
	}
}

// in makes a runner for a shell in a box.
func (b *box) in(t *testing.T, shell ...string) boxRunner {
	r := newShell(t, shell[0], shell[1:]...)
	r.path = strings.SplitN(r.path, ":", 2)[0] + ":" + b.bin
	return boxRunner{r, b}
}

// params are the parameters of the probe: "wanted PATH OWNER GROUP", "user NAME".
func (b *box) params() Params {
	p := Params{User: b.run["user"]}
	if w := strings.Fields(b.run["wanted"]); len(w) > 0 {
		w = append(w, "", "")
		p.Wanted = []facts.SyncedFolder{{GuestPath: w[0], Owner: w[1], Group: w[2]}}
	}
	return p
}
