package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/guest/guesttest"
)

// recorded is an answer of the relay of a real supervisord: 4.3.0 on Python 3.13 and 3.4.0 on Python 2.7, both with a
// login on their socket, recorded 2026-11-24.
func recorded(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestLookAtRealSupervisords(t *testing.T) {
	for version, pid := range map[string]int{"4.3.0": 1912, "3.4.0": 1906} {
		dir := map[string]string{"4.3.0": "/run/bd-run43", "3.4.0": "/run/bd-run34"}[version]
		g := guesttest.New(t,
			guesttest.Step{Name: "ask supervisord", Sudo: true, Has: []string{"exec \"$python\""}, Out: recorded(t, "look-"+version)},
			guesttest.Step{Name: "read standard error of programs", Sudo: true, Out: recorded(t, "stderr-"+version)})
		got, err := Look(t.Context(), g)
		if err != nil || len(got) != 1 {
			t.Fatalf("%v, %v", got, err)
		}
		seven, programs := 7, got[0].Programs
		if i := got[0]; i.Version != version || i.State != "RUNNING" || i.Config != dir+"/s.conf" || i.Socket != dir+"/s.sock" || i.Error != "" || len(programs) != 6 {
			t.Errorf("%+v", i)
		}
		want := []Program{
			{Name: "bad", Group: "bad", State: "FATAL", LastError: "\x1b[31mImportError\x1b[0m: kein Mödul (Exited too quickly)"},
			{Name: "good", Group: "good", State: "RUNNING", PID: pid, UptimeSeconds: programs[1].UptimeSeconds},
			{Name: "off", Group: "off", State: "STOPPED"},
			{Name: "once", Group: "once", State: "EXITED", Exit: &seven, LastError: "Bad exit code 7"},
		}
		if diff := cmp.Diff(want, programs[:4], cmpopts.IgnoreUnexported(Program{})); diff != "" || programs[1].UptimeSeconds < 1 {
			t.Errorf("%s: %s", version, diff)
		}
		if programs[4].FullName() != "w:w_00" || programs[1].FullName() != "good" || !programs[0].Failed() || programs[3].Failed() {
			t.Errorf("%s: names or failures of %+v", version, programs)
		}
	}
}

// of is a synthetic answer of the relay.
func of(r ...reply) string {
	b, err := json.Marshal(map[string]any{"instances": r})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func answer(value string) []byte {
	return []byte("<methodResponse><params><param><value>" + value + "</value></param></params></methodResponse>")
}

func refusal(code int, text string) []byte {
	return fmt.Appendf(nil, "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>%d</int></value></member>"+
		"<member><name>faultString</name><value><string>%s</string></value></member></struct></value></fault></methodResponse>", code, text)
}

func TestLookAtTroubles(t *testing.T) {
	info := "<array><data><value><struct><member><name>name</name><value><string>" + strings.Repeat("x", 5000) + "</string></value></member></struct></value></data></array>"
	good := [][]byte{answer("<string>4.2.5</string>"), answer("<struct><member><name>statename</name><value><string>RUNNING</string></value></member></struct>"), answer(info)}
	for name, c := range map[string]struct {
		out, want string
	}{
		"none":            {of(), "0 [] <nil>"},
		"down":            {of(reply{Config: "/c", Socket: "/s", Down: true, Error: "[Errno 2]"}), "1 [{Config:/c Socket:/s Version: State: Down:true Error:[Errno 2] Programs:[]}] <nil>"},
		"too few":         {of(reply{Config: "/c", Answers: good[:2]}), "2 answers to three questions"},
		"refuses":         {of(reply{Config: "/c", Answers: [][]byte{good[0], good[1], refusal(6, "SHUTDOWN_STATE")}}), "Error:SHUTDOWN_STATE"},
		"no XML-RPC":      {of(reply{Config: "/c", Answers: [][]byte{[]byte("hello"), nil, nil}}), "answers no XML-RPC"},
		"other types":     {of(reply{Config: "/c", Answers: [][]byte{answer("<int>1</int>"), answer("<int>1</int>"), answer("<int>1</int>")}}), "Programs:[]}] <nil>"},
		"long names":      {of(reply{Config: "/c", Answers: good}), "Name:" + strings.Repeat("x", maxName) + "... "},
		"no JSON":         {"<html>" + strings.Repeat("y", 9000), `its answer is no JSON: invalid character '<' looking for beginning of value; it begins with "<html>yyy`},
		"another's world": {`{"instances": [{"answers": "x"}]}`, "its answer is no JSON"},
	} {
		got, err := Look(t.Context(), guesttest.New(t, guesttest.Step{Name: "ask supervisord", Sudo: true, Out: c.out}))
		if text := fmt.Sprintf("%d %+v %v", len(got), got, err); !strings.Contains(text, c.want) || len(text) > 2000 {
			t.Errorf("%s: %s, want %s", name, text, c.want)
		}
	}
}

// What is longer than the bound is an error, not half a truth.
func TestLookIsBounded(t *testing.T) {
	cut := runner(func(guest.Cmd) (guest.Result, error) { return guest.Result{Stdout: []byte(of()), Truncated: true}, nil })
	if _, err := Look(t.Context(), cut); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Error(err)
	}
	lost := runner(func(guest.Cmd) (guest.Result, error) { return guest.Result{}, guest.ErrUnknownOutcome })
	if err := Change(t.Context(), lost, "/c", Stop, []Program{{Name: "a", Group: "a"}}); !errors.Is(err, guest.ErrUnknownOutcome) {
		t.Error(err)
	}
}

type runner func(guest.Cmd) (guest.Result, error)

// Run is the function.
func (r runner) Run(_ context.Context, c guest.Cmd) (guest.Result, error) { return r(c) }

func TestChange(t *testing.T) {
	done := answer("<boolean>1</boolean>")
	two := []Program{{Name: "a", Group: "a"}, {Name: "b", Group: "g"}}
	for name, c := range map[string]struct {
		verb    Verb
		answers [][]byte
		methods []string
		want    string
	}{
		"start":           {Start, [][]byte{done, done}, []string{"startProcess", ">a<", "startProcess", ">g:b<"}, ""},
		"already":         {Start, [][]byte{refusal(60, "ALREADY_STARTED: a"), done}, nil, ""},
		"restart":         {Restart, [][]byte{refusal(70, "NOT_RUNNING: a"), done, done, refusal(50, "SPAWN_ERROR: g:b")}, []string{"stopProcess", "stopProcess", "startProcess", "startProcess"}, "g:b: SPAWN_ERROR: g:b"},
		"stop":            {Stop, [][]byte{done, nil}, []string{"stopProcess"}, "g:b: supervisord failed at this request"},
		"too few answers": {Stop, [][]byte{done}, nil, "1 answers to 2 requests"},
	} {
		g := guesttest.New(t, guesttest.Step{Name: string(c.verb) + " programs", Sudo: true, Out: of(reply{Config: "/c", Answers: c.answers})})
		var sent string
		err := Change(t.Context(), runner(func(cmd guest.Cmd) (guest.Result, error) {
			sent = strings.Join(cmd.Args[3:], "\n")
			if cmd.Args[1] != "/c" || !strings.Contains(sent, "<boolean>1</boolean>") {
				t.Errorf("%s sends %q", name, cmd.Args[1:])
			}
			return g.Run(t.Context(), cmd)
		}), "/c", c.verb, two)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		for _, m := range c.methods {
			_, rest, ok := strings.Cut(sent, m)
			if !ok {
				t.Errorf("%s sends no %s: %s", name, m, sent)
			}
			sent = rest
		}
	}
}

// The recorded refusal to start a program that cannot.
func TestRecordedRefusal(t *testing.T) {
	for _, v := range []string{"4.3.0", "3.4.0"} {
		g := guesttest.New(t, guesttest.Step{Name: "start programs", Sudo: true, Out: recorded(t, "start-"+v)})
		if err := Change(t.Context(), g, "/c", Start, []Program{{Name: "bad", Group: "bad"}}); err == nil || err.Error() != "bad: SPAWN_ERROR: bad" {
			t.Errorf("%s: %v", v, err)
		}
	}
}

// A log that begins in the middle of a character is asked for again, a byte less each time (supervisord on Python 3
// fails at the first).
func TestTailOfACutCharacter(t *testing.T) {
	p := Program{Name: "a", Group: "a", logs: map[Stream]string{Stdout: "/var/log/a b.log"}}
	for want, answers := range map[string][][]byte{
		"dul":   {nil, answer("dul"), answer("dul"), answer("ul")},
		"sudo ": {nil, nil, nil, nil},
		"BAD_NAME: a": {refusal(10, "BAD_NAME: a"), refusal(10, "BAD_NAME: a"), refusal(10, "BAD_NAME: a"),
			refusal(10, "BAD_NAME: a")},
	} {
		g := guesttest.New(t, guesttest.Step{Name: "read what programs wrote", Sudo: true, Out: of(reply{Config: "/c", Answers: answers})})
		text, err := Tail(t.Context(), runner(func(c guest.Cmd) (guest.Result, error) {
			if !strings.Contains(c.Args[3], "readProcessStdoutLog") {
				t.Errorf("standard error that goes into the other log is read by %s", c.Args[3])
			}
			return g.Run(t.Context(), c)
		}), "/c", p, Stderr)
		if !strings.Contains(fmt.Sprint(text, err), want) {
			t.Errorf("%q %v, want %s", text, err, want)
		}
	}
}
