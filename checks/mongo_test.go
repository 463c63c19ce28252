package checks

import (
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/assess/assesstest"
	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// database is a guest that suits MongoDB 8.0, changed.
func database(change func(*facts.Mongo)) func(*facts.Facts) {
	return func(f *facts.Facts) {
		m := facts.Mongo{CPU: "Test CPU", AVX: true, AVX2: true, MemoryKB: 4 << 20, THP: map[string]string{"enabled": "always"}, Installed: "8.0.4",
			Sysctl: map[string]string{"vm.max_map_count": "262144", "vm.swappiness": "1"}, TimeServices: []string{"chronyd"}, Name: "db1", Address: "192.168.56.11",
			DataPath: "/var", DataFS: "xfs", DataFreeKB: 40 << 20, MaxFiles: -1, MaxProcesses: -1, Options: map[string]string{}}
		change(&m)
		f.Guest.Mongo = facts.Known(m)
	}
}

func well(*facts.Mongo) {}

func noDatabase(f *facts.Facts) { assesstest.Forget(&f.Guest.Mongo) }

// databaseOn is a guest with a database on a kernel.
func databaseOn(release string, change func(*facts.Mongo)) func(*facts.Facts) {
	return func(f *facts.Facts) {
		database(change)(f)
		assesstest.Edit(&f.Guest.System, func(s *facts.System) { s.KernelRelease = release })
	}
}

func mongoLine(version string) func(*facts.Mongo) {
	return func(m *facts.Mongo) { m.Installed = version }
}

var (
	_ = rows("mongo.cpu",
		pass("AVX", assesstest.CentOS7, database(well)),
		pass("none, and 4.4", assesstest.CentOS7, database(func(m *facts.Mongo) { m.AVX, m.AVX2, m.Installed = false, false, "4.4.29" })),
		pass("ARM has no such flags", assesstest.CentOS7, func(f *facts.Facts) {
			database(func(m *facts.Mongo) { m.AVX, m.AVX2 = false, false })(f)
			assesstest.Edit(&f.Guest.System, func(s *facts.System) { s.Arch = "aarch64" })
		}),
		fail("none", "4/ILL", assesstest.CentOS7, database(func(m *facts.Mongo) { m.AVX, m.AVX2 = false, false })),
		fail("AVX2 for 9.0", "IsaExts/AVX2", assesstest.CentOS7, database(func(m *facts.Mongo) { m.AVX2, m.Installed = false, "9.0.2" })),
		fail("nothing installed: the default of the guest", "MongoDB 7.0", assesstest.CentOS7, database(func(m *facts.Mongo) { m.AVX, m.Installed = false, "" })),
		unknown("not seen", assesstest.CentOS7, noDatabase),
	)
	_ = rows("mongo.kernel",
		pass("an old one", assesstest.CentOS7, database(well)),
		pass("7.0.14", assesstest.CentOS7, databaseOn("7.0.14-1.fc43", well)),
		pass("7.0 is exempt", assesstest.CentOS7, databaseOn("6.19.2-1.fc43", mongoLine("7.0.5"))),
		fail("6.19", "12257600", assesstest.CentOS7, databaseOn("6.19.2-1.fc43", well)),
		fail("Ubuntu 26.04", "7.0.14 and later", assesstest.CentOS7, databaseOn("7.0.0-14-generic", well)),
		unknown("not seen", assesstest.CentOS7, noDatabase),
	)
	_ = rows("mongo.clock",
		pass("chronyd", assesstest.CentOS7, database(well)),
		warn("none", "boxdoctor provision", assesstest.CentOS7, database(func(m *facts.Mongo) { m.TimeServices = nil })),
		unknown("not seen", assesstest.CentOS7, noDatabase),
	)
	_ = rows("mongo.names",
		pass("an address", assesstest.CentOS7, database(well)),
		warn("itself alone", "127.0.1.1", assesstest.CentOS7, database(func(m *facts.Mongo) { m.Address = "127.0.1.1" })),
		warn("nothing", "does not know its own name", assesstest.CentOS7, database(func(m *facts.Mongo) { m.Address = "" })),
		unknown("not seen", assesstest.CentOS7, noDatabase),
	)
	_ = rows("mongo.disk",
		pass("room", assesstest.CentOS7, database(well)),
		warn("little", "5120 MiB", assesstest.CentOS7, database(func(m *facts.Mongo) { m.DataFreeKB = 5 << 20 })),
		warn("hardly any, and it runs", "1024 MiB", assesstest.CentOS7, database(func(m *facts.Mongo) { m.DataFreeKB, m.Running = 1<<20, true })),
		fail("hardly any", "the first files of a member", assesstest.CentOS7, database(func(m *facts.Mongo) { m.DataFreeKB = 1 << 20 })),
		unknown("not seen", assesstest.CentOS7, noDatabase),
	)
	_ = rows("mongo.memory",
		pass("4 GiB", assesstest.CentOS7, database(well)),
		warn("a small box", "it is little", assesstest.CentOS7, database(func(m *facts.Mongo) { m.MemoryKB = 900 << 10 })),
		fail("too small a box", "wants 512 MiB", assesstest.CentOS7, database(func(m *facts.Mongo) { m.MemoryKB = 300 << 10 })),
		fail("too large a cache", "OOM", assesstest.CentOS7, database(func(m *facts.Mongo) { m.Options["cacheSizeGB"] = "4" })),
		unknown("not seen", assesstest.CentOS7, noDatabase),
	)
	_ = rows("mongo.selinux",
		pass("off", assesstest.CentOS7, database(func(m *facts.Mongo) { m.DataType = "tmp_t" })),
		pass("on", assesstest.CentOS7, database(func(m *facts.Mongo) { m.Enforcing, m.DataType = true, "mongod_var_lib_t" })),
		fail("another type", "semanage", assesstest.CentOS7, database(func(m *facts.Mongo) { m.Enforcing, m.DataType = true, "default_t" })),
		fail("an unlabeled socket", "mongodb-27017.sock", assesstest.CentOS7, database(func(m *facts.Mongo) { m.Enforcing, m.SocketType = true, "unlabeled_t" })),
		unknown("not seen", assesstest.CentOS7, noDatabase),
	)
	_ = rows("mongo.port",
		pass("free", assesstest.CentOS7, database(well)),
		pass("mongod's", assesstest.CentOS7, database(func(m *facts.Mongo) { m.Listener, m.Running = "mongod", true })),
		fail("another's", "nc listens", assesstest.CentOS7, database(func(m *facts.Mongo) { m.Listener = "nc" })),
		fail("somebody's", "another program", assesstest.CentOS7, database(func(m *facts.Mongo) { m.Listener = "-" })),
		unknown("not seen", assesstest.CentOS7, noDatabase),
	)
	_ = rows("mongo.thp",
		pass("on for 8.0", assesstest.CentOS7, database(well)),
		pass("off for 7.0", assesstest.CentOS7, database(func(m *facts.Mongo) { m.THP["enabled"], m.Installed = "never", "7.0.5" })),
		warn("on for 7.0", "wants never", assesstest.CentOS7, database(mongoLine("7.0.5"))),
		warn("madvise for 8.0", "wants always", assesstest.CentOS7, database(func(m *facts.Mongo) { m.THP["enabled"] = "madvise" })),
		unknown("not seen", assesstest.CentOS7, noDatabase),
	)
	_ = rows("mongo.limits",
		pass("nothing runs", assesstest.CentOS7, database(well)),
		pass("enough", assesstest.CentOS7, database(func(m *facts.Mongo) { m.Running, m.MaxFiles, m.MaxProcesses = true, 64000, 64000 })),
		warn("1024", "files 1024", assesstest.CentOS7, database(func(m *facts.Mongo) { m.Running, m.MaxFiles = true, 1024 })),
		unknown("not to be read", assesstest.CentOS7, database(func(m *facts.Mongo) { m.Running = true })),
	)
	_ = rows("mongo.sysctl",
		pass("well", assesstest.CentOS7, database(well)),
		warn("a fresh box", "vm.max_map_count is 65530", assesstest.CentOS7, database(func(m *facts.Mongo) { m.Sysctl["vm.max_map_count"] = "65530" })),
		unknown("not seen", assesstest.CentOS7, noDatabase),
	)
)

// What is given as a command is one: a piece of configuration stood there and was printed as the next thing to type.
func TestMongoAdviceIsACommand(t *testing.T) {
	n := 0
	for id, rs := range cases {
		if !strings.HasPrefix(id, "mongo.") {
			continue
		}
		c, _ := ByID(id)
		for _, r := range rs {
			for _, a := range c.Eval(r.facts()).Advice {
				n++
				if word, _, _ := strings.Cut(a.Command, " "); strings.HasSuffix(word, ":") {
					t.Errorf("%s/%s: %q", id, r.name, a.Command)
				}
			}
		}
	}
	if n == 0 {
		t.Error("no advice at all")
	}
}
