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
	fail("no key, and no program that makes one (M2)", "with openssl", assesstest.Debian12, both(assesstest.NoHeaders, security(facts.Security{SecureBoot: "enabled"}))),
	fail("the key waits for the console", "Enroll MOK, Continue, Yes", assesstest.Ubuntu2204, both(assesstest.NoHeaders,
		security(facts.Security{SecureBoot: "enabled", MOK: facts.MOK{Key: true, Enrolled: facts.MOKPending}}))),
	fail("enrolled, and signed with another key", "or signed with another key", assesstest.Ubuntu2204, both(assesstest.NoHeaders,
		security(facts.Security{SecureBoot: "enabled", MOK: facts.MOK{Key: true, Enrolled: facts.MOKEnrolled}}))),
	fail("not enrolled", "its key is not enrolled", assesstest.Ubuntu2204, both(assesstest.NoHeaders,
		security(facts.Security{SecureBoot: "enabled", MOK: facts.MOK{Key: true, Enrolled: facts.MOKMissing}}))),
	fail("mokutil does not tell", "is not known", assesstest.Ubuntu2204, both(assesstest.NoHeaders,
		security(facts.Security{SecureBoot: "enabled", MOK: facts.MOK{Key: true}}))),
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

// refusedModules are built, unsigned and not in memory.
func refusedModules(signer string) func(*facts.Facts) {
	return onModules(func(m *facts.Modules) {
		for _, mod := range []*facts.Module{&m.Guest, &m.SF} {
			mod.Loaded, mod.Running, mod.Signer = false, "", signer
		}
		m.FSRegistered = false
	})
}

var _ = rows("secureboot.signed",
	pass("Secure Boot is off", assesstest.Ubuntu2204, refusedModules("")),
	pass("signed", assesstest.Ubuntu2204, both(security(facts.Security{SecureBoot: "enabled"}), refusedModules("box machine owner key"))),
	pass("unsigned, and loaded", assesstest.Ubuntu2204, security(facts.Security{SecureBoot: "enabled"})),
	fail("unsigned (M1)", "no signature", assesstest.Ubuntu2204, both(security(facts.Security{SecureBoot: "enabled"}), refusedModules(""))),
	fail("unsigned under lockdown", "no signature", assesstest.Rocky9, both(security(facts.Security{Lockdown: "integrity"}), refusedModules(""))),
	skip("nothing is built", "modules.built", assesstest.Ubuntu2204, both(assesstest.NoHeaders, security(facts.Security{SecureBoot: "enabled"}))),
	unknown("not seen", assesstest.Ubuntu2204, noSecurity),
	unknown("modules not seen", assesstest.Ubuntu2204, both(noModules, security(facts.Security{SecureBoot: "enabled"}))),
)

func labelled(state, typ string) func(*facts.Facts) {
	return security(facts.Security{SELinux: state, HelperType: typ})
}

var _ = rows("mount.label",
	pass("no SELinux", assesstest.Debian12, as),
	pass("labelled", assesstest.Rocky9, labelled("enforcing", "mount_exec_t")),
	warn("another label (M9)", "usr_t", assesstest.Rocky9, labelled("enforcing", "usr_t")),
	warn("another label, permissive", "only warns", assesstest.Rocky9, labelled("permissive", "usr_t")),
	skip("no helper", "mount.helper", assesstest.Rocky9, both(labelled("enforcing", ""), func(f *facts.Facts) {
		assesstest.Edit(&f.Guest.Additions, func(a *facts.Additions) { a.Helper = facts.Helper{} })
	})),
	skip("label not shown", "was not shown", assesstest.Rocky9, labelled("enforcing", "")),
	unknown("not seen", assesstest.Rocky9, noSecurity),
	unknown("additions not seen", assesstest.Rocky9, noAdditions),
)
