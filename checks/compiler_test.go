package checks

import (
	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// builtBy says what the kernel and the guest's gcc are, and which further compilers there are.
func builtBy(kernel, own string, others ...string) func(*facts.Facts) {
	return func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Kernel, func(k *facts.Kernel) { k.Compiler = kernel })
		assesstest.Edit(&f.Guest.Tools, func(t *facts.Tools) { t.GCCVersion, t.Compilers = own, others })
	}
}

const (
	gcc11UEK = "gcc (GCC) 11.2.1 20220127 (Red Hat 11.2.1-9.1.0.4)"
	gcc8     = "gcc (GCC) 8.5.0 20210514 (Red Hat 8.5.0-18.0.5)"
	gcc12HWE = "x86_64-linux-gnu-gcc-12 (Ubuntu 12.3.0-1ubuntu1~22.04) 12.3.0"
	gcc11Ubu = "gcc (Ubuntu 11.4.0-1ubuntu1~22.04) 11.4.0"
)

func dnfBox(f *facts.Facts) {
	assesstest.Edit(&f.Guest.System, func(s *facts.System) { s.ID, s.VersionID = "ol", "8.9" })
}

var _ = rows("tools.kernel_compiler",
	pass("the kernel does not say", assesstest.CentOS7, assesstest.NoHeaders),
	pass("the same", assesstest.Ubuntu2204, both(assesstest.NoHeaders, builtBy(gcc11Ubu, gcc11Ubu))),
	pass("a newer gcc in the guest", assesstest.Rocky9, both(assesstest.NoHeaders, builtBy(gcc8, gcc11UEK))),
	pass("gcc-toolset is there (K6)", assesstest.Rocky9, both(assesstest.NoHeaders, dnfBox, builtBy(gcc11UEK, gcc8, "gcc-toolset-11"))),
	pass("nothing has to be built", assesstest.Rocky9, both(dnfBox, builtBy(gcc11UEK, gcc8))),
	pass("no gcc yet: tools.compiler judges that", assesstest.Rocky9, both(assesstest.NoHeaders, builtBy(gcc11UEK, ""))),
	fail("UEK7 on OL8 (K6, T5)", "sudo dnf install gcc-toolset-11-gcc gcc-toolset-11-binutils", assesstest.Rocky9, both(assesstest.NoHeaders, dnfBox, builtBy(gcc11UEK, gcc8))),
	fail("HWE kernel (T5)", "sudo apt-get install gcc-12", assesstest.Ubuntu2204, both(assesstest.NoHeaders, builtBy(gcc12HWE, gcc11Ubu))),
	fail("says how certain it is", "likely, not certain", assesstest.Ubuntu2204, both(assesstest.NoHeaders, builtBy(gcc12HWE, gcc11Ubu))),
	fail("clang", "sudo dnf5 install clang lld", assesstest.Fedora43, both(assesstest.NoHeaders, builtBy("clang version 17.0.6", "gcc 13.2.1", "clang"))),
	pass("clang and its linker", assesstest.Fedora43, both(assesstest.NoHeaders, builtBy("clang version 17.0.6", "gcc 13.2.1", "clang", "ld.lld"))),
	fail("no package is known", "bring its gcc up to date", assesstest.Fedora43, both(assesstest.NoHeaders, builtBy("gcc (GCC) 15.1.1", "gcc (GCC) 14.2.1"))),
	fail("devtoolset", "devtoolset-9-gcc", assesstest.CentOS7, both(assesstest.NoHeaders, builtBy("gcc (GCC) 9.3.1 20200408 (Red Hat 9.3.1-2)", "gcc (GCC) 4.8.5 20150623"))),
	fail("openSUSE", "gcc13", assesstest.OpenSUSE156, both(assesstest.NoHeaders, builtBy("gcc (SUSE Linux) 13.2.1", "gcc (SUSE Linux) 7.5.0"))),
	unknown("kernel not seen", assesstest.CentOS7, noKernel),
	unknown("tools not seen", assesstest.CentOS7, func(f *facts.Facts) { assesstest.Forget(&f.Guest.Tools) }),
)

func plugins(needs bool) func(*facts.Facts) {
	return func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Tools, func(t *facts.Tools) { t.NeedsPlugins, t.GCCVersion = needs, "gcc (Debian 12.2.0-14) 12.2.0" })
	}
}

var _ = rows("tools.plugins",
	pass("not needed", assesstest.Debian12, assesstest.NoHeaders),
	pass("there", assesstest.Debian12, both(assesstest.NoHeaders, plugins(true), func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Tools, func(t *facts.Tools) { t.PluginHeaders = true })
	})),
	pass("nothing has to be built", assesstest.Debian12, plugins(true)),
	warn("a kernel with plugins", "gcc-12-plugin-dev", assesstest.Debian12, both(assesstest.NoHeaders, plugins(true))),
	fail("a build that stopped for them (T6)", "gcc-12-plugin-dev", assesstest.Debian12, both(assesstest.NoHeaders, plugins(false),
		logged("scripts/gcc-plugins/gcc-common.h:5:10: fatal error: bversion.h: No such file or directory\n"))),
	fail("Arch has them in gcc", "stopped for want", assesstest.Arch, both(assesstest.NoHeaders, logged("fatal error: bversion.h: No such file\n"))),
	unknown("tools not seen", assesstest.Debian12, func(f *facts.Facts) { assesstest.Forget(&f.Guest.Tools) }),
	unknown("kernel not seen", assesstest.Debian12, both(plugins(true), noKernel)),
)

func silent(vbox string) func(*facts.Facts) {
	return func(f *facts.Facts) {
		f.Guest = facts.Guest{Reach: facts.Known(facts.Reach{Class: "timeout", Error: "no answer"})}
		f.Host.VBoxManage = facts.Known(facts.VBoxManage{Version: vbox})
	}
}

var _ = rows("guest.cpu_level",
	pass("it answers", assesstest.Rocky9, host("7.2.8")),
	warn("VirtualBox 7.2.8, no answer (M11)", "x86-64-v3", assesstest.Rocky9, silent("7.2.8r173730")),
	skip("another VirtualBox", "not known to withhold", assesstest.Rocky9, silent("7.2.10r174000")),
	skip("VirtualBox not known", "not known here", assesstest.Rocky9, silent("")),
	skip("the VM is off", "does not run", assesstest.Rocky9, both(silent("7.2.8r1"), func(f *facts.Facts) {
		assesstest.Edit(&f.Host.VM, func(v *facts.VM) { v.State = "poweroff" })
	})),
	unknown("not tried", assesstest.Rocky9, func(f *facts.Facts) { assesstest.Forget(&f.Guest.Reach) }),
	skip("host not asked", "not known here", assesstest.Rocky9, func(f *facts.Facts) { silent("")(f); assesstest.Forget(&f.Host.VBoxManage) }),
)

var _ = rows("modules.version",
	fail("a shell in the share keeps them (M4)", "bash (process 4711) has /vagrant open", assesstest.CentOS7, onModules(func(m *facts.Modules) {
		m.Guest.Running = "7.0.14 r161095"
		m.Users = []facts.ModuleUser{{PID: 4711, Name: "bash", Path: "/vagrant"}}
	})),
	fail("the graphics driver keeps them (M4)", "vboxvideo is in use", assesstest.CentOS7, onModules(func(m *facts.Modules) {
		m.Guest.Running, m.Video = "7.0.14 r161095", facts.Module{Loaded: true, RefCnt: 2}
	})),
)

var _ = rows("kernel.devel_missing",
	fail("Proxmox, old names (K12)", "pve-headers-6.2.16-3-pve", assesstest.Debian12, running("6.2.16-3-pve")),
	fail("Proxmox, names since 6.5 (K12)", "proxmox-headers-6.8.12-4-pve", assesstest.Debian12, running("6.8.12-4-pve")),
	fail("Debian's cloud kernel (K12)", "linux-headers-6.1.0-21-cloud-amd64", assesstest.Debian12, running("6.1.0-21-cloud-amd64")),
	fail("Ubuntu's lowlatency kernel (K12)", "linux-headers-5.15.0-107-lowlatency", assesstest.Ubuntu2204, running("5.15.0-107-lowlatency")),
)
