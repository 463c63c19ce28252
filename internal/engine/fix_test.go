package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/demo"
	"github.com/boxdoctor/boxdoctor/internal/demo/el6"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// TestRepair: stage by stage, each fix once, one reboot, proven, and a second run has nothing to do.
func TestRepair(t *testing.T) {
	t.Parallel()
	p := admit(t, demo.Founding())
	var asked []string
	o := p.options()
	o.Confirm = func(_ context.Context, _ string, stage []PlannedFix) (bool, error) {
		var names []string
		for _, s := range stage {
			if s.Err != nil || len(s.Later) > 0 {
				t.Errorf("%s is to be run although it waits for %q or cannot be planned: %v", s.Fix.ID, s.Later, s.Err)
			}
			names = append(names, s.Fix.ID)
		}
		asked = append(asked, strings.Join(names, "+"))
		return true, nil
	}
	r := p.fix(within(t, time.Minute), o)
	p.wellAgain(r)
	p.recordedBeforeChanged()
	p.beforeAndAfter(r)
	if n := strings.Count(strings.Join(p.steps, "\n"), "ask for the reboot"); n != 1 {
		t.Errorf("%d reboots", n)
	}
	p.nothingLeft()
	seen := map[string]bool{}
	for _, stage := range asked {
		for _, id := range strings.Split(stage, "+") {
			if seen[id] {
				t.Errorf("%s ran twice: %q", id, asked)
			}
			seen[id] = true
		}
	}
	if asked[0] != "repositories.archive" || !seen["kernel.devel"] || !seen["additions.install"] || !seen["mount.shares"] {
		t.Errorf("%q", asked)
	}
	stage := 0
	for _, a := range r.Actions {
		if a.Outcome != finding.Done || a.Stage < stage || a.Title == "" || a.Text == "" {
			t.Errorf("%+v", a)
		}
		stage = a.Stage
	}
}

// recordedBeforeChanged: entries come in pairs, each change with its text before its end.
func (p *patient) recordedBeforeChanged() {
	p.t.Helper()
	for i := 0; i+1 < len(p.journal); i += 2 {
		a, b := p.journal[i], p.journal[i+1]
		if a.State != "begin" || a.Text == "" || b.State != "done" || a.Title != b.Title {
			p.t.Errorf("%+v\n%+v", a, b)
		}
	}
}

// beforeAndAfter: the line of the machine before the repair named the kernel that ran after it.
func (p *patient) beforeAndAfter(r finding.Report) {
	p.t.Helper()
	if b, a := r.Before[0], r.After[0]; !strings.Contains(b.Note, demo.RunningKernel) || !strings.Contains(a.Note, demo.ArchiveKernel) || !b.Reachable {
		p.t.Errorf("before %q, after %q", b.Note, a.Note)
	}
	if before := statuses(r.Before[0].Findings); before["mount.shares"] != finding.Fail {
		p.t.Errorf("%v", before)
	}
}

// TestADryRunChangesNothing compares every byte of the guest's disk.
func TestADryRunChangesNothing(t *testing.T) {
	t.Parallel()
	p := admit(t, demo.Founding())
	before := p.disk()
	o := p.options()
	o.DryRun = true
	o.Confirm = func(context.Context, string, []PlannedFix) (bool, error) { t.Error("a dry run asks"); return true, nil }
	r := p.fix(within(t, time.Minute), o)
	if after := p.disk(); after != before {
		t.Error("the disk changed")
	}
	if !r.DryRun || r.ExitCode != finding.ExitFailed || len(p.journal) != 0 {
		t.Errorf("exit code %d, journal %v", r.ExitCode, p.journal)
	}
	for _, s := range p.steps {
		if s != "probe" {
			t.Errorf("a dry run took the step %q", s)
		}
	}
	var first, later int
	for _, a := range r.Actions {
		if a.Outcome != finding.Planned {
			t.Errorf("%+v", a)
		}
		if a.Stage == 1 {
			first++
		} else if strings.HasPrefix(a.Message, "may change after ") {
			later++
		}
	}
	if first == 0 || later == 0 || r.Actions[0].Text == "" {
		t.Errorf("%d now, %d later", first, later)
	}
}

// TestARefusedQuestionChangesNothing.
func TestARefusedQuestionChangesNothing(t *testing.T) {
	t.Parallel()
	p := admit(t, demo.Founding())
	before := p.disk()
	o := p.options()
	o.Confirm = func(context.Context, string, []PlannedFix) (bool, error) { return false, nil }
	r := p.fix(within(t, time.Minute), o)
	if p.disk() != before || len(r.Actions) != 0 || len(p.journal) != 0 || r.ExitCode != finding.ExitFailed {
		t.Errorf("%s, exit code %d", did(r), r.ExitCode)
	}
}

func TestWithoutRootNothingIsTried(t *testing.T) {
	t.Parallel()
	p := admit(t, demo.Founding().With(demo.Sudo(el6.SudoDenied, "")))
	r := p.fix(within(t, time.Minute), p.options())
	if len(r.Actions) != 0 || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "see sudo.usable") || r.ExitCode != finding.ExitFailed {
		t.Errorf("%s, notes %q, exit code %d", did(r), r.Notes, r.ExitCode)
	}
}

// TestAFailedTransactionBlocksItsDependentsOnly, puts the locks back, and is not called verified.
func TestAFailedTransactionBlocksItsDependentsOnly(t *testing.T) {
	t.Parallel()
	p := admit(t, demo.Founding())
	p.meddle = func(_ context.Context, c *guest.Cmd) (bool, error) {
		if starts(c, "install kernel-devel") {
			c.Script = strings.ReplaceAll(c.Script, "run yum -y", "run yum --no-such-option -y")
		}
		return false, nil
	}
	r := p.fix(within(t, time.Minute), p.options())
	if got := did(r); got != "repositories.archive done, kernel.devel failed" || r.ExitCode != finding.ExitUnverified {
		t.Errorf("%s, exit code %d", got, r.ExitCode)
	}
	notes := strings.Join(r.Notes, "\n")
	for _, id := range []string{"additions.install", "mount.shares"} {
		if !strings.Contains(notes, id+" was not tried, because kernel.devel") {
			t.Errorf("no word of %s in %q", id, notes)
		}
	}
	p.locksAsBefore()
}

// TestARepairThatDoesNotHelpIsNotVerified: a build that exits 0 with nothing built.
func TestARepairThatDoesNotHelpIsNotVerified(t *testing.T) {
	t.Parallel()
	scene := demo.Healthy()
	scene.System.AdditionsBuilt, scene.Prepare = nil, nil
	p := admit(t, scene)
	p.meddle = func(_ context.Context, c *guest.Cmd) (bool, error) {
		if starts(c, "build the Guest Additions' modules") {
			c.Script = "job_script() { echo 'echo pretending'; }\njob_keeps() { :; }\njob_keep() { :; }\n" + c.Script[strings.LastIndex(c.Script, "sweep() {"):]
		}
		return false, nil
	}
	r := p.fix(within(t, time.Minute), p.options())
	if r.ExitCode != finding.ExitUnverified || !r.Unverified || !strings.HasPrefix(did(r), "additions.rebuild done") {
		t.Errorf("exit code %d, %s, %q", r.ExitCode, did(r), bad(r))
	}
}

// TestAStopInTheMiddle: the job that runs is waited for, and nothing else begins: not even its own reboot.
func TestAStopInTheMiddle(t *testing.T) {
	t.Parallel()
	p := admit(t, demo.Founding().With(demo.ReposWork))
	o := p.options()
	stop := make(chan struct{})
	o.Stop = stop
	p.recorded = func(e action.Entry) {
		if e.Fix == "kernel.devel" && e.State == "begin" {
			close(stop)
		}
	}
	r := p.fix(within(t, time.Minute), o)
	if got := did(r); got != "kernel.devel done" || len(r.Actions) != 1 || p.System().Running() != demo.RunningKernel {
		t.Errorf("%s; kernel %s", got, p.System().Running())
	}
	if strings.Contains(p.locks(), "pending") {
		t.Error("the job was not waited for")
	}
}

func TestAStopBeforeAnything(t *testing.T) {
	t.Parallel()
	p := admit(t, demo.Founding())
	o := p.options()
	stop := make(chan struct{})
	close(stop)
	o.Stop = stop
	o.Confirm = func(context.Context, string, []PlannedFix) (bool, error) {
		t.Error("asked after a stop")
		return true, nil
	}
	r := p.fix(within(t, time.Minute), o)
	if len(r.Actions) != 0 || len(p.journal) != 0 || r.ExitCode != finding.ExitFailed {
		t.Errorf("%s, exit code %d", did(r), r.ExitCode)
	}
}

// TestAnAbandonedRun: boxdoctor is killed while the locks are off. The job goes on in the guest; the next run waits
// for it instead of starting a second one beside it, and finishes.
func TestAnAbandonedRun(t *testing.T) {
	t.Parallel()
	p := admit(t, demo.Founding().With(demo.ReposWork))
	ctx, cancel := context.WithCancel(within(t, time.Minute))
	p.meddle = func(_ context.Context, c *guest.Cmd) (bool, error) {
		if starts(c, "install kernel-devel") {
			c.Script = strings.ReplaceAll(c.Script, "run yum -y", "touch /root/unlocked; while [ ! -e /root/go ]; do sleep 0.05; done\nrun yum -y")
		}
		return false, nil
	}
	p.after = func(c guest.Cmd) {
		if strings.HasPrefix(c.Name, "look at install") {
			if out, _ := p.Run(t.Context(), "cat /root/unlocked 2>&1"); out == "" {
				cancel()
			}
		}
	}
	first := p.fix(ctx, p.options())
	if did(first) != "kernel.devel unknown" || !strings.Contains(first.Actions[0].Message, "sudo tail -f /var/lib/boxdoctor/jobs/") {
		t.Fatalf("%s: %+v", did(first), first.Actions)
	}
	if p.in("ls /var/lib/boxdoctor/pending") == "" {
		t.Fatal("the run was not abandoned in the middle of the transaction")
	}
	p.meddle, p.after = nil, nil
	p.dryRunSaysSo()
	go func() {
		for !strings.Contains(p.progress(), "waiting for a job of an earlier run; look with: sudo tail -f /var/lib/boxdoctor/jobs/") {
			select {
			case <-t.Context().Done():
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
		p.Run(t.Context(), "touch /root/go")
	}()
	r := p.fix(within(t, time.Minute), p.options())
	for _, a := range r.Actions {
		if a.Fix == "kernel.devel" && a.Title != "reboot" {
			t.Errorf("what the earlier run's job did was done again: %s", a.Title)
		}
	}
	p.wellAgain(r)
}

func (p *patient) dryRunSaysSo() {
	p.t.Helper()
	o := p.options()
	o.DryRun = true
	if r := p.fix(within(p.t, time.Minute), o); len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "a job of an earlier run still works in the guest") {
		p.t.Errorf("%q", r.Notes)
	}
}

// busy starts a job as an earlier run would have, one that ends when /root/go is there.
func (p *patient) busy() {
	p.t.Helper()
	p.in(`mkdir -p /var/lib/boxdoctor/jobs/old-1; cd /var/lib/boxdoctor/jobs/old-1; : >log
echo 'echo $$ >"$1/pid"; while [ ! -e /root/go ]; do sleep 0.05; done; echo 0 >"$1/rc"' >run
setsid sh /var/lib/boxdoctor/jobs/old-1/run /var/lib/boxdoctor/jobs/old-1 >/dev/null 2>&1 </dev/null &
while [ ! -s pid ]; do sleep 0.02; done`)
}

// TestTheWaitForAnEarlierJob ends by the person, and after its limit; nothing is changed then.
func TestTheWaitForAnEarlierJob(t *testing.T) {
	t.Parallel()
	p := admit(t, demo.Founding())
	p.busy()
	stop := make(chan struct{})
	o := p.options()
	o.Stop = stop
	o.Progress = func(_, what string) {
		if strings.HasPrefix(what, "waiting for a job") {
			close(stop)
		}
	}
	check := func(name string, r finding.Report) {
		t.Helper()
		if len(r.Actions) != 0 || len(p.journal) != 0 || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "a job of an earlier run still works in the guest") ||
			!strings.Contains(r.Notes[0], "sudo tail -f /var/lib/boxdoctor/jobs/old-1/log") || r.ExitCode != finding.ExitFailed {
			t.Errorf("%s: %s, notes %q, exit code %d", name, did(r), r.Notes, r.ExitCode)
		}
	}
	check("stopped", p.fix(within(t, time.Minute), o))

	ctx, cancel := context.WithCancel(within(t, time.Minute))
	o = p.options()
	o.Progress = func(_, what string) {
		if strings.HasPrefix(what, "waiting for a job") {
			cancel()
		}
	}
	check("aborted", p.fix(ctx, o))

	// A clock that jumps behind the limit as soon as the wait begins.
	var jumped atomic.Bool
	o = p.options()
	o.Now = func() time.Time {
		if jumped.Load() {
			return time.Now().Add(earlierJobLimit + time.Second)
		}
		return time.Now()
	}
	o.Progress = func(_, what string) {
		if strings.HasPrefix(what, "waiting for a job") {
			jumped.Store(true)
		}
	}
	check("over the limit", p.fix(within(t, time.Minute), o))
	p.in("touch /root/go")
}

// TestAnAbandonedReboot: boxdoctor is killed right after it asked for the restart.
func TestAnAbandonedReboot(t *testing.T) {
	t.Parallel()
	p := admit(t, demo.Founding().With(demo.ReposWork))
	ctx, cancel := context.WithCancel(within(t, time.Minute))
	p.after = func(c guest.Cmd) {
		if c.Name == "ask for the reboot" {
			cancel()
		}
	}
	boot := p.System().BootID()
	first := p.fix(ctx, p.options())
	p.after = nil
	last := first.Actions[len(first.Actions)-1]
	if last.Title != "reboot" || last.Outcome != finding.OutcomeCut {
		t.Fatalf("%+v", last)
	}
	for p.System().BootID() == boot || p.System().Running() != demo.ArchiveKernel {
		select {
		case <-within(t, 20*time.Second).Done():
			t.Fatal("the guest did not restart")
		case <-time.After(10 * time.Millisecond):
		}
	}
	p.wellAgain(p.fix(within(t, time.Minute), p.options()))
}

// TestAPowerCutInATransaction: the run that saw it looks again before it does anything else, and puts the locks
// back itself; the next one finishes.
func TestAPowerCutInATransaction(t *testing.T) {
	t.Parallel()
	p := admit(t, demo.Founding().With(demo.ReposWork))
	p.meddle = func(_ context.Context, c *guest.Cmd) (bool, error) {
		if starts(c, "install kernel-devel") {
			c.Script = strings.ReplaceAll(c.Script, "run yum -y", "touch /root/unlocked; sleep 600\nrun yum -y")
		}
		return false, nil
	}
	var cut atomic.Bool
	p.after = func(c guest.Cmd) {
		if strings.HasPrefix(c.Name, "look at install") && !cut.Load() {
			if _, code := p.Run(t.Context(), "test -e /root/unlocked"); code == 0 {
				cut.Store(true)
				p.PowerCut()
			}
		}
	}
	first := p.fix(within(t, time.Minute), p.options())
	p.meddle, p.after = nil, nil
	if !cut.Load() || did(first) != "kernel.devel failed, locks.restore done" || first.ExitCode != finding.ExitUnverified {
		t.Errorf("%s, exit code %d", did(first), first.ExitCode)
	}
	if !strings.Contains(first.Actions[0].Message, "power cut") {
		t.Error(first.Actions[0].Message)
	}
	p.locksAsBefore()
	p.wellAgain(p.fix(within(t, time.Minute), p.options()))
}

// TestAGuestThatDoesNotComeBackIsNotReachable: after a repair the connection of before was believed, and a guest that
// was gone counted as reached.
func TestAGuestThatDoesNotComeBackIsNotReachable(t *testing.T) {
	t.Parallel()
	p := admit(t, demo.Founding().With(demo.ReposWork))
	p.meddle = func(_ context.Context, c *guest.Cmd) (bool, error) {
		if c.Name == "ask for the reboot" {
			p.refuse.Store(true)
			return true, &guest.ExitError{Name: c.Name, Code: 1, Stderr: "Failed to talk to init daemon."}
		}
		if p.refuse.Load() {
			return true, errors.New("no route to host")
		}
		return false, nil
	}
	r := p.fix(within(t, time.Minute), p.options())
	f := byName(r.Machines[0].Findings)["guest.reachable"]
	if r.Machines[0].Reachable || !r.Unreachable || !r.Unverified || r.ExitCode != finding.ExitUnverified || f.Status != finding.Unknown || f.Message != "nothing listens" {
		t.Errorf("reachable %t, exit code %d, %+v", r.Machines[0].Reachable, r.ExitCode, f)
	}
	if !r.Before[0].Reachable {
		t.Error("it was reachable before")
	}
}

// TestAConnectionThatDiedIsReplaced when the guest is looked at again.
func TestAConnectionThatDiedIsReplaced(t *testing.T) {
	t.Parallel()
	p := admit(t, demo.Healthy())
	one := observe(within(t, time.Minute), p.machine(), Options{}, nil)
	old, probes := one.guest, 0
	p.meddle = func(_ context.Context, c *guest.Cmd) (bool, error) {
		probes++
		return probes == 1, errors.New("the connection was closed by boxdoctor")
	}
	two := observe(within(t, time.Minute), p.machine(), Options{}, &one)
	defer two.close()
	if two.guest == old || !two.reached || probes != 2 || p.open.Load() != 1 || bad(finding.Report{Machines: []finding.Machine{two.report()}}) != "" {
		t.Errorf("reached %t, %d probes, %d connections, %+v", two.reached, probes, p.open.Load(), two.findings)
	}
}

// TestLegacyStaysKnown: what the first dial found out is not forgotten by later looks.
func TestLegacyStaysKnown(t *testing.T) {
	t.Parallel()
	p := admit(t, demo.Healthy())
	m := p.machine()
	dial := m.Dial
	m.Dial = func(ctx context.Context) (guest.Guest, facts.Reach, error) {
		g, reach, err := dial(ctx)
		reach.Legacy = []string{"ssh-rsa"}
		return g, reach, err
	}
	o := Options{Only: []string{"guest.legacy_ssh", "clock.skew"}}
	one := observe(within(t, time.Minute), m, o, nil)
	two := observe(within(t, time.Minute), m, o, &one)
	defer two.close()
	for i, s := range []observation{one, two} {
		if f := byName(s.findings)["guest.legacy_ssh"]; f.Status != finding.Warn {
			t.Errorf("look %d: %s %s", i+1, f.Status, f.Message)
		}
	}
}

func TestFixOfUnreachableAndHost(t *testing.T) {
	r := Fix(t.Context(), []Machine{{Facts: facts.Machine{Name: HostName}}, lost("web", true)}, []string{"a note"}, FixOptions{})
	if len(r.Actions) != 0 || len(r.Before) != 2 || len(r.After) != 2 || !r.Unreachable || r.Unverified || r.Before[1].Reachable || !slices.Equal(r.Notes, []string{"a note"}) {
		t.Errorf("%+v", r)
	}
}

// TestTwoMachinesAtOnce: the trouble of one is not the other's.
func TestTwoMachinesAtOnce(t *testing.T) {
	t.Parallel()
	a, b := admit(t, demo.Founding().With(demo.ReposWork)), admit(t, demo.Healthy().With(demo.ToolsMissing))
	a.meddle = func(_ context.Context, c *guest.Cmd) (bool, error) {
		if starts(c, "install kernel-devel") {
			return true, errors.New("sudo: the account has expired")
		}
		return false, nil
	}
	ma, mb := a.machine(), b.machine()
	ma.Facts.Name, mb.Facts.Name = "a", "b"
	r := Fix(within(t, time.Minute), []Machine{ma, mb}, nil, a.options())
	if r.Machines[0].Name != "a" || bad(finding.Report{Machines: r.Machines[:1]}) == "" {
		t.Error("the failure of a was not seen")
	}
	if s := bad(finding.Report{Machines: r.Machines[1:]}); s != "" {
		t.Error(s)
	}
	for _, x := range r.Actions {
		if (x.Machine == "a") != (x.Outcome == finding.Failed) {
			t.Errorf("%+v", x)
		}
	}
	a.locksAsBefore()
}

// TestDefect8And25ARunningJobIsNamed: whoever was told "To look: boxdoctor check" found nothing there; and a
// fix that had waited for an earlier run's job said "nothing was changed" above a table that had changed.
func TestDefect8And25ARunningJobIsNamed(t *testing.T) {
	t.Parallel()
	p := admit(t, demo.Healthy())
	p.busy()
	r := Check(within(t, time.Minute), []Machine{p.machine()}, nil, p.options().Options)
	if !strings.Contains(strings.Join(r.Notes, "\n"), "works in the guest, so this may change; look with: sudo tail -f "+action.JobRoot+"/old-1/log") {
		t.Errorf("check does not name the job: %q", r.Notes)
	}
	o := p.options()
	o.Progress = func(_, what string) {
		if strings.HasPrefix(what, "waiting for a job of an earlier run") {
			p.Run(t.Context(), "touch /root/go")
		}
	}
	r = p.fix(within(t, time.Minute), o)
	if !strings.Contains(strings.Join(r.Notes, "\n"), "(old-1) still worked in the guest and was waited for") {
		t.Errorf("fix does not say that it waited: %q", r.Notes)
	}
}

// TestDefect24ATimeOutIsNamed: 27 unknown findings and no word of the time limit.
func TestDefect24ATimeOutIsNamed(t *testing.T) {
	t.Parallel()
	p := admit(t, demo.Healthy())
	o := p.options()
	o.Timeout = time.Millisecond
	r := Check(within(t, time.Minute), []Machine{p.machine()}, nil, o.Options)
	if len(r.TimedOut) != 1 || !strings.Contains(strings.Join(r.Notes, "\n"), "was cut off after 1ms (--timeout)") {
		t.Errorf("%q %q", r.TimedOut, r.Notes)
	}
}

// TestOneShareThatFailsDoesNotKeepTheOthers: the second share was not tried when the first could not be mounted.
func TestOneShareThatFailsDoesNotKeepTheOthers(t *testing.T) {
	t.Parallel()
	scene := demo.Healthy()
	scene.Prepare = nil
	scene.Folders = append([]facts.SyncedFolder{{Name: "nowhere", HostPath: "/home/dev/x", GuestPath: "/x"}}, scene.Folders...)
	p := admit(t, scene)
	p.meddle = func(_ context.Context, c *guest.Cmd) (bool, error) {
		c.Script = strings.ReplaceAll(c.Script, "sleep 5", "sleep 1")
		return false, nil
	}
	r := p.fix(within(t, time.Minute), p.options())
	if got := did(r); got != "mount.shares failed, mount.shares done" && got != "mount.shares failed" || r.ExitCode != finding.ExitUnverified {
		t.Errorf("%s, exit code %d", got, r.ExitCode)
	}
	if out, code := p.Run(t.Context(), "grep ' /home/rc vboxsf ' /proc/mounts"); code != 0 {
		t.Errorf("the other share is not mounted: %s", out)
	}
}
