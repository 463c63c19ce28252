package version

import (
	"strings"

	goversion "github.com/hashicorp/go-version"
)

const wantRange = "constraints such as >= 7.2.10, <= 7.2.12"

// VBoxRange is a set of VirtualBox versions, written as constraints with commas between them.
type VBoxRange struct{ constraints goversion.Constraints }

// ParseVBoxRange reads constraints such as `>= 7.2.10, <= 7.2.12` or `= 7.2.8`. The error is a *MalformedError.
func ParseVBoxRange(s string) (VBoxRange, error) {
	c, err := goversion.NewConstraint(s)
	if err != nil || strings.TrimSpace(s) == "" {
		return VBoxRange{}, malformed("range of VirtualBox versions", s, wantRange)
	}
	return VBoxRange{c}, nil
}

// Has tells whether the version lies in the range; only its number counts. The zero range is empty.
func (r VBoxRange) Has(v VBox) bool { return r.constraints != nil && r.constraints.Check(v.order()) }
