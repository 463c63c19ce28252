package assess_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

const (
	yumList = "/etc/yum/pluginconf.d/versionlock.list"
	dnfList = "/etc/dnf/plugins/versionlock.list"
	dnf5    = "/etc/dnf/versionlock.toml"
	centos  = "kernel-devel-3.10.0-1127.el7.x86_64"
	rocky   = "kernel-devel-5.14.0-427.13.1.el9_4.x86_64"
	fedora  = "kernel-devel-6.17.1-300.fc43.x86_64"
)

// tomlEntries reads names as the probe does: the line of each name = "…".
func tomlEntries(content string) []facts.Lock {
	var out []facts.Lock
	for i, line := range strings.Split(content, "\n") {
		if v, ok := strings.CutPrefix(line, `name = "`); ok {
			out = append(out, facts.Lock{Kind: facts.LockDNF5, File: dnf5, Line: i + 1, Entry: strings.TrimSuffix(v, `"`)})
		}
	}
	return out
}

func lockPackage(name string, values ...string) string {
	out := "[[packages]]\nname = \"" + name + "\"\n"
	for _, v := range values {
		out += "[[packages.conditions]]\nkey = \"evr\"\ncomparator = \"=\"\nvalue = \"" + v + "\"\n"
	}
	return out
}

func TestBlocking(t *testing.T) {
	single := func(kind, entry string) []facts.Lock { return []facts.Lock{{Kind: kind, Entry: entry}} }
	for _, c := range []struct {
		name    string
		box     assesstest.Box
		content string // a list or toml; or
		entries []facts.Lock
		pkg     string
		want    []string
	}{
		{"yum3: epoch first", assesstest.CentOS7, "0:kernel-devel-3.10.0-957.el7.*\n", nil, centos, []string{"0:kernel-devel-3.10.0-957.el7.*"}},
		{"yum3: allows it", assesstest.CentOS7, "0:kernel-devel-3.10.0-957.el7.*\n0:kernel-devel-3.10.0-1127.el7.*\n", nil, centos, nil},
		{"yum3: kernel is not kernel-devel", assesstest.CentOS7, "0:kernel-3.10.0-957.el7.*\n", nil, centos, nil},
		{"yum3: an exclude of this version", assesstest.CentOS7, "!0:kernel-devel-3.10.0-1127.el7.*\n", nil, centos, []string{"!0:kernel-devel-3.10.0-1127.el7.*"}},
		{"yum3: a comment and a broken line", assesstest.CentOS7, "# Added locks on Mon\n\nnonsense\n", nil, centos, nil},
		{"yum3: two entries", assesstest.CentOS7, "0:kernel-devel-1-1.*\n0:kernel-devel-2-1.*\n", nil, centos, []string{"0:kernel-devel-1-1.*", "0:kernel-devel-2-1.*"}},
		{"dnf: epoch before the version", assesstest.Rocky9, "kernel-devel-0:5.14.0-362.8.1.el9_3.*\n", nil, rocky, []string{"kernel-devel-0:5.14.0-362.8.1.el9_3.*"}},
		{"dnf: allows it", assesstest.Rocky9, "kernel-devel-0:5.14.0-427.13.1.el9_4.*\n", nil, rocky, nil},
		{"dnf: glob of names", assesstest.Rocky9, "kernel*-0:5.14.0-362.8.1.el9_3.*\n", nil, rocky, []string{"kernel*-0:5.14.0-362.8.1.el9_3.*"}},
		{"dnf: glob of versions allows it", assesstest.Rocky9, "kernel-devel-0:5.14.0-*\n", nil, rocky, nil},
		{"dnf: an exclude of another version", assesstest.Rocky9, "!kernel-devel-0:5.14.0-362.8.1.el9_3.*\n", nil, rocky, nil},
		{"dnf5: another version", assesstest.Fedora43, lockPackage("kernel-devel", "6.16.0-1.fc43"), nil, fedora, []string{"kernel-devel"}},
		{"dnf5: this version, with epoch", assesstest.Fedora43, lockPackage("kernel-devel", "0:6.17.1-300.fc43"), nil, fedora, nil},
		{"dnf5: one of two entries", assesstest.Fedora43, lockPackage("kernel-devel", "6.16.0-1.fc43") + lockPackage("kernel-devel", "6.17.1-300.fc43"), nil, fedora, nil},
		{"dnf5: all conditions of an entry", assesstest.Fedora43, lockPackage("kernel-devel", "6.16.0-1.fc43", "6.17.1-300.fc43"), nil, fedora, []string{"kernel-devel"}},
		{"dnf5: the next package's condition is not this one's", assesstest.Fedora43, lockPackage("kernel-devel", "1-1") + lockPackage("kernel", "6.17.1-300.fc43"), nil, fedora, []string{"kernel-devel"}},
		{"dnf5: a glob", assesstest.Fedora43, lockPackage("kernel*", "1-1"), nil, fedora, []string{"kernel*"}},
		{"exclude by name", assesstest.Rocky9, "", single(facts.LockExcl, "kernel*"), rocky, []string{"kernel*"}},
		{"exclude by name and architecture", assesstest.Rocky9, "", single(facts.LockExcl, "kernel-devel.x86_64"), rocky, []string{"kernel-devel.x86_64"}},
		{"exclude of a version", assesstest.Rocky9, "", single(facts.LockExcl, "kernel-devel-5.14.0-427*"), rocky, []string{"kernel-devel-5.14.0-427*"}},
		{"exclude of another version", assesstest.Rocky9, "", single(facts.LockExcl, "kernel-devel-4.18*"), rocky, nil},
		{"exclude of kernel alone", assesstest.Rocky9, "", single(facts.LockExcl, "kernel"), rocky, nil},
		{"hold", assesstest.Ubuntu2204, "", single(facts.LockApt, "linux-headers-5.15.0-107-generic"), "linux-headers-5.15.0-107-generic", []string{"linux-headers-5.15.0-107-generic"}},
		{"hold with an architecture", assesstest.Debian12, "", single(facts.LockApt, "libelf-dev:amd64"), "libelf-dev", []string{"libelf-dev:amd64"}},
		{"hold of the meta package", assesstest.Ubuntu2204, "", single(facts.LockApt, "linux-headers-generic"), "linux-headers-5.15.0-107-generic", nil},
		{"zypper", assesstest.OpenSUSE156, "", single(facts.LockZypper, "kernel-default-devel"), "kernel-default-devel=6.4.0-150600.23.7.3", []string{"kernel-default-devel"}},
		{"zypper, a glob", assesstest.OpenSUSE156, "", single(facts.LockZypper, "kernel*"), "kernel-default-devel=6.4.0-150600.23.7.3", []string{"kernel*"}},
		{"zypper, the kernel itself", assesstest.OpenSUSE156, "", single(facts.LockZypper, "kernel-default"), "kernel-default-devel=6.4.0-150600.23.7.3", nil},
		{"pacman", assesstest.Arch, "", single(facts.LockPacman, "linux-headers"), "linux-headers", []string{"linux-headers"}},
		{"pacman, a glob", assesstest.Arch, "", single(facts.LockPacman, "linux*"), "linux-lts-headers", []string{"linux*"}},
		{"pacman, another", assesstest.Arch, "", single(facts.LockPacman, "linux"), "linux-lts-headers", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := c.box()
			switch sys := f.Guest.System.Or(facts.System{}); {
			case c.entries != nil:
				assesstest.Locked(f, "", "", c.entries...)
			case sys.Manager == "yum":
				assesstest.Locked(f, yumList, c.content, assesstest.LockLines(facts.LockYum, yumList, c.content)...)
			case sys.Manager == "dnf":
				assesstest.Locked(f, dnfList, c.content, assesstest.LockLines(facts.LockDNF, dnfList, c.content)...)
			default:
				assesstest.Locked(f, dnf5, c.content, tomlEntries(c.content)...)
			}
			var got []string
			for _, l := range assess.Blocking(f, c.pkg) {
				got = append(got, l.Entry)
			}
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// A list that nobody reads locks nothing.
func TestListsOfOtherPrograms(t *testing.T) {
	f := assesstest.CentOS7()
	assesstest.Locked(f, "", "", facts.Lock{Kind: facts.LockDNF, Entry: "kernel-devel-0:1-1.*"}, facts.Lock{Kind: facts.LockDNF5, Entry: "kernel-devel"})
	if got := assess.Blocking(f, centos); len(got) != 0 {
		t.Errorf("yum is blocked by %v", got)
	}
	l := facts.Locks{YumPluginEnabled: true, DNFPluginEnabled: true}
	for _, c := range []struct {
		manager, kind string
		want          bool
	}{
		{"yum", facts.LockYum, true}, {"dnf", facts.LockYum, false}, {"dnf", facts.LockDNF, true}, {"dnf5", facts.LockDNF, false},
		{"dnf5", facts.LockDNF5, true}, {"dnf", facts.LockDNF5, false}, {"dnf", facts.LockExcl, true},
	} {
		if got := assess.PluginOn(l, c.manager, c.kind); got != c.want {
			t.Errorf("%s reads %s: %v", c.manager, c.kind, got)
		}
	}
	if assess.PluginOn(facts.Locks{}, "yum", facts.LockYum) || assess.PluginOn(facts.Locks{}, "dnf", facts.LockDNF) {
		t.Error("a plugin that is off locks")
	}
}

func TestConcernsAndText(t *testing.T) {
	f := assesstest.CentOS7()
	e := facts.Lock{Kind: facts.LockYum, File: yumList, Entry: "0:kernel-headers-1-1.*"}
	assesstest.Locked(f, yumList, "", e)
	if !assess.Concerns(f, e, "kernel-headers") || assess.Concerns(f, e, "kernel") {
		t.Error("concerns")
	}
	if assess.Concerns(assesstest.Rocky9(), e, "kernel-headers") {
		t.Error("dnf does not read yum's list")
	}
	if got := assess.LockText(e); got != "0:kernel-headers-1-1.* ("+yumList+")" {
		t.Error(got)
	}
	if got := assess.LockText(facts.Lock{Entry: "gcc"}); got != "gcc" {
		t.Error(got)
	}
	if got := assess.BlockingAny(f, []string{"kernel-headers-2-1.x86_64", "kernel-headers-3-1.x86_64"}); len(got) != 1 {
		t.Errorf("one entry is listed %d times", len(got))
	}
}
