package knowledge

import "testing"

func TestLogAgentsFor(t *testing.T) {
	if _, err := readLogAgents(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id, version, codename string
		repository            string
		kafka, known          bool
	}{
		{"rocky", "9.6", "", "rockylinux/9/", true, true},
		{"rhel", "8.10", "", "almalinux/8/", true, true},
		{"centos", "10", "", "centos/10/", true, true},
		{"centos", "7", "", "centos/7/", false, true},
		{"rhel", "7.9", "", "centos/7/", false, true},
		{"centos", "6.10", "", "", false, true},
		{"debian", "12", "bookworm", "debian/bookworm", true, true},
		{"ubuntu", "20.04", "focal", "", false, true},
		{"ubuntu", "24.04", "noble", "ubuntu/noble", true, true},
		{"fedora", "42", "", "", false, true},
		{"debian", "10", "buster", "", false, false},
		{"rocky", "11.0", "", "", false, false},
		{"arch", "", "", "", false, false},
		{"debian", "trixie/sid", "", "", false, false},
	} {
		a, known := LogAgentsFor(c.id, c.version, c.codename)
		if known != c.known || a.FluentBit.Repository != c.repository || a.FluentBit.Kafka != c.kafka {
			t.Errorf("%s %s: %+v %v", c.id, c.version, a, known)
		}
	}
}
