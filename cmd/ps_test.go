package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/guest/guesttest"
	"github.com/boxdoctor/boxdoctor/internal/guest/sshguest"
	"github.com/boxdoctor/boxdoctor/internal/host"
	"github.com/boxdoctor/boxdoctor/internal/supervisor"
	"github.com/boxdoctor/boxdoctor/internal/term"
)

// relayed is a recorded answer of a real supervisord (internal/supervisor/testdata).
func relayed(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("../internal/supervisor/testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The steps of guests: one whose supervisord is the recorded one, one without, one whose supervisord is down.
func recordedSteps(t *testing.T, version string) []guesttest.Step {
	return []guesttest.Step{{Name: "ask supervisord", Sudo: true, Out: relayed(t, "look-"+version)},
		{Name: "read standard error of programs", Sudo: true, Out: relayed(t, "stderr-"+version)}}
}

func answers(out string) []guesttest.Step {
	return []guesttest.Step{{Name: "ask supervisord", Sudo: true, Out: out}}
}

const (
	noSupervisor = `{"instances": []}`
	// synthetic
	downSupervisor = `{"instances": [{"config": "/etc/supervisor/supervisord.conf", "socket": "/run/s.sock", "down": true, "error": "[Errno 2] No such file", "answers": []}]}`
)

// psTrial has one guest for each list of steps, named a, b, c…; nil: it cannot be reached.
func psTrial(t *testing.T, guests ...[]guesttest.Step) *trial {
	t.Helper()
	tr := newTrial(t)
	var ms []host.Machine
	gs := map[string]guest.Guest{}
	for i, steps := range guests {
		name := string(rune('a' + i))
		ms = append(ms, host.Machine{Facts: facts.Machine{Name: name}, SSH: sshguest.Config{Name: name}})
		if steps != nil {
			gs[name] = guesttest.New(t, append(steps, guesttest.Step{Name: guesttest.Close})...)
		}
	}
	tr.observe = func(_ context.Context, o host.Options) (host.Inventory, error) {
		tr.hostOptions = o
		return host.Inventory{Machines: ms}, nil
	}
	tr.dial = func(_ context.Context, c sshguest.Config) (guest.Guest, facts.Reach, error) {
		if gs[c.Name] == nil {
			return nil, facts.Reach{}, errors.New("connection refused")
		}
		return gs[c.Name], facts.Reach{}, nil
	}
	return tr
}

func TestPs(t *testing.T) {
	tr := psTrial(t, recordedSteps(t, "4.3.0"), answers(noSupervisor), answers(downSupervisor), nil)
	tr.run(t, finding.ExitFailed, "ps")
	want := `MACHINE  NAME  GROUP  STATE    PID   UPTIME  EXIT  LAST ERROR
a        bad   bad    FATAL    -     -       -     ImportError: kein Mödul (Exited too quickly)
a        good  good   RUNNING  1912  4s      -
a        off   off    STOPPED  -     -       -
a        once  once   EXITED   -     -       7     Bad exit code 7
a        w_00  w      RUNNING  1914  4s      -
a        w_01  w      RUNNING  1916  4s      -

b: no Supervisor is here
c: supervisord of /etc/supervisor/supervisord.conf does not run: nothing listens at /run/s.sock ([Errno 2] No such file)
  To look, in c: systemctl status 'supervisor*'; tail /var/log/supervisor/supervisord.log
d: not reached: connection refused
`
	if got := tr.out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// On a terminal a row is as wide as the screen, but for a dozen characters of the last error.
func TestPsOnATerminal(t *testing.T) {
	for _, width := range []int{40, 80, 120} {
		tr := psTrial(t, recordedSteps(t, "3.4.0"))
		tr.streams.OutTTY, tr.streams.Width = true, width
		tr.run(t, finding.ExitFailed, "ps", "--color", "never")
		for line := range strings.Lines(tr.out.String()) {
			if n := len([]rune(strings.TrimSpace(line))); n > max(width, 55+leastError) {
				t.Errorf("%d columns: a line of %d: %s", width, n, line)
			}
		}
		if !strings.Contains(tr.out.String(), "ImportErr") {
			t.Errorf("%d columns: no last error: %s", width, tr.out)
		}
	}
}

func TestPsExitCodesAndJSON(t *testing.T) {
	one := recordedSteps(t, "4.3.0")
	for name, c := range map[string]struct {
		guests [][]guesttest.Step
		args   []string
		code   int
	}{
		"a program failed":        {[][]guesttest.Step{one}, nil, 1},
		"supervisord is down":     {[][]guesttest.Step{answers(downSupervisor)}, nil, 1},
		"no Supervisor":           {[][]guesttest.Step{answers(noSupervisor)}, nil, 0},
		"not reached":             {[][]guesttest.Step{nil, answers(noSupervisor)}, nil, 0},
		"not reached, but named":  {[][]guesttest.Step{nil}, []string{"a"}, 3},
		"no JSON":                 {[][]guesttest.Step{answers("x")}, nil, 3},
		"one fails, one is mute":  {[][]guesttest.Step{answers("x"), one}, nil, 1},
		"refused by its password": {[][]guesttest.Step{answers(strings.Replace(downSupervisor, "true", "false", 1))}, nil, 3},
	} {
		tr := psTrial(t, c.guests...)
		tr.run(t, c.code, append([]string{"ps", "--format", "json"}, c.args...)...)
		if r := valid[psReport](t, tr, "ps"); r.ExitCode != c.code || len(r.Machines) != len(c.guests) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestPsUsage(t *testing.T) {
	for args, want := range map[string]string{
		"--watch --format json":            "--watch is for people",
		"--watch --interval 1ms":           "at least 500ms",
		"--format xml":                     "xml",
		"-j 0":                             "-j 0",
		"restart":                          "wants the name of a program",
		"tail x -n -1":                     "a number of lines",
		"restart x --ssh root@1.2.3.4 web": "--ssh already says",
	} {
		tr := newTrial(t)
		tr.run(t, finding.ExitUsage, append([]string{"ps"}, strings.Fields(args)...)...)
		tr.wantErr(t, want)
	}
	tr := psTrial(t)
	tr.run(t, finding.ExitUsage, "ps")
	tr.wantErr(t, "there is no machine to ask")
}

// accepted is supervisord's answer to what succeeded, n times.
func accepted(n int) string {
	type instance struct {
		Config  string   `json:"config"`
		Answers [][]byte `json:"answers"`
	}
	i := instance{Config: "/run/bd-run43/s.conf"}
	for range n {
		i.Answers = append(i.Answers, []byte("<methodResponse><params><param><value><boolean>1</boolean></value></param></params></methodResponse>"))
	}
	b, _ := json.Marshal(map[string]any{"instances": []instance{i}}) // cannot fail
	return string(b)
}

func TestPsVerbs(t *testing.T) {
	look := recordedSteps(t, "4.3.0")
	with := func(step guesttest.Step) []guesttest.Step {
		step.Sudo = true
		return append(append(append([]guesttest.Step{}, look...), step), look...)
	}
	for name, c := range map[string]struct {
		args []string
		step guesttest.Step
		code int
		rows string
		err  string
	}{
		"restart a group": {[]string{"restart", "w:*"}, guesttest.Step{Name: "restart programs", Out: accepted(4)}, 0, "w_00 w_01", ""},
		"start":           {[]string{"start", "good", "a"}, guesttest.Step{Name: "start programs", Out: accepted(1)}, 0, "good", ""},
		"start in vain":   {[]string{"start", "bad"}, guesttest.Step{Name: "start programs", Out: relayed(t, "start-4.3.0")}, 1, "bad", "a: bad: SPAWN_ERROR: bad"},
		"stop":            {[]string{"stop", "off"}, guesttest.Step{Name: "stop programs", Out: accepted(1)}, 0, "off", ""},
		"stop in vain":    {[]string{"stop", "w:w_00"}, guesttest.Step{Name: "stop programs", Out: accepted(1)}, 1, "w_00", ""},
		"link lost": {[]string{"stop", "good"}, guesttest.Step{Name: "stop programs", Err: &guest.OutcomeError{Name: "stop programs", Cause: guest.ErrLinkLost}},
			4, "good", "it is not known whether the step ran"},
	} {
		tr := psTrial(t, with(c.step))
		tr.run(t, c.code, append([]string{"ps"}, c.args...)...)
		tr.wantErr(t, c.err)
		var rows []string
		for line := range strings.Lines(tr.out.String()) {
			rows = append(rows, strings.Fields(line)[1])
		}
		if got := strings.Join(rows[1:], " "); got != c.rows {
			t.Errorf("%s shows %s, want %s", name, got, c.rows)
		}
	}
}

// Nothing is done to a program that nobody knows, or to those of several machines at once without naming them.
func TestPsVerbsRefuse(t *testing.T) {
	look := recordedSteps(t, "4.3.0")
	tr := psTrial(t, look)
	tr.run(t, finding.ExitUsage, "ps", "stop", "goood")
	tr.wantErr(t, "Did you mean good?")
	tr = psTrial(t, look, append([]guesttest.Step{}, look...))
	tr.run(t, finding.ExitUsage, "ps", "stop", "good")
	tr.wantErr(t, "good runs on several machines: a, b\nSay which: boxdoctor ps stop good a")
	tr = psTrial(t, answers("x"))
	tr.run(t, finding.ExitUnexamined, "ps", "stop", "good")
	tr.wantErr(t, "a could not be asked")
}

func TestPsTail(t *testing.T) {
	tail := guesttest.Step{Name: "read what programs wrote", Sudo: true, Out: relayed(t, "stderr-4.3.0")}
	tr := psTrial(t, append(recordedSteps(t, "4.3.0"), tail))
	tr.run(t, 0, "ps", "tail", "bad", "--stderr", "-n", "1")
	if got := tr.out.String(); got != "ImportError: kein Mödul\n" {
		t.Errorf("%q", got)
	}
	tr = psTrial(t, append(recordedSteps(t, "4.3.0"), tail, tail))
	tr.run(t, 0, "ps", "tail", "w:*")
	if got := tr.out.String(); strings.Count(got, "==> a w:w_0") != 2 {
		t.Errorf("%q", got)
	}
	tr = psTrial(t, append(recordedSteps(t, "4.3.0"), guesttest.Step{Name: tail.Name, Sudo: true, Out: relayed(t, "start-4.3.0")}))
	tr.run(t, finding.ExitUnexamined, "ps", "tail", "bad")
	tr.wantErr(t, "a: bad: ")
}

// --watch asks again until Ctrl-C; on a terminal it draws over the last table.
func TestPsWatch(t *testing.T) {
	tr := psTrial(t, append(answers(noSupervisor), append(answers(noSupervisor), answers(noSupervisor)...)...))
	n := 0
	tr.streams.OutTTY = true
	tr.now = func() time.Time { // asked twice a look
		if n++; n == 7 {
			tr.signals <- os.Interrupt
		}
		return time.Date(2026, 3, 1, 9, 20, n, 0, time.UTC)
	}
	tr.run(t, finding.ExitInterrupted, "ps", "--watch", "--interval", "500ms")
	if got := tr.out.String(); strings.Count(got, clearScreen) < 2 || !strings.Contains(got, "every 500ms, Ctrl-C ends") {
		t.Errorf("%q", got)
	}
}

func TestUptime(t *testing.T) {
	for want, d := range map[string]time.Duration{"0s": 0, "59s": 59 * time.Second, "1m": 119 * time.Second, "3h02m": 3*time.Hour + 2*time.Minute + 5*time.Second, "5d4h": 124 * time.Hour} {
		if got := uptime(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

// What a guest says cannot steer the terminal, nor break out of its cell.
func TestPsOfAHostileGuest(t *testing.T) {
	i := supervisor.Instance{State: "RUNNING", Programs: []supervisor.Program{{Name: "a\x1b[2J\nb", State: "RUN\tNING", LastError: "x\u202ey\x00"}}}
	cleanInstance(&i)
	got := psText(psReport{Machines: []*psMachine{{Name: "m", Reachable: true, Supervisors: []supervisor.Instance{i}}}}, 0, term.Palette{}, reachFlags{})
	if strings.ContainsAny(got, "\x1b\t\x00\u202e") || strings.Count(got, "\n") != 2 {
		t.Errorf("%q", got)
	}
	if s := fmt.Sprint(lastLines("a\nb\nc", 2), lastLines("", 2), lastLines("a", 0)); s != "b\nc\n" {
		t.Errorf("%q", s)
	}
}
