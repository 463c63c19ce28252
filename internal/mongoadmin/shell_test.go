package mongoadmin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/boxdoctor/boxdoctor/internal/guest"
	"github.com/boxdoctor/boxdoctor/internal/replset"
)

// shellGuest answers as a guest's MongoDB shell would (synthetic), and keeps what it got.
type shellGuest struct {
	out  string
	err  error
	argv []string
	in   string
}

func (g *shellGuest) Run(_ context.Context, c guest.Cmd) (guest.Result, error) {
	b, _ := io.ReadAll(c.Stdin)
	g.argv, g.in = c.Argv, string(b)
	return guest.Result{Stdout: []byte(g.out)}, g.err
}

// The password goes by standard input, never by an argument; answers and refusals are the driver's.
func TestShell(t *testing.T) {
	for name, c := range map[string]struct {
		out  string
		err  error
		code int
		says string
	}{
		"answer":        {out: "Warning: x\n" + shellMark + `{"answer":{"ok":{"$numberInt":"1"},"setName":"rs0"}}` + "\n"},
		"legacy shell":  {out: shellMark + `{ "answer" : { "setName" : "rs0", "ok" : 1 } }` + "\n"},
		"refused":       {out: shellMark + `{"answer":{"ok":0,"code":94,"codeName":"NotYetInitialized","errmsg":"no replset config has been received"}}`, code: 94},
		"login refused": {out: shellMark + `{"code":18,"name":"AuthenticationFailed","message":"Authentication failed."}`, code: 18},
		"not reached":   {out: shellMark + `{"code":0,"name":"","message":"connect ECONNREFUSED 127.0.0.1:27017"}`, says: "ECONNREFUSED"},
		"no shell":      {err: errors.New("neither mongosh nor mongo is there"), says: "neither"},
		"no answer":     {out: "hello\n", says: "gave no answer"},
		"half a line":   {out: shellMark + `{"answer":{"ok"`, says: "not understood"},
	} {
		g := &shellGuest{out: c.out, err: c.err}
		a, err := (&Shell{Guest: g}).enter(t.Context(), 27017, replset.Credential{User: "admin", Password: `p"</script>'$(x)`})
		var code *replset.CodeError
		switch {
		case c.code != 0 && (!errors.As(err, &code) || code.Code != c.code),
			c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)),
			c.code == 0 && c.says == "" && (err != nil || a == nil):
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(fmt.Sprint(g.argv, err), "script>") || !strings.Contains(g.in, `p\"\u003c/script\u003e'$(x)`) {
			t.Errorf("%s: argv %q, in %q, %v", name, g.argv, g.in, err)
		}
	}
}

// Where the guest forbids forwarding the shell takes over; where nobody listens it does not.
func TestShellTakesOver(t *testing.T) {
	g := &shellGuest{out: shellMark + `{"answer":{"ok":1,"setName":"rs0"}}` + "\n"}
	for text, used := range map[string]bool{"open failed: administratively prohibited": true, "Connection refused": false} {
		g.in = ""
		w := Way{Port: 27017, Shell: &Shell{Guest: g}, Dial: failing(text)}
		a, err := w.enter(t.Context(), replset.Credential{})
		if (err == nil) != used || (g.in != "") != used {
			t.Errorf("%s: %v", text, err)
		}
		if used {
			raw, err := a.Command(t.Context(), bson.D{{Key: "hello", Value: 1}})
			if name, ok := raw.Lookup("setName").StringValueOK(); err != nil || !ok || name != "rs0" {
				t.Errorf("%v %v", raw, err)
			}
		}
	}
}
