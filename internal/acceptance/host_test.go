//go:build acceptance_host

package acceptance

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// hostLab is a project and a VirtualBox of its own on this host: the real VBoxManage of Debian sid, the real vagrant.
type hostLab struct {
	t               *testing.T
	work, bin, root string
	env             []string
}

func newHostLab(t *testing.T) *hostLab {
	t.Helper()
	source, err := filepath.Abs("hostlab")
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	l := &hostLab{t: t, work: work, bin: filepath.Join(work, "boxdoctor"), root: filepath.Join(work, "project")}
	for _, dir := range []string{l.root, filepath.Join(work, "home")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", l.bin, "../..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	l.env = append(os.Environ(), "PATH="+source+":"+os.Getenv("PATH"), "HOME="+filepath.Join(work, "home"), "BOXDOCTOR_WORK="+work,
		"VBOX_USER_HOME="+filepath.Join(work, "home", ".config", "VirtualBox"), "BOXDOCTOR_STATE_HOME="+filepath.Join(work, "state"), "VAGRANT_CHECKPOINT_DISABLE=1", "VAGRANT_CWD="+l.root)
	t.Cleanup(func() { _ = os.RemoveAll(filepath.Join(hostRoot("sid"), work)) }) // only the empty folder that was bound over
	return l
}

// hostRoot is where hostlab.sh put a Debian sid.
func hostRoot(name string) string {
	return filepath.Join(cmp.Or(os.Getenv("BOXDOCTOR_HOST_LAB"), "/var/cache/boxdoctor-lab/host"), name)
}

// run runs a program of the lab and returns its output and status.
func (l *hostLab) run(name string, args ...string) (stdout, stderr string, code int) {
	l.t.Helper()
	cmd := exec.CommandContext(l.t.Context(), name, args...)
	cmd.Env, cmd.Dir = l.env, l.root
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		l.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func (l *hostLab) manage(args ...string) string {
	l.t.Helper()
	out, errs, code := l.run(filepath.Join(mustAbs(l.t, "hostlab"), "VBoxManage"), args...)
	for range 10 { // VirtualBox's service ended just then
		if !strings.Contains(errs, "COM server is not running or failed to start") {
			break
		}
		select {
		case <-time.After(time.Second):
		case <-l.t.Context().Done():
		}
		out, errs, code = l.run(filepath.Join(mustAbs(l.t, "hostlab"), "VBoxManage"), args...)
	}
	if code != 0 {
		l.t.Fatalf("VBoxManage %q: %d, %s", args, code, errs)
	}
	return out
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

func (l *hostLab) write(path, text string) {
	l.t.Helper()
	path = filepath.Join(l.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

var uuid = regexp.MustCompile(`UUID: ([0-9a-f-]{36})`)

// vm makes and registers a VM with a NAT forward.
func (l *hostLab) vm(name string) (id string) {
	l.t.Helper()
	l.manage("setproperty", "machinefolder", filepath.Join(l.work, "home", "VirtualBox VMs"))
	m := uuid.FindStringSubmatch(l.manage("createvm", "--name", name, "--register"))
	if m == nil {
		l.t.Fatal("no UUID")
	}
	l.manage("modifyvm", name, "--nic1", "nat", "--natpf1", "ssh,tcp,127.0.0.1,2222,,22")
	return m[1]
}

// check is boxdoctor check as JSON: findings by id, and the status. On a machine that is very busy VBoxManage may take
// longer than its limit, which is honestly unknown; the look is then repeated.
func (l *hostLab) check(args ...string) (all map[string]finding.Finding, code int) {
	l.t.Helper()
	for range 3 {
		late := false
		all, code = l.once(args...)
		for _, f := range all {
			late = late || f.Status == finding.Unknown && strings.Contains(f.Message, "did not answer within")
		}
		if !late {
			break
		}
	}
	return all, code
}

func (l *hostLab) once(args ...string) (map[string]finding.Finding, int) {
	l.t.Helper()
	out, errs, code := l.run(l.bin, append([]string{"check", "--format", "json"}, args...)...)
	return byID(l.t, out, errs), code
}

// byID are the findings of the host in a report.
func byID(t *testing.T, out, errs string) map[string]finding.Finding {
	t.Helper()
	var r finding.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v: %s%s", err, out, errs)
	}
	all := map[string]finding.Finding{}
	for _, f := range r.Machines[0].Findings {
		all[f.ID] = f
	}
	return all
}

// files is every file of the project and of the home with size, time and mode, but for what every call of VBoxManage writes
// anew by itself: its logs, its caches of components, the time in its list of machines.
func (l *hostLab) files() string {
	out, _, _ := l.run("find", l.root, filepath.Join(l.work, "home"), "-type", "f", "!", "-name", "*.log*", "!", "-name", "VirtualBox.xml*", "!", "-name", "*.dat", "-printf", "%p %s %T@ %m\n")
	return out
}

// A healthy project, and then everything that can go wrong with it before a machine runs, on the real VBoxManage.
func TestHostBeforeUp(t *testing.T) {
	l := newHostLab(t)
	id := l.vm("web")
	state := ".vagrant/machines/default/virtualbox/"
	l.write("Vagrantfile", "Vagrant.configure(\"2\") do |config|\n  config.vm.box = \"bento/centos-7\"\n"+
		"  config.vm.network \"private_network\", ip: \"192.168.56.10\"\n  config.vm.provider(\"virtualbox\") { |vb| vb.memory = 512 }\nend\n")
	l.write(state+"id", id)
	l.write(state+"creator_uid", strconv.Itoa(os.Getuid()))
	l.write(state+"action_provision", "1.5:"+id)
	l.write(state+"private_key", "synthetic")
	areas := []string{"--only", "vm,net,port,folder,boot,ssh,box,plugin,vagrantfile"}
	before := l.files()
	if found, code := l.check(areas...); code != finding.ExitOK {
		for _, f := range found {
			if f.Status != finding.Pass && f.Status != finding.Skip {
				t.Errorf("healthy: %s %s %s", f.ID, f.Status, f.Message)
			}
		}
	}
	if after := l.files(); after != before {
		t.Errorf("a check changed something:\n%s\n---\n%s", before, after)
	}
	l.measure()
	l.makeIll(state)
	found, code := l.check()
	if code != finding.ExitFailed {
		t.Errorf("exit status %d", code)
	}
	for _, id := range []string{"vm.uid_mismatch", "vm.inaccessible_foreign", "boot.cable", "net.hostonly_range", "port.collision", "folder.missing",
		"res.memory", "ssh.key_mode", "vbox.unsupported"} {
		if f := found[id]; f.Status != finding.Fail || len(f.Advice) == 0 || f.Why == "" {
			t.Errorf("%s: %s, %s, advice %v", id, f.Status, f.Message, f.Advice)
		}
	}
	for _, id := range []string{"vm.not_provisioned_again", "vm.disk_uuid"} {
		if f := found[id]; f.Status != finding.Warn {
			t.Errorf("%s: %s, %s", id, f.Status, f.Message)
		}
	}
	// Vagrant's record of a VM that VirtualBox has not: what `vagrant status` would delete is still there afterwards.
	l.write(state+"id", "11111111-2222-3333-4444-555555555555")
	if found, _ := l.check("--only", "vm"); found["vm.stale_id"].Status != finding.Fail {
		t.Errorf("%+v", found["vm.stale_id"])
	}
	if _, err := os.Stat(filepath.Join(l.root, state, "private_key")); err != nil {
		t.Error(err)
	}
}

// makeIll breaks the project and its VirtualBox in every way that needs no driver.
func (l *hostLab) makeIll(state string) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = busy.Close() })
	l.write("Vagrantfile", fmt.Sprintf("Vagrant.configure(\"2\") do |config|\n  config.vm.box = \"bento/centos-7\"\n"+
		"  config.vm.network \"private_network\", ip: \"10.11.12.13\"\n  config.vm.network \"forwarded_port\", guest: 80, host: %d\n"+
		"  config.vm.synced_folder \"./gone\", \"/data\"\n  config.vm.provider(\"virtualbox\") { |vb| vb.memory = 9999999 }\nend\n", busy.Addr().(*net.TCPAddr).Port))
	l.write(state+"creator_uid", "4711")
	l.write(state+"action_provision", "1458910687")
	if err := os.Chmod(filepath.Join(l.root, state, "private_key"), 0o644); err != nil {
		l.t.Fatal(err)
	}
	l.manage("modifyvm", "web", "--cable-connected1", "off")
	l.vm("foreign")
	disk := filepath.Join(l.work, "home", "d.vdi")
	l.manage("createmedium", "disk", "--filename", disk, "--size", "10")
	l.manage("storagectl", "web", "--name", "sata", "--add", "sata")
	l.manage("storageattach", "web", "--storagectl", "sata", "--port", "0", "--type", "hdd", "--medium", disk)
	for _, gone := range []string{disk, filepath.Join(l.work, "home", "VirtualBox VMs", "foreign")} {
		if err := os.RemoveAll(gone); err != nil {
			l.t.Fatal(err)
		}
	}
	l.untilInaccessible()
}

// untilInaccessible waits until VirtualBox sees that the files of a VM are gone: when its service starts anew, which it does some
// seconds after the last call.
func (l *hostLab) untilInaccessible() {
	l.t.Helper()
	for range 40 {
		if strings.Contains(l.manage("list", "vms"), "<inaccessible>") {
			return
		}
		select {
		case <-time.After(8 * time.Second):
		case <-l.t.Context().Done():
		}
	}
	l.t.Error("VirtualBox still reads the VM whose files are gone")
}

// measured is how often the time of a warm check is set beside its slowest VBoxManage call; the best counts, because other
// work on the machine only ever adds.
const measured = 8

// overhead is what a check may take beyond its slowest call.
const overhead = 50 * time.Millisecond

// measure sets the time of a warm check beside the slowest VBoxManage call of the same run.
func (l *hostLab) measure() {
	l.check("--only", "vm")
	best := time.Hour
	for range measured {
		took, slowest, calls := l.timed()
		l.t.Logf("warm check: %d ms; the slowest of its %d VBoxManage calls: %d ms", took.Milliseconds(), calls, slowest.Milliseconds())
		best = min(best, took-slowest)
	}
	if busy := load(); best > overhead && busy < 2 {
		l.t.Errorf("a check takes %s longer than its slowest VBoxManage call, at most %s", best, overhead)
	} else {
		l.t.Logf("at best %d ms beyond the slowest call; %.1f processes wanted each processor", best.Milliseconds(), busy)
	}
}

// timed is one check with the slowest of its calls; one that was cut off at its limit is not written down.
func (l *hostLab) timed() (took, slowest time.Duration, calls int) {
	file := filepath.Join(l.work, "calls")
	if err := os.Remove(file); err != nil {
		l.t.Fatal(err)
	}
	start := time.Now()
	l.once()
	took = time.Since(start)
	text, err := os.ReadFile(file)
	if err != nil {
		l.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		ms, _, _ := strings.Cut(line, " ")
		if n, err := strconv.Atoi(ms); err == nil {
			slowest, calls = max(slowest, time.Duration(n)*time.Millisecond), calls+1
		}
	}
	return took, slowest, calls
}

// load is how many processes want each processor: on a busy machine the time of a check tells of the others.
func load() float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), " ")
	n, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0
	}
	return n / float64(runtime.NumCPU())
}

// boxdoctor up through the real vagrant, which fails without a hypervisor: its words and its status come through.
func TestUpThroughRealVagrant(t *testing.T) {
	l := newHostLab(t)
	l.write("Vagrantfile", "Vagrant.configure(\"2\") do |config|\n  config.vm.box = \"bento/centos-7\"\nend\n")
	out, errs, code := l.run(l.bin, "up")
	if code != finding.ExitFailed || out != "" || !strings.Contains(errs, "so it was not run") {
		t.Errorf("%d, %q, %s", code, out, errs)
	}
	_, bare, want := l.run("vagrant", "up", "--provider", "virtualbox")
	out, errs, code = l.run(l.bin, "up", "--anyway", "--provider", "virtualbox")
	if code != want || want == 0 || !strings.Contains(errs, strings.TrimSpace(bare)) {
		t.Errorf("status %d, vagrant's own is %d\n%s%s\n--- vagrant alone:\n%s", code, want, out, errs, bare)
	}
	if !strings.Contains(errs, "boxdoctor: vagrant up ended with status") || !strings.Contains(errs, "root cause: linux.vboxdrv_absent") {
		t.Errorf("not explained: %s", errs)
	}
	l.run(l.bin, "init", "--yes")
	if out, errs, code := l.run("vagrant", "validate", "--ignore-provider"); code != 0 {
		t.Errorf("what init wrote is not valid: %s%s", out, errs)
	}
}
