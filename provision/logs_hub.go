package provision

import (
	_ "embed" // the script that runs in guests
	"fmt"
)

//go:embed scripts/logs_sweep.sh
var logsSweep string

const (
	sweepFile = logsDir + "/sweep.sh"
	sweepName = logsService + "-sweep"
)

// The aggregator with rsyslog writes what it receives to files before it says that it has it, and passes it on by reading
// them, as it reads an application's: what lay in the memory of a killed one is read again (scripts/logs_rewind.sh).
// Straight from RELP into the queues it would be gone, because the sender has thrown it away. The files are named by
// their ten minutes and never renamed.

// receivedDir is where these files are.
func (p *logPlan) receivedDir() string { return p.stateDir() + "/received" }

// hubInputs are RELP, and the files of what it brought.
func (p *logPlan) hubInputs(t *rsyslogText) {
	t.WriteString(`template(name="received-file" type="list") { constant(value="` + p.receivedDir() +
		`/") property(name="timegenerated" dateFormat="rfc3339" date.inUTC="on" position.from="1" position.to="15") constant(value="0.log") }` + "\n" +
		`template(name="received-line" type="list") { property(name="msg") constant(value="\n") }` + "\n" +
		`template(name="plain-line" type="list") { property(name="$.plain") constant(value="\n") }` + "\n")
	t.object("", "input", append([]param{{key: "type", value: `"imrelp"`}, {key: "port", value: fmt.Sprintf(`"%d"`, p.aggregatorPort())},
		{key: "maxDataSize", value: number64(2*p.maxLine() + 8192)}, {key: "ruleset", value: `"received"`}}, p.Aggregator.TLS.listen()...)...)
	t.object("", "input", param{key: "type", value: `"imfile"`}, param{key: "file", value: quoted(p.receivedDir() + "/*.log")}, param{key: "tag", value: `"boxdoctor"`},
		param{key: "ruleset", value: `"pass"`}, param{key: "persistStateInterval", value: `"100"`})
}

// hubRulesets keep what comes, and send it and the lines of the machine itself by the same actions: two that write to
// one file would write into each other's lines. Files have no time of collection, which is the last key of what came.
func (p *logPlan) hubRulesets(t *rsyslogText) {
	t.WriteString("\nruleset(name=\"received\" queue.type=\"Direct\") {\n")
	t.object("\t", "action", param{key: "type", value: `"omfile"`}, param{key: "dynaFile", value: `"received-file"`}, param{key: "template", value: `"received-line"`},
		param{key: "action.resumeRetryCount", value: `"-1"`}, param{key: "action.resumeInterval", value: `"2"`})
	t.WriteString("}\n" +
		"ruleset(name=\"pass\" queue.type=\"Direct\") {\n\tset $.record = $msg;\n" +
		"\tset $.plain = re_extract($msg, '^(.*), \"collected\": \"[^\"]*\" }$', 0, 1, \"\");\n" +
		"\tif $.plain == \"\" then { set $.plain = $msg; } else { set $.plain = $.plain & \" }\"; }\n\tcall out\n}\n" +
		"ruleset(name=\"send\") {\n\tset $.plain = exec_template(\"tree\");\n" + stamp + "\tcall out\n}\n" +
		"ruleset(name=\"out\") {\n")
	for _, d := range p.filesFirst() {
		p.action(t, d, d.template("plain-line"))
	}
	t.WriteString("}\n")
}

// sweeping takes away what was passed on.
func (p *logPlan) sweeping() []Resource {
	if !p.receives || p.agent != agentRsyslog {
		return nil
	}
	yes := true
	unit := func(kind, body string) FileResource {
		return FileResource{Path: "/etc/systemd/system/" + sweepName + "." + kind, Content: "# boxdoctor provision\n" + body, Mode: configMode, State: Present}
	}
	return []Resource{
		FileResource{Path: sweepFile, Content: "#!/bin/sh\n# boxdoctor provision\n" + logsSweep, Mode: 0o755, State: Present},
		unit("service", fmt.Sprintf("[Unit]\nDescription=Takes away what the aggregator has passed on (boxdoctor)\n\n[Service]\nType=oneshot\nExecStart=%s %s %d\nNice=10\n",
			sweepFile, p.stateDir(), rewind)),
		unit("timer", "[Unit]\nDescription=Takes away what the aggregator has passed on (boxdoctor)\n\n[Timer]\nOnBootSec=5min\nOnUnitActiveSec=5min\n\n[Install]\nWantedBy=timers.target\n"),
		ServiceResource{Name: sweepName + ".timer", State: Started, Enabled: &yes},
	}
}
