//go:build unix

package action

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
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

// box is a folder with a PATH whose sh is one of the shells that guests have.
type box struct {
	dir, path string
}

// shells runs a test under dash, bash and busybox; with busybox every utility is busybox's too.
func shells(t *testing.T, f func(t *testing.T, b box)) {
	for _, name := range []string{"dash", "bash", "busybox"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program, err := exec.LookPath(name)
			if err != nil {
				t.Skipf("%s is not installed: %v", name, err)
			}
			b := box{dir: t.TempDir(), path: t.TempDir()}
			names, rest := []string{"sh"}, ":/usr/bin:/bin"
			if name == "busybox" {
				list, err := exec.CommandContext(t.Context(), program, "--list").Output()
				must(t, err)
				names, rest = strings.Fields(string(list)), ""
			}
			for _, n := range names {
				must(t, os.Symlink(program, filepath.Join(b.path, n)))
			}
			b.path += rest
			f(t, b)
		})
	}
}

// sh runs a script as a guest does, and returns its output and exit status.
func (b box) sh(t *testing.T, stdin, script string, args ...string) (string, int) {
	t.Helper()
	c := exec.CommandContext(t.Context(), filepath.Join(strings.Split(b.path, ":")[0], "sh"), append([]string{"-c", script, "sh"}, args...)...)
	c.Env, c.Dir, c.Stdin = []string{"PATH=" + b.path}, b.dir, strings.NewReader(stdin)
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), c.ProcessState.ExitCode()
}

func (b box) jobDir(id string) string { return filepath.Join(b.dir, "jobs", id) }

// start starts a job as action.Job does.
func (b box) start(t *testing.T, id, script string, args ...string) {
	t.Helper()
	if out, code := b.sh(t, "", strings.ReplaceAll(jobScript(Job{Script: script}, "0123", ""), dropRoot, b.dir), append([]string{b.jobDir(id)}, args...)...); code != 0 || out != "" {
		t.Fatalf("start: exit status %d: %s", code, out)
	}
}

func (b box) poll(t *testing.T, id string, offset int) (head, rest string) {
	t.Helper()
	out, code := b.sh(t, "", jobPoll, b.jobDir(id), strconv.Itoa(offset))
	if code != 0 {
		t.Fatalf("poll: exit status %d: %s", code, out)
	}
	head, rest, _ = strings.Cut(out, "\n")
	return head, rest
}

// finish polls until the job does not run any more.
func (b box) finish(t *testing.T, id string) (head, log string) {
	t.Helper()
	for range 200 {
		if head, log = b.poll(t, id, 1); head != "running" {
			return head, log
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("the job still runs after 5 seconds; its log: %s", log)
	return "", ""
}

func (b box) read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(b.dir, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(data)
}

func (b box) write(t *testing.T, name, content string, mode os.FileMode) string {
	t.Helper()
	p := filepath.Join(b.dir, name)
	must(t, os.MkdirAll(filepath.Dir(p), 0o755))
	must(t, os.WriteFile(p, []byte(content), 0o644))
	must(t, os.Chmod(p, mode))
	return p
}

func TestJobScriptsKeepStatusOutputAndArguments(t *testing.T) {
	shells(t, func(t *testing.T, b box) {
		b.start(t, "r-1", "printf '<%s>' \"$@\"; cat; echo to stderr >&2; exit 37", "a b", "", "$(touch evil)", "line\nline", "*")
		head, log := b.finish(t, "r-1")
		if want := "<a b><><$(touch evil)><line\nline><*>to stderr\n"; head != "done 37" || log != want {
			t.Errorf("%q %q, want %q", head, log, want)
		}
		if _, rest := b.poll(t, "r-1", 6); rest != "<><$(touch evil)><line\nline><*>to stderr\n" {
			t.Errorf("from the sixth byte: %q", rest)
		}
		if _, rest := b.poll(t, "r-1", len(log)+1); rest != "" {
			t.Errorf("after the end: %q", rest)
		}
		if b.read(t, "evil") != "" {
			t.Error("an argument was executed")
		}
	})
}

// TestJobsFilesArePrivateAndWhatTheyMakeIsNot: the folder of a job is root's alone, but a job that makes a mount
// point must not make one that nobody else can enter.
func TestJobsFilesArePrivateAndWhatTheyMakeIsNot(t *testing.T) {
	shells(t, func(t *testing.T, b box) {
		b.start(t, "r-1", "umask; pwd; mkdir -p \"$1\"", filepath.Join(b.dir, "made"))
		if head, log := b.finish(t, "r-1"); head != "done 0" || !strings.HasSuffix(log, "22\n/\n") {
			t.Errorf("%q %q: want umask 022 in the root folder, so that no share is kept busy", head, log)
		}
		for p, want := range map[string]os.FileMode{"jobs": 0o700, "jobs/r-1": 0o700, "jobs/r-1/script": 0o600, "made": 0o755} {
			if info, err := os.Stat(filepath.Join(b.dir, p)); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: %v %v, want %o", p, info.Mode(), err, want)
			}
		}
	})
}

// TestTwoStartsOfOneJobRunItOnce: a start whose link was cut may still be at work when it is repeated. Both used
// to see no pid file, and the job ran twice at the same time.
func TestTwoStartsOfOneJobRunItOnce(t *testing.T) {
	shells(t, func(t *testing.T, b box) {
		var starts sync.WaitGroup
		for range 8 {
			starts.Go(func() { b.start(t, "r-1", "echo ran >>\"$1\"; echo out; sleep 0.3", filepath.Join(b.dir, "count")) })
		}
		starts.Wait()
		b.start(t, "r-1", "echo other")
		if head, log := b.finish(t, "r-1"); head != "done 0" || log != "out\n" {
			t.Errorf("%q %q", head, log)
		}
		b.start(t, "r-1", "echo after the end")
		time.Sleep(100 * time.Millisecond)
		if head, log := b.finish(t, "r-1"); head != "done 0" || log != "out\n" || b.read(t, "count") != "ran\n" {
			t.Errorf("%q %q; it ran: %q", head, log, b.read(t, "count"))
		}
	})
}

// TestADaemonThatKeepsTheOutputOpen: the job has ended when its script has, whoever still holds its log.
func TestADaemonThatKeepsTheOutputOpen(t *testing.T) {
	shells(t, func(t *testing.T, b box) {
		b.start(t, "r-1", "sleep 60 & echo $! >\"$1\"; echo started", filepath.Join(b.dir, "daemon"))
		head, log := b.finish(t, "r-1")
		if head != "done 0" || log != "started\n" {
			t.Errorf("%q %q", head, log)
		}
		end(t, strings.TrimSpace(b.read(t, "daemon")), false)
	})
}

// end kills a process that the test's job started; group: all of its session.
func end(t *testing.T, number string, group bool) {
	t.Helper()
	pid, err := strconv.Atoi(number)
	if err != nil || pid < 2 {
		t.Fatalf("no process number: %q", number)
	}
	if group {
		pid = -pid
	}
	must(t, syscall.Kill(pid, syscall.SIGKILL))
}

func TestAKilledJobIsGone(t *testing.T) {
	shells(t, func(t *testing.T, b box) {
		b.start(t, "r-1", "echo begun; sleep 60")
		for head, log := b.poll(t, "r-1", 1); log == "" || head != "running"; head, log = b.poll(t, "r-1", 1) {
			if head != "running" {
				t.Fatalf("%q %q", head, log)
			}
		}
		end(t, strings.TrimSpace(b.read(t, "jobs/r-1/pid")), true)
		if head, log := b.finish(t, "r-1"); head != "gone" || log != "begun\n" {
			t.Errorf("%q %q", head, log)
		}
	})
}

// TestAnotherProcessWithTheJobsNumber: after a power cut the number in the pid file belongs to anyone. It was
// taken for the job, which then "ran" until the end of the wait.
func TestAnotherProcessWithTheJobsNumber(t *testing.T) {
	if _, err := os.Stat("/proc/self/cmdline"); err != nil {
		t.Skip("this system has no /proc")
	}
	shells(t, func(t *testing.T, b box) {
		b.write(t, "jobs/r-1/pid", fmt.Sprintln(os.Getpid()), 0o600)
		b.write(t, "jobs/r-1/log", "half", 0o600)
		if head, log := b.poll(t, "r-1", 1); head != "gone" || log != "half" {
			t.Errorf("%q %q", head, log)
		}
	})
}

func TestPollOfWhatIsNotThere(t *testing.T) {
	shells(t, func(t *testing.T, b box) {
		if head, log := b.poll(t, "never", 1); head != "gone" || log != "" {
			t.Errorf("%q %q", head, log)
		}
		b.write(t, "jobs/empty/pid", "", 0o600)
		if head, _ := b.poll(t, "empty", 1); head != "gone" {
			t.Errorf("an empty pid file: %q", head)
		}
		b.write(t, "jobs/cut/rc", "", 0o600)
		if head, _ := b.poll(t, "cut", 1); head != "done " {
			t.Errorf("an empty exit status: %q", head)
		}
		b.write(t, "jobs/big/log", strings.Repeat("x", pollBytes+10), 0o600)
		if _, log := b.poll(t, "big", 1); len(log) != pollBytes {
			t.Errorf("one look brought %d bytes", len(log))
		}
	})
}

// TestOnlyTheLastTwentyJobsAreKept: folders of jobs were never removed. One without an exit status may run.
func TestOnlyTheLastTwentyJobsAreKept(t *testing.T) {
	shells(t, func(t *testing.T, b box) {
		for i := range 25 {
			// The names say nothing of the age.
			p := filepath.Dir(b.write(t, fmt.Sprintf("jobs/%x-%d/rc", (i*7)%25, i), "0\n", 0o600))
			at := time.Now().Add(time.Duration(i-100) * time.Minute)
			must(t, os.Chtimes(p, at, at))
		}
		old := filepath.Dir(b.write(t, "jobs/running-1/pid", "1\n", 0o600))
		must(t, os.Chtimes(old, time.Unix(1, 0), time.Unix(1, 0)))
		b.start(t, "new-1", "true")
		b.finish(t, "new-1")
		var want []string
		for i := 5; i < 25; i++ {
			want = append(want, fmt.Sprintf("%x-%d", (i*7)%25, i))
		}
		want = append(want, "new-1", "running-1")
		slices.Sort(want)
		entries, err := os.ReadDir(filepath.Join(b.dir, "jobs"))
		must(t, err)
		var got []string
		for _, e := range entries {
			got = append(got, e.Name())
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("left: %q\nwant: %q", got, want)
		}
	})
}

func TestPutScript(t *testing.T) {
	for name, c := range map[string]struct {
		old, was, stdin string
		mode            string
		code            int
		says, left      string
		perm            os.FileMode
		backup          string
	}{
		"replaced":         {"old\n", sum("old\n"), "new\n", "0640", 0, "", "new\n", 0o640, "old\n"},
		"emptied":          {"old\n", sum("old\n"), "", "0644", 0, "", "", 0o644, "old\n"},
		"changed since":    {"edited\n", sum("old\n"), "new\n", "0640", 9, "changed since it was read: nothing was written", "edited\n", 0o600, ""},
		"gone since":       {"-", sum("old\n"), "new\n", "0640", 9, "is gone since it was read: nothing was written", "-", 0, ""},
		"new":              {"-", "", "new\n", "0600", 0, "", "new\n", 0o600, ""},
		"new, but exists":  {"old\n", "", "new\n", "0640", 9, "exists: nothing was written", "old\n", 0o600, ""},
		"cut on the way":   {"old\n", sum("old\n"), "ne", "0640", 9, "arrived incomplete: nothing was written", "old\n", 0o600, ""},
		"nothing arrived":  {"old\n", sum("old\n"), "", "0640", 9, "arrived incomplete: nothing was written", "old\n", 0o600, ""},
		"cut when created": {"-", "", "ne", "0640", 9, "arrived incomplete: nothing was written", "-", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			shells(t, func(t *testing.T, b box) {
				file, backup := filepath.Join(b.dir, "a file's.conf"), filepath.Join(b.dir, "back up/run/a file's.conf")
				if c.old != "-" {
					b.write(t, "a file's.conf", c.old, 0o600)
				}
				content := "new\n"
				if name == "emptied" {
					content = ""
				}
				out, code := b.sh(t, c.stdin, putScript, file, c.mode, c.was, backup, sum(content), "")
				if code != c.code || !strings.Contains(out, c.says) || (c.says == "" && out != "") {
					t.Fatalf("exit status %d: %s", code, out)
				}
				if info, err := os.Stat(file); c.left == "-" {
					if err == nil {
						t.Error("it was written")
					}
				} else if err != nil || info.Mode().Perm() != c.perm || b.read(t, "a file's.conf") != c.left {
					t.Errorf("%v %v: %q", info, err, b.read(t, "a file's.conf"))
				}
				if got := b.read(t, "back up/run/a file's.conf"); got != c.backup {
					t.Errorf("backup %q, want %q", got, c.backup)
				}
				if left, _ := filepath.Glob(filepath.Join(b.dir, "*boxdoctor-new*")); len(left) > 0 {
					t.Errorf("left behind: %q", left)
				}
			})
		})
	}
}

// TestPutValidates: a program sees the staged file, under its own name and with its mode, before the live one changes.
func TestPutValidates(t *testing.T) {
	shells(t, func(t *testing.T, b box) {
		file := b.write(t, "it's a.conf", "old", 0o600)
		put := func(content string, validate ...string) (string, int) {
			argv := []string{file, "0640", sum(b.read(t, "it's a.conf")), "", sum(content), fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid())}
			return b.sh(t, content, putScript, append(argv, validate...)...)
		}
		if out, code := put("bad", "grep", "-q", "good", "%s"); code != 9 || !strings.Contains(out, "grep refuses the new content") {
			t.Errorf("%d %s", code, out)
		}
		if got := b.read(t, "it's a.conf"); got != "old" {
			t.Errorf("a refused file went live: %q", got)
		}
		if out, code := put("all good", "grep", "-q", "good", "%s"); code != 0 || b.read(t, "it's a.conf") != "all good" {
			t.Errorf("%d %s", code, out)
		}
	})
}

// TestPutFollowsLinks: the file behind the link is replaced and the link stays.
func TestPutFollowsLinks(t *testing.T) {
	shells(t, func(t *testing.T, b box) {
		target := b.write(t, "real/yum.conf", "old", 0o644)
		link := filepath.Join(b.dir, "yum.conf")
		must(t, os.Symlink(target, link))
		backup := filepath.Join(b.dir, "backup/yum.conf")
		if out, code := b.sh(t, "new", putScript, link, "0644", sum("old"), backup, sum("new"), ""); code != 0 {
			t.Fatalf("%d %s", code, out)
		}
		if to, err := os.Readlink(link); err != nil || to != target || b.read(t, "real/yum.conf") != "new" || b.read(t, "backup/yum.conf") != "old" {
			t.Errorf("%s %v, content %q, backup %q", to, err, b.read(t, "real/yum.conf"), b.read(t, "backup/yum.conf"))
		}
	})
}

func TestTakeScript(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("chown to root needs root")
	}
	for name, c := range map[string]struct {
		content, hash string
		link          bool
		code          int
		says          string
	}{
		"right":   {"image", sum("image"), false, 0, ""},
		"wrong":   {"other", sum("image"), false, 9, "wanted " + sum("image") + ": it was deleted and not run"},
		"a link":  {"image", sum("image"), true, 9, "no ordinary file: it was deleted and not run"},
		"nothing": {"-", sum("image"), false, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			shells(t, func(t *testing.T, b box) {
				drop := filepath.Join(b.dir, "drop")
				must(t, os.MkdirAll(drop, 0o700))
				outside := b.write(t, "outside", c.content, 0o644)
				if c.link {
					must(t, os.Symlink(outside, filepath.Join(drop, "ga.iso")))
				} else if c.content != "-" {
					b.write(t, "drop/ga.iso", c.content, 0o644)
				}
				home := filepath.Join(b.dir, "home.iso")
				out, code := b.sh(t, "", takeScript, drop, "ga.iso", home, c.hash)
				if (c.code == 0) != (code == 0) || (c.code == 9 && code != 9) || !strings.Contains(out, c.says) {
					t.Fatalf("exit status %d: %s", code, out)
				}
				info, err := os.Lstat(home)
				if c.code == 0 && (err != nil || info.Mode() != 0o600) {
					t.Errorf("%v %v", info, err)
				}
				if c.code != 0 && err == nil {
					t.Errorf("it stayed: %v", info.Mode())
				}
				if info, err := os.Stat(outside); err != nil || info.Mode().Perm() != 0o644 {
					t.Errorf("a file outside was touched: %v %v", info, err)
				}
			})
		})
	}
}

// TestScriptsAreASCII: an old guest's sh must not stumble at a byte.
func TestScriptsAreASCII(t *testing.T) {
	for name, s := range map[string]string{"start": jobStart, "poll": jobPoll, "put": putScript, "take": takeScript, "drop": dropScript, "live": jobLive,
		"reboot": rebootScript, "identity": identityScript, "keep": keepScript, "undo look": undoLook, "undo put": undoPut} {
		if i := bytes.IndexFunc([]byte(s), func(r rune) bool { return r > 126 || (r < 32 && r != '\n' && r != '\t') }); i >= 0 {
			t.Errorf("%s: byte %d is %q", name, i, s[i])
		}
	}
	if strings.Contains(putScript, "\n") {
		t.Error("putScript travels as one argument line")
	}
}

// TestDefect20AnOpenFileIsNoWayIn: what the login user still has open must not be what is hashed and run: it could be
// written to after the hash.
func TestDefect20AnOpenFileIsNoWayIn(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("chown to root needs root")
	}
	shells(t, func(t *testing.T, b box) {
		open, err := os.OpenFile(b.write(t, "drop/ga.iso", "image", 0o644), os.O_WRONLY, 0)
		must(t, err)
		defer open.Close()
		home := filepath.Join(b.dir, "home.iso")
		if out, code := b.sh(t, "", takeScript, filepath.Join(b.dir, "drop"), "ga.iso", home, sum("image")); code != 0 {
			t.Fatalf("%d %s", code, out)
		}
		_, err = open.WriteString("other")
		must(t, err)
		if got := b.read(t, "home.iso"); got != "image" {
			t.Errorf("the checked file holds %q now", got)
		}
		if left, _ := filepath.Glob(filepath.Join(b.dir, "*.in")); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	})
}

// age makes a folder look as if nobody had written to it for a while.
func (b box) age(t *testing.T, names ...string) {
	t.Helper()
	old := time.Now().Add(-10 * time.Minute)
	for _, n := range names {
		must(t, os.Chtimes(filepath.Join(b.dir, n), old, old))
	}
}

// TestDefect19LeftoversOfKilledRuns: a boxdoctor that was killed left its drop folder and its run folder for ever.
func TestDefect19LeftoversOfKilledRuns(t *testing.T) {
	user := strconv.Itoa(os.Getuid())
	for name, upload := range map[string]bool{"before an upload": true, "before a job": false} {
		t.Run(name, func(t *testing.T) {
			shells(t, func(t *testing.T, b box) {
				b.write(t, "boxdoctor.AbCdEfGhIj/ga.iso", "half", 0o600)
				b.write(t, "run/dead/ga.iso", "image", 0o600)
				b.write(t, "run/live/ga.iso", "image", 0o600)
				must(t, os.MkdirAll(filepath.Join(b.dir, "run/empty"), 0o700))
				b.write(t, "jobs/live-1/pid", strconv.Itoa(os.Getpid()), 0o600)
				b.write(t, "jobs/dead-1/pid", strconv.Itoa(os.Getpid()), 0o600)
				b.write(t, "jobs/dead-1/rc", "0", 0o600)
				b.write(t, "boxdoctor.conf", "not ours", 0o600)
				b.age(t, "boxdoctor.AbCdEfGhIj/ga.iso", "boxdoctor.AbCdEfGhIj", "run/dead/ga.iso", "run/dead", "run/live/ga.iso", "run/live")
				if upload {
					out, code := b.sh(t, "", dropScript, filepath.Join(b.dir, "run/mine"), user, filepath.Join(b.dir, "jobs"), b.dir)
					if code != 0 || !dropForm.MatchString(dropRoot+strings.TrimPrefix(strings.TrimSpace(out), b.dir)) {
						t.Fatalf("%d %s", code, out)
					}
				} else {
					b.start(t, "mine-1", "true")
				}
				for file, stays := range map[string]bool{"boxdoctor.AbCdEfGhIj": false, "run/dead": false, "run/empty": false, "run/live/ga.iso": true, "boxdoctor.conf": true} {
					if _, err := os.Stat(filepath.Join(b.dir, file)); (err == nil) != stays {
						t.Errorf("%s: stays %t, want %t", file, err == nil, stays)
					}
				}
			})
		})
	}
}

// TestDefect19AnotherUploadIsLeftAlone: a folder that was written to just now may be an upload under way.
func TestDefect19AnotherUploadIsLeftAlone(t *testing.T) {
	shells(t, func(t *testing.T, b box) {
		b.write(t, "boxdoctor.AbCdEfGhIj/ga.iso", "half", 0o600)
		b.write(t, "run/other/first.rpm", "rpm", 0o600)
		b.age(t, "run/other/first.rpm", "run/other")
		if out, code := b.sh(t, "", dropScript, filepath.Join(b.dir, "run/mine"), strconv.Itoa(os.Getuid()), filepath.Join(b.dir, "jobs"), b.dir); code != 0 {
			t.Fatalf("%d %s", code, out)
		}
		if b.read(t, "boxdoctor.AbCdEfGhIj/ga.iso") != "half" || b.read(t, "run/other/first.rpm") != "rpm" {
			t.Error("an upload of another run was taken away")
		}
	})
}

// TestDefect3ALiveJobIsFound tells a job that works from those that ended or were cut.
func TestDefect3ALiveJobIsFound(t *testing.T) {
	shells(t, func(t *testing.T, b box) {
		b.write(t, "jobs/ab-1/pid", strconv.Itoa(os.Getpid()), 0o600)
		b.write(t, "jobs/ab-1/rc", "0", 0o600)
		b.write(t, "jobs/ab-2/pid", strconv.Itoa(os.Getpid()), 0o600) // alive, and not a job
		b.start(t, "ab-3", "sleep 5")
		b.start(t, "cd-1", "sleep 5")
		if out, code := b.sh(t, "", jobLive, b.jobDir("ab")+"-*"); code != 0 || strings.TrimSpace(out) != "ab-3" {
			t.Errorf("%d %q", code, out)
		}
		if out, code := b.sh(t, "", jobLive, b.jobDir("no")+"-*"); code != 0 || out != "" {
			t.Errorf("%d %q", code, out)
		}
	})
}
