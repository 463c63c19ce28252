package sshserver

import "os/exec"

func ownGroup(*exec.Cmd) {}
