package testkit

import (
	"os"
	"os/exec"
	"path/filepath"
)

// Pythons are the oldest and the newest Python interpreter that are here, on the path or below ~/.pyenv: scripts for
// guests must run with what a guest happens to have.
func Pythons() []string {
	var out []string
	home, _ := os.UserHomeDir()
	for _, v := range []string{"2.6", "2.7", "3", "3.6", "3.13"} {
		path, err := exec.LookPath("python" + v)
		if found, _ := filepath.Glob(home + "/.pyenv/versions/" + v + ".*/bin/python"); len(v) > 1 && len(found) > 0 {
			path, err = found[0], nil
		}
		if err == nil && exec.Command(path, "-c", "").Run() == nil { //nolint:noctx // it ends at once
			out = append(out, path)
		}
	}
	if len(out) > 2 {
		out = []string{out[0], out[len(out)-1]}
	}
	return out
}
