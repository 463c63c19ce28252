package sshserver

import (
	"context"
	"io"
	"net"
	"strconv"

	"golang.org/x/crypto/ssh"
)

// forward serves a direct-tcpip channel (RFC 4254, 7.2) to loopback, in OpenSSH's words where it does not.
func (s *Server) forward(ctx context.Context, nc ssh.NewChannel) {
	var to struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	if !s.opt.Forward || ssh.Unmarshal(nc.ExtraData(), &to) != nil || !net.ParseIP(to.Host).IsLoopback() {
		_ = nc.Reject(ssh.Prohibited, "administratively prohibited: open failed")
		return
	}
	far, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(to.Host, strconv.Itoa(int(to.Port))))
	if err != nil {
		_ = nc.Reject(ssh.ConnectionFailed, "Connection refused")
		return
	}
	defer far.Close()
	ch, reqs, err := nc.Accept()
	if err != nil {
		return
	}
	defer ch.Close()
	go ssh.DiscardRequests(reqs)
	stop := context.AfterFunc(ctx, func() { _ = far.Close() })
	defer stop()
	go func() { _, _ = io.Copy(far, ch); _ = far.Close() }()
	_, _ = io.Copy(ch, far)
}
