package provision

import (
	"fmt"
	"os"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

// configMode is the mode of configuration that everybody may read.
const configMode os.FileMode = 0o644

// SysctlResource declares a parameter of the kernel, now and after a boot.
type SysctlResource struct{ Key, Value string }

// ID is "sysctl/" and the key.
func (k SysctlResource) ID() string { return "sysctl/" + k.Key }

func (k SysctlResource) file() FileResource {
	return FileResource{Path: "/etc/sysctl.d/60-boxdoctor-" + strings.ReplaceAll(k.Key, "/", ".") + ".conf", Mode: configMode,
		Content: fmt.Sprintf("# boxdoctor provision\n%s = %s\n", k.Key, k.Value), State: Present}
}

// Needs are the file and the value in force.
func (k SysctlResource) Needs() Needs {
	n := k.file().Needs()
	n.Sysctls = []string{k.Key}
	return n
}

// Diff compares the file and the value in force.
func (k SysctlResource) Diff(s *State) ([]Change, error) {
	out, err := k.file().Diff(s)
	if err != nil {
		return nil, err
	}
	have, err := s.sysctls.get(k.Key)
	if err != nil {
		return nil, err
	}
	if want := strings.Join(strings.Fields(k.Value), " "); have != want {
		job := short("set "+k.Key, shell.Join([]string{"sysctl", "-w", k.Key + "=" + k.Value}))
		job.Undo, job.Changed = "sudo "+shell.Join([]string{"sysctl", "-w", k.Key + "=" + have}), action.Sysctl(k.Key)
		out = append(out, Change{What: "value in force", From: have, To: want, Do: []action.Action{job}})
	}
	return out, nil
}

// limitsFile is the file of one limit of pam_limits; it counts from the next login on.
func limitsFile(domain, typ, item, value string) FileResource {
	name := strings.NewReplacer("*", "all", "@", "group-", "/", "-").Replace(domain + "-" + typ + "-" + item)
	return FileResource{Path: "/etc/security/limits.d/60-boxdoctor-" + name + ".conf", Mode: configMode, State: Present,
		Content: fmt.Sprintf("# boxdoctor provision\n%s %s %s %s\n", domain, typ, item, value)}
}

// cronFile is one job of cron. cron ignores names with a dot and files without a last newline.
func cronFile(name, schedule, user, command string) FileResource {
	return FileResource{Path: "/etc/cron.d/boxdoctor-" + name, Mode: configMode, State: Present,
		Content: fmt.Sprintf("# boxdoctor provision\nSHELL=/bin/sh\nPATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin\n%s %s %s\n", schedule, user, command)}
}

// ExecResource declares a command that is run when its guard says so: Unless ends with a status that is not 0, or
// the file Creates is not there.
type ExecResource struct {
	Name, Command   string
	Unless, Creates string
	Restart, Reload []string
	// Undo is how a person takes it back.
	Undo string
}

// ID is "exec/" and the name.
func (e ExecResource) ID() string { return "exec/" + e.Name }

// Needs is the guard.
func (e ExecResource) Needs() Needs {
	guard := e.Unless
	if guard == "" {
		guard = "test -e " + shell.Quote(e.Creates)
	}
	return Needs{Commands: map[string]string{e.ID(): guard}}
}

// Diff runs the command where the guard says so. A guard that could not be run says nothing.
func (e ExecResource) Diff(s *State) ([]Change, error) {
	guard, err := s.commands.get(e.ID())
	code := guard.Code
	switch {
	case err != nil:
		return nil, err
	case code == 0:
		return nil, nil
	case code >= 124:
		return nil, fmt.Errorf("the guard of exec %s could not be run (status %d: %s)", e.Name, code, guardTrouble(code))
	}
	job := action.Job{Name: "run " + e.Name, Script: e.Command + "\n", Undo: e.Undo}
	if job.Undo == "" {
		job.Undo = "not known: it is a command of yours"
	}
	return []Change{{What: "command", From: fmt.Sprintf("guard status %d", code), To: "run", Do: []action.Action{job}, Restart: e.Restart, Reload: e.Reload}}, nil
}

func guardTrouble(code int) string {
	switch code {
	case 126:
		return "not executable"
	case 127:
		return "command not found"
	case 124, 137:
		return fmt.Sprintf("no answer within %d s", commandLimit)
	}
	return "ended by a signal"
}
