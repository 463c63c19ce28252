package checks

import (
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

// restart is how a person restarts this guest and no other: `vagrant reload` without a name restarts every machine of
// the project, and Vagrant knows nothing of a guest that was given by its address.
func restart(f *facts.Facts) string {
	if f.Host.Explicit || f.Machine.Name == "" {
		return "sudo reboot"
	}
	return "vagrant reload " + shell.Quote(f.Machine.Name)
}

// adviseRestart adds the restart with a text that says where it is typed.
func adviseRestart(v finding.Verdict, f *facts.Facts, text string) finding.Verdict {
	command := restart(f)
	if strings.HasPrefix(command, "sudo ") {
		text += ", in the guest"
	}
	return v.Advise(text, command)
}

// ownSSH is the OpenSSH command, with options, to the guest that the connection was made to.
func ownSSH(r facts.Reach, options string) string {
	host, port := r.Address, ""
	if i := strings.LastIndexByte(r.Address, ':'); i >= 0 {
		host, port = strings.Trim(r.Address[:i], "[]"), r.Address[i+1:]
	}
	command := "ssh " + options
	if port != "" && port != "22" {
		command += " -p " + shell.Quote(port)
	}
	if host == "" {
		host = "HOST"
	}
	if r.User != "" {
		host = r.User + "@" + host
	}
	return command + " " + shell.Quote(host)
}
