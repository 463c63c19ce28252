package host

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// readSysctl is one kernel value as text; empty when there is none of that name.
func readSysctl(name string) string {
	if name == "hw.optional.arm64" {
		n, err := unix.SysctlUint32(name)
		if err != nil {
			return ""
		}
		return strconv.FormatUint(uint64(n), 10)
	}
	s, err := unix.Sysctl(name)
	if err != nil {
		return ""
	}
	return s
}
