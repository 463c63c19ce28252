package knowledge

import (
	"fmt"
	"slices"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/version"
)

// Modules of the Guest Additions, in the order in which they are built and needed.
const (
	ModuleGuest = "vboxguest"
	ModuleSF    = "vboxsf"
	ModuleVideo = "vboxvideo"
)

// Confidences of a pair.
const (
	Seen     = "seen"     // a report shows the compiler's words
	Reported = "reported" // somebody said so
	Likely   = "likely"   // follows from the others, not seen
)

// Pair is a range of Guest Additions and the kernels on which they do not build, or (Builds) do.
type Pair struct {
	Row string `yaml:"row"`
	// Additions are versions as constraints, Kernels globs on uname -r.
	Additions string   `yaml:"additions"`
	Kernels   []string `yaml:"kernels"`
	// Module is the first one that does not compile; empty for a pair that builds.
	Module string `yaml:"module"`
	Says   string `yaml:"says"`
	// Fixed is the first version that was said to build; empty when there was none at Date.
	Fixed      string `yaml:"fixed"`
	Date       string `yaml:"date"`
	Source     string `yaml:"source"`
	Confidence string `yaml:"confidence"`

	additions version.VBoxRange
}

// Builds tells whether the pair is one that was seen to build.
func (p Pair) Builds() bool { return p.Module == "" }

// pairFile is the form of ga_kernel.yaml.
type pairFile struct{ Builds, Breaks []Pair }

// pairs validates and joins both lists; what builds comes first.
func (f pairFile) pairs() ([]Pair, error) {
	for i, p := range f.Builds {
		if p.Module != "" {
			return nil, fmt.Errorf("ga_kernel.yaml: builds entry %d names a module that breaks", i)
		}
	}
	for i, p := range f.Breaks {
		if !slices.Contains([]string{ModuleGuest, ModuleSF, ModuleVideo}, p.Module) || p.Says == "" {
			return nil, fmt.Errorf("ga_kernel.yaml: breaks entry %d (%s): says, and module vboxguest, vboxsf or vboxvideo, are required", i, p.Row)
		}
	}
	all := append(slices.Clone(f.Builds), f.Breaks...)
	for i := range all {
		if err := all[i].compile(); err != nil {
			return nil, fmt.Errorf("ga_kernel.yaml: row %s, additions %q: %w", all[i].Row, all[i].Additions, err)
		}
	}
	return all, nil
}

func (p *Pair) compile() error {
	var err error
	if p.additions, err = version.ParseVBoxRange(p.Additions); err != nil {
		return err
	}
	if p.Fixed != "" {
		if _, err := version.ParseVBox(p.Fixed); err != nil {
			return err
		}
	}
	if _, err := time.Parse(time.DateOnly, p.Date); err != nil {
		return err
	}
	if p.Row == "" || p.Source == "" || len(p.Kernels) == 0 || !slices.Contains([]string{Seen, Reported, Likely}, p.Confidence) {
		return fmt.Errorf("row, kernels, source and confidence (%s, %s, %s) are required", Seen, Reported, Likely)
	}
	return nil
}

// PairOf returns what is known of building these Guest Additions for this kernel (uname -r): the first entry that
// fits. ok is false when nothing is known, which does not mean that they build.
func PairOf(additions version.VBox, kernel string) (p Pair, ok bool) {
	for _, p := range load().pairs {
		if p.additions.Has(additions) && slices.ContainsFunc(p.Kernels, func(glob string) bool { return version.Glob(glob, kernel) }) {
			return p, true
		}
	}
	return Pair{}, false
}

// Pairs returns all pairs, those that build first.
func Pairs() []Pair { return load().pairs }
