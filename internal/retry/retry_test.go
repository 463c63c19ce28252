package retry

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeClock stands still but for what is waited.
type fakeClock struct {
	now    time.Time
	pauses []time.Duration
	// end is called before each wait; its error ends the wait.
	end func(n int) error
}

func (c *fakeClock) Now() time.Time { return c.now }

func (c *fakeClock) Wait(ctx context.Context, d time.Duration) error {
	if c.end != nil {
		if err := c.end(len(c.pauses)); err != nil {
			return err
		}
	}
	c.pauses = append(c.pauses, d)
	c.now = c.now.Add(d)
	return ctx.Err()
}

var errNotYet = errors.New("not yet")

func failing(times int) func(context.Context) error {
	return func(context.Context) error {
		if times--; times >= 0 {
			return errNotYet
		}
		return nil
	}
}

func TestPauses(t *testing.T) {
	s := time.Second
	for name, c := range map[string]struct {
		loop Loop
		want []time.Duration
	}{
		"zero value":  {Loop{}, []time.Duration{s / 2, s, 2 * s, 4 * s, 5 * s, 5 * s}},
		"constant":    {Loop{First: s, Factor: 1}, []time.Duration{s, s, s, s, s, s}},
		"tripled":     {Loop{First: s, Factor: 3, Max: 20 * s}, []time.Duration{s, 3 * s, 9 * s, 20 * s, 20 * s, 20 * s}},
		"first > max": {Loop{First: 10 * s, Max: s}, []time.Duration{s, s, s, s, s, s}},
		"huge":        {Loop{First: s, Factor: 1e300, Max: 1<<63 - 1}, []time.Duration{s, 1<<63 - 1}},
	} {
		clock := &fakeClock{}
		c.loop.Clock = clock
		if err := c.loop.Do(t.Context(), failing(len(c.want))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !slices.Equal(clock.pauses, c.want) {
			t.Errorf("%s: pauses %v, want %v", name, clock.pauses, c.want)
		}
	}
}

func TestSuccessAtOnceDoesNotWait(t *testing.T) {
	clock := &fakeClock{}
	if err := (Loop{Clock: clock}).Do(t.Context(), failing(0)); err != nil || len(clock.pauses) > 0 {
		t.Errorf("%v %v", err, clock.pauses)
	}
}

func TestPermanentErrorsEndTheLoop(t *testing.T) {
	final := errors.New("wrong password")
	tries := 0
	err := (Loop{Clock: &fakeClock{}}).Do(t.Context(), func(context.Context) error {
		if tries++; tries == 2 {
			return Permanent(final)
		}
		return errNotYet
	})
	if err != final || tries != 2 {
		t.Errorf("%v after %d tries", err, tries)
	}
	if Permanent(nil) != nil {
		t.Error("no error became one")
	}
}

func TestLimit(t *testing.T) {
	clock := &fakeClock{}
	var heard []time.Duration
	l := Loop{First: time.Second, Factor: 1, Limit: 3500 * time.Millisecond, Clock: clock,
		Notify: func(err error, pause time.Duration) {
			if err != errNotYet {
				t.Error(err)
			}
			heard = append(heard, pause)
		}}
	err := l.Do(t.Context(), failing(100))
	var gave *GiveUpError
	if !errors.As(err, &gave) || gave.Tries != 4 || gave.After != l.Limit || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errNotYet) {
		t.Fatalf("%+v", err)
	}
	if want := []time.Duration{time.Second, time.Second, time.Second, time.Second / 2}; !slices.Equal(clock.pauses, want) || !slices.Equal(heard, want) {
		t.Errorf("pauses %v, heard %v", clock.pauses, heard)
	}
	if s := err.Error(); !strings.Contains(s, "4 tries in 3.5s") || !strings.Contains(s, "not yet") {
		t.Error(s)
	}
}

func TestATryGetsTheRestOfTheLimit(t *testing.T) {
	err := (Loop{Limit: time.Hour, Clock: &fakeClock{}}).Do(t.Context(), func(ctx context.Context) error {
		if d, ok := ctx.Deadline(); !ok || time.Until(d) > time.Hour || time.Until(d) < time.Minute {
			t.Errorf("deadline %v %v", d, ok)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var gave *GiveUpError
	err := (Loop{}).Do(ctx, func(context.Context) error { t.Error("tried"); return nil })
	if !errors.As(err, &gave) || gave.Tries != 0 || !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "not tried") {
		t.Errorf("%v", err)
	}
	clock := &fakeClock{end: func(n int) error {
		if n == 2 {
			return context.Canceled
		}
		return nil
	}}
	err = (Loop{Clock: clock}).Do(t.Context(), failing(100))
	if !errors.As(err, &gave) || gave.Tries != 3 || !errors.Is(err, context.Canceled) || !errors.Is(err, errNotYet) {
		t.Errorf("%v", err)
	}
}

func TestTheRealClockHearsTheContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := (Loop{First: time.Hour, Max: time.Hour}).Do(ctx, failing(100))
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 5*time.Second {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
	if err := (Loop{First: time.Millisecond}).Do(t.Context(), failing(3)); err != nil {
		t.Error(err)
	}
}
