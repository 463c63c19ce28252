package checks

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
)

// row is one machine and what a check must say of it: a healthy machine, changed.
type row struct {
	name   string
	status finding.Status
	// says must occur in the message, wanted or seen part of the verdict, or a command.
	says   string
	box    assesstest.Box
	change func(*facts.Facts)
}

// cases are the rows of every check, filled by the file of its area.
var cases = map[string][]row{}

// rows adds the rows of one check. The names say what is different from a healthy machine.
func rows(id string, rs ...row) bool {
	cases[id] = append(cases[id], rs...)
	return true
}

func pass(name string, box assesstest.Box, change func(*facts.Facts)) row {
	return row{name, finding.Pass, "", box, change}
}

func fail(name, says string, box assesstest.Box, change func(*facts.Facts)) row {
	return row{name, finding.Fail, says, box, change}
}

func warn(name, says string, box assesstest.Box, change func(*facts.Facts)) row {
	return row{name, finding.Warn, says, box, change}
}

func skip(name, says string, box assesstest.Box, change func(*facts.Facts)) row {
	return row{name, finding.Skip, says, box, change}
}

func unknown(name string, box assesstest.Box, change func(*facts.Facts)) row {
	return row{name, finding.Unknown, "", box, change}
}

// as is a healthy machine, unchanged.
func as(*facts.Facts) {}

func (r row) facts() *facts.Facts {
	f := r.box()
	r.change(f)
	return f
}

func TestCases(t *testing.T) {
	for id, rs := range cases {
		c, ok := ByID(id)
		if !ok {
			t.Errorf("rows for %s, which does not exist", id)
			continue
		}
		for _, r := range rs {
			t.Run(id+"/"+r.name, func(t *testing.T) {
				v := c.Eval(r.facts())
				if v.Status != r.status {
					t.Fatalf("%s, want %s: %s", v.Status, r.status, v.Message)
				}
				if all := everything(v); !strings.Contains(all, r.says) {
					t.Errorf("%q is not said in %q", r.says, all)
				}
				wellSaid(t, v)
			})
		}
	}
}

func everything(v finding.Verdict) string {
	out := []string{v.Message, v.Want, v.Got}
	for _, a := range v.Advice {
		out = append(out, a.Text, a.Command)
	}
	return strings.Join(out, "\n")
}

// wellSaid: what is broken is never an empty or unfinished sentence, and what cannot be told says why.
func wellSaid(t *testing.T, v finding.Verdict) {
	t.Helper()
	if v.Message == "" || strings.Contains(everything(v), "%!") {
		t.Errorf("badly said: %+v", v)
	}
	for _, a := range v.Advice {
		if a.Text == "" || strings.Contains(a.Command, "  ") && !strings.Contains(a.Command, "#") {
			t.Errorf("bad advice: %+v", a)
		}
	}
	if v.Status == finding.Fail && (v.Want == v.Got) && v.Want != "" {
		t.Errorf("want and got are the same: %q", v.Want)
	}
}

// noRow are checks that have no row of a kind, with the reason.
var noRow = map[string]map[finding.Status]string{
	reachable: {finding.Fail: "a guest that does not answer is unknown, so that the exit status is 3"},
}

func TestEveryCheckHasRowsOfEveryKind(t *testing.T) {
	for _, c := range All() {
		has := map[finding.Status]bool{}
		for _, r := range cases[c.ID] {
			has[r.status] = true
		}
		has[finding.Fail] = has[finding.Fail] || has[finding.Warn]
		for _, st := range []finding.Status{finding.Pass, finding.Fail, finding.Unknown} {
			if !has[st] && noRow[c.ID][st] == "" {
				t.Errorf("%s has no row that ends in %s", c.ID, st)
			}
		}
	}
}

// Every check asks for the sections that it reads: a verdict over only those facts is the verdict over all.
func TestNeedsAreComplete(t *testing.T) {
	for id, rs := range cases {
		c, _ := ByID(id)
		if c.Target != OnGuest {
			continue
		}
		for _, r := range rs {
			f := r.facts()
			want := c.Eval(f)
			only(&f.Guest, c.Needs)
			if got := c.Eval(f); got.Status != want.Status || got.Message != want.Message {
				t.Errorf("%s/%s: with its needs alone %s (%s), with everything %s (%s)", id, r.name, got.Status, got.Message, want.Status, want.Message)
			}
		}
	}
}

// only forgets the sections that are not named.
func only(g *facts.Guest, keys []facts.Key) {
	for key, forget := range map[facts.Key]func(){
		facts.KeySystem: func() { assesstest.Forget(&g.System) }, facts.KeySudo: func() { assesstest.Forget(&g.Sudo) },
		facts.KeyKernel: func() { assesstest.Forget(&g.Kernel) }, facts.KeyPackages: func() { assesstest.Forget(&g.Packages) },
		facts.KeyLocks: func() { assesstest.Forget(&g.Locks) }, facts.KeyRepos: func() { assesstest.Forget(&g.Repos) },
		facts.KeyResolve: func() { assesstest.Forget(&g.Resolve) }, facts.KeyTools: func() { assesstest.Forget(&g.Tools) },
		facts.KeySpace: func() { assesstest.Forget(&g.Space) }, facts.KeyAdditions: func() { assesstest.Forget(&g.Additions) },
		facts.KeyModules: func() { assesstest.Forget(&g.Modules) }, facts.KeyServices: func() { assesstest.Forget(&g.Services) },
		facts.KeyMounts: func() { assesstest.Forget(&g.Mounts) }, facts.KeySecurity: func() { assesstest.Forget(&g.Security) },
		facts.KeyClock: func() { assesstest.Forget(&g.Clock) }, facts.KeyGALog: func() { assesstest.Forget(&g.GALog) },
		facts.KeyActivity: func() { assesstest.Forget(&g.Activity) }, facts.KeyMongo: func() { assesstest.Forget(&g.Mongo) },
	} {
		if !slices.Contains(keys, key) {
			forget()
		}
	}
}

// No check may fail or warn on a machine on which everything works.
func TestNobodyCriesWolf(t *testing.T) {
	for name, box := range assesstest.Healthy {
		for _, variant := range []struct {
			name   string
			change func(*facts.Facts)
		}{
			{"as it is", as},
			{"no compiler, no headers, repositories not asked", bare},
			{"host not known", func(f *facts.Facts) {
				f.Host.Explicit, f.Host.VBoxManage = true, facts.Known(facts.VBoxManage{})
				assesstest.Forget(&f.Host.VM)
				assesstest.Forget(&f.Host.AdditionsISO)
			}},
			{"the kernel's own modules alone", func(f *facts.Facts) {
				assesstest.InKernel(f)
				f.Guest.Services = facts.Known(facts.Services{})
			}},
			{"locks on everything", func(f *facts.Facts) {
				assesstest.Locked(f, "", "", facts.Lock{Kind: facts.LockYum, Entry: "0:kernel-1-1.*"}, facts.Lock{Kind: facts.LockDNF, Entry: "kernel*-0:1-1.*"},
					facts.Lock{Kind: facts.LockExcl, Entry: "kernel*"}, facts.Lock{Kind: facts.LockApt, Entry: "linux-image-amd64"}, facts.Lock{Kind: facts.LockZypper, Entry: "kernel*"})
			}},
			{"an old log of a build that failed", func(f *facts.Facts) {
				f.Guest.GALog = facts.Known(facts.GALog{Path: "/var/log/vboxadd-setup.log", Text: "Error building the module.  Build output follows.\n"})
			}},
		} {
			f := box()
			variant.change(f)
			for _, v := range diagnose(f) {
				if v.Status == finding.Fail || v.Status == finding.Warn {
					t.Errorf("%s, %s: %s says %s: %s", name, variant.name, v.ID, v.Status, v.Message)
				}
			}
		}
	}
}

// bare is a box as it comes: what only a build needs is not there.
func bare(f *facts.Facts) {
	f.Guest.Tools = facts.Known(facts.Tools{Path: map[string]string{}, NeedsLibELF: true})
	assesstest.Edit(&f.Guest.Kernel, func(k *facts.Kernel) { k.Trees[0].BuildOK, k.Trees[0].Headers, k.Trees[0].Build = false, false, "" })
	assesstest.Forget(&f.Guest.Resolve)
	assesstest.Edit(&f.Guest.Space, func(s *[]facts.Space) {
		for i := range *s {
			(*s)[i].FreeKB, (*s)[i].FreeInodes = 20<<10, 5000
		}
	})
}

// diagnose judges a guest as the engine does: prerequisites first, then each check, then the nearest failing cause.
func diagnose(f *facts.Facts) map[string]finding.Finding {
	out := map[string]finding.Finding{}
	var judge func(c Check) finding.Status
	judge = func(c Check) finding.Status {
		if done, ok := out[c.ID]; ok {
			return done.Status
		}
		v := finding.Verdict{}
		for _, id := range c.After {
			dep, _ := ByID(id)
			if st := judge(dep); st != finding.Pass && st != finding.Warn && v.Status == "" {
				v = finding.Skipf("needs %s", id)
			}
		}
		if v.Status == "" {
			v = c.Eval(f)
		}
		out[c.ID] = finding.Finding{ID: c.ID, Status: v.Status, Message: v.Message, Want: v.Want, Got: v.Got, Fix: c.Fix}
		return v.Status
	}
	for _, c := range All() {
		if c.Target == OnGuest {
			judge(c)
		}
	}
	for id, v := range out {
		c, _ := ByID(id)
		if v.Status != finding.Fail && v.Status != finding.Warn {
			continue
		}
		for _, cause := range c.CausedBy {
			if out[cause].Status == finding.Fail {
				v.CausedBy = cause
				out[id] = v
				break
			}
		}
	}
	return out
}

// roots are the failing findings that nothing else explains, sorted.
func roots(all map[string]finding.Finding) []string {
	var out []string
	for id, v := range all {
		if v.Status == finding.Fail && v.CausedBy == "" {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// Signatures name checks, which must exist; a row of the host catalogue may be named before it has a check.
func TestSignaturesNameChecks(t *testing.T) {
	for _, s := range knowledge.Signatures() {
		if _, ok := ByID(s.Check); !ok && !slices.Contains(s.Rows, s.Check) {
			t.Errorf("%s names %s, which does not exist", s.ID, s.Check)
		}
	}
}

// unsaid are rows of general knowledge whose findings say nothing of it: yum's lock is what the founding case's report
// shows, and the resolver is asked before anybody is told.
var unsaid = []string{"L1"}

// What is only general knowledge, and was not confirmed on a real guest, says so in its finding.
func TestGeneralKnowledgeSaysHowCertainItIs(t *testing.T) {
	catalogue, proofs := lines(t, "../testdata/rows/catalogue.txt"), lines(t, "../testdata/rows/proofs.txt")
	for _, line := range catalogue {
		id, _, _ := strings.Cut(line, " ")
		id, general := strings.CutSuffix(id, "*")
		proven := slices.ContainsFunc(proofs, func(p string) bool { return strings.HasPrefix(p, id+" ") && !strings.HasPrefix(p, id+" demo ") })
		if !general || proven || slices.Contains(unsaid, id) {
			continue
		}
		if !saysHowCertain(id) {
			t.Errorf("row %s is general knowledge: no row of cases named (%s) says how certain it is (Verdict.Likely)", id, id)
		}
	}
}

func saysHowCertain(id string) bool {
	for check, rs := range cases {
		c, _ := ByID(check)
		for _, r := range rs {
			if strings.Contains(r.name, "("+id+")") && strings.Contains(c.Eval(r.facts()).Message, "likely, not certain") {
				return true
			}
		}
	}
	return false
}

func lines(t *testing.T, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(b), "\n")
}

// The rows of the catalogue that issue 1 asks for are recognised by some check.
func TestRowsOfTheIssueAreCovered(t *testing.T) {
	want := strings.Fields("M4 M5 M6 M7 M8 S14 S15 V1 V2 V3 V4 V5 V6 V16 V21 K1 K2 K3 K4 K5 K6 K8 K9 L1 L2 L3 L4 L5 L6 L9 L10 L11 L12 L15 L18 " +
		"T1 T2 T3 T4 S6 S7 S8 S1 S2 S3 S4 M1 T7 M10 S11")
	var have []string
	for _, c := range All() {
		have = append(have, c.Rows...)
	}
	for _, r := range want {
		if !slices.Contains(have, r) {
			t.Errorf("no check recognises row %s", r)
		}
	}
}

// A fact that is not known makes a verdict unknown, never a panic and never "broken".
func TestOneForgottenSectionNeverFails(t *testing.T) {
	all := []facts.Key{facts.KeySystem, facts.KeySudo, facts.KeyKernel, facts.KeyPackages, facts.KeyLocks, facts.KeyRepos, facts.KeyResolve, facts.KeyTools,
		facts.KeySpace, facts.KeyAdditions, facts.KeyModules, facts.KeyServices, facts.KeyMounts, facts.KeySecurity, facts.KeyClock, facts.KeyGALog, facts.KeyActivity}
	for name, box := range assesstest.Healthy {
		for _, gone := range all {
			f := box()
			only(&f.Guest, slices.DeleteFunc(slices.Clone(all), func(k facts.Key) bool { return k == gone }))
			for id, v := range diagnose(f) {
				if v.Status == finding.Fail || v.Status == finding.Warn {
					t.Errorf("%s without %s: %s says %s: %s", name, gone, id, v.Status, v.Message)
				}
			}
		}
	}
}
