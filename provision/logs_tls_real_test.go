package provision

import (
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/testkit"
)

// certificate writes one of a name, and its authority, into a folder.
func certificate(t *testing.T, a *testkit.Authority, name string) *tlsSpec {
	t.Helper()
	dir, leaf := t.TempDir(), a.Leaf(name)
	out := &tlsSpec{CA: dir + "/ca.pem", Cert: dir + "/cert.pem", Key: dir + "/cert.key"}
	for file, text := range map[string]string{out.CA: a.PEM(), out.Cert: leaf.Cert, out.Key: leaf.Key} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// tlsSink collects what arrives by TLS, and counts the handshakes that failed.
type tlsSink struct {
	sink
	refused atomic.Int32
}

// newTLSSink shows a certificate on a port of the loopback device.
func newTLSSink(t *testing.T, show *tlsSpec) *tlsSink {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(show.Cert, show.Key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	s := &tlsSink{sink: sink{Listener: l}}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.take(c.(*tls.Conn))
		}
	}()
	return s
}

func (s *tlsSink) take(c *tls.Conn) {
	defer c.Close()
	if err := c.Handshake(); err != nil {
		s.refused.Add(1)
		return
	}
	_, _ = io.Copy(s, c)
}

// certificates are how a receiver shows itself, and whether it is one to send to.
func certificates(t *testing.T) (good *tlsSpec, all map[string]*tlsSpec) {
	t.Helper()
	ours, theirs := testkit.NewAuthority(t, "the authority"), testkit.NewAuthority(t, "another authority")
	good = certificate(t, ours, "127.0.0.1")
	return good, map[string]*tlsSpec{"the right one": good, "another name": certificate(t, ours, "other.example.org"), "another authority": certificate(t, theirs, "127.0.0.1")}
}

// Fluent Bit sends by TLS to who has the certificate of the name, and nothing to others: JSON lines over plain TCP.
func TestFluentBitTCPOverTLS(t *testing.T) {
	program := realAgent(t, "fluent-bit")
	good, all := certificates(t)
	for name, show := range all {
		t.Run(name, func(t *testing.T) {
			dir, to := t.TempDir(), newTLSSink(t, show)
			p := realPlan(t, agentFluentBit, dir, to.port())
			p.to[1].TCP.TLS = &tlsSpec{CA: good.CA}
			writeLines(t, dir)
			p.start(t, program, dir)
			if show == good {
				becomesTrue(t, "the record has arrived", func() bool { return strings.Contains(to.text(), "by TLS") })
				return
			}
			becomesTrue(t, "two handshakes were refused", func() bool { return to.refused.Load() >= 2 })
			if to.text() != "" {
				t.Errorf("it sent %s", to.text())
			}
		})
	}
}

// The same by forward to a Fluent Bit as aggregator: what it does not get is not acknowledged, and is still there.
func TestFluentBitForwardOverTLS(t *testing.T) {
	program := realAgent(t, "fluent-bit")
	good, all := certificates(t)
	for name, show := range all {
		t.Run(name, func(t *testing.T) {
			dir, port := t.TempDir(), freePort(t)
			hub := realPlan(t, agentFluentBit, dir+"/hub", 9)
			hub.files, hub.receives = nil, true
			hub.Aggregator = &aggregatorSpec{Port: port, TLS: show}
			hub.to = []Destination{{File: &destinationFile{Path: dir + "/hub/all.json"}}}
			hub.start(t, program, dir+"/hub")
			p := realPlan(t, agentFluentBit, dir, 9)
			p.to = []Destination{{Name: "aggregator", Reliable: &endpointSpec{Host: "127.0.0.1", Port: port, TLS: good.withoutKey()}}}
			writeLines(t, dir)
			arrived := func() bool {
				b, _ := os.ReadFile(dir + "/hub/all.json") // not there before the first record
				return strings.Contains(string(b), "by TLS")
			}
			p.start(t, program, dir)
			if show == good {
				becomesTrue(t, "the record has arrived", arrived)
				return
			}
			<-time.After(6 * time.Second)
			if arrived() {
				t.Error("it sent the record")
			}
		})
	}
}

// Kafka's client in Fluent Bit begins to speak only with a broker that has the certificate of the name.
func TestFluentBitKafkaOverTLS(t *testing.T) {
	program := realAgent(t, "fluent-bit")
	good, all := certificates(t)
	for name, show := range all {
		t.Run(name, func(t *testing.T) {
			dir, to := t.TempDir(), newTLSSink(t, show)
			p := realPlan(t, agentFluentBit, dir, 9)
			p.to = []Destination{{Kafka: &kafkaSpec{Brokers: []string{to.Addr().String()}, Topic: "logs", TLS: &tlsSpec{CA: good.CA}}}}
			writeLines(t, dir)
			p.start(t, program, dir)
			if show == good {
				becomesTrue(t, "the client has asked for the broker's versions", func() bool { return to.text() != "" })
				return
			}
			becomesTrue(t, "two handshakes were refused", func() bool { return to.refused.Load() >= 2 })
			if to.text() != "" {
				t.Errorf("it sent %q", to.text())
			}
		})
	}
}

// writeLines writes what an application wrote.
func writeLines(t *testing.T, dir string) {
	t.Helper()
	line := fmt.Sprintf("2026-11-24T09:30:00.300Z | 10.0.2.15 | - | 1 | - | RUNTIME | INFO | %s | 1\n", "by TLS")
	if err := os.WriteFile(dir+"/app/a.log", []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
}
