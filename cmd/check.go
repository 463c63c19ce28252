package cmd

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/spf13/cobra"

	"github.com/boxdoctor/boxdoctor/internal/engine"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/retry"
)

// checkOptions are those of `boxdoctor check`.
type checkOptions struct {
	Machines []string
	Reach    reachFlags
	Folders  knowledgeFlags
	Select   selectFlags
	Run      runFlags
	Output   outputFlags
	// RetryTimeout is how long to look again until everything is healthy, RetrySleep the pause between two looks.
	RetryTimeout, RetrySleep time.Duration
}

const checkLong = `Examines this computer and the machines, and says what is wrong, why it matters and what to do. Without names:
every running machine of the Vagrant project found upwards from the current folder. Nothing is changed and vagrant is not
called. On this computer boxdoctor writes the log of the run and, for machines of a project, the guest's SSH host key, both
into its state folder (BOXDOCTOR_STATE_HOME, else the user's), and the files of --output.`

const checkExample = `  boxdoctor check                                   every running machine of the project
  boxdoctor check web db                            these two
  boxdoctor check --only mount,kernel               two areas of checks
  boxdoctor check --format json | jq .summary       for programs
  boxdoctor check --output json=report.json         text here, JSON there
  vagrant ssh-config >cfg; boxdoctor check --ssh-config cfg
  boxdoctor check --ssh vagrant@127.0.0.1:2222 -i ~/.vagrant.d/insecure_private_key`

// newCheckCmd reads the flags; run gets them validated.
func newCheckCmd(a *app, run func(context.Context, *checkOptions) error) *cobra.Command {
	o := &checkOptions{}
	c := &cobra.Command{
		Use: "check [MACHINE…]", Short: "Examine machines; changes nothing (the same as boxdoctor alone)",
		Long: checkLong, Example: checkExample, Annotations: withExitCodes,
		RunE: func(c *cobra.Command, args []string) error {
			o.Machines = args
			if err := errors.Join(emptyFlag(c), o.validate()); err != nil {
				return err
			}
			if err := o.Folders.use(a); err != nil {
				return err
			}
			return run(c.Context(), o)
		},
	}
	o.Select.add(c.Flags())
	o.Output.add(c.Flags())
	o.Run.add(c.Flags())
	o.Reach.add(c.Flags())
	o.Folders.add(c.Flags())
	c.Flags().DurationVar(&o.RetryTimeout, "retry-timeout", 0, "look again until everything is healthy, for at most `DURATION`")
	c.Flags().DurationVar(&o.RetrySleep, "retry-sleep", 5*time.Second, "wait `DURATION` before looking again")
	completeIDs(c)
	return c
}

func (o *checkOptions) validate() error {
	for _, err := range []error{o.Reach.validate(o.Machines), o.Select.validate(), o.Run.validate()} {
		if err != nil {
			return err
		}
	}
	if o.RetryTimeout < 0 || o.RetrySleep <= 0 {
		return usagef("--retry-timeout and --retry-sleep are lengths of time, such as 2m and 5s")
	}
	return o.Output.validate()
}

// errUnhealthy makes the wait of --retry-timeout go on.
var errUnhealthy = errors.New("not healthy yet")

// runCheck examines and reports.
func (a *app) runCheck(ctx context.Context, o *checkOptions) error {
	waivers, err := a.waivers()
	if err != nil {
		return err
	}
	s := a.begin(ctx, "check", o.Output.Verbose, stopCheck)
	var r finding.Report
	look := func(context.Context) (err error) {
		if r, err = s.look(o, waivers); err != nil {
			return retry.Permanent(err)
		}
		if r.ExitCode != finding.ExitOK && s.Soft.Err() == nil {
			return errUnhealthy
		}
		return nil
	}
	if o.RetryTimeout > 0 {
		err = retry.Loop{First: o.RetrySleep, Max: o.RetrySleep, Limit: o.RetryTimeout}.Do(s.Soft, look)
	} else {
		err = look(s.Soft)
	}
	if err != nil && !errors.Is(err, errUnhealthy) {
		return s.ended(err)
	}
	if s.end() {
		return errInterrupted
	}
	if err := a.deliver(r, o.Output, a.reportOptions(o.Output, o.Reach, o.Run)); err != nil {
		return err
	}
	return withCode(r.ExitCode)
}

// look is one examination.
func (s *session) look(o *checkOptions, waivers []waiver) (finding.Report, error) {
	ms, notes, _, err := s.machines(o.Reach, o.Machines)
	if err != nil {
		return finding.Report{}, err
	}
	ms, _ = s.namedHost(ms, o.Machines)
	eo := s.engineOptions(o.Select, o.Run)
	eo.FixCommand = o.Reach.fixCommand
	r := s.a.check(s.Soft, ms, notes, eo) // Soft: nothing is changed, so nothing need be waited for
	if len(waivers) > 0 {
		waive(&r, waivers, s.a.now(), o.Run.Strict)
	}
	if text := upVerdict(ms, r); text != "" {
		r.Notes = append([]string{text}, r.Notes...)
	}
	return r, nil
}

func stopCheck(now, _ string) string {
	if now != "" {
		now = " (" + now + ")"
	}
	return "Ctrl-C: ending the examination" + now + ". Press Ctrl-C again to return at once."
}

// ended closes the session after an error; an interruption explains whatever error it caused.
func (s *session) ended(err error) error {
	if s.end() {
		return errInterrupted
	}
	return err
}

func (s *session) engineOptions(sel selectFlags, run runFlags) engine.Options {
	return engine.Options{Version: s.a.version.Version, Only: sel.Only, Skip: sel.Skip, Parallel: run.Jobs,
		Timeout: run.Timeout, Strict: run.Strict, Progress: s.onProgress, Log: s.logText, Now: s.a.now, Resolve: hostResolves}
}

// nameLimit is how long this host's own name service may take for one name.
const nameLimit = 4 * time.Second

// hostResolves asks this host's name service for a name that a guest cannot resolve.
func hostResolves(ctx context.Context, name string) bool {
	ctx, cancel := context.WithTimeout(ctx, nameLimit)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, name)
	return err == nil && len(addresses) > 0
}
