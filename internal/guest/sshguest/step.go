package sshguest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// drainTime is how long output is still read after the exit status: a daemon that was started by the step
// may hold its stdout for ever.
const drainTime = 2 * time.Second

// resolveNoise begins the line that sudo prints when /etc/hosts lacks the guest's own name. It is harmless.
const resolveNoise = "sudo: unable to resolve host "

// feedTime is how long a step's end waits for the reader of Cmd.Stdin.
const feedTime = time.Second

// killTime bounds the attempt to end a cancelled step.
const killTime = 2 * time.Second

// step is one run of a Cmd in one session.
type step struct {
	cmd  guest.Cmd
	conn *conn
	sess *session
	// outer are the marks of the login user's receiver, inner those of root's (only with sudo).
	outer, inner marks
	sudo         *sudoPlan
	pty          bool

	stdout, stderr *sink
	out, err       *gate
	filter         *lineFilter

	// ready is closed when the last receiver runs; prompts gets one value per sudo prompt.
	ready   chan struct{}
	prompts chan struct{}
	// sent is set before the end line of the step's program is written: from then on it may have run.
	sent atomic.Bool
	// refused is set when sudo asked a second time: the password was wrong.
	refused atomic.Bool
	// broken is why Cmd.Stdin could not be read to its end.
	broken atomic.Pointer[error]
	// noKill is set on the steps that kill.
	noKill bool

	mu   sync.Mutex
	pids []int
}

func newStep(c guest.Cmd, plan *sudoPlan) (*step, error) {
	outer, err := newMarks()
	if err != nil {
		return nil, err
	}
	inner, err := newMarks()
	if err != nil {
		return nil, err
	}
	s := &step{cmd: c, outer: outer, inner: inner, sudo: plan, ready: make(chan struct{}), prompts: make(chan struct{}, 8)}
	if plan != nil {
		s.pty = plan.pty
	}
	s.ways()
	s.streams()
	return s, nil
}

// ways chooses how the programs are sent.
func (s *step) ways() {
	switch {
	case s.pty: // a terminal has no end of file
		s.outer.how, s.inner.how = onTTY, onTTY
	case s.sudo != nil && s.cmd.Stdin == nil:
		s.inner.how = asWhole
	case s.cmd.Stdin == nil:
		s.outer.how = asWhole
	}
}

// streams builds the way of the output: gate, filter, sink.
func (s *step) streams() {
	limit := s.cmd.Limit
	if limit <= 0 {
		limit = guest.OutputLimit
	}
	s.stdout = &sink{limit: limit, tee: s.cmd.Stdout}
	s.stderr = &sink{limit: limit, tee: s.cmd.Stderr}
	s.filter = &lineFilter{next: s.stderr, prefix: []byte(resolveNoise)}
	last := s.last()
	var once sync.Once
	opened := func(rest string) {
		s.addPID(rest)
		once.Do(func() { close(s.ready) })
	}
	s.out = &gate{next: s.stdout, mark: []byte(last.ready()), opened: opened}
	s.err = &gate{next: s.filter, mark: []byte(last.ready())}
	if s.sudo != nil && s.sudo.prompt != "" {
		prompted := s.err
		if s.pty {
			prompted = s.out
		}
		prompted.watch, prompted.seen = []byte(s.sudo.prompt), s.prompted
	}
}

// last are the marks of the receiver that runs the step itself.
func (s *step) last() marks {
	if s.sudo != nil {
		return s.inner
	}
	return s.outer
}

func (s *step) prompted() {
	select {
	case s.prompts <- struct{}{}:
	default:
	}
}

func (s *step) addPID(rest string) {
	if pid, err := strconv.Atoi(rest); err == nil && pid > 1 {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.pids = append(s.pids, pid)
	}
}

// finish is what is known when run returns.
type finish struct {
	ending ending
	// cut is why the step was cut off; nil when the guest told how it ended.
	cut error
}

// run plays the session to its end. Every way out is bounded by ctx, the link's life and the drain time.
func (s *step) run(ctx context.Context) finish {
	var readers sync.WaitGroup
	readers.Go(func() { _, _ = io.Copy(s.out, s.sess.ch) })
	readers.Go(func() { _, _ = io.Copy(s.err, s.sess.ch.Stderr()) })
	drained := make(chan struct{})
	go func() { readers.Wait(); close(drained) }()
	stop := make(chan struct{})
	fed := make(chan struct{})
	go func() { s.feed(stop); close(fed) }()

	f := s.await(ctx)
	if f.cut == nil {
		waitFor(drained, drainTime)
	} else if !s.noKill && s.conn.lost() == nil && s.sess.alive() {
		s.kill(ctx)
	}
	_ = s.sess.ch.Close()
	close(stop)
	// So that the caller gets its Stdin back; a source that blocks in Read keeps it.
	waitFor(fed, feedTime)
	return f
}

func (s *step) await(ctx context.Context) finish {
	select {
	case e := <-s.sess.told:
		return finish{ending: e}
	case <-s.sess.gone:
		select { // the ending may have come just before the close
		case e := <-s.sess.told:
			return finish{ending: e}
		default:
			return finish{ending: ending{code: -1}, cut: s.silence()}
		}
	case <-ctx.Done():
		return finish{ending: ending{code: -1}, cut: ctx.Err()}
	}
}

// silence is why a session ended without a word: the link, or only the session (as in a reboot).
func (s *step) silence() error {
	err := s.conn.explain(io.EOF)
	if errors.Is(err, guest.ErrLinkLost) {
		return err
	}
	return fmt.Errorf("%w: the guest closed the session without an exit status", guest.ErrLinkLost)
}

func (s *session) alive() bool {
	select {
	case <-s.gone:
		return false
	default:
		return true
	}
}

func waitFor(done <-chan struct{}, limit time.Duration) bool {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
		return false
	}
}

// result seals the streams and turns the finish into the contract's result and error.
func (s *step) result(f finish, start time.Time) (guest.Result, error) {
	s.err.locked(s.filter.flush)
	out, cutOut := s.stdout.seal()
	errs, cutErr := s.stderr.seal()
	res := guest.Result{
		Stdout: out, Stderr: errs, Truncated: cutOut || cutErr, Code: f.ending.code, Duration: time.Since(start),
	}
	return res, s.judge(f, res)
}

func (s *step) judge(f finish, res guest.Result) error {
	if s.sudo != nil && s.refused.Load() {
		return s.notStarted(f.ending)
	}
	if b := s.broken.Load(); b != nil && f.cut != nil {
		f.cut = fmt.Errorf("its input could not be read: %w", *b)
	}
	if f.cut != nil {
		if !s.sent.Load() {
			return fmt.Errorf("step %q did not run: %w", s.cmd.Name, f.cut)
		}
		return &guest.OutcomeError{Name: s.cmd.Name, After: res.Duration, Cause: s.deadline(f.cut)}
	}
	if !s.out.isOpen() {
		return s.notStarted(f.ending)
	}
	if f.ending.code == 0 {
		return nil
	}
	text := res.Stderr
	if s.pty {
		text = res.Stdout // a terminal has one stream
	}
	return &guest.ExitError{Name: s.cmd.Name, Code: f.ending.code, Signal: f.ending.signal, Stderr: scrub(string(text))}
}

// deadline adds the step's own limit to a deadline's error, which else says nothing of its length.
func (s *step) deadline(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("its time was up: %w", err)
	}
	return err
}

// notStarted explains an exit before the receiver ran. The step certainly did not run.
func (s *step) notStarted(e ending) error {
	out, err := s.out.before(), s.err.before()
	if s.sudo != nil {
		sudoOut, began := afterLine(out, s.outer.ready())
		sudoErr, _ := afterLine(err, s.outer.ready())
		if began {
			return s.sudo.classify(s.cmd.Name, sudoErr+"\n"+sudoOut)
		}
	}
	how := fmt.Sprintf("exit status %d", e.code)
	if e.signal != "" {
		how = "signal " + e.signal
	}
	if text := clean(out + "\n" + err); text != "" {
		how += ", it printed: " + text
	}
	return fmt.Errorf("step %q did not run: the guest's login shell ended before it read a command (%s); "+
		"expected a shell that runs sh -c '…', as every ordinary login shell does", s.cmd.Name, how)
}

// afterLine is what follows the line that holds mark.
func afterLine(s, mark string) (rest string, ok bool) {
	_, rest, ok = strings.Cut(s, mark)
	if !ok {
		return s, false
	}
	_, rest, _ = strings.Cut(rest, "\n")
	return rest, true
}
