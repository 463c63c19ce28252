package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// Vagrant's own forward of every machine, and the range from which it takes another port when that one is taken.
const (
	sshPort   = 2222
	rangeLow  = 2200
	rangeHigh = 2250
)

// ports tries every forward that `vagrant up` will need. A machine that runs holds its own, so it is left out.
func (ob *observer) ports(ctx context.Context, wanted facts.Value[facts.Wanted], records []facts.Record) facts.Value[[]facts.Port] {
	all := append([]facts.Port{}, ob.wantedPorts(wanted, records)...)
	spoken := map[int]bool{}
	for _, p := range all {
		spoken[p.Port] = true
	}
	for i, p := range all {
		all[i] = ob.trial(ctx, p, spoken)
		spoken[all[i].Free] = true
	}
	return facts.Known(all)
}

// wantedPorts are the forwards of the Vagrantfile with Vagrant's own, or, where the file could not be read, those that
// the VMs had when they last ran.
func (ob *observer) wantedPorts(wanted facts.Value[facts.Wanted], records []facts.Record) []facts.Port {
	var all []facts.Port
	if w, err := wanted.Get(); err == nil {
		for _, m := range w.Machines {
			if !ob.runs(m.Name, records) {
				all = append(all, portsOf(m)...)
			}
		}
		return all
	}
	for _, r := range records {
		if a, ok := ob.infos[r.ID]; ok && a.err == nil && !ob.running[r.ID] {
			for _, f := range parseVMInfo(a.out.Stdout).Forwards {
				if f.Proto == "tcp" {
					all = append(all, facts.Port{Machine: r.Name, ID: f.Name, HostIP: f.HostIP, Port: f.HostPort, Guest: f.GuestPort, AutoCorrect: f.Name == "ssh"})
				}
			}
		}
	}
	return all
}

func (ob *observer) runs(machine string, records []facts.Record) bool {
	for _, r := range records {
		if r.Name == machine && r.ID != "" && ob.running[r.ID] {
			return true
		}
	}
	return false
}

// portsOf are the TCP forwards of one machine whose port is known; Vagrant never looks at those of UDP.
func portsOf(m facts.WantedMachine) []facts.Port {
	var all []facts.Port
	ssh := m.NoSSHForward
	for _, f := range m.Forwards {
		port, err := f.Host.Get()
		ssh = ssh || f.ID == "ssh" || f.Guest.Or(0) == 22
		if err != nil || f.Proto == "udp" {
			continue
		}
		all = append(all, facts.Port{Machine: m.Name, Line: f.Line, ID: f.ID, HostIP: f.HostIP.Or(""), Port: port, Guest: f.Guest.Or(0), AutoCorrect: f.AutoCorrect})
	}
	if !ssh {
		all = append(all, facts.Port{Machine: m.Name, ID: "ssh", HostIP: "127.0.0.1", Port: sshPort, Guest: 22, AutoCorrect: true})
	}
	return all
}

// trial listens on the port for a moment. Somebody who already listens on every address is found by connecting, because
// some systems allow to listen on one address all the same. spoken are the ports that other forwards have or are offered.
func (ob *observer) trial(ctx context.Context, p facts.Port, spoken map[int]bool) facts.Port {
	p.State, p.Error = bind(ctx, p.HostIP, p.Port)
	if p.State == facts.PortTaken {
		p.Owner = ob.owner(p.Port)
	}
	if p.State == facts.PortTaken || p.State == facts.PortDenied {
		p.Free = ob.freePort(ctx, p, spoken)
	}
	return p
}

// connectLimit is how long a connection to this host may take; a listener answers at once.
const connectLimit = 100 * time.Millisecond

func bind(ctx context.Context, ip string, port int) (state, text string) {
	if ip == "" || ip == "0.0.0.0" || ip == "*" {
		ip = "127.0.0.1"
	}
	address := net.JoinHostPort(ip, strconv.Itoa(port))
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		_ = l.Close()
	case errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, errWinAddrInUse):
		return facts.PortTaken, err.Error()
	case errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, errWinNoAddr):
		return facts.PortNoAddress, err.Error()
	case errors.Is(err, os.ErrPermission) || errors.Is(err, errWinAccess):
		return facts.PortDenied, err.Error()
	default:
		return "", err.Error()
	}
	d := net.Dialer{Timeout: connectLimit}
	if c, err := d.DialContext(ctx, "tcp", address); err == nil {
		_ = c.Close()
		return facts.PortTaken, "something accepts connections on " + address
	}
	return facts.PortFree, ""
}

// The numbers that Windows gives, which Go's syscall package does not name on every system.
const (
	errWinAccess    = syscall.Errno(10013) // WSAEACCES: reserved, or used exclusively
	errWinAddrInUse = syscall.Errno(10048)
	errWinNoAddr    = syscall.Errno(10049)
)

// freePort is a free port for the same forward: for ssh from Vagrant's range, else the next ones above.
func (ob *observer) freePort(ctx context.Context, p facts.Port, spoken map[int]bool) int {
	low, high := p.Port+1, p.Port+50
	if p.ID == "ssh" {
		low, high = rangeLow, rangeHigh
	}
	for port := max(low, 1025); port <= min(max(high, 1100), 65535); port++ {
		if spoken[port] {
			continue
		}
		if state, _ := bind(ctx, p.HostIP, port); state == facts.PortFree {
			return port
		}
	}
	return 0
}

// owner names who listens: a VM that runs, or a process of the user.
func (ob *observer) owner(port int) string {
	for _, vm := range ob.listedAll {
		if !ob.running[vm.UUID] {
			continue
		}
		info, err := ob.fromSettings(vm.UUID)
		if err != nil {
			continue
		}
		for _, f := range info.Forwards {
			if f.HostPort == port {
				return fmt.Sprintf("the running VM %q", vm.Name)
			}
		}
	}
	if ob.goos == "linux" {
		return ob.ownerProcess(port)
	}
	return ""
}

// ownerProcess looks for the process whose socket listens on the port; those of other users cannot be seen.
func (ob *observer) ownerProcess(port int) string {
	inodes := map[string]bool{}
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		for _, line := range strings.Split(ob.text(file), "\n") {
			f := strings.Fields(line)
			if len(f) > 9 && f[3] == "0A" && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
				inodes["socket:["+f[9]+"]"] = true
			}
		}
	}
	name := ""
	ob.eachProcess(func(pid int, comm string) {
		if name == "" && ob.holds(pid, inodes) {
			name = fmt.Sprintf("process %d (%s)", pid, comm)
		}
	})
	return name
}

func (ob *observer) holds(pid int, sockets map[string]bool) bool {
	dir := ob.at(fmt.Sprintf("/proc/%d/fd", pid))
	entries, _ := os.ReadDir(dir) // of another user: not to be seen
	for _, e := range entries[:min(len(entries), 4096)] {
		if target, err := os.Readlink(dir + "/" + e.Name()); err == nil && sockets[target] {
			return true
		}
	}
	return false
}
