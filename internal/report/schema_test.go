package report_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/boxdoctor/boxdoctor/internal/report"
)

const schemaDir = "../../docs/schema"

func schema(tb testing.TB, name string) *jsonschema.Schema {
	tb.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile(filepath.Join(schemaDir, name))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func decode(tb testing.TB, b []byte) any {
	tb.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		tb.Fatalf("not one JSON document: %v\n%s", err, b)
	}
	return v
}

func schemaFor(fix bool) string {
	if fix {
		return "fix.json"
	}
	return "check.json"
}

// Every case is valid against its own schema, and not against the other command's: the schemas are closed.
func TestJSONIsValid(t *testing.T) {
	for _, path := range cases(t) {
		r, fix := loadCase(t, path)
		doc := decode(t, render(t, report.FormatJSON, report.Options{Fix: fix}, r))
		if err := schema(t, schemaFor(fix)).Validate(doc); err != nil {
			t.Errorf("%s: %v", filepath.Base(path), err)
		}
		if schema(t, schemaFor(!fix)).Validate(doc) == nil {
			t.Errorf("%s is also valid as the other command's report", filepath.Base(path))
		}
	}
}

// The schemas refuse what the contract forbids; else a valid document would prove nothing.
func TestSchemaRefuses(t *testing.T) {
	r, _ := loadCase(t, filepath.Join(casesDir, "founding.json"))
	good := render(t, report.FormatJSON, report.Options{}, r)
	for name, change := range map[string]func(doc, machine, finding map[string]any){
		"another property":           func(d, _, _ map[string]any) { d["extra"] = 1 },
		"another finding property":   func(_, _, f map[string]any) { f["extra"] = 1 },
		"a missing property":         func(_, m, _ map[string]any) { delete(m, "note") },
		"a null list":                func(_, m, _ map[string]any) { m["findings"] = nil },
		"an unknown status":          func(_, _, f map[string]any) { f["status"] = "ok" },
		"an empty severity":          func(_, _, f map[string]any) { f["severity"] = "" },
		"an id without an area":      func(_, _, f map[string]any) { f["id"] = "kernel" },
		"an exit code out of table":  func(d, _, _ map[string]any) { d["exit_code"] = 5 },
		"a time that is none":        func(d, _, _ map[string]any) { d["started_at"] = "yesterday" },
		"another version of schemas": func(d, _, _ map[string]any) { d["schema_version"] = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			var doc map[string]any
			if err := json.Unmarshal(good, &doc); err != nil {
				t.Fatal(err)
			}
			machine := doc["machines"].([]any)[1].(map[string]any)
			change(doc, machine, machine["findings"].([]any)[0].(map[string]any))
			b, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			if schema(t, "check.json").Validate(decode(t, b)) == nil {
				t.Error("the schema accepts it")
			}
		})
	}
}

// Both reports share their parts: a program that reads one reads the other.
func TestSchemasShareTheirParts(t *testing.T) {
	check, fix := defs(t, "check.json"), defs(t, "fix.json")
	for name, def := range check {
		if !reflect.DeepEqual(def, fix[name]) {
			t.Errorf("$defs/%s differs between check.json and fix.json", name)
		}
	}
}

func defs(tb testing.TB, name string) map[string]any {
	tb.Helper()
	var doc struct {
		Defs map[string]any `json:"$defs"`
	}
	if err := json.Unmarshal(readFile(tb, filepath.Join(schemaDir, name)), &doc); err != nil {
		tb.Fatal(err)
	}
	return doc.Defs
}

// The form: two spaces, one newline at the end, and no list is ever null.
func TestJSONForm(t *testing.T) {
	for _, path := range cases(t) {
		r, fix := loadCase(t, path)
		got := string(render(t, report.FormatJSON, report.Options{Fix: fix}, r))
		if !strings.HasSuffix(got, "}\n") || strings.HasSuffix(got, "\n\n") || !strings.HasPrefix(got, "{\n  \"schema_version\": 1,\n") {
			t.Errorf("%s: not in the house form: %.60q … %q", filepath.Base(path), got, got[len(got)-4:])
		}
		if strings.Contains(got, "null") {
			t.Errorf("%s holds null", filepath.Base(path))
		}
		for _, key := range []string{"before", "after", "actions", "dry_run"} {
			if has := strings.Contains(got, "\n  \""+key+"\":"); has != fix {
				t.Errorf("%s: has %q: %v, is a report of fix: %v", filepath.Base(path), key, has, fix)
			}
		}
	}
}
