package host

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// answers plays VBoxManage strictly: exactly these calls, in this order.
type answers struct {
	t     *testing.T
	calls []answer
}

type answer struct {
	args string
	out  Output
}

func (a *answers) run(_ context.Context, path string, args ...string) (Output, error) {
	a.t.Helper()
	got := strings.Join(args, " ")
	if len(a.calls) == 0 || path != "/usr/bin/VBoxManage" {
		a.t.Errorf("unexpected: %s %s", path, got)
		return Output{}, errors.New("unexpected")
	}
	next := a.calls[0]
	a.calls = a.calls[1:]
	if got != next.args {
		a.t.Errorf("%q, expected %q", got, next.args)
	}
	return next.out, nil
}

func playing(t *testing.T, calls ...answer) Snapshots {
	t.Helper()
	a := &answers{t: t, calls: calls}
	t.Cleanup(func() {
		for _, c := range a.calls {
			t.Errorf("%q was expected and never came", c.args)
		}
	})
	return Snapshots{Manage: "/usr/bin/VBoxManage", VM: "u", Exec: a.run, Clock: noWait{}}
}

// noWait is a clock that only waiting moves, and at once.
type noWait struct{}

func (noWait) Now() time.Time { return time.Time{} }

func (noWait) Wait(ctx context.Context, _ time.Duration) error { return ctx.Err() }

const (
	takeCall = "snapshot u take boxdoctor-1 --description before a repair by boxdoctor"
	listCall = "snapshot u list --machinereadable"
	infoCall = "showvminfo u --machinereadable"
	putCall  = "snapshot u restore boxdoctor-1"
)

// snapshotList is the form of VBoxManage 7.2.22 (recorded from a real one, with names of our own).
const snapshotList = `SnapshotName="base"
SnapshotUUID="00000000-0000-4000-8000-000000000001"
SnapshotDescription="says
SnapshotName-9=nothing"
SnapshotName-1="boxdoctor-1"
SnapshotUUID-1="00000000-0000-4000-8000-000000000002"
SnapshotName-1-1="later"
SnapshotUUID-1-1="00000000-0000-4000-8000-000000000003"
CurrentSnapshotName="later"
CurrentSnapshotUUID="00000000-0000-4000-8000-000000000003"
CurrentSnapshotNode="SnapshotName-1-1"
`

func TestTakeASnapshot(t *testing.T) {
	if err := playing(t, answer{takeCall, Output{}}, answer{listCall, Output{Stdout: snapshotList}}).Take(t.Context(), "boxdoctor-1"); err != nil {
		t.Error(err)
	}
	for name, calls := range map[string][]answer{
		"No space left": {{takeCall, Output{Code: 1, Stderr: "VBoxManage: error: No space left"}}},
		"takes none":    {{takeCall, Output{}}, {listCall, Output{Code: 1, Stdout: "This machine does not have any snapshots\n"}}},
	} {
		err := playing(t, calls...).Take(t.Context(), "boxdoctor-1")
		if err == nil || name != "takes none" && !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (Snapshots{VM: "u"}).Take(t.Context(), "x"); !errors.Is(err, ErrNoManage) {
		t.Error(err)
	}
}

func TestLaterSnapshots(t *testing.T) {
	later, err := playing(t, answer{listCall, Output{Stdout: snapshotList}}).After(t.Context(), "boxdoctor-1")
	if err != nil || strings.Join(later, " ") != "later" {
		t.Errorf("%q %v", later, err)
	}
	if _, err := playing(t, answer{listCall, Output{Stdout: snapshotList}}).After(t.Context(), "gone"); err == nil {
		t.Error("a snapshot that is not there has later ones")
	}
	if all, err := playing(t, answer{listCall, Output{Code: 1, Stderr: "This machine does not have any snapshots"}}).List(t.Context()); err != nil || len(all) > 0 {
		t.Errorf("%q %v", all, err)
	}
}

func state(s string) answer { return answer{infoCall, Output{Stdout: "VMState=\"" + s + "\"\n"}} }

func TestRestoreASnapshot(t *testing.T) {
	locked := answer{putCall, Output{Code: 1, Stderr: "VBoxManage: error: The machine 'x' is already locked by a session (or being locked or unlocked)"}}
	off := answer{"controlvm u poweroff", Output{}}
	for name, c := range map[string]struct {
		calls []answer
		want  string
	}{
		"off":                 {[]answer{state("poweroff"), {putCall, Output{}}}, ""},
		"running":             {[]answer{state("running"), off, {putCall, Output{}}}, ""},
		"locked for a moment": {[]answer{state("running"), off, locked, locked, {putCall, Output{}}}, ""},
		"starting":            {[]answer{state("starting")}, `state "starting"`},
		"no such VM":          {[]answer{{infoCall, Output{Code: 1, Stderr: "VBoxManage: error: Could not find a registered machine"}}}, "Could not find"},
		"refused":             {[]answer{state("saved"), {putCall, Output{Code: 1, Stderr: "VBoxManage: error: disk"}}}, "disk"},
		"not switched off":    {[]answer{state("running"), {"controlvm u poweroff", Output{Code: 1, Stderr: "VBoxManage: error: no"}}}, "no"},
	} {
		t.Run(name, func(t *testing.T) {
			err := playing(t, c.calls...).Restore(t.Context(), "boxdoctor-1")
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
