package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/retry"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

// defaultLimit bounds one VBoxManage call: a hung VBoxSVC answers nothing at all.
const defaultLimit = 5 * time.Second

// programs lists where VBoxManage is looked for, in Vagrant's own order, so that boxdoctor judges the copy
// that Vagrant will run. The last loop of Vagrant on Windows has no guard: a copy below Program Files wins
// over the others. last says so.
func (ob *observer) programs() (paths []string, last bool) {
	name := "VBoxManage"
	if ob.goos == "windows" {
		name = "VBoxManage.exe"
	}
	for _, dir := range ob.splitList(ob.Getenv("PATH")) {
		paths = append(paths, ob.join(dir, name))
	}
	if ob.goos != "windows" {
		return paths, false
	}
	for _, dir := range strings.Split(cmp.Or(ob.Getenv("VBOX_INSTALL_PATH"), ob.Getenv("VBOX_MSI_INSTALL_PATH")), ";") {
		if dir != "" {
			paths = append(paths, ob.join(dir, name))
		}
	}
	return paths, true
}

// programFiles are the folders of Vagrant's unguarded last loop.
func (ob *observer) programFiles() []string {
	drive := cmp.Or(ob.Getenv("SYSTEMDRIVE"), "C:")
	dirs := []string{drive + `\Program Files\Oracle\VirtualBox`, drive + `\Program Files (x86)\Oracle\VirtualBox`}
	if p := ob.Getenv("PROGRAMFILES"); p != "" && !slices.Contains(dirs, ob.join(p, `Oracle\VirtualBox`)) {
		dirs = append(dirs, ob.join(p, `Oracle\VirtualBox`))
	}
	return dirs
}

// findManage returns the VBoxManage that Vagrant would run, or "", and every place that was tried.
func (ob *observer) findManage() (path string, searched []string) {
	paths, last := ob.programs()
	for _, p := range paths {
		searched = append(searched, p)
		if ob.isProgram(p) {
			path = p
			break
		}
	}
	if !last {
		return path, searched
	}
	for _, dir := range ob.programFiles() {
		p := ob.join(dir, "VBoxManage.exe")
		searched = append(searched, p)
		if ob.isProgram(p) {
			return p, searched
		}
	}
	return path, searched
}

// splitList splits a PATH of the observed operating system; relative entries are left out, because a program
// of the current folder must not be run by accident.
func (ob *observer) splitList(list string) []string {
	sep := ":"
	if ob.goos == "windows" {
		sep = ";"
	}
	var dirs []string
	for _, d := range strings.Split(list, sep) {
		d = strings.Trim(d, `"`)
		if strings.HasPrefix(d, "/") || ob.goos == "windows" && (len(d) > 2 && d[1] == ':' || strings.HasPrefix(d, `\\`)) {
			if !slices.Contains(dirs, d) {
				dirs = append(dirs, d)
			}
		}
	}
	return dirs
}

// join joins with the separator of the observed operating system, which in tests is not the one they run on.
func (ob *observer) join(dir string, elem ...string) string {
	sep := "/"
	if ob.goos == "windows" {
		sep = `\`
	}
	return strings.TrimRight(dir, `/`+sep) + sep + strings.Join(elem, sep)
}

// manager calls one VBoxManage.
type manager struct {
	path  string
	run   Executor
	limit time.Duration
}

// manageError is a call that gave no answer. It is for people: what was asked and what VBoxManage said.
type manageError struct {
	Args     []string
	Code     int
	Text     string // what it said, bounded
	TimedOut time.Duration
	Cause    error
}

// Error says what was asked, how it ended and what VBoxManage said.
func (e *manageError) Error() string {
	call := "VBoxManage " + strings.Join(e.Args, " ")
	switch {
	case e.TimedOut > 0:
		return fmt.Sprintf("`%s` did not answer within %s: VirtualBox's service (VBoxSVC) hangs or runs with other rights; close every VirtualBox window and try `%s` yourself", call, e.TimedOut, call)
	case e.Cause != nil:
		return fmt.Sprintf("`%s` could not be started: %v", call, e.Cause)
	case e.Code == exitBroken:
		return fmt.Sprintf("`%s` ended with status 126: one of its own libraries is missing; install VirtualBox again", call)
	}
	return fmt.Sprintf("`%s` failed (status %d): %s", call, e.Code, cmp.Or(e.Text, "it said nothing"))
}

// Unwrap gives the cause (a context's end, a missing program).
func (e *manageError) Unwrap() error { return e.Cause }

// exitBroken is the status of a VBoxManage that cannot load its own libraries.
const exitBroken = 126

// notFound reports whether VirtualBox knows no such VM, as opposed to not answering.
func notFound(err error) bool {
	var e *manageError
	return errors.As(err, &e) && (strings.Contains(e.Text, "VBOX_E_OBJECT_NOT_FOUND") || strings.Contains(e.Text, "Could not find a registered machine"))
}

// saidError finds an error that VBoxManage printed; some releases then still exit with 0.
var saidError = regexp.MustCompile(`VBoxManage[.a-z]*: error:`)

// serviceEnds is what VBoxManage says when it comes just while VirtualBox's service ends, some seconds after the last call, or
// when several calls start it at once. Nothing was done then, and the next call starts the service.
const serviceEnds = "the VirtualBox COM server is not running or failed to start"

const (
	// serviceTries is how often such a call is made. The first pause is between one and two servicePause long, so that calls that
	// failed together do not come together again, and each is half as long again as the one before.
	serviceTries = 7
	servicePause = 150 * time.Millisecond
	// hedgeAfter is how long a question may stay without an answer before it is asked once more, at most hedges times: a client
	// that came while the service ended waits ten seconds for it (VBoxManage 7.2.22), the next one is answered at once.
	hedgeAfter = 1500 * time.Millisecond
	hedges     = 2
)

// call runs VBoxManage with a limit of its own, once. err is a *manageError.
func (m manager) call(ctx context.Context, args ...string) (Output, error) {
	return m.patient(ctx, args, m.once)
}

// ask is call for what only reads: it may run twice at the same time.
func (m manager) ask(ctx context.Context, args ...string) (Output, error) {
	return m.patient(ctx, args, m.hedged)
}

// patient makes a call again that came while the service ended.
func (m manager) patient(ctx context.Context, args []string, once func(ctx, inner context.Context, args []string) (Output, error)) (out Output, err error) {
	inner, cancel := context.WithTimeout(ctx, m.limit)
	defer cancel()
	tries := 0
	pauses := retry.Loop{First: servicePause + rand.N(servicePause), Factor: 1.5, Max: time.Second}
	gaveUp := pauses.Do(inner, func(inner context.Context) error {
		tries++
		out, err = once(ctx, inner, args)
		var e *manageError
		if errors.As(err, &e) && strings.Contains(e.Text, serviceEnds) && tries < serviceTries {
			return err
		}
		return nil
	})
	if tries == 0 {
		return out, &manageError{Args: args, Code: -1, Cause: gaveUp}
	}
	return out, err
}

// hedged is once, and once more beside it when no answer comes; the first answer counts, the others are ended.
func (m manager) hedged(ctx, inner context.Context, args []string) (Output, error) {
	one, cancel := context.WithCancel(inner)
	defer cancel()
	answers := make(chan reply, hedges+1)
	again := time.NewTicker(hedgeAfter)
	defer again.Stop()
	for started := 0; ; {
		if started <= hedges {
			started++
			go func() {
				out, err := m.once(ctx, one, args)
				answers <- reply{out, err}
			}()
		}
		select {
		case a := <-answers:
			return a.out, a.err
		case <-again.C:
		}
	}
}

// once is one run; inner is ctx with the limit of the call.
func (m manager) once(ctx, inner context.Context, args []string) (Output, error) {
	out, err := m.run(inner, m.path, args...)
	out.Stdout, out.Stderr = plain(out.Stdout), plain(out.Stderr)
	switch {
	case err != nil && inner.Err() != nil && ctx.Err() == nil:
		return out, &manageError{Args: args, Code: -1, TimedOut: m.limit, Cause: context.DeadlineExceeded}
	case err != nil:
		return out, &manageError{Args: args, Code: -1, Cause: err}
	case out.Code != 0 || saidError.MatchString(out.Stderr):
		return out, &manageError{Args: args, Code: out.Code, Text: shorten(cmp.Or(strings.TrimSpace(out.Stderr), strings.TrimSpace(out.Stdout)))}
	}
	return out, nil
}

// shorten bounds what VBoxManage said and takes its name off the lines.
func shorten(s string) string {
	s = strings.TrimSpace(saidError.ReplaceAllString(s, ""))
	var kept []string
	for _, line := range strings.Split(s, "\n") {
		if line = strings.TrimSpace(clean(line)); line != "" && len(kept) < 4 {
			kept = append(kept, line)
		}
	}
	s = strings.Join(kept, " / ")
	if len(s) > 600 {
		s = strings.ToValidUTF8(s[:600], "") + "…"
	}
	return s
}

// observeManage finds VBoxManage and asks for its version. Not finding it is a known fact, too.
func (ob *observer) observeManage(ctx context.Context) (manager, facts.Value[facts.VBoxManage]) {
	path, searched := ob.findManage()
	f := facts.VBoxManage{Path: path, Searched: searched}
	m := manager{path: path, run: ob.Exec, limit: ob.Limit}
	if path == "" {
		return m, facts.Known(f)
	}
	out, err := m.ask(ctx, "--version")
	var failed *manageError
	if errors.As(err, &failed) {
		if failed.Cause != nil && failed.TimedOut == 0 {
			return m, facts.Unknownf[facts.VBoxManage]("%v", err)
		}
		f.TimedOut = failed.TimedOut > 0
	}
	f.ExitCode = out.Code
	f.Version, f.Warning = splitVersion(out.Stdout)
	if f.Version == "" && f.Warning == "" {
		f.Warning = shorten(out.Stderr)
	}
	return m, facts.Known(f)
}

// splitVersion takes the version, the last line that is one, and what was printed before it: with a missing
// kernel driver `VBoxManage --version` prints five lines of warning first.
func splitVersion(out string) (number, warning string) {
	all := strings.Split(strings.TrimSpace(plain(out)), "\n")
	for i := len(all) - 1; i >= 0; i-- {
		text := strings.TrimSpace(all[i])
		if _, err := version.ParseVBox(text); err == nil {
			return text, cleanLines(all[:i])
		}
	}
	return "", cleanLines(all)
}

func cleanLines(all []string) string {
	kept := make([]string, 0, len(all))
	for _, line := range all[:min(len(all), 20)] {
		if line = strings.TrimSpace(clean(line)); line != "" {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}
