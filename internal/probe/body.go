package probe

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/boxdoctor/boxdoctor/internal/facts"
)

// fact is one "=NAME VALUE" line with the "| TEXT" lines that follow it. Text of the guest: only text and
// content clean it.
type fact struct {
	name  string
	value string
	lines []string
}

// body is the parsed output of one finished section.
type body struct {
	facts []fact
	noise []string // what programs said on standard error
}

// filler turns an outcome into one field.
type filler func(g *facts.Guest, s section, o outcome)

func into[T any](field func(*facts.Guest) *facts.Value[T], parse func(body) (T, error)) filler {
	return func(g *facts.Guest, s section, o outcome) {
		b, err := finished(s, o)
		if err != nil {
			*field(g) = facts.Unknownf[T]("%s", Clean(err.Error()))
			return
		}
		v, err := parse(b)
		if err != nil {
			*field(g) = facts.Unknownf[T]("section %s: %s", s.key, Clean(err.Error()))
			return
		}
		*field(g) = facts.Known(v)
	}
}

// finished returns the body of a section that ran to its end, or why there is none.
func finished(s section, o outcome) (body, error) {
	if len(o.frames) == 0 && errors.Is(o.err, errNotRequested) {
		return body{}, errNotRequested
	}
	for i, f := range o.frames {
		if f.Name != string(s.key) {
			continue
		}
		switch {
		case !f.Done && i < len(o.frames)-1:
			return body{}, fmt.Errorf("section %s was not finished by the guest", s.key)
		case !f.Done:
			return body{}, cutOff(o, " in the middle of section "+string(s.key))
		case slices.Contains(limitCodes, f.Code):
			return body{}, fmt.Errorf("section %s ran into its limit of %s", s.key, seconds(s.limit))
		}
		b := parseBody(f.Body)
		if f.Code != 0 {
			return body{}, fmt.Errorf("section %s ended with status %d: %s", s.key, f.Code, b.said())
		}
		return b, nil
	}
	return body{}, cutOff(o, "")
}

// limitCodes are the statuses of a section that was ended: timeout's own, 128 + KILL or TERM, ksh's 256 + them.
var limitCodes = []int{124, 137, 143, 265, 271}

// cutOff says why a section has no end.
func cutOff(o outcome, where string) error {
	switch {
	case o.err != nil:
		return fmt.Errorf("the probe was cut off after %s%s: %w", o.took.Round(100*time.Millisecond), where, o.err)
	case o.truncated:
		return fmt.Errorf("the probe was cut off after %s%s: the guest printed more than is kept", o.took.Round(100*time.Millisecond), where)
	}
	words := lastWords(o.stderr, 300)
	if words == "" {
		words = "with nothing on standard error"
	}
	return fmt.Errorf("the probe was cut off after %s%s: the guest's sh ended early, %s", o.took.Round(100*time.Millisecond), where, words)
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) + " s" }

func parseBody(raw []byte) body {
	var b body
	for line := range strings.SplitSeq(string(raw), "\n") {
		switch {
		case strings.HasPrefix(line, "="):
			name, value, _ := strings.Cut(line[1:], " ")
			b.facts = append(b.facts, fact{name: name, value: value})
		case strings.HasPrefix(line, "| ") || line == "|":
			if n := len(b.facts); n > 0 {
				b.facts[n-1].lines = append(b.facts[n-1].lines, strings.TrimPrefix(line[1:], " "))
			}
		case strings.TrimSpace(line) != "":
			b.noise = append(b.noise, line)
		}
	}
	return b
}

// first returns the first fact of this name; the zero fact when there is none.
func (b body) first(name string) (fact, bool) {
	for _, f := range b.facts {
		if f.name == name {
			return f, true
		}
	}
	return fact{}, false
}

// text is the cleaned value of the first fact of this name.
func (b body) text(name string) string {
	f, _ := b.first(name)
	return f.text()
}

// yes tells whether a fact of this name says yes.
func (b body) yes(name string) bool { return b.text(name) == "yes" }

// texts are the cleaned, non-empty values of all facts of this name. Never nil.
func (b body) texts(name string) []string {
	out := []string{}
	for _, f := range b.facts {
		if f.name == name && f.text() != "" {
			out = append(out, f.text())
		}
	}
	return out
}

// said is the end of what programs printed on standard error, or that it was nothing.
func (b body) said() string {
	if s := lastWords(strings.Join(b.noise, " / "), 300); s != "" {
		return s
	}
	return "with nothing on standard error"
}

func (f fact) text() string { return strings.TrimSpace(Clean(f.value)) }

// block is the cleaned text below a fact.
func (f fact) block() string { return Clean(strings.Join(f.lines, "\n")) }

// cleaned are the cleaned lines below a fact.
func (f fact) cleaned() []string {
	if len(f.lines) == 0 {
		return nil
	}
	return strings.Split(f.block(), "\n")
}

// failed explains a command that ended with a status other than zero.
func (f fact) failed(what string) error {
	if f.value == "0" {
		return nil
	}
	how := "exit status " + f.text()
	switch f.text() {
	case "124", "137":
		how = "no answer within its limit"
	case "127":
		how = "not found"
	}
	if words := lastWords(f.block(), 300); words != "" {
		return fmt.Errorf("%s: %s: %s", what, how, words)
	}
	return fmt.Errorf("%s: %s", what, how)
}

// lastWords is the end of a text on one line, at most n bytes.
func lastWords(s string, n int) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " ")
	if len(s) > n {
		s = "…" + strings.ToValidUTF8(s[len(s)-n:], "")
	}
	return s
}

// number reads a decimal; def when it is none.
func number(s string, def int) int {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		return def
	}
	return n
}

// files are the dumped files of a section, by order.
func (b body) files(name string) []dumped {
	out := []dumped{}
	for _, f := range b.facts {
		if f.name == name {
			if d, ok := f.dumped(); ok {
				out = append(out, d)
			}
		}
	}
	return out
}

// file is the content of one dumped file, "" when it was not there.
func (b body) file(path string) string {
	for _, d := range b.files("file") {
		if d.path == path {
			return d.content
		}
	}
	return ""
}

type dumped struct {
	path, mode string
	time       time.Time
	content    string
}

func (d dumped) config() facts.ConfigFile {
	return facts.ConfigFile{Path: d.path, Mode: d.mode, Content: cleanContent(d.content)}
}

// configs are the dumped files as facts, each path once. Never nil.
func (b body) configs() []facts.ConfigFile {
	out, seen := []facts.ConfigFile{}, map[string]bool{}
	for _, d := range b.files("file") {
		if !seen[d.path] {
			seen[d.path] = true
			out = append(out, d.config())
		}
	}
	return out
}

// dumped reads "MODE SIZE TIME PATH" and the content. The size tells whether the last line had a newline:
// some seds add one, and the prefixing hides it.
func (f fact) dumped() (dumped, bool) {
	w := strings.SplitN(f.value, " ", 4)
	if len(w) != 4 || !strings.HasPrefix(w[3], "/") {
		return dumped{}, false
	}
	content := strings.Join(f.lines, "\n")
	if len(f.lines) > 0 && number(w[1], -1) != len(content) {
		content += "\n"
	}
	return dumped{path: Clean(w[3]), mode: Clean(w[0]), time: time.Unix(int64(number(w[2], 0)), 0).UTC(), content: content}, true
}
