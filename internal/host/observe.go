package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

// parallelVMs is how many VMs are asked about at once: each is one VBoxManage process.
const parallelVMs = 4

// observer carries one Observe call. What depends on the operating system is a field, so that the paths of
// all three can be tested on one.
type observer struct {
	Options
	goos      string
	isProgram func(path string) bool
	uid       int
	dev       string // /dev/vboxdrv

	facts   facts.Host // without any machine
	project project
	manage  manager
	// manageWorks: VBoxManage answered with a version in time.
	manageWorks bool
	// dropsForwards: this release leaves forwards out of showvminfo (7.0.0).
	dropsForwards bool
	// running and registered hold the ids of `list runningvms` and `list vms`; nil when that is not known.
	running, registered map[string]bool
	listedAll           []listed
	// infos are the answers of VBoxManage: by name of the list, and by id for showvminfo.
	infos map[string]reply
	// fsroot is put before the paths of /proc, /sys, /etc and /dev; sysctl and win ask macOS and Windows.
	fsroot string
	sysctl func(name string) string
	win    winAPI
	// powerShellLimit bounds the start of an old PowerShell.
	powerShellLimit time.Duration
	// settled is the path that systemproperties names for the Guest Additions ISO.
	settled string
	notes   []string
}

// Observe looks at the project, at VirtualBox and at the machines that the user asked for. It changes
// nothing and never runs vagrant. What cannot be seen is an unknown fact, a Problem of a machine or a note;
// the error is for what the user gave and boxdoctor cannot use (a missing --ssh-config file, a malformed
// --ssh or --vbox-version, an --iso that is none). ProjectRoot is known and empty when there is no project.
func Observe(ctx context.Context, o Options) (Inventory, error) {
	return newObserver(o).observe(ctx)
}

func newObserver(o Options) *observer {
	ob := &observer{Options: o, goos: runtime.GOOS, uid: os.Getuid(), dev: "/dev/vboxdrv", fsroot: "/", sysctl: readSysctl, win: realWindows(), powerShellLimit: defaultPowerShellLimit}
	ob.isProgram = func(path string) bool {
		info, err := os.Stat(path)
		return err == nil && info.Mode().IsRegular() && (runtime.GOOS == "windows" || info.Mode()&0o111 != 0)
	}
	if ob.Limit <= 0 {
		ob.Limit = defaultLimit
	}
	if ob.Getenv == nil {
		ob.Getenv = func(string) string { return "" }
	}
	if ob.Exec == nil {
		ob.Exec = runProgram
	}
	return ob
}

func (ob *observer) observe(ctx context.Context) (Inventory, error) {
	if err := ob.validate(); err != nil {
		return Inventory{}, err
	}
	p, err := ob.findProject()
	if err != nil {
		return Inventory{}, err
	}
	ob.project = p
	ob.facts = facts.Host{
		OS: ob.goos, ProjectRoot: facts.Known(p.Root), GivenVersion: strings.TrimSpace(ob.VBoxVersion),
		DevVBoxDrv: ob.devVBoxDrv(), Explicit: ob.SSH != "" || ob.SSHConfig != "",
		VM:      facts.Unknownf[facts.VM]("this is the host, not a machine"),
		Folders: facts.Unknownf[[]facts.SyncedFolder]("this is the host, not a machine"),
	}
	ob.facts.ShareTools = facts.Known(ob.shareTools())
	ob.observeVirtualBox(ctx)
	return ob.inventory(ctx)
}

// inventory examines the machines while the Guest Additions image is hashed.
func (ob *observer) inventory(ctx context.Context) (Inventory, error) {
	var iso facts.Value[facts.ISO]
	var note string
	var isoErr error
	var wg sync.WaitGroup
	wg.Go(func() { iso, note, isoErr = ob.additions() })
	machines, err := ob.machines(ctx)
	wg.Wait()
	if note != "" {
		ob.note("%s", note)
	}
	ob.facts.AdditionsISO, ob.facts.UnfinishedISO = iso, ob.unfinishedISO()
	for i := range machines {
		machines[i].Host.AdditionsISO, machines[i].Host.UnfinishedISO = iso, ob.facts.UnfinishedISO
	}
	return Inventory{Host: ob.facts, Machines: machines, Notes: ob.notes}, cmp.Or(err, isoErr, context.Cause(ctx))
}

// validate refuses what the user gave and cannot be meant.
func (ob *observer) validate() error {
	if ob.SSH != "" && ob.SSHConfig != "" {
		return errors.New("--ssh and --ssh-config exclude each other: give one of them")
	}
	if ob.VBoxVersion != "" {
		if _, err := version.ParseVBox(ob.VBoxVersion); err != nil {
			return fmt.Errorf("--vbox-version: %w", err)
		}
	}
	return nil
}

// devVBoxDrv looks whether the driver's device exists. It is never opened: on hardened installations only
// root may.
func (ob *observer) devVBoxDrv() facts.Value[bool] {
	if ob.goos != "linux" {
		return facts.Unknownf[bool]("only Linux has a device file for VirtualBox's driver")
	}
	_, err := os.Stat(ob.dev)
	return facts.Known(err == nil)
}

// observeVirtualBox asks VBoxManage everything at once, each call with its own limit, so that a hung VirtualBox costs one
// limit in all; what can be seen without it is read meanwhile.
func (ob *observer) observeVirtualBox(ctx context.Context) {
	path, _ := ob.findManage()
	m := manager{path: path, run: ob.Exec, limit: ob.Limit}
	if !ob.preflights() {
		ob.facts.Preflight.Skipped = "the guest was given by its address, so this host need not be able to start it"
	}
	if ob.preflights() {
		ob.facts.Preflight.Wanted = ob.wanted()
	}
	var answers map[string]reply
	var wg sync.WaitGroup
	if path != "" {
		wg.Go(func() { answers = ob.ask(ctx, m, ob.questions()) })
	}
	if ob.preflights() {
		wg.Go(func() { ob.beforeVirtualBox(ctx) })
	}
	ob.manage, ob.facts.VBoxManage = ob.observeManage(ctx)
	wg.Wait()
	ob.setVersion()
	if path != "" {
		ob.take(answers)
	}
	if ob.preflights() {
		ob.afterVirtualBox(ctx, answers)
	}
}

// take keeps what the lists say about VMs.
func (ob *observer) take(answers map[string]reply) {
	vms, running, properties := answers["vms"], answers["runningvms"], answers["systemproperties"]
	ob.infos = answers
	ob.manageWorks = ob.manageWorks && running.err == nil
	if vms.err == nil {
		ob.listedAll = parseList(vms.out.Stdout)
		ob.registered = ids(ob.listedAll)
	}
	if running.err == nil {
		ob.running = ids(parseList(running.out.Stdout))
		ob.facts.RunningVMs = facts.Known(len(ob.running))
	} else {
		ob.note("VirtualBox did not list its running machines: %v", running.err)
	}
	if properties.err == nil {
		ob.settled = additionsISO(properties.out.Stdout)
	}
}

func ids(vms []listed) map[string]bool {
	all := make(map[string]bool, len(vms))
	for _, vm := range vms {
		all[vm.UUID] = true
	}
	return all
}

func (ob *observer) setVersion() {
	f, err := ob.facts.VBoxManage.Get()
	v, parseErr := version.ParseVBox(f.Version)
	ob.manageWorks = err == nil && parseErr == nil
	ob.dropsForwards = ob.manageWorks && v.Number == "7.0.0"
}

func (ob *observer) note(format string, a ...any) {
	ob.notes = append(ob.notes, fmt.Sprintf(format, a...))
}

// machines selects and examines.
func (ob *observer) machines(ctx context.Context) ([]Machine, error) {
	switch {
	case ob.SSH != "":
		m, err := ob.target()
		if err != nil {
			return nil, err
		}
		return []Machine{m}, nil
	case ob.SSHConfig != "":
		return ob.fromSSHConfig(ctx)
	case ob.project.Root == "":
		return ob.withoutProject(), nil
	}
	ob.noteProject()
	if len(ob.Names) > 0 {
		return ob.named(ctx), nil
	}
	return ob.allRunning(ctx), nil
}

func (ob *observer) withoutProject() []Machine {
	ob.note("there is no Vagrantfile in %s or any folder above it: machines are found from inside a Vagrant project, or by --ssh or --ssh-config", cmp.Or(ob.Dir, "the current folder"))
	var out []Machine
	for _, name := range unique(ob.Names) {
		out = append(out, ob.blank(name).refuse(ClassUnknownName, "boxdoctor check --ssh vagrant@ADDRESS -i KEY",
			fmt.Errorf("machine %q cannot be looked up: no Vagrant project was found", clean(name))))
	}
	return out
}

// noteProject tells what Vagrant itself would stumble over.
func (ob *observer) noteProject() {
	for _, m := range ob.project.Machines {
		if len(m.Others) > 0 && (m.ID != "" || len(ob.Names) == 0) {
			ob.note("machine %s is also known to the provider %s, which boxdoctor does not examine", m.Name, strings.Join(m.Others, ", "))
		}
	}
}

// named examines what the user named, in that order.
func (ob *observer) named(ctx context.Context) []Machine {
	names := unique(ob.Names)
	return ob.each(len(names), func(i int) Machine {
		m, ok := ob.project.machine(names[i])
		if !ok {
			return ob.unknownName(names[i], ob.project.names(), "the project "+ob.project.Root, "boxdoctor check ")
		}
		return ob.examine(ctx, m)
	})
}

// allRunning examines the machines of the project that run. When nobody can tell what runs, every machine
// with a VM is tried.
func (ob *observer) allRunning(ctx context.Context) []Machine {
	var candidates []machineDir
	for _, m := range ob.project.Machines {
		if m.IDProblem != nil || m.ID != "" && (ob.running == nil || ob.running[m.ID]) {
			candidates = append(candidates, m)
		}
	}
	all := ob.each(len(candidates), func(i int) Machine { return ob.examine(ctx, candidates[i]) })
	out := all[:0]
	for _, m := range all {
		// Paused machines are in VirtualBox' list of running ones. Without VirtualBox nothing can run.
		if m.Class == ClassNotRunning || m.Class == ClassNotCreated || m.Problem != nil && ob.manage.path == "" {
			ob.note("%v", m.Problem)
			continue
		}
		out = append(out, m)
	}
	if len(out) == 0 {
		ob.note("no running machine of the project %s was found: only the host was examined; `vagrant up` starts machines", ob.project.Root)
	}
	return out
}

// each fills a slice in parallel, keeping the order.
func (ob *observer) each(n int, f func(i int) Machine) []Machine {
	out := make([]Machine, n)
	var g errgroup.Group
	g.SetLimit(parallelVMs)
	for i := range n {
		g.Go(func() error { out[i] = f(i); return nil })
	}
	_ = g.Wait() // no function of the group fails
	return out
}
