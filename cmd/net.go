package cmd

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/host"
	"github.com/boxdoctor/boxdoctor/internal/netprobe"
	"github.com/boxdoctor/boxdoctor/internal/report"
	"github.com/boxdoctor/boxdoctor/internal/term"
)

// netOptions are those of `boxdoctor net`.
type netOptions struct {
	Machines []string
	Reach    reachFlags
	Ports    []int
	To       []string
	Jobs     int
	Format   string
	Verbose  int
}

const netLong = `Tries the network between this computer and the machines, and between the machines: TCP connections with their latency, numbered
datagrams by UDP with loss, order and round trip, the forwarded ports of this computer, with --port the ports of services, and with
--to TCP services elsewhere, by the names that the machines know.
A small program that is sent along listens in every machine for as long as this takes, on a port of its own and only for this run;
it needs perl or python there (without, only TCP is tried), no root, and leaves nothing behind. What does not open is told apart:
no route, port closed, filtered, bound to the wrong interface, or a name that is not known; and how to put it right. Nothing is changed.`

const netExample = `  boxdoctor net                          every running machine of the project
  boxdoctor net web db --port 27017      and can they reach each other's MongoDB?
  boxdoctor net web --to kafka1:9092     and from web a broker elsewhere?
  boxdoctor net --format json | jq -r '.paths[] | select(.verdict != "ok") | .message'`

// newNetCmd reads the flags; run gets them validated.
func newNetCmd(a *app, run func(context.Context, *netOptions) error) *cobra.Command {
	o := &netOptions{}
	c := &cobra.Command{
		Use: "net [MACHINE…]", Short: "Try the network between this computer and machines, and between machines",
		Long: netLong, Example: netExample, Annotations: withExitCodes,
		RunE: func(c *cobra.Command, args []string) error {
			o.Machines = args
			if err := errors.Join(emptyFlag(c), o.validate()); err != nil {
				return err
			}
			return run(c.Context(), o)
		},
	}
	fs := c.Flags()
	fs.IntSliceVar(&o.Ports, "port", nil, "also try the TCP port `PORT`[,…] of every machine; repeatable")
	fs.StringSliceVar(&o.To, "to", nil, "also try the TCP service `HOST:PORT`[,…] from every machine; repeatable")
	fs.IntVarP(&o.Jobs, "jobs", "j", defaultJobs, "work on `N` machines at once")
	fs.CountVarP(&o.Verbose, "verbose", "v", "-vv: show every step, on stderr")
	addFormat(c, &o.Format)
	o.Reach.addLogin(fs)
	return c
}

func (o *netOptions) validate() error {
	if o.Jobs < 1 || o.Jobs > maxJobs {
		return usagef("-j %d: between 1 and %d machines can be worked on at once", o.Jobs, maxJobs)
	}
	for _, p := range o.Ports {
		if p < 1 || p > 65535 {
			return usagef("--port %d: a port is a number from 1 to 65535", p)
		}
	}
	if _, err := o.targets(); err != nil {
		return err
	}
	if err := validFormat(o.Format); err != nil {
		return err
	}
	return o.Reach.validate(o.Machines)
}

// targets are those of --to.
func (o *netOptions) targets() ([]netprobe.Target, error) {
	var out []netprobe.Target
	for _, text := range o.To {
		t, err := netprobe.ParseTarget(text)
		if err != nil {
			return nil, usagef("--to %v", err)
		}
		out = append(out, t)
	}
	return out, nil
}

// runNet connects, tries everything, and reports.
func (a *app) runNet(ctx context.Context, o *netOptions) error {
	begin := a.now()
	to, err := o.targets()
	if err != nil {
		return err
	}
	s := a.begin(ctx, "net", o.Verbose, nil)
	ms, _, _, err := s.machines(o.Reach, o.Machines)
	if err != nil {
		return s.ended(err)
	}
	links, done := s.connect(s.Soft, ms, o.Jobs)
	defer done()
	var tried []netprobe.Machine
	for _, l := range links {
		if l.Err == nil {
			tried = append(tried, netprobe.Machine{Name: l.Name, Guest: l.Guest, Forwards: forwardsOf(l.Name, s.inventory), To: to})
		}
	}
	r := netprobe.Examine(s.Soft, tried, netprobe.Options{Ports: o.Ports, Jobs: o.Jobs, Progress: s.onProgress})
	if s.end() {
		return errInterrupted
	}
	r.Machines = append(r.Machines, a.unreached(links)...)
	r.Boxdoctor, r.StartedAt, r.DurationMS = a.version.Version, begin.UTC(), a.now().Sub(begin).Milliseconds()
	if len(tried) == 0 && len(r.Machines) == 0 {
		return &failure{finding.ExitUnexamined, errNoGuest}
	}
	r.ExitCode = netExit(r)
	if err := a.deliverNet(r, o); err != nil {
		return err
	}
	return withCode(r.ExitCode)
}

// unreached are the machines that could not be connected to.
func (a *app) unreached(links []link) []netprobe.MachineReport {
	var out []netprobe.MachineReport
	for _, l := range links {
		switch {
		case l.Skipped:
			a.say(fmt.Sprintf("%s: not running, left out", l.Name))
		case l.Err != nil:
			out = append(out, netprobe.MachineReport{Name: l.Name, Addresses: []netprobe.Address{}, Problem: l.Err.Error(), Command: l.Reach.Command})
		}
	}
	return out
}

func netExit(r netprobe.Report) int {
	switch {
	case r.Failed():
		return finding.ExitFailed
	case r.Unknown():
		return finding.ExitUnexamined
	}
	return finding.ExitOK
}

// forwardsOf are the forwarded ports of a machine.
func forwardsOf(name string, ms []host.Machine) []netprobe.Forward {
	var out []netprobe.Forward
	for _, m := range ms {
		for _, f := range m.Forwards {
			if m.Facts.Name == name {
				at, _ := netip.ParseAddr(f.HostIP) // empty: every address
				out = append(out, netprobe.Forward{Proto: f.Proto, Address: at, Port: f.HostPort, GuestPort: f.GuestPort})
			}
		}
	}
	return out
}

func (a *app) deliverNet(r netprobe.Report, o *netOptions) error {
	if o.Format == report.FormatJSON {
		return report.WriteJSON(a.streams.Out, r)
	}
	return a.print(netText(r, a.streams.Width, a.streams.OutPalette))
}

// netText is the report for people: what is between whom, then every fault once, with what to do. Names and statuses are ours; sentences
// may hold words of a guest.
func netText(r netprobe.Report, width int, paint term.Palette) string {
	var b strings.Builder
	for _, m := range r.Machines {
		if m.Problem != "" {
			fmt.Fprintf(&b, "%s   %s\n", m.Name, paint.Bad("not tried"))
			paragraph(&b, width, "why", report.Clean(m.Problem))
			paragraph(&b, width, "run", report.Clean(m.Command))
		}
	}
	pathTable(&b, r)
	forwardTable(&b, r)
	faults := netFaults(r)
	for _, f := range faults {
		word := paint.Bad("FAIL")
		if f.warning {
			word = paint.Warn("WARN")
		}
		fmt.Fprintf(&b, "\n%s  %s\n", word, strings.Join(f.where, ", "))
		paragraph(&b, width, "seen", report.Clean(f.message))
		paragraph(&b, width, "do", report.Clean(f.fix))
	}
	fmt.Fprintf(&b, "\n%s\n", netSummary(r, len(faults)))
	return b.String()
}

func pathTable(b *strings.Builder, r netprobe.Report) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { _, _ = fmt.Fprintln(w, strings.Join(cells, "\t")) } // a strings.Builder cannot fail
	if len(r.Paths)+len(r.Ports)+len(r.Destinations) > 0 {
		row("FROM", "TO", "ADDRESS", "TCP", "UDP")
	}
	for _, p := range r.Paths {
		row(p.From, p.To, addrText(p.Address), tcpText(p), udpText(p))
	}
	for _, p := range r.Ports {
		row(p.From, p.To, fmt.Sprintf("%s:%d", addrText(p.Address), p.Port), statusText(p.Status, p.LatencyMS))
	}
	for _, d := range r.Destinations {
		at := d.Target
		if d.Address.IsValid() {
			at.Host = d.Address.String()
		}
		row(d.From, d.Host, at.String(), statusText(d.Status, d.LatencyMS))
	}
	_ = w.Flush()
}

func forwardTable(b *strings.Builder, r netprobe.Report) {
	if len(r.Forwards) == 0 {
		return
	}
	b.WriteString("\n")
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "FORWARDED\tTO\tPORT\tSTATUS")
	for _, f := range r.Forwards {
		_, _ = fmt.Fprintf(w, "%s %d\t%s\t%d\t%s\n", f.Proto, f.Port, f.To, f.GuestPort, statusText(f.Status, -1))
	}
	_ = w.Flush()
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return "-"
	}
	return a.String()
}

func statusText(s netprobe.Status, ms float64) string {
	if s == netprobe.OK && ms >= 0 {
		return fmt.Sprintf("ok %.1f ms", ms)
	}
	return strings.ReplaceAll(string(s), "_", " ")
}

func tcpText(p netprobe.Path) string {
	if p.Verdict == netprobe.ForwardsOnly {
		return statusText(p.Verdict, -1)
	}
	if p.TCP == netprobe.NotTried {
		return statusText(p.Verdict, p.LatencyMS)
	}
	return statusText(p.TCP, p.LatencyMS)
}

func udpText(p netprobe.Path) string {
	if p.UDP != netprobe.OK && p.UDP != netprobe.Lossy {
		return strings.ReplaceAll(strings.ReplaceAll(string(p.UDP), "not_tried", "-"), "_", " ")
	}
	text := fmt.Sprintf("%d of %d, %.1f ms", p.Echo.Received, p.Echo.Sent, p.Echo.MeanMS)
	if p.Echo.Reordered > 0 {
		text += fmt.Sprintf(", %d out of order", p.Echo.Reordered)
	}
	if p.Echo.Duplicated > 0 {
		text += fmt.Sprintf(", %d twice", p.Echo.Duplicated)
	}
	return text
}

// netFault is one fault and every way that has it.
type netFault struct {
	message, fix string
	where        []string
	warning      bool // datagrams get lost, connections open; or it could not be told
}

func netFaults(r netprobe.Report) []netFault {
	var out []netFault
	add := func(s netprobe.Status, where, message, fix string) {
		if !s.Failed() && s != netprobe.Lossy && (s != netprobe.NotTried || message == "") {
			return
		}
		i := slices.IndexFunc(out, func(f netFault) bool { return f.message == message && f.fix == fix })
		if i < 0 {
			i, out = len(out), append(out, netFault{message: message, fix: fix, warning: !s.Failed()})
		}
		out[i].where = append(out[i].where, where)
	}
	for _, p := range r.Paths {
		add(p.Verdict, p.From+" to "+p.To, p.Message, p.Fix)
	}
	for _, p := range r.Ports {
		add(p.Status, fmt.Sprintf("%s to %s:%d", p.From, p.To, p.Port), p.Message, p.Fix)
	}
	for _, d := range r.Destinations {
		add(d.Status, d.From+" to "+d.Target.String(), d.Message, d.Fix)
	}
	for _, f := range r.Forwards {
		add(f.Status, fmt.Sprintf("port %d to %s:%d", f.Port, f.To, f.GuestPort), f.Message, f.Fix)
	}
	return out
}

// netSummary is the last line: what is at fault, and which protocol suits.
func netSummary(r netprobe.Report, faults int) string {
	udp, tried := 0, 0
	for _, p := range r.Paths {
		if p.Advice != "" {
			tried++
			udp += map[bool]int{true: 1}[strings.HasPrefix(p.Advice, "TCP or UDP")]
		}
	}
	text := fmt.Sprintf("%d ways tried, %d faults", len(r.Paths)+len(r.Destinations), faults)
	switch {
	case tried == 0:
		return text
	case udp == tried:
		return text + "; UDP lost nothing anywhere"
	}
	return text + fmt.Sprintf("; use TCP on %d of them, UDP loses there", tried-udp)
}
