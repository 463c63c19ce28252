package netprobe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// lookHost is this computer's addresses.
func lookHost() Look {
	var l Look
	all, _ := net.InterfaceAddrs() // none: then nothing is shared with any guest
	for _, a := range all {
		p, err := netip.ParsePrefix(a.String())
		if err == nil && p.Addr().Is4() && !p.Addr().IsLoopback() {
			l.Addresses = append(l.Addresses, Address{Prefix: p})
		}
	}
	return l
}

// serveHost answers guests, at those addresses of this computer that are in a network with one of them and at no other.
func (r *run) serveHost(ctx context.Context) {
	h := r.host
	var closers []io.Closer
	for _, a := range h.look.Addresses {
		addr := a.Prefix.Addr()
		if !slices.ContainsFunc(r.nodes, func(n *node) bool {
			return slices.ContainsFunc(n.usable, func(g netip.Addr) bool { return a.Prefix.Contains(g) && g != addr })
		}) {
			continue
		}
		tcp, err := new(net.ListenConfig).Listen(ctx, "tcp", netip.AddrPortFrom(addr, uint16(h.tcp)).String())
		if err != nil {
			continue
		}
		udp, err := new(net.ListenConfig).ListenPacket(ctx, "udp", netip.AddrPortFrom(addr, uint16(h.udp)).String())
		if err != nil {
			_ = tcp.Close()
			continue
		}
		h.tcp, h.udp = portOf(tcp.Addr()), portOf(udp.LocalAddr())
		h.usable = append(h.usable, addr)
		closers = append(closers, tcp, udp)
		go answerTCP(tcp, r.token)
		go answerUDP(udp, r.token)
	}
	h.stop = func() {
		for _, c := range closers {
			_ = c.Close()
		}
	}
}

func portOf(a net.Addr) int {
	p, _ := netip.ParseAddrPort(a.String()) // the standard library's own text
	return int(p.Port())
}

// answerTCP says the token to everybody, until the listener is closed.
func answerTCP(l net.Listener, token string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_ = c.SetDeadline(time.Now().Add(time.Second))
		_, _ = io.WriteString(c, token)
		_ = c.Close()
	}
}

// answerUDP sends back what begins with the token, until the socket is closed.
func answerUDP(c net.PacketConn, token string) {
	b := make([]byte, 2048)
	for {
		n, peer, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		if strings.HasPrefix(string(b[:n]), token) {
			_, _ = c.WriteTo(b[:n], peer)
		}
	}
}

// dialHost tries every guest from here: what the probe does in guests, by this program itself.
func (r *run) dialHost(ctx context.Context) []try {
	targets := r.wanted(r.host)
	out := make([]try, len(targets))
	var wg sync.WaitGroup
	slots := make(chan struct{}, 32)
	for i, t := range targets {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			w := strings.Split(t, ":")
			addr, _ := netip.ParseAddr(w[1]) // our own text
			if w[0] == "udp" {
				out[i] = dialUDP(ctx, addr, port(w[2]), r.token)
			} else {
				out[i] = dialTCP(ctx, addr, port(w[2]), r.token)
			}
		})
	}
	wg.Wait()
	return out
}

// dialTCP opens a connection and waits half a second for a word.
func dialTCP(ctx context.Context, addr netip.Addr, port int, token string) try {
	t := try{proto: "tcp", addr: addr, port: port, latency: -1, said: "-"}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	begin := time.Now()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(addr.String(), strconv.Itoa(port)))
	if err != nil {
		t.how = nameOf(err)
		return t
	}
	defer func() { _ = c.Close() }()
	t.how, t.latency = "open", time.Since(begin)
	_ = c.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	b := make([]byte, len(token))
	n, err := io.ReadFull(c, b)
	switch {
	case string(b[:n]) == token:
		t.said = "token"
	case n == 0 && err != nil && !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err):
		t.said = "closed"
	}
	return t
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// nameOf is an error in the probe's words.
func nameOf(err error) string {
	for _, x := range []struct {
		errno syscall.Errno
		name  string
	}{
		{syscall.ECONNREFUSED, "refused"}, {syscall.ECONNRESET, "reset"}, {syscall.ENETUNREACH, "no_network"}, {syscall.EHOSTUNREACH, "no_host"},
		{syscall.EACCES, "forbidden"}, {syscall.EPERM, "forbidden"}, {10061, "refused"}, {10054, "reset"}, {10051, "no_network"}, {10065, "no_host"}, // Windows
	} {
		if errors.Is(err, x.errno) {
			return x.name
		}
	}
	if isTimeout(err) || errors.Is(err, context.DeadlineExceeded) {
		return "timeout"
	}
	return "error_0"
}

// dialUDP sends numbered datagrams and counts what comes back.
func dialUDP(ctx context.Context, addr netip.Addr, port int, token string) try {
	t := try{proto: "udp", addr: addr, port: port, latency: -1}
	c, err := new(net.Dialer).DialContext(ctx, "udp", net.JoinHostPort(addr.String(), strconv.Itoa(port)))
	if err != nil {
		t.how = nameOf(err)
		return t
	}
	defer func() { _ = c.Close() }()
	e := &echo{token: token, sent: make([]time.Time, packets), last: -1}
	e.times.MinMS, e.times.MaxMS, e.times.MeanMS = -1, -1, -1
	pad := strings.Repeat("x", 160)
	for i := range packets {
		e.sent[i] = time.Now()
		e.times.Sent++
		if _, err := fmt.Fprintf(c, "%s %06d %s", token, i, pad); err != nil {
			t.how = nameOf(err)
		}
		e.take(c, time.Now().Add(5*time.Millisecond))
	}
	if e.times.Received > 0 {
		e.take(c, time.Now().Add(time.Second))
	}
	t.udp = e.times
	return t
}

// echo counts datagrams that come back.
type echo struct {
	token string
	sent  []time.Time // zero: this one has come back
	last  int
	sum   float64
	times Echo
}

// take reads what comes until a time, or until nothing is missing any more.
func (e *echo) take(c net.Conn, until time.Time) {
	_ = c.SetReadDeadline(until)
	b := make([]byte, 2048)
	for e.times.Received < packets {
		n, err := c.Read(b)
		if err != nil {
			return
		}
		w := strings.Fields(string(b[:n]))
		if len(w) < 2 || w[0] != e.token {
			continue
		}
		if i, err := strconv.Atoi(w[1]); err == nil && i >= 0 && i < packets {
			e.count(i)
		}
	}
}

func (e *echo) count(i int) {
	if e.sent[i].IsZero() {
		e.times.Duplicated++
		return
	}
	ms := float64(time.Since(e.sent[i])) / float64(time.Millisecond)
	e.sent[i] = time.Time{}
	e.times.Received++
	if i < e.last {
		e.times.Reordered++
	}
	e.last = max(e.last, i)
	e.sum += ms
	if e.times.MinMS < 0 || ms < e.times.MinMS {
		e.times.MinMS = ms
	}
	e.times.MaxMS = max(e.times.MaxMS, ms)
	e.times.MeanMS = e.sum / float64(e.times.Received)
}
