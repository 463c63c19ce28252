package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/report"
	"github.com/boxdoctor/boxdoctor/internal/supervisor"
)

// psTarget are the programs of one supervisord that a name means.
type psTarget struct {
	machine  *psMachine
	instance supervisor.Instance
	programs []supervisor.Program
}

// meant tells whether a word means a program: NAME, GROUP:NAME or GROUP:*.
func meant(word string, p supervisor.Program) bool {
	return word == p.Name || word == p.Group+":"+p.Name || word == p.Group+":*" || word == p.Group+":"
}

// psTargets are the programs that o.Name means on these machines. A name that nothing has is a usage error.
func psTargets(ms []*psMachine, o *psOptions) ([]psTarget, error) {
	var out []psTarget
	var known []string
	for _, m := range ms {
		for _, i := range m.Supervisors {
			t := psTarget{machine: m, instance: i}
			for _, p := range i.Programs {
				known = append(known, p.FullName())
				if meant(o.Name, p) {
					t.programs = append(t.programs, p)
				}
			}
			if len(t.programs) > 0 {
				out = append(out, t)
			}
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	e := unknown("program", o.Name, known)
	if e.hint == "" {
		e.hint = "The programs: boxdoctor ps"
	}
	return nil, e
}

// one refuses a name that stands for programs of several machines when none was named.
func one(ts []psTarget, o *psOptions) error {
	var machines []string
	for _, t := range ts {
		machines = append(machines, t.machine.Name)
	}
	machines = slices.Compact(machines)
	if len(machines) < 2 || len(o.Machines) > 0 {
		return nil
	}
	return usagef("%s runs on several machines: %s", o.Name, strings.Join(machines, ", ")).
		withHint("Say which: boxdoctor ps %s %s %s", o.Verb, o.Name, machines[0])
}

// runPsVerb starts, stops or restarts what the name means, machine by machine, and looks again.
func (a *app) runPsVerb(ctx context.Context, o *psOptions) error {
	s := a.begin(ctx, "ps "+string(o.Verb), o.Verbose, firstStop, secondStop)
	ms, targets, err := s.psTargets(o)
	defer hangUp(ms)
	if err == nil {
		err = one(targets, o)
	}
	if err != nil {
		return s.ended(err)
	}
	cut := false
	for _, t := range targets {
		if s.Interrupted() {
			break
		}
		s.progress.Set(t.machine.Name, string(o.Verb)+" "+o.Name)
		err := supervisor.Change(s.Hard, t.machine.guest, t.instance.Config, o.Verb, t.programs)
		s.progress.Set(t.machine.Name, "")
		if err != nil {
			cut = cut || errors.Is(err, guest.ErrUnknownOutcome)
			a.say(t.machine.Name + ": " + report.Clean(err.Error()))
		}
	}
	r := s.lookAt(s.Hard, ms, o)
	interrupted := s.end()
	code := judged(&r, o)
	switch {
	case interrupted:
		code = finding.ExitInterrupted
	case cut && code != finding.ExitOK:
		code = finding.ExitUnverified
	}
	return errors.Join(a.showPs(r, o), withCode(code))
}

// judged leaves in the report what the name means, and says whether it stands as it was told to.
func judged(r *psReport, o *psOptions) int {
	found, code := false, finding.ExitOK
	for _, m := range r.Machines {
		for k := range m.Supervisors {
			i := &m.Supervisors[k]
			i.Programs = slices.DeleteFunc(i.Programs, func(p supervisor.Program) bool { return !meant(o.Name, p) })
			for _, p := range i.Programs {
				found = true
				if running := p.State == "RUNNING" || p.State == "EXITED"; running == (o.Verb == supervisor.Stop) && p.State != "EXITED" {
					code = finding.ExitFailed
				}
			}
		}
		m.Supervisors = slices.DeleteFunc(m.Supervisors, func(i supervisor.Instance) bool { return len(i.Programs) == 0 })
	}
	r.Machines = slices.DeleteFunc(r.Machines, func(m *psMachine) bool { return m.Error == "" && len(m.Supervisors) == 0 })
	if !found {
		return finding.ExitUnverified
	}
	return code
}

// psTargets looks at all machines and finds what the name means.
func (s *session) psTargets(o *psOptions) ([]*psMachine, []psTarget, error) {
	ms, err := s.psMachines(o)
	if err != nil {
		return ms, nil, err
	}
	s.lookAt(s.Soft, ms, o)
	if s.Interrupted() {
		return ms, nil, errInterrupted
	}
	targets, err := psTargets(ms, o)
	if err == nil {
		return ms, targets, nil
	}
	for _, m := range ms {
		if m.Error != "" && (m.named || m.Reachable) {
			return ms, nil, &failure{finding.ExitUnexamined, fmt.Errorf("%s could not be asked: %s", m.Name, m.Error)}
		}
	}
	return ms, nil, err
}

// runPsTail prints the end of what the programs wrote, with a head for each when there are several.
func (a *app) runPsTail(ctx context.Context, o *psOptions) error {
	s := a.begin(ctx, "ps tail", o.Verbose, psStop)
	ms, targets, err := s.psTargets(o)
	defer hangUp(ms)
	if err != nil {
		return s.ended(err)
	}
	stream := supervisor.Stdout
	if o.Stderr {
		stream = supervisor.Stderr
	}
	var b strings.Builder
	code := finding.ExitOK
	for _, t := range targets {
		for _, p := range t.programs {
			text, err := supervisor.Tail(s.Soft, t.machine.guest, t.instance.Config, p, stream)
			if err != nil {
				a.say(fmt.Sprintf("%s: %s: %s", t.machine.Name, p.FullName(), report.Clean(err.Error())))
				code = finding.ExitUnexamined
				continue
			}
			if len(targets) > 1 || len(t.programs) > 1 {
				fmt.Fprintf(&b, "==> %s %s\n", t.machine.Name, p.FullName())
			}
			b.WriteString(lastLines(report.Clean(text), o.Lines))
		}
	}
	if s.end() {
		return errInterrupted
	}
	return errors.Join(a.print(b.String()), withCode(code))
}

// lastLines are the last n lines of a text, each with its end.
func lastLines(text string, n int) string {
	lines := strings.SplitAfter(strings.TrimRight(text, "\n")+"\n", "\n")
	lines = lines[:len(lines)-1]
	if text == "" {
		return ""
	}
	return strings.Join(lines[max(0, len(lines)-n):], "")
}
