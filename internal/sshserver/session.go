package sshserver

import (
	"context"
	"encoding/binary"
	"io"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// session serves one channel: at most one exec request or subsystem.
type session struct {
	srv  *Server
	link *link
	user string
	ch   ssh.Channel
	pty  bool
	// stop ends the running command: the client sent a signal or went away.
	ctx  context.Context
	stop context.CancelFunc
	done chan struct{}
}

func (s *Server) session(ctx context.Context, l *link, user string, nc ssh.NewChannel) {
	ch, reqs, err := nc.Accept()
	if err != nil {
		return
	}
	ctx, stop := context.WithCancel(ctx)
	ss := &session{srv: s, link: l, user: user, ch: ch, ctx: ctx, stop: stop}
	for r := range reqs {
		ok := ss.request(r)
		if r.WantReply {
			_ = r.Reply(ok, nil)
		}
	}
	stop()
	if ss.done != nil {
		<-ss.done
	}
	_ = ch.Close()
}

// request handles one request of the channel and says whether it was granted.
func (ss *session) request(r *ssh.Request) bool {
	switch r.Type {
	case "pty-req":
		ss.pty = true
		return true
	case "exec":
		var m struct{ Command string }
		return ssh.Unmarshal(r.Payload, &m) == nil && ss.exec(m.Command)
	case "subsystem":
		var m struct{ Name string }
		return ssh.Unmarshal(r.Payload, &m) == nil && m.Name == "sftp" && ss.sftp()
	case "signal":
		ss.stop()
		return true
	}
	return false
}

// exec starts a command; the faults ordered for it are played around it.
func (ss *session) exec(command string) bool {
	if ss.done != nil {
		return false
	}
	f, drop := ss.srv.takeExec()
	if drop {
		ss.link.reset()
		return false
	}
	ss.done = make(chan struct{})
	go func() {
		defer close(ss.done)
		stopFaults := ss.timedFaults(f)
		defer stopFaults()
		_, _ = io.WriteString(ss.ch, f.Noise)
		_, _ = io.WriteString(ss.ch.Stderr(), f.NoiseStderr)
		out := &faultyWriter{w: ss.ch, delay: f.WriteDelay, limit: f.DropAfterOutput, cut: ss.link.reset, gone: ss.ctx.Done()}
		code := ss.srv.opt.Handler.Exec(ss.ctx, Session{
			Command: command, User: ss.user, Stdin: ss.ch, Stdout: out, Stderr: ss.ch.Stderr(), PTY: ss.pty,
		})
		ss.end(f, code)
	}()
	return true
}

func (ss *session) timedFaults(f Faults) (stop func()) {
	var timers []*time.Timer
	if f.DropAfter > 0 {
		timers = append(timers, time.AfterFunc(f.DropAfter, ss.link.reset))
	}
	if f.FreezeAfter > 0 {
		timers = append(timers, time.AfterFunc(f.FreezeAfter, ss.link.freeze))
	}
	return func() {
		for _, t := range timers {
			t.Stop()
		}
	}
}

// end tells the exit status and closes the channel.
func (ss *session) end(f Faults, code int) {
	if !f.NoExitStatus {
		_, _ = ss.ch.SendRequest("exit-status", false, binary.BigEndian.AppendUint32(nil, uint32(code)))
	}
	if f.HoldOutput > 0 {
		select {
		case <-time.After(f.HoldOutput):
		case <-ss.ctx.Done():
		}
	}
	_ = ss.ch.Close()
}

func (ss *session) sftp() bool {
	f := ss.srv.currentFaults()
	tree := ss.srv.opt.Handler.SFTP()
	if f.NoSFTP || tree == nil || ss.done != nil {
		return false
	}
	ss.done = make(chan struct{})
	go func() {
		defer close(ss.done)
		if !f.NoSFTPServer {
			rs := sftp.NewRequestServer(ss.ch, *tree)
			_ = rs.Serve()
			_ = rs.Close()
		}
		ss.end(Faults{}, 0)
	}()
	return true
}
