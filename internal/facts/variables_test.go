package facts

import "testing"

func TestVariablesOfAMachine(t *testing.T) {
	for name, want := range map[string]string{"web-1": "WEB_1", "db.example.org": "DB_EXAMPLE_ORG", "Ünï": "_N_", "A9_b": "A9_B", "": ""} {
		if got := SudoVariable(name); got != "BOXDOCTOR_SUDO_PASSWORD_"+want {
			t.Errorf("SudoVariable(%q) = %q", name, got)
		}
		if got := SSHVariable(name); got != "BOXDOCTOR_SSH_PASSWORD_"+want {
			t.Errorf("SSHVariable(%q) = %q", name, got)
		}
	}
}
