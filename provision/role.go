package provision

import (
	"slices"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// role is a section of the configuration that stands for many resources, which differ by guest. Adding one: a field of
// Config, a line in roles, and this interface on its spec.
type role interface {
	// name is its key in the configuration; also its tag.
	name() string
	// where are the machines and groups it is for; none: all.
	where() []string
	// validate refuses what no guest could be, before any is asked.
	validate() error
	// resources are the role on one guest, in order. An error says why this guest cannot have it.
	resources(at place, g facts.Guest) ([]Resource, error)
}

// place is the machine that a role is made for, within the whole configuration.
type place struct {
	Input
	config  *Config
	machine string
}

// roles are those that are declared, in the order in which they are applied.
func (c *Config) roles() []role {
	var out []role
	if c.Supervisor != nil {
		out = append(out, c.Supervisor)
	}
	if c.Logs != nil {
		out = append(out, c.Logs)
	}
	return out
}

// rolesOf are the roles of one machine under the tags that were asked for.
func (c *Config) rolesOf(machine string, tags []string) []role {
	return slices.DeleteFunc(c.roles(), func(r role) bool {
		return !applies(r.where(), machine, c.Machines[machine].Groups) || !tagged([]string{r.name()}, tags)
	})
}
