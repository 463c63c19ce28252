package fixes

import (
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/packages"
)

var _ = register(Fix{
	ID: "tools.kernel_compiler", Title: "Install the compiler that fits the kernel", Impact: ChangesPackages,
	Clears: []string{"tools.kernel_compiler", "tools.plugins"},
	After:  []string{"locks.restore", "repositories.archive", "repositories.refresh", "kernel.devel", "kernel.reboot", "tools.install"},
	Rows:   []string{"T5", "T6", "K6"},
	Why: "gcc-N beside the guest's own gcc (gcc-toolset-N on EL, clang and lld for a kernel built by clang), and the headers of gcc's plugins where the kernel " +
		"needs them. The guest's gcc stays the default; only boxdoctor's builds put the other one first in PATH.",
	Plan: planCompiler,
})

func planCompiler(in Input) ([]action.Action, error) {
	c, err := assess.CompilerOf(in.Facts)
	if err != nil {
		return nil, err
	}
	t := in.Facts.Guest.Tools.Or(facts.Tools{})
	var want []string
	if c.Use != "" && !c.There {
		want = append(want, c.Packages...)
	}
	if p := assess.PluginPackage(in.Facts); p != "" && !t.PluginHeaders && (t.NeedsPlugins || strings.Contains(in.Facts.Guest.GALog.Or(facts.GALog{}).Text, "bversion.h")) {
		want = append(want, p)
	}
	if len(want) == 0 {
		return nil, nil
	}
	blocks := assess.BlockingAny(in.Facts, want)
	tr := transaction{in: in, name: "install " + strings.Join(want, " "), blocks: blocks, refresh: true,
		commands: [][]string{packageManager(in).Install(packages.Install{Names: want, LiftExcludes: hasExclude(blocks)})}}
	return tr.actions(), nil
}

// buildCompiler is the compiler that a build puts before the guest's gcc; empty when gcc itself will do. In hope, the one
// that is on its way counts.
func buildCompiler(in Input) string {
	c, err := assess.CompilerOf(in.Facts)
	if err != nil || c.Use == "clang" || (!c.There && (!in.Hopeful || len(c.Packages) == 0)) {
		return "" // rcvboxadd finds clang by itself (7.0 and later)
	}
	return c.Use
}
