package logline

import (
	"bytes"
	"slices"
)

// Severity is a level that can be compared: the greater, the worse. The zero one is TRACE.
type Severity int

// levels in their order, the mildest first.
var levels = [...]string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}

// levelTexts are the same as bytes, for comparing without copying.
var levelTexts = func() (out [len(levels)][]byte) {
	for i, l := range levels {
		out[i] = []byte(l)
	}
	return out
}()

// Levels are the names of all levels, the mildest first.
func Levels() []string { return slices.Clone(levels[:]) }

// String is the name of a level.
func (s Severity) String() string { return levels[s] }

// ParseSeverity reads the name of a level, in capitals.
func ParseSeverity(name string) (Severity, bool) { return severity([]byte(name)) }

func severity(name []byte) (Severity, bool) {
	for i, l := range levelTexts {
		if bytes.Equal(name, l) {
			return Severity(i), true
		}
	}
	return 0, false
}
