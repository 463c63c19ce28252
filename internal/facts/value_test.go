package facts

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestAValueKnowsWhetherItIsKnown(t *testing.T) {
	for _, c := range []struct {
		name string
		v    Value[int]
		want int
		why  string
	}{
		{"known", Known(7), 7, ""},
		{"known zero", Known(0), 0, ""},
		{"zero value", Value[int]{}, 0, "not collected: no step observed it"},
		{"with a reason", Unknownf[int]("rpm said %d", 3), 0, "not collected: rpm said 3"},
	} {
		got, err := c.v.Get()
		if got != c.want || c.v.IsKnown() != (c.why == "") {
			t.Errorf("%s: %d, known %t", c.name, got, c.v.IsKnown())
		}
		if c.why == "" {
			if err != nil || c.v.Or(99) != c.want {
				t.Errorf("%s: %v, or %d", c.name, err, c.v.Or(99))
			}
			continue
		}
		if !errors.Is(err, ErrNotCollected) || err.Error() != c.why || c.v.Or(99) != 99 {
			t.Errorf("%s: %v, or %d", c.name, err, c.v.Or(99))
		}
	}
}

func TestValueJSON(t *testing.T) {
	for want, v := range map[string]json.Marshaler{
		`{"known":7}`:                        Known(7),
		`{"known":0}`:                        Known(0),
		`{"known":""}`:                       Known(""),
		`{"known":false}`:                    Known(false),
		`{"known":[]}`:                       Known([]int{}),
		`{"known":null}`:                     Known([]int(nil)),
		`{"unknown":"no step observed it"}`:  Value[int]{},
		`{"unknown":"it said \"no\""}`:       Unknownf[int]("it said %q", "no"),
		`{"known":{"state":"ok","text":""}}`: Known(Sudo{State: SudoOK}),
	} {
		got, err := json.Marshal(v)
		if err != nil || string(got) != want {
			t.Errorf("got %s %v, want %s", got, err, want)
		}
	}
}

func roundTrip[T any](t *testing.T, v T) T {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var back T
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	return back
}

// TestKnownNothingStaysKnown: an empty list that was never made is written as null, and was read back as unknown.
func TestKnownNothingStaysKnown(t *testing.T) {
	if back := roundTrip(t, Known([]SyncedFolder(nil))); !back.IsKnown() {
		t.Errorf("%+v", back)
	}
	if back := roundTrip(t, Known([]SyncedFolder{})); !back.IsKnown() || len(back.Or(nil)) != 0 {
		t.Errorf("%+v", back)
	}
}

func TestReadingReplacesWhatWasThere(t *testing.T) {
	v := Known(7)
	if err := json.Unmarshal([]byte(`{"unknown":"gone"}`), &v); err != nil || v.IsKnown() {
		t.Errorf("%+v %v", v, err)
	}
	if err := json.Unmarshal([]byte(`{"known":8}`), &v); err != nil || v.Or(0) != 8 {
		t.Errorf("%+v %v", v, err)
	}
	for _, bad := range []string{`7`, `{"known":"seven"}`, `[`, `{"known":7,"unknown":3}`} {
		w := Known(1)
		if err := json.Unmarshal([]byte(bad), &w); err == nil || w.Or(0) != 1 {
			t.Errorf("%s: %v, now %+v", bad, err, w)
		}
	}
}

// TestSavedFactsAreTheSameFacts writes and reads facts whose every field has a value, and facts of which nothing
// is known.
func TestSavedFactsAreTheSameFacts(t *testing.T) {
	var full Facts
	fill(reflect.ValueOf(&full).Elem())
	fullGuest(&full)
	back := roundTrip(t, full)
	a, _ := json.Marshal(full)
	b, _ := json.Marshal(back)
	if string(a) != string(b) {
		t.Errorf("saved  %s\nloaded %s", a, b)
	}
	if !reflect.DeepEqual(full.Guest, back.Guest) {
		t.Errorf("saved  %+v\nloaded %+v", full.Guest, back.Guest)
	}
	_, err := roundTrip(t, Facts{}).Guest.Kernel.Get()
	if !errors.Is(err, ErrNotCollected) || !strings.Contains(err.Error(), "no step observed it") {
		t.Error(err)
	}
}

// fullGuest makes every section known.
func fullGuest(f *Facts) {
	known(&f.Guest.Reach)
	known(&f.Guest.System)
	known(&f.Guest.Sudo)
	known(&f.Guest.Kernel)
	known(&f.Guest.Packages)
	known(&f.Guest.Locks)
	known(&f.Guest.Repos)
	known(&f.Guest.Resolve)
	known(&f.Guest.Tools)
	known(&f.Guest.Space)
	known(&f.Guest.Additions)
	known(&f.Guest.Modules)
	known(&f.Guest.Services)
	known(&f.Guest.Mounts)
	known(&f.Guest.Security)
	known(&f.Guest.Clock)
	known(&f.Guest.GALog)
	known(&f.Guest.Activity)
	known(&f.Guest.Mongo)
	guest := reflect.ValueOf(f.Guest)
	for i := range guest.NumField() {
		if !guest.Field(i).FieldByName("ok").Bool() {
			panic("this test forgets Guest." + guest.Type().Field(i).Name)
		}
	}
}

func known[T any](v *Value[T]) {
	var x T
	fill(reflect.ValueOf(&x).Elem())
	*v = Known(x)
}

// fill gives every field that can be set a value that is not zero.
func fill(v reflect.Value) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Date(2017, 8, 1, 2, 3, 4, 0, time.UTC)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text \"é\"\x01")
	case reflect.Int, reflect.Int64:
		v.SetInt(42)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0))
		fill(v.Index(1))
	case reflect.Map:
		m, key, elem := reflect.MakeMap(v.Type()), reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(elem)
		m.SetMapIndex(key, elem)
		v.Set(m)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i))
			}
		}
	default:
		panic("a kind that this test does not know: " + v.Kind().String())
	}
}
