package demo_test

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/boxdoctor/boxdoctor/internal/demo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, s demo.Scene) *demo.Guest {
	t.Helper()
	g, err := demo.Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// step is a command for root and what must be in its output.
type step struct {
	cmd  string
	code int
	want []string
}

func steps(t *testing.T, g *demo.Guest, list []step) {
	t.Helper()
	for _, s := range list {
		out, code := g.Run(t.Context(), s.cmd)
		if code != s.code {
			t.Fatalf("%s: exit status %d, want %d:\n%s", s.cmd, code, s.code, out)
		}
		for _, w := range s.want {
			if !strings.Contains(out, w) {
				t.Fatalf("%s: no %q in:\n%s", s.cmd, w, out)
			}
		}
	}
}

// TestFoundingSceneByHand repairs the guest of the first report with hand-written commands and meets the
// literal texts of the report on the way.
func TestFoundingSceneByHand(t *testing.T) {
	g := start(t, demo.Founding())
	steps(t, g, []step{
		{"uname -r", 0, []string{"2.6.32-358.10.2.el6.x86_64\n"}},
		{"rpm -q kernel kernel-devel kernel-headers", 0, []string{"kernel-2.6.32-358.23.2.el6", "kernel-devel-2.6.32-696.10.2.el6", "kernel-headers-2.6.32-696.10.2.el6"}},
		{"grubby --default-kernel", 0, []string{"/boot/vmlinuz-2.6.32-358.23.2.el6.x86_64\n"}},
		{"cat /etc/yum/pluginconf.d/versionlock.conf", 0, []string{"enabled = 1"}},
		{"readlink /lib/modules/$(uname -r)/build", 0, []string{"/usr/src/kernels/2.6.32-358.10.2.el6.x86_64"}},
		{"test -e /lib/modules/$(uname -r)/build", 1, nil},
		{"VBoxControl --version; VBoxService --version", 0, []string{"4.3.6r91406\n4.3.6r91406\n"}},
		{"modprobe vboxguest", 1, []string{"FATAL: Module vboxguest not found."}},
		{"/etc/init.d/vboxadd start", 1, []string{"modprobe vboxguest failed"}},
		{"mount -t vboxsf -o uid=500,gid=500 home_rc_ /home/rc", 1, []string{"/sbin/mount.vboxsf: mounting failed with the error: No such device\n"}},
		{"cat /var/log/vboxadd-install.log", 0, []string{"*** Error: unable to find the sources of your current Linux kernel. Specify KERN_DIR=<directory> and run Make again.  Stop."}},
		{"yum -y install kernel-devel-$(uname -r)", 1, []string{"Couldn't resolve host 'mirrorlist.centos.org'", "Cannot find a valid baseurl for repo: base"}},
	})
	steps(t, g, []step{
		{`sed -i -e 's,^mirrorlist=,#mirrorlist=,' -e 's,^#baseurl=http://mirror.centos.org/centos/$releasever/,baseurl=http://vault.centos.org/6.10/,' /etc/yum.repos.d/CentOS-Base.repo`, 0, nil},
		{"yum -y install kernel-devel-2.6.32-358.23.2.el6.x86_64", 1, []string{"No package kernel-devel-2.6.32-358.23.2.el6.x86_64 available.\n", "Nothing to do", "due to versionlock"}},
		{"yum search kernel-devel", 0, []string{"Warning: No matches found for: kernel-devel"}},
		{"yum --disableplugin=versionlock --showduplicates list kernel kernel-devel", 0, []string{"Available Packages", "2.6.32-754.35.1.el6"}},
		{"yum --assumeno --disableplugin=versionlock install kernel kernel-devel", 1, []string{"Exiting on user Command", "kernel-firmware"}},
		{"yum versionlock list", 0, []string{"0:kernel-devel-2.6.32-696.10.2.el6.*"}},
		{"yum versionlock delete '0:kernel*' && yum -y install kernel-2.6.32-754.35.1.el6 kernel-devel-2.6.32-754.35.1.el6", 0, []string{"Complete!"}},
		{"rpm -q kernel-devel-2.6.32-754.35.1.el6.x86_64 && grubby --default-kernel", 0, []string{"/boot/vmlinuz-2.6.32-754.35.1.el6.x86_64"}},
		{"uname -r", 0, []string{"358.10.2"}},
	})
	old := g.System().BootID()
	g.PowerCut()
	if g.System().BootID() == old {
		t.Error("the boot id is the same after a reboot")
	}
	steps(t, g, []step{
		{"uname -r", 0, []string{"2.6.32-754.35.1.el6.x86_64\n"}},
		{"modprobe vboxguest", 1, nil},
	})
	installAdditions(t, g)
	steps(t, g, []step{
		{"modinfo -F version vboxguest", 0, []string{"5.1.26 r117224\n"}},
		{"cat /sys/module/vboxsf/version", 0, []string{"5.1.26 r117224\n"}},
		{"VBoxControl guestproperty get /VirtualBox/HostInfo/VBoxVer", 0, []string{"Value: 5.1.26\n"}},
		{"VBoxControl sharedfolder list", 0, []string{"01 - home_rc_\n"}},
		{"mount -t vboxsf -o uid=500,gid=500,_netdev home_rc_ /home/rc", 1, []string{"unknown mount option `_netdev'"}},
		{"mount -t vboxsf -o uid=500,gid=500 home_rc_ /home/rc && mountpoint -q /home/rc", 0, nil},
		{"grep vboxsf /proc/mounts", 0, []string{"home_rc_ /home/rc vboxsf rw,nodev,relatime 0 0\n"}},
		{"stat -c '%u %g' /home/rc && sudo -n -u vagrant test -w /home/rc && cat /home/rc/README", 0, []string{"500 500\n", "the developer's files"}},
		{"pgrep -x VBoxService", 0, nil},
	})
	g.PowerCut()
	steps(t, g, []step{
		{"lsmod | grep vboxsf && pgrep -x VBoxService", 0, nil},
		{"mountpoint -q /home/rc", 1, nil},
	})
}

// installAdditions runs the installer of the host's ISO as a person would.
func installAdditions(t *testing.T, g *demo.Guest) {
	t.Helper()
	if err := g.CopyISO("/root/ga.iso"); err != nil {
		t.Fatal(err)
	}
	steps(t, g, []step{
		{"mkdir -p /root/mnt && mount -o loop,ro /root/ga.iso /root/mnt", 0, nil},
		{"head -c 30000 /root/mnt/VBoxLinuxAdditions.run | grep -a '^label='", 0, []string{`label="VirtualBox 5.1.26 Guest Additions for Linux"`}},
		{"sh /root/mnt/VBoxLinuxAdditions.run --nox11", 0, []string{"Removing installed version 4.3.6 of VirtualBox Guest Additions...", "Building Guest Additions kernel modules."}},
		{"umount /root/mnt && rm /root/ga.iso && rmdir /root/mnt", 0, nil},
	})
}

// TestInstallerExitsZeroWithNothingBuilt is the trap of real installers: no sources, exit status 0.
func TestInstallerExitsZeroWithNothingBuilt(t *testing.T) {
	g := start(t, demo.Founding())
	installAdditions(t, g)
	steps(t, g, []step{
		{"cat /var/log/VBoxGuestAdditions.log", 0, []string{"unable to find the sources of your current Linux kernel", "modprobe vboxguest failed"}},
		{"modinfo vboxguest", 1, nil},
		{"mount -t vboxsf -o uid=500,gid=500 home_rc_ /home/rc", 1, []string{"No such device"}},
	})
}
