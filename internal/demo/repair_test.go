package demo_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/fixes"
	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/demo"
	"github.com/boxdoctor/boxdoctor/internal/demo/el6"
	"github.com/boxdoctor/boxdoctor/internal/engine"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/guest/sshguest"
)

type noJournal struct{}

func (noJournal) Record(action.Entry) error { return nil }

// patient is the guest as the engine sees it. password is sudo's.
func patient(g *demo.Guest, password string) engine.Machine {
	cfg := g.SSH()
	cfg.Getenv = func(name string) string {
		if strings.HasPrefix(name, "BOXDOCTOR_SUDO_PASSWORD") {
			return password
		}
		return ""
	}
	return engine.Machine{Facts: g.Machine(), Host: g.Host(), Named: true,
		Dial: func(ctx context.Context) (guest.Guest, facts.Reach, error) {
			c, reach, err := sshguest.Dial(ctx, cfg)
			if err != nil {
				return nil, reach, err
			}
			return c, reach, nil
		}}
}

func repair(t *testing.T, g *demo.Guest, password string) finding.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	o := engine.Options{Parallel: 1, Timeout: time.Minute, Log: func(_, text string) { t.Log(strings.TrimRight(text, "\n")) }}
	return engine.Fix(ctx, []engine.Machine{patient(g, password)}, nil, engine.FixOptions{Options: o, Journal: noJournal{}, Plan: fixes.Input{ISO: g.ISO()}})
}

func statuses(r finding.Report) string {
	var out []string
	for _, m := range r.Machines {
		for _, f := range m.Findings {
			if f.Status != finding.Pass && f.Status != finding.Skip {
				out = append(out, string(f.Status)+" "+f.ID+": "+f.Message)
			}
		}
	}
	return strings.Join(out, "\n")
}

// TestRealRepair runs boxdoctor's real plan and actions over the real transport in every scene. Afterwards all
// checks pass, and a second run changes nothing.
func TestRealRepair(t *testing.T) {
	for name, c := range map[string]struct {
		scene    demo.Scene
		password string
		// left is what no repair can clear.
		left  string
		after []step
	}{
		"founding": {demo.Founding(), "", "", []step{
			{"uname -r", 0, []string{demo.ArchiveKernel}},
			{"mountpoint /home/rc && stat -c %u:%g /home/rc", 0, []string{"500:500"}},
			{"cat /etc/yum/pluginconf.d/versionlock.list", 0, []string{"0:kernel-devel-2.6.32-754.35.1.el6.*\n", "0:kernel-2.6.32-754.35.1.el6.*\n"}},
			{"ls /var/lib/boxdoctor/pending", 0, nil},
			{"find /var/lib/boxdoctor /tmp /var/tmp -name '*.iso'", 0, nil},
		}},
		"tools missing":    {demo.Founding().With(demo.ToolsMissing), "", "", []step{{"command -v gcc make perl bzip2", 0, nil}}},
		"working repos":    {demo.Founding().With(demo.ReposWork), "", "", nil},
		"no locks":         {demo.Founding().With(demo.NoLocks), "", "", nil},
		"exclude":          {demo.Founding().With(demo.Excluded), "", "", []step{{"grep '^exclude=kernel\\*' /etc/yum.conf", 0, nil}}},
		"full /tmp":        {demo.Founding().With(demo.TmpFull), "", "fail space.free: /tmp has 0 MiB left", []step{{"mountpoint /home/rc && mountpoint /tmp && ls /tmp", 0, []string{"full"}}}},
		"sudo password":    {demo.Founding().With(demo.Sudo(el6.SudoPassword, "s3cret pass")), "s3cret pass", "", nil},
		"interrupted":      {demo.Founding().With(demo.Interrupted), "", "", []step{{"ls /var/lib/boxdoctor/pending; cat /etc/yum/pluginconf.d/versionlock.list", 0, []string{"0:kernel-headers-"}}}},
		"healthy at first": {demo.Healthy(), "", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := start(t, c.scene)
			began := time.Now()
			r := repair(t, g, c.password)
			t.Logf("repaired in %s", time.Since(began).Round(time.Millisecond))
			if bad := statuses(r); bad != c.left {
				t.Fatalf("after the repair (exit code %d):\n%s\nwant %q", r.ExitCode, bad, c.left)
			}
			steps(t, g, c.after)
			again := repair(t, g, c.password)
			if len(again.Actions) > 0 {
				t.Errorf("the second run changed something: %+v", again.Actions)
			}
		})
	}
}

// TestPowerCutInATransaction pulls the plug while yum installs: the locks are off then. The next run restores
// them and finishes the repair.
func TestPowerCutInATransaction(t *testing.T) {
	g := start(t, demo.Founding().With(demo.ReposWork))
	cut := make(chan struct{})
	go func() {
		defer close(cut)
		for t.Context().Err() == nil {
			out, _ := g.Run(t.Context(), "cat /var/lib/boxdoctor/jobs/*/log 2>/dev/null")
			if strings.Contains(out, "Running Transaction\n") {
				g.PowerCut()
				return
			}
			select {
			case <-time.After(2 * time.Millisecond):
			case <-t.Context().Done():
			}
		}
	}()
	first := repair(t, g, "")
	<-cut
	if len(first.Actions) == 0 {
		t.Fatal("the first run did nothing")
	}
	last := repair(t, g, "")
	if bad := statuses(last); bad != "" {
		t.Errorf("after the second run:\n%s", bad)
	}
	steps(t, g, []step{
		{"ls /var/lib/boxdoctor/pending", 0, nil},
		{"cat /etc/yum/pluginconf.d/versionlock.list", 0, []string{"0:kernel-devel-2.6.32-", "0:kernel-headers-2.6.32-"}},
	})
}

// TestLostLinksDoNotStopARepair cuts every connection while a job runs, in each of the first jobs.
func TestLostLinksDoNotStopARepair(t *testing.T) {
	g := start(t, demo.Founding().With(demo.ReposWork))
	done, stop := make(chan int), make(chan struct{})
	go func() {
		cuts, seen := 0, map[string]bool{}
		for {
			select {
			case <-time.After(2 * time.Millisecond):
			case <-stop:
				done <- cuts
				return
			}
			out, _ := g.Run(t.Context(), "for d in /var/lib/boxdoctor/jobs/*; do [ -e $d/pid ] && [ ! -e $d/rc ] && echo $d; done")
			if out != "" && !seen[out] {
				seen[out] = true
				cuts++
				g.DropLinks()
			}
		}
	}()
	r := repair(t, g, "")
	close(stop)
	if cuts := <-done; cuts == 0 {
		t.Error("no link was cut")
	}
	if bad := statuses(r); bad != "" {
		t.Errorf("after the repair:\n%s", bad)
	}
}
