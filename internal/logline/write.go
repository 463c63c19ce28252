package logline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"
)

// Attribute is one name and value of a type; the value is as the application has it, not quoted.
type Attribute struct{ Name, Value string }

// Record is what a line says. The zero addresses, request and code are written as none.
type Record struct {
	Time       time.Time
	ServerIP   netip.Addr
	ClientIP   netip.Addr
	PID        int
	RequestID  string
	Type       string
	Attributes []Attribute
	Level      Severity
	Message    string
	Code       string
}

const stamp = "2006-01-02T15:04:05.000Z"

// Append adds the line of a record to dst, with its LF. A record that would make no valid line is an error, and dst comes back as
// it was.
func (r *Record) Append(dst []byte) ([]byte, error) {
	b := r.Time.UTC().AppendFormat(dst, stamp)
	b = appendAddr(append(b, " | "...), r.ServerIP)
	b = appendAddr(append(b, " | "...), r.ClientIP)
	b = strconv.AppendInt(append(b, " | "...), int64(r.PID), 10)
	b = appendOr(append(b, " | "...), r.RequestID, "-")
	b = append(append(b, " | "...), r.Type...)
	b = appendAttributes(b, r.Attributes)
	b = append(append(b, " | "...), r.Level.String()...)
	b = appendMessage(append(b, " | "...), r.Message)
	b = append(append(b, " | "...), r.Code...)
	if !only([]byte(r.Code), tokenBytes) { // Check would take a line end in it for that of the line
		return dst, fmt.Errorf("no line of the log format: Code: %s", show(r.Code))
	}
	for _, p := range Check(b[len(dst):]) {
		if p.Wrong {
			return dst, fmt.Errorf("no line of the log format: %s", p)
		}
	}
	return append(b, '\n'), nil
}

func appendAddr(b []byte, a netip.Addr) []byte {
	if !a.IsValid() {
		return append(b, '-')
	}
	return a.AppendTo(b)
}

func appendOr(b []byte, text, none string) []byte {
	if text == "" {
		text = none
	}
	return append(b, text...)
}

func appendAttributes(b []byte, as []Attribute) []byte {
	for i, a := range as {
		sep := byte(' ')
		if i == 0 {
			sep = '['
		}
		b = append(append(append(b, sep), a.Name...), '=')
		b = appendValue(b, a.Value)
	}
	if len(as) > 0 {
		b = append(b, ']')
	}
	return b
}

// appendValue writes a value bare where that is possible, else as a JSON string without a pipe.
func appendValue(b []byte, value string) []byte {
	if value != "" && only([]byte(value), bareBytes) {
		return append(b, value...)
	}
	quoted := encode(value)
	quoted = bytes.ReplaceAll(quoted, []byte{0x7f}, []byte(`\u007f`))
	return append(b, bytes.ReplaceAll(quoted, []byte{'|'}, []byte(`\u007c`))...)
}

// encode is a text as a JSON string; strings cannot fail.
func encode(text string) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text)
	return bytes.TrimSuffix(buf.Bytes(), []byte{'\n'})
}

// appendMessage writes a message on one line: control characters as JSON writes them, what is no UTF-8 as the replacement character.
// A JSON object is compacted first, because its white space may be line breaks, which between tokens must not become \n.
func appendMessage(b []byte, message string) []byte {
	if isObject([]byte(message)) {
		var buf bytes.Buffer
		if json.Compact(&buf, []byte(message)) == nil {
			message = buf.String()
		}
	}
	for _, c := range message {
		b = appendRune(b, c)
	}
	return b
}

func appendRune(b []byte, c rune) []byte {
	switch {
	case c == '\n':
		return append(b, `\n`...)
	case c == '\r':
		return append(b, `\r`...)
	case c == '\t':
		return append(b, `\t`...)
	case c < ' ' || c == 0x7f:
		return fmt.Appendf(b, `\u%04x`, c)
	}
	return utf8.AppendRune(b, c)
}

// isObject says whether a text is one JSON object.
func isObject(b []byte) bool {
	b = bytes.TrimSpace(b)
	return len(b) > 1 && b[0] == '{' && json.Valid(b)
}

// Unquote is the value of an attribute as the application had it.
func Unquote(value []byte) (string, error) {
	if len(value) == 0 || value[0] != '"' {
		return string(value), nil
	}
	var s string
	if json.Unmarshal(value, &s) != nil {
		return "", errors.New("the value in quotes is no JSON string")
	}
	return s, nil
}
