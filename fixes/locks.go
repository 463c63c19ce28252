package fixes

import (
	"time"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

var _ = register(Fix{
	ID: "locks.restore", Title: "Put back the locks of an interrupted repair", Impact: Harmless,
	Clears: []string{"locks.interrupted"},
	Why: "boxdoctor restores locks on every way out of a package transaction. Only a power cut or a kill in the guest can come between; the originals are " +
		"then still below /var/lib/boxdoctor/pending and go back byte for byte. What somebody edited in a list in the meantime stays: only the lines that were taken off come back.",
	Plan: planRestore,
})

// restoreScript waits for nobody: locks that a living job has off are that job's own, and take_turn says so.
const restoreScript = `take_turn
trap leave_turn EXIT
status=0
for dir in /var/lib/boxdoctor/pending/*; do
	if [ -d "$dir" ]; then
		restore_dir "$dir" 1 || status=74
	fi
done
exit "$status"
`

func planRestore(in Input) ([]action.Action, error) {
	if in.Facts.Guest.Locks.Or(facts.Locks{}).Pending == "" {
		return nil, nil
	}
	return []action.Action{action.Job{Name: "put locks back", Lib: lib, Script: restoreScript, Timeout: 2 * time.Minute,
		Stays: "the locks are as they were before the interrupted repair"}}, nil
}
