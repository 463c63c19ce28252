package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/probe"
)

// Machine is one machine and what is declared for it.
type Machine struct {
	Name string
	// Project is the folder of the Vagrantfile and UUID the id of the VM, for the journal; both may be empty.
	Project, UUID string
	// Plan makes the resources, in order, once it is known what the guest is: what a role needs differs by
	// distribution. An error says why this guest cannot be what is declared.
	Plan func(facts.Guest) ([]Resource, error)
	Dial func(ctx context.Context) (guest.Guest, facts.Reach, error)
	// Facts are what Plan looks at besides the system and its repositories.
	Facts []facts.Key
}

// Options are those of `boxdoctor provision`.
type Options struct {
	Version string
	// Check plans and writes nothing.
	Check bool
	// Diff also reads the content of files, for people.
	Diff     bool
	Parallel int
	Journal  action.Journal
	// Lib are the shell functions of package transactions.
	Lib string
	// Packages are the package files of --packages.
	Packages []action.Upload
	// RunID makes the name of this run's folders in the guests.
	RunID    func() string
	Progress func(machine, what string)
	Log      func(machine, text string)
	Running  func(machine, look string)
	Stop     <-chan struct{}
	Now      func() time.Time
	// Stages come after the resources of all machines.
	Stages []Stage
}

// maxRounds bounds the loop observe-diff-act of one machine: each round makes one kind of change, and every
// resource acts once a run.
const maxRounds = 200

// notifyRoot holds a mark for every service that must be told of a change, until it was: a run that is cut off
// between the change and the restart leaves it to the next one.
const notifyRoot = "/var/lib/boxdoctor/notify"

// run is one machine on its way.
type run struct {
	o Options
	m Machine
	// resources are those of this guest.
	resources []Resource
	guest     guest.Guest
	target    *action.Target
	runID     string
	state     *State
	steps     []Step
	// acted: this resource made its changes already; each does once a run.
	acted []bool
	// marked are the notifications that were noted in the guest, "restart-nginx".
	marked []string
	out    MachineReport
}

// Run brings all machines to what is declared for them, at most o.Parallel at once, and reports in their order.
func Run(ctx context.Context, ms []Machine, o Options) Report {
	if o.Now == nil {
		o.Now = time.Now
	}
	rep := Report{Boxdoctor: o.Version, StartedAt: o.Now(), Check: o.Check, Machines: make([]MachineReport, len(ms))}
	var g errgroup.Group
	g.SetLimit(max(o.Parallel, 1))
	runs := make([]*run, len(ms))
	for i, m := range ms {
		runs[i] = &run{o: o, m: m, runID: o.RunID(), out: MachineReport{Name: m.Name}}
		g.Go(func() error {
			runs[i].machine(ctx)
			return nil
		})
	}
	_ = g.Wait() // no machine returns an error: it reports
	for _, s := range o.Stages {
		s.run(ctx, runs, o.Check)
	}
	for i, r := range runs {
		rep.Machines[i] = r.end(ctx)
	}
	rep.DurationMS = o.Now().Sub(rep.StartedAt).Milliseconds()
	rep.finish()
	return rep
}

// machine brings one machine to what is declared for it alone. The connection stays for the stages.
func (r *run) machine(ctx context.Context) {
	r.progress("connecting")
	g, _, err := r.m.Dial(ctx)
	if err != nil {
		r.out.Message = "not reached: " + err.Error()
		return
	}
	o, m := r.o, r.m
	r.guest, r.out.Reachable = g, true
	r.target = &action.Target{Guest: g, Machine: m.Name, RunID: r.runID, Journal: o.Journal, Stop: o.Stop,
		Project: m.Project, UUID: m.UUID,
		Progress: r.progress, Output: func(text string) { r.log(text) }, Running: r.running}
	switch {
	case !r.plan(ctx):
	case o.Check:
		r.check(ctx)
	default:
		r.apply(ctx)
	}
}

// end closes the connection and is the machine's report.
func (r *run) end(ctx context.Context) MachineReport {
	if r.guest == nil {
		return r.out
	}
	_ = r.guest.Close() // everything is done by then
	r.out.Steps = r.steps
	r.out.Interrupted = r.stopped(ctx)
	return r.out
}

// planKeys are the facts that plans look at, and whether something of boxdoctor's works there already.
var planKeys = []facts.Key{facts.KeySystem, facts.KeyRepos, facts.KeyActivity}

// plan asks what the guest is and makes its resources. It tells whether to go on.
func (r *run) plan(ctx context.Context) bool {
	r.progress("asking what it is")
	seen, err := r.ask(ctx)
	if err != nil {
		r.lost(fmt.Errorf("the guest could not be observed: %w", err))
		return false
	}
	r.out.System = seen.System.Or(facts.System{}).Pretty
	r.resources, err = r.m.Plan(seen)
	r.acted = make([]bool, len(r.resources))
	for _, res := range r.resources {
		r.steps = append(r.steps, Step{Resource: res.ID(), Result: Skipped, Message: noteOf(res)})
	}
	if err == nil && !r.o.Check {
		err = r.awaitEarlier(ctx, seen)
	}
	if err != nil {
		r.skipRest("not reached, because of what the step plan says")
		r.steps = append(r.steps, Step{Resource: "plan", Result: Failed, Message: err.Error()})
	}
	return err == nil
}

func (r *run) ask(ctx context.Context) (facts.Guest, error) {
	return probe.Collect(ctx, r.guest, slices.Concat(planKeys, r.m.Facts), probe.Params{User: "root", Sudo: true, Timeout: observeLimit}, r.now)
}

// Limits of the wait for jobs of earlier runs.
const (
	earlierJobs     = 3
	earlierJobLimit = 40 * time.Minute
)

// awaitEarlier waits for what a run that was cut off or killed left working in the guest: two at a time would undo each
// other's work.
func (r *run) awaitEarlier(ctx context.Context, seen facts.Guest) error {
	for range earlierJobs {
		job := seen.Activity.Or(facts.Activity{}).Job
		if job == "" {
			return nil
		}
		r.progress("waiting for a job of an earlier run: " + job)
		if err := action.Await(ctx, r.target, job, earlierJobLimit); err != nil {
			return fmt.Errorf("nothing was tried, because a job of an earlier run still works in the guest: %w", err)
		}
		r.out.Message = "a job of an earlier run (" + job + ") still worked in the guest and was waited for"
		var err error
		if seen, err = r.ask(ctx); err != nil {
			return err
		}
	}
	return errors.New("nothing was tried, because jobs of other boxdoctor runs keep working in the guest")
}

// noteOf is what a resource says to people about why it is there.
func noteOf(res Resource) string {
	if n, ok := res.(interface{ Note() string }); ok {
		return n.Note()
	}
	return ""
}

// look observes everything that the resources need.
func (r *run) look(ctx context.Context) error {
	var n Needs
	for _, res := range r.resources {
		n.add(res.Needs())
	}
	for _, name := range r.marks() {
		n.Files = append(n.Files, notifyRoot+"/"+name)
	}
	r.progress("observing")
	s, err := observe(ctx, r.guest, n, r.o.Diff, r.now)
	if err != nil {
		return fmt.Errorf("the guest could not be observed: %w", err)
	}
	s.Machine, s.RunID, s.Lib = r.m.Name, r.runID, r.o.Lib
	r.state, r.out.System = s, s.System.Pretty
	return nil
}

// pending is a resource that is not as declared.
type pending struct {
	at      int
	changes []Change
	err     error
}

func (p pending) waits() string {
	for _, c := range p.changes {
		if c.Waits != "" {
			return c.Waits
		}
	}
	return ""
}

// diff compares everything; what is as declared is noted as ok.
func (r *run) diff() []pending {
	var out []pending
	for i, res := range r.resources {
		changes, err := res.Diff(r.state)
		if err != nil || len(changes) > 0 {
			out = append(out, pending{i, changes, err})
		} else if r.steps[i].Result == Skipped {
			r.steps[i].Result = OK
		}
	}
	return out
}

// check tells what would be done and does nothing.
func (r *run) check(ctx context.Context) {
	if err := r.look(ctx); err != nil {
		r.lost(err)
		return
	}
	earlier := ""
	for _, p := range r.diff() {
		s := &r.steps[p.at]
		s.Changes = records(p.changes, r.o.Diff)
		switch waits := p.waits(); {
		case (p.err != nil || waits != "") && earlier == "":
			s.Result, s.Message = Failed, errorOr(p.err, waits)
		case p.err != nil || waits != "":
			s.Result, s.Message = MayChange, "waits for "+waitsFor(p.err, waits)
		default:
			s.Result, s.Message = WouldChange, unresolved(p.changes, earlier)
		}
		earlier = s.Resource
	}
	for _, m := range r.due() {
		r.steps = append(r.steps, Step{Resource: "notify/" + m, Result: WouldChange, Message: "noted by a run that did not get to it"})
	}
}

// unresolved says that the package manager cannot be asked yet about what an earlier repository would offer.
func unresolved(changes []Change, earlier string) string {
	if strings.HasPrefix(earlier, "repository/") && len(changes) > 0 && len(changes[0].Install) > 0 {
		return "cannot be resolved before " + earlier + " is there"
	}
	return ""
}

func waitsFor(err error, waits string) string {
	if err != nil {
		return "what stands before it, because now: " + err.Error()
	}
	return waits
}

func errorOr(err error, waits string) string {
	if err != nil {
		return err.Error()
	}
	return waits + " is not there, and nothing that is declared before makes it"
}

// apply makes rounds until nothing differs: each observes, and makes the first kind of change that is due, because
// what that kind brings (files of a package, the home of a user) changes what the next one has to do.
func (r *run) apply(ctx context.Context) {
	for round := 1; round <= maxRounds; round++ {
		if err := r.look(ctx); err != nil {
			r.lost(err)
			return
		}
		due := r.diff()
		if len(due) == 0 {
			r.notify(ctx)
			return
		}
		if !r.act(ctx, due) {
			return
		}
	}
	r.lost(fmt.Errorf("not as declared after %d rounds", maxRounds))
}

// act makes the changes of the first due resource and of those of its kind that follow. It tells whether to go on.
func (r *run) act(ctx context.Context, due []pending) bool {
	first := due[0]
	switch waits := first.waits(); {
	case r.acted[first.at]:
		r.out.Unverified = true
		r.fail(first.at, fmt.Errorf("it was changed and still differs: %s", summary(first)))
		return false
	case first.err != nil || waits != "":
		r.fail(first.at, errors.New(errorOr(first.err, waits)))
		return false
	}
	batch := r.batch(due)
	start := r.now()
	if installs := installsOf(batch); len(installs) > 0 {
		if !r.install(ctx, batch, installs) {
			return false
		}
	}
	if !r.change(ctx, batch) {
		return false
	}
	for _, p := range batch {
		r.steps[p.at].DurationMS = r.now().Sub(start).Milliseconds() / int64(len(batch))
	}
	return true
}

// batch is the first due resource and those of its family that follow it in the declaration and can be changed without
// looking in between, in the hope that those before them succeed: the first that does not ends the batch.
func (r *run) batch(due []pending) []pending {
	family, hoped := r.family(due[0].at), r.state.hopes()
	out := due[:1:1]
	for _, p := range due[1:] {
		if family == "exec" || r.family(p.at) != family || r.acted[p.at] {
			break
		}
		if family == "plain" {
			hoped.expect(r.resources[out[len(out)-1].at])
			p.changes, p.err = r.resources[p.at].Diff(hoped)
		}
		if p.err != nil || p.waits() != "" || len(p.changes) == 0 {
			break
		}
		out = append(out, p)
	}
	return out
}

// plain are the kinds that touch only what they name: what one of them brings to another one, such as the owner of a
// file, the other one waits for. What runs free commands goes one by one; of all others only the same kind goes together.
var plain = []string{"file", "directory", "group", "user", "sysctl"}

func (r *run) family(at int) string {
	kind, _, _ := strings.Cut(r.resources[at].ID(), "/")
	if slices.Contains(plain, kind) {
		return "plain"
	}
	return kind
}

func installsOf(batch []pending) []string {
	var out []string
	for _, p := range batch {
		for _, c := range p.changes {
			out = append(out, c.Install...)
		}
	}
	return uniq(out)
}

// packages are the plain names of what a batch installs.
func (r *run) packages(batch []pending) []string {
	var out []string
	for _, p := range batch {
		if res, ok := r.resources[p.at].(PackageResource); ok && len(installsOf([]pending{p})) > 0 {
			out = append(out, res.Name)
		}
	}
	return out
}

// change makes the changes of a batch, each with the marks of those who must hear of it before it. Which resource an
// action belongs to is kept beside it.
func (r *run) change(ctx context.Context, batch []pending) bool {
	var do []action.Action
	var until []int // how many actions there are up to the end of each resource
	for _, p := range batch {
		for _, c := range p.changes {
			do = append(append(do, r.newMarks(c)...), c.Do...)
		}
		until = append(until, len(do))
	}
	made, err := r.doAll(ctx, batch, until, do)
	for i, p := range batch {
		s := &r.steps[p.at]
		if until[i] <= made {
			r.acted[p.at] = true
			s.Result, s.Changes = Changed, records(p.changes, r.o.Diff)
			continue
		}
		on := batch[i:]
		if !unsure(err) {
			on = on[:1]
		}
		r.failed(on, err)
		r.skipRest("not reached, because " + s.Resource + " did not succeed")
		return false
	}
	return true
}

// unsure: what did not succeed may have been made all the same, and what follows it in the same job, too.
func unsure(err error) bool {
	return errors.Is(err, guest.ErrUnknownOutcome) || errors.Is(err, action.ErrStillRunning)
}

func (r *run) doAll(ctx context.Context, batch []pending, until []int, do []action.Action) (int, error) {
	steps := make([]action.Step, len(do))
	for i, a := range do {
		at := 0
		for until[at] <= i {
			at++
		}
		steps[i] = action.Step{Fix: r.journalName(batch[at].at), Action: a}
	}
	return action.DoAll(ctx, r.target, steps)
}

// journalName is what the journal calls a resource's changes.
func (r *run) journalName(at int) string { return "provision " + r.steps[at].Resource }

// do makes one action on behalf of resources.
func (r *run) do(ctx context.Context, on []pending, a action.Action) bool {
	err := action.Do(ctx, r.target, r.journalName(on[0].at), a)
	if err != nil {
		r.failed(on, err)
		r.skipRest("not reached, because " + r.steps[on[0].at].Resource + " did not succeed")
	}
	return err == nil
}

// failed says of resources that their change did not succeed.
func (r *run) failed(on []pending, err error) {
	for _, p := range on {
		s := &r.steps[p.at]
		s.Changes = records(p.changes, r.o.Diff)
		if errors.Is(err, action.ErrStopped) {
			s.Message = "interrupted before it began"
			continue
		}
		s.Result, s.Message = Failed, err.Error()
		r.out.Unverified = r.out.Unverified || unsure(err)
	}
}

// newMarks leave a note for every service that must hear of a change and has none yet.
func (r *run) newMarks(c Change) []action.Action {
	var out []action.Action
	for _, m := range marksOf(c) {
		if !slices.Contains(r.marked, m) {
			r.marked = append(r.marked, m)
			out = append(out, markJob(m))
		}
	}
	return out
}

// marksOf are the notifications that a change asks for, "restart-nginx".
func marksOf(c Change) []string {
	var out []string
	for _, s := range c.Restart {
		out = append(out, "restart-"+s)
	}
	for _, s := range c.Reload {
		out = append(out, "reload-"+s)
	}
	return append(out, c.Notify...)
}

func markJob(mark string) action.Job {
	j := short("note: "+strings.Replace(mark, "-", " ", 1)+" later", `umask 077; mkdir -p "${1%/*}"; : >"$1"`, notifyRoot+"/"+mark)
	return j
}

// marks are all notifications that the resources of this machine may ask for.
func (r *run) marks() []string {
	var out []string
	for _, res := range r.resources {
		switch x := res.(type) {
		case FileResource:
			out = append(out, marksOf(Change{Restart: x.Restart, Reload: x.Reload, Notify: x.Notify})...)
		case ExecResource:
			out = append(out, marksOf(Change{Restart: x.Restart, Reload: x.Reload})...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// notify makes what was marked, once, after everything else, and looks again.
func (r *run) notify(ctx context.Context) {
	due := r.due()
	for _, m := range due {
		if r.fresh(m) {
			if err := r.unmark(ctx, m); err != nil {
				r.lost(err)
				return
			}
			continue
		}
		step := Step{Resource: "notify/" + m, Result: Changed}
		if err := r.tell(ctx, m, r.notification(m)); err != nil {
			step.Result, step.Message = Failed, err.Error()
		}
		r.steps = append(r.steps, step)
	}
	if len(due) == 0 || slices.ContainsFunc(r.steps, func(s Step) bool { return s.Result == Failed }) {
		return
	}
	if err := r.look(ctx); err != nil {
		r.lost(err)
	} else if left := r.diff(); len(left) > 0 {
		r.out.Unverified = true
		r.fail(left[0].at, fmt.Errorf("it differs again after services were told: %s", summary(left[0])))
	}
}

// due are the marks that stand in the guest: restarts, then reloads of what was not restarted, then handlers.
func (r *run) due() []string {
	var due []string
	for _, m := range r.marks() {
		if f, err := r.state.files.get(notifyRoot + "/" + m); err == nil && f.Exists {
			due = append(due, m)
		}
	}
	due = slices.DeleteFunc(due, func(m string) bool {
		name, reload := strings.CutPrefix(m, "reload-")
		return reload && slices.Contains(due, "restart-"+name)
	})
	slices.SortStableFunc(due, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
	return due
}

func rank(mark string) int {
	return slices.Index([]string{"restart", "reload"}, strings.SplitN(mark, "-", 2)[0]) & 3 // handlers: -1 becomes 3
}

// notification is the job of a mark.
func (r *run) notification(mark string) action.Job {
	for _, res := range r.resources {
		if h, ok := res.(Handler); ok && h.Mark() == mark {
			return h.Job()
		}
	}
	verb, name, _ := strings.Cut(mark, "-")
	return notify(verb, name)
}

// tell makes the job of a mark and then takes the mark away.
func (r *run) tell(ctx context.Context, mark string, job action.Job) error {
	name := "provision notify/" + mark
	_, err := action.DoAll(ctx, r.target, []action.Step{{Fix: name, Action: job}, {Fix: name, Action: unmarkJob(mark)}})
	return err
}

func (r *run) unmark(ctx context.Context, mark string) error {
	return action.Do(ctx, r.target, "provision notify/"+mark, unmarkJob(mark))
}

func unmarkJob(mark string) action.Job {
	return short("note: "+mark+" is done", `rm -f "$1"`, notifyRoot+"/"+mark)
}

// fresh tells whether a mark is about a service that this run started after everything before it was in place: it
// needs no restart.
func (r *run) fresh(mark string) bool {
	_, name, _ := strings.Cut(mark, "-")
	for i, res := range r.resources {
		if s, ok := res.(ServiceResource); ok && s.Name == name && s.State == Started && r.acted[i] {
			return slices.ContainsFunc(r.steps[i].Changes, func(c Record) bool { return c.What == "state" })
		}
	}
	return false
}

func summary(p pending) string {
	if p.err != nil {
		return p.err.Error()
	}
	var out []string
	for _, c := range p.changes {
		out = append(out, fmt.Sprintf("%s is %s, declared is %s", c.What, c.From, c.To))
	}
	return strings.Join(out, "; ")
}

// lost ends a machine that cannot be observed any more, or not to an end.
func (r *run) lost(err error) {
	r.out.Message = err.Error()
	r.out.Unverified = r.out.Unverified || slices.Contains(r.acted, true)
	if !r.out.Unverified {
		r.out.Reachable = false
	}
	r.skipRest("the guest could not be observed")
}

func (r *run) fail(at int, err error) {
	if at < len(r.steps) {
		r.steps[at].Result, r.steps[at].Message = Failed, err.Error()
	}
	r.skipRest("not reached, because an earlier step failed")
}

// skipRest gives a reason to every step that was not looked at.
func (r *run) skipRest(why string) {
	for i := range r.steps {
		if r.steps[i].Result == Skipped && r.steps[i].Message == "" {
			r.steps[i].Message = why
		}
	}
}

func records(changes []Change, diff bool) []Record {
	out := []Record{}
	for _, c := range changes {
		rec := Record{What: c.What, From: c.From, To: c.To}
		if diff {
			rec.Diff = c.Diff
		}
		out = append(out, rec)
	}
	return out
}

func (r *run) stopped(ctx context.Context) bool {
	select {
	case <-r.o.Stop:
		return true
	default:
		return ctx.Err() != nil
	}
}

func (r *run) progress(what string) {
	if r.o.Progress != nil {
		r.o.Progress(r.m.Name, what)
	}
}

func (r *run) log(text string) {
	if r.o.Log != nil {
		r.o.Log(r.m.Name, text)
	}
}

func (r *run) running(look string) {
	if r.o.Running != nil {
		r.o.Running(r.m.Name, look)
	}
}

func (r *run) now() time.Time { return r.o.Now() }
