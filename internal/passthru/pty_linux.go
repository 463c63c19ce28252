package passthru

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
	xterm "golang.org/x/term"
)

// onTerminal gives the program a terminal of its own, of the same size, and copies both ways, byte for byte. The person's
// terminal is raw meanwhile, so Ctrl-C is a byte that the program's terminal turns into its signal.
func onTerminal(cmd *exec.Cmd, p Program) (Result, error) {
	in, ok := p.In.(*os.File)
	if !ok {
		return handOver(cmd, p)
	}
	master, slave, err := openPTY()
	if err != nil {
		return handOver(cmd, p)
	}
	defer master.Close()
	resize := func() {
		if ws, err := unix.IoctlGetWinsize(int(in.Fd()), unix.TIOCGWINSZ); err == nil {
			_ = unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, ws)
		}
	}
	resize()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err = cmd.Start()
	_ = slave.Close()
	if err != nil {
		return Result{}, err
	}
	if before, err := xterm.MakeRaw(int(in.Fd())); err == nil {
		defer func() { _ = xterm.Restore(int(in.Fd()), before) }()
	}
	defer follow(resize)()
	defer forward(cmd)()
	feed := startFeed(in, master)
	said := &tail{}
	_, _ = io.Copy(io.MultiWriter(p.Out, said), master) // ends with EIO when the last process has closed the terminal
	err = cmd.Wait()
	feed()
	return result(cmd, err, said)
}

// follow calls resize whenever the person's terminal changes its size.
func follow(resize func()) (stop func()) {
	sizes := make(chan os.Signal, 1)
	signal.Notify(sizes, unix.SIGWINCH)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-sizes:
				resize()
			case <-done:
				return
			}
		}
	}()
	return func() { signal.Stop(sizes); close(done) }
}

// startFeed copies what is typed until it is stopped. The terminal is polled, because a read that waits would swallow the
// first key of whatever boxdoctor asks afterwards.
func startFeed(in *os.File, to io.Writer) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, 4096)
		for {
			select {
			case <-done:
				return
			default:
			}
			fds := []unix.PollFd{{Fd: int32(in.Fd()), Events: unix.POLLIN}}
			if n, err := unix.Poll(fds, 100); err != nil && err != unix.EINTR {
				return
			} else if n < 1 {
				continue
			}
			n, err := in.Read(buf)
			if err != nil {
				return
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

func openPTY() (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open a terminal: %w", err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		_ = master.Close()
		return nil, nil, fmt.Errorf("open a terminal: %w", err)
	}
	return master, slave, nil
}
