// Package retry holds the wait loops of boxdoctor: try, wait, try again, each time a little later, until the
// work succeeds, the context ends, the time is up or the error is known to be final.
package retry

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Clock is the time that a Loop lives in, so that tests do not have to wait.
type Clock interface {
	Now() time.Time
	// Wait returns after d, or earlier with the context's error.
	Wait(ctx context.Context, d time.Duration) error
}

// Loop says how often and how long to try. The zero value tries at once, then after 0.5 s, 1 s, 2 s, 4 s and
// from then on every 5 s, until the context ends.
type Loop struct {
	// First is the pause after the first failure (zero: 0.5 s), Max the longest pause (zero: 5 s).
	First, Max time.Duration
	// Factor is how much longer each pause is than the one before (below 1: 2).
	Factor float64
	// Limit is how long the loop goes on; zero: as long as the context allows. A running try is given the
	// rest of the limit as its deadline.
	Limit time.Duration
	// Clock is the time to live in; nil: the real one.
	Clock Clock
	// Notify hears of every failure and the pause that follows it; nil: nobody does.
	Notify func(err error, pause time.Duration)
}

// GiveUpError says that a loop ended without success. It wraps both the last failure and what ended the loop.
type GiveUpError struct {
	Tries int
	After time.Duration
	// Last is what the last try said; nil when there was none.
	Last error
	// Cause is the context's error, context.DeadlineExceeded when Limit was reached.
	Cause error
}

// Error names the number of tries, the time they took and the last failure.
func (e *GiveUpError) Error() string {
	if e.Last == nil {
		return fmt.Sprintf("not tried: %v", e.Cause)
	}
	return fmt.Sprintf("gave up after %d tries in %s (%v): %v", e.Tries, e.After.Round(100*time.Millisecond), e.Cause, e.Last)
}

// Unwrap lets errors.Is find the last failure and the cause.
func (e *GiveUpError) Unwrap() []error {
	if e.Last == nil {
		return []error{e.Cause}
	}
	return []error{e.Cause, e.Last}
}

type permanent struct{ error }

// Unwrap is the marked error.
func (p permanent) Unwrap() error { return p.error }

// Permanent marks an error that no further try can mend (a wrong password, a changed host key). Do returns
// it, without the mark, at once.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

// Do calls try until it returns nil (then Do returns nil) or a Permanent error (returned without its mark).
// When the context ends or Limit is reached, Do returns a *GiveUpError.
func (l Loop) Do(ctx context.Context, try func(context.Context) error) error {
	clock := l.clock()
	start := clock.Now()
	var last error
	for tries := 0; ; tries++ {
		left, limited := l.left(clock.Now().Sub(start))
		if cause := ended(ctx, left, limited); cause != nil {
			return &GiveUpError{Tries: tries, After: clock.Now().Sub(start), Last: last, Cause: cause}
		}
		last = l.once(ctx, left, limited, try)
		var final permanent
		if errors.As(last, &final) {
			return final.error
		}
		if last == nil {
			return nil
		}
		if err := l.rest(ctx, clock, tries, start, last); err != nil {
			return &GiveUpError{Tries: tries + 1, After: clock.Now().Sub(start), Last: last, Cause: err}
		}
	}
}

// rest waits for the pause after the given try, cut to what is left of the limit.
func (l Loop) rest(ctx context.Context, clock Clock, tries int, start time.Time, last error) error {
	pause := l.pause(tries)
	if left, limited := l.left(clock.Now().Sub(start)); limited {
		pause = min(pause, max(left, 0))
	}
	if l.Notify != nil {
		l.Notify(last, pause)
	}
	return clock.Wait(ctx, pause)
}

func (l Loop) once(ctx context.Context, left time.Duration, limited bool, try func(context.Context) error) error {
	if !limited {
		return try(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	return try(ctx)
}

// pause is how long to wait after try number n (from 0).
func (l Loop) pause(n int) time.Duration {
	d, limit, factor := l.First, l.Max, l.Factor
	if d <= 0 {
		d = 500 * time.Millisecond
	}
	if limit <= 0 {
		limit = 5 * time.Second
	}
	if factor < 1 {
		factor = 2
	}
	for ; n > 0 && d < limit; n-- {
		// A float that has outgrown a Duration must not wrap around to a negative pause.
		if next := float64(d) * factor; next < float64(limit) {
			d = max(time.Duration(next), d)
		} else {
			d = limit
		}
		if factor == 1 {
			break
		}
	}
	return min(d, limit)
}

func (l Loop) left(spent time.Duration) (time.Duration, bool) {
	return l.Limit - spent, l.Limit > 0
}

func (l Loop) clock() Clock {
	if l.Clock != nil {
		return l.Clock
	}
	return realClock{}
}

func ended(ctx context.Context, left time.Duration, limited bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if limited && left <= 0 {
		return context.DeadlineExceeded
	}
	return nil
}

type realClock struct{}

// Now is the time of day.
func (realClock) Now() time.Time { return time.Now() }

// Wait sleeps, or ends with the context.
func (realClock) Wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
