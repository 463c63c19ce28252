// Command answers stands in for VBoxManage.exe, whose driver no Wine can load: it prints what the real VBoxManage said to
// the same words, from a file beside itself.
package main

import (
	"os"
	"path/filepath"
	"strings"
)

func main() {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	said, err := os.ReadFile(filepath.Join(filepath.Dir(self), "answers", strings.Join(os.Args[1:], "_")+".txt"))
	if err != nil {
		panic(err)
	}
	if _, err := os.Stdout.Write(said); err != nil {
		panic(err)
	}
}
