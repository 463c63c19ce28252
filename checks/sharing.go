package checks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

// sharesOf hands the mounts and the wanted folders to a check about them; without a folder there is nothing to judge.
func sharesOf(judge func(*facts.Facts, facts.Mounts, []facts.SyncedFolder) finding.Verdict) func(*facts.Facts) finding.Verdict {
	return func(f *facts.Facts) finding.Verdict {
		m, err := f.Guest.Mounts.Get()
		if err != nil {
			return finding.Cannot(err)
		}
		folders := assess.WantedMounts(f, m)
		if len(folders) == 0 {
			return finding.Skipf("no synced folder of type virtualbox is recorded for this machine")
		}
		return judge(f, m, folders)
	}
}

var mountNeeds = []facts.Key{facts.KeyMounts, facts.KeyModules, facts.KeyAdditions}

var _ = register(Check{
	ID: "mount.options", Title: "The mount options are those that vboxsf knows", Target: OnGuest, Severity: finding.Major,
	Rows: []string{"V12", "V13", "V14", "V20", "V22"}, Needs: mountNeeds, After: []string{reachable}, VirtualBoxOnly: true,
	Why: "Oracle's helper refuses an option that it does not know: ``unknown mount option `actimeo=2'``; so does the kernel's own vboxsf, with `Invalid argument`. " +
		"Options of NFS, ext4 or SELinux (context=…) mean nothing to vboxsf, and Guest Additions before 6.0 do not know _netdev.",
	Looks:  "mount_options of the synced folders and the vboxsf lines of /etc/fstab, against the options of the vboxsf that this guest has",
	Source: "guest-catalogue V12-V14, V20",
	Eval:   sharesOf(evalOptions),
})

func evalOptions(f *facts.Facts, m facts.Mounts, folders []facts.SyncedFolder) finding.Verdict {
	mods, err := f.Guest.Modules.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	for _, w := range slices.Concat(folders, fstabFolders(m)) {
		strange := assess.StrangeOptions(f, w.Options)
		if len(strange) == 0 {
			continue
		}
		v := finding.Failf("%s: the mount option %s is not known to %s", w.GuestPath, strings.Join(strange, ", "), sfWords(f, mods))
		if assess.MountedAt(m, w) {
			v = finding.Warnf("%s is mounted, but the next mount will fail: the option %s is not known to %s", w.GuestPath, strings.Join(strange, ", "), sfWords(f, mods))
		}
		return adviseOptions(v, mods, w, strange)
	}
	return finding.Passf("%d folders", len(folders))
}

// fstabFolders are the vboxsf lines of fstab, which Vagrant writes too.
func fstabFolders(m facts.Mounts) []facts.SyncedFolder {
	var out []facts.SyncedFolder
	for _, l := range m.FSTab {
		out = append(out, facts.SyncedFolder{Name: l.Source, GuestPath: l.Target, Options: l.Options})
	}
	return out
}

func sfWords(f *facts.Facts, mods facts.Modules) string {
	if assess.WhoseSF(mods) == assess.MainlineSF {
		return "the kernel's own vboxsf"
	}
	if ga, err := assess.InstalledVersion(f); err == nil {
		return "the mount helper of Guest Additions " + ga.Number
	}
	return "vboxsf"
}

// adviseOptions writes the Vagrantfile's line with what can be said to this vboxsf. A repair mounts the kernel's own with
// what means the same in its words; the Vagrantfile is the user's to change.
func adviseOptions(v finding.Verdict, mods facts.Modules, w facts.SyncedFolder, strange []string) finding.Verdict {
	keep := slices.DeleteFunc(slices.Clone(w.Options), func(o string) bool { return slices.Contains(strange, o) })
	if assess.WhoseSF(mods) == assess.MainlineSF {
		keep = assess.ForMainline(w.Options)
	}
	line := "leave mount_options out of the Vagrantfile for " + w.GuestPath
	if len(keep) > 0 {
		line = fmt.Sprintf(`in the Vagrantfile: mount_options: ["%s"]`, strings.Join(keep, `", "`))
	}
	v = v.Diff(strings.Join(keep, ","), strings.Join(w.Options, ",")).Advise(line, "")
	if slices.ContainsFunc(strange, func(o string) bool { return strings.Contains(o, "context") || strings.Contains(o, "_t") }) {
		v = v.Advise("vboxsf has no SELinux labels (all files are vmblock_t): allow the service by a boolean or a policy module, or share the folder by rsync or NFS", "")
	}
	return v
}

var _ = register(Check{
	ID: "mount.mainline", Title: "The kernel's own vboxsf is mounted in its own way", Target: OnGuest, Severity: finding.Major,
	Rows: []string{"V10", "V11"}, Needs: with(facts.KeyMounts, facts.KeyGALog), After: []string{reachable}, VirtualBoxOnly: true, Fix: sharesMounted,
	CausedBy: []string{"mount.defined", "modules.origin"},
	Why: "Kernels since 5.6 have a vboxsf of their own. A mount helper of Guest Additions does not fit it: `mount.vboxsf cannot be used with mainline vboxsf; " +
		"instead use: mount -cit vboxsf NAME MOUNTPOINT`, and an old one ends in `Invalid argument`. Vagrant since 2.1.1 tries the second form by itself.",
	Looks:  "modinfo -n vboxsf (below kernel/fs/vboxsf), /sbin/mount.vboxsf, the kernel's messages, what is mounted",
	Source: "guest-catalogue V10 (Vagrant #9709), V11",
	Eval:   sharesOf(evalMainline),
})

const oldBinaryData = "Old binary mount data not supported"

func evalMainline(f *facts.Facts, m facts.Mounts, folders []facts.SyncedFolder) finding.Verdict {
	mods, err := f.Guest.Modules.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	ga, err := f.Guest.Additions.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	i := slices.IndexFunc(folders, func(w facts.SyncedFolder) bool { return !assess.MountedAt(m, w) })
	switch {
	case assess.WhoseSF(mods) != assess.MainlineSF:
		return finding.Skipf("vboxsf here is not the kernel's own")
	case i < 0:
		return finding.Passf("the kernel's own vboxsf; %d folders are mounted", len(folders))
	case ga.Helper.Resolved == "":
		return finding.Passf("the kernel's own vboxsf, and no mount helper in its way")
	}
	w := folders[i]
	v := finding.Failf("the kernel's own vboxsf is used, and the mount helper %s cannot mount it", ga.Helper.Resolved)
	if strings.Contains(f.Guest.GALog.Or(facts.GALog{}).DMesg, oldBinaryData) {
		v = finding.Failf("the mount helper %s is too old for the kernel's own vboxsf (`%s`)", ga.Helper.Resolved, oldBinaryData).
			Advise("remove the old helper's Guest Additions, or install those of the host's version", "")
	}
	return v.Diff("mount -cit vboxsf", "mount -t vboxsf").
		Advise("mount it in the guest in the other form", "sudo mount -cit vboxsf -o uid=$(id -u),gid=$(id -g) "+shell.Join([]string{w.Name, w.GuestPath})).
		Advise("Vagrant does so by itself since 2.1.1", "vagrant --version")
}

var _ = register(Check{
	ID: "mount.sources", Title: "The mount helper and the module come from one source", Target: OnGuest, Severity: finding.Major,
	Rows: []string{"V15"}, Needs: mountNeeds, After: []string{reachable}, VirtualBoxOnly: true,
	CausedBy: []string{"modules.origin", "additions.distro_packages", "additions.version"},
	Why: "Oracle's mount helper and the distribution's module (such as 6.1.16_Ubuntu) do not always understand each other: the mount ends in `Invalid argument` although " +
		"both are there.",
	Looks:  "readlink -f /sbin/mount.vboxsf against modinfo -n and -F version vboxsf",
	Source: "guest-catalogue V15 (Vagrant #12500)",
	Eval:   evalSources,
})

func evalSources(f *facts.Facts) finding.Verdict {
	mods, err := f.Guest.Modules.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	ga, err := f.Guest.Additions.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	whose, helper := assess.WhoseSF(mods), ga.Helper.Resolved
	oracle := strings.HasPrefix(helper, "/opt/VBoxGuestAdditions")
	switch {
	case whose == "" || whose == assess.MainlineSF || helper == "":
		return finding.Skipf("there are not both a mount helper and a module of Guest Additions")
	case oracle == (whose == assess.OracleSF):
		return finding.Passf("%s and %s", helper, mods.SF.File)
	}
	text := "the mount helper %s is not of the same source as the module %s (%s)"
	v := finding.Failf(text, helper, mods.SF.File, mods.SF.Version)
	if m, err := f.Guest.Mounts.Get(); err == nil && len(m.VBoxSF) > 0 {
		v = finding.Warnf(text, helper, mods.SF.File, mods.SF.Version)
	}
	return v.Diff("one source", map[bool]string{true: "Oracle's helper, another module", false: "another helper, Oracle's module"}[oracle]).
		Advise("keep one: remove the distribution's virtualbox-guest packages and install the Guest Additions of the host's version, or the other way round", "")
}

var _ = register(Check{
	ID: "mount.point", Title: "Mount points can be mounted on", Target: OnGuest, Severity: finding.Major,
	Rows: []string{"V9"}, Needs: []facts.Key{facts.KeyMounts, facts.KeyAdditions}, After: []string{reachable}, VirtualBoxOnly: true, Fix: sharesMounted,
	Why: "A mount point that is stale, a link that leads nowhere or a file makes a mount fail with `Protocol error` or `No such file or directory`, often only " +
		"sometimes. A repair moves it aside, makes it anew and mounts.",
	Looks:  "each wanted guest path: is it a folder, and can it be read",
	Source: "guest-catalogue V9 (Vagrant #6169)",
	Eval:   sharesOf(evalPoint),
})

func evalPoint(_ *facts.Facts, m facts.Mounts, folders []facts.SyncedFolder) finding.Verdict {
	for i, w := range m.Wanted {
		if i < len(folders) && w.Stale != "" {
			v := finding.Failf("nothing can be mounted on %s: %s", w.GuestPath, w.Stale).Diff("a folder", w.Stale)
			if assess.MountedAt(m, folders[i]) {
				v = finding.Failf("the share is mounted on %s, and %s: the mount is stale", w.GuestPath, w.Stale).ByHand().
					Advise("unmount it in the guest and mount it again", "sudo umount -l "+shell.Quote(w.GuestPath))
			}
			return v
		}
	}
	return finding.Passf("%d folders", len(folders))
}

var _ = register(Check{
	ID: "mount.place", Title: "No synced folder hides a part of the system", Target: OnGuest, Severity: finding.Critical,
	Rows: []string{"V24"}, Needs: []facts.Key{facts.KeyMounts}, After: []string{reachable}, VirtualBoxOnly: true,
	Why: "A share that is mounted on /dev, /usr, /etc … hides what was there: sudo, sshd and the boot need it. One on /home hides the login user's SSH key, so that " +
		"Vagrant cannot log in any more.",
	Looks:  "the guest paths of the synced folders and of the vboxsf lines of /etc/fstab",
	Source: "guest-catalogue V24 (Vagrant #8683)",
	Eval:   sharesOf(evalPlace),
})

func evalPlace(f *facts.Facts, m facts.Mounts, folders []facts.SyncedFolder) finding.Verdict {
	const advice = "give the folder a path of its own in the Vagrantfile, such as /srv/project"
	all := slices.Concat(folders, fstabFolders(m))
	for _, w := range all {
		if assess.HidesSystem(w.GuestPath) {
			return finding.Failf("the share %s is to be mounted on %s, which the system needs itself", w.Name, w.GuestPath).Advise(advice, "")
		}
	}
	for _, w := range all {
		if assess.HidesHomes(w.GuestPath, f.Machine.User) {
			return finding.Warnf("the share %s is to be mounted on %s, where it hides what others keep there (SSH keys, installed software)", w.Name, w.GuestPath).Advise(advice, "")
		}
	}
	return finding.Passf("%d folders", len(folders))
}

var _ = register(Check{
	ID: "mount.group", Title: "The login user may enter automatically mounted shares", Target: OnGuest, Severity: finding.Minor,
	Rows: []string{"V17"}, Needs: []facts.Key{facts.KeyMounts}, After: []string{reachable}, VirtualBoxOnly: true, Fix: "mount.group",
	Why:    "Shares that VirtualBox mounts by itself (/media/sf_NAME) belong to root and the group vboxsf: `Permission denied` for everybody who is not in it.",
	Looks:  "vboxsf mounts named sf_*, id -nG of the login user, getent group vboxsf",
	Source: "guest-catalogue V17",
	Eval:   evalGroup,
})

func evalGroup(f *facts.Facts) finding.Verdict {
	m, err := f.Guest.Mounts.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	i := slices.IndexFunc(m.VBoxSF, func(mt facts.Mount) bool { return strings.Contains(mt.Target, "/sf_") })
	switch {
	case i < 0:
		return finding.Skipf("no share is mounted automatically")
	case slices.Contains(m.Groups, "vboxsf") || f.Machine.User == "root":
		return finding.Passf("%s is in the group vboxsf", f.Machine.User)
	}
	v := finding.Warnf("%s is mounted for the group vboxsf, which %s is not in", m.VBoxSF[i].Target, f.Machine.User).
		Likely("the group is how VirtualBox documents it; what this mount's options say was not tried").Diff("vboxsf", strings.Join(m.Groups, " "))
	if !m.ShareGroup {
		return v.ByHand().Advise("the group does not exist either: the setup of the Guest Additions makes it", "sudo rcvboxadd setup")
	}
	return v.Advise("add the user; it counts from the next login on", "sudo usermod -aG vboxsf "+shell.Quote(f.Machine.User))
}

var _ = register(Check{
	ID: "mount.symlinks", Title: "Symbolic links may be made in the shares", Target: OnGuest, Severity: finding.Minor,
	Rows: []string{"V18"}, Needs: []facts.Key{facts.KeyMounts}, After: []string{reachable}, VirtualBoxOnly: true,
	Why: "VirtualBox lets a guest make symbolic links in a share only when the VM allows it: `ln: … Read-only file system` or `EPROTO: protocol error, symlink` " +
		"otherwise, and npm install fails. Vagrant allows it by default; a Windows host needs the privilege besides.",
	Looks:  "the VM's extra data VBoxInternal2/SharedFoldersEnableSymlinksCreate/NAME in its settings file; a repair that mounts a share tries one",
	Source: "guest-catalogue V18 (Vagrant #713, npm #11275), 3.2",
	Eval:   sharesOf(evalSymlinks),
})

func evalSymlinks(f *facts.Facts, _ facts.Mounts, folders []facts.SyncedFolder) finding.Verdict {
	vm, err := f.Host.VM.Get()
	if err != nil || vm.Symlinks == nil {
		return finding.Skipf("the settings file of the VM was not read")
	}
	i := slices.IndexFunc(folders, func(w facts.SyncedFolder) bool { return !vm.Symlinks[w.Name] })
	if i < 0 {
		return windowsLinks(f, finding.Passf("%d folders", len(folders)))
	}
	name := folders[i].Name
	v := finding.Warnf("the guest may not make symbolic links in the share %s", name).
		Diff(`SharedFoldersEnableSymlinksCreate/`+name+` = 1`, "not set").
		Advise("allow it, where you trust the guest with the host's files", "VBoxManage setextradata "+shell.Join([]string{cmpOr(vm.UUID, f.Machine.UUID),
			"VBoxInternal2/SharedFoldersEnableSymlinksCreate/" + name, "1"}))
	return adviseRestart(windowsLinks(f, v), f, "and restart the VM").
		Advise("or install without links: npm install --no-bin-links", "")
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// windowsLinks adds what a Windows host needs besides.
func windowsLinks(f *facts.Facts, v finding.Verdict) finding.Verdict {
	if f.Host.OS != "windows" {
		return v
	}
	if v.Status == finding.Pass {
		v.Message += "; on Windows the links also need developer mode, or an administrator's shell for vagrant up"
		return v
	}
	return v.Advise("on a Windows host also switch developer mode on, or run vagrant up in an administrator's shell", "")
}

var _ = register(Check{
	ID: "mount.web", Title: "Web servers read shares in a way that works", Target: OnGuest, Severity: finding.Minor,
	Rows: []string{"V19", "V20"}, Needs: []facts.Key{facts.KeyMounts, facts.KeySecurity}, After: []string{reachable}, VirtualBoxOnly: true,
	Why: "sendfile over vboxsf gives old or corrupted static files (VirtualBox ticket 9069). With SELinux enforcing, a confined web server may not read vboxsf at all: " +
		"its files are vmblock_t and cannot be labelled (`chcon: … Operation not supported`).",
	Looks:  "installed web servers, `sendfile on` and `EnableSendfile on` in their configuration, SELinux",
	Source: "guest-catalogue V19, V20",
	Eval:   sharesOf(evalWeb),
})

func evalWeb(f *facts.Facts, m facts.Mounts, _ []facts.SyncedFolder) finding.Verdict {
	sec, err := f.Guest.Security.Get()
	switch {
	case len(m.WebServers) == 0:
		return finding.Skipf("no web server is installed")
	case len(m.Sendfile) > 0:
		return finding.Warnf("%s switches sendfile on: files of a share are served old or corrupted after a change", m.Sendfile[0]).
			Diff("sendfile off", "sendfile on").
			Advise("switch it off for what lies in a share (nginx: sendfile off; Apache: EnableSendfile off), and reload the server", "sudo grep -n -i sendfile "+shell.Quote(m.Sendfile[0]))
	case err != nil:
		return finding.Cannot(err)
	case sec.SELinux == "enforcing":
		return finding.Warnf("SELinux is enforcing, and %s may not read vboxsf, whose files cannot be labelled", m.WebServers[0]).
			Advise("see whether it was refused", "sudo ausearch -m avc -ts recent | grep vmblock_t").
			Advise("then allow it with a policy module, or share the folder by rsync or NFS: type: \"rsync\"", "sudo ausearch -m avc -ts recent | audit2allow -M vboxsf_web && sudo semodule -i vboxsf_web.pp")
	}
	return finding.Passf("%s", strings.Join(m.WebServers, ", "))
}

var _ = register(Check{
	ID: "mount.busy", Title: "Nothing keeps the shares busy that must be unmounted", Target: OnGuest, Severity: finding.Minor,
	Rows: []string{"M4"}, Needs: with(facts.KeyMounts), After: []string{reachable}, VirtualBoxOnly: true,
	Why: "New modules can only be loaded once the shares are unmounted: `unable to unmount shared folders, mount point(s) might be still in use`. Whoever has a shell " +
		"or a program in one keeps it busy, and a restart of the guest is needed then.",
	Looks:  "/proc/*/cwd, /proc/*/root and /proc/*/fd below the mounted shares (as root)",
	Source: "guest-catalogue M4, 2.7",
	Eval:   evalBusy,
})

func evalBusy(f *facts.Facts) finding.Verdict {
	m, err := f.Guest.Mounts.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	mods, err := f.Guest.Modules.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	switch {
	case len(m.VBoxSF) == 0:
		return finding.Skipf("no share is mounted")
	case mods.Guest.Running == mods.Guest.Version || mods.Guest.Running == "":
		return finding.Passf("no share has to be unmounted")
	case len(m.Holders) == 0:
		return finding.Passf("nobody uses them")
	}
	return finding.Warnf("%s", assess.InUse(m)).
		Advise("end it, or leave the folder, before boxdoctor fix: else the guest has to be restarted", "ps -fp "+shell.Quote(m.Holders[0].PID))
}
