package provision

import (
	"fmt"
	"strings"
)

const (
	rotateName    = "boxdoctor-logrotate"
	rotateFile    = logsDir + "/logrotate.conf"
	rotateProgram = "/usr/sbin/logrotate"
	rotatePackage = "logrotate"
)

// rotation is when the application's files, the destination files and the agent's own are rotated and when they go:
// one configuration of logrotate with a state and a timer of its own, every hour, so that a size means something.
func (p *logPlan) rotation() []Resource {
	text := p.rotateText()
	if text == "" {
		return nil
	}
	yes := true
	unit := func(kind, body string) FileResource {
		return FileResource{Path: "/etc/systemd/system/" + rotateName + "." + kind, Content: "# boxdoctor provision\n" + body, Mode: configMode, State: Present}
	}
	return []Resource{
		PackageResource{Name: rotatePackage, State: Present},
		FileResource{Path: rotateFile, Content: "# boxdoctor provision: changes are overwritten\n" + text, Mode: configMode, State: Present,
			Validate: []string{rotateProgram, "--debug", "--state", "/dev/null", "%s"}},
		unit("service", fmt.Sprintf("[Unit]\nDescription=Rotation of logs (boxdoctor)\n\n[Service]\nType=oneshot\nExecStart=%s --state %s/logrotate.state %s\nNice=10\n",
			rotateProgram, p.bufferDir(), rotateFile)),
		unit("timer", "[Unit]\nDescription=Rotation of logs every hour (boxdoctor)\n\n[Timer]\nOnCalendar=hourly\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n"),
		ServiceResource{Name: rotateName + ".timer", State: Started, Enabled: &yes},
	}
}

// rotateText is logrotate's configuration; empty: nothing is to be rotated.
func (p *logPlan) rotateText() string {
	var b strings.Builder
	reopen, before := "", []string(nil)
	if p.agent == agentRsyslog && !p.follows() {
		before = []string{"prerotate", "\t" + rewindFile + " wait " + p.stateDir(), "endscript"}
	}
	for _, f := range p.files {
		if f.Retention != nil {
			b.WriteString(rotate(f.Path, append(f.Retention.directives(), before...)))
		}
	}
	if p.agent == agentRsyslog {
		reopen = "systemctl kill -s HUP --kill-who=main " + logsService + ".service"
	}
	for _, d := range p.to {
		if d.File != nil {
			r := retentionSpec{Size: size(or(string(d.File.Size), "100MB")), Keep: d.File.Keep, Reopen: reopen}
			b.WriteString(rotate(d.File.Path, r.directives()))
		}
	}
	if p.agent == agentRsyslog {
		own := retentionSpec{Size: "10MB", Keep: 1, CopyTruncate: true}
		b.WriteString(rotate(p.statsFile()+" "+p.ownLog(), own.directives()))
	}
	return b.String()
}

func rotate(files string, directives []string) string {
	return files + " {\n\t" + strings.Join(directives, "\n\t") + "\n}\n"
}

// keep is how many rotated files stay: as was said; else as many as can come within the age, so that the age decides.
func (r retentionSpec) keep() int {
	switch {
	case r.Keep > 0:
		return r.Keep
	case r.Age > 0 && r.Size != "":
		return min(24*r.Age, 1000)
	}
	return max(r.Age, 7)
}

// directives: the file that was rotated last stays uncompressed, because the agent may not have read its end. An empty
// file is rotated, too: ages are looked at only then.
func (r retentionSpec) directives() []string {
	out := []string{"daily", "missingok", "ifempty", "compress", "delaycompress", fmt.Sprintf("rotate %d", r.keep())}
	if n, ok := r.Size.bytes(); ok {
		out = append(out, fmt.Sprintf("maxsize %d", n))
	}
	if r.Age > 0 {
		out = append(out, fmt.Sprintf("maxage %d", r.Age))
	}
	switch {
	case r.CopyTruncate:
		out = append(out, "copytruncate")
	case r.Reopen != "":
		out = append(out, "create", "sharedscripts", "postrotate", "\t"+r.Reopen, "endscript")
	default:
		out = append(out, "create")
	}
	return out
}
