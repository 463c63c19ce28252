package cmd

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/finding"
	"github.com/boxdoctor/boxdoctor/internal/guest/sshguest"
	"github.com/boxdoctor/boxdoctor/internal/host"
	"github.com/boxdoctor/boxdoctor/internal/mongoadmin"
	"github.com/boxdoctor/boxdoctor/internal/mongotest"
	"github.com/boxdoctor/boxdoctor/internal/replset"
	"github.com/boxdoctor/boxdoctor/internal/sshserver"
)

const mongoPassword = "s3cret-of-the-test"

// mongoTrial is the whole program over real SSH; each machine's mongod is a scripted double, reached through its sshd.
func mongoTrial(t *testing.T, machines ...string) (*trial, *mongotest.Set, string) {
	t.Helper()
	var names []string
	for _, m := range machines {
		names = append(names, m+":0")
	}
	set := mongotest.New(t, "8.0.4", names...)
	srv, err := sshserver.Start(t.Context(), sshserver.Options{Handler: &sshserver.ShellHandler{Dir: t.TempDir()}, Forward: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	tr := newTrial(t)
	tr.dial, tr.now = dialGuest, time.Now
	tr.env["PW"] = mongoPassword
	tr.observe = func(context.Context, host.Options) (host.Inventory, error) {
		var inv host.Inventory
		for _, m := range machines {
			inv.Machines = append(inv.Machines, host.Machine{Facts: facts.Machine{Name: m},
				SSH: sshguest.Config{Name: m, User: "vagrant", Host: srv.Host(), Port: srv.Port(), NoHostKeyFile: true}})
		}
		return inv, nil
	}
	var b strings.Builder
	b.WriteString("machines: {" + strings.Join(machines, ": {}, ") + ": {}}\nmongo:\n  set: rs0\n  users: {admin: {roles: [root], password: \"${env:PW}\"}}\n  members:\n")
	for i, m := range machines {
		fmt.Fprintf(&b, "    - {machine: %s, port: %d}\n", m, set.Port(set.Hosts()[i]))
	}
	file := filepath.Join(t.TempDir(), ".boxdoctor.yaml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return tr, set, file
}

// form makes the doubles a set, as boxdoctor provision does.
func form(t *testing.T, s *mongotest.Set) {
	t.Helper()
	want, doors := replset.Set{Name: "rs0"}, &mongoadmin.Doors{Ways: map[string]mongoadmin.Way{}}
	for _, h := range s.Hosts() {
		want.Members = append(want.Members, replset.Member{Host: h, Votes: 1, Priority: 1})
		doors.Ways[h] = mongoadmin.Way{Dial: s.Dial, Port: s.Port(h)}
	}
	defer doors.Close(t.Context())
	d := &replset.Drive{Want: want, Open: doors.Open, Admin: replset.Credential{User: "admin", Password: mongoPassword}, Election: 5 * time.Second, Sync: 5 * time.Second,
		Pause: time.Millisecond, Now: time.Now, Act: func(ctx context.Context, _ replset.Step, run func(context.Context) error) error { return run(ctx) }}
	if _, _, err := d.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestMongoStatus(t *testing.T) {
	tr, set, file := mongoTrial(t, "db1", "db2", "db3")
	tr.run(t, finding.ExitUsage, "mongo", "status", "-f", file) // a secret is not read without consent
	tr.run(t, finding.ExitFailed, "mongo", "status", "-f", file, "--allow", "env:PW")
	says(t, tr.out.String(), "the set was never formed", "not a member")
	form(t, set)
	tr.out.Reset()
	tr.run(t, finding.ExitOK, "mongo", "status", "-f", file)
	says(t, tr.out.String(), "rs0   primary db1:", "majority yes", "PRIMARY", "SECONDARY", "8.0.4")
	tr.out.Reset()
	tr.run(t, finding.ExitOK, "mongo", "status", "-f", file, "--format", "json")
	says(t, tr.out.String(), `"schema_version": 1`, `"problems": []`, `"votes": 1`)
	fits(t, "mongo-status", tr.out.Bytes())
	set.Down(set.Hosts()[2], "Error connecting to db3:27017: Connection refused")
	tr.out.Reset()
	tr.run(t, finding.ExitFailed, "mongo", "status", "-f", file)
	says(t, tr.out.String(), "DOWN", "boxdoctor mongo remove-unreachable")
	readme, err := os.ReadFile("../README.md")
	if shown := regexp.MustCompile(`:\d+`).ReplaceAllString(tr.out.String(), ":27017"); err != nil || !strings.Contains(string(readme), strings.TrimSpace(shown)) {
		t.Errorf("the README shows something else than\n%s", shown)
	}
	set.Lead("")
	set.Down(set.Hosts()[1], "Error connecting: Connection refused")
	tr.out.Reset()
	tr.run(t, finding.ExitFailed, "mongo", "status", "-f", file)
	says(t, tr.out.String(), "there is no primary", "no majority: 1 of 3 votes live")
	if strings.Contains(tr.out.String()+tr.err.String(), mongoPassword) {
		t.Error("the password was shown")
	}
}

// fits compares a document with its schema.
func fits(t *testing.T, schema string, text []byte) {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile("../docs/schema/" + schema + ".json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err == nil {
		err = s.Validate(doc)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

func says(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in\n%s", w, text)
		}
	}
}

// With a majority: a plain reconfiguration. Without: nothing, unless the set's name is typed.
func TestMongoRemoveUnreachable(t *testing.T) {
	tr, set, file := mongoTrial(t, "db1", "db2", "db3")
	form(t, set)
	tr.run(t, finding.ExitOK, "mongo", "remove-unreachable", "-f", file, "--yes", "--allow", "env:PW")
	says(t, tr.out.String(), "nothing was changed")
	set.Down(set.Hosts()[2], "Error connecting: Connection refused")
	tr.run(t, finding.ExitUsage, "mongo", "remove-unreachable", "-f", file) // nobody to ask
	tr.run(t, finding.ExitOK, "mongo", "remove-unreachable", "-f", file, "--yes")
	if c := set.Config(); len(c.Members) != 2 || strings.Contains(fmt.Sprint(set.Log()), "FORCE") {
		t.Errorf("%s %v", c.Text(), set.Log())
	}
	set.Lead("")
	set.Down(set.Hosts()[1], "Error connecting: Connection refused")
	tr.err.Reset()
	tr.run(t, finding.ExitFailed, "mongo", "remove-unreachable", "-f", file, "--yes")
	says(t, tr.err.String(), "there is no primary", "--force-minority rs0")
	tr.run(t, finding.ExitUsage, "mongo", "remove-unreachable", "-f", file, "--yes", "--force-minority", "yes")
	if strings.Contains(fmt.Sprint(set.Log()), "FORCE") {
		t.Fatalf("it was forced: %v", set.Log())
	}
	tr.run(t, finding.ExitOK, "mongo", "remove-unreachable", "-f", file, "--yes", "--force-minority", "rs0")
	if c := set.Config(); len(c.Members) != 1 || !strings.Contains(fmt.Sprint(set.Log()), "FORCE") {
		t.Errorf("%s %v", c.Text(), set.Log())
	}
	entries, err := filepath.Glob(filepath.Join(tr.env[stateEnv], "*", "journal", "*.jsonl"))
	if err != nil || len(entries) == 0 {
		entries, _ = filepath.Glob(filepath.Join(tr.env[stateEnv], "journal", "*.jsonl"))
	}
	if len(entries) == 0 {
		t.Error("no journal was kept")
	}
}

func TestMongoStatusOfAClient(t *testing.T) {
	tr, set, file := mongoTrial(t, "localhost")
	form(t, set)
	port := set.Port(set.Hosts()[0])
	tr.run(t, finding.ExitOK, "mongo", "status", "-f", file, "--allow", "env:PW", "--client", "localhost")
	says(t, tr.out.String(), "seen from localhost", "the primary is found in", fmt.Sprintf("mongodb://localhost:%d/?replicaSet=rs0", port))
	tr.out.Reset()
	tr.run(t, finding.ExitFailed, "mongo", "status", "-f", file, "--client", fmt.Sprintf("mongodb://127.0.0.1:%d/", port))
	says(t, tr.out.String(), "seen from this host", "is not a name of the set's own", "says no replicaSet")
	tr.out.Reset()
	tr.run(t, finding.ExitOK, "mongo", "status", "-f", file, "--client", "localhost", "--format", "json")
	fits(t, "mongo-client", tr.out.Bytes())
	tr.run(t, finding.ExitUsage, "mongo", "status", "-f", file, "--client", "nobody")
	tr.run(t, finding.ExitUsage, "mongo", "status", "-f", file, "--client", "a", "--client", "b")
}

// A machine that is off is told, and without any there is nothing to say (exit 3).
func TestMongoStatusOfUnreachableMachines(t *testing.T) {
	tr, _, file := mongoTrial(t, "db1")
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	tr.observe = func(context.Context, host.Options) (host.Inventory, error) {
		return host.Inventory{Machines: []host.Machine{{Facts: facts.Machine{Name: "db1"}, SSH: sshguest.Config{Name: "db1", User: "vagrant", Host: "127.0.0.1", Port: port}}}}, nil
	}
	tr.run(t, finding.ExitUnexamined, "mongo", "status", "-f", file, "--allow", "env:PW")
	says(t, tr.out.String(), "db1 was not reached")
}
