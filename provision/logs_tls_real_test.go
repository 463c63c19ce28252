package provision

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// testAuthority writes a certificate authority and certificates of names into a folder.
type testAuthority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newTestAuthority(t *testing.T) *testAuthority {
	t.Helper()
	a := &testAuthority{t: t, dir: t.TempDir()}
	a.cert = &x509.Certificate{Subject: pkix.Name{CommonName: "the authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.key, a.cert = a.sign("ca", a.cert, a.cert, nil)
	return a
}

// leaf is a certificate of a name in files.
func (a *testAuthority) leaf(file, name string) *tlsSpec {
	a.t.Helper()
	c := &x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if ip := net.ParseIP(name); ip != nil {
		c.IPAddresses = []net.IP{ip}
	}
	a.sign(file, c, a.cert, a.key)
	return &tlsSpec{CA: a.dir + "/ca.pem", Cert: a.dir + "/" + file + ".pem", Key: a.dir + "/" + file + ".key"}
}

func (a *testAuthority) sign(file string, c, parent *x509.Certificate, by *ecdsa.PrivateKey) (*ecdsa.PrivateKey, *x509.Certificate) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	if by == nil {
		by = key
	}
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	if err != nil {
		a.t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for name, b := range map[string]*pem.Block{file + ".pem": {Type: "CERTIFICATE", Bytes: der}, file + ".key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(a.dir, name), pem.EncodeToMemory(b), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	return key, made
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
	ours, theirs := newTestAuthority(t), newTestAuthority(t)
	good = ours.leaf("good", "127.0.0.1")
	return good, map[string]*tlsSpec{"the right one": good, "another name": ours.leaf("name", "other.example.org"), "another authority": theirs.leaf("other", "127.0.0.1")}
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
