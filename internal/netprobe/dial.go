package netprobe

import (
	"bufio"
	"context"
	_ "embed" // the probes
	"errors"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/guest"
)

//go:embed probe.sh
var probeScript string

//go:embed probe.py
var probePython string

//go:embed probe.pl
var probePerl string

// try is what came of one target.
type try struct {
	proto string
	addr  netip.Addr
	port  int
	// how is open, refused, reset, timeout, no_network, no_host, forbidden or error_NUMBER; for UDP the last error, or empty.
	how string
	// latency of a TCP connection; negative: not measured. said is token when the probe itself answered, closed when somebody
	// closed at once.
	latency time.Duration
	said    string
	udp     Echo
}

// Echo is what came back of numbered datagrams.
type Echo struct {
	Sent       int     `json:"sent"`
	Received   int     `json:"received"`
	Duplicated int     `json:"duplicated"`
	Reordered  int     `json:"reordered"`
	MinMS      float64 `json:"min_ms"`
	MeanMS     float64 `json:"mean_ms"`
	MaxMS      float64 `json:"max_ms"`
}

// Lost is the share of datagrams that did not come back, from 0 to 1.
func (e Echo) Lost() float64 {
	if e.Sent == 0 {
		return 0
	}
	return 1 - float64(min(e.Received, e.Sent))/float64(e.Sent)
}

// command is a step of the probe in a guest.
func (r *run) command(name string, args ...string) guest.Cmd {
	argv := append([]string{"sh", "-c", probeScript, "net-probe", probePython, probePerl}, args...)
	return guest.Cmd{Name: name, Argv: argv, Timeout: probeTimeout, Limit: 1 << 20}
}

// listenPatience is how long a probe may take until it listens.
const listenPatience = 15 * time.Second

// listen starts the probe that answers in a guest. It ends when its standard input does, and after two minutes by itself.
func (r *run) listen(ctx context.Context, n *node) {
	stdin, hold := io.Pipe()
	out, stdout := io.Pipe()
	c := r.command("listen", "serve", r.token)
	c.Stdin, c.Stdout = stdin, stdout
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = n.Guest.Run(ctx, c)
		_ = stdout.Close()
	}()
	n.stop = func() {
		_ = hold.Close()
		_ = out.Close()
		<-done
	}
	impatient := time.AfterFunc(listenPatience, func() { _ = out.Close() })
	defer impatient.Stop()
	line, _ := bufio.NewReaderSize(out, 128).ReadString('\n') // what is no "port" line leaves both 0
	if w := strings.Fields(line); len(w) == 3 && w[0] == "port" {
		n.tcp, n.udp = port(w[1]), port(w[2])
	}
}

func port(s string) int {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0
	}
	return int(n)
}

// dialFrom tries all targets from one guest.
func (r *run) dialFrom(ctx context.Context, n *node) ([]try, error) {
	targets := r.wanted(n)
	if len(targets) == 0 {
		return nil, nil
	}
	res, err := n.Guest.Run(ctx, r.command("try the network", r.dial(targets)...))
	if err != nil {
		return nil, err
	}
	return r.answer(n, res)
}

// dial are the arguments of a probe that tries targets.
func (r *run) dial(targets []string) []string {
	return append([]string{"dial", r.token, strconv.Itoa(int(patience / time.Second)), strconv.Itoa(packets)}, targets...)
}

// answer reads what the probe said of targets and of names.
func (r *run) answer(n *node, res guest.Result) ([]try, error) {
	n.names = parseNames(string(res.Stdout))
	tries, whole := parseTries(string(res.Stdout))
	if !whole {
		return tries, errors.New("the probe ended too early; it needs perl, python, bash or nc in the guest: " + tail(res.Stderr))
	}
	return tries, nil
}

func tail(b []byte) string {
	s := strings.TrimSpace(string(b))
	return s[max(0, len(s)-300):]
}

// parseTries reads the probe's lines; whole says that the last one came.
func parseTries(out string) (tries []try, whole bool) {
	for line := range strings.Lines(out) {
		w := strings.Fields(line)
		if len(w) == 1 && w[0] == "end" {
			return tries, true
		}
		if len(w) < 4 {
			continue
		}
		addr, err := netip.ParseAddr(w[1])
		t := try{proto: w[0], addr: addr, port: port(w[2]), how: w[3], latency: -1}
		switch {
		case err != nil:
		case w[0] == "tcp" && len(w) == 6:
			t.latency, t.said = millis(w[4]), w[5]
			tries = append(tries, t)
		case w[0] == "tcp":
			tries = append(tries, t)
		case w[0] == "udp" && len(w) == 11:
			t.how = strings.TrimPrefix(w[10], "-")
			t.udp = Echo{count(w[3]), count(w[4]), count(w[5]), count(w[6]), number(w[7]), number(w[8]), number(w[9])}
			tries = append(tries, t)
		}
	}
	return tries, false
}

func count(s string) int { return int(min(max(number(s), 0), 1e6)) }

func number(s string) float64 {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != f || f > 1e9 {
		return -1
	}
	return f
}

func millis(s string) time.Duration {
	f := number(s)
	if f < 0 {
		return -1
	}
	return time.Duration(f * float64(time.Millisecond))
}
