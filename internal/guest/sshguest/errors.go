package sshguest

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// DialError is why a machine could not be reached.
type DialError struct {
	// Class is one of the classes of facts.Reach.
	Class string
	// Text says in words what was seen and what it means.
	Text string
	// Command is the exact next command.
	Command string
	Cause   error
}

// Error is Text with the next command.
func (e *DialError) Error() string { return withCommand(e.Text, e.Command) }

// Unwrap is the error of the network or the SSH library.
func (e *DialError) Unwrap() error { return e.Cause }

const sudoVariableHint = "BOXDOCTOR_SUDO_PASSWORD_<NAME>"

// SudoError is why a step that needs root certainly did not run.
type SudoError struct {
	Name string
	// State is one of the Sudo states of package facts.
	State string
	// Wrong says that a password was given and refused.
	Wrong bool
	// Text is what sudo said, cleaned and bounded.
	Text    string
	Command string
}

// SudoState tells callers that know only package guest which Sudo state of package facts it is.
func (e *SudoError) SudoState() string { return e.State }

// Error names the step, what sudo said, what that means and the next command.
func (e *SudoError) Error() string {
	why := map[string]string{
		facts.SudoPassword: "sudo asks for a password and none was given",
		facts.SudoTTY:      "sudo insists on a terminal (requiretty) and none could be had",
		facts.SudoDenied:   "the user may not use sudo",
		facts.SudoMissing:  "the guest has no sudo program",
		facts.SudoBroken:   "sudo did not start the step",
	}[e.State]
	if e.Wrong {
		why = "sudo refused the password that was given (by " + sudoVariableHint + " or at the prompt); it is not tried again, so that the account is not locked"
	}
	said := ""
	if e.Text != "" {
		said = fmt.Sprintf(" (sudo said: %s)", e.Text)
	}
	return withCommand(fmt.Sprintf("step %q did not run: %s%s", e.Name, why, said), e.Command)
}

func withCommand(text, command string) string {
	if command == "" {
		return text
	}
	return text + "; next: " + command
}

// textLimit is how much of a guest's words an error repeats, in bytes.
const textLimit = 600

// clean makes one bounded line of what a guest said: no terminal escapes, no control characters, valid UTF-8.
func clean(s string) string {
	s = scrub(s)
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' }), " / ")
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > textLimit {
		cut := len(s) - textLimit
		for cut < len(s) && !utf8.RuneStart(s[cut]) {
			cut++
		}
		s = "… " + s[cut:]
	}
	return s
}

// scrub removes terminal escapes and control characters except newline and tab, and repairs UTF-8.
func scrub(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] == 0x1b {
			i += escapeLen(s[i:])
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == '\n' || r == '\t' || !unicode.IsControl(r) {
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

// escapeLen is the length of the escape sequence at the start of s: CSI and OSC sequences, else two bytes.
func escapeLen(s string) int {
	if len(s) < 2 {
		return len(s)
	}
	switch s[1] {
	case '[':
		for i := 2; i < len(s); i++ {
			if s[i] >= 0x40 && s[i] <= 0x7e {
				return i + 1
			}
			if s[i] < 0x20 {
				return i
			}
		}
		return len(s)
	case ']', 'P', '^', '_', 'X':
		return stringEscapeLen(s)
	}
	if s[1] >= 0x20 && s[1] < 0x7f {
		return 2
	}
	return 1
}

// stringEscapeLen ends at BEL, at ST or, so that an open one cannot swallow a whole log, at a newline.
func stringEscapeLen(s string) int {
	for i := 2; i < len(s); i++ {
		switch {
		case s[i] == 0x07:
			return i + 1
		case s[i] == 0x1b && i+1 < len(s) && s[i+1] == '\\':
			return i + 2
		case s[i] == '\n':
			return i
		}
	}
	return len(s)
}
