package provision

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown key":        {"machines: {web: {}}\nresources:\n  - packge: htop\n", `line 3, column 5: unknown key "packge"; did you mean package?`},
		"unknown inner key":  {"resources:\n  - file: {path: /x, contents: a}\n", `unknown key "contents"; did you mean content?`},
		"known elsewhere":    {"resources:\n  - file: {path: /x, on: [a]}\n", `unknown key "on"; it is known, but in another place`},
		"not yaml":           {"machines: [\n", "sequence end token"},
		"wrong type":         {"machines: 3\n", "[1:11]"},
		"secret in no place": {"resources: 3\n", "[1:12]"},
	} {
		if _, err := Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if c, err := Parse(nil); err != nil || len(c.Resources) != 0 {
		t.Errorf("an empty file: %v %v", c, err)
	}
}

func resourcesOf(t *testing.T, text, machine string, s *Secrets) ([]Resource, error) {
	t.Helper()
	c, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if s == nil {
		s = &Secrets{}
	}
	plan, err := c.For(machine, Input{Dir: t.TempDir(), Secrets: s})
	if err != nil {
		return nil, err
	}
	return plan(facts.Guest{})
}

func ids(rs []Resource) string {
	var out []string
	for _, r := range rs {
		out = append(out, r.ID())
	}
	return strings.Join(out, " ")
}

func TestForChoosesByMachineAndGroup(t *testing.T) {
	const text = `
machines: {web: {groups: [app]}, db: {resources: [{package: only-db}]}}
resources:
  - package: everywhere
  - {package: for-app, on: [app]}
  - {package: for-db, on: [db]}
  - service: cron
`
	for machine, want := range map[string]string{
		"web": "package/everywhere package/for-app service/cron",
		"db":  "package/everywhere package/for-db service/cron package/only-db",
	} {
		if rs, err := resourcesOf(t, text, machine, nil); err != nil || ids(rs) != want {
			t.Errorf("%s: %s %v, want %s", machine, ids(rs), err, want)
		}
	}
	c, _ := Parse([]byte(strings.Replace(text, "on: [app]", "on: [ap]", 1)))
	if err := c.CheckOn(); err == nil || !strings.Contains(err.Error(), `"ap" is neither a machine nor a group`) {
		t.Error(err)
	}
}

func TestForRefuses(t *testing.T) {
	for entry, want := range map[string]string{
		`{package: "htop; reboot"}`:                                  `the name "htop; reboot" is not one`,
		`{package: -y}`:                                              `the name "-y" is not one`,
		`{file: {path: etc/motd}}`:                                   "is not a whole, plain path",
		`{file: {path: /etc/../motd}}`:                               "is not a whole, plain path",
		`{file: {path: /etc/motd, mode: "888"}}`:                     "octal digits",
		`{file: {path: /x, content: a, source: b}}`:                  "exclude each other",
		`{file: {path: /x, source: ../../etc/passwd}}`:               "it must lie in the folder of the configuration",
		`{template: {path: /x, content: "{{.vars.none}}"}}`:          "no entry for key",
		`{exec: {name: x, command: y}}`:                              "exactly one guard",
		`{service: {name: x}}`:                                       "say its state",
		`{service: {name: x, state: running}}`:                       `the state "running" is not one of`,
		`{cron: {name: a.b, schedule: "* * * * *", command: x}}`:     "cron reads only files named by",
		`{cron: {name: a, schedule: "* * *", command: x}}`:           "a schedule is five fields",
		`{sysctl: {key: "a b", value: "1"}}`:                         "is no parameter of the kernel",
		`{package: a, service: b}`:                                   "exactly one of package",
		`{tags: [x]}`:                                                "exactly one of package",
		`{file: {path: /x, content: "${env:TOKEN}"}}`:                "not allowed yet",
		`{repository: {name: x}}`:                                    "say where it is",
		`{repository: {name: x, apt: {uri: "a b", suite: c}}}`:       "blanks or brackets",
		`{repository: {name: x, yum: {baseurl: b}, key: {file: k}}}`: "a fingerprint and exactly one",
	} {
		if rs, err := resourcesOf(t, "resources: ["+entry+"]", "web", nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %s %v, want %s", entry, ids(rs), err, want)
		}
	}
	if _, err := resourcesOf(t, "resources: [{package: a}, {package: a}]", "web", nil); err == nil {
		t.Error("a resource that is declared twice was taken")
	}
}

func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "key"), []byte("k3y\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Secrets{Dir: dir, Getenv: func(n string) string { return map[string]string{"A": "longer-k3y"}[n] }, Allowed: []string{"env:A", "file:key", "env:EMPTY"}}
	out, secret, err := s.expand("a=${env:A} b=${file:key}")
	if out != "a=longer-k3y b=k3y" || !secret || err != nil {
		t.Errorf("%q %v %v", out, secret, err)
	}
	if got := s.Mask("x longer-k3y k3y"); got != "x ******** ********" {
		t.Error(got)
	}
	if _, _, err := s.expand("${env:B}"); !errors.Is(err, ErrConsent) {
		t.Error(err)
	}
	if _, _, err := s.expand("${env:EMPTY}"); err == nil {
		t.Error("an empty secret was taken")
	}
	rs, err := resourcesOf(t, `resources: [{file: {path: /x, content: "${env:A}"}}]`, "web", s)
	f := rs[0].(FileResource)
	if err != nil || !f.Secret || f.Mode != 0o600 {
		t.Errorf("%+v %v", f, err)
	}
	if got := told(f.Diff(bench("dnf"))); strings.Contains(got, "k3y") {
		t.Error(got)
	}
}

// The examples of docs/provision.md are read as they stand there.
func TestDocumentedExamples(t *testing.T) {
	b, err := os.ReadFile("../docs/provision.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(b), "```yaml\n")
	if len(parts) != 3 {
		t.Fatalf("%d examples", len(parts)-1)
	}
	for _, p := range parts[1:] {
		text, _, _ := strings.Cut(p, "```")
		if _, err := Parse([]byte(text)); err != nil {
			t.Errorf("%v in\n%s", err, text)
		}
	}
}
