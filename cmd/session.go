package cmd

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/boxdoctor/boxdoctor/internal/engine"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/guest/sshguest"
	"github.com/boxdoctor/boxdoctor/internal/host"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
	"github.com/boxdoctor/boxdoctor/internal/report"
	"github.com/boxdoctor/boxdoctor/internal/term"
)

// The prompts of term are what sshguest asks with.
var _ sshguest.Asker = (*term.Streams)(nil)

// session is what a command that works on machines has while it runs: the log, progress on the screen, and
// the two ways to be interrupted.
type session struct {
	*Interrupts
	a        *app
	progress *term.Progress
	steps    bool // -vv: every step on stderr too
	// inventory is what machines found.
	inventory []host.Machine

	mu      sync.Mutex
	uploads map[string]func(done, total int64)
	// narrate: every change of what happens is a line on stderr, because no display shows it; said is the last line of
	// each machine.
	narrate bool
	said    map[string]string
	// dir is where the project is looked for; empty: where the user is.
	dir string
	// jobs are how to look at the jobs that run now, by machine.
	jobs map[string]string
}

// begin opens the log and starts to listen for Ctrl-C. stops are what each one says, given what happens now; nil: nothing.
func (a *app) begin(ctx context.Context, command string, verbose int, stops ...func(now, look string) string) *session {
	if a.log == nil {
		log, err := openLog(a.getenv, command, a.now())
		if err != nil && verbose > 0 {
			a.say(fmt.Sprintf("no log is kept of this run: %v", err))
		}
		a.log = log
	}
	s := &session{a: a, progress: a.streams.NewProgress(), steps: verbose > 1, uploads: map[string]func(done, total int64){},
		said: map[string]string{}, jobs: map[string]string{}}
	var told []func()
	for _, text := range stops {
		if text == nil {
			told = append(told, nil)
			continue
		}
		told = append(told, func() { s.a.say(text(s.progress.Current(), s.looks())) })
	}
	s.Interrupts = watch(ctx, a.signals, told...)
	s.logf("boxdoctor", "%s %s", a.version, command)
	a.session = s
	return s
}

// abandon ends a session after a crash; a nil one is none.
func (s *session) abandon() {
	if s != nil {
		s.end()
	}
}

// end takes progress off the screen. It tells whether the person interrupted the run.
func (s *session) end() (interrupted bool) {
	s.progress.Close()
	interrupted = s.Interrupted()
	s.Stop()
	return interrupted
}

// logf writes to the log of the run and, with -vv, to the screen.
func (s *session) logf(machine, format string, args ...any) {
	s.logText(machine, fmt.Sprintf(format, args...))
}

func (s *session) logText(machine, text string) {
	text = report.Clean(text)
	s.a.log.write(machine, text)
	if s.steps {
		s.a.say(machine + ": " + strings.TrimRight(text, "\n"))
	}
}

// uploadText is how the interpreter of changes tells how far an upload is.
var uploadText = regexp.MustCompile(`^upload (\d{1,3})% of (\d{1,6}) MiB$`)

// onProgress shows what happens now; an upload becomes a bar.
func (s *session) onProgress(machine, what string) {
	what = strings.ReplaceAll(report.Clean(what), "\n", " ")
	m := uploadText.FindStringSubmatch(what)
	if m == nil {
		s.progress.Set(machine, what)
		s.tell(machine, what)
		return
	}
	percent, _ := strconv.ParseInt(m[1], 10, 64) // at most six digits each
	size, _ := strconv.ParseInt(m[2], 10, 64)
	s.upload(machine)((size<<20)*percent/100, size<<20)
}

// tell writes what happens now as a line, where no display shows it.
func (s *session) tell(machine, what string) {
	s.mu.Lock()
	again := s.said[machine] == what
	s.said[machine] = what
	s.mu.Unlock()
	if s.narrate && !again && what != "" {
		s.a.say(machine + ": " + what)
	}
}

// onJob keeps how to look at the job that runs on a machine.
func (s *session) onJob(machine, look string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs[machine] = look
}

// looks are the commands, run in the guests, that show the jobs that run now, one line each.
func (s *session) looks() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, m := range slices.Sorted(maps.Keys(s.jobs)) {
		if s.jobs[m] != "" {
			out = append(out, "To look, in "+m+": "+s.jobs[m])
		}
	}
	return strings.Join(out, "\n")
}

func (s *session) upload(machine string) func(done, total int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.uploads[machine] == nil {
		s.uploads[machine] = s.progress.Transfer(machine, "uploading")
	}
	return s.uploads[machine]
}

// machines looks at the host and returns what to examine: the host first, then the guests.
func (s *session) machines(reach reachFlags, names []string) ([]engine.Machine, []string, facts.Host, error) {
	o, err := s.a.hostOptions(reach, names)
	if err != nil {
		return nil, nil, facts.Host{}, err
	}
	if s.dir != "" {
		o.Dir = s.dir
	}
	go knowledge.Prepare()
	inv, err := s.a.observe(s.Soft, o)
	if err != nil {
		return nil, nil, inv.Host, usagef("%v", err) // only what the user gave makes an error
	}
	ms := []engine.Machine{s.hostMachine(o, inv.Host)}
	s.inventory = inv.Machines
	for _, m := range inv.Machines {
		named := len(names) > 0 || reach.SSH != ""
		ms = append(ms, engine.Machine{Facts: m.Facts, Host: m.Host, Named: named, Dial: s.dialer(m)})
	}
	return ms, inv.Notes, inv.Host, nil
}

// namedHost takes the name "host" for the host itself, unless a machine of that name was made, and tells whether it was given.
func (s *session) namedHost(ms []engine.Machine, names []string) ([]engine.Machine, bool) {
	named := slices.Contains(names, engine.HostName) && slices.ContainsFunc(s.inventory, func(m host.Machine) bool {
		return m.Facts.Name == engine.HostName && (m.Class == host.ClassUnknownName || m.Class == host.ClassNotCreated)
	})
	if !named {
		return ms, false
	}
	return slices.DeleteFunc(ms, func(m engine.Machine) bool { return m.Dial != nil && m.Facts.Name == engine.HostName }), true
}

// hostMachine is the host as a machine: examined, and repaired like the others.
func (s *session) hostMachine(o host.Options, h facts.Host) engine.Machine {
	return engine.Machine{Facts: facts.Machine{Name: engine.HostName}, Host: h,
		Look: func(ctx context.Context) (facts.Host, error) {
			inv, err := s.a.observe(ctx, o)
			return inv.Host, err
		},
		Manage: func(ctx context.Context, args ...string) error {
			return host.Manage(ctx, h.VBoxManage.Or(facts.VBoxManage{}).Path, s.a.vboxmanage, args...)
		}}
}

func (a *app) hostOptions(reach reachFlags, names []string) (host.Options, error) {
	dir := a.getenv("VAGRANT_CWD")
	if dir == "" {
		wd, err := os.Getwd()
		if err != nil {
			return host.Options{}, fmt.Errorf("the current folder is not known: %w", err)
		}
		dir = wd
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "" // files below it are then not looked for
	}
	return host.Options{Dir: dir, SSHConfig: reach.SSHConfig, SSH: reach.SSH, Key: reach.Key, User: reach.User,
		VBoxVersion: reach.VBoxVersion, ISO: reach.ISO, Names: names, Getenv: a.getenv, HomeDir: home,
		StateDir: stateDir(a.getenv)}, nil
}

// dialer connects to one machine. A machine that cannot be reached at all answers with its problem; a panic
// in the transport becomes that machine's error and does not end the others.
func (s *session) dialer(m host.Machine) func(context.Context) (guest.Guest, facts.Reach, error) {
	return func(ctx context.Context) (g guest.Guest, reach facts.Reach, err error) {
		defer func() {
			if p := recover(); p != nil {
				s.logf(m.Facts.Name, "panic: %v\n%s", p, debug.Stack())
				err = fmt.Errorf("boxdoctor's own connection code failed (%v); please report this", p)
				reach = facts.Reach{Class: "other", Error: err.Error()}
			}
		}()
		if m.Problem != nil {
			return nil, facts.Reach{Class: m.Class, Error: m.Problem.Error(), Command: m.Command}, m.Problem
		}
		c := m.SSH
		s.complete(&c)
		return s.a.dial(ctx, c)
	}
}

// complete adds to a configuration what only the command line knows: the person, the environment, the log.
func (s *session) complete(c *sshguest.Config) {
	if s.a.streams.CanAsk() {
		c.Ask = s.a.streams
	}
	if c.Getenv == nil {
		c.Getenv = s.a.getenv
	}
	c.Log = logWriter{c.Name, s.logText}
	if c.KeyStore == "" {
		c.KeyStore = filepath.Join(stateDir(s.a.getenv), "hostkeys")
	}
}
