//go:build linux

package provision

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// These tests run the whole loop over real shells in a temporary root: scripts are the real ones, and so are all programs
// but those that would change this machine (testdata/bin).

// moved are the folders of a guest that lie below the temporary root.
var moved = []string{"/var/lib/boxdoctor", "/var/tmp", "/etc/", "/srv", "/run/systemd"}

// rooted is a guest in a temporary folder.
type rooted struct {
	t    *testing.T
	root string
	env  []string

	mu    sync.Mutex
	steps []string
	// fault may refuse a step, or act before it.
	fault func(c guest.Cmd) error
}

var _ guest.Guest = (*rooted)(nil)

func newRooted(t *testing.T) *rooted {
	t.Helper()
	g := &rooted{t: t, root: t.TempDir()}
	bin, err := filepath.Abs("testdata/bin")
	if err != nil {
		t.Fatal(err)
	}
	g.env = []string{"PATH=" + bin + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin", "HOME=/", "TEST_ROOT=" + g.root}
	g.write("/etc/os-release", "ID=debian\nVERSION_ID=12\nPRETTY_NAME=\"Debian in a folder\"\n")
	g.write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
	g.write("/etc/group", "root:x:0:\n")
	for _, dir := range []string{"/var/tmp", "/srv", "/run/systemd/system", "/packages", "/units"} {
		if err := os.MkdirAll(g.root+dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

func (g *rooted) write(path, content string) {
	g.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(g.root+path), 0o755), os.WriteFile(g.root+path, []byte(content), 0o644)); err != nil {
		g.t.Fatal(err)
	}
}

// read is a file's content, or "(none)".
func (g *rooted) read(path string) string {
	b, err := os.ReadFile(g.root + path)
	if err != nil {
		return "(none)"
	}
	return string(b)
}

// everything lists the guest's files with their content.
func (g *rooted) everything() string {
	var b strings.Builder
	err := filepath.WalkDir(g.root, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			text, rerr := os.ReadFile(path)
			fmt.Fprintf(&b, "%s\n%s\n", path, text)
			err = rerr
		}
		return err
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return b.String()
}

// realPrograms is a line of scripts that would find the programs of this machine, which must not be changed.
const realPrograms = "PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin\n"

func (g *rooted) place(s string) string {
	if s = strings.ReplaceAll(s, realPrograms, ""); strings.Contains(s, "PATH=/") {
		g.t.Error("a script sets PATH in a new way: it would run the programs of this machine")
		return "exit 99"
	}
	for _, dir := range moved {
		s = strings.ReplaceAll(s, dir, g.root+dir)
	}
	return s
}

// Run runs a step as the transport does.
func (g *rooted) Run(ctx context.Context, c guest.Cmd) (guest.Result, error) {
	g.mu.Lock()
	g.steps = append(g.steps, c.Name)
	fault := g.fault
	g.mu.Unlock()
	if fault != nil {
		if err := fault(c); err != nil {
			return guest.Result{Code: -1}, err
		}
	}
	argv, in := c.Argv, c.Stdin
	if c.Script != "" {
		argv, in = append([]string{"sh", "-s", "--"}, c.Args...), strings.NewReader(g.place(c.Script))
	}
	for i := range argv {
		argv[i] = g.place(argv[i])
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.WaitDelay, cmd.Env, cmd.Stdin = time.Second, g.env, in
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	text := bytes.ReplaceAll(out.Bytes(), []byte(g.root), nil)
	if c.Stdout != nil {
		_, _ = c.Stdout.Write(text)
	}
	res := guest.Result{Stdout: text, Stderr: errs.Bytes(), Code: cmd.ProcessState.ExitCode()}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = &guest.ExitError{Name: c.Name, Code: res.Code, Stderr: strings.ReplaceAll(errs.String(), g.root, "")}
	}
	return res, err
}

// Put is not used by these resources.
func (g *rooted) Put(context.Context, string, os.FileMode, io.Reader, int64, func(int64)) error {
	return errors.New("nothing is uploaded here")
}

// Reconnect always succeeds.
func (g *rooted) Reconnect(context.Context) error { return nil }

// Close ends nothing.
func (g *rooted) Close() error { return nil }

// took counts the steps whose name begins so.
func (g *rooted) took(name string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(g.steps), func(s string) bool { return !strings.HasPrefix(s, name) }))
}

// machine declares resources for this guest.
func (g *rooted) machine(name string, rs ...Resource) Machine {
	return Machine{Name: name, Plan: func(facts.Guest) ([]Resource, error) { return rs, nil },
		Dial: func(context.Context) (guest.Guest, facts.Reach, error) { return g, facts.Reach{}, nil }}
}

// entries is a journal in memory.
type entries struct {
	mu  sync.Mutex
	all []action.Entry
}

// Record keeps an entry.
func (j *entries) Record(e action.Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.all = append(j.all, e)
	return nil
}

// titles are those of the begun actions.
func (j *entries) titles() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []string
	for _, e := range j.all {
		if e.State == "begin" {
			out = append(out, e.Title)
		}
	}
	return strings.Join(out, "; ")
}

var runs struct {
	sync.Mutex
	n int
}

// options are those of one run with a journal of its own.
func options() (Options, *entries) {
	j := &entries{}
	return Options{Version: "test", Parallel: 4, Journal: j, Lib: "wait_idle() { :; }\nrun() { \"$@\" || exit; }\n", RunID: func() string {
		runs.Lock()
		defer runs.Unlock()
		runs.n++
		return fmt.Sprintf("%032x", runs.n)
	}}, j
}

// perform is Run, and checks its report against docs/schema/provision.json.
func perform(t *testing.T, ms []Machine, o Options) Report {
	t.Helper()
	r := Run(t.Context(), ms, o)
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	schema, err := jsonschema.NewCompiler().Compile("../docs/schema/provision.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err == nil {
		err = schema.Validate(doc)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, b)
	}
	return r
}

// results is a machine's report in one line.
func results(m MachineReport) string {
	var out []string
	for _, s := range m.Steps {
		out = append(out, s.Resource+" "+string(s.Result))
	}
	return strings.Join(out, "; ")
}

func said(m MachineReport) string {
	out := m.Message
	for _, s := range m.Steps {
		out += " " + s.Message
	}
	return out
}

func file(path, content string, restart ...string) FileResource {
	return FileResource{Path: path, Content: content, Mode: 0o644, State: Present, Restart: restart}
}

// site is one of each kind that is not a package.
func site() []Resource {
	yes := true
	return []Resource{
		GroupResource{Name: "app", GID: -1}, UserResource{Name: "bob", UID: -1, Group: "app", Home: "/srv/bob"},
		DirectoryResource{Path: "/srv/data", Mode: 0o750, Owner: "bob"},
		file("/srv/data/a", "one\n", "web"), file("/etc/b", "it's\t$HOME\n", "web"),
		PackageResource{Name: "nonesuch", State: Present},
		ExecResource{Name: "seed", Command: "echo seeded >/srv/seed", Creates: "/srv/seed"},
		ServiceResource{"web", Started, &yes},
	}
}

const unit = "loaded inactive disabled\n"

func TestRunMakesEverythingOnce(t *testing.T) {
	g := newRooted(t)
	g.write("/units/web", "loaded active enabled\n")
	o, j := options()
	r := perform(t, []Machine{g.machine("web", site()...)}, o)
	want := "group/app changed; user/bob changed; directory/srv/data changed; file/srv/data/a changed; file/etc/b changed; package/nonesuch changed; exec/seed changed; service/web ok; notify/restart-web changed"
	if got := results(r.Machines[0]); got != want || r.ExitCode != finding.ExitOK {
		t.Fatalf("exit %d\ngot  %s\nwant %s\n%s", r.ExitCode, got, want, said(r.Machines[0]))
	}
	if g.read("/srv/data/a") != "one\n" || g.read("/etc/b") != "it's\t$HOME\n" || g.read("/srv/seed") != "seeded\n" || g.read("/packages/nonesuch") == "(none)" {
		t.Error("not what was declared")
	}
	if n := strings.Count(g.read("/units/log"), "restart web\n"); n != 1 {
		t.Errorf("two files want one restart, the service had %d:\n%s", n, g.read("/units/log"))
	}
	if !strings.HasPrefix(j.titles(), "make the group app; make the user bob; make the folder /srv/data; note: restart web later; write /srv/data/a; write /etc/b; install nonesuch; run seed; restart the service web") {
		t.Error(j.titles())
	}
	// group, user, folder and files in one round; then the package, the command, and the proof, twice for the restart
	if n := g.took("probe"); n != 6 {
		t.Errorf("%d looks: %v", n, g.steps)
	}
	before, o2 := g.everything(), 0
	g.steps = nil
	o, j = options()
	r = perform(t, []Machine{g.machine("web", site()...)}, o)
	if r.ExitCode != finding.ExitOK || r.Machines[0].Totals.OK != 8 || r.Machines[0].Totals.Changed != 0 || j.titles() != "" || g.everything() != before {
		t.Errorf("second run: exit %d, %s, journal %q", r.ExitCode, results(r.Machines[0]), j.titles())
	}
	if o2 = len(g.steps); o2 != 2 {
		t.Errorf("the second run took %d steps: %v", o2, g.steps)
	}
}

// TestWhatANewHomeHoldsIsLookedAt: useradd fills it, so a file in it is not written in the same breath.
func TestWhatANewHomeHoldsIsLookedAt(t *testing.T) {
	g := newRooted(t)
	g.env = append(g.env, "TEST_SKEL=from skel")
	o, _ := options()
	r := perform(t, []Machine{g.machine("web", UserResource{Name: "bob", UID: -1, Home: "/srv/bob"}, file("/srv/bob/.profile", "mine\n"), file("/etc/c", "c"))}, o)
	if r.ExitCode != finding.ExitOK || g.read("/srv/bob/.profile") != "mine\n" {
		t.Errorf("exit %d, %s", r.ExitCode, said(r.Machines[0]))
	}
}

func TestCheckWritesNothing(t *testing.T) {
	g := newRooted(t)
	g.write("/units/web", unit)
	before := g.everything()
	o, j := options()
	o.Check, o.Diff = true, true
	r := perform(t, []Machine{g.machine("web", site()...)}, o)
	want := "group/app would change; user/bob may change; directory/srv/data may change; file/srv/data/a may change; file/etc/b would change; package/nonesuch would change; exec/seed would change; service/web would change"
	if got := results(r.Machines[0]); got != want || r.ExitCode != finding.ExitFailed || g.everything() != before || j.titles() != "" {
		t.Errorf("exit %d, journal %q\ngot  %s\nwant %s", r.ExitCode, j.titles(), got, want)
	}
	if d := r.Machines[0].Steps[4].Changes[0].Diff; !strings.Contains(d, "+it's\t$HOME") {
		t.Errorf("diff %q", d)
	}
	r = perform(t, []Machine{g.machine("web", GroupResource{Name: "root", GID: -1})}, o)
	if r.ExitCode != finding.ExitOK {
		t.Errorf("nothing to do: exit %d", r.ExitCode)
	}
}

// TestACutRunLeavesItsRestartsToTheNextOne: the file is written, the connection is gone before the service was told.
func TestACutRunLeavesItsRestartsToTheNextOne(t *testing.T) {
	g := newRooted(t)
	g.write("/units/web", "loaded active enabled\n")
	rs := []Resource{file("/etc/b", "new\n", "web"), ExecResource{Name: "seed", Command: "exit 3", Creates: "/srv/seed"}}
	o, _ := options()
	r := perform(t, []Machine{g.machine("web", rs...)}, o)
	if got := results(r.Machines[0]); got != "file/etc/b changed; exec/seed failed" || r.ExitCode != finding.ExitFailed || g.read("/units/log") != "(none)" {
		t.Fatalf("exit %d, %s, told: %s", r.ExitCode, got, g.read("/units/log"))
	}
	o, j := options()
	r = perform(t, []Machine{g.machine("web", rs[0])}, o)
	if got := results(r.Machines[0]); got != "file/etc/b ok; notify/restart-web changed" || r.ExitCode != finding.ExitOK {
		t.Errorf("exit %d, %s", r.ExitCode, got)
	}
	if strings.Count(g.read("/units/log"), "restart web\n") != 1 || j.titles() != "restart the service web; note: restart-web is done" {
		t.Errorf("%s; %s", j.titles(), g.read("/units/log"))
	}
	o, j = options()
	if r = perform(t, []Machine{g.machine("web", rs[0])}, o); j.titles() != "" || r.ExitCode != finding.ExitOK {
		t.Errorf("third run: exit %d, %s", r.ExitCode, j.titles())
	}
}

// TestAServiceThatThisRunStartedIsNotRestarted: its mark goes away all the same.
func TestAServiceThatThisRunStartedIsNotRestarted(t *testing.T) {
	g := newRooted(t)
	g.write("/units/web", unit)
	o, _ := options()
	r := perform(t, []Machine{g.machine("web", file("/etc/b", "x\n", "web"), ServiceResource{Name: "web", State: Started})}, o)
	if got := results(r.Machines[0]); got != "file/etc/b changed; service/web changed" || g.read("/units/log") != "daemon-reload\nstart web\n" || g.read(notifyRoot+"/restart-web") != "(none)" {
		t.Errorf("%s; told: %s", got, g.read("/units/log"))
	}
}

// TestWhatNeverConvergesIsNotVerified is exit 4: the change was made and the guest still differs.
func TestWhatNeverConvergesIsNotVerified(t *testing.T) {
	g := newRooted(t)
	o, _ := options()
	rs := []Resource{ExecResource{Name: "idle", Command: "true", Creates: "/srv/never"}, file("/etc/after", "x")}
	r := perform(t, []Machine{g.machine("web", rs...)}, o)
	m := r.Machines[0]
	if got := results(m); got != "exec/idle failed; file/etc/after skipped" || r.ExitCode != finding.ExitUnverified || !strings.Contains(said(m), "it was changed and still differs: command is guard status 1, declared is run") {
		t.Errorf("exit %d, %s, %s", r.ExitCode, got, said(m))
	}
}

// TestOneOfABatchFails: those before it are made, those after it are not begun, and the step's own words are shown.
func TestOneOfABatchFails(t *testing.T) {
	g := newRooted(t)
	bad := file("/etc/b", "bad\n")
	bad.Validate = []string{"grep", "good", "%s"}
	o, j := options()
	r := perform(t, []Machine{g.machine("web", file("/etc/a", "a"), bad, file("/etc/c", "c"))}, o)
	m := r.Machines[0]
	if got := results(m); got != "file/etc/a changed; file/etc/b failed; file/etc/c skipped" || r.ExitCode != finding.ExitFailed {
		t.Errorf("exit %d, %s", r.ExitCode, got)
	}
	if !strings.Contains(said(m), "write /etc/b: exit status 9") || !strings.Contains(said(m), "grep refuses the new content of") || !strings.Contains(said(m), "not reached, because file/etc/b did not succeed") {
		t.Error(said(m))
	}
	if g.read("/etc/a")+g.read("/etc/b")+g.read("/etc/c") != "a(none)(none)" {
		t.Errorf("%s %s %s", g.read("/etc/a"), g.read("/etc/b"), g.read("/etc/c"))
	}
	if last := j.all[len(j.all)-1]; last.State != "not begun" {
		t.Errorf("the journal says %s of what was not reached", last.State)
	}
}

// TestSecretsDoNotLieInJobs: the file holds the secret, and nothing else in the guest or in the journal does.
func TestSecretsDoNotLieInJobs(t *testing.T) {
	g := newRooted(t)
	const secret = "s3cr3t-of-the-test"
	f := file("/etc/token", secret)
	f.Secret, f.Mode = true, 0o600
	o, j := options()
	o.Diff = true
	r := perform(t, []Machine{g.machine("web", file("/etc/a", "a"), f, file("/etc/c", "c"))}, o)
	if r.ExitCode != finding.ExitOK || g.read("/etc/token") != secret {
		t.Fatalf("exit %d, %s", r.ExitCode, said(r.Machines[0]))
	}
	if text := strings.Replace(g.everything(), secret, "", 1) + fmt.Sprintf("%+v %+v", j.all, r); strings.Contains(text, secret) {
		t.Error("the secret is somewhere else, too")
	}
}

// TestInterrupted is exit 130: nothing new begins; what runs is waited for.
func TestInterrupted(t *testing.T) {
	g := newRooted(t)
	stop := make(chan struct{})
	var once sync.Once
	g.fault = func(c guest.Cmd) error {
		if c.Name == "start run first" {
			once.Do(func() { close(stop) })
		}
		return nil
	}
	o, _ := options()
	o.Stop = stop
	rs := []Resource{ExecResource{Name: "first", Command: "echo x >/srv/first", Creates: "/srv/first"}, ExecResource{Name: "second", Command: "echo x >/srv/second", Creates: "/srv/second"}}
	r := perform(t, []Machine{g.machine("web", rs...)}, o)
	m := r.Machines[0]
	if got := results(m); got != "exec/first changed; exec/second skipped" || r.ExitCode != finding.ExitInterrupted || !strings.Contains(said(m), "interrupted before it began") {
		t.Errorf("exit %d, %s, %s", r.ExitCode, got, said(m))
	}
	if g.read("/srv/first")+g.read("/srv/second") != "x\n(none)" {
		t.Error("a change began after the interrupt, or a running one was not waited for")
	}
}

// TestAJobOfAKilledRunIsWaitedFor: what it still makes is seen by the next run, which makes nothing twice.
func TestAJobOfAKilledRunIsWaitedFor(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root sees the jobs of a guest")
	}
	g := newRooted(t)
	rs := []Resource{ExecResource{Name: "slow", Command: "echo begun >>/srv/log; n=0; while [ ! -e /srv/go ] && [ $n -lt 600 ]; do n=$((n + 1)); sleep 0.05; done; echo x >/srv/x", Creates: "/srv/x"}}
	ctx, cancel := context.WithCancel(t.Context())
	g.fault = func(c guest.Cmd) error {
		if c.Name == "look at run slow" { // the first run is killed while it waits
			cancel()
			return ctx.Err()
		}
		return nil
	}
	o, _ := options()
	r := Run(ctx, []Machine{g.machine("web", rs...)}, o)
	if r.ExitCode != finding.ExitInterrupted || !strings.Contains(said(r.Machines[0]), "the next run of boxdoctor waits for it") {
		t.Fatalf("exit %d, %s", r.ExitCode, said(r.Machines[0]))
	}
	g.fault = func(c guest.Cmd) error {
		if strings.HasPrefix(c.Name, "look at the job ") {
			g.write("/srv/go", "")
		}
		return nil
	}
	o, j := options()
	r = perform(t, []Machine{g.machine("web", rs...)}, o)
	if got := results(r.Machines[0]); got != "exec/slow ok" || r.ExitCode != finding.ExitOK || g.read("/srv/log") != "begun\n" || j.titles() != "" || !strings.Contains(said(r.Machines[0]), "was waited for") {
		t.Errorf("exit %d, %s, %s, log %q, journal %q", r.ExitCode, got, said(r.Machines[0]), g.read("/srv/log"), j.titles())
	}
}

// TestLostGuests: which exit code stands for which moment of a loss, and which code wins over several machines.
func TestLostGuests(t *testing.T) {
	lost := func(name string) func(guest.Cmd) error {
		return func(c guest.Cmd) error {
			if strings.HasPrefix(c.Name, name) {
				return &guest.OutcomeError{Name: c.Name, Cause: guest.ErrLinkLost}
			}
			return nil
		}
	}
	away := Machine{Name: "away", Plan: func(facts.Guest) ([]Resource, error) { return nil, nil },
		Dial: func(context.Context) (guest.Guest, facts.Reach, error) {
			return nil, facts.Reach{}, errors.New("connection refused")
		}}
	early, late, fine, bad := newRooted(t), newRooted(t), newRooted(t), newRooted(t)
	early.fault, late.fault = lost("probe"), lost("write /etc/a")
	secret := file("/etc/a", "a")
	secret.Secret = true
	failing := ExecResource{Name: "no", Command: "exit 1", Creates: "/srv/no"}
	for name, c := range map[string]struct {
		ms   []Machine
		exit int
		says string
	}{
		"not reached":                   {[]Machine{away, fine.machine("fine", file("/etc/a", "a"))}, finding.ExitUnexamined, "not reached: connection refused"},
		"lost before anything":          {[]Machine{early.machine("m", secret)}, finding.ExitUnexamined, "could not be observed"},
		"lost in a change":              {[]Machine{late.machine("m", secret), away}, finding.ExitUnverified, "it is not known whether the step ran"},
		"one failed, one not reached":   {[]Machine{bad.machine("m", failing), away}, finding.ExitFailed, "exit status 1"},
		"what cannot be had everywhere": {[]Machine{{Name: "m", Dial: fine.machine("", nil).Dial, Plan: func(facts.Guest) ([]Resource, error) { return nil, errors.New("no such guest") }}}, finding.ExitFailed, "no such guest"},
	} {
		o, _ := options()
		r := perform(t, c.ms, o)
		if r.ExitCode != c.exit || !strings.Contains(said(r.Machines[0]), c.says) && !strings.Contains(said(r.Machines[len(c.ms)-1]), c.says) {
			t.Errorf("%s: exit %d, want %d: %s", name, r.ExitCode, c.exit, said(r.Machines[0]))
		}
	}
}

// TestMachinesWorkAtOnceAndReportInOrder: the first one waits for the last one, which only works side by side.
func TestMachinesWorkAtOnceAndReportInOrder(t *testing.T) {
	met := make(chan struct{})
	var ms []Machine
	var gs []*rooted
	for i := range 3 {
		g := newRooted(t)
		g.fault = func(c guest.Cmd) error {
			if i == 2 && strings.HasPrefix(c.Name, "start") {
				close(met)
			}
			if i == 0 && strings.HasPrefix(c.Name, "start") {
				select {
				case <-met:
				case <-time.After(20 * time.Second):
					return errors.New("the others do not work while this one waits")
				}
			}
			return nil
		}
		gs = append(gs, g)
		ms = append(ms, g.machine(fmt.Sprintf("m%d", i), ExecResource{Name: "x", Command: "echo x >/srv/x", Creates: "/srv/x"}))
	}
	o, _ := options()
	r := perform(t, ms, o)
	for i, m := range r.Machines {
		if m.Name != fmt.Sprintf("m%d", i) || results(m) != "exec/x changed" || gs[i].read("/srv/x") != "x\n" {
			t.Errorf("%s: %s, %s", m.Name, results(m), said(m))
		}
	}
}

// TestNoSecretInADiff: neither the file that is to hold a secret nor a diff against a guest that still holds one shows it,
// be it a key of many lines.
func TestNoSecretInADiff(t *testing.T) {
	const key = "-----BEGIN KEY-----\nline-one-of-it\nit's line two\n-----END KEY-----"
	g := newRooted(t)
	g.write("/etc/plain", "user = bob\n"+key+"\n")
	s := &Secrets{Getenv: func(string) string { return key }, Allowed: []string{"env:KEY"}}
	c, err := Parse([]byte("machines: {web: {}}\nresources:\n- file: {path: /etc/key, content: '${env:KEY}'}\n- file: {path: /etc/plain, content: \"user = bob\\n\"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := c.For("web", Input{Dir: t.TempDir(), Secrets: s})
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range []bool{true, false} {
		o, _ := options()
		o.Check, o.Diff = check, true
		r := perform(t, []Machine{{Name: "web", Plan: plan, Dial: g.machine("web").Dial}}, o)
		r.Machines[0].Clean(s.Mask)
		text := fmt.Sprintf("%+v", r)
		for _, line := range []string{"line-one", "line two", "BEGIN KEY"} {
			if strings.Contains(text, line) {
				t.Errorf("check %t: %q is in %s", check, line, text)
			}
		}
		if r.Machines[0].Steps[0].Changes[0].Diff != "" || !strings.Contains(text, " user = bob") || !strings.Contains(text, "-********") {
			t.Errorf("check %t: %s", check, text)
		}
	}
	if g.read("/etc/key") != key {
		t.Errorf("the file holds %q", g.read("/etc/key"))
	}
}

// Which exit code wins over several machines: interrupted, not verified, failed, not reached.
func TestExitCodesHaveAnOrder(t *testing.T) {
	fine, away := MachineReport{Reachable: true}, MachineReport{}
	failed := MachineReport{Reachable: true, Steps: []Step{{Result: Failed}}}
	unsure, cut := MachineReport{Reachable: true, Unverified: true}, MachineReport{Reachable: true, Interrupted: true}
	would := MachineReport{Reachable: true, Steps: []Step{{Result: MayChange}}}
	for _, c := range []struct {
		check bool
		ms    []MachineReport
		want  int
	}{
		{false, []MachineReport{fine}, finding.ExitOK}, {false, []MachineReport{fine, away}, finding.ExitUnexamined},
		{false, []MachineReport{away, failed}, finding.ExitFailed}, {false, []MachineReport{failed, unsure, away}, finding.ExitUnverified},
		{false, []MachineReport{unsure, cut, failed}, finding.ExitInterrupted}, {true, []MachineReport{would, away}, finding.ExitFailed}, {true, []MachineReport{fine}, finding.ExitOK},
	} {
		r := Report{Check: c.check, Machines: slices.Clone(c.ms)}
		if r.finish(); r.ExitCode != c.want {
			t.Errorf("%+v: exit %d, want %d", c.ms, r.ExitCode, c.want)
		}
	}
}
