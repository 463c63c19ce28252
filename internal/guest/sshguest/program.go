package sshguest

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

// execLine is the one string that a guest's login shell ever parses. It reads the same in sh, bash, dash,
// ash, ksh, zsh, csh and fish. What really runs arrives on standard input, where no login shell sees it.
const execLine = `sh -c 'IFS= read -r boxdoctor && eval "$boxdoctor"'`

// extraPath goes behind the user's PATH: modprobe, dkms and VBoxService live in folders that the PATH of
// an ordinary user lacks.
const extraPath = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"

// receiver reads a program from standard input and runs it. Its positional parameters are the two halves of
// the ready mark, the line that starts the program, the line that ends it, and how it is sent: "tty" when
// standard error is the same stream as standard output, "all" when nothing follows the program.
//
//   - The mark comes in halves, so that a terminal which echoes the receiver does not show it whole.
//   - Lines before the start line are dropped: a password that sudo did not want ends there.
//   - Nothing runs before the end line has come: a link that is cut while a program is sent runs nothing.
//   - The shell's read takes single bytes, so what follows the end line is untouched and is the program's input.
//     That is slow for a long program, so one that nothing follows is read by cat.
const receiver = `LC_ALL=C LANGUAGE=C TERM=dumb PATH=${PATH:-/usr/bin:/bin}:` + extraPath + `; ` +
	`export LC_ALL LANGUAGE TERM PATH; ` +
	`printf '%s%s %s\n' "$1" "$2" "$$"; ` +
	`if [ "$5" != tty ]; then printf '%s%s %s\n' "$1" "$2" "$$" >&2; fi; ` +
	`while IFS= read -r boxdoctor_line && [ "$boxdoctor_line" != "$3" ]; do :; done; ` +
	`if [ "$5" = all ]; then boxdoctor=$(cat); ` +
	`case $boxdoctor in *"$4") boxdoctor=${boxdoctor%"$4"};; *) exit 97;; esac; ` +
	`else boxdoctor=; boxdoctor_nl=$(printf '\nx'); boxdoctor_nl=${boxdoctor_nl%x}; ` +
	`while IFS= read -r boxdoctor_line && [ "$boxdoctor_line" != "$4" ]; do ` +
	`boxdoctor=$boxdoctor$boxdoctor_line$boxdoctor_nl; done; ` +
	`[ "$boxdoctor_line" = "$4" ] || exit 97; fi; ` +
	`eval "$boxdoctor"`

// The ways of sending a program, for the receiver's fifth parameter.
const (
	byLines = ""
	onTTY   = "tty"
	asWhole = "all"
)

// marks are the random lines of one receiver. They are not secrets: they only cannot be guessed by what
// printed before the receiver started.
type marks struct {
	left, right, start, end string
	// how is byLines, onTTY or asWhole.
	how string
}

func newMarks() (marks, error) {
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		return marks{}, fmt.Errorf("no random numbers: %w", err)
	}
	h := hex.EncodeToString(b)
	return marks{left: "bd-" + h[:16], right: h[16:32], start: "bd-" + h[32:48], end: "bd-" + h[48:]}, nil
}

// ready is what the receiver prints once it runs.
func (m marks) ready() string { return m.left + m.right }

func (m marks) args() string { return shell.Join([]string{m.left, m.right, m.start, m.end, m.how}) }

// opening is the line that turns the shell of execLine into a receiver.
func (m marks) opening() string { return "set -- " + m.args() + "; " + receiver + "\n" }

// wrap puts a program between the start and the end line. The end line is apart: a step may have run from
// the moment it is sent.
func (m marks) wrap(program string) (body, end string) {
	return m.start + "\n" + strings.TrimSuffix(program, "\n") + "\n", m.end + "\n"
}

// program is the sh text that runs a Cmd, given that stdin holds what follows the program.
func program(c guest.Cmd) string {
	switch {
	case c.Script != "":
		return "set -- " + shell.Join(c.Args) + "\nexec </dev/null\n" + c.Script
	case c.Stdin == nil:
		return "exec " + shell.Join(c.Argv) + " </dev/null"
	default:
		return "exec " + shell.Join(c.Argv)
	}
}

// sudoProgram hands the session over to a receiver that runs as root. prompt is empty for sudo -n.
func sudoProgram(m marks, prompt string) string {
	how := "-n"
	if prompt != "" {
		how = "-S -p " + shell.Quote(prompt)
	}
	return "exec sudo " + how + " sh -c " + shell.Quote(receiver) + " sh " + m.args()
}

// check refuses what cannot be sent.
func check(c guest.Cmd) error {
	if c.Name == "" {
		return errors.New("a step needs a name")
	}
	if (len(c.Argv) == 0) == (c.Script == "") {
		return fmt.Errorf("step %q: exactly one of Argv and Script must be set", c.Name)
	}
	if c.Script != "" && c.Stdin != nil {
		return fmt.Errorf("step %q: a Script has an empty standard input; Stdin is for Argv", c.Name)
	}
	for _, s := range append(append([]string{c.Script}, c.Argv...), c.Args...) {
		if strings.ContainsRune(s, 0) {
			return fmt.Errorf("step %q: a NUL byte cannot be part of a command", c.Name)
		}
	}
	return nil
}
