//go:build acceptance

package acceptance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/provision"
)

const site = `
machines: {site: {groups: [app], vars: {greeting: hello}}}
resources:
  - package: kernel-headers
  - group: {name: qrd, system: true}
  - user: {name: qrd, group: qrd, home: /home/qrd, shell: /bin/bash}
  - directory: {path: /srv/qrd, owner: qrd, group: qrd, mode: "0750"}
  - template: {path: /etc/motd, content: "{{.vars.greeting}} from {{.machine}}\n"}
  - file: {path: /srv/qrd/token, content: "token=${env:QRD_TOKEN}\n", owner: qrd}
  - file: {path: /etc/sudoers.d/qrd, content: "qrd ALL=(ALL) NOPASSWD: /usr/bin/true\n", mode: "0440", validate: [visudo, -cf, "%s"]}
  - limits: {domain: qrd, type: soft, item: nofile, value: "65536"}
  - cron: {name: tick, schedule: "*/5 * * * *", command: "true"}
  - exec: {name: marker, command: "touch /srv/qrd/marker", creates: /srv/qrd/marker}
  - service: {name: sshd, state: started}
`

// provision runs boxdoctor provision and returns its report.
func (g *guest) provision(args ...string) (provision.Report, int) {
	g.t.Helper()
	begin := time.Now()
	out, code := g.text(append([]string{"provision", "--format", "json"}, args...)...)
	var r provision.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil || len(r.Machines) != 1 || r.ExitCode != code {
		g.t.Fatalf("provision %v: exit %d, %v\n%s", args, code, err, tail(out))
	}
	step(g.t, begin, "boxdoctor provision %s: exit %d, %+v", strings.Join(args, " "), code, r.Machines[0].Totals)
	return r, code
}

// TestProvision: a look changes nothing, the first run makes everything, the second nothing; a file that its program
// refuses stays as it was; no secret leaves its file.
func TestProvision(t *testing.T) {
	g := startGuest(t, "site", "el")
	g.flags, g.env = []string{"--ssh-config", g.sshConfig}, []string{"QRD_TOKEN=s3cr3t-of-the-test"}
	file := filepath.Join(t.TempDir(), ".boxdoctor.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(site)
	if out, code := g.text("provision", "-f", file, "--check"); code != finding.ExitUsage {
		t.Errorf("a secret was read without consent: exit %d\n%s", code, out)
	}
	r, code := g.provision("-f", file, "--check", "--allow", "env:QRD_TOKEN")
	if n := r.Machines[0].Totals; code != finding.ExitFailed || n.WouldChange == 0 || n.Failed != 0 {
		t.Errorf("check: exit %d, %+v", code, n)
	}
	g.says("getent passwd qrd; ls -d /srv/qrd 2>/dev/null; true", "")
	if r, code = g.provision("-f", file); code != finding.ExitOK || r.Machines[0].Totals.Changed != 10 {
		t.Errorf("first run: exit %d, %+v", code, r.Machines[0])
	}
	g.says("cat /etc/motd; stat -c '%U %a' /srv/qrd/token; sudo -l -U qrd | grep -c NOPASSWD", "hello from site\nqrd 600\n1")
	if r, code = g.provision("-f", file); code != finding.ExitOK || r.Machines[0].Totals.Changed != 0 || r.Machines[0].Totals.OK != 11 {
		t.Errorf("second run: exit %d, %+v", code, r.Machines[0])
	}
	write(strings.Replace(site, "NOPASSWD: ", "NOPASSWORD ", 1))
	if r, code = g.provision("-f", file, "--diff"); code != finding.ExitFailed || r.Machines[0].Totals.Failed != 1 {
		t.Errorf("a broken file: exit %d, %+v", code, r.Machines[0])
	}
	g.says("sudo -l -U qrd | grep -c NOPASSWD", "1")
	secretStaysIn(g, "s3cr3t-of-the-test")
}

// TestProvisionBehindAProxy: packages come through a proxy that only the users' environment (dnf) or apt's own
// configuration names; its password stays out of the report and of what is kept.
func TestProvisionBehindAProxy(t *testing.T) {
	for root, pkg := range map[string]string{"el": "make", "deb": "bzip2"} {
		g := startGuest(t, "prov"+root, root, "proxy")
		g.flags = []string{"--ssh-config", g.sshConfig}
		file := filepath.Join(t.TempDir(), ".boxdoctor.yaml")
		if err := os.WriteFile(file, []byte("resources: [{package: "+pkg+"}]\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		r, code := g.provision("-f", file)
		if code != finding.ExitOK || r.Machines[0].Totals.Changed != 1 {
			t.Errorf("%s: exit %d, %+v", root, code, r.Machines[0])
		}
		secretStaysIn(g, "geheim")
	}
}

// before is what a run of site changes and undo has to bring back.
const before = `sha256sum /etc/motd; stat -c '%a %U:%G' /etc/motd; ls -d /srv/qrd /etc/sudoers.d/qrd /etc/cron.d/boxdoctor-* /etc/security/limits.d/60-* 2>/dev/null; rpm -q kernel-headers`

// TestUndoOfProvision: after undo the guest is as it was, packages included where that is asked for; what cannot go back
// is said; provision then makes it all again.
func TestUndoOfProvision(t *testing.T) {
	g := startGuest(t, "site", "el")
	g.flags, g.env = []string{"--ssh-config", g.sshConfig}, []string{"QRD_TOKEN=s3cr3t-of-the-test"}
	file := filepath.Join(t.TempDir(), ".boxdoctor.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(site, "/srv/qrd/marker", "/srv/marker", 2)), 0o600); err != nil {
		t.Fatal(err)
	}
	was := g.sh(before + "; true")
	if r, code := g.provision("-f", file, "--allow", "env:QRD_TOKEN"); code != finding.ExitOK || r.Machines[0].Totals.Changed != 10 {
		t.Fatalf("first run: exit %d, %+v", code, r.Machines[0])
	}
	for _, want := range []struct{ args, says string }{
		{"undo --dry-run", "planned  /etc/motd"}, {"undo --yes", "undone   /srv/qrd/token"}, {"undo --yes --packages", "undone   the package kernel-headers"},
		{"undo --yes --packages", "all that boxdoctor can take back is as it was before the run"},
	} {
		begin := time.Now()
		out, code := g.text(strings.Fields(want.args)...)
		step(t, begin, "boxdoctor %s: exit %d", want.args, code)
		if wantCode := map[bool]int{true: finding.ExitFailed}[strings.Contains(want.args, "dry")]; code != wantCode || !strings.Contains(out, want.says) || !strings.Contains(out, "sudo userdel qrd") {
			t.Errorf("%s: exit %d\n%s", want.args, code, out)
		}
	}
	if now := g.sh(before + "; true"); now != was {
		t.Errorf("after undo:\n%s\nbefore the run:\n%s", now, was)
	}
	if r, code := g.provision("-f", file); code != finding.ExitOK || r.Machines[0].Totals.Changed != 7 {
		t.Errorf("again: exit %d, %+v", code, r.Machines[0])
	}
	secretStaysIn(g, "s3cr3t-of-the-test")
}

// secretStaysIn: nothing that boxdoctor keeps on the host holds the secret.
func secretStaysIn(g *guest, secret string) {
	g.t.Helper()
	err := filepath.WalkDir(g.state, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if strings.Contains(string(b), secret) {
			g.t.Errorf("%s holds the secret", path)
		}
		return err
	})
	if err != nil {
		g.t.Error(err)
	}
}
