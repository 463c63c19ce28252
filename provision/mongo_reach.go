package provision

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/netprobe"
)

// mostReasons bounds what is said below the matrix: the first ones tell the rest.
const mostReasons = 6

// reasons tries the ports of the members between the machines, and says what keeps them from opening and what helps: a
// firewall, another interface, a mongod that is off.
func (m *mongoStage) reasons(ctx context.Context) string {
	members, ports := m.ports()
	var ms []netprobe.Machine
	for _, name := range m.spec.where() {
		if g := m.crew.Guest(name); g != nil {
			ms = append(ms, netprobe.Machine{Name: name, Guest: g})
		}
	}
	if len(ms) < 2 {
		return "" // between one machine and itself there is no network
	}
	return explained(netprobe.Examine(ctx, ms, netprobe.Options{Ports: ports, Jobs: len(ms)}).Ports, members)
}

// explained are the ports of members that do not open, each with what helps.
func explained(ports []netprobe.Port, members map[string]bool) string {
	var out []string
	for _, p := range ports {
		if p.From == netprobe.HostName || !p.Status.Failed() || !members[at(p.To, p.Port)] || len(out) == mostReasons {
			continue
		}
		out = append(out, strings.TrimRight(fmt.Sprintf("  %s to %s: %s; %s", p.From, at(p.To, p.Port), p.Message, p.Fix), "; ")+"\n")
	}
	return strings.Join(out, "")
}

// ports are the ports of the members, and on which machines they are.
func (m *mongoStage) ports() (members map[string]bool, ports []int) {
	members = map[string]bool{}
	for _, member := range m.spec.Members {
		members[at(member.Machine, member.port())] = true
		ports = append(ports, member.port())
	}
	slices.Sort(ports)
	return members, slices.Compact(ports)
}

func at(machine string, port int) string { return machine + ":" + strconv.Itoa(port) }
