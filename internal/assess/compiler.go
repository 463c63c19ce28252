package assess

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// Compiler is which compiler a module build for the running kernel needs besides the guest's own gcc (row T5).
type Compiler struct {
	// Kernel is what the running kernel was built with; empty when its configuration does not say.
	Kernel string
	// Use is the compiler to put before the guest's gcc: gcc-12, gcc-toolset-11, clang; empty when gcc itself will do.
	Use string
	// There tells whether Use is installed. Packages bring it; empty when this distribution has none that is known.
	There    bool
	Packages []string
}

var (
	inBrackets   = regexp.MustCompile(`\([^)]*\)`)
	majorVersion = regexp.MustCompile(`\b(\d+)\.\d+`)
)

// compilerMajor reads `gcc (GCC) 11.4.1 20230605 (Red Hat 11.4.1-2)` and `x86_64-linux-gnu-gcc-12 (Ubuntu …) 12.3.0`.
func compilerMajor(text string) int {
	m := majorVersion.FindStringSubmatch(inBrackets.ReplaceAllString(text, " "))
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1]) // digits; one too long for an int is no version
	return n
}

// CompilerOf compares the compiler of the running kernel with the guest's. An older gcc does not know options that the
// kernel's makefiles pass; a newer one is no obstacle. A kernel built by clang needs clang and its linker.
func CompilerOf(f *facts.Facts) (Compiler, error) {
	k, err := f.Guest.Kernel.Get()
	if err != nil {
		return Compiler{}, err
	}
	t, err := f.Guest.Tools.Get()
	if err != nil {
		return Compiler{}, err
	}
	sys := f.Guest.System.Or(facts.System{})
	c := Compiler{Kernel: k.Compiler}
	kernel, own := compilerMajor(k.Compiler), compilerMajor(t.GCCVersion)
	switch {
	case strings.Contains(k.Compiler, "clang"):
		c.Use, c.Packages = "clang", []string{"clang", "lld"}
		c.There = slices.Contains(t.Compilers, "clang") && slices.Contains(t.Compilers, "ld.lld")
	case kernel > own && own > 0:
		c.Use, c.Packages = otherGCC(sys, kernel)
		c.There = slices.Contains(t.Compilers, c.Use)
	}
	return c, nil
}

// otherGCC names a further gcc of this distribution and its packages.
func otherGCC(sys facts.System, major int) (use string, packages []string) {
	switch {
	case sys.Manager == "apt":
		use = fmt.Sprintf("gcc-%d", major)
		return use, []string{use}
	case sys.Manager == "zypper":
		return fmt.Sprintf("gcc-%d", major), []string{fmt.Sprintf("gcc%d", major)}
	case sys.Manager == "yum":
		use = fmt.Sprintf("devtoolset-%d", major)
	case sys.Manager == "dnf" && sys.ID != "fedora":
		use = fmt.Sprintf("gcc-toolset-%d", major)
	default:
		return fmt.Sprintf("gcc-%d", major), nil
	}
	return use, []string{use + "-gcc", use + "-binutils"}
}

// PluginPackage is the package with the headers of gcc's plugins (row T6), for the guest's own gcc; empty where they are
// part of gcc or not known.
func PluginPackage(f *facts.Facts) string {
	major := compilerMajor(f.Guest.Tools.Or(facts.Tools{}).GCCVersion)
	switch manager := f.Guest.System.Or(facts.System{}).Manager; {
	case manager == "apt" && major > 0:
		return fmt.Sprintf("gcc-%d-plugin-dev", major)
	case manager == "dnf", manager == "dnf5", manager == "yum":
		return "gcc-plugin-devel"
	case manager == "zypper" && major > 0:
		return fmt.Sprintf("gcc%d-devel", major)
	}
	return ""
}
