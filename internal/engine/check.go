package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/boxdoctor/boxdoctor/checks"
	"github.com/boxdoctor/boxdoctor/fixes"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/probe"
)

// HostName is the name of the host in reports.
const HostName = "host"

// defaultTimeout bounds the examination of one machine when the user gave none.
const defaultTimeout = 3 * time.Minute

// Check examines all machines at once, at most o.Parallel at a time, and returns a finished report in the
// order of ms. A machine that cannot be reached is a finding, not an error.
func Check(ctx context.Context, ms []Machine, notes []string, o Options) finding.Report {
	start := o.now()
	seen := make([]observation, len(ms))
	each(len(ms), o.Parallel, func(i int) {
		seen[i] = observe(ctx, ms[i], o, nil, facts.KeyActivity)
		seen[i].close()
	})
	r := finding.Report{Boxdoctor: o.Version, StartedAt: start, Notes: append([]string{}, notes...)}
	for i, s := range seen {
		r.Machines = append(r.Machines, s.report())
		r.TimedOut = append(r.TimedOut, s.late()...)
		r.Notes = append(r.Notes, s.remarks()...)
		if job := s.facts.Guest.Activity.Or(facts.Activity{}).Job; job != "" {
			r.Notes = append(r.Notes, fmt.Sprintf("%s: a job of a boxdoctor run works in the guest, so this may change; %s", s.machine.Facts.Name, lookAt(job)))
		}
		r.Unreachable = r.Unreachable || (ms[i].Named && !s.reached)
	}
	r.DurationMS = o.now().Sub(start).Milliseconds()
	r.Finish(o.Strict)
	return r
}

// observation is one look at one machine: its facts and what the checks say of them.
type observation struct {
	machine  Machine
	guest    guest.Guest
	reach    facts.Reach
	facts    facts.Facts
	findings []finding.Finding
	reached  bool
	// limit is the time limit that cut the look off; zero when none did.
	limit time.Duration
	// interrupted: the person ended the look, so there are no findings.
	interrupted bool
}

// interrupt says that the person gave up the wait for this look.
func (s *observation) interrupt() { s.findings, s.interrupted = nil, true }

// late is the machine's name when its look was cut off by the time limit.
func (s *observation) late() []string {
	if s.limit == 0 {
		return nil
	}
	return []string{s.machine.Facts.Name}
}

// remarks are sentences about the look as a whole.
func (s *observation) remarks() []string {
	var out []string
	if s.limit > 0 {
		out = append(out, fmt.Sprintf("%s: the examination was cut off after %s (--timeout); what was not read by then is unknown", s.machine.Facts.Name, s.limit))
	}
	if why := s.withoutAdditions(); why != "" {
		out = append(out, s.machine.Facts.Name+": "+why)
	}
	return out
}

// withoutAdditions says why no check of Guest Additions was made. A Vagrant machine that VirtualBox runs and that is
// none from inside is no small matter: something else answers.
func (s *observation) withoutAdditions() string {
	if s.interrupted || !s.reached || s.machine.Dial == nil {
		return ""
	}
	why := notVirtualBox(&s.facts)
	n := 0
	for _, f := range s.findings {
		if f.Status == finding.Skip && f.Message == why {
			n++
		}
	}
	if why == "" || n == 0 {
		return ""
	}
	if s.machine.Host.VM.Or(facts.VM{}).State == "running" {
		return fmt.Sprintf("WARNING: VirtualBox says that this machine runs, but what answers at %s is no VirtualBox VM (%d checks of Guest "+
			"Additions were skipped): another machine may be behind the forwarded port. Repair nothing before you know which", s.reach.Address, n)
	}
	return fmt.Sprintf("%d checks of Guest Additions were skipped: %s", n, why)
}

func (s *observation) report() finding.Machine {
	kind, note := finding.KindHost, ""
	if s.machine.Dial != nil {
		kind, note = finding.KindGuest, guestNote(&s.facts)
	}
	if s.interrupted {
		note = "not examined: interrupted"
	}
	return finding.Machine{Name: s.machine.Facts.Name, Kind: kind, Reachable: s.reached, Findings: s.findings, Note: note}
}

func (s *observation) close() {
	if s.guest != nil {
		_ = s.guest.Close() // the examination is over; an error here changes nothing
		s.guest = nil
	}
}

// guestNote is the line beside a guest's name.
func guestNote(f *facts.Facts) string {
	sys, err := f.Guest.System.Get()
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s, kernel %s", sys.Pretty, sys.KernelRelease)
}

// observe dials, or takes over the connection of an earlier look, probes and judges. more are sections that are
// read besides those that the checks need.
func observe(ctx context.Context, m Machine, o Options, earlier *observation, more ...facts.Key) observation {
	limit := o.Timeout
	if limit <= 0 {
		limit = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	s := observation{machine: m, reached: true}
	if earlier != nil {
		s.guest, s.reach = earlier.guest, earlier.reach
	}
	if earlier != nil && m.Dial == nil {
		s.machine.Host = o.lookAgain(ctx, m)
	}
	s.facts = facts.Facts{Machine: m.Facts, Host: s.machine.Host}
	target := checks.OnHost
	if m.Dial != nil {
		target = checks.OnGuest
	}
	selected := choose(target, o)
	if m.Dial != nil {
		s.collect(ctx, o, append(needs(selected), more...))
	}
	s.findings = judge(&s.facts, selected, o.now)
	// The clock, because a dial may see the deadline before the context does.
	if end, _ := ctx.Deadline(); errors.Is(ctx.Err(), context.DeadlineExceeded) || ctx.Err() == nil && time.Now().After(end) {
		s.limit = limit
	}
	o.adviseFixes(m.Facts.Name, s.findings)
	return s
}

// lookAgain observes the host anew. What cannot be seen is unknown, not as it was.
func (o Options) lookAgain(ctx context.Context, m Machine) facts.Host {
	o.progress(m.Facts.Name, "examining")
	h, err := m.Look(ctx)
	if err != nil {
		o.log(m.Facts.Name, "look again: "+err.Error())
		return facts.Host{}
	}
	return h
}

// adviseFixes puts the command that repairs a finding before its other advice.
func (o Options) adviseFixes(machine string, fs []finding.Finding) {
	if o.FixCommand == nil {
		return
	}
	for i := range fs {
		fix, ok := fixes.ByID(fs[i].Fix)
		if !ok {
			continue
		}
		text := fix.Title
		if fix.Impact > fixes.ChangesPackages {
			text += " (" + fix.Impact.String() + ")"
		}
		fs[i].Advice = append([]finding.Advice{{Text: text, Command: o.FixCommand(machine, fs[i].ID)}}, fs[i].Advice...)
	}
}

// collect fills the guest's facts; what goes wrong becomes a fact too. That the guest answered once does not mean
// that it does now: when nothing comes over the connection of an earlier look, it is dialled anew.
func (s *observation) collect(ctx context.Context, o Options, keys []facts.Key) {
	taken := s.guest != nil
	if !taken && !s.dial(ctx, o) {
		return
	}
	o.progress(s.machine.Facts.Name, "examining")
	g, err := s.probe(ctx, o, keys)
	if err != nil && taken && ctx.Err() == nil {
		s.close()
		if !s.dial(ctx, o) {
			return
		}
		g, _ = s.probe(ctx, o, keys) // logged there, and every fact says why it is not known
	}
	s.facts.Guest = g
	s.facts.Guest.Reach = facts.Known(s.reach)
	s.facts.Host.Resolves = o.resolved(ctx, g.Repos.Or(facts.Repos{}).Hosts)
}

// resolved asks this host for the names that a guest cannot resolve: that tells a dead name from a dead name service.
func (o Options) resolved(ctx context.Context, guest map[string]string) map[string]bool {
	if o.Resolve == nil {
		return nil
	}
	var names []string
	for name, state := range guest {
		if state == "no" {
			names = append(names, name)
		}
	}
	known := make([]bool, len(names))
	each(len(names), len(names), func(i int) { known[i] = o.Resolve(ctx, names[i]) })
	out := map[string]bool{}
	for i, name := range names {
		out[name] = known[i]
	}
	return out
}

// dial connects and reports whether there is a guest to ask now.
func (s *observation) dial(ctx context.Context, o Options) bool {
	name := s.machine.Facts.Name
	o.progress(name, "connecting")
	g, reach, err := s.machine.Dial(ctx)
	s.reach = reach
	s.facts.Guest.Reach = facts.Known(reach)
	if err != nil {
		s.reached = false
		o.log(name, "connect: "+err.Error())
		return false
	}
	s.guest = g
	return true
}

// probe runs the one script. A guest whose sudo wants a password is probed once more as root when a password
// is at hand, and one whose sudo wants a terminal over a pseudo-terminal: half of what matters can only be read by root. The error means that nothing at all was read.
func (s *observation) probe(ctx context.Context, o Options, keys []facts.Key) (facts.Guest, error) {
	// who allows more than the usual time for all allows it for each look
	p := probe.Params{User: s.machine.Facts.User, Wanted: s.machine.Host.Folders.Or(nil), Slow: int(o.Timeout / defaultTimeout)}
	g, err := probe.Collect(ctx, s.guest, keys, p, o.now)
	if err != nil {
		o.log(s.machine.Facts.Name, "probe: "+err.Error())
		return g, err
	}
	sudo, serr := g.Sudo.Get()
	if serr != nil || (sudo.State != facts.SudoPassword && sudo.State != facts.SudoTTY) {
		return g, nil
	}
	p.Sudo = true
	asRoot, err := probe.Collect(ctx, s.guest, keys, p, o.now)
	if err != nil {
		o.log(s.machine.Facts.Name, "probe as root: "+err.Error())
		var refused interface{ SudoState() string }
		if errors.As(err, &refused) {
			g.Sudo = facts.Known(facts.Sudo{State: refused.SudoState(), Text: err.Error()})
		}
		return g, nil //nolint:nilerr // what could be read without root counts
	}
	asRoot.Sudo = facts.Known(facts.Sudo{State: facts.SudoOK, Text: map[string]string{
		facts.SudoPassword: "with a password", facts.SudoTTY: facts.SudoByPTY}[sudo.State]})
	return asRoot, nil
}

// judge evaluates the checks that were chosen and what they stand on, and links symptoms to causes.
func judge(f *facts.Facts, selected []checks.Check, now func() time.Time) []finding.Finding {
	verdicts := map[string]finding.Finding{}
	for _, c := range inOrder(closure(selected)) {
		verdicts[c.ID] = evaluate(c, f, verdicts, now)
	}
	out := make([]finding.Finding, 0, len(selected))
	reported := map[string]bool{}
	for _, c := range selected {
		reported[c.ID] = true
	}
	for _, c := range selected {
		v := verdicts[c.ID]
		v.CausedBy = cause(c, v, verdicts, reported)
		out = append(out, v)
	}
	finding.SortFindings(out)
	return out
}

// evaluate turns one check into a finding. A panic in Eval is that check's own Unknown; the others go on.
func evaluate(c checks.Check, f *facts.Facts, done map[string]finding.Finding, now func() time.Time) (out finding.Finding) {
	start := now()
	out = finding.Finding{ID: c.ID, Title: c.Title, Rows: c.Rows, Severity: c.Severity, Why: c.Why, Link: c.Link, Advice: []finding.Advice{}}
	if out.Rows == nil {
		out.Rows = []string{}
	}
	defer func() {
		if p := recover(); p != nil {
			out.Status = finding.Unknown
			out.Message = fmt.Sprintf("the check itself failed (%v); please report this: %.400s", p, debug.Stack())
		}
		out.DurationMS = now().Sub(start).Milliseconds()
	}()
	v, skipped := prerequisite(c, f, done)
	if !skipped {
		v = c.Eval(f)
	}
	out.Status, out.Message, out.Want, out.Got = v.Status, v.Message, v.Want, v.Got
	if out.Status == "" {
		out.Status = finding.Unknown
	}
	out.Advice = append(out.Advice, v.Advice...)
	if (out.Status == finding.Fail || out.Status == finding.Warn) && !v.NoFix {
		out.Fix = c.Fix
	}
	return out
}

// prerequisite answers Skip when the check cannot say anything yet, with the reason.
func prerequisite(c checks.Check, f *facts.Facts, done map[string]finding.Finding) (finding.Verdict, bool) {
	for _, id := range c.After {
		if st := done[id].Status; st != finding.Pass && st != finding.Warn {
			return finding.Skipf("needs %s, which is %s", id, st), true
		}
	}
	if c.VirtualBoxOnly {
		if why := notVirtualBox(f); why != "" {
			return finding.Skipf("%s", why), true
		}
	}
	return finding.Verdict{}, false
}

// notVirtualBox says why Guest Additions do not matter in this guest, or nothing.
func notVirtualBox(f *facts.Facts) string {
	sys, err := f.Guest.System.Get()
	if f.Machine.ForceVirtualBox || err != nil || sys.PCIDevice || sys.Product == "VirtualBox" {
		return ""
	}
	what := sys.Product
	if what == "" {
		what = "unknown hardware"
	}
	return fmt.Sprintf("this guest is not a VirtualBox VM (DMI says %s, no VirtualBox device); --vbox-version V examines it all the same", what)
}

// cause is the nearest failing finding that explains this one. A warning explains nothing.
func cause(c checks.Check, v finding.Finding, all map[string]finding.Finding, reported map[string]bool) string {
	if v.Status != finding.Fail && v.Status != finding.Warn {
		return ""
	}
	for _, id := range c.CausedBy {
		if reported[id] && all[id].Status == finding.Fail {
			return id
		}
	}
	return ""
}

// each calls f for 0..n-1 on at most width goroutines. A panic in one of them is raised again here, after the
// others have ended, so that the program ends as an internal error and not as Go's exit status 2.
func each(n, width int, f func(int)) {
	if width < 1 {
		width = 8
	}
	slots := make(chan struct{}, width)
	var wg sync.WaitGroup
	panics := make(chan any, n)
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					panics <- fmt.Sprintf("%v\n%s", p, debug.Stack())
				}
				<-slots
			}()
			f(i)
		})
	}
	wg.Wait()
	select {
	case p := <-panics:
		panic(p)
	default:
	}
}

func (o Options) now() time.Time {
	if o.Now != nil {
		return o.Now()
	}
	return time.Now()
}

func (o Options) progress(machine, what string) {
	if o.Progress != nil {
		o.Progress(machine, what)
	}
}

func (o Options) log(machine, text string) {
	if o.Log != nil {
		o.Log(machine, text)
	}
}
