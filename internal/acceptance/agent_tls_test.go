//go:build acceptance

package acceptance

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/testkit"
)

// give puts the authority and a certificate for the guest into the guest.
func give(g *guest, a *testkit.Authority, own testkit.Leaf) {
	g.t.Helper()
	g.sh("mkdir -p /etc/ssl/lab && cd /etc/ssl/lab && umask 077 && cat >ca.pem <<'EOF'\n" + a.PEM() + "EOF\ncat >own.pem <<'EOF'\n" + own.Cert + "EOF\ncat >own.key <<'EOF'\n" + own.Key + "EOF\n")
}

// manner is how a receiver shows itself: rightly, with a certificate of another name, with one of another authority.
type manner struct {
	name string
	leaf testkit.Leaf
}

// manners are all three, for a receiver of a name.
func manners(t *testing.T, a *testkit.Authority, name string) []manner {
	t.Helper()
	other := testkit.NewAuthority(t, "another authority")
	return []manner{{"good", a.Leaf(name)}, {"name", a.Leaf("other.example.org")}, {"other", other.Leaf(name)}}
}

// Ports of the receivers with TLS; the manners follow each other.
const (
	kafkaTLSPort = kafkaPort + 2
	tcpTLSPort   = tcpPort + 10
)

// broker starts a Kafka broker that listens as it is, for the test's own questions, and by TLS in every manner.
func (r *receivers) broker(manners []manner) {
	r.t.Helper()
	begin := time.Now()
	listeners, protocols, keys := fmt.Sprintf("PLAINTEXT://%s:%d", r.host, kafkaPort), "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT", ""
	for i, m := range manners {
		name := strings.ToUpper(m.name)
		listeners += fmt.Sprintf(",%s://%s:%d", name, r.host, kafkaTLSPort+i)
		protocols += "," + name + ":SSL"
		keys += fmt.Sprintf("listener.name.%[1]s.ssl.keystore.type=PEM\nlistener.name.%[1]s.ssl.keystore.location=%[2]s\n", m.name, r.write(m.name+".keystore.pem", m.leaf.Key+m.leaf.Cert))
	}
	r.format(listeners, protocols, keys)
	r.kafka = r.start("kafka", r.java(context.WithoutCancel(r.t.Context()), "kafka.Kafka", r.dir+"/kraft.properties"))
	r.answers(kafkaPort)
	step(r.t, begin, "a Kafka broker listens on %s, %d times by TLS", r.host, len(manners))
}

// relpTLS starts an rsyslog that takes RELP over TLS, and wants senders to show a certificate of the authority.
func (r *receivers) relpTLS(a *testkit.Authority, m manner) {
	r.t.Helper()
	r.relp = r.start("relp", r.rsyslogForRELP(fmt.Sprintf(` tls="on" tls.authMode="certvalid" tls.caCert="%s" tls.myCert="%s" tls.myPrivKey="%s"`,
		r.write("ca.pem", a.PEM()), r.write("relp.pem", m.leaf.Cert), r.write("relp.key", m.leaf.Key))))
	r.answers(relpPort)
}

// listenTLS takes plain TCP over TLS; what arrives is noted under the manner's name.
func (r *receivers) listenTLS(i int, m manner) {
	r.t.Helper()
	pair, err := tls.X509KeyPair([]byte(m.leaf.Cert), []byte(m.leaf.Key))
	if err != nil {
		r.t.Fatal(err)
	}
	l, err := tls.Listen("tcp", net.JoinHostPort(r.host, strconv.Itoa(tcpTLSPort+i)), &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r.take(m.name, c)
			}()
		}
	}()
}

const tlsSite = `
machines: {%[1]s: {}}
logs:
  packages: debs
  files: [{path: /var/log/qrd/*.log, tags: {app: qrd}}]
  level: INFO
  max_line: 1KB
  buffer: {max: 64MB}
  destinations:
`

// destinationsTLS are one of each kind in every manner; RELP's is the good one alone.
func destinationsTLS(host string, manners []manner) string {
	out := fmt.Sprintf("    - reliable: {host: %s, port: %d, tls: {ca: /etc/ssl/lab/ca.pem, cert: /etc/ssl/lab/own.pem, key: /etc/ssl/lab/own.key}}\n", host, relpPort)
	for i, m := range manners {
		out += fmt.Sprintf("    - tcp: {host: %s, port: %d, tls: {ca: /etc/ssl/lab/ca.pem}}\n", host, tcpTLSPort+i)
		out += fmt.Sprintf("    - kafka: {brokers: [\"%s:%d\"], topic: %s, tls: {ca: /etc/ssl/lab/ca.pem}}\n", host, kafkaTLSPort+i, m.name)
	}
	return out
}

// TestLogAgentTLS: records arrive by RELP, plain TCP and Kafka over TLS; a receiver with a certificate of another name or
// of another authority gets nothing over TCP and Kafka, and the agent's journal says why. RELP's refusal is in
// TestLogAgentFailuresTLS.
func TestLogAgentTLS(t *testing.T) {
	g := startGuest(t, "logtls", "deb")
	g.flags = []string{"--ssh-config", g.sshConfig}
	r, ca := receiversFor(t, g, "good", "name", "other"), testkit.NewAuthority(t, "the authority")
	manners := manners(t, ca, r.host)
	r.broker(manners)
	r.relpTLS(ca, manners[0])
	for i, m := range manners {
		r.listenTLS(i, m)
	}
	give(g, ca, ca.Leaf("logtls"))
	file := r.agentSiteFile(fmt.Sprintf(tlsSite, g.name) + destinationsTLS(r.host, manners))
	if p, code := g.provision("-f", file); code != finding.ExitOK {
		t.Fatalf("first run: exit %d, %+v", code, p.Machines[0])
	}
	if p, code := g.provision("-f", file); code != finding.ExitOK || p.Machines[0].Totals.Changed != 0 {
		t.Errorf("second run: exit %d, %+v", code, p.Machines[0])
	}

	b := batch{0, 3000, 5000}
	g.sh("mkdir -p /var/log/qrd && cat >/root/gen.py <<'EOF'\n" + writer + "\nEOF")
	b.write(t, g)()
	begin := time.Now()
	r.until(60*time.Second, "all lines arrived by TCP and RELP", func() bool {
		return count(r.arrived(g, "good", ""), 0, b.n).distinct == b.kept() && count(r.arrived(g, "relp", ""), 0, b.n).distinct == b.kept()
	})
	if n := count(r.fromStart("good", b.kept()), 0, b.n); n.distinct != b.kept() {
		t.Errorf("Kafka: %+v of %d", n, b.kept())
	}
	step(t, begin, "until everything arrived by RELP, TCP and Kafka")
	for _, m := range manners[1:] {
		if text := r.arrived(g, m.name, ""); text != "" {
			t.Errorf("%s: %d bytes came by TCP: %s", m.name, len(text), tail(text))
		}
	}
	if topics := r.topics(); topics != "good" {
		t.Errorf("Kafka has records of %q", topics)
	}
	batch{b.n, 10, 100}.write(t, g)() // omkafka hears from its client when it has another record for it
	r.wantSaid(g, "peer name not authorized", "certificate invalid: signer not found", "kafka error -181: Local: SSL error")
}

// fromStart are the first n records of a topic, for which it waits half a minute.
func (r *receivers) fromStart(topic string, n int) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 2*time.Minute)
	defer cancel()
	out, err := r.java(ctx, "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", fmt.Sprintf("%s:%d", r.host, kafkaPort), "--topic", topic,
		"--from-beginning", "--max-messages", strconv.Itoa(n), "--timeout-ms", "30000").Output()
	if err != nil {
		r.t.Errorf("the consumer of %s: %v", topic, err)
	}
	return string(out)
}

// topics are those that hold records.
func (r *receivers) topics() string {
	r.t.Helper()
	out := command(r.t, r.java(r.t.Context(), "org.apache.kafka.tools.GetOffsetShell", "--bootstrap-server", fmt.Sprintf("%s:%d", r.host, kafkaPort), "--exclude-internal-topics"))
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^(\w+):\d+:[1-9]\d*$`).FindAllStringSubmatch(out, -1) {
		names = append(names, m[1])
	}
	return strings.Join(names, " ")
}

// wantSaid looks for what the agent says of itself in its own log.
func (r *receivers) wantSaid(g *guest, words ...string) {
	r.t.Helper()
	for _, w := range words {
		said := ""
		if r.until(20*time.Second, fmt.Sprintf("the agent says %q", w), func() bool {
			said = g.sh("grep -hm 1 -F '" + w + "' /var/lib/boxdoctor-logs/rsyslog/agent.log || true")
			return said != ""
		}) {
			r.t.Logf("        agent.log: %s", strings.TrimSpace(said))
			continue
		}
		r.t.Log(tail(g.sh("journalctl --no-pager -o cat -u boxdoctor-logs | tail -n 20; tail -n 20 /var/lib/boxdoctor-logs/rsyslog/agent.log")))
	}
}
