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
	b, _ := json.MarshalIndent(f, "", " ")
	t.Log(string(b))
	if strings.Contains(string(b), "not supported by the embedded guest") {
		t.Error("the probe uses something that the embedded guest does not know")
	}
}
