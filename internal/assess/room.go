package assess

import "path"

// Room that an installation of Guest Additions needs, in KiB: the ISO (60 MB) and a build in /var, the
// installation (30 MB) in /opt, the build and the unpacked archive in /tmp, a new initramfs in /boot.
var roomNeeded = map[string]int64{"/": 50 << 10, "/var": 150 << 10, "/opt": 100 << 10, "/tmp": 120 << 10, "/boot": 40 << 10, "/usr": 100 << 10}

// RoomNeeded is how much must be free on the file system of a path, in KiB; 0 for a path that does not matter.
func RoomNeeded(p string) int64 { return roomNeeded[path.Clean(p)] }
