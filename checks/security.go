package checks

import (
	"time"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// mokCert is the machine owner's key where Debian, Ubuntu and the Guest Additions' own script look for it.
const mokCert = "/var/lib/shim-signed/mok/MOK.der"

var _ = register(Check{
	ID: "secureboot.modules", Title: "Secure Boot lets the modules load", Target: OnGuest, Severity: finding.Critical,
	Rows: []string{"M1", "M2"}, Needs: with(facts.KeySecurity), After: []string{reachable}, VirtualBoxOnly: true,
	CausedBy: []string{"secureboot.signed"},
	Why: "With Secure Boot on, the kernel loads only modules that are signed with a key it knows: `Key was rejected by service`, in older kernels " +
		"`Required key not available`. Your own key (machine owner's key, MOK) becomes known at the VM's console, at the next start: that cannot be " +
		"finished over SSH. boxdoctor prepares what can be prepared and never switches a security feature off.",
	Looks:  "mokutil --sb-state, /sys/kernel/security/lockdown, mokutil --test-key, modinfo -F signer",
	Source: "guest-catalogue M1, M2 (VB #472)",
	Eval:   evalSecureBoot,
})

// guarded tells whether the kernel demands signatures.
func guarded(s facts.Security) bool {
	return s.SecureBoot == "enabled" || s.Lockdown == "integrity" || s.Lockdown == "confidentiality"
}

func evalSecureBoot(f *facts.Facts) finding.Verdict {
	s, err := f.Guest.Security.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	if !guarded(s) {
		return finding.Passf("off")
	}
	m, err := f.Guest.Modules.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	if m.Guest.Loaded && (m.SF.Loaded || m.FSRegistered) {
		return finding.Passf("on, and the modules are loaded")
	}
	v := finding.Failf("Secure Boot (or kernel lockdown) is on and the modules are not loaded: %s", mokState(s.MOK)).
		Diff("signed modules and an enrolled key, or Secure Boot off in the VM", "Secure Boot "+s.SecureBoot+", lockdown "+s.Lockdown)
	return adviseMOK(v, s.MOK)
}

// mokState says how far the guest is on the way to a key of its own.
func mokState(m facts.MOK) string {
	switch {
	case !m.Key:
		return "there is no machine owner's key (MOK) to sign with"
	case m.Enrolled == facts.MOKPending:
		return "its key waits to be confirmed at the VM's console"
	case m.Enrolled == facts.MOKEnrolled:
		return "its key is enrolled, so the modules are unsigned, or signed with another key"
	case m.Enrolled == facts.MOKMissing:
		return "its key is not enrolled"
	}
	return "whether its key is enrolled is not known"
}

// adviseMOK gives the steps that are left, in their order, each exactly.
func adviseMOK(v finding.Verdict, m facts.MOK) finding.Verdict {
	if !m.Key && !m.Policy {
		v = v.Advise("this guest has no program that makes the key (Debian's update-secureboot-policy has no --new-key): the fix secureboot.signed makes it with openssl", "")
	}
	if m.Enrolled != facts.MOKPending && m.Enrolled != facts.MOKEnrolled {
		v = v.Advise("ask for the key to be enrolled; it wants a new one-time password, which you type again at the console", "sudo mokutil --import "+mokCert)
	}
	if m.Enrolled != facts.MOKEnrolled {
		v = v.Advise("then restart the VM with its window open: in the blue screen choose Enroll MOK, Continue, Yes, give the password, Reboot", "VBoxManage controlvm VM poweroff && VBoxManage startvm VM --type gui")
	}
	return v.Advise("or decide to run this VM without Secure Boot, on the host, while it is off", "VBoxManage modifynvram VM secureboot --disable")
}

var _ = register(Check{
	ID: "secureboot.signed", Title: "Under Secure Boot the modules are signed", Target: OnGuest, Severity: finding.Critical,
	Rows: []string{"M1", "M2"}, Needs: with(facts.KeySecurity), After: []string{reachable}, VirtualBoxOnly: true, Fix: "secureboot.sign",
	CausedBy: []string{"modules.built"},
	Why: "An unsigned module is refused whatever keys are enrolled. Signing is the half of the way that can be prepared over SSH; enrolling the key " +
		"is the other half (secureboot.modules).",
	Looks:  "modinfo -F signer vboxguest and vboxsf, the key in /var/lib/shim-signed/mok, scripts/sign-file of the running kernel",
	Source: "guest-catalogue M1, M2",
	Eval:   evalSigned,
})

func evalSigned(f *facts.Facts) finding.Verdict {
	s, err := f.Guest.Security.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	if !guarded(s) {
		return finding.Passf("Secure Boot is off")
	}
	m, err := f.Guest.Modules.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	switch {
	case m.Guest.File == "" || m.SF.File == "":
		return finding.Skipf("there is no module to sign yet; modules.built judges that")
	case m.Guest.Signer != "" && m.SF.Signer != "":
		return finding.Passf("signed by %s", m.Guest.Signer)
	case m.Guest.Loaded && m.SF.Loaded:
		return finding.Passf("unsigned, and loaded all the same")
	}
	return finding.Failf("the modules are not signed").Diff("modules signed with the machine owner's key", "no signature")
}

var _ = register(Check{
	ID: "secureboot.unsupported_modules", Title: "SUSE lets the modules load", Target: OnGuest, Severity: finding.Critical,
	Rows: []string{"M3"}, Needs: with(facts.KeySecurity), After: []string{reachable}, VirtualBoxOnly: true, Fix: "secureboot.unsupported",
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
	Rows: []string{"T7"}, Needs: with(facts.KeyClock), After: []string{reachable}, Fix: "clock.set",
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
	return v.Diff("the host's time", c.Guest.UTC().Format(time.RFC3339)).Likely("this host's clock is taken to be right").
		Advise("set it from the network, in the guest", "sudo chronyc makestep || sudo ntpdate -u pool.ntp.org").
		Advise("or from here", `ssh GUEST sudo date -u -s @$(date +%s)`)
}

var _ = register(Check{
	ID: "mount.label", Title: "SELinux lets mount run the mount helper", Target: OnGuest, Severity: finding.Minor,
	Rows: []string{"M9"}, Needs: with(facts.KeySecurity), After: []string{reachable, "additions.installed"}, VirtualBoxOnly: true, Fix: "mount.label",
	CausedBy: []string{"mount.helper"},
	Why: "mount runs in a domain of its own that may only start programs labelled mount_exec_t. The Guest Additions' installer labels its helper so; " +
		"a copy, a move or a relabel loses it, and mounting at boot is then denied (avc: denied).",
	Looks:  "ls -Z of the file that /sbin/mount.vboxsf leads to, where SELinux is on",
	Source: "guest-catalogue M9",
	Eval:   evalLabel,
})

const helperType = "mount_exec_t"

func evalLabel(f *facts.Facts) finding.Verdict {
	s, err := f.Guest.Security.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	ga, err := f.Guest.Additions.Get()
	if err != nil {
		return finding.Cannot(err)
	}
	switch {
	case s.SELinux != "enforcing" && s.SELinux != "permissive":
		return finding.Passf("SELinux is not on")
	case ga.Helper.Resolved == "":
		return finding.Skipf("there is no mount helper to label; mount.helper judges that")
	case s.HelperType == "":
		return finding.Skipf("SELinux is on, and the label of %s was not shown", ga.Helper.Resolved)
	case s.HelperType == helperType:
		return finding.Passf("%s", helperType)
	}
	v := finding.Warnf("%s is labelled %s", ga.Helper.Resolved, s.HelperType).Diff(helperType, s.HelperType)
	if s.SELinux == "permissive" {
		return v.ByHand().Advise("SELinux only warns in this guest (permissive)", "")
	}
	return v
}
