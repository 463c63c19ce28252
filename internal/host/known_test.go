package host

import (
	"errors"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// The table's entry of 7.0.20, as Debian packages it.
const known7020 = "4c7523fa6d17436e3b7788f62956674270572cfefa340d03111b85f8517d5981"

func TestImagesAreHeldAgainstTheTable(t *testing.T) {
	for name, c := range map[string]struct {
		iso   facts.ISO
		known bool
		bad   bool
	}{
		"known":                       {facts.ISO{Version: "7.0.20", SHA256: known7020}, true, false},
		"not in the table":            {facts.ISO{Version: "7.0.20", SHA256: "00"}, false, false},
		"a known hash, other version": {facts.ISO{Version: "7.0.6", SHA256: known7020}, false, true},
	} {
		got, err := againstTable(c.iso)
		if (err != nil) != c.bad || got.Known != c.known || (err != nil && !errors.Is(err, ErrNotISO)) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
