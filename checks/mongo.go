package checks

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/assess"
	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
)

const (
	mongoSource = "reference 3.3; MongoDB manual, production notes"
	mongoCPU    = "mongo.cpu"
	mongoKernel = "mongo.kernel"
)

// mongoCheck registers a check that is made only when it is asked for: most guests shall never hold a database.
func mongoCheck(c Check, judge func(facts.Mongo, knowledge.MongoLine, *facts.Facts) finding.Verdict) Check {
	c.Target, c.OnDemand, c.Source = OnGuest, true, mongoSource
	c.Needs = append(with(facts.KeyMongo, facts.KeySystem), c.Needs...)
	c.After = []string{reachable}
	c.Eval = func(f *facts.Facts) finding.Verdict {
		line, err := assess.MongoLine(f.Guest)
		if err != nil {
			return finding.Cannot(err)
		}
		return judge(f.Guest.Mongo.Or(facts.Mongo{}), line, f)
	}
	return register(c)
}

var _ = mongoCheck(Check{
	ID: mongoCPU, Title: "MongoDB's builds run on this processor", Severity: finding.Critical,
	Why:   "MongoDB 5.0 and later need AVX, 9.0 needs AVX2. Where the guest does not see it, mongod ends with `Illegal instruction`, and so does `mongod --version`.",
	Looks: "flags of /proc/cpuinfo",
}, func(m facts.Mongo, l knowledge.MongoLine, f *facts.Facts) finding.Verdict {
	if err := assess.MongoCPU(m, f.Guest.System.Or(facts.System{}).Arch, l); err != nil {
		return finding.Failf("%v", err).Diff(l.CPU, m.CPU).
			Advise("on the host, while the VM is off, show it to the guest (not under Hyper-V, which hides it)", "VBoxManage setextradata VM VBoxInternal/CPUM/IsaExts/"+strings.ToUpper(l.CPU)+" 1").
			Advise("or take a line that needs less: MongoDB 4.4 runs on every 64-bit processor", "")
	}
	return finding.Passf("MongoDB %s runs on it", l.Series)
})

var _ = mongoCheck(Check{
	ID: mongoKernel, Title: "MongoDB runs on this kernel", Severity: finding.Critical,
	Why:   "MongoDB 8.0 and later and kernels 6.19 to 7.0.13 do not agree about rseq: newer builds refuse to start (log id 12257600), older ones die with SIGSEGV.",
	Looks: "uname -r",
}, func(_ facts.Mongo, l knowledge.MongoLine, f *facts.Facts) finding.Verdict {
	release := f.Guest.System.Or(facts.System{}).KernelRelease
	if err := assess.MongoKernel(release, l); err != nil {
		return finding.Failf("%v", err).Diff("below 6.19, or 7.0.14 and later", release).
			Advise("run a kernel of 7.0.14 or later, or MongoDB 7.0, which has another allocator; or, at the price of its allocator's speed, `mongo: {rseq: true}` in .boxdoctor.yaml", "")
	}
	return finding.Passf("%s", release)
})

var _ = mongoCheck(Check{
	ID: "mongo.clock", Title: "Something keeps the clock", Severity: finding.Major,
	Why:   "Members whose clocks drift apart elect wrongly and report lag that is none; certificates and logs disagree.",
	Looks: "running chronyd, ntpd, systemd-timesyncd or VBoxService",
}, func(m facts.Mongo, _ knowledge.MongoLine, _ *facts.Facts) finding.Verdict {
	if len(m.TimeServices) == 0 {
		return finding.Warnf("no time service runs").Diff("chronyd, ntpd, systemd-timesyncd or VBoxService", "none").
			Advise("install one in every member, such as `resources: [{package: chrony}]` in .boxdoctor.yaml; then", "boxdoctor provision")
	}
	return finding.Passf("%s", strings.Join(m.TimeServices, ", "))
})

var _ = mongoCheck(Check{
	ID: "mongo.names", Title: "The guest's own name leads to an address that others reach", Severity: finding.Major,
	Why:   "Members know each other by the names of the configuration. A name that leads to 127.0.1.1, as Vagrant and Debian write it, makes each member reach itself: initiation fails with 74 or 93.",
	Looks: "getent hosts $(uname -n)",
}, func(m facts.Mongo, _ knowledge.MongoLine, _ *facts.Facts) finding.Verdict {
	switch {
	case m.Address == "":
		return finding.Warnf("%s does not know its own name", m.Name).Diff("an address", "none").
			Advise("declare the address of every member (`members: [{machine: "+m.Name+", address: 192.168.56.11}]`): boxdoctor writes /etc/hosts; then", "boxdoctor provision")
	case strings.HasPrefix(m.Address, "127.") || m.Address == "::1":
		return finding.Warnf("%s leads to %s, to itself alone", m.Name, m.Address).Diff("an address of the machine", m.Address).
			Advise("in a set of several machines use other names for members, or take this line out of /etc/hosts", "")
	}
	return finding.Passf("%s is %s", m.Name, m.Address)
})

var _ = mongoCheck(Check{
	ID: "mongo.disk", Title: "There is room for data", Severity: finding.Critical,
	Why:   "The journal, the oplog (990 MB at least) and diagnostic data come with the first start; a member whose disk is full stops.",
	Looks: "df of dbPath, or of where it will be",
}, func(m facts.Mongo, _ knowledge.MongoLine, _ *facts.Facts) finding.Verdict {
	small, err := assess.MongoRoom(m)
	switch {
	case err != nil && !m.Running:
		return finding.Failf("%v", err).Diff("3 GiB", mib(m.DataFreeKB)).Advise("see what fills it, in the guest", "sudo du -xh --max-depth=1 "+m.DataPath)
	case small:
		return finding.Warnf("%s has %s left", m.DataPath, mib(m.DataFreeKB)).Diff("10 GiB", mib(m.DataFreeKB)).
			Advise("see what fills it, in the guest", "sudo du -xh --max-depth=1 "+m.DataPath)
	}
	return finding.Passf("%s left on %s (%s)", mib(m.DataFreeKB), m.DataPath, m.DataFS)
})

var _ = mongoCheck(Check{
	ID: "mongo.memory", Title: "The cache fits the memory", Severity: finding.Major,
	Why:   "WiredTiger takes half of the memory above 1 GiB for its cache, and mongod as much again under load. In a box of 512 MB the kernel kills it.",
	Looks: "MemTotal of /proc/meminfo, cacheSizeGB of /etc/mongod.conf",
}, func(m facts.Mongo, _ knowledge.MongoLine, _ *facts.Facts) finding.Verdict {
	cache := assess.MongoCacheKB(m, m.Options["cacheSizeGB"])
	small, err := assess.MongoMemory(m, cache)
	got := fmt.Sprintf("cache %s, memory %s", mib(cache), mib(m.MemoryKB))
	switch {
	case err != nil:
		return finding.Failf("%v", err).Diff("a cache of at most 60 % of the memory", got).Advise("give the VM more memory, or declare a smaller cache (`mongo: {cache_gb: 0.25}`); then", "boxdoctor provision")
	case small:
		return finding.Warnf("it is little: %s", got).Diff("1 GiB, and a cache of at most 60 %", got).Advise("give the VM more memory, or declare a smaller cache (`mongo: {cache_gb: 0.25}`); then", "boxdoctor provision")
	}
	return finding.Passf("%s", got)
})

var _ = mongoCheck(Check{
	ID: "mongo.selinux", Title: "SELinux lets mongod at its files", Severity: finding.Major,
	Why:   "mongod may read and write mongod_var_lib_t. Files of another type are denied; a socket left in /tmp becomes unlabeled when MongoDB's own policy is loaded, and mongod exits with 14 (log id 23024).",
	Looks: "/sys/fs/selinux/enforce, ls -Z of dbPath and /tmp/mongodb-*.sock",
}, func(m facts.Mongo, _ knowledge.MongoLine, _ *facts.Facts) finding.Verdict {
	switch {
	case !m.Enforcing:
		return finding.Passf("not enforced")
	case m.SocketType == "unlabeled_t":
		return finding.Failf("the socket in /tmp is unlabeled").Diff("mongod_tmp_t", m.SocketType).Advise("remove it once, while mongod is stopped", "sudo rm /tmp/mongodb-27017.sock")
	case m.DataType != "" && m.DataType != "mongod_var_lib_t" && m.DataType != "var_lib_t":
		return finding.Failf("%s has the type %s", m.DataPath, m.DataType).Diff("mongod_var_lib_t", m.DataType).
			Advise("give it the policy's type", "sudo semanage fcontext -a -t mongod_var_lib_t '/var/lib/mongo(/.*)?' && sudo restorecon -R /var/lib/mongo")
	}
	return finding.Passf("enforced; nothing is in the way")
})

var _ = mongoCheck(Check{
	ID: "mongo.port", Title: "Port 27017 is mongod's", Severity: finding.Critical,
	Why:   "Another program at the port, or a second mongod by hand, makes the service end with `Address already in use` (log id 23016).",
	Looks: "/proc/net/tcp, ss -ltnp",
}, func(m facts.Mongo, _ knowledge.MongoLine, _ *facts.Facts) finding.Verdict {
	if err := assess.MongoPort(m); err != nil {
		return finding.Failf("%v", err).Diff("mongod or nobody", m.Listener).Advise("see who it is, in the guest", "sudo ss -ltnp 'sport = :27017'")
	}
	return finding.Passf("free, or mongod's")
})

var _ = mongoCheck(Check{
	ID: "mongo.thp", Title: "Transparent huge pages suit the version", Severity: finding.Minor,
	Why:   "Up to 7.0 mongod wants huge pages off (latency, memory that is not given back); from 8.0 on its allocator wants them on. mongod warns at start when they are the other way round.",
	Looks: "/sys/kernel/mm/transparent_hugepage",
}, func(m facts.Mongo, l knowledge.MongoLine, _ *facts.Facts) finding.Verdict {
	have, want := m.THP["enabled"], "always"
	if l.Series < "8" {
		want = "never"
	}
	if have == "" {
		return finding.Passf("this kernel has none")
	}
	if have != want {
		return finding.Warnf("they are %s, MongoDB %s wants %s", have, l.Series, want).Diff(want, have).
			Advise("until the next boot; a tuned profile may set it back", "echo "+want+" | sudo tee /sys/kernel/mm/transparent_hugepage/enabled")
	}
	return finding.Passf("%s", have)
})

var _ = mongoCheck(Check{
	ID: "mongo.limits", Title: "mongod may open enough files", Severity: finding.Major,
	Why:   "Every connection and every collection takes files. The package's unit allows 64000; a mongod that was started otherwise has 1024 and refuses connections.",
	Looks: "/proc/PID/limits of the running mongod",
}, func(m facts.Mongo, _ knowledge.MongoLine, _ *facts.Facts) finding.Verdict {
	switch {
	case !m.Running:
		return finding.Passf("no mongod runs; its unit sets them")
	case m.MaxFiles < 0:
		return finding.Cannot(fmt.Errorf("%w: the limits of the running mongod could not be read", facts.ErrNotCollected))
	case m.MaxFiles < 64000 || m.MaxProcesses >= 0 && m.MaxProcesses < 32000:
		got := fmt.Sprintf("files %d, processes %d", m.MaxFiles, m.MaxProcesses)
		return finding.Warnf("they are low: %s", got).Diff("files 64000, processes 64000", got).Advise("start mongod by its service, whose unit sets them", "sudo systemctl restart mongod")
	}
	return finding.Passf("files %d", m.MaxFiles)
})

// mongoSysctls are the least and the most of parameters, as the production notes have them; -1: no bound.
var mongoSysctls = []struct {
	key         string
	least, most int
	want        string
}{
	{"vm.max_map_count", 128000, -1, "128000"}, {"vm.swappiness", -1, 1, "1"}, {"vm.zone_reclaim_mode", -1, 0, "0"},
	{"net.core.somaxconn", 4096, -1, "4096"}, {"net.ipv4.tcp_keepalive_time", -1, 300, "120"},
}

var _ = mongoCheck(Check{
	ID: "mongo.sysctl", Title: "Parameters of the kernel suit a database", Severity: finding.Minor,
	Why:   "mongod warns at start of the first two; a connection that a firewall dropped is noticed only by keepalives.",
	Looks: "/proc/sys",
}, func(m facts.Mongo, _ knowledge.MongoLine, _ *facts.Facts) finding.Verdict {
	var bad, want []string
	for _, s := range mongoSysctls {
		n, err := strconv.Atoi(m.Sysctl[s.key])
		if err == nil && (s.least >= 0 && n < s.least || s.most >= 0 && n > s.most) {
			bad = append(bad, fmt.Sprintf("%s is %d", s.key, n))
			want = append(want, fmt.Sprintf("{sysctl: {key: %s, value: %q}}", s.key, s.want))
		}
	}
	if len(bad) == 0 {
		return finding.Passf("as the production notes have them")
	}
	slices.Sort(want)
	return finding.Warnf("%s", strings.Join(bad, ", ")).Diff("production notes", strings.Join(bad, ", ")).
		Advise("declare them in .boxdoctor.yaml, `resources: ["+strings.Join(want, ", ")+"]`; then", "boxdoctor provision")
})
