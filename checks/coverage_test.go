package checks

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/testkit"
)

// notSeen are the rows of the host catalogue (1.3 to 1.9) that no check of the host recognises, with the reason.
var notSeen = map[string]string{
	"vbox.ga_mismatch":          "only a running guest tells its version: the guest's check additions.version judges it",
	"win.whp_missing":           "the state of a Windows feature cannot be read without administrator rights; its words are recognised in the output of `boxdoctor up`",
	"dns.vpn":                   "whether an interface is a VPN cannot be told reliably, and most of them do no harm",
	"wsl.version_mismatch":      "the Vagrant on the Windows side would have to be run to tell its version",
	"box.not_found":             "needs the network: a check talks to nobody",
	"box.file_404":              "needs the network: a check talks to nobody",
	"box.no_version":            "needs the network: a check talks to nobody",
	"box.no_provider_arch":      "needs the network: a check talks to nobody",
	"box.checksum":              "the checksum of a box is known only to its server; Vagrant compares it when it downloads",
	"offline.update_check":      "needs the network; it delays and does not fail",
	"boot.net_noncontig_memory": "it comes and goes on Windows hosts short of memory; res.memory warns before",
}

func TestCoverageOfTheHostCatalogue(t *testing.T) {
	data, err := os.ReadFile("../testdata/rows/host.txt")
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	n, seen := 0, 0
	for row := range strings.FieldsSeq(stripComments(string(data))) {
		n++
		c, ok := ByID(row)
		reason := notSeen[row]
		switch {
		case ok == (reason != ""):
			t.Errorf("%s: a check, or a reason why there is none, and not both", row)
		case ok:
			seen++
			fmt.Fprintf(&table, "| `%s` | %s | %s | %s | %s |\n", row, c.Title, c.Level, c.Fix, strings.ReplaceAll(c.Looks, "|", "\\|"))
		default:
			fmt.Fprintf(&table, "| `%s` | not checked | | | %s |\n", row, reason)
		}
	}
	if n != 112 {
		t.Errorf("%d rows, the catalogue has 112", n)
	}
	testkit.Golden(t, "../docs/coverage-host.md", fmt.Appendf(nil, coverageHead, n, seen, n-seen, table.String()))
}

func stripComments(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

const coverageHead = `# What boxdoctor sees of the host before a machine runs

Written by ` + "`make update`" + ` from the checks; a test compares it. %d rows of the host catalogue: %d have a check, %d have a reason why not.

A check's id is the row's id. Level is how far a repair may go: auto (user-level, reversible), confirm (changes the project or a VM), sudo
(the command is printed, boxdoctor elevates nothing), manual. Fix is what ` + "`boxdoctor fix host`" + ` and ` + "`boxdoctor up --fix`" + ` run; without one the
finding says what to do. All checks read only: nothing is downloaded, no device is opened, vagrant is not run.

Judged by tables of facts for every system. Seen on a real host: Linux with the real VirtualBox 7.2.22 and Vagrant 2.3.4 (see
[testing](testing.md)). The Windows and macOS rows follow the sources named in the catalogue and were not tried on those systems, a dozen Windows rows under Wine.

| row | title | level | fix | how it is looked, or why not |
|---|---|---|---|---|
%s`
