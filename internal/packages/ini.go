package packages

import "strings"

// Entry is one value of an ini file of yum, dnf, zypper or pacman.
type Entry struct {
	Section, Key string
	// Words are the words of the value: it may go on in lines that start with white space.
	Words []Word
}

// Word is one word of a value and the line that it stands on, counting from 1.
type Word struct {
	Text string
	Line int
}

// ParseINI reads an ini file as yum does: # and ; start comment lines, an indented line goes on with the value
// before it, words are separated by spaces or commas. Keys and sections keep their case; keys without a value
// are kept with no words.
func ParseINI(text string) []Entry {
	var out []Entry
	section, open := "", false
	for i, raw := range strings.Split(text, "\n") {
		line := strings.TrimSpace(raw)
		switch {
		case line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";"):
			open = open && line != ""
		case strings.HasPrefix(raw, "["):
			name, _, _ := strings.Cut(line[1:], "]")
			section, open = strings.TrimSpace(name), false
		case open && (raw[0] == ' ' || raw[0] == '\t'):
			last := &out[len(out)-1]
			last.Words = append(last.Words, words(line, i+1)...)
		default:
			key, value, _ := strings.Cut(line, "=")
			out = append(out, Entry{Section: section, Key: strings.TrimSpace(key), Words: words(value, i+1)})
			open = true
		}
	}
	return out
}

func words(s string, line int) []Word {
	var out []Word
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' }) {
		out = append(out, Word{w, line})
	}
	return out
}

// Text is the whole value.
func (e Entry) Text() string {
	var w []string
	for _, v := range e.Words {
		w = append(w, v.Text)
	}
	return strings.Join(w, " ")
}

// Truth reads yum's booleans; def for anything else.
func Truth(s string, def bool) bool {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "1", "yes", "true", "on":
		return true
	case "0", "no", "false", "off":
		return false
	}
	return def
}

// Setting is the last value of a key in a section of an ini text; "" when it is not there.
func Setting(text, section, key string) string {
	v := ""
	for _, e := range ParseINI(text) {
		if e.Section == section && strings.EqualFold(e.Key, key) {
			v = e.Text()
		}
	}
	return v
}
