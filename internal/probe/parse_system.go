package probe

import (
	"errors"
	"regexp"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

func parseSystem(b body) (facts.System, error) {
	s := facts.System{
		KernelRelease: b.text("release"), Arch: b.text("arch"), Hostname: b.text("host"),
		Manager: b.text("manager"), Product: b.text("product"), PCIDevice: b.yes("pci"), Container: b.text("container"),
		Init: b.text("init"), BootID: b.text("bootid"),
		UserName: b.text("user"), UID: number(b.text("uid"), -1), GID: number(b.text("gid"), -1),
		IDLike: []string{},
	}
	if s.KernelRelease == "" {
		return s, errors.New("uname -r printed nothing: " + b.said())
	}
	for _, path := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		if text := b.file(path); text != "" {
			osRelease(&s, text)
			break
		}
	}
	if s.ID == "" {
		oldRelease(&s, b)
	}
	return s, nil
}

// osRelease reads the assignments of os-release(5): quotes of both kinds and backslashes as the shell has them.
func osRelease(s *facts.System, text string) {
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(Clean(line)), "=")
		if !ok || strings.HasPrefix(key, "#") {
			continue
		}
		value = unquote(value)
		switch key {
		case "ID":
			s.ID = strings.ToLower(value)
		case "ID_LIKE":
			s.IDLike = strings.Fields(strings.ToLower(value))
		case "VERSION_ID":
			s.VersionID = value
		case "PRETTY_NAME":
			s.Pretty = value
		case "VERSION_CODENAME":
			s.Codename = value
		}
	}
}

var backslash = regexp.MustCompile("\\\\([\"'$`\\\\])")

func unquote(v string) string {
	if len(v) >= 2 && (v[0] == '"' || v[0] == '\'') && v[len(v)-1] == v[0] {
		if v[0] == '\'' {
			return v[1 : len(v)-1]
		}
		v = v[1 : len(v)-1]
	}
	return backslash.ReplaceAllString(v, "$1")
}

// oldReleases are the files of distributions before os-release, the most telling first.
var oldReleases = []struct{ path, id, like string }{
	{"/etc/oracle-release", "ol", "rhel fedora"},
	{"/etc/centos-release", "centos", "rhel fedora"},
	{"/etc/redhat-release", "rhel", "fedora"},
	{"/etc/SuSE-release", "suse", "suse"},
	{"/etc/debian_version", "debian", ""},
	{"/etc/arch-release", "arch", ""},
}

var releaseNumber = regexp.MustCompile(`\d+(\.\d+)*`)

// oldRelease reads "CentOS release 6.4 (Final)" and its kin.
func oldRelease(s *facts.System, b body) {
	for _, o := range oldReleases {
		text := b.file(o.path)
		if text == "" {
			continue
		}
		line, _, _ := strings.Cut(Clean(text), "\n")
		s.ID, s.IDLike = o.id, strings.Fields(o.like)
		// EL5 has only redhat-release, whatever the distribution
		if o.id == "rhel" && strings.HasPrefix(line, "CentOS") {
			s.ID, s.IDLike = "centos", []string{"rhel", "fedora"}
		}
		s.Pretty, s.VersionID = strings.TrimSpace(line), releaseNumber.FindString(line)
		if o.id == "debian" {
			s.Pretty = "Debian GNU/Linux " + s.Pretty
		}
		return
	}
}

func parseSudo(b body) (facts.Sudo, error) {
	f, ok := b.first("answer")
	if !ok {
		return facts.Sudo{}, errors.New("it printed no answer: " + b.said())
	}
	text := strings.TrimSpace(f.block())
	switch {
	case b.text("uid") == "0" && b.text("user") == "root":
		return facts.Sudo{State: facts.SudoRoot}, nil
	case b.text("uid") == "0":
		// the whole probe came through sudo
		return facts.Sudo{State: facts.SudoOK}, nil
	case b.text("sudo") == "":
		return facts.Sudo{State: facts.SudoMissing, Text: "sudo: command not found"}, nil
	case f.text() == "0":
		return facts.Sudo{State: facts.SudoOK, Text: text}, nil
	}
	return facts.Sudo{State: sudoState(text), Text: text}, nil
}

// sudoWords are the refusals of sudo (all versions speak English under LC_ALL=C) and of sudo-rs.
var sudoWords = []struct{ has, state string }{
	{"must have a tty", facts.SudoTTY},
	{"is not in the sudoers file", facts.SudoDenied},
	{"is not allowed to", facts.SudoDenied},
	{"may not run sudo", facts.SudoDenied},
	{"I'm sorry", facts.SudoDenied},
	{"password is required", facts.SudoPassword},
	{"no tty present and no askpass", facts.SudoPassword},
	{"a terminal is required to read the password", facts.SudoPassword},
	{"interactive authentication is required", facts.SudoPassword},
}

func sudoState(text string) string {
	for _, w := range sudoWords {
		if strings.Contains(text, w.has) {
			return w.state
		}
	}
	return facts.SudoBroken
}
