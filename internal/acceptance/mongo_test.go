//go:build acceptance

package acceptance

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/boxdoctor/boxdoctor/internal/finding"
	guestpkg "github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/mongoadmin"
	"github.com/boxdoctor/boxdoctor/internal/replset"
)

// These tests use FerretDB 1.24 with SQLite, which speaks MongoDB's protocol, logs in by SCRAM and keeps users, but has
// no replica sets: no mongod runs here unless one is in PATH (TestMongod).

const (
	ferretVersion  = "v1.24.0"
	mongoshVersion = "2.12.0"
)

// mongoCache is where what is built once lies.
func mongoCache(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("BOXDOCTOR_LAB")
	if dir == "" {
		dir = "/var/cache/boxdoctor-lab"
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// ferret is the path of FerretDB's program, built once from its module: it wants a file with its version, which the
// module does not carry.
func ferret(t *testing.T) string {
	t.Helper()
	out := filepath.Join(mongoCache(t), "ferretdb-"+ferretVersion)
	if _, err := os.Stat(out); err == nil {
		return out
	}
	begin := time.Now()
	const script = `set -eu
src=$(go list -m -f '{{.Dir}}' github.com/FerretDB/FerretDB)
if [ -z "$src" ]; then go mod download github.com/FerretDB/FerretDB; src=$(go list -m -f '{{.Dir}}' github.com/FerretDB/FerretDB); fi
rm -rf "$2" && cp -r "$src" "$2" && chmod -R u+w "$2"
echo "$3" >"$2/build/version/version.txt"
cd "$2" && nice go build -buildvcs=false -mod=mod -o "$1.new" ./cmd/ferretdb && mv "$1.new" "$1"
rm -rf "$2"`
	c := exec.CommandContext(t.Context(), "sh", "-c", script, "sh", out, filepath.Join(t.TempDir(), "src"), ferretVersion)
	c.Dir = "mongolab"
	if b, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, tail(string(b)))
	}
	step(t, begin, "FerretDB %s is built", ferretVersion)
	return out
}

// freePort is one that nobody listens at now.
func freePort(t *testing.T) int {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// listens waits for a port.
func listens(t *testing.T, port int) {
	t.Helper()
	for range 300 {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("nobody listens at port %d", port)
}

// daemon runs a program until the test ends.
func daemon(t *testing.T, argv ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(argv[0], argv[1:]...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if t.Failed() {
			t.Logf("%s said: %s", argv[0], tail(out.String()))
		}
	})
	return c
}

var mongoRoot = replset.Credential{User: "root", Password: "pw-of-the-test"}

// startFerret is a FerretDB with one administrator.
func startFerret(t *testing.T) int {
	t.Helper()
	port, dir := freePort(t), t.TempDir()
	daemon(t, ferret(t), "--handler=sqlite", "--sqlite-url=file:"+dir+"/", fmt.Sprintf("--listen-addr=127.0.0.1:%d", port), "--state-dir="+dir,
		"--telemetry=disable", "--debug-addr=-", "--repl-set-name=rs0", "--test-enable-new-auth", "--log-level=warn",
		"--setup-database=admin", "--setup-username="+mongoRoot.User, "--setup-password="+mongoRoot.Password)
	listens(t, port)
	return port
}

// TestMongoDriver: the official driver, SCRAM-SHA-256 and users against a real server of the protocol.
func TestMongoDriver(t *testing.T) {
	port := startFerret(t)
	d := &mongoadmin.Doors{Ways: map[string]mongoadmin.Way{"a": {Dial: new(net.Dialer).DialContext, Port: port}}}
	defer d.Close(t.Context())
	usersLifeAndDeath(t, d)
}

// localGuest runs what the shell is given on this machine.
type localGuest struct{ path string }

func (l localGuest) Run(ctx context.Context, c guestpkg.Cmd) (guestpkg.Result, error) {
	x := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	x.Stdin, x.Env = c.Stdin, append(os.Environ(), "PATH="+l.path+":"+os.Getenv("PATH"), "HOME="+os.TempDir())
	var out, errs bytes.Buffer
	x.Stdout, x.Stderr = &out, &errs
	err := x.Run()
	return guestpkg.Result{Stdout: out.Bytes(), Stderr: errs.Bytes()}, err
}

// mongosh is the folder of the real shell, from PATH or installed by npm once.
func mongosh(t *testing.T) string {
	t.Helper()
	if p, err := exec.LookPath("mongosh"); err == nil {
		return filepath.Dir(p)
	}
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("missing on this machine: mongosh, and npm to install it with")
	}
	dir := filepath.Join(mongoCache(t), "mongosh-"+mongoshVersion)
	bin := filepath.Join(dir, "node_modules", ".bin")
	if _, err := os.Stat(filepath.Join(bin, "mongosh")); err == nil {
		return bin
	}
	begin := time.Now()
	if out, err := exec.CommandContext(t.Context(), "npm", "install", "--no-audit", "--no-fund", "--prefix", dir, "mongosh@"+mongoshVersion).CombinedOutput(); err != nil {
		t.Skipf("mongosh could not be installed: %v\n%s", err, tail(string(out)))
	}
	step(t, begin, "mongosh %s is installed", mongoshVersion)
	return bin
}

// TestMongoShell: the same by the real mongosh, as where sshd forbids forwarding. The password is in no process list.
func TestMongoShell(t *testing.T) {
	port := startFerret(t)
	g := localGuest{mongosh(t)}
	d := &mongoadmin.Doors{Ways: map[string]mongoadmin.Way{"a": {Port: port, Shell: &mongoadmin.Shell{Guest: g}}}}
	seen := watchProcesses(t, mongoRoot.Password)
	usersLifeAndDeath(t, d)
	if seen() {
		t.Error("the password stood in a command line")
	}
}

// watchProcesses looks at all command lines until it is asked.
func watchProcesses(t *testing.T, secret string) func() bool {
	ctx, cancel := context.WithCancel(t.Context())
	found := make(chan bool, 1)
	go func() {
		hit := false
		for ctx.Err() == nil {
			files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
			for _, f := range files {
				b, _ := os.ReadFile(f)
				hit = hit || bytes.Contains(b, []byte(secret)) && !bytes.Contains(b, []byte("--setup-password"))
			}
			time.Sleep(20 * time.Millisecond)
		}
		found <- hit
	}()
	return func() bool { cancel(); return <-found }
}

// usersLifeAndDeath: logins right and wrong; a user comes, changes its password, and is left alone when all is well.
func usersLifeAndDeath(t *testing.T, d *mongoadmin.Doors) {
	t.Helper()
	ctx := t.Context()
	begin := time.Now()
	f := replset.Observe(ctx, d.Open, []string{"a"}, mongoRoot)
	if n := f.Nodes[0]; n.Err != nil || n.Access != replset.AccessUser || n.SetName != "rs0" || n.Version == "" {
		t.Fatalf("%+v", n)
	}
	if _, err := d.Open(ctx, "a", replset.Credential{User: "root", Password: "wrong"}); err == nil || !strings.Contains(err.Error(), "18 AuthenticationFailed") || strings.Contains(err.Error(), "wrong") {
		t.Errorf("%v", err)
	}
	app := replset.User{Name: "app", Password: "one", Roles: []replset.Role{}} // FerretDB keeps no roles
	for _, want := range []string{"create", "", "set password", ""} {
		if want == "set password" {
			app.Password = "two"
		}
		c, err := replset.UserDiff(ctx, d.Open, "a", mongoRoot, app)
		if err != nil || c.What != want {
			t.Fatalf("%q %v, want %q", c.What, err, want)
		}
		if want != "" {
			if err := c.Make(ctx, d.Open, "a", mongoRoot); err != nil {
				t.Fatal(err)
			}
		}
	}
	step(t, begin, "logins and users")
}

// TestMongod drives real mongods, wherever they are: form, second run, add, kill, remove, hand over, restart.
func TestMongod(t *testing.T) {
	program, err := exec.LookPath("mongod")
	if err != nil {
		t.Skip("missing on this machine: mongod. What needs replica sets was driven against the scripted double only")
	}
	b := newMongods(t, program, 4)
	want := replset.Set{Name: "rs0", Members: b.members(0, 1, 2)}
	b.drive(want, 5) // initiate, user, two members: four; 4.4 also gives votes
	b.drive(want, 0)
	want.Members[1].Priority = 3
	b.drive(want, 1)
	b.leads(1)
	want.Members = append(want.Members, b.members(3)...)
	b.drive(want, 2)
	b.kill(3)
	b.drive(replset.Set{Name: "rs0", Members: want.Members[:3]}, 1)
	b.drive(replset.Set{Name: "rs0", Members: []replset.Member{want.Members[0], want.Members[2]}}, 2) // the primary goes: it hands over first
	b.kill(0)
	b.start(0)
	b.leads(0, 2)
	b.drive(replset.Set{Name: "rs0", Members: []replset.Member{want.Members[0], want.Members[2]}}, 0)
}

// mongods are real servers on loopback with a key, authorization and folders of their own.
type mongods struct {
	t       *testing.T
	program string
	dir     string
	ports   []int
	running []*exec.Cmd
	doors   *mongoadmin.Doors
}

func newMongods(t *testing.T, program string, n int) *mongods {
	t.Helper()
	b := &mongods{t: t, program: program, dir: t.TempDir(), running: make([]*exec.Cmd, n), doors: &mongoadmin.Doors{Ways: map[string]mongoadmin.Way{}, Between: new(net.Dialer).DialContext}}
	if err := os.WriteFile(filepath.Join(b.dir, "key"), []byte(strings.Repeat("a2V5", 100)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		b.ports = append(b.ports, freePort(t))
		b.doors.Ways[b.host(i)] = mongoadmin.Way{Dial: new(net.Dialer).DialContext, Port: b.ports[i]}
		if err := os.Mkdir(filepath.Join(b.dir, fmt.Sprint(i)), 0o700); err != nil {
			t.Fatal(err)
		}
		b.start(i)
	}
	t.Cleanup(func() { b.doors.Close(context.WithoutCancel(t.Context())) })
	return b
}

func (b *mongods) host(i int) string { return fmt.Sprintf("localhost:%d", b.ports[i]) }

func (b *mongods) start(i int) {
	b.t.Helper()
	b.running[i] = daemon(b.t, b.program, "--port", fmt.Sprint(b.ports[i]), "--bind_ip", "127.0.0.1", "--dbpath", filepath.Join(b.dir, fmt.Sprint(i)), "--replSet", "rs0",
		"--keyFile", filepath.Join(b.dir, "key"), "--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "128")
	listens(b.t, b.ports[i])
}

func (b *mongods) kill(i int) {
	b.t.Helper()
	_ = b.running[i].Process.Kill()
	_ = b.running[i].Wait()
	b.doors.Forget(b.t.Context(), b.host(i))
}

func (b *mongods) members(at ...int) []replset.Member {
	var out []replset.Member
	for _, i := range at {
		out = append(out, replset.Member{Host: b.host(i), Votes: 1, Priority: 1})
	}
	return out
}

// drive brings the set to its declaration in at most so many steps; with none it must find nothing to do.
func (b *mongods) drive(want replset.Set, most int) {
	b.t.Helper()
	begin := time.Now()
	d := &replset.Drive{Want: want, Open: b.doors.Open, Admin: mongoRoot, Election: time.Minute, Sync: 2 * time.Minute, Pause: 200 * time.Millisecond, Now: time.Now,
		Act: func(ctx context.Context, _ replset.Step, run func(context.Context) error) error { return run(ctx) }}
	made, _, err := d.Run(b.t.Context())
	if err != nil || len(made) > most || most > 0 && len(made) == 0 {
		b.t.Fatalf("%d steps of %d, %v", len(made), most, err)
	}
	step(b.t, begin, "%d members: %d steps", len(want.Members), len(made))
}

// leads waits until one of these is the primary.
func (b *mongods) leads(which ...int) {
	b.t.Helper()
	for range 120 {
		for _, i := range which {
			a, err := b.doors.Open(b.t.Context(), b.host(i), replset.Credential{})
			if err != nil {
				continue
			}
			raw, err := a.Command(b.t.Context(), bson.D{{Key: "hello", Value: 1}})
			if yes, ok := raw.Lookup("isWritablePrimary").BooleanOK(); err == nil && ok && yes {
				return
			}
		}
		time.Sleep(500 * time.Millisecond)
	}
	b.t.Fatalf("none of %v became the primary", which)
}

const mongoSite = `
machines: {mongo: {}}
mongo:
  set: rs0
  version: "8.0"
  packages: packages
  cache_gb: 0.25
  members: [{machine: mongo, host: localhost}]
  users: {root: {roles: [root], password: "${env:MONGO_PW}"}}
  ha_flag: {every: 5}
`

// standIn makes small packages that carry FerretDB under mongod's names: /usr/bin/mongod reads /etc/mongod.conf, the
// service is mongod, the user mongodb.
func standIn(t *testing.T, dir string) {
	t.Helper()
	const script = `set -eu
pkg() { dpkg-deb --root-owner-group -Zgzip -z1 -b "$1" "$2/$1_8.0.4_amd64.deb" >/dev/null; }
control() { mkdir -p "$1/DEBIAN"; printf 'Package: %s\nVersion: 8.0.4\nArchitecture: amd64\nMaintainer: test <test@example.org>\nDescription: stand-in for tests\n' "$1" >"$1/DEBIAN/control"; }
cd "$3"
control mongodb-org-server
mkdir -p mongodb-org-server/usr/bin mongodb-org-server/usr/libexec mongodb-org-server/etc mongodb-org-server/lib/systemd/system
cp "$1" mongodb-org-server/usr/libexec/mongod
cat >mongodb-org-server/usr/bin/mongod <<'EOS'
#!/bin/sh
opt() { sed -n "s/^ *$1: *//p" "$conf" | tr -d '"' | head -n 1; }
conf=/etc/mongod.conf; [ "${1-}" != --config ] || conf=$2
test -r "$(opt keyFile)" || { echo "keyFile $(opt keyFile) cannot be read" >&2; exit 1; }
exec /usr/libexec/mongod --handler=sqlite --sqlite-url="file:$(opt dbPath)/" --listen-addr="127.0.0.1:$(opt port)" --state-dir="$(opt dbPath)" --telemetry=disable --debug-addr=- --repl-set-name="$(opt replSetName)" --log-level=warn --test-enable-new-auth --setup-database=admin --setup-username=root --setup-password=pw-of-the-test
EOS
chmod 755 mongodb-org-server/usr/bin/mongod
printf 'storage:\n  dbPath: /var/lib/mongodb\nsystemLog:\n  destination: file\n  logAppend: true\n  path: /var/log/mongodb/mongod.log\nnet:\n  port: 27017\n  bindIp: 127.0.0.1\nprocessManagement:\n  timeZoneInfo: /usr/share/zoneinfo\n' >mongodb-org-server/etc/mongod.conf
printf '/etc/mongod.conf\n' >mongodb-org-server/DEBIAN/conffiles
printf '[Unit]\nDescription=MongoDB stand-in\n[Service]\nUser=mongodb\nGroup=mongodb\nExecStart=/usr/bin/mongod --config /etc/mongod.conf\n[Install]\nWantedBy=multi-user.target\n' >mongodb-org-server/lib/systemd/system/mongod.service
printf '#!/bin/sh\nset -e\nid mongodb >/dev/null 2>&1 || useradd -r -M -s /usr/sbin/nologin mongodb\nmkdir -p /var/lib/mongodb /var/log/mongodb\nchown mongodb:mongodb /var/lib/mongodb /var/log/mongodb\nsystemctl daemon-reload || true\n' >mongodb-org-server/DEBIAN/postinst
chmod 755 mongodb-org-server/DEBIAN/postinst
pkg mongodb-org-server "$2"
for n in mongodb-mongosh mongodb-org-tools; do control $n; pkg $n "$2"; done`
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", script, "sh", ferret(t), dir, t.TempDir()).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestMongoStandIn: packages from a folder, configuration, key and service in a container guest, the second run without
// a change to the guest, the real driver through the real sshd. FerretDB has no replica sets, so the set itself must be
// reported as not formed, in words.
func TestMongoStandIn(t *testing.T) {
	g := startGuest(t, "mongo", "deb")
	g.flags, g.env = []string{"--ssh-config", g.sshConfig}, []string{"MONGO_PW=" + mongoRoot.Password}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "packages"), 0o755); err != nil {
		t.Fatal(err)
	}
	standIn(t, filepath.Join(dir, "packages"))
	file := filepath.Join(dir, ".boxdoctor.yaml")
	if err := os.WriteFile(file, []byte(mongoSite), 0o600); err != nil {
		t.Fatal(err)
	}
	out, code := g.text("check", "--only", "mongo")
	if !slices.Contains([]int{finding.ExitOK, finding.ExitFailed}, code) || !strings.Contains(out, "mongo") {
		t.Errorf("check --only mongo: exit %d\n%s", code, out)
	}
	r, code := g.provision("-f", file, "--check", "--allow", "env:MONGO_PW")
	if n := r.Machines[0].Totals; code != finding.ExitFailed || n.WouldChange == 0 || n.Failed != 0 {
		t.Errorf("check: exit %d, %+v", code, r.Machines[0])
	}
	r, code = g.provision("-f", file)
	last := r.Machines[0].Steps[len(r.Machines[0].Steps)-1]
	if code != finding.ExitFailed || r.Machines[0].Totals.Failed != 1 || last.Resource != "mongo/rs0" || !strings.Contains(last.Message, "configuration of the set") {
		t.Errorf("first run: exit %d, %+v", code, r.Machines[0])
	}
	g.says("systemctl is-active mongod; stat -c '%U %a' /etc/mongod.key; grep -c replSetName /etc/mongod.conf", "active\nmongodb 600\n1")
	if r, code = g.provision("-f", file); r.Machines[0].Totals.Changed != 0 || r.Machines[0].Totals.Failed != 1 {
		t.Errorf("second run: exit %d, %+v", code, r.Machines[0])
	}
	begin := time.Now()
	out, code = g.text("mongo", "status", "-f", file)
	step(t, begin, "boxdoctor mongo status: exit %d", code)
	if code != finding.ExitFailed || !strings.Contains(out, "localhost:27017") {
		t.Errorf("status: exit %d\n%s", code, out)
	}
	secretStaysIn(g, mongoRoot.Password)
	if testing.Short() { // each run waits a minute for a set that FerretDB cannot form
		return
	}
	was := g.sh("systemctl show -p MainPID mongod")
	if err := os.WriteFile(file, []byte(strings.Replace(mongoSite, "cache_gb: 0.25", "cache_gb: 0.3", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, _ = g.provision("-f", file); !strings.Contains(fmt.Sprintf("%+v", r.Machines[0].Steps), "mongo/restart/localhost:27017 Result:changed") {
		t.Errorf("a changed option: %+v", r.Machines[0].Steps)
	}
	if now := g.sh("systemctl show -p MainPID mongod"); now == was {
		t.Errorf("mongod was not restarted: %s", now)
	}
	g.says("ls /var/lib/boxdoctor/mongo-restart-* 2>/dev/null; true", "")
	g.says("rm -f /etc/mongod.key; echo other >/etc/mongod.key; true", "")
	if r, _ = g.provision("-f", file); !strings.Contains(fmt.Sprintf("%+v", r.Machines[0].Steps), "it is not overwritten") {
		t.Errorf("another key: %+v", r.Machines[0].Steps)
	}
}
