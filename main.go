// Command boxdoctor examines Vagrant machines in VirtualBox over SSH, says what ails them, and repairs it.
package main

import (
	"os"

	"github.com/boxdoctor/boxdoctor/cmd"
)

func main() { os.Exit(cmd.Main()) }
