package fixes

import (
	_ "embed" // the scripts
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/shell"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

// buildTimeout is how long a build of the modules may take: six minutes were seen under emulation, and an
// initramfs as long again.
const buildTimeout = 40 * time.Minute

var _ = register(Fix{
	ID: "additions.install", Title: "Install the Guest Additions of the host's VirtualBox", Impact: RestartsService,
	Clears: []string{"additions.installed", "additions.version", "modules.built", "modules.origin", "mount.helper", "kernel.next_boot"},
	After:  []string{"space.package_cache", "repositories.archive", "repositories.refresh", "kernel.devel", "kernel.reboot", "kernel.fitting", "tools.install", "tools.kernel_compiler", "additions.remove_packages", "additions.leftovers"},
	Rows:   []string{"H3", "S3", "S5", "S6", "S9", "S10", "V1", "V4", "K3", "M4"},
	Why: "The ISO of the host's VirtualBox goes up by SFTP into a root-only folder, is hashed again there, mounted read-only on a private folder (where the " +
		"guest cannot mount it, the installer is cut out of it) and run with --nox11, in a /tmp of its own where the guest's is too small or forbids programs. " +
		"Its exit status proves nothing and is not believed: what counts is what is observed afterwards.",
	Plan: planInstall,
})

func planInstall(in Input) ([]action.Action, error) {
	if err := canBuild(in); err != nil {
		return nil, err
	}
	host, _, err := assess.HostVersion(in.Facts)
	if err != nil {
		return nil, err
	}
	installed, err := assess.InstalledVersion(in.Facts)
	if err != nil && !errors.Is(err, assess.ErrNoAdditions) {
		return nil, err
	}
	if err == nil && installed.Compare(host) > 0 && !in.Downgrade {
		return nil, nil
	}
	if err := notBroken(in, host); err != nil {
		return nil, err
	}
	if err := notInUse(in.Facts); err != nil {
		return nil, err
	}
	if err := fitting(in.ISO, host.Number); err != nil {
		return nil, err
	}
	ownTmp, err := roomToBuild(in.Facts)
	if err != nil {
		return nil, err
	}
	return installFrom(in, ownTmp), nil
}

// notInUse refuses to install over Guest Additions whose shares somebody uses: the installer removes the old ones first,
// cannot unmount the share and ends with "Failed to remove existing installation" (rows M4, S3).
func notInUse(f *facts.Facts) error {
	m, ga := f.Guest.Mounts.Or(facts.Mounts{}), f.Guest.Additions.Or(facts.Additions{})
	used := assess.InUse(m)
	if used == "" || ga.InstallDir == "" {
		return nil
	}
	return fmt.Errorf("%s: the installer has to unmount it before it can remove the old Guest Additions, and would stop half-way. "+
		"End that or leave the folder, then run boxdoctor fix again; who it is: ps -fp %s", used, shell.Quote(m.Holders[0].PID))
}

// notBroken refuses a build that is known to fail: what is there may be better than what would be left. In hope, another
// kernel or another version is on its way.
func notBroken(in Input, v version.VBox) error {
	k := in.Facts.Guest.Kernel.Or(facts.Kernel{})
	b := assess.BuildOf(in.Facts, v, k.Running)
	if in.Hopeful || b.State != assess.Breaks || (in.NoReboot && assess.NextBuildable(k) != "") {
		return nil
	}
	return fmt.Errorf("the Guest Additions %s are known not to build on the running kernel %s (%s: %s), so nothing is installed; additions.kernel names the ways out", v.Number, k.Running, b.Module, b.Says)
}

// roomToBuild says whether the build needs a /tmp of its own, or that there is no room at all. The build has
// /tmp/vbox.0 written into it; a tmpfs that is full or noexec (rows S6, S10) can be gone around, a full disk
// cannot.
func roomToBuild(f *facts.Facts) (ownTmp bool, err error) {
	list, err := f.Guest.Space.Get()
	if err != nil {
		return false, err
	}
	for _, s := range list {
		short := s.TotalKB > 0 && s.FreeKB < assess.RoomNeeded(s.Path)
		switch {
		case s.Path == "/tmp" && s.Mount == "/tmp" && (short || s.NoExec):
			ownTmp = true
		case short && s.Path != "/boot":
			return false, fmt.Errorf("%s of the guest has %d MiB left and an installation needs %d MiB: make room first (sudo du -xh --max-depth=1 %s)",
				s.Path, s.FreeKB>>10, assess.RoomNeeded(s.Path)>>10, s.Mount)
		}
	}
	return ownTmp, nil
}

// fitting refuses every image but that of the host's version (row S5: host 4.3.30, installed 4.2.4).
func fitting(iso facts.ISO, version string) error {
	switch {
	case iso.Path == "":
		return fmt.Errorf("there is no Guest Additions ISO of version %s on this host. Give one with --iso FILE, install your distribution's package "+
			"virtualbox-guest-additions-iso, or let boxdoctor download it with --download", version)
	case iso.Version != version:
		return fmt.Errorf("the ISO %s holds Guest Additions %s, but the host's VirtualBox is %s: another version is never installed. Give the right one with --iso FILE",
			iso.Path, iso.Version, version)
	}
	return nil
}

// canBuild says why the installer would find nothing to build against; it is better not to touch what is there.
func canBuild(in Input) error {
	k, err := in.Facts.Guest.Kernel.Get()
	if err != nil {
		return err
	}
	if in.Hopeful || assess.HasHeaders(assess.Tree(k, k.Running)) || (in.NoReboot && assess.NextBuildable(k) != "") {
		return nil
	}
	return fmt.Errorf("no module can be built for the running kernel %s before its kernel-devel is installed, so the Guest Additions are left as they are", k.Running)
}

func installFrom(in Input, ownTmp bool) []action.Action {
	k := in.Facts.Guest.Kernel.Or(facts.Kernel{})
	home := runHome(in)
	remote := home + "/VBoxGuestAdditions_" + in.ISO.Version + ".iso"
	old := in.Facts.Guest.Additions.Or(facts.Additions{}).ConfigVersion
	return []action.Action{
		action.Upload{Local: in.ISO.Path, Remote: remote, SHA256: in.ISO.SHA256, Size: in.ISO.Size},
		action.Job{Name: "install Guest Additions " + in.ISO.Version, Lib: lib, Script: additionsInstall,
			Args: []string{remote, in.ISO.SHA256, in.ISO.Version, assess.NextBuildable(k), home, yesNo(ownTmp), buildCompiler(in),
				strconv.FormatInt(in.ISO.InstallerAt, 10), strconv.FormatInt(in.ISO.InstallerSize, 10)}, Timeout: buildTimeout, Undo: undoInstall(old)},
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func undoInstall(old string) string {
	if old == "" {
		return "sudo /opt/VBoxGuestAdditions-*/uninstall.sh"
	}
	return "install Guest Additions " + old + " again from their ISO"
}

var _ = register(Fix{
	ID: "additions.rebuild", Title: "Build the modules of the installed Guest Additions", Impact: RestartsService,
	Clears: []string{"modules.built", "modules.origin"},
	After:  []string{"space.package_cache", "additions.install", "kernel.devel", "kernel.reboot", "kernel.fitting", "tools.install", "tools.kernel_compiler"},
	Rows:   []string{"K3", "K8", "S15"},
	Why:    "The right Guest Additions are installed and only their modules are missing for the running kernel: rcvboxadd setup builds them.",
	Plan:   planRebuild,
})

func planRebuild(in Input) ([]action.Action, error) {
	installed, err := assess.InstalledVersion(in.Facts)
	if err != nil {
		return nil, nil //nolint:nilerr // nothing installed: additions.install does the whole
	}
	host, _, herr := assess.HostVersion(in.Facts)
	if herr == nil && !installed.SameSeries(host) && installed.Compare(host) < 0 {
		return nil, nil
	}
	k, err := in.Facts.Guest.Kernel.Get()
	if err != nil {
		return nil, err
	}
	ga := in.Facts.Guest.Additions.Or(facts.Additions{})
	if ga.Setup == "" {
		return nil, fmt.Errorf("these Guest Additions (%s) have no rcvboxadd to build with (row S13): they come from a package; update that package, or "+
			"let boxdoctor remove it first (--only additions.remove_packages)", installed.Number)
	}
	if !assess.HasHeaders(assess.Tree(k, k.Running)) && !in.Hopeful {
		if assess.NextBuildable(k) != "" {
			return nil, nil // the next boot's kernel is the one to build for
		}
		return nil, fmt.Errorf("nothing can be built for kernel %s before its kernel-devel is installed", k.Running)
	}
	if err := notBroken(in, installed); err != nil {
		return nil, err
	}
	return buildJob(in, "build the Guest Additions' modules", ga.Setup, k.Running, "setup")
}

// buildScript builds modules with an installed rcvboxadd. $1 yes or no for a /tmp of its own, $2 this run's
// folder, $3 the kernel, $4 a compiler to use instead of the guest's gcc or nothing, the rest is the command. Its exit status proves nothing.
const buildScript = `own_tmp=$1
home=$2
kernel=$3
name=$4
shift 4
trap 'rm -rf "$home"' EXIT
mkdir -p "$home/tmp"
chmod 0700 "$home"
use_compiler "$name" "$home/cc"
wait_start
echo "+ $*"
with_tmp "$own_tmp" "$home/tmp" "$@"
echo "boxdoctor: ended with status $? (this proves nothing)"
depmod -a "$kernel"
`

func buildJob(in Input, name, setup, kernel string, args ...string) ([]action.Action, error) {
	ownTmp, err := roomToBuild(in.Facts)
	if err != nil {
		return nil, err
	}
	return []action.Action{action.Job{Name: name, Lib: lib, Script: buildScript, Timeout: buildTimeout, Judge: true,
		Args:  append([]string{yesNo(ownTmp), runHome(in), kernel, buildCompiler(in), setup}, args...),
		Stays: "the modules that were built lie below /lib/modules/" + kernel + "/misc"}}, nil
}

var _ = register(Fix{
	ID: "additions.next_kernel", Title: "Build the modules for the kernel that boots next", Impact: ChangesPackages,
	Clears: []string{"kernel.next_boot"},
	After:  []string{"additions.install", "additions.rebuild", "kernel.devel", "kernel.fitting", "tools.install", "tools.kernel_compiler"},
	Rows:   []string{"K3", "K10"},
	Why: "rcvboxadd quicksetup KERNEL builds without loading, so that the next `vagrant reload` finds its modules; the kernel-devel of that kernel is " +
		"installed first when it is missing. When the installed Guest Additions are known not to build for that kernel, the kernel that runs and works is made " +
		"the default instead.",
	Plan: planNextKernel,
})

func planNextKernel(in Input) ([]action.Action, error) {
	k, err := in.Facts.Guest.Kernel.Get()
	if err != nil {
		return nil, err
	}
	ga, err := in.Facts.Guest.Additions.Get()
	if err != nil || ga.Setup == "" {
		return nil, err
	}
	next := k.Default
	if next == "" || next == k.Running {
		next = assess.NextBuildable(k)
	}
	if next == "" {
		return nil, nil
	}
	switch n := assess.NextBootOf(in.Facts, next); n.State {
	case assess.NextReady:
		return nil, nil
	case assess.NextBreaks:
		return stayHere(k, n)
	case assess.NextHopeless:
		return nil, fmt.Errorf("%s boots next, and %s", next, n)
	}
	if err := knowsQuicksetup(in, next); err != nil {
		return nil, err
	}
	devel, err := develFor(in, k, next)
	if err != nil {
		return nil, err
	}
	job, err := buildJob(in, "build the modules for "+next, ga.Setup, next, "quicksetup", next)
	return append(devel, job...), err
}

// stayHere keeps the kernel that works as the default: the next one would leave the guest without shares.
func stayHere(k facts.Kernel, n assess.NextBoot) ([]action.Action, error) {
	if !assess.OracleModules(assess.Tree(k, k.Running)) {
		return nil, fmt.Errorf("%s boots next, and %s; the running kernel has no modules either", k.Default, n)
	}
	return []action.Action{bootDefaultJob(k.Running, k.Default)}, nil
}

// knowsQuicksetup: before 6.0 rcvboxadd builds for no kernel but the running one.
func knowsQuicksetup(in Input, next string) error {
	v, err := assess.InstalledVersion(in.Facts)
	if err != nil || v.Major() >= 6 {
		return err
	}
	return fmt.Errorf("the Guest Additions %s can build only for the running kernel: restart into %s and run boxdoctor fix again then", v.Number, next)
}

var _ = register(Fix{
	ID: "additions.remove_packages", Title: "Remove the distribution's Guest Additions packages", Impact: ChangesPackages,
	Clears: []string{"additions.distro_packages"},
	After:  []string{"locks.restore", "kernel.devel", "kernel.reboot", "tools.install", "repositories.archive", "repositories.refresh"},
	Rows:   []string{"S1", "S4", "S13", "V15"},
	Why:    "They and Oracle's installer overwrite each other's files, and the installer asks a question that nobody answers.",
	Plan:   planRemovePackages,
})

func planRemovePackages(in Input) ([]action.Action, error) {
	pk := assess.DistroPackages(in.Facts)
	if len(pk) == 0 {
		return planDKMS(in)
	}
	if err := replaceable(in); err != nil {
		return nil, fmt.Errorf("the distribution's packages are removed only when they can be replaced: %w", err)
	}
	var names []string
	for _, p := range pk {
		names = append(names, p.Name)
	}
	tr := transaction{in: in, name: "remove " + strings.Join(names, " ")}
	tr.commands = [][]string{append(slices.Clone(packageManager(in).Remove), names...)}
	return tr.actions(), nil
}

//go:embed scripts/remove_dkms.sh
var removeDKMS string

// planDKMS takes modules that no package owns any more out of DKMS (row S4), where Oracle's are built beside them.
func planDKMS(in Input) ([]action.Action, error) {
	ga, err := in.Facts.Guest.Additions.Get()
	if err != nil || !assess.Oracle(ga) || len(in.Facts.Guest.Packages.Or(facts.Packages{}).DKMS) == 0 {
		return nil, err
	}
	aside := action.BackupRoot + "/" + in.RunID
	return []action.Action{action.Job{Name: "take the modules out of DKMS", Lib: lib, Script: removeDKMS, Args: []string{aside}, Timeout: 5 * time.Minute,
		Undo: "sudo cp -pR " + aside + "/var/lib/dkms/. /var/lib/dkms/ && sudo dkms autoinstall"}}, nil
}

// replaceable says why what is installed could not be replaced by the host's Guest Additions: taking it away would
// then leave the guest with less than it has.
func replaceable(in Input) error {
	host, _, err := assess.HostVersion(in.Facts)
	if err != nil {
		return err
	}
	if err := fitting(in.ISO, host.Number); err != nil {
		return err
	}
	return canBuild(in)
}

var _ = register(Fix{
	ID: "additions.leftovers", Title: "Move leftovers of earlier installations aside", Impact: Harmless,
	Clears: []string{"additions.leftovers"},
	After:  []string{"kernel.devel", "kernel.reboot", "tools.install"},
	Rows:   []string{"S2", "S3", "T2"},
	Why:    "Half installations keep the installer from working. They are moved into the backup folder, not deleted.",
	Plan:   planLeftovers,
})

func planLeftovers(in Input) ([]action.Action, error) {
	ga, err := in.Facts.Guest.Additions.Get()
	if err != nil {
		return nil, err
	}
	dirs := assess.StrayDirs(ga)
	if ga.HasConfig && !ga.HasFilelist {
		if err := replaceable(in); err != nil {
			return nil, fmt.Errorf("the installation without a list of files is moved aside only when it can be replaced: %w", err)
		}
		dirs = append(dirs, "/var/lib/VBoxGuestAdditions")
		if ga.InstallDir != "" {
			dirs = append(dirs, ga.InstallDir)
		}
	}
	if len(dirs) == 0 {
		return nil, nil
	}
	aside := action.BackupRoot + "/" + in.RunID
	script := "aside=$1\nshift\nfor dir in \"$@\"; do\n\tif [ -e \"$dir\" ]; then\n\t\tmkdir -p \"$aside$(dirname \"$dir\")\"\n\t\trun mv \"$dir\" \"$aside$dir\"\n\tfi\ndone\n"
	return []action.Action{action.Job{Name: "move leftovers aside", Lib: lib, Script: script, Args: append([]string{aside}, dirs...),
		Timeout: 2 * time.Minute, Undo: "move the folders back from " + aside}}, nil
}
