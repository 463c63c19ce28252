package version

import (
	"cmp"
	"strconv"
	"strings"
)

const wantEVR = "[epoch:]version[-release], such as 0:3.10.0-1127.el7"

// EVR is the epoch, version and release of an rpm package.
type EVR struct {
	Epoch   int
	Version string
	Release string // empty when the text had none
}

// ParseEVR reads `0:1.2-3.el7`, `1.2-3`, `1.2` and rpm's `(none):1.2-3`. The error is a *MalformedError.
func ParseEVR(s string) (EVR, error) {
	text := strings.TrimSpace(s)
	if !plainText(text) {
		return EVR{}, malformed("rpm version", text, wantEVR)
	}
	epoch, rest, ok := cutEpoch(text)
	v, r, _ := strings.Cut(rest, "-")
	if !ok || v == "" || strings.HasSuffix(rest, "-") || strings.ContainsAny(rest, ":/") || strings.Contains(r, "-") {
		return EVR{}, malformed("rpm version", text, wantEVR)
	}
	return EVR{Epoch: epoch, Version: v, Release: r}, nil
}

// cutEpoch splits `0:rest`; ok is false when there is a colon without a number before it.
func cutEpoch(s string) (epoch int, rest string, ok bool) {
	before, after, found := strings.Cut(s, ":")
	if !found {
		return 0, s, true
	}
	if before == "(none)" {
		return 0, after, true
	}
	if len(before) > 9 || !allDigits(before) {
		return 0, s, false
	}
	n, err := strconv.Atoi(before)
	return n, after, err == nil
}

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

// String is epoch:version-release without a zero epoch and without an empty release.
func (e EVR) String() string {
	s := e.Version
	if e.Release != "" {
		s += "-" + e.Release
	}
	if e.Epoch != 0 {
		s = strconv.Itoa(e.Epoch) + ":" + s
	}
	return s
}

// Compare orders by epoch, then version, then release, the latter two by RPMVerCmp. A missing release is
// older than any.
func (e EVR) Compare(o EVR) int {
	return cmp.Or(cmp.Compare(e.Epoch, o.Epoch), RPMVerCmp(e.Version, o.Version), RPMVerCmp(e.Release, o.Release))
}

// RPMVerCmp orders two version or release texts as rpm does: runs of digits as numbers, runs of letters as
// text, a number newer than letters, `~` older than the end of the text, `^` newer than the end but older
// than anything else. Separators count for nothing, so different texts can be equal (1.0 and 1_0).
func RPMVerCmp(a, b string) int {
	if a == b {
		return 0
	}
	for a != "" || b != "" {
		a, b = skipSeparators(a), skipSeparators(b)
		c, more := cmpMark(&a, &b)
		if c != 0 {
			return c
		}
		if more {
			continue
		}
		if a == "" || b == "" {
			break
		}
		if c := cmpSegment(&a, &b); c != 0 {
			return c
		}
	}
	return cmp.Compare(min(len(a), 1), min(len(b), 1))
}

func skipSeparators(s string) string {
	i := 0
	for i < len(s) && !isDigit(s[i]) && !isAlpha(s[i]) && s[i] != '~' && s[i] != '^' {
		i++
	}
	return s[i:]
}

// cmpMark handles `~` and `^` at the head. more means: both had the same mark, it was cut off, go on.
func cmpMark(a, b *string) (c int, more bool) {
	x, y := markRank(*a), markRank(*b)
	if x != y {
		return cmp.Compare(x, y), false
	}
	if x == rankTilde || x == rankCaret {
		*a, *b = (*a)[1:], (*b)[1:]
		return 0, true
	}
	return 0, false
}

// The order of what may stand at the head of a text.
const (
	rankTilde = iota
	rankEnd
	rankCaret
	rankSegment
)

func markRank(s string) int {
	switch {
	case s == "":
		return rankEnd
	case s[0] == '~':
		return rankTilde
	case s[0] == '^':
		return rankCaret
	}
	return rankSegment
}

// cmpSegment compares and cuts off the leading run of digits or letters of both texts, which are not empty.
func cmpSegment(a, b *string) int {
	aNum, bNum := isDigit((*a)[0]), isDigit((*b)[0])
	if aNum != bNum {
		if aNum {
			return 1
		}
		return -1
	}
	is := isAlpha
	if aNum {
		is = isDigit
	}
	x, y := cutRun(a, is), cutRun(b, is)
	if aNum {
		x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
		if len(x) != len(y) {
			return cmp.Compare(len(x), len(y))
		}
	}
	return strings.Compare(x, y)
}

func cutRun(s *string, is func(byte) bool) string {
	i := 0
	for i < len(*s) && is((*s)[i]) {
		i++
	}
	run := (*s)[:i]
	*s = (*s)[i:]
	return run
}
