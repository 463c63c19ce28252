//go:build acceptance

package acceptance

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/provision"
)

// reachSite sends from the first machine to the outer end of its wire, to a name that only it knows, and to the second
// machine, which is 10.79.1.2 on a wire of their own.
const reachSite = `
machines: {reach: {}, reachhub: {}}
logs:
  on: [reach]
  packages: debs
  max_line: 1KB
  files: [{path: /var/log/qrd/*.log}]
  destinations:
    - kafka: {brokers: ["%[1]s:19092"], topic: logs}
    - tcp: {host: collector, port: 15170}
    - tcp: {host: 10.79.1.2, port: 5170}
    - tcp: {host: %[1]s, port: 15171}
    - udp: {host: 10.79.1.2, port: 5171}
    - udp: {host: %[1]s, port: 15172}
`

// both provisions both machines and returns their reports by name.
func (g *guest) both(args ...string) (map[string]provision.MachineReport, int) {
	g.t.Helper()
	begin := time.Now()
	out, code := g.text(append([]string{"provision", "-f", g.file, "--format", "json"}, args...)...)
	var r provision.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil || len(r.Machines) != 2 {
		g.t.Fatalf("provision: exit %d, %v\n%s", code, err, tail(out))
	}
	by := map[string]provision.MachineReport{}
	for _, m := range r.Machines {
		by[m.Name] = m
	}
	step(g.t, begin, "boxdoctor provision %s: exit %d, %+v", strings.Join(args, " "), code, by["reach"].Totals)
	return by, code
}

// reach is what is said of the destinations.
func reach(t *testing.T, m provision.MachineReport) provision.Step {
	t.Helper()
	i := slices.IndexFunc(m.Steps, func(s provision.Step) bool { return s.Resource == "logs/reach" })
	if i < 0 {
		t.Fatalf("no step logs/reach: %+v", m)
	}
	return m.Steps[i]
}

// inNet runs a script in a guest's network, with this machine's programs.
func (g *guest) inNet(script string) {
	g.t.Helper()
	command(g.t, exec.Command("ip", "netns", "exec", "bd-"+g.name, "sh", "-ec", script))
}

// receive listens in the guest, by TCP on this address and by UDP on all, in place of what did before.
func (g *guest) receive(at string) {
	g.t.Helper()
	g.sh("cat >/root/tcp.sh <<'EOF'\n" + listener(at+":5170") + "\nEOF\n" + `systemctl stop recv 2>/dev/null; systemctl reset-failed recv 2>/dev/null
		systemd-run -q --unit=recv sh /root/tcp.sh; systemctl is-active -q recvudp || systemd-run -q --unit=recvudp perl -MSocket -e '
		socket(S, PF_INET, SOCK_DGRAM, 0); bind(S, pack_sockaddr_in(5171, INADDR_ANY)) or die; recv(S, $_, 2048, 0) while 1'
		for i in 1 2 3 4 5 6 7 8 9 10; do grep -q :1432 /proc/net/tcp && grep -q :1433 /proc/net/udp && exit 0; sleep 0.3; done; exit 1`)
}

// take listens on this machine's end of the guest's wire.
func take(t *testing.T, at string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// reachGuests are the two machines, and the outer end of the first one's wire.
func reachGuests(t *testing.T) (g, hub *guest, host string) {
	t.Helper()
	g, hub = startGuest(t, "reach", "deb"), startGuest(t, "reachhub", "deb")
	config := readText(t, g.sshConfig)
	host = regexp.MustCompile(`HostName (\S+)\.2\n`).FindStringSubmatch(config)[1] + ".1"
	command(t, exec.Command("ip", "link", "add", "wire", "netns", "bd-reach", "type", "veth", "peer", "name", "wire", "netns", "bd-reachhub"))
	g.inNet("ip addr add 10.79.1.1/24 dev wire; ip link set wire up")
	hub.inNet("ip addr add 10.79.1.2/24 dev wire; ip link set wire up")
	dir := t.TempDir()
	g.file, g.flags = filepath.Join(dir, ".boxdoctor.yaml"), []string{"--ssh-config", filepath.Join(dir, "ssh_config")}
	for file, text := range map[string]string{g.file: fmt.Sprintf(reachSite, host), g.flags[1]: config + readText(t, hub.sshConfig)} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(strings.TrimSpace(lab(t, "logs"))+"/debs", dir+"/debs"); err != nil {
		t.Fatal(err)
	}
	return g, hub, host
}

// faults provisions and wants these warnings and nothing else; it returns all that is said of them.
func (g *guest) faults(want []string) string {
	g.t.Helper()
	by, code := g.both()
	s := reach(g.t, by["reach"])
	var got []string
	for _, w := range s.Warnings {
		got = append(got, w.About+": "+w.Status)
		g.t.Logf("        %s: %s; %s; %s", w.About, w.Status, w.Message, w.Fix)
	}
	if n := by["reach"].Totals; code != finding.ExitOK || n.Changed+n.Failed+n.Skipped != 0 || !slices.Equal(got, want) {
		g.t.Errorf("exit %d, %+v, %q", code, n, got)
	}
	return fmt.Sprintf("%+v", s)
}

// TestLogAgentReach: which destinations of a real log agent are out of reach, and why: filtered, off, of an unknown name, on
// another interface of a machine of ours, and with datagrams that get lost. It is a warning, the same one every time, and
// gone when all is well again.
func TestLogAgentReach(t *testing.T) {
	g, hub, host := reachGuests(t)
	off, kafka, named := host+":15171", host+":19092", host+":15170"
	take(t, kafka)
	take(t, named)
	receiver := take(t, off)
	hub.receive("0.0.0.0")
	names := "printf '127.0.0.1 localhost\\n" + host + " collector\\n' >/etc/hosts"
	g.sh(names)
	well := func(when string, args ...string) {
		t.Helper()
		by, code := g.both(args...)
		if s := reach(t, by["reach"]); code != finding.ExitOK || len(s.Warnings) > 0 || s.Result != provision.OK || s.Message != "whether datagrams arrive at "+host+":15172 cannot be told: it is no other one of these machines" {
			t.Fatalf("%s: exit %d, %+v", when, code, s)
		}
	}
	well("all is up")

	_ = receiver.Close()
	g.inNet("nft add table inet x; nft add chain inet x i '{ type filter hook input priority 0; }'; nft add rule inet x i tcp sport 19092 drop")
	g.sh("echo 127.0.0.1 localhost >/etc/hosts")
	hub.receive("127.0.0.1")
	hub.inNet(`nft add table inet x; nft add chain inet x i '{ type filter hook input priority 0; }'; nft add rule inet x i meta l4proto udp numgen random mod 100 '<' 40 drop`)
	want := []string{"kafka " + kafka + ": filtered", "tcp collector:15170: unknown_name", "tcp 10.79.1.2:5170: wrong_interface", "tcp " + off + ": closed", "udp 10.79.1.2:5171: lossy"}
	first := g.faults(want)
	if again := g.faults(want); again != first {
		t.Errorf("the second run says something else:\n%s\n%s", first, again)
	}
	text, code := g.text("provision", "-f", g.file, "--check")
	if code != finding.ExitOK || !strings.Contains(text, "  warning      logs/reach\n    kafka "+kafka+": filtered\n") || !strings.Contains(text, "warnings=5") {
		t.Errorf("for people: exit %d", code)
	}
	t.Log("boxdoctor provision --check\n" + text)

	take(t, off)
	hub.receive("0.0.0.0")
	g.inNet("nft delete table inet x")
	hub.inNet("nft delete table inet x")
	g.sh(names)
	well("all is up again")
	for _, x := range []*guest{g, hub} {
		if left := x.sh("ps ax -o args | grep -c '[n]et-probe' || true"); strings.TrimSpace(left) != "0" {
			t.Errorf("%s: %s probes are left", x.name, left)
		}
	}
}
