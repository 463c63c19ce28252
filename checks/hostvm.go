package checks

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
)

var _ = register(Check{
	ID: "vm.stale_id", Title: "VirtualBox knows every VM that Vagrant remembers", Target: OnHost, Severity: finding.Critical, Rows: []string{"vm.stale_id"}, Level: LevelConfirm,
	Link: vagrantIssues + "4771",
	Why: "When VirtualBox does not list a VM that Vagrant remembers, the next vagrant command, even `vagrant status`, deletes the machine's folder with its private key and builds a new VM. " +
		"Often the VM only belongs to another user or to another VBOX_USER_HOME.",
	Looks: ".vagrant/machines/NAME/virtualbox/id against `VBoxManage list vms`; vagrant is not called", Source: "host-catalogue 1.7, finding 1",
	Eval: records(evalStale),
})

func evalStale(f *facts.Facts, rs []facts.Record) finding.Verdict {
	vms, _ := f.Host.Preflight.Lists.VMs.Get()
	for _, r := range rs {
		there, err := r.Registered.Get()
		switch {
		case err != nil:
			return finding.Cannot(err)
		case there:
			continue
		}
		v := finding.Failf("Vagrant remembers VM %s of machine %s, but VirtualBox does not list it: any vagrant command here would delete the machine's key and build a new VM", r.ID, r.Name).
			Diff(r.ID+" in VBoxManage list vms", fmt.Sprintf("%d other VMs", len(vms))).
			Advise("copy the machine's folder first", "cp -a "+quoted(r.Dir)+" "+quoted(r.Dir+".copy")).
			Advise("if its .vbox file still exists, register the VM again; look also under another user or VBOX_USER_HOME", "VBoxManage registervm FILE.vbox")
		return v.Advise("only if the VM is really gone, let Vagrant make a new one", up(r.Name))
	}
	return finding.Passf("%d VMs", len(rs))
}

func up(name string) string { return "vagrant up " + quoted(name) }

var _ = register(Check{
	ID: "vm.uid_mismatch", Title: "The VMs were made by this user", Target: OnHost, Severity: finding.Critical, Rows: []string{"vm.uid_mismatch"}, Level: LevelAuto, Fix: "host.creator_uid",
	Link:  vagrantIssues + "8630",
	Why:   "`The VirtualBox VM was created with a user that doesn't match the current user running Vagrant.` It follows a `sudo vagrant up`, a copied project or a new user id.",
	Looks: "creator_uid of each machine against this user's id", Source: "host-catalogue 1.7",
	Eval: records(evalUID),
})

func evalUID(f *facts.Facts, rs []facts.Record) finding.Verdict {
	s, err := f.Host.Preflight.System.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	if s.UID < 0 {
		return finding.Skipf("Windows has no user ids")
	}
	own := strconv.Itoa(s.UID)
	for _, r := range rs {
		if !r.HasUID || r.CreatorUID == own {
			continue
		}
		v := finding.Failf("machine %s was made by the user with id %s, you are %s: Vagrant refuses to work on it", r.Name, orNone(r.CreatorUID), own).Diff(own, orNone(r.CreatorUID))
		if r.Registered.Or(false) {
			return v.Advise("the VM is in your own list, so only Vagrant's record is wrong", "printf %s "+own+" > "+quoted(r.Dir+"/creator_uid"))
		}
		return v.Advise("run vagrant as that user, or make a copy of the VM your own", "").ByHand()
	}
	return finding.Passf("%s", own)
}

var _ = register(Check{
	ID: "vm.moved", Title: "The project lies where Vagrant last used it", Target: OnHost, Severity: finding.Minor, Rows: []string{"vm.moved"}, Level: LevelAuto, Fix: "host.vagrant_cwd",
	Link:  "https://developer.hashicorp.com/vagrant/docs/cli",
	Why:   "`This machine used to live in X but it's now at Y.` Shared folders of the VM may still point to the old place; a copied project shares one VM with its original.",
	Looks: "vagrant_cwd of each machine", Source: "host-catalogue 1.7",
	Eval: records(func(f *facts.Facts, rs []facts.Record) finding.Verdict {
		root := f.Host.Preflight.Project.Or(facts.Project{}).Root
		for _, r := range rs {
			if r.CWD != "" && r.CWD != root {
				return finding.Warnf("machine %s was last used from %s: the project was moved or copied", r.Name, r.CWD).Diff(root, r.CWD).
					Advise("if it was moved, Vagrant corrects this by itself at the next start; if it was copied, the original uses the same VM", up(r.Name))
			}
		}
		return finding.Passf("%s", root)
	}),
})

var _ = register(Check{
	ID: "vm.not_provisioned_again", Title: "A new VM will be provisioned", Target: OnHost, Severity: finding.Major, Rows: []string{"vm.not_provisioned_again"}, Level: LevelAuto, Fix: "host.sentinel",
	Link:  "https://developer.hashicorp.com/vagrant/docs/provisioning",
	Why:   "`Machine already provisioned` although the VM is new: the sentinel of an old Vagrant holds a time instead of the VM's id, and blocks.",
	Looks: "action_provision of each machine: 1.5:ID is expected", Source: "host-catalogue 1.7",
	Eval: records(func(_ *facts.Facts, rs []facts.Record) finding.Verdict {
		for _, r := range rs {
			if r.HasProv && !strings.HasPrefix(r.Provision, "1.5:") {
				return finding.Warnf("machine %s: action_provision is of an old form, so provisioners do not run on a new VM", r.Name).Diff("1.5:"+r.ID, orNone(r.Provision)).
					Advise("take it away", "rm "+quoted(r.Dir+"/action_provision"))
			}
		}
		return finding.Passf("no old sentinel")
	}),
})

var _ = register(Check{
	ID: "vm.never_provisioned", Title: "Every VM has been provisioned once", Target: OnHost, Severity: finding.Minor, Rows: []string{"vm.never_provisioned"}, Level: LevelConfirm,
	CausedBy: []string{"vm.stale_id"}, Link: "https://developer.hashicorp.com/vagrant/docs/cli/provision",
	Why:   "A first `vagrant up` that failed leaves a VM that was never provisioned; the next one does not say so.",
	Looks: "VMs that exist without action_provision", Source: "host-catalogue 1.7",
	Eval: records(func(_ *facts.Facts, rs []facts.Record) finding.Verdict {
		for _, r := range rs {
			if there, err := r.Registered.Get(); err != nil {
				return finding.Cannot(err)
			} else if there && !r.HasProv {
				return finding.Warnf("machine %s exists and was never provisioned to the end", r.Name).Diff("action_provision", "none").
					Advise("provision it when it runs", "vagrant provision "+quoted(r.Name))
			}
		}
		return finding.Passf("%d machines", len(rs))
	}),
})

var _ = register(Check{
	ID: "vm.inaccessible_own", Title: "VirtualBox can read the project's VMs", Target: OnHost, Severity: finding.Critical, Rows: []string{"vm.inaccessible_own"}, Level: LevelConfirm, Fix: "host.vm_settings",
	Link:  vagrantIssues + "1848",
	Why:   "`Your VM has become \"inaccessible.\" Unfortunately, this is a critical error with VirtualBox that Vagrant can not cleanly recover from.` Its settings file was moved, or a crash cut it off while it was written.",
	Looks: "the name <inaccessible> in `VBoxManage list vms`, and the files beside the .vbox file", Source: "host-catalogue 1.7",
	Eval: records(evalInaccessibleOwn),
})

func inaccessible(f *facts.Facts) (map[string]bool, error) {
	vms, err := f.Host.Preflight.Lists.VMs.Get()
	out := map[string]bool{}
	for _, vm := range vms {
		if vm.Name == facts.Inaccessible {
			out[vm.UUID] = true
		}
	}
	return out, err
}

func evalInaccessibleOwn(f *facts.Facts, rs []facts.Record) finding.Verdict {
	bad, err := inaccessible(f)
	if err != nil {
		return finding.Cannot(err)
	}
	for _, r := range rs {
		if !bad[r.ID] {
			continue
		}
		s := r.Settings.Or(facts.VMSettings{})
		v := finding.Failf("VirtualBox cannot read the VM %s of machine %s", r.ID, r.Name).Diff(orNone(s.CfgFile), orNone(s.Leftover))
		if s.Leftover != "" {
			return v.Advise("VirtualBox's own copy of the settings lies beside it", "cp -p "+quoted(s.Leftover)+" "+quoted(s.CfgFile))
		}
		return v.Advise("mount the disk that it lies on, or bring its folder back", "VBoxManage showvminfo "+r.ID).
			Advise("only if its files are gone for good: forget it, then let Vagrant make a new one", "VBoxManage unregistervm "+r.ID).ByHand()
	}
	return finding.Passf("%d VMs", len(rs))
}

var _ = register(Check{
	ID: "vm.inaccessible_foreign", Title: "No other VM breaks `vagrant up`", Target: OnHost, Severity: finding.Critical, Rows: []string{"vm.inaccessible_foreign"}, After: []string{"vbox.version_empty"}, Level: LevelConfirm,
	Link:  vagrantIssues + "13745",
	Why:   "Vagrant walks over all VMs to look at their ports. With VirtualBox 7.2 one VM that cannot be read, of whatever project, ends that with `The object functionality is limited`.",
	Looks: "the name <inaccessible> in `VBoxManage list vms`", Source: "host-catalogue 1.7, finding 3",
	Eval: preflight(func(p *facts.Preflight) facts.Value[[]facts.ListedVM] { return p.Lists.VMs }, evalInaccessibleForeign),
})

func evalInaccessibleForeign(f *facts.Facts, vms []facts.ListedVM) finding.Verdict {
	own := map[string]bool{}
	for _, r := range f.Host.Preflight.Project.Or(facts.Project{}).Records {
		own[r.ID] = true
	}
	for _, vm := range vms {
		if vm.Name != facts.Inaccessible || own[vm.UUID] {
			continue
		}
		word := finding.Warnf
		if box, err := vbox(f); err == nil && !older(box.Number, "7.2.0") {
			word = finding.Failf
		}
		return word("VirtualBox cannot read the VM %s, which is not of this project: with VirtualBox 7.2 that breaks `vagrant up` everywhere", vm.UUID).
			Diff("no "+facts.Inaccessible+" VM", vm.UUID).
			Advise("mount the disk that it lies on", "VBoxManage showvminfo "+vm.UUID).
			Advise("or take it off VirtualBox's list; its files stay", "VBoxManage unregistervm "+vm.UUID)
	}
	return finding.Passf("%d VMs", len(vms))
}

// wantedNames are the names that the Vagrantfile gives to VMs that do not exist yet.
func wantedNames(f *facts.Facts, w facts.Wanted) (names []string, err error) {
	made := map[string]bool{}
	for _, r := range f.Host.Preflight.Project.Or(facts.Project{}).Records {
		made[r.Name] = r.ID != ""
	}
	for _, m := range w.Machines {
		name, e := m.VMName.Get()
		switch {
		case made[m.Name]:
		case e != nil:
			err = e
		case name != "":
			names = append(names, name)
		}
	}
	return names, err
}

var _ = register(Check{
	ID: "vm.leftover_folder", Title: "No old folder stands where a new VM goes", Target: OnHost, Severity: finding.Critical, Rows: []string{"vm.leftover_folder"}, Level: LevelConfirm, Fix: "host.leftovers",
	CausedBy: []string{"vm.name_taken"}, Link: vagrantIssues + "2813",
	Why:   "`Could not rename the directory … to save the settings file (VERR_ALREADY_EXISTS)`: the folder of a destroyed VM of that name is still there.",
	Looks: "vb.name of the Vagrantfile, VirtualBox's machine folder, `VBoxManage list vms`", Source: "host-catalogue 1.7",
	Eval: onWanted(func(f *facts.Facts, w facts.Wanted) finding.Verdict {
		names, err := wantedNames(f, w)
		p := f.Host.Preflight.Project.Or(facts.Project{})
		for _, folder := range p.Leftovers {
			return finding.Failf("%s is in the way: no VM uses it, and VirtualBox will not overwrite it", folder).Diff("no such folder", folder).
				Advise("move it aside; nothing is deleted", "mv "+quoted(folder)+" "+quoted(folder+".old"))
		}
		if err != nil {
			return finding.Cannot(err)
		}
		return finding.Passf("%d names", len(names))
	}),
})

var _ = register(Check{
	ID: "vm.name_taken", Title: "The names of new VMs are free", Target: OnHost, Severity: finding.Critical, Rows: []string{"vm.name_taken"}, Level: LevelConfirm,
	Link:  "https://developer.hashicorp.com/vagrant/docs/providers/virtualbox/configuration",
	Why:   "`A VirtualBox machine with the name 'X' already exists.` Two projects give their VM the same vb.name.",
	Looks: "vb.name of the Vagrantfile against `VBoxManage list vms`", Source: "host-catalogue 1.7",
	Eval: onWanted(func(f *facts.Facts, w facts.Wanted) finding.Verdict {
		names, err := wantedNames(f, w)
		vms, listErr := f.Host.Preflight.Lists.VMs.Get()
		if listErr != nil {
			return finding.Cannot(listErr)
		}
		for _, n := range names {
			if i := slices.IndexFunc(vms, func(vm facts.ListedVM) bool { return vm.Name == n }); i >= 0 {
				return finding.Failf("a VM named %q exists already (%s) and is not of this project", n, vms[i].UUID).Diff("a free name", n).
					Advise("choose another vb.name in the Vagrantfile", "")
			}
		}
		if err != nil {
			return finding.Cannot(err)
		}
		return finding.Passf("%d names", len(names))
	}),
})

var _ = register(Check{
	ID: "vm.disk_uuid", Title: "VirtualBox remembers no disk that is gone", Target: OnHost, Severity: finding.Minor, Rows: []string{"vm.disk_uuid"}, After: []string{"vbox.missing"}, Level: LevelConfirm,
	Link:  "https://github.com/xdissent/ievms/issues/217",
	Why:   "`Cannot register the hard disk … because a hard disk … with UUID already exists`: an import fails on a disk whose file is long gone.",
	Looks: "`VBoxManage list hdds` and whether each file exists", Source: "host-catalogue 1.7",
	Eval: preflight(func(p *facts.Preflight) facts.Value[[]facts.Medium] { return p.Lists.Media }, func(_ *facts.Facts, all []facts.Medium) finding.Verdict {
		for _, m := range all {
			if m.Missing {
				return finding.Warnf("VirtualBox remembers the disk %s, whose file is gone (%s)", m.UUID, m.Location).Diff("a file", "none").
					Advise("if no VM needs it, make VirtualBox forget it", "VBoxManage closemedium disk "+m.UUID)
			}
		}
		return finding.Passf("%d disks", len(all))
	}),
})

var _ = register(Check{
	ID: "vm.session_locked", Title: "No VM is stuck in a session", Target: OnHost, Severity: finding.Critical, Rows: []string{"vm.session_locked"}, Level: LevelConfirm,
	Link:  "https://github.com/geerlingguy/ansible-for-devops/issues/581",
	Why:   "`The machine is already locked by a session`: a settings window is open, a VBoxHeadless has died, or a second `vagrant up` runs.",
	Looks: "VMState and SessionName of showvminfo", Source: "host-catalogue 1.7",
	Eval: vmState("no session stands in the way", func(r facts.Record, state, session string) finding.Verdict {
		if !slices.Contains([]string{"starting", "stopping", "restoring", "saving"}, state) && !(state == "poweroff" && session != "") {
			return finding.Verdict{}
		}
		return finding.Failf("machine %s is %s and held by the session %q", r.Name, state, orNone(session)).Diff("no session", state+" "+session).
			Advise("close VirtualBox's window of this VM; if there is none, end the process of this very VM", "pgrep -af "+r.ID)
	}),
})

// vmState judges each VM by its state; a zero verdict means that it is fine.
func vmState(ok string, judge func(r facts.Record, state, session string) finding.Verdict) eval {
	return records(func(_ *facts.Facts, rs []facts.Record) finding.Verdict {
		for _, r := range rs {
			vm, err := r.VM.Get()
			switch {
			case !r.Registered.Or(true):
				continue // vm.stale_id says what there is to say
			case err != nil:
				return finding.Cannot(err)
			}
			if v := judge(r, vm.State, r.Settings.Or(facts.VMSettings{}).Session); v.Status != "" {
				return v
			}
		}
		return finding.Passf("%s", ok)
	})
}

var _ = register(Check{
	ID: "vm.bad_state", Title: "The VMs can be started from their state", Target: OnHost, Severity: finding.Major, Rows: []string{"vm.bad_state"}, Level: LevelConfirm,
	Link:  "https://github.com/actions/runner-images/issues/8730",
	Why:   "`The guest machine entered an invalid state while waiting for it to boot.` A crashed VM must be powered off; a state saved by an older VirtualBox often cannot be restored.",
	Looks: "VMState of showvminfo", Source: "host-catalogue 1.7",
	Eval: vmState("every state can be started from", func(r facts.Record, state, _ string) finding.Verdict {
		switch state {
		case "gurumeditation", "stuck":
			return finding.Failf("machine %s has crashed inside VirtualBox (state %s)", r.Name, state).Diff("running or poweroff", state).
				Advise("power it off, then start it", "vagrant halt --force "+quoted(r.Name)+" && "+up(r.Name))
		case "aborted", "aborted-saved":
			return finding.Warnf("machine %s was cut off when it last ran (state %s)", r.Name, state).Diff("poweroff", state).
				Advise("starting it usually works; its file system is checked then", up(r.Name))
		case "saved", "paused":
			return finding.Warnf("machine %s is %s: `vagrant up` resumes it", r.Name, state).Diff("running or poweroff", state).
				Advise("resume it", "vagrant resume "+quoted(r.Name)).
				Advise("if it cannot be resumed, throw the saved state away; what only the memory held is lost", "VBoxManage discardstate "+r.ID)
		}
		return finding.Verdict{}
	}),
})

var _ = register(Check{
	ID: "vm.folder_denied", Title: "VirtualBox's machine folder can be written", Target: OnHost, Severity: finding.Critical, Rows: []string{"vm.folder_denied"}, After: []string{"vbox.missing"}, Level: LevelConfirm,
	Link:  vagrantIssues + "9512",
	Why:   "`Could not create the directory … (VERR_ACCESS_DENIED)`: the folder belongs to somebody else.",
	Looks: "`VBoxManage list systemproperties`: Default machine folder, and access(2) on it", Source: "host-catalogue 1.7",
	Eval: preflight(func(p *facts.Preflight) facts.Value[facts.Disk] { return p.Disk }, func(_ *facts.Facts, d facts.Disk) finding.Verdict {
		switch {
		case d.Machines.Path == "":
			return finding.Cannot(fmt.Errorf("%w: VirtualBox did not tell its machine folder", facts.ErrNotCollected))
		case d.Machines.Denied != "":
			return finding.Failf("VirtualBox's machine folder %s: %s", d.Machines.Path, d.Machines.Denied).Diff("a folder that can be written", d.Machines.Denied).
				Advise("choose another folder", `VBoxManage setproperty machinefolder "$HOME/VirtualBox VMs"`)
		}
		return finding.Passf("%s", d.Machines.Path)
	}),
})

var _ = register(Check{
	ID: "vm.meta_denied", Title: "Vagrant's records can be read and written", Target: OnHost, Severity: finding.Critical, Rows: []string{"vm.meta_denied"}, Level: LevelSudo,
	Link:  vagrantIssues + "10919",
	Why:   "`Permission denied @ rb_sysopen - …/box_meta (Errno::EACCES)`: a command was once run as root or administrator.",
	Looks: "access(2) on the files of .vagrant/machines", Source: "host-catalogue 1.7",
	Eval: onProject(func(_ *facts.Facts, p facts.Project) finding.Verdict {
		if len(p.Denied) == 0 {
			return finding.Passf("%d machines", len(p.Records))
		}
		return finding.Failf("you may not read or write %s", cut(p.Denied, 2)).Diff("files of your own", cut(p.Denied, 2)).
			Advise("make them yours again", "sudo chown -R \"$(id -un)\" "+quoted(p.Root+"/.vagrant"))
	}),
})

var _ = register(Check{
	ID: "folder.missing", Title: "The synced folders exist on this host", Target: OnHost, Severity: finding.Critical, Rows: []string{"folder.missing"}, Level: LevelConfirm,
	Link:  "https://developer.hashicorp.com/vagrant/docs/synced-folders/basic_usage",
	Why:   "`The host path of the shared folder is missing: X`",
	Looks: "synced_folder of the Vagrantfile and Vagrant's own record", Source: "host-catalogue 1.7",
	Eval: onProject(evalFolders),
})

func evalFolders(f *facts.Facts, p facts.Project) finding.Verdict {
	missing := func(path, where string) finding.Verdict {
		return finding.Failf("the synced folder %s%s does not exist on this host", path, where).Diff(path, "nothing").
			Advise("make it, or let Vagrant make it with create: true", "mkdir -p "+quoted(path))
	}
	var lacking error
	w, wantedErr := f.Host.Preflight.Wanted.Get()
	for _, m := range w.Machines {
		for _, folder := range m.Folders {
			path, err := folder.Host.Get()
			switch {
			case err != nil:
				lacking = err
			case !folder.Exists && !folder.Create:
				return missing(path, fmt.Sprintf(" (line %d)", folder.Line))
			}
		}
	}
	for _, r := range p.Records {
		if wantedErr != nil && len(r.MissingFolders) > 0 {
			return missing(r.MissingFolders[0], " of machine "+r.Name)
		}
	}
	switch {
	case lacking != nil:
		return finding.Cannot(lacking)
	case wantedErr != nil && len(p.Records) == 0:
		return finding.Cannot(wantedErr)
	}
	return finding.Passf("every one")
}
