//go:build acceptance

package acceptance

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// guests is how many machines the logs are spread over.
const guests = 20

// logMB is how much log there is in all: BOXDOCTOR_LOGS_MB, else little enough for every run.
func logMB(t *testing.T) int {
	t.Helper()
	text := os.Getenv("BOXDOCTOR_LOGS_MB")
	if text == "" {
		return 60
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < guests {
		t.Fatalf("BOXDOCTOR_LOGS_MB=%s", text)
	}
	return n
}

// TestLogsOfTwentyGuests: one request and one level across twenty guests, each behind a real sshd, beside `ssh guest grep` in the same run:
// the same lines, in the order of time, in bounded memory. With BOXDOCTOR_LOGS_MB=2048 it is the benchmark of docs/logs.md.
func TestLogsOfTwentyGuests(t *testing.T) {
	l := newNetlab(t)
	mount := filepath.Join(l.dir, "app")
	if err := os.Mkdir(mount, 0o755); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	var names []string
	for i := range guests {
		name := fmt.Sprintf("g%02d", i)
		own := filepath.Join(l.dir, name)
		writeLog(t, own, i, logMB(t)<<20/guests)
		l.guest(name, fmt.Sprintf("10.78.1.%d", 100+i), "mount --bind "+own+" "+mount)
		names = append(names, name)
	}
	step(t, begin, "%d guests with %d MB of log in all", guests, logMB(t))
	pattern := filepath.Join(mount, "*.log")
	cases := []struct{ what, grep, flag string }{
		{"one request", "req-000042 ", "--request-id=req-000042"},
		{"one level", "[|] FATAL [|]", "--level=fatal"},
		{"an expression", "user-(17|18) .*timeout", "--grep=user-(17|18) .*timeout"},
	}
	if os.Getenv("BOXDOCTOR_LOGS_MB") == "" {
		cases = cases[:1]
	}
	for _, c := range cases {
		sequential, _, t1 := l.run("sh", "-c", fmt.Sprintf(`for g in %s; do ssh -F %s $g "grep -h -E -e '%s' %s"; done`, strings.Join(names, " "), l.config(), c.grep, pattern))
		parallel, _, t2 := l.run("sh", "-c", fmt.Sprintf(`printf '%%s\n' %s | xargs -P 20 -I{} ssh -F %s {} "grep -h -E -e '%s' %s"`, strings.Join(names, " "), l.config(), c.grep, pattern))
		ours, code, t3 := l.run(binary, "logs", "--ssh-config", l.config(), "--file", pattern, c.flag, "--format", "json", "-j", "20")
		n := strings.Count(sequential, "\n")
		if code != 0 || n == 0 || strings.Count(ours, "\n") != n || strings.Count(parallel, "\n") != n {
			t.Errorf("%s: grep finds %d and %d lines, boxdoctor %d, exit %d", c.what, n, strings.Count(parallel, "\n"), strings.Count(ours, "\n"), code)
		}
		inOrder(t, ours)
		t.Logf("        %-14s %6d lines   ssh grep, one guest after the other %.2fs   all at once %.2fs   boxdoctor logs, in the order of time %.2fs", c.what, n, t1.Seconds(), t2.Seconds(), t3.Seconds())
	}
	l.all(pattern)
	if left := l.in("g00", "ps -e -o args | grep -c '[r]ead-logs' || true"); strings.TrimSpace(left) != "0" {
		t.Errorf("%s readers stay behind", left)
	}
}

// TestLogsOfAGuest: a real guest, whose logs only root may read: its rotated files, what is written while somebody looks, and its network.
func TestLogsOfAGuest(t *testing.T) {
	g := startGuest(t, "logs", "deb")
	g.flags = []string{"--ssh-config", g.sshConfig}
	line := func(minute int, level, message string) string {
		return fmt.Sprintf("%s | 10.0.2.15 | - | 7 | r%d | RUNTIME | %s | %s | 0\\n", time.Now().UTC().Add(time.Duration(-minute)*time.Minute).Format("2006-01-02T15:04:05.000Z"), minute, level, message)
	}
	g.sh("mkdir -m 700 /var/log/shop; cd /var/log/shop; umask 077; printf '" + line(90, "WARN", "too old") + line(50, "WARN", "packed") + "' | gzip >app.log.2.gz; touch -d '-50 minutes' app.log.2.gz; printf '" +
		line(40, "INFO", "mild") + line(30, "WARN", "rotated") + "\\tat one\\n' >app.log.1; printf '" + line(1, "ERROR", "now") + "' >app.log")
	messages := func(out string) string {
		var words []string
		for l := range strings.Lines(out) {
			if f := strings.Split(l, " | "); len(f) > 7 {
				words = append(words, f[7])
			} else {
				words = append(words, strings.TrimSpace(strings.TrimPrefix(l, "logs")))
			}
		}
		return strings.Join(words, ", ")
	}
	begin := time.Now()
	out, code := g.text("logs", "--file", "/var/log/shop/*.log", "--since", "1h", "--level", "warn")
	step(t, begin, "boxdoctor logs --since 1h --level warn: exit %d", code)
	if want := "packed, rotated, at one, now"; code != 0 || messages(out) != want {
		t.Errorf("exit %d, got %s, want %s\n%s", code, messages(out), want, out)
	}
	go func() {
		<-time.After(6 * time.Second)
		g.sh("cd /var/log/shop; mv app.log app.log.0; printf '" + line(0, "WARN", "to the old one") + "' >>app.log.0; printf '" + line(0, "WARN", "to the new one") + "' >app.log; sleep 1; printf '" +
			line(0, "WARN", "to a new file") + "' >new.log")
	}()
	begin = time.Now()
	out, code = g.text("logs", "-f", "--file", "/var/log/shop/*.log", "--timeout", "12s")
	step(t, begin, "boxdoctor logs -f through a rotation: exit %d", code)
	if want := "now, to the old one, to the new one, to a new file"; code != 0 || messages(out) != want {
		t.Errorf("got %s, want %s\n%s", messages(out), want, out)
	}
	g.says("pgrep -fc '[r]ead-logs' || true", "0")
	begin = time.Now()
	out, code = g.text("net")
	step(t, begin, "boxdoctor net: exit %d", code)
	if code != 0 || !strings.Contains(out, "100 of 100") {
		t.Errorf("exit %d\n%s", code, out)
	}
	g.says("ls -A /tmp /var/tmp | grep -c net-probe || true", "0")
}

// all reads everything and looks at the memory that it takes.
func (l *netlab) all(pattern string) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 10*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "ip", "netns", "exec", l.ns(hostNS), binary, "logs", "--ssh-config", l.config(), "--file", pattern, "-j", "20")
	c.Env = append(os.Environ(), "BOXDOCTOR_STATE_HOME="+filepath.Join(l.dir, "state"), "HOME="+l.dir)
	var n bytesAndLines
	c.Stdout = &n
	begin := time.Now()
	if err := c.Run(); err != nil {
		l.t.Fatal(err)
	}
	mb := c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10 // ip becomes boxdoctor
	l.t.Logf("        everything     %d lines, %d MB in %.2fs, at most %d MB of memory", n.lines, n.bytes>>20, time.Since(begin).Seconds(), mb)
	if mb > 600 || n.lines == 0 {
		l.t.Errorf("%d MB of memory for %d MB of log", mb, logMB(l.t))
	}
}

// bytesAndLines counts what is written.
type bytesAndLines struct{ bytes, lines int }

// Write counts.
func (n *bytesAndLines) Write(b []byte) (int, error) {
	n.bytes, n.lines = n.bytes+len(b), n.lines+bytes.Count(b, []byte{'\n'})
	return len(b), nil
}

// writeLog makes a log of about so many bytes. Requests pass through all guests, a millisecond apart.
func writeLog(t *testing.T, dir string, guest, size int) {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "app.log"))
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	start := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC).Add(time.Duration(guest) * time.Millisecond)
	types := []string{"RUNTIME", "HTTP[Method=GET Url=/orders/17]", "REST[Url=http://10.0.2.16/stock RunTime=41]", "SQL[RunTime=3.2]"}
	levels := []string{"DEBUG", "INFO", "INFO", "INFO", "WARN", "INFO", "INFO", "INFO", "INFO", "ERROR"}
	var b []byte
	for n, written := 0, 0; written < size; n++ {
		level, text := levels[n%len(levels)], "done"
		if n%5000 == 4999 {
			level = "FATAL"
		}
		if n%1000 == 17 {
			text = "timeout"
		}
		b = start.Add(time.Duration(n)*25*time.Millisecond).AppendFormat(b[:0], "2006-01-02T15:04:05.000Z")
		b = fmt.Appendf(b, ` | 10.0.2.15 | 192.168.56.1 | 4711 | req-%06d | %s | %s | {"Sql":"select 'a' || name from orders where id = ?","user":"user-%d ","what":"%s"} | 0`+"\n", n/8, types[n%4], level, n%50, text)
		written += len(b)
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// inOrder wants the records in the order of time.
func inOrder(t *testing.T, out string) {
	t.Helper()
	var times []string
	for line := range strings.Lines(out) {
		_, rest, _ := strings.Cut(line, `"at":"`)
		at, _, _ := strings.Cut(rest, `Z"`)
		whole, fraction, _ := strings.Cut(at, ".")
		times = append(times, fmt.Sprintf("%s.%-9s", whole, fraction))
	}
	if !slices.IsSorted(times) {
		t.Error("the records are not in the order of time")
	}
}

// TestLogsFollowNewFiles: two guests behind real sshds have no log when -f begins. What their application then writes is shown within seconds,
// from the first byte, in the order of time and once, whatever is renamed; Ctrl-C ends it with 130, in the guests too.
func TestLogsFollowNewFiles(t *testing.T) {
	l := newNetlab(t)
	mount := filepath.Join(l.dir, "app")
	if err := os.Mkdir(mount, 0o755); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"a", "b"} {
		own := filepath.Join(l.dir, name)
		if err := os.Mkdir(own, 0o755); err != nil {
			t.Fatal(err)
		}
		l.guest(name, fmt.Sprintf("10.78.1.%d", 11+i), "mount --bind "+own+" "+mount)
		l.in(name, "for n in $(seq 100); do if ss -Htln 'sport = :22' | grep -q .; then exit 0; fi; sleep 0.1; done; exit 1")
	}
	f := l.follow(mount + "/shop/*.log")
	f.waits("a: no file is named "+mount+"/shop/*.log yet; waiting for one", "b: no file is named "+mount+"/shop/*.log yet; waiting for one")
	var want []string
	add := func(guest, file, message string) {
		at := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
		write := filepath.Join(l.dir, guest, "shop", file)
		if err := os.MkdirAll(filepath.Dir(write), 0o755); err != nil {
			t.Fatal(err)
		}
		out, err := os.OpenFile(write, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = out.Close() }()
		line := at + " | 10.0.2.15 | - | 7 | r1 | RUNTIME | INFO | " + message + " | "
		if _, err := out.WriteString(line + "\n"); err != nil {
			t.Fatal(err)
		}
		want = append(want, guest+"  "+line)
		<-time.After(5 * time.Millisecond) // no two lines have one time
	}
	for n := range 12 {
		add("a", "app.log", fmt.Sprint("first file, line ", n))
		add("b", "app.log", fmt.Sprint("first file, line ", n))
	}
	f.shows(want, "the first files")
	add("b", "app-2026-12-01.log", "at midnight")
	f.shows(want, "a dated file")
	if err := os.Rename(filepath.Join(l.dir, "a/shop/app.log"), filepath.Join(l.dir, "a/shop/app-old.log")); err != nil {
		t.Fatal(err)
	}
	add("a", "app.log", "after the rename")
	f.shows(want, "a renamed and a new file")
	<-time.After(2 * time.Second) // for what would come twice
	f.shows(want, "nothing twice")
	if logins := l.in("a", "ss -Htn state established '( sport = :22 )' | wc -l"); strings.TrimSpace(logins) != "1" {
		t.Errorf("%s connections to a guest", strings.TrimSpace(logins))
	}
	if code := f.interrupt(); code != 130 {
		t.Errorf("Ctrl-C: exit %d\n%s", code, f.errs.text())
	}
	left := ""
	for end := time.Now().Add(4 * time.Second); left != "0" && time.Now().Before(end); {
		left = strings.TrimSpace(l.in("a", "ps -e -ww -o args | grep '[r]ead-logs' | grep -c "+mount+" || true"))
	}
	if left != "0" {
		t.Errorf("%s readers stay behind", left)
	}
}

// following is a run of boxdoctor logs -f.
type following struct {
	t         *testing.T
	c         *exec.Cmd
	out, errs growing
}

// follow begins one on the computer of the network.
func (l *netlab) follow(pattern string) *following {
	l.t.Helper()
	f := &following{t: l.t, c: exec.Command("ip", "netns", "exec", l.ns(hostNS), binary, "logs", "-f", "--ssh-config", l.config(), "--file", pattern)}
	f.c.Env = append(os.Environ(), "BOXDOCTOR_STATE_HOME="+filepath.Join(l.dir, "state"), "HOME="+l.dir)
	f.c.Stdout, f.c.Stderr = &f.out, &f.errs
	if err := f.c.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = f.c.Process.Kill() })
	return f
}

// waits wants these lines on stderr, in any order, and no others.
func (f *following) waits(want ...string) {
	f.t.Helper()
	for end := time.Now().Add(20 * time.Second); strings.Count(f.errs.text(), "\n") < len(want) && time.Now().Before(end); {
		<-time.After(20 * time.Millisecond)
	}
	got := strings.Split(strings.TrimSuffix(f.errs.text(), "\n"), "\n")
	if slices.Sort(got); !slices.Equal(got, want) {
		f.t.Fatalf("stderr: %q, expected %q", got, want)
	}
}

// shows wants these lines within a few seconds.
func (f *following) shows(want []string, what string) {
	f.t.Helper()
	begin := time.Now()
	text := strings.Join(want, "\n") + "\n"
	for f.out.text() != text && time.Since(begin) < 10*time.Second {
		<-time.After(20 * time.Millisecond)
	}
	step(f.t, begin, "shown: %s", what)
	if got := f.out.text(); got != text {
		f.t.Fatalf("%s\ngot\n%s\nwant\n%s", what, got, text)
	}
}

// interrupt presses Ctrl-C and gives the exit code.
func (f *following) interrupt() int {
	if err := f.c.Process.Signal(os.Interrupt); err != nil {
		f.t.Fatal(err)
	}
	_ = f.c.Wait() // an exit code that is not 0
	return f.c.ProcessState.ExitCode()
}

// growing is output that is looked at while it is written.
type growing struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write keeps what was written.
func (g *growing) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.b.Write(b)
}

func (g *growing) text() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.b.String()
}
