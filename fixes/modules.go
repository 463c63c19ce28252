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
	ID: "modules.reload", Title: "Load the new modules in place of the old ones", Impact: Reboots,
	Clears: []string{"modules.version"},
	After:  []string{"additions.install", "additions.rebuild"},
	Rows:   []string{"M4", "M5", "S14"},
	Why:    "rcvboxadd reload (7.0 and later) does it without a restart where nothing holds the old modules; else the guest is restarted.",
	Plan:   planReload,
})

func planReload(in Input) ([]action.Action, error) {
	ga, err := in.Facts.Guest.Additions.Get()
	if err != nil {
		return nil, err
	}
	if v, err := assess.InstalledVersion(in.Facts); err == nil && ga.Setup != "" && v.Major() >= 7 && !held(in) {
		return []action.Action{action.Job{Name: "reload the Guest Additions' modules", Lib: lib, Script: "run " + shell.Quote(ga.Setup) + " reload\n",
			Timeout: 10 * time.Minute, Judge: true, Stays: "the modules in memory are those of the installed Guest Additions"}}, nil
	}
	if in.NoReboot {
		return nil, nil
	}
	return []action.Action{action.Reboot{}}, nil
}

// held tells whether something other than vboxsf and vboxvideo's own user keeps the module in memory (row M4).
func held(in Input) bool {
	m := in.Facts.Guest.Modules.Or(facts.Modules{})
	return m.Video.Loaded && m.Video.RefCnt > 0
}

var _ = register(Fix{
	ID: "modules.load", Title: "Load vboxguest and vboxsf", Impact: RestartsService,
	Clears: []string{"modules.loaded"},
	After:  []string{"additions.install", "additions.rebuild", "modules.reload"},
	Rows:   []string{"M7", "M8"},
	Why:    "The modules are built and not in memory; vboxsf also goes into /etc/modules-load.d where the guest has it, because some images load only vboxguest.",
	Plan:   planLoad,
})

const loadScript = `run modprobe vboxguest
run modprobe vboxsf
if [ -d /etc/modules-load.d ] && [ ! -e /etc/modules-load.d/vboxsf.conf ]; then
	echo vboxsf >/etc/modules-load.d/vboxsf.conf
fi
`

func planLoad(in Input) ([]action.Action, error) {
	tree, err := assess.RunningTree(in.Facts)
	if err != nil {
		return nil, err
	}
	_, guest := assess.HasModule(tree, "vboxguest")
	_, sf := assess.HasModule(tree, "vboxsf")
	if !guest || !sf {
		return nil, nil
	}
	if sys, err := in.Facts.Guest.System.Get(); err == nil && !sys.PCIDevice {
		return nil, errors.New("vboxguest loads only where VirtualBox's device is (PCI 80ee:cafe), and this machine has none: run the guest in VirtualBox (modules.device)")
	}
	return []action.Action{action.Job{Name: "load the modules", Lib: lib, Script: loadScript, Timeout: time.Minute,
		Undo: "sudo rm -f /etc/modules-load.d/vboxsf.conf", Changed: action.Names("/etc/modules-load.d/vboxsf.conf"),
		Stays: "vboxguest and vboxsf stay in memory until the next restart"}}, nil
}

var _ = register(Fix{
	ID: "additions.services", Title: "Start the Guest Additions' services", Impact: RestartsService,
	Clears: []string{"additions.services"},
	After:  []string{"additions.install", "additions.rebuild", "modules.load", "modules.reload"},
	Rows:   []string{"M6", "M10", "H6"},
	Why:    "VBoxService reports the Guest Additions to the host and keeps the clock.",
	Plan:   planServices,
})

// servicesScript knows Oracle's units, Debian's and Arch's.
const servicesScript = `for unit in vboxadd vboxadd-service virtualbox-guest-utils vboxservice; do
	if command -v systemctl >/dev/null 2>&1 && [ -d /run/systemd/system ]; then
		if systemctl cat "$unit.service" >/dev/null 2>&1; then
			run systemctl restart "$unit.service"
		fi
	elif [ -x "/etc/init.d/$unit" ]; then
		run "/etc/init.d/$unit" start
	fi
done
`

func planServices(in Input) ([]action.Action, error) {
	s, err := in.Facts.Guest.Services.Get()
	if err != nil || s.VBoxServiceRuns {
		return nil, err
	}
	m := in.Facts.Guest.Modules.Or(facts.Modules{})
	for _, u := range s.Units {
		if u.Exists && m.Guest.Loaded {
			return []action.Action{action.Job{Name: "start the Guest Additions' services", Lib: lib, Script: servicesScript, Timeout: 6 * time.Minute,
				Undo: "sudo systemctl stop vboxadd-service"}}, nil
		}
	}
	return nil, nil
}

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
	Clears: []string{"mount.shares", "mount.writable"},
	After:  []string{"additions.install", "additions.rebuild", "modules.load", "modules.reload", "mount.helper", "additions.services"},
	Rows:   []string{"V1", "V2", "V9", "V10", "V14"},
	Why:    "Mounts every synced folder as Vagrant does (uid, gid, _netdev, -cit for the kernel's own vboxsf), and proves it by writing and deleting one file as its owner.",
	Plan:   planMounts,
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
		out = append(out, action.Job{Name: "mount " + w.Name + " on " + w.GuestPath, Script: mountShare, Timeout: 2 * time.Minute,
			Args: []string{w.Name, w.GuestPath, owner, group, strings.Join(plainOptions(w.Options), ",")},
			Undo: "sudo umount " + shell.Quote(w.GuestPath), Changed: mountChanges(w.GuestPath)})
	}
	return out, nil
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
