package action

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/guest/guesttest"
)

const dir = JobRoot + "/0123-1"

func started() guesttest.Step {
	return guesttest.Step{Name: "start build", Sudo: true, Args: []string{dir, "a b"}, Has: []string{"job_script()", "BOXDOCTOR_0123", "make\n"}}
}

// looked is a look at the job from a byte of its log.
func looked(from int, answer string) guesttest.Step {
	return guesttest.Step{Name: "look at build", Sudo: true, Args: []string{dir, strconv.Itoa(from)}, Out: answer}
}

func failed(s guesttest.Step, err error) guesttest.Step { s.Err = err; return s }

func build(t *testing.T, job Job, steps ...guesttest.Step) (*bench, error) {
	t.Helper()
	b := newBench(guesttest.New(t, steps...))
	job.Name, job.Script, job.Args = "build", "make", []string{"a b"}
	return b, Do(t.Context(), b.Target, "fix", job)
}

func TestJobOutputComesOnceAndTheStatusIsKept(t *testing.T) {
	b, err := build(t, Job{}, started(), looked(1, "running\n"), looked(1, "running\nabc"), looked(4, "running\n"), looked(4, "done 3\ndef\n"))
	var job *JobError
	if !errors.As(err, &job) || job.Code != 3 || job.Tail != "abcdef\n" || job.Dir != dir {
		t.Fatalf("%+v", err)
	}
	has(t, err, "build: exit status 3", "abcdef", "sudo cat "+dir+"/log")
	if b.printed.String() != "abcdef\n" || b.journal.states() != "begin failed" {
		t.Errorf("%q, %s", b.printed.String(), b.journal.states())
	}
}

func TestAJobThatJudgesNothing(t *testing.T) {
	if _, err := build(t, Job{Judge: true}, started(), looked(1, "done 2\n")); err != nil {
		t.Error(err)
	}
	if _, err := build(t, Job{}, started(), looked(1, "done 0\n")); err != nil {
		t.Error(err)
	}
}

func TestALostLinkDuringALook(t *testing.T) {
	// What arrived before the cut is asked for again and not printed twice.
	torn := failed(looked(4, "running\nde"), cut("look at build"))
	b, err := build(t, Job{}, started(), looked(1, "running\nabc"), torn, guesttest.Step{Name: guesttest.Reconnect}, looked(4, "done 0\ndef"))
	must(t, err)
	if b.printed.String() != "abcdef" {
		t.Errorf("%q", b.printed.String())
	}
}

func TestReconnectingIsTriedAgain(t *testing.T) {
	refused := guesttest.Step{Name: guesttest.Reconnect, Err: errors.New("refused")}
	b, err := build(t, Job{}, started(), failed(looked(1, ""), cut("x")), refused, refused, guesttest.Step{Name: guesttest.Reconnect}, looked(1, "done 0\n"))
	must(t, err)
	if strings.Join(b.said, "; ") != "build; connection lost, connecting again" {
		t.Error(b.said)
	}
}

func TestAStartWhoseLinkWasCutIsRepeated(t *testing.T) {
	_, err := build(t, Job{}, failed(started(), cut("start build")), guesttest.Step{Name: guesttest.Reconnect}, started(), looked(1, "done 0\n"))
	must(t, err)
}

// TestAnUnknownStartStaysUnknown: when the guest did not come back after a cut start, the error was that of the
// connection, and the job counted as one that certainly did not run.
func TestAnUnknownStartStaysUnknown(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for name, steps := range map[string][]guesttest.Step{
		"no new connection": {failed(started(), cut("start build")), {Name: guesttest.Reconnect, Err: errors.New("refused"), Do: func(context.Context) { cancel() }}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(guesttest.New(t, steps...))
			err := Do(ctx, b.Target, "fix", Job{Name: "build", Script: "make", Args: []string{"a b"}})
			is(t, err, guest.ErrUnknownOutcome)
			has(t, err, "sudo tail -f "+dir+"/log")
			if b.journal.states() != "begin unknown" {
				t.Error(b.journal.states())
			}
		})
	}
	again := guesttest.Step{Name: guesttest.Reconnect}
	_, err := build(t, Job{}, failed(started(), cut("start build")), again, failed(started(), errors.New("no sudo any more")), again, failed(started(), cut("x")), again)
	is(t, err, guest.ErrUnknownOutcome)
}

// TestAStartThatDidNotRunIsRepeated: a link that was lost just before the start failed the whole fix.
func TestAStartThatDidNotRunIsRepeated(t *testing.T) {
	away := failed(started(), errors.New("did not run: connection refused"))
	_, err := build(t, Job{}, away, guesttest.Step{Name: guesttest.Reconnect}, away, guesttest.Step{Name: guesttest.Reconnect}, started(), looked(1, "done 0\n"))
	must(t, err)
}

func TestAStartThatWasRefused(t *testing.T) {
	no := &guest.ExitError{Name: "start build", Code: 1, Stderr: "Read-only file system"}
	b, err := build(t, Job{}, failed(started(), no))
	if err != no || b.journal.states() != "begin failed" {
		t.Errorf("%v %s", err, b.journal.states())
	}
}

func TestAJobThatIsGone(t *testing.T) {
	for _, answer := range []string{"gone\nhalf", "done \nhalf"} { // the second: an exit status of which a power cut left nothing
		b, err := build(t, Job{}, started(), looked(1, answer))
		is(t, err, ErrJobGone)
		has(t, err, "build", "power cut", "sudo cat "+dir+"/log")
		if b.printed.String() != "half" {
			t.Errorf("%q", b.printed.String())
		}
	}
}

// TestTheEndOfALongLogIsRead: the last look brought 256 KiB at most, and the end of the output, which people need,
// was missing.
func TestTheEndOfALongLogIsRead(t *testing.T) {
	chunk := strings.Repeat("x", pollBytes)
	b, err := build(t, Job{}, started(), looked(1, "done 1\n"+chunk), looked(1+pollBytes, "done 1\n"+chunk), looked(1+2*pollBytes, "done 1\nthe reason\n"))
	has(t, err, "the reason")
	if b.printed.Len() != 2*pollBytes+len("the reason\n") {
		t.Error(b.printed.Len())
	}
}

// stub is a guest whose steps are one function. Reconnecting always works.
type stub struct {
	guest.Guest
	run   func(guest.Cmd) (guest.Result, error)
	dials int
}

func (s *stub) Run(_ context.Context, c guest.Cmd) (guest.Result, error) { return s.run(c) }
func (s *stub) Reconnect(context.Context) error                          { s.dials++; return nil }

// TestADaemonThatWritesForEver: reading the rest of a log ends, too.
func TestADaemonThatWritesForEver(t *testing.T) {
	looks := 0
	b := newBench(&stub{run: func(c guest.Cmd) (guest.Result, error) {
		if strings.HasPrefix(c.Name, "look") {
			looks++
			return guest.Result{Stdout: []byte("done 0\n" + strings.Repeat("x", pollBytes))}, nil
		}
		return guest.Result{}, nil
	}})
	must(t, Do(t.Context(), b.Target, "fix", Job{Name: "build", Script: "make"}))
	if looks != flushLooks {
		t.Errorf("%d looks", looks)
	}
}

// TestAnAnswerThatMakesNoSenseDoesNotLoopForEver: each such answer led to a new connection and at once to the next
// look, for as long as the job may take.
func TestAnAnswerThatMakesNoSenseDoesNotLoopForEver(t *testing.T) {
	for name, answer := range map[string]func() (guest.Result, error){
		"noise":    func() (guest.Result, error) { return guest.Result{Stdout: []byte("Last login: today\n")}, nil },
		"silence":  func() (guest.Result, error) { return guest.Result{}, nil },
		"said no":  func() (guest.Result, error) { return guest.Result{}, &guest.ExitError{Name: "look", Code: 2} },
		"no sudo":  func() (guest.Result, error) { return guest.Result{}, errors.New("the user may not use sudo") },
		"cut":      func() (guest.Result, error) { return guest.Result{}, cut("look") },
		"half way": func() (guest.Result, error) { return guest.Result{Stdout: []byte("running")}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			looks := 0
			s := &stub{run: func(c guest.Cmd) (guest.Result, error) {
				if strings.HasPrefix(c.Name, "look") {
					looks++
					return answer()
				}
				return guest.Result{}, nil
			}}
			b := newBench(s)
			begun := b.now
			err := Do(t.Context(), b.Target, "fix", Job{Name: "build", Script: "make"})
			is(t, err, ErrStillRunning)
			has(t, err, "how it stands is unknown", "does not answer", "sudo tail -f "+dir+"/log")
			if waited := b.now.Sub(begun); looks > 120 || waited < reconnectFor || waited > reconnectFor+time.Minute {
				t.Errorf("%d looks in %s, %d connections", looks, waited, s.dials)
			}
		})
	}
}

func TestTheEndOfTheWait(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	steps := []guesttest.Step{started(), looked(1, "running\nabc"), looked(4, "running\n")}
	steps[2].Do = func(context.Context) { cancel() }
	b := newBench(guesttest.New(t, steps...))
	err := Do(ctx, b.Target, "fix", Job{Name: "build", Script: "make", Args: []string{"a b"}})
	is(t, err, ErrStillRunning, context.Canceled)
	has(t, err, "build: still running in the guest", "sudo tail -f "+dir+"/log", "the next run of boxdoctor")
	if b.journal.states() != "begin unknown" {
		t.Error(b.journal.states())
	}
}

// TestAStopDoesNotEndTheWait: the first Ctrl-C lets a running change finish.
func TestAStopDoesNotEndTheWait(t *testing.T) {
	stop := make(chan struct{})
	steps := []guesttest.Step{started(), looked(1, "running\n"), looked(1, "running\n"), looked(1, "done 0\n")}
	steps[1].Do = func(context.Context) { close(stop) }
	b := newBench(guesttest.New(t, steps...))
	b.Stop = stop
	must(t, Do(t.Context(), b.Target, "fix", Job{Name: "build", Script: "make", Args: []string{"a b"}}))
	is(t, Do(t.Context(), b.Target, "fix", Job{Name: "next"}), ErrStopped)
}

func TestTheJobsTimeout(t *testing.T) {
	b := newBench(&stub{run: func(guest.Cmd) (guest.Result, error) { return guest.Result{Stdout: []byte("running\n")}, nil }})
	b.Sleep = nil // the real one
	err := Do(t.Context(), b.Target, "fix", Job{Name: "build", Script: "make", Timeout: 50 * time.Millisecond})
	is(t, err, ErrStillRunning, context.DeadlineExceeded)
}

func TestAwait(t *testing.T) {
	const other = JobRoot + "/ab-7"
	look := func(from int, answer string) guesttest.Step {
		return guesttest.Step{Name: "look at the job ab-7 of an earlier run", Sudo: true, Args: []string{other, fmt.Sprint(from)}, Out: answer}
	}
	for name, last := range map[string]string{"done": "done 0\nrest", "failed": "done 5\nrest", "gone": "gone\nrest"} {
		t.Run(name, func(t *testing.T) {
			b := newBench(guesttest.New(t, look(1, "running\nold "), look(5, last)))
			must(t, Await(t.Context(), b.Target, "ab-7", time.Hour))
			if b.printed.String() != "old rest" || len(b.journal.entries) > 0 {
				t.Errorf("%q %v", b.printed.String(), b.journal.entries)
			}
		})
	}
	forever := &stub{run: func(guest.Cmd) (guest.Result, error) { return guest.Result{Stdout: []byte("running\n")}, nil }}
	t.Run("limit", func(t *testing.T) {
		b := newBench(forever)
		b.Sleep = nil
		err := Await(t.Context(), b.Target, "ab-7", 30*time.Millisecond)
		is(t, err, ErrStillRunning, context.DeadlineExceeded)
		has(t, err, "sudo tail -f "+other+"/log")
	})
	t.Run("stop", func(t *testing.T) {
		b := newBench(forever)
		stop := make(chan struct{})
		b.Stop, b.Sleep = stop, nil
		timer := time.AfterFunc(30*time.Millisecond, func() { close(stop) })
		defer timer.Stop()
		is(t, Await(t.Context(), b.Target, "ab-7", time.Hour), ErrStopped)
	})
}

func TestUploadRefusesBeforeAnything(t *testing.T) {
	b := newBench(guesttest.New(t))
	is(t, Do(t.Context(), b.Target, "fix", Upload{Local: t.TempDir() + "/none.iso", Remote: "/r/x"}), os.ErrNotExist)
}

// uploadSteps are those of an upload of "image" until the file is in the drop folder.
func uploadSteps() []guesttest.Step {
	return []guesttest.Step{
		{Name: "ask who logs in", Args: []string{"id", "-un"}, Out: "vagrant\n"},
		{Name: "prepare the upload folder", Sudo: true, Args: []string{"/var/lib/boxdoctor/run/0123", "vagrant", JobRoot, "/var/tmp"}, Out: "/var/tmp/boxdoctor.AbC\n"},
		{Name: guesttest.Put, Args: []string{"/var/tmp/boxdoctor.AbC/ga.iso"}, Has: []string{"image"}, Progress: []int64{1, 2, 2, 5}},
		{Name: "check the upload in the guest", Sudo: true, Args: []string{"/var/tmp/boxdoctor.AbC", "ga.iso", "/var/lib/boxdoctor/run/0123/ga.iso", sum("image")}},
	}
}

func image(t *testing.T) Upload {
	t.Helper()
	local := t.TempDir() + "/ga.iso"
	must(t, os.WriteFile(local, []byte("image"), 0o600))
	return Upload{Local: local, Remote: "/var/lib/boxdoctor/run/0123/ga.iso", SHA256: sum("image"), Size: 5}
}

func TestUpload(t *testing.T) {
	b := newBench(guesttest.New(t, uploadSteps()...))
	must(t, Do(t.Context(), b.Target, "fix", image(t)))
	if got := strings.Join(b.said[1:], "; "); got != "upload 20% of 0 MiB; upload 40% of 0 MiB; upload 100% of 0 MiB" {
		t.Errorf("%q", got)
	}
}

// TestAFailedUploadLeavesNothing: neither after a cut transfer nor after a failed check, where the drop folder
// used to stay.
func TestAFailedUploadLeavesNothing(t *testing.T) {
	away := guesttest.Step{Name: "delete the partial upload", Sudo: true, Args: []string{"/var/tmp/boxdoctor.AbC", "/var/lib/boxdoctor/run/0123"}, Has: []string{"rm -rf", "rmdir"},
		Do: func(ctx context.Context) {
			if ctx.Err() != nil {
				t.Error("the clean-up got a context that is over")
			}
		}}
	for _, at := range []int{2, 3} {
		stop := make(chan struct{})
		steps := append(uploadSteps()[:at+1], away)
		steps[at].Err = cut("x")
		steps[at].Do = func(context.Context) { close(stop) }
		b := newBench(guesttest.New(t, steps...))
		b.Stop = stop
		is(t, Do(t.Context(), b.Target, "fix", image(t)), guest.ErrUnknownOutcome)
	}
	// What the guest says of its folder is not believed.
	for _, evil := range []string{"/\n", "/var/tmp\n", "\n", "/etc\n/var/tmp/boxdoctor.x", "/var/tmp/boxdoctor.x/../../../etc"} {
		steps := uploadSteps()[:3]
		steps[1].Out, steps[2].Args, steps[2].Err = evil, nil, cut("x")
		b := newBench(guesttest.New(t, steps...))
		is(t, Do(t.Context(), b.Target, "fix", image(t)), guest.ErrUnknownOutcome)
	}
}

// TestDefect11AGuestThatIsSilentIsNotSaidToWork: a guest that was shut down in the middle was told to be "still running in
// the guest; it goes on by itself" after three minutes of silence.
func TestDefect11AGuestThatIsSilentIsNotSaidToWork(t *testing.T) {
	off := errors.New("nothing listens on 127.0.0.1:2222")
	b := newBench(&stub{run: func(c guest.Cmd) (guest.Result, error) {
		if strings.HasPrefix(c.Name, "look") {
			return guest.Result{}, off
		}
		return guest.Result{}, nil
	}})
	err := Do(t.Context(), b.Target, "fix", Job{Name: "install Guest Additions", Script: "make"})
	is(t, err, ErrStillRunning, off)
	has(t, err, "install Guest Additions: how it stands is unknown, because the guest does not answer (since 3m", "; nothing listens on", "sudo tail -f")
	if strings.Contains(err.Error(), ErrStillRunning.Error()) || b.journal.states() != "begin unknown" {
		t.Errorf("%v; %s", err, b.journal.states())
	}
}

// TestDefect8TheRunningJobIsKnown: whoever presses Ctrl-C twice is told where the job's own log is.
func TestDefect8TheRunningJobIsKnown(t *testing.T) {
	var told []string
	b := newBench(guesttest.New(t, started(), looked(1, "done 0\n")))
	b.Running = func(look string) { told = append(told, look) }
	must(t, Do(t.Context(), b.Target, "fix", Job{Name: "build", Script: "make", Args: []string{"a b"}}))
	if want := "sudo tail -f " + dir + "/log|"; strings.Join(told, "|") != want {
		t.Errorf("%q, want %q", told, want)
	}
}

func TestDefect3LiveJob(t *testing.T) {
	ask := guesttest.Step{Name: "look for jobs of an earlier run", Sudo: true, Args: []string{JobRoot + "/ab-*"}, Out: "ab-2\nab-3\n"}
	none := ask
	none.Out = ""
	for want, step := range map[string]guesttest.Step{"ab-2": ask, "": none} {
		got, err := LiveJob(t.Context(), newBench(guesttest.New(t, step)).Target, "ab")
		if must(t, err); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	_, err := LiveJob(t.Context(), newBench(guesttest.New(t, failed(ask, cut("x")))).Target, "ab")
	is(t, err, guest.ErrUnknownOutcome)
}
