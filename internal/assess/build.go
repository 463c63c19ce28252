package assess

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
	"github.com/boxdoctor/boxdoctor/internal/version"
)

// BuildState says whether Guest Additions of one version build for one kernel.
type BuildState int

// The states of a build; the zero value is that nothing is known.
const (
	BuildNotKnown BuildState = iota
	Builds
	// NoGraphics: vboxvideo alone does not compile; shared folders work without it.
	NoGraphics
	Breaks
)

// Build is what is known about building Guest Additions of one version for one kernel, and from where.
type Build struct {
	State BuildState
	// Module is the first that does not compile, Says why.
	Module, Says string
	// Fixed is the first version that was said to build; empty when none is known.
	Fixed string
	// From is the evidence: the modules on the disk, the matrix with its source, the log of the last attempt.
	From string
	// Likely: it follows from other reports and was not seen with this very pair.
	Likely bool
}

// BuildOf asks, in this order, the modules that are on the disk, the matrix, and the log of the last attempt: what
// was seen in this guest counts before what others saw, unless it was a failure that a newer version has behind it.
func BuildOf(f *facts.Facts, v version.VBox, kernel string) Build {
	if builtHere(f, v, kernel) {
		return Build{State: Builds, From: "its modules are built for " + kernel}
	}
	if p, ok := knowledge.PairOf(v, kernel); ok {
		return fromPair(p)
	}
	if a, ok := lastAttempt(f, v, kernel); ok {
		return a
	}
	return Build{}
}

// builtHere: the modules of this version are there for this kernel. What another kernel's are is only known by the
// version that is installed.
func builtHere(f *facts.Facts, v version.VBox, kernel string) bool {
	k, m := f.Guest.Kernel.Or(facts.Kernel{}), f.Guest.Modules.Or(facts.Modules{})
	installed, err := InstalledVersion(f)
	if err != nil || installed.Compare(v) != 0 || !OracleModules(Tree(k, kernel)) {
		return false
	}
	module, err := version.ParseVBox(m.Guest.Version)
	return kernel != k.Running || (err == nil && module.Compare(v) == 0)
}

// OracleModules tells whether both modules that shares need lie in Oracle's place of this kernel.
func OracleModules(t facts.KernelTree) bool {
	return slices.Contains(t.Misc, knowledge.ModuleGuest) && slices.Contains(t.Misc, knowledge.ModuleSF)
}

func fromPair(p knowledge.Pair) Build {
	b := Build{State: Breaks, Module: p.Module, Says: p.Says, Fixed: p.Fixed, Likely: p.Confidence == knowledge.Likely,
		From: fmt.Sprintf("known since %s: %s", p.Date, p.Source)}
	switch p.Module {
	case "":
		b.State = Builds
	case knowledge.ModuleVideo:
		b.State = NoGraphics
	}
	return b
}

var (
	// buildHead opens the build of one kernel in vboxadd-setup.log (5.2 and later).
	buildHead = regexp.MustCompile(`Building the main Guest Additions (\d\S*)(?: r\d+)? module for kernel (\S+?)\.?$`)
	// compileError is a compiler's or make's complaint about a source of the Guest Additions, in any language.
	compileError = regexp.MustCompile(`/tmp/vbox\.\d+/\S+\.(c|h|o)[\]:]`)
	// notTheSource are failures that a complete guest does not have: they say nothing about this pair.
	notTheSource = regexp.MustCompile(`ORC metadata|libelf|bversion\.h|gcc-plugin|No space left|Clock skew`)
)

// lastAttempt reads what the log says about the last build of this version for this kernel. The log's last block may
// hold several kernels.
func lastAttempt(f *facts.Facts, v version.VBox, kernel string) (Build, bool) {
	log := f.Guest.GALog.Or(facts.GALog{})
	var out Build
	found := false
	for _, block := range buildBlocks(knowledge.Join(log.Text)) {
		head := buildHead.FindStringSubmatch(block[0])
		tried, err := version.ParseVBox(head[1])
		if err == nil && tried.Compare(v) == 0 && head[2] == kernel {
			out, found = readBlock(block), true
			out.From = "the log of the last attempt, " + log.Path
		}
	}
	return out, found && out.State != BuildNotKnown
}

// buildBlocks cuts a log into the builds of one kernel each, every one with its head line.
func buildBlocks(text string) [][]string {
	var out [][]string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if buildHead.MatchString(line) {
			out = append(out, nil)
		}
		if n := len(out); n > 0 {
			out[n-1] = append(out[n-1], line)
		}
	}
	return out
}

// readBlock finds the first module whose source did not compile. A block that ends before the shared folder module
// was reached, or fails for another reason, says nothing.
func readBlock(lines []string) Build {
	b, at := Build{}, knowledge.ModuleGuest
	for _, line := range lines {
		switch {
		case strings.Contains(line, "Building the shared folder support module"):
			at = knowledge.ModuleSF
		case strings.Contains(line, "Building the graphics driver module"):
			at = knowledge.ModuleVideo
		case notTheSource.MatchString(line):
			return Build{}
		case compileError.MatchString(line) && b.Module == "":
			b = Build{State: Breaks, Module: at, Says: shorten(line, 200)}
		}
	}
	switch {
	case b.Module == knowledge.ModuleVideo:
		b.State = NoGraphics
	case b.Module == "" && at == knowledge.ModuleVideo:
		b.State = Builds
	}
	return b
}

func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// WantedVersion is the version of the Guest Additions whose modules would be built: the host's, or the guest's when
// that is not older.
func WantedVersion(f *facts.Facts) (version.VBox, error) {
	host, _, herr := HostVersion(f)
	installed, err := InstalledVersion(f)
	switch {
	case err != nil && !errors.Is(err, ErrNoAdditions):
		return version.VBox{}, err
	case herr != nil && err != nil:
		return version.VBox{}, herr
	case err != nil:
		return host, nil
	case herr != nil || installed.Compare(host) > 0:
		return installed, nil
	}
	return host, nil
}

// PlannedVersion is what a repair would install or rebuild: the wanted version, or that of the ISO at hand when the
// wanted one breaks on the running kernel and the ISO's is the one that is known to build there.
func PlannedVersion(f *facts.Facts) (version.VBox, error) {
	v, err := WantedVersion(f)
	running := f.Guest.Kernel.Or(facts.Kernel{}).Running
	if err != nil {
		return v, err
	}
	if b := BuildOf(f, v, running); b.State == Breaks {
		if other, ok := OtherVersion(f, b, running); ok && f.Host.AdditionsISO.Or(facts.ISO{}).Version == other.Number {
			return other, nil
		}
	}
	return v, nil
}

// BreaksOn tells whether the Guest Additions that a repair would build are known not to build for a kernel.
func BreaksOn(f *facts.Facts, kernel string) bool {
	v, err := PlannedVersion(f)
	return err == nil && BuildOf(f, v, kernel).State == Breaks
}

// OtherVersion is another version of Guest Additions that is known to build for the kernel: the one that fixed it, as
// long as that one is not known to break too. ok is false when none is known.
func OtherVersion(f *facts.Facts, b Build, kernel string) (version.VBox, bool) {
	for b.Fixed != "" {
		v, err := version.ParseVBox(b.Fixed)
		if err != nil {
			return version.VBox{}, false
		}
		next := BuildOf(f, v, kernel)
		if next.State != Breaks {
			return v, true
		}
		if next.Fixed == b.Fixed {
			return version.VBox{}, false
		}
		b = next
	}
	return version.VBox{}, false
}

// OtherKernel is an installed kernel of the same kind that the wanted Guest Additions are not known to break on, whose
// headers are there or can be had: one that is known to build first, then the newest. ok is false when there is none.
func OtherKernel(f *facts.Facts, v version.VBox) (release string, b Build, ok bool) {
	k, res := f.Guest.Kernel.Or(facts.Kernel{}), f.Guest.Resolve.Or(facts.Resolve{})
	for _, r := range newestFirst(k.BootImages) {
		tree := Tree(k, r)
		if r == k.Running || !sameKind(r, k.Running) || !tree.HasModules || (!HasHeaders(tree) && !slices.Contains(res.DevelFor, r)) {
			continue
		}
		build := BuildOf(f, v, r)
		if build.State == Breaks || (ok && build.State != Builds) || (ok && b.State == Builds) {
			continue
		}
		release, b, ok = r, build, true
	}
	return release, b, ok
}
