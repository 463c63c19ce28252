package action

import (
	"context"
	_ "embed" // the two scripts below
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

//go:embed job_start.sh
var jobStart string

//go:embed job_poll.sh
var jobPoll string

//go:embed job_live.sh
var jobLive string

//go:embed keep.sh
var keepScript string

// JobRoot is the root-only folder of the guest in which jobs keep their script, log and exit status.
const JobRoot = "/var/lib/boxdoctor/jobs"

const (
	defaultJobTimeout = 30 * time.Minute
	// reconnectFor is how long a lost link is tried again before the wait is given up.
	reconnectFor = 3 * time.Minute
	// keepOutput is how much of a job's end goes into an error.
	keepOutput = 1500
)

// JobError means: the job ran to its end and said no.
type JobError struct {
	Name string
	Code int
	// Tail is the end of the job's output.
	Tail string
	// Dir is where the whole log lies in the guest.
	Dir string
}

// Error shows the end of the output and where the rest is.
func (e *JobError) Error() string {
	return fmt.Sprintf("%s: exit status %d; the end of its output:\n%s\n(whole log in the guest: sudo cat %s/log)",
		e.Name, e.Code, e.Tail, e.Dir)
}

// ErrJobGone means: the job neither runs nor left an exit status, as after a power cut in the guest.
var ErrJobGone = errors.New("the job ended without an exit status (power cut or kill in the guest)")

func (j Job) apply(ctx context.Context, t *Target) error {
	dir := fmt.Sprintf("%s/%s-%d", JobRoot, t.RunID, t.seq)
	t.running(look(dir))
	defer t.running("")
	if err := startJob(ctx, t, j, dir); err != nil {
		if errors.Is(err, guest.ErrUnknownOutcome) {
			return fmt.Errorf("%w; if it was started, it goes on by itself: %s", err, lookWith(dir))
		}
		return err
	}
	limit := j.Timeout
	if limit == 0 {
		limit = defaultJobTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	code, tail, err := waitJob(ctx, t, j.Name, dir)
	switch {
	case err != nil:
		return err
	case code != 0 && !j.Judge:
		return &JobError{Name: j.Name, Code: code, Tail: tail, Dir: dir}
	}
	return nil
}

// Await follows a job of an earlier run, by the id that the probe gives it, until it has ended; how it ended is
// for the next observation to tell. It changes nothing, so Stop ends it at once (ErrStopped). ErrStillRunning:
// the limit is over or the guest does not answer any more.
func Await(ctx context.Context, t *Target, id string, limit time.Duration) error {
	ctx, cancel := withStop(ctx, t.Stop)
	defer cancel()
	ctx, cancelLimit := context.WithTimeout(ctx, limit)
	defer cancelLimit()
	_, _, err := waitJob(ctx, t, "the job "+id+" of an earlier run", JobRoot+"/"+id)
	switch {
	case errors.Is(err, ErrJobGone):
		return nil
	case err != nil && t.stopped():
		return fmt.Errorf("%w (%w)", ErrStopped, err)
	}
	return err
}

// startTries bounds how often a start is tried that may not have run, startPause is between two of them.
const (
	startTries = 3
	startPause = 500 * time.Millisecond
)

// startJob is safe to repeat, because the guest lets only one start of a folder win; only a start that ran and said
// no is final. Once the outcome of one try is unknown, only a success makes it known again.
func startJob(ctx context.Context, t *Target, j Job, dir string) error {
	cmd := guest.Cmd{Name: "start " + j.Name, Sudo: true, Timeout: time.Minute,
		Script: jobScript(j, t.RunID, t.notesOf(t.seq)), Args: append([]string{dir}, j.Args...)}
	var failed error
	var exit *guest.ExitError
	for range startTries {
		_, err := t.Guest.Run(ctx, cmd)
		if err == nil {
			return nil
		}
		if failed == nil || !errors.Is(failed, guest.ErrUnknownOutcome) {
			failed = err
		}
		if ctx.Err() != nil || errors.As(failed, &exit) {
			break
		}
		if rerr := reconnect(ctx, t); rerr != nil {
			return fmt.Errorf("%w (no new connection: %v)", failed, rerr)
		}
		if t.sleep(ctx, startPause) != nil {
			break
		}
	}
	return failed
}

// jobScript carries the job's texts as here-documents whose delimiter a guest cannot guess. notes is the folder for
// how things were that the job changes.
func jobScript(j Job, nonce, notes string) string {
	keeps, keep := "", ""
	if len(j.Changed) > 0 {
		keeps = "\n" + strings.TrimRight(keepList(j.Changed), "\n")
		keep = "\nnotes=" + shell.Quote(notes) + "\n" + strings.TrimRight(keepScript, "\n")
	}
	return printer("job_script", nonce, "\n"+j.Lib+"\n"+strings.TrimRight(j.Script, "\n")) + printer("job_keeps", nonce, keeps) +
		printer("job_keep", nonce, keep) + sweepScript + "drops=" + dropRoot + "\n" + jobStart
}

// printer is a shell function that prints a text, which begins with a newline where it is not empty.
func printer(name, nonce, text string) string {
	mark := "BOXDOCTOR_" + nonce
	return name + "() { cat <<'" + mark + "'" + text + "\n" + mark + "\n}\n"
}

// keepList is what keep.sh reads of things that are to be noted.
func keepList(changed []Change) string {
	out := ""
	for _, c := range changed {
		out += c.Kind + " " + c.Path + "\n"
	}
	return out
}

// notesOf is the folder in which the job of a numbered action notes how things were and how it left them.
func (t *Target) notesOf(seq int) string { return fmt.Sprintf("%s/%s/%d", BackupRoot, t.RunID, seq) }

// follower is the wait for one job.
type follower struct {
	t         *Target
	name, dir string
	// offset is the first byte of the log that was not printed yet, counting from 1.
	offset int
	tail   string
	// answered is when the guest last said how the job stands.
	answered time.Time
}

// waitJob looks at the job until it has ended, reconnecting over lost links. It returns the exit status and
// the end of the output.
func waitJob(ctx context.Context, t *Target, name, dir string) (int, string, error) {
	f := &follower{t: t, name: name, dir: dir, offset: 1, answered: t.now()}
	for pause := 200 * time.Millisecond; ; pause = min(pause*3/2, 2*time.Second) {
		st, err := f.look(ctx)
		if err != nil {
			err = f.mend(ctx, err)
		}
		switch {
		case err != nil:
			return 0, f.tail, f.gaveUp(ctx, err)
		case st.state == "done":
			return st.code, f.tail, nil
		case st.state == "gone":
			return 0, f.tail, fmt.Errorf("%s: %w; what it printed: sudo cat %s/log", name, ErrJobGone, shell.Quote(dir))
		}
		if err := t.sleep(ctx, pause); err != nil {
			return 0, f.tail, f.gaveUp(ctx, err)
		}
	}
}

// mend decides after a look that failed whether to look again: not after the end of the wait, nor when the guest
// has not answered for reconnectFor. An answer that makes no sense is no reason for a new connection.
func (f *follower) mend(ctx context.Context, failed error) error {
	var exit *guest.ExitError
	switch {
	case ctx.Err() != nil, f.t.now().Sub(f.answered) > reconnectFor:
		return failed
	case errors.As(failed, &exit), errors.Is(failed, errAnswer):
		return nil
	}
	return reconnect(ctx, f.t)
}

// silentAfter is how old the guest's last word may be for a job to be called running: the longest a look takes.
const silentAfter = 40 * time.Second

// gaveUp is the error of a wait that ended before the job did. Only a guest that answered lately says that its job
// runs: one that was switched off leaves the same silence.
func (f *follower) gaveUp(ctx context.Context, cause error) error {
	const next = "; the next run of boxdoctor waits for it and takes up its result"
	silence := f.t.now().Sub(f.answered)
	if ctx.Err() != nil && silence <= silentAfter {
		return fmt.Errorf("%s: %w (%w); it goes on by itself, %s%s", f.name, ErrStillRunning, cause, lookWith(f.dir), next)
	}
	return &silentError{cause: cause, text: fmt.Sprintf("%s: how it stands is unknown, because the guest does not answer (since %s; %v). "+
		"If the guest still runs, the job goes on by itself, %s%s", f.name, silence.Round(time.Second), cause, lookWith(f.dir), next)}
}

// silentError is ErrStillRunning of a guest that does not answer: whether the job still runs is not known.
type silentError struct {
	text  string
	cause error
}

// Error says that nothing is known.
func (e *silentError) Error() string { return e.text }

// Is makes callers treat it as a job that may still run.
func (e *silentError) Is(target error) bool { return target == ErrStillRunning }

// Unwrap is why the guest does not answer.
func (e *silentError) Unwrap() error { return e.cause }

// LiveJob is the id of a job of a run that still works in the guest, or nothing.
func LiveJob(ctx context.Context, t *Target, run string) (string, error) {
	res, err := t.Guest.Run(ctx, guest.Cmd{Name: "look for jobs of an earlier run", Sudo: true, Timeout: 30 * time.Second,
		Script: jobLive, Args: []string{JobRoot + "/" + run + "-*"}})
	if err != nil {
		return "", err
	}
	id, _, _ := strings.Cut(string(res.Stdout), "\n")
	return strings.TrimSpace(id), nil
}

func lookWith(dir string) string { return "look with: " + look(dir) }

func look(dir string) string { return "sudo tail -f " + shell.Quote(dir) + "/log" }

const (
	// pollBytes is how much of the log one look brings at most (job_poll.sh).
	pollBytes = 256 << 10
	// flushLooks bounds what is still read of a job that has ended: 16 MiB.
	flushLooks = 64
)

// look asks once, and again without a pause while there is more to read of a job that has ended: the end of its
// output is what people need.
func (f *follower) look(ctx context.Context) (jobState, error) {
	for n := 1; ; n++ {
		st, err := pollJob(ctx, f.t, f.name, f.dir, f.offset)
		if err != nil {
			return jobState{}, err
		}
		f.answered = f.t.now()
		f.offset += len(st.output)
		f.tail = keepTail(f.tail + st.output)
		f.t.print(st.output)
		if st.state == "running" || len(st.output) < pollBytes || n == flushLooks {
			return st, nil
		}
	}
}

type jobState struct {
	state  string // running, done, gone
	code   int
	output string
}

var errAnswer = errors.New("unexpected answer")

// pollJob asks how the job stands. An empty exit status is what a power cut leaves of a file just written: gone.
func pollJob(ctx context.Context, t *Target, name, dir string, offset int) (jobState, error) {
	res, err := t.Guest.Run(ctx, guest.Cmd{Name: "look at " + name, Sudo: true, Timeout: 30 * time.Second,
		Script: jobPoll, Args: []string{dir, strconv.Itoa(offset)}})
	if err != nil {
		return jobState{}, err
	}
	head, rest, ok := strings.Cut(string(res.Stdout), "\n")
	word, num, _ := strings.Cut(head, " ")
	if !ok || (word != "running" && word != "done" && word != "gone") {
		return jobState{}, fmt.Errorf("step %q: %w %.80q", "look at "+name, errAnswer, head)
	}
	st := jobState{state: word, code: -1, output: rest}
	if word == "done" {
		if st.code, err = strconv.Atoi(num); err != nil {
			st.state = "gone"
		}
	}
	return st, nil
}

// reconnect dials until the guest answers or reconnectFor is over.
func reconnect(ctx context.Context, t *Target) error {
	t.say("connection lost, connecting again")
	ctx, cancel := context.WithTimeout(ctx, reconnectFor)
	defer cancel()
	for {
		err := t.Guest.Reconnect(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if serr := t.sleep(ctx, time.Second); serr != nil {
			return err
		}
	}
}

func keepTail(s string) string {
	if len(s) > keepOutput {
		s = s[len(s)-keepOutput:]
	}
	return s
}
