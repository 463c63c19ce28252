package host

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// at is a path of the host's file system; tests lay out one of their own below fsroot.
func (ob *observer) at(path string) string { return filepath.Join(ob.fsroot, path) }

// text is the trimmed content of a small file of /proc, /sys or /etc; empty when it cannot be read.
func (ob *observer) text(path string) string {
	data, err := readBounded(ob.at(path), 1<<20)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(plain(string(data)))
}

func (ob *observer) exists(path string) bool {
	_, err := os.Lstat(ob.at(path))
	return err == nil
}

func (ob *observer) hostSystem() facts.Value[facts.HostSystem] {
	s := facts.HostSystem{Arch: runtime.GOARCH, UID: ob.uid, Home: ob.HomeDir}
	switch ob.goos {
	case "linux":
		s.Kernel = ob.text("/proc/sys/kernel/osrelease")
		s.Distro = ob.distro()
		s.WSL = wsl(ob.text("/proc/version"))
	case "darwin":
		if ob.sysctl("hw.optional.arm64") == "1" {
			s.Arch = "arm64" // also for a boxdoctor that Rosetta translates
		}
		s.Kernel = ob.sysctl("kern.osrelease")
	case "windows":
		s.Arch = ob.windowsArch()
	}
	if path, _ := ob.findManage(); path != "" && ob.goos != "windows" {
		s.OpenFolders = openFolders(path)
	}
	return facts.Known(s)
}

// windowsArch: a 32-bit or translated program is told the machine's architecture by a second variable.
func (ob *observer) windowsArch() string {
	arch := ob.Getenv("PROCESSOR_ARCHITEW6432")
	if arch == "" {
		arch = ob.Getenv("PROCESSOR_ARCHITECTURE")
	}
	switch strings.ToUpper(arch) {
	case "ARM64":
		return "arm64"
	case "AMD64":
		return "amd64"
	}
	return runtime.GOARCH
}

// distro is ID of os-release and what it is like.
func (ob *observer) distro() string {
	values := map[string]string{}
	for _, line := range strings.Split(ob.text("/etc/os-release"), "\n") {
		if key, value, ok := strings.Cut(line, "="); ok {
			values[key] = clean(strings.Trim(value, `"'`))
		}
	}
	return strings.TrimSpace(values["ID"] + " " + values["ID_LIKE"])
}

// wsl is 1 or 2 inside the Windows Subsystem for Linux: its kernels name Microsoft.
func wsl(version string) int {
	low := strings.ToLower(version)
	switch {
	case !strings.Contains(low, "microsoft"):
		return 0
	case strings.Contains(low, "wsl2"), strings.Contains(low, "microsoft-standard"):
		return 2
	}
	return 1
}

// openFolders are the folders above a program that everybody may write to. One with the sticky bit, such as /tmp, is left
// out: others cannot replace there what is not theirs, and it must stay as it is.
func openFolders(program string) []string {
	if real, err := filepath.EvalSymlinks(program); err == nil {
		program = real
	}
	var open []string
	for dir := filepath.Dir(program); ; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o002 != 0 && info.Mode()&os.ModeSticky == 0 {
			open = append(open, dir)
		}
		if dir == filepath.Dir(dir) {
			return open
		}
	}
}

// interfaces lists the host's network interfaces with their addresses.
func (ob *observer) interfaces() facts.Value[[]facts.Interface] {
	all, err := net.Interfaces()
	if err != nil {
		return facts.Unknownf[[]facts.Interface]("the network interfaces cannot be listed: %v", err)
	}
	out := []facts.Interface{}
	for _, i := range all {
		one := facts.Interface{Name: clean(i.Name), Up: i.Flags&net.FlagUp != 0}
		addrs, err := i.Addrs()
		if err != nil {
			continue // it went away between the two calls
		}
		for _, a := range addrs {
			one.Addrs = append(one.Addrs, a.String())
		}
		out = append(out, one)
	}
	return facts.Known(out)
}
