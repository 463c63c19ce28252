//go:build acceptance

package acceptance

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// forwardReceiver is a Fluent Bit that keeps what it has acknowledged on the disk, as an aggregator does.
const forwardReceiver = `service: {flush: 0.5, grace: 1, log_level: warn, storage.path: %[3]s/chunks, storage.sync: normal, storage.checksum: "off", storage.max_chunks_up: 128}
pipeline:
  inputs: [{name: forward, listen: %[1]s, port: %[2]d, storage.type: filesystem}]
  outputs: [{name: file, match: "*", path: %[3]s, file: relp.json, format: plain, retry_limit: no_limits}]
`

// fluentBitProgram is that of PATH: Debian has no package of it, so these tests run only where somebody has brought one.
func fluentBitProgram(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("fluent-bit")
	if err != nil {
		t.Skip("there is no fluent-bit in PATH; put Fluent Bit 5 there to run this")
	}
	return program
}

// packFluentBit makes a folder of packages for the guest: the program with the libraries that it is linked with, where
// Fluent Bit's own package puts it, and what else the role needs.
func (r *receivers) packFluentBit(to string) {
	r.t.Helper()
	root := filepath.Join(r.dir, "fluent-bit-deb")
	program := root + "/opt/fluent-bit/bin/fluent-bit"
	for _, d := range []string{to, root + "/DEBIAN", filepath.Dir(program), root + "/opt/fluent-bit/lib"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			r.t.Fatal(err)
		}
	}
	files := map[string]string{
		root + "/DEBIAN/control": "Package: fluent-bit\nVersion: 5.0-boxdoctor\nArchitecture: amd64\nMaintainer: boxdoctor's tests <root@localhost>\nDescription: the fluent-bit of this machine\n",
		program:                  "#!/bin/sh\nLD_LIBRARY_PATH=/opt/fluent-bit/lib exec /opt/fluent-bit/bin/fluent-bit.real \"$@\"\n",
	}
	for name, text := range files {
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil { //nolint:gosec // a program
			r.t.Fatal(err)
		}
	}
	command(r.t, exec.Command("cp", "-L", r.fluentBit, program+".real"))
	linked, err := exec.Command("ldd", r.fluentBit).Output()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)=> (/\S+)`).FindAllStringSubmatch(string(linked), -1) {
		if base := filepath.Base(m[1]); !strings.HasPrefix(base, "libc.so") && !strings.HasPrefix(base, "libm.so") {
			command(r.t, exec.Command("cp", "-L", m[1], root+"/opt/fluent-bit/lib/"))
		}
	}
	command(r.t, exec.Command("dpkg-deb", "--root-owner-group", "-b", root, to+"/fluent-bit_5.0-boxdoctor_amd64.deb"))
	others, _ := filepath.Glob(r.parts + "/debs/*.deb")
	for _, deb := range others {
		if !strings.HasPrefix(filepath.Base(deb), "rsyslog") {
			command(r.t, exec.Command("cp", deb, to+"/"))
		}
	}
}

// TestLogAgentFluentBit is TestLogAgent with Fluent Bit: the second run changes nothing, and nothing is lost on the way to Kafka
// and by forward when the agent is killed and the receivers die.
func TestLogAgentFluentBit(t *testing.T) {
	g, r, file := agentGuest(t, "fluent", "64MB", fluentBitProgram(t))
	installed(t, g, file, "fluent-bit")
	ordinaryFailures(t, g, r)
}
