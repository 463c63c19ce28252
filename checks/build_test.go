package checks

import (
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// breaking is a kernel on which the Guest Additions of the healthy machines, 7.0.20, do not build (row 1.7.8).
const breaking = "5.14.0-687.10.1.el9_8.x86_64"

// develOffered says that the repositories hold the headers of these kernels.
func develOffered(releases ...string) func(*facts.Facts) {
	return func(f *facts.Facts) { assesstest.Offer(f, nil, releases) }
}

// inTree puts the kernel's own modules below a release's folder.
func inTree(release string) func(*facts.Facts) {
	return onKernel(func(k *facts.Kernel) {
		for i := range k.Trees {
			if k.Trees[i].Release == release {
				k.Trees[i].InTree = []string{"vboxguest", "vboxsf"}
			}
		}
	})
}

// boots makes the machine run another kernel with headers and without modules, the old one still installed.
func boots(release string) func(*facts.Facts) {
	return func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.System, func(s *facts.System) { s.KernelRelease = release })
		assesstest.Edit(&f.Guest.Kernel, func(k *facts.Kernel) {
			k.Running, k.Default = release, release
			k.BootImages, k.Trees = append(k.BootImages, release), append(k.Trees, assesstest.Tree(release, true))
		})
		assesstest.Unloaded(f)
	}
}

// alone takes every kernel but the running one off the disk.
func alone(f *facts.Facts) {
	assesstest.Edit(&f.Guest.Kernel, func(k *facts.Kernel) {
		k.BootImages = []string{k.Running}
	})
}

func host(v string) func(*facts.Facts) { return func(f *facts.Facts) { assesstest.OldHost(f, v) } }

// logged is the log of a build.
func logged(text string) func(*facts.Facts) {
	return func(f *facts.Facts) {
		f.Guest.GALog = facts.Known(facts.GALog{Path: "/var/log/vboxadd-setup.log", Text: text})
	}
}

const buildOf427 = "Building the main Guest Additions 7.1.4 r165100 module for kernel 5.14.0-427.13.1.el9_4.x86_64.\n"

var _ = rows(kernelPair,
	pass("the modules are there", assesstest.Rocky9, as),
	pass("nothing is known against it", assesstest.Rocky9, both(assesstest.NoHeaders, host("7.1.4"))),
	pass("a pair that was seen to build (1.7.9)", assesstest.Rocky9, both(boots("5.14.0-687.15.1.el9_8.x86_64"), host("7.2.9"))),
	fail("seen to break (1.7.8)", "from_timer", assesstest.Rocky9, both(boots(breaking), host("7.2.8"))),
	fail("the version that fixed it is named", "VBoxGuestAdditions_7.2.10.iso", assesstest.Rocky9, both(boots(breaking), host("7.2.8"))),
	fail("the installed kernel that builds is named", "or boot the installed kernel 5.14.0-427", assesstest.Rocky9, both(boots(breaking), host("7.2.8"))),
	fail("not seen with this version says so", "likely, not certain", assesstest.Rocky9, both(boots(breaking), host("7.0.26"))),
	fail("vboxguest (1.7.9), no version known that builds, no other kernel", "no way is known", assesstest.Rocky9,
		both(boots("5.14.0-687.24.1.el9_8.x86_64"), alone, host("7.2.12"))),
	fail("vboxsf (1.7.4)", "vboxsf: dirops.o", assesstest.Rocky9, both(boots("5.14.0-191.el9.x86_64"), host("7.0.22"), func(f *facts.Facts) {
		assesstest.OldHost(f, "7.0.2")
		f.Guest.Additions = facts.Known(facts.Additions{})
	})),
	fail("new Guest Additions on EL6 (1.7.14)", "likely, not certain", assesstest.Founding, host("7.0.20")),
	fail("by the log of the last attempt", "dirops.c", assesstest.Rocky9, both(assesstest.NoHeaders, host("7.1.4"),
		logged(buildOf427+"Building the shared folder support module.\nError building the module.  Build output follows.\n/tmp/vbox.0/dirops.c:1:2: error: x\n"))),
	warn("vboxvideo alone by the log", "Shared folders do not need it", assesstest.Rocky9, both(assesstest.NoHeaders, host("7.1.4"),
		logged(buildOf427+"Building the shared folder support module.\nBuilding the graphics driver module.\n/tmp/vbox.0/vbox_fb.c:1:2: Fehler: x\n"))),
	warn("vboxvideo alone (1.7.11)", "Shared folders do not need it", assesstest.Debian12, both(boots("6.12.107+deb13-amd64"), host("7.2.16"))),
	warn("what is installed works, the host's would not build", "leave them", assesstest.Rocky9, both(host("7.2.8"), worksOn(breaking))),
	unknown("kernel not seen", assesstest.Rocky9, noKernel),
	unknown("modules not seen", assesstest.Rocky9, noModules),
	unknown("additions not seen", assesstest.Rocky9, noAdditions),
)

// worksOn: the machine's modules are built for and loaded in this kernel.
func worksOn(release string) func(*facts.Facts) {
	return func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.System, func(s *facts.System) { s.KernelRelease = release })
		assesstest.Edit(&f.Guest.Kernel, func(k *facts.Kernel) {
			k.Running, k.Default, k.BootImages = release, release, []string{release}
			k.Trees = []facts.KernelTree{assesstest.Tree(release, true, "vboxguest", "vboxsf")}
		})
		f.Host.VBoxManage = facts.Known(facts.VBoxManage{Version: "7.2.8r1"})
		assesstest.Edit(&f.Guest.Additions, func(a *facts.Additions) {
			a.ConfigVersion, a.Control, a.Service = "7.2.4", "7.2.4r1", "7.2.4r1"
		})
		assesstest.Edit(&f.Guest.Modules, func(m *facts.Modules) {
			m.Guest.Version, m.Guest.Running, m.SF.Version, m.SF.Running = "7.2.4 r1", "7.2.4 r1", "7.2.4 r1", "7.2.4 r1"
		})
	}
}

// A log is evidence only for its own version and kernel, and not when something else than the source failed.
func TestOtherFailuresAreNoEvidenceAgainstAPair(t *testing.T) {
	for name, log := range map[string]string{
		"another kernel":  strings.ReplaceAll(buildOf427, "427", "503") + "/tmp/vbox.0/x.c:1:2: error: x\n",
		"another version": strings.ReplaceAll(buildOf427, "7.1.4", "7.1.2") + "/tmp/vbox.0/x.c:1:2: error: x\n",
		"libelf (T3)":     buildOf427 + "Cannot generate ORC metadata for CONFIG_UNWINDER_ORC=y, please install libelf-dev\n/tmp/vbox.0/x.c:1:2: error: x\n",
		"plugin (T6)":     buildOf427 + "fatal error: bversion.h: No such file\n/tmp/vbox.0/x.c:1:2: error: x\n",
		"disk (S7)":       buildOf427 + "/tmp/vbox.0/x.o: No space left on device\n",
		"cut off":         buildOf427 + "Building the shared folder support module.\n",
	} {
		f := assesstest.Rocky9()
		both(assesstest.NoHeaders, host("7.1.4"), logged(log))(f)
		c, _ := ByID(kernelPair)
		if v := c.Eval(f); !strings.Contains(v.Message, "nothing is known against") {
			t.Errorf("%s: %s: %s", name, v.Status, v.Message)
		}
	}
}

// The kernels that are not booted are all judged, also those that do not boot next.
func TestEveryInstalledKernelIsNamed(t *testing.T) {
	f := assesstest.Rocky9()
	newer(rockyNext, true, "vboxguest", "vboxsf")(f)
	onKernel(func(k *facts.Kernel) {
		k.BootImages = append(k.BootImages, "5.14.0-362.8.1.el9_3.x86_64", breaking)
		k.Trees = append(k.Trees, assesstest.Tree("5.14.0-362.8.1.el9_3.x86_64", true), assesstest.Tree(breaking, true))
	})(f)
	c, _ := ByID("kernel.next_boot")
	v := c.Eval(f)
	for _, want := range []string{"modules are there for " + rockyNext, "362.8.1.el9_3.x86_64: modules can be built", breaking + ": these Guest Additions do not build for it"} {
		if !strings.Contains(v.Message, want) {
			t.Errorf("%q is not in %q", want, v.Message)
		}
	}
}
