package sshguest

import (
	"context"
	_ "embed" // the scripts
	"encoding/base64"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/guest"
)

// promptPatience is how long sudo may take to ask before a known password is sent unasked: PAM modules may
// replace the prompt that was set by -p. The receiver drops the line if sudo does not want it.
const promptPatience = 3 * time.Second

// feed writes the session's standard input: the receiver, with sudo the hand-over to root's receiver, the
// program, then the step's own input. It ends when everything is written or the session is closed; only a
// Cmd.Stdin that blocks in Read can hold it longer.
func (s *step) feed(stop <-chan struct{}) {
	to := s.sess.ch
	if !send(to, s.outer.opening()) {
		return
	}
	last := s.outer
	if s.sudo != nil {
		body, end := s.outer.wrap(sudoProgram(s.inner, s.sudo.prompt))
		if !send(to, body+end) || !s.elevate(stop) {
			return
		}
		last = s.inner
	}
	body, end := last.wrap(s.program())
	if !send(to, body) {
		return
	}
	s.sent.Store(true)
	if !send(to, end) {
		return
	}
	s.input(to)
}

// program adds to a step on a terminal, which has no end of file, a reader that knows the end of its input.
func (s *step) program() string {
	if !s.pty || s.cmd.Stdin == nil {
		return program(s.cmd)
	}
	return `{ while IFS= read -r boxdoctor_line && [ "$boxdoctor_line" != ` + s.inner.start + ` ]; do ` +
		`printf '%s\n' "$boxdoctor_line"; done; } | base64 -d | ` + strings.TrimPrefix(program(s.cmd), "exec ")
}

// input sends Cmd.Stdin. A source that fails ends the step: its program would wait for the rest for ever.
func (s *step) input(to io.WriteCloser) {
	if s.cmd.Stdin != nil {
		src := &noted{r: s.cmd.Stdin}
		if s.pty {
			if sendLines(to, src) {
				send(to, s.inner.start+"\n")
			}
		} else {
			_, _ = io.Copy(to, src)
		}
		if src.err != nil {
			s.broken.Store(&src.err)
			_ = s.sess.ch.Close()
			return
		}
	}
	if !s.pty {
		_ = s.closeInput()
	}
}

// noted remembers why its source failed.
type noted struct {
	r   io.Reader
	err error
}

// Read notes an error that is not the end.
func (n *noted) Read(p []byte) (int, error) {
	k, err := n.r.Read(p)
	if err != nil && err != io.EOF {
		n.err = err
	}
	return k, err
}

func (s *step) closeInput() error { return s.sess.ch.CloseWrite() }

func send(to io.Writer, text string) bool {
	_, err := io.WriteString(to, text)
	return err == nil
}

// sendLines writes r as lines of base64: a terminal would read some bytes as commands.
func sendLines(to io.Writer, r io.Reader) bool {
	buf := make([]byte, 48<<10)
	for {
		n, err := io.ReadFull(r, buf)
		for from := 0; from < n; from += 48 {
			line := base64.StdEncoding.EncodeToString(buf[from:min(from+48, n)])
			if !send(to, line+"\n") {
				return false
			}
		}
		if err != nil {
			return err == io.EOF || err == io.ErrUnexpectedEOF
		}
	}
}

// elevate waits until root's receiver runs and answers sudo's question on the way: once, and only when asked
// or when sudo is silent. A second question means that the password was wrong; then sudo gets no more lines,
// for it would take the program for further passwords.
func (s *step) elevate(stop <-chan struct{}) bool {
	patience := time.NewTimer(promptPatience)
	defer patience.Stop()
	answered := false
	for {
		select {
		case <-s.ready:
			return true
		case <-stop:
			return false
		case <-patience.C:
			if s.sudo.prompt == "" || answered {
				continue
			}
		case <-s.prompts:
			if answered {
				s.refused.Store(true)
				s.hangUp()
				return false
			}
		}
		answered = true
		if !send(s.sess.ch, s.sudo.password+"\n") {
			return false
		}
	}
}

// hangUp ends sudo's wait for another password.
func (s *step) hangUp() {
	if s.pty {
		_ = s.sess.ch.Close()
		return
	}
	_ = s.closeInput()
}

//go:embed kill.sh
var killScript string

// kill ends a step that was cancelled: by SSH's signal request, and where the guest's sshd does not know it
// (OpenSSH before 7.9) or sudo stands between, from a second session.
func (s *step) kill(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), killTime)
	defer cancel()
	s.sess.signal("TERM")
	if s.over(300 * time.Millisecond) {
		return
	}
	for _, sig := range []string{"TERM", "KILL"} {
		s.killBy(ctx, sig)
		if s.over(300 * time.Millisecond) {
			return
		}
	}
}

// over reports whether the step ended within d.
func (s *step) over(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-s.sess.told:
		return true
	case <-s.sess.gone:
		return true
	case <-t.C:
		return false
	}
}

func (s *step) killBy(ctx context.Context, sig string) {
	s.mu.Lock()
	args := []string{sig}
	for _, pid := range s.pids {
		args = append(args, strconv.Itoa(pid))
	}
	s.mu.Unlock()
	if len(args) == 1 {
		return
	}
	k, err := newStep(guest.Cmd{Name: "end " + s.cmd.Name, Script: killScript, Args: args, Limit: 1024}, s.sudo)
	if err != nil {
		return
	}
	k.noKill, k.conn = true, s.conn
	if k.sess, err = s.conn.open(ctx, k.pty); err == nil {
		k.run(ctx)
	}
}
