package provision

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// LogsSpec declares the log agent of a machine: which files it follows and where their records go (docs/logagent.md;
// decisions D12 and D13 of the reference).
type LogsSpec struct {
	On []string `yaml:"on"`
	// Agent is auto, fluent-bit or rsyslog.
	Agent string    `yaml:"agent"`
	Files []LogFile `yaml:"files"`
	// Level is the lowest that is kept; empty: all.
	Level string `yaml:"level"`
	// MaxLine is the longest line; of a longer one the start is kept, as text.
	MaxLine size      `yaml:"max_line"`
	Buffer  logBuffer `yaml:"buffer"`

	Destinations []Destination `yaml:"destinations"`
	// Aggregator receives what the others collect, and passes it on to the destinations.
	Aggregator *aggregatorSpec `yaml:"aggregator"`
	// HealthPort is Fluent Bit's on 127.0.0.1; rsyslog has none.
	HealthPort int `yaml:"health_port"`
	// Packages is a folder beside the configuration with the agent's packages, for guests that reach no repository.
	Packages string `yaml:"packages"`
}

// LogFile are an application's log files, by one pattern.
type LogFile struct {
	Path string `yaml:"path"`
	// Tags are further keys of every record.
	Tags map[string]string `yaml:"tags"`
	// CopyTruncate says that somebody else's rotation copies the file and cuts it off; Retention is boxdoctor's rotation.
	CopyTruncate bool           `yaml:"copytruncate"`
	Retention    *retentionSpec `yaml:"retention"`
}

// copied tells whether rotated files are copies, whose lines were read before.
func (f LogFile) copied() bool {
	return f.CopyTruncate || f.Retention != nil && f.Retention.CopyTruncate
}

// retentionSpec says when the application's files are rotated, and when they go.
type retentionSpec struct {
	// Age is in days.
	Age  int  `yaml:"age"`
	Size size `yaml:"size"`
	Keep int  `yaml:"keep"`
	// Reopen makes the application open its file again after it was renamed. Without it the file is copied and cut off,
	// which wants to be said: lines that are written meanwhile are lost.
	Reopen       string `yaml:"reopen"`
	CopyTruncate bool   `yaml:"copytruncate"`
}

// logBuffer is what waits on the guest's disk while a destination does not answer.
type logBuffer struct {
	Dir string `yaml:"dir"`
	Max size   `yaml:"max"`
	// WhenFull is wait (no further line is read: the application's files are the buffer then) or drop.
	WhenFull string `yaml:"when_full"`
}

// Destination is where records go: exactly one of the kinds is set.
type Destination struct {
	// Name tells destinations apart in the guest; the buffer goes by it.
	Name     string           `yaml:"name"`
	Kafka    *kafkaSpec       `yaml:"kafka"`
	Reliable *endpointSpec    `yaml:"reliable"`
	TCP      *endpointSpec    `yaml:"tcp"`
	UDP      *udpSpec         `yaml:"udp"`
	File     *destinationFile `yaml:"file"`
}

type kafkaSpec struct {
	Brokers  []string `yaml:"brokers"`
	Topic    string   `yaml:"topic"`
	TLS      *tlsSpec `yaml:"tls"`
	User     string   `yaml:"user"`
	Password string   `yaml:"password"`
	// Mechanism is that of SASL: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
	Mechanism string `yaml:"mechanism"`
}

type endpointSpec struct {
	Host string   `yaml:"host"`
	Port int      `yaml:"port"`
	TLS  *tlsSpec `yaml:"tls"`
}

type udpSpec struct {
	Host string `yaml:"host"`
	Port int    `yaml:"port"`
	// Fragment allows records that do not fit into one packet.
	Fragment bool `yaml:"fragment"`
}

type destinationFile struct {
	Path string `yaml:"path"`
	Size size   `yaml:"size"`
	Keep int    `yaml:"keep"`
}

// tlsSpec are files of the guest. The other end's name is always checked.
type tlsSpec struct {
	CA   string `yaml:"ca"`
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

type aggregatorSpec struct {
	On []string `yaml:"on"`
	// Address is how the other machines reach it.
	Address string   `yaml:"address"`
	Port    int      `yaml:"port"`
	TLS     *tlsSpec `yaml:"tls"`
}

// Log agents.
const (
	agentAuto      = "auto"
	agentFluentBit = "fluent-bit"
	agentRsyslog   = "rsyslog"
)

// What happens when the buffer is full.
const (
	whenFullWait = "wait"
	whenFullDrop = "drop"
)

// Defaults. A line has at most what the log format allows (docs/logformat.md).
const (
	defaultMaxLine     = 256 << 10
	defaultBuffer      = 256 << 20
	defaultBufferDir   = "/var/lib/boxdoctor-logs"
	defaultHealthPort  = 2020
	defaultForwardPort = 24224
	defaultRELPPort    = 20514
	// leastBuffer is a few chunks of Fluent Bit's.
	leastBuffer = 16 << 20
	leastLine   = 256
	mostLine    = 1 << 20
	// datagram is the longest line whose record, with its keys, fits into one packet of Ethernet.
	datagram = 1 << 10
)

// levels are those of the log format, the lowest first.
var levels = []string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}

func (v *LogsSpec) name() string { return "logs" }

// where are the machines whose files are collected, and the aggregator's.
func (v *LogsSpec) where() []string {
	if v.Aggregator == nil || len(v.On) == 0 {
		return v.On
	}
	return slices.Concat(v.On, v.Aggregator.On)
}

// validate refuses what no guest could be, before any is asked.
func (v *LogsSpec) validate() error {
	errs := []error{checkState("agent", cmp.Or(v.Agent, agentAuto), agentAuto, agentFluentBit, agentRsyslog),
		checkState("buffer: when_full", cmp.Or(v.Buffer.WhenFull, whenFullWait), whenFullWait, whenFullDrop),
		checkState("level", cmp.Or(v.Level, levels[0]), levels...),
		checkSize("max_line", v.MaxLine, leastLine, mostLine), checkSize("buffer: max", v.Buffer.Max, leastBuffer, 1<<40),
		checkPlainPath("buffer: dir", v.bufferDir()), checkPort("health_port", v.healthPort())}
	if len(v.Files) == 0 || len(v.Destinations) == 0 {
		errs = append(errs, errors.New("files and destinations are wanted: what is collected, and where it goes"))
	}
	for _, f := range v.Files {
		if err := f.validate(); err != nil {
			errs = append(errs, fmt.Errorf("files: %s: %w", f.Path, err))
		}
	}
	return errors.Join(append(errs, v.checkDestinations(), v.checkAggregator())...)
}

// wordForm is what stands unquoted or in quotes in the agents' configurations without a meaning of its own.
var wordForm = regexp.MustCompile(`^[A-Za-z0-9_.:/@+,= -]*$`)

// checkPlainPath wants a path that means itself to both agents and to logrotate.
func checkPlainPath(kind, p string) error {
	if err := checkPath(kind, p); err != nil {
		return err
	}
	if strings.ContainsAny(p, " ,'\"\\$%#&;|<>(){}!~`\t") {
		return fmt.Errorf("%s: the path %q holds blanks or characters that have a meaning in the agents' configurations", kind, p)
	}
	return nil
}

func checkPort(kind string, port int) error {
	if port < 1 || port > 65535 {
		return fmt.Errorf("%s: %d is no port", kind, port)
	}
	return nil
}

func checkSize(kind string, s size, least, most int64) error {
	if s == "" {
		return nil
	}
	if n, ok := s.bytes(); !ok || n < least || n > most {
		return fmt.Errorf("%s: %q is not a number of bytes between %d and %d, such as 64KB", kind, string(s), least, most)
	}
	return nil
}

// bytes is the number that is meant; Supervisor's form of it: KB, MB and GB are powers of 1024.
func (s size) bytes() (int64, bool) {
	if !sizeForm.MatchString(string(s)) {
		return 0, false
	}
	unit := int64(1)
	digits := string(s)
	for i, suffix := range []string{"KB", "MB", "GB"} {
		if d, ok := strings.CutSuffix(digits, suffix); ok {
			digits, unit = d, int64(1)<<(10*(i+1))
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n * unit, err == nil && n < 1<<40
}

func (s size) or(def int64) int64 {
	if n, ok := s.bytes(); ok {
		return n
	}
	return def
}

// reserved are the keys of a record that are not tags.
var reserved = []string{"time", "server_ip", "client_ip", "pid", "request_id", "type", "props", "level", "message", "code",
	"collected", "machine", "file", "log", "metadata"}

var tagForm = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

func (f LogFile) validate() error {
	errs := []error{checkPlainPath("path", f.Path), f.checkRotated()}
	for _, k := range sortedKeys(f.Tags) {
		if !tagForm.MatchString(k) || slices.Contains(reserved, k) || f.Tags[k] == "" || !wordForm.MatchString(f.Tags[k]) {
			errs = append(errs, fmt.Errorf("tag %s: %q: a name is lower-case letters, digits and _, and none of a record's own keys; a value holds letters, digits, blanks and _ . : / @ + , = -", k, f.Tags[k]))
		}
	}
	if f.Retention != nil {
		errs = append(errs, f.Retention.validate())
		if f.CopyTruncate {
			errs = append(errs, errors.New("copytruncate: somebody else rotates the file, and retention: boxdoctor does; say one of them"))
		}
	}
	return errors.Join(errs...)
}

// checkRotated refuses a pattern that also matches rotated files: their lines would be sent twice.
func (f LogFile) checkRotated() error {
	sample := strings.NewReplacer("*", "a", "?", "a").Replace(f.Path)
	for _, ending := range []string{".1", ".2.gz", "-20261124", ".2026-11-24"} {
		if ok, err := path.Match(f.Path, sample+ending); ok || err != nil {
			return fmt.Errorf("the pattern also matches rotated files such as %s, whose lines would be sent twice; end it as the live file ends, such as *.log", path.Base(sample+ending))
		}
	}
	return nil
}

func (r *retentionSpec) validate() error {
	errs := []error{checkSize("retention: size", r.Size, 1<<10, 1<<40)}
	if r.Age < 0 || r.Keep < 0 || r.Age == 0 && r.Size == "" {
		errs = append(errs, errors.New("retention: an age in days, a size, or both are wanted"))
	}
	switch {
	case r.Reopen == "" && !r.CopyTruncate:
		errs = append(errs, errors.New(`retention: say how the application opens its file again after it was renamed, such as reopen: "systemctl kill -s USR1 app.service"; `+
			"or copytruncate: true, which needs nothing of the application and can lose the lines that are written meanwhile"))
	case r.Reopen != "" && r.CopyTruncate:
		errs = append(errs, errors.New("retention: reopen and copytruncate exclude each other"))
	case strings.ContainsAny(r.Reopen, "\n\r"):
		errs = append(errs, errors.New("retention: reopen is one line"))
	}
	return errors.Join(errs...)
}

func (v *LogsSpec) checkDestinations() error {
	var errs []error
	taken := map[string]bool{}
	for i, d := range v.Destinations {
		if err := d.validate(); err != nil {
			errs = append(errs, fmt.Errorf("destination %d: %w", i+1, err))
			continue
		}
		if name := d.id(); taken[name] {
			errs = append(errs, fmt.Errorf("destination %d: there are two of the name %s; give them names", i+1, name))
		}
		taken[d.id()] = true
		if d.UDP != nil && !d.UDP.Fragment && v.maxLine() > datagram {
			errs = append(errs, fmt.Errorf("destination %d: udp: a record of %d bytes does not fit into one packet, and a record in several is lost with any of them; say max_line: 1KB, or fragment: true", i+1, v.maxLine()))
		}
	}
	return errors.Join(errs...)
}

var (
	hostForm  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$`)
	topicForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)
)

func (d Destination) validate() error {
	var errs []error
	n := 0
	if d.Name != "" {
		errs = append(errs, checkName("destination", d.Name))
	}
	if d.Kafka != nil {
		n++
		errs = append(errs, d.Kafka.validate())
	}
	for _, e := range []*endpointSpec{d.Reliable, d.TCP} {
		if e != nil {
			n++
			errs = append(errs, checkEndpoint(e.Host, e.Port), e.TLS.validate())
		}
	}
	if d.UDP != nil {
		n++
		errs = append(errs, checkEndpoint(d.UDP.Host, d.UDP.Port))
	}
	if d.File != nil {
		n++
		errs = append(errs, checkPlainPath("file", d.File.Path), checkSize("file: size", d.File.Size, 1<<10, 1<<40))
	}
	if n != 1 {
		return errors.New("exactly one of kafka, reliable, tcp, udp and file is wanted")
	}
	return errors.Join(errs...)
}

func (k *kafkaSpec) validate() error {
	errs := []error{k.TLS.validate()}
	if len(k.Brokers) == 0 || !topicForm.MatchString(k.Topic) {
		errs = append(errs, errors.New("kafka: brokers and a topic are wanted, such as {brokers: [kafka1:9092], topic: logs}"))
	}
	for _, b := range k.Brokers {
		host, port, err := net.SplitHostPort(b)
		n, _ := strconv.Atoi(port)
		if err = errors.Join(err, checkEndpoint(host, n)); err != nil {
			errs = append(errs, fmt.Errorf("kafka: broker %q: host:port is wanted", b))
		}
	}
	if (k.User == "") != (k.Password == "") || !wordForm.MatchString(k.User) {
		errs = append(errs, errors.New("kafka: user and password belong together, such as password: ${env:KAFKA_PASSWORD}"))
	}
	if k.User != "" {
		errs = append(errs, checkState("kafka: mechanism", cmp.Or(k.Mechanism, "PLAIN"), "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"))
	}
	return errors.Join(errs...)
}

func checkEndpoint(host string, port int) error {
	if !hostForm.MatchString(host) {
		return fmt.Errorf("host: %q is no name or address", host)
	}
	return checkPort("port", port)
}

func (t *tlsSpec) validate() error {
	if t == nil {
		return nil
	}
	errs := []error{checkPlainPath("tls: ca", t.CA)}
	if (t.Cert == "") != (t.Key == "") {
		errs = append(errs, errors.New("tls: cert and key belong together"))
	} else if t.Cert != "" {
		errs = append(errs, checkPlainPath("tls: cert", t.Cert), checkPlainPath("tls: key", t.Key))
	}
	return errors.Join(errs...)
}

func (v *LogsSpec) checkAggregator() error {
	a := v.Aggregator
	switch {
	case a == nil:
		return nil
	case len(a.On) == 0 || !hostForm.MatchString(a.Address):
		return errors.New("aggregator: `on` (a machine) and an address that the others reach it by are wanted")
	case a.Port != 0 && checkPort("", a.Port) != nil:
		return checkPort("aggregator: port", a.Port)
	case a.TLS != nil && a.TLS.Cert == "":
		return errors.New("aggregator: tls: a certificate and its key are wanted, which must lie on every machine that `on` names; with rsyslog on those that send as well, each its own")
	}
	return a.TLS.validate()
}

// id is the destination's name in the guest: its own, or one that stays when others come and go.
func (d Destination) id() string {
	plain := func(kind, host string, port int) string {
		return kind + "-" + strings.NewReplacer(":", "_", ".", "_").Replace(host) + "-" + strconv.Itoa(port)
	}
	switch {
	case d.Name != "":
		return d.Name
	case d.Kafka != nil:
		return "kafka-" + d.Kafka.Topic
	case d.Reliable != nil:
		return plain("reliable", d.Reliable.Host, d.Reliable.Port)
	case d.TCP != nil:
		return plain("tcp", d.TCP.Host, d.TCP.Port)
	case d.UDP != nil:
		return plain("udp", d.UDP.Host, d.UDP.Port)
	}
	return "file" + strings.NewReplacer("/", "-", ".", "_").Replace(d.File.Path)
}

func (v *LogsSpec) bufferDir() string { return cmp.Or(v.Buffer.Dir, defaultBufferDir) }

func (v *LogsSpec) healthPort() int { return cmp.Or(v.HealthPort, defaultHealthPort) }

func (v *LogsSpec) maxLine() int64 { return v.MaxLine.or(defaultMaxLine) }

func (v *LogsSpec) bufferMax() int64 { return v.Buffer.Max.or(defaultBuffer) }

// dropped are the levels below the one that is kept.
func (v *LogsSpec) dropped() []string { return levels[:max(slices.Index(levels, v.Level), 0)] }

// anyDestination tells whether one of the destinations is such.
func (v *LogsSpec) anyDestination(is func(Destination) bool) bool {
	return slices.ContainsFunc(v.Destinations, is)
}
