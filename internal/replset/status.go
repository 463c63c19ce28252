package replset

import (
	"fmt"
	"slices"
	"time"
)

// Row is one member as `boxdoctor mongo status` shows it.
type Row struct {
	Host    string `json:"host"`
	State   string `json:"state"`
	Healthy bool   `json:"healthy"`
	// LagSeconds is how far its last operation is behind the primary's; -1 where that means nothing.
	LagSeconds int64   `json:"lag_seconds"`
	Votes      int     `json:"votes"`
	Priority   float64 `json:"priority"`
	// Version is that of its server, ConfigVersion that of the document that it runs with; empty and 0 where it was not asked.
	Version       string `json:"version"`
	ConfigVersion int64  `json:"config_version"`
	SyncsFrom     string `json:"syncs_from"`
	Message       string `json:"message"`
	// Declared and Member tell whether it stands in the declaration, and in the set.
	Declared bool `json:"declared"`
	Member   bool `json:"member"`
}

// Summary is a set as it stands.
type Summary struct {
	SchemaVersion int    `json:"schema_version"`
	Set           string `json:"set"`
	Primary       string `json:"primary"`
	// Majority tells whether a majority of votes lives, by what the member that was asked says.
	Majority bool  `json:"majority"`
	Members  []Row `json:"members"`
	// Problems are what is wrong, each with what to do; none: exit status 0.
	Problems []string `json:"problems"`
	ExitCode int      `json:"exit_code"`
}

// Summarize judges what was observed against the declaration. A lag beyond maxLag is a problem.
func Summarize(want Set, have Facts, maxLag time.Duration) Summary {
	s := Summary{SchemaVersion: 1, Set: want.Name, Members: []Row{}, Problems: []string{}}
	if p := have.primary(); p != nil {
		s.Primary = p.Host
	}
	if have.Config != nil {
		for _, m := range have.Config.Members {
			s.Members = append(s.Members, have.row(m))
		}
	}
	for i := range s.Members {
		s.Members[i].Declared = slices.ContainsFunc(want.Members, func(w Member) bool { return same(w.Host, s.Members[i].Host) })
	}
	for _, w := range want.Members {
		if have.Config == nil || have.Config.index(w.Host) < 0 {
			s.Members = append(s.Members, have.outsider(w.Host))
		}
	}
	s.judge(have, maxLag)
	return s
}

// row is a member of the document.
func (f Facts) row(m MemberConfig) Row {
	st := f.state(m.Host)
	r := Row{Host: m.Host, State: StateName(st.State), Healthy: st.Healthy, LagSeconds: -1, Votes: int(m.votes()), Priority: m.priority(), SyncsFrom: st.Source,
		Message: st.Message, ConfigVersion: st.ConfigVersion, Member: true}
	if n := f.node(m.Host); n != nil {
		r.Version = n.Version
		if n.Err != nil && r.Message == "" {
			r.Message = n.Err.Error()
		}
	}
	for _, p := range f.Status {
		if p.State == StatePrimary && (st.State == StateSecondary || st.State == StatePrimary) && !p.Optime.IsZero() && !st.Optime.IsZero() {
			r.LagSeconds = max(0, int64(p.Optime.Sub(st.Optime)/time.Second))
		}
	}
	return r
}

// outsider is a declared member that is not in the document.
func (f Facts) outsider(host string) Row {
	r := Row{Host: host, State: "not a member", LagSeconds: -1, Declared: true}
	n := f.node(host)
	switch {
	case n == nil:
		r.Message = "not asked"
	case n.Err != nil:
		r.State, r.Message = "no answer", n.Err.Error()
	case n.Access == AccessNone:
		r.State, r.Message = "login refused", "the administrator's password was refused"
	case n.Code == CodeNotYetInitialized:
		r.Version, r.Message = n.Version, "never initiated"
	default:
		r.Version = n.Version
	}
	return r
}

// judge finds what makes the exit status 1.
func (s *Summary) judge(have Facts, maxLag time.Duration) {
	votes, alive := 0, 0
	for _, m := range s.Members {
		votes += m.Votes
		if m.Healthy && m.Member {
			alive += m.Votes
		}
	}
	s.Majority = alive > votes/2
	add := func(format string, a ...any) { s.Problems = append(s.Problems, fmt.Sprintf(format, a...)) }
	switch {
	case have.Config == nil && allFresh(have):
		add("the set was never formed: boxdoctor provision forms it")
	case have.Config == nil:
		add("no member told the set's configuration, so nothing is known of its members")
	case s.Primary == "":
		add("there is no primary: nothing can be written. Bring a majority of members back; boxdoctor never forces one")
	}
	if have.Config != nil && !s.Majority {
		add("no majority: %d of %d votes live", alive, votes)
	}
	for _, m := range s.Members {
		switch {
		case m.Member && !m.Healthy:
			add("%s is %s%s; once it is gone for good: boxdoctor mongo remove-unreachable", m.Host, m.State, colon(m.Message))
		case m.LagSeconds >= 0 && time.Duration(m.LagSeconds)*time.Second > maxLag:
			add("%s is %d s behind the primary (--max-lag %s)", m.Host, m.LagSeconds, maxLag)
		case !m.Member && have.Config != nil:
			add("%s is declared and no member (%s): boxdoctor provision adds it", m.Host, m.State)
		case !m.Declared:
			add("%s is a member and not declared: boxdoctor provision removes it", m.Host)
		}
	}
	if len(s.Problems) > 0 {
		s.ExitCode = 1
	}
}

func allFresh(f Facts) bool {
	return !slices.ContainsFunc(f.Nodes, func(n Node) bool { return n.Code != CodeNotYetInitialized })
}

func colon(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

// Without is the set as it stands, less the members that cannot be reached; they are returned, too. Its drive is a plain
// reconfiguration, one member at a time, as long as a majority lives.
func Without(have Facts) (Set, []string) {
	s := Set{Name: have.Config.ID, AllowPSA: true}
	var gone []string
	for _, m := range have.Config.Members {
		if st := have.state(m.Host); st.State == StateDown || st.State == StateUnknown && !st.Healthy {
			gone = append(gone, m.Host)
			continue
		}
		w := Member{Host: m.Host, Arbiter: m.Arbiter, Hidden: m.Hidden != nil && *m.Hidden, Priority: m.priority(), Votes: int(m.votes()), Tags: m.Tags}
		if m.Delay != nil {
			w.Delay = *m.Delay
		}
		s.Members = append(s.Members, w)
	}
	return s, gone
}

// Forced is the reconfiguration of a set without a majority, at the living member that knows the newest document. It is
// never part of a drive: only a person who typed the set's name for this run sends it (manual: do not use force in
// automatic scripts, nor while there is a primary).
func Forced(have Facts, want Set) Step {
	d := diff{want: want, have: have, config: *have.Config, primary: &Node{}}
	for i, n := range have.Nodes {
		if n.Err == nil && !n.Arb && n.Code == 0 {
			d.primary = &have.Nodes[i]
			break
		}
	}
	c := have.Config.next()
	c.Members = slices.DeleteFunc(c.Members, func(m MemberConfig) bool {
		return !slices.ContainsFunc(want.Members, func(w Member) bool { return same(w.Host, m.Host) })
	})
	return *d.reconfig(c, "force the set to its living members")
}
