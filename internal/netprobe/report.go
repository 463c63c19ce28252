package netprobe

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Report is what Examine found; docs/schema/net.json.
type Report struct {
	SchemaVersion int             `json:"schema_version"`
	Boxdoctor     string          `json:"boxdoctor"`
	StartedAt     time.Time       `json:"started_at"`
	DurationMS    int64           `json:"duration_ms"`
	ExitCode      int             `json:"exit_code"`
	Machines      []MachineReport `json:"machines"`
	Paths         []Path          `json:"paths"`
	Ports         []Port          `json:"ports"`
	Forwards      []ForwardReport `json:"forwards"`
	// Destinations are those that were given, from each machine.
	Destinations []Reached `json:"destinations,omitempty"`
}

// MachineReport is one machine of a report.
type MachineReport struct {
	Name      string    `json:"name"`
	Addresses []Address `json:"addresses"`
	Firewall  string    `json:"firewall"`
	// Problem is why it was not tried, or not whole; Command is what to do about it.
	Problem string `json:"problem"`
	Command string `json:"command"`
}

// ForwardReport is one forwarded port of this computer.
type ForwardReport struct {
	Forward
	To      string `json:"to"`
	Status  Status `json:"status"`
	Message string `json:"message"`
	Fix     string `json:"fix"`
}

// builder collects what was tried.
type builder struct {
	run   *run
	by    map[string]map[key]try
	errs  map[string]error
	ahead []ForwardReport
}

func (b *builder) tries(from string, all []try, err error) {
	if b.by == nil {
		b.by, b.errs = map[string]map[key]try{}, map[string]error{}
	}
	b.by[from] = map[key]try{}
	for _, t := range all {
		b.by[from][key{t.proto, t.addr, t.port}] = t
	}
	b.errs[from] = err
}

// report judges every way.
func (b *builder) report() Report {
	r := Report{SchemaVersion: 1, Machines: []MachineReport{}, Paths: []Path{}, Ports: []Port{}, Forwards: append([]ForwardReport{}, b.ahead...)}
	for _, n := range b.run.nodes {
		r.Machines = append(r.Machines, b.machine(n))
	}
	for _, from := range b.run.all() {
		for _, to := range b.run.all() {
			if from != to && from.err == nil && to.err == nil {
				b.way(&r, from, to)
			}
		}
	}
	r.Destinations = b.destinations()
	return r
}

func (b *builder) machine(n *node) MachineReport {
	m := MachineReport{Name: n.Name, Addresses: append([]Address{}, n.look.Addresses...), Firewall: n.look.Firewall}
	for _, err := range []error{n.err, b.errs[n.Name]} {
		if err != nil {
			m.Problem = err.Error()
		}
	}
	return m
}

// way adds what is known of the way between two machines.
func (b *builder) way(r *Report, from, to *node) {
	targets := from.targets(to)
	if len(targets) == 0 {
		r.Paths = append(r.Paths, noAddress(from, to))
		return
	}
	for _, a := range targets {
		p := pair{from, to, a, b.by[from.Name]}
		path := p.path()
		r.Paths = append(r.Paths, path)
		if to == b.run.host {
			continue
		}
		for _, n := range b.run.o.Ports {
			r.Ports = append(r.Ports, p.port(n, path.Verdict))
		}
	}
}

// noAddress is the way to a machine that has no address for others.
func noAddress(from, to *node) Path {
	p := Path{From: from.Name, To: to.Name, TCP: NotTried, UDP: NotTried, LatencyMS: -1, Verdict: NoRoute,
		Message: fmt.Sprintf("%s has no address that others could use: %s", to.Name, to.unusable()),
		Fix:     fmt.Sprintf(`config.vm.network "private_network", ip: "192.168.56.N" for each machine in the Vagrantfile, then vagrant reload %s`, to.Name)}
	switch {
	case from.Name == HostName:
		p.Verdict, p.Message, p.Fix = ForwardsOnly, "only forwarded ports lead to "+to.Name, ""
	case to.Name == HostName:
		p.Verdict, p.Message, p.Fix = ForwardsOnly, "this computer and "+from.Name+" are in no network together", ""
	}
	return p
}

// unusable says what is wrong with the addresses that a machine has.
func (n *node) unusable() string {
	var nat, shared []string
	for _, a := range n.look.Addresses {
		if addr := a.Prefix.Addr(); natPrefix.Contains(addr) {
			nat = append(nat, addr.String())
		} else {
			shared = append(shared, addr.String())
		}
	}
	switch {
	case len(shared) > 0:
		return "another machine has " + strings.Join(shared, ", ") + " too"
	case len(nat) > 0:
		return strings.Join(nat, ", ") + " is VirtualBox's NAT, a network of its own for each machine"
	}
	return "it has none but loopback"
}

// Why tries one TCP port of a machine from another, and says what keeps it from opening; Path is the way between the two.
func Why(ctx context.Context, from, to Machine, port int) (Port, Path) {
	r := Examine(ctx, []Machine{from, to}, Options{Ports: []int{port}, Jobs: 2})
	path, _ := r.Between(from.Name, to.Name)
	for _, p := range r.Ports {
		if p.From == from.Name && p.To == to.Name && p.Address == path.Address {
			return p, path
		}
	}
	return Port{From: from.Name, To: to.Name, Address: path.Address, Port: port, Status: path.Verdict, LatencyMS: -1, Message: path.Message, Fix: path.Fix}, path
}

// forwards tries the ports of this computer that lead to guests.
func (b *builder) forwards(ctx context.Context) {
	for _, n := range b.run.nodes {
		for _, f := range n.Forwards {
			b.ahead = append(b.ahead, b.run.forward(ctx, n, f))
		}
	}
}

// forward judges one. VirtualBox takes a connection before it asks the guest, so what listens there counts as well.
func (r *run) forward(ctx context.Context, n *node, f Forward) ForwardReport {
	out := ForwardReport{Forward: f, To: n.Name, Status: NotTried}
	if n.err != nil || f.Proto != "tcp" {
		return out
	}
	at := f.Address
	if !at.IsValid() || at.IsUnspecified() {
		at = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	t := dialTCP(ctx, at, f.Port, r.token)
	listeners := n.look.listeners("tcp", f.GuestPort)
	nat, known := n.nat()
	switch {
	case t.how != "open":
		out.Status = Closed
		out.Message = fmt.Sprintf("port %d of this computer is %s: VirtualBox does not forward it", f.Port, said(t))
		out.Fix = "vagrant reload " + n.Name
	case len(listeners) == 0:
		out.Status = Closed
		out.Message = fmt.Sprintf("nothing listens on port %d in %s", f.GuestPort, n.Name)
		out.Fix = fmt.Sprintf("start the program that belongs there; in %s: sudo ss -ltnp", n.Name)
	case known && !slices.ContainsFunc(listeners, func(l Listener) bool { return l.on(nat) }):
		out.Status, out.Message, out.Fix = wrongInterface(n.Name, f.GuestPort, listeners, nat)
	default:
		out.Status = OK
	}
	return out
}

// nat is the address at which forwarded connections arrive in a guest.
func (n *node) nat() (netip.Addr, bool) {
	for _, a := range n.look.Addresses {
		if natPrefix.Contains(a.Prefix.Addr()) {
			return a.Prefix.Addr(), true
		}
	}
	return netip.Addr{}, false
}

// Failed says whether anything is at fault, Unknown whether anything could not be told.
func (r Report) Failed() bool {
	return slices.ContainsFunc(r.Paths, func(p Path) bool { return p.Verdict.Failed() }) ||
		slices.ContainsFunc(r.Ports, func(p Port) bool { return p.Status.Failed() }) ||
		slices.ContainsFunc(r.Forwards, func(f ForwardReport) bool { return f.Status.Failed() }) ||
		slices.ContainsFunc(r.Destinations, func(d Reached) bool { return d.Status.Failed() })
}

// Unknown says whether a machine or a way could not be tried.
func (r Report) Unknown() bool {
	return slices.ContainsFunc(r.Machines, func(m MachineReport) bool { return m.Problem != "" }) ||
		slices.ContainsFunc(r.Paths, func(p Path) bool { return p.Verdict == NotTried }) ||
		slices.ContainsFunc(r.Destinations, func(d Reached) bool { return d.Status == NotTried })
}

// Between is the best way from one machine to another; ok is false if none was looked for.
func (r Report) Between(from, to string) (best Path, ok bool) {
	for _, p := range r.Paths {
		if p.From == from && p.To == to && (!ok || best.Verdict.Failed() && !p.Verdict.Failed()) {
			best, ok = p, true
		}
	}
	return best, ok
}
