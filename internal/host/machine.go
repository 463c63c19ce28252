package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/guest/sshguest"
	"github.com/boxdoctor/boxdoctor/internal/shell"
)

// Classes of a Machine's Problem.
const (
	ClassNotRunning  = "not_running"
	ClassNotCreated  = "not_created"
	ClassUnknownName = "unknown_name"
	ClassConfig      = "config"
)

// defaultUser is the login user of Vagrant boxes.
const defaultUser = "vagrant"

// vmState is what is known of one VM, from whichever source answered.
type vmState struct {
	vm vmInfo
	// missing: VirtualBox answered and has no such VM.
	missing bool
	err     error // nothing answered
}

// lookUp asks VBoxManage for a VM, else reads its settings file. A file knows no state: State stays empty.
func (ob *observer) lookUp(ctx context.Context, uuid string) vmState {
	if ob.manageWorks {
		a, asked := ob.infos[uuid]
		if !asked {
			a.out, a.err = ob.manage.ask(ctx, "showvminfo", uuid, "--machinereadable")
		}
		out, err := a.out, a.err
		if err == nil {
			return vmState{vm: ob.withSettings(parseVMInfo(out.Stdout))}
		}
		if notFound(err) {
			return vmState{missing: true}
		}
		if vm, fileErr := ob.fromSettings(uuid); fileErr == nil {
			return vmState{vm: vm}
		}
		return vmState{err: err}
	}
	vm, err := ob.fromSettings(uuid)
	return vmState{vm: vm, err: err}
}

func (ob *observer) fromSettings(uuid string) (vmInfo, error) {
	path, err := ob.settingsOf(uuid)
	if err != nil {
		return vmInfo{}, err
	}
	return readVBox(path)
}

// withSettings adds what only the settings file tells: whether a share is read-only or may hold symbolic links, and the forwards that
// VirtualBox 7.0.0 leaves out of showvminfo when there are several.
func (ob *observer) withSettings(vm vmInfo) vmInfo {
	if vm.CfgFile == "" {
		return vm
	}
	file, err := readVBox(vm.CfgFile)
	if err != nil || file.UUID != vm.UUID {
		return vm // showvminfo alone still tells nearly everything
	}
	if _, ok := sshForward(vm.Forwards); !ok || ob.dropsForwards {
		vm.Forwards = file.Forwards
	}
	vm.Symlinks = file.Symlinks
	for i, s := range vm.Shares {
		for _, f := range file.Shares {
			if f.Name == s.Name && f.HostPath == s.HostPath {
				vm.Shares[i].ReadOnly = f.ReadOnly
			}
		}
	}
	return vm
}

// examine turns one machine of the project into a machine to examine, or into one with a Problem.
func (ob *observer) examine(ctx context.Context, m machineDir) Machine {
	out := ob.blank(m.Name)
	out.Host.Folders = readFolders(filepath.Join(m.Dir, "synced_folders"))
	data := filepath.Dir(filepath.Dir(filepath.Dir(m.Dir)))
	out.ActionLock = actionLockPath(ob.vagrantHome(), ob.facts.ProjectRoot.Or(""), ob.Getenv("VAGRANT_VAGRANTFILE"), data, m.Name)
	if m.IDProblem != nil {
		return out.refuse(ClassConfig, "", m.IDProblem)
	}
	if m.ID == "" {
		return out.refuse(ob.absent(m))
	}
	out.Facts.UUID = m.ID
	state := ob.lookUp(ctx, m.ID)
	if state.err != nil {
		return out.refuse(ClassConfig, "", fmt.Errorf("machine %s: it cannot be told how to reach its VM %s: %w", m.Name, m.ID, state.err))
	}
	if state.missing {
		return out.refuse(ClassNotCreated, "VBoxManage list vms", ob.lost(m))
	}
	out.Host.VM = facts.Known(state.vm.VM)
	if p, command := notRunning(m.Name, state.vm); p != nil {
		return out.refuse(ClassNotRunning, command, p)
	}
	for _, f := range state.vm.Forwards {
		out.Forwards = append(out.Forwards, Forward{f.Proto, f.HostIP, f.HostPort, f.GuestPort})
	}
	f, ok := sshForward(state.vm.Forwards)
	if !ok {
		return out.refuse(ClassConfig, "boxdoctor check --ssh "+ob.user()+"@ADDRESS:PORT -i KEY", fmt.Errorf(
			"machine %s: its VM has no NAT forward to port 22 of the guest, by which Vagrant reaches it; name the address yourself", m.Name))
	}
	out.SSH = ob.vagrantSSH(m, f)
	return out
}

// blank is a machine of which only the name is known.
func (ob *observer) blank(name string) Machine {
	return Machine{
		Facts: facts.Machine{Name: name, User: ob.user(), ForceVirtualBox: ob.VBoxVersion != ""},
		Host:  ob.facts,
	}
}

func (ob *observer) user() string {
	if ob.User != "" {
		return ob.User
	}
	return defaultUser
}

// refuse completes a machine that cannot be reached.
func (m Machine) refuse(class, command string, problem error) Machine {
	m.Class, m.Command, m.Problem = class, command, problem
	if !m.Host.VM.IsKnown() {
		m.Host.VM = facts.Unknownf[facts.VM]("%v", problem)
	}
	return m
}

// absent words the problem of a machine that VirtualBox has no VM for.
func (ob *observer) absent(m machineDir) (class, command string, problem error) {
	if len(m.Others) > 0 {
		return ClassConfig, "vagrant ssh-config " + shell.Quote(m.Name) + " > ssh.cfg && boxdoctor check --ssh-config ssh.cfg",
			fmt.Errorf("machine %s is run by %s, not by VirtualBox: give boxdoctor its SSH configuration", m.Name, strings.Join(m.Others, ", "))
	}
	return ClassNotCreated, up(m.Name), fmt.Errorf("machine %s has not been created: Vagrant has no record of a VM for it in %s", m.Name, m.Dir)
}

// lost words the problem of a VM that Vagrant remembers and VirtualBox does not. Asking vagrant about it
// would delete the record and the machine's key (host-catalogue finding 1), hence the warning.
func (ob *observer) lost(m machineDir) error {
	return fmt.Errorf("machine %s: Vagrant remembers VM %s, but VirtualBox has no such VM in this user's list (it was deleted, unregistered, or belongs to another user or VBOX_USER_HOME). "+
		"Look for it before you run any vagrant command here: `vagrant status` would delete %s with the machine's key", m.Name, m.ID, m.Dir)
}

// notRunning words the problem of a VM that is not running. An empty state is not known: it is worth a try.
func notRunning(name string, vm vmInfo) (problem error, command string) {
	if vm.Name == inaccessible {
		return fmt.Errorf("machine %s: VirtualBox cannot read the settings of its VM %s (it is listed as inaccessible)", name, vm.UUID),
			"VBoxManage showvminfo " + shell.Quote(vm.UUID)
	}
	switch vm.State {
	case "", "running", "livesnapshotting", "onlinesnapshotting", "teleporting":
		return nil, ""
	case "paused":
		return fmt.Errorf("machine %s is paused", name), "vagrant resume " + shell.Quote(name)
	case "saved":
		return fmt.Errorf("machine %s is not running: its state is saved", name), "vagrant resume " + shell.Quote(name)
	case "gurumeditation", "stuck":
		return fmt.Errorf("machine %s has crashed inside VirtualBox (state %s)", name, vm.State),
			"vagrant halt --force " + shell.Quote(name) + " && " + up(name)
	}
	return fmt.Errorf("machine %s is not running: VirtualBox says %q", name, vm.State), up(name)
}

func up(name string) string { return "vagrant up " + shell.Quote(name) }

// vagrantSSH is how Vagrant reaches the machine: the forward, the machine's key, the user of the box.
func (ob *observer) vagrantSSH(m machineDir, f forward) sshguest.Config {
	host := f.dialIP()
	c := ob.ssh(m.Name, host, f.HostPort)
	c.KeyFiles = append(c.KeyFiles, ob.machineKeys(m)...)
	c.HostKeyID, c.TrustFirstUse = m.ID, loopback(host)
	return c
}

// ssh is what every way of reaching a machine has in common.
func (ob *observer) ssh(name, host string, port int) sshguest.Config {
	c := sshguest.Config{
		Name: name, User: ob.user(), Host: host, Port: port, UseAgent: true,
		KnownHosts: []string{filepath.Join(ob.HomeDir, ".ssh", "known_hosts")},
		KeyStore:   filepath.Join(ob.StateDir, "hostkeys"),
		Getenv:     ob.Getenv,
	}
	if ob.Key != "" {
		c.KeyFiles = []string{ob.tilde(ob.Key)}
	}
	return c
}

// machineKeys are the keys that Vagrant would offer: the machine's own, else the well-known ones.
func (ob *observer) machineKeys(m machineDir) []string {
	own := filepath.Join(m.Dir, "private_key")
	if regular(own) {
		return []string{own}
	}
	home := ob.vagrantHome()
	return []string{
		filepath.Join(home, "insecure_private_keys", "vagrant.key.ed25519"),
		filepath.Join(home, "insecure_private_keys", "vagrant.key.rsa"),
		filepath.Join(home, "insecure_private_key"),
	}
}

func (ob *observer) vagrantHome() string {
	if home := ob.Getenv("VAGRANT_HOME"); home != "" {
		return ob.tilde(home)
	}
	return filepath.Join(ob.HomeDir, ".vagrant.d")
}

// loopback reports whether an address is this machine itself.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// unknownName is a machine that the user named and no file knows. command is put before a name that is known.
func (ob *observer) unknownName(name string, known []string, where, command string) Machine {
	m := ob.blank(name)
	if len(known) == 0 {
		return m.refuse(ClassNotCreated, up(name), fmt.Errorf("machine %s: %s has no machines yet", name, where))
	}
	if near := nearest(name, known); near != "" {
		return m.refuse(ClassUnknownName, command+shell.Quote(near),
			fmt.Errorf("there is no machine %q in %s; the nearest name is %q", clean(name), where, near))
	}
	return m.refuse(ClassUnknownName, command+shell.Quote(known[0]),
		fmt.Errorf("there is no machine %q in %s; it has: %s", clean(name), where, strings.Join(known[:min(len(known), 20)], ", ")))
}

// unique drops repeated names and keeps the order.
func unique(names []string) []string {
	var out []string
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// errNoHost is wrapped when --ssh names no host.
var errNoHost = errors.New("expected [user@]host[:port], such as vagrant@192.168.56.10:22 or [::1]:2222")

// parseTarget reads --ssh [user@]host[:port]; an IPv6 address with a port stands in brackets.
func parseTarget(s string) (user, host string, portNumber int, err error) {
	rest := strings.TrimSpace(s)
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		user, rest = rest[:i], rest[i+1:]
	}
	host, portNumber = rest, 22
	if inner, ok := strings.CutPrefix(rest, "["); ok {
		end := strings.IndexByte(inner, ']')
		if end < 0 {
			return "", "", 0, fmt.Errorf("--ssh %q: the bracket of the IPv6 address is not closed: %w", s, errNoHost)
		}
		host, rest = inner[:end], inner[end+1:]
		if net.ParseIP(strings.Split(host, "%")[0]) == nil {
			return "", "", 0, fmt.Errorf("--ssh %q: %q is not an IPv6 address: %w", s, host, errNoHost)
		}
	} else if strings.Count(rest, ":") == 1 {
		i := strings.IndexByte(rest, ':')
		host, rest = rest[:i], rest[i:]
	} else {
		rest = ""
	}
	if p, found := strings.CutPrefix(rest, ":"); found || rest != "" {
		n, ok := port(p)
		if !ok || !found {
			return "", "", 0, fmt.Errorf("--ssh %q: %q is not a port from 1 to 65535: %w", s, rest, errNoHost)
		}
		portNumber = n
	}
	if !hostForm(host) || strings.ContainsAny(user, " \t") || strings.HasPrefix(user, "-") {
		return "", "", 0, fmt.Errorf("--ssh %q: %w", s, errNoHost)
	}
	return user, host, portNumber, nil
}

// hostForm accepts host names, IPv4 and IPv6 addresses.
func hostForm(host string) bool {
	if host == "" || host[0] == '-' || len(host) > 255 || clean(host) != host {
		return false
	}
	if strings.Contains(host, ":") {
		return net.ParseIP(strings.Split(host, "%")[0]) != nil
	}
	return !strings.ContainsAny(host, " /\\@[]\"'`$;&|<>(){}*?!#")
}

// target is the one machine of --ssh.
func (ob *observer) target() (Machine, error) {
	user, host, portNumber, err := parseTarget(ob.SSH)
	if err != nil {
		return Machine{}, err
	}
	name := host
	if portNumber != 22 {
		name = net.JoinHostPort(host, strconv.Itoa(portNumber))
	}
	for _, n := range ob.Names {
		if n != name {
			return Machine{}, fmt.Errorf("--ssh names the one machine %s; leave out %q", name, n)
		}
	}
	m := ob.blank(name)
	m.Host.VM = facts.Unknownf[facts.VM]("the guest was given by --ssh, no VM of this host is known for it")
	m.Host.Folders = facts.Unknownf[[]facts.SyncedFolder]("the guest was given by --ssh, no Vagrant machine is known for it")
	m.SSH = ob.ssh(name, host, portNumber)
	if user != "" {
		m.SSH.User, m.Facts.User = user, user
	}
	if len(m.SSH.KeyFiles) == 0 {
		m.SSH.KeyFiles = ob.userKeys()
	}
	return m, nil
}

// userKeys are the keys that ssh itself would try; missing ones are passed over when dialling.
func (ob *observer) userKeys() []string {
	dir := filepath.Join(ob.HomeDir, ".ssh")
	return []string{filepath.Join(dir, "id_ed25519"), filepath.Join(dir, "id_ecdsa"), filepath.Join(dir, "id_rsa")}
}
