package replset

import (
	"strings"
	"testing"
	"time"
)

func TestSummarize(t *testing.T) {
	three := set(member("a:1"), member("b:1"), member("c:1"))
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	seen := func(change func(*Facts)) Facts {
		f := formed("8.0.4", three)
		for i := range f.Status {
			f.Status[i].Optime = at
		}
		change(&f)
		return f
	}
	for name, c := range map[string]struct {
		have     Facts
		says     string
		majority bool
	}{
		"well":      {seen(func(*Facts) {}), "", true},
		"lag":       {seen(func(f *Facts) { f.Status[1].Optime = at.Add(-time.Minute) }), "b:1 is 60 s behind the primary (--max-lag 10s)", true},
		"one down":  {seen(func(f *Facts) { f.Status[2] = Status{Host: "c:1", State: StateDown, Message: "Connection refused"} }), "c:1 is DOWN: Connection refused; once it is gone for good", true},
		"two down":  {seen(func(f *Facts) { f.Nodes[0].Writable = false; f.Status = f.Status[:1] }), "no majority: 1 of 3 votes live", false},
		"no leader": {seen(func(f *Facts) { f.Nodes[0].Writable = false }), "there is no primary", true},
		"missing":   {seen(func(f *Facts) { f.Config.Members = f.Config.Members[:2] }), "c:1 is declared and no member", true},
		"surplus":   {formed("8.0.4", set(member("a:1"), member("b:1"), member("c:1"), member("d:1"))), "d:1 is a member and not declared", true},
		"not told":  {seen(func(f *Facts) { f.Config = nil }), "no member told the set's configuration", false},
		"fresh":     {fresh("8.0.4", "a:1", "b:1", "c:1"), "the set was never formed", false},
	} {
		s := Summarize(three, c.have, 10*time.Second)
		text := strings.Join(s.Problems, "\n")
		if (c.says == "") != (text == "") || !strings.Contains(text, c.says) || (s.ExitCode == 1) != (text != "") || s.Majority != c.majority {
			t.Errorf("%s: exit %d, majority %v: %s", name, s.ExitCode, s.Majority, text)
		}
	}
}

func TestWithoutTheUnreachable(t *testing.T) {
	f := formed("8.0.4", set(member("a:1"), member("b:1"), Member{Host: "c:1", Hidden: true, Tags: map[string]string{"x": "y"}}))
	f.Status[1] = Status{Host: "b:1", State: StateDown}
	s, gone := Without(f)
	if len(gone) != 1 || gone[0] != "b:1" || len(s.Members) != 2 || !s.Members[1].Hidden || s.Members[1].Tags["x"] != "y" {
		t.Errorf("%v %+v", gone, s)
	}
	if steps := Plan(s, f); len(steps) != 1 || steps[0].What != "remove b:1" {
		t.Error(kinds(steps))
	}
	if _, gone := Without(formed("8.0.4", set(member("a:1")))); len(gone) != 0 {
		t.Errorf("%v", gone)
	}
}
