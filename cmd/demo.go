package cmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/boxdoctor/boxdoctor/fixes"
	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/demo"
	"github.com/boxdoctor/boxdoctor/internal/engine"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/guest/sshguest"
	"github.com/boxdoctor/boxdoctor/internal/host"
	"github.com/boxdoctor/boxdoctor/internal/report"
)

// demoGuest is a guest that lives inside this process.
type demoGuest interface {
	Machine() facts.Machine
	// Host are the facts of the host that belongs to it.
	Host() facts.Host
	SSH() sshguest.Config
	Close() error
}

// startDemo boots the founding case. A nil *demo.Guest must not become a guest that is not nil.
func startDemo(ctx context.Context) (demoGuest, error) {
	g, err := demo.Start(ctx, demo.Founding().With(demo.ReposWork))
	if err != nil {
		return nil, err
	}
	return g, nil
}

// demoOptions are those of `boxdoctor demo`.
type demoOptions struct {
	Verbose int
	Run     runFlags
}

const demoLong = `Examines a sick machine, repairs it, and examines it again, in seconds and without Vagrant or VirtualBox. The machine
is a stand-in that lives inside this process: a CentOS 6 guest after an upgrade of VirtualBox, behind a real SSH server on
the loopback interface. What boxdoctor does to it is the real thing: the same connection, examination and repairs. Nothing on
this computer or in any of its machines is touched.`

const demoExample = `  boxdoctor demo
  boxdoctor demo -v       every finding and every step of the repair`

func newDemoCmd(a *app, run func(context.Context, *demoOptions) error) *cobra.Command {
	o := &demoOptions{Run: runFlags{Jobs: 1, Timeout: defaultTimeout}}
	c := &cobra.Command{
		Use: "demo", Short: "Examine and repair a built-in sick machine",
		Long: demoLong, Example: demoExample, Annotations: withExitCodes, Args: noWords,
		RunE: func(c *cobra.Command, _ []string) error { return run(c.Context(), o) },
	}
	c.Flags().CountVarP(&o.Verbose, "verbose", "v", "show every finding and how it was looked; -vv: also every step, on stderr")
	return c
}

// runDemo examines, repairs and examines again.
func (a *app) runDemo(ctx context.Context, o *demoOptions) (err error) {
	s := a.begin(ctx, "demo", o.Verbose, stopCheck)
	g, err := a.startDemo(s.Soft)
	if err != nil {
		return s.ended(fmt.Errorf("the built-in machine did not start: %w", err))
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	code, err := s.demonstrate(engine.Machine{Facts: g.Machine(), Host: g.Host(), Named: true,
		Dial: s.dialer(host.Machine{Facts: g.Machine(), SSH: g.SSH()})}, o)
	if s.end() {
		return errInterrupted
	}
	if err != nil {
		return err
	}
	return withCode(code)
}

// demonstrate is the three acts. The exit code is that of the last examination, or that of a repair that is
// not verified.
func (s *session) demonstrate(m engine.Machine, o *demoOptions) (int, error) {
	ms, eo := []engine.Machine{m}, s.engineOptions(selectFlags{}, o.Run)
	eo.FixCommand = (&reachFlags{}).fixCommand
	check := func(notes ...string) func() finding.Report {
		return func() finding.Report { return s.a.check(s.Soft, ms, notes, eo) }
	}
	repair := func() finding.Report {
		return s.a.fix(s.Soft, ms, nil, engine.FixOptions{Options: eo, Journal: noJournal{}, Stop: s.Soft.Done(),
			Plan: fixes.Input{ISO: m.Host.AdditionsISO.Or(facts.ISO{})}})
	}
	if _, err := s.act("1. boxdoctor check", o, false, check(demo.Notice)); err != nil {
		return 0, err
	}
	repaired, err := s.act("\n2. boxdoctor fix --yes", o, true, repair)
	if err != nil {
		return 0, err
	}
	code, err := s.act("\n3. boxdoctor check", o, false, check())
	if repaired == finding.ExitUnverified {
		code = repaired
	}
	return code, err
}

// act prints a heading and a report, and returns the report's exit code. After an interruption it does nothing.
func (s *session) act(title string, o *demoOptions, fix bool, run func() finding.Report) (int, error) {
	if s.Interrupted() {
		return 0, errInterrupted
	}
	if err := s.a.print(s.a.streams.OutPalette.Strong(title) + "\n\n"); err != nil {
		return 0, err
	}
	r := run()
	if s.Interrupted() {
		return 0, errInterrupted
	}
	for _, m := range r.Machines {
		s.progress.Set(m.Name, "") // it must not stand on the screen below its report
	}
	out := outputFlags{Format: report.FormatText, Verbose: o.Verbose}
	ro := s.a.reportOptions(out, reachFlags{}, o.Run)
	ro.Fix, ro.NoNext = fix, true
	return r.ExitCode, s.a.deliver(r, out, ro)
}

// noJournal records nothing: the machine of the demo is gone when the process ends.
type noJournal struct{}

// Record forgets the entry.
func (noJournal) Record(action.Entry) error { return nil }
