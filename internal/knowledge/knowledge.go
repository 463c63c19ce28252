// Package knowledge is what boxdoctor knows as data: package names, ends of life, log signatures, pairs of Guest
// Additions and kernel that do not build. Every
// entry has its catalogue row, date and source in its file. Loading validates; logic stays in code.
package knowledge

import (
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
}

// Release is a distribution release past its end of life.
type Release struct {
	ID       string `yaml:"id"`
	Version  string `yaml:"version"` // major for CentOS and Debian, whole for Ubuntu
	Codename string `yaml:"codename"`
	EOL      string `yaml:"eol"` // YYYY-MM-DD
	Row      string `yaml:"row"`
	// Archive is the base URL where the packages are now; StreamArchive the one for CentOS Stream.
	Archive       string `yaml:"archive"`
	StreamArchive string `yaml:"stream_archive"`
	StreamEOL     string `yaml:"stream_eol"`
}

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
func Signatures() []Signature { return Embedded().signatures }

// Classify finds the first signature, in order of causes, in a Guest Additions log. folded lines are joined
// and harmless ones left out first. ok is false when no signature matches: unknown, never a guess.
func Classify(text string) (s Signature, evidence string, ok bool) {
	joined := Join(text)
	lower := strings.ToLower(joined)
	for _, s := range Embedded().signatures {
		if ev, hit := s.find(joined, lower); hit {
			return s, ev, true
		}
	}
	return Signature{}, "", false
}

func (s Signature) find(text, lower string) (string, bool) {
	for _, re := range s.match {
		if loc := re.find(text, lower); loc != nil {
			return lineAround(text, loc[0]), true
		}
	}
	return "", false
}

func lineAround(text string, at int) string {
	start := strings.LastIndexByte(text[:at], '\n') + 1
	end := strings.IndexByte(text[at:], '\n')
	if end < 0 {
		end = len(text) - at
	}
	return strings.TrimSpace(text[start : at+end])
}

// foldWidth is where the Guest Additions' scripts fold their messages (fold -s at 80 columns, VA72).
const foldWidth = 60

// Join undoes the folding of messages at 80 columns and drops harmless lines. A line that ends in a space, or
// is long, and is followed by one that starts like the middle of a sentence is taken for folded.
func Join(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if isHarmless(line) {
			continue
		}
		if n := len(out); n > 0 && folded(out[n-1], line) {
			out[n-1] = strings.TrimRight(out[n-1], " ") + " " + strings.TrimSpace(line)
			continue
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

func isHarmless(line string) bool {
	lower := strings.ToLower(line)
	return slices.ContainsFunc(Embedded().harmless, func(l Line) bool { return l.match.find(line, lower) != nil })
}

func folded(prev, next string) bool {
	next = strings.TrimPrefix(next, "  ")
	if next == "" || strings.HasPrefix(next, "VirtualBox Guest Additions:") || strings.HasPrefix(next, " ") {
		return false
	}
	return strings.HasSuffix(prev, " ") || (len(prev) > foldWidth && next[0] >= 'a' && next[0] <= 'z')
}
