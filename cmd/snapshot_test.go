package cmd

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/demo"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/host"
)

// vboxmanage plays VBoxManage with one VM: it knows what it is asked and refuses everything else.
type vboxmanage struct {
	t      *testing.T
	taken  []string
	calls  []string
	refuse bool
}

func (v *vboxmanage) run(_ context.Context, _ string, args ...string) (host.Output, error) {
	call := strings.Join(args, " ")
	v.calls = append(v.calls, args[0])
	switch {
	case v.refuse:
		return host.Output{Code: 1, Stderr: "VBoxManage: error: Insufficient disk space"}, nil
	case len(args) == 6 && args[0] == "snapshot" && args[2] == "take" && args[4] == "--description":
		v.taken = append(v.taken, args[3])
		return host.Output{}, nil
	case len(args) == 4 && call == "snapshot "+args[1]+" list --machinereadable":
		out := ""
		for i, name := range v.taken {
			out += "SnapshotName" + strings.Repeat("-1", i) + `="` + name + "\"\n"
		}
		return host.Output{Stdout: out}, nil
	case len(args) == 3 && args[0] == "showvminfo":
		return host.Output{Stdout: "VMState=\"poweroff\"\n"}, nil
	case len(args) == 4 && args[2] == "restore" && len(v.taken) > 0 && args[3] == v.taken[0]:
		return host.Output{}, nil
	}
	v.t.Errorf("unexpected: VBoxManage %s", call)
	return host.Output{}, errors.New("unexpected")
}

// A snapshot is taken before the first change, and undo --snapshot goes back to it once the VM's name was typed.
func TestSnapshot(t *testing.T) {
	g, tr := bedside(t, demo.Tangled())
	v := &vboxmanage{t: t}
	tr.vboxmanage = v.run
	before := treeOf(t, g)
	tr.reportOf(t, finding.ExitFailed, "fix", "--dry-run", "--snapshot")
	if !strings.Contains(tr.out.String(), "VBoxManage snapshot") || len(v.calls) > 0 || len(different(before, treeOf(t, g))) > 0 {
		t.Errorf("the dry run called %v: %s", v.calls, tr.out)
	}
	fixed := tr.reportOf(t, finding.ExitOK, "fix", "--yes", "--snapshot")
	if a := fixed.Actions[0]; a.Fix != "snapshot" || a.Outcome != finding.Done || len(v.taken) != 1 || !strings.HasPrefix(v.taken[0], "boxdoctor-20") {
		t.Errorf("%+v, taken %v", a, v.taken)
	}
	v.taken = append(v.taken, "mine")
	plan := tr.undoOf(t, finding.ExitFailed, "--snapshot", "--dry-run")
	if text := plan.Machines[0].Items[0].Message; !strings.Contains(text, "is discarded") || !strings.HasSuffix(text, "but the VM leaves them: mine") {
		t.Error(text)
	}
	tr.run(t, finding.ExitUsage, "undo", "--snapshot") // nobody there to type
	tr.run(t, finding.ExitUsage, "undo", "--snapshot", "--yes")

	name := g.Machine().Name
	for typed, want := range map[string]int{"yes\n": finding.ExitUnexamined, name + "\n": finding.ExitOK} {
		tr.streams = withInput(tr.streams, typed)
		tr.streams.InTTY, tr.streams.ErrTTY = true, true
		v.calls = nil
		tr.out.Reset()
		tr.run(t, want, "undo", "--snapshot")
		if restored := len(v.calls) == 3; restored != (want == finding.ExitOK) {
			t.Errorf("%q: %v\n%s", typed, v.calls, tr.out)
		}
	}
}

// Without the snapshot that was asked for nothing is changed.
func TestASnapshotThatCannotBeTaken(t *testing.T) {
	g, tr := bedside(t, demo.Tangled())
	v := &vboxmanage{t: t, refuse: true}
	tr.vboxmanage = v.run
	before := treeOf(t, g)
	r := tr.reportOf(t, finding.ExitFailed, "fix", "--yes", "--snapshot")
	if d := different(before, treeOf(t, g)); len(d) > 0 || !strings.Contains(strings.Join(r.Notes, "\n"), "Insufficient disk space") {
		t.Errorf("changed %v, notes %v", d, r.Notes)
	}
	tr.undoOf(t, finding.ExitUnexamined, "--snapshot", "--dry-run")
}
