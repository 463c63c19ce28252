package action

import (
	"context"
	_ "embed" // the script below
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

//go:embed bundle.sh
var bundleScript string

// Step is an action on behalf of a fix.
type Step struct {
	Fix    string
	Action Action
}

const (
	// bundleSteps and bundleBytes bound what goes to a guest as one job, bundledFile a file's content within it.
	bundleSteps = 100
	bundleBytes = 1 << 20
	bundledFile = 64 << 10
)

// errNotBegun means that an earlier step of the same bundle did not succeed.
var errNotBegun = errors.New("not begun, because a step before it did not succeed")

// DoAll executes steps in order until one does not succeed. Neighbours that take only a moment go to the guest in one
// job; each is recorded with its inverse before the first of them is made. It returns how many succeeded, and why the
// next one did not (the errors of Do).
func DoAll(ctx context.Context, t *Target, steps []Step) (int, error) {
	for done := 0; done < len(steps); {
		n := bundled(steps[done:])
		if n < 2 {
			if err := Do(ctx, t, steps[done].Fix, steps[done].Action); err != nil {
				return done, err
			}
			done++
			continue
		}
		made, err := doBundle(ctx, t, steps[done:done+n])
		if done += made; err != nil {
			return done, err
		}
	}
	return len(steps), nil
}

// bundled is how many of the first steps can go to the guest together.
func bundled(steps []Step) int {
	size := 0
	for n, s := range steps {
		p, ok := partOf(s.Action)
		size += len(p.script) + len(p.stdin)
		if !ok || n == bundleSteps || size > bundleBytes {
			return n
		}
	}
	return len(steps)
}

// part is a step within a bundle: a script, its arguments and its standard input.
type part struct {
	script, stdin string
	args          []string
	timeout       time.Duration
	changed       []Change
}

// partOf tells whether an action takes only a moment and may stand in a job's script, which stays in the guest: a secret
// may not.
func partOf(a Action) (part, bool) {
	switch a := a.(type) {
	case Job:
		return part{script: a.Lib + a.Script, args: a.Args, timeout: a.Timeout, changed: a.Changed}, a.Brief && !a.Judge
	case PutFile:
		fit := !a.Secret && len(a.Content) <= bundledFile && !strings.Contains(a.Content, "\x00")
		return part{script: putScript, stdin: a.Content, args: a.args(), timeout: time.Minute}, fit
	}
	return part{}, false
}

// doBundle makes steps in one job, and tells how many of them succeeded.
func doBundle(ctx context.Context, t *Target, steps []Step) (int, error) {
	if err := t.mayBegin(ctx); err != nil {
		return 0, err
	}
	first := t.seq + 1
	var begun []Entry
	for _, s := range steps {
		e, err := t.begin(s.Fix, s.Action)
		if err != nil {
			return 0, errors.Join(err, t.end(begun, 0, errNotBegun))
		}
		begun = append(begun, e)
	}
	t.say(fmt.Sprintf("%s and %d more", steps[0].Action.Title(), len(steps)-1))
	err := t.bundleJob(steps, first).apply(ctx, t)
	made, err := reached(steps, err)
	if jerr := t.end(begun, made, err); jerr != nil {
		err = errors.Join(err, jerr)
	}
	return made, err
}

// bundleJob is the job of steps whose first has this number in the run.
func (t *Target) bundleJob(steps []Step, first int) Job {
	j := Job{Name: fmt.Sprintf("make %d changes", len(steps)), Lib: keepScript + bundleScript}
	var b strings.Builder
	for i, s := range steps {
		p, _ := partOf(s.Action)
		j.Timeout += p.timeout
		notes, keeps := "", ""
		if len(p.changed) > 0 {
			notes, keeps = t.notesOf(first+i), keepList(p.changed)
		}
		fmt.Fprintf(&b, "prepare %d %s %s %s\n", i+1, shell.Quote(p.script), shell.Quote(p.stdin), shell.Quote(keeps))
		fmt.Fprintf(&b, "step %s\n", shell.Join(append([]string{strconv.Itoa(i + 1), s.Action.Title(), notes}, p.args...)))
	}
	j.Script = b.String()
	return j
}

// bundleEnd is the last line of a bundle that did not succeed.
var bundleEnd = regexp.MustCompile(`(?:^|\n)boxdoctor: step (\d+) ended with status (\d+)\n?$`)

// reached tells how many steps of a bundle succeeded, and makes its error that of the step which did not.
func reached(steps []Step, err error) (int, error) {
	var job *JobError
	if err == nil {
		return len(steps), nil
	}
	if errors.Is(err, ErrJobGone) {
		return 0, fmt.Errorf("%w: %w", guest.ErrUnknownOutcome, err)
	}
	if !errors.As(err, &job) {
		return 0, err
	}
	m := bundleEnd.FindStringSubmatchIndex(job.Tail)
	if m == nil {
		return 0, fmt.Errorf("%w: %w", guest.ErrUnknownOutcome, err)
	}
	n, nerr := strconv.Atoi(job.Tail[m[2]:m[3]])
	if nerr != nil || n < 1 || n > len(steps) {
		return 0, fmt.Errorf("%w: %w", guest.ErrUnknownOutcome, err)
	}
	title := steps[n-1].Action.Title()
	tail := job.Tail[:m[0]]
	if _, own, ok := strings.Cut("\n"+tail, "\n+ "+title+"\n"); ok {
		tail = own
	}
	return n - 1, &JobError{Name: title, Code: job.Code, Tail: tail, Dir: job.Dir}
}

// end records how the steps of a bundle ended: so many succeeded, then err came.
func (t *Target) end(begun []Entry, made int, err error) error {
	var errs []error
	for i, e := range begun {
		how := err
		switch {
		case i < made:
			how = nil
		case i > made && endState(err) == stateFailed:
			how = errNotBegun
		}
		errs = append(errs, t.ended(e, how))
	}
	return errors.Join(errs...)
}
