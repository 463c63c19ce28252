package checks

import (
	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

func without(tools ...string) func(*facts.Facts) {
	return both(assesstest.NoHeaders, func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Tools, func(t *facts.Tools) {
			for _, name := range tools {
				t.Path[name] = ""
			}
		})
	})
}

func noTools(f *facts.Facts) { assesstest.Forget(&f.Guest.Tools) }

var _ = rows("tools.compiler",
	pass("there", assesstest.CentOS7, as),
	pass("missing, and nothing has to be built", assesstest.CentOS7, bare),
	fail("gcc and perl (T1, T4)", "sudo yum install gcc perl", assesstest.CentOS7, without("gcc", "perl")),
	fail("Debian", "sudo apt-get install make", assesstest.Debian12, without("make")),
	fail("openSUSE", "sudo zypper install gcc", assesstest.OpenSUSE156, without("gcc")),
	unknown("not seen", assesstest.CentOS7, noTools),
	unknown("missing, kernel not seen", assesstest.CentOS7, both(bare, noKernel)),
)

var _ = rows("tools.archive",
	pass("there", assesstest.CentOS7, as),
	fail("bzip2 (T2)", "sudo yum install bzip2", assesstest.CentOS7, without("bzip2")),
	fail("tar", "no tar", assesstest.Rocky9, without("tar")),
	pass("missing, and nothing has to be built", assesstest.Ubuntu2204, bare),
	unknown("not seen", assesstest.CentOS7, noTools),
)

func noELF(f *facts.Facts) {
	assesstest.Edit(&f.Guest.Tools, func(t *facts.Tools) { t.LibELF = false })
}

var _ = rows("tools.libelf",
	pass("there", assesstest.Rocky9, as),
	pass("this kernel needs none", assesstest.CentOS7, func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Tools, func(t *facts.Tools) { t.LibELF, t.NeedsLibELF = false, false })
	}),
	pass("missing, and nothing has to be built", assesstest.Rocky9, noELF),
	warn("EL8 and later (T3)", "sudo dnf install elfutils-libelf-devel", assesstest.Rocky9, both(assesstest.NoHeaders, noELF)),
	warn("Debian", "libelf-dev", assesstest.Debian12, both(assesstest.NoHeaders, noELF)),
	unknown("not seen", assesstest.Rocky9, noTools),
)

func python(interpreter, resolved, version string) func(*facts.Facts) {
	return func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Tools, func(t *facts.Tools) {
			t.Python = facts.Python{Program: "/usr/bin/yum", Interpreter: interpreter, Resolved: resolved, Version: version}
		})
	}
}

var _ = rows("tools.python",
	pass("yum's", assesstest.CentOS7, python("/usr/bin/python", "/usr/bin/python2.7", "Python 2.7.5")),
	pass("dnf's", assesstest.Rocky9, python("/usr/bin/python3", "/usr/bin/python3.9", "Python 3.9.18")),
	pass("platform-python", assesstest.Rocky9, python("/usr/libexec/platform-python", "/usr/libexec/platform-python3.6", "Python 3.6.8")),
	pass("no Python at all is needed", assesstest.Debian12, as),
	pass("dnf5 is no script", assesstest.Fedora43, as),
	pass("somebody's own wrapper", assesstest.CentOS7, python("", "", "")),
	fail("python is Python 3 (T8)", "sudo ln -sfn python2 /usr/bin/python", assesstest.CentOS7, python("/usr/bin/python", "/usr/bin/python3.6", "Python 3.6.8")),
	fail("it is gone", "/usr/bin/python is not there", assesstest.CentOS7, python("/usr/bin/python", "", "")),
	fail("one that somebody built", "leads to /usr/local/bin/python2.7", assesstest.CentOS7, python("/usr/bin/python", "/usr/local/bin/python2.7", "Python 2.7.18")),
	fail("dnf with Python 2", "/usr/libexec/platform-python*", assesstest.Rocky9, python("/usr/bin/python3", "/usr/bin/python2.7", "Python 2.7.18")),
	unknown("not seen", assesstest.CentOS7, noTools),
	unknown("no first line", assesstest.CentOS7, func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Tools, func(t *facts.Tools) { t.Python = facts.Python{} })
	}),
	unknown("who is it", assesstest.CentOS7, func(f *facts.Facts) { assesstest.Forget(&f.Guest.System) }),
)
