package cmd

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/report"
	"github.com/boxdoctor/boxdoctor/internal/term"
	"github.com/boxdoctor/boxdoctor/internal/testkit"
	"github.com/boxdoctor/boxdoctor/provision"
)

// synthetic, in the words of real runs.
func provisionReport() provision.Report {
	return provision.Report{Machines: []provision.MachineReport{
		{Name: "web", Reachable: true, System: "Rocky Linux 9.6 (Blue Onyx)", Totals: provision.Totals{OK: 2, Changed: 1, Failed: 1, Skipped: 2, Warnings: 2}, Steps: []provision.Step{
			{Resource: "group/app", Result: provision.OK},
			{Resource: "file/etc/app.conf", Result: provision.Changed, Changes: []provision.Record{{What: "content", From: "sha256 aaaaaaaaaaaa", To: "sha256 bbbbbbbbbbbb",
				Diff: "--- guest:/etc/app.conf\n+++ declared:/etc/app.conf\n@@ -1 +1 @@\n-a = 1\n+a = 2\n"}}},
			{Resource: "exec/migrate", Result: provision.Failed, Changes: []provision.Record{{What: "command", From: "guard status 1", To: "run"}},
				Message: "run migrate: exit status 3; the end of its output:\n  aligned    as it was\ndjango.db.utils.OperationalError: connection to server at \"10.0.0.5\", port 5432 failed: Connection refused\n\n(whole log in the guest: sudo cat /var/lib/boxdoctor/jobs/0-1/log)"},
			{Resource: "logs/reach", Result: provision.OK, Message: "The agent keeps what it cannot send in its buffer, up to 256MB, and goes on by itself.", Warnings: []provision.Warning{
				{About: "kafka kafka1:9092", Status: "unknown_name", Message: "web does not know the name kafka1", Fix: "give the address instead, or put the name into DNS or /etc/hosts of web; in web: getent hosts kafka1"},
				{About: "udp hub:5171", Status: "lossy", Message: "some of 100 datagrams from web to hub and back got lost", Fix: "send by reliable (or tcp) instead of udp: reliable: {host: hub, port: PORT}"}}},
			{Resource: "service/app", Result: provision.Skipped, Message: "not reached, because exec/migrate did not succeed"},
			{Resource: "service/web", Result: provision.Skipped, Message: "not reached, because exec/migrate did not succeed"},
		}},
		{Name: "db", Message: "not reached: nothing listens on 127.0.0.1:2200 (connection refused): the machine is off, its sshd is down, or its SSH port is forwarded elsewhere"},
	}}
}

// The report names machine, step, command, last lines and the next command within 80 columns, and 120.
func TestProvisionText(t *testing.T) {
	for name, text := range map[string]*provisionText{
		"provision-80": {width: 80}, "provision-120-all": {width: 120, all: true}, "provision-ascii": {width: 80, ascii: true},
	} {
		o := &provisionOptions{File: "site file.yaml", Tags: []string{"a", "b"}}
		text.paint, text.again = term.NewPalette(false), o.again
		r := provisionReport()
		for _, m := range r.Machines {
			text.machine(m)
		}
		text.recap(r)
		testkit.Golden(t, "testdata/"+name+".golden", []byte(text.String()))
		for line := range strings.Lines(text.String()) {
			if len([]rune(line)) > text.width+1 {
				t.Errorf("%s: longer than %d columns: %s", name, text.width, line)
			}
		}
	}
}

func TestProvisionTextColours(t *testing.T) {
	text := provisionText{width: 80, paint: term.NewPalette(true), again: func(string) string { return "x" }}
	text.machine(provisionReport().Machines[0])
	if !strings.Contains(text.String(), "\x1b[31;1mfailed") || !strings.Contains(text.String(), "\x1b[32m+a = 2") ||
		!strings.Contains(text.String(), "\x1b[33mwarning     \x1b") || !strings.Contains(text.String(), "kafka kafka1:9092: \x1b[33munknown name\x1b") {
		t.Errorf("%q", text.String())
	}
}

// TestProvisionWarningsJSON: warnings stand in JSON as the schema says, without what a guest could do to a screen.
func TestProvisionWarningsJSON(t *testing.T) {
	for _, warnings := range [][]provision.Warning{nil, {{About: "kafka k:1", Status: "closed", Message: "refused \x1b[2J", Fix: "start it"}}} {
		m := provision.MachineReport{Name: "web", Steps: []provision.Step{{Resource: "logs/reach", Result: provision.OK, Changes: []provision.Record{}, Warnings: warnings}},
			Totals: provision.Totals{OK: 1, Warnings: len(warnings)}}
		m.Clean(report.Clean)
		b, err := json.Marshal(provision.Report{SchemaVersion: 1, Machines: []provision.MachineReport{m}})
		if err != nil {
			t.Fatal(err)
		}
		validLines(t, string(b), "provision", 1)
		if strings.Contains(string(b), `\u001b`) || strings.Contains(string(b), `"warnings"`) != (warnings != nil) {
			t.Error(string(b))
		}
	}
}
