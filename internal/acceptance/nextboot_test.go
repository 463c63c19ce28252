//go:build acceptance

package acceptance

import (
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// TestNextKernelWithoutHeaders is row K3 as an update leaves it: everything works, and the kernel that boots next has
// neither modules nor the headers to build them. Both come before the restart; nothing is loaded and nothing restarts.
func TestNextKernelWithoutHeaders(t *testing.T) {
	g := startGuest(t, "nextboot", "el-tools", "uname")
	lab(t, "ga", "nextboot", "7.0.20")
	g.sh("dnf -q -y install kernel-" + next)
	boot := g.sh("cat /proc/sys/kernel/random/boot_id")

	r, _ := g.doctor("check", "--only", "kernel")
	g.want(r, finding.Warn, "kernel.next_boot")
	if f := g.at(r, "kernel.next_boot"); !strings.Contains(f.Message, "can be built once kernel-devel-"+next+" is installed") {
		t.Errorf("kernel.next_boot says %q", f.Message)
	}
	r, _ = g.doctor("fix", "--yes", "--only", "kernel.next_boot")
	g.allDone(r)
	g.want(r, finding.Pass, "kernel.next_boot")
	if got := g.sh("modinfo -F version /lib/modules/" + next + "/misc/vboxguest.ko; modinfo -F vermagic /lib/modules/" + next + "/misc/vboxsf.ko; rpm -q kernel-devel-" + next); !strings.HasPrefix(got, "7.0.20 r163906\n"+next+" ") {
		t.Errorf("modules for the next kernel: %q", got)
	}
	if got := g.sh("ls /lib/modules/$(uname -r)/misc"); !strings.Contains(got, "vboxsf.ko") {
		t.Errorf("the running kernel's modules are gone: %q", got)
	}
	if now := g.sh("cat /proc/sys/kernel/random/boot_id"); now != boot {
		t.Error("the guest was restarted")
	}
	if r, _ = g.doctor("fix", "--yes", "--only", "kernel.next_boot"); len(r.Actions) > 0 {
		t.Errorf("a second run plans %v", r.Actions)
	}
}
