package el6

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/demo/kernel"
	"github.com/boxdoctor/boxdoctor/internal/demo/memfs"
)

// yumRun is one run of yum 3.2.29.
type yumRun struct {
	m *Machine
	p *kernel.Proc

	quiet, yes, no, dups   bool
	noPlugins              map[string]bool
	noExcludes             bool
	disableRepo, enableRep []string
	cmd                    string
	args                   []string

	repos  []*repo
	sack   []*Package // what the repositories offer, after locks and excludes
	locked int
}

type repo struct {
	id, name, base, mirror string
	enabled                bool
}

// say prints unless -q.
func (y *yumRun) say(format string, a ...any) {
	if !y.quiet {
		y.p.Printf(format, a...)
	}
}

func (m *Machine) yum(p *kernel.Proc) int {
	y := &yumRun{m: m, p: p, noPlugins: map[string]bool{}}
	if st := y.parse(); st != 0 {
		return st
	}
	if y.cmd == "" {
		p.Printf("You need to give some command\n")
		return 1
	}
	y.say("Loaded plugins: %s\n", strings.Join(y.plugins(), ", "))
	run, ok := map[string]func() int{
		"install": y.install, "localinstall": y.local, "update": y.update, "upgrade": y.update, "list": y.list, "search": y.search, "info": y.list,
		"repolist": y.repolist, "clean": y.clean, "makecache": y.makecache, "versionlock": y.versionlock, "remove": y.remove, "erase": y.remove,
	}[y.cmd]
	if !ok {
		p.Printf("No such command: %s. Please use /usr/bin/yum --help\n", y.cmd)
		return 1
	}
	if p.Cred.UID != 0 && (y.cmd == "install" || y.cmd == "update" || y.cmd == "remove" || y.cmd == "upgrade") {
		p.Printf("You need to be root to perform this command.\n")
		return 1
	}
	return run()
}

func (y *yumRun) parse() int {
	list := y.p.Args[1:]
	for len(list) > 0 {
		a := list[0]
		list = list[1:]
		name, val, has := strings.Cut(a, "=")
		take := func() string {
			if !has && len(list) > 0 {
				val, list = list[0], list[1:]
			}
			return val
		}
		switch name {
		case "-y", "--assumeyes":
			y.yes = true
		case "--assumeno":
			y.no = true
		case "-q", "--quiet":
			y.quiet = true
		case "-C", "--nogpgcheck", "-v", "--verbose":
		case "--showduplicates":
			y.dups = true
		case "--disableplugin":
			for _, n := range strings.Split(take(), ",") {
				y.noPlugins[n] = true
			}
		case "--noplugins":
			y.noPlugins["*"] = true
		case "--disableexcludes":
			v := take()
			y.noExcludes = y.noExcludes || v == "all" || v == "main"
		case "--setopt", "-d", "-e":
			take()
		case "--disablerepo":
			y.disableRepo = append(y.disableRepo, strings.Split(take(), ",")...)
		case "--enablerepo":
			y.enableRep = append(y.enableRep, strings.Split(take(), ",")...)
		default:
			if strings.HasPrefix(a, "-") {
				y.p.Errorf("Usage: yum [options] COMMAND\n\nCommand line error: no such option: %s\n", a)
				return 1
			}
			if y.cmd == "" {
				y.cmd = a
			} else {
				y.args = append(y.args, a)
			}
		}
	}
	return 0
}

func (y *yumRun) plugins() []string {
	if y.noPlugins["*"] {
		return nil
	}
	out := []string{"fastestmirror"}
	if y.lockOn() {
		out = append(out, "versionlock")
	}
	return out
}

// ini reads a configuration file: section to key to value; the last value of a key counts.
func (m *Machine) ini(file string) (sections []string, vals map[string]map[string]string) {
	data, _ := m.FS.ReadFile(memfs.Root, file)
	vals = map[string]map[string]string{}
	at := ""
	for _, l := range strings.Split(string(data), "\n") {
		l = strings.TrimSpace(l)
		if strings.HasPrefix(l, "[") && strings.HasSuffix(l, "]") {
			at = l[1 : len(l)-1]
			sections = append(sections, at)
			vals[at] = map[string]string{}
			continue
		}
		k, v, ok := strings.Cut(l, "=")
		if ok && at != "" && l[0] != '#' && l[0] != ';' {
			vals[at][strings.TrimSpace(k)] = strings.TrimSpace(v)
		}
	}
	return sections, vals
}

// lockOn tells whether the versionlock plugin works in this run.
func (y *yumRun) lockOn() bool {
	if y.noPlugins["versionlock"] || y.noPlugins["*"] || len(y.m.installed("yum-plugin-versionlock")) == 0 {
		return false
	}
	_, conf := y.m.ini("/etc/yum/pluginconf.d/versionlock.conf")
	return conf["main"]["enabled"] == "1"
}

func (y *yumRun) loadRepos() {
	files, _ := y.m.FS.ReadDir(memfs.Root, "/etc/yum.repos.d")
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".repo") {
			continue
		}
		ids, vals := y.m.ini("/etc/yum.repos.d/" + f.Name())
		for _, id := range ids {
			v := vals[id]
			on := v["enabled"] != "0"
			for _, g := range y.disableRepo {
				on = on && !glob(g, id)
			}
			for _, g := range y.enableRep {
				on = on || glob(g, id)
			}
			y.repos = append(y.repos, &repo{id: id, name: y.vars(v["name"]), base: y.vars(strings.Fields(v["baseurl"] + " ")), mirror: y.vars(v["mirrorlist"]), enabled: on})
		}
	}
}

func glob(pat, s string) bool { ok, _ := path.Match(pat, s); return ok }

// vars fills $releasever and $basearch in the first URL of a list.
func (y *yumRun) vars(v any) string {
	s, _ := v.(string)
	if list, ok := v.([]string); ok && len(list) > 0 {
		s = list[0]
	}
	return strings.NewReplacer("$releasever", "6", "$basearch", "x86_64", "$arch", "x86_64", "$infra", "stock").Replace(s)
}

// Resolves tells whether the guest can look a host name up.
func (m *Machine) Resolves(host string) bool {
	for base := range m.cfg.Web {
		if hostOf(base) == host {
			return true
		}
	}
	return false
}

func hostOf(url string) string {
	_, rest, ok := strings.Cut(url, "://")
	if !ok {
		return ""
	}
	h, _, _ := strings.Cut(rest, "/")
	return h
}

// metadata fetches what the enabled repositories offer; false: yum said what failed and ends with status 1.
func (y *yumRun) metadata() bool {
	y.loadRepos()
	any := false
	for _, r := range y.repos {
		if !r.enabled {
			continue
		}
		any = true
		list, ok := y.fetch(r)
		if !ok {
			return false
		}
		for _, nevra := range list {
			pk, err := find(nevra)
			if err != nil {
				continue
			}
			pk.Repo = r.id
			y.sack = append(y.sack, pk)
		}
	}
	if !any {
		y.p.Errorf("Error: There are no enabled repos.\n Run \"yum repolist all\" to see the repos you have.\n You can enable repos with yum-config-manager --enable <repo>\n")
		return false
	}
	sortedByVersion(y.sack)
	y.filter()
	return true
}

func (y *yumRun) fetch(r *repo) ([]string, bool) {
	url := r.base
	if url == "" && r.mirror != "" {
		if h := hostOf(r.mirror); !y.m.Resolves(h) {
			y.p.Errorf("Could not retrieve mirrorlist %s error was\n14: PYCURL ERROR 6 - \"Couldn't resolve host '%s'\"\n", r.mirror, h)
			y.p.Errorf("Error: Cannot find a valid baseurl for repo: %s\n", r.id)
			return nil, false
		}
		url = strings.TrimSuffix(r.mirror, "/")
	}
	if url == "" {
		y.p.Errorf("Error: Cannot find a valid baseurl for repo: %s\n", r.id)
		return nil, false
	}
	list, ok := y.m.cfg.Web[strings.TrimSuffix(url, "/")+"/"]
	if ok {
		return list, true
	}
	why := "22 - \"The requested URL returned error: 404 Not Found\""
	if h := hostOf(url); !y.m.Resolves(h) {
		why = "6 - \"Couldn't resolve host '" + h + "'\""
	}
	y.p.Errorf("%s/repodata/repomd.xml: [Errno 14] PYCURL ERROR %s\nTrying other mirror.\n", strings.TrimSuffix(url, "/"), why)
	y.p.Errorf("Error: Cannot retrieve repository metadata (repomd.xml) for repository: %s. Please verify its path and try again\n", r.id)
	return nil, false
}

// lock is one line of versionlock.list: yum takes the part before the last two dashes for the name and the
// part after the last dot for the architecture.
type lock struct {
	name, ver, rel string
	exclude        bool
}

func parseLock(line string) (lock, bool) {
	line, not := strings.CutPrefix(strings.TrimSpace(line), "!")
	if _, rest, ok := strings.Cut(line, ":"); ok {
		line = rest
	}
	line, _, ok1 := cutLast(line, ".")
	line, rel, ok2 := cutLast(line, "-")
	name, ver, ok3 := cutLast(line, "-")
	return lock{name, ver, rel, not}, ok1 && ok2 && ok3
}

const lockList = "/etc/yum/pluginconf.d/versionlock.list"

func (m *Machine) lockLines() []string {
	data, _ := m.FS.ReadFile(memfs.Root, lockList)
	var out []string
	for _, l := range strings.Split(string(data), "\n") {
		if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "#") {
			out = append(out, l)
		}
	}
	return out
}

// filter takes out of the sack what locks and excludes hide.
func (y *yumRun) filter() {
	var locks []lock
	if y.lockOn() {
		for _, l := range y.m.lockLines() {
			if k, ok := parseLock(l); ok {
				locks = append(locks, k)
			}
		}
	}
	_, conf := y.m.ini("/etc/yum.conf")
	excludes := strings.FieldsFunc(conf["main"]["exclude"], func(r rune) bool { return r == ' ' || r == ',' })
	if y.noExcludes {
		excludes = nil
	}
	var keep []*Package
	for _, pk := range y.sack {
		switch {
		case hidden(pk, locks):
			y.locked++
		case excluded(pk, excludes):
		default:
			keep = append(keep, pk)
		}
	}
	y.sack = keep
	if y.locked > 0 {
		plural := "s"
		if y.locked == 1 {
			plural = ""
		}
		y.say("Excluding %d update%s due to versionlock (use \"yum versionlock status\" to show them)\n", y.locked, plural)
	}
}

func hidden(p *Package, locks []lock) bool {
	named := false
	for _, l := range locks {
		if l.name != p.Name {
			continue
		}
		same := l.ver == p.Version && l.rel == p.Release
		if l.exclude && same || !l.exclude && same {
			return l.exclude
		}
		named = named || !l.exclude
	}
	return named
}

func excluded(p *Package, globs []string) bool {
	for _, g := range globs {
		if matchSpec(p, g) {
			return true
		}
	}
	return false
}

// best is the newest offer for a spec, nil when there is none.
func (y *yumRun) best(spec string) *Package {
	var out *Package
	for _, pk := range y.sack {
		if matchSpec(pk, spec) && (out == nil || pk.newer(out)) {
			out = pk
		}
	}
	return out
}

func installOnly(name string) bool {
	return name == "kernel" || name == "kernel-devel"
}

func (y *yumRun) install() int {
	if len(y.args) == 0 {
		y.p.Errorf("Error: Need to pass a list of pkgs to install\n")
		return 1
	}
	y.say("Setting up Install Process\nLoading mirror speeds from cached hostfile\n")
	if !y.metadata() {
		return 1
	}
	var want []*Package
	for _, spec := range y.args {
		pk := y.best(spec)
		if have := y.have(spec, pk); have != nil {
			y.say("Package %s already installed and latest version\n", have.NEVRA())
			continue
		}
		if pk == nil {
			y.p.Printf("No package %s available.\n", spec)
			continue
		}
		want = append(want, pk)
	}
	return y.transact(want, y.missingSome(want))
}

// missingSome tells the status of a run that finds nothing to do: 1 when it was asked for something unknown.
func (y *yumRun) missingSome(want []*Package) int {
	if len(want) > 0 {
		return 0
	}
	for _, spec := range y.args {
		if y.have(spec, y.best(spec)) == nil {
			return 1
		}
	}
	return 0
}

// have is the installed package that makes an installation of offer needless.
func (y *yumRun) have(spec string, offer *Package) *Package {
	for _, q := range y.m.all() {
		if matchSpec(q, spec) && (offer == nil || !offer.newer(q)) && (offer == nil || offer.VR() == q.VR() || !installOnly(q.Name)) {
			return q
		}
	}
	return nil
}

func (y *yumRun) local() int {
	y.p.Errorf("yum: localinstall is not supported by the embedded guest\n")
	return 2
}

func (y *yumRun) update() int {
	y.say("Setting up Update Process\nLoading mirror speeds from cached hostfile\n")
	if !y.metadata() {
		return 1
	}
	var want []*Package
	for _, q := range y.m.all() {
		named := len(y.args) == 0
		for _, spec := range y.args {
			named = named || matchSpec(q, spec)
		}
		if pk := y.best(q.Name); named && pk != nil && pk.newer(q) && !contains(want, pk) && !y.installedVR(pk) {
			want = append(want, pk)
		}
	}
	if len(want) == 0 {
		y.p.Printf("No Packages marked for Update\n")
		return 0
	}
	return y.transact(want, 0)
}

func (y *yumRun) installedVR(pk *Package) bool {
	for _, q := range y.m.installed(pk.Name) {
		if q.VR() == pk.VR() {
			return true
		}
	}
	return false
}

func contains(list []*Package, p *Package) bool {
	for _, q := range list {
		if q == p {
			return true
		}
	}
	return false
}

// resolve adds what the packages need. An error is the text of a requirement that cannot be met.
func (y *yumRun) resolve(want []*Package) ([]*Package, string) {
	for i := 0; i < len(want); i++ {
		for _, req := range requires[want[i].Name] {
			name, same := strings.CutSuffix(req, "=")
			if y.satisfied(name, same, want[i], want) {
				continue
			}
			pk := y.best(name)
			if same {
				pk = y.best(name + "-" + want[i].VR())
			}
			if pk == nil {
				return nil, fmt.Sprintf("Error: Package: %s (%s)\n           Requires: %s\n", want[i].NEVRA(), want[i].Repo, name)
			}
			y.say("--> Processing Dependency: %s for package: %s\n", name, want[i].NEVRA())
			want = append(want, pk)
		}
	}
	return want, ""
}

func (y *yumRun) satisfied(name string, same bool, by *Package, want []*Package) bool {
	for _, q := range append(y.m.installed(name), want...) {
		if q.Name == name && (!same || q.VR() == by.VR()) {
			return true
		}
	}
	return false
}

// transact shows and runs a transaction.
func (y *yumRun) transact(want []*Package, emptyStatus int) int {
	if len(want) == 0 {
		if emptyStatus != 0 {
			y.p.Errorf("Error: Nothing to do\n")
			return 1
		}
		y.p.Printf("Nothing to do\n")
		return 0
	}
	y.say("Resolving Dependencies\n--> Running transaction check\n")
	all, problem := y.resolve(want)
	if problem != "" {
		y.p.Printf("%s You could try using --skip-broken to work around the problem\n You could try running: rpm -Va --nofiles --nodigest\n", problem)
		return 1
	}
	for _, pk := range all {
		y.say("---> Package %s.%s %s:%s will be %s\n", pk.Name, pk.Arch, pk.epoch(), pk.VR(), y.verb(pk))
	}
	y.say("--> Finished Dependency Resolution\n\nDependencies Resolved\n\n")
	y.table(want, all)
	switch {
	case y.no:
		y.p.Printf("\n\nExiting on user Command\n")
		return 1
	case !y.yes:
		y.p.Printf("Is this ok [y/N]: ")
		return y.ask(all)
	}
	return y.apply(all)
}

func (y *yumRun) ask(all []*Package) int {
	var b [1]byte
	if n, _ := y.p.Stdin().Read(b[:]); n == 1 && b[0] == 'y' {
		return y.apply(all)
	}
	y.p.Printf("Exiting on user Command\n")
	return 1
}

func (y *yumRun) verb(pk *Package) string {
	if len(y.m.installed(pk.Name)) > 0 && !installOnly(pk.Name) {
		return "an update"
	}
	return "installed"
}

const rule = "================================================================================\n"

func (y *yumRun) table(want, all []*Package) {
	y.say("%s Package                 Arch       Version                 Repository    Size\n%s", rule, rule)
	groups := []string{"Installing:", "Updating:", "Installing for dependencies:", "Updating for dependencies:"}
	counts := [2]int{}
	for g, title := range groups {
		first := true
		for _, pk := range all {
			up := y.verb(pk) != "installed"
			dep := !contains(want, pk)
			if g != b2i(up)+2*b2i(dep) {
				continue
			}
			if first {
				y.say("%s\n", title)
				first = false
			}
			counts[b2i(up)]++
			y.say(" %-23s %-10s %-23s %-12s %s\n", pk.Name, pk.Arch, pk.VR(), pk.Repo, sizeOf(pk))
		}
	}
	y.say("\nTransaction Summary\n%s", rule)
	if counts[0] > 0 {
		y.say("Install  %8d Package(s)\n", counts[0])
	}
	if counts[1] > 0 {
		y.say("Upgrade  %8d Package(s)\n", counts[1])
	}
	y.say("\nTotal download size: 1 M\n")
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func sizeOf(p *Package) string {
	if s := map[string]string{"kernel": "32 M", "kernel-devel": "11 M", "kernel-headers": "4.6 M", "kernel-firmware": "29 M", "gcc": "10 M"}[p.Name]; s != "" {
		return s
	}
	return "1.0 M"
}

// apply runs the transaction package by package: a power cut leaves what was done so far.
func (y *yumRun) apply(all []*Package) int {
	y.say("Downloading Packages:\nRunning rpm_check_debug\nRunning Transaction Test\nTransaction Test Succeeded\nRunning Transaction\n")
	for i := len(all) - 1; i >= 0; i-- {
		y.p.Sleep(time.Second)
		if y.p.Dead() {
			return 1
		}
		pk := all[i]
		up := y.verb(pk) != "installed"
		y.say("  %s : %s %27d/%d \n", map[bool]string{true: "Updating  ", false: "Installing"}[up], pk.NEVRA(), len(all)-i, len(all))
		if up {
			for _, old := range y.m.installed(pk.Name) {
				y.m.removePackage(old)
			}
		}
		fresh := *pk
		fresh.Repo = "@" + pk.Repo
		y.m.addPackage(&fresh)
	}
	y.say("\nInstalled:\n")
	for _, pk := range all {
		y.say("  %s.%s %s:%s\n", pk.Name, pk.Arch, pk.epoch(), pk.VR())
	}
	y.say("\nComplete!\n")
	return 0
}

func (y *yumRun) remove() int {
	y.say("Setting up Remove Process\n")
	var out []*Package
	for _, q := range y.m.all() {
		for _, spec := range y.args {
			if matchSpec(q, spec) {
				out = append(out, q)
			}
		}
	}
	if len(out) == 0 {
		y.p.Printf("No Packages marked for removal\n")
		return 0
	}
	if y.no || !y.yes {
		y.p.Printf("Exiting on user Command\n")
		return 1
	}
	for _, q := range out {
		y.say("  Erasing    : %s\n", q.NEVRA())
		y.m.removePackage(q)
	}
	y.say("\nComplete!\n")
	return 0
}

func (y *yumRun) list() int {
	if !y.metadata() {
		return 1
	}
	args := y.args
	mode := "all"
	if len(args) > 0 && (args[0] == "available" || args[0] == "installed" || args[0] == "all" || args[0] == "updates") {
		mode, args = args[0], args[1:]
	}
	hit := func(p *Package) bool {
		for _, spec := range args {
			if matchSpec(p, spec) {
				return true
			}
		}
		return len(args) == 0
	}
	var inst, avail []*Package
	for _, q := range y.m.all() {
		if hit(q) && (mode == "all" || mode == "installed") {
			inst = append(inst, q)
		}
	}
	for i, q := range y.sack {
		last := i+1 == len(y.sack) || y.sack[i+1].Name != q.Name
		if hit(q) && (y.dups || last) && (y.dups || !y.installedVR(q)) && (mode == "all" || mode == "available" || mode == "updates") {
			avail = append(avail, q)
		}
	}
	if len(inst)+len(avail) == 0 {
		y.p.Errorf("Error: No matching Packages to list\n")
		return 1
	}
	y.listBlock("Installed Packages", inst)
	y.listBlock("Available Packages", avail)
	return 0
}

func (y *yumRun) listBlock(title string, list []*Package) {
	if len(list) == 0 {
		return
	}
	y.p.Printf("%s\n", title)
	for _, q := range list {
		v := q.VR()
		if q.Epoch != "" {
			v = q.Epoch + ":" + v
		}
		y.p.Printf("%-35s %-30s %s\n", q.Name+"."+q.Arch, v, q.Repo)
	}
}

func (y *yumRun) search() int {
	if !y.metadata() {
		return 1
	}
	found := false
	for _, spec := range y.args {
		hit := false
		for _, q := range y.sack {
			if strings.Contains(q.Name, spec) {
				hit = true
				y.p.Printf("%s.%s : %s\n", q.Name, q.Arch, q.Name)
			}
		}
		if !hit {
			y.p.Errorf("Warning: No matches found for: %s\n", spec)
		}
		found = found || hit
	}
	if !found {
		y.p.Printf("No Matches found\n")
	}
	return 0
}

func (y *yumRun) repolist() int {
	if !y.metadata() {
		return 1
	}
	y.p.Printf("repo id                    repo name                                      status\n")
	total := 0
	for _, r := range y.repos {
		if !r.enabled {
			continue
		}
		n := 0
		for _, q := range y.sack {
			n += b2i(q.Repo == r.id)
		}
		total += n
		y.p.Printf("%-26s %-46s %d\n", r.id, r.name, n)
	}
	y.p.Printf("repolist: %d\n", total)
	return 0
}

func (y *yumRun) clean() int {
	y.say("Cleaning repos: base extras updates\nCleaning up Everything\n")
	return 0
}

func (y *yumRun) makecache() int {
	if !y.metadata() {
		return 1
	}
	y.say("Metadata Cache Created\n")
	return 0
}

// versionlock is the plugin's own command.
func (y *yumRun) versionlock() int {
	if !y.lockOn() {
		y.p.Printf("No such command: versionlock. Please use /usr/bin/yum --help\n")
		return 1
	}
	sub := "list"
	if len(y.args) > 0 {
		sub, y.args = y.args[0], y.args[1:]
	}
	lines := y.m.lockLines()
	switch sub {
	case "list":
		for _, l := range lines {
			y.p.Printf("%s\n", l)
		}
		y.say("versionlock list done\n")
		return 0
	case "clear":
		return y.writeLocks(nil)
	case "add":
		for _, spec := range y.args {
			for _, q := range y.m.all() {
				if matchSpec(q, spec) {
					y.say("Adding versionlock on: %s:%s-%s\n", q.epoch(), q.Name, q.VR())
					lines = append(lines, fmt.Sprintf("%s:%s-%s.*", q.epoch(), q.Name, q.VR()))
				}
			}
		}
		return y.writeLocks(lines)
	case "delete":
		return y.unlock(lines)
	}
	y.p.Errorf("Error: versionlock: %s is not supported by the embedded guest\n", sub)
	return 1
}

func (y *yumRun) unlock(lines []string) int {
	var keep []string
	n := 0
	for _, l := range lines {
		gone := false
		for _, pat := range y.args {
			gone = gone || glob(pat, l)
		}
		if gone {
			n++
			y.say("Deleting versionlock for: %s\n", l)
			continue
		}
		keep = append(keep, l)
	}
	if n == 0 {
		y.p.Errorf("Error: Error: versionlock delete: no matches\n")
		return 1
	}
	y.say("versionlock deleted: %d\n", n)
	return y.writeLocks(keep)
}

func (y *yumRun) writeLocks(lines []string) int {
	text := strings.Join(lines, "\n")
	if text != "" {
		text += "\n"
	}
	if err := y.m.FS.WriteFile(y.p.Cred, lockList, []byte(text), 0o644); err != nil {
		y.p.Errorf("Error: %s\n", memfs.Text(err))
		return 1
	}
	return 0
}
