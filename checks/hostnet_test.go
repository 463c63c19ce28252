package checks

import "github.com/boxdoctor/boxdoctor/internal/facts"

func inNetwork(change func(*facts.WantedNetwork)) func(*facts.Facts) {
	return inWish(func(m *facts.WantedMachine) { change(&m.Networks[0]) })
}

func networksConf(l *facts.Lists) *facts.Value[facts.NetworksConf] { return &l.NetworksConf }

func ip(text string) func(*facts.Facts) {
	return inNetwork(func(n *facts.WantedNetwork) { n.IP = facts.Known(text) })
}

var _ = hostRows("net.hostonly_range", linuxHost,
	fail("outside of the default", "10.0.0.5 (line 5)", linuxHost, ip("10.0.0.5")),
	pass("allowed by networks.conf", linuxHost, allOf(ip("10.0.0.5"), inList(networksConf, func(c *facts.NetworksConf) { c.Exists, c.Ranges = true, []string{"10.0.0.0/8"} }))),
	fail("the file replaces the default", "10.0.0.0/8", linuxHost, inList(networksConf, func(c *facts.NetworksConf) { c.Exists, c.Ranges = true, []string{"10.0.0.0/8"} })),
	pass("older VirtualBox has no ranges", linuxHost, allOf(ip("10.0.0.5"), versionsOf("6.1.26r145957", ""))),
	pass("Windows has no ranges", windowsHost, ip("10.0.0.5")),
	pass("macOS with VirtualBox 7 has no ranges", macHost, ip("10.0.0.5")),
	unknown("a computed address", linuxHost, inNetwork(func(n *facts.WantedNetwork) { n.IP = unread[string]() })),
)

var _ = hostRows("net.networks_conf_malformed", linuxHost,
	fail("no star", "no line begins with a star", linuxHost, inList(networksConf, func(c *facts.NetworksConf) { c.Exists = true })),
)

var _ = hostRows("net.mac_hostonlyif", macHost, fail("an older Vagrant", "2.3.3", macHost, versionsOf("7.0.2r154219", "2.3.2")), skip("no Vagrant", "not found", macHost,
	inVagrant(func(v *facts.Vagrant) { v.Path, v.Version = "", "" })))

var _ = hostRows("net.hostonly_broken_win", windowsHost, warn("down", "NDIS6", windowsHost,
	inList(func(l *facts.Lists) *facts.Value[[]facts.HostOnly] { return &l.HostOnly }, func(all *[]facts.HostOnly) { (*all)[0].Status = "Down" })))

var dhcp = inNetwork(func(n *facts.WantedNetwork) { n.IP, n.DHCP = facts.Known(""), true })

func inDHCP(change func(*facts.DHCPServer)) func(*facts.Facts) {
	return inList(func(l *facts.Lists) *facts.Value[[]facts.DHCPServer] { return &l.DHCP }, func(all *[]facts.DHCPServer) { change(&(*all)[0]) })
}

var _ = hostRows("net.dhcp_conflict", linuxHost,
	fail("a server of somebody's own", `dhcpserver remove --netname "HostInterfaceNetworking-vboxnet0"`, linuxHost, allOf(dhcp, inDHCP(func(d *facts.DHCPServer) { d.IP = "192.168.56.50" }))),
	pass("the factory's server is removed by Vagrant", linuxHost, dhcp),
)

var _ = hostRows("net.duplicate_hostonly", linuxHost, fail("twice", "vboxnet0 and vboxnet1", linuxHost,
	inList(func(l *facts.Lists) *facts.Value[[]facts.HostOnly] { return &l.HostOnly }, func(all *[]facts.HostOnly) {
		*all = append(*all, facts.HostOnly{Name: "vboxnet1", IP: "192.168.56.1"})
	})))

var _ = hostRows("net.collides_bridged", linuxHost,
	fail("in the LAN", "eth0", linuxHost, ip("192.0.2.77")),
	pass("the host-only adapter itself", linuxHost, edit(func(p *facts.Preflight) *facts.Value[[]facts.Interface] { return &p.Interfaces }, func(all *[]facts.Interface) {
		*all = append(*all, facts.Interface{Name: "vboxnet0", Addrs: []string{"192.168.56.1/24"}, Up: true})
	})),
	unknown("a computed address", linuxHost, inNetwork(func(n *facts.WantedNetwork) { n.IP = unread[string]() })),
)

var public = inNetwork(func(n *facts.WantedNetwork) { n.Public = true })

var twoUp = inList(func(l *facts.Lists) *facts.Value[[]facts.Bridged] { return &l.Bridged }, func(all *[]facts.Bridged) { (*all)[1].Status = "Up" })

var _ = hostRows("net.bridge_prompt", linuxHost,
	warn("two to choose from", "line 5", linuxHost, allOf(public, twoUp)),
	pass("only one is up", linuxHost, public),
	pass("named", linuxHost, allOf(public, twoUp, inNetwork(func(n *facts.WantedNetwork) { n.Bridge = facts.Known("eth0") }))),
	unknown("computed", linuxHost, allOf(public, twoUp, inNetwork(func(n *facts.WantedNetwork) { n.Bridge = unread[string]() }))),
)

var _ = hostRows("net.too_many_nics", linuxHost, fail("nine", "9 network adapters", linuxHost, inWish(func(m *facts.WantedMachine) {
	for range 7 {
		m.Networks = append(m.Networks, m.Networks[0])
	}
})))

var _ = hostRows("net.ipv6_hostonly", linuxHost,
	warn("an older Vagrant", "fe80::10 (line 5)", linuxHost, allOf(ip("fe80::10"), versionsOf("7.0.20r163906", "2.4.5"))),
	pass("a newer one", linuxHost, ip("fe80::10")),
)

var stub = inLinux(func(l *facts.Linux) { l.Resolvers = []string{"127.0.0.53"} })

var _ = hostRows("dns.loopback_72", linuxHost,
	warn("a stub resolver and 7.2", "natdnshostresolver1", linuxHost, allOf(stub, versionsOf("7.2.2r170484", ""), inSettings(func(s *facts.VMSettings) { s.NATDNSResolver = false }))),
	warn("no VM yet", "a new machine", linuxHost, allOf(stub, versionsOf("7.2.2r170484", ""), inProject(func(p *facts.Project) { p.Records = nil }))),
	pass("switched on", linuxHost, allOf(stub, versionsOf("7.2.2r170484", ""))),
	pass("7.0 works", linuxHost, stub),
)

var _ = hostRows("port.collision", linuxHost,
	fail("taken", "by process 12 (nginx)", linuxHost, inPort(func(p *facts.Port) { p.State, p.Owner, p.Free = facts.PortTaken, "process 12 (nginx)", 8081 })),
	fail("offers a free one", "host: 8081", linuxHost, inPort(func(p *facts.Port) { p.State, p.Free = facts.PortTaken, 8081 })),
	pass("ssh is corrected by Vagrant", linuxHost, inSSHPort(func(p *facts.Port) { p.State, p.Free = facts.PortTaken, 2200 })),
	fail("the whole range is taken", "2222", linuxHost, inSSHPort(func(p *facts.Port) { p.State = facts.PortTaken })),
	unknown("the trial failed", linuxHost, inPort(func(p *facts.Port) { p.State, p.Error = "", "too many open files" })),
	unknown("a computed port", linuxHost, inWish(func(m *facts.WantedMachine) { m.Forwards[0].Host = unread[int]() })),
	skip("no project", "no Vagrant project", linuxHost, inProject(func(p *facts.Project) { p.Root = "" })),
)

var _ = hostRows("port.reserved_win", windowsHost,
	fail("ssh: another port for the id", `id: "ssh", guest: 22, host: 2240`, windowsHost, inSSHPort(func(p *facts.Port) { p.State, p.Free = facts.PortDenied, 2240 })),
	fail("another forward", "excludedportrange", windowsHost, inPort(func(p *facts.Port) { p.State = facts.PortDenied })),
)

var _ = hostRows("port.privileged", linuxHost, warn("80", "host: 8080", linuxHost, inPort(func(p *facts.Port) { p.Port = 80 })))

var _ = hostRows("port.host_ip", linuxHost, fail("not of this host", "192.0.2.99", linuxHost, inPort(func(p *facts.Port) { p.State, p.HostIP = facts.PortNoAddress, "192.0.2.99" })))

var _ = hostRows("boot.port", linuxHost,
	fail("reserved", "port 2222 is denied", linuxHost, inSSHPort(func(p *facts.Port) { p.State = facts.PortDenied })),
	pass("another one is free", linuxHost, inSSHPort(func(p *facts.Port) { p.State, p.Free = facts.PortTaken, 2201 })),
)
