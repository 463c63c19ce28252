//go:build acceptance

package acceptance

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/testkit"
	"github.com/boxdoctor/boxdoctor/provision"
)

const hubSite = `
machines: {%[1]s: {}, %[2]s: {}}
logs:
  packages: debs
  files: [{path: /var/log/qrd/*.log, tags: {app: qrd}}]
  level: INFO
  max_line: 1KB
  buffer: {max: 256MB}
  aggregator: {on: [%[2]s], address: %[3]s, tls: {ca: /etc/ssl/lab/ca.pem, cert: /etc/ssl/lab/own.pem, key: /etc/ssl/lab/own.key}}
  destinations:
    - kafka: {brokers: ["%[4]s:%[5]d"], topic: good, tls: {ca: /etc/ssl/lab/ca.pem}}
    - file: {path: /var/log/collected/all.json, size: 1GB}
`

// hubLab is a machine that writes lines, an aggregator beside it, and Kafka behind that, all by TLS.
type hubLab struct {
	*receivers
	web, hub *guest
	file     string
}

func newHubLab(t *testing.T, web, hub string) *hubLab {
	t.Helper()
	l := &hubLab{web: startGuest(t, web, "deb"), hub: startGuest(t, hub, "deb")}
	addresses := strings.Fields(lab(t, "wire", web, hub))
	l.receivers = receiversFor(t, l.hub)
	ca := testkit.NewAuthority(t, "the authority")
	l.broker([]manner{{"good", ca.Leaf(l.host)}})
	give(l.web, ca, ca.Leaf(web))
	give(l.hub, ca, ca.Leaf(addresses[1]))
	l.file = l.agentSiteFile(fmt.Sprintf(hubSite, web, hub, addresses[1], l.host, kafkaTLSPort))
	both := filepath.Join(t.TempDir(), "ssh_config")
	if err := os.WriteFile(both, []byte(readText(t, l.web.sshConfig)+readText(t, l.hub.sshConfig)), 0o600); err != nil {
		t.Fatal(err)
	}
	l.web.flags = []string{"--ssh-config", both}
	l.web.sh("mkdir -p /var/log/qrd && cat >/root/gen.py <<'EOF'\n" + writer + "\nEOF")
	return l
}

// provision runs boxdoctor provision for both; it must succeed, and is how many steps changed something.
func (l *hubLab) provision() (changed int) {
	l.t.Helper()
	begin := time.Now()
	out, code := l.web.text("provision", "--format", "json", "-f", l.file)
	var r provision.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil || len(r.Machines) != 2 || code != finding.ExitOK {
		l.t.Fatalf("provision: exit %d, %v\n%s", code, err, tail(out))
	}
	for _, m := range r.Machines {
		changed += m.Totals.Changed
	}
	step(l.t, begin, "boxdoctor provision of two machines: exit %d, %d changed", code, changed)
	return changed
}

// inFile are the aggregator's records of a machine.
func (l *hubLab) inFile(machine string) string {
	return l.hub.sh(`cat /var/log/collected/all.json 2>/dev/null | grep '"machine": "` + machine + `"' || true`)
}

// row counts a batch in both destinations; nothing may be missing.
func (l *hubLab) row(what string, b batch) {
	l.t.Helper()
	begin, file, kafka := time.Now(), tally{}, tally{}
	l.until(2*time.Minute, what+": all lines are in the file", func() bool {
		file = count(l.inFile(l.web.name), b.first, b.first+b.n)
		return file.distinct == b.kept()
	})
	l.until(2*time.Minute, what+": all lines are in Kafka", func() bool {
		kafka = count(l.consumed("good"), b.first, b.first+b.n)
		return kafka.distinct == b.kept()
	})
	step(l.t, begin, "until everything arrived")
	l.t.Logf("| %s | kafka %d / %d | file %d / %d |", what, b.kept()-kafka.distinct, kafka.duplicates, b.kept()-file.distinct, file.duplicates)
	l.before = l.offset("good")
	if l.t.Failed() {
		l.t.Log(tail(l.hub.sh("journalctl --no-pager -u boxdoctor-logs | tail -n 20; ls -la /var/lib/boxdoctor-logs/rsyslog; cat /var/lib/boxdoctor-logs/rsyslog/imfile*; tail -n 5 /var/lib/boxdoctor-logs/rsyslog/agent.log")),
			tail(l.web.sh("journalctl --no-pager -u boxdoctor-logs | tail -n 20; tail -n 5 /var/lib/boxdoctor-logs/rsyslog/agent.log")))
	}
}

// plain are records without the machine, sorted; a file's have no time of collection.
func plain(t *testing.T, text string) []string {
	t.Helper()
	var out []string
	for line := range strings.Lines(text) {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if r["collected"] != nil {
			t.Fatalf("a time of collection in a file: %s", line)
		}
		delete(r, "machine")
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(b))
	}
	slices.Sort(out)
	return out
}

// TestLogHub: what one machine writes arrives at the destinations of another, by RELP over TLS and Kafka over TLS, with the
// records that the other makes of the same lines; nothing is lost when the aggregator's agent is killed and when it is away.
func TestLogHub(t *testing.T) {
	l := newHubLab(t, "hubweb", "hub")
	if l.provision() == 0 {
		t.Error("nothing was changed")
	}
	if n := l.provision(); n != 0 {
		t.Errorf("the second run changed %d", n)
	}
	calm := batch{0, 500, 5000} // so few that they fit into one command below
	calm.write(t, l.web)()
	l.row("calm", calm)
	l.hub.sh("mkdir -p /var/log/qrd && cat >/var/log/qrd/app.log.new <<'EOF'\n" + l.web.sh("cat /var/log/qrd/app.log") + "EOF\nmv /var/log/qrd/app.log.new /var/log/qrd/app.log")
	l.until(30*time.Second, "the aggregator's own lines are in its file", func() bool {
		return count(l.inFile(l.hub.name), calm.first, calm.n).distinct == calm.kept()
	})
	if own, others := plain(t, l.inFile(l.hub.name)), plain(t, l.inFile(l.web.name)); !slices.Equal(own, others) {
		t.Errorf("the records of the same lines differ: %d and %d, such as %s and %s", len(own), len(others), own[0], others[0])
	}
	l.before = l.offset("good")

	killed := batch{100000, 20000, 4000}
	done := killed.write(t, l.web)
	time.Sleep(1500 * time.Millisecond)
	l.hub.killAgent()
	time.Sleep(4 * time.Second) // it starts again after two
	l.hub.killAgent()
	l.hub.sh("systemctl stop boxdoctor-logs; sleep 5; systemctl start boxdoctor-logs")
	done()
	l.row("aggregator killed, then killed and away for 5 s", killed)
}
