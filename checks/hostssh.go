package checks

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
)

var _ = register(Check{
	ID: "boot.cable", Title: "No virtual cable is unplugged", Target: OnHost, Severity: finding.Critical, Rows: []string{"boot.cable"}, Level: LevelAuto, Fix: "host.cable",
	Link:  "https://www.virtualbox.org/manual/topics/networkingdetails.html",
	Why:   "With the cable of the first adapter unplugged Vagrant says `Connection timeout. Retrying...` until the boot timeout.",
	Looks: "cableconnected of showvminfo", Source: "host-catalogue 1.9",
	Eval: records(func(_ *facts.Facts, rs []facts.Record) finding.Verdict {
		var lacking error
		for _, r := range rs {
			s, err := r.Settings.Get()
			if err != nil {
				lacking = err
			}
			for _, n := range s.CableOff {
				return finding.Failf("the cable of adapter %d of machine %s is unplugged", n, r.Name).Diff("cableconnected"+strconv.Itoa(n)+" on", "off").
					Advise("plug it in while the VM is off", fmt.Sprintf("VBoxManage modifyvm %s --cable-connected%d on", r.ID, n))
			}
		}
		if lacking != nil {
			return finding.Cannot(lacking)
		}
		return finding.Passf("%d VMs", len(rs))
	}),
})

var _ = register(Check{
	ID: "boot.uart", Title: "No serial console holds up the boot", Target: OnHost, Severity: finding.Major, Rows: []string{"boot.uart"}, Level: LevelConfirm,
	Link:  vagrantIssues + "10578",
	Why:   "Ubuntu's cloud boxes write their console to a serial port; where that leads nowhere the boot takes many minutes and times out.",
	Looks: "uartmode1 of showvminfo, and boxes ubuntu/…", Source: "host-catalogue 1.9",
	Eval: settings("no serial port leads nowhere", func(_ *facts.Facts, r facts.Record, s facts.VMSettings) string {
		if !s.UARTOff {
			return ""
		}
		return "the serial port of machine " + r.Name + " is disconnected"
	}, finding.Warnf, func(v finding.Verdict) finding.Verdict {
		return v.Diff("a port that leads to a file, or none", "disconnected").
			Advise(`give it a sink in the Vagrantfile: vb.customize ["modifyvm", :id, "--uartmode1", "file", File::NULL]`, "")
	}),
})

var _ = register(Check{
	ID: "boot.key", Title: "Every VM has the key that Vagrant gave it", Target: OnHost, Severity: finding.Major, Rows: []string{"boot.key"}, Level: LevelConfirm, CausedBy: []string{"vm.stale_id"},
	Link:  "https://developer.hashicorp.com/vagrant/docs/vagrantfile/ssh_settings",
	Why:   "`Authentication failure. Retrying...`: the key that the first `vagrant up` put into the guest is gone from the machine's folder, so only the well-known key is tried.",
	Looks: "private_key in the machine's folder of a VM that was provisioned, and config.ssh.insert_key", Source: "host-catalogue 1.9",
	Eval: records(func(f *facts.Facts, rs []facts.Record) finding.Verdict {
		insert := map[string]facts.Value[bool]{}
		for _, m := range f.Host.Preflight.Wanted.Or(facts.Wanted{}).Machines {
			insert[m.Name] = m.InsertKey
		}
		for _, r := range rs {
			v, named := insert[r.Name]
			if r.HasKey || !r.HasProv || named && !v.Or(true) {
				continue
			}
			if !named {
				return finding.Cannot(fmt.Errorf("%w: machine %s has no private_key, and whether the Vagrantfile switches keys off could not be read", facts.ErrNotCollected, r.Name))
			}
			return finding.Warnf("machine %s was provisioned and its private_key is gone: Vagrant will probably not get in", r.Name).Diff("private_key", "none").
				Advise("bring "+r.Dir+"/private_key back from a backup, or put the well-known key back in over the VM's console", "VBoxManage startvm "+r.ID+" --type gui")
		}
		return finding.Passf("%d machines", len(rs))
	}),
})

var _ = register(Check{
	ID: "boot.virt", Title: "The boot timeout fits this host", Target: OnHost, Severity: finding.Minor, Rows: []string{"boot.virt"}, Level: LevelConfirm,
	CausedBy: []string{"cpu.virt_disabled", "cpu.virt_absent", "win.hyperv_old", "linux.kvm_conflict"}, Link: vagrantIssues + "11595",
	Why:   "Without hardware virtualization, or on top of Hyper-V, a guest boots many times slower than the 300 s that Vagrant waits.",
	Looks: "the last VBox.log of the project's VMs", Source: "host-catalogue 1.9",
	Eval: settings("no log says that a VM ran slowly", func(_ *facts.Facts, r facts.Record, s facts.VMSettings) string {
		if s.Slow == "" {
			return ""
		}
		return "machine " + r.Name + " last ran without the processor's own virtualization"
	}, finding.Warnf, func(v finding.Verdict) finding.Verdict {
		return v.Diff("hardware virtualization", "emulation").Advise("put the host right first; until then raise the limit in the Vagrantfile: config.vm.boot_timeout = 1200", "")
	}),
})

// keys judges the private key of each machine that has one.
func keys(judge func(f *facts.Facts, r facts.Record) finding.Verdict) eval {
	return records(func(f *facts.Facts, rs []facts.Record) finding.Verdict {
		if f.Host.OS == "windows" || f.Host.Preflight.System.Or(facts.HostSystem{}).WSL > 0 {
			return finding.Skipf("Vagrant does not look at it here")
		}
		n := 0
		for _, r := range rs {
			if !r.HasKey {
				continue
			}
			n++
			if v := judge(f, r); v.Status != "" {
				return v
			}
		}
		return finding.Passf("%d keys", n)
	})
}

var _ = register(Check{
	ID: "ssh.key_owner", Title: "The machines' keys belong to this user", Target: OnHost, Severity: finding.Critical, Rows: []string{"ssh.key_owner"}, Level: LevelSudo,
	Link:  "https://developer.hashicorp.com/vagrant/docs/vagrantfile/ssh_settings",
	Why:   "`The private key to connect to the machine via SSH must be owned by the user running Vagrant.` It was made with sudo, or lies on a shared volume.",
	Looks: "the owner of private_key; root may use any", Source: "host-catalogue 1.9",
	Eval: keys(func(f *facts.Facts, r facts.Record) finding.Verdict {
		s, err := f.Host.Preflight.System.Get()
		if err != nil {
			return finding.Cannot(err)
		}
		if s.UID == 0 || s.UID < 0 || r.KeyUID < 0 || r.KeyUID == s.UID {
			return finding.Verdict{}
		}
		return finding.Failf("the key of machine %s belongs to the user with id %d", r.Name, r.KeyUID).Diff(strconv.Itoa(s.UID), strconv.Itoa(r.KeyUID)).
			Advise("make it yours", "sudo chown \"$(id -un)\" "+quoted(r.Dir+"/private_key"))
	}),
})

var _ = register(Check{
	ID: "ssh.key_mode", Title: "Nobody else can read the machines' keys", Target: OnHost, Severity: finding.Critical, Rows: []string{"ssh.key_mode"}, Level: LevelAuto, Fix: "host.key_mode",
	Link:  "https://developer.hashicorp.com/vagrant/docs/vagrantfile/ssh_settings",
	Why:   "`The private key to connect to this box via SSH has invalid permissions set on it.` File systems such as exFAT and DrvFs cannot keep them.",
	Looks: "the mode of private_key: 600 is expected", Source: "host-catalogue 1.9",
	Eval: keys(func(_ *facts.Facts, r facts.Record) finding.Verdict {
		if r.KeyMode == 0o600 {
			return finding.Verdict{}
		}
		return finding.Failf("the key of machine %s has the mode %04o", r.Name, r.KeyMode).Diff("0600", fmt.Sprintf("%04o", r.KeyMode)).
			Advise("set it; if it does not stay, the file system keeps no modes: move the project", "chmod 600 "+quoted(r.Dir+"/private_key"))
	}),
})

var _ = register(Check{
	ID: "ssh.insecure_key_left", Title: "The machines do not keep the well-known key", Target: OnHost, Severity: finding.Minor, Rows: []string{"ssh.insecure_key_left"}, Level: LevelConfirm,
	Link:  "https://developer.hashicorp.com/vagrant/docs/vagrantfile/ssh_settings",
	Why:   "With insert_key = false everybody who reaches the guest's port can log in with a key that the whole world has.",
	Looks: "config.ssh.insert_key of the Vagrantfile", Source: "host-catalogue 1.9",
	Eval: onWanted(func(_ *facts.Facts, w facts.Wanted) finding.Verdict {
		for _, m := range w.Machines {
			insert, err := m.InsertKey.Get()
			switch {
			case err != nil:
				return finding.Cannot(err)
			case !insert:
				return finding.Warnf("machine %s keeps Vagrant's well-known key (insert_key = false)", m.Name).Diff("insert_key = true", "false").
					Advise("take that line out of the Vagrantfile unless the machine is only reached from this host", "")
			}
		}
		return finding.Passf("%d machines", len(w.Machines))
	}),
})

var _ = register(Check{
	ID: "ssh.insecure_key_copy", Title: "Vagrant can write its well-known key", Target: OnHost, Severity: finding.Critical, Rows: []string{"ssh.insecure_key_copy"}, Level: LevelSudo,
	CausedBy: []string{"vagrant.home_access"}, Link: vagrantIssues + "2465",
	Why:   "`Vagrant failed to copy the default insecure private key into your home directory.`",
	Looks: "access(2) on the Vagrant home, or on the folder that it will be made in", Source: "host-catalogue 1.9",
	Eval: preflight(func(p *facts.Preflight) facts.Value[facts.Disk] { return p.Disk }, func(_ *facts.Facts, d facts.Disk) finding.Verdict {
		if d.VagrantHome.Denied != "" {
			return finding.Failf("%s: %s", d.VagrantHome.Path, d.VagrantHome.Denied).Diff("a folder that can be written", d.VagrantHome.Denied).
				Advise("make it yours again", "sudo chown -R \"$(id -un)\" "+quoted(d.VagrantHome.Path))
		}
		return finding.Passf("%s", d.VagrantHome.Path)
	}),
})

// oldGuests are boxes whose sshd only speaks what OpenSSH 8.8 switched off.
var oldGuests = []string{"centos/6", "centos6", "centos-6", "centos64", "centos65", "precise", "squeeze", "wheezy", "debian-7"}

var _ = register(Check{
	ID: "ssh.old_algorithms", Title: "This Vagrant can log in to old guests", Target: OnHost, Severity: finding.Major, Rows: []string{"ssh.old_algorithms"}, Level: LevelAuto,
	Link:  "https://github.com/hashicorp/vagrant/pull/13179",
	Why:   "Guests such as CentOS 6 only sign with ssh-rsa, which OpenSSH 8.8 refuses; Vagrant before 2.3.7 does not ask for it.",
	Looks: "the box's name and Vagrant's version", Source: "host-catalogue 1.9",
	Eval: onWanted(func(f *facts.Facts, w facts.Wanted) finding.Verdict {
		for _, m := range w.Machines {
			box, err := m.Box.Get()
			if err != nil {
				return finding.Cannot(err)
			}
			if !slices.ContainsFunc(oldGuests, func(s string) bool { return strings.Contains(strings.ToLower(box), s) }) {
				continue
			}
			return ruled("ssh.old_algorithms", func(f *facts.Facts) finding.Verdict {
				return finding.Warnf("`vagrant ssh` of Vagrant %s will not get into the old guest of box %s", versions(f).Vagrant, box).Diff("Vagrant 2.3.7 or later", versions(f).Vagrant).
					Advise("upgrade Vagrant, or log in with the old algorithm", "vagrant ssh "+quoted(m.Name)+" -- -o PubkeyAcceptedAlgorithms=+ssh-rsa -o HostKeyAlgorithms=+ssh-rsa")
			})(f)
		}
		return finding.Passf("no box of an old guest")
	}),
})
