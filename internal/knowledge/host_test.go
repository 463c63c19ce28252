package knowledge

import "testing"

func TestHostRow(t *testing.T) {
	linux := func(vbox, kernel string) HostVersions {
		return HostVersions{OS: "linux", VirtualBox: vbox, Kernel: kernel}
	}
	for _, c := range []struct {
		name, row string
		v         HostVersions
		applies   bool
		missing   string
	}{
		{"the advice before 7.2.10", "linux.kvm_conflict", linux("7.2.8", "6.12.1-amd64"), true, ""},
		{"an older kernel lets both live", "linux.kvm_conflict", linux("7.2.8", "6.11.0-9"), false, ""},
		{"the advice flips at 7.2.10", "linux.kvm_conflict", linux("7.2.10", "6.17.0"), false, ""},
		{"from 7.2.10 the override is the fault", "linux.kvm_override_stale", linux("7.2.10", ""), true, ""},
		{"before 7.2.10 it is not", "linux.kvm_override_stale", linux("7.2.8", ""), false, ""},
		{"what does not fit counts before what is not known", "linux.kvm_conflict", linux("7.2.22", ""), false, ""},
		{"the kernel is not known", "linux.kvm_conflict", linux("7.2.8", ""), false, "kernel"},
		{"two rules: Linux", "net.hostonly_range", linux("7.0.20", ""), true, ""},
		{"two rules: macOS 7 has no ranges", "net.hostonly_range", HostVersions{OS: "darwin", VirtualBox: "7.0.20"}, false, ""},
		{"two rules: macOS 6.1.28", "net.hostonly_range", HostVersions{OS: "darwin", VirtualBox: "6.1.28"}, true, ""},
		{"Windows has none", "net.hostonly_range", HostVersions{OS: "windows", VirtualBox: "7.0.20"}, false, ""},
		{"Vagrant is not known", "net.mac_hostonlyif", HostVersions{OS: "darwin", VirtualBox: "7.0.2"}, false, "vagrant"},
		{"a row without rules always can", "vm.stale_id", HostVersions{}, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			applies, missing := HostRow(c.row, c.v)
			if missing != c.missing || missing == "" && applies != c.applies {
				t.Errorf("applies %v, missing %q", applies, missing)
			}
		})
	}
}

func TestDrivers(t *testing.T) {
	for series, vagrant := range map[string]string{"7.2": "2.4.9", "7.1": "2.4.2", "4.3": "1.3.5", "7.3": "", "8.0": ""} {
		if d, _ := DriverFor(series); d.Vagrant != vagrant {
			t.Errorf("VirtualBox %s: Vagrant %q, want %q", series, d.Vagrant, vagrant)
		}
	}
}

func TestHostFileRefusesWhatIsIncomplete(t *testing.T) {
	for name, f := range map[string]hostFile{
		"driver without date":   {Drivers: []Driver{{VirtualBox: "7.2", Vagrant: "2.4.9", Source: "x"}}},
		"rule without source":   {Rules: []HostRule{{Row: "a.b", Date: "2026-01-01"}}},
		"malformed constraints": {Rules: []HostRule{{Row: "a.b", Date: "2026-01-01", Source: "x", Vagrant: "newer"}}},
	} {
		if f.validate() == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
