// Package action is the closed set of changes that boxdoctor can make to a guest or to its host, and the one interpreter
// that makes them. A plan is a list of these values; a dry run prints them; Do executes the same values.
package action

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/shell"
)

// Action is one change. The set is closed: in a guest Job, PutFile, Upload, Reboot and Call; on the host HostFile,
// HostMode, HostMove and Manage, and what takes those back (adr 7). String is exactly what runs,
// without secrets, and is what `fix --dry-run` prints.
type Action interface {
	fmt.Stringer
	// Title is a short name for progress, the journal and errors.
	Title() string
	// Inverse is how to undo it by hand, or empty when there is nothing to undo.
	Inverse() string
	// Changes are the things that `boxdoctor undo` can put back.
	Changes() []Change
	// Lasting is what stays after `boxdoctor undo`, and how a person takes it back; empty: nothing stays.
	Lasting() string
	apply(ctx context.Context, t *Target) error
}

// Job runs a POSIX sh script as root, detached in the guest with a log and an exit-status file, so that a
// cut link or Ctrl-C leaves neither a half-done change nor an unknown one.
type Job struct {
	Name string
	// Script must be safe to run twice. Args become its positional parameters; nothing is interpolated.
	Script string
	Args   []string
	// Timeout is how long boxdoctor waits for it; the job itself is not killed by a lost link.
	Timeout time.Duration
	// Lib is a library of shell functions that the script uses; it runs before the script and is left out of
	// String, which names it instead, because it is the same every time.
	Lib string
	// Undo is how a person takes the change back, recorded in the journal before the job starts.
	Undo string
	// Changed are the things that it may change and that `boxdoctor undo` puts back. The job itself notes in the guest how
	// each was and how it left it: neither a cut link nor a killed boxdoctor loses that.
	Changed []Change
	// Stays is what else it changes, in words for people, with the way back where there is one. Empty: what Changed
	// names is all; without Changed, Undo says it.
	Stays string
	// Independent says that the actions after it in its plan do not need it: when it fails, they are tried all the same.
	Independent bool
	// Brief says that it takes only a moment, so that DoAll may send it together with its neighbours.
	Brief bool
	// Judge says that the exit status proves nothing and is not a failure (the Guest Additions installer exits
	// 0 with nothing built and 2 with everything built): only the next observation counts.
	Judge bool
}

// LibNote stands in a job's text where its library would, which is the same every time.
const LibNote = "# with boxdoctor's shell functions; `boxdoctor fix --dry-run -v` shows them"

// Title is the job's name.
func (j Job) Title() string { return j.Name }

// Inverse is the recorded undo.
func (j Job) Inverse() string { return j.Undo }

// Changes are those that were named.
func (j Job) Changes() []Change { return j.Changed }

// Lasting is Stays; of a job that names no changes it is how a person undoes them.
func (j Job) Lasting() string {
	if j.Stays == "" && len(j.Changed) == 0 {
		return j.Undo
	}
	return j.Stays
}

// String is the script with its arguments, as it runs.
func (j Job) String() string {
	head := "sudo sh -s"
	if len(j.Args) > 0 {
		head += " -- " + shell.Join(j.Args)
	}
	lib := ""
	if j.Lib != "" {
		lib = LibNote + "\n"
	}
	return head + " <<'SCRIPT'\n" + lib + strings.TrimRight(j.Script, "\n") + "\nSCRIPT"
}

// Effects are the lines of a job that change packages or locks, for people who are asked before it runs. Only what
// stands in the script as it runs is told: what depends on variables is the job's name's business.
func (j Job) Effects() []string {
	var out []string
	again := ""
	for line := range strings.SplitSeq(j.Script, "\n") {
		verb, rest, _ := strings.Cut(line, " ")
		mark := strings.Trim(strings.TrimPrefix(rest, "<<"), "'")
		switch {
		case again != "" && line == again:
			again = ""
		case again != "":
			if entry := strings.TrimSpace(line); entry != "" && !strings.HasPrefix(entry, "#") {
				out = append(out, "  "+entry)
			}
		case verb == "unlock" && rest != "":
			file, entries, _ := strings.Cut(rest, " ")
			out = append(out, "takes locks off in "+file+" until it has ended: "+entries)
		case verb == "unhold" && rest != "":
			out = append(out, "takes holds off until it has ended: "+rest)
		case verb == "lock_again" && strings.HasPrefix(rest, "<<"):
			again = mark
			out = append(out, "and writes this list of locks afterwards:")
		case line == "keep_unlocked":
			out = append(out, "leaves these locks off afterwards (--keep-unlocked)")
		case verb == "run" && strings.Contains(rest, "grubby --set-default"):
			out = append(out, "makes the new kernel the default")
		case verb == "run_files":
			_, command, _ := strings.Cut(rest, " ")
			out = append(out, "runs "+command)
		case verb == "run" && !strings.Contains(rest, "$"):
			out = append(out, "runs "+rest)
		}
	}
	return out
}

// PutFile replaces one file of the guest: backs the old one up, checks that it is still what was observed,
// writes beside it and renames. A link is followed, so that the link itself stays.
type PutFile struct {
	Path    string
	Mode    os.FileMode
	Content string
	// WasSHA256 is the hash of the observed content; the action refuses to overwrite anything else. Empty: the
	// file must not exist yet.
	WasSHA256 string
	// Backup is where the old file goes in the guest, below BackupRoot; empty when there is none.
	Backup string
	// Owner is "user:group"; empty: root's, as every new file of root.
	Owner string
	// Validate is a program that must accept the new content before it goes live; its argument %s is the staged file.
	Validate []string
	// Secret: the content is shown nowhere.
	Secret bool
}

// BackupRoot is the root-only folder of the guest that holds the originals of replaced files, one folder a run.
const BackupRoot = "/var/lib/boxdoctor/backup"

// Title names the file.
func (p PutFile) Title() string { return "write " + p.Path }

// Inverse restores the backup that apply made.
func (p PutFile) Inverse() string {
	if p.WasSHA256 == "" {
		return "sudo rm " + shell.Quote(p.Path)
	}
	return "sudo cp -p " + shell.Join([]string{p.Backup, p.Path})
}

// Changes is the one file; how it was and is left is known beforehand.
func (p PutFile) Changes() []Change {
	c := Change{Kind: KindFile, Path: p.Path, Was: StateAbsent, Left: fileState(hash(p.Content)), Copy: p.Backup}
	if p.WasSHA256 != "" {
		c.Was = fileState(p.WasSHA256)
	}
	return []Change{c}
}

// Lasting: nothing stays.
func (p PutFile) Lasting() string { return "" }

// String shows the whole new file.
func (p PutFile) String() string {
	backup := ""
	if p.Backup != "" {
		backup = "sudo cp -p " + shell.Join([]string{p.Path, p.Backup}) + "\n"
	}
	content := strings.TrimRight(p.Content, "\n")
	if p.Secret {
		content = fmt.Sprintf("(%d bytes, not shown: they hold a secret)", len(p.Content))
	}
	return fmt.Sprintf("%ssudo tee %s <<'FILE'   # mode %04o%s\n%s\nFILE%s",
		backup, shell.Quote(p.Path), p.Mode, p.ownerNote(), content, p.validateNote())
}

func (p PutFile) ownerNote() string {
	if p.Owner == "" {
		return ""
	}
	return ", owner " + p.Owner
}

func (p PutFile) validateNote() string {
	if len(p.Validate) == 0 {
		return ""
	}
	return "\n# only if this accepts it: " + shell.Join(p.Validate)
}

// Upload brings a local file into a private, root-only folder of the guest and hashes it again there.
type Upload struct {
	Local  string
	Remote string
	SHA256 string
	Size   int64
}

// Title names the file.
func (u Upload) Title() string { return "upload " + u.Local }

// Inverse deletes the uploaded file.
func (u Upload) Inverse() string { return "sudo rm -f " + shell.Quote(u.Remote) }

// Changes is the uploaded file, which the job that uses it deletes.
func (u Upload) Changes() []Change {
	return []Change{{Kind: KindName, Path: u.Remote, Was: StateAbsent, Left: fileState(u.SHA256)}}
}

// Lasting: nothing stays.
func (u Upload) Lasting() string { return "" }

// String shows both ends and the hash that must match in the guest.
func (u Upload) String() string {
	return fmt.Sprintf("sftp put %s %s   # %d bytes, sha256 %s", shell.Quote(u.Local), shell.Quote(u.Remote), u.Size, u.SHA256)
}

// Reboot restarts the guest and returns only when another boot id answers, and the wanted kernel when given.
type Reboot struct {
	// WantKernel is the uname -r that must run afterwards; empty: any.
	WantKernel string
	Timeout    time.Duration
}

// Title says what it does.
func (r Reboot) Title() string { return "reboot" }

// Inverse: a reboot cannot be taken back.
func (r Reboot) Inverse() string { return "" }

// Changes: none that could be put back.
func (r Reboot) Changes() []Change { return nil }

// Lasting says that time does not go back.
func (r Reboot) Lasting() string { return "the guest was restarted" }

// String is the command and the proof that is waited for.
func (r Reboot) String() string {
	s := "sudo systemctl reboot   # or shutdown -r now; then wait for another boot id"
	if r.WantKernel != "" {
		s += " and uname -r = " + r.WantKernel
	}
	return s
}
