//go:build acceptance && acceptance_full

package acceptance

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// lossy are the failures in which lines are known to be lost, and where, as docs/logagent.md says: copying loses what is
// written before the cut; what Kafka's client held in memory is only read again from a file that is still there.
var lossy = map[string][]string{
	"copied and cut off four times in 8 s":                   {"kafka", "relp"},
	"receivers down, file renamed, agent killed, 30 s later": {"kafka"},
}

// TestLogAgentFailures counts 200,000 lines at 20,000 a second through one failure after the other; its rows are the
// table of docs/logagent.md. A row is "lost / twice" of kafka, relp, tcp, udp and file.
func TestLogAgentFailures(t *testing.T) { failures(t, "loss", "") }

// TestLogAgentFailuresFluentBit is the same with the fluent-bit of PATH.
func TestLogAgentFailuresFluentBit(t *testing.T) { failures(t, "lossfluent", fluentBitProgram(t)) }

func failures(t *testing.T, guest, fluentBit string) {
	g, r, file := agentGuest(t, guest, "1GB", fluentBit) // 200,000 lines take 120 MB of each of rsyslog's queues
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
			r.row(g, what, b, lossy[what]...)
		})
		r.t, g.t = t, t
	}
	declare := func(old, changed string) {
		text := readText(t, file)
		if err := os.WriteFile(file, []byte(strings.Replace(text, old, changed, 1)), 0o600); err != nil || !strings.Contains(text, old) {
			t.Fatalf("%s is not in the configuration, or %v", old, err)
		}
		if p, code := g.provision("-f", file); code != finding.ExitOK {
			t.Fatalf("%s: exit %d, %+v", changed, code, p.Machines[0])
		}
	}
	run("calm", full, nil)
	run("agent killed three times", full, func() {
		for range 3 {
			time.Sleep(3 * time.Second)
			g.killAgent()
		}
	})
	run("receivers down 60 s", full, func() {
		time.Sleep(2 * time.Second)
		r.down()
		time.Sleep(60 * time.Second)
		r.up()
	})
	run("receivers down 60 s, agent restarted meanwhile", full, func() {
		time.Sleep(2 * time.Second)
		r.down()
		time.Sleep(20 * time.Second)
		g.sh("systemctl restart boxdoctor-logs")
		time.Sleep(40 * time.Second)
		r.up()
	})
	run("renamed four times in 8 s", full, func() { rotate(g, `mv /var/log/qrd/app.log /var/log/qrd/app.log.$i`) })
	run("receivers down, file renamed, agent killed, 30 s later", full, func() {
		time.Sleep(2 * time.Second)
		r.down()
		time.Sleep(3 * time.Second)
		g.sh("mv /var/log/qrd/app.log /var/log/qrd/app.log.9")
		time.Sleep(5 * time.Second)
		g.killAgent()
		time.Sleep(20 * time.Second)
		r.up()
	})
	run("receivers down 60 s, buffer of 16 MB full", full, func() {
		declare("1GB", "16MB")
		time.Sleep(2 * time.Second)
		r.down()
		time.Sleep(60 * time.Second)
		r.up()
	})
	run("guest restarted with lines unread", full, func() {
		time.Sleep(11 * time.Second) // the writer must be through, or it ends with the guest
		restart(t, g)
	})
	declare(`retention: {age: 3, size: 100MB, reopen: "true"}`, "copytruncate: true")
	run("copied and cut off four times in 8 s", full, func() {
		rotate(g, `cp /var/log/qrd/app.log /var/log/qrd/app.log.$i && : >/var/log/qrd/app.log`)
	})
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
