package probe

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
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
var basics = []string{"stat", "head", "tail", "sed", "grep", "sort", "find", "readlink", "cat", "tr", "od", "env", "timeout", "sleep", "date", "true"}

func openBox(t *testing.T, file string) *box {
	t.Helper()
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	b := &box{name: strings.TrimSuffix(filepath.Base(file), ".txtar"), root: filepath.Join(dir, "root"), bin: filepath.Join(dir, "bin"),
		comment: string(a.Comment), run: map[string]string{}}
	b.link(t)
	for _, f := range a.Files {
		switch {
		case f.Name == "want.json":
			b.want = f.Data
		case f.Name == "run":
			for line := range strings.Lines(string(f.Data)) {
				k, v, _ := strings.Cut(strings.TrimSpace(line), " ")
				b.run[k] = v
			}
		case f.Name == "links":
			for line := range strings.Lines(string(f.Data)) {
				name, target, _ := strings.Cut(strings.TrimSpace(line), " -> ")
				if filepath.IsAbs(target) {
					target = b.root + target
				}
				must(t, os.MkdirAll(filepath.Dir(filepath.Join(b.root, name)), 0o755))
				must(t, os.Symlink(target, filepath.Join(b.root, name)))
			}
		case strings.HasPrefix(f.Name, "bin/"):
			must(t, os.WriteFile(filepath.Join(b.bin, f.Name[4:]), append([]byte("#!/bin/sh\n"), b.place(f.Data)...), 0o755))
		default:
			path := filepath.Join(b.root, f.Name)
			must(t, os.MkdirAll(filepath.Dir(path), 0o755))
			mode := os.FileMode(0o644)
			if strings.Contains(f.Name, "/init.d/") || strings.Contains(f.Name, "sbin/") || strings.HasSuffix(f.Name, "mount.vboxsf") {
				mode = 0o755
			}
			must(t, os.WriteFile(path, f.Data, mode))
		}
	}
	return b
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
var guestPath = regexp.MustCompile(`(^|[\s"'=(<:|])/(etc|var|boot|lib|sys|proc|opt|sbin|usr|run|tmp|home|root|selinux|mnt)\b`)

// place moves absolute paths below the box's root.
func (b *box) place(text []byte) []byte {
	return guestPath.ReplaceAll(text, []byte("${1}"+b.root+"/${2}"))
}

// unplace takes the root off again.
func (b *box) unplace(out []byte) []byte {
	return []byte(strings.ReplaceAll(string(out), b.root+"/", "/"))
}
