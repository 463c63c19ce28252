package vagrantfile

import (
	"maps"
	"slices"
)

const (
	// maxMachines and maxEntries bound what is built; maxEntries counts the entries of all machines.
	maxMachines = 500
	maxEntries  = 20_000
)

// building is what the statements have said so far.
type building struct {
	project Project
	// configs are the blocks of Vagrant.configure, which run after the file.
	configs []deferred
	defines []definition
	root    *target
	// current is the machine whose block runs; nil: those of Vagrant.configure do.
	current *target
	// envs are variables of the environment that the file sets; loads: it loads other files.
	envs    map[string]value
	loads   bool
	entries int
}

// deferred is a block that runs later, with the doubts under which it was given.
type deferred struct {
	cl     *closure
	doubts []unknown
	at     span
}

// definition is config.vm.define.
type definition struct {
	name value
	at   span
	x    call
	opts *hash
	run  *deferred
	// doubts are those of the statement.
	doubts []unknown
}

// target is a machine that is being described, or what all of them share.
type target struct {
	m *Machine
	// said are values by dotted name, for statements that read what was set before.
	said map[string]value
	// virtualbox are the blocks of the provider, which run last.
	virtualbox []deferred
}

func newEvaluator(src string, o Options, ps *problems) *evaluator {
	e := &evaluator{src: src, options: o, ps: ps, scope: &scope{vars: map[string]value{}}, globals: map[string]value{}, defs: map[string]def{}}
	e.envs = map[string]value{}
	e.root = &target{m: &Machine{}, said: map[string]value{}}
	return e
}

// build runs the statements, then the blocks that they left, in Vagrant's order: those of Vagrant.configure, then for each
// machine its own, then those of the provider.
func (e *evaluator) build(body []expr) Project {
	e.top(body)
	for _, c := range e.configs {
		e.later(c, e.object(e.root, ""))
	}
	e.project.Machines = []Machine{}
	for _, group := range e.machines() {
		e.project.Machines = append(e.project.Machines, *e.machine(group))
	}
	if len(e.defines) == 0 {
		e.finish(e.root)
		e.root.m.Name = Setting[string]{}
		e.project.Machines = append(e.project.Machines, *e.root.m)
	}
	return e.project
}

// top runs the statements of the file. A doubtful return leaves the rest in doubt, and it stays so.
func (e *evaluator) top(body []expr) {
	e.run(body)
	e.jumping = nil
	e.doubts, e.log = nil, nil
}

// later runs a deferred block with its argument.
func (e *evaluator) later(d deferred, args ...value) {
	e.doubts, e.log, e.jumping = slices.Clone(d.doubts), nil, nil
	e.callClosure(d.cl, args, d.at)
	e.doubts, e.log, e.jumping = nil, nil, nil
}

// machines groups the definitions by name, in the order of the first; each name that is not known is a group of its own.
func (e *evaluator) machines() [][]definition {
	var groups [][]definition
	places := map[string]int{}
	for _, d := range e.defines {
		id, u := plain(d.name)
		if i, ok := places[id]; ok && u == nil {
			groups[i] = append(groups[i], d)
			continue
		}
		if len(groups) == maxMachines {
			e.stop(d.at, "the file defines too many machines")
			return groups
		}
		if u == nil {
			places[id] = len(groups)
		}
		groups = append(groups, []definition{d})
	}
	return groups
}

// machine describes one machine: what all share, then what its own blocks say, then its provider.
func (e *evaluator) machine(group []definition) *Machine {
	t := e.root.clone()
	e.entries += t.m.entries()
	if e.entries > maxEntries {
		e.stop(group[0].at, "the file says too much")
	}
	e.current = t
	defer func() { e.current = nil }()
	t.m.Name = e.text1(group[0].name, group[0].at)
	t.m.Maybe = e.maybe(group)
	for _, d := range group {
		e.defineOptions(t, d)
		if d.run == nil {
			continue
		}
		run := *d.run
		if t.m.Maybe != "" { // what its block says holds if the machine exists
			run.doubts = nil
		}
		e.later(run, e.object(t, ""))
	}
	e.finish(t)
	return t.m
}

// maybe is why a machine may not exist: every statement that defines it is in doubt.
func (e *evaluator) maybe(group []definition) string {
	why := ""
	for _, d := range group {
		if len(d.doubts) == 0 {
			return ""
		}
		if why == "" {
			why = e.reason(d.doubts[0])
		}
	}
	return why
}

func (e *evaluator) defineOptions(t *target, d definition) {
	if d.opts == nil {
		return
	}
	e.doubts = nil
	for i, k := range d.opts.keys {
		switch id, _ := plain(k); id {
		case "primary":
			t.m.Primary = e.bool1(d.opts.values[i], e.optionAt(d.x, id))
		case "autostart":
			t.m.Autostart = e.bool1(d.opts.values[i], e.optionAt(d.x, id))
		}
	}
}

// finish runs the blocks of the provider.
func (e *evaluator) finish(t *target) {
	e.current = t
	for _, d := range t.virtualbox {
		args := []value{e.object(t, "virtualbox!")}
		if d.cl.block != nil && len(d.cl.block.params) > 1 {
			args = append(args, e.object(t, ""))
		}
		e.later(d, args...)
	}
}

// clone copies what all machines share.
func (t *target) clone() *target {
	m := *t.m
	m.ForwardedPorts, m.Networks, m.SyncedFolders = slices.Clone(m.ForwardedPorts), slices.Clone(m.Networks), slices.Clone(m.SyncedFolders)
	m.Providers, m.Provisioners, m.Triggers = slices.Clone(m.Providers), slices.Clone(m.Provisioners), slices.Clone(m.Triggers)
	m.Settings, m.VirtualBox.Settings = maps.Clone(m.Settings), maps.Clone(m.VirtualBox.Settings)
	m.VirtualBox.Customize = slices.Clone(m.VirtualBox.Customize)
	return &target{m: &m, said: maps.Clone(t.said), virtualbox: slices.Clone(t.virtualbox)}
}

func (m *Machine) entries() int {
	return 1 + len(m.ForwardedPorts) + len(m.Networks) + len(m.SyncedFolders) + len(m.Providers) + len(m.Provisioners) + len(m.Triggers) +
		len(m.Settings) + len(m.VirtualBox.Settings) + len(m.VirtualBox.Customize)
}

// entry counts one entry of a list; false: there are too many.
func (e *evaluator) entry(at span) bool {
	e.entries++
	if e.entries > maxEntries {
		e.stop(at, "the file says too much")
	}
	return !e.stopped
}
