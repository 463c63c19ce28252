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
func supervised(t *testing.T, name, root, install string, sick ...string) (g *guest, text string, write func(string)) {
	g = startGuest(t, name, root, sick...)
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
	// a look does not hide that supervisord was not told to an end
	if said := g.apply(finding.ExitFailed, 0, "--check"); !strings.Contains(said, "noted by a run that did not get to it") {
		t.Errorf("a look after that: %s", said)
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
	g, _, _ := supervised(t, "suppip", "sup", `index: http://127.0.0.1:8099/simple/
  web: {user: admin, password: "${env:SUP_TOKEN}"}`)
	g.sh(index)
	g.apply(finding.ExitOK, -1)
	i, _ := g.ps(finding.ExitOK)
	if i.Version != "4.3.0" || i.Config != "/etc/boxdoctor/supervisor/supervisord.conf" {
		t.Errorf("%s of %s", i.Version, i.Config)
	}
	before := g.runs("first run")
	g.apply(finding.ExitOK, 0)
	g.keep(before, g.runs("second run"))
	g.says("stat -c %a /etc/boxdoctor/supervisor/supervisord.conf; ss -Hltn sport = :9001 | grep -o '127.0.0.1:9001'; "+
		"for p in wrong s3cr3t-of-the-test; do python3 -c 'import sys, urllib.request as u, base64 as b; print(u.urlopen(u.Request(\"http://127.0.0.1:9001/\", headers={\"Authorization\": \"Basic \" + b.b64encode((\"admin:\" + sys.argv[1]).encode()).decode()})).status)' $p 2>&1 | tail -n 1; done",
		"600\n127.0.0.1:9001\nurllib.error.HTTPError: HTTP Error 401: Unauthorized\n200")
	secretStaysIn(g, "s3cr3t-of-the-test")
	g.says("command -v supervisord; readlink -f /proc/$(systemctl show -p MainPID --value supervisord)/exe | sed 's,[0-9.]*$,,'", "/usr/bin/python")
}

// TestSupervisorOffline is the EL-like guest without a repository that answers and without an index: everything comes from
// one folder of package files and wheels. Its python3 with venv is Debian's (lab/supervisor.sh). Of the folder only what is
// declared, and what that needs, is installed.
func TestSupervisorOffline(t *testing.T) {
	g, text, write := supervised(t, "supel", "el-sup", "install: venv", "offline")
	write(text + "resources: [{package: make}, {package: binutils}]\n")
	dir := folder(t, filepath.Join(labDir(), "rpms"), "make-[0-9]*", "binutils-[0-9]*", "lab-slow-[0-9]*", "zlib-devel-[0-9]*")
	if err := os.Symlink(glob(t, filepath.Join(labDir(), "wheels"), "supervisor-*.whl"), filepath.Join(dir, "supervisor-4.3.0-py2.py3-none-any.whl")); err != nil {
		t.Fatal(err)
	}
	g.apply(finding.ExitOK, -1, "--packages", dir)
	if i, _ := g.ps(finding.ExitOK); i.Version != "4.3.0" {
		t.Error(i.Version)
	}
	g.says("rpm -q make binutils >/dev/null && rpm -q lab-slow zlib-devel; ls /var/lib/boxdoctor/run", "package lab-slow is not installed\npackage zlib-devel is not installed")
	before := g.runs("first run")
	g.apply(finding.ExitOK, 0)
	g.keep(before, g.runs("second run"))
	comesBack(g, "supervisord")
}

// TestSupervisorOfEPEL: the layout of EPEL's package by the real dnf and systemd; the files are Debian's (lab/supervisor.sh).
func TestSupervisorOfEPEL(t *testing.T) {
	if testing.Short() {
		t.Skip("the files are Debian's: make acceptance-full")
	}
	g, _, _ := supervised(t, "supepel", "el-sup", "")
	g.apply(finding.ExitOK, -1)
	if i, _ := g.ps(finding.ExitOK); i.Version != "4.2.5" || i.Config != "/etc/supervisord.conf" || i.Socket != "/run/supervisor/supervisor.sock" {
		t.Errorf("%+v", i)
	}
	g.says("rpm -q supervisor; ls /etc/supervisord.d | head -n 3", "supervisor-4.2.5-6.el9.noarch\nbeat.ini\nboxdoctor-alerts.ini\nempty.ini")
	g.sh("systemctl reboot")
	time.Sleep(2 * time.Second)
	g.runs("a reboot")
	g.apply(finding.ExitOK, 0)
}

// glob is the one file of a folder that fits.
func glob(t *testing.T, dir, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) != 1 {
		t.Fatalf("%s in %s: %v %v", pattern, dir, files, err)
	}
	return files[0]
}

// TestPsOfAnotherSupervisor: a Supervisor that boxdoctor did not install, with the distribution's own configuration, in a
// guest whose login shell talks and whose sudo wants a password and a terminal.
func TestPsOfAnotherSupervisor(t *testing.T) {
	g := startGuest(t, "other", "sup", "noise", "sudo-password", "sudo-tty")
	g.flags, g.env = []string{"--ssh-config", g.sshConfig}, []string{"BOXDOCTOR_SUDO_PASSWORD_OTHER=vagrant"}
	if out, code := g.text("ps"); code != finding.ExitOK || out != "other: no Supervisor is here\n" {
		t.Errorf("without Supervisor: exit %d, %s", code, out)
	}
	g.sh(`apt-get -qq update && apt-get -qq -y install supervisor >/dev/null 2>&1
printf '[program:mine]\ncommand = sleep 900\n[program:bad]\ncommand = sh -c "echo no module >&2; exit 3"\nstartretries = 1\nredirect_stderr = true\n' >/etc/supervisor/conf.d/mine.conf
supervisorctl update >/dev/null; sleep 5`)
	i, by := g.ps(finding.ExitFailed)
	if by["mine"].State != "RUNNING" || by["bad"].State != "FATAL" || by["bad"].LastError != "no module (Exited too quickly)" || i.Config != "/etc/supervisor/supervisord.conf" {
		t.Errorf("%+v", i)
	}
	if out, code := g.text("ps", "restart", "mine"); code != finding.ExitOK || !strings.Contains(out, "RUNNING") {
		t.Errorf("ps restart: exit %d, %s", code, out)
	}
	g.sh("systemctl stop supervisor")
	if i, _ := g.ps(finding.ExitFailed); !i.Down || len(i.Programs) != 0 {
		t.Errorf("%+v", i)
	}
}

// application is what the examples run: a WSGI application and a Celery application with folders as its broker. PHP is not
// in the lab: a stand-in that waits takes its place.
const application = `mkdir -p /home/qrd/qrd /home/qrd/broker /home/qrd/shop
printf 'def application(environ, start_response):\n    start_response("200 OK", [])\n    return [b"hello of qrd"]\n' >/home/qrd/qrd/wsgi.py
cat >/home/qrd/qrd/celery.py <<'PY'
from celery import Celery
app = Celery('qrd', broker='filesystem://', broker_transport_options={'data_folder_in': '/home/qrd/broker', 'data_folder_out': '/home/qrd/broker'})
app.conf.beat_schedule = {'tick': {'task': 'qrd.celery.tick', 'schedule': 2.0}}
@app.task
def tick():
    open('/home/qrd/ticked', 'a').write('tick\n')
PY
printf 'from .celery import app\n' >/home/qrd/qrd/__init__.py
printf '#!/bin/sh\n# boxdoctor lab: a stand-in\nexec sleep 1000\n' >/usr/bin/php
chmod 755 /usr/bin/php; chmod -R a+rwX /home/qrd`

// TestSupervisorExamples runs docs/examples/jobs.yaml with the real gunicorn and Celery on Debian, whose packages come from
// a folder, because no repository answers.
func TestSupervisorExamples(t *testing.T) {
	example, err := os.ReadFile("../../docs/examples/jobs.yaml")
	if err != nil {
		t.Fatal(err)
	}
	g, _, write := supervised(t, "supjobs", "sup", "", "offline")
	write(strings.Replace(string(example), "{web: ", "{supjobs: ", 1))
	g.sh(application)
	g.apply(finding.ExitOK, -1, "--packages", filepath.Join(labDir(), "sup-debs"))
	_, by := g.ps(finding.ExitOK)
	for _, name := range []string{"qrd", "jobs:queue_00", "jobs:queue_01", "jobs:qrdbeat", "jobs:qrdworker", "boxdoctor-alerts"} {
		if by[name].State != "RUNNING" {
			t.Errorf("%s is %+v", name, by[name])
		}
	}
	g.says("python3 -c 'import urllib.request as u; print(u.urlopen(\"http://127.0.0.1:8000/\").read().decode())'", "hello of qrd")
	g.says("for i in $(seq 60); do [ ! -s /home/qrd/ticked ] || break; sleep 0.5; done; sort -u /home/qrd/ticked", "tick")
	g.says("ls /var/lib/boxdoctor/run", "")
	g.apply(finding.ExitOK, 0)
}
