package provision

import (
	"errors"
	"fmt"

	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// preflight refuses, before anything is installed, a guest on which mongod would not start (D7). `boxdoctor check --only
// mongo` says the rest.
func (v *MongoSpec) preflight(s mongoSource, g facts.Guest) error {
	m, err := g.Mongo.Get()
	if err != nil {
		return fmt.Errorf("whether mongod runs on this guest is not known: %w", err)
	}
	errs := []error{assess.MongoCPU(m, g.System.Or(facts.System{}).Arch, s.line)}
	if !v.RSEQ {
		errs = append(errs, assess.MongoKernel(g.System.Or(facts.System{}).KernelRelease, s.line))
	}
	if !m.Running {
		_, room := assess.MongoRoom(m)
		_, memory := assess.MongoMemory(m, assess.MongoCacheKB(m, or(v.CacheGB, m.Options["cacheSizeGB"])))
		errs = append(errs, room, memory, assess.MongoPort(m))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("nothing was installed, because mongod would not start: %w (boxdoctor check --only mongo says more)", err)
	}
	return nil
}
