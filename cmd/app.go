// Package cmd is the command line of boxdoctor: one file per subcommand, each an options struct, a
// constructor that only reads flags, and a run function that can be tested without them. It is the only
// package that knows cobra, the process's arguments, environment and exit codes.
package cmd

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime/debug"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/download"
	"github.com/boxdoctor/boxdoctor/internal/engine"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/guest/sshguest"
	"github.com/boxdoctor/boxdoctor/internal/host"
	"github.com/boxdoctor/boxdoctor/internal/passthru"
	"github.com/boxdoctor/boxdoctor/internal/term"
)

// Main runs boxdoctor with the arguments, environment and streams of the process and returns the exit code.
func Main() int {
	return newApp(term.System(os.Getenv), os.Getenv).main(os.Args[1:])
}

// app is what the commands share. The functions are the real ones; tests replace them.
type app struct {
	streams *term.Streams
	getenv  func(string) string
	version buildVersion
	now     func() time.Time

	observe func(context.Context, host.Options) (host.Inventory, error)
	dial    func(context.Context, sshguest.Config) (guest.Guest, facts.Reach, error)
	check   func(context.Context, []engine.Machine, []string, engine.Options) finding.Report
	fix     func(context.Context, []engine.Machine, []string, engine.FixOptions) finding.Report
	undo    func(context.Context, []engine.Machine, []string, engine.UndoOptions) finding.UndoReport
	// vboxmanage runs VBoxManage for snapshots; nil: really run it.
	vboxmanage host.Executor
	// startDemo starts the built-in sick guest; download fetches a Guest Additions image.
	startDemo func(context.Context) (demoGuest, error)
	download  func(ctx context.Context, number, dir string, d host.Download) (facts.ISO, error)
	// client makes the HTTP client of downloads; lookPath finds a program.
	client   func(getenv func(string) string) (*http.Client, error)
	lookPath func(string) (string, error)
	// vagrantUp runs the real vagrant.
	vagrantUp func(context.Context, passthru.Program) (passthru.Result, error)
	// signals delivers Ctrl-C; nil: those of the process.
	signals chan os.Signal

	log *runLog
	// session is the one that runs; a crash must end it, too.
	session *session
}

func newApp(s *term.Streams, getenv func(string) string) *app {
	return &app{streams: s, getenv: getenv, version: readBuildVersion(), now: time.Now,
		observe: host.Observe, dial: dialGuest, check: engine.Check, fix: engine.Fix, undo: engine.Undo,
		startDemo: startDemo, download: host.DownloadISO, client: download.NewClient, lookPath: exec.LookPath, vagrantUp: passthru.Run}
}

// dialGuest connects by SSH. A nil *sshguest.Guest must not become a guest that is not nil.
func dialGuest(ctx context.Context, c sshguest.Config) (guest.Guest, facts.Reach, error) {
	g, reach, err := sshguest.Dial(ctx, c)
	if g == nil {
		return nil, reach, err
	}
	return g, reach, err
}

// main runs one command line. Nothing may leave it but an exit code: a panic exits 70 and never 2, which Go
// would use and which means a usage error here.
func (a *app) main(args []string) (code int) {
	defer func() {
		if p := recover(); p != nil {
			stack := debug.Stack()
			a.session.abandon()
			code = a.crashed(p, stack)
		}
		a.log.close()
	}()
	root := newRoot(a)
	root.SetArgs(args)
	return a.exitCode(root.ExecuteContext(context.Background()))
}

// crashed keeps the stack in the log of the run and says in one sentence what happened and where that is.
func (a *app) crashed(p any, stack []byte) int {
	text := fmt.Sprintf("panic: %v\n%s", p, stack)
	where := "the details could not be kept: " + text
	if a.log == nil {
		a.log, _ = openLog(a.getenv, "crash", a.now())
	}
	if a.log != nil {
		a.log.write("boxdoctor", text)
		where = "the details are in " + a.log.path
	}
	a.say(fmt.Sprintf("boxdoctor: internal error, please report it: %.200v; %s", p, where))
	return finding.ExitInternal
}

// say writes a line for the person beside the report.
func (a *app) say(line string) { a.streams.Errln(line) }

// print writes to standard output.
func (a *app) print(text string) error {
	_, err := io.WriteString(a.streams.Out, a.streams.CI.Plain(text))
	return err
}
