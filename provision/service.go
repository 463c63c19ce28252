package provision

import (
	"fmt"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// Service states.
const (
	Started = "started"
	Stopped = "stopped"
)

// ServiceResource declares whether a service runs and whether it starts at boot.
type ServiceResource struct {
	Name string
	// State is Started, Stopped, or empty for either.
	State string
	// Enabled is nil for either.
	Enabled *bool
}

// ID is "service/" and the name.
func (v ServiceResource) ID() string { return "service/" + v.Name }

// Needs is the service.
func (v ServiceResource) Needs() Needs { return Needs{Services: []string{v.Name}} }

// Diff enables before it starts, and stops before it disables.
func (v ServiceResource) Diff(s *State) ([]Change, error) {
	have, err := s.services.get(v.Name)
	switch {
	case err != nil:
		return nil, err
	case !have.Exists && v.State == Stopped && (v.Enabled == nil || !*v.Enabled):
		return nil, nil
	case !have.Exists:
		return []Change{{What: "service", From: Absent, To: v.State, Waits: "the service " + v.Name}}, nil
	}
	var out []Change
	if v.Enabled != nil && *v.Enabled != have.Enabled {
		if have.Static {
			return nil, fmt.Errorf("service %s cannot be enabled or disabled: its unit is static, other units start it", v.Name)
		}
		out = append(out, v.enable(s.System))
	}
	if v.State != "" && (v.State == Started) != have.Active {
		out = append(out, v.start(s.System, have))
	}
	if v.State == Stopped && len(out) == 2 {
		out[0], out[1] = out[1], out[0]
	}
	return out, nil
}

func (v ServiceResource) enable(sys facts.System) Change {
	verb, back, from, to := "enable", "disable", "disabled", "enabled"
	if !*v.Enabled {
		verb, back, from, to = back, verb, to, from
	}
	job := short(verb+" the service "+v.Name, enableScript, verb, v.Name)
	job.Undo = "sudo systemctl " + back + " " + v.Name
	if sys.Init != "systemd" {
		job.Undo = "sudo chkconfig " + v.Name + " " + map[string]string{"enable": "on", "disable": "off"}[back]
	}
	job.Changed = action.Service(v.Name)
	return Change{What: "at boot", From: from, To: to, Do: []action.Action{job}}
}

// enableScript: $1 enable or disable, $2 the service; on systemd, chkconfig (EL6) or update-rc.d.
const enableScript = `if [ -d /run/systemd/system ]; then systemctl "$1" "$2"
elif command -v chkconfig >/dev/null 2>&1; then
	if [ "$1" = enable ]; then chkconfig --add "$2"; chkconfig "$2" on; else chkconfig "$2" off; fi
else update-rc.d "$2" defaults; update-rc.d "$2" "$1"; fi`

func (v ServiceResource) start(sys facts.System, have Service) Change {
	verb, back, from := "start", "stop", "not running"
	if v.State == Stopped {
		verb, back, from = "stop", "start", "running"
	}
	job := short(verb+" the service "+v.Name, controlScript, verb, v.Name)
	job.Undo = "sudo service " + v.Name + " " + back
	if sys.Init == "systemd" {
		job.Undo = "sudo systemctl " + back + " " + v.Name
	}
	job.Changed = action.Service(v.Name)
	return Change{What: "state", From: from + " (" + have.Text + ")", To: v.State, Do: []action.Action{job}}
}

// controlScript: $1 start, stop, restart or reload, $2 the service. What systemd or the service says of a failure is
// what the person needs.
const controlScript = `if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	systemctl "$1" "$2" || { systemctl status --no-pager -l -n 20 "$2" || true; exit 1; }
else "/etc/init.d/$2" "$1"; fi`

// notify is the job that restarts or reloads a service at the end of a run.
func notify(verb, name string) action.Job {
	j := short(verb+" the service "+name, controlScript, verb, name)
	j.Stays = "the service " + name + " was told to " + verb + "; it takes up what goes back only when it is told again: sudo service " + name + " " + verb
	return j
}
