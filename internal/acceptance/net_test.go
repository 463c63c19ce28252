//go:build acceptance

package acceptance

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/boxdoctor/boxdoctor/internal/netprobe"
)

// net runs boxdoctor net and returns its report.
func (l *netlab) net(args ...string) (netprobe.Report, int) {
	l.t.Helper()
	begin := time.Now()
	out, code := l.doctor(append([]string{"net", "--format", "json"}, args...)...)
	var r netprobe.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.ExitCode != code {
		l.t.Fatalf("net: exit %d, %v\n%s", code, err, tail(out))
	}
	step(l.t, begin, "boxdoctor net %s: exit %d, %d ways, %d ports", strings.Join(args, " "), code, len(r.Paths), len(r.Ports))
	return r, code
}

// way is what is known of the way between two machines.
func (l *netlab) way(r netprobe.Report, from, to string, want netprobe.Status) netprobe.Path {
	l.t.Helper()
	p, ok := r.Between(from, to)
	if !ok || p.Verdict != want {
		l.t.Errorf("%s to %s: %+v, want %s", from, to, p, want)
	}
	l.t.Logf("        %s to %s: %s, %.2f ms, UDP %d of %d, %d out of order; %s %s", from, to, p.Verdict, p.LatencyMS, p.Echo.Received, p.Echo.Sent, p.Echo.Reordered, p.Message, p.Advice)
	return p
}

// port checks what is said of a port.
func (l *netlab) port(r netprobe.Report, from, to string, port int, want netprobe.Status) {
	l.t.Helper()
	for _, p := range r.Ports {
		if p.From == from && p.To == to && p.Port == port {
			if p.Status != want {
				l.t.Errorf("%s to %s:%d: %+v, want %s", from, to, port, p, want)
			}
			l.t.Logf("        %s to %s:%d: %s; %s; %s", from, to, port, p.Status, p.Message, p.Fix)
			return
		}
	}
	l.t.Errorf("port %d from %s to %s was not tried", port, from, to)
}

// TestNet: real kernels' answers to what can go wrong between machines: lost datagrams, a slow wire that mixes their order, ports that are
// dropped, rejected, closed or on the wrong address, and networks without a route.
func TestNet(t *testing.T) {
	l := newNetlab(t)
	l.guest("a", "10.78.1.11", "")
	l.guest("b", "10.78.1.12", "")
	l.guest("c", "10.78.1.13", "")
	r, code := l.net()
	for _, w := range [][2]string{{"a", "b"}, {"b", "a"}, {netprobe.HostName, "c"}, {"c", netprobe.HostName}} {
		if p := l.way(r, w[0], w[1], netprobe.OK); p.Echo.Received != 100 || !strings.HasPrefix(p.Advice, "TCP or UDP") {
			t.Errorf("%v: %+v", w, p)
		}
	}
	if code != 0 {
		t.Errorf("all is well and exit %d", code)
	}

	l.in("b", `nft add table inet x; nft add chain inet x i '{ type filter hook input priority 0; }'; nft add rule inet x i meta l4proto udp numgen random mod 100 '<' 30 drop`)
	l.in("c", `nft add table inet x; nft add chain inet x i '{ type filter hook input priority 0; }'
		nft add rule inet x i ct state established,related accept; nft add rule inet x i tcp dport '{ 22, 8080 }' accept
		nft add rule inet x i tcp dport 9300 reject with icmp type host-prohibited; nft add rule inet x i iif eth0 drop`)
	for _, x := range []struct{ name, at string }{{"a", "127.0.0.1:27017"}, {"a", "0.0.0.0:8080"}, {"c", "0.0.0.0:9200"}, {"c", "0.0.0.0:9300"}, {"c", "10.78.1.13:8080"}} {
		l.start(x.name, listener(x.at))
	}
	l.farGuest()
	<-time.After(time.Second) // the listeners
	r, code = l.net("--port", "27017,8080,5432", "--port", "9200,9300")
	if code != 1 {
		t.Errorf("faults and exit %d", code)
	}
	if p := l.way(r, "a", "b", netprobe.Lossy); p.Echo.Received < 40 || p.Echo.Received > 95 {
		t.Errorf("30 in 100 are dropped, %d came back", p.Echo.Received)
	}
	l.way(r, "a", "c", netprobe.Filtered)
	l.way(r, "a", "far", netprobe.NoRoute)
	if p := l.way(r, netprobe.HostName, "far", netprobe.OK); p.LatencyMS < 2*wireDelay.Seconds()*1000 || p.Echo.MinMS < 2*wireDelay.Seconds()*1000 || p.Echo.Reordered == 0 {
		t.Errorf("a wire of %v that mixes datagrams: %+v", wireDelay, p)
	}
	l.port(r, "b", "a", 27017, netprobe.WrongInterface)
	l.port(r, "b", "a", 8080, netprobe.OK)
	l.port(r, "b", "a", 5432, netprobe.Closed)
	l.port(r, "a", "c", 9200, netprobe.Filtered)
	l.port(r, "a", "c", 9300, netprobe.Filtered)
	l.port(r, "a", "c", 8080, netprobe.OK)
	l.port(r, "a", "far", 8080, netprobe.NoRoute)
	if text, _ := l.doctor("net", "a", "b", "--port", "27017"); !strings.Contains(text, "WARN  a to b") || !strings.Contains(text, "wrong interface") {
		t.Errorf("for people:\n%s", text)
	} else {
		t.Log("boxdoctor net a b --port 27017\n" + text)
	}
	l.destinations()
	if left := l.in("a", "ss -H -ltn | grep -vc -e :22 -e :27017 -e :8080 || true"); strings.TrimSpace(left) != "0" {
		t.Errorf("%s listeners stay behind", left)
	}
}

// destinations tries some that are given: a machine's port that is filtered, one of this computer that is closed, an address
// that nobody has, and one without a route.
func (l *netlab) destinations() {
	l.t.Helper()
	r, code := l.net("b", "c", "--to", "10.78.1.13:9200,10.78.1.13:8080", "--to", "10.78.1.1:9,10.78.1.99:9,10.250.0.1:9")
	got := ""
	for _, d := range r.Destinations {
		got += fmt.Sprintf("%s %s %s\n", d.From, d.Target, d.Status)
		l.t.Logf("        %s to %s: %s; %s; %s", d.From, d.Target, d.Status, d.Message, d.Fix)
	}
	if want := "b 10.78.1.13:9200 filtered\nb 10.78.1.13:8080 ok\nb 10.78.1.1:9 closed\nb 10.78.1.99:9 no_route\nb 10.250.0.1:9 no_route\n"; code != 1 || !strings.HasPrefix(got, want) {
		l.t.Errorf("exit %d, got\n%swant\n%s", code, got, want)
	}
}

// listener is a program that takes connections at an address.
func listener(at string) string {
	host, port, _ := strings.Cut(at, ":")
	return `exec perl -MSocket -e 'socket(S, PF_INET, SOCK_STREAM, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);
		bind(S, pack_sockaddr_in(` + port + `, inet_aton("` + host + `"))) or die; listen(S, 5); while (accept(C, S)) { close C }'`
}

// wireDelay is how long the wire to far takes each way.
const wireDelay = 15 * time.Millisecond

// farGuest adds a guest in a network of its own behind a wire that delays everything and sometimes lets a packet overtake: two
// tunnel devices between which this test carries packets, because not every kernel has netem.
func (l *netlab) farGuest() {
	l.t.Helper()
	l.namespace("far")
	near, far := l.tunnel("bdt0", hostNS, "10.78.9.1"), l.tunnel("bdt1", "far", "10.78.9.2")
	go carry(near, far)
	go carry(far, near)
	l.sshd("far", "10.78.9.2", "")
}

// tunnel makes a device in a namespace; what is sent through it is read from the file.
func (l *netlab) tunnel(name, ns, addr string) *os.File {
	l.t.Helper()
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		l.t.Fatal(err)
	}
	req, err := unix.NewIfreq(name)
	if err != nil {
		l.t.Fatal(err)
	}
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		l.t.Fatal(err)
	}
	command(l.t, exec.Command("ip", "link", "set", name, "netns", l.ns(ns)))
	l.in(ns, "ip addr add "+addr+"/24 dev "+name+" && ip link set "+name+" up")
	f := os.NewFile(uintptr(fd), name)
	l.t.Cleanup(func() { _ = f.Close() })
	return f
}

// carry takes packets from one end to the other, late, every tenth later still, until an end is closed.
func carry(from, to *os.File) {
	b := make([]byte, 65536)
	for n := 0; ; n++ {
		k, err := from.Read(b)
		if err != nil {
			return
		}
		packet, late := append([]byte(nil), b[:k]...), wireDelay
		if n%10 == 9 {
			late += 12 * time.Millisecond
		}
		time.AfterFunc(late, func() { _, _ = to.Write(packet) })
	}
}
