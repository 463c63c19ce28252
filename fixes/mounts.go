package fixes

import (
	"cmp"
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

var _ = register(Fix{
	ID: "mount.helper", Title: "Link the mount helper", Impact: Harmless,
	Clears: []string{"mount.helper"},
	After:  []string{"additions.install", "additions.rebuild"},
	Rows:   []string{"V3", "V4", "V5"},
	Why:    "/sbin/mount.vboxsf must lead to the helper of the installed Guest Additions; 5.1.20 linked it to a path that does not exist, 4.3.10 forgot /usr/lib/VBoxGuestAdditions.",
	Plan:   planHelper,
})

const helperScript = `helper=$1
dir=$2
if [ -L /sbin/mount.vboxsf ] || [ ! -e /sbin/mount.vboxsf ]; then
	run ln -sfn "$helper" /sbin/mount.vboxsf
fi
if [ -n "$dir" ] && [ -d "$dir" ] && [ ! -e /usr/lib/VBoxGuestAdditions ]; then
	run ln -sfn "$dir" /usr/lib/VBoxGuestAdditions
fi
`

func planHelper(in Input) ([]action.Action, error) {
	ga, err := in.Facts.Guest.Additions.Get()
	if err != nil {
		return nil, err
	}
	if len(ga.Helper.Candidates) == 0 {
		return nil, nil
	}
	helper := bestHelper(ga)
	dir := ""
	if !ga.LibLink && ga.InstallDir != "" {
		dir = path.Join(ga.InstallDir, "lib/VBoxGuestAdditions")
	}
	return []action.Action{action.Job{Name: "link the mount helper", Lib: lib, Script: helperScript, Args: []string{helper, dir},
		Timeout: time.Minute, Undo: undoHelper(ga), Changed: action.Names("/sbin/mount.vboxsf", "/usr/lib/VBoxGuestAdditions")}}, nil
}

func undoHelper(ga facts.Additions) string {
	if ga.Helper.Link == "" {
		return "sudo rm /sbin/mount.vboxsf"
	}
	return "sudo ln -sfn " + shell.Join([]string{ga.Helper.Link, "/sbin/mount.vboxsf"})
}

// bestHelper prefers the installed version's own helper.
func bestHelper(ga facts.Additions) string {
	for _, c := range ga.Helper.Candidates {
		if ga.InstallDir != "" && strings.HasPrefix(c, ga.InstallDir+"/") {
			return c
		}
	}
	return ga.Helper.Candidates[0]
}

var _ = register(Fix{
	ID: "mount.shares", Title: "Mount the synced folders", Impact: Harmless,
	Clears: []string{"mount.shares", "mount.writable", "mount.mainline", "mount.point"},
	After:  []string{"additions.install", "additions.rebuild", "modules.load", "modules.reload", "mount.helper", "additions.services"},
	Rows:   []string{"V1", "V2", "V9", "V10", "V11", "V12", "V14"},
	Why: "Mounts every synced folder as Vagrant does (uid, gid, _netdev; -cit and its own options for the kernel's own vboxsf), each whatever becomes of the others, " +
		"and proves it by writing, linking and deleting one file as its owner. A mount point that is stale is moved aside first.",
	Plan: planMounts,
})

func planMounts(in Input) ([]action.Action, error) {
	m, err := in.Facts.Guest.Mounts.Get()
	if err != nil {
		return nil, err
	}
	if mods, err := in.Facts.Guest.Modules.Get(); err == nil && !mods.SF.Loaded && !mods.FSRegistered && !in.Hopeful && unmounted(in, m) {
		return nil, errors.New("no synced folder can be mounted yet, because the module vboxsf is not loaded (the mount would say `No such device`): " +
			"what keeps it from being loaded comes first (modules.built, modules.loaded)")
	}
	var out []action.Action
	for _, w := range byPathLength(assess.WantedMounts(in.Facts, m)) {
		if assess.MountedAt(m, w) {
			continue
		}
		owner, group := w.Owner, w.Group
		if owner == "" {
			owner = in.Facts.Machine.User
		}
		if group == "" {
			group = owner
		}
		plain := plainOptions(w.Options)
		stays := ""
		if p := slices.IndexFunc(m.Wanted, func(x facts.WantedMount) bool { return path.Clean(x.GuestPath) == path.Clean(w.GuestPath) }); p >= 0 && m.Wanted[p].Stale != "" {
			stays = "what was on " + w.GuestPath + " lies beside it, as " + w.GuestPath + ".before-boxdoctor-NUMBER"
		}
		out = append(out, action.Job{Name: "mount " + w.Name + " on " + w.GuestPath, Script: mountShare, Timeout: 2 * time.Minute, Independent: true,
			Args: []string{w.Name, w.GuestPath, owner, group, strings.Join(plain, ","), strings.Join(assess.ForMainline(plain), ","), yesNo(mainline(in))},
			Undo: "sudo umount " + shell.Quote(w.GuestPath), Changed: mountChanges(w.GuestPath), Stays: stays})
	}
	return out, nil
}

// mainline: the guest has the kernel's own vboxsf, as far as it was seen; earlier stages may bring another.
func mainline(in Input) bool {
	return !in.Hopeful && assess.WhoseSF(in.Facts.Guest.Modules.Or(facts.Modules{})) == assess.MainlineSF
}

// mountChanges: the folder may have to be made, and what is mounted on it goes first when it is taken back.
func mountChanges(guestPath string) []action.Change {
	p := path.Clean(guestPath)
	return append(action.Names(p), action.Change{Kind: action.KindMount, Path: p})
}

func unmounted(in Input, m facts.Mounts) bool {
	return slices.ContainsFunc(assess.WantedMounts(in.Facts, m), func(w facts.SyncedFolder) bool { return !assess.MountedAt(m, w) })
}

// byPathLength mounts the shortest path first, as Vagrant does, so that a folder inside another is not hidden.
func byPathLength(ws []facts.SyncedFolder) []facts.SyncedFolder {
	return slices.SortedStableFunc(slices.Values(ws), func(a, b facts.SyncedFolder) int {
		return cmp.Compare(len(a.GuestPath), len(b.GuestPath))
	})
}

// plainOptions leaves out what the mount itself sets (an fstab line carries uid, gid and _netdev already).
func plainOptions(opts []string) []string {
	var out []string
	for _, o := range opts {
		switch key, _, _ := strings.Cut(o, "="); key {
		case "uid", "gid", "_netdev", "defaults", "rw", "":
		default:
			out = append(out, o)
		}
	}
	return out
}

var _ = register(Fix{
	ID: "mount.group", Title: "Put the login user into the group vboxsf", Impact: Harmless,
	Clears: []string{"mount.group"},
	After:  []string{"additions.install", "additions.rebuild"},
	Rows:   []string{"V17"},
	Why:    "Shares that VirtualBox mounts by itself belong to this group. It counts from the user's next login on.",
	Plan:   planGroup,
})

func planGroup(in Input) ([]action.Action, error) {
	m, err := in.Facts.Guest.Mounts.Get()
	if err != nil || !m.ShareGroup || in.Facts.Machine.User == "" || slices.Contains(m.Groups, "vboxsf") {
		return nil, err
	}
	user := in.Facts.Machine.User
	return []action.Action{action.Job{Name: "put " + user + " into the group vboxsf", Lib: lib, Script: "run usermod -aG vboxsf \"$1\"\n", Args: []string{user},
		Timeout: time.Minute, Undo: "sudo gpasswd -d " + shell.Quote(user) + " vboxsf", Changed: action.Files("/etc/group", "/etc/gshadow"),
		Stays: "copies of the old files that usermod keeps itself (/etc/group-)"}}, nil
}

var _ = register(Fix{
	ID: "mount.fstab", Title: "Mend Vagrant's lines in /etc/fstab", Impact: Harmless,
	Clears: []string{"mount.fstab"},
	Rows:   []string{"V22"},
	Why: "Closes Vagrant's block where its end is missing, and takes out its lines for shares that the VM does not define any more. What is not Vagrant's stays as it is, " +
		"and the old file is kept.",
	Plan: planFSTab,
})

func planFSTab(in Input) ([]action.Action, error) {
	m, err := in.Facts.Guest.Mounts.Get()
	if err != nil || m.FSTabFile.Path == "" {
		return nil, err
	}
	now := assess.MendedFSTab(in.Facts, m)
	switch {
	case now == m.FSTabFile.Content:
		return nil, nil
	case m.EtcReadOnly:
		return nil, errors.New("/etc/fstab cannot be written: its file system is read-only. Keep Vagrant out of it, in the Vagrantfile: config.vm.allow_fstab_modification = false")
	}
	return []action.Action{replaceFile(in, m.FSTabFile, now)}, nil
}
