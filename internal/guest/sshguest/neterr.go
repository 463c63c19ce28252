package sshguest

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
)

// Windows reports its own numbers; they are not equal to the syscall package's POSIX ones.
const (
	wsaRefused = syscall.Errno(10061)
	wsaReset   = syscall.Errno(10054)
	wsaAborted = syscall.Errno(10053)
)

func isTimeout(err error) bool {
	var n net.Error
	return errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &n) && n.Timeout())
}

func isReset(err error) bool {
	for _, r := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, wsaReset, wsaAborted} {
		if errors.Is(err, r) {
			return true
		}
	}
	return false
}
