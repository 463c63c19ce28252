package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// maxStages bounds the loop observe-plan-act. The longest real chain (repositories, kernel and reboot, tools,
// Guest Additions, reload, services, mounts) has seven.
const maxStages = 12

// repair is the state of `fix` on one machine.
type repair struct {
	o       FixOptions
	target  *action.Target
	seen    observation
	before  finding.Machine
	actions []finding.ActionRecord
	notes   []string
	// tried holds the fixes that ran, with whether all their actions succeeded: each runs once a run.
	tried map[string]bool
	// begun holds the fixes of which at least one action was begun: they have to prove themselves.
	begun map[string]bool
	// stale: something was begun since the last look.
	stale bool
	// told: what was found was told.
	told bool
	// safe: the snapshot that was asked for is taken.
	safe bool
}

// Fix examines all machines, repairs them in stages, and examines them again after every stage: a fix
// succeeded if and only if the checks that it promised to clear pass. Machines are repaired at once, at most
// o.Parallel at a time. With o.DryRun nothing is changed and Actions holds what would be.
func Fix(ctx context.Context, ms []Machine, notes []string, o FixOptions) finding.Report {
	start := o.now()
	done := make([]*repair, len(ms))
	each(len(ms), o.Parallel, func(i int) {
		done[i] = repairMachine(ctx, ms[i], o)
	})
	r := finding.Report{Boxdoctor: o.Version, StartedAt: start, DryRun: o.DryRun, Notes: append([]string{}, notes...)}
	for i, d := range done {
		after := d.seen.report()
		r.Before, r.After = append(r.Before, d.before), append(r.After, after)
		r.Machines = append(r.Machines, after)
		r.Actions = append(r.Actions, d.actions...)
		r.Notes = append(r.Notes, d.notes...)
		r.Unreachable = r.Unreachable || (ms[i].Named && !d.seen.reached)
		r.TimedOut = append(r.TimedOut, d.seen.late()...)
		r.Notes = append(r.Notes, d.seen.remarks()...)
		r.Unverified = r.Unverified || d.unverified()
	}
	r.DurationMS = o.now().Sub(start).Milliseconds()
	r.Finish(o.Strict)
	return r
}

func repairMachine(ctx context.Context, m Machine, o FixOptions) *repair {
	d := &repair{o: o, tried: map[string]bool{}, begun: map[string]bool{}}
	defer func() { d.seen.close() }()
	d.seen = observe(ctx, m, o.Options, nil, facts.KeyActivity)
	if ctx.Err() != nil {
		d.seen.interrupt()
	}
	d.before = d.seen.report()
	if m.Dial == nil && m.Look == nil || !d.seen.reached || d.rootless() {
		return d
	}
	d.o.Plan.RunID = runID()
	d.noRebootInContainer()
	d.target = d.newTarget()
	if o.DryRun {
		d.dryRun()
		return d
	}
	for stage := 1; d.stage(ctx, stage); stage++ {
		if stage == maxStages {
			d.note("stopped after %d stages although more could be tried: run boxdoctor fix again", maxStages)
			break
		}
	}
	d.untried()
	d.regressions()
	return d
}

// note adds a sentence about this machine to the report.
func (d *repair) note(format string, a ...any) {
	d.notes = append(d.notes, d.seen.machine.Facts.Name+": "+fmt.Sprintf(format, a...))
}

// rootless tells whether the guest refuses root, without which nothing can be repaired; it says so once,
// instead of once for every fix.
func (d *repair) rootless() bool {
	sudo, err := d.seen.facts.Guest.Sudo.Get()
	if err != nil || sudo.State == facts.SudoOK || sudo.State == facts.SudoRoot {
		return false
	}
	d.note("nothing was tried, because every repair needs root and sudo does not give it (%s): see sudo.usable", sudo.State)
	return true
}

// noRebootInContainer: a container shares its host's kernel, so a restart can neither change the kernel nor be
// proven by another boot id.
func (d *repair) noRebootInContainer() {
	sys := d.seen.facts.Guest.System.Or(facts.System{})
	if sys.Container != "" && sys.Container != "none" && !d.o.Plan.NoReboot {
		d.o.Plan.NoReboot = true
		d.note("this guest is a container (%s), so nothing that needs another kernel is finished by a restart", sys.Container)
	}
}

// runID is 128 unpredictable bits: it names root-only folders and here-document marks in the guest.
func runID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b)
}

func (d *repair) newTarget() *action.Target {
	name := d.seen.machine.Facts.Name
	say := func(what string) { d.o.progress(name, what) }
	voice := &voice{say: say}
	return &action.Target{Guest: d.seen.guest, Host: d.seen.machine.Dial == nil, Manage: d.seen.machine.Manage, Machine: name, RunID: d.o.Plan.RunID, Journal: d.o.Journal, Stop: d.o.Stop,
		Project: d.seen.machine.Host.ProjectRoot.Or(""), UUID: d.seen.machine.Facts.UUID,
		Progress: say,
		Running: func(look string) {
			if d.o.Running != nil {
				d.o.Running(name, look)
			}
		},
		Output: func(text string) {
			d.o.log(name, text)
			voice.hear(text)
		}}
}

// voice picks out of a job's output what the job says to the person: the lines that begin with "boxdoctor: ".
type voice struct {
	say  func(what string)
	rest string
}

// longestLine bounds what is kept of a line that does not end.
const longestLine = 4096

// hear gets the output as it comes, cut anywhere.
func (v *voice) hear(text string) {
	lines := strings.Split(v.rest+text, "\n")
	for _, l := range lines[:len(lines)-1] {
		if what, ok := strings.CutPrefix(l, "boxdoctor: "); ok {
			v.say(strings.TrimSpace(what))
		}
	}
	if v.rest = lines[len(lines)-1]; len(v.rest) > longestLine {
		v.rest = ""
	}
}

// dryRun records the plan: the first stage is exact, later ones say after what they may change.
func (d *repair) dryRun() {
	name := d.seen.machine.Facts.Name
	if job := d.seen.facts.Guest.Activity.Or(facts.Activity{}).Job; job != "" {
		d.note("a job of an earlier run still works in the guest, so this plan may change; %s", lookAt(job))
	}
	planned := plan(d.seen, d.o, d.tried)
	if d.o.Snapshot != nil && !d.target.Host && len(ready(planned)) > 0 {
		d.actions = append(d.actions, d.o.Snapshot.record(d.seen.machine, finding.Planned))
	}
	for _, p := range planned {
		rec := finding.ActionRecord{Machine: name, Fix: p.Fix.ID, Stage: p.stage(), Outcome: finding.Planned}
		if len(p.Later) > 0 {
			rec.Message = "may change after " + join(p.Later)
		}
		if p.Err != nil {
			d.actions = append(d.actions, p.blocked(rec, d.o.spell(name, p.Err)))
			continue
		}
		for _, a := range p.Actions {
			rec.Title, rec.Text = a.Title(), a.String()
			if j, ok := a.(action.Job); ok {
				rec.Lib = j.Lib
			}
			d.actions = append(d.actions, rec)
		}
	}
}

// blocked is the record of a fix that cannot be planned: now (it fails), or not before an earlier stage ran.
func (p PlannedFix) blocked(rec finding.ActionRecord, why string) finding.ActionRecord {
	if len(p.Later) > 0 {
		rec.Message = fmt.Sprintf("%s; as things stand: %s", rec.Message, why)
		return rec
	}
	rec.Outcome, rec.Message = finding.Failed, why
	return rec
}
