package checks

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

var _ = register(Check{
	ID: "net.hostonly_range", Title: "Private networks lie in the ranges that VirtualBox allows", Target: OnHost, Severity: finding.Critical, Rows: []string{"net.hostonly_range"},
	CausedBy: []string{"net.networks_conf_malformed"}, Level: LevelConfirm, Fix: "host.networks_conf", Link: vagrantIssues + "13038",
	Why:   "Since VirtualBox 6.1.28 only 192.168.56.0/21 and fe80::/10 are allowed on Linux and macOS: `The IP address configured for the host-only network is not within the allowed ranges.`",
	Looks: "private_network of the Vagrantfile against /etc/vbox/networks.conf or the default", Source: "host-catalogue 1.5",
	Eval: ruled("net.hostonly_range", onWanted(evalHostOnlyRange)),
})

func evalHostOnlyRange(f *facts.Facts, w facts.Wanted) finding.Verdict {
	conf, err := f.Host.Preflight.Lists.NetworksConf.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	bad, err := assess.OutsideRanges(w, conf)
	var texts []string
	for _, b := range bad {
		texts = append(texts, fmt.Sprintf("%s (line %d)", b.IP, b.Line))
	}
	switch {
	case len(bad) > 0:
		return finding.Failf("outside of the allowed ranges: %s", cut(texts, 4)).Diff(rangeText(assess.AllowedRanges(conf)), bad[0].IP.String()).
			Advise("change it to an address such as 192.168.56.10 in the Vagrantfile", "").
			Advise("or allow the range on this host", networksConfCommand(conf, bad))
	case err != nil:
		return finding.Cannot(err)
	}
	return finding.Passf("every private network lies in %s", rangeText(assess.AllowedRanges(conf)))
}

// networksConfCommand writes the file that allows the ranges, which only root may.
func networksConfCommand(c facts.NetworksConf, bad []assess.NotAllowed) string {
	lines := strings.Split(strings.TrimSuffix(assess.NetworksConfText(c, bad), "\n"), "\n")
	return "sudo mkdir -p /etc/vbox && printf '%s\\n' " + shell.Join(lines) + " | sudo tee /etc/vbox/networks.conf"
}

func rangeText(ranges []netip.Prefix) string {
	var out []string
	for _, r := range ranges {
		out = append(out, r.String())
	}
	return orNone(strings.Join(out, ", "))
}

var _ = register(Check{
	ID: "net.networks_conf_malformed", Title: "networks.conf has lines that count", Target: OnHost, Severity: finding.Critical, Rows: []string{"net.networks_conf_malformed"},
	Level: LevelSudo, Fix: "host.networks_conf", Link: "https://www.virtualbox.org/manual/topics/networkingdetails.html",
	Why:   "Where /etc/vbox/networks.conf exists and no line begins with a star, no range is allowed at all, and Vagrant refuses every address with an empty `Ranges:`.",
	Looks: "/etc/vbox/networks.conf, by Vagrant's rule", Source: "host-catalogue 1.5, finding 5",
	Eval: ruled("net.hostonly_range", preflight(func(p *facts.Preflight) facts.Value[facts.NetworksConf] { return p.Lists.NetworksConf },
		func(_ *facts.Facts, c facts.NetworksConf) finding.Verdict {
			if !c.Exists || len(c.Ranges) > 0 {
				return finding.Passf("%d ranges", len(c.Ranges))
			}
			return finding.Failf("/etc/vbox/networks.conf exists and allows nothing: no line begins with a star").Diff("* 192.168.56.0/21", "no such line").
				Advise("put a star before every range", `sudo sed -i -E 's/^[[:space:]]*([0-9a-fA-F])/* \1/' /etc/vbox/networks.conf`)
		})),
})

var _ = register(Check{
	ID: "net.mac_hostonlyif", Title: "This Vagrant knows VirtualBox 7's host-only networks", Target: OnHost, Severity: finding.Critical, Rows: []string{"net.mac_hostonlyif"}, Level: LevelManual,
	Link:  "https://github.com/hashicorp/vagrant/pull/12983",
	Why:   "VirtualBox 7 on macOS replaced host-only interfaces by host-only networks; Vagrant before 2.3.3 fails with `Failed to create the host-only adapter`.",
	Looks: "both versions", Source: "host-catalogue 1.5",
	Eval: onOS("darwin", ruled("net.mac_hostonlyif", func(f *facts.Facts) finding.Verdict {
		v := versions(f)
		return finding.Failf("Vagrant %s cannot make private networks with VirtualBox %s on macOS", v.Vagrant, v.VirtualBox).Diff("Vagrant 2.3.3 or later", v.Vagrant).
			Advise("upgrade Vagrant", "brew upgrade --cask hashicorp-vagrant")
	})),
})

var _ = register(Check{
	ID: "net.hostonly_broken_win", Title: "Host-only adapters are up", Target: OnHost, Severity: finding.Major, Rows: []string{"net.hostonly_broken_win"}, Level: LevelSudo,
	Link:  vagrantIssues + "13135",
	Why:   "After a feature update of Windows the filter driver is no longer bound to the adapter: `VERR_INTNET_FLT_IF_NOT_FOUND`.",
	Looks: "`VBoxManage list hostonlyifs`: Status", Source: "host-catalogue 1.5",
	Eval: onOS("windows", preflight(hostOnly, func(_ *facts.Facts, all []facts.HostOnly) finding.Verdict {
		for _, h := range all {
			if h.Status == "Down" || h.Status == "Unknown" {
				return finding.Warnf("the host-only adapter %q is %s", h.Name, strings.ToLower(h.Status)).Diff("Up", h.Status).
					Advise("tick `VirtualBox NDIS6 Bridged Networking driver` in the adapter's properties, then switch it off and on (as administrator)",
						`Get-NetAdapter -Name "`+h.Name+`" | Restart-NetAdapter`)
			}
		}
		return finding.Passf("%d host-only adapters", len(all))
	})),
})

func hostOnly(p *facts.Preflight) facts.Value[[]facts.HostOnly]      { return p.Lists.HostOnly }
func dhcpServers(p *facts.Preflight) facts.Value[[]facts.DHCPServer] { return p.Lists.DHCP }

var _ = register(Check{
	ID: "net.dhcp_conflict", Title: "No DHCP server stands in the way of type: \"dhcp\"", Target: OnHost, Severity: finding.Critical, Rows: []string{"net.dhcp_conflict"},
	Level: LevelConfirm, Fix: "host.dhcp", Link: vagrantIssues + "8878",
	Why:   "`A host only network interface you're attempting to configure via DHCP already has a conflicting host only adapter with DHCP enabled.` Vagrant takes away only the server that VirtualBox makes by itself.",
	Looks: "`VBoxManage list dhcpservers` and private_network with type: \"dhcp\"", Source: "host-catalogue 1.5",
	Eval: onWanted(evalDHCP),
})

func evalDHCP(f *facts.Facts, w facts.Wanted) finding.Verdict {
	if !assess.WantsDHCP(w) {
		return finding.Passf("no private network asks for DHCP")
	}
	servers, err := f.Host.Preflight.Lists.DHCP.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	if bad := assess.DHCPInTheWay(w, servers); len(bad) > 0 {
		d := bad[0]
		return finding.Failf("a DHCP server already serves %s with %s", d.Network, d.IP).Diff("none, or the one that VirtualBox makes by itself", d.Network+" "+d.IP).
			Advise("remove it; Vagrant makes its own", `VBoxManage dhcpserver remove --netname "`+d.Network+`"`)
	}
	return finding.Passf("no server that Vagrant would stumble over")
}

var _ = register(Check{
	ID: "net.duplicate_hostonly", Title: "Every host-only adapter has an address of its own", Target: OnHost, Severity: finding.Major, Rows: []string{"net.duplicate_hostonly"}, After: []string{"vbox.missing"}, Level: LevelConfirm,
	Link:  "https://www.virtualbox.org/manual/topics/networkingdetails.html",
	Why:   "Two adapters with one address: packets take the wrong one and the VM cannot be reached.",
	Looks: "`VBoxManage list hostonlyifs`", Source: "host-catalogue 1.5",
	Eval: preflight(hostOnly, func(_ *facts.Facts, all []facts.HostOnly) finding.Verdict {
		seen := map[string]string{}
		for _, h := range all {
			if other := seen[h.IP]; other != "" && h.IP != "" && h.IP != "0.0.0.0" {
				return finding.Failf("%s and %s both have %s", other, h.Name, h.IP).Diff("one adapter with "+h.IP, other+", "+h.Name).
					Advise("remove the one that no VM uses", `VBoxManage hostonlyif remove "`+h.Name+`"`)
			}
			seen[h.IP] = h.Name
		}
		return finding.Passf("%d host-only adapters", len(all))
	}),
})

var _ = register(Check{
	ID: "net.collides_bridged", Title: "No private network lies in a network of this host", Target: OnHost, Severity: finding.Critical, Rows: []string{"net.collides_bridged"}, Level: LevelConfirm,
	Link:  "https://developer.hashicorp.com/vagrant/docs/networking/private_network",
	Why:   "`The specified host network collides with a non-hostonly network!` The LAN or a VPN already has that subnet.",
	Looks: "private_network of the Vagrantfile against the addresses of the host's interfaces", Source: "host-catalogue 1.5",
	Eval: onWanted(evalCollides),
})

func evalCollides(f *facts.Facts, w facts.Wanted) finding.Verdict {
	interfaces, err := f.Host.Preflight.Interfaces.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	text := ""
	var at facts.Interface
	err = assess.PrivateIPs(w, func(_ facts.WantedMachine, n facts.WantedNetwork, ip netip.Addr) {
		for _, i := range interfaces {
			if text == "" && i.Up && !strings.HasPrefix(i.Name, "vboxnet") && !strings.Contains(i.Name, "VirtualBox") && holds(i, ip) {
				text, at = fmt.Sprintf("%s (line %d)", ip, n.Line), i
			}
		}
	})
	switch {
	case text != "":
		return finding.Failf("%s lies in the network of the host's interface %s (%s)", text, at.Name, cut(at.Addrs, 2)).
			Diff("a subnet that no interface has", cut(at.Addrs, 2)).Advise("choose another subnet in the Vagrantfile, such as 192.168.56.0/24", "")
	case err != nil:
		return finding.Cannot(err)
	}
	return finding.Passf("none of %d interfaces", len(interfaces))
}

// holds tells whether the address lies in a network of the interface; link-local ones are on every interface.
func holds(i facts.Interface, ip netip.Addr) bool {
	return slices.ContainsFunc(i.Addrs, func(a string) bool {
		p, err := netip.ParsePrefix(a)
		return err == nil && !p.Addr().IsLinkLocalUnicast() && p.Bits() > 0 && p.Bits() < p.Addr().BitLen() && p.Contains(ip)
	})
}

var _ = register(Check{
	ID: "net.bridge_prompt", Title: "public_network names the interface to bridge to", Target: OnHost, Severity: finding.Major, Rows: []string{"net.bridge_prompt"}, Level: LevelConfirm,
	Link:  "https://developer.hashicorp.com/vagrant/docs/networking/public_network",
	Why:   "With several interfaces Vagrant asks `Which interface should the network bridge to?` and waits; without a terminal it fails.",
	Looks: "public_network of the Vagrantfile and `VBoxManage list bridgedifs`", Source: "host-catalogue 1.5",
	Eval: onWanted(evalBridge),
})

func evalBridge(f *facts.Facts, w facts.Wanted) finding.Verdict {
	line := 0
	var lacking error
	for _, m := range w.Machines {
		for _, n := range m.Networks {
			bridge, err := n.Bridge.Get()
			switch {
			case !n.Public:
			case err != nil:
				lacking = err
			case bridge == "":
				line = n.Line
			}
		}
	}
	if line == 0 {
		if lacking != nil {
			return finding.Cannot(lacking)
		}
		return finding.Passf("no public network without bridge:")
	}
	all, err := f.Host.Preflight.Lists.Bridged.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	var up []string
	for _, b := range all {
		if b.Status != "Down" && b.Status != "Unknown" {
			up = append(up, b.Name)
		}
	}
	if len(up) <= 1 {
		return finding.Passf("only one interface is up")
	}
	return finding.Warnf("line %d: public_network names no interface and %d are up, so Vagrant asks and waits", line, len(up)).Diff("bridge: \"NAME\"", cut(up, 4)).
		Advise(fmt.Sprintf("add bridge: %q (or another of them) in line %d", up[0], line), "VBoxManage list bridgedifs")
}

var _ = register(Check{
	ID: "net.too_many_nics", Title: "No machine has more than eight network adapters", Target: OnHost, Severity: finding.Critical, Rows: []string{"net.too_many_nics"}, Level: LevelManual,
	Link:  "https://developer.hashicorp.com/vagrant/docs/networking",
	Why:   "`VirtualBox limits the number of slots to 8, and it appears that every slot is in use.` The first adapter is always NAT.",
	Looks: "networks of the Vagrantfile", Source: "host-catalogue 1.5",
	Eval: onWanted(func(_ *facts.Facts, w facts.Wanted) finding.Verdict {
		for _, m := range w.Machines {
			if n := len(m.Networks) + 1; n > 8 {
				return finding.Failf("machine %s would have %d network adapters", m.Name, n).Diff("at most 8", fmt.Sprint(n)).
					Advise("take networks out of the Vagrantfile", "")
			}
		}
		return finding.Passf("at most 8")
	}),
})

var _ = register(Check{
	ID: "net.ipv6_hostonly", Title: "This Vagrant handles the IPv6 networks asked for", Target: OnHost, Severity: finding.Minor, Rows: []string{"net.ipv6_hostonly"}, Level: LevelManual,
	Link:  "https://github.com/hashicorp/vagrant/pull/13362",
	Why:   "Vagrant before 2.4.6 refuses link-local addresses, which are all that VirtualBox allows by default; the route to the VM can get lost.",
	Looks: "IPv6 private_network of the Vagrantfile and Vagrant's version", Source: "host-catalogue 1.5",
	Eval: onWanted(func(f *facts.Facts, w facts.Wanted) finding.Verdict {
		text := ""
		err := assess.PrivateIPs(w, func(_ facts.WantedMachine, n facts.WantedNetwork, ip netip.Addr) {
			if ip.Is6() {
				text = fmt.Sprintf("%s (line %d)", ip, n.Line)
			}
		})
		switch {
		case text != "":
			return ruled("net.ipv6_hostonly", func(f *facts.Facts) finding.Verdict {
				return finding.Warnf("%s needs Vagrant 2.4.6 or later", text).Diff("Vagrant 2.4.6", versions(f).Vagrant).Advise("upgrade Vagrant", "")
			})(f)
		case err != nil:
			return finding.Cannot(err)
		}
		return finding.Passf("no IPv6 network is asked for")
	}),
})

var _ = register(Check{
	ID: "dns.loopback_72", Title: "Guests can resolve names through NAT", Target: OnHost, Severity: finding.Major, Rows: []string{"dns.loopback_72"}, Level: LevelConfirm, Link: vboxIssues + "205",
	Why:   "VirtualBox 7.2's NAT hands the host's own 127.0.0.53 on to the guest, where nothing answers there.",
	Looks: "/etc/resolv.conf, VirtualBox's version, the VM's settings file", Source: "host-catalogue 1.5",
	Eval: onOS("linux", ruled("dns.loopback_72", onLinux(evalDNS))),
})

func evalDNS(f *facts.Facts, l facts.Linux) finding.Verdict {
	for _, r := range l.Resolvers {
		if ip, err := netip.ParseAddr(r); err == nil && !ip.IsLoopback() {
			return finding.Passf("name server %s", r)
		}
	}
	if len(l.Resolvers) == 0 {
		return finding.Passf("this host has no name server")
	}
	p := f.Host.Preflight.Project.Or(facts.Project{})
	for _, r := range p.Records {
		if s, err := r.Settings.Get(); err == nil && !s.NATDNSResolver {
			return dnsAdvice(r.Name, cut(l.Resolvers, 2))
		}
	}
	if len(p.Records) == 0 {
		return dnsAdvice("", cut(l.Resolvers, 2))
	}
	return finding.Passf("the host resolver is switched on")
}

func dnsAdvice(machine, seen string) finding.Verdict {
	who := "a new machine"
	if machine != "" {
		who = "machine " + machine
	}
	return finding.Warnf("%s may be without DNS: this host's only name server is on its own loopback and the VM does not use the host's resolver", who).
		Diff("natdnshostresolver1 on", seen).
		Advise(`add to the Vagrantfile: vb.customize ["modifyvm", :id, "--natdnshostresolver1", "on"]`, "")
}
