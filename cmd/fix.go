package cmd

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/boxdoctor/boxdoctor/fixes"
	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/engine"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/report"
)

// fixOptions are those of `boxdoctor fix`.
type fixOptions struct {
	Machines []string
	Reach    reachFlags
	Run      runFlags
	Output   outputFlags

	DryRun, Yes  bool
	Only         []string
	NoReboot     bool
	KeepUnlocked bool
	Downgrade    bool
	Download     bool
	Packages     string

	packages []fixes.PackageFile
}

const fixLong = `Examines the machines, shows what it would change, asks before each stage, changes it, and examines again: a repair
counts only when the checks that it promised to clear pass. Every change is written to a journal, with the way back,
before it is made. Without a terminal and without --yes it acts as --dry-run.`

const fixExample = `  boxdoctor fix --dry-run                      show the exact commands; change nothing
  boxdoctor fix                                repair every running machine, asking before each stage
  boxdoctor fix web --only additions.version   repair one thing on one machine
  boxdoctor fix --yes --no-reboot              for scripts
  boxdoctor fix web --packages ./rpms          install from these files instead of asking repositories`

// newFixCmd reads the flags; run gets them validated.
func newFixCmd(a *app, run func(context.Context, *fixOptions) error) *cobra.Command {
	o := &fixOptions{}
	c := &cobra.Command{
		Use: "fix [MACHINE…]", Short: "Repair machines and prove it by examining them again",
		Long: fixLong, Example: fixExample, Annotations: withExitCodes,
		RunE: func(c *cobra.Command, args []string) error {
			o.Machines = args
			if err := o.validate(); err != nil {
				return err
			}
			return run(c.Context(), o)
		},
	}
	fs := c.Flags()
	fs.BoolVar(&o.DryRun, "dry-run", false, "show every command that would run, change nothing")
	fs.BoolVarP(&o.Yes, "yes", "y", false, "do not ask before a stage")
	fs.StringSliceVar(&o.Only, "only", nil, "repair only what these clear or are, `FIX|CHECK`[,…]; repeatable")
	fs.BoolVar(&o.NoReboot, "no-reboot", false, "plan without restarting a guest")
	fs.BoolVar(&o.KeepUnlocked, "keep-unlocked", false, "leave package locks off that were taken off for the repair")
	fs.BoolVar(&o.Downgrade, "allow-downgrade", false, "allow Guest Additions older than those in the guest")
	fs.BoolVar(&o.Download, "download", false, "allow downloading the Guest Additions image, checked by its checksum")
	fs.StringVar(&o.Packages, "packages", "", "upload and install the package files of `DIR` (.rpm, .deb)")
	o.Output.add(fs)
	o.Run.add(fs)
	o.Reach.add(fs)
	completeIDs(c)
	return c
}

func (o *fixOptions) validate() error {
	known := append(fixIDs(), checkIDs()...)
	for _, err := range []error{o.Reach.validate(o.Machines), o.Run.validate(), o.Output.validate(),
		allKnown("--only", "fix or check", o.Only, known, "boxdoctor list fixes, boxdoctor list checks")} {
		if err != nil {
			return err
		}
	}
	if o.DryRun && o.Yes {
		return usagef("--dry-run and --yes exclude each other: a dry run asks nothing")
	}
	if o.Packages == "" {
		return nil
	}
	files, err := packageFiles(o.Packages)
	o.packages = files
	return err
}

func fixIDs() []string {
	var ids []string
	for _, f := range fixes.All() {
		ids = append(ids, f.ID)
	}
	return ids
}

// runFix repairs and reports.
func (a *app) runFix(ctx context.Context, o *fixOptions) error {
	if !o.DryRun && !o.Yes && !a.streams.CanAsk() {
		a.say("There is no terminal to ask on and --yes was not given: this is a dry run, nothing will be changed.")
		o.DryRun = true
	}
	s := a.begin(ctx, "fix", o.Output.Verbose, firstStop, secondStop)
	ms, notes, host, err := s.machines(o.Reach, o.Machines)
	if err == nil && o.Download {
		host.AdditionsISO, err = s.downloaded(host, ms)
	}
	if err == nil && !o.DryRun {
		err = s.waitForVagrant(s.Soft, vagrantWait)
	}
	if err != nil {
		return s.ended(err)
	}
	fo, journal, err := s.fixOptions(o, host)
	if err != nil {
		return s.ended(err)
	}
	r := a.fix(s.Hard, ms, notes, fo)
	if s.end() {
		r.ExitCode = finding.ExitInterrupted
		r.Notes = append(r.Notes, "Interrupted: what is not listed as done was not begun.")
	}
	if !o.DryRun && tried(r.Actions) {
		r.Notes = append(r.Notes, "Every change and how to take it back: "+journal)
	}
	ro := a.reportOptions(o.Output, o.Reach, o.Run.Strict)
	ro.Fix = true
	if err := a.deliver(r, o.Output, ro); err != nil {
		return err
	}
	return withCode(r.ExitCode)
}

// tried tells whether any change was begun, and so is in the journal.
func tried(as []finding.ActionRecord) bool {
	return slices.ContainsFunc(as, func(a finding.ActionRecord) bool { return a.Text != "" && a.Outcome != finding.Planned })
}

func firstStop(now string) string {
	if now == "" {
		now = "what is running"
	}
	return "Ctrl-C: no new change is begun; waiting for: " + now +
		"\nPress Ctrl-C again to return at once; a change that runs in a guest then goes on there."
}

func secondStop(now string) string {
	if now == "" {
		return "Returning at once."
	}
	return "Returning at once. In the guest this may go on: " + now + "\nTo look: boxdoctor check"
}

// fixOptions builds what the engine needs, and the journal, without which nothing may be changed.
func (s *session) fixOptions(o *fixOptions, host facts.Host) (engine.FixOptions, string, error) {
	name := s.a.now().UTC().Format("20060102T150405.000Z") + ".jsonl"
	path := filepath.Join(stateDir(s.a.getenv), "journal", name)
	fo := engine.FixOptions{
		Options: s.engineOptions(selectFlags{}, o.Run),
		DryRun:  o.DryRun, OnlyFixes: o.Only, Stop: s.Soft.Done(),
		Plan: fixes.Input{KeepUnlocked: o.KeepUnlocked, NoReboot: o.NoReboot, Downgrade: o.Downgrade,
			ISO: host.AdditionsISO.Or(facts.ISO{}), Packages: o.packages},
	}
	if o.DryRun {
		return fo, "", nil
	}
	journal, err := action.NewFileJournal(path)
	if err != nil {
		return fo, "", err
	}
	fo.Journal = journal
	if !o.Yes {
		fo.Confirm = s.confirmer(o.Output.Verbose > 0)
	}
	return fo, path, nil
}

// confirmer shows the plan of a stage and asks once. Machines are repaired at the same time, so a plan and its
// question stay together.
func (s *session) confirmer(full bool) func(context.Context, string, []engine.PlannedFix) (bool, error) {
	var mu sync.Mutex
	return func(_ context.Context, machine string, stage []engine.PlannedFix) (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		s.a.say(report.Clean(stageText(machine, stage, full)))
		return s.a.streams.Confirm(s.Soft, fmt.Sprintf("Change this on %s?", machine))
	}
}

// stageText is the plan of a stage: what each fix does to the guest and its steps by name, or in full.
func stageText(machine string, stage []engine.PlannedFix, full bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s: next changes\n", machine)
	for _, p := range stage {
		fmt.Fprintf(&b, "  %s: %s (%s)\n", p.Fix.ID, p.Fix.Title, p.Fix.Impact)
		for _, act := range p.Actions {
			if full {
				fmt.Fprintf(&b, "%s\n", act)
				continue
			}
			fmt.Fprintf(&b, "    - %s\n", act.Title())
		}
	}
	if !full {
		b.WriteString("  (every command in full: --dry-run, or -v)\n")
	}
	return strings.TrimRight(b.String(), "\n")
}
