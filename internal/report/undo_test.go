package report

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/testkit"
)

func TestUndoText(t *testing.T) {
	r := finding.UndoReport{Run: "20261123T220000.000Z", Notes: []string{"a note"}, Machines: []finding.UndoMachine{
		{Name: "web", Reachable: true, RunID: "0123", Items: []finding.UndoItem{
			{Fix: "kernel.devel", Title: "reboot", Outcome: finding.Stays, Message: "the guest was restarted"},
			{Kind: "mount", Path: "/vagrant", Outcome: finding.Undone, Message: "back to nothing"},
			{Kind: "name", Path: "/vagrant", Outcome: finding.Already},
			{Kind: "file", Path: "/etc/\x1b[31mevil", Outcome: finding.Skipped,
				Message: "it was changed since: boxdoctor left a file with sha256 0123456789ab…, now it is a file with sha256 ba9876543210…"},
			{Kind: "file", Path: "/etc/yum.conf", Outcome: finding.Failed, Message: "it was put back, but it is not as it was"},
		}},
		{Name: "db", RunID: "4567", Problem: "connection refused", Command: "vagrant up db"},
		{Name: "idle", Reachable: true, RunID: "89ab"},
	}}
	r.Finish()
	for name, dry := range map[string]bool{"undo": false, "undo-dry-run": true} {
		r.DryRun = dry
		var b bytes.Buffer
		if err := Undo(&b, r, Options{Width: 80}); err != nil {
			t.Fatal(err)
		}
		testkit.Golden(t, filepath.Join("..", "..", "testdata", "report", name+".txt"), b.Bytes())
	}
}
