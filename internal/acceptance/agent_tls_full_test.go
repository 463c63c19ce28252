//go:build acceptance && acceptance_full

package acceptance

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/testkit"
)

const refusedSite = `
    - reliable: {host: %s, port: 20514, tls: {ca: /etc/ssl/lab/ca.pem, cert: /etc/ssl/lab/own.pem, key: /etc/ssl/lab/own.key}}
    - file: {path: /var/log/collected/all.json}
`

// TestLogAgentFailuresTLS: a receiver of RELP with a certificate of another name, and of another authority, gets nothing;
// boxdoctor or the agent's journal says why; when it has the right one nothing is lost, though the agent was killed for it.
func TestLogAgentFailuresTLS(t *testing.T) {
	g := startGuest(t, "losstls", "deb")
	g.flags = []string{"--ssh-config", g.sshConfig}
	r, ca := receiversFor(t, g), testkit.NewAuthority(t, "the authority")
	kinds := manners(t, ca, r.host)
	give(g, ca, ca.Leaf("losstls"))
	g.sh("mkdir -p /var/log/qrd && cat >/root/gen.py <<'EOF'\n" + writer + "\nEOF")
	file := r.agentSiteFile(fmt.Sprintf(tlsSite, g.name) + fmt.Sprintf(refusedSite, r.host))
	r.relpTLS(ca, kinds[0])
	if p, code := g.provision("-f", file); code != finding.ExitOK {
		t.Fatalf("exit %d, %+v", code, p.Machines[0])
	}
	for i, m := range kinds[1:] {
		t.Run(m.name, func(t *testing.T) {
			r.t, g.t = t, t
			b := batch{first: i * 100000, n: 20000, rate: 4000}
			r.endRELP()
			r.relpTLS(ca, m)
			before := len(r.arrived(g, "relp", ""))
			b.write(t, g)()
			r.wantSaid(g, map[string]string{"name": "no permited name found", "other": "certificate validation failed"}[m.name])
			g.says("journalctl --no-pager -o cat -u boxdoctor-logs | grep -c \"a receiver's certificate was refused\" | sed 's/[1-9]/some/'", "some")
			if text := r.arrived(g, "relp", "")[before:]; text != "" {
				t.Errorf("%d bytes came: %s", len(text), tail(text))
			}
			r.endRELP()
			r.relpTLS(ca, kinds[0])
			begin, n := time.Now(), tally{}
			r.until(4*time.Minute, "every line arrived", func() bool {
				n = count(r.arrived(g, "relp", ""), b.first, b.first+b.n)
				return n.distinct == b.kept()
			})
			step(t, begin, "after the right certificate")
			inFile := count(r.arrived(g, "file", ""), b.first, b.first+b.n)
			t.Logf("| receiver with a certificate of %s | RELP %d / %d | file %d / %d |", m.name, b.kept()-n.distinct, n.duplicates, b.kept()-inFile.distinct, inFile.duplicates)
			if inFile.distinct != b.kept() {
				t.Errorf("%+v of %d in the file", inFile, b.kept())
			}
		})
		r.t, g.t = t, t
	}
}

// endRELP kills the receiver.
func (r *receivers) endRELP() {
	_ = r.relp.Process.Signal(syscall.SIGKILL)
	_ = r.relp.Wait()
	r.relp = nil
}

// TestLogAgentFailuresHub counts 200,000 lines at 20,000 a second through an aggregator that is killed three times.
func TestLogAgentFailuresHub(t *testing.T) {
	l := newHubLab(t, "losshubweb", "losshub")
	l.provision()
	calm := batch{0, 200000, 20000}
	calm.write(t, l.web)()
	l.row("calm", calm)
	killed := batch{1000000, 200000, 20000}
	done := killed.write(t, l.web)
	for range 3 {
		time.Sleep(3 * time.Second)
		l.hub.killAgent()
	}
	done()
	l.row("aggregator killed three times", killed)
}
