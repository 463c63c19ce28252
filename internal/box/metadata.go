// Package box finds out from a registry's metadata which file belongs to a box, as Vagrant does, and how Vagrant keeps
// the name and the version of a box that was downloaded by somebody else.
package box

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/download"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

// Metadata is what a registry says of a box.
type Metadata struct {
	Name     string    `json:"name"`
	Versions []Version `json:"versions"`
}

// Version is one version of a box.
type Version struct {
	Version   string     `json:"version"`
	Status    string     `json:"status,omitempty"`
	Providers []Provider `json:"providers"`
}

// Provider is one file of a version. Registries from before 2023 know no architecture.
type Provider struct {
	Name                string `json:"name"`
	URL                 string `json:"url"`
	Checksum            string `json:"checksum,omitempty"`
	ChecksumType        string `json:"checksum_type,omitempty"`
	Architecture        string `json:"architecture,omitempty"`
	DefaultArchitecture *bool  `json:"default_architecture,omitempty"`
}

// Want is which file of a box is wanted.
type Want struct {
	// Version is a condition as box_version has it; empty: the newest.
	Version  string
	Provider string
	// Architecture is auto for that of Host, else one by name.
	Architecture string
	Host         string
}

// Auto is the architecture that means the host's own.
const Auto = "auto"

// Choice is the file that belongs to what is wanted.
type Choice struct {
	Name, Version string
	Provider      Provider
	Sum           download.Checksum
	// MetadataURL is where the metadata came from.
	MetadataURL string
}

// NotThereError says that a registry has a box, but not what is wanted of it.
type NotThereError struct{ Text, Hint string }

// Error is the text and what to do.
func (e *NotThereError) Error() string { return e.Text + "\n" + e.Hint }

// parseMetadata reads metadata. name is what was asked for.
func parseMetadata(body []byte, name string) (Metadata, error) {
	var m Metadata
	if err := json.Unmarshal(body, &m); err != nil {
		return m, fmt.Errorf("it is no metadata of a box: %w", err)
	}
	if m.Versions == nil {
		return m, fmt.Errorf("it is JSON, but names no versions of a box")
	}
	if m.Name == "" {
		m.Name = name
	}
	if !strings.EqualFold(m.Name, name) {
		return m, fmt.Errorf("it is that of %.100q, but %s was asked for", m.Name, name)
	}
	return m, nil
}

// Choose finds the file as Vagrant does: the newest version that meets the condition and has the provider for the architecture.
func (m Metadata) Choose(w Want) (Choice, error) {
	require, err := version.ParseGemRequirement(w.Version)
	if err != nil {
		return Choice{}, err
	}
	versions := m.sorted()
	for _, v := range versions {
		if !require.Allows(v.gem) {
			continue
		}
		if p, ok := v.provider(w); ok {
			return m.choice(v.Version, p)
		}
	}
	return Choice{}, m.missing(w, require, versions)
}

func (m Metadata) choice(v Version, p Provider) (Choice, error) {
	sum, err := download.ParseChecksum(p.ChecksumType, p.Checksum)
	if err != nil {
		return Choice{}, fmt.Errorf("%s %s: the registry's checksum cannot be used: %w", m.Name, v.Version, err)
	}
	if p.URL == "" {
		return Choice{}, &NotThereError{fmt.Sprintf("%s %s: the registry lists %s, but no address of its file", m.Name, v.Version, p.Name),
			"Try an older version: --version '< " + v.Version + "'"}
	}
	return Choice{Name: m.Name, Version: v.Version, Provider: p, Sum: sum}, nil
}

type ordered struct {
	Version
	gem version.Gem
}

// sorted are the versions that can be ordered, newest first. Vagrant refuses the whole box for one that cannot.
func (m Metadata) sorted() []ordered {
	var all []ordered
	for _, v := range m.Versions {
		if g, err := version.ParseGem(v.Version); err == nil {
			all = append(all, ordered{v, g})
		}
	}
	slices.SortStableFunc(all, func(a, b ordered) int { return b.gem.Compare(a.gem) })
	return all
}

// provider picks the file of a version: that of the architecture; else, for the host's own, the default one whose architecture
// is unknown; else the only one, where the registry knows no architectures.
func (v Version) provider(w Want) (Provider, bool) {
	named := v.named(w.Provider)
	arch := w.Architecture
	if arch == Auto {
		arch = w.Host
	}
	for _, p := range named {
		if p.Architecture == arch {
			return p, true
		}
	}
	if w.Architecture != Auto {
		return Provider{}, false
	}
	for _, p := range named {
		if p.Architecture == "unknown" && p.DefaultArchitecture != nil && *p.DefaultArchitecture {
			return p, true
		}
	}
	if len(named) == 1 && named[0].DefaultArchitecture == nil {
		return named[0], true
	}
	return Provider{}, false
}

func (v Version) named(provider string) []Provider {
	var all []Provider
	for _, p := range v.Providers {
		if p.Name == provider {
			all = append(all, p)
		}
	}
	return all
}

// missing tells which part of what is wanted is not there, and what is.
func (m Metadata) missing(w Want, require version.GemRequirement, versions []ordered) error {
	var allowed, withProvider []ordered
	for _, v := range versions {
		if require.Allows(v.gem) {
			allowed = append(allowed, v)
		}
		if len(v.named(w.Provider)) > 0 {
			withProvider = append(withProvider, v)
		}
	}
	again := "boxdoctor box url " + m.Name
	switch {
	case len(versions) == 0:
		return &NotThereError{m.Name + " has no versions: nothing of it was published, or all was taken back", "Choose another box, or give its file with config.vm.box_url"}
	case len(withProvider) == 0:
		return &NotThereError{fmt.Sprintf("%s has nothing for %s; it has %s", m.Name, w.Provider, list(providers(versions))),
			fmt.Sprintf("Choose another box, or another provider: %s --provider %s", again, providers(versions)[0])}
	case len(allowed) == 0:
		return &NotThereError{fmt.Sprintf("%s has no version that is %q; it has %s", m.Name, require, newest(versions)),
			fmt.Sprintf("Choose one: %s --version %s", again, clean(withProvider[0].Version.Version))}
	}
	archs := architectures(withProvider, w.Provider)
	if len(archs) == 0 {
		archs = []string{"none by name"}
	}
	return &NotThereError{fmt.Sprintf("%s has no %s file for the architecture %s in the versions that are allowed; it has %s", m.Name, w.Provider, w.arch(), list(archs)),
		fmt.Sprintf("Choose another box, or say which: %s --arch %s", again, archs[0])}
}

func (w Want) arch() string {
	if w.Architecture == Auto {
		return w.Host + " (this computer's)"
	}
	return w.Architecture
}

func providers(versions []ordered) []string {
	var all []string
	for _, v := range versions {
		for _, p := range v.Providers {
			all = append(all, clean(p.Name))
		}
	}
	slices.Sort(all)
	if all = slices.Compact(all); len(all) == 0 {
		return []string{"nothing"}
	}
	return all
}

func architectures(versions []ordered, provider string) []string {
	var all []string
	for _, v := range versions {
		for _, p := range v.named(provider) {
			if p.Architecture != "" {
				all = append(all, clean(p.Architecture))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func newest(versions []ordered) string {
	var all []string
	for _, v := range versions {
		all = append(all, clean(v.Version.Version))
	}
	return list(all)
}

// list shows the first of many.
func list(all []string) string {
	const most = 5
	if len(all) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
	}
	return strings.Join(all, ", ")
}

// clean keeps what a name can have: the registry is not trusted with anything that is shown as a command.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, s)
	return s[:min(len(s), 60)]
}
