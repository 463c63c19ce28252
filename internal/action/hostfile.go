package action

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/shell"
)

// The actions of this file and of host.go change the host that boxdoctor runs on: as the user, never with more rights,
// and in Go, because Windows has no shell to run a Job in.

// HostFile writes, replaces or removes one small text file of the host.
type HostFile struct {
	// Folder is trusted; Name, with slashes, is looked for below it and never outside: whoever writes there, such as a
	// guest through a synced folder, cannot lead the change elsewhere by a link.
	Folder, Name string
	// Was is what the file held when it was observed: the action refuses to touch anything else. New: there was none.
	Was string
	New bool
	// Content is what it shall hold, unless Remove says that it goes; From is the file that it was read from, if any.
	Content string
	From    string
	Remove  bool
	// Mode is that of a new file; one that exists keeps its own.
	Mode os.FileMode
	// Backup is where the old file is kept.
	Backup string
}

// Path is the file, for people and the journal.
func (h HostFile) Path() string { return hostPath(h.Folder, h.Name) }

func hostPath(folder, name string) string { return filepath.Join(folder, filepath.FromSlash(name)) }

// Title names the file.
func (h HostFile) Title() string {
	if h.Remove {
		return "remove " + h.Path()
	}
	return "write " + h.Path()
}

// Inverse brings the old file back.
func (h HostFile) Inverse() string {
	if h.New {
		return "rm " + shell.Quote(h.Path())
	}
	return "cp -p " + shell.Join([]string{h.Backup, h.Path()})
}

// Changes is the one file; how it was and is left is known beforehand.
func (h HostFile) Changes() []Change {
	c := Change{Kind: KindFile, Folder: h.Folder, Path: h.Path(), Was: fileState(hash(h.Was)), Left: fileState(hash(h.Content)), Copy: h.Backup}
	if h.New {
		c.Was, c.Copy = StateAbsent, ""
	}
	if h.Remove {
		c.Left = StateAbsent
	}
	return []Change{c}
}

// Lasting: nothing stays.
func (h HostFile) Lasting() string { return "" }

// String is the difference that it makes.
func (h HostFile) String() string {
	switch {
	case h.Remove:
		return "mv " + shell.Join([]string{h.Path(), h.Backup})
	case h.From != "":
		return "cp " + shell.Join([]string{h.From, h.Path()})
	}
	keep := ""
	if !h.New {
		keep = "cp -p " + shell.Join([]string{h.Path(), h.Backup}) + "\n"
	}
	return keep + "patch " + shell.Quote(h.Path()) + " <<'DIFF'\n" + lineDiff(h.Was, h.Content) + "DIFF"
}

// Effects is the difference, for people who are asked before it is made.
func (h HostFile) Effects() []string {
	switch {
	case h.Remove:
		return []string{"it is kept as " + h.Backup}
	case h.From != "":
		return []string{"it becomes what " + h.From + " holds"}
	}
	_, hunk, _ := strings.Cut(lineDiff(h.Was, h.Content), "\n")
	lines := splitLines(hunk)
	if len(lines) > shownLines {
		lines = append(lines[:shownLines], fmt.Sprintf("… and %d more lines", len(lines)-shownLines))
	}
	return lines
}

// shownLines is how much of a difference a question shows.
const shownLines = 20

// lineDiff is one hunk of a unified diff without context: from the first line that differs to the last.
func lineDiff(was, now string) string {
	a, b := splitLines(was), splitLines(now)
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	end := 0
	for end < len(a)-start && end < len(b)-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	var out strings.Builder
	fmt.Fprintf(&out, "@@ -%s +%s @@\n", span(start, len(a)-start-end), span(start, len(b)-start-end))
	writeLines(&out, "-", a[start:len(a)-end])
	writeLines(&out, "+", b[start:len(b)-end])
	return out.String()
}

// span is a range of lines as diff writes it; one that is empty names the line before it.
func span(start, n int) string {
	if n > 0 {
		start++
	}
	return fmt.Sprintf("%d,%d", start, n)
}

func splitLines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}

func writeLines(out *strings.Builder, mark string, lines []string) {
	for _, l := range lines {
		out.WriteString(mark + strings.TrimSuffix(l, "\r") + "\n")
	}
}

// hostFileLimit bounds what is read of a file that is changed.
const hostFileLimit = 4 << 20

// errHostChanged: what was observed is not there any more.
var errHostChanged = errors.New("it is not what it was when it was looked at: nothing was changed")

func (h HostFile) apply(_ context.Context, _ *Target) error {
	root, err := os.OpenRoot(h.Folder)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // only names were opened
	info, err := h.unchanged(root)
	if err != nil {
		return fmt.Errorf("%s: %w", h.Path(), err)
	}
	if !h.New {
		if err := keepCopy(h.Backup, h.Was, info.Mode().Perm()); err != nil {
			return fmt.Errorf("the old %s could not be kept, so nothing was changed: %w", h.Path(), err)
		}
	}
	if h.Remove {
		return root.Remove(h.Name)
	}
	if h.New {
		err = root.MkdirAll(path.Dir(h.Name), 0o755)
	}
	if err != nil {
		return err
	}
	return replace(root, h.Name, []byte(h.Content), h.Mode, info)
}

// unchanged tells whether the file still is what was observed.
func (h HostFile) unchanged(root *os.Root) (fs.FileInfo, error) {
	info, err := root.Lstat(h.Name)
	switch {
	case h.New && errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case h.New && err == nil:
		return nil, errHostChanged
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no plain file: nothing was changed")
	}
	now, err := readRoot(root, h.Name)
	if err == nil && string(now) != h.Was {
		err = errHostChanged
	}
	return info, err
}

func readRoot(root *os.Root, name string) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, hostFileLimit))
}

// keepCopy writes the old content into a folder of the user's own.
func keepCopy(name, content string, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	return finish(f, mode, err)
}

// finish sets the mode, brings a written file to the disk and closes it.
func finish(f *os.File, mode fs.FileMode, err error) error {
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// replace puts a file in the place of another, or of none, in one step; owner and mode stay.
func replace(root *os.Root, name string, content []byte, mode os.FileMode, old fs.FileInfo) error {
	if old != nil {
		mode = old.Mode().Perm()
	}
	staged := path.Join(path.Dir(name), ".boxdoctor-new-"+path.Base(name))
	if err := root.Remove(staged); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := root.OpenFile(staged, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = keepOwner(f, old)
	}
	if err = finish(f, mode, err); err == nil {
		err = root.Rename(staged, name)
	}
	if err != nil {
		_ = root.Remove(staged) // the error that is told is the first one
	}
	return err
}
