package provision

import (
	"cmp"
	_ "embed" // the scripts that run in guests
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

//go:embed scripts/logs_check.sh
var logsCheck string

//go:embed scripts/logs_health.sh
var logsHealth string

//go:embed scripts/logs_selinux.sh
var logsSELinux string

//go:embed scripts/logs_rewind.sh
var logsRewind string

const (
	// logsService is a unit of boxdoctor's own: the agent's own one may serve somebody else.
	logsService = "boxdoctor-logs"
	logsDir     = "/etc/boxdoctor/logs"
	logsUnit    = "/etc/systemd/system/" + logsService + ".service"
	logsPID     = "/run/" + logsService + ".pid"
	fluentFile  = logsDir + "/fluent-bit.yaml"
	rsyslogFile = logsDir + "/rsyslog.conf"
	rewindFile  = logsDir + "/rewind.sh"
	// healthMark is the notification that the agent's health takes care of.
	healthMark = "logs-health"
)

// resources are the role on one guest, in order.
func (v *LogsSpec) resources(at place, g facts.Guest) ([]Resource, error) {
	open, err := v.withPasswords(at.Secrets)
	if err != nil {
		return nil, err
	}
	p, err := open.planFor(at, g)
	if err != nil {
		return nil, err
	}
	install, err := p.install(at.Input, g)
	if err != nil {
		return nil, err
	}
	config, err := p.config(open != v)
	if err != nil {
		return nil, err
	}
	out := append([]Resource{noted{DirectoryResource{Path: logsDir, Mode: 0o755}, "log agent: " + p.agent + ", because: " + p.why}}, install...)
	out = append(out, p.folders()...)
	if p.agent == agentRsyslog {
		out = append(out, p.confinement()...)
		out = append(out, p.refused()...)
		out = append(out, FileResource{Path: rewindFile, Content: "#!/bin/sh\n# boxdoctor provision\n" + logsRewind, Mode: 0o755, State: Present})
	}
	yes := true
	out = append(out, config, p.otherConfig(), p.unit(), ServiceResource{Name: logsService, State: Started, Enabled: &yes})
	return append(append(out, p.rotation()...), p.health()), nil
}

// withPasswords is the spec with references to secrets replaced; the same one if there are none.
func (v *LogsSpec) withPasswords(s *Secrets) (*LogsSpec, error) {
	out, secret := *v, false
	out.Destinations = slices.Clone(v.Destinations)
	var errs []error
	for i, d := range out.Destinations {
		if d.Kafka == nil || d.Kafka.Password == "" {
			continue
		}
		k := *d.Kafka
		text, _, err := s.expand(k.Password)
		if strings.ContainsAny(text, "\n\r") || strings.Contains(text, "${") {
			err = errors.Join(err, errors.New("kafka: the password holds a line break or ${, which Fluent Bit would take for a variable"))
		}
		errs, secret = append(errs, err), true
		k.Password = text
		out.Destinations[i].Kafka = &k
	}
	if !secret {
		return v, nil
	}
	return &out, errors.Join(errs...)
}

// install brings the agent: from the folder of packages, Fluent Bit's own repository, or the distribution.
func (p *logPlan) install(in Input, g facts.Guest) ([]Resource, error) {
	switch {
	case offers(in.Packages, p.agent):
		return []Resource{p.local(in.Packages)}, nil
	case p.Packages != "":
		files, _, err := Folder(under(in.Dir, p.Packages))
		if err == nil && !offers(files, p.agent) {
			err = fmt.Errorf("packages: %s is not in the folder %s", p.agent, p.Packages)
		}
		return []Resource{p.local(files)}, err
	}
	if p.agent == agentRsyslog {
		var out []Resource
		for _, name := range p.rsyslogPackages() {
			out = append(out, PackageResource{Name: name, State: Present})
		}
		return out, nil
	}
	pkg := PackageResource{Name: agentFluentBit, State: Present}
	if p.hasRepository(g) {
		return []Resource{pkg}, nil
	}
	repo, err := p.repository(in)
	return []Resource{repo, pkg}, err
}

// hasRepository tells whether the guest has boxdoctor's definition of the repository already: then its key is there,
// too, and need not be fetched again, so that a second run works without the network.
func (p *logPlan) hasRepository(g facts.Guest) bool {
	repos := g.Repos.Or(facts.Repos{})
	return slices.ContainsFunc(repos.Files, func(f facts.ConfigFile) bool {
		return (path.Base(f.Path) == "fluent-bit.list" || path.Base(f.Path) == "fluent-bit.repo") &&
			strings.HasPrefix(f.Content, "# boxdoctor provision") && strings.Contains(f.Content, fluentHost+p.row.FluentBit.Repository)
	})
}

// rsyslogPackages are rsyslog and its modules that are packages of their own.
func (p *logPlan) rsyslogPackages() []string {
	out := []string{"rsyslog"}
	tls := false
	for _, d := range p.to {
		switch {
		case d.Kafka != nil:
			out = append(out, "rsyslog-kafka")
		case d.Reliable != nil:
			out = append(out, "rsyslog-relp")
		case d.TCP != nil:
			tls = tls || d.TCP.TLS != nil
		}
	}
	if p.receives {
		out = append(out, "rsyslog-relp")
	}
	if tls {
		out = append(out, "rsyslog-gnutls")
	}
	return uniq(out)
}

func (p *logPlan) folders() []Resource {
	out := []Resource{DirectoryResource{Path: p.bufferDir(), Mode: 0o700}, DirectoryResource{Path: p.stateDir(), Mode: 0o700}}
	var made []string
	for _, d := range p.to {
		if d.File == nil {
			continue
		}
		if dir := path.Dir(d.File.Path); dir != "/var/log" && !slices.Contains(made, dir) {
			made = append(made, dir)
			out = append(out, DirectoryResource{Path: dir, Mode: 0o755})
		}
	}
	return out
}

// config is the agent's configuration, which the agent itself must accept before it goes live.
func (p *logPlan) config(secret bool) (Resource, error) {
	f := FileResource{Path: fluentFile, Mode: 0o600, State: Present, Secret: secret, Restart: []string{logsService}, Notify: []string{healthMark},
		Validate: []string{"sh", "-c", logsCheck, "sh", "%s", fluentProgram}}
	var err error
	if p.agent == agentFluentBit {
		f.Content, err = p.fluentBit()
		return f, err
	}
	f.Path, f.Validate = rsyslogFile, []string{rsyslogProgram, "-N1", "-f", "%s"}
	f.Content, err = p.rsyslog()
	return f, err
}

// otherConfig is that of the agent that is not used: it goes, so that nobody takes it for the one that counts.
func (p *logPlan) otherConfig() Resource {
	if p.agent == agentFluentBit {
		return FileResource{Path: rsyslogFile, State: Absent}
	}
	return FileResource{Path: fluentFile, State: Absent}
}

func (p *logPlan) unit() Resource {
	start := "ExecStart=" + fluentProgram + " -c " + fluentFile
	if p.agent == agentRsyslog {
		start = p.rsyslogStart()
	}
	text := fmt.Sprintf(`# boxdoctor provision
[Unit]
Description=Log agent of boxdoctor (%s)
Wants=network-online.target
After=network-online.target

[Service]
Type=simple
%s
Restart=always
RestartSec=2s
TimeoutStopSec=20
LimitNOFILE=65536
UMask=0077

[Install]
WantedBy=multi-user.target
`, p.agent, start)
	return FileResource{Path: logsUnit, Content: text, Mode: configMode, State: Present, Restart: []string{logsService}, Notify: []string{healthMark}}
}

// rsyslogStart is how rsyslog is started and ended, with what runs around it. What a killed one left is taken out of its
// queues before the start, a gigabyte in some seconds.
func (p *logPlan) rsyslogStart() string {
	lines := []string{fmt.Sprintf("ExecStartPre=%s start %s %d %s%s", rewindFile, p.stateDir(), p.rewind(), logsPID, p.followed())}
	if p.relpTLS() {
		lines = append(lines, fmt.Sprintf("ExecStartPre=%s wait %s", refusedFile, p.stateDir()))
	}
	return strings.Join(append(lines,
		fmt.Sprintf("ExecStart=%s -n -f %s -i %s", rsyslogProgram, rsyslogFile, logsPID),
		fmt.Sprintf("ExecStop=%s halt %s", rewindFile, p.stateDir()),
		fmt.Sprintf("ExecStopPost=%s stop %s", rewindFile, p.stateDir()),
		"TimeoutStartSec=1h"), "\n")
}

// followed are the patterns whose rotated files are read, as arguments in the unit: a plain path needs no quotes.
func (p *logPlan) followed() string {
	if !p.follows() {
		return ""
	}
	var out string
	for _, f := range p.files {
		out += " " + f.Path
	}
	return out
}

// agentHealth is that the agent runs and says that it is well.
type agentHealth struct{ args []string }

func (p *logPlan) health() agentHealth {
	where := strconv.Itoa(p.healthPort())
	if p.agent == agentRsyslog {
		where = p.statsFile()
	}
	return agentHealth{[]string{logsService, p.agent, where, p.stateDir() + "/started", p.ownLog()}}
}

// ID names the step.
func (agentHealth) ID() string { return "logs/health" }

// Needs is one look.
func (h agentHealth) Needs() Needs {
	return Needs{Commands: map[string]string{"logs-health": "set -- 0 " + shell.Join(h.args) + "\n" + logsHealth}}
}

// Diff wants the agent to be well.
func (h agentHealth) Diff(s *State) ([]Change, error) {
	out, err := s.commands.get("logs-health")
	switch {
	case err != nil:
		return nil, err
	case out.Code == 0:
		return nil, nil
	case out.Code >= 124:
		return nil, fmt.Errorf("the log agent's health: %s", guardTrouble(out.Code))
	}
	return []Change{{What: "health", From: strings.TrimSpace(out.Text), To: "well", Do: []action.Action{h.Job()}}}, nil
}

// Mark is the notification that it takes care of.
func (agentHealth) Mark() string { return healthMark }

// healthLimit is how long an agent may take until it is well, in seconds.
const healthLimit = 45

// Job waits until the agent is well.
func (h agentHealth) Job() action.Job {
	return action.Job{Name: "wait until the log agent is well", Script: logsHealth, Args: append([]string{strconv.Itoa(healthLimit)}, h.args...),
		Timeout: (healthLimit + 60) * time.Second, Undo: "nothing is left to take back: the agent was only looked at"}
}

// confinement is what an rsyslog of its own may do where SELinux or AppArmor is in force.
func (p *logPlan) confinement() []Resource {
	switch p.system.Manager {
	case "apt":
		return []Resource{appArmor{FileResource{Path: appArmorDir + "/boxdoctor-logs", Content: p.appArmorRules(), Mode: configMode, State: Present}}}
	default:
		return []Resource{selinux{dir: p.bufferDir(), ports: p.ports()}}
	}
}

// ports are those that rsyslog speaks or listens on.
func (p *logPlan) ports() []string {
	var out []string
	add := func(port int) { out = append(out, strconv.Itoa(port)) }
	for _, d := range p.to {
		switch {
		case d.Kafka != nil:
			for _, b := range d.Kafka.Brokers {
				out = append(out, b[strings.LastIndex(b, ":")+1:])
			}
		case d.Reliable != nil:
			add(d.Reliable.Port)
		case d.TCP != nil:
			add(d.TCP.Port)
		}
	}
	if p.receives {
		add(p.aggregatorPort())
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// selinux is the labels that rsyslog needs.
type selinux struct {
	dir   string
	ports []string
}

// ID names the step.
func (selinux) ID() string { return "selinux/" + logsService }

// Needs is what is missing.
func (x selinux) Needs() Needs {
	return Needs{Commands: map[string]string{"logs-selinux": "set -- look " + shell.Join(append([]string{x.dir}, x.ports...)) + "\n" + logsSELinux}}
}

// Diff adds the labels that are missing.
func (x selinux) Diff(s *State) ([]Change, error) {
	out, err := s.commands.get("logs-selinux")
	switch missing := strings.Join(strings.Fields(out.Text), " "); {
	case err != nil:
		return nil, err
	case out.Code != 0:
		return nil, fmt.Errorf("what SELinux allows: %s", cmp.Or(guardTrouble(out.Code), missing))
	case missing == "":
		return nil, nil
	default:
		job := action.Job{Name: "let rsyslog use its ports and its folder", Script: logsSELinux, Args: append([]string{"apply", x.dir}, x.ports...), Timeout: 10 * time.Minute,
			Undo: "sudo semanage fcontext -d " + shell.Quote(x.dir+"(/.*)?") + "; sudo semanage port -d -p tcp PORT for each of " + strings.Join(x.ports, ", ")}
		return []Change{{What: "SELinux", From: "without " + missing, To: "allowed", Do: []action.Action{job}}}, nil
	}
}

// appArmorDir is included by Ubuntu's profile of rsyslogd, which is enforced since 24.04.
const appArmorDir = "/etc/apparmor.d/rsyslog.d"

// appArmor are the rules of a second rsyslogd, where there is such a profile.
type appArmor struct{ FileResource }

// ID names the step.
func (appArmor) ID() string { return "apparmor/" + logsService }

// Needs are the file and its folder.
func (a appArmor) Needs() Needs { return a.FileResource.Needs() }

// Diff writes the rules and loads the profile.
func (a appArmor) Diff(s *State) ([]Change, error) {
	dir, err := s.files.get(appArmorDir)
	if err != nil || !dir.Exists {
		return nil, err
	}
	out, err := a.FileResource.Diff(s)
	if err != nil || len(out) == 0 {
		return nil, err
	}
	job := short("load the profile of rsyslogd", `if [ -e "$1" ] && command -v apparmor_parser >/dev/null 2>&1; then apparmor_parser -r "$1"; fi`, "/etc/apparmor.d/usr.sbin.rsyslogd")
	job.Undo = "sudo apparmor_parser -r /etc/apparmor.d/usr.sbin.rsyslogd, once the file is gone"
	return append(out, Change{What: "profile", From: "old", To: "loaded", Do: []action.Action{job}}), nil
}

func (p *logPlan) appArmorRules() string {
	rules := []string{logsDir + "/** r", p.bufferDir() + "/ rw", p.bufferDir() + "/** rwk", logsPID + " rw"}
	for _, f := range p.files {
		rules = append(rules, path.Dir(f.Path)+"/ r", f.Path+"* r")
	}
	for _, d := range p.to {
		if d.File != nil {
			rules = append(rules, d.File.Path+" rw")
		}
	}
	for _, file := range p.tlsFiles() {
		rules = append(rules, file+" r")
	}
	if p.relpTLS() {
		rules = append(rules, refusedFile+" Ux")
	}
	return "# boxdoctor provision\n" + strings.Join(uniq(rules), ",\n") + ",\n"
}

// local is the agent, and what belongs to it, from package files.
func (p *logPlan) local(files []action.Upload) localPackages {
	out := localPackages{role: p.agent, names: []string{p.agent}, files: fitting(files, p.system.Manager)}
	if p.agent == agentRsyslog {
		out.names = p.rsyslogPackages()
	}
	if p.rotateText() != "" && offers(files, rotatePackage) {
		out.names = append(out.names, rotatePackage)
	}
	return out
}

// noted is a resource with something to say to people about why it is there.
type noted struct {
	Resource
	note string
}

// Note is what stands in its step.
func (n noted) Note() string { return n.note }
