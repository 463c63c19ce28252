package netprobe

import (
	"bytes"
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

var (
	here = netip.MustParseAddr("127.0.0.1")
	db   = netip.MustParseAddr("192.168.56.12")
)

// local is a guest that is this machine, with only some programs.
type local struct{ path string }

// with is a guest that has these programs and no others; the test is skipped where one is missing.
func with(t *testing.T, programs ...string) local {
	t.Helper()
	dir := t.TempDir()
	for _, p := range append([]string{"sh", "sleep", "awk", "ip"}, programs...) {
		prog, err := exec.LookPath(p)
		if p == "python3" {
			prog, err = exec.LookPath("/usr/bin/python3") // not a shim that needs more than itself
		}
		if err != nil {
			t.Skipf("%s is not installed", p)
		}
		if err := os.Symlink(prog, filepath.Join(dir, p)); err != nil {
			t.Fatal(err)
		}
	}
	return local{dir}
}

// Run runs a step.
func (l local) Run(ctx context.Context, c guest.Cmd) (guest.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	argv, stdin := []string{"-s", "--"}, io.Reader(strings.NewReader(c.Script))
	if c.Script == "" {
		argv, stdin = c.Argv[1:], c.Stdin
	}
	cmd := exec.CommandContext(ctx, filepath.Join(l.path, "sh"), argv...)
	cmd.Env = []string{"PATH=" + l.path, "LC_ALL=C"}
	cmd.WaitDelay = time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if c.Stdout != nil {
		cmd.Stdout = c.Stdout
	}
	if stdin != nil {
		in, err := cmd.StdinPipe()
		if err != nil {
			return guest.Result{}, err
		}
		go func() { _, _ = io.Copy(in, stdin); _ = in.Close() }()
	}
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = &guest.ExitError{Name: c.Name, Code: exit.ExitCode(), Stderr: errs.String()}
	}
	return guest.Result{Stdout: out.Bytes(), Stderr: errs.Bytes()}, err
}

// closedPort is a port of this machine on which nothing listens.
func closedPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return portOf(l.Addr())
}

// TestProbes: the probe in every language listens, answers who knows the token, and tells what came of targets in the same words, and
// so does this program itself; when it is told to, it ends.
func TestProbes(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, server := range []string{"perl", "python3"} {
		for _, client := range []string{"perl", "python3", "bash", ""} {
			t.Run(server+" and "+client, func(t *testing.T) {
				n := &node{Machine: Machine{Name: "db", Guest: with(t, server)}, usable: []netip.Addr{here}}
				n.look.SSHPort = closedPort(t)
				r := &run{token: newToken(), nodes: []*node{n}, host: &node{Machine: Machine{Name: HostName}}}
				r.listen(t.Context(), n)
				defer n.stop()
				if n.tcp == 0 || n.udp == 0 {
					t.Fatal("the probe does not listen")
				}
				var tries []try
				var err error
				if client == "" {
					tries = r.dialHost(t.Context())
				} else {
					tries, err = r.dialFrom(t.Context(), &node{Machine: Machine{Name: "web", Guest: with(t, client)}})
				}
				got := map[string]try{}
				for _, x := range tries {
					got[fmt.Sprint(x.proto, x.port)] = x
				}
				open, closed, udp := got[fmt.Sprint("tcp", n.tcp)], got[fmt.Sprint("tcp", n.look.SSHPort)], got[fmt.Sprint("udp", n.udp)]
				if err != nil || open.how != "open" || closed.how != "refused" {
					t.Errorf("%v: open %+v, closed %+v", err, open, closed)
				}
				if client == "bash" { // which knows neither the token nor UDP
					return
				}
				if open.said != "token" || open.latency < 0 || udp.udp.Received != packets || udp.udp.MeanMS < 0 || udp.udp.MinMS > udp.udp.MaxMS || udp.how != "" {
					t.Errorf("open %+v, udp %+v", open, udp)
				}
			})
		}
	}
}

// TestAProbeAnswersNobodyElse: who does not know the token gets nothing back by UDP.
func TestAProbeAnswersNobodyElse(t *testing.T) {
	for _, server := range []string{"perl", "python3"} {
		n := &node{Machine: Machine{Guest: with(t, server)}}
		r := &run{token: newToken()}
		r.listen(t.Context(), n)
		if x := dialUDP(t.Context(), here, n.udp, "another token"); x.udp.Received != 0 || x.udp.Sent != packets {
			t.Errorf("%s: %+v", server, x)
		}
		n.stop()
		if x := dialTCP(t.Context(), here, n.tcp, r.token); x.how != "refused" {
			t.Errorf("%s: after its end %+v", server, x)
		}
	}
}

// TestNothingToProbeWith: a guest without perl, python, bash and nc is said to be one.
func TestNothingToProbeWith(t *testing.T) {
	g := with(t)
	n := &node{Machine: Machine{Name: "web", Guest: g}}
	r := &run{token: "t", nodes: []*node{{Machine: Machine{Name: "db"}, usable: []netip.Addr{here}, stop: func() {}}}, host: &node{}}
	r.nodes[0].look.SSHPort = closedPort(t)
	r.listen(t.Context(), n)
	defer n.stop()
	if n.tcp != 0 {
		t.Error("it listens with nothing")
	}
	tries, err := r.dialFrom(t.Context(), n)
	if err == nil && (len(tries) != 1 || tries[0].how == "open") {
		t.Errorf("%+v, %v", tries, err)
	}
}

func TestParseLook(t *testing.T) {
	l := parseLook("address lo 127.0.0.1/8\naddress eth0 10.0.2.15/24\naddress eth1 192.168.56.12/24\naddress x nonsense\n" +
		"listen tcp 0100007F:6989\nlisten tcp6 00000000000000000000000000000000:0016\nlisten tcp6 0000000000000000FFFF00000C38A8C0:1F90\n" +
		"listen udp 00000000:0035\nlisten tcp zz:1\nlisten tcp 01:1\nfirewall no\x1bname\nfirewall firewalld\nfirewall nftables\nssh 2222\nssh 99999\n")
	got := fmt.Sprintln(l.Addresses, l.Listeners, l.Firewall, l.SSHPort)
	want := "[{eth0 10.0.2.15/24} {eth1 192.168.56.12/24}] [{tcp 127.0.0.1 27017} {tcp :: 22} {tcp 192.168.56.12 8080} {udp 0.0.0.0 53}] firewalld 2222\n"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("tcp 1.2.3.4 5 open 0.1 token\nudp 1.2.3.4 5 100 99 0 1 0.1 0.2 0.3 -\nend\n")
	f.Add("listen tcp6 0000:1\naddress a ::1/200\n")
	f.Add("name/kafka1/9092/10.0.0.1\nname/kafka1/9092/::1%x\nname/a/0/2\n")
	f.Fuzz(func(t *testing.T, out string) {
		parseLook(out)
		for host, n := range parseNames(out) {
			if !nameForm.MatchString(host) || len(n.addrs) > maxAddresses {
				t.Errorf("%q %+v", host, n)
			}
		}
		tries, _ := parseTries(out)
		for _, x := range tries {
			if lost := x.udp.Lost(); lost < 0 || lost > 1 || x.port < 0 || x.port > 65535 {
				t.Errorf("%+v", x)
			}
		}
	})
}

// known is a machine in the private network.
func known(name, addr string, listeners ...Listener) *node {
	n := &node{Machine: Machine{Name: name}, tcp: 40000, udp: 40001, look: Look{SSHPort: 22, Listeners: listeners}}
	n.look.Addresses = []Address{{"eth1", netip.MustParsePrefix(addr)}}
	n.usable = []netip.Addr{netip.MustParsePrefix(addr).Addr()}
	return n
}

func tried(tries ...try) map[key]try {
	out := map[key]try{}
	for _, x := range tries {
		x.addr = db
		out[key{x.proto, x.addr, x.port}] = x
	}
	return out
}

func TestPathVerdicts(t *testing.T) {
	open, noHost, timeout := try{proto: "tcp", port: 40000, how: "open", said: "token", latency: time.Millisecond}, "no_host", "timeout"
	ssh := func(how string) try { return try{proto: "tcp", port: 22, how: how} }
	probe := func(how string) try { return try{proto: "tcp", port: 40000, how: how} }
	udp := func(received, late int) try {
		return try{proto: "udp", port: 40001, udp: Echo{Sent: 100, Received: received, Reordered: late}}
	}
	tests := []struct {
		name    string
		from    string
		tries   []try
		verdict Status
		says    string
		advice  string
	}{
		{"all open", "192.168.56.11/24", []try{open, ssh("open"), udp(100, 0)}, OK, "", "TCP or UDP"},
		{"datagrams lost", "192.168.56.11/24", []try{open, udp(93, 0)}, Lossy, "of 100 datagrams 7 did not come back", "TCP: of UDP 7% is lost"},
		{"out of order", "192.168.56.11/24", []try{open, udp(100, 3)}, OK, "", "out of order"},
		{"UDP filtered", "192.168.56.11/24", []try{open, udp(0, 0)}, OK, "", "UDP does not come through"},
		{"only sshd's port", "192.168.56.11/24", []try{probe(timeout), ssh("open"), udp(0, 0)}, Filtered, "port 22 opens, but the port that the probe listens on does not (no answer): ufw of db", "TCP"},
		{"rejected", "192.168.56.11/24", []try{probe("refused"), ssh("open")}, Filtered, "(refused)", ""},
		{"everything dropped", "192.168.56.11/24", []try{probe(timeout), ssh(timeout)}, Filtered, "nothing opens at 192.168.56.12, not even sshd's port 22", ""},
		{"address down", "192.168.56.11/24", []try{probe(noHost), ssh(noHost)}, NoRoute, "nobody answers at 192.168.56.12, although web is in its network", ""},
		{"no route", "10.9.9.9/24", []try{probe("no_network"), ssh("no_network"), udp(0, 0)}, NoRoute, "web has no route to 192.168.56.12", ""},
		{"routed into nothing", "10.9.9.9/24", []try{probe(timeout), ssh(timeout)}, NoRoute, "in none of its networks", ""},
		{"not tried", "192.168.56.11/24", nil, NotTried, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			to := known("db", "192.168.56.12/24")
			to.look.Firewall = "ufw"
			p := pair{known("web", tt.from), to, db, tried(tt.tries...)}.path()
			if p.Verdict != tt.verdict || !strings.Contains(p.Message, tt.says) || !strings.Contains(p.Advice, tt.advice) || tt.advice == "" && p.Advice != "" {
				t.Errorf("%s: %q, advice %q", p.Verdict, p.Message, p.Advice)
			}
			if p.Verdict.Failed() && p.Fix == "" {
				t.Error("no word of what to do")
			}
		})
	}
}

func TestPortVerdicts(t *testing.T) {
	all, loopback, right := Listener{"tcp", netip.IPv6Unspecified(), 27017}, Listener{"tcp", here, 27017}, Listener{"tcp", db, 27017}
	tests := []struct {
		name      string
		how       string
		way       Status
		listeners []Listener
		status    Status
		says      string
	}{
		{"open", "open", OK, []Listener{all}, OK, ""},
		{"closed", "refused", OK, nil, Closed, "refused; nothing listens on port 27017 in db"},
		{"wrong interface", "refused", OK, []Listener{loopback}, WrongInterface, "listens on 127.0.0.1 only, not on 192.168.56.12"},
		{"dropped", "timeout", Filtered, []Listener{right}, Filtered, "no answer, although a program listens there"},
		{"rejected as EL does", "no_host", OK, []Listener{all}, Filtered, "unreachable, although a program listens there"},
		{"rejected by reset", "refused", OK, []Listener{loopback, right}, Filtered, "refused, although"},
		{"no way at all", "timeout", NoRoute, []Listener{all}, NoRoute, "no way leads"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := pair{known("web", "192.168.56.11/24"), known("db", "192.168.56.12/24", tt.listeners...), db, tried(try{proto: "tcp", port: 27017, how: tt.how})}
			got := p.port(27017, tt.way)
			if got.Status != tt.status || !strings.Contains(got.Message, tt.says) {
				t.Errorf("%s: %q", got.Status, got.Message)
			}
			if got.Status.Failed() && got.Status != NoRoute && got.Fix == "" {
				t.Error("no word of what to do")
			}
		})
	}
}

// TestAddresses: VirtualBox's NAT address leads nowhere, nor does one that two machines have; networks in common come first.
func TestAddresses(t *testing.T) {
	two := func(name string, prefixes ...string) *node {
		n := &node{Machine: Machine{Name: name}}
		for _, p := range prefixes {
			n.look.Addresses = append(n.look.Addresses, Address{"eth", netip.MustParsePrefix(p)})
		}
		return n
	}
	web, db, far := two("web", "10.0.2.15/24", "192.168.56.11/24", "172.17.0.1/16"), two("db", "10.0.2.15/24", "192.168.56.12/24", "172.17.0.1/16", "10.9.0.2/24"), two("far", "10.0.2.15/24")
	r := &run{nodes: []*node{web, db, far}, host: two(HostName, "192.168.56.1/24")}
	r.address()
	if got := fmt.Sprint(web.usable, db.usable, far.usable); got != "[192.168.56.11] [192.168.56.12 10.9.0.2] []" {
		t.Error(got)
	}
	if got := fmt.Sprint(web.targets(db), db.targets(web), far.targets(db)); got != "[192.168.56.12] [192.168.56.11] [192.168.56.12 10.9.0.2]" {
		t.Error(got)
	}
	if p := noAddress(web, far); p.Verdict != NoRoute || !strings.Contains(p.Fix, "private_network") || !strings.Contains(p.Message, "10.0.2.15 is VirtualBox's NAT") {
		t.Errorf("%+v", p)
	}
	if p := noAddress(far, two("x", "172.17.0.1/16")); !strings.Contains(p.Message, "another machine has 172.17.0.1 too") {
		t.Errorf("%+v", p)
	}
	if p := noAddress(r.host, far); p.Verdict != ForwardsOnly {
		t.Errorf("%+v", p)
	}
}

// TestForward: a forwarded port that VirtualBox takes although nothing is behind it is told by what listens in the guest.
func TestForward(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	nat := netip.MustParsePrefix("10.0.2.15/24")
	for _, tt := range []struct {
		port      int
		listeners []Listener
		want      Status
	}{
		{portOf(l.Addr()), []Listener{{"tcp", netip.IPv4Unspecified(), 80}}, OK},
		{portOf(l.Addr()), nil, Closed},
		{portOf(l.Addr()), []Listener{{"tcp", here, 80}}, WrongInterface},
		{closedPort(t), []Listener{{"tcp", netip.IPv4Unspecified(), 80}}, Closed},
	} {
		n := &node{Machine: Machine{Name: "web"}, look: Look{Addresses: []Address{{"eth0", nat}}, Listeners: tt.listeners}}
		got := (&run{token: "t"}).forward(t.Context(), n, Forward{Proto: "tcp", Port: tt.port, GuestPort: 80})
		if got.Status != tt.want || got.Status.Failed() && got.Fix == "" {
			t.Errorf("%+v: %+v", tt, got)
		}
	}
}

// TestExamine is the whole of it on this machine alone: a machine that cannot be asked is told of and keeps nobody from the rest.
func TestExamine(t *testing.T) {
	defer goleak.VerifyNone(t)
	broken := runner(func(context.Context, guest.Cmd) (guest.Result, error) { return guest.Result{}, errors.New("link lost") })
	r := Examine(t.Context(), []Machine{{Name: "web", Guest: with(t, "perl")}, {Name: "gone", Guest: broken}}, Options{Jobs: 2})
	if len(r.Machines) != 2 || r.Machines[1].Problem != "link lost" || !r.Unknown() {
		t.Errorf("%+v", r.Machines)
	}
	if p, ok := r.Between(HostName, "web"); !ok || len(r.Machines[0].Addresses) > 0 && p.Verdict != OK {
		t.Errorf("%v %+v", ok, p)
	}
}

// TestWhy: two machines that are one have no address of their own, and that is the reason.
func TestWhy(t *testing.T) {
	g := with(t, "perl")
	port, path := Why(t.Context(), Machine{Name: "web", Guest: g}, Machine{Name: "db", Guest: g}, 27017)
	if port.Status != NoRoute || path.Verdict != NoRoute || port.Message == "" || port.Port != 27017 {
		t.Errorf("%+v, %+v", port, path)
	}
}

type runner func(context.Context, guest.Cmd) (guest.Result, error)

// Run is the function.
func (r runner) Run(ctx context.Context, c guest.Cmd) (guest.Result, error) { return r(ctx, c) }
