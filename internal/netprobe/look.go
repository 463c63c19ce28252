package netprobe

import (
	"context"
	_ "embed" // the script
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/guest"
)

//go:embed look.sh
var lookScript string

// lookTimeout bounds the look at one guest.
const lookTimeout = 20 * time.Second

// Address is one of a machine's.
type Address struct {
	Interface string       `json:"interface"`
	Prefix    netip.Prefix `json:"prefix"`
}

// Listener is a port that a program of a machine listens on.
type Listener struct {
	Proto   string     `json:"proto"` // tcp or udp
	Address netip.Addr `json:"address"`
	Port    int        `json:"port"`
}

// on says whether a listener is reached by an address of its machine.
func (l Listener) on(a netip.Addr) bool { return l.Address.IsUnspecified() || l.Address == a }

// Look is what a machine says about its own network.
type Look struct {
	Addresses []Address
	Listeners []Listener
	// Firewall is the one that is active, as far as that is seen without root; empty: none was seen.
	Firewall string
	// SSHPort is the port that this connection came in by.
	SSHPort int
}

// look asks a guest.
func look(ctx context.Context, g guest.Runner) (Look, error) {
	res, err := g.Run(ctx, guest.Cmd{Name: "look at the network", Script: lookScript, Timeout: lookTimeout, Limit: 1 << 20})
	if err != nil {
		return Look{}, err
	}
	return parseLook(string(res.Stdout)), nil
}

// firewalls are the units that look.sh asks for.
var firewalls = []string{"firewalld", "ufw", "nftables", "iptables"}

// maxAddresses is how many addresses of one machine are tried.
const maxAddresses = 4

func parseLook(out string) Look {
	l := Look{SSHPort: 22}
	for line := range strings.Lines(out) {
		w := strings.Fields(line)
		switch {
		case len(w) == 3 && w[0] == "address":
			if p, err := netip.ParsePrefix(w[2]); err == nil && !p.Addr().IsLoopback() && !p.Addr().IsLinkLocalUnicast() && len(l.Addresses) < maxAddresses {
				l.Addresses = append(l.Addresses, Address{w[1], p})
			}
		case len(w) == 3 && w[0] == "listen":
			if x, ok := parseListener(w[1], w[2]); ok && !slices.Contains(l.Listeners, x) {
				l.Listeners = append(l.Listeners, x)
			}
		case len(w) == 2 && w[0] == "firewall" && l.Firewall == "" && slices.Contains(firewalls, w[1]):
			l.Firewall = w[1]
		case len(w) == 2 && w[0] == "ssh":
			if n, err := strconv.Atoi(w[1]); err == nil && n > 0 && n < 1<<16 {
				l.SSHPort = n
			}
		}
	}
	return l
}

// parseListener reads a local address of /proc/net/tcp and its like: words of four bytes, each in the order of the machine, which is
// little-endian wherever VirtualBox runs.
func parseListener(table, text string) (Listener, bool) {
	host, port, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(host)
	n, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil || len(b)%4 != 0 {
		return Listener{}, false
	}
	for i := 0; i < len(b); i += 4 {
		slices.Reverse(b[i : i+4])
	}
	a, ok := netip.AddrFromSlice(b)
	return Listener{strings.TrimSuffix(table, "6"), a.Unmap(), int(n)}, ok
}

// listeners are those of a port.
func (l Look) listeners(proto string, port int) []Listener {
	var out []Listener
	for _, x := range l.Listeners {
		if x.Proto == proto && x.Port == port {
			out = append(out, x)
		}
	}
	return out
}
