package provision

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/testkit"
)

// everywhere declares every kind of destination.
const everywhere = `
machines: {web: {}}
logs:
  files:
    - {path: /var/log/qrd/*.log, tags: {app: qrd, tier: "front end"}, retention: {age: 30, size: 100MB, reopen: "systemctl kill -s USR1 qrd.service"}}
    - {path: /srv/php/app.log, retention: {age: 7, copytruncate: true}}
  level: INFO
  max_line: 1KB
  destinations:
    - kafka: {brokers: ["kafka1:9092", "192.168.56.9:9093"], topic: logs, user: qrd, password: "${env:PW}", mechanism: SCRAM-SHA-512, tls: {ca: /etc/ssl/ca.pem}}
    - reliable: {host: hub.example.org, port: 24224, tls: {ca: /etc/ssl/ca.pem, cert: /etc/ssl/web.pem, key: /etc/ssl/web.key}}
    - tcp: {host: 192.168.56.10, port: 5170}
    - tcp: {host: logs.example.org, port: 6514, tls: {ca: /etc/ssl/ca.pem}}
    - udp: {host: 192.168.56.10, port: 5171}
    - file: {path: /var/log/collected/all.json, size: 50MB, keep: 3}
`

var (
	bookworm = facts.System{Manager: "apt", ID: "debian", VersionID: "12", Codename: "bookworm", Pretty: "Debian 12", Init: "systemd"}
	rocky9   = facts.System{Manager: "dnf", ID: "rocky", VersionID: "9.6", Pretty: "Rocky Linux 9.6", Init: "systemd"}
	centos7  = facts.System{Manager: "yum", ID: "centos", VersionID: "7", Pretty: "CentOS 7", Init: "systemd"}
)

// known says that the guest has the repository already, so that no key is fetched.
func known(path string) facts.ConfigFile {
	return facts.ConfigFile{Path: "/etc/yum.repos.d/fluent-bit.repo", Content: "# boxdoctor provision\n[fluent-bit]\nbaseurl=" + fluentHost + path + "\n"}
}

// shown is a plan as text: every resource and the content of every file.
func shown(rs []Resource) string {
	var b strings.Builder
	for _, r := range rs {
		b.WriteString("== " + r.ID() + "\n")
		if n := noteOf(r); n != "" {
			b.WriteString("# " + n + "\n")
		}
		switch f := r.(type) {
		case FileResource:
			b.WriteString(f.Content)
		case appArmor:
			b.WriteString(f.Content)
		}
	}
	return b.String()
}

// The whole role, file by file, of both agents and of an old rsyslog.
func TestLogsFiles(t *testing.T) {
	for name, c := range map[string]struct {
		sys   facts.System
		agent string
		repo  string
	}{
		"fluent-bit-debian": {bookworm, "auto", "debian/bookworm"},
		"rsyslog-debian":    {bookworm, "rsyslog", ""},
		"rsyslog-centos7":   {centos7, "auto", ""},
	} {
		spec := strings.Replace(everywhere, "logs:\n  files", "logs:\n  agent: "+c.agent+"\n  files", 1)
		if c.sys.ID == "centos" { // its Kafka client does not look at names
			spec = strings.Replace(spec, ", mechanism: SCRAM-SHA-512, tls: {ca: /etc/ssl/ca.pem}", ", mechanism: SCRAM-SHA-512", 1)
		}
		rs, err := on(t, spec, c.sys, known(c.repo))
		if err != nil {
			t.Fatal(err)
		}
		testkit.Golden(t, "testdata/logs-"+name+".golden", []byte(shown(rs)))
	}
}

// The aggregator and one that sends to it.
func TestLogsAggregator(t *testing.T) {
	for name, text := range map[string]string{
		"aggregator-rsyslog": `logs: {aggregator: {on: [web], address: 192.168.56.10, tls: {ca: /etc/ssl/ca.pem, cert: /etc/ssl/hub.pem, key: /etc/ssl/hub.key}}, `,
		"aggregator-fluent":  `logs: {agent: fluent-bit, on: [db], aggregator: {on: [web], address: 192.168.56.10, port: 24000}, `,
		"sender-rsyslog":     `logs: {aggregator: {on: [db], address: 192.168.56.10}, `,
	} {
		text = "machines: {web: {}, db: {}}\n" + text + "files: [{path: /var/log/qrd/*.log}], destinations: [{file: {path: /var/log/all.json}}, {kafka: {brokers: [\"k:9092\"], topic: t}}]}"
		rs, err := on(t, text, bookworm, known("debian/bookworm"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		testkit.Golden(t, "testdata/logs-"+name+".golden", []byte(shown(rs)))
	}
}

func TestLogsAgentIsChosenByTheGuest(t *testing.T) {
	offline := t.TempDir()
	for _, c := range []struct {
		logs  string
		sys   facts.System
		agent string // empty: refused
		why   string
	}{
		{"", bookworm, agentFluentBit, "its own repository"},
		{"agent: rsyslog,", bookworm, agentRsyslog, "declared"},
		{"", rocky9, agentFluentBit, "its own repository"},
		{"", centos7, agentFluentBit, "its own repository"},
		{"kafka", centos7, agentRsyslog, "built without Kafka"},
		{"kafka agent: fluent-bit,", centos7, "", "built without Kafka; say agent: auto or rsyslog"},
		{"", facts.System{Manager: "apt", ID: "ubuntu", VersionID: "20.04", Init: "systemd"}, agentRsyslog, "no packages for Ubuntu 20.04"},
		{"", facts.System{Manager: "dnf5", ID: "fedora", VersionID: "42", Init: "systemd"}, agentRsyslog, "no packages for Fedora"},
		{"", facts.System{Manager: "yum", ID: "centos", VersionID: "6.10", Init: "upstart"}, "", "rsyslog 5.8.10 of EL 6"},
		{"", facts.System{Manager: "apt", ID: "debian", VersionID: "10", Init: "systemd"}, agentRsyslog, "no packages of Fluent Bit are known"},
		{"", facts.System{Manager: "apt", ID: "debian", VersionID: "12", Init: "sysv", Pretty: "Devuan"}, "", "Devuan has sysv"},
		{"", facts.System{Manager: "pacman", ID: "arch", Init: "systemd"}, "", "no package of a log agent"},
		{"aggregator: {on: [web], address: h},", bookworm, agentRsyslog, "RELP is in every distribution"},
		{"packages: " + offline + "/none,", bookworm, "", "no such file"},
	} {
		dest, logs := "[{tcp: {host: h, port: 1}}]", c.logs
		if rest, ok := strings.CutPrefix(logs, "kafka"); ok {
			dest, logs = `[{kafka: {brokers: ["k:9092"], topic: t}}]`, rest
		}
		rs, err := on(t, "machines: {web: {}}\nlogs: {"+logs+" files: [{path: /var/log/a.log}], destinations: "+dest+"}", c.sys, known("debian/bookworm"), known("rockylinux/9/"), known("centos/7/"))
		said := ""
		if err == nil {
			said = noteOf(rs[0])
		}
		if c.agent == "" && (err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "cannot find", "no such"), c.why)) ||
			c.agent != "" && !strings.HasPrefix(said, "log agent: "+c.agent+", because: ") || c.agent != "" && !strings.Contains(said, c.why) {
			t.Errorf("%s on %s %s: %q %v", c.logs, c.sys.ID, c.sys.VersionID, said, err)
		}
	}
}

// A guest without a repository gets logrotate from the folder, too: Fluent Bit's package does not ask for it.
func TestLogsTakesLogrotateFromTheFolderToo(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"fluent-bit_5.1.1_amd64.deb", "logrotate_3.21.0-1_amd64.deb", "libpopt0_1.19_amd64.deb"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for retention, want := range map[string][]string{"": {"fluent-bit"}, ", retention: {age: 3, copytruncate: true}": {"fluent-bit", "logrotate"}} {
		rs, err := on(t, "machines: {web: {}}\nlogs: {packages: "+dir+", files: [{path: /var/log/a.log"+retention+"}], destinations: [{tcp: {host: h, port: 1}}]}", bookworm)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(rs, func(r Resource) bool { _, ok := r.(localPackages); return ok })
		if i < 0 || !slices.Equal(rs[i].(localPackages).names, want) {
			t.Errorf("with %q: %v, want %v from the folder", retention, rs, want)
		}
	}
}

func TestLogsRefuses(t *testing.T) {
	const good = "files: [{path: /var/log/a.log}], destinations: [{tcp: {host: h, port: 1}}]"
	to := func(d string) string { return "files: [{path: /var/log/a.log}], destinations: [" + d + "]" }
	file := func(f string) string { return "files: [{" + f + "}], destinations: [{tcp: {host: h, port: 1}}]" }
	for spec, want := range map[string]string{
		``:                                           "files and destinations are wanted",
		good + ", agnt: rsyslog":                     "did you mean agent?",
		good + ", agent: vector":                     `"vector" is not one of`,
		good + ", level: info":                       `"info" is not one of`,
		good + ", max_line: 2MB":                     "between 256 and",
		good + ", buffer: {max: 1}":                  "between 16777216 and",
		good + ", health_port: -1":                   "is no port",
		good + ", buffer: {dir: x}":                  "whole, plain path",
		file("path: /var/log/a*"):                    "also matches rotated files",
		file("path: /var/log/a.?*"):                  "also matches rotated files",
		file(`path: "/var/log/[a"`):                  "also matches rotated files",
		file(`path: "/var/l g/a"`):                   "have a meaning",
		file(`path: '/var/"x"/a'`):                   "have a meaning",
		file("path: /l/a.log, tags: {level: x}"):     "none of a record's own keys",
		file(`path: /l/a.log, tags: {a: "x\"y"}`):    "none of a record's own keys",
		file("path: /l/a.log, retention: {}"):        "an age in days, a size",
		file("path: /l/a.log, retention: {age: 3}"):  "copytruncate: true",
		file("path: /l/a.log, retention: {size: x}"): "is not a number of bytes",
		to("{}"): "exactly one of",
		to("{tcp: {host: h, port: 1}, udp: {host: h, port: 1}}"):                           "exactly one of",
		to("{tcp: {host: h, port: 70000}}"):                                                "70000 is no port",
		to(`{tcp: {host: "h;x", port: 1}}`):                                                "no name or address",
		to("{udp: {host: h, port: 1}}"):                                                    "does not fit into one packet",
		to("{tcp: {host: h, port: 1}}, {tcp: {host: h, port: 1}}"):                         "two of the name tcp-h-1",
		to("{kafka: {brokers: [k], topic: t}}"):                                            "host:port is wanted",
		to(`{kafka: {brokers: ["k:9092"], topic: "a b"}}`):                                 "brokers and a topic",
		to(`{kafka: {brokers: ["k:9092"], topic: t, user: u}}`):                            "belong together",
		to(`{kafka: {brokers: ["k:9092"], topic: t, user: u, password: p, mechanism: X}}`): `"X" is not one of`,
		to("{tcp: {host: h, port: 1, tls: {}}}"):                                           "whole, plain path",
		to("{tcp: {host: h, port: 1, tls: {ca: /c, cert: /c}}}"):                           "cert and key belong together",
		to("{file: {path: /var/log/a.log}}"):                                               "every record would make another one",
		good + ", aggregator: {on: [web]}":                                                 "an address that the others reach",
		good + ", aggregator: {on: [web], address: h, tls: {ca: /c}}":                      "a certificate and its key",
	} {
		_, err := Parse([]byte("machines: {web: {}}\nlogs: {" + spec + "}"))
		if err == nil {
			_, err = on(t, "machines: {web: {}}\nlogs: {"+spec+"}", bookworm, known("debian/bookworm"))
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", spec, err, want)
		}
	}
	if _, err := on(t, "machines: {web: {}}\nlogs: {"+good+"}", bookworm, known("debian/bookworm")); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

// fluentProperties is what Fluent Bit knows, by section and plugin (testdata/fluent-bit.yaml says from where).
type fluentProperties struct {
	Service  []string            `yaml:"service"`
	Parser   []string            `yaml:"parser"`
	Common   map[string][]string `yaml:"common"`
	TLS      []string            `yaml:"tls"`
	Net      []string            `yaml:"net"`
	Inputs   map[string][]string `yaml:"inputs"`
	Filters  map[string][]string `yaml:"filters"`
	Outputs  map[string][]string `yaml:"outputs"`
	Prefixes []string            `yaml:"prefixes"`
}

// unknownProperties are the keys of a configuration that Fluent Bit would refuse.
func (k fluentProperties) unknown(t *testing.T, text string) []string {
	t.Helper()
	var c struct {
		Service  map[string]any              `yaml:"service"`
		Parsers  []map[string]any            `yaml:"parsers"`
		Pipeline map[string][]map[string]any `yaml:"pipeline"`
	}
	if err := yaml.UnmarshalWithOptions([]byte(text), &c, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	var out []string
	check := func(where string, have map[string]any, known ...[]string) {
		all := map[string]bool{"name": true}
		for _, list := range known {
			for _, key := range list {
				all[key] = true
			}
		}
	next:
		for key := range have {
			for _, prefix := range k.Prefixes {
				if strings.HasPrefix(key, prefix) {
					continue next
				}
			}
			if !all[key] {
				out = append(out, where+": "+key)
			}
		}
	}
	check("service", c.Service, k.Service)
	for _, p := range c.Parsers {
		check("parser", p, k.Parser)
	}
	for section, plugins := range map[string]map[string][]string{"inputs": k.Inputs, "filters": k.Filters, "outputs": k.Outputs} {
		for _, p := range c.Pipeline[section] {
			name, _ := p["name"].(string)
			if _, ok := plugins[name]; !ok {
				out = append(out, section+": "+name)
			}
			check(name, p, plugins[name], k.Common[section], k.TLS, k.Net)
		}
	}
	return out
}

// configGoldens are the configurations of that name in the goldens.
func configGoldens(t *testing.T, path string) map[string]string {
	t.Helper()
	goldens, err := filepath.Glob("testdata/logs-*.golden")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, file := range goldens {
		if _, config, ok := strings.Cut(readAll(t, file), "== file"+path+"\n# boxdoctor provision: changes"); ok {
			config, _, _ = strings.Cut("#"+config, "\n== ")
			out[file] = config + "\n"
		}
	}
	return out
}

// Every property of every configuration is one that Fluent Bit 5.1.1 knows; and the check finds one that it does not.
func TestFluentBitKnowsEveryProperty(t *testing.T) {
	text, err := os.ReadFile("testdata/fluent-bit.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var known fluentProperties
	if err := yaml.UnmarshalWithOptions(text, &known, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for file, config := range configGoldens(t, fluentFile) {
		if bad := known.unknown(t, config); len(bad) > 0 {
			t.Errorf("%s: Fluent Bit does not know %v", file, bad)
		}
		seen++
		if bad := known.unknown(t, strings.Replace(config, "truncate_long_lines", "truncate_longlines", 1)); strings.Contains(config, "truncate_long") && len(bad) != 1 {
			t.Errorf("a misspelt property was not found: %v", bad)
		}
	}
	if seen < 2 {
		t.Errorf("%d configurations were looked at", seen)
	}
}

func TestLogsPasswordStaysSecret(t *testing.T) {
	rs, err := on(t, everywhere, bookworm, known("debian/bookworm"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rs {
		if f, ok := r.(FileResource); ok && strings.Contains(f.Content, "p%w") != f.Secret || ok && f.Secret && f.Mode != 0o600 {
			t.Errorf("%s: secret %v, mode %o", f.Path, f.Secret, f.Mode)
		}
	}
}

func TestLogsRepositoryIsFetchedOnceAndChecked(t *testing.T) {
	c, err := Parse([]byte("machines: {web: {}}\nlogs: {files: [{path: /a.log}], destinations: [{tcp: {host: h, port: 1}}]}"))
	if err != nil {
		t.Fatal(err)
	}
	asked := ""
	for _, have := range []facts.ConfigFile{known("rockylinux/9/"), known("rockylinux/8/")} {
		asked = ""
		plan, err := c.For("web", Input{Secrets: &Secrets{}, Fetch: func(url string) ([]byte, error) { asked = url; return []byte("no key"), nil }})
		if err != nil {
			t.Fatal(err)
		}
		_, err = plan(facts.Guest{System: facts.Known(rocky9), Repos: facts.Known(facts.Repos{Files: []facts.ConfigFile{have}})})
		if stands := strings.Contains(have.Content, "/9/"); stands != (err == nil) || stands != (asked == "") || !stands && !strings.Contains(err.Error(), "not an armored OpenPGP key") {
			t.Errorf("%s: asked %q, %v", have.Content, asked, err)
		}
	}
}

func TestLogsHealthIsReadBothWays(t *testing.T) {
	h := agentHealth{[]string{"boxdoctor-logs"}}
	for _, c := range []struct {
		out     Output
		changes int
		err     bool
	}{{Output{0, "well"}, 0, false}, {Output{1, "the service does not run"}, 1, false}, {Output{124, ""}, 0, true}} {
		s := &State{commands: seen[Output]{kind: "command", of: map[string]Output{"logs-health": c.out}}}
		changes, err := h.Diff(s)
		if len(changes) != c.changes || (err != nil) != c.err {
			t.Errorf("%+v: %v %v", c.out, changes, err)
		}
	}
	if _, err := h.Diff(&State{commands: seen[Output]{err: errors.New("cut off")}}); err == nil {
		t.Error("what was not observed is well")
	}
}
