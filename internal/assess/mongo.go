package assess

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
)

// MongoLine is the line of MongoDB that counts in a guest: what is installed, else what would be installed by default.
func MongoLine(g facts.Guest) (knowledge.MongoLine, error) {
	m, err := g.Mongo.Get()
	if err != nil {
		return knowledge.MongoLine{}, err
	}
	if m.Installed != "" {
		return knowledge.MongoLineOf(m.Installed)
	}
	sys, err := g.System.Get()
	if err != nil {
		return knowledge.MongoLine{}, err
	}
	guest, ok := knowledge.MongoGuestOf(sys.ID, sys.IDLike, sys.VersionID)
	if !ok {
		return knowledge.MongoLine{}, fmt.Errorf("MongoDB has no packages for %s", sys.Pretty)
	}
	return knowledge.MongoLineOf(guest.Default[0])
}

// MongoCPU says why a line's builds do not run on the processor; nil: they do. They end with "Illegal instruction",
// even mongod --version. arch is uname -m: the flags are those of x86.
func MongoCPU(m facts.Mongo, arch string, l knowledge.MongoLine) error {
	if arch == "aarch64" || arch == "arm64" || arch == "s390x" || arch == "ppc64le" {
		return nil
	}
	if l.CPU == "avx" && !m.AVX || l.CPU == "avx2" && !m.AVX2 {
		return fmt.Errorf("the processor shows no %s to this guest (%s), and MongoDB %s ends with \"Illegal instruction\" (status=4/ILL, exit 132) without it", l.CPU, m.CPU, l.Series)
	}
	return nil
}

// MongoKernel says why a line does not run on the kernel; nil: it does.
func MongoKernel(release string, l knowledge.MongoLine) error {
	if !l.RunsOn(release) {
		return fmt.Errorf("MongoDB %s does not run on kernel %s: from 6.19 to 7.0.13 its memory allocator and the kernel do not agree (SERVER-121912); "+
			"builds from about 8.0.28 on refuse to start (id 12257600), older ones die after half a minute", l.Series, release)
	}
	return nil
}

// Least room and memory: the first journal and oplog (990 MB) need the one, mongod's smallest cache (256 MB) the other.
const (
	mongoLeastKB   = 3 << 20
	mongoSmallKB   = 10 << 20
	mongoLeastRAM  = 512 << 10
	mongoSmallRAM  = 1 << 20
	mongoCacheRest = 256 << 10
)

// MongoRoom says how the room for data is: an error when it is too little to start with; small tells whether it is scant.
func MongoRoom(m facts.Mongo) (small bool, err error) {
	if m.DataFreeKB < mongoLeastKB {
		return true, fmt.Errorf("%s has %d MiB left; the first files of a member take about %d MiB", m.DataPath, m.DataFreeKB>>10, mongoLeastKB>>10)
	}
	return m.DataFreeKB < mongoSmallKB, nil
}

// MongoCacheKB is the cache in force: the declared one, else the server's default, half of the memory above 1 GiB.
func MongoCacheKB(m facts.Mongo, declaredGB string) int64 {
	if gb, err := strconv.ParseFloat(declaredGB, 64); err == nil {
		return int64(gb * (1 << 20))
	}
	return max((m.MemoryKB-1<<20)/2, mongoCacheRest)
}

// MongoMemory says why the memory does not do for a cache; small tells whether it is scant.
func MongoMemory(m facts.Mongo, cacheKB int64) (small bool, err error) {
	switch {
	case m.MemoryKB < mongoLeastRAM-64<<10: // what the kernel keeps is not in MemTotal
		return true, fmt.Errorf("the guest has %d MiB of memory; a mongod wants %d MiB at least", m.MemoryKB>>10, mongoLeastRAM>>10)
	case cacheKB+mongoCacheRest > m.MemoryKB:
		return true, fmt.Errorf("the cache of %d MiB leaves nothing of the guest's %d MiB: the kernel would kill mongod (OOM)", cacheKB>>10, m.MemoryKB>>10)
	}
	return m.MemoryKB < mongoSmallRAM || cacheKB > m.MemoryKB*6/10, nil
}

// MongoPort says who else holds the default port; nil: nobody, or mongod itself.
func MongoPort(m facts.Mongo) error {
	if m.Listener == "" || m.Listener == "mongod" || m.Listener == "-" && m.Running {
		return nil
	}
	who := m.Listener
	if who == "-" {
		who = "another program"
	}
	return errors.New(who + " listens at port 27017")
}
