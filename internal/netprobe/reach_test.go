package netprobe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// names is a resolver that knows one name of this machine, one with IPv6 alone, and one for which nobody answers.
const names = `#!/bin/sh
case "$1 $2" in
"ahosts six") echo "::1 STREAM six" ;;
"ahosts slow") exec sleep 60 ;;
"ahosts here") printf '%s\n' "::1 STREAM here" "::1 DGRAM" "127.0.0.1 STREAM" "127.0.0.1 DGRAM" ;;
*) exit 2 ;;
esac
`

// resolving gives a guest that resolver.
func resolving(t *testing.T, l local) local {
	t.Helper()
	if err := os.WriteFile(filepath.Join(l.path, "getent"), []byte(names), 0o700); err != nil {
		t.Fatal(err)
	}
	return l
}

// counting counts steps.
type counting struct {
	guest.Runner
	steps []string
}

// Run counts and runs.
func (c *counting) Run(ctx context.Context, cmd guest.Cmd) (guest.Result, error) {
	c.steps = append(c.steps, cmd.Name)
	return c.Runner.Run(ctx, cmd)
}

// openPort is a port of this machine that somebody listens on, who says nothing.
func openPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return portOf(l.Addr())
}

// TestReach: one step tells of names and addresses what becomes of them, whatever the guest has to try with.
func TestReach(t *testing.T) {
	for _, client := range []string{"perl", "python3", "bash"} {
		t.Run(client, func(t *testing.T) {
			t.Parallel()
			open, closed := openPort(t), closedPort(t)
			g := &counting{Runner: resolving(t, with(t, client))}
			got := Reach(t.Context(), []Machine{{Name: "web", Guest: g, To: []Target{{"tcp", "127.0.0.1", open}, {"tcp", "here", open}, {"tcp", "here", closed},
				{"tcp", "nosuch", open}, {"tcp", "six", open}, {"tcp", "::1", open}, {"udp", "here", open}, {"udp", "nosuch", open}, {"tcp", "a:b;c", open}}}}, 1)
			var all []string
			for _, d := range got {
				all = append(all, fmt.Sprintf("%s %s %s", d.Proto, d.Host, d.Status))
			}
			if s := strings.Join(all, ", "); s != "tcp 127.0.0.1 ok, tcp here ok, tcp here closed, tcp nosuch unknown_name, tcp six not_tried, tcp ::1 not_tried, "+
				"udp here not_tried, udp nosuch unknown_name, tcp a:b;c unknown_name" {
				t.Error(s)
			}
			if len(g.steps) != 1 {
				t.Errorf("steps %q", g.steps)
			}
		})
	}
}

// TestNamesUnderEveryShell: what looks names up is the guest's sh, whichever that is; a name server that does not answer
// is not waited for longer than a connection, and nobody is left waiting for it.
func TestNamesUnderEveryShell(t *testing.T) {
	for _, shell := range []string{"dash", "bash", "busybox", "mksh", "ksh93"} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			l := resolving(t, with(t, "perl"))
			prog, err := exec.LookPath(shell)
			if err != nil {
				t.Skip(err)
			}
			if err := errors.Join(os.Remove(filepath.Join(l.path, "sh")), os.Symlink(prog, filepath.Join(l.path, "sh"))); err != nil {
				t.Fatal(err)
			}
			open, begin := openPort(t), time.Now()
			got := Reach(t.Context(), []Machine{{Name: "web", Guest: l, To: []Target{{"tcp", "here", open}, {"tcp", "nosuch", open}, {"tcp", "slow", open}}}}, 1)
			if s := strings.TrimSpace(fmt.Sprintln(got[0].Status, got[1].Status, got[2].Status, got[0].Address)); s != "ok unknown_name unknown_name 127.0.0.1" || !strings.Contains(got[2].Message, "name server of web does not answer") {
				t.Errorf("%s %q %q", s, got[1].Message, got[2].Message)
			}
			if took := time.Since(begin); took > 2*patience+5*time.Second {
				t.Errorf("after %v", took)
			}
		})
	}
}

// TestNothingToLookUpWith: that a guest has no getent is not that there is no such name.
func TestNothingToLookUpWith(t *testing.T) {
	got := Reach(t.Context(), []Machine{{Name: "web", Guest: with(t, "perl"), To: []Target{{"tcp", "here", 1}}}}, 1)
	if got[0].Status != NotTried || !strings.Contains(got[0].Message, "no getent") {
		t.Errorf("%s %s", got[0].Status, got[0].Message)
	}
	lost := runner(func(context.Context, guest.Cmd) (guest.Result, error) { return guest.Result{}, errors.New("link lost") })
	got = Reach(t.Context(), []Machine{{Name: "web", Guest: lost, To: []Target{{"tcp", "10.0.0.9", 1}}}}, 1)
	if got[0].Status != NotTried || got[0].Message != "it could not be tried: link lost" {
		t.Errorf("%s %s", got[0].Status, got[0].Message)
	}
}

// two is a machine of a network of two, as the steps of a run see it; synthetic.
type two struct {
	addr, listens, tries string
	steps                []string
}

// Run answers in the words of the programs.
func (m *two) Run(_ context.Context, c guest.Cmd) (guest.Result, error) {
	m.steps = append(m.steps, c.Name)
	look := "address eth1 " + m.addr + "/24\n" + m.listens + "ssh 22\n"
	out := map[string]string{"look at the network": look, "try the destinations": look + m.tries + "end\n", "try the network": m.tries + "end\n"}[c.Name]
	if c.Name == "listen" {
		_, _ = io.WriteString(c.Stdout, "port 40000 40001\n")
		_, _ = io.Copy(io.Discard, c.Stdin)
	}
	return guest.Result{Stdout: []byte(out)}, nil
}

// TestReachBetweenMachines: what concerns two machines and is not well is examined closer, with what listens in the
// other one and with datagrams; what is well is not, and machines that have no part in it are left alone.
func TestReachBetweenMachines(t *testing.T) {
	const ways = "tcp 192.168.56.12 22 open 1 -\ntcp 192.168.56.12 40000 open 1 -\n"
	for name, x := range map[string]struct {
		to      Target
		tries   string
		listens string
		want    Status
		steps   int
	}{
		"open":            {Target{"tcp", "192.168.56.12", 9092}, "tcp 192.168.56.12 9092 open 1 -\n", "", OK, 1},
		"outside":         {Target{"tcp", "10.0.0.9", 9092}, "tcp 10.0.0.9 9092 timeout\n", "", Filtered, 1},
		"wrong interface": {Target{"tcp", "hub", 9092}, "name/hub/9092/192.168.56.12\ntcp 192.168.56.12 9092 refused\n" + ways, "listen tcp 0100007F:2384\n", WrongInterface, 4},
		"closed":          {Target{"tcp", "hub", 9092}, "name/hub/9092/192.168.56.12\ntcp 192.168.56.12 9092 refused\n" + ways, "", Closed, 4},
		"filtered":        {Target{"tcp", "192.168.56.12", 9092}, "tcp 192.168.56.12 9092 timeout\n" + ways, "listen tcp 00000000:2384\n", Filtered, 4},
		"datagrams":       {Target{"udp", "hub", 5171}, "name/hub/0/192.168.56.12\nudp 192.168.56.12 40001 100 100 0 0 1 1 1 -\n" + ways, "listen udp 00000000:1433\n", OK, 4},
		"lost":            {Target{"udp", "192.168.56.12", 5171}, "udp 192.168.56.12 40001 100 71 0 0 1 1 1 -\n" + ways, "listen udp 00000000:1433\n", Lossy, 4},
		"no datagrams":    {Target{"udp", "192.168.56.12", 5171}, "udp 192.168.56.12 40001 100 0 0 0 -1 -1 -1 -\n" + ways, "listen udp 00000000:1433\n", Filtered, 4},
		"nobody takes it": {Target{"udp", "192.168.56.12", 5171}, "udp 192.168.56.12 40001 100 100 0 0 1 1 1 -\n" + ways, "", Closed, 4},
		"taken elsewhere": {Target{"udp", "192.168.56.12", 5171}, "udp 192.168.56.12 40001 100 100 0 0 1 1 1 -\n" + ways, "listen udp 0100007F:1433\n", WrongInterface, 4},
	} {
		t.Run(name, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			begin := time.Now()
			web, hub, third := &two{addr: "192.168.56.11", tries: x.tries}, &two{addr: "192.168.56.12", listens: x.listens}, &two{addr: "192.168.56.13"}
			got := Reach(t.Context(), []Machine{{Name: "web", Guest: web, To: []Target{x.to}}, {Name: "hub", Guest: hub}, {Name: "third", Guest: third}}, 3)
			if len(got) != 1 || got[0].Status != x.want || x.want != OK && (got[0].Message == "" || got[0].Fix == "") {
				t.Errorf("%s %q %q", got[0].Status, got[0].Message, got[0].Fix)
			}
			if took := time.Since(begin); took > patience-time.Second { // this computer has no part in it, and would wait for an answer
				t.Errorf("after %v", took)
			}
			if len(web.steps) != x.steps || len(third.steps) != 1 {
				t.Errorf("web %q, third %q", web.steps, third.steps)
			}
		})
	}
}

// TestOutside: what is said of a destination that no machine has, and the next command.
func TestOutside(t *testing.T) {
	web := known("web", "192.168.56.11/24")
	for _, x := range []struct {
		how, addr  string
		want       Status
		says, does string
	}{
		{"open", "192.168.56.9", OK, "", ""},
		{"refused", "192.168.56.9", Closed, "nothing listens on port 9092 of kafka1 (192.168.56.9)", "there: sudo ss -ltnp"},
		{"timeout", "192.168.56.9", Filtered, "no answer from port 9092", "sudo nft list ruleset"},
		{"no_host", "192.168.56.9", NoRoute, "although web is in its network", "in web: ip neigh show 192.168.56.9"},
		{"no_host", "10.9.9.9", NoRoute, "says a router or a firewall on the way", "ip route get 10.9.9.9"},
		{"no_network", "10.9.9.9", NoRoute, "web has no route to kafka1 (10.9.9.9)", "in web: ip route get"},
		{"forbidden", "10.9.9.9", Filtered, "web forbids itself", "in web: sudo nft"},
		{"error_99", "10.9.9.9", Filtered, "(error 99)", "sudo nft"},
		{"", "10.9.9.9", NotTried, "it was not tried", ""},
	} {
		status, message, fix := web.outside(Target{"tcp", "kafka1", 9092}, try{addr: netip.MustParseAddr(x.addr), how: x.how})
		if status != x.want || !strings.Contains(message, x.says) || !strings.Contains(fix, x.does) {
			t.Errorf("%s: %s %q %q", x.how, status, message, fix)
		}
	}
}

func TestParseTarget(t *testing.T) {
	for text, want := range map[string]string{"kafka1:9092": "tcp kafka1 9092", "10.0.0.9:1": "tcp 10.0.0.9 1", "[::1]:9": "tcp ::1 9"} {
		if x, err := ParseTarget(text); err != nil || fmt.Sprint(x.Proto, " ", x.Host, " ", x.Port) != want {
			t.Errorf("%s: %+v %v", text, x, err)
		}
	}
	for _, text := range []string{"", "kafka1", "kafka1:0", "kafka1:x", ":9", "-x:9", "a b:9", "a;b:9", "$(x):9", "a/b:9", "a:b:9"} {
		if x, err := ParseTarget(text); err == nil {
			t.Errorf("%s is taken for %v", text, x)
		}
	}
}

// TestDestinationOfSeveralAddresses: one that opens will do; of addresses that do not, the first one is told of.
func TestDestinationOfSeveralAddresses(t *testing.T) {
	web := known("web", "192.168.56.11/24")
	web.To = []Target{{"tcp", "kafka1", 9092}}
	for tries, want := range map[string]Status{
		"tcp 10.0.0.1 9092 timeout\ntcp 10.0.0.2 9092 open 1 -\nend\n": OK, "tcp 10.0.0.1 9092 timeout\ntcp 10.0.0.2 9092 refused\nend\n": Filtered,
	} {
		r := &run{nodes: []*node{web}}
		b := &builder{run: r}
		all, _ := parseTries(tries)
		web.names = parseNames("name/kafka1/9092/10.0.0.1\nname/kafka1/9092/10.0.0.2\nname/x y/1/2\nnonsense/\n")
		b.tries("web", all, nil)
		if got := b.destinations(); len(got) != 1 || got[0].Status != want {
			t.Errorf("%s %s", got[0].Status, got[0].Message)
		}
	}
}
