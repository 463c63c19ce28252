package checks

import (
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// Defect 13: `vagrant reload` without a name restarts every machine of the project.
func TestRestartNamesTheMachine(t *testing.T) {
	for _, c := range []struct {
		name     string
		explicit bool
		want     string
	}{
		{"web", false, "vagrant reload web"}, {"a b", false, "vagrant reload 'a b'"}, {"10.0.0.5", true, "sudo reboot"}, {"", false, "sudo reboot"},
	} {
		f := assesstest.Debian12()
		f.Machine.Name, f.Host.Explicit = c.name, c.explicit
		if got := restart(f); got != c.want {
			t.Errorf("%q: %q, want %q", c.name, got, c.want)
		}
		assesstest.Edit(&f.Guest.Kernel, func(k *facts.Kernel) { k.RebootRequired = true })
		if got := evalRebootPending(f).Advice[0].Command; got != c.want {
			t.Errorf("kernel.reboot_pending of %q: %q, want %q", c.name, got, c.want)
		}
	}
}

// Defect 6: the fix that a newer guest needs exists; its flag is named in a sentence, not in a command without a machine.
func TestANewerGuestKeepsItsFix(t *testing.T) {
	f := assesstest.CentOS7()
	hostIs("7.0.14")(f)
	v := evalVersion(f)
	if v.NoFix || len(v.Advice) != 1 || v.Advice[0].Command != "" {
		t.Errorf("%+v", v)
	}
}

// Defect 28: nothing ends in `DMI says `.
func TestADeviceOfNoProduct(t *testing.T) {
	f := assesstest.CentOS7()
	assesstest.Edit(&f.Guest.System, func(s *facts.System) { s.PCIDevice, s.Product = false, "" })
	if got := evalDevice(f).Got; got != "none; DMI names no product" {
		t.Errorf("%q", got)
	}
}
