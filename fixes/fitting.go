package fixes

import (
	_ "embed" // the script
	"fmt"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/packages"
	"github.com/boxdoctor/boxdoctor/internal/shell"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

//go:embed scripts/boot_default.sh
var bootDefault string

var _ = register(Fix{
	ID: "kernel.fitting", Title: "Bring Guest Additions and kernel together that fit", Impact: Reboots,
	Clears: []string{"additions.kernel"},
	After:  []string{"locks.restore", "repositories.archive", "repositories.refresh", "kernel.devel", "kernel.reboot", "tools.install"},
	Rows:   []string{"1.7.1", "1.7.2", "1.7.3", "1.7.4", "1.7.5", "1.7.6", "1.7.7", "1.7.8", "1.7.9", "1.7.10", "1.7.11", "1.7.12", "1.7.13"},
	Why: "The Guest Additions of the host's VirtualBox are known not to build on the running kernel. First choice: the version that is known to build there, " +
		"when its ISO is given with --iso; they are then newer than VirtualBox, which Vagrant notes and which is usually harmless. Else: an installed kernel " +
		"of the same kind on which the host's version builds becomes the default and is booted; the fixes of the newer kernel are then not in use. " +
		"The way back is one command, which the plan names.",
	Plan: planFitting,
})

func planFitting(in Input) ([]action.Action, error) {
	v, err := assess.WantedVersion(in.Facts)
	if err != nil {
		return nil, err
	}
	k, err := in.Facts.Guest.Kernel.Get()
	if err != nil {
		return nil, err
	}
	b := assess.BuildOf(in.Facts, v, k.Running)
	if b.State != assess.Breaks {
		return nil, nil
	}
	other, newer := assess.OtherVersion(in.Facts, b, k.Running)
	if newer && in.ISO.Path != "" && in.ISO.Version == other.Number {
		return planOtherVersion(in)
	}
	release, _, ok := assess.OtherKernel(in.Facts, v)
	if !ok {
		return nil, noFit(v, k.Running, b, other, newer)
	}
	return planOtherKernel(in, k, release)
}

func planOtherVersion(in Input) ([]action.Action, error) {
	if err := canBuild(in); err != nil {
		return nil, err
	}
	ownTmp, err := roomToBuild(in.Facts)
	if err != nil {
		return nil, err
	}
	return installFrom(in, ownTmp), nil
}

func noFit(v version.VBox, kernel string, b assess.Build, other version.VBox, newer bool) error {
	way := "Install an older kernel together with its kernel-devel, wait for newer Guest Additions, or use a synced folder of type rsync, nfs or smb"
	if newer {
		way = fmt.Sprintf("Guest Additions %s are said to build: get VBoxGuestAdditions_%s.iso from https://download.virtualbox.org/virtualbox/%s/ and give it with --iso FILE",
			other.Number, other.Number, other.Number)
	}
	return fmt.Errorf("the Guest Additions %s do not build on kernel %s (%s: %s), and no other kernel that could build them is installed. %s", v.Number, kernel, b.Module, b.Says, way)
}

// planOtherKernel installs the headers of an installed kernel when they are missing, makes it the default and boots it.
func planOtherKernel(in Input, k facts.Kernel, release string) ([]action.Action, error) {
	if in.NoReboot {
		return nil, fmt.Errorf("the way out is to boot the installed kernel %s, on which nothing is known against these Guest Additions: run boxdoctor fix without --no-reboot", release)
	}
	out, err := develFor(in, k, release)
	if err != nil {
		return nil, err
	}
	return append(out, bootDefaultJob(release, k.Running), action.Reboot{WantKernel: release, Timeout: 15 * time.Minute}), nil
}

// develFor is the transaction that installs the headers of one installed kernel; nothing when they are there.
func develFor(in Input, k facts.Kernel, release string) ([]action.Action, error) {
	names, err := assess.NamesFor(in.Facts, release)
	if err != nil {
		return nil, err
	}
	want := assess.Target{Release: release}.Packages(k, names)
	if len(want) == 0 {
		return nil, nil
	}
	blocks := assess.BlockingAny(in.Facts, want)
	tr := transaction{in: in, name: "install " + names.Devel, blocks: blocks, refresh: true,
		commands: [][]string{packageManager(in).Install(packages.Install{Names: want, LiftExcludes: hasExclude(blocks)})}}
	return tr.actions(), nil
}

// bootDefaultJob makes an installed kernel the default boot entry, by whatever the guest's boot loader understands.
func bootDefaultJob(release, before string) action.Action {
	undo := "sudo grubby --set-default " + shell.Quote("/boot/vmlinuz-"+before) + "   # Debian, Ubuntu: sudo rm /etc/default/grub.d/90-boxdoctor.cfg && sudo update-grub"
	return action.Job{Name: "make kernel " + release + " the default at boot", Lib: lib, Script: bootDefault, Args: []string{release}, Timeout: 3 * time.Minute, Undo: undo,
		Changed: action.Names("/etc/default/grub.d/90-boxdoctor.cfg"), Stays: "kernel " + release + " is the default at boot; the way back: " + undo}
}
