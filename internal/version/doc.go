// Package version holds the three kinds of version that a generic comparer gets wrong: rpm's
// epoch:version-release, kernel releases as `uname -r` says them, and VirtualBox's strings with their suffix
// and revision. It is pure: text in, values out.
package version

import (
	"fmt"
	"strings"
)

// maxLen bounds every text that is parsed; longer ones come from a confused or hostile guest.
const maxLen = 256

// MalformedError says which text could not be read as what.
type MalformedError struct {
	Kind string // "rpm version", "package", "lock entry", "kernel release", "VirtualBox version"
	Got  string // what was seen, shortened
	Want string // the expected form with an example
}

// Error names the text that was seen and the form that was expected.
func (e *MalformedError) Error() string {
	return fmt.Sprintf("%q is not a %s: expected %s", e.Got, e.Kind, e.Want)
}

func malformed(kind, got, want string) error {
	if len(got) > 80 {
		got = strings.ToValidUTF8(got[:80], "") + "…"
	}
	return &MalformedError{Kind: kind, Got: got, Want: want}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isAlpha(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// plainText reports whether s is short, not empty, and made of visible ASCII only.
func plainText(s string) bool {
	if s == "" || len(s) > maxLen {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
