package action

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/guest/guesttest"
)

const (
	bootA = "5b0cd0c7-aaaa-4000-8000-626f78646f63"
	bootB = "5b0cd0c7-bbbb-4000-8000-626f78646f63"
)

func identityStep(boot, kernel, state string) guesttest.Step {
	return guesttest.Step{Name: "read the boot id", Out: boot + "\n" + kernel + "\n" + state + "\n"}
}

func reboot(t *testing.T, r Reboot, steps ...guesttest.Step) (*bench, error) {
	t.Helper()
	b := newBench(guesttest.New(t, steps...))
	return b, Do(t.Context(), b.Target, "kernel.reboot", r)
}

var (
	asked = guesttest.Step{Name: "ask for the reboot", Sudo: true, Has: []string{"reboot", "trap '' HUP"}}
	dial  = guesttest.Step{Name: guesttest.Reconnect}
	down  = guesttest.Step{Name: guesttest.Reconnect, Err: errors.New("connection reset")}
)

func TestReboot(t *testing.T) {
	cutOff := asked
	cutOff.Err = cut("ask for the reboot")
	before := identityStep(bootA, "2.6.32-358", "running")
	after := identityStep(bootB, "2.6.32-754", "running")
	for name, steps := range map[string][]guesttest.Step{
		"back at once":           {before, asked, dial, after},
		"still going down":       {before, asked, dial, before, dial, before, down, down, dial, after},
		"request cut off":        {before, cutOff, dial, after},
		"port answers, sshd not": {before, asked, dial, failed(after, cut("read the boot id")), dial, after},
		"services start":         {before, asked, dial, identityStep(bootB, "2.6.32-754", "starting"), dial, identityStep(bootB, "2.6.32-754", "degraded")},
		"no systemd":             {before, asked, dial, {Name: "read the boot id", Out: bootB + "\n2.6.32-754\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := reboot(t, Reboot{WantKernel: "2.6.32-754"}, steps...)
			must(t, err)
			if b.journal.states() != "begin done" {
				t.Error(b.journal.states())
			}
		})
	}
}

func TestRebootIntoTheWrongKernel(t *testing.T) {
	_, err := reboot(t, Reboot{WantKernel: "2.6.32-754"}, identityStep(bootA, "2.6.32-358", ""), asked, dial, identityStep(bootB, "2.6.32-358", ""))
	has(t, err, "came back with kernel 2.6.32-358, wanted 2.6.32-754", "sudo grubby --default-kernel")
	if errors.Is(err, guest.ErrUnknownOutcome) {
		t.Error("it is known how this ended")
	}
}

func TestRebootThatIsNotAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		steps []guesttest.Step
		want  string
	}{
		"no boot id":      {[]guesttest.Step{{Name: "read the boot id", Out: "cat: No such file\n2.6\nrunning\n"}}, "not asked for"},
		"no answer":       {[]guesttest.Step{failed(identityStep("", "", ""), errors.New("refused"))}, "not asked for"},
		"sudo says no":    {[]guesttest.Step{identityStep(bootA, "2.6", ""), failed(asked, errors.New("may not use sudo"))}, "may not use sudo"},
		"nothing to read": {[]guesttest.Step{{Name: "read the boot id"}}, "not asked for"},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := reboot(t, Reboot{}, c.steps...)
			has(t, err, c.want)
			if b.journal.states() != "begin failed" {
				t.Error(b.journal.states())
			}
		})
	}
}

// TestAGuestThatKeepsStarting is taken as it is after two minutes.
func TestAGuestThatKeepsStarting(t *testing.T) {
	begun := false
	looks := 0
	b := newBench(&stub{run: func(c guest.Cmd) (guest.Result, error) {
		if c.Name == "ask for the reboot" {
			begun = true
			return guest.Result{}, nil
		}
		looks++
		if !begun {
			return guest.Result{Stdout: []byte(bootA + "\n2.6\nrunning\n")}, nil
		}
		return guest.Result{Stdout: []byte(bootB + "\n2.6\nstarting\n")}, nil
	}})
	from := b.now
	must(t, Do(t.Context(), b.Target, "fix", Reboot{}))
	if waited := b.now.Sub(from); waited < settleFor || waited > settleFor+5*time.Second || looks > 130 {
		t.Errorf("waited %s with %d looks", waited, looks)
	}
}

// stubborn is a guest that shows the same boot id for ever.
func stubborn() *stub {
	return &stub{run: func(c guest.Cmd) (guest.Result, error) {
		if c.Name == "ask for the reboot" {
			return guest.Result{}, nil
		}
		return guest.Result{Stdout: []byte(bootA + "\n2.6\nrunning\n")}, nil
	}}
}

func TestRebootDeadline(t *testing.T) {
	b := newBench(stubborn())
	b.Sleep = func(ctx context.Context, _ time.Duration) error { <-ctx.Done(); return ctx.Err() }
	err := Do(t.Context(), b.Target, "fix", Reboot{Timeout: 30 * time.Millisecond})
	is(t, err, guest.ErrUnknownOutcome)
	has(t, err, "did not come back with another boot id within 30ms", "it still shows the boot id of before", "look at its console in VirtualBox")
	if b.journal.states() != "begin unknown" {
		t.Error(b.journal.states())
	}
}

// TestRebootInterrupted: a second Ctrl-C was reported as a guest that did not come back within fifteen minutes.
func TestRebootInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b := newBench(stubborn())
	b.Sleep = func(ctx context.Context, _ time.Duration) error { cancel(); return ctx.Err() }
	err := Do(ctx, b.Target, "fix", Reboot{Timeout: time.Hour})
	is(t, err, guest.ErrUnknownOutcome, context.Canceled)
	has(t, err, "the wait was ended before the guest came back")
	if strings.Contains(err.Error(), "did not come back") {
		t.Error(err)
	}
}

// TestAStopDuringARebootWaitsForIt: the guest is going down anyway.
func TestAStopDuringARebootWaitsForIt(t *testing.T) {
	stop := make(chan struct{})
	request := asked
	request.Do = func(context.Context) { close(stop) }
	b := newBench(guesttest.New(t, identityStep(bootA, "2.6", ""), request, down, dial, identityStep(bootB, "2.6", "")))
	b.Stop = stop
	must(t, Do(t.Context(), b.Target, "fix", Reboot{}))
}
