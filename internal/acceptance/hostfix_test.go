//go:build acceptance_host

package acceptance

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// repairs are those that the test makes: what boxdoctor would write outside of the lab is left out, because the test runs as root.
const repairs = "host.creator_uid,host.sentinel,host.key_mode,host.cable,host.ports,host.leftovers,host.dhcp,host.metadata_url"

// The host is repaired and taken back on the real VBoxManage: a dry run changes nothing, every targeted check passes
// afterwards, a second run has nothing to do, and undo leaves everything as it was.
func TestHostRepairs(t *testing.T) {
	l := newHostLab(t)
	l.sick(t)
	ill := l.standing()
	if _, errs, code := l.run(l.bin, "fix", "host", "--dry-run", "--only", repairs); code != finding.ExitFailed || l.standing() != ill {
		t.Errorf("dry run: %d, %s", code, errs)
	}
	r := l.fix()
	after := map[string]finding.Finding{}
	for _, f := range r.After[0].Findings {
		after[f.ID] = f
	}
	for _, id := range []string{"vm.uid_mismatch", "vm.not_provisioned_again", "ssh.key_mode", "boot.cable", "port.collision", "vm.leftover_folder", "net.dhcp_conflict", "box.old_server"} {
		if f := after[id]; f.Status != finding.Pass && f.Status != finding.Skip {
			t.Errorf("%s: %s, %s", id, f.Status, f.Message)
		}
	}
	if len(r.Actions) != 8 {
		t.Errorf("%d actions: %+v", len(r.Actions), r.Actions)
	}
	if r = l.fix(); len(r.Actions) > 0 {
		t.Errorf("the next run did something: %+v", r.Actions)
	}
	if got := l.manage("list", "dhcpservers"); strings.Contains(got, "vboxnet7") {
		t.Errorf("DHCP servers: %s", got)
	}
	out, errs, code := l.run(l.bin, "undo", "--yes")
	if now := l.standing(); code != 0 || now != ill {
		t.Errorf("undo: %d\n%s%s\nnow:\n%s\nbefore:\n%s", code, out, errs, now, ill)
	}
}

// A crash while VirtualBox wrote a VM's settings: its own copy is brought back, and it lists the VM again.
func TestHostRepairsSettings(t *testing.T) {
	l := newHostLab(t)
	id := l.vm("web")
	l.write("Vagrantfile", "Vagrant.configure(\"2\") do |config|\n  config.vm.box = \"bento/centos-7\"\nend\n")
	l.write(".vagrant/machines/default/virtualbox/id", id)
	settings := filepath.Join(l.work, "home", "VirtualBox VMs", "web", "web.vbox")
	if err := os.Rename(settings, settings+"-prev"); err != nil {
		t.Fatal(err)
	}
	l.untilInaccessible()
	out, errs, _ := l.run(l.bin, "fix", "host", "--yes", "--only", "vm.inaccessible_own")
	if found, _ := l.check("--only", "vm"); found["vm.inaccessible_own"].Status != finding.Pass || !strings.Contains(l.manage("list", "vms"), `"web"`) {
		t.Errorf("%+v\n%s%s", found["vm.inaccessible_own"], out, errs)
	}
}

// networks.conf is root's; the test is root, over an /etc of its own.
func TestHostRepairsNetworksConf(t *testing.T) {
	l := newHostLab(t)
	l.manage("list", "vms")
	l.write("Vagrantfile", "Vagrant.configure(\"2\") do |config|\n  config.vm.box = \"bento/centos-7\"\n  config.vm.network \"private_network\", ip: \"10.11.12.13\"\nend\n")
	for _, dir := range []string{"upper", "overlay"} {
		if err := os.Mkdir(filepath.Join(l.work, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const etc = `mount -t overlay overlay -o lowerdir=/etc,upperdir="$BOXDOCTOR_WORK/upper",workdir="$BOXDOCTOR_WORK/overlay" /etc && exec "$@"`
	within := func(args ...string) (string, string, int) {
		return l.run("unshare", append([]string{"-m", "sh", "-c", etc, "sh", l.bin}, args...)...)
	}
	out, errs, _ := within("fix", "host", "--yes", "--only", "net.hostonly_range", "--format", "json")
	var r finding.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v: %s%s", err, out, errs)
	}
	for _, f := range r.After[0].Findings {
		if f.ID == "net.hostonly_range" && f.Status != finding.Pass {
			t.Errorf("%s: %s", f.Status, f.Message)
		}
	}
	file := filepath.Join(l.work, "upper", "vbox", "networks.conf")
	if text, err := os.ReadFile(file); err != nil || string(text) != "* 192.168.56.0/21 fe80::/10\n* 10.11.12.0/24\n" {
		t.Errorf("%q, %v", text, err)
	}
	if out, errs, code := within("undo", "--yes"); code != 0 {
		t.Errorf("undo: %d, %s%s", code, out, errs)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("undo left the file")
	}
}

// sick makes a project that eight repairs are for.
func (l *hostLab) sick(t *testing.T) {
	t.Helper()
	id := l.vm("web")
	l.manage("modifyvm", "web", "--cableconnected1", "off")
	l.manage("dhcpserver", "add", "--netname", "HostInterfaceNetworking-vboxnet7", "--ip", "10.7.0.2", "--netmask", "255.255.255.0",
		"--lowerip", "10.7.0.3", "--upperip", "10.7.0.254", "--enable")
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = busy.Close() })
	l.write("Vagrantfile", fmt.Sprintf("Vagrant.configure(\"2\") do |config|\n  config.vm.box = \"bento/centos-7\"\n"+
		"  config.vm.network \"private_network\", type: \"dhcp\"\n  config.vm.network \"forwarded_port\", guest: 80, host: %d\n"+
		"  config.vm.define \"web\"\n  config.vm.define \"db\" do |db|\n    db.vm.provider(\"virtualbox\") { |vb| vb.name = \"old\" }\n  end\nend\n",
		busy.Addr().(*net.TCPAddr).Port))
	state := ".vagrant/machines/web/virtualbox/"
	for name, text := range map[string]string{"id": id, "creator_uid": "4711", "action_provision": "1458910687", "private_key": "synthetic"} {
		l.write(state+name, text)
	}
	if err := os.Chmod(filepath.Join(l.root, state, "private_key"), 0o644); err != nil {
		t.Fatal(err)
	}
	l.write("../home/VirtualBox VMs/old/disk.vdi", "synthetic")
	box := "../home/.vagrant.d/boxes/org-VAGRANTSLASH-old/"
	l.write(box+"metadata_url", "https://atlas.hashicorp.com/org/old")
	l.write(box+"0/virtualbox/metadata.json", `{"provider":"virtualbox"}`)
}

// standing is all that the repairs change: files with their content and mode, the cable, DHCP servers.
func (l *hostLab) standing() string {
	l.t.Helper()
	files, _, _ := l.run("find", l.root, filepath.Join(l.work, "home", ".vagrant.d"), filepath.Join(l.work, "home", "VirtualBox VMs", "old"), "-type", "f", "-printf", "%p %m\n", "-exec", "sha256sum", "{}", ";")
	cable := ""
	for line := range strings.Lines(l.manage("showvminfo", "web", "--machinereadable")) {
		if strings.HasPrefix(line, "cableconnected1") {
			cable = line
		}
	}
	return files + cable + l.manage("list", "dhcpservers")
}

// fix is boxdoctor fix host --yes as JSON, for the repairs of the test.
func (l *hostLab) fix() finding.Report {
	l.t.Helper()
	out, errs, code := l.run(l.bin, "fix", "host", "--yes", "--format", "json", "--only", repairs)
	var r finding.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil || len(r.After) != 1 {
		l.t.Fatalf("%d: %v: %s%s", code, err, out, errs)
	}
	return r
}
