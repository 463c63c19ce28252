package checks

import (
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
)

var toolNeeds = with(facts.KeyTools)

var _ = register(Check{
	ID: "tools.compiler", Title: "gcc, make and perl are installed", Target: OnGuest, Severity: finding.Critical,
	Rows: []string{"T1", "T4"}, Needs: toolNeeds, After: []string{reachable}, VirtualBoxOnly: true, Fix: "tools.install",
	Why:    "The Guest Additions compile their modules in the guest: `Please install the gcc make perl packages from your distribution.`",
	Looks:  "command -v gcc make perl",
	Source: "guest-catalogue T1, T4",
	Eval:   toolEval("gcc", "make", "perl"),
})

var _ = register(Check{
	ID: "tools.archive", Title: "bzip2 and tar are installed", Target: OnGuest, Severity: finding.Critical,
	Rows: []string{"T2"}, Needs: toolNeeds, After: []string{reachable}, VirtualBoxOnly: true, Fix: "tools.install",
	Why:    "The installer unpacks itself with tar and bzip2; without them it leaves half an installation in /opt.",
	Looks:  "command -v bzip2 tar",
	Source: "guest-catalogue T2",
	Eval:   toolEval("bzip2", "tar"),
})

// toolEval fails only when modules have to be built: a guest whose additions work needs no compiler.
func toolEval(tools ...string) func(*facts.Facts) finding.Verdict {
	return func(f *facts.Facts) finding.Verdict {
		t, err := f.Guest.Tools.Get()
		if err != nil {
			return finding.Cannot(err)
		}
		missing := assess.MissingTools(t, tools)
		if len(missing) == 0 {
			return finding.Passf("%s", strings.Join(tools, ", "))
		}
		if needed, err := assess.BuildNeeded(f); err != nil || !needed {
			return notNeeded(err, strings.Join(missing, ", "))
		}
		return finding.Failf("missing: %s", strings.Join(missing, ", ")).Diff(strings.Join(tools, ", "), "no "+strings.Join(missing, ", no ")).Advise("by hand in the guest", installCommand(f, packagesFor(f, missing)))
	}
}

func notNeeded(err error, what string) finding.Verdict {
	if err != nil {
		return finding.Cannot(err)
	}
	return finding.Passf("no %s, and nothing has to be built now", what)
}

func packagesFor(f *facts.Facts, tools []string) string {
	fam, _ := knowledge.FamilyOf(f.Guest.System.Or(facts.System{}).Manager)
	var out []string
	for _, t := range tools {
		if p := fam.Tools[t]; p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, " ")
}

var _ = register(Check{
	ID: "tools.libelf", Title: "The headers of libelf are installed where the kernel needs them", Target: OnGuest, Severity: finding.Major,
	Rows: []string{"T3"}, Needs: toolNeeds, After: []string{reachable}, VirtualBoxOnly: true, Fix: "tools.install",
	Why:    "Kernels with CONFIG_UNWINDER_ORC (EL8 and later) refuse to build modules without them: `Cannot generate ORC metadata`.",
	Looks:  "gelf.h, and CONFIG_UNWINDER_ORC or CONFIG_STACK_VALIDATION in the running kernel's configuration",
	Source: "guest-catalogue T3",
	Eval:   evalLibELF,
})

func evalLibELF(f *facts.Facts) finding.Verdict {
	t, err := f.Guest.Tools.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	if t.LibELF || !t.NeedsLibELF {
		return finding.Passf("installed or not needed by this kernel")
	}
	if needed, err := assess.BuildNeeded(f); err != nil || !needed {
		return notNeeded(err, "libelf headers")
	}
	return finding.Warnf("the running kernel is built with ORC metadata and the headers of libelf are missing").Advise("by hand in the guest", installCommand(f, packagesFor(f, []string{"libelf"})))
}
