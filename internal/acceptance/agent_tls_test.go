//go:build acceptance

package acceptance

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	name string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// leaf is a certificate and its key, as PEM.
type leaf struct{ cert, key string }

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, name: name}
	a.cert = &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.key = a.sign(a.cert, a.cert, nil)
	return a
}

// sign makes the certificate of a template, which becomes it, with a new key.
func (a *authority) sign(template, parent *x509.Certificate, by *ecdsa.PrivateKey) *ecdsa.PrivateKey {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	if by == nil {
		by = key
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		a.t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	*template = *made
	return key
}

// leaf is a certificate of a name; an address stands in it both ways, because librelp and GnuTLS's driver of rsyslog
// compare it with names, and OpenSSL with addresses.
func (a *authority) leaf(name string) leaf {
	a.t.Helper()
	c := &x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if ip := net.ParseIP(name); ip != nil {
		c.IPAddresses = []net.IP{ip}
	}
	key := a.sign(c, a.cert, a.key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return leaf{block("CERTIFICATE", c.Raw), block("PRIVATE KEY", der)}
}

func (a *authority) pem() string { return block("CERTIFICATE", a.cert.Raw) }

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// give puts the authority and a certificate for the guest into the guest.
func (a *authority) give(g *guest, own leaf) {
	a.t.Helper()
	g.sh("mkdir -p /etc/ssl/lab && cd /etc/ssl/lab && umask 077 && cat >ca.pem <<'EOF'\n" + a.pem() + "EOF\ncat >own.pem <<'EOF'\n" + own.cert + "EOF\ncat >own.key <<'EOF'\n" + own.key + "EOF\n")
}

// manner is how a receiver shows itself: rightly, with a certificate of another name, with one of another authority.
type manner struct {
	name string
	leaf leaf
}

// manners are all three, for a receiver of a name.
func (a *authority) manners(name string) []manner {
	a.t.Helper()
	other := newAuthority(a.t, "another authority")
	return []manner{{"good", a.leaf(name)}, {"name", a.leaf("other.example.org")}, {"other", other.leaf(name)}}
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
		keys += fmt.Sprintf("listener.name.%[1]s.ssl.keystore.type=PEM\nlistener.name.%[1]s.ssl.keystore.location=%[2]s\n", m.name, r.write(m.name+".keystore.pem", m.leaf.key+m.leaf.cert))
	}
	file := r.write("kraft.properties", fmt.Sprintf(`process.roles=broker,controller
node.id=1
controller.quorum.voters=1@%[1]s:%[2]d
listeners=%[3]s,CONTROLLER://%[1]s:%[2]d
advertised.listeners=%[3]s
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=%[4]s
%[5]slog.dirs=%[6]s/kafka
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
`, r.host, kafkaPort+1, listeners, protocols, keys, r.dir))
	command(r.t, r.java(r.t.Context(), "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qk", "-c", file))
	r.kafka = r.start("kafka", r.java(context.WithoutCancel(r.t.Context()), "kafka.Kafka", file))
	r.answers(kafkaPort)
	step(r.t, begin, "a Kafka broker listens on %s, %d times by TLS", r.host, len(manners))
}

// answers waits until a port does.
func (r *receivers) answers(port int) {
	r.t.Helper()
	r.until(60*time.Second, fmt.Sprintf("port %d answers", port), func() bool {
		c, err := net.DialTimeout("tcp", net.JoinHostPort(r.host, strconv.Itoa(port)), time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

// relpTLS starts an rsyslog that takes RELP over TLS, and wants senders to show a certificate of the authority.
func (r *receivers) relpTLS(a *authority, m manner) {
	r.t.Helper()
	file := r.write("relp.conf", fmt.Sprintf(`module(load="imrelp")
template(name="m" type="list") { property(name="msg") constant(value="\n") }
input(type="imrelp" address="%s" port="%d" maxDataSize="1m" ruleset="in" tls="on" tls.authMode="certvalid" tls.caCert="%s" tls.myCert="%s" tls.myPrivKey="%s")
ruleset(name="in" queue.type="Direct") { action(type="omfile" file="%s/relp.json" template="m") }
`, r.host, relpPort, r.write("ca.pem", a.pem()), r.write("relp.pem", m.leaf.cert), r.write("relp.key", m.leaf.key), r.dir))
	libs := r.parts + "/root/usr/lib/x86_64-linux-gnu"
	c := exec.Command(r.parts+"/root/usr/sbin/rsyslogd", "-n", "-iNONE", "-M", libs+"/rsyslog", "-f", file)
	c.Env = append(os.Environ(), "LD_LIBRARY_PATH="+libs)
	r.relp = r.start("relp", c)
	r.answers(relpPort)
}

// listenTLS takes plain TCP over TLS; what arrives is noted under the manner's name.
func (r *receivers) listenTLS(i int, m manner) {
	r.t.Helper()
	pair, err := tls.X509KeyPair([]byte(m.leaf.cert), []byte(m.leaf.key))
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

// receiversFor are receivers at this end of a guest's wire, none of which runs yet.
func receiversFor(t *testing.T, g *guest) *receivers {
	t.Helper()
	address := regexp.MustCompile(`HostName (\S+)\.2\n`).FindStringSubmatch(readText(t, g.sshConfig))
	if address == nil {
		t.Fatal("the guest's address is not in its ssh_config")
	}
	r := &receivers{t: t, parts: strings.TrimSpace(lab(t, "logs")), dir: t.TempDir(), host: address[1] + ".1", got: noted("good", "name", "other")}
	t.Cleanup(r.down)
	return r
}

// agentSiteFile writes the configuration beside the folder of packages.
func (r *receivers) agentSiteFile(text string) string {
	r.t.Helper()
	dir := r.t.TempDir()
	if err := os.Symlink(r.parts+"/debs", dir+"/debs"); err != nil {
		r.t.Fatal(err)
	}
	file := filepath.Join(dir, ".boxdoctor.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return file
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
	r, ca := receiversFor(t, g), newAuthority(t, "the authority")
	manners := ca.manners(r.host)
	r.broker(manners)
	r.relpTLS(ca, manners[0])
	for i, m := range manners {
		r.listenTLS(i, m)
	}
	ca.give(g, ca.leaf("logtls"))
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

// noted are places for what arrives.
func noted(names ...string) map[string]*bytes.Buffer {
	out := map[string]*bytes.Buffer{}
	for _, n := range names {
		out[n] = &bytes.Buffer{}
	}
	return out
}
