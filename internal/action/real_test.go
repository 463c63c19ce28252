package action_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/demo"
	"github.com/boxdoctor/boxdoctor/internal/demo/el6"
	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/guest/sshguest"
	"github.com/boxdoctor/boxdoctor/internal/sshserver"
)

// These tests run the actions over a real SSH connection in the embedded guest.

type real struct {
	*demo.Guest
	target  *action.Target
	journal string

	mu     sync.Mutex
	output strings.Builder
}

func (r *real) printed() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.output.String()
}

func boot(t *testing.T, scene demo.Scene) *real {
	t.Helper()
	g, err := demo.Start(t.Context(), scene)
	if err != nil {
		t.Fatal(err)
	}
	r := &real{Guest: g, journal: filepath.Join(t.TempDir(), "journal.jsonl")}
	cfg := g.SSH()
	cfg.Getenv = func(name string) string {
		if strings.HasPrefix(name, "BOXDOCTOR_SUDO_PASSWORD") {
			return scene.System.Password
		}
		return ""
	}
	c, _, err := sshguest.Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(c.Close(), g.Close()); err != nil {
			t.Error(err)
		}
	})
	j, err := action.NewFileJournal(r.journal)
	if err != nil {
		t.Fatal(err)
	}
	r.target = &action.Target{Guest: c, Machine: "web", RunID: "0123abcd", Journal: j, Output: func(s string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.output.WriteString(s)
	}}
	return r
}

// in runs a command as root in the guest, beside the connection.
func (r *real) in(t *testing.T, command string) string {
	t.Helper()
	out, code := r.Run(t.Context(), command)
	if code != 0 {
		t.Fatalf("%s: exit status %d: %s", command, code, out)
	}
	return out
}

// until waits for a command in the guest to succeed.
func (r *real) until(t *testing.T, command string) {
	t.Helper()
	for range 500 {
		if _, code := r.Run(t.Context(), command); code == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("5 seconds went by and this is not true: %s", command)
}

func count(n int) string {
	var b strings.Builder
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.String()
}

// TestOutputOverLostLinks: the job runs once, its output comes once, its status is kept, however often the link is
// cut while it runs.
func TestOutputOverLostLinks(t *testing.T) {
	t.Parallel()
	r := boot(t, demo.Healthy())
	chunks := 0
	keep := r.target.Output
	r.target.Output = func(text string) {
		keep(text)
		switch chunks++; chunks {
		case 1, 4:
			r.DropLinks() // between two looks
		case 2:
			r.Server().Order(sshserver.Faults{DropOnExec: 1}) // as the next look begins
		case 3:
			r.Server().Order(sshserver.Faults{DropAfterOutput: 40}) // in the middle of looks, until it is healed
			time.AfterFunc(400*time.Millisecond, func() { r.Server().Order(sshserver.Faults{}) })
		case 5:
			r.in(t, "touch /root/enough")
		}
	}
	err := action.Do(t.Context(), r.target, "fix", action.Job{Name: "talk",
		Script: "echo ran >>/root/count\nn=0\nwhile [ $n -lt 2000 ] && [ ! -e /root/enough ]; do n=$((n + 1)); echo line $n; sleep 0.03; done\nexit 5\n"})
	log := r.in(t, "cat /var/lib/boxdoctor/jobs/0123abcd-1/log")
	var job *action.JobError
	if !errors.As(err, &job) || job.Code != 5 || !strings.HasSuffix(log, job.Tail) || job.Tail == "" {
		t.Errorf("%v", err)
	}
	if log != count(strings.Count(log, "\n")) || r.printed() != log || r.in(t, "cat /root/count") != "ran\n" {
		t.Errorf("printed:\n%s\nlog:\n%s\nruns: %q", r.printed(), log, r.in(t, "cat /root/count"))
	}
}

// TestACutStartDoesNotRunTwice cuts the link at many moments of the start.
func TestACutStartDoesNotRunTwice(t *testing.T) {
	t.Parallel()
	r := boot(t, demo.Healthy())
	after := []time.Duration{0, 1, 2, 4, 7, 11, 16, 25, 40}
	for i, ms := range after {
		faults := sshserver.Faults{DropAfter: ms * time.Millisecond}
		if ms == 0 {
			faults = sshserver.Faults{DropOnExec: 1}
		}
		r.Server().Order(faults)
		heal := time.AfterFunc(ms*time.Millisecond+60*time.Millisecond, func() { r.Server().Order(sshserver.Faults{}) })
		err := action.Do(t.Context(), r.target, "fix", action.Job{Name: "count", Script: "echo ran >>/root/count"})
		heal.Stop()
		r.Server().Order(sshserver.Faults{})
		// A start that certainly did not run may be reported as failed; it must then not have run.
		runs := strings.Count(r.in(t, "cat /root/count 2>/dev/null; true"), "ran")
		if want := i + 1; err != nil || runs != want {
			t.Fatalf("cut after %d ms: %v; the job ran %d times, want %d", ms, err, runs, want)
		}
	}
}

func TestAPowerCutInAJob(t *testing.T) {
	t.Parallel()
	r := boot(t, demo.Healthy())
	cut := make(chan struct{})
	go func() {
		defer close(cut)
		r.until(t, "grep -q begun /var/lib/boxdoctor/jobs/0123abcd-1/log")
		r.PowerCut()
	}()
	err := action.Do(t.Context(), r.target, "fix", action.Job{Name: "long", Script: "echo begun; sleep 600"})
	<-cut
	if !errors.Is(err, action.ErrJobGone) || r.printed() != "begun\n" {
		t.Errorf("%v, printed %q", err, r.printed())
	}
}

// TestASecondInterruptLeavesTheJobRunning: the person gets the command that looks at it, and the next run can wait
// for it.
func TestASecondInterruptLeavesTheJobRunning(t *testing.T) {
	t.Parallel()
	r := boot(t, demo.Healthy())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r.target.Output = func(string) { cancel() }
	err := action.Do(ctx, r.target, "fix", action.Job{Name: "long", Script: "echo begun\nwhile [ ! -e /root/go ]; do sleep 0.05; done\necho ended >/root/ended\n"})
	if !errors.Is(err, action.ErrStillRunning) {
		t.Fatal(err)
	}
	_, look, ok := strings.Cut(err.Error(), "look with: sudo tail -f ")
	file, _, _ := strings.Cut(look, ";")
	if !ok || r.in(t, "cat "+file) != "begun\n" {
		t.Errorf("the text leads nowhere: %v", err)
	}
	waited := make(chan error, 1)
	go func() { waited <- action.Await(t.Context(), r.target, "0123abcd-1", time.Minute) }()
	select {
	case err := <-waited:
		t.Fatalf("the wait ended before the job: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	r.in(t, "touch /root/go")
	if err := <-waited; err != nil || r.in(t, "cat /root/ended") != "ended\n" {
		t.Error(err)
	}
}

func fileSum(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

func TestRealUpload(t *testing.T) {
	t.Parallel()
	r := boot(t, demo.Healthy())
	const remote = "/var/lib/boxdoctor/run/0123abcd/ga.iso"
	up := action.Upload{Local: r.ISO().Path, Remote: remote, SHA256: r.ISO().SHA256, Size: r.ISO().Size}
	if up.SHA256 != fileSum(t, up.Local) {
		t.Fatal("the scene's own hash is wrong")
	}
	var said []string
	r.target.Progress = func(s string) { said = append(said, s) }
	if err := action.Do(t.Context(), r.target, "fix", up); err != nil {
		t.Fatal(err)
	}
	if got := r.in(t, "sha256sum <"+remote+" | cut -c1-64; stat -c '%a %u:%g' "+remote+" /var/lib/boxdoctor/run/0123abcd"); got != up.SHA256+"\n600 0:0\n700 0:0\n" {
		t.Error(got)
	}
	if len(said) < 2 || !strings.HasPrefix(said[len(said)-1], "upload 100% of ") {
		t.Errorf("progress: %q", said)
	}
	wrong := up
	wrong.SHA256 = strings.Repeat("0", 64)
	err := action.Do(t.Context(), r.target, "fix", wrong)
	if err == nil || !strings.Contains(err.Error(), "it was deleted and not run") {
		t.Error(err)
	}
	r.in(t, "[ ! -e "+remote+" ]")
	// Stopped on the way: an upload changes nothing yet and is not waited for.
	stop := make(chan struct{})
	var once sync.Once
	r.target.Stop = stop
	r.target.Progress = func(s string) {
		if strings.HasPrefix(s, "upload ") && strings.Contains(s, "%") {
			once.Do(func() { close(stop) })
		}
	}
	if err := action.Do(t.Context(), r.target, "fix", up); err == nil {
		t.Error("a stopped upload succeeded")
	}
	r.in(t, "[ ! -e "+remote+" ]")
	if left := r.in(t, "find /var/tmp -name 'boxdoctor.*'"); left != "" {
		t.Errorf("left in the guest: %s", left)
	}
}

func TestRealPutFile(t *testing.T) {
	t.Parallel()
	r := boot(t, demo.Healthy())
	const path, backup = "/etc/yum.conf", action.BackupRoot + "/0123abcd/etc/yum.conf"
	old := r.in(t, "cat "+path)
	h := sha256.Sum256([]byte(old))
	put := action.PutFile{Path: path, Mode: 0o644, Content: "[main]\nplugins=1\n# it's \"new\" $HOME\n", WasSHA256: hex.EncodeToString(h[:]), Backup: backup}
	if err := action.Do(t.Context(), r.target, "fix", put); err != nil {
		t.Fatal(err)
	}
	if r.in(t, "cat "+path) != put.Content || r.in(t, "cat "+backup) != old || r.in(t, "stat -c %a "+path) != "644\n" {
		t.Error("not what was to be written")
	}
	var exit *guest.ExitError
	if err := action.Do(t.Context(), r.target, "fix", put); !errors.As(err, &exit) || exit.Code != 9 || r.in(t, "cat "+backup) != old {
		t.Errorf("a file that changed was overwritten, or its backup: %v", err)
	}
	// What the journal says takes it back.
	r.in(t, put.Inverse())
	if r.in(t, "cat "+path) != old {
		t.Error("the inverse does not restore the file")
	}
}

func TestRealReboot(t *testing.T) {
	t.Parallel()
	r := boot(t, demo.Founding())
	before := r.System().BootID()
	err := action.Do(t.Context(), r.target, "fix", action.Reboot{WantKernel: demo.ArchiveKernel, Timeout: time.Minute})
	if err == nil || !strings.Contains(err.Error(), "came back with kernel "+demo.InstalledKernel+", wanted "+demo.ArchiveKernel) {
		t.Error(err)
	}
	if r.System().BootID() == before || r.System().Running() != demo.InstalledKernel {
		t.Errorf("boot id %s, kernel %s", r.System().BootID(), r.System().Running())
	}
}

// TestNoSecretInJournalOrOutput: the sudo password is used by every step and written nowhere.
func TestNoSecretInJournalOrOutput(t *testing.T) {
	t.Parallel()
	const secret = "s3cret-pass-word"
	r := boot(t, demo.Healthy().With(demo.Sudo(el6.SudoPassword, secret)))
	var said strings.Builder
	r.target.Progress = func(s string) { said.WriteString(s) }
	for _, a := range []action.Action{
		action.Job{Name: "look around", Script: "env; ps -ef; cat \"$0\"; exit 1"},
		action.PutFile{Path: "/etc/motd.new", Content: "x", Mode: 0o600},
		action.PutFile{Path: "/etc/passwd", Content: "x", Mode: 0o600},
		action.Upload{Local: r.ISO().Path, Remote: "/var/lib/boxdoctor/run/x/ga.iso", SHA256: "00", Size: r.ISO().Size},
	} {
		err := action.Do(t.Context(), r.target, "fix", a)
		if err != nil {
			said.WriteString(err.Error())
		}
	}
	journal, err := os.ReadFile(r.journal)
	if err != nil || strings.Count(string(journal), "\n") != 8 {
		t.Fatalf("%v: %s", err, journal)
	}
	if info, err := os.Stat(r.journal); err != nil || (os.PathSeparator == '/' && info.Mode().Perm() != 0o600) {
		t.Errorf("%v %v", info, err)
	}
	for name, text := range map[string]string{"journal": string(journal), "output": r.printed(), "errors": said.String(), "disk": r.System().Snapshot("/var", "/tmp", "/root")} {
		if strings.Contains(text, secret) {
			t.Errorf("the password is in the %s", name)
		}
	}
}
