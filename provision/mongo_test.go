package provision

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/boxdoctor/boxdoctor/internal/facts"
	"github.com/boxdoctor/boxdoctor/internal/knowledge"
	"github.com/boxdoctor/boxdoctor/internal/testkit"
)

const mongoThree = `
machines: {web: {}, db2: {}, db3: {}}
mongo:
  set: rs0
  members: [{machine: web, address: 192.168.56.11, priority: 2}, {machine: db2, address: 192.168.56.12}, {machine: db3, address: 192.168.56.13}]
  cache_gb: 0.5
  config: {setParameter: {diagnosticDataCollectionEnabled: false}, operationProfiling.mode: slowOp}
  users:
    root: {roles: [root]}
    app: {roles: [{role: readWrite, db: shop}], password: "${env:PW}"}
  ha_flag: {every: 5}
`

// mongoSeveral are three members on one machine, with legacy rotation and the drop-in for new kernels.
const mongoSeveral = `
machines: {web: {}}
mongo:
  set: rs0
  rseq: true
  mirror: http://mirror.example.org/mongo
  version: 8.0.4
  hold: false
  members: [{machine: web, host: localhost}, {machine: web, host: localhost, port: 27018}, {machine: web, host: localhost, port: 27019, arbiter: true}]
  allow_psa: true
  log: {rotate: rename, days: 7}
  ha_flag: {path: /run/primary}
`

// indexOf answers as repositories do, with the server only in the suites that are named (synthetic).
func indexOf(t *testing.T, holds ...string) func(string) ([]byte, error) {
	return func(url string) ([]byte, error) {
		if strings.HasSuffix(url, "repomd.xml") {
			return []byte(`<repomd><data type="primary"><location href="repodata/primary.xml.gz"/></data></repomd>`), nil
		}
		text := "Package: mongodb-database-tools\n<name>mongodb-database-tools</name>\n"
		for _, h := range holds {
			if strings.Contains(url, h) {
				text += "Package: mongodb-org-server\n<name>mongodb-org-server</name>\n"
			}
		}
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		err := z.Close()
		return b.Bytes(), err
	}
}

// mongoPlan is the role's plan on machine web.
func mongoPlan(t *testing.T, text string, sys facts.System, edit func(*Input)) ([]Resource, error) {
	t.Helper()
	c, err := Parse([]byte(text))
	if err == nil {
		err = c.CheckOn()
	}
	if err != nil {
		return nil, err
	}
	in := Input{Dir: t.TempDir(), Secrets: &Secrets{Getenv: func(string) string { return "p%w" }, Allowed: []string{"env:PW"}}, Index: indexOf(t, "/8.0/", "/7.0/", "/4.4/"), Vault: &Vault{Dir: t.TempDir()}}
	for _, key := range []string{"server-4.4.asc", "server-7.0.asc", "server-8.0.asc"} { // as if fetched before
		if err := os.WriteFile(in.Vault.Path(key), []byte("KEY"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if edit != nil {
		edit(&in)
	}
	plan, err := c.For("web", in)
	if err != nil {
		return nil, err
	}
	return plan(facts.Guest{System: facts.Known(sys), Repos: facts.Known(facts.Repos{}), Mongo: facts.Known(suits)})
}

// suits is a guest on which mongod runs.
var suits = facts.Mongo{AVX: true, AVX2: true, MemoryKB: 4 << 20, DataPath: "/var", DataFreeKB: 40 << 20}

// Nothing is installed where mongod would not start (D7).
func TestMongoPreflight(t *testing.T) {
	v := &MongoSpec{Set: "rs0"}
	eight, err := knowledge.MongoLineOf("8.0")
	if err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]struct {
		kernel string
		change func(*facts.Mongo)
	}{
		"":                           {"6.1.0-38-amd64", func(*facts.Mongo) {}},
		"no avx":                     {"6.1.0-38-amd64", func(m *facts.Mongo) { m.AVX = false }},
		"kernel 7.0.0-14-generic":    {"7.0.0-14-generic", func(*facts.Mongo) {}},
		"the first files":            {"6.1.0-38-amd64", func(m *facts.Mongo) { m.DataFreeKB = 1000 }},
		"wants 512 MiB":              {"6.1.0-38-amd64", func(m *facts.Mongo) { m.MemoryKB = 1000 }},
		"nc listens at port 27017 (": {"6.1.0-38-amd64", func(m *facts.Mongo) { m.Listener = "nc" }},
	} {
		m := suits
		c.change(&m)
		g := facts.Guest{System: facts.Known(facts.System{KernelRelease: c.kernel}), Mongo: facts.Known(m)}
		err := v.preflight(mongoSource{line: eight}, g)
		if (want == "") != (err == nil) || err != nil && (!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "nothing was installed")) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := v.preflight(mongoSource{line: eight}, facts.Guest{}); err == nil {
		t.Error("a guest that was not looked at is fine")
	}
}

// keysAreTrusted leaves the check of fingerprints out: no test has MongoDB's real keys.
func keysAreTrusted(t *testing.T) {
	was := fingerprintOf
	fingerprintOf = func([]byte, string) error { return nil }
	t.Cleanup(func() { fingerprintOf = was })
}

var mongoSystems = map[string]facts.System{
	"debian":  {Manager: "apt", ID: "debian", VersionID: "12", Arch: "x86_64", Init: "systemd", Pretty: "Debian 12"},
	"rocky":   {Manager: "dnf", ID: "rocky", VersionID: "9.6", Arch: "x86_64", Init: "systemd", Pretty: "Rocky 9.6"},
	"several": {Manager: "dnf", ID: "almalinux", VersionID: "8.10", Arch: "aarch64", Init: "systemd", Pretty: "AlmaLinux 8.10"},
	"el6":     {Manager: "yum", ID: "centos", VersionID: "6.10", Arch: "x86_64", Init: "upstart", Pretty: "CentOS 6.10"},
}

// The whole role on three kinds of guests, resource by resource.
func TestMongoFiles(t *testing.T) {
	keysAreTrusted(t)
	declared := map[string]string{"debian": mongoThree, "rocky": mongoThree, "el6": mongoThree, "several": mongoSeveral}
	for name, sys := range mongoSystems {
		rs, err := mongoPlan(t, declared[name], sys, nil)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, r := range rs {
			b.WriteString("== " + r.ID() + "\n")
			switch x := r.(type) {
			case FileResource:
				if !strings.HasSuffix(x.Path, ".sh") {
					b.WriteString(x.Content)
				}
			case mongoConf:
				for _, k := range sortedKeys(x.Options) {
					fmt.Fprintf(&b, "%s: %v\n", k, x.Options[k])
				}
			case RepositoryResource:
				for _, f := range x.files(sys.Manager) {
					b.WriteString(f.Path + "\n" + f.Content)
				}
			case keyFile:
				fmt.Fprintf(&b, "mode %04o, owner %s, %d bytes, secret %v\n", x.Mode, x.Owner, len(x.Content), x.Secret)
			}
		}
		testkit.Golden(t, "testdata/mongo-"+name+".golden", []byte(b.String()))
	}
}

// A suite that answers proves nothing: resolute holds only the tools, so noble's packages are taken (D6).
func TestMongoSuiteIsProbed(t *testing.T) {
	keysAreTrusted(t)
	sys := facts.System{Manager: "apt", ID: "ubuntu", VersionID: "26.04", Arch: "x86_64", Init: "systemd", Pretty: "Ubuntu 26.04"}
	repo := func(rs []Resource) string {
		for _, r := range rs {
			if x, ok := r.(RepositoryResource); ok {
				return x.Apt.Suite
			}
		}
		return ""
	}
	rs, err := mongoPlan(t, mongoThree, sys, func(in *Input) { in.Index = indexOf(t, "dists/noble/") })
	if err != nil || repo(rs) != "noble/mongodb-org/8.0" {
		t.Errorf("%s %v", repo(rs), err)
	}
	_, err = mongoPlan(t, mongoThree, sys, func(in *Input) { in.Index = indexOf(t) })
	if err == nil || !strings.Contains(err.Error(), "does not list mongodb-org-server") || !strings.Contains(err.Error(), "packages: FOLDER") {
		t.Errorf("%v", err)
	}
	_, err = mongoPlan(t, mongoThree, sys, func(in *Input) { in.Index = func(string) ([]byte, error) { return nil, errors.New("no network") } })
	if err == nil || !strings.Contains(err.Error(), "no network") {
		t.Errorf("%v", err)
	}
}

// The key of a repository counts by its fingerprint even when it was kept from an earlier run.
func TestMongoKeptKeyIsChecked(t *testing.T) {
	_, err := mongoPlan(t, mongoThree, mongoSystems["debian"], nil)
	if err == nil || !strings.Contains(err.Error(), "not an armored OpenPGP key") {
		t.Errorf("%v", err)
	}
}

func TestMongoRefuses(t *testing.T) {
	keysAreTrusted(t)
	members := "members: [{machine: web}]"
	for spec, want := range map[string]string{
		"{set: rs0}": "members are missing",
		"{set: rs0, members: [{machine: web, prioritie: 2}]}":                                                               `did you mean priority?`,
		"{set: rs0, members: [{machine: nobody}]}":                                                                          "neither a machine nor a group",
		"{set: 'a b', " + members + "}":                                                                                     "is not one",
		"{set: rs0, version: '3.6', " + members + "}":                                                                       "no line of MongoDB",
		"{set: rs0, version: '6.0', " + members + "}":                                                                       "MongoDB 6.0 has no packages for Debian 12",
		"{set: rs0, config: {net: {bindIP: x}}, " + members + "}":                                                           "mongod knows no option net.bindIP; did you mean net.bindIp?",
		"{set: rs0, config: {net.port: 1}, " + members + "}":                                                                "net.port is decided by the rest",
		"{set: rs0, users: {app: {roles: [read]}}, " + members + "}":                                                        "the first user is the administrator",
		"{set: rs0, users: {root: {}}, " + members + "}":                                                                    "roles are missing",
		"{set: rs0, cache_gb: 0.1, " + members + "}":                                                                        "a number from 0.25",
		"{set: rs0, log: {rotate: never}, " + members + "}":                                                                 `"never" is not one of`,
		"{set: rs0, ha_flag: {path: 'x'}, " + members + "}":                                                                 "not a whole, plain path",
		"{set: rs0, members: [{machine: web}, {machine: db2, arbiter: true}]}":                                              "say allow_psa: true",
		"{set: rs0, members: [{machine: web}, {machine: db2}, {machine: db3}, {machine: db3, port: 27018, arbiter: true}]}": "an arbiter on the machine of the data member",
		"{set: rs0, members: [{machine: web, host: localhost}, {machine: db2}]}":                                            "cannot reach it by this name",
		"{set: rs0, members: [{machine: web, address: 10.0.0.1}, {machine: db2}]}":                                          "either all of them have an address",
		"{set: rs0, packages: nowhere, " + members + "}":                                                                    "there is no package file",
	} {
		_, err := mongoPlan(t, "machines: {web: {}, db2: {}, db3: {}}\nmongo: "+spec, mongoSystems["debian"], nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", spec, err, want)
		}
	}
	_, err := mongoPlan(t, "machines: {web: {}}\nmongo: {set: rs0, members: [{machine: web}, {machine: web, port: 27018}]}", mongoSystems["el6"], nil)
	if err == nil || !strings.Contains(err.Error(), "without systemd") {
		t.Errorf("%v", err)
	}
	if _, err := mongoPlan(t, mongoThree, facts.System{Manager: "pacman", ID: "arch", Pretty: "Arch Linux"}, nil); err == nil || !strings.Contains(err.Error(), "no packages for Arch Linux") {
		t.Errorf("%v", err)
	}
}

// Packages of a folder take the place of repositories.
func TestMongoPackagesOfAFolder(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{"mongodb-org-server_8.0.4_amd64.deb", "mongodb-mongosh_2.5.1_amd64.deb"} {
		if err := os.WriteFile(filepath.Join(dir, f), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, _, err := Folder(dir)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := mongoPlan(t, mongoThree, mongoSystems["debian"], func(in *Input) { in.Packages, in.Index = files, nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rs {
		p, ok := r.(localPackages)
		if !ok {
			continue
		}
		s := bench("apt")
		s.packages.of["mongodb-org-server"], s.packages.of["mongodb-mongosh"] = Package{Installed: true}, Package{}
		if got := told(p.Diff(s)); got != "packages absent>mongodb-mongosh install mongodb-mongosh from 2 files" {
			t.Error(got)
		}
		s.packages.of["mongodb-mongosh"] = Package{Installed: true}
		if got := told(p.Diff(s)); got != "" {
			t.Error(got)
		}
		return
	}
	t.Error("the folder is not used")
}

func TestMongoConfMerges(t *testing.T) {
	c := mongoConf{Path: "/etc/mongod.conf", Instance: 27017, Options: map[string]any{"net.port": 27017, "replication.replSetName": "rs0"}}
	given := func(text string) *State {
		s := bench("apt")
		s.files.of[c.Path] = File{Exists: true, Type: "file", Mode: 0o644, Owner: "root", Group: "root", SHA256: sum(text)}
		s.commands.of[c.question()] = Output{Text: text}
		return s
	}
	for name, x := range map[string]struct{ text, want string }{
		"as declared, comments stay": {"# mine\nnet: {port: 27017, bindIp: 127.0.0.1}\nreplication:\n  replSetName: rs0\n", ""},
		"one option missing":         {"net:\n  port: 27017\n  bindIp: 127.0.0.1\n#replication:\n", "options replication.replSetName"},
		"empty section":              {"net:\n  port: 27017\nsecurity:\n", "options replication.replSetName"},
		"another value":              {"net: {port: 1}\nreplication: {replSetName: rs0}\n", "options net.port"},
		"absent":                     {"", "options net.port, replication.replSetName"},
		"no YAML":                    {"net: [", "error: /etc/mongod.conf is not YAML"},
		"an option nobody knows":     {"net: {portt: 1}\n", "error: /etc/mongod.conf in the guest holds net.portt, which mongod does not know"},
		"aliases without end":        {"a: &a [x, x]\nb: [*a, *a]\n", "error: /etc/mongod.conf holds anchors, aliases or deep nesting"},
		"nesting without end":        {strings.Repeat("- ", 500) + "x", "error: /etc/mongod.conf holds anchors"},
		"brackets without end":       {strings.Repeat("[", 500), "error: /etc/mongod.conf holds anchors"},
		"the form of 2.x":            {"dbpath=/data\nreplSet = old\n", "error: /etc/mongod.conf has the ini form of MongoDB 2.x (dbpath=/data, replSet=old): it is only read"},
	} {
		got := told(c.Diff(given(x.text)))
		if x.want == "" && got != "" || !strings.HasPrefix(got, x.want) {
			t.Errorf("%s: %s, want %s", name, got, x.want)
		}
	}
	changes, err := c.Diff(given("net:\n  bindIp: 10.0.0.1\nsystemLog:\n  path: /x\n"))
	if err != nil || !strings.Contains(changes[0].Diff, "+  replSetName: rs0") || !strings.Contains(changes[0].Diff, "   bindIp: 10.0.0.1") {
		t.Errorf("%v %+v", err, changes)
	}
	if len(changes[0].Do) != 2 || !strings.HasPrefix(changes[0].Do[0].Title(), "note: restart mongod at port 27017 later") {
		t.Errorf("the restart is not noted before the file changes: %v", changes[0].Do)
	}
}

// A key that is there is never overwritten, and never shown.
func TestMongoKeyIsNeverOverwritten(t *testing.T) {
	k := keyFile{FileResource{Path: mongoKeyFile, Content: "SECRET-KEY\n", Mode: 0o600, State: Present, Secret: true}, nil, "/state/keyfile"}
	s := bench("apt")
	s.files.of[mongoKeyFile] = File{Exists: true, Type: "file", SHA256: sum("another")}
	got := told(k.Diff(s))
	if !strings.HasPrefix(got, "error: /etc/mongod.key in the guest (sha256 ") || !strings.Contains(got, "it is not overwritten") || strings.Contains(got, "SECRET") {
		t.Error(got)
	}
	s.files.of[mongoKeyFile] = File{Exists: true, Type: "file", Mode: 0o644, Owner: "root", Group: "root", SHA256: sum("SECRET-KEY\n")}
	if got := told(k.Diff(s)); got != "mode 0644>0600 | set mode 0600 of /etc/mongod.key" {
		t.Error(got)
	}
}

// Names that members do not know, or that lead to the machine itself, are refused before anything is installed.
func TestMongoNames(t *testing.T) {
	v := &MongoSpec{Members: []mongoMember{{Machine: "db1"}, {Machine: "db2"}}}
	rs := v.names()
	if len(rs) != 1 {
		t.Fatal(rs)
	}
	for said, want := range map[string]string{
		"db1 10.0.0.1\ndb2 10.0.0.2":  "",
		"db1 127.0.1.1\ndb2 10.0.0.2": "error: here db1 (127.0.1.1) leads to the machine itself",
		"db1 10.0.0.1\ndb2 ":          "error: this machine does not know the names db2",
		"":                            "error: this machine does not know the names db1, db2",
	} {
		s := bench("apt")
		s.commands.of["mongo-names"] = Output{Text: said}
		if got := told(rs[0].Diff(s)); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%q: %s, want %s", said, got, want)
		}
	}
	v.Members[0].Address, v.Members[1].Address = "10.0.0.1", "10.0.0.2"
	if len(v.names()) != 0 || len((&MongoSpec{Members: []mongoMember{{Machine: "a"}, {Machine: "a", Port: 2}}}).names()) != 0 {
		t.Error("names are looked at that need not be known")
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", memberNames{[]string{"localhost", "no.such.name.invalid"}}.Needs().Commands["mongo-names"]).Output()
	if err != nil || !strings.HasPrefix(string(out), "localhost ") || !strings.Contains(string(out), "\nno.such.name.invalid \n") {
		t.Errorf("%q %v", out, err)
	}
}

// A dry run keeps nothing; a real one keeps each secret once, for its owner alone.
func TestVault(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "vault")
	dry := &Vault{Dir: dir, Check: true}
	if v, err := dry.Secret("keyfile", func() string { return random(756) }); err != nil || len(v) != 1008 {
		t.Errorf("%d %v", len(v), err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("a dry run left something behind")
	}
	known := ""
	one, err := (&Vault{Dir: dir, Known: func(v string) { known = v }}).Secret("a.password", newPassword)
	two, err2 := (&Vault{Dir: dir}).Secret("a.password", newPassword)
	if err != nil || err2 != nil || one == "" || one != two || known != one {
		t.Errorf("%v %v", err, err2)
	}
	info, err := os.Stat(filepath.Join(dir, "a.password"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "b.password"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := dry.Secret("b.password", newPassword); err == nil {
		t.Error("an empty password was taken")
	}
}

func TestHostsBlock(t *testing.T) {
	h := hostsBlock{"mongo-rs0", []string{"10.0.0.1 db1", "10.0.0.2 db2"}}
	s := bench("apt")
	given := func(text string) string {
		s.files.of["/etc/hosts"] = File{Exists: true, Type: "file", SHA256: sum(text)}
		s.commands.of["hosts"] = Output{Text: strings.TrimRight(text, "\n")}
		changes, err := h.Diff(s)
		if err != nil {
			t.Fatal(err)
		}
		if len(changes) == 0 {
			return ""
		}
		return changes[0].Diff
	}
	block := "# boxdoctor mongo-rs0 begin\n10.0.0.1 db1\n10.0.0.2 db2\n# boxdoctor mongo-rs0 end\n"
	if got := given("127.0.0.1 localhost\n" + block); got != "" {
		t.Error(got)
	}
	if got := given("127.0.0.1 localhost\n"); !strings.Contains(got, "+10.0.0.1 db1") || strings.Contains(got, "-127") {
		t.Error(got)
	}
	if got := given(strings.Replace(block, "10.0.0.1", "10.9.9.9", 1) + "1.1.1.1 x\n"); !strings.Contains(got, "-10.9.9.9 db1") || !strings.Contains(got, "+10.0.0.1 db1") {
		t.Error(got)
	}
}

// The flag is there exactly while a primary answers: false, an error and no shell take it away.
func TestMongoPrimaryFlag(t *testing.T) {
	dir := t.TempDir()
	flag := filepath.Join(dir, "run", "primary")
	run := func(answer string) (string, bool) {
		t.Helper()
		bin := filepath.Join(dir, "bin")
		_ = os.MkdirAll(bin, 0o755)
		if answer == "" {
			_ = os.Remove(filepath.Join(bin, "mongosh"))
		} else if err := os.WriteFile(filepath.Join(bin, "mongosh"), []byte("#!/bin/sh\n"+answer+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", mongoPrimary, "sh", flag, "27017", "27018")
		cmd.Env = []string{"PATH=" + bin + ":/usr/bin:/bin"}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %s %v", answer, out, err)
		}
		b, err := os.ReadFile(flag)
		return string(b), err == nil
	}
	yes := `case $* in *:27018/*) echo warning; echo "boxdoctor-primary 7fffffff0000000000000001" ;; *) echo boxdoctor-other ;; esac`
	if text, there := run(yes); !there || !strings.Contains(text, "port 27018 election 7fffffff0000000000000001 time 20") {
		t.Errorf("%v %q", there, text)
	}
	for _, no := range []string{"echo boxdoctor-other", "echo refused >&2; exit 1", ""} {
		if _, there := run(yes); !there {
			t.Fatal("the flag is not there")
		}
		if text, there := run(no); there {
			t.Errorf("%q left the flag: %s", no, text)
		}
	}
}

// Old logs go, the live ones and everything else stay.
func TestMongoLegacyRotation(t *testing.T) {
	dir := t.TempDir()
	v := &MongoSpec{Set: "rs0", Log: mongoLog{Rotate: rotateRename, Days: 30}}
	i := instanceOf(mongoMember{Machine: "a"}, false)
	i.Log, i.PID = dir+"/mongod.log", dir+"/none.pid"
	f := v.rotation([]instance{i}, facts.System{Init: "upstart"}).(FileResource)
	old := []string{"mongod.log", "mongod.log.2026-01-02T03-04-05", "mongod.log.keep", "other.log.2026-01-02T03-04-05", "mongod.log.2026-11-20T03-04-05"}
	for n, name := range old {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if n < 4 {
			if out, err := exec.CommandContext(t.Context(), "touch", "-d", "2026-01-02", filepath.Join(dir, name)).CombinedOutput(); err != nil {
				t.Fatal(string(out))
			}
		}
	}
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", f.Content).CombinedOutput(); err != nil {
		t.Fatal(string(out))
	}
	left, _ := filepath.Glob(dir + "/*")
	if len(left) != 4 {
		t.Errorf("left: %v", left)
	}
	for _, p := range left {
		if strings.HasSuffix(p, "mongod.log.2026-01-02T03-04-05") && !strings.Contains(p, "other") {
			t.Errorf("%s is still there", p)
		}
	}
}
