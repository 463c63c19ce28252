package logline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Problem is what one field of a line has against the specification.
type Problem struct {
	Field Field
	What  string
	Wrong bool // else a warning: the line is read as it should, but lacks something
}

// String is the problem with its field.
func (p Problem) String() string { return p.Field.String() + ": " + p.What }

// Check says everything that is wrong with a line; nothing for a good one.
func Check(line []byte) []Problem {
	line = TrimEnd(line)
	if len(line) > MaxLine {
		return []Problem{{Message, fmt.Sprintf("the line has %d bytes, at most %d are allowed; shorten the message", len(line), MaxLine), true}}
	}
	var l Line
	if err := l.Parse(line); err != nil {
		e := err.(*Error) //nolint:errorlint // Parse makes no others
		return []Problem{{e.Field, e.What, true}}
	}
	c := &checker{line: &l}
	for f := range count {
		c.text(f)
		fieldChecks[f](c, string(l.fields[f]))
	}
	c.attributes()
	return c.problems
}

// checker gathers what is wrong with one line.
type checker struct {
	line     *Line
	problems []Problem
}

func (c *checker) wrong(f Field, format string, args ...any) {
	c.problems = append(c.problems, Problem{f, fmt.Sprintf(format, args...), true})
}

func (c *checker) warn(f Field, format string, args ...any) {
	c.problems = append(c.problems, Problem{f, fmt.Sprintf(format, args...), false})
}

// text checks what holds for every field: UTF-8, no control characters.
func (c *checker) text(f Field) {
	b := c.line.fields[f]
	if !utf8.Valid(b) {
		c.wrong(f, "is not UTF-8")
	}
	control := func(r rune) bool { return r < ' ' || r == 0x7f }
	if i := bytes.IndexFunc(b, control); i >= 0 {
		c.wrong(f, `has the control character 0x%02x; write it as JSON does, \n or \u%04x`, b[i], b[i])
	}
}

// fieldChecks are what holds for one field each. Attributes are looked at later, because they may stand in two fields.
var fieldChecks = [count]func(c *checker, text string){
	DateTime:  (*checker).dateTime,
	ServerIP:  func(c *checker, text string) { c.address(ServerIP, text) },
	ClientIP:  func(c *checker, text string) { c.address(ClientIP, text) },
	PID:       (*checker).pid,
	RequestID: func(c *checker, text string) { c.token(RequestID, text, 128, false) },
	Type:      (*checker).kind,
	Level:     (*checker).level,
	Message:   (*checker).message,
	Code:      func(c *checker, text string) { c.token(Code, text, 64, true) },
}

func (c *checker) dateTime(text string) {
	if _, ok := c.line.Time(); !ok {
		c.wrong(DateTime, "%s is no time of RFC 3339 with a zone, such as 2026-11-24T09:30:00.125Z", show(text))
	}
}

func (c *checker) address(f Field, text string) {
	if text == "-" {
		return
	}
	if _, err := netip.ParseAddr(text); err != nil {
		c.wrong(f, "%s is no IPv4 or IPv6 address; '-' means none", show(text))
	}
}

func (c *checker) pid(text string) {
	if n, err := strconv.ParseUint(text, 10, 32); err != nil || n == 0 || strconv.FormatUint(n, 10) != text {
		c.wrong(PID, "%s is no process number", show(text))
	}
}

func (c *checker) token(f Field, text string, limit int, mayBeEmpty bool) {
	switch {
	case text == "" && !mayBeEmpty:
		c.wrong(f, "is empty; '-' means none")
	case len(text) > limit:
		c.wrong(f, "has %d characters, at most %d are allowed", len(text), limit)
	case !only([]byte(text), tokenBytes):
		c.wrong(f, "%s has other characters than letters, digits and . _ : -%s", show(text), hintMissingCode(f, text))
	}
}

// hintMissingCode is for the likeliest way to a Code that is none: it was left out, and a pipe of Message took its place.
func hintMissingCode(f Field, text string) string {
	if f == Code && strings.ContainsAny(text, ` }"`) {
		return "; is Code left out? Then the line has to end with ' | '"
	}
	return ""
}

func (c *checker) kind(text string) {
	kind, props, closed := splitType([]byte(text))
	if _, ok := types[string(kind)]; !ok {
		c.wrong(Type, "%s is none of %s", show(string(kind)), strings.Join(typeNames, ", "))
	}
	if !closed {
		c.wrong(Type, "has a [ but does not end with ]")
		return
	}
	if bytes.IndexByte([]byte(text), '[') >= 0 && len(props) == 0 {
		c.wrong(Type, "has empty brackets; without attributes there are none")
	}
}

func (c *checker) level(text string) {
	if _, ok := ParseSeverity(text); ok {
		return
	}
	hint := ""
	if _, ok := ParseSeverity(strings.ToUpper(text)); ok {
		hint = "; write it in capitals"
	}
	c.wrong(Level, "%s is none of %s%s", show(text), strings.Join(levels[:], ", "), hint)
}

func (c *checker) message(text string) {
	if strings.HasPrefix(text, "{") && !json.Valid([]byte(text)) {
		c.warn(Message, "begins like a JSON object and is none, so it is read as text")
	}
}

// kindSpec is what the attributes of one type are.
type kindSpec struct{ known, needed []string }

// types are the types of the specification.
var types = map[string]kindSpec{
	"RUNTIME": {},
	"HTTP":    {[]string{"Url", "Method", "Params", "RemoteIP", "UserAgent", "ReferUrl"}, []string{"Url", "Method"}},
	"REST":    {[]string{"Type", "Url", "Port", "RequestParams", "Response", "RunTime"}, []string{"Url", "RunTime"}},
	"SQL":     {[]string{"Sql", "RunTime"}, []string{"Sql", "RunTime"}},
}

var typeNames = []string{"RUNTIME", "HTTP", "REST", "SQL"}

// Types are the names of all types.
func Types() []string { return slices.Clone(typeNames) }

// valueChecks are what the value of a known attribute must be, and how that is said.
var valueChecks = map[string]struct {
	ok   func(string) bool
	want string
}{
	"RunTime":  {isMillis, "a number of milliseconds, 0 or more"},
	"Port":     {isPort, "a port from 1 to 65535"},
	"RemoteIP": {isAddr, "an IPv4 or IPv6 address"},
	"Url":      {isURL, "a URL"},
}

func isMillis(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil && strings.Trim(s, "0123456789.") == ""
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

func isAddr(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

func isURL(s string) bool {
	_, err := url.Parse(s)
	return err == nil && s != ""
}

// attributes checks those of the brackets and, for the same names, those of a JSON message.
func (c *checker) attributes() {
	kind := string(c.line.Kind())
	spec, known := types[kind]
	if !known {
		return
	}
	found := map[string]bool{}
	c.bracketed(spec, found)
	c.inMessage(spec, found)
	for _, name := range spec.needed {
		if !found[name] {
			c.warn(Type, "%s has no %s, neither in brackets nor as a key of a JSON message", kind, name)
		}
	}
}

func (c *checker) bracketed(spec kindSpec, found map[string]bool) {
	rest := c.line.Props()
	for len(rest) > 0 {
		name, value, after, ok := cutAttribute(rest)
		if !ok {
			c.wrong(Type, "at %s: attributes are name=value, separated by one space; values with other characters stand in quotes", show(string(rest)))
			return
		}
		text, err := Unquote(value)
		if err != nil {
			c.wrong(Type, "%s: %v", name, err)
		}
		if found[string(name)] {
			c.wrong(Type, "has %s twice", name)
		}
		found[string(name)] = true
		c.value(Type, spec, string(name), text)
		rest = after
	}
}

// inMessage looks for the attributes of the type in a JSON message. In a RUNTIME one every key is the application's.
func (c *checker) inMessage(spec kindSpec, found map[string]bool) {
	message := c.line.fields[Message]
	if len(spec.known) == 0 || len(message) == 0 || message[0] != '{' {
		return
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(message, &object) != nil {
		return // said by message
	}
	for _, name := range spec.known {
		raw, ok := object[name]
		if !ok {
			continue
		}
		found[name] = true
		text, err := Unquote(raw)
		if err == nil {
			c.value(Message, spec, name, text)
		}
	}
}

// value checks the value of one attribute, if the type knows it.
func (c *checker) value(f Field, spec kindSpec, name, text string) {
	if v, ok := valueChecks[name]; ok && slices.Contains(spec.known, name) && !v.ok(text) {
		c.wrong(f, "%s: %s is not %s", name, show(text), v.want)
	}
}

// show quotes a piece of somebody's log for a message: short, and without anything that a terminal would obey.
func show(text string) string {
	const most = 40
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "…"
	}
	return strconv.Quote(text)
}
