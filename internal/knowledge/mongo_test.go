package knowledge

import (
	"regexp"
	"testing"

	"github.com/hashicorp/go-version"
)

func TestMongoTable(t *testing.T) {
	t.Parallel()
	lines := map[string]bool{}
	for _, l := range loadMongo().Lines {
		lines[l.Series] = true
		if !regexp.MustCompile(`^[0-9A-F]{40}$`).MatchString(l.Fingerprint) || l.Key == "" {
			t.Errorf("%s: key %q, fingerprint %q", l.Series, l.Key, l.Fingerprint)
		}
		if l.Kernels == "" {
			continue
		}
		if _, err := version.NewConstraint(l.Kernels); err != nil {
			t.Error(err)
		}
	}
	for _, g := range loadMongo().Guests {
		for _, s := range append(g.Default, g.Series...) {
			if !lines[s] {
				t.Errorf("%v %s: the line %s is not known", g.IDs, g.Version, s)
			}
		}
		if g.Family != "yum" && (g.Family != "apt" || g.Where == "" || g.Component == "") || len(g.Suites) == 0 || len(g.Default) == 0 {
			t.Errorf("%+v", g)
		}
	}
}

func TestMongoLines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		series, kernel string
		runs           bool
	}{
		{"8.0", "6.18.9-100.fc42.x86_64", true}, {"8.0", "6.19.0-1.fc43.x86_64", false}, {"8.0.28", "7.0.0-14-generic", false},
		{"8.0", "7.0.13-200.fc43.x86_64", false}, {"8.0", "7.0.14-200.fc43.x86_64", true}, {"8.0", "7.1.2", true}, {"7.0", "7.0.0-14-generic", true},
		{"8.0", "5.14.0-687.el9.x86_64", true}, {"8.0", "2.6.32-754.el6.x86_64", true}, {"8.0", "", true},
	} {
		l, err := MongoLineOf(c.series)
		if err != nil || l.RunsOn(c.kernel) != c.runs {
			t.Errorf("%s on %s: %v %v, want %v", c.series, c.kernel, l.RunsOn(c.kernel), err, c.runs)
		}
	}
	if _, err := MongoLineOf("3.6"); err == nil {
		t.Error("3.6 is known")
	}
	// Keys: one of 8.0 for all 8.x, server-9.asc for 9.x; server-9.0.asc is not there.
	for v, key := range map[string]string{"7.0": "server-7.0.asc", "8.3": "server-8.0.asc", "9.0": "server-9.asc"} {
		if l, err := MongoLineOf(v); err != nil || l.Key != key {
			t.Errorf("%s: %s %v", v, l.Key, err)
		}
	}
}

func TestMongoGuests(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		id, version, series string
		like                []string
	}{
		{"centos", "6.10", "4.4", nil}, {"centos", "7", "7.0", []string{"rhel", "fedora"}}, {"rocky", "9.6", "8.0", []string{"rhel", "centos", "fedora"}},
		{"fedora", "43", "8.0", nil}, {"debian", "11", "7.0", nil}, {"debian", "13", "8.0", nil}, {"ubuntu", "24.04", "8.0", []string{"debian"}},
	} {
		if g, ok := MongoGuestOf(c.id, c.like, c.version); !ok || g.Default[0] != c.series {
			t.Errorf("%s %s: %+v", c.id, c.version, g)
		}
	}
	if _, ok := MongoGuestOf("arch", nil, ""); ok {
		t.Error("Arch has packages")
	}
	for name, known := range map[string]bool{"net.bindIp": true, "setParameter.anything": true, "net.bindip": false, "net": false, "setParameter": false} {
		if MongoOption(name) != known {
			t.Errorf("%s: %v", name, !known)
		}
	}
}
