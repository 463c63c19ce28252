package mongoadmin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.uber.org/goleak"

	"github.com/boxdoctor/boxdoctor/internal/mongotest"
	"github.com/boxdoctor/boxdoctor/internal/replset"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var admin = replset.Credential{User: "admin", Password: "s3cret-of-the-test"}

func data(host string) replset.Member { return replset.Member{Host: host, Votes: 1, Priority: 1} }

// doors reach the doubles as guests are reached.
func doors(t *testing.T, s *mongotest.Set, hosts ...string) *Doors {
	t.Helper()
	d := &Doors{Ways: map[string]Way{}, Between: func(ctx context.Context, network, addr string) (net.Conn, error) {
		return s.Dial(ctx, network, fmt.Sprintf("127.0.0.1:%d", s.Port(addr)))
	}}
	for _, h := range hosts {
		d.Ways[h] = Way{Dial: s.Dial, Port: s.Port(h)}
	}
	t.Cleanup(func() { d.Close(context.WithoutCancel(t.Context())) })
	return d
}

// drive is a drive with short waits over the doubles.
func drive(t *testing.T, s *mongotest.Set, want replset.Set, hosts ...string) *replset.Drive {
	return &replset.Drive{Want: want, Open: doors(t, s, hosts...).Open, Admin: admin, Election: 2 * time.Second, Sync: 2 * time.Second,
		Pause: 2 * time.Millisecond, Now: time.Now, Act: func(ctx context.Context, _ replset.Step, run func(context.Context) error) error { return run(ctx) }}
}

// shapes are the sets of the issue: one, three, four and an arbiter.
var shapes = map[string][]replset.Member{
	"1":             {data("a:1")},
	"3":             {data("a:1"), data("b:1"), data("c:1")},
	"4 and arbiter": {data("a:1"), data("b:1"), data("c:1"), data("d:1"), {Host: "e:1", Votes: 1, Arbiter: true}},
}

func hostsOf(ms []replset.Member) []string {
	var out []string
	for _, m := range ms {
		out = append(out, m.Host)
	}
	return out
}

// must runs the drive to its end.
func must(t *testing.T, d *replset.Drive) []replset.Taken {
	t.Helper()
	made, _, err := d.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// A set is formed by the real driver, with the user by the exception; the second run makes nothing.
func TestFormAndRunAgain(t *testing.T) {
	t.Parallel()
	for name, ms := range shapes {
		for _, version := range []string{"8.0.4", "4.4.29"} {
			t.Run(name+" "+version, func(t *testing.T) {
				t.Parallel()
				hosts := hostsOf(ms)
				s := mongotest.New(t, version, hosts...)
				want := replset.Set{Name: "rs0", Members: ms}
				if made := must(t, drive(t, s, want, hosts...)); len(made) < len(ms)+1 {
					t.Errorf("made %d steps: %v", len(made), s.Log())
				}
				before := len(s.Log())
				if made := must(t, drive(t, s, want, hosts...)); len(made) != 0 || len(s.Log()) != before {
					t.Errorf("the second run made %v", s.Log()[before:])
				}
				if c := s.Config(); len(c.Members) != len(ms) || c.Settings["replicaSetId"] != "scripted" {
					t.Errorf("%s, settings %v", c.Text(), c.Settings)
				}
				if !slices.Equal(s.Users(), []string{"admin"}) {
					t.Errorf("users %v", s.Users())
				}
			})
		}
	}
}

// The answers that pass: every documented code, once or a few times, at the step that gets it.
func TestAnswersThatPass(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]mongotest.Fault{
		"not the primary any more": {Command: "replSetReconfig", Times: 2, Code: replset.CodeNotWritablePrimary, Message: "replSetReconfig should only be run on a writable PRIMARY. Current state SECONDARY"},
		"configuration on its way": {Command: "replSetReconfig", Times: 3, Code: replset.CodeConfigInProgress, Message: "Cannot run replSetReconfig because the node is currently updating its configuration"},
		"not committed yet":        {Command: "replSetReconfig", Times: 3, Code: replset.CodeConfigNotCommitted, Message: "Cannot run replSetReconfig because the current config is not yet committed"},
		"stepped down":             {Command: "createUser", Times: 1, Code: replset.CodePrimarySteppedDown, Message: "Not-primary error while processing 'createUser'"},
		"initiated meanwhile":      {Command: "replSetInitiate", Times: 1, Code: replset.CodeAlreadyInitialized, Message: "already initialized"},
		"cut before":               {Command: "replSetReconfig", Times: 2, Cut: true},
		"cut after":                {Command: "replSetReconfig", Times: 2, Late: true},
		"hello cut":                {Host: "b:1", Command: "hello", Times: 2, Cut: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mongotest.New(t, "8.0.4", "a:1", "b:1", "c:1")
			s.Script(f)
			must(t, drive(t, s, replset.Set{Name: "rs0", Members: shapes["3"]}, "a:1", "b:1", "c:1"))
			if c := s.Config(); len(c.Members) != 3 {
				t.Error(c.Text())
			}
		})
	}
}

// The answers that do not: each stops with its reason, and nothing is forced.
func TestAnswersThatStop(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(*mongotest.Set)
		says    string
		quorum  bool
	}{
		"quorum": {func(s *mongotest.Set) {
			s.Script(mongotest.Fault{Command: "replSetReconfig", Times: 99, Code: replset.CodeNodeNotFound, Message: "quorum check failed because not enough voting nodes responded"})
		}, "quorum check failed", true},
		"names differ": {func(s *mongotest.Set) {
			s.Script(mongotest.Fault{Command: "replSetInitiate", Times: 99, Code: replset.CodeInvalidReplicaConfig, Message: "No host described in new configuration maps to this node"})
		}, "maps to this node", true},
		"member has data": {func(s *mongotest.Set) {
			s.Script(mongotest.Fault{Command: "replSetInitiate", Times: 99, Code: replset.CodeNodeHasData, Message: "'b:1' has data already, cannot initiate set"})
		}, "has data already", false},
		"one is off":   {func(s *mongotest.Set) { s.Down("c:1", "Connection refused") }, "until every member answers (c:1", true},
		"another name": {func(s *mongotest.Set) { s.Name = "other" }, "command line reports other", true},
		"never not primary": {func(s *mongotest.Set) {
			s.Script(mongotest.Fault{Command: "replSetReconfig", Times: 99, Code: replset.CodeNotWritablePrimary})
		}, "10107", false},
		"nobody leads": {func(s *mongotest.Set) { s.LeadAfter = 1 << 30 }, "for a primary, in vain", true},
		"key refused": {func(s *mongotest.Set) {
			s.Script(mongotest.Fault{Command: "replSetReconfig", Times: 99, Code: replset.CodeNodeNotFound, Message: "b:1 failed with Authentication failed."})
		}, "Authentication failed", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mongotest.New(t, "8.0.4", "a:1", "b:1", "c:1")
			c.prepare(s)
			d := drive(t, s, replset.Set{Name: "rs0", Members: shapes["3"]}, "a:1", "b:1", "c:1")
			d.Election = 200 * time.Millisecond
			_, _, err := d.Run(t.Context())
			var stop *replset.StopError
			if !errors.As(err, &stop) || !strings.Contains(err.Error(), c.says) || stop.Quorum != c.quorum {
				t.Errorf("%v (%+v), want %s", err, stop, c.says)
			}
			if strings.Contains(fmt.Sprint(s.Log()), "FORCE") || strings.Contains(fmt.Sprint(err), admin.Password) {
				t.Errorf("%v %v", s.Log(), err)
			}
		})
	}
}

func TestWrongPasswordStops(t *testing.T) {
	t.Parallel()
	s := mongotest.New(t, "8.0.4", "a:1")
	want := replset.Set{Name: "rs0", Members: shapes["1"]}
	must(t, drive(t, s, want, "a:1"))
	d := drive(t, s, want, "a:1")
	d.Admin.Password = "another"
	_, _, err := d.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "refuses the administrator's password") || strings.Contains(err.Error(), "another") {
		t.Errorf("%v", err)
	}
}

// Members come and go by the declaration; the primary steps down before it goes; a lost member goes while a majority lives.
func TestMembersComeAndGo(t *testing.T) {
	t.Parallel()
	hosts := []string{"a:1", "b:1", "c:1", "d:1", "e:1"}
	s := mongotest.New(t, "8.0.4", hosts...)
	for _, members := range [][]string{{"a:1", "b:1", "c:1"}, {"a:1", "b:1", "c:1", "d:1", "e:1"}, {"b:1", "c:1", "d:1"}, {"b:1", "c:1", "a:1"}} {
		want := replset.Set{Name: "rs0"}
		for _, h := range members {
			want.Members = append(want.Members, data(h))
		}
		must(t, drive(t, s, want, members...)) // the one that goes is reached from the others
		var have []string
		for _, m := range s.Config().Members {
			have = append(have, m.Host)
		}
		slices.Sort(have)
		slices.Sort(members)
		if !slices.Equal(have, members) {
			t.Errorf("have %v, want %v", have, members)
		}
	}
	s.Down("a:1", "Error connecting: Connection refused")
	must(t, drive(t, s, replset.Set{Name: "rs0", Members: []replset.Member{data("b:1"), data("c:1")}}, hosts...))
	if c := s.Config(); len(c.Members) != 2 {
		t.Error(c.Text())
	}
	if !slices.Contains(s.Log(), "a:1 replSetStepDown") {
		t.Errorf("the primary went without stepping down: %v", s.Log())
	}
}

// boxdoctor is killed at every command, before and after the server did it, and started again: each time it ends as
// declared, and makes nothing twice.
func TestKilledAtEveryCommand(t *testing.T) {
	t.Parallel()
	hosts := hostsOf(shapes["4 and arbiter"])
	want := replset.Set{Name: "rs0", Members: shapes["4 and arbiter"]}
	for n := 1; n <= 7; n++ {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d late %v", n, late), func(t *testing.T) {
				t.Parallel()
				s := mongotest.New(t, "8.0.4", hosts...)
				s.CutAt(n, late)
				ctx, kill := context.WithCancel(t.Context())
				defer kill()
				d := drive(t, s, want, hosts...)
				d.Act = func(ctx context.Context, _ replset.Step, run func(context.Context) error) error {
					err := run(ctx)
					if err != nil {
						kill() // the command was cut: nothing of this run goes on
					}
					return err
				}
				_, _, err := d.Run(ctx)
				if n <= 6 && !errors.Is(err, context.Canceled) {
					t.Fatalf("it was not cut: %v", err)
				}
				must(t, drive(t, s, want, hosts...))
				if c := s.Config(); len(c.Members) != 5 {
					t.Error(c.Text())
				}
				log := s.Log()
				slices.Sort(log)
				if inits := strings.Count(strings.Join(log, ";"), "replSetInitiate"); inits != 1 || len(log) != 6 {
					t.Errorf("%d initiations, %d commands: %v", inits, len(log), log)
				}
			})
		}
	}
}

// Users are tested by their login, never by their name.
func TestUsers(t *testing.T) {
	t.Parallel()
	s := mongotest.New(t, "8.0.4", "a:1")
	must(t, drive(t, s, replset.Set{Name: "rs0", Members: shapes["1"]}, "a:1"))
	app := replset.User{Name: "app", Password: "p-one", Roles: []replset.Role{{Role: "readWrite", DB: "shop"}}}
	step := func(want string) {
		t.Helper()
		open := doors(t, s, "a:1").Open
		c, err := replset.UserDiff(t.Context(), open, "a:1", admin, app)
		if err != nil || c.What != want || strings.Contains(c.Text, app.Password) {
			t.Fatalf("%+v %v, want %q", c, err, want)
		}
		if want != "" {
			if err := c.Make(t.Context(), open, "a:1", admin); err != nil {
				t.Fatal(err)
			}
		}
	}
	step("create")
	step("")
	app.Password = "p-two"
	step("set password")
	step("")
	app.Roles = append(app.Roles, replset.Role{Role: "read", DB: "logs"})
	step("set roles")
	step("")
}

func failing(text string) Dial {
	return func(context.Context, string, string) (net.Conn, error) { return nil, errors.New(text) }
}

// A server that answers every reconfiguration with a passing error, each time with another document, does not keep
// boxdoctor for ever.
func TestHostileServerIsLeft(t *testing.T) {
	t.Parallel()
	n := 0
	open := func(context.Context, string, replset.Credential) (replset.Admin, error) {
		return answer(func(cmd string) (bson.D, error) {
			switch cmd {
			case "hello":
				return bson.D{{Key: "setName", Value: "rs0"}, {Key: "isWritablePrimary", Value: true}}, nil
			case "replSetGetStatus":
				return bson.D{{Key: "members", Value: bson.A{bson.D{{Key: "name", Value: "a:1"}, {Key: "state", Value: 1}, {Key: "health", Value: 1.0}}}}}, nil
			case "replSetGetConfig":
				n++
				return bson.D{{Key: "config", Value: bson.D{{Key: "_id", Value: "rs0"}, {Key: "version", Value: n},
					{Key: "members", Value: bson.A{bson.D{{Key: "_id", Value: 0}, {Key: "host", Value: "a:1"}, {Key: "priority", Value: float64(2 + n%900)}}}}}}}, nil
			case "replSetReconfig":
				return nil, &replset.CodeError{Code: replset.CodeConfigInProgress, Message: "later"}
			}
			return bson.D{}, nil
		}), nil
	}
	d := &replset.Drive{Want: replset.Set{Name: "rs0", Members: shapes["1"]}, Open: open, Admin: admin, Election: time.Second, Sync: time.Second, Now: time.Now,
		Act: func(ctx context.Context, _ replset.Step, run func(context.Context) error) error { return run(ctx) }}
	if _, _, err := d.Run(t.Context()); err == nil || n > 1000 {
		t.Errorf("%d looks, %v", n, err)
	}
}

// answer is a server that a function plays.
type answer func(cmd string) (bson.D, error)

func (a answer) Command(_ context.Context, cmd bson.D) (bson.Raw, error) {
	d, err := a(cmd[0].Key)
	if err != nil {
		return nil, err
	}
	return bson.Marshal(d)
}
