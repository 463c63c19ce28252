package provision

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
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

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/testkit"
)

// realAgent is the program of a log agent in PATH; without it the test is skipped.
func realAgent(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("there is no %s in PATH: its configuration is only held against the list of its properties and the goldens", program)
	}
	return path
}

// sink collects what arrives on a TCP port of the loopback device.
type sink struct {
	net.Listener
	mu  sync.Mutex
	got bytes.Buffer
}

func newSink(t *testing.T) *sink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{Listener: l}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(s, c)
			}()
		}
	}()
	return s
}

// Write notes what arrived.
func (s *sink) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.Write(b)
}

func (s *sink) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.String()
}

func (s *sink) port() int { return s.Addr().(*net.TCPAddr).Port }

// freePort is a port that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// started runs a program until the end of the test, or until it is killed as by a crash; what it says is shown when
// the test fails.
func started(t *testing.T, argv ...string) (crash func()) {
	t.Helper()
	var out bytes.Buffer
	c := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	c.Stdout, c.Stderr, c.Cancel = &out, &out, func() error { return nil }
	c.WaitDelay = 10 * time.Second
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	end := sync.OnceFunc(func() { _ = c.Wait() })
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		end()
		if t.Failed() {
			said := out.String()
			t.Logf("%s said:\n%s", argv[0], said[max(0, len(said)-8000):])
		}
	})
	return func() {
		_ = c.Process.Kill()
		end()
	}
}

// becomesTrue waits until something is so, at most 20 seconds.
func becomesTrue(t *testing.T, what string, so func() bool) {
	t.Helper()
	end := time.After(20 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-end:
			t.Errorf("after 20 s not yet: %s", what)
			return
		case <-tick.C:
		}
	}
}

// realPlan is a role on this machine: lines of dir/app, to a file and to a TCP port.
func realPlan(t *testing.T, agent, dir string, port int) *logPlan {
	t.Helper()
	text := fmt.Sprintf(`{machines: {web: {}}, logs: {agent: %s, level: INFO, max_line: 1KB, health_port: %d, buffer: {dir: %s},
  files: [{path: %s/app/*.log, tags: {app: "q r"}}],
  destinations: [{file: {path: %s/out/all.json}}, {tcp: {host: 127.0.0.1, port: %d}}]}}`, agent, freePort(t), dir, dir, dir, port)
	c, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Logs.planFor(place{config: c, machine: "web"}, facts.Guest{System: facts.Known(bookworm)})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"app", "out", agent} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// start writes the configuration, lets the agent itself accept it, and runs it.
func (p *logPlan) start(t *testing.T, program, dir string) (crash func()) {
	t.Helper()
	config, err := p.rsyslog()
	file, check, run := filepath.Join(dir, "rsyslog.conf"), []string{"-N1", "-f"}, []string{"-n", "-i", dir + "/pid", "-f"}
	if p.agent == agentFluentBit {
		config, err = p.fluentBit()
		file, check, run = filepath.Join(dir, "fluent-bit.yaml"), []string{"--dry-run", "-c"}, []string{"-c"}
	}
	if err == nil {
		err = os.WriteFile(file, []byte(config), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), program, append(check, file)...).CombinedOutput(); err != nil {
		t.Fatalf("%s refuses its configuration: %v\n%s", program, err, out)
	}
	if p.agent == agentRsyslog { // as the unit does
		before := append([]string{"-c", logsRewind, "rewind.sh", "start", p.stateDir(), fmt.Sprint(p.rewind()), dir + "/pid"}, strings.Fields(p.followed())...)
		if out, err := exec.CommandContext(t.Context(), "sh", before...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return started(t, append(append([]string{program}, run...), file)...)
}

// plainRecords are records in one form: sorted keys, file names without their folder, and without the time of collection,
// whose presence is what is told.
func plainRecords(t *testing.T, text string) (out []string, collected int) {
	t.Helper()
	for line := range strings.Lines(text) {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if at, ok := r["collected"].(string); ok {
			if _, err := time.Parse(time.RFC3339Nano, at); err != nil {
				t.Error(err)
			}
			collected++
			delete(r, "collected")
		}
		r["file"] = filepath.Base(fmt.Sprint(r["file"]))
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(r); err != nil {
			t.Fatal(err)
		}
		out = append(out, b.String())
	}
	return out, collected
}

// The same lines make the same records with both agents: real programs, every oddity of the format, a line that is too
// long in the middle, and one after it.
func TestLogAgentsMakeTheSameRecords(t *testing.T) {
	lines := readAll(t, "testdata/logs-lines.txt")
	long := "2026-11-24T09:30:00.300Z | 10.0.2.15 | - | 1 | - | RUNTIME | INFO | " + strings.Repeat("long | ", 300) + "| 1\n"
	after := "2026-11-24T09:30:00.300Z | 10.0.2.15 | - | 1 | - | RUNTIME | FATAL | after the long one | 1\n"
	for _, agent := range []string{agentFluentBit, agentRsyslog} {
		t.Run(agent, func(t *testing.T) {
			program := realAgent(t, map[string]string{agentFluentBit: "fluent-bit", agentRsyslog: "rsyslogd"}[agent])
			dir, to := t.TempDir(), newSink(t)
			p := realPlan(t, agent, dir, to.port())
			if err := os.WriteFile(dir+"/app/a.log", []byte(lines+long+after), 0o600); err != nil {
				t.Fatal(err)
			}
			p.start(t, program, dir)
			becomesTrue(t, "the last record is in the file and at the port", func() bool {
				b, _ := os.ReadFile(dir + "/out/all.json")
				return strings.Contains(string(b), "after the long one") && strings.Contains(to.text(), "after the long one")
			})
			file, without := plainRecords(t, readAll(t, dir+"/out/all.json"))
			tcp, with := plainRecords(t, to.text())
			if !slices.Equal(file, tcp) || without != 0 || with != len(tcp) {
				t.Errorf("file and port differ, or the time of collection is wrong: %d and %d of %d\n%s\n%s", without, with, len(tcp), file, tcp)
			}
			testkit.Golden(t, "testdata/logs-records.golden", []byte(strings.Join(file, "")))
		})
	}
}

// TestWhatFollowsAnObjectInAMessage: rsyslog keeps such a message as text; Fluent Bit's decoder takes the first object
// and drops the rest, which docs/logagent.md says.
func TestWhatFollowsAnObjectInAMessage(t *testing.T) {
	for agent, want := range map[string][]string{
		agentFluentBit: {`"message":{"a":1},`, `"message":{"a":1},`},
		agentRsyslog:   {`"message":"{\"a\":1} tail}",`, `"message":"{\"a\":1},{\"b\":2}",`},
	} {
		t.Run(agent, func(t *testing.T) {
			program := realAgent(t, map[string]string{agentFluentBit: "fluent-bit", agentRsyslog: "rsyslogd"}[agent])
			dir, to := t.TempDir(), newSink(t)
			p := realPlan(t, agent, dir, to.port())
			if err := os.WriteFile(dir+"/app/a.log", []byte(readAll(t, "testdata/logs-lines-after-json.txt")), 0o600); err != nil {
				t.Fatal(err)
			}
			p.start(t, program, dir)
			becomesTrue(t, "two records have arrived", func() bool { return strings.Count(to.text(), "\n") == 2 })
			got, _ := plainRecords(t, to.text())
			for i := range got {
				if i >= len(want) || !strings.Contains(got[i], want[i]) {
					t.Errorf("%s, want %s", got[i], want)
				}
			}
		})
	}
}

// tally is how many of the numbered lines are in a file, and how many of them twice.
func tally(file string) (distinct, duplicates int) {
	b, _ := os.ReadFile(file) // not there before the first record
	seen := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		if _, id, ok := strings.Cut(line, `"id-`); ok && len(id) >= 7 {
			if seen[id[:7]] {
				duplicates++
			}
			seen[id[:7]] = true
		}
	}
	return len(seen), duplicates
}

// missing are the first ranges of lines that are not in a file.
func missing(file string, n int) []string {
	b, _ := os.ReadFile(file) // not there before the first record
	var out []string
	for i, from := 0, 0; i <= n && len(out) < 10; i++ {
		if i == n || bytes.Contains(b, fmt.Appendf(nil, `"id-%07d"`, i)) {
			if i > from {
				out = append(out, fmt.Sprintf("%d-%d", from, i-1))
			}
			from = i + 1
		}
	}
	return out
}

// Nothing that is sent by forward is lost when Fluent Bit is killed, when the receiver dies for a while, when the buffer
// is full, and when files are renamed: a real one sends to another. Lines are written over about ten seconds.
func TestFluentBitLosesNothingOnForward(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute")
	}
	program := realAgent(t, "fluent-bit")
	for _, c := range []struct {
		name, buffer string
		act          func(t *testing.T, step int, w *world)
	}{
		{"calm", "64MB", func(*testing.T, int, *world) {}},
		{"agent killed three times", "64MB", func(t *testing.T, step int, w *world) {
			if step == 30 || step == 50 || step == 70 {
				w.crash()
				w.crash = w.plan.start(t, w.program, w.dir)
			}
		}},
		{"receiver down", "64MB", func(t *testing.T, step int, w *world) {
			switch step {
			case 20:
				w.down()
			case 90:
				w.down = w.receive(t)
			}
		}},
		{"receiver down and the buffer full", "16MB", func(t *testing.T, step int, w *world) {
			switch step {
			case 5:
				w.down()
			case 99:
				w.down = w.receive(t)
			}
		}},
		{"renamed four times", "64MB", func(t *testing.T, step int, w *world) {
			if step%20 == 10 && step < 90 {
				if err := os.Rename(w.dir+"/app/a.log", fmt.Sprintf("%s/app/a.log.%d", w.dir, step)); err != nil {
					t.Error(err)
				}
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, program, c.buffer)
			const steps, lines = 100, 500
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for i := range steps {
				w.write(t, i*lines, lines)
				c.act(t, i, w)
				<-tick.C
			}
			becomesTrue(t, "every line has arrived", func() bool {
				n, _ := tally(w.dir + "/received/all.json")
				return n == steps*lines
			})
			n, twice := tally(w.dir + "/received/all.json")
			t.Logf("%s: %d lines, %d lost, %d twice", c.name, steps*lines, steps*lines-n, twice)
			if n < steps*lines && n > 0 {
				t.Logf("lost are %v", missing(w.dir+"/received/all.json", steps*lines))
			}
		})
	}
}

// world is an agent, the application that writes, and a receiver.
type world struct {
	program, dir string
	port         int
	plan         *logPlan
	crash, down  func()
}

func newWorld(t *testing.T, program, buffer string) *world {
	t.Helper()
	w := &world{program: program, dir: t.TempDir(), port: freePort(t)}
	w.plan = realPlan(t, agentFluentBit, w.dir, w.port)
	w.plan.Buffer.Max = size(buffer)
	w.plan.to = []Destination{{Reliable: &endpointSpec{Host: "127.0.0.1", Port: w.port}}}
	w.down = w.receive(t)
	w.crash = w.plan.start(t, program, w.dir)
	return w
}

// receive runs the aggregator's side.
func (w *world) receive(t *testing.T) (crash func()) {
	t.Helper()
	dir := w.dir + "/received"
	p := realPlan(t, agentFluentBit, dir, 9)
	p.files, p.receives = nil, true
	p.Aggregator = &aggregatorSpec{Port: w.port}
	p.to = []Destination{{File: &destinationFile{Path: dir + "/all.json"}}}
	return p.start(t, w.program, dir)
}

// write appends numbered lines, as an application does that opens its file for each of them.
func (w *world) write(t *testing.T, from, n int) {
	t.Helper()
	var b strings.Builder
	for i := from; i < from+n; i++ {
		fmt.Fprintf(&b, "2026-11-24T09:30:00.300Z | 10.0.2.15 | - | 1 | id-%07d | SQL[db=main] | INFO | {\"Sql\":\"select a | b from t where id = %d and note = '%s'\"} | 1\n", i, i, strings.Repeat("x", 300))
	}
	f, err := os.OpenFile(w.dir+"/app/a.log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(b.String())
		_ = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Fluent Bit answers that it is well, and ends when its port is taken: --dry-run does not see that.
func TestFluentBitHealth(t *testing.T) {
	program, dir := realAgent(t, "fluent-bit"), t.TempDir()
	p := realPlan(t, agentFluentBit, dir, newSink(t).port())
	p.start(t, program, dir)
	becomesTrue(t, "the health answer is ok", func() bool {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:"+strconv.Itoa(p.healthPort())+"/api/v1/health", nil)
		if err != nil {
			return false
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode == http.StatusOK && strings.TrimSpace(string(b)) == "ok"
	})
}

func TestFluentBitAcceptsEveryGolden(t *testing.T) {
	program := realAgent(t, "fluent-bit")
	for name, config := range configGoldens(t, fluentFile) {
		file := filepath.Join(t.TempDir(), "fluent-bit.yaml.boxdoctor-new")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), "sh", "-c", logsCheck, "sh", file, program).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// Every module that a configuration needs is loaded, and every parameter is one that rsyslog knows.
func TestRsyslogAcceptsEveryGolden(t *testing.T) {
	program := realAgent(t, "rsyslogd")
	for name, config := range configGoldens(t, rsyslogFile) {
		file, dir := filepath.Join(t.TempDir(), "rsyslog.conf"), t.TempDir()
		config = regexp.MustCompile(`/etc/ssl/\w+\.(pem|key)`).ReplaceAllString(config, file) // it only looks whether they are there
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(config, defaultBufferDir+"/"+agentRsyslog, dir)), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), program, "-N1", "-f", file).CombinedOutput(); err != nil || strings.Contains(string(out), "error") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// A misspelt property is refused before it goes live, with its name.
func TestFluentBitRefusesAMisspeltProperty(t *testing.T) {
	program, dir := realAgent(t, "fluent-bit"), t.TempDir()
	p := realPlan(t, agentFluentBit, dir, 9)
	config, err := p.fluentBit()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text string
		fine bool
	}{{config, true}, {strings.ReplaceAll(config, "truncate_long_lines", "truncate_longlines"), false}} {
		file := filepath.Join(dir, "fluent-bit.yaml.boxdoctor-new")
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "sh", "-c", logsCheck, "sh", file, program).CombinedOutput()
		if (err == nil) != c.fine || !c.fine && !strings.Contains(string(out), "truncate_longlines") {
			t.Errorf("fine %v: %v\n%s", c.fine, err, out)
		}
	}
}
