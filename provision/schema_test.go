package provision

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/goccy/go-yaml"

	"github.com/boxdoctor/boxdoctor/internal/testkit"
)

const schemaFile = "../docs/schema/boxdoctor.json"

// byName are the kinds that may also be declared by their name alone.
var byName = []reflect.Type{reflect.TypeFor[packageSpec](), reflect.TypeFor[directorySpec](), reflect.TypeFor[userSpec](),
	reflect.TypeFor[groupSpec](), reflect.TypeFor[serviceSpec](), reflect.TypeFor[mongoRole]()}

// schemaOf is the JSON Schema of what a type is read from.
func schemaOf(t reflect.Type) map[string]any {
	switch {
	case t.Kind() == reflect.Pointer:
		return schemaOf(t.Elem())
	case strings.HasPrefix(t.Name(), "ordered["):
		of, _ := t.FieldByName("Of")
		return map[string]any{"type": "object", "additionalProperties": schemaOf(of.Type.Elem())}
	case t == reflect.TypeFor[groupOfPrograms]():
		return map[string]any{"oneOf": []any{schemaOf(reflect.TypeFor[[]string]()), object(t)}}
	}
	switch t.Kind() {
	case reflect.Struct:
		for _, n := range byName {
			if n == t {
				return map[string]any{"oneOf": []any{map[string]any{"type": "string"}, object(t)}}
			}
		}
		return object(t)
	case reflect.Slice:
		return map[string]any{"type": "array", "items": schemaOf(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schemaOf(t.Elem())}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int:
		return map[string]any{"type": "integer"}
	case reflect.Interface:
		return map[string]any{}
	}
	return map[string]any{"type": []string{"string", "number", "boolean"}} // YAML reads 10 and true where a word is wanted
}

func object(t reflect.Type) map[string]any {
	props := map[string]any{}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			for k, v := range object(f.Type)["properties"].(map[string]any) {
				props[k] = v
			}
			continue
		}
		props[strings.Split(f.Tag.Get("yaml"), ",")[0]] = schemaOf(f.Type)
	}
	return map[string]any{"type": "object", "properties": props, "additionalProperties": false}
}

// The schema for editors is what the reader reads: it is written from the same types.
func TestConfigSchema(t *testing.T) {
	s := schemaOf(reflect.TypeFor[Config]())
	s["$schema"], s["title"] = "https://json-schema.org/draft/2020-12/schema", ".boxdoctor.yaml"
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	testkit.Golden(t, schemaFile, append(b, '\n'))
	schema, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	for text, fine := range map[string]bool{
		app: true, mongoThree: true,
		"mongo: {set: rs0, members: [{machine: a, vote: 1}]}":               false,
		"resources: [{package: htop}, {service: {name: x, enabled: true}}]": true,
		"resources: [{packge: htop}]":                                       false,
		"supervisor: {programs: {a: {startsec: 5}}}":                        false,
	} {
		var doc any
		if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		asJSON, _ := json.Marshal(doc)
		_ = json.Unmarshal(asJSON, &doc)
		if err := schema.Validate(doc); (err == nil) != fine {
			t.Errorf("%s: %v", text, err)
		}
		if _, err := Parse([]byte(text)); (err == nil) != fine {
			t.Errorf("the reader and the schema differ on %s: %v", text, err)
		}
	}
}
