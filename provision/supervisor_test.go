package provision

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
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

func TestVenvRequirements(t *testing.T) {
	for version, want := range map[string]string{"": "supervisor>=4.3.0", "4.3.0": "supervisor==4.3.0", "4.2.5": "supervisor==4.2.5 setuptools<82", "3.4.0": "supervisor==3.4.0", "4.10.1": "supervisor==4.10.1"} {
		if got := strings.Join(venv{version: version}.requirements(), " "); got != want {
			t.Errorf("%s: %s, want %s", version, got, want)
		}
	}
}

// CVE-2017-11610: the web interface of these releases is not switched on.
func TestWebInterfaceOfOldReleases(t *testing.T) {
	for version, refused := range map[string]bool{"2.1": true, "3.0": true, "3.0.1": false, "3.1.3": true, "3.1.4": false, "3.2.3": true, "3.3.2": true, "3.3.3": false, "3.4.0": false, "4.2.5": false, "": false} {
		v := SupervisorSpec{Version: version, Web: &webSpec{User: "a", Password: "b"}}
		if err := v.validate(); (err != nil) != refused || refused && !strings.Contains(err.Error(), "CVE-2017-11610") {
			t.Errorf("%s: %v", version, err)
		}
	}
}

// on is the plan for a guest of this kind.
func on(t *testing.T, text string, sys facts.System, repos ...facts.ConfigFile) ([]Resource, error) {
	t.Helper()
	c, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	s := &Secrets{Getenv: func(string) string { return "p%w" }, Allowed: []string{"env:PW"}}
	plan, err := c.For("web", Input{Dir: t.TempDir(), Secrets: s, Vault: &Vault{Dir: t.TempDir(), Known: s.Hide}})
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

// A web interface without a declared password gets one of its own, which stands in the guest's file and the vault only.
func TestSupervisorGeneratesAWebPassword(t *testing.T) {
	rs, err := on(t, "machines: {web: {}}\nsupervisor: {web: {}}", facts.System{Manager: "apt"})
	if err != nil {
		t.Fatal(err)
	}
	found, said := false, false
	for _, r := range rs {
		f, ok := r.(FileResource)
		if _, rest, web := strings.Cut(f.Content, "[inet_http_server]"); ok && web {
			password := regexp.MustCompile(`(?m)^password = (\S{16,})$`).FindString(rest)
			found = f.Secret && f.Mode == 0o600 && password != "" && strings.Contains(rest, "username = admin")
		}
		if n, ok := r.(noted); ok {
			said = strings.Contains(n.note, "user admin") && strings.HasSuffix(n.note, webSecret)
		}
	}
	if !found || !said {
		t.Errorf("password in a secret file: %v, its place said: %v", found, said)
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
		`{web: {user: a, password: b, bind: "0.0.0.0:9001"}}`:                         "can be reached by others",
		`{install: package, version: "4.3.0"}`:                                        "exclude each other",
		`{install: pip}`:                                                              `"pip" is not one of`,
		`{wheels: nowhere}`:                                                           "holds no wheels",
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

// EL 6: an init script, no /run, and the last Supervisor that knows its Python.
func TestSupervisorOnSysV(t *testing.T) {
	rs, err := on(t, "machines: {web: {}}\nsupervisor: {programs: {a: {command: x, stopwaitsecs: 60}}}", facts.System{Manager: "yum", VersionID: "6.10", Init: "upstart"})
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, r := range rs {
		switch x := r.(type) {
		case FileResource:
			text += x.Path + "\n" + x.Content
		case venv:
			text += fmt.Sprintf("venv %s %s\n", x.version, x.pkg)
		}
	}
	for _, want := range []string{"venv 3.4.0 python-virtualenv", "/etc/init.d/supervisord\n#!/bin/sh", "patience=70", "bin=/opt/boxdoctor/supervisor/bin main=/etc/boxdoctor",
		"file = /var/run/boxdoctor-supervisor.sock", "pidfile=/var/run/boxdoctor-supervisord.pid", "# chkconfig: 345 83 04"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if strings.Contains(text, "systemd/system") || strings.Contains(text, "@") {
		t.Error("a unit, or something that was not filled in")
	}
	rs, err = on(t, "machines: {web: {}}\nsupervisor: {}", facts.System{Manager: "apt", VersionID: "12", Init: "sysv"})
	if got := ids(rs); err != nil || strings.Contains(got, "systemd") || strings.Contains(got, "init.d") {
		t.Errorf("Debian's package brings its own script: %s %v", got, err)
	}
}

// The init script with the shells that are here, over a synthetic supervisord.
func TestSupervisorInitScript(t *testing.T) {
	for _, sh := range [][]string{{"dash"}, {"bash"}, {"busybox", "sh"}} {
		path, err := exec.LookPath(sh[0])
		if err != nil {
			continue
		}
		dir := t.TempDir()
		pid := dir + "/pid"
		text := strings.NewReplacer("@BIN@", dir, "@MAIN@", dir+"/main.conf", "@PID@", pid, "@STOP@", "1").Replace(supervisorInit)
		for name, content := range map[string]string{"init": text, "supervisord": "#!/bin/sh\nsh " + dir + "/supervisord.loop >/dev/null 2>&1 &\necho $! >" + pid,
			"supervisord.loop": "n=0; while [ $n -lt 60 ] && [ ! -e " + dir + "/deaf-$n ]; do sleep 1; n=$((n+1)); done", "supervisorctl": "#!/bin/sh\necho \"$3\" >>" + dir + "/asked"} {
			if err := os.WriteFile(dir+"/"+name, []byte(content), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		run := func(verb string) (string, int) {
			cmd := exec.CommandContext(t.Context(), path, append(append(sh[1:len(sh):len(sh)], dir+"/init"), strings.Fields(verb)...)...)
			out, _ := cmd.CombinedOutput()
			return strings.TrimSpace(string(out)), cmd.ProcessState.ExitCode()
		}
		var before string
		for _, c := range []struct {
			verb, says string
			code       int
		}{
			{"status", "supervisord does not run", 3}, {"stop", "", 0}, {"start", "", 0}, {"start", "", 0}, {"status", "runs", 0},
			{"reload", "", 0}, {"restart", "", 0}, {"status", "runs", 0}, {"stop", "", 0}, {"status", "does not run", 3}, {"", "usage", 2}, {"dance", "usage", 2},
		} {
			out, code := run(c.verb)
			if code != c.code || !strings.Contains(out, c.says) {
				t.Errorf("%s %s: %d %s, want %d %s", sh, c.verb, code, out, c.code, c.says)
			}
			if c.verb == "restart" && readAll(t, pid) == before {
				t.Errorf("%s: restart did not", sh)
			}
			if c.verb == "reload" {
				before = readAll(t, pid)
			}
		}
		if got := readAll(t, dir+"/asked"); !strings.Contains(got, "update\n") {
			t.Errorf("%s: reload asked %q", sh, got)
		}
		// a process number that another program has now is no supervisord
		if err := os.WriteFile(pid, []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, code := run("status"); code != 3 {
			t.Errorf("%s takes any process for supervisord: %d %s", sh, code, out)
		}
	}
}

// A new listener file alone changed nothing for supervisord, and the old one went on running (seen on a real guest).
func TestChangedListenerIsStartedAnew(t *testing.T) {
	l := alertSpec{}.listener(debianLayout)
	if got := l.Environment["BOXDOCTOR_ALERT_LISTENER"]; got == "" || !strings.HasPrefix(sum(alertsListener), got) {
		t.Errorf("its configuration names %q", got)
	}
}

// The alert listener by every Python that is here: protocol, line, expected exits, rate limit.
func TestAlertListener(t *testing.T) {
	for _, python := range testkit.Pythons() {
		log := t.TempDir() + "/alerts.log"
		payload := "processname:web groupname:web from_state:RUNNING expected:0 pid:42"
		expected := strings.Replace(payload, "expected:0", "expected:1", 1)
		var in strings.Builder
		for _, p := range []string{payload, expected} {
			in.WriteString("ver:3.0 server:supervisor serial:1 pool:x poolserial:1 eventname:PROCESS_STATE_EXITED len:" + strconv.Itoa(len(p)) + "\n" + p)
		}
		cmd := exec.CommandContext(t.Context(), python, "-u", "scripts/supervisor_alerts.py")
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
