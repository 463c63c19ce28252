package vagrantfile

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// object is the configuration, or a part of it by its dotted path: "" is config itself, "vm" config.vm, "virtualbox!" the
// argument of the provider's block. A sink takes everything and keeps nothing.
type object struct {
	t    *target
	path string
	// trigger and provision are what the block of such an entry describes; sink: nothing is kept.
	trigger   *Trigger
	provision *Provisioner
	sink      bool
}

func (e *evaluator) object(t *target, path string) object { return object{t: t, path: path} }

// at is the machine that a statement is about. A statement in the block of a machine about the configuration outside does not
// reach this machine as its writer expects, so what it says is doubtful.
func (e *evaluator) about(o object, at span) (*target, func()) {
	if e.current == nil || o.t == e.current {
		return o.t, func() {}
	}
	saved := e.doubts
	e.doubts = append(slices.Clone(e.doubts), e.unknownf(at, "it is said to the configuration outside, in the block of a machine: which machines it reaches depends on their order"))
	return e.current, func() { e.doubts = saved }
}

// attribute is config.path.id = v.
func (e *evaluator) attribute(o object, id string, v value, from span) {
	switch {
	case o.sink:
		return
	case o.trigger != nil:
		e.triggerOption(o.trigger, id, v, from)
		return
	case o.provision != nil:
		e.provisionOption(o.provision, id, v, from)
		return
	}
	t, done := e.about(o, from)
	defer done()
	full := strings.TrimPrefix(o.path+"."+id, ".")
	if len(e.doubts) > 0 {
		t.said[full] = e.doubts[0]
	} else {
		t.said[full] = v
	}
	if !e.entry(from) {
		return
	}
	switch o.path {
	case "virtualbox!":
		e.virtualBox(&t.m.VirtualBox, id, v, from)
	case "vm":
		e.vm(t.m, id, v, from)
	case "vagrant":
		e.plugins(id, v, from)
	default:
		e.other(t.m, full, v, from)
	}
}

// vm is config.vm.id = v.
func (e *evaluator) vm(m *Machine, id string, v value, from span) {
	switch id {
	case "box":
		m.Box = e.text1(v, from)
	case "box_version":
		m.BoxVersion = e.text1(v, from)
	case "box_architecture":
		m.BoxArchitecture = e.text1(v, from)
	case "box_url":
		m.BoxURL = e.texts1(v, from)
	case "box_check_update":
		m.BoxCheckUpdate = e.bool1(v, from)
	case "hostname", "host_name":
		m.Hostname = e.text1(v, from)
	case "boot_timeout":
		m.BootTimeout = e.int1(v, from)
	case "boot_mode": // version 1
		if mode, ok := v.(symbol); ok {
			v = mode == "gui"
		}
		m.VirtualBox.GUI = e.bool1(v, from)
	default:
		e.other(m, "vm."+id, v, from)
	}
}

func (e *evaluator) virtualBox(vb *VirtualBox, id string, v value, from span) {
	switch id {
	case "name":
		vb.Name = e.text1(v, from)
	case "memory":
		vb.MemoryMB = e.int1(v, from)
	case "cpus":
		vb.CPUs = e.int1(v, from)
	case "gui":
		vb.GUI = e.bool1(v, from)
	case "linked_clone":
		vb.LinkedClone = e.bool1(v, from)
	case "check_guest_additions":
		vb.CheckGuestAdditions = e.bool1(v, from)
	case "functional_vboxsf":
		vb.FunctionalVboxsf = e.bool1(v, from)
	default:
		if vb.Settings == nil {
			vb.Settings = map[string]Setting[string]{}
		}
		vb.Settings[id] = e.shown(id, v, from)
	}
}

func (e *evaluator) other(m *Machine, full string, v value, from span) {
	if m.Settings == nil {
		m.Settings = map[string]Setting[string]{}
	}
	m.Settings[full] = e.shown(full, v, from)
}

// secret names settings whose value nobody needs and nobody should see again.
var secret = regexp.MustCompile(`(?i)(password|passphrase|secret|token|access_key|api_key)[a-z_]*$`)

// shown is a setting as text, without a secret.
func (e *evaluator) shown(id string, v value, from span) Setting[string] {
	s := e.inspected(v, from)
	if secret.MatchString(id) && s.Set {
		s.Source = "(not shown)"
		if s.Value.IsKnown() {
			s.Value = facts.Known("(not shown)")
		}
	}
	return s
}

// plugins is config.vagrant.plugins = a name, a list, or a hash by name.
func (e *evaluator) plugins(id string, v value, from span) {
	if id != "plugins" {
		return
	}
	e.project.Plugins = nil
	var items []value
	switch v := v.(type) {
	case *hash:
		items = v.keys
	case *array:
		items = v.items
	default:
		items = []value{v}
	}
	if u, ok := doubtful(v); ok {
		items = []value{u}
	}
	for _, it := range items {
		e.project.Plugins = append(e.project.Plugins, e.text1(it, from))
	}
}

// configure is a call on the configuration.
func (e *evaluator) configure(o object, x call) value {
	if len(x.args) == 0 && x.block == nil {
		return e.part(o, x)
	}
	if o.sink || o.trigger != nil || o.provision != nil {
		return e.absorb(o, x)
	}
	if o.path == "vm" || o.path == "virtualbox!" || o.path == "trigger" {
		t, done := e.about(o, x.span)
		defer done()
		if e.statement(t, o.path, x) {
			return nil
		}
	}
	return e.absorb(object{sink: true}, x)
}

// part is config.x: what was set before, or the part of that name.
func (e *evaluator) part(o object, x call) value {
	if o.sink || o.trigger != nil || o.provision != nil {
		return object{sink: true}
	}
	full := strings.TrimPrefix(o.path+"."+x.id, ".")
	if v, ok := o.t.said[full]; ok {
		return v
	}
	if o.path == "virtualbox!" {
		return e.unknownf(x.span, "%s was not set before", sourceText(e.src, x.span))
	}
	if strings.Count(full, ".") > 4 {
		return object{sink: true}
	}
	return e.object(o.t, full)
}

// absorb evaluates what a call is given, for its effect on variables, and keeps nothing else.
func (e *evaluator) absorb(o object, x call) value {
	args, cl, u := e.arguments(x)
	if o.trigger != nil && (x.id == "ruby" || x.id == "run" && cl != nil) {
		return nil // runs when the trigger fires
	}
	if o.trigger != nil && len(args) == 1 {
		e.triggerOption(o.trigger, x.id, args[0], x.args[0].where())
	}
	if cl != nil && cl.block != nil {
		if u != nil {
			return e.once(cl, *u, x.span)
		}
		e.callClosure(cl, sinks(cl), x.span)
	}
	return object{sink: true}
}

func sinks(cl *closure) []value {
	var all []value
	for range max(1, len(cl.block.params)) {
		all = append(all, object{sink: true})
	}
	return all
}

// statement is a call that says something about a machine; false: it is none of those that are known.
func (e *evaluator) statement(t *target, path string, x call) bool {
	args, cl, u := e.arguments(x)
	if u != nil {
		args = []value{*u}
	}
	if !e.entry(x.span) {
		return true
	}
	switch path + "." + x.id {
	case "vm.define":
		e.defineMachine(t, x, args, cl)
	case "vm.provider":
		e.provider(t, x, args, cl)
	case "vm.network":
		e.network(t.m, x, args)
	case "vm.synced_folder":
		e.syncedFolder(t.m, x, args)
	case "vm.provision":
		e.provisioner(t.m, x, args, cl)
	case "vm.forward_port": // version 1
		e.forwardV1(t.m, x, args)
	case "vm.share_folder": // version 1
		e.shareV1(t.m, x, args)
	case "vm.customize", "virtualbox!.customize":
		e.customize(&t.m.VirtualBox, x, args)
	case "trigger.before", "trigger.after", "trigger.instead_of":
		e.trigger(t.m, x, args, cl)
	case "vm.disk":
		e.disk(t.m, args, x.span)
	default:
		return false
	}
	return true
}

// disk is config.vm.disk; nothing looks into it.
func (e *evaluator) disk(m *Machine, args []value, at span) {
	n := 0
	for m.Settings[fmt.Sprintf("vm.disk.%d", n)].Set {
		n++
	}
	e.other(m, fmt.Sprintf("vm.disk.%d", n), e.newArray(args), at)
}

func (e *evaluator) defineMachine(t *target, x call, args []value, cl *closure) {
	if e.current != nil {
		e.ps.unfollowed(x.span, "a machine is defined in the block of another one: Vagrant takes no notice of it")
		return
	}
	d := definition{name: value0(args), at: x.span, x: x, doubts: slices.Clone(e.doubts)}
	if len(x.args) > 0 {
		d.at = x.args[0].where()
		if a, ok := x.args[0].(assign); ok {
			d.at = a.value.where()
		}
	}
	d.opts, _ = last(args).(*hash)
	if cl != nil {
		d.run = &deferred{cl, slices.Clone(e.doubts), x.span}
	}
	e.defines = append(e.defines, d)
}

func (e *evaluator) provider(t *target, x call, args []value, cl *closure) {
	if len(x.args) == 0 {
		return
	}
	s := e.text1(value0(args), x.args[0].where())
	t.m.Providers = append(t.m.Providers, s)
	id, u := plain(value0(args))
	if cl == nil || u == nil && id != "virtualbox" {
		return
	}
	doubts := slices.Clone(e.doubts)
	if u != nil {
		doubts = append(doubts, *u)
	}
	t.virtualbox = append(t.virtualbox, deferred{cl, doubts, x.span})
}

// arguments1 are the arguments of VBoxManage, in which :id stays a symbol.
func (e *evaluator) arguments1(v value, from span) Setting[[]string] {
	if a, ok := v.(*array); ok && a.taint == nil {
		items := slices.Clone(a.items)
		for i, it := range items {
			if s, ok := it.(symbol); ok {
				items[i] = ":" + string(s)
			}
		}
		v = e.newArray(items)
	}
	return e.texts1(v, from)
}

// customize is vb.customize [arguments], or with the event before the list.
func (e *evaluator) customize(vb *VirtualBox, x call, args []value) {
	if len(args) == 0 {
		return
	}
	at := x.args[len(x.args)-1].where()
	line, _ := e.ps.lines.at(x.start)
	c := Customize{Line: line, Maybe: e.doubt(), Args: inside(e, last(args), at, e.arguments1)}
	vb.Customize = append(vb.Customize, c)
	a, ok := last(args).(*array)
	if !ok || a.taint != nil || len(a.items) < 2 || a.items[0] != value("modifyvm") {
		return
	}
	for i, it := range a.items[:len(a.items)-1] {
		switch it {
		case "--memory":
			vb.MemoryMB = e.int1(a.items[i+1], at)
		case "--cpus":
			vb.CPUs = e.int1(a.items[i+1], at)
		case "--name":
			vb.Name = e.text1(a.items[i+1], at)
		}
	}
}
