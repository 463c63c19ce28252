package passthru

import "os/exec"

// handOver gives the program the person's own terminal: nothing of what it says can be kept.
func handOver(cmd *exec.Cmd, p Program) (Result, error) {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.In, p.Out, p.Err
	stop := forward(cmd)
	defer stop()
	err := cmd.Run()
	return result(cmd, err, nil)
}
