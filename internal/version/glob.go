package version

import "strings"

// Glob matches the whole of s against a pattern with `*`, `?`, `[abc]`, `[a-z]` and `[!abc]`, as fnmatch does
// for package names: no character is special in s, and a bracket that never closes stands for itself. The
// time is bounded by the product of the lengths.
func Glob(pattern, s string) bool {
	p, i := 0, 0
	star, mark := -1, 0
	for i < len(s) {
		if p < len(pattern) && pattern[p] == '*' {
			star, mark = p, i
			p++
			continue
		}
		if n, ok := matchOne(pattern[p:], s[i]); ok {
			p += n
			i++
			continue
		}
		if star < 0 {
			return false
		}
		mark++
		p, i = star+1, mark
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// matchOne matches one character and says how much of the pattern it used.
func matchOne(pattern string, c byte) (used int, ok bool) {
	if pattern == "" {
		return 0, false
	}
	switch pattern[0] {
	case '?':
		return 1, true
	case '[':
		if end := classEnd(pattern); end > 0 {
			return end + 1, inClass(pattern[1:end], c)
		}
	}
	return 1, pattern[0] == c
}

// classEnd is the index of the bracket that closes a class; a `]` right at its start belongs to the class.
func classEnd(pattern string) int {
	i := 1
	if i < len(pattern) && pattern[i] == '!' {
		i++
	}
	if i < len(pattern) && pattern[i] == ']' {
		i++
	}
	if i >= len(pattern) {
		return -1
	}
	if n := strings.IndexByte(pattern[i:], ']'); n >= 0 {
		return i + n
	}
	return -1
}

func inClass(class string, c byte) bool {
	not := strings.HasPrefix(class, "!")
	class = strings.TrimPrefix(class, "!")
	for i := 0; i < len(class); i++ {
		if i+2 < len(class) && class[i+1] == '-' {
			if class[i] <= c && c <= class[i+2] {
				return !not
			}
			i += 2
			continue
		}
		if class[i] == c {
			return !not
		}
	}
	return not
}
