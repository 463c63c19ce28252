package cmd

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/boxdoctor/boxdoctor/internal/box"
	"github.com/boxdoctor/boxdoctor/internal/download"
	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// failure ends a command with a code of its own and its text.
type failure struct {
	code int
	err  error
}

// Error is the text.
func (f *failure) Error() string { return f.err.Error() }

// Unwrap is why.
func (f *failure) Unwrap() error { return f.err }

// stopDownload is what the first Ctrl-C says during a download.
func stopDownload(string, string) string { return "Stopping; what was downloaded is kept." }

// done ends the session of a download and gives its error an exit code.
func (s *session) done(err error) error {
	interrupted := s.end()
	var usage *usageError
	var own *failure
	var paused *download.PausedError
	switch {
	case err == nil, errors.As(err, &usage), errors.As(err, &own):
		return err
	case interrupted && errors.As(err, &paused):
		return &failure{finding.ExitInterrupted, fmt.Errorf("interrupted: %d bytes are kept in %s, and the same command goes on from there", paused.Done, paused.Part)}
	case interrupted:
		return errInterrupted
	}
	return &failure{transferCode(err), err}
}

// transferCode is 1 when what was asked for is not there or not right, 3 when nobody could tell.
func transferCode(err error) int {
	var missing *box.NotThereError
	var wrong *download.MismatchError
	var status *download.StatusError
	switch {
	case errors.As(err, &missing), errors.As(err, &wrong):
		return finding.ExitFailed
	case errors.As(err, &status) && status.Code == 404:
		return finding.ExitFailed
	}
	return finding.ExitUnexamined
}

// sameServer tells whether two addresses are of one server, so that a token may go to both.
func sameServer(a, b string) bool {
	x, err := url.Parse(a)
	y, err2 := url.Parse(b)
	return err == nil && err2 == nil && x.Host == y.Host && x.Scheme == y.Scheme
}
