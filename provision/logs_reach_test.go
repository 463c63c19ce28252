package provision

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// netGuest is a guest whose network says this; synthetic, in the words of netprobe's programs.
type netGuest struct {
	guest.Guest
	look, tries string
	asked       []guest.Cmd
}

// Run answers the steps of netprobe.
func (g *netGuest) Run(_ context.Context, c guest.Cmd) (guest.Result, error) {
	g.asked = append(g.asked, c)
	if c.Name == "listen" {
		_, _ = io.WriteString(c.Stdout, "port 40000 40001\n")
		_, _ = io.Copy(io.Discard, c.Stdin)
	}
	out := map[string]string{"look at the network": g.look, "try the destinations": g.look + g.tries + "end\n", "try the network": g.tries + "end\n"}[c.Name]
	return guest.Result{Stdout: []byte(out)}, nil
}

func (g *netGuest) steps() int { return len(g.asked) }

// reachSite sends from web to a hub of its own and to others; web is 192.168.56.11, hub .12.
const reachSite = `machines: {web: {}, hub: {}}
logs:
  on: [web]
  max_line: 1KB
  files: [{path: /var/log/a.log}]
  destinations:
    - kafka: {brokers: ["kafka1:9092", "192.168.56.12:9092"], topic: logs}
    - {name: far, reliable: {host: 10.0.0.9, port: 24224}}
    - tcp: {host: 192.168.56.12, port: 5170}
    - udp: {host: hub, port: 5171}
    - udp: {host: 10.0.0.8, port: 514}
    - file: {path: /var/log/all.json}
`

const (
	webLook = "address eth1 192.168.56.11/24\nfirewall ufw\nssh 22\n"
	hubLook = "address eth1 192.168.56.12/24\nlisten tcp 00000000:2384\nlisten tcp 0100007F:1432\nlisten udp 00000000:1433\nssh 22\n"
	// well: everything opens and every datagram comes back.
	well = "name/kafka1/9092/10.0.0.7\nname/hub/0/192.168.56.12\ntcp 10.0.0.7 9092 open 1 -\ntcp 192.168.56.12 9092 open 1 -\ntcp 10.0.0.9 24224 open 1 -\n" +
		"tcp 192.168.56.12 5170 open 1 -\ntcp 192.168.56.12 22 open 1 -\ntcp 192.168.56.12 40000 open 1 -\nudp 192.168.56.12 40001 100 100 0 0 1 1 1 -\n"
)

// reached runs the stage of a configuration over web and hub.
func reached(t *testing.T, site string, check bool, web, hub *run) []Step {
	t.Helper()
	c, err := Parse([]byte(site))
	if err != nil {
		t.Fatal(err)
	}
	stages, err := c.Stages(Input{})
	if err != nil || len(stages) != 1 {
		t.Fatal(err, stages)
	}
	before := len(web.steps)
	web.m.Name, hub.m.Name = "web", "hub"
	stages[0].run(t.Context(), []*run{web, hub}, check)
	return web.steps[before:]
}

// saidOf is a step as text.
func saidOf(s Step) string {
	out := string(s.Result) + "\n"
	for _, w := range s.Warnings {
		out += fmt.Sprintf("%s: %s: %s; %s\n", w.About, w.Status, w.Message, w.Fix)
	}
	return out + s.Message
}

// Nothing to warn of: the step is ok. What cannot be told is not claimed to be well, and is no warning.
func TestLogsReachAllIsWell(t *testing.T) {
	web, hub := &netGuest{look: webLook, tries: well}, &netGuest{look: hubLook}
	got := reached(t, reachSite, false, &run{guest: web}, &run{guest: hub})
	if len(got) != 1 || got[0].Resource != "logs/reach" || saidOf(got[0]) != "ok\nwhether datagrams arrive at 10.0.0.8:514 cannot be told: it is no other one of these machines" {
		t.Errorf("%+v", got)
	}
	if web.steps() != 4 || hub.steps() != 4 { // datagrams are tried between the machines
		t.Errorf("web %d steps, hub %d", web.steps(), hub.steps())
	}
	noUDP := strings.NewReplacer("    - udp: {host: hub, port: 5171}\n", "").Replace(reachSite)
	web, hub = &netGuest{look: webLook, tries: well}, &netGuest{look: hubLook}
	if reached(t, noUDP, false, &run{guest: web}, &run{guest: hub}); web.steps() != 1 || hub.steps() != 1 {
		t.Errorf("where all is well: web %d steps, hub %d", web.steps(), hub.steps())
	}
	for _, arg := range web.asked[0].Argv[6:] {
		if strings.ContainsAny(arg, " ;$`'\"") {
			t.Errorf("the argument %q", arg)
		}
	}
}

// Every way not to be well, with what helps; the second run says the same.
func TestLogsReachWarns(t *testing.T) {
	bad := strings.NewReplacer("name/kafka1/9092/10.0.0.7\n", "name/kafka1/9092/2\n", "tcp 192.168.56.12 9092 open 1 -", "tcp 192.168.56.12 9092 timeout",
		"tcp 10.0.0.9 24224 open 1 -", "tcp 10.0.0.9 24224 refused", "tcp 192.168.56.12 5170 open 1 -", "tcp 192.168.56.12 5170 refused", "100 100 0 0", "100 71 0 0").Replace(well)
	const want = `ok
kafka kafka1:9092: unknown_name: web does not know the name kafka1; give the address instead, or put the name into DNS or /etc/hosts of web; in web: getent hosts kafka1
kafka 192.168.56.12:9092: filtered: no answer, although a program listens there: a firewall on hub or on the way keeps it from port 9092; in hub, to see the rules: sudo nft list ruleset || sudo iptables -S
reliable 10.0.0.9:24224: closed: refused: nothing listens on port 24224 of 10.0.0.9, or on another address only; start the program that belongs there; there: sudo ss -ltnp; then: boxdoctor net web --to 10.0.0.9:24224
tcp 192.168.56.12:5170: wrong_interface: the program on port 5170 of hub listens on 127.0.0.1 only, not on 192.168.56.12; make it listen on 192.168.56.12 too (or on 0.0.0.0), such as bindIp, bind-address or listen in its configuration, and restart it
udp hub:5171: lossy: some of 100 datagrams from web to hub and back got lost; send by reliable (or tcp) instead of udp: reliable: {host: hub, port: PORT}
whether datagrams arrive at 10.0.0.8:514 cannot be told: it is no other one of these machines
The agent keeps what it cannot send in its buffer, up to 256MB, and goes on by itself.`
	for range 2 {
		r := &run{guest: &netGuest{look: webLook, tries: bad}}
		got := reached(t, reachSite, false, r, &run{guest: &netGuest{look: hubLook}})
		if len(got) != 1 || saidOf(got[0]) != want {
			t.Errorf("got\n%s", saidOf(got[0]))
		}
		r.out.Steps, r.out.Reachable = r.steps, true
		rep := Report{Machines: []MachineReport{r.out}}
		if rep.finish(); rep.ExitCode != 0 || rep.Machines[0].Totals.Warnings != 5 {
			t.Errorf("exit %d, %+v", rep.ExitCode, rep.Machines[0].Totals)
		}
	}
	none := strings.Replace(well, "100 100 0 0", "100 0 0 0", 1)
	got := reached(t, reachSite, false, &run{guest: &netGuest{look: webLook, tries: none}}, &run{guest: &netGuest{look: hubLook}})
	if s := saidOf(got[0]); len(got[0].Warnings) != 1 || !strings.Contains(s, "udp hub:5171: filtered: datagrams from web to hub do not come through; send by reliable (or tcp) instead of udp") {
		t.Error(s)
	}
}

// A machine that is not as declared is not tried, and keeps no other one from it; a machine that is not of this run is like
// any other computer.
func TestLogsReachOfWhatIsThere(t *testing.T) {
	web, hub := &run{guest: &netGuest{}, steps: []Step{{Resource: "service/boxdoctor-logs", Result: Failed}}}, &run{guest: &netGuest{}}
	if got := reached(t, reachSite, false, web, hub); len(got) != 1 || got[0].Result != Skipped || got[0].Message != "not reached, because web is not as declared" || web.guest.(*netGuest).steps() != 0 {
		t.Errorf("%+v", got)
	}
	tries := strings.Replace(well, "192.168.56.12 9092 open 1 -", "192.168.56.12 9092 refused", 1)
	if got := reached(t, reachSite, false, &run{guest: &netGuest{look: webLook, tries: tries}}, &run{}); len(got) != 1 ||
		!strings.Contains(saidOf(got[0]), "kafka 192.168.56.12:9092: closed: refused: nothing listens on port 9092 of 192.168.56.12, or on another address only") {
		t.Errorf("%+v", got)
	}
	files := reachSite[:strings.Index(reachSite, "    - kafka")] + "    - file: {path: /var/log/all.json}\n"
	if got := reached(t, files, false, &run{guest: &netGuest{}}, &run{guest: &netGuest{}}); len(got) != 0 {
		t.Errorf("a file is reached: %+v", got)
	}
}

// Senders try the aggregator and not what lies behind it; a dry run does not warn of one that the run would make.
func TestLogsReachAggregator(t *testing.T) {
	site := strings.Replace(reachSite, "  on: [web]\n", "  on: [web]\n  aggregator: {on: [hub], address: 192.168.56.12, port: 20514}\n", 1)
	const tries = "tcp 192.168.56.12 20514 refused\ntcp 192.168.56.12 22 open 1 -\ntcp 192.168.56.12 40000 open 1 -\n"
	for _, x := range []struct {
		check bool
		hub   Result
		want  string
	}{
		{false, OK, "ok\naggregator 192.168.56.12:20514: closed: refused; nothing listens on port 20514 in hub; boxdoctor provision hub\nThe agent keeps what it cannot send in its buffer, up to 256MB, and goes on by itself."},
		{true, OK, "ok\naggregator 192.168.56.12:20514: closed: refused; nothing listens on port 20514 in hub; boxdoctor provision hub\nThe agent keeps what it cannot send in its buffer, up to 256MB, and goes on by itself."},
		{true, WouldChange, "ok\nthe aggregator is not set up yet, and 192.168.56.12:20514 cannot be reached now"},
	} {
		hub := &run{guest: &netGuest{look: hubLook, tries: well}, steps: []Step{{Result: x.hub}}}
		got := reached(t, site, x.check, &run{guest: &netGuest{look: webLook, tries: tries}}, hub)
		if len(got) != 1 || saidOf(got[0]) != x.want {
			t.Errorf("check %v, hub %s: got\n%s", x.check, x.hub, saidOf(got[0]))
		}
		if own := hub.steps[len(hub.steps)-1]; own.Resource != "logs/reach" || strings.Contains(saidOf(own), "20514") {
			t.Errorf("the aggregator sends to the destinations: %s", saidOf(own))
		}
	}
}

// After Ctrl-C nothing is claimed.
func TestLogsReachInterrupted(t *testing.T) {
	stop := make(chan struct{})
	close(stop)
	web := &run{guest: &netGuest{}, o: Options{Stop: stop}}
	if got := reached(t, reachSite, false, web, &run{guest: &netGuest{}, o: Options{Stop: stop}}); len(got) != 1 || got[0].Result != Skipped || !strings.Contains(got[0].Message, "interrupted") {
		t.Errorf("%+v", got)
	}
}

// A destination that somebody calls aggregator, where there is none, made the stage panic.
func TestLogsReachOfADestinationNamedAggregator(t *testing.T) {
	site := strings.Replace(reachSite, "{name: far, reliable", "{name: aggregator, reliable", 1)
	tries := strings.Replace(well, "10.0.0.9 24224 open 1 -", "10.0.0.9 24224 refused", 1)
	got := reached(t, site, false, &run{guest: &netGuest{look: webLook, tries: tries}}, &run{guest: &netGuest{look: hubLook}})
	if len(got) != 1 || !strings.Contains(saidOf(got[0]), "\nreliable 10.0.0.9:24224: closed: refused") {
		t.Errorf("%+v", got)
	}
}
