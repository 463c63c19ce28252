package checks

import (
	"fmt"
	"path"

	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/packages"
)

// fewInodes is too few for an installation of about 500 files and a kernel-devel tree of 20 000.
const fewInodes = 25_000

var _ = register(Check{
	ID: "space.free", Title: "There is room on the disks", Target: OnGuest, Severity: finding.Critical,
	Rows: []string{"S6", "S7", "S8"}, Needs: with(facts.KeySpace), After: []string{reachable}, Fix: "space.package_cache",
	Why:    "A full file system breaks `vagrant up` right after \"Mounting shared folders\" (Vagrant edits /etc/fstab), the upload of the ISO, the build, or the new initramfs in /boot.",
	Looks:  "df -Pk of / /boot /tmp /opt /usr /var",
	Source: "guest-catalogue S6-S8",
	Eval:   evalSpace,
})

func evalSpace(f *facts.Facts) finding.Verdict {
	list, err := f.Guest.Space.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	needed, err := assess.BuildNeeded(f)
	building := err == nil && needed
	out := finding.Passf("%d file systems", len(list))
	for _, s := range list {
		switch v, bad := judgeSpace(f, s, building); {
		case bad && v.Status == finding.Fail:
			return v
		case bad && out.Status == finding.Pass:
			out = v
		}
	}
	return out
}

// judgeSpace: a full disk fails always; too little for an installation fails only when one is due.
func judgeSpace(f *facts.Facts, s facts.Space, building bool) (finding.Verdict, bool) {
	want := assess.RoomNeeded(s.Path)
	switch {
	case want == 0 || s.TotalKB == 0:
		return finding.Verdict{}, false
	case s.ReadOnly && s.Path != "/boot" && (building || s.Path != "/usr"):
		return finding.Failf("%s is mounted read-only", s.Path).Diff("writable", "ro").
			Advise("look why in the guest", "sudo dmesg | grep -i -E 'remount|I/O error'"), true
	case s.FreeKB < 2<<10, building && s.FreeKB < want:
		if !building {
			want = 2 << 10
		}
		v := finding.Failf("%s has %s left", s.Path, mib(s.FreeKB))
		if s.Path == "/boot" && (!building || s.FreeKB > 10<<10) { // only a new initramfs or kernel goes there
			v = finding.Warnf("%s has %s left", s.Path, mib(s.FreeKB))
		}
		return v.Diff("at least "+mib(want), mib(s.FreeKB)).Advise(spaceAdvice(f, s)), true
	}
	return finding.Verdict{}, false
}

// spaceAdvice: /boot fills with old kernels, everything else with anything. Nobody's files are named for removal.
func spaceAdvice(f *facts.Facts, s facts.Space) (text, command string) {
	switch {
	case path.Clean(s.Path) == "/boot":
		m, _ := packages.Of(f.Guest.System.Or(facts.System{}).Manager)
		return "remove kernels that you do not need any more, never that of uname -r, in the guest", m.ExtraKernels
	case s.FS == "tmpfs" && s.TotalKB <= 4<<10 && path.Clean(s.Mount) == "/tmp":
		return "a tmpfs as small as this is mounted at boot because the disk was full then: make room on /, then take it away in the guest", "sudo umount /tmp"
	case s.FS == "tmpfs":
		return "see what fills it, in the guest; a restart empties a tmpfs", "ls -la " + s.Mount
	}
	return "see what fills it, in the guest", "sudo du -xh --max-depth=1 " + s.Mount
}

func mib(kb int64) string { return fmt.Sprintf("%d MiB", kb>>10) }

var _ = register(Check{
	ID: "space.inodes", Title: "There are inodes left", Target: OnGuest, Severity: finding.Major,
	Rows: []string{"S7"}, Needs: with(facts.KeySpace), After: []string{reachable},
	Why:    "A file system with room but without inodes says `No space left on device` all the same.",
	Looks:  "df -Pi of / /boot /tmp /opt /usr /var",
	Source: "guest-catalogue S7",
	Eval:   evalInodes,
})

func evalInodes(f *facts.Facts) finding.Verdict {
	list, err := f.Guest.Space.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	needed, err := assess.BuildNeeded(f)
	least := int64(100)
	if err == nil && needed {
		least = fewInodes
	}
	for _, s := range list {
		if s.FreeInodes >= 0 && s.FreeInodes < least && path.Clean(s.Path) != "/boot" && assess.RoomNeeded(s.Path) > 0 {
			return finding.Failf("%s has %d inodes left", s.Path, s.FreeInodes).Diff(fmt.Sprintf("at least %d", least), fmt.Sprint(s.FreeInodes)).
				Advise("see where the many files are, in the guest", "sudo find "+s.Mount+" -xdev -type d -size +100k")
		}
	}
	return finding.Passf("%d file systems", len(list))
}

var _ = register(Check{
	ID: "space.noexec", Title: "/tmp allows programs to run", Target: OnGuest, Severity: finding.Minor,
	Rows: []string{"S10"}, Needs: with(facts.KeySpace), After: []string{reachable}, VirtualBoxOnly: true,
	Why:    "The installer unpacks itself into /tmp and runs from there. boxdoctor gives it another folder; running it by hand fails.",
	Looks:  "the mount options of /tmp",
	Source: "guest-catalogue S10",
	Eval:   evalNoExec,
})

func evalNoExec(f *facts.Facts) finding.Verdict {
	list, err := f.Guest.Space.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	for _, s := range list {
		if path.Clean(s.Path) == "/tmp" && s.NoExec {
			return finding.Warnf("/tmp is mounted noexec").Diff("exec", "noexec").
				Advise("by hand, unpack elsewhere", "sudo TMPDIR=/var/tmp sh VBoxLinuxAdditions.run --target /var/tmp/ga")
		}
	}
	return finding.Passf("exec")
}
