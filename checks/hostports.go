package checks

import (
	"fmt"
	"slices"

	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// ports hands the bind trials to a judge. A forward whose port cannot be read leaves the question open.
func ports(judge func(*facts.Facts, []facts.Port) finding.Verdict) eval {
	return onProject(func(f *facts.Facts, _ facts.Project) finding.Verdict {
		all, err := f.Host.Preflight.Ports.Get()
		if err != nil {
			return finding.Cannot(err)
		}
		v := judge(f, all)
		if v.Status != finding.Pass {
			return v
		}
		for _, m := range f.Host.Preflight.Wanted.Or(facts.Wanted{}).Machines {
			for _, w := range m.Forwards {
				if _, err := w.Host.Get(); err != nil {
					return finding.Cannot(err)
				}
			}
		}
		return v
	})
}

func line(p facts.Port) string {
	if p.Line > 0 {
		return fmt.Sprintf(" (line %d)", p.Line)
	}
	return ""
}

// findPort is the first trial with that outcome.
func findPort(all []facts.Port, fits func(facts.Port) bool) (facts.Port, bool) {
	i := slices.IndexFunc(all, fits)
	if i < 0 {
		return facts.Port{}, false
	}
	return all[i], true
}

var _ = register(Check{
	ID: "port.collision", Title: "The forwarded ports are free", Target: OnHost, Severity: finding.Critical, Rows: []string{"port.collision"}, Level: LevelConfirm, Fix: "host.ports",
	Link:  "https://developer.hashicorp.com/vagrant/docs/networking/forwarded_ports",
	Why:   "`Vagrant cannot forward the specified ports on this VM, since they would collide with some other application that is already listening on these ports.`",
	Looks: "each forward of the Vagrantfile is bound on this host for a moment", Source: "host-catalogue 1.5",
	Eval: ports(evalCollision),
})

func evalCollision(_ *facts.Facts, all []facts.Port) finding.Verdict {
	taken := func(p facts.Port) bool { return p.State == facts.PortTaken }
	if p, ok := findPort(all, assess.PortCollides); ok {
		by := ""
		if p.Owner != "" {
			by = " by " + p.Owner
		}
		v := finding.Failf("port %d%s of machine %s is taken%s", p.Port, line(p), p.Machine, by).Diff(fmt.Sprintf("port %d free", p.Port), "taken"+by)
		if p.Free > 0 {
			v = v.Advise(fmt.Sprintf("use a free port%s: host: %d, or let Vagrant choose with auto_correct: true", line(p), p.Free), "")
		}
		return v.Advise("or end what uses it; which program that is", fmt.Sprintf("ss -ltnp 'sport = :%d'", p.Port))
	}
	if p, ok := findPort(all, taken); ok {
		return finding.Passf("port %d is taken, Vagrant will take another one (auto_correct)", p.Port)
	}
	if p, ok := findPort(all, func(p facts.Port) bool { return p.State == "" }); ok {
		return finding.Cannot(fmt.Errorf("%w: port %d could not be tried: %s", facts.ErrNotCollected, p.Port, p.Error))
	}
	return finding.Passf("%d ports", len(all))
}

var _ = register(Check{
	ID: "port.reserved_win", Title: "Windows has not reserved a forwarded port", Target: OnHost, Severity: finding.Critical, Rows: []string{"port.reserved_win"}, Level: LevelConfirm, Fix: "host.ports",
	Link:  vagrantIssues + "10893",
	Why:   "Windows reserves ranges of ports for Hyper-V. VirtualBox does not fail then: it writes a line to its log, and `vagrant up` ends 300 s later with a boot timeout.",
	Looks: "each forward is bound on this host for a moment; a reserved port is forbidden by its access permissions", Source: "host-catalogue 1.5, finding 6",
	Eval: onOS("windows", ports(func(_ *facts.Facts, all []facts.Port) finding.Verdict {
		p, ok := findPort(all, func(p facts.Port) bool { return p.State == facts.PortDenied })
		if !ok {
			return finding.Passf("%d ports", len(all))
		}
		v := finding.Failf("Windows does not allow to listen on port %d%s", p.Port, line(p)).Diff("a port outside of the reserved ranges", p.Error)
		if p.ID == "ssh" && p.Free > 0 {
			v = v.Advise(fmt.Sprintf(`add to the Vagrantfile: config.vm.network "forwarded_port", id: "ssh", guest: 22, host: %d`, p.Free), "")
		} else if p.Free > 0 {
			v = v.Advise(fmt.Sprintf("use a free port%s: host: %d", line(p), p.Free), "")
		}
		return v.Advise("the reserved ranges", "netsh interface ipv4 show excludedportrange protocol=tcp")
	})),
})

var _ = register(Check{
	ID: "port.privileged", Title: "No forwarded port needs administrator rights", Target: OnHost, Severity: finding.Minor, Rows: []string{"port.privileged"}, Level: LevelConfirm,
	Link:  "https://developer.hashicorp.com/vagrant/docs/networking/forwarded_ports",
	Why:   "`You are trying to forward to privileged ports (ports <= 1024).` Most systems refuse; the VM then starts without the forward.",
	Looks: "forwarded_port of the Vagrantfile", Source: "host-catalogue 1.5",
	Eval: ports(func(_ *facts.Facts, all []facts.Port) finding.Verdict {
		p, ok := findPort(all, func(p facts.Port) bool { return p.Port <= 1024 })
		if !ok {
			return finding.Passf("all above 1024")
		}
		return finding.Warnf("port %d%s of machine %s is privileged", p.Port, line(p), p.Machine).Diff("a port above 1024", fmt.Sprint(p.Port)).
			Advise(fmt.Sprintf("use a port above 1024%s, such as host: %d", line(p), 8000+p.Port), "")
	}),
})

var _ = register(Check{
	ID: "port.host_ip", Title: "Every host_ip is an address of this host", Target: OnHost, Severity: finding.Critical, Rows: []string{"port.host_ip"}, Level: LevelConfirm,
	Link:  "https://developer.hashicorp.com/vagrant/docs/networking/forwarded_ports",
	Why:   "`You are trying to forward a host IP that does not exist.`",
	Looks: "host_ip of the Vagrantfile: listening on it is tried", Source: "host-catalogue 1.5",
	Eval: ports(func(_ *facts.Facts, all []facts.Port) finding.Verdict {
		p, ok := findPort(all, func(p facts.Port) bool { return p.State == facts.PortNoAddress })
		if !ok {
			return finding.Passf("%d forwards", len(all))
		}
		return finding.Failf("host_ip %s%s is no address of this host", p.HostIP, line(p)).Diff("an address of this host", p.HostIP).
			Advise(`use host_ip: "127.0.0.1", or leave it out`, "")
	}),
})

var _ = register(Check{
	ID: "boot.port", Title: "Vagrant's own SSH forward can be bound", Target: OnHost, Severity: finding.Critical, Rows: []string{"boot.port"}, Level: LevelConfirm,
	CausedBy: []string{"port.collision", "port.reserved_win"}, Link: vagrantIssues + "10893",
	Why:   "When the forward to port 22 does not bind, or another VM answers there, `vagrant up` ends with `Timed out while waiting for the machine to boot`.",
	Looks: "the forward with the id ssh (2222 unless the Vagrantfile says otherwise) is bound for a moment", Source: "host-catalogue 1.9",
	Eval: ports(func(_ *facts.Facts, all []facts.Port) finding.Verdict {
		p, ok := findPort(all, func(p facts.Port) bool {
			return (p.ID == "ssh" || p.Guest == 22) && (p.State == facts.PortDenied || p.State == facts.PortTaken && p.Free == 0)
		})
		if !ok {
			return finding.Passf("it can")
		}
		return finding.Failf("Vagrant's SSH forward of machine %s cannot be bound: port %d is %s", p.Machine, p.Port, p.State).Diff("a free port from 2200 to 2250", p.Error).
			Advise("free one of these ports, or forward ssh elsewhere with id: \"ssh\" in the Vagrantfile", "")
	}),
})
