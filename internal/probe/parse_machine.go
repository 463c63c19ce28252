package probe

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

func parseTools(b body) (facts.Tools, error) {
	t := facts.Tools{Path: map[string]string{}, LibELF: len(b.texts("gelf")) > 0, NeedsLibELF: len(b.texts("config")) > 0, GCCVersion: b.text("gcc")}
	t.Compilers, t.PluginHeaders, t.NeedsPlugins = compilers(b.texts("compiler")), b.yes("pluginheaders"), b.yes("needsplugins")
	for _, v := range b.texts("tool") {
		name, path, _ := strings.Cut(v, " ")
		t.Path[name] = path
	}
	t.Python = facts.Python{Program: b.text("python"), Interpreter: b.text("interpreter"), Resolved: b.text("resolved"), Version: b.text("pythonversion")}
	if len(t.Path) == 0 {
		return t, errors.New("it printed nothing: " + b.said())
	}
	return t, nil
}

var compilerPath = regexp.MustCompile(`/(gcc-\d+|clang|ld\.lld)$|/((?:gcc-toolset|devtoolset)-\d+)/`)

// compilers are the names by which further compilers are known: gcc-12, gcc-toolset-14, clang.
func compilers(paths []string) []string {
	out := []string{}
	for _, p := range paths {
		if m := compilerPath.FindStringSubmatch(p); m != nil {
			out = addSorted(out, m[1]+m[2])
		}
	}
	return out
}

// dfLine is a line of df -P, read from its end: the device may hold spaces.
var dfLine = regexp.MustCompile(`^.*\s(\d+|-)\s+(-?\d+|-)\s+(-?\d+|-)\s+(?:\d+%|-)\s+(/.*)$`)

// parseSpace joins df's blocks, df's inodes and the mount table. df prints one line for each path, in order.
func parseSpace(b body) ([]facts.Space, error) {
	paths := b.texts("path")
	blocks, err := dfRows(b, "blocks")
	if err != nil {
		return nil, err
	}
	if len(blocks) != len(paths) {
		f, _ := b.first("blocks")
		return nil, errors.New("df printed " + strconv.Itoa(len(blocks)) + " lines for " + strconv.Itoa(len(paths)) + " paths: " + lastWords(f.block(), 300))
	}
	inodes, _ := dfRows(b, "inodes") // some df have no -i: then no file system has inodes
	mounts := mountTable(b)
	out := []facts.Space{}
	for i, p := range paths {
		s := facts.Space{Path: p, Mount: blocks[i].mount, TotalKB: blocks[i].total, FreeKB: blocks[i].free, FreeInodes: -1}
		if len(inodes) == len(paths) && inodes[i].total > 0 {
			s.FreeInodes = inodes[i].free
		}
		for _, m := range mounts {
			if m.Target == s.Mount { // the last one is on top
				s.FS, s.NoExec, s.ReadOnly = m.FS, slices.Contains(m.Options, "noexec"), slices.Contains(m.Options, "ro")
			}
		}
		out = append(out, s)
	}
	return out, nil
}

type dfRow struct {
	total, free int64
	mount       string
}

func dfRows(b body, name string) ([]dfRow, error) {
	f, ok := b.first(name)
	if !ok {
		return nil, errors.New("df printed nothing: " + b.said())
	}
	var out []dfRow
	for _, line := range f.cleaned() {
		if m := dfLine.FindStringSubmatch(line); m != nil {
			out = append(out, dfRow{total: size(m[1]), free: size(m[3]), mount: m[4]})
		}
	}
	if len(out) == 0 {
		if err := f.failed("df"); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func size(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

var octal = regexp.MustCompile(`\\[0-7]{3}`)

// unescape undoes the octal escapes of /proc/mounts and fstab (\040 is a space).
func unescape(s string) string {
	return octal.ReplaceAllStringFunc(s, func(e string) string {
		n, err := strconv.ParseUint(e[1:], 8, 8)
		if err != nil {
			return e
		}
		return string([]byte{byte(n)})
	})
}

// mountLines reads "source target type options …"; comments are skipped.
func mountLines(lines []string) []facts.Mount {
	out := []facts.Mount{}
	for _, line := range lines {
		w := strings.Fields(line)
		if len(w) < 4 || strings.HasPrefix(w[0], "#") {
			continue
		}
		out = append(out, facts.Mount{Source: Clean(unescape(w[0])), Target: Clean(unescape(w[1])), FS: w[2], Options: strings.Split(w[3], ",")})
	}
	return out
}

func mountTable(b body) []facts.Mount {
	f, _ := b.first("mounts")
	return mountLines(f.cleaned())
}

func parseMounts(b body) (facts.Mounts, error) {
	m := facts.Mounts{VBoxSF: []facts.Mount{}, Others: []facts.Mount{}, FSTab: []facts.Mount{}, Wanted: wanted(b), Holders: holders(b),
		Groups: strings.Fields(b.text("groups")), ShareGroup: b.text("sharegroup") != "", WebServers: b.texts("web"), Sendfile: b.texts("sendfile"),
		Tools: map[string]string{}}
	for _, v := range b.texts("tool") {
		name, path, _ := strings.Cut(v, " ")
		m.Tools[name] = path
	}
	f, ok := b.first("mounts")
	if !ok {
		return m, errors.New("/proc/mounts was not read: " + b.said())
	}
	if err := f.failed("cat /proc/mounts"); err != nil {
		return m, err
	}
	for _, x := range mountTable(b) {
		m.MntBusy = m.MntBusy || x.Target == "/mnt"
		atWanted := slices.ContainsFunc(m.Wanted, func(w facts.WantedMount) bool { return w.GuestPath == x.Target })
		switch {
		case x.FS == "vboxsf":
			m.VBoxSF = append(m.VBoxSF, x)
		case atWanted:
			m.Others = append(m.Others, x)
		}
	}
	m.EtcReadOnly = readOnly(mountTable(b), "/etc/fstab")
	for _, f := range b.configs() {
		if f.Path == "/etc/fstab" {
			m.FSTabFile = f
		}
	}
	for _, x := range mountLines(strings.Split(Clean(b.file("/etc/fstab")), "\n")) {
		if x.FS == "vboxsf" {
			m.FSTab = append(m.FSTab, x)
		}
	}
	return m, nil
}

// readOnly tells whether the file system that holds a path is mounted read-only: the deepest mount, and of those on the
// same folder the last one.
func readOnly(mounts []facts.Mount, path string) bool {
	deepest, ro := "", false
	for _, m := range mounts {
		below := m.Target == "/" || path == m.Target || strings.HasPrefix(path, m.Target+"/")
		if below && len(m.Target) >= len(deepest) {
			deepest, ro = m.Target, slices.Contains(m.Options, "ro")
		}
	}
	return ro
}

// holders are the processes that use mounted shares. A guest that does not let root look has none that are known.
func holders(b body) []facts.Holder {
	out := []facts.Holder{}
	for _, f := range b.facts {
		if f.name != "holders" {
			continue
		}
		i := strings.LastIndexByte(f.text(), ' ')
		if i < 0 {
			continue
		}
		for _, line := range f.cleaned() {
			pid, name, _ := strings.Cut(line, " ")
			if number(pid, -1) > 0 && len(out) < 20 {
				out = append(out, facts.Holder{PID: pid, Name: name, Target: unescape(f.text()[:i])})
			}
		}
	}
	return out
}

func wanted(b body) []facts.WantedMount {
	out := []facts.WantedMount{}
	for _, f := range b.facts {
		if f.name == "wanted" {
			out = append(out, facts.WantedMount{GuestPath: strings.TrimRight(f.text(), "/"), UID: -1, GID: -1, WantUID: -1, WantGID: -1})
			if w := &out[len(out)-1]; w.GuestPath == "" {
				w.GuestPath = "/"
			}
		}
		if n := len(out); n > 0 {
			wantedFact(&out[n-1], f)
		}
	}
	return out
}

func wantedFact(w *facts.WantedMount, f fact) {
	switch f.name {
	case "exists":
		w.Exists = true
	case "writable":
		w.Writable = true
	case "stale":
		w.Stale = f.text()
	case "owner":
		uid, gid, _ := strings.Cut(f.text(), " ")
		w.UID, w.GID = number(uid, -1), number(gid, -1)
	case "wantuid":
		w.WantUID = number(f.text(), -1)
	case "wantgid":
		w.WantGID = number(f.text(), -1)
	case "wantgroup":
		if parts := strings.Split(f.text(), ":"); len(parts) >= 3 {
			w.WantGID = number(parts[2], -1)
		}
	}
}

func parseServices(b body) (facts.Services, error) {
	s := facts.Services{Units: []facts.Service{}, VBoxServiceRuns: len(b.texts("vboxservice")) > 0}
	if f, ok := b.first("units"); ok {
		if err := f.failed("systemctl show"); err != nil {
			return s, err
		}
		s.Units = units(f.cleaned())
		return s, nil
	}
	for _, f := range b.facts {
		switch {
		case f.name == "script":
			s.Units = append(s.Units, facts.Service{Name: f.text(), Exists: true})
		case f.name == "status" && len(s.Units) > 0:
			s.Units[len(s.Units)-1].State = scriptState(f)
		}
	}
	return s, nil
}

// units reads the blocks of `systemctl show`, which are separated by empty lines or just start with Id again.
func units(lines []string) []facts.Service {
	out := []facts.Service{}
	for _, line := range lines {
		key, value, _ := strings.Cut(line, "=")
		if key == "Id" {
			out = append(out, facts.Service{Name: value})
		}
		if len(out) == 0 {
			continue
		}
		switch u := &out[len(out)-1]; key {
		case "LoadState":
			u.Exists = value != "not-found"
		case "ActiveState":
			u.State = value
		}
	}
	return out
}

// scriptState is what an init script said, or its exit status when it said nothing.
func scriptState(f fact) string {
	if words := lastWords(f.block(), 200); words != "" {
		return words
	}
	return "exit status " + f.text()
}

func parseSecurity(b body) (facts.Security, error) {
	s := facts.Security{SecureBoot: secureBoot(b), SELinux: selinux(b), UnsupportedFiles: b.configs(), MOK: mok(b)}
	if f, ok := b.first("label"); ok {
		if m := selinuxType.FindStringSubmatch(f.block()); m != nil {
			s.HelperType = m[1]
		}
	}
	for w := range strings.FieldsSeq(b.text("lockdown")) {
		if strings.HasPrefix(w, "[") {
			s.Lockdown = strings.Trim(w, "[]")
		}
	}
	for _, line := range b.texts("unsupported") {
		if w := strings.Fields(line); len(w) == 2 && w[0] == "allow_unsupported_modules" {
			s.UnsupportedBlocked = w[1] == "0"
		}
	}
	return s, nil
}

// selinuxType is the type in a context, in old and new forms of ls -Z.
var selinuxType = regexp.MustCompile(`[a-z0-9_]+_u:[a-z0-9_]+:([a-z0-9_]+_t)\b`)

func mok(b body) facts.MOK {
	m := facts.MOK{Key: b.yes("mokkey"), SignTool: b.text("signtool"), Policy: b.yes("policy")}
	if f, ok := b.first("moktest"); ok {
		switch text := f.block(); {
		case strings.Contains(text, "already enrolled"):
			m.Enrolled = facts.MOKEnrolled
		case strings.Contains(text, "enrollment request"):
			m.Enrolled = facts.MOKPending
		case strings.Contains(text, "not enrolled"):
			m.Enrolled = facts.MOKMissing
		}
	}
	return m
}

// secureBoot takes mokutil's word, else the last byte of the firmware's variable.
func secureBoot(b body) string {
	if f, ok := b.first("mokutil"); ok {
		text := f.block()
		switch {
		case strings.Contains(text, "SecureBoot enabled"):
			return "enabled"
		case strings.Contains(text, "SecureBoot disabled"), strings.Contains(text, "doesn't support Secure Boot"):
			return "disabled"
		}
	}
	if w := strings.Fields(b.text("efivar")); len(w) > 0 {
		return map[string]string{"0": "disabled", "1": "enabled"}[w[len(w)-1]]
	}
	return ""
}

func selinux(b body) string {
	switch b.text("enforce") {
	case "1":
		return "enforcing"
	case "0":
		return "permissive"
	}
	if _, ok := b.first("selinuxconfig"); ok {
		return "disabled"
	}
	return ""
}

func parseActivity(b body) (facts.Activity, error) {
	a := facts.Activity{PackageManagers: b.texts("pm"), CloudInit: b.text("cloudinit")}
	slices.Sort(a.PackageManagers)
	if f, ok := b.first("jobs"); ok {
		if f.value == "77" {
			return a, errors.New("boxdoctor's jobs are not readable: " + lastWords(f.block(), 200))
		}
		for _, line := range f.cleaned() {
			if a.Job == "" && jobID.MatchString(line) {
				a.Job = line
			}
		}
	}
	return a, nil
}

var jobID = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
