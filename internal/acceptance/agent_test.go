//go:build acceptance

package acceptance

import (
	"bytes"
	"context"
	_ "embed" // the writer of lines
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/finding"
)

//go:embed agent/gen.py
var writer string

// Ports of the receivers on the outer end of the guest's wire.
const (
	kafkaPort = 19092
	relpPort  = 20514
	tcpPort   = 15170
	udpPort   = 15171
)

// receivers are the real other ends: an Apache Kafka broker (KRaft), an rsyslog that takes RELP or a Fluent Bit that takes
// forward, and two sockets.
type receivers struct {
	t           *testing.T
	parts, dir  string // what lab.sh fetched; this test's folder
	host        string // this end of the guest's wire
	fluentBit   string // the program, if the agent is Fluent Bit
	kafka, relp *exec.Cmd
	tcp         net.Listener
	udp         net.PacketConn
	mu          sync.Mutex
	got         map[string]*bytes.Buffer
	before      int // records in Kafka before this batch
}

// receiversFor are receivers at this end of a guest's wire, none of which runs yet; got are the names under which sockets
// note what arrives.
func receiversFor(t *testing.T, g *guest, got ...string) *receivers {
	t.Helper()
	address := regexp.MustCompile(`HostName (\S+)\.2\n`).FindStringSubmatch(readText(t, g.sshConfig))
	if address == nil {
		t.Fatal("the guest's address is not in its ssh_config")
	}
	r := &receivers{t: t, parts: strings.TrimSpace(lab(t, "logs")), dir: t.TempDir(), host: address[1] + ".1", got: map[string]*bytes.Buffer{}}
	for _, name := range got {
		r.got[name] = &bytes.Buffer{}
	}
	t.Cleanup(r.down)
	return r
}

// listen starts the receivers for a guest.
func listen(t *testing.T, g *guest, fluentBit string) *receivers {
	t.Helper()
	begin := time.Now()
	r := receiversFor(t, g, "tcp", "udp")
	r.fluentBit = fluentBit
	r.format(fmt.Sprintf("PLAINTEXT://%s:%d", r.host, kafkaPort), "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT", "")
	r.listenUDP()
	r.up()
	step(t, begin, "a Kafka broker, a receiver for RELP or forward and two sockets listen on %s", r.host)
	return r
}

func readText(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// try runs a command in the guest that may fail, and returns what it printed.
func (g *guest) try(script string) string {
	ctx, cancel := context.WithTimeout(g.t.Context(), 20*time.Second)
	defer cancel()
	out, _ := exec.CommandContext(ctx, "./lab/lab.sh", "exec", g.name, "sh", "-c", script).Output()
	return string(out)
}

func (r *receivers) write(name, text string) string {
	r.t.Helper()
	file := filepath.Join(r.dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return file
}

// java is a program of Kafka's.
func (r *receivers) java(ctx context.Context, class string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, "java", append([]string{"-Xmx512m", "-cp", r.parts + "/kafka/*", class}, args...)...)
	c.WaitDelay = 5 * time.Second
	return c
}

// format makes the broker's storage: one node that is broker and controller. Listeners are where it listens besides, as
// kraft.properties has them, protocols what each speaks, keys further lines.
func (r *receivers) format(listeners, protocols, keys string) {
	r.t.Helper()
	file := r.write("kraft.properties", fmt.Sprintf(`process.roles=broker,controller
node.id=1
controller.quorum.voters=1@%[1]s:%[2]d
listeners=%[3]s,CONTROLLER://%[1]s:%[2]d
advertised.listeners=%[3]s
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=%[4]s
%[5]slog.dirs=%[6]s/kafka
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
`, r.host, kafkaPort+1, listeners, protocols, keys, r.dir))
	command(r.t, r.java(r.t.Context(), "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qk", "-c", file))
}

// start runs a receiver in the background.
func (r *receivers) start(name string, c *exec.Cmd) *exec.Cmd {
	r.t.Helper()
	out, err := os.OpenFile(filepath.Join(r.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	defer out.Close()
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// up starts what is down, and waits until all of them listen.
func (r *receivers) up() {
	r.t.Helper()
	if r.kafka == nil {
		r.kafka = r.start("kafka", r.java(context.WithoutCancel(r.t.Context()), "kafka.Kafka", r.dir+"/kraft.properties"))
	}
	if r.relp == nil {
		r.relp = r.start("relp", r.reliable())
	}
	if r.tcp == nil {
		r.listenTCP()
	}
	for _, port := range []int{kafkaPort, relpPort, tcpPort} {
		r.answers(port)
	}
}

// answers waits until a port does.
func (r *receivers) answers(port int) {
	r.t.Helper()
	r.until(60*time.Second, fmt.Sprintf("port %d answers", port), func() bool {
		c, err := net.DialTimeout("tcp", net.JoinHostPort(r.host, strconv.Itoa(port)), time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

// reliable is the receiver that acknowledges: of RELP, or of forward.
func (r *receivers) reliable() *exec.Cmd {
	r.t.Helper()
	if r.fluentBit != "" {
		return exec.Command(r.fluentBit, "-c", r.write("forward.yaml", fmt.Sprintf(forwardReceiver, r.host, relpPort, r.dir)))
	}
	return r.rsyslogForRELP("")
}

// rsyslogForRELP writes what it receives into a file; more are further parameters of its input.
func (r *receivers) rsyslogForRELP(more string) *exec.Cmd {
	r.t.Helper()
	file := r.write("relp.conf", fmt.Sprintf(`module(load="imrelp")
template(name="m" type="list") { property(name="msg") constant(value="\n") }
input(type="imrelp" address="%s" port="%d" maxDataSize="1m" ruleset="in"%s)
ruleset(name="in" queue.type="Direct") { action(type="omfile" file="%s/relp.json" template="m") }
`, r.host, relpPort, more, r.dir))
	libs := r.parts + "/root/usr/lib/x86_64-linux-gnu"
	c := exec.Command(r.parts+"/root/usr/sbin/rsyslogd", "-n", "-iNONE", "-M", libs+"/rsyslog", "-f", file)
	c.Env = append(os.Environ(), "LD_LIBRARY_PATH="+libs)
	return c
}

// down kills all receivers but UDP's, as a power cut would.
func (r *receivers) down() {
	for _, c := range []**exec.Cmd{&r.kafka, &r.relp} {
		if *c != nil {
			_ = (*c).Process.Signal(syscall.SIGKILL)
			_ = (*c).Wait()
			*c = nil
		}
	}
	if r.tcp != nil {
		_ = r.tcp.Close()
		r.tcp = nil
	}
}

func (r *receivers) listenTCP() {
	r.t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(r.host, strconv.Itoa(tcpPort)))
	if err != nil {
		r.t.Fatal(err)
	}
	r.tcp = l
	go func() {
		var all []net.Conn
		defer func() {
			for _, c := range all {
				_ = c.Close()
			}
		}()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all = append(all, c)
			go r.take("tcp", c)
		}
	}()
}

func (r *receivers) listenUDP() {
	r.t.Helper()
	c, err := net.ListenPacket("udp", net.JoinHostPort(r.host, strconv.Itoa(udpPort)))
	if err != nil {
		r.t.Fatal(err)
	}
	r.udp = c
	r.t.Cleanup(func() { _ = c.Close() })
	go func() {
		b := make([]byte, 64<<10)
		for {
			n, _, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			r.note("udp", append(b[:n:n], '\n'))
		}
	}()
}

func (r *receivers) take(name string, c net.Conn) {
	b := make([]byte, 64<<10)
	for {
		n, err := c.Read(b)
		r.note(name, b[:n])
		if err != nil {
			return
		}
	}
}

func (r *receivers) note(name string, b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got[name].Write(b)
}

func (r *receivers) until(limit time.Duration, what string, so func() bool) bool {
	r.t.Helper()
	end := time.Now().Add(limit)
	for !so() {
		if time.Now().After(end) {
			r.t.Errorf("after %s not yet: %s", limit, what)
			return false
		}
		time.Sleep(200 * time.Millisecond)
	}
	return true
}

// offset is how many records a topic holds.
func (r *receivers) offset(topic string) int {
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	out, _ := r.java(ctx, "org.apache.kafka.tools.GetOffsetShell", "--bootstrap-server", fmt.Sprintf("%s:%d", r.host, kafkaPort), "--topic", topic).Output()
	sum := 0
	for _, m := range regexp.MustCompile(`(?m):\d+:(\d+)$`).FindAllStringSubmatch(string(out), -1) {
		n, _ := strconv.Atoi(m[1])
		sum += n
	}
	return sum
}

// consumed are the records of a topic since the last batch; it has one partition.
func (r *receivers) consumed(topic string) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 2*time.Minute)
	defer cancel()
	holds := r.offset(topic) - r.before
	c := r.java(ctx, "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", fmt.Sprintf("%s:%d", r.host, kafkaPort), "--topic", topic,
		"--partition", "0", "--offset", strconv.Itoa(r.before), "--max-messages", strconv.Itoa(holds), "--timeout-ms", "30000")
	var out bytes.Buffer
	c.Stdout = &out
	if err := c.Run(); err != nil {
		r.t.Errorf("the consumer of %s: %v", topic, err)
	}
	if n := bytes.Count(out.Bytes(), []byte("\n")); n < holds {
		r.t.Errorf("the consumer of %s read %d records of %d", topic, n, holds)
	}
	return out.String()
}

// kinds are the destinations, in the order of the table.
var kinds = []string{"kafka", "relp", "tcp", "udp", "file"}

// arrived is what a destination has received; kafka's is asked for by topic.
func (r *receivers) arrived(g *guest, kind, topic string) string {
	switch kind {
	case "kafka":
		return r.consumed(topic)
	case "relp":
		b, _ := os.ReadFile(r.dir + "/relp.json") // not there before the first record
		return string(b)
	case "file":
		return g.sh("cat /var/log/collected/all.json /var/log/collected/all.json.* 2>/dev/null || true")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got[kind].String()
}

// tally counts the records of the writer's lines.
type tally struct{ distinct, duplicates int }

var requestID = regexp.MustCompile(`"request_id": ?"id-(\d+)"`)

func count(text string, from, to int) tally {
	seen := map[string]bool{}
	var out tally
	for _, m := range requestID.FindAllStringSubmatch(text, -1) {
		n, _ := strconv.Atoi(m[1])
		switch {
		case n < from || n >= to:
		case seen[m[1]]:
			out.duplicates++
		default:
			seen[m[1]] = true
		}
	}
	out.distinct = len(seen)
	return out
}

const agentSite = `
machines: {%[1]s: {}}
logs:
  packages: debs
  files: [{path: /var/log/qrd/*.log, tags: {app: qrd}, retention: {age: 3, size: 100MB, %[4]s}}]
  level: INFO
  max_line: 1KB
  buffer: {max: %[3]s}
  destinations:
    - kafka: {brokers: ["%[2]s:19092"], topic: logs}
    - reliable: {host: %[2]s, port: 20514}
    - tcp: {host: %[2]s, port: 15170}
    - udp: {host: %[2]s, port: 15171}
    - file: {path: /var/log/collected/all.json}
`

// agentGuest is a guest with the role, and its receivers; fluentBit is the program of Fluent Bit if that is the agent.
func agentGuest(t *testing.T, name, buffer, fluentBit string) (*guest, *receivers, string) {
	t.Helper()
	g := startGuest(t, name, "deb")
	r := listen(t, g, fluentBit)
	g.flags = []string{"--ssh-config", g.sshConfig}
	file := r.agentSiteFile(fmt.Sprintf(agentSite, name, r.host, buffer, `reopen: "true"`))
	g.sh("mkdir -p /var/log/qrd && cat >/root/gen.py <<'EOF'\n" + writer + "\nEOF")
	return g, r, file
}

// agentSiteFile writes the configuration beside the folder of packages.
func (r *receivers) agentSiteFile(text string) string {
	r.t.Helper()
	dir := r.t.TempDir()
	if r.fluentBit != "" {
		r.packFluentBit(dir + "/debs")
	} else if err := os.Symlink(r.parts+"/debs", dir+"/debs"); err != nil {
		r.t.Fatal(err)
	}
	file := filepath.Join(dir, ".boxdoctor.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return file
}

// batch is so many lines, numbered from first on; all but every tenth, which is DEBUG, are kept.
type batch struct{ first, n, rate int }

func (b batch) kept() int { return b.n - b.n/10 }

// write starts the application in the guest; done tells when it is through.
func (b batch) write(t *testing.T, g *guest) (done func()) {
	t.Helper()
	ended := make(chan error, 1)
	begin := time.Now()
	c := exec.Command("./lab/lab.sh", "exec", g.name, "python3", "/root/gen.py", "/var/log/qrd/app.log", strconv.Itoa(b.n), strconv.Itoa(b.rate), strconv.Itoa(b.first))
	go func() { ended <- c.Run() }()
	return func() {
		t.Helper()
		if err := <-ended; err != nil {
			t.Errorf("the writer: %v", err)
		}
		step(t, begin, "%d lines written, %d a second wanted", b.n, b.rate)
	}
}

// settle waits until the reliable destinations hold all of a batch, or nothing moves for a while. Kafka is asked only while
// the others stand still: asking costs more than the agent does.
func (r *receivers) settle(g *guest, b batch, limit time.Duration) {
	r.t.Helper()
	begin, still := time.Now(), time.Now()
	size, records := -1, -1
	for time.Since(begin) < limit && time.Since(still) < 40*time.Second {
		time.Sleep(time.Second)
		if n := r.received(); n != size {
			size, still = n, time.Now()
		}
		if time.Since(still) < 3*time.Second {
			continue
		}
		if n := r.offset("logs") - r.before; n != records {
			records, still = n, time.Now()
			continue
		}
		whole := records >= b.kept()
		for _, kind := range []string{"relp", "tcp"} {
			whole = whole && count(r.arrived(g, kind, ""), b.first, b.first+b.n).distinct == b.kept()
		}
		if whole {
			break
		}
	}
	step(r.t, begin, "until everything arrived or nothing moved any more")
}

// received is how many bytes the receiver that acknowledges and the socket have taken.
func (r *receivers) received() int {
	n := 0
	if info, err := os.Stat(r.dir + "/relp.json"); err == nil {
		n = int(info.Size())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return n + r.got["tcp"].Len()
}

// row logs one line of the table, and wants zero lost of what is reliable, but for the kinds that are known to lose lines.
func (r *receivers) row(g *guest, what string, b batch, lossy ...string) {
	r.t.Helper()
	line := "| " + what
	for _, kind := range kinds {
		n := count(r.arrived(g, kind, "logs"), b.first, b.first+b.n)
		lost := b.kept() - n.distinct
		line += fmt.Sprintf(" | %d / %d", lost, n.duplicates)
		if (kind == "kafka" || kind == "relp") && lost != 0 && !slices.Contains(lossy, kind) {
			r.t.Errorf("%s: %d of %d lines lost at %s: %s", what, lost, b.kept(), kind, gaps(r.arrived(g, kind, "logs"), b))
		}
	}
	r.t.Log(line + " |")
	r.before = r.offset("logs")
	if r.t.Failed() && r.fluentBit != "" {
		r.t.Log(g.try("journalctl --no-pager -o short-precise -u boxdoctor-logs | tail -n 40; ls -la /var/lib/boxdoctor-logs/fluent-bit /var/log/qrd"))
	} else if r.t.Failed() {
		r.t.Log(g.try("journalctl --no-pager -o short-precise -u boxdoctor-logs | tail -n 40; ls -la /var/lib/boxdoctor-logs/rsyslog /var/log/qrd; grep -o '.name.: .omkafka[^}]*' /var/lib/boxdoctor-logs/rsyslog/stats.json | tail -n 1; head -n 1 /var/lib/boxdoctor-logs/rsyslog/imfile*; tail -n 20 /var/lib/boxdoctor-logs/rsyslog/agent.log"))
	}
}

// gaps names the first ranges of lines that are missing.
func gaps(text string, b batch) string {
	seen := map[int]bool{}
	for _, m := range requestID.FindAllStringSubmatch(text, -1) {
		n, _ := strconv.Atoi(m[1])
		seen[n] = true
	}
	var out []string
	for n := b.first; n < b.first+b.n && len(out) < 10; n++ {
		from := n
		for n < b.first+b.n && !seen[n] {
			n++
		}
		if n-from > 1 || n > from && (from-b.first)%10 != 0 {
			out = append(out, fmt.Sprintf("%d-%d", from, n-1))
		}
	}
	return strings.Join(out, " ")
}

// TestLogAgent: rsyslog from packages in a guest; the second run changes nothing; a configuration that rsyslog refuses
// does not go live; nothing is lost on its way to Kafka and RELP when the agent is killed, when the receivers die and when
// the guest restarts.
func TestLogAgent(t *testing.T) {
	g, r, file := agentGuest(t, "logs", "64MB", "")
	installed(t, g, file, "rsyslog")
	refusedConfiguration(t, g, file)
	g.says("systemctl start boxdoctor-logrotate.service && systemctl is-active boxdoctor-logrotate.timer boxdoctor-logs", "active\nactive")
	ordinaryFailures(t, g, r)
}

// installed runs provision twice: the first run says which agent it is and why, the second changes nothing.
func installed(t *testing.T, g *guest, file, agent string) {
	t.Helper()
	if p, code := g.provision("-f", file); code != finding.ExitOK || p.Machines[0].Totals.Failed != 0 {
		t.Fatalf("first run: exit %d, %+v", code, p.Machines[0])
	} else if note := p.Machines[0].Steps[0].Message; note != "log agent: "+agent+", because: its packages lie in debs" {
		t.Errorf("the reason: %q", note)
	}
	if p, code := g.provision("-f", file); code != finding.ExitOK || p.Machines[0].Totals.Changed != 0 {
		t.Errorf("second run: exit %d, %+v", code, p.Machines[0])
	}
}

// ordinaryFailures are those that every change is held against.
func ordinaryFailures(t *testing.T, g *guest, r *receivers) {
	t.Helper()
	calm := batch{0, 10000, 20000}
	calm.write(t, g)()
	r.settle(g, calm, 2*time.Minute)
	r.row(g, "calm", calm)

	renamedFourTimes(t, g, r)
	killedThenDown(t, g, r)
}

// renamedFourTimes: the application's file, while it writes.
func renamedFourTimes(t *testing.T, g *guest, r *receivers) {
	t.Helper()
	b := batch{200000, 20000, 2000}
	done := b.write(t, g)
	rotate(g, `mv /var/log/qrd/app.log /var/log/qrd/app.log.$i`)
	done()
	r.settle(g, b, 2*time.Minute)
	r.row(g, "renamed four times", b)
}

// rotate rotates four times while lines are written.
func rotate(g *guest, how string) {
	for i := range 4 {
		time.Sleep(2 * time.Second)
		g.sh(fmt.Sprintf("rm -f /var/log/qrd/app.log.%d; i=%d; %s", i, i, how))
	}
}

// killAgent waits until the agent runs, and kills it.
func (g *guest) killAgent() {
	g.t.Helper()
	g.sh("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do systemctl is-active -q boxdoctor-logs && break; sleep 1; done; systemctl kill -s KILL --kill-who=main boxdoctor-logs")
}

// killedThenDown: the agent dies, and the receivers die before it is back.
func killedThenDown(t *testing.T, g *guest, r *receivers) {
	t.Helper()
	killed := batch{100000, 20000, 4000}
	done := killed.write(t, g)
	time.Sleep(2 * time.Second)
	g.killAgent()
	time.Sleep(time.Second)
	r.down()
	time.Sleep(8 * time.Second)
	r.up()
	done()
	r.settle(g, killed, 3*time.Minute)
	r.row(g, "agent killed, then receivers down 8 s", killed)
}

// refusedConfiguration: a certificate that is not there; what is live stays and runs.
func refusedConfiguration(t *testing.T, g *guest, file string) {
	t.Helper()
	const look = "sha256sum /etc/boxdoctor/logs/rsyslog.conf; systemctl show -p MainPID boxdoctor-logs"
	before, good := g.sh(look), readText(t, file)
	bad := strings.Replace(good, "port: 20514", "port: 20514, tls: {ca: /nowhere.pem, cert: /nowhere.pem, key: /nowhere.pem}", 1)
	if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
		t.Fatal(err)
	}
	if p, code := g.provision("-f", file); code != finding.ExitFailed || p.Machines[0].Totals.Failed != 1 {
		t.Errorf("a configuration that rsyslog refuses: exit %d, %+v", code, p.Machines[0])
	}
	if after := g.sh(look); after != before {
		t.Errorf("it went live, or the agent was touched: %s -> %s", before, after)
	}
	if err := errors.Join(os.WriteFile(file, []byte(good), 0o600)); err != nil {
		t.Fatal(err)
	}
	if p, code := g.provision("-f", file); code != finding.ExitOK {
		t.Errorf("the good one again: exit %d, %+v", code, p.Machines[0])
	}
}
