package provision

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path"
	"slices"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

// File states.
const (
	Present = "present"
	Absent  = "absent"
)

// FileResource declares a file: content, mode and owner, or that there is none.
type FileResource struct {
	Path    string
	Content string
	Mode    os.FileMode
	// Owner and Group are names; empty: root.
	Owner, Group string
	// State is Present or Absent.
	State string
	// Validate is a program that must accept the staged file (its argument %s).
	Validate []string
	// Secret: content and diff are shown nowhere.
	Secret bool
	// Restart, Reload and Notify are told when it changes.
	Restart, Reload, Notify []string
}

// ID is "file" and the path.
func (f FileResource) ID() string { return "file" + f.Path }

// Needs are the file, its folder and whom it is to belong to.
func (f FileResource) Needs() Needs {
	n := Needs{Files: []string{f.Path, path.Dir(f.Path)}}
	return n.owners(f.Owner, f.Group)
}

func (n Needs) owners(user, group string) Needs {
	if user != "" {
		n.Users = append(n.Users, user)
	}
	if group != "" {
		n.Groups = append(n.Groups, group)
	}
	return n
}

// Diff compares existence, content, mode and owner.
func (f FileResource) Diff(s *State) ([]Change, error) {
	have, err := s.files.get(f.Path)
	switch {
	case err != nil:
		return nil, err
	case have.Exists && have.Type != "file":
		return nil, fmt.Errorf("%s is a %s in the guest, not a file; move it away first", f.Path, have.Type)
	case f.State == Absent:
		return f.remove(s, have), nil
	}
	if waits, err := f.waits(s); waits != "" || err != nil {
		return []Change{{What: "file", From: presence(have), To: Present, Waits: waits}}, err
	}
	if have.SHA256 == sum(f.Content) && have.Exists {
		return f.told(attributes(f.Path, have, f.Mode, f.Owner, f.Group)), nil
	}
	return f.told([]Change{f.write(s, have)}), nil
}

// told adds to every change who must hear of it.
func (f FileResource) told(changes []Change) []Change {
	for i := range changes {
		changes[i].Restart, changes[i].Reload, changes[i].Notify = f.Restart, f.Reload, f.Notify
	}
	return changes
}

// waits says what is not there yet that the file needs.
func (f FileResource) waits(s *State) (string, error) {
	dir, err := s.files.get(path.Dir(f.Path))
	if err != nil || !dir.Exists {
		return "the folder " + path.Dir(f.Path), err
	}
	return s.missingOwner(f.Owner, f.Group)
}

// missingOwner names the user or group that does not exist yet.
func (s *State) missingOwner(user, group string) (string, error) {
	if user != "" {
		if u, err := s.users.get(user); err != nil || !u.Exists {
			return "the user " + user, err
		}
	}
	if group != "" {
		if g, err := s.groups.get(group); err != nil || !g.Exists {
			return "the group " + group, err
		}
	}
	return "", nil
}

func presence(f File) string {
	if f.Exists {
		return Present
	}
	return Absent
}

func sum(content string) string {
	h := sha256.Sum256([]byte(content))
	return hex.EncodeToString(h[:])
}

func (f FileResource) write(s *State, have File) Change {
	put := action.PutFile{Path: f.Path, Mode: f.Mode, Content: f.Content, WasSHA256: have.SHA256,
		Owner: owner(f.Owner) + ":" + owner(f.Group), Validate: f.Validate, Secret: f.Secret}
	from, to := "absent", "sha256 "+sum(f.Content)[:12]
	if have.Exists {
		put.Backup = s.backup(f.Path)
		from = "sha256 " + have.SHA256[:12]
	}
	c := Change{What: "content", From: from, To: to, Do: []action.Action{put}}
	if !f.Secret {
		c.Diff = unified(f.Path, have.Content, f.Content)
	}
	return c
}

// backup is where the original of a file goes in the guest.
func (s *State) backup(file string) string { return action.BackupRoot + "/" + s.RunID + file }

func owner(name string) string {
	if name == "" {
		return "root"
	}
	return name
}

func (f FileResource) remove(s *State, have File) []Change {
	if !have.Exists {
		return nil
	}
	backup := s.backup(f.Path)
	job := short("remove "+f.Path, `mkdir -p "$(dirname "$2")" && cp -p "$1" "$2" && rm -f "$1"`, f.Path, backup)
	job.Undo, job.Changed = "sudo cp -p "+shell.Join([]string{backup, f.Path}), action.Files(f.Path)
	return f.told([]Change{{What: "file " + f.Path, From: Present, To: Absent, Do: []action.Action{job}}})
}

// short is a job that takes a moment.
func short(name, script string, args ...string) action.Job {
	return action.Job{Name: name, Script: "set -eu\n" + script + "\n", Args: args, Timeout: 5 * time.Minute, Brief: true}
}

// attributes are the changes of mode and owner of something whose content is right.
func attributes(p string, have File, mode os.FileMode, user, group string) []Change {
	var out []Change
	if got, want := fmt.Sprintf("%04o", have.Mode), fmt.Sprintf("%04o", mode); got != want {
		job := short("set mode "+want+" of "+p, `chmod "$1" "$2"`, want, p)
		job.Undo, job.Changed = "sudo chmod "+shell.Join([]string{got, p}), action.Modes(p)
		out = append(out, Change{What: "mode", From: got, To: want, Do: []action.Action{job}})
	}
	got, want := have.Owner+":"+have.Group, owner(user)+":"+owner(group)
	if got != want {
		job := short("give "+p+" to "+want, `chown "$1" "$2"`, want, p)
		job.Undo, job.Changed = "sudo chown "+shell.Join([]string{got, p}), action.Modes(p)
		out = append(out, Change{What: "owner", From: got, To: want, Do: []action.Action{job}})
	}
	return out
}

// DirectoryResource declares a folder with mode and owner.
type DirectoryResource struct {
	Path         string
	Mode         os.FileMode
	Owner, Group string
}

// ID is "directory" and the path.
func (d DirectoryResource) ID() string { return "directory" + d.Path }

// Needs are the folder and whom it is to belong to.
func (d DirectoryResource) Needs() Needs {
	n := Needs{Files: []string{d.Path}}
	return n.owners(d.Owner, d.Group)
}

// Diff compares existence, mode and owner. Missing parents are made with it, as root's and with mode 0755.
func (d DirectoryResource) Diff(s *State) ([]Change, error) {
	have, err := s.files.get(d.Path)
	switch {
	case err != nil:
		return nil, err
	case have.Exists && have.Type != "directory":
		return nil, fmt.Errorf("%s is a %s in the guest, not a folder; move it away first", d.Path, have.Type)
	}
	if waits, err := s.missingOwner(d.Owner, d.Group); waits != "" || err != nil {
		return []Change{{What: "directory", From: presence(have), To: Present, Waits: waits}}, err
	}
	if have.Exists {
		return attributes(d.Path, have, d.Mode, d.Owner, d.Group), nil
	}
	job := short("make the folder "+d.Path, `mkdir -p "$(dirname "$1")"; mkdir "$1"; chown "$2" "$1"; chmod "$3" "$1"`,
		d.Path, owner(d.Owner)+":"+owner(d.Group), fmt.Sprintf("%04o", d.Mode))
	job.Undo, job.Changed = "sudo rmdir "+shell.Quote(d.Path), action.Names(d.Path)
	return []Change{{What: "directory", From: Absent, To: Present, Do: []action.Action{job}}}, nil
}

// uniq is a list without what it holds twice, in its first order.
func uniq(list []string) []string {
	var out []string
	for _, v := range list {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}
