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
	if err := startJob(ctx, t, j, dir); err != nil {
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

// startJob is safe to repeat: a folder that already holds a started job is left alone.
func startJob(ctx context.Context, t *Target, j Job, dir string) error {
	cmd := guest.Cmd{Name: "start " + j.Name, Sudo: true, Timeout: time.Minute,
		Script: jobScript(j, t.RunID), Args: append([]string{dir}, j.Args...)}
	_, err := t.Guest.Run(ctx, cmd)
	if errors.Is(err, guest.ErrUnknownOutcome) && ctx.Err() == nil {
		if err = reconnect(ctx, t); err == nil {
			_, err = t.Guest.Run(ctx, cmd)
		}
	}
	return err
}

// jobScript carries the job's script as a here-document whose delimiter a guest cannot guess.
func jobScript(j Job, nonce string) string {
	mark := "BOXDOCTOR_" + nonce
	return "job_script() { cat <<'" + mark + "'\n" + j.Lib + "\n" + strings.TrimRight(j.Script, "\n") + "\n" + mark + "\n}\n" + jobStart
}

// waitJob looks at the job until it has ended, reconnecting over lost links. It returns the exit status and
// the end of the output.
func waitJob(ctx context.Context, t *Target, name, dir string) (int, string, error) {
	var tail string
	offset, pause := 1, 200*time.Millisecond
	for {
		st, err := pollJob(ctx, t, name, dir, offset)
		switch {
		case err != nil && ctx.Err() != nil:
			return 0, tail, stillRunning(name, dir, err)
		case err != nil:
			if err := reconnect(ctx, t); err != nil {
				return 0, tail, stillRunning(name, dir, err)
			}
			continue
		}
		offset += len(st.output)
		tail = keepTail(tail + st.output)
		t.print(st.output)
		switch {
		case st.state == "done":
			return st.code, tail, nil
		case st.state == "gone":
			return 0, tail, fmt.Errorf("%s: %w", name, ErrJobGone)
		}
		if err := t.sleep(ctx, pause); err != nil {
			return 0, tail, stillRunning(name, dir, err)
		}
		pause = min(pause*3/2, 2*time.Second)
	}
}

func stillRunning(name, dir string, cause error) error {
	return fmt.Errorf("%s: %w (%v); it goes on by itself, look with: sudo tail -f %s/log; the next `boxdoctor fix` takes up its result",
		name, ErrStillRunning, cause, shell.Quote(dir))
}

type jobState struct {
	state  string // running, done, gone
	code   int
	output string
}

func pollJob(ctx context.Context, t *Target, name, dir string, offset int) (jobState, error) {
	res, err := t.Guest.Run(ctx, guest.Cmd{Name: "look at " + name, Sudo: true, Timeout: 30 * time.Second,
		Script: jobPoll, Args: []string{dir, strconv.Itoa(offset)}})
	if err != nil {
		return jobState{}, err
	}
	head, rest, ok := strings.Cut(string(res.Stdout), "\n")
	word, num, _ := strings.Cut(head, " ")
	if !ok || (word != "running" && word != "done" && word != "gone") {
		return jobState{}, fmt.Errorf("step %q: unexpected answer %.80q", "look at "+name, head)
	}
	code := -1
	if n, err := strconv.Atoi(num); err == nil {
		code = n
	}
	return jobState{state: word, code: code, output: rest}, nil
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
