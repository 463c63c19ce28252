package provision

import (
	_ "embed" // the script that runs in guests
	"errors"
	"fmt"
	"slices"

	goversion "github.com/hashicorp/go-version"
)

//go:embed scripts/logs_refused.sh
var logsRefused string

const refusedFile = logsDir + "/refused.sh"

// The releases of rsyslog, and what came with the systems that have them, from which on TLS can be had whole.
const (
	kafkaNames  = "8.2001.0" // librdkafka 1.1 or later looks at the broker's name; older systems have an older one
	relpListens = "8.2102.0" // librelp 1.9 can look at a sender's certificate without a list of names
)

// olderThan compares rsyslog's version on this system.
func (p *logPlan) olderThan(release string) bool {
	v, err := goversion.NewVersion(p.rsyslogVersion())
	return err != nil || v.LessThan(goversion.Must(goversion.NewVersion(release)))
}

// checkTLS refuses what would send without looking at the other end's name, or not at all.
func (p *logPlan) checkTLS() error {
	if p.agent != agentRsyslog {
		return nil
	}
	var errs []error
	for _, d := range p.to {
		if d.Reliable != nil && d.Reliable.TLS != nil && d.Reliable.TLS.Cert == "" {
			errs = append(errs, fmt.Errorf("%s: tls: cert and key are wanted with rsyslog: RELP looks at the other end's certificate only when it shows one itself", d.id()))
		}
		if d.Kafka != nil && d.Kafka.TLS != nil && p.olderThan(kafkaNames) {
			errs = append(errs, fmt.Errorf("%s: tls: the Kafka client of this system (before 1.1) does not look at the broker's name; send by reliable to an aggregator on a newer one", d.id()))
		}
	}
	if p.receives && p.Aggregator.TLS != nil && p.olderThan(relpListens) {
		errs = append(errs, errors.New("aggregator: tls: rsyslog of this system is too old to receive with it; take a newer guest for the aggregator"))
	}
	return errors.Join(errs...)
}

// tlsFiles are the files of all its certificates and keys.
func (p *logPlan) tlsFiles() []string {
	all := []*tlsSpec{}
	if p.receives {
		all = append(all, p.Aggregator.TLS)
	}
	for _, d := range p.to {
		switch {
		case d.Kafka != nil:
			all = append(all, d.Kafka.TLS)
		case d.Reliable != nil:
			all = append(all, d.Reliable.TLS)
		case d.TCP != nil:
			all = append(all, d.TCP.TLS)
		}
	}
	var out []string
	for _, t := range all {
		if t != nil {
			out = append(out, t.CA, t.Cert, t.Key)
		}
	}
	return uniq(slices.DeleteFunc(out, func(file string) bool { return file == "" }))
}

// relpTLS tells whether a destination is RELP with TLS.
func (p *logPlan) relpTLS() bool {
	return p.agent == agentRsyslog && slices.ContainsFunc(p.to, func(d Destination) bool { return d.Reliable != nil && d.Reliable.TLS != nil })
}

// ownMessages lets rsyslog's rules see what it says of itself: what a Kafka client says of a certificate stands in its own
// log then, which the journal does not have.
func (p *logPlan) ownMessages() string {
	if len(p.tlsFiles()) > 0 {
		return `"on"`
	}
	return ""
}

// refusedRule ends the agent when librelp refused a certificate: 8.2302 was seen to throw away every further line for
// that destination then, at the whole time of a processor, until it was started again.
func (p *logPlan) refusedRule(t *rsyslogText) {
	if !p.relpTLS() {
		return
	}
	command := refusedFile + " end " + p.stateDir()
	for _, d := range p.to {
		if d.Reliable != nil && d.Reliable.TLS != nil {
			command += " " + d.queueName()
		}
	}
	t.WriteString("if $msg contains \"DISABLING action\" then {\n")
	t.object("\t", "action", param{key: "type", value: `"omprog"`}, param{key: "binary", value: quoted(command)})
	t.WriteString("}\n")
}

// refused is the program that ends the agent, and makes the next start wait.
func (p *logPlan) refused() []Resource {
	if !p.relpTLS() {
		return nil
	}
	return []Resource{FileResource{Path: refusedFile, Content: "#!/bin/sh\n# boxdoctor provision\n" + logsRefused, Mode: 0o755, State: Present}}
}

// relp is TLS of RELP: the other end must have a certificate of its name.
func (t *tlsSpec) relp(host string) []param {
	if t == nil {
		return nil
	}
	out := []param{{key: "tls", value: `"on"`}, {key: "tls.caCert", value: quoted(t.CA)}, {key: "tls.authMode", value: `"name"`},
		{key: "tls.permittedPeer", value: "[" + quoted(host) + "]"}}
	if t.Cert != "" {
		out = append(out, param{key: "tls.myCert", value: quoted(t.Cert)}, param{key: "tls.myPrivKey", value: quoted(t.Key)})
	}
	return out
}

// streamCertificates are those of plain TCP with TLS. Before 8.2108 all of it shares the first ones.
func (p *logPlan) streamCertificates(t *rsyslogText) {
	for _, d := range p.to {
		if d.TCP == nil || d.TCP.TLS == nil {
			continue
		}
		params := []param{{key: "defaultNetstreamDriverCAFile", value: quoted(d.TCP.TLS.CA)}}
		if d.TCP.TLS.Cert != "" {
			params = append(params, param{key: "defaultNetstreamDriverCertFile", value: quoted(d.TCP.TLS.Cert)}, param{key: "defaultNetstreamDriverKeyFile", value: quoted(d.TCP.TLS.Key)})
		}
		t.object("", "global", params...)
		return
	}
}

// listen is TLS of the aggregator. Whoever sends shows a certificate of the same authority: librelp looks at the other
// end's name only when it has one to show, and refuses those who show one unless it is told how to look at them.
func (t *tlsSpec) listen() []param {
	if t == nil {
		return nil
	}
	return []param{{key: "tls", value: `"on"`}, {key: "tls.authMode", value: `"certvalid"`}, {key: "tls.caCert", value: quoted(t.CA)}, {key: "tls.myCert", value: quoted(t.Cert)}, {key: "tls.myPrivKey", value: quoted(t.Key)}}
}

// stream is TLS of plain TCP.
func (t *tlsSpec) stream(host string) []param {
	if t == nil {
		return nil
	}
	out := []param{{key: "StreamDriver", value: `"gtls"`}, {key: "StreamDriverMode", value: `"1"`}, {key: "StreamDriverAuthMode", value: `"x509/name"`},
		{key: "StreamDriverPermittedPeers", value: quoted(host)}, {key: "StreamDriver.CAFile", value: quoted(t.CA), since: "8.2108.0"}}
	if t.Cert != "" {
		out = append(out, param{key: "StreamDriver.CertFile", value: quoted(t.Cert), since: "8.2108.0"}, param{key: "StreamDriver.KeyFile", value: quoted(t.Key), since: "8.2108.0"})
	}
	return out
}
