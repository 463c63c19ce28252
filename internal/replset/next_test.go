package replset

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// member is a voting one with data.
func member(host string) Member { return Member{Host: host, Votes: 1, Priority: 1} }

func arbiter(host string) Member { return Member{Host: host, Arbiter: true, Votes: 1} }

func set(ms ...Member) Set { return Set{Name: "rs0", Members: ms} }

// fresh are members that were never initiated.
func fresh(version string, hosts ...string) Facts {
	var f Facts
	for _, h := range hosts {
		f.Nodes = append(f.Nodes, Node{Host: h, Code: CodeNotYetInitialized, Access: AccessOpen, Version: version})
	}
	return f
}

// formed is a set that stands as declared; the first member is its primary.
func formed(version string, s Set) Facts {
	f := Facts{Config: &Config{ID: s.Name, Version: 3}}
	for i, m := range s.Members {
		f.Config.Members = append(f.Config.Members, m.config(int64(i)))
		n := Node{Host: m.Host, SetName: s.Name, Primary: s.Members[0].Host, Me: m.Host, Secondary: i > 0 && !m.Arbiter, Writable: i == 0, Arb: m.Arbiter, Access: AccessUser, Version: version}
		state := StateSecondary
		switch {
		case i == 0:
			state = StatePrimary
		case m.Arbiter:
			state, n.Access = StateArbiter, ""
		}
		f.Nodes, f.Status = append(f.Nodes, n), append(f.Status, Status{Host: m.Host, State: state, Healthy: true})
	}
	return f
}

func kinds(steps []Step) string {
	var out []string
	for _, s := range steps {
		out = append(out, strings.TrimSpace(string(s.Kind)+" "+s.What))
	}
	return strings.Join(out, "\n")
}

func TestFormingASet(t *testing.T) {
	want := set(member("a:1"), member("b:1"), member("c:1"), member("d:1"), arbiter("e:1"))
	want.Members[1].Priority = 2
	got := kinds(Plan(want, fresh("8.0.4", "a:1", "b:1", "c:1", "d:1", "e:1")))
	if got != `initiate initiate rs0 with b:1
first user create the administrator
reconfig add a:1
reconfig add c:1
reconfig add d:1
reconfig add e:1` {
		t.Error(got)
	}
	got = kinds(Plan(set(member("a:1"), member("b:1")), fresh("4.4.29", "a:1", "b:1")))
	if got != `initiate initiate rs0 with a:1
first user create the administrator
reconfig add b:1
reconfig give b:1 1 votes and priority 1` {
		t.Error("4.4 lets a member vote before it holds the data:\n" + got)
	}
}

// The second look at a set that stands finds nothing, whatever its shape.
func TestNothingToDo(t *testing.T) {
	hidden := Member{Host: "c:1", Votes: 0, Hidden: true, Delay: 3600, Tags: map[string]string{"use": "backup"}}
	for _, s := range []Set{set(member("a:1")), set(member("a:1"), member("b:1"), member("c:1")), set(member("a:1"), member("b:1"), hidden)} {
		if got := Next(s, formed("8.0.4", s)); got.Kind != Done {
			t.Errorf("%d members: %+v", len(s.Members), got)
		}
	}
	bare := formed("8.0.4", set(member("a:1"))) // the server leaves defaults out
	bare.Config.Members[0].Votes, bare.Config.Members[0].Priority = nil, nil
	if got := Next(set(member("a:1")), bare); got.Kind != Done {
		t.Errorf("%+v", got)
	}
}

func TestNextByWhatIsSeen(t *testing.T) {
	three := set(member("a:1"), member("b:1"), member("c:1"))
	edit := func(change func(*Facts)) Facts { f := formed("8.0.4", three); change(&f); return f }
	noPrimary := edit(func(f *Facts) { f.Nodes[0].Writable = false; f.Status[0].State = StateSecondary })
	for name, c := range map[string]struct {
		have Facts
		kind Kind
		says string
	}{
		"wrong password": {edit(func(f *Facts) {
			for i := range f.Nodes {
				f.Nodes[i].Access = AccessNone
			}
		}), Stop, "refuses the administrator's password"},
		"another set's name": {edit(func(f *Facts) { f.Nodes[1].SetName = "other" }), Stop, `member of the set "other", declared is "rs0"`},
		"two sets of one name": {edit(func(f *Facts) {
			f.Nodes[2].Writable, f.Nodes[2].Primary = true, "c:1"
			f.Config.Members = f.Config.Members[:2]
		}), Stop, "c:1 was initiated by itself"},
		"joined another set of the name": {edit(func(f *Facts) { f.Nodes[2].Primary = "x:1"; f.Config.Members = f.Config.Members[:2] }), Stop, "whose primary is x:1"},
		"no primary":                     {noPrimary, Wait, "for a primary"},
		"removed from its own set":       {edit(func(f *Facts) { f.Nodes[0].Writable = false; f.Nodes[1].Code = CodeInvalidReplicaConfig }), Wait, "REMOVED"},
		"without replSetName":            {edit(func(f *Facts) { f.Nodes[0].Writable = false; f.Nodes[1].Code = CodeNoReplicationEnabled }), Stop, "runs without replSetName"},
		"one is off, forming": {func() Facts {
			f := fresh("8.0.4", "a:1", "b:1", "c:1")
			f.Nodes[2].Err = errNoStart
			return f
		}(), Wait, "until every member answers (c:1: it does not run yet)"},
		"still copying": {edit(func(f *Facts) { f.Status[2].State = StateStartup2 }), Wait, "until c:1 is SECONDARY; it is STARTUP2"},
		"down":          {edit(func(f *Facts) { f.Status[2].State, f.Status[2].Message = StateDown, "Connection refused" }), Wait, "it is DOWN (Connection refused)"},
		"no user yet":   {edit(func(f *Facts) { f.Nodes[0].Access = AccessOpen }), FirstUser, "create the administrator"},
		"no document":   {edit(func(f *Facts) { f.Config = nil }), Wait, "for the configuration"},
		"a new one is off": {edit(func(f *Facts) { f.Config.Members = f.Config.Members[:2]; f.Nodes[2].Err = errNoStart }), Wait,
			"until c:1 answers: it does not run yet"},
		"removed before, declared again": {edit(func(f *Facts) {
			f.Config.Members = f.Config.Members[:2]
			f.Nodes[2] = Node{Host: "c:1", Code: CodeInvalidReplicaConfig, Access: AccessUser}
		}), Reconfig, "add c:1"},
	} {
		got := Next(three, c.have)
		if text := got.What + got.Why; got.Kind != c.kind || !strings.Contains(text, c.says) {
			t.Errorf("%s: %s: %s; want %s: %s", name, got.Kind, text, c.kind, c.says)
		}
	}
	if Next(three, edit(func(f *Facts) { f.Nodes[1].Err = errNoStart })).Kind != Done {
		t.Error("a set with its members in place is not as declared because one did not answer boxdoctor")
	}
}

var errNoStart = fmt.Errorf("it does not run yet")

func TestChangesOfAStandingSet(t *testing.T) {
	was := set(member("a:1"), member("b:1"), member("c:1"))
	for name, c := range map[string]struct {
		want []Member
		plan string
	}{
		"priority and tags in one": {[]Member{{Host: "a:1", Votes: 1, Priority: 2}, {Host: "b:1", Votes: 1, Priority: 1, Tags: map[string]string{"dc": "x"}}, member("c:1")},
			"reconfig change a:1: priority 1 → 2; b:1: tags map[] → map[dc:x]"},
		"a vote taken":       {[]Member{member("a:1"), member("b:1"), {Host: "c:1", Hidden: true}}, "reconfig give c:1 0 votes and priority 0"},
		"one removed":        {[]Member{member("a:1"), member("b:1")}, "reconfig remove c:1"},
		"the primary leaves": {[]Member{member("b:1"), member("c:1")}, "step down let another member become the primary instead of a:1\nreconfig remove a:1"},
		"two for two":        {[]Member{member("a:1"), member("d:1"), member("e:1")}, "reconfig add d:1\nreconfig add e:1\nreconfig remove b:1\nreconfig remove c:1"},
		"data to arbiter":    {[]Member{member("a:1"), member("b:1"), member("d:1"), arbiter("c:1")}, "stop"},
	} {
		want := Set{Name: "rs0", Members: c.want, AllowPSA: true}
		have := formed("8.0.4", was)
		for _, m := range c.want {
			if have.node(m.Host) == nil {
				have.Nodes = append(have.Nodes, fresh("8.0.4", m.Host).Nodes...)
			}
		}
		if got := kinds(Plan(want, have)); got != c.plan {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.plan)
		}
	}
}

// Since 5.0 a server refuses an arbiter that changes the implicit write concern (103); 4.4 knows no such rule.
func TestPSASetsTheWriteConcernFirst(t *testing.T) {
	want := set(member("a:1"), member("b:1"), arbiter("c:1"))
	if err := want.Validate(); err == nil || !strings.Contains(err.Error(), "allow_psa: true") {
		t.Errorf("%v", err)
	}
	want.AllowPSA = true
	have := formed("7.0.1", set(member("a:1"), member("b:1")))
	have.Nodes = append(have.Nodes, fresh("", "c:1").Nodes...)
	steps := Plan(want, have)
	if len(steps) != 2 || steps[0].Kind != WriteConcern || steps[0].Concern != "majority" || steps[1].Kind != Reconfig {
		t.Error(kinds(steps))
	}
	want.WriteConcern = "1"
	if steps = Plan(want, have); steps[0].Concern != 1 {
		t.Errorf("%v", steps[0].Concern)
	}
	have.DefaultWriteConcern = true
	if steps = Plan(want, have); len(steps) != 1 {
		t.Error(kinds(steps))
	}
	have.DefaultWriteConcern, have.Nodes[0].Version = false, "4.4.29"
	if steps = Plan(want, have); len(steps) != 1 {
		t.Error(kinds(steps))
	}
	if err := set(member("a:1"), member("b:1"), member("c:1"), member("d:1"), arbiter("e:1")).Validate(); err != nil {
		t.Errorf("4 and an arbiter: %v", err)
	}
}

func TestValidate(t *testing.T) {
	for text, s := range map[string]Set{
		"is declared twice":             set(member("a:1"), member("a:1")),
		"votes is 2":                    set(Member{Host: "a:1", Votes: 2, Priority: 1}),
		"without a vote has priority 0": set(member("b:1"), Member{Host: "a:1", Priority: 1}),
		"between 0 and 1000":            set(Member{Host: "a:1", Votes: 1, Priority: 1001}),
		"hidden or delayed":             set(Member{Host: "a:1", Votes: 1, Priority: 1, Hidden: true}),
		"neither hidden":                set(member("b:1"), Member{Host: "a:1", Votes: 1, Arbiter: true, Tags: map[string]string{"a": "b"}}),
		"can become the primary":        set(Member{Host: "a:1", Votes: 1}),
		"at most 50 members and 7":      set(member("a:1"), member("b:1"), member("c:1"), member("d:1"), member("e:1"), member("f:1"), member("g:1"), member("h:1")),
		"no name":                       {Members: []Member{member("a:1")}},
	} {
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, want %s", err, text)
		}
	}
}

// Any set comes to any other in legal steps: one vote at a time, never more than seven, never without its primary, never
// forced, and ends as declared.
func TestEveryPlanIsLegal(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 7))
		was, want := randomSet(r), randomSet(r)
		version := []string{"4.4.29", "5.0.31", "8.0.4"}[r.IntN(3)]
		have := formed(version, was)
		for _, m := range want.Members {
			if have.node(m.Host) == nil {
				have.Nodes = append(have.Nodes, fresh(version, m.Host).Nodes...)
			}
		}
		config, concern := have.Config, false
		steps := Plan(want, have)
		for _, s := range steps {
			switch s.Kind {
			case Reconfig:
				if err := legal(*config, *s.Config, s.At, version, concern); err != nil {
					t.Fatalf("seed %d, %s: %v\n%s\n%s", seed, s.What, err, config.Text(), s.Config.Text())
				}
				config = s.Config
			case WriteConcern:
				concern = true
			}
		}
		if last := steps; len(last) > 0 && last[len(last)-1].Kind == Stop {
			if !strings.Contains(last[len(last)-1].Why, "between a member with data and an arbiter") {
				t.Fatalf("seed %d: %s", seed, kinds(steps))
			}
			continue
		}
		if len(config.Members) != len(want.Members) {
			t.Fatalf("seed %d ends with %s, want %+v\n%s", seed, config.Text(), want, kinds(steps))
		}
		for _, w := range want.Members {
			if i := config.index(w.Host); i < 0 || config.Members[i].differs(w) != "" || config.Members[i].votes() != int64(w.Votes) {
				t.Fatalf("seed %d: %s is not as declared in %s", seed, w.Host, config.Text())
			}
		}
	}
}

func randomSet(r *rand.Rand) Set {
	for {
		s := Set{Name: "rs0", AllowPSA: true}
		for _, h := range r.Perm(9)[:1+r.IntN(8)] {
			m := member(fmt.Sprintf("h%d:1", h))
			switch r.IntN(6) {
			case 0:
				m.Votes, m.Priority = 0, 0
			case 1:
				m.Priority = float64(r.IntN(4))
			case 2:
				m = arbiter(m.Host)
			}
			s.Members = append(s.Members, m)
		}
		if s.Validate() == nil && s.Members[0].electable() {
			return s
		}
	}
}

// legal are the rules of replSetReconfig without force.
func legal(from, to Config, primary, version string, concern bool) error {
	votes := map[string]int64{}
	for _, m := range from.Members {
		votes[m.Host] += m.votes()
	}
	for _, m := range to.Members {
		votes[m.Host] -= m.votes()
		if m.votes() == 0 && m.priority() != 0 {
			return fmt.Errorf("%s has priority without a vote", m.Host)
		}
	}
	changes := 0
	for _, n := range votes {
		if n != 0 {
			changes++
		}
	}
	i := to.index(primary)
	switch {
	case changes > 1:
		return fmt.Errorf("%d votes change at once", changes)
	case to.voting() > MaxVoting:
		return fmt.Errorf("%d votes", to.voting())
	case to.Version != from.Version+1:
		return fmt.Errorf("version %d after %d", to.Version, from.Version)
	case i < 0 || to.Members[i].Arbiter || to.Members[i].priority() == 0:
		return fmt.Errorf("the primary %s cannot be one in it", primary)
	case version != "4.4.29" && !concern && from.implicitOne() != to.implicitOne():
		return fmt.Errorf("the implicit write concern changes")
	}
	seen := map[int64]string{}
	for _, m := range append(append([]MemberConfig{}, from.Members...), to.Members...) {
		if h, ok := seen[m.ID]; ok && h != m.Host {
			return fmt.Errorf("the id %d goes from %s to %s", m.ID, h, m.Host)
		}
		seen[m.ID] = m.Host
	}
	return nil
}
