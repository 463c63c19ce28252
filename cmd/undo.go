package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/engine"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/report"
)

// undoOptions are those of `boxdoctor undo`.
type undoOptions struct {
	Run      string
	Machines []string
	Reach    reachFlags
	Jobs     runFlags

	List, DryRun, Yes, Snapshot bool
	// Packages that the run installed go, too.
	Packages bool
	Format   string
}

const undoLong = `Takes back what a run of "boxdoctor fix" or "boxdoctor provision" changed, the last change first. Files and links go back to
the copies that were kept in the guest, or for this host in the state folder, each only where there still is what boxdoctor left: what
somebody changed since is left alone, and said. Modes, services and parameters of the kernel go back, mounted folders are unmounted;
packages go only with --packages. What cannot be taken back (users, Guest Additions, a restart) is listed with the way back by hand. RUN
is a name of "boxdoctor undo --list"; without it the last run is taken back. It is safe to
interrupt and to run twice.`

const undoExample = `  boxdoctor undo --list                  the runs that changed something
  boxdoctor undo --dry-run               what the last one changed and would go back
  boxdoctor undo 20261123T2200           take back the run whose name begins so
  boxdoctor undo --snapshot              put the whole VM back to the snapshot of "fix --snapshot"`

// newUndoCmd reads the flags; run gets them validated.
func newUndoCmd(a *app, run func(context.Context, *undoOptions) error) *cobra.Command {
	o := &undoOptions{}
	c := &cobra.Command{
		Use: "undo [RUN]", Short: "Take back what a run of fix or provision changed",
		Long: undoLong, Example: undoExample, Annotations: withExitCodes,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("undo takes one RUN, but got %q too", args[1]).withHint("All of them: boxdoctor undo --list")
			}
			o.Run = strings.Join(args, "")
			if err := errors.Join(emptyFlag(c), o.validate()); err != nil {
				return err
			}
			return run(c.Context(), o)
		},
	}
	fs := c.Flags()
	fs.BoolVar(&o.List, "list", false, "list the runs that changed something, and stop")
	fs.BoolVar(&o.DryRun, "dry-run", false, "show what would go back, change nothing")
	fs.BoolVarP(&o.Yes, "yes", "y", false, "do not ask")
	fs.BoolVar(&o.Snapshot, "snapshot", false, "put the whole VM back to the VirtualBox snapshot of the run")
	fs.BoolVar(&o.Packages, "packages", false, "also remove packages that the run installed, where nothing needs them")
	fs.StringSliceVar(&o.Machines, "machine", nil, "only on these machines of the run, `NAME`[,…]; repeatable")
	fs.IntVarP(&o.Jobs.Jobs, "jobs", "j", defaultJobs, "work on `N` machines at once")
	fs.DurationVar(&o.Jobs.Timeout, "timeout", defaultTimeout, "look at one machine for at most `DURATION`")
	addFormat(c, &o.Format)
	o.Reach.add(fs)
	return c
}

func (o *undoOptions) validate() error {
	for _, err := range []error{o.Reach.validate(nil), o.Jobs.validate(), validFormat(o.Format)} {
		if err != nil {
			return err
		}
	}
	switch {
	case o.DryRun && o.Yes:
		return usagef("--dry-run and --yes exclude each other: a dry run asks nothing")
	case o.Snapshot && o.Yes:
		return usagef("--snapshot wants the VM's name typed: --yes is not enough to discard its later data")
	}
	return nil
}

// runUndo finds the run and takes it back.
func (a *app) runUndo(ctx context.Context, o *undoOptions) error {
	runs, err := action.ReadRuns(a.journalDir())
	if err != nil {
		a.say("boxdoctor: " + report.Clean(err.Error()))
	}
	if o.List {
		return a.listRuns(runs, o.Format)
	}
	r, err := a.chooseRun(runs, o)
	if err != nil {
		return err
	}
	if !o.DryRun && !o.Yes && !a.streams.CanAsk() {
		if o.Snapshot {
			return usagef("--snapshot wants the VM's name typed, and there is no terminal to ask on").withHint("To see what it would do: boxdoctor undo --snapshot --dry-run")
		}
		a.say("There is no terminal to ask on and --yes was not given: this is a dry run, nothing will be changed.")
		o.DryRun = true
	}
	s := a.begin(ctx, "undo", 0, firstStop, secondStop)
	s.narrate = !o.DryRun && o.Format == report.FormatText && !s.progress.Visible()
	ms, notes, err := s.undoMachines(o, r)
	if err == nil && !o.DryRun {
		err = s.waitForVagrant(s.Soft, vagrantWait)
	}
	if err != nil {
		return s.ended(err)
	}
	if o.Snapshot {
		return s.restoreSnapshots(o, r, ms)
	}
	uo, err := s.undoOptions(o, r)
	if err != nil {
		return s.ended(err)
	}
	rep := a.undo(s.Hard, ms, notes, uo)
	if s.end() {
		rep.ExitCode = finding.ExitInterrupted
		rep.Notes = append(rep.Notes, "Interrupted: what is listed as planned was not begun. The same command goes on where this one stopped.")
	}
	if err := a.deliverUndo(rep, o.Format); err != nil {
		return err
	}
	return withCode(rep.ExitCode)
}

func (a *app) journalDir() string { return filepath.Join(stateDir(a.getenv), "journal") }

// backupDir holds the originals of files of this host that were changed, one folder a run.
func (a *app) backupDir() string { return filepath.Join(stateDir(a.getenv), "backup") }

// chooseRun is the run that the user named, or the last one; runs that took others back are not meant by "last".
func (a *app) chooseRun(runs []action.Recorded, o *undoOptions) (action.Recorded, error) {
	matches := slices.DeleteFunc(slices.Clone(runs), func(r action.Recorded) bool {
		if o.Run == "" {
			return r.Undoes != "" || o.Reach.SSH == "" && o.Reach.SSHConfig == "" && !a.ours(r)
		}
		return !strings.HasPrefix(r.ID, strings.TrimSuffix(filepath.Base(o.Run), ".jsonl"))
	})
	exact := slices.IndexFunc(matches, func(r action.Recorded) bool { return r.ID == o.Run })
	switch {
	case len(matches) == 0 && o.Run != "":
		return action.Recorded{}, usagef("no journal of a run begins with %q", o.Run).withHint("All of them: boxdoctor undo --list")
	case len(matches) == 0:
		return action.Recorded{}, usagef("there is nothing to take back: no run of boxdoctor fix or provision changed a machine of this project").
			withHint("Runs of other projects: boxdoctor undo --list")
	case o.Run == "":
		return matches[len(matches)-1], nil
	case exact >= 0:
		return matches[exact], nil
	case len(matches) > 1:
		return action.Recorded{}, usagef("%d runs begin with %q", len(matches), o.Run).withHint("All of them: boxdoctor undo --list")
	}
	return matches[0], nil
}

// ours tells whether a run belongs to the project of the current folder. A run that names no project was made by address.
func (a *app) ours(r action.Recorded) bool {
	if r.Project == "" {
		return true
	}
	dir := a.getenv("VAGRANT_CWD")
	if dir == "" {
		dir, _ = os.Getwd() // without a current folder no project is the current one
	}
	rel, err := filepath.Rel(r.Project, dir)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// undoMachines finds the machines of the run: in its own project, wherever the command is given.
func (s *session) undoMachines(o *undoOptions, r action.Recorded) ([]engine.Machine, []string, error) {
	names := r.Names()
	for _, m := range o.Machines {
		if !slices.Contains(names, m) {
			return nil, nil, usagef("the run %s changed nothing on %q", r.ID, m).withHint("It changed: %s", strings.Join(names, ", "))
		}
		names = o.Machines
	}
	asked := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == engine.HostName && len(r.OnHost(n).Entries) > 0 })
	if o.Reach.SSH != "" {
		asked = nil
	}
	s.dir = r.Project
	ms, notes, _, err := s.machines(o.Reach, asked)
	if err != nil {
		return nil, nil, err
	}
	ms = slices.DeleteFunc(ms, func(m engine.Machine) bool {
		if m.Dial == nil {
			return o.Snapshot || len(r.OnHost(m.Facts.Name).Entries) == 0 || !slices.Contains(names, m.Facts.Name)
		}
		return len(r.Machine(m.Facts.Name).Entries) == 0 && r.Machine(m.Facts.Name).Snapshot == "" || !slices.Contains(names, m.Facts.Name)
	})
	if len(ms) == 0 {
		return nil, nil, usagef("the run %s changed %s, which is not what these flags reach", r.ID, strings.Join(names, ", ")).
			withHint("Give the flags that were given to that run (--ssh, --ssh-config)")
	}
	return ms, notes, nil
}

// undoOptions builds what the engine needs.
func (s *session) undoOptions(o *undoOptions, r action.Recorded) (engine.UndoOptions, error) {
	uo := engine.UndoOptions{Options: s.engineOptions(selectFlags{}, o.Jobs), Run: r, DryRun: o.DryRun, Packages: o.Packages, Stop: s.Soft.Done(), Running: s.onJob,
		Backups: s.a.backupDir()}
	if o.DryRun {
		return uo, nil
	}
	journal, err := action.NewFileJournal(filepath.Join(s.a.journalDir(), action.JournalName(s.a.now())))
	if err != nil {
		return uo, err
	}
	uo.Journal = journal
	if !o.Yes {
		var one sync.Mutex
		uo.Confirm = func(_ context.Context, machine string, steps []action.UndoStep) (bool, error) {
			one.Lock()
			defer one.Unlock()
			s.progress.Set(machine, "")
			s.a.say(report.Clean(undoText(machine, steps)))
			return s.a.streams.Confirm(s.Soft, fmt.Sprintf("Put this back on %s?", machine))
		}
	}
	return uo, nil
}

// undoText is what goes back on a machine, and what does not.
func undoText(machine string, steps []action.UndoStep) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s: what goes back\n", machine)
	for _, st := range steps {
		if st.Outcome == finding.Planned {
			fmt.Fprintf(&b, "  - %s: %s\n", st.Change.Path, st.Message)
		}
	}
	for _, st := range steps {
		if st.Outcome == finding.Skipped || st.Outcome == finding.Stays {
			fmt.Fprintf(&b, "  (stays: %s: %s)\n", st.Entry.Title, st.Message)
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

func (a *app) deliverUndo(r finding.UndoReport, format string) error {
	if format == report.FormatJSON {
		return report.UndoJSON(a.streams.Out, r)
	}
	return report.Undo(a.streams.Out, r, report.Options{Width: a.streams.Width, ASCII: a.streams.ASCII, Paint: a.streams.OutPalette})
}

// listedRun is a run in the JSON form of docs/schema/undo.json.
type listedRun struct {
	Run       string    `json:"run"`
	StartedAt time.Time `json:"started_at"`
	Project   string    `json:"project"`
	Machines  []string  `json:"machines"`
	Changes   int       `json:"changes"`
	Snapshot  bool      `json:"snapshot"`
	// Undoes is the run that this one took back, UndoneBy the last run that took this one back.
	Undoes   string `json:"undoes"`
	UndoneBy string `json:"undone_by"`
}

func listed(runs []action.Recorded) []listedRun {
	out := []listedRun{}
	for _, r := range runs {
		l := listedRun{Run: r.ID, StartedAt: r.Started.UTC(), Project: r.Project, Machines: list(r.Names()), Undoes: r.Undoes}
		for _, m := range r.Machines {
			l.Changes += len(m.Entries)
			l.Snapshot = l.Snapshot || m.Snapshot != ""
		}
		for _, later := range runs {
			if later.Undoes == r.ID {
				l.UndoneBy = later.ID
			}
		}
		out = append(out, l)
	}
	return out
}

// listRuns prints the runs, the last one first.
func (a *app) listRuns(runs []action.Recorded, format string) error {
	all := listed(runs)
	slices.Reverse(all)
	if format == report.FormatJSON {
		return report.WriteJSON(a.streams.Out, map[string]any{"schema_version": 1, "runs": all})
	}
	if len(all) == 0 {
		return a.print("no run of boxdoctor fix or provision changed anything\n")
	}
	return a.print(report.Clean(table("RUN\tCHANGES\tMACHINES\tPROJECT\tREMARK", len(all), func(i int) string {
		l := all[i]
		return fmt.Sprintf("%s\t%d\t%s\t%s\t%s", l.Run, l.Changes, strings.Join(l.Machines, " "), l.Project, l.remark())
	})))
}

func (l listedRun) remark() string {
	switch {
	case l.Undoes != "":
		return "took back " + l.Undoes
	case l.UndoneBy != "":
		return "taken back by " + l.UndoneBy
	case l.Snapshot:
		return "with a snapshot"
	}
	return ""
}

// manageOf is VBoxManage for one machine.
func manageOf(m engine.Machine) string { return m.Host.VBoxManage.Or(facts.VBoxManage{}).Path }
