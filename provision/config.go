package provision

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/goccy/go-yaml"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// Config is the file `.boxdoctor.yaml` as far as it declares machines (docs/schema/boxdoctor.json).
type Config struct {
	Machines   map[string]MachineSpec `yaml:"machines"`
	Vars       map[string]string      `yaml:"vars"`
	Resources  []Entry                `yaml:"resources"`
	Supervisor *SupervisorSpec        `yaml:"supervisor"`
	Logs       *LogsSpec              `yaml:"logs"`
	// Waivers belong to `boxdoctor check` and are read there.
	Waivers any `yaml:"waivers"`
}

// MachineSpec is what is declared for one machine alone.
type MachineSpec struct {
	Groups    []string          `yaml:"groups"`
	Vars      map[string]string `yaml:"vars"`
	Resources []Entry           `yaml:"resources"`
}

// Entry is one declared resource: exactly one of the kinds is set.
type Entry struct {
	Package    *packageSpec    `yaml:"package"`
	Repository *repositorySpec `yaml:"repository"`
	File       *fileSpec       `yaml:"file"`
	Template   *fileSpec       `yaml:"template"`
	Directory  *directorySpec  `yaml:"directory"`
	User       *userSpec       `yaml:"user"`
	Group      *groupSpec      `yaml:"group"`
	Service    *serviceSpec    `yaml:"service"`
	Cron       *cronSpec       `yaml:"cron"`
	Sysctl     *sysctlSpec     `yaml:"sysctl"`
	Limits     *limitsSpec     `yaml:"limits"`
	Exec       *execSpec       `yaml:"exec"`
	// On are machines and groups; empty: all machines.
	On   []string `yaml:"on"`
	Tags []string `yaml:"tags"`
}

// named is the short form of a kind that is declared by its name alone.
func named(decode func(any) error, name *string, whole any) error {
	if err := decode(name); err == nil {
		return nil
	}
	return decode(whole)
}

type packageSpec struct {
	Name    string `yaml:"name"`
	Version string `yaml:"version"`
	Hold    bool   `yaml:"hold"`
	State   string `yaml:"state"`
}

// UnmarshalYAML also takes the name alone.
func (p *packageSpec) UnmarshalYAML(decode func(any) error) error {
	type whole packageSpec
	return named(decode, &p.Name, (*whole)(p))
}

type fileSpec struct {
	Path     string   `yaml:"path"`
	Content  string   `yaml:"content"`
	Source   string   `yaml:"source"`
	Mode     string   `yaml:"mode"`
	Owner    string   `yaml:"owner"`
	Group    string   `yaml:"group"`
	State    string   `yaml:"state"`
	Validate []string `yaml:"validate"`
	Restart  []string `yaml:"restart"`
	Reload   []string `yaml:"reload"`
}

type directorySpec struct {
	Path  string `yaml:"path"`
	Mode  string `yaml:"mode"`
	Owner string `yaml:"owner"`
	Group string `yaml:"group"`
}

// UnmarshalYAML also takes the path alone.
func (d *directorySpec) UnmarshalYAML(decode func(any) error) error {
	type whole directorySpec
	return named(decode, &d.Path, (*whole)(d))
}

type userSpec struct {
	Name   string   `yaml:"name"`
	UID    *int     `yaml:"uid"`
	Home   string   `yaml:"home"`
	Shell  string   `yaml:"shell"`
	Group  string   `yaml:"group"`
	Groups []string `yaml:"groups"`
	System bool     `yaml:"system"`
}

// UnmarshalYAML also takes the name alone.
func (u *userSpec) UnmarshalYAML(decode func(any) error) error {
	type whole userSpec
	return named(decode, &u.Name, (*whole)(u))
}

type groupSpec struct {
	Name   string `yaml:"name"`
	GID    *int   `yaml:"gid"`
	System bool   `yaml:"system"`
}

// UnmarshalYAML also takes the name alone.
func (g *groupSpec) UnmarshalYAML(decode func(any) error) error {
	type whole groupSpec
	return named(decode, &g.Name, (*whole)(g))
}

type serviceSpec struct {
	Name    string `yaml:"name"`
	State   string `yaml:"state"`
	Enabled *bool  `yaml:"enabled"`
}

// UnmarshalYAML also takes the name alone: started, and enabled at boot.
func (v *serviceSpec) UnmarshalYAML(decode func(any) error) error {
	type whole serviceSpec
	if err := decode(&v.Name); err == nil {
		on := true
		v.State, v.Enabled = Started, &on
		return nil
	}
	return decode((*whole)(v))
}

type cronSpec struct {
	Name     string `yaml:"name"`
	Schedule string `yaml:"schedule"`
	User     string `yaml:"user"`
	Command  string `yaml:"command"`
}

type sysctlSpec struct {
	Key   string `yaml:"key"`
	Value string `yaml:"value"`
}

type limitsSpec struct {
	Domain string `yaml:"domain"`
	Type   string `yaml:"type"`
	Item   string `yaml:"item"`
	Value  string `yaml:"value"`
}

type execSpec struct {
	Name    string   `yaml:"name"`
	Command string   `yaml:"command"`
	Unless  string   `yaml:"unless"`
	Creates string   `yaml:"creates"`
	Undo    string   `yaml:"undo"`
	Restart []string `yaml:"restart"`
	Reload  []string `yaml:"reload"`
}

// Parse reads a configuration. Errors name line and column, and the nearest known key for an unknown one.
func Parse(text []byte) (*Config, error) {
	var c Config
	err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict(), yaml.DisallowUnknownField()).Decode(&c)
	if err == nil || len(bytes.TrimSpace(text)) == 0 {
		return &c, nil
	}
	var unknown *yaml.UnknownFieldError
	if errors.As(err, &unknown) {
		return nil, unknownKey(unknown)
	}
	return nil, errors.New(yaml.FormatError(err, false, true))
}

// Input is what a configuration is resolved with.
type Input struct {
	// Dir is the folder of the configuration; sources of files are relative to it.
	Dir string
	// Secrets resolves ${env:NAME} and ${file:PATH}.
	Secrets *Secrets
	// Tags, where any are given, leave only entries with one of them.
	Tags []string
	// Fetch brings a key of a repository by its URL.
	Fetch func(url string) ([]byte, error)
}

// For is the plan of one machine. What does not depend on the guest is refused here, before any guest is asked.
func (c *Config) For(machine string, in Input) (func(facts.Guest) ([]Resource, error), error) {
	m := c.Machines[machine]
	vars := map[string]string{}
	maps.Copy(vars, c.Vars)
	maps.Copy(vars, m.Vars)
	b := builder{in: in, data: map[string]any{"machine": machine, "groups": m.Groups, "vars": vars}}
	for i, e := range slices.Concat(c.Resources, m.Resources) {
		if !applies(e.On, machine, m.Groups) || !tagged(e.Tags, in.Tags) {
			continue
		}
		r, err := b.build(e)
		if err != nil {
			return nil, fmt.Errorf("resource %d: %w", i+1, err)
		}
		b.out = append(b.out, r...)
	}
	roles := c.rolesOf(machine, in.Tags)
	for _, role := range roles {
		if err := role.validate(); err != nil {
			return nil, fmt.Errorf("%s: %w", role.name(), err)
		}
	}
	at := place{Input: in, config: c, machine: machine}
	return func(g facts.Guest) ([]Resource, error) {
		all := slices.Clone(b.out)
		for _, role := range roles {
			rs, err := role.resources(at, g)
			if err != nil {
				return all, fmt.Errorf("%s: %w", role.name(), err)
			}
			all = append(all, rs...)
		}
		return all, unique(all)
	}, unique(b.out)
}

// Within tells whether a machine is one of the names, or in one of the groups; no names mean all.
func (c *Config) Within(machine string, names []string) bool {
	return applies(names, machine, c.Machines[machine].Groups)
}

// applies tells whether on names the machine or one of its groups, or nothing.
func applies(on []string, machine string, groups []string) bool {
	return len(on) == 0 || slices.Contains(on, machine) || slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(on, g) })
}

func tagged(have, want []string) bool {
	return len(want) == 0 || slices.ContainsFunc(have, func(t string) bool { return slices.Contains(want, t) })
}

func unique(rs []Resource) error {
	seen := map[string]bool{}
	for _, r := range rs {
		if seen[r.ID()] {
			return fmt.Errorf("%s is declared twice for one machine", r.ID())
		}
		seen[r.ID()] = true
	}
	return nil
}

// Names are the machines and groups that the configuration knows, for checking `on`.
func (c *Config) names() []string {
	out := slices.Collect(maps.Keys(c.Machines))
	for _, m := range c.Machines {
		out = append(out, m.Groups...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// CheckOn refuses an `on` that names nothing: most likely it is misspelt, and its resources would silently be left out.
func (c *Config) CheckOn() error {
	known := c.names()
	lists := [][]string{}
	for _, e := range c.Resources {
		lists = append(lists, e.On)
	}
	for _, role := range c.roles() {
		lists = append(lists, role.where())
	}
	for _, on := range slices.Concat(lists...) {
		if !slices.Contains(known, on) {
			return fmt.Errorf("on: %q is neither a machine nor a group of `machines`; known are %s", on, strings.Join(known, ", "))
		}
	}
	return nil
}

// builder turns entries into resources.
type builder struct {
	in   Input
	data map[string]any
	out  []Resource
}

func (b *builder) build(e Entry) ([]Resource, error) {
	var out []Resource
	var errs []error
	add := func(r Resource, err error) {
		out, errs = append(out, r), append(errs, err)
	}
	if e.Package != nil {
		add(e.Package.resource())
	}
	if e.Repository != nil {
		add(e.Repository.resource(b.in))
	}
	if e.File != nil {
		add(b.file(e.File))
	}
	if e.Template != nil {
		add(b.template(e.Template))
	}
	if e.Directory != nil {
		add(e.Directory.resource())
	}
	if e.User != nil {
		add(e.User.resource())
	}
	if e.Group != nil {
		add(e.Group.resource())
	}
	if e.Service != nil {
		add(e.Service.resource())
	}
	if e.Cron != nil {
		add(e.Cron.resource())
	}
	if e.Sysctl != nil {
		add(e.Sysctl.resource())
	}
	if e.Limits != nil {
		add(e.Limits.resource())
	}
	if e.Exec != nil {
		add(e.Exec.resource())
	}
	if len(out) != 1 {
		return nil, fmt.Errorf("an entry declares exactly one of package, repository, file, template, directory, user, group, service, cron, sysctl, limits, exec; this one has %d", len(out))
	}
	return out, errors.Join(errs...)
}

// nameForm is what a name may look like that becomes an argument or a part of a file's name in the guest.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+:@-]*$`)

func checkName(kind, name string) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("%s: the name %q is not one (letters, digits, and _ . + : @ -)", kind, name)
	}
	return nil
}

func checkPath(kind, p string) error {
	if !strings.HasPrefix(p, "/") || path.Clean(p) != p || strings.ContainsAny(p, "\n\r\x00") {
		return fmt.Errorf("%s: the path %q is not a whole, plain path of the guest", kind, p)
	}
	return nil
}

func checkState(kind, state string, allowed ...string) error {
	if !slices.Contains(allowed, state) {
		return fmt.Errorf("%s: the state %q is not one of %s", kind, state, strings.Join(allowed, ", "))
	}
	return nil
}

func parseMode(text string, def os.FileMode) (os.FileMode, error) {
	if text == "" {
		return def, nil
	}
	n, err := strconv.ParseUint(text, 8, 32)
	if err != nil || n > 0o777 {
		return 0, fmt.Errorf("mode %q: three or four octal digits in quotes are wanted, such as \"0644\"", text)
	}
	return os.FileMode(n), nil
}

func or(v, def string) string {
	if v == "" {
		return def
	}
	return v
}

func (p packageSpec) resource() (Resource, error) {
	r := PackageResource{Name: p.Name, Version: p.Version, Hold: p.Hold, State: or(p.State, Present)}
	return r, errors.Join(checkName("package", p.Name), checkState("package "+p.Name, r.State, Present, Absent))
}

// file is a file whose content stands in the configuration, or in a file beside it.
func (b *builder) file(f *fileSpec) (Resource, error) {
	content, err := b.content(f)
	if err != nil {
		return nil, err
	}
	return b.place(f, content)
}

// template is a file whose content is a text/template with .machine, .groups and .vars.
func (b *builder) template(f *fileSpec) (Resource, error) {
	content, err := b.content(f)
	if err != nil {
		return nil, err
	}
	t, err := template.New(f.Path).Option("missingkey=error").Parse(content)
	if err != nil {
		return nil, fmt.Errorf("template %s: %w", f.Path, err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, b.data); err != nil {
		return nil, fmt.Errorf("template %s: %w", f.Path, err)
	}
	return b.place(f, out.String())
}

func (b *builder) content(f *fileSpec) (string, error) {
	switch {
	case f.Source != "" && f.Content != "":
		return "", fmt.Errorf("file %s: content and source exclude each other", f.Path)
	case f.Source == "":
		return f.Content, nil
	}
	text, err := b.in.Secrets.local(b.in.Dir, f.Source)
	if err != nil {
		return "", fmt.Errorf("file %s: %w", f.Path, err)
	}
	return text, nil
}

func (b *builder) place(f *fileSpec, content string) (Resource, error) {
	mode, err := parseMode(f.Mode, configMode)
	expanded, secret, serr := b.in.Secrets.expand(content)
	r := FileResource{Path: f.Path, Content: expanded, Mode: mode, Owner: f.Owner, Group: f.Group, State: or(f.State, Present),
		Validate: f.Validate, Secret: secret, Restart: f.Restart, Reload: f.Reload}
	if secret && f.Mode == "" {
		r.Mode = 0o600
	}
	return r, errors.Join(err, serr, checkPath("file", f.Path), checkState("file "+f.Path, r.State, Present, Absent))
}

func (d directorySpec) resource() (Resource, error) {
	mode, err := parseMode(d.Mode, 0o755)
	return DirectoryResource{Path: d.Path, Mode: mode, Owner: d.Owner, Group: d.Group}, errors.Join(err, checkPath("directory", d.Path))
}

func number(n *int) int {
	if n == nil {
		return -1
	}
	return *n
}

func (u userSpec) resource() (Resource, error) {
	return UserResource{Name: u.Name, UID: number(u.UID), Home: u.Home, Shell: u.Shell, Group: u.Group, Groups: u.Groups, System: u.System},
		checkName("user", u.Name)
}

func (g groupSpec) resource() (Resource, error) {
	return GroupResource{Name: g.Name, GID: number(g.GID), System: g.System}, checkName("group", g.Name)
}

func (v serviceSpec) resource() (Resource, error) {
	r := ServiceResource{Name: v.Name, State: v.State, Enabled: v.Enabled}
	if v.State == "" && v.Enabled == nil {
		return nil, fmt.Errorf("service %s: say its state (started, stopped), whether it is enabled, or both", v.Name)
	}
	return r, errors.Join(checkName("service", v.Name), checkState("service "+v.Name, v.State, "", Started, Stopped))
}

var (
	scheduleForm = regexp.MustCompile(`^(@[a-z]+|(\S+[ \t]+){4}\S+)$`)
	sysctlForm   = regexp.MustCompile(`^[a-z0-9_]+([./][A-Za-z0-9_.-]+)+$`)
	limitForm    = regexp.MustCompile(`^[A-Za-z0-9_@*%:.-]+$`)
)

func (c cronSpec) resource() (Resource, error) {
	if strings.ContainsAny(c.Name, ".:@+") {
		return nil, fmt.Errorf("cron: the name %q: cron reads only files named by letters, digits, _ and -", c.Name)
	}
	if !scheduleForm.MatchString(c.Schedule) || strings.Contains(c.Command, "\n") || c.Command == "" {
		return nil, fmt.Errorf("cron %s: a schedule is five fields or @daily and the like, a command is one line", c.Name)
	}
	return cronFile(c.Name, c.Schedule, or(c.User, "root"), c.Command), checkName("cron", c.Name)
}

func (k sysctlSpec) resource() (Resource, error) {
	if !sysctlForm.MatchString(k.Key) || strings.Contains(k.Value, "\n") || k.Value == "" {
		return nil, fmt.Errorf("sysctl: %q = %q is no parameter of the kernel", k.Key, k.Value)
	}
	return SysctlResource(k), nil
}

func (l limitsSpec) resource() (Resource, error) {
	for _, w := range []string{l.Domain, l.Item, l.Value} {
		if !limitForm.MatchString(w) {
			return nil, fmt.Errorf("limits: %q: domain, type, item and value are one word each", w)
		}
	}
	return limitsFile(l.Domain, l.Type, l.Item, l.Value), checkState("limits", l.Type, "soft", "hard", "-")
}

func (e execSpec) resource() (Resource, error) {
	if e.Command == "" || (e.Unless == "") == (e.Creates == "") {
		return nil, fmt.Errorf("exec %s: a command and exactly one guard are wanted: unless (a command) or creates (a path)", e.Name)
	}
	return ExecResource{Name: e.Name, Command: e.Command, Unless: e.Unless, Creates: e.Creates, Undo: e.Undo, Restart: e.Restart, Reload: e.Reload},
		checkName("exec", e.Name)
}
