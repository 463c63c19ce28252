//go:build acceptance && acceptance_full

package acceptance

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// lossy are the failures in which lines are known to be lost, as docs/logagent.md says: rsyslog that is more than one
// rotation behind never sees the files between, copying loses what is written before the
// cut, and a full queue of rsyslog's drops.
var lossy = map[string]bool{"renamed four times in 8 s": true, "copied and cut off four times": true,
	"receivers down 60 s, buffer of 16 MB full": true}

// TestLogAgentFailures counts 200,000 lines at 20,000 a second through one failure after the other; its rows are the
// table of docs/logagent.md. A row is "lost / twice" of kafka, relp, tcp, udp and file.
func TestLogAgentFailures(t *testing.T) {
	g, r, file := agentGuest(t, "loss", "1GB") // a record takes up to 1.4 KB of rsyslog's queue: 256 MB do not hold 180,000
	if p, code := g.provision("-f", file); code != finding.ExitOK {
		t.Fatalf("exit %d, %+v", code, p.Machines[0])
	}
	full := batch{n: 200000, rate: 20000}
	next := 0
	run := func(what string, b batch, act func()) {
		t.Run(what, func(t *testing.T) {
			r.t, g.t = t, t
			b.first = next
			next += 1000000
			done := b.write(t, g)
			if act != nil {
				act()
			}
			done()
			r.settle(g, b, 6*time.Minute)
			r.row(g, what, b, lossy[what])
		})
		r.t, g.t = t, t
	}
	run("calm", full, nil)
	run("agent killed three times", full, func() {
		for range 3 {
			time.Sleep(3 * time.Second)
			g.sh("systemctl kill -s KILL --kill-who=main boxdoctor-logs")
		}
	})
	run("receivers down 60 s", full, func() {
		time.Sleep(2 * time.Second)
		r.down()
		time.Sleep(60 * time.Second)
		r.up()
	})
	run("renamed four times, the agent in step (8,000 lines, 800 a second)", batch{n: 8000, rate: 800}, func() { rotate(g, `mv /var/log/qrd/app.log /var/log/qrd/app.log.$i`) })
	run("renamed four times in 8 s", full, func() { rotate(g, `mv /var/log/qrd/app.log /var/log/qrd/app.log.$i`) })
	run("copied and cut off four times", full, func() {
		rotate(g, `cp /var/log/qrd/app.log /var/log/qrd/app.log.$i && : >/var/log/qrd/app.log`)
	})
	run("receivers down 60 s, buffer of 16 MB full", full, func() {
		small := strings.Replace(readText(t, file), "1GB", "16MB", 1)
		if err := os.WriteFile(file, []byte(small), 0o600); err != nil {
			t.Fatal(err)
		}
		if p, code := g.provision("-f", file); code != finding.ExitOK {
			t.Fatalf("a smaller buffer: exit %d, %+v", code, p.Machines[0])
		}
		time.Sleep(2 * time.Second)
		r.down()
		time.Sleep(60 * time.Second)
		r.up()
	})

	run("guest restarted with lines unread", full, func() {
		time.Sleep(11 * time.Second) // the writer must be through, or it ends with the guest
		restart(t, g)
	})
}

// rotate rotates four times while lines are written.
func rotate(g *guest, how string) {
	for i := range 4 {
		time.Sleep(2 * time.Second)
		g.sh(fmt.Sprintf("rm -f /var/log/qrd/app.log.%d; i=%d; %s", i, i, how))
	}
}

// restart reboots the guest and waits until it answers.
func restart(t *testing.T, g *guest) {
	t.Helper()
	begin := time.Now()
	boot := g.sh("cat /proc/1/stat | cut -d' ' -f22")
	_ = g.try("systemctl reboot")
	end := time.Now().Add(2 * time.Minute)
	for {
		time.Sleep(time.Second)
		if now := g.try("cat /proc/1/stat | cut -d' ' -f22"); now != "" && now != boot {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the guest does not come back")
		}
	}
	step(t, begin, "the guest restarted")
}
