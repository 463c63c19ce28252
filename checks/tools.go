package checks

import (
	"fmt"
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

var _ = register(Check{
	ID: "tools.python", Title: "The package manager's Python is the system's own", Target: OnGuest, Severity: finding.Critical,
	Rows: []string{"T8"}, Needs: []facts.Key{facts.KeySystem, facts.KeyTools}, After: []string{reachable},
	Why: "yum and dnf are programs in Python. Who makes /usr/bin/python another Python takes the package manager away: " +
		"`SyntaxError: invalid syntax … except KeyboardInterrupt, e`, `No module named yum`.",
	Looks:  "the first line of yum or dnf, where its interpreter leads and which version it is",
	Source: "guest-catalogue T8",
	Eval:   evalPython,
})

func evalPython(f *facts.Facts) finding.Verdict {
	sys, err := f.Guest.System.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	t, err := f.Guest.Tools.Get()
	switch {
	case sys.Manager != "yum" && sys.Manager != "dnf":
		return finding.Passf("the package manager is no program in Python")
	case err != nil:
		return finding.Cannot(err)
	case t.Python.Program == "":
		return finding.Cannot(fmt.Errorf("%w: the first line of %s was not read", facts.ErrNotCollected, sys.Manager))
	case t.Python.Interpreter == "":
		return finding.Passf("%s is no program in Python here", t.Python.Program)
	}
	if got := wrongPython(sys.Manager, t.Python); got != "" {
		return pythonVerdict(sys.Manager, t.Python, got)
	}
	return finding.Passf("%s", t.Python.Version)
}

// wrongPython says what is wrong with the interpreter, or nothing. yum is written in Python 2, dnf of EL8 and later in 3.
func wrongPython(manager string, p facts.Python) string {
	major := strings.TrimPrefix(p.Version, "Python ")
	switch {
	case p.Resolved == "":
		return p.Interpreter + " is not there"
	case manager == "yum" && strings.HasPrefix(major, "3"), manager == "dnf" && strings.HasPrefix(major, "2"):
		return p.Interpreter + " is " + p.Version
	case strings.HasPrefix(p.Resolved, "/usr/local/"), strings.HasPrefix(p.Resolved, "/opt/"):
		return p.Interpreter + " leads to " + p.Resolved
	}
	return ""
}

func pythonVerdict(manager string, p facts.Python, got string) finding.Verdict {
	want := "python2 (a link to python2.7, on CentOS 6 python2.6)"
	repair := "ls -l /usr/bin/python*; sudo ln -sfn python2 /usr/bin/python"
	if manager == "dnf" {
		want, repair = "the Python 3 that the distribution came with", "ls -l "+p.Interpreter+" /usr/bin/python3* /usr/libexec/platform-python*"
	}
	return finding.Failf("%s does not run: its Python was replaced", manager).Diff(want, got).Likely("not seen on a real guest yet").
		Advise("give the system its own Python back, in the guest; boxdoctor does not touch it. Programs that want another one name it in their first line", repair)
}
