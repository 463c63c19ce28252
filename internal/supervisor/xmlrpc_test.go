package supervisor

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRequest(t *testing.T) {
	got := request("supervisor.x", "a<b>&\"ö", -5, true)
	want := "<?xml version='1.0'?><methodCall><methodName>supervisor.x</methodName><params>" +
		"<param><value><string>a&#60;b&#62;&#38;&#34;&#246;</string></value></param><param><value><int>-5</int></value></param>" +
		"<param><value><boolean>1</boolean></value></param></params></methodCall>"
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestResponse(t *testing.T) {
	for in, want := range map[string]any{
		"<int>5</int>": 5, "<i4> -7 </i4>": -7, "<boolean>0</boolean>": false, "bare": "bare", "<string/>": "", "": "",
		"<string>a\x1b[31mb\x00</string>": "a\x1b[31mb\x00",
		"<string>\xff</string>":           "\uFFFD",
		"<array><data><value>x</value><value><int>1</int></value></data></array>":     []any{"x", 1},
		"<struct><member><name>k</name><value><int>1</int></value></member></struct>": map[string]any{"k": 1},
		"\n<array>\n<data>\n</data>\n</array>\n":                                      []any{},
	} {
		got, err := response(answer(in))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: %v %s", in, err, diff)
		}
	}
	deep := strings.Repeat("<array><data><value>", maxDepth+2)
	for _, bad := range []string{"", "x", "<methodResponse/>", string(answer("<int>x</int>")), string(answer("<int>99999999999999999999</int>")), string(answer(deep)), "<methodResponse><params><param><value><array>"} {
		if v, err := response([]byte(bad)); err == nil {
			t.Errorf("%.60q is %v", bad, v)
		}
	}
}

// Whatever a guest answers is decoded or refused, in bounded time and without a panic.
func FuzzResponse(f *testing.F) {
	f.Add(answer("<array><data><value><struct><member><name>k</name><value>v</value></member></struct></value></data></array>"))
	f.Add(refusal(60, "ALREADY_STARTED"))
	f.Add([]byte("<fault>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := response(b); v != nil && err != nil {
			t.Errorf("%v and %v", v, err)
		}
	})
}
