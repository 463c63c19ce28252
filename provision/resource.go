package provision

import (
	"github.com/boxdoctor/boxdoctor/internal/action"
)

// Resource is one thing of a guest as it is declared.
type Resource interface {
	// ID names it in reports, "package/htop"; unique on a machine.
	ID() string
	// Needs says what must be observed before Diff can answer.
	Needs() Needs
	// Diff is pure. No changes: the guest is as declared. An error: it cannot be told, which is never "as declared".
	Diff(*State) ([]Change, error)
}

// Needs is what has to be observed; the needs of all resources of a run are observed in one round trip.
type Needs struct {
	Files, Packages, Services, Users, Groups, Sysctls []string
	// Folders are asked for the files in them that boxdoctor wrote.
	Folders []string
	// Commands are read-only shell texts by a name of their resource's choice.
	Commands map[string]string
	// Holds: the locks of the package manager.
	Holds bool
}

// add merges other needs into these.
func (n *Needs) add(o Needs) {
	n.Files = append(n.Files, o.Files...)
	n.Packages = append(n.Packages, o.Packages...)
	n.Services = append(n.Services, o.Services...)
	n.Users = append(n.Users, o.Users...)
	n.Groups = append(n.Groups, o.Groups...)
	n.Sysctls = append(n.Sysctls, o.Sysctls...)
	n.Holds = n.Holds || o.Holds
	n.Folders = append(n.Folders, o.Folders...)
	for id, text := range o.Commands {
		if n.Commands == nil {
			n.Commands = map[string]string{}
		}
		n.Commands[id] = text
	}
}

// Change is one difference between what is declared and what was observed, and how to make it go away.
type Change struct {
	// What differs ("mode", "version"); From and To are what people see.
	What, From, To string
	// Do makes the change. Empty: Install does, or it Waits.
	Do []action.Action
	// Install are packages to install, as the package manager takes them; neighbours share one transaction.
	Install []string
	// Files are package files of the host to install them from, instead of repositories.
	Files []action.Upload
	// Waits says what has to be there first (a user, a service's unit), which an earlier resource may bring.
	Waits string
	// Diff is a unified diff for people; secrets do not stand in it.
	Diff string
	// Restart and Reload are services to notify, once, after everything else; Notify are marks that a Handler of the
	// same run takes care of.
	Restart, Reload, Notify []string
}

// Handler is a resource that also takes care of a notification.
type Handler interface {
	Resource
	// Mark is the notification's name.
	Mark() string
	// Job is what is done, once, after services were restarted and reloaded.
	Job() action.Job
}
