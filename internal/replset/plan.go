package replset

import "slices"

// Plan is every step from what was observed to the declaration, as they would be made: each change is assumed to
// succeed and each wait to end. Members that do not answer yet are taken for fresh ones.
func Plan(want Set, have Facts) []Step {
	var out []Step
	f := have
	f.Nodes = slices.Clone(have.Nodes)
	f.Status = slices.Clone(have.Status)
	for range maxSteps {
		s := Next(want, f)
		switch s.Kind {
		case Done:
			return out
		case Stop:
			return append(out, s)
		case Wait:
			if !f.pass() {
				return append(out, s)
			}
			continue
		}
		out = append(out, s)
		f.take(s)
	}
	return out
}

// pass lets a wait end well. It tells whether anything changed by that.
func (f *Facts) pass() bool {
	changed := false
	for i := range f.Nodes {
		if f.Nodes[i].Err != nil {
			f.Nodes[i] = Node{Host: f.Nodes[i].Host, Code: CodeNotYetInitialized, Access: AccessOpen}
			changed = true
		}
	}
	if f.Config != nil {
		for _, m := range f.Config.Members {
			s := f.state(m.Host)
			if s.State != StatePrimary && s.State != StateSecondary && s.State != StateArbiter {
				f.settle(m)
				changed = true
			}
		}
	}
	return changed || f.elect("")
}

// settle makes a member what it is to become.
func (f *Facts) settle(m MemberConfig) {
	state := StateSecondary
	if m.Arbiter {
		state = StateArbiter
	}
	f.Status = slices.DeleteFunc(f.Status, func(s Status) bool { return same(s.Host, m.Host) })
	f.Status = append(f.Status, Status{Host: m.Host, State: state, Healthy: true})
	if n := f.node(m.Host); n != nil {
		n.SetName, n.Code, n.Arb = f.Config.ID, 0, m.Arbiter
		if p := f.primary(); p != nil {
			n.Access, n.Version = p.Access, p.Version
		}
	}
}

// elect makes the first electable member but one the primary.
func (f *Facts) elect(but string) bool {
	if f.Config == nil || f.primary() != nil {
		return false
	}
	for _, m := range f.Config.Members {
		n := f.node(m.Host)
		if n == nil || n.Err != nil || m.Arbiter || m.votes() == 0 || m.priority() == 0 || same(m.Host, but) {
			continue
		}
		n.Writable, n.Primary = true, m.Host
		for i := range f.Status {
			if same(f.Status[i].Host, m.Host) {
				f.Status[i].State = StatePrimary
			}
		}
		return true
	}
	return false
}

// take is what a step brings.
func (f *Facts) take(s Step) {
	switch s.Kind {
	case Initiate:
		f.Config = s.Config
		f.settle(s.Config.Members[0])
		f.elect("")
	case FirstUser:
		for i := range f.Nodes {
			f.Nodes[i].Access = AccessUser
		}
	case WriteConcern:
		f.DefaultWriteConcern = true
	case StepDown:
		f.node(s.At).Writable = false
		for i := range f.Status {
			if same(f.Status[i].Host, s.At) {
				f.Status[i].State = StateSecondary
			}
		}
		f.elect(s.At)
	case Reconfig:
		f.Config = s.Config
		for _, m := range s.Config.Members {
			if f.state(m.Host).State == StateUnknown {
				f.settle(m)
			}
		}
	}
}
