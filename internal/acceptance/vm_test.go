//go:build acceptance_vm

package acceptance

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// The two kernels of the VM lab end in these releases; the version before them is that of the kernel's source.
const (
	oldRelease = "-358.10.2.el9.x86_64"
	newRelease = "-696.10.2.el9.x86_64"
)

// vm runs vm.sh and returns its standard output.
func vm(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Minute)
	defer cancel()
	return command(t, exec.CommandContext(ctx, "./vm/vm.sh", args...))
}

// startVM boots a fresh machine and ends it with the test.
func startVM(t *testing.T, name string, args ...string) *guest {
	t.Helper()
	begin := time.Now()
	_ = exec.Command("./vm/vm.sh", "stop", name).Run() // of an earlier, aborted run
	config := strings.TrimSpace(vm(t, append([]string{"start", name}, args...)...))
	t.Cleanup(func() { _ = exec.Command("./vm/vm.sh", "stop", name).Run() })
	step(t, begin, "machine boots: %s", strings.Join(args, " "))
	iso := strings.TrimSpace(lab(t, "iso", "7.0.20"))
	return &guest{t: t, name: name, sshConfig: config, state: t.TempDir(), run: func(script string) string {
		return vm(t, "ssh", name, "sudo sh -c '"+strings.ReplaceAll(script, "'", `'\''`)+"'")
	}, flags: []string{"--ssh-config", config, "--vbox-version", "7.0.20", "--iso", iso, "--timeout", "10m"}}
}

// TestFoundingCaseOnARealKernel is issue 2: from `check` to everything that a machine without the VirtualBox
// device can prove. Only loading the modules, and what stands on that, is left.
func TestFoundingCaseOnARealKernel(t *testing.T) {
	g := startVM(t, "founding", "founding")
	boot := g.sh("cat /proc/sys/kernel/random/boot_id")

	r, code := g.doctor("check")
	if code != finding.ExitFailed {
		t.Errorf("check: exit %d", code)
	}
	g.want(r, finding.Fail, "locks.versionlock", "kernel.devel_missing", "additions.version", "mount.helper")
	for id, cause := range map[string]string{"kernel.devel_missing": "locks.versionlock", "additions.version": "kernel.devel_missing"} {
		if f := g.at(r, id); f.CausedBy != cause {
			t.Errorf("%s is caused by %q, want %s", id, f.CausedBy, cause)
		}
	}
	r, code = g.doctor("fix", "--dry-run")
	if code != finding.ExitFailed || len(r.Actions) == 0 {
		t.Errorf("dry run: exit %d with %d actions", code, len(r.Actions))
	}

	r, code = g.doctor("fix", "--yes")
	if code != finding.ExitUnverified {
		t.Errorf("fix: exit %d, want 4: this machine has no VirtualBox device", code)
	}
	g.provenButTheMount(r)
	if now := g.sh("cat /proc/sys/kernel/random/boot_id"); now == boot {
		t.Error("the machine was not restarted")
	}
	r, _ = g.doctor("fix", "--yes")
	for _, a := range r.Actions {
		if a.Fix != "modules.load" && a.Fix != "additions.services" && a.Fix != "modules.reload" {
			t.Errorf("the second run planned %s: %s", a.Fix, a.Title)
		}
	}
}

// provenButTheMount looks at the end state without boxdoctor, and at what boxdoctor says of it.
func (g *guest) provenButTheMount(r finding.Report) {
	g.t.Helper()
	g.want(r, finding.Pass, "locks.versionlock", "locks.interrupted", "kernel.devel_missing", "kernel.reboot_pending", "kernel.next_boot",
		"additions.installed", "additions.version", "modules.built", "modules.origin", "mount.helper")
	g.want(r, finding.Fail, "modules.device", "modules.loaded")
	if f := g.at(r, "modules.loaded"); f.CausedBy != "modules.device" {
		g.t.Errorf("modules.loaded is caused by %q, want modules.device", f.CausedBy)
	}
	for _, a := range r.Actions {
		step(g.t, time.Now().Add(-time.Duration(a.DurationMS)*time.Millisecond), "    stage %d %s: %s: %s", a.Stage, a.Fix, a.Title, a.Outcome)
	}
	kernel := strings.TrimSpace(g.sh("uname -r"))
	if !strings.HasSuffix(kernel, newRelease) {
		g.t.Errorf("kernel %s runs, want …%s", kernel, newRelease)
	}
	if got := g.sh("modinfo -n vboxguest; modinfo -F version vboxguest; modinfo -F version vboxsf"); got !=
		"/lib/modules/"+kernel+"/misc/vboxguest.ko\n7.0.20 r163906\n7.0.20 r163906\n" {
		g.t.Errorf("modules: %q", got)
	}
	if got := g.sh("readlink -e /sbin/mount.vboxsf"); !strings.HasPrefix(got, "/opt/VBoxGuestAdditions-7.0.20/") {
		g.t.Errorf("mount helper: %q", got)
	}
	if got := g.sh("cat /etc/dnf/plugins/versionlock.list"); !strings.Contains(got, "kernel-devel-0:"+strings.TrimSuffix(kernel, ".x86_64")+".*") {
		g.t.Errorf("locks: %q", got)
	}
	if left := g.sh("ls -A /var/lib/boxdoctor/pending /var/lib/boxdoctor/run; ls -d /var/tmp/boxdoctor.* 2>/dev/null; true"); strings.Contains(left, ".iso") || strings.Contains(left, "/var/tmp/") {
		g.t.Errorf("left behind: %q", left)
	}
}

// TestInterruptedEverywhere: boxdoctor is killed after the unlock and after the reboot request, the power fails
// during the build, the link is cut during the next build. Each time the next fix observes and goes on; at the
// end everything is proven and the locks are whole.
func TestInterruptedEverywhere(t *testing.T) {
	g := startVM(t, "broken", "founding")
	locks := g.sh("cat /etc/dnf/plugins/versionlock.list")

	g.killed("ls /var/lib/boxdoctor/pending/*/*.path >/dev/null 2>&1", "after the unlock")
	g.killed("ps ax | grep -v grep | grep -q -e 'systemctl reboot' -e 'shutdown -r' || [ \"$(uname -r | sed s/^[^-]*//)\" = "+newRelease+" ]", "after the reboot request")
	vm(t, "wait", g.name, "240")

	begin := time.Now()
	stop := g.background("fix", "--yes")
	g.until("ls -d /tmp/vbox.0 >/dev/null 2>&1", 6*time.Minute)
	vm(t, "power-cycle", g.name)
	step(t, begin, "power cut during the build")
	stop()
	if got := g.sh("ls -A /var/lib/boxdoctor/pending"); strings.TrimSpace(got) != "" {
		t.Errorf("locks pending after the power cut: %q", got)
	}

	begin = time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.until("ls -d /tmp/vbox.0 >/dev/null 2>&1", 6*time.Minute)
		vm(t, "drop-link", g.name, "25", "cut")
	}()
	r, code := g.doctor("fix", "--yes")
	<-done
	step(t, begin, "fix with the link cut during the build")
	if code != finding.ExitUnverified && code != finding.ExitFailed {
		t.Errorf("fix: exit %d", code)
	}
	g.provenButTheMount(r)
	if locks == g.sh("cat /etc/dnf/plugins/versionlock.list") {
		t.Error("the lock still pins the version that does not exist")
	}
}

// killed starts a fix and ends it by SIGKILL as soon as a condition holds in the guest.
func (g *guest) killed(condition, when string) {
	g.t.Helper()
	begin := time.Now()
	stop := g.background("fix", "--yes")
	g.until(condition, 6*time.Minute)
	stop()
	step(g.t, begin, "boxdoctor killed %s", when)
}

// background starts boxdoctor; the returned function kills it and waits.
func (g *guest) background(args ...string) (kill func()) {
	g.t.Helper()
	c := exec.Command(binary, append(args, g.flags...)...)
	c.Env = append(os.Environ(), "BOXDOCTOR_STATE_HOME="+g.state)
	if err := c.Start(); err != nil {
		g.t.Fatal(err)
	}
	return func() {
		_ = c.Process.Kill()
		_ = c.Wait() // it was killed: the error says so
	}
}

// until waits for a condition in the guest, asked over a connection of its own; a guest that does not answer
// is asked again.
func (g *guest) until(condition string, limit time.Duration) {
	g.t.Helper()
	deadline := time.Now().Add(limit)
	for time.Now().Before(deadline) {
		ctx, cancel := context.WithTimeout(g.t.Context(), 30*time.Second)
		err := exec.CommandContext(ctx, "./vm/vm.sh", "ssh", g.name, "sudo sh -c '"+strings.ReplaceAll(condition, "'", `'\''`)+"'").Run()
		cancel()
		if err == nil {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	g.t.Fatalf("did not happen within %s: %s", limit, condition)
}

// TestStockKernelShadowsOracle is row S15: Debian's own vboxguest satisfies the installer, which exits 0 with
// nothing built for want of headers.
func TestStockKernelShadowsOracle(t *testing.T) {
	g := startVM(t, "stock", "stock")
	r, _ := g.doctor("check")
	g.want(r, finding.Fail, "modules.origin", "kernel.devel_missing")
	r, _ = g.doctor("fix", "--yes")
	g.want(r, finding.Pass, "kernel.devel_missing", "modules.origin", "modules.built", "additions.version")
	if got := g.sh("modinfo -n vboxguest; modinfo -F version vboxguest"); !strings.Contains(got, "/misc/vboxguest.ko\n7.0.20 r163906") {
		t.Errorf("modules: %q", got)
	}
}

// TestRealVirtualBox runs only where a real VirtualBox guest is given; there the mount and a write through it
// are demanded. BOXDOCTOR_VBOX_GUEST is the path of an ssh_config with one host.
func TestRealVirtualBox(t *testing.T) {
	config := os.Getenv("BOXDOCTOR_VBOX_GUEST")
	if config == "" {
		t.Skip("needs a guest of a real VirtualBox: BOXDOCTOR_VBOX_GUEST=ssh-config (docs/testing.md)")
	}
	g := &guest{t: t, name: "vbox", sshConfig: config, state: t.TempDir(), flags: []string{"--ssh-config", config, "--timeout", "15m"}}
	r, code := g.doctor("fix", "--yes")
	if code != finding.ExitOK {
		t.Errorf("fix: exit %d", code)
	}
	g.want(r, finding.Pass, "modules.loaded", "mount.shares", "mount.writable")
}
