package sshguest

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/boxdoctor/boxdoctor/internal/guest"
)

var _ guest.Dialer = (*Guest)(nil)

// DialContext opens a TCP connection from inside the guest, as `ssh -W` does: no port is opened on either side. Where
// sshd forbids it (AllowTcpForwarding no) the error says "administratively prohibited".
func (g *Guest) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := g.live(ctx)
	if err != nil {
		return nil, err
	}
	far, err := c.client.DialContext(ctx, network, addr)
	if err != nil {
		return nil, fmt.Errorf("from inside the guest: %w", c.explain(err))
	}
	return withDeadlines(far), nil
}

// withDeadlines gives deadlines to a channel of SSH, which has none: a pipe that has them stands before it.
func withDeadlines(far net.Conn) net.Conn {
	near, inner := net.Pipe()
	var once sync.Once
	end := func() { once.Do(func() { _ = far.Close(); _ = inner.Close() }) }
	go func() { defer end(); _, _ = io.Copy(far, inner) }()
	go func() { defer end(); _, _ = io.Copy(inner, far) }()
	return near
}
