package cmd

import (
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/term"
	"github.com/boxdoctor/boxdoctor/internal/testkit"
	"github.com/boxdoctor/boxdoctor/provision"
)

// synthetic, in the words of real runs.
func provisionReport() provision.Report {
	return provision.Report{Machines: []provision.MachineReport{
		{Name: "web", Reachable: true, System: "Rocky Linux 9.6 (Blue Onyx)", Totals: provision.Totals{OK: 1, Changed: 1, Failed: 1, Skipped: 2}, Steps: []provision.Step{
			{Resource: "group/app", Result: provision.OK},
			{Resource: "file/etc/app.conf", Result: provision.Changed, Changes: []provision.Record{{What: "content", From: "sha256 aaaaaaaaaaaa", To: "sha256 bbbbbbbbbbbb",
				Diff: "--- guest:/etc/app.conf\n+++ declared:/etc/app.conf\n@@ -1 +1 @@\n-a = 1\n+a = 2\n"}}},
			{Resource: "exec/migrate", Result: provision.Failed, Changes: []provision.Record{{What: "command", From: "guard status 1", To: "run"}},
				Message: "run migrate: exit status 3; the end of its output:\n  aligned    as it was\ndjango.db.utils.OperationalError: connection to server at \"10.0.0.5\", port 5432 failed: Connection refused\n\n(whole log in the guest: sudo cat /var/lib/boxdoctor/jobs/0-1/log)"},
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
	if !strings.Contains(text.String(), "\x1b[31;1mfailed") || !strings.Contains(text.String(), "\x1b[32m+a = 2") {
		t.Errorf("%q", text.String())
	}
}
