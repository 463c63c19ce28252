package action

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

// HostMode sets the permissions of one file of the host. Folder and Name are as in HostFile.
type HostMode struct {
	Folder, Name string
	Mode, Was    os.FileMode
}

// Path is the file.
func (h HostMode) Path() string { return hostPath(h.Folder, h.Name) }

// Title names the file.
func (h HostMode) Title() string { return "set the permissions of " + h.Path() }

// Inverse sets the old ones.
func (h HostMode) Inverse() string { return chmod(h.Was, h.Path()) }

// Changes is the mode of the one file.
func (h HostMode) Changes() []Change {
	return []Change{{Kind: KindMode, Folder: h.Folder, Path: h.Path(), Was: modeState(h.Was), Left: modeState(h.Mode)}}
}

// Lasting: nothing stays.
func (h HostMode) Lasting() string { return "" }

// Effects is the command, for people who are asked before it runs.
func (h HostMode) Effects() []string { return []string{h.String()} }

// String is the command.
func (h HostMode) String() string { return chmod(h.Mode, h.Path()) }

func chmod(mode os.FileMode, path string) string {
	return fmt.Sprintf("chmod %04o %s", mode.Perm(), shell.Quote(path))
}

func modeState(m os.FileMode) string { return fmt.Sprintf("mode %04o", m.Perm()) }

func (h HostMode) apply(_ context.Context, _ *Target) error {
	return inHostFolder(h.Folder, func(root *os.Root) error {
		info, err := root.Lstat(h.Name)
		switch {
		case err != nil:
			return err
		case !info.Mode().IsRegular():
			return fmt.Errorf("%s is no plain file: nothing was changed", h.Path())
		case info.Mode().Perm() != h.Was.Perm():
			return fmt.Errorf("%s: %w", h.Path(), errHostChanged)
		}
		if err := root.Chmod(h.Name, h.Mode); err != nil {
			return err
		}
		if info, err = root.Lstat(h.Name); err == nil && info.Mode().Perm() != h.Mode.Perm() {
			err = fmt.Errorf("%s stays at %04o: its file system keeps no permissions (exFAT, DrvFs); move the project to one that does", h.Path(), info.Mode().Perm())
		}
		return err
	})
}

func inHostFolder(folder string, do func(*os.Root) error) error {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // only names were opened
	return do(root)
}

// HostMove renames a file or folder of the host: what is in the way is moved aside, and nothing is deleted.
type HostMove struct {
	// Folder is trusted; From and To are names in it.
	Folder, From, To string
}

func (h HostMove) paths() []string {
	return []string{hostPath(h.Folder, h.From), hostPath(h.Folder, h.To)}
}

// Title names what is moved.
func (h HostMove) Title() string { return "move aside " + h.paths()[0] }

// Inverse moves it back.
func (h HostMove) Inverse() string { p := h.paths(); return "mv " + shell.Join([]string{p[1], p[0]}) }

// Changes is the one name.
func (h HostMove) Changes() []Change {
	return []Change{{Kind: KindMoved, Folder: h.Folder, Path: h.paths()[0], Was: stateHere, Left: stateAside, Copy: h.paths()[1]}}
}

// Lasting: nothing stays.
func (h HostMove) Lasting() string { return "" }

// Effects is the command, for people who are asked before it runs.
func (h HostMove) Effects() []string { return []string{h.String()} }

// String is the command.
func (h HostMove) String() string { return "mv " + shell.Join(h.paths()) }

func (h HostMove) apply(_ context.Context, _ *Target) error { return move(h.Folder, h.From, h.To) }

// move never overwrites.
func move(folder, from, to string) error {
	return inHostFolder(folder, func(root *os.Root) error {
		if _, err := root.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s exists already: nothing was moved", hostPath(folder, to))
		}
		return root.Rename(from, to)
	})
}

// Manage is one call of VBoxManage that changes a setting of VirtualBox.
type Manage struct {
	Name       string
	Args, Back []string
	Change     Change
}

// Title is the name.
func (m Manage) Title() string { return m.Name }

// Inverse is the call that takes it back.
func (m Manage) Inverse() string { return "VBoxManage " + shell.Join(m.Back) }

// Changes is the one setting.
func (m Manage) Changes() []Change { return []Change{m.Change} }

// Lasting: nothing stays.
func (m Manage) Lasting() string { return "" }

// Effects is the call, for people who are asked before it runs.
func (m Manage) Effects() []string { return []string{m.String()} }

// String is the call.
func (m Manage) String() string { return "VBoxManage " + shell.Join(m.Args) }

func (m Manage) apply(ctx context.Context, t *Target) error { return t.manage(ctx, m.Args) }

func (t *Target) manage(ctx context.Context, args []string) error {
	if t.Manage == nil {
		return errors.New("there is no VBoxManage on this host")
	}
	return t.Manage(ctx, args...)
}

// DHCPState is a DHCP server of VirtualBox as a Change tells it.
func DHCPState(d facts.DHCPServer) string {
	return strings.Join([]string{"dhcp", d.IP, d.Mask, d.Lower, d.Upper}, " ")
}

// AddDHCP are the arguments of VBoxManage that make the server of a DHCPState again.
func AddDHCP(network, state string) []string {
	f := append(strings.Fields(state), "", "", "", "", "")
	return []string{"dhcpserver", "add", "--netname", network, "--ip", f[1], "--netmask", f[2], "--lowerip", f[3], "--upperip", f[4], "--enable"}
}

// CableArgs are the arguments of VBoxManage that plug a virtual cable in or out; thing is the Path of a KindCable.
func CableArgs(thing, state string) []string {
	vm, adapter, _ := strings.Cut(thing, " ")
	return []string{"modifyvm", vm, "--cableconnected" + adapter, state}
}

// States of a KindMoved.
const (
	stateHere  = "here"
	stateAside = "aside"
)

// StandHost looks how the changes of one run on the host stand now: at the files themselves, and for VirtualBox at h.
func StandHost(h facts.Host, entries []Entry) Standing {
	s := Standing{Known: true}
	for _, u := range undoables(entries) {
		s.states = append(s.states, standing{now: hostState(h, u.change), was: u.change.Was, left: u.change.Left})
	}
	return s
}

func hostState(h facts.Host, c Change) string {
	switch c.Kind {
	case KindFile:
		return fileNow(c.Path)
	case KindMode:
		if info, err := os.Lstat(c.Path); err == nil && info.Mode().IsRegular() {
			return modeState(info.Mode())
		}
	case KindMoved:
		return movedNow(c)
	case KindDHCP:
		return dhcpNow(h, c.Path)
	case KindCable:
		return cableNow(h, c.Path)
	}
	return "other"
}

func fileNow(path string) string {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return StateAbsent
	case err != nil || !info.Mode().IsRegular() || info.Size() > hostFileLimit:
		return "other"
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "other"
	}
	return fileState(hash(string(data)))
}

func movedNow(c Change) string {
	exists := func(p string) bool { _, err := os.Lstat(p); return err == nil }
	switch here, aside := exists(c.Path), exists(c.Copy); {
	case here && !aside:
		return stateHere
	case aside && !here:
		return stateAside
	}
	return "other"
}

func dhcpNow(h facts.Host, network string) string {
	all, err := h.Preflight.Lists.DHCP.Get()
	if err != nil {
		return "other"
	}
	for _, d := range all {
		if d.Network == network {
			return DHCPState(d)
		}
	}
	return StateAbsent
}

func cableNow(h facts.Host, thing string) string {
	vm, adapter, _ := strings.Cut(thing, " ")
	for _, r := range h.Preflight.Project.Or(facts.Project{}).Records {
		s, err := r.Settings.Get()
		if r.ID != vm || err != nil {
			continue
		}
		for _, off := range s.CableOff {
			if strconv.Itoa(off) == adapter {
				return "off"
			}
		}
		return "on"
	}
	return "other"
}

// putBack takes one change of the host back. Title is that of the action that made it.
type putBack struct {
	title  string
	change Change
	// keep is where a file that is replaced or removed is kept, so that undo can be taken back, too.
	keep string
}

// HostUndo are the actions that carry out a plan on the host; what they replace is kept in a folder of the user's own.
func HostUndo(steps []UndoStep, backups string) []UndoJob {
	var out []UndoJob
	for _, s := range steps {
		if s.Outcome == finding.Planned {
			out = append(out, UndoJob{s.Entry.Seq, putBack{s.Entry.Title, s.Change, HostBackup(backups, s.Change.Path)}})
		}
	}
	return out
}

// HostBackup is where the original of a file goes; what is the same in two names does not meet there.
func HostBackup(folder, file string) string {
	flat := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:`, r) {
			return '_'
		}
		return r
	}, file)
	return filepath.Join(folder, flat[max(0, len(flat)-120):])
}

// Title names the action that is taken back.
func (p putBack) Title() string { return "undo: " + p.title }

// Inverse: the run that is taken back says how to do it again.
func (p putBack) Inverse() string { return "" }

// Changes is the same thing, the other way round.
func (p putBack) Changes() []Change {
	c := p.change
	c.Was, c.Left = c.Left, c.Was
	if c.Kind == KindMoved {
		c.Path, c.Copy, c.Was, c.Left = c.Copy, c.Path, stateHere, stateAside
	}
	if c.Kind == KindFile {
		c.Copy = p.keep
	}
	return []Change{c}
}

// Lasting: nothing stays.
func (p putBack) Lasting() string { return "" }

// String is what it does.
func (p putBack) String() string {
	c := p.change
	switch c.Kind {
	case KindMode:
		return strings.Replace(c.Was, "mode", "chmod", 1) + " " + shell.Quote(c.Path)
	case KindMoved:
		return "mv " + shell.Join([]string{c.Copy, c.Path})
	case KindDHCP, KindCable:
		return "VBoxManage " + shell.Join(p.args())
	}
	if c.Was == StateAbsent {
		return "rm " + shell.Quote(c.Path)
	}
	return "cp -p " + shell.Join([]string{c.Copy, c.Path})
}

func (p putBack) args() []string {
	if p.change.Kind == KindDHCP {
		return AddDHCP(p.change.Path, p.change.Was)
	}
	return CableArgs(p.change.Path, p.change.Was)
}

func (p putBack) apply(ctx context.Context, t *Target) error {
	c := p.change
	if c.Kind == KindDHCP || c.Kind == KindCable {
		return t.manage(ctx, p.args())
	}
	name, err := filepath.Rel(c.Folder, c.Path)
	if err != nil {
		return err
	}
	if name = filepath.ToSlash(name); c.Kind == KindMoved {
		return move(c.Folder, filepath.Base(c.Copy), name)
	}
	if now := hostState(facts.Host{}, c); now != c.Left {
		return fmt.Errorf("%s: %w", c.Path, errHostChanged)
	}
	return inHostFolder(c.Folder, func(root *os.Root) error { return p.file(root, name) })
}

func (p putBack) file(root *os.Root, name string) error {
	c := p.change
	if c.Kind == KindMode {
		var mode uint32
		if _, err := fmt.Sscanf(c.Was, "mode %o", &mode); err != nil {
			return err
		}
		return root.Chmod(name, fs.FileMode(mode).Perm())
	}
	if err := p.keepNow(root, name); err != nil {
		return err
	}
	if c.Was == StateAbsent {
		return root.Remove(name)
	}
	info, err := os.Stat(c.Copy)
	if err != nil {
		return fmt.Errorf("the copy of the old file is gone: %w", err)
	}
	old, err := os.ReadFile(c.Copy)
	if err == nil && fileState(hash(string(old))) != c.Was {
		err = fmt.Errorf("the copy %s is not what was kept: nothing was changed", c.Copy)
	}
	if err != nil {
		return err
	}
	now, err := root.Lstat(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return replace(root, name, old, info.Mode().Perm(), now)
}

// keepNow keeps what is there now.
func (p putBack) keepNow(root *os.Root, name string) error {
	if p.change.Left == StateAbsent {
		return nil
	}
	info, err := root.Lstat(name)
	if err != nil {
		return err
	}
	now, err := readRoot(root, name)
	if err != nil {
		return err
	}
	return keepCopy(p.keep, string(now), info.Mode().Perm())
}
