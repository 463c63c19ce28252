package demo_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/demo"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/guest/sshguest"
	"github.com/boxdoctor/boxdoctor/internal/probe"
)

var everything = []facts.Key{
	facts.KeySystem, facts.KeySudo, facts.KeyKernel, facts.KeyPackages, facts.KeyLocks, facts.KeyRepos, facts.KeyResolve, facts.KeyTools, facts.KeySpace,
	facts.KeyAdditions, facts.KeyModules, facts.KeyServices, facts.KeyMounts, facts.KeySecurity, facts.KeyClock, facts.KeyGALog, facts.KeyActivity,
}

func dial(t *testing.T, g *demo.Guest) *sshguest.Guest {
	t.Helper()
	c, _, err := sshguest.Dial(t.Context(), g.SSH())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// observe runs boxdoctor's real probe over the real transport.
func observe(t *testing.T, g *demo.Guest) facts.Guest {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := probe.Collect(ctx, dial(t, g), everything, probe.Params{Wanted: g.Host().Folders.Or(nil), User: g.Machine().User}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func known[T any](t *testing.T, name string, v facts.Value[T]) T {
	t.Helper()
	out, err := v.Get()
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	return out
}

// TestRealProbeReadsTheFoundingScene: every section is answered, and with the numbers of the first report.
func TestRealProbeReadsTheFoundingScene(t *testing.T) {
	g := start(t, demo.Founding())
	began := time.Now()
	f := observe(t, g)
	t.Logf("the probe took %s", time.Since(began).Round(time.Millisecond))
	b, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "not supported by the embedded guest") || strings.Contains(string(b), `"unknown":"section`) {
		t.Errorf("the probe uses something that the embedded guest does not know: %s", b)
	}
	k := known(t, "kernel", f.Kernel)
	if k.Running != demo.RunningKernel || k.Default != demo.InstalledKernel || len(k.Trees) != 2 || k.Trees[0].BuildOK || !k.Trees[0].HasModules {
		t.Errorf("kernel %+v", k)
	}
	if l := known(t, "locks", f.Locks); len(l.Entries) != 4 || !l.YumPluginEnabled || l.Pending != "" {
		t.Errorf("locks %+v", l)
	}
	if a := known(t, "additions", f.Additions); a.ConfigVersion != "4.3.6" || a.Control != "4.3.6r91406" || !a.Helper.Exec || a.ShareNames != nil {
		t.Errorf("additions %+v", a)
	}
	if m := known(t, "modules", f.Modules); m.Guest.File != "" || m.Guest.Loaded || m.FSRegistered {
		t.Errorf("modules %+v", m)
	}
	if r := known(t, "resolve", f.Resolve); len(r.Candidates) != 2 || r.Candidates[0].State != facts.CandError || len(r.Kernels) != 0 {
		t.Errorf("resolve %+v", r)
	}
	if r := known(t, "repos", f.Repos); r.Hosts["mirrorlist.centos.org"] != "no" || len(r.List) != 4 {
		t.Errorf("repos %+v", r)
	}
	if m := known(t, "mounts", f.Mounts); len(m.VBoxSF) != 0 || len(m.Wanted) != 1 || m.Wanted[0].WantUID != 500 {
		t.Errorf("mounts %+v", m)
	}
	if c := known(t, "clock", f.Clock); c.Skew.Abs() > c.Slack+time.Second {
		t.Errorf("clock %+v", c)
	}
	if s := known(t, "system", f.System); s.ID != "centos" || s.Manager != "yum" || !s.PCIDevice || s.BootID != g.System().BootID() {
		t.Errorf("system %+v", s)
	}
}

// TestProbeLeavesNothingBehind: the examination changes no file of the guest.
func TestProbeLeavesNothingBehind(t *testing.T) {
	g := start(t, demo.Founding())
	dirs := []string{"/etc", "/home", "/tmp", "/var", "/root", "/opt", "/usr", "/boot", "/lib"}
	before := g.System().Snapshot(dirs...)
	observe(t, g)
	if after := g.System().Snapshot(dirs...); after != before {
		t.Error("the probe changed the guest's files")
	}
}

// TestClockAhead: the probe measures the guest's own clock.
func TestClockAhead(t *testing.T) {
	f := observe(t, start(t, demo.Founding().With(demo.ClockAhead(time.Hour))))
	if c := known(t, "clock", f.Clock); (c.Skew - time.Hour).Abs() > 5*time.Second {
		t.Errorf("skew %s, want an hour", c.Skew)
	}
}
