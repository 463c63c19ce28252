package probe

import (
	"errors"
	"regexp"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

func parseMongo(b body) (facts.Mongo, error) {
	m := facts.Mongo{CPU: b.text("cpu"), MemoryKB: int64(number(b.text("memory"), 0)), THP: map[string]string{}, Sysctl: map[string]string{},
		Options: map[string]string{}, TimeServices: []string{}, Listener: b.text("listener"), Running: b.text("running") != "", Enforcing: b.text("enforce") == "1", MaxFiles: -1, MaxProcesses: -1}
	if m.MemoryKB == 0 {
		return m, errors.New("it printed nothing of the memory: " + b.said())
	}
	for f := range strings.FieldsSeq(b.text("cpuflags")) {
		m.AVX, m.AVX2 = m.AVX || f == "avx", m.AVX2 || f == "avx2"
	}
	for _, line := range b.texts("thp") {
		file, value, _ := strings.Cut(line, " ")
		m.THP[file] = chosenWord(value)
	}
	for _, line := range b.texts("sysctl") {
		key, value, _ := strings.Cut(line, " ")
		m.Sysctl[strings.ReplaceAll(key, "/", ".")] = strings.TrimSpace(value)
	}
	for _, line := range b.texts("option") {
		key, value, _ := strings.Cut(line, ":")
		m.Options[key] = strings.TrimSpace(value)
	}
	for _, s := range b.texts("timeservice") {
		m.TimeServices = addSorted(m.TimeServices, s)
	}
	if version, state, _ := strings.Cut(b.text("installed"), " "); strings.HasSuffix(state, "installed") && !strings.Contains(state, "not-installed") {
		m.Installed = version
	}
	m.Name, m.Address, _ = strings.Cut(b.text("name"), " ")
	mongoLimits(b, &m)
	return m, mongoData(b, &m)
}

// chosenWord is the one in brackets of "always [madvise] never", or the whole.
func chosenWord(text string) string {
	if _, rest, ok := strings.Cut(text, "["); ok {
		word, _, _ := strings.Cut(rest, "]")
		return word
	}
	return strings.TrimSpace(text)
}

var limitLine = regexp.MustCompile(`(?m)^Max (open files|processes) +(\S+)`)

func mongoLimits(b body, m *facts.Mongo) {
	f, _ := b.first("limits")
	for _, w := range limitLine.FindAllStringSubmatch(f.block(), 2) {
		n := number(w[2], -1)
		if w[2] == "unlimited" {
			n = 1 << 30
		}
		if w[1] == "processes" {
			m.MaxProcesses = n
		} else {
			m.MaxFiles = n
		}
	}
}

// dataLine is the last line of df -PkT: file system, type, blocks, used, free, capacity, mount point.
var dataLine = regexp.MustCompile(`(?m)^\S.*\s(\S+)\s+\d+\s+\d+\s+(\d+)\s+\d+%\s+(/.*)$`)

func mongoData(b body, m *facts.Mongo) error {
	if f, ok := b.first("data"); ok {
		w := dataLine.FindStringSubmatch(f.block())
		if w == nil {
			return f.failed("df")
		}
		m.DataFS, m.DataFreeKB, m.DataPath = w[1], int64(number(w[2], 0)), w[3]
	}
	for name, into := range map[string]*string{"label": &m.DataType, "socket": &m.SocketType} {
		if f, ok := b.first(name); ok {
			if w := selinuxType.FindStringSubmatch(f.block()); w != nil {
				*into = w[1]
			}
		}
	}
	return nil
}
