package cmd

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/boxdoctor/boxdoctor/internal/engine"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/logline"
	"github.com/boxdoctor/boxdoctor/internal/logread"
	"github.com/boxdoctor/boxdoctor/internal/report"
)

// How long one log is read at most.
const (
	logsTimeout   = 10 * time.Minute
	followTimeout = 24 * time.Hour
)

// logsOptions are those of `boxdoctor logs`.
type logsOptions struct {
	Machines  []string
	Files     []string
	Reach     reachFlags
	Jobs      int
	Format    string
	Verbose   int
	RequestID string
	Level     string
	Type      string
	Since     string
	Grep      string
	Follow    bool
	Timeout   time.Duration
}

const logsLong = `Shows the logs of the application on all machines in the order of time. What is not wanted is left out in the guests: only lines
that match cross the link. Which files these are stands in .boxdoctor.yaml (logs: files: - path: /var/log/app/*.log), or --file says
it. The lines are those of docs/logformat.md; other lines belong to the record before them. With --request-id the records of one
request stand as a timeline, with durations. Where the clock of a guest is wrong, its lines are put where they belong, and that is
said. With --since rotated files are read too, as far back as that reaches. Nothing is changed.`

const logsExample = `  boxdoctor logs --level WARN --since 10m
  boxdoctor logs --request-id 7f3a-01
  boxdoctor logs web db -f --type SQL
  boxdoctor logs --file '/var/log/app/*.log' --grep 'timeout|refused' --format json | jq -r .message
  boxdoctor logs lint app.log             what is wrong in which line and field`

// newLogsCmd reads the flags; run gets them validated.
func newLogsCmd(a *app, run func(context.Context, *logsOptions) error) *cobra.Command {
	o := &logsOptions{}
	c := &cobra.Command{
		Use: "logs [MACHINE…]", Short: "Show the application's logs of all machines in the order of time",
		Long: logsLong, Example: logsExample, Annotations: withExitCodes,
		RunE: func(c *cobra.Command, args []string) error {
			o.Machines = args
			if err := errors.Join(emptyFlag(c), o.validate()); err != nil {
				return err
			}
			return run(c.Context(), o)
		},
	}
	fs := c.Flags()
	fs.StringArrayVar(&o.Files, "file", nil, "read these files instead of those of .boxdoctor.yaml; `GLOB` is a path in the guest; repeatable")
	fs.StringVar(&o.RequestID, "request-id", "", "only the records of the request `ID`, as a timeline")
	fs.StringVar(&o.Level, "level", "", "only records of `LEVEL` and above ("+strings.Join(logline.Levels(), ", ")+")")
	fs.StringVar(&o.Type, "type", "", "only records of `TYPE` ("+strings.Join(logline.Types(), ", ")+")")
	fs.StringVar(&o.Since, "since", "", "only records since `TIME`: 10m, 24h, or 2026-11-24T09:30:00Z")
	fs.StringVar(&o.Grep, "grep", "", "only records in which the extended regular expression `RE` is found")
	fs.BoolVarP(&o.Follow, "follow", "f", false, "go on with what is written from now on, through rotation and to new files, until Ctrl-C")
	fs.DurationVar(&o.Timeout, "timeout", 0, "read for at most `DURATION` (default 10m; with -f 24h)")
	fs.IntVarP(&o.Jobs, "jobs", "j", defaultJobs, "connect to `N` machines at once")
	fs.CountVarP(&o.Verbose, "verbose", "v", "-vv: show every step, on stderr")
	addFormat(c, &o.Format)
	for flag, words := range map[string][]string{"level": logline.Levels(), "type": logline.Types()} {
		_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)) // they exist
	}
	o.Reach.addLogin(fs)
	c.AddCommand(newLogsLintCmd(a))
	return c
}

func (o *logsOptions) validate() error {
	if err := errors.Join(oneOf("level", &o.Level, logline.Levels()), oneOf("type", &o.Type, logline.Types())); err != nil {
		return err
	}
	switch {
	case o.RequestID != "" && !logline.IsToken(o.RequestID):
		return usagef("--request-id %q: a request has letters, digits and . _ : - only", o.RequestID)
	case strings.ContainsAny(o.Grep, "\n\r"):
		return usagef("--grep: an expression has one line")
	case o.Jobs < 1 || o.Jobs > maxJobs:
		return usagef("-j %d: between 1 and %d machines can be connected to at once", o.Jobs, maxJobs)
	case o.Timeout < 0:
		return usagef("--timeout %v: reading needs some time", o.Timeout)
	}
	if err := errors.Join(validFormat(o.Format), validGlobs("--file", o.Files)); err != nil {
		return err
	}
	if _, err := sinceTime(o.Since, time.Now()); err != nil {
		return err
	}
	return o.Reach.validate(o.Machines)
}

// oneOf makes a word one of those that there are, in capitals; none stays none.
func oneOf(kind string, word *string, known []string) error {
	*word = strings.ToUpper(*word)
	if *word == "" || slices.Contains(known, *word) {
		return nil
	}
	e := unknown(kind, *word, known)
	e.text += "; known are " + strings.Join(known, ", ")
	return e
}

func validGlobs(flag string, globs []string) error {
	for _, g := range globs {
		if !path.IsAbs(g) || strings.ContainsAny(g, "\n\x00") {
			return usagef("%s %q: a path in the guest begins with /", flag, g)
		}
	}
	return nil
}

// sinceTime reads a duration that ends now, or a time.
func sinceTime(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	return time.Time{}, usagef("--since %q: neither a duration such as 10m or 24h nor a time such as 2026-11-24T09:30:00Z", s)
}

// declaredLogs is `logs:` of the project's configuration as far as reading needs it; who provisions reads more of it.
type declaredLogs struct {
	Machines map[string]struct {
		Groups []string `yaml:"groups"`
	} `yaml:"machines"`
	Logs struct {
		On    []string `yaml:"on"`
		Files []struct {
			Path string `yaml:"path"`
		} `yaml:"files"`
	} `yaml:"logs"`
}

// globs are the declared patterns.
func (d declaredLogs) globs() []string {
	var out []string
	for _, f := range d.Logs.Files {
		out = append(out, f.Path)
	}
	return out
}

// on says whether a machine has these logs.
func (d declaredLogs) on(machine string) bool {
	return len(d.Logs.On) == 0 || slices.Contains(d.Logs.On, machine) ||
		slices.ContainsFunc(d.Machines[machine].Groups, func(g string) bool { return slices.Contains(d.Logs.On, g) })
}

// declaredLogs reads the project's configuration; without one nothing is declared.
func (a *app) declaredLogs() (d declaredLogs, err error) {
	dir := a.getenv("VAGRANT_CWD")
	if dir == "" {
		if dir, err = os.Getwd(); err != nil {
			return d, err
		}
	}
	name, err := findUpwards(dir, configFile)
	if err != nil || name == "" {
		return d, err
	}
	info, err := os.Stat(name)
	if err == nil && info.Size() > configLimit {
		err = errors.New("it is too large")
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(name)
	}
	if err == nil {
		err = yaml.Unmarshal(text, &d)
	}
	if err != nil {
		return d, usagef("%s: %v", name, err)
	}
	return d, validGlobs(name+": logs: files: path:", d.globs())
}

// runLogs connects, finds the files, and reads them together.
func (a *app) runLogs(ctx context.Context, o *logsOptions) error {
	var declared declaredLogs
	var err error
	if len(o.Files) == 0 {
		if declared, err = a.declaredLogs(); err == nil {
			o.Files = declared.globs()
		}
	}
	if err == nil && len(o.Files) == 0 {
		err = usagef("it is not known which files are the application's logs").
			withHint("Declare them in %s (logs: files: - path: /var/log/app/*.log), or: boxdoctor logs --file '/var/log/app/*.log'", configFile)
	}
	if err != nil {
		return err
	}
	s := a.begin(ctx, "logs", o.Verbose, nil)
	ms, _, _, err := s.machines(o.Reach, o.Machines)
	if err != nil {
		return s.ended(err)
	}
	if len(o.Machines) == 0 && o.Reach.SSH == "" {
		ms = slices.DeleteFunc(ms, func(m engine.Machine) bool { return !declared.on(m.Facts.Name) })
	}
	links, done := s.connect(s.Soft, ms, o.Jobs)
	defer done()
	r := &logsRun{session: s, o: o, out: bufio.NewWriterSize(a.streams.Out, 64<<10)}
	sources, err := r.sources(s.Soft, links)
	if err != nil {
		return s.ended(err)
	}
	s.progress.Close()
	problems, err := logread.Read(s.Soft, sources, r.reading(), r.emit)
	err = errors.Join(err, r.out.Flush())
	if s.end() {
		return codeError(finding.ExitInterrupted)
	}
	return r.finish(problems, err)
}

// logsRun is one run of `boxdoctor logs`.
type logsRun struct {
	*session
	o        *logsOptions
	out      *bufio.Writer
	width    int // of the longest machine name
	failed   bool
	shown    int
	timeline logread.Timeline
}

// sources finds the logs of every machine and says what is not as expected. An error means that nothing is to be read.
func (r *logsRun) sources(ctx context.Context, links []link) ([]logread.Source, error) {
	found := make([]logread.Found, len(links))
	errs := make([]error, len(links))
	var group errgroup.Group
	group.SetLimit(r.o.Jobs)
	for i, l := range links {
		if l.Err == nil {
			group.Go(func() error {
				found[i], errs[i] = logread.Find(ctx, l.Guest, r.o.Files, r.reading(), r.a.now)
				return nil
			})
		}
	}
	_ = group.Wait() // no function of it fails
	var out []logread.Source
	for i, l := range links {
		if errors.Is(errs[i], logread.ErrExpression) {
			return nil, usagef("--grep %q: %s: %v", r.o.Grep, l.Name, errs[i])
		}
		if l.Err != nil || errs[i] != nil {
			r.unread(l, errors.Join(l.Err, errs[i]))
			continue
		}
		r.width = max(r.width, len(l.Name))
		out = append(out, r.logsOf(l, &found[i])...)
	}
	if len(links) == 0 {
		r.unread(link{Name: "boxdoctor"}, errNoGuest)
	}
	return out, nil
}

// unread says that a machine's logs are missing.
func (r *logsRun) unread(l link, err error) {
	if l.Skipped {
		r.a.say(fmt.Sprintf("%s: not running, left out", l.Name))
		return
	}
	if r.Soft.Err() == nil {
		r.failed = true
		r.a.say(report.Clean(fmt.Sprintf("%s: its logs are missing here: %v", l.Name, err)))
		if l.Reach.Command != "" {
			r.a.say("  run " + report.Clean(l.Reach.Command))
		}
	}
}

// logsOf are the sources of one machine.
func (r *logsRun) logsOf(l link, f *logread.Found) []logread.Source {
	if len(f.Logs) == 0 {
		text := "no file is named %s"
		if r.o.Follow {
			text = "no file is named %s yet; waiting for one"
		}
		r.a.say(l.Name + ": " + report.Clean(fmt.Sprintf(text, strings.Join(r.o.Files, " or "))))
	}
	if f.Clock.Known() {
		r.a.say(fmt.Sprintf("%s: its clock is %s; its lines are put in order by the time of this computer", l.Name, skewText(f.Clock)))
	}
	out, skipped := f.Sources(l.Name, l.Guest, r.reading().Filter)
	for _, p := range skipped {
		r.a.say(report.Clean(fmt.Sprintf("%s: %s is not read: only .gz is", l.Name, p)))
	}
	f.Close()
	return out
}

func skewText(c logread.Clock) string {
	way := "ahead"
	if c.Skew < 0 {
		way = "behind"
	}
	return fmt.Sprintf("%s %s (give or take %s)", logread.Millis(c.Skew.Abs()), way, logread.Millis(c.Slack))
}

func (r *logsRun) filter() logread.Filter {
	level, _ := logline.ParseSeverity(r.o.Level)
	since, _ := sinceTime(r.o.Since, r.a.now()) // validated
	return logread.Filter{RequestID: r.o.RequestID, Level: level, Type: r.o.Type, Since: since, Grep: r.o.Grep}
}

func (r *logsRun) reading() logread.Options {
	timeout := r.o.Timeout
	switch {
	case timeout == 0 && r.o.Follow:
		timeout = followTimeout
	case timeout == 0:
		timeout = logsTimeout
	}
	return logread.Options{Filter: r.filter(), Follow: r.o.Follow, Timeout: timeout, Tell: r.problem}
}

// emit writes one line. A person sees it at once; a file gets whole blocks.
func (r *logsRun) emit(e logread.Entry) error {
	r.shown++
	var err error
	switch {
	case r.o.Format == report.FormatJSON:
		err = r.json(e)
	case r.o.RequestID != "":
		err = r.step(e)
	default:
		err = r.line(e)
	}
	if err == nil && (r.o.Follow || r.a.streams.OutTTY) {
		err = r.out.Flush()
	}
	return err
}

func (r *logsRun) json(e logread.Entry) error {
	enc := json.NewEncoder(r.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(e.Record(report.Clean))
}

// line is a line as it stands in its log, behind the name of its machine.
func (r *logsRun) line(e logread.Entry) error {
	_, err := fmt.Fprintf(r.out, "%s  %s\n", r.machine(e), r.paint(e, report.Clean(string(e.Text))+cutText(e)))
	return err
}

func cutText(e logread.Entry) string {
	if e.Cut {
		return "… (cut)"
	}
	return ""
}

func (r *logsRun) machine(e logread.Entry) string {
	return r.a.streams.OutPalette.Strong(fmt.Sprintf("%-*s", r.width, e.Machine))
}

// paint colours a record by its level.
func (r *logsRun) paint(e logread.Entry, text string) string {
	level, ok := e.Severity()
	warn, _ := logline.ParseSeverity("WARN")
	switch {
	case !ok || level < warn:
		return text
	case level == warn:
		return r.a.streams.OutPalette.Warn(text)
	}
	return r.a.streams.OutPalette.Bad(text)
}

// step is a record in the timeline of its request.
func (r *logsRun) step(e logread.Entry) error {
	after := r.timeline.Add(e)
	s, ok := e.Step()
	if !ok {
		_, err := fmt.Fprintf(r.out, "%9s  %s  %s\n", "", r.machine(e), report.Clean(string(e.Text)))
		return err
	}
	took := ""
	if s.Took >= 0 {
		took = logread.Millis(s.Took)
	}
	text := fmt.Sprintf("%-7s %-5s %9s  %s", s.Type, s.Level, took, s.What)
	if s.Code != "" {
		text += "   " + s.Code
	}
	_, err := fmt.Fprintf(r.out, "%9s  %s  %s\n", fmt.Sprintf("+%.3fs", after.Seconds()), r.machine(e), r.paint(e, report.Clean(text)))
	return err
}

// problem says what is missing.
func (r *logsRun) problem(p logread.Problem) {
	r.failed = true
	r.a.say(report.Clean(fmt.Sprintf("%s: %s: %v", p.Machine, p.What, p.Err)))
}

// finish says what is missing and chooses the exit code.
func (r *logsRun) finish(problems []logread.Problem, err error) error {
	if err != nil {
		return err
	}
	if text := r.timeline.Summary(); text != "" {
		if err := r.a.print(text + "\n"); err != nil {
			return err
		}
	}
	if !r.o.Follow { // else they are said already
		for _, p := range problems {
			r.problem(p)
		}
	}
	switch {
	case r.failed:
		return codeError(finding.ExitUnexamined)
	case r.shown == 0:
		r.a.say("no line matches")
	}
	return nil
}
