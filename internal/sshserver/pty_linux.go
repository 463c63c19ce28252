package sshserver

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// runOnPTY runs a command with a raw terminal (no echo, no line editing) as its three streams.
func runOnPTY(ctx context.Context, cmd *exec.Cmd, s Session) int {
	master, slave, err := openPTY()
	if err != nil {
		_, _ = io.WriteString(s.Stderr, err.Error()+"\n")
		return 127
	}
	defer master.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr.Setctty = true
	err = cmd.Start()
	_ = slave.Close()
	if err != nil {
		_, _ = io.WriteString(s.Stderr, err.Error()+"\n")
		return 127
	}
	stop := context.AfterFunc(ctx, func() { _ = master.Close() })
	defer stop()
	go func() { _, _ = io.Copy(master, s.Stdin) }()
	// The read ends with EIO when the last process has closed the terminal.
	_, _ = io.Copy(s.Stdout, master)
	return exitCode(cmd.Wait())
}

func openPTY() (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open a terminal: %w", err)
	}
	slave, err = openSlave(master)
	if err != nil {
		_ = master.Close()
		return nil, nil, fmt.Errorf("open a terminal: %w", err)
	}
	return master, slave, nil
}

// openSlave unlocks the other end, opens it and makes it raw.
func openSlave(master *os.File) (*os.File, error) {
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		return nil, err
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		return nil, err
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	t, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err != nil {
		_ = slave.Close()
		return nil, err
	}
	t.Iflag, t.Oflag = 0, 0
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(int(slave.Fd()), unix.TCSETS, t); err != nil {
		_ = slave.Close()
		return nil, err
	}
	return slave, nil
}
