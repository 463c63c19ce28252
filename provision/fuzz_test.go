package provision

import (
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/probe"

	"github.com/boxdoctor/boxdoctor/internal/action"
)

// FuzzParse: whatever a project declares, the reader answers with resources or an error, and no name or path of it
// can be taken for an option or another command.
func FuzzParse(f *testing.F) {
	for _, text := range []string{app, "resources: [{package: htop}]", "machines: {web: {}}\nresources: [{file: {path: /x, content: a}, on: [web]}]", "a: [", "supervisor: {programs: {a: {command: x, environment: {A: b}}}}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse([]byte(text))
		if err != nil {
			return
		}
		plan, err := c.For("web", Input{Dir: t.TempDir(), Secrets: &Secrets{Getenv: func(string) string { return "s" }}})
		if err != nil {
			return
		}
		rs, err := plan(facts.Guest{System: facts.Known(facts.System{Manager: "apt"})})
		if err != nil {
			return
		}
		for _, r := range rs {
			n := r.Needs()
			for _, name := range append(append(n.Packages, n.Services...), n.Files...) {
				if strings.HasPrefix(name, "-") || strings.ContainsAny(name, "\n\r") {
					t.Errorf("%s asks for %q", r.ID(), name)
				}
			}
		}
	})
}

// FuzzAnswers: a guest that lies is an error or a state, never a crash.
func FuzzAnswers(f *testing.F) {
	f.Add("file", "81a4 3 root root /etc/motd", "aa\nhi")
	f.Add("dpkg", "htop 3.2 install ok installed", "")
	f.Add("user", "web:x:1:2::/home:/bin/sh", "web adm")
	f.Add("systemd", "cron loaded active enabled", "")
	f.Fuzz(func(t *testing.T, name, value, lines string) {
		a := probe.Answer{Facts: []probe.Fact{{Name: name, Value: value, Lines: strings.Split(lines, "\n")}}}
		for kind, got := range map[string]int{
			"file": len(read("file", a, readFile).of), "package": len(read("package", a, readPackage).of),
			"service": len(read("service", a, readService).of), "user": len(read("user", a, readUser).of),
			"group": len(read("group", a, readGroup).of), "sysctl": len(read("sysctl", a, readSysctl).of),
			"folder": len(read("folder", a, readFolder).of), "command": len(read("command", a, readCommand).of),
		} {
			if got > 1 {
				t.Errorf("one line became %d of kind %s", got, kind)
			}
		}
	})
}

// Whatever stands in mongod.conf: it is refused, left alone, or merged into a file that needs nothing more.
func FuzzMongoConf(f *testing.F) {
	for _, text := range []string{"", "net:\n  port: 1\n", "net: {port: 27017}\nsecurity:\n", "dbpath=/x\n", "net.port: 3\n", "? [a]\n: b\n", "a: &x {b: *x}\n", "net: [1]\n", "1: 2\n", "net:\n  port: !!binary x\n"} {
		f.Add(text)
	}
	c := mongoConf{Path: "/etc/mongod.conf", Instance: 27017, Options: map[string]any{"net.port": 27017, "replication.replSetName": "rs0", "security.authorization": "enabled"}}
	f.Fuzz(func(t *testing.T, text string) {
		look := func(text string) ([]Change, error) {
			s := bench("apt")
			s.files.of[c.Path] = File{Exists: true, Type: "file", Mode: 0o644, Owner: "root", Group: "root", SHA256: sum(text)}
			s.commands.of[c.question()] = Output{Text: strings.TrimRight(text, "\n")}
			return c.Diff(s)
		}
		changes, err := look(text)
		if err != nil || len(changes) == 0 {
			return
		}
		put := changes[0].Do[len(changes[0].Do)-1].(action.PutFile)
		if again, err := look(put.Content); err != nil || len(again) != 0 {
			t.Errorf("%q becomes %q, which still differs: %v %v", text, put.Content, again, err)
		}
	})
}
