package fixes

import (
	_ "embed" // the shell library and the scripts
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
	"github.com/boxdoctor/boxdoctor/internal/packages"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

//go:embed scripts/lib.sh
var lib string

// Lib are the shell functions of package transactions, which provisioning uses, too.
func Lib() string { return lib }

//go:embed scripts/additions_install.sh
var additionsInstall string

//go:embed scripts/mount_share.sh
var mountShare string

// runHome is this run's root-only folder in the guest; its name cannot be guessed.
func runHome(in Input) string { return "/var/lib/boxdoctor/run/" + in.RunID }

// pendingDir holds the originals of locks while they are off.
func pendingDir(in Input) string { return "/var/lib/boxdoctor/pending/" + in.RunID }

// transaction is one package-manager run with the locks that it needs off, restored on every way out.
type transaction struct {
	in     Input
	name   string
	blocks []facts.Lock
	// relock maps a package name to the release (as uname -r says it, without the architecture) that its lock
	// pins afterwards; nil: the original bytes go back.
	relock map[string]string
	// uploads are offline packages, which go up first and are installed instead of being fetched.
	uploads []PackageFile
	// refresh: what is installed comes from repositories, so apt's lists must be fresh: a stale one names files
	// that are gone (404), and many boxes ship without any.
	refresh  bool
	commands [][]string
	// tries are commands for what is only advised: one that fails is said, and nothing else stops.
	tries [][]string
	// files is the command that installs the uploads.
	files []string
}

// actions are the uploads and the one job of the transaction.
func (t transaction) actions() []action.Action {
	var out []action.Action
	for _, p := range t.uploads {
		out = append(out, action.Upload{Local: p.Path, Remote: t.remote(p), SHA256: p.SHA256, Size: p.Size})
	}
	job := action.Job{Name: t.name, Lib: lib, Script: t.script(), Timeout: 40 * time.Minute, Undo: t.undo(),
		Changed: action.Files(lockLists(t.blocks)...), Stays: t.stays()}
	return append(out, job)
}

func (t transaction) remote(p PackageFile) string { return runHome(t.in) + "/" + fileName(p.Path) }

// fileName is the last part of a path of any host, Windows included.
func fileName(p string) string { return path.Base(strings.ReplaceAll(p, `\`, "/")) }

// lockLists are the files that unlocking writes; an exclude is lifted by an option of one command.
func lockLists(blocks []facts.Lock) []string {
	return lockFiles(slices.DeleteFunc(slices.Clone(blocks), func(l facts.Lock) bool { return l.File == "" || l.Kind == facts.LockExcl }))
}

// stays is what boxdoctor undo leaves: packages, because whatever was installed since may need them.
func (t transaction) stays() string {
	how := "the packages stay as they are now; to take them back: " + packageManager(t.in).Undo
	if slices.ContainsFunc(t.commands, func(c []string) bool { return strings.Contains(strings.Join(c, " "), "grubby --set-default") }) {
		how += "; the new kernel stays the one that boots next"
	}
	if held := entriesOf(t.blocks, ""); t.in.KeepUnlocked && len(held) > 0 {
		how += "; to hold again: sudo apt-mark hold " + shell.Join(packageNames(held))
	}
	return how
}

// undo tells how a person goes back.
func (t transaction) undo() string {
	how := packageManager(t.in).Undo
	if len(t.blocks) > 0 {
		how += "; lock files as they were: " + action.BackupRoot + "/" + t.in.RunID
	}
	return how
}

// script is what runs: values stand in it only as quoted words or in here-documents that expand nothing.
func (t transaction) script() string {
	var b strings.Builder
	b.WriteString("wait_idle\n")
	if t.refresh {
		b.WriteString(waitNames(t.in))
	}
	if t.refresh && manager(t.in) == "apt" {
		b.WriteString(refreshApt(t.in))
	}
	if unused := t.unused(); len(unused) > 0 {
		b.WriteString("echo " + shell.Quote("boxdoctor: not used of --packages here: "+strings.Join(unused, " ")) + "\n")
	}
	if len(t.blocks) > 0 {
		b.WriteString("open_locks " + shell.Quote(pendingDir(t.in)) + "\n")
		t.writeUnlocks(&b)
		if t.in.KeepUnlocked {
			b.WriteString("keep_unlocked\n")
		}
	}
	if len(t.files) > 0 {
		b.WriteString("run_files " + shell.Join(append([]string{runHome(t.in)}, t.files...)) + "\n")
	}
	for _, c := range t.commands {
		b.WriteString("run " + shell.Join(c) + "\n")
	}
	for _, c := range t.tries {
		b.WriteString("try " + shell.Join(c) + "\n")
	}
	return b.String()
}

// unused are the names of the files of --packages that this transaction does not install: nobody shall believe that
// what comes from a repository came from the folder.
func (t transaction) unused() []string {
	var out []string
	for _, p := range t.in.Packages {
		if !slices.Contains(t.uploads, p) {
			out = append(out, fileName(p.Path))
		}
	}
	return out
}

func (t transaction) writeUnlocks(b *strings.Builder) {
	for _, file := range lockFiles(t.blocks) {
		entries := entriesOf(t.blocks, file)
		switch entries[0].Kind {
		case facts.LockYum, facts.LockDNF:
			b.WriteString("unlock " + shell.Join(append([]string{file}, t.rawLines(entries)...)) + "\n")
			t.writeAfter(b, file, entries)
		case facts.LockDNF5:
			b.WriteString("save " + shell.Quote(file) + "\n")
			b.WriteString("run dnf5 -q versionlock delete " + shell.Join(packageNames(entries)) + "\nunlocked\n")
			t.writeAfter(b, file, entries)
		case facts.LockZypper:
			b.WriteString("save " + shell.Quote(file) + "\nrun zypper --non-interactive removelock " +
				shell.Join(packageNames(entries)) + "\nunlocked\n")
		case facts.LockApt:
			b.WriteString("unhold " + shell.Join(packageNames(entries)) + "\n")
		}
	}
}

// lockFiles are the files that hold the locks, each once; holds of apt have none.
func lockFiles(ls []facts.Lock) []string {
	var out []string
	for _, l := range ls {
		if !slices.Contains(out, l.File) {
			out = append(out, l.File)
		}
	}
	return out
}

func entriesOf(ls []facts.Lock, file string) []facts.Lock {
	return slices.DeleteFunc(slices.Clone(ls), func(l facts.Lock) bool { return l.File != file })
}

func packageNames(ls []facts.Lock) []string {
	var out []string
	for _, l := range ls {
		if !slices.Contains(out, l.Entry) {
			out = append(out, l.Entry)
		}
	}
	return out
}

// rawLines are the whole lines of a list, as they stand in the file, so that exactly they are taken out.
func (t transaction) rawLines(entries []facts.Lock) []string {
	lines := strings.Split(t.content(entries[0].File), "\n")
	var out []string
	for _, e := range entries {
		line := e.Entry
		if e.Line > 0 && e.Line <= len(lines) && strings.TrimSpace(lines[e.Line-1]) == strings.TrimSpace(e.Entry) {
			line = lines[e.Line-1]
		}
		out = append(out, line)
	}
	return out
}

func (t transaction) content(file string) string {
	for _, f := range t.in.Facts.Guest.Locks.Or(facts.Locks{}).Files {
		if f.Path == file {
			return f.Content
		}
	}
	return ""
}

// writeAfter says what the lock file holds after a success, when the locked version changed.
func (t transaction) writeAfter(b *strings.Builder, file string, entries []facts.Lock) {
	if t.relock == nil {
		return
	}
	content := t.content(file)
	after := packages.Relock(content, entries, t.relock)
	if after == content {
		return
	}
	mark := "LOCKS_" + t.in.RunID
	fmt.Fprintf(b, "lock_again <<'%s'\n%s\n%s\n", mark, strings.TrimRight(after, "\n"), mark)
}

// waitNames is the line that waits for the guest's name service, when no name of a repository was known when it was
// examined (row L17). Behind a proxy the proxy knows the names.
func waitNames(in Input) string {
	repos := in.Facts.Guest.Repos.Or(facts.Repos{})
	var names []string
	for host, state := range repos.Hosts {
		if state == "yes" {
			return ""
		}
		names = append(names, host)
	}
	if len(names) == 0 || repos.Proxy != "" || repos.Route == "no" {
		return ""
	}
	slices.Sort(names)
	return "wait_names " + shell.Join(names) + "\n"
}

// refreshApt is the line that fetches apt's package lists.
func refreshApt(in Input) string {
	return "refresh_apt " + shell.Join(append([]string{"-o", "DPkg::Lock::Timeout=300"}, validUntil(in)...)) + "\n"
}

// validUntil lets apt use an archive: its signed lists say that they expired long ago, and are still signed.
func validUntil(in Input) []string {
	sys := in.Facts.Guest.System.Or(facts.System{})
	if _, past := knowledge.EndOfLife(sys.ID, sys.VersionID); past {
		return []string{"-o", "Acquire::Check-Valid-Until=false"}
	}
	return nil
}

// hasExclude tells whether one of the locks is an exclude.
func hasExclude(ls []facts.Lock) bool {
	return slices.ContainsFunc(ls, func(l facts.Lock) bool { return l.Kind == facts.LockExcl })
}

// packageManager is the guest's.
func packageManager(in Input) packages.Manager {
	m, _ := packages.Of(manager(in))
	return m
}
