package cmd

import (
	"context"
	"errors"
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
	Snapshot     bool
	Packages     string
	Folders      knowledgeFlags

	packages []fixes.PackageFile
}

const fixLong = `Examines this host and the machines, shows what it would change, asks before each stage, changes it, and examines again: a repair
counts only when the checks that it promised to clear pass. Every change is written to a journal, with the way back,
before it is made. Without a terminal and without --yes it acts as --dry-run. With names only those machines are repaired;
the name "host" is this host itself.`

const fixExample = `  boxdoctor fix --dry-run                      show the exact commands; change nothing
  boxdoctor fix                                repair every running machine, asking before each stage
  boxdoctor fix web --only additions.version   repair one thing on one machine
  boxdoctor fix host                           repair only what keeps vagrant up from working here
  boxdoctor fix --yes --no-reboot              for scripts
  boxdoctor fix web --packages ./rpms          install from these files instead of asking repositories`

// newFixCmd reads the flags; run gets them validated.
func newFixCmd(a *app, run func(context.Context, *fixOptions) error) *cobra.Command {
	o := &fixOptions{}
	c := &cobra.Command{
		Use: "fix [MACHINE…]", Short: "Repair machines and this host, and prove it by examining them again",
		Long: fixLong, Example: fixExample, Annotations: withExitCodes,
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
	fs := c.Flags()
	fs.BoolVar(&o.DryRun, "dry-run", false, "show every command that would run, change nothing")
	fs.BoolVarP(&o.Yes, "yes", "y", false, "do not ask before a stage")
	fs.StringSliceVar(&o.Only, "only", nil, "repair only what these clear or are, `FIX|CHECK`[,…]; repeatable")
	fs.BoolVar(&o.NoReboot, "no-reboot", false, "plan without restarting a guest")
	fs.BoolVar(&o.KeepUnlocked, "keep-unlocked", false, "leave package locks off that were taken off for the repair")
	fs.BoolVar(&o.Downgrade, "allow-downgrade", false, "allow Guest Additions older than those in the guest")
	fs.BoolVar(&o.Download, "download", false, "allow downloading the Guest Additions image, checked by its checksum")
	fs.BoolVar(&o.Snapshot, "snapshot", false, "take a VirtualBox snapshot of each machine before its first change")
	fs.StringVar(&o.Packages, "packages", "", "upload and install the package files of `DIR` (.rpm, .deb, .pkg.tar.zst)")
	o.Output.add(fs)
	o.Run.add(fs)
	o.Reach.add(fs)
	o.Folders.add(fs)
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
	s.narrate = !o.DryRun && !o.Output.Quiet && !s.progress.Visible()
	ms, notes, here, err := s.machines(o.Reach, o.Machines)
	ms = s.repairable(ms, o.Machines)
	if err == nil && o.Download {
		here.AdditionsISO, err = s.downloaded(here, ms)
	}
	if err == nil && !o.DryRun {
		err = s.waitForVagrant(s.Soft, vagrantWait)
	}
	if err != nil {
		return s.ended(err)
	}
	fo, journal, err := s.fixOptions(o, here)
	if err != nil {
		return s.ended(err)
	}
	r := a.fix(s.Hard, ms, notes, fo)
	gaveUp := s.Hard.Err() != nil
	if s.end() {
		if gaveUp && !tried(r.Actions) {
			return errInterrupted
		}
		r.ExitCode = finding.ExitInterrupted
		r.Notes = append(r.Notes, interruptedNote(r.Actions))
	}
	if !o.DryRun && tried(r.Actions) {
		r.Notes = append(r.Notes, "Every change and how to take it back: "+journal+" (boxdoctor undo)")
	}
	ro := a.reportOptions(o.Output, o.Reach, o.Run)
	ro.Fix = true
	if err := a.deliver(r, o.Output, ro); err != nil {
		return err
	}
	return withCode(r.ExitCode)
}

// repairable leaves the host alone where only guests were named.
func (s *session) repairable(ms []engine.Machine, names []string) []engine.Machine {
	ms, host := s.namedHost(ms, names)
	if len(ms) > 0 && len(names) > 0 && !host {
		ms[0].Look = nil
	}
	return ms
}

// tried tells whether any change was begun, and so is in the journal.
func tried(as []finding.ActionRecord) bool {
	return slices.ContainsFunc(as, func(a finding.ActionRecord) bool { return a.Text != "" && a.Outcome != finding.Planned })
}

// interruptedNote says what became of what is not listed, and of what is listed as unknown.
func interruptedNote(as []finding.ActionRecord) string {
	if slices.ContainsFunc(as, func(a finding.ActionRecord) bool { return a.Outcome == finding.OutcomeCut }) {
		return "Interrupted: what is listed as unknown may go on in the guest; what is not listed was not begun."
	}
	return "Interrupted: what is not listed was not begun."
}

func firstStop(now, _ string) string {
	if now == "" {
		return "Ctrl-C: no new change is begun."
	}
	return "Ctrl-C: no new change is begun; waiting for: " + now +
		"\nPress Ctrl-C again to return at once; a change that runs in a guest then goes on there."
}

func secondStop(now, look string) string {
	if now == "" {
		return "Returning at once."
	}
	if look == "" {
		look = "To look: boxdoctor check"
	}
	return "Returning at once. In the guest this may go on: " + now + "\n" + look
}

// fixOptions builds what the engine needs, and the journal, without which nothing may be changed.
func (s *session) fixOptions(o *fixOptions, here facts.Host) (engine.FixOptions, string, error) {
	name := action.JournalName(s.a.now())
	path := filepath.Join(s.a.journalDir(), name)
	fo := engine.FixOptions{
		Options: s.engineOptions(selectFlags{}, o.Run),
		DryRun:  o.DryRun, OnlyFixes: o.Only, Stop: s.Soft.Done(), Command: o.Reach.fix, Running: s.onJob,
		Plan: fixes.Input{Backups: s.a.backupDir(), KeepUnlocked: o.KeepUnlocked, NoReboot: o.NoReboot, Downgrade: o.Downgrade,
			ISO: here.AdditionsISO.Or(facts.ISO{}), Packages: o.packages},
	}
	if o.Snapshot {
		fo.Snapshot = s.a.snapshotFor(strings.TrimSuffix(name, filepath.Ext(name)))
	}
	if o.DryRun {
		return fo, "", nil
	}
	journal, err := action.NewFileJournal(path)
	if err != nil {
		return fo, "", err
	}
	fo.Journal = journal
	ask := &asker{s: s, full: o.Output.Verbose > 0, found: map[string]string{}}
	fo.Tell = ask.tell
	if !o.Yes {
		fo.Confirm = ask.confirm
	}
	return fo, path, nil
}

// asker shows the plan of a stage and asks once. Machines are repaired at the same time, so a plan and its question
// stay together.
type asker struct {
	s    *session
	full bool

	mu sync.Mutex
	// found is what was found on a machine, until its first question.
	found map[string]string
}

// tell keeps the diagnosis for the first question, and says at once what stands in the way of the repair.
func (a *asker) tell(m finding.Machine, obstacles []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.found[m.Name] = a.s.diagnosis(m)
	for _, text := range obstacles {
		a.s.a.say(a.s.wrapped("", m.Name+": "+text))
	}
}

func (a *asker) confirm(_ context.Context, machine string, stage []engine.PlannedFix) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if found := a.found[machine]; found != "" {
		a.s.a.say("\n" + machine + ": found\n" + found)
	}
	delete(a.found, machine)
	a.s.progress.Set(machine, "") // whoever presses Ctrl-C at a question waits for nothing
	a.s.a.say(report.Clean(a.s.stageText(machine, stage, a.full)))
	return a.s.a.streams.Confirm(a.s.Soft, fmt.Sprintf("Change this on %s?", machine))
}

// diagnosis is one entry for each root cause on a machine.
func (s *session) diagnosis(m finding.Machine) string {
	var b strings.Builder
	quiet := report.NewText(report.Options{Quiet: true, Strict: true, ASCII: s.a.streams.ASCII})
	if err := quiet.Report(&b, finding.Report{Machines: []finding.Machine{m}}); err != nil {
		return ""
	}
	var out []string
	for line := range strings.Lines(b.String()) {
		out = append(out, s.wrapped("  ", strings.TrimPrefix(line, m.Name)))
	}
	return strings.Join(out, "\n")
}

// wrapped is a text on lines of the width of stderr, the later ones two columns further in.
func (s *session) wrapped(indent, text string) string {
	lines := report.Wrap(report.Clean(text), min(s.a.streams.ErrWidth, s.a.streams.Width)-len(indent)-2)
	return indent + strings.Join(lines, "\n"+indent+"  ")
}

// stageText is the plan of a stage: what each fix does to the guest and its steps by name, or in full.
func (s *session) stageText(machine string, stage []engine.PlannedFix, full bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s: next changes\n", machine)
	for _, p := range stage {
		fmt.Fprintln(&b, s.wrapped("  ", fmt.Sprintf("%s: %s (%s)", p.Fix.ID, p.Fix.Title, p.Impact())))
		for _, act := range p.Actions {
			if full {
				fmt.Fprintf(&b, "%s\n", act)
				continue
			}
			fmt.Fprintln(&b, s.wrapped("    ", "- "+act.Title()))
			if detailed, ok := act.(interface{ Effects() []string }); ok {
				for _, e := range detailed.Effects() {
					fmt.Fprintln(&b, s.wrapped("        ", e))
				}
			}
		}
	}
	if !full {
		b.WriteString("  (every command in full: --dry-run, or -v)\n")
	}
	return strings.TrimRight(b.String(), "\n")
}
