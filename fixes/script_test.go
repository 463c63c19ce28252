package fixes

import (
	"os"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/packages"
)

// foundingTransaction locks kernel-devel in a list of the test and installs version 9-9 of it.
func foundingTransaction(t *testing.T, list string) transaction {
	t.Helper()
	content := "# mine\n0:kernel-devel-1-1.*\n0:htop-1-1.*"
	if err := os.WriteFile(list, []byte(content), 0o640); err != nil {
		t.Fatal(err)
	}
	f := assesstest.CentOS7()
	entries := assesstest.LockLines(facts.LockYum, list, content)
	assesstest.Locked(f, list, content, entries...)
	return transaction{in: input(f), name: "test", blocks: entries[:1], relock: map[string]string{"kernel-devel": "9-9"},
		commands: [][]string{{"yum", "-y", "install", "kernel-devel-9-9"}}}
}

// Values of the guest stand in scripts only as quoted words: what looks like shell stays text.
func TestGuestTextIsNeverShell(t *testing.T) {
	evil := "0:kernel-devel-1-1.*'; touch /tmp/pwned; '$(reboot)`id`"
	f := assesstest.CentOS7()
	l := facts.Lock{Kind: facts.LockYum, File: "/etc/it's a list", Line: 1, Entry: evil}
	assesstest.Locked(f, l.File, evil+"\n", l)
	tr := transaction{in: input(f), blocks: []facts.Lock{l}, commands: [][]string{packageManager(input(f)).Install(packages.Install{Names: []string{"a b", "$(x)"}})}}
	want := "wait_idle\nopen_locks /var/lib/boxdoctor/pending/" + runForTests + "\n" +
		`unlock '/etc/it'\''s a list' '0:kernel-devel-1-1.*'\''; touch /tmp/pwned; '\''$(reboot)` + "`id`'\n" +
		"run yum -y install 'a b' '$(x)'\n"
	if got := tr.script(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestFileName(t *testing.T) {
	for in, want := range map[string]string{`C:\rpms\a.rpm`: "a.rpm", "rpms/a.rpm": "a.rpm", "a.rpm": "a.rpm"} {
		if got := fileName(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}
