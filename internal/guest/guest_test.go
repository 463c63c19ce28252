package guest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestExitError(t *testing.T) {
	for want, e := range map[string]*ExitError{
		`step "probe": exit status 3: b / c / d`:                      {Name: "probe", Code: 3, Stderr: "a\nb\nc\nd\n"},
		`step "probe": exit status 1, with nothing on standard error`: {Name: "probe", Code: 1},
		`step "probe": killed by signal KILL: oops`:                   {Name: "probe", Code: -1, Signal: "KILL", Stderr: "oops"},
		`step "x": exit status 2, with nothing on standard error`:     {Name: "x", Code: 2, Stderr: " \n\n"},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestOutcomeErrorIsBothThings(t *testing.T) {
	err := error(&OutcomeError{Name: "install", After: 1234 * time.Millisecond, Cause: context.DeadlineExceeded})
	if !errors.Is(err, ErrUnknownOutcome) || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrLinkLost) {
		t.Errorf("%v unwraps wrongly", err)
	}
	for _, part := range []string{`"install"`, "1.2s", "deadline", "not known whether"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q lacks %q", err, part)
		}
	}
}
