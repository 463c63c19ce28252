package logread

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Timeline sums up the records of one request while they pass.
type Timeline struct {
	first, last time.Time
	records     int
	machines    map[string]int
	calls       map[string]calls
}

// calls are the records of one type that say how long they took.
type calls struct {
	n     int
	total time.Duration
}

// Add takes an entry and says how long after the first one it came.
func (t *Timeline) Add(e Entry) time.Duration {
	if t.machines == nil {
		t.first, t.machines, t.calls = e.At, map[string]int{}, map[string]calls{}
	}
	if s, ok := e.Step(); ok {
		t.records++
		t.machines[e.Machine]++
		if s.Took >= 0 {
			c := t.calls[s.Type]
			t.calls[s.Type] = calls{c.n + 1, c.total + s.Took}
		}
	}
	t.last = e.At
	return e.At.Sub(t.first)
}

// Summary is one line about all that was added, empty if there was nothing.
func (t *Timeline) Summary() string {
	if t.records == 0 {
		return ""
	}
	parts := []string{count(t.records, "record"), count(len(t.machines), "machine"), Millis(t.last.Sub(t.first)) + " from first to last"}
	for _, kind := range slices.Sorted(maps.Keys(t.calls)) {
		c := t.calls[kind]
		parts = append(parts, fmt.Sprintf("%s %s %s", kind, count(c.n, "call"), Millis(c.total)))
	}
	return strings.Join(parts, ", ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Millis writes a duration as people compare them: in milliseconds, and from ten seconds on in seconds.
func Millis(d time.Duration) string {
	switch ms := float64(d) / float64(time.Millisecond); {
	case ms >= 10000:
		return fmt.Sprintf("%.1f s", ms/1000)
	case ms >= 100 || ms == float64(int64(ms)):
		return fmt.Sprintf("%.0f ms", ms)
	default:
		return fmt.Sprintf("%.1f ms", ms)
	}
}
