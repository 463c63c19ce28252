package checks

import (
	"slices"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// TestLiteralNumbersOfTheFirstReport: host 5.1.26, Guest Additions 4.3.6, running 2.6.32-358.10.2.el6.x86_64, installed
// kernel-2.6.32-358.23.2.el6, kernel-devel and kernel-headers 2.6.32-696.10.2.el6, versionlock.conf `enabled = 1`,
// `mount -t vboxsf -o uid=500,gid=500 home_rc_ /home/rc`.
func TestLiteralNumbersOfTheFirstReport(t *testing.T) {
	f := assesstest.Founding()
	conf := f.Guest.Locks.Or(facts.Locks{}).Files[1]
	if !strings.Contains(conf.Content, "enabled = 1") {
		t.Fatalf("versionlock.conf: %q", conf.Content)
	}
	all := diagnose(f)
	for id, says := range map[string][]string{
		"additions.version":     {"4.3.6", "5.1.26"},
		"kernel.devel_missing":  {"kernel-devel-2.6.32-358.10.2.el6.x86_64", "2.6.32-696.10.2.el6"},
		"kernel.reboot_pending": {"2.6.32-358.10.2.el6.x86_64", "2.6.32-358.23.2.el6.x86_64"},
		"locks.versionlock":     {"kernel-devel-2.6.32-358.10.2.el6.x86_64", "0:kernel-devel-2.6.32-696.10.2.el6.*"},
		"modules.built":         {"2.6.32-358.10.2.el6.x86_64"},
		"modules.loaded":        {"vboxguest and vboxsf are not loaded"},
		"mount.shares":          {"home_rc_ on /home/rc"},
		"additions.log":         {"unable to find the sources of your current Linux kernel"},
	} {
		v := all[id]
		for _, word := range says {
			if text := v.Message + " " + v.Want + " " + v.Got; !strings.Contains(text, word) {
				t.Errorf("%s does not say %q: %s", id, word, text)
			}
		}
	}
	needed, err := assess.NeededPackages(f)
	want := []string{"kernel-devel-2.6.32-358.10.2.el6.x86_64", "kernel-2.6.32-754.35.1.el6.x86_64", "kernel-devel-2.6.32-754.35.1.el6.x86_64"}
	if err != nil || !slices.Equal(needed, want) {
		t.Errorf("needed %v, %v; want %v", needed, err, want)
	}
}

// Lock, no kernel-devel, modules not built, not loaded, share not mounted: one diagnosis with its symptoms.
func TestFoundingIsOneDiagnosis(t *testing.T) {
	all := diagnose(assesstest.Founding())
	if got := roots(all); !slices.Equal(got, []string{"locks.versionlock"}) {
		t.Errorf("root causes %v, want locks.versionlock alone", got)
	}
	chain := []string{"locks.versionlock"}
	for _, id := range []string{"kernel.devel_missing", "modules.built", "modules.loaded", "mount.shares"} {
		if got := all[id].CausedBy; !slices.Contains(chain, got) {
			t.Errorf("%s is caused by %q, want one of %v", id, got, chain)
		}
		chain = append(chain, id)
	}
	for id, v := range all {
		if v.Status == finding.Fail && !reaches(all, id, "locks.versionlock") {
			t.Errorf("%s does not lead to the lock", id)
		}
	}
}

// reaches follows causes to the end.
func reaches(all map[string]finding.Finding, id, root string) bool {
	for range len(all) {
		if id == root {
			return true
		}
		if id = all[id].CausedBy; id == "" {
			return false
		}
	}
	return false
}

// Each other way into the same symptom has its own single root.
func TestRootCauses(t *testing.T) {
	for _, c := range []struct {
		name   string
		box    assesstest.Box
		change func(*facts.Facts)
		want   string
	}{
		{"no lock: only the headers are missing", assesstest.CentOS7, assesstest.NoHeaders, "kernel.devel_missing"},
		{"dnf lock", assesstest.Rocky9, locked(facts.LockDNF, dnfList, "kernel-devel-0:1-1.*\n"), "locks.versionlock"},
		{"dnf5 lock", assesstest.Fedora43, toml("kernel-devel", "=", "1-1"), "locks.versionlock"},
		{"exclude", assesstest.Rocky9, locks(facts.Lock{Kind: facts.LockExcl, Entry: "kernel*"}), "locks.exclude"},
		{"hold", assesstest.Debian12, locks(facts.Lock{Kind: facts.LockApt, Entry: "linux-headers-6.1.0-21-amd64"}), "locks.hold"},
		{"end of life", assesstest.CentOS7, both(assesstest.NoHeaders, repos(oldBase), hosts(map[string]string{"mirrorlist.centos.org": "no"})), "repositories.end_of_life"},
		{"no network", assesstest.CentOS7, both(assesstest.NoHeaders, hosts(map[string]string{"vault.centos.org": "no"})), "repositories.answer"},
		{"old minor", assesstest.Rocky9, both(assesstest.NoHeaders, offers(rockyNext)), "repositories.old_minor"},
		{"a reboot is all", assesstest.Rocky9, both(assesstest.NoHeaders, newer(rockyNext, true)), "kernel.reboot_pending"},
		{"headers there, not built", assesstest.CentOS7, both(assesstest.NoHeaders, onKernel(func(k *facts.Kernel) { k.Trees[0].Headers, k.Trees[0].BuildOK = true, true })), "modules.built"},
		{"Secure Boot", assesstest.Ubuntu2204, both(assesstest.Unloaded, security(facts.Security{SecureBoot: "enabled"}), onMounts(func(m *facts.Mounts) { m.VBoxSF = nil })), "secureboot.modules"},
		{"helper link", assesstest.CentOS7, both(helper(facts.Helper{Exists: true, Link: "/opt/x"}), onMounts(func(m *facts.Mounts) { m.VBoxSF = nil })), "mount.helper"},
		{"share not defined", assesstest.CentOS7, both(offered("other"), onMounts(func(m *facts.Mounts) { m.VBoxSF = nil })), "mount.defined"},
		{"GA missing, nothing else", assesstest.CentOS7, both(none, onKernel(func(k *facts.Kernel) { k.Trees[0].Headers, k.Trees[0].BuildOK = true, true })), "additions.installed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := c.box()
			c.change(f)
			all := diagnose(f)
			if got := roots(all); !slices.Equal(got, []string{c.want}) {
				for _, id := range got {
					t.Logf("%s: %s", id, all[id].Message)
				}
				t.Errorf("root causes %v, want %s", got, c.want)
			}
		})
	}
}
