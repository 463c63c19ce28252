package provision

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/testkit"
)

const app = `
machines: {web: {groups: [app]}}
supervisor:
  on: [app]
  web: {user: admin, password: "${env:PW}"}
  alerts: {webhook: "https://alerts.example.org/x"}
  programs:
    gunicorn: {command: /usr/bin/gunicorn --workers 3 --bind 127.0.0.1:8000 qrd.wsgi, directory: /home/qrd/qrd, startsecs: 5, startretries: 3, environment: {RATE: "50%", NAME: 'say "hi"', TOKEN: "${env:PW}"}}
    worker: {command: celery -A qrd worker, numprocs: 2, process_name: "%(program_name)s_%(process_num)02d", stopwaitsecs: 600, stopasgroup: true, priority: 1000, autorestart: unexpected}
    beat: {command: celery -A qrd beat, autostart: false, stdout_logfile_maxbytes: 10MB}
  eventlisteners:
    memmon: {command: memmon -a 200MB, events: [TICK_60]}
  fcgi_programs:
    php: {command: /usr/bin/php-cgi, socket: "tcp://127.0.0.1:9002"}
  groups: {jobs: [worker, beat]}
`

// on is the plan for a guest of this kind.
func on(t *testing.T, text string, sys facts.System, repos ...facts.ConfigFile) ([]Resource, error) {
	t.Helper()
	c, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	s := &Secrets{Getenv: func(string) string { return "p%w" }, Allowed: []string{"env:PW"}}
	plan, err := c.For("web", Input{Dir: t.TempDir(), Secrets: s})
	if err != nil {
		return nil, err
	}
	return plan(facts.Guest{System: facts.Known(sys), Repos: facts.Known(facts.Repos{Files: repos})})
}

// The whole role on three kinds of guests, file by file.
func TestSupervisorFiles(t *testing.T) {
	for name, sys := range map[string]facts.System{
		"debian": {Manager: "apt", ID: "debian", VersionID: "12"},
		"fedora": {Manager: "dnf5", ID: "fedora", VersionID: "42"},
		"rocky":  {Manager: "dnf", ID: "rocky", VersionID: "9.6"},
	} {
		rs, err := on(t, app, sys)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, r := range rs {
			b.WriteString("== " + r.ID() + "\n")
			if f, ok := r.(FileResource); ok && !strings.HasSuffix(f.Path, ".py") {
				b.WriteString(f.Content)
			}
		}
		testkit.Golden(t, "testdata/supervisor-"+name+".golden", []byte(b.String()))
	}
}

func TestSupervisorLayoutFollowsTheGuest(t *testing.T) {
	epel := facts.ConfigFile{Path: "/etc/yum.repos.d/epel.repo", Content: "[epel]\nenabled=1\n"}
	for _, c := range []struct {
		spec  string
		sys   facts.System
		repos []facts.ConfigFile
		first string
	}{
		{"{}", facts.System{Manager: "apt"}, nil, "package/supervisor"},
		{"{}", facts.System{Manager: "dnf", VersionID: "9.6"}, nil, "venv/opt/boxdoctor/supervisor"},
		{"{}", facts.System{Manager: "dnf", VersionID: "9.6"}, []facts.ConfigFile{epel}, "package/supervisor"},
		{"{}", facts.System{Manager: "yum", VersionID: "6.10"}, []facts.ConfigFile{epel}, "venv/opt/boxdoctor/supervisor"},
		{"{version: 4.3.0}", facts.System{Manager: "apt"}, nil, "package/python3-venv"},
		{"{install: venv}", facts.System{Manager: "zypper"}, nil, "venv/opt/boxdoctor/supervisor"},
	} {
		rs, err := on(t, "machines: {web: {}}\nsupervisor: "+c.spec, c.sys, c.repos...)
		if err != nil || rs[0].ID() != c.first {
			t.Errorf("%s on %+v: %s %v, want %s", c.spec, c.sys, ids(rs), err, c.first)
		}
	}
	if _, err := on(t, "machines: {web: {}}\nsupervisor: {install: package}", facts.System{Manager: "pacman", Pretty: "Arch"}); err == nil {
		t.Error("a package for Arch was made up")
	}
}

func TestSupervisorRefuses(t *testing.T) {
	for spec, want := range map[string]string{
		`{programs: {a: {command: x, startsec: 5}}}`:                                  `did you mean startsecs?`,
		`{programs: {a: {}}}`:                                                         "command is missing",
		`{programs: {"a:b": {command: x}}}`:                                           "letters, digits, and _ . - make a name",
		`{programs: {a: {command: x, numprocs: 2}}}`:                                  "wants a process_name with %(process_num)",
		`{programs: {a: {command: x, stopsignal: SIGTERM}}}`:                          "stopsignal",
		`{programs: {a: {command: x, autorestart: maybe}}}`:                           "true, false or unexpected",
		`{programs: {a: {command: x, stdout_logfile_maxbytes: 5MiB}}}`:                "a number of bytes",
		`{programs: {a: {command: x, directory: srv}}}`:                               "is not a whole path",
		`{programs: {a: {command: x, stopasgroup: true, killasgroup: false}}}`:        "leaves children behind",
		`{programs: {a: {command: x, environment: {A: "b'c\"d"}}}}`:                   "at most one kind of quotes",
		"{programs: {a: {command: \"x\\n[supervisord]\"}}}":                           "more than one line",
		`{eventlisteners: {a: {command: x}}}`:                                         "events are missing",
		`{eventlisteners: {a: {command: x, events: [TICK_7]}}}`:                       "is none of Supervisor's",
		`{eventlisteners: {a: {command: x, events: [EVENT], redirect_stderr: true}}}`: "speaks its protocol",
		`{fcgi_programs: {a: {command: x}}}`:                                          "is not unix:///PATH",
		`{groups: {g: [nobody]}}`:                                                     "is no program that is declared",
		`{programs: {a: {command: x}}, groups: {g: [a], h: [a]}}`:                     "it can be in one",
		`{web: {}}`: "a user and a password are wanted",
		`{web: {user: a, password: b, bind: "0.0.0.0:9001"}}`: "can be reached by others",
		`{install: package, version: "4.3.0"}`:                "exclude each other",
		`{install: pip}`:                                      `"pip" is not one of`,
		`{wheels: nowhere}`:                                   "holds no wheels",
	} {
		c, err := Parse([]byte("machines: {web: {}}\nsupervisor: " + spec))
		if err == nil {
			var rs []Resource
			rs, err = on(t, "machines: {web: {}}\nsupervisor: "+spec, facts.System{Manager: "dnf"})
			_, _ = rs, c
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", spec, err, want)
		}
	}
}

func TestSupervisorRunning(t *testing.T) {
	r := running{must: []string{"web", "jobs:*", "jobs:beat"}}
	const good = "jobs:beat   RUNNING   pid 1\njobs:worker_00 EXITED x\nweb RUNNING pid 2\n"
	for status, want := range map[string]string{
		good: "",
		strings.Replace(good, "EXITED", "FATAL", 1):             "jobs FATAL",
		strings.Replace(good, "web RUNNING pid 2", "", 1):       "web is not there",
		"unix:///run/x.sock no such file\n":                     "web is not there, jobs is not there, jobs:beat is not there",
		strings.Replace(good, "web RUNNING", "web STARTING", 1): "web STARTING",
	} {
		if got := strings.Join(r.notRunning(status), ", "); got != want {
			t.Errorf("%q: %s, want %s", status, got, want)
		}
	}
}

// The alert listener by every Python that is here: protocol, line, expected exits, rate limit.
func TestAlertListener(t *testing.T) {
	for _, python := range []string{"python3", "python2", "python"} {
		path, err := exec.LookPath(python)
		if err != nil || exec.CommandContext(t.Context(), path, "-c", "").Run() != nil {
			continue
		}
		log := t.TempDir() + "/alerts.log"
		payload := "processname:web groupname:web from_state:RUNNING expected:0 pid:42"
		expected := strings.Replace(payload, "expected:0", "expected:1", 1)
		var in strings.Builder
		for _, p := range []string{payload, expected} {
			in.WriteString("ver:3.0 server:supervisor serial:1 pool:x poolserial:1 eventname:PROCESS_STATE_EXITED len:" + strconv.Itoa(len(p)) + "\n" + p)
		}
		cmd := exec.CommandContext(t.Context(), path, "-u", "scripts/supervisor_alerts.py")
		cmd.Env = []string{"BOXDOCTOR_ALERT_LOG=" + log, "BOXDOCTOR_ALERT_WEBHOOK=http://127.0.0.1:1/refused"}
		cmd.Stdin = strings.NewReader(in.String())
		out, err := cmd.Output()
		if err != nil || string(out) != "READY\nRESULT 2\nOKREADY\nRESULT 2\nOKREADY\n" {
			t.Errorf("%s: %q %v", python, out, err)
		}
		lines := strings.Split(strings.TrimSpace(readAll(t, log)), "\n")
		if len(lines) != 1 || len(strings.Split(lines[0], " | ")) != 9 || !strings.Contains(lines[0], `"program": "web"`) || !strings.Contains(lines[0], " | 42 | - | RUNTIME | WARN | ") {
			t.Errorf("%s wrote %q", python, lines)
		}
	}
}

func readAll(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
