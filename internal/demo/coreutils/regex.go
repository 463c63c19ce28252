package coreutils

import (
	"fmt"
	"regexp"
	"strings"
)

// translate turns a POSIX regular expression into one of package regexp.
func translate(pat string, extended bool) (string, error) {
	var b strings.Builder
	for i := 0; i < len(pat); i++ {
		c := pat[i]
		switch {
		case c == '[':
			set, n, err := bracket(pat[i:])
			if err != nil {
				return "", err
			}
			b.WriteString(set)
			i += n - 1
		case c == '\\':
			if i+1 == len(pat) {
				return "", fmt.Errorf("Trailing backslash") //nolint:staticcheck // the text is glibc's
			}
			i++
			t, err := escape(pat[i], extended)
			if err != nil {
				return "", err
			}
			b.WriteString(t)
		case !extended && strings.IndexByte("(){}|+?", c) >= 0:
			b.WriteByte('\\')
			b.WriteByte(c)
		case !extended && c == '*' && (i == 0 || strings.HasSuffix(pat[:i], `\(`) || pat[:i] == "^"):
			b.WriteString(`\*`)
		case !extended && c == '^' && i > 0 && !strings.HasSuffix(pat[:i], `\(`) && !strings.HasSuffix(pat[:i], `\|`):
			b.WriteString(`\^`)
		case !extended && c == '$' && i+1 < len(pat) && !strings.HasPrefix(pat[i+1:], `\)`) && !strings.HasPrefix(pat[i+1:], `\|`):
			b.WriteString(`\$`)
		case c == '{' && extended && (i+1 == len(pat) || pat[i+1] < '0' || pat[i+1] > '9'):
			b.WriteString(`\{`)
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

func escape(c byte, extended bool) (string, error) {
	switch {
	case c == '<' || c == '>':
		return `\b`, nil
	case c >= '1' && c <= '9':
		return "", fmt.Errorf("back-references are not supported by the embedded guest")
	case !extended && strings.IndexByte("(){}|+?", c) >= 0:
		return string(c), nil
	case strings.IndexByte("wWsSbB", c) >= 0:
		return `\` + string(c), nil
	case c == 'n':
		return `\n`, nil
	case c == 't':
		return `\t`, nil
	}
	return regexp.QuoteMeta(string(c)), nil
}

// bracket copies a bracket expression, in which a backslash is an ordinary character.
func bracket(t string) (set string, length int, err error) {
	var b strings.Builder
	b.WriteByte('[')
	i := 1
	if i < len(t) && t[i] == '^' {
		b.WriteByte('^')
		i++
	}
	for first := true; i < len(t); first = false {
		switch {
		case t[i] == ']' && !first:
			b.WriteByte(']')
			return b.String(), i + 1, nil
		case strings.HasPrefix(t[i:], "[:"):
			end := strings.Index(t[i:], ":]")
			if end < 0 {
				return "", 0, fmt.Errorf("unterminated character class")
			}
			b.WriteString(t[i : i+end+2])
			i += end + 2
			continue
		case t[i] == '\\' && i+1 < len(t) && (t[i+1] == 't' || t[i+1] == 'n'):
			b.WriteString(t[i : i+2]) // GNU sed and grep -P users write these; plain grep would not
			i++
		case strings.IndexByte(`\[]`, t[i]) >= 0:
			b.WriteByte('\\')
			b.WriteByte(t[i])
		default:
			b.WriteByte(t[i])
		}
		i++
	}
	return "", 0, fmt.Errorf("Unmatched [") //nolint:staticcheck // the text is glibc's
}

func compile(pat string, extended, fold bool) (*regexp.Regexp, error) {
	t, err := translate(pat, extended)
	if err != nil {
		return nil, err
	}
	flags := "(?s"
	if fold {
		flags += "i"
	}
	re, err := regexp.Compile(flags + ")" + t)
	if err != nil {
		return nil, fmt.Errorf("invalid regular expression %q", pat)
	}
	re.Longest()
	return re, nil
}
