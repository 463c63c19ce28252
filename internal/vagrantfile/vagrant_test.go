//go:build acceptance

package vagrantfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// left are samples that Vagrant is not given: they install plugins, end the run, or need what is not there.
var left = map[string]string{
	"plugins_installed_by_hand": "it would install plugins", "vbguest": "it would ask to install plugins", "ends_here": "it ends the process",
	"loads_others": "it loads files that are not there",
}

// refused are samples that Vagrant 2.3.4 on Ruby 3.1 does not take, with why.
var refused = map[string]string{
	"broken_end": "syntax", "broken_heredoc": "syntax", "broken_lines": "syntax", "broken_quote": "syntax",
	"yaml_settings": "the YAML file is not there", "lambdas": "`it` came with Ruby 3.4", "synced_folders": "a name that is not defined",
	"whole_options_unknown": "a name that is not defined", "version_one": "its translation of version 1 does not work with Ruby 3",
}

// own are forwards that Vagrant adds to a Windows guest by itself.
var own = []string{"winrm-ssl", "winrm", "ssh"}

// vagrantMachine is what vagrant.rb says of a machine.
type vagrantMachine struct {
	Name, Box, Hostname, GUI string
	BoxVersion               string `json:"box_version"`
	BootTimeout              string `json:"boot_timeout"`
	InsertKey                string `json:"insert_key"`
	Networks                 []struct {
		Kind    string
		Options map[string]any
	}
	Folders   []map[string]any
	Customize [][]string
	NameOfVM  string `json:"name_of_vm"`
}

// against compares what is known with what Vagrant understood.
type against struct {
	*testing.T
	compared int
}

func (a *against) same(what string, ours, theirs any) {
	a.Helper()
	a.compared++
	if fmt.Sprint(ours) != fmt.Sprint(theirs) {
		a.Errorf("%s: %v here, %v in Vagrant", what, ours, theirs)
	}
}

// known compares a setting when it is known.
func known[T any](a *against, what string, s Setting[T], theirs any) {
	a.Helper()
	if v, err := s.Value.Get(); s.Set && err == nil {
		a.same(what, v, theirs)
	}
}

// TestAgainstVagrant reads the samples with the real Vagrant of this computer, too: what is known here is what Vagrant understands.
func TestAgainstVagrant(t *testing.T) {
	ruby, err := exec.LookPath("ruby")
	if err == nil {
		err = exec.CommandContext(t.Context(), ruby, "-e", `require "vagrant"`).Run()
	}
	if err != nil {
		t.Skipf("no Vagrant for Ruby: %v", err)
	}
	var files []string
	for _, path := range samples(t) {
		if left[nameOf(path)] == "" {
			files = append(files, path)
		}
	}
	c := exec.CommandContext(t.Context(), ruby, append([]string{"testdata/vagrant.rb"}, files...)...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var all map[string]struct {
		Machines []vagrantMachine
		Error    string
	}
	if err := json.Unmarshal(out[bytes.LastIndexByte(bytes.TrimSpace(out), '\n'):], &all); err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, path := range files {
		t.Run(nameOf(path), func(t *testing.T) {
			theirs := all[path]
			if (theirs.Error != "") != (refused[nameOf(path)] != "") {
				t.Fatalf("Vagrant says %q; expected: %q", theirs.Error, refused[nameOf(path)])
			}
			if theirs.Error == "" {
				a := &against{T: t}
				a.project(Parse(read(t, path), Options{}), theirs.Machines)
				total += a.compared
			}
		})
	}
	t.Logf("%d values compared", total)
}

func nameOf(path string) string { return strings.TrimSuffix(filepath.Base(path), ".Vagrantfile") }

func (a *against) project(p Project, theirs []vagrantMachine) {
	sure := true
	for _, m := range p.Machines {
		name, err := m.Name.Or("default").Get()
		sure = sure && m.Maybe == "" && err == nil
		i := slices.IndexFunc(theirs, func(v vagrantMachine) bool { return v.Name == name })
		switch {
		case i >= 0:
			a.machine(m, theirs[i])
		case m.Maybe == "" && err == nil:
			a.Errorf("Vagrant has no machine %s", name)
		}
	}
	if sure {
		a.same("machines", len(p.Machines), len(theirs))
	}
}

func (a *against) machine(m Machine, v vagrantMachine) {
	known(a, "box", m.Box, v.Box)
	known(a, "box_version", m.BoxVersion, v.BoxVersion)
	known(a, "hostname", m.Hostname, v.Hostname)
	known(a, "boot_timeout", m.BootTimeout, v.BootTimeout)
	known(a, "ssh.insert_key", m.Settings["ssh.insert_key"], v.InsertKey)
	known(a, "memory", m.VirtualBox.MemoryMB, v.last("--memory", ""))
	known(a, "cpus", m.VirtualBox.CPUs, v.last("--cpus", ""))
	known(a, "name", m.VirtualBox.Name, v.last("--name", v.NameOfVM))
	known(a, "gui", m.VirtualBox.GUI, v.GUI)
	a.forwards(m, v)
	a.networks(m, v)
	a.folders(m, v)
}

// last is the last value that modifyvm gives a flag.
func (v vagrantMachine) last(flag, def string) string {
	for _, args := range slices.Backward(v.Customize) {
		if i := slices.Index(args, flag); i > 0 && args[0] == "modifyvm" && i+1 < len(args) {
			return args[i+1]
		}
	}
	return def
}

func (a *against) forwards(m Machine, v vagrantMachine) {
	var theirs, named []map[string]any
	for _, n := range v.Networks {
		if n.Kind == "forwarded_port" {
			theirs = append(theirs, n.Options)
		}
	}
	for _, f := range m.ForwardedPorts {
		guest, err := f.Guest.Value.Get()
		host, err2 := f.Host.Value.Get()
		if err != nil || err2 != nil || f.Maybe != "" || f.Unread != "" {
			return // how many there are is not known
		}
		protocol, _ := f.Protocol.Or("tcp").Get()
		i := slices.IndexFunc(theirs, func(o map[string]any) bool {
			return o["guest"] == fmt.Sprint(guest) && o["host"] == fmt.Sprint(host) && o["protocol"] == protocol
		})
		if i < 0 {
			a.Errorf("Vagrant does not forward %d to %d: %v", host, guest, theirs)
			continue
		}
		named = append(named, theirs[i])
		known(a, "host_ip", f.HostIP, theirs[i]["host_ip"])
		known(a, "guest_ip", f.GuestIP, theirs[i]["guest_ip"])
		known(a, "id", f.ID, theirs[i]["id"])
		known(a, "auto_correct", f.AutoCorrect, theirs[i]["auto_correct"])
		known(a, "disabled", f.Disabled, theirs[i]["disabled"])
	}
	for _, o := range theirs {
		if !slices.Contains(own, fmt.Sprint(o["id"])) && !slices.ContainsFunc(named, func(n map[string]any) bool { return fmt.Sprint(n) == fmt.Sprint(o) }) {
			a.Errorf("Vagrant forwards %v, which was not read", o)
		}
	}
}

func (a *against) networks(m Machine, v vagrantMachine) {
	theirs := slices.DeleteFunc(slices.Clone(v.Networks), func(n struct {
		Kind    string
		Options map[string]any
	}) bool {
		return n.Kind == "forwarded_port"
	})
	if slices.ContainsFunc(m.Networks, func(n Network) bool { return n.Maybe != "" || !n.Kind.Value.IsKnown() }) {
		return
	}
	a.same("number of networks", len(m.Networks), len(theirs))
	for i, n := range m.Networks[:min(len(m.Networks), len(theirs))] {
		o := theirs[i].Options
		known(a, "kind", n.Kind, theirs[i].Kind)
		known(a, "ip", n.IP, o["ip"])
		known(a, "type", n.Type, o["type"])
		known(a, "netmask", n.Netmask, o["netmask"])
		known(a, "name", n.Name, o["name"])
		known(a, "auto_config", n.AutoConfig, o["auto_config"])
		known(a, "virtualbox__intnet", n.Internal, o["virtualbox__intnet"])
	}
}

func (a *against) folders(m Machine, v vagrantMachine) {
	for _, f := range m.SyncedFolders {
		guest, err := f.Guest.Value.Get()
		if err != nil || f.Maybe != "" {
			continue
		}
		i := slices.IndexFunc(v.Folders, func(o map[string]any) bool { return o["guestpath"] == strings.TrimSuffix(guest, "/") })
		if i < 0 {
			a.Errorf("Vagrant has no folder %s", guest)
			continue
		}
		o := v.Folders[i]
		known(a, "host", f.Host, o["hostpath"])
		known(a, "type", f.Type, o["type"])
		known(a, "owner", f.Owner, o["owner"])
		known(a, "create", f.Create, o["create"])
		known(a, "disabled", f.Disabled, o["disabled"])
		known(a, "mount_options", f.MountOptions, o["mount_options"])
	}
}
