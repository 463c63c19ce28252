package provision

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// fluentRegex takes a line apart: the first seven pipes and the last one separate, whatever stands between is the
// message (docs/logformat.md). Every field but the message excludes pipes, because the engine backtracks.
const fluentRegex = `^(?<time>[^|]*) \| (?<server_ip>[^|]*) \| (?<client_ip>[^|]*) \| (?<pid>[^|]*) \| (?<request_id>[^|]*) \| ` +
	`(?<type>[^|\[]*)(?:\[(?<props>[^|]*)\])? \| (?<level>[^|]*) \| (?<message>.*) \|(?: (?<code>[^|]*))?$`

// chunkSize is about what a chunk of Fluent Bit's buffer holds at most.
const chunkSize = 2 << 20

// item is one property.
func item(key string, value any) yaml.MapItem { return yaml.MapItem{Key: key, Value: value} }

// fluentBit is Fluent Bit's configuration.
func (p *logPlan) fluentBit() (string, error) {
	inputs, filters := p.tails()
	if p.receives {
		inputs = append(inputs, p.forwardInput())
	}
	var outputs []yaml.MapSlice
	for _, d := range p.to {
		outputs = append(outputs, p.output(d))
	}
	text, err := yaml.Marshal(yaml.MapSlice{
		item("service", p.service()),
		item("parsers", []yaml.MapSlice{{
			item("name", "boxdoctor"), item("format", "regex"), item("regex", fluentRegex),
			// numbers are numbers; an object in the message becomes one, other text stays text
			item("types", "pid:integer"), item("decode_field_as", "json message"),
		}}),
		item("pipeline", yaml.MapSlice{item("inputs", inputs), item("filters", filters), item("outputs", outputs)}),
	})
	return "# boxdoctor provision: changes are overwritten\n" + string(text), err
}

// service are the settings of the whole agent. storage.checksum stays off: with it a killed agent loses the chunk that
// it was writing (reference 4.4).
func (p *logPlan) service() yaml.MapSlice {
	return yaml.MapSlice{
		item("flush", 1), item("grace", 10), item("log_level", "info"),
		item("http_server", "on"), item("http_listen", "127.0.0.1"), item("http_port", p.healthPort()), item("health_check", "on"),
		item("scheduler.base", 1), item("scheduler.cap", 30),
		item("storage.path", p.stateDir()+"/chunks"), item("storage.sync", "normal"), item("storage.checksum", "off"),
		item("storage.max_chunks_up", p.chunks()), item("storage.backlog.mem_limit", "16M"), item("storage.metrics", "on"),
		item("storage.keep.rejected", "on"), item("storage.rejected.path", "rejected"), item("storage.rejected.limit", "64M"),
	}
}

// chunks is how many may be in use at once: with `wait` that is the buffer, and reading stops at it.
func (p *logPlan) chunks() int64 {
	if p.drops() {
		return 128
	}
	return max(p.bufferMax()/chunkSize, leastBuffer/chunkSize)
}

func (v *LogsSpec) drops() bool { return v.Buffer.WhenFull == whenFullDrop }

// stateDir is where an agent keeps what it must not forget.
func (p *logPlan) stateDir() string { return p.bufferDir() + "/" + p.agent }

// onOff is a switch as Fluent Bit reads it.
func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// tails are an input for each pattern, and what is put into its records.
func (p *logPlan) tails() (inputs, filters []yaml.MapSlice) {
	line := p.maxLine()
	for i, f := range p.files {
		tag := "lines." + strconv.Itoa(i)
		inputs = append(inputs, yaml.MapSlice{
			item("name", "tail"), item("tag", tag), item("path", f.Path), item("db", p.stateDir()+"/offsets-"+digest(f.Path)+".db"),
			item("db.locking", "on"), item("read_from_head", "on"), item("refresh_interval", 1),
			// long, because a file that was rotated while reading had stopped is given up after it
			item("rotate_wait", 86400),
			item("path_key", "file"), item("key", "log"), item("parser", "boxdoctor"),
			item("buffer_chunk_size", min(line, 32<<10)), item("buffer_max_size", line), item("truncate_long_lines", "on"),
			item("storage.type", "filesystem"), item("storage.pause_on_chunks_overlimit", onOff(!p.drops())),
		})
		record := []string{"machine " + p.machine}
		for _, k := range sortedKeys(f.Tags) {
			record = append(record, k+" "+strconv.Quote(f.Tags[k])) // in quotes: blanks split it otherwise, which --dry-run lets pass
		}
		filters = append(filters, yaml.MapSlice{item("name", "record_modifier"), item("match", tag), item("record", record)})
	}
	if below := p.dropped(); len(below) > 0 && len(inputs) > 0 {
		filters = append(filters, yaml.MapSlice{item("name", "grep"), item("match", "lines.*"), item("exclude", "level ^("+strings.Join(below, "|")+")$")})
	}
	return inputs, filters
}

// digest is a short name of a text that stays.
func digest(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:4])
}

// forwardInput is the aggregator's ear.
func (p *logPlan) forwardInput() yaml.MapSlice {
	out := yaml.MapSlice{item("name", "forward"), item("listen", "0.0.0.0"), item("port", p.aggregatorPort()),
		item("storage.type", "filesystem"), item("storage.pause_on_chunks_overlimit", onOff(!p.drops()))}
	if t := p.Aggregator.TLS; t != nil {
		out = append(out, item("tls", "on"), item("tls.crt_file", t.Cert), item("tls.key_file", t.Key))
	}
	return out
}

// output is one destination. The default of retry_limit is one retry, after which a chunk is thrown away.
func (p *logPlan) output(d Destination) yaml.MapSlice {
	common := yaml.MapSlice{item("match", "*"), item("alias", d.id()), item("retry_limit", "no_limits")}
	if !d.retries() {
		common[2].Value = "no_retries"
	}
	if p.drops() {
		common = append(common, item("storage.total_limit_size", p.bufferMax()))
	}
	lines := yaml.MapSlice{item("format", "json_lines"), item("json_date_key", "collected"), item("json_date_format", "iso8601")}
	switch {
	case d.Kafka != nil:
		return append(append(yaml.MapSlice{item("name", "kafka")}, common...), d.Kafka.fluentBit()...)
	case d.Reliable != nil:
		return append(append(append(yaml.MapSlice{item("name", "forward")}, common...), d.Reliable.fluentBit()...), item("require_ack_response", "on"))
	case d.TCP != nil:
		return append(append(append(yaml.MapSlice{item("name", "tcp")}, common...), d.TCP.fluentBit()...), lines...)
	case d.UDP != nil:
		return append(append(append(yaml.MapSlice{item("name", "udp")}, common...), item("host", d.UDP.Host), item("port", d.UDP.Port)), lines...)
	}
	return append(append(yaml.MapSlice{item("name", "file")}, common...),
		item("path", path.Dir(d.File.Path)), item("file", path.Base(d.File.Path)), item("format", "plain"), item("mkdir", "on"))
}

func (e *endpointSpec) fluentBit() yaml.MapSlice {
	out := yaml.MapSlice{item("host", e.Host), item("port", e.Port)}
	if e.TLS == nil {
		return out
	}
	out = append(out, item("tls", "on"), item("tls.verify", "on"), item("tls.verify_hostname", "on"), item("tls.ca_file", e.TLS.CA))
	if e.TLS.Cert != "" {
		out = append(out, item("tls.crt_file", e.TLS.Cert), item("tls.key_file", e.TLS.Key))
	}
	return out
}

// fluentBit waits for the broker for ever: librdkafka's own limit of five minutes throws messages away, and Fluent
// Bit takes them for delivered.
func (k *kafkaSpec) fluentBit() yaml.MapSlice {
	out := yaml.MapSlice{item("brokers", strings.Join(k.Brokers, ",")), item("topics", k.Topic), item("format", "json"),
		item("timestamp_key", "collected"), item("timestamp_format", "iso8601"), item("queue_full_retries", 0)}
	for _, c := range k.client() {
		out = append(out, item("rdkafka."+c.key, c.value))
	}
	return out
}

// property is one of librdkafka's, which both agents use.
type property struct{ key, value string }

// clientMemory is how many bytes of records librdkafka may hold that no broker has acknowledged: an agent that is killed
// loses them, or must read as much again.
const clientMemory = 4 << 20

// client are librdkafka's properties: every record is acknowledged by all replicas in step, once, however long it takes.
func (k *kafkaSpec) client() []property {
	out := []property{{"request.required.acks", "-1"}, {"enable.idempotence", "true"}, {"message.timeout.ms", "0"}, {"socket.keepalive.enable", "true"},
		{"queue.buffering.max.kbytes", strconv.Itoa(clientMemory >> 10)}}
	protocol := "plaintext"
	if t := k.TLS; t != nil {
		protocol = "ssl"
		// said, because before 2.0 the name was not looked at unless it was
		out = append(out, property{"ssl.ca.location", t.CA}, property{"ssl.endpoint.identification.algorithm", "https"})
		if t.Cert != "" {
			out = append(out, property{"ssl.certificate.location", t.Cert}, property{"ssl.key.location", t.Key})
		}
	}
	if k.User != "" {
		protocol = "sasl_" + protocol
		out = append(out, property{"sasl.mechanism", cmp.Or(k.Mechanism, "PLAIN")}, property{"sasl.username", k.User}, property{"sasl.password", k.Password})
	}
	if protocol != "plaintext" {
		out = append(out, property{"security.protocol", protocol})
	}
	return out
}

// fluentRepository is where the packages are, and who signs them (reference 4.6).
const (
	fluentHost        = "https://packages.fluentbit.io/"
	fluentKey         = fluentHost + "fluentbit.key"
	fluentFingerprint = "C3C0 A285 34B9 293E AF51 FABD 9F9D DC08 3888 C1CD"
	fluentProgram     = "/opt/fluent-bit/bin/fluent-bit"
)

// repository is that of this guest's system.
func (p *logPlan) repository(in Input) (RepositoryResource, error) {
	out := RepositoryResource{Name: "fluent-bit"}
	if p.system.Manager == "apt" {
		out.Apt = &aptSource{URI: fluentHost + p.row.FluentBit.Repository, Suite: p.system.Codename, Components: []string{"main"}}
	} else {
		out.Yum = &yumSource{BaseURL: fluentHost + p.row.FluentBit.Repository, Check: true}
	}
	key := keySpec{URL: fluentKey, Fingerprint: fluentFingerprint}
	var err error
	if out.Key, err = key.read(in); err != nil {
		return out, fmt.Errorf("the repository of Fluent Bit: %w", err)
	}
	return out, nil
}
