package netprobe

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Status of a way or port.
type Status string

// What a way or a port can be.
const (
	OK Status = "ok"
	// Lossy: it opens, and datagrams get lost.
	Lossy Status = "lossy"
	// NoRoute: no network leads there.
	NoRoute Status = "no_route"
	// Closed: the machine is reached, and nothing listens.
	Closed Status = "closed"
	// WrongInterface: a program listens, but not on the address that was tried.
	WrongInterface Status = "wrong_interface"
	// Filtered: a program listens, and something keeps connections from it.
	Filtered Status = "filtered"
	// ForwardsOnly: only the forwarded ports of this computer lead there, as Vagrant's default is.
	ForwardsOnly Status = "forwards_only"
	// UnknownName: the machine does not know the address of a name.
	UnknownName Status = "unknown_name"
	// NotTried: it could not be tried.
	NotTried Status = "not_tried"
)

// Failed says whether a status is a fault.
func (s Status) Failed() bool {
	return s == NoRoute || s == Closed || s == WrongInterface || s == Filtered || s == UnknownName
}

// Path is the way from one machine to an address of another.
type Path struct {
	From    string     `json:"from"`
	To      string     `json:"to"`
	Address netip.Addr `json:"address"`
	// TCP and UDP are what came of a port that the probe itself listens on.
	TCP       Status  `json:"tcp"`
	LatencyMS float64 `json:"latency_ms"`
	UDP       Status  `json:"udp"`
	Echo      Echo    `json:"echo"`
	// Verdict holds for the machine as a whole: ports that are known may be open where the probe's is not.
	Verdict Status `json:"verdict"`
	Message string `json:"message"`
	Fix     string `json:"fix"`
	// Advice says which of TCP and UDP suits this way.
	Advice string `json:"advice"`
}

// Port is one TCP port of a machine, tried from another.
type Port struct {
	From      string     `json:"from"`
	To        string     `json:"to"`
	Address   netip.Addr `json:"address"`
	Port      int        `json:"port"`
	Status    Status     `json:"status"`
	LatencyMS float64    `json:"latency_ms"`
	Message   string     `json:"message"`
	Fix       string     `json:"fix"`
}

// key is a place of a target.
type key struct {
	proto string
	addr  netip.Addr
	port  int
}

// pair is a way as it is judged: from one machine to one address of another, with what was tried there.
type pair struct {
	from, to *node
	addr     netip.Addr
	tries    map[key]try
}

func (p pair) tcp(port int) (try, bool) {
	t, ok := p.tries[key{"tcp", p.addr, port}]
	return t, ok
}

// path judges the way itself.
func (p pair) path() Path {
	out := Path{From: p.from.Name, To: p.to.Name, Address: p.addr, TCP: NotTried, UDP: NotTried, LatencyMS: -1, Verdict: NotTried}
	probe, tried := p.tcp(p.to.tcp)
	tried = tried && p.to.tcp > 0
	ssh, known := p.tcp(p.to.look.SSHPort)
	switch {
	case tried && probe.how == "open" && probe.said != "closed":
		out.TCP, out.Verdict, out.LatencyMS = OK, OK, ms(probe.latency)
	case known && ssh.how == "open" && tried:
		out.TCP, out.Verdict, out.LatencyMS = Filtered, Filtered, ms(ssh.latency)
		out.Message = fmt.Sprintf("port %d opens, but the port that the probe listens on does not (%s): %s lets only some ports in", ssh.port, said(probe), p.firewall())
		out.Fix = p.openPort("PORT", "tcp")
	case known && ssh.how == "open":
		out.Verdict, out.LatencyMS = OK, ms(ssh.latency)
		out.Message = fmt.Sprintf("only port %d was tried: %s has neither perl nor python to listen with", ssh.port, p.to.Name)
	case tried || known:
		out.Verdict, out.Message, out.Fix = p.unreached(probe, ssh)
		out.TCP = out.Verdict
	}
	p.udp(&out)
	return out
}

// unreached says why nothing opens at an address at all.
func (p pair) unreached(tries ...try) (Status, string, string) {
	noWay := func(t try) bool { return t.how == "" || t.how == "no_network" || t.how == "no_host" }
	private := fmt.Sprintf(`give both a network in common: config.vm.network "private_network", ip: "192.168.56.N" in the Vagrantfile, then vagrant reload %s`, p.to.Name)
	switch {
	case !slices.ContainsFunc(tries, func(t try) bool { return !noWay(t) }) && p.from.share(p.addr):
		return NoRoute, fmt.Sprintf("nobody answers at %s, although %s is in its network: the address is down, or the machines are in two networks of the same numbers", p.addr, p.from.Name),
			"in " + p.to.Name + ": ip addr; in " + p.from.Name + ": ip neigh show " + p.addr.String()
	case !slices.ContainsFunc(tries, func(t try) bool { return !noWay(t) }):
		return NoRoute, fmt.Sprintf("%s has no route to %s", p.from.Name, p.addr), private
	case !p.from.share(p.addr):
		return NoRoute, fmt.Sprintf("no answer from %s, and %s is in none of its networks", p.addr, p.from.Name), private
	}
	return Filtered, fmt.Sprintf("nothing opens at %s, not even sshd's port %d: %s takes every connection away", p.addr, p.to.look.SSHPort, p.firewall()), p.openPort("PORT", "tcp")
}

// udp judges datagrams and says which protocol suits.
func (p pair) udp(out *Path) {
	t, ok := p.tries[key{"udp", p.addr, p.to.udp}]
	if !ok || p.to.udp == 0 {
		return
	}
	out.Echo = t.udp
	switch lost := t.udp.Lost(); {
	case t.udp.Received == 0:
		out.UDP, out.Advice = Filtered, "TCP: UDP does not come through"
		if out.TCP == NoRoute {
			out.UDP, out.Advice = NoRoute, ""
		}
	case lost > 0:
		out.UDP, out.Advice = Lossy, fmt.Sprintf("TCP: of UDP %.0f%% is lost", 100*lost)
		if out.Verdict == OK {
			out.Verdict, out.Message = Lossy, fmt.Sprintf("of %d datagrams %d did not come back", t.udp.Sent, t.udp.Sent-t.udp.Received)
			out.Fix = "send by TCP here what must arrive"
		}
	case t.udp.Reordered > 0 || t.udp.Duplicated > 0:
		out.UDP, out.Advice = OK, "TCP: UDP arrives out of order or twice"
	default:
		out.UDP, out.Advice = OK, "TCP or UDP: no datagram was lost"
	}
}

func ms(d time.Duration) float64 {
	if d < 0 {
		return -1
	}
	return float64(d.Round(time.Microsecond)) / float64(time.Millisecond)
}

// said is what came of a try, in words.
func said(t try) string {
	switch t.how {
	case "open":
		return "something else answers there"
	case "refused", "reset":
		return "refused"
	case "timeout":
		return "no answer"
	case "no_host", "no_network":
		return "unreachable"
	case "forbidden":
		return "forbidden on the way out"
	}
	return strings.ReplaceAll(t.how, "_", " ")
}

// firewall names what keeps connections away.
func (p pair) firewall() string {
	if p.to.look.Firewall != "" {
		return p.to.look.Firewall + " of " + p.to.Name
	}
	return "a firewall on " + p.to.Name + " or on the way"
}

// openPort is the command that lets a port in.
func (p pair) openPort(port, proto string) string {
	switch p.to.look.Firewall {
	case "firewalld":
		return fmt.Sprintf("in %s: sudo firewall-cmd --permanent --add-port=%s/%s && sudo firewall-cmd --reload", p.to.Name, port, proto)
	case "ufw":
		return fmt.Sprintf("in %s: sudo ufw allow %s/%s", p.to.Name, port, proto)
	}
	return fmt.Sprintf("in %s, to see the rules: sudo nft list ruleset || sudo iptables -S", p.to.Name)
}

// port judges one TCP port that was asked for.
func (p pair) port(number int, way Status) Port {
	t, ok := p.tcp(number)
	out := Port{From: p.from.Name, To: p.to.Name, Address: p.addr, Port: number, Status: NotTried, LatencyMS: -1}
	if !ok {
		return out
	}
	listeners := p.to.look.listeners("tcp", number)
	here := slices.ContainsFunc(listeners, func(l Listener) bool { return l.on(p.addr) })
	switch {
	case t.how == "open":
		out.Status, out.LatencyMS = OK, ms(t.latency)
	case way == NoRoute:
		out.Status, out.Message = NoRoute, fmt.Sprintf("no way leads from %s to %s", p.from.Name, p.addr)
	case len(listeners) == 0:
		out.Status = Closed
		out.Message = fmt.Sprintf("%s; nothing listens on port %d in %s", said(t), number, p.to.Name)
		out.Fix = fmt.Sprintf("start the program that belongs there; in %s: sudo ss -ltnp", p.to.Name)
	case !here:
		out.Status, out.Message, out.Fix = wrongInterface(p.to.Name, number, listeners, p.addr)
	default:
		out.Status = Filtered
		out.Message = fmt.Sprintf("%s, although a program listens there: %s keeps it from port %d", said(t), p.firewall(), number)
		out.Fix = p.openPort(fmt.Sprint(number), "tcp")
	}
	return out
}

// wrongInterface is said of a program that listens where nobody asks.
func wrongInterface(machine string, port int, listeners []Listener, addr netip.Addr) (Status, string, string) {
	var on []string
	for _, l := range listeners {
		on = append(on, l.Address.String())
	}
	return WrongInterface, fmt.Sprintf("the program on port %d of %s listens on %s only, not on %s", port, machine, strings.Join(on, ", "), addr),
		fmt.Sprintf("make it listen on %s too (or on 0.0.0.0), such as bindIp, bind-address or listen in its configuration, and restart it", addr)
}
