package checks

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
)

var _ = register(Check{
	ID: "mount.other_ways", Title: "vboxsf can work in this guest", Target: OnGuest, Severity: finding.Critical,
	Rows: []string{"V25"}, Needs: append([]facts.Key{facts.KeyMounts, facts.KeyResolve, facts.KeyPackages, facts.KeyGALog}, buildNeeds...),
	After: []string{reachable},
	Why: "For some pairs of Guest Additions and kernel nothing makes vboxsf work, and a repair would only cost time. Then the folder has to come into the guest in " +
		"another way: each has its price, and each needs something on both sides.",
	Looks:  "which Guest Additions build for which installed or offered kernel; rsync, NFS, SMB and sshfs in the guest and on this host",
	Source: "guest-catalogue 1.7, V25; Vagrant's documentation of synced folders",
	Eval:   sharesOf(evalWays),
})

func evalWays(f *facts.Facts, m facts.Mounts, folders []facts.SyncedFolder) finding.Verdict {
	all := true
	for _, w := range folders {
		all = all && assess.MountedAt(m, w)
	}
	if all {
		return finding.Passf("%d folders are mounted", len(folders))
	}
	for _, need := range []error{errOf(f.Guest.System.Get()), errOf(f.Guest.Kernel.Get()), errOf(f.Guest.Modules.Get()), errOf(f.Guest.Additions.Get())} {
		if need != nil {
			return finding.Cannot(need)
		}
	}
	why := assess.NoWay(f)
	if why == "" {
		return finding.Passf("nothing known speaks against it")
	}
	v := finding.Failf("nothing can make vboxsf work here: %s", why).Diff("another way to share the folder", "vboxsf")
	for _, w := range ways {
		v = w.advise(v, f, m, folders[0])
	}
	return v
}

func errOf[T any](_ T, err error) error { return err }

// way is another way to bring a folder into a guest.
type way struct {
	// kind is Vagrant's name of it, price what it costs.
	kind, price string
	// guest and host are the programs that are needed there; a host's may come with its system.
	guest, host string
	builtIn     map[string]bool
	// never are hosts on which it does not work.
	never map[string]bool
	// also is what else is needed.
	also string
}

var ways = []way{
	{kind: "rsync", guest: "rsync", host: "rsync", price: "a copy, one way: changes in the guest do not come back, and those of the host only with `vagrant rsync-auto`"},
	{kind: "nfs", guest: "mount.nfs", host: "nfsd", builtIn: map[string]bool{"darwin": true}, never: map[string]bool{"windows": true},
		price: "fast and both ways; root's rights on the host for /etc/exports, owners are the host's numbers", also: "a private network in the Vagrantfile (config.vm.network \"private_network\", type: \"dhcp\")"},
	{kind: "smb", guest: "mount.cifs", host: "smb", builtIn: map[string]bool{"windows": true, "darwin": true}, never: map[string]bool{"linux": true},
		price: "both ways; asks for the host's password and an administrator's shell on Windows, no symbolic links"},
	{kind: "sshfs", guest: "sshfs", host: "sftp-server", price: "both ways over SSH's SFTP; slower than NFS, and gone when the connection is", also: "vagrant plugin install vagrant-sshfs"},
}

// advise adds the way with the Vagrantfile's line, its price, and what is missing where.
func (w way) advise(v finding.Verdict, f *facts.Facts, m facts.Mounts, s facts.SyncedFolder) finding.Verdict {
	if w.never[f.Host.OS] {
		return v.Advise(fmt.Sprintf("%s is no way here: Vagrant does not offer it on %s hosts", w.kind, osName(f.Host.OS)), "")
	}
	text := fmt.Sprintf("%s: %s. %s; %s", w.kind, w.price, w.inGuest(m), w.onHost(f))
	if w.also != "" {
		text += "; it also needs: " + w.also
	}
	return v.Advise(text, fmt.Sprintf("config.vm.synced_folder %s, %s, type: %q", ruby(hostFolder(f, s)), ruby(s.GuestPath), w.kind))
}

func (w way) inGuest(m facts.Mounts) string {
	path, asked := m.Tools[w.guest]
	switch {
	case !asked:
		return "whether the guest has " + w.guest + " is not known"
	case path == "":
		return "the guest lacks " + w.guest + " (Vagrant installs it where it can)"
	}
	return "the guest has " + w.guest
}

func (w way) onHost(f *facts.Facts) string {
	tools, err := f.Host.ShareTools.Get()
	switch {
	case w.builtIn[f.Host.OS]:
		return "this host has it built in"
	case f.Host.Explicit || err != nil:
		return "whether the host has " + w.host + " is not known"
	case tools[w.host] == "":
		return "this host lacks " + w.host
	}
	return "this host has " + w.host
}

func osName(goos string) string {
	return map[string]string{"windows": "Windows", "darwin": "macOS", "linux": "Linux"}[goos]
}

// hostFolder is the host's side as a Vagrantfile names it: relative to the project where it lies in it.
func hostFolder(f *facts.Facts, s facts.SyncedFolder) string {
	rel, err := filepath.Rel(f.Host.ProjectRoot.Or(""), s.HostPath)
	if s.HostPath == "" {
		return "."
	}
	if err == nil && !strings.HasPrefix(rel, "..") {
		return filepath.ToSlash(rel)
	}
	return s.HostPath
}

// ruby is a text as a Ruby string without interpolation.
func ruby(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
