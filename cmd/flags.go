package cmd

import (
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/boxdoctor/boxdoctor/checks"
	"github.com/boxdoctor/boxdoctor/internal/engine"
	"github.com/boxdoctor/boxdoctor/internal/nearest"
	"github.com/boxdoctor/boxdoctor/internal/report"
	"github.com/boxdoctor/boxdoctor/internal/shell"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

const (
	defaultJobs    = 8
	maxJobs        = 64
	defaultTimeout = 3 * time.Minute
)

// reachFlags say how to reach guests and what to compare them with.
type reachFlags struct {
	User, SSHConfig, SSH, Key string
	VBoxVersion, ISO          string
}

// add are the flags of what compares guests with VirtualBox.
func (f *reachFlags) add(fs *pflag.FlagSet) {
	f.addLogin(fs)
	fs.StringVar(&f.VBoxVersion, "vbox-version", "", "compare with VirtualBox `VERSION` where it is not installed here")
	fs.StringVar(&f.ISO, "iso", "", "Guest Additions image `PATH` to use instead of VirtualBox's own")
}

// addLogin are the flags of what only has to get there.
func (f *reachFlags) addLogin(fs *pflag.FlagSet) {
	fs.StringVar(&f.User, "user", "", "log in as `USER` (default vagrant, or what the ssh_config says)")
	fs.StringVar(&f.SSHConfig, "ssh-config", "", "reach the guests of `FILE`, as \"vagrant ssh-config\" prints it")
	fs.StringVar(&f.SSH, "ssh", "", "reach one guest at `[USER@]HOST[:PORT]` instead of looking for a project")
	fs.StringVarP(&f.Key, "identity", "i", "", "private key `FILE` for --ssh")
}

func (f *reachFlags) validate(machines []string) error {
	if slices.Contains(machines, "") {
		return usagef("a machine's name is empty")
	}
	switch {
	case f.SSH != "" && f.SSHConfig != "":
		return usagef("--ssh and --ssh-config exclude each other: both say which guests to reach")
	case f.SSH != "" && len(machines) > 0:
		return usagef("--ssh already says which guest to reach; leave out %s", shell.Join(machines))
	case f.Key != "" && f.SSH == "":
		return usagef("-i goes with --ssh; a Vagrant project and an ssh_config name their own keys")
	}
	if f.VBoxVersion != "" {
		if _, err := version.ParseVBox(f.VBoxVersion); err != nil {
			return usagef("--vbox-version: %v", err)
		}
	}
	for flag, path := range map[string]string{"--ssh-config": f.SSHConfig, "-i": f.Key, "--iso": f.ISO} {
		if err := mustBeFile(flag, path); err != nil {
			return err
		}
	}
	return nil
}

// emptyFlag refuses a flag that was given with nothing: most likely a variable of a script was empty, and without the
// flag something else would be done.
func emptyFlag(c *cobra.Command) error {
	var found error
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if v := f.Value.String(); f.Changed && (v == "" || f.Value.Type() == "stringSlice" && strings.Trim(v, `[],"`) == "") {
			found = usagef("--%s was given an empty value", f.Name).withHint("Leave --%s out, or say which", f.Name)
		}
	})
	return found
}

// mustBeFile refuses a flag whose file cannot be what was meant.
func mustBeFile(flag, path string) error {
	if path == "" {
		return nil
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return usagef("%s: %v", flag, err)
	case info.IsDir():
		return usagef("%s: %s is a folder, a file is needed", flag, path)
	}
	return nil
}

// again are the flags, quoted, that reach the same guests in another command.
func (f *reachFlags) again() string {
	var argv []string
	for _, p := range []struct{ flag, value string }{
		{"--user", f.User}, {"--ssh-config", f.SSHConfig}, {"--ssh", f.SSH}, {"-i", f.Key},
		{"--vbox-version", f.VBoxVersion}, {"--iso", f.ISO},
	} {
		if p.value != "" {
			argv = append(argv, p.flag, p.value)
		}
	}
	return shell.Join(argv)
}

// fixCommand is the command that repairs one check of a machine.
func (f *reachFlags) fixCommand(machine, check string) string {
	return f.fix(machine) + " --only " + check
}

// fix is the command that repairs a machine.
func (f *reachFlags) fix(machine string) string {
	words := []string{"boxdoctor", "fix"}
	if f.SSH == "" {
		words = append(words, shell.Quote(machine))
	}
	if again := f.again(); again != "" {
		words = append(words, again)
	}
	return strings.Join(words, " ")
}

// runFlags say how a run goes on.
type runFlags struct {
	Jobs    int
	Timeout time.Duration
	Strict  bool
}

func (f *runFlags) add(fs *pflag.FlagSet) {
	fs.IntVarP(&f.Jobs, "jobs", "j", defaultJobs, "examine `N` machines at once")
	fs.DurationVar(&f.Timeout, "timeout", defaultTimeout, "examine one machine for at most `DURATION`; more than 3m also lengthens every limit inside, for a slow guest")
	fs.BoolVar(&f.Strict, "strict", false, "a warning counts as a failure")
}

func (f *runFlags) validate() error {
	if f.Jobs < 1 || f.Jobs > maxJobs {
		return usagef("-j %d: between 1 and %d machines can be examined at once", f.Jobs, maxJobs)
	}
	if f.Timeout <= 0 {
		return usagef("--timeout %v: a machine needs some time; the default is %v", f.Timeout, defaultTimeout)
	}
	return nil
}

// selectFlags choose checks.
type selectFlags struct{ Only, Skip []string }

func (f *selectFlags) add(fs *pflag.FlagSet) {
	fs.StringSliceVar(&f.Only, "only", nil, "run only these checks or areas, `ID|AREA`[,…]; repeatable")
	fs.StringSliceVar(&f.Skip, "skip", nil, "leave out these checks or areas, `ID|AREA`[,…]; repeatable")
}

func (f *selectFlags) validate() error {
	known := append(checkIDs(), areas()...)
	for flag, list := range map[string][]string{"--only": f.Only, "--skip": f.Skip} {
		if err := allKnown(flag, "check or area", list, known, "boxdoctor list checks"); err != nil {
			return err
		}
	}
	if !engine.Selects(f.Only, f.Skip) {
		return usagef("--only and --skip leave no check at all: nothing would be examined")
	}
	return nil
}

// allKnown refuses the first word that is in no list; list names the command that prints it.
func allKnown(flag, kind string, words, known []string, list string) error {
	for _, w := range words {
		if !slices.Contains(known, w) {
			e := unknown(kind, w, known)
			e.text = flag + ": " + e.text
			if e.hint != "" {
				e.hint += " "
			}
			return e.withHint("%sAll of them: %s", e.hint, list)
		}
	}
	return nil
}

func checkIDs() []string {
	var ids []string
	for _, c := range checks.All() {
		ids = append(ids, c.ID)
	}
	return ids
}

func areas() []string {
	var out []string
	for _, c := range checks.All() {
		if !slices.Contains(out, c.Area()) {
			out = append(out, c.Area())
		}
	}
	return out
}

// outputFlags say what is written and where.
type outputFlags struct {
	Format  string
	Outputs []string
	Verbose int
	Quiet   bool

	files []outputFile
}

func (f *outputFlags) add(fs *pflag.FlagSet) {
	fs.StringVar(&f.Format, "format", report.FormatText, "write the report as `FORMAT` (text, json, junit, github)")
	fs.StringArrayVar(&f.Outputs, "output", nil, "also write the report to a file, `FORMAT=FILE`; repeatable")
	fs.CountVarP(&f.Verbose, "verbose", "v", "show every finding and how it was looked; -vv: also every step, on stderr")
	fs.BoolVarP(&f.Quiet, "quiet", "q", false, "only one line per finding that decides the exit code")
}

func (f *outputFlags) validate() (err error) {
	if f.Quiet && f.Verbose > 0 {
		return usagef("-q and -v exclude each other")
	}
	if !slices.Contains(report.Formats(), f.Format) {
		return unknownFormat("--format", f.Format)
	}
	f.files, err = parseOutputs(f.Outputs)
	return err
}

func unknownFormat(flag, format string) error {
	e := usagef("%s: %v", flag, &report.UnknownFormatError{Format: format})
	if near := nearest.Of(format, report.Formats()); near != "" {
		return e.withHint("Did you mean %s?", near)
	}
	return e
}
