package probe

import (
	"errors"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

func parseLocks(b body) (facts.Locks, error) {
	l := facts.Locks{Entries: []facts.Lock{}, Files: b.configs()}
	if bad := b.texts("unreadable"); len(bad) > 0 {
		return l, errors.New("not readable, and sudo -n does not give root: " + strings.Join(bad, ", "))
	}
	if f, ok := b.first("pending"); ok {
		dirs := f.cleaned()
		slices.Sort(dirs)
		if len(dirs) > 0 && strings.HasPrefix(dirs[0], "/") {
			l.Pending = dirs[0]
		}
	}
	var err error
	switch b.text("manager") {
	case "yum":
		l.Entries = listLocks(facts.LockYum, b.text("list"), b.file(b.text("list")))
		l.YumPluginEnabled = pluginEnabled(b, "/etc/yum.conf", "/etc/yum/pluginconf.d/versionlock.conf", false)
	case "dnf":
		l.Entries = listLocks(facts.LockDNF, b.text("list"), b.file(b.text("list")))
		l.DNFPluginEnabled = pluginEnabled(b, "/etc/dnf/dnf.conf", "/etc/dnf/plugins/versionlock.conf", true)
	case "dnf5":
		l.Entries = tomlLocks("/etc/dnf/versionlock.toml", b.file("/etc/dnf/versionlock.toml"))
		l.DNFPluginEnabled = true // part of dnf5 itself
	case "apt":
		l.Entries, err = aptHolds(b)
	case "zypper":
		l.Entries = zypperLocks("/etc/zypp/locks", b.file("/etc/zypp/locks"))
	case "pacman":
		l.Entries = pacmanIgnored("/etc/pacman.conf", b.file("/etc/pacman.conf"))
	default:
		err = errors.New("no known package manager in the guest")
	}
	l.Entries = append(l.Entries, excludes(b)...)
	return l, err
}

// pluginEnabled tells whether the plugin's program is there, plugins are on, and its own file does not switch
// it off. yum has plugins off unless its configuration says so, dnf has them on, and a plugin without a file
// is off in yum and on in dnf.
func pluginEnabled(b body, main, conf string, def bool) bool {
	if len(b.texts("plugin")) == 0 || !truth(setting(b.file(main), "main", "plugins"), def) {
		return false
	}
	return truth(setting(b.file(conf), "main", "enabled"), def)
}

// listLocks reads versionlock.list: one entry a line; a line that starts with ! excludes.
func listLocks(kind, file, text string) []facts.Lock {
	out := []facts.Lock{}
	for i, line := range strings.Split(Clean(text), "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, facts.Lock{Kind: kind, File: file, Line: i + 1, Entry: line})
		}
	}
	return out
}

// tomlLocks reads the names in dnf5's versionlock.toml: each [[packages]] has one. Only that much of TOML is
// understood; dnf5 itself writes the file.
func tomlLocks(file, text string) []facts.Lock {
	out := []facts.Lock{}
	table := ""
	for i, line := range strings.Split(Clean(text), "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			table = strings.Trim(line, "[] \t")
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if table != "packages" || !ok || strings.TrimSpace(key) != "name" {
			continue
		}
		if name := tomlString(value); name != "" {
			out = append(out, facts.Lock{Kind: facts.LockDNF5, File: file, Line: i + 1, Entry: name})
		}
	}
	return out
}

// tomlString is the first quoted string of a value; a comment may follow it.
func tomlString(v string) string {
	v = strings.TrimSpace(v)
	if v == "" || v[0] != '"' && v[0] != '\'' {
		return ""
	}
	s, _, ok := strings.Cut(v[1:], v[:1])
	if !ok {
		return ""
	}
	return s
}

// aptHolds reads the lines of `dpkg --get-selections` that end in hold; apt holds are dpkg's.
func aptHolds(b body) ([]facts.Lock, error) {
	f, ok := b.first("selections")
	if !ok {
		return []facts.Lock{}, errors.New("dpkg printed nothing: " + b.said())
	}
	out := []facts.Lock{}
	for _, line := range f.cleaned() {
		if w := strings.Fields(line); len(w) == 2 && w[1] == "hold" {
			out = append(out, facts.Lock{Kind: facts.LockApt, Entry: w[0]})
		}
	}
	return out, f.failed("dpkg --get-selections")
}

// zypperLocks reads the blocks of /etc/zypp/locks, which are separated by empty lines. Locks of patterns and
// products are not of interest.
func zypperLocks(file, text string) []facts.Lock {
	out := []facts.Lock{}
	kind, name, at := "", "", 0
	flush := func() {
		if name != "" && (kind == "" || kind == "package") {
			out = append(out, facts.Lock{Kind: facts.LockZypper, File: file, Line: at, Entry: name})
		}
		kind, name = "", ""
	}
	for i, line := range strings.Split(Clean(text), "\n") {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "":
			flush()
		case "type":
			kind = strings.TrimSpace(value)
		case "solvable_name":
			name, at = strings.TrimSpace(value), i+1
		}
	}
	flush()
	return out
}

func pacmanIgnored(file, text string) []facts.Lock {
	out := []facts.Lock{}
	for _, e := range parseIni(text) {
		if e.section != "options" || e.key != "IgnorePkg" && e.key != "IgnoreGroup" {
			continue
		}
		for _, w := range e.values {
			out = append(out, facts.Lock{Kind: facts.LockPacman, File: file, Line: w.line, Entry: w.text, Section: e.section})
		}
	}
	return out
}

// excludes reads exclude= and excludepkgs= of the main configuration and of repository files.
func excludes(b body) []facts.Lock {
	out := []facts.Lock{}
	for _, f := range b.files("file") {
		if !strings.HasSuffix(f.path, ".repo") && !strings.HasSuffix(f.path, ".conf") || strings.Contains(f.path, "/plugin") {
			continue
		}
		for _, e := range parseIni(f.content) {
			if k := strings.ToLower(e.key); k != "exclude" && k != "excludepkgs" {
				continue
			}
			for _, w := range e.values {
				out = append(out, facts.Lock{Kind: facts.LockExcl, File: f.path, Line: w.line, Entry: w.text, Section: e.section})
			}
		}
	}
	return out
}
