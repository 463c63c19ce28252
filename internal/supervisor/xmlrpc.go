package supervisor

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Fault is what supervisord says when it refuses a request.
type Fault struct {
	Code int
	Text string
}

// Error is supervisord's own words, "ABNORMAL_TERMINATION: qrd".
func (f *Fault) Error() string { return f.Text }

// Faults that are no failure for somebody who wants a state.
const (
	faultAlreadyStarted = 60
	faultNotRunning     = 70
)

// request is a call as XML-RPC. Parameters are texts, numbers and truth values; other types are a programmer's error.
// The text is ASCII whatever the names are made of.
func request(method string, params ...any) string {
	var b strings.Builder
	b.WriteString("<?xml version='1.0'?><methodCall><methodName>" + method + "</methodName><params>")
	for _, p := range params {
		switch x := p.(type) {
		case string:
			b.WriteString("<param><value><string>" + escaped(x) + "</string></value></param>")
		case int:
			b.WriteString("<param><value><int>" + strconv.Itoa(x) + "</int></value></param>")
		case bool:
			n := map[bool]string{true: "1", false: "0"}[x]
			b.WriteString("<param><value><boolean>" + n + "</boolean></value></param>")
		default:
			panic(fmt.Sprintf("parameter of type %T", p))
		}
	}
	return b.String() + "</params></methodCall>"
}

func escaped(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < ' ' || r > '~' || strings.ContainsRune(`<>&"'`, r) {
			fmt.Fprintf(&b, "&#%d;", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// maxDepth bounds how deep an answer is nested; Supervisor's need four.
const maxDepth = 16

// errFailed stands for HTTP status 500: supervisord itself failed, as it does at a log that is no UTF-8.
var errFailed = errors.New("supervisord failed at this request (HTTP status 500)")

// response decodes an answer: int, bool, string, []any and map[string]any. A refusal is a *Fault.
func response(answer []byte) (any, error) {
	if answer == nil {
		return nil, errFailed
	}
	d := xml.NewDecoder(bytes.NewReader(printable(answer)))
	for {
		start, err := next(d)
		if err != nil {
			return nil, fmt.Errorf("supervisord answers no XML-RPC: %w", err)
		}
		switch start.Name.Local {
		case "fault":
			return nil, fault(d)
		case "value":
			return value(d, 0)
		}
	}
}

// printable keeps what programs logged, such as colours, from making the whole answer unreadable: supervisord puts it
// into the XML as it is. Control characters become characters of a private range, and value turns them back.
func printable(answer []byte) []byte {
	valid := bytes.ToValidUTF8(answer, []byte("\uFFFD"))
	return bytes.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return r
		case r < ' ':
			return private + r
		case r == '\uFFFE' || r == '\uFFFF':
			return '\uFFFD'
		}
		return r
	}, valid)
}

const private = '\uE000'

func unprintable(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= private && r < private+' ' {
			return r - private
		}
		return r
	}, s)
}

// next is the next element that begins.
func next(d *xml.Decoder) (xml.StartElement, error) {
	for {
		t, err := d.Token()
		if err != nil {
			return xml.StartElement{}, err
		}
		if s, ok := t.(xml.StartElement); ok {
			return s, nil
		}
	}
}

func fault(d *xml.Decoder) error {
	if _, err := next(d); err != nil { // its value
		return err
	}
	v, err := value(d, 0)
	if err != nil {
		return err
	}
	m, _ := v.(map[string]any)
	code, _ := m["faultCode"].(int)
	text, _ := m["faultString"].(string)
	return &Fault{Code: code, Text: text}
}

var errDepth = errors.New("the answer is nested too deep")

// value decodes what stands in a <value>, whose begin was read, up to its end.
func value(d *xml.Decoder, depth int) (out any, err error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	var bare strings.Builder
	out = nil
	for {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch x := t.(type) {
		case xml.CharData:
			bare.Write(x)
		case xml.StartElement:
			if out, err = typed(d, x, depth); err != nil {
				return nil, err
			}
		case xml.EndElement:
			if out == nil { // a text without a type
				out = unprintable(bare.String())
			}
			return out, nil
		}
	}
}

// typed decodes the element inside of a value.
func typed(d *xml.Decoder, start xml.StartElement, depth int) (any, error) {
	switch start.Name.Local {
	case "array":
		return array(d, depth)
	case "struct":
		return structure(d, depth)
	}
	var text string
	if err := d.DecodeElement(&text, &start); err != nil {
		return nil, err
	}
	switch start.Name.Local {
	case "int", "i4", "i8":
		return strconv.Atoi(strings.TrimSpace(text))
	case "boolean":
		return strings.TrimSpace(text) == "1", nil
	}
	return unprintable(text), nil
}

// array decodes up to the end of <array>.
func array(d *xml.Decoder, depth int) (any, error) {
	out := []any{}
	for {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch x := t.(type) {
		case xml.StartElement:
			if x.Name.Local != "value" {
				continue
			}
			v, err := value(d, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		case xml.EndElement:
			if x.Name.Local == "array" {
				return out, nil
			}
		}
	}
}

// structure decodes up to the end of <struct>.
func structure(d *xml.Decoder, depth int) (any, error) {
	out, name := map[string]any{}, ""
	for {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch x := t.(type) {
		case xml.StartElement:
			switch x.Name.Local {
			case "name":
				err = d.DecodeElement(&name, &x)
			case "value":
				out[name], err = value(d, depth+1)
			}
			if err != nil {
				return nil, err
			}
		case xml.EndElement:
			if x.Name.Local == "struct" {
				return out, nil
			}
		}
	}
}
