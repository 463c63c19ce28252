package host

import (
	"io/fs"

	"golang.org/x/sys/windows"
)

// denied and deniedFile: rights on Windows are lists whose outcome only a trial tells, and a check tries nothing.
func denied(string) string     { return "" }
func deniedFile(string) string { return "" }

// freeMB is the space that the user may still use on the drive of a folder.
func freeMB(dir string) (int, bool) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, false
	}
	var free uint64
	if windows.GetDiskFreeSpaceEx(name, &free, nil, nil) != nil {
		return 0, false
	}
	return int(free >> 20), true
}

// ownerOf: Windows has no user ids.
func ownerOf(fs.FileInfo) int { return -1 }
