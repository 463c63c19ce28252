// Package knowledge is what boxdoctor knows as data: package names, ends of life, log signatures, pairs of Guest
// Additions and kernel that do not build. Every
// entry has its catalogue row, date and source in its file. Loading validates; logic stays in code.
package knowledge

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// KernelPackages names the packages of one kind of kernel.
type KernelPackages struct {
	Flavour string `yaml:"flavour"`
	Kernel  string `yaml:"kernel"`
	// Devel is what a module build needs; Headers is what the C library's headers need.
	Devel   string `yaml:"devel"`
	Headers string `yaml:"headers"`
	Row     string `yaml:"row"`
	// ByRelease: the name ends in the text of uname -r instead of the package having that version.
	ByRelease bool `yaml:"by_release"`
}

// Family is the packages of one family of package managers.
type Family struct {
	Managers []string          `yaml:"managers"`
	Kernels  []KernelPackages  `yaml:"kernels"`
	Tools    map[string]string `yaml:"tools"`
	// Source is where the names are from, Date when they were looked at, Confidence how sure they are (0 to 1).
	Source     string  `yaml:"source"`
	Date       string  `yaml:"date"`
	Confidence float64 `yaml:"confidence"`
}

// Release is a distribution release past its end of life.
type Release struct {
	ID       string `yaml:"id"`
	Version  string `yaml:"version"` // major for CentOS, Debian and Fedora, whole for Ubuntu and openSUSE Leap
	Codename string `yaml:"codename"`
	EOL      string `yaml:"eol"` // YYYY-MM-DD
	Row      string `yaml:"row"`
	// Archive is the base URL where the packages are now; StreamArchive the one for CentOS Stream.
	Archive       string `yaml:"archive"`
	StreamArchive string `yaml:"stream_archive"`
	StreamEOL     string `yaml:"stream_eol"`
	// AltArchive is the archive of the architectures other than x86_64, where it is another one.
	AltArchive string `yaml:"alt_archive"`
	// Source says who gave the date; Confidence is Vendor, or Likely when the day is not confirmed.
	Source     string `yaml:"source"`
	Confidence string `yaml:"confidence"`
}

// Vendor is the confidence of a date that the vendor gave.
const Vendor = "vendor"

// Minor says where the old minor releases of a distribution are kept.
type Minor struct {
	ID    string            `yaml:"id"`
	Row   string            `yaml:"row"`
	Vault string            `yaml:"vault"`
	Where map[string]string `yaml:"where"` // major to the repository that holds kernel-devel
}

type tables struct {
	families []Family
	releases []Release
	minors   []Minor
	pairs    []Pair
}

// load parses the embedded tables once, on first use, so that starting boxdoctor costs nothing. A malformed
// file is a programming error that the package's test catches.
var load = sync.OnceValue(func() tables {
	t, err := parse()
	if err != nil {
		panic(err)
	}
	return t
})

func parse() (tables, error) {
	var pk struct{ Families []Family }
	var eol struct {
		Releases []Release
		Minors   []Minor
	}
	var ga pairFile
	for name, into := range map[string]any{"packages": &pk, "eol": &eol, "ga_kernel": &ga} {
		if err := embedded("data/"+name+".yaml", into); err != nil {
			return tables{}, err
		}
	}
	for _, f := range pk.Families {
		if f.Source == "" || f.Date == "" || f.Confidence <= 0 || f.Confidence > 1 {
			return tables{}, fmt.Errorf("data/packages.yaml: the family of %s: source, date and a confidence between 0 and 1 are all required", strings.Join(f.Managers, ", "))
		}
	}
	pairs, err := ga.pairs()
	return tables{pk.Families, eol.Releases, eol.Minors, pairs}, err
}

func embedded(name string, into any) error {
	text, err := files.ReadFile(name)
	if err != nil {
		return err
	}
	return decode(name, text, into)
}

// FamilyOf returns the packages of a package manager's family.
func FamilyOf(manager string) (Family, bool) {
	for _, f := range load().families {
		if slices.Contains(f.Managers, manager) {
			return f, true
		}
	}
	return Family{}, false
}

// KernelOf returns the packages of a kind of kernel; an unknown kind gets the stock names.
func (f Family) KernelOf(flavour string) KernelPackages {
	last := KernelPackages{}
	for _, k := range f.Kernels {
		if k.Flavour == flavour {
			return k
		}
		last = k
	}
	return last
}

// EndOfLife returns the entry of a release that is past its end of life.
func EndOfLife(id, versionID string) (Release, bool) {
	major, _, _ := strings.Cut(versionID, ".")
	for _, r := range load().releases {
		if r.ID == id && (r.Version == versionID || r.Version == major) {
			return r, true
		}
	}
	return Release{}, false
}

// Of is the entry as it applies to the guest that calls itself pretty: CentOS Stream shares id and version with
// CentOS and ended later, elsewhere.
func (r Release) Of(pretty string) Release {
	if r.StreamArchive != "" && strings.Contains(strings.ToLower(pretty), "stream") {
		r.Archive, r.EOL = r.StreamArchive, r.StreamEOL
	}
	return r
}

// MinorVault is the repository that keeps an old minor release (version such as 9.2) of a distribution.
func MinorVault(id, major, version, arch string) (url string, ok bool) {
	for _, m := range load().minors {
		if where := m.Where[major]; m.ID == id && where != "" {
			return strings.NewReplacer("{version}", version, "{where}", where, "{arch}", arch).Replace(m.Vault), true
		}
	}
	return "", false
}

// Signatures returns all signatures, causes before symptoms.
func Signatures() []Signature { return Current().signatures }

// Releases returns the releases past their end of life.
func Releases() []Release { return load().releases }
