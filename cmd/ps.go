package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/boxdoctor/boxdoctor/internal/engine"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/report"
	"github.com/boxdoctor/boxdoctor/internal/supervisor"
)

// psOptions are those of `boxdoctor ps` and the commands below it.
type psOptions struct {
	Machines []string
	Reach    reachFlags
	Jobs     int
	Verbose  int
	// of ps
	Format   string
	Watch    bool
	Interval time.Duration
	// of ps start, stop, restart and tail
	Verb   supervisor.Verb
	Name   string
	Stderr bool
	Lines  int
}

const psLong = `Shows every program that a supervisord runs, on all machines, in one table. supervisord is asked by XML-RPC over SSH, whoever
installed it: where packages, pip and boxdoctor keep its configuration, and where a running one says that it is.`

const psExample = `  boxdoctor ps                       all programs of all machines of the project
  boxdoctor ps web --watch           one machine, again every two seconds
  boxdoctor ps --format json | jq '.machines[].supervisors[].programs[] | select(.state != "RUNNING")'
  boxdoctor ps restart jobs:worker   a program by its name, or GROUP:NAME, or GROUP:*
  boxdoctor ps tail worker --stderr  the end of what it wrote`

// minInterval is how often machines may be asked at most.
const minInterval = 500 * time.Millisecond

// newPsCmd reads the flags; run gets them validated.
func newPsCmd(a *app, run func(context.Context, *psOptions) error) *cobra.Command {
	o := &psOptions{}
	c := &cobra.Command{
		Use: "ps [MACHINE…]", Short: "Show the supervised programs of all machines; start, stop and restart them",
		Long: psLong, Example: psExample, Annotations: withExitCodes,
		RunE: func(c *cobra.Command, args []string) error {
			o.Machines = args
			if err := errors.Join(emptyFlag(c), o.validate()); err != nil {
				return err
			}
			return run(c.Context(), o)
		},
	}
	fs := c.Flags()
	fs.BoolVarP(&o.Watch, "watch", "w", false, "ask again and again until Ctrl-C")
	fs.DurationVar(&o.Interval, "interval", 2*time.Second, "with --watch: every `TIME`")
	fs.StringVar(&o.Format, "format", report.FormatText, "write the table as `FORMAT` (text, json)")
	o.add(fs)
	for _, v := range []supervisor.Verb{supervisor.Start, supervisor.Stop, supervisor.Restart} {
		c.AddCommand(newPsVerbCmd(a, v))
	}
	c.AddCommand(newPsTailCmd(a))
	return c
}

// add are the flags of all of them.
func (o *psOptions) add(fs *pflag.FlagSet) {
	fs.IntVarP(&o.Jobs, "jobs", "j", defaultJobs, "ask `N` machines at once")
	fs.CountVarP(&o.Verbose, "verbose", "v", "-vv: also every step, on stderr")
	o.Reach.addLogin(fs)
}

func (o *psOptions) validate() error {
	switch {
	case o.Jobs < 1 || o.Jobs > maxJobs:
		return usagef("-j %d: between 1 and %d machines can be asked at once", o.Jobs, maxJobs)
	case o.Format != "" && !slices.Contains([]string{report.FormatText, report.FormatJSON}, o.Format):
		return unknownFormat("--format", o.Format)
	case o.Watch && o.Format == report.FormatJSON:
		return usagef("--watch is for people; a script asks again by itself: boxdoctor ps --format json")
	case o.Watch && o.Interval < minInterval:
		return usagef("--interval %s: at least %s", o.Interval, minInterval)
	case o.Lines < 0:
		return usagef("-n %d: a number of lines is wanted", o.Lines)
	}
	return o.Reach.validate(o.Machines)
}

// newPsVerbCmd is ps start, stop or restart.
func newPsVerbCmd(a *app, v supervisor.Verb) *cobra.Command {
	o := &psOptions{Verb: v}
	c := &cobra.Command{
		Use: string(v) + " NAME [MACHINE…]", Annotations: withExitCodes,
		Short: fmt.Sprintf("Tell supervisord to %s a program and wait until it did", v),
		Long: fmt.Sprintf("Tells supervisord to %s a program, or a whole group as GROUP:*, and waits until it did. A name that several machines know "+
			"wants the machines that are meant.", v),
		Example: fmt.Sprintf("  boxdoctor ps %s worker\n  boxdoctor ps %s 'jobs:*' web", v, v),
		RunE:    o.named(a.runPsVerb),
	}
	o.add(c.Flags())
	return c
}

func newPsTailCmd(a *app) *cobra.Command {
	o := &psOptions{}
	c := &cobra.Command{
		Use: "tail NAME [MACHINE…]", Short: "Show the end of what a program wrote", Annotations: withExitCodes,
		Long:    "Shows the end of the log that supervisord keeps of a program's standard output or standard error.",
		Example: "  boxdoctor ps tail worker\n  boxdoctor ps tail jobs:worker web --stderr -n 100",
		RunE:    o.named(a.runPsTail),
	}
	c.Flags().BoolVar(&o.Stderr, "stderr", false, "standard error instead of standard output")
	c.Flags().IntVarP(&o.Lines, "lines", "n", 20, "at most the last `N` lines")
	o.add(c.Flags())
	return c
}

// named is a command whose first word is a program.
func (o *psOptions) named(run func(context.Context, *psOptions) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 0 || args[0] == "" {
			return usagef("%s wants the name of a program", c.CommandPath()).withHint("The names: boxdoctor ps")
		}
		o.Name, o.Machines = args[0], args[1:]
		if err := errors.Join(emptyFlag(c), o.validate()); err != nil {
			return err
		}
		return run(c.Context(), o)
	}
}

// psMachine is one machine and what its supervisords say (docs/schema/ps.json).
type psMachine struct {
	Name      string `json:"name"`
	Reachable bool   `json:"reachable"`
	// Error is why nothing is known of it.
	Error       string                `json:"error"`
	Supervisors []supervisor.Instance `json:"supervisors"`

	named bool
	guest guest.Guest
	dial  engine.Machine
}

// psReport is one look at all machines.
type psReport struct {
	SchemaVersion int          `json:"schema_version"`
	Boxdoctor     string       `json:"boxdoctor"`
	StartedAt     time.Time    `json:"started_at"`
	DurationMS    int64        `json:"duration_ms"`
	ExitCode      int          `json:"exit_code"`
	Machines      []*psMachine `json:"machines"`
}

// psMachines are those to ask.
func (s *session) psMachines(o *psOptions) ([]*psMachine, error) {
	ms, _, _, err := s.machines(o.Reach, o.Machines)
	if err != nil {
		return nil, err
	}
	var out []*psMachine
	for _, m := range ms {
		if m.Dial != nil {
			out = append(out, &psMachine{Name: m.Facts.Name, named: m.Named, dial: m})
		}
	}
	if len(out) == 0 {
		return nil, usagef("there is no machine to ask").withHint("The project's machines: boxdoctor check; another guest: boxdoctor ps --ssh USER@HOST")
	}
	return out, nil
}

// lookAt asks all machines once, at most o.Jobs at a time. Connections stay open for the next look.
func (s *session) lookAt(ctx context.Context, ms []*psMachine, o *psOptions) psReport {
	r := psReport{SchemaVersion: 1, Boxdoctor: s.a.version.Version, StartedAt: s.a.now().UTC(), Machines: ms}
	var g errgroup.Group
	g.SetLimit(o.Jobs)
	for _, m := range ms {
		g.Go(func() error {
			m.look(ctx, s)
			return nil
		})
	}
	_ = g.Wait() // no machine returns an error: it says so itself
	r.DurationMS = s.a.now().Sub(r.StartedAt).Milliseconds()
	r.ExitCode = exitOf(ms)
	return r
}

// look asks one machine.
func (m *psMachine) look(ctx context.Context, s *session) {
	defer s.progress.Set(m.Name, "")
	m.Error, m.Supervisors = "", []supervisor.Instance{}
	if m.guest == nil {
		s.progress.Set(m.Name, "connecting")
		g, _, err := m.dial.Dial(ctx)
		if err != nil {
			m.Reachable, m.Error = false, report.Clean(err.Error())
			return
		}
		m.guest = g
	}
	s.progress.Set(m.Name, "asking supervisord")
	is, err := supervisor.Look(ctx, m.guest)
	m.Reachable = true
	if err != nil {
		m.Error = report.Clean(err.Error())
		return
	}
	for i := range is {
		cleanInstance(&is[i])
	}
	m.Supervisors = is
}

// cleanInstance: what a guest says goes to a terminal.
func cleanInstance(i *supervisor.Instance) {
	for _, s := range []*string{&i.Config, &i.Socket, &i.Version, &i.State, &i.Error} {
		*s = cleanCell(*s)
	}
	for k := range i.Programs {
		p := &i.Programs[k]
		for _, s := range []*string{&p.Name, &p.Group, &p.State, &p.LastError} {
			*s = cleanCell(*s)
		}
	}
}

// exitOf is 1 when a program or a supervisord failed, 3 when something that was asked for is not known, else 0.
func exitOf(ms []*psMachine) int {
	code := finding.ExitOK
	for _, m := range ms {
		if m.Error != "" && (m.named || m.Reachable) {
			code = max(code, finding.ExitUnexamined)
		}
		for _, i := range m.Supervisors {
			if i.Down || slices.ContainsFunc(i.Programs, supervisor.Program.Failed) {
				return finding.ExitFailed
			}
			if i.Error != "" {
				code = finding.ExitUnexamined
			}
		}
	}
	return code
}

// hangUp ends all connections.
func hangUp(ms []*psMachine) {
	for _, m := range ms {
		if m.guest != nil {
			_ = m.guest.Close()
		}
	}
}

// runPs looks once, or again and again.
func (a *app) runPs(ctx context.Context, o *psOptions) error {
	s := a.begin(ctx, "ps", o.Verbose, psStop)
	ms, err := s.psMachines(o)
	if err != nil {
		return s.ended(err)
	}
	defer hangUp(ms)
	for {
		r := s.lookAt(s.Soft, ms, o)
		if s.Interrupted() {
			break
		}
		if !o.Watch {
			s.end()
			return errors.Join(a.showPs(r, o), withCode(r.ExitCode))
		}
		if err := a.showPs(r, o); err != nil {
			return s.ended(err)
		}
		if pause(s.Soft, o.Interval) != nil {
			break
		}
	}
	s.end()
	return codeError(finding.ExitInterrupted)
}

// psStop is what the first Ctrl-C says; looking changes nothing.
func psStop(_, _ string) string { return "Ctrl-C: ending." }

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
