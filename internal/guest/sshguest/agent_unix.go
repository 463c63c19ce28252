//go:build !windows

package sshguest

import (
	"context"
	"io"
	"net"
)

// dialAgent connects to the agent's socket; nil without a socket's name.
func dialAgent(ctx context.Context, socket string) (io.ReadWriteCloser, error) {
	if socket == "" {
		return nil, nil
	}
	c, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = c.Close() })
	return c, nil
}
