//go:build unix

package action

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// job runs a job that names its changes to its end.
func (b box) job(t *testing.T, id, script string, changed ...Change) (head, log string) {
	t.Helper()
	text := strings.ReplaceAll(jobScript(Job{Script: script, Changed: changed}, "0123", filepath.Join(b.dir, "notes", id)), dropRoot, b.dir)
	if out, code := b.sh(t, "", text, b.jobDir(id), b.dir); code != 0 || out != "" {
		t.Fatalf("start: exit status %d: %s", code, out)
	}
	return b.finish(t, id)
}

// look runs undo_look.sh for changes of one job.
func (b box) look(t *testing.T, id string, changed ...Change) []string {
	t.Helper()
	args := []string{"0123", b.dir, filepath.Join(b.dir, "jobs"), filepath.Join(b.dir, "pending")}
	for i, c := range changed {
		args = append(args, c.Kind, c.Path, filepath.Join(b.dir, "notes", id), strconv.Itoa(i+1))
	}
	out, code := b.sh(t, "", keepScript+undoLook, args...)
	if code != 0 {
		t.Fatalf("look: exit status %d: %s", code, out)
	}
	return strings.Split(strings.TrimSpace(out), "\n")
}

// TestJobsNoteWhatTheyChange: how things were and how the job left them is there whatever the job's end, and the old
// file with it; undoing puts all of it back and, the second time, does nothing.
func TestJobsNoteWhatTheyChange(t *testing.T) {
	shells(t, func(t *testing.T, b box) {
		file, link, gone, made := b.write(t, "etc/a file", "old\n", 0o640), filepath.Join(b.dir, "link"), b.write(t, "gone", "was here\n", 0o600), filepath.Join(b.dir, "made dir")
		must(t, os.Symlink("/nowhere/old", link))
		changed := append(Files(file, gone), Names(link, made)...)
		head, log := b.job(t, "0123-1", `cd "$1"; echo new >"etc/a file"; rm gone; ln -sfn /nowhere/new link; mkdir "made dir"; exit 3`, changed...)
		if head != "done 3" || log != "" {
			t.Fatalf("%q %q", head, log)
		}
		var args []string
		states := map[string]string{}
		for _, l := range b.look(t, "0123-1", changed...) {
			what, state, _ := strings.Cut(l, " ")
			when, state, _ := strings.Cut(state, " ")
			states[what+" "+when] = state
		}
		who := fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid())
		for key, want := range map[string]string{
			"0 was": "file " + sum("old\n") + " 640 " + who, "0 left": "file " + sum("new\n") + " 640 " + who, "0 now": states["0 left"],
			"1 was": "file " + sum("was here\n") + " 600 " + who, "1 left": "absent", "2 was": "link /nowhere/old", "2 left": "link /nowhere/new",
			"3 was": "absent", "3 left": "dir", "known 0123": "",
		} {
			if states[key] != want {
				t.Errorf("%s is %q, want %q", key, states[key], want)
			}
		}
		for i, c := range changed {
			n := strconv.Itoa(i)
			args = append(args, c.Kind, c.Path, states[n+" was"], states[n+" left"], filepath.Join(b.dir, "notes/0123-1", strconv.Itoa(i+1)))
		}
		for range 2 {
			if out, code := b.sh(t, "", keepScript+undoPut, args...); code != 0 {
				t.Fatalf("undo: exit status %d: %s", code, out)
			}
			to, _ := os.Readlink(link)
			if _, err := os.Lstat(made); err == nil || b.read(t, "etc/a file") != "old\n" || b.read(t, "gone") != "was here\n" || to != "/nowhere/old" {
				t.Errorf("not as it was: %q %q %q", b.read(t, "etc/a file"), b.read(t, "gone"), to)
			}
		}
		b.write(t, "etc/a file", "mine\n", 0o640)
		if out, code := b.sh(t, "", keepScript+undoPut, args...); code != 9 || b.read(t, "etc/a file") != "mine\n" || !strings.Contains(out, "was changed since boxdoctor left it") {
			t.Errorf("exit status %d, %q: %s", code, b.read(t, "etc/a file"), out)
		}
	})
}

// TestWithoutACopyNothingIsChanged: a disk that is full must not cost the way back.
func TestWithoutACopyNothingIsChanged(t *testing.T) {
	shells(t, func(t *testing.T, b box) {
		b.write(t, "notes", "in the way of the folder\n", 0o600)
		file := b.write(t, "file", "old\n", 0o644)
		head, log := b.job(t, "0123-1", `echo new >"$1/file"`, Files(file)...)
		if head != "done 73" || b.read(t, "file") != "old\n" || !strings.Contains(log, "nothing was changed") {
			t.Errorf("%q %q, the file holds %q", head, log, b.read(t, "file"))
		}
	})
}

// TestAFileBehindALink: the link stays a link, and what it leads to goes back.
func TestAFileBehindALink(t *testing.T) {
	shells(t, func(t *testing.T, b box) {
		b.write(t, "real", "old\n", 0o644)
		link := filepath.Join(b.dir, "link")
		must(t, os.Symlink("real", link))
		b.job(t, "0123-1", `echo new >"$1/link"`, Files(link)...)
		args := []string{KindFile, link, "file " + sum("old\n"), "file " + sum("new\n"), filepath.Join(b.dir, "notes/0123-1/1")}
		out, code := b.sh(t, "", keepScript+undoPut, args...)
		if to, _ := os.Readlink(link); code != 0 || to != "real" || b.read(t, "real") != "old\n" {
			t.Errorf("exit status %d, link to %q, %q: %s", code, to, b.read(t, "real"), out)
		}
	})
}

// TestWhoHoldsAMountIsNamed reads /proc, because not every guest has fuser.
func TestWhoHoldsAMountIsNamed(t *testing.T) {
	if _, err := os.Readlink("/proc/self/cwd"); err != nil {
		t.Skip("this system has no /proc")
	}
	shells(t, func(t *testing.T, b box) {
		held := filepath.Join(b.dir, "held")
		must(t, os.MkdirAll(filepath.Join(held, "below"), 0o755))
		holder := exec.CommandContext(t.Context(), "sleep", "60")
		holder.Dir = filepath.Join(held, "below")
		must(t, holder.Start())
		defer func() { _ = holder.Process.Kill(); _ = holder.Wait() }()
		functions, _, _ := strings.Cut(undoPut, "\nstatus=0\n")
		out, _ := b.sh(t, "", keepScript+functions+"\nholders \"$1\"\n", held)
		if want := fmt.Sprintf("boxdoctor: %s is used by sleep (process %d)\n", held, holder.Process.Pid); out != want {
			t.Errorf("%q, want %q", out, want)
		}
	})
}

// TestModesGoBackAlone: permissions of a folder and of a file go back, and what the file holds by now stays.
func TestModesGoBackAlone(t *testing.T) {
	shells(t, func(t *testing.T, b box) {
		file, dir := b.write(t, "file", "old\n", 0o4755), filepath.Join(b.dir, "a folder")
		must(t, os.Mkdir(dir, 0o755))
		must(t, os.Chmod(file, 0o755|os.ModeSetuid))
		b.job(t, "0123-1", `cd "$1"; chmod 0600 file; chmod 0700 "a folder"`, Modes(file, dir)...)
		b.write(t, "file", "newer\n", 0o600)
		who := fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid())
		args := []string{KindMode, file, "mode 4755 " + who, "mode 600 " + who, "", KindMode, dir, "mode 755 " + who, "mode 700 " + who, ""}
		if got := strings.Join(b.look(t, "0123-1", Modes(file, dir)...), "; "); !strings.Contains(got, "0 was "+args[2]+"; 0 left "+args[3]) || !strings.Contains(got, "1 left "+args[8]) {
			t.Error(got)
		}
		out, code := b.sh(t, "", keepScript+undoPut, args...)
		a, err := os.Stat(file)
		must(t, err)
		d, err := os.Stat(dir)
		must(t, err)
		if code != 0 || a.Mode() != 0o755|os.ModeSetuid || d.Mode().Perm() != 0o755 || b.read(t, "file") != "newer\n" {
			t.Errorf("exit status %d, %v, %v: %s", code, a.Mode(), d.Mode(), out)
		}
	})
}
