package checks

import (
	"time"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
)

var _ = register(Check{
	ID: "secureboot.modules", Title: "Secure Boot lets the modules load", Target: OnGuest, Severity: finding.Critical,
	Rows: []string{"M1", "M2"}, Needs: with(facts.KeySecurity), After: []string{reachable}, VirtualBoxOnly: true,
	Why: "With Secure Boot on, the kernel refuses modules without a known signature: `Key was rejected by service`. Enrolling a key needs the " +
		"VM's console, so it cannot be finished over SSH. boxdoctor never switches a security feature off.",
	Looks:  "mokutil --sb-state, /sys/kernel/security/lockdown",
	Source: "guest-catalogue M1, M2",
	Eval:   evalSecureBoot,
})

func evalSecureBoot(f *facts.Facts) finding.Verdict {
	s, err := f.Guest.Security.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	if s.SecureBoot != "enabled" && s.Lockdown != "integrity" && s.Lockdown != "confidentiality" {
		return finding.Passf("off")
	}
	m, err := f.Guest.Modules.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	if m.Guest.Loaded && (m.SF.Loaded || m.FSRegistered) {
		return finding.Passf("on, and the modules are loaded")
	}
	return finding.Failf("Secure Boot (or kernel lockdown) is on and the modules are not loaded").
		Diff("signed modules, or Secure Boot off in the VM", "Secure Boot "+s.SecureBoot+", lockdown "+s.Lockdown).
		Advise("enrol a key at the VM's console", "sudo mokutil --import /var/lib/shim-signed/mok/MOK.der").
		Advise("or decide to run this VM without Secure Boot, on the host", "VBoxManage modifynvram VM secureboot --disable")
}

var _ = register(Check{
	ID: "secureboot.unsupported_modules", Title: "SUSE lets the modules load", Target: OnGuest, Severity: finding.Critical,
	Rows: []string{"M3"}, Needs: with(facts.KeySecurity), After: []string{reachable}, VirtualBoxOnly: true,
	Why:    "SLES and openSUSE refuse modules that they do not support: `module 'vboxsf' is unsupported`.",
	Looks:  "allow_unsupported_modules in modprobe -c",
	Source: "guest-catalogue M3",
	Eval:   evalUnsupported,
})

func evalUnsupported(f *facts.Facts) finding.Verdict {
	s, err := f.Guest.Security.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	m, err := f.Guest.Modules.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	if !s.UnsupportedBlocked || m.SF.Loaded {
		return finding.Passf("allowed, or not SUSE")
	}
	return finding.Failf("the guest refuses unsupported modules").Diff("allow_unsupported_modules 1", "0").
		Advise("allow them in the guest", "echo 'allow_unsupported_modules 1' | sudo tee /etc/modprobe.d/10-unsupported-modules.conf")
}

// Skews: make and TLS complain from seconds on, certificates from days on.
const (
	skewWarn = 30 * time.Second
	skewFail = 10 * time.Minute
)

var _ = register(Check{
	ID: "clock.skew", Title: "The guest's clock agrees with the host's", Target: OnGuest, Severity: finding.Major,
	Rows: []string{"T7"}, Needs: with(facts.KeyClock), After: []string{reachable},
	Why:    "After a suspend, and while VBoxService is down, the guest's clock stays behind: make says `Clock skew detected`, TLS says `certificate is not yet valid`.",
	Looks:  "date in the guest against this host's clock, half the round trip taken off",
	Source: "guest-catalogue T7",
	Eval:   evalClock,
})

func evalClock(f *facts.Facts) finding.Verdict {
	c, err := f.Guest.Clock.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	off := c.Skew.Abs()
	if off <= skewWarn+c.Slack {
		return finding.Passf("within %s", (off + c.Slack).Round(time.Second))
	}
	way := "behind"
	if c.Skew > 0 {
		way = "ahead"
	}
	v := finding.Warnf("the guest's clock is %s %s", off.Round(time.Second), way)
	if off > skewFail {
		v = finding.Failf("the guest's clock is %s %s", off.Round(time.Second), way)
	}
	return v.Diff("the host's time", c.Guest.UTC().Format(time.RFC3339)).
		Advise("set it from the network, in the guest", "sudo chronyc makestep || sudo ntpdate -u pool.ntp.org").
		Advise("or from here", `ssh GUEST sudo date -u -s @$(date +%s)`)
}
