package cmd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/finding"
)

const plainVagrantfile = "# synthetic\nVagrant.configure(\"2\") do |config|\n  config.vm.box = \"bento/centos-7\"\nend\n"

// all is every file below a folder with its content.
func all(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		out[strings.TrimPrefix(path, dir)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestInit(t *testing.T) {
	dir := inFolder(t, "Vagrantfile", plainVagrantfile)
	t.Chdir(dir)
	before := all(t, dir)
	newTrial(t).run(t, 1, "init") // nobody can be asked: nothing is written
	if len(different(before, all(t, dir))) > 0 {
		t.Error("written without a question")
	}
	tr := newTrial(t)
	tr.run(t, finding.ExitOK, "init", "--yes", "--ci", "github,gitlab")
	tr.wantErr(t, "trigger.on_error = :continue")
	written := all(t, dir)
	for _, name := range []string{"/Vagrantfile", "/.boxdoctor.yaml", "/.github/workflows/boxdoctor.yml", "/.gitlab/boxdoctor.yml"} {
		if !strings.Contains(written[name], blockBegin) {
			t.Errorf("%s: %q", name, written[name])
		}
	}
	tr = newTrial(t)
	tr.run(t, finding.ExitOK, "init", "--yes", "--ci", "github,gitlab")
	tr.wantErr(t, "nothing to change")
	newTrial(t).run(t, finding.ExitOK, "init", "--yes", "--halt")
	if !strings.Contains(all(t, dir)["/Vagrantfile"], ":halt") || strings.Count(all(t, dir)["/Vagrantfile"], blockBegin) != 1 {
		t.Errorf("an older block is replaced: %s", all(t, dir)["/Vagrantfile"])
	}
	newTrial(t).run(t, finding.ExitOK, "init", "--remove", "--yes")
	if d := different(before, all(t, dir)); len(d) > 0 {
		t.Errorf("left after --remove: %v: %q", d, all(t, dir))
	}
}

// What is the user's own stays as it is.
func TestInitLeavesOwnFilesAlone(t *testing.T) {
	dir := inFolder(t, "Vagrantfile", plainVagrantfile)
	t.Chdir(dir)
	if err := os.WriteFile(configFile, []byte("resources: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	newTrial(t).run(t, finding.ExitOK, "init", "--yes")
	newTrial(t).run(t, finding.ExitOK, "init", "--yes", "--remove")
	if got := all(t, dir); got["/"+configFile] != "resources: []\n" || got["/Vagrantfile"] != plainVagrantfile {
		t.Errorf("%q", got)
	}
	if err := os.WriteFile("Vagrantfile", []byte(blockBegin+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	newTrial(t).run(t, finding.ExitUsage, "init", "--yes")
	t.Chdir(t.TempDir())
	newTrial(t).run(t, finding.ExitUsage, "init", "--yes")
}

// The real Vagrant reads what init writes.
func TestInitIsValidForVagrant(t *testing.T) {
	vagrant, err := exec.LookPath("vagrant")
	if err != nil || testing.Short() {
		t.Skip("needs vagrant")
	}
	dir := inFolder(t, "Vagrantfile", plainVagrantfile)
	t.Chdir(dir)
	newTrial(t).run(t, finding.ExitOK, "init", "--yes")
	cmd := exec.CommandContext(t.Context(), vagrant, "validate", "--ignore-provider")
	cmd.Env = append(os.Environ(), "VAGRANT_HOME="+t.TempDir(), "VAGRANT_CHECKPOINT_DISABLE=1", "PATH="+fakeBoxdoctor(t)+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "validated successfully") {
		t.Errorf("%v: %s", err, out)
	}
}

// fakeBoxdoctor is a folder with a program of that name, so that the trigger's own part is read, too.
func fakeBoxdoctor(t *testing.T) string {
	t.Helper()
	dir := inFolder(t, "boxdoctor", "#!/bin/sh\n")
	if err := os.Chmod(filepath.Join(dir, "boxdoctor"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
