package checks

import (
	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

func onKernel(change func(*facts.Kernel)) func(*facts.Facts) {
	return func(f *facts.Facts) { assesstest.Edit(&f.Guest.Kernel, change) }
}

func noKernel(f *facts.Facts) { assesstest.Forget(&f.Guest.Kernel) }

func noAdditions(f *facts.Facts) { assesstest.Forget(&f.Guest.Additions) }

// both runs several changes.
func both(changes ...func(*facts.Facts)) func(*facts.Facts) {
	return func(f *facts.Facts) {
		for _, c := range changes {
			c(f)
		}
	}
}

// newer installs a newer kernel that boots next, with headers and modules or without.
func newer(release string, headers bool, misc ...string) func(*facts.Facts) {
	return onKernel(func(k *facts.Kernel) {
		k.Default = release
		k.BootImages = append(k.BootImages, release)
		k.Trees = append(k.Trees, assesstest.Tree(release, headers, misc...))
	})
}

const rockyNext = "5.14.0-503.11.1.el9_5.x86_64"

var _ = rows("kernel.devel_missing",
	pass("headers are there", assesstest.Rocky9, as),
	pass("none, and none needed", assesstest.Rocky9, bare),
	pass("the kernel's own modules are in use", assesstest.Arch, as),
	fail("founding: devel of another kernel (K2)", "kernel-devel-2.6.32-358.10.2.el6.x86_64", assesstest.Founding, as),
	fail("founding says what is there instead", "kernel-devel 2.6.32-696.10.2.el6", assesstest.Founding, as),
	fail("dangling build link (K8)", "dangling", assesstest.Rocky9, both(assesstest.NoHeaders)),
	fail("only kernel-headers (K5)", "kernel-headers alone is not enough", assesstest.Rocky9, both(assesstest.NoHeaders, onKernel(func(k *facts.Kernel) { k.Trees[0].Build = "" }))),
	fail("UEK (K6)", "kernel-uek-devel-5.15.0-100.96.32.el9uek.x86_64", assesstest.Rocky9, running("5.15.0-100.96.32.el9uek.x86_64")),
	fail("ELRepo (K7)", "kernel-ml-devel-6.8.9-1.el9.elrepo.x86_64", assesstest.Rocky9, running("6.8.9-1.el9.elrepo.x86_64")),
	fail("Debian (K9)", "sudo apt-get install linux-headers-6.1.0-21-amd64", assesstest.Debian12, assesstest.NoHeaders),
	fail("Ubuntu", "linux-headers-5.15.0-107-generic", assesstest.Ubuntu2204, assesstest.NoHeaders),
	fail("openSUSE", "sudo zypper install kernel-default-devel=6.4.0-150600.23.7.3", assesstest.OpenSUSE156, assesstest.NoHeaders),
	fail("Fedora", "sudo dnf5 install kernel-devel-6.17.1-300.fc43.x86_64", assesstest.Fedora43, assesstest.NoHeaders),
	fail("in-kernel modules shadow Oracle's (S15)", "linux-headers-6.1.0-21-amd64", assesstest.Debian12, both(assesstest.NoHeaders, shadowed)),
	unknown("kernel not seen", assesstest.Rocky9, noKernel),
	unknown("additions not seen, headers missing", assesstest.Rocky9, both(bare, noAdditions)),
	unknown("no package manager", assesstest.Rocky9, both(assesstest.NoHeaders, func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.System, func(s *facts.System) { s.Manager = "" })
	})),
)

// running replaces the kernel by one without headers.
func running(release string) func(*facts.Facts) {
	return func(f *facts.Facts) {
		assesstest.NoHeaders(f)
		f.Guest.Packages = facts.Known(facts.Packages{})
		f.Guest.Kernel = facts.Known(facts.Kernel{Running: release, Default: release, BootImages: []string{release}, Trees: []facts.KernelTree{assesstest.Tree(release, false)}})
	}
}

// shadowed: Oracle's installer exited 0 without building, because the kernel's own modules were there.
func shadowed(f *facts.Facts) {
	ga := f.Guest.Additions
	assesstest.InKernel(f)
	f.Guest.Additions = ga
}

var _ = rows("kernel.tree_missing",
	pass("there", assesstest.Arch, as),
	pass("a kernel from outside (container)", assesstest.Rocky9, onKernel(func(k *facts.Kernel) { k.Running = "6.18.44-outer" })),
	fail("Arch after an upgrade (K11)", "/lib/modules/6.9.1-arch1-1 is gone", assesstest.Arch, upgraded),
	fail("replaced, image still named", "is gone", assesstest.Rocky9, onKernel(func(k *facts.Kernel) {
		k.Trees = []facts.KernelTree{assesstest.Tree(rockyNext, false)}
	})),
	unknown("not seen", assesstest.Arch, noKernel),
)

func upgraded(f *facts.Facts) {
	f.Guest.Kernel = facts.Known(facts.Kernel{Running: "6.9.1-arch1-1", Trees: []facts.KernelTree{assesstest.Tree("6.9.3-arch1-1", false)}})
	assesstest.Unloaded(f)
}

var _ = rows("kernel.reboot_pending",
	pass("same kernel", assesstest.Rocky9, as),
	pass("no way to tell the default", assesstest.Arch, onKernel(func(k *facts.Kernel) { k.Default = "" })),
	warn("newer kernel waits (K4)", rockyNext, assesstest.Rocky9, newer(rockyNext, true, "vboxguest", "vboxsf")),
	warn("Debian's marker file", "asks for a reboot", assesstest.Debian12, onKernel(func(k *facts.Kernel) { k.RebootRequired = true })),
	fail("headers only for the next kernel (K2)", "the headers are there only for "+rockyNext, assesstest.Rocky9, both(assesstest.NoHeaders, newer(rockyNext, true))),
	warn("founding: neither kernel has headers", "2.6.32-358.23.2.el6.x86_64 boots next", assesstest.Founding, as),
	unknown("not seen", assesstest.Rocky9, noKernel),
)

var _ = rows("kernel.next_boot",
	pass("same kernel", assesstest.Rocky9, as),
	pass("modules are there for it", assesstest.Rocky9, newer(rockyNext, true, "vboxguest", "vboxsf")),
	warn("none (K3)", "sudo /sbin/rcvboxadd quicksetup "+rockyNext, assesstest.Rocky9, newer(rockyNext, true)),
	warn("vboxguest alone mounts nothing", "shares will fail", assesstest.Rocky9, newer(rockyNext, true, "vboxguest")),
	warn("no headers, and nobody offers them", "no repository was seen to offer it", assesstest.Rocky9, newer(rockyNext, false)),
	warn("no headers, and they can be had", "sudo dnf install kernel-devel-"+rockyNext, assesstest.Rocky9, both(newer(rockyNext, false), develOffered(rockyNext))),
	warn("these Guest Additions do not build for it", "sudo grubby --set-default /boot/vmlinuz-5.14.0-427", assesstest.Rocky9, newer(breaking, true)),
	warn("the kernel's own would load (S15)", "only the kernel's own modules", assesstest.Debian12, both(newer("6.1.0-28-amd64", true), inTree("6.1.0-28-amd64"))),
	pass("an older one that was never built for is named", assesstest.Rocky9, onKernel(func(k *facts.Kernel) {
		k.BootImages = append(k.BootImages, "5.14.0-362.8.1.el9_3.x86_64")
	})),
	skip("not Oracle's", "no Guest Additions of Oracle", assesstest.Arch, newer("6.9.3-arch1-1", false)),
	unknown("kernel not seen", assesstest.Rocky9, noKernel),
	unknown("additions not seen", assesstest.Rocky9, both(newer(rockyNext, true), noAdditions)),
)
