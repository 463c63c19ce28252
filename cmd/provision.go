package cmd

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/boxdoctor/boxdoctor/fixes"
	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/engine"
	"github.com/boxdoctor/boxdoctor/internal/report"
	"github.com/boxdoctor/boxdoctor/internal/shell"
	"github.com/boxdoctor/boxdoctor/provision"
)

// configFile is the configuration that is looked for upwards from the current folder.
const configFile = ".boxdoctor.yaml"

// configLimit bounds a configuration.
const configLimit = 4 << 20

// provisionOptions are those of `boxdoctor provision`.
type provisionOptions struct {
	Machines []string
	File     string
	Reach    reachFlags
	Jobs     int
	Format   string
	Verbose  int

	Check, Diff bool
	Tags, Limit []string
	Allow       []string
	// Packages is a folder; files and wheels are what lies in it.
	Packages      string
	files, wheels []action.Upload
}

const provisionLong = `Brings machines to the state that .boxdoctor.yaml declares: packages, files, users, services. Everything is observed in one
round trip, only what differs is changed, and then everything is observed again: a second run changes nothing. Every change
is written to the journal, with the way back, before it is made.`

const provisionExample = `  boxdoctor provision --check --diff     what would change, and how; writes nothing
  boxdoctor provision                    every running machine of the project
  boxdoctor provision web --tags app     one machine, some of the resources
  boxdoctor provision -f site.yaml --format json`

// newProvisionCmd reads the flags; run gets them validated.
func newProvisionCmd(a *app, run func(context.Context, *provisionOptions) error) *cobra.Command {
	o := &provisionOptions{}
	c := &cobra.Command{
		Use: "provision [MACHINE…]", Short: "Bring machines to a declared state; a second run changes nothing",
		Long: provisionLong, Example: provisionExample, Annotations: withExitCodes,
		RunE: func(c *cobra.Command, args []string) error {
			o.Machines = args
			if err := errors.Join(emptyFlag(c), o.validate()); err != nil {
				return err
			}
			return run(c.Context(), o)
		},
	}
	fs := c.Flags()
	fs.StringVarP(&o.File, "file", "f", "", "read `FILE` instead of the .boxdoctor.yaml of the project")
	fs.BoolVar(&o.Check, "check", false, "say what would change, write nothing (exit 1 when anything would)")
	fs.BoolVar(&o.Diff, "diff", false, "show how files change; secrets are masked")
	fs.StringSliceVar(&o.Tags, "tags", nil, "only resources with one of these `TAG`s[,…]; repeatable")
	fs.StringSliceVar(&o.Limit, "limit", nil, "only machines of these names or groups, `NAME`[,…]; repeatable")
	fs.StringArrayVar(&o.Allow, "allow", nil, "let this project read `env:NAME|file:PATH` from now on; repeatable")
	fs.StringVar(&o.Packages, "packages", "", "install from the package files and wheels of `DIR` (.deb, .rpm, .whl) instead of repositories")
	fs.IntVarP(&o.Jobs, "jobs", "j", defaultJobs, "work on `N` machines at once")
	fs.StringVar(&o.Format, "format", report.FormatText, "write the report as `FORMAT` (text, json)")
	fs.CountVarP(&o.Verbose, "verbose", "v", "also show what is as declared; -vv: also every step, on stderr")
	o.Reach.addLogin(fs)
	return c
}

func (o *provisionOptions) validate() error {
	if o.Jobs < 1 || o.Jobs > maxJobs {
		return usagef("-j %d: between 1 and %d machines can be worked on at once", o.Jobs, maxJobs)
	}
	if !slices.Contains([]string{report.FormatText, report.FormatJSON}, o.Format) {
		return unknownFormat("--format", o.Format)
	}
	if o.Packages != "" {
		var err error
		if o.files, o.wheels, err = provision.Folder(o.Packages); err != nil {
			return usagef("--packages: %v", err)
		}
	}
	return o.Reach.validate(o.Machines)
}

// runProvision reads the configuration, works on the machines and reports.
func (a *app) runProvision(ctx context.Context, o *provisionOptions) error {
	path, err := o.find()
	if err != nil {
		return err
	}
	c, text, err := readConfig(path)
	if err != nil {
		return err
	}
	secrets, err := a.secrets(path, text, o.Allow)
	if err != nil {
		return err
	}
	s := a.begin(ctx, "provision", o.Verbose, firstStop, secondStop)
	ms, _, _, err := s.machines(o.Reach, o.Machines)
	if err != nil {
		return s.ended(err)
	}
	in := s.provisionInput(o, path, secrets)
	targets, err := o.targets(c, ms, in)
	if err != nil {
		return s.ended(err)
	}
	po, err := s.provisionOptions(o, secrets)
	if err == nil {
		po.Stages, err = c.Stages(in)
	}
	if err != nil {
		return s.ended(err)
	}
	r := provision.Run(s.Hard, targets, po)
	s.end()
	if err := a.provisioned(r, o, secrets.Mask); err != nil {
		return err
	}
	return withCode(r.ExitCode)
}

// again is the command that goes on with one machine.
func (o *provisionOptions) again(machine string) string {
	argv := []string{"boxdoctor", "provision"}
	if o.Reach.SSH == "" {
		argv = append(argv, machine)
	}
	for _, f := range [][2]string{{"-f", o.File}, {"--ssh", o.Reach.SSH}, {"--ssh-config", o.Reach.SSHConfig}, {"--tags", strings.Join(o.Tags, ",")}} {
		if f[1] != "" {
			argv = append(argv, f[0], f[1])
		}
	}
	return shell.Join(argv)
}

// provisionInput is what the configuration is resolved with.
func (s *session) provisionInput(o *provisionOptions, path string, secrets *provision.Secrets) provision.Input {
	return provision.Input{Dir: filepath.Dir(path), Secrets: secrets, Tags: o.Tags, Wheels: o.wheels, Packages: o.files, Fetch: fetch(s.Soft, keyLimit), Index: fetch(s.Soft, indexLimit),
		Vault: s.a.vault(path, secrets, o.Check)}
}

// vault keeps what is generated for one project, by the path of its configuration.
func (a *app) vault(path string, secrets *provision.Secrets, check bool) *provision.Vault {
	sum := sha256.Sum256([]byte(path))
	return &provision.Vault{Dir: filepath.Join(stateDir(a.getenv), "vault", hex.EncodeToString(sum[:8])), Check: check, Known: secrets.Hide}
}

// find is the configuration's path: --file, or the nearest .boxdoctor.yaml upwards.
func (o *provisionOptions) find() (string, error) {
	if o.File != "" {
		return filepath.Abs(o.File)
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	if path, err := findUpwards(dir, configFile); path != "" || err != nil {
		return path, err
	}
	return "", usagef("there is no %s here or in a folder above: nothing is declared", configFile).
		withHint("Write one, or name another file: boxdoctor provision -f FILE")
}

func readConfig(path string) (*provision.Config, string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, "", usagef("%v", err)
	}
	if info.Size() > configLimit {
		return nil, "", usagef("%s has %d bytes; a configuration has at most %d", path, info.Size(), configLimit)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, "", usagef("%v", err)
	}
	c, err := provision.Parse(text)
	if err == nil {
		err = c.CheckOn()
	}
	if err != nil {
		return nil, "", usagef("%s: %v", path, err)
	}
	return c, string(text), nil
}

// targets are the machines to work on, each with what is declared for it.
func (o *provisionOptions) targets(c *provision.Config, ms []engine.Machine, in provision.Input) ([]provision.Machine, error) {
	var out []provision.Machine
	for _, m := range ms {
		name := m.Facts.Name
		if m.Dial == nil || !c.Within(name, o.Limit) {
			continue
		}
		plan, err := c.For(name, in)
		if err != nil {
			return nil, usagef("%s: %v", name, err)
		}
		out = append(out, provision.Machine{Name: name, Plan: plan, Dial: m.Dial,
			Project: m.Host.ProjectRoot.Or(""), UUID: m.Facts.UUID, Facts: c.Facts(name, in.Tags)})
	}
	if len(out) == 0 {
		return nil, usagef("no machine is left to work on").
			withHint("The project's machines: boxdoctor check; --limit and names on the command line choose among them")
	}
	return out, nil
}

func (s *session) provisionOptions(o *provisionOptions, secrets *provision.Secrets) (provision.Options, error) {
	journal, err := action.NewFileJournal(filepath.Join(s.a.journalDir(), action.JournalName(s.a.now())))
	return provision.Options{Version: s.a.version.Version, Check: o.Check, Diff: o.Diff, Parallel: o.Jobs, Journal: masked{journal, secrets},
		Lib: fixes.Lib(), RunID: newRunID, Packages: o.files, Progress: s.onProgress, Running: s.onJob, Stop: s.Soft.Done(), Now: s.a.now,
		Log: func(machine, text string) { s.logText(machine, secrets.Mask(text)) }}, err
}

// newRunID is 128 unpredictable bits.
func newRunID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b)
}

// masked is a journal in which no secret is written.
type masked struct {
	journal action.Journal
	secrets *provision.Secrets
}

// Record writes the entry without secrets.
func (m masked) Record(e action.Entry) error {
	for _, text := range []*string{&e.Title, &e.Text, &e.Error, &e.Undo, &e.Stays} {
		*text = m.secrets.Mask(*text)
	}
	return m.journal.Record(e)
}

// secrets are what the project may read. References that the user has not allowed are asked for; the answer is kept in
// the user's state folder, never in the project, which a guest can write to.
func (a *app) secrets(path, text string, allow []string) (*provision.Secrets, error) {
	refs := provision.References(text)
	store := consents{filepath.Join(stateDir(a.getenv), "consent.json")}
	allowed, err := store.load(path)
	if err != nil {
		return nil, err
	}
	for _, ref := range refs {
		if slices.Contains(allowed, ref) {
			continue
		}
		if !slices.Contains(allow, ref) {
			return nil, usagef("%s wants to read ${%s}, which you have not allowed", path, ref).
				withHint("If you trust this project with it: boxdoctor provision --allow %s", ref)
		}
		allowed = append(allowed, ref)
		if err := store.save(path, allowed); err != nil {
			return nil, err
		}
	}
	return &provision.Secrets{Getenv: a.getenv, Dir: filepath.Dir(path), Allowed: allowed}, nil
}

// consents is the file of what projects may read, by the path of their configuration.
type consents struct{ path string }

func (c consents) all() (map[string][]string, error) {
	out := map[string][]string{}
	b, err := os.ReadFile(c.path)
	if errors.Is(err, os.ErrNotExist) {
		return out, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		return nil, fmt.Errorf("what projects may read is not known: %s: %w", c.path, err)
	}
	return out, nil
}

func (c consents) load(project string) ([]string, error) {
	all, err := c.all()
	return all[project], err
}

func (c consents) save(project string, refs []string) error {
	all, err := c.all()
	if err != nil {
		return err
	}
	all[project] = refs
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(c.path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(c.path+".new", append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(c.path+".new", c.path)
}

// provisioned writes the report.
func (a *app) provisioned(r provision.Report, o *provisionOptions, mask func(string) string) error {
	r.StartedAt = r.StartedAt.UTC().Truncate(time.Second)
	for i := range r.Machines {
		r.Machines[i].Clean(func(s string) string { return report.Clean(mask(s)) })
	}
	if o.Format == report.FormatJSON {
		return report.WriteJSON(a.streams.Out, r)
	}
	t := provisionText{paint: a.streams.OutPalette, width: a.streams.Width, ascii: a.streams.ASCII, all: o.Verbose > 0, again: o.again}
	for _, m := range r.Machines {
		t.machine(m)
	}
	t.recap(r)
	return a.print(t.String())
}

// Bounds of what is downloaded: a key, a list of packages.
const (
	keyLimit   = 1 << 20
	indexLimit = 32 << 20
)

// fetch downloads the key of a repository, whose fingerprint is checked by whoever asked, or a list of packages.
func fetch(ctx context.Context, limit int64) func(string) ([]byte, error) {
	return func(url string) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s answered %s", url, resp.Status)
		}
		return io.ReadAll(io.LimitReader(resp.Body, limit))
	}
}
