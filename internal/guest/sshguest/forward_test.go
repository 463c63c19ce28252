package sshguest

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/sshserver"
)

// A connection from inside the guest carries bytes both ways, ends from both sides, and keeps deadlines.
func TestDialFromInside(t *testing.T) {
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); _, _ = io.CopyN(c, c, 5) }()
		}
	}()
	g := newBed(t, func(o *sshserver.Options) { o.Forward = true }).dial(t)
	c, err := g.DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "hello"); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); err != nil || string(b) != "hello" {
		t.Errorf("%q %v", b, err)
	}
	c.Close()
	if c, err = g.DialContext(t.Context(), "tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v, want the deadline", err)
	}
}

// A guest that forbids forwarding, and a port at which nobody listens, are told apart; a context ends the attempt.
func TestDialFromInsideIsRefused(t *testing.T) {
	g := newBed(t, nil).dial(t)
	if _, err := g.DialContext(t.Context(), "tcp", "127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), "administratively prohibited") {
		t.Errorf("%v", err)
	}
	g = newBed(t, func(o *sshserver.Options) { o.Forward = true }).dial(t)
	if _, err := g.DialContext(t.Context(), "tcp", "127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.DialContext(ctx, "tcp", "127.0.0.1:1"); err == nil {
		t.Error("a cancelled dial connected")
	}
}
