package provision

import (
	"errors"

	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/mongoadmin"
	"github.com/boxdoctor/boxdoctor/internal/replset"
)

// MongoSet is a declared replica set for commands that look at it or mend it.
type MongoSet struct {
	Declared replset.Set
	Admin    replset.Credential
	// Machines are those of its members.
	Machines []string
	spec     *MongoSpec
}

// ErrNoMongo means that the configuration declares no replica set.
var ErrNoMongo = errors.New("the configuration declares no replica set (mongo:)")

// MongoSet is the replica set that is declared, with the administrator that boxdoctor works as.
func (c *Config) MongoSet(in Input) (*MongoSet, error) {
	if c.Mongo == nil {
		return nil, ErrNoMongo
	}
	if err := c.Mongo.validate(); err != nil {
		return nil, err
	}
	admin, _, err := c.Mongo.accounts(in)
	return &MongoSet{Declared: c.Mongo.declaredSet(), Admin: admin, Machines: c.Mongo.where(), spec: c.Mongo}, err
}

// Hosts are the declared members.
func (s *MongoSet) Hosts() []string {
	var out []string
	for _, m := range s.Declared.Members {
		out = append(out, m.Host)
	}
	return out
}

// Doors reach the members through the machines that are connected.
func (s *MongoSet) Doors(on func(machine string) guest.Guest) *mongoadmin.Doors {
	return s.spec.doors(on)
}

// MachineOf is the machine of a member; of one that is not declared, the first.
func (s *MongoSet) MachineOf(host string) string { return (&mongoStage{spec: s.spec}).machineOf(host) }
