package logtext

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// escaped tells whether \n in a line stands for a line break, as in JSON, in Ruby's and Go's quoted texts and in Vagrant's
// machine-readable output.
func escaped(line []byte) bool {
	return bytes.Count(line, []byte(`"`)) > 1 || bytes.Count(line, []byte(`'`)) > 1 || machineReadable.Match(line)
}

// unescape makes lines of a line that holds several. A Windows path that is not doubled keeps its backslashes.
func (s *scratch) unescape(raw []byte) [][]byte {
	s.text, s.segments = s.text[:0], s.segments[:0]
	start, drive := 0, false
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == ':' && i+2 < len(raw) && raw[i+1] == '\\' && raw[i+2] != '\\':
			drive = true
		case c == ' ' || c == '"' || c == '\'':
			drive = false
		}
		if c != '\\' || drive || i+1 == len(raw) {
			s.text = append(s.text, c)
			continue
		}
		i++
		if raw[i] == 'n' {
			s.segments = append(s.segments, s.text[start:])
			start = len(s.text)
			continue
		}
		i += s.character(raw[i:])
	}
	return append(s.segments, s.text[start:])
}

// character appends what the escape that begins behind the backslash stands for and returns how much more it takes.
func (s *scratch) character(rest []byte) int {
	switch c := rest[0]; c {
	case 'r':
	case 't':
		s.text = append(s.text, ' ')
	case '"', '\'', '\\', '/':
		s.text = append(s.text, c)
	case 'u':
		if len(rest) > 4 {
			if n, err := strconv.ParseUint(string(rest[1:5]), 16, 16); err == nil {
				s.text = utf8.AppendRune(s.text, rune(n))
				return 4
			}
		}
		s.text = append(s.text, '\\', c)
	default:
		s.text = append(s.text, '\\', c)
	}
	return 0
}
