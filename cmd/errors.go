package cmd

import (
	"errors"
	"fmt"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/nearest"
	"github.com/boxdoctor/boxdoctor/internal/report"
)

// usageError is a command line that cannot be run: exit 2, with a hint instead of a page of usage.
type usageError struct{ text, hint string }

// Error is the text and, on a line of its own, the hint.
func (e *usageError) Error() string {
	if e.hint == "" {
		return e.text
	}
	return e.text + "\n" + e.hint
}

func usagef(format string, args ...any) *usageError {
	return &usageError{text: fmt.Sprintf(format, args...)}
}

func (e *usageError) withHint(format string, args ...any) *usageError {
	e.hint = fmt.Sprintf(format, args...)
	return e
}

// unknown is the usage error for a word that is in no list, with the nearest one that is.
func unknown(kind, word string, known []string) *usageError {
	e := usagef("unknown %s %q", kind, word)
	if near := nearest.Of(word, known); near != "" {
		return e.withHint("Did you mean %s?", near)
	}
	return e
}

// codeError ends the process with a code after everything has been said: the report is the message.
type codeError int

// Error is only seen by programmers: exitCode takes the number.
func (c codeError) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// withCode turns a report's exit code into what a run function returns.
func withCode(code int) error {
	if code == finding.ExitOK {
		return nil
	}
	return codeError(code)
}

// errInterrupted means that the person stopped the run before there was anything to report.
var errInterrupted = errors.New("interrupted; nothing was changed")

// exitCode is the one place where an error becomes a message and a code.
func (a *app) exitCode(err error) int {
	var usage *usageError
	var code codeError
	var failed *failure
	switch {
	case err == nil:
		return finding.ExitOK
	case errors.As(err, &failed):
		a.say("boxdoctor: " + report.Clean(failed.Error()))
		return failed.code
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &usage):
		a.say("boxdoctor: " + report.Clean(usage.Error()))
		return finding.ExitUsage
	case errors.Is(err, errInterrupted):
		a.say("boxdoctor: " + err.Error())
		return finding.ExitInterrupted
	}
	a.say("boxdoctor: " + report.Clean(err.Error()))
	return finding.ExitInternal
}

// exitMeaning is one row of the exit-code table.
type exitMeaning struct {
	code    int
	meaning string
}

// exitCodes is the table of the help and of the README.
var exitCodes = []exitMeaning{
	{finding.ExitOK, "healthy, or only warnings"},
	{finding.ExitFailed, "at least one check failed (with --strict: or warned); a dry run of fix would change something"},
	{finding.ExitUsage, "usage error: nothing was examined"},
	{finding.ExitUnexamined, "nothing failed, but a machine could not be reached or a check could not tell"},
	{finding.ExitUnverified, "fix changed something, and a check that it was to clear does not pass"},
	{finding.ExitInternal, "internal error"},
	{finding.ExitInterrupted, "interrupted"},
}

// exitCodeHelp is the table as the help shows it.
func exitCodeHelp() string {
	var b strings.Builder
	for _, e := range exitCodes {
		fmt.Fprintf(&b, "  %3d  %s\n", e.code, e.meaning)
	}
	b.WriteString("  Any other code is a failure.\n")
	return b.String()
}
