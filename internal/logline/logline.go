// Package logline reads, writes and checks lines of the log format of docs/logformat.md: nine fields between pipes, the
// eighth of which may hold pipes itself.
package logline

import (
	"bytes"
	"iter"
	"time"
)

// MaxLine is how long a line may be, in bytes without its end.
const MaxLine = 256 << 10

// Field is one of the nine, in their order.
type Field int

// The fields of a line.
const (
	DateTime Field = iota
	ServerIP
	ClientIP
	PID
	RequestID
	Type
	Level
	Message
	Code
	count
)

var fieldNames = [count]string{"DateTime", "ServerIP", "ClientIP", "PID", "RequestID", "Type", "Level", "Message", "Code"}

// String is the name of a field as the specification writes it.
func (f Field) String() string { return fieldNames[f] }

// Line is one line taken apart. Its fields are pieces of what was parsed, so they hold as long as that does.
type Line struct {
	fields [count][]byte
}

// Error says at which field a line stops being a record.
type Error struct {
	Field Field
	What  string
}

// Error names the field first.
func (e *Error) Error() string { return e.Field.String() + ": " + e.What }

// What Parse can say is made once, so that a file full of other lines costs no memory either.
var missing, badSeparator = [count]*Error{}, [count]*Error{}

func init() {
	for f := range count {
		missing[f] = &Error{f, "the line ends here; a record has nine fields separated by ' | '"}
		badSeparator[f] = &Error{f, "the pipe that ends it is not ' | ' (a space, a pipe, a space); only Message may hold pipes"}
	}
	badSeparator[Code] = &Error{Code, "the last pipe of the line is not ' | ' (a space, a pipe, a space); Code holds no pipe"}
}

// Parse takes a line apart; its end, LF or CR LF, may be on it. It allocates nothing.
func (l *Line) Parse(line []byte) error {
	rest := TrimEnd(line)
	for f := DateTime; f < Message; f++ {
		i := bytes.IndexByte(rest, '|')
		if i < 0 {
			return missing[f+1]
		}
		if i == 0 || rest[i-1] != ' ' || i+1 == len(rest) || rest[i+1] != ' ' {
			return badSeparator[f]
		}
		l.fields[f], rest = rest[:i-1], rest[i+2:]
	}
	i := bytes.LastIndexByte(rest, '|')
	if i < 0 {
		return missing[Code]
	}
	if i == 0 || rest[i-1] != ' ' || i+1 < len(rest) && rest[i+1] != ' ' {
		return badSeparator[Code]
	}
	l.fields[Message], l.fields[Code] = rest[:i-1], rest[min(i+2, len(rest)):]
	return nil
}

// TrimEnd takes LF or CR LF off the end of a line.
func TrimEnd(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte{'\n'}), []byte{'\r'})
}

// Get is the text of a field.
func (l *Line) Get(f Field) []byte { return l.fields[f] }

// Time is DateTime as a time; ok is false if it is none.
func (l *Line) Time() (at time.Time, ok bool) {
	err := at.UnmarshalText(l.fields[DateTime])
	return at, err == nil
}

// Severity is Level as something that can be compared; ok is false if it is none.
func (l *Line) Severity() (Severity, bool) { return severity(l.fields[Level]) }

// Kind is Type without its attributes.
func (l *Line) Kind() []byte {
	kind, _, _ := splitType(l.fields[Type])
	return kind
}

// Props is what stands between the brackets after Type; empty if there are none.
func (l *Line) Props() []byte {
	_, props, _ := splitType(l.fields[Type])
	return props
}

// splitType takes the brackets off a type; ok is false if they are not closed.
func splitType(typ []byte) (kind, props []byte, ok bool) {
	kind, props, found := bytes.Cut(typ, []byte{'['})
	if !found {
		return kind, nil, true
	}
	props, ok = bytes.CutSuffix(props, []byte{']'})
	return kind, props, ok
}

// Attributes are the attributes in the brackets, name and value as they stand there: a value may be a JSON string. It ends at
// the first that cannot be read.
func (l *Line) Attributes() iter.Seq2[[]byte, []byte] {
	return func(yield func([]byte, []byte) bool) {
		rest := l.Props()
		for len(rest) > 0 {
			name, value, after, ok := cutAttribute(rest)
			if !ok || !yield(name, value) {
				return
			}
			rest = after
		}
	}
}

// cutAttribute takes the first name=value off; ok is false if it is none.
func cutAttribute(props []byte) (name, value, rest []byte, ok bool) {
	name, rest, ok = bytes.Cut(props, []byte{'='})
	if !ok || len(name) == 0 || !only(name, nameBytes) {
		return nil, nil, nil, false
	}
	n := valueLength(rest)
	if n <= 0 || n < len(rest) && (rest[n] != ' ' || n+1 == len(rest)) {
		return nil, nil, nil, false
	}
	return name, rest[:n], rest[min(n+1, len(rest)):], true
}

// valueLength is how many bytes the value at the beginning of b has: a JSON string, or bare bytes. -1: a string without an end.
func valueLength(b []byte) int {
	if len(b) == 0 || b[0] != '"' {
		n := 0
		for n < len(b) && bareBytes[b[n]] {
			n++
		}
		return n
	}
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// Bytes that may stand in names, in values without quotes, and in RequestID and Code.
var (
	nameBytes  = set("_.-")
	tokenBytes = set("_.:-")
	bareBytes  = set("!#$%&'()*+,-./:;<>?@^_`{}~=")
)

// set is letters, digits and more.
func set(more string) *[256]bool {
	var s [256]bool
	for c := range 256 {
		b := byte(c)
		s[c] = b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || bytes.IndexByte([]byte(more), b) >= 0
	}
	return &s
}

func only(b []byte, allowed *[256]bool) bool {
	for _, c := range b {
		if !allowed[c] {
			return false
		}
	}
	return true
}
