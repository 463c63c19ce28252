package assess

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// factoryDHCP tells whether Vagrant itself would remove the server: it is exactly the one that VirtualBox makes.
func factoryDHCP(d facts.DHCPServer) bool {
	return d.Network == "HostInterfaceNetworking-vboxnet0" && d.IP == "192.168.56.100" && d.Mask == "255.255.255.0" &&
		d.Lower == "192.168.56.101" && d.Upper == "192.168.56.254"
}

// DHCPInTheWay are the DHCP servers of VirtualBox that Vagrant stumbles over when a private network asks for DHCP; none
// when no network does. Vagrant's own servers are none of them.
func DHCPInTheWay(w facts.Wanted, servers []facts.DHCPServer) []facts.DHCPServer {
	if !WantsDHCP(w) {
		return nil
	}
	var out []facts.DHCPServer
	for _, d := range servers {
		if strings.HasPrefix(d.Network, "HostInterfaceNetworking-") && !factoryDHCP(d) && d.Enabled && d.IP != "172.28.128.2" && d.IP != "192.168.56.2" {
			out = append(out, d)
		}
	}
	return out
}

// WantsDHCP tells whether a private network of the Vagrantfile asks for DHCP.
func WantsDHCP(w facts.Wanted) bool {
	return slices.ContainsFunc(w.Machines, func(m facts.WantedMachine) bool {
		return slices.ContainsFunc(m.Networks, func(n facts.WantedNetwork) bool { return n.DHCP && !n.Public && !n.Internal })
	})
}

// PortCollides: `vagrant up` will end at this port.
func PortCollides(p facts.Port) bool {
	return p.State == facts.PortTaken && (!p.AutoCorrect || p.Free == 0)
}

// DefaultRanges are those of VirtualBox where there is no networks.conf.
func DefaultRanges() []string { return []string{"192.168.56.0/21", "fe80::/10"} }

// AllowedRanges follows Vagrant: a file that exists replaces the default, even when nothing in it counts.
func AllowedRanges(c facts.NetworksConf) []netip.Prefix {
	texts := DefaultRanges()
	if c.Exists {
		texts = c.Ranges
	}
	var out []netip.Prefix
	for _, t := range texts {
		if p, err := netip.ParsePrefix(t); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// PrivateIPs visits the addresses of private networks; err is that of one that cannot be read.
func PrivateIPs(w facts.Wanted, visit func(m facts.WantedMachine, n facts.WantedNetwork, ip netip.Addr)) (err error) {
	for _, m := range w.Machines {
		for _, n := range m.Networks {
			text, e := n.IP.Get()
			switch {
			case n.Public || n.Internal:
			case e != nil:
				err = e
			case text != "":
				if ip, e := netip.ParseAddr(text); e == nil {
					visit(m, n, ip)
				}
			}
		}
	}
	return err
}

// NotAllowed is a private network of the Vagrantfile outside of the ranges that VirtualBox allows.
type NotAllowed struct {
	IP   netip.Addr
	Line int
}

// OutsideRanges are the private networks that VirtualBox refuses; err is that of an address that cannot be read.
func OutsideRanges(w facts.Wanted, c facts.NetworksConf) (bad []NotAllowed, err error) {
	ranges := AllowedRanges(c)
	err = PrivateIPs(w, func(_ facts.WantedMachine, n facts.WantedNetwork, ip netip.Addr) {
		if !slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(ip) }) {
			bad = append(bad, NotAllowed{ip, n.Line})
		}
	})
	return bad, err
}

// rangeLine is a line of networks.conf that names a range and lacks its star.
var rangeLine = regexp.MustCompile(`^\s*([0-9a-fA-F]+[.:].*)$`)

// NetworksConfText is what networks.conf has to hold so that its own ranges count and those of bad are allowed, too. Where
// there is no file yet, VirtualBox's default has to stand in it, because a file replaces the default.
func NetworksConfText(c facts.NetworksConf, bad []NotAllowed) string {
	var out []string
	if c.Exists {
		for _, l := range strings.Split(strings.TrimSuffix(c.File.Content, "\n"), "\n") {
			out = append(out, rangeLine.ReplaceAllString(l, "* $1"))
		}
	} else {
		out = append(out, "* "+strings.Join(DefaultRanges(), " "))
	}
	for _, b := range bad {
		if line := "* " + b.network(); !starred(out, b.IP) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n") + "\n"
}

// starred tells whether one of the lines allows the address.
func starred(lines []string, ip netip.Addr) bool {
	c := facts.NetworksConf{Exists: true}
	for _, l := range lines {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(l), "*"); ok {
			c.Ranges = append(c.Ranges, strings.Fields(rest)...)
		}
	}
	return slices.ContainsFunc(AllowedRanges(c), func(p netip.Prefix) bool { return p.Contains(ip) })
}

// network is what the address belongs to, as a line of networks.conf needs it.
func (n NotAllowed) network() string {
	bits := 24
	if n.IP.Is6() {
		bits = 64
	}
	p, _ := n.IP.Prefix(bits) // 24 and 64 always fit
	return p.String()
}
