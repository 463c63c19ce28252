package passthru

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A program on a terminal sees one: its size, its line editing, and Ctrl-C as its signal.
func TestTerminal(t *testing.T) {
	for name, c := range map[string]struct {
		script, typed, want string
		code                int
	}{
		"it is a terminal of the same size": {`test -t 0 && test -t 1 && stty size`, "", "33 111", 0},
		"Ctrl-C is its signal":              {`trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.1; done`, "\x03", "caught", 5},
		"what is typed arrives":             {`read x; echo "got $x"`, "hello\r", "got hello", 0},
	} {
		t.Run(name, func(t *testing.T) {
			person, seat, err := openPTY()
			if err != nil {
				t.Skip(err)
			}
			defer person.Close()
			defer seat.Close()
			if err := unix.IoctlSetWinsize(int(seat.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 33, Col: 111}); err != nil {
				t.Fatal(err)
			}
			p, out, _ := sh(t, c.script)
			p.In, p.Terminal = seat, true
			timer := time.AfterFunc(500*time.Millisecond, func() { _, _ = person.WriteString(c.typed) })
			defer timer.Stop()
			r, err := Run(t.Context(), p)
			if err != nil || r.Code != c.code || !strings.Contains(r.Said, c.want) || !bytes.Equal(out.Bytes(), []byte(r.Said)) {
				t.Errorf("%+v, %v; on the screen %q", r, err, out)
			}
		})
	}
}
