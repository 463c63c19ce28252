package host

import (
	"context"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// winAPI is what is asked of Windows: values of the registry's HKEY_LOCAL_MACHINE and the state of services. Everything
// can be read without elevation. The real one exists only on Windows; tests give one of their own.
type winAPI struct {
	text    func(key, name string) (string, bool)
	number  func(key, name string) (uint64, bool)
	service func(name string) (running bool, start int, ok bool)
	environ func() []string
}

// windows reads the registry and the services.
func (ob *observer) windows(ctx context.Context) facts.Value[facts.Windows] {
	if ob.goos != "windows" {
		return facts.Unknownf[facts.Windows]("this host runs %s", ob.goos)
	}
	w := facts.Windows{}
	w.InstallDir, _ = ob.win.text(`SOFTWARE\Oracle\VirtualBox`, "InstallDir")
	w.Hypervisor, w.Evidence = ob.hyperV()
	for _, name := range []string{"VBoxSup", "VBoxDrv"} {
		if running, start, ok := ob.win.service(name); ok {
			w.Services = append(w.Services, facts.WindowsService{Name: name, Running: running, Start: start})
		}
	}
	for _, v := range ob.win.environ() {
		w.EnvSize += len(v) + 1
	}
	w.PowerShell = ob.powerShellVersion()
	w.PowerShellPath = ob.powerShellPath()
	w.PowerShellHung = ob.powerShellHangs(ctx, w)
	return facts.Known(w)
}

// hyperV tells whether Windows' own hypervisor runs. There is no single value that says it without elevation, so the
// services that only run on top of it and the state of virtualization based security are looked at.
func (ob *observer) hyperV() (running bool, evidence string) {
	for _, name := range []string{"HvHost", "vmcompute", "vmms"} {
		if on, _, ok := ob.win.service(name); ok && on {
			return true, "the service " + name + " runs"
		}
	}
	const guard = `SYSTEM\CurrentControlSet\Control\DeviceGuard`
	if n, ok := ob.win.number(guard, "EnableVirtualizationBasedSecurity"); ok && n == 1 {
		return true, "virtualization based security is enabled in the registry"
	}
	const integrity = guard + `\Scenarios\HypervisorEnforcedCodeIntegrity`
	if n, ok := ob.win.number(integrity, "Enabled"); ok && n == 1 {
		return true, "memory integrity (core isolation) is enabled in the registry"
	}
	return false, ""
}

// powerShellVersion is what the registry tells: key 3 since PowerShell 3, key 1 for the older ones.
func (ob *observer) powerShellVersion() string {
	for _, key := range []string{"3", "1"} {
		if v, ok := ob.win.text(`SOFTWARE\Microsoft\PowerShell\`+key+`\PowerShellEngine`, "PowerShellVersion"); ok {
			return clean(v)
		}
	}
	return ""
}

// powerShellPath finds the program as Vagrant does: PATH, then its usual folders.
func (ob *observer) powerShellPath() string {
	for _, name := range []string{"powershell.exe", "pwsh.exe"} {
		for _, dir := range ob.splitList(ob.Getenv("PATH")) {
			if p := ob.join(dir, name); ob.isProgram(p) {
				return p
			}
		}
	}
	root := ob.Getenv("SYSTEMROOT")
	if root == "" {
		root = `C:\Windows`
	}
	for _, p := range []string{root + `\System32\WindowsPowerShell\v1.0\powershell.exe`, `C:\Program Files\PowerShell\7\pwsh.exe`} {
		if ob.isProgram(p) {
			return p
		}
	}
	return ""
}

// defaultPowerShellLimit is how long an old PowerShell may take to tell its version.
const defaultPowerShellLimit = 10 * time.Second

// powerShellHangs starts PowerShell only where it may hang, which is version 2 and where no version is recorded: the
// answer of a newer one would only cost time.
func (ob *observer) powerShellHangs(ctx context.Context, w facts.Windows) bool {
	if w.PowerShellPath == "" || w.PowerShell != "" && !strings.HasPrefix(w.PowerShell, "2.") {
		return false
	}
	inner, cancel := context.WithTimeout(ctx, ob.powerShellLimit)
	defer cancel()
	_, err := ob.Exec(inner, w.PowerShellPath, "-NoLogo", "-NoProfile", "-NonInteractive", "-Command", "$PSVersionTable.PSVersion.Major")
	return err != nil && inner.Err() != nil && ctx.Err() == nil
}
