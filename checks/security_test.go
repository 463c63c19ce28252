package checks

import (
	"time"

	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

func security(s facts.Security) func(*facts.Facts) {
	return func(f *facts.Facts) { f.Guest.Security = facts.Known(s) }
}

func noSecurity(f *facts.Facts) { assesstest.Forget(&f.Guest.Security) }

var _ = rows("secureboot.modules",
	pass("off", assesstest.Ubuntu2204, as),
	pass("no EFI", assesstest.CentOS7, security(facts.Security{})),
	pass("on, and the modules are signed", assesstest.Ubuntu2204, security(facts.Security{SecureBoot: "enabled"})),
	fail("on (M1)", "mokutil --import", assesstest.Ubuntu2204, both(assesstest.NoHeaders, security(facts.Security{SecureBoot: "enabled"}))),
	fail("lockdown", "lockdown integrity", assesstest.Ubuntu2204, both(assesstest.NoHeaders, security(facts.Security{Lockdown: "integrity"}))),
	unknown("not seen", assesstest.Ubuntu2204, noSecurity),
	unknown("on, modules not seen", assesstest.Ubuntu2204, both(noModules, security(facts.Security{SecureBoot: "enabled"}))),
)

var _ = rows("secureboot.unsupported_modules",
	pass("allowed", assesstest.OpenSUSE156, as),
	pass("not allowed, and loaded all the same", assesstest.OpenSUSE156, security(facts.Security{UnsupportedBlocked: true})),
	fail("refused (M3)", "10-unsupported-modules.conf", assesstest.OpenSUSE156, both(assesstest.NoHeaders, security(facts.Security{UnsupportedBlocked: true}))),
	unknown("not seen", assesstest.OpenSUSE156, noSecurity),
	unknown("modules not seen", assesstest.OpenSUSE156, noModules),
)

func skew(d time.Duration) func(*facts.Facts) {
	return func(f *facts.Facts) { assesstest.Edit(&f.Guest.Clock, func(c *facts.Clock) { c.Skew = d }) }
}

var _ = rows("clock.skew",
	pass("agrees", assesstest.CentOS7, as),
	pass("within the limit and the measurement's doubt", assesstest.CentOS7, skew(-31*time.Second)),
	warn("a minute behind", "1m0s behind", assesstest.CentOS7, skew(-time.Minute)),
	warn("a minute ahead", "1m0s ahead", assesstest.CentOS7, skew(time.Minute)),
	fail("hours behind (T7)", "3h0m0s behind", assesstest.CentOS7, skew(-3*time.Hour)),
	unknown("not measured", assesstest.CentOS7, func(f *facts.Facts) { assesstest.Forget(&f.Guest.Clock) }),
)
