package replset

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-version"
)

// Kind is what a step does.
type Kind string

// Kinds of steps.
const (
	Done         Kind = "done"
	Wait         Kind = "wait"
	Initiate     Kind = "initiate"
	Reconfig     Kind = "reconfig"
	FirstUser    Kind = "first user"
	WriteConcern Kind = "write concern"
	StepDown     Kind = "step down"
	Stop         Kind = "stop"
)

// Step is the one next thing to do.
type Step struct {
	Kind Kind
	// At is the member that is told.
	At string
	// What says it to people: "add db2:27017", "until db2:27017 is SECONDARY".
	What string
	// Config is the document of an Initiate or Reconfig.
	Config *Config
	// From is the document before a Reconfig.
	From *Config
	// Concern is the write concern to set.
	Concern any
	// Why a Stop stops, with what to do.
	Why string
	// Sync: the wait is for data to be copied, which takes as long as there is data; other waits are short.
	Sync bool
}

// Next decides. It is pure: the same facts give the same step.
func Next(want Set, have Facts) Step {
	for _, rule := range []func(Set, Facts) *Step{refused, unheard, foreign, initiate, noPrimary, firstUser, unknownConfig, changed} {
		if s := rule(want, have); s != nil {
			return *s
		}
	}
	return Step{Kind: Done}
}

// refused: no user of ours and no exception, anywhere. A member that is still copying data has no users yet.
func refused(want Set, have Facts) *Step {
	if slices.ContainsFunc(have.Nodes, func(n Node) bool { return n.Access == AccessUser }) {
		return nil
	}
	for _, n := range have.Nodes {
		if n.Err == nil && n.Access == AccessNone && !n.Arb && !declaredArbiter(want, n.Host) {
			return &Step{Kind: Stop, At: n.Host, Why: n.Host + " refuses the administrator's password, and has users already"}
		}
	}
	return nil
}

func declaredArbiter(want Set, host string) bool {
	return slices.ContainsFunc(want.Members, func(m Member) bool { return same(m.Host, host) && m.Arbiter })
}

// unheard: members that cannot be asked at all. With a primary the rest may go on; forming a set needs all.
func unheard(_ Set, have Facts) *Step {
	if have.primary() != nil {
		return nil
	}
	var out []string
	for _, n := range have.Nodes {
		if n.Err != nil {
			out = append(out, fmt.Sprintf("%s: %v", n.Host, n.Err))
		}
		if n.Err == nil && n.Code == CodeNoReplicationEnabled {
			return &Step{Kind: Stop, At: n.Host, Why: n.Host + " runs without replSetName: its configuration is not the declared one"}
		}
	}
	if len(out) == 0 {
		return nil
	}
	return &Step{Kind: Wait, What: "until every member answers (" + strings.Join(out, "; ") + ")"}
}

// foreign: a member belongs to something else. Nothing is ever wiped or forced.
func foreign(want Set, have Facts) *Step {
	primaries := []string{}
	for _, n := range have.Nodes {
		if n.SetName != "" && n.SetName != want.Name {
			return &Step{Kind: Stop, At: n.Host, Why: fmt.Sprintf("%s is a member of the set %q, declared is %q: a set is not renamed; declare its name, or move its data away by hand", n.Host, n.SetName, want.Name)}
		}
		if n.Writable {
			primaries = append(primaries, n.Host)
		}
	}
	if have.Config == nil || len(primaries) < 2 {
		return nil
	}
	for _, p := range primaries {
		if have.Config.index(p) < 0 {
			return &Step{Kind: Stop, At: p, Why: p + " was initiated by itself and is the primary of another set with this name: it holds data of its own and is not wiped; save that data, then empty its dbPath by hand"}
		}
	}
	return nil // an election just passed; the older of the two steps down by itself
}

// initiate: nobody was. One member forms the set alone, the others are added one by one.
func initiate(want Set, have Facts) *Step {
	var fresh []string
	for _, n := range have.Nodes {
		if n.Err == nil && n.SetName == "" && n.Code == CodeNotYetInitialized {
			fresh = append(fresh, n.Host)
		}
	}
	if len(fresh) < len(have.Nodes) || len(fresh) == 0 {
		return nil
	}
	first := want.first()
	c := &Config{ID: want.Name, Version: 1, Members: []MemberConfig{first.config(0)}}
	return &Step{Kind: Initiate, At: first.Host, Config: c, What: "initiate " + want.Name + " with " + first.Host}
}

// first is the member that forms the set: the one that is to be the primary.
func (s Set) first() Member {
	best := Member{Priority: -1}
	for _, m := range s.Members {
		if m.electable() && m.Priority > best.Priority {
			best = m
		}
	}
	return best
}

// noPrimary: wait for an election. Whoever drives bounds the wait.
func noPrimary(_ Set, have Facts) *Step {
	if have.primary() != nil {
		return nil
	}
	for _, n := range have.Nodes {
		if n.Code == CodeInvalidReplicaConfig {
			return &Step{Kind: Wait, At: n.Host, What: "for a primary; " + n.Host + " says that it is no member of its own set (REMOVED): its name in the set's configuration may have changed"}
		}
	}
	return &Step{Kind: Wait, What: "for a primary"}
}

// firstUser: by the localhost exception, as soon as there is a primary.
func firstUser(_ Set, have Facts) *Step {
	if p := have.primary(); p.Access == AccessOpen {
		return &Step{Kind: FirstUser, At: p.Host, What: "create the administrator"}
	}
	return nil
}

func unknownConfig(_ Set, have Facts) *Step {
	if have.Config != nil {
		return nil
	}
	return &Step{Kind: Wait, At: have.primary().Host, What: "for the configuration of the set"}
}

// changed is the next difference between the document and the declaration: attributes, new members with data, then what
// goes, arbiters last; at most one vote at a time.
func changed(want Set, have Facts) *Step {
	if s := settling(want, have); s != nil {
		return s
	}
	d := diff{want, have, *have.Config, have.primary()}
	for _, rule := range []func() *Step{d.kinds, d.attributes, d.addData, d.give, d.takeVote, d.remove, d.demote, d.addArbiter} {
		if s := rule(); s != nil {
			return d.concern(s)
		}
	}
	return nil
}

// settling: a member that was added must have arrived before the next change of votes.
func settling(want Set, have Facts) *Step {
	for _, m := range have.Config.Members {
		s := have.state(m.Host)
		switch s.State {
		case StatePrimary, StateSecondary, StateArbiter:
			continue
		}
		if !slices.ContainsFunc(want.Members, func(w Member) bool { return same(w.Host, m.Host) }) {
			continue // it is to go, and may be dead
		}
		step := &Step{Kind: Wait, At: m.Host, Sync: s.State == StateStartup2 || s.State == StateRecovering || s.State == 0,
			What: fmt.Sprintf("until %s is %s; it is %s", m.Host, arrived(m), StateName(s.State))}
		if s.Message != "" {
			step.What += " (" + s.Message + ")"
		}
		return step
	}
	return nil
}

func arrived(m MemberConfig) string {
	if m.Arbiter {
		return StateName(StateArbiter)
	}
	return StateName(StateSecondary)
}

// diff compares the document with the declaration.
type diff struct {
	want    Set
	have    Facts
	config  Config
	primary *Node
}

// kinds: a member with data does not become an arbiter, nor the other way round, in one step.
func (d diff) kinds() *Step {
	for _, w := range d.want.Members {
		if i := d.config.index(w.Host); i >= 0 && d.config.Members[i].Arbiter != w.Arbiter {
			return &Step{Kind: Stop, At: w.Host, Why: w.Host + " would change between a member with data and an arbiter, which a server refuses: take it out of the " +
				"declaration, provision, empty its dbPath by hand, declare it again"}
		}
	}
	return nil
}

// addData adds the first member with data that is missing. A set that is full of votes gives one up first.
func (d diff) addData() *Step { return d.add(false) }

func (d diff) addArbiter() *Step { return d.add(true) }

func (d diff) add(arbiter bool) *Step {
	for _, w := range d.want.Members {
		if w.Arbiter != arbiter || d.config.index(w.Host) >= 0 {
			continue
		}
		if w.Votes > 0 && d.config.voting() >= MaxVoting {
			return d.room()
		}
		if s := d.unfit(w); s != nil {
			return s
		}
		c := d.config.next()
		if !arbiter && d.older("5.0") { // since 5.0 the server itself lets new members vote only when they hold the data
			w.Votes, w.Priority = 0, 0
		}
		c.Members = append(c.Members, w.config(d.config.freeID()))
		return d.reconfig(c, "add "+w.Host)
	}
	return nil
}

// unfit: a member that cannot be added now.
func (d diff) unfit(w Member) *Step {
	n := d.have.node(w.Host)
	switch {
	case n == nil || n.Err != nil:
		return &Step{Kind: Wait, At: w.Host, What: "until " + w.Host + " answers" + because(n)}
	case n.SetName != "" && n.Primary != "" && n.Primary != d.primary.Host && n.Primary != d.primary.Me:
		return &Step{Kind: Stop, At: w.Host, Why: w.Host + " is a member of another set with this name, whose primary is " + n.Primary + ": it holds data of its own and is not wiped; save that data, then empty its dbPath by hand"}
	}
	return nil
}

func because(n *Node) string {
	if n == nil || n.Err == nil {
		return ""
	}
	return ": " + n.Err.Error()
}

// older tells whether the primary's version is below a release; an unknown one counts as old, which is only slower.
func (d diff) older(than string) bool {
	v, err := version.NewVersion(d.primary.Version)
	return err != nil || v.Core().LessThan(version.Must(version.NewVersion(than)))
}

// isPrimary tells whether a host of the document is the primary, which may know itself by another name.
func (d diff) isPrimary(host string) bool {
	return same(host, d.primary.Host) || d.primary.Me != "" && same(host, d.primary.Me)
}

// room takes a vote away, because all are given: from a member that shall have none, or from one that goes.
func (d diff) room() *Step {
	if s := d.takeVote(); s != nil {
		return s
	}
	return d.remove()
}

// attributes brings priority, hidden, tags and delay of all members to the declared ones at once: no vote changes. A
// server refuses a document in which its primary could not be one: that comes last (demote).
func (d diff) attributes() *Step {
	return d.onto(func(w Member) bool { return !d.isPrimary(w.Host) || w.electable() })
}

func (d diff) onto(which func(Member) bool) *Step {
	c := d.config.next()
	var what []string
	for _, w := range d.want.Members {
		i := c.index(w.Host)
		if i < 0 || c.Members[i].votes() != int64(w.Votes) || !which(w) { // with the vote, in give and takeVote
			continue
		}
		if text := c.Members[i].differs(w); text != "" {
			w.onto(&c.Members[i])
			what = append(what, w.Host+": "+text)
		}
	}
	if len(what) == 0 {
		return nil
	}
	return d.reconfig(c, "change "+strings.Join(what, "; "))
}

// demote lets another one lead where the primary shall not be able to any more.
func (d diff) demote() *Step {
	if s := d.onto(func(Member) bool { return true }); s != nil {
		return d.stepDown(d.primary.Host)
	}
	return nil
}

// give gives one member its vote.
func (d diff) give() *Step {
	for _, w := range d.want.Members {
		i := d.config.index(w.Host)
		if i < 0 || w.Votes == 0 || d.config.Members[i].votes() > 0 {
			continue
		}
		if d.config.voting() >= MaxVoting {
			return d.room()
		}
		return d.revote(i, w)
	}
	return nil
}

// takeVote takes one member's vote. The primary steps down before it loses its own.
func (d diff) takeVote() *Step {
	var last *Step
	for _, w := range d.want.Members {
		i := d.config.index(w.Host)
		switch {
		case i < 0 || w.Votes > 0 || d.config.Members[i].votes() == 0:
		case d.isPrimary(w.Host):
			last = d.stepDown(w.Host)
		default:
			return d.revote(i, w)
		}
	}
	return last
}

func (d diff) revote(i int, w Member) *Step {
	c := d.config.next()
	w.onto(&c.Members[i])
	return d.reconfig(c, fmt.Sprintf("give %s %d votes and priority %g", w.Host, w.Votes, w.Priority))
}

// remove takes out the first member that is not declared. The primary steps down before it goes, last.
func (d diff) remove() *Step {
	var last *Step
	for i, m := range d.config.Members {
		switch {
		case slices.ContainsFunc(d.want.Members, func(w Member) bool { return same(w.Host, m.Host) }):
		case d.isPrimary(m.Host):
			last = d.stepDown(m.Host)
		default:
			c := d.config.next()
			c.Members = slices.Delete(c.Members, i, i+1)
			return d.reconfig(c, "remove "+m.Host)
		}
	}
	return last
}

func (d diff) stepDown(host string) *Step {
	return &Step{Kind: StepDown, At: d.primary.Host, What: "let another member become the primary instead of " + host}
}

func (d diff) reconfig(c *Config, what string) *Step {
	from := d.config
	return &Step{Kind: Reconfig, At: d.primary.Host, Config: c, From: &from, What: what}
}

// concern sets the write concern of the whole set first, where the reconfig would change the implicit one: since 5.0 the
// server refuses it otherwise (103).
func (d diff) concern(s *Step) *Step {
	if s.Kind != Reconfig || d.have.DefaultWriteConcern || d.older("5.0") || s.Config.implicitOne() == s.From.implicitOne() {
		return s
	}
	var w any = "majority"
	if n, err := strconv.Atoi(d.want.WriteConcern); err == nil {
		w = n
	} else if d.want.WriteConcern != "" {
		w = d.want.WriteConcern
	}
	return &Step{Kind: WriteConcern, At: d.primary.Host, Concern: w, What: fmt.Sprintf("set the default write concern of the set to w: %v, because %q would change the implicit one", w, s.What)}
}
