package host

import (
	"crypto/md5" //nolint:gosec // Vagrant's own name for its lock file; nothing is protected by it
	"encoding/hex"
	"path/filepath"
)

// actionLockPath is the file that Vagrant (since 1.6.2) holds an flock on while it works on a machine: its name
// is made of the project's root, the Vagrantfile's name when that was given by VAGRANT_VAGRANTFILE, the local
// data folder and the machine's name.
func actionLockPath(vagrantHome, root, vagrantfile, dotVagrant, machine string) string {
	sum := md5.Sum([]byte(root + vagrantfile + dotVagrant + machine)) //nolint:gosec // see above
	return filepath.Join(vagrantHome, "data", "lock.machine-action-"+hex.EncodeToString(sum[:])+".lock")
}

// VagrantWorks tells whether a vagrant command works on this machine right now (`vagrant up` that is still
// mounting, a provisioner): changing the guest under it helps nobody.
func (m Machine) VagrantWorks() bool { return m.ActionLock != "" && held(m.ActionLock) }
