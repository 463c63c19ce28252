package probe

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// A guest with a running mongod (synthetic, in the forms of Debian 12 and Rocky 9).
const mongoSaid = `=cpuflags fpu avx avx2 sse4_2
=cpu Test CPU @ 2.00GHz
=memory 4028032
=thp enabled always [madvise] never
=thp khugepaged/max_ptes_none 511
=sysctl vm/max_map_count 65530
=installed 8.0.4 install ok installed
=conf yes
=option dbPath: /var/lib/mongodb
=option cacheSizeGB: 0.5
=running 812
=limits 0
| Limit                     Soft Limit           Hard Limit           Units
| Max processes             unlimited            unlimited            processes
| Max open files            64000                64000                files
=timeservice chronyd
=listener mongod
=name db1 192.168.56.11
=data 0
| Filesystem     Type 1024-blocks    Used Available Capacity Mounted on
| /dev/sda1      ext4    20466256 2861564  16539732      15% /
=label 0
| system_u:object_r:mongod_var_lib_t:s0 /var/lib/mongo
=enforce 1
`

func TestParseMongo(t *testing.T) {
	got, err := parseMongo(parseBody([]byte(mongoSaid)))
	want := facts.Mongo{CPU: "Test CPU @ 2.00GHz", AVX: true, AVX2: true, MemoryKB: 4028032, THP: map[string]string{"enabled": "madvise", "khugepaged/max_ptes_none": "511"},
		Sysctl: map[string]string{"vm.max_map_count": "65530"}, Installed: "8.0.4", Options: map[string]string{"dbPath": "/var/lib/mongodb", "cacheSizeGB": "0.5"},
		Running: true, MaxFiles: 64000, MaxProcesses: 1 << 30, TimeServices: []string{"chronyd"}, Listener: "mongod", Name: "db1", Address: "192.168.56.11",
		DataPath: "/", DataFS: "ext4", DataFreeKB: 16539732, Enforcing: true, DataType: "mongod_var_lib_t"}
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, text := range []string{"", "=memory x\n", "=memory 1\n=data 1\n| df: no such file\n"} {
		if _, err := parseMongo(parseBody([]byte(text))); err == nil {
			t.Errorf("%q was understood", text)
		}
	}
	if m, err := parseMongo(parseBody([]byte("=memory 1\n=installed 8.0.4 deinstall ok config-files\n"))); err != nil || m.Installed != "" || m.Running || m.MaxFiles != -1 {
		t.Errorf("%+v %v", m, err)
	}
}

// The section itself, on whatever machine tests this, by three shells: it says something of the processor, the memory and
// the disk.
func TestMongoSectionHere(t *testing.T) {
	for name, extra := range map[string][]string{"dash": nil, "bash": nil, "busybox": {"sh"}} {
		t.Run(name, func(t *testing.T) {
			g, err := Collect(t.Context(), newShell(t, name, extra...), []facts.Key{facts.KeyMongo}, Params{User: "root", Timeout: 30 * time.Second}, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			if m, err := g.Mongo.Get(); err != nil || m.MemoryKB == 0 || m.Name == "" || m.DataFreeKB == 0 || len(m.Sysctl) == 0 {
				t.Errorf("%+v %v", m, err)
			}
			// dash read "6" of 65530: it reads byte by byte, and the kernel gives a parameter to the first read only
			if whole, err := os.ReadFile("/proc/sys/vm/max_map_count"); err == nil && g.Mongo.Or(facts.Mongo{}).Sysctl["vm.max_map_count"] != strings.TrimSpace(string(whole)) {
				t.Errorf("vm.max_map_count is %s, the probe says %+v", whole, g.Mongo.Or(facts.Mongo{}).Sysctl)
			}
		})
	}
}
