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
