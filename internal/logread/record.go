package logread

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/logline"
)

// Record is an entry as JSON, one a line: docs/schema/logs.json.
type Record struct {
	SchemaVersion int       `json:"schema_version"`
	Machine       string    `json:"machine"`
	File          string    `json:"file"`
	At            time.Time `json:"at"`
	Continues     bool      `json:"continues"`
	// Text is the line, where it is no record.
	Text string `json:"text,omitempty"`
	*Fields
}

// Fields are those of a record, by the names of docs/logformat.md.
type Fields struct {
	Time      string          `json:"time"`
	ServerIP  string          `json:"server_ip"`
	ClientIP  string          `json:"client_ip"`
	PID       int             `json:"pid"`
	RequestID string          `json:"request_id"`
	Type      string          `json:"type"`
	Props     string          `json:"props,omitempty"`
	Level     string          `json:"level"`
	Message   json.RawMessage `json:"message"`
	Code      string          `json:"code,omitempty"`
}

// Record is the entry for machines to read; clean is done to every text.
func (e Entry) Record(clean func(string) string) Record {
	r := Record{SchemaVersion: 1, Machine: e.Machine, File: e.File, At: e.At.UTC(), Continues: e.Continues}
	var l logline.Line
	if e.Continues || l.Parse(e.Text) != nil {
		r.Continues, r.Text = true, clean(string(e.Text))
		return r
	}
	text := func(f logline.Field) string { return clean(string(l.Get(f))) }
	pid, _ := strconv.Atoi(text(logline.PID)) // 0: it has none
	r.Fields = &Fields{Time: text(logline.DateTime), ServerIP: text(logline.ServerIP), ClientIP: text(logline.ClientIP), PID: pid,
		RequestID: text(logline.RequestID), Type: clean(string(l.Kind())), Props: clean(string(l.Props())), Level: text(logline.Level),
		Message: message(text(logline.Message)), Code: text(logline.Code)}
	return r
}

// message is a JSON object as it is, and everything else as a string.
func message(s string) json.RawMessage {
	if len(s) > 1 && s[0] == '{' && json.Valid([]byte(s)) {
		return json.RawMessage(s)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // strings cannot fail
	return json.RawMessage(bytes.TrimSpace(b.Bytes()))
}

// Step is what a timeline shows of a record.
type Step struct {
	Type, Level, Code string
	// Took is the record's RunTime; negative: it has none.
	Took time.Duration
	// What is the essence: the statement, the URL, the message.
	What string
}

// Step is the essence of a record; ok is false if the entry is none.
func (e Entry) Step() (s Step, ok bool) {
	var l logline.Line
	if e.Continues || l.Parse(e.Text) != nil {
		return Step{}, false
	}
	attributes := attributesOf(&l)
	s = Step{Type: string(l.Kind()), Level: string(l.Get(logline.Level)), Code: string(l.Get(logline.Code)), Took: -1, What: string(l.Get(logline.Message))}
	if ms, err := strconv.ParseFloat(attributes["RunTime"], 64); err == nil && ms >= 0 && ms < 1e12 {
		s.Took = time.Duration(ms * float64(time.Millisecond))
	}
	if head := essence(s.Type, attributes); head != "" && s.What != "" && s.What[0] != '{' {
		s.What = head + "   " + s.What
	} else if head != "" {
		s.What = head
	}
	return s, true
}

// essence is what names a call: its method and URL, or the statement.
func essence(kind string, attributes map[string]string) string {
	switch kind {
	case "HTTP":
		return joined(attributes["Method"], attributes["Url"])
	case "REST":
		return joined(attributes["Type"], attributes["Url"])
	case "SQL":
		return attributes["Sql"]
	}
	return ""
}

func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + " " + b
}

// attributesOf are those in the brackets and those that are keys of a JSON message.
func attributesOf(l *logline.Line) map[string]string {
	out := map[string]string{}
	var object map[string]json.RawMessage
	if m := l.Get(logline.Message); len(m) > 0 && m[0] == '{' && json.Unmarshal(m, &object) == nil {
		for _, name := range []string{"Url", "Method", "Type", "Sql", "RunTime"} {
			if raw, ok := object[name]; ok {
				out[name], _ = logline.Unquote(raw)
			}
		}
	}
	for name, value := range l.Attributes() {
		if text, err := logline.Unquote(value); err == nil {
			out[string(name)] = text
		}
	}
	return out
}
