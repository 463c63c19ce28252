package netprobe

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Target is a destination that need not be one of the machines: a name or an address, and a port.
type Target struct {
	// Proto is tcp or udp. What becomes of datagrams can only be told when the host is one of the machines.
	Proto string `json:"proto"`
	Host  string `json:"host"`
	Port  int    `json:"port"`
}

// String is HOST:PORT.
func (t Target) String() string { return net.JoinHostPort(t.Host, strconv.Itoa(t.Port)) }

// nameForm is what a guest may be asked to look up.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)

// ParseTarget reads HOST:PORT of a TCP service.
func ParseTarget(text string) (Target, error) {
	host, number, err := net.SplitHostPort(text)
	t := Target{Proto: "tcp", Host: host, Port: port(number)}
	_, literal := netip.ParseAddr(host)
	if err != nil || t.Port == 0 || literal != nil && !nameForm.MatchString(host) {
		return Target{}, fmt.Errorf("%q is not HOST:PORT, such as kafka1:9092", text)
	}
	return t, nil
}

// arg is the target as the probe reads it; empty: it cannot be tried. Of datagrams only the address is of interest.
func (t Target) arg() string {
	number := t.Port
	if t.Proto == "udp" {
		number = 0
	}
	a, err := netip.ParseAddr(t.Host)
	switch {
	case err == nil && a.Is4() && number > 0:
		return fmt.Sprintf("tcp:%s:%d", a, number)
	case err != nil && nameForm.MatchString(t.Host):
		return fmt.Sprintf("name:%s:%d", t.Host, number)
	}
	return ""
}

// Reached is what came of a target from one machine.
type Reached struct {
	From string `json:"from"`
	Target
	// To is the machine that has the address; empty: none of those that were looked at.
	To        string     `json:"to"`
	Address   netip.Addr `json:"address"`
	Status    Status     `json:"status"`
	LatencyMS float64    `json:"latency_ms"`
	Message   string     `json:"message"`
	Fix       string     `json:"fix"`
}

// reachTimeout bounds the one step of Reach in a guest; without perl and python it tries one target after the other.
const reachTimeout = 30 * time.Second

// Reach tries the targets of all machines in one step in each, in which they look at their own networks as well. Only
// what concerns two of the machines and is not well is then examined closer.
func Reach(ctx context.Context, ms []Machine, jobs int) []Reached {
	r := newRun(ms, Options{Jobs: jobs})
	b := &builder{run: r}
	r.each(func(n *node) { n.err = r.reach(ctx, n) })
	r.address()
	for _, n := range r.nodes {
		b.tries(n.Name, n.tries, n.err)
	}
	out := b.destinations()
	again := concerned(ms, out)
	if len(again) == 0 {
		return out
	}
	for _, c := range Examine(ctx, again, Options{Jobs: jobs, Guests: true}).Destinations {
		for i, d := range out {
			if c.From == d.From && c.Target == d.Target {
				out[i] = c
			}
		}
	}
	return out
}

// between says that a target is another one of the machines, and not known to be well.
func between(d Reached) bool { return d.To != "" && d.To != d.From && d.Status != OK }

// concerned are the machines that have to be examined closer, with the targets for which they are.
func concerned(ms []Machine, ds []Reached) []Machine {
	var out []Machine
	for _, m := range ms {
		m.To = nil
		to := false
		for _, d := range ds {
			if between(d) && d.From == m.Name {
				m.To = append(m.To, d.Target)
			}
			to = to || between(d) && d.To == m.Name
		}
		if to || m.To != nil {
			out = append(out, m)
		}
	}
	return out
}

// reach is the one step in a guest. What cannot be looked up or reached is part of the answer, so an error is about
// the guest itself.
func (r *run) reach(ctx context.Context, n *node) error {
	r.progress(n, "tries its destinations")
	c := r.command("try the destinations", r.dial(targetArgs(n.To))...)
	c.Argv[2] = "(\n" + lookScript + "\n)\n" + probeScript
	c.Timeout = reachTimeout
	res, err := n.Guest.Run(ctx, c)
	if err != nil {
		return err
	}
	n.look = parseLook(string(res.Stdout))
	n.tries, err = r.answer(n, res)
	return err
}

func targetArgs(ts []Target) []string {
	var out []string
	for _, t := range ts {
		if arg := t.arg(); arg != "" && !slices.Contains(out, arg) {
			out = append(out, arg)
		}
	}
	return out
}

// name is what a guest knows of a name.
type name struct {
	addrs []netip.Addr
	// six: it has addresses of IPv6.
	six bool
	// how is "timed", or the status of getent; empty: addresses were found.
	how string
}

// parseNames reads the probe's lines name/HOST/PORT/ADDRESS.
func parseNames(out string) map[string]name {
	names := map[string]name{}
	for line := range strings.Lines(out) {
		w := strings.Split(strings.TrimSpace(line), "/")
		if len(w) != 4 || w[0] != "name" || !nameForm.MatchString(w[1]) {
			continue
		}
		n := names[w[1]]
		switch a, err := netip.ParseAddr(w[3]); {
		case err != nil && n.how == "":
			n.how = w[3]
		case err == nil && !a.Is4():
			n.six = true
		case err == nil && len(n.addrs) < maxAddresses && !slices.Contains(n.addrs, a):
			n.addrs = append(n.addrs, a)
		}
		names[w[1]] = n
	}
	return names
}

// addresses are those that a machine tries for a host; none: then what is the matter.
func (n *node) addresses(host string) (addrs []netip.Addr, status Status, message, fix string) {
	const six = "only IPv4 is tried, and this is IPv6"
	if a, err := netip.ParseAddr(host); err == nil && a.Is4() {
		return []netip.Addr{a}, OK, "", ""
	} else if err == nil {
		return nil, NotTried, six, ""
	}
	switch x := n.names[host]; {
	case !nameForm.MatchString(host):
		return nil, UnknownName, host + " is neither a name nor an address", "write it as HOST:PORT, such as kafka1:9092"
	case len(x.addrs) > 0:
		return x.addrs, OK, "", ""
	case x.six:
		return nil, NotTried, six, ""
	case x.how == "2":
		return nil, UnknownName, fmt.Sprintf("%s does not know the name %s", n.Name, host),
			fmt.Sprintf("give the address instead, or put the name into DNS or /etc/hosts of %s; in %s: getent hosts %s", n.Name, n.Name, host)
	case x.how == "timed":
		return nil, UnknownName, fmt.Sprintf("the name server of %s does not answer for the name %s", n.Name, host),
			fmt.Sprintf("give the address instead, or look at the name server; in %s: cat /etc/resolv.conf; getent hosts %s", n.Name, host)
	}
	return nil, NotTried, fmt.Sprintf("%s has no getent to look the name %s up with", n.Name, host), "give the address instead"
}

// destinations judges the targets of all machines.
func (b *builder) destinations() []Reached {
	var out []Reached
	for _, n := range b.run.nodes {
		for _, t := range n.To {
			out = append(out, b.destination(n, t))
		}
	}
	return out
}

// destination judges one: any of its addresses will do; else the first one says why not.
func (b *builder) destination(from *node, t Target) Reached {
	out := Reached{From: from.Name, Target: t, Status: NotTried, LatencyMS: -1}
	for _, err := range []error{from.err, b.errs[from.Name]} {
		if err != nil {
			out.Message, out.Fix = "it could not be tried: "+err.Error(), "boxdoctor check "+from.Name
			return out
		}
	}
	addrs, status, message, fix := from.addresses(t.Host)
	out.Status, out.Message, out.Fix = status, message, fix
	for i, a := range addrs {
		if d := b.at(from, t, a); i == 0 || d.Status == OK {
			out = d
		}
		if out.Status == OK {
			break
		}
	}
	return out
}

// at judges a target at one of its addresses.
func (b *builder) at(from *node, t Target, a netip.Addr) Reached {
	p := pair{from, b.run.owner(from, a), a, b.by[from.Name]}
	out := Reached{From: from.Name, Target: t, Address: a, LatencyMS: -1}
	if p.to != nil {
		out.To = p.to.Name
	}
	switch {
	case t.Proto == "udp":
		out.Status, out.Message, out.Fix = p.datagrams(t)
	case p.to != nil:
		way := OK
		if p.to != from {
			way = p.path().Verdict
		}
		x := p.port(t.Port, way)
		out.Status, out.LatencyMS, out.Message, out.Fix = x.Status, x.LatencyMS, x.Message, x.Fix
	default:
		x, _ := p.tcp(t.Port)
		out.Status, out.Message, out.Fix = from.outside(t, x)
		if out.Status == OK {
			out.LatencyMS = ms(x.latency)
		}
	}
	return out
}

// owner is the machine that an address belongs to as another one sees it; nil: none of those that were looked at.
func (r *run) owner(from *node, a netip.Addr) *node {
	own := func(f Address) bool { return f.Prefix.Addr() == a }
	if a.IsLoopback() || slices.ContainsFunc(from.look.Addresses, own) {
		return from
	}
	for _, n := range r.nodes {
		if slices.Contains(n.usable, a) {
			return n
		}
	}
	return nil
}

// datagrams judges a target of UDP by the datagrams that the probe exchanges with that machine on a port of its own.
func (p pair) datagrams(t Target) (status Status, message, fix string) {
	if p.to == nil || p.to == p.from {
		return NotTried, fmt.Sprintf("whether datagrams arrive at %s cannot be told: it is no other one of these machines", t), ""
	}
	listeners := p.to.look.listeners("udp", t.Port)
	switch way := p.path().UDP; {
	case way == Filtered, way == NoRoute:
		return way, fmt.Sprintf("datagrams from %s to %s do not come through", p.from.Name, p.to.Name), p.openPort(fmt.Sprint(t.Port), "udp")
	case way == Lossy:
		return way, fmt.Sprintf("some of %d datagrams from %s to %s and back got lost", packets, p.from.Name, p.to.Name), "send by TCP here what must arrive"
	case len(listeners) == 0:
		return Closed, fmt.Sprintf("nothing takes datagrams on port %d in %s", t.Port, p.to.Name),
			fmt.Sprintf("start the program that belongs there; in %s: sudo ss -lnup", p.to.Name)
	case !slices.ContainsFunc(listeners, func(l Listener) bool { return l.on(p.addr) }):
		return wrongInterface(p.to.Name, t.Port, listeners, p.addr)
	case way == OK:
		return OK, "", ""
	}
	return NotTried, fmt.Sprintf("whether datagrams arrive at %s cannot be told: %s has neither perl nor python", t, p.to.Name), ""
}

// outside judges a target that none of the machines has, by nothing but what the connection came to.
func (n *node) outside(t Target, x try) (status Status, message, fix string) {
	where := x.addr.String()
	if where != t.Host {
		where = fmt.Sprintf("%s (%s)", t.Host, where)
	}
	rules := fmt.Sprintf("let port %d in there; to see the rules: sudo nft list ruleset || sudo iptables -S", t.Port)
	route := fmt.Sprintf("in %s: ip route get %s", n.Name, x.addr)
	switch x.how {
	case "open":
		return OK, "", ""
	case "refused", "reset":
		return Closed, fmt.Sprintf("refused: nothing listens on port %d of %s, or on another address only", t.Port, where),
			"start the program that belongs there; there: sudo ss -ltnp"
	case "timeout":
		return Filtered, fmt.Sprintf("no answer from port %d of %s: a firewall there or on the way, or nobody has that address", t.Port, where), rules
	case "no_host":
		if n.share(x.addr) {
			return NoRoute, fmt.Sprintf("nobody answers at %s, although %s is in its network: it is off, has another address, or its firewall rejects", where, n.Name),
				fmt.Sprintf("in %s: ip neigh show %s", n.Name, x.addr)
		}
		return NoRoute, fmt.Sprintf("%s is unreachable from %s, says a router or a firewall on the way", where, n.Name), route
	case "no_network":
		return NoRoute, fmt.Sprintf("%s has no route to %s", n.Name, where), route
	case "forbidden":
		return Filtered, fmt.Sprintf("%s forbids itself to connect to port %d of %s", n.Name, t.Port, where), fmt.Sprintf("in %s: sudo nft list ruleset || sudo iptables -S", n.Name)
	case "":
		return NotTried, "it was not tried", ""
	}
	return Filtered, fmt.Sprintf("port %d of %s does not open (%s)", t.Port, where, said(x)), rules
}
