package provision

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// A folder is asked when it has a package that is wanted, and only for the files that the package manager takes.
func TestOfflineFiles(t *testing.T) {
	var folder []action.Upload
	for _, f := range []string{"supervisor_4.2.5-1_all.deb", "python3_3.11.2-1_amd64.deb", "htop-3.2.1-1.el9.x86_64.rpm", "README.deb.txt"} {
		folder = append(folder, action.Upload{Local: "/p/" + f})
	}
	for _, c := range []struct{ manager, names, want string }{
		{"apt", "supervisor", "supervisor_4.2.5-1_all.deb python3_3.11.2-1_amd64.deb"},
		{"apt", "nginx supervisor=4.2*", "supervisor_4.2.5-1_all.deb python3_3.11.2-1_amd64.deb"},
		{"apt", "nginx", ""},
		{"apt", "htop", ""},
		{"dnf", "htop-3.2*", "htop-3.2.1-1.el9.x86_64.rpm"},
		{"zypper", "htop=3.2", "htop-3.2.1-1.el9.x86_64.rpm"},
		{"dnf", "htopp", ""},
		{"pacman", "htop", ""},
	} {
		var got []string
		for _, u := range offline(folder, c.manager, strings.Fields(c.names)) {
			got = append(got, filepath.Base(u.Local))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s %s: %v, want %s", c.manager, c.names, got, c.want)
		}
	}
}

func TestOfflineTransaction(t *testing.T) {
	apt := offlineTransaction("apt", "/h", []string{"a", "b=1"}, []string{"a", "b"}, "lib")
	if strings.Join(apt.Args, " ") != "/h a b=1" || apt.Script != offlineAPT || !strings.HasPrefix(apt.Undo, "sudo apt-get -y") {
		t.Errorf("%+v", apt)
	}
	rpm := offlineTransaction("dnf", "/h", []string{"a", "b-1*"}, []string{"a", "b"}, "lib")
	if got := strings.Join(rpm.Args, "|"); !strings.HasPrefix(got, "/h|a\nb-1*|dnf|") || !strings.Contains(got, "--disablerepo=*") || rpm.Script != offlineRPM {
		t.Errorf("%q", got)
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := Folder(dir); err == nil || !strings.Contains(err.Error(), "no package file") {
		t.Error(err)
	}
	for _, f := range []string{"a_1_all.deb", "b-1-1.noarch.rpm", "c-1-py3-none-any.whl", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, f), []byte(f), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, wheels, err := Folder(dir)
	if err != nil || len(files) != 2 || len(wheels) != 1 || files[0].Size != 11 || len(files[0].SHA256) != 64 {
		t.Errorf("%v %v %v", files, wheels, err)
	}
	if _, _, err := Folder("/nowhere"); err == nil {
		t.Error("a folder that is not there")
	}
}

// Wheels of --packages serve a virtual environment that names no index of its own.
func TestWheelsOfPackages(t *testing.T) {
	for spec, want := range map[string]int{"{install: venv}": 1, "{index: http://127.0.0.1/simple}": 0} {
		c, err := Parse([]byte("machines: {web: {}}\nsupervisor: " + spec))
		if err != nil {
			t.Fatal(err)
		}
		plan, err := c.For("web", Input{Dir: t.TempDir(), Secrets: &Secrets{}, Wheels: []action.Upload{{Local: "/p/x.whl"}}})
		if err != nil {
			t.Fatal(err)
		}
		rs, err := plan(facts.Guest{System: facts.Known(facts.System{Manager: "dnf", VersionID: "9.6", Init: "systemd"})})
		if v, ok := rs[0].(venv); err != nil || !ok || len(v.wheels) != want {
			t.Errorf("%s: %v %v", spec, rs[0], err)
		}
	}
}
