package provision

import (
	"fmt"
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
	if c.Mongo != nil {
		out = append(out, c.Mongo)
	}
	if c.Logs != nil {
		out = append(out, c.Logs)
	}
	return out
}

// factual is a role whose plan looks at further facts.
type factual interface {
	facts() []facts.Key
}

// Facts are the facts that the plan of a machine looks at besides the system and its repositories.
func (c *Config) Facts(machine string, tags []string) []facts.Key {
	var out []facts.Key
	for _, r := range c.rolesOf(machine, tags) {
		if f, ok := r.(factual); ok {
			out = append(out, f.facts()...)
		}
	}
	return out
}

// rolesOf are the roles of one machine under the tags that were asked for.
func (c *Config) rolesOf(machine string, tags []string) []role {
	return slices.DeleteFunc(c.roles(), func(r role) bool {
		return !applies(r.where(), machine, c.Machines[machine].Groups) || !tagged([]string{r.name()}, tags)
	})
}

// staged is a role that also works across machines.
type staged interface {
	stage(place) (Stage, error)
}

// Stages are those of the declared roles, under the tags that were asked for.
func (c *Config) Stages(in Input) ([]Stage, error) {
	var out []Stage
	for _, r := range c.roles() {
		across, ok := r.(staged)
		if !ok || !tagged([]string{r.name()}, in.Tags) {
			continue
		}
		err := r.validate()
		var s Stage
		if err == nil {
			s, err = across.stage(place{Input: in, config: c})
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.name(), err)
		}
		out = append(out, s)
	}
	return out, nil
}
