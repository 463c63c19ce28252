package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// maxDepth bounds the walk to the root of the file system.
const maxDepth = 256

// maxMachines bounds how many machines of one project are looked at.
const maxMachines = 500

// maxStateFile bounds the small files of .vagrant: the guest may be able to write them.
const maxStateFile = 1 << 20

// project is a folder with a Vagrantfile and Vagrant's records of it.
type project struct {
	Root string // empty: there is none
	// Data is the .vagrant folder.
	Data     string
	Machines []machineDir
}

// machineDir is .vagrant/machines/NAME.
type machineDir struct {
	Name string
	// ID is what virtualbox/id holds; empty when VirtualBox has no VM of this name.
	ID string
	// IDProblem says why an id file exists but cannot be used.
	IDProblem error
	Dir       string // the virtualbox folder
	// Others are providers other than virtualbox that hold an id.
	Others     []string
	CreatorUID string
	VagrantCWD string
}

// findProject looks upwards from where Vagrant would start. An error means that VAGRANT_CWD names no folder,
// which Vagrant refuses, too.
func (ob *observer) findProject() (project, error) {
	start, err := ob.startDir()
	if err != nil {
		return project{}, err
	}
	root := ob.findRoot(start)
	if root == "" {
		return project{}, nil
	}
	p := project{Root: root, Data: ob.dataDir(root)}
	p.Machines = readMachines(filepath.Join(p.Data, "machines"))
	return p, nil
}

// startDir is VAGRANT_CWD, relative to Dir, or Dir. Whoever already put VAGRANT_CWD into Dir gets Dir.
func (ob *observer) startDir() (string, error) {
	dir, err := filepath.Abs(ob.Dir)
	if err != nil {
		return "", fmt.Errorf("the current folder cannot be found: %w", err)
	}
	cwd := ob.Getenv("VAGRANT_CWD")
	if cwd == "" {
		return dir, nil
	}
	if abs, err := filepath.Abs(cwd); err == nil && abs == dir {
		return dir, nil
	}
	if !filepath.IsAbs(cwd) {
		cwd = filepath.Join(dir, cwd)
	}
	if info, err := os.Stat(cwd); err != nil || !info.IsDir() {
		return "", fmt.Errorf("VAGRANT_CWD names %s, which is not a folder: set it to the folder of the Vagrantfile, or unset it", cwd)
	}
	return cwd, nil
}

func (ob *observer) findRoot(dir string) string {
	names := []string{"Vagrantfile", "vagrantfile"}
	if n := ob.Getenv("VAGRANT_VAGRANTFILE"); n != "" {
		names = []string{n}
	}
	for range maxDepth {
		for _, name := range names {
			file := name
			if !filepath.IsAbs(name) {
				file = filepath.Join(dir, name)
			}
			if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
				return dir
			}
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			break
		}
		dir = parent
	}
	return ""
}

// dataDir is .vagrant below the root, or VAGRANT_DOTFILE_PATH, which is relative to the root, not to the
// current folder.
func (ob *observer) dataDir(root string) string {
	dir := ob.Getenv("VAGRANT_DOTFILE_PATH")
	if dir == "" {
		return filepath.Join(root, ".vagrant")
	}
	dir = ob.tilde(dir)
	if filepath.IsAbs(dir) {
		return filepath.Clean(dir)
	}
	return filepath.Join(root, dir)
}

// tilde expands ~ and ~/x with the home folder.
func (ob *observer) tilde(path string) string {
	if path == "~" {
		return ob.HomeDir
	}
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		return filepath.Join(ob.HomeDir, rest)
	}
	return path
}

// readMachines lists .vagrant/machines, sorted by name. A folder that cannot be read has no machines: the
// project was never brought up.
func readMachines(dir string) []machineDir {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var all []machineDir
	for _, e := range entries[:min(len(entries), maxMachines)] {
		if info, err := os.Stat(filepath.Join(dir, e.Name())); err == nil && info.IsDir() && clean(e.Name()) == e.Name() {
			all = append(all, readMachine(dir, e.Name()))
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

func readMachine(dir, name string) machineDir {
	m := machineDir{Name: name, Dir: filepath.Join(dir, name, "virtualbox")}
	m.ID, m.IDProblem = readID(filepath.Join(m.Dir, "id"))
	m.CreatorUID = readLine(filepath.Join(m.Dir, "creator_uid"))
	m.VagrantCWD = readLine(filepath.Join(m.Dir, "vagrant_cwd"))
	providers, _ := os.ReadDir(filepath.Join(dir, name)) // unreadable: no other providers are known
	for _, p := range providers {
		if p.Name() == "virtualbox" || clean(p.Name()) != p.Name() {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, name, p.Name(), "id")); err == nil {
			m.Others = append(m.Others, p.Name())
		}
	}
	return m
}

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$`)

// readID reads a VM's id. The form is checked because the id becomes an argument of VBoxManage.
func readID(path string) (string, error) {
	data, err := readBounded(path, maxStateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("Vagrant's record of the VM cannot be read: %w", err)
	}
	id := strings.ToLower(strings.TrimSpace(plain(string(data))))
	if id == "" {
		return "", nil
	}
	if !uuidForm.MatchString(id) {
		return "", fmt.Errorf("%s holds %.60q, which is not the id of a VirtualBox VM (a UUID)", path, clean(id))
	}
	return id, nil
}

// readLine reads a one-line file of .vagrant; empty when it is missing or unreadable.
func readLine(path string) string {
	data, err := readBounded(path, 64<<10)
	if err != nil {
		return ""
	}
	return clean(strings.TrimSpace(string(data)))
}

// machine finds a machine by name.
func (p project) machine(name string) (machineDir, bool) {
	for _, m := range p.Machines {
		if m.Name == name {
			return m, true
		}
	}
	return machineDir{}, false
}

func (p project) names() []string {
	names := make([]string, 0, len(p.Machines))
	for _, m := range p.Machines {
		names = append(names, m.Name)
	}
	return names
}

// folderJSON is one entry of synced_folders. Vagrant writes what the Vagrantfile said, so numbers may stand
// where text is usual.
type folderJSON struct {
	GuestPath any `json:"guestpath"`
	HostPath  any `json:"hostpath"`
	Owner     any `json:"owner"`
	Group     any `json:"group"`
	Options   any `json:"mount_options"`
	Disabled  any `json:"disabled"`
}

// readFolders reads Vagrant's record of the synced folders of type virtualbox, in the order in which Vagrant
// mounts them: shortest guest path first. Disabled ones and those that are not mounted are left out.
func readFolders(path string) facts.Value[[]facts.SyncedFolder] {
	data, err := readBounded(path, maxStateFile)
	if err != nil {
		return facts.Unknownf[[]facts.SyncedFolder]("Vagrant's record of the synced folders cannot be read: %v", err)
	}
	all, err := parseFolders(data)
	if err != nil {
		return facts.Unknownf[[]facts.SyncedFolder]("Vagrant's record of the synced folders %s is damaged: %v", path, err)
	}
	return facts.Known(all)
}

func parseFolders(data []byte) ([]facts.SyncedFolder, error) {
	var all struct {
		VirtualBox map[string]folderJSON `json:"virtualbox"`
	}
	if err := json.Unmarshal(trimBOM(data), &all); err != nil {
		return nil, err
	}
	folders := []facts.SyncedFolder{}
	for id, f := range all.VirtualBox {
		if f.Disabled == true || text(f.GuestPath) == "" {
			continue
		}
		folders = append(folders, facts.SyncedFolder{
			Name: shareName(id), HostPath: text(f.HostPath), GuestPath: text(f.GuestPath),
			Owner: text(f.Owner), Group: text(f.Group), Options: texts(f.Options),
		})
	}
	sort.Slice(folders, func(i, j int) bool {
		a, b := folders[i], folders[j]
		if len(a.GuestPath) != len(b.GuestPath) {
			return len(a.GuestPath) < len(b.GuestPath)
		}
		return a.GuestPath+"\x00"+a.Name < b.GuestPath+"\x00"+b.Name
	})
	return folders, nil
}

// shareName is the name under which Vagrant defines a folder in VirtualBox: white space and slashes become
// underscores, one leading underscore is cut. /home/rc/ becomes home_rc_.
func shareName(id string) string {
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\n\v\f\r/\\", r) {
			return '_'
		}
		return r
	}, id)
	return clean(strings.TrimPrefix(name, "_"))
}

func text(v any) string {
	switch t := v.(type) {
	case string:
		return clean(t)
	case float64:
		return fmt.Sprintf("%.0f", t)
	}
	return ""
}

func texts(v any) []string {
	list, ok := v.([]any)
	if !ok {
		if one := text(v); one != "" {
			return []string{one}
		}
		return nil
	}
	var all []string
	for _, e := range list {
		if one := text(e); one != "" {
			all = append(all, one)
		}
	}
	return all
}
