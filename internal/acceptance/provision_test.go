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
