package provision

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
)

// logPlan is what the log role is on one guest.
type logPlan struct {
	*LogsSpec
	machine string
	system  facts.System
	// agent is fluent-bit or rsyslog, why the reason for it.
	agent, why string
	// row is what the guest's system can have.
	row knowledge.LogAgents
	// files are those that are followed here; receives: this is the aggregator; to are the destinations.
	files    []LogFile
	receives bool
	to       []Destination
}

// planFor decides what a machine collects and receives, where it sends to, and which agent does it.
func (v *LogsSpec) planFor(at place, g facts.Guest) (*logPlan, error) {
	sys, err := g.System.Get()
	if err != nil {
		return nil, err
	}
	p := &logPlan{LogsSpec: v, machine: at.machine, system: sys}
	groups := at.config.Machines[at.machine].Groups
	if applies(v.On, at.machine, groups) {
		p.files = v.Files
	}
	p.row, _ = knowledge.LogAgentsFor(sys.ID, sys.VersionID, sys.Codename)
	switch {
	case sys.Init != "" && sys.Init != "systemd" && p.row.Rsyslog.Why == "":
		return nil, fmt.Errorf("the agent runs as a unit of systemd, and %s has %s", sys.Pretty, sys.Init)
	case !slices.Contains([]string{"apt", "dnf", "dnf5", "yum"}, sys.Manager):
		return nil, fmt.Errorf("no package of a log agent is known for %s", cmp.Or(sys.Pretty, "this guest"))
	}
	if p.agent, p.why, err = v.choose(p.row, at.Dir); err != nil {
		return p, err
	}
	p.to, p.receives = v.destinations(at, p.agent)
	return p, errors.Join(p.checkLocal(), p.checkTLS())
}

// destinations are where a machine sends to by an agent, and whether it is the aggregator.
func (v *LogsSpec) destinations(at place, agent string) (to []Destination, receives bool) {
	a := v.Aggregator
	if a == nil || applies(a.On, at.machine, at.config.Machines[at.machine].Groups) {
		return v.Destinations, a != nil
	}
	return []Destination{{Name: aggregatorName, Reliable: &endpointSpec{Host: a.Address, Port: v.aggregatorPort(), TLS: a.senderTLS(agent)}}}, false
}

// senderTLS is what a sender shows to the aggregator: with Fluent Bit nothing, with rsyslog a certificate of its own, in
// the same place.
func (a *aggregatorSpec) senderTLS(agent string) *tlsSpec {
	if agent == agentFluentBit {
		return a.TLS.withoutKey()
	}
	return a.TLS
}

// withoutKey is the authority alone.
func (t *tlsSpec) withoutKey() *tlsSpec {
	if t == nil {
		return nil
	}
	return &tlsSpec{CA: t.CA}
}

// aggregatorPort follows the protocol, which follows the agent: with an aggregator both ends must have the same.
func (v *LogsSpec) aggregatorPort() int {
	def := defaultRELPPort
	if v.Agent == agentFluentBit {
		def = defaultForwardPort
	}
	return cmp.Or(v.Aggregator.Port, def)
}

// choose says which agent a guest gets and why (D12).
func (v *LogsSpec) choose(row knowledge.LogAgents, dir string) (agent, why string, err error) {
	kafka := v.anyDestination(func(d Destination) bool { return d.Kafka != nil })
	none := row.FluentBit.Why
	switch {
	case len(row.IDs) == 0:
		none = "no packages of Fluent Bit are known for this system"
	case none == "" && kafka && !row.FluentBit.Kafka:
		none = "Fluent Bit's packages for this system are built without Kafka"
	}
	packaged := ""
	if v.Packages != "" {
		if packaged, err = agentIn(under(dir, v.Packages)); err != nil {
			return "", "", err
		}
	}
	switch {
	case packaged != "" && cmp.Or(v.Agent, agentAuto) != agentAuto && packaged != v.Agent:
		return "", "", fmt.Errorf("agent: %s is wanted, and the folder %s holds packages of %s", v.Agent, v.Packages, packaged)
	case packaged != "":
		agent, why = packaged, "its packages lie in "+v.Packages
	case v.Agent == agentFluentBit && none != "":
		return "", "", fmt.Errorf("agent: fluent-bit: %s; say agent: auto or rsyslog, or bring its packages: packages: FOLDER", none)
	case v.Agent == agentFluentBit, v.Agent == agentRsyslog:
		agent, why = v.Agent, "declared"
	case v.Aggregator != nil:
		agent, why = agentRsyslog, "with an aggregator all machines must speak the same protocol, and RELP is in every distribution; agent: fluent-bit makes it Fluent Bit's forward"
	case none != "":
		agent, why = agentRsyslog, none
	default:
		agent, why = agentFluentBit, "its own repository has packages for this system; it is the faster one and answers whether it is well"
	}
	if agent == agentRsyslog && row.Rsyslog.Why != "" {
		return "", "", errors.New(row.Rsyslog.Why)
	}
	return agent, why, nil
}

// agentIn is the agent whose packages lie in a folder of the host.
func agentIn(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("packages: %w", err)
	}
	found := ""
	for _, e := range entries {
		for _, agent := range []string{agentRsyslog, agentFluentBit} {
			ext := filepath.Ext(e.Name())
			if (ext == ".deb" || ext == ".rpm") && strings.HasPrefix(e.Name(), agent) {
				found = agent
			}
		}
	}
	if found == "" {
		return "", fmt.Errorf("packages: the folder %s holds neither fluent-bit*.deb or .rpm nor rsyslog*.deb or .rpm", dir)
	}
	return found, nil
}

// checkLocal refuses a destination file that is also collected: every record would make another one.
func (p *logPlan) checkLocal() error {
	for _, d := range p.to {
		for _, f := range p.files {
			if ok, _ := path.Match(f.Path, fileOf(d)); ok {
				return fmt.Errorf("the destination %s is matched by files: %s: every record would make another one", d.File.Path, f.Path)
			}
		}
	}
	return nil
}

func fileOf(d Destination) string {
	if d.File == nil {
		return ""
	}
	return d.File.Path
}

// retries tells whether a destination's records are kept until they have arrived. UDP says nothing of arrival.
func (d Destination) retries() bool { return d.UDP == nil }

// atLeastOnce tells whether the other end says that it has a record (D13); a file is written by the agent itself.
func (d Destination) atLeastOnce() bool { return d.TCP == nil && d.UDP == nil }
