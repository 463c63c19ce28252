package provision

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// Stage is what a role does across machines. It comes after the resources of every machine, over the same connections.
type Stage struct {
	// Name heads its steps: "mongo".
	Name string
	// On are its machines. When one of them is not as declared, the stage is skipped with that reason. None: all machines
	// of the run, in whatever state they are.
	On []string
	// Run observes all machines, makes the differences, observes again, and returns what it did in its order.
	Run func(ctx context.Context, crew *Crew) []StageStep
}

// StageStep is a step of one machine of a stage.
type StageStep struct {
	Machine string
	Step
	// Unverified: something was changed, and whether it is as declared could not be seen.
	Unverified bool
}

// Crew are the machines of a stage while it runs.
type Crew struct {
	// Check plans and changes nothing.
	Check bool
	runs  map[string]*run
}

// Guest is the connection to a machine; nil when it was not worked on in this run.
func (c *Crew) Guest(machine string) guest.Guest {
	if r := c.runs[machine]; r != nil {
		return r.guest
	}
	return nil
}

// Machines are their names, sorted.
func (c *Crew) Machines() []string { return sortedKeys(c.runs) }

// Do makes one action in a machine, with journal and Ctrl-C as everywhere.
func (c *Crew) Do(ctx context.Context, machine, step string, a action.Action) error {
	r := c.runs[machine]
	if r == nil || r.target == nil {
		return fmt.Errorf("%s: the machine was not worked on in this run", machine)
	}
	return action.Do(ctx, r.target, "provision "+step, a)
}

// Progress tells what happens now on a machine.
func (c *Crew) Progress(machine, what string) {
	if r := c.runs[machine]; r != nil {
		r.progress(what)
	}
}

// Stop is closed when the person asked to stop.
func (c *Crew) Stop() <-chan struct{} {
	for _, r := range c.runs {
		return r.o.Stop
	}
	return nil
}

// Now is the clock of the run.
func (c *Crew) Now() time.Time {
	for _, r := range c.runs {
		return r.now()
	}
	return time.Now()
}

// stage runs one stage over the machines of a run.
func (s Stage) run(ctx context.Context, runs []*run, check bool) {
	crew := &Crew{Check: check, runs: map[string]*run{}}
	for _, r := range runs {
		if len(s.On) == 0 || slices.Contains(s.On, r.m.Name) {
			crew.runs[r.m.Name] = r
		}
	}
	if len(crew.runs) == 0 {
		return
	}
	if why := crew.unready(ctx, s.On); why != "" {
		for _, r := range crew.runs {
			r.steps = append(r.steps, Step{Resource: s.Name, Result: Skipped, Message: "not reached, because " + why})
		}
		return
	}
	for _, step := range s.Run(ctx, crew) {
		crew.take(step)
	}
}

// unready is why the stage cannot begin: a machine is missing, or not as declared. A dry run only needs the machines.
func (c *Crew) unready(ctx context.Context, on []string) string {
	var out []string
	for _, name := range on {
		r := c.runs[name]
		switch {
		case r == nil:
			out = append(out, name+" is not among the machines of this run")
		case r.guest == nil || r.out.Message != "":
			out = append(out, name+" was not reached")
		case r.stopped(ctx):
			out = append(out, "the run was interrupted")
		case slices.ContainsFunc(r.steps, func(s Step) bool { return s.Result == Failed || s.Result == Skipped }):
			out = append(out, name+" is not as declared")
		}
	}
	return strings.Join(uniq(out), "; ")
}

// pending says that a dry run found something to change on a machine.
func (c *Crew) pending(machine string) bool {
	r := c.runs[machine]
	return r != nil && slices.ContainsFunc(r.steps, func(s Step) bool { return s.Result == WouldChange || s.Result == MayChange })
}

// take puts a step into its machine's report. What was changed and could not be proven is no failure of the plan: it
// has an exit code of its own.
func (c *Crew) take(s StageStep) {
	if r := c.runs[s.Machine]; r != nil {
		r.steps = append(r.steps, s.Step)
		r.out.Unverified = r.out.Unverified || s.Unverified
	}
}
