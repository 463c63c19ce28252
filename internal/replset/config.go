package replset

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Config is a replica set's configuration document. What boxdoctor does not manage is kept as it is.
type Config struct {
	ID       string         `bson:"_id"`
	Version  int64          `bson:"version"`
	Term     *int64         `bson:"term,omitempty"`
	Members  []MemberConfig `bson:"members"`
	Settings bson.M         `bson:"settings,omitempty"`
	Rest     bson.M         `bson:",inline"`
}

// MemberConfig is one member of the document. A field that is nil is left to the server's default.
type MemberConfig struct {
	ID       int64             `bson:"_id"`
	Host     string            `bson:"host"`
	Arbiter  bool              `bson:"arbiterOnly,omitempty"`
	Hidden   *bool             `bson:"hidden,omitempty"`
	Priority *float64          `bson:"priority,omitempty"`
	Votes    *int64            `bson:"votes,omitempty"`
	Tags     map[string]string `bson:"tags,omitempty"`
	Delay    *int64            `bson:"secondaryDelaySecs,omitempty"`
	Rest     bson.M            `bson:",inline"`
}

// Member is one member as it is declared.
type Member struct {
	Host     string
	Arbiter  bool
	Hidden   bool
	Priority float64
	Votes    int
	Tags     map[string]string
	Delay    int64
}

// Set is a replica set as it is declared.
type Set struct {
	Name    string
	Members []Member
	// AllowPSA takes a set whose arbiters outvote its data: it was said so in the declaration.
	AllowPSA bool
	// WriteConcern is set for the whole set where an arbiter would change the implicit one: "majority" or a number.
	WriteConcern string
}

// Limits of the server.
const (
	MaxVoting  = 7
	MaxMembers = 50
)

// Validate refuses what the server would, and what the manual advises against without a word in the declaration.
func (s Set) Validate() error {
	voting, hosts := 0, map[string]bool{}
	for _, m := range s.Members {
		if hosts[m.Host] {
			return fmt.Errorf("member %s is declared twice", m.Host)
		}
		hosts[m.Host] = true
		voting += m.Votes
		if err := m.validate(); err != nil {
			return fmt.Errorf("member %s: %w", m.Host, err)
		}
	}
	return s.validateVotes(voting)
}

func (m Member) validate() error {
	switch {
	case m.Votes != 0 && m.Votes != 1:
		return fmt.Errorf("votes is %d; a member has 0 or 1", m.Votes)
	case m.Votes == 0 && m.Priority != 0:
		return fmt.Errorf("votes is 0 and priority is %g; a member without a vote has priority 0", m.Priority)
	case m.Priority < 0 || m.Priority > 1000:
		return fmt.Errorf("priority is %g; it is between 0 and 1000", m.Priority)
	case (m.Hidden || m.Delay > 0) && m.Priority != 0:
		return fmt.Errorf("a hidden or delayed member has priority 0; it is %g", m.Priority)
	case m.Arbiter && (m.Votes != 1 || m.Priority != 0 || m.Hidden || m.Delay > 0 || len(m.Tags) > 0):
		return fmt.Errorf("an arbiter has one vote, priority 0, and neither hidden, delay nor tags")
	}
	return nil
}

func (s Set) validateVotes(voting int) error {
	data := slices.IndexFunc(s.Members, func(m Member) bool { return m.electable() })
	switch {
	case s.Name == "":
		return fmt.Errorf("the set has no name")
	case data < 0:
		return fmt.Errorf("no member can become the primary: at least one needs data, a vote and a priority above 0")
	case voting > MaxVoting || len(s.Members) > MaxMembers:
		return fmt.Errorf("%d members with %d votes: at most %d members and %d votes (give further ones votes: 0)", len(s.Members), voting, MaxMembers, MaxVoting)
	case s.weak() && !s.AllowPSA:
		return fmt.Errorf("the arbiter makes a majority of votes out of fewer members with data (P-S-A): with one of them away, majority writes wait " +
			"and reads grow stale; declare a third member with data instead, or say allow_psa: true")
	}
	return nil
}

func (m Member) electable() bool { return !m.Arbiter && m.Votes == 1 && m.Priority > 0 }

// weak tells whether the implicit write concern of the declared set is w:1.
func (s Set) weak() bool {
	var c Config
	for i, m := range s.Members {
		c.Members = append(c.Members, m.config(int64(i)))
	}
	return c.implicitOne()
}

// implicitOne is the server's formula since 5.0: with arbiters, and no more voting members with data than a majority
// of votes, the implicit default write concern is w:1 instead of majority (manual, mongodb-defaults).
func (c Config) implicitOne() bool {
	arbiters, data := 0, 0
	for _, m := range c.Members {
		switch {
		case m.Arbiter:
			arbiters++
		case m.votes() > 0:
			data++
		}
	}
	return arbiters > 0 && data <= (arbiters+data)/2+1
}

// config is the declared member as a part of the document.
func (m Member) config(id int64) MemberConfig {
	out := MemberConfig{ID: id, Host: m.Host, Arbiter: m.Arbiter}
	m.onto(&out)
	return out
}

// onto puts what is declared onto a member of the document, without what the server leaves out.
func (m Member) onto(c *MemberConfig) {
	votes := int64(m.Votes)
	c.Votes, c.Priority = &votes, &m.Priority
	c.Hidden, c.Delay, c.Tags = nil, nil, nil
	if m.Hidden {
		c.Hidden = &m.Hidden
	}
	if m.Delay > 0 {
		c.Delay = &m.Delay
	}
	if len(m.Tags) > 0 {
		c.Tags = m.Tags
	}
}

// votes is the member's votes; the server's default is 1.
func (m MemberConfig) votes() int64 {
	if m.Votes == nil {
		return 1
	}
	return *m.Votes
}

// priority is the member's; the server's default is 1, that of an arbiter 0.
func (m MemberConfig) priority() float64 {
	switch {
	case m.Arbiter:
		return 0
	case m.Priority == nil:
		return 1
	}
	return *m.Priority
}

// differs says in words how the member is not as declared, apart from its vote; empty: it is.
func (m MemberConfig) differs(w Member) string {
	var out []string
	note := func(what string, have, want any) {
		if h, w := fmt.Sprint(have), fmt.Sprint(want); h != w {
			out = append(out, fmt.Sprintf("%s %s → %s", what, h, w))
		}
	}
	note("priority", m.priority(), w.Priority)
	note("hidden", m.Hidden != nil && *m.Hidden, w.Hidden)
	delay := int64(0)
	if m.Delay != nil {
		delay = *m.Delay
	}
	note("delay", delay, w.Delay)
	if !maps.Equal(m.Tags, w.Tags) {
		note("tags", m.Tags, w.Tags)
	}
	return strings.Join(out, ", ")
}

// index finds a member by its host; -1: it is none.
func (c Config) index(host string) int {
	return slices.IndexFunc(c.Members, func(m MemberConfig) bool { return same(m.Host, host) })
}

// voting is the number of votes.
func (c Config) voting() int {
	n := 0
	for _, m := range c.Members {
		n += int(m.votes())
	}
	return n
}

// next is a copy to change, with the next version.
func (c Config) next() *Config {
	c.Members = slices.Clone(c.Members)
	c.Version++
	c.Term = nil // the server fills it
	return &c
}

// freeID is an id that no member has; ids are not used again while the document holds a higher one.
func (c Config) freeID() int64 {
	id := int64(-1)
	for _, m := range c.Members {
		id = max(id, m.ID)
	}
	return id + 1
}

// Text shows the document for people, in a stable order.
func (c Config) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "{_id: %s, version: %d, members: [", c.ID, c.Version)
	for _, m := range c.Members {
		fmt.Fprintf(&b, "\n  {_id: %d, host: %s", m.ID, m.Host)
		if m.Arbiter {
			b.WriteString(", arbiterOnly: true")
		}
		fmt.Fprintf(&b, ", priority: %g, votes: %d", m.priority(), m.votes())
		if m.Hidden != nil && *m.Hidden {
			b.WriteString(", hidden: true")
		}
		if m.Delay != nil && *m.Delay > 0 {
			fmt.Fprintf(&b, ", secondaryDelaySecs: %d", *m.Delay)
		}
		if len(m.Tags) > 0 {
			fmt.Fprintf(&b, ", tags: %v", m.Tags)
		}
		b.WriteString("}")
	}
	b.WriteString("\n]}")
	return b.String()
}
