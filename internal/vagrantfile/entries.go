package vagrantfile

import (
	"fmt"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// reason is why something is not known, with the line.
func (e *evaluator) reason(u unknown) string {
	line, _ := e.ps.lines.at(u.at)
	if line == 1 && u.at == 0 {
		return u.why
	}
	return fmt.Sprintf("%s (line %d)", u.why, line)
}

// doubt is the condition under which the current statement stands; empty: none that is not known.
func (e *evaluator) doubt() string {
	if len(e.doubts) == 0 {
		return ""
	}
	return e.reason(e.doubts[0])
}

// setting builds a Setting from a value and its text. nil means that the file takes back what was set.
func setting[T any](e *evaluator, v value, from span, read func(value) (T, *unknown)) Setting[T] {
	s := Setting[T]{Set: true, Source: sourceText(e.src, from)}
	s.Line, s.Column = e.ps.lines.at(from.start)
	got, u := read(v)
	switch {
	case len(e.doubts) > 0:
		s.Value = facts.Unknownf[T]("%s", e.reason(e.doubts[0]))
	case u != nil:
		s.Value = facts.Unknownf[T]("%s", e.reason(*u))
	case v == nil:
		return Setting[T]{}
	default:
		s.Value = facts.Known(got)
	}
	return s
}

func (e *evaluator) text1(v value, from span) Setting[string] { return setting(e, v, from, plain) }

func (e *evaluator) inspected(v value, from span) Setting[string] {
	return setting(e, v, from, func(v value) (string, *unknown) {
		switch v.(type) {
		case string, symbol:
			return plain(v)
		}
		return inspect(v)
	})
}

func (e *evaluator) int1(v value, from span) Setting[int] {
	return setting(e, v, from, func(v value) (int, *unknown) {
		if u, ok := doubtful(v); ok {
			return 0, &u
		}
		n, ok := number(v)
		if !ok {
			return 0, &unknown{fmt.Sprintf("%s is no number", sourceText(e.src, from)), from.start}
		}
		return n, nil
	})
}

func (e *evaluator) bool1(v value, from span) Setting[bool] {
	return setting(e, v, from, func(v value) (bool, *unknown) {
		is, ok := truth(v)
		if !ok {
			u := v.(unknown)
			return false, &u
		}
		return is, nil
	})
}

// texts1 is one text or a list of them.
func (e *evaluator) texts1(v value, from span) Setting[[]string] {
	return setting(e, v, from, func(v value) ([]string, *unknown) {
		if u, ok := doubtful(v); ok {
			return nil, &u
		}
		items := []value{v}
		if a, ok := v.(*array); ok {
			items = a.items
		}
		out := []string{}
		for _, it := range items {
			s, u := plain(it)
			if u != nil {
				return nil, u
			}
			out = append(out, s)
		}
		return out, nil
	})
}

// textsIn is texts1 outside of doubt: the entry carries the doubt.
func (e *evaluator) textsIn(v value, from span) Setting[[]string] {
	return inside(e, v, from, e.texts1)
}

// inside reads a value of an entry, which carries the doubt itself.
func inside[T any](e *evaluator, v value, from span, read func(value, span) Setting[T]) Setting[T] {
	saved := e.doubts
	e.doubts = nil
	defer func() { e.doubts = saved }()
	return read(v, from)
}

// options1 gives the options of an entry to fields, the rest to Options.
func (e *evaluator) options1(x call, args []value, entry *Entry, field func(id string, v value, from span) bool) {
	entry.Line, _ = e.ps.lines.at(x.start)
	entry.Maybe = e.doubt()
	saved := e.doubts
	e.doubts = nil
	defer func() { e.doubts = saved }()
	h, ok := last(args).(*hash)
	if !ok {
		if u, isUnknown := last(args).(unknown); isUnknown && len(args) > 1 {
			entry.Unread = e.reason(u)
		}
		return
	}
	if u, isDoubtful := doubtful(h); isDoubtful {
		entry.Unread = e.reason(u)
	}
	for i, k := range h.keys {
		id, u := plain(k)
		if u != nil {
			continue
		}
		from := e.optionAt(x, id)
		if field(id, h.values[i], from) {
			continue
		}
		if entry.Options == nil {
			entry.Options = map[string]Setting[string]{}
		}
		entry.Options[id] = e.shown(id, h.values[i], from)
	}
}

// optionAt is where the value of an option stands, when it is written in the call itself.
func (e *evaluator) optionAt(x call, id string) span {
	for _, a := range x.args {
		h, ok := a.(hashLit)
		if !ok {
			continue
		}
		for _, p := range h.pairs {
			if l, ok := p.key.(lit); ok {
				if s, _ := plain(l.v); s == id {
					return p.value.where()
				}
			}
		}
	}
	return x.args[len(x.args)-1].where()
}

// network is config.vm.network.
func (e *evaluator) network(m *Machine, x call, args []value) {
	if len(args) == 0 {
		return
	}
	kind := inside(e, args[0], x.args[0].where(), e.text1)
	id, _ := plain(args[0])
	switch id {
	case "forwarded_port":
		e.forwardedPort(m, x, args)
		return
	case "hostonly", "bridged": // version 1
		kind.Value = facts.Known(map[string]string{"hostonly": "private_network", "bridged": "public_network"}[id])
	}
	n := Network{Kind: kind}
	if id == "hostonly" && len(args) > 1 {
		e.hostOnlyV1(&n, args[1], x.args[1].where())
	}
	e.options1(x, args, &n.Entry, func(id string, v value, from span) bool { return e.networkOption(&n, id, v, from) })
	m.Networks = append(m.Networks, n)
}

// hostOnlyV1 is the address of version 1, or :dhcp.
func (e *evaluator) hostOnlyV1(n *Network, v value, from span) {
	switch v := v.(type) {
	case symbol:
		n.Type = inside(e, value(string(v)), from, e.text1)
	case string, unknown:
		n.IP = inside(e, v, from, e.text1)
	}
}

func (e *evaluator) networkOption(n *Network, id string, v value, from span) bool {
	switch id {
	case "ip":
		n.IP = e.text1(v, from)
	case "type":
		n.Type = e.text1(v, from)
	case "netmask":
		n.Netmask = e.text1(v, from)
	case "name":
		n.Name = e.text1(v, from)
	case "bridge":
		n.Bridge = e.texts1(v, from)
	case "auto_config":
		n.AutoConfig = e.bool1(v, from)
	case "virtualbox__intnet":
		n.Internal = e.text1(v, from)
	default:
		return false
	}
	return true
}

func (e *evaluator) forwardedPort(m *Machine, x call, args []value) {
	f := ForwardedPort{}
	e.options1(x, args, &f.Entry, func(id string, v value, from span) bool {
		switch id {
		case "guest":
			f.Guest = e.int1(v, from)
		case "host":
			f.Host = e.int1(v, from)
		case "host_ip":
			f.HostIP = e.text1(v, from)
		case "guest_ip":
			f.GuestIP = e.text1(v, from)
		case "protocol":
			f.Protocol = e.text1(v, from)
		case "id":
			f.ID = e.text1(v, from)
		case "auto_correct":
			f.AutoCorrect = e.bool1(v, from)
		case "disabled":
			f.Disabled = e.bool1(v, from)
		default:
			return false
		}
		return true
	})
	m.addForward(f)
}

// addForward adds a forward; like in Vagrant, a later one with the same id replaces what it says again.
func (m *Machine) addForward(f ForwardedPort) {
	id, ok := f.id()
	if ok && f.Maybe == "" {
		for i, old := range m.ForwardedPorts {
			if oldID, ok := old.id(); ok && oldID == id && old.Maybe == "" {
				m.ForwardedPorts[i] = over(old, f)
				return
			}
		}
	}
	m.ForwardedPorts = append(m.ForwardedPorts, f)
}

// over is f with what old says and f does not.
func over(old, f ForwardedPort) ForwardedPort {
	f.Guest, f.Host = orElse(f.Guest, old.Guest), orElse(f.Host, old.Host)
	f.HostIP, f.GuestIP = orElse(f.HostIP, old.HostIP), orElse(f.GuestIP, old.GuestIP)
	f.Protocol, f.ID = orElse(f.Protocol, old.Protocol), orElse(f.ID, old.ID)
	f.AutoCorrect, f.Disabled = orElse(f.AutoCorrect, old.AutoCorrect), orElse(f.Disabled, old.Disabled)
	return f
}

func orElse[T any](a, b Setting[T]) Setting[T] {
	if a.Set {
		return a
	}
	return b
}

// id is what Vagrant tells forwards apart by: the id, else address, protocol and port of the host.
func (f ForwardedPort) id() (string, bool) {
	if f.ID.Set {
		id, err := f.ID.Value.Get()
		return id, err == nil
	}
	host, err := f.Host.Or(0).Get()
	ip, err2 := f.HostIP.Or("").Get()
	protocol, err3 := f.Protocol.Or("tcp").Get()
	return fmt.Sprintf("%s%s%d", ip, protocol, host), err == nil && err2 == nil && err3 == nil && f.Unread == ""
}

// syncedFolder is config.vm.synced_folder host, guest, options.
func (e *evaluator) syncedFolder(m *Machine, x call, args []value) {
	f := SyncedFolder{}
	if len(args) > 0 {
		f.Host = inside(e, args[0], x.args[0].where(), e.text1)
	}
	if len(args) > 1 && len(x.args) > 1 {
		if _, isHash := args[1].(*hash); !isHash {
			f.Guest = inside(e, args[1], x.args[1].where(), e.text1)
		}
	}
	e.options1(x, args, &f.Entry, func(id string, v value, from span) bool { return e.folderOption(&f, id, v, from) })
	if len(args) == 2 && f.Unread != "" { // the unknown last argument is the folder in the guest, not options
		f.Unread = ""
	}
	m.addFolder(f)
}

func (e *evaluator) folderOption(f *SyncedFolder, id string, v value, from span) bool {
	switch id {
	case "type":
		f.Type = e.text1(v, from)
	case "nfs": // the old way to say type: "nfs"
		if is, ok := truth(v); ok && is {
			f.Type = e.text1("nfs", from)
		}
	case "disabled":
		f.Disabled = e.bool1(v, from)
	case "create":
		f.Create = e.bool1(v, from)
	case "owner":
		f.Owner = e.text1(v, from)
	case "group":
		f.Group = e.text1(v, from)
	case "id", "name":
		f.ID = e.text1(v, from)
	case "mount_options":
		f.MountOptions = e.texts1(v, from)
	case "automount":
		f.Automount = e.bool1(v, from)
	default:
		return false
	}
	return true
}

// addFolder adds a folder; a later one for the same place in the guest replaces it.
func (m *Machine) addFolder(f SyncedFolder) {
	guest, err := f.Guest.Value.Get()
	if err == nil && f.Maybe == "" {
		for i, old := range m.SyncedFolders {
			g, err := old.Guest.Value.Get()
			if err == nil && strings.TrimSuffix(g, "/") == strings.TrimSuffix(guest, "/") && old.Maybe == "" {
				m.SyncedFolders[i] = f
				return
			}
		}
	}
	m.SyncedFolders = append(m.SyncedFolders, f)
}

// provisioner is config.vm.provision.
func (e *evaluator) provisioner(m *Machine, x call, args []value, cl *closure) {
	if len(args) == 0 || len(x.args) == 0 {
		return
	}
	p := Provisioner{Type: inside(e, args[0], x.args[0].where(), e.text1)}
	e.options1(x, args, &p.Entry, func(id string, v value, from span) bool {
		return e.provisionOption(&p, id, v, from)
	})
	if p.Name.Set { // provision "name", type: "shell"
		p.Name, p.Type = inside(e, args[0], x.args[0].where(), e.text1), p.Name
	}
	if cl != nil && cl.block != nil {
		e.callClosure(cl, append([]value{object{provision: &p}}, sinks(cl)...)[:max(1, len(cl.block.params))], x.span)
	}
	m.Provisioners = append(m.Provisioners, p)
}

// provisionOption keeps what tells provisioners apart; the others are not looked at. type goes to Name until the entry is whole.
func (e *evaluator) provisionOption(p *Provisioner, id string, v value, from span) bool {
	switch id {
	case "type":
		p.Name = e.text1(v, from)
	case "run":
		p.Run = e.text1(v, from)
	case "path", "playbook":
		p.Path = e.text1(v, from)
	}
	return true
}

// trigger is config.trigger.after :up do |t| … end.
func (e *evaluator) trigger(m *Machine, x call, args []value, cl *closure) {
	t := Trigger{When: x.id}
	actions := args
	if _, ok := last(args).(*hash); ok {
		actions = args[:len(args)-1]
	}
	if a, ok := value0(actions).(*array); ok && len(actions) == 1 && a.taint == nil {
		actions = a.items
	}
	from := x.span
	if len(x.args) > 0 {
		from = x.args[0].where()
	}
	t.Actions = e.textsIn(e.newArray(actions), from)
	e.options1(x, args, &t.Entry, func(id string, v value, from span) bool {
		e.triggerOption(&t, id, v, from)
		return true
	})
	if cl != nil && cl.block != nil {
		e.callClosure(cl, []value{object{trigger: &t}}, x.span)
	}
	m.Triggers = append(m.Triggers, t)
}

func (e *evaluator) triggerOption(t *Trigger, id string, v value, from span) {
	switch id {
	case "name":
		t.Name = inside(e, v, from, e.text1)
	case "on_error":
		t.OnError = inside(e, v, from, e.text1)
	default:
		if t.Options == nil {
			t.Options = map[string]Setting[string]{}
		}
		t.Options[id] = inside(e, v, from, e.inspected)
	}
}

// forwardV1 is config.vm.forward_port of version 1: [name,] guest, host.
func (e *evaluator) forwardV1(m *Machine, x call, args []value) {
	f := ForwardedPort{}
	e.options1(x, args, &f.Entry, func(id string, v value, from span) bool {
		if id == "auto" {
			f.AutoCorrect = e.bool1(v, from)
		}
		return id == "auto"
	})
	ports := args
	if _, ok := last(args).(*hash); ok {
		ports = args[:len(args)-1]
	}
	if len(ports) == 3 {
		f.ID = inside(e, ports[0], x.args[0].where(), e.text1)
	}
	if n := len(ports); n >= 2 && len(x.args) >= n {
		f.Guest = inside(e, ports[n-2], x.args[n-2].where(), e.int1)
		f.Host = inside(e, ports[n-1], x.args[n-1].where(), e.int1)
	}
	m.addForward(f)
}

// shareV1 is config.vm.share_folder of version 1: name, guest, host.
func (e *evaluator) shareV1(m *Machine, x call, args []value) {
	if len(args) < 3 || len(x.args) < 3 {
		return
	}
	f := SyncedFolder{}
	f.ID = inside(e, args[0], x.args[0].where(), e.text1)
	f.Guest = inside(e, args[1], x.args[1].where(), e.text1)
	f.Host = inside(e, args[2], x.args[2].where(), e.text1)
	e.options1(x, args, &f.Entry, func(id string, v value, from span) bool { return e.folderOption(&f, id, v, from) })
	m.addFolder(f)
}
