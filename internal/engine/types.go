// Package engine is the loop for many machines: observe, judge, plan, act, observe again.
package engine

import (
	"context"
	"slices"
	"time"

	"github.com/boxdoctor/boxdoctor/fixes"
	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// Machine is one machine to examine. Dial is nil for the host.
type Machine struct {
	Facts facts.Machine
	Host  facts.Host
	// Dial connects. The Reach it returns is filled whatever the error.
	Dial func(ctx context.Context) (guest.Guest, facts.Reach, error)
	// Look observes the host anew, and Manage runs its VBoxManage; nil: the host is examined and not repaired.
	Look   func(ctx context.Context) (facts.Host, error)
	Manage func(ctx context.Context, args ...string) error
	// Named says that the user asked for this machine: not reaching it is exit 3.
	Named bool
}

// Options are common to check and fix.
type Options struct {
	// Version is boxdoctor's own, for the report.
	Version string
	// Only and Skip hold check ids and areas.
	Only, Skip []string
	// Parallel is how many machines are examined at once.
	Parallel int
	// Timeout bounds the examination of one machine.
	Timeout time.Duration
	Strict  bool
	// Progress gets what is happening now ("web: probing"); nil: nobody is told.
	Progress func(machine, what string)
	// Log gets every step with its output, for -v and the log file; nil: nothing.
	Log func(machine, text string)
	// FixCommand is the command that repairs one check of a machine, with everything needed to reach it; nil:
	// findings get no such advice.
	FixCommand func(machine, check string) string
	// Resolve tells whether this host can resolve a name, within a limit of its own; nil: it is not asked.
	Resolve func(ctx context.Context, name string) bool
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// FixOptions are those of `boxdoctor fix`.
type FixOptions struct {
	Options
	// DryRun plans and changes nothing.
	DryRun bool
	// OnlyFixes holds fix ids or check ids to repair; empty: all.
	OnlyFixes []string
	// Plan is the template of what every plan may look at; Facts is set per machine.
	Plan fixes.Input
	// Confirm is asked once per stage of a machine; nil: yes.
	Confirm func(ctx context.Context, machine string, stage []PlannedFix) (bool, error)
	// Tell is given, before the first question about a machine, what was found there and what stands in the way of
	// fixes that were chosen; nil: nobody is told.
	Tell func(found finding.Machine, obstacles []string)
	// Running is told how to look at the job that runs on a machine, and an empty text when none does; nil: nobody.
	Running func(machine, look string)
	// Command is `boxdoctor fix` for a machine with everything needed to reach it; nil: plain `boxdoctor fix`.
	Command func(machine string) string
	// Snapshot is taken of each machine before its first change; nil: none.
	Snapshot *Snapshot
	// Journal records changes before they are made.
	Journal action.Journal
	// Stop is closed by the first Ctrl-C: no new change begins, what runs is waited for. The context given to
	// Fix is the hard end, for the second Ctrl-C.
	Stop <-chan struct{}
}

// PlannedFix is one fix with the actions that it would run.
type PlannedFix struct {
	Fix     fixes.Fix
	Actions []action.Action
	// Err is why it cannot be repaired from here.
	Err error
	// Later names the planned fixes that run before this one: its plan may change after them.
	Later []string
	// Depth is how many stages come before this one.
	Depth int
}

// Impact is what the actions do to the guest: a fix that may restart it does not always.
func (p PlannedFix) Impact() fixes.Impact {
	restart := func(a action.Action) bool { _, is := a.(action.Reboot); return is }
	if p.Fix.Impact == fixes.Reboots && !slices.ContainsFunc(p.Actions, restart) {
		return fixes.ChangesPackages
	}
	return p.Fix.Impact
}
