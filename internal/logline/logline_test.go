package logline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

const good = `2026-11-24T09:30:00.131Z | 10.0.2.15 | 192.168.56.1 | 4711 | 7f3a-01 | SQL | DEBUG | {"Sql":"select 'a' || b | c","RunTime":3.2} | 0`

func TestParse(t *testing.T) {
	head := "2026-11-24T09:30:00Z | 10.0.2.15 | - | 1 | r | RUNTIME | INFO"
	tests := []struct{ name, line, message, code, err string }{
		{"plain", head + " | hello | 200", "hello", "200", ""},
		{"CRLF", head + " | hello | 200\r\n", "hello", "200", ""},
		{"pipes in JSON", good + "\n", `{"Sql":"select 'a' || b | c","RunTime":3.2}`, "0", ""},
		{"pipes in text", head + " | a | b||c | E1", "a | b||c", "E1", ""},
		{"empty message", head + " |  | 200", "", "200", ""},
		{"empty code", head + " | hello | ", "hello", "", ""},
		{"empty code whose space was cut off", head + " | hello |", "hello", "", ""},
		{"empty message and code", head + " |  | ", "", "", ""},
		{"nothing", "", "", "", "ServerIP: the line ends here"},
		{"stack trace", "\tat shop.Cart.total(Cart.java:17)", "", "", "ServerIP: the line ends here"},
		{"no message", head, "", "", "Message: the line ends here"},
		{"no code", head + " | hello", "", "", "Code: the line ends here"},
		{"pipe in code", head + " | hello | a|b", "", "", "Code: the last pipe"},
		{"pipe without spaces", "2026-11-24T09:30:00Z|10.0.2.15", "", "", "DateTime: the pipe that ends it"},
		{"one space for an empty field", "2026-11-24T09:30:00Z | | 10", "", "", "ServerIP: the pipe that ends it"},
		{"pipe in type", "t | s | c | 1 | r | SQL[a=x|y] | INFO | m | c", "", "", "Type: the pipe that ends it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var l Line
			err := l.Parse([]byte(tt.line))
			if tt.err != "" {
				if err == nil || !strings.HasPrefix(err.Error(), tt.err) {
					t.Fatalf("got %v, want %s…", err, tt.err)
				}
				return
			}
			if err != nil || string(l.Get(Message)) != tt.message || string(l.Get(Code)) != tt.code {
				t.Fatalf("message %q, code %q, %v", l.Get(Message), l.Get(Code), err)
			}
		})
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	line, other := []byte(good+"\n"), []byte("\tat shop.Cart.total(Cart.java:17)\n")
	attributes := []byte(`2026-11-24T09:30:00Z | - | - | 1 | r | SQL[Sql="a b" RunTime=1] | INFO | m | c`)
	var l Line
	n := testing.AllocsPerRun(100, func() {
		if l.Parse(other) == nil || l.Parse(line) != nil {
			t.Fatal("the wrong one was read")
		}
		_, okTime := l.Time()
		_, okLevel := l.Severity()
		if !okTime || !okLevel || len(l.Kind()) != 3 || l.Parse(attributes) != nil {
			t.Fatal("not read")
		}
		for name := range l.Attributes() {
			_ = name
		}
	})
	if n != 0 {
		t.Errorf("%v allocations a line", n)
	}
}

func TestTimeAndLevel(t *testing.T) {
	var l Line
	if err := l.Parse([]byte(strings.Replace(good, "09:30:00.131Z", "11:30:00.131+02:00", 1))); err != nil {
		t.Fatal(err)
	}
	at, ok := l.Time()
	s, okLevel := l.Severity()
	if !ok || !at.Equal(time.Date(2026, 11, 24, 9, 30, 0, 131e6, time.UTC)) || !okLevel || s.String() != "DEBUG" {
		t.Errorf("%v %v, %v %v", at, ok, s, okLevel)
	}
	warn, _ := ParseSeverity("WARN")
	if _, ok := ParseSeverity("warn"); ok || s >= warn {
		t.Error("levels are in capitals, and DEBUG is below WARN")
	}
}

func TestAttributes(t *testing.T) {
	line := `2026-11-24T09:30:00Z | - | - | 1 | r | SQL[Sql="a \"]\u007c b" RunTime=1.5 db=main] | INFO | m | c`
	var l Line
	if err := l.Parse([]byte(line)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for name, value := range l.Attributes() {
		text, err := Unquote(value)
		got = append(got, fmt.Sprintf("%s=%s/%v", name, text, err))
	}
	want := `Sql=a "]| b/<nil>,RunTime=1.5/<nil>,db=main/<nil>`
	if strings.Join(got, ",") != want || string(l.Kind()) != "SQL" {
		t.Errorf("%s: %q", l.Kind(), got)
	}
}

func TestCheck(t *testing.T) {
	replace := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	tests := []struct{ name, line, want string }{
		{"good", good, ""},
		{"time without zone", replace("131Z", "131"), `DateTime: "2026-11-24T09:30:00.131" is no time of RFC 3339`},
		{"no such day", replace("11-24", "11-31"), "DateTime: "},
		{"address", replace("10.0.2.15", "10.0.2"), `ServerIP: "10.0.2" is no IPv4 or IPv6 address`},
		{"name for an address", replace("192.168.56.1", "web"), "ClientIP: "},
		{"pid", replace("4711", "0x1"), `PID: "0x1" is no process number`},
		{"pid zero", replace("4711", "0"), "PID: "},
		{"request empty", replace("7f3a-01", ""), "RequestID: is empty; '-' means none"},
		{"request with a space", replace("7f3a-01", "a b"), "RequestID: "},
		{"type", replace("SQL", "Sql"), `Type: "Sql" is none of RUNTIME, HTTP, REST, SQL`},
		{"bracket open", replace("SQL", "SQL[a=1"), "Type: has a [ but does not end with ]"},
		{"bracket empty", replace("SQL", "SQL[]"), "Type: has empty brackets"},
		{"attribute without a value", replace("SQL", "SQL[a= b=1]"), `Type: at "a= b=1"`},
		{"two spaces between attributes", replace("SQL", "SQL[a=1  b=1]"), `Type: at " b=1"`},
		{"attribute twice", replace("SQL", "SQL[a=1 a=2]"), "Type: has a twice"},
		{"level", replace("DEBUG", "Debug"), "Level: \"Debug\" is none of TRACE, DEBUG, INFO, WARN, ERROR, FATAL; write it in capitals"},
		{"run time", replace("3.2", `"3 ms"`), `Message: RunTime: "3 ms" is not a number`},
		{"control character", replace("select", "\x1b[31m"), "Message: has the control character 0x1b"},
		{"not UTF-8", replace("select", "\xff"), "Message: is not UTF-8"},
		{"code left out", `2026-11-24T09:30:00Z | - | - | 1 | r | RUNTIME | INFO | {"a":"x | y"}`, "is Code left out?"},
		{"too long", replace("select", strings.Repeat("x", MaxLine)), "at most 262144 are allowed"},
		{"attributes missing", replace(`{"Sql":"select 'a' || b | c","RunTime":3.2}`, "x"), "warn Type: SQL has no Sql, neither in brackets"},
		{"JSON cut off", `2026-11-24T09:30:00Z | - | - | 1 | r | RUNTIME | INFO | {"a":"x | y | 0`, "warn Message: begins like a JSON object"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, p := range Check([]byte(tt.line)) {
				if p.Wrong {
					got = append(got, p.String())
				} else {
					got = append(got, "warn "+p.String())
				}
			}
			all := strings.Join(got, "\n")
			if tt.want == "" && all != "" || !strings.Contains(all, tt.want) {
				t.Errorf("got %s\nwant %s", all, tt.want)
			}
		})
	}
}

// TestCheckShowsNothingThatATerminalObeys: the log is somebody else's.
func TestCheckShowsNothingThatATerminalObeys(t *testing.T) {
	for _, p := range Check([]byte(strings.Replace(good, "SQL", "\x1b]0;owned\x07"+strings.Repeat("x", 500), 1))) {
		if strings.ContainsAny(p.String(), "\x1b\x07") || len(p.String()) > 300 {
			t.Errorf("%q", p.String())
		}
	}
}

// TestSpecificationHolds: every example of the page is valid, and its regular expression takes lines apart as Parse does.
func TestSpecificationHolds(t *testing.T) {
	page := readPage(t)
	examples := block(t, page, "## Examples")
	if len(examples) < 5 {
		t.Fatalf("%d examples", len(examples))
	}
	expression := specExpression(t, page)
	for _, line := range examples {
		if ps := Check([]byte(line)); len(ps) > 0 {
			t.Errorf("%s: %v", line, ps)
		}
		sameAsExpression(t, expression, line)
	}
}

func readPage(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/logformat.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// block is the lines of the first ``` block after a text.
func block(t testing.TB, page, after string) []string {
	t.Helper()
	_, rest, _ := strings.Cut(page, after)
	_, rest, _ = strings.Cut(rest, "```\n")
	text, _, ok := strings.Cut(rest, "\n```")
	if !ok {
		t.Fatalf("no block after %s", after)
	}
	return strings.Split(text, "\n")
}

func specExpression(t testing.TB, page string) *regexp.Regexp {
	t.Helper()
	return regexp.MustCompile(block(t, page, "As one regular expression")[0])
}

func sameAsExpression(t testing.TB, expression *regexp.Regexp, line string) {
	t.Helper()
	var l Line
	err := l.Parse([]byte(line))
	m := expression.FindStringSubmatch(line)
	if (err == nil) != (m != nil) {
		t.Fatalf("%q: Parse says %v, the expression %q", line, err, m)
	}
	for f := DateTime; m != nil && f < count; f++ {
		if m[f+1] != string(l.Get(f)) {
			t.Errorf("%q: %s is %q for Parse, %q for the expression", line, f, l.Get(f), m[f+1])
		}
	}
}

func FuzzParse(f *testing.F) {
	expression := specExpression(f, readPage(f))
	for _, s := range []string{good, "", " | | ", strings.Repeat(" | ", 8), strings.Repeat(" | ", 7) + " |", "a | b | c | 1 | r | SQL[a=\"\\\"] | INFO | m | c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		Check([]byte(line))
		if !strings.ContainsAny(line, "\r\n") && strings.ToValidUTF8(line, "") == line {
			sameAsExpression(t, expression, line)
		}
	})
}

// FuzzAppend: what the writer accepts is a valid line that reads back as what was written.
func FuzzAppend(f *testing.F) {
	f.Add("r1", "Sql", "select 'a' || b", "a | b\nc", "200")
	f.Add("", "Url", "/a?b=[c]", "{\n \"a\": \"x | \x7f\"}", "")
	f.Fuzz(func(t *testing.T, request, name, value, message, code string) {
		r := Record{Time: time.Unix(1764000000, 0), PID: 1, RequestID: request, Type: "RUNTIME", Attributes: []Attribute{{name, value}}, Message: message, Code: code}
		b, err := r.Append(nil)
		if err != nil {
			return
		}
		var l Line
		if bytes.Count(b, []byte{'\n'}) != 1 || l.Parse(b) != nil || string(l.Get(Code)) != code {
			t.Fatalf("%q", b)
		}
		for n, v := range l.Attributes() {
			text, err := Unquote(v)
			if string(n) != name || text != strings.ToValidUTF8(value, "\ufffd") && !strings.Contains(text, "\ufffd") || err != nil {
				t.Errorf("%s=%s became %s=%s (%v)", name, value, n, text, err)
			}
		}
	})
}

func TestAppend(t *testing.T) {
	r := Record{Time: time.Date(2026, 11, 24, 10, 30, 0, 131e6, time.FixedZone("", 3600)), ServerIP: netip.MustParseAddr("10.0.2.15"), PID: 7,
		Type: "SQL", Attributes: []Attribute{{"Sql", "select 'a' || b"}, {"RunTime", "3.2"}}, Level: 2, Message: "a | b\n\tc"}
	b, err := r.Append([]byte("before\n"))
	want := "before\n" + `2026-11-24T09:30:00.131Z | 10.0.2.15 | - | 7 | - | SQL[Sql="select 'a' \u007c\u007c b" RunTime=3.2] | INFO | a | b\n\tc | ` + "\n"
	if err != nil || string(b) != want {
		t.Errorf("%v\ngot  %q\nwant %q", err, b, want)
	}
	r.Message = "{\n  \"a\": \"x | y\"\n}"
	b, err = r.Append(nil)
	var l Line
	if err != nil || l.Parse(b) != nil || !json.Valid(l.Get(Message)) {
		t.Errorf("%v: %q", err, b)
	}
	r.Code = "a|b"
	if b, err := r.Append([]byte("before\n")); err == nil || string(b) != "before\n" {
		t.Errorf("%q, %v", b, err)
	}
}

func BenchmarkParse(b *testing.B) {
	line := []byte(good + "\n")
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	var l Line
	for b.Loop() {
		if l.Parse(line) != nil {
			b.Fatal("not read")
		}
	}
}

// BenchmarkParseTimeLevel is what merging and filtering need of a line.
func BenchmarkParseTimeLevel(b *testing.B) {
	line := []byte(good + "\n")
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	var l Line
	for b.Loop() {
		_ = l.Parse(line)
		_, ok := l.Time()
		_, okLevel := l.Severity()
		if !ok || !okLevel {
			b.Fatal("not read")
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	line := []byte(good + "\n")
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if len(Check(line)) > 0 {
			b.Fatal("not good")
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	r := Record{Time: time.Now(), PID: 1, RequestID: "r", Type: "SQL", Attributes: []Attribute{{"Sql", "select 1"}, {"RunTime", "3"}}, Message: "m | n", Code: "0"}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = r.Append(buf[:0]); err != nil {
			b.Fatal(err)
		}
	}
}
