package probe

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

func parseAdditions(b body) (facts.Additions, error) {
	a := facts.Additions{
		HasFilelist: b.yes("filelist"), OptDirs: b.texts("opt"), Setup: b.text("setup"),
		LibLink: len(b.texts("liblink")) > 0, TempISO: b.texts("iso"), Helper: helper(b),
	}
	_, a.HasConfig = b.first("file")
	for line := range strings.Lines(Clean(b.file("/var/lib/VBoxGuestAdditions/config"))) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch key {
		case "INSTALL_VER":
			a.ConfigVersion = unquote(value)
		case "INSTALL_DIR":
			a.InstallDir = unquote(value)
		}
	}
	a.Control, a.Service = lastLine(b, "control"), lastLine(b, "service")
	if f, ok := b.first("hostversion"); ok {
		for _, line := range f.cleaned() {
			if v, ok := strings.CutPrefix(line, "Value:"); ok {
				a.HostVersion = strings.TrimSpace(v)
			}
		}
	}
	if b.text("sharesrc") == "0" {
		f, _ := b.first("shares")
		a.ShareNames = shareNames(f.cleaned())
	}
	if f, ok := b.first("ours"); ok && f.value == "0" {
		a.TempISO = append(a.TempISO, slices.DeleteFunc(f.cleaned(), func(s string) bool { return !strings.HasPrefix(s, "/") })...)
	}
	return a, nil
}

func helper(b body) facts.Helper {
	_, exists := b.first("helper")
	return facts.Helper{Exists: exists, Link: b.text("link"), Resolved: b.text("resolved"), Exec: b.yes("exec"), Candidates: b.texts("candidate")}
}

// lastLine is the last line that a version command printed, whatever its exit status: warnings come before the
// version.
func lastLine(b body, name string) string {
	f, _ := b.first(name)
	lines := strings.Split(strings.TrimSpace(f.block()), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// shareLine is a line of `VBoxControl sharedfolder list`; older ones end after the name.
var shareLine = regexp.MustCompile(`^\d+ - (.*?)(?: \[idRoot=.*\])?$`)

func shareNames(lines []string) []string {
	out := []string{}
	for _, line := range lines {
		if m := shareLine.FindStringSubmatch(line); m != nil {
			out = append(out, m[1])
		}
	}
	return out
}

func parseModules(b body) (facts.Modules, error) {
	m := facts.Modules{FSRegistered: b.yes("registered")}
	byName := map[string]*facts.Module{"vboxguest": &m.Guest, "vboxsf": &m.SF, "vboxvideo": &m.Video}
	for _, x := range byName {
		x.Holders = []string{}
	}
	var at *facts.Module
	for _, f := range b.facts {
		if f.name == "module" {
			at = byName[f.text()]
		} else if at != nil {
			moduleFact(at, f)
		}
	}
	if f, ok := b.first("open"); ok {
		m.Users = moduleUsers(f.cleaned())
	}
	if at == nil {
		return m, errors.New("it printed nothing: " + b.said())
	}
	return m, nil
}

// maxUsers bounds how many processes are named.
const maxUsers = 20

// moduleUsers are the processes that have something open, each once. VBoxService always has the device open, and
// reloading stops it.
func moduleUsers(lines []string) []facts.ModuleUser {
	out := []facts.ModuleUser{}
	for _, line := range lines {
		w := strings.SplitN(line, "|", 3)
		if len(w) != 3 || w[1] == "VBoxService" || len(out) == maxUsers {
			continue
		}
		u := facts.ModuleUser{PID: number(w[0], 0), Name: w[1], Path: w[2]}
		if u.PID > 0 && !slices.ContainsFunc(out, func(o facts.ModuleUser) bool { return o.PID == u.PID }) {
			out = append(out, u)
		}
	}
	return out
}

func moduleFact(m *facts.Module, f fact) {
	switch f.name {
	case "path":
		m.File = f.text()
	case "signer":
		m.Signer = f.text()
	case "version":
		m.Version = f.text()
	case "loaded":
		m.Loaded = true
	case "running":
		m.Running = f.text()
	case "refcnt":
		m.RefCnt = number(f.text(), 0)
	case "holder":
		m.Holders = append(m.Holders, f.text())
	}
}

// oneRun is how far the two logs of one installer run may be apart: the console log ends seconds after the
// build log.
const oneRun = 2 * time.Minute

// logLimit is how much of the log is kept.
const logLimit = 64 << 10

// parseGALog takes the newest log; a log of the same run goes before it, because the compiler's words are in
// one and the installer's in the other.
func parseGALog(b body) (facts.GALog, error) {
	logs := b.files("log")
	slices.SortStableFunc(logs, func(a, b dumped) int { return a.time.Compare(b.time) })
	if bad := b.texts("unreadable"); len(bad) > 0 { // the one that is hidden may be the newest
		return facts.GALog{}, errors.New("not readable, and sudo -n does not give root: " + strings.Join(bad, ", "))
	}
	var g facts.GALog
	if n := len(logs); n > 0 {
		newest := logs[n-1]
		g.Path, g.Time = newest.path, newest.time
		var parts []string
		for _, l := range logs {
			if newest.time.Sub(l.time) <= oneRun {
				parts = append(parts, strings.TrimRight(Clean(l.content), "\n")+"\n")
			}
		}
		g.Text = tail(strings.Join(parts, ""), logLimit)
	}
	if f, ok := b.first("dmesg"); ok {
		g.DMesg = f.block()
	}
	return g, nil
}

// tail is the end of a text, from the start of a line.
func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	s = s[len(s)-n:]
	if _, rest, ok := strings.Cut(s, "\n"); ok {
		return rest
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
