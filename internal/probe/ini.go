package probe

import "strings"

// iniEntry is one value of an ini file of yum, dnf, zypper or pacman.
type iniEntry struct {
	section, key string
	// values are the words of the value and the 1-based lines they stand on: a value may go on in lines that
	// start with white space.
	values []iniWord
}

type iniWord struct {
	text string
	line int
}

// parseIni reads an ini file as yum does: # and ; start comment lines, an indented line goes on with the value
// before it, words are separated by spaces or commas. Keys and sections keep their case; keys without a value
// are kept with no words.
func parseIni(text string) []iniEntry {
	var out []iniEntry
	section, open := "", false
	for i, raw := range strings.Split(Clean(text), "\n") {
		line := strings.TrimSpace(raw)
		switch {
		case line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";"):
			open = open && line != ""
		case strings.HasPrefix(raw, "["):
			name, _, _ := strings.Cut(line[1:], "]")
			section, open = strings.TrimSpace(name), false
		case open && (raw[0] == ' ' || raw[0] == '\t'):
			last := &out[len(out)-1]
			last.values = append(last.values, words(line, i+1)...)
		default:
			key, value, _ := strings.Cut(line, "=")
			out = append(out, iniEntry{section: section, key: strings.TrimSpace(key), values: words(value, i+1)})
			open = true
		}
	}
	return out
}

func words(s string, line int) []iniWord {
	var out []iniWord
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' }) {
		out = append(out, iniWord{w, line})
	}
	return out
}

func (e iniEntry) text() string {
	var w []string
	for _, v := range e.values {
		w = append(w, v.text)
	}
	return strings.Join(w, " ")
}

// truth reads yum's booleans; def for anything else.
func truth(s string, def bool) bool {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "1", "yes", "true", "on":
		return true
	case "0", "no", "false", "off":
		return false
	}
	return def
}

// setting is the last value of a key in a section of an ini text; "" when it is not there.
func setting(text, section, key string) string {
	v := ""
	for _, e := range parseIni(text) {
		if e.section == section && strings.EqualFold(e.key, key) {
			v = e.text()
		}
	}
	return v
}
