package provision

import (
	"strings"
	"testing"

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
