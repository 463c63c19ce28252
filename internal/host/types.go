// Package host observes the Vagrant and VirtualBox side without changing it and without calling vagrant,
// which may delete the state of a machine it cannot find (host-catalogue finding 1).
package host

import (
	"context"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/guest/sshguest"
)

// Options are what the user said about where to look.
type Options struct {
	// Dir is where the search for the project starts (VAGRANT_CWD or the current folder).
	Dir string
	// SSHConfig is --ssh-config FILE; SSH is --ssh [user@]host[:port]; Key is -i; User is --user.
	SSHConfig string
	SSH       string
	Key       string
	User      string
	// VBoxVersion is --vbox-version; ISO is --iso.
	VBoxVersion string
	ISO         string
	// Names are the machines that the user named; empty: all running ones.
	Names []string
	// Limit bounds each VBoxManage call. Zero: 5 s.
	Limit time.Duration
	// Getenv, HomeDir and StateDir come from cmd.
	Getenv   func(string) string
	HomeDir  string
	StateDir string
	// Exec runs a host program; nil: really run it. Tests replay transcripts here.
	Exec Executor
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Executor runs a program of the host and returns its output. A non-zero exit is not an error; err is for
// "could not be started" and context ends.
type Executor func(ctx context.Context, path string, args ...string) (Output, error)

// Output is what a host program printed and how it ended.
type Output struct {
	Stdout, Stderr string
	Code           int
}

// Inventory is what was found.
type Inventory struct {
	// Host is the host's facts without any machine.
	Host facts.Host
	// Machines are those to examine, in order of name (as given for named ones).
	Machines []Machine
	// Notes are sentences for the report: no project, no running machine, another provider.
	Notes []string
}

// Machine is one machine to examine.
type Machine struct {
	Facts facts.Machine
	// Host is the inventory's host facts completed for this machine (VM, Folders).
	Host facts.Host
	// ActionLock is the file that Vagrant locks while it works on the machine; empty for guests given by address.
	ActionLock string
	// Forwards are the NAT port forwards of its VM.
	Forwards []Forward
	// SSH is how to reach it; meaningful when Problem is nil.
	SSH sshguest.Config
	// Problem is why it cannot be reached at all (named but not running, no forward, no such name), or nil.
	Problem error
	// Class of Problem for facts.Reach: "not_running", "not_created", "unknown_name", "config".
	Class string
	// Command is the exact next command for Problem.
	Command string
}

// Forward is one NAT port forward: a port of this computer that leads to one of a VM.
type Forward struct {
	Proto, HostIP       string
	HostPort, GuestPort int
}
