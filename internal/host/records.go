package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// records are Vagrant's files of the project with what VirtualBox says about each machine.
func (ob *observer) records() facts.Value[facts.Project] {
	p := facts.Project{Root: ob.project.Root}
	if p.Root == "" {
		return facts.Known(p)
	}
	p.Vagrantfile = ob.vagrantfile()
	p.Removed = removedIn(p.Vagrantfile)
	p.File = textFile(p.Vagrantfile)
	for _, m := range ob.project.Machines {
		p.Records = append(p.Records, ob.record(m))
		p.Denied = append(p.Denied, deniedFiles(m.Dir)...)
	}
	return facts.Known(p)
}

// vagrantfile is the file that made the folder a project.
func (ob *observer) vagrantfile() string {
	names := []string{"Vagrantfile", "vagrantfile"}
	if n := ob.Getenv("VAGRANT_VAGRANTFILE"); n != "" {
		names = []string{n}
	}
	for _, n := range names {
		if !filepath.IsAbs(n) {
			n = filepath.Join(ob.project.Root, n)
		}
		if regular(n) {
			return n
		}
	}
	return filepath.Join(ob.project.Root, names[0])
}

func (ob *observer) record(m machineDir) facts.Record {
	r := facts.Record{Name: m.Name, Dir: m.Dir, ID: m.ID, Others: m.Others, CreatorUID: m.CreatorUID, CWD: m.VagrantCWD}
	r.HasUID = regular(filepath.Join(m.Dir, "creator_uid"))
	r.Provision = readLine(filepath.Join(m.Dir, "action_provision"))
	r.HasProv = regular(filepath.Join(m.Dir, "action_provision"))
	r.Files = map[string]facts.TextFile{}
	for _, name := range []string{"creator_uid", "vagrant_cwd", "action_provision"} {
		r.Files[name] = textFile(filepath.Join(m.Dir, name))
	}
	if info, err := os.Stat(filepath.Join(m.Dir, "private_key")); err == nil {
		r.HasKey, r.KeyMode, r.KeyUID = true, int(info.Mode().Perm()), ownerOf(info)
	}
	r.Lock = actionLockPath(ob.vagrantHome(), ob.project.Root, ob.Getenv("VAGRANT_VAGRANTFILE"), ob.project.Data, m.Name)
	r.Held = held(r.Lock)
	for _, f := range readFolders(filepath.Join(m.Dir, "synced_folders")).Or(nil) {
		if _, err := os.Stat(f.HostPath); errors.Is(err, fs.ErrNotExist) {
			r.MissingFolders = append(r.MissingFolders, f.HostPath)
		}
	}
	ob.recordVM(&r)
	return r
}

// textFile is a plain file word for word; a link is none, because a guest may have put it there.
func textFile(path string) facts.TextFile {
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return facts.TextFile{}
	}
	data, err := readBounded(path, maxStateFile)
	if err != nil {
		return facts.TextFile{}
	}
	return facts.TextFile{Path: path, Content: string(data)}
}

// recordVM adds the VM that belongs to the record.
func (ob *observer) recordVM(r *facts.Record) {
	none := "machine " + r.Name + " has no VM"
	r.VM, r.Settings, r.Registered = facts.Unknownf[facts.VM]("%s", none), facts.Unknownf[facts.VMSettings]("%s", none), facts.Unknownf[bool]("%s", none)
	if r.ID == "" {
		return
	}
	if ob.registered == nil {
		r.Registered = facts.Unknownf[bool]("VirtualBox did not list its machines")
	} else {
		r.Registered = facts.Known(ob.registered[r.ID])
	}
	a, asked := ob.infos[r.ID]
	switch {
	case !asked:
		r.VM, r.Settings = facts.Unknownf[facts.VM]("VirtualBox was not asked about it"), facts.Unknownf[facts.VMSettings]("VirtualBox was not asked about it")
	case a.err != nil:
		r.VM, r.Settings = facts.Unknownf[facts.VM]("%v", a.err), ob.settingsWithoutVirtualBox(r.ID, a.err)
	default:
		r.VM = facts.Known(parseVMInfo(a.out.Stdout).VM)
		r.Settings = facts.Known(settingsOfVM(a.out.Stdout))
	}
}

// settingsWithoutVirtualBox: where the settings of a VM lay is known to VirtualBox.xml even when VirtualBox cannot open
// them, which is what matters for an inaccessible one.
func (ob *observer) settingsWithoutVirtualBox(uuid string, err error) facts.Value[facts.VMSettings] {
	path, pathErr := ob.settingsOf(uuid)
	if pathErr != nil {
		return facts.Unknownf[facts.VMSettings]("%v", err)
	}
	s := vmSettings{facts.VMSettings{CfgFile: path}}
	s.fromFiles()
	return facts.Known(s.VMSettings)
}

// deniedFiles are those of a machine's folder that the user may not read or write.
func deniedFiles(dir string) []string {
	var all []string
	entries, _ := os.ReadDir(dir) // none: the machine was never made
	for _, e := range entries[:min(len(entries), 100)] {
		if path := filepath.Join(dir, e.Name()); !e.IsDir() && deniedFile(path) != "" {
			all = append(all, path)
		}
	}
	return all
}

// settingsFile judges VirtualBox.xml.
func (ob *observer) settingsFile() facts.Value[facts.SettingsFile] {
	path := ob.registryFile()
	data, err := readBounded(path, maxXML)
	if errors.Is(err, fs.ErrNotExist) {
		return facts.Known(facts.SettingsFile{})
	}
	s := facts.SettingsFile{Path: path}
	if err == nil {
		_, err = parseRegistry(data)
	}
	if err == nil {
		return facts.Known(s)
	}
	s.Damage = clean(err.Error())
	if old, oldErr := readBounded(path+"-prev", maxXML); oldErr == nil {
		if _, oldErr = parseRegistry(old); oldErr == nil {
			s.Previous = path + "-prev"
		}
	}
	return facts.Known(s)
}

// listedVMs are VirtualBox's VMs with the folder of each, as far as VirtualBox.xml tells it.
func (ob *observer) listedVMs() facts.Value[[]facts.ListedVM] {
	if ob.registered == nil {
		return facts.Unknownf[[]facts.ListedVM]("VirtualBox did not list its machines")
	}
	all := []facts.ListedVM{}
	for _, vm := range ob.listedAll {
		one := facts.ListedVM{Name: vm.Name, UUID: vm.UUID, Running: ob.running[vm.UUID]}
		if path, err := ob.settingsOf(vm.UUID); err == nil {
			one.Folder = strings.TrimSuffix(path, filepath.Base(path))
		}
		all = append(all, one)
	}
	return facts.Known(all)
}

// leftovers are the folders of destroyed VMs whose names the Vagrantfile wants again.
func (ob *observer) leftovers(p facts.Project) []string {
	base := ob.facts.Preflight.Lists.Properties.Or(facts.SystemProperties{}).MachineFolder
	vms, err := ob.facts.Preflight.Lists.VMs.Get()
	if base == "" || err != nil {
		return nil
	}
	used := map[string]bool{}
	for _, vm := range vms {
		used[filepath.Clean(vm.Folder)], used[filepath.Join(base, vm.Name)] = true, true
	}
	var all []string
	for _, m := range ob.facts.Preflight.Wanted.Or(facts.Wanted{}).Machines {
		name := m.VMName.Or("")
		folder := filepath.Join(base, name)
		if name == "" || filepath.Base(folder) != name || used[folder] || ob.hasVM(m.Name, p.Records) {
			continue
		}
		if info, err := os.Stat(folder); err == nil && info.IsDir() {
			all = append(all, folder)
		}
	}
	return all
}

func (ob *observer) hasVM(name string, records []facts.Record) bool {
	return slices.ContainsFunc(records, func(r facts.Record) bool { return r.Name == name && r.ID != "" })
}
