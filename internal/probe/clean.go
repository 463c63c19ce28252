package probe

import (
	"regexp"
	"strings"
	"unicode"
)

// escapes are terminal sequences as a whole: CSI, OSC and its kin up to their terminator, and two-byte ones.
var escapes = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]|\x1b[\\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\\\)?|\x1b[ -/]*[0-~]?")

// Clean makes text of a guest safe to show: invalid UTF-8 becomes U+FFFD, terminal escapes, control
// characters and characters that reorder text are dropped. Newlines and tabs stay; CR LF becomes LF.
func Clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if strings.IndexByte(s, 0x1b) >= 0 {
		s = escapes.ReplaceAllString(s, "")
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), reorders(r):
			return -1
		}
		return r
	}, s)
}

// reorders tells the characters that make a terminal show text in another order than it is.
func reorders(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f
}

// cleanContent leaves a configuration file byte for byte as it is when it is harmless text, because a plan
// compares its hash; only CR before LF is allowed beyond what Clean keeps. A file that Clean changes no
// longer has the guest's hash, and the plan's own check refuses to replace it.
func cleanContent(s string) string {
	if Clean(s) == strings.ReplaceAll(s, "\r\n", "\n") {
		return s
	}
	return Clean(s)
}
