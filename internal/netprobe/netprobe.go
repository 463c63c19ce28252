// Package netprobe tries the network between this computer and guests, and between guests: which connections open, how fast, what
// datagrams get lost, and which of four reasons it has when one does not open.
package netprobe

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// HostName is what this computer is called among the machines.
const HostName = "(host)"

// How the network is tried.
const (
	// patience is how long a connection may take to open. That nobody has an address is known after three seconds.
	patience = 4 * time.Second
	// packets is how many numbered datagrams are sent each way.
	packets = 100
	// probeTimeout bounds a step of the probe in a guest.
	probeTimeout = 100 * time.Second
)

// Machine is a guest whose network is tried.
type Machine struct {
	Name  string
	Guest guest.Runner
	// Forwards are the ports of this computer that lead to it.
	Forwards []Forward
	// To are destinations that are tried from it.
	To []Target
}

// Forward is a port of this computer that leads to one of a guest.
type Forward struct {
	Proto     string     `json:"proto"`
	Address   netip.Addr `json:"address"`
	Port      int        `json:"port"`
	GuestPort int        `json:"guest_port"`
}

// Options of a run.
type Options struct {
	// Ports are further TCP ports that are tried on every guest.
	Ports []int
	// Jobs is how many guests are worked on at once.
	Jobs int
	// Guests leaves this computer out: it neither listens nor tries anything.
	Guests   bool
	Progress func(machine, what string)
}

// node is a machine while it is tried.
type node struct {
	Machine
	look Look
	err  error
	// tcp and udp are the ports of the probe that listens there; 0: none does.
	tcp, udp int
	stop     func()
	// usable are the addresses at which others can try this machine.
	usable []netip.Addr
	// names are those of its targets that it looked up, tries what came of them.
	names map[string]name
	tries []try
}

// run is one examination.
type run struct {
	o     Options
	token string
	nodes []*node
	// host is this computer.
	host *node
}

// Examine tries everything between this computer and the machines. What goes wrong with one machine is told in the report and does
// not keep the others from it.
func Examine(ctx context.Context, ms []Machine, o Options) Report {
	r := newRun(ms, o)
	r.each(func(n *node) {
		r.progress(n, "looks at its network")
		n.look, n.err = look(ctx, n.Guest)
	})
	r.address()
	r.each(func(n *node) { r.listen(ctx, n) })
	if !o.Guests {
		r.serveHost(ctx)
	}
	defer func() {
		for _, n := range r.all() {
			n.stop()
		}
	}()
	b := &builder{run: r}
	var mu sync.Mutex
	add := func(from string, tries []try, err error) {
		mu.Lock()
		defer mu.Unlock()
		b.tries(from, tries, err)
	}
	r.each(func(n *node) {
		r.progress(n, "tries the others")
		tries, err := r.dialFrom(ctx, n)
		add(n.Name, tries, err)
	})
	if !o.Guests {
		add(HostName, r.dialHost(ctx), nil)
		b.forwards(ctx)
	}
	return b.report()
}

func newRun(ms []Machine, o Options) *run {
	r := &run{o: o, token: newToken(), host: &node{Machine: Machine{Name: HostName}, look: lookHost(), stop: func() {}}}
	for _, m := range ms {
		r.nodes = append(r.nodes, &node{Machine: m, stop: func() {}})
	}
	return r
}

// all are the machines and this computer, which is the last.
func (r *run) all() []*node { return append(slices.Clone(r.nodes), r.host) }

func (r *run) progress(n *node, what string) {
	if r.o.Progress != nil {
		r.o.Progress(n.Name, what)
	}
}

// each does something for every machine that has not failed, some at once.
func (r *run) each(do func(*node)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, max(r.o.Jobs, 1))
	for _, n := range r.nodes {
		if n.err != nil {
			continue
		}
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			do(n)
		})
	}
	wg.Wait()
}

// newToken is what only this run's probes know.
func newToken() string {
	b := make([]byte, 12)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// address chooses the addresses by which each machine can be tried. VirtualBox's NAT gives every guest the same address in a network of
// its own, so one that several machines have leads nowhere.
func (r *run) address() {
	owners := map[netip.Addr]int{}
	for _, n := range r.nodes {
		for _, a := range n.look.Addresses {
			owners[a.Prefix.Addr()]++
		}
	}
	for _, n := range r.nodes {
		for _, a := range n.look.Addresses {
			if addr := a.Prefix.Addr(); owners[addr] == 1 && !natPrefix.Contains(addr) {
				n.usable = append(n.usable, addr)
			}
		}
	}
}

// natPrefix is the network of VirtualBox's NAT, unless somebody has changed it.
var natPrefix = netip.MustParsePrefix("10.0.2.0/24")

// share says whether a machine is in a network to which an address belongs.
func (n *node) share(a netip.Addr) bool {
	return slices.ContainsFunc(n.look.Addresses, func(f Address) bool { return f.Prefix.Contains(a) })
}

// targets are the addresses of another machine that n should try: those of networks that both are in, else all.
func (n *node) targets(to *node) []netip.Addr {
	var shared []netip.Addr
	for _, a := range to.usable {
		if n.share(a) {
			shared = append(shared, a)
		}
	}
	if len(shared) > 0 || to.Name == HostName {
		return shared
	}
	return to.usable
}

// ports are the TCP ports of a machine that are tried at each of its addresses: the probe's, sshd's, and those asked for.
func (r *run) ports(n *node) []int {
	var out []int
	if n.tcp > 0 {
		out = append(out, n.tcp)
	}
	if n == r.host {
		return out
	}
	for _, p := range append([]int{n.look.SSHPort}, r.o.Ports...) {
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// wanted are the targets of one machine as the probe reads them.
func (r *run) wanted(from *node) []string {
	out := targetArgs(from.To)
	for _, n := range r.all() {
		if n == from || n.err != nil {
			continue
		}
		for _, a := range from.targets(n) {
			for _, p := range r.ports(n) {
				out = append(out, fmt.Sprintf("tcp:%s:%d", a, p))
			}
			if n.udp > 0 {
				out = append(out, fmt.Sprintf("udp:%s:%d", a, n.udp))
			}
		}
	}
	return out
}
