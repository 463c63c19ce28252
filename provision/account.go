package provision

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

// GroupResource declares a group.
type GroupResource struct {
	Name string
	// GID is a number, or -1 for whatever the guest chooses.
	GID int
	// System groups get a number below those of people.
	System bool
}

// ID is "group/" and the name.
func (g GroupResource) ID() string { return "group/" + g.Name }

// Needs is the group.
func (g GroupResource) Needs() Needs { return Needs{Groups: []string{g.Name}} }

// Diff makes a missing group. A number that differs is refused: files belong to numbers.
func (g GroupResource) Diff(s *State) ([]Change, error) {
	have, err := s.groups.get(g.Name)
	switch {
	case err != nil:
		return nil, err
	case have.Exists && g.GID >= 0 && have.GID != g.GID:
		return nil, fmt.Errorf("group %s has the number %d, declared is %d; changing it would orphan its files, so this is left to you: groupmod -g", g.Name, have.GID, g.GID)
	case have.Exists:
		return nil, nil
	}
	argv := []string{"groupadd"}
	if g.System {
		argv = append(argv, "-r")
	}
	if g.GID >= 0 {
		argv = append(argv, "-g", strconv.Itoa(g.GID))
	}
	job := short("make the group "+g.Name, shell.Join(append(argv, g.Name)))
	job.Undo = "sudo groupdel " + shell.Quote(g.Name)
	return []Change{{What: "group", From: Absent, To: Present, Do: []action.Action{job}}}, nil
}

// UserResource declares an account. What is empty is not compared.
type UserResource struct {
	Name string
	// UID is a number, or -1 for whatever the guest chooses.
	UID         int
	Home, Shell string
	// Group is the primary group of a new account; Groups are further ones that it must be in.
	Group  string
	Groups []string
	// System accounts get a number below those of people and no home unless Home says so.
	System bool
}

// ID is "user/" and the name.
func (u UserResource) ID() string { return "user/" + u.Name }

// Needs are the account and the groups that it is to be in.
func (u UserResource) Needs() Needs {
	n := Needs{Users: []string{u.Name}, Groups: slices.Clone(u.Groups)}
	if u.Group != "" {
		n.Groups = append(n.Groups, u.Group)
	}
	return n
}

// Diff makes a missing account, and changes shell and groups of one that is there. Its number and home are not
// changed: files belong to them.
func (u UserResource) Diff(s *State) ([]Change, error) {
	have, err := s.users.get(u.Name)
	if err != nil {
		return nil, err
	}
	for _, g := range u.Needs().Groups {
		if waits, err := s.missingOwner("", g); waits != "" || err != nil {
			return []Change{{What: "user", From: "", To: Present, Waits: waits}}, err
		}
	}
	if !have.Exists {
		return []Change{u.create()}, nil
	}
	if u.UID >= 0 && u.UID != have.UID {
		return nil, fmt.Errorf("user %s has the number %d, declared is %d; changing it would orphan its files, so this is left to you: usermod -u", u.Name, have.UID, u.UID)
	}
	if u.Home != "" && u.Home != have.Home {
		return nil, fmt.Errorf("user %s lives in %s, declared is %s; moving it is left to you: usermod -m -d", u.Name, have.Home, u.Home)
	}
	return u.modify(have), nil
}

func (u UserResource) create() Change {
	argv := []string{"useradd"}
	if u.System {
		argv = append(argv, "-r")
	}
	if u.System && u.Home == "" {
		argv = append(argv, "-M")
	} else {
		argv = append(argv, "-m")
	}
	for _, p := range [][2]string{{"-d", u.Home}, {"-s", u.Shell}, {"-g", u.Group}, {"-G", strings.Join(u.Groups, ",")}} {
		if p[1] != "" {
			argv = append(argv, p[0], p[1])
		}
	}
	if u.UID >= 0 {
		argv = append(argv, "-u", strconv.Itoa(u.UID))
	}
	job := short("make the user "+u.Name, shell.Join(append(argv, u.Name)))
	job.Undo = "sudo userdel " + shell.Quote(u.Name)
	return Change{What: "user", From: Absent, To: Present, Do: []action.Action{job}}
}

func (u UserResource) modify(have User) []Change {
	var out []Change
	if u.Shell != "" && u.Shell != have.Shell {
		job := short("set the shell of "+u.Name, shell.Join([]string{"usermod", "-s", u.Shell, u.Name}))
		job.Undo = "sudo " + shell.Join([]string{"usermod", "-s", have.Shell, u.Name})
		out = append(out, Change{What: "shell", From: have.Shell, To: u.Shell, Do: []action.Action{job}})
	}
	missing := slices.DeleteFunc(slices.Clone(u.Groups), func(g string) bool { return slices.Contains(have.Groups, g) })
	if len(missing) > 0 {
		job := short("add "+u.Name+" to groups", shell.Join([]string{"usermod", "-a", "-G", strings.Join(missing, ","), u.Name}))
		job.Undo = "sudo " + shell.Join([]string{"usermod", "-G", strings.Join(have.Groups, ","), u.Name})
		out = append(out, Change{What: "groups", From: strings.Join(have.Groups, " "), To: "also " + strings.Join(missing, " "), Do: []action.Action{job}})
	}
	return out
}
