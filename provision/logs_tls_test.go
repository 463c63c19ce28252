package provision

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// What would send without looking at the other end's name, or could not send at all, is refused before any guest is changed.
func TestLogsTLSRefuses(t *testing.T) {
	ubuntu20 := facts.System{Manager: "apt", ID: "ubuntu", VersionID: "20.04", Codename: "focal", Init: "systemd"}
	const files = "files: [{path: /var/log/a.log}], "
	const hub = "aggregator: {on: [%], address: hub, tls: {ca: /ca, cert: /c, key: /k}}, destinations: [{file: {path: /all}}]"
	for _, c := range []struct {
		logs string
		sys  facts.System
		want string // empty: fine
	}{
		{"agent: rsyslog, destinations: [{reliable: {host: h, port: 1, tls: {ca: /ca}}}]", bookworm, "cert and key are wanted"},
		{"agent: rsyslog, destinations: [{reliable: {host: h, port: 1, tls: {ca: /ca, cert: /c, key: /k}}}]", bookworm, ""},
		{"agent: fluent-bit, destinations: [{reliable: {host: h, port: 1, tls: {ca: /ca}}}]", bookworm, ""},
		{"agent: rsyslog, destinations: [{tcp: {host: h, port: 1, tls: {ca: /ca}}}]", bookworm, ""},
		{`destinations: [{kafka: {brokers: ["k:1"], topic: t, tls: {ca: /ca}}}]`, centos7, "does not look at the broker's name"},
		{`destinations: [{kafka: {brokers: ["k:1"], topic: t, tls: {ca: /ca}}}]`, ubuntu20, ""},
		{strings.Replace(hub, "%", "web", 1), ubuntu20, "too old to receive"},
		{strings.Replace(hub, "%", "db", 1), ubuntu20, ""},
		{strings.Replace(hub, "%", "web", 1), bookworm, ""},
	} {
		_, err := on(t, "machines: {web: {}, db: {}}\nlogs: {"+files+c.logs+"}", c.sys, known("debian/bookworm"))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s on %s: %v, want %q", c.logs, c.sys.ID, err, c.want)
		}
	}
}

// A sender of rsyslog's shows a certificate to the aggregator, and has what ends it when the aggregator's is refused.
func TestLogsSenderWithTLS(t *testing.T) {
	for agent, want := range map[string][]string{
		agentRsyslog:   {`tls.permittedPeer=["hub"] tls.myCert="/c"`, `processInternalMessages="on"`, `binary="/etc/boxdoctor/logs/refused.sh end /var`, "ExecStartPre=/etc/boxdoctor/logs/refused.sh wait /var"},
		agentFluentBit: {"tls.verify_hostname: \"on\"\n    tls.ca_file: /ca\n    require_ack_response"},
	} {
		rs, err := on(t, "machines: {web: {}, db: {}}\nlogs: {agent: "+agent+", files: [{path: /var/log/a.log}], aggregator: {on: [db], address: hub, tls: {ca: /ca, cert: /c, key: /k}}, destinations: [{file: {path: /all}}]}",
			bookworm, known("debian/bookworm"))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range want {
			if !strings.Contains(shown(rs), text) {
				t.Errorf("%s: %s is not in\n%s", agent, text, shown(rs))
			}
		}
	}
}

// The packages that TLS needs are asked for, also of a folder that does not have them: then the installation fails, and not the sending.
func TestLogsTLSPackages(t *testing.T) {
	p := &logPlan{LogsSpec: &LogsSpec{}, agent: agentRsyslog, to: []Destination{{TCP: &endpointSpec{TLS: &tlsSpec{}}}, {Reliable: &endpointSpec{TLS: &tlsSpec{}}}}}
	if got := strings.Join(p.local(nil).names, " "); got != "rsyslog rsyslog-relp rsyslog-gnutls" {
		t.Error(got)
	}
}

// A file that the aggregator has passed on goes when the newer ones reach back as far as a killed agent reads again, or
// when it is of yesterday and no queue holds anything.
func TestLogsSweep(t *testing.T) {
	const idle, busy = `{ "name": "k queue", "origin": "core.queue", "size": 0, "enqueued": 9 }`, `{ "name": "k queue", "origin": "core.queue", "size": 3, "enqueued": 9 }`
	for _, c := range []struct {
		name, stats string
		read        map[string]int // how far each file of 1000 bytes was read
		queue       int            // bytes of a disk queue
		old         []string
		stay        string
	}{
		{"far enough", busy, map[string]int{"1": 1000, "2": 1000, "3": 1000}, 0, nil, "2 3"},
		{"not far enough", busy, map[string]int{"1": 1000, "2": 1000, "3": 400}, 0, nil, "1 2 3"},
		{"a queue on the disk", busy, map[string]int{"1": 1000, "2": 1000, "3": 1000}, 600, nil, "1 2 3"},
		{"of yesterday", idle, nil, 0, []string{"1", "2"}, "3"},
		{"of yesterday, and a queue holds records", busy, nil, 0, []string{"1", "2"}, "1 2 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(name, text string) {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Mkdir(dir+"/received", 0o700); err != nil {
				t.Fatal(err)
			}
			write("stats.json", c.stats+"\n")
			for _, f := range []string{"1", "2", "3"} {
				write("received/"+f+".log", strings.Repeat("x", 1000))
				if n, ok := c.read[f]; ok {
					write("imfile-state:"+f, `{ "filename": "`+strings.ReplaceAll(dir+"/received/"+f+".log", "/", `\/`)+`", "prev_was_nl": 0, "curr_offs": `+strconv.Itoa(n)+`, "strt_offs": 0 }`)
				}
			}
			for _, f := range c.old {
				day := time.Now().Add(-25 * time.Hour)
				if err := os.Chtimes(dir+"/received/"+f+".log", day, day); err != nil {
					t.Fatal(err)
				}
			}
			if c.queue > 0 {
				write("k.qi", "")
				write("k.00000001", strings.Repeat("x", c.queue))
			}
			if out, err := exec.CommandContext(t.Context(), "sh", "-c", logsSweep, "sh", dir, "1500").CombinedOutput(); err != nil || len(out) > 0 {
				t.Fatalf("%v %s", err, out)
			}
			left, err := filepath.Glob(dir + "/received/*.log")
			if err != nil {
				t.Fatal(err)
			}
			for i := range left {
				left[i] = strings.TrimSuffix(filepath.Base(left[i]), ".log")
			}
			if got := strings.Join(left, " "); got != c.stay {
				t.Errorf("%s stay, want %s", got, c.stay)
			}
		})
	}
}
