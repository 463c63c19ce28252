package provision

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/netprobe"
)

const (
	// aggregatorName is what the destination of those is called that send to the aggregator.
	aggregatorName = "aggregator"
	// reachStep is its step in the report.
	reachStep = "logs/reach"
	// destinationsLimit bounds the whole look at the network.
	destinationsLimit = time.Minute
)

// sentTo is a destination as it is tried: a broker of several, or the only end.
type sentTo struct {
	// kind is what it is called in the configuration.
	kind string
	netprobe.Target
}

// ends are what of a destination can be tried; a file has none.
func (d Destination) ends() []sentTo {
	end := func(kind, proto, host string, port int) []sentTo {
		return []sentTo{{kind, netprobe.Target{Proto: proto, Host: host, Port: port}}}
	}
	switch {
	case d.Kafka != nil:
		var out []sentTo
		for _, b := range d.Kafka.Brokers {
			host, number, _ := net.SplitHostPort(b) // others were refused when the configuration was read
			port, _ := strconv.Atoi(number)
			out = append(out, end("kafka", "tcp", host, port)...)
		}
		return out
	case d.Reliable != nil:
		return end("reliable", "tcp", d.Reliable.Host, d.Reliable.Port)
	case d.TCP != nil:
		return end("tcp", "tcp", d.TCP.Host, d.TCP.Port)
	case d.UDP != nil:
		return end("udp", "udp", d.UDP.Host, d.UDP.Port)
	}
	return nil
}

// logsReach tells which destinations cannot be reached from the machines that send to them. The agent keeps what it cannot
// send, so that is a warning and no failure: the agent is as declared.
type logsReach struct {
	*LogsSpec
	at   place
	crew *Crew
	// to are the ends that each machine sends to.
	to map[string][]sentTo
}

// stage comes after the resources of all machines, because one of them may be the aggregator, or any other destination.
func (v *LogsSpec) stage(at place) (Stage, error) {
	return Stage{Name: reachStep, Run: func(ctx context.Context, crew *Crew) []StageStep {
		return (&logsReach{LogsSpec: v, at: at, crew: crew, to: map[string][]sentTo{}}).run(ctx)
	}}, nil
}

// run tries everything from all machines at once. A dry run does so as well: who plans wants to hear beforehand that a
// destination is out of reach, trying changes nothing, and it is the probe that connects, so no agent has to be there.
func (l *logsReach) run(ctx context.Context) []StageStep {
	var out []StageStep
	for _, name := range l.crew.Machines() {
		ends := l.sends(name)
		if len(ends) == 0 {
			continue
		}
		if why := l.crew.unready(ctx, []string{name}); why != "" {
			out = append(out, skippedReach(name, why))
			continue
		}
		l.to[name] = ends
		l.crew.Progress(name, "trying the destinations of its logs")
	}
	if len(l.to) == 0 {
		return out
	}
	results := l.try(ctx)
	for _, name := range sortedKeys(l.to) {
		if why := l.crew.unready(ctx, []string{name}); why != "" { // interrupted meanwhile
			out = append(out, skippedReach(name, why))
			continue
		}
		out = append(out, StageStep{Machine: name, Step: l.judge(name, results)})
	}
	return out
}

func skippedReach(machine, why string) StageStep {
	return StageStep{Machine: machine, Step: Step{Resource: reachStep, Result: Skipped, Message: "not reached, because " + why}}
}

// sends are the ends that a machine sends to.
func (l *logsReach) sends(machine string) []sentTo {
	at := l.at
	at.machine = machine
	if !applies(l.where(), machine, at.config.Machines[machine].Groups) {
		return nil
	}
	to, receives := l.destinations(at, "") // what the agent shows of itself does not matter here
	var out []sentTo
	for _, d := range to {
		out = append(out, d.ends()...)
	}
	if l.Aggregator != nil && !receives {
		out[0].kind = aggregatorName // the only end
	}
	return out
}

// try asks the network. Machines that send nothing take part, because they may be where others send to.
func (l *logsReach) try(ctx context.Context) []netprobe.Reached {
	ctx, cancel := context.WithTimeout(ctx, destinationsLimit)
	defer cancel()
	go func() {
		select {
		case <-l.crew.Stop():
			cancel()
		case <-ctx.Done():
		}
	}()
	var ms []netprobe.Machine
	for _, name := range l.crew.Machines() {
		g := l.crew.Guest(name)
		if g == nil {
			continue
		}
		m := netprobe.Machine{Name: name, Guest: g}
		for _, e := range l.to[name] {
			m.To = append(m.To, e.Target)
		}
		ms = append(ms, m)
	}
	return netprobe.Reach(ctx, ms, len(ms))
}

// judge is the step of one machine.
func (l *logsReach) judge(machine string, all []netprobe.Reached) Step {
	s := Step{Resource: reachStep, Result: OK}
	var notes []string
	for _, e := range l.to[machine] {
		i := slices.IndexFunc(all, func(d netprobe.Reached) bool { return d.From == machine && d.Target == e.Target })
		switch w := l.warning(e, all[i]); {
		case all[i].Status == netprobe.OK:
		case w.Fix == "": // nothing is known to be wrong, and nothing that is said would help
			notes = append(notes, w.Message)
		case e.kind == aggregatorName && l.comes():
			notes = append(notes, fmt.Sprintf("the aggregator is not set up yet, and %s cannot be reached now", e.Target))
		case !slices.Contains(s.Warnings, w):
			s.Warnings = append(s.Warnings, w)
		}
	}
	if slices.ContainsFunc(s.Warnings, func(w Warning) bool { return !strings.HasPrefix(w.About, "udp ") }) {
		notes = append(notes, fmt.Sprintf("The agent keeps what it cannot send in its buffer, up to %s, and goes on by itself.", cmp.Or(string(l.Buffer.Max), "256MB")))
	}
	s.Message = strings.Join(uniq(notes), "\n")
	return s
}

// comes says that the aggregator is one of the things that a run would make, of which this is a dry one.
func (l *logsReach) comes() bool {
	return slices.ContainsFunc(l.crew.Machines(), func(name string) bool {
		return applies(l.Aggregator.On, name, l.at.config.Machines[name].Groups) && l.crew.pending(name)
	})
}

// warning says of an end what is the matter and what helps.
func (l *logsReach) warning(e sentTo, d netprobe.Reached) Warning {
	w := Warning{About: e.kind + " " + e.String(), Status: string(d.Status), Message: d.Message, Fix: d.Fix}
	switch {
	case d.To == "" && d.Status.Failed() && d.Status != netprobe.UnknownName:
		w.Fix += fmt.Sprintf("; then: boxdoctor net %s --to %s", d.From, e.Target)
	case e.kind == aggregatorName && d.Status == netprobe.Closed && d.To != "":
		w.Fix = "boxdoctor provision " + d.To
	case d.Status == netprobe.Lossy:
		w.Fix = insteadOfUDP(e)
	case e.kind == "udp" && (d.Status == netprobe.Filtered || d.Status == netprobe.NoRoute):
		w.Fix = insteadOfUDP(e) + "; or let datagrams through: " + d.Fix
	}
	return w
}

// insteadOfUDP is the advice where datagrams get lost.
func insteadOfUDP(e sentTo) string {
	return fmt.Sprintf("send by reliable (or tcp) instead of udp: reliable: {host: %s, port: PORT}", e.Host)
}
