// Package vagrantfile reads what a Vagrantfile asks for without running it. A Vagrantfile is a program in Ruby; this
// package knows the part of Ruby that people write in one, follows it as far as it is made of literals, and says of
// everything else that it is unknown, why, and in which line. It reads no file, starts no program and never panics.
package vagrantfile

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// MaxSize bounds a Vagrantfile in bytes: the largest one seen in public has 66 KB.
const MaxSize = 1 << 20

// Options are what is known of the world around the file. The zero value knows nothing.
type Options struct {
	// Path is the absolute path of the file, with slashes; it gives __FILE__ and __dir__. Empty: not known.
	Path string
	// LookupEnv answers ENV. nil: every variable is unknown.
	LookupEnv func(string) (string, bool)
	// HasPlugin answers Vagrant.has_plugin?. nil: unknown.
	HasPlugin func(string) bool
	// Exists answers File.exist? for absolute paths. nil: unknown.
	Exists func(path string) bool
}

// Project is what a Vagrantfile asks for.
type Project struct {
	// Machines in the order of definition. A file without config.vm.define has one, "default".
	Machines []Machine `json:"machines"`
	// RequireVersion are the conditions of Vagrant.require_version, Plugins those of config.vagrant.plugins.
	RequireVersion []Setting[string] `json:"require_version,omitempty"`
	Plugins        []Setting[string] `json:"plugins,omitempty"`
	// Problems are what could not be read. When there is any, a setting that is not there may still be set.
	Problems []Problem `json:"problems,omitempty"`
}

// Setting is a value that the file sets, with where and how. The zero value is not set.
type Setting[T any] struct {
	// Set tells whether the file says anything.
	Set bool
	// Value is unknown, with the reason, when it depends on more than the file.
	Value facts.Value[T]
	// Line and Column, from 1, are where the value stands; Source is its text there, in one line.
	Line, Column int
	Source       string
}

// Or is the setting as a fact: def when the file does not set it.
func (s Setting[T]) Or(def T) facts.Value[T] {
	if !s.Set {
		return facts.Known(def)
	}
	return s.Value
}

// IsZero tells whether the file does not set it.
func (s Setting[T]) IsZero() bool { return !s.Set }

// MarshalJSON writes {"known":…} or {"unknown":"why"} with line, column and source.
func (s Setting[T]) MarshalJSON() ([]byte, error) {
	out := struct {
		Known   *T     `json:"known,omitempty"`
		Unknown string `json:"unknown,omitempty"`
		Line    int    `json:"line"`
		Column  int    `json:"column"`
		Source  string `json:"source"`
	}{Line: s.Line, Column: s.Column, Source: s.Source}
	if v, err := s.Value.Get(); err == nil {
		out.Known = &v
	} else {
		out.Unknown = strings.TrimPrefix(err.Error(), facts.ErrNotCollected.Error()+": ")
	}
	return json.Marshal(out)
}

// Machine is one machine of a project.
type Machine struct {
	Name Setting[string] `json:"name,omitzero"`
	// Maybe says why the machine may not exist, or may exist many times; empty: it exists.
	Maybe     string        `json:"maybe,omitempty"`
	Primary   Setting[bool] `json:"primary,omitzero"`
	Autostart Setting[bool] `json:"autostart,omitzero"`

	Box             Setting[string]   `json:"box,omitzero"`
	BoxVersion      Setting[string]   `json:"box_version,omitzero"`
	BoxArchitecture Setting[string]   `json:"box_architecture,omitzero"`
	BoxURL          Setting[[]string] `json:"box_url,omitzero"`
	BoxCheckUpdate  Setting[bool]     `json:"box_check_update,omitzero"`
	Hostname        Setting[string]   `json:"hostname,omitzero"`
	BootTimeout     Setting[int]      `json:"boot_timeout,omitzero"`

	ForwardedPorts []ForwardedPort `json:"forwarded_ports,omitempty"`
	Networks       []Network       `json:"networks,omitempty"`
	SyncedFolders  []SyncedFolder  `json:"synced_folders,omitempty"`
	// Providers are those that are configured, in this order.
	Providers    []Setting[string] `json:"providers,omitempty"`
	VirtualBox   VirtualBox        `json:"virtualbox,omitzero"`
	Provisioners []Provisioner     `json:"provisioners,omitempty"`
	Triggers     []Trigger         `json:"triggers,omitempty"`
	// Settings are all others by their dotted name, such as ssh.insert_key and vbguest.auto_update, with values as text.
	Settings map[string]Setting[string] `json:"settings,omitempty"`
}

// Entry is what every entry of a list has.
type Entry struct {
	Line int `json:"line"`
	// Maybe says why the entry may not be there; empty: it is.
	Maybe string `json:"maybe,omitempty"`
	// Unread says why not all of its options are known; empty: an option that is not here is not set.
	Unread string `json:"unread,omitempty"`
	// Options are those without a field of their own, with values as text.
	Options map[string]Setting[string] `json:"options,omitempty"`
}

// ForwardedPort is config.vm.network "forwarded_port".
type ForwardedPort struct {
	Entry
	Guest       Setting[int]    `json:"guest,omitzero"`
	Host        Setting[int]    `json:"host,omitzero"`
	HostIP      Setting[string] `json:"host_ip,omitzero"`
	GuestIP     Setting[string] `json:"guest_ip,omitzero"`
	Protocol    Setting[string] `json:"protocol,omitzero"`
	ID          Setting[string] `json:"id,omitzero"`
	AutoCorrect Setting[bool]   `json:"auto_correct,omitzero"`
	Disabled    Setting[bool]   `json:"disabled,omitzero"`
}

// Network is config.vm.network "private_network" or "public_network".
type Network struct {
	Entry
	// Kind is private_network or public_network.
	Kind Setting[string] `json:"kind"`
	IP   Setting[string] `json:"ip,omitzero"`
	// Type is dhcp or static.
	Type       Setting[string]   `json:"type,omitzero"`
	Netmask    Setting[string]   `json:"netmask,omitzero"`
	Name       Setting[string]   `json:"name,omitzero"`
	Bridge     Setting[[]string] `json:"bridge,omitzero"`
	AutoConfig Setting[bool]     `json:"auto_config,omitzero"`
	// Internal is virtualbox__intnet: true or the name of the internal network.
	Internal Setting[string] `json:"virtualbox__intnet,omitzero"`
}

// SyncedFolder is config.vm.synced_folder.
type SyncedFolder struct {
	Entry
	Host         Setting[string]   `json:"host,omitzero"`
	Guest        Setting[string]   `json:"guest,omitzero"`
	Type         Setting[string]   `json:"type,omitzero"`
	Disabled     Setting[bool]     `json:"disabled,omitzero"`
	Create       Setting[bool]     `json:"create,omitzero"`
	Owner        Setting[string]   `json:"owner,omitzero"`
	Group        Setting[string]   `json:"group,omitzero"`
	ID           Setting[string]   `json:"id,omitzero"`
	MountOptions Setting[[]string] `json:"mount_options,omitzero"`
	Automount    Setting[bool]     `json:"automount,omitzero"`
}

// VirtualBox is what the provider "virtualbox" is told. Memory, CPUs and Name are the last that is said, be it by vb.memory
// or by vb.customize.
type VirtualBox struct {
	Name        Setting[string] `json:"name,omitzero"`
	MemoryMB    Setting[int]    `json:"memory,omitzero"`
	CPUs        Setting[int]    `json:"cpus,omitzero"`
	GUI         Setting[bool]   `json:"gui,omitzero"`
	LinkedClone Setting[bool]   `json:"linked_clone,omitzero"`
	// CheckGuestAdditions and FunctionalVboxsf say whether Vagrant expects Guest Additions.
	CheckGuestAdditions Setting[bool] `json:"check_guest_additions,omitzero"`
	FunctionalVboxsf    Setting[bool] `json:"functional_vboxsf,omitzero"`
	Customize           []Customize   `json:"customize,omitempty"`
	// Settings are all others, with values as text.
	Settings map[string]Setting[string] `json:"settings,omitempty"`
}

// Customize is one vb.customize.
type Customize struct {
	Line  int    `json:"line"`
	Maybe string `json:"maybe,omitempty"`
	// Args are the arguments of VBoxManage; :id stands for the machine.
	Args Setting[[]string] `json:"args"`
}

// Provisioner is config.vm.provision.
type Provisioner struct {
	Entry
	Name Setting[string] `json:"name,omitzero"`
	Type Setting[string] `json:"type,omitzero"`
	Run  Setting[string] `json:"run,omitzero"`
	Path Setting[string] `json:"path,omitzero"`
}

// Trigger is config.trigger.before, after or instead_of.
type Trigger struct {
	Entry
	// When is before, after or instead_of; Actions are the commands.
	When    string            `json:"when"`
	Actions Setting[[]string] `json:"actions"`
	Name    Setting[string]   `json:"name,omitzero"`
	OnError Setting[string]   `json:"on_error,omitzero"`
}

// Parse reads a Vagrantfile.
func Parse(src []byte, o Options) Project {
	text := strings.TrimPrefix(string(src[:min(len(src), MaxSize)]), "\ufeff")
	ps := &problems{lines: newLines(text)}
	switch {
	case len(src) > MaxSize:
		ps.limit(span{}, fmt.Sprintf("the file has %d bytes; at most %d are read", len(src), MaxSize))
		return Project{Machines: []Machine{}, Problems: ps.sorted()}
	case strings.ContainsRune(text, 0) || !utf8.ValidString(text):
		ps.syntax(span{}, "this is not a text in UTF-8")
		return Project{Machines: []Machine{}, Problems: ps.sorted()}
	}
	e := newEvaluator(text, o, ps)
	p := e.build(parse(text, ps))
	p.Problems = ps.sorted()
	return p
}
