package facts

import "strings"

// SudoVariable is the name of the environment variable that holds a machine's sudo password (issue 1).
func SudoVariable(machine string) string { return "BOXDOCTOR_SUDO_PASSWORD_" + envName(machine) }

// SSHVariable is the name of the environment variable that holds a machine's SSH password (issue 1).
func SSHVariable(machine string) string { return "BOXDOCTOR_SSH_PASSWORD_" + envName(machine) }

// envName is a machine's name as part of a variable's name: upper case, anything else an underscore.
func envName(machine string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, machine)
}
