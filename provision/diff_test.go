package provision

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// bench is a state that a test fills.
func bench(manager string) *State {
	s := &State{RunID: "run", System: facts.System{Manager: manager, Init: "systemd", Pretty: "Test 1"}}
	s.files = seen[File]{kind: "file", of: map[string]File{"/etc": {Exists: true, Type: "directory", Mode: 0o755, Owner: "root", Group: "root"}}}
	s.packages = seen[Package]{kind: "package", of: map[string]Package{}}
	s.services = seen[Service]{kind: "service", of: map[string]Service{}}
	s.users = seen[User]{kind: "user", of: map[string]User{}}
	s.groups = seen[Group]{kind: "group", of: map[string]Group{}}
	s.sysctls = seen[string]{kind: "sysctl", of: map[string]string{}}
	s.commands = seen[Output]{kind: "command", of: map[string]Output{}}
	s.Guest.System, s.Guest.Locks = facts.Known(s.System), facts.Known(facts.Locks{})
	return s
}

// told is a diff in one line: what changes, what it waits for, or the error.
func told(changes []Change, err error) string {
	var out []string
	for _, c := range changes {
		line := c.What + " " + c.From + ">" + c.To
		if c.Waits != "" {
			line += " waits for " + c.Waits
		}
		if len(c.Install) > 0 {
			line += " install " + strings.Join(c.Install, ",")
		}
		if len(c.Files) > 0 {
			line += " from " + strconv.Itoa(len(c.Files)) + " files"
		}
		for _, a := range c.Do {
			line += " | " + a.Title()
		}
		out = append(out, line)
	}
	if err != nil {
		out = append(out, "error: "+err.Error())
	}
	return strings.Join(out, "; ")
}

func TestDiffs(t *testing.T) {
	yes := true
	motd := FileResource{Path: "/etc/motd", Content: "hello\n", Mode: 0o644, State: Present}
	as := func(f File) func(*State) { return func(s *State) { s.files.of["/etc/motd"] = f } }
	right := File{Exists: true, Type: "file", Mode: 0o644, Owner: "root", Group: "root", SHA256: sum("hello\n")}
	changed := func(f File, edit func(*File)) File { edit(&f); return f }
	htop := PackageResource{Name: "htop", State: Present}
	for name, c := range map[string]struct {
		r     Resource
		given func(*State)
		want  string
	}{
		"file as declared":        {motd, as(right), ""},
		"file missing":            {motd, as(File{}), "content absent>sha256 " + sum("hello\n")[:12] + " | write /etc/motd"},
		"file with other content": {motd, as(changed(right, func(f *File) { f.SHA256 = sum("x") })), "content sha256 " + sum("x")[:12] + ">sha256 " + sum("hello\n")[:12] + " | write /etc/motd"},
		"file with another mode":  {motd, as(changed(right, func(f *File) { f.Mode = 0o4600 })), "mode 4600>0644 | set mode 0644 of /etc/motd"},
		"file of somebody else":   {motd, as(changed(right, func(f *File) { f.Owner = "bob" })), "owner bob:root>root:root | give /etc/motd to root:root"},
		"a folder is in the way":  {motd, as(File{Exists: true, Type: "directory"}), "error: /etc/motd is a directory in the guest, not a file; move it away first"},
		"file not observed":       {motd, func(*State) {}, "error: file /etc/motd: the guest did not say how it is"},
		"file that could not be":  {motd, func(s *State) { s.files.err = errors.New("cut off") }, "error: file /etc/motd: cut off"},
		"file to go":              {FileResource{Path: "/etc/motd", State: Absent}, as(right), "file /etc/motd present>absent | remove /etc/motd"},
		"file that is gone":       {FileResource{Path: "/etc/motd", State: Absent}, as(File{}), ""},
		"owner not there yet":     {FileResource{Path: "/etc/motd", State: Present, Owner: "web"}, func(s *State) { as(File{})(s); s.users.of["web"] = User{} }, "file absent>present waits for the user web"},
		"owner not observed":      {FileResource{Path: "/etc/motd", State: Present, Owner: "web"}, as(File{}), "file absent>present waits for the user web; error: user web: the guest did not say how it is"},
		"package installed":       {htop, func(s *State) { s.packages.of["htop"] = Package{true, "3.2-1"} }, ""},
		"package missing":         {htop, func(s *State) { s.packages.of["htop"] = Package{} }, "package absent>installed install htop"},
		"package not observed":    {htop, func(*State) {}, "error: package htop: the guest did not say how it is"},
		"pinned, as declared":     {PackageResource{Name: "htop", Version: "3.2", State: Present}, func(s *State) { s.packages.of["htop"] = Package{true, "1:3.2-1"} }, ""},
		"pinned by a glob":        {PackageResource{Name: "htop", Version: "3.*", State: Present}, func(s *State) { s.packages.of["htop"] = Package{true, "3.2-1"} }, ""},
		"pinned, another version": {PackageResource{Name: "htop", Version: "3.3", State: Present}, func(s *State) { s.packages.of["htop"] = Package{true, "3.2-1"} }, "package 3.2-1>3.3 install htop-3.3"},
		"package to go":           {PackageResource{Name: "htop", State: Absent}, func(s *State) { s.packages.of["htop"] = Package{true, "3.2-1"} }, "package 3.2-1>absent | remove htop"},
		"to be held":              {PackageResource{Name: "htop", Hold: true, State: Present}, func(s *State) { s.packages.of["htop"] = Package{true, "3"} }, "hold not held>held | hold htop"},
		"locks not known": {PackageResource{Name: "htop", Hold: true, State: Present}, func(s *State) {
			s.packages.of["htop"] = Package{true, "3"}
			s.Guest.Locks = facts.Unknownf[facts.Locks]("cut")
		}, "error: whether htop is held: not collected: cut"},
		"service as declared":      {ServiceResource{"cron", Started, &yes}, func(s *State) { s.services.of["cron"] = Service{Exists: true, Active: true, Enabled: true} }, ""},
		"service off":              {ServiceResource{"cron", Started, &yes}, func(s *State) { s.services.of["cron"] = Service{Exists: true, Text: "loaded"} }, "at boot disabled>enabled | enable the service cron; state not running (loaded)>started | start the service cron"},
		"service without a unit":   {ServiceResource{"cron", Started, &yes}, func(s *State) { s.services.of["cron"] = Service{} }, "service absent>started waits for the service cron"},
		"absent service, stopped":  {ServiceResource{Name: "cron", State: Stopped}, func(s *State) { s.services.of["cron"] = Service{} }, ""},
		"static unit":              {ServiceResource{"dbus", "", &yes}, func(s *State) { s.services.of["dbus"] = Service{Exists: true, Static: true} }, "error: service dbus cannot be enabled or disabled: its unit is static, other units start it"},
		"service not observed":     {ServiceResource{Name: "cron", State: Started}, func(*State) {}, "error: service cron: the guest did not say how it is"},
		"user missing":             {UserResource{Name: "web", UID: -1}, func(s *State) { s.users.of["web"] = User{} }, "user absent>present | make the user web"},
		"user with another number": {UserResource{Name: "web", UID: 5}, func(s *State) { s.users.of["web"] = User{Exists: true, UID: 6} }, "error: user web has the number 6, declared is 5; changing it would orphan its files, so this is left to you: usermod -u"},
		"user without a group": {UserResource{Name: "web", UID: -1, Groups: []string{"wheel"}}, func(s *State) {
			s.users.of["web"] = User{Exists: true, Groups: []string{"web"}}
			s.groups.of["wheel"] = Group{Exists: true}
		}, "groups web>also wheel | add web to groups"},
		"group missing":       {GroupResource{Name: "web", GID: -1}, func(s *State) { s.groups.of["web"] = Group{} }, "group absent>present | make the group web"},
		"folder as declared":  {DirectoryResource{Path: "/etc", Mode: 0o755}, func(*State) {}, ""},
		"folder missing":      {DirectoryResource{Path: "/srv/x", Mode: 0o755}, func(s *State) { s.files.of["/srv/x"] = File{} }, "directory absent>present | make the folder /srv/x"},
		"command not needed":  {ExecResource{Name: "x", Command: "y", Unless: "z"}, func(s *State) { s.commands.of["exec/x"] = Output{Code: 0} }, ""},
		"command needed":      {ExecResource{Name: "x", Command: "y", Unless: "z"}, func(s *State) { s.commands.of["exec/x"] = Output{Code: 1} }, "command guard status 1>run | run x"},
		"guard not to be run": {ExecResource{Name: "x", Command: "y", Unless: "z"}, func(s *State) { s.commands.of["exec/x"] = Output{Code: 127} }, "error: the guard of exec x could not be run (status 127: command not found)"},
	} {
		t.Run(name, func(t *testing.T) {
			s := bench("dnf")
			c.given(s)
			if got := told(c.r.Diff(s)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestSysctlComparesFileAndKernel(t *testing.T) {
	k := SysctlResource{"vm.swappiness", "10"}
	s := bench("apt")
	s.files.of["/etc/sysctl.d"] = File{Exists: true, Type: "directory"}
	s.files.of[k.file().Path] = File{Exists: true, Type: "file", Mode: 0o644, Owner: "root", Group: "root", SHA256: sum(k.file().Content)}
	s.sysctls.of[k.Key] = "60"
	if got := told(k.Diff(s)); got != "value in force 60>10 | set vm.swappiness" {
		t.Error(got)
	}
	s.sysctls.of[k.Key] = "10"
	if got := told(k.Diff(s)); got != "" {
		t.Error(got)
	}
}

// A repository's key is used only under its fingerprint, and not beside another one.
func TestRepositoryFiles(t *testing.T) {
	r := RepositoryResource{Name: "x", Apt: &aptSource{URI: "https://packages.example.org", Suite: "stable", Components: []string{"main"}}, Key: "K"}
	s := bench("apt")
	s.files.of["/usr/share/keyrings"], s.files.of["/etc/apt/sources.list.d"] = File{Exists: true, Type: "directory"}, File{Exists: true, Type: "directory"}
	s.files.of["/usr/share/keyrings/boxdoctor-x.asc"], s.files.of["/etc/apt/sources.list.d/x.list"] = File{}, File{}
	got := told(r.Diff(s))
	for _, want := range []string{"write /usr/share/keyrings/boxdoctor-x.asc", "write /etc/apt/sources.list.d/x.list", "fetch the lists of x"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %s", want, got)
		}
	}
	if got := told(r.Diff(bench("dnf"))); got != "error: repository x is not declared for dnf" {
		t.Error(got)
	}
	if err := checkFingerprint([]byte("no key"), "00"); err == nil {
		t.Error("text that is no key was taken")
	}
}
