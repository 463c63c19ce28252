package cmd

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/boxdoctor/boxdoctor/internal/engine"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
	"github.com/boxdoctor/boxdoctor/internal/passthru"
	"github.com/boxdoctor/boxdoctor/internal/report"
)

// upOptions are those of `boxdoctor up`; Args go to vagrant as they are.
type upOptions struct {
	Fix, Yes, Anyway bool
	Args             []string
}

const upLong = `Looks whether ` + "`vagrant up`" + ` can work here, runs it, and looks at the machines afterwards. What vagrant prints reaches the screen
as it is; what boxdoctor says goes to stderr. When vagrant fails, boxdoctor says what that means and examines the machines. With
--fix it repairs this host before, and after a failure the machines, and runs ` + "`vagrant up`" + ` once more. The exit status is vagrant's
when vagrant fails, else that of the examination.

Of the options only these are boxdoctor's; every other word goes to vagrant:
  --fix      repair what will make it fail; after a failure repair the machines and try once more
  --yes      do not ask before a repair
  --anyway   run vagrant although something was found that will make it fail`

const upExample = `  boxdoctor up                          vagrant up with a look before and after
  boxdoctor up --fix                    and repair what made it fail
  boxdoctor up web --provision          words for vagrant
  boxdoctor up -- --color               after -- everything is vagrant's`

// newUpCmd leaves the words to vagrant, so cobra does not read the flags.
func newUpCmd(a *app, run func(context.Context, *upOptions) error) *cobra.Command {
	return &cobra.Command{
		Use: "up [WORDS FOR VAGRANT…]", Short: "Look, run vagrant up, look again; --fix repairs what made it fail",
		Long: upLong, Example: upExample, Annotations: withExitCodes, DisableFlagParsing: true,
		RunE: func(c *cobra.Command, args []string) error {
			if slices.Contains(args, "--help") || slices.Contains(args, "-h") {
				return c.Help()
			}
			if err := (&knowledgeFlags{}).use(a); err != nil {
				return err
			}
			return run(c.Context(), parseUp(args))
		},
	}
}

// parseUp takes out what is boxdoctor's.
func parseUp(args []string) *upOptions {
	o := &upOptions{}
	own := map[string]*bool{"--fix": &o.Fix, "--yes": &o.Yes, "--anyway": &o.Anyway}
	for i, arg := range args {
		if arg == "--" {
			o.Args = append(o.Args, args[i+1:]...)
			return o
		}
		if flag := own[arg]; flag != nil {
			*flag = true
		} else {
			o.Args = append(o.Args, arg)
		}
	}
	return o
}

// runUp is the way in that also works where an `after :up` trigger does not: a mount that fails ends `vagrant up` before
// its triggers.
func (a *app) runUp(ctx context.Context, o *upOptions) error {
	program, err := a.beforeUp(ctx, o)
	if err != nil {
		return err
	}
	code := 0
	for try := range 2 {
		end := a.group("vagrant up")
		r, err := a.vagrantUp(ctx, passthru.Program{Path: program, Args: append([]string{"up"}, o.Args...), In: a.streams.In,
			Out: a.streams.Out, Err: a.streams.Err, Terminal: a.streams.InTTY && a.streams.OutTTY})
		end()
		if err != nil {
			return fmt.Errorf("vagrant could not be run: %w", err)
		}
		if code = r.Code; code == 0 {
			break
		}
		a.explainUp(ctx, r)
		if try == 1 || !o.Fix || !a.repaired(ctx, o) {
			break
		}
		a.say("boxdoctor: repaired; vagrant up once more")
	}
	checked := a.afterUp(ctx)
	if code != 0 {
		return codeError(code)
	}
	return checked
}

// group puts what is printed until end into a group of the CI system's log.
func (a *app) group(title string) (end func()) {
	opening, closing := a.streams.CI.Group(title, a.now())
	if opening == "" {
		return func() {}
	}
	a.streams.Mark(opening)
	return func() { a.streams.Mark(closing) }
}

// beforeUp is the pre-flight, with --fix also the repair of the host. It returns the vagrant to run.
func (a *app) beforeUp(ctx context.Context, o *upOptions) (string, error) {
	program, bad, err := a.preflight(ctx)
	if err != nil {
		return "", err
	}
	if o.Fix && slices.ContainsFunc(bad.findings, func(f finding.Finding) bool { return f.Fix != "" }) {
		a.sayReport(only(bad.report, bad.findings))
		a.repaired(ctx, o, engine.HostName)
		if program, bad, err = a.preflight(ctx); err != nil {
			return "", err
		}
	}
	if len(bad.findings) == 0 {
		return program, nil
	}
	a.sayReport(only(bad.report, bad.findings))
	if o.Anyway {
		a.say("boxdoctor: vagrant up will fail here; running it all the same (--anyway)")
		return program, nil
	}
	a.say("boxdoctor: vagrant up will fail here, so it was not run; boxdoctor up --anyway runs it all the same")
	return "", codeError(finding.ExitFailed)
}

// obstacles are what makes `vagrant up` fail, and the report that they are from.
type obstacles struct {
	report   finding.Report
	findings []finding.Finding
}

// preflight looks at the host alone, and finds the vagrant that runs.
func (a *app) preflight(ctx context.Context) (program string, bad obstacles, err error) {
	waivers, err := a.waivers()
	if err != nil {
		return "", bad, err
	}
	s := a.begin(ctx, "up", 0, stopCheck)
	ms, _, host, err := s.machines(reachFlags{}, nil)
	if err != nil {
		return "", bad, s.ended(err)
	}
	eo := s.engineOptions(selectFlags{}, runFlags{Jobs: defaultJobs, Timeout: defaultTimeout})
	eo.FixCommand = (&reachFlags{}).fixCommand
	bad.report = a.check(s.Soft, ms[:1], nil, eo)
	waive(&bad.report, waivers, a.now(), false)
	bad.findings = blockers(bad.report)
	if s.end() {
		return "", bad, errInterrupted
	}
	v, err := host.Preflight.Vagrant.Get()
	if err != nil || v.Path == "" {
		a.say("boxdoctor: vagrant was not found in PATH, so there is nothing to run: https://developer.hashicorp.com/vagrant/install")
		return "", bad, codeError(finding.ExitUnexamined)
	}
	return v.Path, bad, nil
}

// blockers are the findings of the host that make `vagrant up` fail, causes only.
func blockers(r finding.Report) []finding.Finding {
	var out []finding.Finding
	for _, m := range r.Machines {
		for _, f := range m.Findings {
			if m.Kind == finding.KindHost && f.Status == finding.Fail && f.Severity == finding.Critical && f.CausedBy == "" {
				out = append(out, f)
			}
		}
	}
	return out
}

// only is the report with some of the host's findings.
func only(r finding.Report, fs []finding.Finding) finding.Report {
	m := r.Machines[0]
	m.Findings = fs
	out := finding.Report{Machines: []finding.Machine{m}}
	out.Finish(false)
	return out
}

// sayReport shows a report beside vagrant's output.
func (a *app) sayReport(r finding.Report) {
	var b strings.Builder
	text := report.NewText(report.Options{Width: a.streams.ErrWidth, ASCII: a.streams.ASCII, Looks: looks, Impact: impact})
	if text.Report(&b, r) == nil {
		a.say(strings.TrimRight(b.String(), "\n"))
	}
}

// explainUp says what vagrant's words mean, as `boxdoctor explain` does.
func (a *app) explainUp(ctx context.Context, r passthru.Result) {
	a.say(fmt.Sprintf("\nboxdoctor: vagrant up ended with status %d", r.Code))
	if !r.Heard {
		return
	}
	e, err := knowledge.Current().Explain(ctx, knowledge.Text{Name: "vagrant up", Reader: strings.NewReader(r.Said)})
	if err != nil || e.Verdict == knowledge.Unknown || e.Verdict == knowledge.Harmless {
		a.say("boxdoctor: what it said is not known to boxdoctor; examining the machines")
		return
	}
	a.say("boxdoctor: what it said, explained")
	a.say(strings.TrimRight(explanationText(e, a.streams.ErrWidth, false), "\n"))
}

// repaired runs the repair and tells whether it is worth another try.
func (a *app) repaired(ctx context.Context, o *upOptions, machines ...string) bool {
	fo := &fixOptions{Machines: machines, Yes: o.Yes, Run: runFlags{Jobs: defaultJobs, Timeout: defaultTimeout}, Output: outputFlags{Format: report.FormatText}}
	out := a.streams.Out
	a.streams.Out = a.streams.Err // standard output is vagrant's
	defer func() { a.streams.Out = out }()
	return a.runFix(ctx, fo) == nil && !fo.DryRun
}

// afterUp examines what runs now. Nothing is said of what is healthy but that it is.
func (a *app) afterUp(ctx context.Context) error {
	waivers, err := a.waivers()
	if err != nil {
		return err
	}
	s := a.begin(ctx, "up", 0, stopCheck)
	ms, notes, _, err := s.machines(reachFlags{}, nil)
	if err != nil {
		return s.ended(err)
	}
	eo := s.engineOptions(selectFlags{}, runFlags{Jobs: defaultJobs, Timeout: defaultTimeout})
	eo.FixCommand = (&reachFlags{}).fixCommand
	r := a.check(s.Soft, ms, notes, eo)
	waive(&r, waivers, a.now(), false)
	if s.end() {
		return errInterrupted
	}
	if r.Summary.Fail+r.Summary.Warn+r.Summary.Unknown == 0 {
		a.say(fmt.Sprintf("boxdoctor: %d checks passed", r.Summary.Pass))
		return nil
	}
	a.sayReport(r)
	return withCode(r.ExitCode)
}

// upVerdict says, where no machine runs, whether `vagrant up` will work here; empty where that is not the question.
func upVerdict(ms []engine.Machine, r finding.Report) string {
	p := ms[0].Host.Preflight
	if len(ms) > 1 || p.Skipped != "" || p.Project.Or(facts.Project{}).Root == "" {
		return ""
	}
	bad := blockers(r)
	switch {
	case len(bad) == 0 && r.Summary.Unknown > 0:
		return fmt.Sprintf("nothing was found that makes `vagrant up` fail here, but %d checks could not tell", r.Summary.Unknown)
	case len(bad) == 0:
		return "nothing was found that would make `vagrant up` fail here"
	}
	more := ""
	if len(bad) > 1 {
		more = fmt.Sprintf(" (and %d more)", len(bad)-1)
	}
	next := ""
	for _, adv := range bad[0].Advice {
		if next = cmp.Or(adv.Command, adv.Text); next != "" {
			break
		}
	}
	return fmt.Sprintf("`vagrant up` will fail here: %s: %s%s. Next: %s", bad[0].ID, bad[0].Message, more, cmp.Or(next, "see below"))
}
