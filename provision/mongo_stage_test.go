package provision

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/action"
	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/mongoadmin"
	"github.com/boxdoctor/boxdoctor/internal/mongotest"
	"github.com/boxdoctor/boxdoctor/internal/netprobe"
	"github.com/boxdoctor/boxdoctor/internal/replset"
)

// mongoGuest is a machine whose mongod is a scripted double; jobs that restart it are noted.
type mongoGuest struct {
	guest.Guest
	set  *mongotest.Set
	host string
	// due: a restart is asked for.
	mu  sync.Mutex
	due bool
}

func (g *mongoGuest) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if g.set == nil {
		return nil, fmt.Errorf("Name or service not known")
	}
	return g.set.Dial(ctx, network, addr)
}

func (g *mongoGuest) Run(_ context.Context, c guest.Cmd) (guest.Result, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(c.Args) == 3 && c.Args[2] == "check" && !g.due {
		return guest.Result{Code: 3}, &guest.ExitError{Name: c.Name, Code: 3}
	}
	return guest.Result{}, nil
}

// mongoBench is a stage over doubles: three machines of one member each.
func mongoBench(t *testing.T, s *mongotest.Set, check bool, journal *memoryJournal) *mongoStage {
	t.Helper()
	v := &MongoSpec{Set: "rs0", Members: []mongoMember{{Machine: "a", Port: 1}, {Machine: "b", Port: 1}, {Machine: "c", Port: 1}}}
	crew := &Crew{Check: check, runs: map[string]*run{}}
	doors := &mongoadmin.Doors{Ways: map[string]mongoadmin.Way{}}
	for _, m := range v.Members {
		g := &mongoGuest{set: s, host: m.host()}
		crew.runs[m.Machine] = &run{o: Options{Now: time.Now}, m: Machine{Name: m.Machine}, guest: g, target: &action.Target{Machine: m.Machine, Journal: journal}}
		doors.Ways[m.host()] = mongoadmin.Way{Dial: s.Dial, Port: s.Port(m.host())}
	}
	t.Cleanup(func() { doors.Close(context.WithoutCancel(t.Context())) })
	return &mongoStage{spec: v, crew: crew, doors: doors, admin: replset.Credential{User: "admin", Password: "s3cret-of-the-test"}, pause: 2 * time.Millisecond,
		users: []replset.User{{Name: "app", Password: "s3cret-of-app", Roles: []replset.Role{{Role: "readWrite", DB: "shop"}}}}}
}

// stageResults are the steps in a line each.
func stageResults(steps []StageStep) string {
	var out []string
	for _, s := range steps {
		line := s.Machine + " " + string(s.Result) + " " + s.Resource
		for _, c := range s.Changes {
			line += ": " + c.What
		}
		out = append(out, strings.TrimSpace(line+" "+s.Message))
	}
	return strings.Join(out, "\n")
}

// A dry run shows every document and sends nothing; a run forms the set; the second one changes nothing; no secret leaves.
func TestMongoStage(t *testing.T) {
	s := mongotest.New(t, "8.0.4", "a:1", "b:1", "c:1")
	j := &memoryJournal{}
	m := mongoBench(t, s, true, j)
	m.run(t.Context())
	if got := stageResults(m.steps); got != `a would change mongo/rs0: initiate rs0 with a:1
a would change mongo/rs0: create the administrator
a would change mongo/rs0: add b:1
a would change mongo/rs0: add c:1
a may change mongo/user/app waits for the set` || len(s.Log()) != 0 || len(j.entries) != 0 {
		t.Errorf("%s\n%v %v", got, s.Log(), j.entries)
	}
	if doc := m.steps[2].Changes[0]; !strings.Contains(doc.To, "replSetReconfig {_id: rs0, version: 2") || !strings.Contains(doc.Diff, "+  {_id: 1, host: b:1, priority: 1, votes: 1}") {
		t.Errorf("%+v", doc)
	}
	m = mongoBench(t, s, false, j)
	m.run(t.Context())
	if got := stageResults(m.steps); got != `a changed mongo/rs0: initiate rs0 with a:1
a changed mongo/rs0: create the administrator
a changed mongo/rs0: add b:1
a changed mongo/rs0: add c:1
a changed mongo/user/app: create` {
		t.Error(got)
	}
	for _, e := range j.entries {
		if strings.Contains(fmt.Sprintf("%+v", e), "s3cret") || e.State == "begin" && e.Undo == "" {
			t.Errorf("%+v", e)
		}
	}
	for _, check := range []bool{false, true} {
		m = mongoBench(t, s, check, j)
		m.run(t.Context())
		if got := stageResults(m.steps); strings.Contains(got, "change") || !strings.Contains(got, "a ok mongo/rs0") || !strings.Contains(got, "a ok mongo/user/app") {
			t.Errorf("check %v: %s", check, got)
		}
	}
}

// Where members do not answer, who reaches whom is measured and shown.
func TestMongoStageShowsTheMatrix(t *testing.T) {
	s := mongotest.New(t, "8.0.4", "a:1", "b:1", "c:1")
	s.Script(mongotest.Fault{Command: "replSetReconfig", Times: 99, Code: replset.CodeNodeNotFound, Message: "quorum check failed because not enough voting nodes responded"})
	m := mongoBench(t, s, false, &memoryJournal{})
	m.crew.runs["b"].guest.(*mongoGuest).set = nil
	m.run(t.Context())
	got := stageResults(m.steps)
	for _, want := range []string{"failed mongo/rs0", "quorum check failed", "who reaches whom", "b: a:1 UNKNOWN NAME; b:1 UNKNOWN NAME", "boxdoctor check --only mongo"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

// Below the matrix stands what the network probe found, of the members' ports alone.
func TestMongoReasons(t *testing.T) {
	closed := netprobe.Port{From: "a", To: "b", Port: 27017, Status: netprobe.Closed, Message: "nothing listens", Fix: "start mongod"}
	other, host, open := closed, closed, closed
	other.Port, host.From, open.Status = 1, netprobe.HostName, netprobe.OK
	got := explained([]netprobe.Port{other, host, open, closed}, map[string]bool{"b:27017": true})
	if got != "  a to b:27017: nothing listens; start mongod\n" {
		t.Errorf("%q", got)
	}
	if got := explained(slices.Repeat([]netprobe.Port{closed}, 50), map[string]bool{"b:27017": true}); strings.Count(got, "\n") != mostReasons {
		t.Errorf("%q", got)
	}
}

// Restarts go one by one, the primary last and after it handed over.
func TestMongoRestartsOneByOne(t *testing.T) {
	s := mongotest.New(t, "8.0.4", "a:1", "b:1", "c:1")
	j := &memoryJournal{}
	m := mongoBench(t, s, false, j)
	m.run(t.Context())
	m = mongoBench(t, s, false, j)
	for name, r := range m.crew.runs {
		g := r.guest.(*mongoGuest)
		g.due = name != "b"
		r.target.Guest = g
	}
	due, err := m.due(t.Context())
	if err != nil || len(due) != 2 {
		t.Fatalf("%v %v", due, err)
	}
	var order []string
	have := m.look(t.Context())
	if leads(have, "a:1") != 1 || leads(have, "c:1") != 0 {
		t.Errorf("%+v", have.Nodes)
	}
	for _, x := range due {
		order = append(order, x.host())
	}
	if fmt.Sprint(order) != "[a:1 c:1]" {
		t.Errorf("%v", order)
	}
	if err := m.act(t.Context(), replset.Step{Kind: replset.StepDown, At: "a:1", What: "hand over"}, func(ctx context.Context) error { return m.stepDown(ctx, "a:1") }); err != nil {
		t.Fatal(err)
	}
	if err := m.back(t.Context(), due[0], true); err != nil {
		t.Fatal(err)
	}
	if have = m.look(t.Context()); leads(have, "b:1") != 1 {
		t.Errorf("%+v", have.Nodes)
	}
	s.Down("c:1", "Connection refused")
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := m.back(short, due[1], true); err == nil {
		t.Error("a member that is down is back")
	}
}
