package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/boxdoctor/boxdoctor/fixes"
	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// maxStages bounds the loop observe-plan-act. The longest real chain (repositories, kernel and reboot, tools,
// Guest Additions, reload, services, mounts) has seven.
const maxStages = 12

// repair is the state of `fix` on one machine.
type repair struct {
	o       FixOptions
	target  *action.Target
	seen    observation
	before  []finding.Finding
	actions []finding.ActionRecord
	notes   []string
	// tried holds the fixes that ran, with whether all their actions succeeded: each runs once a run.
	tried   map[string]bool
	changed bool
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
		before := after
		before.Findings = d.before
		r.Before, r.After = append(r.Before, before), append(r.After, after)
		r.Machines = append(r.Machines, after)
		r.Actions = append(r.Actions, d.actions...)
		r.Notes = append(r.Notes, d.notes...)
		r.Unreachable = r.Unreachable || (ms[i].Named && !d.seen.reached)
		r.Unverified = r.Unverified || d.unverified()
	}
	r.DurationMS = o.now().Sub(start).Milliseconds()
	r.Finish(o.Strict)
	return r
}

func repairMachine(ctx context.Context, m Machine, o FixOptions) *repair {
	d := &repair{o: o, tried: map[string]bool{}}
	d.seen = observe(ctx, m, o.Options, nil)
	d.before = d.seen.findings
	defer func() { d.seen.close() }()
	if m.Dial == nil || !d.seen.reached {
		return d
	}
	if d.rootless() {
		return d
	}
	d.o.Plan.RunID = runID()
	d.noRebootInContainer()
	if o.DryRun {
		d.dryRun()
		return d
	}
	d.target = d.newTarget()
	for stage := 1; stage <= maxStages; stage++ {
		if !d.stage(ctx, stage) {
			break
		}
	}
	d.regressions()
	return d
}

// rootless tells whether the guest refuses root, without which nothing can be repaired; it says so once,
// instead of once for every fix.
func (d *repair) rootless() bool {
	sudo, err := d.seen.facts.Guest.Sudo.Get()
	if err != nil || sudo.State == facts.SudoOK || sudo.State == facts.SudoRoot {
		return false
	}
	d.notes = append(d.notes, fmt.Sprintf("%s: nothing was tried, because every repair needs root and sudo does not give it (%s): see sudo.usable",
		d.seen.machine.Facts.Name, sudo.State))
	return true
}

// noRebootInContainer: a container shares its host's kernel, so a restart can neither change the kernel nor be
// proven by another boot id.
func (d *repair) noRebootInContainer() {
	sys := d.seen.facts.Guest.System.Or(facts.System{})
	if sys.Container != "" && sys.Container != "none" && !d.o.Plan.NoReboot {
		d.o.Plan.NoReboot = true
		d.notes = append(d.notes, fmt.Sprintf("%s: this guest is a container (%s), so nothing that needs another kernel is finished by a restart",
			d.seen.machine.Facts.Name, sys.Container))
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
	return &action.Target{Guest: d.seen.guest, Machine: name, RunID: d.o.Plan.RunID, Journal: d.o.Journal, Stop: d.o.Stop,
		Progress: func(what string) { d.o.progress(name, what) },
		Output:   func(text string) { d.o.log(name, text) }}
}

// stage plans, asks, acts and observes again. It reports whether another stage may follow.
func (d *repair) stage(ctx context.Context, n int) bool {
	planned := plan(d.seen, d.o, d.tried)
	d.refuse(planned, n)
	first := ready(planned)
	if len(first) == 0 || !d.confirmed(ctx, first) {
		return false
	}
	ok := d.act(ctx, first, n)
	old := d.seen
	d.seen = observe(ctx, d.seen.machine, d.o.Options, d.seen.guest)
	if !d.seen.reached {
		d.seen.guest = old.guest
	}
	return ok && ctx.Err() == nil
}

// refuse records the fixes that cannot be planned at all, once each.
func (d *repair) refuse(planned []PlannedFix, stage int) {
	for _, p := range planned {
		if p.Err == nil || len(p.Later) > 0 {
			continue
		}
		d.tried[p.Fix.ID] = false
		d.actions = append(d.actions, finding.ActionRecord{Machine: d.seen.machine.Facts.Name, Fix: p.Fix.ID, Stage: stage,
			Outcome: finding.Failed, Message: p.Err.Error()})
	}
}

func (d *repair) confirmed(ctx context.Context, stage []PlannedFix) bool {
	if d.o.Confirm == nil {
		return true
	}
	yes, err := d.o.Confirm(ctx, d.seen.machine.Facts.Name, stage)
	if err != nil {
		d.notes = append(d.notes, fmt.Sprintf("%s: stopped at the question: %v", d.seen.machine.Facts.Name, err))
	}
	return yes && err == nil
}

// act runs a stage: every fix's actions in order, and one merged reboot at the end. A fix that fails ends
// only itself; an unknown outcome ends the stage, because it must be observed first.
func (d *repair) act(ctx context.Context, stage []PlannedFix, n int) bool {
	var reboot *pendingReboot
	for _, p := range stage {
		d.tried[p.Fix.ID] = true
		for _, a := range p.Actions {
			if r, ok := a.(action.Reboot); ok {
				reboot = reboot.merge(p.Fix.ID, r)
				continue
			}
			err := d.do(ctx, p.Fix.ID, n, a)
			if stops(err) {
				return false
			}
			if err != nil {
				d.tried[p.Fix.ID] = false
				reboot = reboot.without(p.Fix.ID)
				break
			}
		}
	}
	if reboot == nil {
		return true
	}
	return !stops(d.do(ctx, reboot.fix, n, reboot.action))
}

// stops tells whether an error ends the whole run on this machine rather than one fix.
func stops(err error) bool {
	return errors.Is(err, action.ErrStopped) || errors.Is(err, action.ErrStillRunning) || errors.Is(err, context.Canceled)
}

type pendingReboot struct {
	fix    string
	action action.Reboot
}

// merge keeps one reboot for the stage; a wanted kernel is kept over none.
func (p *pendingReboot) merge(fix string, r action.Reboot) *pendingReboot {
	if p == nil || r.WantKernel != "" {
		return &pendingReboot{fix: fix, action: r}
	}
	return p
}

// without drops the reboot of a fix whose earlier actions failed: restarting into a half-made state helps nobody.
func (p *pendingReboot) without(fix string) *pendingReboot {
	if p != nil && p.fix == fix {
		return nil
	}
	return p
}

func (d *repair) do(ctx context.Context, fix string, stage int, a action.Action) error {
	start := d.o.now()
	d.changed = true
	err := action.Do(ctx, d.target, fix, a)
	rec := finding.ActionRecord{Machine: d.target.Machine, Fix: fix, Title: a.Title(), Stage: stage, Text: a.String(), Outcome: finding.Done,
		DurationMS: d.o.now().Sub(start).Milliseconds()}
	if err != nil {
		rec.Outcome, rec.Message = finding.Failed, err.Error()
		if errors.Is(err, guest.ErrUnknownOutcome) || errors.Is(err, action.ErrStillRunning) {
			rec.Outcome = finding.OutcomeCut
		}
	}
	if errors.Is(err, action.ErrStopped) {
		return err
	}
	d.actions = append(d.actions, rec)
	return err
}

// dryRun records the plan: the first stage is exact, later ones say after what they may change.
func (d *repair) dryRun() {
	name := d.seen.machine.Facts.Name
	for _, p := range plan(d.seen, d.o, d.tried) {
		rec := finding.ActionRecord{Machine: name, Fix: p.Fix.ID, Stage: p.stage(), Outcome: finding.Planned}
		if len(p.Later) > 0 {
			rec.Message = "may change after " + join(p.Later)
		}
		if p.Err != nil {
			d.actions = append(d.actions, p.blocked(rec))
			continue
		}
		for _, a := range p.Actions {
			rec.Title, rec.Text = a.Title(), a.String()
			d.actions = append(d.actions, rec)
		}
	}
}

// blocked is the record of a fix that cannot be planned: now (it fails), or not before an earlier stage ran.
func (p PlannedFix) blocked(rec finding.ActionRecord) finding.ActionRecord {
	if len(p.Later) > 0 {
		rec.Message = fmt.Sprintf("%s; as things stand: %v", rec.Message, p.Err)
		return rec
	}
	rec.Outcome, rec.Message = finding.Failed, p.Err.Error()
	return rec
}

// unverified tells whether something was changed and a check that an applied fix promised to clear, and that
// did not pass before, does not pass now.
func (d *repair) unverified() bool {
	if !d.changed {
		return false
	}
	before, after := statuses(d.before), statuses(d.seen.findings)
	for id := range d.tried {
		f, ok := fixes.ByID(id)
		if !ok {
			continue
		}
		for _, c := range f.Clears {
			if needed(before[c]) && after[c] != finding.Pass && after[c] != finding.Skip {
				return true
			}
		}
	}
	return !d.seen.reached
}

func needed(s finding.Status) bool { return s == finding.Fail || s == finding.Warn }

// regressions names checks that passed before and do not any more, unless another finding explains them.
func (d *repair) regressions() {
	before := statuses(d.before)
	for _, f := range d.seen.findings {
		if before[f.ID] == finding.Pass && needed(f.Status) && f.CausedBy == "" {
			d.notes = append(d.notes, fmt.Sprintf("%s: %s passed before and is now %s", d.seen.machine.Facts.Name, f.ID, f.Status))
		}
	}
}

func statuses(fs []finding.Finding) map[string]finding.Status {
	m := make(map[string]finding.Status, len(fs))
	for _, f := range fs {
		m[f.ID] = f.Status
	}
	return m
}
