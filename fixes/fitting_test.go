package fixes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// breaking is a kernel on which Guest Additions 7.2.8 do not build (row 1.7.8).
const breaking = "5.14.0-687.10.1.el9_8.x86_64"

// runs makes the machine run a kernel with headers and without modules; the one before stays installed.
func runs(release string) func(*facts.Facts) {
	return func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.System, func(s *facts.System) { s.KernelRelease = release })
		assesstest.Edit(&f.Guest.Kernel, func(k *facts.Kernel) {
			k.Running, k.Default = release, release
			k.BootImages, k.Trees = append(k.BootImages, release), append(k.Trees, assesstest.Tree(release, true))
			k.Trees[0].Misc = nil
		})
		assesstest.Unloaded(f)
	}
}

// nextBoots installs a kernel that boots next, without modules.
func nextBoots(release string, headers bool) func(*facts.Facts) {
	return func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Kernel, func(k *facts.Kernel) {
			k.Default, k.BootImages = release, append(k.BootImages, release)
			k.Trees = append(k.Trees, assesstest.Tree(release, headers))
		})
	}
}

func host(v string) func(*facts.Facts) { return func(f *facts.Facts) { assesstest.OldHost(f, v) } }

func iso(v string) func(*Input) {
	return func(in *Input) {
		in.ISO.Version, in.ISO.Path = v, "/home/me/VBoxGuestAdditions_"+v+".iso"
		assesstest.Edit(&in.Facts.Host.AdditionsISO, func(i *facts.ISO) { i.Version = v })
	}
}

func noReboot(in *Input) { in.NoReboot = true }

func noHeadersOfTheOld(f *facts.Facts) {
	assesstest.Edit(&f.Guest.Kernel, func(k *facts.Kernel) { k.Trees[0].Headers, k.Trees[0].BuildOK = false, false })
	assesstest.Offer(f, nil, []string{rockyRun})
}

func oneKernel(f *facts.Facts) {
	assesstest.Edit(&f.Guest.Kernel, func(k *facts.Kernel) { k.BootImages = k.BootImages[1:] })
}

var kernelSituations = []situation{
	{"pair-breaks-older-kernel", assesstest.Rocky9, on(runs(breaking), host("7.2.8")), same, "kernel.fitting additions.install"},
	{"pair-breaks-older-kernel-without-headers", assesstest.Rocky9, on(runs(breaking), host("7.2.8"), noHeadersOfTheOld), same, "kernel.fitting"},
	{"pair-breaks-debian", assesstest.Debian12, on(runs("6.1.0-28-amd64"), host("7.1.4"), brokenBefore), same, "kernel.fitting additions.install"},
	{"pair-breaks-other-version-at-hand", assesstest.Rocky9, on(runs(breaking), host("7.2.8")), iso("7.2.10"), "kernel.fitting additions.install kernel.devel"},
	{"pair-breaks-no-other-kernel", assesstest.Rocky9, on(runs(breaking), host("7.2.8"), oneKernel), same, "kernel.fitting additions.install additions.rebuild"},
	{"pair-breaks-no-way", assesstest.Rocky9, on(runs("5.14.0-687.24.1.el9_8.x86_64"), host("7.2.12"), oneKernel), same, "kernel.fitting"},
	{"pair-breaks-no-reboot", assesstest.Rocky9, on(runs(breaking), host("7.2.8")), noReboot, "kernel.fitting"},
	{"pair-breaks-in-hope", assesstest.Rocky9, on(runs(breaking), host("7.2.8")), hopeful, "additions.install"},
	{"new-kernel-that-breaks-is-not-chosen", assesstest.Rocky9, on(assesstest.NoHeaders, host("7.2.8"), offers([]string{rockyNext, breaking}, []string{rockyNext, breaking})), same, "kernel.devel"},
	{"reload-held-by-a-shell", assesstest.CentOS7, heldByShell, same, "modules.reload"},
	{"reload-held-by-a-shell-no-reboot", assesstest.CentOS7, heldByShell, noReboot, "modules.reload"},
	{"next-kernel-buildable", assesstest.Rocky9, nextBoots(rockyNext, true), same, "additions.next_kernel"},
	{"next-kernel-needs-devel", assesstest.Rocky9, on(nextBoots(rockyNext, false), offers(nil, []string{rockyNext}),
		listed(facts.LockDNF, dnfList, "kernel-devel-0:5.14.0-427.13.1.el9_4.*\n")), same, "additions.next_kernel"},
	{"next-kernel-devel-nowhere", assesstest.Rocky9, nextBoots(rockyNext, false), same, "additions.next_kernel"},
	{"next-kernel-breaks", assesstest.Rocky9, nextBoots(breaking, true), same, "additions.next_kernel"},
	{"next-kernel-old-additions", assesstest.CentOS7, on(nextBoots("3.10.0-1160.120.1.el7.x86_64", true), additions(func(a *facts.Additions) { a.ConfigVersion = "5.2.44" })), same, "additions.next_kernel"},
}

// heldByShell: old modules in memory, and a shell in a share.
func heldByShell(f *facts.Facts) {
	assesstest.Edit(&f.Guest.Modules, func(m *facts.Modules) {
		m.Guest.Running, m.Users = "7.0.14 r161095", []facts.ModuleUser{{PID: 4711, Name: "bash", Path: "/vagrant"}}
	})
}

// brokenBefore is a log that says that 7.1.4 did not compile on the running kernel.
func brokenBefore(f *facts.Facts) {
	f.Guest.GALog = facts.Known(facts.GALog{Path: "/var/log/vboxadd-setup.log", Text: "Building the main Guest Additions 7.1.4 r165100 module for kernel 6.1.0-28-amd64.\n" +
		"Error building the module.  Build output follows.\n/tmp/vbox.0/r0drv/linux/timer-r0drv-linux.c:754:37: error: x\n"})
}

// debianGrub is a synthetic grub.cfg of Debian: the first kernel as entry of its own, all of them in a submenu.
const debianGrub = `menuentry 'Debian GNU/Linux' --class debian $menuentry_id_option 'gnulinux-simple-0a1b' {
	linux	/boot/vmlinuz-6.1.0-28-amd64 root=UUID=0a1b ro quiet
}
submenu 'Advanced options for Debian GNU/Linux' $menuentry_id_option 'gnulinux-advanced-0a1b' {
	menuentry 'Debian GNU/Linux, with Linux 6.1.0-28-amd64' --class debian $menuentry_id_option 'gnulinux-6.1.0-28-amd64-advanced-0a1b' {
	}
	menuentry 'Debian GNU/Linux, with Linux 6.1.0-21-amd64 (recovery mode)' --class debian $menuentry_id_option 'gnulinux-6.1.0-21-amd64-recovery-0a1b' {
	}
	menuentry 'Debian GNU/Linux, with Linux 6.1.0-21-amd64' --class debian $menuentry_id_option 'gnulinux-6.1.0-21-amd64-advanced-0a1b' {
	}
}
`

// The boot loader's own files are named by the script, so that a test gives it a folder of its own in their place.
func (c *cell) bootDefault(release string) (int, string) {
	root := filepath.Join(c.dir, "root")
	script := strings.NewReplacer("/boot/", root+"/boot/", "/lib/modules/", root+"/lib/modules/", "/etc/default/", root+"/etc/default/").Replace(bootDefault)
	return c.run("set -- " + release + "\n" + script)
}

func (c *cell) bootFolder(grubDropIns bool, defaults string) string {
	root := filepath.Join(c.dir, "root")
	for _, d := range []string{"boot/grub", "etc/default"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			c.t.Fatal(err)
		}
	}
	if grubDropIns {
		if err := os.Mkdir(filepath.Join(root, "etc/default/grub.d"), 0o755); err != nil {
			c.t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"boot/grub/grub.cfg": debianGrub, "boot/vmlinuz-6.1.0-21-amd64": "", "etc/default/grub": defaults} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			c.t.Fatal(err)
		}
	}
	return root
}

func TestBootDefaultOnDebian(t *testing.T) {
	inCells(t, func(c *cell) {
		root := c.bootFolder(true, "GRUB_DEFAULT=0\n")
		c.tool("update-grub", `echo updated`)
		for range 2 { // safe to run twice
			if code, out := c.bootDefault("6.1.0-21-amd64"); code != 0 || !strings.Contains(out, "updated") {
				t.Fatalf("%d: %s", code, out)
			}
			got, err := os.ReadFile(filepath.Join(root, "etc/default/grub.d/90-boxdoctor.cfg"))
			if err != nil || !strings.Contains(string(got), `GRUB_DEFAULT="gnulinux-advanced-0a1b>gnulinux-6.1.0-21-amd64-advanced-0a1b"`) {
				t.Errorf("%s %v", got, err)
			}
		}
		if code, out := c.bootDefault("6.1.0-9-amd64"); code == 0 || !strings.Contains(out, "not in /boot") && !strings.Contains(out, "is not in") {
			t.Errorf("a kernel that is gone: %d %s", code, out)
		}
	})
}

func TestBootDefaultByGrubby(t *testing.T) {
	inCells(t, func(c *cell) {
		root := c.bootFolder(true, "")
		c.tool("grubby", `echo "grubby $*"`)
		if code, out := c.bootDefault("6.1.0-21-amd64"); code != 0 || !strings.Contains(out, "grubby --set-default "+root+"/boot/vmlinuz-6.1.0-21-amd64") {
			t.Errorf("%d: %s", code, out)
		}
	})
}

// grub2-set-default writes an entry that GRUB reads only when it was told to.
func TestBootDefaultBySavedEntry(t *testing.T) {
	inCells(t, func(c *cell) {
		c.bootFolder(false, "GRUB_DEFAULT=saved\n")
		c.tool("grub2-set-default", `echo "set $*"`)
		if code, out := c.bootDefault("6.1.0-21-amd64"); code != 0 || !strings.Contains(out, "set gnulinux-advanced-0a1b>gnulinux-6.1.0-21-amd64-advanced-0a1b") {
			t.Errorf("%d: %s", code, out)
		}
		if err := os.WriteFile(filepath.Join(c.dir, "root/etc/default/grub"), []byte("GRUB_DEFAULT=0\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if code, out := c.bootDefault("6.1.0-21-amd64"); code == 0 || !strings.Contains(out, "would have no effect") {
			t.Errorf("%d: %s", code, out)
		}
	})
}
