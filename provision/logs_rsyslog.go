package provision

import (
	_ "embed" // how a line is taken apart
	"fmt"
	"slices"
	"strconv"
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

// object writes name(key="value" …).
func (t *rsyslogText) object(indent, name string, params ...param) {
	t.head(indent, name, params)
	t.WriteString("\n")
}

// ruleset begins one, which } ends.
func (t *rsyslogText) ruleset(name string, queue ...param) {
	t.head("", "ruleset", append([]param{{key: "name", value: quoted(name)}}, queue...))
	t.WriteString(" {\n")
}

func (t *rsyslogText) head(indent, name string, params []param) {
	t.WriteString(indent + name + "(")
	sep := ""
	for _, p := range params {
		if p.value == "" || p.since != "" && t.version.LessThan(goversion.Must(goversion.NewVersion(p.since))) {
			continue
		}
		t.WriteString(sep + p.key + "=" + p.value)
		sep = " "
	}
	t.WriteString(")")
}

// direct is a ruleset without a queue: it is done by whoever calls it.
var direct = param{key: "queue.type", value: `"Direct"`}

// quoted is a string of rsyslog's.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func number64(n int64) string { return fmt.Sprintf(`"%d"`, n) }

// rsyslog is the configuration of an instance of its own, which reads nothing of the system's. A line goes through it
// like this: it is read and laid into the queue `read` on the disk; from there it is taken apart, becomes a record,
// and is laid into the queue of each destination (`to-…`), which has a thread of its own.
func (p *logPlan) rsyslog() (string, error) {
	v, err := goversion.NewVersion(p.rsyslogVersion())
	if err != nil {
		return "", err
	}
	t := &rsyslogText{version: v}
	t.WriteString("# boxdoctor provision: changes are overwritten\n")
	// twice the line: a record has the line's fields and their keys
	t.object("", "global", param{key: "workDirectory", value: quoted(p.stateDir())}, param{key: "localHostname", value: quoted(p.machine)},
		param{key: "maxMessageSize", value: number64(2*p.maxLine() + 4096)}, param{key: "net.enableDNS", value: `"off"`, since: "8.24.0"},
		param{key: "processInternalMessages", value: p.ownMessages()})
	p.streamCertificates(t)
	p.rsyslogModules(t)
	t.WriteString(rsyslogTemplates)
	p.rsyslogInputs(t)
	t.WriteString("\n")
	for _, d := range p.to {
		p.destination(t, d)
	}
	p.againRuleset(t)
	if len(p.files) > 0 {
		t.WriteString("\n" + p.linesRulesets())
		p.send(t, "send")
		p.rawRuleset(t)
	}
	if p.receives {
		t.WriteString("\n")
		t.ruleset("received", direct)
		t.WriteString("\tset $!r = $msg;\n\tcall send-received\n}\n")
		p.send(t, "send-received")
	}
	t.WriteString("\n# what this instance says of itself\n")
	t.object("", "action", param{key: "type", value: `"omfile"`}, param{key: "file", value: quoted(p.ownLog())})
	p.refusedRule(t)
	return t.String(), nil
}

// rsyslogTemplates are the forms of records: $! is the record as a tree, $!r as text. It becomes text once, before the
// queues: the destinations have threads of their own, and 8.2302 was seen to spoil a record when several of them turned
// the same tree into text.
const rsyslogTemplates = `template(name="tree" type="list") { property(name="$!all-json") }
template(name="tree-line" type="list") { property(name="$!all-json") constant(value="\n") }
template(name="record" type="list") { property(name="$!r") }
template(name="line" type="list") { property(name="$!r") constant(value="\n") }
template(name="plain" type="list") { property(name="$.plain") constant(value="\n") }
template(name="relp" type="list") { constant(value="<13>1 ") property(name="timegenerated" dateFormat="rfc3339") constant(value=" ") property(name="hostname") constant(value=" boxdoctor - - - ") property(name="$!r") }
template(name="utc" type="list") { property(name="timegenerated" dateFormat="rfc3339" date.inUTC="on") }
`

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
	if p.follows() {
		load("imfile", param{key: "mode", value: `"polling"`}, param{key: "pollingInterval", value: `"1"`})
	} else {
		load("imfile", param{key: "mode", value: `"inotify"`})
	}
	load("impstats", param{key: "interval", value: fmt.Sprintf(`"%d"`, statsInterval)}, param{key: "format", value: `"json"`},
		param{key: "log.syslog", value: `"off"`}, param{key: "log.file", value: quoted(p.statsFile())})
	if p.receives {
		load("imrelp")
	}
	if p.relpTLS() {
		load("omprog") // refusedRule
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

// rsyslogInputs are the application's files; what is to be done again after a kill; and other agents.
func (p *logPlan) rsyslogInputs(t *rsyslogText) {
	tail := func(file, tag, ruleset string, more ...param) {
		t.object("", "input", append([]param{{key: "type", value: `"imfile"`}, {key: "file", value: quoted(file)}, {key: "tag", value: quoted(tag)},
			{key: "ruleset", value: quoted(ruleset)}, {key: "addMetadata", value: `"on"`},
			// without it no state is written at all; at most so many lines come twice after a kill
			{key: "persistStateInterval", value: `"100"`}}, more...)...)
	}
	if p.follows() { // rotated names come first: imfile looks at what was declared last first
		for i, f := range p.files {
			tail(f.Path+rotatedNames, rotatedTag+strconv.Itoa(i), rawQueue, keepState, param{key: "trimLineOverBytes", value: number64(p.longest())})
		}
	}
	for i, f := range p.files {
		more := []param{{key: "reopenOnTruncate", value: `"on"`, since: "8.16.0"}, {key: "trimLineOverBytes", value: number64(p.longest()), since: "8.17.0"}}
		if p.follows() {
			more = append(more, keepState)
		}
		tail(f.Path, fileTag+strconv.Itoa(i), rawQueue, more...)
	}
	if len(p.files) > 0 {
		tail(p.again(rawQueue), rawQueue, rawQueue)
	}
	for _, d := range p.queued() {
		tail(p.again(d.queueName()), d.queueName(), againRules)
	}
	if p.receives {
		t.object("", "input", append([]param{{key: "type", value: `"imrelp"`}, {key: "port", value: fmt.Sprintf(`"%d"`, p.aggregatorPort())},
			{key: "maxDataSize", value: number64(2*p.maxLine() + 8192)}, {key: "ruleset", value: `"received"`}}, p.Aggregator.TLS.listen()...)...)
	}
}

// Lines have as tag the number of their pattern, and whether they come from a rotated file.
const (
	fileTag    = "files-"
	rotatedTag = "rotated-"
)

// rotatedNames is what a name ends in after rotation, uncompressed: numbers, or logrotate's dates.
const rotatedNames = "{.[0-9],.[0-9][0-9],-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]}"

// keepState lets a file that was renamed be found again by its inode and its first bytes: without it 8.2302 forgets how far
// it was, and reads it from the beginning.
var keepState = param{key: "deleteStateOnFileDelete", value: `"off"`}

// follows tells whether rotated files are read to their end, too. Otherwise what a file had when it was renamed, or what the
// application still writes to it, is lost when reading is behind. It needs polling: with inotify the watch of the new name
// goes with the old one. Copies must not be read, and of a file that is copied and cut off polling loses more. Before 8.38
// files were known by their names alone.
func (p *logPlan) follows() bool {
	return !p.olderThan(followsFrom) && !slices.ContainsFunc(p.files, LogFile.copied)
}

// followsFrom is the oldest release of the systems in logagents.yaml that knows files by inode.
const followsFrom = "8.2001.0"

// again are the files into which rewind.sh lays what a queue of a killed process held.
func (p *logPlan) again(queue string) string { return p.stateDir() + "/again-" + queue + "-*.log" }

// rawRuleset takes lines from the queue in which reading lays them. The queue is on the disk, so that reading keeps up
// with an application that rotates its files, however long the destinations or taking apart may take: what imfile
// has not opened when it is renamed, it never reads. Full, the queue lets reading wait, without an end.
func (p *logPlan) rawRuleset(t *rsyslogText) {
	t.WriteString("\n")
	t.ruleset(rawQueue, p.queue(rawQueue, true)...)
	t.WriteString("\tset $.tag = $syslogtag;\n\tset $.file = $!metadata!filename;\n\tset $.line = $msg;\n" +
		"\tif $syslogtag == \"" + rawQueue + "\" then { # tag, file and line of a file that is not there any more (rewind.sh)\n" +
		"\t\tset $.tag = field($msg, 9, 1);\n\t\tset $.file = field($msg, 9, 2);\n\t\tset $.line = re_extract($msg, '^[^\t]*\t[^\t]*\t(.*)$', 0, 1, \"\");\n\t}\n" +
		"\tif $.tag startswith \"" + rotatedTag + "\" then {\n" +
		"\t\tset $.tag = \"" + fileTag + "\" & field($.tag, 45, 2);\n\t\tset $.file = re_extract($.file, '^(.*)[.-][0-9]+$', 0, 1, \"\");\n\t}\n" +
		"\tunset $!;\n\tset $!file = $.file;\n\tset $!machine = " + quoted(p.machine) + ";\n")
	for i, f := range p.files {
		if len(f.Tags) == 0 {
			continue
		}
		fmt.Fprintf(t, "\tif $.tag == %s then {\n", quoted(fileTag+strconv.Itoa(i)))
		for _, k := range sortedKeys(f.Tags) {
			fmt.Fprintf(t, "\t\tset $!%s = %s;\n", k, quoted(f.Tags[k]))
		}
		t.WriteString("\t}\n")
	}
	t.WriteString("\tcall lines\n\tcall send\n}\n")
}

// longest is what is left of a line that is too long: Fluent Bit's buffer without its end.
func (p *logPlan) longest() int64 { return p.maxLine() - 1 }

func (p *logPlan) linesRulesets() string {
	drop := ""
	for _, level := range p.dropped() {
		drop += fmt.Sprintf("\t\tif $!level == %s then stop\n", quoted(level))
	}
	return strings.NewReplacer("@LONGEST@", fmt.Sprint(p.longest()), "\t\t@DROP@\n", drop).Replace(rsyslogLines)
}

// send gives a record to all destinations. Files come first, because their records have no time of collection; then
// nothing of the message is left but the record as text, so that it is small in the queues.
func (p *logPlan) send(t *rsyslogText, name string) {
	t.WriteString("\n")
	t.ruleset(name, direct)
	action := func(d Destination, template string) {
		t.object("\t", "action", append(d.rsyslog(p), param{key: "template", value: quoted(template)}, param{key: "name", value: quoted(name + "-" + d.id())})...)
	}
	for _, d := range p.to {
		if d.File != nil && !p.queues(d) {
			action(d, "tree-line")
		}
	}
	if name == "send" {
		t.WriteString("\tset $!collected = exec_template(\"utc\");\n\tset $.r = exec_template(\"tree\");\n\tunset $!;\n\tset $!r = $.r;\n\tunset $.;\n")
	}
	for _, d := range p.to {
		switch {
		case p.queues(d):
			t.WriteString("\tcall " + d.queueName() + "\n")
		case d.File == nil:
			action(d, "record")
		}
	}
	t.WriteString("}\n")
}

// destination is a queue with the action that empties it. The action is the ruleset's, not one with a queue of its own:
// a worker of an action's queue lays what it could not send back into its own queue, and stands still for ever when that
// is full (seen in 8.2302); a ruleset's tries again where it is.
func (p *logPlan) destination(t *rsyslogText, d Destination) {
	if !p.queues(d) {
		return
	}
	t.ruleset(d.queueName(), p.queue(d.queueName(), !p.drops())...)
	if d.File != nil {
		t.WriteString(withoutTime)
	}
	t.object("\t", "action", append(d.rsyslog(p), param{key: "template", value: quoted(d.template())}, param{key: "name", value: quoted(d.id())},
		param{key: "action.resumeRetryCount", value: `"-1"`}, param{key: "action.resumeInterval", value: `"2"`}, param{key: "action.resumeIntervalMax", value: `"30"`, since: "8.2006.0"})...)
	t.WriteString("}\n")
}

// againRuleset takes the records of queues that a killed process left behind; they go where they were to go.
func (p *logPlan) againRuleset(t *rsyslogText) {
	if len(p.queued()) == 0 {
		return
	}
	t.ruleset(againRules, direct)
	t.WriteString("\tset $.rc = parse_json($msg, \"\\$!\");\n")
	for _, d := range p.queued() {
		fmt.Fprintf(t, "\tif $syslogtag == %s then call %s\n", quoted(d.queueName()), d.queueName())
	}
	t.WriteString("}\n")
}

// queues tells whether a destination has a queue. UDP needs none: it waits for nobody. A file takes all there is; the
// aggregator has two that write to it, its own lines and those of others, and they would write into each other's.
func (p *logPlan) queues(d Destination) bool { return d.UDP == nil && (d.File == nil || p.receives) }

func (p *logPlan) queued() []Destination {
	return slices.DeleteFunc(slices.Clone(p.to), func(d Destination) bool { return !p.queues(d) })
}

// withoutTime takes the time of collection, the last key, from a record for a file.
const withoutTime = `	set $.plain = re_extract($!r, '^(.*), "collected": "[^"]*" }$', 0, 1, "");
	if $.plain == "" then { set $.plain = $!r; } else { set $.plain = $.plain & " }"; }
`

// rawQueue holds lines that were read, queueName a destination's records; files of the buffer go by these names.
// againRules is for what rewind.sh took from such files.
const (
	rawQueue   = "read"
	againRules = "again"
)

func (d Destination) queueName() string { return "to-" + d.id() }

// template is the form in which rsyslog sends a record to the destination.
func (d Destination) template() string {
	switch {
	case d.Reliable != nil:
		return "relp"
	case d.TCP != nil:
		return "line"
	case d.File != nil:
		return "plain"
	}
	return "record"
}

// queueFile is how big a file of a queue gets. A queue is freed by the file, and so much may come twice after a kill.
const queueFile = 4 << 20

// queue is a queue on the disk up to the cap: all that it took is there when the process is killed or the guest runs out
// of memory, and no more than a batch is ever in memory. Who finds it full waits (24 days, the longest that there is) or drops.
func (p *logPlan) queue(name string, wait bool) []param {
	enqueue := "0"
	if wait {
		enqueue = "2147483647"
	}
	return []param{{key: "queue.type", value: `"Disk"`}, {key: "queue.filename", value: quoted(name)}, {key: "queue.spoolDirectory", value: quoted(p.stateDir())},
		{key: "queue.size", value: `"1000000000"`}, {key: "queue.maxDiskSpace", value: number64(p.bufferMax())}, {key: "queue.maxFileSize", value: number64(queueFile)},
		{key: "queue.saveOnShutdown", value: `"on"`}, {key: "queue.dequeueBatchSize", value: `"1024"`}, {key: "queue.timeoutEnqueue", value: quoted(enqueue)}}
}

// rewind is how many bytes of a file are read again after a kill: the memory of Kafka's client may have held them, or
// RELP thrown them away before it was killed for that (logs_refused.sh).
func (p *logPlan) rewind() int64 {
	if p.relpTLS() || slices.ContainsFunc(p.to, func(d Destination) bool { return d.Kafka != nil }) {
		return clientMemory
	}
	return 0
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
