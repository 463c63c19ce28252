package sshguest

import (
	"context"
	"errors"
	"io"
	"os"
)

// windowsAgent is where the OpenSSH agent of Windows listens. A named pipe opens like a file.
const windowsAgent = `\\.\pipe\openssh-ssh-agent`

// dialAgent opens the pipe named by SSH_AUTH_SOCK, else the one of Windows' own agent; nil when there is none.
func dialAgent(_ context.Context, socket string) (io.ReadWriteCloser, error) {
	pipe := socket
	if pipe == "" {
		pipe = windowsAgent
	}
	f, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) && socket == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}
