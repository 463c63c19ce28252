package host

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// reply is what one VBoxManage call gave.
type reply struct {
	out Output
	err error
}

// ask makes all calls at the same time: a hung VirtualBox costs one limit in all.
func (ob *observer) ask(ctx context.Context, m manager, calls map[string][]string) map[string]reply {
	answers := make(map[string]reply, len(calls))
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		wg.Go(func() {
			out, err := m.ask(ctx, calls[name]...)
			mu.Lock()
			defer mu.Unlock()
			answers[name] = reply{out, err}
		})
	}
	wg.Wait()
	return answers
}

// questions are what VBoxManage is asked besides its version. Guests given by their address need no pre-flight.
func (ob *observer) questions() map[string][]string {
	q := map[string][]string{}
	names := []string{"vms", "runningvms", "systemproperties"}
	if ob.preflights() {
		names = append(names, "hostinfo", "dhcpservers", "extpacks", "hdds", ob.hostOnlyList())
		if ob.wantsBridge() {
			names = append(names, "bridgedifs")
		}
		for _, m := range ob.project.Machines {
			if m.ID != "" && len(q) < maxMachines {
				q[m.ID] = []string{"showvminfo", m.ID, "--machinereadable"}
			}
		}
	}
	for _, n := range names {
		q[n] = []string{"list", n}
	}
	return q
}

// hostOnlyList: VirtualBox 7 on macOS has host-only networks in place of interfaces.
func (ob *observer) hostOnlyList() string {
	if ob.goos == "darwin" {
		return "hostonlynets"
	}
	return "hostonlyifs"
}

// wantsBridge: only a public_network makes Vagrant look for interfaces to bridge to.
func (ob *observer) wantsBridge() bool {
	w, err := ob.facts.Preflight.Wanted.Get()
	if err != nil {
		return false
	}
	return slices.ContainsFunc(w.Machines, func(m facts.WantedMachine) bool {
		return slices.ContainsFunc(m.Networks, func(n facts.WantedNetwork) bool { return n.Public })
	})
}

// preflights tells whether this host is where `vagrant up` would run.
func (ob *observer) preflights() bool { return !ob.facts.Explicit }

// fact turns an answer into a fact.
func fact[T any](answers map[string]reply, name string, parse func(string) (T, error)) facts.Value[T] {
	a, asked := answers[name]
	if !asked {
		return facts.Unknownf[T]("VBoxManage was not asked for its %s", name)
	}
	if a.err != nil {
		return facts.Unknownf[T]("%v", a.err)
	}
	v, err := parse(a.out.Stdout)
	if err != nil {
		return facts.Unknownf[T]("`VBoxManage list %s`: %v", name, err)
	}
	return facts.Known(v)
}

// lists takes the answers apart.
func (ob *observer) lists(answers map[string]reply) facts.Lists {
	return facts.Lists{
		VMs: ob.listedVMs(), HostInfo: fact(answers, "hostinfo", parseHostInfo), Properties: fact(answers, "systemproperties", parseProperties),
		HostOnly: fact(answers, ob.hostOnlyList(), parseHostOnly), DHCP: fact(answers, "dhcpservers", parseDHCP),
		ExtPacks: fact(answers, "extpacks", parseExtPacks), Bridged: fact(answers, "bridgedifs", parseBridged),
		Media: fact(answers, "hdds", parseMedia), NetworksConf: ob.networksConf(),
	}
}

// beforeVirtualBox reads what needs no VBoxManage, while VBoxManage works.
func (ob *observer) beforeVirtualBox(ctx context.Context) {
	p := &ob.facts.Preflight
	var wg sync.WaitGroup
	wg.Go(func() { p.Windows = ob.windows(ctx) })
	wg.Go(func() { p.Home = ob.home() })
	wg.Go(func() { p.Env = ob.env(ctx) })
	p.System, p.Linux, p.Darwin = ob.hostSystem(), ob.linux(), ob.darwin()
	p.Interfaces, p.Vagrant, p.Settings = ob.interfaces(), ob.vagrant(ctx), ob.settingsFile()
	wg.Wait()
}

// afterVirtualBox adds what stands on VBoxManage's answers.
func (ob *observer) afterVirtualBox(ctx context.Context, answers map[string]reply) {
	p := &ob.facts.Preflight
	p.Lists = ob.lists(answers)
	p.Project = ob.records()
	if project, err := p.Project.Get(); err == nil {
		project.Leftovers = ob.leftovers(project)
		p.Project = facts.Known(project)
	}
	p.Ports = ob.ports(ctx, p.Wanted, p.Project.Or(facts.Project{}).Records)
	p.Disk = ob.disk()
}

func (ob *observer) now() time.Time {
	if ob.Now != nil {
		return ob.Now()
	}
	return time.Now()
}
