package checks

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

var _ = register(Check{
	ID: "mount.helper", Title: "The mount helper is in place", Target: OnGuest, Severity: finding.Critical,
	Rows: []string{"V1", "V3", "V4", "V5"}, Needs: buildNeeds, After: []string{reachable, "additions.installed"}, VirtualBoxOnly: true,
	CausedBy: append([]string{"additions.installed", "additions.version", "modules.built"}, blockers...), Fix: "mount.helper",
	Why:    "mount -t vboxsf calls /sbin/mount.vboxsf. When it is missing or a dangling link, the kernel gets options it cannot read: `wrong fs type, bad option, bad superblock`.",
	Looks:  "/sbin/mount.vboxsf, followed to its end; /usr/lib/VBoxGuestAdditions",
	Source: "guest-catalogue V1, V3, V4 (5.1.20), V5 (4.3.10)",
	Eval:   evalHelper,
})

func evalHelper(f *facts.Facts) finding.Verdict {
	ga, err := f.Guest.Additions.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	h := ga.Helper
	switch {
	case h.Resolved != "" && h.Exec && !ga.LibLink && strings.HasPrefix(ga.ConfigVersion, "4.3.10"):
		return finding.Failf("the link /usr/lib/VBoxGuestAdditions is missing")
	case h.Resolved != "" && h.Exec:
		return finding.Passf("%s", h.Resolved)
	case h.Resolved != "":
		return finding.Failf("%s is not executable", h.Resolved)
	case h.Exists:
		return finding.Failf("/sbin/mount.vboxsf is a dangling link").Diff("a link to an existing helper", h.Link)
	}
	if m := f.Guest.Modules.Or(facts.Modules{}); !assess.Oracle(ga) && m.SF.File != "" {
		return finding.Passf("none, and the kernel's own vboxsf needs none")
	}
	return finding.Failf("/sbin/mount.vboxsf is missing").Diff("/sbin/mount.vboxsf", "nothing")
}

var _ = register(Check{
	ID: "mount.defined", Title: "VirtualBox offers every share that Vagrant wants", Target: OnGuest, Severity: finding.Critical,
	Rows: []string{"V6", "V7", "V8"}, Needs: []facts.Key{facts.KeyAdditions}, After: []string{reachable}, VirtualBoxOnly: true,
	Why:    "A share that the VM does not define cannot be mounted: `Protocol error`, or since 6.0 `shared folder 'X' was not found (check VM settings / spelling)`. Names differ in case on some hosts.",
	Looks:  "the VM's shared folders by showvminfo, else VBoxControl sharedfolder list, against .vagrant/machines/NAME/virtualbox/synced_folders",
	Source: "guest-catalogue V6-V8",
	Eval:   evalDefined,
})

func evalDefined(f *facts.Facts) finding.Verdict {
	folders, err := f.Host.Folders.Get()
	if err != nil {
		return finding.Skipf("no record of Vagrant's synced folders for this machine")
	}
	offered, err := offeredShares(f)
	if err != nil {
		return finding.Cannot(err)
	}
	for _, w := range folders {
		if slices.Contains(offered, w.Name) {
			continue
		}
		v := finding.Failf("Vagrant wants the share %q, which the VM does not define", w.Name).Diff(w.Name, strings.Join(offered, ", "))
		if i := slices.IndexFunc(offered, func(o string) bool { return strings.EqualFold(o, w.Name) }); i >= 0 {
			v = finding.Failf("Vagrant wants the share %q, the VM defines %q: only the case differs", w.Name, offered[i]).Diff(w.Name, offered[i])
		}
		if f.Host.Explicit {
			return v.Advise("define the share in the VM's settings", "")
		}
		return v.Advise("let Vagrant define its shares again", restart(f))
	}
	return finding.Passf("%d shares", len(folders))
}

func offeredShares(f *facts.Facts) ([]string, error) {
	if vm, err := f.Host.VM.Get(); err == nil {
		var out []string
		for _, s := range vm.Shares {
			out = append(out, s.Name)
		}
		return out, nil
	}
	ga, err := f.Guest.Additions.Get()
	if err != nil {
		return nil, err
	}
	if ga.ShareNames == nil {
		return nil, fmt.Errorf("%w: neither VBoxManage nor VBoxControl lists the shares", facts.ErrNotCollected)
	}
	return ga.ShareNames, nil
}

// sharesMounted is the id of the check that the whole program is about.
const sharesMounted = "mount.shares"

var _ = register(Check{
	ID: sharesMounted, Title: "Every synced folder is mounted", Target: OnGuest, Severity: finding.Critical,
	Rows:  []string{"V1", "V2", "V9", "V22"},
	Needs: []facts.Key{facts.KeyMounts, facts.KeyAdditions, facts.KeyModules}, After: []string{reachable}, VirtualBoxOnly: true,
	CausedBy: append([]string{"modules.loaded", "mount.helper", "mount.defined", "mount.owner", "mount.options", "mount.mainline", "mount.sources", "mount.point", "mount.place", "modules.version", "modules.built", "additions.installed", "additions.version"}, blockers...),
	Fix:      sharesMounted,
	Why:      "This is what the user sees: `Vagrant was unable to mount VirtualBox shared folders`, an empty /vagrant, a provisioner that does not find its files.",
	Looks:    "/proc/mounts against the synced folders that Vagrant recorded; without a record, against the vboxsf lines of /etc/fstab",
	Source:   "guest-catalogue V1, V2, V9, V22",
	Eval:     evalShares,
})

func evalShares(f *facts.Facts) finding.Verdict {
	m, err := f.Guest.Mounts.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	wanted := assess.WantedMounts(f, m)
	if len(wanted) == 0 {
		return noShares(f, m)
	}
	var missing []string
	for _, w := range wanted {
		if !assess.MountedAt(m, w) {
			missing = append(missing, w.Name+" on "+w.GuestPath)
		}
	}
	if len(missing) == 0 {
		return finding.Passf("%d of %d", len(wanted), len(wanted))
	}
	return finding.Failf("not mounted: %s", strings.Join(missing, ", ")).Diff(fmt.Sprintf("%d vboxsf mounts", len(wanted)), mountList(m))
}

// noShares: nobody recorded a folder. Shares that the VM offers and nobody mounted are worth a warning.
func noShares(f *facts.Facts, m facts.Mounts) finding.Verdict {
	offered, err := offeredShares(f)
	if err != nil || len(offered) == 0 {
		return finding.Skipf("no synced folder of type virtualbox is recorded for this machine")
	}
	var unmounted []string
	for _, s := range offered {
		if !slices.ContainsFunc(m.VBoxSF, func(mt facts.Mount) bool { return mt.Source == s }) {
			unmounted = append(unmounted, s)
		}
	}
	if len(unmounted) == 0 {
		return finding.Passf("%d of %d", len(offered), len(offered))
	}
	return finding.Warnf("the VM offers shares that are not mounted: %s", strings.Join(unmounted, ", ")).
		Advise("mount one in the guest", "sudo mount -t vboxsf -o uid=$(id -u),gid=$(id -g) "+unmounted[0]+" /mnt")
}

func mountList(m facts.Mounts) string {
	var out []string
	for _, mt := range m.VBoxSF {
		out = append(out, mt.Source+" on "+mt.Target)
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ", ")
}

var _ = register(Check{
	ID: "mount.owner", Title: "Owners of the synced folders exist and own them", Target: OnGuest, Severity: finding.Major,
	Rows: []string{"V16"}, Needs: []facts.Key{facts.KeyMounts, facts.KeyAdditions}, After: []string{reachable}, VirtualBoxOnly: true, Fix: "",
	Why:    "vboxsf shows every file as owned by the uid and gid of its mount options. A user or group that does not exist in the guest makes the mount fail with an empty error; another owner makes files unwritable.",
	Looks:  "id -u OWNER and getent group GROUP in the guest, the uid= and gid= options of the mount",
	Source: "guest-catalogue V16, 3.2",
	Eval:   evalOwner,
})

func evalOwner(f *facts.Facts) finding.Verdict {
	m, err := f.Guest.Mounts.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	folders := assess.WantedMounts(f, m)
	for i, w := range m.Wanted {
		if i >= len(folders) {
			break
		}
		switch o := folders[i]; {
		case w.WantUID < 0 && o.Owner != "":
			return finding.Failf("the synced folder %s wants owner %s, a user that the guest does not have", w.GuestPath, o.Owner).
				Advise("create the user, or change owner in the Vagrantfile", "sudo useradd "+o.Owner)
		case w.WantGID < 0 && o.Group != "":
			return finding.Failf("the synced folder %s wants group %s, which the guest does not have", w.GuestPath, o.Group).
				Advise("create the group, or change group in the Vagrantfile", "sudo groupadd "+o.Group)
		case assess.MountedAt(m, o) && w.UID >= 0 && w.WantUID >= 0 && w.UID != w.WantUID:
			return finding.Warnf("%s is mounted with uid %d, wanted %d", w.GuestPath, w.UID, w.WantUID).
				Diff(fmt.Sprintf("uid %d", w.WantUID), fmt.Sprintf("uid %d", w.UID)).Advise("mount it again", remount(f, w.GuestPath))
		}
	}
	if len(folders) == 0 {
		return finding.Skipf("no synced folder of type virtualbox is recorded for this machine")
	}
	if len(m.Wanted) < len(folders) {
		return finding.Skipf("Vagrant recorded no owners for this machine's folders")
	}
	return finding.Passf("%d folders", len(folders))
}

// remount: Vagrant mounts its folders anew when it restarts the machine; without Vagrant the guest's fstab does.
func remount(f *facts.Facts, path string) string {
	if f.Host.Explicit {
		return "sudo umount " + shell.Quote(path) + " && sudo mount " + shell.Quote(path)
	}
	return restart(f)
}

var _ = register(Check{
	ID: "mount.writable", Title: "The mounted folders can be written", Target: OnGuest, Severity: finding.Major,
	Rows: []string{"V21"}, Needs: []facts.Key{facts.KeyMounts, facts.KeyAdditions}, After: []string{reachable}, VirtualBoxOnly: true,
	CausedBy: []string{"mount.owner"},
	Why:      "A share that is read-only on the host, or mounted with ro, fails every build step that writes: `Read-only file system` or `Permission denied`.",
	Looks:    "test -w as the login user, without writing; the mount's options; the VM's share definition",
	Source:   "guest-catalogue V21",
	Eval:     evalWritable,
})

func evalWritable(f *facts.Facts) finding.Verdict {
	m, err := f.Guest.Mounts.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	folders, seen := assess.WantedMounts(f, m), 0
	for i, w := range m.Wanted {
		if i >= len(folders) || !assess.MountedAt(m, folders[i]) {
			continue
		}
		seen++
		if w.Writable || slices.Contains(folders[i].Options, "ro") {
			continue
		}
		return whyNotWritable(f, m, folders[i])
	}
	if seen == 0 {
		return finding.Skipf("no synced folder is mounted")
	}
	return finding.Passf("%d folders", seen)
}

// whyNotWritable tells the three causes of row V21 apart: the VM's share, the mount, the folder on the host.
func whyNotWritable(f *facts.Facts, m facts.Mounts, w facts.SyncedFolder) finding.Verdict {
	vm, opts := f.Host.VM.Or(facts.VM{}), optionsAt(m, w)
	switch {
	case slices.ContainsFunc(vm.Shares, func(s facts.Share) bool { return s.Name == w.Name && s.ReadOnly }):
		return finding.Failf("%s cannot be written by anybody: the VM defines the share %s as read-only", w.GuestPath, w.Name).
			Diff("a writable share", "--readonly").Advise("let Vagrant define its shares again", restart(f))
	case slices.Contains(strings.Split(opts, ","), "ro"):
		return finding.Failf("%s is mounted read-only, and nobody asked for that", w.GuestPath).Diff("rw", opts).Advise("mount it again", remount(f, w.GuestPath))
	}
	return finding.Failf("%s is mounted and cannot be written by %s: the folder on the host does not allow it", w.GuestPath, f.Machine.User).
		Likely("neither the VM nor the mount makes it read-only").
		Diff("writable", opts).Advise("look at the folder's rights on the host", "ls -ld "+shell.Quote(w.HostPath))
}

func optionsAt(m facts.Mounts, w facts.SyncedFolder) string {
	for _, mt := range m.VBoxSF {
		if path.Clean(mt.Target) == path.Clean(w.GuestPath) {
			return strings.Join(mt.Options, ",")
		}
	}
	return ""
}
