package provision

import (
	_ "embed" // how a line is taken apart
	"fmt"
	"slices"
	"strings"

	goversion "github.com/hashicorp/go-version"
)

// rsyslogLines is the ruleset that takes a line apart. It makes of each what Fluent Bit makes of it.
//
//go:embed scripts/logs_lines.rsyslog
var rsyslogLines string

// rsyslogProgram is the distribution's.
const rsyslogProgram = "/usr/sbin/rsyslogd"

// rsyslogText collects rsyslog's configuration.
type rsyslogText struct {
	strings.Builder
	version *goversion.Version
}

// param is one parameter, and the release that brought it: an older one refuses what it does not know.
type param struct{ key, value, since string }

// object writes name(key="value" …), one parameter a line when there are many.
func (t *rsyslogText) object(indent, name string, params ...param) {
	t.WriteString(indent + name + "(")
	sep := ""
	for _, p := range params {
		if p.value == "" || p.since != "" && t.version.LessThan(goversion.Must(goversion.NewVersion(p.since))) {
			continue
		}
		t.WriteString(sep + p.key + "=" + p.value)
		sep = " "
	}
	t.WriteString(")\n")
}

// quoted is a string of rsyslog's.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func number64(n int64) string { return fmt.Sprintf(`"%d"`, n) }

// rsyslog is the configuration of an instance of its own, which reads nothing of the system's.
func (p *logPlan) rsyslog() (string, error) {
	v, err := goversion.NewVersion(p.rsyslogVersion())
	if err != nil {
		return "", err
	}
	t := &rsyslogText{version: v}
	t.WriteString("# boxdoctor provision: changes are overwritten\n")
	// twice the line: a record has the line's fields and their keys
	t.object("", "global", param{key: "workDirectory", value: quoted(p.stateDir())}, param{key: "maxMessageSize", value: number64(2*p.maxLine() + 4096)},
		param{key: "net.enableDNS", value: `"off"`, since: "8.24.0"}, param{key: "processInternalMessages", value: p.ownMessages()})
	p.streamCertificates(t)
	p.rsyslogModules(t)
	// the destinations have threads of their own, and 8.2302 was seen to spoil a record when several of them turned the
	// same tree into text: that is done once, before
	t.WriteString(`template(name="tree" type="list") { property(name="$!all-json") }` + "\n" +
		`template(name="tree-line" type="list") { property(name="$!all-json") constant(value="\n") }` + "\n" +
		`template(name="record" type="list") { property(name="$.record") }` + "\n" +
		`template(name="line" type="list") { property(name="$.record") constant(value="\n") }` + "\n" +
		`template(name="relp" type="list") { constant(value="<13>1 ") property(name="timegenerated" dateFormat="rfc3339") constant(value=" ` + p.machine +
		` boxdoctor - - - ") property(name="$.record") }` + "\n" +
		`template(name="utc" type="list") { property(name="timegenerated" dateFormat="rfc3339" date.inUTC="on") }` + "\n")
	p.rsyslogInputs(t)
	if p.receives {
		p.hubInputs(t)
	}
	if len(p.files) > 0 {
		t.WriteString("\n" + p.linesRuleset())
	}
	if p.receives {
		p.hubRulesets(t)
	} else {
		t.WriteString("\nruleset(name=\"send\") {\n")
		p.actions(t)
		t.WriteString("}\n")
	}
	t.WriteString("\n# what this instance says of itself\n")
	t.object("", "action", param{key: "type", value: `"omfile"`}, param{key: "file", value: quoted(p.ownLog())})
	p.refusedRule(t)
	return t.String(), nil
}

// ownLog is what rsyslog says of itself, statsFile what it counts: its sign of life.
func (p *logPlan) ownLog() string { return p.stateDir() + "/agent.log" }

func (p *logPlan) statsFile() string { return p.stateDir() + "/stats.json" }

// rsyslogVersion is the system's; a system that no row names is taken for the oldest that is.
func (p *logPlan) rsyslogVersion() string { return or(p.row.Rsyslog.Version, "8.24.0") }

// statsInterval is how often rsyslog shows that it lives, in seconds.
const statsInterval = 5

func (p *logPlan) rsyslogModules(t *rsyslogText) {
	load := func(name string, more ...param) {
		t.object("", "module", append([]param{{key: "load", value: quoted(name)}}, more...)...)
	}
	load("imfile", param{key: "mode", value: `"inotify"`})
	load("impstats", param{key: "interval", value: fmt.Sprintf(`"%d"`, statsInterval)}, param{key: "format", value: `"json"`},
		param{key: "log.syslog", value: `"off"`}, param{key: "log.file", value: quoted(p.statsFile())})
	if p.receives {
		load("imrelp")
	}
	if p.relpTLS() {
		load("omprog")
	}
	for _, m := range p.outputModules() {
		load(m)
	}
}

// outputModules are those of the destinations that are no part of rsyslog itself.
func (p *logPlan) outputModules() []string {
	var out []string
	for _, d := range p.to {
		switch {
		case d.Kafka != nil:
			out = append(out, "omkafka")
		case d.Reliable != nil:
			out = append(out, "omrelp")
		}
	}
	return uniq(out)
}

func (p *logPlan) rsyslogInputs(t *rsyslogText) {
	for i, f := range p.files {
		name := fmt.Sprintf("files-%d", i)
		t.object("", "input", param{key: "type", value: `"imfile"`}, param{key: "file", value: quoted(f.Path)}, param{key: "tag", value: `"boxdoctor"`},
			param{key: "ruleset", value: quoted(name)}, param{key: "addMetadata", value: `"on"`},
			// without it no state is written at all; at most so many lines come twice after a kill
			param{key: "persistStateInterval", value: `"100"`},
			param{key: "reopenOnTruncate", value: `"on"`, since: "8.16.0"},
			param{key: "trimLineOverBytes", value: number64(p.longest()), since: "8.17.0"})
	}
	for i, f := range p.files {
		// Direct: a line counts as read when it lies in the queues of its destinations
		fmt.Fprintf(t, "ruleset(name=\"files-%d\" queue.type=\"Direct\") {\n\tset $.file = $!metadata!filename;\n\tunset $!metadata;\n\tset $!file = $.file;\n\tset $!machine = %s;\n", i, quoted(p.machine))
		for _, k := range sortedKeys(f.Tags) {
			fmt.Fprintf(t, "\tset $!%s = %s;\n", k, quoted(f.Tags[k]))
		}
		t.WriteString("\tcall lines\n\tcall send\n}\n")
	}
}

// longest is what is left of a line that is too long: Fluent Bit's buffer without its end.
func (p *logPlan) longest() int64 { return p.maxLine() - 1 }

func (p *logPlan) linesRuleset() string {
	drop := ""
	for _, level := range p.dropped() {
		drop += fmt.Sprintf("\t\tif $!level == %s then stop\n", quoted(level))
	}
	return strings.NewReplacer("@LONGEST@", fmt.Sprint(p.longest()), "\t\t@DROP@\n", drop).Replace(rsyslogLines)
}

// actions are the destinations: files first, because their records have no time of collection.
func (p *logPlan) actions(t *rsyslogText) {
	stamped := false
	for _, d := range p.filesFirst() {
		if d.File == nil && !stamped {
			t.WriteString(stamp)
			stamped = true
		}
		p.action(t, d, d.template("tree-line"))
	}
}

// stamp notes when a line was collected, and makes its record.
const stamp = "\tset $!collected = exec_template(\"utc\");\n\tset $.record = exec_template(\"tree\");\n"

func (p *logPlan) filesFirst() []Destination {
	to := slices.Clone(p.to)
	slices.SortStableFunc(to, func(a, b Destination) int { return boolInt(b.File != nil) - boolInt(a.File != nil) })
	return to
}

func (p *logPlan) action(t *rsyslogText, d Destination, template string) {
	t.object("\t", "action", append(append(d.rsyslog(p), param{key: "template", value: quoted(template)}), p.queue(d.id(), d)...)...)
}

// template is the form in which rsyslog sends a record to the destination; file is that of files.
func (d Destination) template(file string) string {
	switch {
	case d.Reliable != nil:
		return "relp"
	case d.File != nil:
		return file
	case d.TCP != nil:
		return "line"
	}
	return "record"
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// queueSize is how many records of a destination may lie in memory; rewind is how many bytes of a file they are at most
// (400 bytes a line), which are read again after a kill (scripts/logs_rewind.sh).
const (
	queueSize = 10000
	rewind    = 4 << 20
)

// queue is a destination's buffer: a little memory, then the disk up to the cap. A queue that is on the disk from the
// first record is no safer: 8.2302 cannot read it after a kill. Files and UDP need none: the one takes all there is, the
// other waits for nobody.
func (p *logPlan) queue(name string, d Destination) []param {
	out := []param{{key: "name", value: quoted(name)}}
	if d.File != nil || !d.retries() {
		return out
	}
	// A minute a record, then it is dropped. With an endless wait 8.2302 stood still for ever, even when there was room
	// again; with two seconds lines went while the queue was only being moved to a slow disk.
	enqueue := "60000"
	if p.drops() {
		enqueue = "0"
	}
	return append(out, param{key: "queue.type", value: `"LinkedList"`}, param{key: "queue.filename", value: quoted(name)}, param{key: "queue.spoolDirectory", value: quoted(p.stateDir())},
		param{key: "queue.size", value: number64(queueSize)}, param{key: "queue.maxDiskSpace", value: number64(p.bufferMax())}, param{key: "queue.maxFileSize", value: `"16m"`},
		param{key: "queue.saveOnShutdown", value: `"on"`}, param{key: "queue.dequeueBatchSize", value: `"1024"`}, param{key: "queue.timeoutEnqueue", value: quoted(enqueue)},
		param{key: "action.resumeRetryCount", value: `"-1"`}, param{key: "action.resumeInterval", value: `"2"`}, param{key: "action.resumeIntervalMax", value: `"30"`, since: "8.2006.0"})
}

// rsyslog is the destination itself.
func (d Destination) rsyslog(p *logPlan) []param {
	switch {
	case d.Kafka != nil:
		return d.Kafka.rsyslog(p.stateDir() + "/failed-" + d.id())
	case d.Reliable != nil:
		return append(endpoint("omrelp", d.Reliable.Host, d.Reliable.Port), d.Reliable.TLS.relp(d.Reliable.Host)...)
	case d.TCP != nil:
		return append(append(endpoint("omfwd", d.TCP.Host, d.TCP.Port), param{key: "protocol", value: `"tcp"`}), d.TCP.TLS.stream(d.TCP.Host)...)
	case d.UDP != nil:
		return append(endpoint("omfwd", d.UDP.Host, d.UDP.Port), param{key: "protocol", value: `"udp"`})
	}
	return []param{{key: "type", value: `"omfile"`}, {key: "file", value: quoted(d.File.Path)}}
}

func endpoint(kind, host string, port int) []param {
	return []param{{key: "type", value: quoted(kind)}, {key: "target", value: quoted(host)}, {key: "port", value: fmt.Sprintf(`"%d"`, port)}}
}

// rsyslog keeps what the broker refuses, over a restart as well; librdkafka's partitioner chooses the partition.
func (k *kafkaSpec) rsyslog(failed string) []param {
	var brokers, conf []string
	for _, b := range k.Brokers {
		brokers = append(brokers, quoted(b))
	}
	for _, c := range k.client() {
		conf = append(conf, quoted(c.key+"="+c.value))
	}
	return []param{{key: "type", value: `"omkafka"`}, {key: "broker", value: "[" + strings.Join(brokers, ",") + "]"}, {key: "topic", value: quoted(k.Topic)},
		{key: "partitions.auto", value: `"on"`}, {key: "confParam", value: "[" + strings.Join(conf, ",") + "]"},
		{key: "resubmitOnFailure", value: `"on"`, since: "8.28.0"}, {key: "keepFailedMessages", value: `"on"`, since: "8.28.0"},
		{key: "failedMsgFile", value: quoted(failed), since: "8.31.0"}, {key: "closeTimeout", value: `"10000"`}}
}
