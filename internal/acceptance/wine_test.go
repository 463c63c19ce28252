//go:build acceptance_host

package acceptance

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/finding"
)

// wineLab is a Windows of Wine in the folder of a test: the cross-compiled boxdoctor, and a VirtualBox and a Vagrant as far as
// files and the registry tell of them.
type wineLab struct {
	*hostLab
	drive string // C:
	wine  string
	vars  []string
}

func newWineLab(t *testing.T) *wineLab {
	t.Helper()
	l := &wineLab{hostLab: newHostLab(t)}
	l.wine, l.drive = filepath.Join(mustAbs(t, "hostlab"), "wine"), filepath.Join(l.work, "windows", "drive_c")
	l.vars = []string{`WINEPATH=C:\HashiCorp\Vagrant\bin`, `BOXDOCTOR_STATE_HOME=C:\state`, `VAGRANT_CWD=C:\project`}
	t.Cleanup(l.end)
	l.mustWine("wine64", "wineboot", "-i")
	l.crossBuild("boxdoctor.exe", "../..")
	l.crossBuild("Program Files/Oracle/VirtualBox/VBoxManage.exe", "./hostlab/answers")
	l.file("HashiCorp/Vagrant/bin/vagrant.exe", "")
	l.file("HashiCorp/Vagrant/embedded/gems/2.4.9/gems/vagrant-2.4.9/version.txt", "2.4.9")
	l.reg(`HKLM\SOFTWARE\Oracle\VirtualBox`, "InstallDir", "REG_SZ", `C:\Program Files\Oracle\VirtualBox\`)
	l.reg(`HKLM\SOFTWARE\Microsoft\PowerShell\3\PowerShellEngine`, "PowerShellVersion", "REG_SZ", "5.1.19041.4648")
	l.record()
	return l
}

// end ends Wine's server, so that the folder can be removed.
func (l *wineLab) end() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // the test's own is over
	defer cancel()
	cmd := exec.CommandContext(ctx, l.wine, "wineserver", "-k")
	cmd.Env = l.env
	_ = cmd.Run() // it may have ended by itself
	_ = os.RemoveAll(filepath.Join(hostRoot("wine"), l.work))
}

func (l *wineLab) mustWine(args ...string) string {
	l.t.Helper()
	out, errs, code := l.run(l.wine, args...)
	if code != 0 {
		l.t.Fatalf("%q: %d\n%s%s", args, code, out, errs)
	}
	return out
}

func (l *wineLab) file(path, text string) {
	l.t.Helper()
	path = filepath.Join(l.drive, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

func (l *wineLab) crossBuild(name, from string) {
	l.t.Helper()
	build := exec.CommandContext(l.t.Context(), "go", "build", "-o", filepath.Join(l.drive, name), from)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=windows", "GOARCH=amd64")
	if out, err := build.CombinedOutput(); err != nil {
		l.t.Fatalf("%v: %s", err, out)
	}
}

func (l *wineLab) reg(key, name, kind, value string) {
	l.t.Helper()
	l.mustWine("wine64", "reg", "add", key, "/v", name, "/t", kind, "/d", value, "/f")
}

// answer is what VBoxManage.exe will say, with the ends of lines that a Windows program writes.
func (l *wineLab) answer(call, text string) {
	l.t.Helper()
	l.file("Program Files/Oracle/VirtualBox/answers/"+strings.ReplaceAll(call, " ", "_")+".txt", strings.ReplaceAll(text, "\n", "\r\n"))
}

// record asks the real VBoxManage; only the version is given without the warning, which is Linux's, and folders as Windows has them.
func (l *wineLab) record() {
	l.t.Helper()
	l.vm("web")
	l.answer("--version", "7.2.22r173190\n")
	for _, list := range []string{"vms", "runningvms", "systemproperties", "hostinfo", "dhcpservers", "extpacks", "hdds", "hostonlyifs"} {
		text := l.manage("list", list)
		if list == "systemproperties" {
			lines := strings.Split(text, "\n")
			for i, line := range lines {
				if strings.HasPrefix(line, "Default machine folder:") {
					lines[i] = `Default machine folder:          C:\users\root\VirtualBox VMs`
				}
			}
			text = strings.Join(lines, "\n")
		}
		l.answer("list "+list, text)
	}
}

// boxdoctor runs the Windows program.
func (l *wineLab) boxdoctor(args ...string) (stdout, stderr string, code int) {
	l.t.Helper()
	return l.run(l.wine, append(append(append([]string{}, l.vars...), "wine64", `C:\boxdoctor.exe`), args...)...)
}

func (l *wineLab) find(args ...string) map[string]finding.Finding {
	l.t.Helper()
	out, errs, _ := l.boxdoctor(append([]string{"check", "--format", "json"}, args...)...)
	return byID(l.t, out, errs)
}

func (l *wineLab) vagrantfile(port int) string {
	return fmt.Sprintf("Vagrant.configure(\"2\") do |config|\n  config.vm.box = \"bento/centos-7\"\n  config.vm.network \"forwarded_port\", guest: 80, host: %d\nend\n", port)
}

// The cross-compiled program on a Windows that is well, and then on one that is not.
func TestHostUnderWine(t *testing.T) {
	l := newWineLab(t)
	l.file("project/Vagrantfile", l.vagrantfile(38080))
	found := l.find()
	for _, id := range []string{"vbox.missing", "vbox.unsupported", "vagrantfile.broken", "port.collision", "win.hyperv_old", "win.powershell_old", "win.home_non_ascii", "win.home_space", "vbox.extpack"} {
		if f := found[id]; f.Status != finding.Pass {
			t.Errorf("healthy: %s %s, %s", id, f.Status, f.Message)
		}
	}
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	sick := l.vagrantfile(busy.Addr().(*net.TCPAddr).Port)
	l.file("project/Vagrantfile", sick)
	l.answer("--version", "6.1.50r161033\n")
	l.reg(`HKLM\SYSTEM\CurrentControlSet\Control\DeviceGuard`, "EnableVirtualizationBasedSecurity", "REG_DWORD", "1")
	l.reg(`HKLM\SOFTWARE\Microsoft\PowerShell\3\PowerShellEngine`, "PowerShellVersion", "REG_SZ", "2.0")
	l.vars = append(l.vars, `VAGRANT_HOME=C:\Stéphane Diez\.vagrant.d`)
	l.file("Stéphane Diez/.vagrant.d/setup_version", "1.5")
	l.file("project/.vagrant/machines/default/virtualbox/id", "11111111-2222-3333-4444-555555555555")
	l.answer("showvminfo 11111111-2222-3333-4444-555555555555 --machinereadable", "")
	found = l.find()
	for _, id := range []string{"port.collision", "win.hyperv_old", "win.powershell_old", "vm.stale_id"} {
		if f := found[id]; f.Status != finding.Fail || len(f.Advice) == 0 {
			t.Errorf("sick: %s %s, %s", id, f.Status, f.Message)
		}
	}
	for _, id := range []string{"win.home_non_ascii", "win.home_space"} {
		if f := found[id]; f.Status != finding.Fail && f.Status != finding.Warn {
			t.Errorf("sick: %s %s, %s", id, f.Status, f.Message)
		}
	}
	l.repair(sick)
	l.explain()
	l.boxURL()
}

// repair puts a free port into the Vagrantfile, and undo the old one.
func (l *wineLab) repair(sick string) {
	l.t.Helper()
	out, errs, _ := l.boxdoctor("fix", "host", "--yes", "--only", "port.collision")
	now, err := os.ReadFile(filepath.Join(l.drive, "project", "Vagrantfile"))
	if err != nil || string(now) == sick || !strings.Contains(out, "host.ports") {
		l.t.Errorf("fix: %v\n%s%s%s", err, now, out, errs)
	}
	out, errs, code := l.boxdoctor("undo", "--yes")
	now, err = os.ReadFile(filepath.Join(l.drive, "project", "Vagrantfile"))
	if err != nil || string(now) != sick || code != 0 {
		l.t.Errorf("undo: %d, %v\n%s%s%s", code, err, now, out, errs)
	}
}

// explain reads a text of Windows from a file.
func (l *wineLab) explain() {
	l.t.Helper()
	l.file("log.txt", "Stderr: VBoxManage.exe: error: Raw-mode is unavailable courtesy of Hyper-V. (VERR_SUPDRV_NO_RAW_MODE_HYPER_V_ROOT)\r\n")
	if out, errs, code := l.boxdoctor("explain", `C:\log.txt`); code != 0 || !strings.Contains(out, "root cause: win.hyperv_old") {
		l.t.Errorf("explain: %d, %s%s", code, out, errs)
	}
}

// boxURL asks a registry on loopback.
func (l *wineLab) boxURL() {
	l.t.Helper()
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path != "/api/v2/vagrant/org/tiny" {
			http.NotFound(w, q)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"name":"org/tiny","versions":[{"version":"1.2.3","providers":[{"name":"virtualbox","url":"http://%s/tiny.box","checksum":"%064d","checksum_type":"sha256"}]}]}`, q.Host, 7)
	}))
	defer registry.Close()
	l.vars = append(l.vars, "VAGRANT_SERVER_URL="+registry.URL)
	if out, errs, code := l.boxdoctor("box", "url", "org/tiny"); code != 0 || !strings.Contains(out, registry.URL+"/tiny.box") {
		l.t.Errorf("box url: %d, %s%s", code, out, errs)
	}
}
