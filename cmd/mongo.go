package cmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/engine"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/mongoadmin"
	"github.com/boxdoctor/boxdoctor/internal/replset"
	"github.com/boxdoctor/boxdoctor/internal/report"
	"github.com/boxdoctor/boxdoctor/provision"
)

// mongoOptions are those of `boxdoctor mongo …`.
type mongoOptions struct {
	File   string
	Reach  reachFlags
	Format string
	Allow  []string
	MaxLag time.Duration
	Client []string
	Yes    bool
	Force  string
}

const mongoLong = `Looks at the MongoDB replica set that .boxdoctor.yaml declares (boxdoctor provision makes it), and takes members out that are gone.`

const mongoStatusLong = `Asks every member of the declared replica set, through SSH: members, states, health, lag, votes, versions. Exit status 1 when
there is no primary, no majority, a member is down, or one lags behind --max-lag. With --client: what an application sees from
a machine, or from this host: names that it cannot resolve or that differ from the set's own, the time to connect and to find the
primary, what unreachable names cost, and the connection string to use.`

const mongoStatusExample = `  boxdoctor mongo status
  boxdoctor mongo status --max-lag 5s --format json
  boxdoctor mongo status --client web                               seen from the machine web, by the declared names
  boxdoctor mongo status --client 'mongodb://192.168.56.11/?replicaSet=rs0'      this connection string, from this host
  boxdoctor mongo status --client web --client 'mongodb://db1/'     this connection string, from the machine web`

const mongoRemoveLong = `Takes members out of the set that its primary cannot reach (state 8), one at a time, as long as a majority lives: a plain
reconfiguration. Without a majority there is no primary, and only force would do: with --force-minority and the set's name, typed for this run,
the living member with the newest configuration takes the others out. Writes that only they had are lost then.`

// newMongoCmd is the group of commands.
func newMongoCmd(a *app, status, remove func(context.Context, *mongoOptions) error) *cobra.Command {
	c := &cobra.Command{Use: "mongo", Short: "Look at a MongoDB replica set, take out members that are gone", Long: mongoLong, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(newMongoStatusCmd(status), newMongoRemoveCmd(remove))
	return c
}

func newMongoStatusCmd(run func(context.Context, *mongoOptions) error) *cobra.Command {
	o := &mongoOptions{}
	c := &cobra.Command{Use: "status", Short: "Show the members of a replica set and what is wrong with it", Long: mongoStatusLong, Example: mongoStatusExample,
		Annotations: withExitCodes, Args: noWords, RunE: mongoRun(o, run)}
	o.add(c)
	c.Flags().DurationVar(&o.MaxLag, "max-lag", 10*time.Second, "a member further behind the primary than `DURATION` is a problem")
	c.Flags().StringArrayVar(&o.Client, "client", nil, "what an application sees: `URI|MACHINE`; one of each at most")
	return c
}

func newMongoRemoveCmd(run func(context.Context, *mongoOptions) error) *cobra.Command {
	o := &mongoOptions{MaxLag: time.Hour}
	c := &cobra.Command{Use: "remove-unreachable", Short: "Take members out of a replica set that are gone for good", Long: mongoRemoveLong,
		Annotations: withExitCodes, Args: noWords, RunE: mongoRun(o, run)}
	o.add(c)
	c.Flags().BoolVarP(&o.Yes, "yes", "y", false, "do not ask")
	c.Flags().StringVar(&o.Force, "force-minority", "", "without a majority: force, when `SET` is the set's name")
	return c
}

func mongoRun(o *mongoOptions, run func(context.Context, *mongoOptions) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, _ []string) error {
		if err := errors.Join(emptyFlag(c), o.validate()); err != nil {
			return err
		}
		return run(c.Context(), o)
	}
}

func (o *mongoOptions) add(c *cobra.Command) {
	fs := c.Flags()
	fs.StringVarP(&o.File, "file", "f", "", "read `FILE` instead of the .boxdoctor.yaml of the project")
	fs.StringVar(&o.Format, "format", report.FormatText, "write the report as `FORMAT` (text, json)")
	fs.StringArrayVar(&o.Allow, "allow", nil, "let this project read `env:NAME|file:PATH` from now on; repeatable")
	o.Reach.addLogin(fs)
}

func (o *mongoOptions) validate() error {
	if !slices.Contains([]string{report.FormatText, report.FormatJSON}, o.Format) {
		return unknownFormat("--format", o.Format)
	}
	if o.MaxLag < 0 {
		return usagef("--max-lag %s: no less than 0", o.MaxLag)
	}
	uris := 0
	for _, c := range o.Client {
		if isURI(c) {
			uris++
		}
	}
	if uris > 1 || len(o.Client)-uris > 1 {
		return usagef("--client: one connection string and one machine at most")
	}
	return o.Reach.validate(nil)
}

func isURI(text string) bool { return strings.Contains(text, "://") }

// mongoSession is a declared set with the machines of this run connected.
type mongoSession struct {
	*session
	set     *provision.MongoSet
	secrets *provision.Secrets
	guests  map[string]guest.Guest
	doors   *mongoadmin.Doors
	// failed are machines that were not reached, and why.
	failed map[string]error
}

// openMongo reads the configuration and connects to the set's machines, and to those that are named besides.
func (a *app) openMongo(ctx context.Context, o *mongoOptions, further ...string) (*mongoSession, error) {
	path, err := (&provisionOptions{File: o.File}).find()
	if err != nil {
		return nil, err
	}
	c, text, err := readConfig(path)
	if err != nil {
		return nil, err
	}
	secrets, err := a.secrets(path, text, o.Allow)
	if err != nil {
		return nil, err
	}
	set, err := c.MongoSet(provision.Input{Dir: filepath.Dir(path), Secrets: secrets, Vault: a.vault(path, secrets, true)})
	if err != nil {
		return nil, usagef("%s: %v", path, err)
	}
	m := &mongoSession{session: a.begin(ctx, "mongo", 0, firstStop, secondStop), set: set, secrets: secrets, guests: map[string]guest.Guest{}, failed: map[string]error{}}
	if err := m.dialAll(o, append(slices.Clone(set.Machines), further...)); err != nil {
		m.close()
		return nil, err
	}
	m.doors = set.Doors(func(name string) guest.Guest { return m.guests[name] })
	return m, nil
}

// dialAll connects to the machines at once; who is not reached is noted.
func (m *mongoSession) dialAll(o *mongoOptions, names []string) error {
	ms, _, _, err := m.machines(o.Reach, nil)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, name := range names {
		i := slices.IndexFunc(ms, func(x engine.Machine) bool { return x.Facts.Name == name && x.Dial != nil })
		if i < 0 {
			m.failed[name] = errors.New("no machine of this name is known")
			continue
		}
		wg.Go(func() {
			m.onProgress(name, "connecting")
			g, _, err := ms[i].Dial(m.Soft)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				m.failed[name] = err
				return
			}
			m.guests[name] = g
		})
	}
	wg.Wait()
	return nil
}

// close ends the connections and takes progress off the screen.
func (m *mongoSession) close() bool {
	if m.doors != nil {
		m.doors.Close(m.Hard)
	}
	for _, g := range m.guests {
		_ = g.Close() // everything is done by then
	}
	return m.end()
}

// runMongoStatus shows the set, or what an application sees of it.
func (a *app) runMongoStatus(ctx context.Context, o *mongoOptions) error {
	if len(o.Client) > 0 {
		return a.runMongoClient(ctx, o)
	}
	m, err := a.openMongo(ctx, o)
	if err != nil {
		return err
	}
	have := replset.Observe(m.Soft, m.doors.Open, m.set.Hosts(), m.set.Admin)
	s := replset.Summarize(m.set.Declared, have, o.MaxLag)
	for _, name := range m.set.Machines {
		if err := m.failed[name]; err != nil {
			s.Problems = append(s.Problems, fmt.Sprintf("%s was not reached: %v", name, err))
			s.ExitCode = finding.ExitFailed
		}
	}
	if len(m.guests) == 0 {
		s.ExitCode = finding.ExitUnexamined
	}
	if m.close() {
		s.ExitCode = finding.ExitInterrupted
	}
	clean := func(t string) string { return report.Clean(m.secrets.Mask(t)) }
	cleanSummary(&s, clean)
	if o.Format == report.FormatJSON {
		err = report.WriteJSON(a.streams.Out, s)
	} else {
		err = a.print(mongoText(s))
	}
	if err != nil {
		return err
	}
	return withCode(s.ExitCode)
}

func cleanSummary(s *replset.Summary, clean func(string) string) {
	for i := range s.Members {
		m := &s.Members[i]
		m.Host, m.Message, m.Version, m.SyncsFrom = clean(m.Host), clean(m.Message), clean(m.Version), clean(m.SyncsFrom)
	}
	for i := range s.Problems {
		s.Problems[i] = clean(s.Problems[i])
	}
}

// mongoText is the table, then what is wrong.
func mongoText(s replset.Summary) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s   primary %s, majority %s\n\n", s.Set, dash(s.Primary), yesNo(s.Majority))
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MEMBER\tSTATE\tHEALTH\tLAG\tVOTES\tPRIORITY\tCONFIG\tSERVER")
	for _, m := range s.Members {
		health, lag, config := "up", "-", "-"
		if !m.Healthy {
			health = "down"
		}
		if m.LagSeconds >= 0 {
			lag = fmt.Sprintf("%d s", m.LagSeconds)
		}
		if m.ConfigVersion > 0 {
			config = fmt.Sprint(m.ConfigVersion)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%g\t%s\t%s\n", m.Host, m.State, health, lag, m.Votes, m.Priority, config, dash(m.Version))
	}
	_ = w.Flush() // into memory
	if len(s.Problems) > 0 {
		b.WriteString("\n")
	}
	for _, p := range s.Problems {
		fmt.Fprintf(&b, "- %s\n", strings.ReplaceAll(p, "\n", "\n  "))
	}
	return b.String()
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// runMongoClient shows what an application sees.
func (a *app) runMongoClient(ctx context.Context, o *mongoOptions) error {
	machine, uri := "", ""
	for _, c := range o.Client {
		if isURI(c) {
			uri = c
		} else {
			machine = c
		}
	}
	m, err := a.openMongo(ctx, o, slices.DeleteFunc([]string{machine}, func(s string) bool { return s == "" })...)
	if err != nil {
		return err
	}
	if uri == "" {
		uri = "mongodb://" + strings.Join(m.set.Hosts(), ",") + "/?replicaSet=" + m.set.Declared.Name
	}
	from := hostView()
	if machine != "" {
		if from, err = m.machineView(machine); err != nil {
			m.close()
			return err
		}
	}
	v, err := mongoadmin.Look(m.Soft, from, uri)
	if m.close() {
		return withCode(finding.ExitInterrupted)
	}
	if err != nil {
		return usagef("--client: %v", err)
	}
	cleanView(&v, func(t string) string { return report.Clean(m.secrets.Mask(t)) })
	if o.Format == report.FormatJSON {
		err = report.WriteJSON(a.streams.Out, v)
	} else {
		err = a.print(clientText(v))
	}
	if err != nil {
		return err
	}
	return withCode(v.ExitCode)
}

func cleanView(v *mongoadmin.View, clean func(string) string) {
	v.Set, v.URI = clean(v.Set), clean(v.URI)
	for i := range v.Seeds {
		s := &v.Seeds[i]
		s.Host, s.Error, s.Names = clean(s.Host), clean(s.Error), clean(s.Names)
		for j := range s.Addresses {
			s.Addresses[j] = clean(s.Addresses[j])
		}
	}
	for _, list := range [][]string{v.Problems, v.Advice} {
		for i := range list {
			list[i] = clean(list[i])
		}
	}
}

// hostView is this host.
func hostView() mongoadmin.From {
	return mongoadmin.From{Name: "this host", Resolve: net.DefaultResolver.LookupHost, Dial: new(net.Dialer).DialContext}
}

// machineView is a machine: its resolver is asked, its sshd connects.
func (m *mongoSession) machineView(name string) (mongoadmin.From, error) {
	g := m.guests[name]
	if g == nil {
		return mongoadmin.From{}, usagef("--client %s: %v", name, m.failed[name])
	}
	d, ok := g.(guest.Dialer)
	if !ok {
		return mongoadmin.From{}, usagef("--client %s: no connections can be opened from inside of it", name)
	}
	return mongoadmin.From{Name: name, Dial: d.DialContext, Resolve: func(ctx context.Context, host string) ([]string, error) {
		if net.ParseIP(host) != nil {
			return []string{host}, nil
		}
		res, err := g.Run(ctx, guest.Cmd{Name: "resolve " + host, Argv: []string{"getent", "hosts", host}, Timeout: 10 * time.Second, Limit: 4096})
		if err != nil {
			return nil, err
		}
		if words := strings.Fields(string(res.Stdout)); len(words) > 0 && net.ParseIP(words[0]) != nil {
			return words[:1], nil
		}
		return nil, errors.New("the guest's answer is no address")
	}}, nil
}

func clientText(v mongoadmin.View) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, seen from %s: ", dash(v.Set), v.From)
	if v.PrimaryMS >= 0 {
		fmt.Fprintf(&b, "the primary is found in %d ms\n\n", v.PrimaryMS)
	} else {
		b.WriteString("the primary is not found\n\n")
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tIN THE URI\tIN THE SET\tADDRESS\tCONNECT\tHELLO\tROLE")
	ms := func(n int64) string {
		if n < 0 {
			return "-"
		}
		return fmt.Sprintf("%d ms", n)
	}
	for _, s := range v.Seeds {
		role := "-"
		switch {
		case s.Primary:
			role = "primary"
		case s.Error == "":
			role = "other"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Host, yesNo(s.InURI), yesNo(s.InSet), dash(strings.Join(s.Addresses, " ")), ms(s.ConnectMS), ms(s.HelloMS), role)
	}
	_ = w.Flush() // into memory
	b.WriteString("\n")
	for _, p := range append(slices.Clone(v.Problems), v.Advice...) {
		fmt.Fprintf(&b, "- %s\n", p)
	}
	if v.URI != "" {
		fmt.Fprintf(&b, "connection string from %s: %s\n", v.From, v.URI)
	}
	return b.String()
}

// runMongoRemove takes out what is gone.
func (a *app) runMongoRemove(ctx context.Context, o *mongoOptions) error {
	if !o.Yes && !a.streams.CanAsk() {
		return usagef("there is no terminal to ask at").withHint("Look first: boxdoctor mongo status; then: boxdoctor mongo remove-unreachable --yes")
	}
	m, err := a.openMongo(ctx, o)
	if err != nil {
		return err
	}
	err = m.removeUnreachable(o)
	if m.close() {
		return withCode(finding.ExitInterrupted)
	}
	return err
}

func (m *mongoSession) removeUnreachable(o *mongoOptions) error {
	have := replset.Observe(m.Soft, m.doors.Open, m.set.Hosts(), m.set.Admin)
	if have.Config == nil {
		return m.cannot("no member told the set's configuration: nothing is known that could be taken out", have)
	}
	want, gone := replset.Without(have)
	primary := replset.Summarize(m.set.Declared, have, o.MaxLag).Primary
	switch {
	case len(gone) == 0:
		return m.a.print("every member is reached; nothing was changed\n")
	case primary == "" && o.Force == "":
		return m.cannot("there is no primary, so no majority lives: bring members back. If they are lost for good: --force-minority "+m.set.Declared.Name+", which loses writes that only they had", have)
	case primary == "" && o.Force != m.set.Declared.Name:
		return usagef("--force-minority %s: the set's name is %s", o.Force, m.set.Declared.Name)
	}
	m.a.say("to be taken out of " + want.Name + ": " + report.Clean(strings.Join(gone, ", ")) + "; also take them out of .boxdoctor.yaml")
	if !o.Yes {
		if yes, err := m.a.streams.Confirm(m.Soft, "Take them out?"); err != nil || !yes {
			return err
		}
	}
	target, err := m.target()
	if err != nil {
		return err
	}
	if primary == "" {
		return m.force(target, have, want)
	}
	d := &replset.Drive{Want: want, Open: m.doors.Open, Admin: m.set.Admin, Election: time.Minute, Sync: time.Minute, Pause: time.Second, Now: m.a.now, Stop: m.Soft.Done(),
		Progress: func(host, what string) { m.onProgress(m.set.MachineOf(host), what) },
		Act: func(ctx context.Context, s replset.Step, run func(context.Context) error) error {
			return action.Do(ctx, target(s.At), "mongo remove-unreachable", action.Call{Name: s.What, Text: s.Text(), Undo: s.Undo(), Make: run})
		}}
	made, _, err := d.Run(m.Hard)
	for _, t := range made {
		m.a.say(report.Clean(t.What + ": done"))
	}
	if err != nil {
		return m.cannot(err.Error(), have)
	}
	return m.a.print(fmt.Sprintf("%d members are left, the primary is %s\n", len(want.Members), report.Clean(primary)))
}

// cannot reports why nothing, or no more, was changed: exit 1, or 3 when nobody could be asked.
func (m *mongoSession) cannot(why string, have replset.Facts) error {
	for _, n := range have.Nodes {
		if n.Err != nil {
			why += fmt.Sprintf("\n  %s: %v", n.Host, n.Err)
		}
	}
	m.a.say(report.Clean(m.secrets.Mask(why)))
	if len(m.guests) == 0 {
		return withCode(finding.ExitUnexamined)
	}
	return withCode(finding.ExitFailed)
}

// target is the interpreter's, by member: every change is in the journal before it is made.
func (m *mongoSession) target() (func(host string) *action.Target, error) {
	journal, err := action.NewFileJournal(filepath.Join(m.a.journalDir(), action.JournalName(m.a.now())))
	if err != nil {
		return nil, err
	}
	run := newRunID()
	return func(host string) *action.Target {
		name := m.set.MachineOf(host)
		return &action.Target{Guest: m.guests[name], Machine: name, RunID: run, Journal: masked{journal, m.secrets}, Stop: m.Soft.Done(), Now: m.a.now}
	}, nil
}

// force is the one place where a reconfiguration is forced: the set's name was typed for this run, and there is no primary.
func (m *mongoSession) force(target func(string) *action.Target, have replset.Facts, want replset.Set) error {
	s := replset.Forced(have, want)
	err := action.Do(m.Hard, target(s.At), "mongo remove-unreachable", action.Call{Name: s.What, Text: s.Text() + " force", Undo: s.Undo(), Make: func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		admin, err := m.doors.Open(ctx, s.At, m.set.Admin)
		if err == nil {
			_, err = admin.Command(ctx, replset.ForceCommand(s))
		}
		return err
	}})
	if err != nil {
		return m.cannot(err.Error(), have)
	}
	return m.a.print(fmt.Sprintf("%d members are left; look again in a moment: boxdoctor mongo status\n", len(want.Members)))
}
