//go:build acceptance

package acceptance

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/supervisor"
)

const programs = `
machines: {NAME: {groups: [app]}}
supervisor:
  on: [app]
  INSTALL
  programs:
    web: {command: sleep 1000}
    tick: {command: "sh -c 'while :; do echo tick; sleep 1; done'"}
    worker: {command: sleep 1001, numprocs: 2, process_name: "%(program_name)s_%(process_num)02d", stopwaitsecs: 600, stopasgroup: true}
    beat: {command: sleep 1002, environment: {TOKEN: "${env:SUP_TOKEN}"}}
  groups: {jobs: [worker, beat]}
  alerts: {webhook: "http://127.0.0.1:8088/alert"}
`

// hook is a webhook on the guest's loopback that keeps what it is sent.
const hook = `cat >/srv/hook.py <<'PY'
from http.server import BaseHTTPRequestHandler, HTTPServer
class Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        open('/srv/hook.log', 'ab').write(self.rfile.read(int(self.headers['Content-Length'])) + b'\n')
        self.send_response(204)
        self.end_headers()
HTTPServer(('127.0.0.1', 8088), Hook).serve_forever()
PY
systemd-run --quiet --unit=hook python3 /srv/hook.py`

// psReport is what boxdoctor ps --format json says.
type psReport struct {
	ExitCode int `json:"exit_code"`
	Machines []struct {
		Name, Error string
		Supervisors []supervisor.Instance
	}
}

// ps runs boxdoctor ps and returns the programs of the guest's one supervisord by their full name.
func (g *guest) ps(want int) (supervisor.Instance, map[string]supervisor.Program) {
	g.t.Helper()
	begin := time.Now()
	out, code := g.text("ps", "--format", "json")
	var r psReport
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.ExitCode != code || code != want || len(r.Machines) != 1 || len(r.Machines[0].Supervisors) != 1 {
		g.t.Fatalf("ps: exit %d, want %d, %v\n%s", code, want, err, tail(out))
	}
	i, by := r.Machines[0].Supervisors[0], map[string]supervisor.Program{}
	for _, p := range i.Programs {
		by[p.FullName()] = p
	}
	step(g.t, begin, "boxdoctor ps: exit %d, %d programs of supervisord %s", code, len(by), i.Version)
	return i, by
}

// all are the programs of the configuration, as they are named.
var all = []string{"boxdoctor-alerts", "jobs:beat", "jobs:worker_00", "jobs:worker_01", "tick", "web"}

// runs waits until all programs run, for at most a minute, and returns their process numbers.
func (g *guest) runs(what string) map[string]int {
	g.t.Helper()
	begin := time.Now()
	for {
		out, _ := g.text("ps", "--format", "json")
		pids := map[string]int{}
		var r psReport
		if json.Unmarshal([]byte(out), &r) == nil && len(r.Machines) == 1 && len(r.Machines[0].Supervisors) == 1 {
			for _, p := range r.Machines[0].Supervisors[0].Programs {
				if p.State == "RUNNING" {
					pids[p.FullName()] = p.PID
				}
			}
		}
		if slices.Equal(slices.Sorted(maps.Keys(pids)), all) {
			step(g.t, begin, "%s: all %d programs run", what, len(pids))
			return pids
		}
		if time.Since(begin) > time.Minute {
			g.t.Fatalf("%s: not all programs run after a minute: %s", what, tail(out))
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// supervised is a guest with a file of the programs; write replaces it.
func supervised(t *testing.T, name, root, install string) (g *guest, text string, write func(string)) {
	g = startGuest(t, name, root)
	g.flags, g.env = []string{"--ssh-config", g.sshConfig}, []string{"SUP_TOKEN=s3cr3t-of-the-test"}
	file := filepath.Join(t.TempDir(), ".boxdoctor.yaml")
	write = func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g.file = file
	text = strings.NewReplacer("NAME", name, "INSTALL", install).Replace(programs)
	write(text)
	return g, text, write
}

// apply provisions and wants an exit code and a number of changes; -1 means any.
func (g *guest) apply(code, changed int, args ...string) string {
	g.t.Helper()
	r, got := g.provision(append([]string{"-f", g.file, "--allow", "env:SUP_TOKEN"}, args...)...)
	n := r.Machines[0].Totals.Changed
	if got != code || changed >= 0 && n != changed {
		b, _ := json.MarshalIndent(r.Machines[0], "", " ")
		g.t.Fatalf("exit %d with %d changes, want %d with %d\n%s", got, n, code, changed, tail(string(b)))
	}
	var said []string
	for _, s := range r.Machines[0].Steps {
		said = append(said, s.Message)
	}
	return strings.Join(said, "\n")
}

// keep tells whether the same programs kept their processes.
func (g *guest) keep(before, now map[string]int, but ...string) {
	g.t.Helper()
	for name, pid := range before {
		if restarted := slices.Contains(but, name); (now[name] != pid) != restarted {
			g.t.Errorf("%s had process %d and has %d; restarted should be %v", name, pid, now[name], but)
		}
	}
}

// TestSupervisor is the packaged supervisor 4.2.5 of Debian: what changed restarts and nothing else does, what is broken
// goes nowhere, what is killed comes back, and alerts say so.
func TestSupervisor(t *testing.T) {
	g, text, write := supervised(t, "supdeb", "sup", "")
	g.sh(hook)
	g.apply(finding.ExitOK, -1)
	i, _ := g.ps(finding.ExitOK)
	if i.Version != "4.2.5" || i.Config != "/etc/supervisor/supervisord.conf" {
		t.Errorf("%s of %s", i.Version, i.Config)
	}
	first := g.runs("first run")
	g.apply(finding.ExitOK, 0)
	g.keep(first, g.runs("second run"))
	secretStaysIn(g, "s3cr3t-of-the-test")

	write(strings.Replace(text, "sleep 1000", "sleep 2000", 1))
	g.apply(finding.ExitOK, -1)
	now := g.runs("one program changed")
	g.keep(first, now, "web")

	write(strings.Replace(text, "sleep 1000", "sleep 1000, user: nobody-of-this-name", 1))
	if said := g.apply(finding.ExitFailed, -1); !strings.Contains(said, "Invalid user name nobody-of-this-name") {
		t.Errorf("a broken file: %s", said)
	}
	g.keep(now, g.runs("a broken file"))

	write(strings.Replace(text, "  groups:", "    doomed: {command: \"sh -c 'echo boom of the test >&2; exit 3'\", startretries: 1}\n  groups:", 1))
	if said := g.apply(finding.ExitFailed, -1); !strings.Contains(said, "doomed is FATAL") || !strings.Contains(said, "boom of the test") {
		t.Errorf("a program that cannot start: %s", said)
	}
	_, by := g.ps(finding.ExitFailed)
	if p := by["doomed"]; p.State != "FATAL" || p.LastError != "boom of the test (Exited too quickly)" {
		t.Errorf("%+v", p)
	}

	write(text)
	g.apply(finding.ExitOK, -1)
	now = g.runs("a program that is declared no more")
	g.says("ls /etc/supervisor/conf.d", "beat.conf\nboxdoctor-alerts.conf\ngroup-jobs.conf\ntick.conf\nweb.conf\nworker.conf")
	verbs(g)
	comesBack(g, "supervisor")
}

// verbs: start, stop, restart and tail by XML-RPC.
func verbs(g *guest) {
	g.t.Helper()
	before := g.runs("before ps restart")
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"restart jobs:*", 0, "worker_01"},
		{"stop web", 0, "STOPPED"},
		{"start web", 0, "RUNNING"},
		{"tail tick -n 2", 0, "tick\ntick\n"},
		{"tail nobody", 2, ""},
	} {
		if out, code := g.text(append([]string{"ps"}, strings.Fields(c.args)...)...); code != c.code || !strings.Contains(out, c.want) {
			g.t.Errorf("ps %s: exit %d, %s", c.args, code, out)
		}
	}
	g.keep(before, g.runs("after ps restart"), "jobs:beat", "jobs:worker_00", "jobs:worker_01", "web")
}

// comesBack kills a program, then supervisord, then starts the guest anew: everything runs again, and an alert was sent.
func comesBack(g *guest, service string) {
	g.t.Helper()
	before := g.runs("before a kill")
	g.sh(fmt.Sprintf("kill -9 %d", before["tick"]))
	time.Sleep(time.Second)
	now := g.runs("a killed program")
	g.keep(before, now, "tick")
	line := g.sh("tail -n 1 /var/log/supervisor/alerts.log")
	if f := strings.Split(strings.TrimSpace(line), " | "); len(f) != 9 || f[6] != "WARN" || !strings.Contains(f[7], `"program": "tick"`) {
		g.t.Errorf("the alert reads %q", line)
	}
	if sent := g.sh("tail -n 1 /srv/hook.log 2>/dev/null; true"); service == "supervisor" && !strings.Contains(sent, `\"program\": \"tick\"`) {
		g.t.Errorf("the webhook got %q", sent)
	}
	g.sh("systemctl kill -s KILL --kill-who=main " + service)
	time.Sleep(time.Second)
	g.keep(now, g.runs("a killed supervisord"), all...)
	g.sh("systemctl reboot")
	time.Sleep(2 * time.Second)
	g.runs("a reboot")
	g.apply(finding.ExitOK, 0)
}

// index serves the wheels as pip wants them, on the guest's loopback.
const index = "systemd-run --quiet --unit=index python3 -m http.server --bind 127.0.0.1 --directory /srv/index 8099"

// TestSupervisorByPip is Debian with the newest supervisor by the real pip, from an index.
func TestSupervisorByPip(t *testing.T) {
	g, _, _ := supervised(t, "suppip", "sup", "index: http://127.0.0.1:8099/simple/")
	g.sh(index)
	g.apply(finding.ExitOK, -1)
	i, _ := g.ps(finding.ExitOK)
	if i.Version != "4.3.0" || i.Config != "/etc/boxdoctor/supervisor/supervisord.conf" {
		t.Errorf("%s of %s", i.Version, i.Config)
	}
	before := g.runs("first run")
	g.apply(finding.ExitOK, 0)
	g.keep(before, g.runs("second run"))
	g.says("command -v supervisord; readlink -f /proc/$(systemctl show -p MainPID --value supervisord)/exe | sed 's,[0-9.]*$,,'", "/usr/bin/python")
}

// TestSupervisorOffline is the EL-like guest without an index: wheels of a folder, dnf and systemd. Its python3 with venv
// is Debian's (lab/supervisor.sh).
func TestSupervisorOffline(t *testing.T) {
	g, _, _ := supervised(t, "supel", "el-sup", "wheels: "+folderName)
	if err := os.Symlink(filepath.Join(labDir(), "wheels"), filepath.Join(filepath.Dir(g.file), folderName)); err != nil {
		t.Fatal(err)
	}
	g.apply(finding.ExitOK, -1)
	if i, _ := g.ps(finding.ExitOK); i.Version != "4.3.0" {
		t.Error(i.Version)
	}
	before := g.runs("first run")
	g.apply(finding.ExitOK, 0)
	g.keep(before, g.runs("second run"))
	comesBack(g, "supervisord")
	g.says("ls /var/lib/boxdoctor/run", "")
}

const folderName = "my-wheels"
