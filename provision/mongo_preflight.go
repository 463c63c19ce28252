package provision

import (
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

func (v *MongoSpec) preflight(mongoSource, facts.Guest) error { return nil }
