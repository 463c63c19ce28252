// Package fixes holds what boxdoctor knows how to repair: one file per area. A fix says which checks it
// clears and is a pure function from facts to actions; there is no apply to write and so no dry run to forget.
package fixes

import (
	"fmt"
	"sort"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// Impact says what a fix does to a running guest, or to the host. Fixes with less impact run first.
type Impact int

// Impacts, in rising order.
const (
	Harmless Impact = iota
	ChangesPackages
	RestartsService
	Reboots
	// ChangesHost is for repairs of the host that ask first: they change the project, a VM's settings or what lies in the way.
	ChangesHost
)

// String is the word shown in plans and lists.
func (i Impact) String() string {
	return [...]string{"harmless", "changes packages", "restarts services", "reboots the guest", "changes this host"}[i]
}

// Input is all that a plan may look at.
type Input struct {
	Facts *facts.Facts
	// RunID is unpredictable and names the private folder of this run in the guest.
	RunID string
	// Hopeful: other fixes run before this one. The plan shows what would run if they succeed; it is made again,
	// without hope, when its turn comes.
	Hopeful bool
	// Backups is the user's own folder for the originals of files of the host that are changed.
	Backups string
	// KeepUnlocked leaves locks off (--keep-unlocked).
	KeepUnlocked bool
	// NoReboot plans without restarting the guest (--no-reboot).
	NoReboot bool
	// Downgrade allows installing Guest Additions older than the guest's (--allow-downgrade).
	Downgrade bool
	// ISO is the Guest Additions image to install; the zero value means none was found.
	ISO facts.ISO
	// Packages are local package files to upload and install instead of asking repositories (--packages DIR).
	Packages []PackageFile
}

// PackageFile is one offline package on the host.
type PackageFile struct {
	Path   string
	Size   int64
	SHA256 string
}

// Fix is one repair.
type Fix struct {
	ID, Title string
	// Why is the paragraph for `boxdoctor explain`.
	Why string
	// Clears are the checks that it promises to turn to pass.
	Clears []string
	// After are fixes that, when they are planned too, must have run and been observed before this one.
	After  []string
	Impact Impact
	// Rows are the catalogue rows whose fix column this implements.
	Rows []string
	// Plan is pure. An empty list means there is nothing to do. An error means that it cannot be repaired from
	// here: its text says what was seen and the next command.
	Plan func(Input) ([]action.Action, error)
}

var registry = map[string]Fix{}

func register(f Fix) Fix {
	if _, dup := registry[f.ID]; dup {
		panic(fmt.Sprintf("fix id %q registered twice", f.ID))
	}
	registry[f.ID] = f
	return f
}

// All returns every fix, sorted by id.
func All() []Fix {
	out := make([]Fix, 0, len(registry))
	for _, f := range registry {
		out = append(out, f)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}

// ByID finds one fix.
func ByID(id string) (Fix, bool) {
	f, ok := registry[id]
	return f, ok
}
