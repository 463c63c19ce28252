package mongoadmin

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/boxdoctor/boxdoctor/internal/mongotest"
	"github.com/boxdoctor/boxdoctor/internal/replset"
)

// place is where an application stands: some names it knows, by others it cannot reach.
func place(s *mongotest.Set, names map[string]string) From {
	return From{Name: "web", Resolve: func(_ context.Context, name string) ([]string, error) {
		if names[name] == "" {
			return nil, errors.New("unknown")
		}
		return []string{"192.0.2.1"}, nil
	}, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		name, _, _ := net.SplitHostPort(addr)
		if names[name] == "" || names[name] == "off" {
			return nil, errors.New("connection refused")
		}
		return s.Dial(ctx, network, "127.0.0.1:"+strconv.Itoa(s.Port(names[name])))
	}}
}

func TestClientLooks(t *testing.T) {
	t.Parallel()
	hosts := []string{"a:1", "b:1", "c:1"}
	s := mongotest.New(t, "8.0.4", hosts...)
	must(t, drive(t, s, replset.Set{Name: "rs0", Members: shapes["3"]}, hosts...))
	all := map[string]string{"a": "a:1", "b": "b:1", "c": "c:1", "10.0.0.1": "a:1"}
	for name, c := range map[string]struct {
		uri   string
		names map[string]string
		says  []string
		uriTo string
	}{
		"well":               {"mongodb://a:1,b:1,c:1/?replicaSet=rs0", all, nil, "mongodb://a:1,b:1,c:1/?replicaSet=rs0&connectTimeoutMS=2000"},
		"an address":         {"mongodb://10.0.0.1:1/?replicaSet=rs0", all, []string{"10.0.0.1:1 is not a name of the set's own (a:1, b:1, c:1)"}, "mongodb://a:1,b:1,c:1/"},
		"no set":             {"mongodb://a:1", all, []string{"says no replicaSet"}, "mongodb://a:1,b:1,c:1/"},
		"unknown names":      {"mongodb://10.0.0.1:1/?replicaSet=rs0&serverSelectionTimeoutMS=7000", map[string]string{"10.0.0.1": "a:1", "b": "b:1"}, []string{"a:1 is a member by this name, which cannot be used from here (the name is not known there)", "no primary is found from here: every operation fails after serverSelectionTimeoutMS (7000 ms)"}, "mongodb://b:1/"},
		"a seed that is off": {"mongodb://c:1,a:1/?replicaSet=rs0&connectTimeoutMS=2500", map[string]string{"a": "a:1", "b": "b:1", "c": "off"}, []string{"c:1 of the connection string cannot be used (connection refused): while it is tried, up to connectTimeoutMS (2500 ms)"}, "mongodb://a:1,b:1/"},
		"nothing":            {"mongodb://x:1/?replicaSet=rs0", all, []string{"x:1 of the connection string cannot be used", "no primary is found"}, ""},
		"no name is known":   {"mongodb://a:1/?replicaSet=rs0", map[string]string{}, []string{"a:1 of the connection string cannot be used (the name is not known there)"}, ""},
	} {
		v, err := Look(t.Context(), place(s, c.names), c.uri)
		text := strings.Join(v.Problems, "\n")
		if err != nil || (len(c.says) == 0) != (text == "") || (v.ExitCode == 1) != (text != "") || !strings.HasPrefix(v.URI, c.uriTo) {
			t.Errorf("%s: %v %q, exit %d:\n%s", name, err, v.URI, v.ExitCode, text)
		}
		for _, want := range c.says {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is not in\n%s", name, want, text)
			}
		}
		if advice := strings.Join(v.Advice, " "); strings.Contains(name, "known") && !strings.Contains(advice, "make a:1") {
			t.Errorf("%s: %s", name, advice)
		}
		if name == "well" && v.PrimaryMS < 0 {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// A connection string with a password never stands in an error.
func TestClientURIs(t *testing.T) {
	for _, uri := range []string{"mongodb://u:s3cret@", "mongodb+srv://u:s3cret@x.example.org", "http://s3cret", "mongodb://u:s3cret@a/?tls=true"} {
		if _, err := parseURI(uri); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

// What a server calls its members goes into a line that people copy: words that are no host names are not taken.
func TestClientBelievesNoNames(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"a:1$(reboot)", "a b:1", "a:1\x1b[31m", strings.Repeat("a", 300)} {
		var s seedSeen
		s.read(t.Context(), told{bson.D{{Key: "setName", Value: "rs0"}, {Key: "hosts", Value: bson.A{"a:1", bad}}}})
		if s.Error == "" || len(s.members) > 0 {
			t.Errorf("%q was taken: %+v", bad, s)
		}
	}
	var s seedSeen
	if s.read(t.Context(), told{bson.D{{Key: "setName", Value: "rs0"}, {Key: "hosts", Value: bson.A{"a:1", "[::1]:2"}}}}); s.Error != "" || len(s.members) != 2 {
		t.Errorf("%+v", s)
	}
}

// told answers every command with the same document.
type told struct{ doc bson.D }

func (d told) Command(context.Context, bson.D) (bson.Raw, error) { return bson.Marshal(d.doc) }
