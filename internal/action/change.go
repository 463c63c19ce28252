package action

import "strings"

// Change is one thing of a guest or of the host that an action changes and `boxdoctor undo` can put back. States are lines as
// keep.sh prints them; of a file the owner and the mode may be left out.
type Change struct {
	Kind string `json:"kind"`
	// Folder is set for files of the host: the trusted folder that the path is looked for in.
	Folder string `json:"folder,omitempty"`
	Path   string `json:"path"`
	// Was and Left are the states before and after. A job's are noted in the guest (Entry.Notes).
	Was  string `json:"was,omitempty"`
	Left string `json:"left,omitempty"`
	// Copy is the old file in the guest.
	Copy string `json:"copy,omitempty"`
}

// Kinds of a Change.
const (
	KindFile  = "file"  // a file, or what a link leads to
	KindName  = "name"  // a name itself, such as a link or a mount point
	KindMount = "mount" // what is mounted on a folder
	KindMode  = "mode"  // permissions and owner alone
	// Of these the path is a name.
	KindService = "service" // whether it starts at boot and whether it runs
	KindSysctl  = "sysctl"  // the value in force
	KindPackage = "package" // the installed version

	// Only on the host.
	KindMoved = "moved" // a file or folder that was moved from Path to Copy
	KindDHCP  = "dhcp"  // VirtualBox's DHCP server of a network
	KindCable = "cable" // the virtual cable of an adapter: "VM NUMBER"
)

// StateAbsent is the state of what does not exist.
const StateAbsent = "absent"

// Files are changes of files, links followed.
func Files(paths ...string) []Change { return changes(KindFile, paths) }

// Names are changes of names, links not followed.
func Names(paths ...string) []Change { return changes(KindName, paths) }

// Modes are permissions and owners of paths.
func Modes(paths ...string) []Change { return changes(KindMode, paths) }

// Service is a service's start at boot and whether it runs.
func Service(name string) []Change { return changes(KindService, []string{name}) }

// Sysctl is the value in force of a parameter of the kernel.
func Sysctl(key string) []Change { return changes(KindSysctl, []string{key}) }

// Packages are packages as they are installed.
func Packages(names ...string) []Change { return changes(KindPackage, names) }

func changes(kind string, paths []string) []Change {
	var out []Change
	for _, p := range paths {
		out = append(out, Change{Kind: kind, Path: p})
	}
	return out
}

func fileState(sha string) string { return "file " + sha }

// sameState: what is known of the wanted state must agree.
func sameState(now, want string) bool {
	return want != "" && (now == want || strings.HasPrefix(now, want+" "))
}

// serviceWords are the words of a service's state for people.
var serviceWords = strings.NewReplacer("on ", "enabled and ", "off ", "disabled and ", "static ", "")

// modeWords: a guest's state of a mode also names the owner, the host's does not.
func modeWords(rest string) string {
	if strings.Contains(rest, " ") {
		return "mode and owner " + rest
	}
	return "the mode " + rest
}

// stateWords is a state for people.
func stateWords(s string) string {
	kind, rest, _ := strings.Cut(s, " ")
	switch kind {
	case "file":
		sha, _, _ := strings.Cut(rest, " ")
		return "a file with sha256 " + sha[:min(len(sha), 12)] + "…"
	case "link":
		return "a link to " + rest
	case "mounted":
		return rest + " mounted"
	case "mode":
		return modeWords(rest)
	case "service":
		return serviceWords.Replace(rest)
	case "sysctl":
		return "the value " + rest
	case "package":
		return "version " + rest
	case StateAbsent:
		return "nothing"
	case "dir":
		return "a folder"
	case "dhcp":
		return "a DHCP server with " + strings.Join(strings.Fields(rest), ", ")
	case stateHere:
		return "its place"
	case stateAside:
		return "it aside"
	case "on", "off":
		return "it switched " + kind
	}
	return "something else"
}
