package fixes

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// The fixes of host*.go repair what stands in the way of `vagrant up` on the host. A finding whose repair needs
// administrator rights prints its command instead: boxdoctor elevates nothing.

// within splits a path into a folder that is the user's own and the rest below it: what lies in a project may be written
// by a guest, so it is never followed out of there.
func within(folder, file string) (string, string) {
	rel, err := filepath.Rel(folder, file)
	if folder == "" || err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return filepath.Dir(file), filepath.Base(file)
	}
	return folder, filepath.ToSlash(rel)
}

// backup is where the original of a file goes.
func (in Input) backup(file string) string {
	return action.HostBackup(filepath.Join(in.Backups, in.RunID), file)
}

// rewrite replaces the content of a file that was read.
func (in Input) rewrite(folder string, f facts.TextFile, content string) action.HostFile {
	dir, name := within(folder, f.Path)
	return action.HostFile{Folder: dir, Name: name, Was: f.Content, Content: content, Mode: 0o644, Backup: in.backup(f.Path)}
}

// remove takes a file away that was read.
func (in Input) remove(folder string, f facts.TextFile) action.HostFile {
	h := in.rewrite(folder, f, "")
	h.Remove = true
	return h
}

// errLink: a guest may have put a link there, so it is not touched.
var errLink = errors.New("is no plain file that can be read: look at it yourself")

// eachRecord plans for every machine of the project that has a VM.
func eachRecord(in Input, plan func(p facts.Project, r facts.Record) ([]action.Action, error)) ([]action.Action, error) {
	p, err := in.Facts.Host.Preflight.Project.Get()
	if err != nil {
		return nil, err
	}
	var out []action.Action
	for _, r := range p.Records {
		if r.ID == "" {
			continue
		}
		more, err := plan(p, r)
		if err == nil && len(more) > 0 && r.Held {
			err = fmt.Errorf("a vagrant command works on machine %s right now: wait until it has ended", r.Name)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// one changes a small file of Vagrant's records.
func (in Input) one(r facts.Record, name string, change func(facts.TextFile) action.HostFile) ([]action.Action, error) {
	f := r.Files[name]
	if f.Path == "" {
		return nil, fmt.Errorf("%s %w", filepath.Join(r.Dir, name), errLink)
	}
	return []action.Action{change(f)}, nil
}

var _ = register(Fix{
	ID: "host.creator_uid", Title: "Write your user id into Vagrant's record of a VM that is yours", Impact: Harmless,
	Clears: []string{"vm.uid_mismatch"},
	Rows:   []string{"vm.uid_mismatch"},
	Why: "A VM that VirtualBox lists for you is yours, whatever Vagrant's record says; only the record is wrong. A VM of another user is left alone: " +
		"that user's VirtualBox holds it.",
	Plan: func(in Input) ([]action.Action, error) {
		sys, err := in.Facts.Host.Preflight.System.Get()
		if err != nil {
			return nil, err
		}
		own := strconv.Itoa(sys.UID)
		return eachRecord(in, func(p facts.Project, r facts.Record) ([]action.Action, error) {
			if sys.UID < 0 || !r.HasUID || r.CreatorUID == own || !r.Registered.Or(false) {
				return nil, nil
			}
			return in.one(r, "creator_uid", func(f facts.TextFile) action.HostFile { return in.rewrite(p.Root, f, own) })
		})
	},
})

var _ = register(Fix{
	ID: "host.sentinel", Title: "Take away Vagrant's old mark of a provisioned VM", Impact: Harmless,
	Clears: []string{"vm.not_provisioned_again"},
	Rows:   []string{"vm.not_provisioned_again"},
	Why:    "A mark in the form of an old Vagrant keeps provisioners from running in a VM that was made since. It is kept aside, so undo brings it back.",
	Plan: func(in Input) ([]action.Action, error) {
		return eachRecord(in, func(p facts.Project, r facts.Record) ([]action.Action, error) {
			if !r.HasProv || strings.HasPrefix(r.Provision, "1.5:") {
				return nil, nil
			}
			return in.one(r, "action_provision", func(f facts.TextFile) action.HostFile { return in.remove(p.Root, f) })
		})
	},
})

var _ = register(Fix{
	ID: "host.vagrant_cwd", Title: "Tell Vagrant where the project lies now", Impact: Harmless,
	Clears: []string{"vm.moved"},
	Rows:   []string{"vm.moved"},
	Why:    "After a project was moved Vagrant's record names the old place. Done only when it is named (--only vm.moved): of a copied project the VM belongs to the original.",
	Plan: func(in Input) ([]action.Action, error) {
		return eachRecord(in, func(p facts.Project, r facts.Record) ([]action.Action, error) {
			if p.Root == "" || r.CWD == "" || r.CWD == p.Root {
				return nil, nil
			}
			return in.one(r, "vagrant_cwd", func(f facts.TextFile) action.HostFile { return in.rewrite(p.Root, f, p.Root) })
		})
	},
})

var _ = register(Fix{
	ID: "host.key_mode", Title: "Let nobody else read the machines' keys", Impact: Harmless,
	Clears: []string{"ssh.key_mode"},
	Rows:   []string{"ssh.key_mode"},
	Why:    "ssh refuses a private key that others can read. On a file system that keeps no permissions the step says so.",
	Plan: func(in Input) ([]action.Action, error) {
		if sys, err := in.Facts.Host.Preflight.System.Get(); err != nil || in.Facts.Host.OS == "windows" || sys.WSL > 0 {
			return nil, err
		}
		return eachRecord(in, func(p facts.Project, r facts.Record) ([]action.Action, error) {
			if !r.HasKey || r.KeyMode == 0o600 {
				return nil, nil
			}
			folder, name := within(p.Root, filepath.Join(r.Dir, "private_key"))
			return []action.Action{action.HostMode{Folder: folder, Name: name, Mode: 0o600, Was: mode(r.KeyMode)}}, nil
		})
	},
})

var _ = register(Fix{
	ID: "host.cable", Title: "Plug the virtual cable in", Impact: ChangesHost,
	Clears: []string{"boot.cable"},
	Rows:   []string{"boot.cable"},
	Why:    "Without the cable of its first adapter Vagrant never reaches a VM. The setting can be changed while the VM is off.",
	Plan: func(in Input) ([]action.Action, error) {
		return eachRecord(in, func(_ facts.Project, r facts.Record) ([]action.Action, error) {
			s, err := r.Settings.Get()
			if err != nil || len(s.CableOff) == 0 {
				return nil, nil //nolint:nilerr // nothing is known to be unplugged
			}
			if vm := r.VM.Or(facts.VM{}); vm.State != "poweroff" && vm.State != "aborted" {
				return nil, fmt.Errorf("the VM of machine %s is %s: switch it off first: vagrant halt %s", r.Name, vm.State, r.Name)
			}
			var out []action.Action
			for _, n := range s.CableOff {
				thing := fmt.Sprintf("%s %d", r.ID, n)
				out = append(out, action.Manage{Name: fmt.Sprintf("plug in the cable of adapter %d of %s", n, r.Name),
					Args: action.CableArgs(thing, "on"), Back: action.CableArgs(thing, "off"),
					Change: action.Change{Kind: action.KindCable, Path: thing, Was: "off", Left: "on"}})
			}
			return out, nil
		})
	},
})

var _ = register(Fix{
	ID: "host.vm_settings", Title: "Bring back VirtualBox's own copy of a VM's settings", Impact: ChangesHost,
	Clears: []string{"vm.inaccessible_own"},
	Rows:   []string{"vm.inaccessible_own"},
	Why:    "When a crash cut VirtualBox off while it wrote a VM's settings, the version before lies beside them. It is copied to where VirtualBox looks; nothing is overwritten.",
	Plan: func(in Input) ([]action.Action, error) {
		return eachRecord(in, func(_ facts.Project, r facts.Record) ([]action.Action, error) {
			s := r.Settings.Or(facts.VMSettings{})
			switch {
			case s.Leftover == "" || s.CfgFile == "":
				return nil, nil
			case s.Saved.Path == "" || !strings.Contains(s.Saved.Content, "</VirtualBox>"):
				return nil, fmt.Errorf("%s is not whole, so it is of no use: bring %s back from a backup", s.Leftover, s.CfgFile)
			}
			folder, name := within("", s.CfgFile)
			return []action.Action{action.HostFile{Folder: folder, Name: name, New: true, Content: s.Saved.Content, From: s.Saved.Path, Mode: 0o600}}, nil
		})
	},
})
