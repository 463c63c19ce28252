package checks

import (
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// hostRows are the rows of a host check: it passes on the healthy host, cannot tell when nothing was observed, and says
// what the bad rows say.
func hostRows(id string, healthy assesstest.Box, bad ...row) bool {
	nothing := func(f *facts.Facts) {
		f.Host.Preflight = facts.Preflight{}
		assesstest.Forget(&f.Host.VBoxManage)
	}
	all := append([]row{pass("healthy host", healthy, as), unknown("nothing observed", healthy, nothing)}, bad...)
	given := func(f *facts.Facts) {
		f.Host.Preflight = facts.Preflight{Skipped: "the guest was given by its address"}
	}
	return rows(id, append(all, skip("guests given by address", "", healthy, given))...)
}

var (
	linuxHost, windowsHost, macHost = assesstest.LinuxHost, assesstest.WindowsHost, assesstest.MacHost
	appleSilicon, wslHost           = assesstest.AppleSilicon, assesstest.WSLHost
)

func edit[T any](get func(*facts.Preflight) *facts.Value[T], change func(*T)) func(*facts.Facts) {
	return func(f *facts.Facts) { assesstest.Edit(get(&f.Host.Preflight), change) }
}

func inSystem(change func(*facts.HostSystem)) func(*facts.Facts) {
	return edit(func(p *facts.Preflight) *facts.Value[facts.HostSystem] { return &p.System }, change)
}

func inLinux(change func(*facts.Linux)) func(*facts.Facts) {
	return edit(func(p *facts.Preflight) *facts.Value[facts.Linux] { return &p.Linux }, change)
}

func inWindows(change func(*facts.Windows)) func(*facts.Facts) {
	return edit(func(p *facts.Preflight) *facts.Value[facts.Windows] { return &p.Windows }, change)
}

func inDarwin(change func(*facts.Darwin)) func(*facts.Facts) {
	return edit(func(p *facts.Preflight) *facts.Value[facts.Darwin] { return &p.Darwin }, change)
}

func inHome(change func(*facts.VagrantHome)) func(*facts.Facts) {
	return edit(func(p *facts.Preflight) *facts.Value[facts.VagrantHome] { return &p.Home }, change)
}

func inVagrant(change func(*facts.Vagrant)) func(*facts.Facts) {
	return edit(func(p *facts.Preflight) *facts.Value[facts.Vagrant] { return &p.Vagrant }, change)
}

func inEnv(change func(*facts.Env)) func(*facts.Facts) {
	return edit(func(p *facts.Preflight) *facts.Value[facts.Env] { return &p.Env }, change)
}

func inDisk(change func(*facts.Disk)) func(*facts.Facts) {
	return edit(func(p *facts.Preflight) *facts.Value[facts.Disk] { return &p.Disk }, change)
}

func inProject(change func(*facts.Project)) func(*facts.Facts) {
	return edit(func(p *facts.Preflight) *facts.Value[facts.Project] { return &p.Project }, change)
}

// inRecord changes the one machine of the project.
func inRecord(change func(*facts.Record)) func(*facts.Facts) {
	return inProject(func(p *facts.Project) { change(&p.Records[0]) })
}

func inSettings(change func(*facts.VMSettings)) func(*facts.Facts) {
	return inRecord(func(r *facts.Record) { assesstest.Edit(&r.Settings, change) })
}

func inState(state string) func(*facts.Facts) {
	return inRecord(func(r *facts.Record) { assesstest.Edit(&r.VM, func(vm *facts.VM) { vm.State = state }) })
}

func inWanted(change func(*facts.Wanted)) func(*facts.Facts) {
	return edit(func(p *facts.Preflight) *facts.Value[facts.Wanted] { return &p.Wanted }, change)
}

// inWish changes the one machine of the Vagrantfile.
func inWish(change func(*facts.WantedMachine)) func(*facts.Facts) {
	return inWanted(func(w *facts.Wanted) { change(&w.Machines[0]) })
}

// inPort changes the first bind trial, which is that of line 4.
func inPort(change func(*facts.Port)) func(*facts.Facts) {
	return edit(func(p *facts.Preflight) *facts.Value[[]facts.Port] { return &p.Ports }, func(all *[]facts.Port) { change(&(*all)[0]) })
}

func inSSHPort(change func(*facts.Port)) func(*facts.Facts) {
	return edit(func(p *facts.Preflight) *facts.Value[[]facts.Port] { return &p.Ports }, func(all *[]facts.Port) { change(&(*all)[1]) })
}

func inList[T any](get func(*facts.Lists) *facts.Value[T], change func(*T)) func(*facts.Facts) {
	return func(f *facts.Facts) { assesstest.Edit(get(&f.Host.Preflight.Lists), change) }
}

// versionsOf sets VirtualBox and, when given, Vagrant.
func versionsOf(vbox, vagrant string) func(*facts.Facts) {
	return func(f *facts.Facts) {
		assesstest.Edit(&f.Host.VBoxManage, func(m *facts.VBoxManage) { m.Version = vbox })
		if vagrant != "" {
			assesstest.Edit(&f.Host.Preflight.Vagrant, func(v *facts.Vagrant) { v.Version = vagrant })
		}
	}
}

func allOf(changes ...func(*facts.Facts)) func(*facts.Facts) {
	return func(f *facts.Facts) {
		for _, c := range changes {
			c(f)
		}
	}
}

// unread makes a value of the Vagrantfile one that only Ruby could tell.
func unread[T any]() facts.Value[T] {
	return facts.Unknownf[T]("line 7: it depends on more than the file")
}

// On the healthy hosts nothing fails or warns: a doctor that sees faults everywhere is not read.
func TestHealthyHosts(t *testing.T) {
	for name, box := range map[string]assesstest.Box{"linux": linuxHost, "windows": windowsHost, "mac": macHost, "apple silicon": appleSilicon, "wsl": wslHost} {
		for _, c := range All() {
			if c.Target != OnHost {
				continue
			}
			if v := c.Eval(box()); v.Status != "pass" && v.Status != "skip" {
				t.Errorf("%s: %s says %s: %s", name, c.ID, v.Status, v.Message)
			}
		}
	}
}

// Every check of the host says how far its repair goes and where to read on.
func TestHostChecksSayLevelAndLink(t *testing.T) {
	for _, c := range All() {
		if c.Target == OnHost && (c.Level == "" || !strings.HasPrefix(c.Link, "https://") || len(c.Rows) == 0 || c.Rows[0] != c.ID) {
			t.Errorf("%s: level %q, link %q, rows %v", c.ID, c.Level, c.Link, c.Rows)
		}
	}
}
