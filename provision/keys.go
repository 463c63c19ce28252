package provision

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/boxdoctor/boxdoctor/internal/nearest"
)

// unknownKey says where an unknown key stands and which known one is nearest.
func unknownKey(e *yaml.UnknownFieldError) error {
	pos := e.Token.Position
	key := e.Token.Value
	hint := ""
	known := keys(reflect.TypeFor[Config](), map[reflect.Type]bool{})
	if slices.Contains(known, key) {
		hint = "; it is known, but in another place (on and tags stand beside a resource, not in it)"
	} else if near := nearest.Of(key, known); near != "" {
		hint = fmt.Sprintf("; did you mean %s?", near)
	}
	return fmt.Errorf("line %d, column %d: unknown key %q%s", pos.Line, pos.Column, key, hint)
}

// keys are all keys that a configuration can have anywhere.
func keys(t reflect.Type, seen map[reflect.Type]bool) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || seen[t] {
		return nil
	}
	seen[t] = true
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		if name, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); name != "" {
			out = append(out, name)
		}
		out = append(out, keys(f.Type, seen)...)
	}
	return out
}
