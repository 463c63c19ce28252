package cmd

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/netprobe"
	"github.com/boxdoctor/boxdoctor/internal/term"
)

// TestNetJSON: two machines behind real SSH servers, which are this computer itself, and one that is off.
func TestNetJSON(t *testing.T) {
	tr := fleet(t, "web")
	tr.run(t, finding.ExitUnexamined, "net", "web", "off", "--format", "json")
	validLines(t, strings.ReplaceAll(tr.out.String(), "\n", ""), "net", 1)
	if !strings.Contains(tr.out.String(), "machine off is powered off") {
		t.Error("it is not said why a machine is missing")
	}
}

// TestNetTo: a destination elsewhere is tried from the machine, and a fault; what is none is refused before anybody is asked.
func TestNetTo(t *testing.T) {
	tr := fleet(t, "web")
	tr.run(t, finding.ExitFailed, "net", "web", "--to", "localhost:1", "--to", "127.0.0.1:1,[::1]:1", "--format", "json")
	validLines(t, strings.ReplaceAll(tr.out.String(), "\n", ""), "net", 1)
	for _, want := range []string{`"host": "localhost"`, `"status": "closed"`, `"status": "not_tried"`, "only IPv4 is tried"} {
		if !strings.Contains(tr.out.String(), want) {
			t.Errorf("without %s:\n%s", want, tr.out.String())
		}
	}
	tr = fleet(t, "web")
	tr.run(t, finding.ExitUsage, "net", "web", "--to", "$(reboot):9092")
}

func TestNetText(t *testing.T) {
	addr := netip.MustParseAddr("192.168.56.12")
	r := netprobe.Report{
		Machines: []netprobe.MachineReport{{Name: "gone", Problem: "no answer", Command: "vagrant up gone"}},
		Paths: []netprobe.Path{
			{From: "web", To: "db", Address: addr, TCP: netprobe.OK, LatencyMS: 0.42, UDP: netprobe.Lossy, Echo: netprobe.Echo{Sent: 100, Received: 93, MeanMS: 0.5, Reordered: 2}, Verdict: netprobe.Lossy,
				Message: "of 100 datagrams 7 did not come back", Fix: "send by TCP", Advice: "TCP: of UDP 7% is lost"},
			{From: "db", To: "web", TCP: netprobe.NotTried, UDP: netprobe.NotTried, Verdict: netprobe.NoRoute, LatencyMS: -1, Message: "no network", Fix: "vagrant reload web"},
			{From: "(host)", To: "web", TCP: netprobe.NotTried, UDP: netprobe.NotTried, Verdict: netprobe.ForwardsOnly, LatencyMS: -1},
		},
		Ports: []netprobe.Port{{From: "web", To: "db", Address: addr, Port: 27017, Status: netprobe.WrongInterface, Message: "listens on 127.0.0.1 only", Fix: "bindIp"}},
		Destinations: []netprobe.Reached{
			{From: "web", Target: netprobe.Target{Proto: "tcp", Host: "kafka1", Port: 9092}, Status: netprobe.UnknownName, Message: "web does not know the name kafka1", Fix: "give the address"},
			{From: "web", Target: netprobe.Target{Proto: "tcp", Host: "hub.lan", Port: 9092}, To: "db", Address: addr, Status: netprobe.OK, LatencyMS: 0.3},
			{From: "db", Target: netprobe.Target{Proto: "tcp", Host: "::1", Port: 9}, Status: netprobe.NotTried, Message: "only IPv4 is tried"}},
		Forwards: []netprobe.ForwardReport{{Forward: netprobe.Forward{Proto: "tcp", Port: 8080, GuestPort: 80}, To: "web", Status: netprobe.OK}},
	}
	got := netText(r, 80, term.NewPalette(false))
	want := `gone   not tried
  why     no answer
  run     vagrant up gone
FROM    TO       ADDRESS              TCP            UDP
web     db       192.168.56.12        ok 0.4 ms      93 of 100, 0.5 ms, 2 out of order
db      web      -                    no route       -
(host)  web      -                    forwards only  -
web     db       192.168.56.12:27017  wrong interface
web     kafka1   kafka1:9092          unknown name
web     hub.lan  192.168.56.12:9092   ok 0.3 ms
db      ::1      [::1]:9              not tried

FORWARDED  TO   PORT  STATUS
tcp 8080   web  80    ok

WARN  web to db
  seen    of 100 datagrams 7 did not come back
  do      send by TCP

FAIL  db to web
  seen    no network
  do      vagrant reload web

FAIL  web to db:27017
  seen    listens on 127.0.0.1 only
  do      bindIp

FAIL  web to kafka1:9092
  seen    web does not know the name kafka1
  do      give the address

WARN  db to [::1]:9
  seen    only IPv4 is tried

6 ways tried, 5 faults; use TCP on 1 of them, UDP loses there
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestNetTextIsColouredAndClean: the colours are ours alone.
func TestNetTextIsColouredAndClean(t *testing.T) {
	r := netprobe.Report{
		Machines: []netprobe.MachineReport{{Name: "gone", Problem: "said \x1b[2J"}},
		Ports:    []netprobe.Port{{From: "web", To: "db", Status: netprobe.Closed, Message: "error \x1b]0;x\x07", Fix: "do \x1b[31mthis"}},
	}
	got := netText(r, 80, term.NewPalette(true))
	if !strings.Contains(got, "\x1b[31;1mFAIL\x1b[") || strings.Contains(got, "\x1b[2J") || strings.Contains(got, "\x1b]0") || strings.Contains(got, "\x1b[31mthis") {
		t.Errorf("%q", got)
	}
}
