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

	// Only on the host.
	KindMode  = "mode"  // the permissions of a file
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
	case StateAbsent:
		return "nothing"
	case "dir":
		return "a folder"
	case "mode":
		return "the mode " + rest
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
