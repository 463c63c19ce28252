package assess

import (
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

func TestForMainline(t *testing.T) {
	for in, want := range map[string]string{
		"umask=022":                   "dmask=022,fmask=022",
		"iocharset=utf8,cache=none":   "nls=utf8",
		"ro,dmode=775,ttl=200":        "ro,dmode=775,ttl=200",
		"_netdev,nofail,maxiopages=4": "",
		"actimeo=2":                   "",
	} {
		if got := strings.Join(ForMainline(strings.Split(in, ",")), ","); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestWhoseSF(t *testing.T) {
	for file, want := range map[string]string{
		"/lib/modules/x/misc/vboxsf.ko.xz": OracleSF, "/lib/modules/x/kernel/fs/vboxsf/vboxsf.ko": MainlineSF,
		"/lib/modules/x/kernel/virtualbox-guest/vboxsf.ko": DistroSF, "/lib/modules/x/updates/dkms/vboxsf.ko": DistroSF, "": "",
	} {
		if got := WhoseSF(facts.Modules{SF: facts.Module{File: file}}); got != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
	if got := WhoseSF(facts.Modules{FSRegistered: true}); got != MainlineSF {
		t.Errorf("built in: %q", got)
	}
}

// What stands in fstab and is not Vagrant's stays byte for byte.
func TestMendedFSTab(t *testing.T) {
	const root, end = "/dev/sda1 / xfs defaults 0 0\n", "#VAGRANT-END\n"
	f := &facts.Facts{}
	f.Host.VM = facts.Known(facts.VM{State: "running", Shares: []facts.Share{{Name: "a b"}}})
	for in, want := range map[string]string{
		root:                            root,
		root + "#VAGRANT-BEGIN\n" + end: root + "#VAGRANT-BEGIN\n" + end,
		"#VAGRANT-BEGIN\n" + root:       "#VAGRANT-BEGIN\n" + end + root,
		"#VAGRANT-BEGIN\n":              "#VAGRANT-BEGIN\n" + end,
		"#VAGRANT-BEGIN\na\\040b /x vboxsf _netdev 0 0\nold /y vboxsf _netdev 0 0\n" + root: "#VAGRANT-BEGIN\na\\040b /x vboxsf _netdev 0 0\n" + end + root,
		"#VAGRANT-BEGIN\nold /y vboxsf _netdev 0 0\n" + end + "old /y vboxsf noauto 0 0\n":  "#VAGRANT-BEGIN\n" + end + "old /y vboxsf noauto 0 0\n",
	} {
		m := facts.Mounts{FSTabFile: facts.ConfigFile{Path: "/etc/fstab", Content: in}}
		got := MendedFSTab(f, m)
		if got != want {
			t.Errorf("%q:\n%q, want\n%q", in, got, want)
		}
		m.FSTabFile.Content = got
		if again := MendedFSTab(f, m); again != got || FSTabBlock(got).Open {
			t.Errorf("%q is mended again: %q", got, again)
		}
	}
}
