package fixes

import (
	"os"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
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

func TestRelockLines(t *testing.T) {
	to := map[string]string{"kernel": "9-9", "kernel-devel": "9-9"}
	for _, c := range []struct {
		name, kind, content, want string
		entries                   []int // lines
	}{
		{"yum keeps its form", facts.LockYum, "0:kernel-1-1.*\n0:htop-1-1.*\n", "0:kernel-9-9.*\n0:htop-1-1.*\n", []int{1}},
		{"dnf keeps its form", facts.LockDNF, "kernel-0:1-1.*\n", "kernel-0:9-9.*\n", []int{1}},
		{"dnf, a glob keeps its name", facts.LockDNF, "kernel*-0:1-1.*", "kernel*-0:9-9.*", []int{1}},
		{"two locked kernels become one line", facts.LockYum, "0:kernel-1-1.*\n0:kernel-2-1.*\n# end\n", "0:kernel-9-9.*\n# end\n", []int{1, 2}},
		{"an exclude stays", facts.LockDNF, "!kernel-0:1-1.*\n", "!kernel-0:1-1.*\n", []int{1}},
		{"another package stays", facts.LockDNF, "htop-0:1-1.*\n", "htop-0:1-1.*\n", []int{1}},
		{"a line that is not there any more", facts.LockDNF, "kernel-0:1-1.*", "kernel-0:1-1.*", []int{7}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var entries []facts.Lock
			all := assesstest.LockLines(c.kind, "f", c.content)
			for _, n := range c.entries {
				e := all[0]
				for _, l := range all {
					if l.Line == n {
						e = l
					}
				}
				e.Line = n
				entries = append(entries, e)
			}
			if got := relockLines(c.content, entries, to); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestRelockTOML(t *testing.T) {
	to := map[string]string{"kernel-devel": "9-9"}
	got := relockTOML(tomlBefore, to)
	want := replaceFirst(tomlBefore, `value = "6.16.0-1.fc43"`, `value = "9-9"`)
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func replaceFirst(s, old, now string) string {
	for i := range s {
		if len(s)-i >= len(old) && s[i:i+len(old)] == old {
			return s[:i] + now + s[i+len(old):]
		}
	}
	return s
}

// Values of the guest stand in scripts only as quoted words: what looks like shell stays text.
func TestGuestTextIsNeverShell(t *testing.T) {
	evil := "0:kernel-devel-1-1.*'; touch /tmp/pwned; '$(reboot)`id`"
	f := assesstest.CentOS7()
	l := facts.Lock{Kind: facts.LockYum, File: "/etc/it's a list", Line: 1, Entry: evil}
	assesstest.Locked(f, l.File, evil+"\n", l)
	tr := transaction{in: input(f), blocks: []facts.Lock{l}, commands: [][]string{install("yum", false, "a b", "$(x)")}}
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
