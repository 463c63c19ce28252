package engine

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// stage plans, asks, acts and observes again. It reports whether another stage may follow.
func (d *repair) stage(ctx context.Context, n int) bool {
	if d.stopped() || !d.idle(ctx) {
		return false
	}
	planned := plan(d.seen, d.o, d.tried)
	d.tell(planned)
	refused := d.refuse(planned, n)
	first := ready(planned)
	if len(first) == 0 {
		return refused
	}
	if !d.confirmed(ctx, first) || !d.snapshot(ctx) {
		return false
	}
	ok := d.act(ctx, first, n)
	if d.stale {
		d.look(ctx)
	}
	return ok && d.seen.reached && ctx.Err() == nil
}

func (d *repair) stopped() bool {
	select {
	case <-d.o.Stop:
		return true
	default:
		return false
	}
}

// look observes again. The connection may be another one afterwards, or none. Once the person gave up every wait
// there is nothing to see: what was not collected then must not look like what is broken.
func (d *repair) look(ctx context.Context) {
	if ctx.Err() == nil {
		d.seen = observe(ctx, d.seen.machine, d.o.Options, &d.seen, facts.KeyActivity)
		d.target.Guest = d.seen.guest
		d.stale = false
	}
	if ctx.Err() != nil {
		d.seen.interrupt()
	}
}

// tell says once, before anything is changed, what was found and which of the chosen fixes cannot be done: those of
// this stage, and later ones that no change in the guest makes possible. Nobody wants to learn after a new kernel
// that there is no ISO.
func (d *repair) tell(planned []PlannedFix) {
	if d.told {
		return
	}
	d.told = true
	var obstacles []string
	for _, p := range planned {
		if p.Err == nil || len(p.Later) > 0 && !d.lacksISO(p) {
			continue
		}
		text := p.Fix.ID + " cannot be done as things stand: " + d.o.spell(d.target.Machine, p.Err)
		obstacles = append(obstacles, text)
		if len(p.Later) > 0 {
			d.note("%s", text)
		}
	}
	if d.o.Tell != nil {
		d.o.Tell(d.seen.report(), obstacles)
	}
}

// lacksISO tells whether what stands in the way of a fix is the ISO alone: with a fitting one its plan says something
// else. The ISO is the host's, so no earlier stage brings one.
func (d *repair) lacksISO(p PlannedFix) bool {
	in := d.o.Plan
	f := d.seen.facts
	v, _, err := assess.HostVersion(&f)
	if err != nil {
		return false
	}
	in.Facts, in.Hopeful = &f, true
	in.ISO = facts.ISO{Path: "fitting.iso", Version: v.Number}
	_, err = planOne(p.Fix, in)
	return err == nil || err.Error() != p.Err.Error()
}

// spell is an error of a plan with the command that it speaks of: a plan does not know how its machine is reached.
func (o FixOptions) spell(machine string, err error) string {
	text := err.Error()
	if o.Command == nil || !strings.HasSuffix(text, "--download") {
		return text
	}
	return text + ": " + o.Command(machine) + " --download"
}

const (
	// earlierJobLimit is how long jobs of an earlier run are waited for; it is the longest that a job may take.
	earlierJobLimit = 40 * time.Minute
	// earlierJobs bounds how many of them.
	earlierJobs = 10
)

// idle waits until no job of an earlier run works in the guest any more: a boxdoctor that was killed leaves its
// job running, and two of them at once would take each other's locks. What it changed is then observed, before
// anything is planned.
func (d *repair) idle(ctx context.Context) bool {
	until := d.o.now().Add(earlierJobLimit)
	ended := map[string]bool{}
	for range earlierJobs {
		now := d.seen.facts.Guest.Activity.Or(facts.Activity{})
		if now.Job == "" {
			now.Job = d.pendingJob(ctx)
		}
		if now.Job == "" || ended[now.Job] {
			d.tellOthers(now)
			return true
		}
		d.o.progress(d.target.Machine, "waiting for a job of an earlier run; "+lookAt(now.Job))
		if err := action.Await(ctx, d.target, now.Job, until.Sub(d.o.now())); err != nil {
			d.note("nothing more was tried, because a job of an earlier run still works in the guest: %v", err)
			return false
		}
		ended[now.Job] = true
		d.note("a job of an earlier run (%s) still worked in the guest and was waited for; what it changed is in what was found after it", now.Job)
		if d.look(ctx); !d.seen.reached {
			return false
		}
	}
	d.note("nothing more was tried, because jobs of other boxdoctor runs keep working in the guest")
	return false
}

// pendingJob is the job to which open locks belong, when it still lives: the look at all jobs may have been cut. Locks
// of a dead one are what locks.interrupted finds.
func (d *repair) pendingJob(ctx context.Context) string {
	pending := d.seen.facts.Guest.Locks.Or(facts.Locks{}).Pending
	if pending == "" {
		return ""
	}
	job, err := action.LiveJob(ctx, d.target, path.Base(pending))
	if err != nil {
		d.o.log(d.target.Machine, "jobs of an earlier run: "+err.Error())
	}
	return job
}

func lookAt(job string) string {
	return "look with: sudo tail -f " + action.JobRoot + "/" + job + "/log"
}

// tellOthers names those for whom a package transaction will wait by itself.
func (d *repair) tellOthers(a facts.Activity) {
	others := slices.Clone(a.PackageManagers)
	if a.CloudInit == "running" {
		others = append(others, "cloud-init")
	}
	if len(others) > 0 {
		d.o.progress(d.target.Machine, "also at work in the guest: "+join(others)+"; package changes wait for it")
	}
}

// refuse records the fixes that cannot be planned at all, once each, and tells whether there were any.
func (d *repair) refuse(planned []PlannedFix, stage int) bool {
	any := false
	for _, p := range planned {
		if p.Err == nil || len(p.Later) > 0 {
			continue
		}
		any = true
		d.tried[p.Fix.ID] = false
		d.actions = append(d.actions, finding.ActionRecord{Machine: d.seen.machine.Facts.Name, Fix: p.Fix.ID, Stage: stage,
			Outcome: finding.Failed, Message: d.o.spell(d.target.Machine, p.Err)})
	}
	return any
}

func (d *repair) confirmed(ctx context.Context, stage []PlannedFix) bool {
	if d.o.Confirm == nil {
		return true
	}
	yes, err := d.o.Confirm(ctx, d.seen.machine.Facts.Name, stage)
	if err != nil {
		d.note("stopped at the question: %v", err)
	}
	return yes && err == nil
}

// act runs a stage: every fix's actions in order, and one merged reboot at the end. A fix that fails ends
// only itself; an unknown outcome ends the stage, because it must be observed first; a stop ends the run.
func (d *repair) act(ctx context.Context, stage []PlannedFix, n int) bool {
	var reboot pendingReboot
	for _, p := range stage {
		r, err := d.run(ctx, p, n)
		d.tried[p.Fix.ID] = err == nil
		if stops(ctx, err) || unsure(err) {
			d.fail(reboot.fixes)
			return !stops(ctx, err)
		}
		if err == nil && r != nil {
			reboot.merge(p.Fix.ID, *r)
		}
	}
	if len(reboot.fixes) == 0 {
		return true
	}
	err := d.do(ctx, reboot.fixes[0], n, reboot.action)
	if err != nil {
		d.fail(reboot.fixes)
	}
	return !stops(ctx, err)
}

// run does the actions of one fix, except its reboot, which it returns. What fails and is independent of the rest is
// the fix's failure all the same.
func (d *repair) run(ctx context.Context, p PlannedFix, stage int) (*action.Reboot, error) {
	var reboot *action.Reboot
	var failed error
	for _, a := range p.Actions {
		if r, ok := a.(action.Reboot); ok {
			reboot = &r
			continue
		}
		err := d.do(ctx, p.Fix.ID, stage, a)
		if j, ok := a.(action.Job); err != nil && ok && j.Independent && !stops(ctx, err) && !unsure(err) {
			failed = errors.Join(failed, err)
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	return reboot, failed
}

func (d *repair) fail(ids []string) {
	for _, id := range ids {
		d.tried[id] = false
	}
}

// stops tells whether an error ends the whole run on this machine rather than one fix.
func stops(ctx context.Context, err error) bool {
	return err != nil && (ctx.Err() != nil || errors.Is(err, action.ErrStopped) || errors.Is(err, action.ErrNotRecorded) ||
		errors.Is(err, action.ErrStillRunning) || errors.Is(err, context.Canceled))
}

// unsure tells whether it is not known how the guest stands now: nothing else may be changed before a look.
func unsure(err error) bool {
	return errors.Is(err, guest.ErrUnknownOutcome) || errors.Is(err, action.ErrJobGone)
}

// pendingReboot is the one reboot of a stage, with the fixes that wait for it.
type pendingReboot struct {
	fixes  []string
	action action.Reboot
}

// merge keeps a wanted kernel over none, and the longer wait.
func (p *pendingReboot) merge(fix string, r action.Reboot) {
	p.fixes = append(p.fixes, fix)
	if r.WantKernel != "" {
		p.action.WantKernel = r.WantKernel
	}
	p.action.Timeout = max(p.action.Timeout, r.Timeout)
}

func (d *repair) do(ctx context.Context, fix string, stage int, a action.Action) error {
	start := d.o.now()
	err := action.Do(ctx, d.target, fix, a)
	if errors.Is(err, action.ErrStopped) {
		return err
	}
	if !errors.Is(err, action.ErrNotRecorded) {
		d.begun[fix], d.stale = true, true
	}
	rec := finding.ActionRecord{Machine: d.target.Machine, Fix: fix, Title: a.Title(), Stage: stage, Text: a.String(), Outcome: finding.Done,
		DurationMS: d.o.now().Sub(start).Milliseconds()}
	if err != nil {
		rec.Outcome, rec.Message = finding.Failed, err.Error()
		if errors.Is(err, guest.ErrUnknownOutcome) || errors.Is(err, action.ErrStillRunning) {
			rec.Outcome = finding.OutcomeCut
		}
	}
	d.actions = append(d.actions, rec)
	return err
}
