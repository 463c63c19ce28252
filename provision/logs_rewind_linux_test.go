package provision

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rewindGuest is the folder of an rsyslog that was killed, and the script around it under one shell.
type rewindGuest struct {
	*testing.T
	shell []string
	dir   string
	path  string
}

// eachShell runs a test under the shells of guests, those that are installed.
func eachShell(t *testing.T, test func(*rewindGuest)) {
	for name, argv := range map[string][]string{"dash": {"dash"}, "bash": {"bash"}, "busybox": {"busybox", "sh"}, "mksh": {"mksh"}} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(argv[0]); err != nil {
				t.Skipf("there is no %s here; .ci/run installs it", argv[0])
			}
			g := &rewindGuest{T: t, shell: argv, dir: t.TempDir(), path: os.Getenv("PATH")}
			if name == "busybox" {
				g.path = applets(t)
			}
			test(g)
		})
	}
}

// applets is a folder with busybox's programs only.
func applets(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	busybox, err := exec.LookPath("busybox")
	for _, name := range strings.Fields("awk cat date find grep head ln ls mkdir mv rm sed sleep sort sync tail tr wc") {
		if err == nil {
			err = os.Symlink(busybox, filepath.Join(dir, name))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// put writes a file; text without an absolute name lies in the folder.
func (g *rewindGuest) put(name, text string) string {
	g.Helper()
	if !filepath.IsAbs(name) {
		name = filepath.Join(g.dir, name)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		g.Fatal(err)
	}
	return name
}

// run is one call of the script as the unit makes it.
func (g *rewindGuest) run(env string, args ...string) string {
	g.Helper()
	c := exec.CommandContext(g.Context(), g.shell[0], append(g.shell[1:], append([]string{"-c", logsRewind, "rewind.sh"}, args...)...)...)
	c.Env = []string{"PATH=" + g.path, env}
	out, err := c.CombinedOutput()
	if err != nil {
		g.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

func (g *rewindGuest) start(back int, patterns ...string) string {
	return g.run("LC_ALL=C", append([]string{"start", g.dir, fmt.Sprint(back), g.dir + "/pid"}, patterns...)...)
}

// reads notes how far rsyslog has read a file, as it does it itself.
func (g *rewindGuest) reads(file string, at int) string {
	g.Helper()
	info, err := os.Stat(file)
	if err != nil {
		g.Fatal(err)
	}
	return g.put(fmt.Sprintf("imfile-state:%d:a829ef2943b294a2", info.Sys().(*syscall.Stat_t).Ino),
		fmt.Sprintf(`{ "filename": "%s", "prev_was_nl": 0, "curr_offs": %d, "strt_offs": %d }`, strings.ReplaceAll(file, "/", `\/`), at, at))
}

// offset is how far it will go on.
func (g *rewindGuest) offset(state string) string {
	_, text, _ := strings.Cut(readAll(g.T, state), `"curr_offs": `)
	at, _, _ := strings.Cut(text, ",")
	return at
}

// all is what the files hold that a pattern names.
func (g *rewindGuest) all(pattern string) string {
	names, _ := filepath.Glob(filepath.Join(g.dir, pattern))
	var out string
	for _, n := range names {
		out += readAll(g.T, n)
	}
	return out
}

// record is a message in a queue of rsyslog 8.2302, shortened from a recorded one.
func record(tag, line, json string) string {
	return fmt.Sprintf("<Obj:1:msg:1:\n+iProtocolVersion:2:1:0:\n+iSeverity:2:1:5:\n+ttGenTime:2:10:1796101478:\n+tRcvdAt:3:33:2:2026:12:1:5:4:38:724072:6:+:0:0:\n"+
		"+pszTAG:1:%d:%s:\n+pszRawMsg:1:%d:%s:\n+pszHOSTNAME:1:2:vm:\n+json:1:%d:%s:\n+pszRuleset:1:4:read:\n+offMSG:2:1:0:\n>End\n.\n", len(tag), tag, len(line), line, len(json), json)
}

// queued is a line in the queue of lines.
func queued(file string, at int, line string) string {
	return record("files-0", line, fmt.Sprintf(`{ "metadata": { "filename": "%s", "fileoffset": "%d" } }`, strings.ReplaceAll(file, "/", `\/`), at))
}

// bootID is that of this machine, as the script notes it: a kill, and no power cut.
func bootID(t *testing.T) string { return readAll(t, "/proc/sys/kernel/random/boot_id") }

// Without power what was read and not yet on the disk is gone, with whatever destinations.
func TestRewindAfterAPowerCut(t *testing.T) {
	eachShell(t, func(g *rewindGuest) {
		g.put("running", "of another start of the guest\n")
		file := g.put("app.log", strings.Repeat("0123456789\n", 500000))
		state := g.reads(file, 5500000)
		g.start(0)
		if got, want := g.offset(state), "1305700"; got != want {
			t.Errorf("read again from %s, want %s", got, want)
		}
		if got := readAll(t, g.dir+"/running"); got != bootID(t) {
			t.Errorf("running: %q", got)
		}
	})
}

// What a killed rsyslog had in its queues is sent again: a destination's records to it, lines of a file that was renamed from
// the queue, those of a file that is still there from the file.
func TestRewindAfterAKill(t *testing.T) {
	eachShell(t, func(g *rewindGuest) {
		file := g.put("app.log", "line 1\nline 2\nline 3\nline 4\n")
		state := g.reads(file, 21)
		g.put("running", bootID(g.T))
		g.put("pid", "1")
		g.put("read.00000001", queued(file, 700, "old 1: 2 | 3 | {\"a\":\"b:\"}:")+queued(file, 727, "old\t2")+queued("/gone.log", 5, "gone"))
		g.put("read.00000002", queued(file, 0, "line 1")+queued(file, 7, "line 2")+"<Obj:1:msg:1:\n+pszTAG:1:7:files-0:\n+pszRawMsg:1:6:lin")
		g.put("read.qi", "")
		g.put("to-hub.00000009", record("files-0", "x", `{ "r": "{\"m\": \"a:b\"}" }`)+record("files-0", "y", `{ "r": "2" }`))
		said := g.start(0)
		want := fmt.Sprintf("files-0\t%s\told 1: 2 | 3 | {\"a\":\"b:\"}:\nfiles-0\t%s\told\t2\nfiles-0\t/gone.log\tgone\n", file, file)
		if got := g.all("again-read-*.log"); got != want {
			t.Errorf("lines again: %q, want %q", got, want)
		}
		if got, want := g.all("again-to-hub-*.log"), "{ \"r\": \"{\\\"m\\\": \\\"a:b\\\"}\" }\n{ \"r\": \"2\" }\n"; got != want {
			t.Errorf("records again: %q, want %q", got, want)
		}
		if got := g.offset(state); got != "0" {
			t.Errorf("the file is read again from %s, want 0: its first line was in the queue\n%s", got, said)
		}
		left, _ := filepath.Glob(g.dir + "/*.0000*")
		if _, err := os.Stat(g.dir + "/read.qi"); len(left) != 0 || err == nil {
			t.Errorf("still there: %v, read.qi %v", left, err)
		}
		if _, err := os.Stat(g.dir + "/pid"); err == nil {
			t.Error("the pid file is still there")
		}
	})
}

// Lines that were read again, and were in the queue at the next kill, are not wrapped a second time; a file of an earlier start goes
// once it is read, and stays as long as it is not.
func TestRewindTwice(t *testing.T) {
	eachShell(t, func(g *rewindGuest) {
		g.put("running", bootID(g.T))
		done, half := g.put("again-read-1.log", "files-0\t/a\tx\n"), g.put("again-to-hub-1.log", "{}\n{}\n")
		g.reads(done, 13)
		g.reads(half, 3)
		g.put("read.00000001", record("read", "files-0\t/a\tx", `{ "metadata": { "filename": "`+done+`", "fileoffset": "0" } }`))
		g.start(4096)
		if got, want := g.all("again-read-*.log"), "files-0\t/a\tx\n"; got != want {
			t.Errorf("%q, want %q, from the queue: the file itself was read", got, want)
		}
		if got, want := g.all("again-to-hub-*.log"), "{}\n{}\n"; got != want {
			t.Errorf("%q, want %q: it was not read to its end", got, want)
		}
	})
}

// What Kafka's client had in memory is read again, from the start of a line.
func TestRewindByTheMemoryOfKafkasClient(t *testing.T) {
	eachShell(t, func(g *rewindGuest) {
		g.put("running", bootID(g.T))
		file := g.put("app.log", strings.Repeat("0123456789\n", 1000))
		other := g.put("other.log", strings.Repeat("0123456789\n", 1000))
		states := map[string]string{g.reads(file, 9900): "4411", g.reads(other, 2200): "0"}
		g.put("read.00000001", queued(file, 8800, "0123456789")+queued(file, 8811, "0123456789"))
		g.start(4400)
		for state, want := range states {
			if got := g.offset(state); got != want {
				t.Errorf("%s: read again from %s, want %s", state, got, want)
			}
		}
	})
}

// A file that was renamed, or cut off, while the agent was dead is another one: its lines come from the queue.
func TestRewindOfARenamedFile(t *testing.T) {
	eachShell(t, func(g *rewindGuest) {
		g.put("running", bootID(g.T))
		file := g.put("app.log", "line 1\nline 2\n")
		state := g.reads(file, 14)
		if err := os.Rename(file, file+".1"); err != nil {
			t.Fatal(err)
		}
		g.put("app.log", "line 3 that is long\nline 4\n")
		cut := g.put("cut.log", "short\n")
		cutState := g.reads(cut, 900)
		g.put("read.00000001", queued(file, 0, "line 1")+queued(file, 7, "line 2")+queued(cut, 890, "gone"))
		g.start(100)
		want := fmt.Sprintf("files-0\t%s\tline 1\nfiles-0\t%s\tline 2\nfiles-0\t%s\tgone\n", file, file, cut)
		if got := g.all("again-read-*.log"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if a, b := g.offset(state), g.offset(cutState); a != "14" || b != "900" {
			t.Errorf("offsets of files that are not there any more were changed: %s, %s", a, b)
		}
	})
}

// ended is an end as systemd makes it; meanwhile rsyslog removes what it has in hand, or everything.
func (g *rewindGuest) ended(result string, rsyslog func()) {
	g.run("LC_ALL=C", "halt", g.dir)
	rsyslog()
	g.run("SERVICE_RESULT="+result, "stop", g.dir)
}

// An end in order at which something was left to send: rsyslog removes the files of what it had in hand and forgets it. It is
// sent again, and no more than that: Kafka's client had its time.
func TestRewindAfterAnEndInOrder(t *testing.T) {
	eachShell(t, func(g *rewindGuest) {
		g.put("running", bootID(g.T))
		file := g.put("app.log", strings.Repeat("0123456789\n", 1000))
		state := g.reads(file, 9900)
		inHand := g.put("to-hub.00000001", record("files-0", "x", `{ "r": "1" }`))
		g.put("to-hub.00000002", record("files-0", "x", `{ "r": "2" }`))
		g.ended("success", func() {
			if err := os.Remove(inHand); err != nil {
				t.Fatal(err)
			}
			g.put("to-hub.00000003", record("files-0", "x", `{ "r": "3" }`))
		})
		g.start(4400)
		if got, want := g.all("again-to-hub-*.log"), "{ \"r\": \"1\" }\n{ \"r\": \"2\" }\n{ \"r\": \"3\" }\n"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if got := g.offset(state); got != "9900" {
			t.Errorf("read again from %s", got)
		}
	})
}

// Where nothing was left nothing is sent again; an end that was a kill is followed by all of it.
func TestRewindAfterAnEmptyEndAndAKill(t *testing.T) {
	for _, result := range []string{"success", "timeout", "signal"} {
		g := &rewindGuest{T: t, shell: []string{"sh"}, dir: t.TempDir(), path: os.Getenv("PATH")}
		g.put("running", bootID(g.T))
		file := g.put("app.log", strings.Repeat("0123456789\n", 1000))
		state := g.reads(file, 9900)
		part := g.put("to-hub.00000001", record("files-0", "x", `{ "r": "1" }`))
		g.ended(result, func() { _ = os.Remove(part) })
		g.start(4400)
		want := "9900"
		if result != "success" {
			want = "5511"
		}
		if got := g.offset(state); got != want {
			t.Errorf("%s: the file is read again from %s, want %s", result, got, want)
		}
		left, _ := filepath.Glob(g.dir + "/kept*")
		if _, err := os.Stat(g.dir + "/running"); err != nil || len(left) != 0 {
			t.Errorf("%s: running %v, left %v", result, err, left)
		}
	}
}

// Before a rotation there is a wait for what is not read yet, and none for a file that is nearly read.
func TestRewindWaitsBeforeARotation(t *testing.T) {
	eachShell(t, func(g *rewindGuest) {
		near, far := g.put("near.log", strings.Repeat("x", 70000)), g.put("far.log", strings.Repeat("x", 70000))
		g.reads(near, 60000)
		state := g.reads(far, 100)
		go func() {
			time.Sleep(1500 * time.Millisecond)
			_ = os.WriteFile(state+".new", []byte(strings.Replace(readAll(t, state), "100,", "70000,", 1)), 0o600)
			_ = os.Rename(state+".new", state)
		}()
		begin := time.Now()
		g.run("LC_ALL=C", "wait", g.dir)
		if took := time.Since(begin); took < time.Second || took > 20*time.Second {
			t.Errorf("it waited %s for a file that was read after 1.5 s", took)
		}
	})
}

// After a refused certificate what RELP may have thrown away is sent again: its files of earlier starts from their beginning,
// its queue without what came from these; and one refusal after another does not go further back in the application's file.
func TestRewindAfterARefusal(t *testing.T) {
	eachShell(t, func(g *rewindGuest) {
		file := g.put("app.log", strings.Repeat("0123456789\n", 1000))
		state := g.reads(file, 9900)
		earlier, other := g.put("again-to-hub-20261201T000000Z-1.log", "{}\n"), g.put("again-to-k-20261201T000000Z-1.log", "{}\n")
		earlierState, otherState := g.reads(earlier, 3), g.reads(other, 3)
		refuse := func() {
			g.put("running", bootID(g.T))
			g.put("refused", "to-hub\n")
			g.put("to-hub.00000001", record("to-hub", "x", `{ "r": "earlier" }`)+record("files-0", "x", `{ "r": "new" }`))
			g.put("to-k.00000001", record("to-k", "x", `{ "r": "other" }`))
			g.start(4400)
		}
		refuse()
		if got, want := g.all("again-to-hub-*.log"), "{}\n{ \"r\": \"new\" }\n"; got != want {
			t.Errorf("for RELP: %q, want %q", got, want)
		}
		if got, want := g.all("again-to-k-*.log"), "{ \"r\": \"other\" }\n"; got != want {
			t.Errorf("for the other: %q, want %q", got, want)
		}
		for s, gone := range map[string]bool{earlierState: true, otherState: true, state: false} {
			if _, err := os.Stat(s); (err != nil) != gone {
				t.Errorf("%s is gone: %v, want %v", s, err != nil, gone)
			}
		}
		g.reads(file, 6600) // so far it came until it was refused again
		refuse()
		if got := g.offset(state); got != "5511" {
			t.Errorf("read again from %s, want 5511 as after the first refusal", got)
		}
		g.reads(file, 6600)
		if err := os.Remove(g.dir + "/refused"); err != nil {
			t.Fatal(err)
		}
		g.start(4400)
		if got := g.offset(state); got != "2211" {
			t.Errorf("after a kill that was no refusal read again from %s, want 2211", got)
		}
	})
}

// Rotated files that were there before the agent came count as read; those that come later, and whose name is the only thing that is
// new, are left to rsyslog. What is noted about files that are gone goes after a day, and nothing else.
func TestRewindAndRotatedFiles(t *testing.T) {
	eachShell(t, func(g *rewindGuest) {
		t := g.T
		logs := t.TempDir()
		pattern := logs + "/*.log"
		g.put(logs+"/app.log", "live\n")
		old := g.put(logs+"/app.log.1", "old\n")
		dated := g.put(logs+"/app.log-20261130", "dated\n")
		packed := g.put(logs+"/app.log.2.gz", "packed")
		g.start(0, pattern)
		states := func() string {
			names, _ := filepath.Glob(g.dir + "/imfile-state:*")
			var out []string
			for _, n := range names {
				out = append(out, readAll(t, n))
			}
			slices.Sort(out)
			return strings.Join(out, "\n")
		}
		want := fmt.Sprintf(`{ "filename": "%s", "prev_was_nl": 0, "curr_offs": 6, "strt_offs": 6 }`+"\n"+`{ "filename": "%s", "prev_was_nl": 0, "curr_offs": 4, "strt_offs": 4 }`, dated, old)
		if got := states(); got != want {
			t.Errorf("noted as read: %s, want %s", got, want)
		}
		g.put(logs+"/other.log.1", "came while the agent was away\n")
		gone := g.put("imfile-state:99999999:aa", "{}")
		fresh := g.put("imfile-state:99999998:aa", "{}")
		for _, f := range append([]string{gone}, matching(t, g.dir+"/imfile-state:*")...) {
			if day := time.Now().Add(-49 * time.Hour); f != fresh {
				if err := os.Chtimes(f, day, day); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := os.Remove(packed); err != nil {
			t.Fatal(err)
		}
		g.start(0, pattern)
		if got := states(); got != want+"\n{}" {
			t.Errorf("the second time: %s, want the same and what is fresh", got)
		}
		if _, err := os.Stat(fresh); err != nil {
			t.Error(err)
		}
	})
}

func matching(t *testing.T, pattern string) []string {
	t.Helper()
	out, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
