package host

import "strings"

// shareTools finds this host's side of the ways to share a folder without Guest Additions. Nothing is started.
func (ob *observer) shareTools() map[string]string {
	exe := ""
	if ob.goos == "windows" {
		exe = ".exe"
	}
	fixed := map[string][]string{
		"rsync": nil,
		"nfsd":  {"/sbin/nfsd", "/usr/sbin/rpc.nfsd", "/usr/sbin/exportfs", "/sbin/rpc.nfsd"},
		// Windows and macOS share folders themselves; Vagrant cannot make a Linux host do it.
		"smb": {"/usr/sbin/smbd"},
		"sftp-server": {"/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server",
			`C:\Windows\System32\OpenSSH\sftp-server.exe`},
	}
	out := map[string]string{}
	for name, places := range fixed {
		for _, dir := range ob.splitList(ob.Getenv("PATH")) {
			places = append(places, ob.join(dir, name+exe))
		}
		out[name] = ""
		for _, p := range places {
			if strings.HasPrefix(p, "/") == (ob.goos != "windows") && ob.isProgram(p) {
				out[name] = p
				break
			}
		}
	}
	return out
}
