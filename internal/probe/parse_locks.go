package probe

import (
	"errors"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/packages"
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
	m, ok := packages.Of(b.text("manager"))
	if !ok {
		return l, errors.New("no known package manager in the guest")
	}
	var err error
	switch m.Name {
	case "yum":
		l.Entries = m.Locks(b.text("list"), Clean(b.file(b.text("list"))))
		l.YumPluginEnabled = pluginEnabled(b, "/etc/yum.conf", "/etc/yum/pluginconf.d/versionlock.conf", false)
	case "dnf":
		l.Entries = m.Locks(b.text("list"), Clean(b.file(b.text("list"))))
		l.DNFPluginEnabled = pluginEnabled(b, "/etc/dnf/dnf.conf", "/etc/dnf/plugins/versionlock.conf", true)
	case "apt":
		l.Entries, err = aptHolds(b, m)
	default:
		file := lockFile[m.Name]
		l.Entries = m.Locks(file, Clean(b.file(file)))
		l.DNFPluginEnabled = m.Name == "dnf5" // part of dnf5 itself
	}
	l.Entries = append(l.Entries, excludes(b)...)
	return l, err
}

// pluginEnabled tells whether the plugin's program is there, plugins are on, and its own file does not switch
// it off. yum has plugins off unless its configuration says so, dnf has them on, and a plugin without a file
// is off in yum and on in dnf.
func pluginEnabled(b body, main, conf string, def bool) bool {
	if len(b.texts("plugin")) == 0 || !packages.Truth(packages.Setting(Clean(b.file(main)), "main", "plugins"), def) {
		return false
	}
	return packages.Truth(packages.Setting(Clean(b.file(conf)), "main", "enabled"), def)
}

// lockFile is where managers keep their locks that let nobody choose another place.
var lockFile = map[string]string{"dnf5": "/etc/dnf/versionlock.toml", "zypper": "/etc/zypp/locks", "pacman": "/etc/pacman.conf"}

// aptHolds reads what dpkg said of its selections.
func aptHolds(b body, m packages.Manager) ([]facts.Lock, error) {
	f, ok := b.first("selections")
	if !ok {
		return []facts.Lock{}, errors.New("dpkg printed nothing: " + b.said())
	}
	return m.Locks("", f.block()), f.failed("dpkg --get-selections")
}

// excludes are those of the main configuration and of repository files.
func excludes(b body) []facts.Lock {
	out := []facts.Lock{}
	for _, f := range b.files("file") {
		if (strings.HasSuffix(f.path, ".repo") || strings.HasSuffix(f.path, ".conf")) && !strings.Contains(f.path, "/plugin") {
			out = append(out, packages.Excludes(f.path, Clean(f.content))...)
		}
	}
	return out
}
