package mongotest

import (
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/boxdoctor/boxdoctor/internal/replset"
)

// initiate (manual, replSetInitiate): once, with this member in the document, every other one reachable and fresh.
func (l *link) initiate(cmd bson.Raw) (bson.D, error) {
	s := l.server.set
	var q struct {
		Config replset.Config `bson:"replSetInitiate"`
	}
	if err := bson.Unmarshal(cmd, &q); err != nil {
		return nil, err
	}
	if s.members[l.server.host].config != nil {
		return nil, no(replset.CodeAlreadyInitialized, "AlreadyInitialized", "already initialized")
	}
	if q.Config.ID != s.Name {
		return nil, no(replset.CodeInvalidReplicaConfig, "InvalidReplicaSetConfig",
			"Attempting to initiate a replica set with name %s, but command line reports %s; rejecting", q.Config.ID, s.Name)
	}
	if !has(q.Config, l.server.host) {
		return nil, no(replset.CodeInvalidReplicaConfig, "InvalidReplicaSetConfig", "No host described in new configuration with {version: 1} for replica set %s maps to this node", s.Name)
	}
	q.Config.Settings = bson.M{"replicaSetId": "scripted", "chainingAllowed": true}
	s.members[l.server.host].config = &q.Config
	s.lead(l.server.host)
	return nil, nil
}

func has(c replset.Config, host string) bool {
	return slices.ContainsFunc(c.Members, func(m replset.MemberConfig) bool { return m.Host == host })
}

// reconfig (manual, replSetReconfig): on the primary, with a higher version, at most one voting member more or less, the
// members reachable, the implicit write concern as it was. A removed member learns of it (REMOVED).
func (l *link) reconfig(cmd bson.Raw) (bson.D, error) {
	s := l.server.set
	var q struct {
		Config replset.Config `bson:"replSetReconfig"`
		Force  bool           `bson:"force"`
	}
	if err := bson.Unmarshal(cmd, &q); err != nil {
		return nil, err
	}
	old := s.members[l.server.host].config
	switch {
	case old == nil:
		return nil, no(replset.CodeNotYetInitialized, "NotYetInitialized", "Node not yet initialized; use the replSetInitiate command")
	case !q.Force && s.leader != l.server.host:
		return nil, no(replset.CodeNotWritablePrimary, "NotWritablePrimary",
			"New config is rejected :: caused by :: replSetReconfig should only be run on a writable PRIMARY. Current state SECONDARY;")
	}
	if err := s.legal(*old, q.Config, l.server.host, q.Force); err != nil {
		return nil, err
	}
	s.install(q.Config)
	if q.Force {
		s.log = append(s.log, l.server.host+" FORCE")
	}
	return nil, nil
}

// legal are the documented refusals.
func (s *Set) legal(old, next replset.Config, self string, force bool) error {
	switch {
	case next.Version <= old.Version && !force:
		return no(103, "NewReplicaSetConfigurationIncompatible", "New replica set configuration version must be greater than old, but %d is not greater than %d for replica set %s", next.Version, old.Version, s.Name)
	case !has(next, self):
		return no(replset.CodeInvalidReplicaConfig, "InvalidReplicaSetConfig", "No host described in new configuration with {version: %d} for replica set %s maps to this node", next.Version, s.Name)
	case force:
		return nil
	case votesChanged(old, next) > 1:
		return no(replset.CodeIncompatibleConfig, "NewReplicaSetConfigurationIncompatible", "Non force replica set reconfig can only add or remove at most 1 voting member.")
	case s.Version >= "5" && len(s.concern) == 0 && implicitOne(old) != implicitOne(next):
		return no(replset.CodeIncompatibleConfig, "NewReplicaSetConfigurationIncompatible", "Reconfig attempted to install a config that would change the implicit default write concern. Use the setDefaultRWConcern command to set a cluster-wide write concern and try the reconfig again.")
	}
	return s.quorum(next)
}

// quorum: a majority of the new votes must answer, and a member of another set must not be taken (74).
func (s *Set) quorum(next replset.Config) error {
	votes, alive, bad := 0, 0, ""
	for _, m := range next.Members {
		if m.Votes != nil && *m.Votes == 0 {
			continue
		}
		votes++
		if known := s.members[m.Host]; known != nil && known.down == "" {
			alive++
		} else {
			bad = m.Host
		}
	}
	if alive > votes/2 {
		return nil
	}
	return no(replset.CodeNodeNotFound, "NodeNotFound", "replSetReconfig quorum check failed because not enough voting nodes responded; required %d but only %d voting nodes responded; the following nodes did not respond affirmatively: %s failed with Error connecting to %s :: caused by :: Could not find address for %s", votes/2+1, alive, bad, bad, bad)
}

func votesChanged(old, next replset.Config) int {
	of := map[string]int64{}
	for _, m := range old.Members {
		of[m.Host] += votesOf(m)
	}
	for _, m := range next.Members {
		of[m.Host] -= votesOf(m)
	}
	n := 0
	for _, v := range of {
		if v != 0 {
			n++
		}
	}
	return n
}

func votesOf(m replset.MemberConfig) int64 {
	if m.Votes == nil {
		return 1
	}
	return *m.Votes
}

func implicitOne(c replset.Config) bool {
	arbiters, data := 0, 0
	for _, m := range c.Members {
		switch {
		case m.Arbiter:
			arbiters++
		case votesOf(m) > 0:
			data++
		}
	}
	return arbiters > 0 && data <= (arbiters+data)/2+1
}

// install gives every reachable member the document.
func (s *Set) install(c replset.Config) {
	for host, m := range s.members {
		in := has(c, host)
		switch {
		case m.down != "":
		case in && (m.config == nil || m.removed):
			m.config, m.removed, m.syncing = &c, false, s.SyncAfter
			if i := slices.IndexFunc(c.Members, func(x replset.MemberConfig) bool { return x.Host == host }); c.Members[i].Arbiter {
				m.syncing = 0
			}
		case in:
			m.config = &c
		case m.config != nil:
			m.removed = true
		}
	}
}

// stepDown (manual, replSetStepDown): the test's double lets the first other member lead that could; it counts no votes.
func (l *link) stepDown(bson.Raw) (bson.D, error) {
	s := l.server.set
	if s.leader != l.server.host {
		return nil, no(replset.CodeNotWritablePrimary, "NotWritablePrimary", "not primary so can't step down")
	}
	for _, m := range s.current().Members {
		known := s.members[m.Host]
		if m.Host != l.server.host && !m.Arbiter && votesOf(m) > 0 && (m.Priority == nil || *m.Priority > 0) && known != nil && known.down == "" {
			s.lead(m.Host)
			return nil, nil
		}
	}
	return nil, no(50, "ExceededTimeLimit", "No electable secondaries caught up as of the deadline")
}

func (l *link) getConcern(bson.Raw) (bson.D, error) {
	s := l.server.set
	if len(s.concern) == 0 {
		return bson.D{{Key: "defaultWriteConcern", Value: bson.D{{Key: "w", Value: "majority"}}}, {Key: "defaultWriteConcernSource", Value: "implicit"}}, nil
	}
	return bson.D{{Key: "defaultWriteConcern", Value: s.concern}, {Key: "defaultWriteConcernSource", Value: "global"}}, nil
}

func (l *link) setConcern(cmd bson.Raw) (bson.D, error) {
	l.server.set.concern, _ = cmd.Lookup("defaultWriteConcern").DocumentOK()
	return nil, nil
}
