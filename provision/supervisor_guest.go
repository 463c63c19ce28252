package provision

import (
	"cmp"
	"crypto/sha256"
	_ "embed" // the scripts that run in guests
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	goversion "github.com/hashicorp/go-version"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

//go:embed scripts/supervisor_check.sh
var supervisorCheck string

//go:embed scripts/supervisor_apply.sh
var supervisorApply string

//go:embed scripts/supervisor_venv.sh
var supervisorVenv string

//go:embed scripts/supervisor_init.sh
var supervisorInit string

//go:embed scripts/supervisor_alerts.py
var alertsListener string

const (
	alertsDir  = "/usr/local/lib/boxdoctor"
	alertsFile = alertsDir + "/supervisor_alerts.py"
	// firstPriority is that of the first program; each further one comes after it. Supervisor's own default is 999.
	firstPriority = 100
)

// files are the main file and one for each program and group, programs first: whatever is written so far is a whole
// configuration.
func (v *SupervisorSpec) files(l layout) []Resource {
	out := []Resource{v.file(l, l.Main, v.main(l), []string{l.Service})}
	add := func(name, text string) {
		out = append(out, v.file(l, l.Folder+"/"+name+l.Suffix, text, nil))
	}
	for i, name := range v.Programs.Names {
		add(name, section("program:"+name, v.Programs.Of[name].withDefaults(i)))
	}
	for i, name := range v.FCGIPrograms.Names {
		p := v.FCGIPrograms.Of[name]
		p.Program = p.withDefaults(len(v.Programs.Names) + i)
		add(name, section("fcgi-program:"+name, p))
	}
	for i, name := range v.EventListeners.Names {
		p := v.EventListeners.Of[name]
		p.Program = p.withDefaults(i - len(v.EventListeners.Names) - 1)
		add(name, section("eventlistener:"+name, p))
	}
	if v.Alerts != nil {
		add("boxdoctor-alerts", section("eventlistener:boxdoctor-alerts", v.Alerts.listener(l)))
	}
	for _, name := range v.Groups.Names {
		add("group-"+name, section("group:"+name, v.Groups.Of[name]))
	}
	return out
}

// withSecrets puts secrets in. A file that holds one is shown nowhere.
func (v *SupervisorSpec) withSecrets(l layout, in Input) ([]Resource, error) {
	open, err := v.expanded(in)
	if err != nil {
		return nil, err
	}
	out, asDeclared := open.files(l), v.files(l)
	for i := range out {
		f := out[i].(FileResource)
		f.Secret = f.Content != asDeclared[i].(FileResource).Content
		out[i] = f
	}
	return out, nil
}

// expanded is a copy in which references to secrets are replaced.
func (v *SupervisorSpec) expanded(in Input) (*SupervisorSpec, error) {
	out := *v
	var errs []error
	put := func(text string) string {
		text, _, err := in.Secrets.expand(text)
		errs = append(errs, err)
		return text
	}
	environment := func(p Program) Program {
		p.Environment = maps.Clone(p.Environment)
		for k, text := range p.Environment {
			p.Environment[k] = put(text)
		}
		return p
	}
	out.Programs.Of, out.FCGIPrograms.Of, out.EventListeners.Of = maps.Clone(v.Programs.Of), maps.Clone(v.FCGIPrograms.Of), maps.Clone(v.EventListeners.Of)
	for n, p := range v.Programs.Of {
		out.Programs.Of[n] = environment(p)
	}
	for n, p := range v.FCGIPrograms.Of {
		p.Program = environment(p.Program)
		out.FCGIPrograms.Of[n] = p
	}
	for n, p := range v.EventListeners.Of {
		p.Program = environment(p.Program)
		out.EventListeners.Of[n] = p
	}
	if v.Web != nil {
		w, err := v.Web.login(in.Vault)
		w.Password, out.Web, errs = put(w.Password), &w, append(errs, err)
	}
	if v.Alerts != nil {
		a := *v.Alerts
		a.Webhook, out.Alerts = put(a.Webhook), &a
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &out, out.validate()
}

// file is a part of the configuration; supervisord's own parser must accept it together with the rest.
func (v *SupervisorSpec) file(l layout, where, text string, restart []string) FileResource {
	return FileResource{Path: where, Content: "; boxdoctor provision: changes are overwritten\n" + text, Mode: 0o600, State: Present,
		Validate: []string{"sh", "-c", supervisorCheck, "sh", "%s", where, l.Main, l.Folder, l.Suffix, l.Bin + "/supervisord"},
		Restart:  restart, Notify: []string{updateMark}}
}

// withDefaults fills what is always written: exitcodes, whose default changed in 4.0, and the priority of the order.
func (p Program) withDefaults(at int) Program {
	if p.ExitCodes == nil {
		p.ExitCodes = []int{0}
	}
	if p.Priority == nil {
		n := firstPriority + at
		p.Priority = &n
	}
	return p
}

// main is the main file. supervisorctl reads no included files, so what it needs stands here.
func (v *SupervisorSpec) main(l layout) string {
	backups := 10
	if v.LogBackups != nil {
		backups = *v.LogBackups
	}
	var b strings.Builder
	fmt.Fprintf(&b, "[unix_http_server]\nfile = %s\nchmod = 0700\n\n", l.Socket)
	if w := v.Web; w != nil {
		fmt.Fprintf(&b, "[inet_http_server]\nport = %s\nusername = %s\npassword = %s\n\n", or(w.Bind, defaultBind), percent(w.User), percent(w.Password))
	}
	fmt.Fprintf(&b, "[supervisord]\nlogfile = %s/supervisord.log\nlogfile_maxbytes = %s\nlogfile_backups = %d\npidfile = %s\nchildlogdir = %s\n\n",
		l.Log, or(string(v.LogMaxBytes), "50MB"), backups, l.PID, l.Log)
	b.WriteString("[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\n")
	fmt.Fprintf(&b, "[supervisorctl]\nserverurl = unix://%s\n\n[include]\nfiles = %s/*%s\n", l.Socket, l.Folder, l.Suffix)
	return b.String()
}

// percent doubles percent signs, which supervisord would expand.
func percent(text string) string { return strings.ReplaceAll(text, "%", "%%") }

// unit is a whole unit for a virtual environment, and a drop-in over the distribution's own (D2): in the foreground,
// stopped by its own signal handler, reloaded without a restart of what did not change.
func (v *SupervisorSpec) unit(l layout) Resource {
	if l.SysV {
		text := strings.NewReplacer("@BIN@", l.Bin, "@MAIN@", l.Main, "@PID@", l.PID, "@STOP@", strconv.Itoa(v.longestStop()+10)).Replace(supervisorInit)
		return FileResource{Path: l.ServiceFile, Content: text, Mode: 0o755, State: Present, Restart: []string{l.Service}, Notify: []string{updateMark}}
	}
	head := ""
	if l.Package == "" {
		head = "[Unit]\nDescription=Supervisor (boxdoctor)\nAfter=network.target\n\n"
	}
	text := fmt.Sprintf(`# boxdoctor provision
%s[Service]
Type=simple
ExecStart=
ExecStart=%[2]s/supervisord -n -c %[3]s
ExecStop=
ExecReload=
ExecReload=%[2]s/supervisorctl -c %[3]s update
KillMode=mixed
TimeoutStopSec=%[4]d
Restart=on-failure
RestartSec=5s
`, head, l.Bin, l.Main, v.longestStop()+10)
	if dir := path.Base(path.Dir(l.Socket)); dir != "run" { // /run is empty after a restart
		text += "RuntimeDirectory=" + dir + "\n"
	}
	if l.Package == "" {
		text += "\n[Install]\nWantedBy=multi-user.target\n"
	}
	return FileResource{Path: l.ServiceFile, Content: text, Mode: configMode, State: Present, Restart: []string{l.Service}, Notify: []string{updateMark}}
}

// eachProgram calls f for all that supervisord runs.
func (v *SupervisorSpec) eachProgram(f func(name string, p Program)) {
	for _, n := range v.Programs.Names {
		f(n, v.Programs.Of[n])
	}
	for _, n := range v.FCGIPrograms.Names {
		f(n, v.FCGIPrograms.Of[n].Program)
	}
	for _, n := range v.EventListeners.Names {
		f(n, v.EventListeners.Of[n].Program)
	}
}

// longestStop is how long the slowest program may take to end, in seconds.
func (v *SupervisorSpec) longestStop() int {
	longest := 10
	v.eachProgram(func(_ string, p Program) {
		if p.StopWaitSecs != nil {
			longest = max(longest, *p.StopWaitSecs)
		}
	})
	return longest
}

// listener is the event listener of alerts.
func (a alertSpec) listener(l layout) EventListener {
	env := map[string]string{"BOXDOCTOR_ALERT_LOG": or(a.Log, l.Log+"/alerts.log"), "BOXDOCTOR_ALERT_PER_HOUR": strconv.Itoa(cmp.Or(a.PerHour, 6))}
	// supervisord restarts what is configured differently, not what has another file
	env["BOXDOCTOR_ALERT_LISTENER"] = sum(alertsListener)[:12]
	for k, v := range map[string]string{"BOXDOCTOR_ALERT_WEBHOOK": a.Webhook, "BOXDOCTOR_ALERT_MAIL_TO": a.Mail} {
		if v != "" {
			env[k] = v
		}
	}
	python := "/usr/bin/env python3"
	if l.Package == "" {
		python = l.Bin + "/python"
	}
	p := Program{Command: python + " -u " + alertsFile, Environment: env}
	return EventListener{Program: p.withDefaults(-firstPriority), Events: []string{"PROCESS_STATE_EXITED", "PROCESS_STATE_FATAL", "PROCESS_STATE_BACKOFF"}}
}

// venv is supervisor in a virtual environment of its own.
type venv struct {
	version, index string
	wheels         []action.Upload
	// command makes virtual environments; pkg brings it. What the package is called that is installed differs (python36 on
	// EL 8 is python3), so that the command is asked for.
	command, pkg string
}

// Releases of Supervisor: the first without pkg_resources, and the last for Python 2.6 (D1).
const (
	leastVenv       = "4.3.0"
	lastForPython26 = "3.4.0"
)

// ID names the step.
func (venv) ID() string { return "venv" + venvDir }

// Needs are the version that is there, and whether a virtual environment can be made.
func (e venv) Needs() Needs {
	return Needs{Commands: map[string]string{
		"venv":   venvDir + "/bin/supervisord -v 2>/dev/null || { test ! -e " + venvDir + "/bin/supervisord && echo absent; }",
		"python": "command -v " + e.command}}
}

// Diff compares the version that answers; one that does not answer is installed anew.
func (e venv) Diff(s *State) ([]Change, error) {
	out, err := s.commands.get("venv")
	if err != nil {
		return nil, err
	}
	have := strings.TrimSpace(out.Text)
	if e.version == "" && have != "absent" && out.Code == 0 || have == e.version && e.version != "" {
		return nil, nil
	}
	requirement := e.requirements()[0]
	job := action.Job{Name: "install " + requirement, Script: supervisorVenv, Args: append([]string{venvDir, e.index, ""}, e.requirements()...), Timeout: 15 * time.Minute,
		Undo: "sudo rm -r " + venvDir}
	c := Change{What: "supervisor", From: or(have, "broken"), To: requirement, Do: append(e.uploads(s, &job), job)}
	if python, err := s.commands.get("python"); err == nil && python.Code != 0 && e.pkg != "" {
		c.Install = []string{e.pkg}
	}
	return []Change{c}, nil
}

// requirements are what pip installs. Releases before 4.3 import pkg_resources, which setuptools 82 removed.
func (e venv) requirements() []string {
	if e.version == "" {
		return []string{"supervisor>=" + leastVenv}
	}
	out := []string{"supervisor==" + e.version}
	if v, err := goversion.NewVersion(e.version); err == nil && v.LessThan(goversion.Must(goversion.NewVersion(leastVenv))) && e.version != lastForPython26 {
		out = append(out, "setuptools<82")
	}
	return out
}

// orphans are files of programs that boxdoctor wrote and that are declared no more.
type orphans struct {
	layout layout
	keep   []string
}

// ID names the step.
func (o orphans) ID() string { return "orphans" + o.layout.Folder }

// Needs is the folder.
func (o orphans) Needs() Needs { return Needs{Folders: []string{o.layout.Folder}} }

// Diff removes what is not declared: groups first, because they name programs.
func (o orphans) Diff(s *State) ([]Change, error) {
	have, err := s.folders.get(o.layout.Folder)
	if err != nil {
		return nil, err
	}
	var out []Change
	for _, name := range have {
		file := o.layout.Folder + "/" + name
		if name == "" || slices.Contains(o.keep, file) || path.Base(file) != name {
			continue
		}
		c := FileResource{Path: file}.remove(s, File{Exists: true})[0]
		c.Notify = []string{updateMark}
		out = append(out, c)
	}
	slices.SortStableFunc(out, func(a, b Change) int {
		return cmp.Compare(groupsFirst(a.Do[0].Title()), groupsFirst(b.Do[0].Title()))
	})
	return out, nil
}

func groupsFirst(title string) int {
	if strings.Contains(title, "/group-") {
		return 0
	}
	return 1
}

// running is that everything runs which is meant to.
type running struct {
	layout layout
	// must are the programs that have to run, as supervisorctl names them; limit is how long that may take, in seconds.
	must  []string
	limit int
}

func (v *SupervisorSpec) running(l layout) running {
	r := running{layout: l, limit: 15}
	group := map[string]string{}
	for _, g := range v.Groups.Names {
		for _, p := range v.Groups.Of[g].Programs {
			group[p] = g
		}
	}
	v.eachProgram(func(name string, p Program) {
		secs, tries := 1, 3
		if p.StartSecs != nil {
			secs = *p.StartSecs
		}
		if p.StartRetries != nil {
			tries = *p.StartRetries
		}
		r.limit = max(r.limit, (secs+tries)*(tries+1)/2+secs+15)
		if p.AutoStart != nil && !*p.AutoStart {
			return
		}
		switch {
		case p.NumProcs != nil && *p.NumProcs > 1 || p.ProcessName != "":
			name = or(group[name], name) + ":*"
		case group[name] != "":
			name = group[name] + ":" + name
		}
		r.must = append(r.must, name)
	})
	r.must = uniq(r.must)
	return r
}

// ID names the step.
func (r running) ID() string { return "supervisor/programs" }

// Needs is what supervisorctl says of the programs.
func (r running) Needs() Needs {
	ctl := shell.Join([]string{r.layout.Bin + "/supervisorctl", "-c", r.layout.Main, "status"})
	return Needs{Commands: map[string]string{"supervisor": "test -x " + r.layout.Bin + "/supervisorctl || exit 99; " + ctl}, Files: []string{updateNote}}
}

// Diff wants every program to run. supervisorctl ends with 3 when one does not, with 4 when it cannot ask. While it is
// noted that supervisord must take up its configuration, there is nothing to do here: that job waits for the programs,
// and programs that are started before a restart would only be started twice.
func (r running) Diff(s *State) ([]Change, error) {
	if f, err := s.files.get(updateNote); err == nil && f.Exists {
		return nil, nil
	}
	out, err := s.commands.get("supervisor")
	switch {
	case err != nil:
		return nil, err
	case out.Code == 99:
		return []Change{{What: "programs", From: Absent, To: "running", Waits: "supervisorctl"}}, nil
	case out.Code >= 124:
		return nil, fmt.Errorf("supervisorctl status: %s", guardTrouble(out.Code))
	}
	bad := r.notRunning(out.Text)
	if len(bad) == 0 {
		return nil, nil
	}
	return []Change{{What: "programs", From: strings.Join(bad, ", "), To: "running", Do: []action.Action{r.Job()}}}, nil
}

// notRunning are the programs that do not stand as they should, with their state.
func (r running) notRunning(status string) []string {
	states := map[string]string{}
	for line := range strings.Lines(status) {
		w := strings.Fields(line)
		if len(w) < 2 {
			continue
		}
		states[w[0]] = w[1]
		if g, _, ok := strings.Cut(w[0], ":"); ok && (states[g+":*"] == "" || !stands(w[1])) {
			states[g+":*"] = w[1]
		}
	}
	var out []string
	for _, name := range r.must {
		if state := states[name]; !stands(state) {
			out = append(out, strings.TrimSuffix(name, ":*")+" "+or(state, "is not there"))
		}
	}
	return out
}

// stands: a program that ended as it should is EXITED; one that should not have is started again by supervisord.
func stands(state string) bool { return state == "RUNNING" || state == "EXITED" }

// updateNote is where that notification stands in the guest.
const updateNote = notifyRoot + "/" + updateMark

// Mark is the notification that it takes care of.
func (r running) Mark() string { return updateMark }

// Job makes supervisord take up its configuration and waits for the programs.
func (r running) Job() action.Job {
	return action.Job{Name: "update Supervisor's programs", Script: supervisorApply, Timeout: time.Duration(r.limit+120) * time.Second,
		Args: append([]string{r.layout.Bin + "/supervisorctl", r.layout.Main, strconv.Itoa(r.limit)}, r.must...),
		Undo: "put the files of " + r.layout.Folder + " back, then sudo " + r.layout.Bin + "/supervisorctl -c " + r.layout.Main + " update"}
}

// uploads bring the wheels into the guest, and tell the job where they are.
func (e venv) uploads(s *State, job *action.Job) []action.Action {
	if len(e.wheels) == 0 {
		return nil
	}
	home := "/var/lib/boxdoctor/run/" + s.RunID + "/wheels"
	job.Args[2] = home
	var out []action.Action
	for _, w := range e.wheels {
		w.Remote = home + "/" + filepath.Base(w.Local)
		out = append(out, w)
	}
	return out
}

// wheels measures the wheels of a folder of the host.
func wheels(dir string) ([]action.Upload, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("the folder %s holds no wheels (*.whl); fetch them where there is an index: pip download -d DIR 'supervisor>=%s'", dir, leastVenv)
	}
	var out []action.Upload
	for _, f := range files {
		size, hash, err := measure(f)
		if err != nil {
			return nil, err
		}
		out = append(out, action.Upload{Local: f, SHA256: hash, Size: size})
	}
	return out, nil
}

// measure is the size and the hash of a file of the host.
func measure(file string) (int64, string, error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return n, hex.EncodeToString(h.Sum(nil)), err
}
