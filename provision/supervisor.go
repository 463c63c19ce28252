package provision

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	goversion "github.com/hashicorp/go-version"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// SupervisorSpec declares Supervisor and what it runs (issue 5; decisions D1 to D4 of the reference).
type SupervisorSpec struct {
	On []string `yaml:"on"`
	// Install is auto, package or venv.
	Install string `yaml:"install"`
	// Version is the version wanted; it implies venv.
	Version string `yaml:"version"`
	// Index is the package index for venv, Wheels a folder beside the configuration for guests without one.
	Index  string `yaml:"index"`
	Wheels string `yaml:"wheels"`

	LogMaxBytes size `yaml:"log_maxbytes"`
	LogBackups  *int `yaml:"log_backups"`

	Web            *webSpec                 `yaml:"web"`
	Programs       ordered[Program]         `yaml:"programs"`
	FCGIPrograms   ordered[FCGIProgram]     `yaml:"fcgi_programs"`
	EventListeners ordered[EventListener]   `yaml:"eventlisteners"`
	Groups         ordered[groupOfPrograms] `yaml:"groups"`
	Alerts         *alertSpec               `yaml:"alerts"`
}

// webSpec switches the web interface on. Without it there is none (D3).
type webSpec struct {
	Bind string `yaml:"bind"`
	// User is admin, Password is generated, where they are not declared.
	User     string `yaml:"user"`
	Password string `yaml:"password"`
	// Expose allows an address that others can reach.
	Expose bool `yaml:"expose"`
}

// webSecret names the generated password of the web interface in the vault.
const webSecret = "supervisor-web.password"

// login is the web interface with its user and password.
func (w *webSpec) login(vault *Vault) (webSpec, error) {
	out := *w
	out.User = or(w.User, "admin")
	if w.Password != "" {
		return out, nil
	}
	var err error
	out.Password, err = vault.Secret(webSecret, newPassword)
	return out, err
}

type alertSpec struct {
	Log     string `yaml:"log"`
	Webhook string `yaml:"webhook"`
	Mail    string `yaml:"mail"`
	PerHour int    `yaml:"per_hour"`
}

// groupOfPrograms is a list of programs, with a priority when it is not just a list.
type groupOfPrograms struct {
	Programs []string `yaml:"programs"`
	Priority *int     `yaml:"priority"`
}

// UnmarshalYAML also takes the list alone.
func (g *groupOfPrograms) UnmarshalYAML(decode func(any) error) error {
	type whole groupOfPrograms
	if err := decode(&g.Programs); err == nil {
		return nil
	}
	return decode((*whole)(g))
}

// ordered is a mapping whose order counts: programs start in the order in which they are declared.
type ordered[T any] struct {
	Names []string
	Of    map[string]T
}

// UnmarshalYAML keeps the order of the keys.
func (o *ordered[T]) UnmarshalYAML(decode func(any) error) error {
	var keys yaml.MapSlice
	if err := decode(&keys); err != nil {
		return err
	}
	for _, k := range keys {
		o.Names = append(o.Names, fmt.Sprint(k.Key))
	}
	return decode(&o.Of)
}

// Ways to install.
const (
	installAuto    = "auto"
	installPackage = "package"
	installVenv    = "venv"
)

// layout is where a Supervisor keeps its things, by the way it was installed.
type layout struct {
	Package               string // empty: venv
	Service               string
	Main, Folder, Suffix  string
	Bin, Socket, Log, PID string
	// ServiceFile is a whole unit for a venv, a drop-in for a package (then in ServiceDir), or the script of a SysV init;
	// empty where the package's own is used.
	ServiceFile, ServiceDir string
	SysV                    bool
}

// onSysV is the layout where there is no systemd: EL 6, and there is no /run. A package brings its own script.
func (l layout) onSysV() layout {
	l.SysV, l.ServiceFile, l.ServiceDir = true, "", ""
	if l.Package == "" {
		l.ServiceFile = "/etc/init.d/" + l.Service
		l.Socket, l.PID = "/var"+l.Socket, "/var"+l.PID
	}
	return l
}

const venvDir = "/opt/boxdoctor/supervisor"

var (
	debianLayout = layout{Package: "supervisor", Service: "supervisor", Main: "/etc/supervisor/supervisord.conf", Folder: "/etc/supervisor/conf.d",
		Suffix: ".conf", Bin: "/usr/bin", Socket: "/var/run/supervisor.sock", Log: "/var/log/supervisor", PID: "/var/run/supervisord.pid",
		ServiceFile: "/etc/systemd/system/supervisor.service.d/boxdoctor.conf", ServiceDir: "/etc/systemd/system/supervisor.service.d"}
	redhatLayout = layout{Package: "supervisor", Service: "supervisord", Main: "/etc/supervisord.conf", Folder: "/etc/supervisord.d",
		Suffix: ".ini", Bin: "/usr/bin", Socket: "/run/supervisor/supervisor.sock", Log: "/var/log/supervisor", PID: "/run/supervisord.pid",
		ServiceFile: "/etc/systemd/system/supervisord.service.d/boxdoctor.conf", ServiceDir: "/etc/systemd/system/supervisord.service.d"}
	venvLayout = layout{Service: "supervisord", Main: "/etc/boxdoctor/supervisor/supervisord.conf", Folder: "/etc/boxdoctor/supervisor/conf.d",
		Suffix: ".conf", Bin: venvDir + "/bin", Socket: "/run/boxdoctor-supervisor.sock", Log: "/var/log/supervisor", PID: "/run/boxdoctor-supervisord.pid",
		ServiceFile: "/etc/systemd/system/supervisord.service"}
)

func (v *SupervisorSpec) name() string { return "supervisor" }

func (v *SupervisorSpec) where() []string { return v.On }

// validate refuses what no guest could be, before any is asked.
func (v *SupervisorSpec) validate() error {
	errs := []error{checkState("install", or(v.Install, installAuto), installAuto, installPackage, installVenv)}
	if v.Install == installPackage && v.Version != "" {
		errs = append(errs, errors.New("install: package and a version exclude each other: the distribution has one version; leave one of them out"))
	}
	if v.Version != "" {
		errs = append(errs, checkName("version", v.Version))
	}
	for _, list := range []map[string]validator{of(v.Programs), of(v.FCGIPrograms), of(v.EventListeners)} {
		for _, name := range slices.Sorted(maps.Keys(list)) {
			errs = append(errs, checkProgramName(name), inside(name, list[name].validate()))
		}
	}
	return errors.Join(append(errs, v.checkGroups(), v.checkWeb())...)
}

type validator interface{ validate() error }

func of[T validator](o ordered[T]) map[string]validator {
	out := map[string]validator{}
	for k, p := range o.Of {
		out[k] = p
	}
	return out
}

func inside(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("program %s: %w", name, err)
}

// checkProgramName: the name becomes a section and a file's name; supervisord itself refuses colons and brackets.
func checkProgramName(name string) error {
	if strings.ContainsAny(name, ":@+") {
		return fmt.Errorf("program %q: letters, digits, and _ . - make a name", name)
	}
	return checkName("program", name)
}

func (v *SupervisorSpec) checkGroups() error {
	taken := map[string]string{}
	for _, g := range v.Groups.Names {
		if err := checkProgramName(g); err != nil {
			return err
		}
		for _, p := range v.Groups.Of[g].Programs {
			switch _, program := v.Programs.Of[p]; {
			case !program && !slices.Contains(v.FCGIPrograms.Names, p):
				return fmt.Errorf("group %s: %q is no program that is declared; there are %s", g, p, strings.Join(v.Programs.Names, ", "))
			case taken[p] != "":
				return fmt.Errorf("program %s is in the groups %s and %s; it can be in one", p, taken[p], g)
			}
			taken[p] = g
		}
	}
	return nil
}

func (v *SupervisorSpec) checkWeb() error {
	w := v.Web
	switch {
	case w == nil:
		return nil
	case openToCommands(v.Version):
		return fmt.Errorf("web: Supervisor %s runs any command for whoever logs in (CVE-2017-11610); leave web out, or take another version: fixed in 3.0.1, 3.1.4, 3.2.4, 3.3.3", v.Version)
	case !strings.HasPrefix(or(w.Bind, defaultBind), "127.0.0.1:") && !w.Expose:
		return fmt.Errorf("web: %s can be reached by others, and there is no encryption; bind 127.0.0.1:9001 and forward the port by SSH, or say expose: true", w.Bind)
	}
	return nil
}

const defaultBind = "127.0.0.1:9001"

// openToCommands tells the releases with CVE-2017-11610: whoever logs in can run commands as root. Distributions patched
// theirs; what is not pinned is 4.3 or later, or 3.4.0.
func openToCommands(version string) bool {
	v, err := goversion.NewVersion(version)
	if err != nil {
		return false // none is pinned
	}
	for _, affected := range []string{"< 3.0.1", ">= 3.1.0, < 3.1.4", ">= 3.2.0, < 3.2.4", ">= 3.3.0, < 3.3.3"} {
		c, err := goversion.NewConstraint(affected)
		if err == nil && c.Check(v.Core()) {
			return true
		}
	}
	return false
}

// layoutFor chooses how to install on this guest (D1), and how it is started there.
func (v *SupervisorSpec) layoutFor(g facts.Guest) (layout, error) {
	sys, err := g.System.Get()
	if err != nil {
		return layout{}, err
	}
	l, err := v.installed(sys, g)
	if sys.Init != "systemd" && sys.Init != "" {
		l = l.onSysV()
	}
	return l, err
}

// installed is the layout of the distribution's package where it has a usable one.
func (v *SupervisorSpec) installed(sys facts.System, g facts.Guest) (layout, error) {
	how := or(v.Install, installAuto)
	if how == installAuto {
		how = v.choose(sys, g)
	}
	switch {
	case how == installVenv:
		return venvLayout, nil
	case sys.Manager == "apt":
		return debianLayout, nil
	case slices.Contains([]string{"yum", "dnf", "dnf5"}, sys.Manager):
		return redhatLayout, nil
	}
	return layout{}, fmt.Errorf("no package of Supervisor is known for %s: say install: venv", sys.Pretty)
}

func (v *SupervisorSpec) choose(sys facts.System, g facts.Guest) string {
	switch {
	case v.Version != "" || v.Wheels != "" || v.Index != "":
		return installVenv
	case sys.Manager == "apt", sys.ID == "fedora":
		return installPackage
	case !isEL6(sys) && hasEPEL(g):
		return installPackage
	}
	return installVenv
}

// isEL6: its Python is 2.6, which only old releases of Supervisor know.
func isEL6(sys facts.System) bool {
	return sys.Manager == "yum" && (sys.VersionID == "6" || strings.HasPrefix(sys.VersionID, "6."))
}

// hasEPEL: EPEL 6's supervisor 2.1 is not usable, the later ones are (D1).
func hasEPEL(g facts.Guest) bool {
	repos := g.Repos.Or(facts.Repos{})
	return slices.ContainsFunc(repos.Files, func(f facts.ConfigFile) bool {
		return strings.Contains(filepath.Base(f.Path), "epel") && strings.Contains(f.Content, "enabled=1")
	})
}

// marks of what a change asks for.
const updateMark = "supervisor-update"

// resources are the role on one guest, in order.
func (v *SupervisorSpec) resources(in place, g facts.Guest) ([]Resource, error) {
	l, err := v.layoutFor(g)
	if err != nil {
		return nil, err
	}
	files, err := v.withSecrets(l, in.Input)
	if err != nil {
		return nil, err
	}
	out, err := v.install(l, g, in.Input)
	if err != nil {
		return nil, err
	}
	out = append(out, v.folders(l)...)
	if l.ServiceFile != "" {
		out = append(out, v.unit(l))
	}
	out = append(out, files[0])
	yes := true
	service := ServiceResource{Name: l.Service, State: Started, Enabled: &yes}
	out = append(append(out, v.explained(service, in.Vault)), files[1:]...)
	return append(out, orphans{layout: l, keep: names(files)}, v.running(l)), nil
}

// explained says beside the service where the generated password of its web interface lies.
func (v *SupervisorSpec) explained(service Resource, vault *Vault) Resource {
	if v.Web == nil || v.Web.Password != "" {
		return service
	}
	return noted{service, "the password of the web interface, user " + or(v.Web.User, "admin") + ", lies in " + vault.Path(webSecret)}
}

// install is the package, or the virtual environment.
func (v *SupervisorSpec) install(l layout, g facts.Guest, in Input) ([]Resource, error) {
	if l.Package != "" {
		return []Resource{PackageResource{Name: l.Package, State: Present}}, nil
	}
	sys := g.System.Or(facts.System{})
	e := venv{version: v.Version, index: v.Index, command: "python3"}
	var out []Resource
	switch {
	case sys.Manager == "apt": // its python3 has no venv
		out = append(out, PackageResource{Name: "python3-venv", State: Present})
	case isEL6(sys):
		e.command, e.pkg = "virtualenv", "python-virtualenv"
		e.version = or(e.version, lastForPython26)
	case slices.Contains([]string{"yum", "dnf", "dnf5", "zypper"}, sys.Manager):
		e.pkg = "python3"
	}
	var err error
	if v.Index == "" {
		e.wheels = in.Wheels
	}
	if v.Wheels != "" {
		e.wheels, err = wheels(filepath.Join(in.Dir, filepath.FromSlash(v.Wheels)))
	}
	return append(out, e), err
}

func (v *SupervisorSpec) folders(l layout) []Resource {
	out := []Resource{DirectoryResource{Path: l.Log, Mode: 0o755}}
	if l.Package == "" {
		out = append(out, DirectoryResource{Path: "/etc/boxdoctor/supervisor", Mode: 0o755}, DirectoryResource{Path: l.Folder, Mode: 0o755})
	} else if l.ServiceDir != "" {
		out = append(out, DirectoryResource{Path: l.ServiceDir, Mode: 0o755})
	}
	if v.Alerts != nil {
		out = append(out, DirectoryResource{Path: alertsDir, Mode: 0o755},
			FileResource{Path: alertsFile, Content: alertsListener, Mode: 0o755, State: Present, Notify: []string{updateMark}})
	}
	return out
}

func names(files []Resource) []string {
	var out []string
	for _, f := range files {
		out = append(out, f.(FileResource).Path)
	}
	return out
}
