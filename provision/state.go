package provision

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/probe"
)

// State is what was observed of one guest, as far as its resources asked for it. What was not observed is an error,
// never "absent".
type State struct {
	Machine string
	// RunID names this run's root-only folders in the guest.
	RunID string
	// Lib are the shell functions of package transactions, which know the guest's proxies.
	Lib    string
	System facts.System
	// Guest holds the facts that were asked for besides.
	Guest facts.Guest

	files    seen[File]
	packages seen[Package]
	services seen[Service]
	users    seen[User]
	groups   seen[Group]
	sysctls  seen[string]
	folders  seen[[]string]
	commands seen[Output]
}

// seen holds what one question brought: an entry for each name that was answered, or why there is no answer.
type seen[T any] struct {
	kind string
	of   map[string]T
	err  error
}

// get is one name's answer.
func (s seen[T]) get(name string) (T, error) {
	v, ok := s.of[name]
	switch {
	case ok:
		return v, nil
	case s.err != nil:
		return v, fmt.Errorf("%s %s: %w", s.kind, name, s.err)
	}
	return v, fmt.Errorf("%s %s: the guest did not say how it is", s.kind, name)
}

// hopes is a copy of the state in which expect may note what does not stand yet.
func (s *State) hopes() *State {
	h := *s
	h.files.of, h.users.of, h.groups.of = maps.Clone(s.files.of), maps.Clone(s.users.of), maps.Clone(s.groups.of)
	return &h
}

// expect notes what others wait for once a resource is as declared: groups, users and folders. What its change leaves
// unknown is forgotten, so that nothing is decided over it.
func (s *State) expect(r Resource) {
	switch r := r.(type) {
	case GroupResource:
		s.groups.of[r.Name] = Group{Exists: true, GID: r.GID}
	case UserResource:
		u := s.users.of[r.Name]
		u.Exists = true
		s.users.of[r.Name] = u
		maps.DeleteFunc(s.files.of, func(path string, _ File) bool { return r.Home == "" || within(path, r.Home) })
	case DirectoryResource:
		s.files.of[r.Path] = File{Exists: true, Type: "directory", Mode: uint32(r.Mode), Owner: owner(r.Owner), Group: owner(r.Group)}
	case FileResource:
		delete(s.files.of, r.Path)
	}
}

// within: useradd fills a new home with what /etc/skel holds.
func within(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// File is a file, folder or other entry of the guest's file system; a link is followed.
type File struct {
	Exists bool
	// Type is "file", "directory" or "other".
	Type         string
	Mode         uint32 // permission bits with setuid, setgid and sticky
	Owner, Group string // names, or numbers without a name
	SHA256       string // of a file
	// Content is the first 64 KiB of a text file.
	Content string
}

// Package is an installed package, or one that is not.
type Package struct {
	Installed bool
	Version   string // as the package manager compares it; with an epoch only where it is not 0
}

// Service is a unit of systemd or a script of SysV init.
type Service struct {
	Exists, Active, Enabled bool
	// Static: it cannot be enabled or disabled, others start it.
	Static bool
	// Text is what the init system said, for people.
	Text string
}

// User is an account of the guest.
type User struct {
	Exists      bool
	UID, GID    int
	Home, Shell string
	Groups      []string
}

// Group is a group of the guest.
type Group struct {
	Exists bool
	GID    int
}

// Output is how a command ended and what it printed.
type Output struct {
	Code int
	Text string
}

// read fills one kind from its answer; one names the facts that say something about one entry.
func read[T any](kind string, a probe.Answer, one func(probe.Fact) (string, T, error)) seen[T] {
	s := seen[T]{kind: kind, of: map[string]T{}, err: a.Err}
	for _, f := range a.Facts {
		name, v, err := one(f)
		if err != nil {
			s.err = err
			continue
		}
		s.of[name] = v
	}
	if s.err == nil && len(a.Said) > 0 {
		s.err = fmt.Errorf("the guest said: %.300s", strings.Join(a.Said, " / "))
	}
	return s
}

// readFile reads "absent PATH" and "file HEXMODE SIZE OWNER GROUP PATH" with the hash and the content below.
func readFile(f probe.Fact) (string, File, error) {
	if f.Name == "absent" {
		return f.Value, File{}, nil
	}
	w := strings.SplitN(f.Value, " ", 5)
	if f.Name != "file" || len(w) != 5 {
		return "", File{}, fmt.Errorf("not understood: %s %s", f.Name, f.Value)
	}
	raw, err := strconv.ParseUint(w[0], 16, 32)
	if err != nil {
		return "", File{}, fmt.Errorf("the mode of %s is %q", w[4], w[0])
	}
	out := File{Exists: true, Type: fileType(uint32(raw)), Mode: uint32(raw) & 0o7777, Owner: w[2], Group: w[3]}
	if len(f.Lines) > 0 {
		out.SHA256 = f.Lines[0]
		out.Content = strings.Join(f.Lines[1:], "\n")
		if w[1] != strconv.Itoa(len(out.Content)) && out.Content != "" { // the last newline does not show in lines
			out.Content += "\n"
		}
	}
	return w[4], out, nil
}

// fileType reads the type out of a raw mode (S_IFMT).
func fileType(raw uint32) string {
	switch raw & 0o170000 {
	case 0o100000:
		return "file"
	case 0o040000:
		return "directory"
	}
	return "other"
}

// readPackage reads "pkg NAME VERSION", "dpkg NAME VERSION WANT ERROR STATUS" and "absent NAME".
func readPackage(f probe.Fact) (string, Package, error) {
	w := strings.Fields(f.Value)
	switch {
	case f.Name == "absent" && len(w) == 1:
		return w[0], Package{}, nil
	case f.Name == "pkg" && len(w) == 2:
		return w[0], Package{Installed: true, Version: plainVersion(w[1])}, nil
	case f.Name == "dpkg" && len(w) == 5:
		return w[0], Package{Installed: w[4] == "installed", Version: plainVersion(w[1])}, nil
	case f.Name == "dpkg": // known by name only: such a package has no version
		return w[0], Package{}, nil
	}
	return "", Package{}, fmt.Errorf("not understood: %s %s", f.Name, f.Value)
}

// plainVersion takes off an epoch that is none: rpm says "(none)" or 0 for it.
func plainVersion(v string) string {
	return strings.TrimPrefix(strings.TrimPrefix(v, "(none):"), "0:")
}

// readService reads "systemd NAME LOAD ACTIVE UNITFILE" and "sysv NAME EXISTS STATUS ENABLED".
func readService(f probe.Fact) (string, Service, error) {
	w := strings.Split(f.Value, " ")
	if len(w) != 4 {
		return "", Service{}, fmt.Errorf("not understood: %s %s", f.Name, f.Value)
	}
	switch f.Name {
	case "systemd":
		return w[0], Service{
			Exists: w[1] == "loaded", Active: w[2] == "active" || w[2] == "reloading",
			Enabled: strings.HasPrefix(w[3], "enabled"), Static: w[3] == "static" || w[3] == "indirect" || w[3] == "generated",
			Text: strings.Join(w[1:], ", "),
		}, nil
	case "sysv":
		return w[0], Service{Exists: w[1] == "yes", Active: w[2] == "0", Enabled: w[3] == "yes",
			Text: "script " + w[1] + ", status " + w[2] + ", enabled " + w[3]}, nil
	}
	return "", Service{}, fmt.Errorf("not understood: %s %s", f.Name, f.Value)
}

// readUser reads "user NAME:x:UID:GID:GECOS:HOME:SHELL" with the names of the groups below, and "absent NAME".
func readUser(f probe.Fact) (string, User, error) {
	if f.Name == "absent" {
		return f.Value, User{}, nil
	}
	w := strings.Split(f.Value, ":")
	if len(w) != 7 || f.Name != "user" {
		return "", User{}, fmt.Errorf("not understood: %s %s", f.Name, f.Value)
	}
	uid, err1 := strconv.Atoi(w[2])
	gid, err2 := strconv.Atoi(w[3])
	if err1 != nil || err2 != nil {
		return "", User{}, fmt.Errorf("the ids of user %s are %s and %s", w[0], w[2], w[3])
	}
	return w[0], User{Exists: true, UID: uid, GID: gid, Home: w[5], Shell: w[6], Groups: strings.Fields(strings.Join(f.Lines, " "))}, nil
}

// readGroup reads "group NAME:x:GID:MEMBERS" and "absent NAME".
func readGroup(f probe.Fact) (string, Group, error) {
	if f.Name == "absent" {
		return f.Value, Group{}, nil
	}
	w := strings.Split(f.Value, ":")
	if len(w) != 4 || f.Name != "group" {
		return "", Group{}, fmt.Errorf("not understood: %s %s", f.Name, f.Value)
	}
	gid, err := strconv.Atoi(w[2])
	return w[0], Group{Exists: true, GID: gid}, err
}

// readSysctl reads "sysctl KEY VALUE", with blanks as one space.
func readSysctl(f probe.Fact) (string, string, error) {
	key, value, _ := strings.Cut(f.Value, " ")
	return key, strings.Join(strings.Fields(value), " "), nil
}

// readFolder reads "folder PATH" with the names of the files that boxdoctor wrote below.
func readFolder(f probe.Fact) (string, []string, error) { return f.Value, f.Lines, nil }

// readCommand reads "command ID STATUS" with what it printed below.
func readCommand(f probe.Fact) (string, Output, error) {
	id, code, _ := strings.Cut(f.Value, " ")
	n, err := strconv.Atoi(code)
	return id, Output{Code: n, Text: strings.Join(f.Lines, "\n")}, err
}
