package host

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/retry"
)

// snapshotLimit bounds one call about snapshots: the memory of a running VM is written to the disk.
const snapshotLimit = 10 * time.Minute

// Snapshots takes and restores snapshots of one VM. It is the one thing of boxdoctor that changes a VM from outside, and
// only by --snapshot.
type Snapshots struct {
	// Manage is the path of VBoxManage, VM the id of the machine.
	Manage, VM string
	// Exec runs VBoxManage; nil: really run it. Clock is the time to wait in; nil: the real one.
	Exec  Executor
	Clock retry.Clock
}

// ErrNoManage: nobody here can take a snapshot of that machine.
var ErrNoManage = errors.New("no VBoxManage of this host manages that machine, so there is no snapshot of it: only machines of a Vagrant project with VirtualBox have them")

func (s Snapshots) call(ctx context.Context, args ...string) (Output, error) {
	if s.Manage == "" || s.VM == "" {
		return Output{}, ErrNoManage
	}
	run := s.Exec
	if run == nil {
		run = runProgram
	}
	return manager{path: s.Manage, run: run, limit: snapshotLimit}.call(ctx, args...)
}

// TakeArgs are the arguments of VBoxManage that take a snapshot.
func (s Snapshots) TakeArgs(name string) []string {
	return []string{"snapshot", s.VM, "take", name, "--description", "before a repair by boxdoctor"}
}

// Take takes a snapshot. A running VM stands still meanwhile and goes on afterwards.
func (s Snapshots) Take(ctx context.Context, name string) error {
	if _, err := s.call(ctx, s.TakeArgs(name)...); err != nil {
		return err
	}
	all, err := s.List(ctx)
	if err == nil && after(all, name) < 0 {
		err = fmt.Errorf("VBoxManage took the snapshot %s without an error, and does not list it", name)
	}
	return err
}

// snapshotLine is one name in `snapshot VM list --machinereadable`, oldest first: the deeper ones have -1-1 …
var snapshotLine = regexp.MustCompile(`^SnapshotName((?:-\d+)*)="(.*)"$`)

// List names the snapshots, the oldest first.
func (s Snapshots) List(ctx context.Context) ([]string, error) {
	out, err := s.call(ctx, "snapshot", s.VM, "list", "--machinereadable")
	if err != nil {
		if strings.Contains(out.Stdout+out.Stderr, "does not have any snapshots") {
			return nil, nil
		}
		return nil, err
	}
	var names []string
	for _, line := range lines(out.Stdout) {
		if m := snapshotLine.FindStringSubmatch(line); m != nil {
			names = append(names, clean(m[2]))
		}
	}
	return names, nil
}

// After are the snapshots that were taken after one of them; they stay, but the VM leaves them. Error: there is none of
// that name.
func (s Snapshots) After(ctx context.Context, name string) ([]string, error) {
	all, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	i := after(all, name)
	if i < 0 {
		return nil, fmt.Errorf("the VM %s has no snapshot %s any more", s.VM, name)
	}
	return all[i:], nil
}

func after(all []string, name string) int {
	for i, n := range all {
		if n == name {
			return i + 1
		}
	}
	return -1
}

// Restore puts the VM back. One that runs is switched off first: what it has not written is discarded with the rest.
func (s Snapshots) Restore(ctx context.Context, name string) error {
	info, err := s.call(ctx, "showvminfo", s.VM, "--machinereadable")
	if err != nil {
		return err
	}
	switch state := parseVMInfo(info.Stdout).State; state {
	case "running", "paused", "gurumeditation", "stuck":
		if _, err := s.call(ctx, "controlvm", s.VM, "poweroff"); err != nil {
			return err
		}
	case "poweroff", "saved", "aborted", "aborted-saved":
	default:
		return fmt.Errorf("the VM %s is in the state %q, in which no snapshot can be restored: nothing was changed", s.VM, state)
	}
	loop := retry.Loop{First: time.Second, Max: time.Second, Limit: time.Minute, Clock: s.Clock}
	return loop.Do(ctx, func(ctx context.Context) error {
		_, err := s.call(ctx, "snapshot", s.VM, "restore", name)
		// For a moment after it was switched off a VM is still locked.
		if err != nil && !strings.Contains(err.Error(), "locked") {
			return retry.Permanent(err)
		}
		return err
	})
}
