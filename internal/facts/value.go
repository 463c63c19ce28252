package facts

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ErrNotCollected is wrapped by every error of Value.Get: the fact is not known, which is never the same
// as "no" or "empty".
var ErrNotCollected = errors.New("not collected")

// Value is a fact that knows whether it is known. The zero value is not known.
type Value[T any] struct {
	v   T
	why string
	ok  bool
}

// Known wraps an observed fact.
func Known[T any](v T) Value[T] { return Value[T]{v: v, ok: true} }

// Unknownf is a fact that could not be observed, with the reason.
func Unknownf[T any](format string, a ...any) Value[T] {
	return Value[T]{why: fmt.Sprintf(format, a...)}
}

// Get returns the fact, or an error that wraps ErrNotCollected and says why.
func (v Value[T]) Get() (T, error) {
	if v.ok {
		return v.v, nil
	}
	why := v.why
	if why == "" {
		why = "no step observed it"
	}
	var zero T
	return zero, fmt.Errorf("%w: %s", ErrNotCollected, why)
}

// IsKnown reports whether Get would succeed.
func (v Value[T]) IsKnown() bool { return v.ok }

// Or returns the fact, or def when it is not known. Only for texts, never for a verdict.
func (v Value[T]) Or(def T) T {
	if v.ok {
		return v.v
	}
	return def
}

type valueJSON[T any] struct {
	Known   *T     `json:"known,omitempty"`
	Unknown string `json:"unknown,omitempty"`
}

// MarshalJSON writes {"known":…} or {"unknown":"why"}.
func (v Value[T]) MarshalJSON() ([]byte, error) {
	if v.ok {
		return json.Marshal(valueJSON[T]{Known: &v.v})
	}
	why := v.why
	if why == "" {
		why = "no step observed it"
	}
	return json.Marshal(valueJSON[T]{Unknown: why})
}

// UnmarshalJSON reads what MarshalJSON wrote. A known null (an empty list that was never made) stays known.
func (v *Value[T]) UnmarshalJSON(b []byte) error {
	var j struct {
		Known   json.RawMessage `json:"known"`
		Unknown string          `json:"unknown"`
	}
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	if j.Known == nil {
		*v = Value[T]{why: j.Unknown}
		return nil
	}
	var known T
	if err := json.Unmarshal(j.Known, &known); err != nil {
		return err
	}
	*v = Known(known)
	return nil
}
