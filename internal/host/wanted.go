package host

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/vagrantfile"
)

// wanted reads the Vagrantfile without running it.
func (ob *observer) wanted() facts.Value[facts.Wanted] {
	if ob.project.Root == "" {
		return facts.Unknownf[facts.Wanted]("there is no Vagrant project here")
	}
	path := ob.vagrantfile()
	src, err := readBounded(path, vagrantfile.MaxSize)
	if err != nil {
		return facts.Unknownf[facts.Wanted]("the Vagrantfile cannot be read: %v", err)
	}
	p := vagrantfile.Parse(src, vagrantfile.Options{
		Path: filepath.ToSlash(path), LookupEnv: func(name string) (string, bool) { v := ob.Getenv(name); return v, v != "" },
		HasPlugin: ob.hasPlugin, Exists: func(p string) bool { _, err := os.Stat(p); return err == nil },
	})
	return facts.Known(ob.wantedOf(p))
}

// hasPlugin answers Vagrant.has_plugin? from the lists of plugins.
func (ob *observer) hasPlugin(name string) bool {
	for _, p := range ob.plugins(facts.VagrantHome{Path: ob.vagrantHome()}) {
		if p.Name == name {
			return true
		}
	}
	return false
}

func (ob *observer) wantedOf(p vagrantfile.Project) facts.Wanted {
	w := facts.Wanted{}
	for _, m := range p.Machines {
		w.Machines = append(w.Machines, ob.wantedMachine(m))
	}
	for _, r := range p.RequireVersion {
		w.Require = append(w.Require, r.Value.Or(""))
	}
	for _, s := range p.Plugins {
		if name := s.Value.Or(""); name != "" {
			w.Plugins = append(w.Plugins, name)
		}
	}
	for _, problem := range p.Problems {
		w.Unread = append(w.Unread, problem.String())
		if problem.Kind == vagrantfile.Syntax && w.Broken == "" {
			w.Broken = problem.String()
		}
	}
	return w
}

func (ob *observer) wantedMachine(m vagrantfile.Machine) facts.WantedMachine {
	out := facts.WantedMachine{
		Name: cmp.Or(m.Name.Or("default").Or(""), "?"), Box: m.Box.Or(""), BoxVersion: m.BoxVersion.Or(""),
		VMName: m.VirtualBox.Name.Or(""), MemoryMB: m.VirtualBox.MemoryMB.Or(0), CPUs: m.VirtualBox.CPUs.Or(0), InsertKey: insertKey(m),
	}
	for _, n := range m.Networks {
		out.Networks = append(out.Networks, wantedNetwork(n))
	}
	for _, f := range m.ForwardedPorts {
		if f.Disabled.Value.Or(false) {
			if f.ID.Value.Or("") == "ssh" {
				out.NoSSHForward = true
			}
			continue
		}
		out.Forwards = append(out.Forwards, facts.WantedForward{
			Line: f.Line, ID: f.ID.Value.Or(""), Proto: f.Protocol.Or("tcp").Or("tcp"), Host: f.Host.Or(0), Guest: f.Guest.Or(0),
			HostIP: f.HostIP.Or(""), AutoCorrect: f.AutoCorrect.Value.Or(false),
		})
	}
	for _, f := range m.SyncedFolders {
		if !f.Disabled.Value.Or(false) && f.Type.Value.Or("virtualbox") != "" {
			out.Folders = append(out.Folders, ob.wantedFolder(f))
		}
	}
	return out
}

// insertKey is config.ssh.insert_key; Vagrant inserts a key unless told otherwise.
func insertKey(m vagrantfile.Machine) facts.Value[bool] {
	s, set := m.Settings["ssh.insert_key"]
	if !set {
		return facts.Known(true)
	}
	v, err := s.Value.Get()
	if err != nil {
		return facts.Unknownf[bool]("%s", strings.TrimPrefix(err.Error(), facts.ErrNotCollected.Error()+": "))
	}
	return facts.Known(v != "false" && v != "nil")
}

func wantedNetwork(n vagrantfile.Network) facts.WantedNetwork {
	out := facts.WantedNetwork{
		Line: n.Line, Public: n.Kind.Value.Or("") == "public_network", IP: n.IP.Or(""),
		DHCP: n.Type.Value.Or("") == "dhcp", Internal: n.Internal.Set && n.Internal.Value.Or("") != "false", Bridge: facts.Known(""),
	}
	if n.Bridge.Set {
		list, err := n.Bridge.Value.Get()
		out.Bridge = facts.Known(strings.Join(list, ", "))
		if err != nil {
			out.Bridge = facts.Unknownf[string]("%s", strings.TrimPrefix(err.Error(), facts.ErrNotCollected.Error()+": "))
		}
	}
	return out
}

func (ob *observer) wantedFolder(f vagrantfile.SyncedFolder) facts.WantedFolder {
	out := facts.WantedFolder{Line: f.Line, Host: f.Host.Or(""), Guest: f.Guest.Or(""), Create: f.Create.Value.Or(false)}
	path, err := out.Host.Get()
	if err != nil {
		return out
	}
	path = ob.tilde(path)
	if !filepath.IsAbs(path) {
		path = filepath.Join(ob.project.Root, path)
	}
	_, err = os.Stat(path)
	out.Exists = !errors.Is(err, fs.ErrNotExist)
	out.Host = facts.Known(path)
	return out
}
